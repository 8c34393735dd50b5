"""Songs of like length, put together into batches for training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from export.sequences import Lesson

# Lengths are jittered by so many steps, so that batches differ from time to time.
JITTER_STEPS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Songs, padded to one length; ``counts`` is False where nothing is there."""

    inputs: Tensor  # (songs, steps, 4) int64
    positions: Tensor  # (songs, steps, POSITION_SIZE) float32
    answers: Tensor  # (songs, steps) int64
    rootless: Tensor  # (songs, steps) bool
    counts: Tensor  # (songs, steps) bool
    matches: Tensor  # (songs, steps) int64
    genres: Tensor  # (songs, N_GENRES) float32

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


def plan_batches(
    lengths: Sequence[int],
    batch_steps: int,
    generator: np.random.Generator | None = None,
) -> list[list[int]]:
    """Group songs of like length; with a generator, differently each time.

    Parameters
    ----------
    lengths : sequence of int
        Steps of each song.
    batch_steps : int
        How many steps a batch may have, padding included.
    generator : Generator, optional
        Shuffles.

    Returns
    -------
    list of list of int
        The songs of each batch; every song is in one.
    """
    jitter = generator.uniform(0, JITTER_STEPS, len(lengths)) if generator else 0
    batches: list[list[int]] = [[]]
    longest = 0
    for song in np.argsort(np.array(lengths) + jitter, kind="stable").tolist():
        longest = max(longest, lengths[song])
        if batches[-1] and longest * (len(batches[-1]) + 1) > batch_steps:
            batches.append([])
            longest = lengths[song]
        batches[-1].append(song)
    if generator:
        generator.shuffle(batches)
    return batches


def pad(lessons: Sequence[Lesson]) -> Batch:
    """Put songs into one batch; shorter ones end in steps that do not count."""

    def pad_arrays(arrays: Iterator[np.ndarray]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(array) for array in arrays], batch_first=True
        )

    lengths = torch.tensor([len(lesson.answers) for lesson in lessons])
    return Batch(
        pad_arrays(lesson.inputs for lesson in lessons),
        pad_arrays(lesson.positions for lesson in lessons),
        pad_arrays(lesson.answers for lesson in lessons),
        pad_arrays(lesson.rootless for lesson in lessons),
        torch.arange(int(lengths.max())) < lengths[:, None],
        pad_arrays(lesson.matches for lesson in lessons),
        torch.from_numpy(np.stack([lesson.genre for lesson in lessons])),
    )
