import numpy as np
import pytest

from export.pulse_lessons import Told, lay_batch, listen, read_lessons
from export.pulse_songs import TimedSong
from export.pulse_written import keeps_its_pulse
from export.songs import LEADSHEET_FILES
from jackcomp.ear.beat_filter import REMEMBERED
from jackcomp.ear.pulse import OnsetTraits


@pytest.fixture
def song():
    beats = np.cumsum(0.5 + 0.05 * np.sin(np.arange(120) / 9)) + 1
    places = np.concatenate([[-1.25], np.arange(0, 110, 0.5)])
    first = beats[1] - beats[0]
    onsets = np.interp(places, np.arange(120), beats)
    onsets[0] = beats[0] - 1.25 * first
    notes = tuple(60 + n % 7 for n in range(len(onsets)))
    return TimedSong(
        *("made:up", "wjazzd", "ODbL", "train", onsets),
        *(notes, (80,) * len(onsets), beats, 4, (0, 4)),
    )


def test_the_truth_is_where_onsets_fall_in_the_beats(song):
    heard = listen(song, np.random.default_rng(0))
    assert heard.phase[1::2] == pytest.approx(0, abs=1e-5)
    assert heard.phase[2::2] == pytest.approx(0.5, abs=1e-5)
    assert heard.phase[0] == pytest.approx(0.75, abs=0.06)  # before the first beat
    local = (song.beats[22] - song.beats[18]) / 4
    assert np.exp(heard.log_period[41]) == pytest.approx(local)


def test_onsets_have_the_traits_that_the_tracker_gives_them(song):
    heard, traits = listen(song, np.random.default_rng(0)), OnsetTraits()
    for row, note in zip(heard.traits, song.notes, strict=True):
        assert row == pytest.approx((1, *traits.take(note, 80)))


def test_a_stretch_keeps_its_past_and_the_truth(song):
    batch = lay_batch([[song]], np.random.default_rng(3), 6, 50)
    assert batch.counts.min() == 1
    for row in range(6):
        elapsed, ago = batch.elapsed[row], batch.ago[row]
        assert elapsed[0] == 0
        assert not ago[0].any()
        assert ago[1:, 0] == pytest.approx(elapsed[1:])
        assert ago[40, 3] == pytest.approx(elapsed[37:41].sum(), rel=1e-5)
        assert np.count_nonzero(ago[49]) == REMEMBERED
        # Phase and tempo agree with the seconds that pass.
        turned = elapsed[1:] * np.exp(-batch.log_period[row, 1:])
        apart = np.diff(batch.phase[row]) - turned
        assert np.abs(apart - np.round(apart)).max() < 0.12


def test_what_is_told_is_near_the_truth(song):
    batch = lay_batch([[song]], np.random.default_rng(4), 30, 10)
    assert set(batch.told) == set(Told)
    off = np.abs(batch.told_log_period - batch.log_period[:, 0])
    counted = np.array(batch.told) == Told.COUNT_IN
    assert off[counted].max() < 0.021 < off[~counted].max() < 0.106
    turned = (batch.told_phase - batch.phase[:, 0] + 0.5) % 1 - 0.5
    assert np.abs(turned).max() < 0.06


def test_lessons_are_jazz_pop_and_lead_sheets_that_keep_their_pulse():
    jazz, pop, again, written = read_lessons(LEADSHEET_FILES, "valid")
    assert [song.id for song in jazz] == [song.id for song in again]
    assert {song.source for song in jazz} == {"wjazzd"}
    assert {song.source for song in pop} == {"pop909"}
    assert {song.source for song in written} == {"lieder", "nottingham", "openewld"}
    assert all(keeps_its_pulse(song) for song in written)
    assert {song.split for song in [*jazz, *pop, *written]} == {"valid"}
    for songs in (jazz, pop, written):
        assert len(listen(songs[0], np.random.default_rng(0)).seconds) > 30


def test_lessons_of_one_source_leave_the_other_kinds_out():
    kinds = read_lessons(LEADSHEET_FILES, "valid", "lieder")
    assert [{song.source for song in kind} for kind in kinds] == [{"lieder"}]
    assert read_lessons(LEADSHEET_FILES, "valid", "polka") == []
