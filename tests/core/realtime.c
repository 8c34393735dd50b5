/* The real-time test: tens of thousands of cycles with the real FluidSynth in a
   thread that may do nothing but compute and wake others.

   A seccomp filter lets that thread make one system call, futex, and of futex only
   the waking (to wait is to block; the one exception is the place where the thread
   rests for ever once it is done). malloc and its kin, and the locks of pthread
   and glib, are interposed: the thread must not enter them. Whatever it does wrong
   is named by the main thread, and the program fails.

   `--plant malloc|printf|mutex` commits that sin on purpose, between two cycles of
   that same thread, to show that the test would see it. */

#include <errno.h>
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "real_synth.h"
#include "stage.h"

#define RATE 48000
#define MOST_FRAMES 1024u
#define PLAN_TICKS 1920 /* short bars, so that the vamp has its turn */

/* ---- what the thread must not do ---- */

static _Thread_local bool in_cycle_thread;
static _Atomic(const char *) called; /* the function that was called */
static _Atomic int forbidden_call = -1; /* the system call that was made */
static _Atomic int done;
static uint32_t rest_place;

/* The thread never returns: its exit would make system calls of its own. */
static void rest_for_ever(void)
{
    for (;;)
        syscall(SYS_futex, &rest_place, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void confess(const char *function)
{
    if (!in_cycle_thread)
        return;
    atomic_store(&called, function);
    rest_for_ever();
}

static void on_forbidden_call(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    atomic_store(&forbidden_call, info->si_syscall);
    rest_for_ever();
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    confess("malloc");
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    confess("calloc");
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    confess("realloc");
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    confess("free");
    __libc_free(memory);
}

void *memalign(size_t alignment, size_t size)
{
    confess("memalign");
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    confess("aligned_alloc");
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    confess("posix_memalign");
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}

/* The locks: the next definition in the search order is the real one. */
#define LOCK(function, result, object)                                        \
    result function(object *lock);                                            \
    result function(object *lock)                                             \
    {                                                                         \
        static result (*real)(object *);                                      \
        confess(#function);                                                   \
        if (real == NULL)                                                     \
            real = (result(*)(object *))dlsym(RTLD_NEXT, #function);          \
        return real(lock);                                                    \
    }

LOCK(pthread_mutex_lock, int, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, int, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, int, pthread_rwlock_t)
LOCK(g_mutex_lock, void, void)
LOCK(g_rec_mutex_lock, void, void)

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#error "tell the filter which machine this is"
#endif

#define LOAD(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define SKIP_IF(value, yes, no) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))

static bool allow_only_futex(void)
{
    uint32_t place = (uint32_t)(uintptr_t)&rest_place;
    struct sock_filter steps[] = {
        LOAD(arch),
        SKIP_IF(MACHINE, 0, 8),
        LOAD(nr),
        SKIP_IF(SYS_futex, 0, 6),
        LOAD(args[1]),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FUTEX_CMD_MASK),
        SKIP_IF(FUTEX_WAKE, 2, 0),
        LOAD(args[0]),
        SKIP_IF(place, 0, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* ---- the sins that can be planted ---- */

static pthread_mutex_t planted_mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *plant = "";

static void commit_the_planted_sin(void)
{
    if (strcmp(plant, "malloc") == 0) {
        void *volatile memory = malloc(100);
        free(memory);
    } else if (strcmp(plant, "printf") == 0) {
        printf("this line must never be seen\n");
    } else if (strcmp(plant, "mutex") == 0) {
        pthread_mutex_lock(&planted_mutex);
        pthread_mutex_unlock(&planted_mutex);
    }
}

/* ---- the cycle thread and its soloist ---- */

static engine *e;
static fluid_synth_t *synths[3];
static uint32_t cycles_to_run;
static float audio[AUDIO_PORTS][MOST_FRAMES];
static midi_message midi_in[64], midi_out[512];
static _Atomic int most_voices;
static _Atomic uint64_t stolen; /* cycles that struck notes with all voices busy */
static _Atomic uint32_t stopped_after;
static _Atomic bool silent_at_last;

static uint32_t choose_period(uint64_t *random)
{
    static const uint32_t PERIODS[8] = {64, 64, 64, 128, 32, 64, 256, 17};
    uint32_t choice = random_next(random) % 400;
    return choice == 399 ? MOST_FRAMES : PERIODS[choice % 8];
}

/* Mostly notes, of which many are never released but by the pedal, and garbage. */
static uint32_t play_solo(uint64_t *random, uint32_t cycle, uint32_t nframes)
{
    uint32_t count = random_next(random) % (cycle % 1000 < 20 ? 64 : 3), frame = 0;
    for (uint32_t i = 0; i < count; i++) {
        frame += random_next(random) % (nframes / (count + 1) + 1);
        uint32_t dice = random_next(random) % 100;
        uint8_t any = (uint8_t)random_next(random);
        uint8_t status = dice < 55 ? 0x90 : dice < 75 ? 0x80 : any;
        midi_in[i] = (midi_message){
            .frame = frame < nframes ? frame : nframes - 1, .size = 3,
            .bytes = {status, (uint8_t)random_next(random),
                      (uint8_t)random_next(random)}};
    }
    if (cycle % 3000 == 0)
        midi_in[count++] = (midi_message){
            .frame = nframes - 1, .size = 3, .bytes = {0xB0, 64, cycle % 2 ? 0 : 127}};
    return count;
}

static bool is_silent(void)
{
    for (uint32_t i = 0; i < AUDIO_PORTS * 64; i++)
        if (fabsf(audio[i / 64][i % 64]) > 1e-3f)
            return false;
    return true;
}

/* Returns how many cycles it takes; then the room has two seconds to die away. */
static uint32_t stop(cycle_io *io)
{
    uint32_t cycles = 0;
    io->midi_in_count = 0;
    io->midi_out_capacity = 512;
    io->nframes = 64;
    engine_ask_stop(e);
    for (; !engine_has_stopped(e) && cycles < 10; cycles++, io->frame += 64)
        engine_cycle(e, io);
    for (uint32_t i = 0; i < 2 * RATE / 64; i++, io->frame += 64)
        engine_cycle(e, io);
    atomic_store(&silent_at_last, is_silent());
    return cycles;
}

static void *run_cycles(void *data)
{
    (void)data;
    uint64_t random = 2026;
    cycle_io io = {.midi_in = midi_in, .midi_out = midi_out};
    for (uint32_t i = 0; i < AUDIO_PORTS; i++)
        io.audio[i] = audio[i];
    in_cycle_thread = true;
    if (!allow_only_futex()) {
        atomic_store(&called, "no seccomp filter on this kernel");
        rest_for_ever();
    }
    for (uint32_t cycle = 0; cycle < cycles_to_run; cycle++, io.frame += io.nframes) {
        io.nframes = choose_period(&random);
        io.midi_in_count = play_solo(&random, cycle, io.nframes);
        io.midi_out_capacity = cycle % 700 < 5 ? 20 : 512;
        int before = fluid_synth_get_active_voice_count(e->synth);
        engine_cycle(e, &io);
        engine_measured(e, io.nframes * 1000u, io.nframes * 20833u);
        if (before > atomic_load(&most_voices))
            atomic_store(&most_voices, before);
        if (before >= 128 && io.midi_out_count > 0)
            atomic_fetch_add(&stolen, 1);
        if (cycle == cycles_to_run / 2)
            commit_the_planted_sin();
    }
    atomic_store(&stopped_after, stop(&io));
    atomic_store(&done, 1);
    rest_for_ever();
    return NULL;
}

/* ---- the worker ---- */

static _Atomic uint32_t slept, woken, refused_by_ring, orders_sent;

static void send_batch(uint64_t *random, uint32_t *generation, int64_t now,
                       uint8_t flags)
{
    static order_record batch[MAX_BATCH_NOTES + 1];
    uint32_t count = (uint32_t)random_from(random, 0, 400);
    if (random_next(random) % 50 == 0)
        count = MAX_BATCH_NOTES;
    int64_t from = now + random_from(random, -500, PLAN_TICKS);
    batch[0] = replace_head(++*generation, from, from + PLAN_TICKS,
                            (uint8_t)random_from(random, 1, 31),
                            (uint8_t)random_from(random, 0, 15) | flags, count);
    for (uint32_t i = 1; i <= count; i++) {
        plan_note note = {from + random_from(random, 0, PLAN_TICKS),
                          random_from(random, 1, 2 * PLAN_TICKS),
                          (uint8_t)random_from(random, 0, PART_DRUMS),
                          (uint8_t)random_from(random, 20, 110),
                          random_next(random) % 2 ? FLAG_TIE : 0};
        batch[i] = note_order(&note, *generation);
    }
    if (engine_order(e, batch, count + 1) == 0)
        atomic_fetch_add(&refused_by_ring, 1);
}

static void send_other(uint64_t *random, int64_t now)
{
    order_record o = {.tick = now + random_from(random, -200, 2000),
                      .value = random_from(random, 100000000, 1500000000),
                      .kind = (uint32_t)random_from(random, ORDER_CUTOFF,
                                                    ORDER_PROGRAM),
                      .part = (uint8_t)random_from(random, 0, PART_CLICK),
                      .key = (uint8_t)random_from(random, 0, 127)};
    if (o.part == PART_CLICK)
        o.part = SOLO_PART;
    if (engine_order(e, &o, 1) == 1)
        atomic_fetch_add(&orders_sent, 1);
}

/* Deaf for half of the time, so that `heard` fills up; silent now and then, so that
   the core vamps; and once in a while it floods the core with orders. */
static void *work(void *data)
{
    (void)data;
    uint64_t random = 77;
    uint32_t generation = 0;
    report_record reports[256];
    while (!atomic_load(&done)) {
        int waiting;
        sem_getvalue(&e->wake, &waiting);
        if (waiting == 0)
            atomic_fetch_add(&slept, 1);
        if (engine_wait(e, 20000000))
            atomic_fetch_add(&woken, 1);
        uint32_t cycle = (uint32_t)atomic_load(&e->cycles);
        bool deaf = cycle > cycles_to_run / 3 && cycle < cycles_to_run - 2000;
        while (!deaf && engine_heard(e, reports, 256) == 256)
            ;
        int64_t now = atomic_load(&e->last_tick);
        if (now == NO_TICK || cycle % 6000 > 4000 || random_next(&random) % 8 > 0)
            continue;
        uint8_t flags = cycle % 6000 > 3000 ? FLAG_VAMP : 0; /* silence comes soon */
        send_batch(&random, &generation, now, flags);
        for (uint32_t i = random_next(&random) % 4; i > 0; i--)
            send_other(&random, now);
        for (uint32_t i = 0; random_next(&random) % 300 == 0 && i < 40; i++)
            send_batch(&random, &generation, now, flags);
    }
    return NULL;
}

/* ---- the judge ---- */

/* Past stdout: a thread that was caught in printf holds its lock for ever. */
#define say(...) dprintf(STDOUT_FILENO, __VA_ARGS__)

static bool sinned(void)
{
    if (atomic_load(&called) != NULL)
        say("FAILED: the cycle thread called %s\n", atomic_load(&called));
    else if (atomic_load(&forbidden_call) >= 0)
        say("FAILED: the cycle thread made system call %d%s\n",
               atomic_load(&forbidden_call),
               atomic_load(&forbidden_call) == SYS_write ? " (write)" : "");
    else
        return false;
    return true;
}

static uint32_t failures;

static void expect(bool holds, const char *claim)
{
    if (!holds) {
        say("FAILED: %s\n", claim);
        failures++;
    }
}

static void judge(uint32_t panics)
{
    engine_counters c;
    engine_count(e, &c);
    say("realtime: %llu cycles, %llu notes, up to %d voices, %llu cycles that stole "
           "voices, %u panics, %u orders, worker slept %u and woke %u times\n",
           (unsigned long long)c.cycles, (unsigned long long)c.notes_on,
           atomic_load(&most_voices), (unsigned long long)atomic_load(&stolen), panics,
           atomic_load(&orders_sent), atomic_load(&slept), atomic_load(&woken));
    say("realtime: late %llu, dropped %llu, refused %llu, vamped %llu, lost for the "
           "worker %llu, for the recorder %llu\n",
           (unsigned long long)c.late_events, (unsigned long long)c.dropped_decisions,
           (unsigned long long)c.refused_batches, (unsigned long long)c.vamped_bars,
           (unsigned long long)c.heard_overflows,
        (unsigned long long)c.played_overflows);
    expect(c.cycles >= cycles_to_run, "all cycles ran");
    expect(atomic_load(&most_voices) >= 48, "48 voices sounded");
    expect(atomic_load(&stolen) > 0, "voices were stolen");
    say("realtime: %llu changes of the synth\n", (unsigned long long)c.swaps);
    expect(c.swaps >= 3, "the synth was changed three times");
    expect(panics > 0 && atomic_load(&e->panic_done) > 0, "panic was answered");
    expect(atomic_load(&orders_sent) > 0, "programs and tempo were changed");
    expect(atomic_load(&slept) > 0 && atomic_load(&woken) > 0, "the worker was woken");
    expect(c.heard_overflows > 0 && c.played_overflows > 0, "rings were full");
    expect(c.late_events > 0 && c.dropped_decisions > 0, "orders came late");
    expect(c.vamped_bars > 0, "bars were vamped");
    expect(atomic_load(&stopped_after) <= 2, "stop was answered within two cycles");
    expect(c.guarded_samples == 0, "every sample was finite");
    expect(atomic_load(&silent_at_last), "there was silence after the stop");
    bool silent = true;
    for (uint32_t i = 0; i < MIDI_CHANNELS * MIDI_KEYS; i++)
        silent = silent && e->sounding[i / MIDI_KEYS][i % MIDI_KEYS] == 0;
    expect(silent, "no key was left");
}

static void rest_ms(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

static void drain_played(void)
{
    static report_record played[1024];
    while (engine_played(e, played, 1024) > 0)
        ;
}

/* Offer a spare synth whenever there is one: mostly while the last one rings out. */
static void change_synths(void)
{
    static fluid_synth_t *spares[2];
    static bool begun;
    if (!begun) {
        spares[0] = synths[1];
        spares[1] = synths[2];
        begun = true;
    }
    void *back = engine_departed_synth(e);
    for (int i = 0; i < 2; i++) {
        if (spares[i] == NULL && back != NULL) {
            fluid_synth_system_reset(back);
            spares[i] = back;
            back = NULL;
        }
        if (spares[i] != NULL && atomic_load(&e->arriving) == NULL) {
            engine_offer_synth(e, spares[i]);
            spares[i] = NULL;
        }
    }
}

static engine_settings settings_of_the_test(void)
{
    engine_settings settings = plain_settings();
    settings.ns_per_quarter = 500000000;
    settings.bar_ticks = PLAN_TICKS;
    settings.click_sounds = 1;
    memset(settings.click_keys, 60, 4);
    memset(settings.click_velocities, 100, 4);
    settings.reverb = 0.25f;
    return settings;
}

int main(int argc, char **argv)
{
    static char buffer[BUFSIZ];
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer); /* so that printf needs no malloc */
    cycles_to_run = 30000;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc)
            plant = argv[++i];
        else
            cycles_to_run = (uint32_t)atoi(argv[i]);
    struct sigaction trap = {.sa_sigaction = on_forbidden_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &trap, NULL);

    for (int i = 0; i < 3; i++)
        synths[i] = real_synth_new(RATE);
    e = engine_new(RATE);
    engine_settings settings = settings_of_the_test();
    engine_configure(e, &settings);
    engine_set_synth(e, synths[0]);
    pthread_t worker, cycler;
    pthread_create(&worker, NULL, work, NULL);
    pthread_create(&cycler, NULL, run_cycles, NULL);

    uint32_t panics = 0;
    for (uint32_t turn = 1; !atomic_load(&done) && !sinned(); turn++) {
        rest_ms(2);
        uint64_t cycles = atomic_load(&e->cycles);
        if (cycles > cycles_to_run / 2)
            drain_played();
        if (cycles > cycles_to_run / 4)
            change_synths();
        if (cycles > (panics + 1) * 5990 && engine_has_panicked(e)) {
            engine_ask_panic(e);
            panics++;
        }
        if (turn > 60000) {
            say("FAILED: the cycle thread hangs after %llu cycles\n",
                   (unsigned long long)cycles);
            _exit(1);
        }
    }
    if (!atomic_load(&done))
        _exit(1);
    judge(panics);
    say("realtime: %s\n", failures == 0 ? "passed" : "failed");
    _exit(failures != 0); /* the cycle thread rests for ever */
}
