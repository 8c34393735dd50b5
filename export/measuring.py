"""The command line that the measures share: which songs, and where the report goes."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.songs import SPLITS
from jackcomp.errors import ConfigError, JackcompError

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


def natural(text: str) -> int:
    """Read a number that dice begin with."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def check_file(file: Path) -> None:
    """Refuse a file that cannot be written, before the work and not after it.

    Raises
    ------
    ConfigError
        With the system's reason.
    """
    try:
        is_new = not file.exists()
        file.open("a").close()
        if is_new:
            file.unlink()
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from error


def check_folder(folder: Path) -> None:
    """Make a folder, and refuse one in which nothing can be written.

    Raises
    ------
    ConfigError
        With the system's reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(f"cannot write into {folder}: {error.strerror}") from error


def report_on(
    measure: Callable[[], Report],
    show: Callable[[Report], None],
    file: Path | None,
    plots: Path | None = None,
) -> int:
    """Measure, print and write; return the exit code. A mistake is one line.

    Where the report goes, and the folder of the pictures that ``measure`` draws, are
    tried before anything is measured.
    """
    try:
        if plots:
            check_folder(plots)
        if file:
            check_file(file)
        report = measure()
    except JackcompError as error:
        print(error, file=sys.stderr)
        return 1
    show(report)
    if file:
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0
