"""Train the listener on the lead sheets: ``python -m export.train_ear``.

Learns from the train split of ``export/corpus``, keeps the weights that do best on
the valid split, and never opens the test split. Then it writes
``models/listener.onnx`` and its card, after checking that what is played answers as
what was trained. An interrupted run goes on where it stopped
(``export/runs/listener``). It takes an hour on one core.
"""

import argparse
import csv
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from export.disturbed import modulate
from export.lessons import POINTS, UNKNOWN, MelodyLesson, to_melody_lesson
from export.listener_model import Listener, ListenerSettings
from export.listener_to_onnx import build_listener
from export.measuring import positive
from export.songs import LEADSHEET_FILES, Song, read_songs
from jackcomp.decision.policy import TRIAD_OF
from jackcomp.ear.listener import LISTENER_CARD
from jackcomp.ear.melody import N_FEATURES
from jackcomp.network import Network
from jackcomp.theory.vocabulary import N_CHORDS

RUN = Path(__file__).parent / "runs" / "listener"
MODEL = Path(__file__).parents[1] / "models" / "listener.onnx"
PARITY = 1e-4
PARITY_SONGS = 10


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result; copied to the card."""

    model: ListenerSettings = field(default_factory=ListenerSettings)
    epochs: int = 28
    batch_steps: int = 3000
    points: int = 2  # of each step, drawn anew in each epoch
    learning_rate: float = 3e-3
    warm_up_batches: int = 60
    weight_decay: float = 0.02
    gradient_norm: float = 1.0
    key_share: float = 0.2
    # The policy chooses a triad first, so part of the lesson is the triad alone.
    triad_share: float = 0.3
    # Each song is played so many times, and an epoch hears one of them at random.
    takes: int = 6
    # Soloists slip: in so many takes, so many notes are beside the right key.
    slipping_takes: float = 0.5
    slips: float = 0.1
    # They also modulate, which few annotated songs do, and to any key.
    modulating_takes: float = 0.2
    song_limit: int | None = None
    seed: int = 20240229


@dataclass(frozen=True)
class Batch:
    """Songs of like length, padded; ``weights`` are 0 where nothing counts."""

    over: Tensor  # (songs, steps, N_FEATURES)
    heard: Tensor  # (songs, steps, points, N_FEATURES)
    chords: Tensor  # (songs, steps) int64
    keys: Tensor  # (songs, steps) int64
    weights: Tensor  # (songs, steps)


def train(settings: Settings, folder: Path) -> Listener:
    """Train to the end, from where an earlier run stopped; gives the best model."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    takes = [read_lessons("train", settings, take) for take in range(settings.takes)]
    exam = read_lessons("valid", settings)
    model = Listener(settings.model)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    last, best_file = folder / "last.pt", folder / "best.pt"
    start, best = 0, math.inf
    if last.exists():
        stopped = torch.load(last)
        model.load_state_dict(stopped["model"])
        optimizer.load_state_dict(stopped["optimizer"])
        start, best = stopped["epoch"] + 1, stopped["best"]
    for epoch in range(start, settings.epochs):
        began = time.monotonic()
        learned = learn(model, optimizer, takes, settings, epoch)
        figures = examine(model, exam, settings)
        if figures["loss"] < best:
            best = figures["loss"]
            torch.save({"model": model.state_dict(), "epoch": epoch}, best_file)
        torch.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "epoch": epoch,
                "best": best,
            },
            last,
        )
        row = {"epoch": epoch, "learned": learned, **figures}
        row["seconds"] = time.monotonic() - began
        write_log(folder / "log.csv", row)
    return load_best(settings, folder)[0]


def load_best(settings: Settings, folder: Path) -> tuple[Listener, int]:
    """Load the model of the epoch that did best on the valid split, and its number."""
    kept = torch.load(folder / "best.pt")
    model = Listener(settings.model)
    model.load_state_dict(kept["model"])
    return model.eval(), kept["epoch"]


def read_lessons(split: str, settings: Settings, take: int = 0) -> list[MelodyLesson]:
    """Lay out the songs of a split; only in training do they slip and modulate."""
    rng = np.random.default_rng((settings.seed, take))
    lessons = []
    for song in tqdm(songs_of(split, settings), desc=split, unit="song"):
        slips = 0.0
        if split == "train":
            slips = settings.slips * (rng.random() < settings.slipping_takes)
            if rng.random() < settings.modulating_takes:
                song = modulate(song, *draw_modulation(song, rng))
        lessons.append(to_melody_lesson(song, rng, slips))
    return lessons


def draw_modulation(song: Song, rng: np.random.Generator) -> tuple[int, int]:
    """Draw a bar of the song's inner half, and -5 to 6 semitones, but not 0."""
    bars = sum(bar.start >= 0 for bar in song.bars)
    up = int(rng.integers(1, 12))
    return int(rng.integers(bars // 4, 3 * bars // 4 + 1)), (up + 5) % 12 - 5


def songs_of(split: str, settings: Settings) -> list[Song]:
    """Read the songs of a split that have a melody."""
    songs = read_songs(LEADSHEET_FILES, split, limit=settings.song_limit)
    return [song for song in songs if song.melody]


def learn(
    model: Listener,
    optimizer: torch.optim.Optimizer,
    takes: Sequence[Sequence[MelodyLesson]],
    settings: Settings,
    epoch: int,
) -> float:
    """Go once through all songs, each in one of its takes; gives the mean loss."""
    model.train()
    # Each epoch has its own dice, so that a run that stopped goes on the same way.
    torch.manual_seed(settings.seed + epoch)
    rng = np.random.default_rng((settings.seed, epoch))
    drawn = rng.integers(len(takes), size=len(takes[0]))
    lessons = [takes[take][song] for song, take in enumerate(drawn)]
    groups = group_lessons(lessons, settings.batch_steps, rng)
    losses = []
    for number, group in enumerate(tqdm(groups, desc=f"epoch {epoch}", leave=False)):
        done = (epoch * len(groups) + number) / (settings.epochs * len(groups))
        warm = min(1.0, (epoch * len(groups) + number + 1) / settings.warm_up_batches)
        for parameters in optimizer.param_groups:
            cooling = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
            parameters["lr"] = settings.learning_rate * warm * max(cooling, 0.01)
        batch = make_batch(group, settings.points, rng)
        loss, _ = measure(model, batch, settings)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_norm)
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def group_lessons(
    lessons: Sequence[MelodyLesson], batch_steps: int, rng: np.random.Generator
) -> list[list[MelodyLesson]]:
    """Put lessons of like length together, in an order drawn anew."""
    jitter = 20 * rng.random(len(lessons))
    lengths = np.array([len(lesson.chords) for lesson in lessons])
    groups: list[list[MelodyLesson]] = [[]]
    for number in np.argsort(lengths + jitter, kind="stable"):
        if (len(groups[-1]) + 1) * lengths[number] > batch_steps and groups[-1]:
            groups.append([])
        groups[-1].append(lessons[number])
    return [groups[number] for number in rng.permutation(len(groups))]


def make_batch(
    lessons: Sequence[MelodyLesson],
    points: int = len(POINTS),
    rng: np.random.Generator | None = None,
) -> Batch:
    """Pad lessons to one length; with dice, draw some points of each step."""
    shape = (len(lessons), max(len(lesson.chords) for lesson in lessons))
    over = np.zeros((*shape, N_FEATURES), np.float32)
    heard = np.zeros((*shape, points, N_FEATURES), np.float32)
    chords = np.zeros(shape, np.int64)
    keys = np.full(shape, UNKNOWN)
    weights = np.zeros(shape, np.float32)
    for row, lesson in enumerate(lessons):
        steps = len(lesson.chords)
        over[row, :steps] = lesson.over
        told = lesson.heard
        if rng is not None:
            drawn = rng.random((steps, len(POINTS))).argsort(axis=1)[:, :points]
            told = np.take_along_axis(told, drawn[..., None], axis=1)
        heard[row, :steps] = told
        chords[row, :steps] = lesson.chords
        keys[row, :steps] = lesson.keys
        weights[row, :steps] = lesson.weights
    return Batch(*map(torch.from_numpy, (over, heard, chords, keys, weights)))


def measure(
    model: Listener, batch: Batch, settings: Settings
) -> tuple[Tensor, dict[str, Tensor]]:
    """Give the loss, and sums by point for the figures."""
    chord_logits, key_logits = model(batch.over, batch.heard)
    points = chord_logits.shape[2]
    triads = torch.tensor([*TRIAD_OF, max(TRIAD_OF) + 1])
    triad_logits = sum_families(chord_logits, triads)
    weights = batch.weights[..., None].expand(-1, -1, points)
    key_weights = weights * (batch.keys != UNKNOWN)[..., None]
    chord_loss = point_losses(chord_logits, batch.chords)
    triad_loss = point_losses(triad_logits, triads[batch.chords])
    key_loss = point_losses(key_logits, batch.keys.clamp_min(0))
    share = settings.triad_share
    harmony = (1 - share) * chord_loss + share * triad_loss
    loss = (harmony * weights).sum() / weights.sum()
    loss = loss + settings.key_share * (
        (key_loss * key_weights).sum() / key_weights.sum().clamp_min(1.0)
    )
    right = triad_logits.argmax(-1) == triads[batch.chords][..., None]
    key_right = key_logits.argmax(-1) == batch.keys[..., None]
    sums = {
        "harmony": (harmony * weights).sum((0, 1)),
        "right": (right * weights).sum((0, 1)),
        "key_right": (key_right * key_weights).sum((0, 1)),
        "weight": weights.sum((0, 1)),
        "key_weight": key_weights.sum((0, 1)),
    }
    return loss, sums


def sum_families(logits: Tensor, triads: Tensor) -> Tensor:
    """Give log-probabilities of triads (root and family) and of no chord."""
    of_triad = torch.zeros(N_CHORDS, int(triads.max()) + 1)
    of_triad[torch.arange(N_CHORDS), triads] = 1.0
    return torch.log((logits.softmax(-1) @ of_triad).clamp_min(1e-9))


def point_losses(logits: Tensor, answers: Tensor) -> Tensor:
    """Give the loss of every step and point, shape (songs, steps, points)."""
    repeated = answers[..., None].expand(logits.shape[:-1])
    return cross_entropy(logits.movedim(-1, 1), repeated, reduction="none")


@torch.no_grad()
def examine(
    model: Listener, lessons: Sequence[MelodyLesson], settings: Settings
) -> dict[str, float]:
    """Give the loss and, by point, the share of time with the right triad or key."""
    model.eval()
    sums: Counter[str] = Counter()
    groups = group_lessons(lessons, settings.batch_steps, np.random.default_rng(0))
    for group in groups:
        _, found = measure(model, make_batch(group), settings)
        for name, by_point in found.items():
            for point, value in zip(POINTS, by_point.tolist(), strict=True):
                sums[f"{name}_{point}"] += value
    figures = {
        f"{name}_{point}": sums[f"{part}_{point}"] / sums[f"{whole}_{point}"]
        for name, part, whole in (
            ("loss", "harmony", "weight"),
            ("triad", "right", "weight"),
            ("key", "key_right", "key_weight"),
        )
        for point in POINTS
    }
    loss = float(np.mean([figures[f"loss_{point}"] for point in POINTS]))
    return {"loss": loss, **figures}


def write_log(file: Path, row: dict[str, float]) -> None:
    """Add a row to the log, with a header if it is the first."""
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as log:
        writer = csv.DictWriter(log, row)
        if is_new:
            writer.writeheader()
        writer.writerow({k: round(v, 4) for k, v in row.items()})


def write_model(settings: Settings, folder: Path, file: Path) -> None:
    """Write the ONNX file and its card, from the best epoch of a run.

    Raises
    ------
    ValueError
        If what is played answers otherwise than what was trained.
    """
    model, epoch = load_best(settings, folder)
    onnx_bytes = build_listener(model)
    exam = read_lessons("valid", settings)
    difference = compare(model, Network(onnx_bytes), exam[:PARITY_SONGS])
    if difference > PARITY:
        raise ValueError(f"ONNX and torch differ by {difference:.2g}")
    figures = {k: round(v, 4) for k, v in examine(model, exam, settings).items()}
    card: dict[str, Any] = {
        "name": "listener",
        "about": "chords and keys from melody, one grid step at a time",
        "command": "python -m export.train_ear",
        "licence": "GPL-3.0-or-later",
        "data": {split: count_songs(split, settings) for split in ("train", "valid")},
        "settings": asdict(settings),
        "epoch": epoch,
        "valid_figures": figures,
        "parity": difference,
        "sha256": hashlib.sha256(onnx_bytes).hexdigest(),
        **LISTENER_CARD,
    }
    file.write_bytes(onnx_bytes)
    text = json.dumps(card, indent=1) + "\n"
    file.with_suffix(".json").write_text(text, encoding="utf-8")
    print(json.dumps(figures, indent=1))


def count_songs(split: str, settings: Settings) -> dict[str, dict[str, Any]]:
    """Count songs by source, with their licence, for the card."""
    songs = songs_of(split, settings)
    counts = Counter((song.source, song.licence) for song in songs)
    return {
        source: {"licence": licence, "songs": count}
        for (source, licence), count in sorted(counts.items())
    }


@torch.no_grad()
def compare(
    model: Listener, network: Network, lessons: Sequence[MelodyLesson]
) -> float:
    """Give the largest difference between both, step by step and all at once."""
    largest = 0.0
    for lesson in lessons:
        batch = make_batch([lesson])
        logits = model(batch.over, batch.heard)
        wanted = [torch.softmax(each[0], -1).numpy() for each in logits]
        for step, answers in enumerate(play(network, lesson)):
            for all_at_once, one in zip(wanted, answers, strict=True):
                largest = max(largest, float(np.abs(all_at_once[step] - one).max()))
    return largest


def play(
    network: Network, lesson: MelodyLesson
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the network's chords and keys, shape (points, n), of each step."""
    state = np.zeros((1, network.input_size("state")), np.float32)
    for over, heard in zip(lesson.over, lesson.heard, strict=True):
        inputs = {
            "over": np.repeat(over[None].astype(np.float32), len(POINTS), axis=0),
            "heard": heard.astype(np.float32),
            "state": np.repeat(state, len(POINTS), axis=0),
        }
        chords, keys, after = network.run(inputs)
        state = after[:1]
        yield chords, keys


def main() -> None:
    """Train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, default=RUN, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=MODEL, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=Settings.epochs)
    parser.add_argument(
        "--limit", type=positive, help="songs of each split; default all"
    )
    options = parser.parse_args()
    settings = Settings(epochs=options.epochs, song_limit=options.limit)
    train(settings, options.run)
    write_model(settings, options.run, options.out)


if __name__ == "__main__":
    main()
