import csv
import re
import sys

import numpy as np
import pytest

from export import chordonomicon
from export.chordonomicon import Laps, main, read_symbol, split_of, to_sequence
from export.imitate_chordonomicon import spell
from jackcomp.brain.model import VOCABULARY
from jackcomp.errors import ConfigError
from jackcomp.theory.vocabulary import NO_CHORD_INDEX

SYMBOLS = """
C C:maj       Amin A:min     Fsmaj7 F#:maj7  C/G C:maj        Csno3d Db:maj
Bb7 Bb:7      Csus4 C:sus4   Ebsus2 Eb:sus2  Cssus4 Db:sus4   Gmin7 G:min7
A13 A:7       Dadd9 D:maj    A9 A:7          Amaj9 A:maj7     Amin9 A:min7
C7b9 C:7      Cb9 C:7        C11s C:7        Ddim D:dim       Ddimb7 D:dim7
Eaug E:aug    F6 F:maj6      Bmin7b5 B:hdim7 Dmin6 D:min6     Cminmaj7 C:min
C1311s C:7    C7sus4 C:sus4(b7) G7sus4/D G:sus4(b7) Cmaj13s911s C:maj7
Ddim7 D:hdim7 Ddim9 D:hdim7  Ddim11 D:hdim7  Ddimb9 D:hdim7   Ddim11b9 D:hdim7
Gs/ Ab:maj    Gs7/ Ab:7      Amin/ A:min
"""


@pytest.mark.parametrize(("symbol", "label"), re.findall(r"(\S+) (\S+)", SYMBOLS))
def test_symbols_are_read(symbol, label):
    assert VOCABULARY[read_symbol(symbol)] == label


@pytest.mark.parametrize("chord", range(NO_CHORD_INDEX))
def test_what_the_imitation_spells_is_read_back(chord):
    assert read_symbol(spell(chord)) == chord


@pytest.mark.parametrize(
    ("label", "symbol"),
    [("D:hdim7", "Ddim7"), ("D:dim7", "Ddimb7"), ("D:maj6", "Dadd13")],
)
def test_the_imitation_spells_as_the_file_does(label, symbol):
    assert spell(VOCABULARY.index(label)) == symbol


@pytest.mark.parametrize("symbol", ["H", "Cfoo", "/", "", "Cmin/x"])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(ValueError, match="cannot read chord symbol"):
        read_symbol(symbol)


def test_a_song_is_a_bar_to_a_chord_without_its_tags():
    song = to_sequence("<intro_1> C Amin <verse_1> F")
    labels = [VOCABULARY[chord] for chord in song.chords]
    assert labels == ["C:maj"] * 2 + ["A:min"] * 2 + ["F:maj"] * 2
    assert len(song.positions) == 6


def test_the_same_changes_in_another_key_are_in_one_split():
    one, other = to_sequence("C Amin F G"), to_sequence("D Bmin G A")
    assert split_of(one) == split_of(other)
    songs = (" ".join(["C", "F"] * n + ["G"]) for n in range(1, 80))
    many = {split_of(to_sequence(song)) for song in songs}
    assert many == {"train", "valid", "test"}


def write(path, lines):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "chords"], *enumerate(lines)])
    return path


def test_a_file_is_read_in_laps(tmp_path):
    path = write(tmp_path / "songs.csv", ["C F", "D G", "E A", "F Bb", "G C"])
    laps = Laps(path, songs=2)
    assert (len(laps), laps.songs) == (3, 5)
    firsts = [[int(song.chords[0]) for song in laps.read(n)] for n in range(3)]
    read = [[VOCABULARY[chord][0] for chord in lap] for lap in firsts]
    assert read == [["C", "D"], ["E", "F"], ["G"]]
    again = [song.chords for song in laps.read(1)]
    assert np.array_equal(again, [song.chords for song in Laps(path, songs=2).read(1)])


def test_a_corrupt_line_is_named_and_left_out(tmp_path, capsys):
    path = write(tmp_path / "songs.csv", ["C F", "C what", "D G"])
    assert len(list(Laps(path).read(0))) == 2
    said = capsys.readouterr().err
    assert f"corrupt song in {path}, line 3: cannot read chord symbol 'what'" in said


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"3,C F\rG", "line of CSV in UTF-8: new-line character"),
        (b'3,"C F', "line of CSV in UTF-8: unexpected end"),
        (b"3," + b"C " * 70_000, "line of CSV in UTF-8: field larger than"),
        (b"3,C \xff F", "'utf-8' codec"),
        (b"3", "1 fields: expected 2 or more"),
        (b"", "0 fields: expected 2 or more"),
    ],
    ids=["return", "quote", "long", "utf-8", "short", "empty"],
)
def test_a_damaged_line_is_named_and_left_out(tmp_path, capsys, line, why):
    path = tmp_path / "songs.csv"
    path.write_bytes(b"id,chords\n1,C F G\n" + line + b"\n2,C F G\n")
    laps = Laps(path)
    assert len(list(laps.read(0))) == 2
    assert laps.corrupt.count == 1
    said = capsys.readouterr().err
    assert f"corrupt song in {path}, line 3: " in said
    assert why in said
    assert said.count("\n") == 1


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path):
    path = tmp_path / "songs.csv"
    path.write_text("chords,id\nC F G,1\n", encoding="utf-8-sig")
    assert len(list(Laps(path).read(0))) == 1


def test_songs_of_no_chords_and_of_one_are_counted(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "songs.csv", ["C F", "", "<verse_1>", "<verse_1> C", "D G"])
    monkeypatch.setattr(sys, "argv", ["chordonomicon", str(path)])
    assert main() == 0
    said = capsys.readouterr()
    assert "0 corrupt lines and 3 songs of fewer than two chords left out" in said.out
    assert said.err == ""


def test_too_many_corrupt_lines_are_an_error(tmp_path):
    path = write(tmp_path / "songs.csv", ["what"] * 1001)
    with pytest.raises(ConfigError, match="more than 1000 lines are corrupt"):
        list(Laps(path).read(0))


def test_in_a_long_file_more_lines_may_be_corrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(chordonomicon, "CORRUPT_SONGS", 2)
    hundred = ["C F"] * 99 + ["what"]
    path = write(tmp_path / "songs.csv", hundred * 4)
    assert len(list(Laps(path).read(0))) == 396
    path = write(tmp_path / "songs.csv", [*hundred * 4, "what"])
    with pytest.raises(ConfigError, match=r"line 402: .*more than 4 lines are corrupt"):
        list(Laps(path).read(0))


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="no column 'chords'"):
        Laps(path)
    with pytest.raises(ConfigError, match="cannot read"):
        Laps(tmp_path / "nowhere.csv")
    path.write_bytes(b"id,ch\rords\n1,C F\n")
    with pytest.raises(ConfigError, match=r"cannot read .*other.csv: .*new-line"):
        Laps(path)


def test_a_file_without_songs_is_refused(tmp_path):
    path = write(tmp_path / "songs.csv", [])
    with pytest.raises(ConfigError, match=r"songs.csv has no songs: expected"):
        Laps(path)
