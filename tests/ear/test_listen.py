import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackcomp.ear.listen import Ear
from jackcomp.ear.listener import load_listener
from jackcomp.ear.tables import load_ear_tables
from jackcomp.theory.key import KEYS, key_index, parse_key
from jackcomp.theory.vocabulary import CHORDS, transpose_index
from jackcomp.timeline.meter import parse_meter

TABLES = load_ear_tables()
NETWORK = load_listener()
METER = parse_meter("4/4")
STEP = 3840
LEAD = 173


def new_ear(key=None, split="auto"):
    return Ear(TABLES, NETWORK, METER, key, split)


def feed(ear, events):
    for tick, kind, value in events:
        if kind == "on":
            ear.note_on(tick, value, 90)
        elif kind == "off":
            ear.note_off(tick, value)
        else:
            ear.pedal(tick, bool(value))


def play(ear, notes, length=960):
    """Play notes one after the other and give the tick after the last."""
    for number, note in enumerate(notes):
        ear.note_on(number * length, note, 90)
        ear.note_off((number + 1) * length - 1, note)
    return len(notes) * length


events_in_order = st.lists(
    st.tuples(
        st.integers(0, 8 * STEP),
        st.sampled_from(["on", "on", "off", "pedal"]),
        st.integers(40, 60),
    ),
    max_size=40,
).map(
    lambda events: [
        (tick, kind, value if kind != "pedal" else value % 2)
        for tick, kind, value in sorted(events, key=lambda event: event[0])
    ]
)


def equal(one, other):
    np.testing.assert_array_equal(one.chords, other.chords)
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.expected, other.expected)
    assert one.weight == other.weight
    assert one.notes == other.notes


@settings(deadline=None)
@given(events_in_order)
def test_note_by_note_gives_the_same_as_all_at_once(events):
    # Without `auto`, which may think anew of notes that are held, and does so from
    # the next question on.
    step_by_step, at_once = new_ear(split="off"), new_ear(split="off")
    now = 8 * STEP + 1
    waiting = list(events)
    for cut in range(0, now, 700):
        while waiting and waiting[0][0] < cut:
            feed(step_by_step, [waiting.pop(0)])
        start = cut // STEP * STEP
        step_by_step.hear(start, cut, start + STEP)
    feed(step_by_step, waiting)
    feed(at_once, events)
    equal(
        step_by_step.hear(8 * STEP, now, 9 * STEP),
        at_once.hear(8 * STEP, now, 9 * STEP),
    )


@settings(deadline=None)
@given(events_in_order, st.integers(0, 8 * STEP))
def test_what_comes_after_the_cut_off_changes_nothing(events, now):
    early, late = new_ear(), new_ear()
    feed(early, [event for event in events if event[0] < now])
    # Notes only: a pedal in the future is no note, and a note-off needs its note.
    feed(late, [event for event in events if event[0] < now])
    feed(late, [event for event in events if event[0] >= now and event[1] == "on"])
    start = now // STEP * STEP
    one, other = (ear.hear(start, now, start + STEP) for ear in (early, late))
    np.testing.assert_array_equal(one.chords, other.chords)
    np.testing.assert_array_equal(one.keys, other.keys)


@settings(deadline=None)
@given(
    st.lists(st.integers(40, 80), min_size=1, max_size=20),
    st.integers(1, 11),
    st.integers(100, 3000),
)
def test_transposing_the_notes_transposes_what_is_heard(notes, semitones, length):
    ear, moved_ear = new_ear(), new_ear()
    end = play(ear, notes, length)
    play(moved_ear, [note + semitones for note in notes], length)
    start = end // STEP * STEP
    heard, moved = (e.hear(start, end, start + STEP) for e in (ear, moved_ear))
    places = [transpose_index(index, semitones) for index in range(len(CHORDS))]
    np.testing.assert_allclose(moved.chords[places], heard.chords, atol=1e-6)
    np.testing.assert_allclose(
        moved.keys.reshape(2, 12),
        np.roll(heard.keys.reshape(2, 12), semitones, axis=1),
        atol=1e-6,
    )


def test_nothing_heard_is_a_distribution_of_no_weight():
    heard = new_ear().hear(0, -LEAD, STEP)
    assert heard.weight == 0
    assert heard.notes == ()
    assert heard.chords.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(heard.chords, heard.expected, atol=1e-7)


def test_a_c_major_scale_is_in_c():
    ear = new_ear()
    end = play(ear, (60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60))
    assert KEYS[int(ear.hear(end, end, end + STEP).keys.argmax())] == parse_key("C")


def test_a_fixed_key_is_not_doubted_and_can_be_let_go():
    ear = new_ear(parse_key("Am"))
    end = play(ear, (60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60))
    assert ear.hear(end, end, end + STEP).keys[key_index(parse_key("Am"))] == 1
    ear.set_key(None)
    assert KEYS[int(ear.hear(end, end, end + STEP).keys.argmax())] == parse_key("C")


def test_the_pedal_keeps_a_chord_in_the_ear():
    dry, wet = new_ear(split="off"), new_ear(split="off")
    wet.pedal(0, True)
    for ear in (dry, wet):
        for note in (60, 64, 67):
            ear.note_on(0, note, 90)
            ear.note_off(300, note)
    one, other = (ear.hear(0, STEP - LEAD, STEP) for ear in (dry, wet))
    assert other.weight > 3 * one.weight
    assert other.chords[0] > one.chords[0]


def test_a_note_just_before_the_line_belongs_to_the_step_after():
    ear = new_ear(parse_key("C"), split="off")
    ear.note_on(STEP - 100, 65, 90)
    ear.note_on(STEP - 100, 69, 90)
    ear.note_on(STEP - 100, 72, 90)
    heard = ear.hear(STEP, STEP - 50, 2 * STEP)
    assert CHORDS[int(heard.chords.argmax())].root == 5


def test_forgotten_notes_no_longer_sound():
    ear = new_ear()
    ear.note_on(0, 60, 90)
    ear.forget_held(100)
    assert ear.hear(0, STEP, STEP).weight == pytest.approx(100 / 1920)


def test_reset_is_a_new_ear():
    ear = new_ear()
    end = play(ear, (61, 63, 66, 68, 70))
    ear.hear(0, end, STEP)
    ear.reset()
    equal(ear.hear(0, -LEAD, STEP), new_ear().hear(0, -LEAD, STEP))
    play(ear, (60, 64, 67))
    fresh = new_ear()
    play(fresh, (60, 64, 67))
    equal(ear.hear(0, 2880, STEP), fresh.hear(0, 2880, STEP))


def test_a_step_bars_ahead_knows_only_the_key():
    ear = new_ear()
    end = play(ear, (60, 64, 67, 72))
    heard = ear.hear(10 * STEP, end, 11 * STEP)
    np.testing.assert_allclose(heard.chords, heard.expected, atol=1e-7)


@pytest.mark.parametrize("bpm", [40, 60, 120, 240])
@pytest.mark.parametrize(("apart_ms", "is_chord"), [(25, True), (55, False)])
def test_a_mordent_is_melody_and_a_spread_chord_a_chord_at_any_tempo(
    bpm, apart_ms, is_chord
):
    ear = new_ear()
    ear.set_tempo(round(60e9 / bpm))
    for number, note in enumerate((48, 52, 55)):
        ear.note_on(round(number * apart_ms * bpm * 1920 / 60_000), note, 90)
    heard = ear.hear(0, STEP, STEP)
    assert bool(heard.stated.any()) is is_chord
