"""Certificates about weight decay (WD): true ones, and what is false or not proved."""

from __future__ import annotations

from cases_rejected import activation, both, claim, exact, nodes, setting, tensor
from make import Certificate, accepted, bias_of, dyadic, node, rejections

CORNERS = [[1, 1], [1, -1], [-1, 1], [-1, -1]]


def xor(text: str, units: int = 1, output_bias: bool = False) -> Certificate:
    """Begin a certificate about XOR with units of one activation, all of whose stored weights are 0."""
    certificate = Certificate()
    certificate.data(CORNERS, [1, 0, 0, 1])
    layer = certificate.dense([[0, 0]] * units, [0] * units, text)
    certificate.network([2], [layer], units + output_bias, output_bias=output_bias)
    return certificate


@accepted("WD: XOR by one tanh unit, w = (1, 1), b = -1, v = 23/16, one logit; for lambda up to 1/64")
def weight_decay() -> Certificate:
    """At lambda = 1/64 the value is below 0.67, and log 2 = 0.693."""
    certificate = xor("tanh(t)")
    keys = {"moved": certificate.moved(0, [[1, 1]], [-1]), "moved_weights": certificate.exact([[0, "23/16"]])}
    certificate.claim("WD", precision=64, weight_decay=dyadic("1/64"), **keys, value=dyadic("11/16"))
    return certificate


@accepted("WD: XOR by one unit t^2, which is not odd, and an output bias: logits -1, 1 and 1, -1; another unit is 0")
def weight_decay_of_squares() -> Certificate:
    """(x1 + x2)^2 is 4 or 0: log(1 + e^-2) = 0.127 and lambda/2 (2 + 2 (1/4) + 2) = 0.141."""
    certificate = xor("t**2", 2, output_bias=True)
    moved = certificate.moved(0, [[1, 1], [0, 0]], [0, 0])
    weights = certificate.exact([["-1/2", "1/2"], [0, 0], [1, -1]])
    value = {"weight_decay": dyadic("1/16"), "moved": moved, "moved_weights": weights, "value": dyadic("3/8")}
    certificate.claim("WD", precision=64, **value)
    return certificate


@accepted("WD: three classes of two numbers each, 0 and 2, -1 and 3, 1 twice; two layers, t^2 below t; the stored U")
def weight_decay_of_three_classes() -> Certificate:
    """Psi = (x - 1)^2, logits (0, Psi - 5/2, 1 - 2 Psi): a mean of 0.334, 0.465 and 0.202, and 15.25/64 = 0.238."""
    certificate = Certificate()
    certificate.data([[0], [2], [-1], [3], [1]], [0, 0, 1, 1, 2], classes=3, times=[1, 1, 1, 1, 2])
    layers = [certificate.dense([[1]], [-1], "t**2", skip=False), certificate.dense([[1]], [0], "t", (0,))]
    certificate.network([1], layers, 2, output_bias=True)
    weights = certificate.exact([[0, 1, -2], [0, "-5/2", 1]])
    value = {"weight_decay": dyadic("1/32"), "moved": None, "moved_weights": weights, "value": dyadic("37/64")}
    certificate.claim("WD", precision=64, **value)
    return certificate


reject = rejections("weight-decay")
reject("wd-value-too-low", "WD.value: it is above 0.6", claim("value", to=dyadic("5/8")))
reject(
    "wd-stronger-decay",
    "WD.value: at lambda = 1/32 the point is not below 11/16",
    claim("weight_decay", to=dyadic("1/32")),
)
reject(
    "wd-no-lower-point",
    "WD.lower: at lambda = 1/16 the point is above log 2",
    both(claim("weight_decay", to=dyadic("1/16")), claim("value", to=dyadic(1))),
)
reject("wd-without-decay", "WD.decay: lambda = 0", claim("weight_decay", to=dyadic(0)))
reject("wd-negative", "WD.decay: lambda < 0 makes the origin a maximum", claim("weight_decay", to=dyadic("-1/64")))
reject("wd-at-the-origin", "WD.value: the stored U is 0, so that only |V|^2 is added", claim("moved", to=None))
reject(
    "wd-of-the-origin",
    "WD.lower: the origin is not below itself",
    both(claim("moved", to=None), claim("moved_weights", to=exact([[0, 0]])), claim("value", to=dyadic("3/4"))),
)
reject("wd-of-kinks", "WD.analytic: at lambda = 1/64 the origin is no local minimum with ReLU", activation("Max(0, t)"))
reject(
    "wd-of-other-means",
    "WD.classes: the labels are the signs of x1, and the origin is not stationary with lambda = 1/64",
    setting("data", "labels", to=tensor([1, 1, 0, 0], "U8")),
)
reject(
    "wd-of-other-numbers",
    "WD.classes: a fifth sample, (0, 0), leaves the sums 0, and the classes have 2 and 3 samples",
    both(
        setting("data", "inputs", to=exact([*CORNERS, [0, 0]])),
        setting("data", "labels", to=tensor([1, 0, 0, 1, 1], "U8")),
        setting("data", "samples", to=5),
        setting("data", "total", to=5),
    ),
)
reject(
    "wd-of-a-third-class",
    "WD.classes: a class without samples",
    both(setting("data", "classes", to=3), claim("moved_weights", to=exact([[0, "23/16", 0]]))),
)
reject(
    "wd-of-frozen-biases",
    "network.layered: the biases are constants",
    both(
        lambda c, d: c.nodes.__setitem__(bias_of(0), c.constant("frozen", [-1])),
        claim("moved", to=lambda c: c.moved(0, [[1, 1]], [-1])[:1]),
    ),
)
reject(
    "wd-of-a-node-beside-layers",
    "network.layered: rules about layers alone",
    lambda c, d: c.add(node("scale", [0], factor=["2", "1"])),
)
reject("wd-without-labels", "data.labels: whose classes?", setting("data", "labels", to=None))
reject(
    "wd-beside-frozen-logits", "data.offset: K has no weight decay", setting("data", "offset", to=exact([[0, 0]] * 4))
)
reject("wd-beside-missing-arcs", "data.arcs: V is not free", setting("data", "arcs", to=tensor([1, 1])))
rejections("weight-decay-of-three-classes")(
    "wd-of-a-lower-stored-u", "WD.value: the stored weight is 2", nodes(1, "values", to=exact([[2]]))
)
rejections("weight-decay-of-three-classes")(
    "wd-of-samples-that-count-once",
    "WD.value: without multiplicities it would be below",
    claim("value", to=dyadic("35/64")),
)
rejections("weight-decay-of-three-classes")(
    "wd-of-sums-of-rows",
    "WD.classes: the numbers 0 and 2, -1 and 3, 2, which counts twice, have the sums 2, 2 and 4",
    setting("data", "inputs", to=exact([[0], [2], [-1], [3], [2]])),
)
