import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from export.evaluate_brain import METRICS, main, measure_rows, play_brain
from export.sequences import ChordSequence, to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.brain.features import START, encode_steps
from jackcomp.brain.model import Brain
from jackcomp.theory.vocabulary import N_CHORDS
from jackcomp.timeline.meter import parse_meter


def test_measures_by_hand():
    positions = encode_steps(parse_meter("4/4"), 0, 4)
    song = ChordSequence("jazz", np.array([0, 0, 5, 5]), positions)
    rows = np.full((4, N_CHORDS), 1e-6)
    rows[1, [0, 5]] = 0.5, 0.25  # holds, first
    rows[2, [0, 1, 5]] = 0.5, 0.3, 0.125  # changes, third
    rows[3, [5, 0]] = 1.0, 0.0  # holds, first
    report = measure_rows([song], [rows])
    assert report["jazz"] == report["overall"]
    assert report["overall"] == {
        "perplexity": pytest.approx(16 ** (1 / 3)),
        "top1": pytest.approx(2 / 3),
        "top3": 1.0,
        "top1_change": 0.0,
        "steps": 3,
    }


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


@pytest.mark.slow
def test_the_network_beats_hold_and_the_5_gram_on_validation_songs(report):
    perplexity = {
        name: row["overall"]["perplexity"] for name, row in report["rows"].items()
    }
    assert perplexity["lstm"] < 0.75 * perplexity["ngram"]
    assert perplexity["ngram"] < perplexity["hold"] < perplexity["unigram"]


@pytest.mark.slow
def test_the_report_says_what_was_measured_and_given(report):
    assert set(report["rows"]) == {"lstm", "ngram", "unigram", "hold"}
    assert {"overall", "pop909", "irb"} <= set(report["rows"]["lstm"])
    assert set(METRICS) < set(report["rows"]["hold"]["overall"])
    assert report["songs"] == 60
    assert report["settings"]["split"] == "valid"
    assert "true chords until the step before" in report["settings"]["given"]


def test_a_mistake_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evaluate_brain", "nowhere.jsonl"])
    assert main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_measuring_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; "
        "import export.evaluate_brain, export.baselines"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
