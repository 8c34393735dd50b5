"""Signals while it plays: settings read anew, state written, the manager told."""

import json
import shutil
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]

RATE = 48_000
SILENCE = 1e-4
ORGAN = 16  # sounds for as long as it is held
WATCHDOG_SECONDS = 0.4
MOST_MESSAGES = 100
STALL_SECONDS = 0.1  # many periods, and less than JACK bears


class AudioEar:
    """A JACK client that hears how loud a port is."""

    def __init__(self, server: str, source: str):
        from jackcomp.engine.host import open_client

        self._client = open_client("audio-ear", server)
        self._in = self._client.inports.register("in")
        self.peak = 0.0
        self._client.set_process_callback(self._process)
        self._client.activate()
        self._client.connect(source, self._in)

    def _process(self, _nframes: int) -> None:
        self.peak = float(np.abs(self._in.get_array()).max())

    def close(self) -> None:
        self._client.deactivate()
        self._client.close()


@pytest.fixture
def config(tmp_path):
    return tmp_path / "config.toml"


@pytest.fixture
def other(soundfont, tmp_path):
    return Path(shutil.copy(soundfont, tmp_path / "other.sf2"))


@pytest.fixture
def stage(jack_server, play_live, join_server, config):
    """Start jackcomp with a configuration; give it, its soloist, and its sound."""
    ears, programs = [], []

    def start(text: str):
        config.write_text(text)
        program = play_live(
            *(jack_server.name, "--config", config, "--start", "first-note"),
            *("--solo-program", ORGAN),
        )
        programs.append(program)
        soloist = join_server("soloist", jack_server.name)
        soloist.speak_to("jackcomp:midi_in")
        ears.append(AudioEar(jack_server.name, "jackcomp:solo_left"))
        return program, soloist, ears[-1]

    yield start
    for program in programs:
        program.signal(signal.SIGTERM)
        assert program.exit_code() == 0, program.stderr
    for ear in ears:
        ear.close()


def reload(program, config, text, expected):
    """Change the configuration and wait until jackcomp has said what it did."""
    config.write_text(text)
    said = len(program.stderr)
    program.signal(signal.SIGHUP)
    program.wait_until(lambda: expected in program.stderr[said:], expected)


def test_the_soundfont_changes_and_held_notes_end_on_the_old_one(
    stage, config, soundfont, other
):
    program, soloist, ear = stage(f'sf2 = "{soundfont}"\n')
    soloist.play([(0, b"\x90\x3c\x64")])
    program.wait_until(lambda: ear.peak > SILENCE, "the held note")
    line = f"new notes sound with SoundFont {other}"
    reload(program, config, f'sf2 = "{other}"\n', line)
    assert "changed: sf2\n" in program.stderr
    program.wait_until(lambda: program.stats["swaps"] == 1, "the swap")
    assert ear.peak > SILENCE  # it is still held, and rings on
    # Another note, on the new synth; then both keys go up.
    soloist.play([(0, b"\x90\x43\x64"), (RATE // 4, b"\x80\x3c\x00")])
    soloist.wait_for(soloist.frame + RATE)
    assert ear.peak > SILENCE
    soloist.play([(0, b"\x80\x43\x00")])
    program.wait_until(lambda: ear.peak < SILENCE, "silence")
    assert program.process.poll() is None


def test_a_broken_soundfont_leaves_the_old_one_playing(stage, config, soundfont, other):
    program, soloist, ear = stage(f'sf2 = "{soundfont}"\n')
    other.write_bytes(other.read_bytes()[:-1000])
    soloist.play([(0, b"\x90\x3c\x64")])
    program.wait_until(lambda: ear.peak > SILENCE, "the held note")
    text = f'sf2 = "{other}"\ngain = 2\n'
    reload(program, config, text, "the settings stay as they are: ")
    (line,) = [line for line in program.stderr.splitlines() if "stay" in line]
    assert f"SoundFont '{other}' is truncated" in line
    frame = soloist.frame
    soloist.wait_for(frame + RATE // 2)
    assert ear.peak > SILENCE
    assert program.stats["swaps"] == 0


def test_settings_change_and_what_cannot_is_said(stage, config):
    program, soloist, ear = stage("solo_gain = 1.0\nbpm = 90\n")
    soloist.play([(0, b"\x90\x3c\x64")])
    program.wait_until(lambda: ear.peak > SILENCE, "the held note")
    text = 'solo_gain = 0\nbpm = 100\nstyle = "pop"\nai_weight = 0.1\n'
    reload(program, config, text, "unchanged until jackcomp starts again: bpm\n")
    assert "changed: style, ai_weight, solo_gain\n" in program.stderr
    program.wait_until(lambda: ear.peak < SILENCE, "silence")
    for bad in ("solo_gain = 9", "solo_gain = ", "sologain = 1"):
        reload(program, config, bad, "the settings stay as they are: ")
    assert ear.peak < SILENCE
    reload(program, config, "solo_gain = 1\nbpm = 90\n", "changed: style, ai_weight")
    program.wait_until(lambda: ear.peak > SILENCE, "the note again")
    assert "Traceback" not in program.stderr


def test_the_state_is_written_whole(stage, environment, tmp_path):
    environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    program, _, _ = stage("bpm = 90\n")
    path = tmp_path / "state" / "jackcomp" / "jackcomp.json"
    program.signal(signal.SIGUSR1)
    program.wait_until(path.exists, "the state")
    state = json.loads(path.read_text())
    assert state["settings"]["bpm"] == 90
    assert state["settings"]["solo_program"] == ORGAN
    assert state["client"] == "jackcomp"
    assert state["cycles"] > 0
    assert set(state["xrun_causes"]) == {"ours", "loading", "others"}
    program.wait_until(
        lambda: f"state written to {path}\n" in program.stderr, "the line about it"
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["jackcomp.json"]


def test_xruns_are_counted_with_a_guess_at_their_cause(stage):
    program, _, _ = stage("")
    program.signal(signal.SIGSTOP)
    time.sleep(STALL_SECONDS)
    program.signal(signal.SIGCONT)

    def explained():
        stats = program.stats
        return sum(stats["xrun_causes"].values()) == stats["xruns"] > 0

    program.wait_until(explained, "xruns, each with its cause")


def test_a_state_that_cannot_be_written_is_one_line(stage, environment, tmp_path):
    (tmp_path / "file").touch()
    environment["XDG_STATE_HOME"] = str(tmp_path / "file")
    program, _, _ = stage("")
    program.signal(signal.SIGUSR1)
    program.wait_until(lambda: "cannot write '" in program.stderr, "the reason")
    assert "Traceback" not in program.stderr


def messages_until_silence(manager):
    """Give what comes until nothing more comes for as long as the socket waits."""
    messages = []
    while len(messages) < MOST_MESSAGES:
        try:
            messages.append(manager.recv(1000))
        except TimeoutError:
            return messages
    return messages


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_service_manager_is_told(
    is_abstract, jack_server, play_live, environment, tmp_path
):
    name = f"@{tmp_path.name}-notify" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if is_abstract else name)
        manager.settimeout(30.0)
        environment |= {
            "NOTIFY_SOCKET": name,
            "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
        }
        program = play_live(jack_server.name)
        assert manager.recv(1000) == b"READY=1\nSTATUS=plays as 'jackcomp'"
        for _ in range(3):
            assert manager.recv(1000) == b"WATCHDOG=1"
        # The server stands still, and so does the core's frame counter.
        jack_server.process.send_signal(signal.SIGSTOP)
        try:
            manager.settimeout(5 * WATCHDOG_SECONDS)
            assert len(messages_until_silence(manager)) < MOST_MESSAGES
        finally:
            jack_server.process.send_signal(signal.SIGCONT)
        manager.settimeout(30.0)
        assert manager.recv(1000) == b"WATCHDOG=1"
        program.signal(signal.SIGTERM)
        assert program.exit_code() == 0
        while (message := manager.recv(1000)) == b"WATCHDOG=1":
            pass
        assert message == b"STOPPING=1"


def test_a_service_manager_that_is_not_there_is_one_line(
    jack_server, play_live, environment, tmp_path
):
    environment["NOTIFY_SOCKET"] = str(tmp_path / "none")
    environment["WATCHDOG_USEC"] = "100000"
    program = play_live(jack_server.name)
    program.wait_until(lambda: "manager" in program.stderr, "the line")
    cycles = program.stats["cycles"]
    program.wait_until(lambda: program.stats["cycles"] > cycles, "more cycles")
    assert program.stderr.count("cannot reach the service manager at") == 1
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
