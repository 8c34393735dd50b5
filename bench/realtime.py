"""``make bench-rt``: xruns and cycle times in a real JACK graph.

Each run has a JACK server of its own (dummy driver, 48 kHz, 64 frames, real-time
where the user may) with a soloist who plays into it and counts its xruns: a small C
program, the same in every run. 'empty' has nothing else; 'jackcomp_busy' is jackcomp
with a busy Python thread in its process; 'python_callback' is the control, the same
work with its cycle in Python. Pairs are interleaved, and who comes first alternates.

Nothing here fails for being slow: the exit code is 0 unless nothing was measured.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.graph import (
    RATE,
    SOLOIST_PORT,
    BenchError,
    Client,
    Server,
    Soloist,
    build_soloist,
    can_be_realtime,
    end_on_sigterm,
    python,
)
from bench.report import BUSY, CONTROL, EMPTY, HEADER, Run, line_of, to_json, verdict
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import JackcompError

PERIOD = 64
PAIRS = 5
SETTLE_SECONDS = 1.0
"""From the first notes to the counting; the empty server waits as long."""

_ARGUMENTS = {
    BUSY: (
        *("jackcomp", "--stress", "--view", "none", "--connect", f"^{SOLOIST_PORT}$"),
        *("--style", "pop", "--start", "first-note"),
    ),
    CONTROL: ("bench.python_callback", "--connect", SOLOIST_PORT),
}
"""What runs beside the soloist, in each setting but the empty one."""


def main() -> None:
    """Measure, print, write; exit code 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(description="Real time, measured.")
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help=f"measured in each setting, over its {PAIRS} runs (default: 60)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the runs there"
    )
    parser.add_argument("--sf2", type=Path, metavar="FILE", help="SoundFont")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        runs = _measure_all(options.seconds / PAIRS, find_soundfont(options.sf2))
        if options.json is not None:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(to_json(runs), encoding="utf-8")
    except (BenchError, JackcompError, OSError) as error:
        sys.exit(f"bench.realtime: {error}")


def _measure_all(seconds: float, soundfont: Path) -> list[Run]:
    """Measure all settings in turn, ``seconds`` each run; print what is found."""
    urgency = "real-time" if can_be_realtime() else "NOT real-time (no permission)"
    print(
        f"{PERIOD} frames at {RATE} Hz ({PERIOD * 1_000_000 // RATE} us), {urgency}; "
        f"{seconds:g} s a run; {os.cpu_count()} processors, load "
        f"{os.getloadavg()[0]:.1f}; SoundFont {soundfont}\n"
    )
    print(HEADER)
    runs = []
    with tempfile.TemporaryDirectory(prefix="jackcomp-bench-") as folder:
        bench = Bench(Path(folder), soundfont, seconds)
        for name in _order():
            runs.append(bench.measure(name))
            print(line_of(runs[-1]), flush=True)
    print("", *verdict(runs), sep="\n")
    return runs


def _order() -> Iterator[str]:
    for pair in range(PAIRS):
        yield from (EMPTY, BUSY) if pair % 2 == 0 else (BUSY, EMPTY)
    yield CONTROL


class Bench:
    """Runs settings one after the other, each beside a server of its own.

    Parameters
    ----------
    folder : Path
        For what the processes write.
    soundfont : Path
        That all of them play with.
    seconds : float
        How long a run is measured.
    """

    def __init__(self, folder: Path, soundfont: Path, seconds: float) -> None:
        self._folder = folder
        self._soundfont = soundfont
        self._seconds = seconds
        self._soloist = build_soloist(folder)
        self._servers = 0

    def measure(self, name: str) -> Run:
        """Run one setting."""
        self._servers += 1
        server_name = f"jackcomp-bench-{os.getpid()}-{self._servers}"
        with ExitStack() as stack:
            server = stack.enter_context(Server(server_name, PERIOD, self._folder))
            soloist = stack.enter_context(Soloist(self._soloist, server))
            client = None
            if name != EMPTY:
                common = ["--server", server_name, "--sf2", str(self._soundfont)]
                command = python(*_ARGUMENTS[name], *common)
                stats = self._folder / f"{server_name}.jsonl"
                client = stack.enter_context(Client(command, stats))
                client.record_when(lambda record: record["notes_on"] > 0)
            time.sleep(SETTLE_SECONDS)
            return self._count(name, server, soloist, client)

    def _count(
        self, name: str, server: Server, soloist: Soloist, client: Client | None
    ) -> Run:
        """Count for a while in a graph that plays."""
        begin, xruns, blamed = time.monotonic(), soloist.xruns(), server.blamed()
        cpu = client.cpu_seconds() if client else 0.0
        time.sleep(self._seconds)
        end = time.monotonic()
        counted: dict[str, Any] = {
            "name": name,
            "period": server.period,
            "seconds": round(end - begin, 3),
            "xruns": soloist.xruns() - xruns,
            "blamed": dict(Counter(server.blamed()[len(blamed) :])),
        }
        if client is not None:
            counted["cpu_s"] = round(client.cpu_seconds() - cpu, 2)
            counted["rss_mb"] = round(client.resident_mb(), 1)
            counted["shared_mb"] = round(client.shared_mb(), 1)
            record = client.record_when(lambda record: record["time"] >= end)
            counted |= {
                "own_misses": record["own_misses"],
                "cycle_us": record["cycle_us"],
                "late_events": record["late_events"],
                "notes": record["notes_on"],
            }
        return Run(**counted)


if __name__ == "__main__":
    main()
