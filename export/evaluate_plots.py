"""Pictures of the harmony evaluation: reliability, place in the song, one song."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from export.casting import POSITION_BARS, TIMED_ROW, play_role
from export.key_scores import key_at
from export.songs import ChordSpan, Song
from jackcomp.theory.chord import Chord
from jackcomp.theory.key import KEYS, format_key, key_index
from jackcomp.theory.vocabulary import CHORDS, NO_CHORD_INDEX
from jackcomp.timeline.meter import TICKS_PER_QUARTER

SIZE = (8.0, 5.0)  # inches
TIMELINE_SIZE = (14.0, 8.0)
TIMELINE_BARS = 48
DOTS_PER_INCH = 100
TRUE_COLOUR, HEARD_COLOUR = "#D55E00", "#0072B2"


def draw(report: Mapping[str, Any], songs: Sequence[Song], folder: Path) -> None:
    """Draw what the report has the figures for, as PNG files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    if report["reliability"]["right"]:
        _save(_draw_reliability(report["reliability"]), folder / "reliability.png")
    if report["by_position"]:
        _save(_draw_positions(report["by_position"]), folder / "position.png")
    if TIMED_ROW in report["rows"]:
        _save(_draw_timeline(songs[len(songs) // 2]), folder / "timeline.png")


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, dpi=DOTS_PER_INCH, metadata={"Software": None})


def _draw_reliability(reliability: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw how often a chord is right against how sure the accompanist was."""
    figure = Figure(SIZE, layout="tight")
    axes = figure.subplots()
    sure, right = (list(reliability[name].values()) for name in ("confidence", "right"))
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="as sure as right")
    axes.plot(sure, right, "o-", color=HEARD_COLOUR, label="jackcomp")
    axes.set(
        xlabel="confidence in the triad",
        ylabel="share of time in which it is right (maj/min)",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend()
    return figure


def _draw_positions(rows: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw how right it is against the place in the song."""
    figure = Figure(SIZE, layout="tight")
    axes = figure.subplots()
    for row, found in rows.items():
        bars = [POSITION_BARS * int(number) + 1 for number in found]
        axes.plot(bars, list(found.values()), "o-", label=row.replace("_", " "))
    axes.set(xlabel="bar", ylabel="maj/min, right share of time")
    axes.legend()
    return figure


def _draw_timeline(song: Song) -> Figure:
    """Draw roots, keys and confidence of a song beside its annotation."""
    true, played = play_role(song, TIMED_ROW)
    bar = song.meter.bar_ticks
    end = min(song.spans[-1].end, song.spans[0].start + TIMELINE_BARS * bar)
    figure = Figure(TIMELINE_SIZE, layout="tight")
    roots, keys, sure = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
    _draw_roots(roots, true.spans, end, TRUE_COLOUR, 6.0, "annotated")
    _draw_roots(roots, played.spans, end, HEARD_COLOUR, 2.5, "played")
    roots.set_yticks(range(12), [format_key(KEYS[root]) for root in range(12)])
    roots.set_ylabel("root of the chord")
    roots.legend(loc="upper right")
    ticks = [tick for tick, _ in played.decisions if tick < end]
    decisions = [decision for tick, decision in played.decisions if tick < end]
    chances = np.zeros((len(KEYS), max(len(ticks), 1)))
    for column, decision in enumerate(decisions):
        chances[:, column] = decision.keys
    quarters = np.array([*ticks, end]) / TICKS_PER_QUARTER
    keys.pcolormesh(
        quarters, np.arange(len(KEYS) + 1) - 0.5, chances, cmap="Blues", vmin=0, vmax=1
    )
    annotated = [(tick, key_at(true, tick)) for tick in range(ticks[0], end, bar)]
    for tick, key in annotated:
        if key is not None:
            keys.hlines(
                key_index(key),
                tick / TICKS_PER_QUARTER,
                min(tick + bar, end) / TICKS_PER_QUARTER,
                color=TRUE_COLOUR,
            )
    keys.set_yticks(range(len(KEYS)), [format_key(key) for key in KEYS], fontsize=6)
    keys.set_ylabel("key: heard (shade), annotated (line)")
    sure.step(
        quarters[:-1], [d.confidence for d in decisions], where="post", color="0.3"
    )
    sure.set(
        ylim=(0, 1), xlabel="quarters from the first bar line", ylabel="confidence"
    )
    figure.suptitle(f"{song.title or song.id} ({song.source})")
    return figure


def _draw_roots(
    axes: Axes,
    spans: Sequence[ChordSpan],
    end: int,
    colour: str,
    width: float,
    label: str,
) -> None:
    """Draw each span as a line at its root; those without a major third dotted."""
    lines = [
        (CHORDS[span.chord], span.start, min(span.end, end))
        for span in spans
        if span.chord != NO_CHORD_INDEX and span.start < end
    ]
    for number, (chord, start, stop) in enumerate(lines):
        axes.hlines(
            chord.root,
            start / TICKS_PER_QUARTER,
            stop / TICKS_PER_QUARTER,
            color=colour,
            linewidth=width,
            alpha=0.6,
            linestyle="-" if _has_major_third(chord) else ":",
            label=label if number == 0 else None,
        )
    for (_, _, one), (_, start, _) in pairwise(lines):
        if one == start:
            axes.axvline(
                start / TICKS_PER_QUARTER, color=colour, linewidth=0.3, alpha=0.3
            )


def _has_major_third(chord: Chord) -> bool:
    return chord.root is not None and (chord.root + 4) % 12 in chord.pitch_classes
