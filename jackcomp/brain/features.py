"""What the chord model is told: the encoder that training and playing share.

The model never hears an absolute pitch, so what it learns in one key it knows
in all. A chord is told to it twice: as a *move* from the root before, and by its
*place* above the root of the song's first chord. Its answer counts from that
first root too, and `Context` turns it back. Before the first chord there is no such
root, and all twelve are equally likely.

With the chord of the step before, the model is told for how many steps it has been
*held*, the *position* of the step that it is to foresee (its place in the bar, how
many steps the bar has, and how long step and bar are), and the song's *genre* as
far as it is known: a probability for each of `GENRES`, all zero for "not told".

Chords are vocabulary indices; `START` stands for the chord before the first step.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jackcomp.theory.genre import GENRES
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

# A chord that has lasted longer than this has lasted "long".
MAX_HELD = 16
N_HELD = MAX_HELD + 1

N_GENRES = len(GENRES)

# Beyond the fourth step of a bar the model is told "the fourth or later".
MAX_STEPS = 4
POSITION_SIZE = 2 * MAX_STEPS + 2
_COMMON_TIME_TICKS = 4 * TICKS_PER_QUARTER

# Row r gives, for each chord, its index when counted from root r.
_COUNTED_FROM = np.array(
    [[transpose_index(chord, -root) for chord in range(N_CHORDS)] for root in range(12)]
)


class Context(NamedTuple):
    """What the encoder keeps of a song.

    ``first`` and ``last`` are the roots of its first and of its last chord so far,
    None before a chord; ``chord`` came last, and has been ``held`` for so many steps.
    """

    first: int | None = None
    last: int | None = None
    chord: int = START
    held: int = 0


class ChordInput(NamedTuple):
    """A chord as the model is told it.

    ``move`` is below `N_MOVES`, ``place`` below `N_PLACES`; ``offset`` is the last
    root above the first, 0-11; ``held`` is below `N_HELD`, 0 before the first step.
    """

    move: int
    place: int
    offset: int
    held: int


def encode_chord(chord: int, context: Context) -> tuple[ChordInput, Context]:
    """Encode the chord of the step before.

    Parameters
    ----------
    chord : int
        Vocabulary index, or `START`.
    context : Context
        The song until that chord.

    Returns
    -------
    ChordInput
        What the model is told.
    Context
        The song, that chord included.
    """
    held = 0 if chord == START else 1
    if chord == context.chord != START:
        held = min(context.held + 1, MAX_HELD)
    if chord in (START, NO_CHORD_INDEX):
        after = Context(context.first, context.last, chord, held)
        return ChordInput(chord, chord, _offset(after), held), after
    root, quality = divmod(chord, N_QUALITIES)
    if context.first is None or context.last is None:
        told = ChordInput(_FIRST_MOVE + quality, quality, 0, held)
        return told, Context(root, root, chord, held)
    after = Context(context.first, root, chord, held)
    move = transpose_index(chord, -context.last)
    place = transpose_index(chord, -context.first)
    return ChordInput(move, place, _offset(after), held), after


def _offset(context: Context) -> int:
    if context.first is None or context.last is None:
        return 0
    return (context.last - context.first) % 12


def count_from_first(chord: int, context: Context) -> int:
    """Return what the model is to answer for ``chord``: its index from the first root.

    Before there is a first root only its quality matters, and the root is 0.
    """
    if chord == NO_CHORD_INDEX:
        return chord
    first = chord // N_QUALITIES if context.first is None else context.first
    return transpose_index(chord, -first)


def decode_answers(
    answers: NDArray[np.float32], contexts: tuple[Context, ...]
) -> NDArray[np.float32]:
    """Turn the model's answers into distributions over the vocabulary.

    Parameters
    ----------
    answers : ndarray, shape=(batch, 169), float32
        Probabilities by index from the first root.
    contexts : tuple of Context, length batch
        Each row's song so far.

    Returns
    -------
    ndarray, shape=(batch, 169), float32
        In vocabulary order. Rows sum to 1; without a first root, all roots share
        a quality's probability alike.
    """
    order = _COUNTED_FROM[[row.first or 0 for row in contexts]]
    rows = np.take_along_axis(answers, order, axis=1)
    for number, row in enumerate(contexts):
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
