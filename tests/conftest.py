"""What all tests share: JACK servers of their own, a SoundFont, golden texts."""

import fcntl
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import mido
import pytest

START_SECONDS = 20.0
"""How long a server may take to start, on a machine that is busy with much else."""

JACK_GROUP = "jack"

_numbers = itertools.count()

# Deadlines would measure how busy the machine is.
hypothesis.settings.register_profile("jackcomp", deadline=None)
hypothesis.settings.load_profile("jackcomp")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write the golden texts anew instead of comparing with them",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker run all tests with a JACK server, one after the other.

    JACK names the sockets of its clients by user and client, not by server: two
    clients of one name that open at the same moment, even on two servers, hinder each
    other.
    """
    for item in items:
        if item.get_closest_marker("jack"):
            item.add_marker(pytest.mark.xdist_group(JACK_GROUP))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test with a JACK server that xdist has not put into the group."""
    needs_jack = item.get_closest_marker("jack") is not None
    if needs_jack and item.config.getoption("loadgroup", default=False):
        assert item.nodeid.endswith(f"@{JACK_GROUP}"), "pytest-xdist does not group"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test with a JACK server wait for those of other runs, as for its own.

    A client that gets the messages of another run's server plays at its tempo, its
    place, or not at all. The fixtures of its module are set up under the lock, too.
    """
    if item.get_closest_marker("jack") is None:
        return (yield)
    path = Path(tempfile.gettempdir()) / f"jackcomp-jack-tests-{os.getuid()}"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return (yield)


@dataclass(frozen=True)
class Server:
    """A JACK server that one test has for itself."""

    name: str
    period: int
    process: subprocess.Popen[bytes]


@pytest.fixture
def start_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Server]]:
    """Start servers on the dummy driver; each ends with the test.

    A ``synchronous`` one waits for its clients: on a busy machine they are late
    together, and what one hears is of the cycle in which it was sent. Another one ends
    the thread of a client that leaves wherever it is: in Python, with the interpreter's
    lock, which nobody gets any more.
    """
    # Not in the test's own folder: there only what jackcomp writes shall be.
    logs = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:

        def start(
            period: int = 256,
            *,
            rate: int = 48_000,
            name: str | None = None,
            synchronous: bool = True,
        ) -> Server:
            name = name or f"jackcomp-test-{os.getpid()}-{next(_numbers)}"
            mode = ["-S"] if synchronous else []
            driver = ["-r", str(rate), "-p", str(period)]
            options = [*mode, "--no-realtime", "-d", "dummy", *driver]
            return stack.enter_context(_running_server(name, period, options, logs))

        yield start


@pytest.fixture
def jack_server(start_server: Callable[..., Server]) -> Server:
    """Give a synchronous server of 48 kHz and 256 frames."""
    return start_server()


@contextmanager
def _running_server(
    name: str, period: int, options: list[str], folder: Path
) -> Iterator[Server]:
    program = shutil.which("jackd")
    assert program, "jackd is missing: apt install jackd2"
    log = folder / f"{name}-{next(_numbers)}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-n", name, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is for the tests, which then end what they have started.
            start_new_session=True,
        )
    try:
        _await_server(name, process, log)
        yield Server(name, period, process)
    finally:
        process.terminate()
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_server(name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a client can connect."""
    # Late: tests of pure code need no C library.
    from jackcomp.engine.host import open_client
    from jackcomp.errors import EngineError

    give_up = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        try:
            open_client("test", name).close()
        except EngineError:
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def drop_capabilities() -> list[str]:
    """Give what to put before a command so that limits hold for it, for root too."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set=-ipc_lock,-sys_nice,-sys_resource", "--"]


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """Give the SoundFont that jackcomp itself would choose."""
    from jackcomp.engine.soundfont import find_soundfont

    return find_soundfont(None)


Note = tuple[float, float, int, float]
"""A solo's note: start and length in quarters, MIDI note, milliseconds too early."""


@pytest.fixture(scope="session")
def write_solo() -> Callable[..., Path]:
    """Write a solo as a MIDI file, with 1920 ticks to a quarter."""

    def write(
        path: Path,
        notes: Iterable[Note],
        *,
        bpm: float = 100,
        meter: tuple[int, int] = (4, 4),
    ) -> Path:
        tempo = mido.bpm2tempo(bpm)
        numerator, denominator = meter
        track = mido.MidiTrack(
            [
                mido.MetaMessage(
                    "time_signature", numerator=numerator, denominator=denominator
                ),
                mido.MetaMessage("set_tempo", tempo=tempo),
            ]
        )
        last = 0
        messages = [item for note in notes for item in _messages(note, tempo)]
        for tick, message in sorted(messages, key=lambda item: item[0]):
            track.append(message.copy(time=tick - last))
            last = tick
        mido.MidiFile(type=0, ticks_per_beat=1920, tracks=[track]).save(path)
        return path

    return write


def _messages(note: Note, tempo: int) -> Iterator[tuple[int, mido.Message]]:
    """Start and end a note; it ends an eighth of a quarter before the next."""
    start, length, key, early_ms = note
    yield round(1920 * (start + length)) - 240, mido.Message("note_off", note=key)
    on = mido.Message("note_on", note=key, velocity=80)
    yield round(1920 * (start - early_ms * 1000 / tempo)), on
