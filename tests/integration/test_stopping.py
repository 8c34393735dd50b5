"""However it ends, no note goes on: a real synth, and a listener at `midi_out`."""

import signal
import time

import mido
import pytest

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]

RATE = 48_000
SOON_FRAMES = RATE // 2
"""Notes are released within half a second of the signal."""

LATEST_FRAMES = 3 * RATE
"""Until the process is gone where the machine kept JACK waiting meanwhile."""

MUSIC = ("--start", "first-note", "--bpm", 240, "--style", "ballad", "--end-after", 0)
CHANNELS = (0, 1, 2, 3, 9)

# What runs in the place of jackcomp, with a worker that gives up after some plans.
FAILING = """
import time
from jackcomp.accompanist import Accompanist
from jackcomp.cli import main
from jackcomp.messages import Replace

hear, plans = Accompanist.hear, []

def fail(self, report):
    orders = hear(self, report)
    plans.extend(order for order in orders if isinstance(order, Replace))
    if len(plans) >= 4:
        {fault}
    return orders

Accompanist.hear = fail
main(prog_name="jackcomp")
"""
DYING = FAILING.format(fault='raise RuntimeError("no more ideas")')
STALLED = FAILING.format(fault="time.sleep(3600)")
# What runs in its place, and never comes to the end of its ending.
ENDLESS = """
import sys, time
from jackcomp.band import Band
from jackcomp.cli import main

def hang(self, *_):
    print("the ending hangs", file=sys.stderr, flush=True)
    time.sleep(3600)

Band.__exit__ = hang
main(prog_name="jackcomp")
"""


@pytest.fixture
def stage(jack_server, play_live, join_server):
    """Start jackcomp, play to it until it plays along; give it and its listener."""

    def start(*arguments, runner=None):
        program = play_live(jack_server.name, *MUSIC, *arguments, runner=runner)
        # Two clients: one would be a loop, and a loop is a period late.
        soloist = join_server("soloist", jack_server.name)
        listener = join_server("listener", jack_server.name)
        listener.listen_to("jackcomp:midi_out")
        soloist.speak_to("jackcomp:midi_in")
        beat = RATE // 4
        soloist.play(
            (number * beat, bytes((status, note, 90)))
            for number in range(60)
            for status, note in (
                (0x80, (60, 64, 67, 72)[(number - 1) % 4]),
                (0x90, (60, 64, 67, 72)[number % 4]),
            )
        )
        return program, listener

    return start


def is_playing(listener):
    """Say whether chords and bass sound."""
    return {channel for channel, _ in listener.sounding()} >= {0, 1}


def assert_silent_soon(listener, signalled):
    """Check what was heard since the signal at that frame."""
    listener.wait_for(signalled + SOON_FRAMES)
    assert listener.sounding() == set()
    last = [message for frame, message in listener.heard if frame >= signalled]
    for channel in CHANNELS:
        assert bytes((0xB0 | channel, 123, 0)) in last
        assert bytes((0xB0 | channel, 120, 0)) in last
    frames = [frame for frame, _ in listener.heard]
    assert frames[-1] - signalled <= SOON_FRAMES
    # Nothing is struck once all is off.
    off = max(i for i, (_, m) in enumerate(listener.heard) if m[1:] == b"\x7b\x00")
    assert all(m[0] & 0xF0 == 0xB0 for _, m in listener.heard[off:])


def assert_gone_soon(listener, signalled, xruns):
    """Check that the process, which is gone, did not take longer than its notes may."""
    disturbed = listener.xruns > xruns
    bound = LATEST_FRAMES if disturbed else SOON_FRAMES
    assert listener.frame - signalled <= bound


INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.mark.parametrize(
    ("signals", "gap_seconds", "codes"),
    [
        ([INT], 0.0, {130}),
        ([TERM], 0.0, {0}),
        # The second one forces its way out, at once or while notes are released; on a
        # busy machine it may come when all is done, or while the interpreter ends.
        ([INT, INT], 0.0, {130, -INT}),
        ([INT, INT], 0.004, {130, -INT}),
        ([TERM, INT], 0.001, {130, 0, -INT}),
    ],
)
def test_a_signal_releases_all_notes(signals, gap_seconds, codes, stage, tmp_path):
    program, listener = stage("--record", tmp_path / "takes")
    program.wait_until(lambda: is_playing(listener), "chords and bass")
    signalled, xruns = listener.frame, listener.xruns
    for number in signals:
        program.signal(number)
        time.sleep(gap_seconds)
    assert program.exit_code() in codes
    assert_gone_soon(listener, signalled, xruns)
    assert_silent_soon(listener, signalled)
    assert "Traceback" not in program.stderr
    if len(signals) == 1:
        take = mido.MidiFile(tmp_path / "takes" / "take-001" / "accompaniment.mid")
        kinds = [message.type for track in take.tracks for message in track]
        assert kinds.count("note_on") == kinds.count("note_off") > 0


def test_a_second_interrupt_forces_its_way_out_of_an_ending_that_hangs(stage):
    program, listener = stage(runner=ENDLESS)
    program.wait_until(lambda: is_playing(listener), "chords and bass")
    signalled = listener.frame
    program.signal(INT)
    program.wait_until(lambda: "the ending hangs" in program.stderr, "the first one")
    assert_silent_soon(listener, signalled)
    program.signal(INT)
    assert program.exit_code() == 130
    assert "Traceback" not in program.stderr


def test_a_worker_that_dies_leaves_the_last_bar_and_no_note_behind(stage):
    program, listener = stage(runner=DYING)
    program.wait_until(lambda: program.stats["vamped_bars"], "the vamp")
    lines = program.stderr.splitlines()
    (told,) = [line for line in lines if "the thinking has stopped" in line]
    assert told == (
        "the thinking has stopped (RuntimeError('no more ideas')): the last bar goes "
        "on, restart jackcomp"
    )
    assert "Traceback" not in program.stderr
    program.wait_until(lambda: is_playing(listener), "chords and bass")
    signalled = listener.frame
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    assert_silent_soon(listener, signalled)


def test_a_worker_that_hangs_does_not_keep_it_from_ending(stage):
    program, listener = stage(runner=STALLED)
    program.wait_until(lambda: program.stats["vamped_bars"], "the vamp")
    program.wait_until(lambda: is_playing(listener), "chords and bass")
    signalled, xruns = listener.frame, listener.xruns
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    assert_gone_soon(listener, signalled, xruns)
    assert_silent_soon(listener, signalled)
