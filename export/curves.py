"""What a training run tells: a CSV log, and its curves as a picture."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


@dataclass(frozen=True, slots=True)
class Epoch:
    """One time through the songs; ``number`` counts from 0.

    ``learned`` is the perplexity on the way, with dropout, ``perplexity`` that of
    the valid split afterwards.
    """

    number: int
    learned: float
    perplexity: float
    seconds: float


def write_log(path: Path, history: Sequence[Epoch]) -> None:
    """Write all epochs, so that a run that was resumed has no row twice."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Epoch)])
        writer.writerows(astuple(epoch) for epoch in history)


def draw_curves(path: Path, history: Sequence[Epoch]) -> None:
    """Draw perplexity by epoch, while learning and on the valid split."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="epoch", ylabel="perplexity", yscale="log", title="training"
    )
    epochs = [epoch.number + 1 for epoch in history]
    axes.plot(epochs, [e.learned for e in history], label="train, with dropout")
    axes.plot(epochs, [e.perplexity for e in history], label="valid")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
