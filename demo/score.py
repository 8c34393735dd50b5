"""What the soloist plays, and in which frame each message falls."""

from dataclasses import dataclass
from pathlib import Path

from demo.notes import is_note_on
from demo.processes import DemoError
from jackcomp.solo import read_solo
from jackcomp.timeline.clock import (
    ONE_TICK,
    Anchor,
    Timeline,
    ns_per_quarter_to_bpm,
)
from jackcomp.timeline.meter import Meter


@dataclass(frozen=True, slots=True)
class Score:
    """A solo of one tempo and one meter, counted from its first full bar.

    Attributes
    ----------
    messages : tuple of (int, bytes)
        Tick and MIDI message, in order; an upbeat is before tick 0.
    first_tick : int
        Of the first note; 0 or negative.
    """

    title: str
    meter: Meter
    ns_per_quarter: int
    messages: tuple[tuple[int, bytes], ...]
    first_tick: int

    @property
    def bpm(self) -> float:
        """Quarters a minute."""
        return ns_per_quarter_to_bpm(self.ns_per_quarter)

    @property
    def pickup_beats(self) -> float:
        """Beats of upbeat before the first full bar."""
        return -self.first_tick / self.meter.beat_ticks

    @property
    def bars(self) -> int:
        """Full bars, the last one counted whole."""
        return -(-self.messages[-1][0] // self.meter.bar_ticks)

    @property
    def n_notes(self) -> int:
        """Notes that the soloist strikes."""
        return sum(is_note_on(data) for _, data in self.messages)

    def timeline(self, start_frame: int, rate: int) -> Timeline:
        """Lay the ticks out, with the first note in ``start_frame``."""
        first = self.first_tick * ONE_TICK
        return Timeline.from_anchor(
            Anchor(start_frame, first, self.ns_per_quarter, rate)
        )


def read_score(path: Path) -> Score:
    """Read a solo; its first note sets the clock.

    Raises
    ------
    JackcompError
        In one line, if the file is no good.
    DemoError
        If its tempo or its meter changes.
    """
    solo = read_solo(path)
    if len(solo.tempos) > 1 or len(solo.meters) > 1:
        raise DemoError(f"'{path}' changes its tempo or meter: expected a steady one")
    meter = solo.meters[0][1]
    first = next(tick for tick, data in solo.messages if is_note_on(data))
    line = -(-first // meter.bar_ticks) * meter.bar_ticks
    messages = tuple((tick - line, data) for tick, data in solo.messages)
    return Score(solo.title, meter, solo.tempos[0][1], messages, first - line)
