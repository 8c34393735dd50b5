"""Songs played to a chord model, many at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from export.sequences import ChordSequence
from jackcomp.brain.features import START

BATCH_SONGS = 64


class Foreseer(Protocol):
    """What `Brain` and `SongBrain` have in common."""

    def initial_state(self, batch: int = 1) -> Any:
        """Return the state before a song."""

    def step(
        self, state: Any, chords: Sequence[int], positions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Any]:
        """Tell what came last, and ask what comes next."""


def play_brain(
    brain: Foreseer,
    sequences: Sequence[ChordSequence],
    pasts: Sequence[NDArray[np.int64]] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Give the model's distributions of each sequence, shape (steps, 169).

    Parameters
    ----------
    brain : Foreseer
        The model.
    sequences : sequence of ChordSequence
        The songs.
    pasts : sequence of ndarray, optional
        The chords that the model is told of each; the songs' own by default.
    """
    told = [song.chords for song in sequences] if pasts is None else pasts
    rows: dict[int, NDArray[np.float32]] = {}
    by_length = sorted(range(len(sequences)), key=lambda i: -len(sequences[i].chords))
    for start in range(0, len(by_length), BATCH_SONGS):
        members = by_length[start : start + BATCH_SONGS]
        together = _play_together(
            brain, [sequences[i].positions for i in members], [told[i] for i in members]
        )
        rows |= zip(members, together, strict=True)
    for number in range(len(sequences)):
        yield rows.pop(number)


def _play_together(
    brain: Foreseer,
    positions: Sequence[NDArray[np.float32]],
    told: Sequence[NDArray[np.int64]],
) -> list[NDArray[np.float32]]:
    """Play songs in lockstep, the longest first; the ended ones drop out."""
    answers: list[list[NDArray[np.float32]]] = [[] for _ in told]
    state = brain.initial_state(len(told))
    before = [START] * len(told)
    for step in range(len(told[0])):
        playing = sum(len(chords) > step for chords in told)
        state = state.take(range(playing))
        where = np.stack([rows[step] for rows in positions[:playing]])
        rows, state = brain.step(state, before[:playing], where)
        for answer, row in zip(answers, rows, strict=False):
            answer.append(row)
        before = [int(chords[step]) for chords in told[:playing]]
    return [np.array(answer) for answer in answers]
