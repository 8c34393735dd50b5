"""Songs as the sequences that the chord model learns from and is measured on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.songs import Song
from jackcomp.brain.features import (
    N_GENRES,
    START,
    Context,
    count_from_first,
    encode_chord,
    encode_position,
)
from jackcomp.theory.genre import GENRES

GENRE_OF_SOURCE = {
    "pop909": "pop",
    "billboard": "pop",
    "wjazzd": "jazz",
    "irb": "jazz",
    "imaginary_book": "jazz",
    "nottingham": "folk",
    "openewld": "song",
    "lieder": "song",
}

LEAST_STEPS = 8
"""Of a song that begins later than it does."""


@dataclass(frozen=True, slots=True, eq=False)
class ChordSequence:
    """One song on the harmonic grid, one row a step.

    Attributes
    ----------
    source : str
        The song's corpus.
    chords : ndarray, shape=(steps,), int64
        Vocabulary indices.
    positions : ndarray, shape=(steps, POSITION_SIZE), float32
        Places in the bar.
    """

    source: str
    chords: NDArray[np.int64]
    positions: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A sequence as the model sees it: what it is told, and what it is to answer.

    Attributes
    ----------
    inputs : ndarray, shape=(steps, 4), int64
        `ChordInput` of the step before.
    positions : ndarray, shape=(steps, POSITION_SIZE), float32
        Places in the bar.
    answers : ndarray, shape=(steps,), int64
        Chord indices counted from the song's first root.
    rootless : ndarray, shape=(steps,), bool
        True until there is a first root: only the quality can be known.
    matches : ndarray, shape=(steps,), int64
        How long an earlier match there is, see `match_lengths`.
    genre : ndarray, shape=(N_GENRES,), float32
        One for the song's genre; all zero where it has none of `GENRES`.
    """

    inputs: NDArray[np.int64]
    positions: NDArray[np.float32]
    answers: NDArray[np.int64]
    rootless: NDArray[np.bool_]
    matches: NDArray[np.int64]
    genre: NDArray[np.float32]


def to_sequences(songs: Sequence[Song]) -> list[ChordSequence]:
    """Put songs on the grid; a song of fewer than two steps teaches nothing."""
    return [sequence for song in songs if len((sequence := _grid(song)).chords) > 1]


def _grid(song: Song) -> ChordSequence:
    steps = song.steps()
    positions = [
        encode_position(step.meter, step.index, step.end - step.start) for step in steps
    ]
    return ChordSequence(
        song.source, np.array([step.chord for step in steps]), np.array(positions)
    )


def crop(sequence: ChordSequence, generator: np.random.Generator) -> ChordSequence:
    """Let a song begin at one of its bar lines, any but those of the end.

    Most of what follows a later beginning is then new to who has not heard the rest.
    """
    starts = np.flatnonzero(sequence.positions[:-LEAST_STEPS, :1])
    if len(starts) == 0:
        return sequence
    start = int(generator.choice(starts))
    return replace(
        sequence, chords=sequence.chords[start:], positions=sequence.positions[start:]
    )


def match_lengths(chords: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the longest earlier match before each step, counted in changes of chord.

    It is the number of last chords, repeats merged, that came in the same order
    before. 0 is new ground: the chord before this step has led nowhere yet.
    """
    starts = np.flatnonzero(np.append(True, chords[1:] != chords[:-1]))
    lengths = step_match_lengths(chords[starts])
    # A step within a chord is asked after as many chords as the step of its change.
    which = np.searchsorted(starts, np.arange(len(chords)), side="right") - 1
    return lengths[which]


def step_match_lengths(chords: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the longest earlier match before each step, counted in steps.

    It is the number of last steps whose chords came in the same order before, their own
    time included: after two steps of one chord there is a match of one.
    """
    lengths = np.zeros(len(chords), np.int64)
    runs = np.zeros(0, np.int64)
    for count in range(1, len(chords)):
        # How many steps up to each earlier one are those up to the last.
        agrees = chords[: count - 1] == chords[count - 1]
        runs = np.where(agrees, np.append(0, runs)[: count - 1] + 1, 0)
        lengths[count] = runs.max(initial=0)
    return lengths


def blur(
    sequence: ChordSequence, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Give a song's chords as one who guesses would have them.

    Parameters
    ----------
    sequence : ChordSequence
        The song.
    share : float
        How many of its steps get another chord, 0 to 1.
    generator : Generator
        Draws which, and from the chords heard so far in the song which one: they are
        those of its keys, and no later one becomes known by mistake.

    Returns
    -------
    ndarray, shape=(steps,), int64
        The same as the song's as long as it has had but one chord.
    """
    chords = sequence.chords.copy()
    for step in np.flatnonzero(generator.random(len(chords)) < share):
        heard = np.unique(sequence.chords[: step + 1])
        others = heard[heard != sequence.chords[step]]
        if len(others) > 0:
            chords[step] = generator.choice(others)
    return chords


def to_lesson(sequence: ChordSequence) -> Lesson:
    """Encode a sequence with the encoder that is used in playing."""
    rows = list(_lesson_rows(sequence.chords.tolist()))
    inputs, answers, rootless = zip(*rows, strict=True)
    return Lesson(
        np.array(inputs),
        sequence.positions,
        np.array(answers),
        np.array(rootless),
        match_lengths(sequence.chords),
        encode_genre(sequence.source),
    )


def encode_genre(source: str) -> NDArray[np.float32]:
    """Give the genre of a corpus as the model is told it, all zero if unknown."""
    told = np.zeros(N_GENRES, np.float32)
    if source in GENRE_OF_SOURCE:
        told[GENRES.index(GENRE_OF_SOURCE[source])] = 1
    return told


def _lesson_rows(
    chords: Sequence[int],
) -> Iterator[tuple[tuple[int, int, int, int], int, bool]]:
    context = Context()
    for before, chord in zip([START, *chords[:-1]], chords, strict=True):
        told, context = encode_chord(before, context)
        yield told, count_from_first(chord, context), context.first is None
