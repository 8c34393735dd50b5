"""What the chord model is told: the encoder that training and playing share.

The model never hears an absolute pitch, so what it learns in one key it knows
in all. A chord is told to it twice: as a *move* from the root before, and by its
*place* above the root of the song's first chord. Its answer counts from that
first root too, and `Roots` turns it back. Before the first chord there is no such
root, and all twelve are equally likely.

With the chord of the step before, the model gets the *position* of the step that
it is to foresee: its place in the bar, how many steps the bar has, and how long
step and bar are.

Chords are vocabulary indices; `START` stands for the chord before the first step.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jackcomp.theory.vocabulary import (
    N_CHORDS,
    N_QUALITIES,
    NO_CHORD_INDEX,
    transpose_index,
)
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

START = N_CHORDS
N_PLACES = N_CHORDS + 1
# The first chord of a song comes from nowhere: it has a quality but no interval.
_FIRST_MOVE = N_PLACES
N_MOVES = N_PLACES + N_QUALITIES

# Beyond the fourth step of a bar the model is told "the fourth or later".
MAX_STEPS = 4
POSITION_SIZE = 2 * MAX_STEPS + 2
_COMMON_TIME_TICKS = 4 * TICKS_PER_QUARTER

# Row r gives, for each chord, its index when counted from root r.
_COUNTED_FROM = np.array(
    [[transpose_index(chord, -root) for chord in range(N_CHORDS)] for root in range(12)]
)


class Roots(NamedTuple):
    """Roots of the first and of the last chord so far, None before a chord."""

    first: int | None = None
    last: int | None = None


class ChordInput(NamedTuple):
    """A chord as the model is told it.

    ``move`` is below `N_MOVES`, ``place`` below `N_PLACES`; ``offset`` is the last
    root above the first, 0-11.
    """

    move: int
    place: int
    offset: int


def encode_chord(chord: int, roots: Roots) -> tuple[ChordInput, Roots]:
    """Encode the chord of the step before.

    Parameters
    ----------
    chord : int
        Vocabulary index, or `START`.
    roots : Roots
        Roots of the song until that chord.

    Returns
    -------
    ChordInput
        What the model is told.
    Roots
        Roots of the song, that chord included.
    """
    if chord in (START, NO_CHORD_INDEX):
        return ChordInput(chord, chord, _offset(roots)), roots
    root, quality = divmod(chord, N_QUALITIES)
    if roots.first is None or roots.last is None:
        return ChordInput(_FIRST_MOVE + quality, quality, 0), Roots(root, root)
    after = Roots(roots.first, root)
    move = transpose_index(chord, -roots.last)
    place = transpose_index(chord, -roots.first)
    return ChordInput(move, place, _offset(after)), after


def _offset(roots: Roots) -> int:
    if roots.first is None or roots.last is None:
        return 0
    return (roots.last - roots.first) % 12


def count_from_first(chord: int, roots: Roots) -> int:
    """Return what the model is to answer for ``chord``: its index from the first root.

    Before there is a first root only its quality matters, and the root is 0.
    """
    if chord == NO_CHORD_INDEX:
        return chord
    first = chord // N_QUALITIES if roots.first is None else roots.first
    return transpose_index(chord, -first)


def decode_answers(
    answers: NDArray[np.float32], roots: tuple[Roots, ...]
) -> NDArray[np.float32]:
    """Turn the model's answers into distributions over the vocabulary.

    Parameters
    ----------
    answers : ndarray, shape=(batch, 169), float32
        Probabilities by index from the first root.
    roots : tuple of Roots, length batch
        The roots of each row's song.

    Returns
    -------
    ndarray, shape=(batch, 169), float32
        In vocabulary order. Rows sum to 1; without a first root, all roots share
        a quality's probability alike.
    """
    order = _COUNTED_FROM[[row.first or 0 for row in roots]]
    rows = np.take_along_axis(answers, order, axis=1)
    for number, row in enumerate(roots):
        if row.first is None:
            by_root = rows[number, :NO_CHORD_INDEX].reshape(12, N_QUALITIES)
            rows[number, :NO_CHORD_INDEX] = np.tile(by_root.mean(axis=0), 12)
    return rows


@cache
def encode_position(meter: Meter, index: int, length_ticks: int) -> NDArray[np.float32]:
    """Describe one step of a bar to the model.

    Parameters
    ----------
    meter : Meter
        The meter of the bar.
    index : int
        The step's place in the bar, from 0.
    length_ticks : int
        The step's length in ticks; in an odd bar shorter than the meter says.

    Returns
    -------
    ndarray, shape=(POSITION_SIZE,), float32
        One-hot place, one-hot number of steps in the bar, length of the step
        and of the bar in units of a 4/4 bar. Read-only.
    """
    row = np.zeros(POSITION_SIZE, np.float32)
    row[min(index, MAX_STEPS - 1)] = 1
    row[MAX_STEPS + min(len(meter.steps), MAX_STEPS) - 1] = 1
    row[2 * MAX_STEPS] = length_ticks / _COMMON_TIME_TICKS
    row[2 * MAX_STEPS + 1] = meter.bar_ticks / _COMMON_TIME_TICKS
    row.flags.writeable = False
    return row


def encode_steps(meter: Meter, first_step: int, count: int) -> NDArray[np.float32]:
    """Describe the grid steps from ``first_step`` on, in a piece of one meter.

    Parameters
    ----------
    meter : Meter
        The meter of the piece.
    first_step : int
        Grid step number from the first bar line; negative in a pickup.
    count : int
        How many steps, at least one.

    Returns
    -------
    ndarray, shape=(count, POSITION_SIZE), float32
        Positions as `Brain.step` and `Brain.foresee` take them.
    """
    lengths = meter.steps
    indices = (step % len(lengths) for step in range(first_step, first_step + count))
    return np.stack(
        [encode_position(meter, index, lengths[index]) for index in indices]
    )
