r"""WD: what weight decay breaks: the origin is then a strict local minimum, in a bad valley if another point is lower.

``Phi_lambda(U, V) = Phi(U, V) + (lambda/2) (|U|^2 + |V|^2)``, Phi the mean cross-entropy of m classes, all weights and
biases in U, an output bias in V. The network is made of layers whose activations are real analytic, and every class has
the same number of samples with the same sum (XOR: the labels are x_1 x_2 at (+-1, +-1)). To second order at the origin

.. math:: \Phi = \log m + \frac1n \sum_i c_i \langle \tfrac1m \mathbf 1 - e_{y_i}, \Psi_i V\rangle
    + \frac1{2n} \sum_i c_i \langle \Psi_i V, H\, \Psi_i V\rangle, \qquad
    H = \tfrac1m(I - \tfrac1m \mathbf 1 \mathbf 1^{\mathsf T}) \ge 0,

and ``Psi_i``, to first order in U at U = 0, is an affine function of the sample: a pre-activation is ``<w, z> + b``
with z, at U = 0, coordinates of the sample, means of such, or constants. Summed with the factors
``c_i (1/m - [y_i = k])`` it gives 0 for every class k, so the second term is 0 to second order, the gradient is 0 and
the Hessian of Phi_lambda is at least lambda I. Activations need not be odd.

A point where Phi_lambda is certainly below log m makes the valley at the origin bad: on a small sphere around it
``Phi_lambda >= log m + delta``, so the component of ``{Phi_lambda < log m + delta}`` there stays inside the sphere,
where nothing is below log m. The point proves it for every smaller lambda as well, and for wider layers: further units
at 0 change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import enclose_margins
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down
from verifier.display import Brief, Decided, count
from verifier.landscape.targets import decimal_below, stated_loss
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network
from verifier.verdict import Verdict

BITS = 128
"""Working precision of the value; it is far above what a gap that a descent finds needs."""
STARTS, SPREAD, STREAM, STEPS = 8, 1.5, 4_000_037, 200
"""Descents from random points, their standard deviation (units then bend), their random numbers, steps of each."""
WORK = 1e7
"""Products of samples and parameters up to which descents are tried: less than 10 s."""
GAP = 1e-6
"""How far below log m a candidate must seem to be for its value to be enclosed."""
CLEAR = 1e-9
"""Sums of floats that differ by more, relatively, differ; others are compared exactly."""


@dataclass(frozen=True, slots=True, repr=False)
class WeightDecay(Decided, Brief):
    """WD: the regularised loss has a bad local valley at the origin, by a point (u, v) of a lower value, when PROVED.

    ``decay`` is at least the weight decay asked for, ``value`` at least the regularised loss at the point.
    """

    verdict: Verdict
    reason: str
    decay: Dyadic
    u: Array | None = None
    v: Array | None = None
    value: Dyadic | None = None
    precision: int = BITS


def prove_weight_decay(
    network: Network,
    inputs: Array,
    labels: NDArray[np.int64],
    multiplicities: NDArray[np.int64],
    classes: int,
    decay: str,
    start: tuple[Array, Array] | None = None,
) -> WeightDecay:
    """Prove that weight decay makes a bad local valley at the origin (WD).

    Parameters
    ----------
    network
        Layers with analytic activations; see `classes_differ` for the data. Shapes (p,) of U and (M, m) of V.
    inputs, labels, multiplicities
        Samples ``(N, d)``, classes ``(N,)``, how often each counts ``(N,)``.
    classes
        m.
    decay
        lambda > 0, a decimal number.
    start
        A point (U, V) that is tried first, such as a trained one.

    Returns
    -------
    WeightDecay
        Guarantee: if the network is layered, its activations analytic and the classes do not differ, ``PROVED`` implies
        that for every lambda in (0, ``decay``] the origin is a strict local minimum of the loss with weight decay, of
        value log m, in a bad local valley (THEORY2 WD). With m = 2 the point has its first column of V at 0, so that
        the same holds for one logit (0, z).

    Raises
    ------
    ValueError
        ``decay`` is not a positive decimal number.
    """
    bound = decay_above(decay)
    for u, v in _candidates(network, inputs, labels, multiplicities, classes, float(bound), start):
        value = loss_with_decay(network, u, v, inputs, labels, multiplicities, bound)
        if value is not None and value.arb() < arb(classes).log():
            units = int(np.any(v != 0, axis=1).sum())
            words = (
                f"with lambda = {decay} the origin is a strict local minimum of value log {classes} >= "
                f"{at_least(round_down(arb(classes).log()))}, and another point, with {count(units, 'nonzero row')} of "
                f"V, has at most {at_most(value)}: a bad local valley"
            )
            return WeightDecay(Verdict.PROVED, words, bound, u, v, value)
    small = network.parameter_count * len(inputs) <= WORK
    why = f"none of {STARTS} descents found one" if small else "the network is too large for descents"
    words = f"the origin is a strict local minimum with lambda = {decay}; that a point is lower is open: {why}"
    return WeightDecay(Verdict.UNDECIDED, words, bound)


def classes_differ(
    inputs: Array, labels: NDArray[np.int64], multiplicities: NDArray[np.int64], classes: int
) -> str | None:
    """Why not every class has as many samples with the same sum; None if each has.

    Parameters
    ----------
    inputs, labels, multiplicities
        Samples ``(N, d)``, classes ``(N,)``, how often each counts ``(N,)``.
    classes
        m.

    Returns
    -------
    str or None
        Guarantee: None only if ``sum_i c_i (1/m - [y_i = k]) (1, x_i) = 0`` exactly for every class k.
    """
    numbers = [int(multiplicities[labels == k].sum()) for k in range(classes)]
    if len(set(numbers)) > 1:
        return f"the classes have {min(numbers)} to {max(numbers)} samples, not the same number"
    sums, sizes = [], np.zeros(inputs.shape[1])
    for k in range(classes):  # one class at a time: copies of all samples may be large
        rows, times = inputs[labels == k], multiplicities[labels == k].astype(np.float64)
        sums.append(times @ rows)
        sizes += times @ np.abs(rows)
    if bool(np.any(np.ptp(sums, axis=0) > CLEAR * sizes)):
        return "the classes have different means"
    for column in inputs.T:
        exact = [Fraction(0)] * classes
        for x, label, often in zip(column.tolist(), labels.tolist(), multiplicities.tolist(), strict=True):
            exact[label] += Fraction(x) * often
        if len(set(exact)) > 1:
            return "the classes have different means"
    return None


def decay_above(text: str) -> Dyadic:
    """The smallest binary64-sized dyadic that is >= the decimal number.

    Guarantee: the result is at least the number.

    Raises
    ------
    ValueError
        If the text is not a positive decimal number.
    """
    below = decimal_below(text)
    return below if below.fraction() == Fraction(text) else Dyadic(below.mantissa + 1, below.exponent)


def loss_with_decay(
    network: Network,
    u: Array,
    v: Array,
    inputs: Array,
    labels: NDArray[np.int64],
    multiplicities: Sequence[int] | NDArray[np.int64],
    decay: Dyadic,
) -> Dyadic | None:
    """An upper bound of ``Phi(U, V) + (lambda/2) (|U|^2 + |V|^2)``; None if it has no finite enclosure.

    Guarantee: the value is at most the result, which leaves room for wider enclosures.

    Parameters
    ----------
    network : Network
        With p parameters and M columns of Psi.
    u, v : ndarray of shapes (p,) and (M, m)
        The point.
    inputs : ndarray of shape (N, d)
        The samples.
    labels : ndarray of shape (N,)
        Classes 0..m-1.
    multiplicities : sequence of int
        How often each sample occurs.
    decay : Dyadic
        lambda.

    Returns
    -------
    Dyadic or None
        The bound.
    """
    weights = ExactArray.of_floats(v)
    features = FeatureEnclosure(network, u, inputs, BITS)
    (margins,) = enclose_margins(features, [weights], labels)
    with working_precision(BITS):
        squares = sum((arb(x) * arb(x) for x in (*u.tolist(), *v.ravel().tolist())), arb(0))
        total = cross_entropy(margins.rows, list(map(int, multiplicities))) + decay.arb() * squares / 2
        return stated_loss(total)[1] if total.is_finite() else None


def _candidates(
    network: Network,
    inputs: Array,
    labels: NDArray[np.int64],
    counts: NDArray[np.int64],
    classes: int,
    decay: float,
    start: tuple[Array, Array] | None,
) -> Iterator[tuple[Array, Array]]:
    """Points (U, V) that seem to be lower than the origin: the start, then where descents end."""
    from scipy.optimize import minimize  # takes a while to load, and few problems come here

    p, free = network.parameter_count, slice(1, None) if classes == 2 else slice(None)
    shape = (network.columns, classes)

    def parts(theta: Array) -> tuple[Array, Array]:
        v = np.zeros(shape)
        v[:, free] = theta[p:].reshape(shape[0], -1)
        return theta[:p], v

    def value(theta: Array) -> tuple[float, Array]:
        u, v = parts(theta)
        found = approx_gradient(network, u, v, inputs, labels, counts)
        slope = np.concatenate([found.du, found.dv[:, free].ravel()])
        return found.loss + decay / 2 * float(theta @ theta), slope + decay * theta

    size = shape[0] * len(range(classes)[free])
    starts: list[Array] = []
    if start is not None:
        v = start[1] - start[1][:, :1] if classes == 2 else start[1]  # the same margins
        starts.append(np.concatenate([start[0], v[:, free].ravel()]))
        if value(starts[0])[0] < math.log(classes) - GAP:
            yield parts(starts[0])
    if p * len(inputs) > WORK:
        return
    for number in range(STARTS):
        starts.append(SPREAD * portable_gaussian(number, (STREAM,), p + size))
    for theta in starts:
        found = minimize(value, theta, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
        if found.fun < math.log(classes) - GAP:
            yield parts(np.asarray(found.x))
