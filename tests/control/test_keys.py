import os
import termios
import threading
from queue import Empty, SimpleQueue

import pytest

from jackcomp.control.keys import LEFT, RIGHT, SPACE, reading_keys, split_keys
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
    with reading_keys(stream, actions):
        for key in (SPACE, "x", RIGHT, SPACE, LEFT):
            os.write(far, key.encode())
        found = [pressed.get(timeout=PATIENCE) for _ in range(4)]
    assert found == [SPACE, RIGHT, SPACE, LEFT]
    with pytest.raises(Empty):
        pressed.get(block=False)


def test_the_terminal_is_left_as_it_was(terminal):
    _, stream = terminal
    before = termios.tcgetattr(stream)
    with reading_keys(stream, {}):
        local = termios.tcgetattr(stream)[3]
        assert not local & (termios.ICANON | termios.ECHO)
        assert local & termios.ISIG  # Ctrl-C stays a signal
    assert termios.tcgetattr(stream) == before


def test_one_who_ends_in_haste_gives_it_back_himself(terminal):
    _, stream = terminal
    before = termios.tcgetattr(stream)
    with reading_keys(stream, {}) as give_back:
        assert termios.tcgetattr(stream) != before
        give_back()
        assert termios.tcgetattr(stream) == before


def test_a_terminal_that_goes_away_is_no_error():
    far, near = os.openpty()
    with os.fdopen(near, encoding="utf-8") as stream, reading_keys(stream, {}):
        (reader,) = (t for t in threading.enumerate() if t.name == "jackcomp-keys")
        os.close(far)
        reader.join(PATIENCE)
        assert not reader.is_alive()


def test_without_a_terminal_it_says_what_to_do(tmp_path):
    file = tmp_path / "input"
    file.touch()
    with file.open() as stream:
        reading = reading_keys(stream, {})
        with pytest.raises(ConfigError, match="--tap-pedal"):
            reading.__enter__()


def test_what_comes_at_once_is_split_into_keys():
    assert split_keys(" a\x1b[C\x1b[D ") == [SPACE, "a", RIGHT, LEFT, SPACE]
    assert split_keys("\x1b") == ["\x1b"]
