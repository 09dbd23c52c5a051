"""Measures everything, one comparison after the other."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from verifier.balls.binary64.backend import Backend
from verifier.balls.feature_enclosure import use_threads
from verifier.bench.checking import measure_checking
from verifier.bench.comparisons import measure_engines, measure_path, measure_singular_values
from verifier.bench.gram import measure_gram
from verifier.bench.joining import measure_joining
from verifier.bench.measured import Bench, Sizes
from verifier.bench.middle import measure_middle
from verifier.bench.nodes import measure_nodes
from verifier.rank.certify import Stage
from verifier.rank.gram_matrix import plan
from verifier.run.case import Case
from verifier.run.scheduler import Display


def run_bench(
    backend: Backend,
    display: Display,
    *,
    sizes: Sizes | None = None,
    case: Case | None = None,
    full: bool = False,
) -> Bench:
    """Measure every step of a proof, on one backend, for all sizes.

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

    Returns
    -------
    Bench
        Seconds, ratios and what they were measured on.

    Raises
    ------
    BenchError
        If the canary fails or a proof that is to be timed is not found.
    """
    started, load = time.perf_counter(), load_average()
    chosen = sizes or Sizes()
    use_threads(os.cpu_count() or 1)
    found = Bench(backend.describe())
    tasks: tuple[tuple[str, Callable[[Stage], None]], ...] = (
        ("R2 against SVD and product", lambda stage: measure_gram(found, backend, chosen, stage)),
        ("path", lambda stage: measure_path(found, backend, case, chosen.repeats, stage)),
        ("binary64 against Arb", lambda stage: measure_engines(found, backend, chosen, stage)),
        ("double-double against Arb", lambda stage: measure_middle(found, backend, chosen, stage)),
        ("enclosing node by node", lambda stage: measure_nodes(found, backend, chosen, stage)),
        ("check against proof", lambda stage: measure_checking(found, backend, chosen, stage)),
        ("two networks joined", lambda stage: measure_joining(found, backend, chosen, stage)),
        ("singular values against mpmath", lambda stage: measure_singular_values(found, chosen, full, stage)),
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
    found.machine = machine() | {"load_before": load}
    found.total_seconds = time.perf_counter() - started
    return found


def load_average() -> float | None:
    """Processes running or waiting, averaged over the last minute; None where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def machine() -> dict[str, Any]:
    """What the measurements were made on."""
    pools = [
        {key: str(pool.get(key, "")) for key in ("user_api", "internal_api", "version", "architecture")}
        | {"threads": int(pool.get("num_threads", 0))}
        for pool in threadpool_info()
    ]
    return {
        "name": platform.node(),
        "cpus": os.cpu_count() or 1,
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pools": pools,
    }
