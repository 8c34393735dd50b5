"""Which ports are to be connected when something in the graph has changed.

Keyboards and speakers are connected when they appear; what the player has connected
by hand is connected again when it comes back, after the server was restarted too;
what the player has pulled out stays out. Pure: reads lists, returns pairs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port of the graph: its name, 'audio' or 'midi', 'in' or 'out'.

    ``births`` tells it from one of the same name that was there before.
    """

    name: str
    kind: str
    direction: str
    is_physical: bool
    births: int = 0


Pair = tuple[str, str]
"""A port of ours by its short name, and another by its full name."""

SPEAKERS = {
    "out_left": (0,),
    "out_right": (1,),
    "solo_left": (0,),
    "solo_right": (1,),
    "click": (0, 1),
}
"""Which of the first two speakers each output goes to."""


class Wiring:
    """Remembers what was there and what was connected.

    Parameters
    ----------
    patterns : sequence of str
        Regular expressions for MIDI sources by full name; none means all physical
        ones except MIDI Through.
    connects : bool
        Whether keyboards and speakers are connected by themselves.
    """

    def __init__(self, patterns: Sequence[str], *, connects: bool) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]
        self._connects = connects
        self._known: frozenset[tuple[str, int]] = frozenset()
        self._kept: frozenset[Pair] = frozenset()
        self._loose: frozenset[Pair] = frozenset()

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be seen until the graph changes.

        A client that leaves is disconnected before its ports go: only what is still
        there at the next look was pulled out by the player.
        """
        return not self._loose

    def forget_ports(self) -> None:
        """Take all ports as new at the next look: the server has gone."""
        self._known = frozenset()
        self._loose = frozenset()

    def look(self, ports: Iterable[PortInfo], connected: Iterable[Pair]) -> list[Pair]:
        """Say what is to be connected now.

        Parameters
        ----------
        ports : iterable of PortInfo
            All ports of other clients.
        connected : iterable of Pair
            The connections that our ports have.

        Returns
        -------
        list of Pair
            In the order of the ports.
        """
        ports = list(ports)
        connected = frozenset(connected)
        present = frozenset((port.name, port.births) for port in ports)
        stayed = {name for name, _ in present & self._known}
        loose = {pair for pair in self._kept - connected if pair[1] in stayed}
        pulled = loose & self._loose
        self._loose = frozenset(loose - pulled)
        self._kept = (self._kept - pulled) | connected
        new = [port for port in ports if (port.name, port.births) not in self._known]
        self._known = present
        wanted = [
            pair for port in new for pair in sorted(self._kept) if pair[1] == port.name
        ]
        if self._connects:
            wanted += [
                ("midi_in", port.name) for port in new if self._is_keyboard(port)
            ]
            wanted += self._speakers(ports, new)
        return [pair for pair in dict.fromkeys(wanted) if pair not in connected]

    def _is_keyboard(self, port: PortInfo) -> bool:
        if (port.kind, port.direction) != ("midi", "out"):
            return False
        if self._patterns:
            return any(pattern.search(port.name) for pattern in self._patterns)
        return port.is_physical and "midi through" not in port.name.lower()

    def _speakers(self, ports: list[PortInfo], new: list[PortInfo]) -> list[Pair]:
        """Connect outputs that go nowhere to the first pair, if it has appeared."""
        speakers = [
            port
            for port in ports
            if (port.kind, port.direction) == ("audio", "in") and port.is_physical
        ][:2]
        used = {ours for ours, _ in self._kept}
        return [
            (ours, speakers[side].name)
            for ours, sides in SPEAKERS.items()
            if ours not in used
            for side in dict.fromkeys(min(side, len(speakers) - 1) for side in sides)
            if speakers and speakers[side] in new
        ]
