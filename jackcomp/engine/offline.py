"""Drives the same cycle as JACK does, without JACK and as fast as it goes.

After each cycle the caller's ``think`` runs to its end, so every decision is ready
at its cut-off: what a fast enough machine plays live is what is rendered here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jackcomp.engine._core import ffi, lib
from jackcomp.engine.link import Engine

MIDI_OUT_ROOM = 512


@dataclass(frozen=True, slots=True)
class TimedMessage:
    """A MIDI message of one to three bytes at an absolute frame."""

    frame: int
    data: bytes


class OfflineHost:
    """Runs an engine in cycles of ``period`` frames.

    Parameters
    ----------
    engine : Engine
        Made for the rate in which frames are counted.
    messages : sequence of TimedMessage
        What the soloist plays, sorted by frame.
    period : int
        Frames in a cycle.
    audio : bool
        Render sound; otherwise only events happen, which is much faster.
    frame : int
        Where it begins.

    Attributes
    ----------
    end : int or None
        The frame before which `run` ends, with a shorter cycle if need be. It may
        be set, and changed, while it runs.
    """

    def __init__(
        self,
        engine: Engine,
        messages: Sequence[TimedMessage],
        *,
        period: int,
        audio: bool,
        frame: int = 0,
    ) -> None:
        self._engine = engine
        self._messages = messages
        self._next = 0
        self._period = period
        self.end: int | None = None
        self._io = ffi.new("cycle_io *")
        self._io.frame = frame
        self._midi_in = ffi.new("midi_message[]", max(len(messages), 1))
        self._midi_out = ffi.new("midi_message[]", MIDI_OUT_ROOM)
        self._io.midi_in = self._midi_in
        self._io.midi_out = self._midi_out
        self._io.midi_out_capacity = MIDI_OUT_ROOM
        ports = lib.AUDIO_PORTS if audio else 0
        self._audio: NDArray[np.float32] = np.zeros((ports, period), np.float32)
        self._pointers = [ffi.from_buffer("float[]", port) for port in self._audio]
        for index, pointer in enumerate(self._pointers):
            self._io.audio[index] = pointer

    @property
    def frame(self) -> int:
        """The first frame of the cycle that runs, or of the next one."""
        return int(self._io.frame)

    def run(self, think: Callable[[], None]) -> Iterator[NDArray[np.float32]]:
        """Run cycle after cycle up to `end`, or for as long as the caller goes on.

        Yields
        ------
        ndarray, shape=(5, frames of the cycle), float32
            The audio ports in the order left, right, solo left, solo right, click;
            valid until the next cycle. Without audio there are no rows.
        """
        while self.end is None or self.frame < self.end:
            left = self._period if self.end is None else self.end - self.frame
            self._io.nframes = min(self._period, left)
            self._hand_over()
            self._engine.cycle(self._io)
            think()
            yield self._audio[:, : self._io.nframes]
            self._io.frame += self._io.nframes

    def _hand_over(self) -> None:
        """Lay out the messages that fall into this cycle."""
        start, count = self._io.frame, 0
        while (
            self._next < len(self._messages)
            and self._messages[self._next].frame < start + self._io.nframes
        ):
            message = self._messages[self._next]
            record = self._midi_in[count]
            record.frame = max(message.frame - start, 0)
            record.size = len(message.data)
            for index in range(3):
                data = message.data
                record.bytes[index] = data[index] if index < len(data) else 0
            self._next += 1
            count += 1
        self._io.midi_in_count = count
