"""Pitch classes and how to spell them.

A pitch class is an int 0-11 with C = 0; a note is a MIDI number with 60 = C4.
Names are found on the line of fifths (... Bb F C G D A E B F# ...), where C is
position 0, sharps count up and flats count down: a good spelling is the name
nearest to the tonic.

References
----------
Temperley, "The Cognition of Basic Musical Structures", MIT Press 2001, ch. 5.
"""

_LETTERS = "FCGDAEB"  # on the line of fifths, from position -1
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Cb and E#: beyond them even a player in seven flats or sharps reads E and C sooner.
_FLATTEST, _SHARPEST = -7, 11


def pitch_class(note: int) -> int:
    """Return the pitch class, 0-11, of a MIDI note."""
    return note % 12


def parse_pitch_class(name: str) -> int:
    """Read a pitch name such as ``C``, ``F#`` or ``Bb``.

    Parameters
    ----------
    name : str
        A capital letter A-G, then any number of ``#`` and ``b``.

    Returns
    -------
    int
        Pitch class, 0-11.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    letter, accidentals = name[:1], name[1:]
    if letter not in _NATURAL or accidentals.strip("#b"):
        raise ValueError(
            f"unknown pitch name {name!r}: expected a letter A-G, then # or b"
        )
    shift = accidentals.count("#") - accidentals.count("b")
    return (_NATURAL[letter] + shift) % 12


def fifths_position(pc: int, lowest: int) -> int:
    """Place a pitch class on the line of fifths.

    Parameters
    ----------
    pc : int
        Pitch class, 0-11.
    lowest : int
        First of the twelve neighbouring positions to choose from.

    Returns
    -------
    int
        Position in ``lowest .. lowest + 11``; C is 0, G is 1, F is -1.
    """
    return lowest + (7 * pc - lowest) % 12


def spell_pitch_class(pc: int, tonic_fifths: int = 0) -> str:
    """Name a pitch class as it is written in a key.

    Around the tonic the names are those of the Roman numerals: flat second,
    third, sixth and seventh, raised fourth. In C this gives Db Eb F# Ab Bb, in
    A minor G# and Bb. Fb, B# and double accidentals are never written.

    Parameters
    ----------
    pc : int
        Pitch class, 0-11.
    tonic_fifths : int
        The tonic's position on the line of fifths (``Key.tonic_fifths``); 0,
        that is C, where no key is known.

    Returns
    -------
    str
        A letter with at most one ``#`` or ``b``.
    """
    position = fifths_position(pc, tonic_fifths - 5)
    if position > _SHARPEST:
        position -= 12
    elif position < _FLATTEST:
        position += 12
    accidentals, letter = divmod(position + 1, 7)
    return _LETTERS[letter] + (
        "#" * accidentals if accidentals > 0 else "b" * -accidentals
    )
