"""A grid step of melody as the listener, a small network, is told it.

Training and playing both use this code. A step is told twice: whole, when it is
over, and as far as it has been heard, when the listener is asked about it. What it
is told never names a key or a chord, and treats all twelve pitch classes alike:
`N_PITCHED` numbers for each pitch class, C first, then `N_PLAIN` that have none.

Times are ticks, 1920 to a quarter.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.ear.window import HeardNote
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter, step_start

# A note so little before a line was meant for the step that begins there ...
SNAP_TICKS = TICKS_PER_QUARTER // 16
# ... and one so little after it was meant to be on the line.
LINE_TICKS = TICKS_PER_QUARTER // 8
N_CELLS = 6
"""A step is cut into eighths; in one longer than six, into six equal cells."""

TRAITS = ("line", "over", "ringing", "before", "latest", "lowest", "highest")
HALF_LIVES = (2, 8, 32)
"""In quarters: how fast three histograms of the pitch classes forget."""

N_PITCHED = 2 * N_CELLS + len(TRAITS) + len(HALF_LIVES)
BAR_CYCLES = (2, 4, 8)
MAX_STEPS = 4
N_PLAIN = 2 * MAX_STEPS + sum(BAR_CYCLES) + 11
N_FEATURES = 12 * N_PITCHED + N_PLAIN

_LINE, _OVER, _RINGING, _BEFORE, _LATEST, _LOWEST, _HIGHEST = range(
    2 * N_CELLS, 2 * N_CELLS + len(TRAITS)
)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What is remembered of the steps that are over.

    Attributes
    ----------
    histograms : ndarray, shape=(3, 12), float64
        Quarters sounded by pitch class, C first, older ones fading.
    n_notes : int
        How many notes have been struck.
    first, latest : HeardNote or None
        The first and the last note struck.
    """

    histograms: NDArray[np.float64]
    n_notes: int = 0
    first: HeardNote | None = None
    latest: HeardNote | None = None


def no_past() -> Past:
    """Return the past before the first note."""
    return Past(np.zeros((len(HALF_LIVES), 12)))


def belongs(note: HeardNote, start: int, end: int) -> bool:
    """Say whether a note is struck in the step ``[start, end)``."""
    return start - SNAP_TICKS <= note.onset < end - SNAP_TICKS


def see_step(
    past: Past, notes: Iterable[HeardNote], meter: Meter, step: int, now: int
) -> NDArray[np.float32]:
    """Tell a step as far as it has been heard.

    Parameters
    ----------
    past : Past
        Of the steps before it.
    notes : iterable of HeardNote
        By onset; at least those that sound in the step or belong to it.
    meter : Meter
        Bars and steps.
    step : int
        Grid step number from the first bar line.
    now : int
        Tick; what comes at or after it is not looked at. May lie before the step.

    Returns
    -------
    ndarray, shape=(N_FEATURES,), float32
        The rows of the pitch classes, and the plain numbers.
    """
    start, end = step_start(meter, step), step_start(meter, step + 1)
    stop = min(now, end)
    cell = max((end - start) // N_CELLS, TICKS_PER_QUARTER // 2)
    # Plain lists: numpy takes ten times as long for one number at a time.
    rows = [[0.0] * N_PITCHED for _ in range(12)]
    struck: list[HeardNote] = []
    sounding = 0
    first, last = start - SNAP_TICKS, min(now, end - SNAP_TICKS)
    over = min(start, now - 1)
    for note in notes:
        if note.onset >= last:
            break
        is_struck = note.onset >= first
        if not is_struck and note.end is not None and note.end <= over:
            continue
        begin = max(note.onset, start)
        until = stop if note.end is None else min(note.end, stop)
        row = rows[note.note % 12]
        if note.end is None or note.end >= now:
            row[_RINGING] = 1.0
        if until <= begin and not is_struck:
            continue
        if until > begin:
            sounding += until - begin
            _fill_cells(row, begin - start, until - start, cell)
        if is_struck:
            struck.append(note)
            into = max(note.onset + SNAP_TICKS - start, 0)
            row[N_CELLS + min(into // cell, N_CELLS - 1)] += 1.0
            if note.onset < start + LINE_TICKS:
                row[_LINE] = 1.0
        else:
            row[_OVER] = 1.0
    latest = struck[-1] if struck else past.latest
    if past.latest is not None:
        rows[past.latest.note % 12][_BEFORE] = 1.0
    if latest is not None:
        rows[latest.note % 12][_LATEST] = 1.0
    if struck:
        rows[min(n.note for n in struck) % 12][_LOWEST] = 1.0
        rows[max(n.note for n in struck) % 12][_HIGHEST] = 1.0
    pitched = np.array(rows, np.float32)
    totals = np.maximum(past.histograms.sum(axis=1), 1e-6)
    pitched[:, -len(HALF_LIVES) :] = (past.histograms / totals[:, None]).T
    plain = [
        *_place(meter, step),
        *_progress(start, end, now, len(struck), sounding),
        math.log1p(past.n_notes) / 5.0,
        _waited(past.first, start, 16 * meter.bar_ticks),
        _waited(latest, now, 4 * TICKS_PER_QUARTER),
    ]
    return np.concatenate([pitched.ravel(), np.array(plain, np.float32)])


def pass_step(past: Past, notes: Iterable[HeardNote], meter: Meter, step: int) -> Past:
    """Remember a step that is over; the parameters are those of `see_step`."""
    start, end = step_start(meter, step), step_start(meter, step + 1)
    heard = np.zeros(12)
    struck: list[HeardNote] = []
    for note in notes:
        if note.onset >= end - SNAP_TICKS:
            continue
        heard[note.note % 12] += note.sounding_ticks(start, end)
        if note.onset >= start - SNAP_TICKS:
            struck.append(note)
    faded = 0.5 ** ((end - start) / TICKS_PER_QUARTER / np.array(HALF_LIVES))
    return Past(
        past.histograms * faded[:, None] + heard / TICKS_PER_QUARTER,
        past.n_notes + len(struck),
        past.first or (struck[0] if struck else None),
        struck[-1] if struck else past.latest,
    )


def _fill_cells(row: list[float], begin: int, until: int, cell: int) -> None:
    """Add the shares of the cells that a note fills, in ticks from the line."""
    for number in range(begin // cell, N_CELLS):
        first, last = max(begin, number * cell), min(until, (number + 1) * cell)
        if last <= first:
            break
        row[number] += (last - first) / cell


def _place(meter: Meter, step: int) -> list[float]:
    """Give place in the bar and in cycles of bars, and lengths in 4/4 bars."""
    count = len(meter.steps)
    bar, index = divmod(step, count)
    whole = 4 * TICKS_PER_QUARTER
    place = [0.0] * (2 * MAX_STEPS)
    place[min(index, MAX_STEPS - 1)] = 1.0
    place[MAX_STEPS + min(count, MAX_STEPS) - 1] = 1.0
    for cycle in BAR_CYCLES:
        place += [float(bar % cycle == number) for number in range(cycle)]
    is_dotted = meter.pulse_ticks != meter.beat_ticks
    return [
        *place,
        meter.steps[index] / whole,
        meter.bar_ticks / whole,
        float(is_dotted),
    ]


def _progress(
    start: int, end: int, now: int, n_struck: int, sounding: int
) -> list[float]:
    """Say how much has been heard of a step."""
    heard = min(max(now - start, 0), end - start)
    return [
        float(now > start),
        heard / (end - start),
        heard / (4 * TICKS_PER_QUARTER),
        n_struck / 8.0,
        max(1.0 - sounding / heard, 0.0) if heard else 0.0,
    ]


def _waited(note: HeardNote | None, now: int, longest: int) -> float:
    """Give the time since a note's onset, 1 for the longest or for no note."""
    return 1.0 if note is None else min(max(now - note.onset, 0) / longest, 1.0)
