import gzip
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from export.songs import (
    CORPUS_FILES,
    CORRUPT_LINES,
    KeySpan,
    MelodyNote,
    Song,
    read_songs,
)
from jackcomp.errors import ConfigError
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.key import Key
from jackcomp.theory.vocabulary import NO_CHORD_INDEX, chord_index

QUARTER = 1920


def index(label: str) -> int:
    return chord_index(parse_harte(label))


def chart(chords: list[list[Any]], **fields: Any) -> dict[str, Any]:
    return {
        "id": "test:1",
        "source": "test",
        "licence": "CC0-1.0",
        "title": None,
        "key": None,
        "keys": [],
        "tempo_bpm": None,
        "time_signature": "4/4",
        "chords": chords,
        "group": "1",
        "split": "train",
        **fields,
    }


def lead_sheet(
    chords: list[list[Any]], meter: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    return chart(chords, meter={"downbeat_offset": 0, **meter}, **fields)


def waltz(beat_unit: Any = 1, **fields: Any) -> dict[str, Any]:
    meter = {"num": 3, "den": 4, "beat_unit": beat_unit}
    return lead_sheet([[0, 3, "C:maj"]], meter, **fields)


def write(path: Path, records: list[Any]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for record in records:
            file.write(
                (record if isinstance(record, str) else json.dumps(record)) + "\n"
            )
    return path


@pytest.fixture
def read(tmp_path):
    def read_one(record: dict[str, Any]) -> Song:
        return read_songs([write(tmp_path / "songs.jsonl.gz", [record])])[0]

    return read_one


def test_a_half_bar_has_the_chord_that_sounds_longest_in_it(read):
    song = read(chart([[0, 1.5, "C:maj"], [1.5, 1.5, "G:7"], [3, 1, "F:maj"]]))
    assert [step.chord for step in song.steps()] == [index("C:maj"), index("G:7")]


def test_of_equally_long_chords_the_earlier_one_counts(read):
    song = read(chart([[0, 1, "C:maj"], [1, 1, "F:maj"], [2, 2, "G:7"]]))
    assert song.steps()[0].chord == index("C:maj")


def test_inversions_of_a_chord_add_up(read):
    song = read(
        chart([[0, 0.75, "C:maj"], [0.75, 0.5, "F:maj"], [1.25, 0.75, "C:maj/3"]])
    )
    assert song.steps()[0].chord == index("C:maj")


def test_a_pickup_lies_before_tick_zero(read):
    song = read(
        lead_sheet(
            [[0, 1, "N"], [1, 4, "D:maj"]],
            {"num": 4, "den": 4, "downbeat_offset": 1},
            melody=[[0, 1, 69, None], [1, 0.5, 74, 90]],
        )
    )
    steps = song.steps()
    assert [(step.bar, step.index, step.start) for step in steps] == [
        (-1, 1, -2 * QUARTER),
        (0, 0, 0),
        (0, 1, 2 * QUARTER),
    ]
    assert steps[0].chord == NO_CHORD_INDEX
    assert song.melody == (
        MelodyNote(-QUARTER, QUARTER, 69, None),
        MelodyNote(0, QUARTER // 2, 74, 90),
    )


@pytest.mark.parametrize(
    ("meter", "lengths"),
    [("3/4", [3, 3]), ("6/8", [3, 3]), ("12/8", [3, 3]), ("5/4", [3, 2, 1])],
)
def test_the_grid_follows_the_meter(read, meter, lengths):
    song = read(chart([[0, 6, "C:maj"]], time_signature=meter))
    ends = [min(step.end, 6 * QUARTER) - step.start for step in song.steps()]
    assert ends == [length * QUARTER for length in lengths]


def test_odd_bars_repeat_or_cut_the_steps_of_the_meter(read):
    meter = {"num": 4, "den": 4, "downbeats": [0, 3, 9, 13]}
    steps = read(lead_sheet([[0, 17, "C:maj"]], meter)).steps()
    assert [(step.bar, step.index) for step in steps[:5]] == [
        *((0, 0), (0, 1)),
        *((1, 0), (1, 1), (1, 0)),
    ]
    assert [(step.end - step.start) / QUARTER for step in steps[:3]] == [2, 1, 2]
    assert steps[-1].end == 17 * QUARTER


def test_a_change_of_meter_starts_a_bar(read):
    meter = {"num": 4, "den": 4, "changes": [[0, 4, 4], [4, 3, 4]]}
    song = read(lead_sheet([[0, 10, "C:maj"]], meter))
    assert [bar.meter.numerator for bar in song.bars] == [4, 3, 3]
    assert [step.end / QUARTER for step in song.steps()] == [2, 4, 7, 10]


def test_a_dotted_beat_is_three_eighths(read):
    song = read(
        lead_sheet(
            [[0, 4, "C:maj"]], {"num": 12, "den": 8, "beat_unit": 1.5}, tempo_bpm=60
        )
    )
    assert song.spans[0].end == song.meter.bar_ticks
    assert song.quarters_per_minute == 90
    assert len(song.steps()) == 2


def test_keys_are_major_or_minor_or_unknown(read):
    song = read(
        chart(
            [[0, 4, "C:maj"]],
            key={"tonic": 9, "mode": "minor"},
            keys=[[0, 9, "minor"], [2, 2, "dorian"]],
        )
    )
    assert song.key == Key(9, "minor")
    assert song.keys == (KeySpan(0, Key(9, "minor")), KeySpan(2 * QUARTER, None))


def test_songs_are_chosen_by_split_source_and_limit(tmp_path):
    records = [
        chart(
            [[0, 4, "C:maj"]],
            id=f"song:{number}",
            split="valid" if number % 2 else "train",
            source="a" if number < 6 else "b",
        )
        for number in range(12)
    ]
    path = write(tmp_path / "songs.jsonl.gz", records)

    def chosen(**choice: Any) -> list[int]:
        return [int(song.id.split(":")[1]) for song in read_songs([path], **choice)]

    assert len(chosen()) == 12
    assert chosen(split="valid") == [1, 3, 5, 7, 9, 11]
    assert chosen(split="valid", source="b") == [7, 9, 11]
    assert chosen(limit=3) == [0, 4, 8]
    with pytest.raises(ConfigError, match="unknown split 'tset': use one of train"):
        read_songs([path], split="tset")
    with pytest.raises(ConfigError, match="no songs of split"):
        read_songs([path], source="c")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id": "x"', "Expecting ',' delimiter"),
        ("[]", "list indices"),
        ('{"id": "x"}', "no field 'split'"),
        (json.dumps(chart([[0, 4, "H:maj"]])), "H:maj"),
        (json.dumps(chart([[0, 4]])), "not enough values"),
        (json.dumps(chart([[0, None, "C:maj"]])), "unsupported operand"),
        (json.dumps(chart([[0, 4, "C:maj"]], time_signature="4")), "argument 2"),
        (json.dumps(chart([[0, 4, "C:maj"]], time_signature="4/5")), "meter"),
        (json.dumps(chart([[0, math.inf, "C:maj"]])), "beat inf: expected one within"),
        (json.dumps(chart([[0, math.nan, "C:maj"]])), "lasts nan: expected more"),
        (json.dumps(chart([[0, 4e9, "C:maj"]])), "beat 4000000000.0: expected one"),
        (json.dumps(chart([[0, 4, "C:maj"], [4, -4, "G:7"]])), "lasts -4: expected"),
        (json.dumps(chart([[0, 8, "C:maj"], [4, 4, "G:7"]])), "before beat 8, where"),
        (json.dumps(chart([[4, 4, "C:maj"], [0, 4, "G:7"]])), "before beat 8, where"),
        (json.dumps(chart([])), "no chords: expected [[start"),
        (json.dumps(chart([[0, 4, "C:maj"]], split="tran")), "'tran': expected one of"),
        (json.dumps(chart([[0, 4, "C:maj"]], source=["irb"])), "'source' is ['irb']"),
        (json.dumps(chart([[0, 4, "C:maj"]], tempo_bpm=-5)), "tempo -5: expected"),
        (json.dumps(waltz(beat_unit="1/0")), "beat unit '1/0': expected quarters"),
        (json.dumps(waltz(beat_unit=0)), "beat unit 0: expected quarters"),
        (json.dumps(waltz(melody=[[0, 1, 128, None]])), "note 128 at beat 0"),
        (json.dumps(waltz(melody=[[0, -1, 60, None]])), "at beat 0 lasts -1"),
        ("[" * 100_000, "maximum recursion depth"),
    ],
    ids=lambda text: text[-40:],
)
def test_a_corrupt_line_is_named_and_left_out(tmp_path, capsys, line, why):
    path = write(tmp_path / "songs.jsonl.gz", [chart([[0, 4, "C:maj"]]), line])
    assert len(read_songs([path])) == 1
    said = capsys.readouterr().err
    assert f"{path}, line 2: " in said
    assert why in said
    assert said.count("\n") == 1


def test_a_byte_that_is_no_text_costs_its_line_alone(tmp_path, capsys):
    good = json.dumps(chart([[0, 4, "C:maj"]])).encode()
    path = tmp_path / "songs.jsonl"
    path.write_bytes(b"\n".join([good, good.replace(b"CC0", b"\xff"), good]))
    assert len(read_songs([path])) == 2
    said = capsys.readouterr().err
    assert f"{path}, line 2: 'utf-8' codec can't decode byte 0xff" in said


def test_chords_may_overlap_by_a_rounding(read):
    song = read(chart([[0, 2.0001, "C:maj"], [2, 2, "G:7"]]))
    assert [step.chord for step in song.steps()] == [index("C:maj"), index("G:7")]


def test_too_many_corrupt_lines_are_an_error(tmp_path):
    good = chart([[0, 4, "C:maj"]])
    path = write(tmp_path / "few.jsonl.gz", [good, *["{"] * CORRUPT_LINES])
    assert len(read_songs([path])) == 1
    path = write(tmp_path / "many.jsonl.gz", [good, *["{"] * (CORRUPT_LINES + 1)])
    with pytest.raises(ConfigError, match=f"line {CORRUPT_LINES + 2}: .*more than"):
        read_songs([path])


@pytest.mark.parametrize("content", [b"no gzip", b"", None])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "songs.jsonl.gz"
    if content is None:
        whole = write(path, [chart([[0, 4, "C:maj"]])] * 50).read_bytes()
        content = whole[: len(whole) // 2]
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot read corpus file|no songs"):
        read_songs([path])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read corpus file .*nowhere"):
        read_songs([tmp_path / "nowhere.jsonl"])


def test_plain_json_lines_are_read_too(tmp_path):
    path = tmp_path / "songs.jsonl"
    path.write_text(json.dumps(chart([[0, 4, "C:maj"]])) + "\n", encoding="utf-8")
    assert len(read_songs([path])) == 1


@pytest.mark.slow
def test_the_shipped_corpus_is_whole_and_may_be_shipped():
    songs = read_songs(CORPUS_FILES)
    assert Counter(song.split for song in songs) == {
        "train": 5344,
        "valid": 693,
        "test": 720,
    }
    splits: dict[str, set[str]] = {}
    for song in songs:
        splits.setdefault(song.group, set()).add(song.split)
        assert "NC" not in song.licence
        assert song.steps()
    assert all(len(of_group) == 1 for of_group in splits.values())
