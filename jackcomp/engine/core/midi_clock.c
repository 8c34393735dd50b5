/* MIDI clock in: the time of each clock is filtered, for what comes over a cable or
   from another program jitters by a millisecond and more. The filter is a
   delay-locked loop (F. Adriaensen, "Using a DLL to filter time", LAC 2005). */

#include <math.h>

#include "core.h"

#define LOCK_CLOCKS 24u    /* the loop is faster for the first quarter */
#define FAST 0.35          /* loop bandwidth, radians a clock */
#define SLOW 0.10
#define GAP_CLOCKS 4.0     /* so many clocks missing: the cable fell out */
#define SLOWEST_BPM 10.0
#define FASTEST_BPM 1000.0

/* Begin anew with the clock at `t`, at a period that is known or not. */
static void begin(midi_clock *c, double t, bool knows_period)
{
    c->locked = knows_period;
    c->due = t;
    c->heard = 1;
}

static double period_at(double bpm, int64_t rate)
{
    return (double)rate * 60.0 / (24.0 * bpm);
}

/* Filter the time of a clock; return it. */
static double filter(midi_clock *c, double t, int64_t rate)
{
    double fastest = period_at(FASTEST_BPM, rate), slowest = period_at(SLOWEST_BPM, rate);
    double since = t - (double)c->last;
    if (!c->locked && c->heard > 0 && since > fastest && since < slowest) {
        c->period = since;
        begin(c, t, true);
    } else if (!c->locked || since > GAP_CLOCKS * c->period) {
        begin(c, t, c->locked);
    } else if (fabs(t - c->due) > c->period / 2) {
        begin(c, t, false); /* another tempo altogether */
    }
    double omega = c->heard++ < LOCK_CLOCKS ? FAST : SLOW, error = t - c->due;
    double time = c->due + sqrt(2.0) * omega * error;
    c->period += omega * omega * error;
    c->locked = c->locked && c->period > fastest && c->period < slowest;
    c->due = time + c->period;
    return time;
}

/* Take a clock that came at `frame`. `now` is our own clock, or null while it
   stands. True if the song runs; then `there` says where it is and how fast. */
bool midi_clock_tick(midi_clock *c, int64_t frame, int64_t rate,
                     const clock_anchor *now, clock_anchor *there)
{
    bool gap = c->locked && (double)(frame - c->last) > GAP_CLOCKS * c->period;
    double time = filter(c, (double)frame, rate);
    c->last = frame;
    if (!c->runs)
        return false;
    if (gap && now != NULL) /* we went on alone: what was missed is not made up for */
        c->next = llround((double)frame_to_tick_fp(now, frame)
                          / ((double)CLOCK_TICKS * 4294967296.0));
    int64_t tick_fp = c->next++ * CLOCK_TICKS * (INT64_C(1) << 32);
    there->rate = rate;
    there->frame = frame;
    there->tick_fp = tick_fp;
    if (c->locked) {
        double before = time - floor(time);
        there->frame = (int64_t)floor(time);
        there->tick_fp -= llround(before * CLOCK_TICKS / c->period * 4294967296.0);
        there->ns_per_quarter = llround(24.0 * c->period * 1e9 / (double)rate);
    }
    return true;
}
