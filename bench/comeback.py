"""``make bench``: how soon jackcomp plays again when the JACK server has come back.

The server is killed and started anew, in turn with its old sample rate and with
another one, for which the SoundFont is loaded again. Counted is the time from the
moment when a new client of ours is let in to the moment when jackcomp says that it
plays. Nothing here fails for being slow.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

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
            _await(lambda: _answers(name), "the server")
            client = stack.enter_context(
                Client([*command, "--view", "none"], Path(folder) / "stats.jsonl")
            )
            client.record_when(lambda record: record["cycles"] > 0)
            for turn in range(2 * times):
                before, rate = rate, RATES[(turn + 1) // 2 % 2]
                server.kill()
                _await_line(client, "has gone", turn)
                server = Server(name, PERIOD, Path(folder), rate)
                _await(lambda: _answers(name), "the server")
                begin = time.monotonic()
                _await_line(client, "is back", turn)
                taken[rate == before].append(time.monotonic() - begin)
    for same, seconds in taken.items():
        shown = ", ".join(f"{one:.2f}" for one in seconds)
        print(
            f"back after {median(seconds):.2f} s with "
            f"{'the same' if same else 'another'} sample rate ({shown}; promised: "
            f"{TARGET_SECONDS:g})"
        )


def _await_line(client: Client, text: str, before: int) -> None:
    """Wait until it has said so once more than ``before``."""
    _await(lambda: client.said().count(text) > before, f"'{text}'")


def _await(is_so: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > give_up:
            raise BenchError(f"waited in vain for {what}")
        time.sleep(LOOK_SECONDS)


def _answers(server: str) -> bool:
    try:
        open_client("probe", server).close()
    except EngineError:
        return False
    return True


if __name__ == "__main__":
    main()
