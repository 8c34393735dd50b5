"""How a melody and its chords go together, whatever the annotation says.

Measures of the literature on melody harmonisation, as `scores.Share`, weighted by
musical time where notes are counted there, and reduced to the chords' triads where
the original is. ``che``, ``cc`` and ``ctd`` describe the progression alone and are
pooled as means over songs.

References
----------
Yeh et al., "Automatic melody harmonization with triad chords: A comparative study",
Journal of New Music Research 50(1), 2021: CTnCTR, PCS, MCTD, CHE, CC, CTD.
Harte, Sandler and Gasser, "Detecting harmonic change in musical audio", 2006: the
tonal centroid.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from export.songs import ChordSpan, MelodyNote, Song
from jackcomp.theory.chord import QUALITY_BY_NAME, Chord
from jackcomp.theory.vocabulary import CHORDS, NO_CHORD_INDEX
from jackcomp.timeline.meter import TICKS_PER_QUARTER

EIGHTH_TICKS = TICKS_PER_QUARTER // 2
NEIGHBOUR = 2
"""Semitones from a proper non-chord tone to the note after it."""

# By interval from the chord tone up to the melody note.
_CONSONANCE = (1, -1, -1, 1, 1, 0, -1, 1, 1, 1, -1, -1)
_RADII = (1.0, 1.0, 0.5)
_TURNS = (7, 9, 4)  # of a twelfth of a turn: fifths, minor thirds, major thirds


def fit_together(
    song: Song, played: Sequence[ChordSpan]
) -> dict[str, tuple[float, float]]:
    """Measure the chords against the melody.

    Returns
    -------
    dict
        Part and whole of ``ctnctr``, ``pcs``, ``mctd``, ``clash`` and
        ``pitch_classes`` (tones of the sounding chord).
    """
    proper = notes = 0
    consonance = distance = heard = 0.0
    for note, after in zip(song.melody, [*song.melody[1:], None], strict=False):
        for span, ticks in _under(note, played):
            chord = CHORDS[span.chord]
            if chord.is_none:
                continue
            heard += ticks
            consonance += ticks * _mean_consonance(note.note % 12, span.chord)
            distance += ticks * _distance_to(note.note % 12, span.chord)
        chord = CHORDS[_sounding(played, note.onset)]
        if not chord.is_none:
            notes += 1
            leads_on = after is not None and abs(after.note - note.note) <= NEIGHBOUR
            proper += note.note % 12 in chord.pitch_classes or leads_on
    sounding = sum(s.end - s.start for s in played if s.chord != NO_CHORD_INDEX)
    tones = sum(
        (s.end - s.start) * len(CHORDS[s.chord].pitch_classes)
        for s in played
        if s.chord != NO_CHORD_INDEX
    )
    return {
        "ctnctr": (proper, notes),
        "pcs": (consonance, heard),
        "mctd": (distance, heard),
        "clash": (_clashing_ticks(song, played), sounding),
        "pitch_classes": (tones, sounding),
    }


def describe_progression(played: Sequence[ChordSpan]) -> dict[str, tuple[float, float]]:
    """Measure entropy, size and steps of the progression, each of one song."""
    chords = [span.chord for span in played if span.chord != NO_CHORD_INDEX]
    events = [c for i, c in enumerate(chords) if i == 0 or c != chords[i - 1]]
    if not events:
        return {}
    shares = np.array(list(Counter(events).values())) / len(events)
    steps = [
        float(np.linalg.norm(_centroid_of(one) - _centroid_of(other)))
        for one, other in pairwise(events)
    ]
    found = {
        "che": (-float((shares * np.log(shares)).sum()), 1.0),
        "cc": (float(len(shares)), 1.0),
    }
    return found | ({"ctd": (sum(steps) / len(steps), 1.0)} if steps else {})


def _under(
    note: MelodyNote, played: Sequence[ChordSpan]
) -> Iterator[tuple[ChordSpan, int]]:
    """Give the spans that sound with a note, and for how long."""
    end = note.onset + note.duration
    first = bisect_right(played, note.onset, key=lambda span: span.end)
    for span in played[first:]:
        if span.start >= end:
            break
        yield span, min(end, span.end) - max(note.onset, span.start)


def _sounding(played: Sequence[ChordSpan], tick: int) -> int:
    index = bisect_right(played, tick, key=lambda span: span.start) - 1
    inside = index >= 0 and tick < played[index].end
    return played[index].chord if inside else NO_CHORD_INDEX


def _clashing_ticks(song: Song, played: Sequence[ChordSpan]) -> int:
    """Count the ticks in which melody and chord rub, or do not meet in a bar.

    They rub where a note longer than an eighth, no chord tone itself, lies a
    semitone above a chord tone.
    """
    rubbing: list[tuple[int, int]] = []
    for note in song.melody:
        if note.duration <= EIGHTH_TICKS:
            continue
        for span, ticks in _under(note, played):
            tones = CHORDS[span.chord].pitch_classes
            pitch_class = note.note % 12
            if pitch_class not in tones and (pitch_class - 1) % 12 in tones:
                start = max(note.onset, span.start)
                rubbing.append((start, start + ticks))
    return _length_of_union(rubbing + list(_strange_bars(song, played)))


def _strange_bars(song: Song, played: Sequence[ChordSpan]) -> Iterator[tuple[int, int]]:
    """Give the parts of bars whose chord has no tone of the bar's melody."""
    onsets = [note.onset for note in song.melody]
    for bar in song.bars:
        first = bisect_right(onsets, bar.start - 8 * TICKS_PER_QUARTER)
        melody = {
            note.note % 12
            for note in song.melody[first : bisect_right(onsets, bar.end - 1)]
            if note.onset + note.duration > bar.start
        }
        if not melody:
            continue
        begin = bisect_right(played, bar.start, key=lambda span: span.end)
        for span in played[begin:]:
            if span.start >= bar.end:
                break
            chord = CHORDS[span.chord]
            if not chord.is_none and not melody & set(chord.pitch_classes):
                yield max(span.start, bar.start), min(span.end, bar.end)


def _length_of_union(stretches: list[tuple[int, int]]) -> int:
    length, reached = 0, -(10**12)
    for start, end in sorted(stretches):
        length += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return length


@cache
def _triad_of(chord: int) -> tuple[int, ...]:
    """Give the pitch classes of a chord's triad."""
    known = CHORDS[chord]
    family = QUALITY_BY_NAME[known.quality].triad
    name = "sus4" if family == "sus" else family
    return tuple(Chord(known.root, name).pitch_classes)


@cache
def _mean_consonance(pitch_class: int, chord: int) -> float:
    tones = _triad_of(chord)
    return sum(_CONSONANCE[(pitch_class - tone) % 12] for tone in tones) / len(tones)


@cache
def _distance_to(pitch_class: int, chord: int) -> float:
    return float(np.linalg.norm(_centroid((pitch_class,)) - _centroid_of(chord)))


@cache
def _centroid_of(chord: int) -> NDArray[np.float64]:
    return _centroid(_triad_of(chord))


def _centroid(pitch_classes: Sequence[int]) -> NDArray[np.float64]:
    """Place pitch classes in the six dimensions of tonal space."""
    place = np.zeros(6)
    for pitch_class in pitch_classes:
        for axis, (radius, turn) in enumerate(zip(_RADII, _TURNS, strict=True)):
            angle = pitch_class * turn * math.pi / 6
            place[2 * axis] += radius * math.sin(angle)
            place[2 * axis + 1] += radius * math.cos(angle)
    return place / len(pitch_classes)
