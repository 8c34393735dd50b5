"""The stage: songs of the corpus, played through the accompanist that plays live.

A song's melody is the solo; the core runs offline, without sound, and what it
reports to have applied is what sounded. All that the accompanist is given of a song
is in `Given`: notes, tempo, one meter and its bar lines; never a chord or a key.

The accompanist counts in one meter, but some songs have bars of another length (a
bar of two beats before a chorus). The soloist then waits for the next bar line of
the meter, as `BarMap` lays it out: song ticks become clock ticks on the way in, and
come back on the way out; what sounds while he waits counts for nothing.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from export.songs import Bar, ChordSpan, MelodyNote, Song
from jackcomp import duo
from jackcomp.accompanist import PLAN_BARS, ChordChange, Weigh
from jackcomp.config import Settings
from jackcomp.decision.fusion import weights_for
from jackcomp.decision.policy import Decision
from jackcomp.ear.hands import Split
from jackcomp.ear.key import hold_key
from jackcomp.ear.listen import Ear, Heard
from jackcomp.rendering import play
from jackcomp.solo import Solo
from jackcomp.theory.chord import NO_CHORD, Chord, format_harte
from jackcomp.theory.key import Key, key_index
from jackcomp.theory.vocabulary import chord_index
from jackcomp.timeline.clock import ONE_TICK, Anchor, Timeline, bpm_to_ns_per_quarter
from jackcomp.timeline.meter import Meter

RATE = 48_000
PERIOD = 1024  # two of them fit into the lead, so the music is that of any period
DEFAULT_VELOCITY = 80
NOTE_ON, NOTE_OFF = 0x90, 0x80


class BarMap:
    """Bars as written, laid out on a clock whose bars all have one length.

    Every bar begins on a bar line of the clock and takes as many of its bars as it
    needs; the bar that begins at tick 0, or holds it, begins there on the clock.

    Parameters
    ----------
    bars : sequence of Bar
        Without gaps, as `Song` has them.
    meter : Meter
        The clock's.
    """

    def __init__(self, bars: Sequence[Bar], meter: Meter) -> None:
        self._song = [bar.start for bar in bars]
        self._ends = [bar.end for bar in bars]
        self._clock = [0]
        for bar in bars[:-1]:
            needed = -(-(bar.end - bar.start) // meter.bar_ticks)
            self._clock.append(self._clock[-1] + needed * meter.bar_ticks)
        first = self._clock[max(bisect_right(self._song, 0) - 1, 0)]
        self._clock = [tick - first for tick in self._clock]

    def to_clock(self, tick: int) -> int:
        """Return the clock tick of a song tick."""
        bar = max(bisect_right(self._song, tick) - 1, 0)
        return self._clock[bar] + tick - self._song[bar]

    def to_song(self, tick: int) -> int:
        """Return the song tick of a clock tick: while he waits, the next bar line."""
        bar = max(bisect_right(self._clock, tick) - 1, 0)
        song_tick = self._song[bar] + tick - self._clock[bar]
        is_last = bar == len(self._song) - 1
        return song_tick if is_last else min(song_tick, self._ends[bar])


@dataclass(frozen=True, slots=True)
class Given:
    """All that the accompanist is given of a song; in ticks of the clock."""

    meter: Meter
    ns_per_quarter: int
    start_tick: int
    solo: Solo


@dataclass(frozen=True, slots=True)
class Performance:
    """What the accompanist made of a song.

    Attributes
    ----------
    spans : tuple of ChordSpan
        What sounded over the annotated time, in song ticks; ``N`` before the first
        chord and after an ending.
    key : Key or None
        What it heard at the end; None if it never came in.
    changes : tuple of ChordChange
        The same as it was played, in ticks of the clock.
    decisions : tuple of (int, Decision)
        Every decision and the song tick from which it counts.
    thinking_ns : tuple of int
        How long it thought at each cut-off.
    """

    spans: tuple[ChordSpan, ...]
    key: Key | None
    changes: tuple[ChordChange, ...]
    decisions: tuple[tuple[int, Decision], ...]
    thinking_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Hearing:
    """A solo, and all that an ear depends on besides."""

    given: Given
    split: Split


@dataclass(frozen=True, slots=True)
class _Known:
    """What an ear has said of a solo, by what it was asked."""

    heard: dict[tuple[int, int, int], Heard] = field(default_factory=dict)
    stated: dict[tuple[int, int], bool] = field(default_factory=dict)


class _SharingEar(Ear):
    """An ear that does not work out again what another has heard in the same solo.

    What `Ear.hear` says depends on the notes alone, not on what was asked before. Who
    knows the key hears the same notes and judges them by that key.
    """

    def __init__(
        self,
        models: duo.Models,
        hearing: _Hearing,
        key: Key | None,
        known: _Known,
    ) -> None:
        super().__init__(
            models.ear,
            models.listener,
            hearing.given.meter,
            split=hearing.split,
        )
        self._held = None if key is None else key_index(key)
        self._known = known

    def hear(self, start_tick: int, now_tick: int, end_tick: int) -> Heard:
        """Say what was heard; see `Ear.hear`."""
        asked = (start_tick, now_tick, end_tick)
        if asked not in self._known.heard:
            self._known.heard[asked] = super().hear(*asked)
        heard = self._known.heard[asked]
        if self._held is None:
            return heard
        state = hold_key(heard.key_state, self._held)
        begun = now_tick > start_tick
        chords, expected = self._judge(heard.evidence, state, begun=begun)
        return replace(heard, chords=chords, expected=expected, key_state=state)

    def is_stated(self, start_tick: int, now_tick: int) -> bool:
        """Say whether the left hand states a chord; see `Ear.is_stated`."""
        asked = (start_tick, now_tick)
        if asked not in self._known.stated:
            self._known.stated[asked] = super().is_stated(*asked)
        return self._known.stated[asked]


class Stage:
    """Plays songs, one after the other; the models are loaded once.

    What one accompanist has heard in a solo is kept; whoever plays the same solo next
    may take it over.

    Parameters
    ----------
    settings : Settings, optional
        Those of a player who has set nothing, if left out.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._models = duo.load_models()
        self._hearing: _Hearing | None = None
        self._known = _Known()

    def play(
        self,
        song: Song,
        *,
        mends: bool = True,
        remembers: bool = True,
        plan_bars: int = PLAN_BARS,
        period: int = PERIOD,
        hears_anew: bool = True,
        weigh: Weigh = weights_for,
        **changed: Any,
    ) -> Performance:
        """Play a song's melody and return what sounded with it.

        Parameters
        ----------
        song : Song
            With a melody.
        mends : bool
            Whether a chord may change inside its grid step.
        remembers : bool
            Whether it recognises what comes round.
        plan_bars : int
            How far it plans; changes nothing of what sounds while the worker keeps up.
        period : int
            Frames in a cycle; changes nothing as long as two fit into the lead.
        hears_anew : bool
            Whether it hears for itself, as live. Taking over what was heard before
            changes nothing but the time that it takes.
        weigh : callable
            Gives the weights of the pool, as `weights_for`.
        changed
            Settings that are not those of the stage.
        """
        settings = replace(self._settings, **changed)
        decisions: list[Decision] = []
        meter = main_meter(song)
        bar_map = BarMap(song.bars, meter)
        given = give(song, meter, bar_map)
        lead = duo.lead_frames(settings, RATE, period)
        place = duo.Place(meter, given.ns_per_quarter, RATE, lead)
        accompanist = duo.build_accompanist(
            settings,
            place,
            fastest_ns_per_quarter=given.ns_per_quarter,
            models=self._models,
            ear=self._ear(given, settings, hears_anew),
            mends=mends,
            remembers=remembers,
            plan_bars=plan_bars,
            weigh=weigh,
            explain=decisions.append,
        )
        start = Anchor(0, given.start_tick * ONE_TICK, given.ns_per_quarter, RATE)
        timeline = Timeline.from_anchor(start)
        played = play(settings, place, accompanist, given.solo, timeline, period=period)
        changes = accompanist.changes
        outlook = accompanist.outlook
        return Performance(
            spans=lay_spans(
                [(bar_map.to_song(change.tick), change.chord) for change in changes],
                song.spans[0].start,
                song.spans[-1].end,
            ),
            key=outlook.key if outlook is not None else None,
            changes=tuple(changes),
            decisions=tuple((bar_map.to_song(d.tick), d) for d in decisions),
            thinking_ns=tuple(played.thinking_ns),
        )

    def _ear(self, given: Given, settings: Settings, anew: bool) -> Ear:
        hearing = _Hearing(given, settings.split)
        if anew or hearing != self._hearing:
            self._hearing, self._known = hearing, _Known()
        return _SharingEar(self._models, hearing, settings.key, self._known)


def describe(settings: Settings) -> dict[str, Any]:
    """Say what the accompanist is given and how it is set, for the report."""
    return {
        "given": {
            "notes": "each from its onset on",
            "tempo": "the song's",
            "tempo_where_unknown": duo.DEFAULT_BPM,
            "meter": "the one that most of the song is in",
            "bar_lines": "the song's; after a bar that is no multiple of the meter's "
            "the soloist waits for the next bar line, and that time is not scored",
        },
        "not_given": ["key", "chords"],
        "style": settings.style,
        "seed": settings.seed,
        "ai_weight": settings.ai_weight,
        "lead_ms": settings.lead_ms,
        "end_after": settings.end_after,
        "rate": RATE,
        "period": PERIOD,
    }


def main_meter(song: Song) -> Meter:
    """Return the meter that most of the song is in."""
    ticks: Counter[Meter] = Counter()
    for bar in song.bars:
        ticks[bar.meter] += bar.end - bar.start
    return max(ticks, key=ticks.__getitem__, default=song.meter)


def give(song: Song, meter: Meter, bar_map: BarMap) -> Given:
    """Take from a song what the accompanist may know."""
    onsets = [bar_map.to_clock(note.onset) for note in song.melody]
    # An end on a bar line belongs to the bar before, which may be followed by a wait.
    ends = [
        bar_map.to_clock(note.onset + note.duration - 1) + 1 for note in song.melody
    ]
    first_bar = min(onsets) // meter.bar_ticks * meter.bar_ticks
    tempo = bpm_to_ns_per_quarter(song.quarters_per_minute or duo.DEFAULT_BPM)
    solo = Solo(
        messages=tuple(_messages(onsets, ends, song.melody)),
        tempos=((0, tempo),),
        meters=((0, meter),),
        end_tick=max(ends),
        title=song.id,
    )
    return Given(meter, tempo, min(first_bar, 0), solo)


def _messages(
    onsets: Iterable[int], ends: Iterable[int], melody: Iterable[MelodyNote]
) -> list[tuple[int, bytes]]:
    """Write notes as a keyboard sends them: a key is released before it is struck."""
    events: list[tuple[int, int, bytes]] = []
    next_stroke: dict[int, int] = {}
    played = zip(onsets, ends, melody, strict=True)
    for onset, end, (_, _, note, velocity) in sorted(played, reverse=True):
        off = max(end, onset + 1)
        off = min(off, next_stroke.get(note, off))
        next_stroke[note] = onset
        strength = DEFAULT_VELOCITY if velocity is None else max(velocity, 1)
        events.append((onset, 1, bytes((NOTE_ON, note, strength))))
        events.append((off, 0, bytes((NOTE_OFF, note, 0))))
    return [(tick, data) for tick, _, data in sorted(events)]


def lay_spans(
    changes: Iterable[tuple[int, Chord]], start: int, end: int
) -> tuple[ChordSpan, ...]:
    """Lay chord changes out from ``start`` to ``end``, ``N`` before the first.

    Of several changes at one tick the last one counts; what follows itself is one
    span.
    """
    sounding: dict[int, Chord] = {start: NO_CHORD}
    for tick, chord in changes:
        if tick < end:
            sounding[max(tick, start)] = chord
    spans: list[ChordSpan] = []
    ends = [*list(sounding)[1:], end]
    for (tick, chord), until in zip(sounding.items(), ends, strict=True):
        label = format_harte(chord)
        if spans and spans[-1].label == label:
            spans[-1] = spans[-1]._replace(end=until)
        else:
            spans.append(ChordSpan(tick, until, label, chord_index(chord)))
    return tuple(spans)
