r"""J3: every target on N > M samples is attained exactly, by a point where the logits are 0 by structure (THEORY2 J3).

The skip units of a dense layer of width q below are put into groups of m + 1. The units of a group have equal weights
and biases w, b, drawn at random; the rows of V are the unit vectors e_1, .., e_m and -(1, .., 1): they add up to 0, so
that the logits are 0 whatever the samples are. All other rows of V are 0. With s the layer's source and z = <w, s> + b,
the derivatives of logit k by the weights and bias of a group's unit k, and by the k-th entry of V at its first one, are

.. math:: \sigma'(z) s_1, .., \sigma'(z) s_q, \sigma'(z), \sigma(z), \qquad k = 1, .., m,

and 0 for the other logits; those by the entries of V at any other column of Psi are that column. So J has the rank m N
if the N rows of these numbers, A, are independent: the same A for every m. Counting columns,

.. math:: N \le \Gamma (q + 2) + (M - \Gamma (m + 1)), \qquad \Gamma = \lfloor M_{layer} / (m + 1) \rfloor,

is needed (M counts the output bias), and this N m is at most the number of parameters. Then J is onto, so that the
logits run through a neighbourhood of 0, and ``G(U, t V) = t G(U, V)`` through everything.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.exact import ExactArray, at_most
from verifier.balls.jacobian import Parameters, enclose_jacobian
from verifier.display import Brief, Decided
from verifier.errors import one_line
from verifier.network.differentiable import NotSmooth
from verifier.network.forward import approx_nodes
from verifier.network.initialise import initialise, portable_gaussian
from verifier.network.network import Array, Network
from verifier.network.units import DenseUnits, dense_units
from verifier.rank.almost_every_data import jointly_analytic
from verifier.rank.jacobian_rank import ROOM, JacobianInverse, approx_inverse, residual_bound
from verifier.verdict import Verdict

SAMPLE_STREAM, UNIT_STREAM = 1_000_039, 1_000_081
"""Streams of random numbers that no layer and no output has."""
SPREADS = (1.5, 4.0)
"""Standard deviations of the pre-activations that are tried, for one group; they grow with the number of groups."""
SEEDS = 2
"""Points that are drawn for each spread."""
ROOM_FOR_COLUMNS = 1.25
"""How many more columns than rows the matrix A gets where there are enough."""
MOST_ROWS, MOST_GIVEN = 2000, 600
"""The largest N that is tried, if the samples are drawn and if they are given; the latter takes a few seconds."""
MOST_CERTIFIED = 2500
"""The largest N m for which B is made for all outputs: it has as many rows as columns, or more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A dense layer of skip units, in how many groups of ``outputs + 1`` they are put, and what that is enough for."""

    layer: DenseUnits
    width: int
    groups: int
    outputs: int
    columns: int

    @property
    def reach(self) -> int:
        """The number of columns of A: no more samples can be memorised in this way."""
        return self.groups * (self.width + 2) + self.columns - self.groups * (self.outputs + 1)


@dataclass(frozen=True, eq=False, repr=False)
class Memorisation(Decided, Brief):
    """Whether every target on N samples is attained exactly, and why.

    If PROVED, theta0 is ``where``, with V of shape ``(M, m)``, and ``found`` a right inverse of the Jacobian there, or
    None if N m is so large that no certificate holds it. ``x`` are the samples, ``(N, d)``. ``everywhere`` says that it
    holds for almost every data set of N samples.
    """

    verdict: Verdict
    reason: str
    where: Parameters | None = None
    found: JacobianInverse | None = None
    x: Array | None = None
    everywhere: bool = False
    applies: bool = True


def best_plan(network: Network, outputs: int, samples: int = 0) -> Plan | None:
    """The dense layer of skip units by which most samples can be memorised; None if there is no such layer.

    Parameters
    ----------
    network
        Any network.
    outputs
        m, the number of logits.
    samples
        N: no more groups are made than it takes, with some room; 0: as many as there can be.
    """
    plans = []
    for layer in dense_units(network).values():
        most, width = len(layer.skip) // (outputs + 1), sum(math.prod(network.node_shapes[i]) for i in layer.sources)
        gain = width + 1 - outputs
        if most and gain > 0:
            wanted = math.ceil((ROOM_FOR_COLUMNS * samples - network.columns) / gain)
            groups = min(most, max(1, wanted)) if samples else most
            plans.append(Plan(layer, width, groups, outputs, network.columns))
    return max(plans, key=lambda plan: plan.reach, default=None)


def most_samples(network: Network, outputs: int) -> int:
    """The largest N for which J3 can be proved in this way: it needs as many columns of A.

    Parameters
    ----------
    network
        Any network.
    outputs
        m.

    Returns
    -------
    int
        ``G (q + 2) + M - G (m + 1)``, G the number of groups of m + 1 skip units of a dense layer that reads q
        numbers; M if there is no such layer, or nothing gained.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.rank.memorisation import most_samples
    >>> most_samples(vf.Network(30, vf.Dense(8, "tanh", skip=True)), 1)
    128
    """
    plan = best_plan(network, outputs)
    return network.columns if plan is None else max(plan.reach, network.columns)


def prove_memorisation(
    network: Network, x: Array | None, outputs: int, *, samples: int = 0, seed: int = 0
) -> Memorisation:
    """Prove J3 on samples, or on random ones if none are given.

    Parameters
    ----------
    network : Network
        Any network; frozen parameters keep their numbers.
    x : ndarray of shape (N, d) or None
        Distinct samples; None: ``samples`` random ones are drawn.
    outputs : int
        m >= 1.
    samples : int, optional
        N, if x is None.
    seed : int, optional
        Of everything that is drawn.

    Returns
    -------
    Memorisation
        Guarantee: ``PROVED`` implies that for EVERY T in R^(N x m) some (U, V) has G(U, V) = T on these samples; if
        ``everywhere``, the same for almost every data set of N samples or fewer. ``UNDECIDED`` says nothing. Source:
        THEORY2 J3.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.rank.memorisation import prove_memorisation
    >>> found = prove_memorisation(vf.Network(3, vf.Dense(4, "tanh", skip=True)), None, 1, samples=10)
    >>> found.verdict, found.everywhere, len(found.found.columns)
    (<Verdict.PROVED: 'PROVED'>, True, 10)
    """
    count = samples if x is None else len(x)
    obstacle = _in_the_way(network, count, outputs)
    if obstacle:
        return Memorisation(Verdict.UNDECIDED, obstacle, applies=False)
    most = MOST_ROWS if x is None else MOST_GIVEN
    if count > most:
        words = f"N = {count} is more than {most}, the most that is tried"
        words += "" if x is None else "; vf.architecture(network, samples=N) may prove it for almost every data set"
        return Memorisation(Verdict.UNDECIDED, words)
    smooth, words = jointly_analytic(network)
    if x is None:
        if not smooth:
            return Memorisation(Verdict.UNDECIDED, words, applies=False)
        draws = portable_gaussian(seed, (SAMPLE_STREAM,), count * network.dimension)
        x = draws.reshape(count, network.dimension)
    elif len(np.unique(x, axis=0)) < count:
        words = "equal samples are kept, and they have equal logits, whatever the targets are"
        return Memorisation(Verdict.UNDECIDED, words, applies=False)
    plan = best_plan(network, outputs, count)
    reason = ""
    for trial, spread in itertools.product(range(seed, seed + SEEDS), SPREADS):
        if plan is None:
            break
        u, entries = _point(network, x, plan, trial, spread)
        try:
            found = _certified(network, u, x, plan, entries)
        except (NotSmooth, NotEnclosed) as error:
            reason = one_line(str(error))
            continue
        if isinstance(found, str):
            reason = found
            continue
        whole = _for_outputs(network, plan, entries, found) if count * outputs <= MOST_CERTIFIED else None
        reason = (
            f"{plan.groups} groups of {outputs + 1} equal units of a dense layer, whose rows of V add up to 0: "
            f"there the logits are 0 and their Jacobian has full row rank N m = {count * outputs}, ||I - J B||_inf <= "
            f"{at_most(found.bound, below=1)}"
        )
        where = Parameters.at(u, _weights(plan, entries, outputs))
        return Memorisation(Verdict.PROVED, reason, where, whole, x, smooth)
    return Memorisation(Verdict.UNDECIDED, f"no point of equal units was certified to have a Jacobian onto: {reason}")


def _in_the_way(network: Network, samples: int, outputs: int) -> str:
    """Why J3 says nothing, or nothing new; "" if it may."""
    if network.columns >= samples:
        return f"M = {network.columns} >= N = {samples}: full row rank of Psi gives every target (L3.2, D, A)"
    most = most_samples(network, outputs)
    if most >= samples:
        return ""
    plan = best_plan(network, outputs)
    if plan is None:
        return (
            f"needs a dense layer with {outputs + 1} skip units or more, weights and biases of their own, that reads "
            f"at least {outputs} numbers"
        )
    return f"N = {samples} is more than {most}, the most that {network.size_words} can be proved to memorise (J3)"


@dataclass(frozen=True, slots=True)
class _Entries:
    """What the columns of A are derivatives by: weights and biases of groups, and rows of V."""

    units: NDArray[np.int64]
    """The units of each group, ``(G, m + 1)``."""
    rows: NDArray[np.int64]
    """Their columns of Psi, ``(G, m + 1)``."""
    others: NDArray[np.int64]
    """Columns of Psi that are in no group."""


def _columns_of(network: Network, node: int) -> dict[int, int]:
    """The first column of Psi that shows each entry of a node, by the entry."""
    found: dict[int, int] = {}
    start = 0
    for feature in network.features:
        entries = feature.entries or range(math.prod(network.node_shapes[feature.node]))
        for place, entry in enumerate(entries, start):
            if feature.node == node:
                found.setdefault(entry, place)
        start += len(entries)
    return found


def _point(network: Network, x: Array, plan: Plan, seed: int, spread: float) -> tuple[Array, _Entries]:
    """U with equal units in every group, their pre-activations of about this size on the samples; and the groups."""
    layer, size = plan.layer, plan.outputs + 1
    column = _columns_of(network, layer.node)
    units = np.array(sorted(column)[: plan.groups * size], dtype=np.int64).reshape(plan.groups, size)
    rows = np.array([[column[unit] for unit in group] for group in units.tolist()], dtype=np.int64)
    others = np.setdiff1d(np.arange(plan.columns), rows)
    u = initialise(network, seed=seed, fan_in=True)
    values = approx_nodes(network, u, x, layer.sources)
    source = np.concatenate(
        [np.broadcast_to(v, (len(x), *v.shape[1:])).reshape(len(x), -1) for v in values.values()], 1
    )
    middle, scale = source.mean(axis=0), float(source.std()) or 1.0
    wide = spread * plan.groups ** (1.0 / plan.width)
    draws = portable_gaussian(seed, (UNIT_STREAM,), layer.width * (plan.width + 1)).reshape(layer.width, -1)
    weight, bias = network.view(u, layer.weight), network.view(u, layer.bias)
    weight[...] = draws[:, :-1] * (wide / (scale * math.sqrt(plan.width)))
    bias[...] = draws[:, -1] * wide - weight @ middle
    for group in units:
        weight[group[1:]], bias[group[1:]] = weight[group[0]], bias[group[0]]
    return u, _Entries(units, rows, others)


def _numbers(network: Network, plan: Plan, entries: _Entries, outputs: int) -> NDArray[np.int64]:
    """The parameters by which A's columns are the derivatives of logit k: an array (columns of A, outputs)."""
    views = {view.name: view for view in network.parameters}
    weight, bias = views[plan.layer.weight].offset, views[plan.layer.bias].offset
    parts = []
    for k in range(outputs):
        units = entries.units[:, k]
        of_weights = (weight + units[:, None] * plan.width + np.arange(plan.width)).ravel()
        of_v = network.parameter_count + np.concatenate([entries.rows[:, 0], entries.others]) * outputs + k
        parts.append(np.concatenate([of_weights, bias + units, of_v]))
    return np.stack(parts, axis=1)


def _weights(plan: Plan, entries: _Entries, outputs: int) -> Array:
    """V: unit vectors for the first units of every group, -1 for the one after them; 0 else."""
    v = np.zeros((plan.columns, outputs))
    for k in range(outputs):
        v[entries.rows[:, k], k] = 1.0
        v[entries.rows[:, outputs], k] = -1.0
    return v


def _certified(network: Network, u: Array, x: Array, plan: Plan, entries: _Entries) -> JacobianInverse | str:
    """N columns of A, as they are numbered in `_numbers`, and their inverse; or why there is none.

    A is the Jacobian of one logit at the same units, two of every group used.
    """
    numbers = _numbers(network, plan, entries, 1)[:, 0]
    order = np.argsort(numbers)
    where, backend = Parameters.at(u, _weights(plan, entries, 1)), numpy_backend()
    every = enclose_jacobian(network, where, x, numbers[order], backend)
    kept = np.sort(linalg.qr(every.middles, mode="r", pivoting=True)[1][: len(x)])  # those that are most independent
    jacobian = replace(every, middles=every.middles[:, kept].copy(), radii=every.radii[:, kept].copy())
    found = approx_inverse(jacobian.middles)
    if found is None:
        return "it is numerically of smaller rank"
    bound = residual_bound(jacobian, found.inverse, backend)
    if not bound < ROOM:
        return f"||I - J B||_inf is only bounded by {at_most(bound)}"
    return JacobianInverse(order[kept], found.inverse, found.exact, bound)


def _for_outputs(network: Network, plan: Plan, entries: _Entries, found: JacobianInverse) -> JacobianInverse:
    """The right inverse for all outputs: one copy of that of A for each of them, of the same norm."""
    outputs = plan.outputs
    numbers = _numbers(network, plan, entries, outputs)[found.columns].ravel()  # the a-th column for logit k: a m + k
    order = np.argsort(numbers)

    def whole(values: NDArray[Any]) -> NDArray[Any]:
        width, rows = values.shape
        copies = np.zeros((width, outputs, rows, outputs), dtype=values.dtype)
        for k in range(outputs):
            copies[:, k, :, k] = values
        return copies.reshape(width * outputs, rows * outputs)[order]

    terms = tuple((whole(values), power) for values, power in found.exact.terms)
    exact = ExactArray(terms[0][0].shape, terms)
    return JacobianInverse(numbers[order], whole(found.inverse), exact, found.bound)
