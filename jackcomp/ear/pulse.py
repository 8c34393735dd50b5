"""The pulse: tempo and phase from the soloist's onsets.

`PulseTracker` holds what the filter believes (`ear.beat_filter`) together with one
window on it, which follows the heaviest mass nearby and moves elsewhere only when
there is clearly more: a drummer does not change his mind at every note. The share
of the belief inside the window is the confidence. Times are seconds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.ear.beat_filter import (
    LOG_PERIOD_STEP,
    LOG_PERIODS,
    N_PHASES,
    N_TEMPI,
    PERIODS,
    PHASES,
    BeatFilter,
    Grid,
    PulseTables,
)

TOGETHER_SECONDS = 0.03
"""Notes that begin within this time of each other are one onset: a chord."""

GIVEN_TEMPO_DEVIATION = 0.06
"""How far a player is from the tempo that he has set: log, standard deviation."""

COUNTED_TEMPO_DEVIATION = 0.025
COUNTED_PHASE_SECONDS = 0.02
"""How far he is from a count-in."""

SAME_TEMPO = 0.8
"""How likely a song goes at the tempo of the one before."""

TOLD_REACH = 0.35
"""How far the tempo may be, as a logarithm, from what it was a note ago, once it was
told: a player who has said how he counts does not mean half or double."""

SHORTEST_PERIOD, LONGEST_PERIOD = float(PERIODS[0]), float(PERIODS[-1])
"""Seconds a beat: what can be followed."""

WINDOW_ROWS, WINDOW_COLUMNS = 4, 5
CLEARLY_MORE = 1.05
USUAL_VELOCITY_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is believed of the pulse.

    Attributes
    ----------
    beat : float
        Seconds; the last beat at or before the onset that told.
    period : float
        Seconds a beat.
    confidence : float
        How much of the belief agrees, 0 to 1.
    """

    beat: float
    period: float
    confidence: float


class OnsetTraits:
    """What is told of each onset besides its time."""

    def __init__(self) -> None:
        self._note: int | None = None
        self._usual_velocity = 0.0

    def take(self, note: int, velocity: int) -> tuple[float, float]:
        """Return the leap into a note, in octaves up to 1, and its accent.

        The accent is how far the velocity is above the usual one, as a share of it,
        from -1 to 1.
        """
        if self._note is None:
            self._note, self._usual_velocity = note, float(velocity)
        leap = min(abs(note - self._note) / 12, 1.0)
        accent = min(max(velocity / self._usual_velocity - 1, -1.0), 1.0)
        self._note = note
        self._usual_velocity += USUAL_VELOCITY_RATE * (velocity - self._usual_velocity)
        return leap, accent


class PulseTracker:
    """Follows one soloist.

    Parameters
    ----------
    tables : PulseTables
        As `jackcomp.ear.pulse_tables.load_pulse_tables` gives them.
    """

    def __init__(self, tables: PulseTables) -> None:
        self._filter = BeatFilter(tables)
        self.reset()

    def reset(
        self,
        period: float | None = None,
        beat: float | None = None,
        *,
        counted: bool = True,
        told: bool = True,
    ) -> None:
        """Start anew.

        Parameters
        ----------
        period : float, optional
            Seconds a beat, if the player has set a tempo.
        beat : float, optional
            Seconds; a beat before the first onset, or at it.
        counted : bool
            Whether the tempo was counted in or tapped; otherwise only set.
        told : bool
            Whether he has set it for what he plays now. Otherwise it is that of the
            song before, and this one may have another.

        Raises
        ------
        ValueError
            If the period is not from `SHORTEST_PERIOD` to `LONGEST_PERIOD`.
        """
        if period is not None and not SHORTEST_PERIOD <= period <= LONGEST_PERIOD:
            raise ValueError(
                f"a beat of {period} s: expected {SHORTEST_PERIOD:.3f} to "
                f"{LONGEST_PERIOD:.3f}"
            )
        self._period, self._beat, self._counted = period, beat, counted
        self._told = period is not None and told
        self._last: float | None = None
        self._traits = OnsetTraits()
        self._row, self._column = 0.0, 0.0
        self.pulse: Pulse | None = None

    def hear(self, seconds: float, note: int, velocity: int) -> Pulse | None:
        """Take in a note; give the new belief, or None if it told nothing new.

        Parameters
        ----------
        seconds : float
            When it began; not before an earlier one.
        note, velocity : int
            MIDI numbers.
        """
        if self._last is not None and seconds - self._last <= TOGETHER_SECONDS:
            return None
        if self._last is None:
            self._begin(seconds)
        self._filter.hear(seconds, *self._traits.take(note, velocity))
        self._follow(seconds)
        self._last = seconds
        self.pulse = self._look(seconds)
        return self.pulse

    def _begin(self, seconds: float) -> None:
        belief = self._filter.unsure()
        if self._period is not None:
            counted = self._beat is not None and self._counted
            deviation = COUNTED_TEMPO_DEVIATION if counted else GIVEN_TEMPO_DEVIATION
            tempo = _bell(LOG_PERIODS - math.log(self._period), deviation)
            if not self._told:
                any_tempo = belief.sum(axis=1)
                tempo = SAME_TEMPO * tempo + (1 - SAME_TEMPO) * any_tempo
            phases = np.full(N_PHASES, 1 / N_PHASES)
            if self._beat is not None:
                phase = (seconds - self._beat) / self._period
                deviation = COUNTED_PHASE_SECONDS / self._period + 0.02
                phases = _bell(_turned(PHASES - phase), deviation)
            belief = np.outer(tempo, phases)
        self._filter.reset(belief)

    def _follow(self, seconds: float) -> None:
        """Move the window with its beat, then to where the mass is."""
        if self._period is not None and self._told:
            told = math.log(self._period)
            before = told if self._last is None else self._log_period
            self._filter.keep_near(before, TOLD_REACH)
        belief = self._filter.belief
        mass = _window_mass(belief)
        best = np.unravel_index(np.argmax(mass), mass.shape)
        if self._last is not None:
            turned = (seconds - self._last) / math.exp(self._log_period)
            self._column = (self._column + turned * N_PHASES) % N_PHASES
            here = mass[round(self._row), round(self._column) % N_PHASES]
        if self._last is None or mass[best] > CLEARLY_MORE * here:
            self._row, self._column = float(best[0]), float(best[1])
        for _ in range(2):
            self._centre(belief)

    def _centre(self, belief: Grid) -> None:
        row, column = round(self._row), round(self._column)
        rows = np.arange(
            max(row - WINDOW_ROWS, 0), min(row + WINDOW_ROWS + 1, len(belief))
        )
        columns = np.arange(column - WINDOW_COLUMNS, column + WINDOW_COLUMNS + 1)
        inside = belief[np.ix_(rows, columns % N_PHASES)]
        self._mass = float(inside.sum())
        self._row = float(inside.sum(axis=1) @ rows / self._mass)
        self._column = float(inside.sum(axis=0) @ columns / self._mass) % N_PHASES

    @property
    def _log_period(self) -> float:
        return float(LOG_PERIODS[0] + LOG_PERIOD_STEP * self._row)

    def _look(self, seconds: float) -> Pulse:
        period = math.exp(self._log_period)
        return Pulse(
            seconds - self._column / N_PHASES * period, period, min(self._mass, 1.0)
        )


def _bell(distance: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    weights = np.exp(-0.5 * (distance / deviation) ** 2)
    return np.asarray(weights / weights.sum())


def _turned(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring phases into [-0.5, 0.5)."""
    return np.asarray((phase + 0.5) % 1.0 - 0.5)


def _window_mass(belief: Grid) -> Grid:
    """Sum the belief in the window around each cell."""
    return np.asarray(_NEAR_ROWS @ belief @ _NEAR_COLUMNS)


def _near(count: int, reach: int, *, round_about: bool) -> Grid:
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    if round_about:
        distance = np.minimum(distance, count - distance)
    return np.asarray(distance <= reach, np.float64)


_NEAR_ROWS = _near(N_TEMPI, WINDOW_ROWS, round_about=False)
_NEAR_COLUMNS = _near(N_PHASES, WINDOW_COLUMNS, round_about=True)
