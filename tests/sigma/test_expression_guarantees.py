"""Which expressions are analytic, monotone, or a softplus, by prover and checker."""

from __future__ import annotations

from fractions import Fraction

import mpmath
from flint import arb
from planted import fraction, mp, seeds
from planted_problems import SOFTPLUS, STEPS

from verifier.checker import analytic, common, expression
from verifier.rank import monotone
from verifier.sigma.activations import activation

with mpmath.workdps(60):
    COSINES = -mpmath.cos(2), mpmath.cos(2)

MONOTONE = {
    "exp(t)": (1, 0, mpmath.inf),
    "t**3 + 2*t": (1, -mpmath.inf, mpmath.inf),
    "tanh(t)**3": (1, -1, 1),
    "1/(exp(t) + 2)": (-1, Fraction(1, 2), 0),
    "erf(t) + tanh(3*t)": (1, -2, 2),
    "exp(-exp(-t))": (1, 0, 1),
    "-sinh(t)": (-1, mpmath.inf, -mpmath.inf),
    "1/(tanh(t) - 2)": (-1, Fraction(-1, 3), -1),
    "1/(1 + 1/(tanh(t) + 1))": (1, 0, Fraction(2, 3)),
    "(tanh(exp(-t)))**2": (-1, 1, 0),
    "1/(exp(2*t) + tanh(t) + 15/2)": (-1, Fraction(2, 13), 0),
    "-1/(1 - tanh(t))": (-1, Fraction(-1, 2), -mpmath.inf),
    "cos(2)*tanh(t)": (-1, *COSINES),
} | {text: (1 if low < high else -1, low, high) for text, (_, low, high) in STEPS.items()}


NOT_MONOTONE = (
    "t**2 sin(t) cosh(t) tanh(t)**2 t*tanh(t) tanh(t)-atan(t) exp(t)*tanh(t) 1/(t**2+1) 1/t 1/tanh(t) 0*t exp(t)**0 5 "
    "exp(t)*exp(-t) tanh(t)+log(-1) tanh(t)+2*tanh(t+1/(pi-pi)) erf(t)+erf(log(-1)) sqrt(t) log(t) t**(-3) t**(1/3) "
    "exp(t)-exp(2*t) tanh(t)*atan(t) cos(t)**3 t/(1+exp(-t)) (pi-pi)*t"
).split()


NOT_ANALYTIC = (
    "Abs(t) Max(0,t) Min(1,t) sqrt(t**2) 1/t log(t) sqrt(t) t**(-1) t**(1/3) (t**2)**(1/2) t/(1+Abs(t)) 1/tanh(t) "
    "log(1+t) 1/(t-t) log(sin(t)) 1/(1-exp(t)) exp(1/t) erf(1/t)+2 1/(2+erf(1/t)) log(-1)*t erf(log(-1))*t "
    "tanh(1/(pi-pi)) 1/cos(t) log(exp(t)-1) sqrt(1+tanh(2*t)*2) (1+sin(t))**(1/2) log(t**4)"
).split()


ANALYTIC = (
    "t t**5 1/(1+t**2) log(1+exp(t)) t/(1+exp(-t)) log(2+sin(t)) log(cosh(t)) sqrt(1+t**4) (1+t**2)**(-3/2) "
    "t*tanh(log(1+exp(t))) 1/(tanh(t)-2) (3-erf(t))**(1/2) exp(-t**2) t*(1+erf(t/sqrt(2)))/2 sin(t)/(2+cos(t)) "
    "2**(1/2)*t"
).split()


NOT_SOFTPLUS = ("log(exp(t) + 2)", "2*log(exp(t) + 1)", "log(exp(2*t) + 1)", "log(exp(-t) + 1)", "log(exp(t) - 1)")


@seeds(5)
@mpmath.workdps(60)
def test_analytic_expressions(rng):
    """Only what is real analytic on R is said to be so, and all of the usual expressions are."""
    for text in NOT_ANALYTIC:
        assert not analytic.analytic(expression.parse(text, "").tree), text
    for text in ANALYTIC:
        assert analytic.analytic(expression.parse(text, "").tree), text


def _has_limit(ball, truth):
    if mpmath.isinf(truth):
        return ball == (arb("inf") if truth > 0 else arb("-inf"))
    middle, radius = fraction(ball.mid()), fraction(ball.rad())
    return abs(mp(middle) - mp(truth) if isinstance(truth, Fraction | int) else mp(middle) - truth) <= (
        mp(radius) + mpmath.mpf(10) ** -30
    )


@seeds(5)
@mpmath.workdps(60)
def test_monotone_expressions(rng):
    """Directions and limits in the checker and in the prover; nothing is claimed of functions that are not monotone."""
    with common.precision(200):
        for text, (direction, *ends) in MONOTONE.items():
            found = analytic.monotone(expression.parse(text, "").tree)
            assert found[0] == direction, text
            assert all(_has_limit(ball, end) for ball, end in zip(found[1:], ends, strict=True)), (text, found)
            own = monotone.monotone_limits(activation(text))
            assert own is not None and own.sign == direction, text
            assert all(_has_limit(ball, end) for ball, end in zip((own.low, own.high), ends, strict=True)), text
        for text in NOT_MONOTONE:
            assert analytic.monotone(expression.parse(text, "").tree)[0] == 0, text
        for text in ("t**2", "sin(t)", "tanh(t)**2", "t*tanh(t)", "tanh(t) - atan(t)"):
            assert monotone.monotone_limits(activation(text)) is None, text
    for text, slope in SOFTPLUS.items():
        found = analytic.sharpness(expression.parse(text, "").text)
        assert Fraction(int(found.p), int(found.q)) == slope, text
    for text in NOT_SOFTPLUS:
        assert analytic.sharpness(expression.parse(text, "").text) == 0, text
