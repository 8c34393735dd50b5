"""Teach the pulse: ``python -m export.train_pulse`` writes ``models/pulse.json``.

The filter of `jackcomp.ear.beat_filter` is run over stretches of songs, here with
gradients, and everything in it is moved so that it believes in the annotated beats:
the network, the blur of tempo and phase, the tempi that it expects. The loss at an
onset is the negative log of the belief near the true tempo and phase. Learns from
the train split; the valid split says how well, the test split is never opened.

With ``--source`` and ``--begin`` the filter that is there is taught further on one kind
of music alone, to tell what one filter for all music costs
(``python -m export.evaluate_pulse --tables FILE``). With several ``--begin`` their
networks are joined into one that says the mean of what they say, to be taught on, or
with ``--steps 0`` as it is.
"""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.measuring import natural
from export.pulse_lessons import Batch, Lesson, Told, lay_batch, read_lessons
from export.songs import LEADSHEET_FILES
from jackcomp.ear import beat_filter, pulse
from jackcomp.ear.beat_filter import (
    LONGEST_BLUR_BEATS,
    N_INPUTS,
    N_PHASES,
    N_REGIMES,
    N_TEMPI,
    REMEMBERED,
    TRAITS,
    BeatFilter,
    PulseTables,
    lay_out,
    spread_tempi,
)
from jackcomp.ear.pulse_tables import load_pulse_tables, read_tables, write_tables
from jackcomp.errors import JackcompError, ModelError
from jackcomp.tables import checksum

MODEL = Path(__file__).parents[1] / "models" / "pulse.json"
PARITY = 1e-2  # of the belief in one cell: single against double precision


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result; copied to the card."""

    hidden: int = 128
    steps: int = 4500
    warm_up_steps: int = 20
    batch_songs: int = 12
    batch_onsets: int = 96
    learning_rate: float = 3e-3
    blur_learning_rate: float = 2e-2
    gradient_norm: float = 1.0
    tempo_blurs: tuple[float, ...] = (-4.0, -1.0, 0.0)  # to begin with, by regime
    tempering: tuple[float, ...] = (1.0, 1.0, 1.0)
    near_beats: float = 0.05
    near_tempo: float = 0.03
    valid_batches: int = 16
    seed: int = 20240229


LOG_PERIODS = torch.tensor(beat_filter.LOG_PERIODS, dtype=torch.float32)
LAID_LOG_PERIODS = torch.tensor(beat_filter.LAID_LOG_PERIODS, dtype=torch.float32)
PERIODS = LOG_PERIODS.exp()
PHASES = torch.arange(N_PHASES) / N_PHASES
TURNS = torch.arange(N_PHASES // 2 + 1)
SPREAD = torch.tensor(spread_tempi(), dtype=torch.float32)


class PulseFilter(nn.Module):
    """The filter of `BeatFilter` over many songs at once, with gradients."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.inner = nn.Linear(N_INPUTS, settings.hidden)
        self.outer = nn.Linear(settings.hidden, N_PHASES)
        nn.init.normal_(self.outer.weight, std=0.02)
        nn.init.zeros_(self.outer.bias)
        self.tempo_prior = nn.Parameter(torch.zeros(N_TEMPI))
        self.regimes = nn.Parameter(torch.zeros(N_REGIMES))
        self.tempo_blur = nn.Parameter(torch.tensor(settings.tempo_blurs))
        # Not learnt: the network is surer of the songs that teach it than of others.
        self.tempering = torch.tensor(settings.tempering)
        self.log_phase_blur = nn.Parameter(torch.tensor(-4.2))
        self.log_phase_blur_per_beat = nn.Parameter(torch.tensor(-4.0))
        self.unrest = nn.Parameter(torch.tensor(-4.0))  # log-odds
        self.surprise = nn.Parameter(torch.tensor(-7.0))  # log-odds

    def go_on_from(self, tables: PulseTables) -> None:
        """Take over what was learnt before, by a filter of this size."""

        def log_odds(chance: float) -> float:
            return math.log(chance / (1 - chance))

        learnt = {
            "inner.weight": tables.inner.T,
            "inner.bias": tables.inner_bias,
            "outer.weight": tables.outer.T,
            "outer.bias": tables.outer_bias,
            "tempo_prior": np.log(tables.tempo_prior),
            "regimes": np.log(tables.regimes),
            "tempo_blur": tables.tempo_blur,
            "log_phase_blur": math.log(tables.phase_blur),
            "log_phase_blur_per_beat": math.log(tables.phase_blur_per_beat),
            "unrest": log_odds(tables.unrest),
            "surprise": log_odds(tables.surprise),
        }
        self.load_state_dict(
            {
                name: torch.tensor(value, dtype=torch.float32)
                for name, value in learnt.items()
            }
        )

    def begin(self, batch: Batch) -> Tensor:
        """Return the belief before the first onset: (songs, tempi, phases)."""
        rows = []
        # Beyond the grid a bell would be nothing at all, and its share no number.
        within = np.clip(
            batch.told_log_period,
            beat_filter.LOG_PERIODS[0],
            beat_filter.LOG_PERIODS[-1],
        )
        for told, log_period, phase in zip(
            batch.told, within, batch.told_phase, strict=True
        ):
            tempo = torch.softmax(self.tempo_prior, 0)
            around = torch.full((N_PHASES,), 1 / N_PHASES)
            if told is not Told.NOTHING:
                deviation = (
                    pulse.COUNTED_TEMPO_DEVIATION
                    if told is Told.COUNT_IN
                    else pulse.GIVEN_TEMPO_DEVIATION
                )
                tempo = _bell(LOG_PERIODS - float(log_period), deviation)
            if told is Told.COUNT_IN:
                deviation = pulse.COUNTED_PHASE_SECONDS / math.exp(log_period) + 0.02
                around = _bell(_turned(PHASES - float(phase)), deviation)
            rows.append(torch.outer(tempo, around))
        return torch.stack(rows)

    def weigh(self, batch: Batch) -> Tensor:
        """Return what every onset says, (songs, onsets, tempi, phases)."""
        songs, onsets = batch.elapsed.shape
        past = batch.past.reshape(songs * onsets, REMEMBERED, TRAITS)
        ago = batch.ago.reshape(songs * onsets, REMEMBERED)
        laid = torch.from_numpy(lay_out(ago, past[..., 1:])).flatten(2)
        own = torch.from_numpy(batch.own).reshape(-1, 1, TRAITS - 1)
        tempo = torch.stack([LAID_LOG_PERIODS**n for n in (1, 2, 3)], dim=1)
        split = [laid.shape[2], TRAITS - 1, tempo.shape[1]]
        of_laid, of_own, of_tempo = self.inner.weight.split(split, dim=1)
        hidden = laid @ of_laid.T + own @ of_own.T
        hidden = torch.relu(hidden + (tempo @ of_tempo.T + self.inner.bias))
        seen = self.outer(hidden)
        between = 0.5 * (seen[:, :-1] + seen[:, 1:])
        evidence = torch.stack([seen[:, :-1], between], dim=2).flatten(1, 2)
        evidence = torch.cat([evidence, seen[:, -1:]], dim=1)
        return evidence.reshape(songs, onsets, N_TEMPI, N_PHASES)

    def advance(self, joint: Tensor, elapsed: Tensor, evidence: Tensor) -> Tensor:
        """Let time pass, then take in an onset; ``joint`` is belief and regime."""
        beats = elapsed[:, None] / PERIODS
        blurred = beats.clamp(max=LONGEST_BLUR_BEATS)
        log_beats = torch.log(blurred + 1e-4)[:, None]
        change = torch.sigmoid(self.tempo_blur[:, None] + log_beats)
        moved = change[..., None] * joint
        third = 0.33 * moved[:, :-1]
        slower = torch.cat([third[..., 1:, :], third[..., -1:, :]], dim=-2)
        faster = torch.cat([third[..., :1, :], third[..., :-1, :]], dim=-2)
        bent = torch.matmul(SPREAD, moved[:, -1:])
        moves = [slower + faster - 2 * third, bent - moved[:, -1:]]
        joint = joint + torch.cat(moves, dim=1)
        variance = torch.exp(2 * self.log_phase_blur)
        variance = variance + torch.exp(2 * self.log_phase_blur_per_beat) * blurred
        damp = torch.exp(-0.5 * (2 * math.pi * TURNS) ** 2 * variance[..., None])
        angle = -2 * math.pi * TURNS * (beats % 1)[..., None]
        spin = torch.complex(damp * torch.cos(angle), damp * torch.sin(angle))
        joint = torch.fft.irfft(torch.fft.rfft(joint) * spin[:, None], n=N_PHASES)
        joint = joint.clamp(min=1e-9)
        regimes = torch.softmax(self.regimes, 0)[:, None, None]
        unsure = torch.softmax(self.tempo_prior, 0)[:, None] / N_PHASES
        unrest, surprise = torch.sigmoid(self.unrest), torch.sigmoid(self.surprise)
        new = unrest * joint.sum(dim=1)
        new = new + surprise * (unsure - new)
        joint = (1 - unrest) * (1 - surprise) * joint + regimes * new[:, None]
        odds = evidence - evidence.amax(dim=(1, 2), keepdim=True)
        expected = (joint.sum(dim=1) * torch.exp(odds)).sum(dim=(1, 2), keepdim=True)
        odds = (odds - torch.log(expected))[:, None]
        joint = joint * torch.exp(self.tempering[:, None, None] * odds)
        return joint / joint.sum(dim=(1, 2, 3), keepdim=True)

    def forward(self, batch: Batch) -> Tensor:
        """Return the belief after each onset, (songs, onsets, tempi, phases)."""
        # Taken apart at once: each slice by itself would have a gradient of the whole.
        evidence = self.weigh(batch).unbind(1)
        elapsed = torch.from_numpy(batch.elapsed).unbind(1)
        regimes = torch.softmax(self.regimes, 0)[:, None, None]
        joint, beliefs = regimes * self.begin(batch)[:, None], []
        for seconds, told in zip(elapsed, evidence, strict=True):
            joint = self.advance(joint, seconds, told)
            beliefs.append(joint.sum(dim=1))
        return torch.stack(beliefs, dim=1)

    def tables(self) -> dict[str, Any]:
        """Return what was learnt as the JSON object of the model file."""

        def array(tensor: Tensor) -> Any:
            return tensor.detach().double().numpy()

        return write_tables(
            {
                "inner": array(self.inner.weight).T,
                "inner_bias": array(self.inner.bias),
                "outer": array(self.outer.weight).T,
                "outer_bias": array(self.outer.bias),
                "tempo_prior": array(self.tempo_prior),
                "regimes": array(self.regimes),
                "tempo_blur": array(self.tempo_blur),
                "tempering": array(self.tempering),
                "phase_blur": array(self.log_phase_blur.exp()),
                "phase_blur_per_beat": array(self.log_phase_blur_per_beat.exp()),
                "unrest": array(torch.sigmoid(self.unrest)),
                "surprise": array(torch.sigmoid(self.surprise)),
            }
        )


def join(filters: Sequence[PulseTables]) -> PulseTables:
    """Make one filter of several: its evidence is the mean of theirs.

    Their hidden units stand side by side; of all else it has the mean, of what is a
    share of the whole (odds, deviations) the geometric one.
    """

    def mean(name: str) -> NDArray[np.float64]:
        return np.mean([getattr(each, name) for each in filters], axis=0)

    def geometric(name: str) -> NDArray[np.float64]:
        return np.exp(
            np.mean([np.log(getattr(each, name)) for each in filters], axis=0)
        )

    outer = np.concatenate([each.outer for each in filters])
    prior = geometric("tempo_prior")
    return PulseTables(
        inner=np.concatenate([each.inner for each in filters], axis=1),
        inner_bias=np.concatenate([each.inner_bias for each in filters]),
        outer=outer / len(filters),
        outer_bias=mean("outer_bias"),
        tempo_prior=prior / prior.sum(),
        regimes=mean("regimes"),
        tempo_blur=mean("tempo_blur"),
        tempering=mean("tempering"),
        phase_blur=float(geometric("phase_blur")),
        phase_blur_per_beat=float(geometric("phase_blur_per_beat")),
        unrest=float(geometric("unrest")),
        surprise=float(geometric("surprise")),
    )


def loss_of(beliefs: Tensor, batch: Batch, settings: Settings) -> Tensor:
    """Return the mean negative log of the belief near the truth."""
    phase = torch.from_numpy(batch.phase)[:, :, None]
    log_period = torch.from_numpy(batch.log_period)[:, :, None]
    counts = torch.from_numpy(batch.counts)
    around = _hill(_turned(PHASES - phase), settings.near_beats)
    tempo = _hill(LOG_PERIODS - log_period, settings.near_tempo)
    near = torch.einsum("sotp,sot,sop->so", beliefs, tempo, around)
    return -(torch.log(near + 1e-7) * counts).sum() / counts.sum()


def train(
    settings: Settings,
    kinds: Sequence[Sequence[Lesson]],
    learnt: PulseTables | None = None,
) -> PulseFilter:
    """Train for as many steps as the settings say, from nothing or from a filter.

    Raises
    ------
    ModelError
        If the loss is no number any more.
    """
    rng = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    model = PulseFilter(settings)
    if learnt is not None:
        model.go_on_from(learnt)
    network = [*model.inner.parameters(), *model.outer.parameters()]
    known = {id(parameter) for parameter in network}
    others = [each for each in model.parameters() if id(each) not in known]
    rates = (settings.learning_rate, settings.blur_learning_rate)
    optimiser = torch.optim.Adam([{"params": network}, {"params": others}])
    begun, smooth = time.monotonic(), math.nan
    for step in range(settings.steps):
        warm = min(1.0, (step + 1) / settings.warm_up_steps)
        fall = 0.5 + 0.5 * math.cos(math.pi * step / settings.steps)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * warm * fall
        batch = lay_batch(kinds, rng, settings.batch_songs, settings.batch_onsets)
        loss = loss_of(model(batch), batch, settings)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_norm)
        optimiser.step()
        value = loss.item()
        if not math.isfinite(value):
            raise ModelError(f"step {step + 1}: the loss is {value}: try a lower rate")
        smooth = value if math.isnan(smooth) else 0.95 * smooth + 0.05 * value
        if (step + 1) % 20 == 0:
            minutes = (time.monotonic() - begun) / 60
            print(f"step {step + 1}: loss {smooth:.3f}, {minutes:.1f} min", flush=True)
    return model


def measure(
    model: PulseFilter, settings: Settings, kinds: Sequence[Sequence[Lesson]]
) -> float:
    """Return the loss on stretches of other songs, always the same."""
    rng = np.random.default_rng(settings.seed)
    with torch.no_grad():
        losses = []
        for _ in range(settings.valid_batches):
            batch = lay_batch(kinds, rng, settings.batch_songs, settings.batch_onsets)
            losses.append(loss_of(model(batch), batch, settings).item())
    return float(np.mean(losses))


def check_parity(
    model: PulseFilter,
    tables: dict[str, Any],
    settings: Settings,
    kinds: Sequence[Sequence[Lesson]],
) -> float:
    """Return how far, at most, the shipped filter believes otherwise."""
    rng = np.random.default_rng(settings.seed)
    batch = lay_batch(kinds, rng, len(Told), settings.batch_onsets)
    with torch.no_grad():
        start, expected = model.begin(batch).numpy(), model(batch).numpy()
    worst = 0.0
    for song in range(len(Told)):
        shipped = BeatFilter(read_tables(tables))
        shipped.reset(start[song])
        seconds = np.cumsum(batch.elapsed[song].astype(np.float64))
        for onset in range(int(batch.counts[song].sum())):
            shipped.hear(float(seconds[onset]), *map(float, batch.own[song, onset]))
            apart = np.abs(shipped.belief - expected[song, onset]).max()
            worst = max(worst, float(apart))
    return worst


def _hill(distance: Tensor, deviation: float) -> Tensor:
    return torch.exp(-0.5 * (distance / deviation) ** 2)


def _bell(distance: Tensor, deviation: float) -> Tensor:
    hill = _hill(distance, deviation)
    return hill / hill.sum()


def _turned(phase: Tensor) -> Tensor:
    return (phase + 0.5) % 1.0 - 0.5


def _describe(kinds: Sequence[Sequence[Lesson]]) -> dict[str, dict[str, Any]]:
    """Return licence and number of the songs of each source."""
    songs = {song.id: song for kind in kinds for song in kind}.values()
    counts = Counter((song.source, song.licence) for song in songs)
    return {
        source: {"licence": licence, "songs": count}
        for (source, licence), count in sorted(counts.items())
    }


def main() -> int:
    """Read the command line, teach, check and write."""
    parser = argparse.ArgumentParser(prog="python -m export.train_pulse")
    parser.add_argument("--steps", type=int, default=Settings().steps)
    parser.add_argument("--learning-rate", type=float, default=Settings().learning_rate)
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--source", help="learn from songs of this source alone")
    parser.add_argument("--seed", type=natural, default=Settings().seed)
    parser.add_argument(
        "--begin",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="go on from these; several are joined",
    )
    parser.add_argument(
        "--tempering",
        type=float,
        nargs=N_REGIMES,
        metavar="POWER",
        help="of the evidence in each regime; by default that of --begin, or 1",
    )
    options = parser.parse_args()
    if options.tempering and min(options.tempering) <= 0:
        parser.error("--tempering: expected powers above 0")
    settings = Settings(
        steps=options.steps, learning_rate=options.learning_rate, seed=options.seed
    )
    torch.set_num_threads(1)  # the same sums in the same order
    kinds, others = (
        read_lessons(LEADSHEET_FILES, split, options.source)
        for split in ("train", "valid")
    )
    if not kinds:
        print(
            f"no songs of source {options.source!r}: use wjazzd or pop909, say",
            file=sys.stderr,
        )
        return 1
    try:
        learnt = None
        if options.begin:
            learnt = join([load_pulse_tables(path) for path in options.begin])
            settings = replace(
                settings,
                hidden=len(learnt.inner_bias),
                tempering=tuple(map(float, learnt.tempering)),
            )
        if options.tempering:
            settings = replace(settings, tempering=tuple(options.tempering))
        model = train(settings, kinds, learnt)
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    tables = model.tables()
    apart = check_parity(model, tables, settings, others)
    if not apart <= PARITY:
        print(f"the shipped filter differs by {apart}", file=sys.stderr)
        return 1
    card = {
        "name": "pulse",
        "about": "a filter over tempo and phase: its network and its blur",
        "command": "python -m export.train_pulse",
        "licence": "GPL-3.0-or-later",
        "data": _describe(kinds),
        "settings": asdict(settings),
        "begun_from": [path.name for path in options.begin] or None,
        "valid_figures": {"loss": round(measure(model, Settings(), others), 4)},
        "parity": apart,
        "checksum": checksum(tables),
    }
    body = json.dumps(tables, separators=(",", ":"))
    options.out.write_text(
        f'{{\n"card": {json.dumps(card)},\n"tables": {body}\n}}\n', encoding="utf-8"
    )
    print(f"{options.out}: valid loss {card['valid_figures']['loss']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
