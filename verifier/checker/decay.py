"""Rule WD: weight decay makes a bad local valley at the origin. It is about another loss than all other claims.

Glossary: Phi_lambda = Phi + (lambda/2) (|U|^2 + |V|^2), Phi the mean cross-entropy over all n samples, m classes, c_i
the multiplicities. At the origin U = 0, V = 0 all logits are 0 and Phi_lambda = log m.
"""

from typing import Any

from flint import arb

from .analytic import analytic
from .claims import exp
from .common import above, below, precision, require
from .container import Arrays
from .features import Features
from .layered import require_layered
from .network import cut_blocks, move
from .sentences import sentence, statement


def require_alike(raw: Any, network: Any, data: Any) -> None:
    """Guarantee: sum_i c_i (1/m - [y_i = k]) (1, x_i) = 0 exactly, for every class k.

    Every class has the same number of samples, equal ones counted, and their sums are the same. (The common power of
    two of the inputs does not matter.)
    """
    numbers, sums, path = dict[int, int](), dict[int, list[int]](), raw.path
    for row, label, count in zip(network.inputs.integers.tolist(), data.labels, data.multiplicities, strict=True):
        numbers[label] = numbers.get(label, 0) + count
        before = sums.get(label, [0] * len(row))
        sums[label] = [total + count * int(x) for total, x in zip(before, row, strict=True)]
    same = len(numbers) == data.classes and len(set(numbers.values())) == 1
    require(same, path, "WD.classes", "not all classes have the same number of samples")
    same = all(part == sums[0] for part in sums.values())
    require(same, path, "WD.classes", "the samples of two classes have different sums")


def squares(exact: Any) -> arb:
    """Return the sum of the squares of exact numbers."""
    total = sum(int(entry) ** 2 for entry in exact.integers.entries())
    return arb(total) * arb((1, 2 * exact.exponent))


def loss_of_logits(row: list[arb], weights: list[list[arb]], label: int) -> arb:
    """Return log sum_k e^(G_k - G_label), G = row V."""
    logits = [sum((psi * v for psi, v in zip(row, column, strict=True)), arb(0)) for column in weights]
    total = sum((exp(logit - logits[label]) for k, logit in enumerate(logits) if k != label), arb(0))
    return total.log1p()


def check_weight_decay(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim WD: with weight decay U = 0, V = 0 is a strict local minimum in a bad local valley.

    Guarantee: for every lambda in (0, weight_decay] the origin is a strict local minimum of Phi_lambda, in a bad local
    valley. (i) All nodes are layers, with weights and biases of their own, or means; activations are analytic on R. To
    first order in U at U = 0, Psi_i is an affine function of x_i: pre-activations are <w, z> + b with z, at U = 0,
    constants or means of x_i. To second order Phi = log m + sum_i c_i <1/m - e_{y_i}, Psi_i V> / n + something that is
    nowhere negative, and by `require_alike` the sum is 0. So the gradient of Phi_lambda is 0 and its Hessian at least
    lambda I. (ii) Phi_lambda <= value < log m at the other point, also for smaller lambda. On a small sphere around
    the origin Phi_lambda >= log m + delta; the component of {Phi_lambda < log m + delta} in it has the infimum log m.
    More units, whose weights are all 0, change neither. (iii) Nor does a restriction of V: if the point has the column
    of class 0 at 0, the same holds for all V with this column at 0.
    """
    path, view = raw.path, require_layered(network, raw)
    for layer in view.layers:
        message = "an activation that is not proved to be analytic on R"
        require(analytic(layer.activation.tree), layer.path, "WD.analytic", message)
    require(raw.weight_decay > 0, path + "/weight_decay", "WD.decay", "must be above 0", below(raw.weight_decay))
    require_alike(raw, network, data)
    moved = move(network, raw.moved or [], arrays)
    weights = arrays.exact(raw.moved_weights, network.columns, data.classes)
    found = value_at(raw, moved, weights, data)
    message = "the loss with weight decay is not proved to be at most this at the other point"
    require(found <= raw.value, path + "/value", "WD.value", message, above(raw.value), above(found))
    with precision(raw.precision):
        lower, message = raw.value < arb(data.classes).log(), "is not below log m, the value at the origin"
    require(lower, path + "/value", "WD.lower", message, above(raw.value))
    said = sentence("WD", weight_decay=below(raw.weight_decay), classes=data.classes, value=above(raw.value))
    one_logit = data.classes == 2 and not any(weights.integers[j, 0] for j in range(network.columns))
    more = [sentence("WD logit")] if one_logit else []
    return {"statement": statement(said, *more), "value": above(raw.value)}


def value_at(raw: Any, moved: Any, weights: Any, data: Any) -> arb:
    """Return a ball around Phi_lambda at the moved U and these V, lambda = weight_decay."""
    with precision(raw.precision):
        features, total = Features(moved), arb(0)
        columns = weights.balls().transpose().tolist()
        for samples in cut_blocks(moved, data.labels, 1, raw.precision):
            for sample, row in zip(samples, features.rows(samples), strict=True):
                total += data.multiplicities[sample] * loss_of_logits(row, columns, data.labels[sample])
        parameters = (node.exact for node in moved.nodes if node.kind == "parameter")
        size = sum(map(squares, parameters), squares(weights))
        value: arb = total / data.total + raw.weight_decay * size / 2
        return value
