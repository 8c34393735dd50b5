"""Compare how the chord model's weights may be kept: ``python -m export.precision``.

Prints, for the installed model and for the same one with its matrices in eight bits
(onnxruntime's dynamic quantisation), bytes, perplexity on the valid split, and
processor time of a step of eight hypotheses.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from export.chord_scores import join, score, sum_up
from export.evaluate_brain import HISTORIES
from export.play import play_brain
from export.sequences import to_sequences
from export.songs import CORPUS_FILES, read_songs
from export.to_onnx import MODEL
from jackcomp.brain.features import encode_steps
from jackcomp.brain.model import Brain
from jackcomp.network import Network
from jackcomp.timeline.meter import parse_meter

STEPS = 400


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--model", type=Path, default=MODEL, help="an ONNX file; the installed one"
    )
    options = parser.parse_args()
    sequences = to_sequences(read_songs(CORPUS_FILES, "valid"))
    whole = options.model.read_bytes()
    for name, content in (("as it is", whole), ("eight bits", quantise(whole))):
        brain = Brain(Network(content))
        found = sum_up(join(list(map(score, sequences, play_brain(brain, sequences)))))
        step = time_step(brain)
        print(
            f"{name:<11} {len(content):>8} bytes, perplexity {found['perplexity']:.3f},"
            f" on new ground {found['perplexity_new']:.2f}, step {step:.2f} ms"
        )


def quantise(content: bytes) -> bytes:
    """Keep the matrices of products in eight bits, each with a scale of its own."""
    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(_unpack(onnx.load_from_string(content)), before)
        quantize_dynamic(before, after, weight_type=QuantType.QInt8, per_channel=True)
        return after.read_bytes()


def _unpack(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn weights that are kept in half precision back into single precision."""
    graph = model.graph
    halves = {each.name: each for each in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Cast"]:
        half = halves[node.input[0]]
        array = numpy_helper.to_array(half).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        graph.initializer.remove(half)
        graph.node.remove(node)
    return model


def time_step(brain: Brain) -> float:
    """Give the median of a step of eight hypotheses, in ms of the thread."""
    state = brain.initial_state(HISTORIES)
    (position,) = encode_steps(parse_meter("4/4"), 0, 1)
    chords = np.random.default_rng(0).integers(0, 168, (STEPS, HISTORIES))
    times = []
    for row in chords:
        began = time.thread_time()
        _, state = brain.step(state, row, position)
        times.append(1000 * (time.thread_time() - began))
    return float(np.median(times))


if __name__ == "__main__":
    main()
