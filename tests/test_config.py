import dataclasses
from pathlib import Path

import pytest

from jackcomp.config import Settings, click_bar, field_of, load_settings
from jackcomp.errors import ConfigError
from jackcomp.options import OPTIONS
from jackcomp.theory.key import Key
from jackcomp.timeline.meter import parse_meter


@pytest.fixture(autouse=True)
def no_settings_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))


def write_file(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def clicks(text: str, settings: Settings | None = None) -> list[tuple[int, int]]:
    return list(click_bar(settings or load_settings({}, None, {}), parse_meter(text)))


def test_every_field_has_an_option_and_every_option_a_field():
    fields = {item.name for item in dataclasses.fields(Settings)}
    assert {field_of(key) for key in OPTIONS} == fields


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path):
    file = write_file(tmp_path, "bpm = 60\nseed = 1\ngain = 2\nclick = true")
    environment = {"JACKCOMP_BPM": "70.5", "JACKCOMP_SEED": "2", "JACKCOMP_CLICK": "no"}
    flags = {"bpm": "80", "seed": None, "connect": (), "lead": "20"}
    settings = load_settings(flags, file, environment)
    assert (settings.bpm, settings.seed, settings.gain) == (80.0, 2, 2.0)
    assert (settings.click, settings.lead_ms) == (False, 20.0)


def test_the_file_is_found_by_the_xdg_rules_and_by_the_environment(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "jackcomp").mkdir()
    write_file(tmp_path / "jackcomp", "seed = 3")
    assert load_settings({}, None, {}).seed == 3
    named = {"JACKCOMP_CONFIG": str(write_file(tmp_path, "seed = 4"))}
    assert load_settings({}, None, named).seed == 4


def test_values_are_of_the_types_that_the_program_uses(tmp_path):
    file = write_file(
        tmp_path,
        'sf2 = "piano.sf2"\nrecord = "/takes"\nstyle = "mine.toml"\nkey = "Bbm"\n'
        'meter = "2+3/4"\nconnect = ["Roland .*", "system:.*"]\n'
        '[click_keys]\n"3/4" = [60, 61, 62]',
    )
    settings = load_settings({"key": "auto"}, file, {"JACKCOMP_CONNECT": "a b\nc:d"})
    assert settings.sf2 == tmp_path / "piano.sf2"
    assert settings.record == Path("/takes")
    assert settings.style == str(tmp_path / "mine.toml")
    assert settings.key is None
    assert settings.meter == parse_meter("2+3/4")
    assert settings.connect == ("a b", "c:d")
    assert clicks("3/4", settings) == [(60, 112), (61, 72), (62, 72)]


def test_a_key_of_the_flags_is_a_key():
    assert load_settings({"key": "Am"}, None, {}).key == Key(9, "minor")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"bpm": "fast"}, "--bpm is 'fast': expected a number from 20 to 400"),
        ({"bpm": "nan"}, "--bpm is nan: expected a number from 20 to 400"),
        ({"meter": "4/5"}, "--meter is '4/5': expected a meter such as 4/4"),
        ({"key": "H"}, "--key is 'H': expected auto, or a key such as C, F#, Am"),
        ({"style": "polka"}, "--style is 'polka': expected arpeggio, ballad, block"),
        ({"seed": "1.5"}, "--seed is '1.5': expected a whole number from 0"),
        ({"genre": "polka"}, '--genre is \'polka\': expected "auto" or "pop" or'),
        ({"ai_weight": "2"}, "--ai-weight is 2.0: expected a number from 0 to 1"),
        ({"lead": "4"}, "--lead is 4.0: expected a number from 5 to 500"),
        ({"count_in": "0"}, "--count-in is 0: expected a whole number from 1 to 8"),
        ({"connect": ("a", "(")}, r"--connect is \['a', '\('\]: expected regular"),
        ({"name": "a:b"}, "--name is 'a:b': expected 1 to 32 characters, no colon"),
        ({"view": "all"}, '--view is \'all\': expected "auto" or "full"'),
    ],
)
def test_a_wrong_flag_is_named_with_what_was_expected(flags, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(flags, None, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bmp = 90", r"unknown key 'bmp' in '.*config.toml': .* known one is 'bpm'"),
        ('bpm = "90"', r"bpm in '.*config.toml' is '90': expected a number"),
        ("click = 1", "click in .* is 1: expected true or false"),
        ("tightness = 2", "tightness in .* is 2: expected a number from 0 to 1"),
        ("[click_keys]\n'3/4' = [1]", "expected a list of 3 numbers for 3/4"),
        ("[click_velocities]\n'4/4' = [1, 2, 3, 128]", "number from 0 to 127"),
        ("bpm 90", "cannot read configuration file '.*': expected TOML text"),
        ("key = 'A\nm'", "cannot read configuration file '.*': expected TOML text"),
    ],
)
def test_a_wrong_line_of_the_file_is_named(text, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings({}, write_file(tmp_path, text), {})
    assert "\n" not in str(caught.value)


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(
        ConfigError, match=r"cannot read configuration file '.*no.toml'"
    ):
        load_settings({}, tmp_path / "no.toml", {})


def test_the_environment_is_named_by_its_variable():
    with pytest.raises(
        ConfigError, match="JACKCOMP_END_AFTER is 'x': expected a whole"
    ):
        load_settings({}, None, {"JACKCOMP_END_AFTER": "x"})


@pytest.mark.parametrize(
    ("meter", "keys", "velocities"),
    [
        ("4/4", [52, 52, 62, 64], [112, 72, 92, 72]),
        ("3/4", [52, 62, 64], [112, 72, 72]),
        ("6/8", [52, 64], [112, 72]),
        ("1/4", [52], [112]),
        ("2+3/8", [52, 52, 52, 62, 64], [112, 72, 92, 72, 72]),
        ("12/8", [52, 52, 62, 64], [112, 72, 92, 72]),
    ],
)
def test_a_bar_clicks_low_and_leads_to_the_next(meter, keys, velocities):
    assert clicks(meter) == list(zip(keys, velocities, strict=True))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"transport": "lead", "start": "transport"}, "choose start 'count-in'"),
        ({"midi_clock": "follow", "transport": "follow"}, "let one of them"),
        ({"midi_clock": "follow", "transport": "lead"}, "let one of them"),
        ({"midi_clock": "follow", "start": "transport"}, "let one of them"),
        (
            {"transport": "follow", "follow_tempo": "true"},
            "'follow'.* and follow_tempo",
        ),
        ({"start": "transport", "tap_pedal": "soft"}, "'transport'.* and tap_pedal"),
        (
            {"midi_clock": "follow", "keys": "true"},
            "with midi_clock 'follow'.* and keys",
        ),
    ],
)
def test_two_clocks_cannot_both_set_the_time(flags, message):
    with pytest.raises(ConfigError, match=message):
        load_settings(flags, None, {})


def test_one_pedal_cannot_do_two_things():
    flags = {"tap_pedal": "soft", "top_pedal": "soft"}
    with pytest.raises(ConfigError, match="both 'soft': choose 'soft' for one of them"):
        load_settings(flags, None, {})
    assert load_settings(flags | {"top_pedal": "sostenuto"}, None, {})


@pytest.mark.parametrize("transport", ["none", "follow", "lead"])
def test_midi_clock_may_be_sent_whoever_sets_the_time(transport):
    settings = load_settings({"transport": transport, "midi_clock": "send"}, None, {})
    assert settings.transport == transport
