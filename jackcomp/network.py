"""A small network from a file: checked against its card, run on one thread.

An ONNX file has a card beside it, the same name with ``.json``, that holds its
checksum and says what it was made for. A network is a pure function of its inputs.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from jackcomp.errors import ModelError


class Network:
    """An ONNX model at work.

    Parameters
    ----------
    model : bytes
        The file.
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

    @classmethod
    def load(
        cls,
        name: str,
        expected: Mapping[str, Any],
        remedy: str,
        path: Path | None = None,
    ) -> Self:
        """Load a network and check it against its card.

        Parameters
        ----------
        name : str
            The file's name, without ``.onnx``, among the models that are installed
            with jackcomp.
        expected : mapping
            What its card must say for this version of jackcomp.
        remedy : str
            How the player comes by a file that fits; ends the message.
        path : Path, optional
            Another file.

        Raises
        ------
        ModelError
            If file or card is missing, or they do not match each other or what is
            expected.
        """
        if path is None:
            folder = resources.files("jackcomp._models")
            source, card_source = folder / f"{name}.onnx", folder / f"{name}.json"
        else:
            source, card_source = path, path.with_suffix(".json")
        model, card = _read(source, remedy), _read_card(card_source, remedy)
        if card.get("sha256") != hashlib.sha256(model).hexdigest():
            what = "the checksum differs"
        else:
            wrong = [key for key, value in expected.items() if card.get(key) != value]
            if not wrong:
                return cls(model)
            what = f"its {wrong[0]} is not that of this version of jackcomp"
        raise ModelError(f"model {source} does not match its card: {what}; {remedy}")

    def input_size(self, name: str) -> int:
        """Return the length of an input's last axis."""
        shapes = {given.name: given.shape for given in self._session.get_inputs()}
        return int(shapes[name][-1])

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Give the outputs, in the order of the file."""
        outputs: list[NDArray[np.float32]] = self._session.run(None, dict(inputs))
        return outputs


def _read(source: Traversable, remedy: str) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read model file {source}: {error.strerror}; {remedy}"
        ) from error


def _read_card(source: Traversable, remedy: str) -> dict[str, Any]:
    try:
        card = json.loads(_read(source, remedy))
    except ValueError as error:
        raise ModelError(
            f"model card {source} is not JSON: {error}; {remedy}"
        ) from error
    if not isinstance(card, dict):
        raise ModelError(f"model card {source} is not a JSON object; {remedy}")
    return card
