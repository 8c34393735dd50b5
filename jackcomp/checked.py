"""TOML tables whose every key is asked for and checked.

A wrong value raises ``ConfigError`` in one line: file, key, what was expected.
A converter takes a value and returns it as it is used, or raises ``ValueError``
with what it expected.
"""

from collections.abc import Callable
from typing import TypeVar

from jackcomp.errors import ConfigError

T = TypeVar("T")
U = TypeVar("U")
Convert = Callable[[object], T]


class CheckedTable:
    """A TOML table that knows where it stands and which keys nobody took.

    Parameters
    ----------
    file : str
        Named in errors.
    content : object
        What TOML gave; anything but a table is an error.
    path : str
        What stands before the keys in errors, ``chords.change[0].`` for example.
    """

    def __init__(self, file: str, content: object, path: str = "") -> None:
        self._file = file
        self._path = path
        if not isinstance(content, dict):
            raise self._error(path.rstrip("."), content, "a table")
        self._rest = dict(content)

    def __contains__(self, key: str) -> bool:
        return key in self._rest

    def take(self, key: str, convert: Convert[T], default: object = None) -> T:
        """Return the value of a key; with a default it may be left out."""
        value = self._rest.pop(key, default)
        try:
            return convert(value)
        except ValueError as error:
            raise self._error(self._path + key, value, str(error)) from error

    def table(self, key: str) -> "CheckedTable":
        """Return the table under a key."""
        content = self._rest.pop(key, None)
        return CheckedTable(self._file, content, f"{self._path}{key}.")

    def tables(self, key: str) -> "list[CheckedTable]":
        """Return the tables in the list under a key; there is at least one."""
        return [
            CheckedTable(self._file, item, f"{self._path}{key}[{number}].")
            for number, item in enumerate(self.take(key, listed(_anything)))
        ]

    def finish(self) -> None:
        """Raise if there is a key that nobody took: most likely misspelt."""
        for key, value in self._rest.items():
            raise self._error(self._path + key, value, "no such key here")

    def _error(self, key: str, value: object, expected: str) -> ConfigError:
        found = "missing" if value is None else repr(value)
        return ConfigError(
            f"style '{self._file}': {key} is {found}: expected {expected}"
        )


def text(value: object) -> str:
    """Accept a line of text that is not blank."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    raise ValueError("a line of text")


def flag(value: object) -> bool:
    """Accept true and false."""
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def integer(low: int, high: int) -> Convert[int]:
    """Accept whole numbers from low to high."""

    def convert(value: object) -> int:
        # For Python true is a number; in a style it is a mistake.
        is_bool = isinstance(value, bool)
        if isinstance(value, int) and not is_bool and low <= value <= high:
            return value
        raise ValueError(f"a whole number from {low} to {high}")

    return convert


def number(low: float, high: float) -> Convert[float]:
    """Accept numbers from low to high."""

    def convert(value: object) -> float:
        is_bool = isinstance(value, bool)
        if isinstance(value, int | float) and not is_bool and low <= value <= high:
            return float(value)
        raise ValueError(f"a number from {low} to {high}")

    return convert


def choice(*words: T) -> Convert[T]:
    """Accept one of these words."""

    def convert(value: object) -> T:
        for word in words:
            if value == word:
                return word
        raise ValueError(" or ".join(f'"{word}"' for word in words))

    return convert


def either(first: Convert[T], second: Convert[U]) -> Convert[T | U]:
    """Accept what one of two converters accepts."""

    def convert(value: object) -> T | U:
        try:
            return first(value)
        except ValueError as error:
            try:
                return second(value)
            except ValueError as other:
                raise ValueError(f"{error} or {other}") from other

    return convert


def listed(each: Convert[T], length: int = 0) -> Convert[tuple[T, ...]]:
    """Accept lists of so many values, or of any number but none."""

    def convert(value: object) -> tuple[T, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError("a list")
        if length and len(value) != length:
            raise ValueError(f"a list of {length}")
        return tuple(each(item) for item in value)

    return convert


def _anything(value: object) -> object:
    return value
