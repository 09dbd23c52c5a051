"""Worked conjectures fall as their texts say, for reasons computed anew; a user's file is used or refused."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

from verifier import Network, Verdict, fuzz, initialise
from verifier.errors import InputError
from verifier.fuzz import oracle
from verifier.fuzz.conjecture import shipped
from verifier.fuzz.properties import Falsified
from verifier.run.case import build_layers


def search(name: str, seed: int = 4) -> fuzz.SearchResult:
    entry = fuzz.load_conjecture(name)
    return fuzz.search(entry.name, entry.statement, entry.strategy(), entry.check, examples=1000, seed=seed)


def specimen(layer: dict[str, Any], inputs: Any, u: Any, **keywords: Any) -> fuzz.Specimen:
    shape = keywords.get("shape") or (len(inputs[0]),)
    units = Network(shape, build_layers([layer])).skip_count
    v = keywords.pop("v", np.zeros((units, 2)))
    labels = keywords.pop("labels", np.arange(len(inputs)) % 2)
    return fuzz.Specimen(np.array(inputs), labels, (layer,), np.array(u), v, **keywords)


def test_what_is_shipped() -> None:
    assert list(shipped()) == ["half_scale", "joined_by_a_line", "one_unit_short", "strict_minima", "tied_biases"]
    entry = fuzz.load_conjecture("one_unit_short:always")
    assert (entry.name, entry.statement) == (
        "one-unit-short-always",
        "With M = N - 1 units there is always a bad local valley.",
    )
    assert fuzz.load_conjecture("half_scale").name == "half-scale"


@pytest.mark.thorough
def test_half_the_weights() -> None:
    found = search("half_scale").counterexample
    assert found is not None
    small = found.specimen
    assert found.reason.startswith(f"rank {small.data.samples} at U is PROVED; at U/2 it is exactly")
    ranks = [oracle.exact_rank(small.network, small.u / k, small.data.inputs) for k in (1, 2)]
    assert ranks[1] < ranks[0] == small.data.samples == 2


def test_half_the_weights_by_hand() -> None:
    layer = {"kind": "dense", "width": 2, "activation": "t**2 - t", "skip": True}
    documented = specimen(layer, [[0.0], [2.0]], [0.0, 0.5, 0.5, 0.5])  # weights 0 and 1/2, biases 1/2
    sigma = {x: x * x - x for x in (0.25, 0.5, 0.75, 1.5)}
    assert sigma[0.5] * sigma[1.5] - sigma[0.5] * sigma[0.5] != 0  # the determinant at U
    assert sigma[0.25] * sigma[0.75] - sigma[0.25] * sigma[0.25] == 0  # at U/2
    check = fuzz.load_conjecture("half_scale").check
    with pytest.raises(Falsified, match="rank 2 at U is PROVED; at U/2 it is exactly 1"):
        check(documented)
    assert check(replace(documented, u=np.array([1.5, 0.0, 0.0, 0.5]))) == "PROVED"
    assert check(replace(documented, u=np.zeros(4))) == "UNDECIDED"


def test_tied_biases() -> None:
    found = search("tied_biases").counterexample
    assert found is not None
    assert found.reason == "tied: rank <= 1 < N = 2 for every U; per unit: N"
    small = found.specimen
    assert len(small.inputs) == 2
    free = Network(small.network.input_shape, build_layers([{**small.layers[0], "bias": "per-unit"}]))
    for seed in range(20):
        ranks = []
        for network in (small.network, free):
            u = initialise(network, seed=seed)
            ranks.append(oracle.approx_rank_to(oracle.approx_features_to(network, u, small.data.inputs)))
        assert ranks == [1, 2]


def test_tied_biases_by_hand() -> None:
    layer = {"kind": "conv1d", "filters": 1, "kernel": 1, "bias": "tied", "activation": "tanh", "skip": True}
    check = fuzz.load_conjecture("tied_biases").check
    equal = specimen(layer, [[0.0, 0.0], [1.0, 1.0]], [1.0, 0.5], shape=(1, 2))
    with pytest.raises(Falsified, match="rank <= 1 < N = 2"):
        check(equal)
    assert check(replace(equal, inputs=np.array([[0.0, 1.0], [2.0, 5.0]]))) == "PROVED"
    assert check(replace(equal, inputs=np.array([[0.0, 1.0], [2.0, 5.0]]), u=np.zeros(2))) == "UNDECIDED"
    one = {**layer, "kernel": 2}
    assert check(specimen(one, [[0.0, 0.0], [1.0, 1.0]], [1.0, 0.5, 0.0], shape=(1, 2))) == "UNDECIDED"
    few = specimen(layer, [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], [1.0, 0.5], shape=(1, 2))
    assert check(few) == "UNDECIDED"


def _loss(c0: int, c1: int, psi0: Any, psi1: Any, w: Any) -> Any:
    return c0 * mpmath.log1p(mpmath.exp(-psi0 * w)) + c1 * mpmath.log1p(mpmath.exp(psi1 * w))


def test_one_unit_short_never() -> None:
    found = search("one_unit_short:never").counterexample
    assert found is not None
    small = found.specimen
    counts = np.bincount(small.labels).tolist()
    assert counts[0] != counts[1]
    assert "infimum is " in found.reason
    with mpmath.workdps(40):
        psi = oracle.approx_features_to(small.network, small.u, small.data.inputs, 40)
        v = [[mpmath.mpf(x) for x in row] for row in small.v.tolist()]
        phi = oracle.approx_loss_to(oracle.times(psi, v), small.data.labels, small.data.multiplicities.tolist())
        assert phi < mpmath.log(2)
        (most,) = re.findall(r"^Phi < log 2 at the start \(it is at most ([\d.]+)\)", found.reason)
        assert phi <= mpmath.mpf(most) <= phi * (1 + mpmath.mpf(10) ** -3)
        w = v[0][0] - v[0][1]
        bound = counts[1] if w > 0 else counts[0]
        assert bound == max(counts)
        assert f"{max(counts)}/{sum(counts)} log 2; the infimum is {min(counts)}/{sum(counts)} log 2" in found.reason


def test_the_bounds_of_both_sides() -> None:
    """For w > 0 the loss is above c1 log 2 and comes near it; w < 0: c0 log 2; w = 0: n log 2."""
    rng = random.Random(0)
    for _ in range(400):
        c0, c1 = rng.randint(1, 4), rng.randint(1, 4)
        psi0, psi1 = (mpmath.mpf(2) ** rng.uniform(-20, 5) for _ in range(2))
        w = mpmath.mpf(2) ** rng.uniform(-15, 8)
        assert _loss(c0, c1, psi0, psi1, w) > c1 * mpmath.log(2)
        assert _loss(c0, c1, psi0, psi1, -w) > c0 * mpmath.log(2)
    with mpmath.workdps(40):
        for c0, c1 in ((1, 3), (3, 1), (2, 2)):
            assert abs(_loss(c0, c1, 1, mpmath.mpf(10) ** -20, 100) - c1 * mpmath.log(2)) < 1e-15
            assert abs(_loss(c0, c1, mpmath.mpf(10) ** -20, 1, -100) - c0 * mpmath.log(2)) < 1e-15
            assert _loss(c0, c1, 3, 5, 0) == (c0 + c1) * mpmath.log(2)


UNIT = {"kind": "dense", "width": 1, "activation": "sigmoid", "skip": True}


def _short(counts: tuple[int, int], w: float, **changes: Any) -> fuzz.Specimen:
    rows = np.repeat([[-1.0], [1.0]], counts, axis=0)
    found = specimen(UNIT, rows, [-4.0, 0.0], labels=np.repeat([0, 1], counts), v=np.array([[w, 0.0]]))
    return replace(found, **changes)


def test_one_unit_short_by_hand() -> None:
    never, always = (fuzz.load_conjecture(f"one_unit_short:{name}").check for name in ("never", "always"))
    assert fuzz.load_conjecture("one_unit_short").statement.startswith("With M = N - 1 units there is never")
    # a decreasing unit: psi is 0.98 at the first sample and 0.02 at the second, so w > 0 is the good direction
    with pytest.raises(Falsified, match="3/4 log 2; the infimum is 1/4 log 2"):
        never(_short((1, 3), 0.5))
    assert never(_short((3, 1), 0.5)) == "UNDECIDED"  # the side of the infimum
    assert never(_short((1, 3), -0.5)) == "UNDECIDED"
    assert never(_short((1, 3), 0.0)) == "UNDECIDED"
    assert never(_short((1, 3), 200.0)) == "UNDECIDED"  # above log 2
    assert always(_short((3, 1), 0.5)) == "PROVED"
    with pytest.raises(Falsified, match="equally often"):
        always(_short((2, 2), 0.5))
    others = [
        _short((1, 3), 0.5, layers=({**UNIT, "activation": "tanh"},)),
        _short((1, 3), 0.5, duplicates="keep"),
        _short((1, 3), 0.5, labels=np.array([0, 0, 1, 1])),  # equal samples with two labels
        _short((1, 1), 0.5, labels=np.array([0, 2]), v=np.array([[1.0, 0.0, 0.0]])),
    ]
    for other in others:
        assert never(other) == always(other) == "UNDECIDED"


def test_one_unit_short_always() -> None:
    found = search("one_unit_short:always").counterexample
    assert found is not None
    assert np.bincount(found.specimen.labels).tolist() == [1, 1]


def test_from_every_point_of_equal_counts_the_loss_falls_to_the_infimum() -> None:
    """Increase psi_0 to (nearly) infinity and decrease psi_1 to 0 (or the reverse): the loss only falls, to log 2."""
    rng = random.Random(1)
    for _ in range(40):
        psi0, psi1 = (mpmath.mpf(2) ** rng.uniform(-4, 4) for _ in range(2))
        w = rng.choice([-1, 1]) * mpmath.mpf(2) ** rng.uniform(-4, 4)
        losses = []
        for k in range(60):
            up, down = mpmath.mpf(2) ** k, mpmath.mpf(2) ** -k
            grow, shrink = (up, down) if w > 0 else (down, up)
            losses.append(_loss(1, 1, psi0 * grow, psi1 * shrink, w))
        assert all(later <= earlier for earlier, later in itertools.pairwise(losses))
        assert abs(losses[-1] - mpmath.log(2)) < 1e-6


HEAD = "from verifier import Verdict, fuzz\n"
SIMPLE = HEAD + 'def conjecture(specimen):\n    """No problem has 3 samples."""\n'


def written(folder: Path, text: str, name: str = "my_idea.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_file_of_the_user(tmp_path: Path) -> None:
    text = SIMPLE + "    return Verdict.REFUTED if len(specimen.inputs) == 3 else Verdict.PROVED\n"
    entry = fuzz.load_conjecture(written(tmp_path, text))
    assert (entry.name, entry.statement) == ("my-idea", "No problem has 3 samples.")
    assert fuzz.search(entry.name, entry.statement, entry.strategy(), lambda s: "drawn", examples=3).examples == 3
    assert entry.check(_short((1, 1), 0.0)) == "PROVED"
    with pytest.raises(Falsified, match="the conjecture's function says REFUTED"):
        entry.check(_short((1, 2), 0.0))


STRATEGY = (
    "def specimens():\n"
    "    data = fuzz.datasets(kinds=('integers',), min_samples=5, max_samples=5, max_dimension=1, max_classes=2)\n"
    "    return fuzz.specimens(data=data, max_layers=1, max_width=2, wide=False, convolutions=False)\n"
)


def test_a_file_with_a_strategy_a_dataclass_and_a_reason(tmp_path: Path) -> None:
    text = (
        f"from __future__ import annotations\nfrom dataclasses import dataclass\n{HEAD}{STRATEGY}"
        "@dataclass\nclass Pair:\n    a: int\n"
        "def few(specimen):\n    return Verdict.REFUTED, f'{Pair(len(specimen.inputs))}'\n"
    )
    entry = fuzz.load_conjecture(written(tmp_path, text) + ":few")
    assert (entry.name, entry.statement) == ("my-idea-few", "my_idea: few")
    found = fuzz.search(entry.name, "", entry.strategy(), entry.check, examples=5).counterexample
    assert found is not None
    assert found.reason == "Pair(a=5)"


def test_falsified_counts_as_refuted(tmp_path: Path) -> None:
    entry = fuzz.load_conjecture(written(tmp_path, SIMPLE + "    raise fuzz.Falsified('because')\n"))
    with pytest.raises(Falsified, match="because"):
        entry.check(_short((1, 1), 0.0))


def test_errors_of_the_package_are_undecided(tmp_path: Path) -> None:
    text = SIMPLE + "    from dataclasses import replace\n    replace(specimen, u=[])\n"
    assert fuzz.load_conjecture(written(tmp_path, text)).check(_short((1, 1), 0.0)) == "UNDECIDED (CaseError)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return True", r"my_idea.py:conjecture returned True; return a verifier.Verdict, or a pair"),
        ("return None", "returned None"),
        ("return 'REFUTED'", "returned 'REFUTED'"),
        ("return 1, 2, 3", r"returned \(1, 2, 3\)"),
        ("return 1, 'why'", "returned 1;"),
        ("return 1 / 0", "raised ZeroDivisionError: 'division by zero' in my_idea.py, line 4"),
        ("raise ValueError('a\\nb')", r"raised ValueError: .* in my_idea.py, line 4"),
    ],
)
def test_nonsense_is_refused(body: str, message: str, tmp_path: Path) -> None:
    entry = fuzz.load_conjecture(written(tmp_path, f"{SIMPLE}    {body}\n"))
    with pytest.raises(InputError, match=message) as caught:
        entry.check(_short((1, 1), 0.0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (SIMPLE + "    pass\n", "my_idea.py:other", "has no function 'other'; it has conjecture"),
        ("x = 1\n", "my_idea.py", "has no function 'conjecture'; it has none"),
        ("conjecture = 3\n", "my_idea.py", "has no function 'conjecture'"),
        ("def conjecture(:\n", "my_idea.py", "cannot be imported: SyntaxError"),
        ("import no_such_module_at_all\n", "my_idea.py", "cannot be imported: ModuleNotFoundError"),
        ("raise RuntimeError('x')\n", "my_idea.py", "cannot be imported: RuntimeError"),
        ("x\n", "my_idea.txt", "not a Python file; its name must end in .py"),
        ("x\n", "plain", "not a Python file; its name must end in .py"),
        (SIMPLE + "    pass\nspecimens = fuzz.specimens()\n", "my_idea.py", r"specimens\(\) raised TypeError"),
        (
            SIMPLE + "    pass\ndef specimens():\n    return 3\n",
            "my_idea.py",
            r"specimens\(\) returned 3; return a",
        ),
    ],
)
def test_files_that_cannot_be_used(text: str, name: str, message: str, tmp_path: Path) -> None:
    written(tmp_path, text, name.partition(":")[0])
    with pytest.raises(InputError, match=message) as caught:
        fuzz.load_conjecture(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("half_scal", "no shipped conjecture; did you mean 'half_scale'"),
        ("nowhere.py", "no such file; write a Python file"),
        ("one_unit_short:sometimes", "it has .*never, always"),
    ],
)
def test_names_that_are_unknown(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fuzz.load_conjecture(name)


def test_a_folder_is_no_conjecture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        fuzz.load_conjecture(str(tmp_path))


def two_units(a: float, b: float) -> fuzz.Specimen:
    layer = {"kind": "dense", "width": 2, "activation": "tanh", "skip": True}
    return specimen(layer, [[0.0], [1.0]], [a, b, 1.0, 0.0])


def test_a_function_in_memory_falls_as_a_file_does(tmp_path: Path) -> None:
    def small_weights(tried: fuzz.Specimen) -> tuple[Verdict, str]:
        """Weights are  below 3."""
        weight = float(tried.u[0])
        return (Verdict.REFUTED, f"weight {weight}") if weight >= 3 else (Verdict.PROVED, "")

    drawn = st.integers(0, 100).map(lambda k: two_units(float(k), 1.0))
    found = fuzz.falsify(small_weights, drawn, examples=100, folder=tmp_path)
    assert found.statement == "Weights are below 3." and found.name == "small-weights"
    assert found.counterexample is not None and found.counterexample.specimen.u[0] == 3.0
    assert found.counterexample.case_file is not None and found.counterexample.case_file.is_relative_to(tmp_path)
    assert "REFUTED" in repr(found) and "weight 3.0" in repr(found) and "2 samples" in found._repr_html_()


def test_a_conjecture_that_stands_is_only_tested() -> None:
    found = fuzz.falsify(lambda _: Verdict.PROVED, st.just(two_units(1.0, 2.0)), examples=3)
    assert found.counterexample is None and "TESTED" in repr(found) and "proves nothing" in repr(found)


def test_a_function_in_memory_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"<lambda>\(\) returned 'yes'; return a verifier.Verdict"):
        fuzz.falsify(lambda _: "yes", st.just(two_units(1.0, 2.0)))
    with pytest.raises(InputError, match="strategy = 7: give a Hypothesis strategy"):
        fuzz.falsify(lambda _: Verdict.PROVED, 7)  # type: ignore[arg-type]
