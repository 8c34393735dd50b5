"""Measure the accompanist: ``python -m export.evaluate``, the ruler of the harmony.

The accompanist that plays live, with the core that plays live, goes through each
song's melody in musical time; what sounded is compared with the annotation. Beside
it stand rivals that need no accompanist (`export.rivals`). How songs are played is
in `export.stage`, who plays in which row in `export.casting`, how they are judged in
`export.scores`.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from export.casting import PARTS, ROLES, ROWS, TIMED_ROW, Judged, judge
from export.measuring import corpus_parser, positive, report_on
from export.scores import CHANGE_WINDOW_TICKS, MEDIANS, Share, pool
from export.songs import LEADSHEET_FILES, Song, read_songs
from export.stage import describe
from jackcomp.config import Settings
from jackcomp.errors import ConfigError

COLUMNS = (
    *("root", "majmin", "sevenths", "in_chord", "change_f1", "changes_per_bar"),
    *("clash", "pitch_classes", "key_exact", "key_mirex"),
)
COMPARED = (
    *(("system", other) for other in ROLES if other != "system"),
    ("no_mending", "no_mending_no_memory"),
    ("no_memory", "no_mending_no_memory"),
)
"""Rows that are compared song by song: gain of the first over the second."""

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """One song: its rows as they were judged."""

    source: str
    rows: dict[str, Judged]


def measure_song(numbered: tuple[int, Song], rows: Sequence[str] = ROWS) -> Measured:
    """Play a song in every row that plays it, and judge each."""
    number, song = numbered
    return Measured(
        song.source,
        {
            row: judge(song, row)
            for row in rows
            if row not in ROLES or number % ROLES[row].one_in == 0
        },
    )


def evaluate(
    files: Sequence[Path] = LEADSHEET_FILES,
    split: str = "test",
    source: str | None = None,
    limit: int | None = None,
    jobs: int = 1,
    rows: Sequence[str] = ROWS,
    plots: Path | None = None,
) -> dict[str, Any]:
    """Measure all rows on songs; gives the report.

    Raises
    ------
    JackcompError
        In one line, if a file, a song or a model is no good.
    """
    songs = read_songs(files, split, source, limit)
    for song in songs:
        if not song.melody:
            raise ConfigError(f"song {song.id} has no melody: give leadsheets files")
    measured = list(tqdm(_measure(songs, rows, jobs), total=len(songs), unit="song"))
    timed = [song.rows[TIMED_ROW] for song in measured if TIMED_ROW in song.rows]
    thinking_ms = [ns / 1e6 for judged in timed for ns in judged.thinking_ns]
    report = {
        "rows": {row: _by_source(measured, row) for row in rows},
        "paired": _pair(measured, rows),
        "by_position": {
            row: _add_up(song.rows[row].positions for song in measured)
            for row in rows
            if any(row in s.rows and s.rows[row].positions for s in measured)
        },
        "reliability": {
            "confidence": _add_up(judged.confidence for judged in timed),
            "right": _add_up(judged.reliability for judged in timed),
        },
        "decision_ms": _percentiles(thinking_ms),
        "songs": len(songs),
        "settings": {
            "files": [path.name for path in files],
            "split": split,
            "source": source,
            "limit": limit,
            "scored": "annotated time, weighted by duration in musical time",
            "change_window_ticks": CHANGE_WINDOW_TICKS,
            "medians": list(MEDIANS),
            "key": "annotated and heard at the end; doubtful ones left out",
            "decision_ms": f"time of thinking at each cut-off, row {TIMED_ROW}",
            "one_song_in": {
                row: ROLES[row].one_in
                for row in rows
                if row in ROLES and ROLES[row].one_in > 1
            },
            **describe(Settings()),
        },
    }
    if plots is not None:
        # Late: only pictures need matplotlib.
        from export.evaluate_plots import draw

        draw(report, songs, plots)
    return report


def _measure(
    songs: Sequence[Song], rows: Sequence[str], jobs: int
) -> Iterator[Measured]:
    """Measure songs in their order, in ``jobs`` processes."""
    measure = partial(measure_song, rows=rows)
    if jobs == 1:
        yield from map(measure, enumerate(songs))
        return
    # A fresh interpreter each: the threads of onnxruntime do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool_of_jobs:
        yield from pool_of_jobs.imap(measure, enumerate(songs))


def _by_source(measured: Sequence[Measured], row: str) -> dict[str, dict[str, float]]:
    """Pool a row over all songs and over those of each source, whole and in parts."""
    sources = dict.fromkeys(song.source for song in measured)
    return {
        (source or "overall") + part: found
        for part in PARTS
        for source in (None, *sources)
        if (
            found := pool(
                song.rows[row].scores[part]
                for song in measured
                if source in (None, song.source)
                and row in song.rows
                and part in song.rows[row].scores
            )
        )
    }


def _pair(
    measured: Sequence[Measured], rows: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Give the gain in ``majmin`` of a row over another, on the songs of both.

    With the range of 95 % of the gains when songs are drawn anew, with replacement.
    """
    rng = np.random.default_rng(0)
    found = {}
    for one, other in COMPARED:
        both = [song for song in measured if {one, other} <= set(song.rows)]
        if one not in rows or other not in rows or not both:
            continue
        of_part = {}
        for part in PARTS:
            shares = [
                [
                    number
                    for row in (one, other)
                    for number in song.rows[row].scores[part]["majmin"]
                ]
                for song in both
                if part in song.rows[one].scores
            ]
            if shares:
                of_part["overall" + part] = _gain(np.array(shares, float), rng)
        found[f"{one} - {other}"] = of_part
    return found


def _gain(shares: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Give the gain of part and whole in columns 0, 1 over those in 2, 3."""
    drawn = rng.integers(len(shares), size=(RESAMPLES, len(shares)))
    sums = shares[drawn].sum(axis=1)
    gains = _divide(sums[:, 0], sums[:, 1]) - _divide(sums[:, 2], sums[:, 3])
    total = shares.sum(axis=0)
    low, high = np.percentile(gains, (2.5, 97.5))
    return {
        "majmin": float(_divide(total[0], total[1]) - _divide(total[2], total[3])),
        "low": float(low),
        "high": float(high),
        "songs": len(shares),
    }


def _divide(part: Any, whole: Any) -> Any:
    return part / np.maximum(whole, 1e-9)


def _add_up(found: Iterable[Mapping[int, Share]]) -> dict[str, float]:
    """Pool shares by their number."""
    sums: dict[int, Share] = {}
    for shares in found:
        for number, (part, whole) in shares.items():
            before = sums.get(number, Share(0, 0))
            sums[number] = Share(before.part + part, before.whole + whole)
    return {
        str(number): part / whole
        for number, (part, whole) in sorted(sums.items())
        if whole
    }


def _percentiles(times: Sequence[float]) -> dict[str, float | None]:
    if not times:
        return dict.fromkeys(("p50", "p99", "max"))
    p50, p99, most = np.percentile(times, (50, 99, 100))
    return {"p50": float(p50), "p99": float(p99), "max": float(most)}


def print_report(report: Mapping[str, Any]) -> None:
    """Print the report as tables for reading, one a source."""
    rows = report["rows"]
    sources = dict.fromkeys(source for row in rows.values() for source in row)
    width = max(len(name) for name in (*rows, *sources)) + 2
    for source in sources:
        print(f"{source:<{width}}", *(f"{name:>{_width(name)}}" for name in COLUMNS))
        for name, row in rows.items():
            if source in row:
                print(f"  {name:<{width - 2}}", *_cells(row[source]))
        print()
    _print_others(rows)
    for pair, gains in report["paired"].items():
        for part, gain in gains.items():
            print(
                f"majmin, {pair}, {part}: {gain['majmin']:+.4f} "
                f"({gain['low']:+.4f} to {gain['high']:+.4f})"
            )
    for name in ROLES:
        if name in rows:
            mean = _mean_of_sources(rows[name])
            print(f"majmin, {name}, mean of the sources: {mean:.3f}")
    split, times = report["settings"]["split"], report["decision_ms"]
    print(f"{report['songs']} songs, split {split}")
    if times["max"] is not None:
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in times.items())
        print(f"decision ms: {numbers}")


def _mean_of_sources(row: Mapping[str, Mapping[str, float]]) -> float:
    found = [
        values["majmin"]
        for source, values in row.items()
        if source != "overall" and not source.endswith(PARTS[1:])
    ]
    return float(np.mean(found))


def _print_others(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print what has no column, over all songs."""
    for name, row in rows.items():
        found = row.get("overall", {})
        others = {k: v for k, v in found.items() if k not in COLUMNS}
        if others:
            print(f"{name}:", ", ".join(f"{k} {v:.3f}" for k, v in others.items()))
    print()


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
    parser.add_argument("--plots", type=Path, help="draw pictures into this folder")
    options = parser.parse_args(None if arguments is None else list(arguments))
    return report_on(
        lambda: evaluate(
            options.files or LEADSHEET_FILES,
            options.split,
            options.source,
            options.limit,
            options.jobs,
            options.rows,
            options.plots,
        ),
        print_report,
        options.json,
        options.plots,
    )


if __name__ == "__main__":
    sys.exit(main())
