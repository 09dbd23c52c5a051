"""Planted truth for the oracles: numbers worked out by hand, and plain floating point."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from verifier import Network
from verifier.fuzz import oracle
from verifier.fuzz.strategies import _ACTIVATIONS
from verifier.network.forward import approx_features
from verifier.run.case import build_layers

ALL = sorted({name for names in _ACTIVATIONS.values() for name in names})
Table = dict[str, Any]


def network_of(shape: tuple[int, ...], *layers: Table) -> Network:
    return Network(shape, build_layers([{"skip": True, **table} for table in layers]))


def dense(width: int, name: str, **table: Any) -> Table:
    return {"kind": "dense", "width": width, "activation": name, **table}


def conv(axes: int, filters: int, kernel: list[int], bias: str) -> Table:
    table = {"kind": f"conv{axes}d", "filters": filters, "kernel": kernel, "bias": bias}
    return table | {"activation": "identity"}


def exact(network: Network, u: list[float], samples: list[list[float]]) -> list[list[Fraction]]:
    psi = oracle.exact_features(network, np.array(u), np.array(samples))
    return [[Fraction(int(x.p), int(x.q)) for x in row] for row in psi]


def test_a_dense_layer() -> None:
    network = network_of((2,), dense(2, "1/(1 + t**2)"))
    u = [1.0, 0.5, 0.0, -2.0, 0.25, 1.0]  # weights (1, 1/2) and (0, -2), biases 1/4 and 1
    samples = [[1.0, 2.0], [0.5, -1.0]]  # arguments 9/4, -3 and 1/4, 3
    assert exact(network, u, samples) == [
        [Fraction(16, 97), Fraction(1, 10)],
        [Fraction(16, 17), Fraction(1, 10)],
    ]
    assert oracle.exact_rank(network, np.array(u), np.array(samples)) == 2
    assert oracle.exact_rank(network, np.zeros(6), np.array(samples)) == 1


@pytest.mark.parametrize(
    ("bias", "values", "expected"),
    [
        ("tied", [5.0, -1.0], [[21, 6, -6, -2], [26, 37, 0, 0]]),
        ("per-unit", [5.0, 6.0, -1.0, 2.0], [[21, 7, -6, 1], [26, 38, 0, 3]]),
    ],
)
def test_a_conv1d_layer(bias: str, values: list[float], expected: list[list[int]]) -> None:
    network = network_of((1, 3), conv(1, 2, [2], bias))
    u = [1.0, 10.0, -1.0, 1.0, *values]  # filters (1, 10) and (-1, 1)
    assert exact(network, u, [[6.0, 1.0, 0.0], [1.0, 2.0, 3.0]]) == expected


@pytest.mark.parametrize(
    ("shape", "kernel", "bias", "u", "sample", "expected"),
    [
        ((1, 2, 3), [2, 2], "tied", [1, 2, 3, 4, 1], [1, 2, 3, 4, 5, 6], [38, 48]),
        ((2, 2, 2), [1, 2], "per-unit", [1, 10, 100, 1000, 0.5, -0.5], range(1, 9), [6521.5, 8742.5]),
    ],
)
def test_a_conv2d_layer(shape: Any, kernel: Any, bias: str, u: Any, sample: Any, expected: Any) -> None:
    network = network_of(shape, conv(2, 1, kernel, bias))
    assert exact(network, list(u), [list(sample)]) == [expected]


def test_pooling() -> None:
    network = network_of((2, 3), {"kind": "avgpool", "kernel": [2], "stride": [1]})
    assert exact(network, [], [[1.0, 2.0, 4.0, -1.0, 0.0, 5.0]]) == [[1.5, 3, -0.5, 2.5]]
    thirds = network_of((1, 3), {"kind": "avgpool", "kernel": [3], "stride": [1]})
    assert exact(thirds, [], [[1.0, 0.0, 0.0]]) == [[Fraction(1, 3)]]


def test_arcs_and_subsets_of_skip_units() -> None:
    network = network_of(
        (1,),
        dense(3, "identity", skip=[0, 2]),
        dense(1, "square", inputs=["input"], skip=False),
        dense(1, "identity", inputs=[1, "input"]),
    )
    u = [2.0, 7.0, -1.0, 1.0, 7.0, 0.5, 1.0, -1.0, 10.0, 100.0, 0.25]
    # 2x + 1, (7x + 7 unseen), 1/2 - x; (x - 1)**2; 10 of it + 100 x + 1/4
    assert exact(network, u, [[3.0]]) == [[7, -2.5, 340.25]]
    assert np.allclose(approx_features(network, np.array(u), np.array([[3.0]])), [[7, -2.5, 340.25]])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("relu", [0, Fraction(3, 2)]),
        ("hard_tanh", [-1, 1]),
        ("abs(t)", [2, Fraction(3, 2)]),
        ("t/(1 + abs(t))", [Fraction(-2, 3), Fraction(3, 5)]),
        ("t**3/3 - t", [Fraction(-2, 3), Fraction(-3, 8)]),
    ],
)
def test_rational_activations(name: str, values: list[Fraction]) -> None:
    network = network_of((1,), dense(1, name))
    assert oracle.is_rational(network)
    assert exact(network, [1.0, 0.0], [[-2.0], [1.5]]) == [[values[0]], [values[1]]]


def test_a_pole_is_an_error() -> None:
    network = network_of((1,), dense(1, "identity"))
    pole = oracle.sympy.Symbol("t") ** -1
    with pytest.raises(ZeroDivisionError):
        oracle._rational_activation(pole, oracle.fmpq(0))
    assert oracle._is_rational(pole)
    assert oracle.is_rational(network)


@pytest.mark.parametrize("name", ["tanh", "sqrt(1 + t**2)", "sin", "elu", "gelu", "exp(-t**2)"])
def test_what_is_not_rational(name: str) -> None:
    assert not oracle.is_rational(network_of((1,), dense(1, "square"), dense(1, name)))


def test_pooling_is_rational() -> None:
    assert oracle.is_rational(network_of((1, 2), {"kind": "avgpool", "kernel": [2], "stride": [1]}))


@pytest.mark.parametrize("name", ALL)
def test_the_real_oracle_agrees_with_floats(name: str) -> None:
    network = network_of((1,), dense(2, name), dense(2, name))
    u = np.array([1.0, -0.5, 0.25, 1.5, 0.75, -1.0, 0.5, 0.125, -0.25, 2.0])
    samples = np.array([[-1.75], [0.0], [1.0]])
    floats = approx_features(network, u, samples)
    digits = oracle.approx_features_to(network, u, samples, 50)
    assert np.allclose(np.array(digits, dtype=float), floats, rtol=1e-12, atol=1e-12)
    assert float(np.ptp(floats)) > 0.1


def test_the_real_oracle_agrees_with_the_exact_one() -> None:
    network = network_of((1,), dense(2, "t/(1 + t**2)"), dense(3, "leaky_relu"))
    u = np.linspace(-1, 1, network.parameter_count)
    samples = np.array([[0.1], [3.0]])
    exactly = oracle.exact_features(network, u, samples)
    with mpmath.workdps(100):
        for row, other in zip(exactly, oracle.approx_features_to(network, u, samples, 100), strict=True):
            for x, y in zip(row, other, strict=True):
                assert abs(mpmath.mpf(int(x.p)) / int(x.q) - y) < mpmath.mpf(10) ** -95


def test_constants_and_powers() -> None:
    t = oracle.sympy.Symbol("t")
    with mpmath.workdps(40):
        two = mpmath.mpf(2)
        for expression, value in (
            (oracle.sympy.pi * t, 2 * mpmath.pi),
            (oracle.sympy.E + t, mpmath.e + 2),
            (oracle.sympy.Pow(oracle.sympy.E, t / 3), mpmath.exp(two / 3)),
            (t ** oracle.sympy.Rational(1, 2), mpmath.sqrt(2)),
            (t**-2, mpmath.mpf(1) / 4),
        ):
            assert abs(oracle._real_activation(expression, two) - value) < mpmath.mpf(10) ** -38


def test_singular_values_and_rank() -> None:
    with mpmath.workdps(60):
        low, high = mpmath.sqrt(5), mpmath.sqrt(45)
        for matrix in ([[3, 0], [4, 5]], [[3, 0, 0], [4, 5, 0]], [[3, 4], [0, 5], [0, 0]]):
            found = oracle.approx_singular_values_to(matrix, 60)
            assert len(found) == 2
            assert abs(found[0] - high) < mpmath.mpf(10) ** -55
            assert abs(found[1] - low) < mpmath.mpf(10) ** -55


@pytest.mark.parametrize(("power", "rank"), [(-60, 2), (-120, 1)])
def test_numerical_rank(power: int, rank: int) -> None:
    with mpmath.workdps(oracle.DIGITS):
        assert oracle.approx_rank_to([[1, 1], [1, 1 + mpmath.mpf(10) ** power]]) == rank


def test_the_rank_of_zero() -> None:
    assert oracle.approx_rank_to([[mpmath.mpf(0)] * 3] * 2) == 0


def test_the_loss() -> None:
    with mpmath.workdps(40):
        logits = [[mpmath.log(3), mpmath.mpf(0)], [mpmath.mpf(0), mpmath.mpf(0)]]
        value = (2 * mpmath.log(mpmath.mpf(4) / 3) + mpmath.log(2)) / 3
        assert abs(oracle.approx_loss_to(logits, [0, 1], [2, 1]) - value) < mpmath.mpf(10) ** -38


def _softplus(x: float) -> Any:
    return mpmath.log(1 + mpmath.exp(x))


@pytest.mark.parametrize(
    ("name", "label0", "label2"),
    [
        ("squared", 2, 5),  # (0 + 0 + 4)/2, (1 + 0 + 9)/2
        ("weston-watkins", 0.5, 7.5),  # margins 1/2, 3 and -3, -5/2
        ("crammer-singer", 0.5, 4),
        ("cross-entropy", "log(1 + exp(-0.5) + exp(-3))", "log(1 + exp(3) + exp(2.5))"),
        ("one-vs-rest", "s(-1) + s(0.5) + s(-2)", "s(1) + s(0.5) + s(2)"),
    ],
)
def test_other_losses(name: str, label0: Any, label2: Any) -> None:
    second = 0.0 if name == "squared" else 0.5
    with mpmath.workdps(40):
        words = {"log": mpmath.log, "exp": mpmath.exp, "s": _softplus}
        first, last = (mpmath.mpf(eval(x, words) if isinstance(x, str) else x) for x in (label0, label2))
        row = [mpmath.mpf(1), mpmath.mpf(second), mpmath.mpf(-2)]
        found = oracle.approx_convex_loss(name, [row], [[2, 0, 1]], [1.5, 7.0, 3.0])
        assert abs(found - (2 * 1.5 * first + 3 * last) / 3) < mpmath.mpf(10) ** -35


def test_distance_to_the_range() -> None:
    with mpmath.workdps(60):
        system = [[mpmath.mpf(x) for x in row] for row in ([1, 1, 2], [0, 1, 1], [0, 0, 0])]
        inside = [[mpmath.mpf(x)] for x in (5, -7, 0)]
        assert oracle.approx_distance_to_range(system, inside) < mpmath.mpf(10) ** -55
        outside = [[5, 0], [-7, 0], [0, 3]]
        both = [[mpmath.mpf(x) for x in row] for row in outside]
        assert abs(oracle.approx_distance_to_range(system, both) - 0.75) < mpmath.mpf(10) ** -55
        nothing = [[mpmath.mpf(0)]] * 3
        size = mpmath.sqrt(3)
        assert abs(oracle.approx_distance_to_range(nothing, [[mpmath.mpf(1)]] * 3) - size / (1 + size)) < 1e-50


def test_products() -> None:
    assert oracle.times([[1, 2], [3, 4]], [[5, 6, 0], [7, 8, 1]]) == [[19, 22, 2], [43, 50, 4]]


@pytest.mark.parametrize("t", ["0", "0.5", "1"])
def test_features_between(t: str) -> None:
    network = network_of((2,), dense(2, "t**3/3 - t"), dense(2, "t**2 - t"))
    start, end = np.linspace(-2, 2, 12) ** 3, np.linspace(1, 0, 12)
    middle = start + float(t) * (end - start)  # exact but for rounding: held against 50 digits below
    samples = np.array([[1.0, 2.0], [-0.5, 0.0]])
    found = oracle.approx_features_between(network, start, end, mpmath.mpf(t), samples, 50)
    wanted = oracle.approx_features_to(network, middle, samples, 50)
    room = 0 if t == "0" else 1e-13
    for row, other in zip(found, wanted, strict=True):
        for x, y in zip(row, other, strict=True):
            assert abs(x - y) <= room * (1 + abs(y))
