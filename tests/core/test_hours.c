/* Hours of music through the cycle, without sound: a tempo change on every beat, and a
   clock that begins just below the wrap of JACK's 32-bit frame counter. */

#include <stdio.h>

#include "check.h"
#include "fake_synth.h"
#include "stage.h"

#define RATE 48000
#define HOURS 4
#define PERIOD 1024u
#define BEATS_AHEAD 32 /* tempo changes that the core already has */

__extension__ typedef __int128 wide;

/* Frames in units of 1 / (1920 * 10^9), in which every beat is an integer. */
static const wide PER_FRAME = (wide)TICKS_PER_QUARTER * 1000000000;

static engine_settings a_click_on_every_beat(void)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = 500000000;
    settings.click_sounds = 1;
    for (int i = 0; i < 4; i++)
        settings.click_keys[i] = 60, settings.click_velocities[i] = 80;
    return settings;
}

/* Where each beat falls, summed up exactly as the tempo changes are ordered. */
typedef struct {
    wide place;              /* of the next beat */
    int64_t ns_per_quarter;  /* from the next beat on, unless it changes there */
    int64_t ordered;         /* beats whose tempo the core has */
    wide places[2 * BEATS_AHEAD];
    uint64_t random;
} beats;

static void order_ahead(stage *s, beats *b, int64_t played)
{
    for (; b->ordered < played + BEATS_AHEAD; b->ordered++) {
        b->places[b->ordered % (2 * BEATS_AHEAD)] = b->place;
        b->ns_per_quarter = random_from(&b->random, 200000000, 1500000000);
        stage_order(s, ORDER_TEMPO, b->ordered * TICKS_PER_QUARTER, b->ns_per_quarter, 0);
        b->place += (wide)TICKS_PER_QUARTER * b->ns_per_quarter * RATE;
    }
}

/* A millionth of a frame, either way, is what rounding has to itself. */
static bool is_there(int64_t frame, wide place)
{
    wide slack = PER_FRAME / 1000000;
    return frame >= (int64_t)((place - slack) / PER_FRAME)
        && frame <= (int64_t)((place + slack) / PER_FRAME);
}

static void four_hours_with_a_tempo_change_on_every_beat_are_not_off_by_a_frame(void)
{
    static beats b = {.random = 12};
    engine_settings settings = a_click_on_every_beat();
    stage *s = stage_new(&settings, RATE, fake_synth_new());
    s->silent = true;
    const int64_t start = (INT64_C(1) << 32) - 10 * RATE;
    s->io.frame = start;
    int64_t played = 0, off = 0;
    while (s->io.frame < start + (int64_t)HOURS * 3600 * RATE) {
        order_ahead(s, &b, played);
        s->sent = 0;
        stage_cycle(s, PERIOD);
        for (uint32_t i = 0; i < s->sent; i++)
            if (s->log[i].bytes[0] == 0x99) {
                wide place = b.places[played++ % (2 * BEATS_AHEAD)];
                off += !is_there(s->log[i].frame - start, place);
            }
    }
    printf("hours: %lld beats in %d hours, each of another tempo; %lld off by a frame\n",
           (long long)played, HOURS, (long long)off);
    CHECK(off == 0);
    CHECK(played > HOURS * 3600);
    CHECK(stage_counters(s).late_events == 0);
    stage_free(s);
}

int main(void)
{
    RUN(four_hours_with_a_tempo_change_on_every_beat_are_not_off_by_a_frame);
    return report("hours");
}
