import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.ear.melody import (
    N_CELLS,
    N_FEATURES,
    N_PITCHED,
    SNAP_TICKS,
    no_past,
    pass_step,
    see_step,
)
from jackcomp.ear.window import HeardNote
from jackcomp.timeline.meter import parse_meter

METER = parse_meter("4/4")
STEP = 3840
EIGHTH = 960

notes_in_order = st.lists(
    st.tuples(st.integers(0, 4 * STEP), st.integers(1, STEP), st.integers(48, 80)),
    max_size=24,
).map(
    lambda rows: [
        HeardNote(onset, onset + length, note, 80)
        for onset, length, note in sorted(rows)
    ]
)


def see(notes, step=1, now=2 * STEP, meter=METER):
    past = no_past()
    for before in range(step):
        past = pass_step(past, notes, meter, before)
    return see_step(past, notes, meter, step, now)


def pitched(features):
    return features[: 12 * N_PITCHED].reshape(12, N_PITCHED)


@given(notes_in_order, st.integers(1, 11), st.integers(STEP - 200, 2 * STEP))
def test_all_pitch_classes_are_treated_alike(notes, semitones, now):
    moved = [HeardNote(n.onset, n.end, n.note + semitones, 80) for n in notes]
    one, other = see(notes, now=now), see(moved, now=now)
    rolled = np.roll(pitched(one), semitones, axis=0)
    # Which octave is which is the same too: lowest and highest move along.
    np.testing.assert_allclose(pitched(other), rolled, atol=1e-6)
    np.testing.assert_array_equal(one[12 * N_PITCHED :], other[12 * N_PITCHED :])


@given(notes_in_order, st.integers(STEP, 2 * STEP), st.integers(0, 11))
def test_what_comes_later_is_not_looked_at(notes, now, pitch_class):
    heard = [
        HeardNote(n.onset, n.end if n.end < now else None, n.note, 80)
        for n in notes
        if n.onset < now
    ]
    late = [HeardNote(now + 7, None, 60 + pitch_class, 80)]
    np.testing.assert_array_equal(see(notes, now=now), see([*heard, *late], now=now))


def test_a_step_is_cut_into_eighths():
    rows = pitched(see([HeardNote(STEP + EIGHTH, STEP + 3 * EIGHTH, 64, 80)]))
    np.testing.assert_allclose(rows[4, :N_CELLS], [0, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(rows[4, N_CELLS : 2 * N_CELLS], [0, 1, 0, 0, 0, 0])


def test_a_long_bar_is_cut_into_six():
    meter = parse_meter("3/2")
    bar = meter.bar_ticks
    rows = pitched(see([HeardNote(0, bar, 60, 80)], 0, bar, meter))
    np.testing.assert_allclose(rows[0, :N_CELLS], np.ones(N_CELLS))


@pytest.mark.parametrize(("early", "is_struck"), [(SNAP_TICKS, 1), (SNAP_TICKS + 1, 0)])
def test_a_note_just_before_the_line_was_meant_for_it(early, is_struck):
    rows = pitched(see([HeardNote(STEP - early, STEP + EIGHTH, 67, 80)]))
    assert rows[7, N_CELLS] == is_struck


def test_older_notes_fade():
    notes = [HeardNote(0, 960, 60, 80), HeardNote(4 * STEP, 4 * STEP + 960, 62, 80)]
    shares = pitched(see(notes, 5, 6 * STEP))[:, -3:]
    # The shorter the memory, the more the later note outweighs the earlier.
    assert (np.diff(shares[2]) < 0).all()
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("text", ["2/4", "3/4", "4/4", "6/8", "12/8", "5/4", "7/8"])
def test_every_meter_is_told(text):
    meter = parse_meter(text)
    notes = [HeardNote(i * 960, i * 960 + 900, 60 + i % 7, 80) for i in range(40)]
    for step in range(-1, 6):
        features = see(notes, max(step, 0), 10**6, meter)
        assert features.shape == (N_FEATURES,)
        assert np.isfinite(features).all()
        assert (features >= 0).all()
