"""The soloist, a process of its own: plays a MIDI file into the graph in real time.

``python -m demo.player SERVER NAME SOLO.mid`` says ``{"ready": NAME}``, waits for a
line with the frame of the first note, plays, and says how many messages came late.
It leaves when its input is closed. SERVER may be empty: the default one.
"""

import gc
import json
import sys
import threading
from pathlib import Path

import jack

from demo.clock import frames_between
from demo.score import read_score
from jackcomp.engine.host import open_client

Schedule = tuple[tuple[int, bytes], ...]
"""Frame and message, in order."""


class Player:
    """Sends each message of a schedule in its own frame."""

    def __init__(self, client: jack.Client) -> None:
        self._client = client
        self._out = client.midi_outports.register("midi_out")
        self._schedule: Schedule = ()
        self._next = 0
        self.late = 0
        self.is_over = threading.Event()
        client.set_process_callback(self._process)

    def play(self, schedule: Schedule) -> None:
        """Begin; JACK's thread sees the schedule at its next cycle."""
        self._schedule = schedule

    def _process(self, nframes: int) -> None:
        self._out.clear_buffer()
        begin = self._client.last_frame_time
        while self._next < len(self._schedule):
            frame, data = self._schedule[self._next]
            offset = frames_between(begin, frame)
            if offset >= nframes:
                return
            self.late += offset < 0
            self._out.write_midi_event(max(offset, 0), data)
            self._next += 1
        if self._schedule:
            self.is_over.set()


def main(server: str, name: str, solo: str) -> None:
    """Play when told to, once."""
    score = read_score(Path(solo))
    client = open_client(name, server or None)
    player = Player(client)
    gc.freeze()
    with client:
        _say({"ready": client.name})
        line = sys.stdin.readline()
        if not line:
            return
        timeline = score.timeline(int(line), client.samplerate)
        player.play(
            tuple((timeline.tick_to_frame(tick), data) for tick, data in score.messages)
        )
        threading.Thread(target=_say_when_over, args=(player,), daemon=True).start()
        sys.stdin.readline()


def _say_when_over(player: Player) -> None:
    player.is_over.wait()
    _say({"late": player.late})


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
