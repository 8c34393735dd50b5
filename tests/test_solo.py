import struct
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jackcomp.errors import ConfigError
from jackcomp.solo import read_solo
from jackcomp.timeline.meter import Meter


def note(kind: str, pitch: int, time: int, channel: int = 0) -> mido.Message:
    velocity = 90 if kind == "note_on" else 0
    return mido.Message(kind, note=pitch, velocity=velocity, time=time, channel=channel)


def save(folder: Path, *tracks: list, division: int = 480, kind: int = 1) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=division)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    path = folder / "solo.mid"
    file.save(path)
    return path


def one_note() -> list:
    return [note("note_on", 60, 0), note("note_off", 60, 480)]


def track_bytes(*events: bytes) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + body


def file_bytes(kind: int, division: int, *tracks: bytes) -> bytes:
    return (
        b"MThd"
        + struct.pack(">IhhH", 6, kind, len(tracks), division)
        + b"".join(tracks)
    )


ONE_NOTE = track_bytes(b"\x00\x90\x3c\x40", b"\x60\x80\x3c\x40")


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_solo(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tracks_are_merged_and_drums_left_out(tmp_path):
    conductor = [
        mido.MetaMessage("track_name", name=" Greensleeves\x07"),
        mido.MetaMessage("set_tempo", tempo=600_000),
        mido.MetaMessage("time_signature", numerator=6, denominator=8),
        mido.MetaMessage("set_tempo", tempo=400_000, time=960),
    ]
    solo = [
        mido.Message("program_change", program=40),
        mido.Message("control_change", control=64, value=127),
        note("note_on", 60, 240, channel=3),
        mido.Message("pitchwheel", pitch=100, channel=3),
        note("note_on", 60, 240, channel=3),
        mido.Message("sysex", data=(1, 2)),
    ]
    solo[4] = solo[4].copy(velocity=0)
    drums = [note("note_on", 36, 0, channel=9), note("note_off", 36, 4800, channel=9)]
    found = read_solo(save(tmp_path, conductor, solo, drums))
    assert found.messages == (
        (0, b"\xb0\x40\x7f"),
        (960, b"\x93\x3c\x5a"),
        (960, b"\xe3\x64\x40"),
        (1920, b"\x93\x3c\x00"),
    )
    assert found.tempos == ((0, 600_000_000), (3840, 400_000_000))
    assert found.meters == ((0, Meter(6, 8)),)
    assert found.end_tick == 1920
    assert found.title == "Greensleeves"


@pytest.mark.parametrize(("rest", "end"), [(0, 3 * 1920), (4, 6 * 1920)])
def test_what_is_never_released_ends_with_the_file(tmp_path, rest, end):
    struck = [note("note_on", 60, 0), note("note_on", 64, 480)]
    again = [note("note_off", 60, 0), note("note_on", 60, 480)]
    last = mido.MetaMessage("end_of_track", time=rest * 480)
    solo = read_solo(save(tmp_path, [*struck, *again, last]))
    assert list(solo.messages[4:]) == [(end, b"\x80\x40\x00"), (end, b"\x80\x3c\x00")]
    assert solo.end_tick == end


def test_a_silent_file_has_120_bpm_four_four_and_its_own_name(tmp_path):
    found = read_solo(save(tmp_path, one_note(), kind=0))
    assert found.tempos == ((0, 500_000_000),)
    assert found.meters == ((0, Meter(4, 4)),)
    assert found.title == "solo"


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=50), st.integers(1, 32767))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ticks_are_rounded_once_from_the_start(tmp_path, deltas, division):
    track = [note("note_on", 60, delta) for delta in deltas]
    found = read_solo(save(tmp_path, track, division=division))
    for index, (tick, _) in enumerate(found.messages[: len(deltas)]):
        position = sum(deltas[: index + 1])
        assert abs(tick * division - position * 1920) * 2 <= division


def test_what_is_no_solo_is_refused_in_one_line(tmp_path):
    path = tmp_path / "solo.mid"
    assert "cannot read MIDI file" in refusal(path)
    for content, message in (
        (b"", "is empty"),
        (b"RIFF....", "is not a MIDI file"),
        (file_bytes(2, 480, ONE_NOTE), "is of type 2: expected type 0 or 1"),
        (file_bytes(1, 0xE728, ONE_NOTE), "counts SMPTE frames"),
        (file_bytes(1, 480, ONE_NOTE)[:-6], "is truncated after"),
        (file_bytes(1, 480, track_bytes()), "has no notes outside channel 10"),
        (
            file_bytes(1, 480, track_bytes(b"\x00\x99\x3c\x40")),
            "has no notes outside channel 10",
        ),
        (
            file_bytes(1, 480, track_bytes(b"\x00\xff\x51\x03\0\0\0"), ONE_NOTE),
            "a quarter of 0 microseconds",
        ),
        (
            file_bytes(
                1, 480, track_bytes(b"\x00\xff\x58\x04\0\x02\x18\x08"), ONE_NOTE
            ),
            "0 beats in a bar",
        ),
        (
            file_bytes(1, 1, track_bytes(b"\xff\xff\xff\x7f\x90\x3c\x40")),
            "is longer than 100000 quarters",
        ),
    ):
        path.write_bytes(content)
        assert message in refusal(path)
    path.unlink()
    path.mkdir()
    assert "is not a MIDI file but a folder" in refusal(path)


def test_every_truncation_is_refused(tmp_path):
    path = save(tmp_path, [mido.MetaMessage("set_tempo", tempo=500_000)], one_note())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)


@given(st.data())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damage_is_read_or_refused_but_never_a_crash(tmp_path, data):
    meta = [
        mido.MetaMessage("key_signature", key="Bb"),
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        mido.MetaMessage("smpte_offset"),
        mido.Message("sysex", data=(1, 2, 3)),
    ]
    path = save(tmp_path, meta, one_note())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(4, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        line = read_solo(path).title
    except ConfigError as error:
        line = str(error)
    assert "\n" not in line
