"""``make soak``: nothing grows and nothing drifts when it plays for long.

Offline, as fast as it goes, with sound: an hour of music with a tempo change in every
bar, from a minute below the wrap of JACK's 32-bit frame counter. Every note that is
played is compared with the timeline, to the frame. Live: jackcomp with a recording and
counters beside a soloist in C, its frame counter wrapping a little later, while its
memory is looked at.

Memory is what the process has allocated, shared memory left out, and offline without
the spare objects that Python keeps for the next time (up to 2000 tuples of each size);
it may grow by 1 MB after the first minute. The exit code is 1 if memory, frames or
notes are not as they should be; misses and xruns are told, but another program may be
to blame for them.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from random import Random

from bench.graph import (
    SOLOIST_PORT,
    BenchError,
    Client,
    Server,
    Soloist,
    build_soloist,
    compile_c,
    end_on_sigterm,
    python,
    status_mb,
)
from bench.music import METER, RATE, STYLE, solo_score
from bench.realtime import longest_gap_ms
from jackcomp import duo
from jackcomp.config import Settings
from jackcomp.engine.link import Engine, send_all
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.engine.synth import Synth
from jackcomp.errors import JackcompError
from jackcomp.messages import Order, TempoChange
from jackcomp.timeline.clock import Anchor, Timeline

WRAP = 1 << 32
PERIOD = 256
SPEED_UP = 6
"""Seconds of music offline for each second live."""

MOST_MB = 1.0
LOOKS = 60
"""How often memory is looked at."""

AHEAD_BARS = 3
START_SECONDS = 5.0
"""To the first cycle, at most; then a tenth of the time is left until the wrap."""

FASTEST, SLOWEST = 400_000_000, 700_000_000
PHRASE = (72, 76, 79, 76, 84, 79, 76, 74, 69, 72, 77, 72, 74, 71, 67, 71)
EIGHTH_TICKS = 960
LONGEST_GAP_MS = 251.0
"""The style plays in eighths at 120 quarters a minute."""


class Memory:
    """What was seen of a process's memory, look by look, from a first minute on.

    Parameters
    ----------
    settled : int
        The look at the end of the first minute, of an hour or of ten minutes.
    """

    def __init__(self, settled: int) -> None:
        self._settled = settled
        self._seen = [0.0] * LOOKS  # so that looking takes no memory
        self.looks = 0

    def look(self, mb: float) -> None:
        """Note what it has now."""
        self._seen[self.looks] = mb
        self.looks += 1

    def tell(self, where: str) -> bool:
        """Print it; tell whether it is good."""
        seen, settled = self._seen[: self.looks], self._seen[self._settled]
        growth = max(seen[self._settled :]) - settled
        is_good = self.looks == LOOKS and growth < MOST_MB
        print(
            f"{where}: {seen[0]:.1f} MB at first, {settled:.1f} after the first "
            f"minute, {seen[-1]:.1f} at the end; growth at most {growth:+.2f}: "
            f"{_mark(is_good)}",
            flush=True,
        )
        return is_good


def main() -> None:
    """Play for long; exit code 1 if anything grew or drifted."""
    parser = argparse.ArgumentParser(description="Hours of music.")
    parser.add_argument(
        "--seconds",
        type=float,
        default=600.0,
        help=f"live; offline {SPEED_UP} times as much music (default: 600)",
    )
    parser.add_argument("--sf2", type=Path, metavar="FILE", help="SoundFont")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        soundfont = find_soundfont(options.sf2)
        good = play_offline(SPEED_UP * options.seconds, soundfont)
        good &= play_live(options.seconds, soundfont)
    except (BenchError, JackcompError, OSError) as error:
        sys.exit(f"bench.soak: {error}")
    sys.exit(0 if good else 1)


# ---- offline ----


def play_offline(seconds: float, soundfont: Path) -> bool:
    """Play as fast as it goes; tell whether all was well."""
    begin = WRAP - round(seconds / LOOKS * RATE)
    frames = range(begin, begin + round(seconds * RATE))
    changes, timeline = _tempos(frames)
    settings = Settings(style=STYLE, end_after=0)
    place = duo.Place(METER, FASTEST, RATE, RATE // 20)
    accompanist = duo.build_accompanist(settings, place, fastest_ns_per_quarter=FASTEST)
    memory, count, off = Memory(1), 0, 0
    with ExitStack() as stack:
        synth = Synth(soundfont, RATE)
        stack.callback(synth.close)
        start = duo.engine_settings(settings, place, start="count-in", start_tick=0)
        engine = Engine(RATE, start, synth.pointer)
        stack.callback(engine.close)
        solo = _solo(timeline, frames)
        host = OfflineHost(engine, solo, period=PERIOD, audio=True, frame=frames.start)
        host.end = frames.stop
        waiting: list[Order] = duo.first_orders(settings)

        def think() -> None:
            nonlocal waiting
            for report in engine.heard():
                waiting += accompanist.hear(report)
            now = engine.counters().last_tick or 0
            while changes and changes[0].tick < now + AHEAD_BARS * METER.bar_ticks:
                waiting.append(changes.popleft())
            waiting = send_all(engine, waiting)
            accompanist.take_changes()

        for _ in host.run(think):
            for report in engine.played():
                if report.status & 0xF0 in (0x80, 0x90):
                    count += 1
                    assert report.tick is not None
                    off += report.frame != timeline.tick_to_frame(report.tick)
            if (
                memory.looks < LOOKS
                and host.frame >= frames[memory.looks * len(frames) // LOOKS]
            ):
                gc.collect()  # gives back the spare objects that Python keeps
                memory.look(status_mb(os.getpid(), "RssAnon"))
        counters = engine.counters()
        late = counters.late_events + counters.late_tempos
    is_good = off == late == 0 and count > seconds
    print(
        f"offline: {seconds:.0f} s of music, {len(timeline.anchors)} tempi; {count} "
        f"note-ons and note-offs, {off} of them a frame off, {late} late: "
        f"{_mark(is_good)}"
    )
    return memory.tell("offline") and is_good


def _tempos(frames: range) -> tuple[deque[TempoChange], Timeline]:
    """Choose a tempo for each bar; give the changes, and what they add up to."""
    dice = Random(1)
    timeline = Timeline.from_anchor(Anchor(frames.start, 0, FASTEST, RATE))
    changes: deque[TempoChange] = deque()
    tick = 0
    while timeline.tick_to_frame(tick) < frames.stop:
        tick += METER.bar_ticks
        changes.append(TempoChange(tick, dice.randrange(FASTEST, SLOWEST)))
        timeline = timeline.with_tempo(tick, changes[-1].ns_per_quarter)
    return changes, timeline


def _solo(timeline: Timeline, frames: range) -> list[TimedMessage]:
    """Play eighths from beginning to end."""
    eighths = timeline.frame_to_tick(frames.stop) // EIGHTH_TICKS
    return [
        TimedMessage(
            timeline.tick_to_frame(number * EIGHTH_TICKS + shift),
            bytes((status, PHRASE[number % len(PHRASE)], 80)),
        )
        for number in range(eighths)
        for shift, status in ((0, 0x90), (EIGHTH_TICKS - 1, 0x80))
    ]


# ---- live ----


def play_live(seconds: float, soundfont: Path) -> bool:
    """Play beside a soloist; tell whether all was well."""
    with (
        tempfile.TemporaryDirectory(prefix="jackcomp-soak-") as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        server_name = f"jackcomp-soak-{os.getpid()}"
        server = stack.enter_context(Server(server_name, PERIOD, folder))
        score = solo_score().write(folder / "solo.txt")
        soloist = stack.enter_context(Soloist(build_soloist(folder), server, score))
        command = [*_late_clock(folder, seconds), *_jackcomp(server, soundfont, folder)]
        memory = Memory(LOOKS // 10 - 1)
        with Client(command, folder / "stats.jsonl") as client:
            first = client.record_when(lambda _: True)
            soloist.play()
            for number in range(1, LOOKS + 1):
                soloist.look_until(number * seconds / LOOKS)
                memory.look(client.allocated_mb())
            last = client.next_record()
        gap = longest_gap_ms(folder / "takes" / "take-001")
    has_wrapped = first["frame"] < WRAP < last["frame"]
    is_good = has_wrapped and gap < LONGEST_GAP_MS
    print(
        f"live: {seconds:.0f} s at {PERIOD} frames, from frame {first['frame']} to "
        f"{last['frame']}; {last['notes_on']} notes, longest gap {gap:.0f} ms; own "
        f"misses {last['own_misses']}, late {last['late_events']}, xruns "
        f"{last['xruns']}: {_mark(is_good)}"
    )
    return memory.tell("live") and is_good


def _late_clock(folder: Path, seconds: float) -> list[str]:
    """Return what makes a command's JACK clock wrap a tenth of the time from now."""
    # It needs JACK's library, though it seems to have all that it calls.
    flags = ("-shared", "-fPIC", "-Wl,--no-as-needed")
    library = compile_c("late_clock.c", folder / "late_clock.so", *flags)
    added = WRAP - round((START_SECONDS + seconds / 10) * RATE)
    return ["env", f"LD_PRELOAD={library}", f"LATE_CLOCK={added}"]


def _jackcomp(server: Server, soundfont: Path, folder: Path) -> list[str]:
    return python(
        *("jackcomp", "--server", server.name, "--sf2", str(soundfont)),
        *("--view", "none", "--style", STYLE, "--start", "first-note"),
        *("--connect", f"^{SOLOIST_PORT}$", "--record", str(folder / "takes")),
    )


def _mark(is_good: bool) -> str:
    return "ok" if is_good else "NOT AS PROMISED"


if __name__ == "__main__":
    main()
