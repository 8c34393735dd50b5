"""Bad input: one clear line on stderr, exit code 1, and nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65_534

pytestmark = pytest.mark.slow


@pytest.fixture
def solo(tmp_path, write_solo):
    return write_solo(tmp_path / "solo.mid", [(0, 4, 60, 0)])


@pytest.fixture
def refuse(run_jackcomp, tmp_path):
    """Run what must fail; give its one line, without the name before it."""

    def run(*arguments, **changes):
        folder = tmp_path / "cwd"
        before = snapshot(tmp_path)
        done = run_jackcomp(*arguments, **changes)
        assert done.returncode == 1, done
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("jackcomp: ")
        assert snapshot(tmp_path) == before
        assert not list(folder.iterdir())
        return done.stderr.removeprefix("jackcomp: ").rstrip("\n")

    return run


def snapshot(folder):
    """Give all files and folders below, with their contents."""
    return {
        path: path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


OUTPUTS = ("-o", "out.wav", "--midi", "out.mid", "--chart", "out.txt")


# ---- SoundFonts: FluidSynth itself would print five lines about each ----


def truncated(whole):
    return whole[: len(whole) // 2]


def not_a_soundfont(_whole):
    return b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)


@pytest.mark.synth
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "cannot read SoundFont '{path}': No such file"),
        (truncated, "'{path}' is truncated"),
        (not_a_soundfont, "'{path}' is no SoundFont"),
    ],
)
def test_a_bad_soundfont(change, message, soundfont, refuse, solo, tmp_path):
    path = tmp_path / "bad.sf2"
    if change is not None:
        path.write_bytes(change(soundfont.read_bytes()))
    line = refuse("render", solo, "-o", "out.wav", "--sf2", path)
    assert message.format(path=path) in line
    assert refuse("--sf2", path, "--server", "none") == line


# ---- solos ----


def solo_bytes():
    track = mido.MidiTrack()
    track.append(mido.Message("note_on", note=60))
    track.append(mido.Message("note_off", note=60, time=480))
    file = mido.MidiFile(tracks=[track])
    with tempfile.TemporaryFile() as stream:
        file.save(file=stream)
        stream.seek(0)
        return stream.read()


def without_notes():
    return solo_bytes().replace(bytes((0x90, 60)), bytes((0xB0, 60)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read MIDI file '{path}': No such file"),
        (b"", "MIDI file '{path}' is empty"),
        (solo_bytes()[:-6], "MIDI file '{path}' is truncated"),
        (b"RIFF" + bytes(40), "'{path}' is not a MIDI file"),
        (without_notes(), "MIDI file '{path}' has no notes"),
    ],
    ids=["missing", "empty", "truncated", "not MIDI", "no notes"],
)
def test_a_bad_solo(content, message, refuse, tmp_path):
    path = tmp_path / "bad.mid"
    if content is not None:
        path.write_bytes(content)
    assert message.format(path=path) in refuse("render", path, *OUTPUTS)


# ---- settings ----


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("--key", "H", "expected auto, or a key such as C"),
        ("--meter", "4/5", "expected a meter such as 4/4"),
        ("--style", "tango", "expected arpeggio, ballad, block"),
    ],
)
def test_an_unknown_setting(flag, value, expected, refuse, solo):
    line = refuse("render", solo, *OUTPUTS, flag, value)
    assert expected in line
    assert value in line
    assert refuse(flag, value) == line


def test_a_style_file_that_is_not_there(refuse, solo):
    line = refuse("render", solo, *OUTPUTS, "--style", "none.toml")
    assert line == "cannot read style 'none.toml': No such file or directory"


# ---- servers ----


@pytest.mark.jack
@pytest.mark.parametrize("command", [[], ["ports"]])
def test_no_server_says_how_to_start_one(command, refuse):
    line = refuse(*command, "--server", "jackcomp-test-none")
    assert line.startswith("cannot reach JACK server 'jackcomp-test-none': start one")
    assert "'jackd -n jackcomp-test-none -d " in line


# ---- models ----


@pytest.fixture
def installed(tmp_path):
    """Install jackcomp anew: links to its files, and models that may be broken."""
    package = tmp_path / "site" / "jackcomp"
    package.mkdir(parents=True)
    for path in (ROOT / "jackcomp").iterdir():
        if path.name != "__pycache__":
            (package / path.name).symlink_to(path)
    shutil.copytree(ROOT / "models", package / "_models")
    return package


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "damage", "message", "remedy"),
    [
        ("brain.onnx", Path.unlink, "cannot read model file", "export.to_onnx"),
        ("brain.onnx", flip_a_bit, "does not match its card", "export.to_onnx"),
        ("brain.onnx", empty, "does not match its card", "export.to_onnx"),
        ("brain.json", Path.unlink, "cannot read model file", "export.to_onnx"),
        ("brain.json", empty, "is not JSON", "export.to_onnx"),
        ("memory.json", Path.unlink, "cannot read the memory's", "export.fit_memory"),
        ("memory.json", empty, "are not JSON", "export.fit_memory"),
        ("ear.json", Path.unlink, "cannot read the ear's tables", "export.count_ear"),
        ("listener.onnx", Path.unlink, "cannot read model file", "export.train_ear"),
        ("ear.json", empty, "are not JSON", "export.count_ear"),
    ],
)
def test_a_model_that_is_missing_or_not_its_card_s(
    name, damage, message, remedy, installed, refuse, solo, environment
):
    path = installed / "_models" / name
    damage(path)
    environment["PYTHONPATH"] = str(installed.parent)
    line = refuse("render", solo, *OUTPUTS, env=environment)
    assert message in line
    assert str(path) in line
    assert remedy in line


def test_tables_that_are_not_their_card_s(installed, refuse, solo, environment):
    path = installed / "_models" / "ear.json"
    content = json.loads(path.read_text())
    content["tables"]["harmony"]["key_exponent"] += 0.1
    path.write_text(json.dumps(content))
    environment["PYTHONPATH"] = str(installed.parent)
    line = refuse("render", solo, *OUTPUTS, env=environment)
    assert f"the ear's tables {path} do not match their card" in line
    assert "export.count_ear" in line


# ---- folders ----


@pytest.fixture
def protected():
    """Give a folder that all may read and none but root may write to."""
    # Not in tmp_path: pytest keeps that from other users altogether.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        folder.chmod(0o755)


# Root may write anywhere. What jackcomp imports late is imported before, since the
# checkout may lie where nobody else may look.
UNPRIVILEGED = """
import os, sys
import jackcomp.app, jackcomp.arranger.pattern
from jackcomp.cli import main
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
main(prog_name="jackcomp")
"""


def run_unprivileged(folder, environment, *arguments):
    return subprocess.run(
        [
            *(sys.executable, "-c", UNPRIVILEGED.format(nobody=NOBODY)),
            *map(str, arguments),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env=environment,
    )


@pytest.mark.parametrize(
    ("flag", "name"),
    [("-o", "out.wav"), ("--midi", "out.mid"), ("--chart", "out.txt")],
)
def test_a_folder_that_is_not_writable(flag, name, protected, solo, environment):
    copy = protected / "solo.mid"
    shutil.copy(solo, copy)
    copy.chmod(0o644)
    protected.chmod(0o555)
    environment["XDG_CONFIG_HOME"] = str(protected)
    done = run_unprivileged(protected, environment, "render", copy, flag, name)
    assert done.returncode == 1, done
    assert done.stderr == (
        f"jackcomp: cannot write '{name}': no permission in the folder "
        f"'{protected.resolve()}': change its permissions, or write to another\n"
    )
    assert os.listdir(protected) == ["solo.mid"]


def test_a_configuration_that_may_not_be_read(protected, environment):
    folder = protected / "jackcomp"
    folder.mkdir(0o000)
    protected.chmod(0o755)
    environment["XDG_CONFIG_HOME"] = str(protected)
    done = run_unprivileged(protected, environment, "styles")
    assert done.returncode == 1, done
    assert done.stderr == (
        f"jackcomp: cannot read configuration file '{folder / 'config.toml'}': "
        "Permission denied\n"
    )


@pytest.mark.jack
@pytest.mark.synth
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--record", "file/takes"), "cannot record in '{folder}/file/takes'"),
        (("--stats", "none/a.jsonl"), "cannot write '{folder}/none/a.jsonl'"),
        # And nothing is left of the one that could be written.
        (("--record", "takes", "--stats", "none/a.jsonl"), "cannot write"),
    ],
)
def test_a_session_that_cannot_be_written(
    flags, message, jack_server, refuse, tmp_path
):
    (tmp_path / "file").touch()
    paths = [flag if flag[0] == "-" else tmp_path / flag for flag in flags]
    line = refuse("--server", jack_server.name, "--view", "none", *paths)
    assert line.startswith(message.format(folder=tmp_path))


def test_a_folder_that_is_not_there(refuse, solo):
    line = refuse("render", solo, "-o", "out.wav", "--midi", "none/out.mid")
    assert line.startswith("cannot write 'none/out.mid': there is no folder")
