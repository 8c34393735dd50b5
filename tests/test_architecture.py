"""Who may import whom: reads the imports with ast, so nothing needs to be built."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMON = {"messages", "arrays", "errors"}
PURE = {"theory", "timeline"}
ROOMS = {"ear", "brain", "decision", "arranger"}
BASE = PURE | COMMON

# What each place of jackcomp/ may import from jackcomp/, itself aside.
MAY_IMPORT = {
    "__init__": set(),
    "assets": set(),
    "styles": set(),
    "errors": set(),
    "arrays": {"errors"},
    "messages": {"arrays", "errors", "timeline"},
    "checked": {"errors"},
    "network": {"errors"},
    "tables": {"errors"},
    "theory": {"errors"},
    "timeline": {"errors"},
    # The rooms of the thinking, which do not know each other, ...
    "ear": BASE | {"network", "tables"},
    "brain": BASE | {"network", "tables"},
    "decision": BASE,
    "arranger": BASE | {"checked"},
    # ... and what joins them.
    "foresight": BASE | {"brain", "decision"},
    "pacing": BASE | {"ear"},
    "accompanist": BASE | ROOMS | {"foresight", "pacing"},
    # Where the sound is, who plays, and what they have set.
    "engine": {"timeline"} | COMMON,
    "control": {"theory"} | COMMON,
    "options": PURE | {"errors", "checked", "arranger"},
    "config": BASE | {"options", "decision"},
    # Files in and out.
    "solo": {"errors", "timeline"},
    "outputs": {"errors"},
    "plot": {"errors", "timeline"},
    "performance": BASE | {"accompanist"},
    "recording": BASE | {"accompanist", "performance"},
    "doctor": {"errors", "engine", "brain", "ear"},
    "explaining": {"errors", "theory"},
    # The application: a duo is built, then it plays live or renders.
    "metronome": {"config", "errors", "options", "timeline"},
    "duo": BASE
    | ROOMS
    | {"accompanist", "pacing", "metronome", "engine", "config", "network"},
    "changes": BASE | {"accompanist", "arranger", "engine", "config", "duo", "worker"},
    "state": {"errors", "theory", "config", "outputs"},
    "service": set(),
    "xruns": set(),
    "worker": {"accompanist", "engine"} | COMMON,
    "session": BASE
    | {"accompanist", "arranger", "engine", "control", "config"}
    | {"outputs", "recording", "duo", "worker", "xruns"},
    "station": {"engine", "config", "errors"},
    "band": BASE
    | {"engine", "config", "duo", "worker", "pacing", "session", "changes", "state"},
    "live": BASE | {"engine", "config", "duo", "band", "control", "station", "service"},
    "rendering": BASE
    | {"accompanist", "pacing", "arranger", "decision", "engine", "config"}
    | {"solo", "outputs", "plot", "performance", "duo"},
    "app": COMMON | {"engine", "config", "live", "rendering"},
    "cli": {"errors", "config", "options", "arranger", "engine"}
    | {"plot", "doctor", "explaining", "app"},
    "__main__": {"cli"},
}
EXPORT_MAY_IMPORT = (
    BASE
    | {"brain", "ear", "decision", "foresight", "accompanist", "pacing", "config"}
    | {"network", "tables"}
    # To hear songs played as they are rendered.
    | {"solo", "duo", "rendering"}
)
# Packages from elsewhere that the thinking may use; other places are free.
OUTSIDE = {
    "theory": set(),
    "timeline": set(),
    "ear": {"numpy"},
    "brain": {"numpy"},
    "decision": {"numpy"},
    "arranger": {"numpy"},
}
ONLY_IN = {
    "jack": ("jackcomp/engine/host.py",),
    "fluidsynth": ("jackcomp/engine/synth.py",),
    "onnxruntime": "jackcomp/network.py",
}
NEVER = {"export", "torch"}
NEED_C_LIBRARIES = {"jackcomp.engine.host", "jackcomp.engine.synth"}
PYTHON_IN_THE_CYCLE = {
    "set_process_callback",
    "set_sync_callback",
    "set_timebase_callback",
}


@dataclass(frozen=True)
class Import:
    """A dotted name that a file imports, and whether importing the file does so."""

    name: str
    at_once: bool

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def place(self) -> str | None:
        """The room or module of jackcomp that it names, if any."""
        parts = self.name.split(".")
        known = parts[0] == "jackcomp" and len(parts) > 1 and parts[1] in MAY_IMPORT
        return parts[1] if known else None


def imports_of(source: str) -> list[Import]:
    return list(_walk(ast.parse(source), at_once=True))


def _walk(node: ast.AST, at_once: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, at_once)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        # Both, because a name may be a module: from jackcomp.engine import host
        yield Import(module, at_once)
        for alias in node.names:
            yield Import(f"{module}.{alias.name}", at_once)
    waits = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    waits = waits or (
        isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    )
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, at_once and not waits)


def place_of(path: str) -> str:
    """Name the room or module of jackcomp that a file belongs to."""
    return path.split("/")[1].removesuffix(".py")


def faults(path: str, source: str) -> list[str]:
    """List what a file, named from the root of the repository, may not do."""
    found = imports_of(source)
    names = {item.name for item in found}
    relative = [f"imports {name}, relatively" for name in names if name[0] == "."]
    if path.startswith("export/"):
        return relative + [
            f"imports {item.name}"
            for item in found
            if item.place and item.place not in EXPORT_MAY_IMPORT
        ]
    place = place_of(path)
    if place not in MAY_IMPORT:
        return [f"{place} has no place in MAY_IMPORT"]
    return [
        *relative,
        *_faults_of_direction(place, found),
        *_faults_of_packages(path, place, found),
        *_faults_of_lateness(path, found),
        *_faults_of_callbacks(source),
    ]


def _faults_of_direction(place: str, found: list[Import]) -> Iterator[str]:
    for item in found:
        if item.place not in {None, place} | MAY_IMPORT[place]:
            yield f"imports {item.name}"


def _faults_of_packages(path: str, place: str, found: list[Import]) -> Iterator[str]:
    for item in found:
        package = item.package
        if package in NEVER or path not in ONLY_IN.get(package, (path,)):
            yield f"imports {item.name}"
        is_outside = package not in sys.stdlib_module_names | {"jackcomp", ""}
        if is_outside and package not in OUTSIDE.get(place, {package}):
            yield f"imports {item.name}, from outside"


def _faults_of_lateness(path: str, found: list[Import]) -> Iterator[str]:
    if path.removesuffix(".py").replace("/", ".") in NEED_C_LIBRARIES:
        return
    for item in found:
        module = ".".join(item.name.split(".")[:3])
        if item.at_once and module in NEED_C_LIBRARIES:
            yield f"imports {item.name} at once: import it inside a function"


def _faults_of_callbacks(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in PYTHON_IN_THE_CYCLE:
            yield f"calls {node.attr}: Python would run in the cycle"


FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("jackcomp", "export")
    for path in (ROOT / package).rglob("*.py")
)


@pytest.mark.parametrize("path", FILES)
def test_a_file_keeps_to_the_architecture(path):
    assert faults(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_the_files_are_found_and_every_row_has_its_files():
    assert "jackcomp/theory/chord.py" in FILES
    places = {place_of(path) for path in FILES if path.startswith("jackcomp/")}
    assert set(MAY_IMPORT) == places


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("jackcomp/theory/key.py", "import numpy"),
        ("jackcomp/theory/key.py", "from jackcomp.timeline.meter import Meter"),
        ("jackcomp/theory/key.py", "from jackcomp import arrays"),
        ("jackcomp/timeline/clock.py", "import numpy as np"),
        ("jackcomp/timeline/clock.py", "def f():\n    from jackcomp.theory import key"),
        ("jackcomp/ear/harmony.py", "from jackcomp.brain import model"),
        ("jackcomp/ear/harmony.py", "import scipy.signal"),
        ("jackcomp/ear/listener.py", "import onnxruntime"),
        ("jackcomp/brain/features.py", "import onnxruntime"),
        ("jackcomp/decision/policy.py", "import jackcomp.ear.listen"),
        (
            "jackcomp/arranger/arrange.py",
            "from jackcomp.accompanist import Accompanist",
        ),
        ("jackcomp/engine/link.py", "from jackcomp.theory.chord import Chord"),
        ("jackcomp/engine/link.py", "import jack"),
        ("jackcomp/engine/host.py", "import fluidsynth"),
        ("jackcomp/engine/offline.py", "import jackcomp.engine.synth"),
        ("jackcomp/control/terminal.py", "from jackcomp.ear.listen import Ear"),
        ("jackcomp/accompanist.py", "from jackcomp.app import play"),
        ("jackcomp/accompanist.py", "from jackcomp.engine.link import Engine"),
        ("jackcomp/accompanist.py", "from jackcomp.config import Settings"),
        ("jackcomp/accompanist.py", "from jackcomp.worker import Worker"),
        ("jackcomp/foresight.py", "from jackcomp.ear.listen import Ear"),
        ("jackcomp/foresight.py", "from jackcomp.accompanist import Accompanist"),
        ("jackcomp/decision/policy.py", "from jackcomp import foresight"),
        ("jackcomp/engine/host.py", "from jackcomp import worker"),
        ("jackcomp/engine/soundfont.py", "from jackcomp.config import Settings"),
        ("jackcomp/control/terminal.py", "from jackcomp.session import Session"),
        ("jackcomp/config.py", "def f():\n    from jackcomp.ear import tables"),
        ("jackcomp/options.py", "from jackcomp.config import Settings"),
        ("jackcomp/plot.py", "from jackcomp.accompanist import ChordChange"),
        ("jackcomp/outputs.py", "from jackcomp.config import Settings"),
        ("jackcomp/solo.py", "from jackcomp.messages import Report"),
        ("jackcomp/performance.py", "from jackcomp.engine.link import Engine"),
        ("jackcomp/duo.py", "from jackcomp.session import Session"),
        ("jackcomp/duo.py", "from jackcomp.engine import synth"),
        ("jackcomp/worker.py", "from jackcomp.session import Session"),
        ("jackcomp/worker.py", "from jackcomp.ear.listen import Ear"),
        ("jackcomp/session.py", "from jackcomp.live import play"),
        ("jackcomp/live.py", "from jackcomp.rendering import render"),
        ("jackcomp/live.py", "from jackcomp.engine.synth import Synth"),
        ("jackcomp/live.py", "from jackcomp.accompanist import Accompanist"),
        ("jackcomp/rendering.py", "from jackcomp.live import play"),
        ("jackcomp/rendering.py", "def f():\n    import jackcomp.session"),
        ("jackcomp/rendering.py", "import jackcomp.engine.synth"),
        ("jackcomp/app.py", "from jackcomp.accompanist import Accompanist"),
        ("jackcomp/cli.py", "def f():\n    from jackcomp.live import play"),
        ("jackcomp/cli.py", "from jackcomp.engine import host"),
        ("jackcomp/__main__.py", "from jackcomp.app import play"),
        ("jackcomp/app.py", "from jackcomp.cli import main"),
        ("jackcomp/app.py", "from jackcomp.engine.host import Host"),
        ("jackcomp/app.py", "from jackcomp.engine import host"),
        ("jackcomp/app.py", "class App:\n    from jackcomp.engine import synth"),
        ("jackcomp/app.py", "try:\n    import torch\nexcept ImportError:\n    pass"),
        ("jackcomp/app.py", "from export.evaluate import main"),
        ("jackcomp/app.py", "from . import config"),
        ("jackcomp/app.py", "from .config import Settings"),
        ("jackcomp/engine/host.py", "client.set_process_callback(run)"),
        ("jackcomp/engine/host.py", "@client.set_timebase_callback\ndef f(): pass"),
        ("jackcomp/engine/host.py", "client.set_sync_callback(run)"),
        ("jackcomp/utils.py", ""),
        ("export/train.py", "from jackcomp.engine.offline import render"),
        ("export/evaluate.py", "from jackcomp.cli import main"),
        ("export/stage.py", "from jackcomp import live"),
        ("export/train.py", "from .model import Model"),
    ],
)
def test_a_planted_fault_is_found(path, source):
    assert faults(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "jackcomp/theory/chord.py",
            "import re\nfrom jackcomp.errors import LabelError",
        ),
        ("jackcomp/ear/key.py", "import numpy\nfrom jackcomp.theory.key import KEYS"),
        ("jackcomp/network.py", "import onnxruntime as ort"),
        ("jackcomp/ear/listener.py", "from jackcomp.network import Network"),
        ("jackcomp/engine/host.py", "import jack\nfrom jackcomp.timeline import clock"),
        ("jackcomp/engine/synth.py", "import fluidsynth"),
        ("jackcomp/app.py", "def play():\n    from jackcomp.engine import host, synth"),
        ("jackcomp/live.py", "def f():\n    from jackcomp.engine.synth import Synth"),
        ("jackcomp/config.py", "def f():\n    from jackcomp.decision import fusion"),
        ("jackcomp/cli.py", "import click\nfrom jackcomp import __version__, app"),
        ("export/stage.py", "from jackcomp import duo\nfrom jackcomp.solo import Solo"),
        ("export/train.py", "import torch\nfrom jackcomp.brain import features"),
    ],
)
def test_what_is_allowed_passes(path, source):
    assert faults(path, source) == []
