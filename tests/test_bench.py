"""The bench measures what it says, at tiny sizes; how long anything takes is not tested."""

import io
import json
import math
from contextlib import nullcontext
from dataclasses import replace

import array_api_strict
import pytest
from rich.console import Console

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.bench import BenchError, Sizes, as_json, print_bench, run_bench
from verifier.bench.measured import NodeSizes, exponent
from verifier.cli import _guarded
from verifier.rank.certify import silent
from verifier.run.case import read_case

TINY = Sizes(
    gram=((10, 15), (20, 30)),
    gram_inputs=9,
    engines=(12, 16),
    engine_inputs=8,
    nodes=NodeSizes(samples=3, tokens=2, width=4, heads=2, pixels=4, filters=2),
    deep=(6, 2),
    checking=(6, 12),
    joining=(6, 12),
    svd=(4, 8),
    svd_inputs=6,
    small_svd=((2, 4), (3, 6)),
    memory=(3000, 20_000),
    repeats=2,
)
ONCE = replace(TINY, repeats=1)
NODES = {f"{kind}_vs_forward" for kind in ("affine", "convolution", "map", "normalise", "attend")}
RATIOS = NODES | {
    "r2_vs_svd",
    "r2_vs_product",
    "fast_vs_arb",
    "leg_vs_arb",
    "check_vs_proof",
    "pairs_vs_arb",
    "svd50_vs_mpmath",
}
CASE = """
[data]
name = "digits"
samples = 20

[network]
layers = [{ kind = "dense", width = 30, activation = "tanh", skip = true }]
"""


class Quiet:
    def case(self, name, position, count):
        return nullcontext(silent)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    file = tmp_path_factory.mktemp("bench") / "small.toml"
    file.write_text(CASE)
    return read_case(file)


@pytest.fixture(scope="module")
def found(case):
    return run_bench(numpy_backend(), Quiet(), sizes=TINY, case=case)


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for entry in value for n in numbers(entry)]
    return [] if isinstance(value, (str, bool)) or value is None else [value]


def test_the_document_is_json_of_finite_numbers(found):
    document = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert {"ratios", "definitions", "seconds", "growth", "limits", "peak_bytes", "machine", "path", "memory"} <= set(
        document
    )
    assert all(math.isfinite(n) for n in numbers(document))


def test_every_ratio_is_positive_and_defined(found):
    assert set(found.ratios) == RATIOS
    assert set(found.definitions) >= (RATIOS - NODES) | {"..._vs_forward"} | {"limits", "growth", "peak_bytes", "path"}
    assert all(value > 0 for value in found.ratios.values())
    assert all(text.endswith(".") for text in found.definitions.values())
    assert all(value >= 0 for value in found.parts.values())


def test_ratios_come_from_the_recorded_times(found):
    assert all(min(values) > 0 for values in found.seconds.values())
    ours = found.best("r2_20x30")
    assert found.ratios["r2_vs_svd"] == ours / found.best("svd_20x30")
    assert found.ratios["r2_vs_product"] == ours / found.best("product_20x30")
    assert found.ratios["fast_vs_arb"] == found.best("fast_r2_12x16") / found.best("arb_12x16")
    assert len(found.seconds["r2_20x30"]) == TINY.repeats
    assert len(found.seconds["r2_20x30_canary"]) == TINY.repeats


def test_mpmath_is_scaled_by_the_cubic_law_and_says_so(found):
    scale = (4 / 3) ** 2 * (8 / 6)
    expected = found.best("svd50_4x8") / (found.best("mpmath_3x6") * scale)
    assert found.ratios["svd50_vs_mpmath"] == pytest.approx(expected)
    assert "scaled by N^2 M" in found.definitions["svd50_vs_mpmath"]


def test_full_measures_mpmath_at_the_full_size(case):
    full = run_bench(numpy_backend(), Quiet(), sizes=ONCE, case=case, full=True)
    assert full.ratios["svd50_vs_mpmath"] == full.best("svd50_4x8") / full.best("mpmath_4x8")
    assert "scaled" not in full.definitions["svd50_vs_mpmath"]


def test_limits_memory_and_path(found):
    n, m, d = 20, 30, TINY.gram_inputs
    assert found.limits["gram_flops"] == n * n * m
    assert found.limits["cholesky_flops"] == n**3 / 3
    assert found.limits["enclosure_flops"] == 2 * n * m * d
    assert found.limits["r2_over_bound"] > 0
    assert [row["samples"] for row in found.memory] == [3000, 20_000]
    assert all(row["gram_bytes"] >= 4 * row["samples"] ** 2 for row in found.memory)
    assert 0 < found.peak_bytes["before"] <= found.peak_bytes["measured"]
    assert found.peak_bytes["planned"] > 0
    assert found.path["samples"] == 20
    assert found.path["seconds"] > 0


def test_the_record_of_the_machine_has_no_paths(found):
    assert found.machine["cpus"] >= 1
    assert "/" not in json.dumps(found.machine)
    assert any(pool["user_api"] == "blas" for pool in found.machine["pools"])


def test_growth_is_the_slope_in_log_log():
    assert exponent([1, 2, 4], [3.0, 24.0, 192.0]) == pytest.approx(3.0)


def test_the_tables_name_every_ratio(found):
    text = io.StringIO()
    print_bench(Console(file=text, width=80), found)
    for name in RATIOS | set(found.seconds):
        assert name in text.getvalue()


def test_another_library_runs_it(case):
    backend = Backend(array_api_strict, "array-api-strict")
    assert set(run_bench(backend, Quiet(), sizes=ONCE, case=case).ratios) == RATIOS


def test_a_platform_that_fails_the_canary_is_not_measured(case):
    backend = Backend(numpy_backend().xp, "numpy", product=lambda a, b: (a @ b) * (1 + 2.0**-50))
    with pytest.raises(BenchError, match="refused, product"):
        run_bench(backend, Quiet(), sizes=TINY, case=case)


def test_an_unknown_device_is_one_line(capsys):
    assert _guarded(["bench", "--device", "abacus"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "verifier: --device abacus: unknown device; use cpu or gpu\n"
