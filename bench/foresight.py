"""``make bench-brain``: how long a decision takes while the brain looks ahead.

A song of `STEPS` half-bars is heard step by step, twice: once the look ahead is
finished between the steps, once it never gets a turn, as on a machine that is too slow
for it. At each step a decision reads what is expected and what comes after the
likeliest chord and after one that nobody expected. If it waited for the look ahead, it
would take as long as that. Printed are times in milliseconds of the thread. The exit
code is 1 if a decision asked the model for anything.
"""

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jackcomp import duo
from jackcomp.brain.song import SongBrain, SongState
from jackcomp.foresight import Foresight
from jackcomp.theory.vocabulary import N_CHORDS
from jackcomp.timeline.meter import parse_meter

STEPS = 256
SEED = 0


class CountingBrain(SongBrain):
    """Counts how often the model is asked."""

    asked = 0

    def step(
        self,
        state: SongState,
        chords: Sequence[int] | NDArray[np.int64],
        positions: ArrayLike,
    ) -> tuple[NDArray[np.float32], SongState]:
        """Ask, and count."""
        self.asked += 1
        return super().step(state, chords, positions)


def main() -> int:
    """Measure both runs and print them."""
    models = duo.load_models()
    asked = 0
    print(f"{STEPS} half-bars; ms of thread time: p50, p99, most")
    for name, ponders in (("look ahead finished", True), ("never a turn", False)):
        brain = CountingBrain(models.brain, models.song.guessed, models.song.genres)
        foresight = Foresight(brain, parse_meter("4/4"), 8)
        times, asked_here = hear_song(foresight, brain, ponders=ponders)
        asked += asked_here
        print(f"{name}: {foresight.late} of {2 * STEPS} looks ahead were not finished")
        for what, taken in times.items():
            if taken:
                p50, p99, most = np.percentile(taken, (50, 99, 100))
                print(f"  {what:<10} {p50:8.3f} {p99:8.3f} {most:8.3f}")
    print(f"decisions asked the model {asked} times")
    return int(asked > 0)


def hear_song(
    foresight: Foresight, brain: CountingBrain, *, ponders: bool
) -> tuple[dict[str, list[float]], int]:
    """Hear a song of random phrases; give times, and what decisions asked for."""
    generator = np.random.default_rng(SEED)
    phrase = generator.integers(0, N_CHORDS - 1, 16)
    times: dict[str, list[float]] = {"decision": [], "close": [], "piece": []}
    asked = 0
    for step in range(STEPS):
        surprise = int(generator.integers(0, N_CHORDS - 1))
        before = brain.asked

        def decide(surprise: int = surprise) -> None:
            foresight.ahead(int(foresight.expected.argmax()))
            foresight.ahead(surprise)

        times["decision"].append(timed(decide))
        asked += brain.asked - before
        believed = np.full(N_CHORDS, 0.3 / N_CHORDS, np.float32)
        believed[phrase[step % len(phrase)]] += 0.7

        def close(step: int = step, believed: NDArray[np.float32] = believed) -> None:
            foresight.close(step, believed)

        times["close"].append(timed(close))
        more = ponders
        while more:
            times["piece"].append(timed(foresight.ponder))
            more = not foresight.is_finished
    return times, asked


def timed(do: Callable[[], object]) -> float:
    """Return how long something took, in milliseconds of this thread."""
    began = time.thread_time()
    do()
    return 1000 * (time.thread_time() - began)


if __name__ == "__main__":
    sys.exit(main())
