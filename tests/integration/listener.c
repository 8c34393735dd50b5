/* A JACK client that writes down, to the frame, when something begins: each note-on
   at its MIDI port, and each sound at its audio port after silence.

   It is in C, and keeps all in memory until the end, so that it loses nothing.

   usage: listener SERVER MIDI_SOURCE AUDIO_SOURCE
   Prints `ready` once it is connected. When stdin ends it prints a line for each event:
   `note FRAME STATUS KEY`, `sound FRAME`, and `lost FRAME FRAMES` where JACK has called
   it too late, from the first frame that it has not heard on. */

#include <jack/jack.h>
#include <jack/midiport.h>
#include <stdbool.h>
#include <stdio.h>

#define MOST_EVENTS 262144u
#define SILENCE 64u /* a wave may pass through zero */

typedef struct {
    enum { NOTE, SOUND, LOST } kind;
    jack_nframes_t frame;
    unsigned first, second; /* status and key, or how many frames */
} heard_event;

typedef struct {
    jack_client_t *client;
    jack_port_t *midi, *audio;
    heard_event events[MOST_EVENTS];
    unsigned count;
    jack_nframes_t next; /* frame that is due; meaningless before the first cycle */
    bool begun;
    unsigned silent;     /* samples of silence until now */
} listener;

static void keep(listener *l, heard_event event)
{
    if (l->count < MOST_EVENTS)
        l->events[l->count++] = event;
}

static void hear_midi(listener *l, jack_nframes_t now, jack_nframes_t nframes)
{
    void *buffer = jack_port_get_buffer(l->midi, nframes);
    jack_midi_event_t m;
    for (uint32_t i = 0; jack_midi_event_get(&m, buffer, i) == 0; i++)
        if (m.size == 3 && (m.buffer[0] & 0xF0) == 0x90)
            keep(l, (heard_event){NOTE, now + m.time, m.buffer[0], m.buffer[1]});
}

static void hear_audio(listener *l, jack_nframes_t now, jack_nframes_t nframes)
{
    const float *samples = jack_port_get_buffer(l->audio, nframes);
    for (jack_nframes_t n = 0; n < nframes; n++) {
        if (l->silent >= SILENCE && samples[n] != 0.0f)
            keep(l, (heard_event){SOUND, now + n, 0, 0});
        l->silent = samples[n] == 0.0f ? l->silent + 1 : 0;
    }
}

static int process(jack_nframes_t nframes, void *data)
{
    listener *l = data;
    jack_nframes_t now = jack_last_frame_time(l->client);
    if (l->begun && now != l->next)
        keep(l, (heard_event){LOST, l->next, now - l->next, 0});
    hear_midi(l, now, nframes);
    hear_audio(l, now, nframes);
    l->begun = true;
    l->next = now + nframes;
    return 0;
}

static bool join(listener *l, char **arguments)
{
    l->client = jack_client_open("listener", JackServerName | JackNoStartServer, NULL,
                                 arguments[1]);
    if (l->client == NULL)
        return false;
    l->midi = jack_port_register(l->client, "midi", JACK_DEFAULT_MIDI_TYPE,
                                 JackPortIsInput, 0);
    l->audio = jack_port_register(l->client, "audio", JACK_DEFAULT_AUDIO_TYPE,
                                  JackPortIsInput, 0);
    return l->midi != NULL && l->audio != NULL
        && jack_set_process_callback(l->client, process, l) == 0
        && jack_activate(l->client) == 0
        && jack_connect(l->client, arguments[2], jack_port_name(l->midi)) == 0
        && jack_connect(l->client, arguments[3], jack_port_name(l->audio)) == 0;
}

static void print(const heard_event *e)
{
    if (e->kind == NOTE)
        printf("note %u %u %u\n", e->frame, e->first, e->second);
    else if (e->kind == SOUND)
        printf("sound %u\n", e->frame);
    else
        printf("lost %u %u\n", e->frame, e->first);
}

int main(int count, char **arguments)
{
    static listener l = {.silent = SILENCE};
    if (count != 4 || !join(&l, arguments))
        return 1;
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    jack_client_close(l.client);
    for (unsigned i = 0; i < l.count; i++)
        print(&l.events[i]);
    return l.count == MOST_EVENTS;
}
