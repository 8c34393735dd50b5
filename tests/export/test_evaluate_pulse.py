import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from export.evaluate_pulse import ROWS, follow, main, start_of
from export.pulse_rivals import Start
from export.pulse_songs import SOURCES, read_timed_songs
from export.songs import LEADSHEET_FILES
from jackcomp.ear.pulse_tables import load_pulse_tables
from jackcomp.pacing import FREEZE_SECONDS


@pytest.fixture(scope="module")
def song():
    (found,) = read_timed_songs(LEADSHEET_FILES[:1], "valid", "wjazzd", limit=1)
    return found


def first_notes(song, count):
    return replace(
        song,
        onsets=song.onsets[:count],
        notes=song.notes[:count],
        velocities=song.velocities[:count],
    )


def test_what_is_known_at_the_start_is_as_near_as_the_settings_say(song):
    beats = song.scored_beats()
    mean = (beats[-1] - beats[0]) / (len(beats) - 1)
    assert start_of(song, "no_prior") == Start(None, None)
    assert start_of(song, "prior").period == pytest.approx(mean, rel=0.101)
    assert start_of(song, "prior").beat is None
    assert start_of(song, "prior") == start_of(song, "comb")
    counted = start_of(song, "count_in")
    assert np.abs(song.beats - counted.beat).min() <= 0.02
    assert counted.beat <= song.onsets[0] + 0.02
    assert start_of(song, "random_phase").period == pytest.approx(mean)


@pytest.mark.slow
def test_what_comes_later_changes_no_settled_beat(song):
    tables = load_pulse_tables()
    start = start_of(song, "prior")
    short = first_notes(song, 60)
    later = song.onsets.copy()
    later[60:] += 0.07
    longer = replace(song, onsets=later)
    settled = later[60] + FREEZE_SECONDS
    one, two = (
        [beat.seconds for beat in follow(each, start, tables).beats]
        for each in (short, longer)
    )
    one, two = ([t for t in beats if t <= settled] for beats in (one, two))
    assert len(one) > 5
    assert one == two[: len(one)]


@pytest.mark.slow
def test_a_planted_look_ahead_is_found(song):
    tables = load_pulse_tables()
    early = replace(song, onsets=song.onsets - 0.6)
    other = song.onsets.copy()
    other[60:] += 0.1
    moved = replace(song, onsets=other - 0.6)
    settled = song.onsets[60] + FREEZE_SECONDS
    one, two = (
        [
            b.seconds
            for b in follow(each, Start(0.5), tables).beats
            if b.seconds <= settled
        ]
        for each in (early, moved)
    )
    assert one != two


@pytest.mark.slow
def test_the_report_keeps_the_contract(tmp_path, capsys):
    target = tmp_path / "report.json"
    arguments = ["--split", "valid", "--limit", "8", "--json", str(target)]
    assert main(arguments) == 0
    report = json.loads(target.read_text(encoding="utf-8"))
    assert tuple(report["rows"]) == ROWS
    measures = {
        *("f", "cmlc", "cmlt", "amlc", "amlt", "in_phase", "tempo4", "tempo4_octave"),
        *("kept", "phase_ms_p50", "phase_ms_p90", "lock_s"),
    }
    for row in report["rows"].values():
        assert {"overall", *SOURCES} == set(row)
        assert measures <= set(row["overall"])
    assert report["songs"] == 8
    assert report["settings"]["split"] == "valid"
    assert set(report["decision_ms"]) == {"p50", "p99", "max"}
    assert "wjazzd" in capsys.readouterr().out


def test_a_mistake_is_one_line(capsys):
    assert main(["nowhere.jsonl"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_measuring_needs_no_torch():
    code = (
        "import sys, export.evaluate_pulse, export.pulse_lessons; "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
