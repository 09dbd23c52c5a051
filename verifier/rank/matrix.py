"""One entry for a matrix of your own: its exact rank, all its singular values, and whether it is definite.

Entries are rational numbers, taken exactly: ``A = B / D`` with an integer matrix B and one integer D > 0. Rank and
signs of eigenvalues are those of B, singular values those of B divided by D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from flint import fmpz_mat, nmod_mat

from verifier.balls.decimals import decimal_enclosure
from verifier.balls.exact import ExactArray, at_least, at_most
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up
from verifier.data.gate import exact
from verifier.data.matrix_files import MAX_ENTRIES, read_matrix
from verifier.display import Card, Decided, Shown, listed, wrapped
from verifier.errors import DataError, InputError, one_line
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.definite import Definiteness, definiteness, is_symmetric
from verifier.rank.modular import integer_rank
from verifier.rank.singular_values import MAX_DIGITS, PRIME, matrix_singular_values
from verifier.rank.singular_values import as_json as values_as_json
from verifier.rank.spectrum_search import SingularValues, has_digits
from verifier.verdict import Verdict

DEFAULT_DIGITS: Final = 15
"""Of the singular values: about what a binary64 number holds."""
EXACT_SECONDS: Final = 120.0
"""An exact rank that is estimated to take longer is not begun."""
MAX_BITS: Final = 2**33
"""Most bits of all entries of B together."""
FULL_RANK: Final = {
    Verdict.PROVED: "this {} matrix has full rank",
    Verdict.REFUTED: "this {} matrix does not have full rank",
    Verdict.UNDECIDED: "whether this {} matrix has full rank is open",
}
"""The conclusion, before its reason."""
SHOWN: Final = 12
"""Most singular values that the summary lists."""


@dataclass(frozen=True, slots=True, repr=False)
class MatrixResult(Decided, Shown):
    """What is proved of a matrix: its rank, singular values and definiteness.

    Parameters
    ----------
    verdict : Verdict
        Of "the matrix has full rank min(N, M)": ``PROVED``, ``REFUTED`` (then `rank` is the exact rank), or
        ``UNDECIDED``.
    reason : str
        How the rank was decided.
    rows, columns : int
        N and M.
    rank_at_least, rank_at_most : int
        Proved bounds of the rank.
    numbers : str
        Which numbers were taken, in words.
    values : SingularValues or None
        All singular values (R4); None if they were not asked for.
    definite : Definiteness or None
        Signs of the eigenvalues; None if the matrix is not symmetric.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.matrix([[1, 2], [2, 4]], digits=None)
    >>> found.proved, found.rank, found.is_symmetric
    (False, 1, True)
    """

    verdict: Verdict
    reason: str
    rows: int
    columns: int
    rank_at_least: int
    rank_at_most: int
    numbers: str
    values: SingularValues | None = None
    definite: Definiteness | None = None

    @property
    def rank(self) -> int | None:
        """The exact rank, None if only bounds of it are proved."""
        return self.rank_at_least if self.rank_at_least == self.rank_at_most else None

    @property
    def singular_values(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """Bounds of all singular values in decreasing order; empty if they were not asked for.

        Guarantee: ``low <= sigma_k <= high`` for each.
        """
        if self.values is None:
            return ()
        return tuple(
            (low.fraction(), high.fraction()) for low, high in zip(self.values.lower, self.values.upper, strict=True)
        )

    @property
    def is_symmetric(self) -> bool:
        """Whether the matrix equals its transpose, exactly."""
        return self.definite is not None

    def _card(self) -> Card:
        shown = [("N x M", f"{self.rows} x {self.columns}"), ("numbers", self.numbers), ("rank", _rank_words(self))]
        if self.values is not None and self.values.lower:
            for k, name in ((0, "sigma_1"), (-1, "sigma_min")):
                low, high = self.values.lower[k], self.values.upper[k]
                shown.append((name, f"in [{at_least(low)}, {at_most(high)}]"))
        shown.append(("symmetric", "no" if self.definite is None else f"yes, {self.definite.kind}"))
        return Card("A matrix of your own", str(self.verdict), self.reason, tuple(shown))

    def __str__(self) -> str:
        """Every statement: rank, singular values, definiteness, each with its verdict and reason."""
        return "\n".join(describe(self))


def matrix(
    A: Any,
    digits: int | None = DEFAULT_DIGITS,
    *,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
) -> MatrixResult:
    """Prove rank, singular values and definiteness of a matrix of exact numbers.

    Parameters
    ----------
    A : array_like of shape (N, M), SciPy sparse matrix, ExactArray, or str or Path
        The matrix: floats, integers of any size, fractions, decimals; a sparse one is made dense. Or a file: ``.npy``,
        ``.mtx``, ``.csv``, ... (see `verifier.data.matrix_files.read_matrix`).
    digits : int or None, optional
        Decimal digits wanted of each singular value, relative to itself; None leaves the singular values out.
    max_bits : int, optional
        Last precision tried for them.
    stage : callable, optional
        Told what is being proved.

    Returns
    -------
    MatrixResult
        Guarantee: its verdicts and bounds are true of exactly these numbers.

    Raises
    ------
    InputError
        Not a matrix of finite real numbers, too large, or ``digits`` out of range.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.matrix([[2, 1], [1, 2]], digits=5)
    >>> found.rank, found.definite.kind
    (2, 'positive definite')
    """
    if digits is not None and (type(digits) is not int or not 1 <= digits <= MAX_DIGITS):
        raise InputError(f"digits = {one_line(digits)} must be a whole number in 1..{MAX_DIGITS}, or None")
    shape, numerators, denominator, numbers = _taken(A)
    n, m = shape
    integers = fmpz_mat(n, m, numerators)
    low, high, reason = _rank(integers, stage)
    full = min(n, m)
    verdict = Verdict.PROVED if low == full else Verdict.REFUTED if high < full else Verdict.UNDECIDED
    values = None
    if digits is not None:
        values = _values(shape, numerators, denominator, digits, high, max_bits, stage)
    definite = None
    if is_symmetric(integers):
        stage("matrix: signs of the eigenvalues")
        definite = definiteness(integers, _floats(numerators, shape), high)
    return MatrixResult(verdict, reason, n, m, low, high, numbers, values, definite)


def _taken(given: Any) -> tuple[tuple[int, int], list[int], int, str]:
    """Shape, integer numerators and common denominator of the matrix, and which numbers these are, in words."""
    if isinstance(given, str | Path):
        read = read_matrix(given)
        return read.shape, *_over_common_denominator(read.entries), f"{Path(given).name}: {read.words}"
    if isinstance(given, ExactArray):
        _check_shape(given.shape)
        numerators, exponent = given.integers()
        shift = [value << max(exponent, 0) for value in numerators]
        return (given.shape[0], given.shape[1]), shift, 1 << max(-exponent, 0), "an ExactArray"
    sparse = hasattr(given, "toarray")
    if sparse:
        _check_shape(tuple(given.shape))
        _refuse_repeated(given)
    array = exact(given.toarray() if sparse else given, "A")
    _check_shape(array.shape)
    kind = "exact rationals" if array.dtype.kind == "O" else f"{array.dtype.name} numbers, each exactly"
    words = f"a sparse matrix made dense, {kind}" if sparse else kind
    return (array.shape[0], array.shape[1]), *_over_common_denominator(array.ravel().tolist()), words


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        remedy = "; a vector is A.reshape(1, -1) or A.reshape(-1, 1)" if len(shape) == 1 else ""
        raise DataError(f"A: shape {shape}, expected (N, M) with at least one row and one column{remedy}")
    if shape[0] * shape[1] > MAX_ENTRIES:
        raise DataError(
            f"A: shape {shape} has more than {MAX_ENTRIES} entries; for larger matrices of binary64 numbers use "
            "verifier.certify_gram(verifier.MatrixEnclosure(verifier.numpy_backend(), A))"
        )


def _refuse_repeated(given: Any) -> None:
    """Refuse a sparse matrix with several numbers for one entry: SciPy adds them with rounding, or modulo 2^8."""
    stored = given.tocoo() if hasattr(given, "tocoo") else given
    if hasattr(stored, "row") and hasattr(stored, "col"):
        rows, columns = (part.get() if hasattr(part, "get") else part for part in (stored.row, stored.col))
        places = np.asarray(rows, dtype=np.int64) * int(given.shape[1]) + np.asarray(columns, dtype=np.int64)
        if len(np.unique(places)) < len(places):
            raise DataError(
                "A: the sparse matrix has several numbers for one entry, which are not added exactly; add them first "
                "(A.sum_duplicates()), or give a dense array"
            )


def _over_common_denominator(entries: list[Any]) -> tuple[list[int], int]:
    """Write rational numbers as integers over one denominator, exactly."""
    ratios = [(int(e), 1) if isinstance(e, bool | int) else e.as_integer_ratio() for e in entries]
    denominator = 1
    for common in {ratio[1] for ratio in ratios}:
        denominator = math.lcm(denominator, common)
        if denominator.bit_length() * len(entries) > MAX_BITS:
            raise DataError(
                "A: over their common denominator the entries are too long; round them to binary64 first, or scale rows"
            )
    return [numerator * (denominator // own) for numerator, own in ratios], denominator


def _rank(a: fmpz_mat, stage: Stage) -> tuple[int, int, str]:
    """Bounds of the rank, and how they were found.

    Guarantee: modulo a prime the rank can only be smaller than it is, so that it is a lower bound; `integer_rank` says
    whether its result is exact.
    """
    n, m = a.nrows(), a.ncols()
    full = min(n, m)
    stage(f"matrix: rank of {n} x {m} integers modulo a prime")
    modular = int(nmod_mat(a, PRIME).rank())
    if modular == full:
        return full, full, f"rank {full} = min(N, M): full rank modulo the prime 2^61 - 1 is full rank"
    stage(f"matrix: exact rank of {n} x {m} integers")
    found = integer_rank([list(map(int, row)) for row in a.tolist()], EXACT_SECONDS)
    if not found.exact:
        words = f"the rank is at least {modular} (modulo the prime 2^61 - 1)"
        return modular, full, f"{words}; the exact rank would take about {found.seconds:.0f} s and was not begun"
    if found.rank == full:
        return full, full, f"rank {full} = min(N, M), by exact elimination"
    return found.rank, found.rank, f"the exact rank is {found.rank} < min(N, M) = {full}, by exact elimination"


def _values(
    shape: tuple[int, int],
    numerators: list[int],
    denominator: int,
    digits: int,
    rank_at_most: int,
    max_bits: int,
    stage: Stage,
) -> SingularValues:
    """Enclose the singular values of ``numerators / denominator``.

    Guarantee: that of `matrix_singular_values`; a denominator that is no power of two is divided by in balls.
    """
    binary = denominator & (denominator - 1) == 0
    exponent = 1 - denominator.bit_length() if binary else 0
    array = ExactArray.of_integers(numerators, shape, exponent)
    wanted = digits if binary else min(digits + 1, MAX_DIGITS)
    found = matrix_singular_values(array, wanted, max_bits=max_bits, stage=stage, rank_at_most=rank_at_most)
    if binary:
        return found
    bits = math.ceil(wanted * math.log2(10)) + 32
    with working_precision(2 * bits):
        lower = tuple(round_down(value.arb() / denominator, bits) for value in found.lower)
        upper = tuple(round_up(value.arb() / denominator, bits) for value in found.upper)
    enough = bool(lower) and all(has_digits(low, high, digits) for low, high in zip(lower, upper, strict=True))
    verdict = Verdict.PROVED if enough else Verdict.UNDECIDED
    reason = found.reason.replace(f"{wanted} digits", f"{digits} digits") if enough else found.reason
    return replace(found, verdict=verdict, reason=reason, digits=digits, lower=lower, upper=upper)


def _floats(numerators: list[int], shape: tuple[int, int]) -> Any:
    """The integers divided by a power of two, near 1: an untrusted approximation."""
    bits = max(max(abs(value).bit_length() for value in numerators) - 900, 0)
    values = np.array([float(value >> bits) for value in numerators]).reshape(shape)
    return values / max(float(np.abs(values).max()), 1.0)


def _rank_words(found: MatrixResult) -> str:
    return str(found.rank) if found.rank is not None else f"{found.rank_at_least}..{found.rank_at_most}"


def describe(found: MatrixResult, *, every: bool = False) -> list[str]:
    """The result in lines for people.

    Parameters
    ----------
    found : MatrixResult
        What to say.
    every : bool, optional
        Whether all singular values are listed, or the first and the last few.

    Returns
    -------
    list of str
        Guarantee: each singular value is within the printed bound of the printed number.
    """
    sentence = f"{FULL_RANK[found.verdict].format(f'{found.rows} x {found.columns}')}: {found.reason}."
    lines = listed([(str(found.verdict), sentence)])
    lines += wrapped(f"numbers: {found.numbers}")
    if found.values is not None:
        lines += listed([(str(found.values.verdict), f"singular values (R4): {found.values.reason}")])
        count = len(found.values.lower)
        if count and found.values.condition is not None:
            lines.append(f"           condition number {decimal_enclosure(*found.values.condition, 6)}")
        chosen = range(count) if every or count <= SHOWN else (*range(SHOWN // 2), *range(count - SHOWN // 2, count))
        last = -1
        for k in chosen:
            if k > last + 1:
                lines.append(f"           ... ({k - last - 1} more)")
            lines.append(f"           sigma_{k + 1} = {found.values.text(k)}")
            last = k
    if found.definite is not None:
        text = f"symmetric, {found.definite.kind}: {found.definite.reason}"
        lines += listed([(str(found.definite.verdict), text)])
    return lines


def as_json(found: MatrixResult) -> dict[str, Any]:
    """The result as one JSON document; decimals are rounded outward.

    Parameters
    ----------
    found : MatrixResult
        The result.

    Returns
    -------
    dict
        The document.
    """
    definite = found.definite
    return {
        "rows": found.rows,
        "columns": found.columns,
        "numbers": found.numbers,
        "verdict": str(found.verdict),
        "reason": found.reason,
        "rank": found.rank,
        "rank_at_least": found.rank_at_least,
        "rank_at_most": found.rank_at_most,
        "singular_values": None if found.values is None else values_as_json(found.values),
        "symmetric": definite is not None,
        "definite": None
        if definite is None
        else {
            "verdict": str(definite.verdict),
            "kind": definite.kind,
            "reason": definite.reason,
            "positive": definite.positive,
            "zero": definite.zero,
            "negative": definite.negative,
        },
    }
