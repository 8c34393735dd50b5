"""What the metronome clicks: a bar of clicks on a grid, by pattern and meter.

- ``beats``: the felt pulses, as the settings have them;
- ``eighths``, ``triplets``: the pulses in two or three, the parts softer; the pulses
  of 6/8, 9/8 and 12/8 are always in three;
- ``backbeat``: two and four, in other bars all but the bar line, if there is more;
- ``bars``: the bar line alone;
- ``clave``: the son clave in bars of four pulses, the bell of 12/8 in compound ones,
  elsewhere the first pulse of each group;
- ``silent``: nothing, not even a count-in.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jackcomp.config import Settings, click_bar
from jackcomp.errors import ConfigError
from jackcomp.options import count_pulses
from jackcomp.timeline.meter import Meter

MOST_CLICKS = 32
"""Places in a bar that the core has room for."""

PART_KEY, PART_VELOCITY = 52, 40
SON_CLAVE = (0, 3, 6, 10, 12)  # of 16
BELL = (0, 2, 4, 5, 7, 9, 11)  # of 12

Click = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Metronome:
    """A bar of clicks: the distance of two in ticks, MIDI note and velocity of each.

    Velocity 0 is silent.
    """

    ticks: int
    clicks: tuple[Click, ...]


def make_metronome(settings: Settings, meter: Meter) -> Metronome:
    """Lay out what a bar of this meter clicks.

    Raises
    ------
    ConfigError
        If the pattern has more clicks in such a bar than the core has room for.
    """
    beats = click_bar(settings, meter)
    clicks = PATTERNS[settings.click_pattern](beats, meter)
    if len(clicks) > MOST_CLICKS:
        raise ConfigError(
            f"click_pattern '{settings.click_pattern}' has {len(clicks)} clicks in a "
            f"bar of {meter}: expected {MOST_CLICKS} at most, choose 'beats'"
        )
    return Metronome(meter.bar_ticks // len(clicks), clicks)


def _is_compound(meter: Meter) -> bool:
    return meter.pulse_ticks != meter.beat_ticks


def _hush(click: Click) -> Click:
    return click[0], 0


def _keep(beats: tuple[Click, ...], sounds: Callable[[int], bool]) -> tuple[Click, ...]:
    return tuple(
        click if sounds(place) else _hush(click) for place, click in enumerate(beats)
    )


def _divide(beats: tuple[Click, ...], parts: int) -> tuple[Click, ...]:
    part = (PART_KEY, PART_VELOCITY)
    return tuple(click for beat in beats for click in (beat, *(part,) * (parts - 1)))


def _eighths(beats: tuple[Click, ...], meter: Meter) -> tuple[Click, ...]:
    return _divide(beats, 3 if _is_compound(meter) else 2)


def _backbeat(beats: tuple[Click, ...], meter: Meter) -> tuple[Click, ...]:
    if len(beats) == 1:
        return beats
    every = 2 if count_pulses(meter) % 2 == 0 else len(beats)
    return _keep(beats, lambda place: place % every != 0)


def _clave(beats: tuple[Click, ...], meter: Meter) -> tuple[Click, ...]:
    if count_pulses(meter) == 4:
        is_compound = _is_compound(meter)
        strokes, parts = (BELL, 3) if is_compound else (SON_CLAVE, 4)
        key, velocity = beats[0]
        return tuple((key, velocity * (place in strokes)) for place in range(4 * parts))
    starts = {sum(meter.steps[:index]) for index in range(len(meter.steps))}
    return _keep(beats, lambda place: place * meter.pulse_ticks in starts)


PATTERNS: dict[str, Callable[[tuple[Click, ...], Meter], tuple[Click, ...]]] = {
    "beats": lambda beats, _: beats,
    "eighths": _eighths,
    "triplets": lambda beats, _: _divide(beats, 3),
    "backbeat": _backbeat,
    "bars": lambda beats, _: _keep(beats, lambda place: place == 0),
    "clave": _clave,
    "silent": lambda beats, _: _keep(beats, lambda _place: False),
}
