"""Checks one certificate: reads it, checks every claim in one pass over the samples, and gives the verdict.

Glossary: a *block* is some samples of one label, evaluated together; a claim *takes* the rows of Psi of a block, and
*merges* what it has seen there; `shared` holds what several claims need of one block.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import flint

from .container import Arrays, load_arrays, load_document
from .exact import precision
from .margins import Labels, MarginClaim
from .network import Features, Network, network_blocks, read_network
from .rank import RankClaim
from .rejection import Rejection, require, words
from .schema import DOCUMENT
from .structure import check_structure

PARALLEL_UNITS = 100_000  # below this many hidden values a second process does not pay
TRUST = f"Arb of FLINT {flint.__FLINT_VERSION__}, python-flint {flint.__version__}; exact-real semantics"
Claim = RankClaim | MarginClaim
Look = Callable[[list[int]], list[Any]]


@dataclass
class Outcome:
    """What the checker found about one file."""

    file: str
    verdict: str = "REJECTED"
    data: str = ""
    claims: list[dict[str, object]] = field(default_factory=list)
    rejection: Rejection | None = None
    trust: str = TRUST
    seconds: float = 0.0


def check_file(path: str, jobs: int) -> Outcome:
    """Check a certificate file; an unexpected exception of any kind is a rejection.

    Guarantee: the verdict is ACCEPTED only if every obligation of every claim was proved.
    """
    outcome, start = Outcome(path), time.perf_counter()
    try:
        claims = check(path, jobs, outcome)
        outcome.claims, outcome.verdict = claims, "ACCEPTED"
    except Rejection as rejection:
        outcome.rejection = rejection
        if rejection.rule == "container.unreadable":
            outcome.verdict = "UNREADABLE"
    except Exception as error:
        outcome.rejection = Rejection("", "internal", f"{type(error).__name__}: {error}")
    outcome.seconds = round(time.perf_counter() - start, 3)
    return outcome


def check(path: str, jobs: int, outcome: Outcome) -> list[dict[str, object]]:
    """Return the results of all claims."""
    document = DOCUMENT(load_document(path), "")
    outcome.data = document.data.name
    raw = document.arrays
    arrays = Arrays(load_arrays(path, raw.file, raw.bytes, raw.sha256))
    inputs = arrays.exact(document.data.inputs, document.data.samples, document.data.dimension)
    network = read_network(document.network, inputs, arrays)
    labels = read_labels(document.data, arrays)
    claims = [read_claim(claim, network, arrays, labels) for claim in document.claims]
    unused = ", ".join(sorted(arrays.unused))[:200]
    require(not unused, "/arrays/file", "container.unreferenced", "tensors that nothing refers to", unused)
    swept = [claim for claim in claims if claim is not None]
    for bits in {claim.precision for claim in swept}:
        arrays.budget.spend("/network", work=network.work * words(bits))
    pairs = list(zip(document.claims, claims, strict=True))
    structural = [check_structure(raw, network, arrays) for raw, claim in pairs if claim is None]
    sweep(network, swept, labels.labels if labels else [0] * network.samples, jobs)
    results = []
    for raw, claim in pairs:
        result = structural.pop(0) if claim is None else {"precision": claim.precision, **claim.conclude()}
        results.append({"label": raw.label, **result})
    return results


def read_labels(data: Any, arrays: Arrays) -> Labels | None:
    """Return labels and multiplicities; None where the certificate has no labels."""
    counts, path = [1] * data.samples, data.path + "/multiplicities"
    if data.multiplicities is not None:
        counts = arrays.integers(data.multiplicities, path, data.samples)
    require(min(counts) >= 1, path, "data.multiplicities", "must be at least 1", min(counts))
    message = "is not the sum of the multiplicities"
    require(data.total == sum(counts), data.path + "/total", "data.multiplicities", message, data.total, sum(counts))
    if data.labels is None:
        return None
    labels = arrays.integers(data.labels, data.path + "/labels", data.samples)
    known = min(labels) >= 0 and max(labels) < data.classes
    require(known, data.path + "/labels", "data.labels", "a label is not a class", [min(labels), max(labels)])
    return Labels(data.classes, labels, counts, data.total)


def read_claim(raw: Any, network: Network, arrays: Arrays, labels: Labels | None) -> Claim | None:
    """Return a claim that needs the rows of Psi; None for R5."""
    if raw.label in ("R1", "R3"):
        return RankClaim(raw, network, arrays)
    if raw.label == "R5":
        return None
    if labels is None:
        raise Rejection(raw.path, "data.labels", "without labels only R1, R3 and R5 can be claimed", raw.label)
    return MarginClaim(raw, network, arrays, labels)


def sweep(network: Network, claims: list[Claim], labels: list[int], jobs: int) -> None:
    """Show every row of Psi to every claim, each distinct precision evaluated once.

    Guarantee: on return every claim has merged what it saw of all rows, each row exactly once; otherwise Rejection.
    """
    jobs = jobs if network.samples * network.units >= PARALLEL_UNITS else 1
    for bits in sorted({claim.precision for claim in claims}):
        group, taken = [claim for claim in claims if claim.precision == bits], 0
        with precision(bits):
            features = Features(network)

            def look(samples: list[int], features: Features = features, group: list[Claim] = group) -> list[Any]:
                rows, shared = features.rows(samples), dict[Any, Any]()
                return [claim.take(samples, rows, shared) for claim in group]

            blocks = network_blocks(network, labels, jobs)
            for samples, summaries in zip(blocks, run(look, blocks, jobs), strict=True):
                taken += len(samples)
                for claim, summary in zip(group, summaries, strict=True):
                    claim.merge(summary)
        require(taken == network.samples, "", "internal", "not every sample was evaluated", network.samples, taken)


def run(look: Look, blocks: list[list[int]], jobs: int) -> Iterable[list[Any]]:
    """Look at all blocks, in order, in several processes where that is possible."""
    if jobs == 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(look, blocks)
        return
    context = multiprocessing.get_context("fork")  # the children inherit `look`: nothing of the claims is sent
    pool = ProcessPoolExecutor(jobs, context, start_worker, (look,))
    try:
        yield from pool.map(work, blocks)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def start_worker(look: Look) -> None:
    """Keep what the worker has to do; Ctrl-C ends it silently."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    WORK.append(look)


def work(samples: list[int]) -> list[Any]:
    """Look at one block in a worker process."""
    return WORK[-1](samples)


WORK: list[Look] = []
