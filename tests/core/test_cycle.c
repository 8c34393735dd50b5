#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_synth.h"
#include "stage.h"

static stage *new_stage(const engine_settings *settings)
{
    return stage_new(settings, 48000, fake_synth_new());
}

static engine_settings clicking(void)
{
    engine_settings settings = plain_settings();
    settings.click_sounds = 1;
    memcpy(settings.click_keys, (uint8_t[]){52, 52, 50, 64}, 4);
    memcpy(settings.click_velocities, (uint8_t[]){110, 80, 80, 80}, 4);
    return settings;
}

static void play(stage *s, int64_t tick, int64_t duration, uint8_t key)
{
    plan_note note = {tick, duration, PART_CHORDS, key, 0};
    stage_replace(s, tick, tick + duration, CHORDS, 0, &note, 1);
}

/* ---- the rings when they are full ---- */

static void flood_heard(stage *s)
{
    while (stage_counters(s).heard_overflows == 0) {
        for (uint32_t i = 0; i < 500; i++)
            stage_hear(s, 0, 0x90 | (i & 1 ? 0 : 0x20), 60, i & 1 ? 0 : 90);
        stage_cycle(s, 64);
    }
}

static void what_the_worker_cannot_take_is_counted_and_told_once_there_is_room(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    flood_heard(s);
    uint64_t lost = stage_counters(s).heard_overflows;
    CHECK(lost > 0 && ring_waiting(&s->e->heard) == RING_RECORDS);
    stage_hear(s, 3, 0x90, 61, 70);
    stage_cycle(s, 64);
    CHECK(stage_counters(s).heard_overflows == lost + 1);
    report_record r;
    CHECK(engine_heard(s->e, &r, 1) == 1); /* room for one: not for both */
    stage_hear(s, 3, 0x80, 61, 70);
    stage_cycle(s, 64);
    CHECK(stage_counters(s).heard_overflows == lost + 2);
    CHECK(stage_heard(s, HEARD_LOST, NULL) == 0);
    stage_hear(s, 3, 0x90, 62, 70);
    stage_cycle(s, 64);
    CHECK(engine_heard(s->e, &r, 1) == 1 && r.kind == HEARD_LOST);
    CHECK(r.frame == s->io.frame - 61 && r.tick != NO_TICK);
    CHECK(engine_heard(s->e, &r, 1) == 1 && r.kind == HEARD_MIDI && r.bytes[1] == 62);
    stage_hear(s, 3, 0x80, 62, 70);
    stage_cycle(s, 64);
    CHECK(engine_heard(s->e, &r, 1) == 1 && r.kind == HEARD_MIDI);
    stage_free(s);
}

static void full_rings_do_not_touch_the_sound(void)
{
    engine_settings settings = clicking();
    stage *full = new_stage(&settings), *empty = new_stage(&settings);
    stage *stages[2] = {full, empty};
    flood_heard(full);
    empty->io.frame = full->io.frame = 0;
    full->e->rolling = empty->e->rolling = false;
    full->sent = empty->sent = 0;
    full->e->heap.count = empty->e->heap.count = 0;
    memset(full->e->sounding, 0, sizeof full->e->sounding);
    for (int i = 0; i < 2; i++) {
        for (int64_t n = 0; n < 40; n++) {
            play(stages[i], n * 100, 70, (uint8_t)(60 + n % 12));
            stage_until(stages[i], (n + 1) * 96, 32);
        }
        stage_until(stages[i], 8000, 64);
    }
    CHECK(full->sent == empty->sent && full->sent > 80);
    CHECK(memcmp(full->log, empty->log, full->sent * sizeof(sent_message)) == 0);
    CHECK(stage_counters(full).heard_overflows > 40);
    stage_free(full);
    stage_free(empty);
}

static void what_the_recorder_does_not_take_is_counted(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    s->silent = true;
    for (int64_t n = 0; n < 5000; n++) {
        play(s, n * 64, 10, 60);
        stage_cycle(s, 64);
        stage_heard(s, HEARD_APPLIED, NULL);
    }
    CHECK(s->sent == 10000);
    CHECK(ring_waiting(&s->e->played) == RING_RECORDS);
    CHECK(stage_counters(s).played_overflows == 10000 - RING_RECORDS);
    report_record r;
    CHECK(engine_played(s->e, &r, 1) == 1);
    CHECK(r.kind == PLAYED_MIDI && r.frame == 0 && r.tick == 0 && r.bytes[0] == 0x90
          && r.bytes[1] == 60 && r.bytes[3] == PART_CHORDS);
    stage_free(s);
}

static void midi_out_without_room_postpones_and_loses_nothing(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    plan_note notes[40];
    for (int i = 0; i < 40; i++)
        notes[i] = (plan_note){10, 300, PART_CHORDS, (uint8_t)(40 + i), 0};
    stage_replace(s, 0, BAR, CHORDS, 0, notes, 40);
    s->io.midi_out_capacity = 1;
    stage_until(s, 640, 64);
    CHECK(s->sent == 0);
    s->io.midi_out_capacity = 7;
    stage_until(s, 4096, 64);
    int on[128] = {0};
    bool paired = true;
    for (uint32_t i = 0; i < s->sent; i++) {
        int *key = &on[s->log[i].bytes[1]];
        *key += s->log[i].bytes[0] == 0x90 ? 1 : -1;
        paired = paired && (*key == 0 || *key == 1);
    }
    CHECK(paired && s->sent == 80 && nothing_sounds(s));
    CHECK(stage_counters(s).notes_on == 40 && stage_counters(s).notes_off == 40);
    stage_free(s);
}

/* ---- the click ---- */

static void the_click_falls_on_its_frame_with_its_pitch(void)
{
    engine_settings settings = clicking();
    settings.ns_per_quarter = 500000000; /* a pulse is 24000 frames */
    stage *s = new_stage(&settings);
    static const uint8_t KEYS[4] = {52, 52, 50, 64};
    int64_t onsets = 0;
    while (s->io.frame < 8 * 24000) {
        stage_cycle(s, 100);
        int64_t start = s->io.frame - 100;
        if (start / 24000 == (start + 99) / 24000 && start % 24000 != 0)
            continue;
        int64_t beat = (start + 99) / 24000, at = beat * 24000 - start;
        bool quiet = true;
        for (int64_t n = 0; n <= at; n++) /* a sine begins with 0 */
            quiet = quiet && s->audio[AUDIO_CLICK][n] == 0.0f;
        float frequency = 440.0f * exp2f(((float)KEYS[beat % 4] - 69.0f) / 12.0f);
        CHECK(quiet && (at == 99 || s->audio[AUDIO_CLICK][at + 1] > 0.0f));
        CHECK(fabsf(s->e->click.increment * 48000.0f - frequency) < 0.01f);
        onsets++;
    }
    CHECK(onsets == 8);
    CHECK_TEXT(stage_text(s),
               "0 10:+76, 6000 10:-76, 24000 10:+77, 30000 10:-77, 48000 10:+77, "
               "54000 10:-77, 72000 10:+77, 78000 10:-77, 96000 10:+76, 102000 10:-76, "
               "120000 10:+77, 126000 10:-77, 144000 10:+77, 150000 10:-77, "
               "168000 10:+77, 174000 10:-77");
    CHECK(stage_counters(s).notes_on == 0 && stage_counters(s).notes_off == 0);
    CHECK(fake.strikes == 0);
    stage_free(s);
}

static void the_count_in_clicks_and_then_the_click_is_silent(void)
{
    engine_settings settings = clicking();
    settings.click_sounds = 0;
    settings.start_tick = -BAR;
    stage *s = new_stage(&settings);
    play(s, 0, 100, 60);
    stage_until(s, 3 * BAR, 64);
    CHECK_TEXT(stage_text(s), "0 10:+76, 480 10:-76, 1920 10:+77, 2400 10:-77, "
                              "3840 10:+77, 4320 10:-77, 5760 10:+77, 6240 10:-77, "
                              "7680 +60, 7780 -60");
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1 && started.tick == -BAR);
    stage_free(s);
}

static void a_count_in_begins_on_its_bar_line(void)
{
    engine_settings settings = clicking();
    settings.pulse_ticks = 960;
    settings.pulses = 8;
    memset(settings.click_velocities, 80, 8);
    settings.start_tick = -BAR - 1919;
    stage *s = new_stage(&settings);
    stage_until(s, 1919 + 1920, 64);
    CHECK_TEXT(stage_text(s), "1919 10:+77, 2159 10:-77, 2879 10:+77, 3119 10:-77, "
                              "3839 10:+77");
    stage_free(s);
}

static void a_pulse_of_velocity_0_is_silent(void)
{
    engine_settings settings = clicking();
    settings.click_velocities[1] = settings.click_velocities[3] = 0;
    stage *s = new_stage(&settings);
    stage_until(s, BAR - 64, 64);
    CHECK_TEXT(stage_text(s), "0 10:+76, 480 10:-76, 3840 10:+77, 4320 10:-77");
    stage_free(s);
}

static void while_the_clock_is_wound_on_nothing_clicks(void)
{
    engine_settings settings = clicking();
    stage *s = new_stage(&settings);
    stage_order(s, ORDER_TEMPO, 1000, WINDING_NS, 0);
    stage_order(s, ORDER_TEMPO, BAR + 1000, FRAME_IS_TICK, 0);
    stage_until(s, 4000, 64);
    CHECK_TEXT(stage_text(s), "0 10:+76, 480 10:-76, 3072 10:+77, 3552 10:-77");
    stage_free(s);
}

/* 6/8 has two pulses of three eighths; the bar is 5760 ticks. */
static void the_click_follows_the_pulse_of_the_meter(void)
{
    engine_settings settings = clicking();
    settings.bar_ticks = 5760;
    settings.pulse_ticks = 2880;
    settings.pulses = 2;
    stage *s = new_stage(&settings);
    stage_until(s, 2 * 5760 - 64, 64);
    CHECK_TEXT(stage_text(s), "0 10:+76, 720 10:-76, 2880 10:+77, 3600 10:-77, "
                              "5760 10:+76, 6480 10:-76, 8640 10:+77, 9360 10:-77");
    stage_free(s);
}

static void click_and_drums_share_keys_and_leave_nothing_behind(void)
{
    engine_settings settings = clicking();
    stage *s = new_stage(&settings);
    plan_note notes[2] = {{100, 10, PART_DRUMS, 76, 0}, {1800, 300, PART_DRUMS, 77, 0}};
    stage_replace(s, 0, BAR, 1u << PART_DRUMS, 0, notes, 2);
    stage_until(s, 3000, 64);
    CHECK_TEXT(stage_text(s), "0 10:+76, 100 10:-76, 100 10:+76, 480 10:-76, "
                              "1800 10:+77, 1920 10:-77, 1920 10:+77, 2400 10:-77");
    CHECK(!fake.sounding[PART_CHANNEL(PART_DRUMS)][76]);
    CHECK(!fake.sounding[PART_CHANNEL(PART_DRUMS)][77]);
    stage_free(s);
}

/* ---- how it starts ---- */

static void the_first_note_is_beat_one_of_the_bar_less_the_pickup(void)
{
    engine_settings settings = plain_settings();
    settings.start_mode = START_FIRST_NOTE;
    settings.start_tick = -1920;
    stage *s = new_stage(&settings);
    stage_cycle(s, 64);
    CHECK(stage_counters(s).last_tick == NO_TICK);
    stage_hear(s, 5, 0xB0, 64, 127);
    stage_hear(s, 10, 0x80, 60, 0);
    stage_hear(s, 37, 0x90, 60, 90); /* absolute frame 101 */
    stage_hear(s, 40, 0x90, 64, 90);
    stage_cycle(s, 64);
    report_record r[8];
    CHECK(engine_heard(s->e, r, 8) == 5);
    CHECK(r[0].kind == HEARD_MIDI && r[0].tick == NO_TICK && r[0].bytes[0] == 0xB0);
    CHECK(r[1].kind == HEARD_MIDI && r[1].tick == NO_TICK && r[1].bytes[0] == 0x80);
    CHECK(r[2].kind == HEARD_STARTED && r[2].tick == -1920 && r[2].frame == 101);
    CHECK(r[3].kind == HEARD_MIDI && r[3].tick == -1920 && r[3].frame == 101);
    CHECK(r[4].tick == -1917 && r[4].frame == 104);
    play(s, 0, 100, 72);
    stage_until(s, 2200, 64);
    CHECK_TEXT(stage_text(s), "2021 +72, 2121 -72");
    CHECK(stage_counters(s).last_tick == s->io.frame - 101 - 1920);
    stage_free(s);
}

/* Four taps count in: a pedal or a key begins, and says that it did. */
static void a_tap_on_pedal_or_key_starts_the_clock(void)
{
    static const uint8_t taps[][3] = {{0xB0, 64, 127}, {0xB0, 66, 64}, {0xB0, 67, 90},
                                      {0x90, 40, 5}};
    for (uint32_t i = 0; i < 4; i++) {
        engine_settings settings = plain_settings();
        settings.start_mode = START_TAPS;
        settings.start_tick = -4 * 1920;
        stage *s = new_stage(&settings);
        stage_hear(s, 3, 0xB0, 64, 20);  /* a pedal that rises */
        stage_hear(s, 4, 0xB0, 7, 100);  /* another controller */
        stage_hear(s, 37, taps[i][0], taps[i][1], taps[i][2]);
        stage_cycle(s, 64);
        report_record r[8];
        CHECK(engine_heard(s->e, r, 8) == 3);
        CHECK(r[0].kind == HEARD_MIDI && r[0].tick == NO_TICK);
        CHECK(r[1].kind == HEARD_STARTED && r[1].tick == -4 * 1920 && r[1].frame == 37);
        CHECK(r[2].kind == HEARD_MIDI && r[2].bytes[1] == taps[i][1] && r[2].frame == 37);
        stage_free(s);
    }
}

/* What is no MIDI, such as a terminal, taps at the start of the next cycle. */
static void a_tap_from_elsewhere_begins_a_count_in_and_nothing_else(void)
{
    engine_settings settings = plain_settings();
    settings.start_mode = START_TAPS;
    settings.start_tick = -4 * 1920;
    stage *s = new_stage(&settings);
    stage_cycle(s, 64);
    CHECK(!s->e->rolling);
    engine_ask_tap(s->e);
    stage_cycle(s, 64);
    stage_cycle(s, 64);
    report_record r[4];
    CHECK(engine_heard(s->e, r, 4) == 2);
    CHECK(r[0].kind == HEARD_STARTED && r[0].tick == -4 * 1920 && r[0].frame == 64);
    CHECK(r[1].kind == HEARD_TAP && r[1].tick == -4 * 1920 && r[1].frame == 64);
    stage_free(s);
    settings.start_mode = START_FIRST_NOTE;
    s = new_stage(&settings);
    engine_ask_tap(s->e);
    stage_cycle(s, 64);
    CHECK(engine_heard(s->e, r, 4) == 1);
    CHECK(r[0].kind == HEARD_TAP && r[0].tick == NO_TICK && !s->e->rolling);
    stage_free(s);
}

static engine_settings following(void)
{
    engine_settings settings = clicking();
    settings.start_mode = START_TRANSPORT;
    return settings;
}

static void the_transport_starts_stops_and_relocates(void)
{
    engine_settings settings = following();
    stage *s = new_stage(&settings);
    stage_cycle(s, 64);
    CHECK(s->sent == 0 && !s->e->rolling);
    s->io.transport_rolling = 1; /* at transport frame 0, absolute frame 64 */
    play(s, 100, 5000, 60);
    stage_until(s, 192, 64);
    CHECK_TEXT(stage_text(s), "64 10:+76, 164 +60");
    CHECK(stage_counters(s).last_tick == 128);
    s->io.transport_rolling = 0;
    stage_cycle(s, 64);
    CHECK_TEXT(stage_text(s), "64 10:+76, 164 +60, 192 -60, 192 10:-76");
    CHECK(nothing_sounds(s) && s->e->heap.count == 0);
    CHECK(stage_heard(s, HEARD_STOPPED, NULL) == 1);
    s->sent = 0;
    s->io.transport_frame = 1900; /* somewhere else */
    s->io.transport_rolling = 1;
    stage_cycle(s, 64);
    CHECK_TEXT(stage_text(s), "276 10:+77");
    report_record started;
    CHECK(stage_heard(s, HEARD_STARTED, &started) == 1 && started.tick == 1900);
    play(s, 2000, 5000, 62);
    stage_until(s, 512, 64);
    s->io.transport_frame = 3840 - 10; /* relocated while it rolls */
    s->sent = 0;
    int64_t now = s->io.frame;
    stage_cycle(s, 64);
    CHECK(now == 512);
    CHECK_TEXT(stage_text(s), "512 -62, 512 10:-77, 522 10:+77");
    CHECK(stage_counters(s).last_tick == 3830 + 64);
    stage_free(s);
}

static void a_relocation_is_told_as_a_stop_and_a_start(void)
{
    engine_settings settings = following();
    stage *s = new_stage(&settings);
    s->io.transport_rolling = 1;
    stage_cycle(s, 64);
    report_record r[8];
    engine_heard(s->e, r, 8);
    s->io.transport_frame = 99999;
    stage_cycle(s, 64);
    CHECK(engine_heard(s->e, r, 8) == 2);
    CHECK(r[0].kind == HEARD_STOPPED);
    CHECK(r[1].kind == HEARD_STARTED && r[1].tick == 99999);
    stage_free(s);
}

static void a_full_midi_out_delays_the_stop_of_the_transport_until_all_is_released(void)
{
    engine_settings settings = following();
    settings.click_sounds = 0;
    stage *s = new_stage(&settings);
    s->io.transport_rolling = 1;
    plan_note notes[30];
    for (int i = 0; i < 30; i++)
        notes[i] = (plan_note){0, 5000, PART_CHORDS, (uint8_t)(40 + i), 0};
    stage_replace(s, 0, BAR, CHORDS, 0, notes, 30);
    stage_cycle(s, 64);
    s->io.transport_rolling = 0;
    s->io.midi_out_capacity = 8;
    stage_until(s, 640, 64);
    CHECK(s->sent == 60 && nothing_sounds(s) && !s->e->rolling);
    CHECK(stage_heard(s, HEARD_STOPPED, NULL) == 1);
    stage_free(s);
}

/* The worker was thinking when the transport stopped; its plan comes after. */
static void a_plan_for_a_transport_that_has_stopped_is_dropped(void)
{
    engine_settings settings = following();
    settings.click_sounds = 0;
    stage *s = new_stage(&settings);
    s->io.transport_rolling = 1;
    stage_cycle(s, 64);
    s->io.transport_rolling = 0;
    stage_cycle(s, 64);
    plan_note note = {200, 100, PART_CHORDS, 60, 0};
    stage_replace(s, 200, BAR, CHORDS, FLAG_DEADLINE, &note, 1);
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_DROPPED, NULL) == 1);
    s->io.transport_frame = 50000;
    s->io.transport_rolling = 1;
    stage_until(s, 1000, 64);
    CHECK(s->sent == 0);
    stage_free(s);
}

/* ---- silence ---- */

static bool fill_all_keys(stage *s)
{
    static plan_note notes[640];
    for (uint32_t i = 0; i < 640; i++)
        notes[i] = (plan_note){0, 100000, (uint8_t)(i / 128), (uint8_t)(i % 128), 0};
    stage_replace(s, 0, BAR, 0x1F, 0, notes, 640);
    stage_until(s, 256, 64);
    return s->sent == 640;
}

static bool all_paired(const stage *s)
{
    int sounding[16][128] = {{0}};
    for (uint32_t i = 0; i < s->sent; i++) {
        const uint8_t *b = s->log[i].bytes;
        if ((b[0] & 0xF0) == 0xB0)
            continue;
        int *key = &sounding[b[0] & 15][b[1]];
        *key += (b[0] & 0xF0) == 0x90 ? 1 : -1;
        if (*key < 0 || *key > 1)
            return false;
    }
    for (int i = 0; i < 16 * 128; i++)
        if (sounding[i / 128][i % 128] != 0)
            return false;
    return true;
}

static void panic_silences_everything_within_two_cycles_and_the_music_goes_on(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    CHECK(fill_all_keys(s));
    stage_hear(s, 0, 0x90, 60, 90);
    stage_cycle(s, 64);
    CHECK(fake.sounding[0][60]);
    engine_ask_panic(s->e);
    CHECK(!engine_has_panicked(s->e));
    stage_cycle(s, 64);
    stage_cycle(s, 64);
    CHECK(engine_has_panicked(s->e));
    CHECK(nothing_sounds(s) && all_paired(s) && s->e->heap.count == 0);
    CHECK(fake.sounds_off == 1 && fake.controls[64] >= 1 && !fake.sounding[0][60]);
    CHECK(stage_counters(s).notes_on == stage_counters(s).notes_off);
    uint32_t controls[128] = {0};
    for (uint32_t i = 0; i < s->sent; i++)
        controls[s->log[i].bytes[1]] += (s->log[i].bytes[0] & 0xF0) == 0xB0;
    CHECK(controls[120] == 5 && controls[123] == 5 && controls[64] == 5);
    s->sent = 0;
    play(s, s->io.frame + 10, 100, 60);
    int64_t now = s->io.frame;
    stage_until(s, now + 200, 64);
    CHECK(s->sent == 2 && s->log[0].frame == now + 10);
    stage_free(s);
}

static void after_a_stop_there_is_only_silence(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    CHECK(fill_all_keys(s));
    engine_ask_stop(s->e);
    CHECK(!engine_has_stopped(s->e));
    stage_cycle(s, 64);
    stage_cycle(s, 64);
    CHECK(engine_has_stopped(s->e));
    CHECK(nothing_sounds(s) && all_paired(s) && fake.sounds_off == 1);
    uint32_t sent = s->sent, strikes = fake.strikes;
    play(s, s->io.frame, 100, 60);
    stage_hear(s, 0, 0x90, 70, 100);
    stage_until(s, 20000, 64);
    CHECK(s->sent == sent && fake.strikes == strikes);
    CHECK(stage_counters(s).last_tick == NO_TICK);
    stage_free(s);
}

static void a_stop_before_the_first_cycle_is_answered_too(void)
{
    engine_settings settings = clicking();
    stage *s = new_stage(&settings);
    engine_ask_stop(s->e);
    stage_cycle(s, 64);
    CHECK(engine_has_stopped(s->e));
    stage_until(s, 4096, 64);
    CHECK(all_paired(s) && !s->e->rolling);
    stage_free(s);
}

static void panic_takes_the_vamp_with_it(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    plan_note note = {0, 100, PART_CHORDS, 60, 0};
    stage_replace(s, 0, BAR, CHORDS, FLAG_VAMP, &note, 1);
    stage_until(s, BAR - 64, 64);
    engine_ask_panic(s->e);
    stage_cycle(s, 64);
    s->sent = 0;
    stage_until(s, 3 * BAR, 64);
    CHECK(s->sent == 0);
    stage_free(s);
}

static void panic_keeps_cutoffs_and_tempo(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    stage_order(s, ORDER_TEMPO, 100, 2 * FRAME_IS_TICK, 0);
    stage_order(s, ORDER_CUTOFF, 200, 0, 7);
    stage_cycle(s, 64);
    engine_ask_panic(s->e);
    stage_until(s, 320, 64);
    report_record cutoff;
    CHECK(stage_heard(s, HEARD_CUTOFF, &cutoff) == 1);
    CHECK(cutoff.generation == 7 && cutoff.frame == 300);
    stage_free(s);
}

/* ---- sound ---- */

static void faults_of_the_synth_become_silence_and_the_sound_comes_back(void)
{
    engine_settings settings = plain_settings();
    settings.reverb = 0.3f;
    static const float FAULTS[] = {NAN, INFINITY, -INFINITY, 1e30f};
    for (uint32_t i = 0; i < 4; i++) {
        stage *s = new_stage(&settings);
        fake.level = FAULTS[i];
        stage_cycle(s, 64);
        bool silent = true;
        for (uint32_t n = 0; n < 64; n++)
            silent = silent && fabsf(s->audio[AUDIO_LEFT][n]) < 1e-6f;
        CHECK(silent);
        CHECK(stage_counters(s).guarded_samples == 4 * 64);
        fake.level = 0.0f;
        stage_until(s, 4096, 64); /* longer than the longest line of the room */
        bool clean = true;
        for (uint32_t n = 0; n < 64; n++)
            clean = clean && fabsf(s->audio[AUDIO_LEFT][n]) < 1e-6f;
        CHECK(clean);
        fake.level = 0.25f;
        stage_cycle(s, 64);
        CHECK(fabsf(s->audio[AUDIO_LEFT][0] - 0.25f) < 1e-3f);
        CHECK(stage_counters(s).guarded_samples == 4 * 64);
        stage_free(s);
    }
}

static float heard_level(float level, float gain)
{
    engine_settings settings = plain_settings();
    settings.gain = gain;
    stage *s = new_stage(&settings);
    fake.level = level;
    stage_cycle(s, 64);
    float out = s->audio[AUDIO_RIGHT][63];
    stage_free(s);
    return out;
}

static void loud_sound_is_bent_towards_1_and_quiet_sound_left_alone(void)
{
    CHECK(fabsf(heard_level(0.5f, 1.0f) - 0.5f) < 1e-6f);
    CHECK(fabsf(heard_level(-0.4f, 2.0f) + 0.8f) < 1e-6f);
    float last = 0.0f;
    bool rises = true;
    for (float level = 0.5f; level < 2.0f; level += 0.05f) {
        float now = heard_level(level, 1.0f);
        rises = rises && now > last && now <= 1.0f;
        last = now;
    }
    CHECK(rises);
    CHECK(heard_level(900.0f, 1.0f) <= 1.0f && heard_level(-900.0f, 1.0f) >= -1.0f);
    CHECK(heard_level(0.5f, 0.0f) == 0.0f);
}

static void ports_that_are_null_are_not_rendered(void)
{
    engine_settings settings = clicking();
    stage *s = new_stage(&settings);
    s->silent = true;
    play(s, 10, 100, 60);
    stage_until(s, 128, 64);
    CHECK_TEXT(stage_text(s), "0 10:+76, 10 +60, 110 -60");
    stage_free(s);
}

/* ---- the soloist ---- */

static void the_soloist_goes_to_the_synth_and_to_the_worker(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    stage_hear(s, 10, 0x93, 60, 100); /* any channel */
    stage_hear(s, 20, 0xB5, 64, 127);
    stage_hear(s, 21, 0xB5, 11, 90);
    stage_hear(s, 22, 0xE0, 0x01, 0x40);
    stage_hear(s, 23, 0xD0, 50, 0);
    stage_hear(s, 24, 0xA0, 60, 50);
    stage_cycle(s, 64);
    CHECK(fake.sounding[0][60] && fake.controls[64] == 1 && fake.controls[11] == 1);
    CHECK(fake.bends[SOLO_CHANNEL] == 0x2001 && fake.pressures == 2);
    stage_hear(s, 0, 0x93, 60, 0); /* an off in disguise */
    stage_cycle(s, 64);
    CHECK(!fake.sounding[0][60]);
    report_record r[8];
    CHECK(engine_heard(s->e, r, 8) == 4 && r[0].kind == HEARD_STARTED);
    CHECK(memcmp(r[1].bytes, (uint8_t[]){0x90, 60, 100, 0}, 4) == 0);
    CHECK(r[1].frame == 10);
    CHECK(memcmp(r[2].bytes, (uint8_t[]){0xB0, 64, 127, 0}, 4) == 0);
    CHECK(memcmp(r[3].bytes, (uint8_t[]){0x80, 60, 0, 0}, 4) == 0);
    CHECK(s->sent == 0); /* and never to midi_out */
    stage_free(s);
}

static void without_solo_sound_the_worker_still_hears(void)
{
    engine_settings settings = plain_settings();
    settings.solo_sounds = 0;
    stage *s = new_stage(&settings);
    stage_hear(s, 10, 0x90, 60, 100);
    stage_hear(s, 10, 0xE0, 0, 0);
    stage_cycle(s, 64);
    CHECK(fake.strikes == 0 && fake.bends[SOLO_CHANNEL] == 0);
    CHECK(stage_heard(s, HEARD_MIDI, NULL) == 1);
    stage_free(s);
}

/* Bank select would change the sound; 124 to 127 change the mode of all channels
   in FluidSynth and cut the accompaniment. */
static void the_soloist_has_no_hand_in_banks_and_modes(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    for (uint32_t number = 0; number < 128; number++)
        stage_hear(s, 0, 0xB0, (uint8_t)number, 1);
    stage_hear(s, 0, 0xC0, 40, 0);
    stage_cycle(s, 64);
    bool right = true;
    for (uint32_t number = 0; number < 128; number++)
        right = right
             && (fake.controls[number] == 1)
                    == (number != 0 && number != 32 && number < 124);
    CHECK(right && fake.programs[0] == 0);
    stage_free(s);
}

static void garbage_does_no_harm(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    uint64_t random = 5;
    for (int cycle = 0; cycle < 300; cycle++) {
        for (uint32_t i = 0; i < 100; i++) {
            uint32_t bytes = random_next(&random);
            stage_hear(s, i, (uint8_t)bytes, (uint8_t)(bytes >> 8),
                       (uint8_t)(bytes >> 16));
            s->in[i].size = (uint8_t)random_from(&random, 0, 3);
        }
        stage_cycle(s, 100);
        report_record r;
        while (engine_heard(s->e, &r, 1) == 1)
            CHECK(r.kind != HEARD_MIDI || (r.bytes[1] < 128 && r.bytes[2] < 128));
    }
    stage_hear(s, 0, 0xF0, 1, 2); /* system messages say nothing */
    stage_hear(s, 0, 0xF8, 0, 0);
    stage_hear(s, 0, 0xFF, 0, 0);
    stage_hear(s, 0, 0x3C, 0x40, 0);
    stage_cycle(s, 64);
    CHECK(stage_heard(s, HEARD_MIDI, NULL) == 0);
    CHECK(s->sent == 0);
    stage_free(s);
}

/* ---- time ---- */

/* Period 0: another one in every cycle. */
static stage *play_a_song(uint32_t period, int64_t start)
{
    engine_settings settings = clicking();
    settings.ns_per_quarter = 431234567;
    stage *s = new_stage(&settings);
    s->silent = true;
    s->io.frame = start;
    uint64_t random = 99;
    for (int part = 0; part < 5; part++) {
        plan_note notes[200];
        for (int i = 0; i < 200; i++)
            notes[i] = (plan_note){random_from(&random, 0, 4 * BAR),
                                   random_from(&random, 0, 3000), (uint8_t)part,
                                   (uint8_t)random_from(&random, 30, 90), 0};
        stage_replace(s, 0, 4 * BAR, (uint8_t)(1 << part), FLAG_VAMP, notes, 200);
    }
    for (int i = 1; i < 8; i++)
        stage_order(s, ORDER_TEMPO, i * 3000 + 7, random_from(&random, 2e8, 9e8), 0);
    while (s->io.frame < start + 12 * 48000)
        stage_cycle(s, period > 0 ? period : (uint32_t)random_from(&random, 0, 700));
    while (s->sent > 0 && s->log[s->sent - 1].frame >= start + 12 * 48000)
        s->sent--;
    return s;
}

static void any_period_plays_the_same_events_at_the_same_frames(void)
{
    static const uint32_t PERIODS[] = {64, 128, 256, 1024, 1, 17, 333, 4096, 0};
    stage *first = play_a_song(64, 0);
    CHECK(first->sent > 2000);
    for (int i = 1; i < 9; i++) {
        stage *other = play_a_song(PERIODS[i], 0);
        CHECK(other->sent == first->sent);
        CHECK(memcmp(first->log, other->log, first->sent * sizeof(sent_message)) == 0);
        CHECK(stage_counters(other).late_events == 0);
        stage_free(other);
    }
    stage_free(first);
}

static void a_day_later_the_same_song_is_the_same(void)
{
    stage *first = play_a_song(128, 0);
    int64_t day = (INT64_C(1) << 32) - 100000;
    stage *later = play_a_song(128, day); /* crosses 2^32 while it plays */
    bool same = later->sent == first->sent;
    for (uint32_t i = 0; same && i < first->sent; i++)
        same = later->log[i].frame - day == first->log[i].frame
            && memcmp(later->log[i].bytes, first->log[i].bytes, 3) == 0;
    CHECK(same);
    stage_free(first);
    stage_free(later);
}

/* ---- the worker is woken ---- */

static void the_worker_is_woken_when_something_waits_and_only_then(void)
{
    engine_settings settings = plain_settings();
    settings.start_mode = START_FIRST_NOTE;
    stage *s = new_stage(&settings);
    stage_cycle(s, 64);
    CHECK(!engine_wait(s->e, 1000000));
    stage_hear(s, 0, 0xB0, 64, 1);
    stage_cycle(s, 64);
    stage_hear(s, 0, 0xB0, 64, 0);
    stage_cycle(s, 64);
    CHECK(engine_wait(s->e, 1000000000));
    CHECK(!engine_wait(s->e, 0)); /* one wait takes all posts */
    engine_wake(s->e);
    CHECK(engine_wait(s->e, 1000000000));
    stage_free(s);
}

static void the_histogram_counts_every_cycle_in_its_bucket(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    uint64_t times[] = {0, 1, 15, 16, 17, 31, 32, 1000, 123456, 2000000,
                        UINT64_MAX / 3};
    uint32_t buckets[CYCLE_BUCKETS];
    for (uint32_t i = 0; i < 11; i++) {
        engine_measured(s->e, times[i], 1333333);
        engine_histogram(s->e, buckets);
        uint32_t found = 0, total = 0;
        for (uint32_t b = 0; b < CYCLE_BUCKETS; b++) {
            total += buckets[b];
            if (buckets[b] > 0 && engine_bucket_ns(b) <= times[i])
                found = b;
        }
        CHECK(total == i + 1);
        CHECK(found == CYCLE_BUCKETS - 1 || engine_bucket_ns(found + 1) > times[i]);
    }
    for (uint32_t b = 0; b + 1 < CYCLE_BUCKETS; b++)
        CHECK(engine_bucket_ns(b) < engine_bucket_ns(b + 1));
    CHECK(stage_counters(s).own_misses == 2);
    CHECK(stage_counters(s).max_cycle_ns == UINT64_MAX / 3);
    stage_free(s);
}

/* ---- the mix ---- */

static void a_change_of_gain_is_a_straight_line_over_one_cycle(void)
{
    engine_settings settings = plain_settings();
    stage *s = new_stage(&settings);
    fake.level = 0.5f;
    stage_cycle(s, 64);
    CHECK(s->audio[AUDIO_LEFT][63] == 0.5f);
    engine_mix(s->e, 0.0f, 0.5f, 0.0f, false);
    stage_cycle(s, 64);
    CHECK(s->audio[AUDIO_LEFT][0] == 0.5f && s->audio[AUDIO_LEFT][32] == 0.25f);
    CHECK(s->audio[AUDIO_SOLO_LEFT][32] == 0.375f);
    stage_cycle(s, 64);
    CHECK(s->audio[AUDIO_LEFT][0] == 0.0f && s->audio[AUDIO_SOLO_RIGHT][9] == 0.25f);
    stage_free(s);
}

static void the_click_and_the_room_can_be_switched_while_it_plays(void)
{
    engine_settings settings = clicking();
    settings.click_sounds = 0;
    stage *s = new_stage(&settings);
    stage_until(s, 4000, 64);
    CHECK(s->sent == 0);
    engine_mix(s->e, 1.0f, 1.0f, 0.5f, true);
    stage_until(s, 8000, 64);
    CHECK(s->sent > 0 && s->e->settings.reverb == 0.5f);
    stage_free(s);
}

int main(void)
{
    RUN(what_the_worker_cannot_take_is_counted_and_told_once_there_is_room);
    RUN(full_rings_do_not_touch_the_sound);
    RUN(what_the_recorder_does_not_take_is_counted);
    RUN(midi_out_without_room_postpones_and_loses_nothing);
    RUN(the_click_falls_on_its_frame_with_its_pitch);
    RUN(the_count_in_clicks_and_then_the_click_is_silent);
    RUN(a_count_in_begins_on_its_bar_line);
    RUN(a_pulse_of_velocity_0_is_silent);
    RUN(while_the_clock_is_wound_on_nothing_clicks);
    RUN(the_click_follows_the_pulse_of_the_meter);
    RUN(click_and_drums_share_keys_and_leave_nothing_behind);
    RUN(the_first_note_is_beat_one_of_the_bar_less_the_pickup);
    RUN(a_tap_on_pedal_or_key_starts_the_clock);
    RUN(a_tap_from_elsewhere_begins_a_count_in_and_nothing_else);
    RUN(the_transport_starts_stops_and_relocates);
    RUN(a_relocation_is_told_as_a_stop_and_a_start);
    RUN(a_full_midi_out_delays_the_stop_of_the_transport_until_all_is_released);
    RUN(a_plan_for_a_transport_that_has_stopped_is_dropped);
    RUN(panic_silences_everything_within_two_cycles_and_the_music_goes_on);
    RUN(after_a_stop_there_is_only_silence);
    RUN(a_stop_before_the_first_cycle_is_answered_too);
    RUN(panic_takes_the_vamp_with_it);
    RUN(panic_keeps_cutoffs_and_tempo);
    RUN(faults_of_the_synth_become_silence_and_the_sound_comes_back);
    RUN(loud_sound_is_bent_towards_1_and_quiet_sound_left_alone);
    RUN(ports_that_are_null_are_not_rendered);
    RUN(the_soloist_goes_to_the_synth_and_to_the_worker);
    RUN(without_solo_sound_the_worker_still_hears);
    RUN(the_soloist_has_no_hand_in_banks_and_modes);
    RUN(garbage_does_no_harm);
    RUN(any_period_plays_the_same_events_at_the_same_frames);
    RUN(a_day_later_the_same_song_is_the_same);
    RUN(the_worker_is_woken_when_something_waits_and_only_then);
    RUN(the_histogram_counts_every_cycle_in_its_bucket);
    RUN(a_change_of_gain_is_a_straight_line_over_one_cycle);
    RUN(the_click_and_the_room_can_be_switched_while_it_plays);
    return report("cycle");
}
