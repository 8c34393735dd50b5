"""The accompanist, with reports fed by hand: no core, no threads, no clock."""

import heapq
import random
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackcomp import duo
from jackcomp.accompanist import OPEN_CONFIDENCE, OPEN_THIRD, TempoSeen
from jackcomp.config import Settings
from jackcomp.decision import policy
from jackcomp.messages import (
    Cutoff,
    Part,
    Replace,
    Report,
    ReportKind,
    TempoChange,
)
from jackcomp.network import Network
from jackcomp.theory.chord import NO_CHORD
from jackcomp.theory.key import Key, parse_key
from jackcomp.theory.vocabulary import CHORDS
from jackcomp.timeline.clock import bpm_to_ns_per_quarter
from jackcomp.timeline.meter import parse_meter

RATE = 48_000
LEAD = 300
NS_PER_QUARTER = 500_000_000
FOUR = parse_meter("4/4")
BAR = FOUR.bar_ticks
ON, OFF, CONTROL = 0x90, 0x80, 0xB0
PEDAL = 64

MELODY = [
    *((0, 60), (1920, 64), (3840, 67), (5760, 72)),
    *((7680, 69), (9600, 65), (11_520, 72), (13_440, 69)),
    *((15_330, 71), (17_280, 74), (19_200, 67), (21_120, 65)),
    *((23_020, 64), (24_960, 67), (26_880, 72), (28_800, 67)),
]
"""C, F, G, C: ticks and notes of quarters, with two bar lines anticipated."""


@pytest.fixture(scope="module")
def models():
    return duo.load_models()


STRAIN = (60, 64, 67, 64, 65, 69, 72, 69, 67, 71, 74, 71, 72, 67, 64, 60) * 2


@pytest.fixture
def accompany(models):
    """Build an accompanist whose lead is `LEAD` ticks."""

    def build(meter=FOUR, mends=True, notes_to_come=None, explain=None, **values):
        # One tick is added to the lead, so that rounding never shortens it.
        frames = (LEAD - 1) * NS_PER_QUARTER * RATE // (1920 * 10**9)
        place = duo.Place(meter, NS_PER_QUARTER, RATE, frames)
        return duo.build_accompanist(
            Settings(**{"style": "block", "end_after": 0, "listen_beats": 1, **values}),
            place,
            fastest_ns_per_quarter=NS_PER_QUARTER,
            models=models,
            mends=mends,
            notes_to_come=notes_to_come,
            explain=explain,
        )

    return build


def report(kind, tick=0, generation=0, status=0, key=0, value=0):
    return Report(kind, tick, 0, generation, status, key, value, 0)


def notes(melody, length=1800):
    """Give what a keyboard sends for (tick, note) pairs."""
    sent = [(tick, ON, note, 80) for tick, note in melody]
    sent += [(tick + length, OFF, note, 0) for tick, note in melody]
    return sorted(sent)


@dataclass(frozen=True)
class Given:
    """An order, and the tick at which the accompanist gave it."""

    tick: int
    order: object


class Core:
    """Reports what the core would report, in its order, up to any tick.

    ``drops`` says by its number, from 0, whether a batch comes too late.
    """

    def __init__(self, accompanist, drops=lambda _number: False):
        self.accompanist = accompanist
        self.given: list[Given] = []
        self.plan: list[tuple[int, int, Part, int]] = []
        self._last: Replace | None = None
        self._repeated = 0
        self._drops = drops
        self._cutoffs: list[tuple[int, int]] = []
        self._batches = 0

    def start(self, tick=0):
        self._tell(tick, report(ReportKind.STARTED, tick, NS_PER_QUARTER))
        return self

    def play(self, messages=(), until=0):
        """Play a solo, cut-offs before the notes of the same tick."""
        waiting = list(messages)
        while True:
            next_note = waiting[0][0] if waiting else until
            if self._cutoffs and self._cutoffs[0][0] <= min(next_note, until):
                tick, number = heapq.heappop(self._cutoffs)
                self._tell(tick, report(ReportKind.CUTOFF, tick, number))
            elif waiting:
                tick, status, key, value = waiting.pop(0)
                midi = report(ReportKind.MIDI, tick, 0, status, key, value)
                self._tell(tick, midi)
            else:
                return self

    def tell(self, *reports):
        for one in reports:
            self._tell(one.tick, one)

    def _tell(self, tick, told):
        for order in self.accompanist.hear(told):
            self.given.append(Given(tick, order))
            if isinstance(order, Cutoff):
                heapq.heappush(self._cutoffs, (order.tick, order.generation))
            elif isinstance(order, Replace):
                self._receive(tick, order)

    def _receive(self, tick, batch):
        late = self._drops(self._batches)
        self._batches += 1
        if not late:
            self._apply(batch)
        kind = ReportKind.DROPPED if late else ReportKind.APPLIED
        assert self.accompanist.hear(report(kind, tick, batch.generation)) == []

    def batches(self):
        return [one for one in self.given if isinstance(one.order, Replace)]

    def _apply(self, batch):
        """Keep what sounds: start, end, part and key of all notes."""
        self.sound_until(batch.tick)
        ties = {
            (note.part, note.key): note.tick + note.duration
            for note in batch.notes
            if note.tie and note.tick == batch.tick
        }
        kept, tied = [], set()
        for start, end, part, key in self.plan:
            if start >= batch.tick:
                continue
            if batch.cut and end > batch.tick:
                end = ties.get((part, key), batch.tick)
                tied.add((part, key))
            kept.append((start, end, part, key))
        self.plan = kept + [
            (note.tick, note.tick + note.duration, note.part, note.key)
            for note in batch.notes
            if not (note.tie and (note.part, note.key) in tied)
        ]
        self._last, self._repeated = batch, 0

    def sound_until(self, tick):
        """Repeat the last bar where the plan has run out."""
        last = self._last
        while last and last.vamp and last.until + self._repeated * BAR < tick:
            self._repeated += 1
            self.plan += [
                (
                    note.tick + self._repeated * BAR,
                    note.tick + note.duration + self._repeated * BAR,
                    note.part,
                    note.key,
                )
                for note in last.notes
                if note.tick >= last.until - BAR
            ]


def cutoff_ticks(core):
    return [one.order.tick for one in core.given if isinstance(one.order, Cutoff)]


HALF_NOTE = (0, 480, 960, 1920, 2400, 2880, 2880)
THREE_QUARTERS = (0, 480, 960, 1920, 2400, 2880, 3840, 4320, 4800, 4800)


@pytest.mark.parametrize(
    ("meter", "moments"),
    [
        # The line, a sixteenth later, the eighths of a step, and the last of them
        # once more, to close it.
        ("4/4", (*HALF_NOTE, *(3840 + tick for tick in HALF_NOTE))),
        ("3/4", THREE_QUARTERS),
        ("6/8", (0, 480, 960, 1920, 2880, 3360, 3840, 4800, 4800)),
        ("2/4", HALF_NOTE),
        (
            "5/4",
            (*THREE_QUARTERS, *(5760 + tick for tick in HALF_NOTE)),
        ),
    ],
)
def test_cutoffs_are_exactly_the_lead_before_their_moments(accompany, meter, moments):
    meter = parse_meter(meter)
    bars = 12
    core = Core(accompany(meter)).start().play(until=bars * meter.bar_ticks)
    wanted = [bar * meter.bar_ticks + tick for bar in range(bars) for tick in moments]
    found = sorted(tick + LEAD for tick in cutoff_ticks(core))
    # The first line is too near for a cut-off before the start.
    assert found[: len(wanted) - 1] == wanted[1:]


@pytest.mark.parametrize(("bpm", "moments_of_a_bar"), [(125, 14), (126, 10)])
def test_nothing_is_mended_sooner_than_one_can_hear(accompany, bpm, moments_of_a_bar):
    core = Core(accompany())
    ns_per_quarter = bpm_to_ns_per_quarter(bpm)
    core.tell(report(ReportKind.STARTED, 0, ns_per_quarter))
    ticks = [tick for tick in cutoff_ticks(core) if BAR - 480 <= tick < 2 * BAR - 480]
    assert len(ticks) == moments_of_a_bar


def test_the_core_always_has_the_cutoffs_of_the_next_two_bars(accompany):
    core = Core(accompany()).start().play(until=20 * BAR)
    asked = {}
    for one in core.given:
        assert isinstance(one.order, Cutoff)
        assert one.order.tick >= one.tick
        asked[one.tick] = max(asked.get(one.tick, 0), one.order.tick)
    for (_, reach), (now, _) in pairwise(asked.items()):
        assert reach - now >= 2 * BAR


def test_an_upbeat_is_heard_and_nothing_is_decided_before_beat_one(accompany):
    melody = [(-3840, 67), (-1920, 67), *MELODY]
    core = Core(accompany()).start(-BAR).play(notes(melody), 4 * BAR)
    assert min(cutoff_ticks(core)) + LEAD == -BAR + 2880
    assert core.batches()[0].order.tick == 0


def test_orders_take_effect_no_earlier_than_the_lead(accompany):
    core = Core(accompany()).start().play(notes(MELODY), 6 * BAR)
    assert core.batches()
    assert {one.order.tick - one.tick for one in core.batches()} == {LEAD}
    assert all(one.order.deadline for one in core.batches())


def test_it_never_plays_before_a_note_was_heard(accompany):
    core = Core(accompany()).start().play(until=8 * BAR)
    assert not core.batches()
    assert not core.accompanist.is_playing
    assert core.accompanist.outlook is None
    first = 8 * BAR + 777
    core.play(notes([(first, 60)]), 12 * BAR)
    # It listens to a quarter first, and comes in at the next moment.
    assert core.batches()[0].order.tick == 8 * BAR + 3840
    assert core.accompanist.is_playing


def test_it_listens_until_it_is_sure_but_not_for_ever(accompany):
    unsure = [(i * 240, 60 + 5 * i % 12) for i in range(64)]
    entries = [
        Core(accompany(listen_beats=beats)).start().play(notes(unsure, 230), 6 * BAR)
        for beats in (0, 8)
    ]
    early, late = (core.batches()[0].order.tick for core in entries)
    # A line is at hand each half-bar; the first comes before anything was heard.
    assert early == 3840
    assert early < late <= 2 * BAR + 3840


def test_the_same_strain_is_recognised_and_only_if_that_is_wanted(models):
    strain = [(i * 960, note) for i, note in enumerate(STRAIN)]
    solo = notes(
        [(tick + k * 4 * BAR, note) for k in range(4) for tick, note in strain]
    )
    remembered = []
    place = duo.Place(FOUR, NS_PER_QUARTER, RATE, RATE // 20)
    for remembers in (True, False):
        told = []
        accompanist = duo.build_accompanist(
            Settings(style="block"),
            place,
            fastest_ns_per_quarter=NS_PER_QUARTER,
            models=models,
            remembers=remembers,
            explain=told.append,
        )
        Core(accompanist).start().play(sorted(solo), 16 * BAR)
        remembered.append([d.memory_step for d in told if d.tick > 13 * BAR])
    assert None not in remembered[0]
    assert set(remembered[1]) == {None}


A_FLAT = (44, 48, 51)  # in C


def hold(keys, start, end):
    return [
        event
        for key in keys
        for event in ((start, ON, key, 80), (end - 20, OFF, key, 0))
    ]


def chords_in(core, start, end):
    changes = [c for c in core.accompanist.changes if start <= c.tick < end]
    return [(c.tick, (c.chord.root, c.chord.quality)) for c in changes]


@pytest.mark.parametrize("beat", [0, 1, 2, 3])
def test_a_chord_in_the_left_hand_is_played_a_sixteenth_after_any_beat(accompany, beat):
    start = 2 * BAR + beat * 1920
    solo = sorted([*notes(MELODY), *hold(A_FLAT, start, start + 1920)])
    core = Core(accompany()).start().play(solo, 4 * BAR)
    assert chords_in(core, start, start + 481)[-1][1] == (8, "maj")


def test_a_chord_that_the_left_hand_holds_is_not_left_before_it_is(accompany):
    melody = notes([*MELODY, *((4 * BAR + tick, note) for tick, note in MELODY)])
    held = hold(A_FLAT, 2 * BAR, 4 * BAR)
    core = Core(accompany()).start().play(sorted([*melody, *held]), 5 * BAR)
    heard = chords_in(core, 2 * BAR, 4 * BAR)
    after = [chord for tick, chord in heard if tick >= 2 * BAR + 480]
    assert after == [(8, "maj")]


def test_chords_alone_are_played_in_their_own_key(accompany):
    """Nobody plays a melody: E A B E after eight bars of C, half bars with legato."""
    triads = [(52, 56, 59), (57, 61, 64), (59, 63, 66), (52, 56, 59)]
    solo = notes([*MELODY, *((4 * BAR + tick, note) for tick, note in MELODY)])
    for bar in range(8, 24):
        for half in (0, 3840):
            start = bar * BAR + half
            solo += hold(triads[bar % 4], start, start + 3840 + 40)
    core = Core(accompany()).start().play(sorted(solo), 25 * BAR)
    late = chords_in(core, 16 * BAR + 960, 24 * BAR)
    assert {root for _, (root, _) in late} == {4, 9, 11}
    assert core.accompanist.outlook.key == Key(4, "major")
    # What he holds is never contradicted, so a bar has one chord.
    assert len(late) <= 8


def test_chords_stay_below_the_melody_also_over_a_left_hand(accompany):
    solo = sorted([*notes(MELODY), *hold((36, 43, 48), BAR, 4 * BAR)])
    core = Core(accompany()).start().play(solo, 4 * BAR)
    lowest = min(note for _, note in MELODY)
    played = [
        note.key
        for one in core.batches()
        for note in one.order.notes
        if note.part is Part.CHORDS
    ]
    assert played
    assert max(played) < lowest


def test_the_pedal_alone_is_no_reason_to_play(accompany):
    pedal = [(100, CONTROL, PEDAL, 127), (5000, CONTROL, PEDAL, 0)]
    core = Core(accompany()).start().play(pedal, 4 * BAR)
    assert not core.batches()


@pytest.mark.parametrize("meter", ["4/4", "3/4", "7/8"])
def test_a_plan_reaches_two_bars_ahead_and_has_chord_and_bass_in_each(accompany, meter):
    meter = parse_meter(meter)
    core = Core(accompany(meter)).start().play(notes(MELODY), 8 * meter.bar_ticks)
    assert len(core.batches()) > 5
    for one in core.batches():
        batch = one.order
        assert batch.vamp
        assert batch.until - batch.tick >= 2 * meter.bar_ticks
        assert all(batch.tick <= note.tick < batch.until for note in batch.notes)
        ends = range(batch.until, batch.tick, -meter.bar_ticks)
        for start, end in pairwise(sorted([batch.tick, *ends])):
            parts = {note.part for note in batch.notes if start <= note.tick < end}
            is_whole_bar = end - start == meter.bar_ticks
            assert not is_whole_bar or parts == {Part.CHORDS, Part.BASS}


def test_chords_are_mended_inside_a_step_and_only_if_that_is_wanted(accompany):
    # F in the third bar, where nobody expects it, a little after the line.
    melody = [*MELODY[:8], (15_460, 77), (17_280, 81), (19_200, 77), (21_120, 84)]
    inside = {}
    for mends in (True, False):
        core = Core(accompany(mends=mends)).start().play(notes(melody), 4 * BAR)
        later = core.accompanist.changes[1:]
        inside[mends] = [change.tick for change in later if change.tick % 3840]
    assert inside[True]
    assert not inside[False]


def test_a_third_that_is_a_mere_guess_is_left_out(accompany):
    told = []
    core = Core(accompany(explain=told.append)).start()
    tune = [(tick, 58 + 7 * (tick // 3840 % 2)) for tick in range(0, 8 * BAR, 1920)]
    core.play(notes(tune), 8 * BAR)
    guessed = [
        decision
        for decision in told
        if decision.moment is policy.Moment.LINE
        and policy.confidence_in(decision.pooled, decision.after) >= OPEN_CONFIDENCE
        and policy.confidence_in_third(decision.pooled, decision.after) < OPEN_THIRD
    ]
    assert guessed
    for decision in guessed:
        root = CHORDS[decision.after].root
        sounding = {
            (key - root) % 12
            for start, end, part, key in core.plan
            if part is Part.CHORDS and start <= decision.tick < end
        }
        assert 7 in sounding
        assert not sounding & {3, 4}


def is_told(core, until):
    """Say whether at every eighth the chart names what the core would sound."""
    changes = core.accompanist.changes
    core.sound_until(until)
    for tick in range(480, until, 960):
        chord = NO_CHORD
        for change in changes:
            if change.tick <= tick:
                chord = change.chord
        keys = {
            key
            for start, end, part, key in core.plan
            if part is Part.CHORDS and start <= tick < end
        }
        if not {key % 12 for key in keys} <= set(chord.pitch_classes):
            return False
    return True


def test_the_chart_tells_what_sounds(accompany):
    core = Core(accompany()).start().play(notes(MELODY), 8 * BAR)
    assert len(core.accompanist.changes) > 3
    assert is_told(core, 8 * BAR)


def test_changes_that_were_taken_are_forgotten_but_for_the_last(accompany):
    whole = Core(accompany()).start().play(notes(MELODY), 8 * BAR)
    core = Core(accompany()).start()
    taken = []
    for bar in range(1, 9):
        now = range((bar - 1) * BAR, bar * BAR)
        core.play([note for note in notes(MELODY) if note[0] in now], now.stop)
        taken += core.accompanist.take_changes()
        assert len(core.accompanist.changes) <= 1
    assert taken == whole.accompanist.changes
    assert core.accompanist.take_changes() == []


class LossyCore(Core):
    """Loses a third of the cut-offs, as when the ring is full."""

    dice = random.Random(1)

    def _tell(self, tick, told):
        if told.kind is not ReportKind.CUTOFF or self.dice.random() > 1 / 3:
            super()._tell(tick, told)


def test_what_is_never_answered_is_not_waited_for_for_ever(accompany):
    core = LossyCore(accompany()).start()
    waiting = []
    for bar in range(1, 41):
        now = range((bar - 1) * BAR, bar * BAR)
        core.play([(tick, ON, 60 + bar % 12, 90) for tick in now[::1920]], now.stop)
        accompanist = core.accompanist
        waiting.append(len(accompanist._moments) + len(accompanist._sent))
    assert core.accompanist.outlook.tick > 38 * BAR
    assert max(waiting[20:]) < 1.1 * max(waiting[:20])


@settings(max_examples=20)
@given(dropped=st.sets(st.integers(0, 25), min_size=1))
@example(dropped=set(range(2, 30)))
def test_the_chart_tells_what_sounds_when_batches_come_too_late(models, dropped):
    place = duo.Place(FOUR, NS_PER_QUARTER, RATE, 0)
    accompanist = duo.build_accompanist(
        Settings(style="block", end_after=0),
        place,
        fastest_ns_per_quarter=NS_PER_QUARTER,
        models=models,
    )
    core = Core(accompanist, dropped.__contains__).start()
    core.play(notes(MELODY), 6 * BAR)
    assert is_told(core, 6 * BAR)
    labels = [change.chord for change in accompanist.changes]
    assert all(one != other for one, other in pairwise(labels))


def test_when_every_batch_is_dropped_nothing_is_said_to_sound(accompany):
    core = Core(accompany(), lambda _number: True).start()
    core.play(notes(MELODY), 6 * BAR)
    assert len(core.batches()) > 5
    assert core.accompanist.changes == []


def endings(core):
    """Give the batches after which the core does not go on by itself."""
    return [one.order for one in core.batches() if not one.order.vamp]


@pytest.mark.parametrize("bars", [1, 2, 4])
def test_it_ends_on_a_bar_line_after_so_many_bars_and_resumes(accompany, bars):
    core = Core(accompany(end_after=bars)).start()
    core.play(notes(MELODY[:8], 1900), 14 * BAR)
    ending, silence = endings(core)
    # The last note ends in the second bar.
    assert ending.tick == (2 + bars) * BAR
    assert {note.part for note in ending.notes} == {Part.CHORDS, Part.BASS}
    assert (silence.tick, silence.notes) == (ending.tick + BAR, ())
    assert core.accompanist.end_tick == silence.tick
    assert not core.accompanist.is_playing
    last = core.accompanist.changes[-1]
    assert (last.tick, last.chord) == (silence.tick, NO_CHORD)
    again = 14 * BAR + 100
    core.play(notes([(again, 67), (again + 1920, 71)]), 15 * BAR)
    assert core.accompanist.is_playing
    assert core.accompanist.end_tick is None
    resumed = core.batches()[-1].order
    assert again + 1920 <= resumed.tick
    assert core.accompanist.changes[-1].chord != NO_CHORD


@pytest.mark.parametrize("bars", [0.5, 1])
def test_who_plays_on_at_the_end_is_not_held_up_by_its_last_chord(accompany, bars):
    """He comes back while it rings, or exactly when it is over."""
    core = Core(accompany(end_after=1, listen_beats=0)).start()
    core.play(notes(MELODY[:8], 1900), 3 * BAR - LEAD)
    (ending,) = endings(core)
    assert ending.tick == 3 * BAR
    back = round((3 + bars) * BAR)
    again = [(back - 1920, 62), (back, 65), (back + 1920, 69)]
    core.play(notes(again), back + BAR)
    first = next(one.order for one in core.batches() if one.order.tick > ending.tick)
    assert first.tick == back
    assert first.notes
    assert not [one for one in core.plan if one[0] < back < one[1]]
    ticks = [change.tick for change in core.accompanist.changes]
    assert ticks == sorted(set(ticks))
    assert all(change.chord != NO_CHORD for change in core.accompanist.changes)


def test_the_ear_keeps_up_while_nobody_plays(accompany, monkeypatch):
    runs = []
    run = Network.run
    monkeypatch.setattr(
        Network, "run", lambda self, given: runs.append(self) or run(self, given)
    )
    core = Core(accompany(end_after=1)).start()
    core.play(notes(MELODY[:8]), 60 * BAR)
    assert not core.accompanist.is_playing
    before = len(runs)
    again = [(60 * BAR + n * 960, 60 + n % 5) for n in range(16)]
    core.play(notes(again), 61 * BAR)
    assert core.accompanist.is_playing
    assert len(runs) - before < 40


@pytest.mark.parametrize("upbeat", [(), ((-1920, 67),)])
@pytest.mark.parametrize("pressed", [4 * BAR + 2000, 5 * BAR - 100, 5 * BAR + 900])
def test_a_pedal_says_again_from_the_top(accompany, pressed, upbeat):
    decisions = []
    told = accompany(top_pedal="soft", explain=decisions.append)
    otherwise = [(4 * BAR + tick, 66) for tick in range(0, 2 * BAR, 1920)]
    pedal = [(pressed, CONTROL, 67, 127), (pressed + 500, CONTROL, 67, 0)]
    solo = sorted([*notes([*upbeat, *MELODY, *otherwise]), *pedal])
    Core(told).start(-BAR if upbeat else 0).play(solo, 6 * BAR)
    remembered = {one.tick: one.memory_step for one in decisions}
    assert remembered[5 * BAR + 1920] == 0
    assert remembered[5 * BAR + 3840] == 1


def test_the_form_may_begin_again_as_often_as_he_likes(accompany, monkeypatch):
    monkeypatch.setattr("jackcomp.decision.form.CAPACITY", 20)  # ten bars
    decisions = []
    told = accompany(top_pedal="soft", explain=decisions.append)
    solo = []
    for chorus in range(5):
        start = chorus * 4 * BAR
        solo += notes([(start + tick, note) for tick, note in MELODY])
        solo += [(start + 400, CONTROL, 67, 127), (start + 600, CONTROL, 67, 0)]
    Core(told).start().play(sorted(solo), 18 * BAR)
    remembered = {one.tick: one.memory_step for one in decisions}
    assert remembered[16 * BAR + 1920] == 24


def test_the_top_of_what_comes_after_an_ending_is_its_own(accompany):
    decisions = []
    told = accompany(top_pedal="soft", end_after=1, explain=decisions.append)
    other = [(8 * BAR + tick, note + 1) for tick, note in MELODY]
    last = [(12 * BAR + tick, 66) for tick in range(0, 2 * BAR, 1920)]
    pedal = [(12 * BAR + 500, CONTROL, 67, 127), (12 * BAR + 900, CONTROL, 67, 0)]
    solo = sorted([*notes([*MELODY, *other, *last]), *pedal])
    core = Core(told).start().play(solo, 14 * BAR)
    assert len(endings(core)) == 2  # the chord, and silence
    remembered = {one.tick: one.memory_step for one in decisions}
    assert remembered[12 * BAR + 1920] == 16
    assert remembered[13 * BAR + 1920] == 18


def strokes_in(core, part, bar):
    """Count how often a part strikes in a bar, 0 is the first."""
    ticks = {start for start, _, name, _ in core.plan if name is part}
    return sum(tick // BAR == bar for tick in ticks)


def test_it_plays_thinly_while_he_rests_until_he_plays_again(accompany):
    melody = notes(MELODY[:8], 1900)  # they end in the second bar
    again = notes([(7 * BAR + 400, 67), (7 * BAR + 2300, 71)])
    core = Core(accompany(style="pop", thin_after=2)).start()
    core.play([*melody, *again], 9 * BAR)
    for part in (Part.CHORDS, Part.BASS):
        assert strokes_in(core, part, 5) == strokes_in(core, part, 6) == 2
        assert strokes_in(core, part, 2) > 2
        assert strokes_in(core, part, 8) > 2


@pytest.mark.parametrize("bars", [0, 6])
def test_it_thins_no_sooner_than_is_asked(accompany, bars):
    core = Core(accompany(style="pop", thin_after=bars)).start()
    core.play(notes(MELODY[:8], 1900), 7 * BAR)
    for part in (Part.CHORDS, Part.BASS):
        assert strokes_in(core, part, 5) > 2


CHORD = [(tick, note) for tick in range(0, 4 * BAR, BAR) for note in (60, 64, 67)]
BASS = [(tick, 36) for tick in range(0, 4 * BAR, BAR // 2)]
RIGHT = [(tick, 79 + n % 2) for n, tick in enumerate(range(40, 8 * BAR, 1920))]


@pytest.mark.parametrize(
    ("hand", "chords", "bass"),
    [(CHORD, 0, 1), (BASS, 1, 0), ([*CHORD, *BASS], 1, 0), ([], 1, 1)],
)
def test_what_the_left_hand_plays_is_left_to_it(accompany, hand, chords, bass):
    """From the second time on; its parts come back when it has stopped for a bar."""
    played = sorted([*notes(RIGHT), *notes(hand, 3600)])
    core = Core(accompany(style="pop", key=parse_key("C"))).start()
    core.play(played, 8 * BAR)
    for bar in (2, 3):
        assert bool(strokes_in(core, Part.CHORDS, bar)) is bool(chords)
        assert bool(strokes_in(core, Part.BASS, bar)) is bool(bass)
    for bar in (6, 7):
        assert strokes_in(core, Part.CHORDS, bar)
        assert strokes_in(core, Part.BASS, bar)


FIGURES = ((48, 55, 52, 55), (48, 57, 53, 57), (50, 55, 53, 55), (48, 55, 52, 55))
ALBERTI = [
    (bar * BAR + 960 * eighth, FIGURES[bar % 4][eighth % 4])
    for bar in range(9)
    for eighth in range(8)
]
WIDE = [(bar * BAR, note) for bar in range(0, 9, 2) for note in (48, 52, 55)]


@pytest.mark.parametrize(("hand", "length"), [(ALBERTI, 900), (WIDE, 2 * BAR - 700)])
def test_a_steady_left_hand_is_left_alone_steadily(accompany, hand, length):
    right = [(40 + 1920 * n, 79 + n % 2) for n in range(36)]
    played = sorted([*notes(right), *notes(hand, length)])
    core = Core(accompany(style="pop", key=parse_key("C"), split=60)).start()
    core.play(played, 9 * BAR)
    for bar in range(3, 9):
        assert not strokes_in(core, Part.CHORDS, bar)
        assert strokes_in(core, Part.BASS, bar)


def test_who_plays_everything_himself_hears_chords_that_are_held(accompany):
    played = sorted([*notes(RIGHT), *notes([*CHORD, *BASS], 3600)])
    core = Core(accompany(style="pop", key=parse_key("C"))).start()
    core.play(played, 8 * BAR)
    assert strokes_in(core, Part.CHORDS, 3) == 2
    assert strokes_in(core, Part.CHORDS, 7) > 2


def test_a_held_note_is_no_rest(accompany):
    held = [*notes(MELODY[:8], 1900), (2 * BAR, ON, 62, 80)]
    core = Core(accompany(style="pop", thin_after=2)).start().play(held, 7 * BAR)
    assert strokes_in(core, Part.CHORDS, 5) > 2


def test_what_the_pedal_holds_is_no_rest(accompany):
    played = notes(MELODY[:8], 1900)
    pedal = [(2 * BAR - 200, CONTROL, PEDAL, 127), (6 * BAR, CONTROL, PEDAL, 0)]
    core = Core(accompany(style="pop", thin_after=2)).start()
    core.play(sorted([*played, *pedal]), 10 * BAR)
    assert strokes_in(core, Part.CHORDS, 5) > 2
    assert strokes_in(core, Part.CHORDS, 9) == 2


def test_it_goes_on_for_ever_with_end_after_0(accompany):
    core = Core(accompany(end_after=0)).start().play(notes(MELODY), 40 * BAR)
    assert not endings(core)
    assert core.batches()[-1].order.until > 42 * BAR


def test_a_held_last_note_of_the_tonic_ends_with_us(accompany):
    held = [*notes(MELODY), (4 * BAR, ON, 60, 80)]
    core = Core(accompany(end_after=2, key=parse_key("C"))).start().play(held, 8 * BAR)
    (ending, *_) = endings(core)
    assert ending.tick == 6 * BAR
    assert not core.accompanist.is_playing


def test_who_holds_the_tonic_need_not_wait_as_long_as_who_rests(accompany):
    held = [*notes(MELODY), (4 * BAR, ON, 60, 80)]
    core = Core(accompany(end_after=6, key=parse_key("C"))).start().play(held, 8 * BAR)
    (ending, *_) = endings(core)
    assert ending.tick == 6 * BAR


@pytest.mark.parametrize(("chord", "ends"), [((48, 60, 64, 67), 6), ((48, 60, 62), 12)])
def test_a_tonic_that_the_pedal_holds_ends_as_if_by_keys(accompany, chord, ends):
    """Any other chord fades under the pedal, and he rests."""
    last = [(4 * BAR, note) for note in chord]
    pedal = [(4 * BAR + 100, CONTROL, PEDAL, 127)]
    # A foot that rests on its pedal is never quite still.
    pedal += [(tick, CONTROL, PEDAL, 120) for tick in range(5 * BAR, 9 * BAR, 960)]
    played = sorted([*notes(MELODY), *notes(last, 700), *pedal])
    core = Core(accompany(end_after=8, key=parse_key("C"))).start()
    core.play(played, 14 * BAR)
    # The keys are up within the fifth bar, which is no news: the pedal has them.
    assert endings(core)[0].tick == ends * BAR


TONIC = (48, 60, 64)


@pytest.mark.parametrize("pedal", [False, True])
@pytest.mark.parametrize(
    ("released", "silent"),
    [
        (9 * BAR + 777, 9 * BAR + 777 + LEAD),
        (6 * BAR + 3840, 6 * BAR + 3840 + LEAD),
        # Within half a bar it has its bar, and it has no more than eight.
        (6 * BAR - LEAD + 10, 7 * BAR),
        (6 * BAR + 3839, 7 * BAR),
        (20 * BAR, 14 * BAR),
    ],
)
def test_the_last_chord_is_released_with_his(accompany, released, silent, pedal):
    last = [(4 * BAR - 100, ON, note, 80) for note in TONIC]
    if pedal:
        last += [(4 * BAR - 100, CONTROL, PEDAL, 127), (released, CONTROL, PEDAL, 0)]
    keys_up = 4 * BAR - 20 if pedal else released
    last += [(keys_up, OFF, note, 0) for note in TONIC]
    core = Core(accompany(key=parse_key("C"), end_after=8)).start()
    core.play(sorted([*notes(MELODY), *last]), 22 * BAR)
    assert endings(core)[0].tick == 6 * BAR
    held = [end for start, end, *_ in core.plan if start == 6 * BAR]
    assert set(held) == {silent}
    assert max(end for _, end, *_ in core.plan) == silent
    change = core.accompanist.changes[-1]
    assert (change.tick, change.chord) == (silent, NO_CHORD)
    assert core.accompanist.end_tick == silent


def test_in_a_bar_as_short_as_the_lead_the_last_chord_is_released_too(accompany):
    bar = parse_meter("1/16").bar_ticks
    held = [(4 * BAR, ON, note, 80) for note in TONIC]
    ends = 4 * BAR + 2 * bar
    up = [(ends + bar // 2 - 10, OFF, note, 0) for note in TONIC]
    playing = accompany(parse_meter("1/16"), key=parse_key("C"), end_after=64)
    core = Core(playing).start()
    core.play(sorted([*notes(MELODY, 100), *held, *up]), ends + 20 * bar)
    assert endings(core)[0].tick == ends
    assert playing.end_tick == ends + bar // 2 - 10 + LEAD
    assert max(end for _, end, *_ in core.plan) == playing.end_tick


def test_who_plays_on_under_the_fermata_is_played_along_with(accompany):
    last = [(4 * BAR, ON, note, 80) for note in TONIC]
    again = notes([(8 * BAR + 960 * n, 60 + n % 5) for n in range(16)], 900)
    up = [(10 * BAR + 50, OFF, note, 0) for note in TONIC]
    core = Core(accompany(key=parse_key("C"), end_after=8)).start()
    core.play([*notes(MELODY), *last, *again, *up], 11 * BAR)
    assert core.accompanist.is_playing
    assert len(endings(core)) == 1
    entry = next(one.order for one in core.batches() if one.order.tick > 6 * BAR)
    struck = [end for start, end, *_ in core.plan if start == 6 * BAR]
    assert set(struck) == {entry.tick}


def test_a_keyboard_that_went_lets_go_of_the_last_chord(accompany):
    last = [(4 * BAR, ON, note, 80) for note in TONIC]
    core = Core(accompany(key=parse_key("C"), end_after=8)).start()
    core.play([*notes(MELODY), *last], 7 * BAR)
    core.tell(report(ReportKind.LOST, 7 * BAR))
    assert max(end for _, end, *_ in core.plan) == 7 * BAR + LEAD


@pytest.mark.parametrize(
    ("key", "chord", "ends"),
    [
        ("C", (48, 64, 71), True),
        ("C", (48, 64, 67, 69), True),
        ("C", (53, 57, 60, 64), False),
        ("Am", (57, 60, 64, 67), True),
        ("Cm", (48, 63, 67, 70), True),
    ],
)
def test_a_tonic_with_colours_ends_and_another_seventh_chord_does_not(
    accompany, key, chord, ends
):
    last = [(4 * BAR, ON, note, 80) for note in chord]
    core = Core(accompany(end_after=8, key=parse_key(key))).start()
    core.play([*notes(MELODY), *last], 14 * BAR)
    assert [ending.tick for ending in endings(core)][:1] == [6 * BAR] * ends


def test_when_all_notes_have_come_it_ends_on_the_next_line(accompany):
    count = len(MELODY)
    melody = notes(MELODY, 1900)  # they end in the fourth bar
    for come, bars in ((count, 4), (count + 1, 10)):
        playing = accompany(end_after=6, notes_to_come=come)
        core = Core(playing).start().play(melody, 12 * BAR)
        assert endings(core)[0].tick == bars * BAR


@pytest.mark.parametrize("note", [60, 62])
def test_a_note_that_is_held_from_the_beginning_is_no_end(accompany, note):
    core = Core(accompany(end_after=8)).start().play([(0, ON, note, 80)], 20 * BAR)
    assert not endings(core)
    assert core.accompanist.is_playing


def test_no_song_ends_in_a_key_that_is_a_mere_guess(accompany):
    chromatic = (60, 66, 62, 68, 64, 70, 61, 67)
    melody = [(960 * place, note) for place, note in enumerate(chromatic)]
    for key, ends in ((parse_key("C"), True), (None, False)):
        held = [*notes(melody, 900), (BAR, ON, 60, 80)]
        core = Core(accompany(end_after=8, key=key)).start().play(held, 6 * BAR)
        assert bool(endings(core)) is ends
        assert ends or core.accompanist._key_probability < 0.5


def test_any_other_held_note_is_no_silence_but_a_lost_note_off_is(accompany):
    held = [(0, ON, 62, 80), (1920, ON, 64, 80), (3840, OFF, 64, 0)]
    playing = accompany(end_after=2, key=parse_key("C"))
    core = Core(playing).start().play(held, 10 * BAR)
    assert not endings(core)
    core.tell(report(ReportKind.LOST, 10 * BAR))
    core.play(until=11 * BAR)
    assert endings(core)


def test_a_stopped_clock_is_a_new_song(accompany):
    def generations_aside(given_):
        numbers = Counter(type(one.order) for one in given_)
        orders = [replace(one.order, generation=0) for one in given_]
        return numbers, orders

    core = Core(accompany()).start().play(notes(MELODY), 4 * BAR)
    first = list(core.given)
    core.tell(report(ReportKind.STOPPED, None))
    core._cutoffs.clear()
    assert not core.accompanist.is_playing
    core.given.clear()
    core.start().play(notes(MELODY), 4 * BAR)
    assert generations_aside(core.given) == generations_aside(first)


def test_a_cutoff_or_receipt_of_another_song_means_nothing(accompany):
    core = Core(accompany()).start().play(notes(MELODY), 2 * BAR)
    before = len(core.given), len(core.accompanist.changes)
    for kind in (ReportKind.CUTOFF, ReportKind.APPLIED, ReportKind.DROPPED):
        core.tell(report(kind, 2 * BAR, 99_999))
    assert (len(core.given), len(core.accompanist.changes)) == before


keyboards = st.lists(
    st.tuples(
        st.integers(0, 4 * BAR),
        st.sampled_from((ON, ON, ON, OFF, CONTROL)),
        st.integers(40, 90),
        st.integers(1, 127),
    ),
    max_size=30,
).map(sorted)


def orders_of(models, played, seed=0):
    accompanist = duo.build_accompanist(
        Settings(style="ballad", seed=seed, end_after=1),
        duo.Place(FOUR, NS_PER_QUARTER, RATE, 2160),
        fastest_ns_per_quarter=NS_PER_QUARTER,
        models=models,
    )
    return Core(accompanist).start().play(played, 5 * BAR).given


@settings(max_examples=10)
@given(played=keyboards, seed=st.integers(0, 5))
def test_the_same_reports_give_the_same_orders(models, played, seed):
    assert orders_of(models, played, seed) == orders_of(models, played, seed)


@settings(max_examples=10)
@given(played=keyboards, other=keyboards, tick=st.integers(0, 4 * BAR))
def test_what_comes_later_changes_no_order(models, played, other, tick):
    start = [message for message in played if message[0] < tick]
    rest = [message for message in other if message[0] >= tick]
    first = [one for one in orders_of(models, played) if one.tick <= tick]
    second = [one for one in orders_of(models, start + rest) if one.tick <= tick]
    assert first == second


@pytest.mark.parametrize(("share", "lead"), [(2, LEAD), (1, LEAD), (0.5, 2 * LEAD)])
def test_the_lead_lasts_as_long_at_the_tempo_of_a_clock_from_outside(
    accompany, share, lead
):
    core = Core(accompany()).start()
    # Beyond what was asked for at the start.
    core.tell(report(ReportKind.TEMPO, 1, round(share * NS_PER_QUARTER)))
    core.play(until=12 * BAR)
    late = [given.order for given in core.given if given.tick > 2 * BAR]
    ticks = {order.tick for order in late if isinstance(order, Cutoff)}
    assert 16 * BAR - lead in ticks
    ns_per_quarter = round(share * NS_PER_QUARTER)
    first, *others = core.accompanist.take_tempos()
    assert (first.begins, others) == (
        True,
        [TempoSeen(1, ns_per_quarter, begins=False)],
    )
    assert core.accompanist.take_tempos() == []


class FakePacer:
    """A pacer that says what it is told to say."""

    lead_ticks = 500
    ns_per_quarter = NS_PER_QUARTER

    def __init__(self, orders=(), *, is_settled=True, is_counted_in=True, seeks=False):
        self.orders = list(orders)
        self.is_settled = is_settled
        self.wound_to = 0
        self.seeks = seeks
        self.is_counted_in = is_counted_in
        self.heard = []

    def begin(self, tick, frame):
        self.heard.append(("begin", tick, frame))

    def hear(self, midi, tick):
        self.heard.append((midi.status, midi.key, tick))
        return self.orders

    def place_of(self, _frame, tick):
        return tick

    def rest(self):
        self.heard.append("rest")


@pytest.fixture
def paced(accompany):
    def build(pacer, **values):
        accompanist = accompany(**values)
        accompanist.pacer = pacer
        return accompanist

    return build


def test_the_pacer_hears_everything_and_its_orders_are_passed_on(paced):
    pacer = FakePacer([TempoChange(9000, 400_000_000)])
    core = Core(paced(pacer)).start(-BAR)
    core.play([(0, ON, 60, 80), (10, CONTROL, 67, 127), (20, OFF, 60, 0)], 100)
    assert pacer.heard == [
        ("begin", -BAR, 0),
        (ON, 60, 0),
        (CONTROL, 67, 10),
        (OFF, 60, 20),
    ]
    tempi = [one for one in core.given if isinstance(one.order, TempoChange)]
    assert [one.tick for one in tempi] == [0, 10, 20]


def test_a_tap_is_for_the_pacer_alone_and_nothing_while_the_clock_stands(paced):
    pacer = FakePacer([TempoChange(9000, 400_000_000)])
    accompanist = paced(pacer)
    tap = Report(ReportKind.TAP, None, 5, 0, 0, 0, 0, 0)
    assert accompanist.hear(tap) == []
    assert accompanist.hear(replace(tap, tick=7)) == pacer.orders
    assert pacer.heard == [(0, 0, 7)]


def test_it_does_not_come_in_before_the_tempo_is_found(paced):
    pacer = FakePacer(is_settled=False)
    core = Core(paced(pacer)).start().play(notes(MELODY), 3 * BAR)
    assert core.batches() == []
    pacer.is_settled = True
    core.play(until=5 * BAR)
    assert core.batches()


@pytest.mark.parametrize(("bpm", "is_mended"), [(100, True), (160, False)])
def test_what_is_a_flam_is_told_by_the_tempo_of_the_pacer(paced, bpm, is_mended):
    pacer = FakePacer()
    pacer.ns_per_quarter = round(60e9 / bpm)
    core = Core(paced(pacer)).start()
    ticks = {one.order.tick for one in core.given}
    assert (3840 + 480 - pacer.lead_ticks in ticks) is is_mended


@pytest.mark.parametrize("seeks", [False, True])
def test_it_comes_in_on_a_bar_line_where_nothing_was_clicked(paced, seeks):
    pacer = FakePacer(is_settled=False, seeks=seeks)
    core = Core(paced(pacer, listen_beats=0)).start()
    core.play(notes(MELODY), 2 * BAR + BAR // 4)
    pacer.is_settled = True
    core.play(until=5 * BAR)
    first = core.batches()[0].order.tick
    assert first == (3 * BAR if seeks else 2 * BAR + BAR // 2)


def test_it_does_not_come_in_where_the_clock_is_wound_past(paced):
    pacer = FakePacer(seeks=True)
    pacer.wound_to = 2 * BAR + 1
    core = Core(paced(pacer)).start().play(notes(MELODY), 6 * BAR)
    assert core.batches()[0].order.tick == 3 * BAR


def test_taps_are_no_music(paced):
    core = Core(paced(FakePacer(is_counted_in=False))).start()
    core.play(notes(MELODY[:8]), 4 * BAR)
    assert core.batches() == []


def test_another_pedal_is_no_sustain_and_no_sign_of_life(paced):
    quiet = Core(paced(FakePacer(), end_after=1)).start()
    tapped = Core(paced(FakePacer(), end_after=1)).start()
    taps = [(2 * BAR + n * 480, CONTROL, 67, 127) for n in range(16)]
    quiet.play(notes(MELODY[:4]), 5 * BAR)
    tapped.play(sorted(notes(MELODY[:4]) + taps), 5 * BAR)
    assert [one.order for one in tapped.batches()] == [
        one.order for one in quiet.batches()
    ]


def test_with_a_pacer_cutoffs_are_asked_for_a_bar_ahead_with_its_lead(paced):
    core = Core(paced(FakePacer())).start()
    ticks = [one.order.tick for one in core.given]
    assert BAR - 500 <= max(ticks) < 2 * BAR
    assert BAR - 500 in ticks


def test_the_pacer_is_told_when_the_band_has_ended(paced):
    pacer = FakePacer()
    core = Core(paced(pacer, end_after=1)).start()
    core.play(notes(MELODY[:4], 1900), 3 * BAR - 600)
    assert endings(core)
    assert "rest" not in pacer.heard
    core.play(until=20 * BAR)
    assert pacer.heard.count("rest") == 1


def test_who_plays_on_before_silence_begins_no_other_song(paced):
    pacer = FakePacer()
    core = Core(paced(pacer, end_after=1)).start()
    core.play(notes([*MELODY[:4], (2 * BAR + 6500, 60)], 900), 3 * BAR + 100)
    assert len(endings(core)) == 2
    assert "rest" not in pacer.heard


def test_a_song_that_begins_anew_is_heard_where_it_will_be(paced):
    """The clock is wound on by a bar and a half after its first note."""
    pacer = FakePacer()
    core = Core(paced(pacer, end_after=1, listen_beats=0)).start()
    core.play(notes(MELODY[:4], 1900), 9 * BAR)
    first = 9 * BAR + 700
    pacer.place_of = lambda _frame, tick: max(tick, 11 * BAR)
    core.play([(first, ON, 60, 80)], 13 * BAR)
    entry = next(one.order for one in core.batches() if one.order.tick > 3 * BAR)
    assert entry.tick == 11 * BAR + BAR // 2
