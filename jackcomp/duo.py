"""A soloist's accompanist and its engine, built from the settings.

Live and offline differ in who runs the cycle and who waits for whom; what is built
here is the same for both, so that they make the same music.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jackcomp.accompanist import Accompanist
from jackcomp.arranger.arrange import Arranger
from jackcomp.arranger.pattern import Style, load_style
from jackcomp.brain.model import Brain
from jackcomp.config import Settings, click_bar
from jackcomp.decision.policy import Decision
from jackcomp.ear.listen import Ear
from jackcomp.ear.tables import EarTables, load_ear_tables
from jackcomp.engine.link import EngineSettings
from jackcomp.messages import Order, Part, ProgramChange
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

DEFAULT_BPM = 120.0
LEAD_PERIODS = 2


@dataclass(frozen=True, slots=True)
class Place:
    """What the music is counted in: meter, first tempo, rate and lead."""

    meter: Meter
    ns_per_quarter: int
    rate: int
    lead_frames: int

    def lead_ticks(self, fastest_ns_per_quarter: int) -> int:
        """Return ticks that last the lead even at the fastest tempo of the piece."""
        per_second = fastest_ns_per_quarter * self.rate
        return -(-self.lead_frames * TICKS_PER_QUARTER * 10**9 // per_second) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What was learnt, by the brain and by the ear; any number of songs share it."""

    brain: Brain
    ear: EarTables


def load_models() -> Models:
    """Load the models that are installed with jackcomp."""
    return Models(Brain.load(), load_ear_tables())


def lead_frames(settings: Settings, rate: int, period: int) -> int:
    """Return how long before its moment a decision is taken, in frames.

    Two periods at least: the core reports a cut-off in one cycle and takes the
    answer at the start of the next.
    """
    wanted = -int(-settings.lead_ms * rate // 1000)
    return max(wanted, LEAD_PERIODS * period)


def place_at(
    settings: Settings, meter: Meter, ns_per_quarter: int, rate: int, period: int
) -> Place:
    """Return what is counted in at a sample rate and a period."""
    lead = lead_frames(settings, rate, period)
    return Place(meter, ns_per_quarter, rate, lead)


def build_accompanist(
    settings: Settings,
    place: Place,
    *,
    fastest_ns_per_quarter: int,
    models: Models | None = None,
    mends: bool = True,
    explain: Callable[[Decision], None] | None = None,
) -> Accompanist:
    """Load the style, and the models unless they are given; join the rooms."""
    style = load_style(style_name(settings))
    models = models or load_models()
    return Accompanist(
        Ear(models.ear, place.meter, settings.key),
        models.brain,
        Arranger(style, place.meter, settings.seed),
        place.meter,
        lead_ticks=place.lead_ticks(fastest_ns_per_quarter),
        ai_weight=settings.ai_weight,
        end_after_bars=settings.end_after,
        mends=mends,
        explain=explain,
    )


def style_name(settings: Settings) -> str | Path:
    """Return the style as `load_style` takes it: a name, or the path of a file."""
    return Path(settings.style) if settings.style.endswith(".toml") else settings.style


def programs(style: Style) -> list[tuple[Part, int]]:
    """Return the General MIDI programs of a style's parts."""
    return [(Part.CHORDS, style.chords.program), (Part.BASS, style.bass.program)]


def first_orders(settings: Settings) -> list[Order]:
    """Return what the core is told before the first cycle: who sounds like what."""
    sounds = programs(load_style(style_name(settings)))
    sounds.append((Part.SOLO, settings.solo_program))
    return [ProgramChange(part, program) for part, program in sounds]


def engine_settings(
    settings: Settings, place: Place, *, start: str, start_tick: int
) -> EngineSettings:
    """Return what the core needs to know of the settings."""
    return EngineSettings(
        ns_per_quarter=place.ns_per_quarter,
        bar_ticks=place.meter.bar_ticks,
        pulse_ticks=place.meter.pulse_ticks,
        beat_ticks=place.meter.beat_ticks,
        click=click_bar(settings, place.meter),
        start_tick=start_tick,
        start=start,
        solo_sounds=settings.solo,
        click_sounds=settings.click,
        gain=settings.gain,
        solo_gain=settings.solo_gain,
        reverb=settings.reverb,
        leads=settings.transport == "lead",
        sends_clock=settings.midi_clock == "send",
    )
