import json
from itertools import pairwise

import mido
import numpy as np
import pytest
import soundfile

from jackcomp import rendering
from jackcomp.config import Settings
from jackcomp.errors import JackcompError
from jackcomp.explaining import read_page
from jackcomp.plot import DrawnNote
from jackcomp.rendering import RenderJob, drawn_solo, perform, render
from jackcomp.solo import read_solo
from jackcomp.timeline.meter import parse_meter

SETTINGS = Settings(style="block", end_after=1)
MELODY = [
    *((0, 2, 60, 0), (2, 1, 64, 0), (3, 1, 67, 0)),
    *((4, 2, 69, 30), (6, 2, 65, 0)),
    *((8, 4, 64, 20),),
]


@pytest.fixture
def solo(tmp_path, write_solo):
    return write_solo(tmp_path / "solo.mid", MELODY, bpm=150)


def performed(solo_file, settings=SETTINGS, rate=48_000, period=256):
    """Perform without sound; give the result and the timeline."""
    solo = read_solo(solo_file)
    timeline = rendering._timeline(settings, solo, rate)
    meter = settings.meter or solo.meters[0][1]
    result = perform(settings, solo, meter, timeline, period=period, soundfont=None)
    return result, timeline


def test_all_files_are_written_and_nothing_else(solo, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    names = {"wav": "a.wav", "midi": "a.mid", "chart": "a.txt"}
    names |= {"plot": "a.png", "explain": "a.jsonl"}
    job = RenderJob(solo, **{key: folder / name for key, name in names.items()})
    render(SETTINGS, job)
    assert {path.name for path in folder.iterdir()} == set(names.values())
    assert all(path.stat().st_size > 50 for path in job.paths())
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    title = mido.MidiFile(folder / "a.mid").tracks[0].name
    assert title == "jackcomp"


def test_nothing_is_left_when_it_goes_wrong_half_way(solo, tmp_path, monkeypatch):
    def fail(*_arguments, **_settings):
        raise JackcompError("half way")

    monkeypatch.setattr(rendering.performance, "chart_text", fail)
    job = RenderJob(solo, wav=tmp_path / "a.wav", chart=tmp_path / "a.txt")
    with pytest.raises(JackcompError, match="half way"):
        render(SETTINGS, job)
    assert list(tmp_path.iterdir()) == [solo]


def test_what_is_played_is_in_the_frames_of_the_tempo_map(tmp_path):
    track = mido.MidiTrack()
    for tempo, note in ((500_000, 60), (311_111, 65), (700_001, 67), (400_000, 60)):
        track.append(mido.MetaMessage("set_tempo", tempo=tempo))
        track.append(mido.Message("note_on", note=note, velocity=80))
        track.append(mido.Message("note_off", note=note, time=4 * 96))
    path = tmp_path / "rubato.mid"
    mido.MidiFile(type=0, ticks_per_beat=96, tracks=[track]).save(path)
    result, timeline = performed(path, rate=44_100)
    assert len(timeline.anchors) == 4
    notes = [r for r in result.played if r.status & 0xE0 == 0x80]
    assert len(notes) > 40
    assert all(timeline.tick_to_frame(note.tick) == note.frame for note in notes)


def test_every_note_that_begins_also_ends(solo):
    played = performed(solo)[0].played
    sounding = set()
    for report in played:
        key = report.part, report.key
        if report.status & 0xF0 == 0x90:
            assert key not in sounding
            sounding.add(key)
        elif report.status & 0xF0 == 0x80:
            sounding.remove(key)
    assert played
    assert not sounding


def test_the_tempo_that_is_asked_for_goes_before_the_solo_s_own(solo):
    slow = Settings(style="block", end_after=1, bpm=75.0)
    own, _ = performed(solo)
    asked, timeline = performed(solo, slow)
    assert len(timeline.anchors) == 1
    assert own.accompanist.end_tick == asked.accompanist.end_tick
    tail = rendering.TAIL_SECONDS * 48_000
    assert asked.frames - tail == pytest.approx(2 * (own.frames - tail), abs=2)


def test_the_meter_that_is_asked_for_goes_before_the_solo_s_own(tmp_path, write_solo):
    held = (8, 4, 62, 20)  # no note to end on before it is let go
    waltz = write_solo(tmp_path / "solo.mid", [*MELODY[:-1], held], meter=(3, 4))
    four = Settings(style="block", end_after=1, meter=parse_meter("4/4"))
    # The last note ends just before tick 23040, which is a bar line in both.
    assert performed(waltz)[0].accompanist.end_tick == 23_040 + 5760
    assert performed(waltz, four)[0].accompanist.end_tick == 23_040 + 7680


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_it_lasts_to_the_end_of_the_ending_and_its_tail_at_any_period(solo, rate):
    lengths = set()
    for period in (64, 1024):
        result, timeline = performed(solo, rate=rate, period=period)
        end = timeline.tick_to_frame(result.accompanist.end_tick)
        assert result.frames == end + rendering.TAIL_SECONDS * rate
        lengths.add(result.frames)
    assert len(lengths) == 1


def test_without_an_ending_all_ends_with_the_solo_at_any_period(solo):
    endless = Settings(style="block", end_after=0)
    played = []
    for period in (64, 1000, 1024):
        result, timeline = performed(solo, endless, period=period)
        assert result.frames == timeline.tick_to_frame(read_solo(solo).end_tick)
        played.append(result.played)
    assert played[0] == played[1] == played[2]
    assert max(report.frame for report in played[0]) == result.frames


def test_one_who_is_followed_is_met_alike_at_any_period_of_which_two_fit_in_the_lead(
    solo,
):
    followed = Settings(
        style="block", end_after=1, bpm=140.0, follow_tempo=True, lead_ms=500.0
    )
    short, long = (performed(solo, followed, period=p)[0] for p in (64, 8192))
    assert short.played == long.played
    assert len(short.timeline.anchors) > 4


def test_each_decision_is_explained_in_a_line(solo, tmp_path):
    path = tmp_path / "a.jsonl"
    render(SETTINGS, RenderJob(solo, explain=path))
    records = [json.loads(line) for line in path.read_text().splitlines()]
    fields = {"tick", "cutoff", "moment", "before", "after", "ear", "brain", "pool"}
    fields |= {"key", "keys", "confidence", "notes", "slack_ms", "position"}
    fields |= {"tables", "memory", "memory_trust", "memory_step"}
    assert len(records) > 5
    for record in records:
        assert fields <= set(record)
        assert record["slack_ms"] == pytest.approx(SETTINGS.lead_ms, abs=0.5)
        assert record["tick"] > record["cutoff"]
        for who in ("ear", "tables", "brain", "pool"):
            chances = [chance for _, chance in record[who]]
            assert len(chances) == 5
            assert chances == sorted(chances, reverse=True)
    assert all(one["tick"] < other["tick"] for one, other in pairwise(records))
    assert records[0]["before"] is None
    page = read_page(path, all_of_them=True)
    assert f"{len(records)} of {len(records)} decisions" in page


@pytest.mark.synth
def test_the_click_is_in_the_mix_only_when_asked_for(solo, tmp_path):
    sounds = {}
    for click in (False, True):
        path = tmp_path / f"{click}.wav"
        job = RenderJob(solo, wav=path, midi=tmp_path / f"{click}.mid")
        render(Settings(style="block", end_after=1, click=click), job)
        sounds[click], rate = soundfile.read(path)
        assert rate == 48_000
        assert sounds[click].shape[1] == 2
    files = [(tmp_path / f"{click}.mid").read_bytes() for click in (False, True)]
    assert files[0] == files[1]
    clicks = np.abs(sounds[True] - sounds[False]).max(axis=1)
    assert clicks.max() > 0.05
    # Beats are 0.4 s apart; between two of them the click is over.
    assert clicks[14_400:19_200].max() < 0.02


@pytest.mark.synth
def test_soloist_and_accompaniment_are_both_in_the_mix(solo, tmp_path):
    def level(**values):
        path = tmp_path / "a.wav"
        render(
            Settings(style="block", end_after=1, **values), RenderJob(solo, wav=path)
        )
        sound, _ = soundfile.read(path)
        return float(np.abs(sound).max())

    assert level(gain=0.0) > 0.05
    assert level(solo=False) > 0.05
    assert level(gain=0.0, solo=False) == 0.0


def test_the_mix_is_clipped_and_has_the_click_if_wanted():
    ports = np.zeros((5, 3), np.float32)
    ports[0], ports[2], ports[4] = 0.75, 0.5, -0.5
    ports[1, 1] = -0.25
    assert rendering._mix(ports, click=False).tolist() == [
        [1, 0],
        [1, -0.25],
        [1, 0],
    ]
    assert rendering._mix(ports, click=True)[0].tolist() == [0.75, -0.5]


def test_the_solo_is_drawn_note_by_note():
    messages = [
        (0, bytes((0x90, 60, 80))),
        (50, bytes((0xB0, 64, 127))),
        (100, bytes((0x91, 60, 70))),
        (150, bytes((0x90, 64, 70))),
        (200, bytes((0x80, 60, 0))),
        (300, bytes((0x90, 64, 0))),
        (400, bytes((0x80, 64, 0))),
    ]
    assert drawn_solo(messages) == [
        DrawnNote(0, 100, 60),
        DrawnNote(100, 200, 60),
        DrawnNote(150, 300, 64),
    ]
