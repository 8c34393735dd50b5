"""One step of thinking: reports of the core in, orders to the core out. No threads.

The worker (live) and the offline host feed the same object, report by report, so
both make the same music. Things are decided at *moments*: on the line of every grid
step, a sixteenth after it and at each eighth of its first half, where a chord may still
be mended, at the eighths of its second half and a sixteenth after each beat, where
only the left hand changes one, and an eighth before its end, when the brain is told
what the step was, so that its answer is there before the next line. Further ahead it
looks in the background (`ponder`). For a moment at tick T the core is asked for a
cut-off at T minus the lead; what it reports before that cut-off is what the decision
knows, and nothing else.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from jackcomp.arranger.arrange import Arrangement, Arranger, Span
from jackcomp.arranger.voicing import Voicing
from jackcomp.arrays import Distribution
from jackcomp.brain.song import SongBrain
from jackcomp.decision import fusion, policy
from jackcomp.decision.form import NO_RECOLLECTION, FormMemory, Recollection
from jackcomp.decision.policy import Decision
from jackcomp.ear.listen import Ear, Heard
from jackcomp.foresight import Foresight
from jackcomp.messages import (
    Cutoff,
    Order,
    Part,
    PlannedNote,
    Replace,
    Report,
    ReportKind,
)
from jackcomp.pacing import DOWN, Pacer
from jackcomp.theory.chord import NO_CHORD, Chord
from jackcomp.theory.key import Key, key_index, sounds_final
from jackcomp.theory.vocabulary import CHORDS, chord_index
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter, step_at, step_start

SIXTEENTH_TICKS, EIGHTH_TICKS = 480, 960

SOONEST_MEND_SECONDS = 0.12
"""Nobody corrects himself sooner: two strokes would be one, with a flam."""

PLAN_BARS = 3
"""A plan reaches this far, so that two bars are always scheduled ahead."""

CUTOFFS_AHEAD = 16
"""Grid steps whose cut-offs the core already has; a bar of them with a pacer."""

DEFAULT_LISTEN_BEATS = 8
"""How long it listens, at most, before it comes in."""

OPEN_CONFIDENCE = 0.2
"""A chord that is less likely than this is played without third and seventh."""

OPEN_THIRD = 0.6
"""And one whose third is no likelier than this, should its root be right."""

ENTER_CONFIDENCE = 0.15
"""How likely a chord is when it is sure enough to come in earlier."""

LISTEN_TICKS = 1920
"""How long it listens to the first note of a phrase, at least, before it comes in."""

CLOSING_BARS = 2
"""Who holds a last note of the tonic for so many bars wants to end together."""

FERMATA_BARS = 8
"""The last chord is held no longer than this, as long as he holds his."""

CLOSING_NOTES, CLOSING_PROBABILITY = 8, 0.5
"""So many notes have come, and so likely is the key, before a note may be the last."""

SUSTAIN = 64

Weigh: TypeAlias = Callable[[float, float, float], fusion.PoolWeights]

_PARTS = (Part.CHORDS, Part.BASS)


class Point(Enum):
    """What a moment is for."""

    LINE = "line"
    MEND = "mend"
    LATE = "late"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is decided: the grid step, and where the answer takes effect.

    All in ticks; ``tick`` is ``start`` on the line and later otherwise.
    """

    point: Point
    step: int
    start: int
    end: int
    tick: int
    cutoff: int


@dataclass(frozen=True, slots=True)
class ChordChange:
    """From ``tick`` on ``chord`` sounds, in what is heard as ``key``."""

    tick: int
    chord: Chord
    key: Key


@dataclass(frozen=True, slots=True)
class TempoSeen:
    """From ``tick`` on the core's clock goes at this tempo; there it may begin."""

    tick: int
    ns_per_quarter: int
    begins: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is shown: what sounds, and what will probably come."""

    tick: int
    chord: Chord
    key: Key
    key_probability: float
    ahead: tuple[tuple[Chord, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Belief:
    """What is made of a step: heard and foreseen, remembered, and all together."""

    heard: Heard
    pooled: Distribution
    recalled: Recollection
    chords: Distribution


@dataclass(frozen=True, slots=True)
class _Sounding:
    """A chord of the plan as it is voiced, over [start, end)."""

    start: int
    end: int
    chord: Chord
    voicing: Voicing | None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch that waits for its receipt: what it plans, and the key heard then."""

    plan: list[_Sounding]
    key: Key


class Accompanist:
    """Listens, looks ahead, decides, and says what to play.

    Parameters
    ----------
    ear, brain, arranger
        The rooms; the ear has the key if it was given.
    meter : Meter
        Bars and grid steps, constant.
    lead_ticks : int
        Distance from a cut-off to the moment that it decides; may be set anew, for
        moments whose cut-offs are still to be asked for.
    fastest_ns_per_quarter : int
        The tempo at which the lead was counted.
    ai_weight : float
        0 listens to the counted tables alone, 1 to the brain alone; it may be set
        anew, and so may the arranger, between two reports.
    thin_after_bars : int
        After so many bars without a note it plays no more than is needed; 0 never.
    end_after_bars : int
        After so many bars without a note it ends; 0 never.
    pacer : Pacer, optional
        Steers the clock after the soloist; without it the tempo is not ours.
    mends : bool
        Whether a chord may change inside its grid step.
    remembers : bool
        Whether it recognises what comes round.
    calm : bool
        Whether it changes chords less readily.
    listen_beats : int
        How long it listens, at most, until it is sure enough to come in.
    top_pedal : int or None
        The controller whose press says that the form begins again.
    notes_to_come : int or None
        How many notes the solo has, if that is known: when all have come it ends on
        the next bar line, unless a last note is held that cannot be the end.
    plan_bars : int
        How far a plan reaches.
    weigh : callable
        Gives the weights of the pool, as `fusion.weights_for`.
    explain : callable, optional
        Is given every decision.
    """

    def __init__(
        self,
        ear: Ear,
        brain: SongBrain,
        arranger: Arranger,
        meter: Meter,
        *,
        lead_ticks: int,
        fastest_ns_per_quarter: int,
        ai_weight: float,
        thin_after_bars: int,
        end_after_bars: int,
        pacer: Pacer | None = None,
        mends: bool = True,
        remembers: bool = True,
        calm: bool = False,
        listen_beats: int = DEFAULT_LISTEN_BEATS,
        top_pedal: int | None = None,
        notes_to_come: int | None = None,
        plan_bars: int = PLAN_BARS,
        weigh: Weigh = fusion.weights_for,
        explain: Callable[[Decision], None] | None = None,
    ) -> None:
        self._ear = ear
        self._plan_steps = plan_bars * len(meter.steps)
        self._foresight = Foresight(brain, meter, self._plan_steps)
        self._memory = FormMemory(meter)
        self.arranger = arranger
        self._meter = meter
        self.lead_ticks = lead_ticks
        self._fastest_ns = fastest_ns_per_quarter
        self.ai_weight = ai_weight
        self._thin_after_bars = thin_after_bars
        self._end_after_bars = end_after_bars
        self.pacer = pacer
        self._mends = mends
        self._remembers = remembers
        self._manner = policy.CALM if calm else policy.READY
        self._listen_ticks = listen_beats * meter.beat_ticks
        self._top_pedal = top_pedal
        self._notes_to_come = notes_to_come
        self._weigh = weigh
        self._explain = explain
        self._generation = 0
        self.changes: list[ChordChange] = []
        self._ns_per_quarter: int | None = None
        self._tempos: list[TempoSeen] = []
        self._taken = 0
        self.outlook: Outlook | None = None
        self._reset(0)

    def _reset(self, tick: int) -> None:
        """Forget the song; the next report is at ``tick``."""
        self._ear.reset()
        self._next_step = step_at(self._meter, tick)[0]
        self._foresight.reset(self._next_step)
        self._memory.reset()
        self._moments: dict[int, Moment] = {}
        self._sent: dict[int, _Sent] = {}
        self._plan: list[_Sounding] = []
        self._now: _Sounding | None = None
        self._key: Key | None = None
        self._key_probability = 0.0
        self._phrase_notes = 0
        self._is_thin = False
        self._left_parts: dict[str, int] = {}
        self._top: int | None = None
        self._solo: deque[tuple[int, int, int]] = deque()
        self._first_heard: int | None = None
        self._last_heard = tick
        self._fermata: int | None = None
        self.end_tick: int | None = None

    @property
    def is_playing(self) -> bool:
        """Whether chords sound or are planned: false while it waits for a phrase."""
        return self._now is not None

    def take_changes(self) -> list[ChordChange]:
        """Return the changes since the last call, and forget all but the last.

        Another thread may call it: whoever plays for hours keeps nothing here.
        """
        count = len(self.changes)
        fresh = self.changes[self._taken : count]
        del self.changes[: max(count - 1, 0)]
        self._taken = min(count, 1)
        return fresh

    def take_tempos(self) -> list[TempoSeen]:
        """Return the tempos that the core has told of since the last call.

        Another thread may call it.
        """
        count = len(self._tempos)
        fresh = self._tempos[:count]
        del self._tempos[:count]
        return fresh

    def _see_tempo(self, tempo: TempoSeen) -> None:
        self._ns_per_quarter = tempo.ns_per_quarter
        self._ear.set_tempo(tempo.ns_per_quarter)
        self._tempos.append(tempo)

    @property
    def late_foresight(self) -> int:
        """How many plans were laid before a look ahead was finished."""
        return self._foresight.late

    def ponder(self) -> bool:
        """Look a little further ahead; says whether there is more to look up.

        For whoever runs the accompanist to call while nothing else is to be done:
        no decision waits for it.
        """
        return self._foresight.ponder()

    # ---- what the core reports ----

    def hear(self, report: Report) -> list[Order]:
        """Take one report and return what follows from it at once."""
        match report.kind:
            case ReportKind.STARTED:
                tick = report.tick or 0
                self._reset(tick)
                self._see_tempo(TempoSeen(tick, report.generation, begins=True))
                if self.pacer is not None:
                    self.pacer.begin(tick, report.frame)
                return self._ask_for_cutoffs(tick)
            case ReportKind.STOPPED:
                self._reset(0)
            case ReportKind.TEMPO:
                tick = report.tick or 0
                self._see_tempo(TempoSeen(tick, report.generation, begins=False))
            case ReportKind.MIDI if report.tick is not None:
                return self._listen(report, report.tick)
            case ReportKind.TAP if report.tick is not None:
                return self._keep_time(report, report.tick)
            case ReportKind.LOST if report.tick is not None:
                self._ear.forget_held(report.tick)
                return self._let_go(report.tick)
            case ReportKind.APPLIED | ReportKind.DROPPED:
                self._settle(report)
            case ReportKind.CUTOFF:
                moment = self._moments.pop(report.generation, None)
                if moment is not None:
                    return self._meet(moment)
        return []

    def change_rate(self, frame: int, rate: int) -> list[Order]:
        """From ``frame`` on, frames are counted at another rate; no tick changes."""
        if self.pacer is not None:
            self.pacer.change_rate(frame, rate)
        return []

    def _keep_time(self, report: Report, tick: int) -> list[Order]:
        """Let the clock go as he plays or taps, where it is ours."""
        if self.pacer is None:
            return []
        orders: list[Order] = [*self.pacer.hear(report, tick)]
        self._ear.set_tempo(self.pacer.ns_per_quarter)
        return orders

    def _listen(self, report: Report, tick: int) -> list[Order]:
        is_music = self.pacer is None or self.pacer.is_counted_in
        orders = self._keep_time(report, tick)
        if not is_music:
            return orders
        if self.pacer is not None:
            tick = self.pacer.place_of(report.frame, tick)
        if report.status == 0x90:
            self._ear.note_on(tick, report.key, report.value)
            if self._notes_to_come is not None:
                self._notes_to_come -= 1
            self._solo.append((tick, report.key, report.value))
            if self._first_heard is None:
                self._first_heard = tick
                self._phrase_notes = 0
            self._phrase_notes += 1
            if self._top is None:
                self._top = self._bar_line_near(tick, upbeat=1 / 2)
        elif report.status == 0x80 or report.key == SUSTAIN:
            before = self._ear.sounding
            if report.status == 0x80:
                self._ear.note_off(tick, report.key)
            else:
                self._ear.pedal(tick, report.value >= DOWN)
            if self._ear.sounding == before:
                return orders
        elif report.key == self._top_pedal:
            if report.value >= DOWN:
                self._begin_again(tick)
            return orders
        else:
            return orders
        self._last_heard = tick
        return orders + self._let_go(tick)

    def _begin_again(self, tick: int) -> None:
        """Hear that the form begins again, at the line that he means."""
        line = self._bar_line_near(tick, upbeat=1 / 4)
        if self._top is not None and line > self._top:
            again, top = (step_at(self._meter, at)[0] for at in (line, self._top))
            self._memory.begin_again(again, top)
            # It is the top as well, and remembered for longer.
            self._top = line

    def _bar_line_near(self, tick: int, upbeat: float) -> int:
        """Return the next bar line, or the last one early in the bar."""
        bar = self._meter.bar_ticks
        return -(-(tick - round(upbeat * bar)) // bar) * bar

    def _settle(self, report: Report) -> None:
        """Note what a batch has become: only now is it sure what sounds."""
        sent = self._sent.pop(report.generation, None)
        # Receipts come in order: what is older was lost.
        self._sent = {n: s for n, s in self._sent.items() if n > report.generation}
        if sent is None:
            return
        chosen = sounds = sent.plan[0]
        if report.kind is ReportKind.APPLIED:
            self._plan = sent.plan
        else:
            sounds = self._planned_at(chosen.start)
        if self._now is chosen:
            self._now = sounds
        last = self.changes[-1].chord if self.changes else NO_CHORD
        if sounds.chord != last:
            self.changes.append(ChordChange(chosen.start, sounds.chord, sent.key))

    # ---- moments ----

    def _ask_for_cutoffs(self, now: int) -> list[Order]:
        """Ask for the cut-offs of all moments up to `CUTOFFS_AHEAD` steps ahead."""
        # What should have come a bar ago was lost.
        self._moments = {
            number: moment
            for number, moment in self._moments.items()
            if moment.cutoff >= now - self._meter.bar_ticks
        }
        orders: list[Order] = []
        ahead = CUTOFFS_AHEAD if self.pacer is None else len(self._meter.steps)
        last = step_at(self._meter, now)[0] + ahead
        for step in range(self._next_step, last + 1):
            for moment in self._moments_of(step):
                if moment.cutoff >= now:
                    number = self._take_number()
                    self._moments[number] = moment
                    orders.append(Cutoff(moment.cutoff, number))
        self._next_step = max(self._next_step, last + 1)
        return orders

    def _moments_of(self, step: int) -> list[Moment]:
        start, end = step_start(self._meter, step), step_start(self._meter, step + 1)
        middle = start + (end - start) // 2
        points = [(Point.LINE, start)] if start >= 0 else []
        if self._mends and start >= 0:
            now = self._ns_per_quarter or self._fastest_ns
            if self.pacer is not None:
                now = self.pacer.ns_per_quarter
            beat = max(self._meter.pulse_ticks, TICKS_PER_QUARTER)
            mends = mend_ticks(end - start, now)
            lates = late_ticks(end - start, beat, now)
            points += [(Point.MEND, start + tick) for tick in mends]
            points += [(Point.LATE, start + tick) for tick in lates]
        points.append((Point.CLOSE, max(middle, end - EIGHTH_TICKS)))
        lead = self._lead()
        return [
            Moment(point, step, start, end, tick, tick - lead) for point, tick in points
        ]

    def _lead(self) -> int:
        """Return the lead in ticks, longer where a clock from outside is fast."""
        if self.pacer is not None:  # it goes with the tempo, so it is asked late
            return self.pacer.lead_ticks
        now = self._ns_per_quarter
        if now is None or now >= self._fastest_ns:
            return self.lead_ticks
        return -(-self.lead_ticks * self._fastest_ns // now)

    def _take_number(self) -> int:
        self._generation += 1
        return self._generation

    def _meet(self, moment: Moment) -> list[Order]:
        orders: list[Order] = []
        if moment.point is Point.CLOSE:
            orders = self._ask_for_cutoffs(moment.cutoff)
            first = self._first_heard
            # A song that begins anew may begin a little later than here.
            if first is not None and first < moment.cutoff:
                self._close(moment)
            else:
                # The ear keeps up: who comes back after an hour is heard at once.
                self._ear.hear(moment.start, moment.cutoff, moment.end)
        elif moment.point is Point.LATE:
            is_stated = self._ear.is_stated(moment.start, moment.cutoff)
            if self._now is not None and is_stated:
                orders = self._decide(moment)
        elif self._now is not None and self._is_over(moment):
            orders = self._end(moment, self._now)
        elif self._now is not None or self._may_enter(moment):
            orders = self._decide(moment)
        elif moment.point is Point.LINE and moment.tick == self.end_tick:
            orders = [self._fall_silent(moment.tick)]
        return orders

    def _believe(self, moment: Moment) -> _Belief:
        """Pool what was heard of the moment's step with what was expected there."""
        heard = self._ear.hear(moment.start, moment.cutoff, moment.end)
        evidence = fusion.Evidence(
            heard.chords,
            heard.opinion.chords,
            heard.expected,
            heard.stated,
            heard.share,
        )
        weights = self._weigh(self.ai_weight, heard.share, heard.left_share)
        pooled = fusion.pool(self._foresight.expected, evidence, weights)
        recalled = NO_RECOLLECTION
        if self._remembers:
            since_line = moment.cutoff - moment.start
            recalled = self._memory.recall(
                moment.step, heard.opinion.sketch, since_line
            )
        settled = fusion.settle(pooled, recalled.chords, recalled.trust, heard.stated)
        return _Belief(heard, pooled, recalled, settled)

    def _close(self, moment: Moment) -> None:
        """Take a step as heard: the brain looks ahead, the memory keeps it."""
        belief = self._believe(moment)
        heard = belief.heard
        own = fusion.settle(belief.pooled, belief.pooled, 0.0, heard.stated)
        self._memory.close(moment.step, heard.opinion.sketch, own)
        self._foresight.close(moment.step, belief.chords)

    def _may_enter(self, moment: Moment) -> bool:
        """Whether to come in: on a line, with bass and all, once it is sure enough."""
        if moment.point is not Point.LINE or self._first_heard is None:
            return False
        if self.pacer is not None:
            # Where nothing was clicked, our first beat says where the bar begins.
            is_inside = moment.tick % self._meter.bar_ticks != 0
            if not self.pacer.is_settled or (self.pacer.seeks and is_inside):
                return False
            # Wound past this line, the clock leaves no time to decide.
            if moment.tick < self.pacer.wound_to:
                return False
        listened = moment.cutoff - self._first_heard
        if listened < min(LISTEN_TICKS, self._listen_ticks):
            return False
        if listened >= self._listen_ticks:
            return True
        chords = self._believe(moment).chords
        return policy.confidence_in(chords, int(chords.argmax())) >= ENTER_CONFIDENCE

    def _is_over(self, moment: Moment) -> bool:
        """Whether nothing new has come for so long that we end, on a bar line.

        One who holds his last note or chord, with key or pedal, ends with us, if it
        is the tonic's, and sooner than one who rests. What else the pedal holds fades.
        """
        bars = self._end_after_bars
        if not bars or moment.tick % self._meter.bar_ticks:
            return False
        closes = self._closes()
        if self._ear.held and not closes:
            return False
        if self._notes_to_come == 0:
            return True
        if closes:
            bars = min(bars, CLOSING_BARS)
        return moment.tick - self._last_heard >= bars * self._meter.bar_ticks

    def _thins(self, moment: Moment) -> bool:
        """Whether to play thinly: from a line on, until he plays again."""
        if not self._thin_after_bars or self._ear.sounding:
            return False
        silence = moment.cutoff - self._last_heard
        is_long = silence >= self._thin_after_bars * self._meter.bar_ticks
        return is_long and (self._is_thin or moment.point is Point.LINE)

    def _closes(self) -> bool:
        """Whether what he lets sound may be the last chord, as the key is heard.

        No song ends with its first notes, or in a key that is a mere guess.
        """
        if self._key is None or not sounds_final(self._ear.sounding, self._key):
            return False
        is_song = self._phrase_notes >= CLOSING_NOTES
        is_sure = self._key_probability >= CLOSING_PROBABILITY
        return self._notes_to_come == 0 or (is_song and is_sure)

    def _end(self, moment: Moment, now: _Sounding) -> list[Order]:
        """End on a held tonic and wait for the next phrase."""
        bars = FERMATA_BARS if self._closes() else 1
        key = self._follow_key(self._believe(moment).heard)
        tonic = _tonic_of(key)
        end = moment.tick + bars * self._meter.bar_ticks
        arrangement = self.arranger.ending(moment.tick, tonic, now.voicing, bars=bars)
        chosen = _Sounding(moment.tick, end, tonic, None)
        self._now = None
        self._is_thin = False
        self._first_heard = None
        self._top = None
        self._fermata = moment.tick if bars > 1 else None
        self.end_tick = end
        return [self._replace([chosen], _planned_notes(arrangement), key, vamp=False)]

    def _let_go(self, tick: int) -> list[Order]:
        """Release the last chord with him, or hold its bar if he hardly heard it."""
        if self._fermata is None or self.end_tick is None or self._ear.sounding:
            return []
        end, bar = tick + self._lead(), self._meter.bar_ticks
        line = self._fermata + bar
        if tick < self._fermata + bar // 2 and end < line:
            # As if he had not held it: that line comes with a moment of its own.
            self.end_tick, self._fermata = line, None
            return []
        if end >= self.end_tick:
            return []
        self.end_tick = end
        return [self._fall_silent(end)]

    def _fall_silent(self, tick: int) -> Order:
        """Let nothing sound any more: he has let go, or not come back since the end.

        However late it comes, it comes: nobody wants to hear the chord go on.
        """
        assert self._key is not None
        self._fermata = None
        if self.pacer is not None and self._first_heard is None:
            self.pacer.rest()
        silence = _Sounding(tick, tick, NO_CHORD, None)
        return self._replace(
            [silence], (), self._key, cut=True, deadline=False, vamp=False
        )

    def _decide(self, moment: Moment) -> list[Order]:
        """Decide what sounds from this moment on, and plan on from there."""
        is_thin = self._thins(moment)
        if is_thin and self._is_thin and moment.point is not Point.LINE:
            return []  # he rests: nothing was heard that could mend anything
        belief = self._believe(moment)
        heard = belief.heard
        before = None if self._now is None else chord_index(self._now.chord)
        place = (
            policy.Moment.LINE if moment.point is Point.LINE else policy.Moment.INSIDE
        )
        after = policy.choose(belief.chords, before, place, self._manner)
        key = self._follow_key(heard)
        if self._explain is not None:
            self._explain(self._record(moment, place, belief, before, after, key))
        stays = after == before and is_thin == self._is_thin
        if moment.point is not Point.LINE and stays:
            return []
        self._is_thin = is_thin
        if moment.point is Point.LINE:
            since = moment.tick - self._meter.bar_ticks
            kept = {part: at for part, at in self._left_parts.items() if at > since}
            self._left_parts = kept | dict.fromkeys(heard.left_parts, moment.tick)
        return [self._lay_plan(moment, after, belief, key)]

    def _record(
        self,
        moment: Moment,
        place: policy.Moment,
        belief: _Belief,
        before: int | None,
        after: int,
        key: Key,
    ) -> Decision:
        heard, recalled = belief.heard, belief.recalled
        return Decision(
            tick=moment.tick,
            cutoff_tick=moment.cutoff,
            moment=place,
            before=before,
            after=after,
            tables=heard.chords,
            listener=heard.opinion.chords,
            brain=self._foresight.expected,
            memory=recalled.chords if recalled.trust else None,
            memory_trust=recalled.trust,
            memory_step=recalled.step,
            pooled=belief.chords,
            key=key,
            keys=heard.keys,
            confidence=policy.confidence_in(belief.chords, after),
            weight=heard.weight,
            notes=tuple(note.note for note in heard.notes),
        )

    def _follow_key(self, heard: Heard) -> Key:
        self._key = policy.choose_key(heard.keys, self._key)
        self._key_probability = float(heard.keys[key_index(self._key)])
        return self._key

    # ---- the plan ----

    def _lay_plan(
        self, moment: Moment, after: int, belief: _Belief, key: Key
    ) -> Replace:
        heard = belief.heard
        ahead = [
            fusion.foresee(expected, heard.expected, self.ai_weight)
            for expected in self._foresight.ahead(after)[: self._plan_steps]
        ]
        # Foreseen chords hold unless another is likelier, like those decided on.
        chosen = [after]
        for chances in ahead:
            chosen.append(policy.choose(chances, chosen[-1], manner=self._manner))
        chords = [CHORDS[index] for index in chosen]
        ends = [
            step_start(self._meter, moment.step + 1 + i) for i in range(len(chords))
        ]
        starts = [moment.tick, *ends[:-1]]
        now = self._now
        spans = [
            Span(*span, is_thin=self._is_thin, taken=frozenset(self._left_parts))
            for span in zip(starts, ends, chords, strict=True)
        ]
        if (
            policy.confidence_in(belief.chords, after) < OPEN_CONFIDENCE
            or policy.confidence_in_third(belief.chords, after) < OPEN_THIRD
        ):
            spans[0] = replace(spans[0], is_open=True)
        arrangement = self.arranger.arrange(
            spans,
            now.voicing if now is not None else None,
            intensity=self._intensity(moment.cutoff),
            ceiling=heard.lowest,
            mended=moment.point is not Point.LINE and now is not None,
        )
        is_before_end = self.end_tick is not None and moment.tick < self.end_tick
        sounding = [
            _Sounding(*row)
            for row in zip(starts, ends, chords, arrangement.voicings, strict=True)
        ]
        order = self._replace(
            sounding,
            _planned_notes(arrangement),
            key,
            cut=moment.point is not Point.LINE or is_before_end,
        )
        self._now = sounding[0]
        self._fermata = self.end_tick = None
        probabilities = [
            policy.confidence_in(chances, index)
            for chances, index in zip(ahead, chosen[1:], strict=True)
        ]
        self.outlook = Outlook(
            moment.tick,
            chords[0],
            key,
            float(heard.keys.max()),
            tuple(zip(chords[1:], probabilities, strict=True)),
        )
        return order

    def _replace(
        self,
        plan: list[_Sounding],
        notes: tuple[PlannedNote, ...],
        key: Key,
        *,
        cut: bool = False,
        deadline: bool = True,
        vamp: bool = True,
    ) -> Replace:
        """Make a batch, and remember what it means until its receipt comes."""
        number = self._take_number()
        start, until = plan[0].start, plan[-1].end
        self._sent[number] = _Sent(plan, key)
        return Replace(
            number,
            start,
            until,
            _PARTS,
            notes,
            cut=cut,
            deadline=deadline,
            vamp=vamp,
        )

    def _planned_at(self, tick: int) -> _Sounding:
        """Return what the core has at ``tick``: it goes on with its last bar."""
        bar_ticks = self._meter.bar_ticks
        past = tick - self._plan[-1].end if self._plan else -1
        repeated = max(past // bar_ticks + 1, 0)
        for sounding in self._plan:
            if sounding.start <= tick - repeated * bar_ticks < sounding.end:
                return sounding
        return _Sounding(tick, tick, NO_CHORD, None)

    def _recent(self, now: int) -> list[tuple[int, int, int]]:
        """Return the soloist's notes of the last bar, as (tick, note, velocity)."""
        while self._solo and self._solo[0][0] < now - self._meter.bar_ticks:
            self._solo.popleft()
        return list(self._solo)

    def _intensity(self, now: int) -> float:
        """Follow how loud the soloist plays: velocity 0 is 0, 127 is 1."""
        velocities = [velocity for _, _, velocity in self._recent(now)]
        return sum(velocities) / len(velocities) / 127 if velocities else 0.5


def mend_ticks(length: int, ns_per_quarter: int) -> list[int]:
    """Say where in a grid step a chord may be mended, in ticks after its line.

    At the eighths of its first half; and a sixteenth after the line, where what a note
    on the line tells is first heard, unless that is too soon to be two strokes.

    Parameters
    ----------
    length : int
        Ticks of the step.
    ns_per_quarter : int
        The tempo.
    """
    sixteenth = [SIXTEENTH_TICKS] if _is_time_for_a_sixteenth(ns_per_quarter) else []
    return [*sixteenth, *range(EIGHTH_TICKS, length // 2 + 1, EIGHTH_TICKS)]


def late_ticks(length: int, beat: int, ns_per_quarter: int) -> list[int]:
    """Say where in a grid step the left hand alone may change the chord, likewise.

    At the eighths of its second half; and a sixteenth after each beat of so many ticks.
    """
    first = length // 2 // EIGHTH_TICKS + 1
    ticks = list(range(first * EIGHTH_TICKS, length, EIGHTH_TICKS))
    if _is_time_for_a_sixteenth(ns_per_quarter):
        ticks += range(beat + SIXTEENTH_TICKS, length, beat)
    return sorted(ticks)


def _is_time_for_a_sixteenth(ns_per_quarter: int) -> bool:
    seconds = ns_per_quarter * SIXTEENTH_TICKS / TICKS_PER_QUARTER / 1e9
    return seconds >= SOONEST_MEND_SECONDS


def _tonic_of(key: Key) -> Chord:
    return Chord(key.tonic, "maj" if key.mode == "major" else "min")


def _planned_notes(arrangement: Arrangement) -> tuple[PlannedNote, ...]:
    return tuple(
        PlannedNote(
            note.tick,
            note.duration,
            Part[note.part.upper()],
            note.note,
            note.velocity,
            note.tie,
        )
        for note in arrangement.notes
    )
