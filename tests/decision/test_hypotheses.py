import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.decision.hypotheses import continue_histories, mix_foreseen
from jackcomp.theory.vocabulary import N_CHORDS, NO_CHORD_INDEX


def some_distributions(seed, rows):
    counts = np.random.default_rng(seed).gamma(0.2, size=(rows, N_CHORDS)) + 1e-6
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def test_one_history_foresees_what_the_brain_does():
    foreseen = some_distributions(0, 1)
    np.testing.assert_allclose(mix_foreseen(np.ones(1), foreseen), foreseen[0])


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 8))
def test_the_likeliest_chords_go_on_and_their_weights_sum_to_one(seed, old, width):
    foreseen = some_distributions(seed, old)
    weights = np.full(old, 1 / old)
    pooled = some_distributions(seed + 1, 1)[0]
    found = continue_histories(weights, foreseen, pooled, width)
    assert len(found.chords) == len(set(found.chords.tolist())) == width
    assert found.weights.sum() == pytest.approx(1)
    assert (np.diff(found.weights) <= 0).all()
    assert NO_CHORD_INDEX not in found.chords
    assert pooled[found.chords].min() >= np.sort(pooled[:-1])[-width]


def test_a_chord_carries_on_the_history_that_foresaw_it():
    foreseen = np.full((2, N_CHORDS), 1e-3, np.float32)
    foreseen[0, 5] = foreseen[1, 9] = 0.8
    pooled = np.full(N_CHORDS, 1e-3, np.float32)
    pooled[[5, 9]] = 0.5, 0.3
    found = continue_histories(np.array([0.5, 0.5]), foreseen, pooled, 2)
    assert found.chords.tolist() == [5, 9]
    assert found.parents.tolist() == [0, 1]
