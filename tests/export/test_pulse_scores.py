import math

import numpy as np
import pytest

from export.pulse_scores import Beat, pool_scores, score_beats

TRUTH = np.arange(2.0, 42.0, 0.5)
FIRST, LAST = 2.0, 41.6


def train(period=0.5, begin=0.0, end=43.0, tempo=None):
    return [Beat(t, tempo or period) for t in np.arange(begin, end, period)]


def score(beats):
    return score_beats(TRUTH, beats, FIRST, LAST)


def test_the_truth_itself_is_right_in_everything():
    scores = score(train())
    assert set(scores.measures.values()) == {1.0}
    assert scores.phase_ms.max() == pytest.approx(0, abs=1e-6)
    assert scores.lock_s == 0
    assert scores.correction == pytest.approx(0)


def test_beats_between_the_beats_are_in_no_phase():
    measures = score(train(begin=0.25)).measures
    assert measures["f"] == measures["cmlt"] == measures["in_phase"] == 0
    assert measures["tempo4"] == 1
    assert measures["amlt"] == 1, "off-beats are another metrical level"


def test_half_tempo_is_right_an_octave_off():
    measures = score(train(period=1.0)).measures
    assert measures["tempo4"] == measures["cmlt"] == 0
    assert measures["tempo4_octave"] == measures["amlt"] == 1
    assert measures["in_phase"] == 0


def test_the_tempo_must_be_within_four_per_cent():
    assert score(train(tempo=0.519)).measures["tempo4"] == 1
    assert score(train(tempo=0.521)).measures["tempo4"] == 0


def test_a_beat_out_of_step_breaks_continuity():
    beats = train()
    late = [Beat(b.seconds + 0.2 * (b.seconds == 20.0), b.period) for b in beats]
    scores = score(late)
    assert 0.4 < scores.measures["cmlc"] < 0.6 < 0.9 < scores.measures["cmlt"] < 1
    # The beat itself, and the next one: its interval is short.
    assert scores.measures["in_phase"] == pytest.approx(1 - 2 / len(TRUTH))
    assert scores.correction == pytest.approx(0.4)


def test_locking_takes_eight_beats_in_a_row():
    beats = train(begin=0.25, end=10.0) + train(begin=10.0)
    assert score(beats).lock_s == pytest.approx(8.5)
    assert score(train(begin=0.25)).lock_s == math.inf


def test_a_beat_too_few_or_too_many_is_told():
    beats = train()
    assert score(beats).measures["kept"] == 1
    # He hurries by a beat in the middle, and is in phase before and after.
    extra = (
        train(end=20.0) + train(period=0.4, begin=20.0, end=22.0) + train(begin=22.0)
    )
    assert score(extra).measures["kept"] == 0
    assert score(extra).measures["in_phase"] > 0.8
    assert score(train(begin=0.25)).measures["kept"] == 0


def test_acquisition_counts():
    beats = train(begin=0.25, end=22.0) + train(begin=22.0)
    assert score(beats).measures["in_phase"] == pytest.approx(0.5, abs=0.03)


def test_songs_weigh_the_same_and_beats_are_pooled():
    never = score(train(begin=0.25))
    pooled = pool_scores([score(train()), never, never])
    assert pooled["cmlt"] == pytest.approx(1 / 3)
    assert pooled["lock_s"] == math.inf
    assert pooled["locked"] == pytest.approx(1 / 3)
    assert pooled["phase_ms_p90"] == pytest.approx(250)
