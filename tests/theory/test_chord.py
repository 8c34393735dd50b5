import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.errors import LabelError
from jackcomp.theory.chord import (
    NO_CHORD,
    QUALITIES,
    QUALITY_BY_NAME,
    Chord,
    format_harte,
    parse_harte,
    spelled_tones,
)
from jackcomp.theory.key import KEYS, parse_key
from jackcomp.theory.vocabulary import CHORDS

KEYS_OR_NONE = st.sampled_from([None, *KEYS])


@st.composite
def chords(draw):
    chord = draw(st.sampled_from(CHORDS))
    if chord.is_none:
        return chord
    bass = draw(st.none() | st.integers(0, 11).filter(lambda pc: pc != chord.root))
    return Chord(chord.root, chord.quality, bass)


def test_the_quality_table_is_well_formed():
    assert len(QUALITIES) == len(QUALITY_BY_NAME) == 14
    for quality in QUALITIES:
        assert quality.intervals[0] == 0
        assert list(quality.intervals) == sorted(set(quality.intervals))
        assert quality.intervals[-1] < 12


@pytest.mark.parametrize("quality", QUALITIES, ids=lambda quality: quality.name)
def test_a_table_quality_reduces_to_itself(quality):
    assert parse_harte(f"C:{quality.harte}") == Chord(0, quality.name)


@pytest.mark.parametrize("chord", CHORDS, ids=format_harte)
def test_label_and_chord_agree_over_the_vocabulary(chord):
    assert parse_harte(format_harte(chord)) == chord


@given(chords(), KEYS_OR_NONE)
def test_a_label_reads_back_in_every_key_and_over_every_bass(chord, key):
    assert parse_harte(format_harte(chord, key)) == chord


@given(chords(), st.integers(-30, 30))
def test_transposing_notes_transposes_the_chord(chord, semitones):
    moved = chord.transpose(semitones)
    assert moved.pitch_classes == tuple(
        (pc + semitones) % 12 for pc in chord.pitch_classes
    )
    assert moved.transpose(-semitones) == chord


@given(chords(), chords())
def test_the_bass_keeps_its_distance_when_transposed(chord, other):
    if chord.bass is not None and other.root is not None:
        moved = chord.transpose(other.root)
        assert (moved.bass - moved.root) % 12 == (chord.bass - chord.root) % 12


def test_chord_tones_start_at_the_root():
    assert Chord(9, "min7", 0).pitch_classes == (9, 0, 4, 7)
    assert NO_CHORD.pitch_classes == ()
    assert NO_CHORD.is_none
    assert not Chord(0, "maj").is_none


# Labels of real annotations, one for each corner of the reduction rule.
@pytest.mark.parametrize(
    ("label", "quality"),
    [
        ("C", "maj"),
        ("C:1", "maj"),
        ("C:5", "maj"),
        ("C:1(3)", "maj"),
        ("C:1(#5)", "aug"),
        ("C:1(11)", "sus4"),
        ("C:1(11,9)", "sus4"),
        ("C:1(b5,11)", "sus4"),
        ("C:1(13)", "maj6"),
        ("C:1(3,7)", "maj7"),
        ("C:1(b7)", "7"),
        ("C:1(b3,b7)", "min7"),
        ("C:1(b5,b7,3)", "7"),
        ("C:1(b3,b7,11,9)", "min7"),
        ("C:(1,b3,5)", "min"),
        ("C:(b3,b5)", "dim"),
        ("C:5(b7)", "7"),
        ("C:5(13)", "maj6"),
        ("C:5(b13)", "maj"),
        ("C:maj(b9)", "maj"),
        ("C:maj(#9,b9)", "maj"),
        ("C:maj(4)", "maj"),
        ("C:maj(9,#11)", "maj"),
        ("C:maj(2)", "maj"),
        ("C:maj6(9)", "maj6"),
        ("C:maj6(b7,11)", "7"),
        ("C:maj6(*5,b5)", "maj6"),
        ("C:maj7(#5)", "maj7"),
        ("C:maj7(*5,b5)", "maj7"),
        ("C:maj13(#11)", "maj7"),
        ("C:minmaj7", "min"),
        ("C:minmaj7(9)", "min"),
        ("C:min(#5,*5)", "min"),
        ("C:min6(7)", "min6"),
        ("C:min11", "min7"),
        ("C:min7(b9)", "min7"),
        ("C:min9(*5,b5)", "hdim7"),
        ("C:dim(7)", "dim"),
        ("C:dim(b13)", "dim"),
        ("C:dim7(11,b13)", "dim7"),
        ("C:hdim7(11)", "hdim7"),
        ("C:7(*5,b5,#9)", "7"),
        ("C:7(b9,#11,13)", "7"),
        ("C:9(#5,*5)", "7"),
        ("C:11", "7"),
        ("C:13(#11)", "7"),
        ("C:aug(b7,b9,#11)", "7"),
        ("C:aug(7,9)", "maj7"),
        ("C:aug(9)", "aug"),
        ("C:sus2(b7)", "sus2"),
        ("C:sus2(#11)", "sus2"),
        ("C:sus4(b7)", "7sus4"),
        ("C:sus4(b7,9,13)", "7sus4"),
        ("C:sus4(7,9)", "sus4"),
    ],
)
def test_a_richer_label_is_reduced_to_the_table(label, quality):
    assert parse_harte(label) == Chord(0, quality)


@pytest.mark.parametrize(
    ("label", "chord"),
    [
        ("N", NO_CHORD),
        ("Cb:maj", Chord(11, "maj")),
        ("F##:min", Chord(7, "min")),
        ("Bbb:7", Chord(9, "7")),
        ("A:min7/b3", Chord(9, "min7", 0)),
        ("C/3", Chord(0, "maj", 4)),
        ("C:maj/1", Chord(0, "maj")),
        ("C:maj/b1", Chord(0, "maj", 11)),
        ("C:maj/b7", Chord(0, "maj", 10)),
        ("C:maj/bb13", Chord(0, "maj", 7)),
        ("C:maj/b11", Chord(0, "maj", 4)),
        ("G:7(b9,13)/4", Chord(7, "7", 0)),
        ("Eb:aug/#5", Chord(3, "aug", 11)),
        ("D:5/5", Chord(2, "maj", 9)),
        ("D:1(b3,b7)/b7", Chord(2, "min7", 0)),
        ("B:sus4(b7)/b3", Chord(11, "7sus4", 2)),
    ],
)
def test_roots_and_basses_of_real_labels(label, chord):
    assert parse_harte(label) == chord


@pytest.mark.parametrize(
    "label",
    [
        *("", "X", "H:maj", "c:maj", "C:", "C:/3", "C:Maj7", "Cmaj7", "C:min8", "C:()"),
        *(
            "C:7(",
            "C:7(b9",
            "C:7(b9,)",
            "C:7(b14)",
            "C:7(x9)",
            "C:7(b9, 13)",
            "C:maj/E",
        ),
        *("C:maj/0", "C:maj/", " C:maj", "C:maj\n", "N:maj", "C#b♭:maj", "C:maj/14"),
    ],
)
def test_what_is_not_harte_syntax_is_refused(label):
    with pytest.raises(LabelError, match=r"^cannot read chord label .*expected Harte"):
        parse_harte(label)


@given(st.text("ABCGNX#b:()*/,0123456789majsundi", max_size=12))
def test_any_text_is_a_chord_or_a_label_error(text):
    with contextlib.suppress(LabelError):
        chord = parse_harte(text)
        assert parse_harte(format_harte(chord)) == chord


@pytest.mark.parametrize(
    ("chord", "key", "label"),
    [
        (Chord(8, "dim7"), "Am", "G#:dim7"),
        (Chord(8, "maj"), "Cm", "Ab:maj"),
        (Chord(6, "hdim7"), "C", "F#:hdim7"),
        (Chord(6, "maj"), "Bb", "Gb:maj"),
        (Chord(6, "7", 10), "B", "F#:7/3"),
        (Chord(5, "dim"), "F#", "E#:dim"),
        (Chord(10, "maj"), None, "Bb:maj"),
        (Chord(0, "7sus4", 5), None, "C:sus4(b7)/4"),
        (Chord(0, "aug", 8), None, "C:aug/#5"),
        (Chord(0, "min", 8), None, "C:min/b6"),
        (Chord(11, "dim7", 8), None, "B:dim7/bb7"),
        (NO_CHORD, "Am", "N"),
    ],
)
def test_roots_are_spelled_in_the_key(chord, key, label):
    assert format_harte(chord, None if key is None else parse_key(key)) == label


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((None, "maj"), "without a root"),
        ((None, "N", 3), "without a root"),
        ((0, "N"), "unknown chord quality 'N'"),
        ((0, "maj9"), "unknown chord quality 'maj9'"),
        ((12, "maj"), "chord root 12"),
        ((-1, "maj"), "chord root -1"),
        ((0, "maj", 12), "chord bass 12"),
        ((4, "maj", 4), "other than the root"),
    ],
)
def test_a_chord_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Chord(*fields)


@pytest.mark.parametrize(
    ("label", "tones"),
    [
        ("C", {0, 4, 7}),
        ("A:min7/b3", {0, 3, 7, 10}),
        ("G:7(*5,b9,13)", {0, 1, 4, 9, 10}),
        ("E:5", {0, 7}),
    ],
)
def test_a_label_spells_its_tones(label, tones):
    assert spelled_tones(label) == tones


def test_what_is_no_chord_spells_nothing():
    with pytest.raises(LabelError, match="cannot read chord label 'N'"):
        spelled_tones("N")
