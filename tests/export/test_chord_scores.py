import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.chord_scores import (
    CLASSES,
    by_match,
    by_position,
    reliability,
    score,
    sum_up,
)
from export.sequences import ChordSequence, match_lengths, step_match_lengths
from jackcomp.brain.features import encode_steps
from jackcomp.brain.model import VOCABULARY
from jackcomp.theory.vocabulary import N_CHORDS
from jackcomp.timeline.meter import parse_meter

C, C7, F, A_MINOR = map(VOCABULARY.index, ("C:maj", "C:7", "F:maj", "A:min"))


def sequence(chords: list[int]) -> ChordSequence:
    positions = encode_steps(parse_meter("4/4"), 0, len(chords))
    return ChordSequence("jazz", np.array(chords), positions)


def rows_of(*rows: dict[int, float]) -> np.ndarray:
    made = np.zeros((len(rows), N_CHORDS))
    for row, chances in zip(made, rows, strict=True):
        row[list(chances)] = list(chances.values())
    return made


@pytest.fixture
def values():
    song = sequence([C, C, F, F])
    rows = rows_of(
        {C: 1},
        {C: 0.5, C7: 0.25, A_MINOR: 0.25},  # holds, first
        {C: 0.5, C7: 0.3, F: 0.125, A_MINOR: 0.075},  # changes, third
        {F: 1.0},
    )
    return sum_up(score(song, rows))


def test_half_bars_by_hand(values):
    assert values["steps"] == 3
    assert values["perplexity"] == pytest.approx(16 ** (1 / 3))
    assert values["top1"] == pytest.approx(2 / 3)
    assert values["top3"] == 1
    assert values["top1_change"] == 0


def test_on_changes_the_chord_before_is_ruled_out(values):
    assert values["perplexity_changes"] == pytest.approx(4)
    assert values["top1_changes"] == 0
    assert values["perplexity_new"] == pytest.approx(4)


def test_a_class_has_the_probability_of_its_chords(values):
    # C and C7 are one: 0.75, 0.125 and 1.
    assert values["perplexity_majmin"] == pytest.approx((0.75 * 0.125) ** (-1 / 3))
    assert values["perplexity_root"] == values["perplexity_majmin"]


def test_every_chord_has_a_class():
    assert {len(classes) for classes in CLASSES.values()} == {N_CHORDS}
    assert [classes.max() + 1 for classes in CLASSES.values()] == [169, 25, 13]
    majmin = CLASSES["_majmin"]
    assert majmin[VOCABULARY.index("B:hdim7")] == majmin[VOCABULARY.index("B:min")]
    assert majmin[VOCABULARY.index("B:sus4")] == majmin[VOCABULARY.index("B:maj")]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_matches_are_those_that_one_counts(chords):
    merged: list[int] = []
    before = 0
    for step, length in enumerate(match_lengths(np.array(chords))):
        if step and chords[step] == chords[step - 1]:
            assert length == before
            continue
        longest = 0
        for end in range(len(merged)):
            same = 0
            while same < end and merged[end - 1 - same] == merged[-1 - same]:
                same += 1
            longest = max(longest, same)
        assert length == longest
        merged.append(chords[step])
        before = length


def test_a_match_in_steps_counts_how_long_a_chord_is_held():
    lengths = step_match_lengths(np.array([C, C, C, F, C, C, F]))
    assert lengths.tolist() == [0, 0, 1, 2, 0, 1, 2]


def test_parts_of_a_song_make_the_whole():
    chords = [C, F, C, A_MINOR] * 20
    rows = np.full((80, N_CHORDS), 1 / N_CHORDS)
    scored = score(sequence(chords), rows)
    for parts in (
        by_position(scored),
        by_match(scored, scored.matches),
        by_match(scored, scored.step_matches),
    ):
        together = parts.pop("0-1", None)
        if together is not None:
            apart = [parts[name]["steps"] for name in ("0", "1") if name in parts]
            assert together["steps"] == sum(apart)
        assert sum(part["steps"] for part in parts.values()) == 79
        assert len(parts) > 1
    assert by_position(scored)["first_16_bars"]["steps"] == 31


def test_reliability_counts_what_was_said():
    song = sequence([C, C, F, F, F])
    rows = rows_of({C: 1}, {C: 0.95}, {C: 0.85}, {F: 0.85}, {F: 0.35, C: 0.05})
    table = reliability(score(song, rows))
    sure = table[-1]
    assert (sure["from"], sure["steps"]) == (0.8, 3)
    assert sure["right"] == pytest.approx(2 / 3)
    assert sum(row["steps"] for row in table[:-1]) == 4
