"""`jackcomp`: playing in the JACK graph.

JACK's thread runs the core, the worker thinks, the main thread records, shows and
waits for the end; with ``--stress`` a fourth one gets in the way.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from jackcomp import duo
from jackcomp.config import Settings
from jackcomp.engine.link import Engine
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.session import Session
from jackcomp.station import Station
from jackcomp.timeline.clock import bpm_to_ns_per_quarter
from jackcomp.timeline.meter import Meter, parse_meter
from jackcomp.worker import Worker

LOOK_SECONDS = 0.05
"""How often the main thread records and redraws."""

SWITCH_SECONDS = 0.0005
"""The interpreter's lock changes hands this often, so that the worker need not wait
for a busy thread (docs/decisions has the measurement)."""

INTERRUPTED = 130
DEFAULT_METER = "4/4"


def play(settings: Settings) -> int:
    """Play live until a signal ends it; return the exit code.

    Raises
    ------
    JackcompError
        In one line, if something is missing at the start.
    """
    # Late: it fails on import where JACK's library is missing.
    from jackcomp.engine import host as jack_host

    sys.setswitchinterval(SWITCH_SECONDS)
    soundfont = find_soundfont(settings.sf2)
    meter = settings.meter or parse_meter(DEFAULT_METER)
    with ExitStack() as stack:
        ending = stack.enter_context(_signals())
        client = jack_host.open_client(
            settings.name, settings.server, exact=settings.exact_name
        )
        leaving = stack.enter_context(ExitStack())
        leaving.callback(client.close)
        ns = bpm_to_ns_per_quarter(settings.bpm or duo.DEFAULT_BPM)
        place = duo.place_at(settings, meter, ns, client.samplerate, client.blocksize)
        band = stack.enter_context(_band(settings, place, soundfont))
        station = Station(settings, band.engine, band.adapt, band.session.say)
        # Undone first: notes are released before anything else is put away.
        stack.callback(station.leave)
        ending.release = station.release
        if settings.stress:
            stack.enter_context(_stress())
        gc.collect()
        gc.freeze()
        leaving.pop_all()  # the station closes the client
        station.enter(client)
        band.session.say(
            f"jackcomp plays as '{client.name}': {client.samplerate} Hz, "
            f"{client.blocksize} frames, SoundFont {soundfont}"
        )
        station.look()
        while not ending.wait(LOOK_SECONDS):
            band.session.look(station.period, band.worker)
            station.look()
        return ending.code


class _Band:
    """The engine, who thinks for it, and who keeps what it plays."""

    def __init__(self, settings: Settings, place: duo.Place, soundfont: Path) -> None:
        from jackcomp.engine.synth import Synth

        self._settings = settings
        self._place = place
        self._soundfont = soundfont
        self._synth = Synth(soundfont, place.rate)
        start = duo.engine_settings(
            settings,
            place,
            start=_start_mode(settings),
            start_tick=_start_tick(settings, place.meter),
        )
        self._accompanist = duo.build_accompanist(
            settings, place, fastest_ns_per_quarter=place.ns_per_quarter
        )
        self.engine = Engine(place.rate, start, self._synth.pointer)
        self.worker = Worker(self.engine, self._accompanist, duo.first_orders(settings))
        self.session = Session(settings, place, self.engine, self._accompanist)

    def adapt(self, rate: int, period: int) -> None:
        """Be ready for cycles of this rate and period."""
        if rate != self.engine.rate:
            self._change_rate(rate)
        place = duo.place_at(
            self._settings,
            self._place.meter,
            self._place.ns_per_quarter,
            rate,
            period,
        )
        self._accompanist.lead_ticks = place.lead_ticks(place.ns_per_quarter)

    def close_synth(self) -> None:
        """Free the synth that is played last; the engine is gone."""
        self._synth.close()

    def _change_rate(self, rate: int) -> None:
        from jackcomp.engine.synth import Synth

        before, self._synth = self._synth, Synth(self._soundfont, rate)
        self._synth.choose(before.programs)
        self.engine.change_rate(rate, self._synth.pointer)
        before.close()


@contextmanager
def _band(settings: Settings, place: duo.Place, soundfont: Path) -> Iterator[_Band]:
    """Make the band and let it think; put it away when its engine stands still."""
    band = _Band(settings, place, soundfont)
    with ExitStack() as stack:
        stack.callback(band.close_synth)
        stack.callback(_close, band.engine, band.worker)
        stack.callback(band.session.close)
        band.worker.start()
        stack.callback(band.worker.end)
        yield band


def _close(engine: Engine, worker: Worker) -> None:
    """Free the engine, unless a worker that hangs may come back to it."""
    if not worker.is_alive():
        engine.close()


def _start_mode(settings: Settings) -> str:
    """Return what starts the clock; who follows another's clock starts with it."""
    if settings.midi_clock == "follow":
        return "midi-clock"
    return "transport" if settings.transport == "follow" else settings.start


def _start_tick(settings: Settings, meter: Meter) -> int:
    """Return where the clock starts, in ticks; beat one is at 0."""
    mode = _start_mode(settings)
    if mode == "count-in":
        # Almost a pulse early, so that the first click finds the ports connected.
        return -settings.count_in * meter.bar_ticks - meter.pulse_ticks + 1
    if mode == "first-note":
        return -round(settings.pickup * meter.beat_ticks)
    return 0


class _Ending:
    """Set by a signal; ``code`` is what the process then exits with.

    The second Ctrl-C forces its way out, but even then ``release`` goes first.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.code = 0
        self.release: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._event.is_set():
            self.release()
            os._exit(INTERRUPTED)
        self.code = INTERRUPTED if number == signal.SIGINT else 0
        self._event.set()


@contextmanager
def _signals() -> Iterator[_Ending]:
    """End on SIGTERM and Ctrl-C, notes released first."""
    ending = _Ending()
    before = {
        number: signal.signal(number, ending.on_signal)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stress() -> Iterator[None]:
    """Keep Python and its lock busy meanwhile, with ``--stress``."""
    over = threading.Event()

    def bustle() -> None:
        while not over.is_set():
            sum(number * number for number in range(20_000))
            gc.collect()

    thread = threading.Thread(target=bustle, name="jackcomp-stress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
