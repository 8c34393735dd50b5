"""Meters, their grid of harmonic steps, and musical positions.

1920 ticks to a quarter; a beat is the meter's denominator note; the pulse that
is felt (a dotted quarter in 6/8) is a third thing. Bars, beats and steps count
from 0 at tick 0 and are negative before it; only `format_position` counts from 1.

A harmonic step is the span in which a chord may change. Written groups
(``2+3/4``) are the steps. Otherwise:

1. 6, 9, 12 ... eighths or shorter are grouped by their dotted pulses as the meter
   of so many quarters: 6/8 as 2/4, 9/8 as 3/4, 12/8 as 4/4, 15/8 as 5/4;
2. a bar of one or three beats, or no longer than a half note, is one step: 3/4,
   3/2, 3/8, 2/4, 4/8, 6/8, 9/8;
3. two or four beats make two half-bars: 2/2, 4/4, 12/8 (6+6 eighths);
4. more beats make the fewest groups of at most four, as even as they go, the
   longer first: 3+2 in 5, 3+3 in 6/4, 4+3 in 7, 3+3+3 in 9/4.
"""

import re
from dataclasses import dataclass, field

TICKS_PER_QUARTER = 1920
MAX_NUMERATOR = 32
DENOMINATORS = (1, 2, 4, 8, 16, 32)

_METER = re.compile(
    r"(?P<groups>[0-9]{1,2}(?:\+[0-9]{1,2})*)/(?P<denominator>[0-9]{1,2})"
)


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter, ``4/4`` or ``2+3/4``.

    Attributes
    ----------
    numerator : int
        Beats in a bar, 1-32.
    denominator : int
        Note value of a beat: 1, 2, 4, 8, 16 or 32.
    groups : tuple of int
        Beats in each harmonic step of a bar; left out, the rule of this module.
    beat_ticks, bar_ticks : int
        Length of a beat, the denominator note, and of a bar, in ticks.
    steps : tuple of int
        Lengths of the harmonic steps of a bar, in ticks.

    Raises
    ------
    ValueError
        If a number is out of its range, or the groups do not fill the bar.
    """

    numerator: int
    denominator: int
    groups: tuple[int, ...] = ()
    beat_ticks: int = field(init=False, repr=False, compare=False)
    bar_ticks: int = field(init=False, repr=False, compare=False)
    steps: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= MAX_NUMERATOR:
            raise ValueError(
                f"meter with {self.numerator} beats in a bar: "
                f"expected 1 to {MAX_NUMERATOR}"
            )
        if self.denominator not in DENOMINATORS:
            raise ValueError(
                f"meter with denominator {self.denominator}: "
                f"expected one of {', '.join(map(str, DENOMINATORS))}"
            )
        if not self.groups:
            groups = _default_groups(self.numerator, self.denominator)
            object.__setattr__(self, "groups", groups)
        if sum(self.groups) != self.numerator or min(self.groups) < 1:
            raise ValueError(
                f"meter groups {'+'.join(map(str, self.groups))}: "
                f"expected beats that add up to {self.numerator}"
            )
        beat_ticks = 4 * TICKS_PER_QUARTER // self.denominator
        steps = tuple(group * beat_ticks for group in self.groups)
        object.__setattr__(self, "beat_ticks", beat_ticks)
        object.__setattr__(self, "bar_ticks", self.numerator * beat_ticks)
        object.__setattr__(self, "steps", steps)

    def __str__(self) -> str:
        """Write the meter so that `parse_meter` reads it back."""
        beats = str(self.numerator)
        if self.groups != _default_groups(self.numerator, self.denominator):
            beats = "+".join(map(str, self.groups))
        return f"{beats}/{self.denominator}"

    @property
    def pulse_ticks(self) -> int:
        """Length of the felt pulse, in ticks: dotted in 6/8, otherwise the beat."""
        in_threes = all(group % 3 == 0 for group in self.groups)
        compound = _is_compound(self.numerator, self.denominator) and in_threes
        return (3 if compound else 1) * self.beat_ticks


def parse_meter(text: str) -> Meter:
    """Read a meter such as ``4/4``, ``6/8`` or ``2+2+3/8``.

    Parameters
    ----------
    text : str
        Beats 1-32, or groups of beats with ``+`` between them, over 1, 2, 4, 8, 16
        or 32.

    Returns
    -------
    Meter
        Written groups are its harmonic steps.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    match = _METER.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ValueError(f"unknown meter {text!r}: expected 4/4, 6/8 or 2+3/4, say")
    groups = tuple(int(group) for group in match["groups"].split("+"))
    try:
        return Meter(
            sum(groups), int(match["denominator"]), groups if len(groups) > 1 else ()
        )
    except ValueError as error:
        raise ValueError(f"unknown meter {text!r}: {error}") from error


def step_at(meter: Meter, tick: int) -> tuple[int, int]:
    """Find the harmonic step that a tick lies in.

    Parameters
    ----------
    meter : Meter
        Valid for the whole piece, bar 0 at tick 0.
    tick : int
        May be negative.

    Returns
    -------
    tuple of int
        Step number from bar 0, and the tick where it starts.
    """
    bar, rest = divmod(tick, meter.bar_ticks)
    step, start = bar * len(meter.groups), bar * meter.bar_ticks
    for length in meter.steps:
        if rest < length:
            break
        step, start, rest = step + 1, start + length, rest - length
    return step, start


def step_start(meter: Meter, step: int) -> int:
    """Return the tick where a harmonic step starts; the inverse of `step_at`."""
    bar, index = divmod(step, len(meter.groups))
    return bar * meter.bar_ticks + sum(meter.steps[:index])


def bar_beat(meter: Meter, tick: int) -> tuple[int, int, int]:
    """Split a tick into bar, beat of the bar and tick of the beat, all from 0.

    Parameters
    ----------
    meter : Meter
        Valid for the whole piece, bar 0 at tick 0.
    tick : int
        Before bar 0 the bar is negative; beat and tick never are.

    Returns
    -------
    tuple of int
        Bar, beat below ``meter.numerator``, tick below ``meter.beat_ticks``.
    """
    bar, rest = divmod(tick, meter.bar_ticks)
    beat, tick_in_beat = divmod(rest, meter.beat_ticks)
    return bar, beat, tick_in_beat


def format_position(meter: Meter, tick: int) -> str:
    """Write a tick as bar and beat from 1, such as ``3:2.5``.

    Parameters
    ----------
    meter : Meter
        Valid for the whole piece, bar 1 at tick 0.
    tick : int
        The bar before tick 0 is written as 0.

    Returns
    -------
    str
        Rounded to thousandths of a beat, without trailing zeros.
    """
    # Rounded before it is split, so that 4.9999 becomes the next bar, not beat 5.
    thousandths = (2000 * tick + meter.beat_ticks) // (2 * meter.beat_ticks)
    bar, rest = divmod(thousandths, 1000 * meter.numerator)
    beat, fraction = divmod(rest, 1000)
    return f"{bar + 1}:{beat + 1}.{fraction:03d}".rstrip("0").rstrip(".")


def _is_compound(numerator: int, denominator: int) -> bool:
    return denominator >= 8 and numerator > 3 and numerator % 3 == 0


def _default_groups(numerator: int, denominator: int) -> tuple[int, ...]:
    """Group the beats of a bar by the rule at the top of this module."""
    if _is_compound(numerator, denominator):
        return tuple(3 * pulses for pulses in _default_groups(numerator // 3, 4))
    if numerator in (1, 3) or 2 * numerator <= denominator:
        return (numerator,)
    count = 2 if numerator <= 4 else -(-numerator // 4)
    size, longer = divmod(numerator, count)
    return (size + 1,) * longer + (size,) * (count - longer)
