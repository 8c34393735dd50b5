"""What the chord model must beat: hold, unigram, and a 5-gram.

Each is fitted on sequences and then gives, for a sequence, the distribution of
every step from the true chords before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.sequences import ChordSequence
from jackcomp.brain.features import (
    MAX_STEPS,
    N_PLACES,
    START,
    Context,
    count_from_first,
    decode_answers,
    encode_chord,
)
from jackcomp.theory.vocabulary import N_CHORDS, transpose_index

NGRAM_ORDER = 5


class Unigram:
    """How often each chord sounds, as written; add-one smoothing."""

    def __init__(self, sequences: Sequence[ChordSequence]) -> None:
        counts = np.ones(N_CHORDS)
        for sequence in sequences:
            counts += np.bincount(sequence.chords, minlength=N_CHORDS)
        self.chances = counts / counts.sum()

    def foresee(self, sequence: ChordSequence) -> NDArray[np.float64]:
        """Give the same row for every step, shape (steps, 169)."""
        return np.tile(self.chances, (len(sequence.chords), 1))


class Hold:
    """The chord before stays as often as chords do; otherwise any, by `Unigram`."""

    def __init__(self, sequences: Sequence[ChordSequence]) -> None:
        self.unigram = Unigram(sequences)
        stays = sum(
            int((sequence.chords[1:] == sequence.chords[:-1]).sum())
            for sequence in sequences
        )
        self.stay = stays / sum(len(sequence.chords) - 1 for sequence in sequences)

    def foresee(self, sequence: ChordSequence) -> NDArray[np.float64]:
        """Give the rows of all steps, shape (steps, 169)."""
        rows = self.unigram.foresee(sequence)
        rows[1:] *= 1 - self.stay
        rows[np.arange(1, len(rows)), sequence.chords[:-1]] += self.stay
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Counts after contexts of one length, sorted by context.

    The entries of context ``i`` are ``first[i]`` to ``first[i + 1]``; ``chances``
    are discounted, ``rest`` is what the discount leaves to the shorter context.
    """

    contexts: NDArray[np.int64]
    first: NDArray[np.int64]
    symbols: NDArray[np.int64]
    chances: NDArray[np.float64]
    rest: NDArray[np.float64]


class Ngram:
    """An n-gram with interpolated Kneser-Ney smoothing (Chen and Goodman 1999).

    It gets what the LSTM gets: chords counted from the last root, so that all keys
    are one, and the place in the bar, the nearest of its contexts. Its contexts
    are: nothing; the place; place and one chord; ... place and ``order - 1`` chords.
    """

    def __init__(
        self, sequences: Sequence[ChordSequence], order: int = NGRAM_ORDER
    ) -> None:
        self.order = order
        told = [_ngrams(sequence, order) for sequence in sequences]
        contexts = np.concatenate([each[0] for each in told])
        answers = np.concatenate([each[1] for each in told])
        self._orders: list[_Order] = []
        counts = np.ones(len(answers), np.int64)
        for depth in reversed(range(order + 1)):
            grams = _shorten(contexts, depth) * N_PLACES + answers
            grams, counts = _add_up(grams, counts)
            self._orders.insert(0, _discount(grams, counts))
            # A shorter context counts in how many longer ones it was met.
            contexts, answers = np.divmod(grams, N_PLACES)
            counts = np.ones(len(grams), np.int64)

    def foresee(self, sequence: ChordSequence) -> NDArray[np.float64]:
        """Give the rows of all steps, shape (steps, 169)."""
        contexts, _, roots = _ngrams(sequence, self.order)
        rows = np.full((len(contexts), N_CHORDS), 1 / N_CHORDS)
        for depth, order in enumerate(self._orders):
            wanted = _shorten(contexts, depth)
            place = np.searchsorted(order.contexts, wanted)
            place = np.minimum(place, len(order.contexts) - 1)
            for step in np.flatnonzero(order.contexts[place] == wanted):
                entries = slice(*order.first[place[step] : place[step] + 2])
                rows[step] *= order.rest[place[step]]
                rows[step, order.symbols[entries]] += order.chances[entries]
        return decode_answers(rows, roots)


def _ngrams(
    sequence: ChordSequence, order: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[Context, ...]]:
    """Give each step's longest context as one number, its answer, and its root."""
    chords = sequence.chords.tolist()
    places = bar_places(sequence.positions)
    numbers, answers, heard = [], [], []
    context = Context()
    for step, chord in enumerate(chords):
        _, context = encode_chord(chords[step - 1] if step else START, context)
        last = Context(context.last, context.last)
        number = 0
        for back in range(order - 1, 0, -1):
            before = chords[step - back] if step >= back else START
            number = number * N_PLACES + _from_root(before, context.last)
        numbers.append(number * MAX_STEPS**2 + places[step])
        answers.append(count_from_first(chord, last))
        heard.append(last)
    return np.array(numbers), np.array(answers), tuple(heard)


def bar_places(positions: NDArray[np.float32]) -> list[int]:
    """Give place and number of steps of the bar as one number below MAX_STEPS ** 2."""
    index = positions[:, :MAX_STEPS].argmax(axis=1)
    steps = positions[:, MAX_STEPS : 2 * MAX_STEPS].argmax(axis=1)
    return (index * MAX_STEPS + steps).tolist()


def _from_root(chord: int, root: int | None) -> int:
    return chord if chord == START else transpose_index(chord, -(root or 0))


def _shorten(contexts: NDArray[np.int64], depth: int) -> NDArray[np.int64]:
    """Keep the place in the bar and ``depth - 1`` chords; with depth 0 nothing."""
    return (
        contexts % (MAX_STEPS**2 * N_PLACES ** (depth - 1)) if depth else 0 * contexts
    )


def _add_up(
    grams: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    unique, group = np.unique(grams, return_inverse=True)
    return unique, np.bincount(group, weights=counts).astype(np.int64)


def _discount(grams: NDArray[np.int64], counts: NDArray[np.int64]) -> _Order:
    """Take the same from every count, as much as the once-met ones suggest."""
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    # Ney's estimate, with one more of each so that few counts are no trap.
    discount = (once + 1) / (once + 2 * twice + 2)
    contexts, first = np.unique(grams // N_PLACES, return_index=True)
    totals = np.add.reduceat(counts, first)
    sizes = np.diff([*first, len(grams)])
    return _Order(
        contexts,
        np.array([*first, len(grams)]),
        grams % N_PLACES,
        (counts - discount) / np.repeat(totals, sizes),
        discount * sizes / totals,
    )
