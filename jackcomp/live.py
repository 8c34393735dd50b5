"""`jackcomp`: playing in the JACK graph.

JACK's thread runs the core, the worker thinks, the main thread records, shows and
waits for the end; with ``--stress`` a fourth one gets in the way.
"""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType

from jackcomp import duo
from jackcomp.band import Band
from jackcomp.config import Settings
from jackcomp.control.keys import LEFT, RIGHT, SPACE, reading_keys
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.service import ServiceManager
from jackcomp.station import Station
from jackcomp.timeline.meter import parse_meter

LOOK_SECONDS = 0.05
"""How often the main thread records and redraws."""

SWITCH_SECONDS = 0.0005
"""The interpreter's lock changes hands this often, so that the worker need not wait
for a busy thread (docs/decisions has the measurement)."""

NUDGE_SECONDS = 0.01
"""So much the beat is moved by an arrow key."""

INTERRUPTED = 130
DEFAULT_METER = "4/4"


def play(settings: Settings, load: Callable[[], Settings]) -> int:
    """Play live until a signal ends it; return the exit code.

    Parameters
    ----------
    settings : Settings
        To begin with.
    load : callable
        Reads them anew, when SIGHUP asks for it.

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
        closing = stack.enter_context(ExitStack())
        closing.callback(client.close)
        ns = duo.first_tempo(settings)
        place = duo.place_at(settings, meter, ns, client.samplerate, client.blocksize)
        band = stack.enter_context(Band(settings, load, place, soundfont))
        manager = ServiceManager(band.say)
        stack.callback(manager.close)
        if settings.keys:
            ending.give_back = stack.enter_context(_keys(band))
        station = Station(settings, band.engine, band.adapt, band.say)
        # Undone first: notes are released before anything else is put away.
        stack.callback(station.leave)
        ending.release = station.release
        if settings.stress:
            stack.enter_context(_stress())
        gc.collect()
        gc.freeze()
        unlocked = band.engine.lock_memory()
        if unlocked:
            band.say(unlocked)
        closing.pop_all()  # from here on the station sees to it
        station.enter(client)
        band.say(
            f"jackcomp plays as '{client.name}': {client.samplerate} Hz, "
            f"{client.blocksize} frames, SoundFont {soundfont}"
        )
        station.look()
        manager.ready(f"plays as '{client.name}'")
        while not ending.wait(LOOK_SECONDS):
            band.look(station.period)
            manager.feed(station.heartbeat, time.monotonic())
            band.serve(ending.take_asked(), station.name)
            station.look()
        manager.stopping()
        return ending.code


class _Ending:
    """Set by a signal; ``code`` is what the process then exits with.

    Signals that ask for something else wait in a set until they are taken.
    The second Ctrl-C forces its way out, but even then ``release`` goes first.

    A handler runs in the middle of whatever the main thread does, its waiting too, so
    nothing here takes a lock: `threading.Event` would wait for itself.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._wake: SimpleQueue[None] = SimpleQueue()  # its put is reentrant
        self._asked: set[int] = set()
        self.code = 0
        self.release: Callable[[], None] = lambda: None
        self.give_back: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> bool:
        with suppress(Empty):
            self._wake.get(timeout=0.0 if self._is_set else seconds)
        return self._is_set

    def on_request(self, number: int, _frame: FrameType | None) -> None:
        self._asked.add(number)

    def take_asked(self) -> set[int]:
        asked, self._asked = self._asked, set()
        return asked

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._is_set:
            self.release()
            self.give_back()
            os._exit(INTERRUPTED)
        self.code = INTERRUPTED if number == signal.SIGINT else 0
        self._is_set = True
        self._wake.put(None)


@contextmanager
def _signals() -> Iterator[_Ending]:
    """End on SIGTERM and Ctrl-C, notes released first; note SIGHUP and SIGUSR1."""
    ending = _Ending()
    handlers = {
        signal.SIGTERM: ending.on_signal,
        signal.SIGINT: ending.on_signal,
        signal.SIGHUP: ending.on_request,
        signal.SIGUSR1: ending.on_request,
    }
    before = {
        number: signal.signal(number, handler) for number, handler in handlers.items()
    }
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keys(band: Band) -> AbstractContextManager[Callable[[], None]]:
    """Let the terminal's keys steer the clock."""
    return reading_keys(
        sys.stdin,
        {
            SPACE: band.tap,
            LEFT: lambda: band.nudge(-NUDGE_SECONDS),
            RIGHT: lambda: band.nudge(NUDGE_SECONDS),
        },
    )


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
