"""Whatever the prover emits, the independent checker accepts: random networks, data, scales, starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from verifier.certificate.check_process import checker_command
from verifier.errors import InputError
from verifier.outcome import Report
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case
from verifier.verdict import Verdict

ACTIVATIONS = (
    "sigmoid tanh softplus softplus(7) arctan erf algebraic identity sin gelu silu exp relu leaky_relu elu hard_tanh "
    "square cubic tanh(t)+t/10 t/(1+Abs(t)) exp(-t**2) cos(t) sqrt(1+t**2) t**3/3-t"
).split()
MANY, ALL = 18, 30


def random_case(seed: int, folder: Path) -> str:
    """A case file: one-dimensional or not, nearly equal samples, duplicates, huge and tiny scales, every layer kind."""
    rng = np.random.default_rng(seed)
    n, d, m = int(rng.integers(2, 14)), int(rng.integers(1, 7)), int(rng.integers(2, 5))
    x = np.round(rng.normal(size=(n, d)) * 2.0 ** rng.integers(-8, 9), 3)
    if rng.random() < 0.3:
        x[-1] = x[0]
    if rng.random() < 0.2:
        x[1] = np.nextafter(x[0], np.inf)
    y = rng.integers(0, m, size=n)
    y[:2] = 0, 1
    np.savez(folder / f"d{seed}.npz", X=x, y=np.unique(y, return_inverse=True)[1])
    layers, shapes = [], []
    conv = d >= 3 and rng.random() < 0.4
    for index in range(int(rng.integers(1, 4))):
        activation = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
        sources = json.dumps(["input", *range(index)][-int(rng.integers(1, index + 2)) :])
        if conv and index == 0:
            bias = "tied" if rng.random() < 0.5 else "per-unit"
            layers.append(
                f'{{ kind = "conv1d", filters = {n}, kernel = 2, bias = "{bias}", '
                f'activation = "{activation}", skip = true }}'
            )
        elif conv and index == 1 and rng.random() < 0.5:
            layers.append("{ kind = 'avgpool', kernel = [2], stride = [1], inputs = [0], skip = [0] }")
        else:
            width = int(rng.integers(1, 2 * n + 2))
            layers.append(
                f'{{ kind = "dense", width = {width}, activation = "{activation}", skip = true, inputs = {sources} }}'
            )
        shapes.append(index)
    init = ["gaussian", "gaussian", "gaussian", "cloned", "constant-unit", "zeros"][int(rng.integers(6))]
    scale, duplicates = ("auto", "none")[seed % 2], ("group", "keep")[seed % 3 == 0]
    return f"""
    data = {{ path = "d{seed}.npz", scale = "{scale}", duplicates = "{duplicates}" }}
    network.layers = [{", ".join(layers)}]
    start = {{ init = "{init}", scale = {2.0 ** int(rng.integers(-6, 5))}, fan_in = true, seed = {seed} }}
    rank.max_bits = 256
    """


@pytest.fixture(scope="module", params=[MANY, pytest.param(ALL, marks=pytest.mark.thorough)])
def proved(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[int, Report], dict[int, Path]]:
    folder = tmp_path_factory.mktemp("random")
    reports, files = {}, {}
    for seed in range(request.param):
        case = parse_case(random_case(seed, folder), folder=folder)
        try:
            report, builder = run_case(case)
        except InputError as error:  # two samples that are one group leave nothing to classify
            assert "\n" not in str(error)
            continue
        reports[seed] = report
        if not builder.empty:
            files[seed] = builder.write(folder / f"c{seed}.json")
    assert len(files) > request.param // 2
    return reports, files


def test_the_checker_accepts_what_the_prover_emits(proved: tuple[dict[int, Report], dict[int, Path]]) -> None:
    _, files = proved
    done = subprocess.run(checker_command(["--json", *map(str, files.values())]), capture_output=True, check=False)
    results = json.loads(done.stdout)["results"]
    rejected = {seed: r["rejection"] for seed, r in zip(files, results, strict=True) if r["verdict"] != "ACCEPTED"}
    assert rejected == {}


def test_verdicts_of_all_kinds_occur(proved: tuple[dict[int, Report], dict[int, Path]]) -> None:
    reports, _ = proved
    ranks = [report.verdict("rank") for report in reports.values()]
    assert min(ranks.count(Verdict.PROVED), ranks.count(Verdict.REFUTED)) >= 5
    paths = [report.verdict("path") for report in reports.values()]
    assert paths.count(Verdict.PROVED) >= 5


def test_small_exact_ranks_agree(proved: tuple[dict[int, Report], dict[int, Path]]) -> None:
    """A rank that was PROVED is at most M, and one that was REFUTED has a bound below N."""
    reports, _ = proved
    for report in reports.values():
        result = report.rank
        assert result is not None
        if result.verdict is Verdict.PROVED:
            assert result.bound is not None
            assert result.columns >= result.samples
            assert float(result.bound.alpha) < 1
        if result.verdict is Verdict.REFUTED:
            assert result.deficiency is not None
            assert result.deficiency.rank_at_most < result.samples


def test_the_checker_command_is_isolated() -> None:
    assert checker_command([])[:2] == [sys.executable, "-I"]
