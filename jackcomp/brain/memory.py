"""What this song has done before: the in-song memory, mixed with the model.

A song repeats itself, and the model, which knows a little of all songs, sees only
part of that. So every earlier step of the song is asked for what came there, and
counts the more, the better what led to it agrees with what leads to now: exactly,
in its last few steps, in its last few dozen, and in where the two stand in bars and
phrases. The model itself is one more voice, and the weights of all are normalised
together: a *pointer sentinel mixture*. Wrong chords in the past (live, it knows only
its own guesses) weaken an agreement and do not end it.

All numbers were fitted on validation songs with ``python -m export.fit_memory``: one
set for a past that is known, one for a past that is guessed. A state is never
changed, so histories can be forked and forgotten freely. A step costs time in
proportion to the length of the song, and `MAX_PAST` bounds it.

References
----------
Merity, Xiong, Bradbury and Socher, "Pointer Sentinel Mixture Models", ICLR 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jackcomp.brain.features import MAX_STEPS

MAX_PAST = 512
"""Steps that are remembered: over eight minutes of half-bars at 120 quarters."""

# Agreement in the last steps is a running sum that forgets: so much stays each step.
_STAYS = (0.9, 0.97)
_FAST_SCALE, _SLOW_SCALE = 1.6, 0.5
_RUN_BOUNDS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48])
_CONFIDENCES = 10
_AGES = 10

TRAITS: Mapping[str, int] = {
    "run": len(_RUN_BOUNDS) + 1,
    "fast": 16,
    "slow": 17,
    "form": 6,
    "lag": 10,
}
"""What is looked at in an earlier step, and how many values each trait has.

``run``: how many steps before it are the same as those before now; ``fast`` and
``slow``: how far the last dozen, the last few dozen agree; ``form``: 0 at another
place of the bar, then 1, 2, 4, 8, 16 where that many bars divide the distance;
``lag``: distance in steps, doubling.
"""
SENTINEL: Mapping[str, int] = {"confidence": _CONFIDENCES, "age": _AGES}
"""What the model's own weight depends on: how sure it is, and steps so far."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What happened in each of several histories; to be handed back.

    Attributes
    ----------
    chords : ndarray, shape=(batch, steps), int16
    places : ndarray, shape=(batch, steps), int8
    bars : ndarray, shape=(batch, steps), int32
        Chord, place in the bar and bar of each step: small, for there are many.
    run, fast, slow : ndarray, shape=(batch, steps), float32
        How well what led to each of them agrees with what leads to now.
    """

    chords: NDArray[np.int16]
    places: NDArray[np.int8]
    bars: NDArray[np.int32]
    run: NDArray[np.float32]
    fast: NDArray[np.float32]
    slow: NDArray[np.float32]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Past":
        """Return the pasts of ``rows``, which may repeat: a history forks."""
        chosen = np.asarray(rows)
        return Past(*(getattr(self, name)[chosen] for name in self.__slots__))


def no_past(batch: int = 1) -> Past:
    """Return the past of ``batch`` songs that have not begun."""
    real = np.zeros((batch, 0), np.float32)
    return Past(
        np.zeros((batch, 0), np.int16),
        np.zeros((batch, 0), np.int8),
        np.zeros((batch, 0), np.int32),
        *(real, real, real),
    )


def remember(
    past: Past, chords: Sequence[int] | NDArray[np.int64], positions: ArrayLike
) -> Past:
    """Add a step to each history.

    Parameters
    ----------
    past : Past
        Of ``batch`` histories.
    chords : sequence of int, length batch
        What the step was.
    positions : array_like, shape=(batch, POSITION_SIZE) or (POSITION_SIZE,)
        Where in the bar it was, see ``features.encode_steps``.
    """
    new = np.asarray(chords, np.int16)[:, None]
    places, bars = _locate(past, positions)
    agrees = (past.chords == new).astype(np.float32)
    # What led to a step is what led to the one before it, and that one; nothing led
    # to the first.
    run = _follow(past.run, agrees) * _shifted(agrees)
    kept = slice(-MAX_PAST, None)
    return Past(
        np.concatenate([past.chords, new], 1)[:, kept],
        np.concatenate([past.places, places], 1)[:, kept],
        np.concatenate([past.bars, bars], 1)[:, kept],
        run[:, kept],
        _follow(_STAYS[0] * past.fast, agrees)[:, kept],
        _follow(_STAYS[1] * past.slow, agrees)[:, kept],
    )


def _follow(
    before: NDArray[np.float32], agrees: NDArray[np.float32]
) -> NDArray[np.float32]:
    return _shifted(np.asarray(before + agrees, np.float32))


def _shifted(array: NDArray[np.float32]) -> NDArray[np.float32]:
    # By hand, because np.pad is slow for arrays as small as these.
    batch, steps = array.shape
    shifted = np.zeros((batch, steps + 1), np.float32)
    shifted[:, 1:] = array
    return shifted


def _locate(
    past: Past, positions: ArrayLike
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Give place and bar of the step after the past, shapes (batch, 1)."""
    rows = np.atleast_2d(np.asarray(positions))[:, :MAX_STEPS]
    batch = len(past.chords)
    place = rows.argmax(axis=1).astype(np.int8)
    places = np.broadcast_to(place[:, None], (batch, 1))
    last = past.bars[:, -1:] if past.bars.shape[1] else np.zeros((batch, 1), np.int32)
    return places, np.asarray(last + (places == 0), np.int32)


def traits_of(past: Past, positions: ArrayLike) -> NDArray[np.int8]:
    """Describe every earlier step, seen from the step that is asked for.

    Returns
    -------
    ndarray, shape=(traits, batch, steps), int8
        In the order of `TRAITS`.
    """
    places, bars = _locate(past, positions)
    batch, steps = past.chords.shape
    lags = np.arange(steps, 0, -1)
    distance = bars - past.bars
    form = np.ones((batch, steps), np.int8)
    for power in range(1, 5):
        form += distance & (2**power - 1) == 0
    form *= past.places == places
    traits = np.empty((len(TRAITS), batch, steps), np.int8)
    traits[0] = np.searchsorted(_RUN_BOUNDS, past.run, side="right")
    traits[1] = np.minimum(past.fast * _FAST_SCALE, TRAITS["fast"] - 1)
    traits[2] = np.minimum(past.slow * _SLOW_SCALE, TRAITS["slow"] - 1)
    traits[3] = form
    traits[4] = np.minimum(np.log2(lags), TRAITS["lag"] - 1)
    return traits


def sentinel_of(past: Past, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Describe the model's voice: shape (2, batch), in the order of `SENTINEL`."""
    sure = np.minimum((rows.max(axis=1) * _CONFIDENCES).astype(int), _CONFIDENCES - 1)
    age = min(past.chords.shape[1].bit_length(), _AGES - 1)
    return np.stack([sure, np.full(len(rows), age)])


@dataclass(frozen=True, slots=True, eq=False)
class SongMemory:
    """The weights of the mixture: logarithms, a table for each trait.

    Attributes
    ----------
    traits : tuple of ndarray
        In the order of `TRAITS`; those of an earlier step add up.
    sentinel : tuple of ndarray
        In the order of `SENTINEL`; those of the model add up.
    """

    traits: tuple[NDArray[np.float64], ...]
    sentinel: tuple[NDArray[np.float64], ...]

    def recall(
        self, past: Past, rows: NDArray[Any], positions: ArrayLike
    ) -> NDArray[np.float32]:
        """Mix what the model foresees with what the song has done.

        Parameters
        ----------
        past : Past
            Of ``batch`` histories.
        rows : ndarray, shape=(batch, 169)
            What the model foresees for the step after each.
        positions : array_like, shape=(batch, POSITION_SIZE) or (POSITION_SIZE,)
            Where that step is.

        Returns
        -------
        ndarray, shape=(batch, 169), float32
            Rows sum to 1.
        """
        batch, n_chords = rows.shape
        voices = np.exp(_look_up(self.traits, traits_of(past, positions)))
        own = np.exp(_look_up(self.sentinel, sentinel_of(past, rows)))
        cells = past.chords + n_chords * np.arange(batch)[:, None]
        said = np.bincount(cells.ravel(), voices.ravel(), batch * n_chords)
        mixed = said.reshape(rows.shape) + own[:, None] * rows
        return np.asarray(mixed / mixed.sum(axis=1, keepdims=True), np.float32)


def _look_up(
    tables: tuple[NDArray[np.float64], ...], traits: NDArray[np.integer]
) -> NDArray[np.float64]:
    total = np.zeros(traits.shape[1:])
    for table, values in zip(tables, traits, strict=True):
        total += table.take(values)
    return total
