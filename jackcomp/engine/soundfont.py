"""Finding SoundFonts, and looking into them before FluidSynth does.

FluidSynth reports a broken file in five lines of its own and a return value of -1;
the header and the chunk sizes tell a musician more, in one line. A SoundFont is a
RIFF file of the form ``sfbk`` with three lists: INFO, sdta (samples) and pdta
(presets), the last with nine tables of fixed-size records.
"""

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jackcomp.errors import EngineError

SUFFIXES = (".sf2", ".sf3")
SYSTEM_FOLDERS = (
    "/usr/local/share/sounds/sf2",
    "/usr/local/share/soundfonts",
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
)
# What a distribution has chosen for its user comes first in its folders.
_DEFAULTS = ("default-gm", "default")
_LISTS = (b"INFO", b"sdta", b"pdta")
# Bytes of a record in each table of pdta, in order (SoundFont 2.04, section 7).
_TABLES = {
    b"phdr": 38,
    b"pbag": 4,
    b"pmod": 10,
    b"pgen": 4,
    b"inst": 22,
    b"ibag": 4,
    b"imod": 10,
    b"igen": 4,
    b"shdr": 46,
}
# Tables with at least one record and the one that ends them.
_NOT_EMPTY = (b"phdr", b"inst", b"shdr")
_OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip archive: unpack it with gunzip first",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\xfd7zX": "an xz archive: unpack it with unxz first",
}
_HEAD_BYTES = 12
_HOW_TO_GET_ONE = (
    "install one ('apt install fluid-soundfont-gm' on Debian, or the smaller "
    "timgm6mb-soundfont), or name one with --sf2 FILE"
)


@dataclass(frozen=True, slots=True)
class FoundSoundFont:
    """A SoundFont file on this machine.

    Attributes
    ----------
    path : Path
        Where it is.
    size : int
        In bytes.
    problem : str
        Why it cannot be used, in one line; empty if it can.
    """

    path: Path
    size: int
    problem: str


def check_soundfont(path: Path) -> None:
    """Raise `EngineError`, in one line, if a file is no whole SoundFont."""
    try:
        # Before it is opened: a pipe would wait for somebody to write.
        if not stat.S_ISREG(path.stat().st_mode):
            raise EngineError(f"'{path}' is not a file but a folder, device or pipe")
        with path.open("rb") as file:
            _check(path, file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise EngineError(
            f"cannot read SoundFont '{path}': {error.strerror}: "
            "'jackcomp soundfonts' lists what is here"
        ) from error


def find_soundfont(chosen: Path | None, folders: Iterable[Path] | None = None) -> Path:
    """Return the SoundFont to play with.

    Parameters
    ----------
    chosen : Path or None
        By flag, environment or configuration; nothing else will do then.
    folders : iterable of Path, optional
        Searched in order for the first whole one; `search_folders` by default.

    Raises
    ------
    EngineError
        If it cannot be used, or if none is found: then how to get one.
    """
    if chosen is not None:
        check_soundfont(chosen)
        return chosen
    found = list_soundfonts(folders)
    for font in found:
        if not font.problem:
            return font.path
    broken = "".join(f" but a broken one ({font.problem})" for font in found[:1])
    raise EngineError(f"no SoundFont found{broken}: {_HOW_TO_GET_ONE}")


def list_soundfonts(folders: Iterable[Path] | None = None) -> list[FoundSoundFont]:
    """List the SoundFonts of all folders, in the order of the search."""
    found = []
    seen = set()
    for folder in search_folders() if folders is None else folders:
        for path in _fonts_in(folder):
            # Debian's default is a link to one of the others.
            target = os.path.realpath(path)
            if target not in seen:
                seen.add(target)
                found.append(FoundSoundFont(path, _size(path), _problem(path)))
    return found


def search_folders() -> tuple[Path, ...]:
    """Return where SoundFonts are looked for: here, the user's, the system's."""
    from platformdirs import user_data_path

    own = user_data_path("jackcomp") / "soundfonts"
    return (Path("soundfonts"), own, *map(Path, SYSTEM_FOLDERS))


def _fonts_in(folder: Path) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []
    fonts = [path for path in entries if path.suffix.lower() in SUFFIXES]
    return sorted(fonts, key=lambda path: (_preference(path), path.name))


def _preference(path: Path) -> int:
    name = path.stem.lower()
    return _DEFAULTS.index(name) if name in _DEFAULTS else len(_DEFAULTS)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _problem(path: Path) -> str:
    try:
        check_soundfont(path)
    except EngineError as error:
        return str(error)
    return ""


def _check(path: Path, file: BinaryIO, actual: int) -> None:
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise EngineError(f"'{path}' is {_what_it_is(path, head)}")
    expected = _number(head[4:8]) + 8
    if actual < expected:
        raise EngineError(
            f"SoundFont '{path}' is truncated: {actual} bytes of {expected}: "
            "download or copy it again"
        )
    lists = {}
    for name, start, size in _chunks(path, file, _HEAD_BYTES, expected):
        if name == b"LIST" and size >= 4:
            file.seek(start)
            lists[file.read(4)] = (start + 4, start + size)
    for name in _LISTS:
        if name not in lists:
            raise _damaged(path, f"it has no {name.decode()} list")
    _check_tables(path, file, *lists[b"pdta"])


def _check_tables(path: Path, file: BinaryIO, start: int, end: int) -> None:
    sizes = {name: size for name, _, size in _chunks(path, file, start, end)}
    if list(sizes) != list(_TABLES):
        raise _damaged(path, "its preset tables are not the nine of a SoundFont")
    for name, record in _TABLES.items():
        least = 2 * record if name in _NOT_EMPTY else record
        if sizes[name] % record or sizes[name] < least:
            raise _damaged(path, f"its table {name.decode()} has {sizes[name]} bytes")


def _chunks(
    path: Path, file: BinaryIO, start: int, end: int
) -> Iterator[tuple[bytes, int, int]]:
    """Walk over the chunks in [start, end): name, where the content starts, size."""
    # A byte of padding may be missing at the very end.
    while start + 8 <= end:
        file.seek(start)
        name, size = struct.unpack("<4sI", file.read(8))
        start += 8
        if start + size > end:
            shown = name.decode("ascii", "replace")
            raise _damaged(
                path, f"chunk {shown!r} has {size} bytes, with room for {end - start}"
            )
        yield name, start, size
        start += size + size % 2


def _what_it_is(path: Path, head: bytes) -> str:
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            return name
    if not head:
        return "an empty file, not a SoundFont: download or copy it again"
    if path.suffix.lower() == ".sfz":
        return "an SFZ text, which FluidSynth does not play: use an .sf2 file"
    if head[:4] == b"RIFF" and len(head) == _HEAD_BYTES:
        kind = head[8:].decode("ascii", "replace").strip()
        return f"no SoundFont but a RIFF file of the form {kind!r}: use an .sf2 file"
    return "no SoundFont: it does not begin with a RIFF header: use an .sf2 file"


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _damaged(path: Path, what: str) -> EngineError:
    return EngineError(
        f"SoundFont '{path}' is damaged: {what}: download or copy it again"
    )
