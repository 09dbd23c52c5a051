"""Z0.loss, Z0.error: the loss at the stored hidden weights from below, for every V; by balanced probabilities.

Glossary: sample i has the row psi_i of Psi and occurs A_i times, a_ik of them with label k; n = sum A_i; e_k is the
k-th unit vector, H(q) = sum_k -q_k log q_k. For every vector g and all probabilities q, log sum_k exp(g_k) >= <q, g> +
H(q). So for every V, with probabilities q_i for each sample,

    n Phi(V) = sum_i (A_i log sum_k exp((psi_i V)_k) - <a_i, psi_i V>)
            >= sum_i A_i H(q_i) + <sum_i psi_i (x) (A_i q_i - a_i), V>.

Where the last tensor is 0, q is *balanced*, and n Phi(V) >= sum_i A_i H(q_i). Three kinds of samples are balanced each
by themselves: *equal* ones, all with the same psi and q the shares of their labels; *mixed* ones, with two classes or
more in their *support*; and the others, whose labels are all one class y, with q = e_y and H(q) = 0.
"""

from collections.abc import Iterable
from typing import Any

from flint import arb, arb_mat

from .common import Rejection, afford, below, precision, require
from .container import Arrays
from .exact import exact_features
from .features import Features
from .network import cut_blocks
from .sentences import sentence
from .targets import own_targets

MAX_ENTRIES, MAX_UNKNOWNS = 10**7, 2000  # balls of Psi that are held; equations that are solved
ZERO = arb(0)
Row = list[arb]
Unknown = tuple[int, int]  # a column of Psi and a class


def check_loss_bound(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim Z0.loss: a lower bound of the cross-entropy for every V at the stored hidden weights.

    Guarantee: for every V the cross-entropy at the stored hidden weights is at least loss_lower > 0.
    """
    path, samples, classes = raw.path, network.samples, data.classes
    require(raw.loss_lower > 0, path + "/loss_lower", "Z0.loss.bound", "must be above 0", below(raw.loss_lower))
    counts = label_counts(raw, network, arrays, data)
    support = read_support(raw, counts, arrays, samples, classes)
    weights = arrays.exact(raw.output_weights, network.columns, classes)
    afford(samples * network.columns, MAX_ENTRIES, path, "entries of Psi")
    with precision(raw.precision):
        rows, total = all_rows(network, raw.precision), ZERO
        listed = listed_once(raw, samples)
        mixed = [i for i in range(samples) if len(support[i]) > 1 and i not in listed]
        if mixed:
            psi = arb_mat([rows[i] for i in mixed])
            logits = (psi * weights.balls()).tolist()
            total += Mixed(psi, logits, [counts[i] for i in mixed], [support[i] for i in mixed]).bound(path)
        for number, members in enumerate(raw.equal):
            total += equal_rows(members, rows, counts, network, f"{path}/equal/{number}")
        bound = total / data.total
        message = "the loss is not proved to be at least this for every V"
        claimed, where = raw.loss_lower, path + "/loss_lower"
        require(claimed <= bound, where, "Z0.loss.bound", message, below(claimed), below(bound))
    said = sentence("Z0.loss", loss_lower=below(raw.loss_lower))
    return {"statement": said, "loss_lower": below(raw.loss_lower), "mixed_samples": len(mixed)}


def label_counts(raw: Any, network: Any, arrays: Arrays, data: Any) -> list[list[int]]:
    """Return the a_ik: how often each sample occurs with each label."""
    path, message = raw.path + "/label_counts", "give labels or their counts, one of them"
    rule = f"{raw.label}.labels"
    require((raw.label_counts is None) != (data.labels is None), path, rule, message)
    if raw.label_counts is None:
        pairs = zip(data.labels, data.multiplicities, strict=True)
        return [[count * (k == label) for k in range(data.classes)] for label, count in pairs]
    found = by_sample(arrays.integers(raw.label_counts, path, network.samples * data.classes), data.classes)
    fit = all(min(row) >= 0 and sum(row) == c for row, c in zip(found, data.multiplicities, strict=True))
    require(fit, path, rule, "must be >= 0 and add up to the sample's multiplicity")
    return found


def by_sample(flat: list[int], classes: int) -> list[list[int]]:
    """Cut a list into one piece for each sample."""
    return [flat[start : start + classes] for start in range(0, len(flat), classes)]


def read_support(raw: Any, counts: list[list[int]], arrays: Arrays, samples: int, classes: int) -> list[list[int]]:
    """Return the classes in the support of each sample; all labels of the sample are among them."""
    path = raw.path + "/support"
    flat = arrays.integers(raw.support, path, samples * classes)
    require(set(flat) <= {0, 1}, path, "Z0.loss.support", "must be 0 or 1", sorted(set(flat))[:20])
    found = [[k for k in range(classes) if row[k]] for row in by_sample(flat, classes)]
    for i, row in enumerate(counts):
        inside = all(k in found[i] for k in range(classes) if row[k])
        require(inside, path, "Z0.loss.support", f"sample {i} has a label that is not in its support", found[i][:20])
    return found


def listed_once(raw: Any, samples: int) -> set[int]:
    """Return the samples in the lists of equal ones, none of them in two lists."""
    seen = set[int]()
    for number, members in enumerate(raw.equal):
        for i in members:
            message = f"sample {i} is none, or counts already"
            require(i < samples and i not in seen, f"{raw.path}/equal/{number}", "Z0.loss.equal", message)
            seen.add(i)
    return seen


def all_rows(network: Any, bits: int) -> list[Row]:
    """Return enclosures of all rows of Psi, at the working precision."""
    features, rows = Features(network), [list[arb]()] * network.samples
    for samples in cut_blocks(network, [0] * network.samples, 1, bits):
        for i, row in zip(samples, features.rows(samples), strict=True):
            rows[i] = row
    return rows


def equal_rows(members: list[int], rows: list[Row], counts: list[list[int]], network: Any, path: str) -> arb:
    """Return sum A_i H(q) for samples with equal rows of Psi, q the shares of their labels; or 1/m each, if Psi is 0.

    Guarantee: the rows are exactly equal, so that sum_i psi (x) (A_i q - a_i) = 0, whatever q is if psi = 0.
    """
    first = rows[members[0]]
    same = all(exact(rows[i]) and rows[i] == first for i in members)
    zero = same and all(map(arb.is_zero, first))
    if not same and not equal_samples(network.inputs, members):
        psi = exact_features(network, path)
        same = all(psi[i] == psi[members[0]] for i in members)
        zero = all(entry == 0 for entry in psi[members[0]])
        require(same, path, "Z0.loss.equal", "the samples' rows of Psi are not proved to be equal", members[:20])
    shares = [sum(counts[i][k] for i in members) for k in range(len(counts[0]))]
    if zero:
        return sum(shares) * arb(len(shares)).log()
    return sum((c * (arb(sum(shares)) / c).log() for c in shares if c), ZERO)


def equal_samples(inputs: Any, members: list[int]) -> bool:
    """Say whether samples have the same inputs: then they have the same row of Psi, whatever the network is."""
    places = range(inputs.integers.ncols())
    return len({tuple(inputs.integers[i, j] for j in places) for i in members}) == 1


def exact(row: Row) -> bool:
    """Say whether all balls are single numbers."""
    return all(map(arb.is_exact, row))


class Mixed:
    """The mixed samples: rows of Psi, probabilities q0 = softmax(psi V) over the support (0 beside it), and counts.

    q0 is balanced only nearly: R = sum_i psi_i (x) (A_i q0_i - a_i) is small. With any Z (M x m) and z_i = psi_i Z,

        q_ik = q0_ik (1 + z_ik - sum_l q0_il z_il)

    adds up to 1, and is balanced iff sum_i psi_ij A_i q0_ik (z_ik - sum_l q0_il z_il) = -R_jk for all j, k.
    """

    def __init__(self, psi: arb_mat, logits: list[Row], counts: list[list[int]], support: list[list[int]]) -> None:
        self.psi, self.rows, self.counts, self.support = psi, psi.tolist(), counts, support
        self.totals = list(map(sum, counts))
        self.q = [softmax(g, inside) for g, inside in zip(logits, support, strict=True)]

    def unknowns(self) -> list[Unknown]:
        """Return the equations that are enough, which are also the Z_jk that are not chosen to be 0.

        Guarantee: for each column j, join the classes of a support whose sample has psi_ij != 0. Both sides of the
        equations add up to 0 over every joined set, and an equation of a class that is never seen is 0 = 0: so if all
        but one of each set hold, all do.
        """
        found = []
        for j in range(self.psi.ncols()):
            sets: list[set[int]] = []
            for row, inside in zip(self.rows, self.support, strict=True):
                if not row[j].is_zero():
                    sets = joined(sets, set(inside))
            found += [(j, k) for joined_classes in sets for k in sorted(joined_classes)[1:]]
        return found

    def residual(self) -> list[Row]:
        """Return R, one row for each column of Psi."""
        parts = zip(self.totals, self.q, self.counts, strict=True)
        rest = [[t * x - a for x, a in zip(q, counts, strict=True)] for t, q, counts in parts]
        found: list[Row] = (self.psi.transpose() * arb_mat(rest)).tolist()
        return found

    def system(self, unknowns: list[Unknown]) -> arb_mat:
        """Return the matrix sum_i psi_ij psi_ig A_i q0_ik ([k = l] - q0_il), rows (j, k), columns (g, l)."""
        place = {unknown: number for number, unknown in enumerate(unknowns)}
        matrix, classes = arb_mat(len(unknowns), len(unknowns)), sorted({k for _, k in unknowns})
        columns = {k: [j for j, own in unknowns if own == k] for k in classes}
        for k in classes:
            for other in classes:
                weights = [t * q[k] * ((k == other) - q[other]) for t, q in zip(self.totals, self.q, strict=True)]
                weighted = arb_mat([[w * x for x in row] for w, row in zip(weights, self.rows, strict=True)])
                block = (self.psi.transpose() * weighted).tolist()
                for j in columns[k]:
                    for g in columns[other]:
                        matrix[place[j, k], place[g, other]] = block[j][g]
        return matrix

    def bound(self, path: str) -> arb:
        """Bound sum A_i H(q_i) from below, for some balanced q.

        Guarantee: Z exists; all |z_ik| <= beta < 1/2, so that q_ik = q0_ik (1 + e_ik) with |e_ik| <= 2 beta < 1 and
        sum_k q0_ik e_ik = 0, no probability is negative, and by (1 + e) log(1 + e) <= e + e^2
        H(q_i) = -sum_k q0_ik (1 + e_ik) (log q0_ik + log(1 + e_ik)) >= (1 - 2 beta) H(q0_i) - 4 beta^2.
        """
        unknowns, residual, largest = self.unknowns(), self.residual(), ZERO
        afford(len(unknowns), MAX_UNKNOWNS, path, "equations of the mixed samples")
        if unknowns:
            right = arb_mat([[-residual[j][k]] for j, k in unknowns])
            try:
                largest = upper(self.system(unknowns).solve(right).entries())
            except ZeroDivisionError:
                largest = arb("inf")
        beta = largest * upper(sum(map(abs, row), ZERO) for row in self.rows)
        message = "no balanced probabilities are proved to be near those of the output weights"
        require(2 * beta < 1, path + "/output_weights", "Z0.loss.balance", message, None, beta.str(10))
        total = sum((t * entropy(q) for t, q in zip(self.totals, self.q, strict=True)), ZERO)
        return (1 - 2 * beta) * total - 4 * beta * beta * sum(self.totals)


def joined(sets: list[set[int]], more: set[int]) -> list[set[int]]:
    """Add a set to disjoint ones; those that it meets become one with it."""
    met = [one for one in sets if one & more]
    return [one for one in sets if not one & more] + [more.union(*met)]


def softmax(logits: Row, inside: list[int]) -> Row:
    """Return exp(g_k) / sum_l exp(g_l) for the classes inside, and 0 for the others."""
    top = max((logits[k] for k in inside), key=lambda g: float(g.mid()))
    found = [ZERO] * len(logits)
    for k in inside:
        found[k] = (logits[k] - top).exp()
    total = sum(found, ZERO)
    return [x / total for x in found]


def entropy(q: Row) -> arb:
    """Return sum_k -q_k log q_k; a class beside the support has exactly q_k = 0."""
    return sum((-x * x.log() for x in q if not x.is_zero()), ZERO)


def upper(numbers: Iterable[arb]) -> arb:
    """Return an upper bound of the sizes of all numbers."""
    found = ZERO
    for number in numbers:
        found = found.max(number.abs_upper())
    return found.upper()


def check_error_bound(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim Z0.error: a lower bound of the squared error for every V at the stored hidden weights.

    Guarantee: for every V the mean of |psi_i V - T_ij|^2 / 2 at the stored hidden weights is at least error_lower > 0.
    With the means t_i of the A_i targets of sample i, r0_i = t_i - psi_i V for the stated V, R = sum_i A_i psi_i (x)
    r0_i and sum_i A_i psi_i psi_i^T Z = R, the r_i = r0_i - psi_i Z are orthogonal to the columns of Psi. So for every
    V' sum_i A_i |t_i - psi_i V'|^2 is at least sum_i A_i |r_i|^2 = sum_i A_i |r0_i|^2 - <Z, R>.
    """
    path, claimed = raw.path, raw.error_lower
    require(data.targets is not None, path, "Z0.error.targets", "needs real targets")
    require(claimed > 0, path + "/error_lower", "Z0.error.bound", "must be above 0", below(claimed))
    weights = arrays.exact(raw.output_weights, network.columns, data.classes)
    afford(network.samples * network.columns, MAX_ENTRIES, path, "entries of Psi")
    with precision(raw.precision):
        rows, rest, total = all_rows(network, raw.precision), [], ZERO
        logits = (arb_mat(rows) * weights.balls()).tolist()
        for own, line in zip(own_targets(data.targets, data.multiplicities), logits, strict=True):
            means = []
            for column in zip(*own, strict=True):
                goals = [arb((t, data.targets.exponent)) for t in column]
                means.append(sum(goals, ZERO) / len(own))
                total += sum(((goal - means[-1]) * (goal - means[-1]) for goal in goals), ZERO)
            rest.append([mean - g for mean, g in zip(means, line, strict=True)])
            total += len(own) * sum((x * x for x in rest[-1]), ZERO)
        total -= projected(rows, rest, data.multiplicities, path)
        bound, message = total / 2 / data.total, "the squared error is not proved to be at least this for every V"
        require(claimed <= bound, path + "/error_lower", "Z0.error.bound", message, below(claimed), below(bound))
    return {"statement": sentence("Z0.error", error_lower=below(claimed)), "error_lower": below(claimed)}


def projected(rows: list[Row], rest: list[Row], counts: list[int], path: str) -> arb:
    """Return <Z, R>: columns of Psi that are exactly 0 everywhere are left out, as their entries of R are 0."""
    used = [j for j in range(len(rows[0])) if not all(row[j].is_zero() for row in rows)]
    afford(len(used), MAX_UNKNOWNS, path, "columns of Psi")
    if not used:
        return ZERO
    psi = arb_mat([[row[j] for j in used] for row in rows])
    weighted = arb_mat([[c * row[j] for j in used] for c, row in zip(counts, rows, strict=True)]).transpose()
    residual = weighted * arb_mat(rest)
    try:
        solved = (weighted * psi).solve(residual).entries()
    except ZeroDivisionError:
        message = "the columns of Psi are not proved to be independent"
        raise Rejection(path + "/output_weights", "Z0.error.regular", message) from None
    return sum((a * b for a, b in zip(solved, residual.entries(), strict=True)), ZERO)
