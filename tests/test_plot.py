from itertools import pairwise
from pathlib import Path

import pytest

from jackcomp.errors import ConfigError
from jackcomp.plot import (
    ACCOMPANIMENT_COLOUR,
    SOLO_COLOUR,
    DrawnNote,
    Performance,
    check_picture,
    draw_performance,
    split_rows,
)
from jackcomp.timeline.meter import Meter

BAR = Meter(4, 4).bar_ticks


def performance(bars: int, **more: object) -> Performance:
    given = {
        "title": "a $title_with$ mathematics",
        "meter": Meter(4, 4),
        "solo": [DrawnNote(bar * BAR, bar * BAR + 1920, 72) for bar in range(bars)],
        "accompaniment": [DrawnNote(0, bars * BAR, 48)],
        "chords": [(bar * BAR, f"C:maj{bar}") for bar in range(bars)],
        "keys": [(0, "C"), (BAR, "C")],
        "seconds": lambda tick: tick / 3840,
    }
    return Performance(**(given | more))


def test_the_picture_shows_both_colours_and_every_name(tmp_path):
    # As text, so that what is drawn can be read.
    path = tmp_path / "a.svg"
    draw_performance(path, performance(40))
    text = path.read_text()
    assert SOLO_COLOUR.lower() in text
    assert ACCOMPANIMENT_COLOUR.lower() in text
    for bar in range(40):
        assert f"<!-- C:maj{bar} -->" in text
    # Once a row, though every chord carries it.
    assert text.count("<!-- C -->") == 3
    assert "<!-- a $title_with$ mathematics -->" in text


@pytest.mark.parametrize(("bars", "size"), [(16, (1600, 700)), (33, (1600, 700))])
def test_usual_pieces_fit_1600_by_700(bars, size, tmp_path):
    path = tmp_path / "a.png"
    draw_performance(path, performance(bars))
    header = path.read_bytes()[:24]
    assert header[1:4] == b"PNG"
    assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == size


def test_nothing_played_is_drawn_too(tmp_path):
    empty = performance(0, solo=[], accompaniment=[], chords=[], keys=[], seconds=None)
    draw_performance(tmp_path / "a.png", empty)


@pytest.mark.parametrize("bars", [1, 16, 17, 18, 35, 100])
def test_rows_are_whole_bars_and_leave_nothing_out(bars):
    pickup = [DrawnNote(-960, 0, 60)]
    rows = split_rows(performance(bars, solo=pickup))
    assert rows[0][0] == -BAR
    assert rows[-1][0] < bars * BAR <= rows[-1][1]
    assert all(end == start for (_, end), (start, _) in pairwise(rows))
    assert len({end - start for start, end in rows}) == 1


def test_the_name_of_a_picture_is_checked_beforehand(tmp_path):
    check_picture(tmp_path / "a.png")
    with pytest.raises(ConfigError, match=r"'a.bmp': expected .* \.png or \.svg"):
        check_picture(Path("a.bmp"))
