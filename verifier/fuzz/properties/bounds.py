"""Properties of bounds of the loss over all output weights: no V has less, however it is looked for."""

from __future__ import annotations

import mpmath
import numpy as np
import scipy.optimize
from hypothesis import strategies as st

from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.properties.rank import engine_of
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens
from verifier.network.network import Array
from verifier.verdict import Verdict

DIGITS = 60
SEARCHES, STEPS = 3, 400
TIGHT = 1e-6


def _narrow() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=7, kinds=("integers", "dyadic", "duplicates", "nearly-equal"))
    layers = specimens(data=data, parameter_kinds=("gaussian", "structured", "degenerate", "integers"), max_width=4)
    return layers | specimens(data=data, max_width=3, wide=False) | graph_specimens()


@holds_for(_narrow)
def loss_is_bounded_for_every_v(specimen: Specimen) -> str:
    """No V that several searches find has less cross-entropy than stated, or classifies all samples where none can."""
    report = specimen.prove("rank", "path", engine=engine_of(specimen))
    if report.verdict("zero_loss") is not Verdict.REFUTED:
        return "not refuted"
    counts, bound, rows = report.problem.grouping.label_counts, report.loss_bound, report.data
    if rows.labels is not None:  # samples that are kept, however equal
        counts = rows.multiplicities[:, np.newaxis] * (rows.labels[:, np.newaxis] == np.arange(rows.classes))
    if counts is None or rows.offset is not None:
        return "frozen logits"
    psi = oracle.approx_features_to(report.network, report.u, rows.inputs, digits=DIGITS)
    best = _least(psi, counts.tolist())
    if bound is None:
        if best < mpmath.log(2) / int(counts.sum()) and report.zero_loss is not None:
            raise Falsified("some V classifies all samples", {"zero_loss": "UNDECIDED"})
        return "refuted, no bound"
    with mpmath.workdps(DIGITS):
        low = mpmath.mpf(bound.lower.mantissa) * mpmath.mpf(2) ** bound.lower.exponent
        upper = bound.lower if bound.upper is None else bound.upper  # none is stated where arcs are missing
        high = mpmath.mpf(upper.mantissa) * mpmath.mpf(2) ** upper.exponent
        if not low <= min(best, high):
            raise Falsified(f"some V has the loss {mpmath.nstr(best, 20)}, stated is at least {mpmath.nstr(low, 20)}")
    return "tight" if high - low < TIGHT else "bounded"


def _least(psi: oracle.Matrix, counts: list[list[int]]) -> mpmath.mpf:
    """The least cross-entropy that was found, computed with `DIGITS` digits."""
    features, labels = np.array(psi, dtype=np.float64), np.array(counts, dtype=np.float64)
    shape, total = (features.shape[1], labels.shape[1]), labels.sum()
    scale = np.maximum(np.abs(features).max(axis=0), 1e-12)

    def loss(flat: Array) -> tuple[float, Array]:
        logits = (features / scale) @ flat.reshape(shape)
        top = logits.max(axis=1, keepdims=True)
        shares = np.exp(logits - top)
        sums = shares.sum(axis=1, keepdims=True)
        value = (labels.sum(axis=1) * (top + np.log(sums))[:, 0]).sum() - (labels * logits).sum()
        gradient = (features / scale).T @ (labels.sum(axis=1, keepdims=True) * shares / sums - labels)
        return float(value / total), gradient.ravel() / total

    rng, found = np.random.default_rng(0), []
    for search in range(SEARCHES):
        start = 3.0 * search * rng.standard_normal(shape[0] * shape[1])
        end = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
        with mpmath.workdps(DIGITS):
            v = [[mpmath.mpf(x) for x in row] for row in (end.reshape(shape) / scale[:, None]).tolist()]
            logits = oracle.times(psi, v)
            found.append(oracle.approx_convex_loss("cross-entropy", logits, counts, [1.0] * shape[1]))
    return min(found)
