from dataclasses import replace

import numpy as np
import pytest

from export.sequences import LEAST_STEPS, blur, crop, to_lesson, to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.brain.features import (
    N_MOVES,
    POSITION_SIZE,
    START,
    Context,
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
        assert lesson.inputs[0].tolist() == [START, START, 0, 0]
        assert lesson.inputs[:, 0].max() < N_MOVES
        context = Context()
        told = [START, *sequence.chords.tolist()]
        for step, chord in enumerate(sequence.chords):
            _, context = encode_chord(told[step], context)
            assert lesson.rootless[step] == (context.first is None)
            answer = np.eye(N_CHORDS, dtype=np.float32)[lesson.answers[step]][None]
            assert decode_answers(answer, (context,))[0, chord] > 0


def test_rootless_steps_come_first(sequences):
    for sequence in sequences:
        rootless = to_lesson(sequence).rootless
        assert rootless[0]
        assert not rootless[rootless.sum() :].any()


def test_a_lesson_tells_the_genre(sequences):
    assert to_lesson(sequences[0]).genre.tolist() == [0, 0, 1, 0]
    unknown = replace(sequences[0], source="elsewhere")
    assert not to_lesson(unknown).genre.any()


def others_heard(song):
    """Say at which steps another chord than the step's has been heard."""
    chords = song.chords
    return np.array([(chords[: n + 1] != chords[n]).any() for n in range(len(chords))])


def test_one_who_guesses_is_wrong_as_often_as_he_should(sequences):
    generator = np.random.default_rng(0)
    wrong = [
        (blur(song, 0.2, generator) != song.chords)[others_heard(song)]
        for song in sequences
    ]
    assert np.concatenate(wrong).mean() == pytest.approx(0.2, abs=0.03)
    for song in sequences:
        assert (blur(song, 0.0, generator) == song.chords).all()


def test_one_who_guesses_names_chords_that_were_heard(sequences):
    for song in sequences:
        guessed = blur(song, 1.0, np.random.default_rng(0))
        for step, chord in enumerate(guessed):
            assert chord in song.chords[: step + 1]
        assert ((guessed != song.chords) == others_heard(song)).all()
        assert (guessed == blur(song, 1.0, np.random.default_rng(0))).all()


def test_a_cropped_song_begins_at_one_of_its_bar_lines(sequences):
    generator = np.random.default_rng(0)
    lengths = set()
    for sequence in sequences * 5:
        late = crop(sequence, generator)
        count = len(late.chords)
        assert count >= LEAST_STEPS or count == len(sequence.chords)
        np.testing.assert_array_equal(late.chords, sequence.chords[-count:])
        np.testing.assert_array_equal(late.positions, sequence.positions[-count:])
        assert late.positions[0, 0] == 1 or count == len(sequence.chords)
        lengths.add((len(sequence.chords), count))
    assert len(lengths) > len(sequences)
