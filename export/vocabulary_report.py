"""Say what the vocabulary merges: ``python -m export.vocabulary_report``.

A label of the corpus may be richer than the chords that jackcomp knows
(`jackcomp.theory.chord`). For each source this prints the share of chord time whose
label is *exact*; *plainer*: a colour is left out, such as a ninth; *completed*: a bare
root or fifth is taken for a major chord; or *lost*: a third, fifth or seventh is left
out or replaced, so that the chord that is learnt is another one. A bass other than
the root is read and then left out of the vocabulary; it is counted by itself. All
splits are read: nothing is fitted here.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

from export.measuring import corpus_parser, report_on
from export.songs import CORPUS_FILES, Song, read_songs
from jackcomp.theory.chord import QUALITY_BY_NAME, parse_harte, spelled_tones
from jackcomp.theory.vocabulary import CHORDS

SHOWN = 12
"""Merges that are printed: the longest in all."""

HOW = ("exact", "plainer", "completed", "lost")

_SEVENTHS = {10, 11}
_OTHER_FIFTHS = {6, 8}


def classify(label: str) -> str:
    """Say how a label is reduced: one of `HOW`."""
    chord = parse_harte(label)
    if chord.root is None:
        return "exact"
    tones = spelled_tones(label)
    kept = set(QUALITY_BY_NAME[chord.quality].intervals)
    left_out, added = tones - kept, kept - tones
    # Beside a major third the minor one is a ninth, beside a fifth 6 and 8 are colours.
    other_fifth = 7 in added and bool(left_out & _OTHER_FIFTHS)
    if other_fifth or left_out & (_SEVENTHS | {4, 7}):
        return "lost"
    if added:
        return "completed"
    return "plainer" if left_out else "exact"


def report(songs: Iterable[Song]) -> dict[str, Any]:
    """Add up chord time by source and by what became of it."""
    time: dict[str, Counter[str]] = {}
    merges: Counter[tuple[str, str]] = Counter()
    for song in songs:
        for name in ("overall", song.source):
            counter = time.setdefault(name, Counter())
            for span in song.spans:
                ticks = span.end - span.start
                how = classify(span.label)
                counter["all"] += ticks
                counter[how] += ticks
                counter["bass"] += ticks * (parse_harte(span.label).bass is not None)
        for span in song.spans:
            if classify(span.label) != "exact":
                kind = span.label.partition(":")[2].partition("/")[0]
                merges[kind, CHORDS[span.chord].quality] += span.end - span.start
    whole = time["overall"]["all"]
    return {
        "rows": {
            name: {how: counter[how] / counter["all"] for how in (*HOW, "bass")}
            for name, counter in time.items()
        },
        "merges": [
            {"label": kind, "becomes": quality, "share": ticks / whole}
            for (kind, quality), ticks in merges.most_common(SHOWN)
        ],
    }


def show(found: dict[str, Any]) -> None:
    """Print the report."""
    print("share of chord time, per cent")
    print(f"{'source':<16}", *(f"{how:>9}" for how in (*HOW, "bass")))
    for name, row in found["rows"].items():
        print(f"{name:<16}", *(f"{100 * share:9.2f}" for share in row.values()))
    print("\nlongest merges, per cent of all chord time")
    for merge in found["merges"]:
        print(
            f"{merge['label']:<16} -> {merge['becomes']:<6} {100 * merge['share']:6.2f}"
        )


def main() -> int:
    """Read the command line, count, print."""
    parser = corpus_parser("vocabulary_report", "What the vocabulary merges.")
    parser.set_defaults(split="all")
    options = parser.parse_args()
    return report_on(
        lambda: report(
            read_songs(
                options.files or CORPUS_FILES,
                options.split,
                options.source,
                options.limit,
            )
        ),
        show,
        options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
