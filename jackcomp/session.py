"""What the main thread keeps of a live session, and what it shows."""

import json
import math
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from jackcomp import duo
from jackcomp.accompanist import Accompanist, Outlook
from jackcomp.arranger.pattern import load_style
from jackcomp.config import Settings
from jackcomp.control.terminal import Ahead, Snapshot, TerminalView, choose_mode
from jackcomp.engine.link import Engine, cycle_percentile_us
from jackcomp.outputs import check_writable
from jackcomp.recording import Take
from jackcomp.theory.chord import format_harte
from jackcomp.theory.key import format_key, harmonic_function, roman_numeral
from jackcomp.timeline.clock import (
    Anchor,
    Timeline,
    ns_per_quarter_to_bpm,
)
from jackcomp.timeline.meter import (
    TICKS_PER_QUARTER,
    bar_beat,
    format_position,
    step_at,
    step_start,
)
from jackcomp.worker import Worker
from jackcomp.xruns import XrunCauses

STATS_SECONDS = 1.0
AHEAD_SHOWN = 4


class Session:
    """What the main thread keeps and shows: recordings, counters, the view."""

    def __init__(
        self,
        settings: Settings,
        place: duo.Place,
        engine: Engine,
        accompanist: Accompanist,
    ) -> None:
        self._settings = settings
        self._place = place
        self._engine = engine
        self._accompanist = accompanist
        self._clock = Timeline.from_anchor(
            Anchor(0, 0, place.ns_per_quarter, place.rate)
        )
        self._stack = ExitStack()
        self._next_stats = 0.0
        self._said_worker_error = False
        self._causes = XrunCauses()
        self._period = 0
        self._records = True
        if settings.stats is not None:
            check_writable(settings.stats)  # before anything is made
        self._take = self._new_take(settings.record) if settings.record else None
        self._stats = self._open(settings.stats) if settings.stats else None
        mode = choose_mode(settings.view, sys.stdout)
        self._view = TerminalView(sys.stdout, mode)
        self._stack.enter_context(self._view)

    def _open(self, path: Path) -> TextIO:
        return self._stack.enter_context(path.open("w", encoding="utf-8"))

    @property
    def _timeline(self) -> Timeline:
        """The clock as it has gone until now, whoever has set it."""
        if self._accompanist.pacer is not None:
            return self._accompanist.pacer.timeline
        return self._clock

    def _follow_clock(self) -> None:
        """Take down what the core has told of its tempo."""
        for seen in self._accompanist.take_tempos():
            if seen.begins:
                start = Anchor(0, 0, seen.ns_per_quarter, self._place.rate)
                self._clock = Timeline.from_anchor(start)
            else:
                self._clock = self._clock.with_tempo(seen.tick, seen.ns_per_quarter)
        if self._take is None:
            self._clock = self._clock.latest()

    @property
    def _ns_per_quarter(self) -> int:
        if self._accompanist.pacer is not None:
            return self._accompanist.pacer.ns_per_quarter
        return self._timeline.anchors[-1].ns_per_quarter

    def _new_take(self, folder: Path) -> Take:
        programs = duo.programs(load_style(duo.style_name(self._settings)))
        take = Take(folder, self._place.meter, lambda: self._timeline, programs)
        return self._stack.enter_context(take)

    def say(self, line: str) -> None:
        """Tell the player something, on stderr; to nobody if the terminal has gone."""
        with suppress(OSError):
            sys.stderr.write(line + "\n")

    def look(self, period: int, worker: Worker, *, is_loading: bool) -> None:
        """Record and show what has happened since the last look."""
        self._record()
        self._period = period
        counters = self._engine.counters()
        self._causes.see(counters.xruns, counters.own_misses, is_loading=is_loading)
        if self._stats is not None and time.monotonic() >= self._next_stats:
            self._next_stats = time.monotonic() + STATS_SECONDS
            self._write_stats(self._stats_record(worker))
        if worker.error is not None and not self._said_worker_error:
            self._said_worker_error = True
            self.say(
                f"the thinking has stopped ({worker.error!r}): the last bar goes on, "
                "restart jackcomp"
            )
        self._view.show(self._snapshot(period))

    def _record(self) -> None:
        self._follow_clock()
        played = self._engine.played()
        changes = self._accompanist.take_changes()
        if self._take is None or not self._records:
            return
        try:
            self._take.add(played, changes)
        except OSError as error:
            self._records = False
            self.say(
                f"{self._take.folder}: {error.strerror}: the recording ends here, "
                "the music goes on"
            )

    def _write_stats(self, record: dict[str, object]) -> None:
        try:
            print(json.dumps(record), file=self._stats, flush=True)
        except OSError as error:
            self._next_stats = math.inf
            self.say(
                f"{self._settings.stats}: {error.strerror}: --stats end here, "
                "the music goes on"
            )

    def state(self, worker: Worker) -> dict[str, object]:
        """Return what `--stats` would say now, and where in the song we are."""
        outlook = self._accompanist.outlook
        tick = self._engine.counters().last_tick
        return self._stats_record(worker) | {
            "is_playing": self._accompanist.is_playing,
            "position": format_position(self._place.meter, tick or 0),
            "key_probability": outlook.key_probability if outlook else None,
        }

    def close(self) -> None:
        """Write what is left, when the core has fallen silent."""
        try:
            with self._stack:
                self._record()
        except OSError as error:
            self.say(f"{error.strerror}: not all could be written at the end")
        if self._take is not None:
            self.say(f"recorded in {self._take.folder}")

    def _stats_record(self, worker: Worker) -> dict[str, object]:
        counters = self._engine.counters()
        histogram = self._engine.histogram()
        outlook = self._accompanist.outlook
        record: dict[str, object] = {
            "time": round(time.monotonic(), 3),
            "frame": counters.last_frame,
            "period": self._period,
            "cycle_us": {
                "p50": cycle_percentile_us(histogram, 50),
                "p99": cycle_percentile_us(histogram, 99),
                "p999": cycle_percentile_us(histogram, 99.9),
                "max": counters.max_cycle_ns / 1000,
            },
            "xrun_causes": {
                "ours": self._causes.ours,
                "loading": self._causes.loading,
                "others": self._causes.others,
            },
            "ring_overflows": counters.heard_overflows + counters.played_overflows,
            "slack_ms": self._slack_ms(worker),
            "key": format_key(outlook.key) if outlook else None,
            "chord": format_harte(outlook.chord, outlook.key) if outlook else None,
            "bpm": ns_per_quarter_to_bpm(self._ns_per_quarter),
        }
        return record | {
            name: value
            for name, value in asdict(counters).items()
            if name not in ("max_cycle_ns", "last_frame", "last_tick")
        }

    def _slack_ms(self, worker: Worker) -> float | None:
        """Return how much of the lead was left when the last plan was sent."""
        if worker.slack_ticks is None:
            return None
        quarters = worker.slack_ticks / TICKS_PER_QUARTER
        return round(quarters * self._ns_per_quarter / 1e6, 3)

    def _snapshot(self, period: int) -> Snapshot:
        counters = self._engine.counters()
        outlook = self._accompanist.outlook
        meter = self._place.meter
        tick = counters.last_tick
        bar, beat, _ = bar_beat(meter, tick or 0)
        is_playing = self._accompanist.is_playing
        return Snapshot(
            state="playing" if is_playing else "waiting for a phrase",
            bar=bar,
            beat=beat,
            beats=meter.numerator,
            meter=str(meter),
            bpm=ns_per_quarter_to_bpm(self._ns_per_quarter),
            key=format_key(outlook.key) if outlook else "",
            key_probability=outlook.key_probability if outlook else 0.0,
            chord=format_harte(outlook.chord, outlook.key) if outlook else "N",
            function=_function(outlook) if outlook else "",
            ahead=self._ahead(outlook) if outlook else (),
            xruns=counters.xruns,
            own_misses=counters.own_misses,
            late_events=counters.late_events,
            worst_cycle_us=counters.max_cycle_ns // 1000,
            period_us=period * 1_000_000 // self._place.rate,
        )

    def _ahead(self, outlook: Outlook) -> tuple[Ahead, ...]:
        meter = self._place.meter
        step, _ = step_at(meter, outlook.tick)
        return tuple(
            Ahead(
                format_position(meter, step_start(meter, step + 1 + number)),
                format_harte(chord, outlook.key),
                probability,
            )
            for number, (chord, probability) in enumerate(outlook.ahead[:AHEAD_SHOWN])
        )


def _function(outlook: Outlook) -> str:
    if outlook.chord.is_none:
        return ""
    numeral = roman_numeral(outlook.chord, outlook.key)
    return f"{numeral} {harmonic_function(outlook.chord, outlook.key)}"
