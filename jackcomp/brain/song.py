"""The model in a song: with the song's genre and with what it has done before.

`SongBrain` has the interface of `Brain` and goes through it; its states hold the
model's, and what memory and genre keep of each history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jackcomp.brain.features import POSITION_SIZE, START, encode_chord
from jackcomp.brain.genre import GenreTables, probabilities
from jackcomp.brain.memory import Past, SongMemory, no_past, remember
from jackcomp.brain.model import Brain, State
from jackcomp.theory.genre import AUTO_GENRE, GENRES
from jackcomp.theory.vocabulary import N_CHORDS

HYPOTHESES = 4
"""How many continuations of each chord a look ahead follows at once."""


@dataclass(frozen=True, slots=True, eq=False)
class SongState:
    """What is known of each history; to be handed back, not looked into.

    ``asked`` is the position of the step that was foreseen last, by history;
    ``evidence`` is what the moves so far say of the genre.
    """

    model: State
    past: Past
    asked: NDArray[np.float32]
    evidence: NDArray[np.float64]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "SongState":
        """Return the states of ``rows``, which may repeat: a history forks."""
        chosen = np.asarray(rows)
        return SongState(
            self.model.take(rows),
            self.past.take(rows),
            self.asked[chosen],
            self.evidence[chosen],
        )


class SongBrain:
    """Foresees the chords of a song from all that it has heard of it.

    Parameters
    ----------
    brain : Brain
        The model.
    memory : SongMemory or None
        Mixes it with the song's own past; None: the model alone.
    genres : GenreTables
        Infers the genre.
    genre : str
        One of ``theory.genre.GENRES``, or ``auto``: whatever it sounds like.
    """

    def __init__(
        self,
        brain: Brain,
        memory: SongMemory | None,
        genres: GenreTables,
        genre: str = AUTO_GENRE,
    ) -> None:
        self._brain = brain
        self._memory = memory
        self._genres = genres
        self._told = None if genre == AUTO_GENRE else _one_hot(genre)

    def initial_state(self, batch: int = 1) -> SongState:
        """Return the state before a song, for ``batch`` histories."""
        return SongState(
            self._brain.initial_state(batch),
            no_past(batch),
            np.zeros((batch, POSITION_SIZE), np.float32),
            self._genres.start(batch),
        )

    def step(
        self,
        state: SongState,
        chords: Sequence[int] | NDArray[np.int64],
        positions: ArrayLike,
    ) -> tuple[NDArray[np.float32], SongState]:
        """Tell what came last, and ask what comes next; as `Brain.step`.

        ``features.START`` before the first step goes to all histories or to none.
        """
        past, evidence = state.past, state.evidence
        if chords[0] != START:
            past = remember(past, chords, state.asked)
            told = [
                encode_chord(int(chord), context)[0]
                for chord, context in zip(chords, state.model.contexts, strict=True)
            ]
            evidence = self._genres.hear(evidence, told)
        asked = np.broadcast_to(
            np.asarray(positions, np.float32), (len(chords), POSITION_SIZE)
        )
        genres = probabilities(evidence) if self._told is None else self._told
        rows, model = self._brain.step(state.model, chords, asked, genres)
        if self._memory is not None:
            rows = self._memory.recall(past, rows, asked)
        return rows, SongState(model, past, asked, evidence)

    def look_ahead(
        self,
        state: SongState,
        chords: Sequence[int] | NDArray[np.int64],
        positions: NDArray[np.float32],
    ) -> Iterator[NDArray[np.float32]]:
        """Look several steps ahead of one history, one with each item.

        From each of several chords the likeliest continuations are followed side by
        side, a beam of `HYPOTHESES`; each step's answer is their mean, weighted by how
        likely they are. It is exact for the first step and leaves out only unlikely
        continuations after it.

        Parameters
        ----------
        state : SongState
            Of one history.
        chords : sequence of int
            What may come in the step before the first that is asked for.
        positions : ndarray, shape=(depth, POSITION_SIZE), float32
            The steps ahead, in order.

        Yields
        ------
        ndarray, shape=(chords, 169), float32
            What is expected at each of these steps, after each of the chords.
        """
        weights = np.ones((len(chords), 1))
        state = state.take([0] * len(chords))
        told = np.asarray(chords)
        for position in positions:
            rows, state = self.step(state, told, position)
            paths = weights[:, :, None] * rows.reshape(*weights.shape, N_CHORDS)
            expected = paths.sum(axis=1)
            yield np.asarray(expected / expected.sum(axis=1, keepdims=True), np.float32)
            paths = paths.reshape(len(chords), -1)
            likeliest = np.argsort(-paths, axis=1, kind="stable")[:, :HYPOTHESES]
            parents, told = np.divmod(likeliest, N_CHORDS)
            parents += weights.shape[1] * np.arange(len(chords))[:, None]
            weights = np.take_along_axis(paths, likeliest, axis=1)
            weights /= weights.sum(axis=1, keepdims=True)
            state, told = state.take(parents.ravel()), told.ravel()


def _one_hot(genre: str) -> NDArray[np.float64]:
    if genre not in GENRES:
        known = ", ".join((AUTO_GENRE, *GENRES))
        raise ValueError(f"unknown genre {genre!r}: expected one of {known}")
    return np.array([float(each == genre) for each in GENRES])
