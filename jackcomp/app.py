"""What the commands call: live play, rendering, and questions to the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jackcomp.config import Settings
from jackcomp.engine.wiring import PortInfo
from jackcomp.live import play
from jackcomp.rendering import RenderJob, render

if TYPE_CHECKING:
    from jackcomp.engine.host import Client

__all__ = ["Latency", "RenderJob", "list_ports", "play", "probe_server", "render"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies of a port, in frames: shortest and longest way, and the rate."""

    capture: tuple[int, int]
    playback: tuple[int, int]
    rate: int


def list_ports(settings: Settings) -> list[tuple[PortInfo, Latency]]:
    """List the ports of the server's graph, and how late each is."""
    with _client(settings) as client:
        # Late: importing JACK fails where its library is missing.
        from jackcomp.engine import host

        found = []
        for port in host.list_ports(client):
            latency = host.port_latency(client, port.name)
            rows = Latency(latency[:2], latency[2:], client.samplerate)
            found.append((port, rows))
        return found


def probe_server(settings: Settings) -> tuple[int, int]:
    """Return sample rate and period of the server that runs."""
    with _client(settings) as client:
        return client.samplerate, client.blocksize


@contextmanager
def _client(settings: Settings) -> "Iterator[Client]":
    from jackcomp.engine import host

    client = host.open_client(settings.name, settings.server)
    try:
        yield client
    finally:
        client.close()
