"""Make the model that is played from the one that was trained.

``python -m export.to_onnx`` writes ``models/brain.onnx`` and its card
``models/brain.json`` from the best weights of two runs, whose mean it is, checks that
both give the same probabilities, and measures the model on the valid split. ``--runs``
makes it of one run, or of others.

The graph of a member is one step of the network, written by hand: three tables, a
product with what is told and one with the state, the LSTM's gates, two heads. Weights
are kept in half precision and computed with in single.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.averaging import average
from export.chord_scores import join, score, sum_up
from export.model import ChordModel, ChordRows, turn_table
from export.play import play_brain
from export.sequences import to_lesson, to_sequences
from export.songs import CORPUS_FILES, SPLITS, read_songs
from export.train import RUNS, SEARCH_SUMMARY, load_run, load_weights
from jackcomp.brain.features import (
    N_GENRES,
    POSITION_SIZE,
    START,
    ChordInput,
    count_from_first,
)
from jackcomp.brain.model import VOCABULARY, Brain
from jackcomp.errors import JackcompError
from jackcomp.network import Network
from jackcomp.theory.vocabulary import N_CHORDS, NO_CHORD_INDEX

OPSET = 17  # read by every onnxruntime since 1.12
IR_VERSION = 8
CHORD_SIZE = len(ChordInput._fields)
PARITY = 1e-4
HALF_PRECISION = 2e-3
"""What it may change of a probability: some ten times what it has been seen to."""
PARITY_SONGS = 20
LARGE = 4096
"""Arrays of so many numbers are kept in half precision."""
MEMBERS = ["brain", "brain-2"]
"""The runs whose mean ships; ``make train`` makes them, from two seeds."""

MODEL = Path(__file__).parents[1] / "models" / "brain.onnx"


class Graph:
    """A list of nodes and weights, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant array."""
        held = np.ascontiguousarray(array)
        if held.dtype == np.float32 and held.size >= LARGE:
            half = f"{name}_half"
            self.weights.append(numpy_helper.from_array(held.astype(np.float16), half))
            return self.add("Cast", [half], name, to=TensorProto.FLOAT)
        self.weights.append(numpy_helper.from_array(held, name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **traits: Any) -> str:
        """Add a node with one output."""
        return self.add_many(kind, inputs, [output], **traits)[0]

    def add_many(
        self, kind: str, inputs: list[str], outputs: list[str], **traits: Any
    ) -> list[str]:
        """Add a node with several outputs."""
        self.nodes.append(helper.make_node(kind, inputs, outputs, **traits))
        return outputs


def build_onnx(models: Sequence[ChordModel]) -> bytes:
    """Write one step of the mean of some models as ONNX.

    Inputs: ``chord`` (batch, 4) int64, a `ChordInput`; ``position`` (batch,
    POSITION_SIZE) and ``genre`` (batch, N_GENRES) float32; ``state`` (batch,
    `state_size` of all) float32. Outputs: ``probabilities`` (batch, 169) float32 by
    index from the first root; ``next_state``.
    """
    whole = average([_build_member(model) for model in models])
    return whole.SerializeToString(deterministic=True)


def state_size(model: ChordModel) -> int:
    """Return how many numbers a model remembers."""
    return 2 * model.settings.layers * model.settings.units


def _build_member(model: ChordModel) -> onnx.ModelProto:
    """Write one step of one model."""
    units, layers = model.settings.units, model.settings.layers
    graph = Graph()
    told = list(ChordInput._fields)
    graph.weight("one_each", np.ones(len(told), np.int64))
    graph.add_many("Split", ["chord", "one_each"], told, axis=1)
    for name in told:
        graph.add("Squeeze", [name, _axis(graph, name)], f"{name}_index")
    graph.weight("state_sizes", np.full(2 * layers, units, np.int64))
    memories = [f"{kind}{n}" for n in range(layers) for kind in ("hidden", "cell")]
    graph.add_many("Split", ["state", "state_sizes"], memories, axis=1)
    gates = _input_gates(graph, model)
    after: list[str] = []
    for layer in range(layers):
        if layer > 0:
            weight = graph.weight(f"W{layer}", _reordered(model, "weight_ih", layer).T)
            product = graph.add("MatMul", [after[-2], weight], f"from_below{layer}")
            bias = graph.weight(f"b{layer}", _bias(model, layer))
            gates = graph.add("Add", [product, bias], f"input_gates{layer}")
        after += _lstm_step(graph, model, layer, gates)
    _heads(graph, model, after[-2])
    graph.add("Concat", after, "next_state", axis=1)
    return _make_model(graph, state_size(model))


def _axis(graph: Graph, name: str) -> str:
    return graph.weight(f"{name}_axis", np.array([1], np.int64))


def _input_gates(graph: Graph, model: ChordModel) -> str:
    """Add what chord, position and genre give to the gates of the first layer."""
    tables = {"move": model.move(), "place": model.place(), "held": model.held.weight}
    for name, table in tables.items():
        weight = graph.weight(f"{name}_table", _array(table))
        graph.add("Gather", [weight, f"{name}_index"], f"{name}_vector")
    graph.add("Add", ["move_vector", "place_vector"], "move_and_place")
    graph.add("Add", ["move_and_place", "held_vector"], "chord_vector")
    graph.add("Concat", ["chord_vector", "position", "genre"], "told", axis=1)
    weight = graph.weight("W0", _reordered(model, "weight_ih", 0).T)
    product = graph.add("MatMul", ["told", weight], "told_gates")
    return graph.add("Add", [product, graph.weight("b0", _bias(model, 0))], "gates_in")


def _lstm_step(graph: Graph, model: ChordModel, layer: int, gates: str) -> list[str]:
    """Add one LSTM layer; gives the names of its new hidden and cell state."""
    units = model.settings.units

    def name(what: str) -> str:
        return f"{what}_{layer}"

    weight = graph.weight(name("R"), _reordered(model, "weight_hh", layer).T)
    product = graph.add("MatMul", [f"hidden{layer}", weight], name("from_hidden"))
    total = graph.add("Add", [gates, product], name("gates"))
    sizes = graph.weight(name("gate_sizes"), np.array([3 * units, units], np.int64))
    open_, new = graph.add_many(
        "Split", [total, sizes], [name("open"), name("new")], axis=1
    )
    graph.add("Sigmoid", [open_], name("opened"))
    thirds = graph.weight(name("thirds"), np.full(3, units, np.int64))
    into, keep, out = graph.add_many(
        "Split",
        [name("opened"), thirds],
        [name("input"), name("forget"), name("output")],
        axis=1,
    )
    added = graph.add("Mul", [into, graph.add("Tanh", [new], name("t"))], name("added"))
    kept = graph.add("Mul", [keep, f"cell{layer}"], name("kept"))
    cell = graph.add("Add", [kept, added], name("next_cell"))
    shown = graph.add("Tanh", [cell], name("shown"))
    return [graph.add("Mul", [out, shown], name("next_hidden")), cell]


def _heads(graph: Graph, model: ChordModel, hidden: str) -> None:
    """Add both heads, the first one turned to count from the first root."""
    last = graph.weight("last_weight", _array(model.from_last()).T)
    product = graph.add("MatMul", [hidden, last], "last_product")
    bias = graph.weight("last_bias", _array(model.bias))
    graph.add("Add", [product, bias], "last_logits")
    turns = graph.weight("turns", turn_table().numpy())
    order = graph.add("Gather", [turns, "offset_index"], "order")
    graph.add("GatherElements", ["last_logits", order], "turned", axis=1)
    # No chord has no root: its logit comes from the first head alone.
    first = np.zeros((model.settings.units, N_CHORDS), np.float32)
    first[:, :NO_CHORD_INDEX] = _array(model.from_first()).T
    graph.add("MatMul", [hidden, graph.weight("first_weight", first)], "first_logits")
    graph.add("Add", ["turned", "first_logits"], "logits")
    graph.add("Softmax", ["logits"], "probabilities", axis=1)


def _reordered(model: ChordModel, kind: str, layer: int) -> NDArray[np.float32]:
    """Give weights with the gates in order input, forget, output, new."""
    array = _array(getattr(model.lstm, f"{kind}_l{layer}"))
    into, keep, new, out = np.split(array, 4)
    return np.concatenate([into, keep, out, new])


def _bias(model: ChordModel, layer: int) -> NDArray[np.float32]:
    return _reordered(model, "bias_ih", layer) + _reordered(model, "bias_hh", layer)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().numpy()


def _make_model(graph: Graph, size: int) -> onnx.ModelProto:
    floats = TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        "jackcomp-brain",
        inputs=[
            helper.make_tensor_value_info(
                "chord", TensorProto.INT64, ["batch", CHORD_SIZE]
            ),
            helper.make_tensor_value_info("position", floats, ["batch", POSITION_SIZE]),
            helper.make_tensor_value_info("genre", floats, ["batch", N_GENRES]),
            helper.make_tensor_value_info("state", floats, ["batch", size]),
        ],
        outputs=[
            helper.make_tensor_value_info("probabilities", floats, ["batch", N_CHORDS]),
            helper.make_tensor_value_info("next_state", floats, ["batch", size]),
        ],
        initializer=graph.weights,
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)


def measure_parity(models: Sequence[ChordModel], brain: Brain) -> float:
    """Give the largest difference of a probability between torch and ONNX.

    Whole songs of the valid split, step by step against all steps at once. Only
    steps with a root: before it both say the same of a quality (tests/brain).
    """
    songs = to_sequences(read_songs(CORPUS_FILES, "valid", limit=PARITY_SONGS))
    worst = 0.0
    for song in songs:
        lesson = to_lesson(song)
        with torch.no_grad():
            told = [
                torch.from_numpy(array)[None]
                for array in (lesson.inputs, lesson.positions, lesson.genre)
            ]
            answers = [model(*told)[0].softmax(-1).numpy() for model in models]
        expected = np.mean(answers, axis=0)
        state = brain.initial_state()
        before = START
        for step, chord in enumerate(song.chords.tolist()):
            rows, state = brain.step(
                state, [before], song.positions[step], lesson.genre
            )
            before = chord
            if not lesson.rootless[step]:
                order = [
                    count_from_first(index, state.contexts[0])
                    for index in range(N_CHORDS)
                ]
                worst = max(worst, float(abs(rows[0] - expected[step, order]).max()))
    return worst


def compare(models: Sequence[ChordModel], brain: Brain) -> dict[str, float]:
    """Say how far a file's probabilities are from those of its models.

    Returns
    -------
    dict
        ``parity`` to the weights as they are kept, which the file must compute with;
        ``half_precision`` to those that were trained: what it costs to keep less.

    Raises
    ------
    JackcompError
        If one of them is too large.
    """
    found = {
        "parity": measure_parity(list(map(as_kept, models)), brain),
        "half_precision": measure_parity(models, brain),
    }
    for name, most in (("parity", PARITY), ("half_precision", HALF_PRECISION)):
        if found[name] > most:
            raise JackcompError(
                f"torch and ONNX differ by {found[name]:.2g} ({name}): "
                f"expected at most {most}"
            )
    return found


def as_kept(model: ChordModel) -> ChordModel:
    """Copy a model with its large arrays rounded, and nothing shared any more."""
    copy = deepcopy(model)
    for rows in copy.modules():
        if isinstance(rows, ChordRows):
            rows.fold()
    for weight in copy.parameters():
        if weight.numel() >= LARGE:
            weight.data = weight.data.half().float()
    return copy


def count_parameters(model: ChordModel) -> int:
    """Count the weights that are played with: what rows share is folded into them."""
    named = model.named_parameters()
    return sum(w.numel() for name, w in named if not name.endswith(".shared"))


def describe_data() -> list[dict[str, Any]]:
    """List tiers and sources with their licences and songs by split."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for path in CORPUS_FILES:
        tier = path.name.removesuffix(".jsonl.gz").rpartition("-")[2]
        for song in read_songs([path]):
            counts[tier, song.source, song.licence, song.split] += 1
    return [
        {
            "tier": tier,
            "source": source,
            "licence": licence,
            "songs": {split: counts[tier, source, licence, split] for split in SPLITS},
        }
        for tier, source, licence in dict.fromkeys(key[:3] for key in counts)
    ]


def load_member(name: str) -> tuple[ChordModel, dict[str, Any]]:
    """Load the best weights of a run, and say how it was made."""
    checkpoint, settings = load_run(RUNS / name / "best.pt")
    model = ChordModel(settings.model)
    load_weights(model, checkpoint["model"])
    made = {"settings": asdict(settings), "epoch": checkpoint["epoch"] + 1}
    return model.eval(), made


def export_runs(runs: Sequence[str], target: Path) -> dict[str, Any]:
    """Write model and card; gives the card.

    Raises
    ------
    JackcompError
        If a run cannot be read, or two are the same.
    """
    models, members = zip(*map(load_member, runs), strict=True)
    if len({json.dumps(made["settings"]) for made in members}) < len(runs):
        raise JackcompError(
            f"two of the runs {', '.join(runs)} have the same settings: expected "
            "other networks, train one with another --seed"
        )
    content = build_onnx(models)
    brain = Brain(Network(content))
    differences = compare(models, brain)
    sequences = to_sequences(read_songs(CORPUS_FILES, "valid"))
    scored = list(map(score, sequences, play_brain(brain, sequences)))
    card = {
        "name": "brain",
        "what": "foresees the chord of the next grid step from the chords before it",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "parameters": sum(map(count_parameters, models)),
        "data": describe_data(),
        "trained_on": "train",
        "chosen_on": "valid",
        "settings": [made["settings"] for made in members],
        "epochs": [made["epoch"] for made in members],
        "metrics": {
            "split": "valid",
            "genre": "none told",
            "lstm": {"overall": sum_up(join(scored))},
            **differences,
        },
        "search": json.loads(SEARCH_SUMMARY.read_text(encoding="utf-8")),
        "inputs": {
            "chord": ["batch", CHORD_SIZE],
            "position": ["batch", POSITION_SIZE],
            "genre": ["batch", N_GENRES],
            "state": ["batch", sum(map(state_size, models))],
        },
        "outputs": {
            "probabilities": ["batch", N_CHORDS],
            "next_state": ["batch", sum(map(state_size, models))],
        },
        "vocabulary": list(VOCABULARY),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    target.with_suffix(".json").write_text(text, encoding="utf-8")
    return card


def main() -> int:
    """Read the command line, export, say how good it is."""
    parser = argparse.ArgumentParser(description="Make models/brain.onnx.")
    parser.add_argument(
        "--runs", nargs="+", default=MEMBERS, help="default: " + " ".join(MEMBERS)
    )
    parser.add_argument("--output", type=Path, default=MODEL, help="the ONNX file")
    options = parser.parse_args()
    try:
        card = export_runs(options.runs, options.output)
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    overall = card["metrics"]["lstm"]["overall"]
    print(f"{options.output}: {card['parameters']} parameters, {card['bytes']} bytes")
    print(f"valid: perplexity {overall['perplexity']:.3f}, top-1 {overall['top1']:.3f}")
    print(
        f"largest difference to torch {card['metrics']['parity']:.1e}, "
        f"with weights in single precision {card['metrics']['half_precision']:.1e}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
