/* The metronome: one decaying tone with two overtones, on its own port, exact to
   the frame. Pitches and accents come from the settings, one for each pulse. */

#include <math.h>

#include "core.h"

#define DECAY_SECONDS 0.035f /* time to fall to 1/e */
#define INAUDIBLE 1e-4f
#define LOUDEST 0.5f
#define TURN 6.28318530718f

void click_strike(click_voice *c, uint8_t key, uint8_t velocity, int64_t rate)
{
    c->phase = 0.0f;
    c->increment = 440.0f * exp2f(((float)key - 69.0f) / 12.0f) / (float)rate;
    c->level = LOUDEST * (float)velocity / 127.0f;
    c->decay = expf(-1.0f / (DECAY_SECONDS * (float)rate));
}

void click_render(click_voice *c, float *out, uint32_t nframes)
{
    for (uint32_t n = 0; n < nframes && c->level > INAUDIBLE; n++) {
        float turn = TURN * c->phase;
        out[n] += c->level
                * (0.5f * sinf(turn) + 0.3f * sinf(2 * turn) + 0.2f * sinf(5 * turn));
        c->level *= c->decay;
        c->phase += c->increment;
        c->phase -= (float)(c->phase >= 1.0f);
    }
}
