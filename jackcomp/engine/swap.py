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

END_SECONDS = 0.2
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
        self._is_loading = False
        self._ending = False
        self._news: deque[str] = deque()
        # Held whenever the thread touches the engine, so that nothing does after
        # `end`, not even a load that has taken longer.
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
        return self._is_loading or len(self._synths) > 1

    def ask(self, soundfont: Path) -> None:
        """Play with another SoundFont once it is loaded; the latest one counts."""
        with self._lock:
            self._wanted = soundfont
        self._engine.wake_swap()

    def news(self) -> list[str]:
        """Take what has happened since the last call, a line each."""
        return [self._news.popleft() for _ in range(len(self._news))]

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
            self._see_receipts()
            wanted = self._take_wish()
            if wanted is not None:
                self._change(wanted)

    def _see_receipts(self) -> None:
        with self._lock:
            if self._ending:
                return
            swaps = self._engine.counters().swaps
            departed = self._engine.departed_synth()
        if swaps > self._seen_swaps:
            self._see_swap()
        if departed is not None:
            self._synths.pop(departed).close()

    def _see_swap(self) -> None:
        """Note that the core has taken what was offered."""
        assert self._offered is not None
        self._seen_swaps += 1
        self._playing, self._offered = self._offered, None
        self._news.append(f"new notes sound with SoundFont {self.soundfont}")

    def _take_wish(self) -> Path | None:
        """Take what was asked last; what was offered before and waits is withdrawn."""
        with self._lock:
            wanted, self._wanted = self._wanted, None
            if wanted is None or self._ending:
                return None
            self._is_loading = True
            withdrawn = self._engine.offer_synth(None)
        if withdrawn is not None:
            self._offered = None
            self._synths.pop(withdrawn).close()
        elif self._offered is not None:
            self._see_swap()  # taken a moment ago
        return wanted

    def _change(self, soundfont: Path) -> None:
        try:
            spare = self._load(soundfont, self._engine.rate)
        except EngineError as error:
            self._news.append(f"the SoundFont stays {self.soundfont}: {error}")
        else:
            self._offer(spare)
        self._is_loading = False

    def _offer(self, spare: LoadedSynth) -> None:
        with self._lock:
            if self._ending:
                spare.close()
                return
            self._synths[spare.pointer] = spare
            self._offered = spare
            self._engine.offer_synth(spare.pointer)
