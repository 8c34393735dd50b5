import pytest

from export import disturbed
from export.key_scores import key_at
from export.songs import LEADSHEET_FILES, read_songs
from jackcomp.theory.vocabulary import CHORDS, transpose_index


@pytest.fixture(scope="module")
def songs():
    return read_songs(LEADSHEET_FILES, "valid", limit=12)


@pytest.mark.parametrize("play", [disturbed.slip, disturbed.jitter])
def test_dice_fall_the_same_way_every_time(songs, play):
    for song in songs:
        assert play(song) == play(song) != song


def test_one_note_in_ten_is_wrong_and_in_its_place(songs):
    wrong = total = 0
    for song in songs:
        played = disturbed.slip(song).melody
        for one, other in zip(song.melody, played, strict=True):
            assert one.onset == other.onset
            assert abs(one.note - other.note) <= 2
            wrong += one.note != other.note
        total += len(played)
    assert wrong / total == pytest.approx(disturbed.WRONG_NOTES, abs=0.03)


def test_jitter_stays_within_its_bounds(songs):
    for song in songs:
        tempo = song.quarters_per_minute or 120
        played = sorted(note.onset for note in disturbed.jitter(song).melody)
        for one, other in zip(song.melody, played, strict=True):
            ms = abs(other - one.onset) / 1920 / tempo * 60_000
            assert ms <= 2 * disturbed.JITTER_MS  # two may have changed places


def test_tempo_changes_nothing_else(songs):
    for song in songs:
        slow, fast = disturbed.halve_tempo(song), disturbed.double_tempo(song)
        assert fast.quarters_per_minute == 4 * slow.quarters_per_minute
        assert slow.melody == fast.melody == song.melody


def test_at_bar_nine_all_goes_a_tritone_higher(songs):
    for song in songs:
        turn = disturbed.bar_start(song, disturbed.TURN_BAR)
        turned = disturbed.turn_a_tritone(song)
        for one, other in zip(song.melody, turned.melody, strict=True):
            assert other.note - one.note == (6 if one.onset >= turn else 0)
        for span in turned.spans:
            true = next(s for s in song.spans if s.start <= span.start < s.end)
            moved = transpose_index(true.chord, 6)
            assert span.chord == (moved if span.start >= turn else true.chord)
        assert turned.spans[-1].end == song.spans[-1].end


def test_a_song_modulates_by_any_interval_and_no_further(songs):
    for song in songs:
        moved = disturbed.modulate(song, 4, -3)
        back = disturbed.modulate(moved, 4, 3)
        assert back.melody == song.melody
        assert [key_at(back, s.start) for s in moved.spans] == [
            key_at(song, s.start) for s in moved.spans
        ]
        turn = disturbed.bar_start(song, 4)
        was, now = key_at(song, turn), key_at(moved, turn)
        assert (now.tonic - was.tonic) % 12 == 9
        assert now.mode == was.mode
        assert key_at(moved, turn - 1) == key_at(song, turn - 1)


def test_the_left_hand_states_true_triads_in_the_first_eight_bars_alone(songs):
    for song in songs:
        until = disturbed.bar_start(song, disturbed.STATED_BARS)
        played = disturbed.state_chords(song).melody
        stated = list(played)
        for note in song.melody:
            stated.remove(note)
        assert stated
        for note in stated:
            assert note.onset < until
            assert note.onset + note.duration < until + 480
            span = next(s for s in song.spans if s.start <= note.onset < s.end)
            assert note.note % 12 in CHORDS[span.chord].pitch_classes
