"""The state of a session as a file: what SIGUSR1 writes.

``jackcomp/NAME.json`` in the user's state folder (``~/.local/state`` unless
``XDG_STATE_HOME`` is set), NAME being that of the JACK client: a JSON object with the
settings in force and the counters of this moment.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from jackcomp.config import Settings
from jackcomp.errors import ConfigError
from jackcomp.outputs import reserve
from jackcomp.theory.key import Key, format_key


def state_file(client_name: str) -> Path:
    """Return where the state of a client is written."""
    from platformdirs import user_state_path

    return user_state_path("jackcomp") / f"{client_name}.json"


def write_state(path: Path, settings: Settings, record: Mapping[str, object]) -> None:
    """Write the state, whole or not at all.

    Raises
    ------
    ConfigError
        If it cannot be written there.
    """
    state = {
        "settings": {
            field.name: _plain(getattr(settings, field.name))
            for field in fields(Settings)
        },
        **record,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot write '{path}': {error.strerror}: set XDG_STATE_HOME to a folder "
            "that can be written to"
        ) from error
    with reserve([path]) as temporary:
        temporary[path].write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """Return a setting as JSON has it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Key():
            return format_key(value)
        case tuple():
            return [_plain(item) for item in value]
    return str(value)  # a path or a meter
