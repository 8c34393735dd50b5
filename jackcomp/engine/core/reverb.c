/* A small stereo room: eight delay lines that feed each other through a
   Householder matrix, each with a one-pole low-pass (J.-M. Jot, "Digital Delay
   Networks for Designing Artificial Reverberators", AES 1991). FluidSynth's own
   effects are off: Debian's build runs them through OpenMP, which allocates and
   waits in every block. */

#include <math.h>
#include <string.h>

#include "core.h"

#define DECAY_SECONDS 1.1f   /* time to fall by 60 dB */
#define DAMPING 0.35f        /* share of the previous sample: duller is higher */
#define QUIET 1e-15f         /* keeps the lines out of denormal numbers */

/* Mutually prime delays at 48 kHz, 30 to 61 ms: a practice room. */
static const uint32_t LENGTHS_48K[REVERB_LINES] = {
    1447, 1663, 1871, 2053, 2251, 2473, 2687, 2927};

void reverb_init(reverb *r, int64_t rate)
{
    memset(r, 0, sizeof *r);
    r->damping = DAMPING;
    for (uint32_t i = 0; i < REVERB_LINES; i++) {
        uint32_t length = (uint32_t)((int64_t)LENGTHS_48K[i] * rate / 48000);
        r->length[i] = length < REVERB_FRAMES ? length : REVERB_FRAMES - 1;
        r->feedback[i] =
            powf(10.0f, -3.0f * (float)r->length[i] / (DECAY_SECONDS * (float)rate));
    }
}

/* Add the room to the dry signal, in place. Each line is a ring of its own length and
   is written where it was read, so that a cycle touches as little memory as it can. */
void reverb_add(reverb *r, float *left, float *right, uint32_t nframes, float send)
{
    for (uint32_t n = 0; n < nframes; n++) {
        float tap[REVERB_LINES], sum = 0.0f;
        for (uint32_t i = 0; i < REVERB_LINES; i++) {
            float fresh = r->lines[i][r->position[i]];
            r->damped[i] = fresh + r->damping * (r->damped[i] - fresh);
            tap[i] = r->damped[i] * r->feedback[i];
            sum += tap[i];
        }
        float in[2] = {send * left[n] + QUIET, send * right[n] + QUIET};
        float wet[2] = {0.0f, 0.0f};
        for (uint32_t i = 0; i < REVERB_LINES; i++) {
            r->lines[i][r->position[i]] = in[i & 1] + tap[i] - 0.25f * sum;
            if (++r->position[i] == r->length[i])
                r->position[i] = 0;
            wet[i & 1] += (i & 2) ? -tap[i] : tap[i];
        }
        left[n] += 0.5f * wet[0];
        right[n] += 0.5f * wet[1];
    }
}
