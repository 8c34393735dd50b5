"""Where in the beat, and how fast: a filter over phase and tempo.

The state is a distribution over a grid of tempi (rows, each 3.2 % slower than the
one before) and phases (columns, 0 is on the beat). Between two onsets it turns
with each tempo, and blurs; at an onset it is weighed by a small network that looks
at the onsets of the last eight beats, *laid out in the beats of each tempo*: what
is eighths at one tempo is quarters at another, so one network serves for all.

The network and the blur were learnt together, by making the filter sure of the
annotated beats (``export/train_pulse.py``). Times are seconds.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]

N_TEMPI, N_PHASES = 64, 32
SLOWEST_BPM, FASTEST_BPM = 45, 338
LOG_PERIOD_STEP = 0.032
LOG_PERIODS = np.log(60 / FASTEST_BPM) + LOG_PERIOD_STEP * np.arange(N_TEMPI)
PERIODS = np.exp(LOG_PERIODS)
PHASES = np.arange(N_PHASES) / N_PHASES

# The onsets before are laid out in twelfths of a beat, from the fifth beat back on
# in sixths; three rows: that there was one, its leap, its accent.
NEAR_BEATS, NEAR_BINS, FAR_BINS = 4, 12, 6
LAYOUT_BINS = 72
TRAITS = 3
REMEMBERED = 36
N_INPUTS = TRAITS * LAYOUT_BINS + 5

LONGEST_BLUR_BEATS = 8.0
_FLOOR = 1e-9
_TURNS = np.arange(N_PHASES // 2 + 1)
_TEMPO_INPUTS = np.stack([LOG_PERIODS**power for power in (1, 2, 3)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class PulseTables:
    """What was learnt: the network, and how fast certainty is lost.

    Attributes
    ----------
    inner : ndarray, shape=(N_INPUTS, n_hidden)
    inner_bias : ndarray, shape=(n_hidden,)
    outer : ndarray, shape=(n_hidden, N_PHASES)
    outer_bias : ndarray, shape=(N_PHASES,)
    tempo_prior : ndarray, shape=(N_TEMPI,)
        Distribution of tempi while nothing is known.
    tempo_blur : float
        Log-odds of the tempo's change by one row within a beat.
    phase_blur, phase_blur_per_beat : float
        Standard deviation, in beats: at each onset, and for one beat.
    surprise : float
        Probability, at each onset, that all was wrong.
    """

    inner: Grid
    inner_bias: Grid
    outer: Grid
    outer_bias: Grid
    tempo_prior: Grid
    tempo_blur: float
    phase_blur: float
    phase_blur_per_beat: float
    surprise: float


class BeatFilter:
    """A distribution over tempo and phase, updated at each onset.

    Parameters
    ----------
    tables : PulseTables
        What was learnt.

    Attributes
    ----------
    belief : ndarray, shape=(N_TEMPI, N_PHASES), float64
        Sums to 1. The phase is that of the last onset.
    """

    def __init__(self, tables: PulseTables) -> None:
        self._tables = tables
        split = TRAITS * LAYOUT_BINS
        self._inner = tables.inner[:split]
        self._own = tables.inner[split : split + 2]
        self._bias = _TEMPO_INPUTS @ tables.inner[split + 2 :] + tables.inner_bias
        self._unsure = np.outer(tables.tempo_prior, np.full(N_PHASES, 1 / N_PHASES))
        self.reset(self._unsure)

    def reset(self, belief: Grid) -> None:
        """Start anew from a belief about tempo, and the phase of the next onset."""
        self.belief = belief
        self._past: deque[tuple[float, float, float]] = deque(maxlen=REMEMBERED)
        self._last: float | None = None

    def unsure(self) -> Grid:
        """Return the belief of one who knows nothing."""
        return self._unsure

    def elapse(self, seconds: float) -> None:
        """Let time pass without an onset: every tempo turns its phases."""
        beats = seconds / PERIODS
        blurred = np.minimum(beats, LONGEST_BLUR_BEATS)
        change = np.exp(self._tables.tempo_blur) * (blurred + 1e-4)
        moved = (0.33 * change / (1 + change))[:, None] * self.belief
        belief = self.belief - 2 * moved
        belief[:-1] += moved[1:]
        belief[1:] += moved[:-1]
        belief[-1] += moved[-1]
        belief[0] += moved[0]
        tables = self._tables
        variance = tables.phase_blur**2 + tables.phase_blur_per_beat**2 * blurred
        spin = -2j * np.pi * np.outer(beats % 1.0, _TURNS)
        damp = -0.5 * np.outer(variance, (2 * np.pi * _TURNS) ** 2)
        spectrum = np.fft.rfft(belief, axis=1) * np.exp(spin + damp)
        belief = np.maximum(np.fft.irfft(spectrum, n=N_PHASES, axis=1), _FLOOR)
        self.belief = (1 - tables.surprise) * belief + tables.surprise * self._unsure

    def keep_near(self, log_period: float, reach: float) -> None:
        """Rule out every tempo that is further away.

        Parameters
        ----------
        log_period : float
            Logarithm of seconds a beat; outside of the grid, its end counts.
        reach : float
            How far a tempo may be, as a logarithm too.
        """
        centre = np.clip(log_period, LOG_PERIODS[0], LOG_PERIODS[-1])
        near = np.abs(LOG_PERIODS - centre) <= reach
        belief = self.belief * near[:, None]
        self.belief = belief / belief.sum()

    def hear(self, seconds: float, leap: float, accent: float) -> None:
        """Take in an onset.

        Parameters
        ----------
        seconds : float
            When; later than the onset before.
        leap : float
            Interval from the note before, in octaves, at most 1.
        accent : float
            Velocity above the usual one, as a share of it, -1 to 1.
        """
        if self._last is not None:
            self.elapse(seconds - self._last)
        evidence = self._weigh(seconds, leap, accent)
        belief = self.belief * np.exp(evidence - evidence.max())
        self.belief = belief / belief.sum()
        self._past.appendleft((seconds, leap, accent))
        self._last = seconds

    def _weigh(self, seconds: float, leap: float, accent: float) -> Grid:
        """Say how well each tempo and phase explains this onset and those before."""
        hidden = self._bias + leap * self._own[0] + accent * self._own[1]
        if self._past:
            past = np.array([self._past])
            (laid,) = lay_out(seconds - past[..., 0], past[..., 1:])
            hidden += laid.reshape(N_TEMPI, -1) @ self._inner
        hidden = np.maximum(hidden, 0)
        return np.asarray(hidden @ self._tables.outer + self._tables.outer_bias)


def lay_out(ago: NDArray[np.float64], traits: NDArray[np.float64]) -> Grid:
    """Place onsets, for each tempo, by how many beats ago they were.

    An onset between two bins is shared out to both.

    Parameters
    ----------
    ago : ndarray, shape=(rows, onsets)
        Seconds; 0 where there is none.
    traits : ndarray, shape=(rows, onsets, TRAITS - 1)
        Leap and accent of each.

    Returns
    -------
    ndarray, shape=(rows, N_TEMPI, TRAITS, LAYOUT_BINS), float64
        That there was one, its leap, its accent.
    """
    beats = ago[:, None] / PERIODS[:, None]
    far = NEAR_BEATS * NEAR_BINS + FAR_BINS * (beats - NEAR_BEATS)
    place = np.where(beats < NEAR_BEATS, NEAR_BINS * beats, far)
    row, tempo, onset = np.nonzero((place < LAYOUT_BINS - 1) & (beats > 0))
    place = place[row, tempo, onset]
    slot = place.astype(np.intp)
    share = place - slot
    slot += LAYOUT_BINS * (N_TEMPI * row + tempo)
    slots = np.concatenate([slot, slot + 1])
    shares = np.concatenate([1 - share, share])
    weighted = [shares]
    weighted += [shares * np.tile(trait, 2) for trait in traits[row, onset].T]
    size = len(ago) * N_TEMPI * LAYOUT_BINS
    laid = [np.bincount(slots, weights, size) for weights in weighted]
    grid = (len(ago), N_TEMPI, LAYOUT_BINS)
    return np.stack([each.reshape(grid) for each in laid], axis=2)
