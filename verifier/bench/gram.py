"""R2, the fastest proof of full rank, against a plain product and the singular values without proof."""

from __future__ import annotations

import platform
import resource
from dataclasses import dataclass

import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.matrix import ColumnSource, MatrixEnclosure
from verifier.balls.binary64.products import Signature
from verifier.bench.measured import (
    Bench,
    Clock,
    Sizes,
    enclosed,
    exponent,
    proved,
    times,
    trusted,
    wide_problem,
)
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage
from verifier.rank.gram import certify_gram
from verifier.rank.gram_matrix import plan


@dataclass(frozen=True, slots=True)
class GramProof:
    """The certificate of R2 for one problem, with its parts timed apart."""

    clock: Clock
    network: Network
    u: Array
    inputs: Array
    shapes: frozenset[Signature]
    peaks: tuple[int, int]
    """Largest resident size of the process before and after the first R2, in bytes."""

    @classmethod
    def of(cls, clock: Clock, n: int, m: int, d: int) -> GramProof:
        """The problem, once warmed up: the products' shapes are those of the run that is not counted."""
        network, u, inputs = wide_problem(n, m, d)
        backend = clock.backend
        backend.shapes.clear()
        before = peak_resident()
        proved(certify_gram(FloatEnclosure(network, u, inputs, backend)), f"R2 at {n} x {m}")
        peaks = before, peak_resident()
        shapes = frozenset(backend.shapes)
        trusted(backend, shapes)
        return cls(clock, network, u, inputs, shapes, peaks)

    def enclosed(self) -> FloatEnclosure:
        """Return the enclosure of Psi, computed as a whole."""
        return enclosed(FloatEnclosure(self.network, self.u, self.inputs, self.clock.backend))

    def certify(self, features: ColumnSource) -> None:
        """Prove R2 for an enclosure that is given."""
        proved(certify_gram(features), "R2")

    def run(self, name: str) -> None:
        """Enclosure of Psi and certificate, the canary's tests in both; these tests are timed apart as well."""
        backend, clock = self.clock.backend, self.clock
        clock.once(name, lambda: self.certify(FloatEnclosure(self.network, self.u, self.inputs, backend)))
        clock.once(f"{name}_canary", lambda: trusted(backend, self.shapes))


def measure_gram(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    """Time R2 at growing sizes, and at the largest against a product and the SVD."""
    clock, d = Clock(found, backend), sizes.gram_inputs
    for n, m in sizes.gram:
        name = f"r2_{times(n, m)}"
        done = stage(f"R2 at {n} x {m}")
        last = (n, m) == sizes.gram[-1]
        problem = GramProof.of(clock, n, m, d)
        if last:
            need = plan(n, m)
            found.peak_bytes = {
                "planned": max(need.gram, need.factor),
                "before": problem.peaks[0],
                "measured": problem.peaks[1],
            }
        for repeat in range(0 if last else sizes.repeats):
            problem.run(name)
            done((repeat + 1) / sizes.repeats)
    _compare_gram(found, clock, problem, sizes, stage)
    found.growth = {"r2_exponent": exponent([n for n, _ in sizes.gram], [
        found.best(f"r2_{times(n, m)}") for n, m in sizes.gram
    ])}  # fmt: skip


def _compare_gram(found: Bench, clock: Clock, problem: GramProof, sizes: Sizes, stage: Stage) -> None:
    backend, xp, d = clock.backend, clock.backend.xp, sizes.gram_inputs
    n, m = sizes.gram[-1]
    size, name = times(n, m), f"r2_{times(n, m)}"
    stage(f"SVD, {n} x {m}")
    blocks = [(mid, radius) for _, mid, radius in problem.enclosed().row_blocks()]
    psi = backend.contiguous(xp.concat([mid for mid, _ in blocks], axis=0))
    radii = np.max([backend.numpy(radius) for _, radius in blocks], axis=0)
    stored = MatrixEnclosure(backend, backend.numpy(psi), radii)
    del blocks
    host = backend.name == "numpy"
    svd = (lambda: np.linalg.svd(psi, compute_uv=False)) if host else (lambda: xp.linalg.svdvals(psi))
    clock.once("svd_" + size, svd)
    stage(f"one plain product, {n} x {m}")
    transposed = backend.contiguous(psi.T)
    backend.product(psi, transposed)
    # in turn, so that other work on the machine slows all of them or none
    for repeat in range(sizes.repeats):
        done = stage(f"R2, enclosure and product in turn, {n} x {m}")
        clock.once("product_" + size, lambda: backend.product(psi, transposed))
        problem.run(name)
        clock.once("enclosure_" + size, problem.enclosed)
        clock.once("r2_given_enclosure_" + size, lambda: problem.certify(stored))
        done((repeat + 1) / sizes.repeats)
    stage(f"SVD again, {n} x {m}")
    clock.once("svd_" + size, svd)

    ours, product = found.best(name), found.best("product_" + size)
    canaries = found.best(name + "_canary")
    alone = found.best("r2_given_enclosure_" + size)
    singular = found.best("svd_" + size)
    found.ratios |= {"r2_vs_svd": ours / singular, "r2_vs_product": ours / product}
    found.parts |= {
        "r2_without_canary_vs_svd": max(ours - canaries, 0.0) / singular,
        "r2_without_canary_vs_product": max(ours - canaries, 0.0) / product,
        "r2_without_enclosure_vs_svd": alone / singular,
        "r2_without_enclosure_vs_product": alone / product,
    }
    what = f"N = {n}, M = {m}, one hidden tanh layer with Gaussian weights on {d} synthetic 8-bit inputs"
    found.definitions |= {
        "r2_vs_svd": f"Seconds to prove rank N by R2 in binary64, with the enclosure of Psi and the canary's "
        f"tests, divided by those of all singular values without proof (SVD without vectors) of the same matrix on "
        f"the same device; {what}.",
        "r2_vs_product": f"The same R2 seconds divided by those of one plain float64 product of Psi and a contiguous "
        f"copy of its transpose; {what}.",
    }
    rate = 2.0 * n * n * m / product
    flops = {"gram": float(n) * n * m, "cholesky": n**3 / 3.0, "enclosure": 2.0 * n * m * d}
    bound = sum(flops.values()) / rate
    found.limits = {
        **{f"{part}_flops": value for part, value in flops.items()},
        "product_flops_per_second": rate,
        "bound_seconds": bound,
        "r2_over_bound": ours / bound,
        "r2_without_canary_over_bound": max(ours - canaries, 0.0) / bound,
    }
    found.definitions["limits"] = (
        "bound_seconds is the time of the lower triangle of Psi Psi^T (N^2 M operations), its Cholesky factor (N^3/3) "
        "and the layer's product (2 N M d) at the rate of the plain product; r2_over_bound is our time by it."
    )
    found.definitions["parts"] = (
        "The same ratios without the canaries, and without both canaries and enclosure (Psi stored); fast_r1_vs_arb "
        "has a right inverse in binary64 (R1) in place of R2, without canaries."
    )
    found.definitions["growth"] = "Least-squares slope of log seconds of R2 over log N, M = 3N/2."
    found.definitions["peak_bytes"] = (
        f"planned: working storage of R2 at {n} x {m}; measured and before: largest resident size of the process "
        f"after its first R2 at that size, Psi enclosed block by block, and before it."
    )


def peak_resident() -> int:
    """Largest resident size of this process so far, in bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
