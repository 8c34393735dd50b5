import json
from dataclasses import replace

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export import casting, evaluate, key_scores, rivals, scores
from export.key_scores import score_key
from export.scores import Share, count_matches, cut_out, pool, score_chords
from export.songs import LEADSHEET_FILES, Bar, ChordSpan, read_songs
from export.stage import BarMap, Stage, give, lay_spans, main_meter
from jackcomp.config import Settings
from jackcomp.theory.chord import Chord, format_harte, parse_harte
from jackcomp.theory.key import KEYS, Key, parse_key
from jackcomp.theory.vocabulary import CHORDS, chord_index
from jackcomp.timeline.meter import Meter

QUARTER = 1920
BAR = 4 * QUARTER
CHORD_TIME = ("root", "majmin", "sevenths")


@pytest.fixture(scope="module")
def songs():
    return read_songs(LEADSHEET_FILES, "valid", limit=20)


@pytest.fixture(scope="module")
def stage():
    return Stage()


def record(**fields):
    """Two bars of 4/4: C then G7, a tune of their notes."""
    return {
        "id": "test:tune",
        "source": "test",
        "licence": "CC0-1.0",
        "title": None,
        "artist": None,
        "key": {"tonic": 0, "mode": "major"},
        "keys": [[0, 0, "major"]],
        "tempo_bpm": None,
        "chords": [[0, 4, "C:maj"], [4, 4, "G:7"]],
        "melody": [
            [0, 2, 64, None],
            [2, 2, 60, None],
            [4, 2, 65, None],
            [6, 2, 67, None],
        ],
        "meter": {"num": 4, "den": 4, "beats_per_bar": 4, "downbeat_offset": 0},
        "split": "valid",
        "group": "tune",
        **fields,
    }


@pytest.fixture
def read(tmp_path):
    def read_record(**fields):
        path = tmp_path / "songs.jsonl"
        path.write_text(json.dumps(record(**fields)) + "\n", encoding="utf-8")
        (song,) = read_songs([path])
        return song

    return read_record


def spans(*rows):
    """Lay chords out, one bar each."""
    return tuple(
        ChordSpan(BAR * i, BAR * (i + 1), label, chord_index(parse_harte(label)))
        for i, label in enumerate(rows)
    )


def transposed(played, semitones):
    moved = [CHORDS[span.chord].transpose(semitones) for span in played]
    return tuple(
        ChordSpan(span.start, span.end, format_harte(chord), chord_index(chord))
        for span, chord in zip(played, moved, strict=True)
    )


# ---- scores ----


def test_the_annotation_agrees_with_itself(songs):
    for song in songs:
        values = pool([score_chords(song, song.spans)])
        assert [values[name] for name in (*CHORD_TIME, "change_f1")] == [1] * 4


def test_a_tritone_away_nothing_but_silence_is_right(songs):
    for song in songs:
        song = replace(song, spans=tuple(s for s in song.spans if s.label != "N"))
        values = score_chords(song, transposed(song.spans, 6))
        assert [values[name].part for name in CHORD_TIME] == [0, 0, 0]
        assert values["change_f1"].part == values["change_f1"].whole


def test_time_is_judged_as_by_mir_eval(songs):
    for song in songs:
        played = rivals.echo_bar(song)
        true, labels, times = [], [], []
        for annotated, sounding, ticks in scores.overlaps(song.spans, played):
            true.append(annotated.label)
            labels.append(sounding.label)
            times.append(ticks)
        assert sum(times) == song.spans[-1].end - song.spans[0].start
        values = pool([score_chords(song, played)])
        for name in CHORD_TIME:
            compared = getattr(mir_eval.chord, name)(true, labels)
            expected = mir_eval.chord.weighted_accuracy(compared, np.array(times))
            assert values[name] == pytest.approx(expected)


def test_a_reference_outside_the_vocabulary_is_not_judged(read):
    song = read(chords=[[0, 4, "C:sus4"], [4, 4, "G:7"]])
    values = score_chords(song, spans("C:maj", "G:7"))
    assert values["majmin"] == Share(BAR, BAR)
    assert values["root"] == Share(2 * BAR, 2 * BAR)


def test_a_wrong_seventh_is_right_as_a_triad(read):
    values = score_chords(read(), spans("C:maj", "G:maj"))
    assert values["majmin"] == Share(2 * BAR, 2 * BAR)
    assert values["sevenths"] == Share(BAR, 2 * BAR)


def test_melody_time_on_chord_tones_is_counted(read):
    # F is the seventh of G7, and no tone of G.
    assert score_chords(read(), spans("C:maj", "G:7"))["in_chord"] == (2 * BAR, 2 * BAR)
    assert score_chords(read(), spans("C:maj", "G:maj"))["in_chord"].part == 1.5 * BAR
    assert score_chords(read(), spans("N", "N"))["in_chord"] == Share(0, 2 * BAR)


def test_a_note_across_a_change_counts_on_both_sides(read):
    song = read(melody=[[2, 4, 64, None]])
    assert score_chords(song, spans("C:maj", "G:7"))["in_chord"] == (BAR / 2, BAR)


def test_changes_are_met_within_an_eighth(read):
    def change_at(tick):
        changes = [(0, Chord(0, "maj")), (tick, Chord(7, "7"))]
        return score_chords(read(), lay_spans(changes, 0, 2 * BAR))["change_f1"]

    assert change_at(BAR + QUARTER // 2) == Share(4, 4)
    assert change_at(BAR + QUARTER // 2 + 1) == Share(2, 4)


def test_changes_are_counted_by_the_bar(read):
    song = read()
    assert score_chords(song, song.spans)["changes_per_bar"] == Share(2, 2)
    assert score_chords(song, spans("N", "G:7"))["changes_per_bar"] == Share(1, 2)
    # The same chord of the vocabulary: no change.
    same = spans("C:maj", "C:maj/3")
    assert score_chords(song, same)["changes_per_bar"] == Share(1, 2)


@given(
    st.lists(st.integers(0, 40), max_size=12, unique=True),
    st.lists(st.integers(0, 40), max_size=12, unique=True),
)
def test_matches_are_as_many_as_mir_eval_finds(one, other):
    one, other = sorted(one), sorted(other)
    expected = mir_eval.util.match_events(np.array(one), np.array(other), 2)
    assert count_matches(one, other, 2) == len(expected)


@pytest.mark.parametrize(
    ("heard", "exact", "close"),
    [
        (Key(0, "major"), 1, 1.0),
        (Key(7, "major"), 0, 0.5),
        (Key(9, "minor"), 0, 0.3),
        (Key(0, "minor"), 0, 0.2),
        (Key(6, "major"), 0, 0.0),
        (None, 0, 0.0),
    ],
)
def test_keys_are_judged_by_kinship(read, heard, exact, close):
    values = score_key(read(), heard)
    assert values == {"key_exact": (exact, 1), "key_mirex": (close, 1)}


def test_the_key_at_the_end_counts(read):
    song = read(keys=[[0, 0, "major"], [4, 2, "major"]])
    assert score_key(song, Key(2, "major"))["key_exact"] == Share(1, 1)


@pytest.mark.parametrize(
    "fields", [{"key_doubtful": True}, {"keys": [[0, 0, "dorian"]]}]
)
def test_a_doubtful_key_is_not_judged(read, fields):
    assert score_key(read(**fields), Key(0, "major")) == {}


def test_every_key_has_a_name_for_mir_eval():
    for key in KEYS:
        assert mir_eval.key.weighted_score(*[key_scores._key_name(key)] * 2) == 1


def test_songs_are_pooled_by_their_length():
    pooled = pool([{"root": Share(1, 1)}, {"root": Share(0, 3)}, {"key": Share(0, 0)}])
    assert pooled == {"root": 0.25}


def test_where_one_lost_song_is_not_the_rule_songs_are_pooled_by_the_median():
    songs = [{"key_lock_beats": Share(beats, 1)} for beats in (1, 2, 900)]
    assert pool(songs) == {"key_lock_beats": 2}


def test_parts_of_a_song_add_up_to_it(songs):
    for song in songs:
        start, end = song.spans[0].start, song.spans[-1].end
        middle = start + (end - start) // 3
        played = rivals.echo_bar(song)
        parts = [
            score_chords(*cut_out(song, played, *ends))["majmin"]
            for ends in ((start, middle), (middle, end))
        ]
        whole = score_chords(song, played)["majmin"]
        assert sum(part.part for part in parts) == pytest.approx(whole.part)
        assert sum(part.whole for part in parts) == whole.whole


# ---- rivals ----


def test_tonic_holds_the_triad_of_the_key(read):
    (span,) = rivals.hold_tonic(read(key={"tonic": 9, "mode": "minor"}))
    assert (span.start, span.end, span.label) == (0, 2 * BAR, "A:min")


def test_the_loop_is_the_one_of_a_thousand_songs(read):
    song = read(key={"tonic": 9, "mode": "minor"}, chords=[[0, 16, "C:maj"]])
    labels = [span.label for span in rivals.loop_four_chords(song)]
    assert labels == ["C:maj", "G:maj", "A:min", "F:maj"]


def test_echo_plays_what_the_bar_before_sang(read):
    tune = [[0, 2, 64, None], [2, 2, 60, None], [4, 2, 67, None], [6, 2, 71, None]]
    played = rivals.echo_bar(read(chords=[[0, 12, "C:maj"]], melody=tune))
    assert [(span.start, span.label) for span in played] == [
        (0, "N"),
        (BAR, "C:maj"),
        (2 * BAR, "G:maj"),
    ]


@pytest.mark.parametrize("rival", [rivals.hold_best_triad, rivals.echo_bar])
def test_rivals_hear_no_note_before_it_sounds(songs, rival):
    for song in songs:
        start = song.spans[0].start
        until = start + (song.spans[-1].end - start) // 2
        early = [note for note in song.melody if note.onset < until]
        late = [n._replace(note=n.note + 1) for n in song.melody if n.onset >= until]
        other = replace(song, melody=(*early, *late))
        before, after = (
            [span[:1] + span[2:] for span in rival(each) if span.start < until]
            for each in (song, other)
        )
        assert before == after


def test_rivals_fill_the_annotated_time(songs):
    for song in songs:
        for play in casting.RIVALS.values():
            played = play(song)
            assert played[0].start == song.spans[0].start
            assert played[-1].end == song.spans[-1].end
            ends = [span.end for span in played[:-1]]
            assert ends == [span.start for span in played[1:]]


# ---- stage ----


def test_whole_bars_stay_where_they_are():
    bars = [Bar(BAR * i, BAR * (i + 1), Meter(4, 4)) for i in range(-1, 3)]
    bar_map = BarMap(bars, Meter(4, 4))
    for tick in range(-BAR, 4 * BAR, 700):
        assert bar_map.to_clock(tick) == tick == bar_map.to_song(tick)


def test_an_odd_bar_is_followed_by_a_wait():
    lengths = [BAR, BAR // 2, BAR, BAR + QUARTER, BAR]
    bars, start = [], 0
    for length in lengths:
        bars.append(Bar(start, start + length, Meter(4, 4)))
        start += length
    bar_map = BarMap(bars, Meter(4, 4))
    starts = [bar_map.to_clock(bar.start) // BAR for bar in bars]
    assert starts == [0, 1, 2, 3, 5]
    assert bar_map.to_song(BAR + BAR // 2 + 1) == bars[2].start
    for tick in range(0, start, 480):
        assert bar_map.to_song(bar_map.to_clock(tick)) == tick


def test_only_what_may_be_known_is_given(read):
    song = read(tempo_bpm=90, melody=[[0, 4, 64, 0.0], [1, 1, 64, 30]])
    meter = main_meter(song)
    given_ = give(song, meter, BarMap(song.bars, meter))
    assert given_.ns_per_quarter == round(60e9 / 90)
    assert given_.start_tick == 0
    # The key is struck again before it was released.
    assert given_.solo.messages == (
        (0, bytes((0x90, 64, 1))),
        (QUARTER, bytes((0x80, 64, 0))),
        (QUARTER, bytes((0x90, 64, 30))),
        (2 * QUARTER, bytes((0x80, 64, 0))),
    )


def test_a_pickup_starts_the_clock_a_bar_early(read):
    meter = {"num": 4, "den": 4, "beats_per_bar": 4, "downbeat_offset": 1}
    song = read(meter=meter)
    given_ = give(song, song.meter, BarMap(song.bars, song.meter))
    assert given_.start_tick == -BAR
    assert given_.solo.messages[0][0] == -QUARTER


def test_of_two_changes_at_once_the_last_counts():
    chords = [(0, Chord(0, "maj")), (5, Chord(2, "min")), (5, Chord(7, "7"))]
    assert [span[:3] for span in lay_spans(chords, -5, 10)] == [
        (-5, 0, "N"),
        (0, 5, "C:maj"),
        (5, 10, "G:7"),
    ]


def test_what_began_before_the_annotation_sounds_on_in_it():
    (span,) = lay_spans([(-5, Chord(0, "maj")), (20, Chord(2, "min"))], 0, 10)
    assert span[:3] == (0, 10, "C:maj")


@pytest.mark.slow
def test_the_period_changes_nothing(stage, read):
    song = read(
        chords=[[0, 64, "C:maj"]],
        melody=[[i, 1, 60 + (0, 4, 7, 9, 5, 2)[i % 6], 80] for i in range(64)],
    )
    played = stage.play(song)
    assert len(played.changes) > 4
    assert stage.play(song, period=64).changes == played.changes


@pytest.mark.slow
def test_a_shorter_plan_changes_nothing_that_sounds(stage, songs):
    for song in songs[:3]:
        short, whole = stage.play(song, plan_bars=1), stage.play(song)
        assert short.changes == whole.changes
        assert explained(short) == explained(whole)


@pytest.mark.slow
def test_what_was_heard_before_is_heard_again(stage, songs):
    for song in songs[:3]:
        for hasty in ({"mends": False}, {"key": song.key}):
            alone = stage.play(song, plan_bars=1, **hasty)
            stage.play(song)
            shared = stage.play(song, hears_anew=False, plan_bars=1, **hasty)
            assert explained(shared) == explained(alone)
            assert shared.changes == alone.changes


def test_another_solo_is_heard_anew_and_a_told_key_counts(stage, read):
    song = read(chords=[[0, 16, "C:maj"]], melody=[[0, 4, 64, 80], [8, 4, 67, 80]])
    other = replace(song, melody=(song.melody[0]._replace(note=66), song.melody[1]))
    told = {"key": parse_key("Em")}
    alone = [stage.play(song, **told), stage.play(other)]
    stage.play(song)
    later = [
        stage.play(song, hears_anew=False, **told),
        stage.play(other, hears_anew=False),
    ]
    assert list(map(explained, later)) == list(map(explained, alone))


def explained(played):
    return [(tick, decision.explain()) for tick, decision in played.decisions]


# ---- the report ----


@pytest.mark.slow
def test_the_report_has_its_form(tmp_path, capsys):
    out = tmp_path / "report.json"
    arguments = ["--split", "valid", "--source", "nottingham", "--limit", "2"]
    assert evaluate.main([*arguments, "--json", str(out)]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert set(report) == {
        *("rows", "paired", "by_position", "reliability"),
        *("decision_ms", "songs", "settings"),
    }
    assert tuple(report["rows"]) == evaluate.ROWS
    for name, row in report["rows"].items():
        assert {"overall", "nottingham"} <= set(row)
        assert row["overall"] == row["nottingham"]
        if name in casting.KEY_FINDERS:
            assert set(row["overall"]) == {"key_exact", "key_mirex", "key_exact_16"}
        else:
            assert set(evaluate.COLUMNS[:8]) <= set(row["overall"])
            assert {"ctnctr", "pcs", "mctd", "che", "cc"} <= set(row["overall"])
            assert set(row["overall:first_16_bars"]) <= set(row["overall"])
    system = report["rows"]["system"]["overall"]
    assert {*evaluate.COLUMNS, "key_lock_beats", "key_flaps_per_minute"} <= set(system)
    tritone = report["rows"]["tritone"]["overall"]
    assert {"recovery_beats", "key_recovery_beats"} <= set(tritone)
    gains = report["paired"]["system - no_memory"]["overall"]
    rows = report["rows"]
    assert gains["majmin"] == pytest.approx(
        system["majmin"] - rows["no_memory"]["overall"]["majmin"]
    )
    assert gains["low"] <= gains["majmin"] <= gains["high"]
    assert set(report["by_position"]) == {"system", "no_memory"}
    assert report["reliability"]["right"].keys() == (
        report["reliability"]["confidence"].keys()
    )
    assert 0 < report["decision_ms"]["p50"] <= report["decision_ms"]["max"]
    assert report["songs"] == 2
    assert report["settings"]["not_given"] == ["key", "chords"]
    assert "majmin" in capsys.readouterr().out


def test_songs_measured_together_are_measured_alike(songs):
    rows = ("tonic", "echo")
    alone = list(evaluate._measure(songs[:3], rows, 1))
    assert list(evaluate._measure(songs[:3], rows, 2)) == alone


def test_rivals_need_no_model(monkeypatch):
    monkeypatch.setattr(casting, "_stage", None)
    report = evaluate.evaluate(split="valid", limit=2, rows=("human",))
    assert report["rows"]["human"]["overall"]["majmin"] == 1
    assert report["decision_ms"] == {"p50": None, "p99": None, "max": None}
    assert report["settings"]["style"] == Settings().style


def test_songs_without_a_key_have_a_report_too(tmp_path, capsys):
    path, out = tmp_path / "songs.jsonl", tmp_path / "report.json"
    path.write_text(json.dumps(record(key=None, keys=[])) + "\n", encoding="utf-8")
    rows = ",".join(("human", *casting.KEY_FINDERS))
    arguments = [str(path), "--split", "all", "--rows", rows, "--json", str(out)]
    assert evaluate.main(arguments) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert [report["rows"][row] for row in casting.KEY_FINDERS] == [{}] * 3
    assert "human" in capsys.readouterr().out


def test_chords_without_a_melody_are_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "songs.jsonl"
    path.write_text(json.dumps(record(melody=[])) + "\n", encoding="utf-8")
    assert evaluate.main([str(path), "--split", "all"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "test:tune has no melody" in line


def test_an_unknown_row_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["--rows", "sistem"])
    assert "no row 'sistem'" in capsys.readouterr().err
