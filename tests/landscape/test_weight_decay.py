"""WD: the origin with weight decay; what needs which hypothesis; values against mpmath."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

import verifier as vf
from verifier.balls.exact import Dyadic
from verifier.checker.certificate import check_file
from verifier.landscape.weight_decay import classes_differ, decay_above, loss_with_decay, prove_weight_decay
from verifier.network.forward import approx_features
from verifier.verdict import Verdict

CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
XOR = np.array([1, 0, 0, 1])
ONES = np.ones(4, dtype=np.int64)


def of_xor(layers, decay="0.01", labels=XOR, x=CORNERS, output_bias=False, **keywords):
    """The report on XOR, or on other labels."""
    network = vf.Network(2, layers, output_bias=output_bias, **keywords)
    return vf.verify(x, labels, network, weight_decay=decay, losses=[])


def unit(name="tanh", width=1):
    return vf.Dense(width, name, skip=True)


def test_the_value_of_the_theory():
    """One unit w = (1, 1), b = -1, v = 1.44 at lambda = 0.02: 0.678577."""
    network = vf.Network(2, unit())
    u, v = np.array([1.0, 1.0, -1.0]), np.array([[0.0, 1.44]])
    with mpmath.workdps(40):
        z = [mpmath.mpf(1.44) * mpmath.tanh(t) for t in (1, -1, -1, -3)]
        truth = sum(mpmath.log1p(mpmath.exp(-y * g)) for y, g in zip((1, -1, -1, 1), z, strict=True)) / 4
        truth += mpmath.mpf("0.01") * (3 + mpmath.mpf(1.44) ** 2)
        bound = loss_with_decay(network, u, v, CORNERS, XOR, ONES, decay_above("0.02"))
        assert bound is not None and truth <= mpmath.mpf(bound.mantissa) * mpmath.mpf(2) ** bound.exponent
        assert float(truth) < float(bound) < 0.678577
    twice = loss_with_decay(network, u, v, CORNERS, XOR, 2 * ONES, decay_above("0.02"))
    assert twice == bound, "a mean counts samples, not rows"


@pytest.mark.parametrize("text", ["0.02", "1e-4", "3", "0.1"])
def test_a_decay_is_rounded_up(text):
    bound = decay_above(text).fraction()
    assert Fraction(text) <= bound <= Fraction(text) * (1 + Fraction(1, 2**50))


@pytest.mark.parametrize(("name", "width"), [("tanh", 1), ("tanh", 6), ("sin", 1), ("gelu", 1), ("softplus", 2)])
def test_no_width_and_no_activation_of_these_helps(name, width, tmp_path):
    report = of_xor(unit(name, width))
    assert report.verdict("WD") is Verdict.PROVED
    checked = check_file(str(report.write(tmp_path / "c.json")), 1)
    assert checked.verdict == "ACCEPTED", vars(checked.rejection)
    (said,) = [claim["statement"] for claim in checked.claims if claim["label"] == "WD"]
    assert said.startswith("of ANOTHER loss") and said.endswith("(one logit)")


@pytest.mark.parametrize(
    ("layers", "keywords"),
    [
        ([vf.Dense(2, "tanh"), vf.Dense(3, "tanh", skip=True)], {}),
        ([vf.Dense(3, "gelu", skip=True)], {"output_bias": True}),
        ([vf.Dense(2, "sigmoid", skip=True), vf.Dense(3, "tanh", skip=True, inputs=("input", 0))], {}),
    ],
)
def test_depth_and_an_output_bias_do_not_help(layers, keywords, tmp_path):
    report = of_xor(layers, decay="0.001", **keywords)
    assert report.verdict("WD") is Verdict.PROVED
    assert check_file(str(report.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


NETWORKS = [
    vf.Network(2, unit("tanh", 2)),
    vf.Network(2, unit("sigmoid", 2)),
    vf.Network(2, [vf.Dense(2, "sigmoid"), vf.Dense(2, "gelu", skip=True, inputs=("input", 0))], output_bias=True),
    vf.Network((1, 2), [vf.Conv(1, (2,), "gelu", padding=(1,)), vf.AvgPool((2,), skip=True)], output_bias=True),
    vf.Network((1, 2), [vf.AvgPool((2,), skip=True), vf.Conv(2, (1,), "sigmoid", skip=True, inputs=("input",))]),
]


@pytest.mark.parametrize("network", NETWORKS, ids=range(len(NETWORKS)))
def test_the_hessian_at_the_origin_is_at_least_lambda(network):
    """By second differences of the plain loss: with sigma(0) = 0 and 1/2, depth, padding, averages, an output bias."""
    step, p = 1e-4, network.parameter_count
    size = p + 2 * network.columns

    def value(theta):
        psi = approx_features(network, theta[:p], CORNERS) @ theta[p:].reshape(-1, 2)
        return float(np.mean(np.log(np.exp(psi).sum(axis=1)) - psi[np.arange(4), XOR]))

    moves = step * np.eye(size)
    hessian = np.zeros((size, size))
    for j, b in enumerate(moves):
        for k, a in enumerate(moves[: j + 1]):
            second = (value(a + b) - value(a - b) - value(b - a) + value(-a - b)) / (4 * step**2)
            hessian[j, k] = hessian[k, j] = second
    assert np.linalg.eigvalsh(hessian).min() > -1e-5
    assert max(abs(value(a) - value(-a)) for a in moves) < 1e-10


WHY = {
    "kinks": ({"layers": unit("relu")}, "relu in node 4 (map) is not real analytic"),
    "other labels": ({"layers": unit(), "labels": np.array([1, 1, 0, 0])}, "the classes have different means"),
    "other numbers": ({"layers": unit(), "labels": np.array([1, 0, 0, 0])}, "not the same number"),
    "frozen bias": (
        {"layers": unit(), "frozen": {"layer0.bias": np.array([-1.0])}},
        "not made of layers alone",
    ),
    "no decay": ({"layers": unit(), "decay": None}, "no weight decay is stated"),
}


@pytest.mark.parametrize("case", WHY)
def test_where_it_says_nothing(case):
    arguments, words = WHY[case]
    report = of_xor(**arguments)
    (step,) = [step for step in report.theorem.steps if step.label == "WD"]
    assert report.verdict("WD") is None and words in step.reason


@pytest.mark.parametrize(("name", "decay"), [("identity", "0.01"), ("tanh", "0.5"), ("sigmoid", "0.02")])
def test_no_lower_point_is_no_proof(name, decay):
    assert of_xor(unit(name), decay).verdict("WD") is Verdict.UNDECIDED


def test_the_start_itself_may_be_lower():
    """A trained point is tried first; its V is that of the head (0, z)."""
    found = prove_weight_decay(
        vf.Network(2, unit()), CORNERS, XOR, ONES, 2, "0.02", (np.array([1.0, 1, -1]), np.array([[-0.72, 0.72]]))
    )
    assert found.proved and found.v is not None and found.v.tolist() == [[0.0, 1.44]]


def test_sums_are_compared_exactly():
    x = np.array([[2.0**60], [1.0], [2.0**60], [0.0]])
    assert classes_differ(x, np.array([0, 0, 1, 1]), ONES, 2) == "the classes have different means"
    assert classes_differ(np.array([[0.1], [0.3], [0.2]]), np.array([0, 1, 2]), ONES[:3], 3) is not None
    twice, labels = np.array([[0.0], [2.0], [1.0]]), np.array([0, 0, 1])
    assert classes_differ(twice, labels, np.array([1, 1, 2]), 2) is None
    assert classes_differ(0 * twice, labels, ONES[:3], 2) == "the classes have 1 to 2 samples, not the same number"


def test_a_report_says_which_loss_the_rest_is_about():
    report = of_xor(unit("tanh", 5))
    assert "WITHOUT weight decay" in str(report) and report.verdict("A") is Verdict.PROVED
    assert "weight decay" not in str(of_xor(unit("tanh", 5), None)).partition("The proof")[0]


@pytest.mark.parametrize("decay", [0, "-1", "much", True])
def test_what_is_no_decay(decay):
    with pytest.raises(vf.InputError, match=r"weight_decay = .* must be a positive decimal number such as 0.01; for"):
        of_xor(unit(), decay)


def test_an_upper_bound_is_above():
    found = prove_weight_decay(vf.Network(2, unit()), CORNERS, XOR, ONES, 2, "0.02")
    assert isinstance(found.value, Dyadic) and 0.6512 < float(found.value) < 0.6513
