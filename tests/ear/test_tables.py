import json
import shutil

import numpy as np
import pytest

from jackcomp.ear.tables import load_ear_tables
from jackcomp.errors import ModelError


@pytest.fixture
def installed(tmp_path, pytestconfig):
    path = tmp_path / "ear.json"
    shutil.copy(pytestconfig.rootpath / "models" / "ear.json", path)
    return path


def one_line(caught):
    return "\n" not in str(caught.value)


def test_the_installed_tables_match_their_card(installed):
    tables = load_ear_tables(installed)
    assert tables.key.profiles.max() < 0
    for share in (tables.key.profiles, tables.harmony.notes, tables.harmony.chords):
        np.testing.assert_allclose(np.exp(share).sum(axis=-1), 1, atol=0.01)
    assert tables.key.shares.sum() == pytest.approx(1, abs=1e-3)


def test_a_changed_number_is_noticed(installed):
    content = json.loads(installed.read_text())
    content["tables"]["harmony"]["key_exponent"] += 0.1
    installed.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="do not match their card: checksum") as caught:
        load_ear_tables(installed)
    assert one_line(caught)


@pytest.mark.parametrize("missing", ["card", "tables"])
def test_a_missing_part_is_noticed(installed, missing):
    content = json.loads(installed.read_text())
    del content[missing]
    installed.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=f"no field '{missing}'") as caught:
        load_ear_tables(installed)
    assert one_line(caught)


@pytest.mark.parametrize("text", ["", "{", "\x00\x01"])
def test_a_broken_file_is_one_line(installed, text):
    installed.write_text(text)
    with pytest.raises(ModelError, match="are not JSON") as caught:
        load_ear_tables(installed)
    assert one_line(caught)


@pytest.mark.parametrize("text", ["[]", "3", '{"card": 1, "tables": 2}'])
def test_another_json_file_is_one_line(installed, text):
    installed.write_text(text)
    with pytest.raises(ModelError, match="do not match") as caught:
        load_ear_tables(installed)
    assert one_line(caught)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(ModelError, match=r"export\.count_ear") as caught:
        load_ear_tables(tmp_path / "ear.json")
    assert one_line(caught)
