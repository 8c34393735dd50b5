import json

import pytest

from jackcomp.errors import ConfigError
from jackcomp.explaining import read_page

RECORD = {
    "tick": 4800,
    "position": "1:3.5",
    "moment": "inside",
    "before": "C:maj",
    "after": "F:maj",
    "ear": [["F:maj", 0.6], ["D:min", 0.2]],
    "tables": [["F:maj", 0.5]],
    "brain": [["G:7", 0.4]],
    "memory": [["F:maj", 0.9]],
    "memory_trust": 0.71,
    "memory_step": 3,
    "pool": [["F:maj", 0.8]],
    "worth": [["F:maj", 0.86], ["D:min", 0.31]],
    "key": "F",
    "key_probability": 0.77,
    "keys": [["F", 0.77], ["Dm", 0.1]],
    "confidence": 0.81,
    "heard_quarters": 0.5,
    "notes": [65, 70],
    "slack_ms": 45.0,
}
STAYS = RECORD | {"before": "F:maj", "memory": [], "memory_step": None}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "decisions.jsonl"
    lines = [json.dumps(record) + "\n" for record in (RECORD, STAYS)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_a_change_is_told_with_all_who_spoke(file):
    page = read_page(file)
    for text in (
        "1:3.5  C:maj -> F:maj  sure 0.81, inside, key F (F 0.77  Dm 0.10)",
        "worth  F:maj 0.86  D:min 0.31",
        "F:maj 0.60  D:min 0.20",
        "F:maj 0.90  (trust 0.71, as in step 3)",
        "F4 Bb4; 0.50 quarters, 45 ms before its deadline",
        "1 of 2 decisions",
    ):
        assert text in page
    assert "stays" not in page


def test_decisions_to_stay_are_told_if_wanted(file):
    page = read_page(file, all_of_them=True)
    assert "stays F:maj" in page
    assert page.count("memory") == 1
    assert "2 of 2 decisions" in page


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"before": 1, "after": 2}'])
def test_a_line_that_is_no_decision_is_named(file, line):
    with file.open("a", encoding="utf-8") as lines:
        lines.write(line + "\n")
    with pytest.raises(ConfigError, match="line 3 is no decision"):
        read_page(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        read_page(tmp_path / "nowhere.jsonl")
