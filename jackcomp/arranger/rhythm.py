"""The hits of a pattern, laid over one grid step: strokes in ticks.

Patterns are written in eighths and counts from the start of a step and cut at
its end, so that one pattern serves every meter. A count is a quarter with two
eighths, or the dotted quarter of compound meters with three.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from jackcomp.arranger.pattern import Hit, Tone
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter


@dataclass(frozen=True, slots=True)
class Stroke:
    """A hit at its place: ticks from the start of the step, both above or at 0."""

    start: int
    end: int
    tone: Tone
    velocity: int


class Counting:
    """Where counts and eighths lie, in ticks from the start of a step.

    Parameters
    ----------
    meter : Meter
        Says how long a count is, and whether it has two eighths or three.
    swing : bool
        Of two eighths the second comes late, on the last third of the count.
    """

    def __init__(self, meter: Meter, swing: bool = False) -> None:
        compound = meter.pulse_ticks == 3 * meter.beat_ticks
        self.count_ticks = meter.pulse_ticks if compound else TICKS_PER_QUARTER
        third = self.count_ticks // 3
        late = 2 * third if swing else self.count_ticks // 2
        self._eighths = (0, third, 2 * third) if compound else (0, late)

    def tick(self, eighths: float) -> int:
        """Return the tick of a position; between two eighths on a straight line."""
        whole = int(eighths)
        here, following = self._tick(whole), self._tick(whole + 1)
        return here + round((eighths - whole) * (following - here))

    def positions(self, hit: Hit) -> Iterator[int]:
        """Yield the positions of a hit in eighths; without an end if it repeats."""
        strides = {"eighth": 1, "count": len(self._eighths)}
        position = hit.at
        yield position
        while hit.every in strides:
            position += strides[hit.every]
            yield position

    def _tick(self, eighth: int) -> int:
        count, place = divmod(eighth, len(self._eighths))
        return count * self.count_ticks + self._eighths[place]


def lay_strokes(
    hits: Sequence[Hit], counting: Counting, step_ticks: int
) -> tuple[Stroke, ...]:
    """Lay the hits of a part over one whole grid step.

    Parameters
    ----------
    hits : sequence of Hit
        What the part plays, at least one hit.
    counting : Counting
        The counts and eighths of the meter.
    step_ticks : int
        Length of the step.

    Returns
    -------
    tuple of Stroke
        By start; at least one, all within the step. In a step too short for any
        of the hits, the first one falls on the line.
    """
    placed = [
        (position, hit.tones[turn % len(hit.tones)], hit)
        for hit in hits
        for turn, position in enumerate(
            takewhile(
                lambda position: counting.tick(position) < step_ticks,
                counting.positions(hit),
            )
        )
    ] or [(0, hits[0].tones[0], hits[0])]
    placed.sort(key=lambda place: place[0])
    starts = [counting.tick(position) for position, _, _ in placed]
    strokes = []
    for start, (position, tone, hit) in zip(starts, placed, strict=True):
        if isinstance(hit.length, float):
            end = counting.tick(position + hit.length)
        elif hit.length == "next":
            end = next((other for other in starts if other > start), step_ticks)
        else:
            end = step_ticks
        strokes.append(Stroke(start, min(end, step_ticks), tone, hit.velocity))
    return tuple(strokes)
