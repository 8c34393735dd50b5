import struct
import threading
import time

import pytest

from jackcomp import messages
from jackcomp.engine import link
from jackcomp.engine.link import (
    Engine,
    EngineSettings,
    cycle_percentile_us,
    lib,
    send_all,
)
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.messages import (
    Cutoff,
    Part,
    PlannedNote,
    ProgramChange,
    Replace,
    ReportKind,
    TempoChange,
)

RATE = 48_000
PERIOD = 64
SETTINGS = EngineSettings(
    ns_per_quarter=500_000_000, bar_ticks=7680, pulse_ticks=1920, click=((52, 0),) * 4
)
NOTE = PlannedNote(960, 480, Part.CHORDS, 60, 90)


@pytest.fixture
def engine():
    engine = Engine(RATE, SETTINGS)
    yield engine
    engine.close()


def cycles(engine, solo=()):
    """Give a generator that runs one cycle a step, without sound."""
    return OfflineHost(engine, solo, period=PERIOD, audio=False).run(lambda: None)


def run(engine, count, solo=()):
    steps = cycles(engine, solo)
    for _ in range(count):
        next(steps)


def kinds(reports):
    return [report.kind for report in reports]


def test_the_clock_starts_with_the_first_cycle_and_is_counted(engine):
    assert engine.counters().last_tick is None
    run(engine, 3)
    counters = engine.counters()
    assert (counters.cycles, counters.last_frame) == (3, 3 * PERIOD)
    assert counters.last_tick == 3 * PERIOD * 1920 // (RATE // 2)
    (started,) = engine.heard()
    assert (started.kind, started.tick, started.frame) == (ReportKind.STARTED, 0, 0)


def test_a_note_of_the_soloist_is_heard_at_its_own_frame(engine):
    message = TimedMessage(PERIOD + 5, bytes((0x93, 64, 100)))
    run(engine, 2, [message])
    _, heard = engine.heard()
    assert heard == messages.Report(
        kind=ReportKind.MIDI,
        tick=(PERIOD + 5) * 1920 // (RATE // 2),
        frame=PERIOD + 5,
        generation=0,
        status=0x90,
        key=64,
        value=100,
        part=0,
    )
    assert engine.heard() == []


def test_a_plan_is_acknowledged_and_played_at_its_ticks(engine):
    assert engine.order(Replace(1, 960, 7680, (Part.CHORDS,), (NOTE,)))
    assert engine.order(Cutoff(480, 2))
    run(engine, 400)
    assert kinds(engine.heard()) == [
        *(ReportKind.APPLIED, ReportKind.STARTED, ReportKind.CUTOFF)
    ]
    played = [(r.tick, r.frame, r.status, r.key, r.value) for r in engine.played()]
    assert played == [(960, 12_000, 0x90, 60, 90), (1440, 18_000, 0x80, 60, 64)]
    assert (engine.counters().notes_on, engine.counters().notes_off) == (1, 1)


def test_a_plan_that_comes_too_late_is_dropped_and_said_to_be(engine):
    steps = cycles(engine)
    for _ in range(300):
        next(steps)
    engine.heard()
    engine.order(Replace(5, 100, 7680, (Part.CHORDS,), (NOTE,)))
    next(steps)
    (receipt,) = engine.heard()
    assert (receipt.kind, receipt.generation) == (ReportKind.DROPPED, 5)
    assert engine.counters().dropped_decisions == 1
    assert engine.played() == []


@pytest.mark.parametrize(
    "order",
    [
        Replace(1, 0, 1920, (Part.CHORDS,), (PlannedNote(0, 1, Part.CHORDS, 128, 1),)),
        Replace(1, 0, 1920, (Part.CHORDS,), (PlannedNote(0, 1, Part.CHORDS, 60, 0),)),
        Replace(1, 0, 1920, (Part.CHORDS,), (PlannedNote(0, 0, Part.CHORDS, 60, 9),)),
        Replace(1, 0, 1920, (Part.CLICK,), (PlannedNote(0, 1, Part.CLICK, 60, 9),)),
        Replace(1, 0, 1920, (Part.CHORDS,), (NOTE,) * (lib.MAX_BATCH_NOTES + 1)),
        TempoChange(0, 0),
        ProgramChange(Part.CLICK, 0),
        ProgramChange(Part.SOLO, 128),
    ],
)
def test_what_cannot_be_played_never_reaches_the_cycle(engine, order):
    with pytest.raises(ValueError, match="the core cannot play it"):
        engine.order(order)
    run(engine, 1)
    assert kinds(engine.heard()) == [ReportKind.STARTED]


def test_a_full_ring_takes_nothing_of_a_batch_and_later_all_of_it(engine):
    batches = [
        Replace(number, 0, 7680, (Part.CHORDS,), (NOTE,) * 1000)
        for number in range(1, 12)
    ]
    waiting = send_all(engine, batches)
    # Eight batches of 1001 records fit into 8192; what waits is in order.
    assert waiting == batches[8:]
    assert not engine.order(waiting[0])
    run(engine, 1)
    assert send_all(engine, waiting) == []


def test_reports_that_nobody_takes_are_counted_and_their_loss_is_said(engine):
    solo = [
        TimedMessage(0, bytes((0x90, 60, 1 + number % 2)))
        for number in range(lib.RING_RECORDS + 10)
    ]
    steps = cycles(engine, solo)
    next(steps)
    assert engine.counters().heard_overflows == 11  # the start was written too
    while engine.heard():
        pass
    engine.order(Cutoff(0, 1))
    next(steps)
    assert kinds(engine.heard()) == [ReportKind.LOST, ReportKind.CUTOFF]


def test_the_worker_is_woken_by_a_report_and_by_hand(engine):
    assert not engine.wait(0.0)
    run(engine, 1)
    assert engine.wait(10.0)
    assert not engine.wait(0.0)
    engine.wake()
    assert engine.wait(10.0)


def test_waiting_leaves_the_interpreter_to_others(engine):
    woken = threading.Event()

    def wait() -> None:
        if engine.wait(20.0):
            woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    began = time.monotonic()
    engine.wake()
    assert woken.wait(10.0)
    assert time.monotonic() - began < 10.0
    thread.join()


@pytest.mark.parametrize("stops", [True, False])
def test_stop_and_panic_release_what_sounds(engine, stops):
    engine.order(Replace(1, 0, 7680, (Part.CHORDS,), (NOTE,)))
    steps = cycles(engine)
    while engine.counters().notes_on == 0:
        next(steps)
    engine.played()
    has_done = engine.has_stopped if stops else engine.has_panicked
    assert has_done()
    (engine.ask_stop if stops else engine.ask_panic)()
    assert not has_done()
    next(steps)
    assert has_done()
    sent = [(r.status, r.key) for r in engine.played()]
    assert sent[0] == (0x80, 60)
    for channel in (0, 1, 2, 3, 9):
        assert {(0xB0 | channel, 120), (0xB0 | channel, 123)} <= set(sent)
    next(steps)
    assert (engine.counters().last_tick is None) == stops


def test_cycle_times_are_summed_up_to_a_sixteenth_of_an_octave(engine):
    assert cycle_percentile_us(engine.histogram(), 99) == 0.0
    for cycle_ns in (*[100_000] * 98, 1_000_000, 3_000_000):
        lib.engine_measured(engine._engine, cycle_ns, 1_333_000)
    histogram = engine.histogram()
    assert sum(histogram) == 100
    for percent, exact_us in ((50, 100), (99, 1000), (100, 3000)):
        found = cycle_percentile_us(histogram, percent)
        assert exact_us <= found <= 1.07 * exact_us
    counters = engine.counters()
    assert (counters.own_misses, counters.max_cycle_ns) == (1, 3_000_000)


@pytest.mark.parametrize(
    ("layout", "other"),
    [("REPORT_LAYOUT", "=qqII4BIq"), ("ORDER_LAYOUT", "=qqIIBBBBH")],
)
def test_an_import_fails_where_c_and_python_differ(monkeypatch, layout, other):
    monkeypatch.setattr(messages, layout, struct.Struct(other))
    with pytest.raises(ImportError, match=r"the C core and messages\.py differ"):
        link._compare_layouts()


def test_closing_twice_does_no_harm():
    engine = Engine(RATE, SETTINGS)
    engine.close()
    engine.close()
