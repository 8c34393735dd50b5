"""Ear, brain and memory as one distribution.

Ear and brain meet in a log-linear pool. The ear has two opinions, that of the counted
tables and that of the listener, a network. Two things temper the brain: it foresees
from chords that are guesses, so with some probability its history is wrong and it
knows no more than the key does; and what the key expects is in the tables' opinion
already, so only the rest of what the brain says is news. What the form memory
remembers is mixed in after that, as another possibility: the soloist is in the form,
or he is not. What his left hand states has the last word.

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
    tables, listener : float
        Exponents of the ear's opinions.
    brain : float
        Exponent of what the brain says beyond the key.
    doubt : float
        Probability that the brain's history is wrong.
    news_only : float
        Which part of the key's expectation is taken out of the brain's: 1 all.
    """

    tables: float
    listener: float
    brain: float
    doubt: float
    news_only: float


# Before the line of a step, just after it, and when it has been heard to its end.
BEFORE = PoolWeights(0.12, 0.83, 0.35, 0.55, 1.0)
BEGUN = PoolWeights(0.11, 0.85, 0.32, 0.73, 1.0)
WHOLE = PoolWeights(0.07, 0.91, 0.08, 0.54, 1.0)
BRAIN_ALONE = PoolWeights(0.0, 0.0, brain=1.0, doubt=0.0, news_only=0.0)

# Nobody's certainty may silence the other.
_LEAST = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the ear has to say of a step.

    Attributes
    ----------
    tables, listener : ndarray, shape=(169,), float32
        Its two opinions.
    expected : ndarray, shape=(169,), float32
        What the key alone makes of the chords.
    stated : ndarray, shape=(169,), float64
        Log-odds by what the left hand plays; zero where it rests.
    share : float
        How much of the step has been heard, 0 (before its line) to 1.
    """

    tables: Distribution
    listener: Distribution
    expected: Distribution
    stated: NDArray[np.float64]
    share: float


def weights_for(ai_weight: float, share: float, known: float = 0.0) -> PoolWeights:
    """Give the weights for a step that has been heard so far.

    Parameters
    ----------
    ai_weight : float
        0 gives the counted tables alone (in keys that the listener hears too), 1 the
        brain alone, 0.5 the fitted mixture; between these the weights go in straight
        lines.
    share : float
        How much of the step has been heard, 0 to 1.
    known : float
        How much of what sounded lately was the left hand's, 0 to 1: the chords before
        are known as far, so the brain may be trusted; and the ear, which hears the
        melody alone, the less.

    Raises
    ------
    ValueError
        If ``ai_weight`` is not between 0 and 1.
    """
    if not 0.0 <= ai_weight <= 1.0:
        raise ValueError(f"ai weight {ai_weight}: expected a number from 0 to 1")
    fitted = _between(BEGUN, WHOLE, share) if share > 0.0 else BEFORE
    both = fitted.tables + fitted.listener
    tables_alone = PoolWeights(both, 0.0, 0.0, fitted.doubt, fitted.news_only)
    fitted = _between(fitted, BRAIN_ALONE, known)
    if ai_weight <= DEFAULT_AI_WEIGHT:
        return _between(tables_alone, fitted, ai_weight / DEFAULT_AI_WEIGHT)
    rest = (ai_weight - DEFAULT_AI_WEIGHT) / (1.0 - DEFAULT_AI_WEIGHT)
    return _between(fitted, BRAIN_ALONE, rest)


def pool(brain: Distribution, evidence: Evidence, weights: PoolWeights) -> Distribution:
    """Pool what the brain foresees with what the ear hears.

    The left hand is left out; `settle` hears it.

    Returns
    -------
    ndarray, shape=(169,), float32
        Sums to 1.
    """
    trusted = (1.0 - weights.doubt) * brain + weights.doubt * evidence.expected
    logs = weights.brain * _log(trusted)
    logs -= weights.brain * weights.news_only * _log(evidence.expected)
    logs += weights.tables * _log(evidence.tables)
    logs += weights.listener * _log(evidence.listener)
    return _normalise(logs)


def settle(
    pooled: Distribution,
    remembered: Distribution,
    trust: float,
    stated: NDArray[np.float64],
) -> Distribution:
    """Mix in what the memory remembers, and let the left hand have its say.

    Parameters
    ----------
    pooled : ndarray, shape=(169,), float32
        As `pool` gives it.
    remembered : ndarray, shape=(169,), float32
        What was believed where the melody was the same.
    trust : float
        How much of the result the memory is, 0 to 1.
    stated : ndarray, shape=(169,), float64
        Log-odds by what the left hand plays.

    Returns
    -------
    ndarray, shape=(169,), float32
        Sums to 1.
    """
    mixed = (1.0 - trust) * pooled + trust * remembered
    return _normalise(_log(np.asarray(mixed, np.float32)) + stated)


def foresee(
    brain: Distribution, expected: Distribution, ai_weight: float
) -> Distribution:
    """Pool what the brain foresees for a step of which nothing was heard yet."""
    evidence = Evidence(expected, expected, expected, np.zeros(len(expected)), 0.0)
    return pool(brain, evidence, weights_for(ai_weight, 0.0))


def _between(one: PoolWeights, other: PoolWeights, share: float) -> PoolWeights:
    return PoolWeights(
        *(
            (1.0 - share) * getattr(one, name) + share * getattr(other, name)
            for name in PoolWeights.__slots__
        )
    )


def _normalise(logs: NDArray[np.float64]) -> Distribution:
    chances = np.exp(logs - logs.max())
    return np.asarray(chances / chances.sum(), np.float32)


def _log(distribution: Distribution) -> NDArray[np.float64]:
    return np.log(np.maximum(distribution.astype(np.float64), _LEAST))
