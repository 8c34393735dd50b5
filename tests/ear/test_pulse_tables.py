import json

import numpy as np
import pytest

from jackcomp.ear.beat_filter import N_INPUTS, N_PHASES, N_REGIMES, N_TEMPI
from jackcomp.ear.pulse_tables import (
    WEIGHT_UNIT,
    load_pulse_tables,
    read_tables,
    write_tables,
)
from jackcomp.errors import ModelError
from jackcomp.tables import checksum


@pytest.fixture
def arrays():
    rng = np.random.default_rng(3)
    return {
        "inner": rng.normal(size=(N_INPUTS, 5)),
        "inner_bias": rng.normal(size=5),
        "outer": rng.normal(size=(5, N_PHASES)),
        "outer_bias": rng.normal(size=N_PHASES),
        "tempo_prior": rng.normal(size=N_TEMPI),
        "regimes": rng.normal(size=N_REGIMES),
        "tempo_blur": rng.normal(size=N_REGIMES),
        "tempering": rng.uniform(0.5, 1, size=N_REGIMES),
        "phase_blur": np.array(0.012),
        "phase_blur_per_beat": np.array(0.02),
        "unrest": np.array(0.002),
        "surprise": np.array(0.0001),
    }


def write(path, tables, digest=None):
    content = {"card": {"checksum": digest or checksum(tables)}, "tables": tables}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_what_is_written_is_read_back(arrays, tmp_path):
    tables = load_pulse_tables(write(tmp_path / "pulse.json", write_tables(arrays)))
    for name in (
        *("inner", "inner_bias", "outer", "outer_bias"),
        *("tempo_blur", "tempering"),
    ):
        assert getattr(tables, name) == pytest.approx(arrays[name], abs=1 / WEIGHT_UNIT)
    for name in ("tempo_prior", "regimes"):
        chances = np.exp(arrays[name])
        expected = pytest.approx(chances / chances.sum(), abs=1e-6)
        assert getattr(tables, name) == expected
    assert tables.unrest == 0.002
    assert tables.surprise == 0.0001


def test_the_installed_tables_match_their_card():
    assert load_pulse_tables().tempo_prior.sum() == pytest.approx(1)


def test_a_shape_that_does_not_fit_is_refused(arrays):
    arrays["outer"] = arrays["outer"][:, 1:]
    with pytest.raises(ValueError, match="'outer' is not a finite table"):
        read_tables(write_tables(arrays))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot read the pulse's tables"),
        (lambda path: path.write_text("{"), "are not JSON"),
        (lambda path: write(path, {}), "no field 'inner_bias'"),
        (lambda path: write(path, {}, "0"), "checksum differs"),
    ],
)
def test_a_damaged_file_is_one_line_with_the_remedy(damage, message, tmp_path, arrays):
    path = write(tmp_path / "pulse.json", write_tables(arrays))
    damage(path)
    with pytest.raises(ModelError, match=message) as caught:
        load_pulse_tables(path)
    assert "\n" not in str(caught.value)
    assert "python -m export.train_pulse" in str(caught.value)
