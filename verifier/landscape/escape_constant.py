r"""E2: leave a rank-deficient start at exactly constant loss.

Let S be the hidden units that will move, closed under sharing of weights and biases, and F the skip units that neither
move nor depend on a moved unit. If some V' that is 0 outside F has ``Psi_F V'_F = Psi(U0) V0``, then the straight way
from V0 to V' keeps every logit, and so does any motion of S afterwards: the columns of F stand still, all other rows of
V' are 0. Such a V' exists as soon as every column of Psi(U0) with a row of V0 that matters lies in the span of the
columns of F, which is decided by structure, exactly: equal units, mirrored units, constant units, zero columns. (A row
of V0 whose entries are all equal does not matter: it adds the same number to all logits of a sample.)

Where a unit that is to move feeds other hidden units, its outgoing weights are first handed to an equal unit that
stays. Along that straight way no unit changes its value, since each pre-activation is the same combination of the same
forms at both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_start import Start, descend_from
from verifier.landscape.legs import Leg, StraightLeg, ball_of, exact_midpoints
from verifier.landscape.path import Path
from verifier.network.initialise import portable_gaussian
from verifier.network.layered import NOT_LAYERED
from verifier.network.network import Array, Network
from verifier.rank.unit_forms import ONE, FormTable, UnitForm, unit_forms

MOVES = 1_000_003
"""Stream of the random numbers that a motion draws."""
CARRY_BITS = 192
"""Precision of V': far more than float64 has, so that rounding V(s) to float64 is the only rounding."""
SCALES = (1.0, 3.0, 0.3, 1.0)
"""Of the random numbers, one after the other until an end is of use."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, repr=False)
class ConstantLossMotion(Brief):
    """``rerouted`` (or None if no outgoing weight had to be handed over) and ``end``: the two further points of U.

    ``weights`` is V', shape ``(M, m)``, rounded to the precision of the first row that was given: what carries all
    logits while units move.
    """

    rerouted: Array | None
    end: Array
    moved_units: int
    weights: ExactArray


def constant_loss_motions(
    network: Network, u: Array, v: Array, inputs: Array, first_row: Sequence[arb], seed: int = 0
) -> list[ConstantLossMotion]:
    """Find motions from ``(U, V)`` to random values of all that structure allows to move, at several scales.

    Parameters
    ----------
    network, u, v, inputs
        The start, U of shape ``(p,)`` and V ``(M, m)``, and the samples ``(N, d)``.
    first_row
        Enclosures of the first row of Psi(U): they show that a constant unit is not 0.
    seed
        Of the random values.

    Returns
    -------
    list of ConstantLossMotion
        Empty if nothing can move.

    Notes
    -----
    Guarantee: for every motion the loss is constant on the whole way (U, V0) -> (U, V') -> (U', V') -> (U'', V').
    """
    table = FormTable()
    forms = unit_forms(network, u, inputs, table)
    rerouted, movable = _reroute(network, u, forms, table)
    while True:
        stays = _unaffected(network, rerouted, movable)
        with working_precision(CARRY_BITS):
            carried, missing = _carriers(network, v, forms, table, stays, first_row)
        if not missing:
            break
        if not any(movable[index][unit] for index, unit in missing):
            return []
        for index, unit in missing:
            movable[index][unit] = False
    if not any(mask.any() for mask in movable):
        return []
    first = None if np.array_equal(rerouted, u) else rerouted
    count = sum(int(mask.sum()) for mask in movable)
    with working_precision(CARRY_BITS):
        weights = _carrying(v, _skip_mask(network, stays), carried)
    ends = (_shake(network, rerouted, movable, inputs, seed, trial) for trial in range(len(SCALES)))
    return [ConstantLossMotion(first, end, count, weights) for end in ends]


def move_idle_units(start: Start) -> Escape | str:
    """Certify E2: V goes to units that stay, then the others move at constant loss; else say why not.

    Guarantee: an escape implies that the loss is constant on all of its legs, and P1 from their end. An output bias is
    a column of ones that stays.

    Parameters
    ----------
    start : Start
        Network, data and point.

    Returns
    -------
    Escape or str
        The escape, or the reason.
    """
    if start.network.layered is None:
        return f"does not apply: {NOT_LAYERED}"
    features = FeatureEnclosure(start.network, start.u, start.inputs[:1], CARRY_BITS)
    row = next(block for _, block in features.blocks()).tolist()[0]
    reason = "no unit can move without changing the logits: nothing equal, constant or zero to carry them"
    for motion in constant_loss_motions(start.network, start.u, start.v, start.inputs, row, start.seed):
        tail = descend_from(start, motion.end, motion.weights, kept=True)
        if isinstance(tail, Path):
            return Escape("E2", start.u, start.weights, tail, _legs(start, motion, tail), rerouted=motion.rerouted)
        reason = f"{motion.moved_units} units can move at constant loss, but {tail}"
    return reason


def _legs(start: Start, motion: ConstantLossMotion, tail: Path) -> tuple[Leg, ...]:
    """V goes to V', outgoing weights are handed over if they must be, then the other units move."""
    u, v, kept = start.u, motion.weights, tail.start_margins
    way = [StraightLeg("V goes to units that stay, the loss is constant (E2)", u, u, start.weights, v, kept)]
    if motion.rerouted is not None:
        way.append(
            StraightLeg("outgoing hidden weights go to equal units, no unit changes", u, motion.rerouted, v, v, kept)
        )
        u = motion.rerouted
    way.append(StraightLeg("units without output weights move, the loss is constant (E2)", u, motion.end, v, v, kept))
    return tuple(way)


def _value(unit: UnitForm) -> tuple[int, int, Fraction]:
    return (unit.form, unit.sign if unit.form >= 0 else 1, unit.offset)


def _reroute(
    network: Network, u: Array, forms: Sequence[Sequence[UnitForm]], table: FormTable
) -> tuple[Array, list[Mask]]:
    """Hand the outgoing weights of every unit that has an equal one, or is 0, to the first equal one.

    Returns the new U and, per layer, which units may move: those that nothing unmoved reads any more. Units with shared
    weights or readers that share weights stay as they are.
    """
    moved = u.copy()
    views = network.layer_views(moved)
    movable: list[Mask] = []
    for index, layer in enumerate(network.layers):
        mask = np.zeros(len(forms[index]), dtype=bool)
        if layer.dense:
            readers = _readers(network, index)
            dense = all(network.layers[r].dense for r, _ in readers)
            leaders: dict[tuple[int, int, Fraction], int] = {}
            for unit, form in enumerate(forms[index]):
                zero = form.form < 0 and form.offset == 0
                leader = leaders.setdefault(_value(form), unit)
                if dense and (zero or leader != unit):
                    mask[unit] = all(_hand_over(views[f"layer{r}.weight"], at, unit, leader, zero) for r, at in readers)
        movable.append(mask)
    _add_sinks(network, moved, forms, table, movable)
    return moved, movable


def _readers(network: Network, source: int) -> list[tuple[int, int]]:
    """Every layer that reads the layer ``source``, and where that layer's units begin among what it reads."""
    return [(reader, at) for reader in range(len(network.layers)) for at in _places(network, reader, source)]


def _places(network: Network, reader: int, source: int) -> list[int]:
    """Where the units of layer ``source`` begin among what ``reader`` reads."""
    start, found = 0, []
    for name, shape in zip(network.sources[reader], network.source_shapes(reader), strict=True):
        if name == source:
            found.append(start)
        start += int(np.prod(shape))
    return found


def _hand_over(weight: Array, at: int, unit: int, leader: int, zero: bool) -> bool:
    """Move column ``unit`` of a weight matrix onto column ``leader``, or drop it if the unit is 0; False if inexact."""
    if not zero:
        total = weight[:, at + leader] + weight[:, at + unit]
        exact = (total - weight[:, at + leader] == weight[:, at + unit]) & (
            total - weight[:, at + unit] == weight[:, at + leader]
        )
        sums = [Fraction(a) + Fraction(b) for a, b in weight[:, [at + leader, at + unit]][~exact].tolist()]
        if not np.isfinite(total).all() or [Fraction(t) for t in total[~exact].tolist()] != sums:
            return False
        weight[:, at + leader] = total
    weight[:, at + unit] = 0.0
    return True


def _add_sinks(
    network: Network, u: Array, forms: Sequence[Sequence[UnitForm]], table: FormTable, movable: list[Mask]
) -> None:
    """Units that nothing reads and that no other must stay for: constant ones may move as well, but for one carrier.

    An output bias is a carrier of constants.
    """
    views = network.layer_views(u)
    for index, layer in enumerate(network.layers):
        if not layer.dense:
            continue
        readers = _readers(network, index)
        carrier = network.output_bias
        for unit, form in enumerate(forms[index]):
            constant = form.form < 0 or table.constant[form.form]
            if not constant or movable[index][unit]:
                continue
            if not carrier:
                carrier = True
                continue
            movable[index][unit] = all(
                network.layers[r].dense and not views[f"layer{r}.weight"][:, at + unit].any() for r, at in readers
            )


def _unaffected(network: Network, u: Array, moved: Sequence[Mask]) -> list[Mask]:
    """Which units neither move nor read, by a nonzero weight, a unit that changes."""
    views = network.layer_views(u)
    stays: list[Mask] = []
    for index, layer in enumerate(network.layers):
        changed = [
            np.zeros(int(np.prod(shape)), dtype=bool) if s == "input" else ~stays[int(s)]
            for s, shape in zip(network.sources[index], network.source_shapes(index), strict=True)
        ]
        sources = np.concatenate(changed)
        if layer.dense:
            stays.append(~moved[index] & ~(views[f"layer{index}.weight"][:, sources] != 0).any(axis=1))
        else:  # a convolution or a pool: one changed source is enough to give up all
            stays.append(np.full(int(np.prod(network.shapes[index])), not sources.any()))
    return stays


def _skip_mask(network: Network, mask: Sequence[Mask]) -> list[bool]:
    """The entries of a mask for the columns of Psi; an output bias stays."""
    return [bool(mask[i][unit]) for i, units in network.skip_units for unit in units] + [True] * network.output_bias


def _carriers(
    network: Network,
    v: Array,
    forms: Sequence[Sequence[UnitForm]],
    table: FormTable,
    stays: Sequence[Mask],
    first_row: Sequence[arb],
) -> tuple[dict[int, dict[int, arb]], list[tuple[int, int]]]:
    """For every column of Psi that leaves and whose row of V matters, the columns that stay and its share of them.

    Also lists the units, as (layer, unit), whose column is not proved to lie in the span of those that stay.
    """
    units = [(index, unit) for index, members in network.skip_units for unit in members]
    form = [forms[index][unit] for index, unit in units]
    kept = [column for column, (index, unit) in enumerate(units) if stays[index][unit]]
    if network.output_bias:
        kept.append(len(form))
        form.append(ONE)
    one = _constant_one(form, table, kept, first_row)
    mates: dict[int, list[int]] = {}
    for k in kept:
        mates.setdefault(form[k].form, []).append(k)
    carried: dict[int, dict[int, arb]] = {}
    missing: list[tuple[int, int]] = []
    for column, (index, unit) in enumerate(units):
        row = v[column]
        if stays[index][unit] or (row == row[0]).all():
            continue
        shares = _shares(form, column, table, mates, one, first_row)
        if shares is None:
            missing.append((index, unit))
        else:
            carried[column] = shares
    return carried, missing


def _shares(
    form: Sequence[UnitForm],
    column: int,
    table: FormTable,
    mates: dict[int, list[int]],
    one: dict[int, arb],
    first_row: Sequence[arb],
) -> dict[int, arb] | None:
    """A column as a sum ``a psi_k + c 1`` of a column that stays and the constant 1; None if it is not known to be one.

    The constant 1 is itself a multiple of a constant column or the difference of two mirrored ones.
    """
    at = form[column]
    if at.form < 0 and at.offset == 0:
        return {}
    same = mates.get(at.form, []) if at.form >= 0 else []
    exact = [k for k in same if form[k].offset == at.sign * form[k].sign * at.offset]
    constant = at.form < 0 or table.constant[at.form]
    if not exact and not (one and (same or constant)):
        return None
    if constant and one:
        shares: dict[int, arb] = {}
        rest = ball_of(at.offset) if at.form < 0 else first_row[column]
    else:
        mate = (exact or same)[0]
        sign = at.sign * form[mate].sign
        shares, rest = {mate: arb(sign)}, ball_of(at.offset - sign * form[mate].offset)
    for k, share in one.items():
        shares[k] = shares.get(k, arb(0)) + rest * share
    return shares


def _carrying(v: Array, stays: Sequence[bool], carried: dict[int, dict[int, arb]]) -> ExactArray:
    """V' with ``Psi_F V'_F = Psi V``, up to a common shift of the logits of each sample."""
    rows = [
        [arb(x) for x in row] if stay else [arb(0)] * v.shape[1] for row, stay in zip(v.tolist(), stays, strict=True)
    ]
    for column, shares in carried.items():
        for k, share in shares.items():
            rows[k] = [known + share * x for known, x in zip(rows[k], v[column].tolist(), strict=True)]
    return exact_midpoints(rows)


def _constant_one(
    form: Sequence[UnitForm], table: FormTable, kept: Sequence[int], first_row: Sequence[arb]
) -> dict[int, arb]:
    """Shares of the carriers whose sum is the constant 1, empty if there are none."""
    for k in kept:
        if (form[k].form < 0 or table.constant[form[k].form]) and first_row[k] != 0:
            return {k: 1 / first_row[k]}
    first: dict[int, int] = {}
    for k in kept:
        mate = first.setdefault(form[k].form, k)
        sign = form[k].sign * form[mate].sign
        constant = form[k].offset - sign * form[mate].offset
        if form[k].form >= 0 and constant != 0:
            return {k: 1 / ball_of(constant), mate: -sign / ball_of(constant)}
    return {}


@np.errstate(all="ignore")
def _shake(network: Network, u: Array, movable: Sequence[Mask], inputs: Array, seed: int, trial: int) -> Array:
    """Give the units that move random incoming weights and biases, of a size that suits their sources."""
    end = u.copy()
    views = network.layer_views(end)
    size = max(float(np.sqrt((inputs * inputs).sum(axis=1).mean())), 1e-30)
    for index, layer in enumerate(network.layers):
        if layer.activation is None or not movable[index].any():
            continue
        weight, bias = views[f"layer{index}.weight"], views[f"layer{index}.bias"]
        reach = size if "input" in network.sources[index] else np.sqrt(weight.shape[1])
        count, fan_in = int(movable[index].sum()), weight[0].size
        # drawn for the first, second, .. unit that moves, so that the order of the others does not matter
        draws = portable_gaussian(seed, (MOVES, index, trial), count * (fan_in + 1)).reshape(count, fan_in + 1)
        rows, shifts = (SCALES[trial] * draws[:, :fan_in] / reach), SCALES[trial] * draws[:, fan_in]
        weight[movable[index]], bias[movable[index]] = rows.astype(np.float32), shifts.astype(np.float32)
    return end
