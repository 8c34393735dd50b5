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
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TextIO

from jackcomp.errors import ConfigError

SPACE, LEFT, RIGHT = " ", "\x1b[D", "\x1b[C"

_MOST_BYTES = 64


class Keys:
    """Reads keys until it is closed, or the terminal goes away.

    Parameters
    ----------
    stream : TextIO
        Standard input.
    actions : mapping
        What each key does; other keys do nothing. Called in the reading thread.

    Raises
    ------
    ConfigError
        If the stream is no terminal.
    """

    def __init__(
        self, stream: TextIO, actions: Mapping[str, Callable[[], None]]
    ) -> None:
        if not stream.isatty():
            raise ConfigError(
                "--keys wants a terminal as standard input: start jackcomp in one, or "
                "use --tap-pedal"
            )
        self._terminal = stream.fileno()
        self._actions = actions
        self._was = termios.tcgetattr(self._terminal)
        self._end, self._ending = os.pipe()
        self._thread = threading.Thread(
            target=self._read, name="jackcomp-keys", daemon=True
        )

    def __enter__(self) -> Self:
        """Take the terminal over, and listen."""
        tty.setcbreak(self._terminal)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more, and give the terminal back."""
        os.close(self._ending)
        self._thread.join()
        os.close(self._end)
        self.give_back()

    def give_back(self) -> None:
        """Leave the terminal as it was, if it is still there."""
        try:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._was)
        except termios.error:
            return  # it has gone, and its settings with it

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._terminal, self._end], [], [])
            if self._end in ready:
                return
            try:
                data = os.read(self._terminal, _MOST_BYTES)
            except OSError:
                return  # the terminal has gone
            if not data:
                return
            for key in split_keys(data.decode("utf-8", "replace")):
                if key in self._actions:
                    self._actions[key]()


def split_keys(text: str) -> list[str]:
    """Split what a terminal has sent into keys: an arrow is three characters."""
    keys = []
    while text:
        length = 3 if text.startswith("\x1b[") else 1
        keys.append(text[:length])
        text = text[length:]
    return keys
