import numpy as np
import pytest

from export.baselines import Hold, Ngram, Unigram
from export.sequences import ChordSequence
from jackcomp.brain.features import encode_steps
from jackcomp.theory.vocabulary import N_CHORDS, NO_CHORD_INDEX, transpose_index
from jackcomp.timeline.meter import parse_meter

C, F, G7 = 0, 5 * 14, 7 * 14 + 2


def sequence(chords: list[int]) -> ChordSequence:
    positions = encode_steps(parse_meter("4/4"), 0, len(chords))
    return ChordSequence("test", np.array(chords), positions)


def transposed(chords: list[int], semitones: int) -> list[int]:
    return [transpose_index(chord, semitones) for chord in chords]


SONG = [C, C, F, G7] * 6


@pytest.mark.parametrize("rival", [Hold, Ngram, Unigram])
def test_rows_are_distributions(rival):
    fitted = rival([sequence(SONG), sequence(transposed(SONG, 5))])
    rows = fitted.foresee(sequence([NO_CHORD_INDEX, C, 33, F, F]))
    assert rows.shape == (5, N_CHORDS)
    assert np.allclose(rows.sum(axis=1), 1)
    assert (rows > 0).all()


def test_unigram_counts():
    row = Unigram([sequence([C, C, F])]).foresee(sequence([G7]))[0]
    assert row[C] / row[F] == pytest.approx(3 / 2)
    assert row[G7] == pytest.approx(1 / (3 + N_CHORDS))


def test_hold_holds_as_often_as_chords_do():
    hold = Hold([sequence([C, C, C, F, F])])
    assert hold.stay == 3 / 4
    rows = hold.foresee(sequence([G7, G7, C]))
    assert rows[1].argmax() == rows[2].argmax() == G7


def test_ngram_learns_a_vamp_in_every_key():
    ngram = Ngram([sequence(SONG)])
    song = transposed(SONG, 3)
    rows = ngram.foresee(sequence(song))
    assert (rows[4:].argmax(axis=1) == song[4:]).all()


def test_ngram_is_kneser_ney_by_hand():
    # Bars of one step, so that the place in the bar says nothing.
    chords = np.array([C, C, C, C, F])
    positions = encode_steps(parse_meter("3/4"), 0, len(chords))
    song = ChordSequence("test", chords, positions)
    ngram = Ngram([song], order=2)
    # Counted from the last root: nothing -> C; C -> C three times; C -> F once.
    # Distinct contexts (START or C) of C: 2, of F: 1. One rule for the discounts.
    bigrams = {"C": 3, "F": 1}
    discount = (2 + 1) / (2 + 2 * 0 + 2)  # START C and C F are met once, none twice
    unigrams = {"C": 2, "F": 1}
    low_discount = (1 + 1) / (1 + 2 * 1 + 2)
    # Either is met at one place of the bar.
    lowest_discount = (2 + 1) / (2 + 2 * 0 + 2)
    lowest = (1 - lowest_discount) / 2 + lowest_discount / N_CHORDS
    low = {
        c: (unigrams[c] - low_discount) / 3 + low_discount * 2 / 3 * lowest
        for c in "CF"
    }
    expected = {
        c: (bigrams[c] - discount) / 4 + discount * 2 / 4 * low[c] for c in "CF"
    }
    row = ngram.foresee(song)[2]
    assert row[C] == pytest.approx(expected["C"])
    assert row[F] == pytest.approx(expected["F"])
