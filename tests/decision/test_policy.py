import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.decision.policy import (
    CALM,
    N_TRIADS,
    READY,
    WORTH,
    Decision,
    Moment,
    choose,
    choose_fallback,
    choose_key,
    confidence_in,
    confidence_in_third,
    cutoff_frame,
    sum_triads,
    top_chords,
    top_triads,
)
from jackcomp.theory.chord import parse_harte
from jackcomp.theory.key import KEYS, key_index, parse_key
from jackcomp.theory.vocabulary import CHORDS, N_CHORDS, NO_CHORD_INDEX, chord_index


def index_of(label):
    return chord_index(parse_harte(label))


def chances(**labels):
    """Give a distribution with these chances: ``C_maj=0.4`` and the rest flat."""
    distribution = np.full(N_CHORDS, 1e-4, np.float32)
    for label, chance in labels.items():
        distribution[index_of(label.replace("_", ":"))] = chance
    return distribution / distribution.sum()


some_distributions = st.integers(0, 10**6).map(
    lambda seed: np.random.default_rng(seed).dirichlet(np.full(N_CHORDS, 0.1))
)


def test_the_qualities_of_one_triad_speak_together():
    distribution = chances(C_maj=0.3, G_7=0.25, G_maj=0.2)
    assert choose(distribution, None) == index_of("G:7")


def test_no_chord_is_never_chosen():
    distribution = chances(C_maj=0.1)
    distribution[NO_CHORD_INDEX] = 5.0
    assert choose(distribution / distribution.sum(), None) == index_of("C:maj")
    assert choose(distribution, NO_CHORD_INDEX) == index_of("C:maj")


def test_a_chord_over_the_right_root_is_worth_more_than_the_likeliest():
    distribution = chances(F_maj=0.26, C_maj=0.24, C_min=0.24, B_dim=0.26)
    assert choose(distribution, None) in (index_of("C:maj"), index_of("C:min"))


def test_a_chord_that_shares_its_tones_is_worth_more_than_one_that_shares_none():
    # A minor has two tones of C major, and two of F major.
    distribution = chances(C_maj=0.3, F_maj=0.3, A_min=0.34, Gb_maj=0.35)
    assert choose(distribution, None) == index_of("A:min")


def test_worth_is_one_for_the_right_triad_and_less_for_any_other():
    assert WORTH.diagonal() == pytest.approx(1)
    others = WORTH[~np.eye(N_TRIADS, dtype=bool)]
    assert others.min() >= 0
    assert others.max() < 1
    assert (WORTH == WORTH.T).all()


def test_what_sounds_has_the_right_of_way_inside_a_step():
    distribution = chances(C_maj=0.30, A_min=0.31)
    sounding = index_of("C:maj")
    assert choose(distribution, sounding, Moment.INSIDE) == sounding
    assert choose(distribution, sounding, Moment.LINE) == index_of("A:min")


def test_a_strongly_contradicted_chord_is_mended_inside_a_step():
    distribution = chances(C_maj=0.05, A_min=0.6)
    assert choose(distribution, index_of("C:maj"), Moment.INSIDE) == index_of("A:min")


def test_a_new_colour_waits_for_the_line():
    distribution = chances(C_maj=0.2, C_maj7=0.5)
    sounding = index_of("C:maj")
    assert choose(distribution, sounding, Moment.INSIDE) == sounding
    assert choose(distribution, sounding, Moment.LINE) == index_of("C:maj7")


def test_mending_is_harder_than_changing():
    for manner in (READY, CALM):
        assert manner.inside > manner.line >= 0


def test_a_calm_accompanist_needs_better_reasons():
    distribution = chances(C_maj=0.3, A_min=0.35)
    sounding = index_of("C:maj")
    assert choose(distribution, sounding, manner=READY) == index_of("A:min")
    assert choose(distribution, sounding, manner=CALM) == sounding


@given(some_distributions, st.sampled_from(list(Moment)))
def test_choosing_again_changes_nothing(distribution, moment):
    chosen = choose(distribution, None, moment)
    assert choose(distribution, chosen, moment) == chosen


@given(some_distributions)
def test_triads_sum_to_all_but_no_chord(distribution):
    assert sum_triads(distribution).sum() == pytest.approx(1 - distribution[-1])


def test_confidence_is_that_of_the_triad():
    distribution = chances(C_maj=0.3, C_7=0.2, A_min=0.5)
    assert confidence_in(distribution, index_of("C:7")) == pytest.approx(0.5, abs=0.02)
    assert confidence_in(distribution, NO_CHORD_INDEX) == 0


def test_confidence_in_a_third_is_that_of_all_chords_of_the_root_which_have_it():
    distribution = chances(C_maj=0.1, C_7=0.2, C_min=0.1, C_min7=0.1, A_min=0.5)
    for label, expected in (("C:7", 0.6), ("C:min", 0.4), ("A:min", 1.0)):
        found = confidence_in_third(distribution, index_of(label))
        assert found == pytest.approx(expected, abs=0.02)
    for chord in (index_of("C:sus4"), NO_CHORD_INDEX):
        assert confidence_in_third(distribution, chord) == 1


@given(some_distributions)
def test_the_triad_of_most_worth_is_what_is_chosen(distribution):
    top = top_triads(distribution)
    assert top[0][0] == choose(distribution, None)
    worth = [value for _, value in top]
    assert worth == sorted(worth, reverse=True)
    assert 0 < worth[0] <= 1
    assert len({index for index, _ in top}) == len(top) == 5


def test_the_top_five_come_in_order():
    top = top_chords(chances(C_maj=0.4, G_7=0.3, A_min=0.2))
    assert [index for index, _ in top[:3]] == [
        index_of(label) for label in ("C:maj", "G:7", "A:min")
    ]
    assert len(top) == 5


def test_the_shown_key_does_not_flutter():
    keys = np.full(24, 0.01, np.float32)
    keys[key_index(parse_key("C"))] = 0.4
    keys[key_index(parse_key("Am"))] = 0.45
    assert choose_key(keys, None) == parse_key("Am")
    assert choose_key(keys, parse_key("C")) == parse_key("C")
    keys[key_index(parse_key("C"))] = 0.05
    assert choose_key(keys, parse_key("C")) == parse_key("Am")


def test_late_is_what_was_foreseen_then_what_sounds_then_the_tonic():
    keys = np.zeros(24, np.float32)
    keys[key_index(parse_key("Am"))] = 1
    assert choose_fallback(3, 5, keys) == 3
    assert choose_fallback(None, 5, keys) == 5
    assert choose_fallback(NO_CHORD_INDEX, 5, keys) == 5
    assert CHORDS[choose_fallback(None, None, keys)] == parse_harte("A:min")


@pytest.mark.parametrize(
    ("lead", "period", "cutoff"), [(2160, 64, 7840), (2160, 2048, 5904)]
)
def test_the_lead_is_never_less_than_two_periods(lead, period, cutoff):
    assert cutoff_frame(10_000, lead, period) == cutoff


def test_a_decision_explains_itself():
    distribution = chances(A_min=0.6, C_maj=0.2)
    keys = np.zeros(24, np.float32)
    keys[key_index(parse_key("Am"))] = 0.7
    decision = Decision(
        tick=4800,
        cutoff_tick=4627,
        moment=Moment.INSIDE,
        before=index_of("C:maj"),
        after=index_of("A:min"),
        tables=distribution,
        listener=distribution,
        brain=distribution,
        memory=None,
        memory_trust=0.0,
        memory_step=None,
        pooled=distribution,
        key=parse_key("Am"),
        keys=keys,
        confidence=0.6,
        weight=0.4,
        notes=(69, 72),
    )
    assert decision.is_change
    assert decision.is_mended
    record = json.loads(json.dumps(decision.explain()))
    assert (record["before"], record["after"]) == ("C:maj", "A:min")
    assert record["key"] == "Am"
    assert record["ear"][0][0] == "A:min"
    assert len(record["pool"]) == 5
    assert record["worth"][0][0] == "A:min"
    assert record["keys"][0] == ["Am", 0.7]
    assert len(record["keys"]) == 3
    assert record["key_probability"] == 0.7
    assert record["memory"] == []


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_tonic_is_the_fallback_in_every_key(key):
    keys = np.zeros(24, np.float32)
    keys[key_index(key)] = 1
    assert CHORDS[choose_fallback(None, None, keys)].root == key.tonic
