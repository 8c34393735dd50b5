"""Measure how well the brain foresees: ``python -m export.evaluate_brain``.

Every step of the harmonic grid but each song's first is foreseen from the song's
chords before it and from the bar lines: the true chords, or with ``--noisy-history``
chords of which some are guessed wrong. Beside the system, which is the LSTM and its
memory of the song, stand the LSTM alone and what they must beat, fitted on the train
split of ``export/corpus`` (`export.rival_models`). Needs onnxruntime, not torch.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.chord_scores import (
    METRICS,
    Scored,
    by_match,
    by_position,
    join,
    reliability,
    score,
    sum_up,
)
from export.measuring import corpus_parser, positive, report_on
from export.play import play_brain
from export.reliability_plot import draw_reliability
from export.rival_models import Rivals, read_rival_tables
from export.sequences import GENRE_OF_SOURCE, ChordSequence, blur, to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.brain.features import encode_steps
from jackcomp.brain.memory import SongMemory
from jackcomp.brain.model import Brain
from jackcomp.brain.song import SongBrain
from jackcomp.brain.tables import load_song_tables
from jackcomp.errors import ConfigError
from jackcomp.theory.genre import AUTO_GENRE, GENRES
from jackcomp.timeline.meter import parse_meter

CHUNK_SONGS = 16
HISTORIES = 8
"""So many are stepped at once where time is measured."""
NOISE_SEED = 20240229
TOLD_GENRE = "told"
"""Each song's own genre is told, as by a player who knows what he plays."""
WITH_MODEL = ("system", "lstm")
ROWS = (
    *WITH_MODEL,
    *("counts_memory", "ngram_memory", "ppm_memory"),
    *("ngram", "ppm", "unigram", "hold"),
)
COLUMNS = METRICS[:7]
DETAILS = ("by_position", "by_match", "by_match_in_steps")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is measured, and how; ``noise`` is a share from 0 to 1."""

    model: Path | None = None
    memory: Path | None = None
    genre: str = AUTO_GENRE
    noise: float = 0.0


def evaluate(
    files: Sequence[Path],
    split: str = "test",
    source: str | None = None,
    limit: int | None = None,
    conditions: Conditions = Conditions(),
    jobs: int = 1,
    plots: Path | None = None,
    rows: Sequence[str] = ROWS,
) -> dict[str, Any]:
    """Measure the system and its rivals on songs; gives the report.

    Raises
    ------
    JackcompError
        In one line, if a file, a song or a model is no good.
    """
    # First: a pool for ever replaces workers that cannot load their model.
    times, model = time_steps(conditions), describe_model(conditions)
    songs = to_sequences(read_songs(files, split, source, limit))
    if not songs:
        raise ConfigError("no song has two steps of the harmonic grid or more")
    generator = np.random.default_rng(NOISE_SEED)
    told = [
        replace(song, chords=blur(song, conditions.noise, generator)) for song in songs
    ]
    rivals = None
    if set(rows) - set(WITH_MODEL):
        train = to_sequences(read_songs(CORPUS_FILES, "train"))
        rivals = Rivals(train, *read_rival_tables())
    pairs = list(zip(songs, told, strict=True))
    chunks = [pairs[i : i + CHUNK_SONGS] for i in range(0, len(pairs), CHUNK_SONGS)]
    measured = list(tqdm(_measure(chunks, rivals, conditions, jobs), total=len(chunks)))
    report: dict[str, dict[str, Any]] = {}
    details: dict[str, dict[str, Any]] = {name: {} for name in DETAILS}
    for name in rows:
        parts = [song for chunk in measured for song in chunk[name]]
        whole = join(parts)
        report[name] = {"overall": sum_up(whole)} | {
            source: sum_up(
                join(
                    [
                        part
                        for part, song in zip(parts, songs, strict=True)
                        if song.source == source
                    ]
                )
            )
            for source in dict.fromkeys(song.source for song in songs)
        }
        details["by_position"][name] = by_position(whole)
        details["by_match"][name] = by_match(whole, whole.matches)
        details["by_match_in_steps"][name] = by_match(whole, whole.step_matches)
        if name == "system":
            certain = reliability(whole)
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        draw_reliability(plots / "brain-reliability.png", certain)
    return {
        "rows": report,
        "decision_ms": times,
        "songs": len(songs),
        "settings": {
            "files": [path.name for path in files],
            "split": split,
            "source": source,
            "limit": limit,
            "given": ["meter", "bar lines", "chords until the step before"],
            "wrong_chords_in_history": conditions.noise,
            "genre": conditions.genre,
            "scored": "every grid step but the first of each song",
            "changes_only": "steps where the chord changes, the chord before ruled out",
            "new": "changes after a chord that has led nowhere yet in the song",
            "rivals_fitted_on": "train; their memories and shares on valid",
        },
        **details,
        "reliability": certain,
        "model": model,
    }


def _measure(
    chunks: Sequence[Sequence[tuple[ChordSequence, ChordSequence]]],
    rivals: Rivals | None,
    conditions: Conditions,
    jobs: int,
) -> Iterator[dict[str, list[Scored]]]:
    """Measure chunks of songs in their order, in ``jobs`` processes."""
    if jobs == 1:
        yield from map(_Bench(rivals, conditions), chunks)
        return
    # A fresh interpreter each: the threads of onnxruntime do not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(jobs, _prepare, (rivals, conditions)) as pool:
        yield from pool.imap(_measure_chunk, chunks)


class _Bench:
    """One process's share: the models, and what it does with songs."""

    def __init__(self, rivals: Rivals | None, conditions: Conditions) -> None:
        self._rivals = rivals
        self._brain = Brain.load(conditions.model)
        tables = load_song_tables(self._brain.checksum, conditions.memory)
        memory = tables.guessed if conditions.noise else tables.known
        self._memories = {"system": memory, "lstm": None}
        self._genres, self._genre = tables.genres, conditions.genre

    def __call__(
        self, songs: Sequence[tuple[ChordSequence, ChordSequence]]
    ) -> dict[str, list[Scored]]:
        """Give, by row, each song's steps."""
        true, told = zip(*songs, strict=True)
        found = {
            name: list(map(score, true, self._foresee(memory, told)))
            for name, memory in self._memories.items()
        }
        for song, heard in songs if self._rivals else ():
            for name, rows in self._rivals.rows(heard).items():
                found.setdefault(name, []).append(score(song, rows))
        return found

    def _foresee(
        self, memory: SongMemory | None, songs: Sequence[ChordSequence]
    ) -> list[NDArray[np.float32]]:
        """Give each song's distributions; songs of one genre are played together."""
        genres = [self._genre_of(song) for song in songs]
        rows: dict[int, NDArray[np.float32]] = {}
        for genre in dict.fromkeys(genres):
            brain = SongBrain(self._brain, memory, self._genres, genre)
            members = [i for i, each in enumerate(genres) if each == genre]
            together = play_brain(brain, [songs[i] for i in members])
            rows |= zip(members, together, strict=True)
        return [rows[number] for number in range(len(songs))]

    def _genre_of(self, song: ChordSequence) -> str:
        if self._genre != TOLD_GENRE:
            return self._genre
        return GENRE_OF_SOURCE.get(song.source, AUTO_GENRE)


_bench: list[_Bench] = []


def _prepare(rivals: Rivals | None, conditions: Conditions) -> None:
    _bench.append(_Bench(rivals, conditions))


def _measure_chunk(
    songs: Sequence[tuple[ChordSequence, ChordSequence]],
) -> dict[str, list[Scored]]:
    return _bench[0](songs)


def time_steps(conditions: Conditions, count: int = 200) -> dict[str, float]:
    """Time one step of the system for eight histories, in milliseconds of its thread.

    The song is 256 half-bars old, as after two minutes at 120 quarters.
    """
    brain = Brain.load(conditions.model)
    tables = load_song_tables(brain.checksum, conditions.memory)
    system = SongBrain(brain, tables.guessed, tables.genres)
    positions = encode_steps(parse_meter("4/4"), 0, 256)
    state = system.initial_state(HISTORIES)
    generator = np.random.default_rng(0)
    chords = generator.integers(0, 168, (256, HISTORIES))
    for position, row in zip(positions, chords, strict=True):
        _, state = system.step(state, row, position)
    times = {"system": [], "lstm": []}
    for _ in range(count):
        began = time.thread_time()
        system.step(state, chords[0], positions[0])
        times["system"].append(1000 * (time.thread_time() - began))
        began = time.thread_time()
        brain.step(state.model, chords[0], positions[0])
        times["lstm"].append(1000 * (time.thread_time() - began))
    p50, p99, most = np.percentile(times["system"], (50, 99, 100))
    lstm = float(np.median(times["lstm"]))
    return {"p50": float(p50), "p99": float(p99), "max": float(most), "lstm_p50": lstm}


def describe_model(conditions: Conditions) -> dict[str, Any]:
    """Give parameters and bytes of the model, from its card."""
    path = conditions.model or Path(__file__).parents[1] / "models" / "brain.onnx"
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return {name: card[name] for name in ("parameters", "bytes", "sha256")}


def print_report(report: Mapping[str, Any]) -> None:
    """Print the report as tables for reading."""
    settings = report["settings"]
    print(
        f"{report['songs']} songs, split {settings['split']}, genre "
        f"{settings['genre']}, wrong in history {settings['wrong_chords_in_history']}"
    )
    _print_table("overall", {n: r["overall"] for n, r in report["rows"].items()})
    for suffix in ("_majmin", "_root"):
        columns = [f"{name}{suffix}" for name in COLUMNS]
        rows = {name: row["overall"] for name, row in report["rows"].items()}
        _print_table(suffix[1:], rows, columns)
    for source in [name for name in report["rows"]["system"] if name != "overall"]:
        _print_table(source, {n: r[source] for n, r in report["rows"].items()})
    for detail in DETAILS:
        for part in report[detail]["system"]:
            rows = {name: row[part] for name, row in report[detail].items()}
            _print_table(f"{detail.replace('_', ' ')}: {part}", rows)
    print("\nsystem: says, right, steps")
    for row in report["reliability"]:
        print(
            f"  {row['from']:.1f}-{row['to']:.1f}  {row['says']:.3f}  "
            f"{row['right']:.3f}  {row['steps']}"
        )
    model, times = report["model"], report["decision_ms"]
    print(f"\n{model['parameters']} parameters, {model['bytes']} bytes")
    print(
        f"a step of {HISTORIES} histories: LSTM {times['lstm_p50']:.2f} ms, system "
        f"p50 {times['p50']:.2f}, p99 {times['p99']:.2f} ms of thread time"
    )


def _print_table(
    title: str,
    rows: Mapping[str, Mapping[str, float]],
    columns: Sequence[str] = COLUMNS,
) -> None:
    steps = next(iter(rows.values()))["steps"]
    print(f"\n{title}, {steps} steps")
    names = [name.replace("perplexity", "ppl") for name in columns]
    print(f"  {'':<14}", *(f"{name:>{max(len(name), 8)}}" for name in names))
    for name, row in rows.items():
        cells = [
            f"{row[column]:>{max(len(short), 8)}.3f}"
            if column in row
            else f"{'-':>{max(len(short), 8)}}"
            for column, short in zip(columns, names, strict=True)
        ]
        print(f"  {name:<14}", *cells)


def share(text: str) -> float:
    """Read a share from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return value


def read_rows(text: str) -> tuple[str, ...]:
    """Read ``--rows``; the system is always among them, for its reliability."""
    rows = tuple(dict.fromkeys(("system", *text.split(","))))
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no row {unknown[0]!r}: {', '.join(ROWS)}")
    return rows


def main() -> int:
    """Read the command line, measure, print."""
    parser = corpus_parser("evaluate_brain", "Measure the chord model and its memory.")
    parser.add_argument("--model", type=Path, help="an ONNX file; the installed one")
    parser.add_argument("--memory", type=Path, help="its memory; the installed one")
    parser.add_argument(
        "--genre",
        default=AUTO_GENRE,
        choices=(AUTO_GENRE, TOLD_GENRE, *GENRES),
        help=f"of all songs; {TOLD_GENRE}: each its own; default %(default)s",
    )
    parser.add_argument(
        "--noisy-history",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="so many of the past chords are another one heard before; default 0",
    )
    parser.add_argument("--jobs", type=positive, default=1, help="processes; default 1")
    parser.add_argument(
        "--rows", type=read_rows, default=ROWS, help=f"of {','.join(ROWS)}; default all"
    )
    parser.add_argument("--plots", type=Path, help="folder for brain-reliability.png")
    options = parser.parse_args()
    conditions = Conditions(
        options.model, options.memory, options.genre, options.noisy_history
    )
    return report_on(
        lambda: evaluate(
            options.files or CORPUS_FILES,
            options.split,
            options.source,
            options.limit,
            conditions,
            options.jobs,
            options.plots,
            options.rows,
        ),
        print_report,
        options.json,
        options.plots,
    )


if __name__ == "__main__":
    sys.exit(main())
