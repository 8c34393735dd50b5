"""Which chord fits the notes of a grid step, as far as they have been heard.

What follows what is the brain's business: here are only the notes, the key and
where each note stands. A note counts by its *place* in the step (on the line,
on a beat, off it, tied over the line, or in the step before) and by its length.
For each place, mode and chord relative to the tonic a table says how likely
each pitch class is. No key is decided: the score is summed over all 24, each
with its probability, and each key expects its chords as the idiom has them.

Chords are in the order of ``theory.vocabulary``, keys in that of
``theory.key.KEYS``. The tables are counted and fitted by ``export.count_ear``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution
from jackcomp.ear.key import KeyState
from jackcomp.ear.window import HeardNote
from jackcomp.theory.vocabulary import CHORDS, N_CHORDS, chord_index
from jackcomp.timeline.meter import TICKS_PER_QUARTER

PLACES = ("line", "beat", "off", "pushed", "held", "tail", "previous")
LINE, BEAT, OFF, PUSHED, HELD, TAIL, PREVIOUS = range(len(PLACES))
MEASURES = ("struck", "sounding")
STRUCK, SOUNDING = range(len(MEASURES))
STAGES = ("before", "inside")

# A note this little before the line was meant for it ...
ANTICIPATION_TICKS = TICKS_PER_QUARTER // 16
# ... one this little past a beat is on it ...
ON_BEAT_TICKS = TICKS_PER_QUARTER // 8
# ... and one that rings this little past the line belongs to the step before.
OVERHANG_TICKS = TICKS_PER_QUARTER // 8
# Syncopation: struck up to an eighth ahead and held over the line.
PUSH_TICKS = TICKS_PER_QUARTER // 2 + ANTICIPATION_TICKS


def gather_evidence(
    notes: Iterable[HeardNote], start: int, now: int, end: int, pulse_ticks: int
) -> NDArray[np.float64]:
    """Sum up by place what has been heard of a grid step.

    Parameters
    ----------
    notes : iterable of HeardNote
        At least those that sound in the step or in the step before.
    start, end : int
        The step, in ticks.
    now : int
        Tick; what comes at or after it is not looked at. May lie before ``start``.
    pulse_ticks : int
        Length of the felt beat.

    Returns
    -------
    ndarray, shape=(7, 2, 12), float64
        By place, measure and pitch class: the number of notes struck, and the
        quarters that they sounded.
    """
    # A plain list: adding to an array number by number takes ten times as long.
    evidence = [0.0] * (len(PLACES) * len(MEASURES) * 12)
    stop = min(now, end)
    before = start - (end - start)
    for note in notes:
        if note.onset >= stop:
            continue
        place = place_note(note, start, stop, pulse_ticks)
        if place in (TAIL, PREVIOUS):
            sounding = note.sounding_ticks(before, min(stop, start))
        else:
            sounding = note.sounding_ticks(start, stop)
        if sounding or place == LINE:
            struck = place * len(MEASURES) * 12 + note.note % 12
            evidence[struck] += 1.0
            evidence[struck + 12] += sounding / TICKS_PER_QUARTER
    return np.array(evidence).reshape(len(PLACES), len(MEASURES), 12)


def place_note(note: HeardNote, start: int, stop: int, pulse_ticks: int) -> int:
    """Say where a note stands to the step that begins at ``start``.

    Parameters
    ----------
    note : HeardNote
        Struck before ``stop``.
    start, stop : int
        Begin of the step, and how far it has been heard; in ticks.
    pulse_ticks : int
        Length of the felt beat.

    Returns
    -------
    int
        Place in `PLACES`.
    """
    into = note.onset - start
    if into >= -ANTICIPATION_TICKS:
        if into < ON_BEAT_TICKS:
            return LINE
        from_beat = (into + ON_BEAT_TICKS) % pulse_ticks
        return BEAT if from_beat < 2 * ON_BEAT_TICKS else OFF
    if note.sounding_ticks(start, stop) >= OVERHANG_TICKS:
        return PUSHED if into >= -PUSH_TICKS else HELD
    return TAIL if into >= -TICKS_PER_QUARTER else PREVIOUS


@dataclass(frozen=True, slots=True, eq=False)
class HarmonyTables:
    """What was counted and fitted.

    Parameters
    ----------
    notes : ndarray, shape=(2, 7, 169, 12)
        Log-probability of a pitch class above the tonic, by mode, place, and
        chord of the vocabulary as in C.
    chords : ndarray, shape=(n_idioms, 2, 169)
        Log-probability of those chords in each idiom and mode.
    weights : ndarray, shape=(2, 7, 2)
        Exponent by stage (before the step, inside it), place and measure.
    key_exponent : float
        Exponent of the key distribution.
    """

    notes: NDArray[np.float64]
    chords: NDArray[np.float64]
    weights: NDArray[np.float64]
    key_exponent: float


class ChordScorer:
    """Turns evidence and the key state into a distribution over chords.

    Parameters
    ----------
    tables : HarmonyTables
        See there.
    """

    def __init__(self, tables: HarmonyTables) -> None:
        # (2, 7 * 12, 169): by mode, from the notes above the tonic to the chords
        self._notes = tables.notes.transpose(0, 1, 3, 2).reshape(2, -1, N_CHORDS)
        # (2, n_idioms, 169)
        self._chords = np.exp(tables.chords).transpose(1, 0, 2).copy()
        self._weights = tables.weights[..., None]
        self._key_exponent = tables.key_exponent

    def score(
        self,
        evidence: NDArray[np.float64],
        expected: NDArray[np.float64],
        begun: bool,
    ) -> Distribution:
        """Score every chord against what was heard.

        Parameters
        ----------
        evidence : ndarray, shape=(7, 2, 12)
            As `gather_evidence` gives it.
        expected : ndarray, shape=(2, 12, 169)
            As `expect` gives it.
        begun : bool
            Whether the step has begun; before, the last notes weigh more.

        Returns
        -------
        ndarray, shape=(169,), float32
            Sums to 1.
        """
        heard = (self._weights[int(begun)] * evidence).sum(axis=1)
        # The same notes as they lie in each of the twelve keys.
        relative = heard[:, _FROM_TONIC].transpose(1, 0, 2).reshape(12, -1)
        scores = relative @ self._notes
        scores += np.log(np.maximum(expected, _LEAST))
        return sum_over_keys(np.exp(scores - scores.max()))

    def expect(self, state: KeyState) -> NDArray[np.float64]:
        """Say what the key alone makes of the chords, key by key.

        Parameters
        ----------
        state : ndarray, shape=(n_idioms, 24)
            Distribution over idioms and keys.

        Returns
        -------
        ndarray, shape=(2, 12, 169), float64
            Chances of mode, tonic, and chord as in C.
        """
        keys = state.sum(axis=0)
        # A power of the key's probability, and its idioms in their proportion.
        shares = state * np.maximum(keys, _LEAST) ** (self._key_exponent - 1.0)
        by_key = shares.T.reshape(2, 12, len(state))
        return np.asarray(by_key @ self._chords)


def sum_over_keys(chances: NDArray[np.float64]) -> Distribution:
    """Move every key's chords to where they sound, and add them up.

    Parameters
    ----------
    chances : ndarray, shape=(2, 12, 169)
        Of mode, tonic, and chord as in C.

    Returns
    -------
    ndarray, shape=(169,), float32
        Sums to 1; for what `ChordScorer.expect` gives, what `ChordScorer.score` gives
        for evidence that is all zero.
    """
    summed = chances.sum(axis=0)[_TONICS, _IN_KEY].sum(axis=0)
    return np.asarray(summed / summed.sum(), np.float32)


# What is impossible keeps a finite logarithm, however much speaks for it.
_LEAST = 1e-200
# _FROM_TONIC[t, i] is the pitch class i semitones above tonic t; _IN_KEY[t, c]
# the index that chord c has when everything is moved from tonic t to C.
_TONICS = np.arange(12)[:, None]
_FROM_TONIC = (np.arange(12)[:, None] + np.arange(12)) % 12
_IN_KEY = np.array(
    [[chord_index(chord.transpose(-tonic)) for chord in CHORDS] for tonic in range(12)]
)
