"""The ear's tables, read from ``models/ear.json`` and checked against their card.

The file is one JSON object: ``tables`` (logarithms in thousandths, so that they
are short and exact) and ``card`` (what they were counted on, how well they do,
and the checksum of ``tables``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jackcomp.ear.harmony import MEASURES, PLACES, STAGES, HarmonyTables
from jackcomp.ear.key import KEY_TRAITS, KeyTables
from jackcomp.tables import load_tables
from jackcomp.theory.vocabulary import N_CHORDS

LOG_UNIT = 1000

_REMEDY = "reinstall jackcomp, or make them with: python -m export.count_ear"


@dataclass(frozen=True, slots=True, eq=False)
class EarTables:
    """Everything that the ear knows: of keys, and of chords."""

    key: KeyTables
    harmony: HarmonyTables


def load_ear_tables(path: Path | None = None) -> EarTables:
    """Read the tables of a file, or those that are installed with jackcomp.

    Raises
    ------
    ModelError
        If the file is missing, is not JSON, or does not match its card.
    """
    return load_tables("the ear's tables", "ear.json", _REMEDY, _ear_tables, path)


def _ear_tables(tables: Mapping[str, Any], _card: Mapping[str, Any]) -> EarTables:
    key = _key_tables(tables["key"])
    return EarTables(key, _harmony_tables(tables["harmony"], len(key.idioms)))


def _key_tables(tables: Mapping[str, Any]) -> KeyTables:
    idioms = tuple(tables["idioms"])
    profiles = _array(tables, "profiles", (len(idioms), 2, len(KEY_TRAITS), 12))
    return KeyTables(
        idioms=idioms,
        profiles=profiles / LOG_UNIT,
        weights=_array(tables, "weights", (len(KEY_TRAITS),)),
        shares=_array(tables, "shares", (len(idioms), 2)),
        changes=_array(tables, "changes", (2, 2, 12)),
        change_rate=float(tables["change_rate"]),
        idiom_rate=float(tables["idiom_rate"]),
    )


def _harmony_tables(tables: Mapping[str, Any], n_idioms: int) -> HarmonyTables:
    return HarmonyTables(
        notes=_array(tables, "notes", (2, len(PLACES), N_CHORDS, 12)) / LOG_UNIT,
        chords=_array(tables, "chords", (n_idioms, 2, N_CHORDS)) / LOG_UNIT,
        weights=_array(tables, "weights", (len(STAGES), len(PLACES), len(MEASURES))),
        key_exponent=float(tables["key_exponent"]),
    )


def _array(
    tables: Mapping[str, Any], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    array = np.array(tables[name], np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name!r} is not a finite table of shape {shape}")
    return array
