import json
import math
from dataclasses import replace

import numpy as np
import pytest

from export.pulse_songs import (
    DRIFT,
    JITTER_SECONDS,
    SOURCES,
    TimedSong,
    bend,
    randomness_of,
    read_timed_songs,
    roughen,
)
from export.songs import LEADSHEET_FILES
from jackcomp.errors import ConfigError


@pytest.fixture
def song():
    onsets = np.arange(0.25, 120, 0.25)
    count = len(onsets)
    return TimedSong(
        *("made:up", "pop909", "MIT", "train", onsets),
        *(tuple(range(count)), (80,) * count, np.arange(0.0, 120, 0.5), 4, (0, 4)),
    )


def test_roughening_moves_onsets_a_little_and_leaves_the_beats(song):
    rough = roughen(song, np.random.default_rng(1), 0.0)
    moved = rough.onsets - song.onsets
    assert 0.8 * JITTER_SECONDS < np.abs(moved).max() <= JITTER_SECONDS
    assert rough.beats == pytest.approx(song.beats)


def test_the_tempo_drifts_by_as_much_as_is_asked(song):
    rough = roughen(song, np.random.default_rng(1), DRIFT)
    stretch = np.diff(rough.beats) / np.diff(song.beats) - 1
    assert np.abs(stretch).max() == pytest.approx(DRIFT, rel=0.02)
    # Onsets stay where they are in the beats.
    places = np.interp(rough.onsets, rough.beats, np.arange(len(rough.beats)))
    assert places[:-1] == pytest.approx(song.onsets[:-1] / 0.5, abs=0.06)


def test_notes_stay_with_their_onsets(song):
    near = replace(song, onsets=np.arange(len(song.onsets)) * 0.001)
    rough = roughen(near, np.random.default_rng(1), 0.0)
    assert (np.diff(rough.onsets) >= 0).all()
    moved = rough.onsets - near.onsets[list(rough.notes)]
    assert np.abs(moved).max() <= JITTER_SECONDS


def test_chance_depends_on_song_and_purpose_alone():
    one = randomness_of("a", "play").uniform()
    assert randomness_of("a", "play").uniform() == one
    assert randomness_of("b", "play").uniform() != one
    assert randomness_of("a", "prior").uniform() != one


def test_a_bent_tempo_changes_within_some_beats_and_onsets_stay_in_them(song):
    slowest = []
    for seed in range(20):
        bent = bend(song, np.random.default_rng(seed))
        lengths = np.diff(bent.beats) / np.diff(song.beats)
        change = np.abs(np.diff(np.log(lengths)))
        slowest.append(lengths.max())
        # Going back at once is the largest step; else 34 % in four beats at most.
        assert (change > 0.1).mean() < 0.05
        assert np.abs(np.log(lengths)).max() <= 0.5 + 1e-6
        places = [
            np.interp(each.onsets, each.beats, np.arange(len(each.beats)))
            for each in (song, bent)
        ]
        assert places[1] == pytest.approx(places[0], abs=0.1)
    assert max(slowest) > 1.2


@pytest.mark.slow
def test_songs_are_performed_the_same_way_every_time():
    one = read_timed_songs(LEADSHEET_FILES, "valid", limit=12)
    two = read_timed_songs(LEADSHEET_FILES, "valid", limit=12)
    for a, b in zip(one, two, strict=True):
        assert a.split == "valid"
        assert (a.onsets == b.onsets).all()
        assert (a.beats == b.beats).all()
        assert (np.diff(a.onsets) >= 0).all()
        assert len(a.scored_beats()) > 2
    assert {song.source for song in one} == set(SOURCES)


@pytest.mark.parametrize(
    ("onset", "beat", "why"),
    [
        (math.inf, 1, "onset_sec inf: expected up to"),
        (1, math.nan, "beat_times nan: expected up to"),
        (4e9, 1, "onset_sec 4000000000.0: expected up to"),
    ],
)
def test_what_is_no_time_is_refused_in_one_line(tmp_path, onset, beat, why):
    timing = {"onset_sec": [0, onset], "beat_times": [0, beat]}
    melody = [[0, 1, 60, None], [1, 1, 62, None]]
    meter = {"beats_per_bar": 4, "downbeat_offset": 0}
    record = dict.fromkeys(("id", "source", "licence"), "a") | {"split": "train"}
    path = tmp_path / "songs.jsonl"
    path.write_text(
        json.dumps({**record, "timing": timing, "melody": melody, "meter": meter})
    )
    with pytest.raises(ConfigError, match=f"songs.jsonl, line 1: {why}"):
        read_timed_songs([path])


@pytest.mark.slow
def test_songs_without_seconds_are_refused():
    with pytest.raises(ConfigError, match="no songs with times in seconds"):
        read_timed_songs(LEADSHEET_FILES[1:], "valid")
    with pytest.raises(ConfigError, match="unknown split 'tset'"):
        read_timed_songs(LEADSHEET_FILES, "tset")
