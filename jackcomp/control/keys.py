"""Keys of the terminal, one by one, while it plays.

A thread of its own reads them, so that a tap counts from when it was struck. The
terminal hands keys over as they are pressed and does not show them; Ctrl-C is still a
signal. When it ends, the terminal is as it was.
"""

import os
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from jackcomp.errors import ConfigError

SPACE, LEFT, RIGHT = " ", "\x1b[D", "\x1b[C"

_MOST_BYTES = 64


@contextmanager
def reading_keys(
    stream: TextIO, actions: Mapping[str, Callable[[], None]]
) -> Iterator[Callable[[], None]]:
    """Read keys until the context ends, or the terminal goes away.

    Parameters
    ----------
    stream : TextIO
        Standard input.
    actions : mapping
        What each key does; other keys do nothing. Called in the reading thread.

    Yields
    ------
    callable
        Leaves the terminal as it was, for whoever ends without leaving the context.

    Raises
    ------
    ConfigError
        If the stream is no terminal.
    """
    if not stream.isatty():
        raise ConfigError(
            "--keys wants a terminal as standard input: start jackcomp in one, or use "
            "--tap-pedal"
        )
    terminal = stream.fileno()
    was = termios.tcgetattr(terminal)
    end, ending = os.pipe()
    reader = threading.Thread(
        target=_read, args=(terminal, end, actions), name="jackcomp-keys", daemon=True
    )

    def give_back() -> None:
        try:
            termios.tcsetattr(terminal, termios.TCSADRAIN, was)
        except termios.error:
            return  # it has gone, and its settings with it

    try:
        tty.setcbreak(terminal)
        reader.start()
        yield give_back
    finally:
        os.close(ending)
        reader.join()
        os.close(end)
        give_back()


def _read(terminal: int, end: int, actions: Mapping[str, Callable[[], None]]) -> None:
    while True:
        ready, _, _ = select.select([terminal, end], [], [])
        if end in ready:
            return
        try:
            data = os.read(terminal, _MOST_BYTES)
        except OSError:
            return  # the terminal has gone
        if not data:
            return
        for key in split_keys(data.decode("utf-8", "replace")):
            if key in actions:
                actions[key]()


def split_keys(text: str) -> list[str]:
    """Split what a terminal has sent into keys: an arrow is three characters."""
    keys = []
    while text:
        length = 3 if text.startswith("\x1b[") else 1
        keys.append(text[:length])
        text = text[length:]
    return keys
