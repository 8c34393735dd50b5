"""Where in the beat, and how fast: a filter over phase and tempo.

The state is a distribution over a grid of tempi (rows, each 1.6 % slower than the
one before) and phases (columns, 0 is on the beat), in each of three regimes: a band
behind him keeps a soloist's tempo, one who plays alone lets it wander, a ritardando or
an accelerando changes it within a few beats, and nobody says which it is. Between two
onsets phases turn with each tempo, and blur; at an onset they are weighed by a small
network that looks at the onsets of the last eight beats, *laid out in the beats of a
tempo*: what is eighths at one tempo is quarters at another, so one network serves for
all. It looks at every second tempo; those between get the mean.

The network and the blur were learnt together, by making the filter sure of the
annotated beats (``export/train_pulse.py``). Times are seconds.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]

N_LAID, N_PHASES, N_REGIMES = 64, 32, 3
N_TEMPI = 2 * N_LAID - 1
SLOWEST_BPM, FASTEST_BPM = 45, 338
LOG_PERIOD_STEP = 0.016
LOG_PERIODS = np.log(60 / FASTEST_BPM) + LOG_PERIOD_STEP * np.arange(N_TEMPI)
PERIODS = np.exp(LOG_PERIODS)
# Every second one is looked at; see `lay_out`.
LAID_LOG_PERIODS, LAID_PERIODS = LOG_PERIODS[::2], PERIODS[::2]
PHASES = np.arange(N_PHASES) / N_PHASES

# The onsets before are laid out in twelfths of a beat, from the fifth beat back on
# in sixths; three rows: that there was one, its leap, its accent.
NEAR_BEATS, NEAR_BINS, FAR_BINS = 4, 12, 6
LAYOUT_BINS = 72
TRAITS = 3
REMEMBERED = 36
N_INPUTS = TRAITS * LAYOUT_BINS + 5

LONGEST_BLUR_BEATS = 8.0
BEND_ROWS = 2.5
"""Rows by which a tempo that changes within a few beats moves, standard deviation."""

_FLOOR = 1e-9
_TURNS = np.arange(N_PHASES // 2 + 1)
_TEMPO_INPUTS = np.stack([LAID_LOG_PERIODS**power for power in (1, 2, 3)], axis=1)


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
    regimes : ndarray, shape=(N_REGIMES,)
        Distribution of the regimes while nothing is known.
    tempo_blur : ndarray, shape=(N_REGIMES,)
        Log-odds of the tempo's change within a beat: by a row, in the last regime as
        `spread_tempi` says.
    tempering : ndarray, shape=(N_REGIMES,)
        Power to which an onset's evidence counts in each regime. Below 1 it takes
        more onsets to move a soloist's phase whose tempo hardly moves: who leans on
        the beat there does so for bars, and says the same again with every note.
    phase_blur, phase_blur_per_beat : float
        Standard deviation, in beats: at each onset, and for one beat.
    unrest : float
        Probability, at each onset, that the regime is drawn anew.
    surprise : float
        Probability, at each onset, that all was wrong.
    """

    inner: Grid
    inner_bias: Grid
    outer: Grid
    outer_bias: Grid
    tempo_prior: Grid
    regimes: Grid
    tempo_blur: Grid
    tempering: Grid
    phase_blur: float
    phase_blur_per_beat: float
    unrest: float
    surprise: float


class BeatFilter:
    """A distribution over tempo and phase, updated at each onset.

    Parameters
    ----------
    tables : PulseTables
        What was learnt.
    """

    def __init__(self, tables: PulseTables) -> None:
        self._tables = tables
        split = TRAITS * LAYOUT_BINS
        # Single precision: twice as fast.
        self._inner = tables.inner[:split].astype(np.float32)
        self._outer = tables.outer.astype(np.float32)
        self._outer_bias = tables.outer_bias.astype(np.float32)
        self._own = tables.inner[split : split + 2]
        self._bias = _TEMPO_INPUTS @ tables.inner[split + 2 :] + tables.inner_bias
        self._regimes = tables.regimes[:, None, None]
        self._tempo_odds = np.exp(tables.tempo_blur)[:, None]
        self._tempering = tables.tempering[:, None, None]
        self._unsure = np.outer(tables.tempo_prior, np.full(N_PHASES, 1 / N_PHASES))
        self.reset(self._unsure)

    def reset(self, belief: Grid) -> None:
        """Start anew from a belief about tempo, and the phase of the next onset."""
        self._joint = self._regimes * belief
        self._past: deque[tuple[float, float, float]] = deque(maxlen=REMEMBERED)
        self._last: float | None = None

    @property
    def belief(self) -> Grid:
        """What is believed, whatever the regime: shape (N_TEMPI, N_PHASES).

        Sums to 1. The phase is that of the last onset.
        """
        return np.asarray(self._joint.sum(axis=0))

    def unsure(self) -> Grid:
        """Return the belief of one who knows nothing."""
        return self._unsure

    def elapse(self, seconds: float) -> None:
        """Let time pass without an onset: every tempo turns its phases."""
        beats = seconds / PERIODS
        blurred = np.minimum(beats, LONGEST_BLUR_BEATS)
        change = self._tempo_odds * (blurred + 1e-4)
        moved = (change / (1 + change))[..., None] * self._joint
        third = 0.33 * moved[:-1]
        joint = self._joint.copy()
        joint[:-1] -= 2 * third
        joint[:-1, :-1] += third[:, 1:]
        joint[:-1, 1:] += third[:, :-1]
        joint[:-1, -1] += third[:, -1]
        joint[:-1, 0] += third[:, 0]
        joint[-1] += _SPREAD @ moved[-1] - moved[-1]
        tables = self._tables
        variance = tables.phase_blur**2 + tables.phase_blur_per_beat**2 * blurred
        # Powers of one turn; multiplied up, which is cheaper than raised.
        spin = np.ones((N_TEMPI, N_PHASES // 2 + 1), np.complex128)
        spin[:, 1:] = np.exp(-2j * np.pi * beats)[:, None]
        damp = np.exp(np.outer(variance, -0.5 * (2 * np.pi * _TURNS) ** 2))
        spectrum = np.fft.rfft(joint) * (np.cumprod(spin, axis=1) * damp)
        joint = np.maximum(np.fft.irfft(spectrum, n=N_PHASES), _FLOOR)
        new = tables.unrest * joint.sum(axis=0)
        new += tables.surprise * (self._unsure - new)
        joint *= (1 - tables.unrest) * (1 - tables.surprise)
        joint += self._regimes * new
        self._joint = joint

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
        joint = self._joint * near[:, None]
        self._joint = joint / joint.sum()

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
        odds = evidence - evidence.max()
        # Less what was expected of it, or the regime that listens least would win.
        odds -= np.log((self.belief * np.exp(odds)).sum())
        joint = self._joint * np.exp(self._tempering * odds)
        self._joint = joint / joint.sum()
        self._past.appendleft((seconds, leap, accent))
        self._last = seconds

    def _weigh(self, seconds: float, leap: float, accent: float) -> NDArray[np.float32]:
        """Say how well each tempo and phase explains this onset and those before."""
        hidden = self._bias + leap * self._own[0] + accent * self._own[1]
        if self._past:
            past = np.array([self._past])
            (laid,) = lay_out(seconds - past[..., 0], past[..., 1:])
            hidden += laid.reshape(N_LAID, -1) @ self._inner
        hidden = np.maximum(hidden, 0).astype(np.float32)
        evidence = np.empty((N_TEMPI, N_PHASES), np.float32)
        evidence[::2] = hidden @ self._outer + self._outer_bias
        evidence[1::2] = 0.5 * (evidence[:-1:2] + evidence[2::2])
        return evidence


def spread_tempi() -> Grid:
    """Give where a tempo goes that changes within a few beats.

    Returns
    -------
    ndarray, shape=(N_TEMPI, N_TEMPI)
        A bell of `BEND_ROWS` around each tempo, in columns that sum to 1.
    """
    rows = np.arange(N_TEMPI)
    distance = np.subtract.outer(rows, rows) / BEND_ROWS
    bells = np.exp(-0.5 * distance**2)
    return np.asarray(bells / bells.sum(axis=0))


_SPREAD = spread_tempi()


def lay_out(
    ago: NDArray[np.float64], traits: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Place onsets, for every second tempo, by how many beats ago they were.

    An onset between two bins is shared out to both.

    Parameters
    ----------
    ago : ndarray, shape=(rows, onsets)
        Seconds; 0 where there is none.
    traits : ndarray, shape=(rows, onsets, TRAITS - 1)
        Leap and accent of each.

    Returns
    -------
    ndarray, shape=(rows, N_LAID, TRAITS, LAYOUT_BINS), float32
        That there was one, its leap, its accent.
    """
    beats = ago[:, None] / LAID_PERIODS[:, None]
    place = np.minimum(
        NEAR_BINS * beats, NEAR_BEATS * (NEAR_BINS - FAR_BINS) + FAR_BINS * beats
    )
    # What is out of sight goes to a bin beyond the last, which is cut off.
    place = np.where((place < LAYOUT_BINS - 1) & (beats > 0), place, LAYOUT_BINS)
    slot = place.astype(np.intp)
    share = place - slot
    grid = (len(ago), N_LAID, LAYOUT_BINS + 2)
    slot += np.arange(0, math.prod(grid), grid[-1]).reshape(len(ago), N_LAID, 1)
    slots = np.concatenate([slot, slot + 1]).ravel()
    shares = np.concatenate([1 - share, share])
    weighted = [shares]
    weighted += [
        shares * np.concatenate([trait, trait])[:, None]
        for trait in np.moveaxis(traits, -1, 0)
    ]
    laid = np.empty((len(ago), N_LAID, TRAITS, LAYOUT_BINS), np.float32)
    for row, each in enumerate(weighted):
        summed = np.bincount(slots, each.ravel(), math.prod(grid))
        laid[:, :, row] = summed.reshape(grid)[..., :-2]
    return laid
