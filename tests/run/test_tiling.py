"""R2 with its tiles in a work folder: whom it belongs to, its room on the disk, and tasks done elsewhere."""

from __future__ import annotations

import json
import shutil
import signal
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from msgspec import structs
from running import start, until, verifier

from verifier.errors import InputError
from verifier.options import Options
from verifier.prove import prove
from verifier.rank.tiles.layout import layout
from verifier.run import tiling, work_folder, worker
from verifier.run.case import read_case
from verifier.run.case_problem import case_problem
from verifier.run.executors import of_executor
from verifier.run.ledger import environment
from verifier.run.toml import case_toml

CASE = """
title = "Random points"

[data]
path = "points.csv"

[network]
layers = [{ kind = "dense", width = 130, activation = "tanh", skip = true }]

[start]
seed = 1
scale = 3.0
"""
DIGITS = """
[data]
name = "digits"
samples = 700
[network]
layers = [{ kind = "dense", width = 1200, activation = "tanh", skip = true }]
"""
RANK = {"parts": frozenset({"rank"}), "certificate": False}


@pytest.fixture
def case(tmp_path, monkeypatch):
    """The case, cut into three rows of tiles, whatever the memory."""
    points = np.random.default_rng(3).integers(-99, 100, (100, 6))
    lines = [",".join(map(str, [*row, "ab"[k % 2]])) for k, row in enumerate(points.tolist())]
    (tmp_path / "points.csv").write_text("\n".join(["a,b,c,d,e,f,label", *lines]) + "\n")
    (tmp_path / "points.toml").write_text(CASE)
    monkeypatch.setattr(work_folder, "layout", lambda n, m, memory: layout(n, m, memory, rows=40))
    return read_case(tmp_path / "points.toml")


def silent(words, fraction, left):
    """Say nothing."""


def elsewhere(case, executor, width=2):
    files, shown = worker.packed(case)
    task = worker.Task(
        name=case.name, case=case, toml=case_toml(case), files=files, shown=shown, seed=None, device="cpu", threads=1,
        environment=environment(),
    )  # fmt: skip
    return tiling.Elsewhere(of_executor(executor, width), task)


def found_in(path, case, helper=None, seed=None):
    problem = case_problem(case, seed=seed)
    with work_folder.work_folder(path, problem) as work:
        gram = tiling.OutOfCore(work, silent, helper)
        return prove(problem, Options(**RANK, gram=gram, threads=1, tight=True)).rank


def test_the_pipeline_proves_the_same_and_goes_on(tmp_path, case):
    usual = prove(case_problem(case), Options(**RANK, threads=1, tight=True)).rank
    found = found_in(tmp_path / "work", case)
    assert found.proved and found.label == "R2" and found.sigma_lower == pytest.approx(usual.sigma_lower, rel=0.15)
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "work").glob("*.tile")}
    assert len(files) == 12
    assert found_in(tmp_path / "work", case).sigma_lower == found.sigma_lower
    assert files == {file: file.stat().st_mtime_ns for file in (tmp_path / "work").glob("*.tile")}


def test_workers_make_the_same_tiles_with_and_without_the_folder(tmp_path, case, monkeypatch):
    """Threads of this process stand for workers; blind ones send the Gram matrix back and leave the factor."""
    here = found_in(tmp_path / "here", case)
    tiles = {file.name: file.read_bytes() for file in (tmp_path / "here").glob("*.tile")}
    with ThreadPoolExecutor(2) as pool:
        assert found_in(tmp_path / "there", case, elsewhere(case, pool)).sigma_lower == here.sigma_lower
    assert tiles == {file.name: file.read_bytes() for file in (tmp_path / "there").glob("*.tile")}
    real, made = tiling.run_tile, []

    def blind(job):
        made.append(real(structs.replace(job, folder="/nowhere")))
        return made[-1]

    monkeypatch.setattr(tiling, "run_tile", blind)
    with ThreadPoolExecutor(2) as pool:
        assert found_in(tmp_path / "sent", case, elsewhere(case, pool)).sigma_lower == here.sigma_lower
    assert tiles == {file.name: file.read_bytes() for file in (tmp_path / "sent").glob("*.tile")}
    assert [sum(bool(done.content) for done in made), sum(done.unseen for done in made)] == [6, 12]  # of two shifts


class _Says:
    """An executor whose workers all give the same answer."""

    def __init__(self, **answer):
        self.answer = tiling.TileDone(**answer)

    def submit(self, function, job):
        found = Future()
        found.set_result(self.answer)
        return found


def test_what_workers_say_is_said(tmp_path, case):
    with pytest.raises(InputError, match="other sources"):
        found_in(tmp_path / "a", case, elsewhere(case, _Says(unable=worker.OTHER_SOURCES)))
    refused = found_in(tmp_path / "b", case, elsewhere(case, _Says(refused="refused, a product is wrong")))
    assert any("R2 in binary64: refused, a product is wrong" in tried for tried in refused.attempts)
    with pytest.raises(InputError, match="torn again and again"):
        found_in(tmp_path / "c", case, elsewhere(case, _Says(torn=True)))


def test_workers_with_other_sources_or_weights_do_nothing(tmp_path, case):
    helper = elsewhere(case, None)
    with work_folder.work_folder(tmp_path / "work", case_problem(case, seed=7)) as work:
        job = tiling.TileJob(case=helper.case, folder=str(work.path), identity=work.identity, task=tiling.Task(0, 0))
        assert "others than those" in tiling.run_tile(job).unable
        job = structs.replace(job, case=structs.replace(job.case, environment=""))
        assert tiling.run_tile(job).unable == worker.OTHER_SOURCES
    assert not list((tmp_path / "work").glob("*.tile"))


def test_a_folder_belongs_to_one_problem_and_one_run(tmp_path, case, monkeypatch):
    problem = case_problem(case)
    with (
        work_folder.work_folder(tmp_path / "work", problem),
        pytest.raises(InputError, match="another run is at work in"),
    ):
        work_folder.work_folder(tmp_path / "work", problem).__enter__()
    with pytest.raises(InputError, match=r"holds other work \(100 x 130: other samples, weights"):
        work_folder.work_folder(tmp_path / "work", case_problem(case, seed=2)).__enter__()
    full = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(InputError, match=r"0\.00 GB of disk are needed, 0\.00 GB are free; make room"):
        work_folder.work_folder(tmp_path / "new", problem).__enter__()
    (tmp_path / "work" / work_folder.PROBLEM).write_bytes(b"{")
    with pytest.raises(InputError, match=r"problem\.json cannot be read"):
        work_folder.work_folder(tmp_path / "work", problem).__enter__()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        work_folder.work_folder(tmp_path / "file", problem).__enter__()


def test_tiles_of_another_problem_do_not_count(tmp_path, case):
    """Whoever removes the file that says what a folder belongs to gets tiles made anew, no bound of the old problem."""
    found = found_in(tmp_path / "work", case)
    tiles = {file.name: file.read_bytes() for file in (tmp_path / "work").glob("*.tile")}
    (tmp_path / "work" / work_folder.PROBLEM).unlink()
    assert found_in(tmp_path / "work", case).sigma_lower == found.sigma_lower  # the same problem: they still count
    assert tiles == {file.name: file.read_bytes() for file in (tmp_path / "work").glob("*.tile")}
    (tmp_path / "work" / work_folder.PROBLEM).unlink()
    other = found_in(tmp_path / "work", case, seed=7)
    assert other.sigma_lower == found_in(tmp_path / "new", case, seed=7).sigma_lower != found.sigma_lower


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--jobs", "2"), "are options of --work"),
        (("--scheduler", "tcp://127.0.0.1:1"), "are options of --work"),
        (("--work", "w", "--svd"), "--work is for R2"),
        (("--work", "w", "--out", "c.json"), "--work is for R2"),
    ],
)
def test_options_that_do_not_fit_are_one_line(tmp_path, case, options, said):
    found = verifier("rank", tmp_path / "points.toml", *options, cwd=tmp_path)
    assert found.returncode == 2 and said in found.stderr and found.stderr.count("\n") <= 2


def test_an_interruption_says_what_goes_on(tmp_path, case, monkeypatch):
    def interrupted(maker, run, say):
        raise KeyboardInterrupt

    monkeypatch.setattr(tiling, "TiledGram", interrupted)
    found = verifier("rank", tmp_path / "points.toml", "--work", "w", cwd=tmp_path)
    assert found.returncode == 130 and found.stdout == ""
    assert found.stderr.splitlines()[-2:] == [
        "the same command goes on from the finished tiles in 'w'",
        "verifier: interrupted; finished certificates are complete, nothing half-written is left",
    ]


@pytest.mark.slow
def test_kill_nine_at_several_moments(tmp_path):
    (tmp_path / "digits.toml").write_text(DIGITS)
    ask = ("rank", tmp_path / "digits.toml", "--memory", 0.02, "--tight", "--json", "--work")
    whole = verifier(*ask, tmp_path / "whole")
    assert whole.returncode == 0
    for name in ("gram_0_0", "gram_2_1", "factor_*_1_0", "outcomes"):
        process = start(*ask, tmp_path / "work")
        until(lambda name=name: list((tmp_path / "work").glob(f"{name}*")))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    found = verifier(*ask, tmp_path / "work")
    assert found.returncode == 0
    assert json.loads(found.stdout)["sigma_lower"] == json.loads(whole.stdout)["sigma_lower"]
