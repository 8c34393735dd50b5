from hypothesis import given
from hypothesis import strategies as st

from jackcomp.timeline.bbt import Bbt, bbt_to_tick_fp, tick_to_bbt
from jackcomp.timeline.clock import ONE_TICK
from jackcomp.timeline.meter import DENOMINATORS, Meter

METERS = st.builds(Meter, st.integers(1, 32), st.sampled_from(DENOMINATORS))
TICKS = st.integers(0, 2**40)


@given(METERS, TICKS)
def test_a_tick_comes_back_from_bar_beat_and_tick(meter, tick):
    bbt = tick_to_bbt(meter, tick)
    assert bbt.bar >= 1
    assert 1 <= bbt.beat <= meter.numerator
    assert 0 <= bbt.tick < meter.beat_ticks
    back = bbt_to_tick_fp(meter, bbt.bar, bbt.beat, bbt.tick, meter.beat_ticks)
    assert back == tick * ONE_TICK


@given(METERS, st.integers(0, 10_000), st.integers(0, 31), st.integers(1, 10_000))
def test_the_ticks_of_others_are_shares_of_a_beat(meter, bar, beat, ticks_per_beat):
    beat %= meter.numerator
    start = bar * meter.bar_ticks + beat * meter.beat_ticks
    half = bbt_to_tick_fp(meter, bar + 1, beat + 1, ticks_per_beat / 2, ticks_per_beat)
    assert half == start * ONE_TICK + meter.beat_ticks * ONE_TICK // 2


def test_known_places():
    waltz = Meter(3, 4)
    assert tick_to_bbt(waltz, 0) == Bbt(1, 1, 0)
    assert tick_to_bbt(waltz, 5759) == Bbt(1, 3, 1919)
    assert tick_to_bbt(waltz, 5760) == Bbt(2, 1, 0)
    assert tick_to_bbt(Meter(6, 8), 960 * 7 + 5) == Bbt(2, 2, 5)


def test_before_the_first_bar_is_its_beginning():
    assert tick_to_bbt(Meter(4, 4), -1) == Bbt(1, 1, 0)
