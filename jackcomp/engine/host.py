"""The JACK client: opening, ports, connections, closing (set-up only).

JACK-Client opens the client and watches the graph; the callbacks are in C
(``core/jack_host.c``), because a Python callback misses its deadline as soon as
another Python thread is busy. The raw pointers that C needs are private
attributes of JACK-Client: this file is the only place that reads them, and it
checks that they exist.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

try:
    import jack
except OSError as missing:
    raise ImportError(
        "cannot find JACK's library: apt install libjack-jackd2-0"
    ) from missing

from jackcomp.engine import _core
from jackcomp.engine._jack_host import ffi, lib
from jackcomp.engine.link import Engine
from jackcomp.errors import EngineError

AUDIO_PORTS = ("out_left", "out_right", "solo_left", "solo_right", "click")
PRETTY_NAMES = {
    "midi_in": "Soloist",
    "control_in": "Control",
    "midi_out": "Accompaniment",
    "out_left": "Accompaniment left",
    "out_right": "Accompaniment right",
    "solo_left": "Soloist left",
    "solo_right": "Soloist right",
    "click": "Click",
}
_METADATA = "http://jackaudio.org/metadata/"
_STOP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port of the graph: its name, 'audio' or 'midi', 'in' or 'out'."""

    name: str
    kind: str
    direction: str
    is_physical: bool


def open_client(name: str, server: str | None, *, exact: bool = False) -> jack.Client:
    """Open a client on a server that already runs; nothing is started.

    Raises
    ------
    EngineError
        If there is no such server; the message says how to start one.
    """
    jack.set_error_function(_ignore)
    jack.set_info_function(_ignore)
    try:
        return jack.Client(
            name, use_exact_name=exact, no_start_server=True, servername=server
        )
    except jack.JackOpenError as error:
        shown = server or "default"
        option = f" -n {server}" if server else ""
        raise EngineError(
            f"cannot reach JACK server '{shown}': start one, for instance "
            f"'jackd{option} -d alsa' or QjackCtl, or name another with --server"
        ) from error


def _ignore(message: str) -> None:
    """JACK's library prints what we say better, in one line."""


def list_ports(client: jack.Client) -> list[PortInfo]:
    """List all ports of the graph."""
    return [
        PortInfo(
            port.name,
            "midi" if port.is_midi else "audio",
            "in" if port.is_input else "out",
            port.is_physical,
        )
        for port in client.get_ports()
    ]


class JackHost:
    """Runs an engine in the process callback of a JACK client.

    Parameters
    ----------
    client : jack.Client
        Open, not active.
    engine : Engine
        Made for the client's sample rate. It must outlive the host.
    """

    def __init__(self, client: jack.Client, engine: Engine) -> None:
        self._client = client
        self._engine = engine
        self._is_active = False
        midi = client.midi_inports.register, client.midi_outports.register
        self._midi_in = midi[0]("midi_in")
        self._control_in = midi[0]("control_in")
        self._midi_out = midi[1]("midi_out")
        self._audio = [client.outports.register(name) for name in AUDIO_PORTS]
        pointers = [_pointer(port) for port in self._audio]
        self._host = lib.jack_host_new(
            _pointer(client),
            _pointer(self._midi_in),
            _pointer(self._midi_out),
            ffi.new("uintptr_t[]", pointers),
            engine.pointer,
            _address(_core.ffi.addressof(_core.lib, "engine_cycle")),
            _address(_core.ffi.addressof(_core.lib, "engine_measured")),
        )
        if self._host == ffi.NULL:
            raise EngineError("the JACK server refuses our callbacks: restart it")

    @property
    def period(self) -> int:
        """Frames in a cycle, as JACK last said."""
        return int(lib.jack_host_period(self._host))

    @property
    def is_gone(self) -> bool:
        """Whether the server has shut us down."""
        return bool(lib.jack_host_is_gone(self._host))

    @property
    def xrun_load(self) -> float:
        """DSP load of the whole graph in percent."""
        return float(self._client.cpu_load())

    def start(self) -> None:
        """Activate the client: the cycle runs from here on."""
        self._client.activate()
        self._is_active = True
        for order, (name, pretty) in enumerate(PRETTY_NAMES.items()):
            port = self._client.get_port_by_name(f"{self._client.name}:{name}")
            kind = "MIDI" if port.is_midi else "AUDIO"
            for key, value, kind_of_text in (
                ("pretty-name", pretty, "text/plain"),
                ("order", str(order), "http://www.w3.org/2001/XMLSchema#int"),
                ("signal-type", kind, "text/plain"),
            ):
                self._client.set_property(
                    port.uuid, _METADATA + key, value, kind_of_text
                )

    def connect(self, sources: Sequence[str]) -> list[str]:
        """Connect keyboards to ``midi_in`` and our sound to the first speakers.

        Parameters
        ----------
        sources : sequence of str
            Regular expressions for MIDI sources by full port name; none means all
            physical ones except MIDI Through. ``midi_out`` never feeds ``midi_in``.

        Returns
        -------
        list of str
            One line for each connection, made or refused.
        """
        made = []
        for port in self._client.get_ports(is_midi=True, is_output=True):
            if port.name.startswith(f"{self._client.name}:"):
                continue
            by_name = any(re.search(pattern, port.name) for pattern in sources)
            by_kind = port.is_physical and "midi through" not in port.name.lower()
            if by_name or (not sources and by_kind):
                made.append(self._connect(port, self._midi_in))
        speakers = self._client.get_ports(
            is_audio=True, is_input=True, is_physical=True
        )[:2]
        for name, port in zip(AUDIO_PORTS, self._audio, strict=True):
            # The click goes to both sides.
            side = speakers[1:] if name.endswith("right") else speakers[:1]
            for speaker in speakers if name == "click" else side:
                made.append(self._connect(port, speaker))
        return made

    def _connect(self, source: jack.Port, target: jack.Port) -> str:
        """Connect two ports; say what was done, or why it was refused."""
        pair = f"{source.name} -> {target.name}"
        try:
            self._client.connect(source, target)
        except jack.JackError as error:
            return f"cannot connect {pair}: {error}"
        return f"connected {pair}"

    def release(self) -> None:
        """Release all notes and wait until that has reached the listeners.

        Only silence follows. It may be called again, also while it waits.
        """
        if not self._is_active or self.is_gone:
            return
        self._engine.ask_stop()
        give_up = time.monotonic() + _STOP_SECONDS
        while not self._engine.has_stopped() and time.monotonic() < give_up:
            time.sleep(self.period / self._engine.rate / 2)
        # The release leaves with the cycle that gave the receipt; one more cycle,
        # and it has reached the listeners.
        frame = self._engine.counters().last_frame
        while (
            self._engine.counters().last_frame < frame + self.period
            and time.monotonic() < give_up
        ):
            time.sleep(self.period / self._engine.rate / 2)

    def stop(self) -> None:
        """Release all notes and leave the graph."""
        self.release()
        is_in_graph = self._is_active and not self.is_gone
        self._is_active = False
        if is_in_graph:
            self._client.deactivate()
        self._client.close()
        lib.jack_host_free(self._host)


def _pointer(owner: object) -> int:
    """Read the C pointer of a client or port of JACK-Client."""
    pointer = getattr(owner, "_ptr", None)
    if pointer is None:
        raise EngineError(
            "this JACK-Client hides its pointers: install 'JACK-Client>=0.5.7,<0.6'"
        )
    return int(jack._ffi.cast("uintptr_t", pointer))


def _address(function: object) -> int:
    return int(_core.ffi.cast("uintptr_t", function))
