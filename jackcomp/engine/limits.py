"""What the system grants this process: real-time priority and locked memory."""

import resource
from dataclasses import dataclass
from pathlib import Path

# Linux capabilities (capabilities(7)) that lift the limits.
_CAP_IPC_LOCK, _CAP_SYS_NICE = 14, 23


@dataclass(frozen=True, slots=True)
class Limits:
    """What the system grants this process; None is no limit.

    Attributes
    ----------
    rtprio : int or None
        Highest real-time priority.
    memlock_bytes : int or None
        Memory that may be locked.
    """

    rtprio: int | None
    memlock_bytes: int | None


def read_limits(root: Path = Path("/")) -> Limits:
    """Read the limits of this process.

    Root usually has the capabilities that lift them; in a container not even root may.

    Parameters
    ----------
    root : Path
        Where the system's files are.
    """
    capabilities = _capabilities(root / "proc/self/status")
    return Limits(
        _limit(resource.RLIMIT_RTPRIO, capabilities, _CAP_SYS_NICE),
        _limit(resource.RLIMIT_MEMLOCK, capabilities, _CAP_IPC_LOCK),
    )


def _limit(kind: int, capabilities: int, lifted_by: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    is_lifted = capabilities >> lifted_by & 1
    return None if is_lifted or soft == resource.RLIM_INFINITY else soft


def _capabilities(status: Path) -> int:
    """Return the effective capabilities; none where the system does not tell."""
    if not status.exists():
        return 0
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
