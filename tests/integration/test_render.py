"""`jackcomp render` as a whole: the bundled solo, interruptions, what it needs."""

import signal
import subprocess
import sys
import time
from importlib import resources
from itertools import pairwise

import pytest

from jackcomp import app
from jackcomp.config import load_settings
from jackcomp.solo import read_solo
from jackcomp.timeline.meter import step_start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundled():
    (solo,) = (
        path
        for path in resources.files("jackcomp.assets").iterdir()
        if path.name.endswith(".mid")
    )
    return solo


def half_bars(solo, folder, **flags):
    """Give what sounds on each half-bar's line, and what it becomes within it."""
    chart = folder / "chart.txt"
    settings = load_settings(flags, environment={})
    app.render(settings, app.RenderJob(solo, chart=chart))
    meter = read_solo(solo).meters[0][1]
    changes = []
    for line in chart.read_text().splitlines()[1:]:
        position, _, chord, _ = line.split("\t")
        bar, beat = position.split(":")
        in_bar = round((float(beat) - 1) * meter.beat_ticks)
        changes.append(((int(bar) - 1) * meter.bar_ticks + in_bar, chord))
    lines = [
        step_start(meter, step) for step in range(read_solo(solo).end_tick // 3840)
    ]
    sounding = []
    for start, end in pairwise(lines):
        before = [chord for tick, chord in changes if tick <= start]
        inside = [chord for tick, chord in changes if start < tick < end]
        sounding.append((before[-1:], inside))
    return sounding


def test_the_model_has_a_say_in_a_tenth_of_the_half_bars(bundled, tmp_path):
    together = half_bars(bundled, tmp_path)
    ear_alone = half_bars(bundled, tmp_path, ai_weight="0")
    assert len(together) == len(ear_alone) > 30
    on_the_line = [
        one[0] != other[0] for one, other in zip(together, ear_alone, strict=True)
    ]
    assert sum(on_the_line) >= len(together) / 10


@pytest.mark.synth
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)]
)
def test_a_render_that_is_interrupted_leaves_no_file(
    number, code, write_solo, tmp_path, environment
):
    # An hour of music, so that it is not over before the signal comes.
    solo = write_solo(tmp_path / "solo.mid", [(0, 4, 60, 0), (6000, 4, 60, 0)])
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-m", "jackcomp", "render", solo, "-o", "a.wav"]
    process = subprocess.Popen(
        [*command, "--midi", "a.mid"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell lets what it runs in the background ignore SIGINT, and that is
        # inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        give_up = time.monotonic() + 30
        while sum(path.stat().st_size for path in folder.glob(".*.wav")) < 100_000:
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.01)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert list(folder.iterdir()) == []


def test_a_render_needs_neither_jack_nor_a_soundfont_for_its_chart(
    bundled, tmp_path, environment
):
    program = (
        "import sys\n"
        "sys.modules['jack'] = sys.modules['fluidsynth'] = None\n"
        "from jackcomp.cli import main\n"
        "main(prog_name='jackcomp')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "render", bundled, "--chart", "a.txt"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / "a.txt").read_text().splitlines()) > 5
