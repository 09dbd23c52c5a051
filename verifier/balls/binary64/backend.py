"""Array libraries behind the engine: NumPy, CuPy, and in the tests array-api-strict.

A backend is passed in, never global. It multiplies matrices, writes every product into the record of the computation
that asked for it (`products`; the canary tests what stands there), and offers untrusted factorizations as proposals.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.pools import blas_threads
from verifier.balls.binary64.products import (
    LINE,
    WORD,
    Layout,
    Product,
    Products,
    Signature,
    address,
    laid_out,
    spot_check,
    spot_check_stack,
)
from verifier.balls.binary64.products import Array as Array
from verifier.errors import InputError, VerifierError, installing

CHUNK = 1 << 14
"""Entries per elementwise chunk on a CPU: its temporaries stay in the second-level cache."""

DEVICE_CHUNK = 1 << 25
"""Entries per elementwise chunk on a GPU: far below 2^31, so that no 32-bit index overflows."""

POOL_FRACTION = 0.92
"""Share of the GPU's memory that CuPy's pool may take: the rest is for cuBLAS and other processes."""


WRONG_PRODUCT = (
    "the matrix product is not a sum of float64 products (emulated, reduced precision, Strassen or faulty); "
    "use another BLAS or device"
)
"""What is said of a product that fails a test."""


class NotEnclosed(VerifierError):
    """Binary64 cannot enclose something (overflow, an unsupported function, a platform not trusted); Arb may."""


def _matmul(a: Array, b: Array) -> Array:
    return a @ b


@dataclass(eq=False)
class Backend:
    """An array library and the one operation that is trusted of it beyond IEEE arithmetic: the matrix product.

    Parameters
    ----------
    xp
        Array API namespace.
    name
        ``numpy``, ``cupy``, ...
    product
        ``(a, b) -> a @ b`` on float64 matrices. Trusted to evaluate sums of products in some order; see `canary`.
    threads
        Threads for elementwise work (1 on a GPU).
    shapes, flops
        What was multiplied, by shape and layout, and the operations: for statistics; `products.Products` is the record
        that conclusions rest on.
    """

    xp: Any
    name: str
    product: Product = _matmul
    threads: int = 1
    chunk: int = CHUNK
    shapes: set[Signature] = field(default_factory=set)
    flops: float = 0.0
    listeners: list[Products] = field(default_factory=list, repr=False)

    def matmul(self, a: Array, b: Array, record: Products | None = None) -> Array:
        """``a @ b`` in float64, shapes (m, k) and (k, n); nothing else is multiplied in the trusted part.

        Parameters
        ----------
        a, b
            Matrices of the library.
        record
            Where the product is written down, with the outcome of its spot check; so is it in every record of
            `heard`. Whoever concludes something from it has the record tested first: `canary.require`.

        Returns
        -------
        Array
            Shape (m, n). Guarantee: if the library multiplies as it is trusted to (each entry a sum of the k float64
            products in some order), ``|c - a b| <= gamma_{k+2} |a||b| + 3k 2^-1022`` entrywise (`bounds`; Jeannerod and
            Rump 2013). Nothing is guaranteed of a product whose record does not pass.

        Raises
        ------
        TypeError
            If an operand is not float64: single precision would break every bound.
        """
        if a.dtype != self.xp.float64 or b.dtype != self.xp.float64:
            raise TypeError(f"matmul of {a.dtype} and {b.dtype}: the engine multiplies float64 only")
        (a, left), (b, right) = laid_out(self, a), laid_out(self, b)
        m, k, n = (int(size) for size in (*a.shape, b.shape[1]))
        twin = left is not None and right is not None and (m, left) == (n, _turned(right)) and address(a) == address(b)
        threads = blas_threads() if self.name == "numpy" else 0
        signature = Signature(m, k, n, left, right, twin, threads)
        product, records = self.product, [*self.listeners, *([] if record is None else [record])]
        self.shapes.add(signature)
        self.flops += 2.0 * m * k * n
        c = product(a, b)
        for kept in records:
            kept.add(self, product, signature)
        if tuple(c.shape) != (m, n) or c.dtype != self.xp.float64:
            wrong, found = True, f"expected float64 of shape {(m, n)}, got {c.dtype} of shape {tuple(c.shape)}"
        elif min(m, k, n) > 0:
            wrong, found = spot_check(self, a, b, c), "the product in use differs from the sum of its terms"
            wrong = bool(wrong) if self.name == "numpy" else wrong
        else:
            wrong, found = False, ""
        if wrong is not False:
            for kept in records:
                kept.doubt(wrong, f"product {signature}: {found}; {WRONG_PRODUCT}")
        return c

    @cached_property
    def _stacked(self) -> Product:
        """One product as part of a stack: a way of its own, but in NumPy, where stacks are made one by one."""
        return lambda a, b: self.product(self.xp.stack([a, a]), self.xp.stack([b, b]))[1, ...]

    def matmul_stack(self, a: Array, b: Array, record: Products) -> Array:
        """``a[i] @ b[i]`` for all i, shapes (B, m, k) and (B, k, n).

        Returns
        -------
        Array
            Shape (B, m, n). Guarantee: as `matmul`, for each of the products; all layouts that occur are recorded.

        Raises
        ------
        TypeError
            The operands are not of float64, or do not fit.
        """
        a, b = self.contiguous(a), self.contiguous(b)
        count, m, k = (int(size) for size in a.shape)
        n = int(b.shape[2])
        if min(count, m, k, n) == 0 or a.dtype != self.xp.float64 or b.dtype != self.xp.float64:
            raise TypeError(f"products of {a.dtype}, {a.shape}, and {b.dtype}, {b.shape}: float64 with entries only")
        self.flops += 2.0 * count * m * k * n
        c = self.product(a, b)
        for i in range(min(count, LINE // WORD)):  # further ones lie like one of these
            layouts = laid_out(self, a[i, ...])[1], laid_out(self, b[i, ...])[1]
            signature = Signature(m, k, n, *layouts, False, blas_threads() if self.name == "numpy" else 0)
            self.shapes.add(signature)
            for kept in (*self.listeners, record):
                kept.add(self, self.product if self.name == "numpy" else self._stacked, signature)
        failure = f"products {signature}: the products in use differ from the sums of their terms; {WRONG_PRODUCT}"
        wrong = spot_check_stack(self, a, b, c) if tuple(c.shape) == (count, m, n) else True
        for kept in (*self.listeners, record):
            kept.doubt(wrong, failure)
        return c

    @contextmanager
    def heard(self) -> Iterator[Products]:
        """Record all products of the block, whatever else they are written into.

        Guarantee: every product that this backend makes inside the ``with`` block is in the record yielded.
        """
        products = Products()
        self.listeners.append(products)
        try:
            yield products
        finally:
            self.listeners[:] = [kept for kept in self.listeners if kept is not products]

    def asarray(self, values: NDArray[np.float64]) -> Array:
        """Take a NumPy array over to the library's device, as float64.

        Guarantee: the same numbers, if ``values`` holds float64 or integers below 2^53.
        """
        return self.xp.asarray(np.ascontiguousarray(values, dtype=np.float64))

    def numpy(self, values: Array) -> NDArray[Any]:
        """Bring an array back as a NumPy array, the same numbers."""
        if self.name == "cupy":
            return np.asarray(values.get())
        return np.asarray(values)

    def contiguous(self, values: Array) -> Array:
        """The same matrix in C order, copied where it lies otherwise."""
        if self.name in ("numpy", "cupy"):
            return self.xp.ascontiguousarray(values)
        return self.xp.asarray(values, copy=True)

    def map(self, function: Callable[[Array], Array], values: Array, *, overwrite: bool = False) -> Array:
        """Apply an elementwise function to an array by chunks that fit the cache, into a new one or in place.

        Guarantee: each entry of the result is the function's value at the entry at the same place, once.
        """
        flat = self.xp.reshape(values, (-1,))
        size, found = int(flat.shape[0]), flat if overwrite else self.xp.empty_like(flat)

        def work(part: slice) -> None:
            found[part] = function(flat[part])

        self.in_chunks(work, size, self.chunk)
        return self.xp.reshape(found, values.shape)

    def in_chunks(self, work: Callable[[slice], None], size: int, step: int) -> None:
        """Do elementwise work on ``0..size`` by ranges of ``step``, on as many threads as the backend has.

        Guarantee: each number is in one range, and each range is worked on once.
        """
        starts = range(0, size, step)

        def lane(mine: range) -> None:
            with np.errstate(all="ignore"):  # the setting is each thread's own
                for start in mine:
                    work(slice(start, min(start + step, size)))

        if self.threads > 1 and len(starts) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(lane, [starts[first :: self.threads] for first in range(self.threads)]))
        else:
            lane(starts)

    def all_finite(self, values: Array) -> bool:
        """Whether no entry is NaN or infinite.

        Guarantee: True implies that every entry is finite.
        """
        if values.shape[0] == 0:
            return True
        return bool(self.xp.all(self.xp.isfinite(values)))

    def cholesky(self, matrix: Array) -> Array | None:
        """Untrusted lower triangular Cholesky factor, or None if it breaks down."""
        try:
            factor = self.xp.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            return None
        return factor if self.all_finite(factor) else None

    def right_solve_transposed(self, b: Array, lower: Array) -> Array:
        """Untrusted ``b @ inv(lower)^T`` for a lower triangular matrix."""
        if self.name == "numpy":
            import scipy.linalg

            return scipy.linalg.solve_triangular(lower, b.T, lower=True, check_finite=False).T
        if self.name == "cupy":
            import cupyx.scipy.linalg

            return cupyx.scipy.linalg.solve_triangular(lower, b.T, lower=True).T
        return self.xp.matmul(b, self.xp.linalg.inv(lower).T)

    def describe(self) -> str:
        """The array library's name and version, for a certificate's record."""
        return f"{self.name} {getattr(self.xp, '__version__', '')}".strip()


def _turned(layout: Layout) -> Layout:
    return Layout(layout.column, layout.row, layout.offset)


def numpy_backend(threads: int | None = None) -> Backend:
    """Make the backend that computes on the processor, by NumPy.

    Parameters
    ----------
    threads
        Threads for elementwise work, by default one per core, at most 8: more only wait for memory.

    Examples
    --------
    >>> import verifier as vf
    >>> vf.numpy_backend(threads=2).name
    'numpy'
    """
    import array_api_compat.numpy as xp

    return Backend(xp, "numpy", threads=threads or min(8, os.cpu_count() or 1))


def cupy_backend() -> Backend:
    """The CuPy backend on the current GPU: FP64 only, emulation switched off, memory pool bounded.

    Guarantee: none beyond `Backend`'s. The environment's switches of emulated or reduced products are refused when set,
    and set to 0; that products are then FP64 is what the canary tests.

    Raises
    ------
    InputError
        In one line, if there is no CuPy or no GPU, or emulation is asked for.

    Examples
    --------
    >>> import verifier as vf
    >>> vf.cupy_backend().name  # doctest: +SKIP
    'cupy'
    """
    asked = {name: os.environ.get(name, "0") for name in EMULATION}
    wrong = [name for name, value in asked.items() if value not in ("0", "")]
    if wrong:
        raise InputError(f"{wrong[0]} = {asked[wrong[0]]}: emulated FP64 products are not certified; unset it")
    for name in EMULATION:
        os.environ[name] = "0"
    try:
        import cupy
    except ImportError:
        raise InputError(f"--device gpu needs CuPy, which is not installed; {installing('gpu')}") from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise InputError(f"--device gpu: no usable GPU ({error}); use --device cpu") from None
    if count < 1:
        raise InputError("--device gpu: no GPU found; use --device cpu")
    import array_api_compat.cupy as xp

    total = int(cupy.cuda.Device().mem_info[1])
    cupy.get_default_memory_pool().set_limit(size=int(POOL_FRACTION * total))
    return Backend(xp, "cupy", chunk=DEVICE_CHUNK)


EMULATION = ("CUBLAS_EMULATE_DOUBLE_PRECISION", "CUPY_TF32")
"""Environment switches of emulated or reduced products: refused when set, and set to 0."""


def backend_for(device: str) -> Backend:
    """Return the backend that ``--device`` names: ``cpu`` or ``gpu``.

    Raises
    ------
    InputError
        For another word, or if the GPU cannot be used.
    """
    if device == "cpu":
        return numpy_backend()
    if device == "gpu":
        return cupy_backend()
    raise InputError(f"--device {device}: unknown device; use cpu or gpu")
