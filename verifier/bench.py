"""Measured speed: the fast engine against what one would use instead, on this machine, in this run.

Every ratio is our seconds divided by the other's, so that smaller is better. A time is the best of a few repetitions
after one that is not counted; nothing is quoted from elsewhere.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

import mpmath
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from threadpoolctl import threadpool_info

from verifier import __version__
from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.canary import canary
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.matrix import ColumnSource, MatrixEnclosure
from verifier.balls.binary64.products import Signature
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress, use_threads
from verifier.errors import VerifierError
from verifier.landscape.path import DEFAULT_TARGETS, prove_path
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.rank.approx import approx_inverse64
from verifier.rank.approx import float_witness as _float_witness
from verifier.rank.certify import Stage
from verifier.rank.float_inverse import certify_inverse64
from verifier.rank.gram import certify_gram
from verifier.rank.gram_matrix import plan
from verifier.rank.right_inverse import certify_right_inverse
from verifier.rank.singular_values import singular_values
from verifier.run.case import Case
from verifier.run.pipeline import case_instance
from verifier.run.runner import packaged_cases
from verifier.run.scheduler import Display
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

ARB_BITS = 64
"""Precision of the Arb engine that binary64 is compared with."""

DIGITS = 50
"""Decimal digits of each singular value."""

MPMATH_DIGITS = 60
"""Working precision of mpmath: the digits and room for its rounding errors."""

LONG = 8.0
"""Seconds after which a measurement is not repeated."""

UNSTEADY = 2.0
"""Repetitions that differ more are worth a warning."""

T = TypeVar("T")


class BenchError(VerifierError):
    """A measurement that proves nothing would compare nothing."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured; ``(N, M)`` are samples and skip units, d input coordinates.

    The last of ``gram`` is the one that is compared; all of them give the growth.
    """

    gram: tuple[tuple[int, int], ...] = ((750, 1125), (1500, 2250), (3000, 4500))
    gram_inputs: int = 784
    engines: tuple[int, int] = (1000, 1250)
    engine_inputs: int = 64
    svd: tuple[int, int] = (200, 400)
    svd_inputs: int = 64
    small_svd: tuple[tuple[int, int], ...] = ((40, 80), (50, 100))
    memory: tuple[int, ...] = (3000, 20_000, 60_000)
    repeats: int = 3


@dataclass(slots=True)
class Bench:
    """What was measured; `as_json` is the document.

    ``seconds`` holds every repetition of every measurement; ``parts`` and ``limits`` further ratios, without the
    canary or the enclosure, and against the bound that arithmetic sets.
    """

    device: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    memory: list[dict[str, int]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    total_seconds: float = 0.0

    def best(self, name: str) -> float:
        """The shortest repetition, in seconds."""
        return min(self.seconds[name])

    @property
    def spread(self) -> float:
        """Largest quotient of two repetitions of one measurement that takes more than a tenth of a second."""
        return max((max(v) / min(v) for v in self.seconds.values() if min(v) > 0.1), default=1.0)


def as_json(found: Bench) -> dict[str, Any]:
    """The measurements as one JSON document of finite numbers."""
    return {"version": __version__, **asdict(found), "spread": found.spread}


def run_bench(
    backend: Backend,
    display: Display,
    *,
    sizes: Sizes | None = None,
    case: Case | None = None,
    full: bool = False,
) -> Bench:
    """Measure everything.

    Parameters
    ----------
    backend
        Library and device of the fast engine; what it is compared with by products and SVD runs there too.
    display
        Progress display.
    sizes
        What is measured; by default what the definitions are about.
    case
        Case whose path is timed; by default the wide network on all of digits.
    full
        Measure mpmath at the full size instead of scaling it: minutes.

    Raises
    ------
    BenchError
        If the canary fails or a proof that is to be timed is not found.
    """
    started, load = time.perf_counter(), os.getloadavg()[0]
    chosen = sizes or Sizes()
    use_threads(os.cpu_count() or 1)
    found = Bench(backend.describe())
    tasks: tuple[tuple[str, Callable[[Stage], None]], ...] = (
        ("R2 against SVD and product", lambda stage: _gram(found, backend, chosen, stage)),
        ("path", lambda stage: _path(found, backend, case, chosen.repeats, stage)),
        ("binary64 against Arb", lambda stage: _engines(found, backend, chosen, stage)),
        ("singular values against mpmath", lambda stage: _singular_values(found, chosen, full, stage)),
    )
    for position, (name, task) in enumerate(tasks):
        with display.case(name, position, len(tasks)) as stage:
            task(stage)
    for n in chosen.memory:
        need = plan(n, n + n // 2)
        found.memory.append({
            "samples": n, "columns": need.columns, "block": need.block, "width": need.width,
            "gram_bytes": need.gram, "factor_bytes": need.factor, "tight_bytes": need.tight, "full_bytes": 8 * n * n,
        })  # fmt: skip
    found.machine = _machine() | {"load_before": load}
    found.total_seconds = time.perf_counter() - started
    return found


def _problem(n: int, m: int, d: int) -> tuple[Network, Array, Array]:
    """One hidden layer of m tanh units with Gaussian weights, and n samples of d random multiples of 1/256."""
    network = Network((d,), (Dense(m, activation("tanh"), skip=True),))
    inputs = np.random.default_rng([n, m, d]).integers(0, 256, (n, d)) / 256.0
    return network, initialise(network, fan_in=True, seed=n), inputs


def _proved(found: T | str | None, what: str) -> T:
    if found is None or isinstance(found, str) or getattr(found, "verdict", Verdict.PROVED) is not Verdict.PROVED:
        reason = found if isinstance(found, str) else getattr(found, "reason", "the residual is too large")
        raise BenchError(f"bench: {what} was not proved ({reason}); there is no time")
    return found


class _Clock:
    """Times work on a device, which it waits for, into the record."""

    def __init__(self, found: Bench, backend: Backend) -> None:
        self.found, self.backend = found, backend

    def wait(self) -> None:
        """Wait for the device: what comes back was computed last."""
        self.backend.numpy(self.backend.asarray(np.zeros(1)))

    def once(self, name: str, work: Callable[[], T]) -> T:
        """Time one run and record it."""
        self.wait()
        started = time.perf_counter()
        result = work()
        self.wait()
        self.found.seconds.setdefault(name, []).append(time.perf_counter() - started)
        return result

    def best(self, name: str, work: Callable[[], T], repeats: int) -> T:
        """Time ``repeats`` runs, fewer if they are long."""
        result = self.once(name, work)
        for _ in range(1, repeats):
            if sum(self.found.seconds[name]) > LONG:
                break
            result = self.once(name, work)
        return result


def _trusted(backend: Backend, shapes: frozenset[Signature]) -> None:
    report = canary(backend, shapes)
    if not report.passed:
        raise BenchError(f"bench: {report.describe()}")


@dataclass(frozen=True, slots=True)
class _R2:
    """The certificate of R2 for one problem, with its parts timed apart."""

    clock: _Clock
    network: Network
    u: Array
    inputs: Array
    shapes: frozenset[Signature]
    peaks: tuple[int, int]
    """Largest resident size of the process before and after the first R2, in bytes."""

    @classmethod
    def of(cls, clock: _Clock, n: int, m: int, d: int) -> _R2:
        """The problem, once warmed up: the products' shapes are those of the run that is not counted."""
        network, u, inputs = _problem(n, m, d)
        backend = clock.backend
        backend.shapes.clear()
        before = _peak()
        _proved(certify_gram(FloatEnclosure(network, u, inputs, backend)), f"R2 at {n} x {m}")
        peaks = before, _peak()
        shapes = frozenset(backend.shapes)
        _trusted(backend, shapes)
        return cls(clock, network, u, inputs, shapes, peaks)

    def enclosed(self) -> FloatEnclosure:
        """Psi, enclosed as a whole."""
        return _enclosed(FloatEnclosure(self.network, self.u, self.inputs, self.clock.backend))

    def certify(self, features: ColumnSource) -> None:
        """R2 for a given enclosure."""
        _proved(certify_gram(features), "R2")

    def run(self, name: str) -> None:
        """Enclosure of Psi and certificate, the canary's tests in both; these tests are timed apart as well."""
        backend, clock = self.clock.backend, self.clock
        clock.once(name, lambda: self.certify(FloatEnclosure(self.network, self.u, self.inputs, backend)))
        clock.once(f"{name}_canary", lambda: _trusted(backend, self.shapes))


def _times(n: int, m: int) -> str:
    return f"{n}x{m}"


def _gram(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    clock, d = _Clock(found, backend), sizes.gram_inputs
    for n, m in sizes.gram:
        name = f"r2_{_times(n, m)}"
        done = stage(f"R2 at {n} x {m}")
        last = (n, m) == sizes.gram[-1]
        problem = _R2.of(clock, n, m, d)
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
    found.growth = {"r2_exponent": _exponent([n for n, _ in sizes.gram], [
        found.best(f"r2_{_times(n, m)}") for n, m in sizes.gram
    ])}  # fmt: skip


def _compare_gram(found: Bench, clock: _Clock, problem: _R2, sizes: Sizes, stage: Stage) -> None:
    backend, xp, d = clock.backend, clock.backend.xp, sizes.gram_inputs
    n, m = sizes.gram[-1]
    size, name = _times(n, m), f"r2_{_times(n, m)}"
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


def _exponent(sizes: list[int], seconds: list[float]) -> float:
    """Least-squares slope in log-log."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _engines(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    clock, (n, m), d = _Clock(found, backend), sizes.engines, sizes.engine_inputs
    size = _times(n, m)
    stage(f"R2 in binary64, {n} x {m}")
    problem = _R2.of(clock, n, m, d)
    problem.run(f"fast_r2_{size}")

    def inverse() -> None:
        features = FloatEnclosure(problem.network, problem.u, problem.inputs, backend)
        x = approx_inverse64(features.approx())
        if x is None:
            raise BenchError("bench: no right inverse in binary64")
        _proved(certify_inverse64(features, x), f"R1 at {n} x {m}")

    stage(f"R1 in binary64, {n} x {m}")
    clock.best(f"fast_r1_{size}", inverse, sizes.repeats)
    progress = stage(f"Arb engine, {n} x {m}")
    clock.once(f"arb_{size}", lambda: _arb(problem, progress))
    for _ in range(1, sizes.repeats):
        problem.run(f"fast_r2_{size}")
    ours, other = found.best(f"fast_r2_{size}"), found.best(f"arb_{size}")
    found.ratios["fast_vs_arb"] = ours / other
    found.parts["fast_r1_vs_arb"] = found.best(f"fast_r1_{size}") / other
    found.definitions["fast_vs_arb"] = (
        f"Seconds to enclose Psi and prove rank N by R2 in binary64, canaries included, divided by those to enclose it "
        f"in Arb at {ARB_BITS} bits and certify a right inverse (R1); N = {n}, M = {m}, {d} inputs."
    )


def _arb(problem: _R2, progress: Progress) -> None:
    """The Arb engine: enclosure, witness from plain floating point, exact residual."""
    features = FeatureEnclosure(problem.network, problem.u, problem.inputs, ARB_BITS)
    for _ in features.blocks(progress):
        pass
    witness = _proved(_float_witness(features.approx(), None, ARB_BITS), "R1 in Arb")
    _proved(certify_right_inverse(features, witness, progress), "R1 in Arb")


def _singular_values(found: Bench, sizes: Sizes, full: bool, stage: Stage) -> None:
    clock, (n, m), d = _Clock(found, numpy_backend()), sizes.svd, sizes.svd_inputs
    small = sizes.svd if full else sizes.small_svd[-1]
    measured = [*(shape for shape in sizes.small_svd if shape != small), small]
    network, u, inputs = _problem(n, m, d)

    def ours() -> None:
        features = FeatureEnclosure(network, u, inputs, ARB_BITS)
        result = singular_values(features, DIGITS, stage=stage)
        if result.verdict is not Verdict.PROVED:
            raise BenchError(f"bench: R4 was not proved ({result.reason}); there is no time")

    stage(f"R4 at {n} x {m}")
    clock.best(f"svd{DIGITS}_{_times(n, m)}", ours, min(2, sizes.repeats))
    for rows, columns in measured:
        stage(f"mpmath at {rows} x {columns}")
        other = FeatureEnclosure(*_problem(rows, columns, d), ARB_BITS).approx()
        with mpmath.workdps(MPMATH_DIGITS):
            matrix = mpmath.matrix(other.tolist())
            work = _svd_of(matrix)
            clock.best(f"mpmath_{_times(rows, columns)}", work, 1 if rows * columns > 1000 else sizes.repeats)
    rows, columns = small
    scale = (n / rows) ** 2 * (m / columns)
    other_seconds = found.best(f"mpmath_{_times(rows, columns)}") * scale
    found.ratios[f"svd{DIGITS}_vs_mpmath"] = found.best(f"svd{DIGITS}_{_times(n, m)}") / other_seconds
    if len(measured) > 1:
        found.growth["mpmath_exponent"] = _exponent(
            [rows for rows, _ in measured], [found.best(f"mpmath_{_times(*shape)}") for shape in measured]
        )
    how = f"measured at {n} x {m}"
    if scale != 1.0:
        how = f"measured at {rows} x {columns} and scaled by N^2 M, not measured at {n} x {m}"
    found.definitions[f"svd{DIGITS}_vs_mpmath"] = (
        f"Seconds to enclose all singular values of a {n} x {m} Psi to {DIGITS} digits with proof, the enclosure of "
        f"Psi included, divided by those of mpmath.svd_r at {MPMATH_DIGITS} digits without proof and without vectors, "
        f"{how}."
    )


def _svd_of(matrix: Any) -> Callable[[], Any]:
    return lambda: mpmath.svd_r(matrix, compute_uv=False)


def _path(found: Bench, backend: Backend, case: Case | None, repeats: int, stage: Stage) -> None:
    chosen = case or next(c for c in packaged_cases("main") if c.name == "digits-wide")
    stage(f"path of {chosen.name}")
    instance, clock = case_instance(chosen), _Clock(found, backend)
    data, labels = instance.data, instance.data.labels
    if labels is None:
        raise BenchError(f"bench: {chosen.name} has no labels")
    counts = [int(c) for c in data.multiplicities]
    for _ in range(repeats):
        features = clock.once(
            "path_enclosure", lambda: _enclosed(FloatEnclosure(instance.network, instance.u, data.inputs, backend))
        )
        zero = clock.once("path_zero_loss", partial(prove_zero_loss, features, labels, data.classes))
        result = clock.once(
            "path_path",
            partial(prove_path, zero, ExactArray.of_floats(instance.v), labels, counts, targets=DEFAULT_TARGETS),
        )
        if result.verdict is not Verdict.PROVED:
            raise BenchError(f"bench: the path of {chosen.name} was not proved ({result.reason})")
    pieces = {key: found.best(f"path_{key}") for key in ("enclosure", "zero_loss", "path")}
    found.path = {
        "case": chosen.name,
        "samples": data.samples,
        "units": instance.network.skip_count,
        **{f"{key}_seconds": value for key, value in pieces.items()},
        "seconds": pieces["zero_loss"] + pieces["path"],
    }
    found.definitions["path"] = (
        "seconds: output weights with certified margins (Z1) and the path to zero loss (P1), given Psi's enclosure."
    )


def _enclosed(features: FloatEnclosure) -> FloatEnclosure:
    for _ in features.row_blocks():
        pass
    return features


def _peak() -> int:
    """Largest resident size of this process so far, in bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _machine() -> dict[str, Any]:
    pools = [
        {key: str(pool.get(key, "")) for key in ("user_api", "internal_api", "version", "architecture")}
        | {"threads": int(pool.get("num_threads", 0))}
        for pool in threadpool_info()
    ]
    return {
        "cpus": os.cpu_count() or 1,
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pools": pools,
    }


def print_bench(console: Console, found: Bench) -> None:
    """Print the measurements; the tables fit 80 columns."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("ratio (ours / other)", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for name, value in (*found.ratios.items(), *found.parts.items()):
        style = "bold" if name in found.ratios else "dim"
        table.add_row(f"[{style}]{escape(name)}[/]", f"[{style}]{value:.4g}[/]")
    console.print(table)
    for name in found.definitions:
        console.print(f"[bold]{escape(name)}[/]: {escape(found.definitions[name])}", highlight=False)
    times = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    times.add_column("measurement", no_wrap=True)
    times.add_column("best", justify="right", no_wrap=True)
    times.add_column("of", justify="right", no_wrap=True)
    for name, values in found.seconds.items():
        times.add_row(escape(name), f"{min(values):.4g} s", str(len(values)))
    console.print(times)
    sizes = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in ("N", "M", "Gram", "factor", "tight", "full N x N"):
        sizes.add_column(head, justify="right", no_wrap=True)
    for row in found.memory:
        cells = [f"{row[key] / 1e9:.2f} GB" for key in ("gram_bytes", "factor_bytes", "tight_bytes", "full_bytes")]
        sizes.add_row(str(row["samples"]), str(row["columns"]), *cells)
    console.print(sizes)
    limits, peak, path = found.limits, found.peak_bytes, found.path
    powers = ", ".join(f"{name} {value:.2f}" for name, value in found.growth.items())
    lines = [
        f"Growth: {powers}.",
        f"R2 takes {limits['r2_over_bound']:.2f} times its bound of {limits['bound_seconds']:.3g} s at "
        f"{limits['product_flops_per_second'] / 1e9:.3g} Gflop/s "
        f"({limits['r2_without_canary_over_bound']:.2f} without the canary).",
        f"R2 plans {peak['planned'] / 1e6:.0f} MB; the process grew from {peak['before'] / 1e6:.0f} to "
        f"{peak['measured'] / 1e6:.0f} MB at its peak.",
        f"Path of {path['case']} ({path['samples']} samples, {path['units']} units): zero loss "
        f"{path['zero_loss_seconds']:.2f} s, path {path['path_seconds']:.2f} s "
        f"(enclosure {path['enclosure_seconds']:.2f} s before).",
        f"{found.device}, {found.machine['cpus']} processors, Python {found.machine['python']}; "
        f"{found.total_seconds:.0f} s in all.",
    ]
    if found.spread > UNSTEADY:
        lines.append(
            f"Repetitions differ up to {found.spread:.1f} times: other work ran on the machine; "
            "measure again when idle."
        )
    for line in lines:
        console.print(escape(line), highlight=False)
