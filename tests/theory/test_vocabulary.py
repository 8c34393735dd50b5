from hypothesis import given
from hypothesis import strategies as st

from jackcomp.theory.chord import NO_CHORD, QUALITIES, Chord
from jackcomp.theory.vocabulary import (
    CHORDS,
    N_CHORDS,
    N_QUALITIES,
    NO_CHORD_INDEX,
    chord_index,
    transpose_index,
)

INDICES = st.integers(0, N_CHORDS - 1)


def test_the_vocabulary_is_what_the_models_were_trained_on():
    assert (N_CHORDS, N_QUALITIES, NO_CHORD_INDEX) == (169, 14, 168)
    assert CHORDS[NO_CHORD_INDEX] == NO_CHORD
    assert [quality.name for quality in QUALITIES] == [
        *("maj", "min", "7", "maj7", "min7", "dim", "hdim7"),
        *("dim7", "aug", "sus2", "sus4", "7sus4", "maj6", "min6"),
    ]
    assert CHORDS[9 * 14 + 4] == Chord(9, "min7")


@given(INDICES)
def test_index_and_chord_agree(index):
    assert chord_index(CHORDS[index]) == index


def test_the_bass_has_no_part_in_the_index():
    assert chord_index(Chord(9, "min7", 0)) == chord_index(Chord(9, "min7"))


@given(INDICES, st.integers(-30, 30))
def test_transposing_an_index_transposes_its_chord(index, semitones):
    moved = CHORDS[index].transpose(semitones)
    assert transpose_index(index, semitones) == chord_index(moved)
