"""Certificates about paths that never go up (S, S(1), S(2), S+): true ones, and what is false or not proved."""

from __future__ import annotations

from typing import Any

from cases_architecture import also, unseen
from cases_rejected import both, claim, nodes, setting, tensor
from make import Certificate, accepted, affine_of, bias_of, node, output_of, rejections, weight_of

RELU, LEAKY = "Max(0, t)", "Max(t/4, t)"


@accepted("S of a dead start: three samples, ReLU units that are all 0, below them two that tell the samples apart")
def path_from_a_dead_start() -> Certificate:
    """The lower units are (x, 0), so that <(1, 1), h> is x = 1, 2, 3; Psi is 0."""
    certificate = Certificate()
    certificate.data([[1], [2], [3]])
    lower = certificate.dense([[1], [0]], [0, 0], RELU, skip=False)
    certificate.network([1], [lower, certificate.dense([[0, 0]] * 3, [-1] * 3, RELU, (0,))], 3)
    certificate.claim("S", precision=64, node=output_of(1), direction=certificate.tensor([1, 1]))
    return certificate


@accepted("S beside frozen logits, labels and an output bias: two ReLU units for three samples, |x| as a third column")
def path_beside_frozen_logits() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [-3]], [0, 1, 1])
    certificate.document["data"]["offset"] = certificate.exact([[1, 0], [0, 0], [2, -1]])
    certificate.network([1], [], 4)
    certificate.add(node("map", [0], activation="Abs(t)"))
    certificate.add(certificate.parameter("w", [[0], [0]]), certificate.parameter("b", [0, 0]))
    certificate.add(node("affine", [0, 2, 3], over="all", bias=True), node("map", [4], activation=RELU))
    certificate.feature(1)
    certificate.feature(5)
    certificate.feature(certificate.add(certificate.constant("output bias", [1])))
    certificate.claim("S", precision=64, node=5, direction=certificate.tensor([1]))
    return certificate


@accepted("S(1), S+: five ReLU units on the plane, every set of four distinct samples, from every point")
def from_every_point() -> Certificate:
    certificate = unseen(4, 2)
    certificate.network([2], [certificate.bare(5, 2, RELU)], 5)
    for label in ("S(1)", "S+"):
        certificate.claim(label, node=output_of(0))
    return certificate


@accepted("S(1), S+: three units and the output bias for three samples, the square of degree 2 being above N - 2 = 1")
def from_every_point_by_squares() -> Certificate:
    certificate = unseen(3, 1)
    certificate.network([1], [certificate.bare(3, 1, "t**2")], 4, output_bias=True)
    for label in ("S(1)", "S+"):
        certificate.claim(label, node=output_of(0))
    return certificate


@accepted("S(1) of units on the input in another shape beside its pooled maximum: kinks anywhere, weights anywhere")
def from_every_point_beside_anything() -> Certificate:
    certificate = unseen(2, 4)
    certificate.network([1, 4], [], 4)
    pool = {"how": "max", "kernel": [2], "stride": [2], "padding": [0], "dilation": [1]}
    certificate.add(node("pool", [0], **pool), node("scale", [0], factor=["1", "255"]))
    certificate.add(certificate.parameter("w", None, [2, 8]), certificate.parameter("b", None, [2]))
    certificate.add(
        node("affine", [1, 1, 2, 3, 4], over="all", bias=True), node("map", [5], activation="Min(6, Max(0, t))")
    )
    certificate.feature(1)
    certificate.feature(6)
    certificate.claim("S(1)", node=6)
    return certificate


@accepted("S(2): a convolution with dilation, ELU, that leaves out nothing, a dense leaky layer, and three ReLU units")
def from_almost_every_point() -> Certificate:
    certificate = unseen(3, 4)
    certificate.network([1, 4], [], 3)
    over = {"kernel": [2], "stride": [1], "padding": [0], "dilation": [2], "groups": 1}
    certificate.add(certificate.parameter("f", None, [2, 1, 2]), certificate.parameter("g", None, [2]))
    certificate.add(node("affine", [0, 1, 2], over=over, bias=True))
    certificate.add(node("map", [3], activation="exp(Min(0, t)) + Max(0, t) - 1"))
    certificate.add(certificate.parameter("v", None, [2, 4]), certificate.parameter("c", None, [2]))
    certificate.add(node("affine", [4, 5, 6], over="all", bias=True), node("map", [7], activation=LEAKY))
    certificate.add(certificate.parameter("w", None, [3, 2]), certificate.parameter("b", None, [3]))
    certificate.add(node("affine", [8, 9, 10], over="all", bias=True), node("map", [11], activation=RELU))
    certificate.feature(12)
    certificate.claim("S(2)", node=12)
    return certificate


# ---------------------------------------------------------------- S
reject = rejections("path-from-a-dead-start")
reject(
    "s-of-two-units",
    "S.units: three samples need three units",
    lambda c, d: (d["network"].update(columns=2), d["network"]["features"][0].update(entries=[0, 1])),
)
reject("s-of-no-node", "S.layer: there is none", claim("node", to=99))
reject("s-of-the-next-node", "S.layer: there is none", claim("node", to=9))
reject("s-of-the-lower-layer", "S.read: the upper layer reads it", claim("node", to=output_of(0)))
reject("s-of-an-affine-node", "S.layer: no units", claim("node", to=affine_of(1)))
reject("s-of-identities", "S.polynomial: degree 1 = N - 2", nodes(output_of(1), "activation", to="t"))
reject("s-of-a-leaky-slope-of-1", "S.polynomial: the identity", nodes(output_of(1), "activation", to="Max(t, t)"))
reject(
    "s-of-samples-that-die",
    "S.separation: samples that no lower unit sees",
    setting("data", "inputs", to=(lambda c: c.exact([[1], [-1], [-2]]))),
)
reject("s-of-a-blind-direction", "S.separation: the second unit is 0", claim("direction", to=tensor([0, 1])))
reject("s-of-a-short-direction", "shape: L reads two units", claim("direction", to=tensor([1])))
reject("s-of-real-numbers", "container.tensor: integers only", claim("direction", to=tensor([1.5, 1.0], "F64")))
reject(
    "s-of-frozen-biases",
    "S.layer: constants do not move",
    (lambda c, d: c.nodes.__setitem__(bias_of(1), c.constant("frozen", [-1] * 3))),
)
reject(
    "s-of-weights-used-twice",
    "S.layer: they are not its own",
    (lambda c, d: c.add(node("scale", [weight_of(1)], factor=["2", "1"]))),
)
reject(
    "s-of-pre-activations-that-are-shown",
    "S.layer: the pre-activations are columns of Psi, too",
    (lambda c, d: (c.feature(affine_of(1)), d["network"].update(columns=6))),
)
reject(
    "s-beside-a-pole",
    "S.total: defined at this U, not at every one",
    (lambda c, d: c.add(node("map", [output_of(0)], activation="1/(t - 1/2)"))),
)
reject(
    "s-beside-missing-arcs",
    "data.arcs: V is not free",
    (lambda c, d: d["data"].update(arcs=c.tensor([1, 1, 1, 0, 1, 1]))),
)
reject("s-for-every-point", "S.source: ReLU units below may die", also("S(2)", node=output_of(1)))
reject("s-for-every-point-at-all", "S.source: what L reads depends on U", also("S(1)", node=output_of(1)))

# ---------------------------------------------------------------- S(1), S+
reject = rejections("from-every-point")
reject("s1-of-six-samples", "S.units: five units", lambda c, d: d["data"].update(samples=6, total=6))
reject("splus-of-five-samples", "S+.units: six units are needed", lambda c, d: d["data"].update(samples=5, total=5))
reject(
    "s1-of-units-that-are-read",
    "S.read: another node reads them",
    (lambda c, d: c.add(node("scale", [output_of(0)], factor=["2", "1"]))),
)
reject("s1-of-logarithms", "S.polynomial: not defined on all of R", nodes(output_of(0), "activation", to="log(t)"))
reject(
    "s1-beside-logarithms", "S.total: not defined everywhere", lambda c, d: c.add(node("map", [0], activation="log(t)"))
)
reject(
    "splus-beside-other-parameters",
    "S+.layers: they must move, too",
    lambda c, d: c.add(c.parameter("other", None, [1])),
)
reject(
    "splus-beside-other-columns",
    "S+.layers: the input is a column",
    lambda c, d: (d["network"]["features"].insert(0, {"node": 0, "entries": None}), d["network"].update(columns=7)),
)
reject(
    "s1-of-a-part-of-the-input",
    "S.source: L reads one coordinate of two",
    lambda c, d: (
        c.nodes.insert(1, node("take", [0], axis=0, entries=[0])),
        [entry.update(reads=[r + 1 for r in entry["reads"]]) for entry in c.nodes[2:]],
        c.nodes[4]["reads"].__setitem__(0, 1),
        c.nodes[2].update(shape=[5, 1]),
        c.document["network"]["features"][0].update(node=5),
        [one.update(node=5) for one in d["claims"]],
    ),
)
reject(
    "s-without-samples",
    "data.inputs: which samples differ?",
    lambda c, d: c.claim("S", precision=64, node=output_of(0), direction=c.tensor([1, 1])),
)
reject = rejections("from-every-point-by-squares")
reject("s1-of-squares-for-four", "S.polynomial: degree 2 = N - 2", lambda c, d: d["data"].update(samples=4, total=4))
reject(
    "splus-without-the-bias",
    "S+.units: three columns for three samples",
    lambda c, d: (d["network"]["features"].pop(), d["network"].update(columns=3)),
)
rejections("from-every-point-beside-anything")(
    "s1-of-maxima",
    "S.source: a maximum tells little apart",
    both(
        lambda c, d: c.nodes[5]["reads"].__setitem__(2, 1),
        lambda c, d: c.nodes[3].update(shape=[2, 6]),
    ),
)

# ---------------------------------------------------------------- S(2)
reject = rejections("from-almost-every-point")
reject("s2-of-dead-regions", "S.source: ReLU is 0 on half of the line", nodes(8, "activation", to=RELU))
reject(
    "s2-of-flat-filters",
    "S.source: hard tanh is constant where it saturates",
    (nodes(4, "activation", to="Max(-1, Min(1, t))")),
)
reject(
    "s2-of-an-elu-that-is-flat", "S.source: constant for t < 0", nodes(8, "activation", to="Max(0, t) + 0*Min(0, t)")
)
reject(
    "s2-of-windows-with-gaps",
    "S.source: the second and the last place are never read",
    lambda c, d: (c.nodes[3]["over"].update(stride=[2]), c.nodes[5].update(shape=[2, 2])),
)
reject(
    "s2-of-padding-that-moves-windows",
    "S.source: the only window sees three places and a zero before them",
    lambda c, d: (
        c.nodes[3]["over"].update(kernel=[4], stride=[4], padding=[1], dilation=[1]),
        c.nodes[1].update(shape=[2, 1, 4]),
        c.nodes[5].update(shape=[2, 2]),
    ),
)
reject(
    "s2-of-a-convolution-as-the-wide-layer",
    "S.layer: the positions of a filter have weights in common",
    lambda c, d: (
        c.nodes.__delitem__(slice(5, None)),
        d["network"].update(columns=4, features=[{"node": 4, "entries": None}]),
        d["claims"][0].update(node=4),
    ),
)
reject(
    "s2-of-frozen-filters",
    "S.source: fixed filters may tell nothing apart",
    (lambda c, d: c.nodes.__setitem__(1, c.constant("frozen", [[[0, 0]], [[0, 0]]]))),
)
reject(
    "s2-of-shared-weights",
    "S.source: the lower weights are used again",
    (lambda c, d: c.add(node("scale", [5], factor=["2", "1"]))),
)


def averaged(certificate: Certificate, document: dict[str, Any]) -> None:
    """Put a mean over the positions behind the filters: leaky ReLU and a mean coincide on open sets."""
    certificate.nodes[7]["reads"][0] = 13
    moved = certificate.nodes[7:9]
    tail = certificate.nodes[9:]
    del certificate.nodes[7:]
    certificate.add(node("reduce", [4], how="mean", axes=1))
    moved[0]["reads"], moved[1]["reads"] = [7, 5, 6], [8]
    certificate.nodes[5].update(shape=[2, 2])
    certificate.add(*moved)
    for entry, reads in zip(tail, ([], [], [9, 10, 11], [12]), strict=True):
        entry["reads"] = reads
        certificate.add(entry)
    document["network"]["features"][0].update(node=13)
    document["claims"][0].update(node=13)


reject("s2-behind-a-mean", "S.source: the means of different samples agree on open sets of U", averaged)
