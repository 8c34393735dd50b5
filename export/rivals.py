"""What anybody could play: the rows that stand beside the accompanist.

Each rival takes a song and gives what sounds over its annotated time. `hold_tonic`,
`loop_four_chords` and `play_annotation` are told what a live player is not;
`hold_best_triad` and `echo_bar` hear the melody up to the line on which they decide,
and know the bars.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from export.songs import ChordSpan, Song
from export.stage import lay_spans
from jackcomp.theory.chord import NO_CHORD, Chord

_TRIADS = tuple(Chord(root, kind) for kind in ("maj", "min") for root in range(12))
_TONES = np.array(
    [[pc in triad.pitch_classes for pc in range(12)] for triad in _TRIADS], float
)
# Among triads with the same share of the melody the one whose root sounds longer.
_ROOT_WEIGHT = 1e-3
_TEMPLATES = _TONES + _ROOT_WEIGHT * np.array([np.eye(12)[t.root] for t in _TRIADS])


def hold_tonic(song: Song) -> tuple[ChordSpan, ...]:
    """Hold the triad of the true key; silence where there is no true key."""
    start = song.spans[0].start
    tonic = NO_CHORD
    if song.key is not None:
        tonic = Chord(song.key.tonic, "maj" if song.key.mode == "major" else "min")
    return lay_spans([(start, tonic)], start, song.spans[-1].end)


def hold_best_triad(song: Song) -> tuple[ChordSpan, ...]:
    """Play, at each grid step, the triad that fits all of the melody so far."""
    return _play_best(song, _heard_so_far(song))


def echo_bar(song: Song) -> tuple[ChordSpan, ...]:
    """Play, in each bar, the triad that fits the melody of the bar before."""
    return _play_best(song, _heard_in_bar_before(song))


def loop_four_chords(song: Song) -> tuple[ChordSpan, ...]:
    """Play I V vi IV in the true key, a bar each; silence without a true key."""
    start, end = song.spans[0].start, song.spans[-1].end
    if song.key is None:
        return lay_spans([], start, end)
    major = song.key.tonic if song.key.mode == "major" else song.key.tonic + 3
    loop = [
        Chord((major + interval) % 12, quality)
        for interval, quality in ((0, "maj"), (7, "maj"), (9, "min"), (5, "maj"))
    ]
    changes = [
        (bar.start, loop[number % len(loop)]) for number, bar in enumerate(song.bars)
    ]
    return lay_spans(changes, start, end)


def play_annotation(song: Song) -> tuple[ChordSpan, ...]:
    """Play what is annotated."""
    return song.spans


def _heard_so_far(song: Song) -> Iterator[tuple[int, NDArray[np.float64]]]:
    notes = _notes(song)
    for step in song.steps():
        yield step.start, _sounding_time(notes, song.bars[0].start, step.start)


def _heard_in_bar_before(song: Song) -> Iterator[tuple[int, NDArray[np.float64]]]:
    notes = _notes(song)
    for before, bar in zip(song.bars, song.bars[1:], strict=False):
        yield bar.start, _sounding_time(notes, before.start, before.end)


def _notes(song: Song) -> NDArray[np.int64]:
    """Return onset, end and pitch class of each note, shape (3, notes)."""
    rows = [(n.onset, n.onset + n.duration, n.note % 12) for n in song.melody]
    return np.array(rows, np.int64).T


def _sounding_time(
    notes: NDArray[np.int64], start: int, end: int
) -> NDArray[np.float64]:
    """Return ticks for each pitch class, shape (12,), heard from start to end."""
    onsets, ends, pitch_classes = notes
    ticks = np.minimum(ends, end) - np.maximum(onsets, start)
    heard = np.maximum(ticks, 0).astype(np.float64)
    return np.bincount(pitch_classes, heard, minlength=12)


def _play_best(
    song: Song, heard: Iterator[tuple[int, NDArray[np.float64]]]
) -> tuple[ChordSpan, ...]:
    """Change to the best triad at each tick; stay where nothing was heard."""
    changes = [
        (tick, _TRIADS[int(np.argmax(_TEMPLATES @ time))])
        for tick, time in heard
        if time.any()
    ]
    return lay_spans(changes, song.spans[0].start, song.spans[-1].end)
