import mido
import pytest

from jackcomp.accompanist import ChordChange
from jackcomp.messages import Part, Report, ReportKind
from jackcomp.performance import (
    CHART_HEADER,
    PlayedNote,
    chart_line,
    chart_text,
    chord_markers,
    played_notes,
    write_midi,
)
from jackcomp.theory.chord import NO_CHORD, parse_harte
from jackcomp.theory.key import parse_key
from jackcomp.timeline.clock import Anchor, Timeline
from jackcomp.timeline.meter import parse_meter

FOUR = parse_meter("4/4")
STEADY = Timeline.from_anchor(Anchor(0, 0, 500_000_000, 48_000))
CHANGES = [
    ChordChange(1920, parse_harte("C:maj"), parse_key("C")),
    ChordChange(8640, parse_harte("Bb:7"), parse_key("F")),
    ChordChange(15_360, NO_CHORD, parse_key("F#m")),
]
ON, OFF = 0x90, 0x80


def played(*rows):
    """Make reports of rows: tick, status, part, key, velocity."""
    return [
        Report(ReportKind.PLAYED, tick, 0, 0, status | part, key, value, part)
        for tick, status, part, key, value in rows
    ]


def test_a_chart_has_a_header_and_a_line_a_change():
    assert chart_text(CHANGES, FOUR, STEADY).split("\n") == [
        CHART_HEADER,
        "1:2\t0.500\tC:maj\tC",
        "2:1.5\t2.250\tBb:7\tF",
        "3:1\t4.000\tN\tF#m",
        "",
    ]
    assert CHART_HEADER.startswith("#")


def test_a_chart_spells_chords_by_the_key():
    sharp = ChordChange(0, parse_harte("A#:maj"), parse_key("B"))
    assert chart_line(sharp, FOUR, STEADY).split("\t")[2:] == ["A#:maj", "B"]


def test_a_chart_counts_seconds_from_beat_one_whatever_the_tempo_was_before():
    upbeat = Timeline.from_anchor(Anchor(0, -1920 << 32, 10**9, 48_000))
    timeline = upbeat.with_tempo(1920, 250_000_000)
    beats = parse_meter("6/8")
    line = chart_line(ChordChange(4800, NO_CHORD, parse_key("C")), beats, timeline)
    assert line.split("\t")[:2] == ["1:6", "1.375"]


def test_an_empty_chart_is_its_header():
    assert chart_text([], FOUR, STEADY) == CHART_HEADER + "\n"


def test_notes_are_paired_by_part_and_key():
    reports = played(
        (0, ON, Part.CHORDS, 60, 90),
        (0, ON, Part.BASS, 60, 80),
        (960, OFF, Part.CHORDS, 60, 64),
        (1920, OFF, Part.BASS, 60, 64),
    )
    assert played_notes(reports) == [
        PlayedNote(Part.CHORDS, 60, 90, 0, 960),
        PlayedNote(Part.BASS, 60, 80, 0, 1920),
    ]


def test_a_key_struck_again_ends_the_note_before():
    reports = played(
        (0, ON, Part.CHORDS, 60, 90),
        (480, ON, Part.CHORDS, 60, 70),
        (960, OFF, Part.CHORDS, 60, 64),
    )
    assert [(note.start, note.end) for note in played_notes(reports)] == [
        *((0, 480), (480, 960))
    ]


def test_a_note_cut_short_by_the_end_ends_with_the_last_tick():
    reports = played(
        (0, ON, Part.CHORDS, 60, 90),
        (100, ON, Part.BASS, 40, 90),
        (300, 0xB0, 0, 120, 0),
    )
    assert {note.end for note in played_notes(reports)} == {300}


def test_a_release_without_a_tick_counts_as_now():
    reports = played((50, ON, Part.CHORDS, 60, 90), (None, OFF, Part.CHORDS, 60, 64))
    assert played_notes(reports) == [PlayedNote(Part.CHORDS, 60, 90, 50, 50)]


def test_the_click_and_what_was_before_beat_one_are_left_out():
    reports = played(
        (-960, ON, Part.CLICK, 76, 112),
        (-480, OFF, Part.CLICK, 76, 64),
        (-240, ON, Part.CHORDS, 60, 90),
        (240, OFF, Part.CHORDS, 60, 64),
    )
    assert played_notes(reports) == [PlayedNote(Part.CHORDS, 60, 90, 0, 240)]


@pytest.fixture
def midi(tmp_path):
    path = tmp_path / "a.mid"
    reports = played(
        (0, ON, Part.CHORDS, 60, 90),
        (0, ON, Part.DRUMS, 36, 100),
        (480, OFF, Part.DRUMS, 36, 64),
        (960, OFF, Part.CHORDS, 60, 64),
        (960, ON, Part.CHORDS, 60, 80),
        (1920, OFF, Part.CHORDS, 60, 64),
    )
    timeline = STEADY.with_tempo(3840, 400_000_000)
    sounds = [(Part.CHORDS, 4), (Part.BASS, 32)]
    notes, markers = played_notes(reports), chord_markers(CHANGES)
    write_midi(path, notes, markers, FOUR, timeline, sounds)
    return mido.MidiFile(path)


def by_tick(track):
    """Give a track's messages with their ticks from the start."""
    tick, found = 0, []
    for message in track:
        tick += message.time
        found.append((tick, message.copy(time=0)))
    return found


def test_midi_has_a_conductor_and_a_track_for_each_part_that_played(midi):
    assert (midi.type, midi.ticks_per_beat) == (1, 1920)
    assert [track.name for track in midi.tracks] == ["jackcomp", "chords", "drums"]


def test_midi_has_meter_tempos_and_the_chords_as_markers(midi):
    found = [
        (tick, message.type, message.dict())
        for tick, message in by_tick(midi.tracks[0])
        if message.type in ("time_signature", "set_tempo", "marker")
    ]
    assert [(tick, kind) for tick, kind, _ in found] == [
        (0, "time_signature"),
        (0, "set_tempo"),
        (1920, "marker"),
        (3840, "set_tempo"),
        (8640, "marker"),
        (15_360, "marker"),
    ]
    values = [data.get("tempo") or data.get("text") for _, _, data in found]
    assert values == [None, 500_000, "C:maj", 400_000, "Bb:7", "N"]


def test_midi_tracks_have_their_channels_programs_and_notes_in_order(midi):
    messages = [
        (tick, message.type, message.channel)
        for tick, message in by_tick(midi.tracks[1])
        if not message.is_meta
    ]
    # What ends comes before what begins at the same tick.
    assert messages == [
        (0, "program_change", 0),
        (0, "note_on", 0),
        (960, "note_off", 0),
        (960, "note_on", 0),
        (1920, "note_off", 0),
    ]
    drums = [m for _, m in by_tick(midi.tracks[2]) if not m.is_meta]
    assert [(m.type, m.channel) for m in drums] == [("note_on", 9), ("note_off", 9)]
