/* The JACK host: a thin caller of the cycle. Python opens the client and
   registers the ports; the callbacks are installed here, in C, before the client
   is activated (JACK refuses them later). */

#include <jack/midiport.h>
#include <stdlib.h>

#include "jack_room.h"

#define THINKING_NS INT64_C(5000000000) /* longest wait while JACK freewheels */

/* JACK counts frames in 32 bits and wraps after a day: add the difference. After the
   server has come back we go on where the engine was. */
static void count_frames(jack_host *h, jack_nframes_t now)
{
    if (!h->begun) {
        int64_t before = atomic_load(&h->engine->last_frame);
        h->frame = before > 0 ? before : now;
        h->begun = true;
    } else
        h->frame += (int32_t)(now - h->last);
    h->last = now;
}

static uint32_t read_midi(jack_port_t *port, jack_nframes_t nframes, midi_message *to)
{
    void *buffer = jack_port_get_buffer(port, nframes);
    uint32_t waiting = jack_midi_get_event_count(buffer), n = 0;
    for (uint32_t i = 0; i < waiting && n < MAX_MIDI; i++) {
        jack_midi_event_t m;
        if (jack_midi_event_get(&m, buffer, i) != 0 || m.size == 0 || m.size > 3)
            continue;
        to[n] = (midi_message){.frame = m.time, .size = (uint8_t)m.size};
        for (size_t b = 0; b < m.size; b++)
            to[n].bytes[b] = m.buffer[b];
        n++;
    }
    return n;
}

static void write_midi(jack_host *h, jack_nframes_t nframes, const cycle_io *io)
{
    void *buffer = jack_port_get_buffer(h->ports[PORT_MIDI_OUT], nframes);
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
    count_frames(h, jack_last_frame_time(h->client));
    cycle_io io = {.frame = h->frame, .nframes = nframes, .midi_in = h->heard,
                   .midi_in_count =
                       read_midi(h->ports[PORT_MIDI_IN], nframes, h->heard),
                   .control_in = h->control,
                   .control_in_count =
                       read_midi(h->ports[PORT_CONTROL_IN], nframes, h->control),
                   .midi_out = h->sent, .midi_out_capacity = MAX_MIDI};
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        io.audio[i] = jack_port_get_buffer(h->ports[PORT_AUDIO + i], nframes);
    read_transport(h, &io);
    h->cycle(h->engine, &io);
    write_midi(h, nframes, &io);
    start_transport(h, nframes);
    uint64_t period_ns = (uint64_t)nframes * 1000000000u / (uint64_t)h->engine->rate;
    /* Nobody listens while it freewheels: what is exported waits for every decision. */
    if (atomic_load(&h->freewheels))
        h->await(h->engine, THINKING_NS);
    else
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

static void on_freewheel(int starting, void *data)
{
    atomic_store(&((jack_host *)data)->freewheels, starting != 0);
}

static void on_shutdown(void *data)
{
    jack_host *h = data;
    atomic_store(&h->gone, 1);
    sem_post(&h->engine->wake);
}

static uint32_t number_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % BIRTHS;
}

/* A port that goes and comes between two looks is another one. */
static void on_port(jack_port_id_t id, int registered, void *data)
{
    jack_host *h = data;
    jack_port_t *port = registered ? jack_port_by_id(h->client, id) : NULL;
    if (port != NULL)
        COUNT(h->births[number_of(jack_port_name(port))]);
    COUNT(h->changes);
}

/* A keyboard that is unplugged holds its notes for ever; JACK has merged the
   sources, so we cannot know which were its own: all are released. */
static void on_connection(jack_port_id_t from, jack_port_id_t to, int connected,
                          void *data)
{
    (void)from;
    jack_host *h = data;
    if (!connected && jack_port_by_id(h->client, to) == h->ports[PORT_MIDI_IN])
        COUNT(h->engine->solo_asked);
    COUNT(h->changes);
}

static bool install(jack_host *h)
{
    jack_client_t *c = h->client;
    jack_on_shutdown(c, on_shutdown, h);
    return jack_set_process_callback(c, process, h) == 0
        && jack_set_buffer_size_callback(c, on_period, h) == 0
        && jack_set_xrun_callback(c, on_xrun, h) == 0
        && jack_set_freewheel_callback(c, on_freewheel, h) == 0
        && jack_set_latency_callback(c, set_latencies, h) == 0
        && jack_set_port_registration_callback(c, on_port, h) == 0
        && jack_set_port_connect_callback(c, on_connection, h) == 0;
}

/* Install the callbacks on a client that is not active yet; null if JACK or the
   memory refuses. `ports` has HOST_PORTS ports: midi_in, control_in, midi_out, and
   the audio ports in AUDIO_ order. */
jack_host *jack_host_new(uintptr_t client, const uintptr_t *ports, uintptr_t core,
                         uintptr_t cycle, uintptr_t measure, uintptr_t await)
{
    jack_host *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->client = (jack_client_t *)client;
    for (uint32_t i = 0; i < HOST_PORTS; i++)
        h->ports[i] = (jack_port_t *)ports[i];
    h->engine = (engine *)core;
    h->cycle = (cycle_function *)cycle;
    h->measure = (measure_function *)measure;
    h->await = (await_function *)await;
    atomic_store(&h->period, jack_get_buffer_size(h->client));
    if (!install(h)) {
        free(h);
        return NULL;
    }
    return h;
}

/* Only after the client was deactivated or closed. */
void jack_host_free(jack_host *h) { free(h); }

uint32_t jack_host_period(jack_host *h) { return atomic_load(&h->period); }

bool jack_host_is_gone(jack_host *h) { return atomic_load(&h->gone) != 0; }

/* Rises whenever a port of the graph comes, goes, or is connected otherwise. */
uint32_t jack_host_changes(jack_host *h) { return atomic_load(&h->changes); }

/* How often a port of that name has appeared, at least: another number, another port. */
uint32_t jack_host_births(jack_host *h, const char *name)
{
    return atomic_load(&h->births[number_of(name)]);
}

/* Beats in a bar of the timebase master that is not we; 0 if there is none. */
uint32_t jack_host_foreign_beats(jack_host *h)
{
    return atomic_load(&h->foreign_beats);
}
