"""Named baselines of key finding: the profile that the melody so far is most like.

The duration of each pitch class is correlated with a profile in all 24 keys.

References
----------
Krumhansl, "Cognitive Foundations of Musical Pitch", 1990 (with Kessler and Schmuckler).
Temperley, "Music and Probability", 2007 (Kostka-Payne corpus).
Albrecht and Shanahan, "The Use of Large Corpora to Train a New Type of Key-Finding
Algorithm", Music Perception 31(1), 2013.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.songs import Song
from jackcomp.theory.key import KEYS, Key


def _profile(major: str, minor: str) -> NDArray[np.float64]:
    """Read the weights from the tonic up, shape (2, 12)."""
    return np.array(
        [[float(weight) for weight in row.split()] for row in (major, minor)]
    )


PROFILES: Mapping[str, NDArray[np.float64]] = {
    "krumhansl_schmuckler": _profile(
        "6.35 2.23 3.48 2.33 4.38 4.09 2.52 5.19 2.39 3.66 2.29 2.88",
        "6.33 2.68 3.52 5.38 2.60 3.53 2.54 4.75 3.98 2.69 3.34 3.17",
    ),
    "temperley": _profile(
        "0.748 0.060 0.488 0.082 0.670 0.460 0.096 0.715 0.104 0.366 0.057 0.400",
        "0.712 0.084 0.474 0.618 0.049 0.460 0.105 0.747 0.404 0.067 0.133 0.330",
    ),
    "albrecht_shanahan": _profile(
        "0.238 0.006 0.111 0.006 0.137 0.094 0.016 0.214 0.009 0.080 0.008 0.081",
        "0.220 0.006 0.104 0.123 0.019 0.103 0.012 0.214 0.062 0.022 0.061 0.052",
    ),
}


def find_key(song: Song, profile: str, notes: int | None = None) -> Key:
    """Find the key of a song's first notes, or of all of them."""
    heard = np.zeros(12)
    for note in song.melody[:notes]:
        heard[note.note % 12] += max(note.duration, 1)
    likeness = [
        np.corrcoef(heard, np.roll(of_mode, tonic))[0, 1]
        for of_mode in PROFILES[profile]
        for tonic in range(12)
    ]
    return KEYS[int(np.argmax(likeness))]
