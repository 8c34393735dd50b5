"""The view on a terminal: what is heard, what is played, and how the engine fares.

``full`` redraws one block in place, ``plain`` writes a line a chord change. Plain
ANSI and ASCII, so that a console on a headless machine shows it as well. A terminal
that goes away never stops the music: the view falls silent.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

Mode = Literal["full", "plain", "none"]

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
CLEAR_TO_END_OF_LINE = "\x1b[K"


@dataclass(frozen=True, slots=True)
class Ahead:
    """A chord that is planned: where (``13:1``), its label, how probable (0-1)."""

    position: str
    chord: str
    probability: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to show at one moment.

    Attributes
    ----------
    state : str
        In a few words: waiting for the first note, playing, stopped ...
    bar, beat : int
        From 0; the bar is negative before beat one.
    beats : int
        Beats in a bar, 1 or more.
    meter : str
        As it is written.
    bpm : float
        Quarters a minute.
    key : str
        The likeliest key; empty if nothing was heard.
    key_probability : float
        0-1.
    chord : str
        Harte label of what sounds.
    function : str
        Roman numeral and function of the chord, for the musician's eye.
    ahead : tuple of Ahead
        The next chords, in order.
    xruns, own_misses, late_events : int
        Since the start.
    worst_cycle_us, period_us : int
        Longest cycle so far, and what one may last.
    """

    state: str
    bar: int
    beat: int
    beats: int
    meter: str
    bpm: float
    key: str
    key_probability: float
    chord: str
    function: str
    ahead: tuple[Ahead, ...]
    xruns: int
    own_misses: int
    late_events: int
    worst_cycle_us: int
    period_us: int


class TerminalView:
    """Shows snapshots.

    Parameters
    ----------
    stream : text file
        Where to write.
    mode : str
        ``full``, ``plain`` or ``none``; see `choose_mode`.
    """

    def __init__(self, stream: TextIO, mode: Mode) -> None:
        self._stream = stream
        self._mode = mode
        self._height = 0
        self._last_chord = ""

    def __enter__(self) -> "TerminalView":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def show(self, snapshot: Snapshot) -> None:
        """Draw the block anew, or write a line if the chord is another."""
        if self._mode == "full":
            columns = shutil.get_terminal_size().columns
            lines = [line[: columns - 1] for line in format_block(snapshot)]
            self._write(redraw(lines, self._height))
            self._height = len(lines)
        elif self._mode == "plain" and snapshot.chord != self._last_chord:
            self._write(format_line(snapshot) + "\n")
            self._last_chord = snapshot.chord

    def close(self) -> None:
        """Give the cursor back; the last block stays."""
        if self._height:
            self._write(SHOW_CURSOR)
            self._height = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._mode, self._height = "none", 0


def choose_mode(view: str, stream: TextIO) -> Mode:
    """Return the mode of ``--view``: auto is full on a terminal, elsewhere plain."""
    modes: dict[str, Mode] = {"full": "full", "plain": "plain", "none": "none"}
    if view in modes:
        return modes[view]
    is_capable = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return "full" if is_capable else "plain"


def redraw(lines: Sequence[str], height: int) -> str:
    """Return what draws ``lines`` over the ``height`` lines drawn last time."""
    # The cursor stands at the start of the line below the block.
    back = f"\x1b[{height}F" if height else HIDE_CURSOR
    return back + "".join(f"{line}{CLEAR_TO_END_OF_LINE}\n" for line in lines)


def format_block(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the lines of the full view; always as many."""
    key = f"{snapshot.key or '-':<6}{_percent(snapshot.key_probability)}"
    ahead = "   ".join(
        f"{item.position} {item.chord} {_percent(item.probability)}"
        for item in snapshot.ahead
    )
    return (
        f"{_position(snapshot):>8}  {_beats(snapshot)}  {snapshot.state}",
        f"   chord  {snapshot.chord:<12}{snapshot.function}",
        f"   ahead  {ahead or '-'}",
        f"     key  {key}   {snapshot.meter}   {snapshot.bpm:.1f} bpm",
        f"  engine  {_health(snapshot)} of {snapshot.period_us} us",
    )


def format_line(snapshot: Snapshot) -> str:
    """Return the line of the plain view."""
    return (
        f"{_position(snapshot):>8}  {snapshot.chord:<12}"
        f"{snapshot.key or '-':<4}{_percent(snapshot.key_probability)}  "
        f"{snapshot.bpm:.1f} bpm  {_health(snapshot)} us"
    )


def _position(snapshot: Snapshot) -> str:
    return f"{snapshot.bar + 1}:{snapshot.beat + 1}"


def _beats(snapshot: Snapshot) -> str:
    return "".join(
        "#" if beat == snapshot.beat else "." for beat in range(snapshot.beats)
    )


def _health(snapshot: Snapshot) -> str:
    return (
        f"xruns {snapshot.xruns}  missed {snapshot.own_misses}  "
        f"late {snapshot.late_events}  worst cycle {snapshot.worst_cycle_us}"
    )


def _percent(probability: float) -> str:
    return f"{round(100 * probability):3d} %"
