"""Lead sheets as somebody may play them: plain tunes for the pulse to learn from.

Only two sources have times in seconds, and both are dense. What is written down is
played here at a tempo of one's own choice, straight or swung, with hands as unsteady
and a tempo as wandering as chance has it; so its beat is known all the same.
"""

import math

import numpy as np

from export.pulse_songs import (
    DEFAULT_VELOCITY,
    DRIFT,
    JITTER_SECONDS,
    TimedSong,
    bend,
    roughen,
)
from export.songs import Song

SLOWEST, FASTEST = 60.0, 180.0
"""Felt pulses a minute: dotted quarters in 6/8."""

SWUNG = 0.4
"""So many of the songs whose beat has two parts are swung."""

LATEST_OFFBEAT = 0.67
"""A swung offbeat falls between the middle of the beat and here."""

BENT = 0.5
"""In so many of the songs the tempo changes; see `pulse_songs.bend`."""

VELOCITY_SPREAD = 12.0


def keeps_its_pulse(song: Song) -> bool:
    """Tell whether the felt pulse is the same note value throughout."""
    return all(bar.meter.pulse_ticks == song.meter.pulse_ticks for bar in song.bars)


def play(song: Song, rng: np.random.Generator) -> TimedSong:
    """Play a lead sheet from its first note to its last.

    Parameters
    ----------
    song : Song
        With a melody; it keeps its pulse.
    rng : numpy.random.Generator
        Decides the tempo, the swing, the hands and their force.
    """
    pulse = song.meter.pulse_ticks
    notes = sorted(song.melody, key=lambda note: note.onset)
    first = notes[0].onset // pulse
    beat, part = np.divmod([note.onset / pulse - first for note in notes], 1.0)
    in_twos = pulse == song.meter.beat_ticks
    if in_twos and rng.random() < SWUNG:
        late = rng.uniform(0.5, LATEST_OFFBEAT)
        part = np.interp(part, (0.0, 0.5, 1.0), (0.0, late, 1.0))
    force = np.array([note.velocity or DEFAULT_VELOCITY for note in notes])
    force = force + rng.normal(0, rng.uniform(0, VELOCITY_SPREAD), len(notes))
    period = 60 / math.exp(rng.uniform(math.log(SLOWEST), math.log(FASTEST)))
    per_bar = song.meter.bar_ticks // pulse
    beats = np.arange(beat[-1] + 2)
    exact = TimedSong(
        id=song.id,
        source=song.source,
        licence=song.licence,
        split=song.split,
        onsets=period * (beat + part),
        notes=tuple(note.note for note in notes),
        velocities=tuple(int(one) for one in np.clip(force, 1, 127)),
        beats=period * beats,
        beats_per_bar=per_bar,
        downbeats=tuple(range(-first % per_bar, len(beats), per_bar)),
    )
    if rng.random() < BENT:
        exact = bend(exact, rng)
    jitter, drift = rng.uniform(0, JITTER_SECONDS), rng.uniform(0, DRIFT)
    return roughen(exact, rng, drift, jitter)
