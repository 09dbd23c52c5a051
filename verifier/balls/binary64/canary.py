"""The canary: a test that this machine, with the libraries now loaded, computes what the fast engine trusts.

Trusted are IEEE-754 binary64 ``+ - * / sqrt`` to nearest and inner products evaluated as sums of products in some
order. Both are tested where the answer is known bit by bit: elementwise operations against rounding done in integers
(`rounding`), matrix products at every shape, layout and number of threads in use on matrices whose product is exact
(`exact_products`). Every product in use passes a spot check besides (`products`).

Whatever is concluded from binary64 calls `require` with the record of its products before it is returned.

A canary is a test. It finds a wrong mode, library or switch; it cannot guarantee that other data at the same shape take
the same path (an emulation that inspects exponents may fall back to true FP64 here), nor that the hardware never errs.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from verifier.balls.binary64.backend import EMULATION, Backend, NotEnclosed
from verifier.balls.binary64.exact_products import PROBE, layouts, subnormal_products, tests
from verifier.balls.binary64.pools import pools
from verifier.balls.binary64.products import Products, Shape3, Signature
from verifier.balls.binary64.rounding import CHECKS, elementwise, halving_in_threads
from verifier.display import Judged

__all__ = ["MOST_SHOWN", "PROBE", "CanaryReport", "between_canaries", "canary", "require", "require_products"]

Found = TypeVar("Found")

MOST_SHOWN = 12
"""Shapes that a report lists, those with the most operations; all are tested."""


@dataclass(frozen=True)
class CanaryReport(Judged):
    """Which products were tested against exact ones, and whether their bounds held.

    Parameters
    ----------
    passed
        Whether every check held. The engine certifies nothing otherwise.
    checks
        Names of the checks that were run, in order; a failed one is the last.
    failure
        One line: check, expected and computed value, remedy. Empty if passed.
    library
        The array library and its version.
    shapes
        Shapes of the products tested, most operations first.
    pools
        Thread pools of the native libraries loaded, with versions and thread counts.
    products
        Number of products tested: by shape, layouts, and threads.
    """

    passed: bool
    checks: tuple[str, ...]
    failure: str
    library: str
    shapes: tuple[Shape3, ...] = ()
    pools: tuple[str, ...] = ()
    products: int = 0

    def describe(self) -> str:
        """Say in one line, for a certificate's record, what the canary found."""
        if not self.passed:
            return f"canary failed: {self.failure} ({self.library})"
        parts = [name for name in self.checks if not name.startswith("product ")]
        if self.shapes:
            parts.append("products " + " ".join("x".join(map(str, shape)) for shape in self.shapes[:MOST_SHOWN]))
        if len(self.shapes) > MOST_SHOWN:
            parts.append(f"{len(self.shapes) - MOST_SHOWN} smaller shapes")
        return f"canary passed: {', '.join(parts)} ({self.library})"


def canary(backend: Backend, products: Products | Iterable[Shape3 | Signature]) -> CanaryReport:
    """Test the arithmetic of ``backend``, and matrix products.

    Parameters
    ----------
    backend
        The array library.
    products
        The record of a computation: those of its products that the canary has not tested since are tested, each with
        the backend that made it, and counted as tested; what its spot checks found is a failure. Or products of this
        backend: shapes (m, k, n) for (m, k) times (k, n), or signatures, which also say how the operands lie.

    Returns
    -------
    CanaryReport
        Guarantee: if the report says passed, every computed entry of every check had the bits of the exact answer
        rounded to nearest (up to the sign of a zero in a product), and every product of the record was tested after
        its first use, its operands lying as they lay. This is evidence, not proof, for any other operands. Beside the
        products the cost is O(mk + kn + mn). The backend's own count of shapes and operations is left alone.

    Raises
    ------
    ValueError
        If a shape has a negative number.

    Examples
    --------
    >>> import verifier as vf
    >>> report = vf.canary(vf.numpy_backend(1), [(20, 30, 40)])
    >>> report.passed, report.products
    (True, 1)
    """
    record = products if isinstance(products, Products) else _as_record(backend, products)
    record.settle()
    names: list[str] = []
    failure = f"in use: {record.failure}" if record.failure else ""
    with np.errstate(all="ignore"):
        for name, check in [] if failure else _checks(backend):
            names.append(name)
            found = check()
            if found:
                failure = f"{name}: {found}"
                break
    for signature, found in [] if failure else tests(record.untested(), record.passed):
        names.append(f"product {signature}")
        if found:
            failure = f"product {signature}: {found}"
    if failure:
        record.fail(failure)
    tested = [key[2] for key in record.used if key in record.passed and min(key[2].shape) > 0]
    shapes = tuple(sorted({signature.shape for signature in tested}, key=lambda shape: (-math.prod(shape), shape)))
    return CanaryReport(not failure, tuple(names), failure, backend.describe(), shapes, _pools(), len(tested))


def between_canaries(
    backend: Backend, work: Callable[[], Found], again: Callable[[], object] = lambda: None
) -> tuple[Found | None, CanaryReport]:
    """Do work whose conclusions rest on binary64, between two canaries.

    Parameters
    ----------
    backend
        The array library that the work computes with.
    work
        What is to be done; it is not begun if the first canary fails.
    again
        Called before the second canary, which tests every product that the work made.

    Returns
    -------
    (result of the work or None, CanaryReport)
        Guarantee: a result is returned only if the platform passed before and after, at every product in use.
    """
    before = canary(backend, [])
    if not before.passed:
        return None, before
    with backend.heard() as products:
        found = work()
    again()
    after = canary(backend, products)
    return (found if after.passed else None), after


def _as_record(backend: Backend, products: Iterable[Shape3 | Signature]) -> Products:
    record = Products()
    for entry in products:
        signature = entry if isinstance(entry, Signature) else Signature(*entry)
        if min(signature.shape) < 0:
            raise ValueError("canary: a shape has a negative number")
        record.add(backend, backend.product, signature)
    return record


def require(record: Products) -> None:
    """Refuse a conclusion unless the platform computes what it rests on; what was tested once is not tested again.

    Parameters
    ----------
    record
        All products that the conclusion rests on.

    Raises
    ------
    NotEnclosed
        A product of the record fails its spot check or the canary's test at its shape and layout; or the arithmetic
        now in force is not IEEE-754 binary64 to nearest.

    Notes
    -----
    Guarantee: on return every product of the record was tested after its first use, and the elementwise checks have
    just passed.
    """
    require_products(record)
    for backend in {id(backend): backend for backend, _, _ in record.used.values()}.values():
        with np.errstate(all="ignore"):
            for name, check in _modes(backend):
                failure = check()
                if failure:
                    _refuse(record, f"{name}: {failure}")


def require_products(record: Products) -> None:
    """Test what is new in a record, as `require` does, but leave the arithmetic's modes for the conclusion.

    Raises
    ------
    NotEnclosed
        As `require`.
    """
    record.settle()
    if record.failure:
        raise NotEnclosed(f"refused, {record.failure}")
    uses = record.untested()
    if not uses:
        return
    backends = {id(backend): backend for backend, _, _ in uses.values()}
    around = [heard for backend in backends.values() for heard in backend.listeners]
    for heard in around:  # within one computation a product is tested once
        record.passed |= heard.passed & uses.keys()
    for signature, failure in tests(record.untested(), record.passed):
        if failure:
            _refuse(record, f"product {signature}: {failure}")
    for heard in around:
        heard.passed |= record.passed & heard.used.keys()


def _refuse(record: Products, failure: str) -> None:
    record.fail(failure)
    for backend, _, _ in record.used.values():
        for heard in backend.listeners:
            heard.fail(failure)
    raise NotEnclosed(f"refused, {failure}")


def _modes(backend: Backend) -> Iterator[tuple[str, Callable[[], str]]]:
    """The checks of elementwise arithmetic: name and check, which returns its failure or nothing."""
    yield "environment", _environment
    for name in CHECKS:
        yield name, functools.partial(elementwise, backend, name)
    if backend.threads > 1:
        yield "threads", functools.partial(halving_in_threads, backend)
    yield "subnormal products", functools.partial(subnormal_products, backend)


def _checks(backend: Backend) -> Iterator[tuple[str, Callable[[], str]]]:
    """All checks but those of products in use."""
    yield from _modes(backend)
    yield "layouts", functools.partial(layouts, backend)


def _pools() -> tuple[str, ...]:
    """Thread pools of native libraries, without their paths."""
    return tuple(
        sorted(
            f"{pool['internal_api']} {pool.get('version')}, {pool['num_threads']} threads" for pool in pools().info()
        )
    )


def _environment() -> str:
    for name in EMULATION:
        value = os.environ.get(name, "")
        if value not in ("", "0"):
            return f"expected {name} unset or 0, got {value!r}: emulated products are not certified; unset it"
    return ""
