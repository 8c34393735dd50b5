/* The benchmark's soloist and observer: a JACK client that plays a lively solo
   without end on the port `out` and counts the xruns that the server reports.

   It is in C and does next to nothing in a cycle, so that it makes no xruns itself;
   the same program runs beside the empty server and beside everything else.

   usage: player SERVER NAME
   Prints `ready` when it plays. For each line on stdin it prints one line, the xruns
   so far; when stdin ends it leaves. */

#include <jack/jack.h>
#include <jack/midiport.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EIGHTHS_PER_SECOND 4  /* quarters at 120 a minute */
#define PHRASE 32             /* eighths: four bars */
#define WAIT_TENTHS 100       /* of a second, for the server to come up */
#define REST 0
#define VELOCITY 80

/* Four bars in C over I vi ii V; each time round it stands a fourth higher. */
static const unsigned char phrase[PHRASE] = {
    72, 76, 79, 76, 84, 79, 76, 74, 72, 69, 76, 72, 81, 76, 72, REST,
    74, 77, 81, 77, 86, 81, 77, 76, 74, 71, 79, 74, 83, 81, 79, REST};

typedef struct {
    jack_port_t *out;
    jack_nframes_t eighth;    /* frames from note to note */
    jack_nframes_t until_next; /* frames until the next note */
    unsigned step;            /* eighths since the beginning */
    unsigned char sounding;   /* the note that sounds, or REST */
    _Atomic unsigned xruns;
} player;

static void send(void *buffer, jack_nframes_t at, unsigned char status,
                 unsigned char note)
{
    unsigned char *data = jack_midi_event_reserve(buffer, at, 3);
    if (data == NULL)
        return;
    data[0] = status;
    data[1] = note;
    data[2] = VELOCITY;
}

static int process(jack_nframes_t nframes, void *argument)
{
    player *p = argument;
    void *buffer = jack_port_get_buffer(p->out, nframes);
    jack_midi_clear_buffer(buffer);
    for (; p->until_next < nframes; p->until_next += p->eighth, p->step++) {
        unsigned char note = phrase[p->step % PHRASE];
        if (p->sounding != REST)
            send(buffer, p->until_next, 0x80, p->sounding);
        if (note != REST) {
            note = (unsigned char)(note + 5 * (p->step / PHRASE) % 12 - 6);
            send(buffer, p->until_next, 0x90, note);
        }
        p->sounding = note;
    }
    p->until_next -= nframes;
    return 0;
}

static int on_xrun(void *argument)
{
    atomic_fetch_add(&((player *)argument)->xruns, 1);
    return 0;
}

static void ignore(const char *message) { (void)message; }

/* Open a client on a server that is only just starting. */
static jack_client_t *open_client(const char *server, const char *name)
{
    jack_client_t *client = NULL;
    jack_set_error_function(ignore);
    jack_set_info_function(ignore);
    for (int tenth = 0; client == NULL && tenth < WAIT_TENTHS; tenth++) {
        struct timespec pause = {.tv_nsec = 100000000};
        nanosleep(&pause, NULL);
        client = jack_client_open(name, JackServerName | JackNoStartServer, NULL,
                                  server);
    }
    return client;
}

int main(int count, char **arguments)
{
    static player p;
    jack_client_t *client =
        count == 3 ? open_client(arguments[1], arguments[2]) : NULL;
    if (client == NULL)
        return 1;
    p.eighth = jack_get_sample_rate(client) / EIGHTHS_PER_SECOND;
    p.out = jack_port_register(client, "out", JACK_DEFAULT_MIDI_TYPE,
                               JackPortIsOutput, 0);
    if (p.out == NULL || jack_set_process_callback(client, process, &p) != 0
        || jack_set_xrun_callback(client, on_xrun, &p) != 0
        || jack_activate(client) != 0)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (char line[16]; fgets(line, sizeof line, stdin) != NULL;)
        printf("%u\n", atomic_load(&p.xruns));
    jack_client_close(client);
    return 0;
}
