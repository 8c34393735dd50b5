import json
from pathlib import Path

import numpy as np
import pytest

from jackcomp.brain.memory import SENTINEL, TRAITS, SongMemory
from jackcomp.brain.model import Brain
from jackcomp.brain.tables import (
    load_song_tables,
    pack_memory,
    unpack_memory,
)
from jackcomp.errors import ModelError
from jackcomp.tables import checksum

MODELS = Path(__file__).parents[2] / "models"
MODEL = json.loads((MODELS / "brain.json").read_text(encoding="utf-8"))["sha256"]


@pytest.fixture
def content():
    return json.loads((MODELS / "memory.json").read_text(encoding="utf-8"))


@pytest.fixture
def refusal(tmp_path):
    """Write a file, and give what is said when it is refused."""

    def refuse(text: str) -> str:
        path = tmp_path / "memory.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ModelError) as caught:
            load_song_tables(MODEL, path)
        assert str(path) in str(caught.value)
        assert "python -m export.fit_memory" in str(caught.value)
        return str(caught.value)

    return refuse


def test_the_shipped_tables_belong_to_the_shipped_model():
    tables = load_song_tables(Brain.load().checksum)
    assert len(tables.known.traits) == len(TRAITS)
    assert not np.array_equal(tables.known.traits[0], tables.guessed.traits[0])


def test_memories_come_back_from_the_file_as_they_were():
    generator = np.random.default_rng(0)
    memory = SongMemory(
        tuple(generator.integers(-999, 999, n) / 1000 for n in TRAITS.values()),
        tuple(generator.integers(-999, 999, n) / 1000 for n in SENTINEL.values()),
    )
    again = unpack_memory(pack_memory(memory))
    for one, other in zip(memory.traits, again.traits, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(memory.sentinel, again.sentinel, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tables_that_are_not_those_of_their_card_are_refused(content, refusal):
    content["tables"]["known"]["run"][0] += 1
    assert "checksum differs" in refusal(json.dumps(content))


def test_tables_of_another_model_are_refused(content, refusal):
    content["card"]["model"] = "0" * 64
    assert "fitted for another model" in refusal(json.dumps(content))


def test_tables_of_another_version_are_refused(content, refusal):
    content["tables"]["known"]["run"].append(0)
    content["card"]["checksum"] = checksum(content["tables"])
    assert "run has shape" in refusal(json.dumps(content))


@pytest.mark.parametrize("text", ["", "[]", '{"card": {}}'])
def test_what_is_no_file_of_tables_is_refused(refusal, text):
    assert "the memory's tables" in refusal(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read .*nowhere\.json"):
        load_song_tables(MODEL, tmp_path / "nowhere.json")
