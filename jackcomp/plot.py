"""A performance as a picture: piano roll, bar lines, chords and keys.

The soloist is vermillion and the accompaniment blue, two colours of Okabe and Ito
that every eye tells apart; the soloist's notes are thinner too, so that a unison
shows both.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jackcomp.errors import ConfigError
from jackcomp.timeline.meter import Meter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOLO_COLOUR = "#D55E00"
ACCOMPANIMENT_COLOUR = "#0072B2"
BAR_COLOUR = "#B0B0B0"
KINDS = (".png", ".svg", ".pdf")
BARS_PER_ROW = 17
WIDTH, ROW_HEIGHT, LEAST_HEIGHT, HEADING = 16.0, 3.2, 7.0, 0.55  # inches
DOTS_PER_INCH = 100
TEXT_SIZE = 9  # points
_POINTS_PER_LETTER = 0.62 * TEXT_SIZE
_MARGIN = 0.045  # of the width, on either side
_C_NAMES = {note: f"C{note // 12 - 1}" for note in range(0, 128, 12)}


@dataclass(frozen=True, slots=True)
class DrawnNote:
    """A note over [start, end) in ticks; MIDI note number."""

    start: int
    end: int
    note: int


@dataclass(frozen=True, slots=True)
class Performance:
    """What is drawn; all ticks count from the first bar line.

    Attributes
    ----------
    title : str
        Above the picture.
    meter : Meter
        Where the bar lines are.
    solo, accompaniment : sequence of DrawnNote
        The two colours.
    chords, keys : sequence of (int, str)
        Tick and name, from there to the next one; in order.
    seconds : callable, optional
        Seconds since the first bar line of a tick, written at the start of a row.
    """

    title: str
    meter: Meter
    solo: Sequence[DrawnNote]
    accompaniment: Sequence[DrawnNote]
    chords: Sequence[tuple[int, str]]
    keys: Sequence[tuple[int, str]]
    seconds: Callable[[int], float] | None = None


def check_picture(path: Path) -> None:
    """Raise `ConfigError` if the name is not that of a picture."""
    if path.suffix not in KINDS:
        raise ConfigError(
            f"cannot draw '{path}': expected a name that ends with {' or '.join(KINDS)}"
        )


def draw_performance(path: Path, performance: Performance) -> None:
    """Write a picture, 1600 pixels wide, of the kind that its suffix says.

    Up to 17 bars (16 and a pickup) make one row, more are spread over several.

    Parameters
    ----------
    path : Path
        As `check_picture` accepts it.
    performance : Performance
        What to draw.
    """
    # Late, because it takes half a second. No pyplot: that keeps global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = split_rows(performance)
    height = max(LEAST_HEIGHT, HEADING + ROW_HEIGHT * len(rows))
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=_MARGIN,
        right=1 - _MARGIN,
        top=1 - HEADING / height,
        bottom=0.66 / height,
        hspace=0.38,
    )
    figure.text(
        _MARGIN, 1 - 0.26 / height, performance.title, fontsize=13, parse_math=False
    )
    for axis, (start, end) in zip(axes, rows, strict=True):
        _draw_row(axis, performance, start, end)
    figure.legend(
        handles=[
            Patch(color=SOLO_COLOUR, label="solo"),
            Patch(color=ACCOMPANIMENT_COLOUR, label="accompaniment"),
        ],
        loc="upper right",
        bbox_to_anchor=(1 - _MARGIN, 1 - 0.06 / height),
        ncols=2,
        frameon=False,
        borderaxespad=0.0,
        borderpad=0.0,
    )
    figure.savefig(path)


def split_rows(performance: Performance) -> list[tuple[int, int]]:
    """Return the first and last tick of each row: whole bars, as even as they go."""
    notes = [*performance.solo, *performance.accompaniment]
    bar = performance.meter.bar_ticks
    first = min([note.start for note in notes], default=0) // bar
    last = max([note.end for note in notes], default=bar)
    bars = max(-(-last // bar) - first, 1)
    count = -(-bars // BARS_PER_ROW)
    bars_per_row = -(-bars // count)
    starts = range(first, first + bars, bars_per_row)
    return [(start * bar, (start + bars_per_row) * bar) for start in starts]


def _draw_row(axis: "Axes", performance: Performance, start: int, end: int) -> None:
    ticks_per_point = (end - start) / (72 * WIDTH * (1 - 2 * _MARGIN))
    _draw_grid(axis, performance, start, end)
    for notes, colour, thickness in (
        (performance.accompaniment, ACCOMPANIMENT_COLOUR, 1.0),
        (performance.solo, SOLO_COLOUR, 0.75),
    ):
        shown = _within(notes, start, end)
        axis.barh(
            [note.note for note in shown],
            # A point shorter, so that repeated notes stand apart.
            [max(note.end - note.start - ticks_per_point, 1) for note in shown],
            thickness,
            [note.start for note in shown],
            color=colour,
        )
    taken = [float(start)] * 2
    for tick, name in _in_row(performance.chords, start, end):
        # Where the names are too close for one line, on the line below.
        line = 0 if taken[0] <= tick or taken[1] > tick else 1
        taken[line] = tick + ticks_per_point * _POINTS_PER_LETTER * len(name)
        _write(axis, (tick, 0), -13 - 12 * line, name)
    for tick, name in _in_row(performance.keys, start, end):
        _write(axis, (tick, 0), -38, name, style="italic")


def _draw_grid(axis: "Axes", performance: Performance, start: int, end: int) -> None:
    bar = performance.meter.bar_ticks
    notes = [*performance.solo, *performance.accompaniment]
    lowest = min([note.note for note in notes], default=48) - 2
    highest = max([note.note for note in notes], default=72) + 2
    axis.set_xlim(start, end)
    axis.set_ylim(lowest, highest)
    shown = [note for note in _C_NAMES if lowest <= note <= highest]
    axis.set_yticks(shown, [_C_NAMES[note] for note in shown], fontsize=8)
    axis.set_xticks([])
    axis.set_axisbelow(True)
    axis.grid(axis="y", color=BAR_COLOUR, linewidth=0.4)
    for tick in range(start, end, bar):
        axis.axvline(tick, color=BAR_COLOUR, linewidth=0.8, zorder=0)
        number = str(tick // bar + 1)
        if tick == start and performance.seconds is not None:
            number += f"  ({performance.seconds(start):.1f} s)"
        _write(axis, (tick, 1), 4, number)


def _write(
    axis: "Axes",
    place: tuple[int, int],
    points: int,
    name: str,
    style: str = "normal",
) -> None:
    """Write so many points above the bottom (tick, 0) or the top (tick, 1)."""
    axis.annotate(
        name,
        place,
        xycoords=axis.get_xaxis_transform(),
        xytext=(0, points),
        textcoords="offset points",
        fontsize=TEXT_SIZE,
        fontstyle=style,
        annotation_clip=False,
        parse_math=False,
    )


def _within(notes: Iterable[DrawnNote], start: int, end: int) -> list[DrawnNote]:
    """Return what sounds in a row, cut at its ends."""
    return [
        DrawnNote(max(note.start, start), min(note.end, end), note.note)
        for note in notes
        if note.start < end and note.end > start
    ]


def _in_row(
    names: Sequence[tuple[int, str]], start: int, end: int
) -> list[tuple[int, str]]:
    """Return where the name changes in a row, with what holds on from before it."""
    found: list[tuple[int, str]] = []
    for tick, name in names:
        if tick <= start:
            found = [(start, name)]
        elif tick < end and (not found or found[-1][1] != name):
            found.append((tick, name))
    return found
