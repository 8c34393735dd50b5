/* The records that cross threads. build_core.py hands this very file to cffi,
   and link.py compares it with the layouts of messages.py at import, so that a
   record is declared once on each side and never drifts. Every record is 32
   bytes long. Plain declarations only: cffi does not run the preprocessor. */

/* From the core to the worker (`heard`) and to the recorder (`played`). */
typedef struct {
    int64_t tick;        /* musical position; NO_TICK while the clock stands */
    int64_t frame;       /* the same moment in absolute frames */
    uint32_t kind;       /* one of the HEARD_ or PLAYED_ kinds */
    uint32_t generation; /* which decision or batch it answers */
    uint8_t bytes[4];    /* MIDI status, two data bytes, part */
    uint32_t spare;
} report_record;

/* From the worker to the core. A batch is one ORDER_REPLACE and `count` notes. */
typedef struct {
    int64_t tick;        /* when; ORDER_REPLACE: from this tick on */
    int64_t value;       /* duration, end of the plan, or ns per quarter */
    uint32_t kind;       /* one of the ORDER_ kinds */
    uint32_t generation; /* rises with every batch; cut-offs carry it back */
    uint8_t part;        /* part number; ORDER_REPLACE: bit mask of parts */
    uint8_t key;         /* MIDI note, program or controller */
    uint8_t velocity;    /* MIDI velocity or controller value */
    uint8_t flags;       /* FLAG_ bits */
    uint32_t count;      /* ORDER_REPLACE: how many notes follow */
} order_record;

/* One MIDI message inside a cycle. */
typedef struct {
    uint32_t frame;      /* offset from the start of the cycle */
    uint8_t size;        /* bytes used, 1 to 3 */
    uint8_t bytes[3];
} midi_message;

/* What one cycle reads and writes; the host owns the memory. */
typedef struct {
    int64_t frame;               /* absolute frame of the first sample */
    uint32_t nframes;            /* the period */
    const midi_message *midi_in; /* sorted by frame */
    uint32_t midi_in_count;
    const midi_message *control_in; /* sorted by frame */
    uint32_t control_in_count;
    midi_message *midi_out;
    uint32_t midi_out_capacity;
    uint32_t midi_out_count;     /* written by the cycle */
    float *audio[5];             /* AUDIO_ order; a null pointer is not rendered */
    int transport_rolling;
    int64_t transport_frame;     /* transport position of the first sample */
    int transport_has_tick;      /* a timebase master says bar, beat and tempo: */
    int64_t transport_tick_fp;   /* its tick at the first sample, 32.32 fixed point */
    int64_t transport_ns_per_quarter; /* its tempo */
} cycle_io;

/* How the engine starts and clicks; copied by engine_configure. */
typedef struct {
    int64_t ns_per_quarter;
    int64_t bar_ticks;
    int64_t beat_ticks;          /* the meter's denominator note */
    int64_t start_tick;          /* negative: count-in or pickup */
    int64_t pulse_ticks;         /* distance of two clicks */
    uint32_t start_mode;         /* one of START_ */
    uint32_t pulses;             /* clicks in a bar, at most 32 */
    uint8_t click_keys[32];      /* pitch of each click */
    uint8_t click_velocities[32]; /* 0 is silent */
    int solo_sounds;             /* the soloist's notes go to the synth */
    int click_sounds;            /* click also after the count-in */
    int leads;                   /* the transport starts with our clock */
    int sends_clock;             /* MIDI clock goes out on midi_out */
    float gain;                  /* accompaniment, linear */
    float solo_gain;             /* soloist, linear */
    float reverb;                /* send of both groups, linear */
} engine_settings;

/* A snapshot of the counters. */
typedef struct {
    uint64_t cycles;
    uint64_t notes_on;           /* sent to midi_out, clicks not counted */
    uint64_t notes_off;
    uint64_t late_events;        /* notes whose frame was already played */
    uint64_t dropped_decisions;  /* batches that came after their cut-off */
    uint64_t stale_batches;      /* batches older than one applied */
    uint64_t refused_batches;    /* batches for which the heap had no room */
    uint64_t heard_overflows;    /* records that the worker could not take */
    uint64_t played_overflows;
    uint64_t vamped_bars;        /* bars that the core repeated by itself */
    uint64_t guarded_samples;    /* not finite, replaced by silence */
    uint64_t midi_out_lost;      /* messages that JACK had no room for */
    uint64_t xruns;              /* reported by JACK */
    uint64_t own_misses;         /* our cycle lasted longer than a period */
    uint64_t max_cycle_ns;
    uint64_t solo_notes;         /* struck by the soloist */
    uint64_t swaps;              /* synths taken over from the loading thread */
    uint64_t late_tempos;        /* tempi that hold from later on than was asked */
    int64_t last_frame;          /* first frame after the last cycle */
    int64_t last_tick;           /* NO_TICK while the clock stands */
} engine_counters;
