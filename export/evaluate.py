"""Measure the accompanist: ``python -m export.evaluate``, the ruler of the harmony.

The accompanist that plays live, with the core that plays live, goes through each
song's melody in musical time; what sounded is compared with the annotation. Beside
it stand rivals that need no accompanist (`export.rivals`). How songs are played is
in `export.stage`, how they are judged in `export.scores`.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from export import rivals
from export.measuring import corpus_parser, positive, report_on
from export.scores import CHANGE_WINDOW_TICKS, Scores, pool, score_chords, score_key
from export.songs import LEADSHEET_FILES, Song, read_songs
from export.stage import Stage, describe
from jackcomp.config import Settings
from jackcomp.errors import ConfigError

# What is changed of the accompanist for each row that it plays.
ACCOMPANISTS: Mapping[str, Mapping[str, Any]] = {
    "system": {},
    "ear_only": {"ai_weight": 0.0},
    "brain_only": {"ai_weight": 1.0},
    "no_mending": {"mends": False},
}
RIVALS = {
    "tonic": rivals.hold_tonic,
    "static_triad": rivals.hold_best_triad,
    "echo": rivals.echo_bar,
    "human": rivals.play_annotation,
}
ROWS = (*ACCOMPANISTS, *RIVALS)
TIMED_ROW = "system"
COLUMNS = (
    *("root", "majmin", "sevenths", "in_chord", "change_f1", "changes_per_bar"),
    *("key_exact", "key_mirex"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One song: its scores by row, and how long the system thought each time."""

    source: str
    rows: dict[str, Scores]
    thinking_ns: tuple[int, ...]


def measure_song(song: Song, rows: Sequence[str] = ROWS) -> Measured:
    """Play a song in every row, and judge each."""
    scores: dict[str, Scores] = {}
    thinking_ns: tuple[int, ...] = ()
    for row in rows:
        if row in ACCOMPANISTS:
            played = _stage().play(song, **ACCOMPANISTS[row])
            key = score_key(song, played.key)
            scores[row] = score_chords(song, played.spans) | key
            if row == TIMED_ROW:
                thinking_ns = played.thinking_ns
        else:
            scores[row] = score_chords(song, RIVALS[row](song))
    return Measured(song.source, scores, thinking_ns)


@cache
def _stage() -> Stage:
    """Load the models, once in each process."""
    return Stage()


def evaluate(
    files: Sequence[Path] = LEADSHEET_FILES,
    split: str = "test",
    source: str | None = None,
    limit: int | None = None,
    jobs: int = 1,
    rows: Sequence[str] = ROWS,
) -> dict[str, Any]:
    """Measure all rows on songs; gives the report.

    Raises
    ------
    JackcompError
        In one line, if a file, a song or a model is no good.
    """
    songs = read_songs(files, split, source, limit)
    for song in songs:
        if not song.melody or not song.spans:
            raise ConfigError(
                f"song {song.id} has no melody or no chords: give leadsheets files"
            )
    measured = list(tqdm(_measure(songs, rows, jobs), total=len(songs), unit="song"))
    thinking_ms = [ns / 1e6 for song in measured for ns in song.thinking_ns]
    return {
        "rows": {row: _by_source(measured, row) for row in rows},
        "decision_ms": _percentiles(thinking_ms),
        "songs": len(songs),
        "settings": {
            "files": [path.name for path in files],
            "split": split,
            "source": source,
            "limit": limit,
            "scored": "annotated time, weighted by duration in musical time",
            "change_window_ticks": CHANGE_WINDOW_TICKS,
            "key": "annotated and heard at the end; doubtful ones left out",
            "decision_ms": f"time of thinking at each cut-off, row {TIMED_ROW}",
            **describe(Settings()),
        },
    }


def _measure(
    songs: Sequence[Song], rows: Sequence[str], jobs: int
) -> Iterator[Measured]:
    """Measure songs in their order, in ``jobs`` processes."""
    measure = partial(measure_song, rows=rows)
    if jobs == 1:
        yield from map(measure, songs)
        return
    # A fresh interpreter each: the threads of onnxruntime do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool_of_jobs:
        yield from pool_of_jobs.imap(measure, songs)


def _by_source(measured: Sequence[Measured], row: str) -> dict[str, dict[str, float]]:
    sources = dict.fromkeys(song.source for song in measured)
    of_source = {
        source: pool(song.rows[row] for song in measured if song.source == source)
        for source in sources
    }
    return {"overall": pool(song.rows[row] for song in measured), **of_source}


def _percentiles(times: Sequence[float]) -> dict[str, float | None]:
    if not times:
        return dict.fromkeys(("p50", "p99", "max"))
    p50, p99, most = np.percentile(times, (50, 99, 100))
    return {"p50": float(p50), "p99": float(p99), "max": float(most)}


def print_report(report: Mapping[str, Any]) -> None:
    """Print the report as tables for reading, one a source."""
    rows = report["rows"]
    for source in next(iter(rows.values())):
        print(f"{source:<14}", *(f"{name:>{_width(name)}}" for name in COLUMNS))
        for name, row in rows.items():
            print(f"  {name:<12}", *_cells(row[source]))
        print()
    split, times = report["settings"]["split"], report["decision_ms"]
    print(f"{report['songs']} songs, split {split}")
    if times["max"] is not None:
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in times.items())
        print(f"decision ms: {numbers}")


def _cells(values: Mapping[str, float]) -> Iterator[str]:
    for name in COLUMNS:
        text = f"{values[name]:.3f}" if name in values else "-"
        yield f"{text:>{_width(name)}}"


def _width(name: str) -> int:
    return max(len(name), 6)


def _rows(text: str) -> tuple[str, ...]:
    """Read ``--rows``."""
    rows = tuple(text.split(","))
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no row {unknown[0]!r}: {', '.join(ROWS)}")
    return rows


def main(arguments: Iterable[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = corpus_parser("evaluate", "Measure the accompanist.")
    parser.add_argument("--jobs", type=positive, default=1, help="processes; default 1")
    parser.add_argument(
        "--rows", type=_rows, default=ROWS, help=f"of {','.join(ROWS)}; default all"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    return report_on(
        lambda: evaluate(
            options.files or LEADSHEET_FILES,
            options.split,
            options.source,
            options.limit,
            options.jobs,
            options.rows,
        ),
        print_report,
        options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
