"""Fit the pool of ear and brain on validation songs.

``python -m export.fit_pool`` plays the songs of the valid split to the ear, lets
the brain follow several histories as in playing, and prints for each brain
exponent and each doubt the mean log-likelihood of the annotated chord on the line
of a step and an eighth after it. The best row belongs into
``jackcomp/decision/fusion.py``. The test split is never read.
"""

import argparse
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.count_ear import Melody
from export.songs import LEADSHEET_FILES, read_songs
from jackcomp.brain.features import START, encode_position
from jackcomp.brain.model import Brain
from jackcomp.decision.fusion import FITTED, pool, pool_weighted
from jackcomp.decision.hypotheses import continue_histories, mix_foreseen
from jackcomp.ear.tables import EarTables, load_ear_tables

BRAIN_EXPONENTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
DOUBTS = (0.0, 0.2, 0.35, 0.5, 0.7)
CUTS = ("line", "eighth")


def main() -> None:
    """Collect what ear and brain say, and try all weights on it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--limit", type=int, help="songs, default: all")
    options = parser.parse_args()
    songs = read_songs(LEADSHEET_FILES, "valid", limit=options.limit)
    brain, tables = Brain.load(), load_ear_tables()
    likelihoods = np.concatenate(
        [try_weights(Melody(song), brain, tables) for song in tqdm(songs)]
    ).mean(axis=0)
    print("brain  doubt  " + "  ".join(f"{cut:>8}" for cut in CUTS))
    for exponent, by_doubt in zip(BRAIN_EXPONENTS, likelihoods, strict=True):
        for doubt, by_cut in zip(DOUBTS, by_doubt, strict=True):
            row = "  ".join(f"{value:8.4f}" for value in by_cut)
            print(f"{exponent:5.2f}  {doubt:5.2f}  {row}")


def try_weights(melody: Melody, brain: Brain, tables: EarTables) -> NDArray[np.float64]:
    """Give the log-likelihood of a song's chords, by step, exponent, doubt and cut."""
    weights, chords = np.ones(1), np.array([START])
    state = brain.initial_state()
    found = []
    for step, heard in melody.listen(tables):
        position = encode_position(step.meter, step.index, step.end - step.start)
        rows, state = brain.step(state, chords, position)
        foreseen = mix_foreseen(weights, rows)
        found.append(
            [
                [
                    [
                        pool_weighted(
                            foreseen,
                            cut.chords,
                            cut.expected,
                            replace(FITTED, brain=exponent, doubt=doubt),
                        )[step.chord]
                        for cut in heard[: len(CUTS)]
                    ]
                    for doubt in DOUBTS
                ]
                for exponent in BRAIN_EXPONENTS
            ]
        )
        believed = pool(foreseen, heard[-1].chords, expected=heard[-1].expected)
        went_on = continue_histories(weights, rows, believed)
        weights, chords = went_on.weights, went_on.chords
        state = state.take(went_on.parents)
    return np.log(np.maximum(np.array(found), 1e-9))


if __name__ == "__main__":
    main()
