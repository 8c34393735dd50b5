import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from export.chord_scores import METRICS
from export.evaluate_brain import (
    DETAILS,
    ROWS,
    TOLD_GENRE,
    WITH_MODEL,
    Conditions,
    evaluate,
    main,
)
from export.play import play_brain
from export.sequences import to_sequences
from export.songs import CORPUS_FILES, read_lines, read_songs
from jackcomp.brain.features import START
from jackcomp.brain.model import Brain
from jackcomp.theory.genre import AUTO_GENRE


def test_songs_played_in_lockstep_are_the_songs_played_alone():
    brain = Brain.load()
    songs = to_sequences(read_songs(CORPUS_FILES[2:3], "valid", limit=3))
    for song, rows in zip(songs, play_brain(brain, songs), strict=True):
        state, before = brain.initial_state(), START
        for step in range(len(song.chords)):
            row, state = brain.step(state, [before], song.positions[step])
            before = int(song.chords[step])
            assert np.allclose(row[0], rows[step], atol=1e-6)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict[str, Any]:
    target = tmp_path_factory.mktemp("report") / "report.json"
    arguments = ["--split", "valid", "--limit", "60", "--json", str(target)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["evaluate_brain", *arguments])
        assert main() == 0
    return json.loads(target.read_text(encoding="utf-8"))


def values(report: dict[str, Any], metric: str) -> dict[str, float]:
    return {name: row["overall"][metric] for name, row in report["rows"].items()}


@pytest.mark.slow
def test_each_knows_more_than_the_next_on_validation_songs(report):
    perplexity = values(report, "perplexity")
    order = "system counts_memory lstm ngram hold unigram"
    ordered = [perplexity[name] for name in order.split()]
    assert ordered == sorted(ordered)
    assert perplexity["system"] < perplexity["ngram_memory"] < perplexity["lstm"]
    assert perplexity["ppm_memory"] < perplexity["ppm"]
    assert perplexity["lstm"] < 0.75 * perplexity["ngram"]


@pytest.mark.slow
def test_the_report_says_what_was_measured_and_given(report):
    assert set(report["rows"]) == set(ROWS)
    assert {"overall", "pop909", "irb"} <= set(report["rows"]["lstm"])
    for row in report["rows"].values():
        assert set(METRICS) < set(row["overall"])
    assert report["songs"] == 60
    assert report["settings"]["split"] == "valid"
    assert 0 < report["decision_ms"]["p50"] <= report["decision_ms"]["max"]
    for part in DETAILS:
        assert all(len(row) > 1 for row in report[part].values())


@pytest.mark.slow
def test_in_two_processes_it_measures_the_same(report):
    again = evaluate(CORPUS_FILES, "valid", limit=60, jobs=2, rows=WITH_MODEL)
    assert again["rows"] == {name: report["rows"][name] for name in WITH_MODEL}


@pytest.mark.slow
def test_with_wrong_chords_in_its_history_the_memory_still_helps():
    noisy = Conditions(noise=0.2)
    report = evaluate(
        CORPUS_FILES, "valid", limit=60, conditions=noisy, rows=WITH_MODEL
    )
    perplexity = values(report, "perplexity")
    assert perplexity["system"] < perplexity["lstm"]
    assert report["settings"]["wrong_chords_in_history"] == 0.2


def test_each_song_may_be_told_its_own_genre(tmp_path):
    lines = {}
    for path in CORPUS_FILES[1:3]:
        for line in read_lines(path):
            song = json.loads(line)
            if song["split"] == "valid":
                lines.setdefault(song["source"], line)
    genres = {"irb": "jazz", "nottingham": "folk", "billboard": "pop"}
    path = tmp_path / "songs.jsonl"
    path.write_bytes(b"\n".join(lines[source].strip() for source in genres))

    def measure(genre: str, source: str | None = None) -> dict[str, Any]:
        conditions = Conditions(genre=genre)
        report = evaluate(
            [path], "valid", source, conditions=conditions, rows=WITH_MODEL
        )
        return report["rows"]["lstm"]

    together, untold = measure(TOLD_GENRE), measure(AUTO_GENRE)
    for source, genre in genres.items():
        alone = measure(genre, source)["overall"]
        assert together[source] == pytest.approx(alone, rel=1e-5)
        assert untold[source] != pytest.approx(alone, rel=1e-5)


def test_a_mistake_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evaluate_brain", "nowhere.jsonl"])
    assert main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_songs_of_a_single_step_are_refused_in_one_line(tmp_path, monkeypatch, capsys):
    record = {
        **dict.fromkeys(("id", "source", "licence", "group"), "short"),
        **dict.fromkeys(("title", "key", "tempo_bpm")),
        "keys": [],
        "split": "test",
        "time_signature": "3/4",
        "chords": [[0, 3, "C:maj"]],
    }
    path = tmp_path / "songs.jsonl"
    path.write_text(json.dumps(record))
    monkeypatch.setattr(sys, "argv", ["evaluate_brain", str(path)])
    assert main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "no song has two steps of the harmonic grid or more"


def test_a_model_that_is_not_there_ends_all_processes():
    wanted = "--split valid --limit 2 --jobs 2 --rows lstm --model nowhere.onnx"
    command = [sys.executable, "-m", "export.evaluate_brain", *wanted.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("cannot read model file nowhere.onnx")
    assert done.stderr.count("\n") == 1


def test_measuring_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; "
        "import export.evaluate_brain, export.vocabulary_report"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
