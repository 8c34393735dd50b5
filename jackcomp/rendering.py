"""`jackcomp render`: the same engine without a server, as fast as it goes."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from jackcomp import duo, outputs, performance, plot
from jackcomp.accompanist import Accompanist
from jackcomp.arranger.pattern import load_style
from jackcomp.config import Settings
from jackcomp.decision.policy import Decision
from jackcomp.engine.link import Engine, send_all
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.messages import Order, Report, ReportKind, TempoChange
from jackcomp.pacing import Told
from jackcomp.solo import Solo, count_notes, read_solo
from jackcomp.theory.chord import format_harte
from jackcomp.theory.key import format_key
from jackcomp.timeline.clock import Anchor, Timeline, bpm_to_ns_per_quarter
from jackcomp.timeline.meter import Meter, format_position

TAIL_SECONDS = 2


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One solo to render: where it is, what to write, and how it is computed.

    ``period`` in frames and ``rate`` in frames a second; files that are None are
    not written.
    """

    solo: Path
    wav: Path | None = None
    midi: Path | None = None
    chart: Path | None = None
    plot: Path | None = None
    explain: Path | None = None
    period: int = 256
    rate: int = 48_000

    def paths(self) -> list[Path]:
        """Return all files that will be written."""
        wanted = (self.wav, self.midi, self.chart, self.plot, self.explain)
        return [path for path in wanted if path is not None]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was played: the reports of `midi_out`, the chart, and how long it is.

    ``timeline`` is the clock as it went; ``thinking_ns`` says how long the accompanist
    thought at each cut-off, in processor time of its thread.
    """

    played: list[Report]
    accompanist: Accompanist
    timeline: Timeline
    frames: int
    thinking_ns: list[int]


def render(settings: Settings, job: RenderJob) -> None:
    """Render a solo with its accompaniment into files, all of them or none.

    Raises
    ------
    JackcompError
        In one line, if a file, the SoundFont, a model or a setting is no good.
    """
    solo = read_solo(job.solo)
    meter = settings.meter or solo.meters[0][1]
    timeline = _timeline(settings, solo, job.rate)
    with ExitStack() as stack:
        stack.enter_context(_ending_on_sigterm())
        files = stack.enter_context(outputs.reserve(job.paths(), [job.solo]))
        explain = None
        if job.explain is not None:
            lines = stack.enter_context(files[job.explain].open("w", encoding="utf-8"))
            explain = _explain_into(lines, timeline, meter)
        write = None
        if job.wav is not None:
            write = stack.enter_context(_wav_writer(files[job.wav], job.rate))
        result = perform(
            settings,
            solo,
            meter,
            timeline,
            period=job.period,
            soundfont=find_soundfont(settings.sf2) if write is not None else None,
            write=write,
            explain=explain,
        )
        solo = replace(solo, messages=_on_the_clock(solo, timeline, result.timeline))
        _write_documents(settings, job, files, solo, meter, result)


def perform(
    settings: Settings,
    solo: Solo,
    meter: Meter,
    timeline: Timeline,
    *,
    period: int,
    soundfont: Path | None,
    write: Callable[[NDArray[np.float32]], None] | None = None,
    explain: Callable[[Decision], None] | None = None,
) -> Rendered:
    """Build an accompanist and play a solo through the engine, as `play` does."""
    tempos = [anchor.ns_per_quarter for anchor in timeline.anchors]
    rate = timeline.anchors[0].rate
    lead = duo.lead_frames(settings, rate, period)
    told = bpm_to_ns_per_quarter(settings.bpm) if settings.bpm else tempos[0]
    place = duo.Place(meter, told, rate, lead)
    accompanist = duo.build_accompanist(
        settings,
        place,
        fastest_ns_per_quarter=min(tempos),
        pacer=duo.build_pacer(settings, place, Told.FIRST_BEAT, timeline.starts[0]),
        notes_to_come=count_notes(solo.messages),
        explain=explain,
    )
    return play(
        settings,
        place,
        accompanist,
        solo,
        timeline,
        period=period,
        soundfont=soundfont,
        write=write,
    )


def play(
    settings: Settings,
    place: duo.Place,
    accompanist: Accompanist,
    solo: Solo,
    timeline: Timeline,
    *,
    period: int,
    soundfont: Path | None = None,
    write: Callable[[NDArray[np.float32]], None] | None = None,
) -> Rendered:
    """Play a solo through the engine, up to the end of the last sound.

    The clock starts with the timeline's first tick. ``write`` is given the mix,
    float32 (frames, 2), in [-1, 1]. Without a SoundFont only events happen.
    """
    start = duo.engine_settings(
        settings, place, start="count-in", start_tick=timeline.starts[0]
    )
    with ExitStack() as stack:
        synth = None
        if soundfont is not None:
            # Late: importing FluidSynth fails where its library is missing.
            from jackcomp.engine.synth import Synth

            synth = Synth(soundfont, place.rate)
            stack.callback(synth.close)
        pointer = synth.pointer if synth is not None else None
        engine = Engine(place.rate, start, pointer)
        stack.callback(engine.close)
        worker = _Worker(engine, accompanist)
        worker.send(duo.first_orders(settings))
        if accompanist.pacer is None:
            worker.send(_tempo_changes(timeline))
        messages = [
            TimedMessage(timeline.tick_to_frame(tick), data)
            for tick, data in solo.messages
        ]
        host = OfflineHost(engine, messages, period=period, audio=write is not None)
        _run(settings, host, worker, solo, timeline, write)
        frames, host.end = host.frame, None
        engine.ask_stop()
        next(host.run(worker.think))
        clock = _clock(accompanist, timeline)
        return Rendered(worker.played, accompanist, clock, frames, worker.thinking_ns)


def _clock(accompanist: Accompanist, timeline: Timeline) -> Timeline:
    """Return the clock as it goes: the soloist's own map, unless he is followed."""
    return timeline if accompanist.pacer is None else accompanist.pacer.timeline


class _Worker:
    """The worker's loop, run to its end after each cycle."""

    def __init__(self, engine: Engine, accompanist: Accompanist) -> None:
        self._engine = engine
        self.accompanist = accompanist
        self._waiting: list[Order] = []
        self.played: list[Report] = []
        self.thinking_ns: list[int] = []

    def send(self, orders: list[Order]) -> None:
        self._waiting = send_all(self._engine, self._waiting + orders)

    def think(self) -> None:
        for report in self._engine.heard():
            begun = time.thread_time_ns()
            orders = self.accompanist.hear(report)
            if report.kind is ReportKind.CUTOFF:
                self.thinking_ns.append(time.thread_time_ns() - begun)
            self.send(orders)
            # It does not ponder: no decision comes too late here, so that what lies
            # further ahead than the next one would never be heard.
        self.played += self._engine.played()


def _run(
    settings: Settings,
    host: OfflineHost,
    worker: _Worker,
    solo: Solo,
    timeline: Timeline,
    write: Callable[[NDArray[np.float32]], None] | None,
) -> None:
    """Run until all has sounded."""
    host.end = _end_frame(settings, worker.accompanist, solo, timeline)
    for audio in host.run(worker.think):
        if write is not None:
            write(_mix(audio, click=settings.click))
        host.end = _end_frame(settings, worker.accompanist, solo, timeline)


def _end_frame(
    settings: Settings, accompanist: Accompanist, solo: Solo, timeline: Timeline
) -> int | None:
    """Return the frame where the music is over, or None while that is open.

    It follows from ticks alone, so it is the same at every period.
    """
    if not settings.end_after:
        return timeline.tick_to_frame(solo.end_tick)
    if accompanist.is_playing:
        return None
    clock = _clock(accompanist, timeline)
    last = max(
        timeline.tick_to_frame(solo.end_tick),
        clock.tick_to_frame(accompanist.end_tick or 0),
    )
    return last + TAIL_SECONDS * timeline.anchors[0].rate


def _mix(audio: NDArray[np.float32], *, click: bool) -> NDArray[np.float32]:
    """Add the ports up: left and right of accompaniment and soloist, and the click."""
    stereo = audio[0:2] + audio[2:4]
    if click:
        stereo = stereo + audio[4]
    clipped: NDArray[np.float32] = np.clip(stereo.T, -1.0, 1.0)
    return clipped


def _timeline(settings: Settings, solo: Solo, rate: int) -> Timeline:
    """Lay the solo's own tempo map out from frame 0, or the tempo that was asked.

    One who is followed plays in his own time, whatever tempo he has set.
    """
    if settings.bpm is not None and not settings.follow_tempo:
        steady = Anchor(0, 0, bpm_to_ns_per_quarter(settings.bpm), rate)
        return Timeline.from_anchor(steady)
    (_, first), *later = solo.tempos
    timeline = Timeline.from_anchor(Anchor(0, 0, first, rate))
    for tick, ns_per_quarter in later:
        timeline = timeline.with_tempo(tick, ns_per_quarter)
    return timeline


def _tempo_changes(timeline: Timeline) -> list[Order]:
    later = zip(timeline.starts[1:], timeline.anchors[1:], strict=True)
    return [TempoChange(tick, anchor.ns_per_quarter) for tick, anchor in later]


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Leave in order on SIGTERM, so that no temporary file stays behind."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _wav_writer(
    path: Path, rate: int
) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    # Late: only a render with sound needs libsndfile.
    import soundfile

    with soundfile.SoundFile(
        path, "w", samplerate=rate, channels=2, subtype="PCM_16", format="WAV"
    ) as file:
        yield file.write


def _explain_into(
    lines: TextIO, timeline: Timeline, meter: Meter
) -> Callable[[Decision], None]:
    """Write a line a decision; offline, all of the lead is left as slack."""

    def write(decision: Decision) -> None:
        lead = timeline.seconds(decision.tick) - timeline.seconds(decision.cutoff_tick)
        record = decision.explain() | {
            "position": format_position(meter, decision.tick),
            "slack_ms": round(1000 * lead, 3),
        }
        lines.write(json.dumps(record) + "\n")

    return write


def _write_documents(
    settings: Settings,
    job: RenderJob,
    files: Mapping[Path, Path],
    solo: Solo,
    meter: Meter,
    result: Rendered,
) -> None:
    """Write the MIDI file, the chart and the picture."""
    timeline = result.timeline
    changes = [
        change
        for change in result.accompanist.changes
        if timeline.tick_to_frame(change.tick) < result.frames
    ]
    notes = performance.played_notes(result.played)
    if job.midi is not None:
        sounds = duo.programs(load_style(duo.style_name(settings)))
        markers = performance.chord_markers(changes)
        performance.write_midi(files[job.midi], notes, markers, meter, timeline, sounds)
    if job.chart is not None:
        text = performance.chart_text(changes, meter, timeline)
        files[job.chart].write_text(text, encoding="utf-8")
    if job.plot is not None:
        plot.draw_performance(
            files[job.plot],
            plot.Performance(
                title=f"{solo.title}, {settings.style}",
                meter=meter,
                solo=drawn_solo(solo.messages),
                accompaniment=[
                    plot.DrawnNote(note.start, note.end, note.note) for note in notes
                ],
                chords=[(c.tick, format_harte(c.chord, c.key)) for c in changes],
                keys=[(c.tick, format_key(c.key)) for c in changes],
                seconds=timeline.seconds,
            ),
        )


def _on_the_clock(
    solo: Solo, timeline: Timeline, clock: Timeline
) -> tuple[tuple[int, bytes], ...]:
    """Return what the soloist played in ticks of the clock that followed him."""
    if clock is timeline:
        return solo.messages
    return tuple(
        (clock.frame_to_tick(timeline.tick_to_frame(tick)), data)
        for tick, data in solo.messages
    )


def drawn_solo(messages: Sequence[tuple[int, bytes]]) -> list[plot.DrawnNote]:
    """Pair the solo's note-ons and note-offs, for the picture."""
    notes: list[plot.DrawnNote] = []
    open_notes: dict[int, int] = {}
    for tick, data in messages:
        status = data[0] & 0xF0
        if status not in (0x80, 0x90):
            continue
        start = open_notes.pop(data[1], None)
        if start is not None:
            notes.append(plot.DrawnNote(start, tick, data[1]))
        if status == 0x90 and data[2] > 0:
            open_notes[data[1]] = tick
    return notes
