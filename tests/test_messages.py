import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackcomp.messages import (
    ORDER_LAYOUT,
    REPORT_LAYOUT,
    Cutoff,
    Flag,
    OrderKind,
    Part,
    PlannedNote,
    ProgramChange,
    Replace,
    Report,
    ReportKind,
    TempoChange,
    pack_order,
    unpack_reports,
)

NO_TICK = -(2**63)
TICKS = st.integers(-(2**62), 2**62)
NUMBERS = st.integers(0, 2**32 - 1)
BYTES = st.integers(0, 255)

reports = st.builds(
    Report,
    kind=st.sampled_from(ReportKind),
    tick=st.none() | TICKS,
    frame=TICKS,
    generation=NUMBERS,
    status=BYTES,
    key=BYTES,
    value=BYTES,
    part=BYTES,
)


def records(order):
    return list(ORDER_LAYOUT.iter_unpack(pack_order(order)))


def test_every_record_is_32_bytes():
    assert (ORDER_LAYOUT.size, REPORT_LAYOUT.size) == (32, 32)


@given(st.lists(reports, max_size=5))
def test_reports_come_back_as_the_core_wrote_them(written):
    data = b"".join(
        REPORT_LAYOUT.pack(
            *(NO_TICK if r.tick is None else r.tick, r.frame, r.kind, r.generation),
            *(r.status, r.key, r.value, r.part, 0),
        )
        for r in written
    )
    assert unpack_reports(data, NO_TICK) == written


def test_a_report_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="99 is not a valid ReportKind"):
        unpack_reports(REPORT_LAYOUT.pack(0, 0, 99, 0, 0, 0, 0, 0, 0), NO_TICK)


@pytest.mark.parametrize(
    ("order", "record"),
    [
        (Cutoff(-960, 7), (-960, 0, OrderKind.CUTOFF, 7, 0, 0, 0, 0, 0)),
        (
            TempoChange(1920, 500_000_000),
            (1920, 500_000_000, OrderKind.TEMPO, 0, 0, 0, 0, 0, 0),
        ),
        (
            ProgramChange(Part.SOLO, 5),
            (0, 0, OrderKind.PROGRAM, 0, 255, 5, 0, 0, 0),
        ),
    ],
)
def test_a_single_order_is_one_record(order, record):
    assert records(order) == [record]


def test_a_batch_is_its_head_and_its_notes_in_order():
    notes = (
        PlannedNote(3840, 960, Part.CHORDS, 60, 90),
        PlannedNote(3840, 1920, Part.BASS, 36, 80, tie=True),
    )
    batch = Replace(9, 3840, 15360, (Part.CHORDS, Part.BASS), notes, cut=True)
    flags = Flag.CUT | Flag.DEADLINE | Flag.VAMP
    assert records(batch) == [
        (3840, 15360, OrderKind.REPLACE, 9, 0b11, 0, 0, flags, 2),
        (3840, 960, OrderKind.NOTE, 9, Part.CHORDS, 60, 90, 0, 0),
        (3840, 1920, OrderKind.NOTE, 9, Part.BASS, 36, 80, Flag.TIE, 0),
    ]


@pytest.mark.parametrize("parts", [(Part.CHORDS,), (Part.BASS, Part.DRUMS), ()])
def test_a_batch_names_its_parts_by_bits(parts):
    (head,) = records(Replace(1, 0, 0, parts, ()))
    assert head[4] == sum(1 << part for part in parts)


def test_a_batch_may_come_late_and_end_for_good():
    batch = Replace(1, 0, 0, (), (), deadline=False, vamp=False)
    assert records(batch)[0][7] == 0
