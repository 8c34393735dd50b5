import itertools
from importlib import resources

import pytest

from demo.write_solo import BARS, SOLO, build_solo
from jackcomp.solo import read_solo
from jackcomp.timeline.clock import Anchor, Timeline
from jackcomp.timeline.meter import Meter


@pytest.fixture(scope="module")
def solo():
    return read_solo(SOLO)


def note_ons(solo):
    return [(tick, data) for tick, data in solo.messages if data[0] == 0x90]


def test_the_file_is_what_the_script_writes(tmp_path):
    build_solo().save(tmp_path / "again.mid")
    assert (tmp_path / "again.mid").read_bytes() == SOLO.read_bytes()


def test_the_file_travels_in_the_package():
    bundled = resources.files("jackcomp.assets") / SOLO.name
    assert bundled.read_bytes() == SOLO.read_bytes()


def test_every_bar_is_full():
    for bar in BARS:
        assert sum(int(item.split(":")[1]) for item in bar.notes.split()) == 8


def test_it_says_title_tempo_and_meter(solo):
    assert solo.title == "Auld Lang Syne"
    assert solo.tempos == ((0, 750_000_000),)
    assert solo.meters == ((0, Meter(4, 4)),)


def test_it_lasts_45_to_70_seconds(solo):
    timeline = Timeline.from_anchor(Anchor(0, 0, solo.tempos[0][1], 48_000))
    first, _ = note_ons(solo)[0]
    assert 45 <= timeline.seconds(solo.end_tick) - timeline.seconds(first) <= 70


def test_the_soloist_comes_before_some_bar_lines_like_a_human(solo):
    bar, ticks_per_ms = solo.meters[0][1].bar_ticks, 1920 / 750
    early_ms = [
        (-tick % bar) / ticks_per_ms
        for tick, _ in note_ons(solo)
        if 0 < -tick % bar <= 70 * ticks_per_ms
    ]
    assert len(early_ms) >= 6
    assert all(0.5 <= ms <= 60.5 for ms in early_ms)
    assert max(early_ms) > 45 > 20 > min(early_ms)


def test_it_is_one_voice_with_dynamics(solo):
    sounding = list(
        itertools.accumulate(1 if d[0] == 0x90 else -1 for _, d in solo.messages)
    )
    assert set(sounding) == {0, 1}
    velocities = [data[2] for _, data in note_ons(solo)]
    assert max(velocities) - min(velocities) >= 30
    assert max(velocities) <= 115


def test_where_the_melody_is_from_is_written_down():
    import jackcomp.assets

    about = " ".join(jackcomp.assets.__doc__.split())
    assert "1799" in about
    assert "public domain" in about
