"""The recorder, a process of its own: what comes out of jackcomp's ports.

``python -m demo.recorder SERVER NAME OUT.wav`` says ``{"ready": NAME}`` and takes
these lines: ``record FRAME`` (the first of the WAV file), ``stop FRAME`` (the first
that is no longer in it), ``finish``. Then it tells what it has heard, and leaves.
The WAV file is the mix of accompaniment and soloist; MIDI is heard to the end.
"""

import gc
import json
import selectors
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import jack
import numpy as np
import soundfile
from numpy.typing import NDArray

from demo.clock import frames_between
from jackcomp.engine.host import open_client

PORTS = ("out_left", "out_right", "solo_left", "solo_right")
BUFFER_SECONDS = 8
MAX_MESSAGES = 1 << 16
LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Heard:
    """What the recorder tells.

    Attributes
    ----------
    first_frame : int
        JACK's frame of the first one in the WAV file.
    frames : int
        In the WAV file.
    missed : int
        Frames among them that were not heard and are silent.
    messages : list of (int, list of int)
        Frames since ``first_frame`` and bytes of what came from ``midi_out``.
    peak, accompaniment_rms, solo_rms : float
        Of the mix and of its two halves; 1 is full scale.
    """

    first_frame: int = 0
    frames: int = 0
    missed: int = 0
    xruns: int = 0
    messages: list[tuple[int, list[int]]] = field(default_factory=list)
    peak: float = 0.0
    accompaniment_rms: float = 0.0
    solo_rms: float = 0.0


class Tape:
    """A ring of frames: JACK's thread writes, the main thread reads.

    Positions are frames since the first one of the recording. What was not written
    in its cycle is made good with silence in the next one.
    """

    def __init__(self, frames: int) -> None:
        self._ring = np.zeros((frames, len(PORTS)), np.float32)
        self.written = 0
        self.read = 0
        self.missed = 0

    def write(self, begin: int, block: list[NDArray[np.float32]]) -> None:
        """Write a block that begins at this position; without room, leave it out."""
        end = begin + len(block[0])
        room = len(self._ring) - (self.written - self.read)
        if begin < self.written or end - self.written > room:
            return
        self.missed += begin - self.written
        for start, stop in self._spans(self.written, begin):
            self._ring[start:stop] = 0.0
        done = 0
        for start, stop in self._spans(begin, end):
            for column, samples in enumerate(block):
                self._ring[start:stop, column] = samples[done : done + stop - start]
            done += stop - start
        self.written = end

    def take(self) -> NDArray[np.float32]:
        """Return what has been written since the last time, (frames, ports)."""
        spans = self._spans(self.read, self.written)
        taken = np.concatenate([self._ring[start:stop] for start, stop in spans])
        self.read += len(taken)
        return taken

    def _spans(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Cut a span of positions where the ring ends; one or two slices."""
        start, length = begin % len(self._ring), end - begin
        first = min(length, len(self._ring) - start)
        return [(start, start + first), (0, length - first)]


class Recorder:
    """A JACK client that listens to what is connected to it."""

    def __init__(self, client: jack.Client) -> None:
        self._client = client
        self._ports = [client.inports.register(name) for name in PORTS]
        self._midi = client.midi_inports.register("midi_in")
        self._messages: list[tuple[int, bytes]] = []
        self._first: int | None = None
        self.tape = Tape(BUFFER_SECONDS * client.samplerate)
        self.xruns = 0
        client.set_process_callback(self._process)
        client.set_xrun_callback(self._on_xrun)

    def record(self, first: int) -> None:
        """Begin with this frame."""
        self._first = first

    def _process(self, nframes: int) -> None:
        begin = self._client.last_frame_time
        first = self._first
        if first is None:
            return
        position = frames_between(first, begin)
        for offset, data in self._midi.incoming_midi_events():
            if len(self._messages) < MAX_MESSAGES:
                self._messages.append((position + offset, bytes(data)))
        if position + nframes > 0:
            skipped = max(-position, 0)
            block = [port.get_array()[skipped:] for port in self._ports]
            self.tape.write(position + skipped, block)

    def _on_xrun(self, _delay_us: float) -> None:
        self.xruns += self._first is not None

    def messages(self) -> list[tuple[int, list[int]]]:
        """Return what came from ``midi_out``."""
        return [(frame, list(data)) for frame, data in self._messages]


class Writer:
    """Writes the mix and measures it."""

    def __init__(self, path: Path, rate: int) -> None:
        self._file = soundfile.SoundFile(
            path, "w", samplerate=rate, channels=2, subtype="PCM_16", format="WAV"
        )
        self.frames = 0
        self.end: int | None = None
        self._peak = 0.0
        self._squares = np.zeros(len(PORTS))

    @property
    def is_complete(self) -> bool:
        """Whether the last frame has been written."""
        return self.end is not None and self.frames >= self.end

    def write(self, frames: NDArray[np.float32]) -> None:
        """Write frames of all ports, no further than the end."""
        if self.end is not None:
            frames = frames[: max(self.end - self.frames, 0)]
        mix = frames[:, :2] + frames[:, 2:]
        self._file.write(np.clip(mix, -1.0, 1.0))
        self.frames += len(frames)
        self._peak = max(self._peak, float(np.abs(mix).max(initial=0.0)))
        self._squares += np.square(frames, dtype=np.float64).sum(axis=0)

    def close(self) -> tuple[float, float, float]:
        """Close the file; return peak, and RMS of accompaniment and soloist."""
        self._file.close()
        power = self._squares / max(self.frames, 1)
        accompaniment, solo = power[:2].mean(), power[2:].mean()
        return self._peak, float(accompaniment**0.5), float(solo**0.5)


def main(server: str, name: str, wav: str) -> None:
    """Record as the lines on stdin say."""
    client = open_client(name, server or None)
    recorder = Recorder(client)
    writer = Writer(Path(wav), client.samplerate)
    first = 0
    gc.freeze()
    with (
        client,
        # Without a buffer, in which a second line could hide from the selector.
        open(0, "rb", buffering=0, closefd=False) as lines,
        selectors.DefaultSelector() as selector,
    ):
        selector.register(lines, selectors.EVENT_READ)
        _say({"ready": client.name})
        is_finished = False
        while not (is_finished and writer.is_complete):
            if selector.select(LOOK_SECONDS) and not is_finished:
                match lines.readline().decode().split():
                    case ["record", frame]:
                        first = int(frame)
                        recorder.record(first)
                    case ["stop", frame]:
                        writer.end = frames_between(first, int(frame))
                    case ["finish"]:
                        is_finished = True
                        selector.unregister(lines)
                    case _:
                        return
            writer.write(recorder.tape.take())
    peak, accompaniment, solo = writer.close()
    heard = Heard(
        first_frame=first,
        frames=writer.frames,
        missed=recorder.tape.missed,
        xruns=recorder.xruns,
        messages=recorder.messages(),
        peak=peak,
        accompaniment_rms=accompaniment,
        solo_rms=solo,
    )
    _say(asdict(heard))


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
