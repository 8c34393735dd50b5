"""How well distributions foresaw the chords of songs.

Each is judged in three vocabularies: the exact one, ``majmin`` (root, and whether the
third is minor) and ``root``; a class has the probability of all its chords. On
*half-bars* every grid step but a song's first counts. On *changes only* those count
at which the chord changes, given that it does: the chord before is ruled out, and
the rest renormalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.sequences import ChordSequence, match_lengths, step_match_lengths
from jackcomp.brain.features import MAX_STEPS
from jackcomp.theory.chord import QUALITIES
from jackcomp.theory.vocabulary import N_CHORDS, N_QUALITIES, NO_CHORD_INDEX

LEAST_CHANCE = 1e-12
EARLY_BARS = 16
# Lengths of the longest earlier match, by their lower ends.
MATCHES = (0, 1, 2, 3, 5, 9)
# The last tenth reaches beyond 1, for a certainty that rounding has made more of.
CONFIDENCES = tuple(tenth / 10 for tenth in range(10))
SURE = 0.8

_QUALITY = np.arange(NO_CHORD_INDEX) % N_QUALITIES
_IS_MINOR = np.array([3 in quality.intervals for quality in QUALITIES])
_ROOT = np.arange(NO_CHORD_INDEX) // N_QUALITIES
CLASSES = {
    "": np.arange(N_CHORDS),
    "_majmin": np.append(2 * _ROOT + _IS_MINOR[_QUALITY], 24),
    "_root": np.append(_ROOT, 12),
}
"""For each vocabulary, by the suffix of its metrics, the class of every chord."""

_SUMS = {
    suffix: np.eye(classes.max() + 1)[classes] for suffix, classes in CLASSES.items()
}
METRICS = tuple(
    f"{name}{suffix}"
    for suffix in CLASSES
    for name in (
        *("perplexity", "top1", "top3", "top1_change"),
        *("perplexity_changes", "top1_changes", "perplexity_new"),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Steps, judged.

    Attributes
    ----------
    losses, ranks : ndarray, shape=(3, steps)
        In nats, and from 0, by vocabulary.
    change_losses, change_ranks : ndarray, shape=(3, steps)
        The same on changes only; nothing where the chord holds.
    changes, early : ndarray, shape=(steps,), bool
        Where the chord changes; in the song's first `EARLY_BARS`.
    matches, step_matches : ndarray, shape=(steps,), int64
        Length of the longest earlier match, in changes of chord and in steps.
    sure : ndarray, shape=(steps,)
        Probability of the likeliest chord.
    """

    losses: NDArray[np.float64]
    ranks: NDArray[np.int64]
    change_losses: NDArray[np.float64]
    change_ranks: NDArray[np.int64]
    changes: NDArray[np.bool_]
    early: NDArray[np.bool_]
    matches: NDArray[np.int64]
    step_matches: NDArray[np.int64]
    sure: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> "Scored":
        """Return some of the steps."""
        return Scored(*(getattr(self, name)[..., chosen] for name in self.__slots__))


def join(parts: Sequence[Scored]) -> Scored:
    """Put the steps of several songs together."""
    return Scored(
        *(
            np.concatenate([getattr(part, name) for part in parts], axis=-1)
            for name in Scored.__slots__
        )
    )


def score(sequence: ChordSequence, rows: NDArray[np.floating]) -> Scored:
    """Judge a song's distributions, shape (steps, 169), at all steps but the first."""
    chords, before = sequence.chords[1:], sequence.chords[:-1]
    rows = rows[1:].astype(np.float64)
    others = rows.copy()
    others[np.arange(len(others)), before] = 0
    others /= np.maximum(others.sum(axis=1, keepdims=True), LEAST_CHANCE)
    losses, ranks = _judge(rows, chords)
    change_losses, change_ranks = _judge(others, chords)
    bars = np.cumsum(sequence.positions[:, :MAX_STEPS].argmax(axis=1) == 0)
    return Scored(
        losses,
        ranks,
        change_losses,
        change_ranks,
        chords != before,
        (bars - bars[0] < EARLY_BARS)[1:],
        match_lengths(sequence.chords)[1:],
        step_match_lengths(sequence.chords)[1:],
        rows.max(axis=1),
    )


def _judge(
    rows: NDArray[np.float64], chords: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    steps = np.arange(len(chords))
    losses, ranks = [], []
    for suffix, classes in CLASSES.items():
        summed = rows @ _SUMS[suffix]
        chances = summed[steps, classes[chords]]
        losses.append(-np.log(np.maximum(chances, LEAST_CHANCE)))
        ranks.append((summed > chances[:, None]).sum(axis=1))
    return np.array(losses), np.array(ranks)


def sum_up(scored: Scored) -> dict[str, float]:
    """Give `METRICS` and the number of steps; what no step tells is left out."""
    changes, new = scored.changes, scored.changes & (scored.matches == 0)
    values: dict[str, float] = {"steps": len(scored.changes)}
    for number, suffix in enumerate(CLASSES):
        losses, ranks = scored.losses[number], scored.ranks[number]
        change_losses = scored.change_losses[number]
        change_ranks = scored.change_ranks[number]
        values |= {
            f"perplexity{suffix}": perplexity(losses),
            f"top1{suffix}": float((ranks < 1).mean()),
            f"top3{suffix}": float((ranks < 3).mean()),
        }
        if changes.any():
            values |= {
                f"top1_change{suffix}": float((ranks[changes] < 1).mean()),
                f"perplexity_changes{suffix}": perplexity(change_losses[changes]),
                f"top1_changes{suffix}": float((change_ranks[changes] < 1).mean()),
            }
        if new.any():
            values[f"perplexity_new{suffix}"] = perplexity(change_losses[new])
    return values


def by_position(scored: Scored) -> dict[str, dict[str, float]]:
    """Give the metrics of the first `EARLY_BARS` bars, and of the rest."""
    parts = {f"first_{EARLY_BARS}_bars": scored.early, "rest": ~scored.early}
    return {name: sum_up(scored.where(at)) for name, at in parts.items() if at.any()}


def by_match(scored: Scored, lengths: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Give the metrics by length of the longest earlier match.

    And once more for none and one together: no two in a row came before.
    """
    found = {}
    for low, high in zip(MATCHES, (*MATCHES[1:], np.inf), strict=True):
        at = (lengths >= low) & (lengths < high)
        if at.any():
            last = high - 1
            name = f"{low}" if last == low else f"{low}-{last:g}"
            found[f"{low}+" if np.isinf(high) else name] = sum_up(scored.where(at))
    short = lengths <= 1
    if short.any():
        found["0-1"] = sum_up(scored.where(short))
    return found


def reliability(scored: Scored) -> list[dict[str, float]]:
    """Say, by how sure it was, how often it was right.

    A row for each tenth, and a last one for all from `SURE` on; those that no step
    fell into are left out.
    """
    right = scored.ranks[0] < 1
    spans = [(low, low + 0.1 + (low == CONFIDENCES[-1])) for low in CONFIDENCES]
    rows = []
    for low, high in (*spans, (SURE, np.inf)):
        at = (scored.sure >= low) & (scored.sure < high)
        if at.any():
            rows.append(
                {
                    "from": low,
                    "to": min(high, 1.0),
                    "says": float(scored.sure[at].mean()),
                    "right": float(right[at].mean()),
                    "steps": int(at.sum()),
                }
            )
    return rows


def perplexity(losses: NDArray[np.float64]) -> float:
    """Give the perplexity of losses in nats."""
    return float(np.exp(losses.mean()))
