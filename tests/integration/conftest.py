"""jackcomp as a player meets it: a process of its own, in a graph of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from demo.clock import frames_between

PATIENCE = 30.0
"""Seconds until a test gives up waiting, on a machine that is busy with much else."""

END_SECONDS = 5.0
LOOK_SECONDS = 0.02


def wait_until(is_true: Callable[[], Any], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < give_up, f"waited in vain: {what}"
        time.sleep(LOOK_SECONDS)


class Program:
    """A process that runs jackcomp; what it says and counts can be read meanwhile."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        env: dict[str, str],
        stdin: int = subprocess.DEVNULL,
    ):
        self._folder = folder
        with (
            (folder / "stdout").open("wb") as out,
            (folder / "stderr").open("wb") as err,
        ):
            self.process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=env,
                start_new_session=True,
            )

    @property
    def stderr(self) -> str:
        return (self._folder / "stderr").read_text(encoding="utf-8")

    @property
    def stats(self) -> dict[str, Any]:
        """The last whole line of ``--stats stats.jsonl``; empty before the first."""
        path = self._folder / "stats.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return json.loads(lines[-1]) if lines else {}

    def wait_until(self, is_true: Callable[[], Any], what: str) -> None:
        """Wait, as long as the process lives."""

        def look() -> Any:
            assert self.process.poll() is None, self.stderr
            return is_true()

        wait_until(look, what)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """End it politely: JACK waits for seconds for a client that was killed."""
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment without the settings of whoever runs the tests.

    With CI set, as there pyfluidsynth would print at its import.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JACKCOMP_", "JACK_"))
    }
    return kept | {"XDG_CONFIG_HOME": str(tmp_path / "no-config"), "CI": "true"}


@pytest.fixture
def run_jackcomp(
    tmp_path: Path, environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``jackcomp`` to its end, in an empty folder unless told otherwise."""
    folder = tmp_path / "cwd"
    folder.mkdir()

    def run(*arguments: object, **changes: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "jackcomp", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
            **{"cwd": folder, "env": environment, **changes},
        )

    return run


@pytest.fixture
def play_live(
    tmp_path: Path, environment: dict[str, str]
) -> Iterator[Callable[..., Program]]:
    """Start ``jackcomp`` on a server and wait until it is in the graph.

    It is in a folder of its own and writes its counters to ``stats.jsonl``; a
    ``runner`` is Python code that runs in its place, ``before`` the words of a
    command that runs it. Only with ``connects`` it connects anything by itself.
    """
    with ExitStack() as stack:

        def play(
            server: str,
            *arguments: object,
            runner: str | None = None,
            connects: bool = False,
            before: Sequence[str] = (),
            stdin: int = subprocess.DEVNULL,
        ) -> Program:
            folder = tmp_path / f"live-{len(list(tmp_path.glob('live-*')))}"
            folder.mkdir()
            start = ["-c", runner] if runner else ["-m", "jackcomp"]
            options = ["--server", server, "--view", "none"]
            options += [] if connects else ["--no-connect"]
            program = Program(
                [*before, sys.executable, *start, *options, "--stats", "stats.jsonl"]
                + [str(argument) for argument in arguments],
                folder,
                environment,
                stdin,
            )
            stack.callback(program.end)
            program.wait_until(lambda: program.stats.get("cycles"), "a first cycle")
            return program

        yield play


class Musician:
    """A JACK client that plays messages in their frames and hears what comes back.

    Attributes
    ----------
    heard : list of (int, bytes)
        Frames of the server, widened from where it began, and MIDI messages.
    late : int
        Messages that were sent after their frame.
    """

    def __init__(self, name: str, server: str):
        from jackcomp.engine.host import open_client

        self._client = open_client(name, server)
        self._out = self._client.midi_outports.register("out")
        self._in = self._client.midi_inports.register("in")
        self._schedule: list[tuple[int, bytes]] = []
        self._first = self._client.frame_time
        self._reached = threading.Event()
        self._is_closed = False
        self._goal: int | None = None
        self.frame = self._first
        self.heard: list[tuple[int, bytes]] = []
        self.late = 0
        self.xruns = 0
        self._client.set_process_callback(self._process)
        self._client.set_xrun_callback(self._on_xrun)
        self._client.activate()

    def close(self) -> None:
        """Leave the graph, once; before the server ends."""
        if not self._is_closed:
            self._is_closed = True
            self._client.deactivate()
            self._client.close()

    def _on_xrun(self, _delay_us: float) -> None:
        self.xruns += 1

    def _process(self, nframes: int) -> None:
        # On a busy machine the first cycle began before what the clock said then.
        now = self._first + frames_between(self._first, self._client.last_frame_time)
        self._out.clear_buffer()
        while self._schedule and self._schedule[0][0] < now + nframes:
            frame, data = self._schedule.pop(0)
            self.late += frame < now
            self._out.write_midi_event(max(frame - now, 0), data)
        self.heard += [
            (now + offset, bytes(data))
            for offset, data in self._in.incoming_midi_events()
        ]
        self.frame = now + nframes
        if self._goal is not None and self.frame >= self._goal:
            self._reached.set()

    def connect(self, source: str, target: str) -> None:
        self._client.connect(source, target)

    def speak_to(self, target: str) -> None:
        self._client.connect(self._out, target)

    def listen_to(self, source: str) -> None:
        self._client.connect(source, self._in)

    def play(self, messages: Iterable[tuple[int, bytes]], delay: int = 9600) -> int:
        """Play messages, their frames counted from soon; return that frame."""
        counted = list(messages)
        start = self.frame + delay
        self._schedule = [(start + frame, data) for frame, data in counted]
        return start

    def wait_for(self, frame: int) -> None:
        """Wait for a frame of the server, however slowly its frames go on."""
        self._goal = frame
        while (before := self.frame) < frame:
            self._reached.clear()
            if self.frame < frame and not self._reached.wait(PATIENCE):
                assert self.frame != before, "the server stands still"

    def sounding(self) -> set[tuple[int, int]]:
        """Give channel and key of the notes that were struck and not released."""
        keys: set[tuple[int, int]] = set()
        for _, (status, key, *_value) in list(self.heard):
            slot = status & 0x0F, key
            if status & 0xF0 == 0x90:
                keys.add(slot)
            elif status & 0xF0 == 0x80:
                keys.discard(slot)
        return keys


@pytest.fixture
def join_server() -> Iterator[Callable[[str, str], Musician]]:
    """Join a server as a musician; left again with the test."""
    with ExitStack() as stack:

        def join(name: str, server: str) -> Musician:
            musician = Musician(name, server)
            stack.callback(musician.close)
            return musician

        yield join
