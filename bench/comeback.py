"""``make bench``: how soon jackcomp plays again when the JACK server has come back.

The server is killed and started anew, in turn with its old sample rate and with
another one, for which the SoundFont is loaded again. Counted is the time from the
moment when a new client of ours is let in to the moment when that client hears
jackcomp's click again, five of which come in a second. Nothing here fails for being
slow.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

import jack
import numpy as np

from bench.graph import (
    START_SECONDS,
    BenchError,
    Client,
    Server,
    end_on_sigterm,
    python,
)
from bench.music import RATE
from jackcomp.engine.host import open_client
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import EngineError, JackcompError

PERIOD = 256
RATES = (RATE, 44_100)
LOOK_SECONDS = 0.002
TARGET_SECONDS = 1.0
NAME = "jackcomp"
MUSIC = ("--view", "none", "--name", NAME, "--bpm", "300", "--click")
SILENCE = 1e-4


def main() -> None:
    """Measure and print; exit code 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(description="Back after the server was killed.")
    parser.add_argument("--sf2", type=Path, metavar="FILE", help="SoundFont")
    parser.add_argument("--times", type=int, default=3, metavar="N")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        _measure(find_soundfont(options.sf2), options.times)
    except (BenchError, JackcompError, OSError) as error:
        sys.exit(f"bench.comeback: {error}")


def _measure(soundfont: Path, times: int) -> None:
    name = f"jackcomp-bench-{os.getpid()}"
    taken: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="jackcomp-bench-") as folder:
        command = python("jackcomp", "--server", name, "--sf2", str(soundfont))
        rate = RATE
        server = Server(name, PERIOD, Path(folder), rate)
        with ExitStack() as stack:
            stack.callback(lambda: server.__exit__(None, None, None))
            Ear(name).close()
            client = stack.enter_context(
                Client([*command, *MUSIC], Path(folder) / "stats.jsonl")
            )
            client.record_when(lambda record: record["cycles"] > 0)
            for turn in range(2 * times):
                before, rate = rate, RATES[(turn + 1) // 2 % 2]
                server.kill()
                _await_line(client, "has gone", turn)
                server = Server(name, PERIOD, Path(folder), rate)
                ear = Ear(name)
                begin = time.monotonic()
                _await(ear.hears_it, "the click")
                taken[rate == before].append(time.monotonic() - begin)
                ear.close()
    for same, seconds in taken.items():
        shown = ", ".join(f"{one:.2f}" for one in seconds)
        is_good = max(seconds) <= TARGET_SECONDS
        print(
            f"heard again after {median(seconds):.2f} s with "
            f"{'the same' if same else 'another'} sample rate ({shown}; promised: "
            f"{TARGET_SECONDS:g}): {'ok' if is_good else 'NOT AS PROMISED'}"
        )


class Ear:
    """A client that hears the click, in the graph as soon as there is a server."""

    def __init__(self, server: str) -> None:
        self._level = 0.0
        _await(lambda: self._join(server), "the server")

    def _join(self, server: str) -> bool:
        try:
            self._client = open_client("ear", server)
        except EngineError:
            return False
        self._in = self._client.inports.register("in")
        self._client.set_process_callback(self._process)
        self._client.activate()
        return True

    def _process(self, _nframes: int) -> None:
        self._level = float(np.abs(self._in.get_array()).max())

    def hears_it(self) -> bool:
        """Say whether it clicks; connect first, once there is something to hear."""
        if not self._in.connections:
            with suppress(jack.JackError):  # not there yet
                self._client.connect(f"{NAME}:click", self._in)
        return self._level > SILENCE

    def close(self) -> None:
        """Leave: the server's end would take this process along."""
        self._client.deactivate()
        self._client.close()


def _await_line(client: Client, text: str, before: int) -> None:
    """Wait until it has said so once more than ``before``."""
    _await(lambda: client.said().count(text) > before, f"'{text}'")


def _await(is_so: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > give_up:
            raise BenchError(f"waited in vain for {what}")
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
