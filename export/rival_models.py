"""The rivals of the chord model, by row of the report.

``hold``, ``unigram``, ``ngram`` and ``ppm`` know the train split alone; ``ppm_memory``
counts the song's own past in; ``ngram_memory`` has the in-song memory that the system
has, with weights of its own; ``counts_memory`` has it on top of all counts mixed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.baselines import Hold, Ngram, Unigram
from export.ppm import Ppm
from export.sequences import ChordSequence
from jackcomp.brain.memory import SongMemory, no_past, remember
from jackcomp.brain.tables import unpack_memory
from jackcomp.tables import load_tables

RIVAL_MEMORY = Path(__file__).parent / "rival_memory.json"
_REMEDY = "make them with: python -m export.fit_memory --rivals"
WITH_MEMORY = ("ngram_memory", "counts_memory")


class Rivals:
    """All rivals, fitted on the same songs.

    Shares (those of `count` in the mixture of all counts) and memories were fitted on
    the valid split by ``python -m export.fit_memory --rivals``.
    """

    def __init__(
        self,
        train: Sequence[ChordSequence],
        shares: Sequence[float] = (),
        memories: Mapping[str, SongMemory] = MappingProxyType({}),
    ) -> None:
        self._shares, self._memories = shares, dict(memories)
        self._ngram, self._ppm = Ngram(train), Ppm(train)
        self._hold, self._unigram = Hold(train), Unigram(train)

    def count(self, sequence: ChordSequence) -> list[NDArray[np.float64]]:
        """Give the rows of 5-gram, PPM, and PPM with its own past."""
        return [
            self._ngram.foresee(sequence),
            self._ppm.foresee(sequence),
            self._ppm.foresee(sequence, remembers=True),
        ]

    def rows(self, sequence: ChordSequence) -> dict[str, NDArray[np.float64]]:
        """Foresee a song: for each row of the report an array (steps, 169)."""
        counted = self.count(sequence)
        ngram, ppm, ppm_memory = counted
        mixed = mix(self._shares, counted)
        memories = self._memories
        return {
            "counts_memory": with_memory(memories["counts_memory"], sequence, mixed),
            "ngram_memory": with_memory(memories["ngram_memory"], sequence, ngram),
            "ppm_memory": ppm_memory,
            "ngram": ngram,
            "ppm": ppm,
            "unigram": self._unigram.foresee(sequence),
            "hold": self._hold.foresee(sequence),
        }


def mix(
    shares: Sequence[float], rows: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Mix distributions in fixed shares."""
    return np.tensordot(np.asarray(shares), np.asarray(rows), 1)


def fit_shares(chances: NDArray[np.float64], rounds: int = 100) -> list[float]:
    """Fit shares by expectation-maximisation.

    Parameters
    ----------
    chances : ndarray, shape=(parts, steps)
        What each part gave to what came.
    rounds : int
        How often to go through all steps.
    """
    shares = np.full(len(chances), 1 / len(chances))
    for _ in range(rounds):
        said = shares[:, None] * chances
        shares = (said / said.sum(axis=0)).mean(axis=1)
    return shares.tolist()


def with_memory(
    memory: SongMemory, sequence: ChordSequence, rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mix what was foreseen with what the song has done, step by step."""
    past = no_past()
    mixed = np.empty_like(rows)
    for step, chord in enumerate(sequence.chords):
        position = sequence.positions[step]
        mixed[step] = memory.recall(past, rows[step][None], position)[0]
        past = remember(past, [chord], position)
    return mixed


def read_rival_tables() -> tuple[list[float], dict[str, SongMemory]]:
    """Read the shares of the counts, and the memories by row.

    Raises
    ------
    ModelError
        If the file is missing, is not JSON, or does not match its card.
    """

    def read(
        tables: Mapping[str, Any], card: Mapping[str, Any]
    ) -> tuple[list[float], dict[str, SongMemory]]:
        memories = {name: unpack_memory(tables[name]) for name in WITH_MEMORY}
        return tables["shares"], memories

    return load_tables(
        "the rivals' tables", RIVAL_MEMORY.name, _REMEDY, read, RIVAL_MEMORY
    )
