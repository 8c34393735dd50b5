"""Keys, Roman numerals and harmonic function.

Both modes number their degrees from the major scale on the tonic, as jazz and
pop charts do: in A minor F is bVI and G# diminished is vii°.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from jackcomp.theory.chord import QUALITY_BY_NAME, Chord
from jackcomp.theory.pitch import fifths_position, parse_pitch_class, spell_pitch_class

MODES = ("major", "minor")
# The flattest tonic of each mode on the line of fifths: Db major, Eb minor.
_LOWEST_TONIC = {"major": -5, "minor": -3}
_KEY = re.compile(
    r"(?P<letter>[A-Ga-g])(?P<accidental>[#b]?)(?P<mode>m|[ ]?(?:maj|major|min|minor))?"
)
_NUMERALS = (
    *("I", "bII", "II", "bIII", "III", "IV"),
    *("#IV", "V", "bVI", "VI", "bVII", "VII"),
)
_TRIAD_SUFFIX = {"maj": "", "min": "", "dim": "°", "aug": "+", "sus": "sus"}
# Functions by triad: Riemann's, a relative standing in for its main chord, with
# the borrowed chords of the subdominant minor after Nettles and Graf.
_FUNCTIONS = {
    "major": {
        "tonic": ("I", "Isus", "iii", "vi"),
        "subdominant": ("ii", "ii°", "IV", "iv", "IVsus", "bII", "bVI", "bVII"),
        "dominant": ("V", "V+", "Vsus", "vii°"),
    },
    "minor": {
        "tonic": ("i", "I", "Isus", "bIII"),
        "subdominant": ("ii", "ii°", "iv", "IV", "IVsus", "bII", "bVI"),
        "dominant": ("V", "v", "V+", "Vsus", "bVII", "bIII+", "vii°"),
    },
}

# Semitones above the tonic: its third, and what colours a last chord. The fourth, and
# the minor sixth in minor, would make another chord of it.
_FINALS = {"major": (4, {2, 9, 11}), "minor": (3, {2, 9, 10, 11})}
# With these the root has to be the lowest note: A C E G is C6 or Am7.
_DOUBTFUL = {9, 10}


@dataclass(frozen=True, slots=True)
class Key:
    """A key: tonic pitch class, 0-11, and mode, ``major`` or ``minor``."""

    tonic: int
    mode: str

    def __post_init__(self) -> None:
        if not 0 <= self.tonic < 12:
            raise ValueError(f"key tonic {self.tonic}: expected a pitch class, 0-11")
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}: expected major or minor")

    @property
    def tonic_fifths(self) -> int:
        """The tonic's place on the line of fifths: Db..F# major, Eb..G# minor."""
        return fifths_position(self.tonic, _LOWEST_TONIC[self.mode])


KEYS: tuple[Key, ...] = tuple(Key(tonic, mode) for mode in MODES for tonic in range(12))


def key_index(key: Key) -> int:
    """Return the key's place in `KEYS`, 0-23."""
    return key.tonic + 12 * MODES.index(key.mode)


def parse_key(text: str) -> Key:
    """Read a key such as ``C``, ``Am``, ``F#``, ``Bbm``, ``C major`` or ``a minor``.

    Parameters
    ----------
    text : str
        A tonic with at most one ``#`` or ``b``, then nothing (major), ``m``, or
        ``maj``, ``major``, ``min``, ``minor``. A small letter needs its mode.

    Returns
    -------
    Key
        Enharmonic names give the same key.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None or (match["letter"].islower() and match["mode"] is None):
        raise ValueError(f"unknown key {text!r}: expected C, F#, Am, Bbm or 'A minor'")
    tonic = parse_pitch_class(match["letter"].upper() + match["accidental"])
    mode = (match["mode"] or "").strip()
    return Key(tonic, "minor" if mode in ("m", "min", "minor") else "major")


def format_key(key: Key) -> str:
    """Write a key in short: ``C``, ``Am``, ``F#m``, ``Bb``."""
    tonic = spell_pitch_class(key.tonic, key.tonic_fifths)
    return tonic + ("m" if key.mode == "minor" else "")


def roman_numeral(chord: Chord, key: Key) -> str:
    """Name a chord by its degree: ``V7``, ``ii7``, ``bVI``, ``vii°7``.

    Parameters
    ----------
    chord : Chord
        The bass is not shown.
    key : Key
        Its tonic counts; the mode does not.

    Returns
    -------
    str
        Small letters for a minor third; ``N`` for no chord.
    """
    if chord.root is None:
        return "N"
    return _numeral(chord, key) + QUALITY_BY_NAME[chord.quality].suffix


def sounds_final(notes: Collection[int], key: Key) -> bool:
    """Tell whether notes that are held together may be the last of a song.

    Notes of the tonic triad are, even one of them; or root and third with ninth,
    sixth or seventh of the scale: C6, Cmaj9, Cm7, CmMaj7.

    Parameters
    ----------
    notes : collection of int
        MIDI notes.
    key : Key
        Of the song.
    """
    if not notes:
        return False
    third, colours = _FINALS[key.mode]
    triad = {0, third, 7}
    above = {(note - key.tonic) % 12 for note in notes}
    if above <= triad:
        return True
    if not {0, third} <= above <= triad | colours:
        return False
    return not above & _DOUBTFUL or (min(notes) - key.tonic) % 12 == 0


def harmonic_function(chord: Chord, key: Key) -> str:
    """Tell what a chord does in a key, for the musician's eye.

    The triad on its degree decides. Two dominants are told by their four notes:
    the tritone substitute (``bII7``), and a diminished seventh chord that has the
    leading tone in it, whatever its root.

    Parameters
    ----------
    chord : Chord
        The bass is ignored.
    key : Key
        Both tonic and mode count.

    Returns
    -------
    str
        ``tonic``, ``subdominant``, ``dominant``, or ``other``: secondary
        dominants, far chords and no chord.

    References
    ----------
    Riemann, "Vereinfachte Harmonielehre", 1893. Nettles and Graf, "The Chord
    Scale Theory and Jazz Harmony", Advance Music 1997.
    """
    if chord.root is None:
        return "other"
    leading_tone = (key.tonic + 11) % 12
    if chord.quality == "dim7":
        return "dominant" if leading_tone in chord.pitch_classes else "other"
    if chord.quality == "7" and chord.root == (key.tonic + 1) % 12:
        return "dominant"
    triad = QUALITY_BY_NAME[chord.quality].triad
    numeral = _numeral(chord, key) + _TRIAD_SUFFIX[triad]
    for function, numerals in _FUNCTIONS[key.mode].items():
        if numeral in numerals:
            return function
    return "other"


def _numeral(chord: Chord, key: Key) -> str:
    """Give the bare numeral, in small letters for a minor third."""
    assert chord.root is not None
    name = _NUMERALS[(chord.root - key.tonic) % 12]
    if QUALITY_BY_NAME[chord.quality].triad not in ("min", "dim"):
        return name
    return name.translate(str.maketrans("IV", "iv"))
