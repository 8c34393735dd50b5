from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.arranger.voicing import (
    MAX_LEAP,
    second_bass_note,
    voice_bass,
    voice_chord,
    voice_moves,
)
from jackcomp.theory.chord import NO_CHORD, Chord, parse_harte
from jackcomp.theory.vocabulary import CHORDS

LOW, HIGH = 48, 76
BASS_LOW, BASS_HIGH = 33, 47

plain_chords = st.sampled_from([chord for chord in CHORDS if not chord.is_none])
chords = st.builds(
    lambda chord, up: (
        Chord(chord.root, chord.quality, (chord.root + up) % 12) if up else chord
    ),
    plain_chords,
    st.integers(0, 11),
)
progressions = st.lists(chords, min_size=1, max_size=12)
voice_numbers = st.sampled_from([3, 4])
ceilings = st.none() | st.integers(30, 90)


def voice_all(progression, voices, ceiling=None):
    voicings = [None]
    for chord in progression:
        notes = voice_chord(chord, voicings[-1], LOW, HIGH, ceiling, voices)
        voicings.append(notes)
    return voicings[1:]


def guide_tones(chord):
    """All tones that neither the bass nor the overtones supply."""
    return set(chord.pitch_classes) - {chord.root, (chord.root + 7) % 12}


@given(progressions, voice_numbers, ceilings)
def test_voicings_are_close_in_range_and_of_chord_tones(progression, voices, ceiling):
    for chord, notes in zip(
        progression, voice_all(progression, voices, ceiling), strict=True
    ):
        assert list(notes) == sorted(set(notes))
        assert notes[0] >= LOW
        assert notes[-1] <= HIGH
        assert notes[-1] - notes[0] < 12
        assert {note % 12 for note in notes} <= set(chord.pitch_classes)


@given(progressions, voice_numbers, ceilings)
def test_guide_tones_always_sound(progression, voices, ceiling):
    for chord, notes in zip(
        progression, voice_all(progression, voices, ceiling), strict=True
    ):
        assert guide_tones(chord) <= {note % 12 for note in notes}


@given(progressions)
def test_with_four_voices_no_tone_is_missing(progression):
    for chord, notes in zip(progression, voice_all(progression, 4), strict=True):
        assert {note % 12 for note in notes} == set(chord.pitch_classes)


@pytest.mark.parametrize(
    ("label", "left_out"),
    [
        ("C:7", {"root", "fifth"}),
        ("C:maj6", {"root", "fifth"}),
        ("C:7/3", {"fifth"}),
        ("C:hdim7", {"root"}),
    ],
)
def test_three_voices_leave_out_only_what_is_heard_anyhow(label, left_out):
    chord = parse_harte(label)
    names = {chord.root: "root", (chord.root + 7) % 12: "fifth"}
    missing = set()
    for other in CHORDS[:-1]:
        notes = voice_chord(
            chord, voice_chord(other, None, LOW, HIGH), LOW, HIGH, None, 3
        )
        missing |= set(chord.pitch_classes) - {note % 12 for note in notes}
    assert {names[pc] for pc in missing} == left_out


def test_three_voices_are_four_where_none_can_be_spared():
    assert len(voice_chord(parse_harte("C:hdim7/b3"), None, LOW, HIGH, None, 3)) == 4


@given(progressions, voice_numbers)
def test_no_voice_leaps_further_than_allowed(progression, voices):
    for notes, following in pairwise(voice_all(progression, voices)):
        assert max(voice_moves(notes, following)) <= MAX_LEAP


@given(progressions, chords, voice_numbers, st.integers(LOW + 12, 80))
def test_a_ceiling_above_the_hands_widens_no_leap(progression, chord, voices, ceiling):
    notes = voice_all(progression, voices)[-1]
    following = voice_chord(chord, notes, LOW, HIGH, ceiling, voices)
    assert max(voice_moves(notes, following)) <= MAX_LEAP or notes[-1] >= ceiling


@given(progressions, voice_numbers, st.integers(LOW + 12, 80))
def test_the_soloist_is_not_crossed(progression, voices, ceiling):
    for notes in voice_all(progression, voices, ceiling):
        assert notes[-1] < ceiling


@given(progressions, voice_numbers, st.integers(0, LOW + 11))
def test_a_soloist_below_the_chords_changes_nothing(progression, voices, ceiling):
    assert voice_all(progression, voices, ceiling) == voice_all(progression, voices)


@given(chords, chords, voice_numbers)
def test_no_other_inversion_moves_less_within_the_comfortable_range(
    first, second, voices
):
    previous = voice_chord(first, None, LOW, HIGH, None, voices)
    notes = voice_chord(second, previous, LOW, HIGH, None, voices)
    for inversion in inversions(notes):
        if inversion[0] >= 52 and inversion[-1] - inversion[-2] > 1:
            # A comfortable one would have been preferred at equal motion.
            assert sum(voice_moves(previous, notes)) <= sum(
                voice_moves(previous, inversion)
            )


def inversions(notes):
    up, down = notes, notes
    for _ in range(4):
        up = tuple(sorted((*up[1:], up[0] + 12)))
        down = tuple(sorted((down[-1] - 12, *down[:-1])))
        yield from (found for found in (up, down) if 52 <= found[0] <= found[-1] <= 72)


@given(progressions, chords, voice_numbers)
def test_a_chord_that_goes_on_is_not_moved(progression, chord, voices):
    *_, notes, again = voice_all([*progression, chord, chord], voices)
    assert notes == again


def test_not_even_a_more_comfortable_voicing_moves_it():
    high_up = (67, 70, 76)
    assert voice_chord(parse_harte("C:7"), high_up, LOW, HIGH, None, 3) == high_up


def test_common_tones_stay():
    c_major = voice_chord(parse_harte("C"), None, LOW, HIGH)
    assert c_major == (60, 64, 67)
    assert voice_chord(parse_harte("A:min"), c_major, LOW, HIGH) == (60, 64, 69)
    assert voice_chord(parse_harte("F"), c_major, LOW, HIGH) == (60, 65, 69)
    assert voice_chord(parse_harte("G:7"), c_major, LOW, HIGH) == (59, 62, 65, 67)


def test_no_chord_has_no_notes():
    assert voice_chord(NO_CHORD, (60, 64, 67), LOW, HIGH) == ()
    assert voice_bass(NO_CHORD, 40, BASS_LOW, BASS_HIGH) is None


@given(progressions)
def test_the_bass_says_its_note_in_range_within_an_octave(progression):
    bass = None
    for chord in progression:
        previous = bass
        bass = voice_bass(chord, previous, BASS_LOW, BASS_HIGH)
        expected = chord.root if chord.bass is None else chord.bass
        assert bass % 12 == expected
        assert BASS_LOW <= bass <= BASS_HIGH
        if previous is not None:
            assert abs(bass - previous) <= 12
            for other in (bass - 12, bass + 12):
                if BASS_LOW <= other <= BASS_HIGH:
                    assert abs(bass - previous) <= abs(other - previous)


@given(chords, chords, st.integers(BASS_LOW, BASS_HIGH))
def test_the_second_bass_note_is_a_chord_tone_within_an_octave(first, second, start):
    bass = voice_bass(first, start, BASS_LOW, BASS_HIGH)
    between = second_bass_note(first, bass, BASS_LOW, BASS_HIGH)
    following = voice_bass(second, bass, BASS_LOW, BASS_HIGH)
    assert between % 12 in first.pitch_classes
    assert between != bass
    assert BASS_LOW <= between <= BASS_HIGH
    assert abs(between - bass) <= 12
    assert abs(following - between) <= 12


@pytest.mark.parametrize(
    ("label", "expected"), [("C", 7), ("C:dim7", 6), ("C:aug", 8), ("C/3", 0)]
)
def test_the_bass_alternates_with_the_fifth_or_the_root(label, expected):
    chord = parse_harte(label)
    bass = voice_bass(chord, None, BASS_LOW, BASS_HIGH)
    assert second_bass_note(chord, bass, BASS_LOW, BASS_HIGH) % 12 == expected


def test_a_voice_splits_or_joins_where_it_moves_least():
    assert voice_moves((60, 64, 67), (60, 64, 67, 70)) == (0, 0, 0, 3)
    assert voice_moves((59, 62, 65, 67), (60, 64, 67)) == (1, 2, 1, 0)
