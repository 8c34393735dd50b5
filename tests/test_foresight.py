import numpy as np
import pytest

from jackcomp import duo
from jackcomp.brain.model import VOCABULARY
from jackcomp.brain.song import SongBrain
from jackcomp.foresight import LEAST_DEPTH, Foresight
from jackcomp.theory.vocabulary import N_CHORDS
from jackcomp.timeline.meter import parse_meter

FOUR = parse_meter("4/4")
C, A_MINOR, F_SHARP = map(VOCABULARY.index, ("C:maj", "A:min", "F#:maj"))


class CountingBrain(SongBrain):
    """Counts how often the model is asked."""

    asked = 0

    def step(self, state, chords, positions):
        self.asked += 1
        return super().step(state, chords, positions)


@pytest.fixture(scope="module")
def models():
    return duo.load_models()


@pytest.fixture
def brain(models):
    return CountingBrain(models.brain, models.song.guessed, models.song.genres)


@pytest.fixture
def foresight(brain):
    return Foresight(brain, FOUR, 6)


def sure_of(chord):
    believed = np.full(N_CHORDS, 1e-4, np.float32)
    believed[chord] = 1
    return believed / believed.sum()


def finish(foresight):
    while foresight.ponder():
        pass


def test_it_looks_eight_steps_ahead_at_least(foresight, brain):
    assert len(foresight.ahead(int(foresight.expected.argmax()))) == LEAST_DEPTH == 8
    assert len(Foresight(brain, FOUR, 12).ahead(C)) == 12


def test_a_decision_asks_the_model_nothing(foresight, brain):
    foresight.close(0, sure_of(C))
    asked = brain.asked
    for chord in (int(foresight.expected.argmax()), A_MINOR, F_SHARP):
        assert len(foresight.ahead(chord)) == LEAST_DEPTH
    assert brain.asked == asked


def test_closing_a_step_asks_once_and_pondering_once_a_piece(foresight, brain):
    before = brain.asked
    foresight.close(0, sure_of(C))
    assert brain.asked == before + 1
    pieces = 1
    while foresight.ponder():
        pieces += 1
    assert pieces == LEAST_DEPTH
    assert brain.asked == before + 1 + pieces


def test_until_it_is_finished_the_look_ahead_before_goes_on(foresight):
    foresight.close(0, sure_of(C))
    finish(foresight)
    likeliest = int(foresight.expected.argmax())
    before = foresight.ahead(likeliest)
    assert foresight.late == 0
    foresight.close(1, sure_of(C))
    stale = foresight.ahead(int(foresight.expected.argmax()))
    np.testing.assert_array_equal(stale, [*before[1:], before[-1]])
    assert foresight.late == 1
    finish(foresight)
    after = foresight.ahead(int(foresight.expected.argmax()))
    assert not np.array_equal(after, stale)


def test_a_surprise_is_looked_up_in_the_background(foresight):
    foresight.close(0, sure_of(C))
    finish(foresight)
    foreseen = foresight.ahead(int(foresight.expected.argmax()))
    assert foresight.ahead(F_SHARP) is foreseen
    finish(foresight)
    after_surprise = foresight.ahead(F_SHARP)
    assert len(after_surprise) == LEAST_DEPTH
    assert not np.array_equal(after_surprise[0], foreseen[0])


def test_the_same_steps_give_the_same_expectations(models):
    def run():
        brain = SongBrain(models.brain, models.song.guessed, models.song.genres)
        foresight = Foresight(brain, FOUR, 6)
        for step, chord in enumerate([C, C, A_MINOR, F_SHARP] * 3):
            foresight.close(step, sure_of(chord))
            finish(foresight)
        return np.stack([foresight.expected, *foresight.ahead(C)])

    np.testing.assert_array_equal(run(), run())


def test_a_vamp_is_expected_to_go_on(foresight):
    for step, chord in enumerate([C, C, F_SHARP, F_SHARP] * 4):
        foresight.close(step, sure_of(chord))
    finish(foresight)
    assert foresight.expected.argmax() == C
    assert foresight.ahead(C)[1].argmax() == F_SHARP
