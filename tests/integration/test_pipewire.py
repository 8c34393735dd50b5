"""In PipeWire's graph, through its own libjack; a daemon of its own, no hardware."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.conftest import PATIENCE, wait_until

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]

RATE = 48_000
BPM = 240
BEAT_FRAMES = RATE * 60 // BPM
QUANTA = (256, 64, 1024, 1000, 100, 2048)
CONFIG = """
context.properties = {
    core.daemon = true
    core.name = pipewire-0
    support.dbus = false
    default.clock.rate = 48000
    default.clock.quantum = 256
    default.clock.min-quantum = 16
    default.clock.max-quantum = 4096
    clock.power-of-two-quantum = false
}
context.spa-libs = { support.* = support/libspa-support }
context.modules = [
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-spa-node-factory }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-access }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-link-factory }
]
context.objects = [
    { factory = metadata args = { metadata.name = default } }
    { factory = spa-node-factory args = {
        factory.name = support.node.driver node.name = Dummy-Driver
        node.group = pipewire.dummy priority.driver = 20000 } }
]
"""


METADATA = "    { factory = metadata args = { metadata.name = default } }\n"


@pytest.fixture
def start_pipewire(environment, tmp_path):
    """Start a PipeWire whose clock is its dummy driver; give its environment."""
    with ExitStack() as stack:
        # A socket's path is limited to 108 bytes.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="jackcomp-pw-"))
        environment["XDG_RUNTIME_DIR"] = folder

        def start(config=CONFIG):
            _run_pipewire(stack, config, folder, environment, tmp_path)
            return environment

        yield start


def _run_pipewire(stack, text, folder, environment, tmp_path):
    config = tmp_path / "pipewire.conf"
    config.write_text(text)
    log = tmp_path / "pipewire.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["pipewire", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    stack.callback(daemon.wait)
    stack.callback(daemon.terminate)
    wait_until((Path(folder) / "pipewire-0").exists, "PipeWire's socket")
    assert daemon.poll() is None, log.read_text()


@pytest.fixture
def pipewire(start_pipewire):
    return start_pipewire()


class Listener:
    """Hears a port from a process of its own: one process, one libjack."""

    def __init__(self, source: str, environment: dict[str, str]):
        script = Path(__file__).with_name("pipewire_listener.py")
        self._process = subprocess.Popen(
            ["pw-jack", sys.executable, str(script), source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def heard(self) -> list[tuple[int, int, bytes]]:
        """Take frame, quantum and message of all that came since the last call."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        rows = iter(self._process.stdout.readline, "now\n")
        return [
            (int(frame), int(quantum), bytes.fromhex(data))
            for frame, quantum, data in map(str.split, rows)
        ]

    def close(self) -> None:
        with self._process:  # which closes its pipes
            self._process.stdin.close()
            self._process.wait(PATIENCE)


@pytest.fixture
def listen(pipewire):
    with ExitStack() as stack:

        def start(source):
            listener = Listener(source, pipewire)
            stack.callback(listener.close)
            return listener

        yield start


def force_quantum(environment, frames):
    subprocess.run(
        ["pw-metadata", "-n", "settings", "0", "clock.force-quantum", str(frames)],
        env=environment,
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )


def test_the_click_is_exact_to_the_frame_at_every_quantum(pipewire, listen, play_live):
    program = play_live(
        "default", "--click", "--bpm", BPM, "--count-in", 8, before=["pw-jack"]
    )
    listener = listen("jackcomp:midi_out")
    beats = []
    for quantum in QUANTA:
        force_quantum(pipewire, quantum)
        seen = set()

        def has_come(quantum=quantum, seen=seen):
            messages = listener.heard()
            beats.extend(frame for frame, _, data in messages if data[0] == 0x99)
            seen.update(size for _, size, _ in messages)
            return quantum in seen

        program.wait_until(has_come, f"clicks in cycles of {quantum} frames")
        program.wait_until(
            lambda quantum=quantum: program.stats["period"] == quantum, "its period"
        )
    assert len(beats) > len(QUANTA)
    steps = {after - before for before, after in itertools.pairwise(beats)}
    # A listener that was not in time misses beats, but hears none at a wrong frame.
    assert {step % BEAT_FRAMES for step in steps} == {0}
    assert BEAT_FRAMES in steps
    assert min(steps) > 0
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0, program.stderr
    assert "Traceback" not in program.stderr


def test_commands_find_pipewire_s_server(pipewire):
    done = subprocess.run(
        ["pw-jack", sys.executable, "-m", "jackcomp", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env=pipewire | {"PYTHONPATH": os.getcwd()},
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done
    assert "ok    JACK server: running\n" in done.stdout
    assert "ok    sample rate: 48000 Hz, 256 frames" in done.stdout


def test_without_metadata_the_ports_have_plain_names_and_it_plays(
    start_pipewire, play_live
):
    assert METADATA in CONFIG
    start_pipewire(CONFIG.replace(METADATA, ""))
    program = play_live("default", before=["pw-jack"])
    line = "ports show without readable names: "
    assert program.stderr.count(line) == 1
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0, program.stderr
    assert "Traceback" not in program.stderr
