/* The synth that plays, and the one before it while it rings out.

   When the player changes the SoundFont, another thread loads a spare synth and
   offers it; a cycle takes it over together with the state of each channel. What
   sounds then stays with the old one, which hears every release and every controller
   until it is silent, and goes back to the other thread to be freed. */

#include "core.h"

#define FIRST_CHANNEL_MESSAGE 120 /* from here on no controllers but commands */
#define FIRST_MODE_MESSAGE 124    /* FluidSynth changes and silences all channels */
#define RESET_CONTROLLERS 121
#define REHEARSED_FRAMES 4096     /* as many as FluidSynth renders at once */
#define RING_SECONDS 5 /* that an old synth may ring on while the next one waits */
#define FADE_SECONDS 0.2f

/* Channel data that FluidSynth reads as one value with what came before: not
   controllers of their own. What they have set is carried over by `carry_tuning`. */
static bool is_data_entry(int number)
{
    return number == 6 || number == 38 || (number >= 96 && number <= 99);
}

static bool is_bank(int number) { return number == 0 || number == 32; }

static void carry_controllers(fluid_synth_t *from, fluid_synth_t *to, int channel)
{
    for (int number = 0; number < FIRST_CHANNEL_MESSAGE; number++) {
        int value, fresh;
        if (is_data_entry(number) || is_bank(number)
            || fluid_synth_get_cc(from, channel, number, &value) != FLUID_OK
            || fluid_synth_get_cc(to, channel, number, &fresh) != FLUID_OK)
            continue;
        if (value != fresh)
            fluid_synth_cc(to, channel, number, value);
    }
}

/* What registered and other parameters have set: tuning, filter, bend range. */
static void carry_tuning(fluid_synth_t *from, fluid_synth_t *to, int channel)
{
    for (int number = 0; number < GEN_LAST; number++) {
        float value = fluid_synth_get_gen(from, channel, number);
        if (value != fluid_synth_get_gen(to, channel, number))
            fluid_synth_set_gen(to, channel, number, value);
    }
    int range, bend;
    if (fluid_synth_get_pitch_wheel_sens(from, channel, &range) == FLUID_OK)
        fluid_synth_pitch_wheel_sens(to, channel, range);
    if (fluid_synth_get_pitch_bend(from, channel, &bend) == FLUID_OK)
        fluid_synth_pitch_bend(to, channel, bend);
}

static void carry_channel(fluid_synth_t *from, fluid_synth_t *to, int channel)
{
    int font, bank, program;
    if (fluid_synth_get_program(from, channel, &font, &bank, &program) == FLUID_OK)
        fluid_synth_program_change(to, channel, program);
    carry_controllers(from, to, channel);
    carry_tuning(from, to, channel);
}

static void carry_channels(const engine *e, fluid_synth_t *next)
{
    if (e->synth == NULL || next == NULL)
        return;
    carry_channel(e->synth, next, SOLO_CHANNEL);
    for (int part = 0; part < PART_CLICK; part++)
        carry_channel(e->synth, next, PART_CHANNEL(part));
    /* FluidSynth does not tell it. */
    fluid_synth_channel_pressure(next, SOLO_CHANNEL, e->pressure);
}

static void take_over(engine *e, fluid_synth_t *next)
{
    carry_channels(e, next);
    e->leaving = e->synth;
    e->leaving_gain = e->leaving != NULL ? fluid_synth_get_gain(e->leaving) : 0.0f;
    e->left_frame = e->cycle_frame;
    e->synth = next;
    COUNT(e->swaps);
    sem_post(&e->swapped);
}

/* The next synth waits: the old one has had its time and fades away. */
static void hurry(engine *e)
{
    int64_t over = e->cycle_frame - e->left_frame - RING_SECONDS * e->rate;
    if (over < 0)
        return;
    float left = 1.0f - (float)over / (FADE_SECONDS * (float)e->rate);
    if (left > 0.0f)
        fluid_synth_set_gain(e->leaving, left * e->leaving_gain);
    else
        fluid_synth_all_sounds_off(e->leaving, -1);
}

/* Give the old synth back once it is silent; false while it is not. */
static bool part_with_the_old(engine *e)
{
    if (e->leaving == NULL)
        return true;
    if (fluid_synth_get_active_voice_count(e->leaving) > 0
        || atomic_load_explicit(&e->departed, memory_order_acquire) != NULL)
        return false;
    atomic_store_explicit(&e->departed, e->leaving, memory_order_release);
    e->leaving = NULL;
    sem_post(&e->swapped);
    return true;
}

/* At the start of a cycle: one synth comes, or one goes. */
void sound_change(engine *e)
{
    bool waits = atomic_load_explicit(&e->arriving, memory_order_relaxed) != NULL;
    if (!part_with_the_old(e)) {
        if (waits)
            hurry(e);
        return;
    }
    if (!waits || e->stopped)
        return;
    fluid_synth_t *next = atomic_exchange_explicit(&e->arriving, NULL,
                                                   memory_order_acquire);
    if (next != NULL) /* it may have been withdrawn */
        take_over(e, next);
}

/* A key that is struck anew ends where it still sounds, as within one synth. */
void sound_on(engine *e, int channel, int key, int velocity)
{
    if (e->synth != NULL)
        fluid_synth_noteon(e->synth, channel, key, velocity);
    if (e->leaving != NULL)
        fluid_synth_noteoff(e->leaving, channel, key);
}

void sound_off(engine *e, int channel, int key)
{
    if (e->synth != NULL)
        fluid_synth_noteoff(e->synth, channel, key);
    if (e->leaving != NULL)
        fluid_synth_noteoff(e->leaving, channel, key);
}

/* What the soloist does besides notes; mode messages would reach all channels. */
static void send_gesture(fluid_synth_t *synth, uint8_t status, int key, int value)
{
    if (status == 0xB0)
        fluid_synth_cc(synth, SOLO_CHANNEL, key, value);
    else if (status == 0xE0)
        fluid_synth_pitch_bend(synth, SOLO_CHANNEL, key | value << 7);
    else if (status == 0xD0)
        fluid_synth_channel_pressure(synth, SOLO_CHANNEL, key);
    else if (status == 0xA0)
        fluid_synth_key_pressure(synth, SOLO_CHANNEL, key, value);
}

void sound_gesture(engine *e, uint8_t status, int key, int value)
{
    if (status == 0xB0 && (is_bank(key) || key >= FIRST_MODE_MESSAGE))
        return;
    if (status == 0xD0)
        e->pressure = (uint8_t)key;
    if (status == 0xB0 && key == RESET_CONTROLLERS)
        e->pressure = 0;
    if (e->synth != NULL)
        send_gesture(e->synth, status, key, value);
    if (e->leaving != NULL)
        send_gesture(e->leaving, status, key, value);
}

static void release_all(fluid_synth_t *synth)
{
    fluid_synth_cc(synth, SOLO_CHANNEL, 64, 0);
    fluid_synth_all_notes_off(synth, SOLO_CHANNEL);
}

void sound_release_solo(engine *e)
{
    if (e->synth != NULL)
        release_all(e->synth);
    if (e->leaving != NULL)
        release_all(e->leaving);
}

void sound_silence(engine *e)
{
    if (e->synth != NULL)
        fluid_synth_all_sounds_off(e->synth, -1);
    if (e->leaving != NULL)
        fluid_synth_all_sounds_off(e->leaving, -1);
}

/* Adds to the buffers: left and right of the soloist, then of the accompaniment. */
void sound_render(engine *e, float *groups[4], uint32_t nframes)
{
    if (e->synth != NULL)
        fluid_synth_process(e->synth, (int)nframes, 0, NULL, 4, groups);
    if (e->leaving != NULL)
        fluid_synth_process(e->leaving, (int)nframes, 0, NULL, 4, groups);
}

/* Play with another synth at once, and let nothing ring; while no cycle runs. */
void sound_replace(engine *e, fluid_synth_t *next)
{
    carry_channels(e, next);
    e->synth = next;
    e->leaving = NULL;
    atomic_store(&e->arriving, NULL);
    atomic_store(&e->departed, NULL);
}

/* ---- for the thread that loads SoundFonts ---- */

/* Offer a synth to the next cycle, or null to withdraw what was offered; return the
   one that no cycle has taken, to be freed. */
void *engine_offer_synth(engine *e, void *synth)
{
    return atomic_exchange_explicit(&e->arriving, synth, memory_order_acq_rel);
}

/* The receipt: a synth that no cycle will touch again, or null. */
void *engine_departed_synth(engine *e)
{
    return atomic_exchange_explicit(&e->departed, NULL, memory_order_acq_rel);
}

/* Sleep until a synth has come or gone, or until somebody calls. */
void engine_wait_swap(engine *e)
{
    while (sem_wait(&e->swapped) != 0) /* interrupted by a signal */
        ;
}

void engine_wake_swap(engine *e) { sem_post(&e->swapped); }

/* Render silence, so that no cycle is the first to touch a new synth's memory. The
   samples and voices were touched when they were made. */
void synth_rehearse(void *synth)
{
    float silence[4][REHEARSED_FRAMES] = {{0}};
    float *groups[4] = {silence[0], silence[1], silence[2], silence[3]};
    fluid_synth_process(synth, REHEARSED_FRAMES, 0, NULL, 4, groups);
}
