"""What a real-time benchmark found: runs, pairs, ratios, and the verdict in words."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

EMPTY = "empty"
FLUIDSYNTH = "fluidsynth"
JACKCOMP = "jackcomp"
BUSY = "jackcomp_busy"
STALLED = "jackcomp_stalled"
CONTROL = "python_callback"
OURS = (JACKCOMP, BUSY, STALLED)

MAIN_PERIOD = 64
RATE = 48_000

MISSES_OF_THE_CONTROL = 50
"""A control that misses less often shows nothing."""
MOST_OF_THE_PERIOD = 20.0
"""Percent of the period that 99 % of the cycles stay below."""
MOST_CORE_CPU = 1.2
"""Processor time of the core, as a share of FluidSynth's JACK client."""


@dataclass(frozen=True, slots=True)
class Run:
    """One setting beside one server.

    Attributes
    ----------
    name : str
        The setting, one of the names above.
    period : int
        In frames.
    seconds : float
        How long xruns and processor time were counted.
    xruns : int
        Reported by the server in that time, whoever was to blame.
    blamed : dict
        How many times in that time the server said that a client was not done.
    dsp_load : float
        Of the whole graph, as JACK tells it: mean in percent.
    stolen_ms : float
        Processor time in that time that a virtual machine's host gave to others, all
        processors together, in steps of the kernel's clock; 0 on real hardware.
    own_misses, late_events : int or None
        From the process's first cycle on; None if it does not tell.
    cycle_us : dict or None
        Cycle times 'p50', 'p99', 'p999' and 'max' from the first cycle on.
    cpu_s : float or None
        Processor time of the process in that time, the busy thread included.
    core_cpu_s : float or None
        Processor time of its real-time thread, the cycle.
    rss_mb : float or None
        Resident memory of the process at the end, in millions of bytes.
    shared_mb : float or None
        How much of that is shared memory: JACK's, which every client maps.
    notes : int or None
        Notes of the accompaniment, from the first cycle on.
    gap_ms : float or None
        Longest time from one note of the accompaniment to the next.
    """

    name: str
    period: int
    seconds: float
    xruns: int
    blamed: dict[str, int]
    dsp_load: float
    stolen_ms: float
    own_misses: int | None = None
    cycle_us: dict[str, float] | None = None
    cpu_s: float | None = None
    core_cpu_s: float | None = None
    rss_mb: float | None = None
    shared_mb: float | None = None
    late_events: int | None = None
    notes: int | None = None
    gap_ms: float | None = None

    @property
    def cycle_percent(self) -> dict[str, float] | None:
        """Cycle times as shares of the period, in percent."""
        if self.cycle_us is None:
            return None
        period_us = self.period * 1e6 / RATE
        return {key: 100 * us / period_us for key, us in self.cycle_us.items()}

    @property
    def own_mb(self) -> float | None:
        """Resident memory less JACK's."""
        if self.rss_mb is None or self.shared_mb is None:
            return None
        return self.rss_mb - self.shared_mb


_COLUMNS = (
    *(("xruns", 6, 0), ("stolen", 7, 0), ("dsp %", 6, 1), ("misses", 7, 0)),
    ("p50", 6, 1),
    *(("p99", 6, 1), ("p99.9", 6, 1), ("max %", 7, 1), ("cpu s", 6, 1)),
    *(("core s", 7, 2), ("own MB", 7, 0), ("late", 5, 0), ("notes", 6, 0)),
    ("gap ms", 7, 0),
)
"""Heading, width and decimals."""


def header(period: int) -> str:
    """Return the head of the table of the runs at a period."""
    columns = "".join(f"{title:>{width}}" for title, width, _ in _COLUMNS)
    return f"{f'{period} frames':<18}{columns}  not done in time"


def line_of(run: Run) -> str:
    """Return a run as a line of the table; cycle times in percent of the period."""
    cycle = run.cycle_percent or {}
    values = (
        *(run.xruns, run.stolen_ms, run.dsp_load, run.own_misses),
        *(cycle.get(key) for key in ("p50", "p99", "p999", "max")),
        *(run.cpu_s, run.core_cpu_s, run.own_mb),
        *(run.late_events, run.notes, run.gap_ms),
    )
    cells = (
        f"{'-' if value is None else f'{value:.{decimals}f}':>{width}}"
        for value, (_, width, decimals) in zip(values, _COLUMNS, strict=True)
    )
    blamed = ", ".join(f"{name} {count}" for name, count in run.blamed.items())
    return f"{run.name:<18}{''.join(cells)}  {blamed}".rstrip()


def at(runs: Sequence[Run], name: str, period: int = MAIN_PERIOD) -> list[Run]:
    """Return the runs of a setting at a period, in the order of the rounds."""
    return [run for run in runs if run.name == name and run.period == period]


def between(runs: Sequence[Run], name: str) -> list[tuple[Run, Run, Run]]:
    """Return the empty server before each run of a setting, the run, and the one after.

    Raises
    ------
    ValueError
        If a run has no empty server beside it.
    """
    beside = [
        (runs[place - 1], run, runs[place + 1])
        for place, run in enumerate(runs)
        if run.name == name and run.period == MAIN_PERIOD
    ]
    for before, _, after in beside:
        if (before.name, after.name) != (EMPTY, EMPTY):
            raise ValueError(f"{name} ran between {before.name} and {after.name}")
    return beside


def differences(runs: Sequence[Run], name: str) -> list[float]:
    """Return the xruns of each run less the mean of the empty servers beside it."""
    return [
        its.xruns - (before.xruns + after.xruns) / 2
        for before, its, after in between(runs, name)
    ]


def ratios(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Return what each of our settings takes, as a share of FluidSynth's client.

    By setting: median over the rounds of a run's figure over that of FluidSynth in
    the same round; what was not measured is left out.
    """
    found: dict[str, dict[str, float]] = {}
    for name in OURS:
        found[name] = {}
        for figure in ("dsp_load", "cpu_s", "core_cpu_s", "own_mb"):
            pairs = zip(at(runs, name), at(runs, FLUIDSYNTH), strict=True)
            values = [(getattr(a, figure), getattr(b, figure)) for a, b in pairs]
            if all(ours and theirs for ours, theirs in values):
                shares = [ours / theirs for ours, theirs in values]
                found[name][figure] = round(median(shares), 3)
    return found


def verdict(runs: Sequence[Run]) -> list[str]:
    """Say in a few lines what the runs show."""
    return [
        *(_on_misses(runs, name) for name in OURS),
        *(_on_xruns(runs, name) for name in (*OURS, FLUIDSYNTH)),
        _on_the_control(runs),
        *(_on_cycles(runs, name) for name in OURS),
        *_on_ratios(ratios(runs)),
        _on_the_stall(runs),
    ]


def _on_misses(runs: Sequence[Run], name: str) -> str:
    ours = at(runs, name)
    misses = sum(run.own_misses or 0 for run in ours)
    seconds = sum(run.seconds for run in ours)
    others = [run for run in runs if run.name == name and run.period != MAIN_PERIOD]
    shown = ", ".join(f"{run.own_misses} at {run.period}" for run in others)
    is_good = misses == 0 and not any(run.own_misses for run in others)
    return (
        f"{name}: own misses in {seconds:.0f} s at {MAIN_PERIOD} frames: {misses} "
        f"(a run each at other periods: {shown}): {_mark(is_good)}"
    )


def _on_xruns(runs: Sequence[Run], name: str) -> str:
    change = median(differences(runs, name))
    shown = ", ".join(
        f"{its.xruns} ({before.xruns}, {after.xruns})"
        for before, its, after in between(runs, name)
    )
    line = (
        f"{name}: xruns (of the empty server before and after): {shown}; median of the "
        f"differences {change:+g}"
    )
    return line if name == FLUIDSYNTH else f"{line}: {_mark(change <= 0)}"


def _on_the_control(runs: Sequence[Run]) -> str:
    control = at(runs, CONTROL)
    misses = sum(run.own_misses or 0 for run in control)
    seconds = sum(run.seconds for run in control)
    return (
        f"{CONTROL}: own misses of the same work in Python in {seconds:.0f} s: "
        f"{misses}: {_mark(misses >= MISSES_OF_THE_CONTROL)}"
    )


def _on_cycles(runs: Sequence[Run], name: str) -> str:
    shares = [run.cycle_percent for run in at(runs, name)]
    slow = median(share["p99"] for share in shares if share)
    return (
        f"{name}: 99 % of the cycles below {slow:.1f} % of the period (median of the "
        f"runs at {MAIN_PERIOD} frames): {_mark(slow <= MOST_OF_THE_PERIOD)}"
    )


def _on_ratios(shares: dict[str, dict[str, float]]) -> list[str]:
    """Compare with FluidSynth; of the core's share something was promised."""
    lines = []
    for name, share in shares.items():
        line = f"{name} over {FLUIDSYNTH}: " + ", ".join(
            f"{figure} {value:.2f}" for figure, value in share.items()
        )
        core = share.get("core_cpu_s")
        if name == JACKCOMP and core is not None:
            line += f": {_mark(core <= MOST_CORE_CPU)}"
        lines.append(line)
    return lines


def _on_the_stall(runs: Sequence[Run]) -> str:
    late = sum(run.late_events or 0 for run in runs if run.name == STALLED)
    gap, usual = (
        max(run.gap_ms or 0 for run in runs if run.name == name)
        for name in (STALLED, JACKCOMP)
    )
    return (
        f"{STALLED}: events late {late}, longest gap between notes {gap:.0f} ms (never "
        f"stalled {usual:.0f}): {_mark(late == 0 and gap <= usual)}"
    )


def _mark(is_good: bool) -> str:
    return "ok" if is_good else "NOT AS PROMISED"


def to_json(runs: Sequence[Run]) -> str:
    """Return the runs as `make bench-rt JSON=FILE` writes them."""
    document = {"runs": [asdict(run) for run in runs], "ratios": ratios(runs)}
    return json.dumps(document, indent=1) + "\n"
