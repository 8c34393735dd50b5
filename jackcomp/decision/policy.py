"""From a distribution to the chord that is played, and why.

A chord is chosen by its triad first (all qualities of one root and family speak
together), then by the quality. Not the likeliest triad is played but the one that is
expected to be worth most: a wrong chord over the right root, or with most of the right
tones, is half right. What is sounding has the right of way: a change has to be worth
more, and clearly more inside a step, where it is heard as a correction. Everything
here is a pure function.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution, KeyDistribution
from jackcomp.theory.chord import QUALITIES, Chord, format_harte
from jackcomp.theory.key import KEYS, Key, format_key
from jackcomp.theory.vocabulary import (
    CHORDS,
    NO_CHORD_INDEX,
    chord_index,
)


class Moment(Enum):
    """Where in the grid step a decision takes effect."""

    LINE = "line"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class Manner:
    """What a change needs.

    Attributes
    ----------
    line, inside : float
        How much more the new triad is worth than what sounds: logarithm of the ratio.
    quality : float
        Log-odds of a new quality over the same root: it is colour, and waits for a
        line.
    """

    line: float
    inside: float
    quality: float


# Fitted on validation songs (docs/decisions, the page on the decision).
READY = Manner(line=0.0, inside=0.04, quality=0.4)
CALM = Manner(line=0.2, inside=0.3, quality=0.8)
RIGHT_TRIAD, RIGHT_ROOT, RIGHT_TONES = 1.0, 2.0, 1.0
KEY_LOG_ODDS = 1.1
N_EXPLAINED = 5
N_KEYS_EXPLAINED = 3

_TRIADS = tuple(dict.fromkeys(quality.triad for quality in QUALITIES))
N_TRIADS = 12 * len(_TRIADS)
# Rows: which qualities have a minor third, and which a major one.
_THIRDS = np.array(
    [[third in quality.intervals for quality in QUALITIES] for third in (3, 4)], float
)
TRIAD_OF = np.array(
    [
        root * len(_TRIADS) + _TRIADS.index(quality.triad)
        for root in range(12)
        for quality in QUALITIES
    ]
)


def _worth() -> NDArray[np.float64]:
    """Say what a triad (row) is worth where another one (column) is right: 0 to 1.

    For the triad, for its root, and for the tones that both have, as a share of all
    that either has (Jaccard). A family's tones are those of all its qualities.
    """
    tones = np.zeros((N_TRIADS, 12))
    for triad in range(N_TRIADS):
        root, family = divmod(triad, len(_TRIADS))
        of_family = [q.intervals for q in QUALITIES if q.triad == _TRIADS[family]]
        common = set.intersection(*map(set, of_family))
        tones[triad, [(root + interval) % 12 for interval in common]] = 1.0
    shared = tones @ tones.T
    count = tones.sum(axis=1)
    roots = np.arange(N_TRIADS) // len(_TRIADS)
    worth = RIGHT_TRIAD * np.eye(N_TRIADS)
    worth += RIGHT_ROOT * (roots[:, None] == roots)
    worth += RIGHT_TONES * shared / (count[:, None] + count - shared)
    return np.asarray(worth / (RIGHT_TRIAD + RIGHT_ROOT + RIGHT_TONES))


WORTH = _worth()


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """One decision, and what led to it.

    Attributes
    ----------
    tick : int
        From here on the chord sounds.
    cutoff_tick : int
        Notes at or after this one were not heard.
    moment : Moment
        On the line of a step, or inside it.
    before, after : int or None, int
        Vocabulary indices of what sounded and what shall; None for nothing yet.
    tables, listener, brain, pooled : ndarray, shape=(169,), float32
        What each said: the ear's counted tables and its network, the brain, and all of
        them together with the memory.
    memory : ndarray, shape=(169,), float32, or None
        What the form memory said; None where nothing is like this step.
    memory_trust, memory_step : float, int or None
        How much of the whole the memory is, and the grid step it remembers best.
    key : Key
        The key that is shown.
    keys : ndarray, shape=(24,), float32
        How likely each is, in the order of ``theory.key.KEYS``.
    confidence : float
        Probability of the chosen triad, 0 to 1.
    weight : float
        How much the ear had heard of the step, in quarters of sound.
    notes : tuple of int
        The MIDI notes that decided.
    """

    tick: int
    cutoff_tick: int
    moment: Moment
    before: int | None
    after: int
    tables: Distribution
    listener: Distribution
    brain: Distribution
    memory: Distribution | None
    memory_trust: float
    memory_step: int | None
    pooled: Distribution
    key: Key
    keys: KeyDistribution
    confidence: float
    weight: float
    notes: tuple[int, ...]

    @property
    def is_change(self) -> bool:
        """Whether another chord sounds from here on."""
        return self.before != self.after

    @property
    def is_mended(self) -> bool:
        """Whether a chord is corrected within its step."""
        return self.is_change and self.moment is Moment.INSIDE

    def explain(self) -> dict[str, Any]:
        """Give the record for ``--explain``, chords and keys as labels.

        Of each voice it tells the five likeliest chords; ``worth`` are the triads that
        are worth most, by their likeliest chords: the first is the one to be chosen, if
        nothing sounded yet.
        """
        return {
            "tick": self.tick,
            "cutoff": self.cutoff_tick,
            "moment": self.moment.value,
            "before": None if self.before is None else self._label(self.before),
            "after": self._label(self.after),
            "ear": self._labels(top_chords(self.listener)),
            "tables": self._labels(top_chords(self.tables)),
            "brain": self._labels(top_chords(self.brain)),
            "memory": self._labels(
                () if self.memory is None else top_chords(self.memory)
            ),
            "memory_trust": round(self.memory_trust, 4),
            "memory_step": self.memory_step,
            "pool": self._labels(top_chords(self.pooled)),
            "worth": self._labels(top_triads(self.pooled)),
            "key": format_key(self.key),
            "key_probability": round(float(self.keys.max()), 4),
            "keys": [
                (format_key(KEYS[index]), round(chance, 4))
                for index, chance in top_keys(self.keys)
            ],
            "confidence": round(self.confidence, 4),
            "heard_quarters": round(self.weight, 4),
            "notes": list(self.notes),
        }

    def _label(self, index: int) -> str:
        return format_harte(CHORDS[index], self.key)

    def _labels(
        self, chances: tuple[tuple[int, float], ...]
    ) -> list[tuple[str, float]]:
        return [(self._label(index), round(chance, 4)) for index, chance in chances]


def choose(
    distribution: Distribution,
    current: int | None,
    moment: Moment = Moment.LINE,
    manner: Manner = READY,
) -> int:
    """Choose the chord to play.

    Parameters
    ----------
    distribution : ndarray, shape=(169,), float32
        Over the vocabulary. No chord is never chosen: resting is up to the
        arranger.
    current : int or None
        Vocabulary index of what sounds now; None for nothing yet.
    moment : Moment
        On the line, or inside the step.
    manner : Manner
        How readily it changes.

    Returns
    -------
    int
        Vocabulary index, never that of no chord.
    """
    worth = weigh_triads(distribution)
    triad = int(worth.argmax())
    best = _best_quality(distribution, triad)
    if current is None or current == NO_CHORD_INDEX:
        return best
    if triad == TRIAD_OF[current]:
        likelier = _log_odds(distribution[best], distribution[current])
        wanted = moment is Moment.LINE and likelier > manner.quality
    else:
        gain = _log_odds(worth[triad], worth[TRIAD_OF[current]])
        needed = manner.line if moment is Moment.LINE else manner.inside
        wanted = gain > needed
    return best if wanted else current


def sum_triads(distribution: Distribution) -> NDArray[np.float64]:
    """Sum up each root's qualities by family.

    Returns
    -------
    ndarray, shape=(60,), float64
        Root by family: ``maj``, ``min``, ``dim``, ``aug``, ``sus``, in the order
        of the quality table. No chord is left out.
    """
    of_chords = distribution[:NO_CHORD_INDEX].astype(np.float64)
    summed = np.bincount(TRIAD_OF, weights=of_chords, minlength=N_TRIADS)
    return np.asarray(summed, np.float64)


def weigh_triads(distribution: Distribution) -> NDArray[np.float64]:
    """Say what each triad is expected to be worth, shape (60,), 0 to 1.

    The mean of `WORTH` over what may be right (minimum Bayes risk); in the order of
    `sum_triads`.
    """
    return np.asarray(WORTH @ sum_triads(distribution))


def confidence_in(distribution: Distribution, chord: int) -> float:
    """Give the probability of a chord's triad, 0 to 1; 0 for no chord."""
    if chord == NO_CHORD_INDEX:
        return 0.0
    return float(min(sum_triads(distribution)[TRIAD_OF[chord]], 1.0))


def confidence_in_third(distribution: Distribution, chord: int) -> float:
    """Give the probability of a chord's third if its root is right, 0 to 1.

    Among all chords of this root with a minor or a major third; 1 for a chord with
    neither or both.
    """
    if chord == NO_CHORD_INDEX:
        return 1.0
    root, quality = divmod(chord, len(QUALITIES))
    of_root = distribution.reshape(-1)[:NO_CHORD_INDEX].reshape(12, -1)[root]
    thirds = _THIRDS @ of_root
    own = _THIRDS[:, quality]
    total = float(thirds.sum())
    if own.sum() != 1 or total <= 0:
        return 1.0
    return float(own @ thirds) / total


def top_chords(distribution: Distribution) -> tuple[tuple[int, float], ...]:
    """Give the five likeliest chords, the likeliest first, and how likely."""
    order = np.argsort(-distribution, kind="stable")[:N_EXPLAINED]
    return tuple((int(index), float(distribution[index])) for index in order)


def top_triads(distribution: Distribution) -> tuple[tuple[int, float], ...]:
    """Give the five triads that are worth most, by their likeliest chords."""
    worth = weigh_triads(distribution)
    order = np.argsort(-worth, kind="stable")[:N_EXPLAINED]
    return tuple(
        (_best_quality(distribution, triad), float(worth[triad])) for triad in order
    )


def top_keys(keys: KeyDistribution) -> tuple[tuple[int, float], ...]:
    """Give the three likeliest keys, the likeliest first, and how likely."""
    order = np.argsort(-keys, kind="stable")[:N_KEYS_EXPLAINED]
    return tuple((int(index), float(keys[index])) for index in order)


def choose_key(keys: KeyDistribution, current: Key | None) -> Key:
    """Choose the key to show: the likeliest, but it does not flutter.

    Parameters
    ----------
    keys : ndarray, shape=(24,), float32
        In the order of ``theory.key.KEYS``.
    current : Key or None
        What is shown now.
    """
    best = int(keys.argmax())
    if current is None:
        return KEYS[best]
    shown = KEYS.index(current)
    return KEYS[best] if _log_odds(keys[best], keys[shown]) > KEY_LOG_ODDS else current


def choose_fallback(
    foreseen: int | None, current: int | None, keys: KeyDistribution
) -> int:
    """Choose a chord when the deadline has passed.

    What was foreseen for the step stands; without it, what sounds goes on; and
    if nothing has sounded yet, the tonic of the likeliest key.
    """
    for chord in (foreseen, current):
        if chord is not None and chord != NO_CHORD_INDEX:
            return chord
    key = KEYS[int(keys.argmax())]
    return chord_index(Chord(key.tonic, "min" if key.mode == "minor" else "maj"))


def cutoff_frame(effect_frame: int, lead_frames: int, period_frames: int) -> int:
    """Say until when a decision may listen that takes effect at a frame.

    The lead is never shorter than two periods: one to carry the notes in, one to
    carry the answer out.
    """
    return effect_frame - max(lead_frames, 2 * period_frames)


def _best_quality(distribution: Distribution, triad: int) -> int:
    """Give the likeliest chord of a triad."""
    of_triad = np.where(triad == TRIAD_OF, distribution[:NO_CHORD_INDEX], -1.0)
    return int(of_triad.argmax())


def _log_odds(one: float, other: float) -> float:
    return float(np.log(max(one, _LEAST)) - np.log(max(other, _LEAST)))


_LEAST = 1e-9
