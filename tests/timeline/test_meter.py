import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.timeline.meter import (
    DENOMINATORS,
    MAX_NUMERATOR,
    TICKS_PER_QUARTER,
    Meter,
    bar_beat,
    format_position,
    parse_meter,
    step_at,
    step_start,
)

TICKS = st.integers(-(10**9), 10**9)
GROUPS = st.lists(st.integers(1, 9), min_size=2, max_size=3).map(tuple)
DENOMINATOR = st.sampled_from(DENOMINATORS)
METERS = st.one_of(
    st.builds(Meter, st.integers(1, MAX_NUMERATOR), DENOMINATOR),
    st.builds(lambda beats, unit: Meter(sum(beats), unit, beats), GROUPS, DENOMINATOR),
)


@pytest.mark.parametrize(
    ("text", "groups", "beat", "pulse"),
    [
        ("4/4", (2, 2), 1920, 1920),
        ("2/2", (1, 1), 3840, 3840),
        ("2/4", (2,), 1920, 1920),
        ("3/4", (3,), 1920, 1920),
        ("6/8", (6,), 960, 2880),
        ("3/8", (3,), 960, 960),
        ("9/8", (9,), 960, 2880),
        ("12/8", (6, 6), 960, 2880),
        ("15/8", (9, 6), 960, 2880),
        ("5/4", (3, 2), 1920, 1920),
        ("5/8", (3, 2), 960, 960),
        ("7/4", (4, 3), 1920, 1920),
        ("7/8", (4, 3), 960, 960),
        ("3/2", (3,), 3840, 3840),
        ("6/4", (3, 3), 1920, 1920),
        ("9/4", (3, 3, 3), 1920, 1920),
        ("4/2", (2, 2), 3840, 3840),
        ("4/8", (4,), 960, 960),
        ("8/8", (4, 4), 960, 960),
        ("10/4", (4, 3, 3), 1920, 1920),
        ("4/16", (4,), 480, 480),
        ("6/16", (6,), 480, 1440),
        ("1/4", (1,), 1920, 1920),
        ("1/1", (1,), 7680, 7680),
        ("2+3/4", (2, 3), 1920, 1920),
        ("2+2+3/8", (2, 2, 3), 960, 960),
        ("3+3/8", (3, 3), 960, 2880),
        ("2+2+2/8", (2, 2, 2), 960, 960),
        (" 3 + 3 + 2 / 8 ", (3, 3, 2), 960, 960),
    ],
)
def test_harmonic_steps_beat_and_pulse_of_a_meter(text, groups, beat, pulse):
    meter = parse_meter(text)
    assert meter.groups == groups
    assert meter.beat_ticks == beat
    assert meter.pulse_ticks == pulse
    assert meter.steps == tuple(group * beat for group in groups)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown meter '': expected 4/4"),
        ("four", "unknown meter 'four': expected 4/4"),
        ("4", "unknown meter '4'"),
        ("4/", "unknown meter '4/'"),
        ("-4/4", "unknown meter '-4/4'"),
        ("4.5/4", "unknown meter '4.5/4'"),
        ("2++3/4", "unknown meter"),
        ("+5/4", "unknown meter"),
        ("100/4", "unknown meter '100/4'"),
        ("٤/4", "unknown meter"),
        ("0/4", "0 beats in a bar: expected 1 to 32"),
        ("33/4", "33 beats in a bar: expected 1 to 32"),
        ("30+3/4", "33 beats in a bar"),
        ("4/3", "denominator 3: expected one of 1, 2, 4, 8, 16, 32"),
        ("4/0", "denominator 0"),
        ("4/64", "denominator 64"),
        ("0+4/4", "groups 0.4: expected beats that add up to 4"),
    ],
)
def test_an_unknown_meter_is_one_clear_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_meter(text)
    assert str(error.value).startswith("unknown meter")
    assert "\n" not in str(error.value)


def test_groups_must_fill_the_bar():
    with pytest.raises(ValueError, match=r"groups 2\+2: expected beats .* up to 5"):
        Meter(5, 4, (2, 2))


@given(METERS)
def test_a_meter_reads_back(meter):
    assert parse_meter(str(meter)) == meter


@given(METERS)
def test_steps_fill_the_bar(meter):
    assert sum(meter.steps) == meter.bar_ticks
    assert meter.bar_ticks * meter.denominator == (
        4 * TICKS_PER_QUARTER * meter.numerator
    )
    assert meter.pulse_ticks % meter.beat_ticks == 0


@given(METERS, TICKS)
def test_a_tick_lies_in_its_step(meter, tick):
    step, start = step_at(meter, tick)
    assert start == step_start(meter, step)
    assert start <= tick < step_start(meter, step + 1)


@given(METERS, st.integers(-(10**6), 10**6))
def test_a_step_starts_where_it_is_found(meter, step):
    assert step_at(meter, step_start(meter, step)) == (step, step_start(meter, step))


def test_steps_before_the_first_bar_are_negative():
    meter = parse_meter("3+2/4")
    starts = [step_start(meter, step) // TICKS_PER_QUARTER for step in range(-3, 4)]
    assert starts == [-7, -5, -2, 0, 3, 5, 8]
    assert step_at(meter, -1) == (-1, -2 * TICKS_PER_QUARTER)


@given(METERS, TICKS)
def test_bar_beat_and_tick_make_the_tick_again(meter, tick):
    bar, beat, tick_in_beat = bar_beat(meter, tick)
    assert 0 <= beat < meter.numerator
    assert 0 <= tick_in_beat < meter.beat_ticks
    assert bar * meter.bar_ticks + beat * meter.beat_ticks + tick_in_beat == tick


@pytest.mark.parametrize(
    ("text", "tick", "position"),
    [
        ("4/4", 0, "1:1"),
        ("4/4", 2 * 7680 + 2880, "3:2.5"),
        ("4/4", 19 * 1920, "5:4"),
        ("4/4", 640, "1:1.333"),
        ("4/4", 1280, "1:1.667"),
        ("4/4", 192, "1:1.1"),
        ("4/4", 7679, "1:4.999"),
        ("4/32", 4 * 240 * 9 - 1, "9:4.996"),
        ("1/1", 7679, "2:1"),
        ("4/4", -1920, "0:4"),
        ("4/4", -7681, "-1:4.999"),
        ("6/8", 2880 + 480, "1:4.5"),
        ("10/8", 9 * 960, "1:10"),
        ("4/4", 9 * 7680, "10:1"),
    ],
)
def test_positions_are_written_from_one(text, tick, position):
    assert format_position(parse_meter(text), tick) == position


@given(METERS, TICKS)
def test_a_written_position_is_right_to_half_a_thousandth(meter, tick):
    bar, beat = format_position(meter, tick).split(":")
    assert 1 <= float(beat) < meter.numerator + 1
    beats = (int(bar) - 1) * meter.numerator + float(beat) - 1
    assert abs(beats - tick / meter.beat_ticks) <= 0.000501
