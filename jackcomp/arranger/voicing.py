"""A chord and the voicing before it -> the next voicing, by least motion.

A voicing is an ascending tuple of notes in close position, all within an
octave; the bass is a voice of its own below it. The guide tones always sound.
What may be missing from a four-note chord is what the bass already says (the
root) or what the ear adds by itself (a perfect fifth).

The least motion in all is enough to keep each voice's own leaps small: with the
ranges of the shipped styles (chords 48-76, bass 33-47) none is wider than
``MAX_LEAP``, found by trying every chord, over its root and over a foreign bass,
after every close position. Only a soloist who dives under the chord makes it
leap further, out of the way. The bass leaps an octave at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

from jackcomp.theory.chord import Chord

MAX_LEAP = 9
"""Semitones that a voice may leap; most voices move by two or less."""

COMFORT = 4
"""Semitones that a voicing keeps, if it can, from either end of its range."""

STRAIN = 2
"""Cost of each semitone past that, and of a semitone between the top voices."""


@dataclass(frozen=True, slots=True)
class Voicing:
    """How a chord lies under the hands.

    Parameters
    ----------
    chord : Chord
        What it realises.
    notes : tuple of int
        MIDI notes, ascending, without the bass; empty for no chord.
    bass : int or None
        MIDI note; None for no chord.
    since : int
        Tick from which this chord has been sounding without a change.
    is_thin : bool
        Whether it is struck once and held, whatever the style.
    resting : frozenset of str
        Parts that do not play it.
    """

    chord: Chord
    notes: tuple[int, ...]
    bass: int | None
    since: int
    is_thin: bool = False
    resting: frozenset[str] = frozenset()


def voice_chord(
    chord: Chord,
    previous: tuple[int, ...] | None,
    low: int,
    high: int,
    ceiling: int | None = None,
    voices: int = 4,
) -> tuple[int, ...]:
    """Voice a chord in close position, as near to the previous voicing as it gets.

    Parameters
    ----------
    chord : Chord
        What to voice; no chord gives an empty voicing.
    previous : tuple of int or None
        Ascending MIDI notes to lead from; without any, near the middle of the range.
    low, high : int
        Lowest and highest MIDI note allowed. At least 16 semitones apart.
    ceiling : int, optional
        The soloist's lowest note: the voicing stays below it if it is at least an
        octave above ``low``, where every chord fits. A lower soloist is
        accompanied from above rather than with leaps back and forth.
    voices : int
        3 or 4; with 3, four-note chords do without the root or a perfect fifth
        where they can.

    Returns
    -------
    tuple of int
        3 or 4 ascending MIDI notes within an octave; the previous ones if they
        will do for this chord too.
    """
    if chord.is_none:
        return ()
    candidates = _close_positions(chord, voices, low, high)
    if ceiling is not None and ceiling >= low + 12:
        candidates = [notes for notes in candidates if notes[-1] < ceiling]
    if previous in candidates:
        return previous
    home = low + high

    def cost(notes: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        moved = sum(voice_moves(previous, notes)) if previous else 0
        off_home = abs(notes[0] + notes[-1] - home)
        return moved + _strain(notes, low, high), off_home, notes

    return min(candidates, key=cost)


def voice_bass(chord: Chord, previous: int | None, low: int, high: int) -> int | None:
    """Place the bass note of a chord as near to the previous one as it gets.

    Parameters
    ----------
    chord : Chord
        Its ``bass`` sounds, or its root; no chord gives None.
    previous : int or None
        MIDI note to lead from; without one, near the middle of the range.
    low, high : int
        Lowest and highest MIDI note allowed, at least 11 semitones apart.

    Returns
    -------
    int or None
        MIDI note.
    """
    if chord.is_none:
        return None
    home = (low + high) // 2 if previous is None else previous
    return nearest_note(bass_pitch_class(chord), home, low, high)


def bass_pitch_class(chord: Chord) -> int:
    """Return the pitch class that sounds lowest: the chord's bass or its root."""
    return chord.pitch_classes[0] if chord.bass is None else chord.bass


def second_bass_note(chord: Chord, bass: int, low: int, high: int) -> int:
    """Return what a bass player alternates with: the fifth, or the root if not there.

    Parameters
    ----------
    chord : Chord
        Any chord but no chord.
    bass : int
        MIDI note of the bass.
    low, high : int
        Lowest and highest MIDI note allowed.

    Returns
    -------
    int
        MIDI note as near as possible to the bass; the lower one of two.
    """
    root = chord.pitch_classes[0]
    fifth = next(pc for pc in chord.pitch_classes if (pc - root) % 12 in (6, 7, 8))
    other = fifth if bass % 12 == root else root
    return nearest_note(other, bass, low, high)


def nearest_note(pitch_class: int, home: int, low: int, high: int) -> int:
    """Return the note of a pitch class in range nearest to home, the lower of two."""
    notes = range(low + (pitch_class - low) % 12, high + 1, 12)
    return min(notes, key=lambda note: (abs(note - home), note))


def voice_moves(previous: Sequence[int], notes: Sequence[int]) -> tuple[int, ...]:
    """Return how far each voice moves, in semitones, no two voices crossing.

    Where one voicing has a voice more, one voice of the other splits or two
    join, whichever moves least.
    """
    fewer, more = sorted((tuple(previous), tuple(notes)), key=len)
    doubled = combinations_with_replacement(fewer, len(more) - len(fewer))
    pairings = (zip(sorted(fewer + extra), more, strict=True) for extra in doubled)
    moves = (tuple(abs(a - b) for a, b in pairs) for pairs in pairings)
    return min(moves, key=sum)


def _close_positions(
    chord: Chord, voices: int, low: int, high: int
) -> list[tuple[int, ...]]:
    found = []
    for tones in _tone_sets(chord, voices):
        for bottom in range(low, high + 1):
            if bottom % 12 in tones:
                notes = tuple(sorted(bottom + (pc - bottom) % 12 for pc in tones))
                if notes[-1] <= high:
                    found.append(notes)
    return found


def _tone_sets(chord: Chord, voices: int) -> list[tuple[int, ...]]:
    """Return the sets of pitch classes that may stand for the chord."""
    tones = chord.pitch_classes
    if len(tones) <= voices:
        return [tones]
    root = tones[0]
    spare = {(root + 7) % 12}
    if bass_pitch_class(chord) == root:
        spare.add(root)
    kept = [tuple(pc for pc in tones if pc != left_out) for left_out in sorted(spare)]
    return [shell for shell in kept if len(shell) == voices] or [tones]


def _strain(notes: tuple[int, ...], low: int, high: int) -> int:
    too_low = max(0, low + COMFORT - notes[0])
    too_high = max(0, notes[-1] - (high - COMFORT))
    harsh = notes[-1] - notes[-2] == 1
    return STRAIN * (too_low + too_high + harsh)
