import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jackcomp.decision.fusion import (
    BRAIN_ALONE,
    DEFAULT_AI_WEIGHT,
    EAR_ALONE,
    FITTED,
    pool,
    weights_for,
)
from jackcomp.theory.vocabulary import N_CHORDS

distributions = arrays(np.float32, N_CHORDS, elements=st.floats(0, 1, width=32)).map(
    lambda counts: ((counts + 1e-4) / (counts + 1e-4).sum()).astype(np.float32)
)


@given(distributions, distributions, distributions, st.floats(0, 1))
def test_the_pool_is_a_distribution(brain, ear, expected, ai_weight):
    pooled = pool(brain, ear, ai_weight, expected)
    assert pooled.dtype == np.float32
    assert (pooled >= 0).all()
    assert pooled.sum() == pytest.approx(1, abs=1e-5)


@given(distributions, distributions, distributions)
def test_at_the_ends_one_of_them_decides_alone(brain, ear, expected):
    np.testing.assert_allclose(pool(brain, ear, 0.0, expected), ear, atol=1e-6)
    np.testing.assert_allclose(pool(brain, ear, 1.0, expected), brain, atol=1e-6)


@pytest.mark.parametrize(
    ("ai_weight", "weights"),
    [(0.0, EAR_ALONE), (DEFAULT_AI_WEIGHT, FITTED), (1.0, BRAIN_ALONE)],
)
def test_the_weights_pass_through_ear_fitted_and_brain(ai_weight, weights):
    assert weights_for(ai_weight) == weights


@given(distributions, distributions)
def test_a_brain_that_knows_no_more_than_the_key_changes_nothing(ear, expected):
    np.testing.assert_allclose(pool(expected, ear, 0.5, expected), ear, atol=1e-5)


def test_what_both_hold_likely_wins():
    brain, ear = np.full((2, N_CHORDS), 0.1 / (N_CHORDS - 2), np.float32)
    brain[[1, 2]] = 0.45
    ear[[2, 3]] = 0.45
    assert pool(brain, ear).argmax() == 2


def test_a_certain_brain_does_not_silence_the_ear():
    brain, ear = np.zeros((2, N_CHORDS), np.float32)
    brain[1] = ear[2] = 1.0
    pooled = pool(brain, ear)
    assert np.isfinite(pooled).all()
    assert pooled[2] > 0


def test_more_ai_weight_moves_the_pool_towards_the_brain():
    brain, ear = np.full((2, N_CHORDS), 0.5 / (N_CHORDS - 1), np.float32)
    brain[1] = ear[2] = 0.5
    shares = [pool(brain, ear, weight)[1] for weight in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert shares == sorted(shares)


@pytest.mark.parametrize("ai_weight", [-0.1, 1.1, float("nan")])
def test_an_ai_weight_outside_its_range_is_refused(ai_weight):
    flat = np.full(N_CHORDS, 1 / N_CHORDS, np.float32)
    with pytest.raises(ValueError, match="from 0 to 1"):
        pool(flat, flat, ai_weight)
