"""What checking a certificate will cost, predicted from its claims before anything is proved.

Counts come first, prices afterwards: `Work` counts what the checker does, from the shapes alone (N samples, d
coordinates, m classes, the layers, the claims' bits), as its code does it; `CHECKER` prices a piece of work in CPU
seconds and bytes. A prediction decides which claims a certificate holds, never whether something is true.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from verifier.network.network import Network

GIB = 2**30
CHECKER_SECONDS, CHECKER_GIB = 600.0, 6.0
"""What the checker may take unless it is told otherwise: CPU seconds of all its processes, address space of each."""
ROOM = 2.0
"""The checker's limits are so many times what a check is predicted to take at most: its machine may be slower than the
one on which the prices were found, and a prediction is right within such a factor.
"""
INVERSE_SHARE = 0.25
"""Of the seconds, for a right inverse (R1, R3, E4.path): it costs N^2 K, and is about one U only."""
FIRST_BITS = 64
"""Precision that claims are expected to have before they are proved."""

SWEPT = frozenset({"R1", "R3", "Z1", "P1", "Z2", "C1", "C3", "TC.3"})
"""Labels that the checker proves in its pass over the samples; those of one precision share a pass."""
WITHOUT_WEIGHTS = frozenset({"W0", "W1", "W2"})
"""Labels that need no weights: a document with no others has none."""
MOVING = frozenset({"E1", "E2", "E3", "E4.path"})
NAMES = {
    "R1": "full row rank at this U",
    "R3": "full row rank at this U",
    "R5": "the rank's deficiency",
    "Z1": "zero training error",
    "P1": "the path",
    "Z2": "the ball of zero training error",
    "B1": "the ball of full rank",
    "C1": "no stationary point",
    "C3": "no local maximum",
    "E1": "the path",
    "E2": "the path",
    "E3": "the path",
    "E4.path": "the path",
    "E4": "a path from every point",
    "TC.3": "another loss's path",
    "W0": "full rank at almost every U",
    "W1": "the witness",
    "W2": "the witness",
}
"""Claims in a few words."""
MARGIN_KEYS = ("start_weights", "end_weights", "output_weights")
CLASSICAL = 120
"""FLINT multiplies matrices of balls by blocks of integers where all sides are longer."""
BLOCK_BALLS = 1 << 20
"""Balls that the checker holds of one block of samples."""

Claim = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Predicted CPU seconds of all processes together, and GiB of the checker as a whole, that a check may take."""

    seconds: float = CHECKER_SECONDS / ROOM
    gib: float = CHECKER_GIB / ROOM

    def allow(self, cost: Cost) -> bool:
        """Whether a check of this predicted cost is wanted."""
        return cost.seconds <= self.seconds and cost.memory <= self.gib * GIB

    @property
    def checker(self) -> tuple[float, float]:
        """CPU seconds and GiB that the checker must be allowed, at least those that it allows itself."""
        return max(CHECKER_SECONDS, ROOM * self.seconds), max(CHECKER_GIB, ROOM * self.gib)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A claim that is proved and not in the certificate, what its check would take, and the limits that put it in.

    ``needs`` is the label of the claim without which it cannot stand, "" if it was left out for its own cost.
    """

    label: str
    needs: str
    seconds: float
    gib: float
    max_check_seconds: float
    max_check_gib: float

    @property
    def what(self) -> str:
        """The claim in words."""
        return NAMES.get(self.label, self.label)

    def __str__(self) -> str:
        """One line for the document."""
        if self.needs:
            return f"{self.label}, {self.what}: it needs {self.needs} beside it"
        return f"{self.label}, {self.what}: checking it would take about {span(self.seconds)} and {self.gib:.2g} GiB"


@dataclass(frozen=True, slots=True)
class Size:
    """The shapes that a check depends on.

    ``units`` hidden units of all layers, ``arcs`` their incoming weights (a shared one counts each time), ``steps``
    nodes of their activations' expressions, ``weights`` stored numbers, ``widest`` the balls of one sample.
    """

    samples: int
    dimension: int
    classes: int
    columns: int
    units: int
    arcs: int
    steps: int
    weights: int
    widest: int
    below: int
    """Arcs of layers without skip units."""
    quick: int
    """Arcs of layers whose matrices are large: their products are cheaper."""

    @classmethod
    def of(cls, network: Network, samples: int, classes: int) -> Size:
        """The shapes of a network on so many samples of so many classes."""
        units = arcs = steps = below = quick = 0
        widest, nodes = network.dimension, dict[str, int]()
        skip = {index for index, _ in network.skip_units}
        for index, layer in enumerate(network.layers):
            width = math.prod(network.shapes[index])
            window = layer.fan_in(network.source_shapes(index))
            total = width // layer.rows * window
            text = "t" if layer.activation is None else layer.activation.canonical
            if text not in nodes:
                nodes[text] = sum(1 for _ in ast.walk(ast.parse(text, mode="eval").body))
            units, arcs, steps = units + width, arcs + width * window, steps + width * nodes[text]
            below += 0 if index in skip else width * window
            quick += width * window if min(layer.rows, window) > CLASSICAL else 0
            widest = max(widest, total)
        widest = max(widest, network.dimension + units)
        count = network.parameter_count
        columns = network.skip_count
        return cls(samples, network.dimension, classes, columns, units, arcs, steps, count, widest, below, quick)

    @property
    def blocks(self) -> int:
        """Blocks into which the checker cuts the samples."""
        return -(-self.samples // max(1, BLOCK_BALLS // self.widest))


@dataclass(frozen=True, slots=True)
class Work:
    """Counts of what the checker does."""

    units: int = 0
    """Values of units, each a ball of its own."""
    steps: int = 0
    """Nodes of expressions, evaluated at a ball."""
    products: int = 0
    """Multiply-adds of balls."""
    quick: int = 0
    """The same in products of large matrices."""
    entries: int = 0
    """Numbers and balls that pass through Python: read, rounded, put into matrices."""
    differences: int = 0
    """Differences of output weights, rational multiply-adds, and the like: some Python operations each."""
    words: int = 0
    """Multiply-adds of 64-bit words in exact products of integer matrices."""

    def __add__(self, other: Work) -> Work:
        """Both."""
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Work)))

    def times(self, count: int) -> Work:
        """The same again and again."""
        return Work(*(getattr(self, f.name) * count for f in fields(Work)))


@dataclass(frozen=True, slots=True)
class Prices:
    """Seconds of a piece of work, bytes of a number: of one checker on one machine."""

    start: float
    unit: float
    step: float
    product: float
    quick: float
    entry: float
    difference: float
    word: float

    def seconds(self, work: Work, bits: int = FIRST_BITS) -> float:
        """CPU seconds of work at this precision."""
        return (
            self.unit * work.units
            + self.step * work.steps * (1.0 + bits / 250)
            + (self.product * work.products + self.quick * work.quick) * max(1.0, bits / 128)
            + self.entry * work.entries * (1.0 + bits / 2000)
            + self.difference * work.differences
            + self.word * work.words
        )


CHECKER = Prices(
    start=0.5,
    unit=3e-7,
    step=1.2e-7,
    product=1.4e-8,
    quick=4.5e-9,
    entry=2e-7,
    difference=4e-7,
    word=3.5e-10,
)
"""Measured with python-flint 0.9 on one core of a server CPU: Arb's functions per node of the expression, its products
of small matrices, FLINT's products of integer matrices, and the Python around them.
"""
BASE, PER_NUMBER, PER_BALL, PER_INPUT = 3 * 10**8, 64, 450, 56
"""Bytes: an idle checker; a number while it is read; a ball of a block of samples, in all its forms; a held number."""


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
    """A predicted time in words."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def predict(claims: Sequence[Claim], size: Size) -> Cost:
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


def judge(
    claim: Claim, others: Sequence[Claim], size: Size, limits: Limits, omitted: Sequence[Claim] = ()
) -> LeftOut | None:
    """Decide whether a claim is to be checked together with others.

    Parameters
    ----------
    claim
        The one in question, proved or `expected`.
    others
        What the certificate holds, or will hold, without it.
    size, limits
        The instance, and what a check may take.
    omitted
        Claims that were left out already.

    Returns
    -------
    LeftOut or None
        None if it is; else what the check with it is predicted to take, and limits that would put it and all of the
        omitted claims in.
    """
    cost = predict([*others, claim], size)
    without = predict(others, size)
    inverse = (cost.seconds - without.seconds) / INVERSE_SHARE if "right_inverse" in claim else 0.0
    if limits.allow(cost) and inverse <= limits.seconds:
        return None
    everything = predict([*others, *omitted, claim], size)
    return LeftOut(
        label=claim["label"],
        needs="",
        seconds=cost.seconds,
        gib=cost.memory / GIB,
        max_check_seconds=max(limits.seconds, _two_digits(max(everything.seconds, inverse))),
        max_check_gib=max(limits.gib, _two_digits(everything.memory / GIB)),
    )


def _two_digits(value: float) -> float:
    """A limit to be typed in: a little above the value, with two digits."""
    unit = 10.0 ** (math.floor(math.log10(1.05 * value)) - 1)
    return round(math.ceil(1.05 * value / unit) * unit, 6)


def sentence(left: Sequence[LeftOut]) -> str:
    """Say in one line what was proved and is not in the certificate, why, and how it gets there; "" for nothing."""
    if not left:
        return ""
    parts = [
        f"{item.label} ({item.what}; with it the check would take about {span(item.seconds)} and {item.gib:.2g} GiB)"
        for item in left
        if not item.needs
    ]
    dependent = [item for item in left if item.needs]
    if dependent:
        parts.append(f"{', '.join(item.label for item in dependent)} (beside {dependent[0].needs} only)")
    limits = Limits(max(item.max_check_seconds for item in left), max(item.max_check_gib for item in left))
    keys = f"max_check_seconds = {limits.seconds:g}, max_check_gib = {limits.gib:g}"
    seconds, gib = limits.checker
    allowed = f", and its checker then needs --cpu-seconds {seconds:.0f} --memory {gib:.3g}"
    allowed = allowed if limits.checker != Limits().checker else ""
    return f"proved, but not in the certificate: {', '.join(parts)}; [certificate] {keys} puts it in{allowed}"


def _parts(claims: Sequence[Claim], size: Size) -> Iterator[tuple[Work, int]]:
    """All work, each part with its precision."""
    n, d, m = size.samples, size.dimension, size.columns
    sampled = any(claim["label"] not in WITHOUT_WEIGHTS for claim in claims)
    yield Work(entries=n * d + size.weights if sampled else 0), FIRST_BITS
    swept = [claim for claim in claims if claim["label"] in SWEPT]
    for bits in sorted({claim["precision"] for claim in swept}):
        yield _pass(size), bits
        group = [claim for claim in swept if claim["precision"] == bits]
        matrices = {ref for claim in group if claim["label"] not in ("R1", "R3", "TC.3") for ref in _outputs(claim)}
        yield _margins(size, len(matrices)), bits
        for claim in group:
            yield _alone(claim, size), bits
    for claim in claims:
        label, bits = claim["label"], claim.get("precision", FIRST_BITS)
        if label in ("W1", "W2"):
            links = len(claim.get("chain", ()))
            yield Work(entries=n * (d + 8 + links), steps=30 * n * (1 + links), differences=10 * n), bits
        elif label == "R5" and claim.get("reason") in ("dependent-units", "every-u"):
            yield Work(entries=n * d, differences=2 * size.arcs), bits
        elif label == "E4":
            share = Work(units=size.units - m, products=size.below)
            yield share.times(n) + Work(entries=size.weights, units=n), bits
        elif label in MOVING:
            yield _moving(claim, size), bits


def _pass(size: Size) -> Work:
    """One evaluation of all units on all samples."""
    slow = size.arcs - size.quick
    return Work(units=size.units, steps=size.steps, products=slow, quick=size.quick).times(size.samples)


def _margins(size: Size, matrices: int) -> Work:
    """The margins of so many matrices of output weights on all samples; their columns' differences for each block."""
    if not matrices:
        return Work()
    n, others = size.samples, size.classes - 1
    runs = size.blocks + min(size.classes, n)
    work = Work(products=n * size.columns * others * matrices, entries=n * size.columns)
    return work + Work(differences=size.columns * others * runs * matrices, steps=10 * n * others * matrices)


def _alone(claim: Claim, size: Size) -> Work:
    """What a claim of the pass over the samples needs beyond the pass and its margins."""
    n, m, classes, label = size.samples, size.columns, size.classes, claim["label"]
    if label in ("R1", "R3"):
        used = claim["right_inverse"]["shape"][0]
        bits = claim["feature_bits"] + _bits(claim["right_inverse"])
        entries = 6 * used * n + 3 * n * n  # features rounded and the inverse read; the residual's norms
        words = used * n * n * _words(bits)
        squarings = claim["norm_products"]
        words += 0 if not squarings else used * n * n * _words(2 * _bits(claim["right_inverse"]))
        words += max(0, squarings - 1) * 2 * n**3
        return Work(entries=entries + squarings * n * n, words=words)
    if label in ("R6", "Z0"):
        # features in rationals, then FLINT's rank of integers of about two words (some 7e8 multiply-adds a second)
        exact = Work(entries=8 * n * size.units + 2 * n * size.arcs)
        least = min(n, m)
        return exact + (Work(entries=int(n * m * least * 2 * (1 + least / 100) / 150)) if label == "R6" else Work())
    if label == "TC.3":
        work = Work(products=3 * n * m * classes, entries=n * m + 6 * m * classes, steps=60 * n * classes)
        return work + Work(differences=10 * n * classes)
    if label == "Z2":
        return Work(differences=m * classes * min(classes, n) + 4 * size.weights, steps=2_000_000)
    return Work()


def _moving(claim: Claim, size: Size) -> Work:
    """Both ends, and every piece of the way with its derivatives in time."""
    n, m, pieces, label = size.samples, size.columns, claim.get("pieces", 0), claim["label"]
    work = _pass(size).times(2) + _margins(size, len(set(_outputs(claim))) + 1)
    jets = Work(units=4 * size.units, steps=8 * size.steps, products=3 * size.arcs).times(n)
    if label in ("E1", "E3"):
        work += (jets + _margins(size, 6)).times(pieces)
    elif label == "E4.path":
        work += jets.times(pieces) + Work(products=n * n * m, steps=200 * m, entries=2 * n * m)
    else:
        work += Work(differences=8 * size.arcs, entries=n * m)
    return work


def _memory(claims: Sequence[Claim], size: Size) -> int:
    """Bytes of one process of the checker at its peak."""
    n, d, m, classes = size.samples, size.dimension, size.columns, size.classes
    labels = {claim["label"] for claim in claims}
    matrices = len({ref for claim in claims for ref in _outputs(claim)})
    held, peak = BASE + (400 * n if labels & {"W1", "W2"} else 0), 0
    if not labels <= WITHOUT_WEIGHTS:
        peak = PER_NUMBER * max(n * d, size.weights)
        held += PER_INPUT * size.weights * (2 if labels & (MOVING | {"E4"}) else 1) + 16 * n * d
        held += PER_NUMBER * m * classes * matrices
    if labels & (SWEPT | MOVING | {"E4"}):
        rows = max(1, min(n, BLOCK_BALLS // size.widest))
        peak = max(peak, PER_BALL * rows * size.widest * (4 if labels & MOVING else 1))
    for claim in claims:
        if "right_inverse" in claim:
            used = claim["right_inverse"]["shape"][0]
            long = 16 + 8 * _words(_bits(claim["right_inverse"])) if _bits(claim["right_inverse"]) > 62 else 8
            held += used * n * (long + _item(claim["right_inverse"]))
            peak = max(peak, used * n * PER_NUMBER)
        if claim["label"] == "E4.path":
            peak = max(peak, 200 * n * m)
    return held + peak


def _outputs(claim: Claim) -> Iterator[str]:
    """The claim's matrices of output weights, each by what it refers to."""
    for key in MARGIN_KEYS:
        if key in claim:
            yield json.dumps(claim[key], sort_keys=True)


def _bits(reference: dict[str, Any]) -> int:
    """Bits of the integers of an exact array: those that its reference states, or that its terms can hold."""
    terms = reference.get("terms", ())
    spread = max((t["exponent"] for t in terms), default=0) - min((t["exponent"] for t in terms), default=0)
    return int(reference.get("bits", 62)) + spread


def _item(reference: dict[str, Any]) -> int:
    return 8 * max(1, len(reference.get("terms", ())))


def _words(bits: int) -> int:
    return bits // 64 + 1


def expected(size: Size, labels: Iterable[str], *, used: int | None = None, bits: int = 40) -> list[Claim]:
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
        claim: Claim = {"label": label, "precision": FIRST_BITS}
        if label in ("R1", "R3"):
            shape = [used or size.columns, size.samples]
            norms = 6 if size.samples <= 200 else 4 if size.samples <= 500 else 0
            claim |= {"right_inverse": {"shape": shape, "bits": bits}, "feature_bits": 24, "norm_products": norms}
        if label in ("P1", "C1", "C3", *MOVING):
            claim["start_weights"] = {"start": True}
        if label in ("P1", *MOVING):
            claim["end_weights"] = {"end": True}
        if label in ("Z1", "Z2"):
            claim["output_weights"] = {"end": True}
        if label == "TC.3":
            claim |= {"start_weights": {"start": True}, "end_weights": {"loss": True}}
        if label in ("E1", "E3", "E4.path"):
            claim["pieces"] = 32
        found.append(claim)
    return found
