"""Fit the decision on validation songs: pool, memory, and how readily it changes.

``python -m export.fit_pool`` plays the songs of the valid split to ear, brain and
memory as in playing, at the moments of playing. It fits the exponents of the pool and
the trust of the form memory by the likelihood of the annotated chords, and then tries
thresholds of the policy. What it prints belongs into ``jackcomp/decision``: `fusion`,
`form` and `policy`. The test split is never read.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from export.lessons import clock_notes, label_steps
from export.measuring import positive
from export.songs import LEADSHEET_FILES, Song, read_songs
from export.stage import BarMap, main_meter
from jackcomp import duo
from jackcomp.accompanist import EIGHTH_TICKS, SIXTEENTH_TICKS, mend_ticks
from jackcomp.decision import form, fusion
from jackcomp.decision.fusion import Evidence, PoolWeights
from jackcomp.decision.policy import READY, TRIAD_OF, Manner, Moment, choose
from jackcomp.ear.listen import Ear
from jackcomp.foresight import Foresight
from jackcomp.theory.genre import AUTO_GENRE
from jackcomp.theory.vocabulary import NO_CHORD_INDEX
from jackcomp.timeline.clock import bpm_to_ns_per_quarter
from jackcomp.timeline.meter import Meter, step_at, step_start

POINTS = {
    "line": 0,
    "sixteenth": SIXTEENTH_TICKS,
    "eighth": EIGHTH_TICKS,
    "quarter": 2 * EIGHTH_TICKS,
}
"""Ticks after the line of a step; a last one, the close, is near its end."""
N_POINTS = len(POINTS) + 1
LEAD_MS = 45.0
LEAST = 1e-6
PENALTY = 3e-4
MAJOR_OR_MINOR = (0, 1)
"""Families of a triad that ``majmin`` judges, in the order of the quality table."""

INSIDE = (0.0, 0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3)
LINE = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One grid step: what is right, and what was heard and foreseen of it.

    ``evidence``, ``sketches`` and ``ticks`` are those of each of `POINTS`.
    """

    number: int
    chord: int
    weight: float
    brain: NDArray[np.float32]
    evidence: tuple[Evidence, ...]
    sketches: tuple[NDArray[np.float32], ...]
    ticks: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tune:
    """A song as it was heard."""

    source: str
    meter: Meter
    ns_per_quarter: int
    steps: tuple[Step, ...]


def listen(song: Song, models: duo.Models) -> Tune:
    """Play a song to ear and brain, and keep what they say at each point."""
    meter = main_meter(song)
    bar_map = BarMap(song.bars, meter)
    notes = clock_notes(song, bar_map)
    tempo = song.quarters_per_minute or duo.DEFAULT_BPM
    lead = round(LEAD_MS / 60_000 * tempo * 1920) + 1
    events = [(note.onset, 1, note.note) for note in notes]
    events += [(note.end or 0, 0, note.note) for note in notes]
    events.sort(reverse=True)
    first = step_at(meter, notes[0].onset)[0]
    last = step_at(meter, bar_map.to_clock(song.spans[-1].end - 1))[0]
    numbers = range(first, max(last, first) + 1)
    ear = Ear(models.ear, models.listener, meter)
    foresight = Foresight(duo.song_brain(models, AUTO_GENRE), meter, 1)
    foresight.reset(first)
    memory = form.FormMemory(meter)
    chords, weights = label_steps(song, meter, bar_map, numbers)
    steps = []
    for number, chord, weight in zip(numbers, chords, weights, strict=True):
        start, end = step_start(meter, number), step_start(meter, number + 1)
        brain = foresight.expected
        evidence, sketches, ticks = [], [], []
        for now in moments(start, end, lead):
            while events and events[-1][0] < now:
                tick, is_on, note = events.pop()
                if is_on:
                    ear.note_on(tick, note, 80)
                else:
                    ear.note_off(tick, note)
            heard = ear.hear(start, now, end)
            evidence.append(
                Evidence(
                    heard.chords,
                    heard.opinion.chords,
                    heard.expected,
                    heard.stated,
                    heard.share,
                )
            )
            sketches.append(heard.opinion.sketch)
            ticks.append(now - start)
        steps.append(
            Step(
                number,
                int(chord),
                float(weight),
                brain,
                tuple(evidence),
                tuple(sketches),
                tuple(ticks),
            )
        )
        weights_now = fusion.weights_for(0.5, evidence[-1].share)
        pooled = fusion.pool(brain, evidence[-1], weights_now)
        recalled = memory.recall(number, sketches[-1], ticks[-1])
        believed = fusion.settle(
            pooled, recalled.chords, recalled.trust, evidence[-1].stated
        )
        memory.close(number, sketches[-1], pooled)
        foresight.close(number, believed)
    return Tune(song.source, meter, bpm_to_ns_per_quarter(tempo), tuple(steps))


def moments(start: int, end: int, lead: int) -> tuple[int, ...]:
    """Give the cut-offs of `POINTS`, in order."""
    close = max(start + (end - start) // 2, end - EIGHTH_TICKS)
    begun = (min(start + tick, close) for tick in POINTS.values())
    return tuple(tick - lead for tick in (*begun, close))


# The pool


def fit_weights(tunes: Sequence[Tune], points: Sequence[int]) -> list[PoolWeights]:
    """Fit the exponents at some points: one set, or two between which they move."""
    steps = [
        step
        for tune in tunes
        for step in tune.steps
        if step.weight > 0 and step.chord != NO_CHORD_INDEX
    ]
    rows = [(step, step.evidence[point]) for step in steps for point in points]
    logs = {
        name: log_rows([getattr(heard, name) for _, heard in rows])
        for name in ("tables", "listener", "expected")
    }
    brain = log_rows([step.brain for step, _ in rows])
    share = torch.tensor([heard.share for _, heard in rows])[:, None]
    chords = torch.tensor([step.chord for step, _ in rows])
    weight = torch.tensor([step.weight for step, _ in rows])
    sets = 1 if len(points) == 1 else 2

    def spread(values: Tensor) -> PoolWeights:
        last = values[-1]
        mixed = (1 - share) * values[0] + share * last
        tables, listener, of_brain, doubt = mixed.unbind(-1)
        columns = (column[:, None] for column in (tables, listener, of_brain, doubt))
        return PoolWeights(*columns, 1.0)  # type: ignore[arg-type]

    def loss(values: Tensor) -> Tensor:
        weights = spread(values)
        doubt = torch.sigmoid(weights.doubt)
        trusted = torch.logaddexp(
            brain + torch.log(1 - doubt), logs["expected"] + torch.log(doubt)
        )
        pooled = weights.tables * logs["tables"] + weights.listener * logs["listener"]
        pooled = pooled + weights.brain * (trusted - logs["expected"])
        found = torch.log_softmax(pooled, -1).gather(1, chords[:, None])[:, 0]
        return -(found * weight).sum() / weight.sum()

    start = torch.tensor([[0.3, 0.7, 0.3, -0.6]] * sets)
    values = minimise(loss, start)
    names = [*POINTS, "close"]
    print(f"points {[names[point] for point in points]}: {-loss(values).item():.4f}")
    return [
        PoolWeights(*row[:3].tolist(), torch.sigmoid(row[3]).item(), 1.0)
        for row in values
    ]


def log_rows(rows: Sequence[NDArray[np.float32]]) -> Tensor:
    """Give the logarithms of distributions, as one tensor."""
    return torch.log(torch.from_numpy(np.stack(rows)).clamp_min(LEAST))


def minimise(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Find the values of the least loss."""
    values = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([values], max_iter=100, line_search_fn="strong_wolfe")

    def close() -> Tensor:
        optimizer.zero_grad()
        found = loss(values)
        found.backward()
        return found

    optimizer.step(close)
    return values.detach()


# The memory


def believe(
    tune: Tune, weights: Callable[[float], PoolWeights], trust: NDArray[np.float64]
) -> Iterator[tuple[Step, form.FormMemory, list[NDArray[np.float32]]]]:
    """Give each step with the memory before it and what the pool says of it."""
    memory = form.FormMemory(tune.meter, trust)
    for step in tune.steps:
        pooled = [
            fusion.pool(step.brain, heard, weights(heard.share))
            for heard in step.evidence
        ]
        yield step, memory, pooled
        heard = fusion.settle(pooled[-1], pooled[-1], 0.0, step.evidence[-1].stated)
        memory.close(step.number, step.sketches[-1], heard)


def fit_trust(
    tunes: Sequence[Tune], weights: Callable[[float], PoolWeights]
) -> NDArray[np.float64]:
    """Fit how much the memory is trusted."""
    features, theirs, ours, known, time = [], [], [], [], []
    for tune in tqdm(tunes, desc="memory", unit="song"):
        for step, memory, pooled in believe(tune, weights, form.WEIGHTS):
            if not step.weight or step.chord == NO_CHORD_INDEX:
                continue
            for point, chances in enumerate(pooled):
                found, beliefs = memory.candidates(
                    step.number, step.sketches[point], step.ticks[point]
                )
                row = np.zeros((form.N_BEST, len(form.FEATURES)))
                row[: len(found)] = found
                there = np.zeros(form.N_BEST)
                there[: len(found)] = beliefs[:, step.chord]
                features.append(row)
                theirs.append(there)
                known.append(np.arange(form.N_BEST) < len(found))
                ours.append(chances[step.chord])
                time.append(step.weight)
    told = torch.from_numpy(np.stack(features))
    there, is_known = (
        torch.from_numpy(np.stack(theirs)),
        torch.from_numpy(np.stack(known)),
    )
    here = torch.from_numpy(np.array(ours, np.float64))
    weight = torch.tensor(time, dtype=torch.float64)

    def loss(values: Tensor) -> Tensor:
        scores = (told @ values).masked_fill(~is_known, -1e9)
        none = torch.zeros(len(scores), 1, dtype=scores.dtype)
        shares = torch.cat([none, scores], 1).softmax(1)
        mixed = shares[:, 0] * here + (shares[:, 1:] * there).sum(1)
        found = torch.log(mixed.clamp_min(LEAST))
        return -(found * weight).sum() / weight.sum() + PENALTY * (values**2).sum()

    start = torch.from_numpy(form.WEIGHTS)
    before = -(torch.log(here.clamp_min(LEAST)) * weight).sum() / weight.sum()
    values = minimise(loss, start)
    print(f"memory: {before:.4f} without, {-loss(values).item():.4f} with")
    return values.numpy()


# The policy


def simulate(
    tunes: Sequence[Tune],
    weights: Callable[[float], PoolWeights],
    trust: NDArray[np.float64],
) -> None:
    """Print ``majmin`` and changes a bar for thresholds on the line and inside."""
    settled = [
        [
            (
                step,
                [settle_at(step, memory, pooled, point) for point in range(N_POINTS)],
            )
            for step, memory, pooled in believe(tune, weights, trust)
        ]
        for tune in tqdm(tunes, desc="policy", unit="song")
    ]
    for line, inside in product(LINE, INSIDE):
        if inside >= line:
            manner = replace(READY, line=line, inside=inside)
            right, changes = try_manner(tunes, settled, manner)
            print(f"line {line:.2f} inside {inside:.2f}: {right:.4f} {changes:.3f}")


def settle_at(
    step: Step,
    memory: form.FormMemory,
    pooled: Sequence[NDArray[np.float32]],
    point: int,
) -> NDArray[np.float32]:
    """Give what is believed at a point, memory and all."""
    recalled = memory.recall(step.number, step.sketches[point], step.ticks[point])
    return fusion.settle(
        pooled[point], recalled.chords, recalled.trust, step.evidence[point].stated
    )


def try_manner(
    tunes: Sequence[Tune],
    settled: Sequence[Sequence[tuple[Step, Sequence[NDArray[np.float32]]]]],
    manner: Manner,
) -> tuple[float, float]:
    """Give the share of time with the right triad, and the changes in a bar."""
    right = time = bars = 0.0
    changes = 0
    for tune, steps in zip(tunes, settled, strict=True):
        now: int | None = None
        for step, beliefs in steps:
            end = tune.meter.steps[step.number % len(tune.meter.steps)]
            starts = [0, *mend_ticks(end, tune.ns_per_quarter)]
            judged = step.weight * (TRIAD_OF[step.chord % NO_CHORD_INDEX] % 5 < 2)
            heard = [tick for tick in starts if tick in POINTS.values()]
            for start, stop in pairwise([*heard, end]):
                place = Moment.INSIDE if start else Moment.LINE
                point = [*POINTS.values()].index(start)
                after = choose(beliefs[point], now, place, manner)
                changes += after != now and step.weight > 0
                now = after
                is_right = TRIAD_OF[now] == TRIAD_OF[step.chord % NO_CHORD_INDEX]
                right += judged * is_right * (stop - start) / end
                time += judged * (stop - start) / end
            bars += (step.weight > 0) / len(tune.meter.steps)
    return right / time, changes / bars


def main() -> None:
    """Listen, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--limit", type=positive, help="songs, default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = duo.load_models()
    songs = read_songs(LEADSHEET_FILES, "valid", limit=options.limit)
    tunes = [listen(song, models) for song in tqdm(songs, unit="song")]
    (before,) = fit_weights(tunes, [0])
    begun, whole = fit_weights(tunes, range(1, N_POINTS))
    for name, found in (("BEFORE", before), ("BEGUN", begun), ("WHOLE", whole)):
        print(name, found)
    trust = fit_trust(tunes, lambda share: fusion.weights_for(0.5, share))
    for name, value in zip(form.FEATURES, trust, strict=True):
        print(f"{name} {value:.2f}")
    simulate(tunes, lambda share: fusion.weights_for(0.5, share), trust)


if __name__ == "__main__":
    main()
