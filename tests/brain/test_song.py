import numpy as np
import pytest

from jackcomp.brain.features import START, encode_steps
from jackcomp.brain.model import VOCABULARY, Brain
from jackcomp.brain.song import HYPOTHESES, SongBrain, SongState
from jackcomp.brain.tables import SongTables, load_song_tables
from jackcomp.theory.genre import GENRES
from jackcomp.theory.vocabulary import N_CHORDS, transpose_index
from jackcomp.timeline.meter import parse_meter

POSITIONS = encode_steps(parse_meter("4/4"), 0, 64)
# C | Am | Dm7 G7 | C in half-bars
PHRASE = [
    VOCABULARY.index(label)
    for label in ("C:maj", "C:maj", "A:min", "A:min", "D:min7", "G:7", "C:maj", "C:maj")
]


@pytest.fixture(scope="module")
def brain() -> Brain:
    return Brain.load()


@pytest.fixture(scope="module")
def tables(brain) -> SongTables:
    return load_song_tables(brain.checksum)


@pytest.fixture(scope="module")
def system(brain, tables) -> SongBrain:
    return SongBrain(brain, tables.known, tables.genres)


def play(brain: SongBrain, chords: list[int]) -> tuple[np.ndarray, SongState]:
    """Tell a song; gives the last row."""
    state = brain.initial_state()
    for step, chord in enumerate([START, *chords]):
        rows, state = brain.step(state, [chord], POSITIONS[step])
    return rows[0], state


def test_it_knows_a_surprise_when_it_comes_again(brain, tables, system):
    odd = [*PHRASE[:4], VOCABULARY.index("F#:maj"), *PHRASE[5:]]
    song = [*odd, *odd, *odd[:4]]
    alone, _ = play(SongBrain(brain, None, tables.genres), song)
    known, _ = play(system, song)
    assert known[odd[4]] > 0.5 > alone[odd[4]]


@pytest.mark.parametrize("semitones", [1, 6])
def test_in_another_key_it_foresees_the_same(system, semitones):
    song = [*PHRASE, *PHRASE[:5]]
    row, _ = play(system, song)
    moved, _ = play(system, [transpose_index(chord, semitones) for chord in song])
    order = [transpose_index(chord, semitones) for chord in range(N_CHORDS)]
    np.testing.assert_allclose(moved[order], row, atol=1e-6)


def test_side_by_side_gives_the_same_as_one_by_one(system):
    songs = [PHRASE, PHRASE[::-1]]
    state = system.initial_state(2)
    for step, chords in enumerate([(START, START), *zip(*songs, strict=True)]):
        rows, state = system.step(state, chords, POSITIONS[step])
    for row, song in zip(rows, songs, strict=True):
        np.testing.assert_allclose(row, play(system, song)[0], atol=1e-6)


def test_a_named_genre_is_believed(brain, tables):
    rows = {
        genre: play(SongBrain(brain, None, tables.genres, genre), PHRASE[:2])[0]
        for genre in GENRES
    }
    sevenths = [
        index for index, label in enumerate(VOCABULARY) if label.endswith(":min7")
    ]
    jazz, folk = (rows[genre][sevenths].sum() for genre in ("jazz", "folk"))
    assert jazz > 2 * folk


def test_an_unknown_genre_is_refused(brain, tables):
    with pytest.raises(ValueError, match="unknown genre 'polka': expected one of auto"):
        SongBrain(brain, None, tables.genres, "polka")


def test_looking_ahead_begins_with_what_a_step_says(system):
    _, state = play(system, PHRASE)
    ahead = list(system.look_ahead(state, [PHRASE[0]], POSITIONS[9:17]))
    rows, _ = system.step(state, [PHRASE[0]], POSITIONS[9])
    assert len(ahead) == 8
    np.testing.assert_allclose(ahead[0], rows, atol=1e-6)
    assert all(each.dtype == np.float32 for each in ahead)
    assert all(each.sum() == pytest.approx(1, abs=1e-5) for each in ahead)


def test_looking_ahead_from_several_chords_is_looking_from_each(system):
    _, state = play(system, PHRASE)
    chords = [PHRASE[0], PHRASE[1], 5]
    together = system.look_ahead(state, chords, POSITIONS[9:17])
    each = [system.look_ahead(state, [chord], POSITIONS[9:17]) for chord in chords]
    for rows, *alone in zip(together, *each, strict=True):
        np.testing.assert_allclose(rows, np.concatenate(alone), atol=1e-5)


def test_looking_ahead_weighs_the_continuations(system):
    _, state = play(system, PHRASE)
    rows, after = system.step(state, [PHRASE[0]], POSITIONS[9])
    likeliest = np.argsort(-rows[0], kind="stable")[:HYPOTHESES]
    weights = rows[0, likeliest] / rows[0, likeliest].sum()
    second, _ = system.step(after.take([0] * HYPOTHESES), likeliest, POSITIONS[10])
    ahead = list(system.look_ahead(state, [PHRASE[0]], POSITIONS[9:11]))
    np.testing.assert_allclose(ahead[1][0], weights @ second, atol=1e-5)


def test_looking_ahead_is_deterministic_and_changes_nothing(system):
    _, state = play(system, PHRASE)
    first = list(system.look_ahead(state, [PHRASE[0]], POSITIONS[9:17]))
    again = list(system.look_ahead(state, [PHRASE[0]], POSITIONS[9:17]))
    assert all(map(np.array_equal, first, again))
