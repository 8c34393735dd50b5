"""How right a performance is: measures that can be pooled.

A measure of one song is a `Share`, a part of a whole: ticks that were right of
those that count. Songs are pooled by adding up parts and wholes, so that a long
song weighs more. All durations are musical time, in ticks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from statistics import median
from typing import NamedTuple

import mir_eval

from export.harmony_scores import describe_progression, fit_together
from export.songs import ChordSpan, Song
from jackcomp.theory.vocabulary import CHORDS, NO_CHORD_INDEX

CHORD_METRICS = ("root", "majmin", "sevenths")
CHANGE_WINDOW_TICKS = 960  # an eighth
MEDIANS = ("key_lock_beats", "recovery_beats", "key_recovery_beats")
"""Measures whose songs are pooled by the median: one lost song is not the rule."""


class Share(NamedTuple):
    """A part of a whole; F1 is one too, twice the matches of all onsets."""

    part: float
    whole: float


Scores = dict[str, Share]


def score_chords(song: Song, played: Sequence[ChordSpan]) -> Scores:
    """Compare what sounded with the annotation.

    Parameters
    ----------
    song : Song
        The annotation, the melody and the bars.
    played : sequence of ChordSpan
        What sounded over the annotated time, without gaps.

    Returns
    -------
    dict of Share
        ``root``, ``majmin``, ``sevenths``: time that is right by mir_eval's
        definitions, of the time that they judge. ``in_chord``: melody time on
        tones of the sounding chord. ``change_f1``: chord onsets within an eighth
        of an annotated one. ``changes_per_bar``: chord onsets, of bars. And those
        of `export.harmony_scores`.
    """
    shares = fit_together(song, played) | describe_progression(played)
    return {
        **{name: Share(*share) for name, share in shares.items()},
        **_agree(song.spans, played),
        "in_chord": _fit_melody(song, played),
        "change_f1": _meet_changes(song.spans, played),
        "changes_per_bar": Share(len(chord_onsets(played)), _count_bars(song)),
    }


def pool(scores: Iterable[Scores]) -> dict[str, float]:
    """Pool the scores of songs; a measure that judged nothing is left out."""
    found: dict[str, list[Share]] = {}
    for song in scores:
        for name, share in song.items():
            found.setdefault(name, []).append(share)
    pooled = {}
    for name, shares in found.items():
        parts, wholes = zip(*shares, strict=True)
        if name in MEDIANS:
            pooled[name] = float(median(parts))
        elif sum(wholes):
            pooled[name] = float(sum(parts) / sum(wholes))
    return pooled


def cut_out(
    song: Song, played: Sequence[ChordSpan], start: int, end: int
) -> tuple[Song, tuple[ChordSpan, ...]]:
    """Cut a song and what sounded down to ``[start, end)``; both may be empty."""

    def clip(spans: Sequence[ChordSpan]) -> tuple[ChordSpan, ...]:
        return tuple(
            span._replace(start=max(span.start, start), end=min(span.end, end))
            for span in spans
            if span.start < end and span.end > start
        )

    part = replace(
        song,
        spans=clip(song.spans),
        melody=tuple(note for note in song.melody if start <= note.onset < end),
        bars=tuple(bar for bar in song.bars if bar.start < end and bar.end > start),
    )
    return part, clip(played)


def chord_onsets(spans: Sequence[ChordSpan]) -> list[int]:
    """Return the ticks where a chord begins that did not sound before.

    Chords are those of the vocabulary: another bass or tension is no change.
    """
    before = [NO_CHORD_INDEX, *(span.chord for span in spans)]
    return [
        span.start
        for span, last in zip(spans, before, strict=False)
        if span.chord not in (last, NO_CHORD_INDEX)
    ]


def count_matches(one: Sequence[int], other: Sequence[int], window: int) -> int:
    """Count the pairs of a largest one-to-one matching of two ascending lists.

    Paired ticks are at most ``window`` apart. On a line, pairing whoever comes
    first is as good as any matching.
    """
    matches = i = j = 0
    while i < len(one) and j < len(other):
        if abs(one[i] - other[j]) <= window:
            matches, i, j = matches + 1, i + 1, j + 1
        elif one[i] < other[j]:
            i += 1
        else:
            j += 1
    return matches


def overlaps(
    one: Sequence[ChordSpan], other: Sequence[ChordSpan]
) -> Iterator[tuple[ChordSpan, ChordSpan, int]]:
    """Give the pairs of spans that sound together, and for how many ticks."""
    i = j = 0
    while i < len(one) and j < len(other):
        ticks = min(one[i].end, other[j].end) - max(one[i].start, other[j].start)
        if ticks > 0:
            yield one[i], other[j], ticks
        if one[i].end <= other[j].end:
            i += 1
        else:
            j += 1


@cache
def compare_labels(true: str, played: str) -> Mapping[str, float]:
    """Compare two Harte labels by `CHORD_METRICS`: 1, 0, or -1 for not judged."""
    return {
        name: float(getattr(mir_eval.chord, name)([true], [played])[0])
        for name in CHORD_METRICS
    }


def _agree(true: Sequence[ChordSpan], played: Sequence[ChordSpan]) -> Scores:
    parts = dict.fromkeys(CHORD_METRICS, 0.0)
    wholes = dict.fromkeys(CHORD_METRICS, 0)
    for annotated, sounding, ticks in overlaps(true, played):
        for name, right in compare_labels(annotated.label, sounding.label).items():
            if right >= 0:
                parts[name] += right * ticks
                wholes[name] += ticks
    return {name: Share(parts[name], wholes[name]) for name in CHORD_METRICS}


def _fit_melody(song: Song, played: Sequence[ChordSpan]) -> Share:
    right = heard = 0
    first = 0
    for note in song.melody:
        end = note.onset + note.duration
        while first < len(played) and played[first].end <= note.onset:
            first += 1
        for span in played[first:]:
            if span.start >= end:
                break
            ticks = min(end, span.end) - max(note.onset, span.start)
            heard += ticks
            if note.note % 12 in CHORDS[span.chord].pitch_classes:
                right += ticks
    return Share(right, heard)


def _meet_changes(true: Sequence[ChordSpan], played: Sequence[ChordSpan]) -> Share:
    one, other = chord_onsets(true), chord_onsets(played)
    matches = count_matches(one, other, CHANGE_WINDOW_TICKS)
    return Share(2 * matches, len(one) + len(other))


def _count_bars(song: Song) -> float:
    """Count the bars of the annotated time; half a bar is half of one."""
    start, end = song.spans[0].start, song.spans[-1].end
    return sum(
        max(min(bar.end, end) - max(bar.start, start), 0) / (bar.end - bar.start)
        for bar in song.bars
    )
