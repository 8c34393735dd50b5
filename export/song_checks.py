"""What a record of the corpus must be, before it is made a song.

Checked here is what would otherwise pass in silence. What cannot pass, a field that is
missing or a label that cannot be read, is noticed while the song is made, by one of
the errors `NOT_A_SONG`. Times are beats, as in ``corpus/README.md``.
"""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

SPLITS = ("train", "valid", "test")
TEXTS = ("id", "source", "licence", "group")
MIDI_NOTES = range(128)
BEAT_UNITS = (0.25, 4)
"""The least and the greatest, in quarters."""
LONGEST_QUARTERS = 20_000
"""Two hours and more; the longest song of the corpus has 4000."""
ROUNDING_BEATS = 1e-3
"""So much earlier than the end of the chord before a chord may begin."""

NOT_A_SONG = (
    *(ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, RecursionError),
)
"""What a damaged record raises when it is read."""


def explain(error: Exception) -> str:
    """Say what is wrong with a record, from one of `NOT_A_SONG`."""
    return f"no field {error}" if isinstance(error, KeyError) else str(error)


def read_split(record: Mapping[str, Any]) -> str:
    """Give a record's split.

    Raises
    ------
    ValueError
        If it is none of `SPLITS`.
    """
    split = record["split"]
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    return str(split)


def read_beat_unit(unit: Any) -> Fraction:
    """Give the length of a beat in quarters.

    Raises
    ------
    ValueError
        If it is no number, or no sensible one.
    """
    least, most = BEAT_UNITS
    if not isinstance(unit, int | float) or not least <= unit <= most:
        raise ValueError(f"beat unit {unit!r}: expected quarters, {least} to {most}")
    return Fraction(unit)


def check_record(record: Mapping[str, Any]) -> None:
    """Check the texts, the tempo, the chords and the melody.

    Raises
    ------
    ValueError
        With what was found, and what was expected.
    """
    for name in TEXTS:
        if not isinstance(record[name], str):
            raise ValueError(f"field {name!r} is {record[name]!r}: expected a text")
    tempo = record["tempo_bpm"]
    if tempo is not None and not 0 < tempo < math.inf:
        raise ValueError(f"tempo {tempo}: expected beats a minute, more than 0")
    _check_chords(record["chords"])
    _check_melody(record.get("melody", ()))


def _check_chords(chords: Iterable[tuple[float, float, str]]) -> None:
    if not chords:
        raise ValueError("no chords: expected [[start beat, length, label], ...]")
    before = -math.inf
    for start, length, label in chords:
        end = start + length
        if not length > 0:
            raise ValueError(
                f"chord {label!r} at beat {start} lasts {length}: expected more than 0"
            )
        if start < before - ROUNDING_BEATS:
            raise ValueError(
                f"chord {label!r} at beat {start} begins before beat {before}, where "
                "the one before it ends: expected chords in order"
            )
        before = end


def _check_melody(melody: Iterable[tuple[float, float, int, int | None]]) -> None:
    for onset, length, note, _ in melody:
        if note not in MIDI_NOTES or length < 0:
            raise ValueError(
                f"note {note!r} at beat {onset} lasts {length}: expected a MIDI note, "
                "0 to 127, that ends no sooner than it begins"
            )
