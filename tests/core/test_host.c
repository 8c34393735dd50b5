/* The JACK host against a JACK that is played by this file. */

#include <stdlib.h>
#include <string.h>

#include <jack/jack.h>
#include <jack/midiport.h>

#include "check.h"
#include "core.h"
#include "jack_host.h"

typedef struct {
    jack_midi_event_t events[1024];
    uint8_t bytes[1024][8];
    uint32_t count;
    uint32_t room; /* events that it takes */
} midi_port;

static struct {
    JackProcessCallback process;
    JackBufferSizeCallback on_period;
    JackXRunCallback on_xrun;
    JackShutdownCallback on_shutdown;
    void *data;
    bool refuses;
    jack_nframes_t now, transport_frame;
    jack_transport_state_t state;
    jack_time_t clock, cycle_us;
    midi_port in, out;
    float audio[AUDIO_PORTS][64];
} server;

static cycle_io seen;
static midi_message seen_midi[1024];
static uint32_t to_send;

int jack_set_process_callback(jack_client_t *c, JackProcessCallback f, void *data)
{
    (void)c;
    server.process = f;
    server.data = data;
    return server.refuses;
}

int jack_set_buffer_size_callback(jack_client_t *c, JackBufferSizeCallback f,
                                  void *data)
{
    (void)c, (void)data;
    server.on_period = f;
    return 0;
}

int jack_set_xrun_callback(jack_client_t *c, JackXRunCallback f, void *data)
{
    (void)c, (void)data;
    server.on_xrun = f;
    return 0;
}

void jack_on_shutdown(jack_client_t *c, JackShutdownCallback f, void *data)
{
    (void)c, (void)data;
    server.on_shutdown = f;
}

jack_nframes_t jack_get_buffer_size(jack_client_t *c) { (void)c; return 64; }

jack_nframes_t jack_last_frame_time(const jack_client_t *c)
{
    (void)c;
    return server.now;
}

jack_time_t jack_get_time(void) { return server.clock += server.cycle_us; }

jack_transport_state_t jack_transport_query(const jack_client_t *c, jack_position_t *p)
{
    (void)c;
    p->frame = server.transport_frame;
    return server.state;
}

void *jack_port_get_buffer(jack_port_t *port, jack_nframes_t nframes)
{
    (void)nframes;
    return port;
}

uint32_t jack_midi_get_event_count(void *buffer)
{
    return ((midi_port *)buffer)->count;
}

int jack_midi_event_get(jack_midi_event_t *event, void *buffer, uint32_t index)
{
    midi_port *p = buffer;
    *event = p->events[index];
    event->buffer = p->bytes[index];
    return index == 999; /* one of them is broken */
}

void jack_midi_clear_buffer(void *buffer) { ((midi_port *)buffer)->count = 0; }

int jack_midi_event_write(void *buffer, jack_nframes_t time,
                          const jack_midi_data_t *data, size_t size)
{
    midi_port *p = buffer;
    if (p->count == p->room)
        return -1;
    memcpy(p->bytes[p->count], data, size);
    p->events[p->count++] = (jack_midi_event_t){.time = time, .size = size};
    return 0;
}

static void fake_cycle(engine *e, cycle_io *io)
{
    (void)e;
    seen = *io;
    memcpy(seen_midi, io->midi_in, io->midi_in_count * sizeof(midi_message));
    io->midi_out_count = to_send;
    for (uint32_t i = 0; i < to_send; i++)
        io->midi_out[i] =
            (midi_message){.frame = i, .size = 3, .bytes = {0x90, (uint8_t)i, 1}};
}

static jack_host *new_host(engine *e)
{
    memset(&server, 0, sizeof server);
    server.out.room = 1024;
    to_send = 0;
    uintptr_t audio[AUDIO_PORTS];
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        audio[i] = (uintptr_t)server.audio[i];
    return jack_host_new(1, (uintptr_t)&server.in, (uintptr_t)&server.out, audio,
                         (uintptr_t)e, (uintptr_t)fake_cycle,
                         (uintptr_t)engine_measured);
}

static void hear(uint32_t time, size_t size, const char *bytes)
{
    memcpy(server.in.bytes[server.in.count], bytes, size);
    server.in.events[server.in.count++] =
        (jack_midi_event_t){.time = time, .size = size};
}

static void the_frame_counter_is_widened_across_its_wrap(void)
{
    engine *e = engine_new(48000);
    jack_host *h = new_host(e);
    server.now = UINT32_MAX - 100;
    int64_t first = 0;
    for (int cycle = 0; cycle < 5; cycle++, server.now += 64) {
        server.process(64, server.data);
        if (cycle == 0)
            first = seen.frame;
        CHECK(seen.frame == first + cycle * 64);
    }
    CHECK(first == (int64_t)UINT32_MAX - 100);
    server.now += 100000; /* an xrun: frames were skipped */
    server.process(64, server.data);
    CHECK(seen.frame == first + 5 * 64 + 100000);
    for (int64_t day = 0; day < 3; day++)
        for (int64_t step = 0; step < 8; step++) {
            int64_t before = seen.frame;
            server.now += 1u << 29;
            server.process(64, server.data);
            CHECK(seen.frame == before + (1 << 29));
        }
    jack_host_free(h);
    engine_free(e);
}

static void short_messages_come_in_and_long_ones_stay_out(void)
{
    engine *e = engine_new(48000);
    jack_host *h = new_host(e);
    hear(1, 3, "\x90\x3c\x40");
    hear(2, 6, "\xf0\x01\x02\x03\x04\xf7");
    hear(3, 2, "\xd0\x11");
    hear(4, 1, "\xf8");
    hear(5, 0, "");
    hear(6, 3, "\x80\x3c\x00");
    server.process(64, server.data);
    CHECK(seen.midi_in_count == 4);
    CHECK(memcmp(seen_midi[0].bytes, "\x90\x3c\x40", 3) == 0);
    CHECK(seen_midi[0].frame == 1);
    CHECK(memcmp(seen_midi[1].bytes, "\xd0\x11\x00", 3) == 0 && seen_midi[1].size == 2);
    CHECK(memcmp(seen_midi[2].bytes, "\xf8\x00\x00", 3) == 0);
    CHECK(seen_midi[3].frame == 6);
    jack_host_free(h);
    engine_free(e);
}

static void a_flood_of_messages_is_cut_at_the_end_of_the_memory(void)
{
    engine *e = engine_new(48000);
    jack_host *h = new_host(e);
    for (uint32_t i = 0; i < 1024; i++)
        hear(0, 3, "\x90\x3c\x40");
    server.process(64, server.data);
    CHECK(seen.midi_in_count == 512);
    jack_host_free(h);
    engine_free(e);
}

static void what_jack_has_no_room_for_is_counted(void)
{
    engine *e = engine_new(48000);
    jack_host *h = new_host(e);
    to_send = 10;
    server.out.room = 7;
    server.process(64, server.data);
    engine_counters c;
    engine_count(e, &c);
    CHECK(server.out.count == 7 && c.midi_out_lost == 3);
    CHECK(server.out.events[6].time == 6 && server.out.bytes[6][1] == 6);
    jack_host_free(h);
    engine_free(e);
}

static void the_transport_is_passed_on(void)
{
    engine *e = engine_new(48000);
    jack_host *h = new_host(e);
    server.transport_frame = 4711;
    server.state = JackTransportStarting;
    server.process(64, server.data);
    CHECK(!seen.transport_rolling);
    server.state = JackTransportRolling;
    server.process(64, server.data);
    CHECK(seen.transport_rolling && seen.transport_frame == 4711);
    jack_host_free(h);
    engine_free(e);
}

static void xruns_misses_and_the_end_of_the_server_are_told(void)
{
    engine *e = engine_new(48000);
    jack_host *h = new_host(e);
    server.cycle_us = 1300;
    server.process(64, server.data);
    server.cycle_us = 1400; /* longer than 64 frames */
    server.process(64, server.data);
    server.on_xrun(server.data);
    server.on_period(256, server.data);
    CHECK(jack_host_period(h) == 256 && !jack_host_is_gone(h));
    server.on_shutdown(server.data);
    CHECK(jack_host_is_gone(h) && engine_wait(e, 1000000000));
    engine_counters c;
    engine_count(e, &c);
    CHECK(c.xruns == 1 && c.own_misses == 1 && c.max_cycle_ns == 1400000);
    jack_host_free(h);
    engine_free(e);
}

int main(void)
{
    RUN(the_frame_counter_is_widened_across_its_wrap);
    RUN(short_messages_come_in_and_long_ones_stay_out);
    RUN(a_flood_of_messages_is_cut_at_the_end_of_the_memory);
    RUN(what_jack_has_no_room_for_is_counted);
    RUN(the_transport_is_passed_on);
    RUN(xruns_misses_and_the_end_of_the_server_are_told);
    return report("host");
}
