"""Train the chord model on the corpus: ``python -m export.train``.

Learns from the train split of the tiers ``open`` and ``gpl``, keeps the weights
that foresee the valid split best, and never opens the test split. Writes
``log.csv``, ``last.pt`` (to carry on after an interruption) and ``best.pt`` into
``export/runs/NAME``; ``python -m export.to_onnx`` makes the model from it.

Nothing is augmented: the model hears intervals only, so a song teaches it the
same in every key (`jackcomp.brain.features`).
"""

import argparse
import csv
import dataclasses
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from export.model import ChordModel, ModelSettings, negative_log_likelihood
from export.sequences import Lesson, to_lesson, to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.errors import ConfigError, JackcompError

RUNS = Path(__file__).parent / "runs"


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result; copied to the card."""

    model: ModelSettings = field(default_factory=ModelSettings)
    epochs: int = 30
    batch_steps: int = 4096
    learning_rate: float = 4e-3
    warm_up_batches: int = 100
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    patience: int = 6
    song_limit: int | None = None
    seed: int = 20240229


SMALL = Settings(model=ModelSettings(units=96, embedding=48, dropout=0.2), epochs=6)


@dataclass(frozen=True)
class Batch:
    """Songs of like length, padded; ``counts`` is False where nothing is there."""

    inputs: Tensor  # (songs, steps, 3) int64
    positions: Tensor  # (songs, steps, POSITION_SIZE) float32
    answers: Tensor  # (songs, steps) int64
    rootless: Tensor  # (songs, steps) bool
    counts: Tensor  # (songs, steps) bool


def train(settings: Settings, folder: Path) -> float:
    """Train until the end or until patience is lost; carries on where it stopped.

    Parameters
    ----------
    settings : Settings
        Those of the run in ``folder``, if there is one.
    folder : Path
        Gets the log and the checkpoints.

    Returns
    -------
    float
        The best perplexity on the valid split, every step but the first.
    """
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    lessons = _read_lessons("train", settings)
    exam = _read_lessons("valid", settings)
    model = ChordModel(settings.model)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    start, best, best_epoch = _resume(folder, settings, model, optimizer)
    for epoch in range(start, settings.epochs):
        if epoch - best_epoch > settings.patience:
            break
        began = time.monotonic()
        learned = _learn(model, optimizer, lessons, settings, epoch)
        valid = validate(model, exam, settings)
        if valid < best:
            best, best_epoch = valid, epoch
            _save(folder / "best.pt", settings, model, epoch=epoch, perplexity=valid)
        _log(folder / "log.csv", epoch, learned, valid, time.monotonic() - began)
        _save(
            folder / "last.pt",
            settings,
            model,
            optimizer=optimizer.state_dict(),
            epoch=epoch,
            best=best,
            best_epoch=best_epoch,
        )
    return best


def _read_lessons(split: str, settings: Settings) -> list[Lesson]:
    songs = read_songs(CORPUS_FILES, split, limit=settings.song_limit)
    return [to_lesson(sequence) for sequence in to_sequences(songs)]


def _learn(
    model: ChordModel,
    optimizer: torch.optim.Optimizer,
    lessons: Sequence[Lesson],
    settings: Settings,
    epoch: int,
) -> float:
    """Go once through all songs; give the perplexity on the way."""
    # Seeded by epoch, so that a resumed run is the run that was interrupted.
    torch.manual_seed(settings.seed + epoch)
    batches = _plan_batches(
        lessons, settings.batch_steps, np.random.default_rng((settings.seed, epoch))
    )
    model.train()
    loss_sum = steps = 0.0
    progress = tqdm(batches, desc=f"epoch {epoch + 1}/{settings.epochs}", leave=False)
    for number, members in enumerate(progress):
        rate = _rate(epoch * len(batches) + number, len(batches), settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = _pad([lessons[member] for member in members])
        losses = _losses(model, batch)
        optimizer.zero_grad()
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_norm)
        optimizer.step()
        loss_sum += losses.sum().item()
        steps += len(losses)
        progress.set_postfix(perplexity=f"{math.exp(loss_sum / steps):.2f}")
    return math.exp(loss_sum / steps)


def validate(model: ChordModel, lessons: Sequence[Lesson], settings: Settings) -> float:
    """Give the perplexity of every step but each song's first."""
    model.eval()
    loss_sum = steps = 0.0
    with torch.no_grad():
        for members in _plan_batches(lessons, settings.batch_steps):
            batch = _pad([lessons[member] for member in members])
            batch.counts[:, 0] = False
            losses = _losses(model, batch)
            loss_sum += losses.sum().item()
            steps += len(losses)
    return math.exp(loss_sum / steps)


def _losses(model: ChordModel, batch: Batch) -> Tensor:
    logits = model(batch.inputs, batch.positions)[batch.counts]
    return negative_log_likelihood(
        logits, batch.answers[batch.counts], batch.rootless[batch.counts]
    )


def _rate(number: int, batches_per_epoch: int, settings: Settings) -> float:
    """Warm up, then fall to nothing along a cosine."""
    share = number / (settings.epochs * batches_per_epoch)
    warmth = min(1.0, (number + 1) / settings.warm_up_batches)
    return settings.learning_rate * warmth * (1 + math.cos(math.pi * share)) / 2


def _plan_batches(
    lessons: Sequence[Lesson],
    batch_steps: int,
    generator: np.random.Generator | None = None,
) -> list[list[int]]:
    """Group songs of like length; with a generator, differently each time."""
    lengths = np.array([len(lesson.answers) for lesson in lessons])
    jitter = generator.uniform(0, 24, len(lengths)) if generator else 0
    batches: list[list[int]] = [[]]
    longest = 0
    for song in np.argsort(lengths + jitter, kind="stable").tolist():
        longest = max(longest, int(lengths[song]))
        if batches[-1] and longest * (len(batches[-1]) + 1) > batch_steps:
            batches.append([])
            longest = int(lengths[song])
        batches[-1].append(song)
    if generator:
        generator.shuffle(batches)
    return batches


def _pad(lessons: Sequence[Lesson]) -> Batch:
    """Put songs into one batch; shorter ones end in steps that do not count."""
    steps = max(len(lesson.answers) for lesson in lessons)

    def pad(arrays: Iterator[np.ndarray]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(array) for array in arrays], batch_first=True
        )

    lengths = torch.tensor([len(lesson.answers) for lesson in lessons])
    return Batch(
        pad(lesson.inputs for lesson in lessons),
        pad(lesson.positions for lesson in lessons),
        pad(lesson.answers for lesson in lessons),
        pad(lesson.rootless for lesson in lessons),
        torch.arange(steps) < lengths[:, None],
    )


def load_run(path: Path) -> tuple[dict[str, Any], Settings]:
    """Read a checkpoint and the settings that it was made with.

    Raises
    ------
    ConfigError
        If there is none.
    """
    try:
        run = torch.load(path, weights_only=True)
    except OSError as error:
        raise ConfigError(
            f"no checkpoint {path}: train first, with python -m export.train"
        ) from error
    settings = dict(run["settings"])
    return run, Settings(**{**settings, "model": ModelSettings(**settings["model"])})


def _resume(
    folder: Path,
    settings: Settings,
    model: ChordModel,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float, int]:
    """Carry on a run: next epoch, best perplexity, and when that was."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "last.pt").exists():
        return 0, math.inf, 0
    run, before = load_run(folder / "last.pt")
    if before != settings:
        raise ConfigError(
            f"the run in {folder} has other settings: "
            "start anew with --fresh, or name another with --run"
        )
    model.load_state_dict(run["model"])
    optimizer.load_state_dict(run["optimizer"])
    return run["epoch"] + 1, run["best"], run["best_epoch"]


def _save(path: Path, settings: Settings, model: ChordModel, **rest: object) -> None:
    """Write a checkpoint whole or not at all: a kill must not cost the run."""
    content = {"settings": asdict(settings), "model": model.state_dict(), **rest}
    beside = path.with_suffix(".tmp")
    torch.save(content, beside)
    os.replace(beside, path)


def _log(path: Path, epoch: int, learned: float, valid: float, seconds: float) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["epoch", "train_perplexity", "perplexity", "seconds"])
        writer.writerow([epoch + 1, f"{learned:.4f}", f"{valid:.4f}", f"{seconds:.1f}"])
    print(f"epoch {epoch + 1}: train {learned:.3f}, valid {valid:.3f}, {seconds:.0f} s")


def main() -> int:
    """Read the command line, train, say how it went."""
    parser = argparse.ArgumentParser(description="Train the chord model.")
    parser.add_argument("--run", help="name of the run's folder: brain, or small")
    parser.add_argument("--small", action="store_true", help="a small model in minutes")
    parser.add_argument("--epochs", type=int, help="how often to go through all songs")
    parser.add_argument("--limit", type=int, help="use so many songs of each split")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run")
    options = parser.parse_args()
    settings = SMALL if options.small else Settings()
    settings = dataclasses.replace(
        settings, epochs=options.epochs or settings.epochs, song_limit=options.limit
    )
    folder = RUNS / (options.run or ("small" if options.small else "brain"))
    if options.fresh:
        for name in ("last.pt", "best.pt", "log.csv"):
            (folder / name).unlink(missing_ok=True)
    try:
        best = train(settings, folder)
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"best valid perplexity {best:.3f}: {folder / 'best.pt'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
