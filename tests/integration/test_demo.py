import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from demo.chart import Change, bar_chords, read_chart
from demo.checks import check_take
from demo.duet import SUFFIXES, play_duet
from demo.notes import hanging_notes
from demo.processes import Child, DemoError
from demo.progress import Progress
from demo.recorder import Tape
from demo.score import read_score
from demo.server import some_server
from demo.summary import summary
from demo.write_solo import build_solo
from jackcomp.timeline.meter import Meter, parse_meter

ROOT = Path(__file__).parents[2]
COMMON_TIME = parse_meter("4/4")
UPBEAT_AND_FOUR_BARS = 5
QUARTER_US = 500_000

jack = pytest.mark.jack
synth = pytest.mark.synth
slow = pytest.mark.slow


def processes_with(text):
    """Command lines of the processes that have this text in theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found


# ---- a whole duet, shorter and faster than the bundled one ----


@pytest.fixture(scope="module")
def duet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("duet")
    solo = folder / "solo.mid"
    build_solo(UPBEAT_AND_FOUR_BARS, QUARTER_US).save(solo)
    shown = []
    take = play_duet(solo, folder / "out", shown.append, private=True)
    return take, "".join(shown)


@pytest.fixture
def take(duet):
    return duet[0]


@jack
@synth
@slow
class TestDuet:
    def test_four_files_are_left_and_nothing_else(self, take):
        folder = take.wav.parent
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            f"demo{suffix}" for suffix in SUFFIXES
        )
        assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / "demo.txt").read_text().startswith("# bar:beat\t")
        assert mido.MidiFile(folder / "demo.mid").length > 8
        assert soundfile.info(folder / "demo.wav").samplerate == take.rate

    def test_the_bars_are_shown_as_they_pass(self, duet):
        _, shown = duet
        title, *rows = shown.splitlines()
        assert title.startswith("Auld Lang Syne: 4 bars, 120 quarters a minute, on a")
        assert [row.count("|") for row in rows] == [5, 3]
        assert "Bb:maj" in shown

    def test_the_summary_has_ten_lines(self, take):
        lines = summary(take, [take.wav])
        assert len(lines) == 10
        assert lines[0].startswith("key heard      Bb")
        assert str(take.wav) in lines[-1]

    def test_it_ends_all_that_it_has_started(self, take):
        assert processes_with(f"jackcomp-demo-{os.getpid()}") == []

    def test_the_soloist_is_heard_beside_the_accompaniment(self, take):
        ratio = take.heard.solo_rms / take.heard.accompaniment_rms
        assert 0.5 < ratio < 4
        assert take.heard.peak < 1

    def test_the_wav_ends_in_silence(self, take):
        sound, rate = soundfile.read(take.wav)
        assert np.abs(sound[-rate // 10 :]).max() < 0.01

    def test_every_check_passes(self, take):
        check_take(take, least_chords=2)

    @pytest.mark.parametrize(
        ("spoil", "complaint"),
        [
            (lambda t: {"end": t.end + 1}, "the WAV has .* expected"),
            (lambda t: {"start": t.start + 500}, "begins to sound"),
            (lambda t: {"start": t.start - 5000}, "begins to sound"),
            (lambda t: {"heard": replace(t.heard, missed=60_000)}, "too busy"),
            (lambda t: {"heard": replace(t.heard, solo_rms=0.0)}, "soloist cannot"),
            (
                lambda t: {"heard": replace(t.heard, accompaniment_rms=0.0)},
                "accompaniment cannot",
            ),
            (lambda t: {"period": 2 * t.period}, "frame counter has advanced"),
            (lambda t: {"stats": t.stats[:-3]}, "the core's last frame"),
            (
                lambda t: {"heard": with_messages(t, [(9000, [0x90, 60, 1])])},
                "1 notes of the accompaniment never end",
            ),
            (
                lambda t: {
                    "heard": with_messages(t, [(9, [0x90, 60, 1]), (9, [0x80, 60, 0])])
                },
                "midi_out carried",
            ),
            (lambda t: {"heard": delayed(t, 4)}, "differ by 4 frames"),
        ],
    )
    def test_what_does_not_fit_is_found(self, take, spoil, complaint):
        with pytest.raises(DemoError, match=complaint):
            check_take(replace(take, **spoil(take)), least_chords=2)

    def test_too_few_chords_are_found(self, take):
        with pytest.raises(DemoError, match="expected 99"):
            check_take(take, least_chords=99)


def with_messages(take, more):
    return replace(take.heard, messages=[*take.heard.messages, *more])


def delayed(take, frames):
    later = [(frame + frames, data) for frame, data in take.heard.messages]
    return replace(take.heard, messages=later)


# ---- beginning and ending ----


@jack
@slow
def test_the_server_that_runs_is_used_and_left_running(tmp_path, monkeypatch):
    with some_server(tmp_path, private=True) as first:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", first.name)
        with some_server(tmp_path) as second:
            assert second.name is None
            assert second.process is None
        first.process.check()


def test_a_missing_jackd_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(DemoError, match="cannot find jackd: apt install jackd2"),
        some_server(tmp_path, private=True),
    ):
        pass


@jack
@synth
@slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_signal_ends_everything(tmp_path, number, code):
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JACK_DEFAULT_SERVER": f"nobody-{os.getpid()}",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        watchdog = threading.Timer(60, demo.kill)
        watchdog.start()
        assert demo.stdout.readline().startswith("Auld Lang Syne: 16 bars")
        mine = f"jackcomp-demo-{demo.pid}"
        assert len(processes_with(mine)) == 4
        demo.send_signal(number)
        _, errors = demo.communicate()
        watchdog.cancel()
    assert demo.returncode == code
    assert errors == ""
    assert processes_with(mine) == []
    assert list((tmp_path / "out").iterdir()) == []


@slow
def test_a_child_that_ends_too_early_says_why(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no strings')"]
    with (
        Child.running("violin", command, tmp_path) as child,
        pytest.raises(DemoError, match="violin has ended too early: no strings"),
    ):
        child.wait(60)


# ---- parts ----


@pytest.fixture
def short_solo(tmp_path):
    build_solo(2).save(tmp_path / "solo.mid")
    return tmp_path / "solo.mid"


def test_a_score_counts_from_its_first_full_bar(short_solo):
    score = read_score(short_solo)
    assert score.pickup_beats == 1
    assert score.messages[0][0] == score.first_tick == -1920
    assert score.bars == 1
    assert score.n_notes == 5
    assert score.bpm == 80


def test_the_first_note_falls_in_the_frame_that_was_asked_for(short_solo):
    score = read_score(short_solo)
    timeline = score.timeline(12_345, 48_000)
    assert timeline.tick_to_frame(score.first_tick) == 12_345
    assert timeline.tick_to_frame(0) == 12_345 + 36_000


def test_a_solo_that_changes_its_tempo_is_refused(tmp_path):
    midi = build_solo(2)
    midi.tracks[0].insert(8, mido.MetaMessage("set_tempo", tempo=400_000))
    midi.save(tmp_path / "solo.mid")
    with pytest.raises(DemoError, match="expected a steady one"):
        read_score(tmp_path / "solo.mid")


CHART = (
    "# bar:beat\tseconds\tchord\tkey\n"
    "1:1.5\t0.375\tC:maj\tC\n"
    "1:3.5\t1.875\tG:7\tC\n"
    "2:1\t3.000\tA:min\tC\n"
    "4:1\t9.000\tN\tC\n"
)


def test_a_chart_is_read_back():
    assert read_chart(CHART, COMMON_TIME)[1] == Change(2.5 * 1920, 1.875, "G:7", "C")


def test_a_line_that_is_being_written_is_left_for_later():
    assert len(read_chart(CHART[:-4], COMMON_TIME)) == 3


@pytest.mark.parametrize(
    ("bar", "chords"), [(0, "C:maj G:7"), (1, "A:min"), (2, "A:min"), (3, "N")]
)
def test_a_bar_has_the_chords_that_sound_longest_in_its_halves(bar, chords):
    assert bar_chords(read_chart(CHART, COMMON_TIME), COMMON_TIME, bar) == chords


def test_without_a_chart_no_chord_sounds():
    assert bar_chords([], Meter(3, 4), 0) == "N"


def test_progress_writes_a_bar_when_it_is_over():
    shown = []
    progress = Progress(shown.append, COMMON_TIME, bars=5)
    changes = read_chart(CHART, COMMON_TIME)
    progress.show(4 * 1920 - 1, changes)
    assert shown == []
    progress.show(4 * 1920, changes)
    assert "".join(shown) == "    1 | C:maj G:7        |"
    progress.show(99 * 1920, changes)
    assert [row[:7] for row in "".join(shown).splitlines()] == ["    1 |", "    5 |"]


def test_a_note_hangs_until_it_is_released_as_often_as_it_was_struck():
    struck, released = [0x91, 60, 80], [0x81, 60, 64]
    assert hanging_notes([struck, released]) == 0
    assert hanging_notes([struck, struck, released]) == 1
    assert hanging_notes([struck, [0x90, 60, 0]]) == 1
    assert hanging_notes([struck, [0x91, 60, 0], [0xB1, 64, 0]]) == 0


class TestTape:
    def block(self, *values):
        return [np.array(values, np.float32) + 10 * port for port in range(4)]

    def test_blocks_come_back_in_order_past_the_end_of_the_ring(self):
        tape = Tape(5)
        taken = []
        for begin in range(0, 12, 3):
            tape.write(begin, self.block(begin, begin + 1, begin + 2))
            taken += tape.take().tolist()
        assert taken == [[n, n + 10, n + 20, n + 30] for n in range(12)]
        assert tape.missed == 0

    def test_what_was_missed_is_silent_and_counted(self):
        tape = Tape(8)
        tape.write(0, self.block(1, 2))
        tape.write(4, self.block(5, 6))
        assert tape.take()[:, 0].tolist() == [1, 2, 0, 0, 5, 6]
        assert tape.missed == 2

    def test_without_room_a_block_becomes_a_gap(self):
        tape = Tape(4)
        tape.write(0, self.block(1, 2, 3))
        tape.write(3, self.block(4, 5, 6))
        assert tape.take()[:, 0].tolist() == [1, 2, 3]
        tape.write(6, self.block(7))
        assert tape.take()[:, 0].tolist() == [0, 0, 0, 7]
        assert tape.missed == 3
