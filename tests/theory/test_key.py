import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.theory.chord import NO_CHORD, QUALITY_BY_NAME, Chord, parse_harte
from jackcomp.theory.key import (
    KEYS,
    Key,
    format_key,
    harmonic_function,
    key_index,
    parse_key,
    roman_numeral,
    sounds_final,
)
from jackcomp.theory.vocabulary import CHORDS

FUNCTIONS = {"tonic", "subdominant", "dominant", "other"}


def test_the_keys_are_the_majors_and_then_the_minors():
    names = "C Db D Eb E F F# G Ab A Bb B Cm C#m Dm Ebm Em Fm F#m Gm G#m Am Bbm Bm"
    assert [format_key(key) for key in KEYS] == names.split()
    assert [key_index(key) for key in KEYS] == list(range(24))


@pytest.mark.parametrize("key", KEYS, ids=format_key)
def test_a_key_reads_back(key):
    assert parse_key(format_key(key)) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C", Key(0, "major")),
        ("Am", Key(9, "minor")),
        ("F#", Key(6, "major")),
        ("Gb", Key(6, "major")),
        ("Bbm", Key(10, "minor")),
        ("Cb", Key(11, "major")),
        ("D#m", Key(3, "minor")),
        ("C major", Key(0, "major")),
        ("a minor", Key(9, "minor")),
        ("bb min", Key(10, "minor")),
        ("Ebmaj", Key(3, "major")),
        (" G ", Key(7, "major")),
    ],
)
def test_keys_as_people_write_them(text, key):
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text",
    ["", "H", "a", "bb", "C##", "CM", "C dorian", "Amm", "A  minor", "auto", "C\nm"],
)
def test_an_unknown_key_is_one_clear_line(text):
    with pytest.raises(
        ValueError, match=r"^unknown key .*: expected C, F#, Am"
    ) as error:
        parse_key(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [((12, "major"), "key tonic 12"), ((0, "dorian"), "unknown mode 'dorian'")],
)
def test_a_key_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Key(*fields)


@pytest.mark.parametrize(
    ("label", "key", "numeral"),
    [
        ("C:maj", "C", "I"),
        ("D:min7", "C", "ii7"),
        ("G:7/3", "C", "V7"),
        ("Ab:maj", "C", "bVI"),
        ("B:hdim7", "C", "viiø7"),
        ("B:dim", "C", "vii°"),
        ("F#:dim7", "C", "#iv°7"),
        ("Bb:7", "C", "bVII7"),
        ("E:aug", "C", "III+"),
        ("F:sus2", "C", "IVsus2"),
        ("F:min6", "C", "iv6"),
        ("F:maj6", "C", "IV6"),
        ("G:sus4(b7)", "C", "V7sus4"),
        ("C:maj7", "C", "Imaj7"),
        ("Db:maj", "C", "bII"),
        ("A:min", "Am", "i"),
        ("B:hdim7", "Am", "iiø7"),
        ("E:7", "Am", "V7"),
        ("G#:dim7", "Am", "vii°7"),
        ("F:maj", "Am", "bVI"),
        ("Eb:min", "Cm", "biii"),
        ("N", "Am", "N"),
    ],
)
def test_roman_numerals(label, key, numeral):
    assert roman_numeral(parse_harte(label), parse_key(key)) == numeral


@given(st.sampled_from(CHORDS), st.sampled_from(KEYS), st.integers(-12, 12))
def test_transposing_chord_and_key_changes_no_numeral_and_no_function(chord, key, up):
    moved_key = Key((key.tonic + up) % 12, key.mode)
    moved = chord.transpose(up)
    assert roman_numeral(moved, moved_key) == roman_numeral(chord, key)
    assert harmonic_function(moved, moved_key) == harmonic_function(chord, key)
    assert harmonic_function(chord, key) in FUNCTIONS


@given(st.sampled_from(CHORDS[:-1]), st.sampled_from(KEYS))
def test_a_minor_third_is_written_small(chord, key):
    numeral = roman_numeral(chord, key).removeprefix("b").removeprefix("#")
    is_small = 3 in QUALITY_BY_NAME[chord.quality].intervals
    assert numeral[0] == ("iv" if is_small else "IV")["IV".index(numeral[0].upper())]


def test_numerals_tell_all_chords_of_a_key_apart():
    for key in KEYS:
        assert len({roman_numeral(chord, key) for chord in CHORDS}) == len(CHORDS)


@pytest.mark.parametrize(
    ("key", "labels", "function"),
    [
        ("C", "C:maj C:maj7 C:7 C:maj6 A:min A:min7 E:min C:sus4", "tonic"),
        ("C", "D:min7 D:hdim7 F:maj F:min F:maj7 Ab:maj Bb:7 Db:maj7", "subdominant"),
        (
            "C",
            "G:7 G:maj G:sus4 G:sus4(b7) G:aug B:dim B:hdim7 B:dim7 Db:7 D:dim7",
            "dominant",
        ),
        ("C", "D:7 E:7 A:7 F#:hdim7 C:dim7 G:min7 Eb:min N", "other"),
        ("Am", "A:min A:min7 A:min6 A:maj C:maj C:maj7", "tonic"),
        ("Am", "B:hdim7 B:min7 D:min D:7 F:maj7 Bb:maj", "subdominant"),
        ("Am", "E:7 E:min G:7 G#:dim7 C:aug B:dim7 Bb:7", "dominant"),
        ("Am", "F#:hdim7 B:7 A:dim7 C:min C#:min N", "other"),
    ],
)
def test_what_chords_do_in_a_key(key, labels, function):
    found = {
        label: harmonic_function(parse_harte(label), parse_key(key))
        for label in labels.split()
    }
    assert found == dict.fromkeys(labels.split(), function)


def test_no_chord_has_no_function():
    assert harmonic_function(NO_CHORD, Key(0, "major")) == "other"
    assert harmonic_function(Chord(0, "maj", 4), Key(0, "major")) == "tonic"


@pytest.mark.parametrize(
    ("key", "notes", "is_final"),
    [
        ("C", (60, 64, 67), True),
        ("C", (64, 72), True),
        ("C", (67,), True),
        ("C", (48, 64, 71), True),  # Cmaj7
        ("C", (64, 67, 71, 72), True),  # the same, its third lowest
        ("C", (48, 57, 62, 64, 67), True),  # C6/9
        ("C", (57, 60, 64, 67), False),  # Am7
        ("C", (53, 57, 60, 64), False),  # Fmaj7
        ("C", (48, 53, 57, 64), False),  # the same over C
        ("C", (48, 53, 67), False),  # Csus4
        ("C", (48, 52, 55, 58), False),  # C7
        ("C", (62,), False),
        ("C", (48, 62), False),
        ("C", (), False),
        ("Am", (57, 60, 64, 67), True),  # Am7
        ("Am", (45, 60, 64, 66), True),  # Am6
        ("Am", (57, 60, 64, 68), True),  # AmMaj7
        ("Am", (48, 57, 64, 67), False),  # C6
        ("Am", (54, 57, 60, 64), False),  # F#m7b5
        ("Am", (45, 60, 64, 65), False),  # Fmaj7/A
        ("Cm", (48, 63, 67, 70), True),
    ],
)
def test_what_may_be_held_at_the_end_of_a_song(key, notes, is_final):
    assert sounds_final(notes, parse_key(key)) is is_final


@given(st.sets(st.integers(0, 127), max_size=6), st.sampled_from(KEYS))
def test_what_is_final_is_so_in_every_key(notes, key):
    higher = {note + 1 for note in notes}
    assert sounds_final(notes, key) == sounds_final(
        higher, Key((key.tonic + 1) % 12, key.mode)
    )
