"""A network from a file: checked against its card, run on one thread.

The only module that knows onnxruntime. Its official builds report to their maker from
1.29 on: a thread that looks for a server, an identity in the user's cache. That is
no thing for an instrument to do, so it is turned off before it is loaded, unless the
user has said otherwise.

An ONNX file has a card beside it, the same name with ``.json``, that holds its
checksum and says what it was made for. A network is a pure function of its inputs.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from jackcomp.errors import ModelError

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort


class Network:
    """An ONNX model at work.

    Parameters
    ----------
    model : bytes
        The file.

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
        self._shapes = {
            "inputs": {each.name: each.shape for each in self._session.get_inputs()},
            "outputs": {each.name: each.shape for each in self._session.get_outputs()},
        }

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
            What its card must say for this version of jackcomp; of a mapping, these
            entries at least.
        remedy : str
            How the player comes by a file that fits; ends the message.
        path : Path, optional
            Another file.

        Raises
        ------
        ModelError
            If file or card is missing, they do not match each other or what is
            expected, or onnxruntime does not take the file.
        """
        if path is None:
            folder = resources.files("jackcomp._models")
            source, card_source = folder / f"{name}.onnx", folder / f"{name}.json"
        else:
            source, card_source = path, path.with_suffix(".json")
        model, card = _read(source, remedy), _read_card(card_source, remedy)
        what = _objection(model, card, {**expected, "name": name})
        if not what:
            try:
                network = cls(model)
            except Exception as error:  # onnxruntime raises many kinds, none exported
                raise ModelError(
                    f"cannot load model {source}: {error}; {remedy}"
                ) from error
            what = network._other_shapes(card)
        if what:
            raise ModelError(
                f"model {source} does not match its card: {what}; {remedy}"
            )
        return network

    def _other_shapes(self, card: Mapping[str, Any]) -> str:
        """Say which shapes a card states otherwise, if it does; empty if none."""
        for key, shapes in self._shapes.items():
            if card.get(key, shapes) != shapes:
                return f"its {key!r} are not those of the file"
        return ""

    def input_size(self, name: str) -> int:
        """Return the length of an input's last axis."""
        return int(self._shapes["inputs"][name][-1])

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Give the outputs, in the order of the file."""
        outputs: list[NDArray[np.float32]] = self._session.run(None, dict(inputs))
        return outputs


def _objection(
    model: bytes, card: Mapping[str, Any], expected: Mapping[str, Any]
) -> str:
    """Say why weights are not the card's or not for this version; empty if they are."""
    if card.get("sha256") != hashlib.sha256(model).hexdigest():
        return "the checksum differs"
    if card.get("bytes", len(model)) != len(model):
        return f"the file has {len(model)} bytes, not {card['bytes']}"
    for key, wanted in expected.items():
        found = card.get(key)
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            found = {name: found.get(name) for name in wanted}
        if found != wanted:
            return f"its {key!r} is not that of this version of jackcomp"
    return ""


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
