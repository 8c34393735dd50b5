"""The options: how each setting is read, checked and explained.

One table for the configuration file, the environment and the command line. A key
is the same everywhere: ``count_in = 2`` in the file, ``JACKCOMP_COUNT_IN=2`` in the
environment, ``--count-in 2`` as a flag. The defaults are in ``config.Settings``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from jackcomp.checked import Convert, choice, flag, integer, number, text
from jackcomp.theory.genre import AUTO_GENRE, GENRES
from jackcomp.theory.key import Key, parse_key
from jackcomp.timeline.meter import Meter, parse_meter

Split: TypeAlias = int | Literal["auto", "off"]
"""Where the hands part: the lowest note of the right hand, or how to find it."""

ByMeter = tuple[tuple[Meter, tuple[int, ...]], ...]
"""For some meters a row of numbers, one for each pulse of a bar."""

_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Option:
    """How a setting is read, checked and explained.

    Attributes
    ----------
    key : str
        Its name in the file.
    convert : callable
        A value as TOML has it -> the value of the setting; `ValueError` says what
        was expected.
    metavar : str
        What stands for the value in help; empty for a switch.
    about : str
        Its help: what it does, the unit, and what happens without it.
    read : callable
        Text of a flag or of the environment -> a value as TOML has it.
    limits : str
        ``0 to 4``, for a number.
    switch : str
        Declaration of a switch, such as ``--click/--no-click``.
    is_shown : bool
        In help.
    """

    key: str
    convert: Convert[object]
    metavar: str
    about: str
    read: Callable[[str], object] = str
    limits: str = ""
    switch: str = ""
    is_shown: bool = True

    @property
    def flag(self) -> str:
        """The long option that sets it."""
        return "--" + self.key.replace("_", "-")


def whole_option(key: str, low: int, high: int, metavar: str, about: str) -> Option:
    """Make the option of a whole number."""
    limits = f"{low} to {high}" if high < 2**31 else ""
    return Option(key, integer(low, high), metavar, about, _read_whole, limits)


def _number(key: str, low: int, high: int, metavar: str, about: str) -> Option:
    limits = f"{low} to {high}"
    return Option(key, number(low, high), metavar, about, _read_decimal, limits)


def _switch(key: str, declaration: str, about: str) -> Option:
    return Option(key, flag, "", about, _read_switch, switch=declaration)


def count_pulses(meter: Meter) -> int:
    """Return how often a bar clicks."""
    return meter.bar_ticks // meter.pulse_ticks


# Text that is no number is left as it is, for the check to refuse.
def _read_whole(value: str) -> object:
    try:
        return int(value)
    except ValueError:
        return value


def _read_decimal(value: str) -> object:
    try:
        return float(value)
    except ValueError:
        return value


def _read_switch(value: str) -> object:
    return _WORDS.get(value.strip().lower(), value)


def _path(value: object) -> Path:
    try:
        return Path(text(value)).expanduser()
    except (RuntimeError, ValueError) as error:
        raise ValueError("the path of a file or folder") from error


def _meter(value: object) -> Meter:
    try:
        return parse_meter(text(value))
    except ValueError as error:
        raise ValueError("a meter such as 4/4, 6/8 or 2+3/4") from error


def _key(value: object) -> Key | None:
    if value == "auto":
        return None
    try:
        return parse_key(text(value))
    except ValueError as error:
        raise ValueError("auto, or a key such as C, F#, Am or Bbm") from error


def _split(value: object) -> Split:
    if value in ("auto", "off"):
        return "auto" if value == "auto" else "off"
    try:
        return integer(1, 127)(_read_whole(value) if isinstance(value, str) else value)
    except ValueError as error:
        raise ValueError("auto, off, or a MIDI note from 1 to 127") from error


def _style(value: object) -> str:
    # Late, because --help has no need of it.
    from jackcomp.arranger.pattern import list_styles

    known = list_styles()
    if isinstance(value, str) and (value in known or value.endswith(".toml")):
        return value
    raise ValueError(f"{', '.join(known)}, or the path of a .toml file")


def _client_name(value: object) -> str:
    # JACK separates client and port by a colon, and limits both together.
    if isinstance(value, str) and re.fullmatch(r"[^:/\s][^:/\n]{0,31}", value):
        return value
    raise ValueError("1 to 32 characters, no colon or slash among them")


def _patterns(value: object) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list):
        raise ValueError("a regular expression or a list of them")
    for pattern in patterns:
        try:
            re.compile(text(pattern))
        except (re.error, ValueError) as error:
            raise ValueError(f"regular expressions for port names: {error}") from error
    return tuple(patterns)


def _by_meter(value: object) -> ByMeter:
    """Accept a table such as ``{"4/4" = [52, 52, 62, 64]}``."""
    if not isinstance(value, dict):
        raise ValueError('a table such as {"4/4" = [52, 52, 62, 64]}')
    rows = []
    for name, numbers in value.items():
        meter = _meter(name)
        pulses = count_pulses(meter)
        if not isinstance(numbers, list) or len(numbers) != pulses:
            raise ValueError(f"a list of {pulses} numbers for {name}, one a pulse")
        rows.append((meter, tuple(integer(0, 127)(item) for item in numbers)))
    return tuple(rows)


MUSICAL = (
    Option(
        "sf2",
        _path,
        "FILE",
        "SoundFont to play with; default: the first of `jackcomp soundfonts`.",
    ),
    _number(
        *("bpm", 20, 400, "BPM"),
        "Tempo in quarters a minute; default: that of the solo file, 120 live.",
    ),
    Option(
        "meter",
        _meter,
        "METER",
        "Meter, such as 3/4 or 2+3/4; default: that of the file, 4/4 live.",
    ),
    Option(
        "key",
        _key,
        "KEY",
        "Key, such as C, Am or Bb; default: auto, found by listening.",
    ),
    Option("style", _style, "STYLE", "One of `jackcomp styles`, or a .toml file."),
    whole_option("seed", 0, 2**63 - 1, "NUMBER", "Same solo and seed, same music."),
    _number(
        *("ai_weight", 0, 1, "WEIGHT"),
        "How much the networks count: 0 is what was counted alone, 1 the chord model "
        "alone; default: fitted on songs.",
    ),
    Option(
        "split",
        _split,
        "NOTE",
        "Lowest MIDI note of the right hand; what lies below states the chords. "
        "Default: auto, found by listening; off: all is melody.",
    ),
    whole_option(
        *("listen_beats", 0, 64, "BEATS"),
        "How long it listens, at most, until it is sure enough to come in.",
    ),
    _switch(
        *("calm", "--calm/--no-calm"),
        "Change chords less readily, or as readily as songs do (default).",
    ),
    Option(
        "genre",
        choice(AUTO_GENRE, *GENRES),
        "GENRE",
        f"What the model expects: {', '.join(GENRES)}; default: auto, inferred from "
        "what is played.",
    ),
    _number("lead", 5, 500, "MS", "Milliseconds from a decision to its sound."),
    _number("gain", 0, 4, "FACTOR", "Loudness of the accompaniment."),
    _switch(
        *("solo", "--solo/--no-solo"),
        "Sound the soloist's notes too (default), or leave it to the keyboard.",
    ),
    whole_option(
        *("solo_program", 0, 127, "PROGRAM"),
        "The soloist's sound: a General MIDI program, from 0 (piano).",
    ),
    _number("solo_gain", 0, 4, "FACTOR", "Loudness of the soloist's sound."),
    _switch(
        *("click", "--click/--no-click"),
        "Click all the time, or in the count-in alone (default).",
    ),
    Option(
        "click_pattern",
        choice(
            *("beats", "eighths", "triplets", "backbeat", "bars", "clave", "silent")
        ),
        "PATTERN",
        "What clicks, in the count-in too: beats, eighths, triplets, backbeat, bars, "
        "clave, or silent (nothing at all).",
    ),
    _number("reverb", 0, 1, "SHARE", "Reverb; 0 is dry."),
    whole_option(
        *("thin_after", 0, 64, "BARS"),
        "Bars without a note after which chord and bass are only struck and held, "
        "until you play again; 0: never.",
    ),
    whole_option(
        *("end_after", 0, 64, "BARS"),
        "Bars without a note after which it ends on a held chord, or at most two with "
        "a note of the tonic held; 0: never.",
    ),
    _switch(
        *("follow_tempo", "--follow-tempo/--fixed-tempo"),
        "Follow the player's tempo, or hold it (default).",
    ),
    _number(
        *("tightness", 0, 1, "SHARE"),
        "With --follow-tempo, how soon a difference is made up for: 0 in two beats, "
        "0.5 in one, 1 in half a beat.",
    ),
    Option(
        "tap_pedal",
        choice("none", "sostenuto", "soft"),
        "PEDAL",
        "Pedal that taps the tempo while it plays, a press a beat; default: none.",
    ),
    Option(
        "top_pedal",
        choice("none", "sostenuto", "soft"),
        "PEDAL",
        "Pedal that says: again from the top, at the next bar line; default: none.",
    ),
)
"""Options of the music, live and rendered."""

LIVE = (
    Option(
        "start",
        choice("count-in", "first-note", "taps", "transport"),
        "HOW",
        "What sets beat one: count-in (clicks, then it plays), first-note, taps (four "
        "beats on any key or pedal, then it begins), or transport (JACK's).",
    ),
    whole_option(
        *("count_in", 1, 8, "BARS"),
        "Bars of clicks before beat one, with --start count-in.",
    ),
    _number(
        *("pickup", 0, 16, "BEATS"),
        "Beats of upbeat before bar one, with --start first-note.",
    ),
    Option(
        "transport",
        choice("none", "follow", "lead"),
        "HOW",
        "JACK's transport: none, follow (its start, stop, position and tempo are "
        "ours), or lead (it starts with us, and others follow our bars and tempo).",
    ),
    Option(
        "midi_clock",
        choice("none", "follow", "send"),
        "HOW",
        "MIDI clock: none, follow (what comes in at control_in sets the time), or send "
        "(at midi_out).",
    ),
    Option("name", _client_name, "NAME", "Name of the JACK client."),
    _switch("exact_name", "--exact-name", "Exit if the name is taken."),
    Option("server", text, "NAME", "JACK server; default: the default server."),
    Option(
        "connect",
        _patterns,
        "REGEX",
        "MIDI ports to listen to, by their full names; repeatable. Default: all "
        "keyboards.",
        # In the environment one to a line: names of ports have blanks and colons.
        read=str.splitlines,
    ),
    _switch("no_connect", "--no-connect", "Connect nothing by itself."),
    Option("record", _path, "DIR", "Folder to record the session in."),
    Option(
        "view",
        choice("auto", "full", "plain", "none"),
        "VIEW",
        "What the terminal shows: full (redrawn), plain (a line a chord), none; auto "
        "is full on a terminal, elsewhere plain.",
    ),
    _switch(
        *("keys", "--keys/--no-keys"),
        "Keys of the terminal steer it: space taps the tempo, a key a beat, left and "
        "right move the beat by 10 ms.",
    ),
    Option("stats", _path, "FILE", "Write the counters there, a JSON line a second."),
    Option(
        "stress",
        flag,
        "",
        "Keep Python busy, to see that the sound does not mind.",
        _read_switch,
        switch="--stress",
        is_shown=False,
    ),
)
"""Options of live playing alone."""

DEBUG = _switch("debug", "--debug", "Show where in the program an error comes from.")

IN_FILE_ONLY = (
    Option("click_keys", _by_meter, "", "MIDI note of each click of a bar, by meter."),
    Option("click_velocities", _by_meter, "", "Velocity of each click; 0 is silent."),
)
"""Options that are neither flags nor in the environment."""

OPTIONS = {option.key: option for option in (*MUSICAL, *LIVE, DEBUG, *IN_FILE_ONLY)}
"""All options by their keys."""
