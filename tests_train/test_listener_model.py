"""What needs torch: ``make test-train``."""

import numpy as np
import pytest
import torch

from export import train_ear
from export.lessons import to_melody_lesson
from export.listener_model import Listener, ListenerSettings, divide
from export.listener_to_onnx import build_listener
from export.songs import LEADSHEET_FILES, read_songs
from export.train_ear import PARITY, Settings, compare, make_batch, train
from jackcomp.ear.melody import N_FEATURES
from jackcomp.network import Network

SMALL = ListenerSettings(embedding=4, units=5, head=6)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Listener(SMALL).eval()


@pytest.fixture(scope="module")
def lessons():
    rng = np.random.default_rng(0)
    songs = read_songs(LEADSHEET_FILES, "valid", limit=3)
    return [to_melody_lesson(song, rng) for song in songs]


def raised(features, semitones):
    pitched, plain = divide(features)
    return torch.cat([pitched.roll(semitones, -2).flatten(-2), plain], -1)


@pytest.mark.parametrize("semitones", [1, 7])
def test_the_network_is_the_same_in_all_twelve_keys(model, semitones):
    over, heard = torch.rand(2, 5, N_FEATURES), torch.rand(2, 5, 3, N_FEATURES)
    chords, keys = model(over, heard)
    moved, moved_keys = model(raised(over, semitones), raised(heard, semitones))
    by_root = chords[..., :-1].unflatten(-1, (12, 14)).roll(semitones, -2)
    torch.testing.assert_close(moved[..., :-1], by_root.flatten(-2))
    torch.testing.assert_close(moved[..., -1], chords[..., -1])
    by_mode = keys.unflatten(-1, (2, 12)).roll(semitones, -1)
    torch.testing.assert_close(moved_keys, by_mode.flatten(-2))


def test_what_is_played_is_what_was_trained(model, lessons):
    assert compare(model, Network(build_listener(model)), lessons) < PARITY


def test_later_steps_change_no_earlier_answer(model, lessons):
    batch = make_batch(lessons[:1])
    with torch.no_grad():
        before, _ = model(batch.over, batch.heard)
        batch.over[:, 10:] = 0.5
        batch.heard[:, 10:] = 0.5
        after, _ = model(batch.over, batch.heard)
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert not torch.equal(before[:, 10:], after[:, 10:])


def test_a_run_that_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    few = Settings(model=SMALL, song_limit=4, batch_steps=400, epochs=2)
    whole = train(few, tmp_path / "whole")
    examine, calls = train_ear.examine, []

    def stop_at_second(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return examine(*args)

    monkeypatch.setattr(train_ear, "examine", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        train(few, tmp_path / "broken")
    mended = train(few, tmp_path / "broken")
    for one, other in zip(whole.parameters(), mended.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_every_take_of_a_song_slips_and_modulates_otherwise():
    all_slip = Settings(song_limit=6, slipping_takes=1.0, modulating_takes=0.5)

    def heard(split, take):
        lessons = train_ear.read_lessons(split, all_slip, take)
        return [lesson.heard[:, -1] for lesson in lessons]

    first, again, other = heard("train", 1), heard("train", 1), heard("train", 2)
    for one, same, another in zip(first, again, other, strict=True):
        assert np.array_equal(one, same)
        assert not np.array_equal(one, another)
    for one, another in zip(heard("valid", 1), heard("valid", 2), strict=True):
        assert np.array_equal(one, another)
