"""Form memory: what was played under this melody before.

Songs come round: a phrase, an eight-bar strain, a chorus. Each grid step that is
over leaves a sketch of its melody and what was believed of its harmony. For the step
at hand the memory looks for earlier ones at the same place of the bar that were led
up to by the same melody, in this or in any other key, and that begin as this one
begins; it gives back what was believed there, and how far it trusts it. When the
soloist leaves the form, the beginning no longer fits and the trust is gone. He may also
say that the form begins again (`FormMemory.begin_again`).

A sketch is float32 ``(12, 12)``: by pitch class, C first, how much of six cells it
fills, and how often it is struck in each. The numbers were fitted on validation
songs, by likelihood (``python -m export.fit_pool``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution
from jackcomp.theory.vocabulary import N_CHORDS, transpose_index
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

N_CELLS = 6
SPANS = (2, 4, 8)
"""How many steps before two places are compared: a motif, a phrase, a strain."""

CYCLES = (2, 4, 8)
"""Distances in bars that speak for a form when they are multiples of these."""

N_BEST = 16
CAPACITY = 512
"""Steps that are remembered; when it is full, the older half goes."""


FEATURES = (
    "earlier",  # 1: there is an earlier step
    "motif",  # likeness of what led up to it, over each of SPANS ...
    "phrase",
    "strain",
    "same_motif",  # ... and its sixth power: likeness that is next to identity
    "same_phrase",
    "same_strain",
    "begun",  # likeness of what has been heard of the step itself ...
    "same_begun",  # ... and its fourth power
    "heard",  # the share of the step that has been heard ...
    "heard_before",  # ... and that with the likeness of what led up to it
    "transposed",  # 1 in another key
    "two_bars",  # 1 where the distance is a multiple of each of CYCLES
    "four_bars",
    "eight_bars",
    "distance",  # logarithm of the distance in bars
)
# Log-odds of trusting an earlier step, rather than none.
WEIGHTS: NDArray[np.float64] = np.array(
    [
        *(-4.73, 1.08, 0.93, 0.78, 1.77, 1.11, 0.84, 0.81),
        *(0.61, -1.98, -0.92, -1.79, -0.26, 0.2, 0.85, -0.11),
    ]
)

TOLD, TOLD_STEPS = 6.0, max(SPANS)
"""Log-odds for the place that the soloist has named: by itself it is likelier than not,
and likelier than what once followed the same strain in another key; what he plays then
may still contradict it. Chosen, not fitted: no corpus has it.
After so many steps all that is compared was played since, and speaks for itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Recollection:
    """What the memory says of a step.

    Attributes
    ----------
    chords : ndarray, shape=(169,), float32
        What was believed at the places that are like this one; sums to 1.
    trust : float
        0 to 1: how much of the final distribution it should be.
    step : int or None
        The place that is most like this one; None where there is none.
    semitones : int
        How much higher everything is now than it was there, 0 to 11.
    """

    chords: Distribution
    trust: float
    step: int | None = None
    semitones: int = 0


NO_RECOLLECTION = Recollection(np.full(N_CHORDS, 1.0 / N_CHORDS, np.float32), 0.0)


class FormMemory:
    """Remembers one song.

    Parameters
    ----------
    meter : Meter
        Places are compared only with the same place of a bar.
    weights : ndarray, shape=(16,), float64
        By `FEATURES`; the fitted ones by default.
    """

    def __init__(self, meter: Meter, weights: NDArray[np.float64] = WEIGHTS) -> None:
        self._meter = meter
        self._weights = weights
        self._sketches = np.empty((CAPACITY, 12, 2 * N_CELLS), np.float32)
        self._energies = np.empty(CAPACITY)
        self._beliefs = np.empty((CAPACITY, N_CHORDS), np.float32)
        # For the last eight steps, their products with all before, by transposition.
        self._products = np.empty((max(SPANS), CAPACITY, 12))
        # What is worked out at each question, for as many places as there may be: new
        # arrays would be larger each time, and numpy keeps freed ones of each size.
        places = -(-CAPACITY // len(meter.steps))
        self._features = np.empty((places, 12, len(FEATURES)))
        self._features[..., 0] = 1.0
        self._features[..., 11] = np.arange(12) > 0
        bars = np.arange(places, 0, -1)[:, None]
        for column, cycle in enumerate(CYCLES, start=12):
            self._features[..., column] = bars % cycle == 0
        self._features[..., 15] = np.log(bars)
        self._masked = np.empty((places, 12 * 2 * N_CELLS), np.float32)
        self._likeness, self._led_up = self._by_key = np.empty((2, places, 12))
        self._theirs, self._scale = self._by_place = np.empty((2, places))
        self.reset()

    def reset(self) -> None:
        """Forget the song."""
        self._first = 0
        self._count = 0
        self._compared = False  # with what led up to the step at hand
        self._told: tuple[int, int] | None = None
        # Written to, so that the memory is there before the song and not grown in it.
        for kept in (self._sketches, self._energies, self._beliefs, self._products):
            kept.fill(0.0)
        for worked_out in (self._masked, self._by_key, self._by_place):
            worked_out.fill(0.0)

    def close(
        self, step: int, sketch: NDArray[np.float32], believed: Distribution
    ) -> None:
        """Remember a step that is over.

        Parameters
        ----------
        step : int
            Grid step number, higher than in the last call. Steps left out were
            silent.
        sketch : ndarray, shape=(12, 12), float32
            Its melody.
        believed : ndarray, shape=(169,), float32
            Its harmony by what was heard of it, without what was remembered: what
            has been said once is no evidence the second time.
        """
        if self._count == 0 or step >= self._first + self._count + CAPACITY // 2:
            self.reset()
            self._first = step
        while self._first + self._count < step:
            self._append(_SILENCE, NO_RECOLLECTION.chords)
        self._append(sketch, believed)

    def begin_again(self, step: int, top: int) -> None:
        """Hear that from ``step`` on everything comes as it came from ``top`` on.

        It counts for the `TOLD_STEPS` from there.

        Parameters
        ----------
        step, top : int
            Grid step numbers, ``top`` the lower one; at the same place of the bar.
        """
        self._told = step, step - top

    def recall(
        self, step: int, sketch: NDArray[np.float32], heard_ticks: int
    ) -> Recollection:
        """Say what was played at places like this one.

        Parameters
        ----------
        step : int
            Grid step number: the one after the last that was closed; of any other
            nothing is known.
        sketch : ndarray, shape=(12, 12), float32
            Its melody, as far as it has been heard.
        heard_ticks : int
            How far that is.
        """
        rows = self._find_rows(step)
        if not rows:
            return NO_RECOLLECTION
        features = self._describe(rows, sketch, heard_ticks)
        scores = features @ self._weights
        if self._told is not None:
            since, distance = self._told
            named = self._count - distance
            if 0 <= step - since < TOLD_STEPS and named in rows:
                scores[rows.index(named), 0] += TOLD
        scores = scores.ravel()
        best = np.argsort(-scores, kind="stable")[:N_BEST]
        odds = np.exp(scores[best])
        shares = odds / (1.0 + odds.sum())
        places, semitones = np.divmod(best, 12)
        mixed = shares @ self._look_up(rows, places, semitones)
        return Recollection(
            np.asarray(mixed / mixed.sum(), np.float32),
            float(shares.sum()),
            self._first + rows[places[0]],
            int(semitones[0]),
        )

    def candidates(
        self, step: int, sketch: NDArray[np.float32], heard_ticks: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give what `recall` chooses from, to fit its weights.

        Returns
        -------
        ndarray, shape=(n, 16), float64
            `FEATURES` of the likeliest earlier steps, at most `N_BEST`.
        ndarray, shape=(n, 169), float64
            What was believed there, moved to where it is now.
        """
        rows = self._find_rows(step)
        if not rows:
            return np.zeros((0, len(FEATURES))), np.zeros((0, N_CHORDS))
        features = self._describe(rows, sketch, heard_ticks)
        flat = features.reshape(-1, len(FEATURES))
        best = np.argsort(-(flat @ self._weights), kind="stable")[:N_BEST]
        places, semitones = np.divmod(best, 12)
        return flat[best], self._look_up(rows, places, semitones)

    def _find_rows(self, step: int) -> range:
        """Give the earlier steps at the same place of the bar."""
        if step != self._first + self._count:
            return range(0)
        bar_steps = len(self._meter.steps)
        return range(self._count % bar_steps, self._count, bar_steps)

    def _look_up(
        self, rows: range, places: NDArray[np.int64], semitones: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Give what was believed at places in ``rows``, moved up: (places, 169)."""
        there = rows.start + rows.step * places
        moved = self._beliefs[there[:, None], _MOVED[semitones]]
        return np.asarray(moved, np.float64)

    def _append(self, sketch: NDArray[np.float32], believed: Distribution) -> None:
        if self._count == CAPACITY:
            self._forget_older_half()
        row = self._count
        self._sketches[row] = sketch
        self._energies[row] = np.square(sketch, dtype=np.float64).sum()
        self._beliefs[row] = believed
        self._count += 1
        self._compared = False
        known = self._sketches[: self._count].reshape(self._count, -1)
        # Moving the old melody up is moving the new one down.
        lowered = sketch[_RAISED].reshape(12, -1)
        self._products[1:] = self._products[:-1]
        self._products[0] = 0.0
        self._products[0, : self._count] = known @ lowered.T

    def _forget_older_half(self) -> None:
        half = CAPACITY // 2
        for kept in (self._sketches, self._energies, self._beliefs):
            kept[:half] = kept[half:]
        self._products[:, :half] = self._products[:, half:]
        self._first += half
        self._count -= half

    def _describe(
        self, rows: range, sketch: NDArray[np.float32], heard_ticks: int
    ) -> NDArray[np.float64]:
        """Give the features of earlier steps, moved up, shape (rows, 12, 16).

        They are good until the next question.
        """
        steps = self._meter.steps
        length = steps[(self._first + self._count) % len(steps)]
        heard_ticks = min(max(heard_ticks, 0), length)
        heard = heard_ticks / length
        features, led_up = self._features[-len(rows) :], self._led_up[-len(rows) :]
        if not self._compared:
            # What led up to the step is the same, however much of it has been heard.
            before, same = features[..., 1:4], features[..., 4:7]
            self._compare_before(rows, before)
            np.mean(before, axis=-1, out=led_up)
            np.multiply(np.square(before, out=same), before, out=same)
            np.square(same, out=same)
            self._compared = True
        begun, same = features[..., 7], features[..., 8]
        self._compare_begun(rows, sketch, heard_ticks, length, begun)
        np.square(np.square(begun, out=same), out=same)
        features[..., 9] = heard
        np.multiply(heard, led_up, out=features[..., 10])
        return features

    def _compare_before(self, rows: range, likeness: NDArray[np.float64]) -> None:
        """Write the likeness over `SPANS`, shape (rows, 12, 3), 0 to 1."""
        products = self._likeness[: len(rows)]
        theirs, scale = self._theirs[: len(rows)], self._scale[: len(rows)]
        products.fill(0.0)
        theirs.fill(0.0)
        ours = 0.0
        spans = iter(range(len(SPANS)))
        for back in range(1, max(SPANS) + 1):
            if back <= self._count:
                # The first of the rows have no step so far before them.
                known = max(-(-(back - rows.start) // rows.step), 0)
                there = slice(
                    rows.start + known * rows.step - back, self._count - back, rows.step
                )
                products[known:] += self._products[back - 1, there]
                theirs[known:] += self._energies[there]
                ours += self._energies[self._count - back]
            if back in SPANS:
                np.multiply(ours, theirs, out=scale)
                _root(scale)
                np.divide(products, scale[:, None], out=likeness[..., next(spans)])

    def _compare_begun(
        self,
        rows: range,
        sketch: NDArray[np.float32],
        heard_ticks: int,
        length: int,
        likeness: NDArray[np.float64],
    ) -> None:
        """Write the likeness of what has been heard of the step, shape (rows, 12)."""
        cell = max(length // N_CELLS, TICKS_PER_QUARTER // 2)
        filled = np.clip(heard_ticks / cell - np.arange(N_CELLS), 0.0, 1.0)
        mask = np.concatenate([filled, filled > _ENOUGH_OF_A_CELL]).astype(np.float32)
        ours = sketch * mask
        theirs, scale = self._masked[: len(rows)], self._scale[: len(rows)]
        there = self._sketches[rows.start : self._count : rows.step]
        np.multiply(there, mask, out=theirs.reshape(there.shape))
        products = np.matmul(
            theirs, ours[_RAISED].reshape(12, -1).T, out=self._likeness[: len(rows)]
        )
        np.einsum("rc,rc->r", theirs, theirs, out=scale)
        scale *= np.square(ours, dtype=np.float64).sum()
        _root(scale)
        np.divide(products, scale[:, None], out=likeness)


def _root(squares: NDArray[np.float64]) -> None:
    """Put the roots of products of energies, never 0, in their place."""
    squares += _LEAST_ENERGY
    np.sqrt(squares, out=squares)


_SILENCE = np.zeros((12, 2 * N_CELLS), np.float32)
_LEAST_ENERGY = 1e-3
_ENOUGH_OF_A_CELL = 0.3
# _RAISED[s, pc] is the pitch class s semitones above; _MOVED[s, c] the index of the
# chord that sounded there if chord c sounds now, s semitones higher.
_RAISED = (np.arange(12)[:, None] + np.arange(12)) % 12
_MOVED = np.array(
    [[transpose_index(chord, -s) for chord in range(N_CHORDS)] for s in range(12)]
)
