"""``make bench-swap``: xruns while SoundFonts are changed in a playing jackcomp.

Rounds of three runs, each beside a JACK server of its own (dummy driver, 48 kHz, 64
frames, real-time where the user may) with the soloist of ``player.c``. In 'swap'
jackcomp plays, and is made to change between two SoundFonts every few seconds; in
'load' there is no jackcomp, and another process loads the same SoundFonts as often;
in 'both' that process loads them beside a jackcomp that keeps its own. Once with
small SoundFonts, once with large ones. Who comes first goes round. A run from which a
virtual machine's host has taken processor time is measured again, twice at most.

Nothing here fails for being slow: the exit code is 0 unless nothing was measured.
"""

import argparse
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from bench.graph import (
    SOLOIST_PORT,
    BenchError,
    Client,
    Process,
    Server,
    Soloist,
    build_soloist,
    can_be_realtime,
    end_on_sigterm,
    measure_undisturbed,
    python,
    stolen_ms,
)
from bench.music import BPM, RATE, STYLE, solo_score
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import JackcompError

PERIOD = 64
ROUNDS = 5
SWAP, LOAD, BOTH = "swap", "load", "both"
SETTINGS = (SWAP, LOAD, BOTH)
SMALL = "small"
INTERVAL_SECONDS = 4.0
"""From one SoundFont to the next; what rings has gone by then."""
LEAD_IN_SECONDS = 4.0
"""From the first note to the counting: by then all are in their rhythm."""
LARGE_MB = 150
"""The size of Debian's largest General MIDI SoundFont."""


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted in a run; swaps and cycles only where jackcomp played."""

    name: str
    xruns: int
    stolen_ms: float
    swaps: int = 0
    own_misses: int = 0
    longest_us: float = 0.0


def main() -> None:
    """Measure and print; exit code 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(description="SoundFonts changed while playing.")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--sf2", type=Path, metavar="FILE", help="the small SoundFont")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        _measure_all(options.seconds, find_soundfont(options.sf2))
    except (BenchError, JackcompError, OSError) as error:
        sys.exit(f"bench.swap: {error}")


def _measure_all(seconds: float, soundfont: Path) -> None:
    urgency = "real-time" if can_be_realtime() else "NOT real-time (no permission)"
    print(
        f"{PERIOD} frames at {RATE} Hz, {urgency}; {seconds:g} s a run, a SoundFont "
        f"every {INTERVAL_SECONDS:g} s; {os.cpu_count()} processors, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory(prefix="jackcomp-bench-") as name:
        folder = Path(name)
        bench = Bench(folder, seconds)
        for label, fonts in (
            (SMALL, [_copy(soundfont, folder / f"s{n}.sf2") for n in (1, 2)]),
            ("large", [_pad(soundfont, folder / f"l{n}.sf2") for n in (1, 2)]),
        ):
            size = fonts[0].stat().st_size / 1e6
            print(f"\n{label} SoundFonts, {size:.0f} MB")
            print(f"{'':<8}{'xruns':>6}{'stolen ms':>10}{'swaps':>7}{'own misses':>12}")
            _judge(label, [bench.round(number, fonts) for number in range(ROUNDS)])


def _copy(soundfont: Path, path: Path) -> Path:
    return Path(shutil.copy(soundfont, path))


def _pad(soundfont: Path, path: Path) -> Path:
    """Write a SoundFont with so many samples that no instrument uses."""
    whole = soundfont.read_bytes()
    padding = max(LARGE_MB * 10**6 - len(whole), 0) // 2 * 2
    lists, samples = (
        whole.index(b"LIST", whole.index(b"sdta") - 8),
        whole.index(b"smpl"),
    )
    size = struct.unpack_from("<I", whole, samples + 4)[0]
    end = samples + 8 + size
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", len(whole) - 8 + padding))
        file.write(whole[8 : lists + 4])
        listed = struct.unpack_from("<I", whole, lists + 4)[0]
        file.write(struct.pack("<I", listed + padding))
        file.write(whole[lists + 8 : samples + 4] + struct.pack("<I", size + padding))
        file.write(whole[samples + 8 : end] + os.urandom(padding) + whole[end:])
    return path


def _show_run(run: Count) -> None:
    print(
        f"{run.name:<8}{run.xruns:>6}{run.stolen_ms:>10.0f}{run.swaps:>7}"
        f"{run.own_misses:>12}",
        flush=True,
    )


def _judge(label: str, rounds: list[dict[str, Count]]) -> None:
    usual = median(counts[SWAP].xruns for counts in rounds)
    beyond = {
        name: median(counts[SWAP].xruns - counts[name].xruns for counts in rounds)
        for name in (LOAD, BOTH)
    }
    misses = sum(counts[SWAP].own_misses for counts in rounds)
    good = beyond[LOAD] <= 0 and misses == 0
    if label == SMALL:
        good = good and usual == 0
    print(
        f"xruns of 'swap': median {usual:g}; beyond 'load' {beyond[LOAD]:+g}, beyond "
        f"'both' {beyond[BOTH]:+g}; own misses {misses}, longest cycle "
        f"{max(counts[SWAP].longest_us for counts in rounds):.0f} us: "
        f"{'ok' if good else 'NOT AS PROMISED'}"
    )


class Bench:
    """Runs the pairs.

    Parameters
    ----------
    folder : Path
        For what the processes write.
    seconds : float
        How long a run is measured.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._soloist = build_soloist(folder)
        self._solo = solo_score().write(folder / "solo.txt")
        self._servers = 0

    def round(self, number: int, fonts: list[Path]) -> dict[str, Count]:
        """Measure each setting once, another one first in each round."""
        first = number % len(SETTINGS)
        order = SETTINGS[first:] + SETTINGS[:first]
        return {
            name: measure_undisturbed(partial(self._measure, name, fonts), _show_run)
            for name in order
        }

    def _graph(self, stack: ExitStack) -> tuple[Server, Soloist]:
        self._servers += 1
        name = f"jackcomp-bench-{os.getpid()}-{self._servers}"
        server = stack.enter_context(Server(name, PERIOD, self._folder))
        soloist = stack.enter_context(Soloist(self._soloist, server, self._solo))
        return server, soloist

    def _measure(self, name: str, fonts: list[Path]) -> Count:
        with ExitStack() as stack:
            server, soloist = self._graph(stack)
            config = self._folder / f"{server.name}.toml"
            client = None
            if name != LOAD:
                client = stack.enter_context(self._jackcomp(server, config, fonts[0]))
                client.record_when(lambda _: True)
            if name != SWAP:
                arguments = [str(INTERVAL_SECONDS), str(RATE), *map(str, fonts)]
                command = python("bench.load_soundfonts", *arguments)
                stack.enter_context(Process(command, self._folder / "load.log"))
            soloist.play()
            return self._count(name, soloist, client, config, fonts)

    def _jackcomp(self, server: Server, config: Path, font: Path) -> Client:
        _choose(config, font)
        command = python(
            *("jackcomp", "--config", str(config), "--view", "none"),
            *("--connect", f"^{SOLOIST_PORT}$", "--style", STYLE),
            *("--bpm", str(BPM), "--start", "first-note", "--server", server.name),
        )
        return Client(command, self._folder / f"{server.name}.jsonl")

    def _count(
        self,
        name: str,
        soloist: Soloist,
        client: Client | None,
        config: Path,
        fonts: list[Path],
    ) -> Count:
        before = soloist.look_until(LEAD_IN_SECONDS)[-1]
        begin, stolen = time.monotonic(), stolen_ms()
        for turn in range(round(self._seconds / INTERVAL_SECONDS)):
            if client is not None and name == SWAP:
                _choose(config, fonts[1 - turn % 2])
                client.send_signal(signal.SIGHUP)
            until = LEAD_IN_SECONDS + (turn + 1) * INTERVAL_SECONDS
            after = soloist.look_until(until)[-1]
        end, stolen = time.monotonic(), stolen_ms() - stolen
        count = Count(name, after.xruns - before.xruns, stolen)
        if client is None:
            return count
        first = client.record_when(lambda record: record["time"] >= begin)
        last = client.record_when(lambda record: record["time"] >= end)
        misses = last["own_misses"] - first["own_misses"]
        longest = last["cycle_us"]["max"]
        return replace(
            count, swaps=last["swaps"], own_misses=misses, longest_us=longest
        )


def _choose(config: Path, font: Path) -> None:
    config.write_text(f'sf2 = "{font}"\n', encoding="utf-8")


if __name__ == "__main__":
    main()
