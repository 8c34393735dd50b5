"""The styles: TOML -> ``Style``, checked once.

``jackcomp/styles/arpeggio.toml`` explains the format to whoever writes a style;
``rhythm.py`` lays the hits of a style over a grid step.
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from jackcomp.checked import (
    CheckedTable,
    Convert,
    choice,
    either,
    flag,
    integer,
    listed,
    number,
    text,
)
from jackcomp.errors import ConfigError

CHORDS_WIDTH = 22
"""Semitones, at least, from the lowest note of the chords and from the highest of
the bass to the highest of the chords: room for every close voicing."""
BASS_WIDTH = 11
"""Semitones, at least, between the ends of the bass: room for every pitch class."""
MAX_EIGHTHS = 24
"""How far a pattern reaches after the line: further than any usual step."""

Tone = int | str
"""A voice counted from the lowest or the highest (-1), "all", "bass" or "fifth"."""
CHORD_TONES: Convert[Tone] = either(choice("all"), integer(-4, 3))
BASS_TONES: Convert[Tone] = choice("bass", "fifth")
LENGTH: Convert[float | str] = either(choice("next", "step"), number(0.1, MAX_EIGHTHS))


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of a pattern; the fields are those of the TOML file."""

    at: int
    every: str
    tones: tuple[Tone, ...]
    length: float | str
    velocity: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one player does; the fields are those of the TOML file."""

    name: Literal["chords", "bass"]
    program: int
    low: int
    high: int
    voices: int
    velocity: int
    accents: tuple[int, ...]
    change: tuple[Hit, ...]
    repeat: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """A way of playing chords; the fields are those of the TOML file."""

    name: str
    title: str
    about: str
    swing: bool
    humanise: int
    chords: Part
    bass: Part

    @property
    def parts(self) -> tuple[Part, Part]:
        """The two players."""
        return self.chords, self.bass


def list_styles() -> tuple[str, ...]:
    """Return the names of the styles that come with jackcomp, in order."""
    names = (Path(entry.name) for entry in files("jackcomp.styles").iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".toml"))


def load_style(name: str | Path) -> Style:
    """Read and check a style.

    Parameters
    ----------
    name : str or Path
        One of ``list_styles()``, or the path of a TOML file.

    Raises
    ------
    ConfigError
        In one line: which file, which key, what was expected.
    """
    path = Path(name)
    try:
        if path.suffix == ".toml":
            source = path.read_text(encoding="utf-8")
        elif str(name) in list_styles():
            packaged = files("jackcomp.styles") / f"{name}.toml"
            source = packaged.read_text(encoding="utf-8")
        else:
            known = ", ".join(list_styles())
            raise ConfigError(
                f"unknown style '{name}': expected {known}, or the path of a .toml file"
            )
        content = tomllib.loads(source)
    except OSError as error:
        raise ConfigError(f"cannot read style '{name}': {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(
            f"cannot read style '{name}': expected TOML text: {error}"
        ) from error
    table = CheckedTable(str(path.with_suffix(".toml")), content)
    title = table.take("title", text)
    about = table.take("about", text)
    swing = table.take("swing", flag, False)
    humanise = table.take("humanise", integer(0, 20), 0)
    bass = _read_part(table.table("bass"), "bass", _span(BASS_WIDTH), BASS_TONES)
    span = _span(CHORDS_WIDTH, bass.high)
    chords = _read_part(table.table("chords"), "chords", span, CHORD_TONES)
    table.finish()
    return Style(path.stem, title, about, swing, humanise, chords, bass)


def _read_part(
    table: CheckedTable,
    name: Literal["chords", "bass"],
    span: Convert[tuple[int, int]],
    tone: Convert[Tone],
) -> Part:
    low, high = table.take("range", span)
    change = _read_hits(table, "change", tone)
    part = Part(
        name,
        table.take("program", integer(0, 127)),
        low,
        high,
        table.take("voices", integer(3, 4)) if name == "chords" else 1,
        table.take("velocity", integer(1, 127)),
        table.take("accents", listed(integer(-64, 64), 3), [0, 0, 0]),
        change,
        _read_hits(table, "repeat", tone) if "repeat" in table else change,
    )
    table.finish()
    return part


def _read_hits(table: CheckedTable, key: str, tone: Convert[Tone]) -> tuple[Hit, ...]:
    hits = []
    for line in table.tables(key):
        at = line.take("at", integer(0, MAX_EIGHTHS - 1))
        every = line.take("every", choice("once", "eighth", "count"), "once")
        tones = line.take("tones", either(tone, listed(tone)))
        length = line.take("length", LENGTH)
        velocity = line.take("velocity", integer(-64, 64), 0)
        line.finish()
        cycle = tones if isinstance(tones, tuple) else (tones,)
        hits.append(Hit(at, every, cycle, length, velocity))
    return tuple(hits)


def _span(width: int, below: int = 0) -> Convert[tuple[int, int]]:
    """Accept two notes so far apart, the higher one also above the part below."""
    notes = listed(integer(0, 127), 2)

    def convert(value: object) -> tuple[int, int]:
        low, high = notes(value)
        if high - max(low, below) < width:
            raise ValueError(
                f"the highest note {width} or more above {max(low, below)}"
            )
        return low, high

    return convert
