"""``make bench-rt``: xruns, cycle times and processor time in a real JACK graph.

Each run has a JACK server of its own (dummy driver, 48 kHz, real-time where the user
may) with a soloist who plays into it and counts its xruns: a small C program, the
same in every run. Beside it are, in turn:

empty            nothing
fluidsynth       ``fluidsynth -a jack -m jack``, given the notes of solo and duo
jackcomp         with a view, a recording, counters, and following the tempo
jackcomp_busy    the same, with a busy Python thread in its process
jackcomp_stalled the same, its worker blocked for 2 s at a time
python_callback  the control: the same work with its cycle in Python, and busy

At 64 frames each is measured in five rounds, between two runs of the empty server, and
who comes first alternates; at other periods in one round, and the control once. On a
virtual machine a run from which the host has taken processor time is measured again,
twice at most; all are printed, the last one counts. Nothing here fails for being slow:
the exit code is 0 unless nothing was measured.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import mido

from bench import report
from bench.graph import (
    MOST_STOLEN_MS,
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
from bench.music import BPM, RATE, STYLE, duo_score, solo_score
from bench.report import (
    BUSY,
    CONTROL,
    EMPTY,
    FLUIDSYNTH,
    JACKCOMP,
    MAIN_PERIOD,
    STALLED,
    Run,
)
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import JackcompError

PERIODS = (MAIN_PERIOD, 32, 128, 256)
ROUNDS = 5
SETTINGS = (BUSY, JACKCOMP, FLUIDSYNTH, STALLED)
"""Beside the empty server; jackcomp and its peer are neighbours."""

LEAD_IN_SECONDS = 4.0
"""From the first note to the counting: by then the duo plays."""

_OURS = (
    *("--view", "plain", "--style", STYLE, "--bpm", str(BPM)),
    *("--start", "first-note", "--follow-tempo"),
    *("--connect", f"^{SOLOIST_PORT}$", "--record"),
)
_PROGRAMS = {
    JACKCOMP: ("jackcomp", *_OURS),
    BUSY: ("jackcomp", "--stress", *_OURS),
    STALLED: ("bench.stalled", *_OURS),
    CONTROL: ("bench.python_callback", "--connect", SOLOIST_PORT),
}
FLUIDSYNTH_PORT = "fluidsynth:midi_00"


def main() -> None:
    """Measure, print, write; exit code 1 if nothing could be measured."""
    parser = argparse.ArgumentParser(description="Real time, measured.")
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help=f"measured in each setting at {MAIN_PERIOD} frames, over {ROUNDS} runs; "
        "one run's share at other periods (default: 60)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the runs there"
    )
    parser.add_argument("--sf2", type=Path, metavar="FILE", help="SoundFont")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        runs = _measure_all(options.seconds / ROUNDS, find_soundfont(options.sf2))
        if options.json is not None:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(report.to_json(runs), encoding="utf-8")
    except (BenchError, JackcompError, OSError) as error:
        sys.exit(f"bench.realtime: {error}")


def _measure_all(seconds: float, soundfont: Path) -> list[Run]:
    """Measure all settings in turn, ``seconds`` each run; print what is found."""
    urgency = "real-time" if can_be_realtime() else "NOT real-time (no permission)"
    print(
        f"{RATE} Hz, {urgency}; {seconds:g} s a run; {os.cpu_count()} processors, "
        f"load {os.getloadavg()[0]:.1f}; SoundFont {soundfont}"
    )
    runs = []

    def show(run: Run) -> None:
        print(report.line_of(run), flush=True)

    with tempfile.TemporaryDirectory(prefix="jackcomp-bench-") as folder:
        bench = Bench(Path(folder), soundfont, seconds)
        last_period = None
        for name, period in _plan():
            if period != last_period:
                print(f"\n{report.header(period)}")
                last_period = period
            measured = partial(bench.measure, name, period)
            runs.append(measure_undisturbed(measured, show))
    print("", *report.verdict(runs), sep="\n")
    disturbed = sum(run.stolen_ms > MOST_STOLEN_MS for run in runs)
    print(
        f"the host took more than {MOST_STOLEN_MS:g} ms from {disturbed} of the "
        f"{len(runs)} runs that count"
    )
    return runs


def _plan() -> Iterator[tuple[str, int]]:
    """Give setting and period of each run."""
    yield EMPTY, MAIN_PERIOD
    for number in range(ROUNDS):
        for name in SETTINGS if number % 2 == 0 else reversed(SETTINGS):
            yield name, MAIN_PERIOD
            yield EMPTY, MAIN_PERIOD
    yield CONTROL, MAIN_PERIOD
    for period in PERIODS[1:]:
        for name in (EMPTY, *SETTINGS):
            yield name, period


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
        self._solo = solo_score().write(folder / "solo.txt")
        self._duo = duo_score().write(folder / "duo.txt")
        self._servers = 0

    def measure(self, name: str, period: int) -> Run:
        """Run one setting."""
        self._servers += 1
        server_name = f"jackcomp-bench-{os.getpid()}-{self._servers}"
        folder = self._folder / server_name
        folder.mkdir()
        with ExitStack() as stack:
            server = stack.enter_context(Server(server_name, period, folder))
            score = self._duo if name == FLUIDSYNTH else self._solo
            soloist = stack.enter_context(Soloist(self._soloist, server, score))
            process = None
            if name != EMPTY:
                process = self._start(stack, name, server, soloist)
            soloist.play()
            run = self._count(name, server, soloist, process)
        takes = list(folder.glob("take-*"))
        return replace(run, gap_ms=longest_gap_ms(*takes)) if takes else run

    def _start(
        self, stack: ExitStack, name: str, server: Server, soloist: Soloist
    ) -> Process:
        """Start what is measured, and wait until it hears the soloist."""
        if name == FLUIDSYNTH:
            command = _fluidsynth(server, self._soundfont)
            # It plays for as long as it may read commands.
            log = server.folder / "fluidsynth.log"
            process = stack.enter_context(Process(command, log, asks=True))
            soloist.connect(FLUIDSYNTH_PORT)
            return process
        command = python(*_PROGRAMS[name])
        if name != CONTROL:
            command.append(str(server.folder))
        command += ["--server", server.name, "--sf2", str(self._soundfont)]
        client = Client(command, server.folder / "stats.jsonl")
        stack.enter_context(client)
        client.record_when(lambda _: True)
        return client

    def _count(
        self, name: str, server: Server, soloist: Soloist, process: Process | None
    ) -> Run:
        """Count for a while in a graph that plays."""
        begin = soloist.look_until(LEAD_IN_SECONDS)[-1]
        blamed = len(server.blamed())
        cpu = process.cpu_seconds() if process else None
        core = process.realtime_seconds() if process else None
        stolen = stolen_ms()
        looks = soloist.look_until(begin.played / RATE + self._seconds)
        counted: dict[str, Any] = {
            "name": name,
            "period": server.period,
            "seconds": round((looks[-1].played - begin.played) / RATE, 3),
            "xruns": looks[-1].xruns - begin.xruns,
            "dsp_load": round(mean(look.load for look in looks), 2),
            "stolen_ms": stolen_ms() - stolen,
            "blamed": dict(Counter(server.blamed()[blamed:])),
        }
        if process is not None and cpu is not None:
            counted["cpu_s"] = round(process.cpu_seconds() - cpu, 2)
            counted["rss_mb"] = round(process.resident_mb(), 1)
            counted["shared_mb"] = round(process.shared_mb(), 1)
            core_now = process.realtime_seconds()
            if core is not None and core_now is not None:
                counted["core_cpu_s"] = round(core_now - core, 3)
        if isinstance(process, Client):
            counted |= _counters(process)
        return Run(**counted)


def _fluidsynth(server: Server, soundfont: Path) -> list[str]:
    """Return the command for FluidSynth's own JACK client."""
    options = (
        *(f"audio.jack.server={server.name}", f"midi.jack.server={server.name}"),
        *("audio.jack.id=fluidsynth", "midi.jack.id=fluidsynth"),
        "audio.jack.autoconnect=1",
    )
    settings = [word for option in options for word in ("-o", option)]
    return ["fluidsynth", "-a", "jack", "-m", "jack", *settings, str(soundfont)]


def _counters(client: Client) -> dict[str, Any]:
    """Return what the client itself has counted, from its first cycle on."""
    record = client.next_record()
    return {
        "own_misses": record["own_misses"],
        "cycle_us": record["cycle_us"],
        "late_events": record["late_events"],
        "notes": record["notes_on"],
    }


def longest_gap_ms(take: Path) -> float:
    """Return the longest time from one note of the accompaniment to the next."""
    midi = mido.MidiFile(take / "accompaniment.mid")
    onsets = sorted(
        {
            tick
            for track in midi.tracks
            for tick, message in _ticks(track)
            if message.type == "note_on"
        }
    )
    longest = max(later - onset for onset, later in pairwise(onsets))
    quarters = float(longest / midi.ticks_per_beat)
    return round(quarters * 60_000 / BPM, 1)


def _ticks(track: mido.MidiTrack) -> Iterator[tuple[int, mido.Message]]:
    tick = 0
    for message in track:
        tick += message.time
        yield tick, message


if __name__ == "__main__":
    main()
