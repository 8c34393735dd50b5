"""How sure the brain was, and how often it was right, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure


def draw_reliability(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Draw the rows of `chord_scores.reliability`; on the diagonal it is honest."""
    tenths = [row for row in rows if row["to"] - row["from"] < 0.15]
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="probability of its first choice", ylabel="share that was right"
    )
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="honest")
    axes.plot(
        [row["says"] for row in tenths],
        [row["right"] for row in tenths],
        marker="o",
        label="system",
    )
    for row in tenths:
        axes.annotate(f"{row['steps']}", (row["says"], row["right"] - 0.05))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
