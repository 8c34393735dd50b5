"""The chord model at work.

The network is a pure function of its inputs and of the state that it handed out
before, so histories can be forked and forgotten freely. Everything here is
deterministic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jackcomp.brain.features import (
    N_GENRES,
    POSITION_SIZE,
    ChordInput,
    Context,
    decode_answers,
    encode_chord,
)
from jackcomp.network import Network
from jackcomp.theory.chord import format_harte
from jackcomp.theory.vocabulary import CHORDS, N_CHORDS

VOCABULARY = tuple(format_harte(chord) for chord in CHORDS)

_CARD = {
    "vocabulary": list(VOCABULARY),
    "inputs": {
        "chord": ["batch", len(ChordInput._fields)],
        "position": ["batch", POSITION_SIZE],
        "genre": ["batch", N_GENRES],
    },
    "outputs": {"probabilities": ["batch", N_CHORDS]},
}
_REMEDY = "reinstall jackcomp, or make it with: python -m export.to_onnx"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the model remembers of each history; to be handed back, not looked into.

    Attributes
    ----------
    hidden : ndarray, shape=(batch, size), float32
        The network's own state.
    contexts : tuple of Context, length batch
        What its answers count from.
    """

    hidden: NDArray[np.float32]
    contexts: tuple[Context, ...]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "State":
        """Return the states of ``rows``, which may repeat: a history forks."""
        return State(self.hidden[rows], tuple(self.contexts[row] for row in rows))


class Brain:
    """Foresees chords.

    Parameters
    ----------
    network : Network
        As `export.to_onnx` makes it.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._hidden_size = network.input_size("state")

    @property
    def checksum(self) -> str:
        """The SHA-256 of the model's file, in hexadecimal."""
        return self._network.checksum

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Load a model and check it against its card.

        Parameters
        ----------
        path : Path, optional
            An ONNX file with its card (same name, ``.json``) beside it; the model
            that is installed with jackcomp by default.

        Raises
        ------
        ModelError
            If model or card is missing or they do not match each other or this
            version of jackcomp.
        """
        return cls(Network.load("brain", _CARD, _REMEDY, path))

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before a song, for ``batch`` histories."""
        hidden = np.zeros((batch, self._hidden_size), np.float32)
        return State(hidden, (Context(),) * batch)

    def step(
        self,
        state: State,
        chords: Sequence[int] | NDArray[np.int64],
        positions: ArrayLike,
        genres: ArrayLike = 0.0,
    ) -> tuple[NDArray[np.float32], State]:
        """Tell what came last, and ask what comes next.

        Parameters
        ----------
        state : State
            Of ``batch`` histories.
        chords : sequence of int, length batch
            The chord of the step before; ``features.START`` before the first step.
        positions : array_like, shape=(batch, POSITION_SIZE) or (POSITION_SIZE,)
            The step that is asked for, see ``features.encode_steps``; one position
            serves all histories.
        genres : array_like, shape=(batch, N_GENRES) or (N_GENRES,)
            How likely each of ``theory.genre.GENRES`` is; zero where nothing is known.

        Returns
        -------
        ndarray, shape=(batch, 169), float32
            A `Distribution` for each history.
        State
            To go on from.
        """
        pairs = [
            encode_chord(int(chord), context)
            for chord, context in zip(chords, state.contexts, strict=True)
        ]
        after = tuple(context for _, context in pairs)
        answers, hidden = self._network.run(
            {
                "chord": np.array([told for told, _ in pairs], np.int64),
                "position": _rows(positions, len(pairs), POSITION_SIZE),
                "genre": _rows(genres, len(pairs), N_GENRES),
                "state": state.hidden,
            },
        )
        return decode_answers(answers, after), State(hidden, after)


def _rows(values: ArrayLike, batch: int, size: int) -> NDArray[np.float32]:
    return np.broadcast_to(np.asarray(values, np.float32), (batch, size))
