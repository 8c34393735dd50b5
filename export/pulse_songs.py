"""Melodies in seconds, with their annotated beats: what the pulse is measured on.

Only ``wjazzd`` (jazz solos as they were played) and ``pop909`` (a keyboard's exact
grid) have times in seconds. The latter is roughened, differently for each song but
always the same for one: every onset is moved by up to 20 ms, and the tempo drifts
by up to 8 % in waves of a minute. ``pop909_steady`` is the same without the drift;
``pop909_bent``, without it too, has ritardandi and accelerandi instead (`bend`).
"""

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.song_checks import NOT_A_SONG, SPLITS, explain, read_split
from export.songs import read_lines
from jackcomp.errors import ConfigError

JITTER_SECONDS = 0.020
DRIFT = 0.08
DRIFT_SECONDS = 60.0
PARTS_OF_A_BEAT = 8
BEATS_BETWEEN, BEATS_OF_CHANGE = (8.0, 48.0), (4.0, 16.0)
MORE_OR_LESS, FARTHEST = (0.1, 0.34), 0.5
"""Logarithms of the change of a beat's length, and of its distance from the first."""

SLOWER, A_TEMPO, BEATS_HELD = 0.6, 0.4, 4.0
SOURCES = ("wjazzd", "pop909", "pop909_steady", "pop909_bent")
DEFAULT_VELOCITY = 80
LONGEST_SECONDS = 4 * 3600

Seconds = NDArray[np.float64]


class Onset(NamedTuple):
    """One note of the soloist as a keyboard sends it: seconds, note, velocity."""

    seconds: float
    note: int
    velocity: int


@dataclass(frozen=True, slots=True, eq=False)
class TimedSong:
    """A melody and its beats.

    Attributes
    ----------
    id, source, licence, split : str
        As in the corpus; ``pop909_steady`` and ``pop909_bent`` are sources too.
    onsets : ndarray, shape=(n_notes,), float64
        Seconds, ascending.
    notes, velocities : tuple of int
        MIDI numbers, parallel to ``onsets``.
    beats : ndarray, shape=(n_beats,), float64
        Annotated beats, in seconds.
    beats_per_bar : int
        Of most of its bars.
    downbeats : tuple of int
        Beats that are bar lines, as indices of ``beats``.
    """

    id: str
    source: str
    licence: str
    split: str
    onsets: Seconds
    notes: tuple[int, ...]
    velocities: tuple[int, ...]
    beats: Seconds
    beats_per_bar: int
    downbeats: tuple[int, ...]

    def played(self) -> list[Onset]:
        """Return the notes in the order in which they are heard."""
        rows = zip(self.onsets.tolist(), self.notes, self.velocities, strict=True)
        return [Onset(*row) for row in rows]

    def scored_beats(self) -> Seconds:
        """Return the annotated beats from the first onset to the last."""
        inside = (self.beats >= self.onsets[0]) & (self.beats <= self.onsets[-1])
        return self.beats[inside]


def read_timed_songs(
    paths: Sequence[Path],
    split: str = "all",
    source: str | None = None,
    limit: int | None = None,
) -> list[TimedSong]:
    """Read the songs that have times in seconds, as they are performed here.

    Parameters
    ----------
    paths : sequence of Path
        Files of the corpora's schema.
    split : str
        ``train``, ``valid``, ``test``, or ``all``.
    source : str, optional
        One of `SOURCES`.
    limit : int, optional
        Keep at most this many, spread evenly over the whole selection.

    Raises
    ------
    ConfigError
        If a file cannot be read, a line is not a song, or no song has times.
    """
    exact = read_exact_songs(paths, split)
    songs = [played for song in exact for played in _perform(song)]
    songs = [song for song in songs if source in (None, song.source)]
    if not songs:
        raise ConfigError(
            f"no songs with times in seconds, split {split!r}, source {source!r}: "
            f"expected a source of {', '.join(SOURCES)}"
        )
    if limit is not None and limit < len(songs):
        return [songs[number * len(songs) // limit] for number in range(limit)]
    return songs


def read_exact_songs(paths: Sequence[Path], split: str = "all") -> list[TimedSong]:
    """Read the songs that have times in seconds, as they are in the corpus.

    Raises
    ------
    ConfigError
        If a file cannot be read, or a line is not a song.
    """
    if split not in (*SPLITS, "all"):
        expected = ", ".join((*SPLITS, "all"))
        raise ConfigError(f"unknown split {split!r}: use one of {expected}")
    songs = []
    for path in paths:
        for number, line in enumerate(read_lines(path), start=1):
            try:
                record = json.loads(line)
                if "timing" in record and split in ("all", read_split(record)):
                    songs.append(_read_timed_song(record))
            except NOT_A_SONG as error:
                raise ConfigError(
                    f"corrupt song in {path}, line {number}: {explain(error)}"
                ) from error
    return songs


def randomness_of(song_id: str, purpose: str) -> np.random.Generator:
    """Return random numbers that depend on nothing but the song and their use."""
    return np.random.default_rng(zlib.crc32(f"{purpose} {song_id}".encode()))


def roughen(
    song: TimedSong,
    rng: np.random.Generator,
    drift: float,
    jitter: float = JITTER_SECONDS,
) -> TimedSong:
    """Play a song less exactly: onsets a little off, the tempo in slow waves.

    Parameters
    ----------
    song : TimedSong
        Played exactly.
    rng : numpy.random.Generator
        Decides where the waves begin, and moves the onsets.
    drift : float
        Largest deviation of the tempo, 0.08 for 8 %.
    jitter : float
        Largest deviation of an onset, in seconds.
    """
    turn = 2 * math.pi / DRIFT_SECONDS
    start = rng.uniform(0, DRIFT_SECONDS)

    def bend(seconds: Seconds) -> Seconds:
        wave = np.cos(turn * start) - np.cos(turn * (seconds + start))
        return np.asarray(seconds + drift / turn * wave)

    moved = rng.uniform(-jitter, jitter, len(song.onsets))
    onsets = bend(song.onsets) + moved
    order = np.argsort(onsets, kind="stable")
    return replace(
        song,
        onsets=onsets[order],
        notes=tuple(song.notes[index] for index in order),
        velocities=tuple(song.velocities[index] for index in order),
        beats=bend(song.beats),
    )


def bend(song: TimedSong, rng: np.random.Generator) -> TimedSong:
    """Play a song with ritardandi and accelerandi.

    Within 4 to 16 beats the tempo changes by 10 to 40 %, more often to a slower one.
    There it stays, or the old one comes back at once.

    Parameters
    ----------
    song : TimedSong
        Played in time.
    rng : numpy.random.Generator
        Decides where, how far, and what then.
    """
    beats = np.arange((len(song.beats) - 1) * PARTS_OF_A_BEAT + 1) / PARTS_OF_A_BEAT
    slowness = np.zeros(len(beats) - 1)
    now, beat = 0.0, rng.uniform(*BEATS_BETWEEN)
    while beat < len(song.beats) - 1:
        longer = rng.uniform(*MORE_OR_LESS)
        if rng.random() > SLOWER or now + longer > FARTHEST:
            longer = -longer if now - longer > -FARTHEST else longer
        end = beat + rng.uniform(*BEATS_OF_CHANGE)
        course = np.interp(beats[:-1], (beat, end), (0.0, longer))
        slowness += course
        now += longer
        if rng.random() < A_TEMPO:
            end += rng.uniform(0, BEATS_HELD)
            slowness[beats[:-1] >= end] -= now
            now = 0.0
        beat = end + rng.uniform(*BEATS_BETWEEN)
    written = np.interp(beats, np.arange(len(song.beats)), song.beats)
    played = np.append(0.0, np.cumsum(np.diff(written) * np.exp(slowness)))

    def move(seconds: Seconds) -> Seconds:
        early = np.minimum(seconds - written[0], 0.0)
        late = np.maximum(seconds - written[-1], 0.0) * np.exp(slowness[-1])
        return np.asarray(
            written[0] + np.interp(seconds, written, played) + early + late
        )

    return replace(song, onsets=move(song.onsets), beats=move(song.beats))


def _read_timed_song(record: dict[str, Any]) -> TimedSong:
    """Turn one record of the schema into times, played as in the corpus."""
    timing, meter = record["timing"], record["meter"]
    onsets = np.array(timing["onset_sec"], np.float64)
    order = np.argsort(onsets, kind="stable")
    melody = record["melody"]
    if len(melody) != len(onsets) or len(onsets) < 2:
        raise ValueError(f"{len(onsets)} times for {len(melody)} notes")
    beats = np.array(timing["beat_times"], np.float64)
    for name, times in (("onset_sec", onsets), ("beat_times", beats)):
        wrong = times[~(np.abs(times) <= LONGEST_SECONDS)]
        if len(wrong):
            raise ValueError(f"{name} {wrong[0]}: expected up to {LONGEST_SECONDS} s")
    per_bar = int(meter["beats_per_bar"])
    every = range(int(meter["downbeat_offset"]), len(beats), per_bar)
    return TimedSong(
        id=record["id"],
        source=record["source"],
        licence=record["licence"],
        split=record["split"],
        onsets=onsets[order],
        notes=tuple(int(melody[index][2]) for index in order),
        velocities=tuple(
            max(int(melody[index][3] or DEFAULT_VELOCITY), 1) for index in order
        ),
        beats=beats,
        beats_per_bar=per_bar,
        downbeats=tuple(int(beat) for beat in meter.get("downbeats") or every),
    )


def _perform(song: TimedSong) -> Iterator[TimedSong]:
    if song.source != "pop909":
        yield song
        return
    yield roughen(song, randomness_of(song.id, "play"), DRIFT)
    steady = roughen(song, randomness_of(song.id, "play"), 0.0)
    yield replace(steady, source="pop909_steady")
    bent = bend(song, randomness_of(song.id, "bend"))
    rough = roughen(bent, randomness_of(song.id, "play"), 0.0)
    yield replace(rough, source="pop909_bent")
