"""What is played, as exact text: every style, over two solos.

``make golden`` writes the texts anew; read each difference before you keep it.
"""

from importlib import resources
from pathlib import Path

import pytest

from jackcomp.arranger.pattern import list_styles
from jackcomp.config import Settings
from jackcomp.performance import chart_text, played_notes
from jackcomp.rendering import perform
from jackcomp.solo import Solo, read_solo
from jackcomp.timeline.clock import Anchor, Timeline
from jackcomp.timeline.meter import format_position

HERE = Path(__file__).parent
RATE = 48_000

# A waltz in A minor; start and length in quarters, MIDI note, milliseconds early.
WALTZ = [
    *((0, 2, 69, 0), (2, 1, 72, 0)),
    *((3, 2, 76, 40), (5, 1, 74, 0)),
    *((6, 1, 71, 10), (7, 1, 68, 0), (8, 1, 64, 0)),
    (9, 3, 72, 55),
    *((12, 2, 65, 25), (14, 1, 69, 0)),
    *((15, 1, 74, 0), (16, 1, 72, 0), (17, 1, 71, 0)),
    *((18, 1, 68, 30), (19, 1, 71, 0), (20, 1, 74, 0)),
    (21, 3, 69, 5),
]


@pytest.fixture(scope="module")
def solos(tmp_path_factory, write_solo):
    waltz = tmp_path_factory.mktemp("solo") / "waltz.mid"
    write_solo(waltz, WALTZ, bpm=120, meter=(3, 4))
    bundled = resources.files("jackcomp.assets") / "auld_lang_syne.mid"
    return {"waltz": read_solo(waltz), "auld_lang_syne": read_solo(bundled)}


def performance_text(solo: Solo, style: str) -> str:
    """Write what is played: the chart, and a line a note."""
    meter = solo.meters[0][1]
    ((_, ns_per_quarter),) = solo.tempos
    timeline = Timeline.from_anchor(Anchor(0, 0, ns_per_quarter, RATE))
    result = perform(
        Settings(style=style), solo, meter, timeline, period=256, soundfont=None
    )
    notes = [
        f"{format_position(meter, note.start)}\t{note.part.name.lower()}"
        f"\t{note.note}\t{note.velocity}\t{note.end - note.start}\n"
        for note in played_notes(result.played)
    ]
    chart = chart_text(result.accompanist.changes, meter, timeline)
    return f"{chart}# bar:beat\tpart\tnote\tvelocity\tticks\n{''.join(notes)}"


@pytest.mark.parametrize("style", list_styles())
@pytest.mark.parametrize("solo", ["waltz", "auld_lang_syne"])
def test_it_plays_what_it_played(solo, style, solos, request):
    path = HERE / f"{solo}-{style}.txt"
    text = performance_text(solos[solo], style)
    if request.config.getoption("write_golden"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), "a new style or solo: run `make golden`, read what it wrote"
    assert text == path.read_text(encoding="utf-8")


def test_no_text_is_left_over():
    styles = {path.stem.split("-")[1] for path in HERE.glob("*.txt")}
    assert styles == set(list_styles())
