import shutil

import mido
import pytest

from jackcomp.accompanist import ChordChange
from jackcomp.errors import ConfigError
from jackcomp.messages import Part, Report, ReportKind
from jackcomp.performance import chord_markers, played_notes, write_midi
from jackcomp.recording import GrowingMidi, Take
from jackcomp.theory.chord import NO_CHORD, parse_harte
from jackcomp.theory.key import parse_key
from jackcomp.timeline.clock import Anchor, Timeline
from jackcomp.timeline.meter import parse_meter

FOUR = parse_meter("4/4")
STEADY = Timeline.from_anchor(Anchor(0, 0, 500_000_000, 48_000))
SOUNDS = [(Part.CHORDS, 4), (Part.BASS, 32)]
C = parse_key("C")
ON, OFF, CONTROL = 0x90, 0x80, 0xB0
PLAYED = [
    (0, ON, Part.CLICK, 76, 100),
    (3840, ON, Part.CHORDS, 60, 90),
    (3840, ON, Part.DRUMS, 36, 100),
    (4320, OFF, Part.DRUMS, 36, 64),
    (5760, OFF, Part.CHORDS, 60, 64),
    (5760, ON, Part.CHORDS, 62, 80),
    (7680, OFF, Part.CHORDS, 62, 64),
    (7680, ON, Part.BASS, 40, 70),
    (9600, OFF, Part.BASS, 40, 64),
    (9600, CONTROL, Part.BASS, 123, 0),
]
CHANGES = [
    ChordChange(3840, parse_harte("C:maj"), C),
    ChordChange(7680, parse_harte("F:maj"), C),
    ChordChange(11_520, NO_CHORD, C),
]


def reports(rows):
    channel = {Part.DRUMS: 9, Part.CLICK: 9}
    return [
        Report(
            *(ReportKind.PLAYED, tick, 0, 0),
            *(status | channel.get(part, part), key, value, part),
        )
        for tick, status, part, key, value in rows
    ]


@pytest.fixture
def take(tmp_path):
    return Take(tmp_path / "takes", FOUR, lambda: STEADY, SOUNDS)


def notes_in(path):
    """Give (tick, channel, key, velocity or 0) of each note, by tick."""
    found, tick = [], 0
    for message in mido.merge_tracks(mido.MidiFile(path).tracks):
        tick += message.time
        if message.type in ("note_on", "note_off"):
            loud = message.velocity if message.type == "note_on" else 0
            found.append((tick, message.channel, message.note, loud))
    return found


def test_a_take_is_what_the_whole_performance_gives_at_once(take, tmp_path):
    with take:
        for number, report in enumerate(reports(PLAYED)):
            take.add([report], CHANGES[number : number + 1])
    expected = tmp_path / "expected.mid"
    notes, markers = played_notes(reports(PLAYED)), chord_markers(CHANGES)
    write_midi(expected, notes, markers, FOUR, STEADY, SOUNDS)
    assert take.folder == tmp_path / "takes" / "take-001"
    assert (take.folder / "accompaniment.mid").read_bytes() == expected.read_bytes()
    assert {path.name for path in take.folder.iterdir()} == {
        "accompaniment.mid",
        "chart.txt",
    }


def test_when_the_power_goes_all_that_was_added_is_there(take, tmp_path):
    for count, report in enumerate(reports(PLAYED), 1):
        take.add([report], CHANGES if count == 1 else [])
        left = tmp_path / f"left-{count}.mid"
        shutil.copy(take.folder / "playing.mid", left)
        sounded = [
            (tick, 9 if part is Part.DRUMS else part, key, value if kind == ON else 0)
            for tick, kind, part, key, value in PLAYED[:count]
            if part is not Part.CLICK and kind != CONTROL
        ]
        assert notes_in(left) == sounded
    (track,) = mido.MidiFile(left).tracks
    kinds = [message.type for message in track]
    assert kinds[:4] == ["time_signature", "set_tempo", *["program_change"] * 2]
    assert kinds[-1] == "end_of_track"
    assert [m.text for m in track if m.type == "marker"] == ["C:maj", "F:maj"]
    chart = (take.folder / "chart.txt").read_text().splitlines()
    assert [line.split("\t")[2] for line in chart[1:]] == ["C:maj", "F:maj", "N"]
    with take:
        pass


def test_a_file_goes_on_where_the_clock_begins_anew(tmp_path):
    file = GrowingMidi(tmp_path / "a.mid", jump_ticks=7680)
    ticks = (0, 9600, 9000, 9700, 0, 960, 20_000)
    for number, tick in enumerate(ticks):
        file.add([(tick, bytes((ON, 40 + number, 80)))])
    file.close()
    # A little late is now; a song that begins anew follows the one before.
    found = [tick for tick, *_ in notes_in(tmp_path / "a.mid")]
    assert found == [0, 9600, 9600, 9700, 9700, 10_660, 29_700]


def test_takes_are_numbered(tmp_path):
    for number in (1, 2, 3):
        with Take(tmp_path, FOUR, lambda: STEADY, SOUNDS) as take:
            assert take.folder.name == f"take-00{number}"


def test_a_folder_that_is_full_is_an_error(tmp_path):
    for number in range(1, 1000):
        (tmp_path / f"take-{number:03d}").mkdir()
    with pytest.raises(ConfigError, match="999 takes are there"):
        Take(tmp_path, FOUR, lambda: STEADY, SOUNDS)
