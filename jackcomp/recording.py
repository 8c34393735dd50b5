"""A take: what is played goes to the disk while it sounds.

``chart.txt`` grows by a line a chord, ``playing.mid`` by what was struck and released:
a MIDI file of one track that is whole whenever one looks at it. Both are on the disk
after `SYNC_SECONDS` at the latest, so nothing more is lost when the power goes. At the
end of the take ``accompaniment.mid``, with a track for each part, takes the place of
``playing.mid``. Nothing of a take stays in memory.
"""

import heapq
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import mido
from mido.midifiles.meta import encode_variable_int

from jackcomp.accompanist import ChordChange
from jackcomp.errors import ConfigError
from jackcomp.messages import Part, Report
from jackcomp.performance import (
    CHART_HEADER,
    Struck,
    channel_of,
    chart_line,
    chord_markers,
    filed,
    meter_and_tempos,
    pair_notes,
    write_midi,
)
from jackcomp.timeline.clock import Timeline
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

SYNC_SECONDS = 1.0
_MOST_TAKES = 999
_PART_OF_CHANNEL = {channel_of(part): part for part in Part if part < Part.CLICK}


class GrowingMidi:
    """A MIDI file with one track, whole after every `add`.

    Ticks never go back in a file: what comes a little late is written down with what
    came last, and where the clock begins anew, the file just goes on.
    """

    _END = b"\x00\xff\x2f\x00"

    def __init__(self, path: Path, jump_ticks: int) -> None:
        self._file: BinaryIO = path.open("wb")
        self._jump_ticks = jump_ticks
        self._shift = 0
        self._last = 0
        header = (6, 4), (0, 2), (1, 2), (TICKS_PER_QUARTER, 2)
        sizes = b"".join(number.to_bytes(size, "big") for number, size in header)
        self._file.write(b"MThd" + sizes + b"MTrk")
        self._start = self._file.tell() + 4
        self._end = self._start
        self.add([])

    def add(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Add messages, by tick, to what is there."""
        data = bytearray()
        for tick, message in messages:
            place = self._place(tick)
            data += bytes(encode_variable_int(place - self._last)) + message
            self._last = place
        self._file.seek(self._end)
        self._file.write(data + self._END)
        self._end += len(data)
        self._file.seek(self._start - 4)
        length = self._end - self._start + len(self._END)
        self._file.write(length.to_bytes(4, "big"))
        self._file.flush()

    def _place(self, tick: int) -> int:
        if tick + self._shift < self._last - self._jump_ticks:
            self._shift = self._last - tick
        return max(tick + self._shift, self._last)

    def fileno(self) -> int:
        """Return the descriptor, for the system to write it to the disk."""
        return self._file.fileno()

    def close(self) -> None:
        """Close it; it stays as it is."""
        self._file.close()


class Take:
    """A new folder ``take-001``, ``take-002`` ... and what is recorded in it.

    Parameters
    ----------
    folder : Path
        Where takes are.
    meter : Meter
        Of the music.
    clock : callable
        Returns the clock as it has gone until now.
    programs : list of (Part, int)
        General MIDI programs, from 0.

    Raises
    ------
    ConfigError
        If nothing can be written there.
    """

    def __init__(
        self,
        folder: Path,
        meter: Meter,
        clock: Callable[[], Timeline],
        programs: list[tuple[Part, int]],
    ) -> None:
        self.folder = _new_take(folder)
        self._meter = meter
        self._clock = clock
        self._programs = programs
        self._markers: list[tuple[int, str]] = []
        self._next_sync = 0.0
        with ExitStack() as stack:
            chart = (self.folder / "chart.txt").open("w", encoding="utf-8")
            self._chart = stack.enter_context(chart)
            print(CHART_HEADER, file=self._chart, flush=True)
            self._midi = GrowingMidi(self._playing, meter.bar_ticks)
            stack.callback(self._midi.close)
            self._midi.add(
                (tick, bytes(meta.bytes()))
                for tick, meta in meter_and_tempos(meter, clock())
            )
            self._midi.add(
                (0, bytes((0xC0 | channel_of(part), program)))
                for part, program in programs
            )
            self._stack = stack.pop_all()

    @property
    def _playing(self) -> Path:
        return self.folder / "playing.mid"

    def __enter__(self) -> Self:
        """Return itself: it records already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish it."""
        self._midi.add((tick, _marker(label)) for tick, label in self._take_markers())
        self._stack.close()
        notes, markers = _read_playing(self._playing)
        write_midi(
            self.folder / "accompaniment.mid",
            pair_notes(notes),
            markers,
            self._meter,
            self._clock(),
            self._programs,
        )
        self._playing.unlink()

    def add(self, played: Iterable[Report], changes: Iterable[ChordChange]) -> None:
        """Write down what was played and which chords were chosen."""
        for change in changes:
            line = chart_line(change, self._meter, self._clock())
            print(line, file=self._chart, flush=True)
            for marker in chord_markers([change]):
                heapq.heappush(self._markers, marker)
        self._midi.add(self._with_markers(filed(played)))
        if time.monotonic() >= self._next_sync:
            self._next_sync = time.monotonic() + SYNC_SECONDS
            os.fdatasync(self._chart.fileno())
            os.fdatasync(self._midi.fileno())

    def _with_markers(self, messages: Iterable[Struck]) -> Iterator[tuple[int, bytes]]:
        """Give notes as MIDI, each chord before the first note at or after it."""
        for tick, part, status, key, value in messages:
            for place, label in self._take_markers(tick):
                yield place, _marker(label)
            if status & 0xE0 == 0x80:
                channel = channel_of(Part(part))
                yield tick, bytes((status & 0xF0 | channel, key, value))

    def _take_markers(self, tick: int | None = None) -> Iterator[tuple[int, str]]:
        """Take the chords up to a tick, or all."""
        while self._markers and (tick is None or self._markers[0][0] <= tick):
            yield heapq.heappop(self._markers)


def _marker(label: str) -> bytes:
    return bytes(mido.MetaMessage("marker", text=label).bytes())


def _read_playing(path: Path) -> tuple[list[Struck], list[tuple[int, str]]]:
    """Read a growing file again: notes, and chords."""
    (track,) = mido.MidiFile(path).tracks
    notes: list[Struck] = []
    markers: list[tuple[int, str]] = []
    tick = 0
    for message in track:
        tick += message.time
        if message.type == "marker":
            markers.append((tick, message.text))
        elif message.type in ("note_on", "note_off"):
            status, key, value = message.bytes()
            part = _PART_OF_CHANNEL[message.channel]
            notes.append((tick, part, status, key, value))
    return notes, markers


def _new_take(folder: Path) -> Path:
    """Make the next free ``take-NNN`` in a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST_TAKES + 1):
            take = folder / f"take-{number:03d}"
            if not take.exists():
                take.mkdir()
                return take
    except OSError as error:
        raise ConfigError(
            f"cannot record in '{folder}': {error.strerror}: choose another folder"
        ) from error
    raise ConfigError(
        f"cannot record in '{folder}': {_MOST_TAKES} takes are there: empty it"
    )
