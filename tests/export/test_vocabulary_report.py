import pytest

from export.songs import LEADSHEET_FILES, read_songs
from export.vocabulary_report import HOW, classify, report


@pytest.mark.parametrize(
    ("label", "how"),
    [
        *(("N", "exact"), ("G:sus4(b7)", "exact"), ("A:min7/b3", "exact")),
        *(("G:7(b9)", "plainer"), ("G:7(#9)", "plainer"), ("C:13", "plainer")),
        *(("C:maj7(#11)", "plainer"), ("G:7(b13)", "plainer"), ("A:min(9)", "plainer")),
        *(("C:5", "completed"), ("C:1", "completed")),
        *(("C:minmaj7", "lost"), ("G:sus2(b7)", "lost"), ("G:7(*5,b5)", "lost")),
        ("G:aug(b7)", "lost"),
    ],
)
def test_labels_are_sorted_by_what_becomes_of_them(label, how):
    assert classify(label) == how


def test_shares_of_a_source_add_up():
    found = report(read_songs(LEADSHEET_FILES, "valid", limit=30))
    assert {"overall", "pop909", "nottingham"} <= set(found["rows"])
    for row in found["rows"].values():
        assert sum(row[how] for how in HOW) == pytest.approx(1)
    assert found["rows"]["nottingham"]["exact"] > 0.99
    assert all(merge["share"] > 0 for merge in found["merges"])
