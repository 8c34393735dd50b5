"""Keeps the engine in a JACK graph, whatever becomes of the server.

When the server goes, the engine stands still; when one comes back, also with another
sample rate or period, it goes on where it was, and every connection is made again.
Only the main thread calls this.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jackcomp.config import Settings
from jackcomp.engine.link import Engine
from jackcomp.engine.wiring import Wiring
from jackcomp.errors import EngineError

if TYPE_CHECKING:
    from jackcomp.engine.host import Client, JackHost

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.4
"""Attempts to come back are so far apart, at first and in the end."""


class Station:
    """An engine's place in the graph.

    Parameters
    ----------
    settings : Settings
        Name, server, connections, transport.
    engine : Engine
        Runs in the process callback while there is a server.
    adapt : callable
        Is given sample rate and period before the first cycle with them, and when
        the period changes; it sees to the synth and the lead.
    say : callable
        Tells the player something, a line.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        adapt: Callable[[int, int], None],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._adapt = adapt
        self._say = say
        self._wiring = Wiring(settings.connect, connects=not settings.no_connect)
        self._host: JackHost | None = None
        self._seen_changes = -1
        self._foreign_beats = 0
        self._period = 0
        self._name = settings.name
        self._looks = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._next_try = 0.0

    @property
    def period(self) -> int:
        """Frames in a cycle, now or when the server was last there."""
        return self._period

    @property
    def name(self) -> str:
        """The name of our client, now or when the server was last there."""
        return self._name

    @property
    def heartbeat(self) -> int:
        """A number that changes while all is well: cycles run, or a server is sought.

        A server that is gone is no fault of ours.
        """
        if self._host is None:
            return -1 - self._looks
        return self._engine.counters().last_frame

    @property
    def load(self) -> float:
        """DSP load of the graph in percent; 0 without a server."""
        return self._host.load if self._host is not None else 0.0

    def enter(self, client: "Client") -> None:
        """Begin to play as this client, which is open and not active."""
        # Late: it fails on import where JACK's library is missing.
        from jackcomp.engine.host import JackHost

        self._period = client.blocksize
        self._name = client.name
        self._adapt(client.samplerate, client.blocksize)
        self._host = JackHost(client, self._engine)
        if self._settings.transport == "lead" and not self._host.lead():
            self._say(
                "another program is JACK's timebase master: the transport is not led; "
                "end it there, or start with --transport follow"
            )
        nameless = self._host.start()
        if nameless:
            self._say(nameless)
        self._seen_changes = -1

    def look(self) -> None:
        """See what has changed since the last look, and act on it."""
        self._looks += 1
        if self._host is None:
            self._try_again()
        elif self._host.is_gone:
            self._lose(self._host)
        else:
            self._see_period(self._host)
            self._see_meter(self._host)
            self._see_graph(self._host)

    def release(self) -> None:
        """Release all notes; only silence follows."""
        if self._host is not None:
            self._host.release()

    def leave(self) -> None:
        """Release all notes and leave the graph."""
        if self._host is not None:
            self._host.stop()
            self._host = None

    def _see_period(self, host: "JackHost") -> None:
        if host.period != self._period:
            self._period = host.period
            self._adapt(self._engine.rate, self._period)

    def _see_meter(self, host: "JackHost") -> None:
        """Say once when another program counts other bars than we do."""
        beats, before = host.foreign_beats, self._foreign_beats
        self._foreign_beats = beats
        meter = self._settings.meter
        ours = meter.numerator if meter is not None else 4
        if beats not in (0, ours, before):
            self._say(
                f"JACK's timebase master counts {beats} beats in a bar, jackcomp "
                f"{ours}: start it with the same --meter"
            )

    def _see_graph(self, host: "JackHost") -> None:
        changes = host.changes
        if changes == self._seen_changes and self._wiring.is_settled:
            return
        try:
            ports, connections = host.ports(), host.connections()
        except EngineError:  # it changes at this moment: the next look sees how
            return
        self._seen_changes = changes
        for pair in self._wiring.look(ports, connections):
            self._say(host.connect(pair))

    def _lose(self, host: "JackHost") -> None:
        self._say("the JACK server has gone: waiting for it")
        self._host = None
        self._wiring.forget_ports()
        if not host.leave():
            self._say("JACK's library hangs on to the old server; going on without it")
        self._pause = FIRST_PAUSE_SECONDS
        self._next_try = 0.0

    def _try_again(self) -> None:
        from jackcomp.engine.host import open_client

        if time.monotonic() < self._next_try:
            return
        settings = self._settings
        try:
            client = open_client(
                settings.name, settings.server, exact=settings.exact_name
            )
        except EngineError:  # not yet
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            return
        self._engine.ask_release()  # nobody will release what the soloist held
        self.enter(client)
        self._say(
            f"the JACK server is back: {self._engine.rate} Hz, {self._period} frames, "
            f"as '{client.name}'"
        )
