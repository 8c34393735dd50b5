"""Measure the pulse: ``python -m export.evaluate_pulse``.

The pacer that steers the clock live hears each song's onsets, one after the other;
the beats of its clock are compared with the annotated ones. A change of tempo takes
effect 100 ms after the note that caused it, so every beat is settled that long
before it sounds. Songs are read in `export.pulse_songs`, judged in
`export.pulse_scores`; simple rivals are in `export.pulse_rivals`, players who listen
to the band in `export.pulse_players`.
"""

import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from export import pulse_rivals
from export.measuring import corpus_parser, positive, report_on
from export.pulse_players import (
    RATE,
    draw_duet,
    make_pacer,
    measure_players,
    report_note,
)
from export.pulse_rivals import Start
from export.pulse_scores import Beat, PulseScores, pool_scores, score_beats
from export.pulse_songs import (
    DRIFT,
    JITTER_SECONDS,
    TimedSong,
    randomness_of,
    read_timed_songs,
)
from export.songs import LEADSHEET_FILES
from jackcomp.config import Settings
from jackcomp.ear.beat_filter import PulseTables
from jackcomp.ear.pulse_tables import load_pulse_tables
from jackcomp.errors import ConfigError
from jackcomp.pacing import FREEZE_SECONDS, Told
from jackcomp.timeline.clock import Anchor, Timeline
from jackcomp.timeline.meter import TICKS_PER_QUARTER

TIGHTNESS = Settings().tightness
PRIOR_SHARE = 0.10
COUNT_IN_SHARE = 0.02
COUNT_IN_SECONDS = 0.020
COUNT_IN_BEATS = 8
DEFAULT_PERIOD = 0.5
PLAYERS = 20
SYSTEM = ("count_in", "prior", "no_prior")
ROWS = (*SYSTEM, "fixed", "mean_interval", "comb", "random_phase")
COLUMNS = (
    *("f", "cmlc", "cmlt", "amlc", "amlt", "in_phase", "tempo4", "tempo4_octave"),
    *("kept", "phase_ms_p50", "phase_ms_p90", "lock_s", "correction"),
)
REPEATED = ("pop909_steady", "pop909_bent")
"""The same songs once more: sources of their own, but not counted in ``overall``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One song: its scores by row, and how long each note was thought about."""

    source: str
    rows: dict[str, PulseScores]
    thinking_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """What the system made of a song: its beats, and its time of thinking."""

    beats: list[Beat]
    thinking_ns: list[int]


def follow(
    song: TimedSong,
    start: Start,
    tables: PulseTables,
    tightness: float = TIGHTNESS,
) -> Followed:
    """Let the pacer hear a song, and read the beats from its clock.

    Parameters
    ----------
    song : TimedSong
        The pacer is given its notes alone.
    start : Start
        What is known before: a tempo, a beat of the count-in.
    tables : PulseTables
        Of the tracker.
    tightness : float
        As a player sets it.
    """
    period = start.period or DEFAULT_PERIOD
    origin = float(song.onsets[0]) if start.beat is None else start.beat
    clock = Anchor(round(origin * RATE), 0, round(period * 1e9), RATE)
    told = Told.NOTHING if start.period is None else Told.TEMPO
    told = told if start.beat is None else Told.COUNT_IN
    pacer = make_pacer(tables, clock, told, tightness)
    periods, thinking_ns = [(-math.inf, period)], []
    for onset in song.played():
        report = report_note(pacer.timeline, *onset)
        begun = time.thread_time_ns()
        pacer.hear(report, report.tick or 0)
        thinking_ns.append(time.thread_time_ns() - begun)
        periods.append((onset.seconds + FREEZE_SECONDS, pacer.period))
    end = pacer.timeline.frame_to_tick(round((song.onsets[-1] + 2) * RATE))
    return Followed(
        _beats_of(pacer.timeline, end // TICKS_PER_QUARTER, periods), thinking_ns
    )


def _beats_of(
    timeline: Timeline, end: int, periods: Sequence[tuple[float, float]]
) -> list[Beat]:
    """List the beats of a clock, each with the tempo in force when it sounds."""
    beats, index = [], 0
    for number in range(-1, end):
        seconds = timeline.tick_to_frame(number * TICKS_PER_QUARTER) / RATE
        while index + 1 < len(periods) and periods[index + 1][0] <= seconds:
            index += 1
        beats.append(Beat(seconds, periods[index][1]))
    return beats


def start_of(song: TimedSong, row: str) -> Start:
    """Say what is known of a song in a row; always the same for a song."""
    rng = randomness_of(song.id, row)
    period = _mean_period(song)
    if row == "no_prior":
        return Start()
    if row == "random_phase":
        return Start(period, float(song.onsets[0] - period * rng.uniform(0, 1)))
    if row == "count_in":
        before = np.searchsorted(song.beats, song.onsets[0], side="right") - 1
        at = max(int(before), 0)
        counted = song.beats[at : at + COUNT_IN_BEATS + 1]
        period = float(counted[-1] - counted[0]) / (len(counted) - 1)
        beat = song.beats[at] + rng.uniform(-COUNT_IN_SECONDS, COUNT_IN_SECONDS)
        return Start(period * _off(rng, COUNT_IN_SHARE), float(beat))
    # The same wrong tempo for the system and for its rivals.
    return Start(period * _off(randomness_of(song.id, "prior"), PRIOR_SHARE))


def _mean_period(song: TimedSong) -> float:
    beats = song.scored_beats()
    return float(beats[-1] - beats[0]) / (len(beats) - 1)


def _off(rng: np.random.Generator, share: float) -> float:
    return 1 + rng.uniform(-share, share)


RIVALS: Mapping[str, Callable[[Any, Start], list[Beat]]] = {
    "fixed": pulse_rivals.hold_tempo,
    "mean_interval": pulse_rivals.mean_intervals,
    "comb": pulse_rivals.comb,
    "random_phase": pulse_rivals.hold_tempo,
}


def measure_song(song: TimedSong, tables: Path | None = None) -> Measured:
    """Let every row find the beats of a song, and judge each."""
    truth, first, last = song.scored_beats(), song.onsets[0], song.onsets[-1]
    rows: dict[str, PulseScores] = {}
    thinking_ns: list[int] = []
    for row in ROWS:
        start = start_of(song, row)
        if row in SYSTEM:
            followed = follow(song, start, _tables(tables))
            beats, thinking_ns = followed.beats, thinking_ns + followed.thinking_ns
        else:
            beats = RIVALS[row](song.onsets, start)
        rows[row] = score_beats(truth, beats, float(first), float(last))
    return Measured(song.source, rows, tuple(thinking_ns))


@cache
def _tables(path: Path | None) -> PulseTables:
    """Load the tables, once in each process."""
    return load_pulse_tables(path)


def evaluate(
    files: Sequence[Path] = LEADSHEET_FILES,
    split: str = "test",
    source: str | None = None,
    limit: int | None = None,
    jobs: int = 1,
    plots: Path | None = None,
    tables: Path | None = None,
) -> dict[str, Any]:
    """Measure all rows on songs; gives the report.

    The filter is the one that is installed, or that of the file ``tables``.

    Raises
    ------
    JackcompError
        In one line, if a file, a song or the tables are no good.
    """
    songs = read_timed_songs(files, split, source, limit)
    short = [song.id for song in songs if len(song.scored_beats()) < 3]
    if short:
        raise ConfigError(f"song {short[0]} has fewer than three beats: leave it out")
    measured = list(tqdm(_measure(songs, jobs, tables), total=len(songs), unit="song"))
    thinking_ms = [ns / 1e6 for song in measured for ns in song.thinking_ns]
    # Spread over the songs, the same one never twice.
    once = [song for song in songs if song.source not in REPEATED] or songs
    listeners = once[:: max(len(once) // PLAYERS, 1)][:PLAYERS]
    players, duet = measure_players(listeners, _tables(tables), TIGHTNESS)
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        title = "200 bars with a player who listens"
        draw_duet(duet, plots / "listening.png", title)
    p50, p99, most = np.percentile(thinking_ms, (50, 99, 100))
    return {
        "rows": {row: _by_source(measured, row) for row in ROWS},
        "decision_ms": {"p50": float(p50), "p99": float(p99), "max": float(most)},
        "songs": len(songs),
        "players": players,
        "settings": {
            "files": [path.name for path in files],
            "split": split,
            "source": source,
            "limit": limit,
            "tables": None if tables is None else tables.name,
            "given": {
                "notes": "time, MIDI note and velocity of each, when it begins",
                "count_in": f"a beat within {COUNT_IN_SECONDS} s, the tempo of the "
                f"first {COUNT_IN_BEATS} beats within {COUNT_IN_SHARE}",
                "prior": f"the song's mean tempo within {PRIOR_SHARE}; also given to "
                "fixed and comb, and to mean_interval until it has an interval",
                "no_prior": "nothing",
                "random_phase": "the song's mean tempo",
            },
            "settled_s": FREEZE_SECONDS,
            "scored": "from the first onset to the last; means over songs",
            "pop909": f"onsets moved by up to {JITTER_SECONDS} s; tempo drifts by up "
            f"to {DRIFT}, not in pop909_steady; pop909_bent has ritardandi and "
            "accelerandi; overall leaves out both",
            "decision_ms": "processor time at each note, the three system rows",
        },
    }


def _measure(
    songs: Sequence[TimedSong], jobs: int, tables: Path | None
) -> Iterator[Measured]:
    """Measure songs in their order, in ``jobs`` processes."""
    measure = partial(measure_song, tables=tables)
    if jobs == 1:
        yield from map(measure, songs)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool_of_jobs:
        yield from pool_of_jobs.imap(measure, songs)


def _by_source(measured: Sequence[Measured], row: str) -> dict[str, dict[str, Any]]:
    by_source: dict[str, list[PulseScores]] = {}
    for song in measured:
        by_source.setdefault(song.source, []).append(song.rows[row])
    overall = [
        scores
        for source, songs in by_source.items()
        if source not in REPEATED or len(by_source) == 1
        for scores in songs
    ]
    return {
        name: {
            measure: value if math.isfinite(value) else None
            for measure, value in pool_scores(songs).items()
        }
        for name, songs in {"overall": overall, **by_source}.items()
    }


def print_report(report: Mapping[str, Any]) -> None:
    """Print the report as tables for reading, one a source."""
    rows = report["rows"]
    for source in next(iter(rows.values())):
        print(f"{source:<14}", *(f"{name:>{_width(name)}}" for name in COLUMNS))
        for name, row in rows.items():
            print(f"  {name:<12}", *_cells(row[source]))
        print()
    for name, values in _flat(report["players"]):
        print(f"{name}: {values}")
    times = report["decision_ms"]
    print(f"{report['songs']} songs, split {report['settings']['split']}")
    print(
        "ms a note:", ", ".join(f"{name} {value:.2f}" for name, value in times.items())
    )


def _flat(players: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write what players who listen met with, a line each."""
    rows = {"listening": players["listening"]}
    rows |= {f"after {n} beats": row for n, row in players["re_entry"].items()}
    for name, row in rows.items():
        shown = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
        yield name, ", ".join(f"{k} {v}" for k, v in zip(row, shown, strict=True))


def _cells(values: Mapping[str, float | None]) -> Iterator[str]:
    for name in COLUMNS:
        value = values[name]
        digits = 1 if name in ("phase_ms_p50", "phase_ms_p90", "lock_s") else 3
        text = "never" if value is None else f"{value:.{digits}f}"
        yield f"{text:>{_width(name)}}"


def _width(name: str) -> int:
    return max(len(name), 5)


def main(arguments: Iterable[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = corpus_parser("evaluate_pulse", "Measure the pulse.")
    parser.add_argument("--jobs", type=positive, default=1, help="processes; default 1")
    parser.add_argument("--plots", type=Path, help="draw pictures into this folder")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="another filter")
    options = parser.parse_args(None if arguments is None else list(arguments))
    return report_on(
        lambda: evaluate(
            options.files or LEADSHEET_FILES,
            options.split,
            options.source,
            options.limit,
            options.jobs,
            options.plots,
            options.tables,
        ),
        print_report,
        options.json,
        options.plots,
    )


if __name__ == "__main__":
    sys.exit(main())
