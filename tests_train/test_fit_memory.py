import sys

import pytest

from export import fit_memory


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--model", "cannot read model file nowhere/x.json"),
        ("--out", "cannot write nowhere/x.json: No such file"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, option, why):
    out = tmp_path / "memory.json"
    arguments = ["fit_memory", "--out", str(out), option, "nowhere/x.json"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert fit_memory.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line
    assert not out.exists()
