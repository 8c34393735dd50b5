"""What was played, kept as a MIDI file and a chord chart.

The chart has one line a chord change: ``bar:beat``, seconds since beat one, Harte
label, key, separated by tabs. The MIDI file counts 1920 ticks to a quarter; tick 0
is beat one of the first bar.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

from jackcomp.accompanist import ChordChange
from jackcomp.messages import Part, Report
from jackcomp.theory.chord import format_harte
from jackcomp.theory.key import format_key
from jackcomp.timeline.clock import Timeline
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter, format_position

CHART_HEADER = "# bar:beat\tseconds\tchord\tkey"
_FILED_PARTS = (Part.CHORDS, Part.BASS, Part.PAD, Part.GUITAR, Part.DRUMS)


@dataclass(frozen=True, slots=True)
class PlayedNote:
    """A note that sounded: part, MIDI note, velocity, and its span in ticks."""

    part: Part
    note: int
    velocity: int
    start: int
    end: int


def chart_line(change: ChordChange, meter: Meter, timeline: Timeline) -> str:
    """Write one line of the chart, without its end of line."""
    return "\t".join(
        (
            format_position(meter, change.tick),
            f"{timeline.seconds(change.tick):.3f}",
            format_harte(change.chord, change.key),
            format_key(change.key),
        )
    )


def chart_text(changes: Iterable[ChordChange], meter: Meter, timeline: Timeline) -> str:
    """Write the whole chart."""
    lines = (chart_line(change, meter, timeline) for change in changes)
    return "\n".join((CHART_HEADER, *lines)) + "\n"


Struck = tuple[int, int, int, int, int]
"""A message of a part: its tick, the part, and its three bytes."""


def filed(reports: Iterable[Report]) -> Iterator[Struck]:
    """Give what is written down of what was played, with a tick for each.

    The click is left out; what came while the clock stood is at the last tick.
    """
    last = 0
    for report in reports:
        if report.part not in _FILED_PARTS:
            continue
        tick = last if report.tick is None else max(report.tick, 0)
        last = max(last, tick)
        yield tick, report.part, report.status, report.key, report.value


def played_notes(reports: Iterable[Report]) -> list[PlayedNote]:
    """Pair the note-ons and note-offs of the parts; the click is left out.

    A note without an end, if the recording was cut short, ends with the last tick.
    """
    return pair_notes(filed(reports))


def pair_notes(messages: Iterable[Struck]) -> list[PlayedNote]:
    """Pair note-ons and note-offs; what has no end ends with the last message."""
    open_notes: dict[tuple[int, int], Struck] = {}
    notes: list[PlayedNote] = []
    last = 0
    for message in messages:
        tick, part, status, key, _ = message
        last = max(last, tick)
        on = open_notes.pop((part, key), None) if status & 0xE0 == 0x80 else None
        if on is not None:
            notes.append(_note(on, tick))
        if status & 0xF0 == 0x90:
            open_notes[part, key] = message
    notes += (_note(on, last) for on in open_notes.values())
    return sorted(notes, key=lambda note: (note.start, note.part, note.note))


def _note(on: Struck, end: int) -> PlayedNote:
    start, part, _, key, velocity = on
    return PlayedNote(Part(part), key, velocity, start, max(end, start))


def write_midi(
    path: Path,
    notes: Sequence[PlayedNote],
    markers: Iterable[tuple[int, str]],
    meter: Meter,
    timeline: Timeline,
    programs: Iterable[tuple[Part, int]],
) -> None:
    """Write the accompaniment alone: a track for each part that played.

    ``markers`` are the chords, by tick, as `chord_markers` gives them.
    """
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    midi.tracks.append(_conductor(markers, meter, timeline))
    sounds = dict(programs)
    for part in _FILED_PARTS:
        own = [note for note in notes if note.part is part]
        if own:
            midi.tracks.append(_track(part, own, sounds.get(part)))
    midi.save(path)


def chord_markers(changes: Iterable[ChordChange]) -> list[tuple[int, str]]:
    """Return tick and label of each change."""
    return [(change.tick, format_harte(change.chord, change.key)) for change in changes]


def meter_and_tempos(
    meter: Meter, timeline: Timeline
) -> Iterator[tuple[int, mido.MetaMessage]]:
    """Give what a MIDI file says of meter and tempo, by tick."""
    yield (
        0,
        mido.MetaMessage(
            "time_signature", numerator=meter.numerator, denominator=meter.denominator
        ),
    )
    for start, anchor in zip(timeline.starts, timeline.anchors, strict=True):
        microseconds = round(anchor.ns_per_quarter / 1000)
        yield max(start, 0), mido.MetaMessage("set_tempo", tempo=microseconds)


def channel_of(part: Part) -> int:
    """Return the MIDI channel of a part, from 0."""
    return 9 if part is Part.DRUMS else int(part)


def _conductor(
    markers: Iterable[tuple[int, str]], meter: Meter, timeline: Timeline
) -> mido.MidiTrack:
    """Tempo, meter, and the chords as markers."""
    events = [(tick, 1, meta) for tick, meta in meter_and_tempos(meter, timeline)]
    for tick, label in markers:
        events.append((tick, 2, mido.MetaMessage("marker", text=label)))
    return _in_order("jackcomp", events)


def _track(
    part: Part, notes: Sequence[PlayedNote], program: int | None
) -> mido.MidiTrack:
    channel = channel_of(part)
    events = []
    if program is not None:
        change = mido.Message("program_change", channel=channel, program=program)
        events.append((0, 0, change))
    for note in notes:
        common = {"channel": channel, "note": note.note}
        on = mido.Message("note_on", velocity=note.velocity, **common)
        off = mido.Message("note_off", velocity=64, **common)
        events += [(note.start, 2, on), (note.end, 1, off)]
    return _in_order(part.name.lower(), events)


def _in_order(name: str, events: list[tuple[int, int, mido.Message]]) -> mido.MidiTrack:
    """Lay events out by tick; what ends comes before what begins."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    last = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - last))
        last = tick
    track.append(mido.MetaMessage("end_of_track"))
    return track
