/* JACK's transport: where another program says the music is, and, when we lead, what
   we tell the others. All of it runs in the process thread. */

#include <math.h>
#include <string.h>

#include "jack_room.h"

#define NS_PER_MINUTE 6e10
#define START_CYCLES 3 /* from asking the transport to start to its first frame */

static bool says_where(const jack_position_t *p)
{
    return (p->valid & JackPositionBBT) != 0 && p->beats_per_minute > 1.0
        && p->beats_per_minute < 10000.0 && p->ticks_per_beat > 0.0 && p->bar > 0;
}

void read_transport(jack_host *h, cycle_io *io)
{
    jack_position_t p;
    io->transport_rolling =
        jack_transport_query(h->client, &p) == JackTransportRolling;
    io->transport_frame = p.frame;
    bool follows = !h->master && says_where(&p);
    atomic_store_explicit(&h->foreign_beats,
                          follows ? (uint32_t)lrintf(p.beats_per_bar) : 0,
                          memory_order_relaxed);
    if (!follows)
        return;
    const engine_settings *s = &h->engine->settings;
    double tick = p.valid & JackTickDouble ? p.tick_double : p.tick;
    io->transport_has_tick = 1;
    io->transport_tick_fp = bbt_to_tick_fp(p.bar, p.beat, tick, p.ticks_per_beat,
                                           s->bar_ticks, s->beat_ticks);
    io->transport_ns_per_quarter = llround(NS_PER_MINUTE / p.beats_per_minute);
    if (p.valid & JackBBTFrameOffset) { /* it was there so many frames ago */
        double per_frame = (double)TICKS_PER_QUARTER * 1e9 * 4294967296.0
            / ((double)io->transport_ns_per_quarter * (double)h->engine->rate);
        io->transport_tick_fp += llround((double)p.bbt_offset * per_frame);
    }
}

/* When our clock reaches beat one, the transport starts, so that its frame 0 is beat
   one as nearly as JACK's cycles allow. */
void start_transport(jack_host *h, jack_nframes_t nframes)
{
    engine *e = h->engine;
    if (!e->rolling || !h->master) {
        h->asked = false;
        return;
    }
    int64_t then = h->frame + START_CYCLES * (int64_t)nframes;
    int64_t since = then - tick_to_frame(&e->anchor, 0);
    if (h->asked || since < 0)
        return;
    h->asked = true;
    if (jack_transport_query(h->client, NULL) != JackTransportStopped)
        return;
    jack_transport_locate(h->client, (jack_nframes_t)since);
    jack_transport_start(h->client);
}

/* For the next cycle: bar, beat and tempo, for whoever follows us. */
static void tell_position(jack_transport_state_t state, jack_nframes_t nframes,
                          jack_position_t *p, int new_position, void *data)
{
    (void)new_position;
    jack_host *h = data;
    engine *e = h->engine;
    const engine_settings *s = &e->settings;
    clock_anchor at_rest = {.ns_per_quarter = s->ns_per_quarter, .rate = e->rate};
    /* While it starts, the next cycle may be the first that rolls. */
    bool together = e->rolling && state != JackTransportStopped;
    clock_anchor now = together ? e->anchor : at_rest;
    int64_t frame = together ? h->frame + (int64_t)nframes : (int64_t)p->frame;
    int64_t tick = frame_to_tick(&now, frame);
    bbt b = tick_to_bbt(tick, s->bar_ticks, s->beat_ticks);
    p->valid = JackPositionBBT;
    p->bar = b.bar;
    p->beat = b.beat;
    p->tick = b.tick;
    p->bar_start_tick = b.bar_start_tick;
    p->ticks_per_beat = b.ticks_per_beat;
    p->beats_per_bar = (float)b.beats_per_bar;
    p->beat_type = (float)b.beat_type;
    p->beats_per_minute = NS_PER_MINUTE / (double)now.ns_per_quarter;
}

/* Become timebase master, unless another program is; 0 if we are. Before the client
   is activated. */
int jack_host_lead(jack_host *h)
{
    int refused = jack_set_timebase_callback(h->client, 1, tell_position, h);
    h->master = refused == 0;
    return refused;
}
