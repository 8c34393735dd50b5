"""The ear: notes go in, keys and chords come out.

`Ear.hear` reads what was heard before a tick and changes nothing that a later
call could notice: the notes fed one by one, with any calls of `hear` between
them, give the same as the same notes fed at once. Times are ticks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution, KeyDistribution
from jackcomp.ear.hands import (
    AT_ONCE_SECONDS,
    Hands,
    Split,
    find_parts,
    find_stated,
    part_hands,
    score_stated,
    trust_held,
)
from jackcomp.ear.harmony import (
    SOUNDING,
    TAIL,
    ChordScorer,
    gather_evidence,
    sum_over_keys,
)
from jackcomp.ear.key import (
    CELL_TICKS,
    KeyListener,
    KeyState,
    gather_key_evidence,
    hold_key,
    join_opinion,
)
from jackcomp.ear.listener import Listener, Opinion
from jackcomp.ear.tables import EarTables
from jackcomp.ear.window import HeardNote, NoteWindow
from jackcomp.network import Network
from jackcomp.theory.key import Key, key_index
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter, step_at

MEMORY_BARS = 4
USUAL_SOUND = 16.0
"""Cells' worth of sound after which the hands are weighed anew."""

NS_AT_120 = 500_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the ear makes of one grid step.

    Attributes
    ----------
    chords : ndarray, shape=(169,), float32
        Distribution from notes and key, by the counted tables.
    opinion : Opinion
        What the network makes of the same notes and of all before them.
    expected : ndarray, shape=(169,), float32
        Distribution from the key alone, for who wants to know what the notes
        added.
    key_state : ndarray, shape=(n_idioms, 24), float64
        Distribution over idioms and keys.
    weight : float
        How much was heard of the step itself, in quarters of sound.
    evidence : ndarray, shape=(7, 2, 12), float64
        The notes summed up by place, as `gather_evidence` gives them.
    stated : ndarray, shape=(169,), float64
        Log-odds of the chords by what the left hand plays; zero where it rests.
    share : float
        How much of the step is over, 0 to 1.
    left_share : float
        How much of what sounded lately was the left hand's, 0 to 1.
    left_parts : frozenset of str
        What of an accompaniment the left hand plays itself, as `find_parts` says.
    lowest : int or None
        The lowest note of the melody in the last bar.
    notes : tuple of HeardNote
        The notes that decided: those of the step, or, while there are none,
        those of the step before.
    """

    chords: Distribution
    opinion: Opinion
    expected: Distribution
    key_state: KeyState
    weight: float
    evidence: NDArray[np.float64]
    stated: NDArray[np.float64]
    share: float
    left_share: float
    left_parts: frozenset[str]
    lowest: int | None
    notes: tuple[HeardNote, ...]

    @property
    def keys(self) -> KeyDistribution:
        """Key distribution, shape=(24,), float32, of whatever idiom."""
        return np.asarray(self.key_state.sum(axis=0), np.float32)


class Ear:
    """Listens to one soloist.

    Parameters
    ----------
    tables : EarTables
        As `jackcomp.ear.tables.load_ear_tables` gives them.
    network : Network
        As `jackcomp.ear.listener.load_listener` gives it.
    meter : Meter
        Says how long the felt beat and the bar are; the steps are the caller's.
    key : Key, optional
        A key that is known; without it the ear finds it.
    split : Split
        Which notes are the left hand's.
    """

    def __init__(
        self,
        tables: EarTables,
        network: Network,
        meter: Meter,
        key: Key | None = None,
        split: Split = "auto",
    ) -> None:
        self._meter = meter
        self._split = split
        self._listener = Listener(network, meter)
        self._window = NoteWindow()
        self._keys = KeyListener(tables.key)
        self._scorer = ChordScorer(tables.harmony)
        self._pulse_ticks = meter.pulse_ticks
        self._memory_ticks = MEMORY_BARS * meter.bar_ticks
        self.set_key(key)
        self.set_tempo(NS_AT_120)
        self.reset()

    def reset(self) -> None:
        """Forget all notes and what they said of the key."""
        self._window.reset()
        self._keys.reset()
        self._listener.reset()
        self._next_cell: int | None = None  # None until the first note
        self._left_share = 0.0

    def set_key(self, key: Key | None) -> None:
        """Hold the key fast, or find it again if None."""
        self._known_key = None if key is None else key_index(key)

    def set_tempo(self, ns_per_quarter: int) -> None:
        """Say how fast ticks pass; 120 quarters a minute until it is said."""
        ticks_per_second = TICKS_PER_QUARTER * 1e9 / ns_per_quarter
        self._at_once = round(AT_ONCE_SECONDS * ticks_per_second)

    def note_on(self, tick: int, note: int, velocity: int) -> None:
        """Hear a note begin."""
        self._window.note_on(tick, note, velocity)

    def note_off(self, tick: int, note: int) -> None:
        """Hear a key released; with the pedal down the note rings on."""
        self._window.note_off(tick, note)

    def pedal(self, tick: int, down: bool) -> None:
        """Hear the sustain pedal pressed or lifted."""
        self._window.pedal(tick, down)

    @property
    def sounding(self) -> frozenset[int]:
        """MIDI notes that the soloist lets sound, by key or pedal."""
        return self._window.sounding

    @property
    def held(self) -> frozenset[int]:
        """MIDI notes whose keys he holds."""
        return self._window.held

    def forget_held(self, tick: int) -> None:
        """Take all notes as ended: some note-offs may have been lost."""
        self._window.forget_held(tick)

    def hear(self, start_tick: int, now_tick: int, end_tick: int) -> Heard:
        """Say what was heard, before ``now_tick``, of a grid step.

        Parameters
        ----------
        start_tick, end_tick : int
            The step, in ticks; it may lie ahead.
        now_tick : int
            Cut-off: no note at or after it counts. Never before that of an
            earlier call, and every event before it has been fed.

        Returns
        -------
        Heard
        """
        step = step_at(self._meter, start_tick)[0]
        hands = self._part_hands(now_tick)
        opinion = self._listener.hear(hands.melody, step, now_tick)
        self._close_cells(now_tick)
        state = self._hear_keys(now_tick, opinion)
        before = 2 * start_tick - end_tick
        stop = min(now_tick, end_tick)
        notes = [
            n
            for n in hands.melody
            if n.onset < stop and (n.end is None or n.end > before)
        ]
        evidence = gather_evidence(
            notes, start_tick, now_tick, end_tick, self._pulse_ticks
        )
        stated = find_stated(hands.left, start_tick, now_tick, self._at_once)
        length = end_tick - start_tick
        begun = now_tick > start_tick
        trust = 1.0 if begun else trust_held(stated, start_tick)
        inside = [n for n in notes if n.sounding_ticks(start_tick, stop)]
        chords, expected = self._judge(evidence, state, begun=begun)
        return Heard(
            chords=chords,
            opinion=opinion,
            expected=expected,
            key_state=state,
            weight=float(evidence[:TAIL, SOUNDING].sum()),
            evidence=evidence,
            stated=score_stated(stated, trust),
            share=min(max(now_tick - start_tick, 0) / length, 1.0),
            left_share=self._left_share,
            left_parts=find_parts(
                hands.left,
                now_tick,
                self._meter.bar_ticks,
                self._at_once,
                self._split,
            ),
            lowest=self._lowest(hands.melody, now_tick),
            notes=(*stated, *inside) or tuple(notes),
        )

    def is_stated(self, start_tick: int, now_tick: int) -> bool:
        """Say whether the left hand states a chord of a step; cheaper than `hear`."""
        left = self._part_hands(now_tick).left
        return bool(find_stated(left, start_tick, now_tick, self._at_once))

    def _judge(
        self, evidence: NDArray[np.float64], state: KeyState, *, begun: bool
    ) -> tuple[Distribution, Distribution]:
        """Give the chords from notes and key, and those from the key alone."""
        expected = self._scorer.expect(state)
        return (
            self._scorer.score(evidence, expected, begun),
            sum_over_keys(expected),
        )

    def _close_cells(self, now: int) -> None:
        """Let the key filter take in the cells that are over, then forget them."""
        if self._next_cell is None:
            first = self._window.first
            if first is None or first.onset >= now:
                return
            self._next_cell = first.onset // CELL_TICKS
        while (self._next_cell + 1) * CELL_TICKS <= now:
            self._keys.update(self._key_evidence(now))
            self._next_cell += 1
            self._weigh_hands(self._next_cell * CELL_TICKS)
        open_since = self._next_cell * CELL_TICKS
        self._window.drop_before(min(open_since, now - self._memory_ticks))

    def _weigh_hands(self, now: int) -> None:
        """Note how much of the cell that ends here was the left hand's."""
        hands = self._part_hands(now)
        left, melody = (
            sum(note.sounding_ticks(now - CELL_TICKS, now) for note in notes)
            for notes in (hands.left, hands.melody)
        )
        heard = (left + melody) / CELL_TICKS
        if heard:
            news = 1.0 - math.exp(-heard / USUAL_SOUND)
            self._left_share += news * (left / (left + melody) - self._left_share)

    def _part_hands(self, now: int) -> Hands:
        known = [note for note in self._window.notes if note.onset < now]
        return part_hands(known, now, self._split, self._at_once)

    def _lowest(self, melody: Sequence[HeardNote], now: int) -> int | None:
        """Give the lowest of the notes that were struck in the last bar."""
        since = now - self._meter.bar_ticks
        return min((n.note for n in melody if n.onset >= since), default=None)

    def _hear_keys(self, now: int, opinion: Opinion) -> KeyState:
        """Look into the cell that is not over, and ask the network."""
        state = self._keys.state
        if self._next_cell is not None:
            state = self._keys.preview(self._key_evidence(now))
            state = join_opinion(state, opinion.keys, 1.0 - self._left_share)
        return state if self._known_key is None else hold_key(state, self._known_key)

    def _key_evidence(self, now: int) -> NDArray[np.float64]:
        assert self._next_cell is not None
        notes = self._window.notes_since(self._next_cell * CELL_TICKS)
        return gather_key_evidence(notes, self._next_cell, now)
