from dataclasses import replace

import numpy as np
import pytest

from jackcomp.ear.beat_filter import (
    BEND_ROWS,
    LAID_PERIODS,
    LOG_PERIOD_STEP,
    LOG_PERIODS,
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


EVEN = np.full(N_TEMPI, 1 / N_TEMPI)


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


def tempi_after_a_beat(tables, blurs, regimes, row):
    """Give the distribution of tempi a beat after one was certain, the phase not."""
    fixed = {"unrest": 0.0, "surprise": 0.0}
    learnt = {"tempo_blur": np.array(blurs), "regimes": np.array(regimes)}
    beat_filter = BeatFilter(replace(tables, **learnt, **fixed))
    phases = [certain_of(row, phase) for phase in range(N_PHASES)]
    beat_filter.reset(sum(phases) / N_PHASES)
    beat_filter.elapse(PERIODS[row])
    return beat_filter.belief.sum(axis=1)


def test_each_regime_lets_the_tempo_wander_as_it_does(tables):
    regimes = [0.5, 0.25, 0.25]
    tempi = tempi_after_a_beat(tables, [-30.0, 30.0, -30.0], regimes, 60)
    expected = np.array([0.33, 0.34, 0.33]) * 0.25 + [0, 0.75, 0]
    assert tempi[59:62] == pytest.approx(expected, abs=1e-4)


def test_the_last_regime_changes_the_tempo_within_a_beat(tables):
    bent = [-30.0, -30.0, 30.0], [0.0, 0.0, 1.0]
    tempi = tempi_after_a_beat(tables, *bent, 60)
    mean = tempi @ np.arange(N_TEMPI)
    width = np.sqrt(tempi @ (np.arange(N_TEMPI) - mean) ** 2)
    assert mean == pytest.approx(60, abs=0.01)
    assert width == pytest.approx(BEND_ROWS, abs=0.05)
    # At the end of the grid nothing is lost.
    assert tempi_after_a_beat(tables, *bent, 0).sum() == pytest.approx(1, abs=1e-3)


def test_evidence_counts_in_a_regime_to_its_power(tables):
    """Heard by one who knows nothing, so that the belief is the evidence."""
    beliefs = []
    for power in (1.0, 0.5):
        steady = {"regimes": np.array([1.0, 0, 0]), "tempo_prior": EVEN}
        powers = np.array([power, 1, 1])
        beat_filter = BeatFilter(replace(tables, **steady, tempering=powers))
        beat_filter.hear(0.0, 0.3, 0.2)
        beliefs.append(beat_filter.belief)
    root = np.sqrt(beliefs[0])
    np.testing.assert_allclose(beliefs[1], root / root.sum(), rtol=1e-4)


def test_a_regime_that_does_not_listen_wins_nothing_by_it(tables):
    shares = np.array([0.5, 0.3, 0.2])
    only = replace(tables, regimes=shares, tempo_prior=EVEN)
    alike = BeatFilter(replace(only, tempering=np.array([1.0, 1, 1])))
    dull = BeatFilter(replace(only, tempering=np.array([1.0, 1, 1e-6])))
    for beat_filter in (alike, dull):
        beat_filter.hear(0.0, 0.3, 0.2)
    uniform = 1 / alike.belief.size
    expected = 0.8 * alike.belief + 0.2 * uniform
    np.testing.assert_allclose(dull.belief, expected, rtol=1e-3, atol=1e-7)


def test_what_is_heard_tells_the_regime(tables):
    """A steady soloist is taken for one, so his tempo is known longer in a rest."""
    widths = []
    for drift in (0.0, 0.06):
        beat_filter = BeatFilter(tables)
        beats = np.arange(0, 64, 0.5)
        for second in 0.5 * (beats + drift * 32 / np.pi * np.sin(np.pi * beats / 32)):
            beat_filter.hear(float(second), 0.2, 0.0)
        settled = beat_filter.belief.max(axis=1).argmax()
        beat_filter.keep_near(float(LOG_PERIODS[settled]), 0.3)
        beat_filter.elapse(4.0)
        tempi = beat_filter.belief.sum(axis=1)
        mean = tempi @ LOG_PERIODS
        widths.append(np.sqrt(tempi @ (LOG_PERIODS - mean) ** 2))
    assert widths[0] < widths[1]


def test_the_layout_shares_an_onset_out_to_its_neighbours():
    row = 30
    # 2.5 twelfths of a beat, and five and a half beats: 48 twelfths and 9 sixths.
    ago = np.array([[2.5 / 12, 5.5 + 1e-6, 0]]) * LAID_PERIODS[row]
    traits = np.array([[(0.25, -0.5), (0.5, -0.5), (9.0, 9.0)]])
    onsets, leaps, accents = lay_out(ago, traits)[0, row]
    assert np.flatnonzero(onsets > 1e-3).tolist() == [2, 3, 57]
    assert onsets[[2, 3, 57]] == pytest.approx([0.5, 0.5, 1], abs=1e-4)
    assert leaps[[2, 3, 57]] == pytest.approx([0.125, 0.125, 0.5], abs=1e-4)
    assert accents == pytest.approx(-0.5 * onsets)


def test_the_layout_is_the_same_in_the_beats_of_any_tempo():
    ago = np.array([[0.2, 0.6, 1.1, 1.9]])
    both = np.concatenate([ago, ago * np.exp(10 * LOG_PERIOD_STEP)])
    here, there = lay_out(both, np.zeros((*both.shape, 2)))
    assert there[5:] == pytest.approx(here[:-5], abs=1e-9)
