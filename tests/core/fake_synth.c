#include "fake_synth.h"

#include <fluidsynth.h>
#include <string.h>

fake_synth fake;

void *fake_synth_new(void)
{
    memset(&fake, 0, sizeof fake);
    return &fake;
}

int fluid_synth_noteon(fluid_synth_t *s, int channel, int key, int velocity)
{
    (void)s, (void)velocity;
    fake.sounding[channel][key] = true;
    fake.strikes++;
    return FLUID_OK;
}

int fluid_synth_noteoff(fluid_synth_t *s, int channel, int key)
{
    (void)s;
    fake.sounding[channel][key] = false;
    fake.releases++;
    return FLUID_OK;
}

int fluid_synth_cc(fluid_synth_t *s, int channel, int number, int value)
{
    (void)s, (void)channel, (void)value;
    fake.controls[number]++;
    return FLUID_OK;
}

int fluid_synth_program_change(fluid_synth_t *s, int channel, int program)
{
    (void)s;
    fake.programs[channel] = (uint32_t)program;
    return FLUID_OK;
}

int fluid_synth_pitch_bend(fluid_synth_t *s, int channel, int value)
{
    (void)s, (void)channel;
    fake.bend = value;
    return FLUID_OK;
}

int fluid_synth_channel_pressure(fluid_synth_t *s, int channel, int value)
{
    (void)s, (void)channel, (void)value;
    fake.pressures++;
    return FLUID_OK;
}

int fluid_synth_key_pressure(fluid_synth_t *s, int channel, int key, int value)
{
    (void)s, (void)channel, (void)key, (void)value;
    fake.pressures++;
    return FLUID_OK;
}

int fluid_synth_all_notes_off(fluid_synth_t *s, int channel)
{
    (void)s;
    memset(fake.sounding[channel], 0, sizeof fake.sounding[channel]);
    return FLUID_OK;
}

int fluid_synth_all_sounds_off(fluid_synth_t *s, int channel)
{
    (void)s, (void)channel;
    memset(fake.sounding, 0, sizeof fake.sounding);
    fake.sounds_off++;
    return FLUID_OK;
}

int fluid_synth_process(fluid_synth_t *s, int frames, int effects, float *fx[],
                        int buffers, float *out[])
{
    (void)s, (void)effects, (void)fx;
    for (int i = 0; i < buffers; i++)
        for (int n = 0; n < frames; n++)
            out[i][n] += fake.level;
    return FLUID_OK;
}

fluid_log_function_t fluid_set_log_function(int level, fluid_log_function_t log,
                                            void *data)
{
    (void)level, (void)log, (void)data;
    return NULL;
}
