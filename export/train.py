"""Train the chord model on the corpus: ``python -m export.train``.

Learns from the train split of the tiers ``open`` and ``gpl``, keeps the weights
that foresee the valid split best, and never opens the test split. ``--chordonomicon
FILE`` learns from that file first (`export.chordonomicon`), in laps of some thousand
songs, before it goes on with the corpus. Writes ``last.pt`` (to carry on after an
interruption), ``best.pt``, ``log.csv`` and ``curves.png`` into ``export/runs/NAME``;
``python -m export.to_onnx`` makes the model of two runs, or of those that it is told.

No song is transposed: the model hears intervals only, so a song teaches it the same
in every key (`jackcomp.brain.features`). But some songs begin later than they do, anew
in each epoch, so that more of them is new ground; and where the song has been before,
a step counts for less, because there its memory answers (`jackcomp.brain.memory`).

Several processes share the work under ``torchrun`` (`export.workers`). A run that
was killed goes on from the last epoch that it finished, and ends with the same
weights as one that was not: all that is random is seeded by the epoch.
"""

import argparse
import dataclasses
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from export.batches import Batch, pad, plan_batches
from export.chordonomicon import Laps, split_of
from export.curves import Epoch, draw_curves, write_log
from export.measuring import natural, positive
from export.model import ChordModel, ModelSettings, negative_log_likelihood
from export.sequences import (
    ChordSequence,
    Lesson,
    crop,
    to_lesson,
    to_sequences,
)
from export.songs import CORPUS_FILES, read_songs
from export.workers import Workers
from jackcomp.errors import ConfigError, JackcompError

RUNS = Path(__file__).parent / "runs"
UNREADABLE = (
    "is damaged or of another version: remove the folder of its run, and train anew"
)
SEARCH_SUMMARY = Path(__file__).parent / "search.json"


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result; copied to the card."""

    model: ModelSettings = field(default_factory=ModelSettings)
    # The rate falls along a cosine, in the last epoch to nothing.
    epochs: int = 40
    batch_steps: int = 2048
    learning_rate: float = 3e-3
    warm_up_batches: int = 100
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    # The weights that are kept are a running mean over some 1 / (1 - this) batches.
    averaging: float = 0.9975
    # How often a song's genre is told; otherwise the model must do without.
    genre_told: float = 0.5
    # So many songs begin at one of their later bars.
    cropped: float = 0.5
    # What a step counts after a chord that has led somewhere before in the song.
    known_ground: float = 0.5
    patience: int = 6
    song_limit: int | None = None
    # Laps through a Chordonomicon file before the corpus; 0 without one.
    laps: int = 0
    seed: int = 20240229


SMALL = Settings(
    model=ModelSettings(units=96, embedding=48, dropout=0.2, weight_dropout=0.0),
    epochs=6,
)


class Trainer:
    """A model, what it has learnt so far, and how it goes on.

    Parameters
    ----------
    settings : Settings
        Those of the run in ``folder``, if there is one.
    folder : Path
        Gets the log, the curves and the checkpoints, from the first process, which
        also tells the others where to go on: they need not share the folder.
    workers : Workers
        The processes that share the work.
    """

    def __init__(self, settings: Settings, folder: Path, workers: Workers) -> None:
        self.settings = settings
        self.folder = folder
        self.workers = workers
        torch.manual_seed(settings.seed)
        self.model = ChordModel(settings.model).to(workers.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.average = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging)
        )
        self.history: list[Epoch] = []
        before = workers.from_first(self._before)
        if before is not None:
            self._resume(before)

    def run(
        self,
        songs: Sequence[ChordSequence],
        exam: Sequence[ChordSequence],
        laps: Laps | None = None,
    ) -> float:
        """Train until the end, or until patience is lost; gives the best perplexity.

        Parameters
        ----------
        songs, exam : sequence of ChordSequence
            The train and the valid split.
        laps : Laps, optional
            What it learns from first, an epoch to a lap; see ``Settings.laps``.
        """
        settings = self.settings
        lessons = [to_lesson(song) for song in exam]
        for epoch in range(len(self.history), settings.laps + settings.epochs):
            best = self.best
            if best is not None and epoch - best.number > settings.patience:
                break
            began = time.monotonic()
            is_lap = laps is not None and epoch < settings.laps
            learned = self._learn(read_lap(laps, epoch) if is_lap else songs, epoch)
            valid = self.validate(lessons)
            seconds = time.monotonic() - began
            self.history.append(Epoch(epoch, learned, valid, seconds))
            if self.workers.is_first:
                self._keep()
        best = self.best
        return math.inf if best is None else best.perplexity

    @property
    def best(self) -> Epoch | None:
        """The epoch with the lowest perplexity so far, None before the first.

        Laps are not asked: after them all that they have learnt is learnt anew.
        """
        epochs = self.history[self.settings.laps :]
        return min(epochs, key=lambda epoch: epoch.perplexity, default=None)

    def _learn(self, songs: Sequence[ChordSequence], epoch: int) -> float:
        """Go once through all songs; give the perplexity on the way."""
        settings, workers = self.settings, self.workers
        # Seeded by epoch, so that a resumed run is the run that was interrupted.
        torch.manual_seed(workers.seed(settings.seed + epoch))
        generator = np.random.default_rng((settings.seed, epoch))
        lessons = [
            to_lesson(crop(song, generator) if is_late else song)
            for song, is_late in zip(
                songs, generator.random(len(songs)) < settings.cropped, strict=True
            )
        ]
        lengths = [len(lesson.answers) for lesson in lessons]
        batches = plan_batches(lengths, settings.batch_steps, generator)
        told = generator.random(len(lessons)) < settings.genre_told
        batches = workers.share(batches)
        self.model.train()
        loss_sum = steps = 0.0
        progress = tqdm(
            batches,
            desc=f"epoch {epoch + 1}/{settings.laps + settings.epochs}",
            leave=False,
            disable=not workers.is_first,
        )
        for number, members in enumerate(progress):
            seen = epoch * len(batches) + number
            warmth = min(1.0, (seen + 1) / settings.warm_up_batches)
            rate = warmth * _rate(seen / len(batches), settings)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            batch = pad([lessons[member] for member in members])
            batch.genres[~torch.from_numpy(told[members])] = 0
            losses = self._losses(batch)
            weights = torch.where(batch.matches > 0, settings.known_ground, 1.0)
            weights = weights[batch.counts].to(losses.device)
            self.optimizer.zero_grad()
            ((losses * weights).sum() / weights.sum()).backward()
            workers.average_gradients(self.model)
            torch.nn.utils.clip_grad_norm_(
                self.model.parameters(), settings.gradient_norm
            )
            self.optimizer.step()
            self.average.update_parameters(self.model)
            loss_sum += losses.sum().item()
            steps += len(losses)
            progress.set_postfix(perplexity=f"{math.exp(loss_sum / steps):.2f}")
        loss_sum, steps = workers.add_up(loss_sum, steps)
        return math.exp(loss_sum / steps)

    def validate(self, lessons: Sequence[Lesson]) -> float:
        """Give the perplexity of every step but each song's first; no genre is told."""
        self.average.eval()
        loss_sum = steps = 0.0
        lengths = [len(lesson.answers) for lesson in lessons]
        with torch.no_grad():
            for members in plan_batches(lengths, self.settings.batch_steps):
                batch = pad([lessons[member] for member in members])
                batch.counts[:, 0] = False
                batch.genres.zero_()
                losses = self._losses(batch, self.average)
                loss_sum += losses.sum().item()
                steps += len(losses)
        return math.exp(loss_sum / steps)

    def _losses(self, batch: Batch, model: torch.nn.Module | None = None) -> Tensor:
        batch = batch.to(self.workers.device)
        with self.workers.mixed_precision():
            logits = (model or self.model)(batch.inputs, batch.positions, batch.genres)
        return negative_log_likelihood(
            logits[batch.counts],
            batch.answers[batch.counts],
            batch.rootless[batch.counts],
        )

    # ---- what a run leaves behind ----

    def _keep(self) -> None:
        """Write log, curves and checkpoints for what was just finished."""
        epoch = self.history[-1]
        print(
            f"epoch {epoch.number + 1}: train {epoch.learned:.3f}, "
            f"valid {epoch.perplexity:.3f}, {epoch.seconds:.0f} s",
            flush=True,
        )
        write_log(self.folder / "log.csv", self.history)
        draw_curves(self.folder / "curves.png", self.history)
        if epoch is self.best:
            weights = self.average.module.state_dict()
            self._save("best.pt", model=weights, epoch=epoch.number)
        self._save(
            "last.pt",
            model=self.model.state_dict(),
            average=self.average.state_dict(),
            optimizer=self.optimizer.state_dict(),
            history=[asdict(epoch) for epoch in self.history],
        )

    def _save(self, name: str, **content: object) -> None:
        """Write a checkpoint whole or not at all: a kill must not cost the run."""
        beside = self.folder / f"{name}.tmp"
        made = {"settings": asdict(self.settings), "processes": self.workers.size}
        torch.save({**made, **content}, beside)
        os.replace(beside, self.folder / name)

    def _before(self) -> dict[str, Any] | None:
        """Read what the run in the folder had done, if there is one to carry on."""
        path = self.folder / "last.pt"
        if not path.exists():
            return None
        run, before = load_run(path)
        if before != self.settings:
            raise ConfigError(
                f"the run in {self.folder} has other settings: "
                "start anew with --fresh, or name another with --name"
            )
        if (processes := run.get("processes", 1)) != self.workers.size:
            raise ConfigError(
                f"the run in {self.folder} has {processes} processes, not "
                f"{self.workers.size}: start as many, or anew with --fresh"
            )
        return run

    def _resume(self, run: dict[str, Any]) -> None:
        """Carry on a run."""
        load_weights(self.model, run["model"])
        load_weights(self.average, run["average"])
        self.optimizer.load_state_dict(run["optimizer"])
        self.history = [Epoch(**epoch) for epoch in run["history"]]


def read_split(split: str, settings: Settings) -> list[ChordSequence]:
    """Read a split of the corpus."""
    return to_sequences(read_songs(CORPUS_FILES, split, limit=settings.song_limit))


def read_lap(laps: Laps, number: int) -> list[ChordSequence]:
    """Read a lap's songs of the train split.

    Raises
    ------
    ConfigError
        If there are none.
    """
    songs = [song for song in laps.read(number) if split_of(song) == "train"]
    if not songs:
        raise ConfigError(
            f"nothing to learn in lap {number + 1} of {len(laps)}: expected songs of "
            "two chords or more"
        )
    return songs


def load_run(path: Path) -> tuple[dict[str, Any], Settings]:
    """Read a checkpoint and the settings that it was made with.

    Raises
    ------
    ConfigError
        If there is none, or this version cannot read it.
    """
    try:
        run = torch.load(path, weights_only=True, map_location="cpu")
        told = dict(run["settings"])
        settings = Settings(**{**told, "model": ModelSettings(**told["model"])})
    except OSError as error:
        raise ConfigError(
            f"no checkpoint {path}: train first, with make train or the run's command"
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ConfigError(f"checkpoint {path} {UNREADABLE}") from error
    return run, settings


def load_weights(model: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a model the weights of a checkpoint.

    Raises
    ------
    ConfigError
        If they are those of another network.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"the checkpoint {UNREADABLE}") from error


def _rate(epoch: float, settings: Settings) -> float:
    """Stay for the laps, then fall along a cosine to nothing."""
    epoch = max(epoch - settings.laps, 0.0)
    return (
        settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2
    )


def main() -> int:
    """Read the command line, train, say how it went."""
    parser = argparse.ArgumentParser(description="Train the chord model.")
    parser.add_argument("--name", help="name of the run's folder: brain, or small")
    parser.add_argument("--small", action="store_true", help="a small model in minutes")
    parser.add_argument(
        "--epochs", type=positive, help="how often to go through all songs"
    )
    parser.add_argument(
        "--seed", type=natural, default=Settings.seed, help="default %(default)s"
    )
    parser.add_argument(
        "--limit", type=positive, help="use so many songs of each split"
    )
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run")
    parser.add_argument(
        "--chordonomicon", type=Path, metavar="CSV", help="learn from this file first"
    )
    options = parser.parse_args()
    settings = SMALL if options.small else Settings()
    settings = dataclasses.replace(
        settings,
        epochs=options.epochs or settings.epochs,
        song_limit=options.limit,
        seed=options.seed,
    )
    folder = RUNS / (options.name or ("small" if options.small else "brain"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Workers.join() as workers:
            if options.fresh and workers.is_first:
                for name in ("last.pt", "best.pt", "log.csv", "curves.png"):
                    (folder / name).unlink(missing_ok=True)
            workers.wait()
            laps = Laps(options.chordonomicon) if options.chordonomicon else None
            settings = dataclasses.replace(
                settings, laps=len(laps) if laps is not None else 0
            )
            trainer = Trainer(settings, folder, workers)
            best = trainer.run(
                read_split("train", settings), read_split("valid", settings), laps
            )
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    if workers.is_first:
        print(f"best valid perplexity {best:.3f}: {folder / 'best.pt'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
