"""The pacer, with reports by hand: a core that keeps its orders, to the frame."""

import math
from itertools import pairwise

import pytest

from jackcomp.ear.pulse import PulseTracker
from jackcomp.ear.pulse_tables import load_pulse_tables
from jackcomp.messages import Report, ReportKind, TempoChange
from jackcomp.pacing import (
    FREEZE_SECONDS,
    REACH,
    TAPS,
    Pacer,
    Steering,
    Told,
)
from jackcomp.timeline.clock import KEPT_CHANGES, ONE_TICK, Anchor
from jackcomp.timeline.meter import TICKS_PER_QUARTER, parse_meter

RATE = 48_000
FOUR = parse_meter("4/4")
BEAT, BAR = FOUR.pulse_ticks, FOUR.bar_ticks
HALF_SECOND = 500_000_000
FREEZE = round(FREEZE_SECONDS * RATE)
FAR = 20_000 * RATE
ON, PEDAL, SOFT = 0x90, 0xB0, 67

TUNE = [
    *((0, 60), (1, 64), (1.5, 65), (2, 67), (3, 64)),
    *((4, 62), (4.5, 64), (5, 65), (6, 67), (7, 60)),
]


@pytest.fixture(scope="module")
def tables():
    return load_pulse_tables()


@pytest.fixture
def pace(tables):
    """Make a pacer whose clock has started at frame 0."""

    def make(told=Told.COUNT_IN, follows=True, tick=0, ns=HALF_SECOND, **others):
        meter = others.pop("meter", FOUR)
        steering = Steering(follows, others.pop("tightness", 0.5), 2160, told, **others)
        first = Anchor(0, tick * ONE_TICK, ns, RATE)
        pacer = Pacer(PulseTracker(tables), meter, first, steering)
        pacer.begin(tick, 0)
        return pacer

    return make


def play(pacer, seconds, key=60, status=ON, value=80, kind=ReportKind.MIDI):
    """Let the core report a note, and check what is ordered."""
    frame = round(seconds * RATE)
    before = pacer.timeline
    tick = before.frame_to_tick(frame)
    report = Report(kind, tick, frame, 0, status, key, value, 0)
    orders = pacer.hear(report, tick)
    for order in orders:
        assert isinstance(order, TempoChange)
        assert before.tick_to_frame(order.tick) >= frame + FREEZE
    return orders


def play_tune(pacer, period_at, bars, start=0.0):
    """Play the tune in a tempo that may change; return when each beat was."""
    times, seconds = [], start
    for beat in range(4 * bars):
        times.append(seconds)
        for at, key in TUNE:
            if at // 1 == beat % 8:
                play(pacer, seconds + (at % 1) * period_at(seconds), key)
        seconds += period_at(seconds)
    return times


def beats_of(pacer, count, first=0, ticks=BEAT):
    """Return when the clock's beats are, in seconds."""
    return [
        pacer.timeline.tick_to_frame((first + n) * ticks) / RATE for n in range(count)
    ]


def test_a_steady_player_is_met_on_every_beat(pace):
    pacer = pace()
    times = play_tune(pacer, lambda _: 0.5, bars=12)
    apart = [abs(a - b) for a, b in zip(times, beats_of(pacer, 48), strict=True)]
    assert max(apart) < 0.08
    assert sum(apart) / len(apart) < 0.03


def test_a_player_who_hurries_and_slows_is_followed(pace):
    pacer = pace()
    times = play_tune(pacer, lambda t: 0.5 * (1 + 0.1 * math.sin(t / 8)), bars=24)
    followed = beats_of(pacer, 96)
    assert all(abs(a - b) < 0.12 for a, b in zip(times, followed, strict=True))
    steady = [abs(t - n / 2) for n, t in enumerate(times)]
    assert max(steady) > 0.5, "a clock that stands still would not do"


def test_the_clock_never_jumps_and_beats_keep_their_length(pace):
    pacer = pace()
    play_tune(pacer, lambda t: 0.5 if t < 10 else 0.42, bars=16)
    lengths = [b - a for a, b in pairwise(beats_of(pacer, 60))]
    slowest, fastest = 0.5 / (1 - REACH), 0.42 / (1 + REACH)
    assert all(0.9 * fastest < length < 1.1 * slowest for length in lengths)
    frames = [anchor.frame for anchor in pacer.timeline.anchors]
    assert frames == sorted(frames)


def test_a_tighter_clock_is_level_sooner(pace):
    late = []
    for tightness in (0.0, 1.0):
        pacer = pace(tightness=tightness)
        times = play_tune(pacer, lambda t: 0.5 if t < 8 else 0.48, bars=8)
        beats = beats_of(pacer, 32)
        late.append(sum(abs(a - b) for a, b in zip(times, beats, strict=True)))
    assert late[1] < late[0]


def test_a_rest_holds_the_tempo(pace):
    pacer = pace()
    play_tune(pacer, lambda _: 0.47, bars=8)
    lengths = [b - a for a, b in pairwise(beats_of(pacer, 24, first=36))]
    assert lengths == pytest.approx([lengths[0]] * 23, abs=2 / RATE)
    assert lengths[0] == pytest.approx(0.47, rel=0.03)


@pytest.mark.parametrize(
    ("start", "end", "at", "beats"),
    [
        *((120, 100, 32, 8), (120, 90, 32, 8), (120, 80, 32, 16), (100, 130, 32, 8)),
        # While beats are counted from the first note on.
        *((120, 90, 2, 16), (120, 100, 2, 16), (100, 130, 2, 16)),
    ],
)
def test_a_ritardando_and_an_accelerando_lose_no_beat(pace, start, end, at, beats):
    pacer = pace(ns=round(60e9 / start))
    begins = at * 60 / start
    lasts = 2 * beats * 60 / (start + end)

    def period_at(seconds):
        share = min(max((seconds - begins) / lasts, 0), 1)
        return 60 / (start + share * (end - start))

    times = play_tune(pacer, period_at, bars=14)
    followed = beats_of(pacer, 56)
    assert followed[-4:] == pytest.approx(times[-4:], abs=0.08)
    apart = [abs(a - b) for a, b in zip(times, followed, strict=True)]
    assert max(apart) < 0.2


@pytest.mark.parametrize("told", [Told.FIRST_BEAT, Told.COUNT_IN])
@pytest.mark.parametrize("period", [0.43, 0.46, 0.54, 0.58])
def test_another_tempo_than_the_told_one_loses_no_beat(pace, told, period):
    pacer = pace(told)
    times = play_tune(pacer, lambda _: period, bars=8)
    assert beats_of(pacer, 32)[-8:] == pytest.approx(times[-8:], abs=0.08)


def test_a_fixed_clock_never_moves(pace):
    pacer = pace(follows=False)
    before = pacer.timeline
    assert play_tune(pacer, lambda _: 0.44, bars=4)
    assert pacer.timeline is before


@pytest.mark.parametrize("meter", ["4/4", "6/8", "12/8", "2/2"])
@pytest.mark.parametrize("period", [0.38, 0.5, 0.62])
def test_four_taps_count_in(pace, meter, period):
    meter = parse_meter(meter)
    first = -TAPS * meter.pulse_ticks
    pacer = pace(Told.TAPS, tick=first, ns=3_000_000_000, meter=meter)
    for number in range(TAPS):
        assert not pacer.is_counted_in
        orders = play(pacer, number * period, key=48)
        assert bool(orders) == (number == TAPS - 1)
    assert pacer.is_counted_in
    beats = beats_of(pacer, 4, ticks=meter.pulse_ticks)
    wanted = [(TAPS + n) * period for n in range(4)]
    assert beats == pytest.approx(wanted, abs=0.002)


def test_taps_that_are_no_midi_count_in_too(pace):
    pacer = pace(Told.TAPS, tick=-TAPS * BEAT, ns=3_000_000_000)
    for number in range(TAPS):
        assert not pacer.is_counted_in
        play(pacer, number * 0.5, 0, 0, 0, ReportKind.TAP)
    assert pacer.is_counted_in
    assert beats_of(pacer, 4) == pytest.approx([2, 2.5, 3, 3.5], abs=0.002)


def test_a_tap_that_is_far_off_begins_the_count_anew(pace):
    pacer = pace(Told.TAPS, tick=-TAPS * BEAT, ns=3_000_000_000)
    for seconds in (0, 0.5, 1.9, 2.4, 2.9):
        assert play(pacer, seconds) == []
    assert play(pacer, 3.4)
    assert beats_of(pacer, 1) == pytest.approx([3.9], abs=0.002)


def test_a_count_in_is_over_once_and_for_all(pace):
    pacer = pace(Told.TAPS, tick=-TAPS * BEAT, ns=3_000_000_000, tap_pedal=SOFT)
    for number in range(TAPS):
        play(pacer, number * 0.5, key=48)
    assert play(pacer, 30.0, key=SOFT, status=PEDAL, value=127) == []
    assert pacer.is_counted_in
    for number in range(8):
        play(pacer, 30.6 + number * 0.35)
    assert pacer.bpm == pytest.approx(120, rel=0.1)


@pytest.mark.parametrize("apart", [0, 0.0007, 0.004])
def test_a_chord_is_one_tap(pace, apart):
    pacer = pace(Told.TAPS, tick=-TAPS * BEAT, ns=3_000_000_000, follows=False)
    for number in range(TAPS):
        assert not pacer.is_counted_in
        for voice in range(4):
            play(pacer, number * 0.5 + voice * apart, key=48 + 4 * voice)
    assert pacer.is_counted_in
    assert pacer.bpm == pytest.approx(120, rel=0.01)


@pytest.mark.parametrize("apart", [0.0007, 0.004, 0.014])
def test_a_chord_on_the_last_tap_lets_the_clock_wind(pace, apart):
    pacer = pace(Told.TAPS, tick=-TAPS * BEAT, ns=3_000_000_000)
    for number in range(TAPS):
        for voice in range(4):
            play(pacer, number * 0.5 + voice * apart, key=48 + 4 * voice)
    assert beats_of(pacer, 4) == pytest.approx([2, 2.5, 3, 3.5], abs=0.02)


@pytest.mark.parametrize("apart", [0, 0.004, 0.02])
def test_a_pedal_that_tells_its_way_down_or_says_all_twice_taps_once(pace, apart):
    pacer = pace(follows=False, tap_pedal=SOFT)
    for number in range(3):
        begin = 4 + number * 0.6
        for step, value in enumerate((30, 70, 70, 100, 127, 127)):
            orders = play(pacer, begin + step * apart, SOFT, PEDAL, value)
            assert bool(orders) == (number > 0 and step == 1)
        play(pacer, begin + 0.3, SOFT, PEDAL, 0)
    assert pacer.bpm == pytest.approx(100, rel=0.01)


def test_a_wheel_does_not_count_in(pace):
    pacer = pace(Told.TAPS, tick=-TAPS * BEAT, ns=3_000_000_000)
    for number in range(2 * TAPS):
        assert play(pacer, number * 0.5, 1, PEDAL, 127) == []
        play(pacer, number * 0.5 + 0.1, 1, PEDAL, 0)
    assert not pacer.is_counted_in


@pytest.mark.parametrize(
    ("meter", "bpm", "notes"),
    [
        ("4/4", 40, 2),
        ("4/4", 40, 1),
        ("4/4", 30, 2),
        ("4/4", 380, 0.5),
        ("6/8", 60, 3),
        ("6/8", 25, 3),
        ("2/2", 60, 4),
        ("3/4", 50, 2),
        ("7/8", 120, 1),
    ],
)
def test_a_tempo_beyond_what_is_heard_is_followed_in_parts_or_groups(
    pace, meter, bpm, notes
):
    """So many notes a pulse, exactly in time, four per cent faster than was told."""
    meter = parse_meter(meter)
    pulse = 60 / bpm * meter.pulse_ticks / TICKS_PER_QUARTER
    pacer = pace(ns=round(60e9 / bpm), meter=meter)
    period = pulse / 1.04
    for number in range(round(24 * notes)):
        play(pacer, number * period / notes, 60 + (0, 4, 7, 5)[number % 4])
    assert pacer.bpm == pytest.approx(1.04 * bpm, rel=0.05)
    end = round(number * period / notes * RATE)
    at_the_end = pacer.timeline.frame_to_tick(end) / meter.pulse_ticks
    assert at_the_end == pytest.approx(number / notes, abs=0.3)


def test_what_cannot_be_followed_is_held(pace):
    pacer = pace(ns=300_000_000, meter=parse_meter("7/8"))
    before = pacer.timeline
    for number in range(20):
        assert play(pacer, number * 0.16) == []
    assert pacer.timeline is before


def test_a_tapped_tempo_beyond_what_is_heard_is_followed_too(pace):
    pacer = pace(tap_pedal=SOFT)
    for number in range(4):
        play(pacer, 4 + number * 1.5, SOFT, PEDAL, 127)
        play(pacer, 4.3 + number * 1.5, SOFT, PEDAL, 0)
    for number in range(24):
        play(pacer, 10 + number * 0.75, 60 + (0, 4, 7, 5)[number % 4])
    assert pacer.bpm == pytest.approx(40, rel=0.02)


def test_a_pedal_taps_a_new_tempo_while_it_plays(pace):
    pacer = pace(follows=False, tap_pedal=SOFT)
    assert play(pacer, 4.0, key=64, status=PEDAL, value=127) == []
    for seconds in (5.0, 5.6, 6.2, 6.8):
        play(pacer, seconds, key=SOFT, status=PEDAL, value=127)
        assert play(pacer, seconds + 0.2, key=SOFT, status=PEDAL, value=0) == []
    assert pacer.bpm == pytest.approx(100, rel=0.01)
    beats = [t for t in beats_of(pacer, 24) if t > 9]
    late = [(t - 6.8) / 0.6 - round((t - 6.8) / 0.6) for t in beats[:4]]
    assert late == pytest.approx([0] * 4, abs=0.02)


@pytest.mark.parametrize("seconds", [0.01, -0.03])
def test_the_beat_is_nudged_and_the_tempo_stays(pace, seconds):
    pacer = pace(follows=False)
    before = beats_of(pacer, 24)[15:]
    assert pacer.nudge(4 * RATE, seconds)
    after = beats_of(pacer, 24)[15:]
    moved = [b - a for a, b in zip(before, after, strict=True)]
    assert moved == pytest.approx([seconds] * len(moved), abs=1e-3)


def test_quick_nudges_add_up(pace):
    pacer = pace(follows=False)
    before = beats_of(pacer, 24)[18:]
    for press in range(5):
        pacer.nudge(round((4 + press * 0.03) * RATE), 0.01)
    after = beats_of(pacer, 24)[18:]
    moved = [b - a for a, b in zip(before, after, strict=True)]
    assert moved == pytest.approx([0.05] * len(moved), abs=2e-3)


def test_a_tap_after_a_long_time_begins_anew(pace):
    pacer = pace(follows=False)
    assert pacer.tap(4 * RATE) == []
    assert pacer.tap(60 * RATE) == []
    assert pacer.tap(round(60.5 * RATE))
    assert pacer.bpm == pytest.approx(120, rel=0.01)


@pytest.mark.parametrize(("next_tap", "then"), [(6.5, 7.0), (7.7, 8.2), (5.8, 6.3)])
def test_a_tap_that_fits_none_before_it_is_a_first_one(pace, next_tap, then):
    pacer = pace(follows=False)
    for seconds in (4, 4.5, 5, 5.5):
        pacer.tap(round(seconds * RATE))
    assert pacer.tap(round(next_tap * RATE)) == []
    assert pacer.bpm == pytest.approx(120, rel=0.01)
    assert pacer.tap(round(then * RATE))
    assert pacer.bpm == pytest.approx(120, rel=0.01)


@pytest.mark.parametrize("tightness", [0, 0.5, 1])
@pytest.mark.parametrize("off", [0.1, 0.2, 0.35, 0.45, -0.35])
def test_two_taps_set_the_beat_however_far_off_it_was(pace, off, tightness):
    pacer = pace(follows=False, tightness=tightness)
    second = 4.5 + off / 2
    pacer.tap(round((second - 0.5) * RATE))
    pacer.tap(round(second * RATE))
    assert pacer.bpm == pytest.approx(120, rel=0.001)
    beats = beats_of(pacer, 8, first=14)
    lengths = [b - a for a, b in pairwise(beats_of(pacer, 22))]
    assert min(lengths) > 0.5 / (1 + REACH) * 0.99
    assert max(lengths) < 0.5 / (1 - REACH) * 1.01
    late = [(t - second) / 0.5 - round((t - second) / 0.5) for t in beats]
    assert late == pytest.approx([0] * len(late), abs=0.005)


def test_a_nudge_is_kept_while_the_tempo_is_followed(pace):
    plain, nudged = pace(), pace()
    play_tune(plain, lambda _: 0.5, bars=1)
    play_tune(nudged, lambda _: 0.5, bars=1)
    nudged.nudge(round(2.1 * RATE), 0.02)
    for pacer in (plain, nudged):
        for beat in range(5, 16):
            play(pacer, beat / 2)
    late = [
        b - a for a, b in zip(beats_of(plain, 18), beats_of(nudged, 18), strict=True)
    ]
    assert late[12:] == pytest.approx([0.02] * len(late[12:]), abs=2e-3)


@pytest.mark.parametrize("bpm", [44, 120])
def test_a_nudge_moves_no_whole_beat(pace, bpm):
    """Slow beats are followed in their halves, and nudged whole."""
    period = 60 / bpm
    pacer = pace(ns=round(1e9 * period))
    play_tune(pacer, lambda _: period, bars=2)
    pacer.nudge(round(8 * period * RATE), 0.02)
    assert beats_of(pacer, 20)[12:] == pytest.approx(
        [beat * period + 0.02 for beat in range(12, 20)], abs=0.05
    )


def is_met(pacer, times):
    """Say of each beat whether the clock is near it, whichever it takes it for."""
    beats = [pacer.timeline.frame_to_tick(round(t * RATE)) / BEAT for t in times]
    return [
        abs(beat - round(beat)) < 0.175 and abs(later - beat - 1) < 0.04
        for beat, later in pairwise(beats)
    ]


@pytest.mark.parametrize("told", [Told.COUNT_IN, Told.NOTHING])
@pytest.mark.parametrize("ratio", [0.69, 0.83, 1, 1.2, 1.45])
def test_after_an_ending_another_song_is_met_in_its_own_time(pace, told, ratio):
    pacer = pace(told)
    play_tune(pacer, lambda _: 0.5, bars=8)
    pacer.rest()
    times = play_tune(pacer, lambda _: 0.5 / ratio, bars=8, start=3616.25)
    assert sum(is_met(pacer, times)[16:]) == 15
    assert pacer.bpm == pytest.approx(120 * ratio, rel=0.04)


def test_a_tempo_that_was_set_or_tapped_before_a_song_holds_in_it(pace):
    """Half notes, which might be quarters at half the tempo."""
    pacer = pace(Told.FIRST_BEAT)
    play_tune(pacer, lambda _: 0.5, bars=4)
    pacer.rest()
    for number in range(24):
        play(pacer, 30 + number * 1.5, 60 + (0, 4, 7, 5)[number % 4])
    assert pacer.bpm == pytest.approx(120, rel=0.03)
    pacer = pace(Told.COUNT_IN, tap_pedal=SOFT)
    pacer.rest()
    for number in range(4):
        play(pacer, 30 + number, SOFT, PEDAL, 127)
        play(pacer, 30.3 + number, SOFT, PEDAL, 0)
    for number in range(24):
        play(pacer, 40 + number / 2, 60 + (0, 4, 7, 5)[number % 4])
    assert pacer.bpm == pytest.approx(60, rel=0.03)


@pytest.mark.parametrize(
    ("told", "follows", "place"),
    [
        *((Told.FIRST_BEAT, follows, -BEAT // 2) for follows in (False, True)),
        *((Told.TAPS, follows, -BEAT) for follows in (False, True)),
        *((Told.NOTHING, True, place) for place in (0, -BEAT)),
    ],
)
@pytest.mark.parametrize("start", [40.0, 40.13, 41.41, 3641.77])
def test_after_an_ending_the_first_note_is_beat_one_less_the_pickup(
    pace, told, follows, place, start
):
    pacer = pace(told, follows, restart_tick=place)
    begin = 4 if told is Told.TAPS else 0
    for tap in range(begin):
        play(pacer, tap / 2)
    play_tune(pacer, lambda _: 0.5, bars=8, start=begin / 2)
    pacer.rest()
    times = play_tune(pacer, lambda _: 0.5, bars=8, start=start)
    late = [
        (pacer.timeline.frame_to_tick(round(seconds * RATE)) - place) / BEAT - beat
        for beat, seconds in enumerate(times)
    ]
    off = [(each + 2) % 4 - 2 for each in late[1:]]
    assert max(map(abs, off)) < 0.1


def test_a_fixed_tempo_is_kept_when_another_song_begins(pace):
    pacer = pace(Told.FIRST_BEAT, follows=False, restart_tick=0)
    play_tune(pacer, lambda _: 0.5, bars=2)
    pacer.rest()
    play_tune(pacer, lambda _: 0.4, bars=2, start=20.3)
    assert pacer.bpm == pytest.approx(120)
    lengths = [b - a for a, b in pairwise(beats_of(pacer, 60, first=45))]
    assert lengths == pytest.approx([0.5] * 59, abs=2 / RATE)


def test_only_the_first_note_after_an_ending_begins_a_song(pace):
    pacer = pace(Told.FIRST_BEAT, follows=False, restart_tick=0)
    play_tune(pacer, lambda _: 0.5, bars=2)
    before = pacer.timeline
    pacer.rest()
    assert play(pacer, 20.3, 64, PEDAL, 127) == []
    assert play(pacer, 20.4, status=0x80) == []
    assert pacer.timeline is before
    assert play(pacer, 20.5)
    assert [play(pacer, seconds) for seconds in (20.51, 20.57, 21, 24)] == [[]] * 4


def test_where_bars_go_on_another_song_begins_anywhere(pace):
    pacer = pace(Told.FIRST_BEAT, follows=False)
    play_tune(pacer, lambda _: 0.5, bars=2)
    pacer.rest()
    assert play(pacer, 20.3) == []


def test_notes_have_their_place_while_the_clock_is_wound(pace):
    """A chord, a grace note and a turn come before the clock has arrived."""
    pacer = pace(Told.FIRST_BEAT, restart_tick=0)
    play_tune(pacer, lambda _: 0.5, bars=2)
    pacer.rest()
    places = []
    after = (0, 0.004, 0.04, 0.09, 0.11, 0.12, 0.13, 0.2, 0.5)
    for seconds in after:
        play(pacer, 20.77 + seconds)
        frame = round((20.77 + seconds) * RATE)
        tick = pacer.timeline.frame_to_tick(frame)
        places.append(pacer.place_of(frame, tick))
    assert places == sorted(places)
    assert places[0] % BAR == 0
    wanted = [seconds / 0.5 * BEAT for seconds in after]
    # The clock is wound on in less than 25 ms.
    found = [place - places[0] for place in places]
    assert found == pytest.approx(wanted, abs=0.025 / 0.5 * BEAT)


def test_after_an_ending_an_unknown_tempo_is_found_before_the_band_comes_in(pace):
    pacer = pace(Told.NOTHING)
    play_tune(pacer, lambda _: 0.5, bars=8)
    assert pacer.is_settled
    pacer.rest()
    assert pacer.is_settled
    play(pacer, 60)
    assert not pacer.is_settled
    play_tune(pacer, lambda _: 0.6, bars=4, start=60.6)
    assert pacer.is_settled


@pytest.mark.parametrize("bpm", [72, 84, 96, 108, 120, 132, 144])
def test_with_nothing_told_the_first_note_is_beat_one(pace, bpm):
    pacer = pace(Told.NOTHING)
    times = play_tune(pacer, lambda _: 60 / bpm, bars=12)
    assert pacer.is_settled
    assert pacer.bpm == pytest.approx(bpm, rel=0.03)
    at_the_end = pacer.timeline.frame_to_tick(round(times[-1] * RATE)) / BEAT
    assert abs((at_the_end - (len(times) - 1) + 2) % 4 - 2) < 0.3


@pytest.mark.parametrize(
    ("meter", "bpm"),
    [("7/8", 100), ("7/8", 140), ("5/8", 110)],
)
def test_with_nothing_told_eighths_are_taken_for_eighths(pace, meter, bpm):
    meter = parse_meter(meter)
    pacer = pace(Told.NOTHING, meter=meter)
    eighth = 30 / bpm
    bar = meter.bar_ticks // 960
    for number in range(20 * bar):
        if number % bar in (0, 2, 3, 4):
            play(pacer, number * eighth, 60 + number % 5 * 2, value=96 - number % bar)
    seconds = 19 * bar * eighth
    tick = pacer.timeline.frame_to_tick(round(seconds * RATE))
    assert pacer.bpm == pytest.approx(bpm, rel=0.03)
    assert (tick + 240) % meter.bar_ticks < 480


def test_with_nothing_told_the_band_waits_until_it_is_sure(pace):
    pacer = pace(Told.NOTHING)
    assert not pacer.is_settled
    play(pacer, 0.0)
    assert not pacer.is_settled
    assert pace(Told.FIRST_BEAT).is_settled


def test_a_change_that_came_late_is_put_right_from_the_next_report(pace):
    pacer = pace()
    play_tune(pacer, lambda _: 0.46, bars=2)
    behind = pacer.timeline.frame_to_tick(10 * RATE) - 100
    report = Report(ReportKind.MIDI, behind, 10 * RATE, 0, ON, 60, 80, 0)
    pacer.hear(report, behind)
    assert pacer.timeline.frame_to_tick(10 * RATE) == behind
    assert pacer.timeline.tick_to_frame(0) == 0


def test_it_does_not_matter_where_the_frames_begin(pace):
    here, there = pace(), pace()
    there.begin(0, FAR)
    play_tune(here, lambda _: 0.48, bars=6)
    play_tune(there, lambda _: 0.48, bars=6, start=FAR / RATE)
    moved = [anchor.frame - FAR for anchor in there.timeline.anchors]
    assert moved == [anchor.frame for anchor in here.timeline.anchors]
    assert there.timeline.starts == here.timeline.starts


def test_the_lead_in_ticks_goes_with_the_tempo(pace):
    slow, fast = pace(ns=1_000_000_000), pace(ns=250_000_000)
    assert fast.lead_ticks == pytest.approx(4 * slow.lead_ticks, abs=5)
    seconds = slow.lead_ticks / TICKS_PER_QUARTER
    assert seconds > 2160 / RATE


def test_at_another_rate_every_beat_comes_when_it_would_have_come(pace):
    pacer = pace()
    play_tune(pacer, lambda _: 0.48, 4)
    frame = round(7.7 * RATE)
    play(pacer, 7.68)  # leaves a change of tempo that is still to come
    ticks = range(pacer.timeline.frame_to_tick(frame) + 1, 20 * BEAT, 480)
    due = [(pacer.timeline.tick_to_frame(tick) - frame) / RATE for tick in ticks]
    pacer.change_rate(frame, 44_100)
    now = [(pacer.timeline.tick_to_frame(tick) - frame) / 44_100 for tick in ticks]
    assert now == pytest.approx(due, abs=2 / 44_100)
    assert pacer.lead_ticks > 0
    report = Report(ReportKind.MIDI, 16 * BEAT, frame + 1000, 0, ON, 60, 80, 0)
    pacer.hear(report, pacer.timeline.frame_to_tick(frame + 1000))
    assert pacer.period == pytest.approx(0.48, rel=0.05)


def test_a_clock_that_nobody_records_stays_small_and_the_same(pace):
    pacers = [pace(forgets=forgets) for forgets in (False, True)]
    for number in range(3 * KEPT_CHANGES):
        ordered = [play(pacer, 1 + number / 2) for pacer in pacers]
        assert ordered[0] == ordered[1]
    whole, short = (pacer.timeline for pacer in pacers)
    assert KEPT_CHANGES <= len(short.anchors) <= 2 * KEPT_CHANGES < len(whole.anchors)
    assert short.anchors == whole.anchors[-len(short.anchors) :]
