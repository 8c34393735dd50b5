"""Soloists who play otherwise than the song is written.

Each takes a song and gives what the accompanist hears of it. Dice are thrown by the
song's name, so that every run and every row hears the same.
"""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from export.songs import ChordSpan, KeySpan, MelodyNote, Song
from jackcomp.duo import DEFAULT_BPM
from jackcomp.theory.chord import QUALITY_BY_NAME, Chord, format_harte
from jackcomp.theory.key import Key
from jackcomp.theory.vocabulary import CHORDS, chord_index
from jackcomp.timeline.meter import TICKS_PER_QUARTER

WRONG_NOTES = 0.1
JITTER_MS = 30.0
TURN_BAR = 8
"""The bar, from 0, in which the soloist goes a tritone higher."""

STATED_BARS = 8
LEGATO_MS = 20.0
"""So late are its keys released, after the next chord was struck."""

LEFT_HAND = 48
"""The octave from this MIDI note on is where the left hand states its triads."""


def as_written(song: Song) -> Song:
    """Play what is written."""
    return song


def slip(song: Song) -> Song:
    """Strike one note in ten a semitone or two beside the right key."""
    dice = _dice(song)
    melody = [
        note._replace(note=note.note + int(dice.choice((-2, -1, 1, 2))))
        if dice.random() < WRONG_NOTES
        else note
        for note in song.melody
    ]
    return replace(song, melody=tuple(melody))


def jitter(song: Song) -> Song:
    """Strike every note up to 30 ms early or late."""
    dice = _dice(song)
    most = JITTER_MS / 60_000 * _ticks_a_minute(song)
    melody = [
        note._replace(onset=note.onset + round(dice.uniform(-most, most)))
        for note in song.melody
    ]
    return replace(song, melody=tuple(sorted(melody)))


def halve_tempo(song: Song) -> Song:
    """Play half as fast."""
    return _at_tempo(song, 0.5)


def double_tempo(song: Song) -> Song:
    """Play twice as fast."""
    return _at_tempo(song, 2.0)


def state_chords(song: Song) -> Song:
    """State the true triad with the left hand, legato, in the first eight bars."""
    until = bar_start(song, STATED_BARS)
    late = round(_ticks_a_minute(song) * LEGATO_MS / 60_000)
    stated = [
        MelodyNote(
            span.start,
            min(span.end, until) - span.start + late,
            LEFT_HAND + (pitch_class - LEFT_HAND) % 12,
            None,
        )
        for span in song.spans
        if span.start < until and not CHORDS[span.chord].is_none
        for pitch_class in triad_of(CHORDS[span.chord]).pitch_classes
    ]
    return replace(song, melody=tuple(sorted([*song.melody, *stated])))


def _ticks_a_minute(song: Song) -> float:
    return (song.quarters_per_minute or DEFAULT_BPM) * TICKS_PER_QUARTER


def turn_a_tritone(song: Song) -> Song:
    """Go a tritone higher at bar nine, melody, chords and key."""
    return modulate(song, TURN_BAR, 6)


def modulate(song: Song, bar: int, up: int) -> Song:
    """Go ``up`` semitones higher at a bar, from 0, melody, chords and key."""
    turn = bar_start(song, bar)
    melody = tuple(
        note._replace(note=note.note + up) if note.onset >= turn else note
        for note in song.melody
    )
    keys = list(song.keys)
    if not keys and song.key is not None:
        keys = [KeySpan(song.spans[0].start, song.key)]
    before = [span for span in keys if span.start < turn]
    turned = [KeySpan(turn, _higher(span.key, up)) for span in before[-1:]]
    turned += [
        span._replace(key=_higher(span.key, up)) for span in keys if span.start >= turn
    ]
    return replace(
        song,
        melody=melody,
        spans=_turned(song.spans, turn, up),
        keys=(*before, *turned),
    )


def bar_start(song: Song, number: int) -> int:
    """Return where a bar of the song begins, counted from the first bar line."""
    starts = [bar.start for bar in song.bars if bar.start >= 0]
    return starts[number] if number < len(starts) else song.bars[-1].end


def triad_of(chord: Chord) -> Chord:
    """Return a chord's triad; of a suspended one the chord itself."""
    family = QUALITY_BY_NAME[chord.quality].triad
    return chord if family == "sus" else Chord(chord.root, family)


def _at_tempo(song: Song, factor: float) -> Song:
    tempo = song.quarters_per_minute or DEFAULT_BPM
    return replace(song, quarters_per_minute=tempo * factor)


def _turned(spans: Sequence[ChordSpan], turn: int, up: int) -> tuple[ChordSpan, ...]:
    turned: list[ChordSpan] = []
    for span in spans:
        if span.start < turn:
            turned.append(span._replace(end=min(span.end, turn)))
        if span.end > turn:
            chord = CHORDS[span.chord].transpose(up)
            turned.append(
                ChordSpan(
                    max(span.start, turn),
                    span.end,
                    format_harte(chord),
                    chord_index(chord),
                )
            )
    return tuple(turned)


def _higher(key: Key | None, up: int) -> Key | None:
    return None if key is None else Key((key.tonic + up) % 12, key.mode)


def _dice(song: Song) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(song.id.encode()))
