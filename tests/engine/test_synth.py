from pathlib import Path

import pytest

from jackcomp.engine.synth import Synth

pytestmark = pytest.mark.synth

LARGEST_PIECE = 16384


def counts_of_reading() -> tuple[int, int]:
    """Return how often this thread has read, and how many bytes."""
    lines = Path("/proc/thread-self/io").read_text(encoding="ascii").splitlines()
    counts = dict(line.split(": ") for line in lines)
    return int(counts["syscr"]), int(counts["rchar"])


def test_between_two_pieces_of_a_soundfont_others_may_run(soundfont):
    reads, read = counts_of_reading()
    Synth(soundfont, 48_000).close()
    reads, read = (
        after - before
        for after, before in zip(counts_of_reading(), (reads, read), strict=True)
    )
    assert read >= soundfont.stat().st_size
    # FluidSynth by itself reads all samples at once.
    assert read / reads <= LARGEST_PIECE
