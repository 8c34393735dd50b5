import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.brain.features import (
    MAX_HELD,
    MAX_STEPS,
    N_HELD,
    N_MOVES,
    N_PLACES,
    POSITION_SIZE,
    START,
    ChordInput,
    Context,
    count_from_first,
    decode_answers,
    encode_chord,
    encode_position,
    encode_steps,
)
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.vocabulary import (
    N_CHORDS,
    N_QUALITIES,
    NO_CHORD_INDEX,
    chord_index,
    transpose_index,
)
from jackcomp.timeline.meter import parse_meter

SONGS = st.lists(st.integers(0, N_CHORDS - 1), min_size=1, max_size=30)


def index(label: str) -> int:
    return chord_index(parse_harte(label))


def encode_song(chords: list[int]) -> tuple[list[ChordInput], Context]:
    told, context = [], Context()
    for chord in [START, *chords]:
        each, context = encode_chord(chord, context)
        told.append(each)
    return told, context


@given(SONGS, st.integers(0, 11))
def test_a_transposed_song_is_told_in_the_same_words(chords, semitones):
    moved = [transpose_index(chord, semitones) for chord in chords]
    assert encode_song(moved)[0] == encode_song(chords)[0]


@given(SONGS)
def test_what_is_told_fits_the_tables(chords):
    for told in encode_song(chords)[0]:
        assert 0 <= told.move < N_MOVES
        assert 0 <= told.place < N_PLACES
        assert 0 <= told.offset < 12
        assert 0 <= told.held < N_HELD


def test_a_chord_is_told_as_a_move_and_as_a_place():
    told, context = encode_song([index("A:min7"), index("D:7"), index("G:maj7")])
    assert told[-1] == ChordInput(
        move=index("F:maj7"), place=index("Bb:maj7"), offset=10, held=1
    )
    assert context == Context(first=9, last=7, chord=index("G:maj7"), held=1)


def test_silence_keeps_the_roots():
    told, context = encode_song([index("D:maj"), index("A:7"), NO_CHORD_INDEX])
    assert told[-1] == ChordInput(NO_CHORD_INDEX, NO_CHORD_INDEX, 7, 1)
    assert context == Context(2, 9, NO_CHORD_INDEX, 1)


def test_it_is_told_how_long_a_chord_was_held():
    told, _ = encode_song([5, 5, 5, 19, 19, 5])
    assert [chord.held for chord in told] == [0, 1, 2, 3, 1, 2, 1]
    assert encode_song([5] * 100)[0][-1].held == MAX_HELD


def test_the_first_chord_has_a_quality_but_no_interval():
    assert encode_song([index("D:maj")])[0] == encode_song([index("Ab:maj")])[0]
    assert encode_song([index("D:maj")])[0] != encode_song([index("D:min")])[0]


@given(st.integers(0, N_CHORDS - 1), st.integers(0, 11), st.integers(0, 11))
def test_answers_are_decoded_as_they_are_counted(chord, first, last):
    context = Context(first, last)
    answers = np.zeros((1, N_CHORDS), np.float32)
    answers[0, count_from_first(chord, context)] = 1
    assert decode_answers(answers, (context,))[0, chord] == 1


def test_without_a_root_all_roots_are_equally_likely():
    answers = np.random.default_rng(1).dirichlet(np.ones(N_CHORDS), 1)
    row = decode_answers(answers.astype(np.float32), (Context(),))[0]
    by_root = row[:NO_CHORD_INDEX].reshape(12, N_QUALITIES)
    assert (by_root == by_root[0]).all()
    assert row.sum() == pytest.approx(1)
    assert row[NO_CHORD_INDEX] == pytest.approx(answers[0, NO_CHORD_INDEX])


@pytest.mark.parametrize(
    ("meter", "first", "places", "steps_in_bar"),
    [
        ("4/4", 0, [0, 1, 0, 1], 2),
        ("4/4", -1, [1, 0, 1, 0], 2),
        ("3/4", 5, [0, 0, 0, 0], 1),
        ("2+2+3/8", 1, [1, 2, 0, 1], 3),
    ],
)
def test_steps_say_where_in_the_bar_they_are(meter, first, places, steps_in_bar):
    rows = encode_steps(parse_meter(meter), first, 4)
    assert rows.shape == (4, POSITION_SIZE)
    assert rows[:, :MAX_STEPS].argmax(axis=1).tolist() == places
    counts = rows[:, MAX_STEPS : 2 * MAX_STEPS].argmax(axis=1) + 1
    assert (counts == steps_in_bar).all()


def test_position_tells_how_long_step_and_bar_are():
    assert encode_position(parse_meter("4/4"), 0, 3840)[-2:].tolist() == [0.5, 1]
    assert encode_position(parse_meter("3/4"), 0, 5760)[-2:].tolist() == [0.75, 0.75]
    assert encode_position(parse_meter("4/4"), 1, 1920)[-2:].tolist() == [0.25, 1]
