/* How long the most expensive cycles take: the best of several runs, since other
   programs share this machine. A period of 64 frames at 48 kHz lasts 1333 us. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "real_synth.h"
#include "stage.h"

#define RUNS 15
#define PERIOD_US 1333.0

static fluid_synth_t *synth, *spare;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static stage *new_stage(void)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = 500000000;
    settings.reverb = 0.2f;
    stage *s = stage_new(&settings, 48000, synth);
    s->io.frame = 1000;
    stage_cycle(s, 64);
    return s;
}

/* Notes far away, or sounding, or to be struck: whatever fills the heap. */
static void fill_heap(stage *s, uint32_t count, int64_t tick, int64_t duration)
{
    static plan_note notes[MAX_BATCH_NOTES];
    uint64_t random = count;
    for (uint32_t i = 0; i < count; i++)
        notes[i] = (plan_note){tick + random_from(&random, 0, 10000), duration,
                               (uint8_t)(i % 5), (uint8_t)(i / 5 % 128), 0};
    stage_replace(s, tick, tick + BAR, 0x1F, 0, notes, count);
    stage_cycle(s, 64);
}

static void order_longest_batch(stage *s)
{
    static plan_note notes[MAX_BATCH_NOTES];
    for (uint32_t i = 0; i < MAX_BATCH_NOTES; i++)
        notes[i] = (plan_note){90000, 5000, (uint8_t)(i % 5), (uint8_t)(i / 5 % 128),
                               FLAG_TIE};
    stage_replace(s, 90000, 100000, 0x1F, FLAG_CUT | FLAG_VAMP, notes, MAX_BATCH_NOTES);
}

static void idle(stage *s) { (void)s; }

static void longest_batch_on_a_full_heap(stage *s)
{
    for (int i = 0; i < 3; i++) /* all of them cross the tick of the cut */
        fill_heap(s, 1000, 10000 + i * 20000, 100000);
    order_longest_batch(s);
}

static void ring_full_of_long_batches(stage *s)
{
    for (int i = 0; i < 3; i++)
        fill_heap(s, 1000, 10000 + i * 20000, 100000);
    for (int i = 0; i < 7; i++)
        order_longest_batch(s);
}

static void ring_full_of_short_batches_on_a_full_heap(stage *s)
{
    for (int i = 0; i < 4; i++)
        fill_heap(s, 1000, 10000 + i * 20000, 100000);
    for (int i = 0; i < 500; i++)
        stage_replace(s, 90000, 100000, 0x1F, FLAG_CUT, NULL, 0);
}

static void plan_of_three_bars(stage *s)
{
    fill_heap(s, 100, 10000, 2000);
    plan_note notes[100];
    for (uint32_t i = 0; i < 100; i++)
        notes[i] = (plan_note){10500 + i * 50, 1000, (uint8_t)(i % 2),
                               (uint8_t)(40 + i % 30), FLAG_TIE};
    stage_replace(s, 10500, 16000, 3, FLAG_CUT, notes, 100);
}

static void strike_512_notes(stage *s)
{
    int64_t now = frame_to_tick(&s->e->anchor, s->io.frame);
    fill_heap(s, 1, 1000000, 1);
    plan_note notes[512];
    for (uint32_t i = 0; i < 512; i++)
        notes[i] = (plan_note){now, 100000, (uint8_t)(i % 4), (uint8_t)(i / 4), 0};
    stage_replace(s, now, now + BAR, 0x1F, 0, notes, 512);
}

static void a_chord_of_six_with_bass(stage *s)
{
    int64_t now = frame_to_tick(&s->e->anchor, s->io.frame);
    plan_note notes[7];
    for (uint32_t i = 0; i < 7; i++)
        notes[i] = (plan_note){now, 1000, i == 0, (uint8_t)(40 + 4 * i), 0};
    stage_replace(s, now, now + BAR, 3, 0, notes, 7);
}

static void all_voices_sound(stage *s)
{
    strike_512_notes(s);
    stage_cycle(s, 64);
    stage_until(s, s->io.frame + 4800, 64);
}

static void panic_with_512_notes(stage *s)
{
    all_voices_sound(s);
    engine_ask_panic(s->e);
}

/* Every controller differs, and all voices of the old synth sound on. */
static void swap_the_synth(stage *s)
{
    all_voices_sound(s);
    for (uint8_t number = 1; number < 120; number++)
        if (number != 6 && number != 32 && number != 38 && number != 64)
            stage_hear(s, 0, 0xB0, number, 77);
    stage_cycle(s, 64);
    fluid_synth_system_reset(spare);
    engine_offer_synth(s->e, spare);
}

static double measure(const char *name, void (*prepare)(stage *))
{
    double best = INFINITY;
    for (int run = 0; run < RUNS; run++) {
        stage *s = new_stage();
        prepare(s);
        double start = now_us();
        stage_cycle(s, 64);
        best = fmin(best, now_us() - start);
        fluid_synth_system_reset(synth);
        stage_cycle(s, 4096);
        stage_free(s);
    }
    printf("%7.1f us  %s\n", best, name);
    return best;
}

static void every_cycle_fits_into_a_period_of_64_frames(void)
{
    synth = real_synth_new(48000);
    spare = real_synth_new(48000);
    synth_rehearse(spare);
    double most = measure("idle", idle);
    most = fmax(most, measure("a chord of six is struck", a_chord_of_six_with_bass));
    most = fmax(most, measure("a plan of three bars replaces another",
                              plan_of_three_bars));
    most = fmax(most, measure("128 voices sound", all_voices_sound));
    most = fmax(most, measure("1024 tied notes replace 3000 that sound or wait",
                              longest_batch_on_a_full_heap));
    most = fmax(most, measure("the order ring is full of such batches",
                              ring_full_of_long_batches));
    most = fmax(most, measure("the order ring is full of short batches, so is the heap",
                              ring_full_of_short_batches_on_a_full_heap));
    most = fmax(most, measure("panic with 512 notes sounding", panic_with_512_notes));
    most = fmax(most, measure("the synth is swapped while 128 voices sound",
                              swap_the_synth));
    CHECK(most < PERIOD_US);
    /* No music; and the time is FluidSynth's, two microseconds a note. */
    measure("512 notes are struck", strike_512_notes);
    real_synth_free(synth);
    real_synth_free(spare);
}

int main(void)
{
    RUN(every_cycle_fits_into_a_period_of_64_frames);
    return report("worst_case");
}
