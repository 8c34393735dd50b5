"""FluidSynth through pyfluidsynth: settings, SoundFonts, programs (set-up only).

Once the engine has the synth nobody but the cycle touches it.
"""

from contextlib import redirect_stdout
from pathlib import Path

from jackcomp.engine._core import ffi, lib
from jackcomp.engine.soundfont import check_soundfont
from jackcomp.errors import EngineError

with redirect_stdout(None):
    # Where CI is set, pyfluidsynth prints the library's name; stdout is for results.
    import fluidsynth

CHANNELS = 16
POLYPHONY = 128
GAIN = 2.0

# Effects off: Debian's build runs them through OpenMP (docs/decisions). Two groups:
# the soloist's channels are even, the parts' odd, and group = channel modulo 2.
_SETTINGS = {
    "synth.threadsafe-api": 0,
    "synth.dynamic-sample-loading": 0,
    "synth.reverb.active": 0,
    "synth.chorus.active": 0,
    "synth.audio-channels": 2,
    "synth.audio-groups": 2,
    "synth.polyphony": POLYPHONY,
}


class Synth:
    """A FluidSynth with one SoundFont, at one sample rate.

    Raises
    ------
    EngineError
        If the SoundFont is missing, broken, or FluidSynth does not take it.
    """

    def __init__(self, soundfont: Path, rate: int) -> None:
        check_soundfont(soundfont)
        lib.synth_be_quiet()
        self._synth = fluidsynth.Synth(GAIN, rate, CHANNELS, **_SETTINGS)
        if not self._synth.synth:
            raise EngineError(
                f"FluidSynth does not run at {rate} Hz: use 44100 or 48000"
            )
        self.soundfont = soundfont
        if not lib.synth_read_in_pieces(ffi.cast("void *", self.pointer)):
            self.close()
            raise EngineError("no memory for a SoundFont: end other programs")
        font = self._synth.sfload(str(soundfont), update_midi_preset=1)
        if font == -1:
            self.close()
            raise EngineError(
                f"FluidSynth cannot load the SoundFont '{soundfont}': "
                "choose another with --sf2"
            )
        lib.synth_rehearse(ffi.cast("void *", self.pointer))

    @property
    def pointer(self) -> int:
        """The address of the ``fluid_synth_t``."""
        return int(self._synth.synth)

    def close(self) -> None:
        """Free the synth; no engine may use it any more."""
        self._synth.delete()
