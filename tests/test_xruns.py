from jackcomp.xruns import MEMORY_LOOKS, XrunCauses


def counted(*looks: tuple[int, int, bool]) -> tuple[int, int, int]:
    """Look at (xruns, own misses, loading) in turn; give ours, loading, others."""
    causes = XrunCauses()
    for xruns, misses, is_loading in looks:
        causes.see(xruns, misses, is_loading=is_loading)
    return causes.ours, causes.loading, causes.others


def test_an_xrun_with_a_late_cycle_of_ours_is_ours():
    assert counted((1, 1, False)) == (1, 0, 0)
    assert counted((1, 1, True)) == (1, 0, 0)


def test_an_xrun_that_is_told_later_is_ours_too():
    assert counted((0, 1, False), (0, 1, False), (1, 1, False)) == (1, 0, 0)


def test_a_miss_long_ago_explains_nothing():
    looks = [(0, 1, False)] * (MEMORY_LOOKS + 2)
    assert counted(*looks, (1, 1, False)) == (0, 0, 1)


def test_an_xrun_while_we_load_and_play_in_time_is_the_load():
    assert counted((2, 0, True)) == (0, 2, 0)


def test_any_other_xrun_is_somebody_else_s():
    assert counted((3, 0, False), (3, 0, False)) == (0, 0, 3)


def test_every_xrun_has_one_cause():
    looks = [(2, 1, False), (2, 1, True), (7, 3, True), (9, 3, False)]
    assert counted(*looks) == (3, 3, 3)


def test_a_miss_without_an_xrun_is_none():
    assert counted((0, 5, False), (0, 5, True)) == (0, 0, 0)
