import gzip
import json
from itertools import islice

import numpy as np
import pytest

from export.count_ear import (
    IDIOMS,
    OUT,
    UNKNOWN,
    Melody,
    count_harmony,
    count_keys,
    minimise,
    pack_tables,
)
from export.songs import LEADSHEET_FILES, read_songs
from jackcomp.ear.harmony import TAIL
from jackcomp.ear.listener import load_listener
from jackcomp.ear.tables import load_ear_tables
from jackcomp.tables import checksum


@pytest.fixture(scope="module")
def melodies(tmp_path_factory):
    few = tmp_path_factory.mktemp("corpus") / "few.jsonl"
    with gzip.open(LEADSHEET_FILES[1], "rt", encoding="utf-8") as lines:
        few.write_text("".join(islice(lines, 40)), encoding="utf-8")
    return [Melody(song) for song in read_songs([few], "train")]


def test_counted_tables_come_back_from_the_file_as_they_were(melodies, tmp_path):
    key, harmony = count_keys(melodies), count_harmony(melodies)
    tables = pack_tables(key, harmony)
    path = tmp_path / "ear.json"
    content = {"card": {"checksum": checksum(tables)}, "tables": tables}
    path.write_text(json.dumps(content))
    loaded = load_ear_tables(path)
    np.testing.assert_array_equal(loaded.key.profiles, key.profiles)
    np.testing.assert_array_equal(loaded.harmony.notes, harmony.notes)
    np.testing.assert_array_equal(loaded.harmony.chords, harmony.chords)


def test_counted_tables_are_distributions(melodies):
    key, harmony = count_keys(melodies), count_harmony(melodies)
    for logs in (key.profiles, harmony.notes, harmony.chords):
        np.testing.assert_allclose(np.exp(logs).sum(axis=-1), 1, atol=0.01)
    assert key.changes.sum(axis=(1, 2)) == pytest.approx(np.ones(2))


def test_chords_are_made_of_their_own_tones(melodies):
    # In C major, wherever in the step: C, E and G over C:maj.
    over_tonic = np.exp(count_harmony(melodies).notes[0, :TAIL, 0])
    assert (over_tonic[:, [0, 4, 7]].sum(axis=1) > 0.5).all()


def test_a_melody_is_heard_step_by_step(melodies):
    melody = melodies[0]
    steps = list(melody.listen(load_ear_tables(), load_listener()))
    assert [step for step, _ in steps] == melody.song.steps()
    assert {len(cuts) for _, cuts in steps} == {4}


def test_a_tick_without_a_key_is_unknown(melodies):
    for melody in melodies:
        if melody.song.key is not None:
            assert melody.key_at(10**9) != UNKNOWN


def test_the_search_finds_a_minimum():
    best = np.array([0.3, 2.0])
    found = minimise(lambda values: float(((values - best) ** 2).sum()), np.ones(2))
    np.testing.assert_allclose(found, best, atol=0.05)


def test_the_shipped_card_says_what_was_counted():
    card = json.loads(OUT.read_text())["card"]
    assert set(card["data"]) == {"counted", "fitted"}
    for songs in card["data"].values():
        assert set(songs) == {source for idiom in IDIOMS.values() for source in idiom}
        assert all(entry["licence"] and entry["songs"] > 0 for entry in songs.values())
