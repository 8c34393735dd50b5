from dataclasses import replace

import numpy as np
import pytest

from export.pulse_players import play_duet
from export.pulse_songs import TimedSong
from jackcomp.ear.pulse_tables import load_pulse_tables


@pytest.fixture(scope="module")
def tables():
    return load_pulse_tables()


@pytest.fixture
def song():
    """Give eight bars of quarters and eighths, 110 beats a minute."""
    beats = 2 + np.arange(33) * 60 / 110
    places = [
        n + part for n in range(32) for part in ((0, 0.5) if n % 4 == 1 else (0,))
    ]
    onsets = 2 + np.array(places) * 60 / 110
    notes = tuple(60 + (5 * n) % 8 for n in range(len(places)))
    return TimedSong(
        *("made:up", "pop909", "MIT", "train", onsets),
        *(notes, (80,) * len(places), beats, 4, (0, 4)),
    )


def test_a_player_who_listens_keeps_his_tempo(song, tables):
    duet = play_duet(song, 200, np.random.default_rng(0), tables, 0.5)
    assert duet.in_phase.mean() > 0.95
    tempo = 60 / np.diff(duet.player)
    assert tempo[-50:].mean() == pytest.approx(110, rel=0.01)


def test_nobody_plays_in_a_rest_and_the_band_goes_on(song, tables):
    rest = range(32, 40)
    duet = play_duet(song, 52, np.random.default_rng(0), tables, 0.5, rest)
    assert len(duet.player) == len(duet.band) == 52
    lengths = np.diff(duet.band[34:40])
    assert lengths == pytest.approx(lengths[0], abs=1e-4)
    assert duet.in_phase[40]


def test_a_band_elsewhere_is_not_in_phase(song, tables):
    duet = play_duet(song, 20, np.random.default_rng(0), tables, 0.5)
    late = replace(duet, band=duet.band + 0.12)
    assert not late.in_phase.any()
    assert not replace(duet, bpm=2 * duet.bpm).in_phase.any()
