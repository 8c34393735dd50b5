import numpy as np
import pytest

from export.lessons import POINTS, UNKNOWN, clock_notes, to_melody_lesson
from export.songs import LEADSHEET_FILES, read_songs
from export.stage import BarMap, main_meter
from jackcomp.ear.listener import Listener
from jackcomp.ear.melody import N_FEATURES, SNAP_TICKS
from jackcomp.theory.vocabulary import N_CHORDS
from jackcomp.timeline.meter import step_at, step_start

# The plain numbers end with five of progress and three of the past.
_N_STRUCK = -5


@pytest.fixture(scope="module")
def songs():
    return read_songs(LEADSHEET_FILES, "valid", limit=6)


class Told:
    """Stands where the network is, and keeps what it was told last."""

    def input_size(self, name):
        return 1

    def run(self, inputs):
        self.over, self.heard = inputs["over"][0], inputs["heard"][0]
        return [np.zeros((1, N_CHORDS)), np.zeros((1, 24)), inputs["state"]]


def lesson_of(song, seed=1, **values):
    return to_melody_lesson(song, np.random.default_rng(seed), **values)


def test_what_is_taught_is_what_is_told_in_playing(songs):
    for song in songs:
        lesson, meter = lesson_of(song), main_meter(song)
        notes = clock_notes(song, BarMap(song.bars, meter))
        first = step_at(meter, notes[0].onset + SNAP_TICKS)[0]
        told = Told()
        listener = Listener(told, meter)
        for row in range(len(lesson.chords)):
            end = step_start(meter, first + row + 1)
            heard = [note for note in notes if note.onset < end]
            listener.hear(heard, first + row, end)
            np.testing.assert_allclose(told.over, lesson.over[row], atol=2e-3)
            np.testing.assert_allclose(
                told.heard, lesson.heard[row, POINTS.index("whole")], atol=2e-3
            )


def test_more_is_heard_from_point_to_point(songs):
    for song in songs:
        lesson = lesson_of(song)
        assert lesson.heard.shape == (len(lesson.chords), len(POINTS), N_FEATURES)
        struck = lesson.heard[..., _N_STRUCK].astype(float)
        assert (np.diff(struck, axis=1) >= 0).all()
        assert np.isfinite(lesson.heard).all()


def test_slips_change_the_melody_and_not_the_answers(songs):
    clean, slipped = lesson_of(songs[0]), lesson_of(songs[0], slips=0.5)
    np.testing.assert_array_equal(clean.chords, slipped.chords)
    np.testing.assert_array_equal(clean.keys, slipped.keys)
    assert (clean.heard != slipped.heard).any()


def test_answers_are_those_of_the_grid(songs):
    for song in songs:
        lesson = lesson_of(song)
        assert ((lesson.chords >= 0) & (lesson.chords < N_CHORDS)).all()
        assert (lesson.weights >= 0).all()
        assert lesson.weights.sum() > 0
        if song.key_doubtful:
            assert (lesson.keys == UNKNOWN).all()
