import numpy as np
import pytest

from export.sequences import to_lesson, to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.brain.features import (
    N_MOVES,
    POSITION_SIZE,
    START,
    Roots,
    decode_answers,
    encode_chord,
)
from jackcomp.theory.vocabulary import N_CHORDS


@pytest.fixture(scope="module")
def sequences():
    return to_sequences(read_songs(CORPUS_FILES[2:3], "valid", limit=10))


def test_a_sequence_has_a_row_for_each_grid_step(sequences):
    assert len(sequences) == 10
    for sequence in sequences:
        assert sequence.source == "nottingham"
        assert sequence.positions.shape == (len(sequence.chords), POSITION_SIZE)
        assert sequence.positions.dtype == np.float32


def test_a_lesson_tells_the_chord_before_and_asks_for_this_one(sequences):
    for sequence in sequences:
        lesson = to_lesson(sequence)
        assert lesson.inputs[0].tolist() == [START, START, 0]
        assert lesson.inputs[:, 0].max() < N_MOVES
        roots = Roots()
        told = [START, *sequence.chords.tolist()]
        for step, chord in enumerate(sequence.chords):
            _, roots = encode_chord(told[step], roots)
            assert lesson.rootless[step] == (roots.first is None)
            answer = np.eye(N_CHORDS, dtype=np.float32)[lesson.answers[step]][None]
            assert decode_answers(answer, (roots,))[0, chord] > 0


def test_rootless_steps_come_first(sequences):
    for sequence in sequences:
        rootless = to_lesson(sequence).rootless
        assert rootless[0]
        assert not rootless[rootless.sum() :].any()
