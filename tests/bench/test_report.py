import json
from dataclasses import replace

import pytest

from bench.report import (
    BUSY,
    CONTROL,
    EMPTY,
    FLUIDSYNTH,
    JACKCOMP,
    OURS,
    STALLED,
    Run,
    at,
    differences,
    header,
    line_of,
    ratios,
    to_json,
    verdict,
)

CYCLE_US = {"p50": 22.5, "p99": 60.0, "p999": 90.0, "max": 140.0}
XRUNS = {JACKCOMP: (2, 4, 3), BUSY: (3, 0, 6), STALLED: (0, 0, 0)}
EMPTY_XRUNS = (3, 3, 5, 1, 3, 2, 6, 0, 3, 8, 4, 1, 3)


def run(name, xruns=0, **changes):
    measured = {}
    if name != EMPTY:
        measured |= {
            "cpu_s": 2.0,
            "core_cpu_s": 0.5,
            "rss_mb": 137.0,
            "shared_mb": 107.0,
        }
    if name not in (EMPTY, FLUIDSYNTH):
        measured |= {"own_misses": 0, "cycle_us": CYCLE_US, "late_events": 0}
    if name in OURS:
        measured |= {"notes": 200, "gap_ms": 250.0}
    return replace(Run(name, 64, 12.0, xruns, {}, 5.0, 0.0), **measured | changes)


def good_runs():
    """Three rounds, forth and back, the control, and a round at another period."""
    names = (BUSY, JACKCOMP, FLUIDSYNTH, STALLED)
    empty = iter(EMPTY_XRUNS)
    runs = [run(EMPTY, next(empty))]
    for number in range(3):
        for name in names if number % 2 == 0 else reversed(names):
            runs.append(run(name, XRUNS.get(name, (0, 0, 0))[number]))
            runs.append(run(EMPTY, next(empty)))
    runs.append(run(CONTROL, 900, own_misses=500))
    return [*runs, *(run(name, period=128) for name in (EMPTY, *names))]


def test_each_run_is_compared_with_the_empty_ones_beside_it():
    assert differences(good_runs(), JACKCOMP) == [-2, 1, -3]
    assert differences(good_runs(), BUSY) == [0, -1.5, 0.5]


def test_a_run_with_no_empty_one_beside_it_is_an_error():
    runs = good_runs()
    runs.remove(at(runs, EMPTY)[2])
    with pytest.raises(ValueError, match="jackcomp ran between empty and fluidsynth"):
        differences(runs, JACKCOMP)


def test_all_is_as_promised():
    lines = verdict(good_runs())
    assert not [line for line in lines if "NOT" in line]
    assert sum(line.endswith(": ok") for line in lines) == len(lines) - 3
    text = "\n".join(lines)
    assert "jackcomp_busy: own misses in 36 s at 64 frames: 0 (" in text
    assert "other periods: 0 at 128): ok" in text
    assert "2 (3, 5), 4 (6, 0), 3 (8, 4); median of the differences -2" in text
    assert "99 % of the cycles below 4.5 % of the period" in text
    assert "jackcomp over fluidsynth: dsp_load 1.00, cpu_s 1.00" in text


def changed(name, number=0, **changes):
    """Give good runs with one of them changed, counted within its setting."""
    runs = good_runs()
    place = runs.index([r for r in runs if r.name == name][number])
    runs[place] = replace(runs[place], **changes)
    return runs


@pytest.mark.parametrize(
    ("runs", "claim"),
    [
        (changed(JACKCOMP, own_misses=1), "jackcomp: own misses"),
        (changed(BUSY, 2, own_misses=1), "jackcomp_busy: own misses"),
        (changed(STALLED, own_misses=1), "jackcomp_stalled: own misses"),
        (changed(JACKCOMP, 3, own_misses=1), "jackcomp: own misses"),  # at 128 frames
        (changed(JACKCOMP, 2, xruns=9), "jackcomp: xruns"),
        (changed(CONTROL, own_misses=49), "python_callback"),
        (changed(STALLED, late_events=1), "jackcomp_stalled: events late"),
        (changed(STALLED, 3, gap_ms=251.0), "jackcomp_stalled: events late"),
    ],
)
def test_the_verdict_says_what_is_not_as_promised(runs, claim):
    (line,) = [line for line in verdict(runs) if "NOT AS PROMISED" in line]
    assert line.startswith(claim)


@pytest.mark.parametrize(
    ("name", "changes", "claim"),
    [
        (BUSY, {"cycle_us": CYCLE_US | {"p99": 267.0}}, "jackcomp_busy: 99 %"),
        (FLUIDSYNTH, {"core_cpu_s": 0.41}, "jackcomp over fluidsynth"),
    ],
)
def test_slow_cycles_and_a_busy_core_are_told_by_their_median(name, changes, claim):
    runs = [replace(r, **changes) if r.name == name else r for r in good_runs()]
    (line,) = [line for line in verdict(runs) if "NOT AS PROMISED" in line]
    assert line.startswith(claim)


def test_ratios_are_medians_over_the_rounds():
    runs = changed(FLUIDSYNTH, 1, core_cpu_s=0.05, cpu_s=4.0)
    assert ratios(runs)[JACKCOMP] == {
        "dsp_load": 1.0,
        "cpu_s": 1.0,
        "core_cpu_s": 1.0,
        "own_mb": 1.0,
    }
    runs = [replace(r, cpu_s=4.0) if r.name == BUSY else r for r in runs]
    assert ratios(runs)[BUSY]["cpu_s"] == 2.0


def test_what_was_not_measured_has_no_ratio():
    runs = [replace(r, core_cpu_s=None) for r in good_runs()]
    assert "core_cpu_s" not in ratios(runs)[JACKCOMP]
    assert "core_cpu_s" not in "\n".join(verdict(runs))


def test_the_json_has_the_fields_of_the_contract():
    document = json.loads(to_json(good_runs()))
    for written in document["runs"]:
        assert {"name", "period", "seconds", "xruns", "own_misses"} <= set(written)
        assert {"cycle_us", "cpu_s", "rss_mb", "late_events"} <= set(written)
    assert document["runs"][1]["cycle_us"] == CYCLE_US
    assert set(document["ratios"]) == set(OURS)


@pytest.mark.parametrize("name", [EMPTY, FLUIDSYNTH, JACKCOMP])
def test_a_line_has_a_cell_for_each_column(name):
    line = line_of(run(name, 7, blamed={"a client": 2}))
    assert line.split()[:2] == [name, "7"]
    assert line.endswith("  a client 2")
    assert line.index("a client") == header(64).index("not done")
