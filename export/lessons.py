"""Songs as the listener is taught them: what it is told, and what is right.

A song is laid out on the clock as in playing (`export.stage`). For each grid step
there is what is told of the step before, now whole, and what has been heard of the
step itself at each of `POINTS`, with a lead drawn anew for each song: a player's 45
ms are more ticks at a faster tempo. The answers are the annotated chord and key.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.songs import Song
from export.stage import BarMap, main_meter
from jackcomp.ear.melody import (
    LINE_TICKS,
    N_FEATURES,
    SNAP_TICKS,
    no_past,
    pass_step,
    see_step,
)
from jackcomp.ear.window import HeardNote
from jackcomp.theory.key import key_index
from jackcomp.theory.vocabulary import NO_CHORD_INDEX
from jackcomp.timeline.meter import Meter, step_at, step_start

POINTS = ("before", "boundary", "eighth", "quarter", "close", "whole")
EIGHTH_TICKS = 960
# 45 ms at 60 and at 200 quarters a minute.
LEAD_TICKS = (86, 288)
VELOCITY = 80
UNKNOWN = -1


@dataclass(frozen=True, slots=True, eq=False)
class MelodyLesson:
    """One song, ``steps`` grid steps from the first note on.

    Attributes
    ----------
    over : ndarray, shape=(steps, N_FEATURES), float16
        The step before, whole; zero before the first.
    heard : ndarray, shape=(steps, 6, N_FEATURES), float16
        The step itself at each of `POINTS`.
    chords : ndarray, shape=(steps,), int64
        The chord that is annotated longest in each step.
    weights : ndarray, shape=(steps,), float32
        Annotated time of each step in half notes; 0 where it does not count.
    keys : ndarray, shape=(steps,), int64
        The annotated key, `UNKNOWN` where there is none or it is doubtful.
    """

    source: str
    over: NDArray[np.float16]
    heard: NDArray[np.float16]
    chords: NDArray[np.int64]
    weights: NDArray[np.float32]
    keys: NDArray[np.int64]


def to_melody_lesson(
    song: Song, rng: np.random.Generator, slips: float = 0.0
) -> MelodyLesson:
    """Lay a song with a melody out as a lesson.

    Parameters
    ----------
    song : Song
        With a melody.
    rng : Generator
        Draws the lead and the slips.
    slips : float
        Which share of the notes is struck a semitone or two beside the right key.
    """
    meter = main_meter(song)
    bar_map = BarMap(song.bars, meter)
    notes = clock_notes(song, bar_map)
    for number in np.flatnonzero(rng.random(len(notes)) < slips):
        beside = notes[number].note + int(rng.choice((-2, -1, 1, 2)))
        notes[number] = replace(notes[number], note=beside)
    first = step_at(meter, notes[0].onset + SNAP_TICKS)[0]
    last = step_at(meter, bar_map.to_clock(song.spans[-1].end - 1))[0]
    steps = range(first, max(last, first) + 1)
    lead = int(rng.integers(*LEAD_TICKS))
    over = np.zeros((len(steps), N_FEATURES), np.float16)
    heard = np.zeros((len(steps), len(POINTS), N_FEATURES), np.float16)
    past = no_past()
    for row, (step, near) in enumerate(_notes_near(notes, meter, steps)):
        end = step_start(meter, step + 1)
        for point, now in enumerate(_moments(step_start(meter, step), end, lead)):
            heard[row, point] = see_step(past, near, meter, step, now)
        if row + 1 < len(steps):
            over[row + 1] = heard[row, -1]
        past = pass_step(past, near, meter, step)
    chords, weights = label_steps(song, meter, bar_map, steps)
    return MelodyLesson(
        song.source,
        over,
        heard,
        chords,
        weights,
        np.array([_key_at(song, bar_map.to_song(step_start(meter, s))) for s in steps]),
    )


def clock_notes(song: Song, bar_map: BarMap) -> list[HeardNote]:
    """Give the melody in ticks of the clock, by onset."""
    return [
        HeardNote(
            bar_map.to_clock(onset),
            bar_map.to_clock(onset + max(duration, 1) - 1) + 1,
            note,
            velocity or VELOCITY,
        )
        for onset, duration, note, velocity in song.melody
    ]


def _notes_near(
    notes: list[HeardNote], meter: Meter, steps: range
) -> Iterator[tuple[int, list[HeardNote]]]:
    """Give each step with the notes that sound in it or a beat before it."""
    near: list[HeardNote] = []
    next_note = 0
    for step in steps:
        start, end = step_start(meter, step), step_start(meter, step + 1)
        near = [note for note in near if (note.end or 0) >= start - meter.beat_ticks]
        while next_note < len(notes) and notes[next_note].onset < end:
            near.append(notes[next_note])
            next_note += 1
        yield step, near


def _moments(start: int, end: int, lead: int) -> list[int]:
    """Give until when the step has been heard at each of `POINTS`."""
    middle = start + (end - start) // 2
    close = max(middle, end - EIGHTH_TICKS)
    inside = [start + eighths * EIGHTH_TICKS - lead for eighths in (0, 1, 2)]
    moments = [inside[0], start + LINE_TICKS, *inside[1:], close - lead, end]
    return [min(moment, end) for moment in moments]


def label_steps(
    song: Song, meter: Meter, bar_map: BarMap, steps: range
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give each step's longest chord, and how long it is annotated, in half notes."""
    chords, weights = [], []
    first = 0
    for step in steps:
        start, end = (
            bar_map.to_song(step_start(meter, number)) for number in (step, step + 1)
        )
        while first < len(song.spans) and song.spans[first].end <= start:
            first += 1
        ticks: dict[int, int] = {}
        for span in song.spans[first:]:
            if span.start >= end:
                break
            shared = min(span.end, end) - max(span.start, start)
            ticks[span.chord] = ticks.get(span.chord, 0) + shared
        chords.append(max(ticks, key=ticks.__getitem__, default=NO_CHORD_INDEX))
        weights.append(sum(ticks.values()) / 3840)
    return np.array(chords), np.array(weights, np.float32)


def _key_at(song: Song, tick: int) -> int:
    """Give the index of the annotated key, `UNKNOWN` where it is none of ours."""
    key = song.key
    for span in song.keys:
        if span.start <= tick:
            key = span.key
    return UNKNOWN if key is None or song.key_doubtful else key_index(key)
