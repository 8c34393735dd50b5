"""jackcomp's chord chart, read back: which chords sound in which bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jackcomp.timeline.meter import Meter, step_start

NO_CHORD = "N"


@dataclass(frozen=True, slots=True)
class Change:
    """From ``tick`` on a chord sounds: Harte label, and the key that was heard."""

    tick: int
    seconds: float
    chord: str
    key: str


def read_chart(text: str, meter: Meter) -> list[Change]:
    """Read the lines of a chart that are whole; the last may still be written."""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [_change(line, meter) for line in lines if not line.startswith("#")]


def _change(line: str, meter: Meter) -> Change:
    position, seconds, chord, key = line.split("\t")
    bar, beat = position.split(":")
    in_bar = round((float(beat) - 1) * meter.beat_ticks)
    tick = (int(bar) - 1) * meter.bar_ticks + in_bar
    return Change(tick, float(seconds), chord, key)


def bar_chords(changes: Sequence[Change], meter: Meter, bar: int) -> str:
    """Name the chords of a bar, from 0: for each step what sounds longest in it."""
    first = bar * len(meter.groups)
    lines = [step_start(meter, first + i) for i in range(len(meter.groups) + 1)]
    names = [_longest(changes, start, end) for start, end in pairwise(lines)]
    distinct = [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
    return " ".join(distinct)


def _longest(changes: Sequence[Change], start: int, end: int) -> str:
    sounding = {NO_CHORD: 0}
    cuts = [*(max(change.tick, start) for change in changes), end]
    for change, (begin, stop) in zip(changes, pairwise(cuts), strict=True):
        length = max(min(stop, end) - begin, 0)
        sounding[change.chord] = sounding.get(change.chord, 0) + length
    return max(sounding, key=sounding.__getitem__)
