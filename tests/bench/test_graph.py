from types import SimpleNamespace

import pytest

from bench.graph import ATTEMPTS, MOST_STOLEN_MS, measure_undisturbed

MORE = MOST_STOLEN_MS + 10


@pytest.mark.parametrize(
    ("stolen", "attempts"),
    [([0], 1), ([MOST_STOLEN_MS], 1), ([MORE, 0], 2), ([MORE] * 9, ATTEMPTS)],
)
def test_a_run_that_the_host_disturbed_is_measured_again(stolen, attempts):
    runs = iter(
        [SimpleNamespace(stolen_ms=ms, number=n) for n, ms in enumerate(stolen)]
    )
    shown = []
    found = measure_undisturbed(lambda: next(runs), shown.append)
    assert [run.number for run in shown] == list(range(attempts))
    assert found is shown[-1]
