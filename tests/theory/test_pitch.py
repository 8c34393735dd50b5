import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.theory.pitch import (
    fifths_position,
    parse_pitch_class,
    pitch_class,
    spell_pitch_class,
)

FIFTHS = st.integers(-7, 11)


@pytest.mark.parametrize(("note", "pc"), [(0, 0), (60, 0), (61, 1), (71, 11), (127, 7)])
def test_pitch_class_of_a_midi_note(note, pc):
    assert pitch_class(note) == pc


@pytest.mark.parametrize(
    ("name", "pc"),
    [("C", 0), ("B#", 0), ("Cb", 11), ("F##", 7), ("Bbb", 9), ("Eb", 3), ("G#", 8)],
)
def test_a_pitch_name_is_read(name, pc):
    assert parse_pitch_class(name) == pc


@pytest.mark.parametrize("name", ["", "H", "c", "C4", "Cx", "#C", "♭"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="unknown pitch name"):
        parse_pitch_class(name)


@pytest.mark.parametrize(
    ("tonic_fifths", "names"),
    [
        (0, "C Db D Eb E F F# G Ab A Bb B"),
        (2, "C C# D Eb E F F# G G# A Bb B"),
        (-3, "C Db D Eb E F Gb G Ab A Bb Cb"),
        (6, "C C# D D# E E# F# G G# A A# B"),
    ],
    ids=["C", "D", "Eb", "F#"],
)
def test_names_follow_the_key(tonic_fifths, names):
    assert [spell_pitch_class(pc, tonic_fifths) for pc in range(12)] == names.split()


@given(st.integers(0, 11), FIFTHS)
def test_a_spelled_name_reads_back(pc, tonic_fifths):
    name = spell_pitch_class(pc, tonic_fifths)
    assert parse_pitch_class(name) == pc
    assert len(name) <= 2


@given(st.integers(0, 11), st.integers(-12, 12))
def test_a_place_on_the_line_of_fifths_lies_in_its_window(pc, lowest):
    position = fifths_position(pc, lowest)
    assert lowest <= position < lowest + 12
    assert 7 * position % 12 == pc
