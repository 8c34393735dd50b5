import json
import time
from pathlib import Path

import numpy as np
import pytest

from jackcomp.brain.features import START, encode_steps
from jackcomp.brain.model import VOCABULARY, Brain, State
from jackcomp.errors import ModelError
from jackcomp.theory.vocabulary import N_CHORDS, transpose_index
from jackcomp.timeline.meter import parse_meter

MODEL = Path(__file__).parents[2] / "models" / "brain.onnx"
POSITIONS = encode_steps(parse_meter("4/4"), 0, 16)
# C | Am | Dm7 G7 | C in half-bars
SONG = [VOCABULARY.index(label) for label in ("C:maj", "A:min", "D:min7", "G:7")]


@pytest.fixture(scope="module")
def brain() -> Brain:
    return Brain.load()


def play(brain: Brain, songs: list[list[int]]) -> tuple[np.ndarray, State]:
    """Tell songs of one length to the model; gives the last rows."""
    state = brain.initial_state(len(songs))
    for step, chords in enumerate(
        zip(*[[START, *song] for song in songs], strict=True)
    ):
        rows, state = brain.step(state, chords, POSITIONS[step])
    return rows, state


def test_the_installed_model_is_the_one_in_models(brain):
    ours, _ = play(Brain.load(MODEL), [SONG])
    assert np.array_equal(play(brain, [SONG])[0], ours)


def test_the_card_states_shapes_data_and_vocabulary():
    card = json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["vocabulary"] == list(VOCABULARY)
    assert card["outputs"]["probabilities"] == ["batch", N_CHORDS]
    assert card["bytes"] == MODEL.stat().st_size < 5_000_000
    assert {entry["tier"] for entry in card["data"]} == {"open", "gpl"}
    assert all(entry["licence"] and entry["songs"]["train"] for entry in card["data"])
    assert card["metrics"]["parity"] <= 1e-4
    assert card["metrics"]["genre"] == "none told"


def test_rows_are_distributions(brain):
    rows, _ = play(brain, [SONG, SONG[::-1]])
    assert rows.shape == (2, N_CHORDS)
    assert rows.dtype == np.float32
    assert np.allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert (rows >= 0).all()


def test_side_by_side_gives_the_same_as_one_by_one(brain):
    songs = [SONG, SONG[::-1], [SONG[0]] * 4]
    together, _ = play(brain, songs)
    alone = np.concatenate([play(brain, [song])[0] for song in songs])
    assert np.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("semitones", [1, 6, 11])
def test_in_another_key_it_foresees_the_same(brain, semitones):
    rows, _ = play(brain, [SONG])
    moved, _ = play(brain, [[transpose_index(chord, semitones) for chord in SONG]])
    order = [transpose_index(chord, semitones) for chord in range(N_CHORDS)]
    assert np.allclose(moved[0, order], rows[0], atol=1e-6)


def test_before_the_first_chord_no_root_is_likelier(brain):
    rows, _ = brain.step(brain.initial_state(), [START], POSITIONS[0])
    by_root = rows[0, :-1].reshape(12, -1)
    assert (by_root == by_root[0]).all()


def test_after_a_cadence_it_expects_the_tonic(brain):
    rows, _ = play(brain, [[SONG[0], SONG[0], SONG[2], SONG[3]]])
    tonic = VOCABULARY.index("C:maj")
    assert tonic in np.argsort(-rows[0])[:3]


def test_a_state_can_be_forked_and_used_again(brain):
    _, state = play(brain, [SONG])
    first, _ = brain.step(state.take([0, 0]), [SONG[0], SONG[1]], POSITIONS[5])
    second, _ = brain.step(state, [SONG[1]], POSITIONS[5])
    assert not np.allclose(first[0], first[1])
    assert np.allclose(first[1], second[0], atol=1e-6)


def test_a_genre_changes_what_is_expected(brain):
    state = brain.initial_state()
    unknown, _ = brain.step(state, [SONG[0]], POSITIONS[0])
    jazz, _ = brain.step(state, [SONG[0]], POSITIONS[0], [0, 1, 0, 0])
    assert not np.allclose(unknown, jazz, atol=1e-3)


def test_a_step_of_eight_histories_takes_less_than_a_millisecond(brain):
    state = brain.initial_state(8)
    fastest = 1.0
    # Others may use the processor and its caches: one undisturbed step is enough.
    for _ in range(3000):
        began = time.thread_time()
        brain.step(state, [SONG[0]] * 8, POSITIONS[0])
        fastest = min(fastest, time.thread_time() - began)
        if fastest < 1e-3:
            break
    assert fastest < 1e-3


@pytest.fixture
def copied(tmp_path) -> Path:
    """Copy the model and its card to where they can be spoilt."""
    model = tmp_path / "brain.onnx"
    model.write_bytes(MODEL.read_bytes())
    model.with_suffix(".json").write_bytes(MODEL.with_suffix(".json").read_bytes())
    return model


def refusal(model: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Brain.load(model)
    message = str(caught.value)
    assert "\n" not in message
    assert model.stem in message
    return message


def test_a_missing_model_is_refused_with_a_remedy(copied):
    copied.unlink()
    assert "cannot read model file" in refusal(copied)
    assert "export.to_onnx" in refusal(copied)


def test_a_missing_card_is_refused(copied):
    copied.with_suffix(".json").unlink()
    assert "brain.json: No such file" in refusal(copied)


def test_a_card_that_is_not_json_is_refused(copied):
    copied.with_suffix(".json").write_text("{")
    assert "not JSON" in refusal(copied)


def test_other_weights_than_the_cards_are_refused(copied):
    content = bytearray(copied.read_bytes())
    content[len(content) // 2] ^= 1
    copied.write_bytes(content)
    assert "the checksum differs" in refusal(copied)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("vocabulary", ["C:maj"], "its 'vocabulary' is not that"),
        ("inputs", {"position": ["batch", 3]}, "its 'inputs' is not that"),
        ("outputs", {"probabilities": ["batch", 3]}, "its 'outputs' is not that"),
        ("outputs", {"next_state": ["batch", 3]}, "its 'outputs' are not those of"),
        ("inputs", {"state": ["batch", 3]}, "its 'inputs' are not those of the file"),
        ("bytes", 1, "bytes, not 1"),
        ("name", "ear", "its 'name' is not that"),
    ],
)
def test_a_model_for_another_version_is_refused(copied, field, value, reason):
    card = json.loads(copied.with_suffix(".json").read_text(encoding="utf-8"))
    card[field] = {**card[field], **value} if isinstance(value, dict) else value
    copied.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    assert reason in refusal(copied)
