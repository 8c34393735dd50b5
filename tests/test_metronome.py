from dataclasses import replace

import pytest

from jackcomp.config import Settings, click_bar
from jackcomp.errors import ConfigError
from jackcomp.metronome import PATTERNS, make_metronome
from jackcomp.options import OPTIONS
from jackcomp.timeline.meter import parse_meter


def metronome(pattern, meter, **settings):
    chosen = Settings(click_pattern=pattern, **settings)
    return make_metronome(chosen, parse_meter(meter))


def rhythm(pattern, meter):
    """Write a bar: X for what sounds, . for what does not."""
    return "".join(".X"[v > 0] for _, v in metronome(pattern, meter).clicks)


@pytest.mark.parametrize(
    ("pattern", "meter", "bar"),
    [
        ("beats", "4/4", "XXXX"),
        ("beats", "6/8", "XX"),
        ("eighths", "4/4", "XXXXXXXX"),
        ("eighths", "6/8", "XXXXXX"),
        ("triplets", "3/4", "XXXXXXXXX"),
        ("backbeat", "4/4", ".X.X"),
        ("backbeat", "3/4", ".XX"),
        ("backbeat", "12/8", ".X.X"),
        ("backbeat", "1/4", "X"),
        ("bars", "5/4", "X...."),
        ("clave", "4/4", "X..X..X...X.X..."),
        ("clave", "12/8", "X.X.XX.X.X.X"),
        ("clave", "2+3/4", "X.X.."),
        ("silent", "4/4", "...."),
    ],
)
def test_a_bar_of_each_pattern(pattern, meter, bar):
    assert rhythm(pattern, meter) == bar


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("meter", ["4/4", "3/4", "6/8", "12/8", "7/8", "2+3/4", "2/2"])
def test_the_grid_fills_the_bar(pattern, meter):
    made = metronome(pattern, meter)
    assert made.ticks * len(made.clicks) == parse_meter(meter).bar_ticks


def test_parts_of_a_beat_are_softer_than_every_beat():
    clicks = metronome("eighths", "4/4").clicks
    beats, parts = clicks[::2], clicks[1::2]
    assert beats == click_bar(Settings(), parse_meter("4/4"))
    assert max(v for _, v in parts) < min(v for _, v in beats)


def test_a_row_of_the_player_is_kept():
    meter = parse_meter("4/4")
    own = replace(Settings(), click_keys=((meter, (70, 71, 72, 73)),))
    keys = [key for key, _ in make_metronome(own, meter).clicks]
    assert keys == [70, 71, 72, 73]


def test_too_many_clicks_are_refused():
    with pytest.raises(ConfigError, match="36 clicks in a bar of 12/4"):
        metronome("triplets", "12/4")


def test_every_pattern_can_be_chosen():
    for pattern in PATTERNS:
        assert OPTIONS["click_pattern"].convert(pattern) == pattern
    with pytest.raises(ValueError, match="clave"):
        OPTIONS["click_pattern"].convert("samba")
