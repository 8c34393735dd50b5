import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

import jackcomp
from jackcomp.cli import main
from jackcomp.errors import EngineError


@dataclass
class Job:
    solo: Path
    wav: Path | None
    midi: Path | None
    chart: Path | None
    plot: Path | None
    explain: Path | None
    period: int
    rate: int


@dataclass
class Port:
    name: str
    kind: str
    direction: str
    is_physical: bool


@dataclass
class Late:
    capture: tuple[int, int]
    playback: tuple[int, int]
    rate: int


class App(SimpleNamespace):
    """Stands where the program is, and keeps what it is asked."""

    RenderJob = Job
    code = 0
    error: BaseException | None = None

    def play(self, settings, load):
        self.asked, self.load = settings, load
        if self.error:
            raise self.error
        return self.code

    def render(self, settings, job):
        self.asked, self.job = settings, job

    def list_ports(self, settings):
        self.asked = settings
        late = Late((0, 0), (256, 319), 48_000)
        return [
            (Port("system:midi_capture_1", "midi", "out", True), late),
            (Port("a:in", "audio", "in", False), late),
        ]

    def probe_server(self, settings):
        raise EngineError(f"cannot reach JACK server '{settings.server}'")


@pytest.fixture(autouse=True)
def app(monkeypatch, tmp_path):
    app = App()
    monkeypatch.setitem(sys.modules, "jackcomp.app", app)
    monkeypatch.setattr(jackcomp, "app", app, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    return app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="jackcomp")


def test_explain_reads_what_render_wrote(tmp_path):
    path = tmp_path / "decisions.jsonl"
    path.write_text("", encoding="utf-8")
    told = run("explain", str(path))
    assert (told.exit_code, told.output.strip()) == (0, "0 of 0 decisions")
    path.write_text("no JSON\n", encoding="utf-8")
    refused = run("explain", str(path))
    assert refused.exit_code == 1
    assert "line 1 is no decision" in refused.output


HEAVY = (
    "numpy",
    "onnxruntime",
    "jack",
    "fluidsynth",
    "matplotlib",
    "mido",
    "soundfile",
)


@pytest.mark.parametrize("command", [[], ["render"], ["doctor"], ["soundfonts"]])
def test_help_is_light(command):
    program = (
        "import sys\n"
        "from jackcomp.cli import main\n"
        "try:\n"
        f"    main({[*command, '--help']!r}, prog_name='jackcomp')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: jackcomp")


def test_python_m_jackcomp_is_jackcomp():
    done = subprocess.run(
        [sys.executable, "-m", "jackcomp", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("jackcomp, version ")


def test_no_command_plays_live_with_the_settings(app):
    app.code = 7
    result = run(
        "--bpm", "90", "--no-solo", "--connect", "a", "--connect", "b", "--stress"
    )
    assert result.exit_code == 7
    assert (app.asked.bpm, app.asked.solo, app.asked.stress) == (90.0, False, True)
    assert app.asked.connect == ("a", "b")


def test_live_play_can_read_the_settings_anew(app, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("gain = 2\nreverb = 0")
    run("--config", str(config), "--reverb", "0.5")
    config.write_text("gain = 3\nreverb = 1")
    settings = app.load()
    assert (settings.gain, settings.reverb) == (3.0, 0.5)  # a flag goes before


def test_render_hands_over_the_job(app, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("seed = 5")
    result = run(
        *("render", "solo.mid", "-o", "a.wav", "--chart", "a.txt", "--period", "64"),
        *("--config", str(config), "--key", "Am"),
    )
    assert (result.exit_code, result.output) == (0, "")
    assert (app.asked.seed, app.asked.key.mode) == (5, "minor")
    empty = dict.fromkeys(("midi", "plot", "explain"))
    assert asdict(app.job) == empty | {
        "solo": Path("solo.mid"),
        "wav": Path("a.wav"),
        "chart": Path("a.txt"),
        "period": 64,
        "rate": 48_000,
    }


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--bpm", "fast"], "--bpm is 'fast': expected a number from 20 to 400"),
        (
            ["render", "a.mid", "-o", "a.wav", "--period", "0"],
            "--period is 0: expected a whole number from 16 to 8192",
        ),
        (
            ["render", "a.mid", "--plot", "a.bmp"],
            "cannot draw 'a.bmp': expected a name that ends with .png or .svg or .pdf",
        ),
        (["styles", "--config", "no"], "cannot read configuration file 'no': "),
        (["soundfonts", "--sf2", "no.sf2"], "cannot read SoundFont 'no.sf2': "),
    ],
)
def test_an_error_is_one_line_and_code_1(app, arguments, line):
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"jackcomp: {line}")
    assert result.stderr.count("\n") == 1
    assert not hasattr(app, "asked")


@pytest.mark.parametrize("arguments", [["--debug"], ["--debug", "--bpm", "no"]])
def test_debug_adds_the_traceback(app, arguments):
    app.error = EngineError("no server")
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("jackcomp: ")


def test_debug_counts_in_the_environment_too(app, monkeypatch):
    monkeypatch.setenv("JACKCOMP_DEBUG", "1")
    app.error = EngineError("no server")
    assert run().stderr.startswith("Traceback")


def test_a_library_that_is_missing_is_one_line(app):
    app.error = ImportError("libfluidsynth.so.3: cannot open")
    result = run()
    assert result.exit_code == 1
    assert result.stderr == (
        "jackcomp: libfluidsynth.so.3: cannot open: 'jackcomp doctor' tells what is "
        "missing\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["sing"],
        ["render"],
        ["render", "solo.mid"],
        ["--bpm", "90", "render", "solo.mid", "-o", "a.wav"],
        ["--config", "a.toml", "styles"],
    ],
)
def test_wrong_usage_is_code_2(app, arguments):
    assert run(*arguments).exit_code == 2
    assert not hasattr(app, "asked")


def test_ctrl_c_is_code_130(app):
    app.error = KeyboardInterrupt()
    assert run().exit_code == 130


def test_ports_are_listed(app):
    assert run("ports", "--server", "x").output == (
        "midi\tout\tsystem:midi_capture_1\thardware\naudio\tin\ta:in\n"
    )
    assert app.asked.server == "x"


def test_latencies_are_listed_when_asked_for(app):
    port, capture, playback, *_ = run("ports", "--latency").output.splitlines()
    assert port.endswith("system:midi_capture_1\thardware")
    assert capture == "\tcapture\t0 frames\t0.0 ms"
    assert playback == "\tplayback\t256-319 frames\t5.3-6.6 ms"


def test_styles_are_listed_with_the_chosen_one_marked():
    lines = run("styles").output.splitlines()
    assert [line.split("\t")[1] for line in lines if line.startswith("*")] == ["ballad"]
    assert len(lines) >= 3


def test_doctor_reports_and_its_code_tells():
    result = run("doctor", "--server", "x")
    assert result.exit_code == 1
    assert "FAIL  JACK server: cannot reach JACK server 'x'" in result.output
