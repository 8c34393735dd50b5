"""Write the bundled solo: ``python -m demo.write_solo``.

Auld Lang Syne (see ``jackcomp/assets``), verse and refrain, in B flat. Beside the
notes stands what a player adds to them: how loud a bar is, and how many milliseconds
he comes before its line. All of it is fixed, so the file is always the same. Tick 0
is the line of the bar that the upbeat, a quarter, ends.
"""

from dataclasses import dataclass
from pathlib import Path

import mido

from jackcomp.timeline.meter import TICKS_PER_QUARTER

SOLO = Path(__file__).parents[1] / "jackcomp" / "assets" / "auld_lang_syne.mid"
TITLE = "Auld Lang Syne"
QUARTER_US = 750_000  # 80 quarters a minute
EIGHTH_TICKS = TICKS_PER_QUARTER // 2
EIGHTHS_IN_BAR = 8

SWAY_MS = (0, 5, -4, 7, 0, -6, 4)
"""How far off the beat the notes inside a bar are, over and over."""

LEGATO, BREATH = 0.96, 0.85
"""How much of its length a note sounds: before another note, and before a rest."""

_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the melody.

    ``notes`` are names with octave and length in eighths, ``-`` is a rest;
    ``velocity`` is that at the line, and it moves on to that of the next bar;
    ``early_ms`` is how long before the line the first note comes.
    """

    notes: str
    velocity: int
    early_ms: int = 0


BARS = (
    Bar("-:6 F4:2", 68),
    Bar("Bb4:3 Bb4:1 Bb4:2 D5:2", 72),
    Bar("C5:3 Bb4:1 C5:2 D5:2", 70, 47),
    Bar("Bb4:3 Bb4:1 D5:2 F5:2", 74, 10),
    Bar("G5:6 G5:2", 84, 46),
    Bar("F5:3 D5:1 D5:2 Bb4:2", 78, 33),
    Bar("C5:3 Bb4:1 C5:2 D5:1 C5:1", 72, 47),
    Bar("Bb4:3 G4:1 G4:2 F4:2", 68, 6),
    Bar("Bb4:6 G5:2", 70, 20),
    Bar("F5:3 D5:1 D5:2 Bb4:2", 92, 58),
    Bar("C5:3 Bb4:1 C5:2 G5:2", 86, 47),
    Bar("F5:3 D5:1 D5:2 F5:2", 94, 47),
    Bar("G5:6 G5:2", 104, 46),
    Bar("F5:3 D5:1 D5:2 Bb4:2", 94, 52),
    Bar("C5:3 Bb4:1 C5:2 D5:1 C5:1", 84, 47),
    Bar("Bb4:3 G4:1 G4:2 F4:2", 74, 1),
    Bar("Bb4:8", 66),
)


def main() -> None:
    """Write the file."""
    build_solo().save(SOLO)


def build_solo(bars: int = len(BARS), quarter_us: int = QUARTER_US) -> mido.MidiFile:
    """Make the MIDI file of the upbeat and the next bars, ``bars`` in all."""
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=TITLE),
            mido.MetaMessage("time_signature", numerator=4, denominator=4),
            mido.MetaMessage("key_signature", key="Bb"),
            mido.MetaMessage("set_tempo", tempo=quarter_us),
        ]
    )
    last = 0
    for tick, message in _messages(bars, quarter_us):
        track.append(message.copy(time=tick - last))
        last = tick
    track.append(mido.MetaMessage("end_of_track"))
    return mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_QUARTER, tracks=[track])


def _messages(bars: int, quarter_us: int) -> list[tuple[int, mido.Message]]:
    """Play the bars: note-ons and note-offs by tick, what ends before what begins."""
    messages: list[tuple[int, mido.Message]] = []
    written = _written(bars)
    starts = [_tick(row[0], number, quarter_us) for number, row in enumerate(written)]
    starts.append(bars * EIGHTHS_IN_BAR * EIGHTH_TICKS)
    for number, (position, eighths, name) in enumerate(written):
        if name == "-":
            continue
        start = starts[number]
        before_rest = number + 1 == len(written) or written[number + 1][2] == "-"
        sounding = BREATH if before_rest else LEGATO
        # One voice: a note ends where the next one comes early.
        end = start + round(eighths * EIGHTH_TICKS * sounding)
        end = min(end, starts[number + 1])
        note, velocity = _midi_note(name), _velocity(position)
        messages += [
            (start, mido.Message("note_on", note=note, velocity=velocity)),
            (end, mido.Message("note_off", note=note, velocity=64)),
        ]
    return sorted(messages, key=lambda item: (item[0], item[1].type == "note_on"))


def _written(bars: int) -> list[tuple[int, int, str]]:
    """Return position and length in eighths, and the name, of each note and rest."""
    written = []
    for number, bar in enumerate(BARS[:bars]):
        position = number * EIGHTHS_IN_BAR
        for item in bar.notes.split():
            name, eighths = item.split(":")
            written.append((position, int(eighths), name))
            position += int(eighths)
    return written


def _tick(position: int, number: int, quarter_us: int) -> int:
    """Return when a note is struck, a little off what is written."""
    bar, eighth = divmod(position, EIGHTHS_IN_BAR)
    off_ms = -BARS[bar].early_ms if eighth == 0 else SWAY_MS[number % len(SWAY_MS)]
    # The first note sets the clock, so it stands where it is written.
    off_ms = off_ms if bar else 0
    off_ticks = round(off_ms * TICKS_PER_QUARTER * 1000 / quarter_us)
    return position * EIGHTH_TICKS + off_ticks


def _midi_note(name: str) -> int:
    octave = int(name[-1])
    return 12 * (octave + 1) + _PITCH_CLASSES[name[0]] - ("b" in name)


def _velocity(position: int) -> int:
    """Move from the loudness of a bar to that of the next; beats 1 and 3 lead."""
    bar, eighth = divmod(position, EIGHTHS_IN_BAR)
    now = BARS[bar].velocity
    after = BARS[min(bar + 1, len(BARS) - 1)].velocity
    accent = {0: 6, 4: 3}.get(eighth, 0)
    return now + (after - now) * eighth // EIGHTHS_IN_BAR + accent


if __name__ == "__main__":
    main()
