"""Write a file of Chordonomicon's form: ``python -m export.imitate_chordonomicon``.

To try the loader and the training room without the file itself. The songs are the
corpus's, of the train split, transposed at random, their chords spelled as that file
spells them.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from export.measuring import natural
from export.sequences import to_sequences
from export.songs import CORPUS_FILES, read_songs
from jackcomp.theory.vocabulary import CHORDS, NO_CHORD_INDEX, transpose_index

COLUMNS = ("id", "chords", "release_date", "genres", "decade", "main_genre")
SECTIONS = ("intro", "verse", "chorus", "bridge", "outro")
ROOTS = ("C", "Cs", "D", "Eb", "E", "F", "Fs", "G", "Ab", "A", "Bb", "B")
KINDS = {
    "maj": "",
    "hdim7": "dim7",
    "dim7": "dimb7",
    "maj6": "add13",
    "min6": "minadd13",
    **{name: name for name in ("min", "7", "maj7", "min7", "dim", "aug")},
    "sus2": "sus2",
    "sus4": "sus4",
    "7sus4": "7sus4",
}


def spell(chord: int) -> str:
    """Write a chord of the vocabulary as Chordonomicon does."""
    root, quality = CHORDS[chord].root, CHORDS[chord].quality
    assert root is not None
    return ROOTS[root] + KINDS[quality]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, help="the CSV file to write")
    parser.add_argument("--songs", type=int, default=100_000, help="default 100000")
    parser.add_argument("--seed", type=natural, default=0)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    songs = to_sequences(read_songs(CORPUS_FILES, "train"))
    with options.file.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(options.songs):
            chords = songs[generator.integers(len(songs))].chords.tolist()
            semitones = int(generator.integers(12))
            words = []
            before = None
            for place, chord in enumerate(chords):
                if place % 32 == 0:
                    section = SECTIONS[place // 32 % len(SECTIONS)]
                    words.append(f"<{section}_{place // 160 + 1}>")
                if chord not in (before, NO_CHORD_INDEX):
                    words.append(spell(transpose_index(chord, semitones)))
                before = chord
            writer.writerow([number, " ".join(words), "", "", 1990.0, "pop"])


if __name__ == "__main__":
    main()
