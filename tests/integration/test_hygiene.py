"""Faults of a set-up, injected for real: what doctor says, and what play does."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jackcomp.engine.limits import read_limits

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]


@pytest.fixture
def examine(environment, tmp_path):
    """Run ``jackcomp doctor``, perhaps behind other programs; give code and text."""

    def run(*arguments, before=(), **changes):
        command = [*before, sys.executable, "-m", "jackcomp", "doctor", *arguments]
        done = subprocess.run(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env=environment | changes,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    return run


def remedy_after(text, start):
    """Give the remedy that follows the line that starts so."""
    lines = text.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith(start)]
    assert lines[number + 1].startswith("      mend it with: ")
    return lines[number + 1].removeprefix("      mend it with: ")


def limited(drop_capabilities, rtprio, memlock):
    limits = [f"--rtprio={rtprio}:{rtprio}", f"--memlock={memlock}:{memlock}"]
    return [*drop_capabilities, "prlimit", *limits, "--"]


def test_a_server_a_soundfont_and_a_model_are_found(examine, jack_server, soundfont):
    code, text = examine("--server", jack_server.name, "--sf2", soundfont)
    assert code == 0
    for line in (
        "ok    JACK server: running",
        "ok    sample rate: 48000 Hz, 256 frames a period (5.3 ms)",
        f"ok    SoundFont: {soundfont}",
        "ok    C core: loads",
        "ok    chord model: matches its card, and its tables are those of this model",
        "ok    ear's tables and network: match their cards",
        "ok    pulse: matches its card",
    ):
        assert line in text.splitlines()


def test_low_limits_are_found_and_are_only_warnings(
    examine, jack_server, drop_capabilities
):
    before = limited(drop_capabilities, 0, 2**20)
    code, text = examine("--server", jack_server.name, before=before)
    assert code == 0
    for start in (
        "warn  real-time priority: up to 0",
        "warn  locked memory: up to 1 MiB, all needed",
    ):
        assert "usermod -aG audio $USER" in remedy_after(text, start)


def test_a_server_that_is_not_there_is_found(examine):
    code, text = examine("--server", "jackcomp-test-none")
    assert code == 1
    assert "sample rate" not in text
    assert remedy_after(text, "FAIL  JACK server: cannot reach").startswith("jackd ")


def test_a_sample_rate_that_fluidsynth_refuses_is_found(examine, start_server):
    server = start_server(rate=192_000)
    code, text = examine("--server", server.name)
    assert code == 1
    assert "-r 48000" in remedy_after(text, "FAIL  sample rate: 192000 Hz, 256 frames")


def test_a_broken_soundfont_is_found(examine, jack_server, soundfont, tmp_path):
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(soundfont.read_bytes()[:-1])
    code, text = examine("--server", jack_server.name, "--sf2", broken)
    assert code == 1
    start = f"FAIL  SoundFont: SoundFont '{broken}' is truncated"
    assert remedy_after(text, start) == "sudo apt install fluid-soundfont-gm"


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("brain.onnx", "FAIL  chord model: "),
        ("memory.json", "FAIL  chord model: "),
        ("ear.json", "FAIL  ear's tables and network: "),
        ("listener.onnx", "FAIL  ear's tables and network: "),
        ("pulse.json", "FAIL  pulse: "),
    ],
)
def test_a_model_that_is_missing_is_found(file, start, examine, jack_server, tmp_path):
    package = tmp_path / "site" / "jackcomp"
    package.mkdir(parents=True)
    for path in (ROOT / "jackcomp").iterdir():
        if path.name != "__pycache__":
            (package / path.name).symlink_to(path)
    shutil.copytree(ROOT / "models", package / "_models")
    (package / "_models" / file).unlink()
    code, text = examine(
        *("--server", jack_server.name), PYTHONPATH=str(package.parent)
    )
    assert code == 1
    assert remedy_after(text, start) == "pip install --force-reinstall jackcomp"


# ---- locked memory, as the kernel tells it ----


def memory(program):
    """Give what is mapped and what of it is locked, in KiB."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return [
        int(re.findall(rf"{key}:\s*(\d+)", status)[0]) for key in ("VmSize", "VmLck")
    ]


def test_memory_is_locked_where_that_is_permitted(jack_server, play_live):
    program = play_live(jack_server.name)
    mapped, locked = memory(program)
    is_permitted = read_limits().memlock_bytes is None  # to whoever runs the tests
    assert (locked > 0.9 * mapped) == is_permitted
    assert ("memory is not locked" not in program.stderr) == is_permitted


def test_only_the_core_s_memory_is_locked_where_there_is_a_limit(
    jack_server, play_live, drop_capabilities
):
    program = play_live(
        jack_server.name, before=limited(drop_capabilities, 0, 8 * 2**20)
    )
    mapped, locked = memory(program)
    assert 2**10 < locked < 0.5 * mapped
    program.wait_until(lambda: "memory" in program.stderr, "the warning")
    assert (
        "memory is not locked, but for the core's (only 8 MiB may be): 'jackcomp "
        "doctor' says how to mend it\n"
    ) in program.stderr


def test_where_next_to_nothing_may_be_locked_it_plays_all_the_same(
    jack_server, play_live, drop_capabilities
):
    program = play_live(jack_server.name, before=limited(drop_capabilities, 0, 2**16))
    program.wait_until(lambda: "memory" in program.stderr, "the warning")
    assert "memory is not locked (" in program.stderr
    assert program.stats["cycles"] > 0
