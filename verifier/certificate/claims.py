"""Claims made from proofs: each function takes a proof, stores its arrays, and returns what a certificate states of it.

A number is stated as it was proved, an exact dyadic; an inequality holds for what is stated, not for something near it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.jacobian import Parameters
from verifier.certificate.arrays import ArrayStore
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.gradient_descent import DescentResult
from verifier.landscape.inseparable import Inseparable
from verifier.landscape.loss_bound import LossBound
from verifier.landscape.loss_path import LossPathResult
from verifier.landscape.minimum import Minimum
from verifier.landscape.neighbourhood import BallResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.pointwise import CurvatureResult, GradientResult
from verifier.landscape.weight_decay import WeightDecay
from verifier.network.network import Array, Network
from verifier.rank.jacobian_rank import JacobianInverse
from verifier.rank.memorisation import Memorisation
from verifier.rank.right_inverse import RankBound, RightInverse
from verifier.rank.witness import WitnessResult
from verifier.statements.claims.claim import Claim, Interval, MovedParameter, Number
from verifier.statements.claims.descent import GDV
from verifier.statements.claims.full_rank import R1, R3
from verifier.statements.claims.jacobian import J1, J2, J3
from verifier.statements.claims.losses import TC3, LossName
from verifier.statements.claims.minimum import BM, Better
from verifier.statements.claims.paths import E1, E2, E3, P1, E4Path, SPath, Target
from verifier.statements.claims.pointwise import C1, C3
from verifier.statements.claims.weight_decay import WD
from verifier.statements.claims.witness import W1, W2, Block, ChainUnit
from verifier.statements.claims.zero_error import MAX_FACTOR_DIGITS, MAX_MULTIPLIERS, Z0, Z2, Z0Loss
from verifier.statements.theorem import Theorem

JACOBIAN_BITS = 128
"""Precision of a checker's Jacobian: more than binary64's, so that its enclosures are narrower."""


def full_rank(
    arrays: ArrayStore,
    label: str,
    precision: int,
    witness: RightInverse,
    bound: RankBound,
    samples: int,
    name: str = "rank",
) -> Claim:
    """R1 or R3: a right inverse of Psi and its bounds."""
    columns = None if witness.columns is None else arrays.integers(f"{name}.columns", witness.columns)
    return (R1 if label == "R1" else R3)(
        precision=precision,
        rank=samples,
        columns=columns,
        feature_bits=witness.feature_bits,
        right_inverse=arrays.exact(f"{name}.right_inverse", witness.matrix),
        norm_products=witness.norm_products,
        alpha=Number.of(bound.alpha),
        sigma_lower=Number.of(bound.sigma_lower),
    )


def no_zero_error(excluded: Inseparable) -> Z0 | None:
    """Z0: a relation between rational features; None if the format does not hold it."""
    if not excluded.checkable or len(excluded.multipliers) > MAX_MULTIPLIERS:
        return None
    factors = [factor for _, _, factor in excluded.multipliers if isinstance(factor, int)]
    if max(factors) >= 10**MAX_FACTOR_DIGITS:
        return None
    return Z0(
        samples=tuple(sample for sample, _, _ in excluded.multipliers),
        against=tuple(other for _, other, _ in excluded.multipliers),
        factors=tuple(map(str, factors)),
    )


def loss_bound(arrays: ArrayStore, found: LossBound) -> Z0Loss:
    """Z0.loss: a lower bound of the loss over all output weights."""
    counts = found.label_counts
    return Z0Loss(
        precision=found.precision,
        label_counts=None if counts is None else arrays.integers("bound.counts", counts.ravel()),
        output_weights=arrays.exact("bound.weights", found.weights),
        support=arrays.integers("bound.support", found.support.ravel()),
        equal=found.equal,
        loss_lower=Number.of(found.lower),
    )


def path_from_start(arrays: ArrayStore, path: LossPath) -> P1:
    """The claim P1: the segment from V0 and the ray along V1."""
    return P1(**_segment_and_ray(arrays, path, path.start_weights))


def path_after_escape(arrays: ArrayStore, network: Network, escape: Escape) -> Claim:
    """E1, E2, E3, E4.path or S.path: a piece that leaves the start, and the path of P1.

    Parameters
    ----------
    arrays
        Where weights are stored.
    network
        The network.
    escape
        The piece; what it has (end weights, epsilon, a right inverse) says which of them it is.
    """
    path = _segment_and_ray(arrays, escape.tail, escape.start_weights)
    path["moved"] = point(arrays, "moved", network, escape.end_u, escape.start_u)
    if escape.end_weights is not None:
        weights = arrays.exact("output.moved", escape.end_weights)
        return E1(pieces=escape.pieces, moved_weights=weights, **path)
    if escape.epsilon is not None:
        return E3(pieces=escape.pieces, epsilon=Number.of(escape.epsilon), **path)
    if escape.right_inverse is not None:
        inverse = arrays.exact("escape.right_inverse", escape.right_inverse)
        return E4Path(pieces=escape.pieces, right_inverse=inverse, **path)
    if escape.label == "S.path":
        return SPath(**path)
    via = escape.rerouted
    return E2(rerouted=None if via is None else point(arrays, "rerouted", network, via, escape.start_u), **path)


def _segment_and_ray(arrays: ArrayStore, path: LossPath, start_weights: ExactArray) -> dict[str, Any]:
    """The fields that the claims of all paths have."""
    return {
        "precision": path.precision,
        "start_weights": arrays.exact("output.start", start_weights),
        "end_weights": arrays.exact("output.end", path.end_weights),
        "gamma": Number.of(path.gamma),
        "kappa": Number.of(path.kappa),
        "start_loss": Interval.of(path.start_loss),
        "zero_error_t": Number.of(path.zero_error_t),
        "targets": tuple(Target(Number.of(target.loss), Number.of(target.t)) for target in path.targets),
    }


def point(arrays: ArrayStore, name: str, network: Network, u: Array, start: Array) -> tuple[MovedParameter, ...]:
    """The free parameters in which U is not as at the start, by node."""
    entries = []
    for view in network.parameters:
        values = view.of(u)
        if not np.array_equal(values, view.of(start)):
            entries.append(MovedParameter(view.node, arrays.parameter(f"{name}.{view.name}", values)))
    return tuple(entries)


def ball(arrays: ArrayStore, name: str, result: BallResult, radius: Dyadic) -> Z2:
    """Z2: zero training error in a ball of this radius."""
    return Z2(
        precision=result.precision,
        output_weights=arrays.exact(f"{name}.weights", result.weights),
        gamma=Number.of(result.gamma),
        radius=Number.of(radius),
    )


def not_stationary(arrays: ArrayStore, name: str, result: GradientResult, lower: Dyadic) -> C1:
    """The claim C1: a lower bound of the gradient's norm."""
    return C1(
        precision=result.precision,
        start_weights=arrays.exact(f"{name}.weights", result.start_weights),
        gradient_lower=Number.of(lower),
    )


def no_maximum(arrays: ArrayStore, name: str, result: CurvatureResult, lower: Dyadic) -> C3:
    """C3: a lower bound of one second derivative."""
    return C3(
        precision=result.precision,
        start_weights=arrays.exact(f"{name}.weights", result.start_weights),
        unit=result.unit,
        output=result.output,
        curvature_lower=Number.of(lower),
    )


def gradient_descent(arrays: ArrayStore, name: str, result: DescentResult) -> GDV | None:
    """GDV: a number of steps of gradient descent; None if it was not proved."""
    goal, smoothness, loss, steps = result.goal, result.smoothness, result.loss_upper, result.steps
    if goal is None or smoothness is None or loss is None or steps is None:
        return None
    return GDV(
        precision=result.precision,
        start_weights=arrays.exact(f"{name}.start", result.start_weights),
        end_weights=arrays.exact(f"{name}.goal", goal),
        smoothness=Number.of(smoothness),
        feature_bits=result.feature_bits,
        loss=Number.of(loss),
        steps=steps,
    )


def weight_decay(
    arrays: ArrayStore, result: WeightDecay, moved: tuple[MovedParameter, ...], v: Array, value: Dyadic
) -> WD:
    """WD: the point that is lower than the origin; None for a U that is the stored one."""
    return WD(
        precision=result.precision,
        weight_decay=Number.of(result.decay),
        moved=moved or None,
        moved_weights=arrays.exact("decay.weights", ExactArray.of_floats(v)),
        value=Number.of(value),
    )


def strict_minimum(arrays: ArrayStore, result: Minimum, there: tuple[MovedParameter, ...]) -> BM:
    """BM: a strict local minimum; ``there`` are the parameters of the better point that are not as at the minimum."""
    counts, better = result.label_counts, result.better
    if better is not None:
        weights = arrays.exact("better.weights", ExactArray.of_floats(better.v))
    return BM(
        precision=result.precision,
        label_counts=None if counts is None else arrays.integers("minimum.counts", counts.ravel()),
        weights=arrays.exact("minimum.weights", ExactArray.of_floats(result.v)),
        radius=Number.of(result.radius),
        curvature=Number.of(result.curvature),
        gradient=Number.of(result.gradient),
        value=Interval.of(result.value),
        better=None if better is None else Better(point=there or None, weights=weights, loss=Number.of(better.loss)),
    )


def loss_path(arrays: ArrayStore, name: str, result: LossPathResult) -> TC3 | None:
    """TC.3: a segment that is certified; None if none is."""
    bounds, low = result.infimum, result.start_loss
    if result.end_weights is None or result.end_loss is None or bounds is None or low is None:
        return None
    weights, counts = result.class_weights, result.label_counts
    return TC3(
        precision=result.precision,
        loss=cast(LossName, result.loss),
        class_weights=None if weights is None else tuple(map(Number.of, weights)),
        label_counts=None if counts is None else arrays.integers(f"{name}.counts", counts.ravel()),
        start_weights=arrays.exact(f"{name}.start", result.start_weights),
        end_weights=arrays.exact(f"{name}.end", result.end_weights),
        start_loss=Interval.of(low),
        end_loss=Number.of(result.end_loss),
        infimum=Interval.of(bounds),
        gamma=None if result.gamma is None else Number.of(result.gamma),
    )


def of_the_jacobian(
    arrays: ArrayStore, network: Network, theorem: Theorem, u: Array | None
) -> Iterator[tuple[Claim, ExactArray]]:
    """J1, J2 and J3 where they were proved, each with its right inverse: full row rank, an interpolant, all targets."""
    if u is None:
        return
    if theorem.memorisation is not None:
        yield from memorisation(arrays, network, theorem.memorisation, u)
    rank, near = theorem.jacobian_rank, theorem.interpolant
    if rank is not None and rank.found is not None:
        fields = _of_jacobian(arrays, "jacobian", network, rank.where, rank.found, u)
        yield J1(reduced=rank.reduced, everywhere=theorem.jacobian_everywhere, **fields), rank.found.exact
    if near is None or near.found is None or near.where is None or near.start is None:
        return
    if near.rho is not None and near.distance is not None:
        start = arrays.exact("interpolant.start", ExactArray.of_floats(near.start.v))
        fields = _of_jacobian(arrays, "interpolant", network, near.where, near.found, u)
        rho, distance = Number.of(near.rho), Number.of(near.distance)
        yield J2(start_weights=start, rho=rho, distance=distance, **fields), near.found.exact


def memorisation(
    arrays: ArrayStore, network: Network, result: Memorisation, u: Array | None
) -> Iterator[tuple[Claim, ExactArray]]:
    """J3 if it was proved: a point of equal units, and a right inverse of the Jacobian there.

    Parameters
    ----------
    arrays : ArrayStore
        Takes in the claim's arrays.
    network : Network
        The network.
    result : Memorisation
        What was found.
    u : ndarray of shape (p,) or None
        The stored hidden parameters, which the claim's differ from; None: no claim is made.

    Returns
    -------
    iterator of (J3, ExactArray)
        The claim and the right inverse, or nothing.
    """
    if u is not None and result.where is not None and result.found is not None:
        fields = _of_jacobian(arrays, "memorisation", network, result.where, result.found, u)
        yield J3(almost_every_data=result.everywhere, **fields), result.found.exact


def _of_jacobian(
    arrays: ArrayStore, name: str, network: Network, where: Parameters, found: JacobianInverse, start: Array
) -> dict[str, Any]:
    """The fields that the claims of the Jacobian have: a point and a right inverse there."""
    return {
        "precision": JACOBIAN_BITS,
        "point": point(arrays, name, network, where.u, start) or None,
        "weights": arrays.exact(f"{name}.weights", ExactArray.of_floats(where.v)),
        "columns": arrays.integers(f"{name}.columns", found.columns),
        "right_inverse": arrays.exact(f"{name}.right_inverse", found.exact),
    }


def explicit_witness(arrays: ArrayStore, result: WitnessResult) -> W1 | W2 | None:
    """W1 or W2: the parameters that the construction names; None if it was not proved."""
    if not result.proved or result.direction is None:
        return None
    direction = arrays.as_it_is("witness.direction", result.direction)
    chain = (ChainUnit(link.node, link.unit, Number.of(link.weight), Number.of(link.bias)) for link in result.chain)
    blocks = (
        Block(
            node=block.node,
            links=block.links,
            weight=Number.of(block.weight),
            units=arrays.integers(f"witness.units{index}", block.units),
            biases=arrays.exact(f"witness.biases{index}", block.biases),
        )
        for index, block in enumerate(result.blocks)
    )
    return (W1 if result.label == "W1" else W2)(
        precision=result.precision,
        direction=direction,
        chain=tuple(chain),
        radius=None if result.radius is None else Number.of(result.radius),
        blocks=tuple(blocks),
    )
