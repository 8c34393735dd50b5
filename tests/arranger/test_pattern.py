import pytest

from jackcomp.arranger.pattern import list_styles, load_style
from jackcomp.errors import ConfigError

GOOD = """
title = "Test"
about = "For the tests"

[chords]
program = 4
range = [50, 76]
voices = 3
velocity = 60
change = [{ at = 0, tones = "all", length = "step" }]

[bass]
program = 33
range = [33, 47]
velocity = 70
accents = [5, 0, -5]
change = [{ at = 0, every = "count", tones = ["bass", "fifth"], length = 0.5 }]
repeat = [{ at = 0, tones = "bass", length = "next", velocity = -7 }]
"""


@pytest.fixture
def write_style(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_promised_styles_are_there():
    assert {"arpeggio", "ballad", "block"} <= set(list_styles())


@pytest.mark.parametrize("name", list_styles())
def test_every_packaged_style_loads_and_keeps_to_the_agreed_ranges(name):
    style = load_style(name)
    assert style.name == name
    assert (style.chords.low, style.chords.high) == (48, 76)
    assert (style.bass.low, style.bass.high) == (33, 47)


def test_a_style_file_is_read_as_it_is_written(write_style):
    style = load_style(write_style(GOOD))
    assert style.name == "mine"
    assert style.about == "For the tests"
    assert not style.swing
    assert style.humanise == 0
    assert (style.chords.program, style.bass.program) == (4, 33)
    assert style.chords.accents == (0, 0, 0)
    assert style.chords.repeat == style.chords.change
    assert style.bass.change[0].tones == ("bass", "fifth")
    assert style.bass.change[0].length == 0.5
    assert style.bass.repeat[0].velocity == -7


def test_a_path_may_be_text(write_style):
    path = write_style(GOOD)
    assert load_style(str(path)) == load_style(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Test"', "", "title is missing: expected a line of text"),
        ('"Test"', '"a\\nb"', r"title is 'a\\nb': expected a line of text"),
        ("[chords]", "swing = 1\n[chords]", "swing is 1: expected true or false"),
        ("program = 4", "program = 128", "chords.program is 128: .* from 0 to 127"),
        ("program = 4", "program = true", "chords.program is True: .* from 0 to 127"),
        ("voices = 3", "voices = 5", "chords.voices is 5: .* from 3 to 4"),
        ("voices = 3", "", "chords.voices is missing: .* from 3 to 4"),
        ("[50, 76]", "[50, 71]", r"chords.range is \[50, 71\]: .* 22 or more above 50"),
        ("[33, 47]", "[33, 43]", r"bass.range is \[33, 43\]: .* 11 or more above 33"),
        ("[33, 47]", "[33, 60]", "chords.range is .* 22 or more above 60"),
        ("[33, 47]", "[33]", r"bass.range is \[33\]: expected a list of 2"),
        ("[5, 0, -5]", "5", "bass.accents is 5: expected a list"),
        ('"all"', '"bass"', r'chords.change\[0\].tones is .*: expected "all" or'),
        ('"all"', "[]", r"chords.change\[0\].tones is \[\]: expected"),
        ('["bass", "fifth"]', "0", r'bass.change\[0\].tones is 0: expected "bass" or'),
        ('"count"', '"bar"', r"bass.change\[0\].every is 'bar': expected \"once\""),
        ("0.5", "0", r"bass.change\[0\].length is 0: .* number from 0.1 to 24"),
        ("at = 0, tones", "at = -1, tones", r"change\[0\].at is -1: .* from 0 to 23"),
        ('[{ at = 0, tones = "all", length = "step" }]', "[]", "change is .*a list"),
        ('[{ at = 0, tones = "all", length = "step" }]', "[1]", r"change\[0\] is 1"),
        (
            "velocity = 60",
            "velocity = 60\nvolume = 3",
            "chords.volume is 3: .* no such",
        ),
        ("about", "colour = 1\nabout", "colour is 1: expected no such key"),
        ("[bass]", "[bas]", "bass is missing: expected a table"),
        ("[chords]", "[chords", "expected TOML text"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_what_was_expected(
    write_style, old, new, message
):
    assert old in GOOD
    path = write_style(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as error:
        load_style(path)
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["polka", "", "../styles/block", "block.TOML"])
def test_an_unknown_style_says_which_there_are(name):
    with pytest.raises(ConfigError, match=f"'{name}'.*arpeggio, ballad, block"):
        load_style(name)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path):
    path = tmp_path / "gone.toml"
    with pytest.raises(ConfigError, match=r"gone\.toml.*No such file"):
        load_style(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"gone\.toml.*expected TOML text"):
        load_style(path)
