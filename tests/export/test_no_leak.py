"""The accompanist plays from the melody alone, and only from what it has heard.

Songs of the validation split, their first bars, played as `export.evaluate` plays
them; every decision and every change is compared.
"""

import gzip
import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from export.songs import LEADSHEET_FILES, read_songs
from export.stage import BarMap, Stage, main_meter
from jackcomp.config import Settings
from jackcomp.theory.chord import QUALITIES, Chord, format_harte

SONGS = 20
BARS = 24
SEED = 20240229

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def records():
    """Give the first bars of songs from all over the validation split."""
    found = []
    for path in LEADSHEET_FILES:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found += [
                record
                for line in lines
                if (record := json.loads(line))["split"] == "valid"
            ]
    return [shorten(found[i * len(found) // SONGS]) for i in range(SONGS)]


def shorten(record):
    meter = record["meter"]
    end = meter["downbeat_offset"] + BARS * meter["beats_per_bar"]
    chords = [
        [start, min(length, end - start), label]
        for start, length, label in record["chords"]
        if start < end
    ]
    melody = [note for note in record["melody"] if note[0] < end]
    return record | {"chords": chords, "melody": melody}


@pytest.fixture(scope="module")
def stage():
    return Stage()


@pytest.fixture(scope="module")
def heard(records, stage, tmp_path_factory):
    """Give what is decided about each song as it is in the file."""
    return [decide(stage, song) for song in read(records, tmp_path_factory)]


def read(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("songs") / "songs.jsonl"
    lines = (json.dumps(record) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")
    return read_songs([path])


def decide(stage, song):
    played = stage.play(song)
    return [decision.explain() for _, decision in played.decisions], played.changes


def with_other_harmony(record, dice):
    """Write other keys and other chords, in other places, over the same bars."""

    def any_key():
        return {"tonic": dice.randrange(12), "mode": dice.choice(["major", "minor"])}

    def any_chord():
        chord = Chord(dice.randrange(12), dice.choice(QUALITIES).name)
        return format_harte(chord)

    start = record["chords"][0][0]
    end = sum(record["chords"][-1][:2])
    inside = {start + (end - start) * dice.random() for _ in record["chords"]}
    return record | {
        "key": any_key(),
        "keys": [[beat, *any_key().values()] for beat, *_ in record["keys"]],
        "key_doubtful": dice.random() < 0.5,
        "chords": [
            [a, b - a, any_chord()] for a, b in pairwise([start, *sorted(inside), end])
        ],
    }


def with_other_notes_from(song, tick, dice):
    """Replace all notes from a tick on, and how long those go on that sound there."""
    melody = []
    for note in song.melody:
        if note.onset >= tick:
            note = note._replace(
                note=dice.randrange(48, 84),
                duration=dice.randrange(1, 2 * note.duration + 1),
                velocity=dice.randrange(1, 128),
            )
        elif note.onset + note.duration > tick:
            duration = tick - note.onset + dice.randrange(1, note.duration + 1)
            note = note._replace(duration=duration)
        melody.append(note)
    return replace(song, melody=tuple(melody))


def test_songs_are_decided_about(heard):
    assert all(len(decisions) > BARS for decisions, _ in heard)
    assert all(len(changes) > 2 for _, changes in heard)


def test_the_same_song_is_played_the_same_way(records, heard, stage, tmp_path_factory):
    for song, before in zip(read(records, tmp_path_factory), heard, strict=True):
        assert decide(stage, song) == before


def test_the_annotated_harmony_changes_nothing(records, heard, stage, tmp_path_factory):
    dice = random.Random(SEED)
    others = [with_other_harmony(record, dice) for record in records]
    for song, before in zip(read(others, tmp_path_factory), heard, strict=True):
        assert decide(stage, song) == before


def test_what_comes_later_changes_nothing_before(
    records, heard, stage, tmp_path_factory
):
    dice = random.Random(SEED)
    for song, before in zip(read(records, tmp_path_factory), heard, strict=True):
        tick = some_tick(song, dice)
        after = decide(stage, with_other_notes_from(song, tick, dice))
        assert after != before, "nobody passes by being deaf"
        assert known_by(tick, song, after) == known_by(tick, song, before)


def some_tick(song, dice):
    """Choose a tick in the middle half of the melody."""
    first, last = song.melody[0].onset, song.melody[-1].onset
    quarter = (last - first) // 4
    return dice.randrange(first + quarter, last - quarter)


def known_by(tick, song, heard):
    """Return the decisions cut off by a tick of the song, and what they changed."""
    now = BarMap(song.bars, main_meter(song)).to_clock(tick)
    decisions, changes = heard
    known = [decision for decision in decisions if decision["cutoff"] <= now]
    until = known[-1]["tick"] if known else now
    return known, [change for change in changes if change.tick <= until]


def test_a_planted_leak_of_the_key_is_found(records, tmp_path_factory):
    dice = random.Random(SEED)
    others = [with_other_harmony(record, dice) for record in records]
    told = [
        [decide(Stage(Settings(key=song.key)), song) for song in songs[:3]]
        for songs in (read(records, tmp_path_factory), read(others, tmp_path_factory))
    ]
    assert told[0] != told[1]


def test_a_planted_look_ahead_is_found(records, stage, tmp_path_factory):
    dice = random.Random(SEED)
    found = 0
    for song in read(records, tmp_path_factory)[:5]:
        tick = some_tick(song, dice)
        other = with_other_notes_from(song, tick, dice)
        one, another = (
            known_by(tick, song, decide(stage, an_eighth_early(each)))
            for each in (song, other)
        )
        found += one != another
    assert found


def an_eighth_early(song):
    melody = tuple(note._replace(onset=note.onset - 960) for note in song.melody)
    return replace(song, melody=melody)
