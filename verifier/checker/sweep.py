"""One pass over the samples, block by block, shared by all claims of a precision and by several processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from .exact import precision
from .network import Block, Features, Network
from .rejection import Rejection

PARALLEL_ENTRIES = 100_000  # below this many hidden values a second process does not pay


class Claim(Protocol):
    """A claim about Psi: takes its rows in blocks, then hands on what it has seen as plain Python numbers."""

    precision: int

    def take(self, block: Block) -> None:
        """Look at some rows of Psi, as balls."""

    def prepare(self, jobs: int) -> None:
        """Do the work that needs no rows (the parent does it while other processes evaluate)."""

    def seen(self) -> Any:
        """Return the summary of the rows taken."""

    def add(self, summary: Any) -> None:
        """Merge the summary that another process made."""


def sweep(network: Network, claims: Sequence[Claim], jobs: int) -> None:
    """Show every row of Psi to every claim, each distinct precision evaluated once.

    Guarantee: on return every claim holds the summaries of all rows, each row exactly once; otherwise Rejection.
    """
    rows = network.block_rows()
    blocks = [range(i, min(i + rows, network.samples)) for i in range(0, network.samples, rows)]
    work = network.samples * sum(layer.units for layer in network.layers)
    jobs = 1 if work < PARALLEL_ENTRIES else min(jobs, len(blocks))
    if jobs == 1 or not claims or "fork" not in multiprocessing.get_all_start_methods():
        taken = _take_blocks(network, claims, blocks)
        for claim in claims:
            claim.prepare(jobs)
        _compare_rows(network, claims, taken)
        return
    share = -(-len(blocks) // jobs)
    rows = -(-network.samples // (share * jobs))  # equal shares
    blocks = [range(i, min(i + rows, network.samples)) for i in range(0, network.samples, rows)]
    context = multiprocessing.get_context("fork")
    workers = []
    try:
        for number in range(jobs):
            receiver, sender = context.Pipe(duplex=False)
            arguments = (sender, network, claims, blocks[number::jobs])
            worker = context.Process(target=_work, args=arguments, daemon=True)
            worker.start()
            sender.close()
            workers.append((worker, receiver))
        for claim in claims:
            claim.prepare(jobs)
        _compare_rows(network, claims, sum(_merge(claims, receiver) for _, receiver in workers))
    finally:
        for worker, receiver in workers:
            worker.terminate()
            worker.join()
            receiver.close()


def _compare_rows(network: Network, claims: Sequence[Claim], taken: int) -> None:
    """Make sure that no row was lost on the way: every claim has to see every sample once."""
    if taken != network.samples * len(claims):
        raise Rejection("", "internal", "not every sample was evaluated", network.samples * len(claims), taken)


def _take_blocks(network: Network, claims: Sequence[Claim], blocks: list[range]) -> int:
    """Show some rows to the claims; return the number of pairs (row, claim)."""
    taken = 0
    for bits in sorted({claim.precision for claim in claims}):
        with precision(bits):
            features = Features(network)
            for samples in blocks:
                block = features.block(samples)
                for claim in claims:
                    if claim.precision == bits:
                        claim.take(block)
                        taken += len(samples)
    return taken


def _work(sender: Connection, network: Network, claims: Sequence[Claim], blocks: list[range]) -> None:
    """Run in a child process: send the summaries, or why there are none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        taken = _take_blocks(network, claims, blocks)
        sender.send((taken, [claim.seen() for claim in claims]))
    except Rejection as rejection:
        sender.send(rejection)
    except BaseException as error:
        sender.send(Rejection("", "internal", f"a worker failed: {type(error).__name__}: {error}"))


def _merge(claims: Sequence[Claim], receiver: Connection) -> int:
    try:
        answer = receiver.recv()
    except EOFError:
        raise Rejection("", "internal", "a worker process died (out of memory?); try --jobs 1") from None
    if isinstance(answer, Rejection):
        raise answer
    taken, summaries = answer
    for claim, summary in zip(claims, summaries, strict=True):
        with precision(claim.precision):
            claim.add(summary)
    return int(taken)
