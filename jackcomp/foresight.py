"""What the brain expects, asked before it is needed.

The brain is asked about several histories at once (``decision.hypotheses``), since
what was played is only a guess at what the soloist has in mind. An eighth before a
grid step ends, `close` tells it what that step was and asks for the next: at the
line, the answer is only read.

What comes after that is looked up in the background. `ponder` does a small piece of
it, and is called while nothing else is to be done; a decision takes what is there.
Until a new look ahead is finished that is the one before, a step on.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution
from jackcomp.brain.features import START, encode_steps
from jackcomp.brain.song import SongBrain
from jackcomp.decision.hypotheses import continue_histories, mix_foreseen
from jackcomp.timeline.meter import Meter

CANDIDATES = 3
"""Chords of the next step from which it looks ahead."""

LEAST_DEPTH = 8
"""Steps that it looks ahead at least, beyond the next one."""


class Foresight:
    """The brain's view of one song, in one meter.

    Parameters
    ----------
    brain : SongBrain
        The model, and its memory of the song.
    meter : Meter
        Says how many steps a bar has.
    depth : int
        How many steps it looks ahead, beyond the next one; `LEAST_DEPTH` or more.

    Attributes
    ----------
    late : int
        How often a look ahead was asked for that was not finished.
    """

    def __init__(self, brain: SongBrain, meter: Meter, depth: int) -> None:
        self._brain = brain
        self._meter = meter
        self._depth = max(depth, LEAST_DEPTH)
        self.late = 0
        self.reset(0)

    def reset(self, step: int) -> None:
        """Forget the song; ``step`` is the first whose chord is asked for."""
        self._weights: NDArray[np.float64] = np.ones(1)
        positions = encode_steps(self._meter, step, 1)
        self._foreseen, self._state = self._brain.step(
            self._brain.initial_state(), np.array([START]), positions[0]
        )
        self._stale: list[Distribution] = []
        self._begin(step)
        while self.ponder():
            pass

    @property
    def expected(self) -> Distribution:
        """What comes in the step that is asked for."""
        return self._expected

    def close(self, step: int, believed: Distribution) -> None:
        """Take ``step`` as heard, and ask for the one after it.

        Parameters
        ----------
        step : int
            Grid step number.
        believed : ndarray, shape=(169,), float32
            What ear and brain together make of that step.
        """
        went_on = continue_histories(self._weights, self._foreseen, believed)
        # A step on: what was to come after the next one comes now.
        before = self._path(self._likeliest)
        self._stale = [*before[1:], before[-1]]
        self._weights = went_on.weights
        positions = encode_steps(self._meter, step + 1, 1)
        self._foreseen, self._state = self._brain.step(
            self._state.take(went_on.parents), went_on.chords, positions[0]
        )
        self._begin(step + 1)

    def ahead(self, chord: int) -> list[Distribution]:
        """Return what follows if ``chord`` comes in the step that is asked for.

        One distribution for each of the steps after it. For a chord that nobody
        expected they are those that follow the likeliest one, and its own are
        looked up in the background.
        """
        if chord not in self._ahead:
            self._look_from([chord])
            chord = self._likeliest
        path = self._path(chord)
        self.late += path is self._stale
        return path

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to look up."""
        return not self._pending

    def ponder(self) -> bool:
        """Look a step further ahead; says whether there is more to look up."""
        if not self._pending:
            return False
        chords, steps = self._pending[0]
        for chord, expected in zip(chords, next(steps), strict=True):
            self._ahead[chord].append(expected)
        if len(self._ahead[chords[0]]) == self._depth:
            self._pending.popleft()
        return bool(self._pending)

    def _path(self, chord: int) -> list[Distribution]:
        """Return what follows a chord, or what is known until that is finished."""
        path = self._ahead[chord]
        return path if len(path) == self._depth else self._stale

    def _begin(self, step: int) -> None:
        """Begin to look ahead from the likeliest chords of ``step``."""
        self._expected = mix_foreseen(self._weights, self._foreseen)
        order = np.argsort(-self._expected, kind="stable")
        self._likeliest = int(order[0])
        self._best = self._state.take([int(np.argmax(self._weights))])
        self._positions = encode_steps(self._meter, step + 1, self._depth)
        self._ahead: dict[int, list[Distribution]] = {}
        self._pending: deque[tuple[list[int], Iterator[NDArray[np.float32]]]] = deque()
        self._look_from(order[:CANDIDATES].tolist())

    def _look_from(self, chords: list[int]) -> None:
        self._ahead |= {chord: [] for chord in chords}
        steps = self._brain.look_ahead(self._best, chords, self._positions)
        self._pending.append((chords, steps))
