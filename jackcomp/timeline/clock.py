"""Frames and ticks, computed from an anchor.

Everything is exact integer arithmetic with floor division, for negative numbers
too; the C core (``engine/core/clock.c``) computes the same, bit for bit. A frame
is the floor of an exact position; the anchor's tick keeps the fraction of a frame
in 32.32 fixed point, so that tempo changes do not add up to a drift.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from jackcomp.timeline.meter import TICKS_PER_QUARTER

ONE_TICK = 1 << 32
NS_PER_MINUTE = 60_000_000_000
MIN_BPM, MAX_BPM = 1, 10_000
KEPT_CHANGES = 512
"""Tempo changes that are remembered where nobody needs all: some minutes."""

# Unit of the exact position of a tick: this many to a frame.
_FRAME = TICKS_PER_QUARTER * 1_000_000_000 * ONE_TICK


@dataclass(frozen=True, slots=True)
class Anchor:
    """A frame and a tick that coincide, and the tempo from there.

    Attributes
    ----------
    frame : int
        Absolute frame, not wrapped.
    tick_fp : int
        Exact tick at the start of that frame, times `ONE_TICK`.
    ns_per_quarter : int
        Tempo, in nanoseconds a quarter; positive.
    rate : int
        Frames a second; positive.
    """

    frame: int
    tick_fp: int
    ns_per_quarter: int
    rate: int


def tick_to_frame(anchor: Anchor, tick: int) -> int:
    """Return the frame in which a tick falls, earlier ticks than the anchor's too."""
    return anchor.frame + _position(anchor, tick) // _FRAME


def frame_to_tick(anchor: Anchor, frame: int) -> int:
    """Return the largest tick that falls in ``frame`` or before it."""
    # floor(position / _FRAME) <= k  means  position <= (k + 1) * _FRAME - 1
    last_position = (frame - anchor.frame + 1) * _FRAME - 1
    speed = anchor.ns_per_quarter * anchor.rate
    return (anchor.tick_fp + last_position // speed) // ONE_TICK


def frame_to_tick_fp(anchor: Anchor, frame: int) -> int:
    """Return the tick at the start of ``frame`` times `ONE_TICK`, rounded down."""
    speed = anchor.ns_per_quarter * anchor.rate
    return anchor.tick_fp + (frame - anchor.frame) * _FRAME // speed


def retempo(anchor: Anchor, tick: int, ns_per_quarter: int) -> Anchor:
    """Return the anchor for a new tempo from ``tick`` on.

    Old and new anchor agree on the frame of ``tick``.

    Parameters
    ----------
    anchor : Anchor
        What held until now.
    tick : int
        Where the tempo changes.
    ns_per_quarter : int
        The new tempo, in nanoseconds a quarter; positive.

    Returns
    -------
    Anchor
        Its tick is low by less than 2**-32: what falls exactly on a frame stays
        there. It is high by as little only where the next frame is nearer than that.
    """
    frames, rest = divmod(_position(anchor, tick), _FRAME)
    speed = ns_per_quarter * anchor.rate
    behind = -(-rest // speed)
    if behind * speed >= _FRAME:
        behind -= 1
    tick_fp = tick * ONE_TICK - behind
    return Anchor(anchor.frame + frames, tick_fp, ns_per_quarter, anchor.rate)


def bpm_to_ns_per_quarter(bpm: float) -> int:
    """Convert quarters a minute to nanoseconds a quarter.

    Raises
    ------
    ValueError
        If ``bpm`` is not a number from `MIN_BPM` to `MAX_BPM`.
    """
    if not MIN_BPM <= bpm <= MAX_BPM:
        raise ValueError(
            f"tempo {bpm}: expected {MIN_BPM} to {MAX_BPM} quarters a minute"
        )
    return round(NS_PER_MINUTE / bpm)


def ns_per_quarter_to_bpm(ns_per_quarter: int) -> float:
    """Convert nanoseconds a quarter to quarters a minute, for the screen."""
    return NS_PER_MINUTE / ns_per_quarter


@dataclass(frozen=True, slots=True)
class Timeline:
    """A tempo map: anchors in order, each valid from its tick on.

    The first one is valid before its tick too. Never changed in place:
    `with_tempo` returns a new one.

    Attributes
    ----------
    anchors : tuple of Anchor
        At least one; neighbours agree on the frame of the tick where they meet.
    starts : tuple of int
        The tick from which each anchor is valid, ascending.
    """

    anchors: tuple[Anchor, ...]
    starts: tuple[int, ...]

    @classmethod
    def from_anchor(cls, anchor: Anchor) -> Timeline:
        """Return the timeline of one steady tempo."""
        return cls((anchor,), (-(-anchor.tick_fp // ONE_TICK),))

    def with_tempo(self, tick: int, ns_per_quarter: int) -> Timeline:
        """Return this timeline with a new tempo from ``tick`` on.

        Changes at that tick or after it are forgotten; one at or before the
        first tick sets the tempo of the whole.
        """
        kept = bisect_left(self.starts, tick)
        anchor = retempo(self.anchors[max(kept - 1, 0)], tick, ns_per_quarter)
        return Timeline((*self.anchors[:kept], anchor), (*self.starts[:kept], tick))

    def latest(self, count: int = KEPT_CHANGES) -> Timeline:
        """Return this timeline, of twice as many anchors at most the last ``count``."""
        if len(self.anchors) <= 2 * count:
            return self
        return Timeline(self.anchors[-count:], self.starts[-count:])

    def tick_to_frame(self, tick: int) -> int:
        """Return the frame in which a tick falls."""
        return tick_to_frame(self.anchor_at(tick), tick)

    def frame_to_tick(self, frame: int) -> int:
        """Return the largest tick that falls in ``frame`` or before it."""
        index = bisect_right(self.anchors, frame, key=lambda anchor: anchor.frame)
        return frame_to_tick(self.anchors[max(index - 1, 0)], frame)

    def anchor_at(self, tick: int) -> Anchor:
        """Return the anchor that is valid at ``tick``."""
        return self.anchors[max(bisect_right(self.starts, tick) - 1, 0)]

    def seconds(self, tick: int) -> float:
        """Return the seconds from tick 0 to ``tick``, to a frame; for the screen."""
        return (self.tick_to_frame(tick) - self.tick_to_frame(0)) / self.anchors[0].rate


def _position(anchor: Anchor, tick: int) -> int:
    """Return how far a tick is from the anchor's frame, in units of ``_FRAME``."""
    ticks_fp = tick * ONE_TICK - anchor.tick_fp
    return ticks_fp * anchor.ns_per_quarter * anchor.rate
