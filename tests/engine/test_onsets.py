"""Where FluidSynth's notes begin to sound, against the frame where they belong."""

import numpy as np
import pytest

from jackcomp.engine.link import Engine, EngineSettings
from jackcomp.engine.offline import OfflineHost
from jackcomp.messages import Part, PlannedNote, ProgramChange, Replace

RATE = 48_000
ORGAN = 16  # it begins at once, and ends soon after its key
GRID = 64
SPACE = 250 * GRID
NOTE_FRAMES = 30 * GRID
INAUDIBLE = 1e-9
# A tick is a frame.
SETTINGS = EngineSettings(
    ns_per_quarter=40_000_000,
    bar_ticks=7680,
    pulse_ticks=1920,
    click=((60, 0),),
    reverb=0.0,
)


@pytest.mark.synth
@pytest.mark.slow
@pytest.mark.parametrize("period", [64, 100, 1024])
def test_a_note_sounds_at_most_a_grid_late_and_never_early(period, soundfont):
    from jackcomp.engine.synth import Synth

    # One note for each place in the grid.
    frames = [SPACE * (1 + place) + place for place in range(GRID)]
    notes = [PlannedNote(f, NOTE_FRAMES, Part.CHORDS, 60, 100) for f in frames]
    synth = Synth(soundfont, RATE)
    engine = Engine(RATE, SETTINGS, synth.pointer)
    engine.order(ProgramChange(Part.CHORDS, ORGAN))
    engine.order(
        Replace(1, 0, frames[-1] + SPACE, (Part.CHORDS,), tuple(notes), vamp=False)
    )
    host = OfflineHost(engine, [], period=period, audio=True)
    host.end = frames[-1] + SPACE
    sound = np.concatenate(
        [np.abs(audio[:2]).max(axis=0) for audio in host.run(lambda: None)]
    )
    engine.close()
    synth.close()
    late = []
    for frame in frames:
        before = sound[frame - 4 * GRID : frame]
        assert before.max() < INAUDIBLE, "early, or the note before goes on"
        late.append(int(np.argmax(sound[frame : frame + SPACE] > INAUDIBLE)))
    assert min(late) >= 0
    assert max(late) <= GRID
    # Exact would be no later than this; that they are not is what the manual says.
    assert max(late) - min(late) == GRID - 1
