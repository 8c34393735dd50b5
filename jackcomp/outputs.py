"""Files that appear whole or not at all.

Every path is checked before the work starts; the work writes to temporary names
in the same folders, and they are renamed when all of it is done.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jackcomp.errors import ConfigError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def reserve(
    paths: Iterable[Path], inputs: Iterable[Path] = ()
) -> Iterator[Mapping[Path, Path]]:
    """Reserve files to write.

    Parameters
    ----------
    paths : iterable of Path
        What will be written; what is there already is replaced at the end.
    inputs : iterable of Path
        Files that are read meanwhile and must not be replaced.

    Yields
    ------
    mapping of Path to Path
        For each path an empty file with the same suffix in the same folder. On
        the way out they get their names, or are removed if something was raised.

    Raises
    ------
    ConfigError
        If a path cannot be written, at once; if there is no room left, later.
    """
    paths = list(paths)
    _check_distinct(paths, list(inputs))
    for path in paths:
        check_writable(path)
    temporary: dict[Path, Path] = {}
    try:
        for path in paths:
            temporary[path] = _create_beside(path)
        yield temporary
        for path, written in temporary.items():
            # Through a symbolic link, so that the link stays.
            written.replace(path.resolve())
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise ConfigError(
            f"cannot write '{paths[0]}': {error.strerror}: make room on the disk, or "
            "write to another folder"
        ) from error
    finally:
        for written in temporary.values():
            written.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise `ConfigError`, saying what to do, if a file cannot be written there."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ConfigError(
            f"cannot write '{path}': there is no folder '{folder}': "
            "create it, or write to another"
        )
    if path.is_dir():
        raise ConfigError(
            f"cannot write '{path}': it is a folder: give the name of a file in it"
        )
    if path.exists() and not path.is_file():
        raise ConfigError(
            f"cannot write '{path}': it is a device or pipe: give the name of a file"
        )
    if path.exists() and not os.access(path, os.W_OK, effective_ids=True):
        raise ConfigError(
            f"cannot write '{path}': the file is write-protected: choose another name"
        )
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise ConfigError(
            f"cannot write '{path}': no permission in the folder '{folder}': "
            "change its permissions, or write to another"
        )


def _check_distinct(paths: list[Path], inputs: list[Path]) -> None:
    taken = {path.resolve() for path in inputs}
    for path in paths:
        if path.resolve() in taken:
            raise ConfigError(
                f"cannot write '{path}': the same file is named twice: "
                "give every output a name of its own"
            )
        taken.add(path.resolve())


def _create_beside(path: Path) -> Path:
    """Create an empty file; its suffix stays, because writers go by it."""
    target = path.resolve()
    temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        # Not mkstemp: the finished file shall have the permissions of any other.
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise ConfigError(
            f"cannot write '{path}': {error.strerror}: write to another folder"
        ) from error
    return temporary
