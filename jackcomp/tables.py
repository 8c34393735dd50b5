"""Counted or fitted tables from a file: a JSON object, checked against its card.

``tables`` holds the numbers and ``card`` what they come from, how well they do, and
the checksum of ``tables``. What the numbers mean is for each room to say.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from jackcomp.errors import ModelError

T = TypeVar("T")


def load_tables(
    whose: str,
    name: str,
    remedy: str,
    read: Callable[[Mapping[str, Any], Mapping[str, Any]], T],
    path: Path | None = None,
) -> T:
    """Read tables and check them.

    Parameters
    ----------
    whose : str
        What they are called in a message: ``the ear's tables``.
    name : str
        Of the file, among those that are installed with jackcomp.
    remedy : str
        How the player comes by a file that fits; ends the message.
    read : callable
        Turns tables and card into what is wanted; raises ValueError, KeyError or
        TypeError if something is missing or has another shape.
    path : Path, optional
        Another file.

    Raises
    ------
    ModelError
        If the file is missing, is not JSON, or does not match its card.
    """
    source = path or resources.files("jackcomp._models") / name
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"cannot read {whose} {source}: {error.strerror}; {remedy}"
        ) from error
    except ValueError as error:
        raise ModelError(f"{whose} {source} are not JSON: {error}; {remedy}") from error
    try:
        card, tables = content["card"], content["tables"]
        if checksum(tables) != card["checksum"]:
            raise ValueError("checksum differs")
        return read(tables, card)
    except (KeyError, TypeError, ValueError) as error:
        what = f"no field {error}" if isinstance(error, KeyError) else error
        raise ModelError(
            f"{whose} {source} do not match their card: {what}; {remedy}"
        ) from error


def checksum(tables: Mapping[str, Any]) -> str:
    """Give the SHA-256 of tables as canonical JSON, in hexadecimal."""
    text = json.dumps(tables, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
