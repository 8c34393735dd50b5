from dataclasses import replace
from itertools import groupby, pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.arranger.arrange import MEND_ROOM, Arranger, Span
from jackcomp.arranger.pattern import list_styles, load_style
from jackcomp.theory.chord import NO_CHORD, QUALITIES, Chord, parse_harte
from jackcomp.theory.vocabulary import CHORDS
from jackcomp.timeline.meter import parse_meter, step_start

STYLES = {name: load_style(name) for name in list_styles()}
METERS = [
    parse_meter(text)
    for text in (
        *("4/4", "2/2", "3/4", "2/4", "1/4", "6/8", "9/8", "12/8", "3/8", "3/2"),
        *("5/4", "2+3/4", "7/8", "2+2+3/8", "6/4", "7/4", "5/8"),
        *("6/16", "7/16", "1/16", "4/1"),
    )
]
ALL_STYLES = pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
C, A_MINOR, F = (parse_harte(label) for label in ("C", "A:min", "F"))

styles = st.sampled_from(list(STYLES.values()))
meters = st.sampled_from(METERS)
sounding_chords = st.builds(
    lambda chord, up: (
        Chord(chord.root, chord.quality, (chord.root + up) % 12) if up else chord
    ),
    st.sampled_from([chord for chord in CHORDS if not chord.is_none]),
    st.sampled_from([0, 0, 0, 2, 3, 4, 7, 10]),
)
# Few chords, so that some follow themselves.
chords = sounding_chords | st.sampled_from([NO_CHORD, C, A_MINOR])
progressions = st.lists(chords, min_size=1, max_size=6)
intensities = st.floats(0, 1)
ceilings = st.none() | st.integers(50, 84)


def plan(meter, progression, first_step=0):
    """One span to each grid step."""
    return [
        Span(step_start(meter, step), step_start(meter, step + 1), chord)
        for step, chord in enumerate(progression, first_step)
    ]


def left_to(spans, *parts):
    """The same spans, some parts played by the soloist himself."""
    return [replace(span, taken=frozenset(parts)) for span in spans]


def end(note):
    return note.tick + note.duration


def sounding(notes, tick):
    """What started before a tick and goes on after it."""
    return {(n.part, n.note): n for n in notes if n.tick < tick < end(n)}


@st.composite
def mends(draw, same=False):
    """A step that is mended somewhere inside, with what was there before."""
    style, meter = draw(styles), draw(meters)
    arranger = Arranger(style, meter, draw(st.integers(0, 3)))
    before = draw(st.lists(chords, max_size=2))
    old = draw(chords)
    new = old if same else draw(chords)
    spans = plan(meter, [*before, old])
    arrangement = arranger.arrange(spans, None)
    span = spans[-1]
    tick = draw(st.integers(span.start + 1, span.end - 1))
    played = [note for note in arrangement.notes if span.start <= note.tick]
    mended = arranger.arrange(
        [Span(tick, span.end, new)], arrangement.voicings[-1], mended=True
    )
    return played, tick, mended


@given(styles, meters, progressions, st.integers(-3, 3), intensities, ceilings)
def test_notes_are_chord_tones_in_range_within_their_spans(
    style, meter, progression, first_step, intensity, ceiling
):
    spans = plan(meter, progression, first_step)
    arranger = Arranger(style, meter, 0)
    arrangement = arranger.arrange(spans, None, intensity=intensity, ceiling=ceiling)
    for note in arrangement.notes:
        span = next(span for span in spans if span.start <= note.tick < span.end)
        assert end(note) <= span.end
        assert note.duration > 0
        assert 1 <= note.velocity <= 127
        assert not note.tie
        part = style.bass if note.part == "bass" else style.chords
        assert part.low <= note.note <= part.high
        allowed = {*span.chord.pitch_classes}
        if note.part == "bass":
            allowed.add(span.chord.bass)
        assert note.note % 12 in allowed


@ALL_STYLES
def test_every_quality_in_every_meter_sounds_in_both_parts_of_every_step(style):
    for meter, quality, bass in product(METERS, QUALITIES, (None, 0)):
        spans = plan(meter, [Chord(2, quality.name, bass)] * (len(meter.groups) + 1))
        notes = Arranger(style, meter, 0).arrange(spans, None).notes
        for span in spans:
            parts = {n.part for n in notes if span.start <= n.tick < span.end}
            assert parts == {"bass", "chords"}


@given(styles, meters, progressions, ceilings)
def test_no_key_overlaps_itself_within_a_part(style, meter, progression, ceiling):
    arranger = Arranger(style, meter, 0)
    assert_no_overlap(
        arranger.arrange(plan(meter, progression), None, ceiling=ceiling).notes
    )


def assert_no_overlap(notes):
    by_key = sorted(notes, key=lambda n: (n.part, n.note, n.tick))
    for _, same in groupby(by_key, key=lambda n: (n.part, n.note)):
        for note, following in pairwise(same):
            assert end(note) <= following.tick


@given(styles, meters, progressions, intensities, ceilings)
def test_a_plan_arranged_whole_or_span_by_span_is_the_same(
    style, meter, progression, intensity, ceiling
):
    spans = plan(meter, progression)
    how = {"intensity": intensity, "ceiling": ceiling}
    whole = Arranger(style, meter, 7).arrange(spans, None, **how)
    arranger = Arranger(style, meter, 7)
    notes, voicings = [], [None]
    for span in spans:
        arranger.arrange(spans, None)  # Provisional plans in between leave no trace.
        found = arranger.arrange([span], voicings[-1], **how)
        notes += found.notes
        voicings += found.voicings
    assert tuple(notes) == whole.notes
    assert tuple(voicings[1:]) == whole.voicings


@given(styles, meters, progressions, st.data())
def test_the_rest_of_a_step_with_its_chord_is_played_as_it_was_planned(
    style, meter, progression, data
):
    spans = plan(meter, progression)
    arranger = Arranger(style, meter, 7)
    whole = arranger.arrange(spans, None)
    last = spans[-1]
    tick = data.draw(st.integers(last.start, last.end - 1))
    rest = arranger.arrange([Span(tick, last.end, last.chord)], whole.voicings[-1])
    assert rest.notes == tuple(note for note in whole.notes if note.tick >= tick)
    assert rest.voicings == whole.voicings[-1:]


@given(styles, meters, progressions)
def test_seeds_change_velocities_and_nothing_else(style, meter, progression):
    def plain(seed):
        notes = Arranger(style, meter, seed).arrange(plan(meter, progression), None)
        return [(n.tick, n.duration, n.part, n.note) for n in notes.notes]

    assert plain(0) == plain(1)


def test_a_humanised_style_sounds_different_with_another_seed():
    def velocities(seed):
        arranger = Arranger(STYLES["arpeggio"], METERS[0], seed)
        return [
            n.velocity for n in arranger.arrange(plan(METERS[0], [C] * 4), None).notes
        ]

    assert velocities(0) != velocities(1)


@ALL_STYLES
def test_more_intensity_is_louder(style):
    def loudness(intensity):
        arranger = Arranger(style, METERS[0], 0)
        found = arranger.arrange(plan(METERS[0], [C, F]), None, intensity=intensity)
        return sum(note.velocity for note in found.notes)

    assert loudness(0) < loudness(0.5) < loudness(1)


@given(styles, meters, progressions, st.integers(60, 84))
def test_chords_stay_below_the_soloist(style, meter, progression, ceiling):
    arranger = Arranger(style, meter, 0)
    notes = arranger.arrange(plan(meter, progression), None, ceiling=ceiling).notes
    assert all(note.note < ceiling for note in notes)


@given(styles, meters, progressions)
def test_the_bass_falls_on_every_line_and_leaps_an_octave_at_most(
    style, meter, progression
):
    spans = plan(meter, progression)
    notes = Arranger(style, meter, 0).arrange(spans, None).notes
    bass = [note for note in notes if note.part == "bass"]
    starts = {note.tick for note in bass}
    assert all(span.start in starts for span in spans if not span.chord.is_none)
    for note, following in pairwise(bass):
        if end(note) == following.tick:
            assert abs(note.note - following.note) <= 12


@given(styles, meters)
def test_no_chord_is_silence(style, meter):
    arranger = Arranger(style, meter, 0)
    arrangement = arranger.arrange(plan(meter, [C, NO_CHORD, C]), None)
    span = plan(meter, [C, NO_CHORD])[1]
    assert not [n for n in arrangement.notes if span.start <= n.tick < span.end]
    assert arranger.ending(0, NO_CHORD, arrangement.voicings[0]).notes == ()


def test_block_strikes_a_chord_that_goes_on_once_a_step():
    meter = parse_meter("4/4")
    notes = (
        Arranger(STYLES["block"], meter, 0).arrange(plan(meter, [C] * 4), None).notes
    )
    assert [(n.tick, n.note) for n in notes] == [
        (step * 3840, note) for step in range(4) for note in (36, 60, 64, 67)
    ]
    assert {n.duration for n in notes} == {3840}


def test_the_second_pattern_is_for_a_chord_that_goes_on():
    meter = parse_meter("6/8")
    arranger = Arranger(STYLES["jazz"], meter, 0)
    notes = arranger.arrange(plan(meter, [C, C, C, F]), None).notes
    starts = sorted({n.tick // 960 for n in notes if n.part == "chords"})
    assert starts == [0, 3, 7, 13, 18, 21]


@pytest.mark.parametrize("name", ["arpeggio", "ballad"])
@pytest.mark.parametrize("meter", METERS[:6], ids=str)
def test_chords_that_come_after_the_line_are_mended_at_no_cost(name, meter):
    arranger = Arranger(STYLES[name], meter, 0)
    (span,) = plan(meter, [C])
    voicing = arranger.arrange([span], None).voicings[0]
    first = span.start + 200
    late = arranger.arrange([Span(first, span.end, F)], voicing, mended=True).notes
    assert [n.part for n in late if n.tick == first] == ["bass"]
    assert {n.note % 12 for n in late if n.part == "chords"} <= {5, 9, 0}


@given(mends())
def test_a_mend_ties_what_sounds_and_still_belongs(mend):
    played, tick, mended = mend
    before = sounding(played, tick)
    voicing = mended.voicings[0]
    now = {(n.part, n.note): n for n in mended.notes if n.tick == tick}
    struck_by_pattern = {key for key, n in now.items() if not n.tie}
    for key, note in now.items():
        if note.tie:
            assert key in before
            assert end(note) <= end(before[key])
    for part, key in before:
        if part == "chords" and key in voicing.notes:
            assert now[part, key].tie or (part, key) in struck_by_pattern
        if part == "bass" and key == voicing.bass:
            assert now[part, key].tie or (part, key) in struck_by_pattern


@given(mends())
def test_a_mend_gives_notes_of_the_new_chord_without_overlap(mend):
    _, tick, mended = mend
    chord = mended.voicings[0].chord
    assert_no_overlap(mended.notes)
    for note in mended.notes:
        assert note.tick >= tick
        assert note.duration > 0
        assert note.note % 12 in {*chord.pitch_classes, chord.bass}


@given(mends(same=True))
def test_a_mend_to_the_same_chord_changes_nothing_that_sounds(mend):
    played, tick, mended = mend
    tied = {(n.part, n.note): end(n) for n in mended.notes if n.tie}
    assert tied == {key: end(note) for key, note in sounding(played, tick).items()}
    later = [note for note in mended.notes if not note.tie]
    assert later == [note for note in played if note.tick >= tick]


def test_a_mend_ties_common_notes_and_strikes_the_others_softly():
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES["block"], meter, 0)
    arrangement = arranger.arrange(plan(meter, [C]), None)
    mended = arranger.arrange(
        [Span(200, 3840, A_MINOR)], arrangement.voicings[0], mended=True
    )
    assert [(n.tick, n.duration, n.note, n.tie) for n in mended.notes] == [
        (200, 3640, 33, False),
        (200, 3640, 60, True),
        (200, 3640, 64, True),
        (200, 3640, 69, False),
    ]
    struck = mended.notes[3]
    assert struck.velocity < min(n.velocity for n in arrangement.notes)


def test_the_bass_stays_if_a_mend_leaves_it():
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES["jazz"], meter, 0)
    arrangement = arranger.arrange(plan(meter, [C]), None)
    for tick in (500, 2500):
        mended = arranger.arrange(
            [Span(tick, 3840, parse_harte("C:min7"))],
            arrangement.voicings[0],
            mended=True,
        )
        first = next(note for note in mended.notes if note.part == "bass")
        assert first.tie
        assert ("bass", first.note) in sounding(arrangement.notes, tick)


@pytest.mark.parametrize(
    ("name", "tick", "before", "after", "expected"),
    [
        # A new bass is struck, though the old one is its fifth.
        ("block", 500, "E", "A", [(45, False)]),
        # The fifth that sounds is the new bass: nothing to add to it.
        ("jazz", 2500, "C", "G", [(43, True)]),
        # The fifth that sounds is no longer one.
        ("jazz", 2500, "C", "C:dim", [(42, False)]),
    ],
)
def test_a_mended_bass_plays_one_note_that_says_the_new_chord(
    name, tick, before, after, expected
):
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES[name], meter, 0)
    voicing = arranger.arrange(plan(meter, [parse_harte(before)]), None).voicings[0]
    mended = arranger.arrange(
        [Span(tick, 3840, parse_harte(after))], voicing, mended=True
    )
    bass = [n for n in mended.notes if n.part == "bass" and n.tick == tick]
    assert [(n.note, n.tie) for n in bass] == expected


def test_a_tied_note_ends_where_the_new_chord_strikes_it_again():
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES["ballad"], meter, 0)
    voicing = arranger.arrange(plan(meter, [C, C]), None).voicings[1]
    span = Span(3840 + 1440, 7680, parse_harte("A:min7"))
    notes = arranger.arrange([span], voicing, mended=True).notes
    inner = [n for n in notes if n.note == 64]
    assert [(n.tick, n.tie) for n in inner] == [(5280, True), (6720, False)]
    assert_no_overlap(notes)


def test_a_voice_is_not_struck_just_before_its_end():
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES["block"], meter, 0)
    voicing = arranger.arrange(plan(meter, [C]), None).voicings[0]
    late = Span(3840 - MEND_ROOM + 1, 3840, A_MINOR)
    notes = arranger.arrange([late], voicing, mended=True).notes
    assert [(n.note, n.tie) for n in notes] == [(60, True), (64, True)]


@ALL_STYLES
def test_what_a_mend_cut_short_is_arranged_short(style):
    meter = parse_meter("4/4")
    notes = Arranger(style, meter, 0).arrange([Span(0, 2000, C)], None).notes
    assert max(end(note) for note in notes) == 2000
    assert all(note.tick < 2000 for note in notes)


def test_a_mend_out_of_silence_strikes_the_chord():
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES["block"], meter, 0)
    silent = arranger.arrange(plan(meter, [NO_CHORD]), None).voicings[0]
    notes = arranger.arrange([Span(300, 3840, C)], silent, mended=True).notes
    assert [(n.tick, n.note, n.tie) for n in notes] == [
        (300, note, False) for note in (36, 60, 64, 67)
    ]


def test_a_mend_into_silence_plays_nothing():
    meter = parse_meter("4/4")
    arranger = Arranger(STYLES["block"], meter, 0)
    voicing = arranger.arrange(plan(meter, [C]), None).voicings[0]
    assert arranger.arrange([Span(9, 3840, NO_CHORD)], voicing, mended=True).notes == ()


@given(styles, meters, chords, sounding_chords, st.integers(1, 8))
def test_the_ending_holds_chord_and_bass_for_its_bars(style, meter, before, last, bars):
    arranger = Arranger(style, meter, 0)
    previous = arranger.arrange(plan(meter, [before]), None).voicings[0]
    start = 3 * meter.bar_ticks
    ending = arranger.ending(start, last, previous, bars=bars)
    (voicing,) = ending.voicings
    length = bars * meter.bar_ticks
    assert {(n.tick, n.duration) for n in ending.notes} == {(start, length)}
    assert [n.note for n in ending.notes] == [voicing.bass, *voicing.notes]


@ALL_STYLES
@pytest.mark.parametrize("quality", [quality.name for quality in QUALITIES])
def test_an_open_chord_is_root_and_fifth_and_the_next_is_whole_again(style, quality):
    meter = parse_meter("4/4")
    chord = Chord(2, quality)
    first, second = plan(meter, [chord, chord])
    arrangement = Arranger(style, meter, 0).arrange(
        [Span(first.start, first.end, chord, is_open=True), second], None
    )
    unsure, sure = arrangement.voicings
    thirds = {(2 + third) % 12 for third in (3, 4)} & set(chord.pitch_classes)
    tones = {note % 12 for note in unsure.notes}
    assert 2 in tones | {unsure.bass % 12}
    assert len(tones | {2}) <= 2
    assert not tones & thirds
    assert thirds <= {note % 12 for note in sure.notes}


@given(styles, meters, progressions, st.sampled_from(["chords", "bass"]))
def test_a_part_that_the_soloist_plays_rests_and_the_other_is_as_ever(
    style, meter, progression, taken
):
    arranger = Arranger(style, meter, 0)
    spans = plan(meter, progression)
    both = arranger.arrange(spans, None).notes
    rest = arranger.arrange(left_to(spans, taken), None).notes
    assert rest == tuple(note for note in both if note.part != taken)


@given(styles, meters, progressions)
def test_who_plays_chords_and_bass_has_each_chord_held_with_him(
    style, meter, progression
):
    spans = left_to(plan(meter, progression), "bass", "chords")
    arrangement = Arranger(style, meter, 0).arrange(spans, None)
    held = [
        (span.start, span.end, note)
        for span, voicing in zip(spans, arrangement.voicings, strict=True)
        for note in voicing.notes
    ]
    found = [(note.tick, end(note), note.note) for note in arrangement.notes]
    assert found == held
    assert {note.part for note in arrangement.notes} <= {"chords"}


@given(styles, meters, sounding_chords)
def test_a_part_that_comes_back_begins_its_pattern_anew(style, meter, chord):
    arranger = Arranger(style, meter, 0)
    first, second = plan(meter, [chord, chord])
    anew = arranger.arrange([second], None).notes
    back = arranger.arrange([*left_to([first], "chords"), second], None).notes
    assert [note for note in back if note.tick >= second.start] == list(anew)


@given(styles, meters, sounding_chords, chords, st.data())
def test_a_mend_strikes_and_ties_nothing_of_a_part_that_rests(
    style, meter, old, new, data
):
    arranger = Arranger(style, meter, 0)
    spans = left_to(plan(meter, [old]), "bass")
    before = arranger.arrange(spans, None).voicings[-1]
    tick = data.draw(st.integers(spans[0].start + 1, spans[0].end - 1))
    rest = left_to([Span(tick, spans[0].end, new)], "bass")
    mended = arranger.arrange(rest, before, mended=True)
    assert {note.part for note in mended.notes} <= {"chords"}
