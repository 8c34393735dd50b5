"""What the pulse has learnt, read from ``models/pulse.json`` and checked.

The file is one JSON object like that of the ear's other tables: ``tables`` (weights
in millionths) and ``card``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jackcomp.ear.beat_filter import (
    N_INPUTS,
    N_PHASES,
    N_REGIMES,
    N_TEMPI,
    PulseTables,
)
from jackcomp.tables import load_tables

WEIGHT_UNIT = 1_000_000
SCALARS = ("phase_blur", "phase_blur_per_beat", "unrest", "surprise")

_REMEDY = "reinstall jackcomp, or make them with: python -m export.train_pulse"


def load_pulse_tables(path: Path | None = None) -> PulseTables:
    """Read the tables of a file, or those that are installed with jackcomp.

    Raises
    ------
    ModelError
        If the file is missing, is not JSON, or does not match its card.
    """
    return load_tables(
        "the pulse's tables",
        "pulse.json",
        _REMEDY,
        lambda tables, _card: read_tables(tables),
        path,
    )


def read_tables(tables: Mapping[str, Any]) -> PulseTables:
    """Turn the JSON object ``tables`` into arrays.

    Raises
    ------
    ValueError, KeyError, TypeError
        If something is missing, or has another shape.
    """
    n_hidden = len(tables["inner_bias"])
    prior = np.exp(_weights(tables, "tempo_prior", (N_TEMPI,)))
    regimes = np.exp(_weights(tables, "regimes", (N_REGIMES,)))
    return PulseTables(
        inner=_weights(tables, "inner", (N_INPUTS, n_hidden)),
        inner_bias=_weights(tables, "inner_bias", (n_hidden,)),
        outer=_weights(tables, "outer", (n_hidden, N_PHASES)),
        outer_bias=_weights(tables, "outer_bias", (N_PHASES,)),
        tempo_prior=prior / prior.sum(),
        regimes=regimes / regimes.sum(),
        tempo_blur=_weights(tables, "tempo_blur", (N_REGIMES,)),
        tempering=_weights(tables, "tempering", (N_REGIMES,)),
        **{name: float(tables[name]) for name in SCALARS},
    )


def write_tables(arrays: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Turn arrays and numbers, named as in `PulseTables`, into a JSON object.

    ``tempo_prior`` and ``regimes`` are given as logarithms.
    """
    return {
        name: float(f"{float(array):.6g}")
        if name in SCALARS
        else np.rint(array * WEIGHT_UNIT).astype(int).tolist()
        for name, array in arrays.items()
    }


def _weights(
    tables: Mapping[str, Any], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    array = np.array(tables[name], np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name!r} is not a finite table of shape {shape}")
    return array / WEIGHT_UNIT
