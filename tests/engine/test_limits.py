import resource
import subprocess
import sys

import pytest

from jackcomp.engine.limits import Limits, read_limits

SHOW = "from jackcomp.engine.limits import read_limits; print(read_limits())"


def status(tmp_path, capabilities: int):
    folder = tmp_path / "proc" / "self"
    folder.mkdir(parents=True)
    (folder / "status").write_text(f"Name:\tx\nCapEff:\t{capabilities:016x}\n")
    return tmp_path


@pytest.fixture
def rlimits(monkeypatch):
    def set_to(rtprio: int, memlock: int) -> None:
        rows = {resource.RLIMIT_RTPRIO: rtprio, resource.RLIMIT_MEMLOCK: memlock}
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (rows[kind], -1))

    return set_to


def test_a_user_has_the_limits_that_were_set(tmp_path, rlimits):
    rlimits(40, 2**23)
    assert read_limits(status(tmp_path, 0)) == Limits(40, 2**23)


def test_unlimited_is_no_limit(tmp_path, rlimits):
    rlimits(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert read_limits(status(tmp_path, 0)) == Limits(None, None)


@pytest.mark.parametrize(
    ("capability", "expected"), [(14, Limits(0, None)), (23, Limits(None, 0))]
)
def test_a_capability_lifts_its_own_limit(capability, expected, tmp_path, rlimits):
    rlimits(0, 0)
    assert read_limits(status(tmp_path, 1 << capability)) == expected


def test_where_the_system_does_not_tell_capabilities_there_are_none(tmp_path, rlimits):
    rlimits(0, 0)
    assert read_limits(tmp_path) == Limits(0, 0)
    folder = tmp_path / "proc" / "self"
    folder.mkdir(parents=True)
    (folder / "status").write_text("Name:\tx\n")
    assert read_limits(tmp_path) == Limits(0, 0)


def test_real_limits_are_read(drop_capabilities):
    command = ["prlimit", "--rtprio=0:0", "--memlock=3000000:3000000"]
    done = subprocess.run(
        [*drop_capabilities, *command, sys.executable, "-c", SHOW],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(Limits(0, 3_000_000))
