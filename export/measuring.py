"""The command line that the measures share: which songs, and where the report goes."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.songs import SPLITS
from jackcomp.errors import JackcompError

Report = dict[str, Any]


def corpus_parser(name: str, about: str) -> argparse.ArgumentParser:
    """Make a parser with the options that every measure takes."""
    parser = argparse.ArgumentParser(prog=f"python -m export.{name}", description=about)
    parser.add_argument(
        "files", nargs="*", type=Path, help="corpus files; those of export/corpus"
    )
    parser.add_argument(
        "--split", default="test", help=f"{', '.join(SPLITS)} or all; default test"
    )
    parser.add_argument("--source", help="only songs of this source")
    parser.add_argument(
        "--limit", type=positive, help="so many songs, evenly spread over all"
    )
    parser.add_argument("--json", type=Path, help="write the report to this file")
    return parser


def positive(text: str) -> int:
    """Read a number of songs or processes."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def report_on(
    measure: Callable[[], Report], show: Callable[[Report], None], file: Path | None
) -> int:
    """Measure, print and write; return the exit code. A mistake is one line."""
    try:
        report = measure()
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    show(report)
    if file:
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0
