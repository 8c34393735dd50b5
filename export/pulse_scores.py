"""How well announced beats meet the annotated ones.

Everything from the first onset of the soloist to the last counts, the time until
the pulse is found too. ``f``, ``cmlc``, ``cmlt``, ``amlc`` and ``amlt`` are
mir_eval's; our own are:

- ``in_phase``: share of the annotated beats with an announced one, and an interval
  to the beat before it, both right within 17.5 % of a beat;
- ``tempo4``: share of the annotated beats at which the tempo in force is within 4 %
  of the local one, the mean of eight beats around; ``tempo4_octave`` also accepts
  half, double, a third and three times that tempo;
- ``kept``: whether as many beats were announced as annotated, from the first that was
  in phase to the last: a beat that was left out or played twice puts all later bars
  wrong, which nothing above tells;
- ``phase_ms``: distance from an annotated beat to the nearest announced one;
- ``lock_s``: seconds from the first onset to the first of eight annotated beats in
  a row that are in phase; infinite if there are none;
- ``correction``: the largest change of one beat's length against the tempo in force,
  as a share of a beat.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import mir_eval
import numpy as np
from numpy.typing import NDArray

F_WINDOW_SECONDS = 0.07
PHASE_SHARE = 0.175
TEMPO_SHARE = 0.04
LOCAL_BEATS = 4
LOCK_BEATS = 8
OCTAVES = (1.0, 0.5, 2.0, 1 / 3, 3.0)
CONTINUITY = ("cmlc", "cmlt", "amlc", "amlt")

Seconds = NDArray[np.float64]


class Beat(NamedTuple):
    """An announced beat: when it sounds, and the seconds a beat lasts from there."""

    seconds: float
    period: float


class PulseScores(NamedTuple):
    """One song: its measures, and what is pooled over the beats of all songs."""

    measures: dict[str, float]
    phase_ms: Seconds
    lock_s: float
    correction: float


def score_beats(
    truth: Seconds, beats: Sequence[Beat], first: float, last: float
) -> PulseScores:
    """Judge the announced beats of one song.

    Parameters
    ----------
    truth : ndarray, shape=(n,), float64
        Annotated beats from the first onset to the last, in seconds; two at least.
    beats : sequence of Beat
        Announced ones, ascending; three at least, the first before the second
        annotated beat.
    first, last : float
        The first and the last onset, in seconds.
    """
    times = np.array([beat.seconds for beat in beats])
    periods = np.array([beat.period for beat in beats])
    margin = F_WINDOW_SECONDS
    heard = times[(times >= first - margin) & (times <= last + margin)]
    nearest = _nearest(times, truth)
    distance = np.abs(times[nearest] - truth)
    right = _in_phase(truth, times, nearest, distance)
    ratio = _period_in_force(times, periods, truth) / _local_period(truth)
    octaves = np.abs(ratio[:, None] * np.array(OCTAVES) - 1) <= TEMPO_SHARE
    return PulseScores(
        measures={
            "f": float(mir_eval.beat.f_measure(truth, heard, F_WINDOW_SECONDS)),
            **dict(zip(CONTINUITY, _continuity(truth, heard), strict=True)),
            "in_phase": float(right.mean()),
            "kept": float(_keeps_count(nearest, right)),
            "tempo4": float(octaves[:, 0].mean()),
            "tempo4_octave": float(octaves.any(axis=1).mean()),
        },
        phase_ms=1000 * distance,
        lock_s=_locked_at(truth, right) - first,
        correction=float(np.abs(np.diff(times) / periods[:-1] - 1).max()),
    )


def pool_scores(songs: Iterable[PulseScores]) -> dict[str, float]:
    """Pool songs: means over songs, percentiles over beats, the median lock."""
    scores = list(songs)
    means = {
        name: float(np.mean([song.measures[name] for song in scores]))
        for name in scores[0].measures
    }
    phase = np.concatenate([song.phase_ms for song in scores])
    return means | {
        "phase_ms_p50": float(np.percentile(phase, 50)),
        "phase_ms_p90": float(np.percentile(phase, 90)),
        # The upper of two middle ones: a mean with "never" would be no time.
        "lock_s": sorted(song.lock_s for song in scores)[len(scores) // 2],
        "locked": float(np.mean([np.isfinite(song.lock_s) for song in scores])),
        "correction": float(np.median([song.correction for song in scores])),
        "correction_max": max(song.correction for song in scores),
    }


def _continuity(truth: Seconds, heard: Seconds) -> tuple[float, ...]:
    """Ask mir_eval, which wants two beats at least on either side."""
    if min(len(truth), len(heard)) < 2:
        return (0.0,) * len(CONTINUITY)
    found = mir_eval.beat.continuity(truth, heard, PHASE_SHARE, PHASE_SHARE)
    return tuple(float(value) for value in found)


def _nearest(times: Seconds, at: Seconds) -> NDArray[np.intp]:
    """Return the index of the nearest time to each moment."""
    after = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    earlier = at - times[after - 1] <= times[after] - at
    return np.asarray(after - earlier)


def _in_phase(
    truth: Seconds, times: Seconds, nearest: NDArray[np.intp], distance: Seconds
) -> NDArray[np.bool_]:
    """Tell for each annotated beat whether an announced one is there, and in step."""
    period = np.diff(truth, prepend=2 * truth[0] - truth[1])
    before = np.maximum(nearest - 1, 0)
    interval = times[before + 1] - times[before]
    close = distance <= PHASE_SHARE * period
    return np.asarray(close & (np.abs(interval - period) <= PHASE_SHARE * period))


def _keeps_count(nearest: NDArray[np.intp], right: NDArray[np.bool_]) -> bool:
    met = np.flatnonzero(right)
    if not met.size:
        return False
    first, last = met[0], met[-1]
    return bool(nearest[last] - nearest[first] == last - first)


def _local_period(truth: Seconds) -> Seconds:
    """Return the mean length of the beats around each, eight if there are so many."""
    index = np.arange(len(truth))
    start = np.maximum(index - LOCAL_BEATS, 0)
    end = np.minimum(index + LOCAL_BEATS, len(truth) - 1)
    return np.asarray((truth[end] - truth[start]) / (end - start))


def _period_in_force(times: Seconds, periods: Seconds, at: Seconds) -> Seconds:
    # A beat counts from a quarter of itself earlier: it was announced before then.
    last = np.searchsorted(times - 0.25 * periods, at, side="right") - 1
    return np.asarray(periods[np.maximum(last, 0)])


def _locked_at(truth: Seconds, right: NDArray[np.bool_]) -> float:
    run = 0
    for index, is_right in enumerate(right):
        run = run + 1 if is_right else 0
        if run == LOCK_BEATS:
            return float(truth[index - LOCK_BEATS + 1])
    return float("inf")
