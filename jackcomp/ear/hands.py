"""The soloist's left hand: the notes with which he states a chord himself.

A keyboard has two hands, and the ear has to know which notes are melody. With a
split point it is told. Without one, three notes and more that are struck at once are
a chord, and a bass note that rings on, held by key or pedal, well below other notes
is its bass, whichever of them was struck first. Otherwise one note after the other is
melody, however wide it leaps: neither the short overlap of a legato nor what the pedal
holds together is a chord.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jackcomp.ear.window import HeardNote
from jackcomp.theory.vocabulary import CHORDS, N_CHORDS, NO_CHORD_INDEX
from jackcomp.timeline.meter import TICKS_PER_QUARTER

Split: TypeAlias = int | Literal["auto", "off"]
"""Where the hands part: a MIDI note from which the right hand plays, or how."""

AT_ONCE_SECONDS = 1 / 16
"""Notes struck so close together are struck at once, at any tempo: faster than any
ornament, slower than any chord that is not meant to be broken."""

# A bass note is held under another for so long.
TOGETHER_TICKS = TICKS_PER_QUARTER // 4
BASS_BELOW = 55
BASS_DISTANCE = 12
CHORD_NOTES = 3
# A top note so far above three others, or two, is the melody over a chord.
OVER_THREE, OVER_TWO = 5, 10

# Struck so little before the line of a step, in ticks, a note belongs to the step.
EARLY_TICKS = TICKS_PER_QUARTER // 8
# A chord that is held when the next step is decided on, before its line, may be let go
# there. Struck within this time before the line it is pushed, and stays.
PUSHED_TICKS = TICKS_PER_QUARTER // 2
"""Ticks."""
HELD_TRUST = 0.98
"""How surely any other chord stays."""

BASS_LINE_BELOW = 48
"""Below this MIDI note, C3, lies a bass; a bass line may rise above it."""
BASS_GAP = 7
"""So many semitones are under the rest of a stroke where its lowest note is a bass."""
FIGURE_GAP = 4
"""The same where a chord is broken, below the rest of its figure."""
LONGEST_STEP, FIGURE_TICKS = 2, TICKS_PER_QUARTER * 3 // 4
"""Semitones from one note of a line to the next, a wider one is a leap; and ticks from
one note of a figure to the next, a slower one is of a line."""

# Log-odds for a chord: of each stated tone that it has, or lacks; of each tone of its
# own that was not stated, once a chord of three was; of its root as the lowest note,
# where that is a bass or has its fifth, and where it is a turned or rootless chord's.
_TONE, _FOREIGN, _UNSTATED = 1.5, -3.0, -0.7
_ROOT, _LOWEST = 1.5, 0.5
_LEAST_TONES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Hands:
    """Notes by hand, each by onset."""

    melody: tuple[HeardNote, ...]
    left: tuple[HeardNote, ...]


def part_hands(
    notes: Sequence[HeardNote], now: int, split: Split, at_once: int
) -> Hands:
    """Say which notes are melody and which are the left hand's.

    Parameters
    ----------
    notes : sequence of HeardNote
        By onset, all before ``now``.
    now : int
        Tick until which they have been heard.
    split : int or str
        MIDI note from which the right hand plays; ``auto`` to find it, ``off`` if
        all is melody.
    at_once : int
        Ticks within which notes are struck at once, see `AT_ONCE_SECONDS`.

    Returns
    -------
    Hands
    """
    if split == "auto":
        left = _find_left(notes, now, at_once)
    elif split == "off":
        left = [False] * len(notes)
    else:
        left = [note.note < split for note in notes]
    pairs = list(zip(notes, left, strict=True))
    return Hands(
        tuple(note for note, is_left in pairs if not is_left),
        tuple(note for note, is_left in pairs if is_left),
    )


def find_stated(
    left: Sequence[HeardNote], start: int, now: int, at_once: int
) -> tuple[HeardNote, ...]:
    """Give the notes with which the left hand states the chord of a step.

    They are the last ones struck, as many strokes as make three tones, of those that
    sound and of those that were struck in the step; and a bass note that sounds below
    them. What was struck before is the chord before, however late it is let go.

    Parameters
    ----------
    left : sequence of HeardNote
        By onset, all before ``now``.
    start, now : int
        Where the step begins, and until when it was heard.
    at_once : int
        Ticks within which notes are struck at once.
    """
    known = [
        note
        for note in left
        if note.end is None or note.end >= now or note.onset >= start - EARLY_TICKS
    ]
    stated: list[HeardNote] = []
    tones: set[int] = set()
    stroke = now
    for note in reversed(known):
        if stated and note.onset < stroke - at_once and len(tones) >= _LEAST_TONES:
            break
        if not stated or note.onset < stroke - at_once:
            stroke = note.onset
        stated.append(note)
        tones.add(note.note % 12)
    if stated:
        lowest = min(note.note for note in stated)
        strokes = [note.onset for note in left]
        for note in reversed(known[: len(known) - len(stated)]):
            if note.note >= lowest or (note.end is not None and note.end < now):
                continue
            together = sum(abs(note.onset - stroke) <= at_once for stroke in strokes)
            if together < CHORD_NOTES:
                stated.append(note)
    return tuple(reversed(stated))


def find_parts(
    left: Sequence[HeardNote], now: int, bar: int, at_once: int, split: Split
) -> frozenset[str]:
    """Say what of an accompaniment the left hand plays itself.

    Chords are three tones of one stroke, or of a broken chord below a split that was
    told; a bass is a low note alone, or far below the rest of its stroke. What he still
    holds is played, and what he has struck more than once of late; a chord in passing
    is not.

    Parameters
    ----------
    left : sequence of HeardNote
        By onset.
    now, bar : int
        In ticks. What was struck in the two bars before now counts, while it sounds
        and for most of a bar: what is held for longer has faded.
    at_once, split : int, Split
        As for `part_hands`. Without a split all single notes were found as basses.

    Returns
    -------
    frozenset of str
        Any of 'chords' and 'bass'.
    """
    strokes: list[list[HeardNote]] = []
    for note in left:
        if note.onset <= now - 2 * bar:
            continue
        if not strokes or note.onset - strokes[-1][0].onset > at_once:
            strokes.append([])
        strokes[-1].append(note)
    chords = [stroke for stroke in strokes if _is_chord(stroke)]
    basses = [stroke for stroke in strokes if len(stroke) > 1 and _has_bass(stroke)]
    alone = [stroke[0] for stroke in strokes if len(stroke) == 1]
    highest = BASS_BELOW - 1
    if isinstance(split, int) and _is_broken_chord(alone):
        figure = [note for note in alone if note.note >= BASS_LINE_BELOW]
        chords += [[note] for note in figure]
        highest = min(note.note for note in figure) - FIGURE_GAP
    basses += [[note] for note in alone if note.note <= highest]
    found = {"chords": chords, "bass": basses}
    return frozenset(part for part, s in found.items() if _is_played(s, now, bar))


def _is_chord(stroke: Sequence[HeardNote]) -> bool:
    return len({note.note % 12 for note in stroke}) >= _LEAST_TONES


def _has_bass(stroke: Sequence[HeardNote]) -> bool:
    lowest, *others = sorted({note.note for note in stroke})
    return lowest < BASS_LINE_BELOW and (not others or others[0] - lowest >= BASS_GAP)


def _is_broken_chord(notes: Sequence[HeardNote]) -> bool:
    """Tell a broken chord from a line: three tones above a bass, and no step.

    Eighths step within a chord, too: from its seventh to its root.
    """
    is_line = any(
        min(one.note, other.note) >= BASS_LINE_BELOW
        and 0 < abs(other.note - one.note) <= LONGEST_STEP
        and other.onset - one.onset > FIGURE_TICKS
        for one, other in pairwise(notes)
    )
    tones = {note.note % 12 for note in notes if note.note >= BASS_LINE_BELOW}
    return len(tones) >= _LEAST_TONES and not is_line


def _is_played(strokes: Sequence[Sequence[HeardNote]], now: int, bar: int) -> bool:
    ends = [note.end for stroke in strokes for note in stroke]
    if any(end is None or end >= now for end in ends):
        return True
    lately = now - bar * 3 // 4
    return len(strokes) > 1 and any(end is not None and end > lately for end in ends)


def trust_held(stated: Sequence[HeardNote], start: int) -> float:
    """Say how sure it is, before the line at ``start``, that a chord is held over it.

    A hand that plays legato holds its chord until the line, whether it changes there
    or not. A chord that was pushed stays.
    """
    if not stated:
        return 0.0
    is_pushed = start - max(note.onset for note in stated) <= PUSHED_TICKS
    return 1.0 if is_pushed else HELD_TRUST


def score_stated(
    stated: Sequence[HeardNote], trust: float = 1.0
) -> NDArray[np.float64]:
    """Give the log-odds of each chord by the notes with which it is stated.

    Parameters
    ----------
    stated : sequence of HeardNote
        As `find_stated` gives them.
    trust : float
        How sure it is that they say anything of the step, as `trust_held` gives it. As
        a probability: what they contradict is possible with the rest.

    Returns
    -------
    ndarray, shape=(169,), float64
        In vocabulary order; all zero if there are no notes.
    """
    if not stated:
        return np.zeros(N_CHORDS)
    tones = np.zeros(12)
    tones[[note.note % 12 for note in stated]] = 1.0
    lowest, *others = sorted({note.note for note in stated})
    is_bass = lowest < BASS_LINE_BELOW or (others and others[0] - lowest >= BASS_GAP)
    is_root = is_bass or tones[(lowest + 7) % 12]
    scores = _TONES @ (tones * (_TONE - _FOREIGN)) + _FOREIGN * tones.sum()
    if tones.sum() >= _LEAST_TONES:
        scores += _UNSTATED * (_TONES @ (1.0 - tones))
    scores += (_ROOT if is_root else _LOWEST) * _ROOTS[:, lowest % 12]
    odds = np.exp(scores - scores.max())
    return np.asarray(np.log(1.0 - trust + trust * odds))


def _find_left(notes: Sequence[HeardNote], now: int, at_once: int) -> list[bool]:
    """Find chords that are struck at once, and bass notes below other notes."""
    is_left = [False] * len(notes)
    struck: list[int] = []
    basses: list[int] = []
    for index, note in enumerate(notes):
        if struck and note.onset - notes[struck[0]].onset > at_once:
            struck = []
        struck.append(index)
        if len(struck) >= CHORD_NOTES:
            rising = sorted(struck, key=lambda i: notes[i].note)
            for i in struck:
                is_left[i] = True
            is_left[rising[-1]] = not _is_melody_above([notes[i].note for i in rising])
        basses = [i for i in basses if _together(notes[i], note, now)]
        for i in basses:
            is_left[i] |= note.note - notes[i].note >= BASS_DISTANCE
        if note.note < BASS_BELOW:
            basses.append(index)
            is_left[index] |= any(
                other.note - note.note >= BASS_DISTANCE and _together(other, note, now)
                for other in notes[:index]
            )
    return is_left


def _together(one: HeardNote, later: HeardNote, now: int) -> bool:
    end = later.onset + TOGETHER_TICKS
    return end <= now and all(n.end is None or n.end >= end for n in (one, later))


def _is_melody_above(rising: list[int]) -> bool:
    """Say whether the top note of a chord, lowest first, is melody over it."""
    enough = OVER_THREE if len(rising) > CHORD_NOTES else OVER_TWO
    return rising[-1] - rising[-2] >= enough


_TONES = np.array([[pc in c.pitch_classes for pc in range(12)] for c in CHORDS], float)
_ROOTS = np.array([[pc == c.root for pc in range(12)] for c in CHORDS], float)
_TONES[NO_CHORD_INDEX] = 0.0
