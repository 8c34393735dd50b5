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
from types import FrameType

from jackcomp import duo
from jackcomp.config import Settings
from jackcomp.engine.link import Engine
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import EngineError
from jackcomp.session import Session
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
        In one line, if something is missing at the start or the server goes away.
    """
    # Late: both fail on import where their C library is missing.
    from jackcomp.engine import host as jack_host
    from jackcomp.engine.synth import Synth

    sys.setswitchinterval(SWITCH_SECONDS)
    soundfont = find_soundfont(settings.sf2)
    meter = settings.meter or parse_meter(DEFAULT_METER)
    with ExitStack() as stack:
        ending = stack.enter_context(_signals())
        client = jack_host.open_client(settings.name, settings.server)
        stack.callback(client.close)
        ns = bpm_to_ns_per_quarter(settings.bpm or duo.DEFAULT_BPM)
        lead = duo.lead_frames(settings, client.samplerate, client.blocksize)
        place = duo.Place(meter, ns, client.samplerate, lead)
        synth = Synth(soundfont, place.rate)
        stack.callback(synth.close)
        start = duo.engine_settings(
            settings,
            place,
            start=settings.start,
            start_tick=_start_tick(settings, meter),
        )
        accompanist = duo.build_accompanist(settings, place, fastest_ns_per_quarter=ns)
        engine = Engine(place.rate, start, synth.pointer)
        worker = Worker(engine, accompanist, duo.first_orders(settings))
        stack.callback(_close, engine, worker)
        session = Session(settings, place, engine, accompanist)
        stack.callback(session.close)
        worker.start()
        stack.callback(worker.end)
        host = jack_host.JackHost(client, engine)
        # Undone first: notes are released before anything else is put away.
        stack.callback(host.stop)
        ending.release = host.release
        if settings.stress:
            stack.enter_context(_stress())
        gc.collect()
        gc.freeze()
        host.start()
        lines = [] if settings.no_connect else host.connect(settings.connect)
        session.say(
            f"jackcomp plays as '{client.name}': {place.rate} Hz, "
            f"{client.blocksize} frames, SoundFont {soundfont}"
        )
        for line in lines:
            session.say(line)
        while not ending.wait(LOOK_SECONDS):
            session.look(host.period, worker)
            if host.is_gone:
                raise EngineError(
                    "the JACK server has gone: start it again, then jackcomp"
                )
        return ending.code


def _close(engine: Engine, worker: Worker) -> None:
    """Free the engine, unless a worker that hangs may come back to it."""
    if not worker.is_alive():
        engine.close()


def _start_tick(settings: Settings, meter: Meter) -> int:
    """Return where the clock starts, in ticks; beat one is at 0."""
    if settings.start == "count-in":
        # Almost a pulse early, so that the first click finds the ports connected.
        return -settings.count_in * meter.bar_ticks - meter.pulse_ticks + 1
    if settings.start == "first-note":
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
