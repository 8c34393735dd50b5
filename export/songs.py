"""The corpus as typed records, placed on the harmonic grid.

``read_songs(paths, split, source, limit)`` reads any gzip'd (or plain) JSON
Lines file of the schema in ``corpus/README.md`` and gives a list of `Song`.
``song.steps()`` gives the song's harmonic grid: one `GridStep` for each
half-bar (or bar, see ``jackcomp.timeline.meter``), with the vocabulary index
of the chord that sounds longest in it.

Times are integer ticks, 1920 to a quarter, and tick 0 is the first bar line:
a pickup has negative ticks, as it has for a player who starts on beat one.
Chords are vocabulary indices of ``jackcomp.theory.vocabulary``; keys are
``jackcomp.theory.key.Key``. A line that cannot be used is reported with its file and
number and left out; more than `CORRUPT_LINES` of them are a `ConfigError`.
"""

import gzip
import json
import sys
import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from export.song_checks import (
    LONGEST_QUARTERS,
    NOT_A_SONG,
    SPLITS,
    check_record,
    explain,
    read_beat_unit,
    read_split,
)
from jackcomp.errors import ConfigError
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.key import Key
from jackcomp.theory.vocabulary import NO_CHORD_INDEX, chord_index
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter, parse_meter

CORPUS = Path(__file__).parent / "corpus"
CORPUS_FILES = tuple(
    CORPUS / name
    for name in (
        "leadsheets-open.jsonl.gz",
        "chords-open.jsonl.gz",
        "leadsheets-gpl.jsonl.gz",
        "chords-gpl.jsonl.gz",
    )
)
LEADSHEET_FILES = tuple(path for path in CORPUS_FILES if "leadsheets" in path.name)
MODES = ("major", "minor")
CORRUPT_LINES = 10
"""So many lines may be corrupt in all files together."""


class ChordSpan(NamedTuple):
    """A chord as annotated: ticks, the label, and its vocabulary index."""

    start: int
    end: int
    label: str
    chord: int


class MelodyNote(NamedTuple):
    """A note of the melody: ticks, MIDI note, MIDI velocity if known."""

    onset: int
    duration: int
    note: int
    velocity: int | None


class KeySpan(NamedTuple):
    """A key from ``start`` on; None where the mode is not major or minor."""

    start: int
    key: Key | None


class Bar(NamedTuple):
    """One bar as written: ticks, and the meter in force."""

    start: int
    end: int
    meter: Meter


class GridStep(NamedTuple):
    """One step of the harmonic grid.

    ``bar`` counts from 0 at the first bar line (a pickup is -1), ``index`` is
    the step's place in the bar, ``chord`` the vocabulary index.
    """

    start: int
    end: int
    bar: int
    index: int
    meter: Meter
    chord: int


@dataclass(frozen=True, slots=True)
class Song:
    """One song of the corpus; ``melody`` is empty in files of chords alone."""

    id: str
    source: str
    licence: str
    split: str
    group: str
    title: str | None
    meter: Meter
    bars: tuple[Bar, ...]
    key: Key | None
    keys: tuple[KeySpan, ...]
    key_doubtful: bool
    quarters_per_minute: float | None
    spans: tuple[ChordSpan, ...]
    melody: tuple[MelodyNote, ...]

    def steps(self) -> list[GridStep]:
        """Place the chords on the grid, from the first bar to the last chord."""
        steps = []
        first_bar = sum(bar.start < 0 for bar in self.bars)
        spans = deque(self.spans)
        for number, bar in enumerate(self.bars):
            for index, start, end in _steps_of_bar(bar):
                while spans and spans[0].end <= start:
                    spans.popleft()
                if not spans:
                    return steps
                if end <= self.spans[0].start:
                    continue
                chord = _longest_chord(spans, start, end)
                steps.append(
                    GridStep(start, end, number - first_bar, index, bar.meter, chord)
                )
        return steps


def read_songs(
    paths: Sequence[Path] = CORPUS_FILES,
    split: str = "all",
    source: str | None = None,
    limit: int | None = None,
) -> list[Song]:
    """Read the songs of one split, in the order of the files.

    Parameters
    ----------
    paths : sequence of Path
        Files of the corpora's schema; the tiers ``open`` and ``gpl`` by default.
    split : str
        ``train``, ``valid``, ``test``, or ``all``.
    source : str, optional
        Keep only the songs of this source.
    limit : int, optional
        Keep at most this many, spread evenly over the whole selection.

    Raises
    ------
    ConfigError
        If a file cannot be read, too many lines are not songs, or no song is left.
    """
    if split not in (*SPLITS, "all"):
        expected = ", ".join((*SPLITS, "all"))
        raise ConfigError(f"unknown split {split!r}: use one of {expected}")
    songs = []
    corrupt = CorruptLines(CORRUPT_LINES)
    for path in paths:
        for number, line in enumerate(read_lines(path), start=1):
            try:
                record = json.loads(line)
                chosen = split in ("all", read_split(record))
                if chosen and source in (None, record["source"]):
                    songs.append(_read_song(record))
            except NOT_A_SONG as error:
                what = f"corrupt song in {path}, line {number}: {explain(error)}"
                corrupt.report(what, error)
    if not songs:
        raise ConfigError(
            f"no songs of split {split!r}, source {source!r} in the files"
        )
    if limit is not None and limit < len(songs):
        return [songs[number * len(songs) // limit] for number in range(limit)]
    return songs


class CorruptLines:
    """Reports corrupt lines on stderr, and gives up when there are too many.

    Parameters
    ----------
    least : int
        So many may be corrupt in any case.
    share : float
        And so many of the lines read, 0 to 1, in a long file.
    """

    def __init__(self, least: int, share: float = 0.0) -> None:
        self._least = least
        self._share = share
        self.count = 0

    def report(self, what: str, error: Exception, lines_read: int = 0) -> None:
        """Say what is wrong with a line that is left out."""
        print(what, file=sys.stderr)
        self.count += 1
        limit = max(self._least, int(self._share * lines_read))
        if self.count > limit:
            raise ConfigError(
                f"{what}; more than {limit} lines are corrupt: mend the file"
            ) from error


def read_lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a file, unpacked; a broken file is one clear error."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"cannot read corpus file {path}: {error}") from error


def _read_song(record: dict[str, Any]) -> Song:
    """Turn one record of the schema into ticks, indices and keys."""
    check_record(record)
    written = record.get("meter") or {
        **dict(zip(("num", "den"), record["time_signature"].split("/"), strict=True)),
        "downbeat_offset": 0,
    }
    meter = parse_meter(f"{written['num']}/{written['den']}")
    # In pop909 a beat may be a dotted quarter; everywhere else it is a quarter.
    ticks_per_beat = read_beat_unit(written.get("beat_unit", 1)) * TICKS_PER_QUARTER
    offset = written["downbeat_offset"]

    def tick(beat: float) -> int:
        ticks = (beat - offset) * ticks_per_beat
        if not abs(ticks) <= LONGEST_QUARTERS * TICKS_PER_QUARTER:
            raise ValueError(
                f"beat {beat}: expected one within {LONGEST_QUARTERS} quarters"
            )
        return round(ticks)

    spans = tuple(
        ChordSpan(tick(start), tick(start + length), label, _index_of_label(label))
        for start, length, label in record["chords"]
    )
    melody = tuple(
        MelodyNote(tick(onset), tick(onset + length) - tick(onset), note, velocity)
        for onset, length, note, velocity in record.get("melody", ())
    )
    key = record["key"]
    changes = [
        (tick(beat), parse_meter(f"{num}/{den}"))
        for beat, num, den in written.get("changes") or ()
    ]
    end = max(span.end for span in spans)
    tempo = record["tempo_bpm"]
    return Song(
        id=record["id"],
        source=record["source"],
        licence=record["licence"],
        split=record["split"],
        group=record["group"],
        title=record["title"],
        meter=meter,
        bars=_lay_bars(
            meter,
            changes,
            [tick(beat) for beat in written.get("downbeats") or ()],
            tick(0),
            end,
        ),
        key=_key(key["tonic"], key["mode"]) if key else None,
        keys=tuple(KeySpan(tick(at), _key(*rest)) for at, *rest in record["keys"]),
        key_doubtful=bool(record.get("key_doubtful")),
        quarters_per_minute=tempo and tempo * ticks_per_beat / TICKS_PER_QUARTER,
        spans=spans,
        melody=melody,
    )


def _key(tonic: int | None, mode: str | None) -> Key | None:
    """Keep major and minor; a dorian solo or a bare tonic is no key of ours."""
    return Key(tonic, mode) if tonic is not None and mode in MODES else None


@cache
def _index_of_label(label: str) -> int:
    """Read a Harte label; there are some two thousand different ones."""
    return chord_index(parse_harte(label))


def _lay_bars(
    meter: Meter,
    changes: list[tuple[int, Meter]],
    downbeats: list[int],
    begin: int,
    end: int,
) -> tuple[Bar, ...]:
    """Lay bars from ``begin`` to ``end``.

    Given downbeats are bar lines; after the last one, and where none are given,
    a bar is as long as its meter says, cut short where the meter changes.
    """
    bars = []
    start = begin // meter.bar_ticks * meter.bar_ticks
    known = sorted(set(downbeats))
    while start < end:
        now = next((new for at, new in reversed(changes) if at <= start), meter)
        following = bisect_right(known, start)
        if following < len(known):
            stop = known[following]
        else:
            change = min((at for at, _ in changes if at > start), default=start)
            stop = start + now.bar_ticks
            if start < change < stop:
                stop = change
        bars.append(Bar(start, stop, now))
        start = stop
    return tuple(bars)


def _steps_of_bar(bar: Bar) -> Iterator[tuple[int, int, int]]:
    """Give (index, start, end); an odd bar repeats or cuts its meter's steps."""
    start = bar.start
    count = 0
    while start < bar.end:
        index = count % len(bar.meter.steps)
        end = min(start + bar.meter.steps[index], bar.end)
        yield index, start, end
        start = end
        count += 1


def _longest_chord(spans: Iterable[ChordSpan], start: int, end: int) -> int:
    """Give the chord with the longest overlap; the earlier one if they tie."""
    overlap: dict[int, int] = {}
    for span in spans:
        if span.start >= end:
            break
        time = min(end, span.end) - max(start, span.start)
        overlap[span.chord] = overlap.get(span.chord, 0) + time
    return max(overlap, key=overlap.__getitem__, default=NO_CHORD_INDEX)
