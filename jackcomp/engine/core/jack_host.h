/* The JACK host as Python sees it; the pointers come from two other bindings
   (JACK-Client and the core), so they travel as integers. */

#ifndef JACKCOMP_JACK_HOST_H
#define JACKCOMP_JACK_HOST_H

#include <stdbool.h>
#include <stdint.h>

typedef struct jack_host jack_host;

jack_host *jack_host_new(uintptr_t client, uintptr_t midi_in, uintptr_t midi_out,
                         const uintptr_t *audio, uintptr_t core, uintptr_t cycle,
                         uintptr_t measure);
void jack_host_free(jack_host *h);
uint32_t jack_host_period(jack_host *h);
bool jack_host_is_gone(jack_host *h);

#endif
