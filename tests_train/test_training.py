"""The training room: ``make test-train``. Needs torch, so `make test` leaves it out."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import export.fit_pool
import export.search
import export.train
import export.train_ear
from export.batches import pad, plan_batches
from export.chordonomicon import Laps
from export.model import (
    ChordModel,
    ChordRows,
    ModelSettings,
    chord_parts,
    negative_log_likelihood,
)
from export.sequences import to_lesson
from export.to_onnx import (
    HALF_PRECISION,
    LARGE,
    MODEL,
    PARITY,
    build_onnx,
    compare,
    export_runs,
    load_member,
    measure_parity,
)
from export.train import Settings, Trainer, load_run, read_split
from export.workers import Workers
from jackcomp.brain.model import Brain
from jackcomp.errors import ConfigError, JackcompError
from jackcomp.network import Network
from jackcomp.theory.chord import Chord
from jackcomp.theory.vocabulary import (
    N_CHORDS,
    N_QUALITIES,
    NO_CHORD_INDEX,
    chord_index,
)

ROOT = Path(__file__).parents[1]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
TORCHRUN += ["--standalone", "--nproc-per-node", "2"]
TINY = Settings(
    model=ModelSettings(units=12, embedding=8, dropout=0.2, weight_dropout=0.2),
    epochs=3,
    batch_steps=1024,
    averaging=0.5,
    warm_up_batches=4,
    song_limit=60,
)


@pytest.fixture(scope="module")
def songs():
    return read_split("train", TINY), read_split("valid", TINY)


def train(folder, songs, settings=TINY, laps=None):
    folder.mkdir(exist_ok=True)
    with Workers.join() as workers:
        trainer = Trainer(settings, folder, workers)
        trainer.run(*songs, laps)
    return trainer


def weights(folder, name="last.pt"):
    return load_run(folder / name)[0]["model"]


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, songs):
    folder = tmp_path_factory.mktemp("whole")
    train(folder, songs)
    return folder


def test_it_learns_and_says_how(whole):
    with (whole / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["0", "1", "2"]
    assert float(rows[-1]["perplexity"]) < float(rows[0]["perplexity"]) < N_CHORDS
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_weights(whole, tmp_path, songs):
    train(tmp_path, songs)
    assert_same(weights(tmp_path), weights(whole))


class KilledError(Exception):
    """Stands for a kill, in the middle of an epoch."""


def test_an_interrupted_run_ends_with_the_same_weights(
    whole, tmp_path, songs, monkeypatch
):
    batches = []

    def average(self, model):
        batches.append(1)
        if len(batches) == 12:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "average_gradients", average)
        with pytest.raises(KilledError):
            train(tmp_path, songs)
    assert (tmp_path / "last.pt").exists()
    train(tmp_path, songs)
    assert_same(weights(tmp_path), weights(whole))
    assert_same(weights(tmp_path, "best.pt"), weights(whole, "best.pt"))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4


def command(name, *more):
    return [*more, "-m", "export.train", "--name", name, "--small", "--limit", "40"]


def run(arguments, env=None):
    return subprocess.run(
        arguments, cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )


@pytest.fixture
def run_name():
    name = f"test-{os.getpid()}"
    yield name
    folder = ROOT / "export" / "runs" / name
    for path in folder.glob("*"):
        path.unlink()
    folder.rmdir()


def test_a_killed_process_goes_on_where_it_was(run_name):
    arguments = [*command(run_name, sys.executable), "--epochs", "3"]
    folder = ROOT / "export" / "runs" / run_name
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 240
    while not (folder / "last.pt").exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = weights(folder)
    done = run(arguments)
    assert "best valid perplexity" in done.stdout
    resumed = weights(folder)
    again = [*command(run_name, sys.executable), "--epochs", "3", "--fresh"]
    run(again)
    assert_same(resumed, weights(folder))
    assert not torch.equal(killed["place.own"], resumed["place.own"])


def test_two_processes_train_one_model(run_name):
    arguments = [*command(run_name, *TORCHRUN), "--epochs", "2"]
    done = run(arguments)
    assert done.stdout.count("epoch 2:") == 1
    log = (ROOT / "export" / "runs" / run_name / "log.csv").read_text().splitlines()
    assert len(log) == 3
    assert float(log[2].split(",")[2]) < float(log[1].split(",")[2])


APART = """
import sys
from pathlib import Path
import torch
from export.train import ModelSettings, Settings, Trainer, read_split
from export.workers import Workers

model = ModelSettings(units=8, embedding=4)
settings = Settings(model=model, epochs=1, song_limit=20, batch_steps=1024)
songs = read_split("train", settings)
with Workers.join() as workers:
    folder = Path(sys.argv[1]) / str(workers.number)
    folder.mkdir()
    Trainer(settings, folder, workers).run(songs, songs)
    again = Trainer(settings, folder, workers)
    torch.save((len(again.history), again.model.state_dict()), folder / "again.pt")
"""


def test_without_a_shared_folder_all_processes_go_on_where_the_first_was(tmp_path):
    script = tmp_path / "apart.py"
    script.write_text(APART)
    command = [*TORCHRUN, str(script), str(tmp_path)]
    run(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (tmp_path / "0" / "last.pt").exists()
    assert not (tmp_path / "1" / "last.pt").exists()
    first, second = (torch.load(tmp_path / name / "again.pt") for name in "01")
    assert first[0] == second[0] == 1
    assert_same(first[1], second[1])


def test_other_processes_do_not_carry_on_a_run(whole, tmp_path, songs):
    checkpoint = load_run(whole / "last.pt")[0]
    torch.save(checkpoint | {"processes": 2}, tmp_path / "last.pt")
    with pytest.raises(ConfigError, match="has 2 processes, not 1: start as many"):
        train(tmp_path, songs)


def test_two_processes_take_all_batches():
    batches = [[n] for n in range(7)]
    shares = [Workers(n, 2, torch.device("cpu")).share(batches) for n in range(2)]
    assert [len(share) for share in shares] == [4, 4]
    assert {n for share in shares for (n,) in share} == set(range(7))


def test_other_settings_do_not_carry_on_a_run(whole, songs):
    with pytest.raises(ConfigError, match="has other settings"):
        train(whole, songs, replace(TINY, learning_rate=0.1))


@pytest.fixture(scope="module")
def laps(tmp_path_factory):
    path = tmp_path_factory.mktemp("laps") / "songs.csv"
    lines = [f'{n},"<verse_1> C F G7 C Amin Dmin G7 C"' for n in range(40)]
    path.write_text("\n".join(["id,chords", *lines]) + "\n")
    return Laps(path, songs=10)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\3\4" + bytes(40)),
        lambda path: path.write_bytes(path.read_bytes()[:-500]),
        lambda path: torch.save({"settings": {"size": 3}}, path),
        lambda path: torch.save([], path),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_one_line(whole, tmp_path, songs, spoil):
    path = tmp_path / "last.pt"
    shutil.copy(whole / "last.pt", path)
    spoil(path)
    with pytest.raises(ConfigError, match=r"last.pt is damaged .* train anew$"):
        train(tmp_path, songs)


@pytest.mark.parametrize(
    ("module", "option"),
    [
        (export.train, "--epochs"),
        (export.train, "--limit"),
        (export.search, "--trials"),
        (export.train_ear, "--epochs"),
        (export.train_ear, "--limit"),
        (export.fit_pool, "--limit"),
    ],
)
@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_nothing_is_no_number_of_anything(monkeypatch, capsys, module, option, number):
    # One that nobody knows ends it, if the number does not.
    monkeypatch.setattr(sys, "argv", ["train", f"{option}={number}", "--nonsense"])
    with pytest.raises(SystemExit):
        module.main()
    assert f"'{number}' is not a whole number from 1" in capsys.readouterr().err


def test_it_learns_from_laps_first(tmp_path, songs, laps):
    settings = replace(TINY, laps=len(laps), epochs=1)
    trainer = train(tmp_path, songs, settings, laps)
    assert len(trainer.history) == 5


def test_a_lap_without_a_song_is_refused(tmp_path, songs):
    path = tmp_path / "songs.csv"
    path.write_text("id,chords\n1,\n2,C\n")
    laps = Laps(path)
    with pytest.raises(ConfigError, match="nothing to learn in lap 1 of 1"):
        train(tmp_path / "run", songs, replace(TINY, laps=1, epochs=1), laps)


def test_no_patience_is_lost_and_nothing_chosen_in_laps(
    tmp_path, songs, laps, monkeypatch
):
    measured = iter([5.0, 6.0, 6.0, 6.0, 8.0, 7.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr(Trainer, "validate", lambda *_: next(measured))
    settings = replace(TINY, laps=len(laps), epochs=5, patience=1)
    trainer = train(tmp_path, songs, settings, laps)
    assert len(trainer.history) == 4 + 3
    assert trainer.best.perplexity == 7.0
    assert load_run(tmp_path / "best.pt")[0]["epoch"] == 5


def test_batches_hold_every_song_once_and_no_more_steps_than_they_may():
    lengths = [5, 300, 40, 40, 7, 1200]
    batches = plan_batches(lengths, 400, np.random.default_rng(0))
    assert sorted(song for batch in batches for song in batch) == list(range(6))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[n] for n in batch) * len(batch) <= 400


def test_padding_counts_for_nothing(songs):
    lessons = [to_lesson(song) for song in songs[0]]
    lessons = sorted(lessons, key=lambda lesson: len(lesson.answers))[::20]
    model = ChordModel(TINY.model).eval()

    def losses(batch):
        logits = model(batch.inputs, batch.positions, batch.genres)[batch.counts]
        answers, rootless = batch.answers[batch.counts], batch.rootless[batch.counts]
        return negative_log_likelihood(logits, answers, rootless)

    together = losses(pad(lessons))
    alone = torch.cat([losses(pad([lesson])) for lesson in lessons])
    torch.testing.assert_close(together, alone)


def test_a_rootless_chord_has_a_twelfth_of_its_quality():
    logits = torch.randn(1, N_CHORDS)
    chances = logits.softmax(-1)[0]
    loss = negative_log_likelihood(logits, torch.tensor([2]), torch.tensor([True]))
    assert (-loss).exp().item() == pytest.approx(chances[2:168:14].sum().item() / 12)


def test_a_chord_consists_of_root_quality_and_notes():
    parts = chord_parts()
    minor_seventh = parts[chord_index(Chord(2, "min7"))]
    root, quality, notes = minor_seventh.split([12, N_QUALITIES, 12])
    assert root.nonzero().flatten().tolist() == [2]
    assert quality.sum() == 1
    assert notes.nonzero().flatten().tolist() == [0, 2, 5, 9]  # D F A C
    assert parts[NO_CHORD_INDEX].sum() == 0
    assert len(parts.unique(dim=0)) == N_CHORDS


def test_a_chord_that_was_never_met_learns_from_those_like_it():
    torch.manual_seed(0)
    rows = ChordRows(chord_parts(), 3, 0.1)
    before = rows().detach().clone()
    learner = torch.optim.SGD(rows.parameters(), lr=0.1)
    met, like, unlike = (
        chord_index(Chord(*chord)) for chord in ((0, "maj"), (0, "maj7"), (6, "min"))
    )
    rows()[met].sum().backward()
    learner.step()
    moved = (before - rows().detach()).mean(1)
    assert moved[met] > moved[like] > moved[unlike]
    assert moved[unlike] == pytest.approx(0.0, abs=1e-7)


def test_what_is_shared_can_be_folded_into_the_rows():
    rows = ChordRows(chord_parts(), 3, 0.1)
    before = rows().detach().clone()
    rows.fold()
    assert not rows.shared.any()
    torch.testing.assert_close(rows(), before)


@pytest.mark.parametrize("layers", [1, 2])
def test_torch_and_onnx_agree(layers):
    torch.manual_seed(0)
    model = ChordModel(replace(TINY.model, layers=layers)).eval()
    assert measure_parity([model], Brain(Network(build_onnx([model])))) < PARITY


def test_what_half_precision_costs_is_measured(tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = ChordModel(replace(TINY.model, units=40))
    for weight in model.parameters():
        weight.data *= 5
    assert model.lstm.weight_hh_l0.numel() >= LARGE
    write_run(tmp_path / "large", model, replace(TINY, model=model.settings))
    monkeypatch.setattr("export.to_onnx.RUNS", tmp_path)
    models = [load_member("large")[0]]
    brain = Brain(Network(build_onnx(models)))
    found = compare(models, brain)
    assert found["parity"] < PARITY < found["half_precision"] < HALF_PRECISION
    models[0].from_last.own.data *= 1.1
    with pytest.raises(JackcompError, match=r"differ by .* \(parity\)"):
        compare(models, brain)


def write_run(folder, model, settings):
    folder.mkdir()
    run = {"settings": asdict(settings), "epoch": 0, "model": model.state_dict()}
    torch.save(run, folder / "best.pt")


def test_two_runs_that_are_the_same_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("export.to_onnx.RUNS", tmp_path)
    for name in ("brain", "brain-2"):
        write_run(tmp_path / name, ChordModel(TINY.model), TINY)
    with pytest.raises(JackcompError, match=r"have the same settings: .* --seed"):
        export_runs(["brain", "brain-2"], tmp_path / "brain.onnx")
    assert not (tmp_path / "brain.onnx").exists()


def test_the_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("export.to_onnx.RUNS", tmp_path)
    other = replace(TINY.model, layers=2)
    write_run(tmp_path / "old", ChordModel(other), TINY)
    with pytest.raises(ConfigError, match=r"another version: .* train anew"):
        load_member("old")


def test_the_mean_of_two_models_is_one_model():
    torch.manual_seed(0)
    models = [ChordModel(replace(TINY.model, units=n)).eval() for n in (12, 20)]
    brain = Brain(Network(build_onnx(models)))
    assert measure_parity(models, brain) < PARITY
    assert measure_parity(models[:1], brain) > PARITY


def test_the_card_counts_the_weights_of_the_file():
    weights = onnx.load(MODEL).graph.initializer
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    count = sum(math.prod(w.dims) for w in weights if w.data_type in floats)
    assert count <= 2_000_000
    # In the file each pair of biases is one, and a head answers for no chord too.
    card = json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    units = [settings["model"]["units"] for settings in card["settings"]]
    assert card["parameters"] == count + 3 * sum(units)
