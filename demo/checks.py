"""The demo checks itself: sound, wire and core must tell the same story."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from demo.chart import NO_CHORD, Change
from demo.clock import frames_between
from demo.notes import hanging_notes, is_click, is_note_on, read_notes
from demo.processes import DemoError
from demo.recorder import Heard
from demo.score import Score
from jackcomp.timeline.clock import Timeline

LOUD_ENOUGH = 10 ** (-60 / 20)
"""A sample this loud is the onset of a note; full scale is 1."""

ONSET_SECONDS = 0.03
"""FluidSynth's grid of 64 frames, and the attack of the soloist's sound."""

STATS_SECONDS = 1.5
"""The core's counters are written once a second."""

FRAMES_OFF = 1
"""A note leaves in the frame of its tick; one more for the file's whole ticks."""

MISSED_SHARE = 0.02
"""So much of a recording may be missing."""


@dataclass(frozen=True, slots=True)
class Take:
    """What is left of a performance when it is over.

    Attributes
    ----------
    score : Score
        What the soloist played.
    wav, midi : Path
        The recorder's sound, and jackcomp's own file of what it played.
    heard : Heard
        What the recorder tells.
    stats : list of dict
        jackcomp's counters, once a second.
    changes : list of Change
        Its chart.
    late : int
        Messages that the player sent after their frame.
    start, end : int
        JACK's frames of the soloist's first note and of the end of the recording.
    timeline : Timeline
        Where the ticks are in JACK's frames.
    period : int
        Frames of a cycle.
    """

    score: Score
    wav: Path
    midi: Path
    heard: Heard
    stats: list[dict[str, Any]]
    changes: list[Change]
    late: int
    start: int
    end: int
    timeline: Timeline
    period: int

    @property
    def rate(self) -> int:
        """Frames a second."""
        return self.timeline.anchors[0].rate


def check_take(take: Take, least_chords: int) -> None:
    """Raise `DemoError`, in one line, at the first thing that does not fit."""
    _check_sound(take)
    _check_core(take)
    _check_wire(take)
    chords = sum(change.chord != NO_CHORD for change in take.changes)
    if chords < least_chords:
        raise DemoError(f"heard {chords} chords: expected {least_chords} or more")


def _check_sound(take: Take) -> None:
    """Compare the WAV file with JACK's clock: its length, and its first note."""
    heard = take.heard
    expected = frames_between(heard.first_frame, take.end)
    sound, _ = soundfile.read(take.wav, dtype="float32")
    if not len(sound) == heard.frames == expected:
        raise DemoError(f"the WAV has {len(sound)} frames: expected {expected}")
    if heard.missed > MISSED_SHARE * expected:
        raise DemoError(
            f"{heard.missed} of {expected} frames are missing in the recording: "
            "the machine was too busy, try again"
        )
    for who, level in (
        ("the soloist", heard.solo_rms),
        ("the accompaniment", heard.accompaniment_rms),
    ):
        if level < LOUD_ENOUGH:
            raise DemoError(f"{who} cannot be heard in the WAV")
    onset = int(np.argmax(np.abs(sound).max(axis=1) > LOUD_ENOUGH))
    late = onset - frames_between(heard.first_frame, take.start)
    if not 0 <= late <= ONSET_SECONDS * take.rate:
        raise DemoError(
            f"the WAV begins to sound {late} frames after the first note was sent: "
            f"expected 0 to {ONSET_SECONDS * take.rate:.0f}"
        )


def _check_core(take: Take) -> None:
    """See that the core's frame counter ran with its cycles, to the WAV file's end."""
    first, last = take.stats[0], take.stats[-1]
    ran = last["frame"] - first["frame"]
    expected = (last["cycles"] - first["cycles"]) * take.period
    # The two are read a moment apart; an xrun makes JACK's counter jump.
    if abs(ran - expected) > take.period + MISSED_SHARE * ran:
        raise DemoError(
            f"the core's frame counter has advanced by {ran}: expected {expected}"
        )
    beyond = frames_between(take.end, last["frame"])
    if not 0 <= beyond <= STATS_SECONDS * take.rate:
        raise DemoError(
            f"the core's last frame is {beyond} after the WAV's: expected 0 to "
            f"{STATS_SECONDS * take.rate:.0f}"
        )


def _check_wire(take: Take) -> None:
    """Compare what came out of midi_out with what jackcomp says, to the frame.

    The recorder knows nothing of ticks, and jackcomp's file nothing of frames.
    """
    stuck = hanging_notes(data for _, data in take.heard.messages)
    if stuck:
        raise DemoError(f"{stuck} notes of the accompaniment never end")
    origin, frame_of = take.heard.first_frame, take.timeline.tick_to_frame
    on_wire = sorted(
        (data[0] & 0x0F, data[1], frame)
        for frame, data in take.heard.messages
        if is_note_on(data) and not is_click(data)
    )
    played = sorted(
        (note.channel, note.key, frames_between(origin, frame_of(note.start)))
        for note in read_notes(take.midi)
    )
    if [note[:2] for note in on_wire] != [note[:2] for note in played]:
        raise DemoError(
            f"midi_out carried {len(on_wire)} notes that are not the {len(played)} "
            "of jackcomp's recording"
        )
    off = [abs(a[2] - b[2]) for a, b in zip(on_wire, played, strict=True)]
    late = take.stats[-1]["late_events"]
    if sum(frames > FRAMES_OFF for frames in off) > late:
        raise DemoError(
            f"midi_out and the core's clock differ by {max(off)} frames: expected at "
            f"most {FRAMES_OFF}"
        )
