import json

import pytest

from export import evaluate, evaluate_brain, evaluate_pulse
from export.measuring import report_on


class Bench:
    """Counts what is measured."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return {"figure": self.count}


@pytest.fixture
def bench():
    return Bench()


@pytest.mark.parametrize("name", ["no/such/folder/x.json", "taken/x.json", "folder"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    tmp_path, capsys, bench, name
):
    (tmp_path / "taken").write_text("")
    (tmp_path / "folder").mkdir()
    assert report_on(bench, print, tmp_path / name) == 1
    assert bench.count == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot write {tmp_path / name}: ")


@pytest.mark.parametrize("name", ["taken", "taken/plots"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(
    tmp_path, capsys, bench, name
):
    (tmp_path / "taken").write_text("")
    assert report_on(bench, print, None, tmp_path / name) == 1
    assert bench.count == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot write into {tmp_path / name}: ")


def test_the_report_is_printed_and_written(tmp_path, capsys, bench):
    plots = tmp_path / "new" / "plots"
    target = plots / "report.json"
    assert report_on(bench, print, target, plots) == 0
    assert json.loads(target.read_text(encoding="utf-8")) == {"figure": 1}
    assert "figure" in capsys.readouterr().out


def test_a_mistake_leaves_an_earlier_report_as_it_is(tmp_path, capsys, bench):
    target = tmp_path / "report.json"
    target.write_text("earlier")
    (tmp_path / "taken").write_text("")
    assert report_on(bench, print, target, tmp_path / "taken") == 1
    assert target.read_text() == "earlier"


@pytest.mark.parametrize("command", [evaluate, evaluate_pulse, evaluate_brain])
def test_every_measure_tries_its_folder_of_pictures(
    tmp_path, monkeypatch, capsys, command
):
    taken = tmp_path / "taken"
    taken.write_text("")
    # Were the folder tried later, the missing corpus would be told first.
    arguments = ["measure", "nowhere.jsonl", "--plots", str(taken)]
    monkeypatch.setattr("sys.argv", arguments)
    assert command.main() == 1
    assert f"cannot write into {taken}" in capsys.readouterr().err
