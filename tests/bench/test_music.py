import pytest

from bench.music import PHRASES, RATE, SOLO_CHANNEL, duo_score, solo_score


@pytest.fixture(scope="module")
def duo():
    return duo_score()


def sounding_at_the_end(messages):
    keys = []
    for _, (status, key, *_) in messages:
        if status & 0xF0 == 0x90:
            assert (status & 0x0F, key) not in keys
            keys.append((status & 0x0F, key))
        elif status & 0xF0 == 0x80:
            keys.remove((status & 0x0F, key))
    return keys


def test_the_solo_plays_eighths_and_ends_all_its_notes():
    score = solo_score()
    onsets = [frame for frame, data in score.messages if data[0] == 0x90]
    assert score.frames == PHRASES * 8 * RATE
    assert len(onsets) == PHRASES * 30
    assert {frame % (RATE // 4) for frame in onsets} == {0}
    assert sounding_at_the_end(score.messages) == []


@pytest.mark.slow
def test_the_duo_has_the_solo_and_the_accompaniment(duo):
    frames = [frame for frame, _ in duo.messages]
    assert frames == sorted(frames)
    assert frames[-1] < duo.frames == solo_score().frames
    by_channel = {
        channel: [
            (frame, data[1:])
            for frame, data in duo.messages
            if data[0] == 0x90 | channel
        ]
        for channel in range(16)
    }
    solo = [(f, data[1:]) for f, data in solo_score().messages if data[0] == 0x90]
    assert by_channel.pop(SOLO_CHANNEL) == solo
    assert {channel for channel, notes in by_channel.items() if notes} == {0, 1}
    # Chords of three in eighths, but for the first bar.
    assert len(by_channel[0]) > 3 * 4 * 90
    assert sounding_at_the_end(duo.messages) == []


@pytest.mark.slow
def test_each_channel_of_the_duo_has_its_program_first(duo):
    programs = [data for _, data in duo.messages[:3]]
    assert [data[0] for data in programs] == [0xC0, 0xC1, 0xC2]


def test_a_score_is_written_as_numbers(tmp_path):
    path = solo_score().write(tmp_path / "score.txt")
    length, first, *_ = path.read_text().splitlines()
    assert length == str(solo_score().frames)
    assert first == "0 144 66 80"
