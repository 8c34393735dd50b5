"""``make bench``: speed of a render, time to the first cycle, resident memory.

Speed is that of the whole process, imports and SoundFont included, on one core: the
length of the WAV over the time from starting the program to its end; where others use
the machine too, the figure by processor time is nearer to the truth. The first cycle
is timed from starting `jackcomp` beside a private JACK server to the moment when JACK
first called it, which its first record of counters tells. Memory is that of the live
process after it has played for a while; JACK's shared memory is told apart, because
the server allocates it and every client maps the whole of it. Nothing here fails for
being slow: the exit code is 0 unless nothing was measured.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.graph import (
    SOLOIST_PORT,
    BenchError,
    Client,
    Server,
    Soloist,
    build_soloist,
    end_on_sigterm,
    python,
)
from bench.music import RATE, solo_score
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import JackcompError

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "jackcomp" / "assets"
MODEL = ROOT / "models" / "brain.onnx"
SMALL_SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
PERIOD = 256
PLAY_SECONDS = 10.0
TARGET_SPEED = 20.0
TARGET_SECONDS = 2.0
TARGET_MB = 120.0


def main() -> None:
    """Measure and print; exit code 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(description="Speed, start-up and memory.")
    parser.add_argument("solo", nargs="?", type=Path, metavar="SOLO.mid")
    parser.add_argument("--sf2", type=Path, metavar="FILE", help="SoundFont")
    parser.add_argument("--times", type=int, default=5, metavar="N")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        small = SMALL_SOUNDFONT if SMALL_SOUNDFONT.exists() else None
        soundfont = find_soundfont(options.sf2 or small)
        _show_speed(options.solo or _bundled_solo(), soundfont, options.times)
        _show_live(soundfont, options.times)
    except (BenchError, JackcompError, OSError) as error:
        sys.exit(f"bench.render: {error}")


def _bundled_solo() -> Path:
    solos = sorted(ASSETS.glob("*.mid"))
    if not solos:
        raise BenchError(f"no solo in {ASSETS}: name a MIDI file")
    return solos[0]


def _show_speed(solo: Path, soundfont: Path, times: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _one_core() as core:
        wav = Path(folder) / "render.wav"
        command = python("jackcomp", "render", str(solo), "-o", str(wav))
        taken = [_run([*command, "--sf2", str(soundfont)]) for _ in range(times)]
        length = _length(wav)
    speeds = [length / wall for wall, _ in taken]
    by_work = median(length / work for _, work in taken)
    print(
        f"render of {solo.name}, {length:.1f} s, on core {core} alone: "
        f"{median(speeds):.1f} times real time ({_list(speeds, 1)}; by its processor "
        f"time {by_work:.1f}; promised: {TARGET_SPEED:g})"
    )


def _run(command: list[str]) -> tuple[float, float]:
    """Run a command to its end; return the seconds and the processor time it took."""
    begin, worked = time.monotonic(), _children_seconds()
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()
        raise BenchError(f"render failed: {said[-1] if said else result.returncode}")
    return time.monotonic() - begin, _children_seconds() - worked


def _children_seconds() -> float:
    """Return the processor time of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _length(wav: Path) -> float:
    with wave.open(str(wav), "rb") as file:
        return file.getnframes() / file.getframerate()


@contextmanager
def _one_core() -> Iterator[int]:
    """Keep this process, and what it starts, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield max(allowed)
    finally:
        os.sched_setaffinity(0, allowed)


def _show_live(soundfont: Path, times: int) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        server_name = f"jackcomp-bench-{os.getpid()}"
        server = stack.enter_context(Server(server_name, PERIOD, folder))
        score = solo_score().write(folder / "solo.txt")
        soloist = stack.enter_context(Soloist(build_soloist(folder), server, score))
        soloist.play()
        common = ["--server", server_name, "--sf2", str(soundfont), "--view", "none"]
        musical = ["--connect", f"^{SOLOIST_PORT}$", "--start", "first-note"]
        command = python("jackcomp", *common, *musical)
        starts = [_start(command, folder / f"{turn}.jsonl") for turn in range(times)]
        resident, shared = _memory_mb(command, folder / "long.jsonl")
        light = soloist.resident_mb()
    model, font = _megabytes(MODEL), _megabytes(soundfont)
    print(
        f"first cycle after {median(starts):.2f} s "
        f"({_list(starts, 2)}; promised: {TARGET_SECONDS:g})"
    )
    print(
        f"resident after {PLAY_SECONDS:g} s of play: {resident:.1f} MB; less JACK's "
        f"shared memory {shared:.1f}, model {model:.1f} and SoundFont {font:.1f}: "
        f"{resident - shared - model - font:.1f} MB (promised: {TARGET_MB:g}). The "
        f"soloist, a small C program in the same graph, has {light:.1f} MB"
    )


def _start(command: list[str], stats: Path) -> float:
    """Return the seconds from starting a client to its first cycle."""
    begin = time.monotonic()
    with Client(command, stats) as client:
        record = client.record_when(lambda record: record["cycles"] > 0)
    since_first = float(record["cycles"]) * PERIOD / RATE
    return float(record["time"]) - since_first - begin


def _memory_mb(command: list[str], stats: Path) -> tuple[float, float]:
    """Return resident and shared memory of a client that has played for a while."""
    with Client(command, stats) as client:
        client.record_when(lambda record: record["notes_on"] > 0)
        time.sleep(PLAY_SECONDS)
        return client.resident_mb(), client.shared_mb()


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def _list(values: list[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


if __name__ == "__main__":
    main()
