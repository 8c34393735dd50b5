"""Build the C core with cffi; run by pip when the package is installed.

Two extension modules, so that rendering offline needs no libjack: ``_core`` is the
engine with FluidSynth, ``_jack_host`` is the thin JACK caller. The tests compile
the same sources with every warning an error.
"""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "core"
RELATIVE = "jackcomp/engine/core"  # setuptools wants paths relative to setup.py
SOURCES = ("ring", "clock", "events", "plan", "click", "reverb", "cycle", "engine")
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"]

CORE_API = """
typedef struct { int64_t frame; int64_t tick_fp; int64_t ns_per_quarter;
                 int64_t rate; } clock_anchor;
typedef ... engine;
int64_t tick_to_frame(const clock_anchor *a, int64_t tick);
int64_t frame_to_tick(const clock_anchor *a, int64_t frame);
clock_anchor clock_retempo(const clock_anchor *a, int64_t tick, int64_t ns);
engine *engine_new(int64_t rate);
void engine_free(engine *e);
void engine_configure(engine *e, const engine_settings *settings);
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
void engine_ask_panic(engine *e);
void engine_ask_stop(engine *e);
bool engine_has_panicked(engine *e);
bool engine_has_stopped(engine *e);
void synth_be_quiet(void);
#define NO_TICK ...
#define RING_RECORDS ...
#define CYCLE_BUCKETS ...
#define MAX_BATCH_NOTES ...
enum { AUDIO_PORTS = ... };
enum { START_COUNT_IN = ..., START_FIRST_NOTE = ..., START_TRANSPORT = ... };
enum { HEARD_MIDI = ..., HEARD_CUTOFF = ..., HEARD_STARTED = ..., HEARD_STOPPED = ...,
       HEARD_APPLIED = ..., HEARD_DROPPED = ..., HEARD_LOST = ..., PLAYED_MIDI = ... };
enum { ORDER_REPLACE = ..., ORDER_NOTE = ..., ORDER_CUTOFF = ..., ORDER_TEMPO = ...,
       ORDER_PROGRAM = ... };
enum { FLAG_CUT = ..., FLAG_DEADLINE = ..., FLAG_TIE = ..., FLAG_VAMP = ... };
"""

HOST_API = """
typedef ... jack_host;
jack_host *jack_host_new(uintptr_t client, uintptr_t midi_in, uintptr_t midi_out,
                         const uintptr_t *audio, uintptr_t core, uintptr_t cycle,
                         uintptr_t measure);
void jack_host_free(jack_host *h);
uint32_t jack_host_period(jack_host *h);
bool jack_host_is_gone(jack_host *h);
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
jack_host.cdef(HOST_API)
jack_host.set_source(
    "jackcomp.engine._jack_host",
    '#include "jack_host.h"\n',
    sources=[f"{RELATIVE}/jack_host.c"],
    include_dirs=[str(HERE)],
    libraries=["jack"],
    extra_compile_args=FLAGS,
)
