from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackcomp.brain.features import encode_steps
from jackcomp.brain.memory import (
    MAX_PAST,
    NOTHING,
    ROOM,
    SENTINEL,
    TRAITS,
    Past,
    SongMemory,
    no_past,
    remember,
    sentinel_of,
    traits_of,
)
from jackcomp.theory.vocabulary import N_CHORDS
from jackcomp.timeline.meter import parse_meter

POSITIONS = encode_steps(parse_meter("4/4"), 0, 80)
UNIFORM = np.full((1, N_CHORDS), 1 / N_CHORDS)
SONGS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


def recollect(chords: list[int]) -> Past:
    past = no_past()
    for step, chord in enumerate(chords):
        past = remember(past, [chord], POSITIONS[step % 80])
    return past


def even_memory(run_weight: float = 1.0) -> SongMemory:
    """Weigh earlier steps by the length of the run before them, and by nothing else."""
    traits = [np.zeros(size) for size in TRAITS.values()]
    traits[0] = run_weight * np.arange(TRAITS["run"], dtype=float)
    return SongMemory(
        tuple(traits), tuple(np.zeros(size) for size in SENTINEL.values())
    )


@given(SONGS)
def test_runs_are_those_that_one_counts(chords):
    past = recollect(chords)
    run = past.run[0, past.first :]
    for step in range(len(chords)):
        before, now = chords[:step][::-1], chords[::-1]
        same = 0
        while same < len(before) and before[same] == now[same]:
            same += 1
        assert run[step] == same


@given(SONGS)
def test_agreement_fades_and_survives_a_wrong_chord(chords):
    past = recollect(chords)
    fast = past.fast[0, past.first :]
    for step in range(len(chords)):
        aligned = enumerate(zip(chords[:step][::-1], chords[::-1], strict=False))
        expected = sum(0.9**age * (one == other) for age, (one, other) in aligned)
        assert fast[step] == pytest.approx(expected, abs=1e-5)


def ground_of(past: Past) -> int:
    return int(sentinel_of(past, UNIFORM)[list(SENTINEL).index("ground"), 0])


@given(SONGS)
def test_ground_counts_the_last_chords_that_came_in_that_order_before(chords):
    merged = [chord for chord, _ in groupby(chords)]
    known = 0
    for length in range(1, SENTINEL["ground"]):
        earlier = [merged[i : i + length] for i in range(len(merged) - length)]
        if merged[-length:] in earlier:
            known = length
    assert ground_of(recollect(chords)) == known


def test_ground_is_known_however_long_the_chords_are_held():
    past = recollect([0] * 30 + [1] * 3 + [2] * ROOM + [0, 1, 1])
    assert ground_of(past) == 2


def test_a_chord_that_lasts_for_hours_and_one_that_comes_back_for_hours():
    """As many steps as a number of two bytes can count, and some more."""
    drone = swing = no_past()
    for step in range(2**15 + ROOM):
        drone = remember(drone, [7], POSITIONS[step % 80])
        swing = remember(swing, [step % 2], POSITIONS[step % 80])
    assert ground_of(remember(drone, [8], POSITIONS[0])) == 0
    assert ground_of(swing) == SENTINEL["ground"] - 1


def test_form_tells_places_bars_and_phrases():
    past = recollect([0] * 33)
    traits = traits_of(past, POSITIONS[33])[..., past.first :]
    form = traits[list(TRAITS).index("form"), 0]
    assert form[32] == 0  # the other half of the bar
    # 1, 2, 4, 8 and 16 bars before
    assert [form[33 - 2 * bars] for bars in (1, 2, 4, 8, 16)] == [1, 2, 3, 4, 5]


@settings(deadline=None)
@given(SONGS, st.integers(0, 4))
def test_traits_fit_the_tables(chords, other):
    past = recollect([*chords, other])
    traits = traits_of(past, POSITIONS[len(chords) + 1])[..., past.first :]
    assert traits.shape == (len(TRAITS), 1, len(chords) + 1)
    for values, size in zip(traits, TRAITS.values(), strict=True):
        assert values.min() >= 0
        assert values.max() < size
    for values, size in zip(sentinel_of(past, UNIFORM), SENTINEL.values(), strict=True):
        assert 0 <= values[0] < size


def test_without_a_past_the_model_speaks_alone():
    row = np.random.default_rng(0).dirichlet(np.ones(N_CHORDS), 1)
    mixed = even_memory().recall(no_past(), row, POSITIONS[0])
    np.testing.assert_allclose(mixed, row, rtol=1e-5)


def test_the_mixture_is_what_one_works_out():
    # After 1 2 1: what followed 1 was 2, with a run of one; the model is one voice.
    past = recollect([1, 2, 1])
    mixed = even_memory().recall(past, UNIFORM, POSITIONS[3])[0]
    voices = np.exp([0, 1, 0])  # steps 0, 1, 2 with runs 0, 1, 0
    total = voices.sum() + 1
    assert mixed[1] == pytest.approx((voices[0] + voices[2] + 1 / N_CHORDS) / total)
    assert mixed[2] == pytest.approx((voices[1] + 1 / N_CHORDS) / total)
    assert mixed.sum() == pytest.approx(1)


def test_a_repeated_song_is_known_by_heart():
    song = [0, 14, 28, 42, 56, 70, 84, 98]
    past = recollect([*song, *song, *song[:5]])
    mixed = even_memory(3.0).recall(past, UNIFORM, POSITIONS[21])[0]
    assert mixed.argmax() == song[5]
    assert mixed[song[5]] > 0.9


def test_histories_side_by_side_are_those_alone():
    songs = [[0, 1, 0, 1, 2], [3, 3, 3, 1, 3]]
    past = no_past(2)
    for step, chords in enumerate(zip(*songs, strict=True)):
        past = remember(past, chords, POSITIONS[step])
    rows = np.repeat(UNIFORM, 2, axis=0)
    together = even_memory().recall(past, rows, POSITIONS[5])
    for number, (row, song) in enumerate(zip(together, songs, strict=True)):
        own = recollect(song)
        for one, other in zip(past.take([number]).arrays(), own.arrays(), strict=True):
            np.testing.assert_array_equal(one, other)
        alone = even_memory().recall(own, UNIFORM, POSITIONS[5])
        np.testing.assert_allclose(row, alone[0], rtol=1e-6)


def test_a_past_can_be_forked():
    past = recollect([0, 1, 0])
    forked = remember(past.take([0, 0]), [1, 2], POSITIONS[3])
    assert forked.chords[:, forked.first :].tolist() == [[0, 1, 0, 1], [0, 1, 0, 2]]
    assert past.chords[:, past.first :].tolist() == [[0, 1, 0]]
    for number, last in enumerate((1, 2)):
        own = recollect([0, 1, 0, last]).arrays()
        for one, other in zip(forked.take([number]).arrays(), own, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_past_is_bounded():
    past = no_past()
    for step in range(MAX_PAST + 5):
        assert past.steps == min(step, MAX_PAST)
        past = remember(past, [step % 7], POSITIONS[step % 80])
    assert past.chords.shape == past.run.shape == (1, MAX_PAST)
    assert past.first == 0
    assert past.chords[0, -1] == (MAX_PAST + 4) % 7


def test_a_past_grows_by_rooms_and_what_is_empty_says_nothing():
    chords = [step * step % 11 for step in range(2 * ROOM + 3)]
    sizes = set()
    past = no_past()
    for step, chord in enumerate(chords):
        past = remember(past, [chord], POSITIONS[step % 80])
        sizes.add(past.chords.shape[1])
    assert sizes == {ROOM, 2 * ROOM, 3 * ROOM}
    assert past.chords[0, past.first :].tolist() == chords
    assert past.chords[0, : past.first].tolist() == [NOTHING] * past.first
    roomier = Past(
        past.steps,
        *(
            np.concatenate([getattr(nobody, name), getattr(past, name)], axis=1)
            for nobody in [no_past()]
            for name in Past.__slots__[1:]
        ),
    )
    mixed = even_memory().recall(past, UNIFORM, POSITIONS[3])
    np.testing.assert_array_equal(
        mixed, even_memory().recall(roomier, UNIFORM, POSITIONS[3])
    )
