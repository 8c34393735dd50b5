import numpy as np
import pytest

from jackcomp.ear.pulse import OnsetTraits, PulseTracker
from jackcomp.ear.pulse_tables import load_pulse_tables

FOLK = [
    *((0, 60), (1, 64), (1.5, 65), (2, 67), (3, 64)),
    *((4, 62), (4.5, 64), (5, 65), (6, 67), (7, 60)),
]
"""Two bars of quarters and eighths: beats and notes."""


@pytest.fixture(scope="module")
def tables():
    return load_pulse_tables()


@pytest.fixture
def tracker(tables):
    return PulseTracker(tables)


def tune(bars, bpm, begin=1.0):
    """Give seconds, note and velocity of a tune that is repeated."""
    period = 60 / bpm
    return [
        (begin + (8 * turn + beat) * period, note, 80)
        for turn in range(bars // 2)
        for beat, note in FOLK
    ]


def off_the_beat(pulse, bpm, begin=1.0):
    """Return how far a pulse is from the nearest true beat, in beats."""
    beats = (pulse.beat - begin) * bpm / 60
    return abs(beats - round(beats))


@pytest.mark.parametrize("bpm", [92, 120, 138])
def test_a_set_tempo_that_is_eight_per_cent_off_is_mended(tracker, bpm):
    tracker.reset(60 / bpm * 1.08)
    for note in tune(4, bpm):
        pulse = tracker.hear(*note)
    assert 60 / pulse.period == pytest.approx(bpm, rel=0.04)
    assert off_the_beat(pulse, bpm) < 0.1


@pytest.mark.parametrize("bpm", [100, 120])
def test_the_tempo_is_found_within_eight_beats(tracker, bpm):
    found = []
    for note in tune(4, bpm):
        pulse = tracker.hear(*note)
        if (note[0] - 1) * bpm / 60 >= 8:
            found.append(60 / pulse.period / bpm)
    assert np.median(np.abs(np.log2(found))) < 0.06


def test_a_count_in_is_believed_from_the_first_note_on(tracker):
    tracker.reset(0.5, 1.0)
    pulse = tracker.hear(3.26, 60, 80)  # an upbeat
    assert pulse.period == pytest.approx(0.5, rel=0.05)
    assert off_the_beat(pulse, 120) < 0.1
    assert pulse.confidence > 0.5


@pytest.mark.parametrize("ratio", [0.5, 2])
def test_a_told_tempo_is_not_taken_for_half_or_double(tracker, monkeypatch, ratio):
    """He counts a folk tune otherwise than most would; once told, that is that."""

    def found():
        tracker.reset(60 / (ratio * 120), 1.0)
        return [60 / tracker.hear(*note).period / 120 for note in tune(24, 120)]

    assert all(0.7 * ratio < tempo < 1.4 * ratio for tempo in found())
    monkeypatch.setattr("jackcomp.ear.pulse.TOLD_REACH", 9.0)
    assert abs(np.log2(found()[-1] / ratio)) > 0.5


@pytest.mark.parametrize("period", [60 / 24, 60 / 400])
def test_a_tempo_beyond_the_grid_is_refused(tracker, period):
    with pytest.raises(ValueError, match=r"expected 0\.178 to 1\.333"):
        tracker.reset(period, 1.0)


def test_a_pulse_gives_the_last_beat_at_or_before_the_note(tracker):
    tracker.reset(0.5, 1.0)
    for seconds, note, velocity in tune(4, 120):
        pulse = tracker.hear(seconds, note, velocity)
        assert pulse.beat <= seconds < pulse.beat + pulse.period


def test_confidence_rises_with_what_was_heard(tracker):
    sure = [tracker.hear(*note).confidence for note in tune(8, 120)]
    assert np.mean(sure[-10:]) > 2 * sure[0]
    assert all(0 <= value <= 1 for value in sure)


def test_the_notes_of_a_chord_are_one_onset(tracker, tables):
    alone = PulseTracker(tables)
    for seconds, note, velocity in tune(2, 120):
        pulse = tracker.hear(seconds, note, velocity)
        assert tracker.hear(seconds + 0.004, note + 4, velocity) is None
        assert tracker.hear(seconds + 0.02, note + 7, velocity) is None
        assert alone.hear(seconds, note, velocity) == pulse


def test_it_starts_anew(tracker, tables):
    for note in tune(2, 84):
        tracker.hear(*note)
    tracker.reset()
    fresh = PulseTracker(tables)
    for note in tune(2, 130):
        assert tracker.hear(*note) == fresh.hear(*note)


def test_a_rest_holds_the_tempo(tracker):
    tracker.reset(0.5, 1.0)
    for note in tune(4, 120):
        tracker.hear(*note)
    pulse = tracker.hear(1 + 22 * 0.5, 60, 80)  # six beats after the tune
    assert pulse.period == pytest.approx(0.5, rel=0.03)
    assert off_the_beat(pulse, 120) < 0.1


def test_traits_are_relative_to_what_came_before():
    traits = OnsetTraits()
    assert traits.take(60, 80) == (0, 0)
    assert traits.take(66, 100) == (0.5, 0.25)
    leap, accent = traits.take(90, 41)
    assert leap == 1
    assert accent == pytest.approx(0.5 - 1)
