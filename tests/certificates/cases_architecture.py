"""Certificates about almost every data set (D), or every one (A): true ones, and what is false or not proved."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

from cases_accepted import UNIT, claim_rank, plane, steps
from cases_rejected import both, claim, exact, nodes, setting, tensor, unclaim
from make import Certificate, Json, accepted, affine_of, bias_of, dyadic, node, output_of, rejections, weight_of


def unseen(samples: int, dimension: int) -> Certificate:
    """Begin a certificate without samples."""
    certificate = Certificate()
    certificate.data([[0] * dimension] * samples)
    certificate.document["data"]["inputs"] = None
    return certificate


def units(*pairs: tuple[int, int]) -> list[Json]:
    """Return so many units of each of these nodes."""
    return [{"node": at, "count": count} for at, count in pairs]


@accepted("D on R1: full rank at one U on two samples of the plane, for units that are analytic in weights and samples")
def almost_every_data_set() -> Certificate:
    certificate = plane(None)
    claim_rank(certificate)
    certificate.claim("D")
    return certificate


@accepted("D and A beside labels and W0: one unit t and an output bias tell any two distinct numbers apart")
def both_beside_labels() -> Certificate:
    """Psi = [x, 1] on 1 and 2."""
    certificate = Certificate()
    certificate.data([[1], [2]], [0, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "t")], 2, output_bias=True)
    claim_rank(certificate, right_inverse=certificate.exact([[-1, 1], [2, -1]]), sigma_lower=dyadic("1/4"))
    for label in ("W0", "D"):
        certificate.claim(label)
    certificate.claim("A", units=units((output_of(0), 1)))
    return certificate


@accepted("A: four tanh units on three softplus units on the input, every set of four distinct samples")
def every_data_set() -> Certificate:
    certificate = unseen(4, 2)
    lower = certificate.bare(3, 2, "log(exp(t) + 1)", skip=False)
    certificate.network([2], [lower, certificate.bare(4, 3, "tanh(t)", (0,))], 4)
    certificate.claim("A", units=units((output_of(1), 4)))
    return certificate


@accepted("A: cubes for four samples, the degree 3 being above N - 2 = 2; three of them and the output bias")
def every_data_set_by_cubes() -> Certificate:
    certificate = unseen(4, 1)
    certificate.network([1], [certificate.bare(3, 1, "t**3")], 4, output_bias=True)
    certificate.claim("A", units=units((output_of(0), 3)))
    return certificate


@accepted("A: a million samples, GELU, SiLU and sine units; no weights, no samples, no numbers")
def every_data_set_of_a_million() -> Certificate:
    certificate = unseen(1, 3)
    certificate.document["data"] |= {"samples": 10**6, "total": 10**6}
    layers = [
        certificate.bare(400_000, 3, "t*(erf(sqrt(2)*t/2) + 1)/2"),
        certificate.bare(400_000, 400_000, "t/(1 + exp(-t))", (0,)),
        certificate.bare(300_000, 400_003, "sin(t)", ("input", 0)),
    ]
    certificate.network([3], layers, 1_100_000)
    counts = units((output_of(0), 400_000), (output_of(1), 400_000), (output_of(2), 200_000))
    certificate.claim("A", units=counts)
    return certificate


@accepted(
    "A: the input divided by 255 and shifted, in another shape, read beside its absolute values, which are frozen"
)
def every_data_set_scaled() -> Certificate:
    """What is the same for all U need not be analytic; a one-to-one image of the input tells samples apart."""
    certificate = unseen(3, 4)
    certificate.network([2, 2], [], 0)
    certificate.add(node("map", [0], activation="Abs(t)"), node("scale", [0], factor=["1", "255"]))
    certificate.add(certificate.constant("shift", [1, -1]), node("add", [2, 3]), node("reshape", [4], shape=[4]))
    certificate.add_units([1, 5], 3, 8, "tanh(t)")
    certificate.feature(9, [0, 1])
    certificate.feature(9, [1, 2])
    certificate.document["network"]["columns"] = 4
    certificate.claim("A", units=units((9, 3)))
    return certificate


@accepted("A: the input minus means, over deviations, times numbers that are not 0, beside itself in other places")
def every_data_set_standardised() -> Certificate:
    certificate = unseen(3, 2)
    certificate.network([2], [], 0)
    certificate.add(certificate.constant("minus the mean", [-1, F(1, 2)]), node("add", [0, 1]))
    certificate.add(certificate.constant("variance", [4, 9]), node("inverse-root", [3], epsilon=["0", "1"]))
    certificate.add(node("multiply", [2, 4]), certificate.constant("signs", [1, -2]), node("multiply", [5, 6]))
    certificate.add(node("map", [0], activation="Abs(t)"), node("concatenate", [8, 7], axis=0))
    certificate.feature(certificate.add_units([9], 3, 4, "atan(t)"))
    certificate.document["network"]["columns"] = 3
    certificate.claim("A", units=units((13, 3)))
    return certificate


@accepted("W0 of samples behind a frozen ReLU, which may be anything for one data set: R1, W0")
def frozen_front_end() -> Certificate:
    certificate = Certificate()
    certificate.data(UNIT)
    certificate.network([2], [], 2)
    certificate.add(node("map", [0], activation="Max(0, t)"))
    certificate.add(certificate.parameter("w", UNIT), certificate.parameter("b", [0, 0]))
    certificate.feature(certificate.add(node("affine", [1, 2, 3], over="all", bias=True)))
    claim_rank(certificate)
    certificate.claim("W0")
    return certificate


@accepted("D of a filter with a tied bias: almost every data set, not samples that are the same at all positions")
def tied_filter() -> Certificate:
    """One-pixel patches of (1, 2) and (3, 0), a filter t of weight 1: Psi = ((1, 2), (3, 0))."""
    certificate = Certificate()
    certificate.data([[1, 2], [3, 0]])
    certificate.network([1, 2], [certificate.conv1d([[[1]]], [0], "t")], 2)
    inverse = certificate.exact([[0, "341/1024"], ["1/2", "-171/1024"]])
    claim_rank(certificate, right_inverse=inverse, alpha=dyadic("1/64"), sigma_lower=dyadic("1/2"))
    certificate.claim("D")
    return certificate


@accepted("D on W1: a witness by thresholds needs no stored weights, on samples with distinct projections")
def almost_every_data_set_by_steps() -> Certificate:
    certificate = steps()
    certificate.claim("D")
    return certificate


@accepted("D of units that share their weights with what they read, u2 x1 + c and u1 x2 + d below u1 A1 + u2 A2 + b")
def tied_with_an_ancestor() -> Certificate:
    """At u = (1, 1), c = d = b = 0 the unit is x1 + x2; on samples with x2 = -x1 it is the same for all, at every U."""
    certificate = Certificate()
    certificate.data([[1, 2], [3, 1]])
    certificate.network([2], [], 2)
    certificate.add(certificate.parameter("u", [[1, 1]]), node("take", [1], axis=1, entries=[1, 0]))
    certificate.add(node("reshape", [2], shape=[2]), certificate.parameter("c", [0, 0]))
    certificate.add(node("multiply", [0, 3]), node("add", [5, 4]), certificate.parameter("b", [0]))
    certificate.add(node("affine", [6, 1, 7], over="all", bias=True), node("map", [8], activation="t"))
    certificate.feature(9)
    certificate.feature(certificate.add(certificate.constant("output bias", [1])))
    claim_rank(certificate, right_inverse=certificate.exact([[-1, 1], [4, -3]]), sigma_lower=dyadic("1/16"))
    certificate.claim("D")
    return certificate


def also(label: str, **keys: Any) -> Any:
    """Return the change that claims something more."""
    return lambda certificate, document: certificate.claim(label, **keys)


# ---------------------------------------------------------------- D
reject = rejections("almost-every-data-set")
reject("d-alone", "D.rank: some U must have full rank on some samples", unclaim(0))
reject("d-of-kinks", "D.analytic: ReLU", nodes(output_of(0), "activation", to="Max(0, t)"))
reject(
    "d-beside-kinks-of-weights",
    "D.analytic: a node that is the same for all samples, and no analytic function of U",
    lambda c, d: c.add(node("map", [weight_of(0)], activation="Abs(t)")),
)
reject(
    "d-of-a-maximum-of-the-samples",
    "D.analytic: a maximum of the samples, which nothing trained precedes",
    lambda c, d: (
        c.add(node("reduce", [0], how="max", axes=1), node("reshape", [5], shape=[1])),
        c.feature(6),
        d["network"].update(columns=3),
        d["claims"][0].update(columns=c.tensor([0, 1])),
    ),
)
reject(
    "d-of-a-logarithm-of-the-samples",
    "D.analytic: log(t) is defined on these samples, 1 and 2, and not on all of R",
    both(
        setting("data", "inputs", to=exact([[1, 2], [2, 1]])),
        claim("right_inverse", to=exact([["-341/1024", "683/1024"], ["683/1024", "-341/1024"]])),
        claim("alpha", to=dyadic("1/64")),
        claim("sigma_lower", to=dyadic("1/4")),
        lambda c, d: c.add(node("map", [0], activation="log(t)")),
    ),
)
rejections("frozen-front-end")("d-of-a-frozen-front-end", "D.analytic: a frozen ReLU passes in W0, not here", also("D"))
rejections("tokens")("d-of-tokens", "D.analytic: samples are real numbers, tokens are whole ones", also("D"))
rejections("frozen-logits")("d-beside-frozen-logits", "data.offset: K belongs to the samples", also("D"))
rejections("missing-arcs")("d-beside-missing-arcs", "data.arcs: V is not free", also("D"))

# ---------------------------------------------------------------- A
reject = rejections("every-data-set")
reject("a-of-three-units", "A.units: four samples need four units", claim("units", to=units((8, 3))))
reject("a-of-five-units", "A.units: there are four", claim("units", to=units((8, 5))))
reject("a-of-a-layer-twice", "A.units: the same units cannot count twice", claim("units", to=units((8, 2), (8, 2))))
reject("a-of-hidden-units", "A.units: these are no columns of Psi", claim("units", to=units((4, 3), (8, 4))))
reject("a-of-an-affine-node", "A.layer: no units", claim("units", to=units((7, 4))))
reject(
    "a-beside-kinks-of-weights",
    "A.analytic: a node that is the same for all samples, and no analytic function of U",
    lambda c, d: c.add(node("map", [weight_of(0)], activation="Abs(t)")),
)
reject("a-of-kinks-below", "A.analytic: ReLU below", nodes(output_of(0), "activation", to="Max(0, t)"))
reject("a-of-squares", "A.polynomial: degree 2 = N - 2", nodes(output_of(1), "activation", to="t**2"))
reject("a-over-constants", "A.layer: units that are constant tell nothing apart", nodes(4, "activation", to="0*t + 1"))
reject(
    "a-of-frozen-weights",
    "A.layer: the last layer's weights are constants",
    lambda c, d: c.nodes.__setitem__(weight_of(1), c.constant("frozen", [[1, 2, 3]] * 4)),
)
reject(
    "a-of-frozen-biases",
    "A.layer: the last layer's biases are constants",
    lambda c, d: c.nodes.__setitem__(bias_of(1), c.constant("frozen", [1, 2, 3, 4])),
)
reject(
    "a-of-weights-used-twice",
    "A.layer: another node reads the last layer's weights",
    lambda c, d: c.add(node("scale", [weight_of(1)], factor=["2", "1"])),
)
reject(
    "a-of-pre-activations-that-are-shown",
    "A.layer: the pre-activations are columns of Psi, too",
    lambda c, d: (c.feature(affine_of(1)), d["network"].update(columns=8)),
)
reject(
    "a-of-a-part-of-the-input",
    "A.layer: the lower layer reads one coordinate of two",
    lambda c, d: (
        c.nodes.insert(1, node("take", [0], axis=0, entries=[0])),
        [entry.update(reads=[r + 1 for r in entry["reads"]]) for entry in c.nodes[2:]],
        c.nodes[4]["reads"].__setitem__(0, 1),
        c.nodes[2].update(shape=[3, 1]),
        c.document["network"]["features"][0].update(node=9),
        d["claims"][0].update(units=units((9, 4))),
    ),
)
reject(
    "a-behind-a-mask-with-a-0",
    "A.layer: a coordinate times 0 tells nothing apart",
    lambda c, d: (
        c.nodes.append(c.constant("mask", [1, 0])),
        c.nodes.append(node("multiply", [0, 9])),
        c.feature(c.add_units([10], 4, 2, "tanh(t)")),
        d["network"].update(columns=8),
        d["claims"][0].update(units=units((14, 4))),
    ),
)
reject("a-with-labels", "data.inputs: labels of which samples?", setting("data", "labels", to=tensor([0, 0, 1, 1])))
reject("a-with-multiplicities", "data.inputs: of which samples?", setting("data", "multiplicities", to=tensor([1] * 4)))
reject("a-of-another-total", "data.inputs: four samples are four", setting("data", "total", to=5))
reject("d-without-samples", "data.inputs: D needs samples at which the rank is full", also("D"))
reject("r5-without-samples", "data.inputs: the rank on which samples?", also("R5", reason="every-u", rank_at_most=3))
reject = rejections("every-data-set-by-cubes")
reject("a-of-cubes-for-five", "A.polynomial: degree 3 = N - 2", lambda c, d: d["data"].update(samples=5, total=5))
reject(
    "a-without-the-bias",
    "A.units: three units for four samples, the last column not being constant",
    lambda c, d: (d["network"]["features"].pop(), d["network"].update(columns=3)),
)
reject = rejections("every-data-set-scaled")
reject("a-of-a-logarithm-of-the-samples", "A.analytic: defined for few samples", nodes(1, "activation", to="log(t)"))
reject("a-of-units-shown-twice", "A.units: three units, shown as four columns", claim("units", to=units((9, 4))))
reject(
    "a-of-absolute-values", "A.layer: |x| is the same for x and -x", lambda c, d: c.nodes[8]["reads"].__setitem__(1, 1)
)


rejections("tied-filter")(
    "a-of-a-tied-bias",
    "A.layer: of samples (1, 1) and (2, 2) both positions see the same",
    also("A", units=units((4, 2))),
)


rejections("tied-with-an-ancestor")(
    "a-of-weights-of-an-ancestor",
    "A.layer: if x2 = -x1 the unit is u1 c + u2 d + b on all samples",
    also("A", units=units((9, 1))),
)


def behind(*extra: Json) -> Any:
    """Return the change by which the concatenation, moved behind these nodes, reads the last of them and |x|."""

    def change(certificate: Certificate, document: Json) -> None:
        kept = certificate.nodes[9:]
        del certificate.nodes[9:]
        last = certificate.add(*extra)
        by = len(extra)
        for entry in kept:
            entry["reads"] = [read + by if read >= 9 else read for read in entry["reads"]]
            certificate.add(entry)
        certificate.nodes[last + 1]["reads"] = [8, last]
        document["network"]["features"][0]["node"] += by
        document["claims"][0]["units"][0]["node"] += by

    return change


reject = rejections("every-data-set-standardised")
reject("a-of-scaled-absolute-values", "A.layer: |x|/2 is that of -x", behind(node("scale", [8], factor=["1", "2"])))
reject("a-of-absolute-values-moved", "A.layer: |x| - mean is that of -x", behind(node("add", [8, 1])))
reject("a-of-a-residual-sum", "A.layer: x + |x| is 0 for all x < 0", behind(node("add", [0, 8])))
reject("a-of-signs-alone", "A.layer: numbers that are the same for all samples", behind(node("add", [1, 6])))
reject("a-of-x-times-its-size", "A.layer: a product of two that vary: no rule", behind(node("multiply", [0, 8])))
reject("a-of-a-product-of-sizes", "A.layer: |x| times fixed numbers", behind(node("multiply", [8, 6])))
reject("a-of-squares-of-samples", "A.layer: x times x is that of -x", behind(node("multiply", [0, 0])))
reject("a-times-0", "A.layer: one coordinate is lost", nodes(6, "values", to=exact([1, 0])))
