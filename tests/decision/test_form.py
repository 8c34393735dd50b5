import numpy as np
import pytest

from jackcomp.decision import form
from jackcomp.decision.form import NO_RECOLLECTION, FormMemory
from jackcomp.theory.vocabulary import N_CHORDS, transpose_index
from jackcomp.timeline.meter import parse_meter

METER = parse_meter("4/4")
STEP = 3840
STRAIN = 16


def sketch_of(pitch_classes):
    """Sketch four eighths, one note in each."""
    sketch = np.zeros((12, 12), np.float32)
    for cell, pitch_class in enumerate(pitch_classes):
        sketch[pitch_class, cell] = 1.0
        sketch[pitch_class, form.N_CELLS + cell] = 1.0
    return sketch


def melody(seed, steps=STRAIN):
    dice = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    return [scale[dice.integers(7, size=4)] for _ in range(steps)]


def belief(chord):
    chances = np.full(N_CHORDS, 0.1 / N_CHORDS, np.float32)
    chances[chord] += 0.9
    return chances


def play(memory, tune, first=0, chords=None):
    for step, notes in enumerate(tune, start=first):
        chord = 14 * (step % 7) if chords is None else chords[step - first]
        memory.close(step, sketch_of(notes), belief(chord))


def recall(memory, step, notes, heard=STEP):
    return memory.recall(step, sketch_of(notes), heard)


def test_a_strain_that_comes_round_is_remembered():
    tune, memory = melody(1), FormMemory(METER)
    play(memory, tune)
    play(memory, tune[:8], first=STRAIN)
    found = recall(memory, STRAIN + 8, tune[8])
    assert found.step == 8
    assert found.semitones == 0
    assert found.chords.argmax() == 14 * (8 % 7)
    # Most before the step is heard; then what is heard counts for more.
    assert recall(memory, STRAIN + 8, tune[8], 0).trust > 0.9 > found.trust + 0.1


@pytest.mark.parametrize("semitones", [1, 5, 11])
def test_a_strain_that_comes_round_in_another_key_is_remembered_in_that_key(semitones):
    tune, memory = melody(2), FormMemory(METER)
    play(memory, tune)
    moved = [(notes + semitones) % 12 for notes in tune]
    chords = [transpose_index(14 * (s % 7), semitones) for s in range(8)]
    play(memory, moved[:8], STRAIN, chords)
    found = recall(memory, STRAIN + 8, moved[8])
    assert (found.step, found.semitones) == (8, semitones)
    assert found.chords.argmax() == transpose_index(14 * (8 % 7), semitones)


def test_when_the_soloist_leaves_the_trust_is_gone_within_the_step():
    tune, memory = melody(3), FormMemory(METER)
    play(memory, tune)
    play(memory, tune[:8], first=STRAIN)
    other = (tune[8] + 1) % 12
    stays, leaves = (
        recall(memory, STRAIN + 8, notes, STEP // 2) for notes in (tune[8], other)
    )
    assert leaves.trust < stays.trust


def test_who_says_that_it_begins_again_is_believed_until_he_plays_otherwise():
    tune, other = melody(1), melody(5)
    asked, told = FormMemory(METER), FormMemory(METER)
    for memory in (asked, told):
        play(memory, tune)
        play(memory, other[:6], first=STRAIN)
    step = STRAIN + 6
    told.begin_again(step, 0)
    before = recall(told, step, other[6], 0)
    assert before.step == 0
    assert before.trust > 0.5 > recall(asked, step, other[6], 0).trust
    otherwise = recall(told, step, other[6]).trust
    assert recall(told, step, tune[0]).trust > otherwise + 0.1
    assert otherwise < before.trust - 0.3
    for memory in (asked, told):
        memory.close(step, sketch_of(tune[0]), belief(0))
    after = recall(told, step + 1, tune[1])
    assert after.step == 1
    assert after.trust > recall(asked, step + 1, tune[1]).trust


def test_what_was_told_counts_from_its_place_on_and_lapses():
    tune, other = melody(1), melody(5, 2 * STRAIN)
    asked, told = FormMemory(METER), FormMemory(METER)
    for memory in (asked, told):
        play(memory, tune)
    told.begin_again(STRAIN + 2, 2)
    trusts = []
    for step, notes in enumerate(other[:14], start=STRAIN):
        by_asking, by_telling = (recall(m, step, notes, 0).trust for m in (asked, told))
        trusts.append(by_telling - by_asking)
        for memory in (asked, told):
            memory.close(step, sketch_of(notes), belief(0))
    assert trusts[:2] == [0, 0]
    assert min(trusts[2:10]) > 0.1
    assert trusts[10:] == [0] * 4


def test_what_is_new_is_not_trusted_as_what_comes_round():
    tune, memory = melody(4), FormMemory(METER)
    play(memory, tune)
    play(memory, melody(5)[:8], first=STRAIN)
    new = recall(memory, STRAIN + 8, melody(5)[8])
    again = FormMemory(METER)
    play(again, tune)
    play(again, tune[:8], first=STRAIN)
    assert new.trust < recall(again, STRAIN + 8, tune[8]).trust


def test_what_follows_what_is_heard_does_not_matter():
    tune, memory = melody(6), FormMemory(METER)
    play(memory, tune)
    half = [*tune[0][:2], *((tune[0][2:] + 3) % 12)]
    one, other = (recall(memory, STRAIN, notes, STEP // 2) for notes in (tune[0], half))
    np.testing.assert_array_equal(one.chords, other.chords)
    assert one.trust == other.trust


def test_only_the_same_place_of_the_bar_is_compared():
    tune, memory = melody(7), FormMemory(METER)
    play(memory, tune)
    for step in range(STRAIN, STRAIN + 6):
        found = recall(memory, step, tune[step % STRAIN])
        assert found.step % 2 == step % 2
        memory.close(step, sketch_of(tune[step % STRAIN]), belief(0))


def test_nothing_is_remembered_before_there_is_anything():
    memory = FormMemory(METER)
    assert recall(memory, 0, (0, 4, 7, 0)) is NO_RECOLLECTION
    memory.close(0, sketch_of((0, 4, 7, 0)), belief(3))
    assert recall(memory, 1, (0, 4, 7, 0)) is NO_RECOLLECTION  # the bar's other half
    assert recall(memory, 7, (0, 4, 7, 0)) is NO_RECOLLECTION  # not the next step


def test_a_rest_is_silence_and_the_form_goes_on():
    tune, memory = melody(8), FormMemory(METER)
    play(memory, tune)
    play(memory, tune, first=3 * STRAIN)
    assert recall(memory, 4 * STRAIN, tune[0]).step is not None


def test_a_long_session_is_remembered_as_far_as_it_goes():
    tune, memory = melody(9), FormMemory(METER)
    rounds = 3 * form.CAPACITY // STRAIN
    for number in range(rounds):
        play(memory, tune, number * STRAIN)
    found = recall(memory, rounds * STRAIN, tune[0], 0)
    assert found.trust > 0.9
    assert found.step >= (rounds * STRAIN) - form.CAPACITY


def test_reset_is_a_new_memory():
    memory = FormMemory(METER)
    play(memory, melody(10))
    memory.reset()
    play(memory, melody(11)[:4])
    fresh = FormMemory(METER)
    play(fresh, melody(11)[:4])
    one, other = (recall(m, 4, (0, 2, 4, 5)) for m in (memory, fresh))
    np.testing.assert_array_equal(one.chords, other.chords)
    assert (one.trust, one.step) == (other.trust, other.step)


def test_what_is_fitted_is_what_is_recalled():
    tune, memory = melody(12), FormMemory(METER)
    play(memory, tune)
    features, beliefs = memory.candidates(STRAIN, sketch_of(tune[0]), STEP // 2)
    odds = np.exp(features @ form.WEIGHTS)
    found = recall(memory, STRAIN, tune[0], STEP // 2)
    assert found.trust == pytest.approx(odds.sum() / (1 + odds.sum()))
    mixed = odds @ beliefs / odds.sum()
    np.testing.assert_allclose(found.chords, mixed / mixed.sum(), atol=1e-6)
    assert features.shape[1] == len(form.FEATURES) == len(form.WEIGHTS)


def test_what_was_asked_before_changes_no_answer():
    tune, asked, fresh = melody(13), FormMemory(METER), FormMemory(METER)
    tune += tune[:8]
    for step, notes in enumerate(tune):
        for heard in (0, STEP // 4, STEP // 2):
            recall(asked, step, notes, heard)
        play(asked, [notes], step, [14 * (step % 7)])
        play(fresh, [notes], step, [14 * (step % 7)])
    one, other = (recall(m, len(tune), tune[8]) for m in (asked, fresh))
    np.testing.assert_array_equal(one.chords, other.chords)
    assert one.trust == other.trust > 0.5
    assert one.step == 8
