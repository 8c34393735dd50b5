import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.ear.key import (
    CELL_TICKS,
    N_KEYS,
    KeyListener,
    gather_key_evidence,
    hold_key,
    join_opinion,
)
from jackcomp.ear.tables import load_ear_tables
from jackcomp.ear.window import HeardNote
from jackcomp.theory.key import KEYS, format_key

TABLES = load_ear_tables().key
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)


def hear(listener, pitch_classes):
    """One quarter each."""
    for cell, pc in enumerate(pitch_classes):
        start = cell * CELL_TICKS
        note = HeardNote(start, start + CELL_TICKS, 60 + pc, 90)
        state = listener.update(gather_key_evidence([note], cell, start + CELL_TICKS))
    return state.sum(axis=0)


def best(keys):
    return format_key(KEYS[int(keys.argmax())])


def entropy(keys):
    return -float(np.sum(keys * np.log(np.maximum(keys, 1e-12))))


def test_before_any_note_all_tonics_are_equal():
    keys = KeyListener(TABLES).state.sum(axis=0)
    assert np.ptp(keys[:12]) == np.ptp(keys[12:]) == 0
    assert keys.sum() == pytest.approx(1, abs=1e-6)


def test_c_major_scale_is_in_c():
    assert best(hear(KeyListener(TABLES), (*MAJOR_SCALE, 0, 7, 4, 0))) == "C"


def test_a_harmonic_minor_line_is_in_a_minor():
    line = (9, 11, 0, 2, 4, 5, 8, 9, 4, 0, 9, 8, 9, 2, 5, 4, 8, 11, 9)
    assert best(hear(KeyListener(TABLES), line)) == "Am"


def test_three_notes_leave_more_doubt_than_a_melody():
    few = hear(KeyListener(TABLES), (0, 2, 4))
    many = hear(KeyListener(TABLES), (0, 2, 4, 5, 7, 9, 11, 0, 4, 7, 5, 4, 2, 0))
    assert entropy(few) > 1.5 > entropy(many)


def test_a_modulation_is_followed():
    c_major = (0, 4, 7, 0, 5, 9, 7, 11, 2, 7, 4, 0) * 3
    listener = KeyListener(TABLES)
    assert best(hear(listener, c_major)) == "C"
    moved = [(pc + 6) % 12 for pc in c_major[:24]]
    assert best(hear(listener, moved)) == "F#"


@given(st.lists(st.integers(0, 11), min_size=1, max_size=24), st.integers(1, 11))
def test_transposing_the_notes_transposes_the_keys(line, semitones):
    keys = hear(KeyListener(TABLES), line).reshape(2, 12)
    moved = hear(KeyListener(TABLES), [(pc + semitones) % 12 for pc in line])
    np.testing.assert_allclose(
        moved.reshape(2, 12), np.roll(keys, semitones, axis=1), atol=1e-6
    )


def test_a_preview_is_what_the_update_gives_and_is_forgotten():
    listener = KeyListener(TABLES)
    note = HeardNote(0, 1000, 60, 90)
    evidence = gather_key_evidence([note], 0, CELL_TICKS)
    before = listener.state
    preview = listener.preview(evidence)
    np.testing.assert_array_equal(listener.state, before)
    np.testing.assert_array_equal(listener.update(evidence), preview)


def test_reset_forgets_the_key():
    listener = KeyListener(TABLES)
    fresh = listener.state
    hear(listener, MAJOR_SCALE)
    listener.reset()
    np.testing.assert_array_equal(listener.state, fresh)


def test_evidence_stops_at_the_cut_off():
    notes = [HeardNote(0, 5000, 60, 90), HeardNote(1000, 1900, 64, 90)]
    evidence = gather_key_evidence(notes, 0, 960)
    assert evidence[:, 4].sum() == 0
    assert evidence[1, 0] == 0.5


def test_a_stuck_note_stops_counting():
    stuck = HeardNote(0, None, 60, 90)
    assert gather_key_evidence([stuck], 7, 10**6)[:, 0].sum() == 1.0
    assert gather_key_evidence([stuck], 8, 10**6).sum() == 0.0


def test_a_known_key_leaves_only_the_idiom_in_doubt():
    listener = KeyListener(TABLES)
    hear(listener, MAJOR_SCALE)
    held = hold_key(listener.state, 9)
    assert held[:, 9].sum() == pytest.approx(1)
    assert held.sum() == pytest.approx(1)
    idioms = listener.state[:, 9] / listener.state[:, 9].sum()
    np.testing.assert_allclose(held[:, 9], idioms)


def test_the_networks_opinion_moves_the_key_and_not_the_idioms():
    state = KeyListener(TABLES).state
    opinion = np.full(N_KEYS, 0.01 / (N_KEYS - 1), np.float32)
    opinion[5] = 0.99
    joined = join_opinion(state, opinion)
    assert joined.sum() == pytest.approx(1)
    assert joined.sum(axis=0).argmax() == 5
    of_idioms = state[:, 5] / state[:, 5].sum()
    np.testing.assert_allclose(joined[:, 5] / joined[:, 5].sum(), of_idioms)
