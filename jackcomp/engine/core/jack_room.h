/* What the sources of the JACK host share. */

#ifndef JACKCOMP_JACK_ROOM_H
#define JACKCOMP_JACK_ROOM_H

#include <jack/jack.h>
#include <jack/transport.h>

#include "core.h"
#include "jack_host.h"

#define MAX_MIDI 512u /* messages in one cycle, each way */
#define BIRTHS 1024u  /* names of ports are told apart by so many numbers */

enum { PORT_MIDI_IN, PORT_CONTROL_IN, PORT_MIDI_OUT, PORT_AUDIO };

typedef void cycle_function(engine *, cycle_io *);
typedef void measure_function(engine *, uint64_t, uint64_t);
typedef bool await_function(engine *, int64_t);

struct jack_host {
    jack_client_t *client;
    jack_port_t *ports[HOST_PORTS]; /* PORT_ order, then AUDIO_ order */
    engine *engine;
    cycle_function *cycle;
    measure_function *measure;
    await_function *await;
    bool begun;               /* a first cycle has run */
    jack_nframes_t last;      /* JACK's 32-bit frame counter in the cycle before */
    int64_t frame;            /* the engine's frames, 64 bits, without a jump */
    bool master;              /* we are the timebase master */
    bool asked;               /* we have asked the transport to start */
    midi_message heard[MAX_MIDI];
    midi_message control[MAX_MIDI];
    midi_message sent[MAX_MIDI];
    _Atomic uint32_t period;  /* frames, for Python to read */
    _Atomic uint32_t freewheels; /* JACK does not wait for the time */
    _Atomic uint32_t gone;    /* the server has shut us down */
    _Atomic uint32_t changes; /* of ports and connections, in the whole graph */
    _Atomic uint32_t births[BIRTHS]; /* how often a port of a name has appeared */
    _Atomic uint32_t foreign_beats; /* beats in a bar of another timebase master */
};

void read_transport(jack_host *h, cycle_io *io) RT_SAFE; /* jack_transport.c */
void start_transport(jack_host *h, jack_nframes_t nframes) RT_SAFE;
void set_latencies(jack_latency_callback_mode_t mode, void *data); /* jack_latency.c */

#endif
