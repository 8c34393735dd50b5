import json

import optuna
import pytest

from export.search import EPOCHS, SEED, SONGS, TRIALS, search, suggest
from export.to_onnx import MODEL
from export.train import SEARCH_SUMMARY

DRAWN = 14  # more than the ten that the estimator draws by chance


class KilledError(Exception):
    """Stands for a kill, in the middle of a trial."""


def begin(folder, name):
    storage = f"sqlite:///{folder / name}.db"
    return optuna.create_study(study_name=name, storage=storage, load_if_exists=True)


def judge(trial):
    settings = suggest(trial)
    return settings.model.units * settings.learning_rate + settings.model.dropout


def drawn(trials):
    return [(trial.params, trial.value) for trial in trials]


def test_an_interrupted_search_finds_the_same(tmp_path):
    whole = drawn(search(begin(tmp_path, "whole"), DRAWN, judge))
    assert len({str(found) for found in whole}) == len(whole) == DRAWN
    for kept in (0, 3, 11):
        calls = []

        def judge_until_killed(trial, calls=calls, kept=kept):
            calls.append(trial)
            if len(calls) > kept:
                raise KilledError
            return judge(trial)

        name = f"killed-after-{kept}"
        with pytest.raises(KilledError):
            search(begin(tmp_path, name), DRAWN, judge_until_killed)
        assert drawn(search(begin(tmp_path, name), DRAWN, judge)) == whole


def test_a_search_that_is_over_adds_nothing(tmp_path):
    first = search(begin(tmp_path, "whole"), 2, judge)
    assert drawn(search(begin(tmp_path, "whole"), 2, judge)) == drawn(first)


def test_the_published_search_is_the_documented_one():
    summary = json.loads(SEARCH_SUMMARY.read_text(encoding="utf-8"))
    settings = [summary[name] for name in ("epochs", "songs", "seed")]
    assert settings == [EPOCHS, SONGS, SEED]
    assert [trial["number"] for trial in summary["trials"]] == list(range(TRIALS))
    best = min(summary["trials"], key=lambda trial: trial["perplexity"])
    assert summary["best"] == best["number"]
    card = json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["search"] == summary
