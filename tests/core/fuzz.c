/* Random cycles: floods of random MIDI bytes, batches with random flags and ticks,
   broken batches, tempo changes, changing periods, full rings, a midi_out that is
   too small, panic, transport jumps, and a stop at the end, in several meters.
   Whatever happens, every note-on on midi_out is followed by its note-off before the
   key is struck again, and nothing sounds after the stop.

   fuzz [cycles] [seed]: one cycle in fifty with the real FluidSynth, which takes as
   long as all the others; they are events alone. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "real_synth.h"
#include "stage.h"

#define RATE 48000

static uint64_t randomness;
static bool struck[MIDI_CHANNELS][MIDI_KEYS];
static uint64_t clocks, ons, offs, unpaired, malformed, loud, refused, cycles_run,
    overflows;

static int64_t any(int64_t low, int64_t high)
{
    return random_from(&randomness, low, high);
}

static bool once_in(int64_t times) { return any(1, times) == 1; }

/* Mostly near to now, sometimes long ago or far away. */
static int64_t any_tick(int64_t now)
{
    if (once_in(40))
        return any(-(INT64_C(1) << 40), INT64_C(1) << 40);
    return now + any(-300, once_in(2) ? 800 : 8000);
}

static int64_t any_duration(void)
{
    if (once_in(50))
        return any(1, INT64_C(1) << 40);
    return any(once_in(1000) ? -1 : 1, 5000);
}

static order_record any_note(int64_t now, uint32_t generation)
{
    bool broken = once_in(5000);
    order_record o = {.tick = any_tick(now), .value = any_duration(),
                      .kind = ORDER_NOTE, .generation = generation,
                      .flags = once_in(3) ? FLAG_TIE : 0,
                      .part = (uint8_t)any(0, broken ? 255 : PART_DRUMS),
                      .key = (uint8_t)any(broken ? 0 : 40, broken ? 255 : 60),
                      .velocity = (uint8_t)any(1, broken ? 255 : 127)};
    return o;
}

static void send_batch(stage *s, int64_t now)
{
    static order_record batch[MAX_BATCH_NOTES + 2];
    uint32_t count = (uint32_t)any(0, 40);
    if (once_in(60))
        count = (uint32_t)any(0, MAX_BATCH_NOTES + 1);
    bool hoards = s->io.frame / 1500000 % 4 == 3; /* until the heap is full */
    if (hoards)
        count = (uint32_t)any(0, 600);
    s->generation += (uint32_t)any(once_in(10) ? -3 : 0, 3);
    bool takes_nothing_away = hoards || once_in(5);
    int64_t from = takes_nothing_away ? INT64_C(1) << 41 : any_tick(now);
    batch[0] = replace_head(s->generation, from, from + any(-BAR, 3 * BAR),
                            (uint8_t)any(0, 255), (uint8_t)any(0, 15), count);
    for (uint32_t i = 1; i <= count; i++) {
        batch[i] = any_note(now, s->generation);
        if (once_in(4))
            batch[i].tick = from;
    }
    if (once_in(500))
        batch[0].count = (uint32_t)any(0, 5000); /* does not match what follows */
    refused += engine_order(s->e, batch, count + 1) < 0;
}

static void send_other(stage *s, int64_t now)
{
    order_record o = {.tick = any_tick(now), .value = any(6000000, INT64_C(3000000000)),
                      .kind = (uint32_t)any(0, 8),
                      .part = (uint8_t)any(0, once_in(5) ? 255 : PART_DRUMS),
                      .key = (uint8_t)any(0, 127)};
    if (o.kind != ORDER_REPLACE)
        refused += engine_order(s->e, &o, 1) < 0;
}

static void hear_anything(stage *s, uint32_t nframes)
{
    uint32_t count = (uint32_t)any(0, once_in(30) ? STAGE_MIDI - 1 : 4), frame = 0;
    for (uint32_t i = 0; i < count; i++) {
        frame += (uint32_t)any(0, 2 * nframes / (count + 1) + 1);
        stage_hear(s, frame, (uint8_t)any(once_in(9) ? 0 : 0x80, 255),
                   (uint8_t)any(0, 255), (uint8_t)any(0, 255));
        s->in[i].size = (uint8_t)any(1, 3);
    }
}

/* Clocks from outside: MIDI clock in and out of step, a timebase master that jumps, a
   keyboard that goes, a server that comes back at another rate. */
static void disturb_the_clock(stage *s, int64_t now, uint32_t nframes)
{
    static const uint8_t CLOCKS[] = {0xF8, 0xF8, 0xF8, 0xFA, 0xFB, 0xFC, 0xF2};
    static midi_message in[16];
    uint32_t count = once_in(3) ? (uint32_t)any(0, 15) : 0, frame = 0;
    for (uint32_t i = 0; i < count; i++) {
        frame += (uint32_t)any(0, 2 * nframes / (count + 1) + 1);
        uint8_t status = once_in(9) ? (uint8_t)any(0, 255) : CLOCKS[any(0, 6)];
        in[i] = (midi_message){.frame = frame, .size = (uint8_t)any(1, 3),
                               .bytes = {status, (uint8_t)any(0, 255),
                                         (uint8_t)any(0, 255)}};
    }
    s->io.control_in = in;
    s->io.control_in_count = count;
    s->io.transport_has_tick = once_in(2);
    s->io.transport_tick_fp = (once_in(50) ? any(-100000, 1 << 28) : now + any(-9, 9))
                            * (INT64_C(1) << 32) + any(0, UINT32_MAX);
    if (once_in(20) || s->io.transport_ns_per_quarter == 0)
        s->io.transport_ns_per_quarter = any(6000000, INT64_C(3000000000));
    if (once_in(500))
        engine_ask_release(s->e);
    if (once_in(500))
        engine_ask_tap(s->e);
    if (once_in(5000) && s->silent)
        engine_change_rate(s->e, once_in(2) ? 44100 : RATE, NULL);
    engine_answer(s->e, engine_posts(s->e));
}

static bool is_clock(uint8_t status)
{
    return status == 0xF2 || status == 0xF8 || (status >= 0xFA && status <= 0xFC);
}

static void follow(const sent_message *m)
{
    if (is_clock(m->bytes[0])) {
        clocks++;
        return;
    }
    uint32_t status = m->bytes[0] & 0xF0u, channel = m->bytes[0] & 0x0Fu;
    uint8_t key = m->bytes[1];
    malformed += (status != 0x80 && status != 0x90 && status != 0xB0)
              || key > 127 || m->bytes[2] > 127 || (status == 0x90 && m->bytes[2] == 0);
    if (status == 0xB0 || key > 127)
        return;
    unpaired += struck[channel][key] == (status == 0x90);
    struck[channel][key] = status == 0x90;
    ons += status == 0x90;
    offs += status == 0x80;
}

static void listen(stage *s)
{
    for (uint32_t i = 0; i < s->sent; i++)
        follow(&s->log[i]);
    s->sent = 0;
    for (uint32_t i = 0; i < AUDIO_PORTS && !s->silent; i++)
        for (uint32_t n = 0; n < s->io.nframes; n++)
            loud += !(fabsf(s->audio[i][n]) <= 1.0f);
}

static uint32_t any_period(void)
{
    static const uint32_t PERIODS[] = {64, 64, 128, 256, 1024};
    return once_in(8) ? (uint32_t)any(0, 700) : PERIODS[any(0, 4)];
}

static void fuzz_cycle(stage *s)
{
    static report_record reports[RING_RECORDS];
    int64_t now = s->e->rolling ? frame_to_tick(&s->e->anchor, s->io.frame) : 0;
    for (int64_t i = once_in(1000) ? 300 : once_in(20) ? 1 : 0; i > 0; i--)
        send_batch(s, now);
    if (once_in(5))
        send_other(s, now);
    if (once_in(1500))
        engine_ask_panic(s->e);
    if (once_in(3000))
        s->io.transport_frame = any(0, INT64_C(1) << 32);
    if (once_in(s->io.transport_rolling ? 1500 : 200))
        s->io.transport_rolling = !s->io.transport_rolling;
    s->io.midi_out_capacity = (uint32_t)(once_in(10) ? any(0, 40) : STAGE_MIDI);
    uint32_t nframes = any_period();
    hear_anything(s, nframes);
    disturb_the_clock(s, now, nframes);
    stage_cycle(s, nframes);
    listen(s);
    if (s->io.frame / 3000000 % 3 > 0) { /* else the rings fill up */
        engine_heard(s->e, reports, RING_RECORDS);
        engine_played(s->e, reports, RING_RECORDS);
    }
}

static void end(stage *s)
{
    s->io.control_in_count = 0;
    s->io.midi_out_capacity = STAGE_MIDI;
    engine_ask_stop(s->e);
    uint32_t cycles = 0;
    for (; !engine_has_stopped(s->e) && cycles < 10; cycles++, listen(s))
        stage_cycle(s, 64);
    CHECK(cycles <= 2);
    for (cycles = 0; cycles < 2 * RATE / 64; cycles++, listen(s))
        stage_cycle(s, 64);
    CHECK(nothing_sounds(s));
    for (uint32_t i = 0; i < AUDIO_PORTS && !s->silent; i++)
        for (uint32_t n = 0; n < 64; n++)
            CHECK(fabsf(s->audio[i][n]) < 1e-3f);
}

/* Play in a meter: how many pulses a bar has, and how long a pulse is. */
static void fuzz(uint32_t start_mode, uint32_t pulses, int64_t pulse_ticks,
                 fluid_synth_t *synth, uint32_t cycles)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = 500000000;
    settings.start_mode = start_mode;
    settings.pulses = pulses;
    settings.pulse_ticks = pulse_ticks;
    settings.bar_ticks = pulses * pulse_ticks;
    settings.beat_ticks = pulse_ticks;
    settings.start_tick = -settings.bar_ticks;
    settings.leads = start_mode == START_COUNT_IN && pulses == 4;
    settings.sends_clock = start_mode != START_FIRST_NOTE;
    settings.click_sounds = 1;
    settings.reverb = 0.2f;
    memset(settings.click_keys, 60, pulses);
    memset(settings.click_velocities, 80, pulses);
    settings.click_velocities[0] = 110;
    settings.click_velocities[pulses - 1] = 0;
    stage *s = stage_new(&settings, RATE, synth);
    s->io.frame = (INT64_C(1) << 32) - 1000000;
    s->io.transport_rolling = 1;
    s->silent = synth == NULL;
    for (uint32_t i = 0; i < cycles; i++)
        fuzz_cycle(s);
    end(s);
    engine_counters c = stage_counters(s);
    CHECK(c.guarded_samples == 0);
    cycles_run += c.cycles;
    overflows += c.heard_overflows + c.played_overflows;
    printf("fuzz: %llu notes, late %llu, dropped %llu, stale %llu, refused %llu, "
           "vamped %llu, lost for the worker %llu, for the recorder %llu\n",
           (unsigned long long)c.notes_on, (unsigned long long)c.late_events,
           (unsigned long long)c.dropped_decisions, (unsigned long long)c.stale_batches,
           (unsigned long long)c.refused_batches, (unsigned long long)c.vamped_bars,
           (unsigned long long)c.heard_overflows,
           (unsigned long long)c.played_overflows);
    stage_free(s);
}

static uint32_t cycles = 50000;

static void random_cycles_with_sound(void)
{
    fluid_synth_t *synth = real_synth_new(RATE);
    fuzz(START_TRANSPORT, 4, 1920, synth, cycles / 50);
    real_synth_free(synth);
}

static void random_cycles_with_a_count_in(void)
{
    fuzz(START_COUNT_IN, 4, 1920, NULL, cycles / 50 * 12);
    fuzz(START_COUNT_IN, 2, 2880, NULL, cycles / 50 * 12); /* 6/8 */
}

static void random_cycles_from_a_first_note(void)
{
    fuzz(START_FIRST_NOTE, 3, 1920, NULL, cycles / 50 * 6);
}

static void random_cycles_with_midi_clock(void)
{
    fuzz(START_MIDI_CLOCK, 4, 1920, NULL, cycles / 50 * 6);
}

static void random_cycles_with_a_transport(void)
{
    fuzz(START_TRANSPORT, 7, 960, NULL, cycles - cycles / 50 * 37);
}

static void every_note_on_has_had_its_note_off(void)
{
    printf("fuzz: %llu cycles, %llu note-ons, %llu note-offs, %llu without their "
           "partner; %llu broken orders refused\n", (unsigned long long)cycles_run,
           (unsigned long long)ons, (unsigned long long)offs,
           (unsigned long long)unpaired, (unsigned long long)refused);
    CHECK(cycles_run >= cycles && ons >= cycles / 10 && clocks > 0);
    CHECK(overflows > 0); /* rings were full */
    CHECK(ons == offs && unpaired == 0);
    CHECK(malformed == 0);
    CHECK(loud == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cycles = (uint32_t)atoi(argv[1]);
    randomness = argc > 2 ? strtoull(argv[2], NULL, 10) * 2654435761u + 1 : 20261124;
    RUN(random_cycles_with_sound);
    RUN(random_cycles_with_a_count_in);
    RUN(random_cycles_from_a_first_note);
    RUN(random_cycles_with_midi_clock);
    RUN(random_cycles_with_a_transport);
    RUN(every_note_on_has_had_its_note_off);
    return report("fuzz");
}
