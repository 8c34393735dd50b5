import io
from dataclasses import replace

import pytest

from jackcomp.control.terminal import (
    CLEAR_TO_END_OF_LINE,
    HIDE_CURSOR,
    SHOW_CURSOR,
    Ahead,
    Snapshot,
    TerminalView,
    choose_mode,
    format_block,
    format_line,
)

SNAPSHOT = Snapshot(
    state="playing",
    bar=11,
    beat=2,
    beats=4,
    meter="4/4",
    bpm=96.0,
    key="C",
    key_probability=0.874,
    chord="G:7",
    function="V7 dominant",
    ahead=(Ahead("13:1", "C:maj", 0.62), Ahead("13:3", "A:min7", 0.305)),
    xruns=1,
    own_misses=0,
    late_events=2,
    worst_cycle_us=212,
    period_us=1333,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_the_block_shows_everything():
    assert format_block(SNAPSHOT) == (
        "    12:3  ..#.  playing",
        "   chord  G:7         V7 dominant",
        "   ahead  13:1 C:maj  62 %   13:3 A:min7  30 %",
        "     key  C      87 %   4/4   96.0 bpm",
        "  engine  xruns 1  missed 0  late 2  worst cycle 212 of 1333 us",
    )


def test_before_anything_was_heard_there_are_dashes():
    waiting = replace(SNAPSHOT, bar=-1, key="", key_probability=0.0, ahead=())
    assert format_block(waiting)[2:4] == (
        "   ahead  -",
        "     key  -       0 %   4/4   96.0 bpm",
    )
    assert format_block(waiting)[0].startswith("     0:3")


def test_the_line_shows_what_matters():
    assert format_line(SNAPSHOT) == (
        "    12:3  G:7         C    87 %  96.0 bpm  "
        "xruns 1  missed 0  late 2  worst cycle 212 us"
    )


def test_the_full_view_redraws_in_place_and_gives_the_cursor_back(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    with TerminalView(stream, "full") as view:
        view.show(SNAPSHOT)
        first = stream.getvalue()
        view.show(SNAPSHOT)
    assert first.startswith(HIDE_CURSOR)
    lines = first.removeprefix(HIDE_CURSOR).splitlines()
    # Cut, because a line that wraps would spoil the way back up.
    assert all(len(line.removesuffix(CLEAR_TO_END_OF_LINE)) < 30 for line in lines)
    second = stream.getvalue().removeprefix(first)
    assert second.startswith(f"\x1b[{len(lines)}F")
    assert second.endswith(SHOW_CURSOR)


def test_the_plain_view_writes_a_line_a_chord():
    stream = io.StringIO()
    with TerminalView(stream, "plain") as view:
        for chord in ("C:maj", "C:maj", "G:7", "C:maj"):
            view.show(replace(SNAPSHOT, chord=chord))
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == [
        *("C:maj", "G:7", "C:maj")
    ]
    assert "\x1b" not in stream.getvalue()


def test_no_view_writes_nothing():
    stream = io.StringIO()
    with TerminalView(stream, "none") as view:
        view.show(SNAPSHOT)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("mode", ["full", "plain"])
def test_a_terminal_that_is_gone_does_not_stop_the_music(mode):
    with TerminalView(Gone(), mode) as view:
        view.show(SNAPSHOT)
        view.show(SNAPSHOT)
    closed = io.StringIO()
    closed.close()
    with TerminalView(closed, mode) as view:
        view.show(SNAPSHOT)


@pytest.mark.parametrize(
    ("view", "stream", "terminal", "mode"),
    [
        ("auto", Terminal(), "xterm", "full"),
        ("auto", Terminal(), "dumb", "plain"),
        ("auto", io.StringIO(), "xterm", "plain"),
        ("full", io.StringIO(), "xterm", "full"),
        ("none", Terminal(), "xterm", "none"),
    ],
)
def test_auto_is_full_on_a_terminal_that_can(view, stream, terminal, mode, monkeypatch):
    monkeypatch.setenv("TERM", terminal)
    assert choose_mode(view, stream) == mode
