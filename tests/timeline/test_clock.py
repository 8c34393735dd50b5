import itertools
import random
from bisect import bisect_right
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jackcomp.timeline.clock import (
    ONE_TICK,
    Anchor,
    Timeline,
    bpm_to_ns_per_quarter,
    frame_to_tick,
    ns_per_quarter_to_bpm,
    retempo,
    tick_to_frame,
)
from jackcomp.timeline.meter import TICKS_PER_QUARTER

FRAMES = st.integers(-(2**40), 2**40)
TICKS = st.integers(-(2**31), 2**31)
TEMPOS = st.integers(6_000_000, 60_000_000_000)  # 10 000 to 1 quarters a minute
RATES = st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
ANCHORS = st.builds(
    Anchor,
    frame=FRAMES,
    tick_fp=st.integers(-(2**62), 2**62),
    ns_per_quarter=TEMPOS,
    rate=RATES,
)
CHANGES = st.lists(st.tuples(st.integers(-100, 10_000), TEMPOS), max_size=8)


def frames_per_tick(ns_per_quarter, rate):
    return Fraction(ns_per_quarter * rate, TICKS_PER_QUARTER * 10**9)


def exact_frame(anchor, tick):
    ticks = tick - Fraction(anchor.tick_fp, ONE_TICK)
    return anchor.frame + ticks * frames_per_tick(anchor.ns_per_quarter, anchor.rate)


@given(ANCHORS, TICKS)
def test_a_frame_is_the_floor_of_the_exact_position(anchor, tick):
    assert tick_to_frame(anchor, tick) == exact_frame(anchor, tick) // 1


@given(ANCHORS, FRAMES)
def test_the_tick_of_a_frame_is_the_last_that_falls_in_it_or_before(anchor, frame):
    tick = frame_to_tick(anchor, frame)
    assert tick_to_frame(anchor, tick) <= frame < tick_to_frame(anchor, tick + 1)


@given(ANCHORS, TICKS)
def test_frame_to_tick_to_frame_is_the_same_frame(anchor, tick):
    frame = tick_to_frame(anchor, tick)
    assert tick_to_frame(anchor, frame_to_tick(anchor, frame)) == frame


# 12.5 frames to a tick. The numbers that the C core must give too.
STEADY = Anchor(0, 0, 500_000_000, 48_000)


@pytest.mark.parametrize(
    ("tick", "frame"),
    [(0, 0), (1, 12), (2, 25), (1920, 24_000), (-1, -13), (-2, -25), (-3, -38)],
)
def test_ticks_round_down_to_frames_on_both_sides_of_the_anchor(tick, frame):
    assert tick_to_frame(STEADY, tick) == frame


@pytest.mark.parametrize(
    ("frame", "tick"),
    [(0, 0), (11, 0), (12, 1), (24, 1), (25, 2), (-1, -1), (-13, -1), (-14, -2)],
)
def test_frames_find_the_tick_that_began_last(frame, tick):
    assert frame_to_tick(STEADY, frame) == tick


def test_a_tempo_change_between_frames_keeps_the_fraction():
    # Tick 1 is at frame 12.5; at twice the tempo that half frame is 0.08 ticks.
    anchor = retempo(STEADY, 1, 250_000_000)
    assert anchor == Anchor(12, ONE_TICK + -ONE_TICK * 8 // 100, 250_000_000, 48_000)
    assert [tick_to_frame(anchor, tick) for tick in (0, 1, 2, 3)] == [6, 12, 18, 25]


@given(ANCHORS, TICKS, TEMPOS)
@example(Anchor(0, 1, 6_000_000, 8000), 0, 7_271_642)
def test_a_tempo_change_does_not_move_its_own_tick(anchor, tick, ns_per_quarter):
    changed = retempo(anchor, tick, ns_per_quarter)
    assert changed.frame == tick_to_frame(anchor, tick)
    assert tick_to_frame(changed, tick) == tick_to_frame(anchor, tick)
    lag = exact_frame(changed, tick) - exact_frame(anchor, tick)
    assert abs(lag) < frames_per_tick(ns_per_quarter, anchor.rate) / ONE_TICK


@given(ANCHORS, TICKS)
def test_the_same_tempo_again_changes_nothing_that_is_played(anchor, tick):
    changed = retempo(anchor, tick, anchor.ns_per_quarter)
    for later in range(tick, tick + 50):
        assert tick_to_frame(changed, later) == tick_to_frame(anchor, later)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_tempo_change_a_beat_does_not_drift_in_four_hours(rate):
    rng = random.Random(1)
    anchor = Anchor(0, 0, 500_000_000, rate)
    exact = Fraction(0)
    rounded_off = 28_800 * frames_per_tick(600_000_000, rate) / ONE_TICK
    assert rounded_off < Fraction(1, 1_000)
    for beat in range(1, 28_801):
        quarter = frames_per_tick(anchor.ns_per_quarter, rate) * TICKS_PER_QUARTER
        exact += quarter
        anchor = retempo(
            anchor, beat * TICKS_PER_QUARTER, rng.randrange(400_000_000, 600_000_000)
        )
        assert exact - 1 < anchor.frame <= exact + rounded_off
    assert anchor.frame > 4 * 3600 * rate * 0.9


@pytest.mark.parametrize(
    ("bpm", "ns"),
    [(120, 500_000_000), (100, 600_000_000), (140, 428_571_429), (92.5, 648_648_649)],
)
def test_tempo_in_nanoseconds(bpm, ns):
    assert bpm_to_ns_per_quarter(bpm) == ns
    assert ns_per_quarter_to_bpm(ns) == pytest.approx(bpm, rel=1e-8)


@pytest.mark.parametrize("bpm", [0, -120, 0.5, 10_001, float("inf"), float("nan")])
def test_an_impossible_tempo_is_refused(bpm):
    with pytest.raises(ValueError, match=r"tempo .*: expected 1 to 10000 quarters"):
        bpm_to_ns_per_quarter(bpm)


def build_timeline(anchor, changes):
    timeline = Timeline.from_anchor(anchor)
    for tick, ns_per_quarter in changes:
        timeline = timeline.with_tempo(tick, ns_per_quarter)
    return timeline


@given(ANCHORS, CHANGES, st.integers(-1_000, 20_000))
def test_a_tempo_map_agrees_with_fractions(anchor, changes, tick):
    anchor = Anchor(anchor.frame, 0, anchor.ns_per_quarter, anchor.rate)
    changes = sorted((max(start, 1), ns) for start, ns in changes)
    timeline = build_timeline(anchor, changes)

    tempos = {0: anchor.ns_per_quarter} | dict(changes)  # the last of a tick holds
    edges = [*(start for start in tempos if start < tick), tick]
    exact = anchor.frame + sum(
        (end - start) * frames_per_tick(tempos[start], anchor.rate)
        for start, end in itertools.pairwise(edges)
    )
    if tick < 0:
        exact = exact_frame(anchor, tick)
    assert exact - 1 - Fraction(1, 1000) < timeline.tick_to_frame(tick) <= exact


@given(ANCHORS, CHANGES, st.integers(-1_000, 20_000))
def test_a_tempo_map_is_continuous_and_never_runs_back(anchor, changes, tick):
    timeline = build_timeline(anchor, sorted(changes))
    frame = timeline.tick_to_frame(tick)
    assert frame <= timeline.tick_to_frame(tick + 1)
    assert list(timeline.starts) == sorted(set(timeline.starts))
    for before, after, start in zip(
        timeline.anchors, timeline.anchors[1:], timeline.starts[1:], strict=False
    ):
        assert tick_to_frame(before, start) == tick_to_frame(after, start)


@given(ANCHORS, CHANGES, st.integers(-100_000, 10_000_000))
def test_frames_of_a_tempo_map_find_the_tick_that_began_last(anchor, changes, frame):
    timeline = build_timeline(anchor, sorted(changes))
    frame += anchor.frame
    tick = timeline.frame_to_tick(frame)
    assert timeline.tick_to_frame(tick) <= frame < timeline.tick_to_frame(tick + 1)


@given(CHANGES, TICKS)
def test_each_anchor_is_valid_from_its_tick_on(changes, tick):
    timeline = build_timeline(STEADY, sorted(changes))
    index = max(bisect_right(timeline.starts, tick) - 1, 0)
    assert timeline.anchor_at(tick) == timeline.anchors[index]


def test_a_new_tempo_forgets_the_changes_after_it():
    timeline = build_timeline(STEADY, [(1920, 10**9), (3840, 2 * 10**9)])
    changed = timeline.with_tempo(1920, 250_000_000)
    assert changed.starts == (0, 1920)
    assert timeline.starts == (0, 1920, 3840)
    assert changed.tick_to_frame(3840) == 24_000 + 12_000


def test_a_tempo_at_the_first_tick_is_the_tempo_of_the_whole():
    timeline = Timeline.from_anchor(STEADY).with_tempo(0, 10**9)
    assert timeline == Timeline.from_anchor(Anchor(0, 0, 10**9, 48_000))
    assert timeline.tick_to_frame(-1920) == -48_000


def test_a_long_timeline_forgets_its_past_now_and_then():
    whole = Timeline.from_anchor(Anchor(0, 0, 500_000_000, 48_000))
    for tick in range(1, 8):
        whole = whole.with_tempo(tick, 500_000_000 + tick)
    assert whole.latest(4) == whole
    short = whole.with_tempo(8, 400_000_000).latest(4)
    assert short.starts == (5, 6, 7, 8)
    assert short.tick_to_frame(9) == whole.with_tempo(8, 400_000_000).tick_to_frame(9)


def test_seconds_count_from_tick_zero():
    timeline = build_timeline(Anchor(777, 0, 500_000_000, 48_000), [(1920, 10**9)])
    assert timeline.seconds(0) == 0
    assert timeline.seconds(3840) == 1.5
    assert timeline.seconds(-1920) == -0.5
