"""Several networks as one: their mean.

Networks that began differently err differently, so their mean may be better than each
of them. `export.precision` tells whether it is worth its time.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

STATE, NEXT_STATE = "state", "next_state"


def average(members: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Make one model of several that have the same inputs and outputs.

    Parameters
    ----------
    members : sequence of ModelProto
        Each hands on a `STATE`, shape (batch, size), as `NEXT_STATE`.

    Returns
    -------
    ModelProto
        Its outputs are the means of theirs; their states lie side by side.
    """
    first = members[0]
    shared = [each for each in first.graph.input if each.name != STATE]
    means = [each for each in first.graph.output if each.name != NEXT_STATE]
    names = {each.name for each in shared}
    nodes, weights = [], []
    for number, member in enumerate(members):
        prefix = f"member{number}_"
        for weight in member.graph.initializer:
            copied = onnx.TensorProto.FromString(weight.SerializeToString())
            copied.name = prefix + weight.name
            weights.append(copied)
        for node in member.graph.node:
            copy = onnx.NodeProto.FromString(node.SerializeToString())
            copy.input[:] = [n if n in names else prefix + n for n in node.input]
            copy.output[:] = [prefix + name for name in node.output]
            nodes.append(copy)
    sizes = [_size(member.graph.input, STATE) for member in members]
    split = numpy_helper.from_array(np.array(sizes), "state_sizes")
    states = _of_each(members, STATE)
    nodes.insert(0, helper.make_node("Split", [STATE, split.name], states, axis=1))
    nodes += [
        helper.make_node("Mean", _of_each(members, mean.name), [mean.name])
        for mean in means
    ]
    after = _of_each(members, NEXT_STATE)
    nodes.append(helper.make_node("Concat", after, [NEXT_STATE], axis=1))
    before, behind = (
        helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, ["batch", sum(sizes)]
        )
        for name in (STATE, NEXT_STATE)
    )
    graph = helper.make_graph(
        nodes, first.graph.name, [*shared, before], [*means, behind], [*weights, split]
    )
    whole = helper.make_model(
        graph,
        opset_imports=first.opset_import,
        ir_version=first.ir_version,
        producer_name="jackcomp",
    )
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _of_each(members: Sequence[onnx.ModelProto], name: str) -> list[str]:
    return [f"member{number}_{name}" for number in range(len(members))]


def _size(values: Sequence[onnx.ValueInfoProto], name: str) -> int:
    (shape,) = (each.type.tensor_type.shape for each in values if each.name == name)
    return int(shape.dim[-1].dim_value)
