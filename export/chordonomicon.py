"""The full Chordonomicon file, streamed: ``python -m export.chordonomicon FILE``.

``chordonomicon_v2.csv`` has a song to a line; its column ``chords`` has chord symbols
and section tags: ``<intro_1> C <verse_1> Amin Fsmaj7 C/G Csno3d``. ``s`` is a sharp,
``dim7`` is half-diminished and ``dimb7`` the diminished seventh; a bass may have lost
its letter, as in ``Gs7/``. There are no durations, so each chord is taken for a bar of
4/4. jackcomp ships nothing of that file: its licence, and what may be done with a model
that learnt from it, is for whoever downloads it to check.

The file is read in *laps* of some thousand songs, and no more than one lap is held in
memory. A lap has the same songs in every run. The command reads a file through, and
says how fast that went and what it found.

References
----------
Kantarelis, Thomas, Lyberatos, Dervakos and Stamou, "CHORDONOMICON: A Dataset of 666,000
Songs and their Chord Progressions", 2024. What its symbols mean is in
``mirex_mapping.txt`` and ``chords_mapping.csv`` of
github.com/spyroskantarelis/chordonomicon.
"""

import argparse
import csv
import re
import resource
import sys
import time
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from export.sequences import ChordSequence
from export.songs import CorruptLines
from jackcomp.brain.features import encode_steps
from jackcomp.errors import ConfigError, JackcompError
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.vocabulary import NO_CHORD_INDEX, chord_index, transpose_index
from jackcomp.timeline.meter import parse_meter

SOURCE = "chordonomicon"
LAP_SONGS = 20_000
CORRUPT_SONGS = 1000
CORRUPT_SHARE = 0.01
"""So many songs may be corrupt, or this share of those read, if that is more."""

FULL_SIZE = 666_000
METER = parse_meter("4/4")

# In Csus4 the s is no sharp, and Cb9 is a C with a flat ninth: there is no Cb root.
_SYMBOL = re.compile(
    r"(?P<root>[A-G](?:s(?!us)|(?<![CF])b)?)(?P<kind>[^/]*)(?:/(?:[A-G][sb]?)?)?"
)
_PART = re.compile(
    r"min|maj|dim|aug|sus2|sus4|sus|no3d|no5d|add(?:11|13|2|4|6|9)"
    r"|[bs]?(?:11|13|5|6|7|9)(?:b|s(?!us))?(?![0-9])|[bs]?(?:11|13|5|6|7|9)"
)
_THIRDS = {"min": 3, "dim": 3, "sus2": 2, "sus4": 5, "sus": 5}
_FIFTHS = {"dim": 6, "aug": 8, "b5": 6, "5b": 6, "s5": 8, "5s": 8}
_ADDED = {
    "2": 2,
    "4": 5,
    "6": 9,
    "9": 2,
    "11": 5,
    "13": 9,
    "b9": 1,
    "s9": 3,
    "s11": 6,
    "b13": 8,
}
_DEGREES = ("1", "b9", "9", "b3", "3", "11", "b5", "5", "#5", "13", "b7", "7")


class Laps:
    """A file in laps: ``len(laps)`` and ``laps.read(number)``.

    Parameters
    ----------
    path : Path
        The CSV file.
    songs : int
        Songs in a lap.
    """

    def __init__(self, path: Path, songs: int = LAP_SONGS) -> None:
        self._path = path
        self._songs = songs
        try:
            with path.open("rb") as file:
                header = _fields(file.readline().removeprefix(BOM_UTF8))
                if "chords" not in header:
                    raise ConfigError(f"{path} has no column 'chords': {header}")
                self._column = header.index("chords")
                starts = [file.tell()]
                count = 0
                while file.readline():
                    count += 1
                    if count % songs == 0:
                        starts.append(file.tell())
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read {path}: {error}") from error
        if not count:
            raise ConfigError(f"{path} has no songs: expected one to a line")
        self.songs = count
        self._starts = starts[: -(-count // songs)]
        self.corrupt = CorruptLines(CORRUPT_SONGS, CORRUPT_SHARE)
        self.short = 0
        self._read = 0

    def __len__(self) -> int:
        return len(self._starts)

    def read(self, number: int) -> Iterator[ChordSequence]:
        """Give the songs of a lap, one after the other.

        A line that is no song is reported and left out. A song of fewer than two
        chords teaches nothing: it is counted in ``short`` and left out.

        Raises
        ------
        ConfigError
            If there are more than `CORRUPT_SONGS` and `CORRUPT_SHARE` allow.
        """
        first = 2 + number * self._songs
        with self._path.open("rb") as file:
            file.seek(self._starts[number])
            for line_number in range(first, first + self._songs):
                line = file.readline()
                if not line:
                    return
                self._read += 1
                try:
                    sequence = to_sequence(self._chords(line))
                except ValueError as error:
                    what = f"corrupt song in {self._path}, line {line_number}: {error}"
                    self.corrupt.report(what, error, self._read)
                    continue
                if len(sequence.chords) > len(METER.steps):
                    yield sequence
                else:
                    self.short += 1

    def _chords(self, line: bytes) -> str:
        fields = _fields(line)
        if len(fields) <= self._column:
            expected = self._column + 1
            raise ValueError(f"{len(fields)} fields: expected {expected} or more")
        return fields[self._column]


def _fields(line: bytes) -> list[str]:
    """Read the fields of a line; what is no CSV is a ValueError."""
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"expected a line of CSV in UTF-8: {error}") from error


def to_sequence(text: str) -> ChordSequence:
    """Put a song on the grid, a bar to a chord.

    Raises
    ------
    ValueError
        If a chord cannot be read.
    """
    symbols = [word for word in text.split() if not word.startswith("<")]
    chords = np.array([read_symbol(symbol) for symbol in symbols], np.int64)
    chords = np.repeat(chords, len(METER.steps))
    return ChordSequence(SOURCE, chords, encode_steps(METER, 0, max(len(chords), 1)))


def split_of(sequence: ChordSequence) -> str:
    """Give ``train``, ``valid`` or ``test``: 90, 5 and 5 per cent.

    It depends on the chords alone, counted from the first root, so that the same
    changes in another key, or uploaded twice, are in one split.
    """
    chords = sequence.chords
    first = next((c for c in chords.tolist() if c != NO_CHORD_INDEX), 0)
    root = chord_root(first)
    told = bytes(transpose_index(chord, -root) for chord in chords.tolist())
    place = zlib.crc32(told) % 20
    return "valid" if place == 0 else "test" if place == 1 else "train"


def chord_root(chord: int) -> int:
    """Return the root of a chord of the vocabulary."""
    return chord // (NO_CHORD_INDEX // 12)


@cache
def read_symbol(symbol: str) -> int:
    """Read a chord symbol: its index in the vocabulary, the bass left out.

    Raises
    ------
    ValueError
        If it is none of this file's.
    """
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        raise ValueError(f"cannot read chord symbol {symbol!r}")
    root = match["root"].replace("s", "#")
    degrees = ",".join(_DEGREES[tone] for tone in sorted(_tones(symbol, match["kind"])))
    return chord_index(parse_harte(f"{root}:({degrees})"))


def _tones(symbol: str, kind: str) -> set[int]:
    """Collect the intervals above the root."""
    parts = _PART.findall(kind)
    if "".join(parts) != kind:
        raise ValueError(f"cannot read chord symbol {symbol!r}")
    third, fifth = 4, 7
    seventh: int | None = None
    added: set[int] = set()
    for before, part in zip(["", *parts], parts, strict=False):
        third = _THIRDS.get(part, third)
        fifth = _FIFTHS.get(part, fifth)
        number = part.strip("bs")
        if part.startswith("add"):
            added.add(_ADDED[part.removeprefix("add")])
        elif number in _ADDED:
            sign = part.replace(number, "")
            added.add(_ADDED.get(sign + number, _ADDED[number]))
        if number in ("7", "9", "11", "13") and (seventh is None or number == "7"):
            seventh = 11 if before == "maj" else 10
        if part == "b7":
            seventh = 9
    if seventh is not None:
        added.add(seventh)
    tones = {0, third, fifth, *added}
    if "no3d" in parts:
        tones.discard(third)
    if "no5d" in parts:
        tones.discard(fifth)
    return tones


def main() -> int:
    """Read a file through, and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, help="chordonomicon_v2.csv")
    options = parser.parse_args()
    began = time.monotonic()
    counts = {"train": 0, "valid": 0, "test": 0}
    steps = 0
    try:
        laps = Laps(options.file)
        for number in range(len(laps)):
            for sequence in laps.read(number):
                counts[split_of(sequence)] += 1
                steps += len(sequence.chords)
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    full = seconds * FULL_SIZE / laps.songs
    print(f"{laps.songs} songs in {len(laps)} laps, {steps} steps, by split {counts}")
    print(
        f"{laps.corrupt.count} corrupt lines and {laps.short} songs of fewer than two "
        f"chords left out; most memory {peak:.0f} MB"
    )
    print(
        f"read in {seconds:.0f} s; {FULL_SIZE} songs would take {full / 60:.1f} minutes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
