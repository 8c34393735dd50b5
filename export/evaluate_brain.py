"""Measure how well the chord model foresees: ``python -m export.evaluate_brain``.

Every step of the harmonic grid but each song's first is foreseen from the song's
true chords before it and from the bar lines. Beside the LSTM stand what it must
beat, fitted on the train split of ``export/corpus`` (`export.baselines`). Needs
onnxruntime, not torch.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.baselines import Hold, Ngram, Unigram
from export.measuring import corpus_parser, report_on
from export.sequences import ChordSequence, to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.brain.features import START
from jackcomp.brain.model import Brain

BATCH_SONGS = 64
METRICS = ("perplexity", "top1", "top3", "top1_change")
LEAST_CHANCE = 1e-12

Row = dict[str, dict[str, float]]


def play_brain(
    brain: Brain, sequences: Sequence[ChordSequence]
) -> Iterator[NDArray[np.float32]]:
    """Give the model's distributions of each sequence, shape (steps, 169)."""
    rows: dict[int, NDArray[np.float32]] = {}
    by_length = sorted(range(len(sequences)), key=lambda i: -len(sequences[i].chords))
    for start in range(0, len(by_length), BATCH_SONGS):
        members = by_length[start : start + BATCH_SONGS]
        rows |= zip(
            members, _play_together(brain, [sequences[i] for i in members]), strict=True
        )
    for number in range(len(sequences)):
        yield rows.pop(number)


def _play_together(
    brain: Brain, songs: Sequence[ChordSequence]
) -> list[NDArray[np.float32]]:
    """Play songs in lockstep, the longest first; the ended ones drop out."""
    answers: list[list[NDArray[np.float32]]] = [[] for _ in songs]
    state = brain.initial_state(len(songs))
    before = [START] * len(songs)
    for step in range(len(songs[0].chords)):
        playing = sum(len(song.chords) > step for song in songs)
        state = state.take(range(playing))
        positions = np.stack([song.positions[step] for song in songs[:playing]])
        rows, state = brain.step(state, before[:playing], positions)
        for answer, row in zip(answers, rows, strict=False):
            answer.append(row)
        before = [int(song.chords[step]) for song in songs[:playing]]
    return [np.array(answer) for answer in answers]


def measure_rows(
    sequences: Sequence[ChordSequence], foreseen: Iterable[NDArray[np.floating]]
) -> Row:
    """Score distributions against what came, overall and by source.

    Parameters
    ----------
    sequences : sequence of ChordSequence
        What came.
    foreseen : iterable of ndarray, shape=(steps, 169)
        What was expected, in the same order.

    Returns
    -------
    dict
        ``overall`` and each source, with `METRICS`: perplexity, the share of steps
        whose chord was first, or among the first three, and the first again over
        those steps where the chord changes.
    """
    scores: dict[str, list[NDArray[np.float64]]] = {"overall": []}
    for sequence, rows in zip(sequences, foreseen, strict=True):
        scored = _score(sequence.chords, rows)
        scores["overall"].append(scored)
        scores.setdefault(sequence.source, []).append(scored)
    return {name: _sum_up(np.concatenate(parts)) for name, parts in scores.items()}


def _score(
    chords: NDArray[np.int64], rows: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Give for each step but the first: loss in nats, rank from 0, changes or not."""
    steps = np.arange(1, len(chords))
    chances = rows[steps, chords[1:]]
    ranks = (rows[1:] > chances[:, None]).sum(axis=1)
    losses = -np.log(np.maximum(chances, LEAST_CHANCE))
    return np.stack([losses, ranks, chords[1:] != chords[:-1]], axis=1)


def _sum_up(scored: NDArray[np.float64]) -> dict[str, float]:
    losses, ranks, changes = scored.T
    at_changes = ranks[changes > 0]
    return {
        "perplexity": float(np.exp(losses.mean())),
        "top1": float((ranks < 1).mean()),
        "top3": float((ranks < 3).mean()),
        "top1_change": float((at_changes < 1).mean()) if len(at_changes) else 0.0,
        "steps": len(losses),
    }


def evaluate(
    files: Sequence[Path],
    split: str = "valid",
    source: str | None = None,
    limit: int | None = None,
    model: Path | None = None,
) -> dict[str, Any]:
    """Measure the model and its rivals on songs; gives the report."""
    brain = Brain.load(model)
    sequences = to_sequences(read_songs(files, split, source, limit))
    past = to_sequences(read_songs(CORPUS_FILES, "train"))
    rows = {"lstm": measure_rows(sequences, play_brain(brain, sequences))}
    rivals = {"ngram": Ngram(past), "unigram": Unigram(past), "hold": Hold(past)}
    for name, rival in rivals.items():
        rows[name] = measure_rows(sequences, map(rival.foresee, sequences))
    return {
        "rows": rows,
        "songs": len(sequences),
        "settings": {
            "files": [path.name for path in files],
            "split": split,
            "source": source,
            "limit": limit,
            "given": ["meter", "bar lines", "true chords until the step before"],
            "scored": "every grid step but the first of each song",
            "rivals_fitted_on": "train",
        },
    }


def print_report(report: dict[str, Any]) -> None:
    """Print the report as a table for reading."""
    print(f"{report['songs']} songs, split {report['settings']['split']}")
    print(f"{'row':<9}{'source':<16}{'steps':>7}", *(f"{m:>12}" for m in METRICS))
    for name, row in report["rows"].items():
        for source, values in row.items():
            numbers = " ".join(f"{values[metric]:12.3f}" for metric in METRICS)
            print(f"{name:<9}{source:<16}{values['steps']:>7} {numbers}")


def main() -> int:
    """Read the command line, measure, print."""
    parser = corpus_parser("evaluate_brain", "Measure the chord model.")
    parser.add_argument("--model", type=Path, help="an ONNX file; the installed one")
    options = parser.parse_args()
    return report_on(
        lambda: evaluate(
            options.files or CORPUS_FILES,
            options.split,
            options.source,
            options.limit,
            options.model,
        ),
        print_report,
        options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
