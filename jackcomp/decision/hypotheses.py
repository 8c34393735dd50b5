"""Several histories at once: what may have sounded, in the soloist's mind.

The brain foresees from the chords so far, but what was played is only a guess
at them. So it is asked about several histories, each with a weight. After each
grid step every chord that is still likely carries on the best history that
leads to it, and the likeliest few are kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution
from jackcomp.theory.vocabulary import NO_CHORD_INDEX

DEFAULT_WIDTH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Continuation:
    """How the histories go on.

    Attributes
    ----------
    parents : ndarray, shape=(width,), int64
        Which of the old histories each new one carries on.
    chords : ndarray, shape=(width,), int64
        The chord that each new one adds; vocabulary indices, all different.
    weights : ndarray, shape=(width,), float64
        Probability of each, the likeliest first. Sums to 1.
    """

    parents: NDArray[np.int64]
    chords: NDArray[np.int64]
    weights: NDArray[np.float64]


def mix_foreseen(
    weights: NDArray[np.float64], foreseen: NDArray[np.float32]
) -> Distribution:
    """Give what the brain foresees over all histories.

    Parameters
    ----------
    weights : ndarray, shape=(width,), float64
        Probability of each history.
    foreseen : ndarray, shape=(width, 169), float32
        The brain's distribution after each.

    Returns
    -------
    ndarray, shape=(169,), float32
        Sums to 1.
    """
    mixed = weights @ foreseen.astype(np.float64)
    return np.asarray(mixed / mixed.sum(), np.float32)


def continue_histories(
    weights: NDArray[np.float64],
    foreseen: NDArray[np.float32],
    pooled: Distribution,
    width: int = DEFAULT_WIDTH,
) -> Continuation:
    """Carry the histories on by one step, now that it has been heard.

    Parameters
    ----------
    weights, foreseen
        As in `mix_foreseen`; ``foreseen`` for the step that is over.
    pooled : ndarray, shape=(169,), float32
        What ear and brain together believe of that step. The brain is not fed
        silence: no chord is left out.
    width : int
        How many histories to keep.

    Returns
    -------
    Continuation
        At most ``width`` histories.
    """
    belief = pooled.astype(np.float64)
    belief[NO_CHORD_INDEX] = 0.0
    chords = np.argsort(-belief, kind="stable")[:width]
    kept = belief[chords]
    parents = np.argmax(weights[:, None] * foreseen[:, chords], axis=0)
    return Continuation(parents, chords, kept / kept.sum())
