import pytest

from jackcomp.ear.window import HeardNote, NoteWindow


@pytest.fixture
def window():
    return NoteWindow()


def all_notes(window):
    return list(window.notes_since(-(10**9)))


def test_a_note_lasts_from_its_onset_to_its_release(window):
    window.note_on(-480, 60, 90)
    assert all_notes(window) == [HeardNote(-480, None, 60, 90)]
    window.note_off(960, 60)
    assert all_notes(window) == [HeardNote(-480, 960, 60, 90)]


def test_the_pedal_prolongs_a_note_until_it_is_lifted(window):
    window.pedal(0, True)
    window.note_on(10, 60, 90)
    window.note_on(20, 64, 90)
    window.note_off(30, 60)
    assert [note.end for note in all_notes(window)] == [None, None]
    window.pedal(500, False)
    assert [note.end for note in all_notes(window)] == [500, None]


def test_what_the_pedal_holds_sounds_but_its_key_is_up(window):
    window.pedal(0, True)
    window.note_on(10, 60, 90)
    window.note_on(20, 64, 90)
    window.note_off(30, 60)
    assert window.sounding == {60, 64}
    assert window.held == {64}
    window.pedal(500, False)
    assert window.sounding == window.held == {64}


def test_a_note_struck_again_on_the_pedal_ends_the_one_before(window):
    window.pedal(0, True)
    window.note_on(10, 60, 90)
    window.note_off(30, 60)
    window.note_on(100, 60, 80)
    window.pedal(200, False)
    assert [(n.onset, n.end) for n in all_notes(window)] == [(10, 100), (100, None)]


def test_velocity_zero_is_a_release(window):
    window.note_on(0, 60, 90)
    window.note_on(100, 60, 0)
    assert all_notes(window) == [HeardNote(0, 100, 60, 90)]


def test_a_release_without_its_note_is_ignored(window):
    window.note_off(100, 60)
    assert all_notes(window) == []


def test_forgetting_held_notes_ends_them_and_lifts_the_pedal(window):
    window.pedal(0, True)
    window.note_on(0, 60, 90)
    window.forget_held(50)
    window.note_on(60, 62, 90)
    window.note_off(70, 62)
    assert [note.end for note in all_notes(window)] == [50, 70]


def test_dropped_notes_are_gone_and_sounding_ones_stay_releasable(window):
    window.note_on(0, 60, 90)
    window.note_on(0, 64, 90)
    window.note_off(100, 60)
    window.drop_before(100)
    window.note_off(300, 64)
    assert all_notes(window) == [HeardNote(0, 300, 64, 90)]
    assert window.first == HeardNote(0, 300, 64, 90)


def test_reset_forgets_everything(window):
    window.pedal(0, True)
    window.note_on(0, 60, 90)
    window.reset()
    assert window.first is None
    window.note_on(0, 60, 90)
    window.note_off(10, 60)
    assert all_notes(window) == [HeardNote(0, 10, 60, 90)]


@pytest.mark.parametrize(
    ("start", "stop", "ticks"),
    [(0, 1000, 400), (200, 400, 200), (0, 100, 0), (500, 900, 0), (300, 300, 0)],
)
def test_sounding_ticks_are_those_within_the_span(start, stop, ticks):
    assert HeardNote(100, 500, 60, 90).sounding_ticks(start, stop) == ticks


def test_a_sounding_note_sounds_to_the_end_of_the_span():
    assert HeardNote(100, None, 60, 90).sounding_ticks(0, 1000) == 900
