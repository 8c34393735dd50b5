import pytest

from jackcomp.config import load_settings
from jackcomp.duo import build_pacer, first_tempo, place_at, start_tick, told_live
from jackcomp.errors import ConfigError
from jackcomp.timeline.meter import parse_meter


@pytest.fixture(autouse=True)
def no_settings_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def pace():
    """Build a pacer as it is built live."""

    def build(**flags):
        settings = load_settings(flags, None, {})
        meter = settings.meter or parse_meter("4/4")
        place = place_at(settings, meter, first_tempo(settings), 48_000, 256)
        begin = start_tick(settings, meter)
        return build_pacer(settings, place, told_live(settings), begin)

    return build


@pytest.mark.parametrize(
    ("flags", "waits"),
    [
        ({"tap_pedal": "soft"}, False),
        ({"keys": "true"}, False),
        ({"follow_tempo": "true", "bpm": "90"}, False),
        ({"follow_tempo": "true"}, True),
        ({"follow_tempo": "true", "tap_pedal": "soft"}, True),
    ],
)
def test_only_who_follows_an_unknown_tempo_has_to_find_it_first(pace, flags, waits):
    pacer = pace(start="first-note", **flags)
    assert pacer.is_settled is not waits
    assert pacer.seeks is waits


def test_a_tempo_that_nobody_could_follow_is_refused_in_one_line(pace):
    with pytest.raises(ConfigError, match=r"7/8 at 200 .* at most 338 .* are 400") as e:
        pace(follow_tempo="true", bpm="200", meter="7/8")
    assert "\n" not in str(e.value)
    assert pace(tap_pedal="soft", bpm="200", meter="7/8").is_settled


def test_nobody_steers_a_held_tempo(pace):
    assert pace(start="first-note") is None
    assert pace(start="count-in", bpm="90") is None
