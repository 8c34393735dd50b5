/* The JACK host as Python sees it; the pointers come from two other bindings
   (JACK-Client and the core), so they travel as integers. */

#ifndef JACKCOMP_JACK_HOST_H
#define JACKCOMP_JACK_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "bbt.h"

#define HOST_PORTS 8 /* midi_in, control_in, midi_out, and the audio ports */

typedef struct jack_host jack_host;

/* What a port adds to the way of the sound, in frames. */
typedef struct {
    uint32_t capture_min, capture_max, playback_min, playback_max;
} port_latency;

jack_host *jack_host_new(uintptr_t client, const uintptr_t *ports, uintptr_t core,
                         uintptr_t cycle, uintptr_t measure, uintptr_t await);
void jack_host_free(jack_host *h);
uint32_t jack_host_period(jack_host *h);
bool jack_host_is_gone(jack_host *h);
uint32_t jack_host_changes(jack_host *h);
uint32_t jack_host_births(jack_host *h, const char *name);
uint32_t jack_host_foreign_beats(jack_host *h);
int jack_host_lead(jack_host *h);
port_latency jack_latency(uintptr_t client, const char *port);

#endif
