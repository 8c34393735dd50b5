import os
import termios
from queue import Empty, SimpleQueue

import pytest

from jackcomp.control.keys import LEFT, RIGHT, SPACE, Keys, split_keys
from jackcomp.errors import ConfigError

PATIENCE = 10.0


@pytest.fixture
def terminal():
    """Give the far end of a terminal, and the end that a program reads."""
    far, near = os.openpty()
    with os.fdopen(near, encoding="utf-8") as stream:
        yield far, stream
    os.close(far)


def test_keys_act_as_they_are_pressed_and_others_do_nothing(terminal):
    far, stream = terminal
    pressed = SimpleQueue()
    actions = {key: lambda key=key: pressed.put(key) for key in (SPACE, LEFT, RIGHT)}
    with Keys(stream, actions):
        for key in (SPACE, "x", RIGHT, SPACE, LEFT):
            os.write(far, key.encode())
        found = [pressed.get(timeout=PATIENCE) for _ in range(4)]
    assert found == [SPACE, RIGHT, SPACE, LEFT]
    with pytest.raises(Empty):
        pressed.get(block=False)


def test_the_terminal_is_left_as_it_was(terminal):
    _, stream = terminal
    before = termios.tcgetattr(stream)
    with Keys(stream, {}):
        local = termios.tcgetattr(stream)[3]
        assert not local & (termios.ICANON | termios.ECHO)
        assert local & termios.ISIG  # Ctrl-C stays a signal
    assert termios.tcgetattr(stream) == before


def test_a_terminal_that_goes_away_is_no_error():
    far, near = os.openpty()
    with os.fdopen(near, encoding="utf-8") as stream, Keys(stream, {}) as keys:
        os.close(far)
        keys._thread.join(PATIENCE)
        assert not keys._thread.is_alive()


def test_without_a_terminal_it_says_what_to_do(tmp_path):
    file = tmp_path / "input"
    file.touch()
    with file.open() as stream, pytest.raises(ConfigError, match="--tap-pedal"):
        Keys(stream, {})


def test_what_comes_at_once_is_split_into_keys():
    assert split_keys(" a\x1b[C\x1b[D ") == [SPACE, "a", RIGHT, LEFT, SPACE]
    assert split_keys("\x1b") == ["\x1b"]
