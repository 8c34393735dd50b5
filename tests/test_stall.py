"""When the worker stalls: the cycle goes on without it, and nobody is to hear it.

The worker's part of the offline host is left out for a while: what it hears waits in
the ring, as live while its thread is blocked.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from jackcomp import duo
from jackcomp.arranger.pattern import list_styles
from jackcomp.config import Settings
from jackcomp.engine.link import Engine, send_all
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.messages import Part, PlannedNote, Replace, Report
from jackcomp.timeline.clock import Anchor, Timeline
from jackcomp.timeline.meter import parse_meter

pytestmark = pytest.mark.slow

RATE = 48_000
NS_PER_QUARTER = 480_000_000
TIMELINE = Timeline.from_anchor(Anchor(0, 0, NS_PER_QUARTER, RATE))
FOUR = parse_meter("4/4")
BAR_FRAMES = TIMELINE.tick_to_frame(FOUR.bar_ticks)
PERIOD = 256
PHRASE = (72, 76, 79, 76, 84, 79, 76, 74, 69, 72, 77, 72, 74, 71, 67, 71)
STALL_FROM = 6 * BAR_FRAMES + 12_345
STALL_FRAMES = 2 * RATE


@dataclass
class Performance:
    """What was played, and what the core had been told when the stall began."""

    on: list[Report] = field(default_factory=list)
    off: list[Report] = field(default_factory=list)
    plan: list[PlannedNote] = field(default_factory=list)
    planned_from: int = 0
    late: int = 0
    vamped: int = 0
    decided_last: int = 0

    def onsets(self, start: int, end: int) -> list[Report]:
        return [report for report in self.on if start <= report.frame < end]

    def longest_gap(self) -> int:
        frames = sorted({report.frame for report in self.on})
        return max(later - frame for frame, later in pairwise(frames))


def solo(bars: int) -> list[TimedMessage]:
    """Play eighths; the last one is released too."""
    eighth = BAR_FRAMES // 8
    return [
        TimedMessage(place * eighth + shift, bytes((status, PHRASE[place % 16], 80)))
        for place in range(bars * 8)
        for shift, status in ((0, 0x90), (eighth - 1, 0x80))
    ]


@pytest.fixture(scope="module")
def models():
    return duo.load_models()


@pytest.fixture
def perform(models):
    """Play for some bars, with a worker that stalls over a span of frames."""

    def play(style: str, bars: int, stall: range) -> Performance:
        settings = Settings(style=style, end_after=0)
        lead = duo.lead_frames(settings, RATE, PERIOD)
        place = duo.Place(FOUR, NS_PER_QUARTER, RATE, lead)
        accompanist = duo.build_accompanist(
            settings, place, fastest_ns_per_quarter=NS_PER_QUARTER, models=models
        )
        start = duo.engine_settings(settings, place, start="count-in", start_tick=0)
        engine = Engine(RATE, start)
        host = OfflineHost(engine, solo(bars), period=PERIOD, audio=False)
        host.end = bars * BAR_FRAMES
        found = Performance()
        waiting = duo.first_orders(settings)

        def think() -> None:
            nonlocal waiting
            take_down(engine, found)
            if host.frame in stall:
                return
            for report in engine.heard():
                orders = accompanist.hear(report)
                waiting = send_all(engine, waiting + orders)
                if host.frame < stall.start:
                    follow(found, orders)

        for _ in host.run(think):
            pass
        counters = engine.counters()
        found.late, found.vamped = counters.late_events, counters.vamped_bars
        found.decided_last = accompanist.outlook.tick
        host.end = None
        engine.ask_stop()
        next(host.run(lambda: take_down(engine, found)))
        engine.close()
        return found

    return play


def take_down(engine: Engine, found: Performance) -> None:
    for report in engine.played():
        kept = {0x90: found.on, 0x80: found.off}.get(report.status & 0xF0)
        if kept is not None:
            kept.append(report)


def follow(found: Performance, orders: list) -> None:
    """Keep the plan as the core has it after these orders."""
    for order in orders:
        if isinstance(order, Replace):
            found.plan = [note for note in found.plan if note.tick < order.tick]
            found.plan += order.notes
            found.planned_from = order.tick


NEVER = range(0)
STALL = range(STALL_FROM, STALL_FROM + STALL_FRAMES)


def assert_exact(found: Performance) -> None:
    """Every note was struck in its frame, and released."""
    assert found.late == 0
    assert all(r.frame == TIMELINE.tick_to_frame(r.tick) for r in found.on)
    keys = sorted((report.part, report.key) for report in found.on)
    assert keys == sorted((report.part, report.key) for report in found.off)


@pytest.mark.parametrize("style", list_styles())
def test_a_stall_of_two_seconds_changes_no_notes_timing_and_leaves_no_gap(
    style, perform
):
    calm, stalled = perform(style, 12, NEVER), perform(style, 12, STALL)
    assert_exact(calm)
    assert_exact(stalled)
    # What was planned is what sounds, tick by tick, for as long as nobody thinks.
    planned = {
        (note.tick, note.part, note.key)
        for note in stalled.plan
        if stalled.planned_from < note.tick
        and TIMELINE.tick_to_frame(note.tick) < STALL.stop
    }
    first = TIMELINE.tick_to_frame(stalled.planned_from) + 1
    sounded = stalled.onsets(first, STALL.stop)
    assert {(r.tick, Part(r.part), r.key) for r in sounded} == planned
    assert len(sounded) == len(planned) > 0
    # The plan is made as the calm worker would have made it.
    before = STALL.start
    assert stalled.onsets(0, before) == calm.onsets(0, before)
    assert stalled.longest_gap() <= calm.longest_gap()
    # Afterwards the worker is there again.
    assert stalled.decided_last == calm.decided_last


@pytest.mark.parametrize("style", list_styles())
def test_ten_seconds_without_a_worker_keep_half_of_the_notes(style, perform):
    bars = 6 + 16
    found = perform(style, bars, range(STALL_FROM, bars * BAR_FRAMES))
    assert_exact(found)
    assert found.vamped > 0
    # From the first chord to the stall, and from ten seconds into it.
    before = found.onsets(2 * BAR_FRAMES, 6 * BAR_FRAMES)
    alone = STALL_FROM + 10 * RATE
    first_bar = -(-alone // BAR_FRAMES)
    after = found.onsets(first_bar * BAR_FRAMES, bars * BAR_FRAMES)
    density = len(after) / (bars - first_bar)
    assert bars - first_bar >= 4
    assert density >= len(before) / 4 / 2
    assert {report.part for report in after} == {report.part for report in before}
