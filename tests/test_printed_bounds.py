"""Every number that bounds something in a sentence is on the safe side of the exact number that it stands for.

The sentences of the prover, of `show`, of the report and of the checker are read as a person reads them: a decimal
after "at least" or ">=" is a lower bound, one after "at most", "<=" or "from t =" an upper bound. It must be explained
by an exact field of the results that is on the right side and as near as the printed digits allow; the fields
themselves must be sound against high precision.
"""

from __future__ import annotations

import contextlib
import dataclasses
import decimal
import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifier as vf
from verifier.balls import exact
from verifier.balls.exact import Dyadic
from verifier.checker import common
from verifier.checker.certificate import check_file
from verifier.fuzz import oracle
from verifier.landscape.loss_path import LossPathResult
from verifier.rank.dead import dead_open_set
from verifier.rank.singular_values import as_json, describe
from verifier.report.sentences import caption
from verifier.run.case import parse_case
from verifier.run.case_problem import case_problem
from verifier.run.curve import curve_of
from verifier.run.witnessing import run_witness
from verifier.statements import full_rank_somewhere, generic_rank, solutions

pipeline = import_module("verifier.prove")

NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
LOWER = re.compile(rf"(?:(?<!\bt) >=|^>=|at least|within|radius|distance|gamma =)(?: gamma =)? ({NUMBER})(?![\d^/])")
UPPER = re.compile(
    rf"(?:<=|\bt >=|at most|from t =|at t =|from s =|creasing from|plus|\+|epsilon =) ({NUMBER})(?![\d^/])"
)
BOTH = re.compile(rf"(?<!samples )\[({NUMBER}), ({NUMBER})\]|({NUMBER}) \.\. ({NUMBER})")
KAPPA = re.compile(rf"kappa = ((?:\d+ \* )?2\^-?\d+|{NUMBER}(?! \.\.))")
WHOLE = re.compile(r"-?\d+")

DOWN = {"sigma_lower", "gamma", "radius", "gradient_lower", "curvature_lower", "rank_ball", "rank_radius", "lower"}
UP = {
    "alpha",
    "q",
    "end_loss",
    "zero_error_t",
    "t",
    "epsilon",
    "upper",
    "bound",
    "loss",
    "loss_upper",
    "distance_upper",
}
PAIRS = {"start_loss", "infimum"}
LOST = (
    (pipeline, "prove_loss_path"), (solutions, "certified_ball"), (full_rank_somewhere, "random_witness"),
    (generic_rank, "dead_open_set"),
)  # fmt: skip
DIGITS = 400
SLACK = {False: Fraction(1, 900), True: Fraction(1, 90_000)}
"""How far four digits, or the checker's six, may be from the number that they bound, relative to it."""

ACTIVATIONS = ("tanh", "sigmoid", "softplus", "gelu", "silu", "sin", "relu", "elu", "arctan", "t**3 + t")


@dataclasses.dataclass
class Reader:
    """Exact numbers by the side that they bound, and what was read: counts, and the numbers that nothing explains."""

    down: list[Fraction] = dataclasses.field(default_factory=list)
    up: list[Fraction] = dataclasses.field(default_factory=list)
    whole: set[int] = dataclasses.field(default_factory=set)
    given: tuple[str, ...] = ("1e-6", "1e-100")
    numbers: int = 0
    comparisons: int = 0
    wrong: list[str] = dataclasses.field(default_factory=list)

    def learn(self, value: Any, name: str = "") -> None:
        """Collect the bounds of a result, of the results in it, or of a certificate's document."""
        if isinstance(value, dict) and set(value) == {"mantissa", "exponent"}:
            value = Dyadic(int(value["mantissa"]), int(value["exponent"]))
        if isinstance(value, Dyadic | float):
            if isinstance(value, float) and not np.isfinite(value):
                return
            number = value.fraction() if isinstance(value, Dyadic) else Fraction(value)
            for side, names in ((self.down, DOWN), (self.up, UP)):
                if name in names or name == "kappa":
                    side.append(number)
        elif isinstance(value, int):
            self.whole.add(value)
        elif name in PAIRS and isinstance(value, tuple):
            self.learn(value[0], "lower")
            self.learn(value[1], "upper")
        elif isinstance(value, dict):
            for key, inner in value.items():
                self.learn(inner, key)
        elif isinstance(value, list | tuple):
            for inner in value:
                self.learn(inner, name)
        elif dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                self.learn(getattr(value, field.name), field.name)

    def read(self, text: str, *, long: bool = False) -> None:
        """Compare the numbers of a sentence with what is known."""
        text = text.replace("&gt;", ">").replace("&lt;", "<")
        for low, high, begin, end in BOTH.findall(text):
            self.explain(low or begin, self.down, 1, text, long=long)
            self.explain(high or end, self.up, -1, text, long=long)
        for found in LOWER.findall(text):
            self.explain(found, self.down, 1, text, long=long)
        for found in UPPER.findall(text):
            self.explain(found, self.up, -1, text, long=long)

    def explain(self, text: str, known: Sequence[Fraction], sign: int, sentence: str, *, long: bool) -> None:
        """Find an exact number on the right side of a printed one, and near it."""
        self.numbers += 1
        if text in self.given or (WHOLE.fullmatch(text) and int(text) in self.whole):
            return
        printed = Fraction(text)
        self.comparisons += len(known)
        if not any(0 <= sign * (number - printed) <= SLACK[long] * abs(number) for number in known):
            self.wrong.append(f"{text} in: {sentence[:300]}")


@dataclasses.dataclass(frozen=True)
class Problem:
    """A small random instance."""

    inputs: Any
    labels: list[int]
    layers: list[Any]
    seed: int
    scale: float
    init: str
    engine: str
    losses: tuple[str, ...]
    v: Any


def problem(seed: int) -> Problem:
    """Draw a problem: one or two layers, every activation, starts and data from tiny to huge."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 7)), int(rng.integers(1, 4))
    inputs = rng.integers(-8, 9, (n, d)) / 4.0 * 10.0 ** int(rng.integers(-3, 4))
    inputs[1:2] = inputs[:1] if rng.random() < 0.25 else inputs[1:2]  # equal samples, their labels agree or conflict
    labels = rng.integers(0, 2, n).tolist()
    labels[0], labels[-1] = 0, 1
    name = ACTIVATIONS[seed % len(ACTIVATIONS)]
    layers = [vf.Dense(n + int(rng.integers(0, 3)), name, skip=True)]
    if rng.random() < 0.3:
        layers.insert(0, vf.Dense(3, "tanh"))
    init = str(rng.choice(["gaussian", "gaussian", "gaussian", "cloned", "zeros"]))
    scale = float(rng.choice([1e-2, 0.5, 1.0, 1.0, 3.0, 20.0]))
    v = rng.standard_normal((layers[-1].width, 2)) * 10.0 ** int(rng.integers(-4, 4))
    losses = (str(rng.choice(["squared", "one-vs-rest", "weston-watkins", "crammer-singer"])),)
    return Problem(inputs, labels, layers, seed, scale, init, str(rng.choice(["arb", "binary64"])), losses, v)


def solve(drawn: Problem) -> tuple[vf.Report, list[Any]]:
    """Prove what the problem asks for; also what reasons speak of and no report keeps."""
    kept: list[Any] = []

    def keeping(room: Any, name: str) -> Any:
        function = getattr(room, name)
        return mock.patch.object(room, name, lambda *given, **named: kept.append(function(*given, **named)) or kept[-1])

    with contextlib.ExitStack() as patches:
        for room, name in LOST:
            patches.enter_context(keeping(room, name))
        found = vf.verify(
            drawn.inputs, drawn.labels, drawn.layers, v=drawn.v, seed=drawn.seed, init=drawn.init, scale=drawn.scale,
            engine=drawn.engine, losses=drawn.losses,
        )  # fmt: skip
    return found, kept


def results(found: vf.Report) -> Iterator[Any]:
    """All results that have bounds."""
    report, theorem = found, found.theorem
    yield from (report.rank, report.zero_loss, report.descent, report.escape, report.near_infimum, theorem)
    yield from (theorem.witness, theorem.ball, theorem.gradient, theorem.curvature)


def sentences(found: vf.Report) -> Iterator[str]:
    """Everything that the prover says about an instance."""
    yield from (step.reason for step in found.theorem.steps)
    yield from (step.reason for step in found.steps)
    yield from found.rank.attempts
    for result in results(found):
        if result is not None and hasattr(result, "_card"):
            yield repr(result)
            for table in result._card().tables:
                yield from (" ".join(row) for row in table.rows)
    escape = None if found.escape is None else found.escape.escape
    curve = curve_of(found.descent, escape, found.near_infimum)
    if curve is not None:
        yield caption(curve, short=False)


def read_problem(drawn: Problem, folder: Path) -> Reader:
    """Prove, write, show and check; read every sentence."""
    return read_solved(drawn, *solve(drawn), folder)


def read_solved(drawn: Problem, found: vf.Report, kept: Sequence[Any], folder: Path) -> Reader:
    """Write, show and check; read every sentence."""
    reader = Reader()
    for result in (*results(found), *kept):
        reader.learn(result)
    reader.learn(infima(drawn, found))
    escape = None if found.escape is None else found.escape.escape
    curve = curve_of(found.descent, escape, found.near_infimum)
    if curve is not None:
        reader.learn([mark.time for mark in curve.targets] + [curve.zero_error or 0.0], "t")
    reader.learn({"n": len(drawn.labels), "distinct": found.data.samples, "m": found.network.skip_count})
    for text in sentences(found):
        reader.read(re.sub(r"radii at most [^ ]+", "", text))  # of an enclosure, which no result keeps
    for result in kept:
        reader.read(repr(result) if isinstance(result, LossPathResult) else "")
    read_kappa(reader, found)
    if not found.builder.empty:
        file = found.write(folder / f"{drawn.seed}.json")
        document = json.loads(file.read_text())
        reader.learn(document["claims"])
        for _, meaning in vf.show(file).claims:
            reader.read(meaning)
        read_checker(reader, file)
    return reader


def infima(drawn: Problem, found: vf.Report) -> dict[str, Dyadic | float]:
    """The entropy of conflicting groups and the reasons' other numbers that no result holds."""
    infimum = found.problem.grouping.infimum
    return {} if infimum is None else {"lower": infimum[0], "upper": infimum[1]}


def read_kappa(reader: Reader, found: vf.Report) -> None:
    """kappa is chosen, so what is printed is the number itself."""
    if not found.has_path or not hasattr(found.path, "kappa"):
        return
    for text in sentences(found):
        for printed in KAPPA.findall(text):
            reader.numbers, reader.comparisons = reader.numbers + 1, reader.comparisons + 1
            if read_exactly(printed) != found.path.kappa.fraction():
                reader.wrong.append(f"kappa = {printed} in {text[:200]}")


def read_exactly(text: str) -> Fraction:
    factor, _, power = text.rpartition("2^") if "2^" in text else (text, "", "")
    number = Fraction(factor.replace("*", "").strip() or 1)
    return number * Fraction(2) ** int(power) if power else number


def read_checker(reader: Reader, file: Path) -> None:
    """The checker's own decimals; what it computes itself are q, sigma_N of a witness, and how far margins move."""
    answer = check_file(str(file), 1)
    assert answer.verdict == "ACCEPTED", answer
    for claim in answer.claims:
        own = Reader(reader.down, reader.up, reader.whole, reader.given)
        if claim["label"] in ("W1", "W2"):
            own.down = [*reader.down, Fraction(claim["sigma_lower"])]
            own.up = [*reader.up, Fraction(claim["q"])]
        text = re.sub(r"change by at most [^ ]+|at a distance of at least [^ ]+", "", claim["statement"])
        own.read(text, long=True)
        for kappa in re.findall(rf"kappa = ({NUMBER})", text):  # a larger kappa does as well, so it is rounded up
            own.explain(kappa, own.up, -1, text, long=True)
        reader.numbers, reader.comparisons = reader.numbers + own.numbers, reader.comparisons + own.comparisons
        reader.wrong += [f"checker: {words}" for words in own.wrong]


def assert_sound(found: vf.Report, kept: Sequence[Any]) -> int:
    """Compare the fields with the truth at many digits; how many were compared."""
    mpmath.mp.dps = DIGITS
    data, counts = found.data, found.data.multiplicities.tolist()
    psi = oracle.approx_features_to(found.network, found.u, data.inputs, DIGITS)
    compared = 0

    def holds(bound: Dyadic | float, truth: Any, sign: int) -> None:
        nonlocal compared
        compared += 1
        number = bound.fraction() if isinstance(bound, Dyadic) else Fraction(bound)
        value = mpmath.mpf(number.numerator) / number.denominator
        assert sign * (truth - value) >= -abs(truth) * mpmath.mpf(10) ** -30

    if found.rank.verdict is vf.Verdict.PROVED:
        sigma = oracle.approx_singular_values_to(psi, 200)[-1]
        holds(found.rank.sigma_lower, sigma, 1)
        if found.rank.bound is not None:
            holds(found.rank.bound.sigma_lower, sigma, 1)
    if found.zero_loss is not None and found.zero_loss.gamma is not None:
        weights = [[exact_entry(x) for x in row] for row in found.zero_loss.weights.arb_mat().tolist()]
        for row, label in zip(oracle.times(psi, weights), data.labels.tolist(), strict=True):
            holds(found.zero_loss.gamma, min(row[label] - g for k, g in enumerate(row) if k != label), 1)
    if found.descent is not None:
        logits = oracle.times(psi, [[mpmath.mpf(x) for x in row] for row in found.v.tolist()])
        loss = oracle.approx_loss_to(logits, data.labels.tolist(), counts)
        holds(found.descent.start_loss[0], loss, 1)
        holds(found.descent.start_loss[1], loss, -1)
    theorem = found.theorem
    if theorem.gradient is not None and theorem.gradient.gradient_lower is not None:
        residual = softmax_residual(psi, found)
        columns = list(zip(*residual, strict=True))
        gradient = [[mpmath.fdot(a, b) for b in columns] for a in zip(*psi, strict=True)]
        holds(theorem.gradient.gradient_lower, mpmath.norm([x for row in gradient for x in row]) / sum(counts), 1)
    if theorem.curvature is not None and theorem.curvature.curvature_lower is not None:
        at = theorem.curvature
        total = mpmath.fsum(
            c * row[at.unit] ** 2 * p[at.output] * mpmath.fsum(x for k, x in enumerate(p) if k != at.output)
            for c, row, p in zip(counts, psi, softmax(psi, found), strict=True)
        )
        holds(at.curvature_lower, total / sum(counts), 1)
    for path in kept:
        if isinstance(path, LossPathResult) and path.end_weights is not None:
            assert_sound_path(path, psi, found, holds)
    infimum = found.problem.grouping.infimum
    if infimum is not None:
        groups = found.problem.grouping.label_counts.tolist()
        shares = [(c, sum(row)) for row in groups for c in row if c]
        entropy = mpmath.fsum(c * mpmath.log(mpmath.mpf(size) / c) for c, size in shares) / sum(map(sum, groups))
        holds(infimum[0], entropy, 1)
        holds(infimum[1], entropy, -1)
    return compared


def assert_sound_path(path: LossPathResult, psi: Any, found: vf.Report, holds: Any) -> None:
    """Losses at both ends of a segment, and the margins beyond which the ray leads to loss 0 (one-vs-rest has its own).

    The infimum is not above the loss at the end.
    """
    counts = path.label_counts
    if counts is None:
        counts = np.zeros((found.data.samples, found.data.classes), dtype=np.int64)
        counts[np.arange(found.data.samples), found.data.labels] = found.data.multiplicities
    start, end = (
        oracle.times(psi, [[exact_entry(x) for x in row] for row in weights.arb_mat().tolist()])
        for weights in (path.start_weights, path.end_weights)
    )
    first, last = (
        oracle.approx_convex_loss(path.loss, rows, counts.tolist(), [1.0] * counts.shape[1]) for rows in (start, end)
    )
    holds(path.start_loss[0], first, 1)
    holds(path.start_loss[1], first, -1)
    holds(path.end_loss, last, -1)
    holds(path.infimum[0], last, 1)
    if path.gamma is not None:
        for row, label in zip(end, found.data.labels.tolist(), strict=True):
            alone = path.loss == "one-vs-rest"
            margins = [-g if alone else row[label] - g for k, g in enumerate(row) if k != label] + [row[label]] * alone
            holds(path.gamma, min(margins), 1)


def exact_entry(ball: flint.arb) -> Any:
    number = Dyadic.of_arb(ball).fraction()
    return mpmath.mpf(number.numerator) / number.denominator


def softmax(psi: Any, found: vf.Report) -> list[list[Any]]:
    logits = oracle.times(psi, [[mpmath.mpf(x) for x in row] for row in found.v.tolist()])
    tops = [[mpmath.exp(g - max(row)) for g in row] for row in logits]
    return [[x / mpmath.fsum(row) for x in row] for row in tops]


def softmax_residual(psi: Any, found: vf.Report) -> list[list[Any]]:
    counts, labels = found.data.multiplicities.tolist(), found.data.labels.tolist()
    found_at = zip(counts, labels, softmax(psi, found), strict=True)
    return [
        [c * (p if k != y else -mpmath.fsum(x for j, x in enumerate(row) if j != y)) for k, p in enumerate(row)]
        for c, y, row in found_at
    ]


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(k, marks=pytest.mark.thorough) for k in range(4, 12))])
def test_what_is_said_of_random_problems(seed: int, tmp_path: Path) -> None:
    drawn = problem(seed)
    found, kept = solve(drawn)
    reader = read_solved(drawn, found, kept, tmp_path)
    assert not reader.wrong
    assert reader.numbers and reader.comparisons
    assert_sound(found, kept)


@pytest.mark.thorough
def test_a_printer_to_nearest_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentences of version 0.1: each number rounded to nearest, whatever it bounds."""
    directed = exact._directed
    monkeypatch.setattr(exact, "_directed", lambda value, digits, _: directed(value, digits, decimal.ROUND_HALF_EVEN))
    missed = {"sigma_N >=", "||I - Psi X||_2 <=", "||grad_V Phi||", "second derivative", "within"}
    for seed in range(20):  # to nearest is the wrong side every second time
        wrong = read_problem(problem(seed), tmp_path).wrong
        missed -= {sentence for sentence in missed if any(sentence in words for words in wrong)}
        if not missed:
            return
    raise AssertionError(missed)


def test_a_printer_to_the_wrong_side_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {decimal.ROUND_FLOOR: decimal.ROUND_CEILING, decimal.ROUND_CEILING: decimal.ROUND_FLOOR}
    directed = exact._directed
    monkeypatch.setattr(exact, "_directed", lambda value, digits, way: directed(value, digits, other.get(way, way)))
    found = read_problem(problem(5), tmp_path)
    assert len(found.wrong) > 20


@pytest.mark.parametrize("name", ["tanh", "relu", "t**2"])
def test_singular_values_lie_in_what_is_printed(name: str) -> None:
    drawn = np.random.default_rng(7)
    inputs = drawn.standard_normal((4, 2))
    network = vf.Network((2,), [vf.Dense(6, name, skip=True)])
    u = vf.initialise(network, seed=3)
    found = vf.singular_values(vf.FeatureEnclosure(network, u, inputs, 64), 12)
    reader = Reader()
    reader.learn(found)
    reader.read(repr(found))
    assert not reader.wrong and reader.numbers == 4  # of the largest and of the smallest, two ends each
    truth = oracle.approx_singular_values_to(oracle.approx_features_to(network, u, inputs, 60), 60)
    document, lines = as_json(found), describe(found, 0.0)
    for k, value in enumerate(truth):
        low, high = (Fraction(document[end][k]) for end in ("lower", "upper"))
        middle, error = map(Fraction, lines[3 + k].rpartition(" = ")[2].split(" +- "))
        exactly = Fraction(mpmath.nstr(value, 40))
        assert low <= exactly <= high and abs(exactly - middle) <= error


@pytest.mark.parametrize("seed", [0, 1, 3, 5, 8])
@pytest.mark.parametrize("certificate", [True, False])
def test_a_tight_bound_of_sigma(seed: int, certificate: bool) -> None:
    drawn = problem(seed)
    shape = (drawn.inputs.shape[1],)
    network, inputs = vf.Network(shape, drawn.layers), np.unique(drawn.inputs, axis=0)
    u = vf.initialise(network, seed=seed)
    features = vf.FloatEnclosure(network, u, inputs, vf.numpy_backend())
    found, _ = vf.prove_rank(features, tight=True, certificate=certificate)
    assert found.verdict is vf.Verdict.PROVED
    reader = Reader()
    reader.learn(found)
    for text in (found.reason, repr(found), *(text for text in found.attempts if "not" not in text)):
        reader.read(text)
    truth = oracle.approx_singular_values_to(oracle.approx_features_to(network, u, inputs, DIGITS), 200)[-1]
    assert not reader.wrong and reader.numbers >= 2 and mpmath.mpf(found.sigma_lower) <= truth


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "sin", "relu"])
def test_what_a_witness_says(name: str) -> None:
    text = f"""
        data = {{ name = "digits", samples = 12 }}
        network.layers = [{{ kind = "dense", width = 14, activation = "{name}", skip = true }}]
        """
    case = parse_case(text)
    found = run_witness(case, trials=2)
    reader = Reader()
    reader.learn({"n": 12, "m": 14})
    inputs = case_problem(case).rows.inputs
    reader.learn(dead_open_set(found.network, inputs))
    for result in (found.witness, found.rank):
        reader.learn(result)
        reader.read(repr(result))
    for step in found.steps:
        reader.read(step.reason)
    assert not reader.wrong and reader.numbers >= 2
    if found.witness is not None and found.witness.sigma_lower is not None:
        u = found.witness.parameters(found.network)
        sigma = oracle.approx_singular_values_to(oracle.approx_features_to(found.network, u, inputs, 60), 60)[-1]
        assert exact_entry(found.witness.sigma_lower.arb()) <= sigma


def test_an_entropy_is_printed_from_below() -> None:
    """Three equal samples with the labels 0, 0, 1 among four: inf Phi is 0.4773..., printed as 0.4774 before."""
    found = vf.verify([[0.0], [0.0], [0.0], [1.0]], [0, 0, 1, 1], [vf.Dense(3, "tanh", skip=True)])
    (reason,) = [step.reason for step in found.theorem.steps if step.label == "X1"]
    mpmath.mp.dps = 40
    truth = (2 * mpmath.log(mpmath.mpf(3) / 2) + mpmath.log(3)) / 4
    low, high = (mpmath.mpf(text) for text in re.findall(r"at (?:least|most) ([\d.]+)", reason))
    assert low <= truth <= high and high - low < 1e-3


@pytest.mark.parametrize(
    ("label", "key", "factor", "sign"),
    [("R1", "alpha", Fraction(1, 50), -1), ("R1", "sigma_lower", 7, 1), ("Z1", "gamma", 7, 1), ("B1", "radius", 999, 0),
     ("C1", "gradient_lower", 77, 1), ("C3", "curvature_lower", 77, 1), ("P1", "zero_error_t", Fraction(1, 7), 0)],
)  # fmt: skip
def test_what_the_checker_says_of_a_false_bound(
    label: str, key: str, factor: Fraction | int, sign: int, tmp_path: Path
) -> None:
    """What is claimed is printed on the side on which it is a bound; what is computed is its own side's."""
    inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    found = vf.verify(inputs, [0, 1, 1, 0], [vf.Dense(6, "tanh", skip=True)], seed=3)
    file = found.write(tmp_path / "c.json")
    document = json.loads(file.read_text())
    (claim,) = [claim for claim in document["claims"] if claim["label"] == label]
    exactly = Fraction(int(claim[key]["mantissa"])) * Fraction(2) ** int(claim[key]["exponent"])
    claimed = Dyadic(int(exactly * factor * 2**80), -80)
    claim[key] = {"mantissa": str(claimed.mantissa), "exponent": claimed.exponent}
    file.write_text(json.dumps(document))
    answer = check_file(str(file), 1)
    assert answer.verdict == "REJECTED" and answer.rejection.path.endswith("/" + key)
    if sign:
        printed = Fraction(str(answer.rejection.claimed))
        assert 0 <= sign * (claimed.fraction() - printed) <= claimed.fraction() / 10**5
    text = str(answer.rejection.computed).strip("[]").partition(" +/- ")[0]
    assert np.isfinite(float(text))


@given(st.integers(-(10**30), 10**30), st.integers(-3000, 3000))
def test_the_checkers_decimals_have_a_side(mantissa: int, exponent: int) -> None:
    ball = flint.arb((flint.fmpz(mantissa), flint.fmpz(exponent)))
    number = Fraction(mantissa) * Fraction(2) ** exponent
    low, high = Fraction(common.below(ball)), Fraction(common.above(ball))
    assert low <= number <= high and high - low <= 2 * abs(number) / 10**5
