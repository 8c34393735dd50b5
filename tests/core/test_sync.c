/* Clocks from outside: the transport with bars, MIDI clock in and out; and the
   soloist's keyboards, which come and go. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_synth.h"
#include "stage.h"

#define RATE 48000
#define FP (INT64_C(1) << 32)
#define AT_120 500000000 /* ns per quarter: 12.5 frames to a tick */
#define CLOCK_FRAMES 1000 /* from clock to clock, at 120 */

static stage *new_stage(uint32_t start_mode)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = AT_120;
    settings.start_mode = start_mode;
    settings.beat_ticks = 1920;
    return stage_new(&settings, RATE, NULL);
}

static void plan(stage *s, int64_t tick, int64_t duration, uint8_t key)
{
    plan_note note = {tick, duration, PART_CHORDS, key, 0};
    stage_replace(s, tick, tick + BAR, CHORDS, 0, &note, 1);
}

/* ---- the transport with bars ---- */

static void roll(stage *s, int64_t tick_fp, int64_t ns)
{
    s->io.transport_rolling = 1;
    s->io.transport_has_tick = 1;
    s->io.transport_tick_fp = tick_fp;
    s->io.transport_ns_per_quarter = ns;
    stage_cycle(s, 64);
}

static int64_t ticks_fp(int64_t frames, int64_t ns)
{
    clock_anchor a = {.ns_per_quarter = ns, .rate = RATE};
    return frame_to_tick_fp(&a, frames);
}

static void it_starts_where_the_timebase_master_is(void)
{
    stage *s = new_stage(START_TRANSPORT);
    stage_cycle(s, 64);
    roll(s, 9600 * FP, 400000000);
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1);
    CHECK(started.tick == 9600 && started.generation == 400000000);
    CHECK(s->e->anchor.ns_per_quarter == 400000000);
    stage_free(s);
}

static void a_master_that_rounds_its_ticks_does_not_make_us_waver(void)
{
    stage *s = new_stage(START_TRANSPORT);
    roll(s, 0, AT_120);
    clock_anchor before = s->e->anchor;
    for (int64_t cycle = 1; cycle < 1000; cycle++)
        roll(s, ticks_fp(64 * cycle, AT_120) / (4 * FP) * (4 * FP), AT_120);
    CHECK(memcmp(&before, &s->e->anchor, sizeof before) == 0);
    CHECK(stage_heard(s, HEARD_TEMPO, NULL) == 0);
    stage_free(s);
}

static void a_tempo_of_the_master_is_taken_over_and_told(void)
{
    stage *s = new_stage(START_TRANSPORT);
    roll(s, 0, AT_120);
    plan(s, 1920, 960, 60);
    int64_t here = ticks_fp(64, AT_120);
    roll(s, here, 250000000); /* twice as fast from frame 64 on */
    report_record told;
    CHECK(stage_heard(s, HEARD_TEMPO, &told) == 1 && told.generation == 250000000);
    for (int64_t cycle = 2; cycle < 300; cycle++)
        roll(s, here + ticks_fp(64 * (cycle - 1), 250000000), 250000000);
    clock_anchor a = {.frame = 64, .tick_fp = here, .ns_per_quarter = 250000000,
                      .rate = RATE};
    CHECK(s->sent > 0 && s->log[0].frame == tick_to_frame(&a, 1920));
    CHECK(stage_heard(s, HEARD_STOPPED, NULL) == 0);
    stage_free(s);
}

static void back_and_forth_lands_on_the_right_bar_and_strands_no_note(void)
{
    stage *s = new_stage(START_TRANSPORT);
    const int64_t places[] = {0, 4 * BAR, BAR, 9 * BAR, 0, 2 * BAR};
    for (uint32_t i = 0; i < sizeof places / sizeof *places; i++) {
        roll(s, places[i] * FP, AT_120);
        report_record started;
        CHECK(stage_heard(s, HEARD_STARTED, &started) == 1);
        CHECK(started.tick == places[i]);
        plan(s, places[i], 100000, 60);
        for (int64_t cycle = 1; cycle < 20; cycle++)
            roll(s, places[i] * FP + ticks_fp(64 * cycle, AT_120), AT_120);
        CHECK(!nothing_sounds(s));
    }
    s->io.transport_rolling = 0;
    stage_cycle(s, 64);
    CHECK(nothing_sounds(s) && !s->e->rolling);
    stage_free(s);
}

static void a_master_that_is_not_ready_is_waited_for(void)
{
    stage *s = new_stage(START_TRANSPORT);
    roll(s, 0, AT_120);
    stage_heard(s, HEARD_STARTED, NULL);
    s->io.transport_frame = 48000 * 60;
    s->io.transport_has_tick = 0;
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_STARTED, NULL) == 0);
    roll(s, 4 * BAR * FP, AT_120);
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1 && started.tick == 4 * BAR);
    s->io.transport_has_tick = 0; /* it has gone: we go on from its last place */
    stage_until(s, s->io.frame + 48000, 64);
    CHECK(stage_heard(s, HEARD_STARTED, NULL) == 0);
    CHECK(stage_counters(s).last_tick / 10 == (4 * BAR + (64 + 48000) * 2 / 25) / 10);
    stage_free(s);
}

static void skipped_frames_are_a_slip_and_no_jump(void)
{
    stage *s = new_stage(START_TRANSPORT);
    s->io.transport_rolling = 1;
    stage_until(s, 640, 64);
    s->io.frame += 2000; /* an xrun: the transport has not seen it */
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_STOPPED, NULL) == 0 && s->e->rolling);
    CHECK(stage_counters(s).last_tick == frame_to_tick(
        &(clock_anchor){.ns_per_quarter = AT_120, .rate = RATE}, 704));
    stage_free(s);
}

/* ---- we lead ---- */

static stage *new_leader(uint32_t start_mode)
{
    stage *s = new_stage(start_mode);
    s->e->settings.leads = 1;
    return s;
}

static void who_stops_the_transport_that_we_lead_stops_us(void)
{
    stage *s = new_leader(START_COUNT_IN);
    stage_cycle(s, 64);
    CHECK(s->e->rolling); /* the transport is on its way */
    s->io.transport_rolling = 1;
    stage_cycle(s, 64);
    plan(s, 100, 100000, 60);
    stage_until(s, 6400, 64);
    CHECK(!nothing_sounds(s));
    s->io.transport_rolling = 0;
    stage_cycle(s, 64);
    CHECK(nothing_sounds(s) && !s->e->rolling);
    stage_cycle(s, 64);
    CHECK(!s->e->rolling);
    stage_heard(s, HEARD_STARTED, NULL);
    s->io.transport_frame = 24000; /* a quarter in */
    s->io.transport_rolling = 1;
    stage_cycle(s, 64);
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1 && started.tick == 1920);
    stage_free(s);
}

static void a_first_note_starts_us_again(void)
{
    stage *s = new_leader(START_FIRST_NOTE);
    stage_hear(s, 10, 0x90, 60, 90);
    stage_cycle(s, 64);
    CHECK(s->e->rolling);
    s->io.transport_rolling = 1;
    stage_cycle(s, 64);
    s->io.transport_rolling = 0;
    stage_cycle(s, 64);
    CHECK(!s->e->rolling);
    stage_hear(s, 10, 0x90, 62, 90);
    stage_cycle(s, 64);
    CHECK(s->e->rolling);
    stage_free(s);
}

/* ---- MIDI clock in ---- */

static const midi_message *one(uint32_t frame, uint8_t status, uint8_t low, uint8_t high)
{
    static midi_message m;
    m = (midi_message){.frame = frame, .size = 1, .bytes = {status, low, high}};
    return &m;
}

static void control(stage *s, uint32_t frame, uint8_t status, uint8_t low, uint8_t high)
{
    s->io.control_in = one(frame, status, low, high);
    s->io.control_in_count = 1;
    stage_cycle(s, 64);
    s->io.control_in_count = 0;
}

/* Send clocks, `each` frames apart and late by up to `jitter`, from `first` on. */
static void clocks(stage *s, int64_t first, uint32_t count, double each, int64_t jitter)
{
    uint64_t randomness = 7;
    for (uint32_t i = 0; i < count; i++) {
        int64_t frame = first + llround(each * i) + random_from(&randomness, 0, jitter);
        while (s->io.frame + 64 <= frame)
            stage_cycle(s, 64);
        control(s, (uint32_t)(frame - s->io.frame), 0xF8, 0, 0);
    }
}

static double tick_now(const stage *s)
{
    return (double)frame_to_tick_fp(&s->e->anchor, s->io.frame) / (double)FP;
}

static void the_first_clock_after_start_is_beat_one(void)
{
    stage *s = new_stage(START_MIDI_CLOCK);
    clocks(s, 100, 10, CLOCK_FRAMES, 0); /* clocks alone start nothing */
    CHECK(!s->e->rolling);
    control(s, 0, 0xFA, 0, 0);
    int64_t first = 100 + 10 * CLOCK_FRAMES;
    clocks(s, first, 25, CLOCK_FRAMES, 0);
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1);
    CHECK(started.tick == 0 && started.frame == first);
    CHECK(fabs(tick_now(s) - (double)(s->io.frame - first) / 12.5) < 0.01);
    control(s, 0, 0xFC, 0, 0);
    CHECK(!s->e->rolling);
    stage_free(s);
}

static void jitter_is_filtered_and_another_tempo_is_followed(void)
{
    stage *s = new_stage(START_MIDI_CLOCK);
    control(s, 0, 0xFA, 0, 0);
    clocks(s, 1000, 24 * 16, CLOCK_FRAMES, 96); /* 2 ms */
    double ns = (double)s->e->anchor.ns_per_quarter;
    CHECK(fabs(ns / AT_120 - 1) < 0.01);
    double expected = (double)(s->io.frame - 1000 - 48) / 12.5;
    CHECK(fabs(tick_now(s) - expected) < 5); /* 62 frames, 1.3 ms */
    int64_t from = 1000 + 24 * 16 * CLOCK_FRAMES;
    clocks(s, from, 24 * 8, CLOCK_FRAMES * 0.9, 0); /* a ninth faster, at once */
    expected = 24 * 16 * 80 + (double)(s->io.frame - from) / 11.25;
    CHECK(fabs(tick_now(s) - expected) < 1);
    CHECK(fabs((double)s->e->anchor.ns_per_quarter / AT_120 - 0.9) < 0.001);
    CHECK(stage_heard(s, HEARD_STOPPED, NULL) == 0);
    stage_free(s);
}

static void through_a_gap_it_runs_alone(void)
{
    stage *s = new_stage(START_MIDI_CLOCK);
    control(s, 0, 0xFA, 0, 0);
    clocks(s, 1000, 96, CLOCK_FRAMES, 0);
    int64_t after = 1000 + (96 + 37) * CLOCK_FRAMES; /* 37 clocks are lost */
    clocks(s, after, 48, CLOCK_FRAMES, 0);
    CHECK(fabs(tick_now(s) - (double)(s->io.frame - 1000) / 12.5) < 0.5);
    CHECK(stage_heard(s, HEARD_STOPPED, NULL) == 0);
    stage_free(s);
}

static void the_song_position_is_where_it_continues(void)
{
    stage *s = new_stage(START_MIDI_CLOCK);
    control(s, 0, 0xF2, 16, 0); /* sixteenths: bar two */
    control(s, 0, 0xFB, 0, 0);
    clocks(s, 1000, 5, CLOCK_FRAMES, 0);
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1 && started.tick == BAR);
    control(s, 0, 0xF2, 32, 1); /* (128 + 32) sixteenths, while it runs */
    clocks(s, s->io.frame + 200, 1, CLOCK_FRAMES, 0);
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1 && started.tick == 10 * BAR);
    stage_free(s);
}

static void without_being_asked_it_does_not_follow(void)
{
    stage *s = new_stage(START_FIRST_NOTE);
    control(s, 0, 0xFA, 0, 0);
    clocks(s, 1000, 30, CLOCK_FRAMES, 0);
    CHECK(!s->e->rolling);
    stage_free(s);
}

/* ---- MIDI clock out ---- */

static void clock_goes_out_exact_to_the_frame(void)
{
    stage *s = new_stage(START_COUNT_IN);
    s->e->settings.start_tick = -BAR;
    s->e->settings.sends_clock = 1;
    stage_until(s, 12 * 24 * CLOCK_FRAMES, 64);
    int64_t next = 0, started = -1;
    for (uint32_t i = 0; i < s->sent; i++) {
        if (s->log[i].bytes[0] == 0xFA)
            started = s->log[i].frame;
        if (s->log[i].bytes[0] != 0xF8)
            continue;
        CHECK(s->log[i].frame == next);
        next += CLOCK_FRAMES;
    }
    CHECK(next >= 11 * 24 * CLOCK_FRAMES);
    CHECK(started == 4 * 24 * CLOCK_FRAMES); /* beat one, after the count-in */
    stage_free(s);
}

static void in_the_middle_of_a_song_it_says_where_it_continues(void)
{
    stage *s = new_stage(START_TRANSPORT);
    s->e->settings.sends_clock = 1;
    s->io.transport_frame = 24000 + 100; /* a quarter and some */
    s->io.transport_rolling = 1;
    stage_until(s, 24000, 64);
    uint32_t i = 0;
    while (i < s->sent && s->log[i].bytes[0] == 0xF8)
        i++;
    CHECK(i == 5 && s->log[i].bytes[0] == 0xF2 && s->log[i].bytes[1] == 5);
    CHECK(s->log[i].frame == 30000 - 24100);
    CHECK(s->log[i + 1].bytes[0] == 0xFB && s->log[i + 2].bytes[0] == 0xF8);
    s->io.transport_rolling = 0;
    s->sent = 0;
    stage_cycle(s, 64);
    CHECK(s->sent == 1 && s->log[0].bytes[0] == 0xFC);
    stage_free(s);
}

/* The log as text: a clock is a dot, start, continue and stop are A, B and C, and a
   song position is 2 and its sixteenth. */
static const char *clock_text(const stage *s)
{
    static char text[512];
    uint32_t length = 0;
    for (uint32_t i = 0; i < s->sent && length < sizeof text - 8; i++) {
        const uint8_t *m = s->log[i].bytes;
        if (m[0] == 0xF2)
            length += (uint32_t)sprintf(text + length, "2(%d)", m[1]);
        else
            text[length++] = m[0] == 0xF8 ? '.' : "0123456789ABCDEF"[m[0] & 15];
    }
    text[length] = '\0';
    return text;
}

static void a_song_that_is_wound_on_stops_and_continues_where_it_is_then(void)
{
    stage *s = new_stage(START_COUNT_IN);
    s->e->settings.start_tick = -80;
    s->e->settings.sends_clock = 1;
    stage_order(s, ORDER_TEMPO, 970, WINDING_NS, 0);
    stage_order(s, ORDER_TEMPO, 970 + BAR, AT_120, 0);
    stage_until(s, 24 * CLOCK_FRAMES, 64);
    CHECK_TEXT(clock_text(s), ".A.............C.....2(19)B....");
    stage_free(s);
}

static void a_song_that_has_not_begun_is_wound_on_without_a_word(void)
{
    stage *s = new_stage(START_COUNT_IN);
    s->e->settings.start_tick = -BAR;
    s->e->settings.sends_clock = 1;
    stage_order(s, ORDER_TEMPO, 10 - BAR, WINDING_NS, 0);
    stage_order(s, ORDER_TEMPO, -90, AT_120, 0);
    stage_until(s, 12 * CLOCK_FRAMES, 64);
    CHECK_TEXT(clock_text(s), "..A..........");
    stage_free(s);
}

/* ---- the soloist's keyboards ---- */

static void what_comes_twice_within_three_ms_is_one_note(void)
{
    stage *s = new_stage(START_FIRST_NOTE);
    stage_hear(s, 0, 0x90, 60, 90);
    stage_hear(s, 20, 0x90, 60, 90);  /* the other port */
    stage_hear(s, 30, 0x90, 60, 91);  /* harder: another note */
    stage_hear(s, 40, 0x90, 64, 90);  /* another key */
    stage_cycle(s, 64);
    CHECK(stage_counters(s).solo_notes == 3);
    stage_until(s, 192, 64);
    stage_hear(s, 20, 0x90, 64, 90); /* 172 frames later, which is a repetition */
    stage_cycle(s, 64);
    CHECK(stage_counters(s).solo_notes == 4);
    stage_free(s);
}

static void when_a_keyboard_goes_its_notes_are_released(void)
{
    stage *s = new_stage(START_FIRST_NOTE);
    stage_hear(s, 0, 0x90, 60, 90);
    stage_cycle(s, 64);
    stage_heard(s, HEARD_LOST, NULL);
    engine_ask_release(s->e);
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_LOST, NULL) == 1);
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_LOST, NULL) == 0);
    CHECK(s->e->rolling);
    stage_free(s);
}

/* ---- another rate, and the worker that is waited for ---- */

static void another_rate_goes_on_at_the_same_tick(void)
{
    stage *s = new_stage(START_COUNT_IN);
    stage_until(s, 48000, 64);
    plan(s, 4000, 960, 60);
    stage_cycle(s, 64);
    int64_t exact = frame_to_tick_fp(&s->e->anchor, s->io.frame);
    engine_change_rate(s->e, 44100, NULL);
    CHECK(frame_to_tick_fp(&s->e->anchor, s->io.frame) == exact);
    clock_anchor a = {.frame = s->io.frame, .tick_fp = exact, .ns_per_quarter = AT_120,
                      .rate = 44100};
    stage_until(s, 96000, 64);
    CHECK(s->sent == 2 && s->log[0].frame == tick_to_frame(&a, 4000));
    stage_free(s);
}

static void an_answer_is_waited_for(void)
{
    stage *s = new_stage(START_COUNT_IN);
    CHECK(engine_await_answer(s->e, 0));
    stage_cycle(s, 64); /* it tells the worker that it has started */
    CHECK(!engine_await_answer(s->e, 1000000));
    engine_answer(s->e, engine_posts(s->e));
    CHECK(engine_await_answer(s->e, 0));
    stage_free(s);
}

int main(void)
{
    RUN(it_starts_where_the_timebase_master_is);
    RUN(a_master_that_rounds_its_ticks_does_not_make_us_waver);
    RUN(a_tempo_of_the_master_is_taken_over_and_told);
    RUN(back_and_forth_lands_on_the_right_bar_and_strands_no_note);
    RUN(a_master_that_is_not_ready_is_waited_for);
    RUN(skipped_frames_are_a_slip_and_no_jump);
    RUN(who_stops_the_transport_that_we_lead_stops_us);
    RUN(a_first_note_starts_us_again);
    RUN(the_first_clock_after_start_is_beat_one);
    RUN(jitter_is_filtered_and_another_tempo_is_followed);
    RUN(through_a_gap_it_runs_alone);
    RUN(the_song_position_is_where_it_continues);
    RUN(without_being_asked_it_does_not_follow);
    RUN(clock_goes_out_exact_to_the_frame);
    RUN(a_song_that_is_wound_on_stops_and_continues_where_it_is_then);
    RUN(a_song_that_has_not_begun_is_wound_on_without_a_word);
    RUN(in_the_middle_of_a_song_it_says_where_it_continues);
    RUN(what_comes_twice_within_three_ms_is_one_note);
    RUN(when_a_keyboard_goes_its_notes_are_released);
    RUN(another_rate_goes_on_at_the_same_tick);
    RUN(an_answer_is_waited_for);
    return report("sync");
}
