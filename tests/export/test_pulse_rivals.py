from itertools import pairwise

import numpy as np
import pytest

from export import pulse_rivals
from export.pulse_rivals import Start

EIGHTHS = np.arange(3.0, 40.0, 0.25)


@pytest.mark.parametrize(
    "find", [pulse_rivals.hold_tempo, pulse_rivals.mean_intervals, pulse_rivals.comb]
)
def test_beats_go_on_to_the_last_onset_without_gaps(find):
    beats = find(EIGHTHS, Start(0.52))
    times = [beat.seconds for beat in beats]
    assert times[-1] >= EIGHTHS[-1]
    assert all(0 < b - a < 1.1 for a, b in pairwise(times))


@pytest.mark.parametrize("find", [pulse_rivals.mean_intervals, pulse_rivals.comb])
def test_what_comes_later_changes_nothing_that_was_announced(find):
    rng = np.random.default_rng(5)
    onsets = np.cumsum(rng.uniform(0.1, 0.6, 80))
    other = onsets.copy()
    other[50:] += rng.uniform(0.05, 0.1, 30)
    settled = onsets[49] + 0.1
    one, two = (
        [beat for beat in find(each, Start(0.5)) if beat.seconds <= settled]
        for each in (onsets, other)
    )
    assert len(one) > 10
    assert one == two


def test_the_tempo_that_was_set_is_held():
    beats = pulse_rivals.hold_tempo(EIGHTHS, Start(0.4))
    assert beats[0].seconds == 3
    assert np.diff([beat.seconds for beat in beats]) == pytest.approx(0.4)


def test_the_mean_interval_takes_eighths_for_beats():
    beats = pulse_rivals.mean_intervals(EIGHTHS, Start(0.5))
    assert beats[-1].period == pytest.approx(0.25)


def test_the_comb_finds_a_tempo_that_is_near_the_prior():
    beats = pulse_rivals.comb(EIGHTHS, Start(0.54))
    assert beats[-1].period == pytest.approx(0.5, rel=0.02)
    assert beats[-1].seconds % 0.25 == pytest.approx(0, abs=0.03)
