"""The terminal's keys steer what plays in the graph."""

import os
import termios
import time

import pytest

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]


def tap_in(terminal, program):
    """Tap the space bar four times at 150 a minute, until that is the tempo.

    On a busy machine taps may be heard unevenly: then they are tapped anew, after a
    pause that ends what was tapped before.
    """

    def has_it():
        for _ in range(4):
            os.write(terminal, b" ")
            time.sleep(0.4)
        last = time.monotonic()
        program.wait_until(lambda: program.stats["time"] > last, "its counters")
        return program.stats["bpm"] == pytest.approx(150, rel=0.1)

    program.wait_until(has_it, "the tempo")


def test_space_taps_the_tempo_and_the_terminal_is_left_as_it_was(
    jack_server, play_live
):
    far, near = os.openpty()
    try:
        before = termios.tcgetattr(near)
        program = play_live(jack_server.name, "--keys", "--bpm", 90, stdin=near)
        assert program.stats["bpm"] == pytest.approx(90)
        tap_in(far, program)
        program.end()
        assert termios.tcgetattr(near) == before
    finally:
        os.close(far)
        os.close(near)


def test_space_counts_in(jack_server, play_live):
    far, near = os.openpty()
    try:
        taps = ("--keys", "--start", "taps")
        program = play_live(jack_server.name, *taps, stdin=near)
        tap_in(far, program)
        program.end()
    finally:
        os.close(far)
        os.close(near)


def test_space_before_the_first_note_is_answered_in_one_line(jack_server, play_live):
    far, near = os.openpty()
    try:
        program = play_live(
            jack_server.name, "--keys", "--start", "first-note", stdin=near
        )
        os.write(far, b" ")
        program.wait_until(
            lambda: "a tap is heard once a note has begun" in program.stderr, "a line"
        )
        program.end()
    finally:
        os.close(far)
        os.close(near)


def test_without_a_terminal_it_says_so_in_one_line(jack_server, run_jackcomp):
    ended = run_jackcomp("--server", jack_server.name, "--keys")
    assert ended.returncode == 1
    assert "--keys wants a terminal" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
