"""The music of the benchmark: a lively solo without end, and what is played to it.

The solo is four bars over I vi ii V at 120 quarters a minute, each time round a
fourth higher. The accompaniment is jackcomp's own, rendered without sound: what
jackcomp plays live to the same solo, note for note, so that another synthesiser can
be given the very same notes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jackcomp import duo
from jackcomp.arranger.pattern import load_style
from jackcomp.config import Settings
from jackcomp.messages import Part
from jackcomp.rendering import perform
from jackcomp.solo import Solo
from jackcomp.timeline.clock import Anchor, Timeline, bpm_to_ns_per_quarter
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

RATE = 48_000
BPM = 120
METER = Meter(4, 4)
STYLE = "pop"
EIGHTH_TICKS = TICKS_PER_QUARTER // 2
PHRASES = 12
VELOCITY = 80
SOLO_CHANNEL = 2
"""Where another synthesiser has the soloist; the parts are on 0 and 1."""

_PHRASE = (
    *(72, 76, 79, 76, 84, 79, 76, 74, 72, 69, 76, 72, 81, 76, 72, None),
    *(74, 77, 81, 77, 86, 81, 77, 76, 74, 71, 79, 74, 83, 81, 79, None),
)

TimedBytes = tuple[int, bytes]
"""A frame since the first note, and a MIDI message."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the player plays over and over: messages by frame, and its length."""

    frames: int
    messages: tuple[TimedBytes, ...]

    def write(self, path: Path) -> Path:
        """Write it as ``player.c`` reads it; return the path."""
        rows = (
            " ".join(map(str, (frame, *data.ljust(3, b"\0"))))
            for frame, data in self.messages
        )
        path.write_text("\n".join((str(self.frames), *rows)) + "\n", encoding="ascii")
        return path


def solo_score() -> Score:
    """Return the solo alone, as jackcomp hears it."""
    return Score(_frames(), tuple(_in_frames(_solo_ticks())))


def duo_score() -> Score:
    """Return solo and accompaniment with their programs, for one synthesiser."""
    settings = Settings(style=STYLE)
    sounds = duo.programs(load_style(STYLE))
    programs = [(0, bytes((0xC0 | part, program))) for part, program in sounds]
    programs.append((0, bytes((0xC0 | SOLO_CHANNEL, settings.solo_program))))
    solo = [
        (frame, bytes((data[0] | SOLO_CHANNEL, *data[1:])))
        for frame, data in solo_score().messages
    ]
    notes = sorted([*solo, *_accompaniment(settings)], key=lambda item: item[0])
    return Score(_frames(), (*programs, *notes))


def _timeline() -> Timeline:
    return Timeline.from_anchor(Anchor(0, 0, bpm_to_ns_per_quarter(BPM), RATE))


def _frames() -> int:
    return _timeline().tick_to_frame(PHRASES * len(_PHRASE) * EIGHTH_TICKS)


def _in_frames(messages: Iterable[tuple[int, bytes]]) -> Iterator[TimedBytes]:
    timeline = _timeline()
    return ((timeline.tick_to_frame(tick), data) for tick, data in messages)


def _solo_ticks() -> Iterator[tuple[int, bytes]]:
    """Give the solo by tick; each note ends where the next place in it begins."""
    tick = 0
    for number in range(PHRASES):
        higher = number * 5 % 12 - 6
        for note in _PHRASE:
            if note is not None:
                yield tick, bytes((0x90, note + higher, VELOCITY))
                yield tick + EIGHTH_TICKS - 1, bytes((0x80, note + higher, 0))
            tick += EIGHTH_TICKS


def _accompaniment(settings: Settings) -> Iterator[TimedBytes]:
    """Give what jackcomp plays to it; what still sounds at its end is released."""
    messages = tuple(_solo_ticks())
    timeline, end_tick = _timeline(), PHRASES * len(_PHRASE) * EIGHTH_TICKS
    solo = Solo(
        messages=messages,
        tempos=((0, bpm_to_ns_per_quarter(BPM)),),
        meters=((0, METER),),
        end_tick=end_tick,
        title="bench",
    )
    result = perform(settings, solo, METER, timeline, period=256, soundfont=None)
    sounding: set[tuple[int, int]] = set()
    for report in result.played:
        if report.part == Part.CLICK or report.frame >= _frames():
            continue
        if report.status & 0xF0 == 0x90:
            sounding.add((report.status & 0x0F, report.key))
        elif report.status & 0xF0 == 0x80:
            sounding.discard((report.status & 0x0F, report.key))
        yield report.frame, bytes((report.status, report.key, report.value))
    for channel, key in sorted(sounding):
        yield _frames() - 1, bytes((0x80 | channel, key, 0))
