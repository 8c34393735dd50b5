"""Changing the SoundFont while it plays.

A thread of its own loads a spare synth and offers it to the core, which takes it over
within one cycle and lets the old one ring out; then that one comes back and is freed
here. A SoundFont that cannot be loaded leaves the one that plays where it is.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from jackcomp.engine.link import Engine
from jackcomp.errors import EngineError

NICENESS = 10
"""Who loads a SoundFont makes room for who thinks."""

END_SECONDS = 0.05
"""How long the end waits for a SoundFont that is being loaded."""


class LoadedSynth(Protocol):
    """A synth with its SoundFont; `engine.synth.Synth` is one."""

    soundfont: Path

    @property
    def pointer(self) -> int:
        """The address of the ``fluid_synth_t``."""

    def close(self) -> None:
        """Free it."""


class SoundFontSwap:
    """Owns the synths of an engine, and the thread that loads them.

    Parameters
    ----------
    engine : Engine
        It plays with ``synth`` already.
    synth : LoadedSynth
        Freed here, in the end or when it has rung out.
    load : callable
        Loads a SoundFont for a sample rate; raises `EngineError` if it cannot.
    """

    def __init__(
        self,
        engine: Engine,
        synth: LoadedSynth,
        load: Callable[[Path, int], LoadedSynth],
    ) -> None:
        self._engine = engine
        self._load = load
        self._synths = {synth.pointer: synth}
        self._playing = synth
        self._offered: LoadedSynth | None = None
        self._seen_swaps = engine.counters().swaps
        self._wanted: Path | None = None
        self._is_working = False
        self._has_worked = False
        self._ending = False
        self._news: deque[str] = deque()
        # Held whenever the thread touches the engine or decides who frees a synth, so
        # that it does neither after `end`, not even after a load that took longer.
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._run, name="jackcomp-soundfont", daemon=True
        )
        self._thread.start()

    @property
    def soundfont(self) -> Path:
        """What new notes are played with."""
        return self._playing.soundfont

    @property
    def is_busy(self) -> bool:
        """Whether a SoundFont is loaded, waits, or rings out beside the new one."""
        return self._is_working or len(self._synths) > 1

    def has_worked(self) -> bool:
        """Tell whether something was loaded or freed since the last call."""
        worked, self._has_worked = self._has_worked, self._is_working
        return worked

    def ask(self, soundfont: Path) -> None:
        """Play with another SoundFont once it is loaded; the latest one counts."""
        with self._lock:
            self._wanted = soundfont
        self._engine.wake_swap()

    def change_rate(self, rate: int) -> None:
        """Load what plays for another sample rate, and play on with it.

        While no cycle runs. What was offered and not taken yet is loaded anew.

        Raises
        ------
        EngineError
            If it cannot be loaded any more; nothing has changed then.
        """
        with self._lock:
            self._see_receipts()
            spare = self._load(self._playing.soundfont, rate)
            self._engine.change_rate(rate, spare.pointer)
            if self._offered is not None and self._wanted is None:
                self._wanted = self._offered.soundfont
            for synth in self._synths.values():
                synth.close()
            self._synths = {spare.pointer: spare}
            self._playing, self._offered = spare, None
        self._engine.wake_swap()

    def news(self) -> list[str]:
        """Take what has happened since the last call, a line each."""
        return [self._news.popleft() for _ in range(len(self._news))]

    @property
    def is_alive(self) -> bool:
        """Whether the thread may still use the engine: do not free it."""
        return self._thread.is_alive()

    def end(self) -> None:
        """End the thread; what it still loads it frees itself."""
        with self._lock:
            self._ending = True
        self._engine.wake_swap()
        self._thread.join(END_SECONDS)

    def close(self) -> None:
        """Free all synths, after `end`, when no cycle runs any more."""
        for synth in self._synths.values():
            synth.close()
        self._synths.clear()

    def _run(self) -> None:
        # The niceness of a thread, as Linux has it.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._ending:
            self._engine.wait_swap()
            self._has_worked = self._is_working = True
            with self._lock:
                if self._ending:
                    return
                self._see_receipts()
                wanted = self._take_wish()
            if wanted is not None:
                self._change(wanted)
            self._is_working = False

    def _see_receipts(self) -> None:
        """See what the core has taken and given back; with the lock held."""
        departed = self._take(self._engine.departed_synth())
        if self._engine.counters().swaps > self._seen_swaps:
            self._see_swap()
        if departed is not None:
            departed.close()

    def _see_swap(self) -> None:
        """Note that the core has taken what was offered."""
        assert self._offered is not None
        self._seen_swaps += 1
        # First: who sees the new one finds the news of it.
        self._news.append(f"new notes sound with SoundFont {self._offered.soundfont}")
        self._playing, self._offered = self._offered, None

    def _take(self, address: int | None) -> LoadedSynth | None:
        """Take a synth out of those that `close` would free."""
        return None if address is None else self._synths.pop(address)

    def _take_wish(self) -> Path | None:
        """Take what was asked last; what was offered before and waits is withdrawn.

        With the lock held.
        """
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            return None
        withdrawn = self._take(self._engine.offer_synth(None))
        if withdrawn is not None:
            self._offered = None
            withdrawn.close()
        elif self._offered is not None:
            self._see_swap()  # taken a moment ago, and perhaps not counted yet
        return wanted

    def _change(self, soundfont: Path) -> None:
        rate = self._engine.rate
        try:
            spare = self._load(soundfont, rate)
        except EngineError as error:
            self._news.append(f"the SoundFont stays {self.soundfont}: {error}")
        else:
            self._offer(spare, rate)

    def _offer(self, spare: LoadedSynth, rate: int) -> None:
        with self._lock:
            if self._ending:
                spare.close()
                return
            if rate != self._engine.rate:  # it has changed meanwhile
                self._wanted = self._wanted or spare.soundfont
                self._engine.wake_swap()
                spare.close()
                return
            self._synths[spare.pointer] = spare
            self._offered = spare
            self._engine.offer_synth(spare.pointer)
