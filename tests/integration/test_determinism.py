"""DESIGN's causality rule: the same solo and seed give the same music, to the bit."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from jackcomp import app
from jackcomp.config import load_settings

pytestmark = [pytest.mark.synth, pytest.mark.slow]

BPM = 100
PERIODS = (64, 128, 256, 1024)
ANTICIPATED = 4
"""The note of the solo that is moved."""

SOLO = [
    *((0, 1, 60, 0), (1, 1, 64, 0), (2, 1, 67, 0), (3, 1, 72, 0)),
    *((4, 2, 69, 30), (6, 1, 72, 0), (7, 1, 77, 0)),
    *((8, 1, 74, 55), (9, 1, 71, 0), (10, 2, 67, 0)),
    *((12, 2, 64, 1), (14, 1, 67, 0), (15, 1, 72, 0)),
    *((16, 1, 65, 25), (17, 1, 69, 0), (18, 2, 74, 0)),
    *((20, 2, 71, 45), (22, 1, 74, 0), (23, 1, 79, 0)),
    (24, 4, 76, 60),
]
"""C F G C, D minor, G, C; most bar lines are anticipated, by 1 to 60 ms."""


@dataclass(frozen=True)
class Files:
    """What a render has written."""

    wav: bytes
    midi: bytes
    chart: str
    explain: str


@pytest.fixture(scope="module")
def solo_files(tmp_path_factory, write_solo):
    """Give the solo, and the same with one note 50 ms earlier."""
    folder = tmp_path_factory.mktemp("solos")
    start, length, note, early_ms = SOLO[ANTICIPATED]
    moved = list(SOLO)
    moved[ANTICIPATED] = (start, length, note, early_ms + 50)
    return (
        write_solo(folder / "solo.mid", SOLO, bpm=BPM),
        write_solo(folder / "moved.mid", moved, bpm=BPM),
    )


def render(folder: Path, solo: Path, period: int = 256, **flags: str) -> Files:
    paths = {
        kind: folder / f"{solo.stem}-{period}.{kind}"
        for kind in ("wav", "midi", "chart", "explain")
    }
    settings = load_settings({"end_after": "1", **flags}, environment={})
    app.render(settings, app.RenderJob(solo, **paths, period=period))
    return Files(
        *(paths[kind].read_bytes() for kind in ("wav", "midi")),
        *(paths[kind].read_text() for kind in ("chart", "explain")),
    )


@pytest.fixture(scope="module")
def reference(solo_files, tmp_path_factory):
    return render(tmp_path_factory.mktemp("reference"), solo_files[0])


@pytest.mark.parametrize("period", PERIODS)
def test_every_period_gives_the_same_bytes(period, solo_files, reference, tmp_path):
    assert render(tmp_path, solo_files[0], period) == reference


def test_at_least_one_chord_is_mended(reference):
    records = [json.loads(line) for line in reference.explain.splitlines()]
    mended = {
        record["tick"]
        for record in records
        if record["moment"] == "inside"
        and record["before"] not in (None, record["after"])
    }
    assert mended
    # And the chart says so, at places that are no half-bar.
    places = [line.split("\t")[0] for line in reference.chart.splitlines()[1:]]
    assert len([p for p in places if not p.endswith((":1", ":3"))]) >= len(mended)


def test_one_note_50_ms_earlier_changes_the_chart(solo_files, reference, tmp_path):
    moved = render(tmp_path, solo_files[1])
    assert moved.chart != reference.chart
    assert moved.midi != reference.midi
    # Nothing before that note can have known.
    first = SOLO[ANTICIPATED][0] * 60 / BPM - 0.1
    assert until(first, moved.chart) == until(first, reference.chart)


def until(seconds, chart):
    lines = [line.split("\t") for line in chart.splitlines()[1:]]
    return [line for line in lines if float(line[1]) < seconds]


def test_a_seed_changes_how_it_is_played_but_not_what(solo_files, reference, tmp_path):
    seeded = render(tmp_path, solo_files[0], seed="1")
    assert seeded.chart == reference.chart
    assert seeded.midi != reference.midi
    assert seeded == render(tmp_path, solo_files[0], seed="1")


def test_a_followed_player_is_met_and_every_period_gives_the_same_bytes(
    solo_files, tmp_path
):
    # He was told 106, and plays 100.
    follow = {"follow_tempo": "true", "bpm": "106"}
    renders = [render(tmp_path, solo_files[0], period, **follow) for period in PERIODS]
    assert all(each == renders[0] for each in renders)
    last_change = renders[0].chart.splitlines()[-1].split("\t")
    bar, _, beat = last_change[0].partition(":")
    beats = 4 * (int(bar) - 1) + float(beat) - 1
    assert float(last_change[1]) == pytest.approx(beats * 60 / BPM, abs=0.15)
    fixed = render(tmp_path, solo_files[0], 1024, bpm="106")
    assert fixed.chart != renders[0].chart


def test_without_an_ending_every_period_gives_the_same_bytes_too(solo_files, tmp_path):
    endless = [
        render(tmp_path, solo_files[0], period, end_after="0") for period in (64, 1024)
    ]
    assert endless[0] == endless[1]
