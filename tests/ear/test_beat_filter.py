import numpy as np
import pytest

from jackcomp.ear.beat_filter import (
    LOG_PERIOD_STEP,
    N_PHASES,
    N_TEMPI,
    PERIODS,
    BeatFilter,
    lay_out,
)
from jackcomp.ear.pulse_tables import load_pulse_tables


@pytest.fixture(scope="module")
def tables():
    return load_pulse_tables()


@pytest.fixture
def beat_filter(tables):
    return BeatFilter(tables)


def certain_of(row, column):
    belief = np.zeros((N_TEMPI, N_PHASES))
    belief[row, column] = 1
    return belief


def phase_of(belief):
    turn = np.exp(2j * np.pi * np.arange(N_PHASES) / N_PHASES)
    return np.angle(belief.sum(axis=0) @ turn) / (2 * np.pi) % 1


def test_the_belief_is_a_distribution_after_every_onset(beat_filter):
    rng = np.random.default_rng(1)
    for seconds in np.cumsum(rng.exponential(0.4, 100)):
        beat_filter.hear(float(seconds), rng.uniform(), rng.uniform(-1, 1))
        assert beat_filter.belief.min() >= 0
        assert beat_filter.belief.sum() == pytest.approx(1)


@pytest.mark.parametrize("beats", [0.25, 1, 3.5])
def test_time_turns_the_phase_by_the_tempo(beat_filter, beats):
    beat_filter.reset(certain_of(30, 4))
    beat_filter.elapse(beats * PERIODS[30])
    assert phase_of(beat_filter.belief) == pytest.approx((4 / 32 + beats) % 1, abs=0.01)


def test_certainty_is_lost_with_time(beat_filter):
    peaks = []
    for beats in (0.5, 2, 8):
        beat_filter.reset(certain_of(30, 0))
        beat_filter.elapse(beats * PERIODS[30])
        peaks.append(beat_filter.belief.max())
    assert peaks[0] > peaks[1] > peaks[2]


def test_the_layout_shares_an_onset_out_to_its_neighbours():
    row = 30
    # 2.5 twelfths of a beat, and five and a half beats: 48 twelfths and 9 sixths.
    ago = np.array([[2.5 / 12, 5.5 + 1e-6, 0]]) * PERIODS[row]
    traits = np.array([[(0.25, -0.5), (0.5, -0.5), (9.0, 9.0)]])
    onsets, leaps, accents = lay_out(ago, traits)[0, row]
    assert np.flatnonzero(onsets > 1e-3).tolist() == [2, 3, 57]
    assert onsets[[2, 3, 57]] == pytest.approx([0.5, 0.5, 1], abs=1e-4)
    assert leaps[[2, 3, 57]] == pytest.approx([0.125, 0.125, 0.5], abs=1e-4)
    assert accents == pytest.approx(-0.5 * onsets)


def test_the_layout_is_the_same_in_the_beats_of_any_tempo():
    ago = np.array([[0.2, 0.6, 1.1, 1.9]])
    both = np.concatenate([ago, ago * np.exp(5 * LOG_PERIOD_STEP)])
    here, there = lay_out(both, np.zeros((*both.shape, 2)))
    assert there[5:] == pytest.approx(here[:-5], abs=1e-9)
