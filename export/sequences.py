"""Songs as the sequences that the chord model learns from and is measured on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.songs import Song
from jackcomp.brain.features import (
    START,
    Roots,
    count_from_first,
    encode_chord,
    encode_position,
)


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
    inputs : ndarray, shape=(steps, 3), int64
        `ChordInput` of the step before.
    positions : ndarray, shape=(steps, POSITION_SIZE), float32
        Places in the bar.
    answers : ndarray, shape=(steps,), int64
        Chord indices counted from the song's first root.
    rootless : ndarray, shape=(steps,), bool
        True until there is a first root: only the quality can be known.
    """

    inputs: NDArray[np.int64]
    positions: NDArray[np.float32]
    answers: NDArray[np.int64]
    rootless: NDArray[np.bool_]


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


def to_lesson(sequence: ChordSequence) -> Lesson:
    """Encode a sequence with the encoder that is used in playing."""
    rows = list(_lesson_rows(sequence.chords.tolist()))
    inputs, answers, rootless = zip(*rows, strict=True)
    return Lesson(
        np.array(inputs), sequence.positions, np.array(answers), np.array(rootless)
    )


def _lesson_rows(
    chords: Sequence[int],
) -> Iterator[tuple[tuple[int, int, int], int, bool]]:
    roots = Roots()
    for before, chord in zip([START, *chords[:-1]], chords, strict=True):
        told, roots = encode_chord(before, roots)
        yield told, count_from_first(chord, roots), roots.first is None
