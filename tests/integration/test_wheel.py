"""An installed jackcomp needs nothing of the checkout."""

import shutil
import subprocess
import sys
from pathlib import Path

import mido
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
SOURCES = ("jackcomp", "models", "pyproject.toml", "setup.py", "README.md", "LICENSE")
BUILT = ("__pycache__", "*.so", "*.o", "_core.c", "_jack_host.c")

pytestmark = [pytest.mark.synth, pytest.mark.slow]


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build a wheel from the sources alone, and unpack it into a folder."""
    folder = tmp_path_factory.mktemp("wheel")
    sources, wheels, site = folder / "sources", folder / "wheels", folder / "site"
    sources.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns(*BUILT)
            shutil.copytree(ROOT / name, sources / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, sources)
    pip("wheel", "--no-deps", "--wheel-dir", wheels, sources)
    (wheel,) = wheels.glob("jackcomp-*.whl")
    # What it depends on is in the environment of the tests already.
    pip("install", "--no-deps", "--no-index", "--target", site, wheel)
    shutil.rmtree(sources)
    return site


def test_an_installed_wheel_renders_from_an_empty_folder(
    site, run_jackcomp, environment, write_solo, tmp_path
):
    environment["PYTHONPATH"] = str(site)
    program = "import jackcomp._models as m; print(jackcomp.__file__, m.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", f"import jackcomp; {program}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(Path(path).is_relative_to(site) for path in where.stdout.split())

    solo = write_solo(tmp_path / "solo.mid", [(0, 4, 60, 0), (4, 4, 67, 0)])
    out = tmp_path / "cwd"
    assert list(out.iterdir()) == []
    done = run_jackcomp(
        *("render", solo, "-o", "x.wav", "--midi", "x.mid", "--chart", "x.txt"),
        *("--style", "arpeggio"),
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in out.iterdir()} == {"x.wav", "x.mid", "x.txt"}
    assert soundfile.info(out / "x.wav").duration > 4
    assert len(mido.MidiFile(out / "x.mid").tracks) == 3
    assert len((out / "x.txt").read_text().splitlines()) > 1


def test_a_wheel_has_the_styles_and_the_bundled_solo(site, run_jackcomp, environment):
    environment["PYTHONPATH"] = str(site)
    done = run_jackcomp("styles", env=environment)
    assert done.returncode == 0, done.stderr
    packaged = {path.stem for path in (ROOT / "jackcomp/styles").glob("*.toml")}
    assert {line.split("\t")[1] for line in done.stdout.splitlines()} == packaged
    solos = {path.name for path in (ROOT / "jackcomp/assets").glob("*.mid")}
    assert {path.name for path in (site / "jackcomp/assets").glob("*.mid")} == solos
