"""What the pulse learns from: stretches of melodies with the true tempo and phase.

A stretch begins somewhere in a song, as if the player began there, and is told as
much of the tempo as the player may have: nothing, a tempo that is some way off, or
a count-in. Onsets are prepared as the tracker prepares them (`jackcomp.ear.pulse`).
Half of the stretches are jazz solos, a quarter pop songs, roughened anew each time, a
quarter lead sheets of other sources, played anew each time (`export.pulse_written`).
Only the train split teaches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.pulse_songs import DRIFT, TimedSong, bend, read_exact_songs, roughen
from export.pulse_written import keeps_its_pulse, play
from export.songs import Song, read_songs
from jackcomp.ear.beat_filter import REMEMBERED, TRAITS
from jackcomp.ear.pulse import TOGETHER_SECONDS, OnsetTraits

TEMPO_BEATS = 2
"""The true tempo at an onset is the mean of so many beats before and after it."""

SHORTEST_SONG = 40
FROM_THE_START = 0.3
BENT = 0.25
"""In so many of the pop songs the tempo changes; see `pulse_songs.bend`."""

STRETCH = 0.08
PRIOR_SHARE, COUNT_IN_SHARE, COUNT_IN_SECONDS = 0.10, 0.02, 0.02

WRITTEN = "written"
KINDS = ("wjazzd", "pop909", "wjazzd", WRITTEN)
"""In this order a batch takes its stretches: jazz is half of them, being hardest."""

Floats = NDArray[np.float32]
Lesson = TimedSong | Song


class Told(IntEnum):
    """What is known of the tempo before the first onset."""

    NOTHING = 0
    TEMPO = 1
    COUNT_IN = 2


class Onsets(NamedTuple):
    """A song as the filter hears it: seconds, traits, and the truth."""

    seconds: NDArray[np.float64]
    traits: Floats  # (n, TRAITS)
    phase: Floats  # beats, 0 to 1
    log_period: Floats  # log of seconds a beat


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Stretches side by side, padded at the end; ``counts`` is 0 there.

    Attributes
    ----------
    ago : ndarray, shape=(songs, onsets, REMEMBERED), float32
        Seconds since the onsets before, the nearest first; 0 is none.
    past : ndarray, shape=(songs, onsets, REMEMBERED, TRAITS), float32
        Their traits.
    own : ndarray, shape=(songs, onsets, TRAITS - 1), float32
        Leap and accent of the onset itself.
    elapsed, phase, log_period, counts : ndarray, shape=(songs, onsets), float32
        Seconds since the onset before, and the truth.
    told : tuple of Told
        For each song.
    told_log_period, told_phase : ndarray, shape=(songs,), float32
        What is told, if anything: the phase is that of the first onset.
    """

    ago: Floats
    past: Floats
    own: Floats
    elapsed: Floats
    phase: Floats
    log_period: Floats
    counts: Floats
    told: tuple[Told, ...]
    told_log_period: Floats
    told_phase: Floats


def read_lessons(
    paths: Sequence[Path], split: str, source: str | None = None
) -> list[list[Lesson]]:
    """Read the songs of a split, one list for each row of `KINDS`.

    With a source, songs of this source alone; kinds of which none are left are left
    out.

    Raises
    ------
    ConfigError
        If a file cannot be read, or a line is not a song.
    """
    timed = read_exact_songs(paths, split)
    known = {song.source for song in timed}
    kinds: dict[str, list[Lesson]] = {kind: [] for kind in KINDS}
    for song in timed:
        if len(song.onsets) >= SHORTEST_SONG:
            kinds[song.source].append(song)
    for sheet in read_songs(paths, split):
        long = len(sheet.melody) >= SHORTEST_SONG
        if sheet.source not in known and long and keeps_its_pulse(sheet):
            kinds[WRITTEN].append(sheet)
    chosen = (
        [song for song in kinds[kind] if source in (None, song.source)]
        for kind in KINDS
    )
    return [songs for songs in chosen if songs]


def listen(song: Lesson, rng: np.random.Generator) -> Onsets:
    """Perform a song, and prepare it as the tracker would hear it."""
    if isinstance(song, Song):
        song = play(song, rng)
    elif song.source == "pop909":
        if rng.random() < BENT:
            song = bend(song, rng)
        song = roughen(song, rng, float(rng.choice([0.0, DRIFT])))
    traits, kept, rows = OnsetTraits(), [], []
    for onset in song.played():
        if not kept or onset.seconds - kept[-1] > TOGETHER_SECONDS:
            kept.append(onset.seconds)
            rows.append((1.0, *traits.take(onset.note, onset.velocity)))
    seconds = np.array(kept)
    position = positions_in_beats(song.beats, seconds)
    after, before = (
        _times(song.beats, position + n) for n in (TEMPO_BEATS, -TEMPO_BEATS)
    )
    return Onsets(
        seconds,
        np.array(rows, np.float32),
        np.asarray(position % 1, np.float32),
        np.log((after - before) / (2 * TEMPO_BEATS)).astype(np.float32),
    )


def lay_batch(
    kinds: Sequence[Sequence[Lesson]],
    rng: np.random.Generator,
    n_songs: int,
    n_onsets: int,
) -> Batch:
    """Choose stretches at random, from each kind of song as many."""
    ago = np.zeros((n_songs, n_onsets, REMEMBERED), np.float32)
    past = np.zeros((n_songs, n_onsets, REMEMBERED, TRAITS), np.float32)
    own = np.zeros((n_songs, n_onsets, TRAITS - 1), np.float32)
    elapsed, phase, log_period, counts = np.zeros((4, n_songs, n_onsets), np.float32)
    for row in range(n_songs):
        songs = kinds[row % len(kinds)]
        heard = listen(songs[rng.integers(len(songs))], rng)
        last = max(len(heard.seconds) - n_onsets, 1)
        start = 0 if rng.random() < FROM_THE_START else int(rng.integers(last))
        part = slice(start, start + n_onsets)
        stretch = rng.uniform(-STRETCH, STRETCH)
        seconds = heard.seconds[part] * math.exp(stretch)
        traits = heard.traits[part]
        count = len(seconds)
        for now in range(1, count):
            back = slice(max(now - REMEMBERED, 0), now)
            size = back.stop - back.start
            ago[row, now, :size] = (seconds[now] - seconds[back])[::-1]
            past[row, now, :size] = traits[back][::-1]
        own[row, :count] = traits[:, 1:]
        elapsed[row, 1:count] = np.diff(seconds)
        phase[row, :count] = heard.phase[part]
        log_period[row, :count] = heard.log_period[part] + stretch
        counts[row, :count] = 1
    told = tuple(Told(int(kind)) for kind in rng.integers(len(Told), size=n_songs))
    share = np.where(np.array(told) == Told.COUNT_IN, COUNT_IN_SHARE, PRIOR_SHARE)
    off = rng.uniform(-1, 1, (2, n_songs))
    shift = COUNT_IN_SECONDS * off[1] * np.exp(-log_period[:, 0])
    return Batch(
        *(ago, past, own, elapsed, phase, log_period, counts, told),
        told_log_period=np.asarray(
            log_period[:, 0] + np.log1p(share * off[0]), np.float32
        ),
        told_phase=np.asarray((phase[:, 0] + shift) % 1, np.float32),
    )


def positions_in_beats(
    beats: NDArray[np.float64], seconds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where onsets fall, in beats; outside, the nearest tempo goes on."""
    first, last = _end_periods(beats)
    position = np.interp(seconds, beats, np.arange(len(beats)))
    early, late = seconds < beats[0], seconds > beats[-1]
    position[early] = (seconds[early] - beats[0]) / first
    position[late] = len(beats) - 1 + (seconds[late] - beats[-1]) / last
    return position


def _times(
    beats: NDArray[np.float64], positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return when positions in beats are; the inverse of `positions_in_beats`."""
    first, last = _end_periods(beats)
    end = len(beats) - 1
    seconds = np.interp(positions, np.arange(len(beats)), beats)
    early, late = positions < 0, positions > end
    seconds[early] = beats[0] + positions[early] * first
    seconds[late] = beats[-1] + (positions[late] - end) * last
    return seconds


def _end_periods(beats: NDArray[np.float64]) -> tuple[float, float]:
    intervals = np.diff(beats)
    return float(np.median(intervals[:8])), float(np.median(intervals[-8:]))
