"""The duet: a player, jackcomp and a recorder play; what they leave is checked."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from demo.band import END_AFTER_BARS, READY_SECONDS, STYLE, Band, running_band
from demo.chart import NO_CHORD
from demo.checks import Take, check_take
from demo.clock import frames_between
from demo.notes import read_notes
from demo.processes import DemoError
from demo.progress import Progress
from demo.recorder import Heard
from demo.score import read_score
from jackcomp.outputs import reserve
from jackcomp.plot import DrawnNote, Performance, draw_performance
from jackcomp.timeline.clock import Timeline

SUFFIXES = (".wav", ".mid", ".txt", ".png")
FIRST_NOTE_SECONDS = 1.0
SILENCE_SECONDS = 0.5
"""In the WAV file before the first note."""
TAIL_SECONDS = 2.0
"""In the WAV file after the held chord."""
OVERTIME_SECONDS = 20.0
"""How long after the last note it may go on."""


def play_duet(
    solo: Path,
    folder: Path,
    write: Callable[[str], None],
    *,
    private: bool = False,
) -> Take:
    """Play a solo with jackcomp, check what was heard, and write ``demo.*``.

    Parameters
    ----------
    solo : Path
        MIDI file of one tempo and meter.
    folder : Path
        For demo.wav, demo.mid, demo.txt and demo.png; all of them or none.
    write : callable
        Is given text that shows the progress; line ends are in it.
    private : bool
        Start a server even if the default one runs.

    Raises
    ------
    DemoError, JackcompError
        In one line.
    """
    score = read_score(solo)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"demo{suffix}" for suffix in SUFFIXES]
    with ExitStack() as stack:
        files = stack.enter_context(reserve(paths, [solo]))
        wav, midi, chart, picture = (files[path] for path in paths)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with running_band(score, solo, wav, work, private=private) as band:
            take = _perform(band, wav, write)
        check_take(take, least_chords=score.bars // 2)
        shutil.copyfile(take.midi, midi)
        shutil.copyfile(take.midi.with_name("chart.txt"), chart)
        _draw(picture, solo, take)
    return replace(take, wav=paths[0], midi=paths[1])


def _perform(band: Band, wav: Path, write: Callable[[str], None]) -> Take:
    """Let the player begin, wait for the end, and collect what everybody has."""
    score, rate = band.score, band.conductor.samplerate
    period = band.conductor.blocksize
    whose = "a private dummy" if band.server.process else "your"
    write(
        f"{score.title}: {score.bars} bars, {score.bpm:g} quarters a minute, on "
        f"{whose} JACK server ({rate} Hz, {period} frames)\n"
    )
    start = band.conductor.frame_time + round(FIRST_NOTE_SECONDS * rate)
    band.recorder.tell(f"record {start - round(SILENCE_SECONDS * rate)}")
    band.player.tell(str(start))
    timeline = score.timeline(start, rate)
    end = _follow(band, timeline, write)
    late = band.player.answer(READY_SECONDS)["late"]
    if code := band.jackcomp.end():
        raise DemoError(f"jackcomp was asked to end and gave exit code {code}")
    band.recorder.tell("finish")
    return Take(
        score=score,
        wav=wav,
        midi=band.take / "accompaniment.mid",
        heard=Heard(**band.recorder.answer(READY_SECONDS)),
        stats=band.stats(),
        changes=band.changes(),
        late=late,
        start=start,
        end=end,
        timeline=timeline,
        period=period,
    )


def _follow(band: Band, timeline: Timeline, write: Callable[[str], None]) -> int:
    """Show the bars as they pass, until the last chord has died away.

    Returns the frame where the recording ends, when jackcomp has counted past it.
    """
    score, start = band.score, timeline.anchors[0].frame
    rate = timeline.anchors[0].rate
    progress = Progress(write, score.meter, score.bars + END_AFTER_BARS + 1)
    give_up = timeline.tick_to_frame(score.messages[-1][0])
    give_up += round(OVERTIME_SECONDS * rate)
    end = None
    while end is None or frames_between(end, band.stats()[-1]["frame"]) < 0:
        band.wait()
        now, changes = band.frame(start), band.changes()
        progress.show(timeline.frame_to_tick(now), changes)
        if end is None and changes and changes[-1].chord == NO_CHORD:
            end = timeline.tick_to_frame(changes[-1].tick) + round(TAIL_SECONDS * rate)
            band.recorder.tell(f"stop {end}")
        if end is None and now > give_up:
            raise DemoError("jackcomp does not end after the soloist")
    return end


def _draw(path: Path, solo: Path, take: Take) -> None:
    score = take.score
    first = read_notes(solo)[0].start - score.first_tick
    draw_performance(
        path,
        Performance(
            title=f"{score.title}, {STYLE}",
            meter=score.meter,
            solo=[
                DrawnNote(note.start - first, note.end - first, note.key)
                for note in read_notes(solo)
            ],
            accompaniment=[
                DrawnNote(note.start, note.end, note.key)
                for note in read_notes(take.midi)
            ],
            chords=[(change.tick, change.chord) for change in take.changes],
            keys=[(change.tick, change.key) for change in take.changes],
            seconds=score.timeline(0, take.rate).seconds,
        ),
    )
