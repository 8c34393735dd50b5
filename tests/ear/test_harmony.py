import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.ear.harmony import PLACES, ChordScorer, gather_evidence, sum_over_keys
from jackcomp.ear.tables import load_ear_tables
from jackcomp.ear.window import HeardNote
from jackcomp.theory.key import KEYS, key_index, parse_key
from jackcomp.theory.vocabulary import CHORDS, NO_CHORD_INDEX, transpose_index

TABLES = load_ear_tables()
SCORER = ChordScorer(TABLES.harmony)
N_IDIOMS = len(TABLES.key.idioms)
QUARTER = 1920
ANY_KEY = np.full((N_IDIOMS, 24), 1 / 24 / N_IDIOMS)


def in_key(key):
    state = np.zeros((N_IDIOMS, 24))
    state[:, key_index(key)] = 1 / N_IDIOMS
    return state


def score(notes, state=ANY_KEY, start=0, now=2 * QUARTER, end=2 * QUARTER):
    evidence = gather_evidence(notes, start, now, end, QUARTER)
    return SCORER.score(evidence, SCORER.expect(state), begun=now > start)


def triad(distribution):
    chord = CHORDS[int(distribution.argmax())]
    return chord.root, chord.quality


def held(*notes):
    return [HeardNote(0, None, note, 90) for note in notes]


def test_a_held_c_major_triad_is_c_major_in_any_key():
    assert triad(score(held(60, 64, 67))) == (0, "maj")


def test_a_held_a_minor_triad_is_a_minor_in_any_key():
    assert triad(score(held(57, 60, 64))) == (9, "min")


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_with_nothing_heard_the_key_decides(key):
    state = in_key(key)
    assert CHORDS[int(score([], state).argmax())].root == key.tonic
    np.testing.assert_allclose(
        score([], state), sum_over_keys(SCORER.expect(state)), atol=1e-7
    )


def test_the_key_decides_what_a_lone_note_means():
    note = held(67)  # G
    assert (
        score(note, in_key(parse_key("C"))).argmax()
        != score(note, in_key(parse_key("Eb"))).argmax()
    )


def test_more_of_a_chord_makes_it_surer():
    one, all_three = (
        score(held(*ns), in_key(parse_key("C"))) for ns in ((67,), (67, 71, 74))
    )
    g_major = 7 * 14
    assert all_three[g_major] > one[g_major]


notes_anywhere = st.lists(
    st.builds(
        lambda onset, length, note: HeardNote(onset, onset + length, note, 90),
        st.integers(-2 * QUARTER, 2 * QUARTER),
        st.integers(1, 3 * QUARTER),
        st.integers(24, 96),
    ),
    max_size=8,
)


@given(notes_anywhere, st.integers(-QUARTER, 2 * QUARTER))
def test_scores_are_a_distribution(notes, now):
    distribution = score(notes, now=now)
    assert distribution.shape == (169,)
    assert distribution.dtype == np.float32
    assert (distribution >= 0).all()
    assert distribution.sum() == pytest.approx(1, abs=1e-5)


@given(notes_anywhere, st.integers(-QUARTER, 2 * QUARTER), st.integers(1, 11))
def test_transposing_notes_and_keys_transposes_the_chords(notes, now, semitones):
    state = np.arange(1.0, 24 * N_IDIOMS + 1).reshape(N_IDIOMS, 24)
    state /= state.sum()
    moved_state = np.roll(state.reshape(N_IDIOMS, 2, 12), semitones, axis=2)
    moved_notes = [
        HeardNote(n.onset, n.end, n.note + semitones, n.velocity) for n in notes
    ]
    places = [transpose_index(index, semitones) for index in range(len(CHORDS))]
    np.testing.assert_allclose(
        score(moved_notes, moved_state.reshape(N_IDIOMS, 24), now=now)[places],
        score(notes, state, now=now),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("onset", "end", "place"),
    [
        (0, 500, "line"),
        (-100, 300, "line"),  # a little early
        (200, 500, "line"),  # a little late
        (1900, 2200, "beat"),
        (960, 1500, "off"),
        (-960, 900, "pushed"),
        (-1920, 900, "held"),
        (-1000, 100, "tail"),  # its release laps over the line
        (-3000, -2000, "previous"),
    ],
)
def test_notes_find_their_place(onset, end, place):
    note = HeardNote(onset, end, 60, 90)
    evidence = gather_evidence([note], 0, 3840, 3840, QUARTER)
    found = [PLACES[i] for i in range(len(PLACES)) if evidence[i].any()]
    assert found == [place]


def test_beats_of_six_eight_are_dotted():
    note = HeardNote(2880, 3000, 60, 90)
    assert gather_evidence([note], 0, 5760, 5760, 2880)[PLACES.index("beat")].any()
    assert gather_evidence([note], 0, 5760, 5760, 1920)[PLACES.index("off")].any()


@given(notes_anywhere, st.integers(-QUARTER, 2 * QUARTER))
def test_nothing_after_the_cut_off_is_heard(notes, now):
    cut = [
        HeardNote(n.onset, min(n.end, now), n.note, n.velocity)
        for n in notes
        if n.onset < now
    ]
    sounding = [n for n in notes if n.onset < now]
    np.testing.assert_array_equal(
        gather_evidence(notes, 0, now, 2 * QUARTER, QUARTER),
        gather_evidence(sounding, 0, now, 2 * QUARTER, QUARTER),
    )
    np.testing.assert_array_equal(
        gather_evidence(cut, 0, now, 2 * QUARTER, QUARTER),
        gather_evidence(sounding, 0, now, 2 * QUARTER, QUARTER),
    )


def test_no_chord_is_never_impossible():
    assert 0 < score(held(60))[NO_CHORD_INDEX] < 0.5


def test_a_storm_of_foreign_notes_in_a_known_key_is_still_a_distribution():
    storm = [HeardNote(i, None, 37 + i % 60, 90) for i in range(600)]
    distribution = score(storm, in_key(parse_key("C")))
    assert distribution.sum() == pytest.approx(1, abs=1e-5)
