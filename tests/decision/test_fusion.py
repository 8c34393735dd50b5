from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jackcomp.decision.fusion import (
    BEFORE,
    BEGUN,
    BRAIN_ALONE,
    DEFAULT_AI_WEIGHT,
    WHOLE,
    Evidence,
    foresee,
    pool,
    settle,
    weights_for,
)
from jackcomp.theory.vocabulary import N_CHORDS

distributions = arrays(np.float32, N_CHORDS, elements=st.floats(0, 1, width=32)).map(
    lambda counts: ((counts + 1e-4) / (counts + 1e-4).sum()).astype(np.float32)
)
shares = st.floats(0, 1)
FLAT = np.full(N_CHORDS, 1 / N_CHORDS, np.float32)
SILENT = np.zeros(N_CHORDS)


def evidence(tables=FLAT, listener=FLAT, expected=FLAT, share=0.0):
    return Evidence(tables, listener, expected, SILENT, share)


def peak(*chords):
    chances = np.full(N_CHORDS, 0.1 / N_CHORDS, np.float32)
    chances[list(chords)] = 0.9 / len(chords)
    return chances / chances.sum()


def mixed(brain, heard, ai_weight=DEFAULT_AI_WEIGHT):
    return pool(brain, heard, weights_for(ai_weight, heard.share))


@given(distributions, distributions, distributions, distributions, shares, shares)
def test_the_pool_is_a_distribution(brain, tables, listener, expected, ai, share):
    pooled = mixed(brain, evidence(tables, listener, expected, share), ai)
    assert pooled.dtype == np.float32
    assert (pooled >= 0).all()
    assert pooled.sum() == pytest.approx(1, abs=1e-5)


@given(distributions, distributions, distributions, distributions, shares)
def test_at_the_ends_tables_or_brain_decide_alone(brain, other, tables, key, share):
    heard, with_other = (evidence(tables, each, key, share) for each in (brain, other))
    np.testing.assert_allclose(
        mixed(brain, heard, 0.0), mixed(other, with_other, 0.0), atol=1e-6
    )
    np.testing.assert_allclose(mixed(brain, heard, 1.0), brain, atol=1e-5)


def test_the_weights_pass_through_the_fitted_ones_as_a_step_is_heard():
    assert weights_for(DEFAULT_AI_WEIGHT, 0.0) == BEFORE
    assert weights_for(DEFAULT_AI_WEIGHT, 1e-9).listener == pytest.approx(
        BEGUN.listener
    )
    assert weights_for(DEFAULT_AI_WEIGHT, 1.0) == WHOLE
    assert weights_for(1.0, 0.5) == BRAIN_ALONE
    alone = weights_for(0.0, 1.0)
    assert (alone.listener, alone.brain) == (0.0, 0.0)
    assert alone.tables == pytest.approx(WHOLE.tables + WHOLE.listener)


@given(distributions, distributions, distributions, shares)
def test_a_brain_that_knows_no_more_than_the_key_changes_nothing(
    tables, listener, expected, share
):
    heard = evidence(tables, listener, expected, share)
    without = replace(weights_for(DEFAULT_AI_WEIGHT, share), brain=0.0)
    np.testing.assert_allclose(
        mixed(expected, heard), pool(expected, heard, without), atol=1e-5
    )


def test_what_both_hold_likely_wins():
    heard = evidence(peak(2, 3), peak(2, 3))
    assert mixed(peak(1, 2), heard).argmax() == 2


def test_a_certain_brain_does_not_silence_the_ear():
    brain, ear = np.zeros((2, N_CHORDS), np.float32)
    brain[1] = ear[2] = 1.0
    pooled = mixed(brain, evidence(ear, ear))
    assert np.isfinite(pooled).all()
    assert pooled[2] > 0


def test_more_ai_weight_moves_the_pool_towards_the_brain():
    heard = evidence(peak(2), peak(2))
    found = [mixed(peak(1), heard, weight)[1] for weight in (0.0, 0.25, 0.5, 0.75, 1)]
    assert found == sorted(found)


def test_what_nobody_has_heard_yet_is_up_to_brain_and_key():
    assert foresee(peak(1, 2), peak(2, 3), 0.5).argmax() == 2
    np.testing.assert_allclose(foresee(peak(1), peak(3), 1.0), peak(1), atol=1e-5)


@given(distributions, distributions, shares)
def test_the_memory_is_mixed_in_by_its_trust(pooled, remembered, trust):
    settled = settle(pooled, remembered, trust, SILENT)
    wanted = (1 - trust) * pooled + trust * remembered
    np.testing.assert_allclose(settled, wanted, atol=1e-5)


def test_the_left_hand_has_the_last_word():
    stated = np.full(N_CHORDS, -9.0)
    stated[7] = 0.0
    assert settle(peak(1), peak(1), 0.5, stated).argmax() == 7


@pytest.mark.parametrize("ai_weight", [-0.1, 1.1, float("nan")])
def test_an_ai_weight_outside_its_range_is_refused(ai_weight):
    with pytest.raises(ValueError, match="from 0 to 1"):
        weights_for(ai_weight, 0.0)
