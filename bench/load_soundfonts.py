"""The other process of ``bench.swap``: loads SoundFonts in turn and plays nothing."""

import os
import sys
import time
from itertools import cycle
from pathlib import Path

from jackcomp.engine.swap import NICENESS
from jackcomp.engine.synth import Synth


def main() -> None:
    """Load a SoundFont at each interval, until the process is ended.

    Arguments: seconds between two loads, sample rate, SoundFonts.
    """
    interval, rate = float(sys.argv[1]), int(sys.argv[2])
    os.nice(NICENESS)
    for name in cycle(sys.argv[3:]):
        began = time.monotonic()
        Synth(Path(name), rate).close()
        time.sleep(max(began + interval - time.monotonic(), 0.0))


if __name__ == "__main__":
    main()
