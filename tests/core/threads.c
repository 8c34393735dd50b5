/* The engine between its threads, to be built with ThreadSanitizer: the cycle, the
   worker that waits and sends, the recorder, a view that reads the counters, who
   changes the synth, and the main thread that asks for panic and, at the end, for the stop. What crosses
   between them must come over whole. */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "fake_synth.h"
#include "stage.h"

#define CYCLES 60000u
#define PANICS 20u

static stage *s;
static _Atomic bool stopping, done;
static _Atomic uint64_t heard, recorded, seen, batches, changes;
static bool in_order = true, whole = true, rises = true;

static void *run_cycles(void *data)
{
    (void)data;
    uint64_t random = 8;
    for (uint32_t cycle = 0; !atomic_load(&stopping) || !engine_has_stopped(s->e);
         cycle++) {
        if (random_next(&random) % 4 == 0)
            stage_hear(s, 5, random_next(&random) % 2 ? 0x90 : 0x80,
                       (uint8_t)(random_next(&random) % 128), 90);
        s->sent = 0;
        stage_cycle(s, 64);
        if (cycle % 64 == 0)
            sched_yield(); /* the others have their turn on a small machine */
    }
    return NULL;
}

static void *work(void *data)
{
    (void)data;
    uint64_t random = 9;
    int64_t last_frame = 0;
    report_record reports[256];
    while (!atomic_load(&done)) {
        engine_wait(s->e, 1000000);
        uint32_t n = engine_heard(s->e, reports, 256);
        for (uint32_t i = 0; i < n; i++) {
            in_order = in_order && reports[i].frame >= last_frame;
            last_frame = reports[i].frame;
            whole = whole && reports[i].kind >= HEARD_MIDI
                 && reports[i].kind <= HEARD_LOST;
        }
        atomic_fetch_add(&heard, n);
        int64_t now = last_frame;
        plan_note notes[20];
        uint32_t count = (uint32_t)random_from(&random, 0, 20);
        for (uint32_t i = 0; i < count; i++)
            notes[i] = (plan_note){now + random_from(&random, 0, 5000),
                                   random_from(&random, 1, 1000),
                                   (uint8_t)random_from(&random, 0, 4),
                                   (uint8_t)random_from(&random, 30, 90), 0};
        uint8_t flags = (uint8_t)random_from(&random, 0, 15);
        if (stage_replace(s, now, now + BAR, 0x1F, flags, notes, count) == 1)
            atomic_fetch_add(&batches, 1);
        stage_order(s, ORDER_CUTOFF, now + 2000, 0, s->generation);
    }
    return NULL;
}

static void *take_down(void *data)
{
    (void)data;
    report_record played[256];
    int64_t last_frame = 0;
    while (!atomic_load(&done)) {
        uint32_t n = engine_played(s->e, played, 256);
        for (uint32_t i = 0; i < n; i++) {
            rises = rises && played[i].frame >= last_frame;
            last_frame = played[i].frame;
        }
        atomic_fetch_add(&recorded, n);
        sched_yield();
    }
    return NULL;
}

/* Offer the synth that does not play, over and over; write to it once it is ours. */
static void *change_synths(void *data)
{
    (void)data;
    void *spare = &other_fake;
    while (!atomic_load(&done)) {
        ((fake_synth *)spare)->level += 1.0f;
        void *displaced = engine_offer_synth(s->e, spare);
        for (spare = displaced; spare == NULL && !atomic_load(&done);) {
            engine_wait_swap(s->e);
            spare = engine_departed_synth(s->e);
        }
        atomic_fetch_add(&changes, 1);
    }
    return NULL;
}

static void *look(void *data)
{
    (void)data;
    uint32_t buckets[CYCLE_BUCKETS];
    while (!atomic_load(&done)) {
        engine_counters c = stage_counters(s);
        engine_histogram(s->e, buckets);
        atomic_store(&seen, c.cycles);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

static void the_threads_of_the_engine_disturb_each_other_in_nothing(void)
{
    engine_settings settings = plain_settings();
    settings.click_sounds = 1;
    for (int i = 0; i < 4; i++)
        settings.click_velocities[i] = 90, settings.click_keys[i] = 60;
    s = stage_new(&settings, 48000, fake_synth_new());
    s->silent = true;
    void *(*const roles[5])(void *) = {run_cycles, work, take_down, look,
                                       change_synths};
    pthread_t threads[5];
    for (int i = 0; i < 5; i++)
        pthread_create(&threads[i], NULL, roles[i], NULL);
    uint32_t panics = 0;
    while (atomic_load(&s->e->cycles) < CYCLES) {
        if (engine_has_panicked(s->e) && panics < PANICS
            && atomic_load(&s->e->cycles) > panics * (CYCLES / PANICS)) {
            engine_ask_panic(s->e);
            panics++;
        }
        engine_wake(s->e);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    engine_ask_stop(s->e);
    atomic_store(&stopping, true);
    pthread_join(threads[0], NULL);
    CHECK(engine_has_stopped(s->e) && nothing_sounds(s));
    atomic_store(&done, true);
    engine_wake_swap(s->e);
    for (int i = 1; i < 5; i++)
        pthread_join(threads[i], NULL);
    CHECK(in_order && whole && rises);
    CHECK(atomic_load(&heard) > 0 && atomic_load(&recorded) > 0);
    CHECK(atomic_load(&changes) > 2 && stage_counters(s).swaps > 2);
    CHECK(atomic_load(&batches) > 0 && atomic_load(&seen) > 0 && panics > 0);
    stage_free(s);
}

int main(void)
{
    RUN(the_threads_of_the_engine_disturb_each_other_in_nothing);
    return report("threads");
}
