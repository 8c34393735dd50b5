"""Who plays in each row of the harmony evaluation, and how a song is judged there.

A row is the accompanist with something changed, the accompanist with a soloist who
plays otherwise than written, a rival that needs no accompanist, or a baseline of key
finding alone. Every measure is taken over the whole song, its first sixteen bars and
the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from export import disturbed, rivals
from export.key_profiles import find_key
from export.key_scores import (
    EARLY_NOTES,
    key_at,
    score_early_key,
    score_key,
    score_key_course,
)
from export.scores import Scores, Share, compare_labels, cut_out, score_chords
from export.songs import ChordSpan, Song
from export.stage import Performance, Stage
from jackcomp.accompanist import PLAN_BARS, Weigh
from jackcomp.decision.fusion import PoolWeights, weights_for
from jackcomp.theory.chord import format_harte
from jackcomp.theory.vocabulary import CHORDS

FIRST_BARS = 16
PARTS = ("", ":first_16_bars", ":later_bars")
"""Added to the name of a source, for the whole songs and for their parts."""

RELIABILITY_BINS = 10
POSITION_BARS = 4
POSITION_BINS = 16
LEVEL_BARS = 4
LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class Role:
    """How the accompanist of a row differs from the one that plays live.

    Attributes
    ----------
    settings : mapping
        Settings that are changed.
    mends, remembers : bool
        As for `Stage.play`.
    told_key : bool
        Whether it is told the song's key.
    weigh : callable
        Gives the weights of the pool, as `weights_for`.
    play : callable
        What the soloist makes of the song.
    is_moved : bool
        Whether what he makes of it is also what is right.
    one_in : int
        Which part of the songs is played in this row.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    mends: bool = True
    remembers: bool = True
    told_key: bool = False
    weigh: Weigh = weights_for
    play: Callable[[Song], Song] = disturbed.as_written
    is_moved: bool = False
    one_in: int = 1


def _hear_alone(ai_weight: float, share: float, known: float) -> PoolWeights:
    """Give the weights of one who listens and foresees nothing."""
    return replace(weights_for(ai_weight, share, known), brain=0.0)


ROLES: Mapping[str, Role] = {
    "system": Role(),
    "calm": Role(settings={"calm": True}),
    "no_memory": Role(remembers=False),
    "no_mending": Role(mends=False),
    "no_mending_no_memory": Role(mends=False, remembers=False),
    "no_brain": Role(weigh=_hear_alone, one_in=3),
    "ear_only": Role(weigh=_hear_alone, remembers=False),
    "tables_only": Role(settings={"ai_weight": 0.0}, one_in=3),
    "brain_only": Role(settings={"ai_weight": 1.0}, remembers=False),
    "oracle_key": Role(told_key=True),
    "corrected": Role(play=disturbed.state_chords),
    "wrong_notes": Role(play=disturbed.slip, one_in=3),
    "jitter": Role(play=disturbed.jitter, one_in=3),
    "half_tempo": Role(play=disturbed.halve_tempo, one_in=3),
    "double_tempo": Role(play=disturbed.double_tempo, one_in=3),
    "tritone": Role(play=disturbed.turn_a_tritone, is_moved=True, one_in=3),
}
RIVALS: Mapping[str, Callable[[Song], tuple[ChordSpan, ...]]] = {
    "tonic": rivals.hold_tonic,
    "static_triad": rivals.hold_best_triad,
    "echo": rivals.echo_bar,
    "loop": rivals.loop_four_chords,
    "human": rivals.play_annotation,
}
KEY_FINDERS = ("krumhansl_schmuckler", "temperley", "albrecht_shanahan")
ROWS = (*ROLES, *RIVALS, *KEY_FINDERS)
TIMED_ROW = "system"
BY_POSITION = ("system", "no_memory")


@dataclass(frozen=True, slots=True)
class Judged:
    """One row of one song.

    Attributes
    ----------
    scores : dict of Scores
        By part of the song, see `PARTS`.
    positions : dict of Share
        Right ``majmin`` time by four bars from the first; a few rows alone.
    reliability : dict of Share
        Time in which the chosen triad was right, by tenths of confidence; and
    confidence : dict of Share
        the confidence itself. The timed row alone.
    thinking_ns : tuple of int
        How long it thought at each cut-off; the timed row alone.
    """

    scores: dict[str, Scores]
    positions: dict[int, Share] = field(default_factory=dict)
    reliability: dict[int, Share] = field(default_factory=dict)
    confidence: dict[int, Share] = field(default_factory=dict)
    thinking_ns: tuple[int, ...] = ()


@cache
def _stage() -> Stage:
    """Load the models, once in each process."""
    return Stage()


def judge(song: Song, row: str) -> Judged:
    """Play a song in a row and judge what sounded."""
    if row in ROLES:
        return _judge_role(song, row)
    if row in KEY_FINDERS:
        scores = score_key(song, find_key(song, row))
        early = find_key(song, row, EARLY_NOTES)
        return Judged({"": scores | score_early_key(song, early)})
    return Judged(_score_parts(song, RIVALS[row](song)))


def play_role(song: Song, row: str) -> tuple[Song, Performance]:
    """Play a song in a row; gives what is right there, and what sounded."""
    role = ROLES[row]
    heard = role.play(song)
    settings = dict(role.settings)
    if role.told_key:
        settings["key"] = song.key
    # Only the timed row looks as far ahead as live, and hears all for itself: what
    # is planned for later is decided anew before it sounds.
    is_timed = row == TIMED_ROW
    played = _stage().play(
        heard,
        mends=role.mends,
        remembers=role.remembers,
        plan_bars=PLAN_BARS if is_timed else 1,
        hears_anew=is_timed,
        weigh=role.weigh,
        **settings,
    )
    return (heard if role.is_moved else song), played


def _judge_role(song: Song, row: str) -> Judged:
    true, played = play_role(song, row)
    scores = _score_parts(true, played.spans)
    scores[""] |= score_key(true, played.key) | score_key_course(true, played.decisions)
    if ROLES[row].is_moved:
        scores[""] |= _score_recovery(true, played)
    positions = _by_position(true, played.spans) if row in BY_POSITION else {}
    if row != TIMED_ROW:
        return Judged(scores, positions)
    reliability, confidence = _rely(true, played)
    return Judged(scores, positions, reliability, confidence, played.thinking_ns)


def _score_parts(song: Song, played: Sequence[ChordSpan]) -> dict[str, Scores]:
    start, end = song.spans[0].start, song.spans[-1].end
    middle = min(max(disturbed.bar_start(song, FIRST_BARS), start), end)
    scores = {"": score_chords(song, played)}
    for part, first, last in zip(
        PARTS[1:], (start, middle), (middle, end), strict=True
    ):
        if first < last:
            scores[part] = score_chords(*cut_out(song, played, first, last))
    return scores


def _by_position(song: Song, played: Sequence[ChordSpan]) -> dict[int, Share]:
    """Give right ``majmin`` time by four bars."""
    found = {}
    for number in range(POSITION_BINS):
        first, last = (
            disturbed.bar_start(song, POSITION_BARS * (number + more))
            for more in (0, 1)
        )
        part, sounding = cut_out(song, played, first, last)
        if part.spans and sounding:
            found[number] = score_chords(part, sounding)["majmin"]
    return found


def _rely(song: Song, played: Performance) -> tuple[dict[int, Share], dict[int, Share]]:
    """Compare the confidence of each decision with how right it was."""
    right: dict[int, Share] = {}
    sure: dict[int, Share] = {}
    starts = [tick for tick, _ in played.decisions]
    ends = [*starts[1:], song.spans[-1].end]
    for (tick, decision), end in zip(played.decisions, ends, strict=True):
        label = format_harte(CHORDS[decision.after])
        number = min(int(decision.confidence * RELIABILITY_BINS), RELIABILITY_BINS - 1)
        for span in song.spans:
            ticks = min(span.end, end) - max(span.start, tick)
            is_right = compare_labels(span.label, label)["majmin"] if ticks > 0 else -1
            if is_right >= 0:
                before, whole = right.get(number, Share(0, 0))
                right[number] = Share(before + is_right * ticks, whole + ticks)
                before, whole = sure.get(number, Share(0, 0))
                sure[number] = Share(
                    before + decision.confidence * ticks, whole + ticks
                )
    return right, sure


def _score_recovery(song: Song, played: Performance) -> Scores:
    """Count the beats from the turn until harmony and key are found again.

    ``recovery_beats``: to the first bar from which two bars lie on chord tones at 90 %
    of the level of the four bars before the turn. ``key_recovery_beats``: to the
    first decision that shows the new key. Whoever never recovers is counted to the
    end of the song.
    """
    turn = disturbed.bar_start(song, disturbed.TURN_BAR)
    end = song.spans[-1].end
    if turn >= end:
        return {}
    beat = song.meter.beat_ticks
    level = _in_chord(song, played, disturbed.TURN_BAR - LEVEL_BARS, LEVEL_BARS)
    bars = sum(bar.start >= 0 for bar in song.bars)
    recovered = next(
        (
            disturbed.bar_start(song, bar)
            for bar in range(disturbed.TURN_BAR, bars)
            if _in_chord(song, played, bar, 2) >= LEVEL * level
        ),
        end,
    )
    scores = {"recovery_beats": Share((recovered - turn) / beat, 1)}
    true = key_at(song, turn)
    if true is not None and not song.key_doubtful:
        found = next(
            (
                tick
                for tick, decision in played.decisions
                if tick >= turn and decision.key == true
            ),
            end,
        )
        scores["key_recovery_beats"] = Share((found - turn) / beat, 1)
    return scores


def _in_chord(song: Song, played: Performance, bar: int, bars: int) -> float:
    """Give the share of melody time on chord tones in some bars; 0 without any."""
    first, last = (disturbed.bar_start(song, number) for number in (bar, bar + bars))
    part, sounding = cut_out(song, played.spans, first, last)
    if not part.spans or not sounding:
        return 0.0
    right, heard = score_chords(part, sounding)["in_chord"]
    return right / heard if heard else 0.0
