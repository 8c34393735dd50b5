import pytest

from export.evaluate_plots import draw
from export.songs import LEADSHEET_FILES, read_songs

PNG = b"\x89PNG\r\n\x1a\n"
REPORT = {
    "rows": {"human": {}},
    "reliability": {
        "confidence": {"2": 0.25, "5": 0.55},
        "right": {"2": 0.3, "5": 0.5},
    },
    "by_position": {
        "system": {"0": 0.3, "1": 0.4},
        "no_memory": {"0": 0.3, "1": 0.35},
    },
}
NOTHING = {"confidence": {}, "right": {}}


def test_what_has_figures_is_drawn(tmp_path):
    draw(REPORT, [], tmp_path / "plots")
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {"reliability.png", "position.png"}
    for path in (tmp_path / "plots").iterdir():
        assert path.read_bytes().startswith(PNG)


def test_what_has_none_is_left_out(tmp_path):
    draw(REPORT | {"reliability": NOTHING, "by_position": {}}, [], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_one_song_is_drawn_beside_its_annotation(tmp_path):
    songs = read_songs(LEADSHEET_FILES, "valid", "nottingham", 1)
    report = {"rows": {"system": {}}, "reliability": NOTHING, "by_position": {}}
    draw(report, songs, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["timeline.png"]
