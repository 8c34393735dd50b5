import numpy as np
import pytest

from export.ppm import Ppm
from export.sequences import ChordSequence
from jackcomp.brain.features import encode_steps
from jackcomp.theory.vocabulary import N_CHORDS, NO_CHORD_INDEX, transpose_index
from jackcomp.timeline.meter import parse_meter

C, F, G7 = 0, 5 * 14, 7 * 14 + 2
SONG = [C, C, F, G7] * 6


def sequence(chords: list[int], meter: str = "4/4") -> ChordSequence:
    positions = encode_steps(parse_meter(meter), 0, len(chords))
    return ChordSequence("test", np.array(chords), positions)


@pytest.mark.parametrize("remembers", [False, True])
def test_rows_are_distributions(remembers):
    ppm = Ppm([sequence(SONG)])
    song = sequence([NO_CHORD_INDEX, C, 33, F, F, 100, 33])
    rows = ppm.foresee(song, remembers=remembers)
    assert rows.shape == (7, N_CHORDS)
    assert np.allclose(rows.sum(axis=1), 1)
    assert (rows > 0).all()


def test_it_learns_a_vamp_in_every_key():
    song = [transpose_index(chord, 3) for chord in SONG]
    rows = Ppm([sequence(SONG)]).foresee(sequence(song))
    assert (rows[4:].argmax(axis=1) == song[4:]).all()


def test_it_is_method_c_by_hand():
    # Bars of one step, order 1. Counted from the last root: C -> C thrice, C -> F once.
    ppm = Ppm([sequence([C, C, C, C, F], "3/4")], order=1)
    row = ppm.foresee(sequence([C, C], "3/4"))[1]
    # Order 1 has met 4 chords of 2 kinds: 3/6, 1/6 and 2/6 for the rest, of which no
    # shorter context knows more (both have met C and F alone).
    assert row[C] == pytest.approx(3 / 6)
    assert row[F] == pytest.approx(1 / 6)
    assert row[1] == pytest.approx(2 / 6 / (N_CHORDS - 2))


def test_its_own_past_counts_when_it_is_asked_to():
    ppm = Ppm([sequence(SONG)])
    odd = [C, 33, C, 33, C, 33, C, 33]
    rows = ppm.foresee(sequence(odd))
    remembering = ppm.foresee(sequence(odd), remembers=True)
    assert remembering[-1].argmax() == 33
    assert remembering[-1, 33] > 2 * rows[-1, 33]


def test_what_comes_later_changes_nothing_before():
    ppm = Ppm([sequence(SONG)])
    one = ppm.foresee(sequence([C, F, 33, C, F, 33]), remembers=True)
    other = ppm.foresee(sequence([C, F, 33, C, G7, 7]), remembers=True)
    np.testing.assert_array_equal(one[:5], other[:5])
