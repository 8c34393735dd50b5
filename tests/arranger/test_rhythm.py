import pytest

from jackcomp.arranger.pattern import Hit
from jackcomp.arranger.rhythm import Counting, lay_strokes
from jackcomp.timeline.meter import parse_meter

EIGHTH = 960


def hit(at, every="once", length="step", tones=("all",)):
    return Hit(at, every, tones, length, 0)


def starts(hits, meter, step=0, swing=False):
    meter = parse_meter(meter)
    strokes = lay_strokes(hits, Counting(meter, swing), meter.steps[step])
    return [stroke.start / EIGHTH for stroke in strokes]


@pytest.mark.parametrize(
    ("meter", "step", "expected"),
    [
        ("4/4", 0, [1, 2, 3]),
        ("2/2", 1, [1, 2, 3]),
        ("3/4", 0, [1, 2, 3, 4, 5]),
        ("6/8", 0, [1, 2, 3, 4, 5]),
        ("12/8", 1, [1, 2, 3, 4, 5]),
        ("3/8", 0, [1, 2]),
        ("5/4", 1, [1, 2, 3]),
        ("2+3/8", 0, [1]),
        ("2+3/8", 1, [1, 2]),
        ("6/16", 0, [0.5, 1, 1.5, 2, 2.5]),
    ],
)
def test_eighths_fill_every_step_to_its_end(meter, step, expected):
    assert starts([hit(1, "eighth")], meter, step) == expected


@pytest.mark.parametrize(
    ("meter", "expected"),
    [("4/4", [0, 2]), ("3/4", [0, 2, 4]), ("6/8", [0, 3]), ("7/8", [0, 2])],
)
def test_counts_are_quarters_or_dotted_quarters(meter, expected):
    assert starts([hit(0, "count")], meter) == expected


def test_swing_delays_the_second_eighth_to_the_last_third():
    third = 2 / 3
    assert starts([hit(0, "eighth")], "4/4", swing=True) == pytest.approx(
        [0, 2 * third, 2, 2 + 2 * third]
    )


def test_swing_leaves_compound_meters_alone():
    hits = [hit(0, "eighth")]
    assert starts(hits, "6/8", swing=True) == starts(hits, "6/8")


def test_hits_beyond_a_short_step_are_left_out():
    assert starts([hit(0), hit(5)], "3/4") == [0, 5]
    assert starts([hit(0), hit(5)], "4/4") == [0]


def test_in_a_step_too_short_for_any_hit_the_first_falls_on_the_line():
    assert starts([hit(4), hit(5)], "1/4") == [0]


def test_tones_take_turns_in_order_of_time():
    meter = parse_meter("4/4")
    hits = [hit(1, "count", tones=(0, 1)), hit(0, "count", tones=("all",))]
    strokes = lay_strokes(hits, Counting(meter), meter.steps[0])
    assert [stroke.tone for stroke in strokes] == ["all", 0, "all", 1]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("step", [4, 4]),
        ("next", [3, 4]),
        (1.0, [1, 4]),
        (0.5, [0.5, 3.5]),
        (9.0, [4, 4]),
    ],
)
def test_strokes_end_as_the_pattern_says_but_within_the_step(length, expected):
    meter = parse_meter("4/4")
    hits = [hit(0, length=length), hit(3, length=length)]
    strokes = lay_strokes(hits, Counting(meter), meter.steps[0])
    assert [stroke.end / EIGHTH for stroke in strokes] == expected
