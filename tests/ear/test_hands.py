import numpy as np
import pytest

from jackcomp.ear.hands import (
    find_parts,
    find_stated,
    part_hands,
    score_stated,
    trust_held,
)
from jackcomp.ear.window import HeardNote
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.vocabulary import CHORDS, N_CHORDS, chord_index

QUARTER = 1920


def chord(*notes, onset=0, end=2 * QUARTER, spread=0):
    return [
        HeardNote(onset + i * spread, end, note, 80) for i, note in enumerate(notes)
    ]


BAR = 4 * QUARTER


def walk(*notes):
    """Notes one after the other, a quarter each."""
    return [
        HeardNote(n * QUARTER, (n + 1) * QUARTER, note, 80)
        for n, note in enumerate(notes)
    ]


def left(notes, split="auto", now=10**6, at_once=QUARTER // 8):
    return {note.note for note in part_hands(notes, now, split, at_once).left}


def best(*notes):
    return CHORDS[int(score_stated(chord(*notes)).argmax())]


def test_a_chord_that_is_struck_at_once_is_the_left_hands():
    assert left(chord(48, 52, 55, spread=60)) == {48, 52, 55}


def test_what_is_struck_later_is_no_chord():
    assert left(chord(48, 52, 55, spread=120)) == {48, 52, 55}
    assert left(chord(48, 52, 55, spread=121)) == set()


def test_a_high_note_over_a_chord_is_melody():
    assert left(chord(48, 52, 55, 72)) == {48, 52, 55}
    assert left(chord(48, 55, 72)) == {48, 55}


def test_a_bass_note_below_a_melody_is_the_left_hands():
    notes = [HeardNote(0, 2 * QUARTER, 43, 80), HeardNote(600, QUARTER, 67, 80)]
    assert left(notes) == {43}


def test_a_bass_note_is_one_whichever_hand_came_first():
    bass, melody = (36, 2 * QUARTER), (72, 2 * QUARTER)
    for (one, end), (other, stop) in ((bass, melody), (melody, bass)):
        notes = [HeardNote(0, end, one, 80), HeardNote(5, stop, other, 80)]
        assert left(notes) == {36}


@pytest.mark.parametrize("overlap", [0, 300])
def test_one_note_after_the_other_is_melody(overlap):
    notes = [
        HeardNote(i * 960, (i + 1) * 960 + overlap, note, 80)
        for i, note in enumerate((48, 67, 50, 72, 43, 60, 64, 67))
    ]
    assert left(notes) == set()


def test_what_the_pedal_holds_together_is_no_chord():
    notes = [HeardNote(i * 960, None, note, 80) for i, note in enumerate((60, 64, 67))]
    assert left(notes) == set()


def test_a_chord_is_not_known_before_it_was_heard():
    late = [HeardNote(0, 960, 60, 80), *chord(48, 52, onset=QUARTER)]
    assert left(late, now=QUARTER + 100) == set()


def test_a_split_point_and_off_are_obeyed():
    notes = chord(48, 52, 55, 72)
    assert left(notes, 53) == {48, 52}
    assert left(notes, "off") == set()


@pytest.mark.parametrize(
    "label", ["C:maj", "A:min", "G:7", "D:min7", "F:maj7", "B:dim", "E:sus4"]
)
def test_a_chord_in_root_position_is_heard_as_what_it_is(label):
    wanted = parse_harte(label)
    root = 48 + wanted.root
    notes = [root + (pc - wanted.root) % 12 for pc in wanted.pitch_classes]
    assert chord_index(best(*notes)) == chord_index(wanted)


def test_a_bass_note_alone_speaks_for_its_root_and_leaves_the_rest_open():
    scores = score_stated(chord(43))
    assert CHORDS[int(scores.argmax())].root == 7
    assert (
        scores[chord_index(parse_harte("G:maj"))]
        == scores[chord_index(parse_harte("G:min"))]
    )
    assert scores[chord_index(parse_harte("A:maj"))] < -3


def stated(notes, start=0, now=10**6):
    heard = [note for note in notes if note.onset < now]
    return {note.note for note in find_stated(heard, start, now, QUARTER // 8)}


C_MAJOR, F_MAJOR = (48, 52, 55), (53, 57, 60)


@pytest.mark.parametrize("late", [-300, 0, 10, 300])
def test_the_chord_before_is_not_stated_however_late_it_is_let_go(late):
    legato = [
        *chord(*C_MAJOR, end=2 * QUARTER + late),
        *chord(*F_MAJOR, onset=2 * QUARTER, end=None),
    ]
    assert stated(legato, 2 * QUARTER, 2 * QUARTER + 200) == set(F_MAJOR)


def test_of_two_chords_in_a_step_the_last_counts():
    both = [
        *chord(*C_MAJOR, end=QUARTER - 50),
        *chord(*F_MAJOR, onset=QUARTER, end=2 * QUARTER - 50),
    ]
    assert stated(both, now=QUARTER) == set(C_MAJOR)
    assert stated(both, now=QUARTER + 300) == set(F_MAJOR)
    assert stated(both, now=2 * QUARTER) == set(F_MAJOR)


def test_a_bass_and_a_chord_after_it_are_one():
    stride = [HeardNote(0, 900, 36, 80), *chord(58, 64, onset=QUARTER, end=2500)]
    assert stated(stride, now=QUARTER + 300) == {36, 58, 64}
    pedal_point = [HeardNote(0, None, 36, 80), *chord(*F_MAJOR, onset=QUARTER)]
    assert stated(pedal_point, now=QUARTER + 300) == {36, *F_MAJOR}


def test_what_is_held_over_the_line_is_stated_before_it():
    held = chord(*C_MAJOR, end=None)
    assert stated(held, 2 * QUARTER, 2 * QUARTER - 90) == set(C_MAJOR)
    let_go = chord(*C_MAJOR, end=QUARTER)
    assert stated(let_go, 2 * QUARTER, 2 * QUARTER - 90) == set()


def test_a_chord_that_may_be_let_go_on_the_line_counts_less():
    line = 8 * QUARTER
    held, struck, pushed = (
        trust_held(chord(*C_MAJOR, onset=onset, end=None), line)
        for onset in (4 * QUARTER, 7 * QUARTER, line - QUARTER // 2)
    )
    assert 0 < held == struck < pushed == 1
    assert trust_held([], line) == 0


def test_what_a_chord_that_may_be_let_go_contradicts_stays_possible():
    """And of what it contradicts, no chord more than another for a tone in common."""
    odds = score_stated(chord(*C_MAJOR), 0.9)
    c, a_minor, f_sharp = (
        odds[chord_index(parse_harte(name))] for name in ("C", "A:min", "F#")
    )
    assert c == pytest.approx(0)
    assert np.log(0.1) <= f_sharp < a_minor < np.log(0.11)


def test_a_left_hand_that_rests_says_nothing():
    np.testing.assert_array_equal(score_stated([]), np.zeros(N_CHORDS))


@pytest.mark.parametrize(
    ("played", "parts"),
    [
        ([], set()),
        (chord(60, 64, 67, end=None), {"chords"}),
        # As low as a bass line, but no bass: close position has none.
        (chord(46, 50, 53, end=None), {"chords"}),
        (chord(41, 48, 57, end=None), {"bass", "chords"}),
        (chord(36, end=None), {"bass"}),
        (chord(48, end=None), {"bass"}),
        # An octave is a bass, a fifth in the middle neither.
        (chord(36, 48, end=None), {"bass"}),
        (chord(50, 57, end=None), set()),
        (walk(36, 40, 43, 45), {"bass"}),
        (walk(48, 52, 53, 50), {"bass"}),
        (walk(43, 47, 50, 52, 53, 52, 50, 47), {"bass"}),
        (walk(48, 55, 52, 55), {"chords"}),
        (walk(36, 52, 55, 60), {"chords"}),
        # A figure goes a little below C3, too.
        (walk(47, 55, 50, 55, 52, 47), {"chords"}),
        ([*walk(36), *chord(52, 55, 60, onset=QUARTER, end=None)], {"chords"}),
        (
            [
                *chord(36, end=QUARTER),
                *chord(52, 55, 60, onset=QUARTER, end=2 * QUARTER),
                *chord(43, onset=2 * QUARTER, end=3 * QUARTER),
                *chord(52, 55, 60, onset=3 * QUARTER, end=4 * QUARTER),
            ],
            {"bass", "chords"},
        ),
    ],
)
def test_the_left_hand_plays_chords_or_bass_or_both_itself(played, parts):
    assert find_parts(played, BAR, BAR, 120, 60) == parts


def test_single_notes_that_were_found_by_themselves_are_a_bass():
    figure = walk(48, 52, 48, 53)
    assert find_parts(figure, BAR, BAR, 120, "auto") == {"bass"}


def test_a_chord_in_passing_is_no_accompaniment():
    once = chord(60, 64, 67, end=QUARTER)
    twice = [*once, *chord(60, 64, 67, onset=QUARTER, end=2 * QUARTER)]
    assert find_parts(once, QUARTER, BAR, 120, 60) == {"chords"}
    assert find_parts(once, QUARTER + 1, BAR, 120, 60) == set()
    lately = 2 * QUARTER + BAR * 3 // 4
    assert find_parts(twice, lately - 1, BAR, 120, 60) == {"chords"}
    assert find_parts(twice, lately, BAR, 120, 60) == set()


def test_a_chord_is_one_until_its_last_key_is_let_go():
    ends = (QUARTER - 60, None, None)
    keys = zip((46, 50, 53), ends, strict=True)
    released = [HeardNote(0, end, note, 80) for note, end in keys]
    assert find_parts(released, QUARTER, BAR, 120, 60) == {"chords"}


def test_what_is_held_is_played_until_it_has_faded():
    held = [HeardNote(0, None, note, 80) for note in (60, 64, 67)]
    assert find_parts(held, 2 * BAR - 1, BAR, 120, 60) == {"chords"}
    assert find_parts(held, 2 * BAR, BAR, 120, 60) == set()


def ahead(notes, one, other):
    """How much likelier the left hand makes one chord than another."""
    odds = score_stated(chord(*notes))
    return odds[chord_index(parse_harte(one))] - odds[chord_index(parse_harte(other))]


def test_a_seventh_chord_may_be_played_without_its_root():
    """Somebody else has the bass; what usually comes next decides."""
    assert 0 < ahead((52, 55, 58), "E:dim", "C:7") < 1.5


@pytest.mark.parametrize(
    ("notes", "named", "other"),
    [((48, 52, 55), "C", "A:min7"), ((43, 52, 58), "G:min6", "E:dim")],
)
def test_a_bass_or_a_chord_on_its_root_names_it(notes, named, other):
    turned = (notes[1], notes[2], notes[0] + 24)
    assert ahead(notes, named, other) > max(ahead(turned, named, other), 0.5)
