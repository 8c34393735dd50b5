"""A soloist's accompanist and its engine, built from the settings.

Live and offline differ in who runs the cycle and who waits for whom; what is built
here is the same for both, so that they make the same music.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jackcomp.accompanist import PLAN_BARS, Accompanist, Weigh
from jackcomp.arranger.arrange import Arranger
from jackcomp.arranger.pattern import Style, load_style
from jackcomp.brain.model import Brain
from jackcomp.brain.song import SongBrain
from jackcomp.brain.tables import SongTables, load_song_tables
from jackcomp.config import Settings
from jackcomp.decision.fusion import weights_for
from jackcomp.decision.policy import Decision
from jackcomp.ear.listen import Ear
from jackcomp.ear.listener import load_listener
from jackcomp.ear.pulse import LONGEST_PERIOD, SHORTEST_PERIOD, PulseTracker
from jackcomp.ear.pulse_tables import load_pulse_tables
from jackcomp.ear.tables import EarTables, load_ear_tables
from jackcomp.engine.link import EngineSettings
from jackcomp.errors import ConfigError
from jackcomp.messages import Order, Part, ProgramChange
from jackcomp.metronome import make_metronome
from jackcomp.network import Network
from jackcomp.pacing import LEAD_MARGIN, TAPS, Pacer, Steering, Told, followed_ticks
from jackcomp.timeline.clock import (
    ONE_TICK,
    Anchor,
    bpm_to_ns_per_quarter,
    ns_per_quarter_to_bpm,
)
from jackcomp.timeline.meter import TICKS_PER_QUARTER, Meter

DEFAULT_BPM = 120.0
LEAD_PERIODS = 2
TAPPED_BPM = 20.0
"""The clock's tempo until four taps have set it: too slow to be ahead of them."""

PEDALS = {"none": None, "sostenuto": 66, "soft": 67}
"""The controllers that may tap, or say that the form begins again."""


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
    song: SongTables
    ear: EarTables
    listener: Network


def load_models() -> Models:
    """Load the models that are installed with jackcomp."""
    brain = Brain.load()
    song = load_song_tables(brain.checksum)
    return Models(brain, song, load_ear_tables(), load_listener())


def song_brain(models: Models, genre: str) -> SongBrain:
    """Return a brain for one song, of a genre or of the one that it hears."""
    return SongBrain(models.brain, models.song.guessed, models.song.genres, genre)


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
    ear: Ear | None = None,
    pacer: Pacer | None = None,
    mends: bool = True,
    remembers: bool = True,
    plan_bars: int = PLAN_BARS,
    notes_to_come: int | None = None,
    weigh: Weigh = weights_for,
    explain: Callable[[Decision], None] | None = None,
) -> Accompanist:
    """Load the style, and the models unless they are given; join the rooms.

    An ear that is given has heard nothing yet.
    """
    style = load_style(style_name(settings))
    models = models or load_models()
    return Accompanist(
        ear
        or Ear(models.ear, models.listener, place.meter, settings.key, settings.split),
        song_brain(models, settings.genre),
        Arranger(style, place.meter, settings.seed),
        place.meter,
        lead_ticks=place.lead_ticks(fastest_ns_per_quarter),
        fastest_ns_per_quarter=fastest_ns_per_quarter,
        ai_weight=settings.ai_weight,
        thin_after_bars=settings.thin_after,
        end_after_bars=settings.end_after,
        pacer=pacer,
        mends=mends,
        remembers=remembers,
        calm=settings.calm,
        listen_beats=settings.listen_beats,
        top_pedal=PEDALS[settings.top_pedal],
        plan_bars=plan_bars,
        notes_to_come=notes_to_come,
        weigh=weigh,
        explain=explain,
    )


def first_tempo(settings: Settings) -> int:
    """Return the tempo that the clock starts with live, in nanoseconds a quarter."""
    if settings.start == "taps":
        return bpm_to_ns_per_quarter(TAPPED_BPM)
    return bpm_to_ns_per_quarter(settings.bpm or DEFAULT_BPM)


def start_mode(settings: Settings) -> str:
    """Return what starts the clock live; who follows a clock starts with it."""
    if settings.midi_clock == "follow":
        return "midi-clock"
    return "transport" if settings.transport == "follow" else settings.start


def start_tick(settings: Settings, meter: Meter) -> int:
    """Return where the clock starts live, in ticks; beat one is at 0."""
    match start_mode(settings):
        case "count-in":
            # Almost a pulse early, so that the first click finds the ports connected.
            return -settings.count_in * meter.bar_ticks - meter.pulse_ticks + 1
        case "first-note":
            return -round(settings.pickup * meter.beat_ticks)
        case "taps":
            return -TAPS * meter.pulse_ticks
    return 0


def restart_tick(settings: Settings, meter: Meter) -> int | None:
    """Return where in a bar the first note after an ending is, live; None if anywhere.

    Where bars were counted by clicks, or by another program, they go on.
    """
    if start_mode(settings) not in ("first-note", "taps") or not settings.end_after:
        return None
    return -round(settings.pickup * meter.beat_ticks)


def build_pacer(
    settings: Settings,
    place: Place,
    told: Told,
    start_tick: int,
    *,
    forgets: bool = False,
    restart_tick: int | None = None,
) -> Pacer | None:
    """Make who steers the clock after the soloist, or None if nobody does.

    Where another program sets the time, nobody else does. If it ``forgets``, nobody
    needs the clock from its start. With a ``restart_tick`` a song after an ending
    begins there, at a fixed tempo too.
    """
    tap_pedal = PEDALS[settings.tap_pedal]
    if start_mode(settings) in ("transport", "midi-clock"):
        return None
    taps = tap_pedal or settings.keys or told is Told.TAPS
    is_steady = not (settings.follow_tempo or taps)
    if is_steady and restart_tick is None:
        return None
    if settings.follow_tempo and told not in (Told.NOTHING, Told.TAPS):
        _check_followed(place)
    return Pacer(
        PulseTracker(load_pulse_tables()),
        place.meter,
        Anchor(0, start_tick * ONE_TICK, place.ns_per_quarter, place.rate),
        Steering(
            follows=settings.follow_tempo,
            tightness=settings.tightness,
            lead_frames=place.lead_frames,
            told=told,
            tap_pedal=tap_pedal,
            forgets=forgets,
            lead_margin=1.0 if is_steady else LEAD_MARGIN,
            restart_tick=restart_tick,
        ),
    )


def _check_followed(place: Place) -> None:
    """Raise ConfigError if nobody could follow a soloist at this meter and tempo."""
    pulses = place.meter.pulse_ticks / TICKS_PER_QUARTER
    period = place.ns_per_quarter * pulses / 1e9
    if followed_ticks(place.meter, period) is None:
        bpm = ns_per_quarter_to_bpm(place.ns_per_quarter)
        fastest, slowest = 60 / SHORTEST_PERIOD, 60 / LONGEST_PERIOD
        is_fast = period < SHORTEST_PERIOD
        raise ConfigError(
            f"--follow-tempo cannot follow {place.meter} at {bpm:g} quarters a minute: "
            f"expected {slowest:.0f} to {fastest:.0f} beats a minute, here are "
            f"{60 / period:.0f}; choose a {'slower' if is_fast else 'faster'} tempo, "
            "another meter, or --fixed-tempo"
        )


def told_live(settings: Settings) -> Told:
    """Return what a live player tells of the tempo before the first note."""
    if settings.start == "taps":
        return Told.TAPS
    if settings.start == "first-note":
        seeks = settings.follow_tempo and settings.bpm is None
        return Told.NOTHING if seeks else Told.FIRST_BEAT
    return Told.COUNT_IN


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
    metronome = make_metronome(settings, place.meter)
    return EngineSettings(
        ns_per_quarter=place.ns_per_quarter,
        bar_ticks=place.meter.bar_ticks,
        pulse_ticks=metronome.ticks,
        beat_ticks=place.meter.beat_ticks,
        click=metronome.clicks,
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
