"""What checking a certificate will cost, predicted from its claims before anything is proved.

Counts come first, prices afterwards: `Work` counts what the checker does, from the shapes alone (N samples, d
coordinates, m classes, the network's nodes, the claims' bits), as its code does it; `CHECKER` prices a piece of work in
CPU seconds and bytes. A prediction decides which claims a certificate holds, never whether something is true.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from verifier.certificate.size import BLOCK_BALLS, Size
from verifier.certificate.work import CHECKER, FIRST_BITS, Work
from verifier.statements.claims.architecture import AData
from verifier.statements.claims.catalogue import CLAIMS
from verifier.statements.claims.claim import Claim
from verifier.statements.claims.connection import TwoNetworks
from verifier.statements.claims.descent import GDV
from verifier.statements.claims.full_rank import B1, R5, R6
from verifier.statements.claims.jacobian import JacobianClaim
from verifier.statements.claims.losses import TC3
from verifier.statements.claims.minimum import BM
from verifier.statements.claims.paths import E1, E3, E4, E4Path, SPath
from verifier.statements.claims.sink import S
from verifier.statements.claims.witness import WitnessClaim
from verifier.statements.claims.zero_error import Z2, Z0Error, Z0Loss

GIB = 2**30
EXPECTED_PIECES = 32
"""Of a moving piece of a path, before it is proved."""
MAX_HESSIAN_ROWS = 2000
"""Rows of a Hessian's factors that the checker multiplies at a time."""
RATIONAL_ENTRIES = 25
"""What a value of a unit costs in rational numbers, in numbers that pass through Python."""
MARGIN_KEYS = ("start_weights", "end_weights", "output_weights")
StatedClaim = dict[str, Any]
"""A claim as it stands in a document, or one that is expected."""


BASE, PER_NUMBER, PER_BALL, PER_INPUT, PER_CLASS = 3 * 10**8, 64, 450, 56, 24
"""Bytes: an idle checker; a number while it is read; a ball of a block of samples, in all its forms; a held number; a
class of a sample in a window.
"""
WORDS_OF_TWO_BALLS = 36
"""For each so many numbers of a right inverse a block may have one ball more."""
STORED_WHOLE, WHOLE_BITS, PER_WHOLE = ((15, 2), (31, 4)), 62, 52
"""Bits of a right inverse's integers with their bytes in the file; bytes of one of up to so many bits while it is read.
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a check is predicted to take: CPU seconds, bytes at the peak, the counts that they come from."""

    seconds: float
    memory: int
    work: Work

    def __str__(self) -> str:
        """In words, rounded to what a prediction is worth."""
        return f"about {span(self.seconds)} and {self.memory / GIB:.2g} GiB"


def span(seconds: float) -> str:
    """A predicted time in words, no more precise than it is: seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def predict(claims: Sequence[StatedClaim], size: Size) -> Cost:
    """Predict what checking these claims together takes.

    Parameters
    ----------
    claims
        As they stand in the document, or `expected` ones.
    size
        Of the instance.

    Returns
    -------
    Cost
        Of one certificate with exactly these claims; claims that share a pass over the samples, or output weights,
        count them once.
    """
    seconds, total = CHECKER.start, Work()
    for work, bits in _parts(claims, size):
        seconds += CHECKER.seconds(work, bits)
        total += work
    return Cost(seconds, _memory(claims, size), total)


def _parts(claims: Sequence[StatedClaim], size: Size) -> Iterator[tuple[Work, int]]:
    """Yield all work of a check, each part with its precision."""
    n, d, m = size.samples, size.dimension, size.columns
    sampled = any(_kind(claim).needs_weights for claim in claims)
    yield Work(entries=n * d + size.weights if sampled else 0), FIRST_BITS
    swept = [claim for claim in claims if _kind(claim).swept]
    for bits in sorted({_shared_bits(claim) for claim in swept}):
        yield _pass(size), bits
        group = [claim for claim in swept if _shared_bits(claim) == bits]
        matrices = {ref for claim in group if _kind(claim) is not TC3 for ref in _outputs(claim)}
        yield _margins(size, len(matrices)), bits
        for claim in group:
            yield _alone(claim, size), bits
    for claim in claims:
        kind, bits = _kind(claim), claim.get("precision", FIRST_BITS)
        if issubclass(kind, WitnessClaim):
            links = len(claim.get("chain", ()))
            yield Work(entries=n * (d + 8 + links), steps=30 * n * (1 + links), differences=10 * n), bits
        elif kind is R5 and claim.get("reason") in ("dependent-units", "every-u"):
            yield Work(entries=n * d, differences=2 * size.arcs), bits
        elif kind is AData:
            yield Work(entries=n * (d + size.widest)), bits
        elif kind is B1 and not size.layered:
            yield _box(size), bits
        elif kind is R6:
            yield _exact_rank(claim, size), FIRST_BITS
        elif kind is Z0Error:
            yield _pass(size) + Work(products=n * m * m + m**3, entries=3 * n * m + m * m), bits
        elif kind is Z0Loss:
            yield _pass(size) + _balance(size), bits
        elif kind in (E4, S):
            share = Work(units=size.units - m, products=size.below)
            yield share.times(n) + Work(entries=size.weights, units=n), bits
        elif kind is BM:
            yield _hessian(size), bits
        elif issubclass(kind, JacobianClaim):
            yield _jacobian(claim, size), bits
        elif issubclass(kind, TwoNetworks):
            yield _of_two_networks(claim, size), bits
        elif kind.moves:
            yield _moving(claim, size), bits


def _shared_bits(claim: StatedClaim) -> int:
    """The precision of the pass that sees a claim: up to `FIRST_BITS` there is one, see `share_passes`."""
    return max(int(claim["precision"]), FIRST_BITS)


def share_passes(claims: Sequence[StatedClaim]) -> list[StatedClaim]:
    """Raise precisions up to `FIRST_BITS` of the pass over the samples to the largest of them.

    Parameters
    ----------
    claims
        As they stand in a document.

    Returns
    -------
    list of claims
        The same ones, such that the checker evaluates the features once where few bits do.
    """
    short = {claim["precision"] for claim in claims if _kind(claim).swept and claim["precision"] <= FIRST_BITS}
    raised = ({"precision": max(short)} if claim.get("precision") in short else {} for claim in claims)
    return [claim | more if _kind(claim).swept else claim for claim, more in zip(claims, raised, strict=True)]


def _kind(claim: StatedClaim) -> type[Claim]:
    """Return the struct of the claims with a label."""
    return CLAIMS[claim["label"]]


def _pass(size: Size) -> Work:
    """One evaluation of all units on all samples."""
    slow = size.arcs - size.quick
    work = Work(units=size.units, steps=size.steps, products=slow, quick=size.quick).times(size.samples)
    return work + Work(steps=size.fixed * size.blocks)


def _jets(size: Size) -> Work:
    """One evaluation of all units on all samples along a piece of a segment, with derivatives or quotients."""
    work = Work(units=8 * size.units, steps=16 * size.steps, products=6 * size.arcs).times(size.samples)
    return work + Work(steps=16 * size.fixed * size.blocks)


def _box(size: Size) -> Work:
    """The change of all features in a ball of weights, on a network that does not consist of layers: wide balls."""
    return _jets(size).times(3)


def _exact_rank(claim: StatedClaim, size: Size) -> Work:
    """Features in rational numbers, and a rank modulo so many primes."""
    n, m = size.samples, size.columns
    entries = RATIONAL_ENTRIES * n * (size.units + m)
    return Work(entries=entries, words=3 * n * size.arcs + claim.get("primes", 1) * n * m * min(n, m))


def _margins(size: Size, matrices: int) -> Work:
    """The margins of so many matrices of output weights on all samples; their columns' differences for each block."""
    if not matrices:
        return Work()
    n, others = size.samples, size.classes - 1
    runs = size.blocks + min(size.classes, n)
    work = Work(products=n * size.columns * others * matrices, entries=n * size.columns)
    return work + Work(differences=size.columns * others * runs * matrices, steps=10 * n * others * matrices)


def _alone(claim: StatedClaim, size: Size) -> Work:
    """What a claim of the pass over the samples needs beyond the pass and its margins."""
    n, m, classes, kind = size.samples, size.columns, size.classes, _kind(claim)
    if kind.ranks:
        used = claim["right_inverse"]["shape"][0]
        bits = claim["feature_bits"] + _bits(claim["right_inverse"])
        entries = 6 * used * n + 3 * n * n  # features rounded and the inverse read; the residual's norms
        words = used * n * n * _words(bits)
        squarings = claim["norm_products"]
        words += 0 if not squarings else used * n * n * _words(2 * _bits(claim["right_inverse"]))
        words += max(0, squarings - 1) * 2 * n**3
        return Work(entries=entries + squarings * n * n, words=words)
    if kind is TC3:
        work = Work(products=3 * n * m * classes, entries=n * m + 6 * m * classes, steps=60 * n * classes)
        return work + Work(differences=10 * n * classes)
    if kind is Z2:
        work = Work() if size.layered else _box(size)
        return work + Work(differences=m * classes * min(classes, n) + 4 * size.weights, steps=2_000_000)
    if kind is GDV:
        short, long = sorted((n, m))
        squarings = 3 * short**3 if short <= 2000 else 0  # often the first bounds are sharp enough
        return Work(entries=8 * n * m + 4 * short**2, words=2 * short**2 * long + 2 * squarings)
    return Work()


def _jacobian(claim: StatedClaim, size: Size) -> Work:
    """The Jacobian of the logits, backwards through the network for each of its rows, times a right inverse."""
    used, rows = claim["right_inverse"]["shape"]
    back = Work(units=size.units, steps=2 * size.steps, products=2 * size.arcs, entries=size.weights).times(rows)
    product = Work(quick=rows * used * rows, entries=5 * rows * used + rows * rows)
    return _pass(size) + back + product


def _hessian(size: Size) -> Work:
    """The gradient at the point, the second derivatives in the box, and their least eigenvalue (BM)."""
    theta, rows, n = _theta(size), _rows_of_hessian(size), size.samples
    back = Work(units=size.units, steps=4 * size.steps, differences=3 * size.arcs).times(2 * n)
    made = Work(entries=n * theta * (20 * size.units + 10 * rows), quick=n * rows * theta**2)
    return _pass(size).times(4) + back + made + Work(quick=theta**3, entries=20 * theta**2, differences=theta**3 // 8)


def _theta(size: Size) -> int:
    """The numbers that a Hessian is of: U, and V without its last column."""
    return size.weights + size.columns * (size.classes - 1)


def _rows_of_hessian(size: Size) -> int:
    """Pairs of rows that one sample adds to a Hessian: logits, columns, curved entries, factors of sums."""
    return size.classes + size.columns + 2 * size.units


def _balance(size: Size) -> Work:
    """The Hessian of the loss in the output weights of all classes but one, and its solution (Z0.loss)."""
    n, m, classes = size.samples, size.columns, size.classes
    unknowns = m * (classes - 1)
    products = n * m * m * classes**2 + unknowns**3
    return Work(products=products, entries=n * m * classes**2 + 4 * unknowns**2, steps=60 * n * classes)


def _moving(claim: StatedClaim, size: Size) -> Work:
    """Both ends, and every piece of the way with its derivatives in time."""
    n, m, pieces, kind = size.samples, size.columns, claim.get("pieces", 0), _kind(claim)
    work = _pass(size).times(2) + _margins(size, len(set(_outputs(claim))) + 1)
    if kind in (E1, E3):
        work += (_jets(size) + _margins(size, 6)).times(pieces)
    elif kind is E4Path:
        work += _jets(size).times(pieces) + Work(products=n * n * m, steps=200 * m, entries=2 * n * m)
    elif kind is SPath:
        work += _exact_rank(claim, size)
    else:
        work += Work(differences=8 * size.arcs, entries=n * m)
    return work


def _of_two_networks(claim: StatedClaim, size: Size) -> Work:
    """The corners, and every piece: values at its middle, slopes of activations, products but those of the inputs."""
    stated = claim["pieces"]
    pieces = stated if isinstance(stated, int) else len(stated)
    units, steps, products = 4 * size.units, 6 * size.steps, 3 * (size.arcs - size.straight)
    work = Work(units=units, steps=steps, products=products).times(size.samples) + _margins(size, 2)
    corners = len(claim.get("corners", ())) or 1
    return work.times(pieces) + (_pass(size) + _margins(size, 1)).times(1 + corners)


def _memory(claims: Sequence[StatedClaim], size: Size) -> int:
    """Bytes of one process of the checker at its peak."""
    n, d, m, classes = size.samples, size.dimension, size.columns, size.classes
    kinds = {_kind(claim) for claim in claims}
    moves, everywhere = any(kind.moves for kind in kinds), E4 in kinds
    matrices = len({ref for claim in claims for ref in _outputs(claim)})
    held, peak = BASE + (400 * n if any(issubclass(kind, WitnessClaim) for kind in kinds) else 0), 0
    if any(kind.needs_weights for kind in kinds):
        peak = PER_NUMBER * max(n * d, size.weights)
        held += PER_INPUT * size.weights * (2 if moves or everywhere else 1) + 16 * n * d
        held += PER_NUMBER * m * classes * matrices
    if moves or everywhere or S in kinds or any(kind.swept for kind in kinds):
        stays = max((prod(claim["right_inverse"]["shape"]) for claim in claims if "right_inverse" in claim), default=0)
        rows = max(1, min(n, max(BLOCK_BALLS, stays // WORDS_OF_TWO_BALLS) // size.widest))
        peak = max(peak, PER_BALL * rows * size.widest * (4 if moves else 1))
    for claim in claims:
        if "right_inverse" in claim:
            used, bits = claim["right_inverse"]["shape"][0], _bits(claim["right_inverse"])
            long = 16 + 8 * _words(bits) if bits > 62 else 8
            stored = next((width for most, width in STORED_WHOLE if bits <= most), _item(claim["right_inverse"]))
            held += used * n * (long + stored)
            peak = max(peak, used * n * (PER_WHOLE if bits <= WHOLE_BITS else PER_NUMBER))
        if _kind(claim) is BM:
            held_rows = MAX_HESSIAN_ROWS + _rows_of_hessian(size)
            peak = max(peak, PER_NUMBER * _theta(size) * (3 * held_rows + 6 * _theta(size)))
        if _kind(claim) is AData:
            peak = max(peak, PER_NUMBER * n * d + PER_CLASS * n * size.widest)
        if _kind(claim) is E4Path:
            peak = max(peak, 200 * n * m)
    return held + peak


def _outputs(claim: StatedClaim) -> Iterator[str]:
    """The claim's matrices of output weights, each by what it refers to."""
    on_pieces = claim.get("weights", ()) if issubclass(_kind(claim), TwoNetworks) else ()
    for matrix in (*(claim[key] for key in MARGIN_KEYS if key in claim), *on_pieces):
        yield json.dumps(matrix, sort_keys=True)


def _bits(reference: dict[str, Any]) -> int:
    """Bits of the integers of an exact array: those that its reference states, or that its terms can hold."""
    terms = reference.get("terms", ())
    spread = max((t["exponent"] for t in terms), default=0) - min((t["exponent"] for t in terms), default=0)
    return int(reference.get("bits", 62)) + spread


def _item(reference: dict[str, Any]) -> int:
    return 8 * max(1, len(reference.get("terms", ())))


def _words(bits: int) -> int:
    return bits // 64 + 1


def expected(size: Size, labels: Iterable[str], *, used: int | None = None, bits: int = 40) -> list[StatedClaim]:
    """Claims as they may come, for a prediction before they are proved.

    Parameters
    ----------
    size
        Of the instance.
    labels
        Of the claims.
    used
        Columns that a right inverse uses (R1); by default all.
    bits
        Bits of its integers.
    """
    found = []
    for label in labels:
        claim: StatedClaim = {"label": label, "precision": FIRST_BITS}
        if CLAIMS[label].ranks:
            shape = [used or size.columns, size.samples]
            norms = 6 if size.samples <= 200 else 4 if size.samples <= 500 else 0
            claim |= {"right_inverse": {"shape": shape, "bits": bits}, "feature_bits": 24, "norm_products": norms}
        fields = CLAIMS[label].__struct_fields__
        ends = {"loss": True} if CLAIMS[label] is TC3 else {"end": True}
        for field, value in (("start_weights", {"start": True}), ("end_weights", ends), ("output_weights", ends)):
            claim |= {field: value} if field in fields else {}
        claim |= {"pieces": EXPECTED_PIECES} if "pieces" in fields else {}
        found.append(claim)
    return found
