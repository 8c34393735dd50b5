"""Players who listen to the band, while the band listens to them.

A recorded solo does not mind what is played with it; a player does. He has a tempo
of his own, hears at every beat how far the band's nearest one is away, makes up for a
share of it before the next beat, and is not quite exact. Two things must then hold:
both together must not drift away from his tempo, and after a rest he must find the
band where he expects it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.pulse_lessons import positions_in_beats
from export.pulse_scores import PHASE_SHARE
from export.pulse_songs import TimedSong
from jackcomp.ear.beat_filter import PulseTables
from jackcomp.ear.pulse import PulseTracker
from jackcomp.messages import Report, ReportKind
from jackcomp.pacing import Pacer, Steering, Told
from jackcomp.timeline.clock import Anchor, Timeline, ns_per_quarter_to_bpm
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

RATE = 48_000
BARLESS = Meter(1, 4)
"""Bar lines are not asked for: every beat is one."""

ADAPTS = 0.3
BEAT_NOISE_SECONDS = 0.010
NOTE_NOISE_SECONDS = 0.008
LONG_BEATS, LAST_BEATS = 800, 100
RESTS = (4, 8, 16)
BEFORE_REST, AFTER_REST = 32, 12
LATER = 8
TEMPO_OFF = 1 / 3
"""More than that is another tempo; less may be a correction."""


@dataclass(frozen=True, slots=True, eq=False)
class Duet:
    """What was heard at each of the player's beats.

    Attributes
    ----------
    player, band : ndarray, shape=(beats,), float64
        When it was, and the band's nearest one, in seconds.
    bpm : ndarray, shape=(beats,), float64
        The band's tempo there.
    """

    player: NDArray[np.float64]
    band: NDArray[np.float64]
    bpm: NDArray[np.float64]

    @property
    def in_phase(self) -> NDArray[np.bool_]:
        """Whether both are together, for each beat, and not at half or double tempo."""
        period = np.diff(self.player, append=2 * self.player[-1] - self.player[-2])
        is_near = np.abs(self.band - self.player) <= PHASE_SHARE * period
        return np.asarray(is_near & (np.abs(self.bpm * period / 60 - 1) <= TEMPO_OFF))


def make_pacer(
    tables: PulseTables, clock: Anchor, told: Told, tightness: float
) -> Pacer:
    """Make the pacer that is measured; its clock has started with ``clock``."""
    steering = Steering(True, tightness, 0, told)
    return Pacer(PulseTracker(tables), BARLESS, clock, steering)


def report_note(timeline: Timeline, seconds: float, note: int, velocity: int) -> Report:
    """Write a note as the core reports it."""
    frame = round(seconds * RATE)
    tick = timeline.frame_to_tick(frame)
    return Report(ReportKind.MIDI, tick, frame, 0, 0x90, note, velocity, 0)


def play_duet(
    song: TimedSong,
    beats: int,
    rng: np.random.Generator,
    tables: PulseTables,
    tightness: float,
    rest: range = range(0),
) -> Duet:
    """Let a player play a melody over and over, and the band follow.

    Parameters
    ----------
    song : TimedSong
        Its notes, where they are in the beats; its mean tempo is the player's.
    beats : int
        How many he plays; a count-in in his tempo is before the first.
    rng : numpy.random.Generator
        For what he does not do exactly.
    tables : PulseTables
        Of the tracker.
    tightness : float
        As a player sets it.
    rest : range
        Beats in which he does not play, and listens.
    """
    loop = _Loop(song)
    period = loop.period
    clock = Anchor(0, 0, round(period * 1e9), RATE)
    pacer = make_pacer(tables, clock, Told.COUNT_IN, tightness)
    player, band, bpm = [0.0], [], []
    for beat in range(beats):
        now = player[-1]
        tick = pacer.timeline.frame_to_tick(round(now * RATE))
        nearest = round(tick / TICKS_PER_QUARTER) * TICKS_PER_QUARTER
        band.append(pacer.timeline.tick_to_frame(nearest) / RATE)
        bpm.append(ns_per_quarter_to_bpm(pacer.timeline.anchor_at(tick).ns_per_quarter))
        noise = rng.normal(0, BEAT_NOISE_SECONDS)
        late = now - band[-1]
        # A beat that is nearer to his next or last one is none of this one's.
        heeded = late if abs(late) <= period / 2 else 0.0
        player.append(now + period - ADAPTS * heeded + noise)
        if beat in rest:
            continue
        for place, note, velocity in loop.notes_of(beat):
            seconds = now + place * (player[-1] - now)
            seconds += rng.normal(0, NOTE_NOISE_SECONDS)
            report = report_note(pacer.timeline, seconds, note, velocity)
            pacer.hear(report, report.tick or 0)
    return Duet(np.array(player[:-1]), np.array(band), np.array(bpm))


def _span(times: NDArray[np.float64]) -> float:
    return float(times[-1] - times[0])


class _Loop:
    """A song's melody by beats, from its first beat to its last and again."""

    def __init__(self, song: TimedSong) -> None:
        places = positions_in_beats(song.beats, song.onsets)
        first, last = int(np.ceil(places[0])), int(places[-1])
        self.period = float(np.mean(np.diff(song.beats[first:last])))
        self._beats: list[list[tuple[float, int, int]]] = [
            [] for _ in range(last - first)
        ]
        for place, note, velocity in zip(
            places, song.notes, song.velocities, strict=True
        ):
            beat = int(place) - first
            if 0 <= beat < len(self._beats):
                self._beats[beat].append((place % 1, note, velocity))

    def notes_of(self, beat: int) -> list[tuple[float, int, int]]:
        return self._beats[beat % len(self._beats)]


def measure_players(
    songs: Sequence[TimedSong], tables: PulseTables, tightness: float
) -> tuple[dict[str, object], Duet]:
    """Measure long duets, and re-entries after rests; gives the first long one too.

    ``tempo_off`` is how far a player's tempo over his last 25 bars is from his own, as
    a share of it; and the largest of all songs. ``in_phase`` counts all beats.
    """
    duets = [
        play_duet(song, LONG_BEATS, np.random.default_rng(number), tables, tightness)
        for number, song in enumerate(songs)
    ]
    off = [
        abs(_Loop(song).period * LAST_BEATS / _span(duet.player[-LAST_BEATS - 1 :]) - 1)
        for song, duet in zip(songs, duets, strict=True)
    ]
    spiral = {
        "songs": len(songs),
        "bars": LONG_BEATS // 4,
        "tempo_off": float(np.median(off)),
        "largest_tempo_off": float(max(off)),
        "in_phase": float(np.mean([duet.in_phase.mean() for duet in duets])),
    }
    entries = {}
    for beats in RESTS:
        rest = range(BEFORE_REST, BEFORE_REST + beats)
        again = [
            play_duet(
                *(song, rest.stop + AFTER_REST, np.random.default_rng(number)),
                *(tables, tightness, rest),
            ).in_phase
            for number, song in enumerate(songs)
        ]
        entries[str(beats)] = {
            "first_beat": float(np.mean([duet[rest.stop] for duet in again])),
            "eight_later": float(np.mean([duet[rest.stop + LATER] for duet in again])),
        }
    return {"listening": spiral, "re_entry": entries}, duets[0]


def draw_duet(duet: Duet, path: Path, title: str) -> None:
    """Draw the tempo of both, and how far they are apart."""
    # Late: only a picture needs it.
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(9, 5), sharex=True)
    bars = np.arange(len(duet.player)) / 4
    above.plot(bars[1:], 60 / np.diff(duet.player), "C1", linewidth=0.7, label="player")
    above.plot(bars, duet.bpm, "C0", linewidth=0.7, label="jackcomp")
    above.set_ylabel("beats a minute")
    above.legend(loc="upper right")
    above.set_title(title)
    below.plot(bars, 1000 * (duet.band - duet.player), "C0", linewidth=0.7)
    below.set_ylabel("band after player, ms")
    below.set_xlabel("bars")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
