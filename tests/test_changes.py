from dataclasses import replace
from pathlib import Path

import pytest

from jackcomp import changes as module
from jackcomp.changes import Changes
from jackcomp.config import Settings
from jackcomp.errors import ConfigError, EngineError
from jackcomp.messages import Part, ProgramChange
from jackcomp.timeline.meter import parse_meter

BEFORE = Settings()


class Recorder:
    """Stands for engine, worker and swap: keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []

    def mix(self, *values: object) -> None:
        self.asked.append(("mix", values))

    def change(self, change: object) -> None:
        self.asked.append(("change", change))

    def ask(self, soundfont: Path) -> None:
        self.asked.append(("ask", soundfont))


class Accompanist:
    ai_weight = 0.0
    arranger = None


@pytest.fixture(autouse=True)
def find(monkeypatch):
    def find_soundfont(sf2: Path | None) -> Path:
        if sf2 == Path("broken.sf2"):
            raise EngineError("SoundFont 'broken.sf2' is truncated")
        return sf2 or Path("found.sf2")

    monkeypatch.setattr(module, "find_soundfont", find_soundfont)


def reload(**values: object) -> tuple[Settings, list[tuple[str, object]], list[str]]:
    """Load these values; give the settings in force, what was asked, what is said."""
    recorder = Recorder()
    changes = Changes(
        BEFORE,
        lambda: replace(BEFORE, **values),
        meter=parse_meter("4/4"),
        engine=recorder,
        worker=recorder,
        sounds=recorder,
    )
    lines = changes.reload()
    return changes.settings, recorder.asked, lines


def test_nothing_new_changes_nothing():
    assert reload() == (BEFORE, [], ["no setting has changed"])


def test_the_mix_goes_to_the_core():
    settings, asked, lines = reload(gain=0.5, click=True)
    assert asked == [("mix", (0.5, BEFORE.solo_gain, BEFORE.reverb, True))]
    assert lines == ["changed: gain, click"]
    assert settings == replace(BEFORE, gain=0.5, click=True)


def test_style_and_weight_go_to_the_worker_with_the_sounds_of_the_style():
    _, asked, lines = reload(style="pop", ai_weight=0.25)
    ((what, change),) = asked
    accompanist = Accompanist()
    orders = change(accompanist)
    assert what == "change"
    assert accompanist.ai_weight == 0.25
    assert accompanist.arranger is not None
    assert [order.part for order in orders] == [Part.CHORDS, Part.BASS, Part.SOLO]
    assert all(isinstance(order, ProgramChange) for order in orders)
    assert lines == ["changed: style, ai_weight"]


def test_a_soundfont_is_looked_for_and_asked_for():
    _, asked, lines = reload(sf2=Path("new.sf2"))
    assert asked == [("ask", Path("new.sf2"))]
    assert lines == ["changed: sf2"]


def test_what_needs_a_new_start_is_said_and_stays():
    settings, asked, lines = reload(bpm=90.0, server="other", gain=2.0)
    assert settings == replace(BEFORE, gain=2.0)
    assert len(asked) == 1
    assert lines == [
        "changed: gain",
        "unchanged until jackcomp starts again: bpm, server",
    ]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"sf2": Path("broken.sf2"), "gain": 2.0}, "SoundFont 'broken.sf2' is trunc"),
        ({"style": "none.toml", "gain": 2.0}, "cannot read style 'none.toml'"),
    ],
)
def test_one_bad_value_leaves_everything_as_it_was(values, why):
    settings, asked, (line,) = reload(**values)
    assert (settings, asked) == (BEFORE, [])
    assert line.startswith(f"the settings stay as they are: {why}")


def test_settings_that_cannot_be_read_change_nothing():
    def load() -> Settings:
        raise ConfigError("gain in 'config.toml' is 9")

    recorder = Recorder()
    changes = Changes(
        BEFORE,
        load,
        meter=parse_meter("4/4"),
        engine=recorder,
        worker=recorder,
        sounds=recorder,
    )
    assert changes.reload() == [
        "the settings stay as they are: gain in 'config.toml' is 9"
    ]
    assert recorder.asked == []
