"""An audit through a real graph: everything comes in the very frame of its tick.

The engine is fed by orders, without an accompanist: bars full of notes and a click,
with tempo changes. A listener of its own, in C, writes down at which frame of the
server each note-on and each click came; ``timeline/`` says where they belong.

The server freewheels, so that a busy machine is no excuse; and once it does not, but
waits for its clients. Where it then calls them too late, frames are lost that nobody
can bring back: a take in which that happened proves nothing and is played again.
"""

import random
import subprocess
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jackcomp.engine.link import Engine, EngineSettings
from jackcomp.messages import (
    Cutoff,
    Part,
    PlannedNote,
    Replace,
    ReportKind,
    TempoChange,
)
from jackcomp.timeline.clock import Anchor, Timeline

pytestmark = [pytest.mark.jack, pytest.mark.slow]

PATIENCE = 30.0
EVENTS = 10_000
"""Audited at each period."""

MOST_TAKES = 20
BAR, PULSE, BARS = 7680, 1920, 3
NOTES, TEMPOS = 1000, 5
"""In a bar."""

CHANNELS = {Part.CHORDS: 0, Part.BASS: 1, Part.PAD: 2, Part.GUITAR: 3, Part.DRUMS: 9}
CLICK_CHANNEL, CLICK_KEY = 9, 77
NS_PER_QUARTER = 250_000_000
# Clicks so quiet that each one has died away before the next.
SETTINGS = EngineSettings(
    ns_per_quarter=NS_PER_QUARTER,
    bar_ticks=BAR,
    pulse_ticks=PULSE,
    click=((64, 1), (52, 1), (52, 1), (52, 1)),
    click_sounds=True,
    start="transport",
)

StartListener = Callable[..., AbstractContextManager[subprocess.Popen[str]]]


@dataclass(frozen=True)
class Music:
    """Some bars of random notes at changing tempi: orders, and what they mean."""

    notes: tuple[PlannedNote, ...]
    tempos: tuple[TempoChange, ...]

    @classmethod
    def random(cls, seed: int) -> "Music":
        dice = random.Random(seed)
        notes = tuple(
            PlannedNote(
                tick=dice.randrange(BARS * BAR),
                duration=dice.randrange(1, 100),
                part=dice.choice(tuple(CHANNELS)),
                key=dice.randrange(20, 70),
                velocity=100,
            )
            for _ in range(BARS * NOTES)
        )
        changes = sorted(dice.sample(range(BARS * BAR), BARS * TEMPOS))
        tempos = tuple(
            TempoChange(tick, dice.randrange(180_000_000, 280_000_000))
            for tick in changes
        )
        return cls(notes, tempos)

    def orders(self) -> Iterator[Replace | TempoChange | Cutoff]:
        """Give all orders; the core says when the last bar is over."""
        yield from self.tempos
        for bar in range(BARS):
            start, end = bar * BAR, (bar + 1) * BAR
            notes = tuple(note for note in self.notes if start <= note.tick < end)
            for place in range(0, len(notes), NOTES):
                part = notes[place : place + NOTES]
                generation = 1 + 10 * bar + place // NOTES
                # Nothing lies there yet, so nothing is taken away.
                yield Replace(
                    *(generation, BARS * BAR, end, tuple(CHANNELS), part),
                    deadline=False,
                    vamp=False,
                )
        yield Cutoff(BARS * BAR + PULSE, 1)

    def timeline(self, start_frame: int, rate: int) -> Timeline:
        timeline = Timeline.from_anchor(Anchor(start_frame, 0, NS_PER_QUARTER, rate))
        for change in self.tempos:
            timeline = timeline.with_tempo(change.tick, change.ns_per_quarter)
        return timeline


@dataclass(frozen=True)
class Heard:
    """What came, by frame of the server, and where frames were lost."""

    notes: Counter[tuple[int, int, int]]
    clicks: set[int]
    lost: set[int]

    @classmethod
    def read(cls, lines: list[str]) -> "Heard":
        rows = [(kind, *map(int, rest)) for kind, *rest in map(str.split, lines)]
        return cls(
            Counter(
                (frame, status & 0x0F, key)
                for _, frame, status, key in (r for r in rows if r[0] == "note")
            ),
            # A sine begins with zero: what is heard first is its second sample.
            {row[1] - 1 for row in rows if row[0] == "sound"},
            {row[1] for row in rows if row[0] == "lost"},
        )

    def within(self, span: range) -> "Heard":
        notes = {slot: n for slot, n in self.notes.items() if slot[0] in span}
        return Heard(
            Counter(notes),
            {frame for frame in self.clicks if frame in span},
            {frame for frame in self.lost if frame in span},
        )


def expected(music: Music, timeline: Timeline) -> Heard:
    """Lay out what has to come from beat one to the end of the last bar."""
    clicks = {timeline.tick_to_frame(tick) for tick in range(0, BARS * BAR, PULSE)}
    notes = Counter(
        (timeline.tick_to_frame(note.tick), CHANNELS[note.part], note.key)
        for note in music.notes
    )
    notes.update((frame, CLICK_CHANNEL, CLICK_KEY) for frame in clicks)
    return Heard(notes, clicks, set())


@pytest.fixture
def start_listener(tmp_path: Path) -> StartListener:
    """Compile the listener; give what starts it."""
    program = tmp_path / "listener"
    flags = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2")
    source = Path(__file__).with_name("listener.c")
    subprocess.run(["cc", *flags, source, "-ljack", "-o", program], check=True)

    @contextmanager
    def start(server: str, *sources: str) -> Iterator[subprocess.Popen[str]]:
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [program, server, *sources], stdin=pipe, stdout=pipe, text=True
        ) as process:
            assert process.stdout.readline() == "ready\n"
            yield process

    return start


@contextmanager
def rolling(server: str, *, freewheel: bool) -> Iterator[Callable[[], None]]:
    """Let the transport roll from its beginning; freewheel meanwhile if asked to.

    Gives what stops the transport.
    """
    from jackcomp.engine.host import open_client

    client = open_client("conductor", server)
    changed = threading.Event()
    client.set_freewheel_callback(lambda _is_on: changed.set())
    client.activate()

    def switch(*, is_on: bool) -> None:
        changed.clear()
        client.set_freewheel(is_on)
        assert changed.wait(PATIENCE), "the server does not answer"

    try:
        if freewheel:
            switch(is_on=True)
        client.transport_frame = 0
        client.transport_start()
        yield client.transport_stop
    finally:
        # JACK hangs if a client is closed while it freewheels.
        if freewheel:
            switch(is_on=False)
        client.close()


def play(
    music: Music, server: str, start_listener: StartListener, *, freewheel: bool
) -> tuple[Heard, Heard, dict[str, object]]:
    """Play it; give what was heard, what should have been, and what disturbed it."""
    from jackcomp.engine.host import JackHost, open_client

    with ExitStack() as stack:
        client = open_client("audit", server)
        engine = Engine(client.samplerate, SETTINGS)
        stack.callback(engine.close)
        for order in music.orders():
            assert engine.order(order)
        host = JackHost(client, engine)
        stack.callback(host.stop)
        host.start()
        listener = stack.enter_context(
            start_listener(server, "audit:midi_out", "audit:click")
        )
        reports = []
        with rolling(server, freewheel=freewheel) as stop:
            for end in (ReportKind.CUTOFF, ReportKind.STOPPED):
                while not any(report.kind is end for report in reports):
                    assert engine.wait(PATIENCE), "the server stands still"
                    posts = engine.posts()
                    reports += engine.heard()
                    engine.answer(posts)  # JACK waits for that while it freewheels
                stop()
        heard = Heard.read(listener.communicate()[0].splitlines())
        (started,) = [r for r in reports if r.kind is ReportKind.STARTED]
        timeline = music.timeline(started.frame, client.samplerate)
        ends = (timeline.tick_to_frame(tick) for tick in (0, BARS * BAR))
        heard = heard.within(range(*ends))
        counters = engine.counters()
        disturbances = {
            "late events": counters.late_events,
            "late tempos": counters.late_tempos,
            "lost from frame": sorted(heard.lost)[:10],
        }
        disturbed = {what: found for what, found in disturbances.items() if found}
        return heard, expected(music, timeline), disturbed


@pytest.mark.filterwarnings("always:played again")
@pytest.mark.parametrize(
    ("period", "freewheel"),
    [(64, True), (256, True), (1024, False)],
)
def test_notes_and_clicks_come_in_the_frame_of_their_tick(
    period, freewheel, start_server, start_listener
):
    server = start_server(period, synchronous=not freewheel)
    audited = 0
    for take in range(MOST_TAKES):
        music = Music.random(1000 * period + take)
        heard, wanted, disturbed = play(
            music, server.name, start_listener, freewheel=freewheel
        )
        if disturbed and not freewheel:
            warnings.warn(f"played again: {disturbed}", stacklevel=1)
            continue
        assert disturbed == {}
        assert heard.notes == wanted.notes
        assert heard.clicks == wanted.clicks
        audited += heard.notes.total() + len(heard.clicks)
        if audited >= EVENTS:
            break
    assert audited >= EVENTS
