"""Which activations cross 0 at most once, with a change of sign: prover and checker, each by its own code."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from verifier.checker.grammar import read_expression
from verifier.checker.turning import direction as checked_direction
from verifier.checker.turning import turns_once as checked
from verifier.sigma.turning import direction, turns_once

MONOTONE = ("leaky_relu", "elu", "selu", "celu(3)", "prelu(0.25)", "softplus", "tanh", "sigmoid", "identity", "arctan")
MONOTONE += ("log_sigmoid", "algebraic", "cubic", "sinh", "exp(-t)", "max(t, 2*t, t/3)", "softplus(20)", "t**3 + t")
TURNING = ("silu", "gelu", "mish", "quick_gelu", "gelu_tanh", "softsign", "t*exp(t)", "gaussian", "cosh", "1 + t**2")
NEITHER = ("relu", "hard_swish", "square", "sin", "abs", "relu6", "hard_tanh", "softshrink", "squared_relu", "t*abs(t)")
NEITHER += (
    "prelu(0)",
    "prelu(-0.5)",
    "elu(-1)",
    "t**2*exp(t)",
    "max(0, t)*t",
    "t*(t - 1)",
    "min(t, -t)",
    "cos",
    "3*max(0, t) + abs(t)",
)
NEITHER += ("prelu(0)", "prelu(-0.5)", "elu(-1)", "t**2*exp(t)", "max(0, t)*t", "t*(t - 1)", "min(t, -t)", "cos")
UNSEEN = ("t*(2 - exp(-t**2))", "tanh(t**2) - 1", "cosh(t) - 1/2", "log(2 + cosh(t))", "arctan(t) + max(2, t)")
NEITHER += UNSEEN  # true of these, and too fine for a checker


@pytest.mark.parametrize("name", [*MONOTONE, *TURNING, *NEITHER])
def test_both_programmes_agree(name: str) -> None:
    sigma = vf.activation(name)
    tree = read_expression(sigma.canonical)
    assert bool(turns_once(sigma)) == checked(tree) == (name not in NEITHER)
    assert bool(direction(sigma.expression)) == bool(checked_direction(tree)) == (name in MONOTONE)


@pytest.mark.parametrize("name", [*MONOTONE, *TURNING])
def test_what_is_proved_is_seen_on_a_grid(name: str) -> None:
    """No value 0 on both sides, and no two changes of sign."""
    t = np.linspace(-4.0, 4.0, 1601)
    sigma = vf.activation(name)
    network = vf.Network(1, vf.Dense(1, name, skip=True))
    values = vf.FeatureEnclosure(network, np.array([1.0, 0.0]), t[:, None], 64).approx()[:, 0]
    signs = np.sign(values)
    assert (np.diff(signs[signs != 0]) != 0).sum() <= 1 and (signs == 0).sum() <= 1
    if name in MONOTONE:
        way = direction(sigma.expression)
        assert (way * np.diff(values) >= 0).all() and way * (values[-1] - values[0]) > 0
