/* Clocks from outside and to outside: JACK's transport, MIDI clock. Whoever sets
   the time says where the music is at a frame; small differences are slips, which
   the clock takes without a word, larger ones are jumps: it stops, releases its
   notes, and starts again where the music is now. */

#include <stdlib.h>

#include "core.h"

#define ONE_TICK_FP (INT64_C(1) << 32)
#define JUMP_FP (960 * ONE_TICK_FP) /* an eighth */
#define STEADY_FP (8 * ONE_TICK_FP) /* a timebase master's rounding */
#define MASTER_CYCLES 4 /* a master says where a new place is some cycles late */
#define SIXTEENTH_TICKS (TICKS_PER_QUARTER / 4)

/* A tempo that differs by a tenth of a percent is told, once a quarter; one that
   differs by a percent, at once. */
static void tell_tempo(engine *e, int64_t frame)
{
    int64_t ns = e->anchor.ns_per_quarter, off = llabs(ns - e->told_ns);
    int64_t tick = frame_to_tick(&e->anchor, frame);
    bool soon = off * 1000 > ns && tick - e->told_tick >= TICKS_PER_QUARTER;
    if (!soon && off * 100 <= ns)
        return;
    e->told_ns = ns;
    e->told_tick = tick;
    engine_report(e, HEARD_TEMPO, tick, frame, (uint32_t)ns, (uint8_t[4]){0});
}

/* Be where the others are; differences up to `steady` are left alone. */
static void sync_to(engine *e, cycle_io *io, int64_t frame, const clock_anchor *there,
                    int64_t steady)
{
    int64_t off = e->rolling
        ? llabs(there->tick_fp - frame_to_tick_fp(&e->anchor, there->frame)) : 0;
    if (off > JUMP_FP)
        clock_stop(e, io);
    if (e->out_full)
        return; /* the next cycle goes on */
    if (!e->rolling)
        clock_start(e, frame, there);
    else if (off > steady || there->ns_per_quarter != e->anchor.ns_per_quarter)
        e->anchor = *there;
    tell_tempo(e, frame);
}

/* ---- JACK's transport ---- */

/* How far the transport's frame 0 has moved since it was last looked at. */
static int64_t shift(const engine *e, const cycle_io *io)
{
    return io->frame - io->transport_frame - e->transport_origin;
}

static void start_from_transport(engine *e, cycle_io *io)
{
    e->transport_origin = io->frame - io->transport_frame;
    clock_start(e, io->frame, &(clock_anchor){.frame = e->transport_origin,
        .ns_per_quarter = e->settings.ns_per_quarter, .rate = e->rate});
}

/* The transport counts frames alone: we count its bars, at our own tempo. */
static void stay_with_frames(engine *e, cycle_io *io)
{
    int64_t moved = shift(e, io);
    if (llabs(frame_to_tick_fp(&e->anchor, e->anchor.frame + moved)
              - e->anchor.tick_fp) > JUMP_FP) {
        clock_stop(e, io);
        if (!e->rolling)
            start_from_transport(e, io);
        return;
    }
    e->anchor.frame += moved; /* an xrun: frames were skipped */
    e->transport_origin += moved;
}

static void follow(engine *e, cycle_io *io)
{
    e->masterless = io->transport_has_tick ? 0 : e->masterless + 1;
    if (!io->transport_rolling) {
        if (e->rolling)
            clock_stop(e, io);
    } else if (io->transport_has_tick) {
        clock_anchor there = {.frame = io->frame, .tick_fp = io->transport_tick_fp,
                              .ns_per_quarter = io->transport_ns_per_quarter,
                              .rate = e->rate};
        e->transport_origin = io->frame - io->transport_frame;
        sync_to(e, io, io->frame, &there, STEADY_FP);
    } else if (e->masterless < MASTER_CYCLES)
        return;
    else if (e->rolling)
        stay_with_frames(e, io);
    else
        start_from_transport(e, io);
}

/* The transport starts with our clock (the host sees to it). Whoever stops it stops
   us too, and whoever moves it takes us along. */
static void lead(engine *e, cycle_io *io)
{
    bool begins = io->transport_rolling && !e->transport_rolled;
    if (e->rolling && begins)
        e->transport_origin = io->frame - io->transport_frame;
    else if (e->rolling && io->transport_rolling)
        stay_with_frames(e, io);
    else if (e->rolling && e->transport_rolled) {
        clock_stop(e, io);
        if (e->rolling)
            return;
        e->waits = true;
    } else if (begins)
        start_from_transport(e, io);
    e->transport_rolled = io->transport_rolling;
}

void sync_transport(engine *e, cycle_io *io)
{
    if (e->settings.start_mode == START_TRANSPORT)
        follow(e, io);
    else if (e->settings.leads)
        lead(e, io);
}

/* ---- MIDI clock ---- */

static void hear_clock(engine *e, cycle_io *io, int64_t frame)
{
    clock_anchor there = {.ns_per_quarter = e->settings.ns_per_quarter};
    const clock_anchor *now = e->rolling ? &e->anchor : NULL;
    if (midi_clock_tick(&e->clock_in, frame, e->rate, now, &there))
        sync_to(e, io, frame, &there, 0);
}

/* A message on control_in. */
void sync_control(engine *e, cycle_io *io, const midi_message *m)
{
    midi_clock *c = &e->clock_in;
    if (e->settings.start_mode != START_MIDI_CLOCK)
        return;
    switch (m->bytes[0]) {
    case 0xF8:
        hear_clock(e, io, io->frame + m->frame);
        break;
    case 0xFA: /* start: the next clock is the first of the song */
        c->next = 0;
        c->runs = true;
        break;
    case 0xFB: /* continue */
        c->runs = true;
        break;
    case 0xFC: /* stop */
        c->runs = false;
        if (e->rolling)
            clock_stop(e, io);
        break;
    case 0xF2: /* song position, in sixteenths of six clocks */
        c->next = 6 * ((m->bytes[1] & 0x7F) | (m->bytes[2] & 0x7F) << 7);
        break;
    }
}

/* Nobody could keep up with a clock that is wound on: who plays is stopped, and goes
   on, or begins, at the first sixteenth after it. */
static void skip_clock(engine *e, cycle_io *io, uint32_t pos)
{
    if (e->next_clock > e->song_tick)
        send_clock(e, io, pos, 0xFC, 0);
    e->next_clock += CLOCK_TICKS;
    if (e->next_clock > e->song_tick)
        e->song_tick = round_up(e->next_clock, SIXTEENTH_TICKS);
}

/* Send the clock that falls here, if one does; before the first of a song, start, or
   the position and continue. */
void sync_send_clock(engine *e, cycle_io *io, uint32_t pos)
{
    if (!e->settings.sends_clock
        || tick_to_frame(&e->anchor, e->next_clock) > io->frame + pos)
        return;
    if (clock_winds(&e->anchor)) {
        skip_clock(e, io, pos);
        return;
    }
    if (e->next_clock == e->song_tick) {
        if (e->song_tick > 0)
            send_clock(e, io, pos, 0xF2, (uint32_t)(e->song_tick / SIXTEENTH_TICKS));
        send_clock(e, io, pos, e->song_tick > 0 ? 0xFB : 0xFA, 0);
    }
    send_clock(e, io, pos, 0xF8, 0);
    e->next_clock += CLOCK_TICKS;
}
