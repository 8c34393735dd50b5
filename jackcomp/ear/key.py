"""Which key the soloist is in: a doubt over 24 keys, filtered over time.

A hidden Markov model whose state is a key and an idiom: folk tunes, pop, songs
and jazz solos use their keys differently, and the notes tell them apart. Time is
cut into cells of a quarter; each cell brings the log-likelihood of its notes
under each state's profile, and between cells key and idiom may change at a cost.
Profiles, costs and weights are counted and fitted by ``export.count_ear``.

A `KeyState` is float64 ``(n_idioms, 24)`` and sums to 1. Keys are in the order of
``theory.key.KEYS``: C to B major, then C to B minor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import KeyDistribution
from jackcomp.ear.window import HeardNote
from jackcomp.timeline.meter import TICKS_PER_QUARTER

KeyState: TypeAlias = NDArray[np.float64]

N_KEYS = 24
CELL_TICKS = TICKS_PER_QUARTER
# A note that rings on longer says nothing new; perhaps its end was lost.
LONGEST_TICKS = 8 * TICKS_PER_QUARTER
KEY_TRAITS = ("struck", "sounding", "long")
# Fitted on validation songs, by the likelihood of the annotated key.
FILTER_EXPONENT, OPINION_EXPONENT = 0.1, 0.9
_LEAST = 1e-6


def gather_key_evidence(
    notes: Iterable[HeardNote], cell: int, now: int
) -> NDArray[np.float64]:
    """Sum up one cell's notes by what they say of the key.

    Parameters
    ----------
    notes : iterable of HeardNote
        At least those that sound within the cell.
    cell : int
        Number of the cell, 0 begins at tick 0.
    now : int
        Tick; what comes at or after it is not looked at.

    Returns
    -------
    ndarray, shape=(3, 12), float64
        Per pitch class: onsets, quarters sounding within a note's first
        quarter, and quarters sounding after it.
    """
    start = cell * CELL_TICKS
    stop = min(start + CELL_TICKS, now)
    evidence = [0.0] * (len(KEY_TRAITS) * 12)
    for note in notes:
        fresh = note.sounding_ticks(start, min(stop, note.onset + CELL_TICKS))
        heard = note.sounding_ticks(start, min(stop, note.onset + LONGEST_TICKS))
        if heard:
            pitch_class = note.note % 12
            evidence[pitch_class] += start <= note.onset
            evidence[pitch_class + 12] += fresh / TICKS_PER_QUARTER
            evidence[pitch_class + 24] += (heard - fresh) / TICKS_PER_QUARTER
    return np.array(evidence).reshape(len(KEY_TRAITS), 12)


@dataclass(frozen=True, slots=True, eq=False)
class KeyTables:
    """What was counted and fitted.

    Parameters
    ----------
    idioms : tuple of str
        Their names.
    profiles : ndarray, shape=(n_idioms, 2, 3, 12)
        Log-probability of a pitch class above the tonic, by idiom, mode (major,
        minor) and trait.
    weights : ndarray, shape=(3,)
        Exponent of each trait.
    shares : ndarray, shape=(n_idioms, 2)
        Probability of idiom and mode before anything is heard; sums to 1.
    changes : ndarray, shape=(2, 2, 12)
        Where a change of key leads, by the mode before, the mode after and the
        interval between the tonics; sums to 1 for each mode before.
    change_rate, idiom_rate : float
        Probability that the key, or the idiom, changes in a quarter.
    """

    idioms: tuple[str, ...]
    profiles: NDArray[np.float64]
    weights: NDArray[np.float64]
    shares: NDArray[np.float64]
    changes: NDArray[np.float64]
    change_rate: float
    idiom_rate: float


class KeyListener:
    """The filtered distribution over idioms and keys.

    Parameters
    ----------
    tables : KeyTables
        See there.
    """

    def __init__(self, tables: KeyTables) -> None:
        tonic, mode = np.arange(N_KEYS) % 12, np.arange(N_KEYS) // 12
        above_tonic = (np.arange(12) - tonic[:, None]) % 12
        weighted = tables.profiles * tables.weights[:, None]
        # (n_idioms * 24, 3 * 12): log-likelihood of a unit of evidence
        self._likelihood = (
            weighted[:, mode[:, None], :, above_tonic]
            .transpose(2, 0, 3, 1)
            .reshape(len(tables.idioms) * N_KEYS, -1)
        )
        interval = (tonic - tonic[:, None]) % 12
        self._moves = (1.0 - tables.change_rate) * np.eye(N_KEYS)
        self._moves += (
            tables.change_rate * tables.changes[mode[:, None], mode, interval]
        )
        self._shares = tables.shares.sum(axis=1, keepdims=True)
        self._idiom_rate = tables.idiom_rate
        self._prior = tables.shares[:, mode] / 12.0
        self.reset()

    def reset(self) -> None:
        """Go back to knowing nothing."""
        self._state = self._prior

    @property
    def state(self) -> KeyState:
        """The distribution after the last whole cell."""
        return self._state

    def update(self, evidence: NDArray[np.float64]) -> KeyState:
        """Take in one whole cell and give the distribution after it.

        Parameters
        ----------
        evidence : ndarray, shape=(3, 12)
            As `gather_key_evidence` gives it.

        Returns
        -------
        ndarray, shape=(n_idioms, 24), float64
        """
        self._state = self.preview(evidence)
        return self._state

    def preview(self, evidence: NDArray[np.float64]) -> KeyState:
        """Give what `update` would give, and remember nothing of it."""
        moved = self._state @ self._moves
        newcomers = self._idiom_rate * self._shares * moved.sum(axis=0)
        moved = (1.0 - self._idiom_rate) * moved + newcomers
        score = (self._likelihood @ evidence.ravel()).reshape(moved.shape)
        raised = moved * np.exp(score - score.max())
        return np.asarray(raised / raised.sum())


def join_opinion(
    state: KeyState, opinion: KeyDistribution, reliance: float = 1.0
) -> KeyState:
    """Join what was filtered with what the listening network makes of the key.

    Both heard the same melody, so neither counts in full; of the left hand only the
    filter knows, so the more of what sounds is the left hand's, the more it counts.
    How likely the idioms of a key are stays as it is.

    Parameters
    ----------
    state : ndarray, shape=(n_idioms, 24)
        Distribution over idioms and keys.
    opinion : ndarray, shape=(24,), float32
        Distribution over keys.
    reliance : float
        How much of what was heard lately was melody, 0 to 1.

    Returns
    -------
    ndarray, shape=(n_idioms, 24), float64
    """
    filtered = np.maximum(state.sum(axis=0), _LEAST)
    joined = (1.0 - reliance * (1.0 - FILTER_EXPONENT)) * np.log(filtered)
    joined += reliance * OPINION_EXPONENT * np.log(np.maximum(opinion, _LEAST))
    chances = np.exp(joined - joined.max())
    return np.asarray(state / filtered * (chances / chances.sum()))


def hold_key(state: KeyState, key: int) -> KeyState:
    """Give the state as it is if the key is known; only the idiom is in doubt."""
    held = np.zeros_like(state)
    held[:, key] = state[:, key] / state[:, key].sum()
    return held
