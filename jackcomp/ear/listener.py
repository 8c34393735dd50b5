"""The ear's second opinion: a small network from melody to chords and keys.

It goes through the grid steps that are over with a state, and answers for the step
at hand from that state and from what has been heard of the step. It was trained by
``export.train_ear`` on melodies alone; nobody tells it a key or a chord.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution, KeyDistribution
from jackcomp.ear.key import N_KEYS
from jackcomp.ear.melody import (
    N_CELLS,
    N_FEATURES,
    N_PITCHED,
    SNAP_TICKS,
    Past,
    no_past,
    pass_step,
    see_step,
)
from jackcomp.ear.window import HeardNote
from jackcomp.network import Network
from jackcomp.theory.chord import format_harte
from jackcomp.theory.vocabulary import CHORDS, N_CHORDS
from jackcomp.timeline.meter import Meter, step_at, step_start

LISTENER_CARD = {
    "vocabulary": [format_harte(chord) for chord in CHORDS],
    "features": N_FEATURES,
}
_REMEDY = "reinstall jackcomp, or make it with: python -m export.train_ear"


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What the network makes of one grid step.

    Attributes
    ----------
    chords : ndarray, shape=(169,), float32
    keys : ndarray, shape=(24,), float32
    sketch : ndarray, shape=(12, 12), float32
        The melody of the step itself: by pitch class, C first, how much of six cells
        it fills, and how often it is struck in each.
    """

    chords: Distribution
    keys: KeyDistribution
    sketch: NDArray[np.float32]


def load_listener(path: Path | None = None) -> Network:
    """Load the network that is installed with jackcomp, or that of a file.

    Raises
    ------
    ModelError
        If it is missing or does not match its card or this version of jackcomp.
    """
    return Network.load("listener", LISTENER_CARD, _REMEDY, path)


class Listener:
    """Follows one song.

    Parameters
    ----------
    network : Network
        As `load_listener` gives it.
    meter : Meter
        Bars and steps.
    """

    def __init__(self, network: Network, meter: Meter) -> None:
        self._network = network
        self._meter = meter
        self._start_state = np.zeros((1, network.input_size("state")), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the song."""
        self._state = self._start_state
        # The state has gone through the steps before the one before `_next`; `_past`
        # is what is remembered of those.
        self._first = self._next = 0
        self._past: Past | None = None

    def hear(self, notes: Sequence[HeardNote], step: int, now: int) -> Opinion:
        """Answer for a step as far as it has been heard.

        Parameters
        ----------
        notes : sequence of HeardNote
            By onset; at least those that sounded since the step before the one that
            an earlier call asked for.
        step : int
            Grid step number; never lower than in an earlier call.
        now : int
            Tick; what comes at or after it is not looked at, and never before that
            of an earlier call.

        Returns
        -------
        Opinion
            The same, whatever was asked before; uniform before the first note.
        """
        heard = [note for note in notes if note.onset < now]
        if self._past is None:
            if not heard:
                return NO_OPINION
            first = step_at(self._meter, heard[0].onset + SNAP_TICKS)[0]
            self._first = self._next = min(first, step)
            self._past = no_past()
        while self._next < step:
            over, self._past = self._close(self._past, heard)
            _, _, self._state = self._run(over, over)
            self._next += 1
        over, past = self._close(self._past, heard)
        current = see_step(past, heard, self._meter, step, now)
        chords, keys, _ = self._run(over, current)
        pitched = current[: 12 * N_PITCHED].reshape(12, N_PITCHED)
        return Opinion(chords[0], keys[0], pitched[:, : 2 * N_CELLS])

    def _close(
        self, past: Past, notes: Sequence[HeardNote]
    ) -> tuple[NDArray[np.float32], Past]:
        """Tell the step before `_next` whole, and what is remembered after it."""
        if self._next == self._first:
            return np.zeros(N_FEATURES, np.float32), past
        step = self._next - 1
        end = step_start(self._meter, self._next)
        over = see_step(past, notes, self._meter, step, end)
        return over, pass_step(past, notes, self._meter, step)

    def _run(
        self, over: NDArray[np.float32], heard: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        return self._network.run(
            {"over": over[None], "heard": heard[None], "state": self._state}
        )


NO_OPINION = Opinion(
    np.full(N_CHORDS, 1.0 / N_CHORDS, np.float32),
    np.full(N_KEYS, 1.0 / N_KEYS, np.float32),
    np.zeros((12, 2 * N_CELLS), np.float32),
)
