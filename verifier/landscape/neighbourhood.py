r"""Z2: a ball of hidden and output weights with zero training error; and a ball of hidden weights with full rank.

Each hidden parameter may change by at most r (the primed numbers), and so may each output weight. How far the features
change is bounded in one of two ways. In a layered network whose activations are analytic by a recursion, layer by
layer, over all samples and units: B bounds ``|h|`` and ``|h'|``, d bounds ``|h' - h|``; for the input ``B = max |x|``,
d = 0; where several sources are read, the largest counts; a pool keeps both. With A the largest sum of the sizes of a
unit's incoming weights and F their number,

.. math::
    z' - z = \sum w' (h' - h) + \sum (w' - w) h + (b' - b), \qquad
    |z|, |z'| \le (A + F r) B + \max |b| + r =: Z, \qquad |z' - z| \le (A + F r) d + r (F B + 1) =: e,

so the layer's units have ``B = sup |sigma|`` and ``d = e sup |sigma'|`` over ``[-Z, Z]`` (mean value theorem). In every
other network by evaluation in balls, see `verifier.landscape.box`. A margin changes by

.. math:: m' - m = \sum_j (h'_j - h_j)(V_{jy} - V_{jk}) + \sum_j h'_j (V'_{jy} - V_{jy} - V'_{jk} + V_{jk}),

at most ``sum_j d_j |V_jy - V_jk| + 2 r B_j``; where that is below gamma, margins of at least gamma stay positive. An
output bias is one more feature, with B = 1 and d = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, fmpz

from verifier.balls.arguments import given_weights
from verifier.balls.binary64.bounds import upper
from verifier.balls.exact import Dyadic, ExactArray, at_least
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down
from verifier.display import Card, Decided, Shown
from verifier.landscape.activation_bounds import BITS, CHECKED, TINY, activation_bounds, global_lipschitz
from verifier.landscape.box import largest_of, largest_radius, radius_of_margins, radius_of_rank
from verifier.network.arguments import given_inputs, given_parameters
from verifier.network.network import Array, Network
from verifier.rank.right_inverse import SLACK
from verifier.verdict import Verdict

GRAM_SIZE = 400
"""Up to this many columns the norm of ``[X 1]`` comes from a power of its Gram matrix."""


@dataclass(frozen=True, slots=True, repr=False)
class BallResult(Decided, Shown):
    """Z2: the radius of the ball around (U, V) when PROVED, with what is needed to state it."""

    verdict: Verdict
    reason: str
    weights: ExactArray
    gamma: Dyadic
    precision: int
    radius: Dyadic | None = None

    def _card(self) -> Card:
        values = () if self.radius is None else (("radius", at_least(self.radius)),)
        return Card("Zero training error in a ball (Z2)", str(self.verdict), self.reason, values)


def certified_ball(
    network: Network, u: Array, inputs: Array, weights: ExactArray, gamma: Dyadic, *, precision: int = BITS
) -> BallResult:
    """Find a radius r such that all (U', V') within r of (U, V), each number, classify every sample correctly.

    Parameters
    ----------
    network, u, inputs
        The network, its hidden parameters ``(p,)`` and the samples ``(N, d)``.
    weights, gamma
        V ``(M, m)`` and its certified margin: a PROVED Z1.
    precision
        That of the Z1, for the certificate.

    Returns
    -------
    BallResult
        Guarantee: ``PROVED`` implies, if every margin of V at U is at least gamma > 0, that every margin of V' at U'
        is positive. Source: the module's recursion, where only ``max |x|``, norms of the weights and gamma enter, or
        balls.

    Raises
    ------
    DataError, NetworkError
        If an array does not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> u, inputs = np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2)
    >>> zero = vf.prove_zero_loss(vf.FeatureEnclosure(network, u, inputs, 64), [0, 1], 2)
    >>> vf.at_least(vf.certified_ball(network, u, inputs, zero.weights, zero.gamma).radius)
    '0.0625'
    """
    u, inputs = given_parameters(network, u), given_inputs(network, inputs)
    weights, gamma = given_weights(network.skip_count, weights, "weights"), Dyadic.of(gamma, "gamma")
    if follows_layers(network):
        scalars = _Scalars(network, u, inputs, weights)
        radius = largest_radius(lambda r: _below(scalars.margin_change(r), gamma))
    else:
        radius = radius_of_margins(network, u, inputs, weights, gamma, precision)
    if radius is None:
        reason = "no radius found: too many samples for this network, or huge weights or pre-activations"
        return BallResult(Verdict.UNDECIDED, reason, weights, gamma, precision)
    reason = (
        f"margins of at least {at_least(gamma)} stay positive for all weights within {at_least(radius)} "
        "of U and V, each number"
    )
    return BallResult(Verdict.PROVED, reason, weights, gamma, precision, radius)


def certified_rank_ball(network: Network, u: Array, inputs: Array, sigma_lower: Dyadic) -> Dyadic | None:
    """Find a radius r such that every U' within r of U, each number, has a feature matrix of full row rank.

    Parameters
    ----------
    network, u, inputs
        The network, its hidden parameters ``(p,)`` and the samples ``(N, d)``.
    sigma_lower
        A proved lower bound of ``sigma_N(Psi(U))``.

    Returns
    -------
    Dyadic or None
        Guarantee: rank Psi(U') = N for all U' with ``|U'_k - U_k| <= r``. By the module's recursion the columns of
        layer l change by at most d_l in each entry, so ``||Psi' - Psi||_F^2 <= N sum_l M_l d_l^2 < sigma_N^2``, and by
        Weyl's inequality ``sigma_N(Psi') > 0``; the same with the sum of squares that balls give. None if no radius
        was found.
    """
    u, inputs = given_parameters(network, u), given_inputs(network, inputs)
    sigma_lower = Dyadic.of(sigma_lower, "sigma_lower")
    if not follows_layers(network):
        return radius_of_rank(network, u, inputs, sigma_lower)
    scalars = _Scalars(network, u, inputs, None)
    return largest_radius(lambda r: _below(scalars.feature_change(r, len(inputs)), sigma_lower))


def follows_layers(network: Network) -> bool:
    """Whether the recursion over layers applies: a layered network, its activations proved to be real analytic.

    Guarantee: true only if both are proved.
    """
    if network.layered is None:
        return False
    found = [layer.activation for layer in network.layers if layer.activation is not None]
    return all(sigma.facts.real_analytic.holds for sigma in found)


def _below(change: arb | None, bound: Dyadic) -> bool:
    return change is not None and bool(change < bound.arb())


@dataclass(frozen=True, slots=True)
class _Weights:
    """Upper bounds of one layer's parameters: A, F and the largest bias."""

    size: float
    fan: int
    bias: float


class _Scalars:
    """What the recursion needs of network, data and V; each an upper bound."""

    def __init__(self, network: Network, u: Array, inputs: Array, weights: ExactArray | None) -> None:
        self.network = network
        self.input_size = float(np.abs(inputs).max())
        views = network.layer_views(u)
        self.layers: list[_Weights | None] = []
        for index, layer in enumerate(network.layers):
            if layer.activation is None:
                self.layers.append(None)
                continue
            weight, bias = views[f"layer{index}.weight"], views[f"layer{index}.bias"]
            rows = np.abs(weight).reshape(weight.shape[0], -1)
            size = float(upper(rows.sum(axis=1).max(), rows.shape[1]))
            self.layers.append(_Weights(size, rows.shape[1], float(np.abs(bias).max())))
        self.pairs: dict[int, list[int]] = {}
        if weights is None:
            return
        numerators, exponent = weights.integers()
        table = np.array(numerators, dtype=object).reshape(weights.shape)
        # pairs[l][p] = sum over the skip units of layer l of |V_jy - V_jk|, for the pair p = (y, k)
        self.exponent, column = exponent, 0
        first, second = np.triu_indices(weights.shape[1], 1)
        for index, units in network.skip_units:
            part = table[column : column + len(units)]
            self.pairs[index] = [int(np.abs(part[:, y] - part[:, k]).sum()) for y, k in zip(first, second, strict=True)]
            column += len(units)

    def margin_change(self, radius: arb) -> arb | None:
        """Bound the change of any margin in the ball; None if there is no bound."""
        spread = self.spread(radius)
        if spread is None:
            return None
        sizes, changes = spread
        shift, moved = arb(0), arb(0)
        for index, units in self.network.skip_units:
            shift += 2 * radius * len(units) * sizes[index]
        if self.network.output_bias:
            shift += 2 * radius
        scale = arb((fmpz(1), fmpz(self.exponent)))
        for sums in zip(*self.pairs.values(), strict=True):
            change = arb(0)
            for index, total in zip(self.pairs, sums, strict=True):
                change += changes[index] * total * scale
            moved = moved.max(change)
        return (moved + shift) * (1 + SLACK)

    def feature_change(self, radius: arb, samples: int) -> arb | None:
        """Bound the Frobenius norm of the change of Psi in the ball; None if there is no bound."""
        spread = self.spread(radius)
        if spread is None:
            return None
        squares = arb(0)
        for index, units in self.network.skip_units:
            squares += len(units) * spread[1][index] * spread[1][index]
        return (samples * squares).upper().sqrt() * (1 + SLACK)

    def spread(self, radius: arb) -> tuple[list[arb], list[arb]] | None:
        """Give B and d of every layer; None if an activation has no bound on its range."""
        sizes: list[arb] = []
        changes: list[arb] = []
        for index, (layer, weights) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            sources = self.network.sources[index]
            size = largest_of([arb(self.input_size) if s == "input" else sizes[int(s)] for s in sources])
            change = largest_of([arb(0) if s == "input" else changes[int(s)] for s in sources])
            if layer.activation is not None and weights is not None:
                total = weights.size + weights.fan * radius
                bounds = activation_bounds(layer.activation, total * size + weights.bias + radius)
                if bounds is None:
                    return None
                change = (CHECKED * bounds[1].arb() + TINY) * (total * change + radius * (weights.fan * size + 1))
                size = CHECKED * bounds[0].arb() + TINY
            sizes.append(size)
            changes.append(change)
        return sizes, changes


def full_rank_radius(network: Network, inputs: Array, sigma_lower: Dyadic) -> Dyadic | None:
    r"""Radius of a ball of hidden weights and biases, all of which have full row rank, for one hidden dense layer.

    Parameters
    ----------
    network, inputs
        One dense layer that reads the input, all of whose units are skip units, and perhaps an output bias, which does
        not move; samples ``(N, d)``.
    sigma_lower
        A proved lower bound of ``sigma_N(Psi(U)) > 0``.

    Returns
    -------
    Dyadic or None
        Guarantee: every ``(W', b')`` with ``||(W', b') - (W, b)||_F <= radius`` has ``rank Psi = N``. None if the
        network is not of this form or sigma' has no known bound on all of R.

    Raises
    ------
    DataError, NetworkError
        If the samples do not fit the network.

    Notes
    -----
    ``||Psi' - Psi||_F <= Lip ||[X 1] [dW db]^T||_F <= Lip ||[X 1]||_2 ||(dW, db)||_F < sigma_N``, and by Weyl's
    inequality ``sigma_N(Psi') > 0``.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> vf.at_least(vf.full_rank_radius(network, np.eye(2), vf.Dyadic(1, -1)))
    '0.2886'
    """
    inputs, sigma_lower = given_inputs(network, inputs), Dyadic.of(sigma_lower, "sigma_lower")
    if network.layered is None or sigma_lower.mantissa <= 0:
        return None
    (layer, *others) = network.layers
    sigma = layer.activation
    if others or not layer.dense or sigma is None or network.skip_count != layer.rows + network.output_bias:
        return None
    lipschitz = global_lipschitz(sigma)
    if lipschitz is None:
        return None
    with working_precision(BITS):
        radius = sigma_lower.arb() * (1 - SLACK) / (lipschitz.arb() * augmented_norm(inputs))
        return round_down(radius) if radius > 0 else None


def augmented_norm(inputs: Array) -> arb:
    """Bound ``||[X 1]||_2``, exact numbers in.

    Guarantee: the result's upper end is at least the norm. Source: with the Gram matrix S of the shorter side,
    ``||[X 1]||_2^8 = ||S^4||_2 <= ||S^4||_F``; for large ones the Frobenius norm or ``sqrt(||.||_1 ||.||_inf)``.

    Parameters
    ----------
    inputs : ndarray of shape (N, d)
        X, exact.

    Returns
    -------
    arb
        The bound.
    """
    matrix = np.hstack([inputs, np.ones((len(inputs), 1))])
    sizes = np.abs(matrix)
    if min(matrix.shape) > GRAM_SIZE:
        frobenius = arb(float(upper(np.sqrt((sizes * sizes).sum()), matrix.size)))
        mixed = arb(float(upper(sizes.sum(axis=0).max(), len(sizes)))) * arb(
            float(upper(sizes.sum(axis=1).max(), sizes.shape[1]))
        )
        return frobenius.min(mixed.sqrt())
    rows = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    with working_precision(2 * BITS):
        short = arb_mat(rows.shape[0], rows.shape[1], rows.ravel().tolist())
        power = short * short.transpose()
        power = power * power
        power = power * power
        return sum((entry * entry for entry in power.entries()), arb(0)).root(16)
