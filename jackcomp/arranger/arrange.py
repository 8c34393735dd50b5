"""Spans of chords + a style -> notes in ticks.

What sounds in a span depends on the span, the voicing before it and the seed, and
on nothing else: a plan may be arranged whole or span by span, as often as needed,
and always gives the same notes. Notes stay exactly on the grid and end with their
span; only velocities are humanised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from jackcomp.arranger.pattern import Part, Style, Tone
from jackcomp.arranger.rhythm import Counting, Stroke, lay_strokes
from jackcomp.arranger.voicing import (
    Voicing,
    second_bass_note,
    voice_bass,
    voice_chord,
)
from jackcomp.theory.chord import NO_CHORD, Chord
from jackcomp.timeline.meter import Meter, step_at, step_start

DYNAMICS = 20
"""Velocity that full intensity adds, and that none takes away."""

MEND_SOFTER = 12
"""Velocity that a voice loses when it is struck late, to mend a chord."""

MEND_ROOM = 480
"""Ticks that must be left for a voice to be struck late: a sixteenth."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note to play.

    Parameters
    ----------
    tick, duration : int
        Ticks; the duration is above 0.
    part : str
        'chords' or 'bass'.
    note, velocity : int
        MIDI, velocity from 1 to 127.
    tie : bool
        The same note of the part sounds already: it lives on until tick +
        duration instead of being struck. Where it does not sound, it is struck.
    """

    tick: int
    duration: int
    part: str
    note: int
    velocity: int
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A chord on one grid step, or on what is left of one after a mend.

    Parameters
    ----------
    start, end : int
        Ticks, half-open.
    chord : Chord
        What sounds, or no chord.
    is_open : bool
        Root and fifth alone, for a chord that nobody is sure of: neither third nor
        seventh can then be wrong.
    is_thin : bool
        Chord and bass struck once and held, whatever the style: nobody plays along.
    taken : frozenset of str
        Parts that the soloist plays himself: they rest. If he plays all of them, the
        chords are struck once in each step and held, without bass: he is not left
        alone.
    """

    start: int
    end: int
    chord: Chord
    is_open: bool = False
    is_thin: bool = False
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What the spans sound like.

    Parameters
    ----------
    notes : tuple of Note
        In order of ticks, the bass before the chords. Within a part no key
        overlaps itself.
    voicings : tuple of Voicing
        One for each span: what the next call leads from once it was committed.
    """

    notes: tuple[Note, ...]
    voicings: tuple[Voicing, ...]


class Arranger:
    """Plays chords in a style.

    Parameters
    ----------
    style : Style
        How.
    meter : Meter
        Where bars, grid steps and counts lie.
    seed : int
        Decides how velocities are humanised.
    """

    def __init__(self, style: Style, meter: Meter, seed: int) -> None:
        self._style = style
        self._meter = meter
        self._seed = seed
        self._counting = Counting(meter, style.swing)

    def arrange(
        self,
        spans: Sequence[Span],
        previous: Voicing | None,
        *,
        intensity: float = 0.5,
        ceiling: int | None = None,
        mended: bool = False,
    ) -> Arrangement:
        """Arrange a plan.

        Parameters
        ----------
        spans : sequence of Span
            Contiguous. The first may begin within a grid step; then the notes of
            the step that start earlier are taken for played.
        previous : Voicing or None
            The voicing before the first span; on a mend, the one that sounds in
            its step until then.
        intensity : float
            0 (as soft as it gets) to 1; shifts all velocities.
        ceiling : int, optional
            The soloist's lowest note: the chords stay below it where they can.
        mended : bool
            The first span replaces the rest of a chord that is already sounding:
            common notes are tied, others struck softly. What sounded before and
            is neither tied nor struck is meant to end at the start of the span.

        Returns
        -------
        Arrangement
            All notes within their spans.
        """
        notes: list[Note] = []
        voicings = []
        for number, span in enumerate(spans):
            voicing = self._voice(span, previous, ceiling)
            for part in self._style.parts:
                found = self._play(part, span, voicing)
                if mended and number == 0 and previous is not None:
                    found = self._mend(part, span, previous, voicing, found) + found
                notes += found
            voicings.append(voicing)
            previous = voicing
        return _arrangement(notes, voicings, intensity)

    def ending(
        self,
        start: int,
        chord: Chord,
        previous: Voicing | None,
        *,
        bars: int = 1,
        intensity: float = 0.5,
        ceiling: int | None = None,
    ) -> Arrangement:
        """Hold a last chord and its bass.

        Parameters
        ----------
        start : int
            Tick.
        chord : Chord
            What to end on; no chord ends in silence.
        bars : int
            How long it is held.
        previous, intensity, ceiling
            As for ``arrange``.
        """
        span = Span(start, start + bars * self._meter.bar_ticks, chord)
        voicing = self._voice(span, previous, ceiling)
        notes = [
            self._note(part, span.start, span.end, note, part.velocity)
            for part in self._style.parts
            for note in _realise(part, _whole(part), voicing)
        ]
        return _arrangement(notes, [voicing], intensity)

    def _voice(
        self, span: Span, previous: Voicing | None, ceiling: int | None
    ) -> Voicing:
        last = previous or Voicing(NO_CHORD, (), None, span.start)
        low, high = self._style.chords.low, self._style.chords.high
        bass = voice_bass(
            span.chord, last.bass, self._style.bass.low, self._style.bass.high
        )
        if bass is not None:
            low = max(low, bass + 1)
        notes = voice_chord(
            span.chord, last.notes, low, high, ceiling, self._style.chords.voices
        )
        if span.is_open:
            notes = _leave_open(span.chord, notes)
        resting, is_thin = span.taken, span.is_thin
        if all(part.name in resting for part in self._style.parts):
            resting, is_thin = resting - {"chords"}, True
        # A part that comes back begins its pattern anew.
        goes_on = last.chord == span.chord and last.resting == resting
        since = last.since if goes_on else span.start
        return Voicing(span.chord, notes, bass, since, is_thin, resting)

    def _play(self, part: Part, span: Span, voicing: Voicing) -> list[Note]:
        """Return the notes of a part that start within a span."""
        return [
            note
            if note.tick + note.duration <= span.end
            else replace(note, duration=span.end - note.tick)
            for note in self._step_notes(part, voicing, span.start)
            if span.start <= note.tick < span.end
        ]

    def _mend(
        self,
        part: Part,
        span: Span,
        previous: Voicing,
        voicing: Voicing,
        later: Sequence[Note],
    ) -> list[Note]:
        """Carry a part from the notes that sound at a mend to those that should."""
        sounding = _at(self._step_notes(part, previous, span.start), span.start)
        wanted = _at(self._step_notes(part, voicing, span.start), span.start)
        kept = sounding.keys() & set(_tones_to_keep(part, previous, voicing))
        if part.name == "bass" and kept:
            wanted = {}
        found = []
        for key in sorted(kept | wanted.keys()):
            tie = key in kept
            note = sounding[key] if tie else wanted[key]
            struck_again = [other.tick for other in later if other.note == key]
            end = min([note.tick + note.duration, span.end, *struck_again])
            velocity = note.velocity if tie else note.velocity - MEND_SOFTER
            duration = end - span.start
            if duration >= (1 if tie else MEND_ROOM):
                found.append(Note(span.start, duration, part.name, key, velocity, tie))
        return found

    def _step_notes(self, part: Part, voicing: Voicing, tick: int) -> list[Note]:
        """Return a part's notes in the whole step around a tick, one voicing held."""
        if voicing.chord.is_none or part.name in voicing.resting:
            return []
        step, start = step_at(self._meter, tick)
        length = step_start(self._meter, step + 1) - start
        hits = part.repeat if voicing.since < start else part.change
        strokes = lay_strokes(hits, self._counting, length)
        if voicing.is_thin:
            strokes = (Stroke(0, length, _whole(part), 0),)
        ends: dict[int, int] = {}
        notes = []
        # From the last stroke back, so that each key ends where it is struck again.
        for stroke in reversed(strokes):
            begin = start + stroke.start
            velocity = (
                part.velocity + stroke.velocity + self._accent(part, begin, start)
            )
            for key in _realise(part, stroke.tone, voicing):
                end = min(stroke.end, ends.get(key, stroke.end))
                if end > stroke.start:
                    notes.append(self._note(part, begin, start + end, key, velocity))
                    ends[key] = stroke.start
        return notes

    def _accent(self, part: Part, tick: int, start: int) -> int:
        """Return the velocity that a place in the step from ``start`` on adds."""
        if tick % self._meter.bar_ticks == 0:
            return part.accents[0]
        on_count = (tick - start) % self._counting.count_ticks == 0
        return part.accents[1 if on_count else 2]

    def _note(self, part: Part, start: int, end: int, key: int, velocity: int) -> Note:
        """Make a note, its velocity humanised by its place alone."""
        spread = self._style.humanise
        place = f"{self._seed} {start} {part.name} {key}".encode()
        velocity += crc32(place) % (2 * spread + 1) - spread
        return Note(start, end - start, part.name, key, velocity)


def _leave_open(chord: Chord, notes: tuple[int, ...]) -> tuple[int, ...]:
    """Keep root and fifth of a voicing, whatever fifth it is."""
    if chord.root is None:
        return notes
    fifths = [pc for pc in chord.pitch_classes if (pc - chord.root) % 12 in (6, 7, 8)]
    kept = tuple(note for note in notes if note % 12 in {chord.root, *fifths[:1]})
    return kept or notes


def _whole(part: Part) -> Tone:
    """Return what stands for all that a part can play of a chord."""
    return "bass" if part.name == "bass" else "all"


def _realise(part: Part, tone: Tone, voicing: Voicing) -> tuple[int, ...]:
    """Return the keys that a tone of a pattern means in a voicing."""
    if voicing.bass is None:
        return ()
    if isinstance(tone, int):
        return (voicing.notes[tone % len(voicing.notes)],)
    if tone == "all":
        return voicing.notes
    if tone == "bass":
        return (voicing.bass,)
    return (second_bass_note(voicing.chord, voicing.bass, part.low, part.high),)


def _tones_to_keep(part: Part, previous: Voicing, voicing: Voicing) -> tuple[int, ...]:
    """Return the keys of a part that may go on sounding when a chord is mended."""
    if part.name == "chords":
        return voicing.notes
    keys = _realise(part, "bass", voicing)
    # A new bass must be heard, and not be taken for the fifth of the old one.
    if previous.bass == voicing.bass:
        keys += _realise(part, "fifth", voicing)
    return keys


def _at(notes: Sequence[Note], tick: int) -> dict[int, Note]:
    """Return the notes that started before a tick and go on after it, by key."""
    return {n.note: n for n in notes if n.tick < tick < n.tick + n.duration}


def _arrangement(
    notes: Sequence[Note], voicings: Sequence[Voicing], intensity: float
) -> Arrangement:
    shift = round((2 * intensity - 1) * DYNAMICS)
    shifted = (
        replace(note, velocity=min(127, max(1, note.velocity + shift)))
        for note in notes
    )
    in_score = sorted(shifted, key=lambda note: (note.tick, note.part, note.note))
    return Arrangement(tuple(in_score), tuple(voicings))
