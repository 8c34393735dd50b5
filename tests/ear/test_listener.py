import json

import numpy as np
import pytest

from jackcomp.ear.listener import NO_OPINION, Listener, load_listener
from jackcomp.ear.window import HeardNote
from jackcomp.errors import ModelError
from jackcomp.theory.key import KEYS
from jackcomp.theory.vocabulary import N_CHORDS, transpose_index
from jackcomp.timeline.meter import parse_meter

METER = parse_meter("4/4")
NETWORK = load_listener()
STEP = 3840
TUNE = (60, 62, 64, 60, 64, 65, 67, 67, 67, 69, 67, 65, 64, 60, 60, 55, 60, 60)


def tune(semitones=0, length=960):
    return [
        HeardNote(i * length, (i + 1) * length - 10, note + semitones, 80)
        for i, note in enumerate(TUNE)
    ]


def test_before_the_first_note_it_has_no_opinion():
    assert Listener(NETWORK, METER).hear([], 0, 0) is NO_OPINION
    assert Listener(NETWORK, METER).hear(tune(), 0, 0) is NO_OPINION


def test_it_answers_with_distributions():
    opinion = Listener(NETWORK, METER).hear(tune(), 2, 3 * STEP)
    for found, size in ((opinion.chords, N_CHORDS), (opinion.keys, len(KEYS))):
        assert found.shape == (size,)
        assert found.sum() == pytest.approx(1, abs=1e-5)
        assert (found >= 0).all()
    assert opinion.sketch.shape == (12, 12)


@pytest.mark.parametrize("semitones", [1, 4, 7, 11])
def test_transposing_the_melody_transposes_chords_and_keys(semitones):
    one, other = (
        Listener(NETWORK, METER).hear(notes, 4, 5 * STEP)
        for notes in (tune(), tune(semitones))
    )
    moved = [transpose_index(chord, -semitones) for chord in range(N_CHORDS)]
    np.testing.assert_allclose(other.chords, one.chords[moved], atol=1e-4)
    by_mode = one.keys.reshape(2, 12)
    np.testing.assert_allclose(
        other.keys.reshape(2, 12), np.roll(by_mode, semitones, axis=1), atol=1e-4
    )


def test_what_was_asked_before_changes_nothing():
    asked, fresh = Listener(NETWORK, METER), Listener(NETWORK, METER)
    for step in range(5):
        for now in range(step * STEP, (step + 1) * STEP, 960):
            asked.hear(tune(), step, now)
    one, other = (each.hear(tune(), 4, 5 * STEP - 100) for each in (asked, fresh))
    np.testing.assert_array_equal(one.chords, other.chords)
    np.testing.assert_array_equal(one.keys, other.keys)


def test_reset_is_a_new_listener():
    used = Listener(NETWORK, METER)
    used.hear(tune(6), 4, 5 * STEP)
    used.reset()
    one, other = (
        each.hear(tune(), 1, STEP) for each in (used, Listener(NETWORK, METER))
    )
    np.testing.assert_array_equal(one.chords, other.chords)


def test_a_tune_in_c_is_heard_in_c():
    opinion = Listener(NETWORK, METER).hear(tune(), 4, 5 * STEP)
    assert KEYS[int(opinion.keys.argmax())].tonic == 0
    assert int(opinion.chords.argmax()) == 0


def test_a_network_that_is_not_its_cards_is_refused(tmp_path):
    path = tmp_path / "listener.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot read model file"):
        load_listener(tmp_path / "nowhere.onnx")
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="is not JSON"):
        load_listener(path)
    path.with_suffix(".json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match="is not a JSON object"):
        load_listener(path)
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="checksum differs"):
        load_listener(path)


def test_a_network_for_another_vocabulary_is_refused(tmp_path):
    import hashlib

    path = tmp_path / "listener.onnx"
    path.write_bytes(b"model")
    card = {"sha256": hashlib.sha256(b"model").hexdigest(), "vocabulary": ["C:maj"]}
    path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(
        ModelError, match="its 'vocabulary' is not that of this version"
    ):
        load_listener(path)
