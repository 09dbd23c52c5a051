"""What a certificate claims, tried out at sampled points: the network in mpmath, one entry after the other.

A second, independent reading of FORMAT.md that proves nothing: it looks for a counterexample to each claim and returns
what it found, or None. It shares no code with the checker or the prover, and knows nothing of their rules.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import mpmath
from mpmath import mp, mpf
from reading import Undefined, evaluate

FORMATS = {"U8": "B", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}
DIGITS, TIMES = 60, 24
SMALL = mpf(10) ** -25


class False_(Exception):
    """A counterexample."""


def need(holds: Any, what: str) -> None:
    """Raise where something that was claimed does not hold."""
    if not holds:
        raise False_(what)


class Sampled:
    """A certificate's document, tensors and network."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.document, self.random = json.loads(path.read_bytes()), Random(seed)
        content = (path.parent / self.document["arrays"]["file"]).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
        self.tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            code = FORMATS[entry["dtype"]]
            count = (end - begin) // struct.calcsize("<" + code)
            self.tensors[name] = struct.unpack(f"<{count}{code}", body[begin:end])
        data = self.document["data"]
        self.samples = [] if data["inputs"] is None else self.matrix(data["inputs"])
        self.labels = None if data["labels"] is None else list(self.tensors[data["labels"]])
        counts = data["multiplicities"]
        self.size_of_data = data["samples"], data["dimension"]
        self.counts = [1] * len(self.samples) if counts is None else list(self.tensors[counts])
        self.total, self.classes = sum(self.counts), data["classes"]
        self.targets = self.matrix(data["targets"]) if "targets" in data else None
        self.frozen = self.matrix(data["offset"]) if "offset" in data else None
        self.nodes, self.features = (self.document["network"][key] for key in ("nodes", "features"))
        self.fixed = {n: self.exact(node["values"]) for n, node in enumerate(self.nodes) if node["kind"] == "constant"}

    # ------------------------------------------------------------ numbers
    def exact(self, reference: Any) -> list[mpf]:
        """Return the entries of an exact array."""
        total = [Fraction(0)] * math.prod(reference["shape"])
        for term in reference["terms"]:
            scale = Fraction(2) ** term["exponent"]
            total = [a + Fraction(b) * scale for a, b in zip(total, self.tensors[term["tensor"]], strict=True)]
        return [mpf(value.numerator) / value.denominator for value in total]

    def matrix(self, reference: Any) -> list[list[mpf]]:
        """Return the rows of an exact matrix."""
        entries, width = self.exact(reference), math.prod(reference["shape"][1:])
        return [entries[start : start + width] for start in range(0, len(entries), width)]

    def draw(self, size: int) -> list[mpf]:
        """Return random numbers."""
        return [mpf(self.random.gauss(0, 1)) for _ in range(size)]

    # ------------------------------------------------------------ the network
    def parameters(self) -> dict[int, int]:
        """Return how many entries each free parameter has."""
        return {n: math.prod(node["shape"]) for n, node in enumerate(self.nodes) if node["kind"] == "parameter"}

    def size(self, output: int) -> int:
        """Return the number of units of a dense layer, or of input coordinates."""
        return math.prod(self.nodes[self.nodes[self.nodes[output]["reads"][0]]["reads"][-1] if output else 0]["shape"])

    def size_of(self, node: int) -> int:
        """Return how many entries a node has: the units of a layer, or one for each entry of a leaf."""
        given = {n: [mpf(0)] * size for n, size in self.parameters().items()}
        return len(evaluate(self.nodes, self.fixed | given, [mpf(1)] * self.size_of_data[1])[node].ravel())

    def stored(self, point: Any = None) -> dict[int, list[mpf]]:
        """Return the stored parameters U, or those of a POINT."""
        given = {n: self.nodes[n]["values"] for n in self.parameters()}
        given |= {entry["node"]: entry["values"] for entry in point or []}
        return {n: self.exact(values) for n, values in given.items()}

    def anywhere(self) -> dict[int, list[mpf]]:
        """Return random parameters."""
        return {n: self.draw(size) for n, size in self.parameters().items()}

    def psi(self, u: Any, samples: Any = None) -> list[list[mpf]]:
        """Return the feature matrix, on the samples of the certificate or others."""
        rows = []
        for x in self.samples if samples is None else samples:
            values, row = evaluate(self.nodes, self.fixed | u, x), []
            for feature in self.features:
                entries, chosen = values[feature["node"]].ravel().tolist(), feature["entries"]
                row += entries if chosen is None else [entries[j] for j in chosen]
            rows.append(row)
        return rows

    # ------------------------------------------------------------ losses
    def logits(self, psi: Any, v: Any) -> list[list[mpf]]:
        """Return Psi V."""
        return [[mpmath.fdot(row, column) for column in zip(*v, strict=True)] for row in psi]

    def margins(self, psi: Any, v: Any) -> list[list[mpf]]:
        """Return all margins of Psi V."""
        return self.margins_of(self.logits(psi, v))

    def margins_of(self, logits: list[list[mpf]]) -> list[list[mpf]]:
        """Return the margins of given logits."""
        return [[row[y] - g for k, g in enumerate(row) if k != y] for row, y in zip(logits, self.labels, strict=True)]

    def loss(self, psi: Any, v: Any) -> mpf:
        """Return the cross-entropy of Psi V and the frozen logits."""
        logits = self.logits(psi, v)
        if self.frozen is not None:
            pairs = zip(logits, self.frozen, strict=True)
            logits = [[a + b for a, b in zip(row, frozen, strict=True)] for row, frozen in pairs]
        lines = zip(self.margins_of(logits), self.counts, strict=True)
        return sum(n * mpmath.log1p(sum(map(mpmath.exp, (-m for m in row)))) for row, n in lines) / self.total


def flat(rows: Any) -> list[mpf]:
    """List the entries of a matrix."""
    return list(itertools.chain(*rows))


def number(value: Any) -> mpf:
    """Read a dyadic."""
    return mpf(int(value["mantissa"])) * mpf(2) ** value["exponent"]


def singular(psi: Any) -> list[mpf]:
    """Return the singular values, the largest first."""
    return sorted(map(abs, mpmath.svd_r(mpmath.matrix(psi), compute_uv=False)), reverse=True)


def rank(rows: Any) -> int:
    """Return how many singular values are not tiny."""
    values = singular(rows)
    return sum(value > values[0] * SMALL and value > 0 for value in values)


def between(first: Any, last: Any, t: mpf) -> Any:
    """Return (1 - t) first + t last, for nested lists."""
    if isinstance(first, dict):
        return {key: between(values, last[key], t) for key, values in first.items()}
    if isinstance(first, list | tuple):
        return [between(a, b, t) for a, b in zip(first, last, strict=True)]
    return (1 - t) * first + t * last  # exact at both ends


def scaled(v: Any, t: mpf) -> Any:
    """Return t V."""
    return [[t * entry for entry in row] for row in v]


def moved_by(found: Sampled, values: Any, radius: mpf) -> Any:
    """Return numbers that differ by at most the radius, most of them by just as much."""
    if isinstance(values, dict):
        return {key: moved_by(found, entry, radius) for key, entry in values.items()}
    if isinstance(values, list | tuple):
        return [moved_by(found, entry, radius) for entry in values]
    return values + radius * found.random.choice([-1, 1, 1, -1, 0])


def try_r1(found: Sampled, claim: Any) -> None:
    """Full row rank at the stored weights."""
    values = singular(found.psi(found.stored()))
    need(claim["rank"] == len(found.samples) == len(values), "not N singular values")
    need(values[-1] >= number(claim["sigma_lower"]) * (1 - SMALL) > 0, "sigma_N is below sigma_lower")


def try_r5(found: Sampled, claim: Any) -> None:
    """Deficiency, at the stored weights or everywhere."""
    every = claim["reason"] == "every-u"
    for u in [found.anywhere() for _ in range(3)] if every else [found.stored()]:
        need(rank(found.psi(u)) <= claim["rank_at_most"] < len(found.samples), "the rank is larger")


def try_r6(found: Sampled, claim: Any) -> None:
    """The rank itself, at the stored weights."""
    need(rank(found.psi(found.stored())) == claim["rank"], "this is not the rank")


def try_z0(found: Sampled, claim: Any) -> None:
    """The margins of some output weights, with their factors; and that no label is compared with itself."""
    psi = found.psi(found.stored())
    columns = int(found.document["data"]["classes"])
    for _ in range(3):
        drawn = found.draw(len(psi[0]) * columns)
        logits = found.logits(psi, [drawn[j * columns : (j + 1) * columns] for j in range(len(psi[0]))])
        parts = []
        for i, k, factor in zip(claim["samples"], claim["against"], claim["factors"], strict=True):
            need(int(factor) > 0 and k != found.labels[i], "no margin with a positive factor")
            parts.append(int(factor) * (logits[i][found.labels[i]] - logits[i][k]))
        need(parts and abs(sum(parts)) <= SMALL * max(map(abs, parts)), "the margins do not add up to 0")


def try_z0_loss(found: Sampled, claim: Any) -> None:
    """Search for output weights of less loss, from 0, from V, and from the multiples of V."""
    psi = found.psi(found.stored())
    asked = {**claim, "loss": "cross-entropy", "class_weights": None}
    phi = lambda v: other_loss(found, asked, psi, v)  # noqa: E731
    start = found.matrix(claim["output_weights"])
    best = min(least_found(phi, scaled(start, factor), found.classes)[0] for factor in (0, 1, 10))
    need(number(claim["loss_lower"]) <= best + SMALL, "some V has less loss")


def try_z0_error(found: Sampled, claim: Any) -> None:
    """Search for output weights of less squared error."""
    psi = found.psi(found.stored())
    phi = lambda v: other_loss(found, claim, psi, v)  # noqa: E731
    best, _ = least_found(phi, found.matrix(claim["output_weights"]), found.classes)
    need(number(claim["error_lower"]) <= best + SMALL, "some V has less squared error")


def least_found(phi: Any, v: Any, classes: int) -> tuple[mpf, Any]:
    """Search by patterns for the least value of a function of output weights."""
    best, step = phi(v), mpf(1)
    for _ in range(200):
        better = False
        for j, k, sign in itertools.product(range(len(v)), range(classes), (1, -1)):
            other = [list(row) for row in v]
            other[j][k] += sign * step
            if (value := phi(other)) < best:
                best, v, better = value, other, True
        step = step * 2 if better else step / 2
        if step < mpf(10) ** -6:
            break
    return best, v


def try_z1(found: Sampled, claim: Any) -> None:
    """Margins."""
    psi, v = found.psi(found.stored()), found.matrix(claim["output_weights"])
    need(min(map(min, found.margins(psi, v))) >= number(claim["gamma"]) > 0, "a margin is below gamma")


def try_tail(found: Sampled, claim: Any, psi: Any, start: Any) -> None:
    """Walk from V straight to kappa V1, then along the ray."""
    end, kappa, n = found.matrix(claim["end_weights"]), number(claim["kappa"]), found.total
    values = [found.loss(psi, between(start, scaled(end, kappa), mpf(k) / TIMES)) for k in range(TIMES + 1)]
    values += [found.loss(psi, scaled(end, kappa * (1 + mpf(k) / 4))) for k in range(1, 9)]
    need(all(map(lambda a, b: a > b, values, values[1:])), "the loss does not decrease")
    times = [(number(claim["zero_error_t"]), mpmath.log(2) / n)]
    times += [(number(target["t"]), number(target["loss"])) for target in claim["targets"]]
    for time, bound in times:
        need(time >= kappa and found.loss(psi, scaled(end, time)) <= bound, "the loss at t is above the bound")


def try_start(found: Sampled, claim: Any) -> mpf:
    """Compare the start loss with its bounds."""
    loss = found.loss(found.psi(found.stored()), found.matrix(claim["start_weights"]))
    low, high = (number(claim["start_loss"][key]) for key in ("lower", "upper"))
    need(low * (1 - SMALL) - SMALL <= loss <= high * (1 + SMALL) + SMALL, "the start loss")
    return loss


def try_p1(found: Sampled, claim: Any) -> None:
    """The path of P1."""
    try_start(found, claim)
    try_tail(found, claim, found.psi(found.stored()), found.matrix(claim["start_weights"]))


def try_way(found: Sampled, claim: Any) -> None:
    """E1 and E3: move straight, then the path of P1."""
    first, last = found.stored(), found.stored(claim["moved"])
    start = found.matrix(claim["start_weights"])
    arrive = found.matrix(claim["moved_weights"]) if claim["label"] == "E1" else start
    loss, before = try_start(found, claim), mpf("inf")
    for k in range(TIMES + 1):
        t = mpf(k) / TIMES
        value = found.loss(found.psi(between(first, last, t)), between(start, arrive, t))
        if claim["label"] == "E1":
            need(value < before, "the loss does not decrease while U moves")
        else:
            need(value <= loss + number(claim["epsilon"]) + SMALL, "the loss is above the start's plus epsilon")
        before = value
    try_tail(found, claim, found.psi(last), arrive)


def try_e2(found: Sampled, claim: Any) -> None:
    """The logits stay those of columns that rest, up to what is common to all classes."""
    try_start(found, claim)
    first, base, last = found.stored(), found.stored(claim.get("rerouted")), found.stored(claim["moved"])
    start, psi = found.matrix(claim["start_weights"]), found.psi(first)
    rest = set(range(len(psi[0])))
    for k in range(TIMES + 1):
        here = found.psi(between(first, base, mpf(k) / TIMES))
        need(all(abs(a - b) < SMALL for a, b in zip(flat(here), flat(psi), strict=True)), "a unit is rerouted")
        there = found.psi(between(base, last, mpf(k) / TIMES))
        rest -= {j for j in rest for a, b in zip(there, psi, strict=True) if abs(a[j] - b[j]) > SMALL}
    logits = found.logits(psi, start)
    targets = [[row[k] - row[0] for row in logits] for k in range(1, found.classes)]
    columns = [[row[j] for row in psi] for j in sorted(rest)]
    for target in targets:
        if any(abs(entry) > SMALL for entry in target):
            need(columns and rank([*columns, target]) == rank(columns), "what rests does not carry the logits")
    end, kappa = found.matrix(claim["end_weights"]), number(claim["kappa"])
    before, after = found.margins(psi, start), found.margins(found.psi(last), scaled(end, kappa))
    need(all(b > a for a, b in zip(flat(before), flat(after), strict=True)), "kappa m1 > m0")
    try_times(found, claim, found.psi(last))


def try_times(found: Sampled, claim: Any, psi: Any) -> None:
    """The ray of E2, E4.path and S.path, whose segment begins at a V that is not written down."""
    end, kappa = found.matrix(claim["end_weights"]), number(claim["kappa"])
    values = [found.loss(psi, scaled(end, kappa * (1 + mpf(k) / 4))) for k in range(9)]
    need(all(map(lambda a, b: a > b, values, values[1:])), "the loss does not decrease on the ray")
    need(values[0] < try_start(found, claim), "the loss at kappa V1 is not below the start's")
    times = [(number(claim["zero_error_t"]), mpmath.log(2) / found.total)]
    for time, bound in times + [(number(target["t"]), number(target["loss"])) for target in claim["targets"]]:
        need(time >= kappa and found.loss(psi, scaled(end, time)) <= bound, "the loss at t is above the bound")


def try_e4_path(found: Sampled, claim: Any) -> None:
    """On the way the logits of the start can be kept: they are in the span of the columns."""
    try_start(found, claim)
    first, last = found.stored(), found.stored(claim["moved"])
    logits = found.logits(found.psi(first), found.matrix(claim["start_weights"]))
    for k in range(TIMES + 1):
        psi = found.psi(between(first, last, mpf(k) / TIMES))
        columns = [list(column) for column in zip(*psi, strict=True)]
        targets = [list(column) for column in zip(*logits, strict=True)]
        need(rank(columns + [c for c in targets if any(c)]) == rank(columns), "the logits cannot be kept")
    try_times(found, claim, found.psi(last))


def try_e4(found: Sampled, claim: Any) -> None:
    """No labels conflict, and some U has full rank."""
    need(found.labels is not None, "whose labels?")
    seen: dict[Any, int] = {}
    for x, y in zip(found.samples, found.labels, strict=True):
        need(seen.setdefault(tuple(x), y) == y, "two labels of one sample")
    need(rank(found.psi(found.anywhere())) == len(found.samples), "no full rank at a random U")
    found.psi(found.anywhere())


def try_z2(found: Sampled, claim: Any) -> None:
    """Corners of the ball."""
    u, v, r = found.stored(), found.matrix(claim["output_weights"]), number(claim["radius"])
    need(r > 0, "no ball")
    for _ in range(TIMES):
        psi = found.psi(moved_by(found, u, r))
        need(min(map(min, found.margins(psi, moved_by(found, v, r)))) > 0, "a sample is misclassified in the ball")


def try_b1(found: Sampled, claim: Any) -> None:
    """Corners of the ball."""
    u, r = found.stored(), number(claim["radius"])
    need(r > 0, "no ball")
    for _ in range(TIMES):
        need(rank(found.psi(moved_by(found, u, r))) == len(found.samples), "the rank drops in the ball")


def try_c1(found: Sampled, claim: Any) -> None:
    """The gradient, by central differences."""
    psi, v, step = found.psi(found.stored()), found.matrix(claim["start_weights"]), mpf(10) ** -15
    total = mpf(0)
    for j, k in itertools.product(range(len(v)), range(found.classes)):
        losses = []
        for sign in (1, -1):
            other = [list(row) for row in v]
            other[j][k] += sign * step
            losses.append(found.loss(psi, other))
        total += ((losses[0] - losses[1]) / (2 * step)) ** 2
    bound = number(claim["gradient_lower"])
    need(bound > 0 and mpmath.sqrt(total) >= bound * (1 - mpf(10) ** -12), "the gradient is smaller")


def try_c3(found: Sampled, claim: Any) -> None:
    """The second derivative, by differences."""
    psi, v, step = found.psi(found.stored()), found.matrix(claim["start_weights"]), mpf(10) ** -15
    losses = []
    for sign in (-1, 0, 1):
        other = [list(row) for row in v]
        other[claim["unit"]][claim["output"]] += sign * step
        losses.append(found.loss(psi, other))
    second, bound = (losses[0] - 2 * losses[1] + losses[2]) / step**2, number(claim["curvature_lower"])
    need(bound > 0 and second >= bound * (1 - mpf(10) ** -9), "the second derivative is smaller")


def other_loss(found: Sampled, claim: Any, psi: Any, v: Any) -> mpf:
    """Return the loss of TC.3."""
    if found.targets is not None:
        rows = [g for g, count in zip(found.logits(psi, v), found.counts, strict=True) for _ in range(count)]
        pairs = zip(rows, found.targets, strict=True)
        return sum((x - t) ** 2 for g, own in pairs for x, t in zip(g, own, strict=True)) / 2 / found.total
    counts = claim["label_counts"]
    m, weights = found.classes, claim["class_weights"]
    weights = [mpf(1)] * m if weights is None else list(map(number, weights))
    total = mpf(0)
    frozen = found.frozen or [[mpf(0)] * m for _ in psi]
    for i, own in enumerate(found.logits(psi, v)):
        g = [a + b for a, b in zip(own, frozen[i], strict=True)]
        for y in range(m):
            times = (found.counts[i] * (found.labels[i] == y)) if counts is None else found.tensors[counts][i * m + y]
            total += times * weights[y] * one_loss(claim["loss"], g, y) if times else 0
    return total / found.total


def one_loss(name: str, g: Any, y: int) -> mpf:
    """Return l_y(g)."""
    others = [x for k, x in enumerate(g) if k != y]
    if name == "cross-entropy":
        return mpmath.log1p(sum(mpmath.exp(x - g[y]) for x in others))
    if name == "squared":
        return sum((x - (k == y)) ** 2 for k, x in enumerate(g)) / 2
    if name == "one-vs-rest":
        return mpmath.log1p(mpmath.exp(-g[y])) + sum(mpmath.log1p(mpmath.exp(x)) for x in others)
    hinges = [max(mpf(0), 1 - g[y] + x) for x in others]
    return sum(hinges) if name == "weston-watkins" else max(hinges)


def try_tc3(found: Sampled, claim: Any) -> None:
    """The segment, the ray, and a search for the infimum."""
    psi = found.psi(found.stored())
    start, end = (found.matrix(claim[key]) for key in ("start_weights", "end_weights"))
    phi = lambda v: other_loss(found, claim, psi, v)  # noqa: E731
    values = [phi(between(start, end, mpf(k) / TIMES)) for k in range(TIMES + 1)]
    need(all(b <= a + SMALL for a, b in itertools.pairwise(values)), "the loss rises on the segment")
    low, high = (number(claim["start_loss"][key]) for key in ("lower", "upper"))
    need(low - SMALL <= values[0] <= high + SMALL, "the start loss")
    need(values[-1] <= number(claim["end_loss"]) + SMALL, "the end loss")
    best, _ = least_found(phi, end, found.classes)
    low, high = (number(claim["infimum"][key]) for key in ("lower", "upper"))
    need(low <= best + SMALL, "the infimum is lower")
    need(best <= high + mpf(10) ** -4 or claim["loss"] in ("crammer-singer", "weston-watkins"), "the infimum is higher")
    if claim["gamma"] is not None:
        ray = [phi(scaled(end, 1 + mpf(k) / 2)) for k in range(20)]
        need(all(b <= a + SMALL for a, b in itertools.pairwise(ray)), "the loss rises along the ray")
        need(
            phi(scaled(end, mpf(10) ** 9)) < mpf(10) ** -6 or number(claim["gamma"]) < mpf(10) ** -7, "the ray's limit"
        )


def try_witness(found: Sampled, claim: Any) -> None:
    """Draw the other parameters, and those within the radius."""
    direction = list(found.tensors[claim["direction"]])
    radius = mpf(0) if claim["radius"] is None else number(claim["radius"])
    for _ in range(3):
        u = found.anywhere()
        before = [0, *(link["node"] for link in claim["chain"])]
        rows = [
            (link["node"], link["unit"], depth, link["weight"], number(link["bias"]))
            for depth, link in enumerate(claim["chain"])
        ]
        for block in claim["blocks"]:
            for unit, bias in zip(found.tensors[block["units"]], found.exact(block["biases"]), strict=True):
                rows.append((block["node"], unit, block["links"], block["weight"], bias))
        for output, unit, depth, weight, bias in rows:
            *sources, weights, biases = found.nodes[found.nodes[output]["reads"][0]]["reads"]
            width, offset = len(u[weights]) // len(u[biases]), 0
            for source in sources:
                if source == before[depth]:
                    break
                offset += found.size(source)
            line = [mpf(0)] * width
            if depth == 0:
                for k, a in enumerate(direction):
                    line[offset + k] = number(weight) * a
            else:
                line[offset + claim["chain"][depth - 1]["unit"]] = number(weight)
            u[weights][unit * width : (unit + 1) * width] = line
            u[biases][unit] = bias
        for moved in [u, moved_by(found, u, radius)] if radius else [u]:
            values = singular(found.psi(moved))
            enough = len(values) == len(found.samples) and values[-1] > 0
            need(enough, "no full rank at U*")
            said = mpf(claim.get("said", {}).get("sigma_lower", 0))
            need(values[-1] >= said * (1 - SMALL), "sigma_N at U* is below what was said")


def try_w0(found: Sampled, claim: Any) -> None:
    """Full rank at random parameters."""
    for _ in range(3):
        need(rank(found.psi(found.anywhere())) == len(found.samples), "no full rank at a random U")


def try_d(found: Sampled, claim: Any) -> None:
    """Full rank on random samples, at random parameters and at the stored ones."""
    count, dimension = found.size_of_data
    stored = all(found.nodes[n]["values"] is not None for n in found.parameters())
    for number in range(60 if count <= 2 else 3):  # kinks leave samples alone with some probability
        samples = [found.draw(dimension) for _ in range(count)]
        u = found.stored() if stored and number == 0 else found.anywhere()
        need(rank(found.psi(u, samples)) == count, "no full rank on random samples")


def chosen_samples(found: Sampled, kind: int) -> list[list[mpf]]:
    """Return distinct samples that are no random ones: small integers, mirrored, or permuted coordinates."""
    count, dimension = found.size_of_data
    if kind == 0:
        return [[*[mpf(0)] * (dimension - 1), mpf(i)] for i in range(count)]
    if kind == 1:
        return [[mpf(i + 1) * (-1) ** k for k in range(dimension)] for i in range(count)]
    if kind == 2:
        return [[mpf((-1) ** i * (i // 2 + 1))] * dimension for i in range(count)]
    base = list(range(1, dimension + 1))
    orders = list(itertools.islice(itertools.permutations(base), count))
    rest = [[i + 7] * dimension for i in range(count - len(orders))]
    return [list(map(mpf, x)) for x in orders + rest]


def try_a(found: Sampled, claim: Any) -> None:
    """Full rank on samples of every kind that comes to mind, at random parameters."""
    count, dimension = found.size_of_data
    if count * max(dimension, found.document["network"]["columns"]) > 400:
        return  # a million samples are none to try
    for kind in range(5):
        samples = chosen_samples(found, kind) if kind < 4 else [found.draw(dimension) for _ in range(count)]
        psi = [found.psi(found.anywhere(), samples) for _ in range(2)]
        need(max(map(rank, psi)) == count, f"no full rank on samples of kind {kind}")


def try_gdv(found: Sampled, claim: Any) -> None:
    """The first steps of the descent; all of them where they are few."""
    psi, v = found.psi(found.stored()), found.matrix(claim["start_weights"])
    goal, step, steps = found.matrix(claim["end_weights"]), 1 / number(claim["smoothness"]), claim["steps"]
    bound, before = number(claim["loss"]), found.loss(psi, v)
    need(step > 0 and found.loss(psi, goal) <= bound, "the loss at Z is above the bound")
    distance = sum((a - b) ** 2 for a, b in zip(flat(v), flat(goal), strict=True)) / (2 * step)
    need(bound + distance / steps < mpmath.log(2) / found.total, "the bound at the last step is not below log(2)/n")
    frozen = found.frozen or [[mpf(0)] * found.classes for _ in psi]
    for t in range(1, min(steps, TIMES) + 1):
        pairs = zip(found.logits(psi, v), frozen, strict=True)
        logits = [[a + b for a, b in zip(*pair, strict=True)] for pair in pairs]
        for row, g, y, count in zip(psi, logits, found.labels, found.counts, strict=True):
            p = [mpmath.exp(x - max(g)) for x in g]
            change = [step * count * (part / sum(p) - (k == y)) / found.total for k, part in enumerate(p)]
            v = [[x - a * c for x, c in zip(line, change, strict=True)] for a, line in zip(row, v, strict=True)]
        loss = found.loss(psi, v)
        need(loss <= before * (1 + SMALL) and loss <= bound + distance / t, f"the loss after {t} steps")
        before = loss
    if steps <= TIMES:
        need(before < mpmath.log(2) / found.total, "the loss at the last step is not below log(2)/n")


def try_c4(found: Sampled, claim: Any) -> None:
    """A point with Psi(U) = 0, if U = 0 is one: a neighbour has a larger loss."""
    count, dimension = found.size_of_data
    samples = [found.draw(dimension) for _ in range(min(count, 3))]
    u = {n: [mpf(0)] * size for n, size in found.parameters().items()}
    psi = found.psi(u, samples)
    if any(flat(psi)):
        return
    labels = [found.random.randrange(2) for _ in samples]
    v, near = [found.draw(2) for _ in psi[0]], mpf(10) ** -3
    start, largest = len(samples) * mpmath.log(2), mpf(0)
    for _ in range(40):
        logits = found.logits(found.psi(moved_by(found, u, near), samples), moved_by(found, v, near))
        losses = (mpmath.log1p(mpmath.exp(g[1 - y] - g[y])) for g, y in zip(logits, labels, strict=True))
        largest = max(largest, sum(losses))
    need(largest > start, "no neighbour has a larger loss")


def try_c2_plus(found: Sampled, claim: Any) -> None:
    """More columns than samples have a kernel; as many have one, or are invertible."""
    count, dimension = found.size_of_data
    need(found.document["network"]["columns"] >= count, "fewer columns than samples")
    if count <= 12:
        found.psi(found.anywhere(), [found.draw(dimension) for _ in range(count)])


def try_wd(found: Sampled, claim: Any) -> None:
    """Phi_lambda at the point, and at points near the origin, where it must be above log m."""
    decay, floor = number(claim["weight_decay"]), mpmath.log(found.classes)

    def value(u: Any, v: Any) -> mpf:
        return found.loss(found.psi(u), v) + decay / 2 * sum(x * x for x in [*flat(u.values()), *flat(v)])

    there = value(found.stored(claim["moved"]), found.matrix(claim["moved_weights"]))
    need(there <= number(claim["value"]) + SMALL and there < floor, "the point is not that low")
    columns, small = found.document["network"]["columns"], mpf(10) ** -9
    for _ in range(4 * TIMES):
        u, drawn = found.anywhere(), found.draw(columns * found.classes)
        v = [drawn[j * found.classes : (j + 1) * found.classes] for j in range(columns)]
        near = {node: [small * x for x in values] for node, values in u.items()}
        need(value(near, scaled(v, small)) > floor, "a point near the origin is not above log m")


def try_mc(found: Sampled, claim: Any) -> None:
    """Walk along the path, from V_A to V_B: nowhere is the loss above the larger one of the ends."""
    u_a, v_a, v_b = found.stored(), found.matrix(claim["start_weights"]), found.matrix(claim["end_weights"])
    corners = [u_a, *(found.stored(corner) for corner in claim["corners"])]
    ends = try_ends(found, claim, (u_a, v_a), (corners[-1], v_b))
    weights = [found.matrix(each) for each in claim["weights"]]
    kappa = number(claim["kappa"]) if claim["kappa"] else mpf(1)
    places, leg, before = [(u_a, v_a)], 0, mpf(0)
    for piece in claim["pieces"]:
        need(piece["leg"] == leg, "not the next leg")
        until, v = quotient(piece["until"]), weights[piece["weights"]]
        need(before < until <= 1, "not on from where the piece before ends")
        for t in (before, until):
            places.append((between(corners[leg], corners[leg + 1], t), scaled(v, kappa)))
        leg, before = (leg + 1, mpf(0)) if until == 1 else (leg, until)
    need(leg == len(corners) - 1 and before == 0, "the path does not arrive")
    for first, last in itertools.pairwise([*places, (corners[-1], v_b)]):
        for k in range(TIMES + 1):
            u, v = (between(a, b, mpf(k) / TIMES) for a, b in zip(first, last, strict=True))
            psi = found.psi(u)
            need(found.loss(psi, v) <= max(ends) + SMALL, "the loss on the path is above both ends")
            while_u_moves = claim["gamma"] and first[0] is not last[0] and first[1] == last[1]
            if while_u_moves:
                need(min(map(min, found.margins(psi, scaled(v, 1 / kappa)))) >= number(claim["gamma"]), "a margin")
    if claim["pieces"]:
        for u, own, v in ((u_a, v_a, places[1][1]), (corners[-1], v_b, places[-1][1])):
            psi = found.psi(u)
            walk = [found.loss(psi, between(own, v, mpf(k) / TIMES)) for k in range(TIMES + 1)]
            need(all(a > b for a, b in itertools.pairwise(walk)), "the loss does not decrease strictly from an end")


def try_ends(found: Sampled, claim: Any, start: Any, end: Any) -> list[mpf]:
    """Compare the losses at both ends with their bounds."""
    losses = [found.loss(found.psi(u), v) for u, v in (start, end)]
    for key, loss in zip(("start_loss", "end_loss"), losses, strict=True):
        low, high = (number(claim[key][side]) for side in ("lower", "upper"))
        need(low * (1 - SMALL) - SMALL <= loss <= high * (1 + SMALL) + SMALL, key)
    return losses


def quotient(text: Any) -> mpf:
    """Read a rational number."""
    return mpf(int(text[0])) / int(text[1])


def try_line(found: Sampled, claim: Any) -> None:
    """The loss at many times of the straight line, and at the one where it is large."""
    start = found.stored(), found.matrix(claim["start_weights"])
    end = found.stored(claim["end"]), found.matrix(claim["end_weights"])
    try_ends(found, claim, start, end)
    times = [mpf(k) / (4 * TIMES) for k in range(4 * TIMES + 1)]
    losses = [found.loss(found.psi(between(start[0], end[0], t)), between(start[1], end[1], t)) for t in times]
    need(max(losses) <= number(claim["loss_upper"]) + SMALL, "a loss on the line is above the upper bound")
    time = quotient(claim["time"])
    here = found.loss(found.psi(between(start[0], end[0], time)), between(start[1], end[1], time))
    need(
        0 <= time <= 1 and here >= number(claim["loss_lower"]) - SMALL, "the loss at the time is below the lower bound"
    )


def try_bm(found: Sampled, claim: Any) -> None:
    """On random segments in the ball the loss bends as claimed, and rises to the sphere; elsewhere it is lower."""
    radius, bend, slope = (number(claim[key]) for key in ("radius", "curvature", "gradient"))
    u, v, lower = found.stored(), found.matrix(claim["weights"]), number(claim["value"]["lower"])
    like_tc3 = claim | {"loss": "cross-entropy", "class_weights": None}
    need(radius > 0 and bend > 0, "no ball or no curvature")
    need(all(row[-1] == 0 for row in v), "the last column is not 0")

    def phi(u: Any, v: Any) -> mpf:
        return other_loss(found, like_tc3, found.psi(u), v)

    def shifted(step: mpf, along: Any) -> mpf:
        own, rest = {}, iter(along)
        for n, values in u.items():
            own[n] = [x + step * next(rest) for x in values]
        return phi(own, [[*(x + step * next(rest) for x in row[:-1]), row[-1]] for row in v])

    least = lower - slope**2 / (2 * bend)
    here, size = phi(u, v), len(flat(u.values())) + len(v) * (found.classes - 1)
    need(lower - SMALL <= here <= number(claim["value"]["upper"]) + SMALL, "the value")
    need(abs(phi(u, [[x + 3 for x in row] for row in v]) - here) < SMALL, "a shift changes the loss")
    for _ in range(2 * TIMES):
        drawn = found.draw(size)
        along = [x / mpmath.norm(drawn) for x in drawn]
        far, near = shifted(radius, along), shifted(-radius, along)
        need(min(far, near) >= here + bend * radius**2 / 2 - slope * radius - SMALL, "the sphere is not above the rise")
        need(far + near - 2 * here >= bend * radius**2 - SMALL, "the loss bends less")
        need(min(far, near, shifted(radius / 8, along)) >= least, "the loss is lower in the ball")
    if claim["better"] is not None:
        there = phi(found.stored(claim["better"]["point"]), found.matrix(claim["better"]["weights"]))
        need(there <= number(claim["better"]["loss"]) + SMALL and there < least, "the other point is not better")


def own_values(found: Sampled, node: int, own: list[int], u: Any, samples: Any) -> dict[int, list[mpf]]:
    """Return random weights of a layer, and biases at which the pre-activations change their signs between samples."""
    weight, bias = own
    given = {weight: [3 * z for z in found.draw(found.parameters()[weight])], bias: [mpf(0)] * found.parameters()[bias]}
    inner = found.nodes[node]["reads"][0]
    sums = [evaluate(found.nodes, found.fixed | u | given, x)[inner].ravel() for x in samples]
    for unit in range(len(given[bias])):
        given[bias][unit] = -(found.random.choice(sums)[unit] + found.random.choice(sums)[unit]) / 2
    return given


def columns_of(found: Sampled, claim: Any, u: Any, samples: Any, draws: int) -> list[list[mpf]]:
    """Return the columns of the wide layer's units for many of its weights; nothing else must change with them."""
    node, columns, rest = claim["node"], [], []
    own = found.nodes[found.nodes[node]["reads"][0]]["reads"][-2:]
    own_columns, others, start = [], [], 0
    for feature in found.features:
        size = found.size_of(feature["node"]) if feature["entries"] is None else len(feature["entries"])
        (own_columns if feature["node"] == node else others).extend(range(start, start + size))
        start += size
    for _ in range(draws):
        psi = found.psi(u | own_values(found, node, own, u, samples), samples)
        columns += [[row[j] for row in psi] for j in own_columns]
        rest.append([[row[j] for row in psi] for j in others])
    need(all(part == rest[0] for part in rest), "other columns change with the wide layer")
    constant = sum(len(set(column)) == 1 and column[0] != 0 for column in rest[0])
    need(len(own_columns) + constant >= len(samples), "too few units")
    return columns


def try_sink(found: Sampled, claim: Any) -> None:
    """The units of the wide layer can leave every span, at the stored U, at every one, or at random ones."""
    count, dimension = found.size_of_data
    if claim["label"] == "S":
        need(rank(columns_of(found, claim, found.stored(), found.samples, 12)) == count, "the columns do not span")
        return
    if claim["label"] == "S+":
        need(found.document["network"]["columns"] > count, "too few columns")
    for kind in range(5):
        samples = chosen_samples(found, kind) if kind < 4 else [found.draw(dimension) for _ in range(count)]
        for _ in range(3 if claim["label"] == "S(2)" else 1):
            columns = columns_of(found, claim, found.anywhere(), samples, 12)
            need(rank(columns) == count, f"the columns do not span for samples of kind {kind}")


def try_i(found: Sampled, claim: Any) -> None:
    """Full rank of the samples times 3/2, and plus 1/4 where shifts are claimed, at random parameters."""
    labels = {other["label"] for other in found.document["claims"]}
    shift = mpf(0.25) if "D x + c" in claim.get("said", {}).get("statement", "") else mpf(0)
    samples = [[x * mpf(1.5) + shift for x in row] for row in found.samples]
    if labels & {"W0", "A", "A.data"}:
        need(rank(found.psi(found.anywhere(), samples)) == len(samples), "no full rank of scaled samples")


def jacobian(found: Sampled, u: Any, v: Any, samples: Any, claim: Any) -> tuple[list[mpf], list[list[mpf]]]:
    """Return all logits, sample by sample (or their differences), and their derivatives by all parameters."""
    sizes, width = sorted(found.parameters().items()), len(v[0])

    def values(theta: list[mpf]) -> list[mpf]:
        parts, first = {}, 0
        for n, size in sizes:
            parts[n], first = theta[first : first + size], first + size
        own = [theta[first + j * width : first + (j + 1) * width] for j in range(len(v))]
        rows = found.logits(found.psi(parts, samples), own)
        return flat([[g - row[-1] for g in row[:-1]] for row in rows] if claim.get("reduced") else rows)

    theta, step, columns = flat([*(u[n] for n, _ in sizes), *v]), mpf(10) ** -20, []
    for k in range(len(theta)):
        ends = [values([*theta[:k], theta[k] + sign * step, *theta[k + 1 :]]) for sign in (1, -1)]
        columns.append([(a - b) / (2 * step) for a, b in zip(*ends, strict=True)])
    return values(theta), [list(row) for row in zip(*columns, strict=True)]


def try_j1(found: Sampled, claim: Any) -> None:
    """The rank at the point, and at random parameters."""
    v = found.matrix(claim["weights"])
    points = [(found.stored(claim["point"]), v)]
    if claim["everywhere"]:
        points.append((found.anywhere(), [found.draw(len(row)) for row in v]))
        if "arcs" in found.document["data"]:
            del points[1]  # a random V has arcs that are missing
    for u, weights in points:
        logits, rows = jacobian(found, u, weights, found.samples, claim)
        need(rank(rows) == len(logits), "the Jacobian has not full row rank")


def try_j2(found: Sampled, claim: Any) -> None:
    """Newton's method, with the least step each time, from the point to a solution."""
    u, v, start = found.stored(claim["point"]), found.matrix(claim["weights"]), found.matrix(claim["start_weights"])
    firsts = itertools.accumulate(found.counts, initial=0)
    goal = flat([found.targets[first] for first, _ in zip(firsts, found.counts, strict=False)])
    sizes, begin = sorted(found.parameters().items()), flat([*(found.stored()[n] for n in sorted(u)), *start])
    for _ in range(8):
        logits, rows = jacobian(found, u, v, found.samples, claim)
        j, error = mpmath.matrix(rows), mpmath.matrix([a - b for a, b in zip(goal, logits, strict=True)])
        move = list(j.T * mpmath.lu_solve(j * j.T, error))
        for n, size in sizes:
            u[n], move = [a + b for a, b in zip(u[n], move[:size], strict=True)], move[size:]
        width = len(v[0])
        v = [[a + move[i * width + k] for k, a in enumerate(row)] for i, row in enumerate(v)]
    logits, _ = jacobian(found, u, v, found.samples, claim)
    need(max(abs(a - b) for a, b in zip(goal, logits, strict=True)) < SMALL, "no solution nearby")
    end = flat([*(u[n] for n, _ in sizes), *v])
    far = max(abs(a - b) for a, b in zip(end, begin, strict=True))
    need(far <= 4 * number(claim["distance"]), "the solution that was found is far away")


def try_j3(found: Sampled, claim: Any) -> None:
    """The logits are 0 and the Jacobian is onto, on the samples, and on random ones."""
    count, dimension = found.size_of_data
    sets = [found.samples]
    if claim["almost_every_data"]:
        sets.append([found.draw(dimension) for _ in range(count)])
    for samples in sets:
        logits, rows = jacobian(found, found.stored(claim["point"]), found.matrix(claim["weights"]), samples, claim)
        need(max(map(abs, logits)) < SMALL, "the logits are not 0")
        need(rank(rows) == len(logits), "the Jacobian has not full row rank")


TRIES = {"R1": try_r1, "R3": try_r1, "R5": try_r5, "Z1": try_z1, "P1": try_p1, "E1": try_way, "E3": try_way}
TRIES |= {"E2": try_e2, "E4.path": try_e4_path, "E4": try_e4, "Z2": try_z2, "B1": try_b1, "C1": try_c1, "C3": try_c3}
TRIES |= {"R6": try_r6, "Z0": try_z0, "J1": try_j1, "J2": try_j2, "J3": try_j3}
TRIES |= {"GDV": try_gdv, "C4": try_c4, "C2+": try_c2_plus}
TRIES |= {"Z0.loss": try_z0_loss, "Z0.error": try_z0_error, "S.path": try_e2}
TRIES |= {"TC.3": try_tc3, "W1": try_witness, "W2": try_witness, "W0": try_w0, "D": try_d, "A": try_a}
TRIES |= {"MC": try_mc, "MC.line": try_line, "WD": try_wd, "BM": try_bm}
TRIES |= dict.fromkeys(("S", "S(1)", "S(2)", "S+"), try_sink)
TRIES |= {"A.data": try_w0, "I": try_i}


def counterexample(path: Path, seed: int = 0, said: Any = None) -> str | None:
    """Return what is false of an accepted certificate, or None if nothing was found.

    `said` are the results of a checker, a dict for each claim, where it says more than the certificate: `sigma_lower`.
    """
    with mp.workdps(DIGITS):
        found = Sampled(path, seed)
        for number, claim in enumerate(found.document["claims"]):
            try:
                TRIES[claim["label"]](found, claim if said is None else {**claim, "said": said[number]})
            except False_ as wrong:
                return f"{claim['label']}: {wrong}"
            except Undefined as unit:
                return f"{claim['label']}: {unit} has no value"
    return None
