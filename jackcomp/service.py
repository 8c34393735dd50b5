"""What a service manager such as systemd is told: ready, alive, stopping.

The protocol of ``sd_notify(3)``, without its library: datagrams to the socket that
the environment names. With no such socket nothing is sent.
"""

import os
import socket
from collections.abc import Callable, Mapping

SEND_SECONDS = 0.1
"""A manager that does not read its socket must not hold us up."""


class ServiceManager:
    """Tells the service manager how we are.

    Parameters
    ----------
    say : callable
        Is told once, in a line, if the manager cannot be reached; from then on
        nothing more is sent.
    environment : mapping
        ``NOTIFY_SOCKET`` is a path, or a name in Linux's abstract space after an
        ``@``; ``WATCHDOG_USEC`` is how often the manager wants to hear from us, if
        ``WATCHDOG_PID`` is this process or not set.
    """

    def __init__(
        self, say: Callable[[str], None], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._say = say
        self._name = environment.get("NOTIFY_SOCKET", "")
        self._interval = _watchdog_seconds(environment) / 2
        self._next_feed = 0.0
        self._fed_frame = -1
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(SEND_SECONDS)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ready(self, status: str) -> None:
        """Say that it plays, and in one line as what."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that it ends."""
        self._send("STOPPING=1")

    def feed(self, frame: int, now: float) -> None:
        """Say that it is alive, if the core's frame counter has moved and it is time.

        Parameters
        ----------
        frame : int
            The core's frame counter.
        now : float
            Seconds of the monotonic clock.
        """
        if self._interval and now >= self._next_feed and frame != self._fed_frame:
            self._next_feed = now + self._interval
            self._fed_frame = frame
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._name:
            return
        address = "\0" + self._name[1:] if self._name[0] == "@" else self._name
        try:
            self._socket.sendto(message.encode(), address)
        except OSError as error:
            self._say(
                f"cannot reach the service manager at '{self._name}': "
                f"{error.strerror or error}"
            )
            self._name = ""


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    usec = environment.get("WATCHDOG_USEC", "")
    pid = environment.get("WATCHDOG_PID", "")
    is_ours = pid in ("", str(os.getpid()))
    return int(usec) / 1e6 if usec.isdecimal() and is_ours else 0.0
