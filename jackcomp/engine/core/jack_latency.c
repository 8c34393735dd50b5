/* How long ago what comes in was played, and how long until what goes out is heard
   (jack.h, "Managing and determining latency"). What we generate has no past. What
   the soloist plays sounds with the next cycle, and FluidSynth begins a note up to 63
   frames late, on a grid of its own. */

#include <string.h>

#include "jack_room.h"

#define GRID_FRAMES 63u

static void widen(jack_latency_range_t *all, jack_latency_range_t one)
{
    all->min = one.min < all->min ? one.min : all->min;
    all->max = one.max > all->max ? one.max : all->max;
}

/* From midi_in and control_in to the ear: by any of our outputs that goes anywhere. */
static void set_playback(jack_host *h)
{
    jack_latency_range_t all = {.min = UINT32_MAX};
    for (uint32_t i = PORT_AUDIO; i < HOST_PORTS; i++) {
        jack_latency_range_t one;
        if (jack_port_connected(h->ports[i]) == 0)
            continue;
        jack_port_get_latency_range(h->ports[i], JackPlaybackLatency, &one);
        widen(&all, one);
    }
    all.min = all.min < all.max ? all.min : all.max;
    all.max += GRID_FRAMES;
    jack_port_set_latency_range(h->ports[PORT_MIDI_IN], JackPlaybackLatency, &all);
    jack_port_set_latency_range(h->ports[PORT_CONTROL_IN], JackPlaybackLatency, &all);
}

static void set_capture(jack_host *h)
{
    jack_latency_range_t solo, none = {0};
    jack_port_get_latency_range(h->ports[PORT_MIDI_IN], JackCaptureLatency, &solo);
    solo.max += GRID_FRAMES;
    for (uint32_t i = PORT_MIDI_OUT; i < HOST_PORTS; i++) {
        bool is_solo = i == PORT_AUDIO + AUDIO_SOLO_LEFT
                    || i == PORT_AUDIO + AUDIO_SOLO_RIGHT;
        jack_port_set_latency_range(h->ports[i], JackCaptureLatency,
                                    is_solo ? &solo : &none);
    }
}

void set_latencies(jack_latency_callback_mode_t mode, void *data)
{
    if (mode == JackPlaybackLatency)
        set_playback(data);
    else
        set_capture(data);
}

/* The latencies of any port of the graph, by its full name. */
port_latency jack_latency(uintptr_t client, const char *name)
{
    jack_port_t *port = jack_port_by_name((jack_client_t *)client, name);
    jack_latency_range_t capture = {0}, playback = {0};
    if (port != NULL) {
        jack_port_get_latency_range(port, JackCaptureLatency, &capture);
        jack_port_get_latency_range(port, JackPlaybackLatency, &playback);
    }
    return (port_latency){capture.min, capture.max, playback.min, playback.max};
}
