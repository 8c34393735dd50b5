"""The positive control: the cycle in Python, and the same busy thread beside it.

All but the cycle is jackcomp's own: the JACK host in C, which calls the cycle and
measures it, the ports, FluidSynth with the same settings, the stress. The cycle
plays the soloist's notes and strikes a bass and a three-note chord in eighths, as
the style `pop` does; reverb, limiter and clock it does without.
"""

import argparse
import ctypes
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import fluidsynth
import jack
from jackcomp.engine._jack_host import ffi, lib

from jackcomp.engine import _core
from jackcomp.engine.host import (
    AUDIO_PORTS,
    MIDI_INPUTS,
    MIDI_OUTPUTS,
    _address,
    _pointer,
    open_client,
)
from jackcomp.engine.link import Engine, EngineSettings, cycle_percentile_us
from jackcomp.engine.synth import Synth
from jackcomp.live import SWITCH_SECONDS, _stress

NAME = "python-callback"
EIGHTHS_PER_SECOND = 4
CHORDS = ((41, 60, 65, 69), (43, 59, 62, 67), (36, 60, 64, 67), (45, 60, 64, 69))
EIGHTHS_PER_CHORD = 4
VELOCITY = 70
SOLO_CHANNEL, PART_CHANNEL = 0, 1
# Where the two audio groups of the synth go, left and right, in AUDIO_PORTS.
GROUP_PORTS = (2, 3, 0, 1)
STATS_SECONDS = 0.25


class PythonCycle:
    """One cycle of the accompanist, as a Python program would have it."""

    def __init__(self, synth: Synth, rate: int) -> None:
        self._synth = synth.pointer
        self._process = ctypes.CDLL(fluidsynth.lib).fluid_synth_process
        self._eighth = rate // EIGHTHS_PER_SECOND
        self._until_next = 0
        self._eighths = 0
        self._sounding: tuple[int, ...] = ()
        self.notes = 0

    def run(self, io: Any) -> None:
        """Play one period into the audio ports."""
        for index in range(io.midi_in_count):
            self._play_solo(io.midi_in[index])
        self._until_next -= io.nframes
        if self._until_next <= 0:
            self._until_next += self._eighth
            self._strike()
        self._render(io)

    def _play_solo(self, message: Any) -> None:
        status, key, velocity = message.bytes
        if status & 0xF0 == 0x90:
            fluidsynth.fluid_synth_noteon(self._synth, SOLO_CHANNEL, key, velocity)
        elif status & 0xF0 == 0x80:
            fluidsynth.fluid_synth_noteoff(self._synth, SOLO_CHANNEL, key)

    def _strike(self) -> None:
        for key in self._sounding:
            fluidsynth.fluid_synth_noteoff(self._synth, PART_CHANNEL, key)
        self._sounding = CHORDS[self._eighths // EIGHTHS_PER_CHORD % len(CHORDS)]
        for key in self._sounding:
            fluidsynth.fluid_synth_noteon(self._synth, PART_CHANNEL, key, VELOCITY)
        self.notes += len(self._sounding)
        self._eighths += 1

    def _render(self, io: Any) -> None:
        audio = [
            int(_core.ffi.cast("uintptr_t", io.audio[port]))
            for port in range(len(AUDIO_PORTS))
        ]
        for address in audio:
            ctypes.memset(address, 0, io.nframes * ctypes.sizeof(ctypes.c_float))
        groups = (ctypes.c_void_p * 4)(*(audio[port] for port in GROUP_PORTS))
        synth = ctypes.c_void_p(self._synth)
        self._process(synth, ctypes.c_int(io.nframes), 0, None, 4, groups)


def main() -> None:
    """Play until SIGTERM; write the counters as `jackcomp --stats` does."""
    parser = argparse.ArgumentParser(description="The cycle in Python.")
    parser.add_argument("--server", required=True)
    parser.add_argument("--sf2", type=Path, required=True)
    parser.add_argument("--stats", type=Path, required=True)
    parser.add_argument("--connect", required=True, help="name of the soloist's port")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    sys.setswitchinterval(SWITCH_SECONDS)
    client = open_client(NAME, options.server)
    # This engine never plays: it only holds the counters.
    settings = EngineSettings(500_000_000, 7680, 1920, ((52, 0),))
    engine = Engine(client.samplerate, settings)
    cycle = PythonCycle(Synth(options.sf2, client.samplerate), client.samplerate)

    signature = "void(engine *, cycle_io *)"
    callback = _core.ffi.callback(signature, lambda _, io: cycle.run(io))
    host = _install(client, engine, callback)
    with _stress(), options.stats.open("w", encoding="utf-8") as stats:
        client.activate()
        client.connect(options.connect, f"{client.name}:midi_in")
        while not lib.jack_host_is_gone(host):
            time.sleep(STATS_SECONDS)
            print(json.dumps(_record(engine, cycle)), file=stats, flush=True)


def _record(engine: Engine, cycle: PythonCycle) -> dict[str, object]:
    counters, histogram = engine.counters(), engine.histogram()
    return {
        "time": time.monotonic(),
        "cycle_us": {
            "p50": cycle_percentile_us(histogram, 50),
            "p99": cycle_percentile_us(histogram, 99),
            "p999": cycle_percentile_us(histogram, 99.9),
            "max": counters.max_cycle_ns / 1000,
        },
        "own_misses": counters.own_misses,
        "late_events": 0,
        "notes_on": cycle.notes,
    }


def _install(client: jack.Client, engine: Engine, cycle: object) -> object:
    """Do as `JackHost` does, but with this cycle."""
    ports = [client.midi_inports.register(name) for name in MIDI_INPUTS]
    ports += [client.midi_outports.register(name) for name in MIDI_OUTPUTS]
    ports += [client.outports.register(name) for name in AUDIO_PORTS]
    return lib.jack_host_new(
        _pointer(client),
        ffi.new("uintptr_t[]", [_pointer(port) for port in ports]),
        engine.pointer,
        _address(cycle),
        _address(_core.ffi.addressof(_core.lib, "engine_measured")),
        _address(_core.ffi.addressof(_core.lib, "engine_await_answer")),
    )


if __name__ == "__main__":
    main()
