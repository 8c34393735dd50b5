"""The processes of the demo: they are started here, and none outlives it."""

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
END_SECONDS = 10.0


class DemoError(Exception):
    """Why there is no duet, in one line."""


class Child:
    """A process that was started here, its messages in a file.

    With ``talks`` it takes a line of text at a time and answers with JSON, a line
    at a time; when its input is closed it leaves by itself.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, *, talks: bool = False
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_dying_with_us(), *command],
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
                cwd=ROOT,
                env=_environment(),
                # Ctrl-C is for the demo, which then ends what it has started.
                start_new_session=True,
            )
        self._said = b""

    @classmethod
    @contextmanager
    def running(
        cls, name: str, command: Sequence[str], folder: Path, *, talks: bool = False
    ) -> Iterator[Self]:
        """Start a process and end it on the way out: politely, then not."""
        child = cls(name, command, folder, talks=talks)
        try:
            yield child
        finally:
            child.end()

    def check(self) -> None:
        """Raise `DemoError` if the process has ended."""
        if self._process.poll() is not None:
            raise DemoError(f"{self.name} has ended too early: {self._last_line()}")

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than the process lives; it shall live."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        self.check()

    def tell(self, line: str) -> None:
        """Send a line of text."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._process.wait(END_SECONDS)
            self.check()

    def answer(self, seconds: float) -> dict[str, Any]:
        """Wait for the next answer, so long at most."""
        assert self._process.stdout is not None
        give_up = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._said:
                if not selector.select(max(give_up - time.monotonic(), 0)):
                    raise DemoError(f"{self.name} has not answered in {seconds:.0f} s")
                more = os.read(self._process.stdout.fileno(), 1 << 16)
                if not more:
                    self._process.wait(END_SECONDS)
                    self.check()
                self._said += more
        line, self._said = self._said.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> int:
        """End the process if it still runs, and return its exit code."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        elif self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self._process.returncode

    def _last_line(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else f"exit {self._process.returncode}"


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with this Python."""
    return [sys.executable, "-m", module, *arguments]


def _dying_with_us() -> list[str]:
    """Return what goes before a command so that not even SIGKILL leaves it behind."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _environment() -> dict[str, str]:
    """Leave out the player's own settings of jackcomp, except for his SoundFont."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("JACKCOMP_") or name == "JACKCOMP_SF2"
    }
