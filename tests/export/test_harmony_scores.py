import math

import pytest

from export.harmony_scores import describe_progression, fit_together
from export.songs import LEADSHEET_FILES, ChordSpan, MelodyNote, read_songs
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.vocabulary import chord_index

QUARTER = 1920
BAR = 4 * QUARTER


@pytest.fixture(scope="module")
def song():
    """Give a song to lay other melodies and chords into."""
    (song,) = read_songs(LEADSHEET_FILES, "valid", "nottingham", 1)
    return song


def spans(*labels):
    return tuple(
        ChordSpan(BAR * i, BAR * (i + 1), label, chord_index(parse_harte(label)))
        for i, label in enumerate(labels)
    )


def fit(song, melody, *labels):
    from dataclasses import replace

    from export.songs import Bar

    notes = tuple(MelodyNote(on, length, note, None) for on, length, note in melody)
    bars = tuple(Bar(BAR * i, BAR * (i + 1), song.meter) for i in range(len(labels)))
    parts = fit_together(replace(song, melody=notes, bars=bars), spans(*labels))
    return {name: part / whole for name, (part, whole) in parts.items() if whole}


def test_chord_tones_and_notes_that_lead_on_are_proper(song):
    melody = [(0, QUARTER, 60), (QUARTER, QUARTER, 62), (2 * QUARTER, QUARTER, 64)]
    assert fit(song, melody, "C:maj")["ctnctr"] == 1
    leap = [(0, QUARTER, 62), (QUARTER, QUARTER, 67)]
    assert fit(song, leap, "C:maj")["ctnctr"] == 0.5


@pytest.mark.parametrize(
    ("note", "score"), [(60, 2 / 3), (62, -1 / 3), (65, -2 / 3), (66, -1.0), (67, 1.0)]
)
def test_consonance_is_counted_over_the_triad(song, note, score):
    # D over C E G: a second, a seventh, a fifth; G: a fifth, a third, itself.
    assert fit(song, [(0, BAR, note)], "C:7")["pcs"] == pytest.approx(score)


def test_a_chord_tone_is_nearer_in_tonal_space_than_a_foreign_note(song):
    inside, outside = (
        fit(song, [(0, BAR, note)], "C:maj")["mctd"] for note in (67, 66)
    )
    assert inside < outside


def test_a_long_note_a_semitone_above_a_chord_tone_clashes(song):
    melody = [(0, QUARTER, 60), (QUARTER, QUARTER, 65), (2 * QUARTER, 960, 65)]
    assert fit(song, melody, "C:maj")["clash"] == pytest.approx(0.25)
    # The fourth of a suspended chord is its own tone.
    assert fit(song, melody, "C:sus4")["clash"] == 0


def test_a_bar_without_a_common_tone_clashes_as_a_whole(song):
    melody = [(0, QUARTER, 62), (BAR, QUARTER, 60)]
    assert fit(song, melody, "C:maj", "C:maj")["clash"] == 0.5
    assert fit(song, melody, "N", "C:maj")["clash"] == 0


def test_fat_chords_are_seen(song):
    assert fit(song, [(0, BAR, 60)], "C:maj", "C:7")["pitch_classes"] == 3.5


def test_a_progression_is_described():
    found = describe_progression(spans("C:maj", "C:maj", "G:maj", "C:maj", "G:maj"))
    assert found["cc"] == (2, 1)
    assert found["che"][0] == pytest.approx(math.log(2))
    near, far = (
        describe_progression(spans("C:maj", other))["ctd"][0]
        for other in ("A:min", "F#:maj")
    )
    assert near < far
    assert describe_progression(spans("N")) == {}
