r"""J2: an exact interpolant near given weights, and the dimension of the set of interpolants there.

Let ``F(theta) = G(theta) - T`` be the logits minus real targets, R = N m numbers, theta = (U, V) of P. Newton's steps
in floating point lead from the start to some theta0, exact binary64 numbers. With any ``P x R`` matrix B, rho > 0 and
J the Jacobian,

.. math:: \|I - J(\theta_0 + B c) B\|_\infty \le q < 1 \ (|c|_\infty \le \rho), \qquad
    |F(\theta_0)|_\infty \le (1 - q) \rho,

the map ``c -> c - F(theta0 + B c)`` has the derivative ``I - J B``: it contracts the ball ``|c| <= rho`` into itself,
so exactly one c* in it has ``F(theta0 + B c*) = 0`` (THEORY2 J2; Krawczyk 1969). J has rank R there (`residual_bound`),
and near ``theta0 + B c*`` the interpolants are a manifold of dimension P - R (implicit function theorem). J is enclosed
over the box of all theta with ``|theta_j - theta0_j| <= rho sum_k |B_jk|``, which contains every ``theta0 + B c``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.bounds import upper
from verifier.balls.exact import Dyadic, ExactArray, at_most, upper_float
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.jacobian import Parameters, enclose_jacobian
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_up
from verifier.data.gate import binary64
from verifier.display import Decided
from verifier.errors import InputError, needs
from verifier.network.approx_jacobian import approx_jacobian
from verifier.network.arguments import given_inputs, given_output, given_parameters
from verifier.network.differentiable import NotSmooth
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network
from verifier.rank.approx import approx_right_inverse
from verifier.rank.jacobian_rank import JacobianInverse, approx_inverse, column_choices, free_parameters, residual_bound
from verifier.verdict import Verdict

STEPS, HALVINGS = 40, 12
"""Newton's steps, and how often one is halved until the residual falls."""
SETTLED = 2.0**-40
"""A residual this small against the targets and logits is Newton's last but one."""
WIDER = (2, 12)
"""rho is 4 |F(theta0)|, and if the box is too wide for that, 2^12 times as much is no use: the exponents tried."""
SECONDS_PER_PRODUCT, SECONDS_PER_ENTRY = 6e-9, 1e-6
"""Measured costs of some fifteen steps, for each row, row and column of J, and for each entry."""
BITS = 128
"""Precision at which F(theta0) is enclosed: it is a small difference."""


@dataclass(frozen=True, repr=False)
class Interpolant(Decided):
    """What was found of an exact interpolant near a start.

    Guarantee: if PROVED, some (U, V) whose numbers are within ``distance`` of the start's has exactly the targets as
    logits, and near it these form a manifold of dimension ``dimension``.
    """

    verdict: Verdict
    reason: str
    where: Parameters | None = None
    found: JacobianInverse | None = None
    rho: Dyadic | None = None
    start: Parameters | None = None
    distance: Dyadic | None = None
    dimension: int = 0


def seconds_of(rows: int, columns: int) -> float:
    """Predict the seconds that `prove_interpolant` takes."""
    return rows * columns * (SECONDS_PER_PRODUCT * rows + SECONDS_PER_ENTRY)


def prove_interpolant(
    network: Network, u: Array, v: Array, inputs: Array, targets: Array, *, backend: Backend | None = None
) -> Interpolant:
    """Prove that some (U, V) near a start has exactly given logits.

    Parameters
    ----------
    network, u, v
        The network and the start, shapes ``(p,)`` and ``(M, m)``.
    inputs, targets
        Samples ``(N, d)`` and the logits that they are to have, ``(N, m)``; exact.
    backend
        Array library; NumPy by default.

    Returns
    -------
    Interpolant
        Guarantee: see there. Source: THEORY2 J2; Krawczyk 1969; the implicit function theorem.

    Raises
    ------
    InputError
        The parts are no such numbers, or do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(2, "tanh", skip=True))
    >>> u, v, x = vf.initialise(network, seed=1), np.array([[1.0], [2.0]]), np.array([[-1.0], [0.0], [0.5], [2.0]])
    >>> targets = np.round(vf.FeatureEnclosure(network, u, x, 64).approx() @ v, 2)
    >>> found = vf.prove_interpolant(network, u, v, x, targets)
    >>> found.proved, found.dimension
    (True, 2)
    """
    backend = numpy_backend() if backend is None else backend
    needs(network, "network", "nodes", "network", "make one: Network(dimension, layers)")
    u, inputs, targets = given_parameters(network, u), given_inputs(network, inputs), binary64(targets, "targets")
    if targets.ndim != 2 or len(targets) != len(inputs):
        raise InputError(f"targets: shape {targets.shape}; give one row of logits per sample, ({len(inputs)}, m)")
    v, rows = given_output(network, v, targets.shape[1]), targets.size
    if rows > network.parameter_count + v.size:
        return Interpolant(Verdict.UNDECIDED, f"{network.parameter_count + v.size} parameters for {rows} equations")
    near = newton(network, u, v, inputs, targets)
    if near is None:
        return Interpolant(Verdict.UNDECIDED, "Newton's steps from the start do not converge")
    try:
        return _certified(network, Parameters.at(u, v), Parameters.at(*near), inputs, targets, backend)
    except NotSmooth as error:
        return Interpolant(Verdict.UNDECIDED, f"not differentiable near there: {error}")
    except NotEnclosed as error:
        return Interpolant(Verdict.UNDECIDED, f"the Jacobian is not enclosed: {error}")


@np.errstate(all="ignore")
def newton(network: Network, u: Array, v: Array, inputs: Array, targets: Array) -> tuple[Array, Array] | None:
    """Newton's steps of least length in floating point from (U, V) towards logits; None if they do not converge.

    Guarantee: none.

    Parameters
    ----------
    network : Network
        With p parameters and M columns of Psi.
    u, v : ndarray of shapes (p,) and (M, m)
        Where the steps begin.
    inputs : ndarray of shape (N, d)
        The samples.
    targets : ndarray of shape (N, m)
        The wanted logits.

    Returns
    -------
    (ndarray of shape (p,), ndarray of shape (M, m)) or None
        Where the steps end.
    """
    best, least = (u, v), math.inf
    scale = float(np.linalg.norm(targets))
    for _ in range(STEPS):
        logits, jacobian = approx_jacobian(network, u, v, inputs)
        size = float(np.linalg.norm(logits - targets))
        settled = SETTLED * max(scale, float(np.linalg.norm(logits)))
        if size < least:
            better, best, least = size <= least / 2, (u, v), size
            if least <= settled and not better:
                break
        elif least <= settled:
            break
        inverse = approx_right_inverse(jacobian)
        if inverse is None or least == 0.0:
            break
        step = inverse @ (logits - targets).ravel()
        for halving in range(HALVINGS):
            share = 0.5**halving
            u_after, v_after = u - share * step[: len(u)], v - share * step[len(u) :].reshape(v.shape)
            after = float(np.linalg.norm(approx_features(network, u_after, inputs) @ v_after - targets))
            if after < size or size <= settled:
                break
        else:
            return None
        u, v = u_after, v_after
    return best if least <= settled else None


def _certified(
    network: Network, start: Parameters, near: Parameters, inputs: Array, targets: Array, backend: Backend
) -> Interpolant:
    gap = residual_of(network, near.u, near.v, inputs, targets)
    if not gap.is_finite():
        raise NotEnclosed("the logits have no finite enclosure")
    reason = "no right inverse of the Jacobian was found in binary64: it is numerically of smaller rank"
    for columns in column_choices(free_parameters(network, near.v, None), targets.size):
        jacobian = enclose_jacobian(network, near, inputs, columns, backend)
        proposed = approx_inverse(jacobian.middles)
        if proposed is None:
            continue
        for exponent in WIDER:
            rho = _power_above(gap, exponent)
            reach = np.zeros(near.size)
            reach[columns] = upper(float(rho) * proposed.row_sums, 2)
            box = enclose_jacobian(network, near.around(reach), inputs, columns, backend, throughout=True)
            q = residual_bound(box, proposed.inverse, backend)
            with working_precision(BITS):
                holds = math.isfinite(q) and bool(gap <= (1 - arb(q)) * rho.arb() / 2)
            if holds:
                found = JacobianInverse(columns, proposed.inverse, proposed.exact, q)
                return _stated(start, near, found, rho, targets.size)
            reason = f"||I - J B||_inf is only bounded by {at_most(q)} around the point that Newton's steps found"
    return Interpolant(Verdict.UNDECIDED, reason)


def _stated(start: Parameters, near: Parameters, found: JacobianInverse, rho: Dyadic, rows: int) -> Interpolant:
    with working_precision(BITS):
        moved = arb(0)
        for a, b in ((near.u, start.u), (near.v.ravel(), start.v.ravel())):
            for p, q in zip(a.tolist(), b.tolist(), strict=True):
                moved = moved.max(abs(arb(p) - arb(q)))
        total = moved + rho.arb() * arb(float(found.row_sums.max()))
        distance = round_up(total.upper())
    dimension = near.size - rows
    reason = (
        f"an exact interpolant within {at_most(distance)} (largest change of a parameter) of these weights; near it "
        f"the interpolants are a manifold of dimension P - N m = {dimension}; ||I - J B||_inf <= {at_most(found.bound)}"
    )
    return Interpolant(Verdict.PROVED, reason, near, found, rho, start, distance, dimension)


def residual_of(network: Network, u: Array, v: Array, inputs: Array, targets: Array) -> arb:
    """The largest ``|Psi(U) V - T|`` of an entry, from above; not finite if some feature has no finite enclosure.

    Guarantee: the result is at least the largest of them, or NaN.

    Parameters
    ----------
    network : Network
        With p parameters and M columns of Psi.
    u, v : ndarray of shapes (p,) and (M, m)
        The point.
    inputs, targets : ndarray of shapes (N, d) and (N, m)
        Samples and the wanted logits T.

    Returns
    -------
    arb
        The bound.
    """
    features = FeatureEnclosure(network, u, inputs, BITS)
    weights, largest = ExactArray.of_floats(v).arb_mat(), arb(0)
    for rows, psi in features.blocks():
        with working_precision(BITS):
            wanted = arb_mat(targets[rows].tolist())
            for entry in (psi * weights - wanted).entries():
                if not entry.is_finite():
                    return arb("nan")
                largest = largest.max(entry.abs_upper())
    return largest


def _power_above(size: arb, exponent: int) -> Dyadic:
    """A power of two that is at least ``2^exponent`` times a number, not 0."""
    bound = upper_float(size)
    return Dyadic(1, (math.frexp(bound)[1] if bound > 0.0 else -100) + exponent)
