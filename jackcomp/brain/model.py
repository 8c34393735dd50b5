"""The chord model at work: the only module that knows onnxruntime.

The network is a pure function of its inputs and of the state that it handed out
before, so histories can be forked and forgotten freely. Everything here is
deterministic.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import ArrayLike, NDArray

from jackcomp.brain.features import (
    N_GENRES,
    POSITION_SIZE,
    ChordInput,
    Context,
    decode_answers,
    encode_chord,
)
from jackcomp.errors import ModelError
from jackcomp.theory.chord import format_harte
from jackcomp.theory.vocabulary import CHORDS

VOCABULARY = tuple(format_harte(chord) for chord in CHORDS)

_INPUTS = {
    "chord": ["batch", len(ChordInput._fields)],
    "position": ["batch", POSITION_SIZE],
    "genre": ["batch", N_GENRES],
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
    model : bytes
        An ONNX file as `export.to_onnx` writes it.

    Attributes
    ----------
    checksum : str
        The file's SHA-256, in hexadecimal.
    """

    def __init__(self, model: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A spinning thread would take the processor from the audio.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self.checksum = hashlib.sha256(model).hexdigest()
        self._hidden_size: int = self._session.get_inputs()[3].shape[1]

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
        if path is None:
            folder = resources.files("jackcomp._models")
            source, card_source = folder / "brain.onnx", folder / "brain.json"
        else:
            source, card_source = path, path.with_suffix(".json")
        model = _read(source)
        card = _read_card(card_source)
        _check(model, card, source)
        try:
            return cls(model)
        except Exception as error:  # onnxruntime raises many kinds, none exported
            raise ModelError(
                f"cannot load model {source}: {error}; {_REMEDY}"
            ) from error

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
        answers, hidden = self._session.run(
            None,
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


def _read(source: Traversable) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read model file {source}: {error.strerror}; {_REMEDY}"
        ) from error


def _read_card(source: Traversable) -> dict[str, Any]:
    try:
        card = json.loads(_read(source))
    except ValueError as error:
        raise ModelError(
            f"model card {source} is not JSON: {error}; {_REMEDY}"
        ) from error
    if not isinstance(card, dict):
        raise ModelError(f"model card {source} is not a JSON object; {_REMEDY}")
    return card


def _check(model: bytes, card: dict[str, Any], source: Traversable) -> None:
    """Refuse weights that are not the card's, or that answer another vocabulary."""
    if card.get("sha256") != hashlib.sha256(model).hexdigest():
        what = "the checksum differs"
    elif card.get("vocabulary") != list(VOCABULARY):
        what = "its chords are not those of this version of jackcomp"
    elif card.get("inputs", {}) | _INPUTS != card.get("inputs"):
        what = "its inputs are not those of this version of jackcomp"
    else:
        return
    raise ModelError(f"model {source} does not match its card: {what}; {_REMEDY}")
