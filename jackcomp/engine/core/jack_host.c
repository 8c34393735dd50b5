/* The JACK host: a thin caller of the cycle. Python opens the client and
   registers the ports; the callbacks are installed here, in C, before the client
   is activated (JACK refuses them later). */

#include <jack/jack.h>
#include <jack/midiport.h>
#include <stdlib.h>

#include "core.h"
#include "jack_host.h"

#define MAX_MIDI 512u /* messages in one cycle, each way */

typedef void cycle_function(engine *, cycle_io *);
typedef void measure_function(engine *, uint64_t, uint64_t);

struct jack_host {
    jack_client_t *client;
    jack_port_t *midi_in, *midi_out;
    jack_port_t *audio[AUDIO_PORTS];
    engine *engine;
    cycle_function *cycle;
    measure_function *measure;
    bool begun;               /* a first cycle has run */
    int64_t frame;            /* JACK's 32-bit frame counter, widened */
    midi_message heard[MAX_MIDI];
    midi_message sent[MAX_MIDI];
    _Atomic uint32_t period;  /* frames, for Python to read */
    _Atomic uint32_t gone;    /* the server has shut us down */
};

/* JACK counts frames in 32 bits and wraps after a day: add the difference. */
static int64_t widen(jack_host *h, jack_nframes_t now)
{
    if (!h->begun) {
        h->begun = true;
        h->frame = now;
    }
    h->frame += (int32_t)(now - (jack_nframes_t)h->frame);
    return h->frame;
}

static uint32_t read_midi(jack_host *h, jack_nframes_t nframes)
{
    void *buffer = jack_port_get_buffer(h->midi_in, nframes);
    uint32_t waiting = jack_midi_get_event_count(buffer), n = 0;
    for (uint32_t i = 0; i < waiting && n < MAX_MIDI; i++) {
        jack_midi_event_t m;
        if (jack_midi_event_get(&m, buffer, i) != 0 || m.size == 0 || m.size > 3)
            continue;
        midi_message *to = &h->heard[n++];
        *to = (midi_message){.frame = m.time, .size = (uint8_t)m.size};
        for (size_t b = 0; b < m.size; b++)
            to->bytes[b] = m.buffer[b];
    }
    return n;
}

static void write_midi(jack_host *h, jack_nframes_t nframes, const cycle_io *io)
{
    void *buffer = jack_port_get_buffer(h->midi_out, nframes);
    jack_midi_clear_buffer(buffer);
    for (uint32_t i = 0; i < io->midi_out_count; i++) {
        const midi_message *m = &io->midi_out[i];
        if (jack_midi_event_write(buffer, m->frame, m->bytes, m->size) != 0)
            COUNT(h->engine->midi_out_lost);
    }
}

static int process(jack_nframes_t nframes, void *data)
{
    jack_host *h = data;
    jack_time_t woke = jack_get_time();
    cycle_io io = {.frame = widen(h, jack_last_frame_time(h->client)),
                   .nframes = nframes, .midi_in = h->heard,
                   .midi_in_count = read_midi(h, nframes), .midi_out = h->sent,
                   .midi_out_capacity = MAX_MIDI};
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        io.audio[i] = jack_port_get_buffer(h->audio[i], nframes);
    jack_position_t position;
    io.transport_rolling =
        jack_transport_query(h->client, &position) == JackTransportRolling;
    io.transport_frame = position.frame;
    h->cycle(h->engine, &io);
    write_midi(h, nframes, &io);
    uint64_t period_ns = (uint64_t)nframes * 1000000000u / (uint64_t)h->engine->rate;
    h->measure(h->engine, (jack_get_time() - woke) * 1000, period_ns);
    return 0;
}

static int on_period(jack_nframes_t nframes, void *data)
{
    atomic_store(&((jack_host *)data)->period, nframes);
    return 0;
}

static int on_xrun(void *data)
{
    COUNT(((jack_host *)data)->engine->xruns);
    return 0;
}

static void on_shutdown(void *data)
{
    jack_host *h = data;
    atomic_store(&h->gone, 1);
    sem_post(&h->engine->wake);
}

/* Install the callbacks on a client that is not active yet; null if JACK or the
   memory refuses. `audio` has AUDIO_PORTS ports. */
jack_host *jack_host_new(uintptr_t client, uintptr_t midi_in, uintptr_t midi_out,
                         const uintptr_t *audio, uintptr_t core, uintptr_t cycle,
                         uintptr_t measure)
{
    jack_host *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->client = (jack_client_t *)client;
    h->midi_in = (jack_port_t *)midi_in;
    h->midi_out = (jack_port_t *)midi_out;
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        h->audio[i] = (jack_port_t *)audio[i];
    h->engine = (engine *)core;
    h->cycle = (cycle_function *)cycle;
    h->measure = (measure_function *)measure;
    atomic_store(&h->period, jack_get_buffer_size(h->client));
    if (jack_set_process_callback(h->client, process, h) != 0
        || jack_set_buffer_size_callback(h->client, on_period, h) != 0
        || jack_set_xrun_callback(h->client, on_xrun, h) != 0) {
        free(h);
        return NULL;
    }
    jack_on_shutdown(h->client, on_shutdown, h);
    return h;
}

/* Only after the client was deactivated or closed. */
void jack_host_free(jack_host *h) { free(h); }

uint32_t jack_host_period(jack_host *h) { return atomic_load(&h->period); }

bool jack_host_is_gone(jack_host *h) { return atomic_load(&h->gone) != 0; }
