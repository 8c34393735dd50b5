/* The real-time room. Everything that a cycle touches lives in one `engine`.

   Functions marked RT_SAFE run in the audio thread: they allocate nothing, take
   no lock, print nothing, make no system call but the wake-up post, and every
   loop in them is bounded by a constant below or by the period. The core knows
   ticks, notes and parts; it has no idea what a chord is. */

#ifndef JACKCOMP_CORE_H
#define JACKCOMP_CORE_H

#include <fluidsynth.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "records.h"

#define RT_SAFE

#define TICKS_PER_QUARTER INT64_C(1920)
#define CLOCK_TICKS (TICKS_PER_QUARTER / 24) /* from one MIDI clock to the next */
#define NO_TICK INT64_MIN
#define WINDING_NS 6000000     /* per quarter: no music, but a clock that is wound on */
#define MAX_EVENTS 4096u       /* heap slots: notes waiting or sounding, cut-offs */
#define MAX_BATCH_NOTES 1024u  /* notes in one replace */
#define MAX_BAR_NOTES 256u     /* notes of the bar that is kept for the vamp */
#define MAX_ORDERS 64u         /* orders or batches taken in one cycle */
#define MAX_BATCHES 8u         /* of which replaces: each walks the whole heap */
#define RING_RECORDS 8192u     /* a power of two */
#define CYCLE_BUCKETS 512u     /* cycle-time histogram, a sixteenth of an octave each */
#define REVERB_LINES 8u
#define REVERB_FRAMES 16384u   /* longest delay line */
#define MIDI_CHANNELS 16u
#define MIDI_KEYS 128u
#define PARTS 6u
#define SOLO_CHANNEL 0         /* synth channels: the soloist on the even group, */
#define PART_CHANNEL(part) (2 * (part) + 1) /* the parts on the odd one */
#define SOLO_PART 255          /* ORDER_PROGRAM for the soloist's own sound */

enum { AUDIO_LEFT, AUDIO_RIGHT, AUDIO_SOLO_LEFT, AUDIO_SOLO_RIGHT, AUDIO_CLICK,
       AUDIO_PORTS };
enum { PART_CHORDS, PART_BASS, PART_PAD, PART_GUITAR, PART_DRUMS, PART_CLICK };
enum { START_COUNT_IN, START_FIRST_NOTE, START_TRANSPORT, START_MIDI_CLOCK, START_TAPS };
enum { HEARD_MIDI = 1, HEARD_CUTOFF, HEARD_STARTED, HEARD_STOPPED, HEARD_APPLIED,
       HEARD_DROPPED, HEARD_LOST, PLAYED_MIDI, HEARD_TEMPO, HEARD_TAP };
enum { ORDER_REPLACE = 1, ORDER_NOTE, ORDER_CUTOFF, ORDER_TEMPO, ORDER_PROGRAM };
enum { FLAG_CUT = 1,       /* replace: end what sounds at its first tick */
       FLAG_DEADLINE = 2,  /* replace: drop the batch when it comes too late */
       FLAG_TIE = 4,       /* note: if this key sounds, let it live on */
       FLAG_VAMP = 8 };    /* replace: repeat the last bar if nothing follows */

/* ---- ring.c: one writer, one reader, whole batches or nothing ---- */

typedef struct {
    _Atomic uint32_t written; /* records ever written; only the writer stores */
    char writer_line[60];     /* keeps the two counters on separate cache lines */
    _Atomic uint32_t read;    /* records ever read; only the reader stores */
    char reader_line[60];
    unsigned char records[RING_RECORDS * 32u];
} ring;

uint32_t ring_waiting(const ring *r) RT_SAFE;
bool ring_write(ring *r, const void *records, uint32_t count) RT_SAFE;
uint32_t ring_peek(const ring *r, uint32_t skip, void *records, uint32_t count) RT_SAFE;
void ring_advance(ring *r, uint32_t count) RT_SAFE;
uint32_t ring_read(ring *r, void *records, uint32_t count) RT_SAFE;

/* ---- clock.c: ticks and frames from an anchor, twin of timeline/clock.py ---- */

typedef struct {
    int64_t frame;          /* absolute frame of the anchor */
    int64_t tick_fp;        /* its tick, 32.32 fixed point */
    int64_t ns_per_quarter; /* tempo from here on */
    int64_t rate;           /* frames per second */
} clock_anchor;

int64_t tick_to_frame(const clock_anchor *a, int64_t tick) RT_SAFE;
int64_t frame_to_tick(const clock_anchor *a, int64_t frame) RT_SAFE;
int64_t frame_to_tick_fp(const clock_anchor *a, int64_t frame) RT_SAFE;
clock_anchor clock_retempo(const clock_anchor *a, int64_t tick,
                           int64_t ns_per_quarter) RT_SAFE;
bool clock_winds(const clock_anchor *a) RT_SAFE;
int64_t round_up(int64_t tick, int64_t unit) RT_SAFE;

/* ---- midi_clock.c: 24 clocks to a quarter, in and out ---- */

typedef struct {
    bool runs;            /* between start or continue and stop */
    int64_t next;         /* number of the next clock, from the song's start */
    bool locked;          /* period and due are known */
    double due;           /* when the next clock is expected, in frames */
    double period;        /* frames from clock to clock, filtered */
    int64_t last;         /* frame of the last clock */
    uint32_t heard;       /* clocks since the filter was reset */
} midi_clock;

bool midi_clock_tick(midi_clock *c, int64_t frame, int64_t rate,
                     const clock_anchor *now, clock_anchor *there) RT_SAFE;

/* ---- events.c: a heap ordered by tick, and the replacing of plans ---- */

/* The order at one tick: what ends, then what is asked, then what begins. */
enum { EVENT_OFF, EVENT_CUTOFF, EVENT_TEMPO, EVENT_ON };

typedef struct {
    int64_t tick;        /* when it fires next */
    int64_t value;       /* note: its end tick; tempo: ns per quarter */
    uint32_t sequence;   /* order of arrival, for events at one tick */
    uint32_t generation; /* of the batch or cut-off */
    uint8_t kind;        /* EVENT_ */
    uint8_t part;
    uint8_t key;
    uint8_t velocity;
} event;

typedef struct {
    event slots[MAX_EVENTS]; /* binary heap, the next event first */
    uint32_t count;
    uint32_t next_sequence;
} event_heap;

bool heap_push(event_heap *h, event e) RT_SAFE;
event heap_pop(event_heap *h) RT_SAFE;
void heap_order(event_heap *h) RT_SAFE;

/* ---- reverb.c: a feedback delay network of eight lines ---- */

typedef struct {
    float lines[REVERB_LINES][REVERB_FRAMES];
    float damped[REVERB_LINES];      /* state of the low-pass in each line */
    uint32_t length[REVERB_LINES];   /* delay in frames */
    float feedback[REVERB_LINES];    /* from the decay time */
    float damping;                   /* one-pole coefficient */
    uint32_t position[REVERB_LINES]; /* where each line is read and written next */
} reverb;

void reverb_init(reverb *r, int64_t rate);
void reverb_add(reverb *r, float *left, float *right, uint32_t nframes,
                float send) RT_SAFE;

/* ---- sound.c: the synth that plays, and the one that rings out ---- */

typedef struct engine engine;

void sound_change(engine *e) RT_SAFE;
void sound_replace(engine *e, fluid_synth_t *next);
void sound_on(engine *e, int channel, int key, int velocity) RT_SAFE;
void sound_off(engine *e, int channel, int key) RT_SAFE;
void sound_gesture(engine *e, uint8_t status, int key, int value) RT_SAFE;
void sound_release_solo(engine *e) RT_SAFE;
void sound_silence(engine *e) RT_SAFE;
void sound_render(engine *e, float *groups[4], uint32_t nframes) RT_SAFE;

/* ---- click.c ---- */

typedef struct {
    float phase;     /* 0 to 1 */
    float increment; /* cycles per frame */
    float level;     /* 0 when silent */
    float decay;     /* per frame */
} click_voice;

void click_strike(click_voice *c, uint8_t key, uint8_t velocity, int64_t rate) RT_SAFE;
void click_render(click_voice *c, float *out, uint32_t nframes) RT_SAFE;

/* ---- the engine ---- */

struct engine {
    engine_settings settings;
    fluid_synth_t *synth;         /* touched by nobody but the cycle; may be null */
    fluid_synth_t *leaving;       /* the one before, while it rings out; or null */
    float leaving_gain;           /* that it had while it played */
    int64_t left_frame;           /* when it was replaced */
    uint8_t pressure;             /* of the soloist's channel */
    _Atomic(fluid_synth_t *) arriving; /* loaded, not yet taken by a cycle */
    _Atomic(fluid_synth_t *) departed; /* silent, not yet taken to be freed */
    sem_t swapped;                /* a synth has come or gone */
    clock_anchor anchor;
    bool rolling;
    int64_t transport_origin;     /* frame at which the transport's frame 0 fell */
    int64_t rate;
    int64_t cycle_frame;          /* first frame of the cycle that runs */
    int64_t played_until;         /* end of the cycle before it */
    event_heap heap;
    order_record batch[MAX_BATCH_NOTES]; /* notes of the batch being applied */
    event kept[MAX_EVENTS];       /* scratch space of replace */
    event bar[MAX_BAR_NOTES];     /* the last bar of the plan, from its start */
    uint32_t bar_count;
    int64_t plan_end;             /* tick where the plan, or the vamp, ends */
    bool vamp;                    /* go on by repeating the last bar */
    uint32_t applied[PARTS];      /* generation last applied to each part */
    uint8_t sounding[MIDI_CHANNELS][MIDI_KEYS]; /* owners of each key, by channel */
    int64_t next_click;           /* tick */
    int64_t next_clock;           /* tick of the next MIDI clock that we send */
    int64_t song_tick;            /* where it says start or continue, on a sixteenth */
    midi_clock clock_in;          /* the MIDI clock that we follow */
    int64_t told_ns, told_tick;   /* the tempo that the worker knows, and since when */
    uint32_t masterless;          /* cycles since a timebase master last spoke */
    bool transport_rolled;        /* it did in the cycle before, when we lead */
    bool waits;                   /* the transport that we lead was stopped */
    int64_t struck[MIDI_KEYS];    /* frame at which the soloist struck each key */
    uint8_t struck_velocity[MIDI_KEYS]; /* 0 while the key is up */
    click_voice click;
    reverb rooms[2];              /* accompaniment, soloist */
    bool lost;                    /* the worker has missed a record */
    bool posted;                  /* something was written for the worker */
    bool out_full;                /* midi_out took no more in this cycle */
    ring heard;                   /* core to worker */
    ring played;                  /* core to recorder */
    ring orders;                  /* worker to core */
    sem_t wake;                   /* something waits for the worker */
    sem_t thought;                /* it has answered, and is waited for */
    _Atomic uint32_t awaited;
    _Atomic uint32_t panic_asked, panic_done;
    _Atomic uint32_t stop_asked, stop_done;
    _Atomic uint32_t solo_asked, solo_done; /* to release the soloist's notes */
    _Atomic uint32_t taps_asked, taps_done; /* beats from elsewhere than midi_in */
    _Atomic uint32_t posts, answered; /* cycles with something for the worker */
    _Atomic float gain_asked, solo_gain_asked, reverb_asked; /* for the settings */
    _Atomic int click_asked;
    bool stopped;                 /* by stop: only silence from now on */
    /* Counters: written by the audio thread, read by anyone. */
    _Atomic uint64_t cycles, notes_on, notes_off, late_events, dropped_decisions;
    _Atomic uint64_t stale_batches, refused_batches, heard_overflows;
    _Atomic uint64_t played_overflows, vamped_bars, guarded_samples, midi_out_lost;
    _Atomic uint64_t xruns, own_misses, max_cycle_ns, solo_notes, swaps, late_tempos;
    _Atomic int64_t last_frame, last_tick;
    _Atomic uint32_t cycle_histogram[CYCLE_BUCKETS];
};

engine *engine_new(int64_t rate);
void engine_free(engine *e);
void engine_configure(engine *e, const engine_settings *settings);
int engine_lock_memory(engine *e, bool all);
void engine_set_synth(engine *e, void *synth);
void plan_take_orders(engine *e) RT_SAFE;               /* plan.c */
void plan_vamp(engine *e, int64_t frame) RT_SAFE;
void engine_report(engine *e, uint32_t kind, int64_t tick, int64_t frame,
                   uint32_t generation, const uint8_t bytes[4]) RT_SAFE; /* cycle.c */
void engine_cycle(engine *e, cycle_io *io) RT_SAFE;
void clock_start(engine *e, int64_t frame, const clock_anchor *from) RT_SAFE;
void clock_stop(engine *e, cycle_io *io) RT_SAFE;
void send_clock(engine *e, cycle_io *io, uint32_t pos, uint8_t status,
                uint32_t value) RT_SAFE;
void sync_transport(engine *e, cycle_io *io) RT_SAFE;             /* sync.c */
void sync_control(engine *e, cycle_io *io, const midi_message *m) RT_SAFE;
void sync_send_clock(engine *e, cycle_io *io, uint32_t pos) RT_SAFE;
void engine_measured(engine *e, uint64_t cycle_ns, uint64_t period_ns) RT_SAFE;

/* For the worker and the recorder; these may wait. */
int engine_order(engine *e, const order_record *orders, uint32_t count);
uint32_t engine_heard(engine *e, report_record *records, uint32_t count);
uint32_t engine_played(engine *e, report_record *records, uint32_t count);
bool engine_wait(engine *e, int64_t timeout_ns);
void engine_wake(engine *e);
void engine_count(engine *e, engine_counters *counters);
void engine_histogram(engine *e, uint32_t *buckets);
uint64_t engine_bucket_ns(uint32_t bucket);
uint32_t engine_posts(engine *e);
void engine_answer(engine *e, uint32_t posts);
bool engine_await_answer(engine *e, int64_t timeout_ns);
void engine_change_rate(engine *e, int64_t rate, void *synth);
void engine_mix(engine *e, float gain, float solo_gain, float reverb, bool click);
void engine_ask_panic(engine *e);
void engine_ask_release(engine *e);
void engine_ask_tap(engine *e);
void engine_ask_stop(engine *e);
bool engine_has_panicked(engine *e);
bool engine_has_stopped(engine *e);
void *engine_offer_synth(engine *e, void *synth); /* sound.c */
void *engine_departed_synth(engine *e);
void engine_wait_swap(engine *e);
void engine_wake_swap(engine *e);
bool synth_read_in_pieces(void *synth); /* font_file.c */
void synth_rehearse(void *synth);
void synth_be_quiet(void);

#define COUNT(counter) \
    atomic_fetch_add_explicit(&(counter), 1, memory_order_relaxed)

#endif
