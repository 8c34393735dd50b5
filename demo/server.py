"""The JACK server of the demo: the user's own if it runs, otherwise a private one."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.processes import Child, DemoError
from jackcomp.engine.host import open_client
from jackcomp.errors import EngineError

RATE = 48_000
PRIORITY = 10
PERIOD, PATIENT_PERIOD = 256, 512
"""Frames of a cycle, with real-time priority and without."""

CLIENT_TIMEOUT_MS = 4500
START_SECONDS = 20.0
LOOK_SECONDS = 0.05
PROBE = "demo_probe"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs; ``process`` is ours, or None if it is the user's."""

    name: str | None
    process: Child | None


@contextmanager
def some_server(folder: Path, *, private: bool = False) -> Iterator[Server]:
    """Find the default server, unless it must be a private one, or start one."""
    if not private and _answers(None):
        yield Server(None, None)
        return
    name = f"jackcomp-demo-{os.getpid()}"
    with Child.running("jackd", _command(name), folder) as process:
        give_up = time.monotonic() + START_SECONDS
        while not _answers(name):
            if time.monotonic() > give_up:
                raise DemoError(f"jackd is not ready after {START_SECONDS:.0f} s")
            process.wait(LOOK_SECONDS)
        yield Server(name, process)


def _command(name: str) -> list[str]:
    jackd = shutil.which("jackd")
    if jackd is None:
        raise DemoError("cannot find jackd: apt install jackd2")
    if _can_be_realtime():
        urgency, period = ["-R", "-P", str(PRIORITY)], PERIOD
    else:
        urgency, period = ["-r"], PATIENT_PERIOD
    # Synchronous: who is late delays the cycle instead of losing it. On two cores
    # with three busy loops beside, no frame was lost; without -S it was 12 %. With
    # real-time priority it waits for a tenth of a second unless it is told to wait
    # longer; after five seconds its watchdog would end it.
    patience = ["-t", str(CLIENT_TIMEOUT_MS)]
    driver = ["-d", "dummy", "-r", str(RATE), "-p", str(period)]
    return [jackd, "-n", name, "-S", *patience, *urgency, *driver]


def _answers(name: str | None) -> bool:
    try:
        open_client(PROBE, name).close()
    except EngineError:
        return False
    return True


def _can_be_realtime() -> bool:
    """Tell whether this user may run threads at jackd's priority."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        return False
    os.sched_setscheduler(0, *before)
    return True
