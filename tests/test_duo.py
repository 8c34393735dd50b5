import pytest

from jackcomp.config import load_settings
from jackcomp.duo import (
    build_pacer,
    first_tempo,
    place_at,
    restart_tick,
    start_tick,
    told_live,
)
from jackcomp.errors import ConfigError
from jackcomp.timeline.clock import bpm_to_ns_per_quarter
from jackcomp.timeline.meter import parse_meter


@pytest.fixture(autouse=True)
def no_settings_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def pace():
    """Build a pacer as it is built live."""

    def build(bpm_of_file=None, **flags):
        settings = load_settings(flags, None, {})
        meter = settings.meter or parse_meter("4/4")
        tempo = first_tempo(settings)
        if bpm_of_file is not None:
            tempo = bpm_to_ns_per_quarter(bpm_of_file)
        place = place_at(settings, meter, tempo, 48_000, 256)
        begin = start_tick(settings, meter)
        return build_pacer(
            settings,
            place,
            told_live(settings),
            begin,
            restart_tick=restart_tick(settings, meter),
        )

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


@pytest.mark.parametrize(
    ("bpm", "meter", "said"),
    [
        (200, "7/8", "7/8 at 200 .* 45 to 338 .* here are 400; choose a slower"),
        (5, "2/4", "2/4 at 5 .* 45 to 338 .* here are 5; choose a faster"),
    ],
)
def test_a_tempo_that_nobody_could_follow_is_refused_in_one_line(
    bpm, meter, said, pace
):
    with pytest.raises(ConfigError, match=said) as e:
        pace(bpm, follow_tempo="true", meter=meter, bpm="100")
    assert "\n" not in str(e.value)


def test_taps_alone_may_be_as_fast_as_one_likes(pace):
    assert pace(tap_pedal="soft", bpm="200", meter="7/8").is_settled


@pytest.mark.parametrize(
    "flags",
    [
        {"start": "count-in", "bpm": "90"},
        {"start": "first-note", "end_after": "0"},
        {"start": "transport"},
        {"start": "first-note", "transport": "follow"},
        {"start": "first-note", "midi_clock": "follow"},
    ],
)
def test_nobody_steers_a_held_tempo_where_bars_go_on(pace, flags):
    assert pace(**flags) is None


@pytest.mark.parametrize("bpm", ["60", "97", "120", "143"])
def test_who_only_begins_songs_has_the_lead_of_a_held_tempo(bpm):
    settings = load_settings({"start": "first-note", "bpm": bpm}, None, {})
    place = place_at(settings, parse_meter("4/4"), first_tempo(settings), 48_000, 256)
    pacer = build_pacer(settings, place, told_live(settings), 0, restart_tick=0)
    assert pacer.lead_ticks == place.lead_ticks(place.ns_per_quarter)
    assert pacer.is_settled


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        ({"start": "first-note"}, 0),
        ({"start": "first-note", "pickup": "1.5", "meter": "6/8"}, -1440),
        ({"start": "taps"}, 0),
        ({"start": "count-in"}, None),
        ({"start": "first-note", "transport": "lead"}, 0),
        ({"start": "first-note", "transport": "follow"}, None),
    ],
)
def test_where_the_first_note_after_an_ending_is(flags, place):
    settings = load_settings(flags, None, {})
    meter = settings.meter or parse_meter("4/4")
    assert restart_tick(settings, meter) == place
