"""Certificates that say something false, or that a claim's rule does not prove: one change in an accepted one each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cases_accepted as true
from make import Certificate, Json, affine_of, bias_of, dyadic, output_of, rejections, weight_of

Change = Callable[[Certificate, Json], Any]
UNIT = true.UNIT


def setting(*path: str | int, to: object) -> Change:
    """Return the change that sets one value; `to` may be a function of the certificate."""

    def change(certificate: Certificate, document: Json) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to(certificate) if callable(to) else to

    return change


def claim(*path: str | int, to: object, number: int = 0) -> Change:
    """Return the change of one key of a claim."""
    return setting("claims", number, *path, to=to)


def exact(nested: object) -> Callable[[Certificate], Json]:
    """Return what keeps an exact array."""
    return lambda certificate: certificate.exact(nested)


def tensor(nested: object, dtype: str = "I32") -> Callable[[Certificate], str]:
    """Return what keeps a tensor."""
    return lambda certificate: certificate.tensor(nested, dtype)


def nodes(number: int, *path: str | int, to: object) -> Change:
    """Return the change of a node."""
    return setting("network", "nodes", number, *path, to=to)


def activation(text: str, layer: int = 0) -> Change:
    """Return the change of an activation."""
    return nodes(output_of(layer), "activation", to=text)


def weight(nested: object, layer: int = 0) -> Change:
    """Return the change of a layer's weights."""
    return nodes(weight_of(layer), "values", to=exact(nested))


def bias(nested: object, layer: int = 0) -> Change:
    """Return the change of a layer's biases."""
    return nodes(bias_of(layer), "values", to=exact(nested))


def shown(layer: int, columns: int) -> Change:
    """Return the change that makes all units of a layer skip units, before those that are."""

    def change(certificate: Certificate, document: Json) -> None:
        document["network"]["features"].insert(0, {"node": output_of(layer), "entries": None})
        document["network"]["columns"] = columns

    return change


def both(*changes: Change) -> Change:
    """Return several changes as one."""

    def change(certificate: Certificate, document: Json) -> None:
        for part in changes:
            part(certificate, document)

    return change


def unclaim(number: int) -> Change:
    """Return the change that takes a claim away."""
    return lambda certificate, document: document["claims"].pop(number)


UNIT = true.UNIT

# ---------------------------------------------------------------- data and network
NO_LABELS = setting("data", "labels", to=None)
reject = rejections("zero-error-and-path")
reject("z1-without-labels", "data.labels: zero training error of which labels?", NO_LABELS)
reject("label-that-is-no-class", "data.labels: labels are 0..m-1", setting("data", "labels", to=tensor([0, 2])))
reject("total-that-is-no-sum", "data.multiplicities: multiplicities 3 + 1 are not 5", setting("data", "total", to=5))
reject(
    "multiplicity-0",
    "data.multiplicities: a sample that occurs 0 times",
    both(setting("data", "multiplicities", to=tensor([4, 0])), setting("data", "total", to=4)),
)
reject = rejections("frozen-logits")
reject(
    "frozen-logits-and-a-ball",
    "data.offset: Z2 is about the margins of Psi V, which are not those of the logits",
    lambda c, d: c.claim("Z2", precision=64, output_weights=c.exact(UNIT), gamma=dyadic("1/2"), radius=dyadic("1/64")),
)
reject(
    "frozen-logits-forgotten",
    "P1.start-loss: log 2 is the loss without the frozen logits",
    claim("start_loss", to={"lower": dyadic("11/16"), "upper": dyadic("45/64")}, number=1),
)
reject(
    "frozen-logits-in-the-tail",
    "P1.target: log(1 + e^-4) is the loss without them, log(1 + e^(1 - 4)) = 0.049",
    claim("targets", to=[{"loss": dyadic("1/32"), "t": dyadic(2)}], number=1),
)

reject = rejections("full-rank")
reject(
    "inputs-of-another-shape",
    "shape: the document says dimension 2",
    setting("data", "inputs", to=exact([[1, 0, 0], [0, 1, 0]])),
)
reject(
    "weights-of-another-shape",
    "shape: a weight for an input that is not there",
    weight([[1, 0, 0], [0, 1, 0]]),
)
reject = rejections("every-point-through-a-lower-layer")
reject(
    "node-that-reads-a-later-one",
    "network.reads: a node reads earlier nodes",
    nodes(affine_of(1), "reads", 0, to=output_of(1)),
)
reject = rejections("full-rank")
reject(
    "input-read-twice",
    "network.node: side by side the input is twice as long as the weights",
    nodes(affine_of(0), "reads", to=[0, 0, 1, 2]),
)
reject = rejections("steps")
reject(
    "r5-without-weights",
    "network.values: without weights only A, C2+, C4, D, W0, W1, W2 can be claimed",
    lambda c, d: c.claim("R5", reason="fewer-units", rank_at_most=1),
)
reject(
    "skip-units-out-of-order",
    "network.features: entries ascend",
    setting("network", "features", 1, "entries", to=[2, 0]),
)
reject = rejections("full-rank")
reject("columns-miscounted", "network.features: M is 2, not 3", setting("network", "columns", to=3))
reject = rejections("tied-bias-for-every-u")
reject(
    "conv-without-spatial-input",
    "network.node: a window of one axis slides over channels x length",
    nodes(0, "shape", to=[2]),
)
reject = rejections("padding-and-pool")
reject(
    "padding-as-long-as-the-kernel",
    "network.node: p < k: every window has a place inside",
    nodes(affine_of(0), "over", "padding", to=[2]),
)
reject = rejections("zero-error-and-path")
reject("feature-at-a-pole", "features.finite: 1/t at t = 0: every unit is evaluated", activation("1/t"))


def dangling(text: str) -> Change:
    """Add a layer of one unit that nobody reads."""
    return lambda c, d: c.add_layer(c.dense([[0] * d["data"]["dimension"]], [0], text, skip=False))


reject("pole-of-a-unit-that-nobody-reads", "features.finite: it is part of the network", dangling("log(t)"))
reject(
    "overflow-that-is-no-overflow",
    "P1.start-loss: exact-real semantics: exp(1000) is a number, and the start loss is not what is claimed",
    both(activation("exp(1000*t)"), unclaim(0)),
)

# ---------------------------------------------------------------- the grammar of activations
for number, (text, why) in enumerate(
    (
        ("log(t + 1, **t)", "a starred keyword argument, which Python's parser knows"),
        ("exp(t, **t)", "the same"),
        ("exp(*t)", "a starred argument"),
        ("exp(t, base=2)", "a keyword argument"),
        ("exp(t,)", "a comma after the last argument"),
        ("exp(t, t)", "two arguments of a function of one"),
        ("Max(t)", "one argument of Max"),
        ("t.real", "an attribute"),
        ("t[0]", "an index"),
        ("t < 1", "a comparison"),
        ("t if t else t", "a condition"),
        ("(t, t)", "a pair"),
        ("+t", "a sign + before an operand"),
        ("1.5*t", "a decimal point"),
        ("1e3*t", "an exponent in a number"),
        ("1_000*t", "an underscore in a number"),
        ("0x10*t", "a hexadecimal number"),
        ("007*t", "leading zeros"),
        ("2t", "a missing operator"),
        ("t//2", "an operator that is not there"),
        ("t # comment", "a comment"),
        ("t\n", "a line break"),
        ("\tt", "a tab"),
        ("\uff54", "a full-width t"),
        ("\u0663*t", "an Arabic digit"),
        ("x", "another name"),
        ("gamma(t)", "another function"),
        ("", "nothing"),
        ("t**t", "an exponent that uses t"),
        ("t**(1/1001)", "a denominator above 1000"),
        ("t**sqrt(2)", "an irrational exponent"),
        ("(" * 101 + "t" + ")" * 101, "parentheses 101 deep"),
        ("-" * 101 + "t", "101 signs"),
        ("t" + " + t" * 101, "102 sums, each inside the next"),
    )
):
    rejections("full-rank")(f"grammar-{number:02}", f"network.expression: {why}", activation(text))

# ---------------------------------------------------------------- R1, R3, R5
reject = rejections("full-rank")
reject("r1-of-another-rank", "R1.rank: full row rank means N", claim("rank", to=1))
reject(
    "r1-with-one-column",
    "R1.rank: two samples need two columns",
    both(claim("columns", to=tensor([1])), claim("right_inverse", to=exact([[1, 0]]))),
)
reject("r1-columns-out-of-order", "schema.value: columns ascend", claim("columns", to=tensor([1, 0])))
reject(
    "r1-of-equal-rows",
    "R1.residual: two equal samples: rank 1, whatever X is",
    setting("data", "inputs", to=exact([[1, 0], [1, 0]])),
)
reject(
    "r1-of-a-wrong-inverse", "R1.residual: I - Psi X is not small", claim("right_inverse", to=exact([[1, 0], [1, 1]]))
)
reject("r1-with-alpha-1", "R1.residual: alpha < 1", claim("alpha", to=dyadic(1)))
reject("r1-with-sigma-0", "R1.sigma: sigma_lower > 0", claim("sigma_lower", to=dyadic(0)))
reject(
    "r1-with-sigma-above",
    "R1.sigma: the identity's smallest singular value is 1",
    claim("sigma_lower", to=dyadic("17/16")),
)
reject = rejections("full-rank-of-tiny-features")
reject(
    "r3-with-sigma-above",
    "R1.sigma: 2^-1070 is above 2^-1071, but (1 - alpha) is not",
    claim("sigma_lower", to={"mantissa": "3", "exponent": -1072}),
)
reject(
    "r3-with-too-few-feature-bits",
    "R1.residual: 2^1060 times the feature rounds to 0: nothing is proved",
    claim("feature_bits", to=1060),
)
RANK = ("rank_at_most",)
reject = rejections("dependent-units")
reject("r5-that-is-no-deficiency", "schema.value: r < N", claim(*RANK, to=3))
reject = rejections("fewer-units")
reject("r5-with-too-few-units", "R5.bound: M = 1 is not <= 0", claim(*RANK, to=0))
reject = rejections("equal-samples")
reject("r5-with-too-few-samples", "R5.bound: two samples differ", claim(*RANK, to=1))
reject = rejections("dependent-units")
reject("r5-below-the-structure", "R5.bound: a tanh unit and a constant", claim(*RANK, to=1))
reject = rejections("mirrored-units")
reject(
    "r5-mirror-with-another-bias",
    "R5.bound: tanh(t) and tanh(1 - t) are no mirror images",
    bias([1, 2, 0, 0]),
)
reject = rejections("polynomial-units")
reject("r5-degree-too-low", "R5.bound: cubes span four dimensions", activation("t**3"))
reject = rejections("dependent-units")
reject("r5-every-u-of-dependent-units", "R5.bound: equal at these weights, not at all", claim("reason", to="every-u"))
reject = rejections("tied-bias-for-every-u")
reject(
    "r5-every-u-with-biases-of-their-own",
    "R5.bound: then the two columns differ",
    both(
        bias([[0, 0]]),
        nodes(bias_of(0), "shape", to=[1, 2]),
    ),
)
reject("r5-every-u-of-a-partial-activation", "R5.total: log(t) has no value at most U", activation("log(t)"))
reject = rejections("fewer-units")
reject("r5-of-an-undefined-psi", "features.finite: log(-1 - t^2) is defined nowhere", activation("log(-1 - t**2)"))
reject = rejections("dependent-units")
reject(
    "r5-of-0-over-0", "features.finite: a constant that is no number: (t - t)/(t - t)", activation("(t - t)/(t - t)")
)

# ---------------------------------------------------------------- R6, Z0
reject = rejections("exact-rank")
reject("r6-rank-too-small", "R6.rank: the rank is 2, not 1", claim("rank", to=1))
reject("r6-rank-too-large", "R6.rank: the rank is 2, not full", claim("rank", to=3))
reject("r6-of-tanh", "R6.rational: tanh(1) is no rational number", activation("tanh(t)"))
reject("r6-of-a-pole", "R6.rational: 1/t has no value at 0", activation("1/t"))


def long_number(certificate: Certificate) -> Json:
    """Return inputs 2^20000 + 2^-20000, ..., of more than 40,000 bits."""
    kept = certificate.exact([[1], [2], [-1]])
    (term,) = kept["terms"]
    return kept | {"terms": [term | {"exponent": 20000}, term | {"exponent": -20000}]}


reject("r6-of-long-numbers", "R6.size: numbers of 40,000 bits", setting("data", "inputs", to=long_number))


def relation(key: str, to: object) -> Change:
    """Return a change of the relation between margins."""
    return claim(key, to=to, number=1)


RELATION = "no-separating-weights"
reject = rejections(RELATION)
reject("z0-factor-0", "Z0.factor: a factor is at least 1", relation("factors", ["1", "1", "1", "0"]))
reject("z0-factor-negative", "Z0.factor: no sign", relation("factors", ["1", "1", "1", "-1"]))
reject("z0-own-class", "Z0.pair: sample 0 against its own class", relation("against", [0, 0, 0, 1]))
reject("z0-no-sample", "Z0.pair: there is no sample 4", relation("samples", [0, 1, 2, 4]))
reject("z0-not-zero", "Z0.relation: 2 x1 + x4 is not x2 + x3", relation("factors", ["2", "1", "1", "1"]))
reject(
    "z0-separable",
    "Z0.relation: with one sample moved the classes are separated",
    setting("data", "inputs", to=exact([[1, 1], [1, 2], [2, 1], [3, 2]])),
)

# ---------------------------------------------------------------- Z1, P1
reject = rejections("zero-error-and-path")
reject("z1-gamma-0", "Z1.gamma: gamma > 0", claim("gamma", to=dyadic(0)))
reject("z1-gamma-above", "Z1.margin: margins are 2", claim("gamma", to=dyadic("9/4")))
reject("z1-wrong-label", "Z1.margin: the first sample is class 1", setting("data", "labels", to=tensor([1, 1])))
reject(
    "z1-equal-samples-with-two-labels",
    "Z1.margin: no V classifies one sample both ways",
    setting("data", "inputs", to=exact([[1, 0], [1, 0]])),
)
reject(
    "z1-third-class",
    "Z1.margin: the third class, which does not occur, wins on both samples",
    both(setting("data", "classes", to=3), unclaim(1), claim("output_weights", to=exact([[2, 0, 3], [0, 2, 3]]))),
)
reject = rejections("padding-and-pool")
reject(
    "z1-padding-forgotten",
    "Z1.margin: the mean of the windows without padding would do",
    claim("output_weights", to=exact([[1, 0], [0, 0], [0, 0], [0, 0], [0, 0]])),
)


def path(*keys: str | int, to: object) -> Change:
    """Return the change of P1 in the certificate of Z1 and P1."""
    return claim(*keys, to=to, number=1)


P1 = "zero-error-and-path"
reject = rejections(P1)
reject("p1-gamma-negative", "P1.gamma: gamma > 0", path("gamma", to=dyadic(-1)))
reject("p1-kappa-0", "P1.kappa: kappa > 0", path("kappa", to=dyadic(0)))
reject("p1-margin", "P1.margin: the end is the start", path("end_weights", to=exact([[0, 1], [1, 0]])))
reject(
    "p1-segment-that-rises",
    "P1.segment: the start has larger margins than kappa V1: the loss would rise",
    path("start_weights", to=exact([[3, 0], [0, 3]])),
)
reject("p1-start-loss-too-high", "P1.start-loss: not what Phi(U, V0) is", path("start_loss", "lower", to=dyadic("5/4")))
reject(
    "p1-start-loss-too-low",
    "P1.start-loss: with multiplicities 3 and 1 it is 1.23, with 1 and 1 it is 1.14",
    path("start_loss", "upper", to=dyadic("19/16")),
)
reject(
    "p1-zero-error-too-early",
    "P1.zero-error: log(1 + e^(-2 t)) < log(2)/4 from t = 0.83 on",
    both(path("kappa", to=dyadic("3/4")), path("zero_error_t", to=dyadic("3/4"))),
)
reject(
    "p1-zero-error-before-kappa",
    "P1.zero-error: the ray begins at kappa",
    both(path("kappa", to=dyadic(4)), path("targets", to=[])),
)
reject("p1-target-too-early", "P1.target: 1/1024 is reached at 3.5", path("targets", 1, "t", to=dyadic(3)))
reject("p1-target-0", "P1.target: 0 is never reached", path("targets", 1, "loss", to=dyadic(0)))
reject("p1-target-before-kappa", "P1.target: t >= kappa", path("targets", 0, "t", to=dyadic("1/2")))

# ---------------------------------------------------------------- Z2, B1, C1, C3
BALLS = "balls-and-derivatives"
reject = rejections(BALLS)
reject("z2-radius-0", "Z2.radius: radius > 0", claim("radius", to=dyadic(0), number=1))
reject("z2-gamma-0", "Z2.gamma: gamma > 0", claim("gamma", to=dyadic(0), number=1))
reject("z2-gamma-above", "Z2.margin: margins are 2", claim("gamma", to=dyadic(3), number=1))
reject("z2-radius-1", "Z2.change: V may become 0", claim("radius", to=dyadic(1), number=1))
reject(
    "z2-log-in-the-ball",
    "Z2.range: log(t + 17/16) at pre-activations down to -1 - 3 r",
    both(activation("t + 0*log(t + 17/16)"), unclaim(4), unclaim(3), unclaim(2), unclaim(0)),
)
reject("b1-radius-0", "B1.radius: radius > 0", claim("radius", to=dyadic(0), number=2))
reject("b1-radius-1", "B1.change: the weights may become 0", claim("radius", to=dyadic(1), number=2))
reject("b1-alone", "B1.rank: needs R1 or R3", both(unclaim(3), unclaim(0)))
reject = rejections("steps-in-a-ball")
reject(
    "b1-beside-w1-only",
    "network.values: W1 is about other weights than the stored ones",
    lambda c, d: c.claim("B1", radius=dyadic("1/1024")),
)
reject = rejections(BALLS)
reject(
    "c1-above", "C1.gradient: the bound is 1/4 (sigma_lower 1/2)", claim("gradient_lower", to=dyadic("3/8"), number=3)
)
reject("c1-zero", "C1.gradient: above 0", claim("gradient_lower", to=dyadic(0), number=3))
reject("c1-alone", "C1.rank: needs R1 or R3", both(unclaim(2), unclaim(0)))
reject("c1-with-counts-only", "data.labels: the cross-entropy of which labels?", both(NO_LABELS, unclaim(1)))
reject("c3-above", "C3.curvature: the second derivative is 1/8", claim("curvature_lower", to=dyadic("3/16"), number=4))
reject(
    "c3-at-a-zero-unit",
    "C3.curvature: a unit that is 0 curves nothing",
    both(
        weight([[0, 0], [0, 1]]),
        unclaim(3),
        unclaim(2),
        unclaim(1),
        unclaim(0),
        claim("curvature_lower", to={"mantissa": "1", "exponent": -99}),
    ),
)
reject("c3-no-such-unit", "schema.value: units are 0 and 1", claim("unit", to=2, number=4))

# ---------------------------------------------------------------- TC.3
SQUARED, WEIGHTED, HINGE = "squared-loss-of-conflicting-labels", "weighted-cross-entropy", "weston-watkins"
reject = rejections(SQUARED)
reject(
    "tc3-counts-that-do-not-add-up",
    "TC.3.labels: 3 + 2 labels for 4 samples",
    claim("label_counts", to=tensor([3, 2, 0, 1]), number=1),
)
reject("tc3-negative-counts", "TC.3.labels: 5 - 1 labels", claim("label_counts", to=tensor([5, -1, 0, 1]), number=1))
reject = rejections(HINGE)
reject("tc3-labels-and-counts", "TC.3.labels: one of them", claim("label_counts", to=tensor([1, 0, 0, 1])))
reject = rejections(SQUARED)
reject("tc3-neither", "TC.3.labels: one of them", claim("label_counts", to=None, number=1))
reject = rejections(WEIGHTED)
reject("tc3-class-weight-0", "TC.3.class-weights: positive", claim("class_weights", to=[dyadic(1), dyadic(0)]))
reject = rejections(HINGE)
reject(
    "tc3-one-class-weight-missing", "TC.3.class-weights: one for each class", claim("class_weights", to=[dyadic(1)] * 3)
)
reject = rejections(SQUARED)
reject(
    "tc3-gamma-of-the-squared-loss",
    "TC.3.gamma: the squared loss grows along the ray",
    claim("gamma", to=dyadic("1/4"), number=1),
)
reject = rejections(WEIGHTED)
reject("tc3-gamma-of-conflicting-labels", "TC.3.gamma: no ray tends to 0", claim("gamma", to=dyadic("1/4")))
reject = rejections(HINGE)
reject("tc3-gamma-0", "TC.3.gamma: gamma > 0", claim("gamma", to=dyadic(0)))
reject("tc3-margin", "TC.3.margin: margins are 2", claim("gamma", to=dyadic(3)))
reject = rejections("one-vs-rest")
reject(
    "tc3-one-vs-rest-margin",
    "TC.3.margin: margins 2, but -G_k is 0: the loss stays above log 2",
    both(claim("end_weights", to=exact([[2, 0], [0, 2]])), claim("end_loss", to=dyadic(1))),
)
reject = rejections(SQUARED)
reject(
    "tc3-segment-that-overshoots",
    "TC.3.end-weights: beyond the minimum the loss rises again",
    claim("end_weights", to=exact([["3/4", "3/4"], [0, "3/2"]]), number=1),
)
reject("tc3-start-loss", "TC.3.start-loss: 1/2", claim("start_loss", "upper", to=dyadic(0), number=1))
reject("tc3-end-loss", "TC.3.end-loss: 0.21875", claim("end_loss", to=dyadic("13/64"), number=1))
reject(
    "tc3-infimum-above",
    "TC.3.infimum: 1/5",
    claim("infimum", to={"lower": dyadic("13/64"), "upper": dyadic(1)}, number=1),
)
reject = rejections("real-targets")
TARGETS = "targets"
reject("targets-beside-labels", "data.targets: one of them", setting("data", "labels", to=tensor([0, 0])))
reject(
    "targets-beside-frozen-logits",
    "data.targets: no targets of Psi V + K",
    setting("data", "offset", to=exact([[0], [0]])),
)
reject("targets-one-missing", "shape: three samples", setting("data", TARGETS, to=exact([[0], [1]])))
reject(
    "targets-of-zero-error",
    "data.labels: which classes?",
    lambda c, d: c.claim("Z1", precision=64, output_weights=c.exact([[1], [1]]), gamma=dyadic(1)),
)
reject(
    "targets-of-another-loss",
    "TC.3.targets: the one-hot labels of the squared loss are no targets",
    claim("loss", to="squared", number=1),
)
reject("targets-with-a-ray", "TC.3.targets: no margins", claim("gamma", to=dyadic(1), number=1))
reject("targets-with-counts", "TC.3.targets: no labels to count", claim("label_counts", to=tensor([2, 1]), number=1))
reject("targets-changed", "TC.3.start-loss: Phi(0) is 3/2", setting("data", TARGETS, to=exact([[1], [2], [2]])))
reject(
    "targets-in-another-order",
    "TC.3.end-weights: Phi(0) is the same, but V1 overshoots 0",
    setting("data", TARGETS, to=exact([[1], [2], [0]])),
)
reject("targets-start-loss", "TC.3.start-loss: 5/6", claim("start_loss", "upper", to=dyadic("53/64"), number=1))
reject("targets-end-loss", "TC.3.end-loss: 25/192", claim("end_loss", to=dyadic("1/8"), number=1))
reject("targets-infimum-above", "TC.3.infimum: 1/12", claim("infimum", "lower", to=dyadic("11/128"), number=1))
reject(
    "targets-infimum-0",
    "TC.3.infimum: 1/12, as a sample has two targets",
    claim("infimum", to={"lower": dyadic(0), "upper": dyadic(0)}, number=1),
)
reject("targets-without-rank", "TC.3.rank: which outputs are there?", both(unclaim(2), unclaim(0)))
reject(
    "targets-that-the-end-overshoots",
    "TC.3.end-weights: beyond 1/2 and 2 the error rises",
    claim("end_weights", to=exact([["3/4"], [3]]), number=1),
)
reject = rejections(SQUARED)
reject("targets-that-are-not-there", "TC.3.targets: labels are no targets", claim("loss", to="squared-error", number=1))
reject("tc3-infimum-below", "TC.3.infimum: 1/5", claim("infimum", "upper", to=dyadic("12/64"), number=1))
reject("tc3-infimum-without-rank", "TC.3.rank: which logits are there?", unclaim(0))
reject(
    "tc3-hinge-of-conflicting-labels",
    "TC.3.infimum: 0 is a bound, not the infimum, which is above",
    both(
        claim("loss", to="weston-watkins", number=1),
        claim("start_loss", to={"lower": dyadic(1), "upper": dyadic(1)}, number=1),
        claim("end_loss", to=dyadic(1), number=1),
        claim("infimum", to={"lower": dyadic(0), "upper": dyadic("1/4")}, number=1),
    ),
)

# ---------------------------------------------------------------- E1, E2, E3, E4.path, E4
reject = rejections("descent")
reject("e1-that-rises", "E1.descent: V moves to the wrong side first", claim("moved_weights", to=exact([[1, -1]])))
reject(
    "e1-one-piece-too-long",
    "E1.descent: one piece: the enclosure is too wide",
    both(claim("pieces", to=1), claim("moved_weights", to=exact([[-64, 64]]))),
)
reject("e1-pole-on-the-way", "features.finite: 1/t from 1 to -1, of a unit that nobody reads", activation("1/t", 1))
reject("e1-kink-on-the-way", "network.expression: Abs has no derivative at 0", activation("Abs(t)", 1))
reject("e1-margin", "E1.margin: after U has moved, V1 is on the wrong side", claim("end_weights", to=exact([[1, -1]])))
reject(
    "e1-parameter-twice", "network.parameter: each parameter at most once", claim("moved", 1, "node", to=weight_of(0))
)
reject("e1-moves-the-input", "network.parameter: only free parameters move", claim("moved", 0, "node", to=0))
reject = rejections("sublevel")
reject("e3-too-low", "E3.sublevel: the loss rises by 0.02", claim("epsilon", to=dyadic("1/1024")))
reject("e3-pole-on-the-way", "features.finite: 1/t from 1 to -1, of a unit that nobody reads", activation("1/t", 1))
reject("e3-logarithm-on-the-way", "features.finite: log(t) from 1 to -1", activation("log(t)", 1))
reject("e3-gamma-0", "E3.gamma: gamma > 0", claim("gamma", to=dyadic(0)))
reject("e3-kappa-0", "E3.kappa: kappa > 0", claim("kappa", to=dyadic(0)))
reject = rejections("dead-unit-moves")
reject(
    "e2-not-analytic",
    "E2.analytic: units that move have values on the way: ReLU is not analytic",
    activation("Max(0, t)"),
)
reject(
    "e2-nobody-carries",
    "E2.carry: a column that is not 0 moves, and nobody rests",
    both(claim("start_weights", to=exact([[1, 0]])), weight([["1/2"]])),
)
reject = rejections("clone-moves")
reject("e2-both-clones-move", "E2.carry: nobody rests", claim("moved", 0, "values", to=exact([[2], [2]])))
reject(
    "e2-no-clones",
    "E2.carry: the resting column is not the moving one",
    weight([[1], [3]]),
)
reject = rejections("rerouted-clone-moves")
reject("e2-rerouted-to-another-sum", "E2.reroute: 3 z is not z + z", claim("rerouted", 0, "values", to=exact([[3, 0]])))
reject(
    "e2-reads-what-moves",
    "E2.carry: without the rerouting the reader moves, too",
    both(claim("rerouted", to=None), lambda c, d: d["claims"][0].update(moved=d["claims"][0]["moved"][2:])),
)
reject = rejections("clone-moves")
reject("e2-margin", "E2.margin: V1 is on the wrong side", claim("end_weights", to=exact([[1, -1], [0, 0]])))
reject = rejections("unread-unit-moves")
reject(
    "s-path-nobody-carries",
    "S.path.span: the unit that is not 0 moves, too",
    claim("moved", 0, "values", to=exact([[2], [1]])),
)
reject(
    "s-path-two-units-are-needed",
    "S.path.span: both units are not 0 at the stored weights, and one of them moves",
    both(weight([[1], [-8]]), bias([0, 9])),
)
reject(
    "s-path-bias-moves",
    "S.path.span: the bias of the unit that is not 0 moves, too",
    claim("moved", 1, "values", to=exact([1, -1])),
)
reject("s-path-not-rational", "R6.rational: tanh(1) is no rational number", activation("tanh(t)"))
reject("s-path-pole", "S.path.defined: 1/(t - 9) has no value at 9", activation("1/(t - 9)"))
reject("s-path-margin", "S.path.margin: V1 is on the wrong side", claim("end_weights", to=exact([[1, -1], [0, 0]])))
reject = rejections("copy-over-a-layer-moves")
reject(
    "s-path-what-is-read-moves",
    "S.path.span: all units read what moves; the output bias alone rests",
    lambda c, d: d["claims"][0]["moved"].extend(c.moved(0, [[2]], [0])),
)
GATE = "merged-samples-part"
reject = rejections(GATE)
reject("e4path-not-analytic", "E4.path.analytic: ReLU", activation("Max(0, t)"))
reject(
    "e4path-skip-layer-moves",
    "E4.rest: it rests",
    lambda c, d: d["claims"][0]["moved"].extend(c.moved(1, [[2], [1]], [0, 2])),
)
reject("e4path-gate-that-rests", "E4.part: the samples stay merged", claim("moved", 0, "values", to=exact([[0]])))
reject("e4path-wrong-inverse", "E4.rank: not near the inverse", claim("right_inverse", to=exact(UNIT)))
reject(
    "e4path-wide-gate",
    "E4.rank: the hull of the gate's values is too wide",
    claim("moved", 0, "values", to=exact([[4]])),
)
reject(
    "e4path-equal-units",
    "E4.rank: two equal units never part the samples",
    bias([2, 2], 1),
)
reject(
    "e4path-two-skip-layers",
    "E4.layers: the gate is a skip unit, too",
    both(
        shown(0, 3),
        claim("start_weights", to=exact([[0, 0]] * 3)),
        claim("end_weights", to=exact([[0, 0], [-16, 16], [0, 0]])),
        claim("right_inverse", to=exact([[0, 0]] * 3)),
    ),
)


def two_gates(certificate: Certificate, document: Json) -> None:
    """Give the skip units two gates to read."""
    first = certificate.dense([[0], [0]], [0, 0], "tanh(t)", skip=False)
    certificate.network([1], [first, certificate.dense([[1, 0], [0, 1]], [0, 2], "tanh(t)", [0])], 2)
    document["claims"][0]["moved"] = certificate.moved(0, [["1/16"], [0]], [0, 0])


reject("e4path-two-gates", "E4.gate: all skip units read one gate", two_gates)


def hundred_and_one(certificate: Certificate, document: Json) -> None:
    """Merge 101 samples."""
    inputs = certificate.exact([[number] for number in [-1, 1, *range(2, 101)]])
    document["data"] |= {"samples": 101, "total": 101, "inputs": inputs}
    document["data"]["labels"] = certificate.tensor([0, 1, *[0] * 99], "U8")
    document["claims"][0]["right_inverse"] = certificate.exact([[0] * 101] * 2)


reject("e4path-101-merged", "E4.groups: at most 100 samples in a group", hundred_and_one)
POINT, LOWER = "every-point", "every-point-through-a-lower-layer"


def conflicting_counts(certificate: Certificate, document: Json) -> None:
    """Two of three labels of the first sample agree; the loss 'tends to 0' beside TC.3's infimum above 0.46."""
    document["data"] |= {"multiplicities": certificate.tensor([3, 1]), "labels": None, "total": 4}
    zero = certificate.exact([[0, 0], [0, 0]])
    keys: Json = {"precision": 64, "loss": "cross-entropy", "class_weights": None, "gamma": None}
    keys |= {"label_counts": certificate.tensor([2, 1, 1, 0]), "start_weights": zero, "end_weights": zero}
    keys |= {"start_loss": {"lower": dyadic("11/16"), "upper": dyadic("3/4")}, "end_loss": dyadic(1)}
    certificate.claim("TC.3", **keys, infimum={"lower": dyadic("29/64"), "upper": dyadic(1)})


reject = rejections(POINT)
reject("e4-of-conflicting-labels", "data.labels: no path leads to loss 0", conflicting_counts)
reject("e4-without-labels", "data.labels: whether labels agree is not said", NO_LABELS)
reject(
    "e4-equal-samples-with-two-labels",
    "E4.separation: no path leads to loss 0",
    setting("data", "inputs", to=exact([[1], [1]])),
)
reject = rejections(LOWER)
reject(
    "e4-one-unit",
    "E4.units: M >= N",
    lambda c, d: c.network([1], [c.dense([[0]], [0], "tanh(t)", skip=False), c.dense([[1]], [0], "tanh(t)", [0])], 1),
)
reject = rejections(POINT)
reject("e4-polynomial", "E4.analytic: not proved to be no polynomial", activation("t**3"))
reject = rejections(LOWER)
reject("e4-not-analytic-below", "E4.analytic: ReLU below", activation("Max(0, t)"))
reject(
    "e4-not-separated", "E4.separation: at the stored weights both samples look the same", claim("separating", to=None)
)
reject = rejections(POINT)
reject(
    "e4-not-separated-in-the-last-layer",
    "E4.separation: the first unit does not see the input",
    weight([[0], [1]]),
)
reject = rejections(LOWER)
reject(
    "e4-skip-units-below",
    "E4.layers: skip units of two layers",
    shown(0, 3),
)
reject = rejections(POINT)
reject(
    "e4-read-by-another-layer",
    "E4.layers: what reads the skip units moves with them",
    lambda c, d: c.add_layer(c.dense([[1, 1]], [0], "tanh(t)", [0], skip=False)),
)

# ---------------------------------------------------------------- W1, W2, W0
WITNESS = "steps"


def block(number: int, *path: str | int, to: object) -> Change:
    """Return the change of a block."""
    return claim("blocks", number, *path, to=to)


reject = rejections(WITNESS)
reject("w1-direction-that-merges", "W1.distinct: all <a, x> are 0", claim("direction", to=tensor([0, 0], "I8")))
reject("w1-chain-that-descends", "W1.chain: the values must ascend", claim("chain", 0, "weight", to=dyadic("-1/16")))
reject("w1-unit-twice", "W1.units: two columns of one unit", block(0, "units", to=tensor([2, 2])))
reject("w1-unit-that-is-no-skip-unit", "W1.units: not a column", block(1, "units", to=tensor([0, 1])))
reject("w1-too-few-columns", "W1.columns: 2 of 4", lambda c, d: d["claims"][0]["blocks"].pop())
reject("w1-weight-0", "W1.weight: not 0", block(0, "weight", to=dyadic(0)))
reject("w1-flat", "W1.distance: far from steps", block(1, "weight", to=dyadic(1)))
reject("w1-thresholds-swapped", "W1.distance: far from steps", block(0, "biases", to=exact([-32, 0])))
reject("w1-not-monotone", "W1.activation: sin has no limits", activation("sin(t)", 1))
reject("w1-unbounded", "W1.activation: t has no finite limits", activation("t", 1))
reject("w1-layer-that-does-not-read", "witness.layer: it reads the chain", block(0, "links", to=0))
reject("w1-radius-behind-a-chain", "W1.radius: all blocks must read the input", claim("radius", to=dyadic("1/1024")))
reject = rejections("steps-in-a-ball")
reject("w1-radius-too-large", "W1.distance: the steps may move", claim("radius", to=dyadic(8)))


def other_unit(text: str) -> Change:
    """Add a skip unit of another layer, whose parameters the claim leaves free."""

    def change(certificate: Certificate, document: Json) -> None:
        certificate.add_layer(certificate.bare(1, 2, text))
        document["network"]["columns"] += 1

    return change


for number, (text, why) in enumerate(
    (
        ("log(t)", "undefined for most of the parameters that the claim leaves free"),
        ("log(-1 - t**2)", "defined nowhere, so Psi is"),
        ("0/(t - t)", "defined nowhere"),
        ("1/t", "a pole"),
        ("sqrt(t)", "undefined on the left"),
        ("t**(1/3)", "fractional powers of negative numbers are undefined"),
        ("log(t)**0", "1 wherever log(t) is defined"),
        ("0*log(t)", "0 wherever log(t) is defined"),
        ("tanh(1/t)", "bounded, but undefined at 0"),
    )
):
    rejections("steps-in-a-ball")(f"w1-beside-a-partial-unit-{number}", f"W1.total: {why}", other_unit(text))
    rejections("ramps")(f"w2-beside-a-partial-unit-{number}", f"W2.total: {why}", other_unit(text))
reject = rejections("ramps")
reject("w2-no-softplus", "W2.activation: log(exp(2 t) + 2)/2", activation("log(exp(2*t) + 2)/2"))
reject("w2-negative-weight", "W2.activation: ramps rise", block(0, "weight", to=dyadic(-4)))
reject("w2-gaps", "W2.gap: thresholds above the values", block(0, "biases", to=exact([-4, -12, -24, -60])))
reject(
    "w2-flat",
    "W2.distance: g w G = 1/2",
    both(block(0, "weight", to=dyadic("1/4")), block(0, "biases", to=exact([0, "-1/4", "-3/4", "-3/2"]))),
)
reject = rejections(WITNESS)
reject("w0-alone", "W0.rank: some U must have full rank", unclaim(0))
reject = rejections("almost-every-u")
reject(
    "w0-beside-b1-only",
    "B1.rank: B1 needs R1 or R3 itself",
    both(unclaim(0), lambda c, d: d["claims"].insert(0, {"label": "B1", "radius": dyadic("1/16")})),
)
reject("w0-not-analytic", "W0.analytic: full rank here, but ReLU is dead on an open set", both(activation("Max(0, t)")))
reject(
    "w0-partial",
    "W0.analytic: log(t + 1) is not defined on R",
    both(activation("log(t + 1)"), claim("right_inverse", to=exact([["91/64", 0], [0, "91/64"]]))),
)
reject = rejections(WITNESS)
reject("kw-w1", "network.expression: read as log(t + 1) once", activation("log(t + 1, **t)", 0))
