/* Ticks and bars, twin of timeline/bbt.py. Real-time safe. */

#include <math.h>

#include "core.h"
#include "bbt.h"

static int64_t floor_div(int64_t n, int64_t d)
{
    return n / d - (n % d < 0);
}

/* Where a tick lies; before the first bar, its very beginning. */
bbt tick_to_bbt(int64_t tick, int64_t bar_ticks, int64_t beat_ticks)
{
    int64_t from_one = tick > 0 ? tick : 0;
    int64_t bar = floor_div(from_one, bar_ticks), in_bar = from_one - bar * bar_ticks;
    return (bbt){.bar = (int32_t)(bar + 1),
                 .beat = (int32_t)(in_bar / beat_ticks + 1),
                 .tick = (int32_t)(in_bar % beat_ticks),
                 .bar_start_tick = (double)(bar * bar_ticks),
                 .ticks_per_beat = (double)beat_ticks,
                 .beats_per_bar = (int32_t)(bar_ticks / beat_ticks),
                 .beat_type = (int32_t)(4 * TICKS_PER_QUARTER / beat_ticks)};
}

/* The exact tick, 32.32 fixed point, of what another program counts: its ticks to a
   beat are its own, bars and beats are those of our meter. */
int64_t bbt_to_tick_fp(int32_t bar, int32_t beat, double tick, double ticks_per_beat,
                       int64_t bar_ticks, int64_t beat_ticks)
{
    int64_t whole = (int64_t)(bar - 1) * bar_ticks + (int64_t)(beat - 1) * beat_ticks;
    double part = tick / ticks_per_beat * (double)beat_ticks * 4294967296.0;
    return whole * (INT64_C(1) << 32) + llrint(part);
}
