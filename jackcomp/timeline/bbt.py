"""Bar, beat and tick as JACK's transport and DAWs count them: bars and beats from 1.

A beat is the meter's denominator note. Twin of ``engine/core/bbt.c``.
"""

from dataclasses import dataclass

from jackcomp.timeline.clock import ONE_TICK
from jackcomp.timeline.meter import Meter, bar_beat


@dataclass(frozen=True, slots=True)
class Bbt:
    """A position in a meter.

    Attributes
    ----------
    bar, beat : int
        From 1.
    tick : int
        Of the beat, from 0, below ``meter.beat_ticks``.
    """

    bar: int
    beat: int
    tick: int


def tick_to_bbt(meter: Meter, tick: int) -> Bbt:
    """Say where a tick lies; one before the first bar lies at its beginning."""
    bar, beat, rest = bar_beat(meter, max(tick, 0))
    return Bbt(bar + 1, beat + 1, rest)


def bbt_to_tick_fp(
    meter: Meter, bar: int, beat: int, tick: float, ticks_per_beat: float
) -> int:
    """Return the exact tick of what another program counts, times `ONE_TICK`.

    Parameters
    ----------
    meter : Meter
        Ours: its bars and beats are counted.
    bar, beat : int
        From 1.
    tick, ticks_per_beat : float
        In the other program's own ticks; the latter is positive.
    """
    whole = (bar - 1) * meter.bar_ticks + (beat - 1) * meter.beat_ticks
    part = tick / ticks_per_beat * meter.beat_ticks * ONE_TICK
    return whole * ONE_TICK + round(part)
