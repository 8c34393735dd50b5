"""Fit the in-song memory and the genres: ``python -m export.fit_memory``.

Writes ``models/memory.json``: how much each trait of an earlier step of the song
counts, and how much the model does (`jackcomp.brain.memory`), for a past that is
known and for one in which a fifth of the chords is guessed wrong; and what each
genre does with its chords (`jackcomp.brain.genre`). The weights of the mixture
maximise the likelihood of the songs of the valid split (for a guessed past, one in
which changes on new ground count more), moves are counted on the
train split, and the test split is never read. The rivals of the model get memories
of their own, fitted alike, in ``export/rival_memory.json``. It takes some minutes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from export.measuring import check_file
from export.play import play_brain
from export.rival_models import (
    RIVAL_MEMORY,
    WITH_MEMORY,
    Rivals,
    fit_shares,
    mix,
)
from export.sequences import (
    GENRE_OF_SOURCE,
    ChordSequence,
    blur,
    match_lengths,
    to_sequences,
)
from export.songs import CORPUS_FILES, read_songs
from jackcomp.brain.features import N_GENRES, N_MOVES, Context, encode_chord
from jackcomp.brain.genre import GenreTables, probabilities
from jackcomp.brain.memory import (
    SENTINEL,
    TRAITS,
    SongMemory,
    no_past,
    remember,
    sentinel_of,
    traits_of,
)
from jackcomp.brain.model import Brain
from jackcomp.brain.song import SongBrain
from jackcomp.brain.tables import pack_memory, to_units, unpack_memory
from jackcomp.errors import JackcompError
from jackcomp.tables import checksum
from jackcomp.theory.genre import GENRES

OUT = Path(__file__).parents[1] / "models" / "memory.json"


@dataclass(frozen=True)
class Settings:
    """What a run depends on beside the corpus and the model."""

    seed: int = 20240229
    # How much of a guessed past is wrong.
    guessed_wrong: float = 0.2
    # There a change on new ground counts so much: what matches does so by mistake.
    new_ground: float = 8.0
    rounds: int = 40
    rival_rounds: int = 25
    # Pulls weights that few steps decide towards nothing.
    ridge: float = 2e-5
    # Each move counts as met so often before it is.
    move_smoothing: float = 1.0
    tempers: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)


SETTINGS = Settings()


def main() -> int:
    """Read the command line, and fit. A mistake is one line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", type=Path, help="an ONNX file; the installed one")
    parser.add_argument("--out", type=Path, default=OUT, help="default: %(default)s")
    parser.add_argument("--rivals", action="store_true", help="fit those too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        check_file(options.out)
        fit_all(options)
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def fit_all(options: argparse.Namespace) -> None:
    """Count, fit, measure, and write the files."""
    brain = Brain.load(options.model)
    train = to_sequences(read_songs(CORPUS_FILES, "train"))
    valid = to_sequences(read_songs(CORPUS_FILES, "valid"))
    genres = fit_genres(train, valid)
    alone = SongBrain(brain, None, genres)
    generator = np.random.default_rng(SETTINGS.seed)
    guesses = [blur(song, SETTINGS.guessed_wrong, generator) for song in valid]
    figures: dict[str, Any] = {"split": "valid", "genre": genre_figures(genres, valid)}
    tables: dict[str, Any] = {"genres": pack_genres(genres)}
    known = [song.chords for song in valid]
    for name, pasts, new_ground in (
        ("known", known, 1.0),
        ("guessed", guesses, SETTINGS.new_ground),
    ):
        voices = Voices(valid, pasts, list(play_brain(alone, valid, pasts)))
        half = fit(voices, voices.even, SETTINGS.rounds, new_ground)
        memory = fit(voices, voices.scored, SETTINGS.rounds, new_ground)
        tables[name] = pack_memory(memory)
        figures[name] = {
            "lstm": voices.perplexity(None, voices.scored),
            "system": voices.perplexity(memory, voices.scored),
            "lstm_other_half": voices.perplexity(None, voices.odd),
            "system_fitted_on_one_half_other_half": voices.perplexity(half, voices.odd),
        }
    card = {
        "name": "memory",
        "about": "weights of the in-song memory, and moves by genre",
        "command": "python -m export.fit_memory",
        "licence": "GPL-3.0-or-later",
        "model": brain.checksum,
        "data": {"moves": len(train), "weights": len(valid)},
        "settings": asdict(SETTINGS),
        "figures": figures,
        "checksum": checksum(tables),
    }
    write_tables(options.out, card, tables)
    print(json.dumps(figures, indent=1))
    if options.rivals:
        fit_rivals(train, valid)


def write_tables(path: Path, card: dict[str, Any], tables: dict[str, Any]) -> None:
    """Write a line for the card and one for each table."""
    lines = [f'"card": {json.dumps(card)}']
    inner = [
        f"{json.dumps(name)}: {json.dumps(table, separators=(',', ':'))}"
        for name, table in tables.items()
    ]
    lines.append('"tables": {\n' + ",\n".join(inner) + "\n}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


# ---- the mixture ----


class Voices:
    """Every voice at every step: what it is like, and whether it was right.

    Parameters
    ----------
    songs : sequence of ChordSequence
        What came.
    pasts : sequence of ndarray
        The chords that the memory knows of each song.
    rows : sequence of ndarray, shape=(steps, 169)
        What the model foresaw.
    """

    def __init__(
        self,
        songs: Sequence[ChordSequence],
        pasts: Sequence[NDArray[np.int64]],
        rows: Sequence[NDArray[np.floating]],
    ) -> None:
        keys, steps, right, sentinel, chances = [], [], [], [], []
        first, count = [], 0
        for song, past, row in zip(tqdm(songs, leave=False), pasts, rows, strict=True):
            first.append(count)
            state = no_past()
            for step, chord in enumerate(song.chords):
                position = song.positions[step]
                traits = traits_of(state, position)[:, 0, state.first :]
                keys.append(np.ravel_multi_index(traits, tuple(TRAITS.values())))
                steps.append(np.full(state.steps, count))
                right.append(state.chords[0, state.first :] == chord)
                sentinel.append(sentinel_of(state, row[step][None])[:, 0])
                chances.append(row[step, chord])
                state = remember(state, past[step : step + 1], position)
                count += 1
        # Most combinations of traits come often: each is looked up once.
        met, which = np.unique(np.concatenate(keys), return_inverse=True)
        traits = np.unravel_index(met, tuple(TRAITS.values()))
        self._traits = torch.from_numpy(np.array(traits))
        self._which = torch.from_numpy(which)
        self._steps = torch.from_numpy(np.concatenate(steps))
        self._right = torch.from_numpy(np.concatenate(right))
        self._sentinel = torch.from_numpy(np.array(sentinel).T)
        self._chances = torch.tensor(np.array(chances), dtype=torch.float64)
        self.new = torch.from_numpy(np.concatenate(list(map(_new_ground, songs))))
        song_of = np.repeat(np.arange(len(songs)), [len(s.chords) for s in songs])
        self.scored = torch.ones(count, dtype=torch.bool)
        self.scored[first] = False
        is_even = torch.from_numpy(song_of % 2 == 0)
        self.even, self.odd = self.scored & is_even, self.scored & ~is_even

    def chances(self, tables: Sequence[Tensor]) -> Tensor:
        """Give the probability of what came, at every step."""
        logs = _look_up(tables[: len(TRAITS)], self._traits)
        voices = logs.exp()[self._which]
        own = _look_up(tables[len(TRAITS) :], self._sentinel).exp()
        nothing = torch.zeros_like(self._chances)
        total = nothing.index_add(0, self._steps, voices)
        right = self._right
        said = nothing.index_add(0, self._steps[right], voices[right])
        return (said + own * self._chances) / (total + own)

    def perplexity(self, memory: SongMemory | None, where: Tensor) -> float:
        """Give the perplexity of some steps; without a memory, the model's."""
        if memory is None:
            chances = self._chances
        else:
            tables = (*memory.traits, *memory.sentinel)
            chances = self.chances([torch.from_numpy(table) for table in tables])
        return float((-chances[where].clamp(min=1e-12).log().mean()).exp())


def _new_ground(song: ChordSequence) -> NDArray[np.bool_]:
    """Tell at which steps the chord changes, and that before it led nowhere yet."""
    changes = np.append(False, song.chords[1:] != song.chords[:-1])
    return changes & (match_lengths(song.chords) == 0)


def _look_up(tables: Sequence[Tensor], traits: Tensor) -> Tensor:
    return sum(table[values] for table, values in zip(tables, traits, strict=True))


def fit(
    voices: Voices, where: Tensor, rounds: int, new_ground: float = 1.0
) -> SongMemory:
    """Maximise the likelihood of some steps, by a quasi-Newton search.

    Changes on new ground count so much more.
    """
    weights = torch.where(voices.new, new_ground, 1.0)[where]
    weights /= weights.mean()
    sizes = (*TRAITS.values(), *SENTINEL.values())
    tables = [torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in sizes]
    search = torch.optim.LBFGS(
        tables, max_iter=rounds, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        search.zero_grad()
        chances = voices.chances(tables)[where].clamp(min=1e-12)
        ridge = sum((table**2).sum() for table in tables)
        value = -(weights * chances.log()).mean() + SETTINGS.ridge * ridge
        value.backward()
        return value

    search.step(loss)
    arrays = [table.detach().numpy() for table in tables]
    found = SongMemory(tuple(arrays[: len(TRAITS)]), tuple(arrays[len(TRAITS) :]))
    return unpack_memory(pack_memory(found))  # as it will be read


def fit_rivals(train: Sequence[ChordSequence], valid: Sequence[ChordSequence]) -> None:
    """Mix the counts, and give the rivals memories of their own."""
    rivals = Rivals(train)
    counted = [rivals.count(song) for song in tqdm(valid, leave=False)]
    chances = np.concatenate(
        [
            [rows[np.arange(1, len(rows)), song.chords[1:]] for rows in parts]
            for song, parts in zip(valid, counted, strict=True)
        ],
        axis=1,
    )
    shares = [round(share, 3) for share in fit_shares(chances)]
    mixed = [mix(shares, parts) for parts in counted]
    pasts = [song.chords for song in valid]
    fitted: dict[str, Any] = {"shares": shares}
    for name, rows in zip(
        WITH_MEMORY, ([parts[0] for parts in counted], mixed), strict=True
    ):
        voices = Voices(valid, pasts, rows)
        memory = fit(voices, voices.scored, SETTINGS.rival_rounds)
        fitted[name] = pack_memory(memory)
        print(name, voices.perplexity(memory, voices.scored))
    card = {
        "about": "weights of the in-song memory for the model's rivals",
        "command": "python -m export.fit_memory --rivals",
        "fitted_on": "valid",
        "checksum": checksum(fitted),
    }
    write_tables(RIVAL_MEMORY, card, fitted)


# ---- genres ----


def fit_genres(
    train: Sequence[ChordSequence], valid: Sequence[ChordSequence]
) -> GenreTables:
    """Count moves by genre; choose how much each counts."""
    counts = np.full((N_GENRES, N_MOVES), SETTINGS.move_smoothing)
    songs = np.zeros(N_GENRES)
    for song in train:
        genre = GENRES.index(GENRE_OF_SOURCE[song.source])
        songs[genre] += 1
        for told in _changes(song):
            counts[genre, told.move] += 1
    prior = np.log(songs / songs.sum())
    moves = np.log(counts / counts.sum(axis=1, keepdims=True))
    rounded = (to_units(prior), to_units(moves))
    prior, moves = (np.array(logs) / 1000 for logs in rounded)
    return max(
        (GenreTables(prior, moves, temper) for temper in SETTINGS.tempers),
        key=lambda tables: genre_figures(tables, valid)["log_likelihood"],
    )


def _changes(song: ChordSequence) -> list[Any]:
    context, changes = Context(), []
    for chord in song.chords.tolist():
        told, context = encode_chord(chord, context)
        if told.held == 1:
            changes.append(told)
    return changes


def genre_figures(
    tables: GenreTables, songs: Sequence[ChordSequence]
) -> dict[str, float]:
    """Say how well the genre is known, on the mean over all changes of chord."""
    logs, right = [], []
    for song in songs:
        told = _changes(song)
        moves = tables.temper * tables.moves[:, [chord.move for chord in told]].T
        chances = probabilities(tables.prior + np.cumsum(moves, axis=0))
        genre = GENRES.index(GENRE_OF_SOURCE[song.source])
        logs.append(np.log(np.maximum(chances[:, genre], 1e-9)))
        right.append(chances.argmax(axis=1) == genre)
    return {
        "temper": tables.temper,
        "log_likelihood": float(np.concatenate(logs).mean()),
        "right": float(np.concatenate(right).mean()),
    }


def pack_genres(genres: GenreTables) -> dict[str, Any]:
    """Write the genres as they are in the file."""
    return {
        "prior": to_units(genres.prior),
        "moves": to_units(genres.moves),
        "temper": genres.temper,
    }


if __name__ == "__main__":
    sys.exit(main())
