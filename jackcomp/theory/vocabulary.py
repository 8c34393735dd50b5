"""The one ordered list of chords that every distribution indexes.

Index = root * `N_QUALITIES` + place in the quality table; the last is no chord.
"""

from jackcomp.theory.chord import NO_CHORD, QUALITIES, Chord

N_QUALITIES = len(QUALITIES)
CHORDS: tuple[Chord, ...] = (
    *(Chord(root, quality.name) for root in range(12) for quality in QUALITIES),
    NO_CHORD,
)
N_CHORDS = len(CHORDS)
NO_CHORD_INDEX = N_CHORDS - 1

_QUALITY_INDEX = {quality.name: index for index, quality in enumerate(QUALITIES)}


def chord_index(chord: Chord) -> int:
    """Return the chord's place in `CHORDS`; its bass is ignored."""
    if chord.root is None:
        return NO_CHORD_INDEX
    return chord.root * N_QUALITIES + _QUALITY_INDEX[chord.quality]


def transpose_index(index: int, semitones: int) -> int:
    """Return the index of the chord ``semitones`` higher; no chord stays.

    Parameters
    ----------
    index : int
        Place in `CHORDS`, 0 to ``N_CHORDS - 1``.
    semitones : int
        Any number, negative for lower.

    Returns
    -------
    int
        Place in `CHORDS`.
    """
    if index == NO_CHORD_INDEX:
        return index
    return (index + semitones * N_QUALITIES) % NO_CHORD_INDEX
