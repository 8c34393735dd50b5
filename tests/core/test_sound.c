/* What comes out of the audio ports: the real FluidSynth, the room, the click. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "real_synth.h"
#include "stage.h"

#define RATE 48000
#define SECONDS 5
#define FRAMES (RATE * SECONDS)

typedef struct {
    float ports[AUDIO_PORTS][FRAMES];
} recording;

static engine_settings concert_settings(void)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = 500000000;
    settings.click_sounds = 1;
    memset(settings.click_keys, 52, 4);
    memset(settings.click_velocities, 100, 4);
    settings.reverb = 0.2f;
    return settings;
}

static void order_programs(stage *s)
{
    for (uint8_t part = 0; part < PART_CLICK; part++) {
        order_record o = {.kind = ORDER_PROGRAM, .part = part,
                          .key = (uint8_t)(part * 8)};
        engine_order(s->e, &o, 1);
    }
}

static void order_song(stage *s)
{
    uint64_t random = 42;
    for (uint8_t part = 0; part < 5; part++) {
        plan_note notes[60];
        for (int i = 0; i < 60; i++)
            notes[i] = (plan_note){random_from(&random, 0, 2 * BAR),
                                   random_from(&random, 100, 4000), part,
                                   (uint8_t)random_from(&random, 36, 84), 0};
        stage_replace(s, 0, 2 * BAR, (uint8_t)(1 << part), 0, notes, 60);
    }
}

/* A melody at odd frames, with pedal, for the cycle that comes. */
static void play_melody(stage *s, uint32_t nframes)
{
    for (uint32_t n = 0; n < nframes; n++) {
        int64_t frame = s->io.frame + n, note = frame / 7001;
        uint8_t key = (uint8_t)(60 + note * 5 % 24);
        if (frame % 7001 == 13)
            stage_hear(s, n, 0x90, key, 90);
        if (frame % 7001 == 6500)
            stage_hear(s, n, 0x80, key, 0);
        if (frame % 30011 == 1000)
            stage_hear(s, n, 0xB0, 64, frame / 30011 % 2 ? 0 : 127);
        if (frame % 9000 == 4)
            stage_hear(s, n, 0xE0, 0, (uint8_t)(frame % 128));
    }
}

static recording *record(uint32_t period)
{
    fluid_synth_t *synth = real_synth_new(RATE);
    engine_settings settings = concert_settings();
    stage *s = stage_new(&settings, RATE, synth);
    recording *r = calloc(1, sizeof *r);
    order_programs(s);
    order_song(s);
    while (s->io.frame < FRAMES) {
        int64_t start = s->io.frame;
        uint32_t left = (uint32_t)(FRAMES - start);
        uint32_t nframes = period < left ? period : left;
        play_melody(s, nframes);
        stage_cycle(s, nframes);
        for (uint32_t i = 0; i < AUDIO_PORTS; i++)
            memcpy(r->ports[i] + start, s->audio[i], nframes * sizeof(float));
    }
    stage_free(s);
    real_synth_free(synth);
    return r;
}

static float peak(const float *samples, uint32_t count)
{
    float most = 0.0f;
    for (uint32_t n = 0; n < count; n++)
        most = fmaxf(most, fabsf(samples[n]));
    return most;
}

static void the_sound_is_bit_identical_at_any_period(void)
{
    static const uint32_t PERIODS[] = {128, 256, 1024, 17, 333, 4096};
    recording *first = record(64);
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        CHECK(peak(first->ports[i], FRAMES) > 0.02f);
    for (int i = 0; i < 6; i++) {
        recording *other = record(PERIODS[i]);
        CHECK(memcmp(first, other, sizeof *first) == 0);
        free(other);
    }
    free(first);
}

static stage *concert(fluid_synth_t *synth)
{
    engine_settings settings = concert_settings();
    settings.click_sounds = 0;
    stage *s = stage_new(&settings, RATE, synth);
    return s;
}

static void soloist_and_accompaniment_have_their_own_ports(void)
{
    fluid_synth_t *synth = real_synth_new(RATE);
    stage *s = concert(synth);
    stage_hear(s, 0, 0x90, 60, 100);
    stage_cycle(s, 9600);
    CHECK(peak(s->audio[AUDIO_SOLO_LEFT], 9600) > 0.02f);
    CHECK(peak(s->audio[AUDIO_SOLO_RIGHT], 9600) > 0.02f);
    CHECK(peak(s->audio[AUDIO_LEFT], 9600) < 1e-6f);
    stage_free(s);
    real_synth_free(synth);
    synth = real_synth_new(RATE);
    s = concert(synth);
    plan_note notes[5];
    for (uint8_t part = 0; part < 5; part++)
        notes[part] = (plan_note){0, 7000, part, (uint8_t)(50 + part), 0};
    stage_replace(s, 0, BAR, 0x1F, 0, notes, 5);
    stage_cycle(s, 9600);
    CHECK(peak(s->audio[AUDIO_LEFT], 9600) > 0.02f);
    CHECK(peak(s->audio[AUDIO_RIGHT], 9600) > 0.02f);
    CHECK(peak(s->audio[AUDIO_SOLO_LEFT], 9600) < 1e-6f);
    CHECK(peak(s->audio[AUDIO_CLICK], 9600) == 0.0f);
    stage_free(s);
    real_synth_free(synth);
}

static void stop_and_panic_leave_no_voice(void)
{
    for (int stops = 0; stops < 2; stops++) {
        fluid_synth_t *synth = real_synth_new(RATE);
        stage *s = concert(synth);
        order_song(s);
        stage_hear(s, 0, 0xB0, 64, 127);
        for (uint8_t key = 40; key < 80; key++)
            stage_hear(s, 0, 0x90, key, 100);
        stage_until(s, 30000, 64);
        CHECK(fluid_synth_get_active_voice_count(synth) >= 48);
        if (stops)
            engine_ask_stop(s->e);
        else
            engine_ask_panic(s->e);
        stage_cycle(s, 64);
        stage_cycle(s, 64);
        CHECK(stops ? engine_has_stopped(s->e) : engine_has_panicked(s->e));
        CHECK(fluid_synth_get_active_voice_count(synth) == 0 && nothing_sounds(s));
        stage_until(s, 30000 + 3 * RATE, 64); /* the room dies away */
        CHECK(peak(s->audio[AUDIO_LEFT], 64) < 1e-6f);
        stage_free(s);
        real_synth_free(synth);
    }
}

static void every_voice_ends_with_its_note(void)
{
    fluid_synth_t *synth = real_synth_new(RATE);
    stage *s = concert(synth);
    order_programs(s);
    order_song(s);
    stage_until(s, 12 * RATE, 4096);
    CHECK(nothing_sounds(s));
    stage_until(s, 30 * RATE, 4096); /* releases are long */
    CHECK(fluid_synth_get_active_voice_count(synth) == 0);
    stage_free(s);
    real_synth_free(synth);
}

/* CC 126 would make every channel of FluidSynth monophonic, ours included. */
static void mode_messages_of_the_soloist_leave_the_accompaniment_alone(void)
{
    fluid_synth_t *synth = real_synth_new(RATE);
    stage *s = concert(synth);
    plan_note notes[3] = {{0, 7000, PART_CHORDS, 60, 0}, {0, 7000, PART_CHORDS, 64, 0},
                          {0, 7000, PART_CHORDS, 67, 0}};
    stage_replace(s, 0, BAR, CHORDS, 0, notes, 3);
    stage_until(s, 4800, 64);
    int voices = fluid_synth_get_active_voice_count(synth);
    for (uint8_t number = 120; number < 128; number++)
        stage_hear(s, 0, 0xB0, number, 0);
    stage_until(s, 9600, 64);
    CHECK(voices >= 3 && fluid_synth_get_active_voice_count(synth) == voices);
    stage_free(s);
    real_synth_free(synth);
}

/* The same SoundFont again, with all that a keyboard can set: nobody hears it. */
static void set_everything(stage *s)
{
    static const uint8_t MESSAGES[][3] = {
        {0xB0, 101, 0}, {0xB0, 100, 0}, {0xB0, 6, 12},   /* bend range: an octave */
        {0xB0, 101, 0}, {0xB0, 100, 1}, {0xB0, 6, 70},   /* a little sharp */
        {0xB0, 7, 80}, {0xB0, 10, 30}, {0xB0, 11, 100}, {0xB0, 1, 90}, {0xD0, 60, 0},
        {0xE0, 0, 0x50}, {0xB0, 64, 127}};
    for (uint32_t i = 0; i < sizeof MESSAGES / sizeof *MESSAGES; i++)
        stage_hear(s, 0, MESSAGES[i][0], MESSAGES[i][1], MESSAGES[i][2]);
    order_programs(s);
    order_record o = {.kind = ORDER_PROGRAM, .part = SOLO_PART, .key = 48};
    engine_order(s->e, &o, 1);
    stage_cycle(s, 64);
}

static void play_after_it(stage *s)
{
    plan_note notes[4] = {{6000, 7000, PART_CHORDS, 60, 0},
                          {6000, 7000, PART_PAD, 67, 0},
                          {6000, 7000, PART_DRUMS, 38, 0},
                          {6000, 7000, PART_BASS, 36, 0}};
    stage_replace(s, 6000, 6000 + BAR, 0x1F, 0, notes, 4);
    stage_hear(s, 0, 0x90, 72, 100);
    stage_hear(s, 20, 0x80, 72, 0); /* the pedal holds it */
}

static float greatest_difference(stage *a, stage *b)
{
    float most = 0.0f;
    for (uint32_t i = 0; i < AUDIO_PORTS * 64; i++)
        most = fmaxf(most, fabsf(a->audio[i / 64][i % 64] - b->audio[i / 64][i % 64]));
    return most;
}

static void a_swap_to_the_same_soundfont_is_bit_identical(void)
{
    fluid_synth_t *synths[3];
    stage *stages[2];
    for (int i = 0; i < 3; i++)
        synths[i] = real_synth_new(RATE);
    for (int i = 0; i < 2; i++) {
        stages[i] = concert(synths[i]);
        set_everything(stages[i]);
    }
    synth_rehearse(synths[2]);
    engine_offer_synth(stages[0]->e, synths[2]);
    for (int i = 0; i < 2; i++)
        play_after_it(stages[i]);
    float solo = 0.0f, parts = 0.0f, most = 0.0f;
    for (int cycle = 0; cycle < 2400; cycle++) {
        for (int i = 0; i < 2; i++)
            stage_cycle(stages[i], 64);
        most = fmaxf(most, greatest_difference(stages[0], stages[1]));
        solo = fmaxf(solo, peak(stages[0]->audio[AUDIO_SOLO_LEFT], 64));
        parts = fmaxf(parts, peak(stages[0]->audio[AUDIO_LEFT], 64));
    }
    CHECK(most == 0.0f);
    CHECK(stages[0]->e->synth == synths[2] && solo > 0.01f && parts > 0.01f);
    CHECK(engine_departed_synth(stages[0]->e) == synths[0]);
    for (int i = 0; i < 2; i++)
        stage_free(stages[i]);
    for (int i = 0; i < 3; i++)
        real_synth_free(synths[i]);
}

static void held_notes_end_on_the_old_synth_which_then_goes(void)
{
    fluid_synth_t *old = real_synth_new(RATE), *next = real_synth_new(RATE);
    stage *s = concert(old);
    plan_note note = {0, 20000, PART_CHORDS, 60, 0};
    stage_replace(s, 0, BAR, CHORDS, 0, &note, 1);
    stage_hear(s, 0, 0x90, 72, 100);
    stage_cycle(s, 64);
    engine_offer_synth(s->e, next);
    stage_until(s, RATE / 4, 64);
    CHECK(s->e->leaving == old && fluid_synth_get_active_voice_count(old) >= 2);
    CHECK(peak(s->audio[AUDIO_SOLO_LEFT], 64) > 1e-3f);
    stage_hear(s, 0, 0x80, 72, 0);
    stage_until(s, 8 * RATE, 64);
    CHECK(s->e->leaving == NULL && engine_departed_synth(s->e) == old);
    CHECK(nothing_sounds(s) && fluid_synth_get_active_voice_count(next) == 0);
    stage_free(s);
    real_synth_free(old);
    real_synth_free(next);
}

static void the_click_is_heard_above_a_chord_and_stays_below_half(void)
{
    fluid_synth_t *synth = real_synth_new(RATE);
    engine_settings settings = concert_settings();
    memset(settings.click_velocities, 127, 4);
    stage *s = stage_new(&settings, RATE, synth);
    plan_note notes[4] = {{0, 7000, PART_CHORDS, 60, 0}, {0, 7000, PART_CHORDS, 64, 0},
                          {0, 7000, PART_CHORDS, 67, 0}, {0, 7000, PART_BASS, 36, 0}};
    stage_replace(s, 0, BAR, CHORDS | BASS, 0, notes, 4);
    stage_cycle(s, 12000);
    float click = peak(s->audio[AUDIO_CLICK], 12000);
    float chord = peak(s->audio[AUDIO_LEFT], 12000);
    printf("peaks: click %.1f dBFS, chord with bass %.1f dBFS\n",
           (double)(20 * log10f(click)), (double)(20 * log10f(chord)));
    CHECK(click > chord && click < 0.5f);
    CHECK(chord > 0.05f && chord < 0.8f); /* below the limiter */
    CHECK(peak(s->audio[AUDIO_CLICK] + 11900, 100) < 1e-3f);
    stage_free(s);
    real_synth_free(synth);
}

/* ---- the room ---- */

#define ROOM_FRAMES (4 * RATE)

static float *impulse_response(void)
{
    reverb *r = malloc(sizeof *r);
    float *left = calloc(ROOM_FRAMES, sizeof(float));
    float *right = calloc(ROOM_FRAMES, sizeof(float));
    reverb_init(r, RATE);
    left[0] = right[0] = 1.0f;
    for (uint32_t n = 0; n < ROOM_FRAMES; n += 64)
        reverb_add(r, left + n, right + n, 64, 1.0f);
    free(right);
    free(r);
    return left;
}

/* Seconds for the energy that is still to come to fall by 60 dB, from the fall
   between -5 and -35 dB (M. R. Schroeder, JASA 37, 1965). */
static double decay_seconds(const float *response)
{
    double total = 0.0, rest = 0.0;
    for (uint32_t n = 1; n < ROOM_FRAMES; n++)
        total += (double)response[n] * response[n];
    uint32_t low = 0, high = 0;
    for (uint32_t n = ROOM_FRAMES - 1; n > 0; n--) {
        rest += (double)response[n] * response[n];
        if (rest < total * 3.1623e-4)
            low = n; /* -35 dB */
        if (rest < total * 0.31623)
            high = n; /* -5 dB */
    }
    return 2.0 * (low - high) / RATE;
}

static void the_room_decays_in_about_a_second(void)
{
    float *response = impulse_response();
    double seconds = decay_seconds(response);
    printf("room: %.2f s to fall by 60 dB\n", seconds);
    CHECK(response[0] == 1.0f); /* the dry sound is untouched */
    CHECK(seconds > 0.7 && seconds < 1.3);
    CHECK(peak(response + 3 * RATE, RATE) < 1e-5f);
    free(response);
}

static double power_at(const float *samples, uint32_t count, double hertz)
{
    double turn = 2 * 3.14159265358979 * hertz / RATE, re = 0.0, im = 0.0;
    double c = cos(turn), s = sin(turn), x = 1.0, y = 0.0;
    for (uint32_t n = 0; n < count; n++) {
        re += samples[n] * x;
        im += samples[n] * y;
        double next = x * c - y * s;
        y = x * s + y * c;
        x = next;
    }
    return re * re + im * im;
}

/* The tail of ideal, noise-like reverberation has peaks of about 9 dB above its
   mean; a ringing tone would stand out by 20 dB and more. */
static void the_room_does_not_ring(void)
{
    enum { FIRST = 100, BINS = 1500, AROUND = 100 };
    float *response = impulse_response();
    static double power[BINS];
    for (int i = 0; i < BINS; i++)
        power[i] = power_at(response + RATE / 5, RATE, FIRST + i);
    double worst = 0.0;
    for (int i = AROUND; i < BINS - AROUND; i++) {
        double mean = 0.0;
        for (int j = i - AROUND; j <= i + AROUND; j++)
            mean += power[j] / (2 * AROUND + 1);
        worst = fmax(worst, power[i] / mean);
    }
    printf("room: loudest tone of the tail %.1f dB above its surroundings\n",
           10 * log10(worst));
    CHECK(10 * log10(worst) < 15.0);
    free(response);
}

static void a_silent_room_holds_no_denormal_numbers(void)
{
    reverb *r = malloc(sizeof *r);
    reverb_init(r, RATE);
    float left[64] = {1.0f}, right[64] = {1.0f};
    for (uint32_t n = 0; n < 30 * RATE; n += 64) {
        reverb_add(r, left, right, 64, 0.2f);
        memset(left, 0, sizeof left);
        memset(right, 0, sizeof right);
    }
    bool normal = true;
    for (uint32_t i = 0; i < REVERB_LINES; i++) {
        normal = normal && fpclassify(r->damped[i]) != FP_SUBNORMAL;
        for (uint32_t n = 0; n < REVERB_FRAMES; n++)
            normal = normal && fpclassify(r->lines[i][n]) != FP_SUBNORMAL;
    }
    CHECK(normal);
    free(r);
}

static void the_room_fits_every_rate(void)
{
    static const int64_t RATES[] = {8000, 44100, 96000, 192000, 384000};
    for (int i = 0; i < 5; i++) {
        reverb *r = malloc(sizeof *r);
        reverb_init(r, RATES[i]);
        for (uint32_t line = 0; line < REVERB_LINES; line++)
            CHECK(r->length[line] > 0 && r->length[line] < REVERB_FRAMES
                  && r->feedback[line] < 1.0f);
        free(r);
    }
}

int main(void)
{
    RUN(the_sound_is_bit_identical_at_any_period);
    RUN(soloist_and_accompaniment_have_their_own_ports);
    RUN(stop_and_panic_leave_no_voice);
    RUN(every_voice_ends_with_its_note);
    RUN(mode_messages_of_the_soloist_leave_the_accompaniment_alone);
    RUN(a_swap_to_the_same_soundfont_is_bit_identical);
    RUN(held_notes_end_on_the_old_synth_which_then_goes);
    RUN(the_click_is_heard_above_a_chord_and_stays_below_half);
    RUN(the_room_decays_in_about_a_second);
    RUN(the_room_does_not_ring);
    RUN(a_silent_room_holds_no_denormal_numbers);
    RUN(the_room_fits_every_rate);
    return report("sound");
}
