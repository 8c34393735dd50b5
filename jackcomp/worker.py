"""The worker thread: waits for the core, lets the accompanist think, sends orders.

A worker that dies leaves the music playing: the core repeats the last bar.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from jackcomp.accompanist import Accompanist
from jackcomp.engine.link import Engine, send_all
from jackcomp.messages import Order, Replace

WAIT_SECONDS = 0.25
END_SECONDS = 0.1
"""How long it waits for a worker that hangs; all must be over in half a second."""

Change = Callable[[Accompanist], list[Order]]
"""Changes an accompanist and returns what the core must know of it."""


class Worker(threading.Thread):
    """Runs an accompanist beside a live engine."""

    def __init__(
        self, engine: Engine, accompanist: Accompanist, first: list[Order]
    ) -> None:
        super().__init__(name="jackcomp-worker", daemon=True)
        self._engine = engine
        self._accompanist = accompanist
        self._waiting = first
        self._changes: SimpleQueue[Change] = SimpleQueue()
        self._ending = False
        self.error: Exception | None = None
        self.slack_ticks: int | None = None

    def run(self) -> None:
        """Think until `end` is called; keep what goes wrong in ``error``."""
        try:
            while not self._ending:
                self._waiting = send_all(self._engine, self._waiting)
                # Between reports it looks ahead, a little at a time.
                if not self._accompanist.ponder():
                    self._engine.wait(WAIT_SECONDS)
                self._make_changes()
                self._take_reports()
        except Exception as error:  # whatever it is: the core plays on without us
            self.error = error

    def change(self, change: Change) -> None:
        """Make a change in the worker's thread, between two reports."""
        self._changes.put(change)
        self._engine.wake()

    def _make_changes(self) -> None:
        while not self._changes.empty():
            orders = self._changes.get()(self._accompanist)
            self._waiting = send_all(self._engine, self._waiting + orders)

    def _take_reports(self) -> None:
        posts = self._engine.posts()  # before what waits is read
        for report in self._engine.heard():
            orders = self._accompanist.hear(report)
            if orders:
                self._waiting = send_all(self._engine, self._waiting + orders)
                self._note_slack(orders)
        self._engine.answer(posts)

    def _note_slack(self, orders: list[Order]) -> None:
        now = self._engine.counters().last_tick
        for order in orders:
            if isinstance(order, Replace) and now is not None:
                self.slack_ticks = order.tick - now

    def end(self) -> None:
        """Ask the thread to end and wait for it, but not for one that hangs."""
        self._ending = True
        self._engine.wake()
        self.join(END_SECONDS)
