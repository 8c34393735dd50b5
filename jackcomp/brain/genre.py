"""Which kind of music this is: inferred from the moves of its chords.

A naive Bayes classifier: each change of chord is a draw from what its genre does. The
draws are not independent, so their evidence is tempered. Counted on training songs,
the temper fitted on validation songs, with ``python -m export.fit_memory``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.brain.features import ChordInput


@dataclass(frozen=True, slots=True, eq=False)
class GenreTables:
    """What each genre does.

    Attributes
    ----------
    prior : ndarray, shape=(N_GENRES,), float64
        Logarithm of how common each of ``theory.genre.GENRES`` is.
    moves : ndarray, shape=(N_GENRES, N_MOVES), float64
        Logarithm of how often each move is made.
    temper : float
        How much a draw counts, 0 to 1.
    """

    prior: NDArray[np.float64]
    moves: NDArray[np.float64]
    temper: float

    def start(self, batch: int) -> NDArray[np.float64]:
        """Return the evidence before a song, shape (batch, N_GENRES)."""
        return np.tile(self.prior, (batch, 1))

    def hear(
        self, evidence: NDArray[np.float64], told: Sequence[ChordInput]
    ) -> NDArray[np.float64]:
        """Add a chord to each history; one that is held on says nothing new."""
        is_new = np.array([chord.held == 1 for chord in told])
        moves = self.moves[:, [chord.move for chord in told]].T
        return evidence + np.where(is_new[:, None], self.temper * moves, 0.0)


def probabilities(evidence: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn evidence into probabilities, shape (batch, N_GENRES); rows sum to 1."""
    chances = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True), np.float32)
