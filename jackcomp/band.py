"""Who plays, live: the engine, the worker that thinks for it, synths and session.

The band does not care for the graph: it is there while the server is away, and goes
on with the next one.
"""

import signal
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from jackcomp import duo
from jackcomp.changes import Changes
from jackcomp.config import Settings
from jackcomp.engine.link import Engine
from jackcomp.engine.swap import SoundFontSwap
from jackcomp.errors import JackcompError
from jackcomp.session import Session
from jackcomp.state import state_file, write_state
from jackcomp.worker import Worker


class Band:
    """Made, it waits for its first cycle; entered, it thinks.

    Parameters
    ----------
    settings : Settings
        To begin with.
    load : callable
        Reads them anew.
    place : Place
        Meter, tempo, and the sample rate of the server.
    soundfont : Path
        To begin with.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        place: duo.Place,
        soundfont: Path,
    ) -> None:
        # Late: it fails on import where FluidSynth's library is missing.
        from jackcomp.engine.synth import Synth

        self._settings = settings
        self._place = place
        self._stack = ExitStack()
        synth = Synth(soundfont, place.rate)
        start_tick = duo.start_tick(settings, place.meter)
        wanted = duo.engine_settings(
            settings, place, start=duo.start_mode(settings), start_tick=start_tick
        )
        pacer = duo.build_pacer(
            settings,
            place,
            duo.told_live(settings),
            start_tick,
            forgets=settings.record is None,
            restart_tick=duo.restart_tick(settings, place.meter),
        )
        self._accompanist = duo.build_accompanist(
            settings, place, fastest_ns_per_quarter=place.ns_per_quarter, pacer=pacer
        )
        self.engine = Engine(place.rate, wanted, synth.pointer)
        self._worker = Worker(
            self.engine, self._accompanist, duo.first_orders(settings)
        )
        self._sounds = SoundFontSwap(self.engine, synth, Synth)
        self._session = Session(settings, place, self.engine, self._accompanist)
        self._changes = Changes(
            settings,
            load,
            meter=place.meter,
            engine=self.engine,
            worker=self._worker,
            sounds=self._sounds,
        )

    def __enter__(self) -> Self:
        """Let it think."""
        self._stack.callback(self._close_engine)
        self._stack.callback(self._sounds.close)
        self._stack.callback(self._sounds.end)
        self._stack.callback(self._session.close)
        self._stack.callback(self._worker.end)
        self._worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put it away, when its engine stands still."""
        self._stack.close()

    def _close_engine(self) -> None:
        """Free the engine, unless a thread that hangs may come back to it."""
        if not self._worker.is_alive() and not self._sounds.is_alive:
            self.engine.close()

    def say(self, line: str) -> None:
        """Tell the player something."""
        self._session.say(line)

    def adapt(self, rate: int, period: int) -> None:
        """Be ready for cycles of this rate and period.

        Raises
        ------
        EngineError
            If the SoundFont cannot be loaded for that rate.
        """
        if rate != self.engine.rate:
            self._sounds.change_rate(rate)
            frame = self.engine.counters().last_frame
            self._worker.change(lambda thinker: thinker.change_rate(frame, rate))
        place = duo.place_at(
            self._settings,
            self._place.meter,
            self._place.ns_per_quarter,
            rate,
            period,
        )
        self._accompanist.lead_ticks = place.lead_ticks(place.ns_per_quarter)
        if self._accompanist.pacer is not None:
            self._accompanist.pacer.lead_frames = place.lead_frames

    def tap(self) -> None:
        """Hear a beat now, from whatever is not MIDI; any thread may call it."""
        stands = self.engine.counters().last_tick is None
        if stands and self._settings.start == "first-note":
            self.say("a tap is heard once a note has begun; or start with --start taps")
        self.engine.ask_tap()

    def nudge(self, seconds: float) -> None:
        """Move the beat later, or earlier if negative; any thread may call it.

        Nothing happens while the clock does not go or is not ours.
        """
        counters = self.engine.counters()
        pacer = self._accompanist.pacer
        if pacer is None or counters.last_tick is None:
            return
        frame = counters.last_frame
        self._worker.change(lambda _: [*pacer.nudge(frame, seconds)])

    def look(self, period: int) -> None:
        """Record, show and tell what has happened since the last look."""
        self._session.look(period, self._worker, is_loading=self._sounds.has_worked())
        for line in self._sounds.news():
            self.say(line)

    def serve(self, asked: Collection[int], client_name: str) -> None:
        """Do what signals have asked for, and say what was done."""
        if signal.SIGHUP in asked:
            for line in self._changes.reload():
                self.say(line)
        if signal.SIGUSR1 in asked:
            self.say(self._write_state(client_name))

    def _write_state(self, client_name: str) -> str:
        path = state_file(client_name)
        record = self._session.state(self._worker) | {
            "client": client_name,
            "soundfont": str(self._sounds.soundfont),
        }
        try:
            write_state(path, self._changes.settings, record)
        except JackcompError as error:
            return str(error)
        return f"state written to {path}"
