/* A stage for one engine: its cycle buffers, the orders that a worker would send,
   and a log of everything that went to midi_out.

   By default a tick is a frame (1500 quarters a minute at 48 kHz), there is no
   click, and the clock starts at tick 0 with the first cycle. */

#ifndef STAGE_H
#define STAGE_H

#include "core.h"

#define STAGE_MIDI 512u
#define STAGE_LOG 65536u
#define FRAME_IS_TICK 40000000 /* ns per quarter */
#define BAR 7680               /* ticks in a bar of 4/4 */
#define CHORDS (1u << PART_CHORDS)
#define BASS (1u << PART_BASS)

typedef struct {
    int64_t frame; /* absolute */
    uint8_t bytes[3];
} sent_message;

typedef struct {
    engine *e;
    cycle_io io;
    float *audio[AUDIO_PORTS]; /* exactly one period each, so overruns are seen */
    uint32_t audio_frames;
    midi_message in[STAGE_MIDI];
    midi_message out[STAGE_MIDI];
    sent_message log[STAGE_LOG];
    uint32_t sent;             /* messages in the log */
    uint32_t generation;       /* of the last batch */
    bool silent;               /* render no audio */
} stage;

typedef struct {
    int64_t tick, duration;
    uint8_t part, key, flags;
} plan_note;

engine_settings plain_settings(void);
stage *stage_new(const engine_settings *settings, int64_t rate, void *synth);
void stage_free(stage *s);
void stage_cycle(stage *s, uint32_t nframes);
void stage_until(stage *s, int64_t frame, uint32_t period);
void stage_hear(stage *s, uint32_t frame, uint8_t status, uint8_t key, uint8_t value);

order_record replace_head(uint32_t generation, int64_t from, int64_t end,
                          uint8_t parts, uint8_t flags, uint32_t count);
order_record note_order(const plan_note *note, uint32_t generation);
/* Both return what engine_order returns. */
int stage_replace(stage *s, int64_t from, int64_t end, uint8_t parts, uint8_t flags,
                   const plan_note *notes, uint32_t count);
int stage_order(stage *s, uint32_t kind, int64_t tick, int64_t value,
                 uint32_t generation);
engine_counters stage_counters(const stage *s);

/* The log as text: "0 +60, 100 -60"; channels other than the first as "2:+40". */
const char *stage_text(const stage *s);
/* How many reports of a kind wait for the worker; they are taken, the last one
   of that kind is copied to `last` unless it is null. */
uint32_t stage_heard(stage *s, uint32_t kind, report_record *last);
bool nothing_sounds(const stage *s);

/* A small deterministic random generator (xorshift). */
uint32_t random_next(uint64_t *state);
int64_t random_from(uint64_t *state, int64_t low, int64_t high);

#endif
