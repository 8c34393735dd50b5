"""Chords, the quality table, and Harte labels in and out.

``QUALITIES`` is the one table of what jackcomp can play; the parser, the
vocabulary and the Roman numerals are derived from it. A label may be richer
than the table: `parse_harte` reduces it by ``_REDUCTION``.

References
----------
Harte, Sandler, Abdallah and Gomez, "Symbolic Representation of Musical Chords:
A Proposed Syntax for Text Annotations", ISMIR 2005.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from jackcomp.errors import LabelError
from jackcomp.theory.pitch import parse_pitch_class, spell_pitch_class

if TYPE_CHECKING:  # key.py imports this module
    from jackcomp.theory.key import Key


@dataclass(frozen=True, slots=True)
class Quality:
    """One row of the quality table.

    Attributes
    ----------
    name : str
        Key of the table, as in `Chord.quality`.
    harte : str
        What a Harte label writes after the colon.
    intervals : tuple of int
        Semitones above the root, 0 first, ascending, below 12.
    triad : str
        Family: ``maj``, ``min``, ``dim``, ``aug`` or ``sus``.
    suffix : str
        What follows the Roman numeral.
    """

    name: str
    harte: str
    intervals: tuple[int, ...]
    triad: str
    suffix: str


QUALITIES: tuple[Quality, ...] = (
    Quality("maj", "maj", (0, 4, 7), "maj", ""),
    Quality("min", "min", (0, 3, 7), "min", ""),
    Quality("7", "7", (0, 4, 7, 10), "maj", "7"),
    Quality("maj7", "maj7", (0, 4, 7, 11), "maj", "maj7"),
    Quality("min7", "min7", (0, 3, 7, 10), "min", "7"),
    Quality("dim", "dim", (0, 3, 6), "dim", "°"),
    Quality("hdim7", "hdim7", (0, 3, 6, 10), "dim", "ø7"),
    Quality("dim7", "dim7", (0, 3, 6, 9), "dim", "°7"),
    Quality("aug", "aug", (0, 4, 8), "aug", "+"),
    Quality("sus2", "sus2", (0, 2, 7), "sus", "sus2"),
    Quality("sus4", "sus4", (0, 5, 7), "sus", "sus4"),
    Quality("7sus4", "sus4(b7)", (0, 5, 7, 10), "sus", "7sus4"),
    Quality("maj6", "maj6", (0, 4, 7, 9), "maj", "6"),
    Quality("min6", "min6", (0, 3, 7, 9), "min", "6"),
)
QUALITY_BY_NAME: Mapping[str, Quality] = MappingProxyType(
    {quality.name: quality for quality in QUALITIES}
)

# Harte's other shorthands (and 1 and 5, as mir_eval has them), in semitones.
_SHORTHANDS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {q.harte: q.intervals for q in QUALITIES if q.harte == q.name}
    | {
        "1": (0,),
        "5": (0, 7),
        "minmaj7": (0, 3, 7, 11),
        "9": (0, 2, 4, 7, 10),
        "maj9": (0, 2, 4, 7, 11),
        "min9": (0, 2, 3, 7, 10),
        "11": (0, 2, 4, 5, 7, 10),
        "maj11": (0, 2, 4, 5, 7, 11),
        "min11": (0, 2, 3, 5, 7, 10),
        "13": (0, 2, 4, 5, 7, 9, 10),
        "maj13": (0, 2, 4, 5, 7, 9, 11),
        "min13": (0, 2, 3, 5, 7, 9, 10),
    }
)

# (quality, tones it must have, tones it must lack), in semitones; the first row
# that fits is taken. The third decides first, then the seventh, and the fifth
# only where the table has a chord for it: a musician hears C7#5 as a dominant,
# so it is a 7. Where both thirds sound, the minor one is a raised ninth; a
# missing third (5, 1) counts as major.
_REDUCTION: tuple[tuple[str, frozenset[int], frozenset[int]], ...] = tuple(
    (quality, frozenset(present), frozenset(absent))
    for quality, present, absent in (
        ("7sus4", (5, 10), (3, 4)),
        ("sus4", (5,), (3, 4)),
        ("sus2", (2,), (3, 4)),
        ("hdim7", (3, 6, 10), (4, 7)),
        ("dim7", (3, 6, 9), (4, 7)),
        ("dim", (3, 6), (4, 7)),
        ("min7", (3, 10), (4,)),
        ("min6", (3, 9), (4,)),
        ("min", (3,), (4,)),
        ("7", (10,), ()),
        ("maj7", (11,), ()),
        ("aug", (8,), (7,)),
        ("maj6", (9,), ()),
        ("maj", (), ()),
    )
)

_LABEL = re.compile(
    r"(?P<root>[A-G][#b]*)"
    r"(?P<colon>:(?P<shorthand>[a-z0-9]*)(?:\((?P<degrees>[^()]+)\))?)?"
    r"(?:/(?P<bass>[#b]*(?:1[0-3]|[1-9])))?"
)
_DEGREE = re.compile(r"(?P<omitted>\*?)(?P<accidentals>[#b]*)(?P<number>1[0-3]|[1-9])")
_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_BASS_DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")
# Two chord tones that the plain names would respell.
_BASS_DEGREES_OF = {("aug", 8): "#5", ("dim7", 9): "bb7"}


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord: root, quality and bass.

    Attributes
    ----------
    root : int or None
        Pitch class, 0-11; None for no chord.
    quality : str
        Key of the quality table; ``N`` for no chord.
    bass : int or None
        Pitch class that sounds in the bass, where it is not the root.
    """

    root: int | None
    quality: str
    bass: int | None = None

    def __post_init__(self) -> None:
        if self.root is None:
            if self.quality != "N" or self.bass is not None:
                raise ValueError(f"a chord without a root is 'N', not {self.quality!r}")
            return
        if self.quality not in QUALITY_BY_NAME:
            raise ValueError(
                f"unknown chord quality {self.quality!r}: "
                f"expected one of {' '.join(QUALITY_BY_NAME)}"
            )
        if not 0 <= self.root < 12:
            raise ValueError(f"chord root {self.root}: expected a pitch class, 0-11")
        if self.bass is not None and (
            not 0 <= self.bass < 12 or self.bass == self.root
        ):
            raise ValueError(
                f"chord bass {self.bass}: expected a pitch class, 0-11, "
                "other than the root, or None"
            )

    @property
    def is_none(self) -> bool:
        """Whether this is silence, Harte's ``N``."""
        return self.root is None

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The chord tones, 0-11, root first and upwards; a foreign bass is not one."""
        if self.root is None:
            return ()
        intervals = QUALITY_BY_NAME[self.quality].intervals
        return tuple((self.root + interval) % 12 for interval in intervals)

    def transpose(self, semitones: int) -> Chord:
        """Return the chord ``semitones`` higher (lower if negative)."""
        if self.root is None:
            return self
        bass = None if self.bass is None else (self.bass + semitones) % 12
        return Chord((self.root + semitones) % 12, self.quality, bass)


NO_CHORD = Chord(None, "N")


def parse_harte(label: str) -> Chord:
    """Read a Harte label, reduced to the nearest quality of the table.

    Any shorthand, list of degrees (``7(b9,13)``), omission (``*5``) and bass
    degree is understood. The tones it spells, taken as intervals above the root,
    then choose the first row that fits:

    1. no third: a fourth makes ``7sus4`` with a minor seventh and otherwise
       ``sus4``, a second ``sus2``; without them the third counts as major (``5``,
       ``1`` are ``maj``);
    2. minor third: with a diminished fifth ``hdim7``, ``dim7`` or ``dim`` by its
       seventh; otherwise ``min7``, ``min6`` or ``min`` (``minmaj7`` too);
    3. major third: a minor seventh makes ``7`` (9, 11, 13 and altered chords), a
       major one ``maj7``; then a raised fifth without the plain one ``aug``, a
       sixth ``maj6``; otherwise ``maj``.

    The bass is kept as it is and never changes the quality.

    Parameters
    ----------
    label : str
        Such as ``A:min7/b3``, ``C``, ``F#:7(*5,b5)`` or ``N``.

    Returns
    -------
    Chord
        `NO_CHORD` for ``N``.

    Raises
    ------
    LabelError
        If it is not Harte syntax, or ``X``, the chord that nobody knows.
    """
    if label == "N":
        return NO_CHORD
    match = _match(label)
    root = parse_pitch_class(match["root"])
    tones = _tones(label, match)
    quality = next(
        name
        for name, present, absent in _REDUCTION
        if present <= tones and not absent & tones
    )
    bass = root if match["bass"] is None else root + _semitones(match["bass"])
    return Chord(root, quality, None if bass % 12 == root else bass % 12)


def spelled_tones(label: str) -> frozenset[int]:
    """Give the intervals above the root that a label spells, before any reduction.

    Parameters
    ----------
    label : str
        Any label that `parse_harte` reads, but ``N``.

    Returns
    -------
    frozenset of int
        In semitones, 0-11; the bass is not counted.

    Raises
    ------
    LabelError
        If it is not the label of a chord.
    """
    return frozenset(_tones(label, _match(label)))


def format_harte(chord: Chord, key: Key | None = None) -> str:
    """Write a chord as a Harte label, its root spelled as in ``key``.

    Parameters
    ----------
    chord : Chord
        Any chord.
    key : Key, optional
        Decides between sharps and flats; without it Db Eb F# Ab Bb are written.

    Returns
    -------
    str
        Such as ``A:min7/b3``; ``N`` for no chord. `parse_harte` reads it back.
    """
    if chord.root is None:
        return "N"
    root = spell_pitch_class(chord.root, 0 if key is None else key.tonic_fifths)
    label = f"{root}:{QUALITY_BY_NAME[chord.quality].harte}"
    if chord.bass is None:
        return label
    interval = (chord.bass - chord.root) % 12
    degree = _BASS_DEGREES_OF.get((chord.quality, interval), _BASS_DEGREES[interval])
    return f"{label}/{degree}"


def _match(label: str) -> re.Match[str]:
    match = _LABEL.fullmatch(label)
    if match is None or match["colon"] == ":":
        raise _label_error(label)
    return match


def _tones(label: str, match: re.Match[str]) -> set[int]:
    """Collect the intervals that a label spells, the root always among them."""
    shorthand = "maj" if match["colon"] is None else match["shorthand"]
    if shorthand and shorthand not in _SHORTHANDS:
        raise _label_error(label)
    # With no shorthand the list spells the whole chord: C:(1,b3,5).
    tones = set(_SHORTHANDS[shorthand or "1"])
    degrees = match["degrees"].split(",") if match["degrees"] else []
    for text in degrees:
        degree = _DEGREE.fullmatch(text)
        if degree is None:
            raise _label_error(label)
        interval = _semitones(degree["accidentals"] + degree["number"])
        if degree["omitted"]:
            tones.discard(interval)
        else:
            tones.add(interval)
    return tones | {0}


def _semitones(degree: str) -> int:
    """Convert a scale degree such as ``b13`` to semitones, below 12."""
    number = int(degree.lstrip("#b"))
    shift = degree.count("#") - degree.count("b")
    return (_MAJOR_SCALE[(number - 1) % 7] + shift) % 12


def _label_error(label: str) -> LabelError:
    return LabelError(
        f"cannot read chord label {label!r}: "
        "expected Harte syntax such as 'A:min7/b3', or 'N' for no chord"
    )
