"""Prediction by partial matching, escape method C: a rival of the chord model.

It gets what the 5-gram gets: chords counted from the last root, and the place in the
bar as the nearest context. Contexts are: nothing; the place; place and one chord; ...
place and ``order`` chords. The longest one that was met says what follows, and leaves
what it has not met to the next shorter (Moffat, "Implementing the PPM Data Compression
Scheme", 1990).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.baselines import bar_places
from export.sequences import ChordSequence
from jackcomp.brain.features import START, Context, decode_answers
from jackcomp.theory.vocabulary import N_CHORDS, N_QUALITIES, NO_CHORD_INDEX

ORDER = 8
# Contexts are told apart by 64-bit numbers, in which a collision is no worry.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class _Song(NamedTuple):
    """A song as contexts (depths, steps), symbols (steps,) and the roots before."""

    contexts: NDArray[np.uint64]
    symbols: NDArray[np.int64]
    roots: tuple[Context, ...]


class _Depth(NamedTuple):
    """Counts after contexts of one length, sorted by context."""

    contexts: NDArray[np.uint64]
    first: NDArray[np.int64]
    symbols: NDArray[np.int64]
    counts: NDArray[np.int64]


class Ppm:
    """PPM-C over all songs that it was fitted on.

    Parameters
    ----------
    sequences : sequence of ChordSequence
        What it counts.
    order : int
        Chords in the longest context.
    """

    def __init__(self, sequences: Sequence[ChordSequence], order: int = ORDER) -> None:
        self.order = order
        songs = [_read(sequence, order) for sequence in sequences]
        contexts = np.concatenate([song.contexts for song in songs], axis=1)
        symbols = np.concatenate([song.symbols for song in songs])
        self._depths = [_count(row, symbols) for row in contexts]

    def foresee(
        self, sequence: ChordSequence, *, remembers: bool = False
    ) -> NDArray[np.float64]:
        """Give the rows of all steps, shape (steps, 169).

        With ``remembers`` the song's own past is counted in.
        """
        song = _read(sequence, self.order)
        steps = len(song.symbols)
        rows = np.zeros((steps, N_CHORDS))
        left = np.ones((steps, 1))
        open_ = np.ones((steps, N_CHORDS), bool)
        met = np.eye(N_CHORDS)[song.symbols]
        for depth, contexts in zip(
            reversed(self._depths), reversed(song.contexts), strict=True
        ):
            counts = _look_up(depth, contexts)
            if remembers:
                again = np.tril(contexts[:, None] == contexts, -1)
                counts += again.astype(float) @ met
            counts *= open_
            total = counts.sum(axis=1, keepdims=True)
            kinds = (counts > 0).sum(axis=1, keepdims=True)
            whole = np.maximum(total + kinds, 1)
            rows += left * counts / whole
            left = np.where(total > 0, left * kinds / whole, left)
            open_ &= counts == 0
        # What no context has met is shared alike, where something is left.
        unmet = open_.sum(axis=1, keepdims=True)
        rows += np.where(open_, left / np.maximum(unmet, 1), 0)
        return decode_answers(rows / rows.sum(axis=1, keepdims=True), song.roots)


def _read(sequence: ChordSequence, order: int) -> _Song:
    """Write a song as contexts and symbols."""
    chords = sequence.chords
    roots = _roots_before(chords)
    known = np.where(roots < 0, chords // N_QUALITIES, roots)
    numbers = np.zeros((order + 2, len(chords)), np.uint64)
    numbers[1] = np.array(bar_places(sequence.positions), np.uint64) + np.uint64(1)
    for back in range(1, order + 1):
        before = np.concatenate([np.full(back, START), chords])[: len(chords)]
        told = _from_root(before, np.maximum(roots, 0)).astype(np.uint64)
        numbers[back + 1] = (numbers[back] ^ (told + np.uint64(back << 10))) * _FACTOR
    contexts = tuple(
        Context() if root < 0 else Context(root, root) for root in roots.tolist()
    )
    return _Song(numbers, _from_root(chords, known), contexts)


def _roots_before(chords: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the root of the last chord before each step, -1 before the first."""
    steps = np.arange(len(chords))
    last = np.maximum.accumulate(np.where(chords == NO_CHORD_INDEX, -1, steps))
    roots = np.where(last < 0, -1, chords[last] // N_QUALITIES)
    return np.concatenate([[-1], roots[:-1]])


def _from_root(
    chords: NDArray[np.int64], roots: NDArray[np.int64]
) -> NDArray[np.int64]:
    return np.where(
        chords < NO_CHORD_INDEX, (chords - roots * N_QUALITIES) % NO_CHORD_INDEX, chords
    )


def _count(contexts: NDArray[np.uint64], symbols: NDArray[np.int64]) -> _Depth:
    order = np.lexsort((symbols, contexts))
    contexts, symbols = contexts[order], symbols[order]
    is_new = np.ones(len(contexts), bool)
    is_new[1:] = (contexts[1:] != contexts[:-1]) | (symbols[1:] != symbols[:-1])
    entries = np.flatnonzero(is_new)
    counts = np.diff([*entries, len(contexts)])
    unique, first = np.unique(contexts[entries], return_index=True)
    return _Depth(unique, np.array([*first, len(entries)]), symbols[entries], counts)


def _look_up(depth: _Depth, contexts: NDArray[np.uint64]) -> NDArray[np.float64]:
    counts = np.zeros((len(contexts), N_CHORDS))
    place = np.searchsorted(depth.contexts, contexts)
    place = np.minimum(place, len(depth.contexts) - 1)
    for step in np.flatnonzero(depth.contexts[place] == contexts):
        entries = slice(*depth.first[place[step] : place[step] + 2])
        counts[step, depth.symbols[entries]] = depth.counts[entries]
    return counts
