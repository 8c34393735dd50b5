/* The engine seen from outside the audio thread: making, settings, waiting,
   counting. Nothing here runs in a cycle except engine_measured. */

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "core.h"

engine *engine_new(int64_t rate)
{
    engine *e = calloc(1, sizeof *e);
    if (e == NULL || sem_init(&e->wake, 0, 0) != 0
        || sem_init(&e->thought, 0, 0) != 0 || sem_init(&e->swapped, 0, 0) != 0) {
        free(e);
        return NULL;
    }
    e->rate = rate;
    e->masterless = UINT32_MAX / 2; /* never */
    atomic_store(&e->last_tick, NO_TICK);
    for (uint32_t i = 0; i < 2; i++)
        reverb_init(&e->rooms[i], rate);
    return e;
}

void engine_free(engine *e)
{
    sem_destroy(&e->wake);
    sem_destroy(&e->thought);
    sem_destroy(&e->swapped);
    free(e);
}

/* Touch the engine's memory and keep it in place, so that no cycle waits for a page;
   with `all`, also what the process has and will have, from when it is first touched.
   What loading the models has left free goes back to the system first. Returns 0, or
   the errno that says why not. */
int engine_lock_memory(engine *e, bool all)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    if (mlock(e, sizeof *e) != 0
        || (all && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0))
        return errno;
    return 0;
}

/* Before the first cycle. */
void engine_configure(engine *e, const engine_settings *settings)
{
    e->settings = *settings;
    engine_mix(e, settings->gain, settings->solo_gain, settings->reverb,
               settings->click_sounds);
}

/* At any time; the next cycle goes there, without a step in the sound. */
void engine_mix(engine *e, float gain, float solo_gain, float reverb, bool click)
{
    atomic_store_explicit(&e->gain_asked, gain, memory_order_relaxed);
    atomic_store_explicit(&e->solo_gain_asked, solo_gain, memory_order_relaxed);
    atomic_store_explicit(&e->reverb_asked, reverb, memory_order_relaxed);
    atomic_store_explicit(&e->click_asked, click, memory_order_relaxed);
}

/* Before the first cycle; the caller keeps the synth alive until the last. */
void engine_set_synth(engine *e, void *synth) { e->synth = synth; }

static bool is_playable(const order_record *n)
{
    return n->kind == ORDER_NOTE && n->part < PART_CLICK && n->key < MIDI_KEYS
        && n->velocity > 0 && n->velocity < 128 && n->value > 0 && n->count == 0;
}

static bool is_well_formed(const order_record *orders, uint32_t count)
{
    const order_record *o = orders;
    switch (count > 0 ? o->kind : 0) {
    case ORDER_REPLACE:
        if (count != 1 + o->count || o->count > MAX_BATCH_NOTES)
            return false;
        for (uint32_t i = 1; i < count; i++)
            if (!is_playable(&orders[i]))
                return false;
        return true;
    case ORDER_CUTOFF:
        return count == 1;
    case ORDER_TEMPO:
        return count == 1 && o->value > 0;
    case ORDER_PROGRAM:
        return count == 1 && o->key < 128
            && (o->part < PART_CLICK || o->part == SOLO_PART);
    default:
        return false;
    }
}

/* 1 if written; 0 if the ring has no room and nothing was written: try again later;
   -1 if the core could not play it. What passes here the cycle takes on trust. */
int engine_order(engine *e, const order_record *orders, uint32_t count)
{
    if (!is_well_formed(orders, count))
        return -1;
    return ring_write(&e->orders, orders, count);
}

uint32_t engine_heard(engine *e, report_record *records, uint32_t count)
{
    return ring_read(&e->heard, records, count);
}

uint32_t engine_played(engine *e, report_record *records, uint32_t count)
{
    return ring_read(&e->played, records, count);
}

static struct timespec from_now(int64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    ns += t.tv_nsec;
    return (struct timespec){.tv_sec = t.tv_sec + ns / 1000000000,
                             .tv_nsec = ns % 1000000000};
}

/* Sleep until the core has something for the worker: false after the timeout. */
bool engine_wait(engine *e, int64_t timeout_ns)
{
    struct timespec until = from_now(timeout_ns);
    int failed;
    do
        failed = sem_clockwait(&e->wake, CLOCK_MONOTONIC, &until);
    while (failed && errno == EINTR);
    while (!failed && sem_trywait(&e->wake) == 0)
        ;
    return !failed;
}

void engine_wake(engine *e) { sem_post(&e->wake); }

/* How often the core has had something for the worker; read it before what waits. */
uint32_t engine_posts(engine *e)
{
    return atomic_load_explicit(&e->posts, memory_order_acquire);
}

/* The worker has answered all that waited when the posts were so many. */
void engine_answer(engine *e, uint32_t posts)
{
    atomic_store(&e->answered, posts);
    if (atomic_exchange(&e->awaited, 0))
        sem_post(&e->thought);
}

static bool is_answered(engine *e)
{
    return atomic_load(&e->answered) == atomic_load(&e->posts);
}

/* Wait until the worker has answered everything; false after the timeout. For hosts
   that have time, between two cycles. */
bool engine_await_answer(engine *e, int64_t timeout_ns)
{
    struct timespec until = from_now(timeout_ns);
    for (;;) {
        atomic_store(&e->awaited, 1);
        if (is_answered(e))
            return true;
        if (sem_clockwait(&e->thought, CLOCK_MONOTONIC, &until) != 0 && errno != EINTR)
            return is_answered(e);
    }
}

/* The server came back with another sample rate: go on where we are, with a synth of
   that rate. Only while no cycle runs; then the synths of before are free. */
void engine_change_rate(engine *e, int64_t rate, void *synth)
{
    int64_t frame = atomic_load(&e->last_frame);
    if (e->rolling) {
        e->anchor.tick_fp = frame_to_tick_fp(&e->anchor, frame);
        e->anchor.frame = frame;
        e->anchor.rate = rate;
    }
    e->rate = rate;
    sound_replace(e, synth);
    e->click.level = 0.0f;
    memset(&e->clock_in, 0, sizeof e->clock_in);
    for (uint32_t i = 0; i < 2; i++)
        reverb_init(&e->rooms[i], rate);
}

/* Release the soloist's notes: a keyboard has gone, and nobody else will. */
void engine_ask_release(engine *e)
{
    atomic_fetch_add_explicit(&e->solo_asked, 1, memory_order_release);
}

/* A beat from whatever is not MIDI: heard at the start of the next cycle. */
void engine_ask_tap(engine *e)
{
    atomic_fetch_add_explicit(&e->taps_asked, 1, memory_order_release);
}

void engine_ask_panic(engine *e)
{
    atomic_fetch_add_explicit(&e->panic_asked, 1, memory_order_release);
}

void engine_ask_stop(engine *e)
{
    atomic_fetch_add_explicit(&e->stop_asked, 1, memory_order_release);
}

bool engine_has_panicked(engine *e)
{
    return atomic_load(&e->panic_done) == atomic_load(&e->panic_asked);
}

bool engine_has_stopped(engine *e)
{
    return atomic_load(&e->stop_done) == atomic_load(&e->stop_asked);
}

static uint32_t bucket(uint64_t ns)
{
    if (ns < 16)
        return (uint32_t)ns;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(ns);
    uint32_t index = 16u * (octave - 3u) + (uint32_t)((ns >> (octave - 4u)) & 15u);
    return index < CYCLE_BUCKETS ? index : CYCLE_BUCKETS - 1;
}

/* The shortest time that falls into a bucket. */
uint64_t engine_bucket_ns(uint32_t index)
{
    if (index < 16)
        return index;
    return (uint64_t)(16u + index % 16u) << (index / 16u - 1u);
}

/* The host measures, since reading the clock may be a system call. */
void engine_measured(engine *e, uint64_t cycle_ns, uint64_t period_ns)
{
    atomic_fetch_add_explicit(&e->cycle_histogram[bucket(cycle_ns)], 1,
                              memory_order_relaxed);
    if (cycle_ns > atomic_load_explicit(&e->max_cycle_ns, memory_order_relaxed))
        atomic_store_explicit(&e->max_cycle_ns, cycle_ns, memory_order_relaxed);
    if (cycle_ns > period_ns)
        COUNT(e->own_misses);
}

void engine_histogram(engine *e, uint32_t *buckets)
{
    for (uint32_t i = 0; i < CYCLE_BUCKETS; i++)
        buckets[i] = atomic_load_explicit(&e->cycle_histogram[i], memory_order_relaxed);
}

void engine_count(engine *e, engine_counters *c)
{
#define COPY(name) c->name = atomic_load_explicit(&e->name, memory_order_relaxed)
    COPY(cycles), COPY(notes_on), COPY(notes_off), COPY(late_events);
    COPY(dropped_decisions), COPY(stale_batches), COPY(refused_batches);
    COPY(heard_overflows), COPY(played_overflows), COPY(vamped_bars);
    COPY(guarded_samples), COPY(midi_out_lost), COPY(xruns), COPY(own_misses);
    COPY(max_cycle_ns), COPY(solo_notes), COPY(swaps), COPY(late_tempos);
    COPY(last_frame), COPY(last_tick);
#undef COPY
}

static void ignore_log(int level, const char *message, void *data)
{
    (void)level, (void)message, (void)data;
}

/* FluidSynth writes to stderr even from a note-on; nobody may print in a cycle.
   What it returns is checked instead, where SoundFonts are loaded. */
void synth_be_quiet(void)
{
    for (int level = 0; level < LAST_LOG_LEVEL; level++)
        fluid_set_log_function(level, ignore_log, NULL);
}
