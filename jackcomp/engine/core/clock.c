/* Ticks and frames. timeline/clock.py computes the same numbers with Python's
   integers; a property test holds the two together.

   Frame of a tick: anchor frame + floor(ticks since the anchor * tempo * rate).
   Everything is exact in 128 bits and rounded down once, to a frame. */

#include "core.h"

__extension__ typedef __int128 wide;

/* One tick in fixed point; multiplied, since C shifts no negative numbers. */
static const wide ONE_TICK = (wide)1 << 32;

/* Fixed-point ticks (2^-32) in one frame, times ns_per_quarter * rate. */
static const wide FP_PER_FRAME = (wide)TICKS_PER_QUARTER * 1000000000 << 32;

static wide floor_div(wide n, wide d)
{
    wide q = n / d;
    return q - (n % d != 0 && (n < 0) != (d < 0));
}

int64_t tick_to_frame(const clock_anchor *a, int64_t tick)
{
    wide ticks_fp = tick * ONE_TICK - a->tick_fp;
    wide numerator = ticks_fp * a->ns_per_quarter * a->rate;
    return a->frame + (int64_t)floor_div(numerator, FP_PER_FRAME);
}

/* The last tick whose frame is not after `frame`: the largest t with
   (t * 2^32 - tick_fp) * ns * rate < (frame - anchor frame + 1) * FP_PER_FRAME. */
int64_t frame_to_tick(const clock_anchor *a, int64_t frame)
{
    wide limit = ((wide)frame - a->frame + 1) * FP_PER_FRAME;
    wide ticks_fp = floor_div(limit - 1, (wide)a->ns_per_quarter * a->rate);
    return (int64_t)floor_div(ticks_fp + a->tick_fp, ONE_TICK);
}

/* The exact tick at the start of a frame, rounded down to 2^-32. */
int64_t frame_to_tick_fp(const clock_anchor *a, int64_t frame)
{
    wide frames = ((wide)frame - a->frame) * FP_PER_FRAME;
    return a->tick_fp + (int64_t)floor_div(frames, (wide)a->ns_per_quarter * a->rate);
}

/* A new tempo from `tick` on. The anchor moves to the frame in which the tick
   falls; the part of a frame that is left over goes, rounded up to 2^-32 tick, into
   the anchor's tick, so that changes do not add up to a drift, and a tick that
   falls right on a frame stays there. */
clock_anchor clock_retempo(const clock_anchor *a, int64_t tick,
                           int64_t ns_per_quarter)
{
    wide ticks_fp = tick * ONE_TICK - a->tick_fp;
    wide numerator = ticks_fp * a->ns_per_quarter * a->rate;
    wide frames = floor_div(numerator, FP_PER_FRAME);
    wide rest = numerator - frames * FP_PER_FRAME;
    clock_anchor moved = *a;
    moved.frame = a->frame + (int64_t)frames;
    wide speed = (wide)ns_per_quarter * a->rate;
    wide behind = (rest + speed - 1) / speed;
    if (behind * speed >= FP_PER_FRAME) /* the tick would be in the next frame */
        behind--;
    moved.tick_fp = (int64_t)(tick * ONE_TICK - behind);
    moved.ns_per_quarter = ns_per_quarter;
    return moved;
}

/* Whether it hurries to another place, and nothing on its way is to be heard. */
bool clock_winds(const clock_anchor *a) { return a->ns_per_quarter <= WINDING_NS; }

int64_t round_up(int64_t tick, int64_t unit)
{
    int64_t past = tick % unit;
    return tick - past + (past > 0 ? unit : 0);
}
