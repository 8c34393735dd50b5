"""The rolling memory of what was just played.

Times are ticks, 1920 to a quarter, and may be negative (a pickup). Events come
in the order in which they were played. A note lasts from its onset to its
release, or to the pedal's when the sustain pedal held it longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class HeardNote:
    """One note of the soloist.

    Parameters
    ----------
    onset : int
        Tick.
    end : int or None
        Tick at which it fell silent; None while it still sounds.
    note : int
        MIDI note, 0-127.
    velocity : int
        MIDI velocity, 1-127.
    """

    onset: int
    end: int | None
    note: int
    velocity: int

    def sounding_ticks(self, start: int, stop: int) -> int:
        """Count the ticks that it sounds within ``[start, stop)``."""
        if self.onset > start:
            start = self.onset
        if self.end is not None and self.end < stop:
            stop = self.end
        return stop - start if stop > start else 0


class NoteWindow:
    """The last notes, in the order of their onsets, sustain pedal included."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, the pedal too."""
        self._notes: list[HeardNote] = []
        self._sounding: dict[int, int] = {}  # MIDI note -> index in _notes
        self._released: set[int] = set()  # sounding on the pedal alone
        self._pedal_down = False

    def note_on(self, tick: int, note: int, velocity: int) -> None:
        """Begin a note; the same note, still sounding, ends here first."""
        self._end(tick, note)
        if velocity > 0:  # MIDI: velocity 0 is a note-off
            self._sounding[note] = len(self._notes)
            self._notes.append(HeardNote(tick, None, note, velocity))

    def note_off(self, tick: int, note: int) -> None:
        """Release a key; the note rings on while the pedal is down."""
        if self._pedal_down and note in self._sounding:
            self._released.add(note)
        else:
            self._end(tick, note)

    def pedal(self, tick: int, down: bool) -> None:
        """Press or lift the sustain pedal (CC 64)."""
        self._pedal_down = down
        if not down:
            for note in sorted(self._released):
                self._end(tick, note)

    def forget_held(self, tick: int) -> None:
        """End every sounding note, as when note-offs were lost."""
        for note in sorted(self._sounding):
            self._end(tick, note)
        self._pedal_down = False

    @property
    def sounding(self) -> frozenset[int]:
        """MIDI notes that sound, whatever holds them."""
        return frozenset(self._sounding)

    @property
    def held(self) -> frozenset[int]:
        """MIDI notes whose keys are down."""
        return self.sounding - self._released

    def notes_since(self, tick: int) -> Iterator[HeardNote]:
        """Give the notes that sound at ``tick`` or later, by onset."""
        return (n for n in self._notes if n.end is None or n.end > tick)

    @property
    def notes(self) -> tuple[HeardNote, ...]:
        """All notes that are remembered, by onset."""
        return tuple(self._notes)

    @property
    def first(self) -> HeardNote | None:
        """The earliest note that is remembered."""
        return self._notes[0] if self._notes else None

    def drop_before(self, tick: int) -> None:
        """Forget the notes that had fallen silent by ``tick``."""
        kept = [i for i, n in enumerate(self._notes) if n.end is None or n.end > tick]
        if len(kept) < len(self._notes):
            place = {old: new for new, old in enumerate(kept)}
            self._notes = [self._notes[i] for i in kept]
            self._sounding = {n: place[i] for n, i in self._sounding.items()}

    def _end(self, tick: int, note: int) -> None:
        index = self._sounding.pop(note, None)
        self._released.discard(note)
        if index is not None:
            self._notes[index] = replace(self._notes[index], end=tick)
