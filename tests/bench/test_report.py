import json

import pytest

from bench.report import (
    BUSY,
    CONTROL,
    EMPTY,
    Run,
    differences,
    line_of,
    to_json,
    verdict,
)

CYCLE_US = {"p50": 22.5, "p99": 60.0, "p999": 90.0, "max": 140.0}
MEASURED = {
    "cycle_us": CYCLE_US,
    "cpu_s": 12.1,
    "rss_mb": 217.0,
    "shared_mb": 107.0,
    "late_events": 0,
    "notes": 200,
}


def run(name, xruns, own_misses=0):
    if name == EMPTY:
        return Run(name, 64, 12.0, xruns, {})
    return Run(name, 64, 12.0, xruns, {}, own_misses=own_misses, **MEASURED)


# Pairs change their order: the first empty run belongs to the first busy one.
GOOD = [
    run(EMPTY, 3),
    run(BUSY, 2),
    run(BUSY, 4),
    run(EMPTY, 1),
    run(EMPTY, 5),
    run(BUSY, 5),
    run(CONTROL, 900, own_misses=500),
]


def test_each_run_is_compared_with_the_empty_one_of_its_pair():
    assert differences(GOOD) == [-1, 3, 0]


def test_a_run_without_its_pair_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        differences([run(EMPTY, 3), run(BUSY, 2), run(BUSY, 4)])


def test_the_verdict_shows_every_pair_and_the_median():
    own, more, control = verdict(GOOD)
    assert "in 36 s with Python busy: 0; longest cycle 140 us: ok" in own
    assert "-1, +3, +0; median +0: ok" in more
    assert "500: ok" in control


@pytest.mark.parametrize(
    ("runs", "line"),
    [
        ([*GOOD[:5], run(BUSY, 5, own_misses=1), GOOD[6]], 0),
        ([*GOOD[:5], run(BUSY, 6), GOOD[6]], 1),
        ([*GOOD[:6], run(CONTROL, 3, own_misses=2)], 2),
    ],
    ids=["a miss", "more xruns", "a control that shows nothing"],
)
def test_the_verdict_says_what_is_not_as_promised(runs, line):
    assert [k for k, text in enumerate(verdict(runs)) if "NOT" in text] == [line]


def test_the_json_has_the_fields_of_the_contract():
    for written in json.loads(to_json(GOOD))["runs"]:
        assert {"name", "period", "seconds", "xruns", "own_misses"} <= set(written)
        assert {"cycle_us", "cpu_s", "rss_mb", "late_events"} <= set(written)
    assert written["cycle_us"] == CYCLE_US


@pytest.mark.parametrize("name", [EMPTY, BUSY])
def test_a_line_begins_with_the_name_and_the_xruns(name):
    assert line_of(run(name, 7)).split()[:2] == [name, "7"]
