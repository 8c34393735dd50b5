/* The JACK host against a JACK that is played by this file. */

#include <errno.h>
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
    JackFreewheelCallback on_freewheel;
    JackLatencyCallback on_latency;
    JackPortRegistrationCallback on_port;
    JackPortConnectCallback on_connection;
    JackTimebaseCallback timebase;
    bool has_master; /* another client is */
    jack_position_t position;
    uint32_t starts;
    jack_nframes_t located;
    jack_latency_range_t capture[HOST_PORTS], playback[HOST_PORTS];
    bool connected[HOST_PORTS];
    jack_port_t *by_id[8];
    void *data;
    bool refuses;
    jack_nframes_t now, transport_frame;
    jack_transport_state_t state;
    jack_time_t clock, cycle_us;
    midi_port in, control, out;
    float audio[AUDIO_PORTS][64];
} server;

static cycle_io seen;
static midi_message seen_midi[1024];
static uint32_t to_send, waits;

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
    server.position.frame = server.transport_frame;
    if (p != NULL)
        *p = server.position;
    return server.state;
}

int jack_transport_locate(jack_client_t *c, jack_nframes_t frame)
{
    (void)c;
    server.located = frame;
    return 0;
}

void jack_transport_start(jack_client_t *c)
{
    (void)c;
    server.starts++;
}

int jack_set_timebase_callback(jack_client_t *c, int conditional,
                               JackTimebaseCallback f, void *data)
{
    (void)c, (void)data;
    CHECK(conditional);
    if (server.has_master)
        return EBUSY;
    server.timebase = f;
    return 0;
}

int jack_set_freewheel_callback(jack_client_t *c, JackFreewheelCallback f, void *data)
{
    (void)c, (void)data;
    server.on_freewheel = f;
    return 0;
}

int jack_set_latency_callback(jack_client_t *c, JackLatencyCallback f, void *data)
{
    (void)c, (void)data;
    server.on_latency = f;
    return 0;
}

int jack_set_port_registration_callback(jack_client_t *c,
                                        JackPortRegistrationCallback f, void *data)
{
    (void)c, (void)data;
    server.on_port = f;
    return 0;
}

int jack_set_port_connect_callback(jack_client_t *c, JackPortConnectCallback f,
                                   void *data)
{
    (void)c, (void)data;
    server.on_connection = f;
    return 0;
}

jack_port_t *jack_port_by_id(jack_client_t *c, jack_port_id_t id)
{
    (void)c;
    return server.by_id[id];
}

const char *jack_port_name(const jack_port_t *port)
{
    return port == (const jack_port_t *)&server.in ? "in" : "other";
}

jack_port_t *jack_port_by_name(jack_client_t *c, const char *name)
{
    (void)c;
    return strcmp(name, "known") == 0 ? server.by_id[0] : NULL;
}

static uint32_t place_of(const jack_port_t *port)
{
    const void *const all[HOST_PORTS] = {
        &server.in, &server.control, &server.out, server.audio[0], server.audio[1],
        server.audio[2], server.audio[3], server.audio[4]};
    uint32_t i = 0;
    while (all[i] != (const void *)port)
        i++;
    return i;
}

int jack_port_connected(const jack_port_t *port)
{
    return server.connected[place_of(port)];
}

static jack_latency_range_t *latency_of(jack_port_t *port,
                                        jack_latency_callback_mode_t mode)
{
    uint32_t i = place_of(port);
    return mode == JackCaptureLatency ? &server.capture[i] : &server.playback[i];
}

void jack_port_get_latency_range(jack_port_t *port, jack_latency_callback_mode_t mode,
                                 jack_latency_range_t *range)
{
    *range = *latency_of(port, mode);
}

void jack_port_set_latency_range(jack_port_t *port, jack_latency_callback_mode_t mode,
                                 jack_latency_range_t *range)
{
    *latency_of(port, mode) = *range;
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

static bool fake_await(engine *e, int64_t timeout_ns)
{
    (void)e, (void)timeout_ns;
    return ++waits > 0;
}

static jack_host *new_host(engine *e)
{
    memset(&server, 0, sizeof server);
    server.out.room = 1024;
    to_send = waits = 0;
    uintptr_t ports[HOST_PORTS] = {(uintptr_t)&server.in, (uintptr_t)&server.control,
                                   (uintptr_t)&server.out};
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        ports[3 + i] = (uintptr_t)server.audio[i];
    return jack_host_new(1, ports, (uintptr_t)e, (uintptr_t)fake_cycle,
                         (uintptr_t)engine_measured, (uintptr_t)fake_await);
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

static engine *new_engine(uint32_t start_mode)
{
    engine *e = engine_new(48000);
    engine_settings s = {.ns_per_quarter = 500000000, .bar_ticks = 7680,
                         .beat_ticks = 1920, .pulse_ticks = 1920, .pulses = 4,
                         .start_mode = start_mode};
    engine_configure(e, &s);
    return e;
}

static void a_second_host_goes_on_where_the_first_ended(void)
{
    engine *e = new_engine(START_COUNT_IN);
    jack_host *h = new_host(e);
    server.now = 5000;
    server.process(64, server.data);
    CHECK(seen.frame == 5000);
    atomic_store(&e->last_frame, 5064);
    jack_host_free(h);
    h = new_host(e);
    server.now = 77; /* of a new server */
    server.process(64, server.data);
    CHECK(seen.frame == 5064);
    server.now += 128;
    server.process(64, server.data);
    CHECK(seen.frame == 5064 + 128);
    jack_host_free(h);
    engine_free(e);
}

static void what_comes_in_at_control_in_is_kept_apart(void)
{
    engine *e = new_engine(START_COUNT_IN);
    jack_host *h = new_host(e);
    server.control.bytes[0][0] = 0xF8;
    server.control.events[0] = (jack_midi_event_t){.time = 9, .size = 1};
    server.control.count = 1;
    server.process(64, server.data);
    CHECK(seen.midi_in_count == 0 && seen.control_in_count == 1);
    CHECK(seen.control_in[0].frame == 9 && seen.control_in[0].bytes[0] == 0xF8);
    jack_host_free(h);
    engine_free(e);
}

static void while_jack_freewheels_the_worker_is_waited_for(void)
{
    engine *e = new_engine(START_COUNT_IN);
    jack_host *h = new_host(e);
    server.cycle_us = 5000;
    server.on_freewheel(1, server.data);
    server.process(64, server.data);
    engine_counters c;
    engine_count(e, &c);
    CHECK(waits == 1 && c.own_misses == 0);
    server.on_freewheel(0, server.data);
    server.process(64, server.data);
    engine_count(e, &c);
    CHECK(waits == 1 && c.own_misses == 1);
    jack_host_free(h);
    engine_free(e);
}

static void a_keyboard_that_goes_has_its_notes_released(void)
{
    engine *e = new_engine(START_COUNT_IN);
    jack_host *h = new_host(e);
    server.by_id[1] = (jack_port_t *)&server.in;
    server.by_id[2] = (jack_port_t *)server.audio[0];
    server.on_connection(0, 1, 1, server.data);
    server.on_connection(2, 3, 0, server.data);
    CHECK(atomic_load(&e->solo_asked) == 0 && jack_host_changes(h) == 2);
    server.on_connection(0, 1, 0, server.data);
    CHECK(atomic_load(&e->solo_asked) == 1);
    server.on_port(0, 0, server.data);
    CHECK(jack_host_changes(h) == 4);
    uint32_t before = jack_host_births(h, "in");
    server.on_port(1, 1, server.data);
    server.on_port(2, 1, server.data);
    server.on_port(1, 0, server.data);
    CHECK(jack_host_births(h, "in") == before + 1 && jack_host_changes(h) == 7);
    jack_host_free(h);
    engine_free(e);
}

static void latencies_run_from_the_keys_to_the_speakers(void)
{
    engine *e = new_engine(START_COUNT_IN);
    jack_host *h = new_host(e);
    server.on_latency(JackPlaybackLatency, server.data);
    CHECK(server.playback[0].min == 0 && server.playback[0].max == 63);
    server.capture[0] = (jack_latency_range_t){10, 20};
    server.playback[3] = (jack_latency_range_t){300, 400};
    server.playback[4] = (jack_latency_range_t){256, 256};
    server.playback[7] = (jack_latency_range_t){1, 9999}; /* goes nowhere */
    server.connected[3] = server.connected[4] = true;
    server.on_latency(JackCaptureLatency, server.data);
    server.on_latency(JackPlaybackLatency, server.data);
    for (int i = 0; i < 2; i++)
        CHECK(server.playback[i].min == 256 && server.playback[i].max == 463);
    for (int i = 2; i < HOST_PORTS; i++) {
        bool solo = i == 5 || i == 6;
        CHECK(server.capture[i].min == (solo ? 10 : 0));
        CHECK(server.capture[i].max == (solo ? 83 : 0));
    }
    server.by_id[0] = (jack_port_t *)server.audio[0];
    port_latency known = jack_latency(1, "known"), unknown = jack_latency(1, "else");
    CHECK(known.playback_min == 300 && known.playback_max == 400);
    CHECK(unknown.playback_max == 0);
    jack_host_free(h);
    engine_free(e);
}

static jack_position_t bar_and_beat(int32_t bar, int32_t beat, int32_t tick)
{
    return (jack_position_t){.valid = JackPositionBBT, .bar = bar, .beat = beat,
                             .tick = tick, .ticks_per_beat = 960,
                             .beats_per_bar = 3, .beats_per_minute = 100};
}

static void another_timebase_master_says_where_we_are(void)
{
    engine *e = new_engine(START_TRANSPORT);
    jack_host *h = new_host(e);
    server.state = JackTransportRolling;
    server.process(64, server.data);
    CHECK(!seen.transport_has_tick && jack_host_foreign_beats(h) == 0);
    server.position = bar_and_beat(3, 2, 480);
    server.process(64, server.data);
    int64_t tick = 2 * 7680 + 1920 + 960;
    CHECK(seen.transport_has_tick);
    CHECK(seen.transport_tick_fp == tick * (INT64_C(1) << 32));
    CHECK(seen.transport_ns_per_quarter == 600000000);
    CHECK(jack_host_foreign_beats(h) == 3);
    server.position.valid |= JackBBTFrameOffset;
    server.position.bbt_offset = 15; /* a tick, at 100 quarters a minute */
    server.process(64, server.data);
    CHECK(seen.transport_tick_fp == (tick + 1) * (INT64_C(1) << 32));
    server.position.beats_per_minute = 0; /* nonsense */
    server.process(64, server.data);
    CHECK(!seen.transport_has_tick);
    jack_host_free(h);
    engine_free(e);
}

static void as_timebase_master_it_starts_the_transport_and_says_bar_and_beat(void)
{
    engine *e = new_engine(START_FIRST_NOTE);
    jack_host *h = new_host(e);
    server.has_master = true;
    CHECK(jack_host_lead(h) != 0);
    server.has_master = false;
    CHECK(jack_host_lead(h) == 0);
    server.now = 1000;
    server.process(64, server.data);
    CHECK(server.starts == 0);
    e->rolling = true; /* beat one was 500 frames ago */
    e->anchor = (clock_anchor){.frame = 564, .ns_per_quarter = 500000000, .rate = 48000};
    server.now += 64;
    server.process(64, server.data);
    CHECK(server.starts == 1 && server.located == 500 + 3 * 64);
    server.process(64, server.data);
    CHECK(server.starts == 1);
    jack_position_t p = {.frame = 4711};
    e->anchor.frame = 1064 + 64 - 24000 * 5; /* five quarters before the next cycle */
    server.timebase(JackTransportRolling, 64, &p, 0, server.data);
    CHECK(p.valid == JackPositionBBT && p.bar == 2 && p.beat == 2 && p.tick == 0);
    CHECK(p.bar_start_tick == 7680 && p.beats_per_bar == 4 && p.beat_type == 4);
    CHECK(p.ticks_per_beat == 1920 && p.beats_per_minute == 120);
    p = (jack_position_t){.frame = 4711}; /* the next cycle may be the first to roll */
    server.timebase(JackTransportStarting, 64, &p, 0, server.data);
    CHECK(p.bar == 2 && p.beat == 2 && p.tick == 0);
    p.frame = 48000;
    server.timebase(JackTransportStopped, 64, &p, 1, server.data);
    CHECK(p.bar == 1 && p.beat == 3 && p.tick == 0);
    jack_host_free(h);
    engine_free(e);
}

int main(void)
{
    RUN(a_second_host_goes_on_where_the_first_ended);
    RUN(what_comes_in_at_control_in_is_kept_apart);
    RUN(while_jack_freewheels_the_worker_is_waited_for);
    RUN(a_keyboard_that_goes_has_its_notes_released);
    RUN(latencies_run_from_the_keys_to_the_speakers);
    RUN(another_timebase_master_says_where_we_are);
    RUN(as_timebase_master_it_starts_the_transport_and_says_bar_and_beat);

    RUN(the_frame_counter_is_widened_across_its_wrap);
    RUN(short_messages_come_in_and_long_ones_stay_out);
    RUN(a_flood_of_messages_is_cut_at_the_end_of_the_memory);
    RUN(what_jack_has_no_room_for_is_counted);
    RUN(the_transport_is_passed_on);
    RUN(xruns_misses_and_the_end_of_the_server_are_told);
    return report("host");
}
