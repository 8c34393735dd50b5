/* One cycle: take orders, let what is due happen at its own frame, render the
   slices in between. The JACK host and the offline host both call this and
   nothing else, so what one plays the other plays too. */

#include <math.h>
#include <string.h>

#include "core.h"

#define SOFT_FROM 0.8f /* above this level the limiter bends, towards 1.0 */
#define ABSURD 1000.0f /* 60 dB above full scale: no sound, but a fault */
#define ECHO_MS 3      /* from port to port of one keyboard */

/* midi_out channel of each part, from 0: chords, bass, pad, guitar, drums, click */
static const uint8_t MIDI_CHANNEL[PARTS] = {0, 1, 2, 3, 9, 9};

/* ---- reports ---- */

void engine_report(engine *e, uint32_t kind, int64_t tick, int64_t frame,
                   uint32_t generation, const uint8_t bytes[4])
{
    report_record records[2] = {{.kind = HEARD_LOST, .tick = tick, .frame = frame},
                                {.kind = kind, .tick = tick, .frame = frame,
                                 .generation = generation}};
    memcpy(records[1].bytes, bytes, 4);
    bool taken = e->lost ? ring_write(&e->heard, records, 2)
                         : ring_write(&e->heard, records + 1, 1);
    if (!taken)
        COUNT(e->heard_overflows);
    e->lost = !taken;
    e->posted = true;
}

static int64_t tick_at(const engine *e, int64_t frame)
{
    return e->rolling ? frame_to_tick(&e->anchor, frame) : NO_TICK;
}

/* ---- notes out ---- */

static bool has_room(const cycle_io *io)
{
    return io->midi_out_count + 2 <= io->midi_out_capacity;
}

/* Send to midi_out and to the recorder; the caller has seen that there is room. */
static void send(engine *e, cycle_io *io, uint32_t pos, int64_t tick, uint8_t part,
                 uint8_t status, uint8_t key, uint8_t value)
{
    uint8_t first = status | MIDI_CHANNEL[part];
    io->midi_out[io->midi_out_count++] =
        (midi_message){.frame = pos, .size = 3, .bytes = {first, key, value}};
    report_record r = {.kind = PLAYED_MIDI, .tick = tick, .frame = io->frame + pos,
                       .bytes = {first, key, value, part}};
    if (!ring_write(&e->played, &r, 1))
        COUNT(e->played_overflows);
    if (part != PART_CLICK && status == 0x90)
        COUNT(e->notes_on);
    if (part != PART_CLICK && status == 0x80)
        COUNT(e->notes_off);
}

static void note_off(engine *e, cycle_io *io, uint32_t pos, const event *s)
{
    uint8_t *owners = &e->sounding[MIDI_CHANNEL[s->part]][s->key];
    if (*owners == 0 || --*owners > 0)
        return;
    send(e, io, pos, s->tick, s->part, 0x80, s->key, 64);
    /* Click and drums share their keys: who ends last releases the drum. */
    uint8_t part = s->part == PART_CLICK ? PART_DRUMS : s->part;
    sound_off(e, PART_CHANNEL(part), s->key);
}

/* Strike a key and turn the event into its own end, in the same heap slot. A key
   that still sounds is released first, so that every on has its off. */
static void note_on(engine *e, cycle_io *io, uint32_t pos, event s)
{
    uint8_t *owners = &e->sounding[MIDI_CHANNEL[s.part]][s.key];
    if (*owners == UINT8_MAX)
        return;
    event end = s;
    end.kind = EVENT_OFF;
    end.tick = s.value;
    if (!heap_push(&e->heap, end))
        return;
    if (*owners > 0)
        send(e, io, pos, s.tick, s.part, 0x80, s.key, 64);
    ++*owners;
    send(e, io, pos, s.tick, s.part, 0x90, s.key, s.velocity);
    if (s.part != PART_CLICK)
        sound_on(e, PART_CHANNEL(s.part), s.key, s.velocity);
}

/* A message of the MIDI clock; the recorder has no need of it. */
void send_clock(engine *e, cycle_io *io, uint32_t pos, uint8_t status, uint32_t value)
{
    midi_message m = {.frame = pos, .size = status == 0xF2 ? 3 : 1,
                      .bytes = {status, value & 0x7F, value >> 7 & 0x7F}};
    if (io->midi_out_count < io->midi_out_capacity)
        io->midi_out[io->midi_out_count++] = m;
    else
        COUNT(e->midi_out_lost);
}

/* ---- silence ---- */

/* Release every key; false if midi_out was full and the next cycle must go on. */
static bool release_parts(engine *e, cycle_io *io)
{
    static const uint8_t PART_OF_CHANNEL[MIDI_CHANNELS] = {
        [0] = PART_CHORDS, [1] = PART_BASS, [2] = PART_PAD, [3] = PART_GUITAR,
        [9] = PART_DRUMS};
    for (uint32_t channel = 0; channel < MIDI_CHANNELS; channel++)
        for (uint32_t key = 0; key < MIDI_KEYS; key++) {
            if (e->sounding[channel][key] == 0)
                continue;
            if (!has_room(io))
                return false;
            event s = {.tick = tick_at(e, io->frame), .key = (uint8_t)key,
                       .part = PART_OF_CHANNEL[channel]};
            e->sounding[channel][key] = 1;
            note_off(e, io, 0, &s);
        }
    return true;
}

/* Forget the plan; cut-offs and tempo changes stay. */
static void forget_notes(engine *e)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < e->heap.count; i++)
        if (e->heap.slots[i].kind == EVENT_CUTOFF || e->heap.slots[i].kind == EVENT_TEMPO)
            e->heap.slots[kept++] = e->heap.slots[i];
    e->heap.count = kept;
    heap_order(&e->heap);
    e->vamp = false;
    e->bar_count = 0;
}

/* All notes off (123), all sound off (120) and pedal up (64) on every channel. */
static bool send_panic(engine *e, cycle_io *io)
{
    if (io->midi_out_count + 3 * PARTS > io->midi_out_capacity)
        return false;
    int64_t tick = tick_at(e, io->frame);
    for (uint8_t part = 0; part < PART_CLICK; part++) {
        send(e, io, 0, tick, part, 0xB0, 64, 0);
        send(e, io, 0, tick, part, 0xB0, 123, 0);
        send(e, io, 0, tick, part, 0xB0, 120, 0);
    }
    sound_silence(e);
    return true;
}

static void serve_requests(engine *e, cycle_io *io)
{
    uint32_t solo = atomic_load_explicit(&e->solo_asked, memory_order_acquire);
    if (solo != atomic_load_explicit(&e->solo_done, memory_order_relaxed)) {
        sound_release_solo(e);
        engine_report(e, HEARD_LOST, tick_at(e, io->frame), io->frame, 0,
                      (uint8_t[4]){0});
        atomic_store_explicit(&e->solo_done, solo, memory_order_release);
    }
    uint32_t panic = atomic_load_explicit(&e->panic_asked, memory_order_acquire);
    uint32_t stop = atomic_load_explicit(&e->stop_asked, memory_order_acquire);
    bool panics = panic != atomic_load_explicit(&e->panic_done, memory_order_relaxed);
    bool stops = stop != atomic_load_explicit(&e->stop_done, memory_order_relaxed);
    if (!panics && !stops)
        return;
    forget_notes(e);
    sound_release_solo(e);
    if (!release_parts(e, io) || !send_panic(e, io))
        return;
    if (stops) {
        e->stopped = true;
        e->rolling = false;
    }
    atomic_store_explicit(&e->panic_done, panic, memory_order_release);
    atomic_store_explicit(&e->stop_done, stop, memory_order_release);
}

/* ---- the clock starts and stops ---- */

void clock_start(engine *e, int64_t frame, const clock_anchor *from)
{
    e->anchor = *from;
    e->rolling = true;
    e->told_ns = from->ns_per_quarter;
    int64_t now = frame_to_tick(&e->anchor, frame - 1) + 1;
    e->told_tick = now;
    e->next_click = round_up(now, e->settings.pulse_ticks);
    e->next_clock = round_up(now, CLOCK_TICKS);
    e->song_tick = now > 0 ? round_up(now, TICKS_PER_QUARTER / 4) : 0;
    engine_report(e, HEARD_STARTED, now, frame, (uint32_t)e->told_ns, (uint8_t[4]){0});
}

/* At `frame` it is `tick`, and we go at our own tempo. */
static void start_alone(engine *e, int64_t frame)
{
    clock_anchor from = {.frame = frame, .rate = e->rate,
                         .tick_fp = e->settings.start_tick * (INT64_C(1) << 32),
                         .ns_per_quarter = e->settings.ns_per_quarter};
    clock_start(e, frame, &from);
    if (e->settings.start_mode == START_COUNT_IN) /* from its first bar line on */
        e->next_click = round_up(e->next_click, e->settings.bar_ticks);
}

void clock_stop(engine *e, cycle_io *io)
{
    forget_notes(e);
    e->heap.count = 0;
    e->out_full = !release_parts(e, io) || !has_room(io);
    if (e->out_full)
        return; /* the next cycle goes on */
    if (e->settings.sends_clock && e->next_clock > e->song_tick)
        send_clock(e, io, 0, 0xFC, 0);
    e->rolling = false;
    engine_report(e, HEARD_STOPPED, NO_TICK, io->frame, 0, (uint8_t[4]){0});
}

/* ---- what happens at one frame ---- */

static void fire(engine *e, cycle_io *io, uint32_t pos, event s)
{
    int64_t frame = tick_to_frame(&e->anchor, s.tick);
    bool late = frame < io->frame;
    /* What lies in frames that the server has skipped is not for us to answer for. */
    if (frame < e->played_until) {
        if (s.kind == EVENT_TEMPO)
            COUNT(e->late_tempos);
        else if (s.kind != EVENT_CUTOFF)
            COUNT(e->late_events);
    }
    switch (s.kind) {
    case EVENT_OFF:
        note_off(e, io, pos, &s);
        break;
    case EVENT_ON:
        note_on(e, io, pos, s);
        break;
    case EVENT_CUTOFF:
        engine_report(e, HEARD_CUTOFF, s.tick, io->frame + pos, s.generation,
                      (uint8_t[4]){0});
        break;
    case EVENT_TEMPO: /* a late one counts from now: the past stays as it was */
        if (late)
            s.tick = frame_to_tick(&e->anchor, io->frame);
        e->anchor = clock_retempo(&e->anchor, s.tick, s.value);
        break;
    }
}

static bool is_due(const engine *e, int64_t frame)
{
    return e->heap.count > 0
        && tick_to_frame(&e->anchor, e->heap.slots[0].tick) <= frame;
}

static void fire_due(engine *e, cycle_io *io, uint32_t pos)
{
    plan_vamp(e, io->frame + pos);
    while (is_due(e, io->frame + pos)) {
        if (!has_room(io)) {
            e->out_full = true;
            return;
        }
        fire(e, io, pos, heap_pop(&e->heap));
    }
}

/* The metronome's pulse, if one falls here: its voice and its MIDI note. */
static void click_due(engine *e, cycle_io *io, uint32_t pos)
{
    const engine_settings *s = &e->settings;
    if (tick_to_frame(&e->anchor, e->next_click) > io->frame + pos)
        return;
    int64_t in_bar = e->next_click % s->bar_ticks;
    in_bar += in_bar < 0 ? s->bar_ticks : 0;
    uint32_t pulse = (uint32_t)(in_bar / s->pulse_ticks) % s->pulses;
    uint8_t velocity = s->click_velocities[pulse];
    bool counts_in = e->next_click < 0 && s->start_mode == START_COUNT_IN;
    if (velocity > 0 && (s->click_sounds || counts_in) && !clock_winds(&e->anchor)) {
        click_strike(&e->click, s->click_keys[pulse], velocity, e->rate);
        event note = {.tick = e->next_click, .part = PART_CLICK, .kind = EVENT_ON,
                      .value = e->next_click + s->pulse_ticks / 4,
                      .key = velocity >= 100 ? 76 : 77, .velocity = velocity};
        heap_push(&e->heap, note);
    }
    e->next_click += s->pulse_ticks;
}

/* A keyboard with two ports says everything twice, and nobody strikes a key twice
   within three milliseconds, as hard the second time. */
static bool is_echo(engine *e, int64_t frame, uint8_t key, uint8_t velocity)
{
    if (e->struck_velocity[key] == velocity
        && frame - e->struck[key] < e->rate * ECHO_MS / 1000)
        return true;
    e->struck_velocity[key] = velocity;
    e->struck[key] = frame;
    return false;
}

static bool is_pedal(uint8_t key) { return key == 64 || key == 66 || key == 67; }

/* The soloist: into the synth at once, and to the worker with tick and frame. */
static void hear(engine *e, const cycle_io *io, const midi_message *m)
{
    uint8_t status = m->bytes[0] & 0xF0, key = m->bytes[1] & 0x7F;
    uint8_t value = m->bytes[2] & 0x7F;
    int64_t frame = io->frame + m->frame;
    bool on = status == 0x90 && value > 0;
    bool off = status == 0x80 || (status == 0x90 && value == 0);
    bool pedal = status == 0xB0 && is_pedal(key);
    if (on && is_echo(e, frame, key, value))
        return;
    if (on)
        COUNT(e->solo_notes);
    bool begins = (on && e->settings.start_mode == START_FIRST_NOTE)
               || ((on || (pedal && value >= 64))
                   && e->settings.start_mode == START_TAPS);
    if (begins && !e->rolling)
        start_alone(e, frame);
    if (on || off || pedal)
        engine_report(e, HEARD_MIDI, tick_at(e, frame), frame, 0,
                      (uint8_t[4]){on ? 0x90 : off ? 0x80 : 0xB0, key, value, 0});
    if (!e->settings.solo_sounds)
        return;
    if (on)
        sound_on(e, SOLO_CHANNEL, key, value);
    else if (off)
        sound_off(e, SOLO_CHANNEL, key);
    else
        sound_gesture(e, status, key, value);
}

/* A tap that comes by no port may begin to count in too. */
static void hear_tap(engine *e, const cycle_io *io)
{
    uint32_t asked = atomic_load_explicit(&e->taps_asked, memory_order_acquire);
    if (asked == atomic_load_explicit(&e->taps_done, memory_order_relaxed))
        return;
    atomic_store_explicit(&e->taps_done, asked, memory_order_relaxed);
    if (!e->rolling && e->settings.start_mode == START_TAPS)
        start_alone(e, io->frame);
    engine_report(e, HEARD_TAP, tick_at(e, io->frame), io->frame, 0, (uint8_t[4]){0});
}

/* How far the messages of this cycle were read. */
typedef struct {
    uint32_t solo, control;
} inbox;

/* Cut-offs at this frame come before the notes at this frame: a decision knows
   what was stamped before it, and nothing else. */
static void happen(engine *e, cycle_io *io, uint32_t pos, inbox *in)
{
    for (;;) {
        while (in->control < io->control_in_count
               && io->control_in[in->control].frame <= pos)
            sync_control(e, io, &io->control_in[in->control++]);
        if (e->rolling && !e->out_full) {
            sync_send_clock(e, io, pos);
            click_due(e, io, pos);
            fire_due(e, io, pos);
        }
        if (in->solo == io->midi_in_count || io->midi_in[in->solo].frame > pos)
            return;
        hear(e, io, &io->midi_in[in->solo++]);
    }
}

/* ---- rendering ---- */

static void sooner(uint32_t *until, const cycle_io *io, int64_t frame)
{
    int64_t pos = frame - io->frame;
    if (pos < *until)
        *until = pos > 0 ? (uint32_t)pos : 0;
}

/* Where the slice that begins at `pos` ends: at the next thing that happens. */
static uint32_t slice_end(const engine *e, const cycle_io *io, uint32_t pos,
                          const inbox *in)
{
    uint32_t until = io->nframes;
    if (in->solo < io->midi_in_count)
        sooner(&until, io, io->frame + io->midi_in[in->solo].frame);
    if (in->control < io->control_in_count)
        sooner(&until, io, io->frame + io->control_in[in->control].frame);
    if (e->rolling && !e->out_full) {
        if (e->settings.sends_clock)
            sooner(&until, io, tick_to_frame(&e->anchor, e->next_clock));
        sooner(&until, io, tick_to_frame(&e->anchor, e->next_click));
        if (e->vamp && e->bar_count > 0)
            sooner(&until, io, tick_to_frame(&e->anchor, e->plan_end));
        if (e->heap.count > 0)
            sooner(&until, io, tick_to_frame(&e->anchor, e->heap.slots[0].tick));
    }
    return until > pos ? until : pos + 1;
}

static void render(engine *e, cycle_io *io, uint32_t pos, uint32_t until)
{
    if (io->audio[AUDIO_CLICK] != NULL)
        click_render(&e->click, io->audio[AUDIO_CLICK] + pos, until - pos);
    if (io->audio[AUDIO_LEFT] == NULL)
        return;
    float *groups[4] = {io->audio[AUDIO_SOLO_LEFT] + pos, io->audio[AUDIO_SOLO_RIGHT] + pos,
                        io->audio[AUDIO_LEFT] + pos, io->audio[AUDIO_RIGHT] + pos};
    sound_render(e, groups, until - pos);
}

/* What is not finite, or absurd, becomes silence before the room can keep it. */
static void guard(engine *e, float *out, uint32_t nframes)
{
    for (uint32_t n = 0; n < nframes; n++)
        if (!(fabsf(out[n]) <= ABSURD)) {
            out[n] = 0.0f;
            COUNT(e->guarded_samples);
        }
}

/* Gain, in a straight line from one value to another, then a limit that leaves quiet
   sound alone and bends loud sound to 1. */
static void limit(float *out, uint32_t nframes, float from, float to)
{
    float step = (to - from) / (float)nframes;
    for (uint32_t n = 0; n < nframes; n++) {
        float x = out[n] * (from + step * (float)n), size = fabsf(x);
        if (size > SOFT_FROM)
            x = copysignf(SOFT_FROM + (1 - SOFT_FROM)
                          * tanhf((size - SOFT_FROM) / (1 - SOFT_FROM)), x);
        out[n] = x;
    }
}

static void finish(engine *e, cycle_io *io)
{
    engine_settings *s = &e->settings;
    float **a = io->audio;
    float gain = atomic_load_explicit(&e->gain_asked, memory_order_relaxed);
    float solo_gain = atomic_load_explicit(&e->solo_gain_asked, memory_order_relaxed);
    s->reverb = atomic_load_explicit(&e->reverb_asked, memory_order_relaxed);
    s->click_sounds = atomic_load_explicit(&e->click_asked, memory_order_relaxed);
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        if (a[i] != NULL)
            guard(e, a[i], io->nframes);
    if (a[AUDIO_LEFT] != NULL) {
        reverb_add(&e->rooms[0], a[AUDIO_LEFT], a[AUDIO_RIGHT], io->nframes, s->reverb);
        reverb_add(&e->rooms[1], a[AUDIO_SOLO_LEFT], a[AUDIO_SOLO_RIGHT], io->nframes,
                   s->reverb);
    }
    const float from[] = {s->gain, s->gain, s->solo_gain, s->solo_gain, 1.0f};
    const float to[] = {gain, gain, solo_gain, solo_gain, 1.0f};
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        if (a[i] != NULL)
            limit(a[i], io->nframes, from[i], to[i]);
    s->gain = gain;
    s->solo_gain = solo_gain;
}

void engine_cycle(engine *e, cycle_io *io)
{
    e->cycle_frame = io->frame;
    e->posted = false;
    e->out_full = false;
    io->midi_out_count = 0;
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        if (io->audio[i] != NULL)
            memset(io->audio[i], 0, io->nframes * sizeof(float));
    serve_requests(e, io);
    sound_change(e);
    if (!e->stopped) {
        plan_take_orders(e);
        sync_transport(e, io);
        if (!e->rolling && e->settings.start_mode == START_COUNT_IN && !e->waits)
            start_alone(e, io->frame);
        hear_tap(e, io);
    }
    inbox in = {0};
    if (e->stopped)
        in = (inbox){.solo = io->midi_in_count, .control = io->control_in_count};
    for (uint32_t pos = 0; pos < io->nframes;) {
        happen(e, io, pos, &in);
        uint32_t until = slice_end(e, io, pos, &in);
        render(e, io, pos, until);
        pos = until;
    }
    finish(e, io);
    COUNT(e->cycles);
    int64_t end = io->frame + io->nframes;
    e->played_until = end;
    atomic_store_explicit(&e->last_frame, end, memory_order_relaxed);
    atomic_store_explicit(&e->last_tick, tick_at(e, end), memory_order_relaxed);
    if (e->posted) {
        atomic_fetch_add_explicit(&e->posts, 1, memory_order_release);
        sem_post(&e->wake);
    }
}
