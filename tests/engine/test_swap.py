import shutil
import threading
import time
from pathlib import Path

import pytest

from jackcomp.engine.link import Engine, EngineSettings
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.engine.swap import SoundFontSwap
from jackcomp.engine.synth import Synth
from jackcomp.errors import EngineError
from jackcomp.messages import Part, ProgramChange

pytestmark = pytest.mark.synth

RATE = 48_000
PERIOD = 256
SETTINGS = EngineSettings(
    ns_per_quarter=500_000_000, bar_ticks=7680, pulse_ticks=1920, click=((52, 0),) * 4
)
PATIENCE = 30.0


def wait_until(is_over) -> None:
    """Give the loading thread its time, while no cycle runs."""
    give_up = time.monotonic() + PATIENCE
    while not is_over():
        assert time.monotonic() < give_up
        time.sleep(0.001)


class Stage:
    """An engine that plays a held note, cycle by cycle, and its swap."""

    def __init__(self, soundfont: Path, load=Synth) -> None:
        self.first = Synth(soundfont, RATE)
        self.engine = Engine(RATE, SETTINGS, self.first.pointer)
        self.swap = SoundFontSwap(self.engine, self.first, load)
        solo = [
            TimedMessage(0, bytes((0x90, 60, 100))),
            TimedMessage(10 * RATE, bytes((0x80, 60, 0))),
        ]
        host = OfflineHost(self.engine, solo, period=PERIOD, audio=True)
        self._cycles = host.run(lambda: None)
        self.peaks: list[float] = []

    def cycle(self) -> None:
        audio = next(self._cycles)
        self.peaks.append(float(abs(audio[2:4]).max()))

    def ask(self, soundfont: Path) -> None:
        """Let a SoundFont be loaded while no cycle runs: they would be too fast."""
        self.swap.ask(soundfont)
        wait_until(lambda: self.swap._offered is not None)

    def news_after(self, is_over) -> list[str]:
        """Let cycles run, no faster than the thread goes on, until it is over."""
        lines: list[str] = []
        give_up = time.monotonic() + PATIENCE
        while not is_over():
            assert time.monotonic() < give_up, lines
            self.cycle()
            lines += self.swap.news()
        return lines + self.swap.news()

    def close(self) -> None:
        self.swap.end()
        self.swap.close()
        if not self.swap.is_alive:
            self.engine.close()


@pytest.fixture
def stage(soundfont):
    stage = Stage(soundfont)
    yield stage
    stage.close()


@pytest.fixture
def other(soundfont, tmp_path):
    return Path(shutil.copy(soundfont, tmp_path / "other.sf2"))


def test_another_soundfont_plays_and_the_first_one_is_freed_when_it_is_silent(
    stage, other
):
    stage.cycle()
    stage.ask(other)
    lines = stage.news_after(lambda: stage.engine.counters().swaps)
    # No cycle runs meanwhile: on a busy machine the note would fade and be over.
    wait_until(lambda: stage.swap.soundfont == other)
    lines += stage.swap.news()
    assert lines == [f"new notes sound with SoundFont {other}"]
    assert stage.swap.is_busy  # the note is held, and sounds on
    stage.cycle()
    assert stage.peaks[-1] > 0.001
    stage.news_after(lambda: not stage.swap.is_busy)
    assert len(stage.peaks) * PERIOD > 10 * RATE  # it was released at that frame


def test_it_tells_once_that_it_has_loaded(stage, other):
    stage.swap.has_worked()
    assert not stage.swap.has_worked()
    stage.ask(other)
    wait_until(lambda: not stage.swap._is_working)
    assert stage.swap.has_worked()
    assert not stage.swap.has_worked()


def test_a_broken_soundfont_leaves_the_one_that_plays(stage, soundfont, tmp_path):
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(soundfont.read_bytes()[:-100])
    stage.swap.ask(broken)
    lines: list[str] = []
    while not lines:
        lines = stage.news_after(lambda: True)
        stage.cycle()
    (line,) = lines
    assert line.startswith(f"the SoundFont stays {soundfont}: SoundFont '{broken}' is")
    assert "\n" not in line
    assert stage.engine.counters().swaps == 0
    assert stage.swap.soundfont == soundfont
    stage.news_after(lambda: not stage.swap.is_busy)


class Loader:
    """Loads when it is told to, and keeps what it has loaded."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)
        self.asked: list[Path] = []
        self.closed: list[Path] = []

    def __call__(self, soundfont: Path, rate: int):
        self.asked.append(soundfont)
        self.begun.release()
        assert self.may_go_on.acquire(timeout=PATIENCE)
        loader = self

        class Loaded(Synth):
            def close(self) -> None:
                loader.closed.append(self.soundfont)
                super().close()

        return Loaded(soundfont, rate)


def test_the_latest_wish_counts_and_what_waits_is_withdrawn(soundfont, tmp_path):
    loader = Loader()
    stage = Stage(soundfont, loader)
    paths = [Path(shutil.copy(soundfont, tmp_path / f"{name}.sf2")) for name in "abcd"]
    for path in paths[:3]:
        stage.swap.ask(path)
        if path == paths[0]:
            assert loader.begun.acquire(timeout=PATIENCE)
    loader.may_go_on.release(4)  # the first is loaded, waits, and is withdrawn
    assert loader.begun.acquire(timeout=PATIENCE)
    assert loader.asked == [paths[0], paths[2]]
    stage.news_after(lambda: stage.swap.soundfont == paths[2])
    assert loader.closed == [paths[0]]
    stage.close()
    assert loader.closed == [paths[0], paths[2]]


def test_a_second_swap_waits_for_the_first_to_ring_out(stage, other, soundfont):
    stage.cycle()
    stage.ask(other)
    cycles = len(stage.peaks)
    stage.cycle()
    stage.news_after(lambda: stage.swap.soundfont == other)
    stage.ask(soundfont)
    stage.news_after(lambda: stage.swap.soundfont == soundfont)
    # Five seconds it may ring from the cycle that took it, which is seen later here,
    # on a busy machine much later.
    assert (len(stage.peaks) - cycles) * PERIOD / RATE > 5
    stage.news_after(lambda: not stage.swap.is_busy)


def test_the_end_does_not_wait_for_a_long_load(soundfont, other):
    loader = Loader()
    stage = Stage(soundfont, loader)
    stage.swap.ask(other)
    assert loader.begun.acquire(timeout=PATIENCE)
    before = time.monotonic()
    stage.close()
    assert time.monotonic() - before < PATIENCE / 2
    assert stage.swap.is_alive
    loader.may_go_on.release()
    stage.swap._thread.join(PATIENCE)
    assert not stage.swap.is_alive
    stage.engine.close()
    assert loader.closed == [other]  # by the thread itself, which touches no engine


def test_a_synth_that_is_refused_says_why(stage, monkeypatch):
    def refuse(soundfont: Path, rate: int):
        raise EngineError(f"FluidSynth cannot load the SoundFont '{soundfont}'")

    monkeypatch.setattr(stage.swap, "_load", refuse)
    stage.swap.ask(Path("a.sf2"))
    lines: list[str] = []
    while not lines:
        lines = stage.news_after(lambda: True)
    assert lines[0].endswith("FluidSynth cannot load the SoundFont 'a.sf2'")


def test_at_another_rate_the_same_soundfont_and_programs_play_on(stage, other):
    stage.engine.order(ProgramChange(Part.SOLO, 19))
    stage.cycle()
    stage.swap.ask(other)
    lines = stage.news_after(lambda: stage.swap.soundfont == other)
    assert lines
    stage.swap.change_rate(44_100)
    assert stage.engine.rate == 44_100
    assert stage.swap.soundfont == other
    assert len(stage.swap._synths) == 1
    program = stage.swap._playing._synth.channel_info(0)[2]
    assert program == 19
    for _ in range(10):
        stage.cycle()


def test_what_was_asked_while_the_server_was_away_comes_at_the_new_rate(stage, other):
    stage.ask(other)
    stage.swap.change_rate(44_100)
    stage.news_after(lambda: stage.swap.soundfont == other)
    assert stage.swap._playing.pointer != stage.first.pointer
