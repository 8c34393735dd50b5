"""A good citizen of the graph: servers and keyboards come and go."""

import json
import signal
import subprocess
import sys
from collections import deque

import pytest

from jackcomp.engine.host import open_client

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]

RATE = 48_000
MUSIC = ("--start", "first-note", "--bpm", 240, "--end-after", 0)
BEAT = RATE // 4
TUNE = (60, 64, 67, 72)


def tune(rate=RATE, notes=60):
    """Give the messages of a simple tune, four notes a second, legato."""
    beat = rate // 4
    return [
        (number * beat, bytes((status, note, 90)))
        for number in range(notes)
        for status, note in ((0x80, TUNE[(number - 1) % 4]), (0x90, TUNE[number % 4]))
    ]


def is_playing(listener):
    return {channel for channel, _ in listener.sounding()} >= {0, 1}


def lines_with(program, text):
    return [line for line in program.stderr.splitlines() if text in line]


def says(program, text):
    return lambda: lines_with(program, text)


# What runs in the place of jackcomp, and tells of which step it is reminded.
REMINDED = """
import sys
from jackcomp.cli import main
from jackcomp.decision.form import FormMemory

recall = FormMemory.recall

def tell(self, step, *heard):
    found = recall(self, step, *heard)
    print("step", step, "reminds of", found.step, file=sys.stderr, flush=True)
    return found

FormMemory.recall = tell
main(prog_name="jackcomp")
"""
REMEMBERED_STEPS = 12


def steps_and_what_they_remind_of(program):
    lines = (line.split() for line in lines_with(program, "reminds of"))
    return [(int(line[1]), line[-1]) for line in lines]


@pytest.mark.parametrize(("rate", "period"), [(48_000, 256), (44_100, 1024)])
def test_after_the_server_was_killed_it_plays_on_with_the_next_one(
    rate, period, start_server, play_live, join_server, environment, tmp_path
):
    environment["XDG_STATE_HOME"] = str(tmp_path)
    server = start_server()
    chosen = ("--style", "ballad", "--follow-tempo")
    program = play_live(server.name, *MUSIC, *chosen, runner=REMINDED)
    soloist, listener = (
        join_server(name, server.name) for name in ("soloist", "listener")
    )
    listener.listen_to("jackcomp:midi_out")
    listener.connect("jackcomp:out_left", "system:playback_2")
    soloist.speak_to("jackcomp:midi_in")
    soloist.play(tune())
    program.wait_until(lambda: is_playing(listener), "chords and bass")
    program.wait_until(
        lambda: len(steps_and_what_they_remind_of(program)) > REMEMBERED_STEPS,
        "some steps to remember",
    )
    for musician in (soloist, listener):  # JACK's library would not survive it here
        musician.close()
    server.process.kill()
    server.process.wait()
    program.wait_until(says(program, "has gone"), "the loss")
    cycles = program.stats["cycles"]
    before = ask_for_state(program, tmp_path)
    last_step = max(step for step, _ in steps_and_what_they_remind_of(program))

    start_server(period, rate=rate, name=server.name)
    program.wait_until(says(program, "is back"), "the return")
    assert lines_with(program, "is back") == [
        f"the JACK server is back: {rate} Hz, {period} frames, as 'jackcomp'"
    ]
    soloist, listener = (
        join_server(name, server.name) for name in ("soloist", "listener")
    )
    after = ask_for_state(program, tmp_path)
    for kept in ("settings", "soundfont", "key", "bpm"):
        assert after[kept] == before[kept], kept
    assert before["key"] is not None
    # All are wired as before, without a word from us, and what is played is heard.
    neighbour = Neighbour(server.name)
    wired = neighbour.client.get_all_connections
    program.wait_until(
        lambda: "system:playback_2" in {p.name for p in wired("jackcomp:out_left")},
        "the old wiring",
    )
    neighbour.hear("jackcomp:out_left")
    soloist.play(tune(rate))
    program.wait_until(lambda: is_playing(listener), "chords and bass again")
    program.wait_until(lambda: neighbour.level > 1e-3, "the sound of it")
    program.wait_until(lambda: program.stats["cycles"] > cycles, "its counters")
    program.wait_until(
        lambda: any(
            step > last_step and reminder != "None" and int(reminder) <= last_step
            for step, reminder in steps_and_what_they_remind_of(program)
        ),
        "a step that reminds of one before the server's end",
    )
    neighbour.close()
    assert len(lines_with(program, "has gone")) == 1
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    assert "Traceback" not in program.stderr


def ask_for_state(program, folder):
    """Give the state that the program writes now."""
    path = folder / "jackcomp" / "jackcomp.json"
    path.unlink(missing_ok=True)
    program.signal(signal.SIGUSR1)
    program.wait_until(path.exists, "the state")
    return json.loads(path.read_text())


def test_it_can_be_ended_while_there_is_no_server(start_server, play_live, tmp_path):
    server = start_server()
    program = play_live(server.name, "--record", tmp_path / "takes")
    server.process.kill()
    server.process.wait()
    program.wait_until(says(program, "has gone"), "the loss")
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    assert (tmp_path / "takes" / "take-001" / "accompaniment.mid").exists()
    # JACK keeps the place of a killed server until one of its name has ended well.
    start_server(name=server.name)


class Keyboard:
    """A client whose MIDI ports look like hardware, as a keyboard's do."""

    def __init__(self, server, name, ports):
        self._client = open_client(name, server)
        self._ports = [
            self._client.midi_outports.register(
                port, is_physical=True, is_terminal=True
            )
            for port in ports
        ]
        self._waiting = deque()
        self._is_plugged_in = True
        self._client.set_process_callback(self._process)
        self._client.activate()

    def _process(self, _nframes):
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for port in self._ports:
            port.clear_buffer()
            for message in waiting:
                port.write_midi_event(0, message)

    def strike(self, *message):
        """Say it on all ports, in the next cycle."""
        self._waiting.append(bytes(message))

    def heard_by(self):
        return {port.name for out in self._ports for port in out.connections}

    def unplug(self):
        if self._is_plugged_in:
            self._is_plugged_in = False
            self._client.deactivate()
            self._client.close()


class Neighbour:
    """Another client: it looks at the graph, changes it, and hears sound."""

    def __init__(self, server):
        self.client = open_client("neighbour", server)
        self._in = self.client.inports.register("in")
        self._out = self.client.midi_outports.register("out")
        self.level = 0.0
        self.client.set_process_callback(self._process)
        self.client.activate()

    def _process(self, _nframes):
        self._out.clear_buffer()
        self.level = max(map(abs, memoryview(self._in.get_buffer()).cast("f")))

    def hear(self, port):
        self.client.connect(port, self._in)

    def close(self):
        self.client.deactivate()
        self.client.close()


@pytest.fixture
def plug_in(jack_server):
    keyboards = []

    def plug(name="keys", ports=("out",)):
        keyboards.append(Keyboard(jack_server.name, name, ports))
        return keyboards[-1]

    yield plug
    for keyboard in keyboards:
        keyboard.unplug()


@pytest.fixture
def neighbour(jack_server):
    client = Neighbour(jack_server.name)
    yield client
    client.close()


def test_a_keyboard_is_connected_whenever_it_appears(
    jack_server, play_live, plug_in, neighbour
):
    program = play_live(jack_server.name, *MUSIC, connects=True)
    through = plug_in("Midi Through")
    for number in range(1, 4):
        keyboard = plug_in()
        program.wait_until(keyboard.heard_by, "the connection")
        assert keyboard.heard_by() == {"jackcomp:midi_in"}
        program.wait_until(
            lambda count=number: (
                len(lines_with(program, "connected keys:out -> jackcomp:midi_in"))
                == count
            ),
            "its line",
        )
        keyboard.unplug()
    assert not through.heard_by()
    assert not neighbour.client.get_all_connections("neighbour:out")


def test_only_keyboards_of_the_pattern_and_the_first_speakers_are_connected(
    jack_server, play_live, plug_in, neighbour
):
    def targets(port):
        return {end.name for end in neighbour.client.get_all_connections(port)}

    pads, keys = plug_in("pads"), plug_in("keys")
    play_live(jack_server.name, "--name", "apart")
    named = ("--name", "duo", "--connect", "^keys:", "--connect", "^organ:")
    program = play_live(jack_server.name, *named, connects=True)
    organ = plug_in("organ")
    program.wait_until(organ.heard_by, "the second pattern")
    program.wait_until(keys.heard_by, "the first pattern")
    assert keys.heard_by() == organ.heard_by() == {"duo:midi_in"}
    assert not pads.heard_by()
    program.wait_until(lambda: targets("duo:solo_right"), "the speakers")
    for part in ("out", "solo"):
        assert targets(f"duo:{part}_left") == {"system:playback_1"}
        assert targets(f"duo:{part}_right") == {"system:playback_2"}
        assert not targets(f"apart:{part}_left")


def test_what_the_player_pulls_out_stays_out(
    jack_server, play_live, plug_in, neighbour
):
    program = play_live(jack_server.name, *MUSIC, connects=True)
    keyboard = plug_in()
    program.wait_until(keyboard.heard_by, "the connection")
    neighbour.client.disconnect("keys:out", "jackcomp:midi_in")
    later = plug_in("later")
    program.wait_until(later.heard_by, "the connection of another one")
    assert not keyboard.heard_by()


def test_a_keyboard_that_is_unplugged_leaves_no_note_of_the_soloist(
    jack_server, play_live, plug_in, neighbour
):
    organ = ("--solo-program", 19)  # its notes do not die away by themselves
    program = play_live(jack_server.name, *MUSIC, *organ, connects=True)
    neighbour.hear("jackcomp:solo_left")
    keyboard = plug_in()
    program.wait_until(keyboard.heard_by, "the connection")
    keyboard.strike(0x90, 60, 100)
    program.wait_until(lambda: neighbour.level > 1e-3, "the organ")
    keyboard.unplug()
    program.wait_until(lambda: neighbour.level < 1e-5, "silence")


def test_two_ports_of_one_keyboard_are_one_soloist(jack_server, play_live, plug_in):
    program = play_live(jack_server.name, *MUSIC, connects=True)
    keyboard = plug_in(ports=("keys", "daw"))
    program.wait_until(
        lambda: len(lines_with(program, "connected keys:")) == 2, "both connections"
    )
    for note in TUNE:
        keyboard.strike(0x90, note, 90)
        keyboard.strike(0x80, note, 0)
    program.wait_until(
        lambda: program.stats["solo_notes"] >= len(TUNE), "the soloist's notes"
    )
    assert program.stats["solo_notes"] == len(TUNE)


FACTS = {
    "midi_in": {"pretty-name": "Soloist", "order": "0", "event-types": "MIDI"},
    "out_left": {
        "pretty-name": "Accompaniment left",
        "order": "3",
        "signal-type": "AUDIO",
        "port-group": "Accompaniment",
    },
    "solo_right": {
        "pretty-name": "Soloist right",
        "order": "6",
        "signal-type": "AUDIO",
        "port-group": "Soloist",
    },
    "click": {"pretty-name": "Click", "order": "7", "signal-type": "AUDIO"},
}
ATTEMPTS = 5

# In a process of its own: JACK opens its store of metadata once for each process, and a
# server that ends deletes it.
ASKING = """
import json, sys
import jack

client = jack.Client("asking", servername=sys.argv[1], no_start_server=True)
told = {}
for asked in sys.argv[2:]:
    uuid = int(asked) if asked.isdigit() else client.get_port_by_name(asked).uuid
    found = jack.get_properties(uuid).items()
    facts = {key.rpartition("/")[2]: value.decode() for key, (value, _) in found}
    told[asked] = [int(uuid), facts]
print(json.dumps(told))
client.close()
"""


def ask(server, *ports):
    """Give uuid and metadata of ports, by name or by uuid."""
    command = [sys.executable, "-c", ASKING, server.name, *map(str, ports)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout).values())


def test_the_ports_say_what_they_are_and_leave_nothing_behind(jack_server, play_live):
    # All servers of a user share one store, with the same numbers for their ports:
    # what another client sets and removes there may be ours.
    for _ in range(ATTEMPTS):
        program = play_live(jack_server.name, *MUSIC)
        program.wait_until(says(program, "plays as"), "the start")
        told = ask(jack_server, *(f"jackcomp:{port}" for port in FACTS))
        found = {port: facts for port, (_, facts) in zip(FACTS, told, strict=True)}
        program.signal(signal.SIGTERM)
        assert program.exit_code() == 0
        left = [facts for _, facts in ask(jack_server, *(uuid for uuid, _ in told))]
        if found == FACTS and not any(left):
            break
    assert found == FACTS
    assert not any(left)


def test_a_name_that_is_taken_is_changed_or_refused(
    jack_server, play_live, run_jackcomp
):
    play_live(jack_server.name, *MUSIC)
    second = play_live(jack_server.name, *MUSIC)
    assert lines_with(second, "jackcomp plays as 'jackcomp-01'")
    done = run_jackcomp("--exact-name", "--server", jack_server.name, "--no-connect")
    assert done.returncode == 1
    assert done.stderr == (
        "jackcomp: the JACK client name 'jackcomp' is taken: choose another with "
        "--name, or leave out --exact-name\n"
    )


def test_latencies_are_told_to_both_sides(
    jack_server, play_live, plug_in, run_jackcomp
):
    program = play_live(jack_server.name, *MUSIC, connects=True)
    keyboard = plug_in()
    program.wait_until(keyboard.heard_by, "the connection")
    done = run_jackcomp("ports", "--latency", "--server", jack_server.name)
    assert done.returncode == 0, done.stderr
    rows, port = {}, ""
    for line in done.stdout.splitlines():
        first, second, *rest = line.split("\t")
        if first:
            port = rest[0]
        else:
            rows[port, second] = rest
    frames, ms = rows["system:playback_1", "playback"]
    late = int(frames.split()[0])
    assert late > 0
    assert ms == f"{1000 * late / RATE:.1f} ms"
    assert rows["jackcomp:out_left", "playback"] == [frames, ms]
    # From a key to the ear: as late as the speakers, and FluidSynth's grid.
    assert rows["jackcomp:midi_in", "playback"] == [
        f"{late}-{late + 63} frames",
        f"{1000 * late / RATE:.1f}-{1000 * (late + 63) / RATE:.1f} ms",
    ]
    assert rows["jackcomp:solo_left", "capture"][0] == "0-63 frames"
    assert rows["jackcomp:out_left", "capture"][0] == "0 frames"
