"""The C engine seen from Python: its rings, its wake-up, its counters.

One thread may send orders and read what was heard (the worker), one may read what
was played (the recorder), and any may ask for panic, stop and counters.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields

from jackcomp import messages
from jackcomp.engine import _core
from jackcomp.engine.limits import read_limits
from jackcomp.errors import EngineError
from jackcomp.messages import Order, Report
from jackcomp.timeline.meter import TICKS_PER_QUARTER

ffi, lib = _core.ffi, _core.lib

_READ_RECORDS = 1024
_MEND_LIMITS = "'jackcomp doctor' says how to mend it"


def _compare_layouts() -> None:
    """Fail at import if C and Python disagree about a record."""
    names = {
        "report_record": ("tick", "frame", "kind", "generation", "bytes", "spare"),
        "order_record": (
            *("tick", "value", "kind", "generation"),
            *("part", "key", "velocity", "flags", "count"),
        ),
    }
    offsets = {
        "report_record": (0, 8, 16, 20, 24, 28),
        "order_record": (0, 8, 16, 20, 24, 25, 26, 27, 28),
    }
    for record, layout in (
        ("report_record", messages.REPORT_LAYOUT),
        ("order_record", messages.ORDER_LAYOUT),
    ):
        found = tuple(ffi.offsetof(record, name) for name in names[record])
        if found != offsets[record] or ffi.sizeof(record) != layout.size:
            raise ImportError(f"{record}: the C core and messages.py differ")
    for prefix, enum in (("ORDER", messages.OrderKind), ("FLAG", messages.Flag)):
        for member in enum:
            if getattr(lib, f"{prefix}_{member.name}") != member:
                raise ImportError(f"{member!r}: the C core and messages.py differ")
    for kind in messages.ReportKind:
        name = "PLAYED_MIDI" if kind.name == "PLAYED" else f"HEARD_{kind.name}"
        if getattr(lib, name) != kind:
            raise ImportError(f"{kind!r}: the C core and messages.py differ")


_compare_layouts()


@dataclass(frozen=True, slots=True)
class Counters:
    """What the core has counted since it began; see ``records.h``."""

    cycles: int
    notes_on: int
    notes_off: int
    late_events: int
    dropped_decisions: int
    stale_batches: int
    refused_batches: int
    heard_overflows: int
    played_overflows: int
    vamped_bars: int
    guarded_samples: int
    midi_out_lost: int
    xruns: int
    own_misses: int
    max_cycle_ns: int
    solo_notes: int
    swaps: int
    late_tempos: int
    last_frame: int
    last_tick: int | None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the core starts, clicks and mixes; see ``engine_settings``.

    ``click`` has a pair (MIDI note, velocity) for each pulse of a bar; velocity 0
    is silent, 100 and more is an accent. With ``leads`` JACK's transport starts with
    our clock; with ``sends_clock`` MIDI clock goes out on ``midi_out``.
    """

    ns_per_quarter: int
    bar_ticks: int
    pulse_ticks: int
    click: tuple[tuple[int, int], ...]
    beat_ticks: int = TICKS_PER_QUARTER
    start_tick: int = 0
    start: str = "count-in"
    solo_sounds: bool = True
    click_sounds: bool = False
    gain: float = 1.0
    solo_gain: float = 1.0
    reverb: float = 0.25
    leads: bool = False
    sends_clock: bool = False


_START_MODES = {
    "count-in": lib.START_COUNT_IN,
    "first-note": lib.START_FIRST_NOTE,
    "transport": lib.START_TRANSPORT,
    "midi-clock": lib.START_MIDI_CLOCK,
    "taps": lib.START_TAPS,
}


class Engine:
    """One core, made for one sample rate; ``close`` frees it."""

    def __init__(
        self, rate: int, settings: EngineSettings, synth: int | None = None
    ) -> None:
        self.rate = rate
        self._engine = lib.engine_new(rate)
        if self._engine == ffi.NULL:
            raise EngineError("cannot make the engine: no memory left")
        lib.engine_configure(self._engine, _c_settings(settings))
        lib.engine_set_synth(self._engine, _void(synth))
        self._records = ffi.new("report_record[]", _READ_RECORDS)
        self._played = ffi.new("report_record[]", _READ_RECORDS)

    def close(self) -> None:
        """Free the core; no host may run it any more."""
        if self._engine != ffi.NULL:
            lib.engine_free(self._engine)
            self._engine = ffi.NULL

    def lock_memory(self) -> str:
        """Keep what the cycle touches in memory, as far as the system permits.

        Without a limit, all memory of the process is locked once it was touched.
        With one, the core's own is: locking more would make allocations fail when
        the limit is reached.

        Returns
        -------
        str
            What is not locked and why, in one line; empty if all is.
        """
        limit = read_limits().memlock_bytes
        error = lib.engine_lock_memory(self._engine, limit is None)
        if error:
            return f"memory is not locked ({os.strerror(error)}): {_MEND_LIMITS}"
        if limit is not None:
            allowed = f"only {limit // 2**20} MiB may be"
            return (
                f"memory is not locked, but for the core's ({allowed}): {_MEND_LIMITS}"
            )
        return ""

    @property
    def pointer(self) -> int:
        """The core's address, for the hosts."""
        return int(ffi.cast("uintptr_t", self._engine))

    def cycle(self, io: object) -> None:
        """Run one cycle here and now; for the offline host."""
        lib.engine_cycle(self._engine, io)

    def order(self, order: Order) -> bool:
        """Send one order or batch; False if the ring is full: send it again later.

        Raises
        ------
        ValueError
            If the core could not play it: a part, key, velocity or duration out
            of range, or too many notes.
        """
        data = messages.pack_order(order)
        records = ffi.from_buffer("order_record[]", data)
        written = lib.engine_order(self._engine, records, len(records))
        if written < 0:
            raise ValueError(f"{order}: the core cannot play it")
        return bool(written)

    def heard(self) -> list[Report]:
        """Take what waits for the worker, oldest first."""
        count = lib.engine_heard(self._engine, self._records, _READ_RECORDS)
        return self._unpack(self._records, count)

    def played(self) -> list[Report]:
        """Take what was sent to ``midi_out`` since the last call, oldest first."""
        reports: list[Report] = []
        while count := lib.engine_played(self._engine, self._played, _READ_RECORDS):
            reports += self._unpack(self._played, count)
        return reports

    def _unpack(self, records: object, count: int) -> list[Report]:
        if count == 0:
            return []
        size = count * messages.REPORT_LAYOUT.size
        return messages.unpack_reports(ffi.buffer(records, size)[:], lib.NO_TICK)

    def wait(self, seconds: float) -> bool:
        """Sleep, without the interpreter lock, until the core wakes the worker."""
        return bool(lib.engine_wait(self._engine, int(seconds * 1e9)))

    def wake(self) -> None:
        """Wake the worker, for instance to end it."""
        lib.engine_wake(self._engine)

    def posts(self) -> int:
        """Count how often the core had something for the worker, now included."""
        return int(lib.engine_posts(self._engine))

    def answer(self, posts: int) -> None:
        """Say that all is answered that waited when there were so many posts."""
        lib.engine_answer(self._engine, posts)

    def change_rate(self, rate: int, synth: int | None) -> None:
        """Go on at another sample rate, with a synth of that rate; while no host runs.

        Plan, position, tempo and the state of each channel stay; what rings ends, and
        no cycle touches another synth again.
        """
        self.rate = rate
        lib.engine_change_rate(self._engine, rate, _void(synth))

    def ask_release(self) -> None:
        """Release the soloist's notes in the next cycle; the plan goes on."""
        lib.engine_ask_release(self._engine)

    def ask_tap(self) -> None:
        """Report a tap at the start of the next cycle; it may begin a count-in."""
        lib.engine_ask_tap(self._engine)

    def mix(self, gain: float, solo_gain: float, reverb: float, click: bool) -> None:
        """Change gains, reverb and whether it clicks, from the next cycle on."""
        lib.engine_mix(self._engine, gain, solo_gain, reverb, click)

    def ask_panic(self) -> None:
        """Silence everything in the next cycle and go on."""
        lib.engine_ask_panic(self._engine)

    def has_panicked(self) -> bool:
        """Tell whether the last panic was carried out."""
        return bool(lib.engine_has_panicked(self._engine))

    def ask_stop(self) -> None:
        """Release everything in the next cycle and stay silent."""
        lib.engine_ask_stop(self._engine)

    def has_stopped(self) -> bool:
        """Tell whether the stop was carried out."""
        return bool(lib.engine_has_stopped(self._engine))

    def offer_synth(self, synth: int | None) -> int | None:
        """Offer a synth to the next cycle, or withdraw what was offered.

        Returns
        -------
        int or None
            The address of a synth that was offered before and never taken.
        """
        given = ffi.NULL if synth is None else ffi.cast("void *", synth)
        return _address(lib.engine_offer_synth(self._engine, given))

    def departed_synth(self) -> int | None:
        """Return the address of a synth that no cycle will touch again, once."""
        return _address(lib.engine_departed_synth(self._engine))

    def wait_swap(self) -> None:
        """Sleep, without the interpreter lock, until a synth has come or gone."""
        lib.engine_wait_swap(self._engine)

    def wake_swap(self) -> None:
        """Wake who waits in `wait_swap`."""
        lib.engine_wake_swap(self._engine)

    def counters(self) -> Counters:
        """Copy the counters; each is exact, together they are a moment apart."""
        record = ffi.new("engine_counters *")
        lib.engine_count(self._engine, record)
        values = {field.name: getattr(record, field.name) for field in fields(Counters)}
        if values["last_tick"] == lib.NO_TICK:
            values["last_tick"] = None
        return Counters(**values)

    def histogram(self) -> tuple[int, ...]:
        """Cycles so far in each bucket of cycle time; see ``cycle_percentile_us``."""
        buckets = ffi.new("uint32_t[]", lib.CYCLE_BUCKETS)
        lib.engine_histogram(self._engine, buckets)
        return tuple(buckets)


def cycle_percentile_us(histogram: tuple[int, ...], percent: float) -> float:
    """Return the cycle time that ``percent`` of the cycles stay below.

    In microseconds, rounded up to the end of its bucket (6 % at most); 0 if no
    cycle was measured.
    """
    wanted = sum(histogram) * percent / 100
    seen = 0
    for index, count in enumerate(histogram):
        seen += count
        if count and seen >= wanted:
            return float(lib.engine_bucket_ns(index + 1)) / 1000
    return 0.0


def _address(pointer: object) -> int | None:
    return int(ffi.cast("uintptr_t", pointer)) or None


def _c_settings(settings: EngineSettings) -> object:
    record = ffi.new("engine_settings *")
    record.ns_per_quarter = settings.ns_per_quarter
    record.bar_ticks = settings.bar_ticks
    record.start_tick = settings.start_tick
    record.pulse_ticks = settings.pulse_ticks
    record.start_mode = _START_MODES[settings.start]
    record.pulses = len(settings.click)
    for index, (key, velocity) in enumerate(settings.click):
        record.click_keys[index] = key
        record.click_velocities[index] = velocity
    record.solo_sounds = settings.solo_sounds
    record.click_sounds = settings.click_sounds
    record.gain = settings.gain
    record.solo_gain = settings.solo_gain
    record.reverb = settings.reverb
    record.beat_ticks = settings.beat_ticks
    record.leads = settings.leads
    record.sends_clock = settings.sends_clock
    return record


def _void(address: int | None) -> object:
    return ffi.cast("void *", address or 0)


def send_all(engine: Engine, orders: Iterable[Order]) -> list[Order]:
    """Send orders in turn; return those from the first that had no room on."""
    waiting = list(orders)
    while waiting and engine.order(waiting[0]):
        waiting.pop(0)
    return waiting
