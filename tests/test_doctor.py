import pytest

from jackcomp import doctor
from jackcomp.doctor import Check, examine, format_checks, is_fit
from jackcomp.engine.limits import Limits
from jackcomp.errors import EngineError


@pytest.fixture(autouse=True)
def what_loads(monkeypatch):
    """Each loader of what belongs to jackcomp has tests of its own."""
    for name in ("_load_core", "_load_model", "_load_ear"):
        monkeypatch.setattr(doctor, name, lambda: "loads")
    monkeypatch.setattr(doctor, "find_soundfont", lambda sf2: sf2 or "found.sf2")


def look(tmp_path, server=lambda: (48_000, 256), limits=None) -> dict[str, Check]:
    limits = limits or Limits(95, None)
    checks = examine(None, server, root=tmp_path, limits=limits)
    return {check.name: check for check in checks}


def test_a_good_set_up_has_nothing_to_mend(tmp_path):
    checks = look(tmp_path)
    assert all(check.ok for check in checks.values())
    assert checks["sample rate"].detail == "48000 Hz, 256 frames a period (5.3 ms)"
    assert "mend" not in format_checks(list(checks.values()))


def no_server() -> tuple[int, int]:
    raise EngineError("cannot reach JACK server 'default': start one")


def no_library() -> tuple[int, int]:
    raise OSError("JACK library not found")


@pytest.mark.parametrize("server", [no_server, no_library])
def test_without_a_server_it_is_not_fit_and_says_how_to_start_one(server, tmp_path):
    checks = look(tmp_path, server)
    assert "sample rate" not in checks
    assert not checks["JACK server"].ok
    assert not is_fit(list(checks.values()))
    text = format_checks(list(checks.values()))
    assert "FAIL  JACK server: " in text
    assert "\n      mend it with: jackd -d alsa" in text


def test_a_rate_that_fluidsynth_refuses_is_found(tmp_path):
    check = look(tmp_path, lambda: (192_000, 256))["sample rate"]
    assert not check.ok
    assert check.essential


@pytest.mark.parametrize("limits", [Limits(0, None), Limits(95, 2**30)])
def test_limits_are_warnings(limits, tmp_path):
    checks = list(look(tmp_path, limits=limits).values())
    (low,) = [check for check in checks if not check.ok]
    assert "usermod -aG audio" in low.remedy
    assert is_fit(checks)
    assert f"warn  {low.name}: " in format_checks(checks)


@pytest.mark.parametrize(
    ("governors", "ok"),
    [(("performance",) * 2, True), (("performance", "powersave"), False)],
)
def test_the_governor_is_read_where_the_system_tells(governors, ok, tmp_path):
    assert "CPU governor" not in look(tmp_path)
    for number, governor in enumerate(governors):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(governor + "\n")
    check = look(tmp_path)["CPU governor"]
    assert check.ok is ok
    assert "performance" in check.remedy


def test_what_does_not_load_is_found(tmp_path, monkeypatch):
    def fail() -> str:
        raise ImportError("libfluidsynth.so.3:\ncannot open shared object file")

    monkeypatch.setattr(doctor, "_load_core", fail)
    check = look(tmp_path)["C core"]
    assert not check.ok
    assert check.detail == "libfluidsynth.so.3: cannot open shared object file"
    assert "install" in check.remedy
