"""Other clocks: JACK's transport, followed and led; MIDI clock; freewheeling."""

import signal
import threading
from itertools import pairwise

import numpy as np
import pytest

from jackcomp.engine.host import open_client
from jackcomp.solo import read_solo
from jackcomp.timeline.clock import Anchor, Timeline, bpm_to_ns_per_quarter

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]

RATE = 48_000
BPM = 120
BEAT = RATE // 2
BAR = 4 * BEAT
ACCENT, PULSE = 76, 77
PATIENCE = 30.0
ROLLING = 1
SILENCE = 1e-4


class Daw:
    """A client that sees the transport cycle by cycle, and hears ``midi_out``.

    Attributes
    ----------
    cycles : list of tuple
        First frame, whether the transport rolls, its frame, and bar, beat, tick and
        tempo if somebody says so.
    heard : list of (int, int, bytes)
        First frame of the cycle, frame in it, MIDI message.
    peaks : list of float
        How loud the audio input was, a number for each cycle.
    """

    def __init__(self, server, master=None):
        self.client = open_client("daw", server)
        self._in = self.client.midi_inports.register("in")
        self._out = self.client.midi_outports.register("out")
        self._audio = self.client.inports.register("audio")
        self.cycles, self.heard, self.peaks = [], [], []
        self._schedule = []
        self._condition = threading.Condition()
        self.client.set_process_callback(self._process)
        if master is not None:
            self.client.set_timebase_callback(master)
        self.client.activate()

    def _process(self, nframes):
        state, position = self.client.transport_query_struct()
        now = self.client.last_frame_time
        says = (position.bar, position.beat, position.tick, position.beats_per_minute)
        bbt = says if position.valid & 0x10 else None
        self._out.clear_buffer()
        rolls = state == ROLLING
        while rolls and self._schedule:
            offset = self._schedule[0][0] - position.frame
            if offset >= nframes:
                break
            self._out.write_midi_event(max(offset, 0), self._schedule.pop(0)[1])
        self.heard += [
            (now, offset, bytes(data))
            for offset, data in self._in.incoming_midi_events()
        ]
        self.peaks.append(float(np.abs(self._audio.get_array()).max()))
        with self._condition:
            self.cycles.append((now, rolls, position.frame, bbt))
            self._condition.notify_all()

    def wait_for(self, is_true, what):
        """Wait until something holds at the end of a cycle."""
        with self._condition:
            assert self._condition.wait_for(is_true, PATIENCE), what

    def roll_to(self, frame):
        """Wait until the transport rolls and has reached a frame."""
        self.wait_for(
            lambda: self.cycles and self.cycles[-1][1] and self.cycles[-1][2] >= frame,
            f"the transport at {frame}",
        )

    def locate(self, frame):
        """Move the transport, and wait until it has moved."""
        count = len(self.cycles)
        self.client.transport_frame = frame
        self.wait_for(
            lambda: any(frame <= row[2] < frame + BEAT for row in self.cycles[count:]),
            "the relocation",
        )

    def stop(self):
        self.client.transport_stop()
        self.wait_for(lambda: not self.cycles[-1][1], "the stop")

    def play(self, messages):
        """Play messages, their frames those of the transport."""
        self._schedule = list(messages)

    def clicks(self):
        """Give the transport's frame of each click that was struck, and its note."""
        at = {now: (rolls, frame) for now, rolls, frame, _ in self.cycles}
        return [
            (at[now][1] + offset, data[1])
            for now, offset, data in list(self.heard)
            if data[0] == 0x99
        ]

    def is_silent(self):
        """Say whether every note that was struck has been released."""
        sounding = set()
        for _, _, data in list(self.heard):
            if data[0] & 0xF0 in (0x80, 0x90):
                change = sounding.add if data[0] & 0xF0 == 0x90 else sounding.discard
                change((data[0] & 0x0F, data[1]))
        return not sounding

    def close(self):
        self.client.deactivate()
        self.client.close()


@pytest.fixture
def open_daw(jack_server):
    daws = []

    def start(**arguments):
        daws.append(Daw(jack_server.name, **arguments))
        return daws[-1]

    yield start
    for daw in daws:
        daw.close()


@pytest.fixture
def play_with(jack_server, play_live, join_server):
    """Start jackcomp and a soloist; let the DAW hear both clicks and chords."""

    def start(daw, *arguments):
        program = play_live(jack_server.name, "--click", "--end-after", 0, *arguments)
        daw.client.connect("jackcomp:midi_out", "daw:in")
        soloist = join_server("soloist", jack_server.name)
        soloist.speak_to("jackcomp:midi_in")
        return program, soloist

    return start


def tune():
    return [
        (number * BEAT // 2, bytes((status, note, 90)))
        for number in range(200)
        for status, note in (
            (0x80, (60, 64, 67, 72)[(number - 1) % 4]),
            (0x90, (60, 64, 67, 72)[number % 4]),
        )
    ]


# ---- the transport is followed ----


def test_locating_back_and_forth_lands_on_the_right_bar(open_daw, play_with):
    daw = open_daw()
    program, soloist = play_with(daw, "--transport", "follow", "--bpm", BPM)
    soloist.play(tune())
    daw.client.transport_start()
    daw.roll_to(2 * BAR)
    for bar in (7, 0, 20, 3):
        daw.locate(max(bar * BAR - BEAT // 3, 0))
        daw.roll_to(bar * BAR + 5 * BEAT)
    daw.stop()
    program.wait_until(daw.is_silent, "silence")
    clicks = daw.clicks()
    assert len(clicks) > 25
    for frame, note in clicks:
        assert frame % BEAT == 0
        assert note == (ACCENT if frame % BAR == 0 else PULSE)
    assert {frame // BAR for frame, _ in clicks} >= {0, 1, 3, 4, 7, 8, 20, 21}


MASTER_BPM = 150
MASTER_BEAT = RATE * 60 // MASTER_BPM
FIRST_BAR = 3


def lead_in_five_four(_state, _nframes, position, _is_new):
    """Say bars of 5/4 at 150, the first of them number 3, as a timebase master."""
    beats, rest = divmod(position.frame, MASTER_BEAT)
    position.valid = 0x10
    position.bar = FIRST_BAR + beats // 5
    position.beat = 1 + beats % 5
    position.tick = rest * 960 // MASTER_BEAT
    position.bar_start_tick = (position.bar - 1) * 5 * 960
    position.beats_per_bar = 5
    position.beat_type = 4
    position.ticks_per_beat = 960
    position.beats_per_minute = MASTER_BPM


def test_bars_and_tempo_are_those_of_the_timebase_master(open_daw, play_with):
    daw = open_daw(master=lead_in_five_four)
    five = ("--meter", "5/4", "--transport", "follow", "--bpm", BPM)
    program, soloist = play_with(daw, *five)
    soloist.play(tune())
    daw.client.transport_start()
    daw.roll_to(12 * MASTER_BEAT)
    daw.locate(31 * MASTER_BEAT + 5000)
    daw.roll_to(37 * MASTER_BEAT)
    daw.stop()
    program.wait_until(daw.is_silent, "silence")
    clicks = daw.clicks()
    assert len(clicks) >= 16
    for frame, note in clicks:
        beat = round(frame / MASTER_BEAT)
        # The master says whole ticks of its own, 20 frames each.
        assert abs(frame - beat * MASTER_BEAT) <= 20
        assert note == (ACCENT if beat % 5 == 0 else PULSE)
    assert "beats in a bar" not in program.stderr


def test_another_meter_of_the_timebase_master_is_told_once(open_daw, play_with):
    daw = open_daw(master=lead_in_five_four)
    program, _ = play_with(daw, "--transport", "follow")
    daw.client.transport_start()
    daw.roll_to(4 * MASTER_BEAT)
    told = (
        "JACK's timebase master counts 5 beats in a bar, jackcomp 4: start it with the "
        "same --meter"
    )
    program.wait_until(lambda: told in program.stderr, "the message")
    assert program.stderr.count("beats in a bar") == 1


# ---- the transport is led ----


def test_the_daw_follows_the_pianist(open_daw, play_with):
    daw = open_daw()
    lead = ("--transport", "lead", "--start", "first-note", "--bpm", 100)
    program, soloist = play_with(daw, *lead)
    beat_one = soloist.play(tune())
    daw.roll_to(5 * BEAT)
    now = daw.cycles[-1][0]
    timeline = Timeline.from_anchor(
        Anchor(beat_one, 0, bpm_to_ns_per_quarter(100), RATE)
    )
    rolling = [cycle for cycle in daw.cycles if cycle[1] and cycle[0] <= now]
    assert len(rolling) > 100
    for frame, _, position, bbt in rolling:
        bar, beat, tick, bpm = bbt
        told = ((bar - 1) * 4 + beat - 1) * 1920 + tick
        assert abs(told - timeline.frame_to_tick(frame)) <= 1
        assert bpm == pytest.approx(100)
        # JACK starts the transport three cycles after it was asked to, as we expect; on
        # a busy machine one or two later.
        assert position - (frame - beat_one) in (0, -256, -512)
    program.wait_until(lambda: not daw.is_silent(), "the accompaniment")
    daw.stop()
    program.wait_until(daw.is_silent, "silence")


def test_the_daw_follows_a_pianist_who_is_faster_than_he_said(open_daw, play_with):
    daw = open_daw()
    lead = ("--transport", "lead", "--start", "first-note", "--follow-tempo")
    program, soloist = play_with(daw, *lead, "--bpm", 112)
    soloist.play(tune())  # at 120

    def led():
        return [cycle for cycle in list(daw.cycles) if cycle[1] and cycle[3]]

    daw.wait_for(
        lambda: led() and led()[-1][3][3] == pytest.approx(BPM, rel=0.01), "his tempo"
    )
    cycles = led()
    assert cycles[0][3][3] == pytest.approx(112)
    assert len(cycles) > 100
    ticks = [
        ((bar - 1) * 4 + beat - 1) * 1920 + tick
        for _, _, _, (bar, beat, tick, _) in cycles
    ]
    # Bars and beats go on as fast as the tempo says, wherever it changes.
    for (frame, _, _, bbt), (later, *_), tick, next_tick in zip(
        cycles, cycles[1:], ticks, ticks[1:], strict=False
    ):
        expected = (later - frame) * bbt[3] / 60 / RATE * 1920
        assert next_tick - tick == pytest.approx(expected, rel=0.1, abs=1)
    assert len({bbt[3] for _, _, _, bbt in cycles}) > 2
    program.wait_until(lambda: not daw.is_silent(), "the accompaniment")


def test_a_transport_that_is_no_concern_of_ours_changes_nothing(open_daw, play_with):
    daw = open_daw()
    play_with(daw, "--transport", "none", "--bpm", BPM)
    struck = ACCENT, PULSE

    def clicks():
        return [
            now + at
            for now, at, data in list(daw.heard)
            if data[1] in struck and data[0] == 0x99
        ]

    daw.wait_for(lambda: len(clicks()) >= 2, "the count-in")
    daw.client.transport_start()
    daw.roll_to(BEAT)
    daw.locate(20 * BAR)
    daw.stop()
    count = len(clicks())
    daw.wait_for(lambda: len(clicks()) >= count + 4, "a bar more")
    steps = zip(clicks(), clicks()[1:], strict=False)
    assert {later - click for click, later in steps} == {BEAT}


def test_where_another_program_leads_jackcomp_does_not(open_daw, play_with):
    daw = open_daw(master=lead_in_five_four)
    program, _ = play_with(daw, "--transport", "lead", "--start", "first-note")
    assert "another program is JACK's timebase master" in program.stderr
    assert program.process.poll() is None


# ---- MIDI clock ----


def test_midi_clock_sets_the_time(open_daw, play_with):
    daw = open_daw()
    program, _ = play_with(daw, "--midi-clock", "follow")
    daw.client.connect("daw:out", "jackcomp:control_in")
    each, first = 900, 10_000  # 133 quarters a minute
    clocks = [(first + number * each, b"\xf8") for number in range(24 * 8)]
    stop = clocks[-1][0] + 400
    daw.play([(first - 10, b"\xfa"), *clocks, (stop, b"\xfc")])
    daw.client.transport_start()  # it plays in the transport's frames
    daw.roll_to(stop + 24 * each)
    clicks = daw.clicks()
    assert len(clicks) == 8
    for number, (frame, note) in enumerate(clicks):
        # One period late: the DAW hears what it has itself brought about.
        assert abs(frame - first - 24 * each * number) <= 256 + 48
        assert note == (ACCENT if number % 4 == 0 else PULSE)
    program.wait_until(daw.is_silent, "silence")


def test_midi_clock_goes_out_with_the_bars(open_daw, play_with):
    daw = open_daw()
    program, _ = play_with(daw, "--midi-clock", "send", "--bpm", BPM)
    program.wait_until(lambda: len(daw.heard) > 24 * 8, "eight quarters of clock")
    times = {
        status: [now + at for now, at, data in daw.heard if data[0] == status]
        for status in (0xF8, 0xFA)
    }
    steps = zip(times[0xF8], times[0xF8][1:], strict=False)
    assert {later - clock for clock, later in steps} == {BEAT // 24}
    (start,) = times[0xFA]
    accents = [now + at for now, at, data in daw.heard if data[:2] == b"\x99\x4c"]
    assert start in accents


# ---- freewheel ----

SOLO = [
    *((0, 1, 60, 0), (1, 1, 64, 0), (2, 1, 67, 0), (3, 1, 72, 0)),
    *((4, 2, 69, 30), (6, 1, 72, 0), (7, 1, 77, 0)),
    *((8, 1, 74, 55), (9, 1, 71, 0), (10, 2, 67, 0)),
    *((12, 2, 64, 8), (14, 1, 67, 0), (15, 1, 72, 0)),
    (16, 6, 72, 15),
]


def test_an_export_in_freewheel_is_the_render(
    jack_server, open_daw, play_live, run_jackcomp, write_solo, tmp_path
):
    # Live nobody knows which note is the last: held, in a key that is sure, it tells.
    music = ("--bpm", BPM, "--fixed-tempo", "--end-after", 1, "--key", "C")
    path = write_solo(tmp_path / "solo.mid", SOLO, bpm=BPM)
    chart, midi = tmp_path / "offline.txt", tmp_path / "offline.mid"
    done = run_jackcomp("render", path, "--chart", chart, "--midi", midi, *music)
    assert done.returncode == 0, done.stderr

    takes = tmp_path / "takes"
    program = play_live(
        jack_server.name, "--transport", "follow", "--record", takes, *music
    )
    daw = open_daw()
    daw.client.connect("daw:out", "jackcomp:midi_in")
    daw.client.connect("jackcomp:out_left", "daw:audio")
    timeline = Timeline.from_anchor(Anchor(0, 0, bpm_to_ns_per_quarter(BPM), RATE))
    solo = read_solo(path)
    daw.play((timeline.tick_to_frame(tick), data) for tick, data in solo.messages)
    daw.client.set_freewheel(True)
    daw.client.transport_start()
    daw.roll_to(timeline.tick_to_frame(solo.end_tick) + 4 * BAR)
    daw.client.set_freewheel(False)
    stats = program.stats
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0, program.stderr
    assert (takes / "take-001" / "chart.txt").read_text() == chart.read_text()
    assert (takes / "take-001" / "accompaniment.mid").read_bytes() == midi.read_bytes()
    assert stats["dropped_decisions"] == 0
    # What the DAW recorded has no gap: no cycle without its frames, no second silent.
    rolling = [
        (cycle[2], peak)
        for cycle, peak in zip(daw.cycles, daw.peaks, strict=False)
        if cycle[1]
    ]
    frames = [frame for frame, _ in rolling]
    assert {later - frame for frame, later in pairwise(frames)} == {256}
    loud = [frame for frame, peak in rolling if peak > SILENCE]
    assert loud[0] < 4 * BAR
    assert loud[-1] > timeline.tick_to_frame(solo.end_tick) - BAR
    assert max(later - frame for frame, later in pairwise(loud)) < RATE
