"""Simple ways to find the beat, to compare the pulse with.

Each is given the onsets in order and what the `Start` says, and announces beats;
like the system, it settles each beat `FREEZE_SECONDS` before it sounds, from what
it has heard by then.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.pulse_scores import Beat
from jackcomp.pacing import FREEZE_SECONDS

MEAN_INTERVALS = 6
COMB_SECONDS = 8.0
COMB_BEATS = 4
COMB_WIDTH = 0.08
COMB_FADE_SECONDS = 4.0
COMB_TEMPI = np.exp(np.linspace(np.log(0.83), np.log(1.2), 38))

Seconds = NDArray[np.float64]


class Start(NamedTuple):
    """What is known before the first onset: seconds a beat, and a beat's time."""

    period: float | None = None
    beat: float | None = None


class _Clock:
    """Beats one period apart, until it is told otherwise; none is skipped."""

    def __init__(self, beat: float, period: float) -> None:
        self.next, self.period = beat, period
        self.beats: list[Beat] = []

    def announce(self, now: float) -> None:
        """Settle the beats that may not change any more."""
        while self.next - FREEZE_SECONDS <= now:
            self.beats.append(Beat(self.next, self.period))
            self.next += self.period

    def follow(self, now: float, beat: float, period: float) -> None:
        """Go on as a train of beats would: the one nearest to what was planned."""
        last = self.beats[-1].seconds if self.beats else now - period
        self.period = period
        wanted = beat + round((last + period - beat) / period) * period
        self.next = max(wanted, last + period / 2, now + FREEZE_SECONDS)


def hold_tempo(onsets: Seconds, start: Start) -> list[Beat]:
    """Play the tempo that was set, from the first onset on."""
    assert start.period is not None
    beat = onsets[0] if start.beat is None else start.beat
    clock = _Clock(float(beat), start.period)
    clock.announce(onsets[-1] + start.period)
    return clock.beats


def mean_intervals(onsets: Seconds, start: Start) -> list[Beat]:
    """Take the mean of the last intervals between onsets for a beat."""
    clock = _Clock(float(onsets[0]), start.period or 0.5)
    for index, onset in enumerate(onsets.tolist()):
        clock.announce(onset)
        recent = onsets[max(index - MEAN_INTERVALS, 0) : index + 1]
        if len(recent) > 1:
            period = float(recent[-1] - recent[0]) / (len(recent) - 1)
            clock.follow(onset, onset, max(period, FREEZE_SECONDS))
    clock.announce(onsets[-1] + clock.period)
    return clock.beats


def comb(onsets: Seconds, start: Start) -> list[Beat]:
    """Autocorrelate the last seconds, near the tempo that was set."""
    assert start.period is not None
    clock = _Clock(float(onsets[0]), start.period)
    periods = start.period * COMB_TEMPI
    favour = -0.5 * (np.log(COMB_TEMPI) / 0.1) ** 2
    for index, onset in enumerate(onsets.tolist()):
        clock.announce(onset)
        first = int(np.searchsorted(onsets, onset - COMB_SECONDS))
        recent = onsets[first : index + 1]
        if len(recent) < 3:
            continue
        gaps = (recent[:, None] - recent)[np.tril_indices(len(recent), -1)]
        period = float(periods[np.argmax(_teeth(gaps, periods) + favour)])
        clock.follow(onset, onset - _phase(onset - recent, period), period)
    clock.announce(onsets[-1] + clock.period)
    return clock.beats


def _teeth(gaps: Seconds, periods: Seconds) -> Seconds:
    """Return the log of how many gaps are whole beats, for each period."""
    beats = gaps[:, None] / periods
    whole = np.round(beats)
    hit = np.exp(-0.5 * ((beats - whole) / COMB_WIDTH) ** 2)
    counted = (whole >= 1) & (whole <= COMB_BEATS)
    return np.asarray(np.log((hit * counted).sum(axis=0) + 1))


def _phase(ago: Seconds, period: float) -> float:
    """Return how long ago the last beat was, by the onsets that agree with it."""
    weights = np.exp(-ago / COMB_FADE_SECONDS)
    grid = np.arange(48) / 48
    turns = grid[:, None] - ago / period
    apart = turns - np.round(turns)
    agreement = (weights * np.exp(-0.5 * (apart / COMB_WIDTH) ** 2)).sum(axis=1)
    return float(grid[np.argmax(agreement)] * period)


def announce_train(beat: float, period: float, onsets: Sequence[float]) -> list[Beat]:
    """Return a steady train of beats over a song."""
    clock = _Clock(beat, period)
    clock.announce(onsets[-1] + period)
    return clock.beats
