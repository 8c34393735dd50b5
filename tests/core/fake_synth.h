/* Stands for libfluidsynth where a test wants to see what the core asks of it. */

#ifndef FAKE_SYNTH_H
#define FAKE_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool sounding[16][128];
    uint32_t strikes;
    uint32_t releases;
    uint32_t sounds_off;     /* all_sounds_off on all channels */
    uint32_t programs[16];
    uint32_t controls[128];  /* controller messages, by number */
    uint32_t pressures;
    float level;             /* written into all four buffers, NaN allowed */
    uint32_t tail;           /* voices that sound after their keys were released */
    int values[16][128];     /* of the controllers */
    int bends[16], bend_ranges[16], channel_pressure[16];
    float parameters[16][128]; /* of the sound, by generator */
    float gain;
} fake_synth;

extern fake_synth fake, other_fake;
void *fake_synth_new(void); /* both forget what came before; returns the first */

#endif
