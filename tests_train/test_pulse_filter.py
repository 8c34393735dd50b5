"""What needs torch: ``make test-train``."""

import numpy as np
import torch

from export.pulse_lessons import lay_batch, read_lessons
from export.songs import LEADSHEET_FILES
from export.train_pulse import PARITY, PulseFilter, Settings, check_parity, join
from jackcomp.ear.pulse_tables import WEIGHT_UNIT, load_pulse_tables, read_tables


def test_a_filter_that_goes_on_is_first_the_one_that_was():
    before = load_pulse_tables()
    size = len(before.inner_bias)
    settings = Settings(hidden=size, tempering=tuple(map(float, before.tempering)))
    torch.manual_seed(0)
    model = PulseFilter(settings)
    model.go_on_from(before)
    after = read_tables(model.tables())
    for name in before.__slots__:
        np.testing.assert_allclose(
            getattr(after, name), getattr(before, name), rtol=1e-4, atol=2e-6
        )


def test_what_is_played_believes_what_was_taught():
    settings = Settings(hidden=6, batch_onsets=24, tempering=(0.6, 1.0, 1.2))
    torch.manual_seed(1)
    model = PulseFilter(settings)
    with torch.no_grad():
        model.outer.weight.normal_(std=0.5)
    lessons = read_lessons(LEADSHEET_FILES, "valid")
    tables = model.tables()
    assert check_parity(model, tables, settings, lessons) < PARITY
    tables["outer_bias"][0] += 3 * WEIGHT_UNIT
    assert check_parity(model, tables, settings, lessons) > PARITY


def test_filters_that_are_joined_say_the_mean_of_what_they_say():
    torch.manual_seed(2)
    models = [PulseFilter(Settings(hidden=size)) for size in (6, 9)]
    with torch.no_grad():
        for model in models:
            model.outer.weight.normal_(std=0.5)
            model.tempo_prior.normal_()
    filters = [read_tables(model.tables()) for model in models]
    joined = PulseFilter(Settings(hidden=15))
    joined.go_on_from(join(filters))
    rng = np.random.default_rng(0)
    batch = lay_batch(read_lessons(LEADSHEET_FILES, "valid"), rng, 3, 24)
    with torch.no_grad():
        first, second = (model.weigh(batch) for model in models)
        torch.testing.assert_close(
            joined.weigh(batch), (first + second) / 2, rtol=1e-3, atol=1e-4
        )
    prior = join(filters).tempo_prior
    shares = np.sqrt(filters[0].tempo_prior * filters[1].tempo_prior)
    np.testing.assert_allclose(prior, shares / shares.sum())


def test_a_told_tempo_beyond_the_grid_leaves_a_belief():
    settings = Settings(hidden=6, batch_onsets=24)
    model = PulseFilter(settings)
    rng = np.random.default_rng(0)
    batch = lay_batch(read_lessons(LEADSHEET_FILES, "valid"), rng, 12, 24)
    batch.told_log_period[:] = 1.0
    assert torch.isfinite(model.begin(batch)).all()
