"""Count the ear's tables on training songs and fit their few exponents.

``python -m export.count_ear`` reads the lead sheets of ``export/corpus`` and
writes ``models/ear.json``: tables counted on the train split, two dozen
exponents fitted on the valid split by likelihood, and a card with data,
settings and figures. The test split is never read. It takes some minutes on
one core, and gives the same file every time.

What is counted, always relative to the tonic of the annotated key:

- key: which pitch classes sound in major and in minor, by idiom (pop, folk, song,
  jazz), and to which keys one goes;
- chords: how often each chord holds a grid step, by idiom and mode;
- notes: which pitch classes sound at which place of a step, by chord and mode.
  A rare chord leans on its quality in any key, a rare quality on its triad.
"""

import argparse
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.songs import LEADSHEET_FILES, GridStep, Song, read_songs
from jackcomp.decision.policy import choose
from jackcomp.ear.harmony import (
    LINE,
    MEASURES,
    PLACES,
    PREVIOUS,
    SOUNDING,
    STAGES,
    STRUCK,
    TAIL,
    ChordScorer,
    HarmonyTables,
    gather_evidence,
)
from jackcomp.ear.key import (
    CELL_TICKS,
    KEY_TRAITS,
    KeyListener,
    KeyTables,
    gather_key_evidence,
)
from jackcomp.ear.listen import Ear, Heard
from jackcomp.ear.listener import load_listener
from jackcomp.ear.tables import LOG_UNIT, EarTables
from jackcomp.ear.window import HeardNote
from jackcomp.network import Network
from jackcomp.tables import checksum
from jackcomp.theory.chord import QUALITIES, QUALITY_BY_NAME
from jackcomp.theory.key import key_index
from jackcomp.theory.vocabulary import (
    CHORDS,
    N_CHORDS,
    N_QUALITIES,
    NO_CHORD_INDEX,
    transpose_index,
)
from jackcomp.timeline.meter import TICKS_PER_QUARTER

OUT = Path(__file__).parents[1] / "models" / "ear.json"
# Sources that use their keys alike.
IDIOMS = {
    "pop": ("pop909",),
    "folk": ("nottingham",),
    "song": ("openewld", "lieder"),
    "jazz": ("wjazzd",),
}
UNKNOWN = -1
VELOCITY = 80  # lead sheets have none; the ear does not look at it


@dataclass(frozen=True)
class Settings:
    """What a run depends on beside the corpus; smoothings are pseudo-counts."""

    seed: int = 0
    # A decision hears what sounded 45 ms before it, at 120 quarters a minute.
    lead_ticks: int = 173
    # Where in a step the ear is asked, in ticks after its line; and at its end.
    cut_ticks: tuple[int, ...] = (0, TICKS_PER_QUARTER // 2, TICKS_PER_QUARTER)
    fit_steps: int = 2500
    fit_rounds: int = 12
    # What an onset counts beside a quarter of sound.
    struck_share: float = 0.5
    key_smoothing: float = 5.0
    idiom_key_smoothing: float = 20.0
    idiom_chord_smoothing: float = 200.0
    change_smoothing: float = 1.0
    chord_smoothing: float = 10.0
    note_smoothing: float = 20.0
    scale_smoothing: float = 6.0
    quality_smoothing: float = 50.0
    triad_smoothing: float = 5.0


SETTINGS = Settings()


def main() -> None:
    """Count, fit, measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="default: %(default)s")
    options = parser.parse_args()

    train = [Melody(song) for song in read_songs(LEADSHEET_FILES, "train")]
    valid = [Melody(song) for song in read_songs(LEADSHEET_FILES, "valid")]
    key = fit_key(count_keys(train), valid)
    network = load_listener()
    harmony = fit_harmony(count_harmony(train), key, valid, network)
    figures = measure(EarTables(key, harmony), valid, network)

    tables = pack_tables(key, harmony)
    card = {
        "name": "ear",
        "about": "log-probabilities of pitch classes by key, and by chord and place",
        "command": "python -m export.count_ear",
        "licence": "GPL-3.0-or-later",
        "data": {"counted": count_songs(train), "fitted": count_songs(valid)},
        "settings": asdict(SETTINGS),
        "valid_figures": figures,
        "checksum": checksum(tables),
    }
    lines = [
        f"{json.dumps(part)}: {json.dumps(content, separators=(',', ':'))}"
        for part, content in (("card", card), ("tables", tables))
    ]
    options.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


# What a song gives


class Melody:
    """A song, and its notes as the ear would hear them."""

    def __init__(self, song: Song) -> None:
        self.song = song
        self.notes = [
            HeardNote(n.onset, n.onset + max(n.duration, 1), n.note, VELOCITY)
            for n in song.melody
        ]
        self.idiom = next(
            number
            for number, sources in enumerate(IDIOMS.values())
            if song.source in sources
        )
        self._onsets = [note.onset for note in self.notes]

    def near(self, start: int, end: int) -> list[HeardNote]:
        """Give the notes that may sound in ``[start, end)``, none after it."""
        first = bisect_left(self._onsets, start - 8 * TICKS_PER_QUARTER)
        return self.notes[first : bisect_left(self._onsets, end)]

    def key_cells(self) -> Iterator[tuple[NDArray[np.float64], int]]:
        """Give the evidence and the annotated key of each cell with its rests."""
        first = self.notes[0].onset // CELL_TICKS
        last = max(note.end or 0 for note in self.notes) // CELL_TICKS
        for cell in range(first, last + 1):
            start, end = cell * CELL_TICKS, (cell + 1) * CELL_TICKS
            evidence = gather_key_evidence(self.near(start, end), cell, end)
            yield evidence, self.key_at(start)

    def key_at(self, tick: int) -> int:
        """Give the index of the annotated key, `UNKNOWN` where there is none."""
        key = self.song.key
        for span in self.song.keys:
            if span.start <= tick:
                key = span.key
        return UNKNOWN if key is None else key_index(key)

    def listen(
        self, tables: EarTables, network: Network
    ) -> Iterator[tuple[GridStep, list[Heard]]]:
        """Play the song to an ear, and ask it at every cut of every step."""
        ear = Ear(tables, network, self.song.meter)
        events = [(n.onset, 1, n.note) for n in self.notes]
        events += [(n.end or 0, 0, n.note) for n in self.notes]
        events.sort(reverse=True)
        for step in self.song.steps():
            heard = []
            for cut in (*SETTINGS.cut_ticks, step.end - step.start):
                now = min(step.start + cut, step.end) - SETTINGS.lead_ticks
                while events and events[-1][0] < now:
                    tick, is_on, note = events.pop()
                    if is_on:
                        ear.note_on(tick, note, VELOCITY)
                    else:
                        ear.note_off(tick, note)
                heard.append(ear.hear(step.start, now, step.end))
            yield step, heard


def count_songs(melodies: Sequence[Melody]) -> dict[str, dict[str, Any]]:
    """Count songs by source, with their licence, for the card."""
    counts = Counter((m.song.source, m.song.licence) for m in melodies)
    return {
        source: {"licence": licence, "songs": songs}
        for (source, licence), songs in sorted(counts.items())
    }


# Counting


def count_keys(melodies: Sequence[Melody]) -> KeyTables:
    """Count the profiles of each idiom and mode, and the changes of key."""
    profiles = np.zeros((len(IDIOMS), 2, len(KEY_TRAITS), 12))
    songs = np.zeros((len(IDIOMS), 2))
    changes = np.full((2, 2, 12), SETTINGS.change_smoothing)
    changes[[0, 1], [0, 1], 0] = 0.0
    for melody in melodies:
        if melody.song.key_doubtful:
            continue
        cells = [(evidence, key) for evidence, key in melody.key_cells() if key >= 0]
        for evidence, key in cells:
            mode, tonic = divmod(key, 12)
            profiles[melody.idiom, mode] += np.roll(evidence, -tonic, axis=-1)
            songs[melody.idiom, mode] += 1.0 / len(cells)
        keys = [key_index(span.key) for span in melody.song.keys if span.key]
        for old, new in pairwise(keys):
            if old != new:
                changes[old // 12, new // 12, (new - old) % 12] += 1.0
    in_all = normalise(profiles.sum(axis=0) + SETTINGS.key_smoothing)
    return KeyTables(
        idioms=tuple(IDIOMS),
        profiles=round_logs(profiles + SETTINGS.idiom_key_smoothing * in_all),
        weights=np.full(len(KEY_TRAITS), 0.3),
        shares=songs / songs.sum(),
        changes=changes / changes.sum(axis=(1, 2), keepdims=True),
        change_rate=0.01,
        idiom_rate=0.01,
    )


def count_harmony(melodies: Sequence[Melody]) -> HarmonyTables:
    """Count chords by mode, and pitch classes by mode, chord and place."""
    chords = np.zeros((len(IDIOMS), 2, N_CHORDS))
    in_key = np.zeros((2, len(PLACES), N_CHORDS, 12))
    by_quality = np.zeros((len(PLACES), N_QUALITIES, 12))
    for melody in melodies:
        for step in melody.song.steps():
            sounding = weigh_notes(melody, step)
            key = melody.key_at(step.start)
            if key != UNKNOWN:
                mode, tonic = divmod(key, 12)
                chord = transpose_index(step.chord, -tonic)
                chords[melody.idiom, mode, chord] += 1.0
                in_key[mode, :, chord] += np.roll(sounding, -tonic, axis=-1)
            if step.chord != NO_CHORD_INDEX:
                root, quality = divmod(step.chord, N_QUALITIES)
                by_quality[:, quality] += np.roll(sounding, -root, axis=-1)
    in_all = chords.sum(axis=0)
    in_all += SETTINGS.chord_smoothing * normalise(in_all.sum(axis=0) + 0.1)
    return HarmonyTables(
        notes=round_logs(smooth_notes(in_key, by_quality)),
        chords=round_logs(chords + SETTINGS.idiom_chord_smoothing * normalise(in_all)),
        weights=np.full((len(STAGES), len(PLACES), len(MEASURES)), 0.4),
        key_exponent=1.0,
    )


def weigh_notes(melody: Melody, step: GridStep) -> NDArray[np.float64]:
    """Sum up a step's notes, shape (7, 12), by place and pitch class.

    The step itself is seen whole. The notes before it are seen as they are just
    before the line, when nobody knows yet which of them will be held.
    """
    start, end = step.start, step.end
    notes = melody.near(2 * start - end, end)
    pulse = melody.song.meter.pulse_ticks
    seen = gather_evidence(notes, start, end, end, pulse)
    early = gather_evidence(notes, start, start - SETTINGS.lead_ticks, end, pulse)
    seen[TAIL:] = early[TAIL:]
    return SETTINGS.struck_share * seen[:, STRUCK] + seen[:, SOUNDING]


def smooth_notes(
    in_key: NDArray[np.float64], by_quality: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Let a rare chord lean on its quality, and a rare quality on its triad."""
    triads = np.array([quality.triad for quality in QUALITIES])
    same_triad = (triads[:, None] == triads).astype(np.float64)
    by_triad = np.einsum("qr,pri->pqi", same_triad, by_quality)
    of_triad = normalise(by_triad + SETTINGS.triad_smoothing)
    of_quality = normalise(by_quality + SETTINGS.quality_smoothing * of_triad)
    of_chord = np.empty(in_key.shape[1:])
    for chord in range(NO_CHORD_INDEX):
        root, quality = divmod(chord, N_QUALITIES)
        of_chord[:, chord] = np.roll(of_quality[:, quality], root, axis=-1)
    of_chord[:, NO_CHORD_INDEX] = normalise(in_key[:, :, NO_CHORD_INDEX].sum(0) + 1.0)
    of_scale = normalise(in_key.sum(axis=2, keepdims=True) + 1.0)
    return (
        in_key
        + SETTINGS.note_smoothing * of_chord
        + SETTINGS.scale_smoothing * of_scale
    )


def normalise(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn counts into shares along the last axis."""
    return counts / counts.sum(axis=-1, keepdims=True)


def round_logs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give logarithms of shares, rounded as the file will have them."""
    return np.round(np.log(normalise(counts)) * LOG_UNIT) / LOG_UNIT


# Fitting


def fit_key(tables: KeyTables, melodies: Sequence[Melody]) -> KeyTables:
    """Fit the weights of the traits and the rates of change, by likelihood."""
    sure = [list(m.key_cells()) for m in melodies if not m.song.key_doubtful]

    def put(values: NDArray[np.float64]) -> KeyTables:
        change_rate, idiom_rate = values[-2:].tolist()
        return replace(
            tables,
            weights=values[:-2],
            change_rate=change_rate,
            idiom_rate=idiom_rate,
        )

    def loss(values: NDArray[np.float64]) -> float:
        listener = KeyListener(put(values))
        logs = []
        for cells in sure:
            listener.reset()
            for evidence, key in cells:
                state = listener.update(evidence)
                if key != UNKNOWN:
                    logs.append(np.log(max(state[:, key].sum(), 1e-9)))
        return -float(np.mean(logs))

    start = np.array([*tables.weights, tables.change_rate, tables.idiom_rate])
    return put(minimise(loss, start))


def fit_harmony(
    tables: HarmonyTables,
    key: KeyTables,
    melodies: Sequence[Melody],
    network: Network,
) -> HarmonyTables:
    """Fit the exponents, inside the step and then before it, by likelihood.

    The network is only the other half of the ear that listens here; its opinion is
    not asked for.
    """
    heard = [
        (step.chord, cuts)
        for melody in melodies
        for step, cuts in melody.listen(EarTables(key, tables), network)
    ]
    rng = np.random.default_rng(SETTINGS.seed)
    some = rng.choice(len(heard), min(SETTINGS.fit_steps, len(heard)), replace=False)
    sample = [heard[index] for index in sorted(some)]
    weights = np.zeros_like(tables.weights)

    def put_inside(values: NDArray[np.float64]) -> HarmonyTables:
        weights[1] = values[:-1].reshape(weights[1].shape)
        return replace(tables, weights=weights.copy(), key_exponent=float(values[-1]))

    start = np.array([*tables.weights[1].ravel(), tables.key_exponent])
    inside = [(chord, heard) for chord, cuts in sample for heard in cuts[1:]]
    fitted = put_inside(
        minimise(lambda values: chord_loss(put_inside(values), inside, True), start)
    )

    def put_before(values: NDArray[np.float64]) -> HarmonyTables:
        weights[0, [LINE, TAIL, PREVIOUS]] = values.reshape(3, -1)
        return replace(fitted, weights=weights.copy())

    start = fitted.weights[1, [LINE, TAIL, PREVIOUS]].ravel()
    before = [(chord, cuts[0]) for chord, cuts in sample]
    return put_before(
        minimise(lambda values: chord_loss(put_before(values), before, False), start)
    )


def chord_loss(
    tables: HarmonyTables, sample: Sequence[tuple[int, Heard]], begun: bool
) -> float:
    """Give the mean negative log-likelihood of the annotated chords."""
    scorer = ChordScorer(tables)
    chances = [
        scorer.score(heard.evidence, scorer.expect(heard.key_state), begun)[chord]
        for chord, heard in sample
    ]
    return -float(np.log(np.maximum(chances, 1e-9)).mean())


def minimise(
    loss: Callable[[NDArray[np.float64]], float], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Search along one positive parameter after the other, in shrinking steps."""
    values, best = start.copy(), loss(start)
    steps = np.full(len(start), 1.6)
    for _ in range(SETTINGS.fit_rounds):
        for index, step in enumerate(steps):
            for factor in (step, 1.0 / step):
                tried = values.copy()
                tried[index] *= factor
                found = loss(tried)
                if found < best - 1e-5:
                    values, best = tried, found
                    break
            else:
                steps[index] = np.sqrt(step)
    return np.round(values, 4)


# Figures


def measure(
    tables: EarTables, melodies: Sequence[Melody], network: Network
) -> dict[str, Any]:
    """Measure the tables alone at each cut: majmin weighted by time, likelihood."""
    names = ("line", "eighth", "quarter", "end")
    logs: dict[str, list[float]] = {name: [] for name in names}
    right: Counter[str] = Counter()
    time = 0
    key_right = []
    for melody in melodies:
        for step, cuts in melody.listen(tables, network):
            key = melody.key_at(step.start)
            if key != UNKNOWN and not melody.song.key_doubtful:
                key_right.append(cuts[0].keys.argmax() == key)
            triad = triad_of(step.chord)
            counted = (step.end - step.start) * (triad[1] in ("maj", "min"))
            time += counted
            for name, heard in zip(names, cuts, strict=True):
                logs[name].append(np.log(max(heard.chords[step.chord], 1e-9)))
                chosen = triad_of(choose(heard.chords, None))
                right[name] += counted * (chosen == triad)
    return {
        "majmin": {name: round(right[name] / time, 4) for name in names},
        "log_likelihood": {n: round(float(np.mean(logs[n])), 4) for n in names},
        "key_exact_by_step": round(float(np.mean(key_right)), 4),
        "grid_steps": len(logs["line"]),
    }


def triad_of(index: int) -> tuple[int | None, str]:
    """Give a chord's root and the family of its triad."""
    chord = CHORDS[index]
    return chord.root, "" if chord.is_none else QUALITY_BY_NAME[chord.quality].triad


# The file


def pack_tables(key: KeyTables, harmony: HarmonyTables) -> dict[str, Any]:
    """Give the tables as plain numbers, the logarithms in whole thousandths."""
    return {
        "key": {
            "idioms": list(key.idioms),
            "profiles": in_thousandths(key.profiles),
            "weights": key.weights.tolist(),
            "shares": np.round(key.shares, 5).tolist(),
            "changes": np.round(key.changes, 5).tolist(),
            "change_rate": key.change_rate,
            "idiom_rate": key.idiom_rate,
        },
        "harmony": {
            "notes": in_thousandths(harmony.notes),
            "chords": in_thousandths(harmony.chords),
            "weights": harmony.weights.tolist(),
            "key_exponent": harmony.key_exponent,
        },
    }


def in_thousandths(logs: NDArray[np.float64]) -> list[Any]:
    """Give logarithms as integers."""
    return np.rint(logs * LOG_UNIT).astype(int).tolist()


if __name__ == "__main__":
    main()
