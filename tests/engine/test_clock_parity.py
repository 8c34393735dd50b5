"""The clock of timeline/ and the clock of the C core are the same clock."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jackcomp.engine import _core
from jackcomp.timeline import clock
from jackcomp.timeline.clock import ONE_TICK, Anchor

ffi, lib = _core.ffi, _core.lib

FRAMES = st.integers(-(2**48), 2**48)
TICKS = st.integers(-(2**30), 2**30)  # 77 hours, at 120 quarters a minute
TEMPOS = st.integers(6_000_000, 60_000_000_000)  # 10 000 to 1 quarters a minute
RATES = st.one_of(
    st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000, 192_000]),
    st.integers(1, 384_000),
)
ANCHORS = st.builds(
    Anchor,
    frame=FRAMES,
    tick_fp=st.integers(-(2**63) + 1, 2**63 - 1),
    ns_per_quarter=TEMPOS,
    rate=RATES,
)
AT_120 = Anchor(0, 0, 500_000_000, 48_000)


def in_c(anchor):
    return ffi.new(
        "clock_anchor *",
        (anchor.frame, anchor.tick_fp, anchor.ns_per_quarter, anchor.rate),
    )


@given(ANCHORS, TICKS)
@example(AT_120, -1)
@example(AT_120, 1920)
def test_a_tick_falls_in_the_same_frame(anchor, tick):
    assert lib.tick_to_frame(in_c(anchor), tick) == clock.tick_to_frame(anchor, tick)


@given(ANCHORS, st.integers(-(2**36), 2**36))
@example(AT_120, -1)
@example(AT_120, 24_000)
@example(AT_120, 23_999)
def test_a_frame_has_the_same_tick(anchor, frames):
    frame = anchor.frame + frames
    assert lib.frame_to_tick(in_c(anchor), frame) == clock.frame_to_tick(anchor, frame)


@given(
    st.builds(
        Anchor,
        FRAMES,
        st.integers(-(2**61), 2**61),
        st.integers(100_000_000, 3_000_000_000),
        st.integers(8_000, 192_000),
    ),
    st.integers(-(2**20), 2**20),
)
def test_a_frame_has_the_same_exact_tick(anchor, frames):
    frame = anchor.frame + frames
    exact = clock.frame_to_tick_fp(anchor, frame)
    assert lib.frame_to_tick_fp(in_c(anchor), frame) == exact
    # The largest tick that falls in the frame may begin within it.
    ahead = clock.frame_to_tick(anchor, frame) * ONE_TICK - exact
    assert -ONE_TICK < ahead <= clock.frame_to_tick_fp(anchor, frame + 1) - exact + 1


@given(ANCHORS, TICKS, TEMPOS)
@example(AT_120, -1, 400_000_001)
@example(AT_120, 7, 400_000_001)
@example(Anchor(0, 1, 6_000_000, 8000), 0, 7_271_642)  # just before a frame
def test_a_new_tempo_gives_the_same_anchor(anchor, tick, ns_per_quarter):
    assert_same_anchor(anchor, tick, ns_per_quarter)


@given(st.lists(st.tuples(st.integers(1, 7680), TEMPOS), max_size=50), RATES)
def test_many_tempo_changes_give_the_same_anchor(changes, rate):
    anchor, tick = Anchor(12_345, -1920 * ONE_TICK, 500_000_000, rate), 0
    for step, ns_per_quarter in changes:
        tick += step
        anchor = assert_same_anchor(anchor, tick, ns_per_quarter)


@pytest.mark.parametrize("frame", [2**32 - 1, 2**32, 2**32 + 1, -(2**32)])
def test_the_wrap_of_jacks_counter_is_no_special_place(frame):
    anchor = Anchor(frame, 0, 500_000_000, 48_000)
    for tick in (-1920, -1, 0, 1, 1920):
        assert lib.tick_to_frame(in_c(anchor), tick) == clock.tick_to_frame(
            anchor, tick
        )


def assert_same_anchor(anchor, tick, ns_per_quarter):
    expected = clock.retempo(anchor, tick, ns_per_quarter)
    found = lib.clock_retempo(in_c(anchor), tick, ns_per_quarter)
    assert Anchor(found.frame, found.tick_fp, found.ns_per_quarter, found.rate) == (
        expected
    )
    return expected


def test_the_fastest_tempo_is_the_one_that_winds():
    assert lib.WINDING_NS == clock.NS_PER_MINUTE // clock.MAX_BPM
