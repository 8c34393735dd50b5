"""Search for better settings of the chord model: ``python -m export.search``.

A small study by Optuna's tree-structured Parzen estimator: each trial trains for a few
epochs on a part of the songs and is judged by its perplexity on the valid split. The
study is kept in ``export/runs/search.db``, so that an interrupted one goes on, and its
summary is written to ``export/search.json``, from where `export.to_onnx` copies it to
the model's card. Each trial is seeded by its number, so that the same machine finds the
same, interrupted or not. What it finds is a hint for the full run and no more: short
runs on few songs prefer less dropout than long ones.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import optuna

from export.measuring import positive
from export.model import ModelSettings
from export.train import RUNS, SEARCH_SUMMARY, Settings, Trainer, read_split
from export.workers import Workers

TRIALS = 24
EPOCHS = 3
SONGS = 300
SEED = 20240229


def suggest(trial: optuna.Trial) -> Settings:
    """Draw the settings of a trial."""
    model = ModelSettings(
        units=trial.suggest_categorical("units", [128, 256, 384]),
        embedding=trial.suggest_categorical("embedding", [64, 128]),
        dropout=trial.suggest_float("dropout", 0.2, 0.6, step=0.1),
        weight_dropout=trial.suggest_float("weight_dropout", 0.0, 0.5, step=0.1),
    )
    return Settings(
        model=model,
        epochs=EPOCHS,
        batch_steps=2048,
        learning_rate=trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        warm_up_batches=20,
        averaging=0.9,
        song_limit=SONGS,
    )


def search(
    study: optuna.Study, trials: int, judge: Callable[[optuna.Trial], float]
) -> list[optuna.trial.FrozenTrial]:
    """Go on until there are so many finished trials; gives them in their order.

    A trial that was interrupted is drawn again.
    """
    whole = [optuna.trial.TrialState.COMPLETE]
    for number in range(len(study.get_trials(states=whole)), trials):
        study.sampler = optuna.samplers.TPESampler(seed=SEED + number)
        study.optimize(judge, n_trials=1)
    return study.get_trials(states=whole)


def main() -> None:
    """Read the command line, search, write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--trials", type=positive, default=TRIALS, help="default %(default)s"
    )
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    storage = f"sqlite:///{RUNS / 'search.db'}"
    study = optuna.create_study(
        study_name="shared-rows", storage=storage, load_if_exists=True
    )
    settings = Settings(song_limit=SONGS)
    songs, exam = read_split("train", settings), read_split("valid", settings)

    def judge(trial: optuna.Trial) -> float:
        with Workers.join() as workers, TemporaryDirectory() as folder:
            return Trainer(suggest(trial), Path(folder), workers).run(songs, exam)

    trials = search(study, options.trials, judge)
    perplexities = [trial.value for trial in trials]
    best = perplexities.index(min(perplexities))
    summary = {
        "command": "python -m export.search",
        "judged_by": "perplexity on the valid split",
        "epochs": EPOCHS,
        "songs": SONGS,
        "seed": SEED,
        "trials": [
            {"number": number, "perplexity": trial.value, **trial.params}
            for number, trial in enumerate(trials)
        ],
        "best": best,
    }
    SEARCH_SUMMARY.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(f"best of {len(trials)}: {perplexities[best]:.3f}, {trials[best].params}")


if __name__ == "__main__":
    main()
