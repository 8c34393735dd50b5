"""Ear and brain as one distribution: a log-linear pool.

Two things temper the brain. It foresees from chords that are guesses, so with some
probability its history is wrong and it knows no more than the key does. And what
the key expects is in the ear's distribution already, so only the rest of what the
brain says is news.

Distributions are float32 ``(169,)`` in the order of ``theory.vocabulary``. The
numbers were fitted on validation songs with ``python -m export.fit_pool``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution

DEFAULT_AI_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class PoolWeights:
    """How much each of them counts.

    Attributes
    ----------
    ear : float
        Exponent of the ear's distribution.
    brain : float
        Exponent of what the brain says beyond the key.
    doubt : float
        Probability that the brain's history is wrong.
    news_only : float
        Which part of the key's expectation is taken out of the brain's: 1 all.
    """

    ear: float
    brain: float
    doubt: float
    news_only: float


EAR_ALONE = PoolWeights(ear=1.0, brain=0.0, doubt=0.35, news_only=1.0)
FITTED = PoolWeights(ear=1.0, brain=0.4, doubt=0.35, news_only=1.0)
BRAIN_ALONE = PoolWeights(ear=0.0, brain=1.0, doubt=0.0, news_only=0.0)

# Nobody's certainty may silence the other.
_LEAST = 1e-7


def pool(
    brain: Distribution,
    ear: Distribution,
    ai_weight: float = DEFAULT_AI_WEIGHT,
    expected: Distribution | None = None,
) -> Distribution:
    """Pool what the brain foresees with what the ear hears.

    Parameters
    ----------
    brain, ear : ndarray, shape=(169,), float32
        Distributions over chords.
    ai_weight : float
        0 gives the ear alone, 1 the brain alone, 0.5 the fitted mixture; between
        these the weights go in straight lines.
    expected : ndarray, shape=(169,), float32, optional
        What the key alone expects; uniform by default.

    Returns
    -------
    ndarray, shape=(169,), float32
        Sums to 1.

    Raises
    ------
    ValueError
        If ``ai_weight`` is not between 0 and 1.
    """
    if expected is None:
        expected = np.full_like(ear, 1.0 / len(ear))
    return pool_weighted(brain, ear, expected, weights_for(ai_weight))


def weights_for(ai_weight: float) -> PoolWeights:
    """Give the weights for an ``--ai-weight`` from 0 to 1; see `pool`."""
    if not 0.0 <= ai_weight <= 1.0:
        raise ValueError(f"ai weight {ai_weight}: expected a number from 0 to 1")
    if ai_weight <= DEFAULT_AI_WEIGHT:
        low, high, share = EAR_ALONE, FITTED, ai_weight / DEFAULT_AI_WEIGHT
    else:
        low, high = FITTED, BRAIN_ALONE
        share = (ai_weight - DEFAULT_AI_WEIGHT) / (1.0 - DEFAULT_AI_WEIGHT)
    return PoolWeights(
        *(
            (1.0 - share) * getattr(low, name) + share * getattr(high, name)
            for name in PoolWeights.__slots__
        )
    )


def pool_weighted(
    brain: Distribution, ear: Distribution, expected: Distribution, weights: PoolWeights
) -> Distribution:
    """Pool with given weights; the parameters are those of `pool`."""
    trusted = (1.0 - weights.doubt) * brain + weights.doubt * expected
    logs = weights.ear * _log(ear) + weights.brain * _log(trusted)
    logs -= weights.brain * weights.news_only * _log(expected)
    chances = np.exp(logs - logs.max())
    return np.asarray(chances / chances.sum(), np.float32)


def _log(distribution: Distribution) -> NDArray[np.float64]:
    return np.log(np.maximum(distribution.astype(np.float64), _LEAST))
