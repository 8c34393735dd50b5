"""The JACK client: opening, ports, metadata, connections, closing (set-up only).

JACK-Client opens the client and lists the graph; the callbacks are in C
(``core/jack_host.c``), because a Python callback misses its deadline as soon as
another Python thread is busy. The raw pointers that C needs are private
attributes of JACK-Client: this file is the only place that reads them, and it
checks that they exist.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeAlias

try:
    import jack
except OSError as missing:
    raise ImportError(
        "cannot find JACK's library: apt install libjack-jackd2-0"
    ) from missing

from jackcomp.engine import _core
from jackcomp.engine._jack_host import ffi, lib
from jackcomp.engine.link import Engine
from jackcomp.engine.wiring import Pair, PortInfo
from jackcomp.errors import EngineError

Client: TypeAlias = jack.Client

MIDI_INPUTS, MIDI_OUTPUTS = ("midi_in", "control_in"), ("midi_out",)
AUDIO_PORTS = ("out_left", "out_right", "solo_left", "solo_right", "click")
PORTS = (*MIDI_INPUTS, *MIDI_OUTPUTS, *AUDIO_PORTS)
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
PORT_GROUPS = {
    "out_left": "Accompaniment",
    "out_right": "Accompaniment",
    "solo_left": "Soloist",
    "solo_right": "Soloist",
}
_METADATA = "http://jackaudio.org/metadata/"
_TEXT, _INTEGER = "text/plain", "http://www.w3.org/2001/XMLSchema#int"
_STOP_SECONDS = 0.4
_CLOSE_SECONDS = 1.0


def open_client(name: str, server: str | None, *, exact: bool = False) -> Client:
    """Open a client on a server that already runs; nothing is started.

    Raises
    ------
    EngineError
        If there is no such server, or with ``exact`` the name is taken; the message
        says what to do.
    """
    jack.set_error_function(_ignore)
    jack.set_info_function(_ignore)
    try:
        return jack.Client(
            name, use_exact_name=exact, no_start_server=True, servername=server
        )
    except jack.JackOpenError as error:
        if exact:
            # JACK does not say which it was; the message for no server follows here.
            open_client(name, server).close()
            raise EngineError(
                f"the JACK client name '{name}' is taken: choose another with --name, "
                "or leave out --exact-name"
            ) from error
        shown = server or "default"
        option = f" -n {server}" if server else ""
        raise EngineError(
            f"cannot reach JACK server '{shown}': start one, for instance "
            f"'jackd{option} -d alsa' or QjackCtl, or name another with --server"
        ) from error


def _ignore(message: str) -> None:
    """JACK's library prints what we say better, in one line."""


def list_ports(client: Client) -> list[PortInfo]:
    """List all ports of the graph.

    Raises
    ------
    EngineError
        If one goes while they are listed.
    """
    with _while_it_lasts():
        return [
            PortInfo(
                port.name,
                "midi" if port.is_midi else "audio",
                "in" if port.is_input else "out",
                port.is_physical,
            )
            for port in client.get_ports()
        ]


@contextmanager
def _while_it_lasts() -> Iterator[None]:
    """JACK-Client looks a port up again by its name, and it may have gone by then."""
    try:
        yield
    except jack.JackError as error:
        raise EngineError(
            f"the JACK graph changed while it was listed ({error}): try again"
        ) from error


class JackHost:
    """Runs an engine in the process callback of a JACK client.

    Parameters
    ----------
    client : jack.Client
        Open, not active.
    engine : Engine
        Made for the client's sample rate. It must outlive the host.
    """

    def __init__(self, client: Client, engine: Engine) -> None:
        self._client = client
        self._engine = engine
        self._is_active = False
        makers = (
            (client.midi_inports, MIDI_INPUTS),
            (client.midi_outports, MIDI_OUTPUTS),
            (client.outports, AUDIO_PORTS),
        )
        self._ports = {
            name: ports.register(name) for ports, names in makers for name in names
        }
        self._host = lib.jack_host_new(
            _pointer(client),
            ffi.new("uintptr_t[]", [_pointer(self._ports[name]) for name in PORTS]),
            engine.pointer,
            *(
                _address(_core.ffi.addressof(_core.lib, name))
                for name in ("engine_cycle", "engine_measured", "engine_await_answer")
            ),
        )
        if self._host == ffi.NULL:
            raise EngineError("the JACK server refuses our callbacks: restart it")

    @property
    def name(self) -> str:
        """The name that the server has given us."""
        return str(self._client.name)

    @property
    def period(self) -> int:
        """Frames in a cycle, as JACK last said."""
        return int(lib.jack_host_period(self._host))

    @property
    def is_gone(self) -> bool:
        """Whether the server has shut us down."""
        return bool(lib.jack_host_is_gone(self._host))

    @property
    def changes(self) -> int:
        """A number that rises with every change of ports and connections."""
        return int(lib.jack_host_changes(self._host))

    @property
    def foreign_beats(self) -> int:
        """Beats in a bar of another timebase master; 0 if there is none."""
        return int(lib.jack_host_foreign_beats(self._host))

    @property
    def load(self) -> float:
        """DSP load of the whole graph in percent."""
        return float(self._client.cpu_load())

    def lead(self) -> bool:
        """Become timebase master, unless another client is; before `start`."""
        return int(lib.jack_host_lead(self._host)) == 0

    def start(self) -> str:
        """Activate the client: the cycle runs from here on.

        Returns
        -------
        str
            What the server did not take, in one line; empty if it took all.
        """
        self._client.activate()
        self._is_active = True
        try:
            for subject, key, value, kind in self._metadata():
                self._client.set_property(subject, key, value, kind)
        except ValueError as error:
            # PipeWire without a session manager keeps no metadata.
            return f"ports show without readable names: {error}"
        return ""

    def _metadata(self) -> Iterator[tuple[int, str, str, str]]:
        """Say what each port is: its number, key, value and kind of value."""
        for order, (name, port) in enumerate(self._ports.items()):
            yield port.uuid, _METADATA + "pretty-name", PRETTY_NAMES[name], _TEXT
            yield port.uuid, _METADATA + "order", str(order), _INTEGER
            if port.is_midi:
                yield port.uuid, _METADATA + "event-types", "MIDI", _TEXT
            else:
                yield port.uuid, _METADATA + "signal-type", "AUDIO", _TEXT
            if name in PORT_GROUPS:
                yield port.uuid, _METADATA + "port-group", PORT_GROUPS[name], _TEXT

    def ports(self) -> list[PortInfo]:
        """List the ports of the others; `EngineError` if one goes meanwhile."""
        ours = f"{self.name}:"
        return [
            replace(port, births=lib.jack_host_births(self._host, port.name.encode()))
            for port in list_ports(self._client)
            if not port.name.startswith(ours)
        ]

    def connections(self) -> set[Pair]:
        """Return what our ports are connected with; `EngineError` as in `ports`."""
        with _while_it_lasts():
            return {
                (name, other.name)
                for name, port in self._ports.items()
                for other in port.connections
            }

    def connect(self, pair: Pair) -> str:
        """Connect two ports; say what was done, or why it was refused."""
        ours, other = pair
        names = [f"{self.name}:{ours}", other]
        if ours in MIDI_INPUTS:
            names.reverse()
        try:
            self._client.connect(*names)
        except jack.JackError as error:
            return f"cannot connect {names[0]} -> {names[1]}: {error}"
        return f"connected {names[0]} -> {names[1]}"

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
        """Release all notes and leave the graph, metadata and all."""
        self.release()
        if self._is_active and not self.is_gone:
            for subject, key, _, _ in self._metadata():
                # Somebody else has removed it, or it was never taken.
                with suppress(jack.JackError, ValueError):
                    self._client.remove_property(subject, key)
            self._client.deactivate()
        self.leave()

    def leave(self) -> bool:
        """Close the client; False if JACK's library hangs in that.

        It does at times when the server has gone (jackaudio/jack2#395). Then the
        client is left alone, with all that its thread may still touch.
        """
        self._is_active = False
        closing = threading.Thread(target=self._close, name="jackcomp-close")
        closing.daemon = True
        closing.start()
        closing.join(_CLOSE_SECONDS)
        return not closing.is_alive()

    def _close(self) -> None:
        self._client.close()
        lib.jack_host_free(self._host)


def port_latency(client: Client, port: str) -> tuple[int, int, int, int]:
    """Return the latencies of a port: capture from, to, playback from, to; frames."""
    found = lib.jack_latency(_pointer(client), port.encode())
    return (
        found.capture_min,
        found.capture_max,
        found.playback_min,
        found.playback_max,
    )


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
