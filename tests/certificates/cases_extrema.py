"""Certificates about extrema at every point (C4, C2+) and gradient descent on V (GDV), true ones and false ones."""

from __future__ import annotations

from cases_accepted import UNIT, ZERO, plane
from cases_architecture import also, unseen
from cases_rejected import Change, both, claim, exact, nodes, setting, tensor
from make import Certificate, Json, accepted, affine_of, bias_of, dyadic, node, output_of, rejections, weight_of

GOAL = [[2, -2], [-2, 2]]


def claim_descent(certificate: Certificate, **changes: object) -> None:
    """Claim GDV at Psi = I from V0 = 0 to margins of 4: L >= 1/4, Phi(Z) = log(1 + e^-4) < 0.0182, T > 6.5."""
    keys = {"precision": 64, "start_weights": certificate.exact(ZERO), "end_weights": certificate.exact(GOAL)}
    keys |= {"smoothness": dyadic("17/64"), "feature_bits": 8, "loss": dyadic("19/1024"), "steps": 7}
    certificate.claim("GDV", **{**keys, **changes})


@accepted("GDV at Psi = I: seven steps from V0 = 0 to margins of 4 at most, L = 17/64")
def seven_steps() -> Certificate:
    certificate = plane([0, 1])
    claim_descent(certificate)
    return certificate


@accepted("GDV with multiplicities 1 and 3 and an output bias; Psi is 1/3 times the coordinates, no integer times 2^-k")
def descent_of_thirds() -> Certificate:
    """Z = 36 times ((1, -1), (-1, 1)) and 0 for the bias: margins 24; ||Psi_D||_F^2 / 8 = 5/9, its 2-norm is less."""
    certificate = Certificate()
    certificate.data(UNIT, [0, 1], times=[1, 3])
    certificate.network([2], [certificate.dense(UNIT, [0, 0], "t/3")], 3, output_bias=True)
    keys = {"start_weights": certificate.exact([[1, 1], [1, 1], [0, 0]]), "smoothness": dyadic("35/64"), "steps": 8600}
    goal = certificate.exact([[36, -36], [-36, 36], [0, 0]])
    claim_descent(certificate, **keys, end_weights=goal, feature_bits=16, loss=dyadic("1/1024"))
    return certificate


@accepted("GDV beside frozen logits that lower one margin by 1, along one output alone: a column of V is held at 0")
def descent_of_one_logit() -> Certificate:
    certificate = plane([0, 1])
    certificate.document["data"]["offset"] = certificate.exact([[0, 1], [0, 0]])
    goal = certificate.exact([[0, -5], [0, 4]])
    claim_descent(certificate, end_weights=goal, loss=dyadic("19/1024"), steps=17)
    return certificate


@accepted("GDV where Psi = 0 and the frozen logits classify all samples: V_1 = V_0, and L is any number above 0")
def descent_of_nothing() -> Certificate:
    certificate = Certificate()
    certificate.data(UNIT, [0, 1])
    certificate.network([2], [certificate.dense(ZERO, [0, 0], "t")], 2)
    certificate.document["data"]["offset"] = certificate.exact([[8, 0], [0, 8]])
    claim_descent(certificate, end_weights=certificate.exact(ZERO), smoothness=dyadic(1), steps=1)
    return certificate


@accepted("GDV of four features 31/128, of which integers near 2 Psi see nothing: all of the norm is rounding")
def descent_of_small_features() -> Certificate:
    """L >= (31/128)^2 16/8 = 0.1173; margins 3.875, Phi(Z) < 0.0207; 16 L / (log(2)/4 - 0.0215) < 12.8."""
    certificate = Certificate()
    certificate.data([[1], [2], [3], [4]], [0, 0, 0, 0])
    certificate.network([1], [certificate.dense([[0]] * 4, ["31/128"] * 4, "t")], 4)
    zero, goal = (certificate.exact([[a, -a]] * 4) for a in (0, 2))
    keys = {"start_weights": zero, "end_weights": goal, "smoothness": dyadic("31/256"), "feature_bits": 1}
    claim_descent(certificate, **keys, loss=dyadic("22/1024"), steps=13)
    return certificate


@accepted("GDV with a sample that counts three times: Phi(Z) is 0.0998, the mean over four")
def descent_that_counts() -> Certificate:
    certificate = Certificate()
    certificate.data(UNIT, [0, 1], times=[1, 3])
    certificate.network([2], [certificate.dense(UNIT, [0, 0], "t")], 2)
    goal = certificate.exact([[2, -2], [-1, 1]])
    claim_descent(certificate, end_weights=goal, smoothness=dyadic("25/64"), loss=dyadic("13/128"), steps=40)
    return certificate


@accepted("C4: tanh units behind ReLU, of any weights and samples; a bias of theirs moves their column through 0")
def no_maximum_anywhere() -> Certificate:
    certificate = unseen(5, 2)
    lower = certificate.bare(3, 2, "Max(0, t)")
    certificate.network([2], [lower, certificate.bare(2, 3, "tanh(t)", (0,))], 5)
    certificate.claim("C4", node=output_of(1))
    certificate.claim("C2+")
    return certificate


@accepted("C4 of GELU, by a filter with a tied bias, read in another shape, some positions of which are columns")
def no_maximum_of_a_filter() -> Certificate:
    certificate = unseen(9, 4)
    certificate.network([1, 4], [certificate.conv1d([[[1]]], [0], "t*(erf(sqrt(2)*t/2) + 1)/2")], 0)
    certificate.document["network"]["features"] = []
    certificate.feature(certificate.add(node("reshape", [4], shape=[4])), [1, 2])
    certificate.document["network"]["columns"] = 2
    certificate.claim("C4", node=5)
    return certificate


@accepted("C4 of leaky ReLU, of ELU and of scaled ELU, each the columns of a layer of its own beside the others")
def no_maximum_with_kinks() -> Certificate:
    certificate = unseen(2, 1)
    texts = ("Max(t/100, t)", "exp(Min(0, t)) + Max(0, t) - 1", "7*exp(Min(0, t))/4 + 21*Max(0, t)/20 - 7/4")
    certificate.network([1], [certificate.bare(1, 1, text) for text in texts], 3)
    for layer in range(3):
        certificate.claim("C4", node=output_of(layer))
    return certificate


@accepted("C4 and C2+ with an output bias, whatever the units are, beside labels and inputs")
def no_maximum_by_an_output_bias() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [3]], [0, 1, 0])
    certificate.network([1], [certificate.dense([[1], [1]], [0, 0], "Max(0, t)")], 3, output_bias=True)
    certificate.claim("C4", node=None)
    certificate.claim("C2+")
    return certificate


reject = rejections("seven-steps")
reject("gdv-l-too-small", "GDV.smoothness: L >= 1/4", claim("smoothness", to=dyadic("1/8")))
reject("gdv-l-just-below", "GDV.smoothness: L >= 1/4", claim("smoothness", to=dyadic("4095/16384")))
reject("gdv-l-0", "GDV.smoothness: L > 0", claim("smoothness", to=dyadic(0)))
reject("gdv-l-negative", "GDV.smoothness: L > 0", claim("smoothness", to=dyadic(-1)))
reject(
    "gdv-of-equal-samples",
    "GDV.smoothness: three equal rows and one",
    both(setting("data", "multiplicities", to=tensor([3, 1])), setting("data", "total", to=4)),
)
reject("gdv-loss-above", "GDV.loss: Phi(Z) is above 0.018", claim("loss", to=dyadic("18/1024")))
reject(
    "gdv-of-another-label",
    "GDV.loss: a sample is misclassified at Z",
    setting("data", "labels", to=tensor([1, 1], "U8")),
)
reject("gdv-loss-that-leaves-no-room", "GDV.steps: 1/8 + 0.304 > log(2)/2", claim("loss", to=dyadic("1/8")))
reject("gdv-too-early", "GDV.steps: the bound at step 6 is 0.37", claim("steps", to=6))
reject("gdv-from-far-away", "GDV.steps: V0 is farther", claim("start_weights", to=exact([[-4, 0], [0, -4]])))
reject("gdv-to-far-away", "GDV.steps: Z is farther", claim("end_weights", to=exact([[8, -8], [-8, 8]])))
reject("gdv-loss-negative", "GDV.loss: no loss is below 0", claim("loss", to=dyadic(-1)))
reject("gdv-no-steps", "schema.value: at least one step", claim("steps", to=0))
reject("gdv-without-labels", "data.labels: of which labels?", setting("data", "labels", to=None))
reject = rejections("descent-of-thirds")
reject("gdv-without-the-bias", "GDV.smoothness: the column of ones counts", claim("smoothness", to=dyadic("1/4")))
reject("gdv-too-rough", "GDV.smoothness: 1/3 is rounded to a half", claim("feature_bits", to=1))
reject("gdv-steps-of-n", "GDV.steps: log(2)/4, not log(2)/2", claim("steps", to=4300))
rejections("descent-of-one-logit")(
    "gdv-frozen-logits-count", "GDV.loss: K lowers a margin", setting("data", "offset", to=exact([[0, 3], [0, 0]]))
)

rejections("descent-of-small-features")(
    "gdv-of-rounded-features", "GDV.smoothness: L >= 0.1173", claim("smoothness", to=dyadic("1/16"))
)
rejections("descent-that-counts")("gdv-counts-once", "GDV.loss: 0.0998", claim("loss", to=dyadic("1/16")))
rejections("descent-of-nothing")("gdv-without-a-step", "GDV.smoothness: 1/L", claim("smoothness", to=dyadic(0)))

reject = rejections("no-maximum-anywhere")
reject("c4-of-a-lower-layer", "C4.columns: the units above depend on its bias", claim("node", to=output_of(0)))
reject("c4-of-an-affine-node", "C4.node: no column", claim("node", to=affine_of(1)))
reject("c4-without-an-output-bias", "C4.node: there is none", claim("node", to=None))
reject("c4-of-relu", "C4.activation: at Psi = 0 all may be below 0", nodes(output_of(1), "activation", to="Max(0, t)"))
reject("c4-of-squares", "C4.activation: no change of sign", nodes(output_of(1), "activation", to="t**2"))
reject("c4-of-sine", "C4.activation: more than one zero", nodes(output_of(1), "activation", to="sin(t)"))
reject(
    "c4-of-hard-swish", "C4.activation: 0 below -3", nodes(output_of(1), "activation", to="t*Max(0, Min(1, t/6 + 1/2))")
)
reject("c4-of-a-logarithm", "C4.activation: not continuous on R", nodes(output_of(1), "activation", to="log(t)"))
reject("c4-of-reciprocals", "C4.activation: a pole", nodes(output_of(1), "activation", to="t/(t - 1)"))
reject(
    "c4-of-a-shared-bias",
    "C4.bias: the bias is that of the layer below, too",
    both(
        nodes(affine_of(1), "reads", 2, to=bias_of(0)),
        nodes(weight_of(1), "shape", to=[3, 3]),
        setting("network", "columns", to=6),
    ),
)
reject(
    "c4-of-a-frozen-bias",
    "C4.bias: it does not move",
    nodes(bias_of(1), to=lambda c: c.constant("bias", [0, 0])),
)
reject("c2-plus-of-six", "C2+.columns: five columns", lambda c, d: d["data"].update(samples=6, total=6))
reject = rejections("no-maximum-of-a-filter")
reject("c4-of-the-hidden-map", "C4.node: the map itself is no column", claim("node", to=4))
reject("c4-of-a-node-that-is-not-there", "C4.node: there are five", claim("node", to=99))
rejections("missing-arcs")("c4-beside-missing-arcs", "data.arcs: V is not free", also("C4", node=4))
rejections("missing-arcs")("c2-plus-beside-missing-arcs", "data.arcs: V is not free", also("C2+"))


def behind(*extra: Json) -> Change:
    """Return the change that shows the last of these nodes, from node 9 on, instead of the tanh units."""

    def change(certificate: Certificate, document: Json) -> None:
        document["network"]["features"] = []
        at = certificate.add(*extra)
        certificate.feature(at)
        document["network"]["columns"] = 2
        document["claims"] = [{"label": "C4", "node": at}]

    return change


def own_weight(certificate: Certificate, document: Json) -> None:
    """Replace the network by tanh(p x + p): the weight is the bias."""
    certificate.network([2], [], 1)
    certificate.add(certificate.parameter("p", None, [1, 2]), certificate.parameter("b", None, [1]))
    certificate.add(node("affine", [0, 1, 2], over="all", bias=True), node("reshape", [3], shape=[1]))
    certificate.add(certificate.parameter("q", None, [1]), node("affine", [4, 5, 5], over="all", bias=True))
    certificate.feature(certificate.add(node("map", [6], activation="tanh(t)")))
    document["claims"] = [{"label": "C4", "node": 7}]


reject = rejections("no-maximum-anywhere")
reject("c4-of-linear-units", "C4.node: no activation", behind(node("reshape", [7], shape=[2])))
reject(
    "c4-of-units-of-a-sum",
    "C4.node: a map of no affine node",
    behind(node("add", [7, 8]), node("map", [9], activation="tanh(t)")),
)
reject(
    "c4-of-units-without-a-bias",
    "C4.node: nothing to move",
    behind(node("affine", [4, 5], over="all", bias=False), node("map", [9], activation="tanh(t)")),
)
reject("c4-of-a-bias-that-is-the-weight", "C4.bias: tanh(q y + q)", own_weight)
reject = rejections("no-maximum-of-a-filter")


def summed(certificate: Certificate, document: Json) -> None:
    """Show a pool of the filter beside it: columns of another node that depend on the bias."""
    certificate.feature(certificate.add(node("reduce", [5], axes=1, how="mean")))
    document["network"]["columns"] = 3


reject("c4-beside-a-mean", "C4.columns: the mean moves, too", summed)
