"""The graph that a benchmark runs in: a JACK server of its own, a soloist, processes.

All that is started here is ended here, and nothing else.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from bench.music import RATE

PRIORITY = 70
SOLOIST = "bench-soloist"
SOLOIST_PORT = f"{SOLOIST}:out"
START_SECONDS = 30.0
"""Longest wait for a client to play, and for its next record."""
END_SECONDS = 10.0
LOOK_SECONDS = 0.05
LOAD_SECONDS = 0.25
"""How often the DSP load is looked at."""
MOST_STOLEN_MS = 20.0
"""Of all processors together, in a run that counts: two ticks of the kernel's clock."""
ATTEMPTS = 3
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# jackd says which client had not finished when the next cycle began.
_BLAME = re.compile(r"JackEngine::XRun: client = (.+?)(?: was not| finished)")


Record = dict[str, Any]
"""A line of ``--stats``."""


class BenchError(Exception):
    """Why nothing could be measured, in one line."""


def can_be_realtime() -> bool:
    """Tell whether this user may run threads at jackd's priority."""
    wanted = os.sched_param(PRIORITY)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, wanted)
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def end_on_sigterm() -> None:
    """Let SIGTERM end what was started, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def status_mb(pid: int, field: str) -> float:
    """Return a field of a process's status that counts memory, in 10^6 bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (kib,) = re.findall(rf"^{field}:\s*(\d+) kB", status, re.MULTILINE)
    return int(kib) * 1024 / 1e6


def stolen_ms() -> float:
    """Return the processor time that the host of this machine has given to others.

    Since it started, all processors together, in milliseconds: the eighth figure of
    /proc/stat (proc_stat(5)).
    """
    every_processor = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    return int(every_processor.split()[8]) * 1000 / _CLOCK_TICKS


class Measured(Protocol):
    """What was found in a run."""

    @property
    def stolen_ms(self) -> float:
        """What the host took meanwhile, as `stolen_ms` counts it."""

    @property
    def own_misses(self) -> int | None:
        """How many cycles of ours were late; None if nobody counted them."""


Found = TypeVar("Found", bound=Measured)


def measure_undisturbed(
    measure: Callable[[], Found], show: Callable[[Found], None]
) -> Found:
    """Measure, and again where the host has taken too much of the time.

    Any of it is too much where a cycle of ours was late, which may be the host's doing.
    ``show`` is given what each of at most `ATTEMPTS` has found; the last one counts.
    """
    for _ in range(ATTEMPTS):
        found = measure()
        show(found)
        if found.stolen_ms <= (0 if found.own_misses else MOST_STOLEN_MS):
            break
    return found


class Process:
    """A process with its output in a file, ended with the context."""

    def __init__(self, command: list[str], log: Path, *, asks: bool = False) -> None:
        self._log = log
        pipe = subprocess.PIPE if asks else subprocess.DEVNULL
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=pipe if asks else file,
                stderr=file,
                text=True,
                # Ctrl-C is for the benchmark, which then ends what it started.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Return itself: it runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it: politely, then not."""
        self._ask_to_end()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask_to_end(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def said(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def last_line(self) -> str:
        """Return the last line that it has printed."""
        return (self.said().strip().splitlines() or ["(it said nothing)"])[-1]

    def cpu_seconds(self) -> float:
        """Return the processor time of all its threads."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        # The name, in parentheses, may have blanks in it.
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _CLOCK_TICKS

    def realtime_seconds(self) -> float | None:
        """Return the processor time of its real-time threads: the audio cycle.

        None where nothing runs in real time: then they look like all the others.
        """
        spent = [
            int((task / "schedstat").read_text(encoding="ascii").split()[0])
            for task in Path(f"/proc/{self._process.pid}/task").iterdir()
            if os.sched_getscheduler(int(task.name)) == os.SCHED_FIFO
        ]
        return sum(spent) / 1e9 if spent else None

    def resident_mb(self) -> float:
        """Return its resident memory, JACK's shared one included, in 10^6 bytes."""
        return self._status_mb("VmRSS")

    def shared_mb(self) -> float:
        """Return what of it is shared memory: every client maps the server's ports."""
        return self._status_mb("RssShmem")

    def allocated_mb(self) -> float:
        """Return what of it is its own: neither shared nor mapped from files."""
        return self._status_mb("RssAnon")

    def _status_mb(self, field: str) -> float:
        return status_mb(self._process.pid, field)


class Server(Process):
    """A private ``jackd`` on the dummy driver, real-time where the user may."""

    def __init__(self, name: str, period: int, folder: Path, rate: int = RATE) -> None:
        self.name = name
        self.period = period
        self.folder = folder
        urgency = ["-R", "-P", str(PRIORITY)] if can_be_realtime() else ["-r"]
        driver = ["-d", "dummy", "-r", str(rate), "-p", str(period)]
        super().__init__(
            ["jackd", "-n", name, *urgency, *driver], folder / f"{name}.log"
        )

    def blamed(self) -> list[str]:
        """Return the client that was not done in time, for each time so far."""
        return _BLAME.findall(self.said())


@dataclass(frozen=True, slots=True)
class Look:
    """What the soloist sees: the server's xruns, frames played, DSP load in percent."""

    xruns: int
    played: int
    load: float


class Soloist(Process):
    """The player and observer (``player.c``), in the graph once it is made."""

    def __init__(self, program: Path, server: Server, score: Path) -> None:
        command = [str(program), server.name, SOLOIST, str(score)]
        super().__init__(command, server.folder / "soloist.log", asks=True)
        if self._hear() != "ready":
            self.__exit__(None, None, None)
            raise BenchError(f"no JACK server: {server.last_line()}")

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._hear()

    def play(self) -> None:
        """Play the score from its beginning."""
        self._ask("play")

    def connect(self, port: str) -> None:
        """Play into a port, as soon as it is there."""
        give_up = time.monotonic() + START_SECONDS
        while self._ask(f"connect {port}") != "ok":
            if time.monotonic() > give_up:
                raise BenchError(f"no port {port}: is its program installed?")
            time.sleep(LOOK_SECONDS)

    def look(self) -> Look:
        """Look at the server now."""
        xruns, played, load = self._ask("look").split()
        return Look(int(xruns), int(played), float(load))

    def look_until(self, seconds: float) -> list[Look]:
        """Look again and again until so much of the score was played."""
        looks = [self.look()]
        while looks[-1].played < seconds * RATE:
            time.sleep(min(LOAD_SECONDS, max(seconds - looks[-1].played / RATE, 0)))
            looks.append(self.look())
        return looks

    def _ask_to_end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


class Client(Process):
    """jackcomp or its like: it writes its counters to a file, a JSON line at a time."""

    def __init__(self, command: list[str], stats: Path) -> None:
        self._stats = stats
        command = [*command, "--stats", str(stats)]
        super().__init__(command, stats.with_suffix(".log"))

    def record_when(self, is_good: Callable[[Record], bool]) -> Record:
        """Wait for a record that is good, and return it."""
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and not self.has_ended:
            for line in self._lines():
                record: Record = json.loads(line)
                if is_good(record):
                    return record
            time.sleep(LOOK_SECONDS)
        raise BenchError(f"it does not play: {self.last_line()}")

    def next_record(self) -> Record:
        """Wait for the next record, and return it."""
        now = time.monotonic()
        return self.record_when(lambda record: record["time"] >= now)

    def _lines(self) -> list[str]:
        try:
            text = self._stats.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        # The last line may be written at this moment.
        return text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]


def build_soloist(folder: Path) -> Path:
    """Compile ``player.c`` and return the program."""
    return compile_c("player.c", folder / "player")


def compile_c(source: str, target: Path, *flags: str) -> Path:
    """Compile a C file of the benchmarks against JACK; return what was made."""
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-O2", *flags]
    path = Path(__file__).with_name(source)
    try:
        subprocess.run(
            [*command, str(path), "-o", str(target), "-ljack"],
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise BenchError("no C compiler: install gcc") from error
    except subprocess.CalledProcessError as error:
        first = error.stderr.strip().splitlines()[0]
        raise BenchError(f"cannot compile {source}: {first}") from error
    return target


def python(*arguments: str) -> list[str]:
    """Return the command that runs a module with this Python."""
    return [sys.executable, "-m", *arguments]
