"""How well the key is found, over the course of a song."""

from collections.abc import Sequence
from itertools import pairwise

import mir_eval

from export.scores import Scores, Share
from export.songs import Song
from jackcomp.decision.policy import Decision
from jackcomp.duo import DEFAULT_BPM
from jackcomp.theory.key import KEYS, Key, format_key
from jackcomp.timeline.meter import TICKS_PER_QUARTER

EARLY_NOTES = 16
LOCKED_BEATS = 16


def is_judged(song: Song) -> bool:
    """Say whether a song's annotated keys are major or minor, and sure."""
    keys = [span.key for span in song.keys] or [song.key]
    return not song.key_doubtful and None not in keys


def score_key(song: Song, heard: Key | None) -> Scores:
    """Compare the key heard at the end with the annotated one there.

    Returns
    -------
    dict of Share
        ``key_exact`` and ``key_mirex`` (mir_eval's weighted score: fifth .5,
        relative .3, parallel .2); empty where the annotation is doubtful, missing
        or neither major nor minor.
    """
    true = song.keys[-1].key if song.keys else song.key
    if true is None or song.key_doubtful:
        return {}
    close = 0.0
    if heard is not None:
        close = mir_eval.key.weighted_score(_key_name(true), _key_name(heard))
    return {"key_exact": Share(heard == true, 1), "key_mirex": Share(close, 1)}


def score_early_key(song: Song, heard: Key | None) -> Scores:
    """Compare the key heard after 16 notes with the annotated one there."""
    if not is_judged(song) or len(song.melody) <= EARLY_NOTES:
        return {}
    true = key_at(song, song.melody[EARLY_NOTES - 1].onset)
    return {"key_exact_16": Share(heard == true, 1)}


def score_key_course(song: Song, decisions: Sequence[tuple[int, Decision]]) -> Scores:
    """Follow the key through a song.

    Parameters
    ----------
    song : Song
    decisions : sequence of (int, Decision)
        With the song ticks from which they count.

    Returns
    -------
    dict of Share
        ``key_exact_16``: after 16 notes. ``key_lock_beats``: from the first note to
        where the true key is shown and stays for 16 beats; the whole song where it
        never does; songs in one key alone. ``key_flaps_per_minute``: changes of the
        key that is shown, beyond those that are annotated.
    """
    if not is_judged(song) or not decisions:
        return {}
    early = song.melody[min(EARLY_NOTES, len(song.melody)) - 1].onset
    after = [decision for tick, decision in decisions if tick > early]
    first = KEYS[int(after[0].keys.argmax())] if after else None
    shown = [(tick, decision.key) for tick, decision in decisions]
    changes = sum(one != other for (_, one), (_, other) in pairwise(shown))
    annotated = sum(one.key != other.key for one, other in pairwise(song.keys))
    tempo = song.quarters_per_minute or DEFAULT_BPM
    quarters = (song.spans[-1].end - song.spans[0].start) / TICKS_PER_QUARTER
    flaps = Share(max(changes - annotated, 0), quarters / tempo)
    scores = score_early_key(song, first) | {"key_flaps_per_minute": flaps}
    if annotated == 0:
        ticks = _ticks_to_lock(song, shown)
        scores["key_lock_beats"] = Share(ticks / song.meter.beat_ticks, 1)
    return scores


def key_at(song: Song, tick: int) -> Key | None:
    """Return the annotated key at a tick."""
    key = song.key
    for span in song.keys:
        if span.start <= tick:
            key = span.key
    return key


def _ticks_to_lock(song: Song, shown: Sequence[tuple[int, Key]]) -> int:
    true = song.keys[0].key if song.keys else song.key
    start, end = song.melody[0].onset, song.spans[-1].end
    since: int | None = None
    for tick, key in shown:
        if key != true:
            since = None
        elif since is None:
            since = tick
        if since is not None and tick - since >= LOCKED_BEATS * song.meter.beat_ticks:
            break
    return max((end if since is None else since) - start, 0)


def _key_name(key: Key) -> str:
    """Write a key as mir_eval reads it: 'Bb minor'."""
    return f"{format_key(key).removesuffix('m')} {key.mode}"
