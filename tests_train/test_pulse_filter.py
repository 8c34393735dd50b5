"""What needs torch: ``make test-train``."""

import numpy as np
import pytest
import torch

from export.pulse_lessons import lay_batch, read_lessons
from export.songs import LEADSHEET_FILES
from export.train_pulse import PARITY, PulseFilter, Settings, check_parity
from jackcomp.ear.pulse_tables import WEIGHT_UNIT, load_pulse_tables, read_tables
from jackcomp.errors import ConfigError


def test_a_filter_that_goes_on_is_first_the_one_that_was():
    before = load_pulse_tables()
    torch.manual_seed(0)
    model = PulseFilter(Settings())
    model.go_on_from(before)
    after = read_tables(model.tables())
    for name in before.__slots__:
        np.testing.assert_allclose(
            getattr(after, name), getattr(before, name), rtol=1e-4, atol=2e-6
        )


def test_what_is_played_believes_what_was_taught():
    settings = Settings(hidden=6, batch_onsets=24)
    torch.manual_seed(1)
    model = PulseFilter(settings)
    with torch.no_grad():
        model.outer.weight.normal_(std=0.5)
    lessons = read_lessons(LEADSHEET_FILES, "valid")
    tables = model.tables()
    assert check_parity(model, tables, settings, lessons) < PARITY
    tables["tempo_blur"] = [8 * WEIGHT_UNIT] * 2
    assert check_parity(model, tables, settings, lessons) > PARITY


def test_a_filter_of_another_size_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="128 hidden units cannot go on as one of 7"):
        PulseFilter(Settings(hidden=7)).go_on_from(load_pulse_tables())


def test_a_told_tempo_beyond_the_grid_leaves_a_belief():
    settings = Settings(hidden=6, batch_onsets=24)
    model = PulseFilter(settings)
    rng = np.random.default_rng(0)
    batch = lay_batch(read_lessons(LEADSHEET_FILES, "valid"), rng, 12, 24)
    batch.told_log_period[:] = 1.0
    assert torch.isfinite(model.begin(batch)).all()
