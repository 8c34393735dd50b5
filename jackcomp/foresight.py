"""What the brain expects, asked before it is needed.

The brain is asked about several histories at once (``decision.hypotheses``), since
what was played is only a guess at what the soloist has in mind. An eighth before a
grid step ends, `close` tells it what that step was and looks several bars ahead
from the likeliest chords of the next: at the line, answers are only read.
"""

import numpy as np
from numpy.typing import NDArray

from jackcomp.arrays import Distribution
from jackcomp.brain.features import START, encode_steps
from jackcomp.brain.model import Brain
from jackcomp.decision.hypotheses import continue_histories, mix_foreseen
from jackcomp.timeline.meter import Meter

CANDIDATES = 3
"""Chords of the next step from which it looks ahead."""


class Foresight:
    """The brain's view of one song, in one meter.

    Parameters
    ----------
    brain : Brain
        The model.
    meter : Meter
        Says how many steps a bar has.
    depth : int
        How many steps it looks ahead, beyond the next one.
    """

    def __init__(self, brain: Brain, meter: Meter, depth: int) -> None:
        self._brain = brain
        self._meter = meter
        self._depth = depth
        self.reset(0)

    def reset(self, step: int) -> None:
        """Forget the song; ``step`` is the first whose chord is asked for."""
        self._weights: NDArray[np.float64] = np.ones(1)
        positions = encode_steps(self._meter, step, 1)
        self._foreseen, self._state = self._brain.step(
            self._brain.initial_state(), np.array([START]), positions[0]
        )
        self._look_ahead(step)

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
        self._weights = went_on.weights
        positions = encode_steps(self._meter, step + 1, 1)
        self._foreseen, self._state = self._brain.step(
            self._state.take(went_on.parents), went_on.chords, positions[0]
        )
        self._look_ahead(step + 1)

    def ahead(self, chord: int) -> list[Distribution]:
        """Return what follows if ``chord`` comes in the step that is asked for.

        One distribution for each of the ``depth`` steps after it; for a chord that
        nobody expected, those that follow the likeliest one.
        """
        return self._ahead.get(chord, self._ahead[self._likeliest])

    def _look_ahead(self, step: int) -> None:
        """Roll out from the likeliest chords of ``step``, on the best history."""
        self._expected = mix_foreseen(self._weights, self._foreseen)
        order = np.argsort(-self._expected, kind="stable")
        candidates = [int(chord) for chord in order[:CANDIDATES]]
        self._likeliest = candidates[0]
        best = self._state.take(np.array([int(np.argmax(self._weights))]))
        positions = encode_steps(self._meter, step + 1, self._depth)
        self._ahead = {
            chord: self._brain.foresee(best, chord, positions) for chord in candidates
        }
