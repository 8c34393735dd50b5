import numpy as np
import pytest

from jackcomp.brain.features import N_GENRES, N_MOVES, ChordInput
from jackcomp.brain.genre import GenreTables, probabilities


@pytest.fixture
def tables() -> GenreTables:
    moves = np.full((N_GENRES, N_MOVES), np.log(0.1))
    moves[1, 5] = np.log(0.8)
    return GenreTables(np.log(np.full(N_GENRES, 1 / N_GENRES)), moves, temper=0.5)


def told(move: int, held: int = 1) -> ChordInput:
    return ChordInput(move, 0, 0, held)


def test_evidence_is_bayes_rule_tempered(tables):
    evidence = tables.hear(tables.start(1), [told(5)])
    expected = np.array([1, 8**0.5, 1, 1])
    np.testing.assert_allclose(
        probabilities(evidence)[0], expected / expected.sum(), rtol=1e-6
    )


def test_a_chord_that_is_held_says_nothing(tables):
    before = tables.hear(tables.start(1), [told(5)])
    assert (tables.hear(before, [told(5, held=2)]) == before).all()


def test_histories_are_judged_each_for_itself(tables):
    chances = probabilities(tables.hear(tables.start(2), [told(5), told(6)]))
    assert chances[0, 1] > chances[1, 1] == pytest.approx(1 / N_GENRES)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
