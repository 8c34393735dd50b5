"""Build the C core with cffi; run by pip when the package is installed.

Two extension modules, so that rendering offline needs no libjack: ``_core`` is the
engine with FluidSynth, ``_jack_host`` is the thin JACK caller. The tests compile
the same sources with every warning an error.
"""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "core"
RELATIVE = "jackcomp/engine/core"  # setuptools wants paths relative to setup.py
SOURCES = (
    *("ring", "clock", "events", "plan", "click", "reverb", "sound"),
    *("font_file", "midi_clock", "sync", "cycle", "engine"),
)
HOST_HEADERS = ("core", "records", "bbt", "jack_host", "jack_room")
HOST_SOURCES = ("jack_host", "jack_transport", "jack_latency", "bbt", "clock")
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O3", "-Wall", "-Wextra"]

CORE_API = """
typedef struct { int64_t frame; int64_t tick_fp; int64_t ns_per_quarter;
                 int64_t rate; } clock_anchor;
typedef ... engine;
int64_t tick_to_frame(const clock_anchor *a, int64_t tick);
int64_t frame_to_tick(const clock_anchor *a, int64_t frame);
int64_t frame_to_tick_fp(const clock_anchor *a, int64_t frame);
clock_anchor clock_retempo(const clock_anchor *a, int64_t tick, int64_t ns);
engine *engine_new(int64_t rate);
void engine_free(engine *e);
void engine_configure(engine *e, const engine_settings *settings);
int engine_lock_memory(engine *e, bool all);
void engine_set_synth(engine *e, void *synth);
void engine_cycle(engine *e, cycle_io *io);
void engine_measured(engine *e, uint64_t cycle_ns, uint64_t period_ns);
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
void *engine_offer_synth(engine *e, void *synth);
void *engine_departed_synth(engine *e);
void engine_wait_swap(engine *e);
void engine_wake_swap(engine *e);
bool synth_read_in_pieces(void *synth);
void synth_rehearse(void *synth);
void synth_be_quiet(void);
#define NO_TICK ...
#define WINDING_NS ...
#define RING_RECORDS ...
#define CYCLE_BUCKETS ...
#define MAX_BATCH_NOTES ...
enum { AUDIO_PORTS = ... };
enum { START_COUNT_IN = ..., START_FIRST_NOTE = ..., START_TRANSPORT = ...,
       START_MIDI_CLOCK = ..., START_TAPS = ... };
enum { HEARD_MIDI = ..., HEARD_CUTOFF = ..., HEARD_STARTED = ..., HEARD_STOPPED = ...,
       HEARD_APPLIED = ..., HEARD_DROPPED = ..., HEARD_LOST = ..., PLAYED_MIDI = ...,
       HEARD_TEMPO = ..., HEARD_TAP = ... };
enum { ORDER_REPLACE = ..., ORDER_NOTE = ..., ORDER_CUTOFF = ..., ORDER_TEMPO = ...,
       ORDER_PROGRAM = ... };
enum { FLAG_CUT = ..., FLAG_DEADLINE = ..., FLAG_TIE = ..., FLAG_VAMP = ... };
"""

HOST_API = """
typedef ... jack_host;
typedef struct { uint32_t capture_min, capture_max, playback_min, playback_max;
} port_latency;
jack_host *jack_host_new(uintptr_t client, const uintptr_t *ports, uintptr_t core,
                         uintptr_t cycle, uintptr_t measure, uintptr_t await);
void jack_host_free(jack_host *h);
uint32_t jack_host_period(jack_host *h);
bool jack_host_is_gone(jack_host *h);
uint32_t jack_host_changes(jack_host *h);
uint32_t jack_host_births(jack_host *h, const char *name);
uint32_t jack_host_foreign_beats(jack_host *h);
int jack_host_lead(jack_host *h);
port_latency jack_latency(uintptr_t client, const char *port);
"""

core = FFI()
core.cdef((HERE / "records.h").read_text(encoding="utf-8") + CORE_API)
core.set_source(
    "jackcomp.engine._core",
    '#include "core.h"\n',
    sources=[f"{RELATIVE}/{name}.c" for name in SOURCES],
    depends=[f"{RELATIVE}/{name}.h" for name in ("core", "records")],
    include_dirs=[str(HERE)],
    libraries=["fluidsynth", "m"],
    extra_compile_args=FLAGS,
)

jack_host = FFI()
jack_host.cdef((HERE / "bbt.h").read_text(encoding="utf-8") + HOST_API)
jack_host.set_source(
    "jackcomp.engine._jack_host",
    '#include "jack_host.h"\n',
    sources=[f"{RELATIVE}/{name}.c" for name in HOST_SOURCES],
    depends=[f"{RELATIVE}/{name}.h" for name in HOST_HEADERS],
    include_dirs=[str(HERE)],
    libraries=["jack", "m"],
    extra_compile_args=FLAGS,
)
