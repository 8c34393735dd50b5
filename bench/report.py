"""What a real-time benchmark found: runs, pairs, and the verdict in words."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

EMPTY = "empty"
BUSY = "jackcomp_busy"
CONTROL = "python_callback"
DOZENS = 24
"""A control that misses less often shows nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One setting beside one server.

    Attributes
    ----------
    name : str
        The setting: 'empty', 'jackcomp_busy', 'python_callback'.
    period : int
        In frames.
    seconds : float
        How long xruns and processor time were counted.
    xruns : int
        Reported by the server in that time, whoever was to blame.
    blamed : dict
        How many times in that time the server said that a client was not done.
    own_misses, late_events : int or None
        From the process's first cycle on; None if there was no process.
    cycle_us : dict or None
        Cycle times 'p50', 'p99', 'p999' and 'max' from the first cycle on.
    cpu_s : float or None
        Processor time of the process in that time, the busy thread included.
    rss_mb : float or None
        Resident memory of the process at the end, in millions of bytes.
    shared_mb : float or None
        How much of that is shared memory: JACK's, which every client maps.
    notes : int or None
        Notes of the accompaniment, from the first cycle on.
    """

    name: str
    period: int
    seconds: float
    xruns: int
    blamed: dict[str, int]
    own_misses: int | None = None
    cycle_us: dict[str, float] | None = None
    cpu_s: float | None = None
    rss_mb: float | None = None
    shared_mb: float | None = None
    late_events: int | None = None
    notes: int | None = None


HEADER = (
    f"{'run':<18}{'xruns':>6}{'misses':>8}{'p50':>7}{'p99':>7}{'p99.9':>7}{'max us':>9}"
    f"{'cpu s':>7}{'own MB':>8}{'late':>5}{'notes':>6}  not done in time"
)


def line_of(run: Run) -> str:
    """Return a run as a line of the table."""
    blamed = ", ".join(f"{name} {count}" for name, count in run.blamed.items())
    start = f"{run.name:<18}{run.xruns:>6}"
    if run.cycle_us is None:
        return f"{start}{'':>64}  {blamed}".rstrip()
    own_mb = (run.rss_mb or 0) - (run.shared_mb or 0)
    p50, p99, p999, longest = (
        run.cycle_us[key] for key in ("p50", "p99", "p999", "max")
    )
    return (
        f"{start}{run.own_misses:>8}{p50:>7.0f}{p99:>7.0f}{p999:>7.0f}{longest:>9.0f}"
        f"{run.cpu_s:>7.1f}{own_mb:>8.0f}{run.late_events:>5}{run.notes:>6}"
        f"  {blamed}"
    ).rstrip()


def differences(runs: Sequence[Run], name: str = BUSY) -> list[int]:
    """Return the xruns of each run of a setting less those of its empty pair."""
    empty = [run.xruns for run in runs if run.name == EMPTY]
    with_it = [run.xruns for run in runs if run.name == name]
    return [its - none for its, none in zip(with_it, empty, strict=True)]


def verdict(runs: Sequence[Run]) -> list[str]:
    """Say in a few lines what the runs show."""
    busy = [run for run in runs if run.name == BUSY]
    misses = sum(run.own_misses or 0 for run in busy)
    seconds = sum(run.seconds for run in busy)
    change = differences(runs)
    control = sum(run.own_misses or 0 for run in runs if run.name == CONTROL)
    longest = max(run.cycle_us["max"] for run in busy if run.cycle_us)
    own = f"own misses in {seconds:.0f} s with Python busy: {misses}"
    by_pair = ", ".join(f"{number:+d}" for number in change)
    more = f"xruns beyond the empty server's, by pair: {by_pair}; median"
    same_work = "own misses of the control, the same work in Python"
    return [
        f"{own}; longest cycle {longest:.0f} us: {_mark(misses == 0)}",
        f"{more} {median(change):+g}: {_mark(median(change) <= 0)}",
        f"{same_work}: {control}: {_mark(control >= DOZENS)}",
    ]


def _mark(is_good: bool) -> str:
    return "ok" if is_good else "NOT AS PROMISED"


def to_json(runs: Sequence[Run]) -> str:
    """Return the runs as `make bench-rt JSON=FILE` writes them."""
    return json.dumps({"runs": [asdict(run) for run in runs]}, indent=1) + "\n"
