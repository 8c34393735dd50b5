"""The ten lines at the end."""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from demo.chart import NO_CHORD, bar_chords
from demo.checks import Take
from demo.notes import read_notes

FIRST_BARS = 8
NAME_WIDTH = 15


def summary(take: Take, files: Iterable[Path]) -> list[str]:
    """Say how it went."""
    score, heard, counters = take.score, take.heard, take.stats[-1]
    chords = [change for change in take.changes if change.chord != NO_CHORD]
    keys = Counter(change.key for change in chords)
    (key, times), *_ = keys.most_common(1)
    first_bars = " | ".join(
        bar_chords(take.changes, score.meter, bar)
        for bar in range(min(FIRST_BARS, score.bars))
    )
    cycle_us = counters["cycle_us"]
    rows = {
        "key heard": f"{key}, at {times} of {len(chords)} chord changes",
        "first bars": first_bars,
        "chord changes": f"{len(chords)}, of {len({c.chord for c in chords})} chords",
        "notes": f"{score.n_notes} by the soloist ({take.late} messages late), "
        f"{len(read_notes(take.midi))} by jackcomp",
        "late events": f"{counters['late_events']}, "
        f"dropped decisions {counters['dropped_decisions']}",
        "xruns": f"{heard.xruns} while recording, {heard.missed} frames missing",
        "own misses": f"{counters['own_misses']} cycles",
        "worst cycle": f"{cycle_us['max'] / 1000:.2f} ms of "
        f"{1000 * take.period / take.rate:.2f} (99 % below "
        f"{cycle_us['p99'] / 1000:.2f})",
        "levels": f"peak {_decibel(heard.peak)}, mean of soloist "
        f"{_decibel(heard.solo_rms)}, of jackcomp "
        f"{_decibel(heard.accompaniment_rms)}",
        "files": " ".join(str(path) for path in files),
    }
    return [f"{name:<{NAME_WIDTH}}{text}" for name, text in rows.items()]


def _decibel(level: float) -> str:
    return f"{20 * math.log10(max(level, 1e-9)):.1f} dB"
