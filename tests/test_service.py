import configparser
import os
import socket
from pathlib import Path

import pytest

from jackcomp.options import OPTIONS
from jackcomp.service import ServiceManager


@pytest.fixture
def manager_socket(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


def told(manager_socket) -> list[bytes]:
    messages = []
    while True:
        try:
            messages.append(manager_socket.recv(1000))
        except BlockingIOError:
            return messages


def environment(tmp_path, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}


def test_it_is_told_ready_and_stopping(manager_socket, tmp_path):
    manager = ServiceManager(pytest.fail, environment(tmp_path))
    manager.ready("plays")
    manager.stopping()
    manager.close()
    assert told(manager_socket) == [b"READY=1\nSTATUS=plays", b"STOPPING=1"]


def test_the_watchdog_is_fed_at_half_its_interval_while_frames_count(
    manager_socket, tmp_path
):
    usec = environment(tmp_path, WATCHDOG_USEC="2000000")
    manager = ServiceManager(pytest.fail, usec)
    manager.feed(100, 10.0)
    manager.feed(200, 10.5)  # too early
    assert told(manager_socket) == [b"WATCHDOG=1"]
    manager.feed(300, 11.0)
    manager.feed(300, 13.0)  # the core stands still
    assert told(manager_socket) == [b"WATCHDOG=1"]
    manager.feed(301, 13.1)
    assert told(manager_socket) == [b"WATCHDOG=1"]
    manager.close()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid() + 1)},
    ],
)
def test_a_watchdog_that_does_not_watch_us_is_not_fed(more, manager_socket, tmp_path):
    manager = ServiceManager(pytest.fail, environment(tmp_path, **more))
    manager.feed(100, 10.0)
    assert told(manager_socket) == []
    manager.close()


def test_without_a_manager_nothing_is_sent_and_nothing_said():
    manager = ServiceManager(pytest.fail, {})
    manager.ready("plays")
    manager.feed(1, 1.0)
    manager.close()


def test_a_manager_that_is_gone_is_told_of_once(tmp_path):
    lines: list[str] = []
    manager = ServiceManager(lines.append, environment(tmp_path))
    manager.ready("plays")
    manager.stopping()
    manager.close()
    (line,) = lines
    assert line == (
        f"cannot reach the service manager at '{tmp_path}/notify': "
        "No such file or directory"
    )


def test_a_manager_that_does_not_read_is_given_up(manager_socket, tmp_path):
    lines: list[str] = []
    manager = ServiceManager(lines.append, environment(tmp_path))
    for _ in range(2000):
        manager.ready("plays")
    manager.close()
    (line,) = lines
    assert line.endswith("timed out")


def test_the_unit_that_ships_starts_us_with_flags_that_exist():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(Path(__file__).parents[1] / "contrib" / "jackcomp.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    program, *flags = service["ExecStart"].split()
    assert program.endswith("/jackcomp")
    known = {option.flag for option in OPTIONS.values()}
    assert {flag for flag in flags if flag.startswith("--")} <= known
