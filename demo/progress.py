"""What is shown while it plays: the bars, four on a line, with their chords."""

from collections.abc import Callable, Sequence

from demo.chart import Change, bar_chords
from jackcomp.timeline.meter import Meter

BARS_IN_ROW = 4
WIDTH = 16
"""Letters for a bar: `bar_chords` of two long labels."""


class Progress:
    """Writes each bar as soon as it is over.

    Parameters
    ----------
    write : callable
        Is given text; line ends are in it.
    bars : int
        As many as are shown.
    """

    def __init__(self, write: Callable[[str], None], meter: Meter, bars: int) -> None:
        self._write = write
        self._meter = meter
        self._bars = bars
        self._shown = 0

    def show(self, tick: int, changes: Sequence[Change]) -> None:
        """Write the bars that are over at ``tick``."""
        while self._shown < self._bars and tick >= self._end_of(self._shown):
            bar = self._shown
            if bar % BARS_IN_ROW == 0:
                self._write(f"{bar + 1:5} |")
            self._write(f" {bar_chords(changes, self._meter, bar):<{WIDTH}} |")
            self._shown += 1
            if self._shown % BARS_IN_ROW == 0 or self._shown == self._bars:
                self._write("\n")

    def _end_of(self, bar: int) -> int:
        return (bar + 1) * self._meter.bar_ticks
