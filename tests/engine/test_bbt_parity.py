"""The bars of timeline/ and those of the C core are the same bars."""

from hypothesis import given
from hypothesis import strategies as st

from jackcomp.engine import _jack_host
from jackcomp.timeline import bbt
from jackcomp.timeline.meter import DENOMINATORS, Meter

lib = _jack_host.lib

METERS = st.builds(Meter, st.integers(1, 32), st.sampled_from(DENOMINATORS))


@given(METERS, st.integers(-(2**20), 2**38))  # JACK counts bars in 32 bits
def test_a_tick_has_the_same_bar_beat_and_tick(meter, tick):
    found = lib.tick_to_bbt(tick, meter.bar_ticks, meter.beat_ticks)
    assert bbt.Bbt(found.bar, found.beat, found.tick) == bbt.tick_to_bbt(meter, tick)
    assert found.bar_start_tick == (found.bar - 1) * meter.bar_ticks
    assert found.ticks_per_beat == meter.beat_ticks
    assert (found.beats_per_bar, found.beat_type) == (
        meter.numerator,
        meter.denominator,
    )


@given(
    METERS,
    st.integers(1, 1_000),
    st.integers(1, 32),
    st.floats(0, 1e4),
    st.floats(1, 1e5),
)
def test_what_others_count_is_the_same_tick(meter, bar, beat, tick, ticks_per_beat):
    found = lib.bbt_to_tick_fp(
        bar, beat, tick, ticks_per_beat, meter.bar_ticks, meter.beat_ticks
    )
    assert found == bbt.bbt_to_tick_fp(meter, bar, beat, tick, ticks_per_beat)
