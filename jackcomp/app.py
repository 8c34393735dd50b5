"""What the commands call: live play, rendering, and questions to the server."""

from typing import TYPE_CHECKING

from jackcomp.config import Settings
from jackcomp.live import play
from jackcomp.rendering import RenderJob, render

if TYPE_CHECKING:
    from jackcomp.engine.host import PortInfo

__all__ = ["RenderJob", "list_ports", "play", "probe_server", "render"]


def list_ports(settings: Settings) -> "list[PortInfo]":
    """List the ports of the server's graph."""
    # Late: importing JACK fails where its library is missing.
    from jackcomp.engine import host

    client = host.open_client(settings.name, settings.server)
    try:
        return host.list_ports(client)
    finally:
        client.close()


def probe_server(settings: Settings) -> tuple[int, int]:
    """Return sample rate and period of the server that runs."""
    from jackcomp.engine import host

    client = host.open_client(settings.name, settings.server)
    try:
        return client.samplerate, client.blocksize
    finally:
        client.close()
