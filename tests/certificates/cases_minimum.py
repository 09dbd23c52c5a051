"""Certificates about strict local minima and their valleys (BM): true ones, and what is false or not proved."""

from __future__ import annotations

from cases_rejected import both, claim, exact, nodes, setting, tensor
from make import Certificate, accepted, dyadic, node, rejections


def bounds(lower: str, upper: str) -> dict[str, object]:
    """Return the bounds of a value."""
    return {"lower": dyadic(lower), "upper": dyadic(upper)}


@accepted("BM bad: the feature x - w^2 on x = 1, -1 with the labels 0, 0, 0, 1 and 0, 0, 1: w = 0 is a bad minimum")
def bad_minimum() -> Certificate:
    """Logits (v (x - w^2), 0), at w = 0 least at v = log(4/3) = 0.2877 = 295/1024 - 0.0004, where it is 0.6829.

    By w twice it is 2 v 10/7 / 7 = 0.117, by v twice 12/49; up to r = 1/32 all is above 1/32. At w = 4, v = -1/16 the
    logits are 15/16 and 17/16, near log(5/2) = 0.916, which is best if both are equal: 0.6016.
    """
    certificate = Certificate()
    certificate.data([[1], [-1]], times=[4, 3])
    square = [certificate.parameter("w", [0]), node("multiply", [1, 1]), node("scale", [2], factor=["-1", "1"])]
    certificate.graph([node("input", [], shape=[1]), *square, node("add", [0, 3])], [], 1)
    certificate.feature(4)
    better = {"point": [{"node": 1, "values": certificate.exact([4])}], "loss": dyadic("5/8")}
    better["weights"] = certificate.exact([["-1/16", 0]])
    keys = {"weights": certificate.exact([["295/1024", 0]]), "label_counts": certificate.tensor([3, 1, 2, 1])}
    keys |= {"radius": dyadic("1/32"), "curvature": dyadic("1/32"), "gradient": dyadic("1/4096")}
    certificate.claim("BM", precision=64, **keys, value=bounds("21/32", "11/16"), better=better)
    return certificate


@accepted("BM: an output bias v alone beside the frozen logits 2 and 0, labels 0 and 1: least at v = -1")
def minimum_beside_frozen_logits() -> Certificate:
    """At v = -1 the logits are 1 and -1: probabilities of 0.731, the second derivative 0.1966, the loss 0.3133."""
    certificate = Certificate()
    certificate.data([[1], [2]], [0, 1])
    certificate.document["data"]["offset"] = certificate.exact([[2, 0], [0, 0]])
    certificate.graph([node("input", [], shape=[1]), certificate.constant("output bias", [1])], [], 1)
    certificate.feature(1)
    keys = {"weights": certificate.exact([[-1, 0]]), "label_counts": None, "better": None}
    keys |= {"radius": dyadic("1/16"), "curvature": dyadic("11/64"), "gradient": dyadic("1/4096")}
    certificate.claim("BM", precision=64, **keys, value=bounds("5/16", "41/128"))
    return certificate


@accepted("BM of three classes, away from a kink: Max(0, 1 + x) is x + 1 at x = 2; counts 1, 1, 1, an output bias of 1")
def minimum_between_kinks() -> Certificate:
    """Two numbers v, one column 3: the Hessian at 0 is 9 ((1/3) I - (1/9) 1 1^T), its least eigenvalue 1."""
    certificate = Certificate()
    certificate.data([[2]], classes=3, times=[3])
    shift = [certificate.constant("one", [1]), node("add", [0, 1]), node("map", [2], activation="Max(0, t)")]
    certificate.graph([node("input", [], shape=[1]), *shift], [], 1)
    certificate.feature(3)
    keys = {"weights": certificate.exact([[0, 0, 0]]), "label_counts": certificate.tensor([1, 1, 1]), "better": None}
    keys |= {"radius": dyadic("1/64"), "curvature": dyadic("3/4"), "gradient": dyadic("1/4096")}
    certificate.claim("BM", precision=64, **keys, value=bounds("1", "9/8"))
    return certificate


reject = rejections("bad-minimum")
reject("bm-of-a-saddle", "BM.curvature: x + w^2 falls along w", nodes(3, "factor", to=["1", "1"]))
reject(
    "bm-of-a-flat-direction",
    "BM.curvature: a parameter that no feature depends on",
    lambda c, d: c.add(c.parameter("unused", [1])),
)
reject("bm-of-no-curvature", "BM.curvature: lambda = 0", claim("curvature", to=dyadic(0)))
reject("bm-too-curved", "BM.curvature: by w twice it is 0.117", claim("curvature", to=dyadic("1/8")))
reject("bm-of-a-large-ball", "BM.curvature: at v = 0 it is flat along w", claim("radius", to=dyadic("3/8")))
reject("bm-of-no-ball", "BM.radius: r = 0", claim("radius", to=dyadic(0)))
reject("bm-of-a-negative-ball", "BM.radius: r = -1/32, though r^2 is above 0", claim("radius", to=dyadic("-1/32")))
reject("bm-of-a-small-ball", "BM.radius: 2 g = 1/2048 is r lambda", claim("radius", to=dyadic("1/64")))
reject("bm-gradient", "BM.gradient: v is 0.0004 from log(4/3)", claim("gradient", to=dyadic("1/65536")))
reject(
    "bm-elsewhere",
    "BM.gradient: v = 5/16 is too far from log(4/3)",
    claim("weights", to=exact([["5/16", 0]])),
)
reject("bm-value", "BM.value: it is 0.6829", claim("value", "upper", to=dyadic("173/256")))
reject("bm-value-below", "BM.value: it is 0.6829", claim("value", "lower", to=dyadic("175/256")))
reject("bm-better-than-it-is", "BM.better: it is 0.6016 there", claim("better", "loss", to=dyadic("19/32")))
reject("bm-no-better", "BM.better: 21/32 is not below the least value", claim("better", "loss", to=dyadic("21/32")))
reject("bm-better-nowhere", "BM.better: w = 0 and v = -1/16 is not better", claim("better", "point", to=None))
reject("bm-of-a-shift", "BM.reduced: the last column of V is 1", claim("weights", to=exact([["1319/1024", 1]])))
reject(
    "bm-at-a-kink",
    "BM.differentiable: x - |w| is no smooth function of w",
    lambda c, d: c.nodes.__setitem__(2, node("map", [1], activation="Abs(t)")),
)
reject(
    "bm-once-differentiable",
    "BM.differentiable: w |w| has a derivative, and no second one at 0",
    lambda c, d: c.nodes.__setitem__(2, node("map", [1], activation="t*Abs(t)")),
)
reject(
    "bm-counts-that-are-not-all",
    "BM.labels: 2 + 1 labels of 4 samples",
    claim("label_counts", to=tensor([2, 1, 2, 1])),
)
reject("bm-counts-beside-labels", "BM.labels: which of them?", setting("data", "labels", to=tensor([0, 0], "U8")))
reject("bm-without-labels", "BM.labels: of which labels?", claim("label_counts", to=None))
reject(
    "bm-of-targets",
    "BM.labels: the loss of real targets is no cross-entropy",
    setting("data", "targets", to=exact([[0, 0]] * 7)),
)
reject("bm-beside-missing-arcs", "data.arcs: V is free along all arcs", setting("data", "arcs", to=tensor([1, 1])))
rejections("minimum-beside-frozen-logits")(
    "bm-frozen-logits-forgotten",
    "BM.gradient: without the frozen logits it is least at v = 0",
    lambda c, d: d["data"].pop("offset"),
)
rejections("minimum-beside-frozen-logits")(
    "bm-in-other-labels",
    "BM.gradient: with label 0 for both it falls along v",
    setting("data", "labels", to=tensor([0, 0], "U8")),
)
rejections("minimum-between-kinks")(
    "bm-of-a-third-class-too-often",
    "BM.gradient: the counts 0, 1, 2 are not those of equal logits",
    both(claim("label_counts", to=tensor([0, 1, 2]))),
)
