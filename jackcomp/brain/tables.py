"""What `SongBrain` needs beside the model, read from ``models/memory.json``.

The file is one JSON object: ``tables`` (logarithms in thousandths, so that they are
short and exact) and ``card`` (what they were fitted on, how well they do, the
checksum of ``tables``, and that of the model that they were fitted for).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jackcomp.brain.features import N_GENRES, N_MOVES
from jackcomp.brain.genre import GenreTables
from jackcomp.brain.memory import SENTINEL, TRAITS, SongMemory
from jackcomp.tables import load_tables

LOG_UNIT = 1000

_REMEDY = "reinstall jackcomp, or make them with: python -m export.fit_memory"


@dataclass(frozen=True, slots=True, eq=False)
class SongTables:
    """Memory for a past that is known and for one that is guessed, and genres."""

    known: SongMemory
    guessed: SongMemory
    genres: GenreTables


def load_song_tables(model_checksum: str, path: Path | None = None) -> SongTables:
    """Read the tables of a file, or those that are installed with jackcomp.

    Parameters
    ----------
    model_checksum : str
        `Brain.checksum` of the model that they go with.
    path : Path, optional
        Another file.

    Raises
    ------
    ModelError
        If the file is missing, is not JSON, does not match its card, or belongs to
        another model.
    """

    def read(tables: Mapping[str, Any], card: Mapping[str, Any]) -> SongTables:
        if card["model"] != model_checksum:
            raise ValueError("they were fitted for another model")
        return SongTables(
            unpack_memory(tables["known"]),
            unpack_memory(tables["guessed"]),
            _unpack_genres(tables["genres"]),
        )

    return load_tables("the memory's tables", "memory.json", _REMEDY, read, path)


def pack_memory(memory: SongMemory) -> dict[str, list[int]]:
    """Write a memory's tables as they are in the file, by the name of the trait."""
    named = zip((*TRAITS, *SENTINEL), (*memory.traits, *memory.sentinel), strict=True)
    return {name: to_units(table) for name, table in named}


def unpack_memory(tables: Mapping[str, Any]) -> SongMemory:
    """Read what `pack_memory` wrote.

    Raises
    ------
    ValueError
        If a table has another length than this version of jackcomp expects.
    """
    return SongMemory(
        tuple(_array(tables, name, (size,)) for name, size in TRAITS.items()),
        tuple(_array(tables, name, (size,)) for name, size in SENTINEL.items()),
    )


def to_units(logs: NDArray[np.float64]) -> Any:
    """Round logarithms to the unit of the file."""
    return np.rint(logs * LOG_UNIT).astype(int).tolist()


def _unpack_genres(tables: Mapping[str, Any]) -> GenreTables:
    return GenreTables(
        _array(tables, "prior", (N_GENRES,)),
        _array(tables, "moves", (N_GENRES, N_MOVES)),
        float(tables["temper"]),
    )


def _array(
    tables: Mapping[str, Any], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    array = np.asarray(tables[name], np.float64) / LOG_UNIT
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: expected {shape}")
    return array
