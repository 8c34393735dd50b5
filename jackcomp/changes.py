"""What can be changed while it plays.

New settings are checked as a whole before anything changes: a value that is wrong
leaves all as it was. What cannot change without a restart is said, not ignored.
"""

from collections.abc import Callable
from dataclasses import fields, replace

from jackcomp import duo
from jackcomp.accompanist import Accompanist
from jackcomp.arranger.arrange import Arranger
from jackcomp.arranger.pattern import load_style
from jackcomp.config import Settings
from jackcomp.engine.link import Engine
from jackcomp.engine.soundfont import find_soundfont
from jackcomp.engine.swap import SoundFontSwap
from jackcomp.errors import JackcompError
from jackcomp.messages import Order
from jackcomp.timeline.meter import Meter
from jackcomp.worker import Worker

_MIX = ("gain", "solo_gain", "reverb", "click")
_THINKING = ("ai_weight", "style", "solo_program")
CHANGEABLE = ("sf2", *_MIX, *_THINKING)
"""The settings that change while it plays."""


class Changes:
    """Takes over new settings.

    Parameters
    ----------
    settings : Settings
        In force until now.
    load : callable
        Reads the settings anew: file, environment and flags.
    meter : Meter
        The one that is played in.
    engine, worker, sounds
        Where the changes go.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        *,
        meter: Meter,
        engine: Engine,
        worker: Worker,
        sounds: SoundFontSwap,
    ) -> None:
        self.settings = settings
        self._load = load
        self._meter = meter
        self._engine = engine
        self._worker = worker
        self._sounds = sounds

    def reload(self) -> list[str]:
        """Read the settings anew and take over what can be; say it in a few lines."""
        try:
            wanted = self._load()
            changed = [
                field.name
                for field in fields(Settings)
                if getattr(wanted, field.name) != getattr(self.settings, field.name)
            ]
            can = [name for name in changed if name in CHANGEABLE]
            now = replace(self.settings, **{n: getattr(wanted, n) for n in can})
            self._change(now, can)
        except JackcompError as error:
            return [f"the settings stay as they are: {error}"]
        lines = [f"changed: {_list(can)}" if can else "no setting has changed"]
        cannot = [name for name in changed if name not in can]
        if cannot:
            lines.append(f"unchanged until jackcomp starts again: {_list(cannot)}")
        return lines

    def _change(self, now: Settings, names: list[str]) -> None:
        """Check all that may be wrong, then change all."""
        soundfont = find_soundfont(now.sf2) if "sf2" in names else None
        thinking = self._think_anew(now)
        self.settings = now
        if soundfont is not None:
            self._sounds.ask(soundfont)
        if any(name in _MIX for name in names):
            self._engine.mix(now.gain, now.solo_gain, now.reverb, now.click)
        if any(name in _THINKING for name in names):
            self._worker.change(thinking)

    def _think_anew(self, now: Settings) -> Callable[[Accompanist], list[Order]]:
        """Prepare what the worker will do in its own thread."""
        style = load_style(duo.style_name(now))
        arranger = Arranger(style, self._meter, now.seed)
        orders = duo.first_orders(now)

        def change(accompanist: Accompanist) -> list[Order]:
            accompanist.ai_weight = now.ai_weight
            accompanist.arranger = arranger
            return orders

        return change


def _list(names: list[str]) -> str:
    return ", ".join(names)
