"""Steering the clock after the soloist, by tempo changes alone.

The pacer keeps a mirror of the core's clock (`timeline.clock.Timeline`), and is the
only one who changes its tempo. Whenever the tracker has heard something, it asks
for a tempo that brings the clock level with the soloist within the next beats, and
for his own tempo from there: the clock never jumps, no beat is left out or played
twice, and while he rests the tempo holds. A change takes effect `FREEZE_SECONDS`
after the note that caused it, or the lead if that is longer, so every beat is settled
that long before it sounds, and a performance that is rendered is the one that is
played.
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from jackcomp.ear.pulse import LONGEST_PERIOD, SHORTEST_PERIOD, Pulse, PulseTracker
from jackcomp.messages import Report, ReportKind, TempoChange
from jackcomp.timeline.clock import (
    MAX_BPM,
    MIN_BPM,
    NS_PER_MINUTE,
    ONE_TICK,
    Anchor,
    Timeline,
    frame_to_tick_fp,
    ns_per_quarter_to_bpm,
)
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

FREEZE_SECONDS = 0.1
REACH = 0.25
"""So much of a beat is made up for in one beat, at most."""

SEARCH_REACH = 0.9
"""The same while nobody plays along yet."""

SURE = 0.15
"""Confidence from which on the clock follows; below it holds its tempo."""

SETTLED, SETTLED_ONSETS, SETTLED_BEATS = 0.6, 4, 3
"""Confidence, onsets in a row, and beats since the first, before the band comes in."""

NUMBERED_BEATS = 16
"""So long after the first note whole beats are made up for, too: who plays at another
tempo than he has told is met on his bar lines."""

LEVEL, LEVEL_BEATS = 0.1, 4
"""Within so much of a beat, and for so many beats, the clock is level with its number:
beats are counted on from here, since one tempo may not reach back to the first note."""

LEAD_MARGIN = 1.3
"""The lead still holds when the tempo has risen so much since it was counted."""

TAPS, MOST_UNEVEN = 4, 1.5
SHORTEST_TAP_SECONDS, LONGEST_TAP_SECONDS = 0.15, 3.0
"""400 and 20 beats a minute. What comes sooner is the same tap: a chord, an echo, a
pedal on its way down. Who waits longer begins to tap anew."""

LONGEST_EIGHTH = 0.4
"""Seconds; what is felt as longer in bars of eighths is a quarter."""

SLOWEST_PERIOD = 1.25
"""Slower beats are followed in their halves or thirds. No sooner than the tracker's end
at 45 a minute makes it necessary: where no beat was told, which half is it?"""

NOTE_ON, CONTROL, DOWN = 0x90, 0xB0, 64
PEDALS = range(64, 70)
"""Controllers that are pedals; others, such as a wheel, tap nothing."""


class Told(Enum):
    """What the soloist has said of the tempo before his first note."""

    NOTHING = "nothing"
    TEMPO = "tempo"
    FIRST_BEAT = "the tempo, and that the first note is on a beat"
    COUNT_IN = "count-in"
    TAPS = "his first four notes are a count-in"


@dataclass(frozen=True, slots=True)
class Steering:
    """How the clock is steered.

    Attributes
    ----------
    follows : bool
        Whether it follows the soloist; otherwise only what he taps.
    tightness : float
        0 follows in two beats, 0.5 in one, 1 in half a beat.
    lead_frames : int
        From a cut-off to the moment that it decides.
    told : Told
        What is known at the start.
    tap_pedal : int or None
        The controller whose presses are beats.
    forgets : bool
        Whether nobody needs the clock from its start.
    lead_margin : float
        The lead still holds when the tempo has risen so much since it was counted.
    restart_tick : int or None
        Where in a bar the first note of another song is; None if the bars go on.
    """

    follows: bool
    tightness: float
    lead_frames: int
    told: Told
    tap_pedal: int | None = None
    forgets: bool = False
    lead_margin: float = LEAD_MARGIN
    restart_tick: int | None = None


@dataclass(frozen=True, slots=True)
class _Placing:
    """The clock is being wound on to ``end``: a note at ``seconds`` is ``tick``."""

    seconds: float
    tick: int
    end: int


class Pacer:
    """Keeps one clock with one soloist.

    Parameters
    ----------
    tracker : PulseTracker
        Hears what he plays.
    meter : Meter
        Its felt pulse is what is followed.
    first : Anchor
        Rate, tempo and position of the clock before it starts.
    steering : Steering
        How closely, and what is known.

    Attributes
    ----------
    timeline : Timeline
        The clock, from its start, or some minutes ago, to the last change that was
        asked for.
    period : float
        The soloist's tempo: seconds a pulse.
    is_settled : bool
        Whether the band may come in.
    lead_frames : int
        From a cut-off to the moment that it decides.
    """

    def __init__(
        self, tracker: PulseTracker, meter: Meter, first: Anchor, steering: Steering
    ) -> None:
        self._tracker = tracker
        self._meter = meter
        self._pulse_ticks = meter.pulse_ticks
        self._first = first
        self._rate = first.rate
        self._steering = steering
        self.lead_frames = steering.lead_frames
        self.begin(first.tick_fp // ONE_TICK, first.frame)

    @property
    def ns_per_quarter(self) -> int:
        """The soloist's tempo, in nanoseconds a quarter."""
        return self._ns(self.period)

    @property
    def bpm(self) -> float:
        """The soloist's tempo, in quarters a minute."""
        return ns_per_quarter_to_bpm(self.ns_per_quarter)

    @property
    def lead_ticks(self) -> int:
        """Ticks that last the lead, at this tempo and at a somewhat faster one."""
        frames = math.ceil(self.lead_frames * self._steering.lead_margin)
        per_tick = self.ns_per_quarter * self._rate
        return -(-frames * TICKS_PER_QUARTER * 10**9 // per_tick) + 1

    @property
    def seeks(self) -> bool:
        """Whether the soloist has told nothing, and tempo and bars are guessed."""
        return self._steering.told is Told.NOTHING

    @property
    def wound_to(self) -> int:
        """The tick to which the clock was last wound on: all before passes at once."""
        return self._wound

    @property
    def is_counted_in(self) -> bool:
        """Whether what comes now is music, and no longer a tap of the count-in."""
        return self._is_counted_in

    def begin(self, tick: int, frame: int) -> None:
        """Start the clock: ``tick`` is at ``frame``."""
        ns = self._first.ns_per_quarter
        start = Anchor(frame, tick * ONE_TICK, ns, self._rate)
        self.timeline = Timeline.from_anchor(start)
        self._start_frame = frame
        self.period = ns * self._pulse_ticks / TICKS_PER_QUARTER / 1e9
        self._taps: deque[float] = deque(maxlen=TAPS)
        self._pedals_down: set[int] = set()
        self._rests = False
        self._told_period: float | None = None
        self._placing: _Placing | None = None
        self._sure_onsets = 0
        self._first_note: tuple[float, int] | None = None
        self._counted_from: tuple[float, int] | None = None
        self._level_since: float | None = None
        self._is_placed = True
        self._nudged = 0.0
        self._wound = tick
        told = self._steering.told
        self._is_counted_in = told is not Told.TAPS
        self.is_settled = told is not Told.NOTHING
        # What is followed: ticks a beat of the tracker's, None if it is out of reach.
        self._followed: int | None = self._pulse_ticks
        self._tracker.reset()
        if told is Told.TEMPO:
            self._track(self.period)
        elif told in (Told.FIRST_BEAT, Told.COUNT_IN):
            beat_tick = -(-tick // self._pulse_ticks) * self._pulse_ticks
            beat = self._seconds(self.timeline.tick_to_frame(beat_tick))
            self._track(self.period, beat, beat_tick, counted=told is Told.COUNT_IN)

    def change_rate(self, frame: int, rate: int) -> None:
        """Count frames at another rate from ``frame`` on; seconds and ticks go on."""
        now = self.timeline.frame_to_tick(frame)
        old = self.timeline.anchor_at(now)
        later = [
            (start, anchor.ns_per_quarter)
            for start, anchor in zip(
                self.timeline.starts, self.timeline.anchors, strict=True
            )
            if start > now
        ]
        self._start_frame = frame - round(self._seconds(frame) * rate)
        self._rate = rate
        self._first = replace(self._first, rate=rate)
        exact = frame_to_tick_fp(old, frame)
        self.timeline = Timeline.from_anchor(
            Anchor(frame, exact, old.ns_per_quarter, rate)
        )
        for start, ns_per_quarter in later:
            self.timeline = self.timeline.with_tempo(start, ns_per_quarter)

    def rest(self) -> None:
        """Hear that the band has ended: the next note is the first of another song.

        What was counted in or tapped was for this one.
        """
        self._rests = True
        if self._steering.told not in (Told.TEMPO, Told.FIRST_BEAT):
            self._told_period = None

    def place_of(self, frame: int, tick: int) -> int:
        """Return where something played is: while the clock is wound, where it will be.

        Parameters
        ----------
        frame, tick : int
            When it was played, and where the core's clock was then.
        """
        if self._placing is None or tick >= self._placing.end:
            return tick
        beats = (self._seconds(frame) - self._placing.seconds) / self.period
        placed = self._placing.tick + round(beats * self._pulse_ticks)
        return min(placed, self._placing.end)

    def hear(self, report: Report, tick: int) -> list[TempoChange]:
        """Hear the soloist, and say how the clock goes on.

        Parameters
        ----------
        report : Report
            A note, a pedal, such as the one that taps, or a tap by another way.
        tick : int
            Where the core's clock was then.
        """
        self._keep_level(report.frame, tick)
        if report.kind is ReportKind.TAP:
            return self.tap(report.frame)
        seconds = self._seconds(report.frame)
        is_note = report.status == NOTE_ON
        is_press = self._presses(report)
        if self._is_counted_in:
            is_tap = is_press and report.key == self._steering.tap_pedal
        else:
            is_tap = is_press or is_note
        if is_tap:
            return self.tap(report.frame)
        if not is_note:
            return []
        if self._placing is not None and tick >= self._placing.end:
            self._placing = None
        orders = self._begin_song(report.frame, tick) if self._rests else []
        if self._first_note is None:
            self._first_note = seconds, tick
        if not self._steering.follows or self._followed is None:
            return orders
        pulse = self._tracker.hear(seconds, report.key, report.value)
        # Whoever steers the clock while it is wound stops it on its way.
        if self._placing is not None or pulse is None or pulse.confidence < SURE:
            return orders
        pulse = replace(pulse, beat=pulse.beat + self._nudged)
        pulse = self._in_pulses(pulse)
        if not self.is_settled and self._settles(pulse):
            return self._join(report.frame, pulse, self._followed)
        return self._steer(report.frame, pulse, self._followed)

    def nudge(self, frame: int, seconds: float) -> list[TempoChange]:
        """Move the beat, and keep it moved: later by so many seconds, or earlier.

        Parameters
        ----------
        frame : int
            Now.
        seconds : float
            Negative is earlier.
        """
        self._nudged += seconds
        # From a beat after all that was asked for: quick presses add up.
        tick = max(self.timeline.frame_to_tick(frame), self.timeline.starts[-1])
        tick = -(-tick // self._pulse_ticks) * self._pulse_ticks
        beat = self._seconds(self.timeline.tick_to_frame(tick))
        pulse = Pulse(beat + seconds, self.period, 1.0)
        return self._steer(frame, pulse, self._pulse_ticks)

    def tap(self, frame: int) -> list[TempoChange]:
        """Take a tap for a beat; two in a row make a tempo.

        One that fits none before it, after a pause or a missed one, is a first one.
        """
        seconds = self._seconds(frame)
        if self._taps and seconds - self._taps[-1] < SHORTEST_TAP_SECONDS:
            return []
        if self._taps and seconds - self._taps[-1] > LONGEST_TAP_SECONDS:
            self._taps.clear()
        gaps = [b - a for a, b in pairwise([*self._taps, seconds])]
        if gaps and max(gaps) > MOST_UNEVEN * min(gaps):
            self._taps.clear()
            gaps = []
        self._taps.append(seconds)
        if not gaps or (not self._is_counted_in and len(self._taps) < TAPS):
            return []
        pulse = Pulse(seconds, sum(gaps) / len(gaps), 1.0)
        self._nudged = 0.0
        if self._is_counted_in:
            now = self.timeline.frame_to_tick(frame)
            beat_tick = round(now / self._pulse_ticks) * self._pulse_ticks
            orders = self._steer(frame, pulse, self._pulse_ticks)
        else:
            self._is_counted_in = True
            beat_tick = -self._pulse_ticks
            orders = self._place(frame, pulse, self._pulse_ticks, beat_tick)
        self._track(pulse.period, pulse.beat, beat_tick)
        return orders

    def _presses(self, report: Report) -> bool:
        """Tell whether a pedal has just gone down: many send all the way."""
        if report.status != CONTROL or report.key not in PEDALS:
            return False
        was_down = report.key in self._pedals_down
        if report.value >= DOWN:
            self._pedals_down.add(report.key)
        else:
            self._pedals_down.discard(report.key)
        return report.value >= DOWN and not was_down

    def _track(
        self,
        period: float,
        beat: float | None = None,
        beat_tick: int = 0,
        *,
        counted: bool = True,
        told: bool = True,
    ) -> None:
        """Tell the tracker a tempo, and perhaps a beat, as beats that it can follow."""
        if told:
            self._told_period = period
        self._followed = followed_ticks(self._meter, period)
        if self._followed is None:
            self.is_settled = True  # it holds what was told
            return
        share = self._followed / self._pulse_ticks
        if beat is not None:
            beat -= beat_tick % self._followed / self._pulse_ticks * period
        self._tracker.reset(period * share, beat, counted=counted, told=told)

    # ---- another song ----

    def _begin_song(self, frame: int, tick: int) -> list[TempoChange]:
        """Begin anew with this note: nothing of the old phase holds.

        A tempo that is told does; otherwise it begins with that of the song before.
        """
        self._rests = False
        self._sure_onsets = 0
        self._first_note = self._counted_from = self._level_since = None
        self._is_placed = self._steering.restart_tick is not None
        period = self._told_period or self.period
        is_told = self._told_period is not None
        orders: list[TempoChange] = []
        place = self._steering.restart_tick
        if place is not None:
            orders = self._restart(frame, tick, place, period)
        if self.seeks and not is_told:
            self.is_settled = False
            self._followed = self._pulse_ticks
            near = min(max(period, SHORTEST_PERIOD), LONGEST_PERIOD)
            self._tracker.reset(near, told=False)
        else:
            beat, beat_tick = self._first_note or (None, 0)
            self._track(period, beat, beat_tick, counted=False, told=is_told)
        return orders

    def _restart(
        self, frame: int, tick: int, place: int, period: float
    ) -> list[TempoChange]:
        """Wind the clock on so that this note is at that place of a bar."""
        seconds, bar = self._seconds(frame), self._meter.bar_ticks
        first = tick + 1 + (place - tick - 1) % bar
        pulse = Pulse(seconds, period, 1.0)
        orders = self._place(frame, pulse, self._pulse_ticks, first)
        end = orders[-1].tick
        since = self._seconds(self.timeline.tick_to_frame(end)) - seconds
        bars = (end - since / period * self._pulse_ticks - first) / bar
        first += round(bars) * bar
        self._first_note = seconds, first
        self._nudged = 0.0
        self._placing = _Placing(seconds, first, end)
        return orders

    # ---- finding the tempo ----

    def _settles(self, pulse: Pulse) -> bool:
        """Tell whether the tempo is found, after some notes that agree on it."""
        self._sure_onsets = self._sure_onsets + 1 if pulse.confidence >= SETTLED else 0
        self.is_settled = (
            self._sure_onsets >= SETTLED_ONSETS
            and self._beats_since_first(pulse) >= SETTLED_BEATS
        )
        return self.is_settled

    def _join(self, heard: int, pulse: Pulse, ticks: int) -> list[TempoChange]:
        """Put the bar line where it is if the first note was where it should be."""
        assert self._first_note is not None
        beats = round(self._beats_since_first(pulse))
        first = round(self._first_note[1] / ticks) * ticks
        beat_tick = first + beats * ticks
        tick, since = self._free(heard, pulse)
        behind = beat_tick + since * ticks - tick
        half = ticks / 2
        if (behind + half) % self._meter.bar_ticks <= ticks:
            return self._steer(heard, pulse, ticks)
        return self._place(heard, pulse, ticks, beat_tick)

    def _beats_since_first(self, pulse: Pulse) -> float:
        if self._first_note is None:
            return 0.0
        return (pulse.beat - self._first_note[0]) / pulse.period

    def _in_pulses(self, pulse: Pulse) -> Pulse:
        """Take a quarter for two pulses where those are eighths, as in 7/8.

        The tracker knows nothing of the meter, and finds quarters.
        """
        is_eighth = 2 * self._pulse_ticks == TICKS_PER_QUARTER
        if self.seeks and is_eighth and pulse.period > LONGEST_EIGHTH:
            return replace(pulse, period=pulse.period / 2)
        return pulse

    # ---- the clock ----

    def _steer(self, heard: int, pulse: Pulse, ticks: int) -> list[TempoChange]:
        """Make up for the difference within the next beats, then keep his tempo.

        The pulse's beats have so many ticks.
        """
        self.period = pulse.period * self._pulse_ticks / ticks
        tick, since = self._free(heard, pulse)
        number = self._number(pulse, ticks)
        ahead = since - tick / ticks
        if number is None:
            ahead = (ahead + 0.5) % 1.0 - 0.5
        else:
            ahead += number
        self._count_on(pulse, None if number is None else number * ticks, ahead)
        reach = REACH if self.is_settled else SEARCH_REACH
        beats = max(2.0 ** (1 - 2 * self._steering.tightness), abs(ahead) / reach)
        travel = beats + ahead
        level = tick + round(travel * ticks)
        return self._change((tick, self.period * beats / travel), (level, self.period))

    def _number(self, pulse: Pulse, ticks: int) -> int | None:
        """Count the pulse's beat from the clock's beat 0, or give None.

        In the first beats after the first note, if that note was where the clock had
        it. Later the clock has the number, and only the phase is in question.
        """
        if self._first_note is None or pulse.confidence < SETTLED:
            return None
        if not self._is_placed:  # it came on any beat, after an ending
            return None
        is_told = self._steering.told in (Told.FIRST_BEAT, Told.COUNT_IN)
        since_first = self._beats_since_first(pulse)
        if not is_told or not 0 <= since_first <= NUMBERED_BEATS:
            return None
        seconds, tick = self._counted_from or self._first_note
        return round(tick / ticks + (pulse.beat - seconds) / pulse.period)

    def _count_on(self, pulse: Pulse, tick: int | None, ahead: float) -> None:
        """Count from this beat's tick on, if the clock was level for some beats."""
        if tick is None or abs(ahead) > LEVEL:
            self._level_since = None
        elif self._level_since is None:
            self._level_since = pulse.beat
        elif pulse.beat - self._level_since >= LEVEL_BEATS * pulse.period:
            self._counted_from = pulse.beat, tick

    def _place(
        self, heard: int, pulse: Pulse, ticks: int, beat_tick: int
    ) -> list[TempoChange]:
        """Wind the clock on so that the pulse's beat is, or was, at a tick.

        Only while nobody plays: the bars in between pass in a few milliseconds, in
        which he goes on too.
        """
        self.period = pulse.period * self._pulse_ticks / ticks
        tick, since = self._free(heard, pulse)
        behind = beat_tick + since * ticks - tick
        bar = self._meter.bar_ticks
        behind += max(0, math.ceil((1 - behind) / bar)) * bar
        behind /= 1 - self._ns(0.0) / self.ns_per_quarter
        self._wound = tick + round(behind)
        return self._change((tick, 0.0), (self._wound, self.period))

    def _free(self, heard: int, pulse: Pulse) -> tuple[int, float]:
        """Return the first tick that may change, in beats since the pulse's too.

        Never one that the clock is wound past: it would stop on its way.
        """
        free = heard + max(round(FREEZE_SECONDS * self._rate), self.lead_frames)
        tick = max(self.timeline.frame_to_tick(free) + 1, self._wound)
        seconds = self._seconds(self.timeline.tick_to_frame(tick))
        return tick, (seconds - pulse.beat) / pulse.period

    def _seconds(self, frame: int) -> float:
        """Return seconds since the start: the same wherever the frames began."""
        return (frame - self._start_frame) / self._rate

    def _change(self, *tempi: tuple[int, float]) -> list[TempoChange]:
        changes = [TempoChange(tick, self._ns(period)) for tick, period in tempi]
        for change in changes:
            self.timeline = self.timeline.with_tempo(change.tick, change.ns_per_quarter)
        if self._steering.forgets:
            self.timeline = self.timeline.latest()
        return changes

    def _ns(self, period: float) -> int:
        """Return nanoseconds a quarter, within what the clock can do."""
        ns = round(period * 1e9 * TICKS_PER_QUARTER / self._pulse_ticks)
        return min(max(ns, NS_PER_MINUTE // MAX_BPM), NS_PER_MINUTE // MIN_BPM)

    def _keep_level(self, frame: int, tick: int) -> None:
        """Set the mirror right where a change came late and the core began it later."""
        if abs(self.timeline.frame_to_tick(frame) - tick) > 1:
            now = self.timeline.anchor_at(tick)
            anchor = Anchor(frame, tick * ONE_TICK, now.ns_per_quarter, self._rate)
            old = list(zip(self.timeline.starts, self.timeline.anchors, strict=True))
            past = [(start, each) for start, each in old if start < tick]
            starts, anchors = zip(*past, (tick, anchor), strict=True)
            self.timeline = Timeline(anchors, starts)
            for start, each in old:
                if start > tick:
                    self.timeline = self.timeline.with_tempo(start, each.ns_per_quarter)


def followed_ticks(meter: Meter, period: float) -> int | None:
    """Return ticks of the beats that the tracker follows at a tempo.

    The felt pulse; its halves (thirds in 6/8) where it is slower than
    `SLOWEST_PERIOD`; two to four pulses together, if they divide the bar, where it is
    faster than the tracker can hear. None if there is no such beat.

    Parameters
    ----------
    meter : Meter
    period : float
        Seconds a pulse.
    """
    pulse = meter.pulse_ticks
    parts = [meter.beat_ticks // 2**n for n in range(4)]
    joined = [n * pulse for n in (2, 3, 4) if meter.bar_ticks % (n * pulse) == 0]
    candidates: list[int] = [pulse, *parts, *joined]
    for ticks in candidates:
        if SHORTEST_PERIOD <= period * ticks / pulse <= SLOWEST_PERIOD:
            return ticks
    return None
