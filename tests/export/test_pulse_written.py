from dataclasses import replace

import numpy as np
import pytest

from export.pulse_lessons import positions_in_beats
from export.pulse_songs import DRIFT, JITTER_SECONDS
from export.pulse_written import FASTEST, LATEST_OFFBEAT, SLOWEST, keeps_its_pulse, play
from export.songs import Bar, MelodyNote, Song
from jackcomp.timeline.meter import parse_meter


def make(meter, parts):
    """Write 40 pulses, each with notes at these parts of it; the first is an upbeat."""
    written = parse_meter(meter)
    pulse = written.pulse_ticks
    onsets = [-round(pulse * (1 - parts[-1]))]
    onsets += [round((beat + part) * pulse) for beat in range(40) for part in parts]
    bars = tuple(
        Bar(start, start + written.bar_ticks, written)
        for start in range(0, 40 * pulse, written.bar_ticks)
    )
    return Song(
        *("made:up", "openewld", "public domain", "train", "made:up", None),
        *(written, bars, None, (), False, None, ()),
        tuple(
            MelodyNote(onset, 100, 60 + n % 5, None) for n, onset in enumerate(onsets)
        ),
    )


def place(played):
    """Return the place of each onset in its beat, and how far the hands may be off."""
    unsteady = JITTER_SECONDS / np.diff(played.beats).min()
    return positions_in_beats(played.beats, played.onsets), unsteady + 1e-6


@pytest.mark.parametrize(
    ("meter", "parts"), [("6/8", (0, 1 / 3, 2 / 3)), ("4/4", (0,)), ("2/2", (0,))]
)
def test_the_beat_is_where_it_is_written(meter, parts):
    for seed in range(20):
        played = play(make(meter, parts), np.random.default_rng(seed))
        where, unsteady = place(played)
        expected = np.array([(beat + part) for beat in range(40) for part in parts])
        assert np.abs(where[1:] - 1 - expected).max() < unsteady
        assert where[0] == pytest.approx(parts[-1], abs=unsteady)


def test_every_tempo_is_played_and_wanders_no_further_than_pop_or_is_bent():
    tempi, bent = [], 0
    for seed in range(60):
        beats = np.diff(play(make("4/4", (0, 0.5)), np.random.default_rng(seed)).beats)
        tempi.append(60 / beats.mean())
        bent += beats.max() / beats.min() >= (1 + DRIFT) / (1 - DRIFT)
    assert 15 < bent < 35
    assert SLOWEST * (1 - DRIFT) / 1.4 < min(tempi) < 72
    assert 150 < max(tempi) < FASTEST * (1 + DRIFT) * 1.4


def test_some_are_swung_and_then_throughout():
    middles = []
    for seed in range(60):
        played = play(make("4/4", (0, 0.5)), np.random.default_rng(seed))
        where, unsteady = place(played)
        offbeats = where[2::2] % 1
        assert np.ptp(offbeats) < 2 * unsteady
        assert np.abs((where[1::2] + 0.5) % 1 - 0.5).max() < unsteady
        middles.append(float(np.median(offbeats)))
    swung = np.array(middles) > 0.53
    assert 10 < swung.sum() < 35
    assert max(middles) < LATEST_OFFBEAT + 0.02


def test_the_same_chance_plays_the_same():
    song = make("4/4", (0, 0.5))
    one, two, other = (play(song, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.onsets, two.onsets)
    assert one.velocities == two.velocities != other.velocities


def test_a_song_whose_pulse_changes_is_told_apart():
    song = make("4/4", (0,))
    assert keeps_its_pulse(song)
    assert keeps_its_pulse(replace(song, bars=(*song.bars, bar_of("3/4"))))
    assert not keeps_its_pulse(replace(song, bars=(*song.bars, bar_of("6/8"))))


def bar_of(meter):
    """Return one bar more."""
    return Bar(0, 0, parse_meter(meter))
