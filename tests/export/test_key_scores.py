from types import SimpleNamespace

import numpy as np
import pytest

from export.key_profiles import PROFILES, find_key
from export.key_scores import score_key_course
from export.songs import LEADSHEET_FILES, KeySpan, MelodyNote, read_songs
from jackcomp.theory.key import KEYS, Key, key_index

C, G, A_MINOR = Key(0, "major"), Key(7, "major"), Key(9, "minor")
QUARTER = 1920


@pytest.fixture(scope="module")
def song():
    from dataclasses import replace

    (song,) = read_songs(LEADSHEET_FILES, "valid", "nottingham", 1)
    melody = tuple(MelodyNote(i * QUARTER, QUARTER, 60, None) for i in range(200))
    last = song.spans[-1]._replace(start=0, end=200 * QUARTER)
    return replace(
        song,
        key=C,
        keys=(KeySpan(0, C),),
        key_doubtful=False,
        melody=melody,
        spans=(last,),
        quarters_per_minute=100.0,
    )


def course(*rows):
    """Lay out decisions: a quarter, and the key that is shown from there on."""
    return [
        (
            quarter * QUARTER,
            SimpleNamespace(key=key, keys=np.eye(24)[key_index(key)]),
        )
        for quarter, key in rows
    ]


def test_the_key_is_locked_where_it_stays(song):
    shown = course((4, G), (10, C), (20, G), (24, C), (60, C), (150, G))
    scores = score_key_course(song, shown)
    beats = 24 * QUARTER / song.meter.beat_ticks
    assert scores["key_lock_beats"].part == beats
    never = score_key_course(song, course((4, G), (60, A_MINOR)))
    assert never["key_lock_beats"].part == 200 * QUARTER / song.meter.beat_ticks


def test_changes_of_the_shown_key_are_flaps_unless_annotated(song):
    from dataclasses import replace

    shown = course((4, C), (60, G), (80, C), (100, G))
    flaps = score_key_course(song, shown)["key_flaps_per_minute"]
    assert flaps == (3, 2.0)
    modulating = replace(song, keys=(KeySpan(0, C), KeySpan(100 * QUARTER, G)))
    found = score_key_course(modulating, shown)
    assert found["key_flaps_per_minute"] == (2, 2.0)
    assert "key_lock_beats" not in found


def test_the_early_key_is_that_after_sixteen_notes(song):
    shown = course((4, G), (16, C), (60, G))
    assert score_key_course(song, shown)["key_exact_16"] == (1, 1)


def test_doubtful_keys_are_not_followed(song):
    from dataclasses import replace

    assert score_key_course(replace(song, key_doubtful=True), course((4, C))) == {}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_scale_from_its_tonic_is_in_its_key(song, profile):
    from dataclasses import replace

    for key in KEYS:
        steps = (
            (0, 2, 4, 5, 7, 9, 11) if key.mode == "major" else (0, 2, 3, 5, 7, 8, 11)
        )
        notes = [
            MelodyNote(i * QUARTER, QUARTER * (3 if i % 4 == 0 else 1), n, None)
            for i, n in enumerate(60 + key.tonic + step for step in steps)
        ]
        assert find_key(replace(song, melody=tuple(notes)), profile) == key
