/* The benchmark's soloist and observer: a JACK client that plays a score, over and
   over, on the port `out`, and watches the server.

   It is in C and does next to nothing in a cycle, so that it makes no xruns itself;
   the same program runs beside the empty server and beside everything else.

   usage: player SERVER NAME SCORE
   The score is text: first the frames until it begins anew, then a line for each
   message: its frame, and its two or three bytes in decimal, with 0 for a missing one.
   Prints `ready` when it is in the graph. To each line on stdin it answers with one:

     play          play from the beginning; `ok`
     connect PORT  connect `out` to a port; `ok`, or `no` if JACK refuses
     look          xruns that the server has reported, frames played, and the load of
                   the whole graph in percent

   When stdin ends it leaves. */

#include <jack/jack.h>
#include <jack/midiport.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MOST_MESSAGES 65536u
#define WAIT_TENTHS 100 /* of a second, for the server to come up */

typedef struct {
    int64_t frame;
    unsigned char bytes[3];
    unsigned char size;
} message;

typedef struct {
    jack_port_t *out;
    message score[MOST_MESSAGES];
    unsigned count;
    int64_t length;           /* frames until the score begins anew */
    int64_t position;         /* where in it the next message is looked for */
    unsigned next;            /* message */
    _Atomic unsigned wanted;  /* how often `play` was asked for */
    unsigned begun;           /* how often it was done; 0 is silent */
    _Atomic int64_t played;   /* frames since the last `play` */
    _Atomic unsigned xruns;
} player;

static bool read_score(player *p, const char *path)
{
    FILE *file = fopen(path, "r");
    bool is_good = file != NULL && fscanf(file, "%" SCNd64, &p->length) == 1;
    message *m = p->score;
    while (is_good && p->count < MOST_MESSAGES
           && fscanf(file, "%" SCNd64 " %hhu %hhu %hhu", &m->frame, &m->bytes[0],
                     &m->bytes[1], &m->bytes[2]) == 4) {
        m->size = (m->bytes[0] & 0xE0) == 0xC0 ? 2 : 3;
        is_good = m->frame < p->length;
        m++, p->count++;
    }
    is_good = is_good && feof(file) && p->count > 0;
    if (file != NULL)
        fclose(file);
    return is_good;
}

static int process(jack_nframes_t nframes, void *argument)
{
    player *p = argument;
    void *buffer = jack_port_get_buffer(p->out, nframes);
    jack_midi_clear_buffer(buffer);
    unsigned wanted = atomic_load(&p->wanted);
    if (wanted != p->begun) {
        p->begun = wanted;
        p->position = p->next = 0;
        atomic_store(&p->played, 0);
    }
    if (p->begun == 0)
        return 0;
    for (unsigned sent = 0; sent < p->count; sent++) {
        const message *m = &p->score[p->next];
        if (m->frame >= p->position + nframes)
            break;
        jack_midi_event_write(buffer, (jack_nframes_t)(m->frame - p->position),
                              m->bytes, m->size);
        if (++p->next == p->count) {
            p->next = 0;
            p->position -= p->length; /* below zero until it begins anew */
        }
    }
    p->position += nframes;
    atomic_fetch_add(&p->played, nframes);
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

static void answer(player *p, jack_client_t *client, const char *line)
{
    char port[256];
    if (strcmp(line, "play\n") == 0) {
        atomic_fetch_add(&p->wanted, 1);
        puts("ok");
    } else if (sscanf(line, "connect %255[^\n]", port) == 1)
        puts(jack_connect(client, jack_port_name(p->out), port) == 0 ? "ok" : "no");
    else
        printf("%u %" PRId64 " %.3f\n", atomic_load(&p->xruns),
               atomic_load(&p->played), (double)jack_cpu_load(client));
}

int main(int count, char **arguments)
{
    static player p;
    if (count != 4 || !read_score(&p, arguments[3]))
        return 2;
    jack_client_t *client = open_client(arguments[1], arguments[2]);
    if (client == NULL)
        return 1;
    p.out = jack_port_register(client, "out", JACK_DEFAULT_MIDI_TYPE,
                               JackPortIsOutput, 0);
    if (p.out == NULL || jack_set_process_callback(client, process, &p) != 0
        || jack_set_xrun_callback(client, on_xrun, &p) != 0
        || jack_activate(client) != 0)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (char line[300]; fgets(line, sizeof line, stdin) != NULL;)
        answer(&p, client, line);
    jack_client_close(client);
    return 0;
}
