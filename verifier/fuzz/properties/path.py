"""Properties of certified paths: the loss at 1,000 points of each, computed anew with 100 digits, never increases.

A piece on which U moves costs a forward pass a point; there the 1,000 points are thinned out to what `BUDGET` allows,
and the tail always gets its own. E2 and E4 claim that output weights V(t) *exist* that keep every logit: held against
the rank of the stacked linear system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.errors import InputError
from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.oracle import Matrix
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.properties.rank import engine_of
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import activations, datasets, specimens
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.loss_path import LossPathResult, prove_loss_path
from verifier.landscape.path import Path
from verifier.network.network import Array
from verifier.verdict import Verdict

DIGITS: Final = 100
GUARD_DIGITS: Final = 20
CARRIED_DIGITS: Final = 400
"""For the rank of systems whose columns differ by 1e-16 to some power, where samples are one ulp apart."""
POINTS: Final = 1000
BUDGET: Final = 60_000
"""Multiplications that the points of a moving piece may cost."""
ROUNDING: Final = mpmath.mpf(10) ** (15 - DIGITS)
FLAT: Final = mpmath.mpf(10) ** (40 - DIGITS)


def _tame() -> st.SearchStrategy[Specimen]:
    layers = specimens(
        data=datasets(max_samples=5, kinds=("integers", "dyadic", "floats", "duplicates", "nearly-equal")),
        activations=activations("analytic"),
        parameter_kinds=("gaussian", "structured", "degenerate", "integers"),
        duplicates=("group",),
        wide=True,
        max_width=5,
    )
    return layers | graph_specimens(duplicates=("group",))


@holds_for(_tame)
def path_never_increases(specimen: Specimen) -> str:
    """The loss at 1,000 points of each certified path, with 100 digits, never increases (E3: stays below Phi + eps)."""
    report = specimen.prove("rank", "path", engine=engine_of(specimen))
    verdict = report.verdict("path")
    if verdict is not Verdict.PROVED:
        return f"path {verdict}"
    labels, counts = _labels(specimen)
    with mpmath.workdps(DIGITS):
        if report.escape is not None and report.escape.escape is not None:
            escape = report.escape.escape
            if escape.kind.loss == "constant":
                with mpmath.workdps(CARRIED_DIGITS):
                    _check_carried(specimen, escape)
            else:
                _check_piece(specimen, escape, labels, counts)
            _check_tail(specimen, escape.tail, labels, counts, escape)
            _check_points(specimen, escape.path, labels, counts)
            return escape.label
        if report.descent is None:
            return "conflicting labels"
        _check_tail(specimen, report.descent, labels, counts, None)
        _check_points(specimen, report.descent, labels, counts)
    return "P1"


def _check_points(specimen: Specimen, path: Path, labels: Sequence[int], counts: Sequence[int]) -> None:
    """The path begins at the start's own (U, V), and loss(s) encloses the loss at the numbers U(s) and V(s)."""
    if not (np.array_equal(path.U(0), specimen.u) and np.array_equal(path.V(0), specimen.v)):
        raise Falsified("the path does not begin at the start's own (U, V)")
    for s in (k + t for k in range(path.corner + 1) for t in (0.0, 0.375)):
        try:
            u, v = path.U(s), path.V(s)
        except InputError:  # V(s) is beyond binary64
            continue
        exact = [[mpmath.mpf(x) for x in row] for row in v.tolist()]
        loss = oracle.approx_loss_to(_logits(specimen, u, exact), labels, counts)
        ((_, low, high),) = path.sample([s])
        if not low <= loss <= high:
            raise Falsified(f"at path time {s} the loss is {mpmath.nstr(loss, 20)}, outside of [{low!r}, {high!r}]")


def _labels(specimen: Specimen) -> tuple[list[int], list[int]]:
    data = specimen.data
    return ([] if data.labels is None else data.labels.tolist()), data.multiplicities.tolist()


def _logits(specimen: Specimen, u: Array, v: Matrix) -> Matrix:
    """Logits to `DIGITS` digits: output weights of 1e300 need as many more of the features, which cancel."""
    largest = max(abs(x) for row in v for x in row)
    digits = mpmath.mp.dps + GUARD_DIGITS + max(0, int(mpmath.mag(largest) * 0.302) if largest else 0)
    psi = oracle.approx_features_to(specimen.network, u, specimen.data.inputs, digits)
    with mpmath.workdps(digits):
        return oracle.times(psi, v)


def _exact(array: ExactArray) -> Matrix:
    """The entries as mpmath numbers, without rounding."""
    numerators, exponent = array.integers()
    columns = array.shape[1]
    with mpmath.workprec(max(1, *(abs(n).bit_length() for n in numerators))):
        values = [mpmath.ldexp(mpmath.mpf(n), exponent) for n in numerators]
    return [values[i : i + columns] for i in range(0, len(values), columns)]


def _number(value: Dyadic) -> Any:
    return mpmath.ldexp(mpmath.mpf(value.mantissa), value.exponent)


def _blend(a: Matrix, b: Matrix, s: Any) -> Matrix:
    return [[(1 - s) * x + s * y for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]


def _check_tail(
    specimen: Specimen, path: Path, labels: Sequence[int], counts: Sequence[int], escape: Escape | None
) -> None:
    """P1: strictly decreasing on segment and ray, the stated start's loss, the stated targets."""
    start_u = path.u if escape is None else escape.start_u
    start_v = _exact(path.start_weights if escape is None else escape.start_weights)
    first = _logits(specimen, start_u, start_v)
    begin = first if escape is None or escape.kind.loss == "constant" else _logits(
        specimen, path.u, _exact(path.start_weights)
    )  # fmt: skip
    end = _logits(specimen, path.u, _exact(path.end_weights))
    low, high = (_number(bound) for bound in path.start_loss)
    loss = oracle.approx_loss_to(first, labels, counts)
    if not low - abs(low) * ROUNDING <= loss <= high + abs(high) * ROUNDING:
        raise Falsified(
            f"the start's loss is {mpmath.nstr(loss, 20)}, outside "
            f"[{at_least(path.start_loss[0], 20)}, {at_most(path.start_loss[1], 20)}]"
        )
    kappa = _number(path.kappa)
    far = [[kappa * x for x in row] for row in end]
    last = None
    for s in _times():
        logits = _blend(begin, far, s) if s <= 1 else [[s * x for x in row] for row in far]
        here = oracle.approx_loss_to(logits, labels, counts)
        if last is not None and not here < last[1] * (1 + ROUNDING):
            raise Falsified(_rise(last, (s, here)), {"path": "UNDECIDED"})
        last = (s, here)
    for target in path.targets:
        t = _number(target.t)
        here = oracle.approx_loss_to([[t * x for x in row] for row in end], labels, counts)
        if not here <= mpmath.mpf(target.text):
            raise Falsified(f"loss {mpmath.nstr(here, 20)} at t = {at_most(target.t, 20)}, target {target.text}")


def _times() -> Iterator[Any]:
    """1,000 increasing path times: near 0, across the segment, around 1, far out on the ray."""
    for k in range(200):
        yield mpmath.mpf(2) ** (k - 203)
    for k in range(1, 500):
        yield mpmath.mpf(k) / 500 if k > 62 else mpmath.mpf(1) / 8 + mpmath.mpf(k) / 64000
    yield mpmath.mpf(1)
    for k in range(1, 301):
        yield 1 + mpmath.mpf(k * k) / 1000


def _rise(before: tuple[Any, Any], after: tuple[Any, Any]) -> str:
    (s, a), (t, b) = before, after
    s, t, a, b = (mpmath.nstr(value, digits) for value, digits in ((s, 8), (t, 8), (a, 25), (b, 25)))
    return f"the loss rises from {a} at {s} to {b} at {t}"


def _check_piece(specimen: Specimen, escape: Escape, labels: Sequence[int], counts: Sequence[int]) -> None:
    """The piece on which U moves, as E1 or E3 claims."""
    start_v = _exact(escape.start_weights)
    end_v = start_v if escape.end_weights is None else _exact(escape.end_weights)
    work = len(specimen.data.inputs) * (len(specimen.u) + 30 * specimen.network.skip_count)
    points = max(min(POINTS, BUDGET // work), 10)
    last, ceiling = None, None
    for k in range(points + 1):
        t = mpmath.mpf(k) / points
        psi = _features_between(specimen, escape.start_u, escape.end_u, t)
        here = oracle.approx_loss_to(oracle.times(psi, _blend(start_v, end_v, t)), labels, counts)
        if ceiling is None:
            ceiling = here + (0 if escape.epsilon is None else _number(escape.epsilon))
        if escape.kind.loss == "decreases" and last is not None and not here < last[1] * (1 + ROUNDING):
            raise Falsified("E1: " + _rise(last, (t, here)), {"path": "UNDECIDED"})
        if not here <= ceiling * (1 + ROUNDING):
            raise Falsified(f"{escape.label}: {mpmath.nstr(here, 25)} > {mpmath.nstr(ceiling, 25)}")
        last = (t, here)


def _features_between(specimen: Specimen, start: Array, end: Array, t: Any) -> Matrix:
    """Psi at U0 + t (U1 - U0), the combination taken in exact numbers."""
    return oracle.approx_features_between(specimen.network, start, end, t, specimen.data.inputs, mpmath.mp.dps)


def _check_carried(specimen: Specimen, escape: Escape) -> None:
    """E2: on each leg one V' keeps all logits. E4: at each time some V does."""
    wanted = _logits(specimen, escape.start_u, _exact(escape.start_weights))
    legs = [escape.start_u, *([] if escape.rerouted is None else [escape.rerouted]), escape.end_u]
    stacks = []
    for start, end in pairwise(legs):
        times = [mpmath.mpf(k) / 3 for k in range(4)]
        stacks.append([_features_between(specimen, start, end, t) for t in times])
    if escape.label == "E2" and escape.rerouted is not None:
        for psi in stacks.pop(0):  # (U0, V0) -> (U0', V0): no unit changes
            _agree(oracle.times(psi, _exact(escape.start_weights)), wanted, "rerouting")
    systems = [[row for psi in stacks[0] for row in psi]] if escape.label == "E2" else stacks[0]
    for system in systems:
        right = [row for _ in range(len(system) // len(wanted)) for row in wanted]
        missing = oracle.approx_distance_to_range(system, right)
        if not missing <= FLAT:
            raise Falsified(
                f"{escape.label}: no output weights keep the logits, residual {mpmath.nstr(missing, 5)}",
                {"path": "UNDECIDED"},
            )


def _agree(found: Matrix, wanted: Matrix, what: str) -> None:
    away = max(abs(x - y) for a, b in zip(found, wanted, strict=True) for x, y in zip(a, b, strict=True))
    if not away <= FLAT * (1 + max(abs(x) for row in wanted for x in row)):
        raise Falsified(f"E2, {what}: a logit changes by {mpmath.nstr(away, 5)}", {"path": "UNDECIDED"})


def _with_losses() -> st.SearchStrategy[Specimen]:
    return specimens(
        data=datasets(max_samples=5, kinds=("integers", "dyadic", "floats", "duplicates")),
        activations=activations("analytic"),
        parameter_kinds=("gaussian", "integers"),
        duplicates=("group",),
        wide=True,
        max_layers=1,
        with_losses=True,
    )


@holds_for(_with_losses)
def other_losses_never_increase(specimen: Specimen) -> str:
    """The same for the convex losses of Theorem C.3, conflicting labels and class weights included."""
    rank = specimen.rank(certificate=True)
    if rank.verdict is not Verdict.PROVED:
        return f"rank {rank.verdict}"
    features = specimen.enclosure()
    counts = specimen.grouping.label_counts
    if counts is None:
        return "no labels"
    weights = specimen.class_weights
    proved = 0
    for loss in specimen.losses:
        found = prove_loss_path(
            features,
            loss,
            ExactArray.of_floats(specimen.v),
            counts,
            specimen.data.multiplicities.tolist(),
            rank.witness,
            class_weights=None if weights is None else [Dyadic.of_float(weight) for weight in weights],
            max_bits=specimen.max_bits,
        )
        if found.verdict is Verdict.PROVED:
            proved += 1
            with mpmath.workdps(DIGITS):
                _check_loss_path(specimen, found, counts.tolist())
    return f"{proved} of {len(specimen.losses)} losses"


def _check_loss_path(specimen: Specimen, found: LossPathResult, counts: list[list[int]]) -> None:
    if found.end_weights is None or found.end_loss is None or found.start_loss is None:
        raise Falsified(f"{found.loss}: PROVED without a segment")
    weights = specimen.class_weights or (1.0,) * len(counts[0])
    start, end = (_logits(specimen, specimen.u, _exact(v)) for v in (found.start_weights, found.end_weights))

    def loss_at(s: Any) -> Any:
        return oracle.approx_convex_loss(found.loss, _blend(start, end, s), counts, weights)

    points = POINTS // (2 * len(specimen.losses))
    last = None
    for k in range(points + 1):
        s = mpmath.mpf(k) / points
        here = loss_at(s)
        if last is not None and not here <= last[1] + ROUNDING * (1 + last[1]):
            raise Falsified(f"{found.loss}: " + _rise(last, (s, here)))
        last = (s, here)
    bounds = [(loss_at(0), *map(_number, found.start_loss)), (loss_at(1), mpmath.mpf(0), _number(found.end_loss))]
    for value, low, high in bounds:
        if not low * (1 - ROUNDING) <= value <= high * (1 + ROUNDING):
            raise Falsified(
                f"{found.loss}: {mpmath.nstr(value, 20)} is not within "
                f"[{mpmath.nstr(low, 20)}, {mpmath.nstr(high, 20)}]"
            )
    if found.infimum is not None and not _number(found.infimum[0]) <= loss_at(1):
        raise Falsified(f"{found.loss}: the end's loss is below the stated infimum {at_least(found.infimum[0])}")
