import errno
import os
import tempfile
from pathlib import Path

import pytest

from jackcomp.errors import ConfigError
from jackcomp.outputs import reserve


def test_files_get_their_names_when_all_is_done(tmp_path):
    wav, midi = tmp_path / "a.wav", tmp_path / "a.mid"
    midi.write_text("old")
    with reserve([wav, midi]) as temporary:
        for path, written in temporary.items():
            assert written.parent == tmp_path
            assert written.suffix == path.suffix
            written.write_text("new")
        assert not wav.exists()
        assert midi.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [midi, wav]
    assert wav.read_text() == midi.read_text() == "new"
    other = tmp_path / "other"
    other.touch()
    assert wav.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_remains_of_work_that_failed(error, tmp_path):
    old = tmp_path / "a.txt"
    old.write_text("old")

    def work() -> None:
        with reserve([old, tmp_path / "b.txt"]) as temporary:
            temporary[old].write_text("half")
            raise error

    with pytest.raises(error):
        work()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert old.read_text() == "old"


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    with reserve([link]) as temporary:
        temporary[link].write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_full_disk_is_one_line(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    message = "No space left on device: make room"
    with pytest.raises(ConfigError, match=message), reserve([tmp_path / "a.wav"]):
        raise full
    assert not list(tmp_path.iterdir())


def refusal(*paths: Path, inputs: tuple[Path, ...] = ()) -> str:
    with pytest.raises(ConfigError) as caught, reserve(paths, inputs):
        pytest.fail("the work started")
    return str(caught.value)


def test_paths_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    good = tmp_path / "good.txt"
    assert "there is no folder" in refusal(good, tmp_path / "no" / "a.txt")
    assert "it is a folder" in refusal(good, tmp_path)
    assert "it is a device or pipe" in refusal(Path("/dev/null"))
    assert "the same file is named twice" in refusal(good, tmp_path / "." / "good.txt")
    solo = tmp_path / "solo.mid"
    solo.write_bytes(b"MThd")
    assert "the same file is named twice" in refusal(solo, inputs=(solo,))
    assert list(tmp_path.iterdir()) == [solo]


def test_a_folder_without_permission_is_refused_before_the_work():
    # Not in tmp_path: pytest keeps that from other users altogether.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        protected = folder / "protected.txt"
        protected.touch(0o444)
        folder.chmod(0o755)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        else:
            folder.chmod(0o555)
        try:
            message = refusal(folder / "a.wav")
            assert f"no permission in the folder '{folder.resolve()}'" in message
            assert "write-protected" in refusal(protected)
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)
