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

ROOM = 64
NOTHING = -1

# Agreement in the last steps is a running sum that forgets: so much stays each step.
_STAYS = (0.9, 0.97)
_FAST_SCALE, _SLOW_SCALE = 1.6, 0.5
_RUN_BOUNDS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48])
_CONFIDENCES = 10
_AGES = 10
_GROUNDS = 8

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
SENTINEL: Mapping[str, int] = {
    "confidence": _CONFIDENCES,
    "age": _AGES,
    "ground": _GROUNDS,
}
"""What the model's own weight depends on: how sure it is, steps so far, and ``ground``,
how many of the last chords, repeats merged, came in the same order before: none on new
ground, where the model knows more than what matches by chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What happened in each of several histories; to be handed back.

    There is ``room`` for more steps than there were, `ROOM` by `ROOM`, so that arrays
    of few sizes come and go: numpy keeps freed ones of every size, and while all grew
    by a step at a time that came to a megabyte in an hour's playing. The last ``steps``
    columns are filled, the others hold nothing: chord and place are `NOTHING`.

    Attributes
    ----------
    steps : int
        How many there were, at most `MAX_PAST`.
    chords : ndarray, shape=(batch, room), int16
    places : ndarray, shape=(batch, room), int8
    bars : ndarray, shape=(batch, room), int32
        Chord, place in the bar and bar of each step: small, for there are many.
    run, fast, slow : ndarray, shape=(batch, room), float32
        How well what led to each of them agrees with what leads to now.
    held : ndarray, shape=(batch, room), int16
        For how many steps its chord had lasted by then, itself included; at most
        `MAX_PAST`.
    turns : ndarray, shape=(batch, room), int16
        How many of the chords before its own are those until now, repeats merged; at
        most as many as ``ground`` tells apart. None led to the last step's chord: its
        neighbour is another.
    """

    steps: int
    chords: NDArray[np.int16]
    places: NDArray[np.int8]
    bars: NDArray[np.int32]
    run: NDArray[np.float32]
    fast: NDArray[np.float32]
    slow: NDArray[np.float32]
    held: NDArray[np.int16]
    turns: NDArray[np.int16]

    @property
    def first(self) -> int:
        """The first column that holds a step."""
        return len(self.chords.T) - self.steps

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Past":
        """Return the pasts of ``rows``, which may repeat: a history forks."""
        chosen = np.asarray(rows)
        return Past(self.steps, *(array[chosen] for array in self.arrays()))

    def with_room(self) -> "Past":
        """Return the same past with room for another step, if there may be one."""
        if self.first > 0 or self.steps == MAX_PAST:
            return self
        batch = len(self.chords)
        more = zip(no_past(batch).arrays(), self.arrays(), strict=True)
        return Past(self.steps, *(np.concatenate(both, axis=1) for both in more))

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return all but the number of steps."""
        steps = self.chords, self.places, self.bars
        return *steps, self.run, self.fast, self.slow, self.held, self.turns


def no_past(batch: int = 1) -> Past:
    """Return the past of ``batch`` songs that have not begun."""
    real = np.zeros((batch, ROOM), np.float32)
    whole = np.zeros((batch, ROOM), np.int16)
    return Past(
        0,
        np.full((batch, ROOM), NOTHING, np.int16),
        np.full((batch, ROOM), NOTHING, np.int8),
        np.zeros((batch, ROOM), np.int32),
        *(real, real, real),
        *(whole, whole),
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
    past = past.with_room()
    new = np.asarray(chords, np.int16)[:, None]
    places, bars = _locate(past, positions)
    agrees = (past.chords == new).astype(np.float32)
    moves = past.chords[:, -1:] != new
    lasted = np.minimum(past.held[:, -1:] + np.int16(1), MAX_PAST)
    held = np.where(moves, 1, lasted).astype(np.int16)
    turns = np.where(moves, _turn(past, new), past.turns)
    # Each step moves a column back, so in its column now stands the one after it: what
    # led to that is what led to this one, and this one; nothing led to the first.
    return Past(
        min(past.steps + 1, MAX_PAST),
        np.concatenate([past.chords[:, 1:], new], 1),
        np.concatenate([past.places[:, 1:], places], 1),
        np.concatenate([past.bars[:, 1:], bars], 1),
        (past.run + agrees) * agrees,
        _STAYS[0] * past.fast + agrees,
        _STAYS[1] * past.slow + agrees,
        np.concatenate([past.held[:, 1:], held], 1),
        np.concatenate([turns[:, 1:], np.zeros_like(new)], 1),
    )


def _turn(past: Past, new: NDArray[np.int16]) -> NDArray[np.int16]:
    """Count the chords that led to each step anew, for another chord is the last now.

    Those before the step's own chord go on where those before the chord before it
    ended: at that chord's last step, ``held`` columns back.
    """
    before = np.arange(past.chords.shape[1]) - past.held
    known = np.maximum(before, 0)
    agrees = (np.take_along_axis(past.chords, known, 1) == new) & (before >= 0)
    counted = np.take_along_axis(past.turns, known, 1) + np.int16(1)
    return np.where(agrees, np.minimum(counted, _GROUNDS - 1), np.int16(0))


def _locate(
    past: Past, positions: ArrayLike
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Give place and bar of the step after the past, shapes (batch, 1)."""
    rows = np.atleast_2d(np.asarray(positions))[:, :MAX_STEPS]
    batch = len(past.chords)
    place = rows.argmax(axis=1).astype(np.int8)
    places = np.broadcast_to(place[:, None], (batch, 1))
    return places, np.asarray(past.bars[:, -1:] + (places == 0), np.int32)


def traits_of(past: Past, positions: ArrayLike) -> NDArray[np.int8]:
    """Describe every earlier step, seen from the step that is asked for.

    Returns
    -------
    ndarray, shape=(traits, batch, room), int8
        In the order of `TRAITS`; only from ``past.first`` on it means anything.
    """
    places, bars = _locate(past, positions)
    batch, room = past.chords.shape
    lags = np.arange(room, 0, -1)
    distance = bars - past.bars
    form = np.ones((batch, room), np.int8)
    for power in range(1, 5):
        form += distance & (2**power - 1) == 0
    form *= past.places == places
    traits = np.empty((len(TRAITS), batch, room), np.int8)
    traits[0] = np.searchsorted(_RUN_BOUNDS, past.run, side="right")
    traits[1] = np.minimum(past.fast * _FAST_SCALE, TRAITS["fast"] - 1)
    traits[2] = np.minimum(past.slow * _SLOW_SCALE, TRAITS["slow"] - 1)
    traits[3] = form
    traits[4] = np.minimum(np.log2(lags), TRAITS["lag"] - 1)
    return traits


def sentinel_of(past: Past, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Describe the model's voice: shape (3, batch), in the order of `SENTINEL`."""
    sure = np.minimum((rows.max(axis=1) * _CONFIDENCES).astype(int), _CONFIDENCES - 1)
    age = min(past.steps.bit_length(), _AGES - 1)
    ground = np.minimum(past.turns.max(axis=1), _GROUNDS - 1)
    return np.stack([sure, np.full(len(rows), age), ground])


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
        voices[:, : past.first] = 0.0
        cells = np.maximum(past.chords, 0) + n_chords * np.arange(batch)[:, None]
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
