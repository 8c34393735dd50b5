import json
from pathlib import Path

import pytest

from jackcomp.config import Settings
from jackcomp.errors import ConfigError
from jackcomp.state import state_file, write_state
from jackcomp.theory.key import parse_key
from jackcomp.timeline.meter import parse_meter


def test_settings_are_written_as_a_player_would(tmp_path):
    meter = parse_meter("3/4")
    settings = Settings(
        sf2=Path("a.sf2"),
        meter=meter,
        key=parse_key("Bbm"),
        connect=("a", "b"),
        click_keys=((meter, (64, 52, 62)),),
    )
    path = tmp_path / "new" / "jackcomp.json"
    write_state(path, settings, {"cycles": 7})
    state = json.loads(path.read_text())
    found = state["settings"]
    assert found["sf2"] == "a.sf2"
    assert found["meter"] == "3/4"
    assert found["key"] == "Bbm"
    assert found["bpm"] is None
    assert found["connect"] == ["a", "b"]
    assert found["click_keys"] == [["3/4", [64, 52, 62]]]
    assert found["gain"] == 1.0
    assert state["cycles"] == 7


def test_the_file_has_the_client_s_name_in_the_user_s_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_file("trio") == tmp_path / "jackcomp" / "trio.json"


def test_where_it_cannot_be_written_it_says_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory: set XDG_STATE_HOME"):
        write_state(tmp_path / "file" / "a" / "b.json", Settings(), {})
