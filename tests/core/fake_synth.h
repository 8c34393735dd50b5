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
    int bend;
    uint32_t pressures;
    float level;             /* written into all four buffers, NaN allowed */
} fake_synth;

extern fake_synth fake;
void *fake_synth_new(void); /* forgets what came before */

#endif
