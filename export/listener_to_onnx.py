"""Make the listener that is played from the one that was trained.

The graph is one step of the network. The weights stay as they were learnt, once for
all twelve pitch classes: the graph turns the circle to each of them instead, so that
what a step reads of memory is small.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from export.listener_model import Around, Listener
from jackcomp.ear.melody import N_FEATURES
from jackcomp.theory.vocabulary import N_CHORDS

# Opset 17 is read by every onnxruntime since 1.12.
_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
listener (float[batch, FEATURES] over, float[batch, FEATURES] heard,
          float[batch, STATE] state)
    => (float[batch, CHORDS] chords, float[batch, 24] keys,
        float[batch, STATE] next_state)
{
    hidden, cell = Split <axis = 1> (state, halves)
    AROUND embed over told_raw
    told = Relu(told_raw)
    AROUND enter told entered
    AROUND again hidden recalled
    gates_flat = Add(entered, recalled)
    gates = Reshape(gates_flat, gate_shape)
    enter_raw, keep_raw, fresh_raw, show_raw = Split <axis = 2> (gates, one_each)
    enter_gate = Sigmoid(enter_raw)
    keep_gate = Sigmoid(keep_raw)
    fresh = Tanh(fresh_raw)
    show_gate = Sigmoid(show_raw)
    cells = Reshape(cell, unit_shape)
    kept = Mul(keep_gate, cells)
    entering = Mul(enter_gate, fresh)
    next_cells = Add(kept, entering)
    bounded = Tanh(next_cells)
    shown = Mul(show_gate, bounded)
    next_cell = Flatten <axis = 1> (next_cells)
    next_hidden = Flatten <axis = 1> (shown)
    next_state = Concat <axis = 1> (next_hidden, next_cell)
    AROUND remember next_hidden remembered
    AROUND hear heard seen
    first_raw = Add(remembered, seen)
    first = Relu(first_raw)
    AROUND think first second_raw
    second = Relu(second_raw)
    thought = Add(first, second)
    by_pitch = Reshape(thought, head_shape)
    mean = ReduceMean <axes = [1], keepdims = 0> (by_pitch)
    silence_raw = MatMul(mean, silence_weight)
    silence = Add(silence_raw, silence_bias)
    AROUND chords thought with_root
    chord_logits = Concat <axis = 1> (with_root, silence)
    chords = Softmax <axis = 1> (chord_logits)
    AROUND keys thought by_tonic_flat
    by_tonic = Reshape(by_tonic_flat, key_shape)
    by_mode = Transpose <perm = [0, 2, 1]> (by_tonic)
    key_logits = Flatten <axis = 1> (by_mode)
    keys = Softmax <axis = 1> (key_logits)
}
"""


def build_listener(model: Listener) -> bytes:
    """Write one step of the model as ONNX.

    Inputs: ``over`` and ``heard`` (batch, N_FEATURES), ``state`` (batch, 2 * 12 *
    units), zero at first; float32. Outputs: ``chords`` (batch, 169), ``keys``
    (batch, 24), probabilities; ``next_state``, which has gone through ``over``.
    """
    units, head = model.settings.units, model.settings.head
    weights: dict[str, NDArray[Any]] = {
        "turns": (np.arange(12)[:, None] + np.arange(12)) % 12,
        "pitches": np.array([1]),
        "halves": np.array([12 * units] * 2),
        "one_each": np.ones(4, np.int64),
        "gate_shape": np.array([0, 12, 4, units]),
        "unit_shape": np.array([0, 12, 1, units]),
        "head_shape": np.array([0, 12, head]),
        "key_shape": np.array([0, 12, 2]),
        "silence_weight": model.silence.weight.detach().numpy().T,
        "silence_bias": model.silence.bias.detach().numpy(),
    }
    lines = []
    for line in _GRAPH.splitlines():
        words = line.split()
        if words[:1] == ["AROUND"]:
            lines += _lay_around(*words[1:], getattr(model, words[1]), weights)
        else:
            lines.append(line)
    sizes = {"FEATURES": N_FEATURES, "STATE": 24 * units, "CHORDS": N_CHORDS}
    text = "\n".join(lines)
    for name, size in sizes.items():
        text = text.replace(name, str(size))
    graph = parser.parse_model(text)
    graph.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in weights.items()
    )
    onnx.checker.check_model(graph, full_check=True)
    return graph.SerializeToString(deterministic=True)


def _lay_around(
    name: str, told: str, answer: str, layer: Around, weights: dict[str, NDArray[Any]]
) -> list[str]:
    """Write an `Around` layer, and put its weights among the others."""
    inputs = layer.weight.shape[1]
    weights[f"{name}_weight"] = layer.weight.detach().numpy().reshape(12 * inputs, -1)
    weights[f"{name}_bias"] = layer.bias.detach().numpy()
    weights[f"{name}_circle_shape"] = np.array([0, 12, inputs])
    weights[f"{name}_turned_shape"] = np.array([0, 12, 12 * inputs])
    pitched = f"{name}_pitched" if len(layer.plain) else told
    lines = [
        f"{name}_circle = Reshape({pitched}, {name}_circle_shape)",
        f"{name}_turns = Gather <axis = 1> ({name}_circle, turns)",
        f"{name}_turned = Reshape({name}_turns, {name}_turned_shape)",
        f"{name}_product = MatMul({name}_turned, {name}_weight)",
        f"{name}_sum = Add({name}_product, {name}_bias)",
        f"{answer} = Flatten <axis = 1> ({name}_sum)",
    ]
    if len(layer.plain):
        weights[f"{name}_plain"] = layer.plain.detach().numpy()
        weights[f"{name}_sizes"] = np.array([12 * inputs, len(layer.plain)])
        lines = [
            f"{name}_pitched, {name}_rest = Split <axis = 1> ({told}, {name}_sizes)",
            *lines[:-1],
            f"{name}_plains = MatMul({name}_rest, {name}_plain)",
            f"{name}_alike = Unsqueeze({name}_plains, pitches)",
            f"{name}_both = Add({name}_sum, {name}_alike)",
            f"{answer} = Flatten <axis = 1> ({name}_both)",
        ]
    return lines
