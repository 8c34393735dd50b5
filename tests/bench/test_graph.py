from types import SimpleNamespace

import pytest

from bench.graph import ATTEMPTS, MOST_STOLEN_MS, measure_undisturbed

MORE = MOST_STOLEN_MS + 10


@pytest.mark.parametrize(
    ("stolen", "misses", "attempts"),
    [
        ([0], 0, 1),
        ([MOST_STOLEN_MS], 0, 1),
        ([MORE, 0], 0, 2),
        ([MORE] * 9, 0, ATTEMPTS),
        ([0], 1, 1),
        ([MOST_STOLEN_MS, 0], 1, 2),
        ([MOST_STOLEN_MS], None, 1),
    ],
)
def test_a_run_that_the_host_disturbed_is_measured_again(stolen, misses, attempts):
    runs = iter(
        [
            SimpleNamespace(stolen_ms=ms, own_misses=misses, number=n)
            for n, ms in enumerate(stolen)
        ]
    )
    shown = []
    found = measure_undisturbed(lambda: next(runs), shown.append)
    assert [run.number for run in shown] == list(range(attempts))
    assert found is shown[-1]
