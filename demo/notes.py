"""Notes, from MIDI files and from what went over the wire."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

CLICK_CHANNEL, CLICK_KEYS = 9, (76, 77)


@dataclass(frozen=True, slots=True)
class FiledNote:
    """A note of a MIDI file, over [start, end) in the file's ticks."""

    start: int
    end: int
    channel: int
    key: int


def is_note_on(data: Sequence[int]) -> bool:
    """Tell whether a MIDI message strikes a note."""
    return data[0] & 0xF0 == 0x90 and data[2] > 0


def is_click(data: Sequence[int]) -> bool:
    """Tell whether a MIDI message belongs to the metronome."""
    return data[0] & 0x0F == CLICK_CHANNEL and data[1] in CLICK_KEYS


def read_notes(path: Path) -> list[FiledNote]:
    """Read all notes of a MIDI file, each with its end."""
    notes = []
    for track in mido.MidiFile(path).tracks:
        tick = 0
        open_notes: dict[tuple[int, int], int] = {}
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            slot = message.channel, message.note
            if slot in open_notes:
                notes.append(FiledNote(open_notes.pop(slot), tick, *slot))
            if is_note_on(message.bytes()):
                open_notes[slot] = tick
    return notes


def hanging_notes(messages: Iterable[Sequence[int]]) -> int:
    """Count the notes that sound when all messages have been sent."""
    sounding: Counter[tuple[int, int]] = Counter()
    for data in messages:
        slot = data[0] & 0x0F, data[1]
        if is_note_on(data):
            sounding[slot] += 1
        elif data[0] & 0xE0 == 0x80:
            sounding[slot] = max(sounding[slot] - 1, 0)
    return sounding.total()
