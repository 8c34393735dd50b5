"""Reading a solo from a Standard MIDI File.

The soloist is everything in the file that plays notes, on all tracks and channels
but channel 10, which General MIDI keeps for drums. Program changes and system
messages are left out: the soloist's sound is a setting, and live the core ignores
them too. A note that the file never releases ends with the file.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido

from jackcomp.errors import ConfigError
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

DRUM_CHANNEL = 9
DEFAULT_NS_PER_QUARTER = 500_000_000  # 120 bpm, where the file is silent about it
DEFAULT_METER = Meter(4, 4)
# Beyond these a file is damaged: 10 000 bpm, and 14 hours of music at 120 bpm.
SHORTEST_QUARTER_US = 6_000
LONGEST_QUARTERS = 100_000

_PLAYED = (
    *("note_on", "note_off", "polytouch"),
    *("control_change", "pitchwheel", "aftertouch"),
)


@dataclass(frozen=True, slots=True)
class Solo:
    """What a soloist plays; all ticks at 1920 a quarter, the first bar line at 0.

    Attributes
    ----------
    messages : tuple of (int, bytes)
        Tick and MIDI message, in order; those at one tick as the file has them.
    tempos : tuple of (int, int)
        Tick and nanoseconds a quarter from there on; the first at tick 0.
    meters : tuple of (int, Meter)
        Tick and meter from there on; the first at tick 0.
    end_tick : int
        Where the last note begins or ends, whichever is in the file last.
    title : str
        Name of the first track that has one, otherwise that of the file.
    """

    messages: tuple[tuple[int, bytes], ...]
    tempos: tuple[tuple[int, int], ...]
    meters: tuple[tuple[int, Meter], ...]
    end_tick: int
    title: str


def count_notes(messages: Iterable[tuple[int, bytes]]) -> int:
    """Count the notes that begin."""
    return sum(data[0] & 0xF0 == 0x90 and data[2] > 0 for _, data in messages)


def read_solo(path: Path) -> Solo:
    """Read a MIDI file of type 0 or 1.

    Parameters
    ----------
    path : Path
        The file; its division counts ticks of a quarter, not SMPTE frames.

    Raises
    ------
    ConfigError
        In one line, if it is missing, empty, truncated, not MIDI, of another
        kind, or has no note of a soloist.
    """
    file = _parse(path)
    if file.type not in (0, 1):
        raise ConfigError(
            f"MIDI file '{path}' is of type {file.type}: expected type 0 or 1: "
            "export it as one song"
        )
    if file.ticks_per_beat <= 0:
        raise ConfigError(
            f"MIDI file '{path}' counts SMPTE frames: expected ticks of a quarter: "
            "export it with musical time"
        )
    events = _events(file)
    messages = tuple(
        (tick, bytes(message.bytes()))
        for tick, message in events
        if message.type in _PLAYED and message.channel != DRUM_CHANNEL
    )
    if not count_notes(messages):
        raise ConfigError(
            f"MIDI file '{path}' has no notes outside channel 10 (drums): "
            "expected a solo"
        )
    if messages[-1][0] > LONGEST_QUARTERS * TICKS_PER_QUARTER:
        raise ConfigError(
            f"MIDI file '{path}' is damaged: it is longer than {LONGEST_QUARTERS} "
            "quarters: copy or export it again"
        )
    messages += _release_held(messages, events[-1][0])
    return Solo(
        messages,
        _tempos(path, events),
        _meters(path, events),
        max(tick for tick, data in messages if data[0] & 0xE0 == 0x80),
        _title(path, file),
    )


def _parse(path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise ConfigError(f"'{path}' is not a MIDI file but a folder, device or pipe")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read MIDI file '{path}': {error.strerror}"
        ) from error
    if not data:
        raise ConfigError(f"MIDI file '{path}' is empty: export it again")
    if not data.startswith(b"MThd"):
        raise ConfigError(
            f"'{path}' is not a MIDI file: expected it to begin with 'MThd'"
        )
    try:
        return mido.MidiFile(file=io.BytesIO(data))
    except EOFError as error:
        raise ConfigError(
            f"MIDI file '{path}' is truncated after {len(data)} bytes: "
            "copy or export it again"
        ) from error
    # mido lets out whatever its decoders stumble over: IndexError, KeyError ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"MIDI file '{path}' is damaged: {reason}: copy or export it again"
        ) from error


def _events(file: Any) -> list[tuple[int, Any]]:
    """Return all messages of all tracks by tick; the tracks in order at one tick."""
    events = []
    for track in file.tracks:
        position = 0
        for message in track:
            position += message.time
            events.append((_scale(position, file.ticks_per_beat), message))
    return sorted(events, key=lambda event: event[0])


def _release_held(
    messages: tuple[tuple[int, bytes], ...], end: int
) -> tuple[tuple[int, bytes], ...]:
    """Return note-offs for what is held at the end, a quarter after a note at least."""
    held: dict[tuple[int, int], int] = {}
    for tick, (status, note, *value) in messages:
        key = status & 0x0F, note
        if status & 0xF0 == 0x90 and value[0]:
            held[key] = tick
        elif status & 0xE0 == 0x80:
            held.pop(key, None)
    end = max([end, *(tick + TICKS_PER_QUARTER for tick in held.values())])
    return tuple((end, bytes((0x80 | channel, note, 0))) for channel, note in held)


def _scale(position: int, division: int) -> int:
    """Convert file ticks from the start to ours, rounded half up, once."""
    return (2 * position * TICKS_PER_QUARTER + division) // (2 * division)


def _tempos(path: Path, events: list[tuple[int, Any]]) -> tuple[tuple[int, int], ...]:
    tempos = {0: DEFAULT_NS_PER_QUARTER}
    for tick, message in events:
        if message.type == "set_tempo":
            if message.tempo < SHORTEST_QUARTER_US:
                raise ConfigError(
                    f"MIDI file '{path}' is damaged: a quarter of {message.tempo} "
                    f"microseconds: expected {SHORTEST_QUARTER_US} or more"
                )
            tempos[tick] = 1000 * message.tempo
    return tuple(tempos.items())


def _meters(path: Path, events: list[tuple[int, Any]]) -> tuple[tuple[int, Meter], ...]:
    meters = {0: DEFAULT_METER}
    for tick, message in events:
        if message.type == "time_signature":
            try:
                meters[tick] = Meter(message.numerator, message.denominator)
            except ValueError as error:
                raise ConfigError(f"MIDI file '{path}': {error}") from error
    return tuple(meters.items())


def _title(path: Path, file: Any) -> str:
    names = (
        "".join(letter for letter in message.name if letter.isprintable()).strip()
        for track in file.tracks
        for message in track
        if message.type == "track_name"
    )
    return next((name for name in names if name), path.stem)
