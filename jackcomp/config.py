"""Settings: configuration file < environment < flags, every value checked once.

A relative path in the file starts at the folder of the file.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jackcomp.errors import ConfigError
from jackcomp.options import (
    IN_FILE_ONLY,
    OPTIONS,
    ByMeter,
    Option,
    Split,
    count_pulses,
)
from jackcomp.theory.genre import AUTO_GENRE
from jackcomp.theory.key import Key
from jackcomp.timeline.meter import Meter

ENVIRONMENT_PREFIX = "JACKCOMP_"

_CLICK_LOW, _CLICK_LEADING, _CLICK_LAST = 52, 62, 64  # E3 D4 E4
_BAR_VELOCITY, _GROUP_VELOCITY, _PULSE_VELOCITY = 112, 92, 72
# A field carries its unit where the key has none.
_FIELDS = {"lead": "lead_ms"}


def _fitted_ai_weight() -> float:
    # Late, because it needs numpy, which --help has no time for.
    from jackcomp.decision.fusion import DEFAULT_AI_WEIGHT

    return float(DEFAULT_AI_WEIGHT)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a player can set; ``options.py`` explains each.

    None stands for: the solo's own (``bpm``, ``meter``), found by listening
    (``key``), searched for (``sf2``), the default server (``server``), nothing
    written (``record``, ``stats``).
    """

    sf2: Path | None = None
    bpm: float | None = None
    meter: Meter | None = None
    key: Key | None = None
    style: str = "ballad"
    seed: int = 0
    ai_weight: float = field(default_factory=_fitted_ai_weight)
    split: Split = "auto"
    listen_beats: int = 8
    calm: bool = False
    genre: str = AUTO_GENRE
    lead_ms: float = 45.0
    gain: float = 1.0
    solo: bool = True
    solo_program: int = 0
    solo_gain: float = 1.0
    click: bool = False
    click_pattern: str = "beats"
    click_keys: ByMeter = ()
    click_velocities: ByMeter = ()
    reverb: float = 0.25
    thin_after: int = 2
    end_after: int = 8
    follow_tempo: bool = False
    tightness: float = 0.5
    tap_pedal: str = "none"
    top_pedal: str = "none"
    start: str = "count-in"
    count_in: int = 1
    pickup: float = 0.0
    transport: str = "none"
    midi_clock: str = "none"
    name: str = "jackcomp"
    exact_name: bool = False
    server: str | None = None
    connect: tuple[str, ...] = ()
    no_connect: bool = False
    record: Path | None = None
    view: str = "auto"
    keys: bool = False
    stats: Path | None = None
    stress: bool = False
    debug: bool = False


def field_of(key: str) -> str:
    """Return the field of `Settings` that an option sets."""
    return _FIELDS.get(key, key)


def load_settings(
    flags: Mapping[str, object],
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Collect the settings from file, environment and flags, and check them.

    Parameters
    ----------
    flags : mapping
        By key: text, a bool for a switch, a tuple of texts for a repeatable flag;
        None or an empty tuple where it was not given.
    file : Path, optional
        Must exist; otherwise ``JACKCOMP_CONFIG``, otherwise `default_file` if it
        is there.
    environment : mapping, optional
        Of this process, unless given. Empty variables count as not set.

    Raises
    ------
    ConfigError
        In one line: the key, where the value is from, what was expected.
    """
    environment = os.environ if environment is None else environment
    named = file or environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    values = _from_file(Path(named) if named else None)
    values |= _from_environment(environment)
    values |= {
        key: read_flag(OPTIONS[key], value)
        for key, value in flags.items()
        if value not in (None, ())
    }
    settings = Settings(**{field_of(key): value for key, value in values.items()})
    _check_clocks(settings)
    _check_pedals(settings)
    return settings


def _check_clocks(settings: Settings) -> None:
    """Refuse settings that would have two clocks set the time."""
    if settings.transport == "lead" and settings.start == "transport":
        raise ConfigError(
            "transport is 'lead', so it waits for jackcomp, and start is 'transport', "
            "so jackcomp waits for it: choose start 'count-in' or 'first-note'"
        )
    uses_transport = settings.transport != "none" or settings.start == "transport"
    if settings.midi_clock == "follow" and uses_transport:
        raise ConfigError(
            "midi_clock is 'follow', and JACK's transport is used too: let one of them "
            "set the time, with transport and start without it, or midi_clock 'none'"
        )
    others = {
        "midi_clock": settings.midi_clock == "follow",
        "transport": settings.transport == "follow",
        "start": settings.start == "transport",
    }
    ours = {
        "follow_tempo": settings.follow_tempo,
        "tap_pedal": settings.tap_pedal != "none",
        "keys": settings.keys,
    }
    if any(others.values()) and any(ours.values()):
        other, own = (next(k for k, on in d.items() if on) for d in (others, ours))
        raise ConfigError(
            f"with {other} '{getattr(settings, other)}' another program sets the "
            f"tempo, and {own} is to set it too: leave one of them out"
        )


def _check_pedals(settings: Settings) -> None:
    """Refuse one pedal for two things."""
    if settings.tap_pedal == settings.top_pedal != "none":
        raise ConfigError(
            f"tap_pedal and top_pedal are both '{settings.tap_pedal}': choose 'soft' "
            "for one of them and 'sostenuto' for the other"
        )


def default_file() -> Path:
    """Return where the configuration file is looked for, by the XDG rules."""
    from platformdirs import user_config_path

    return user_config_path("jackcomp") / "config.toml"


def read_flag(option: Option, value: object) -> Any:
    """Read and check what was given with a flag; `ConfigError` if it is wrong."""
    if isinstance(value, str):
        value = option.read(value)
    elif isinstance(value, tuple):
        value = list(value)
    return _checked(value, option, option.flag)


def click_bar(settings: Settings, meter: Meter) -> tuple[tuple[int, int], ...]:
    """Say how a bar of this meter clicks.

    Where the settings have no row for it, the pitches are E3 ... E3 D4 E4: the
    last two lead to the next bar line (in a bar of two pulses E3 E4). The bar line
    is loudest, then the first pulse of each group.

    Returns
    -------
    tuple of (int, int)
        MIDI note and velocity of each pulse, the bar line first.
    """
    pulses = count_pulses(meter)
    leading = (_CLICK_LEADING, _CLICK_LAST) if pulses > 2 else (_CLICK_LAST,)
    keys = (_CLICK_LOW,) * max(pulses - len(leading), 1) + leading
    velocities = [_PULSE_VELOCITY] * pulses
    for index in range(len(meter.groups)):
        pulse, rest = divmod(sum(meter.steps[:index]), meter.pulse_ticks)
        if rest == 0:
            velocities[pulse] = _GROUP_VELOCITY if index else _BAR_VELOCITY
    return tuple(
        zip(
            dict(settings.click_keys).get(meter, keys[:pulses]),
            dict(settings.click_velocities).get(meter, tuple(velocities)),
            strict=True,
        )
    )


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or default_file()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if file is None and isinstance(error, FileNotFoundError | NotADirectoryError):
            return {}
        raise ConfigError(
            f"cannot read configuration file '{path}': {error.strerror}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"cannot read configuration file '{path}': expected TOML text: {error}"
        ) from error
    values = {}
    for key, value in content.items():
        if key not in OPTIONS:
            (nearest,) = difflib.get_close_matches(key, OPTIONS, n=1, cutoff=0)
            raise ConfigError(
                f"unknown key '{key}' in '{path}': the nearest known one is '{nearest}'"
            )
        checked = _checked(value, OPTIONS[key], f"{key} in '{path}'")
        if isinstance(checked, Path):
            checked = path.parent / checked
        elif key == "style" and checked.endswith(".toml"):
            checked = str(path.parent / checked)
        values[key] = checked
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for key, option in OPTIONS.items():
        variable = ENVIRONMENT_PREFIX + key.upper()
        value = environment.get(variable)
        if value and option not in IN_FILE_ONLY:
            values[key] = _checked(option.read(value), option, variable)
    return values


def _checked(value: object, option: Option, source: str) -> Any:
    try:
        return option.convert(value)
    except ValueError as error:
        raise ConfigError(f"{source} is {value!r}: expected {error}") from error
