"""The elementary functions that activations are made of: ONE table, from which every prover kernel is made.

A function is added here, and nowhere else: with its sympy form the parser and the limits know it, with its range,
limits and symmetry the facts, and with its kernels NumPy, mpmath, balls and Taylor series. Only the binary64 engine
needs a proved error bound of its own beside it (`verifier.balls.binary64.activation`); the checker has its own code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import mpmath
import numpy as np
import scipy.special
import sympy
from flint import arb, arb_series

from verifier.sigma.intervals import REALS, Interval

Need = Literal["nonzero", "positive", "nonnegative"]
"""What a divisor, a logarithm or a root needs of its argument."""
Kernel = Callable[..., Any]

_OO: Final = sympy.oo
_ZERO, _ONE, _HALF = Fraction(0), Fraction(1), Fraction(1, 2)
_POSITIVE, _NONNEGATIVE = Interval(_ZERO, math.inf), Interval(_ZERO, math.inf, False)
_HALF_PI_HI: Final = Fraction(11, 7)
"""pi/2 = 1.5707.. < 11/7 = 1.5714.. (Archimedes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """An elementary function of one real argument; of two or more for max and min, whose kernels take two.

    Parameters
    ----------
    symbolic : callable
        sympy's form.
    numpy, mpmath : callable
        Approximate kernels for float64 arrays and for mpmath numbers.
    arb : callable
        Guarantee: maps a ball to a ball that contains the function's values at all of its points.
    series : callable or None, optional
        The same for truncated power series of balls; None: no Taylor series everywhere.
    values : Interval, optional
        Guarantee: contains every value; a finite open end is none. With `need` only for arguments that meet it.
    direction : 1, -1 or 0, optional
        Guarantee: 1 increasing, -1 decreasing where it is defined; 0: neither, or not said.
    at_zero : Fraction or None, optional
        The value at 0, if it is rational.
    symmetry : "odd", "even" or None, optional
        Odd: f(-t) = 2 f(0) - f(t); even: f(-t) = f(t).
    limits : pair, optional
        The limits at +oo and -oo, constants or +-oo; None where there is none.
    need : (Need, int) or None, optional
        What it needs of its argument plus a number; None: it is defined on all of R.
    written : bool, optional
        Whether certificates know it; else it is written out, or comes from rewrites and derivatives only.
    """

    symbolic: Kernel
    numpy: Kernel
    mpmath: Kernel
    arb: Kernel
    series: Callable[[arb_series], arb_series] | None = None
    values: Interval = REALS
    direction: Literal[1, -1, 0] = 0
    at_zero: Fraction | None = None
    symmetry: Literal["odd", "even"] | None = None
    limits: tuple[sympy.Expr | None, sympy.Expr | None] = (None, None)
    need: tuple[Need, int] | None = None
    written: bool = True


def _sigmoid(z: arb) -> arb:
    # The form whose exponential does not overflow.
    if z < 0:
        exponential = z.exp()
        return exponential / (1 + exponential)
    return 1 / (1 + (-z).exp())


def _softplus(z: arb) -> arb:
    # log(1 + e^z) = z + log(1 + e^-z): the form whose exponential does not overflow.
    if z > 0:
        return z + (-z).exp().log1p()
    return z.exp().log1p()


def _tanh_series(x: arb_series) -> arb_series:
    # The exponential of a non-negative argument: no loss of relative accuracy.
    return -_tanh_series(-x) if x[0] < 0 else 1 - 2 / ((2 * x).exp() + 1)


def _mpmath_sigmoid(u: Any) -> Any:
    small = mpmath.exp(-abs(u))
    return (1 if u >= 0 else small) / (1 + small)


def _named(name: str, **given: Any) -> Function:
    """Make a function whose kernels are the libraries' own of that name, where none is given."""
    kernels = {"symbolic": sympy, "numpy": np, "mpmath": mpmath, "arb": arb, "series": arb_series}
    found = {column: getattr(library, name) for column, library in kernels.items() if hasattr(library, name)}
    return Function(**(found | given))


_UNIT: Final = Interval(-_ONE, _ONE)
_UNIT_LIMITS: Final = (sympy.S.One, sympy.S.NegativeOne)
_WAVE: Final = Interval(-_ONE, _ONE, False, False)

FUNCTIONS: Final[dict[str, Function]] = {
    "exp": _named("exp", values=_POSITIVE, direction=1, at_zero=_ONE, limits=(_OO, sympy.S.Zero)),
    "log": _named("log", direction=1, need=("positive", 0)),
    "sqrt": _named("sqrt", values=_NONNEGATIVE, direction=1, at_zero=_ZERO, need=("nonnegative", 0)),
    "tanh": _named(
        "tanh",
        series=_tanh_series,
        values=_UNIT,
        direction=1,
        at_zero=_ZERO,
        symmetry="odd",
        limits=_UNIT_LIMITS,
    ),
    "sinh": _named(
        "sinh",
        series=lambda x: (x.exp() - (-x).exp()) / 2,
        direction=1,
        at_zero=_ZERO,
        symmetry="odd",
        limits=(_OO, -_OO),
    ),
    "cosh": _named(
        "cosh",
        series=lambda x: (x.exp() + (-x).exp()) / 2,
        values=Interval(_ONE, math.inf, False),
        at_zero=_ONE,
        symmetry="even",
        limits=(_OO, _OO),
    ),
    "sin": _named("sin", values=_WAVE, at_zero=_ZERO, symmetry="odd"),
    "cos": _named("cos", values=_WAVE, at_zero=_ONE, symmetry="even"),
    "atan": _named(
        "atan",
        numpy=np.arctan,
        values=Interval(-_HALF_PI_HI, _HALF_PI_HI),
        direction=1,
        at_zero=_ZERO,
        symmetry="odd",
        limits=(sympy.pi / 2, -sympy.pi / 2),
    ),
    "erf": _named(
        "erf",
        numpy=scipy.special.erf,
        values=_UNIT,
        direction=1,
        at_zero=_ZERO,
        symmetry="odd",
        limits=_UNIT_LIMITS,
    ),
    "abs": Function(
        symbolic=sympy.Abs,
        numpy=np.abs,
        mpmath=abs,
        arb=abs,
        values=_NONNEGATIVE,
        at_zero=_ZERO,
        symmetry="even",
        limits=(_OO, _OO),
    ),
    "max": Function(symbolic=sympy.Max, numpy=np.maximum, mpmath=max, arb=arb.max),
    "min": Function(symbolic=sympy.Min, numpy=np.minimum, mpmath=min, arb=arb.min),
    "sign": _named(  # sign(0) = 0; it comes from derivatives only
        "sign", arb=arb.sgn, values=_WAVE, at_zero=_ZERO, symmetry="odd", limits=_UNIT_LIMITS, written=False
    ),
    "log1p": _named(
        "log1p",
        symbolic=lambda u: sympy.log(1 + u),
        series=lambda x: (1 + x).log(),
        direction=1,
        at_zero=_ZERO,
        need=("positive", 1),
        written=False,
    ),
    "expm1": _named(
        "expm1",
        symbolic=lambda u: sympy.exp(u) - 1,
        series=lambda x: x.exp() - 1,
        values=Interval(-_ONE, math.inf),
        direction=1,
        at_zero=_ZERO,
        limits=(_OO, sympy.S.NegativeOne),
        written=False,
    ),
    "erfc": _named(
        "erfc",
        symbolic=lambda u: 1 - sympy.erf(u),
        numpy=scipy.special.erfc,
        values=Interval(_ZERO, Fraction(2)),
        direction=-1,
        at_zero=_ONE,
        symmetry="odd",
        limits=(sympy.S.Zero, sympy.Integer(2)),
        written=False,
    ),
    "sigmoid": Function(
        symbolic=lambda u: 1 / (1 + sympy.exp(-u)),
        numpy=scipy.special.expit,
        mpmath=_mpmath_sigmoid,
        arb=_sigmoid,
        series=lambda x: 1 / (1 + (-x).exp()),
        values=Interval(_ZERO, _ONE),
        direction=1,
        at_zero=_HALF,
        symmetry="odd",
        limits=(sympy.S.One, sympy.S.Zero),
        written=False,
    ),
    "softplus": Function(
        symbolic=lambda u: sympy.log(1 + sympy.exp(u)),
        numpy=lambda u: np.logaddexp(0.0, u),
        mpmath=lambda u: mpmath.log1p(mpmath.exp(-abs(u))) + max(u, mpmath.mpf(0)),
        arb=_softplus,
        series=lambda x: (1 + x.exp()).log(),
        values=_POSITIVE,
        direction=1,
        limits=(_OO, sympy.S.Zero),
        written=False,
    ),
}
"""By the name that trees use."""


def exact_value(name: str, *arguments: Any) -> Any:
    """Evaluate a function by rational arithmetic.

    Parameters
    ----------
    name : str
        Of `FUNCTIONS`.
    *arguments : Fraction or flint.fmpq
        Rational numbers.

    Returns
    -------
    rational or None
        Guarantee: the exact value, a `Fraction` at 0; None if it is not known to be rational.
    """
    if name == "abs":
        return abs(arguments[0])
    if name in ("max", "min"):
        return max(arguments) if name == "max" else min(arguments)
    return FUNCTIONS[name].at_zero if arguments[0] == 0 else None
