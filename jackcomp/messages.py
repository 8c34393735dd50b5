"""Every record that crosses a thread, with its byte layout.

The C side declares the same records in ``engine/core/records.h``; ``engine/link.py``
compares both when it is imported. Ticks count 1920 to a quarter, bar 0 begins at
tick 0; frames are absolute.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

REPORT_LAYOUT = struct.Struct("=qqII4BI")
ORDER_LAYOUT = struct.Struct("=qqIIBBBBI")


class Part(IntEnum):
    """The voices of the accompaniment, each on its own MIDI channel."""

    CHORDS = 0
    BASS = 1
    PAD = 2
    GUITAR = 3
    DRUMS = 4
    CLICK = 5
    SOLO = 255


class ReportKind(IntEnum):
    """What the core says."""

    MIDI = 1
    CUTOFF = 2
    STARTED = 3
    STOPPED = 4
    APPLIED = 5
    DROPPED = 6
    LOST = 7
    PLAYED = 8
    TEMPO = 9
    TAP = 10


class OrderKind(IntEnum):
    """What the core is asked."""

    REPLACE = 1
    NOTE = 2
    CUTOFF = 3
    TEMPO = 4
    PROGRAM = 5


class Flag(IntFlag):
    """Bits of an order."""

    CUT = 1
    DEADLINE = 2
    TIE = 4
    VAMP = 8


@dataclass(frozen=True, slots=True)
class Report:
    """From the core: a note of the soloist, a cut-off, a receipt, a note played, a tap.

    ``tick`` is None while the clock stands. ``generation`` is that of the cut-off
    or batch, and of STARTED and TEMPO the nanoseconds a quarter; ``status`` is a MIDI
    status without its channel for the soloist's notes and with it for played ones.
    """

    kind: ReportKind
    tick: int | None
    frame: int
    generation: int
    status: int
    key: int
    value: int
    part: int


@dataclass(frozen=True, slots=True)
class PlannedNote:
    """One note of a plan: its start and duration in ticks, its part and key."""

    tick: int
    duration: int
    part: Part
    key: int
    velocity: int
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Put ``notes`` in the place of what ``parts`` had from ``tick`` on.

    Applied whole within one cycle, or not at all. ``until`` is the tick where the
    plan ends; with ``vamp`` the core repeats the plan's last bar from there. With
    ``cut``, what sounds at ``tick`` ends there unless a tied note takes it over.
    With ``deadline`` the batch is dropped when it arrives after ``tick``.
    """

    generation: int
    tick: int
    until: int
    parts: tuple[Part, ...]
    notes: tuple[PlannedNote, ...]
    cut: bool = False
    deadline: bool = True
    vamp: bool = True


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Report back when the clock reaches ``tick``, after all that came before."""

    tick: int
    generation: int


@dataclass(frozen=True, slots=True)
class TempoChange:
    """From ``tick`` on a quarter lasts ``ns_per_quarter`` nanoseconds."""

    tick: int
    ns_per_quarter: int


@dataclass(frozen=True, slots=True)
class ProgramChange:
    """A General MIDI program, from 0, for one part or for the soloist."""

    part: Part
    program: int


Order = Replace | Cutoff | TempoChange | ProgramChange


def pack_order(order: Order) -> bytes:
    """Lay an order out as the core reads it: one record, or a batch of them."""
    match order:
        case Replace():
            return _pack_replace(order)
        case Cutoff(tick, generation):
            return ORDER_LAYOUT.pack(
                tick, 0, OrderKind.CUTOFF, generation, 0, 0, 0, 0, 0
            )
        case TempoChange(tick, ns):
            return ORDER_LAYOUT.pack(tick, ns, OrderKind.TEMPO, 0, 0, 0, 0, 0, 0)
        case ProgramChange(part, program):
            return ORDER_LAYOUT.pack(0, 0, OrderKind.PROGRAM, 0, part, program, 0, 0, 0)


def _pack_replace(batch: Replace) -> bytes:
    flags = (
        Flag.CUT * batch.cut | Flag.DEADLINE * batch.deadline | Flag.VAMP * batch.vamp
    )
    mask = sum(1 << part for part in batch.parts)
    head = ORDER_LAYOUT.pack(
        batch.tick,
        batch.until,
        OrderKind.REPLACE,
        batch.generation,
        mask,
        0,
        0,
        flags,
        len(batch.notes),
    )
    notes = (
        ORDER_LAYOUT.pack(
            note.tick,
            note.duration,
            OrderKind.NOTE,
            batch.generation,
            note.part,
            note.key,
            note.velocity,
            Flag.TIE * note.tie,
            0,
        )
        for note in batch.notes
    )
    return b"".join((head, *notes))


def unpack_reports(data: bytes | memoryview, no_tick: int) -> list[Report]:
    """Read what the core wrote; ``no_tick`` is its sign for a standing clock."""
    return [
        Report(
            ReportKind(kind),
            None if tick == no_tick else tick,
            frame,
            generation,
            status,
            key,
            value,
            part,
        )
        for tick, frame, kind, generation, status, key, value, part, _ in (
            REPORT_LAYOUT.iter_unpack(data)
        )
    ]
