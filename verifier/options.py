"""How a problem is proved: which parts, by which engine, with how many threads, up to which precision and cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

from flint import ctx

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.canary import between_canaries
from verifier.balls.binary64.pools import pools
from verifier.balls.feature_enclosure import use_threads
from verifier.certificate.limits import Limits
from verifier.errors import CaseError, InputError, nearest, one_line
from verifier.landscape.escape_kinds import ORDER
from verifier.rank.certify import Stage
from verifier.rank.gram import GramProver, certify_gram

Engine = Literal["binary64", "arb"]
"""What proves: binary64 where it suffices and Arb elsewhere, or Arb alone."""
Found = TypeVar("Found")
Part = Literal["rank", "path", "theorem"]
"""What is proved: the rank; the path; all statements, which needs the other two."""

UNCHECKED_SECONDS: Final = 120.0
"""What the prover may spend on one exact proof of a rank that its certificate will not hold."""
BITS: Final = (64, 16384)
"""Least and most last precision of the ladders."""
MAX_CHECK: Final = 10**6
"""Seconds or GiB that a check may be predicted to take."""
SMALL_ENTRIES: Final = 2**19
"""Psi with fewer entries is proved by one thread: faster, and the same bits whatever else the machine does."""
BLAS_THREADS: Final = max(1, (os.cpu_count() or 1) // 2)
"""OpenBLAS threads wait by spinning: with a checker at work on the same cores, a QR took 100 times longer."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a problem is proved, and which parts.

    Parameters
    ----------
    parts : frozenset of str, optional
        Of ``"rank"``, ``"path"`` and ``"theorem"`` (all statements, which needs the other two).
    engine : "binary64" or "arb", optional
        Binary64 where it suffices and Arb elsewhere, or Arb alone.
    backend : Backend, optional
        Array library of the binary64 engine (the device), NumPy by default.
    threads : int, optional
        Most threads of the linear algebra; see `at_most_threads`. Small problems take one, whatever is allowed.
    max_bits : int, optional
        Last precision of the ladders.
    tight : bool, optional
        Ask for a sharp lower bound of sigma_N.
    escapes : tuple of str, optional
        The escapes that may be tried, in any order.
    certificate : bool, optional
        Whether the claims are to be put into a certificate: a rank then needs a right inverse.
    max_check_seconds, max_check_gib : float, optional
        What checking the certificate may take, as predicted: CPU seconds and GiB.
    gram : callable, optional
        Proves R2, by default with the Gram matrix in memory.

    Raises
    ------
    InputError
        One of them is unknown.

    Examples
    --------
    >>> import verifier as vf
    >>> options = vf.Options(parts=frozenset({"rank"}), engine="arb", max_bits=256)
    >>> options.limits.seconds  # what checking the certificate may take, by default
    300.0
    """

    parts: frozenset[Part] = frozenset({"rank", "path", "theorem"})
    engine: Engine = "binary64"
    backend: Backend | None = None
    threads: int | None = None
    max_bits: int = 4096
    tight: bool = False
    escapes: tuple[str, ...] = ORDER
    certificate: bool = True
    max_check_seconds: float | None = None
    max_check_gib: float | None = None
    gram: GramProver = certify_gram

    def __post_init__(self) -> None:
        """Refuse options that are not known, in one line."""
        if self.engine not in get_args(Engine):
            raise InputError(
                f"engine = {one_line(self.engine)} is unknown; {nearest(str(self.engine), get_args(Engine))}"
            )
        for part in self.parts:
            if part not in get_args(Part):
                raise InputError(f"parts: {one_line(part)} is unknown; {nearest(str(part), get_args(Part))}")
        least, most = BITS
        if not least <= self.max_bits <= most:
            raise InputError(f"rank.max_bits = {self.max_bits} must be in {least}..{most}")
        for name in ("max_check_seconds", "max_check_gib"):
            _require_limit(name, getattr(self, name))
        if not set(self.escapes) <= set(ORDER):
            raise CaseError(f"path.escapes = {list(self.escapes)}: name some of {', '.join(ORDER)}")

    @property
    def limits(self) -> Limits:
        """What checking the certificate may take, as predicted; none if there will be no certificate."""
        usual = Limits()
        return Limits(
            usual.seconds if self.max_check_seconds is None else self.max_check_seconds,
            usual.gib if self.max_check_gib is None else self.max_check_gib,
        )


@contextmanager
def at_most_threads(count: int | None = None) -> Iterator[None]:
    """Let the linear algebra of NumPy and FLINT use at most so many threads; the one place where this is decided.

    Parameters
    ----------
    count : int, optional
        By default as many as are best where nothing else is known: half of the cores for BLAS, all of them for FLINT,
        whose products are the same bits whatever the number.
    """
    before = ctx.threads
    use_threads(count or os.cpu_count() or 1)
    try:
        with pools().limit(limits=count or BLAS_THREADS):
            yield
    finally:
        use_threads(before)


def by_engine(
    options: Options, small: bool, work: Callable[[Backend | None, str], Found], stage: Stage
) -> tuple[Found, str]:
    """Prove something with the engine and the threads that are asked for; the one place where that is decided.

    Parameters
    ----------
    options
        Engine, array library and threads.
    small
        Whether one thread is best: faster, and the same bits whatever else the machine does.
    work
        Proves, given the array library of the binary64 engine, or None for Arb alone, and the engine in words.
    stage
        Told that the platform is checked again.

    Returns
    -------
    (what ``work`` returned, str)
        Guarantee: what was proved in binary64 is returned only if the platform's canary passed before and after; where
        it fails, everything is proved again by Arb. With it the arithmetic in words, for a certificate's record.
    """
    with at_most_threads(1 if small else options.threads):
        if options.engine == "arb":
            return work(None, "Arb"), "arb"
        backend = options.backend or numpy_backend()
        engine = f"binary64, {backend.describe()}"
        found, canary = between_canaries(
            backend, lambda: work(backend, engine), lambda: stage("checking the platform again")
        )
        if found is None:
            return work(None, f"Arb (binary64 refused: {canary.failure})"), "arb"
    arithmetic = f"proposed and proved in {engine} where it suffices, else arb; platform canary passed before and after"
    return found, f"{arithmetic} at {len(canary.shapes)} product shapes in every layout in use"


def _require_limit(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 < value <= MAX_CHECK):  # type: ignore[operator]
        raise InputError(f"{name} = {one_line(value)} must be a number above 0 and at most {MAX_CHECK}")
