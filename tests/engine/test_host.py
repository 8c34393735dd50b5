"""What of the JACK host needs no server; the rest is in tests/integration."""

import threading

import pytest
from jackcomp.engine._jack_host import ffi

from jackcomp.engine import host as jack_host
from jackcomp.engine.host import JackHost


class HangingClient:
    """Its closing hangs until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.is_closed = threading.Event()

    def close(self) -> None:
        self.let_go.wait(60)
        self.is_closed.set()


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(jack_host, "_CLOSE_SECONDS", 0.01)
    client = HangingClient()
    yield client
    client.let_go.set()


def host_of(client: HangingClient) -> JackHost:
    host = object.__new__(JackHost)
    host._client, host._host, host._is_active = client, ffi.NULL, True
    return host


def test_a_library_that_hangs_in_closing_is_left_alone(client):
    host = host_of(client)
    assert not host.leave()
    assert not client.is_closed.is_set()
    client.let_go.set()
    assert client.is_closed.wait(60)


def test_a_library_that_closes_is_waited_for(client, monkeypatch):
    monkeypatch.setattr(jack_host, "_CLOSE_SECONDS", 60.0)
    client.let_go.set()
    assert host_of(client).leave()
    assert client.is_closed.is_set()
