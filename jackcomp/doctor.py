"""What is wrong with the set-up, and the command that mends it.

Some of what is asked decides whether jackcomp plays at all (essential), the rest
whether it plays without drop-outs.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jackcomp.engine.limits import Limits, read_limits
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.errors import JackcompError

LEAST_RTPRIO = 10  # jackd's own default
RATES_HZ = range(8_000, 96_001)  # what FluidSynth accepts

_GOVERNORS = "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"
_LET_AUDIO_IN = (
    "sudo dpkg-reconfigure -p high jackd2 && sudo usermod -aG audio $USER, "
    "then log in again"
)
_GET_SOUNDFONT = "sudo apt install fluid-soundfont-gm"
_REINSTALL = "pip install --force-reinstall jackcomp"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What.
    ok : bool
        Whether it is as it should be.
    detail : str
        What was found, in one line.
    remedy : str
        A command that mends it; empty if nothing is to be mended.
    essential : bool
        Without it nothing is played.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    essential: bool = True


def examine(
    sf2: Path | None,
    probe_server: Callable[[], tuple[int, int]],
    *,
    root: Path = Path("/"),
    limits: Limits | None = None,
) -> list[Check]:
    """Look at everything that playing needs.

    Parameters
    ----------
    sf2 : Path or None
        The SoundFont of the settings.
    probe_server : callable
        Reaches the JACK server and returns its sample rate and period.
    root : Path
        Where the system's files are.
    limits : Limits, optional
        Those of this process by default.

    Returns
    -------
    list of Check
        Never raises because of what it finds.
    """
    return [
        *_check_server(probe_server),
        _attempt("SoundFont", lambda: str(find_soundfont(sf2)), _GET_SOUNDFONT),
        _attempt("C core", _load_core, _REINSTALL),
        _attempt("chord model", _load_model, _REINSTALL),
        _attempt("ear's tables and network", _load_ear, _REINSTALL),
        _attempt("pulse", _load_pulse, _REINSTALL),
        *_check_limits(limits or read_limits(root)),
        *_check_governor(root),
    ]


def format_checks(checks: Sequence[Check]) -> str:
    """Write one line a check, and a second one with the remedy where needed."""
    lines = []
    for check in checks:
        verdict = "ok" if check.ok else "FAIL" if check.essential else "warn"
        lines.append(f"{verdict:<6}{check.name}: {check.detail}")
        if not check.ok:
            lines.append(f"      mend it with: {check.remedy}")
    return "\n".join(lines)


def is_fit(checks: Sequence[Check]) -> bool:
    """Return whether jackcomp can play."""
    return all(check.ok or not check.essential for check in checks)


def _attempt(name: str, probe: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, probe())
    # A missing C library comes as ImportError or OSError, from the binding.
    except (JackcompError, ImportError, OSError) as error:
        return Check(name, False, " ".join(str(error).split()), remedy)


def _check_server(probe_server: Callable[[], tuple[int, int]]) -> Iterator[Check]:
    found: list[tuple[int, int]] = []

    def probe() -> str:
        found.append(probe_server())
        return "running"

    yield _attempt("JACK server", probe, "jackd -d alsa -r 48000 -p 256 &")
    for rate, period in found:
        yield Check(
            "sample rate",
            rate in RATES_HZ,
            f"{rate} Hz, {period} frames a period ({1000 * period / rate:.1f} ms)",
            "jackd -d alsa -r 48000 -p 256 &, after stopping the one that runs",
        )


def _load_core() -> str:
    importlib.import_module("jackcomp.engine._core")
    return "loads"


def _load_model() -> str:
    from jackcomp.brain.model import Brain
    from jackcomp.brain.tables import load_song_tables

    load_song_tables(Brain.load().checksum)
    return "matches its card, and its tables are those of this model"


def _load_ear() -> str:
    from jackcomp.ear.listener import load_listener
    from jackcomp.ear.tables import load_ear_tables

    load_ear_tables()
    load_listener()
    return "match their cards"


def _load_pulse() -> str:
    from jackcomp.ear.pulse_tables import load_pulse_tables

    load_pulse_tables()
    return "matches its card"


def _check_limits(limits: Limits) -> Iterator[Check]:
    rtprio, memlock = limits.rtprio, limits.memlock_bytes
    yield Check(
        "real-time priority",
        rtprio is None or rtprio >= LEAST_RTPRIO,
        "no limit" if rtprio is None else f"up to {rtprio}",
        _LET_AUDIO_IN,
        essential=False,
    )
    yield Check(
        "locked memory",
        # All of it, with what is allocated later: a limit would be reached one day.
        memlock is None,
        "no limit" if memlock is None else f"up to {memlock // 2**20} MiB, all needed",
        _LET_AUDIO_IN,
        essential=False,
    )


def _check_governor(root: Path) -> Iterator[Check]:
    """Look whether the processors may slow down; not every system tells."""
    governors = {path.read_text().strip() for path in root.glob(_GOVERNORS)}
    if governors:
        yield Check(
            "CPU governor",
            governors == {"performance"},
            ", ".join(sorted(governors)),
            "sudo cpupower frequency-set -g performance",
            essential=False,
        )
