#include "fake_synth.h"

#include <fluidsynth.h>
#include <string.h>

fake_synth fake, other_fake;

static fake_synth *of(fluid_synth_t *s) { return (fake_synth *)s; }

void *fake_synth_new(void)
{
    memset(&fake, 0, sizeof fake);
    fake.gain = 1.0f;
    other_fake = fake;
    return &fake;
}

int fluid_synth_noteon(fluid_synth_t *s, int channel, int key, int velocity)
{
    (void)velocity;
    of(s)->sounding[channel][key] = true;
    of(s)->strikes++;
    return FLUID_OK;
}

int fluid_synth_noteoff(fluid_synth_t *s, int channel, int key)
{
    of(s)->sounding[channel][key] = false;
    of(s)->releases++;
    return FLUID_OK;
}

int fluid_synth_cc(fluid_synth_t *s, int channel, int number, int value)
{
    of(s)->controls[number]++;
    of(s)->values[channel][number] = value;
    return FLUID_OK;
}

int fluid_synth_program_change(fluid_synth_t *s, int channel, int program)
{
    of(s)->programs[channel] = (uint32_t)program;
    return FLUID_OK;
}

int fluid_synth_pitch_bend(fluid_synth_t *s, int channel, int value)
{
    of(s)->bends[channel] = value;
    return FLUID_OK;
}

int fluid_synth_channel_pressure(fluid_synth_t *s, int channel, int value)
{
    of(s)->channel_pressure[channel] = value;
    of(s)->pressures++;
    return FLUID_OK;
}

int fluid_synth_key_pressure(fluid_synth_t *s, int channel, int key, int value)
{
    (void)channel, (void)key, (void)value;
    of(s)->pressures++;
    return FLUID_OK;
}

int fluid_synth_all_notes_off(fluid_synth_t *s, int channel)
{
    memset(of(s)->sounding[channel], 0, sizeof of(s)->sounding[channel]);
    return FLUID_OK;
}

int fluid_synth_all_sounds_off(fluid_synth_t *s, int channel)
{
    (void)channel;
    memset(of(s)->sounding, 0, sizeof of(s)->sounding);
    of(s)->tail = 0;
    of(s)->sounds_off++;
    return FLUID_OK;
}

int fluid_synth_get_active_voice_count(fluid_synth_t *s)
{
    uint32_t count = of(s)->tail;
    for (int i = 0; i < 16 * 128; i++)
        count += of(s)->sounding[i / 128][i % 128];
    return (int)count;
}

int fluid_synth_get_cc(fluid_synth_t *s, int channel, int number, int *value)
{
    *value = of(s)->values[channel][number];
    return FLUID_OK;
}

int fluid_synth_get_program(fluid_synth_t *s, int channel, int *font, int *bank,
                            int *program)
{
    *font = *bank = 0;
    *program = (int)of(s)->programs[channel];
    return FLUID_OK;
}

int fluid_synth_get_pitch_bend(fluid_synth_t *s, int channel, int *bend)
{
    *bend = of(s)->bends[channel];
    return FLUID_OK;
}

int fluid_synth_get_pitch_wheel_sens(fluid_synth_t *s, int channel, int *range)
{
    *range = of(s)->bend_ranges[channel];
    return FLUID_OK;
}

int fluid_synth_pitch_wheel_sens(fluid_synth_t *s, int channel, int range)
{
    of(s)->bend_ranges[channel] = range;
    return FLUID_OK;
}

float fluid_synth_get_gen(fluid_synth_t *s, int channel, int number)
{
    return of(s)->parameters[channel][number];
}

int fluid_synth_set_gen(fluid_synth_t *s, int channel, int number, float value)
{
    of(s)->parameters[channel][number] = value;
    return FLUID_OK;
}

float fluid_synth_get_gain(fluid_synth_t *s) { return of(s)->gain; }

void fluid_synth_set_gain(fluid_synth_t *s, float gain) { of(s)->gain = gain; }

int fluid_synth_process(fluid_synth_t *s, int frames, int effects, float *fx[],
                        int buffers, float *out[])
{
    (void)effects, (void)fx;
    for (int i = 0; i < buffers; i++)
        for (int n = 0; n < frames; n++)
            out[i][n] += of(s)->level;
    return FLUID_OK;
}

fluid_log_function_t fluid_set_log_function(int level, fluid_log_function_t log,
                                            void *data)
{
    (void)level, (void)log, (void)data;
    return NULL;
}
