"""``python -m demo``, behind ``make run``: the bundled solo, into ``out/``."""

import signal
import sys
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import NoReturn

SOLO = "auld_lang_syne.mid"
FOLDER = Path("out")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Play, and say in one line what went wrong if it did."""
    for number in ENDING:
        signal.signal(number, _leave)
    try:
        # Late: what is missing shall be said in one line too.
        from demo.duet import SUFFIXES, play_duet
        from demo.processes import DemoError
        from demo.summary import summary
        from jackcomp.errors import JackcompError
    except ImportError as error:
        return _fail(error)
    try:
        with resources.as_file(resources.files("jackcomp.assets") / SOLO) as solo:
            take = play_duet(solo, FOLDER, _write)
    except (DemoError, JackcompError, OSError) as error:
        return _fail(error)
    files = [take.wav.with_suffix(suffix) for suffix in SUFFIXES]
    _write("\n".join(summary(take, files)) + "\n")
    return 0


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind, so that all that was started is ended; once is enough."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _fail(error: Exception) -> int:
    sys.stderr.write(f"demo: {' '.join(str(error).split())}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
