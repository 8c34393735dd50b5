"""The station, with a graph and a server that this file plays."""

import pytest

from jackcomp import station as station_module
from jackcomp.config import load_settings
from jackcomp.engine.link import Engine, EngineSettings
from jackcomp.engine.wiring import PortInfo
from jackcomp.errors import EngineError
from jackcomp.station import Station

KEYS = PortInfo("keys:out", "midi", "out", True)


class Client:
    name = "jackcomp"

    def __init__(self, rate: int, period: int) -> None:
        self.samplerate, self.blocksize = rate, period


class Host:
    """Plays a `JackHost`."""

    made: list["Host"] = []  # noqa: RUF012

    def __init__(self, client: Client, engine: Engine) -> None:
        self.period, self.changes, self.foreign_beats = client.blocksize, 0, 0
        self.load, self.is_gone, self.hangs = 1.0, False, False
        self.is_released = self.has_left = self.is_changing = False
        self.pairs: list[tuple[str, str]] = []
        self.made.append(self)

    def start(self) -> str:
        return ""

    def ports(self) -> list[PortInfo]:
        if self.is_changing:
            raise EngineError("a port has gone")
        return [KEYS]

    def connections(self) -> list[tuple[str, str]]:
        return self.pairs

    def connect(self, pair: tuple[str, str]) -> str:
        self.pairs.append(pair)
        return f"connected {pair}"

    def release(self) -> None:
        self.is_released = True

    def leave(self) -> bool:
        self.has_left = True
        return not self.hangs

    def stop(self) -> None:
        self.release()


class World:
    """A station, what it has said, and the server that it looks for."""

    def __init__(self, monkeypatch) -> None:
        from jackcomp.engine import host

        self.now, self.tries = 0.0, 0
        self.server: Client | None = Client(48_000, 256)
        self.said: list[str] = []
        self.adapted: list[tuple[int, int]] = []
        Host.made = []
        monkeypatch.setattr(host, "JackHost", Host)
        monkeypatch.setattr(host, "open_client", self.open)
        monkeypatch.setattr(station_module.time, "monotonic", lambda: self.now)
        start = EngineSettings(500_000_000, 7680, 1920, ((52, 0),))
        self.engine = Engine(48_000, start)
        self.station = Station(
            load_settings({}, None, {}),
            self.engine,
            lambda rate, period: self.adapted.append((rate, period)),
            self.said.append,
        )
        self.station.enter(self.server)
        self.station.look()

    def open(self, name, server, *, exact):
        self.tries += 1
        if self.server is None:
            raise EngineError("no server")
        return self.server

    @property
    def host(self) -> Host:
        return Host.made[-1]


@pytest.fixture
def world(monkeypatch):
    world = World(monkeypatch)
    yield world
    world.engine.close()


def test_it_waits_for_the_server_ever_longer_and_comes_back(world):
    assert world.host.pairs == [("midi_in", KEYS.name)]
    lost = world.host
    lost.is_gone, world.server = True, None
    world.station.look()
    assert lost.has_left
    assert world.said[-1] == "the JACK server has gone: waiting for it"
    for tenth_ms in range(100_000):
        world.now = tenth_ms / 10_000
        world.station.look()
    assert 20 < world.tries < 40  # ten seconds, most pauses of 0.4
    world.server = Client(44_100, 1024)
    world.now += 0.4
    world.station.look()
    assert world.adapted[-1] == (44_100, 1024)
    assert world.host is not lost
    assert world.said[-1].startswith("the JACK server is back: ")
    world.station.look()
    assert world.host.pairs == [("midi_in", KEYS.name)]


def test_a_library_that_hangs_is_told(world):
    world.host.hangs = world.host.is_gone = True
    world.server = None
    world.station.look()
    assert world.said[-1].startswith("JACK's library hangs on to the old server")


def test_a_graph_that_changes_while_it_is_listed_is_looked_at_again(world):
    host = world.host
    host.pairs.clear()
    world.station._wiring.forget_ports()
    host.changes += 1
    host.is_changing = True
    world.station.look()
    assert not host.pairs
    host.is_changing = False
    world.station.look()
    assert host.pairs == [("midi_in", KEYS.name)]


def test_another_period_is_adapted_to_once(world):
    world.host.period = 512
    for _ in range(3):
        world.station.look()
    assert world.adapted == [(48_000, 256), (48_000, 512)]
    assert world.station.period == 512


def test_leaving_and_releasing_do_nothing_without_a_server(world):
    world.host.is_gone, world.server = True, None
    world.station.look()
    world.station.release()
    world.station.leave()
    assert not world.host.is_released


def test_leaving_releases_the_notes(world):
    world.station.leave()
    assert world.host.is_released
    assert world.station.load == 0.0
