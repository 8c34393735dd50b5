"""Who plays: the server and three processes, started, connected and ended."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jack

from demo.chart import Change, read_chart
from demo.clock import frames_between
from demo.processes import Child, DemoError, python
from demo.recorder import PORTS
from demo.score import Score
from demo.server import Server, some_server
from jackcomp.engine.host import open_client

CONDUCTOR = "demo_conductor"
STYLE = "ballad"
END_AFTER_BARS = 1
SOLO_PROGRAM = 73  # a flute, that stands out from the piano
GAIN, SOLO_GAIN = 1.4, 0.6
READY_SECONDS = 30.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Band:
    """The processes that play together, and a client that connects them."""

    score: Score
    server: Server
    conductor: jack.Client
    player: Child
    jackcomp: Child
    recorder: Child
    folder: Path

    @property
    def take(self) -> Path:
        """Folder of jackcomp's own recording."""
        return self.folder / "take-001"

    def changes(self) -> list[Change]:
        """Return the chart as far as it is written."""
        text = (self.take / "chart.txt").read_text(encoding="utf-8")
        return read_chart(text, self.score.meter)

    def stats(self) -> list[dict[str, Any]]:
        """Return the counters that jackcomp has written so far."""
        try:
            text = _stats_file(self.folder).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        # The last line may be written at this moment.
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def frame(self, start: int) -> int:
        """Return the frame that is now, counted on from ``start`` past any wrap."""
        return start + frames_between(start, self.conductor.frame_time)

    def wait(self) -> None:
        """Wait a moment; raise `DemoError` if somebody has gone."""
        if self.server.process is not None:
            self.server.process.check()
        self.player.check()
        self.recorder.check()
        self.jackcomp.wait(LOOK_SECONDS)


@contextmanager
def running_band(
    score: Score, solo: Path, wav: Path, folder: Path, *, private: bool
) -> Iterator[Band]:
    """Start everybody, wait until they are ready, and connect them.

    Parameters
    ----------
    score, solo : Score, Path
        What the player plays, and its file.
    wav : Path
        What the recorder writes.
    folder : Path
        For everything that is needed no longer when it is over.
    private : bool
        Start a server even if the default one runs.
    """
    with ExitStack() as stack:
        server = stack.enter_context(some_server(folder, private=private))
        conductor = open_client(CONDUCTOR, server.name)
        stack.callback(conductor.close)
        name = _free_name(conductor)
        on = server.name or ""

        def start(who: str, module: str, *arguments: str, talks: bool = True) -> Child:
            command = python(module, *arguments)
            child = Child.running(who, command, folder, talks=talks)
            return stack.enter_context(child)

        options = _options(score, server, name, folder)
        jackcomp = start("jackcomp", "jackcomp", *options, talks=False)
        recorder = start("recorder", "demo.recorder", on, "demo_recorder", str(wav))
        player = start("player", "demo.player", on, "demo_player", str(solo))
        band = Band(score, server, conductor, player, jackcomp, recorder, folder)
        ears = recorder.answer(READY_SECONDS)["ready"]
        hands = player.answer(READY_SECONDS)["ready"]
        _wait_for_jackcomp(band)
        conductor.connect(f"{hands}:midi_out", f"{name}:midi_in")
        conductor.connect(f"{name}:midi_out", f"{ears}:midi_in")
        for port in PORTS:
            conductor.connect(f"{name}:{port}", f"{ears}:{port}")
        if server.process is None:
            _connect_speakers(conductor, name)
        yield band


def _wait_for_jackcomp(band: Band) -> None:
    """Wait for its first counters: then its cycle runs and its ports are there."""
    give_up = time.monotonic() + READY_SECONDS
    while not band.stats():
        if time.monotonic() > give_up:
            raise DemoError(f"jackcomp has not begun in {READY_SECONDS:.0f} s")
        band.wait()


def _free_name(conductor: jack.Client) -> str:
    """Choose jackcomp's name; on the user's server one may be playing already."""
    is_taken = bool(conductor.get_ports("^jackcomp:"))
    return f"jackcomp-demo-{os.getpid()}" if is_taken else "jackcomp"


def _connect_speakers(conductor: jack.Client, name: str) -> None:
    """Let the user hear it too, who has a server of his own."""
    speakers = conductor.get_ports(is_audio=True, is_input=True, is_physical=True)
    for side, speaker in zip(("left", "right"), speakers, strict=False):
        for part in ("out", "solo"):
            conductor.connect(f"{name}:{part}_{side}", speaker)


def _options(score: Score, server: Server, name: str, folder: Path) -> list[str]:
    options = {
        "--config": os.devnull,
        "--name": name,
        "--start": "first-note",
        "--pickup": str(score.pickup_beats),
        "--bpm": str(score.bpm),
        "--meter": str(score.meter),
        "--style": STYLE,
        "--end-after": str(END_AFTER_BARS),
        "--solo-program": str(SOLO_PROGRAM),
        "--gain": str(GAIN),
        "--solo-gain": str(SOLO_GAIN),
        "--record": str(folder),
        "--stats": str(_stats_file(folder)),
        "--view": "none",
    }
    if server.name is not None:
        options["--server"] = server.name
    flat = [word for option in options.items() for word in option]
    return [*flat, "--fixed-tempo", "--no-connect"]


def _stats_file(folder: Path) -> Path:
    return folder / "stats.jsonl"
