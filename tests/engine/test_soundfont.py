import os
import struct
from pathlib import Path

import pytest

from jackcomp.engine.soundfont import check_soundfont, find_soundfont, list_soundfonts
from jackcomp.errors import EngineError

RECORDS = {
    "phdr": 2 * 38,
    "pbag": 4,
    "pmod": 10,
    "pgen": 4,
    "inst": 2 * 22,
    "ibag": 4,
    "imod": 10,
    "igen": 4,
    "shdr": 2 * 46,
}


def chunk(name: str, content: bytes) -> bytes:
    return struct.pack("<4sI", name.encode(), len(content)) + content


def soundfont(tables: dict[str, int] = RECORDS, lists: str = "INFO sdta pdta") -> bytes:
    contents = {
        "INFO": chunk("ifil", b"\x02\0\x01\0"),
        "sdta": chunk("smpl", bytes(92)),
        "pdta": b"".join(chunk(name, bytes(size)) for name, size in tables.items()),
    }
    body = b"".join(
        chunk("LIST", name.encode() + contents[name]) for name in lists.split()
    )
    return chunk("RIFF", b"sfbk" + body)


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        check_soundfont(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_whole_soundfont_passes(tmp_path):
    path = tmp_path / "whole.sf2"
    path.write_bytes(soundfont())
    check_soundfont(path)


def test_every_truncation_is_refused(tmp_path):
    whole = soundfont()
    for length in range(12, len(whole)):
        message = refusal(tmp_path / "short.sf2", whole[:length])
        assert f"is truncated: {length} bytes of {len(whole)}" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file"),
        (b"RIFF", "does not begin with a RIFF header"),
        (b"<html>" * 10, "does not begin with a RIFF header"),
        (b"RIFF\x04\0\0\0WAVE", "a RIFF file of the form 'WAVE'"),
        (b"\x1f\x8b\x08" + bytes(20), "is a gzip archive: unpack it with gunzip"),
        (b"PK\x03\x04" + bytes(20), "is a zip archive"),
        (soundfont(lists="INFO sdta"), "it has no pdta list"),
        (soundfont(RECORDS | {"phdr": 38}), "its table phdr has 38 bytes"),
        (soundfont(RECORDS | {"shdr": 93}), "its table shdr has 93 bytes"),
        (soundfont({"phdr": 76}), "its preset tables are not the nine"),
    ],
)
def test_what_is_no_soundfont_is_refused(content, message, tmp_path):
    assert message in refusal(tmp_path / "bad.sf2", content)


def test_a_chunk_that_runs_over_its_end_is_refused(tmp_path):
    content = bytearray(soundfont())
    place = content.index(b"sdta") - 4
    content[place : place + 4] = struct.pack("<I", 10**6)
    assert "chunk 'LIST' has 1000000 bytes" in refusal(tmp_path / "a.sf2", content)


def test_sfz_is_told_apart(tmp_path):
    assert "SFZ" in refusal(tmp_path / "piano.sfz", b"<group> sample=a.wav key=60")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_not_a_file_is_refused_and_not_waited_for(make, tmp_path):
    path = tmp_path / "none.sf2"
    with pytest.raises(EngineError, match=r"cannot read SoundFont .* No such file"):
        check_soundfont(path)
    make(path)
    with pytest.raises(EngineError, match=r"none\.sf2' is not a file but a folder"):
        check_soundfont(path)


def test_the_first_whole_one_in_the_order_of_folders_is_found(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    for name in ("a.SF2", "default.sf2", "b.sf3", "readme.txt"):
        (second / name).write_bytes(soundfont())
    folders = (first, second)
    assert find_soundfont(None, folders) == second / "default.sf2"
    first.mkdir()
    (first / "broken.sf2").write_bytes(soundfont()[:-1])
    assert find_soundfont(None, folders) == second / "default.sf2"
    (first / "mine.sf2").write_bytes(soundfont())
    assert find_soundfont(None, folders) == first / "mine.sf2"
    (second / "link.sf2").symlink_to(second / "a.SF2")
    found = list_soundfonts(folders)
    assert [font.path.name for font in found] == [
        *("broken.sf2", "mine.sf2"),
        *("default.sf2", "a.SF2", "b.sf3"),
    ]
    assert "truncated" in found[0].problem
    assert found[1].problem == ""
    assert found[1].size == len(soundfont())


def test_a_chosen_soundfont_is_the_only_one_that_will_do(tmp_path):
    (tmp_path / "good.sf2").write_bytes(soundfont())
    with pytest.raises(EngineError, match="cannot read SoundFont"):
        find_soundfont(tmp_path / "missing.sf2", (tmp_path,))
    (tmp_path / "loose.sf2").symlink_to(tmp_path / "missing.sf2")
    (tmp_path / "a.sf2").symlink_to(tmp_path / "a.sf2")
    assert find_soundfont(None, (tmp_path,)) == tmp_path / "good.sf2"


def test_without_any_it_says_how_to_get_one(tmp_path):
    with pytest.raises(EngineError, match=r"no SoundFont found: install one .*apt"):
        find_soundfont(None, (tmp_path,))
    (tmp_path / "a.sf2").write_bytes(b"")
    with pytest.raises(EngineError, match=r"but a broken one .* is an empty file"):
        find_soundfont(None, (tmp_path,))
