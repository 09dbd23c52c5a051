"""Certificates of networks that are no stacks of layers: true ones for every node kind, and what is false of them."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

from cases_accepted import SAMPLES, UNIT, ZERO, claim_rank, path_keys, plane
from cases_rejected import both, claim, exact, nodes, setting, tensor, unclaim
from make import Certificate, Json, accepted, dyadic, node, output_of, rejections

SIGMOID = "1/(1 + exp(-t))"


def started(inputs: Any, labels: Any, shape: list[int]) -> Certificate:
    """Begin a network with its input."""
    certificate = Certificate()
    certificate.data(inputs, labels)
    certificate.network(shape, [], 0)
    return certificate


def finished(certificate: Certificate, feature: int, columns: int) -> None:
    """End it with its features: all entries of a node."""
    certificate.feature(feature)
    certificate.document["network"]["columns"] = columns


def scaled_identity(certificate: Certificate, size: int, **changes: object) -> None:
    """Claim full row rank of two samples; the right inverse has `size` / 1024 on the diagonal."""
    inverse = certificate.exact([[F(size, 1024), 0], [0, F(size, 1024)]])
    claim_rank(certificate, feature_bits=20, right_inverse=inverse, **changes)


def rank_by(certificate: Certificate, inverse: list[list[int]], sigma: str) -> None:
    """Claim full row rank; the right inverse is given in units of 1/1024."""
    entries = [[F(entry, 1024) for entry in row] for row in inverse]
    changes = {"alpha": dyadic("1/64"), "sigma_lower": dyadic(sigma), "feature_bits": 20}
    claim_rank(certificate, right_inverse=certificate.exact(entries), **changes)


@accepted("a residual block x + tanh(W x + b) with W = I: Psi = (1 + tanh 1) I; R1, W0, Z1, Z2, B1, C1, P1, E1")
def residual() -> Certificate:
    """1 + tanh 1 = 1.7616."""
    certificate = started(UNIT, [0, 1], [2])
    certificate.add(certificate.parameter("block.weight", UNIT), certificate.parameter("block.bias", [0, 0]))
    certificate.add(node("affine", [0, 1, 2], over="all", bias=True), node("map", [3], activation="tanh(t)"))
    finished(certificate, certificate.add(node("add", [0, 4])), 2)
    scaled_identity(certificate, 581, alpha=dyadic("1/64"), sigma_lower=dyadic("13/8"))
    certificate.claim("W0")
    weights, start = certificate.exact(UNIT), certificate.exact(ZERO)
    certificate.claim("Z1", precision=64, output_weights=weights, gamma=dyadic("7/4"))
    certificate.claim("Z2", precision=64, output_weights=weights, gamma=dyadic("7/4"), radius=dyadic("1/32"))
    certificate.claim("B1", radius=dyadic("1/32"))
    certificate.claim("C1", precision=64, start_weights=start, gradient_lower=dyadic("1/2"))
    keys: Json = {"precision": 64, "start_weights": start, "end_weights": weights, "gamma": dyadic(1)}
    keys |= {"kappa": dyadic(1), "start_loss": {"lower": dyadic("11/16"), "upper": dyadic("45/64")}}
    certificate.claim("P1", **keys, zero_error_t=dyadic(2), targets=[])
    moved = [{"node": 1, "values": certificate.exact([[F(9, 8), 0], [0, F(9, 8)]])}]
    wrong = [[0, F(1, 4)], [F(1, 4), 0]]
    keys = path_keys(certificate, wrong, UNIT, "13/16", "1")
    certificate.claim("E1", **keys, moved=moved, moved_weights=start, pieces=4)
    return certificate


@accepted("causal attention and LayerNorm with epsilon over two tokens; R1, W0, Z1, Z2, B1, E3 at Psi of 2 x 4")
def attention() -> Certificate:
    """Tokens (1, 0), (0, 2) and (0, 1), (1, -1): queries and keys are the tokens, values W x; then LayerNorm."""
    certificate = started([[1, 0, 0, 2], [0, 1, 1, -1]], [0, 1], [2, 2])
    certificate.add(certificate.parameter("value.weight", [[1, 0], [F(1, 2), 1]]))
    certificate.add(node("affine", [0, 1], over="last", bias=False), certificate.constant("mask", [[1, 0], [1, 1]]))
    certificate.add(node("attend", [0, 0, 2, 3], square=["1", "2"]), node("add", [0, 4]))
    certificate.add(node("normalise", [5], epsilon=["1", "4"], centre=True))
    certificate.add(certificate.parameter("norm.weight", [1, 2]), certificate.parameter("norm.bias", [0, F(1, 2)]))
    certificate.add(node("multiply", [6, 7]), node("add", [9, 8]))
    finished(certificate, certificate.add(node("reshape", [10], shape=[4])), 4)
    rank_by(certificate, [[26, -80], [390, 601], [-65, 53], [572, 335]], "1")
    certificate.claim("W0")
    weights = certificate.exact([[1, 0], [-2, 0], [-1, 0], [2, 0]])
    certificate.claim("Z1", precision=64, output_weights=weights, gamma=dyadic(8))
    certificate.claim("Z2", precision=64, output_weights=weights, gamma=dyadic(8), radius=dyadic("1/256"))
    certificate.claim("B1", radius=dyadic("1/1024"))
    moved = [{"node": 1, "values": certificate.exact([[F(9, 8), 0], [F(1, 2), 1]])}]
    start = [[F(-1, 16), 0], [F(1, 8), 0], [F(1, 16), 0], [F(-1, 8), 0]]
    keys = path_keys(certificate, start, [[1, 0], [-2, 0], [-1, 0], [2, 0]], "1", "9/8")
    certificate.claim("E3", **keys, moved=moved, pieces=4, epsilon=dyadic("1/4"))
    return certificate


@accepted("a GRU of one unit, run over two numbers with the same weights; W0 and R1 at Psi = [h2, h2 - h1]")
def recurrent() -> Certificate:
    """z = sigmoid(x), c = tanh(2 x), h' = (1 - z) h + z c, h0 = 0."""
    certificate = started([[1, -1], [F(1, 2), 2]], [0, 1], [2])
    certificate.add(certificate.parameter("gate.weight", [[1]]), certificate.parameter("gate.bias", [0]))
    certificate.add(certificate.parameter("state.weight", [[2]]), certificate.constant("start", [0]))
    before, states = 4, []
    for step in (0, 1):
        seen = certificate.add(node("take", [0], axis=0, entries=[step]))
        gate = certificate.add(node("affine", [seen, 1, 2], over="all", bias=True))
        gate = certificate.add(node("map", [gate], activation=SIGMOID))
        new = certificate.add(node("affine", [seen, 3], over="all", bias=False))
        new = certificate.add(node("map", [new], activation="tanh(t)"))
        before = certificate.add(node("gate", [gate, before, new]))
        states.append(before)
    minus = certificate.add(node("scale", [states[0]], factor=["-1", "1"]))
    change = certificate.add(node("add", [states[1], minus]))
    finished(certificate, certificate.add(node("concatenate", [states[1], change], axis=0)), 2)
    rank_by(certificate, [[879, 853], [-1780, 486]], "7/16")
    certificate.claim("W0")
    certificate.claim("Z1", precision=64, output_weights=certificate.exact([[0, 0], [-1, 0]]), gamma=dyadic("7/16"))
    moved = [{"node": 3, "values": certificate.exact([[F(9, 4)]])}]
    keys = path_keys(certificate, [[0, 0], [F(1, 4), 0]], [[0, 0], [-4, 0]], "11/16", "7/8")
    certificate.claim("E3", **keys, moved=moved, pieces=8, epsilon=dyadic("1/4"))
    return certificate


@accepted("BatchNorm in evaluation: frozen mean (1, 0), variance 15/16, epsilon 1/16, gain 2, shift 1")
def batch_norm() -> Certificate:
    """Psi = (2 x_0 - 1, 2 x_1 + 1)."""
    certificate = started(UNIT, [0, 1], [2])
    certificate.add(certificate.constant("norm.mean", [1, 0]), certificate.constant("norm.variance", [F(15, 16)] * 2))
    certificate.add(node("scale", [1], factor=["-1", "1"]), node("add", [0, 3]))
    certificate.add(node("inverse-root", [2], epsilon=["1", "16"]), node("multiply", [4, 5]))
    certificate.add(certificate.parameter("norm.weight", [2, 2]), certificate.parameter("norm.bias", [1, 1]))
    certificate.add(node("multiply", [6, 7]))
    finished(certificate, certificate.add(node("add", [9, 8])), 2)
    rank_by(certificate, [[768, -256], [256, 256]], "1/2")
    certificate.claim("W0")
    certificate.claim("Z1", precision=64, output_weights=certificate.exact([[1, 0], [0, 0]]), gamma=dyadic("1/2"))
    return certificate


@accepted("LoRA: frozen weights W0 = I plus B A of rank 1, tanh: only B and A are parameters; R1, W0, E3 moves B")
def low_rank() -> Certificate:
    """W0 + B A = ((1, 1/2), (0, 1))."""
    certificate = started(UNIT, [0, 1], [2])
    certificate.add(certificate.constant("layer0.weight", UNIT))
    certificate.add(certificate.parameter("layer0.lora.up", [[1], [0]]))
    certificate.add(certificate.parameter("layer0.lora.down", [[0, F(1, 2)]]))
    certificate.add(node("contract", [2, 3], transposed=False), node("add", [1, 4]))
    certificate.add(node("affine", [0, 5], over="all", bias=False))
    finished(certificate, certificate.add(node("map", [6], activation="tanh(t)")), 2)
    rank_by(certificate, [[1345, 0], [-816, 1345]], "15/32")
    certificate.claim("W0")
    moved = [{"node": 2, "values": certificate.exact([[1], [F(1, 4)]])}]
    keys = path_keys(certificate, [[0, F(1, 4)], [F(1, 4), 0]], [[2, 0], [0, 4]], "11/16", "7/8")
    certificate.claim("E3", **keys, moved=moved, pieces=4, epsilon=dyadic("1/4"))
    return certificate


@accepted("an output bias: one unit t and a column of ones tell two samples apart; R1, R6, W0, Z1, P1, C1, C3 and E2")
def output_bias() -> Certificate:
    """x = 1, 2: Psi = ((1, 1), (2, 1)); logit differences x - 3/2."""
    certificate = Certificate()
    certificate.data([[1], [2]], [0, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "t")], 2, output_bias=True)
    certificate.claim("R6", rank=2)
    rank_by(certificate, [[-1024, 1024], [2048, -1024]], "23/64")
    certificate.claim("W0")
    weights, start = certificate.exact([[-2, 0], [3, 0]]), certificate.exact(ZERO)
    certificate.claim("Z1", precision=64, output_weights=weights, gamma=dyadic(1))
    certificate.claim("Z2", precision=64, output_weights=weights, gamma=dyadic(1), radius=dyadic("1/64"))
    certificate.claim("B1", radius=dyadic("1/64"))
    certificate.claim("C1", precision=64, start_weights=start, gradient_lower=dyadic("1/8"))
    certificate.claim("C3", precision=64, start_weights=start, unit=1, output=0, curvature_lower=dyadic("1/8"))
    keys: Json = {"precision": 64, "start_weights": start, "end_weights": weights, "gamma": dyadic(1)}
    keys |= {"kappa": dyadic(1), "start_loss": {"lower": dyadic("11/16"), "upper": dyadic("45/64")}}
    certificate.claim("P1", **keys, zero_error_t=dyadic(2), targets=[])
    return certificate


@accepted("a head's bias is all that separates: the unit is dead and moves at constant loss, the column of ones rests")
def bias_carries() -> Certificate:
    """The unit is 0 at the start; V0 has margins of its last row alone, which the constant column carries."""
    certificate = Certificate()
    certificate.data([[-1], [1]], [0, 1])
    certificate.network([1], [certificate.dense([[0]], [0], "tanh(t)")], 2, output_bias=True)
    moved = certificate.moved(0, [[1]], [0])
    keys = path_keys(certificate, [[3, 3], [F(1, 2), 0]], [[-1, 1], [0, 0]], "11/16", "3/4")
    certificate.claim("E2", **keys, rerouted=None, moved=moved)
    return certificate


@accepted("a ReLU convolution, max-pooled: R6 with full rank, R1, Z1 at its weights")
def max_pool() -> Certificate:
    """Filters 1 and -1 over four numbers, the maximum over pairs, the padding left out."""
    certificate = started([[1, -2, 3, -4], [-1, 2, -3, 1]], [0, 1], [1, 4])
    over = {"kernel": [1], "stride": [1], "padding": [0], "dilation": [1], "groups": 1}
    certificate.add(certificate.parameter("conv.weight", [[[1]], [[-1]]]), certificate.parameter("conv.bias", [0, 0]))
    certificate.add(node("affine", [0, 1, 2], over=over, bias=True), node("map", [3], activation="Max(0, t)"))
    window = {"kernel": [3], "stride": [2], "padding": [1], "dilation": [1]}
    certificate.add(node("pool", [4], how="max", **window))
    finished(certificate, certificate.add(node("reduce", [5], how="max", axes=1)), 2)
    certificate.claim("R6", rank=2)
    rank_by(certificate, [[3072, -4096], [-2048, 3072]], "1/8")
    certificate.claim("Z1", precision=64, output_weights=certificate.exact([[7, 0], [-5, 0]]), gamma=dyadic(1))
    return certificate


@accepted("embedded tokens with positions, mixed by softmax weights, the mean over tokens; R1, W0 and Z1")
def tokens() -> Certificate:
    certificate = started([[0, 1], [2, 2]], [0, 1], [2])
    certificate.add(certificate.parameter("table", [[1, 0], [0, 1], [F(1, 2), -1]]))
    certificate.add(certificate.constant("positions", [[0, F(1, 4)]]), node("expand", [2], shape=[2, 2]))
    certificate.add(node("embed", [0, 1]), node("add", [4, 3]))
    certificate.add(node("contract", [5, 5], transposed=True), node("softmax", [6]))
    certificate.add(node("contract", [7, 5], transposed=False), node("permute", [8], axes=[1, 0]))
    finished(certificate, certificate.add(node("reduce", [9], how="mean", axes=1)), 2)
    rank_by(certificate, [[1041, 1109], [694, -626]], "1/2")
    certificate.claim("W0")
    certificate.claim("Z1", precision=64, output_weights=certificate.exact([[0, 0], [1, 0]]), gamma=dyadic("1/2"))
    return certificate


@accepted("W1, W0 beside an output bias: four steps of one layer, in a ball of radius 2^-10, and a column of ones")
def steps_and_a_bias() -> Certificate:
    """The columns that W1 names have full rank; one more column does not change that."""
    certificate = Certificate()
    certificate.data(SAMPLES)
    certificate.network([2], [certificate.bare(4, 2, "tanh(t)")], 5, output_bias=True)
    block = {"node": output_of(0), "links": 0, "weight": dyadic(32), "units": certificate.tensor([0, 1, 2, 3])}
    block["biases"] = certificate.exact([0, -64, -144, -336])
    direction, radius = certificate.tensor([2, 1], "I8"), dyadic("1/1024")
    certificate.claim("W1", precision=64, direction=direction, chain=[], radius=radius, blocks=[block])
    certificate.claim("W0")
    return certificate


@accepted("R5 for every U: one unit and a bias are two columns for three samples")
def bias_and_fewer_units() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [3]])
    certificate.network([1], [certificate.dense([[1]], [0], "tanh(t)")], 2, output_bias=True)
    certificate.claim("R5", reason="fewer-units", rank_at_most=2)
    return certificate


@accepted("R5: sigmoid units with opposite weights add up to 1, which the output bias is: rank 2 of three columns")
def bias_and_mirrored_units() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [3], [4]])
    layer = certificate.dense([[1], [-1]], [1, -1], SIGMOID)
    certificate.network([1], [layer], 3, output_bias=True)
    certificate.claim("R5", reason="dependent-units", rank_at_most=2)
    return certificate


@accepted("R5 for every U: a final LayerNorm's three columns and the output bias are linearly dependent")
def norm_and_a_bias() -> Certificate:
    """Gain (1, 2, 4), shift (0, 1, -1): sum_j (y_j - shift_j) / gain_j = 0 for every sample."""
    certificate = started([[1, 0, 0], [0, 2, 0], [0, 1, 3], [1, 4, 2]], None, [3])
    certificate.add(node("normalise", [0], epsilon=["1", "2"], centre=True))
    certificate.add(certificate.parameter("norm.weight", [1, 2, 4]), certificate.parameter("norm.bias", [0, 1, -1]))
    certificate.add(node("multiply", [1, 2]), node("add", [4, 3]))
    finished(certificate, 5, 4)
    certificate.feature(certificate.add(certificate.constant("output bias", [1])))
    certificate.claim("R5", reason="every-u", rank_at_most=3)
    return certificate


@accepted("Z2, B1, C3 of units max(0, t): a kink does no harm to continuity")
def kinks_in_a_ball() -> Certificate:
    certificate = plane([0, 1])
    certificate.nodes[output_of(0)]["activation"] = "Max(0, t)"
    claim_rank(certificate)
    weights = certificate.exact([[2, 0], [0, 2]])
    certificate.claim("Z2", precision=64, output_weights=weights, gamma=dyadic(2), radius=dyadic("1/16"))
    certificate.claim("B1", radius=dyadic("1/16"))
    keys = {"unit": 0, "output": 1, "curvature_lower": dyadic("1/16")}
    certificate.claim("C3", precision=64, start_weights=certificate.exact(ZERO), **keys)
    return certificate


@accepted("missing arcs: two columns of its own for each output; R1 of either pair, W0 along the arcs, Z1, P1, C3")
def missing_arcs() -> Certificate:
    """Psi = (I | I): the first pair is connected to output 0, the second to output 1."""
    certificate = Certificate()
    certificate.data(UNIT, [0, 1])
    certificate.network([2], [certificate.dense([*UNIT, *UNIT], [0] * 4, "t")], 4)
    certificate.document["data"]["arcs"] = certificate.tensor([1, 0, 1, 0, 0, 1, 0, 1], "U8")
    for columns in ([0, 1], [2, 3]):
        claim_rank(certificate, columns=certificate.tensor(columns))
    certificate.claim("W0")
    end, start = certificate.exact([[2, 0], [0, 0], [0, 0], [0, 2]]), certificate.exact([[0, 0]] * 4)
    certificate.claim("Z1", precision=64, output_weights=end, gamma=dyadic(2))
    keys: Json = {"precision": 64, "start_weights": start, "end_weights": end, "gamma": dyadic(2), "kappa": dyadic(1)}
    keys |= {"start_loss": {"lower": dyadic("11/16"), "upper": dyadic("45/64")}, "zero_error_t": dyadic(1)}
    certificate.claim("P1", **keys, targets=[])
    keys = {"unit": 0, "output": 0, "curvature_lower": dyadic("1/16")}
    certificate.claim("C3", precision=64, start_weights=start, **keys)
    return certificate


# ---------------------------------------------------------------- what is false of them
reject = rejections("missing-arcs")
reject("w0-without-the-rank-of-an-output", "W0.arcs: the second output's columns", unclaim(1))
reject(
    "w0-with-the-rank-of-all-columns",
    "W0.arcs: a right inverse of all columns says nothing of one output's",
    both(
        claim("columns", to=None, number=1),
        claim("right_inverse", to=exact([*UNIT, [0, 0], [0, 0]]), number=1),
    ),
)
reject("arcs-that-are-no-arcs", "data.arcs: 0 or 1", setting("data", "arcs", to=tensor([1, 0, 1, 0, 0, 1, 0, 2])))
reject("output-without-arcs", "data.arcs: nothing moves its logit", setting("data", "arcs", to=tensor([1, 0] * 4)))
reject(
    "weights-beside-the-arcs",
    "data.arcs: V is 0 there",
    claim("output_weights", to=exact([[2, -1], [0, 0], [0, 0], [0, 2]]), number=3),
)
reject("path-beside-the-arcs", "data.arcs: V is 0 there", claim("start_weights", to=exact([[0, 1]] * 4), number=4))
reject("c3-beside-the-arcs", "data.arcs: this weight does not move", claim("output", to=1, number=5))
reject(
    "c1-beside-the-arcs",
    "data.arcs: the gradient in all of V",
    lambda c, d: c.claim("C1", precision=64, start_weights=c.exact([[0, 0]] * 4), gradient_lower=dyadic("1/8")),
)
reject = rejections("frozen-logits")
reject("frozen-logits-hidden", "P1.start-loss: without them it is log 2", lambda c, d: d["data"].pop("offset"))
reject(
    "frozen-logits-and-a-relation",
    "data.offset: margins of Psi V that add up to 0 exclude nothing",
    lambda c, d: c.claim("Z0", samples=[0], against=[1], factors=["1"]),
)
EARLY = both(claim("kappa", to=dyadic("7/8"), number=1), claim("zero_error_t", to=dyadic("7/8"), number=1))
reject("frozen-logits-delay-zero-error", "P1.zero-error: log(1 + e^(1 - 2 t)) < log(2)/2 from t = 0.94 on", EARLY)
STEEP = claim("curvature_lower", to=dyadic("7/64"), number=2)
reject("frozen-logits-curve-less", "C3.curvature: p (1 - p) is 0.197, not 1/4", STEEP)
reject = rejections("kinks-in-a-ball")
reject("kinks-z2-radius-1", "Z2.change: the units may become 0", claim("radius", to=dyadic(1), number=1))
reject("kinks-b1-radius-1", "B1.change: the units may become 0", claim("radius", to=dyadic(1), number=2))
reject("kinks-w0", "W0.analytic: ReLU", lambda c, d: c.claim("W0"))


def less_bias(certificate: Certificate, document: Json) -> None:
    """Take the output bias away: the columns add up to a constant that is none of them."""
    certificate.nodes.pop()
    document["network"]["features"].pop()
    document["network"]["columns"] = 3
    document["claims"][0]["rank_at_most"] = 2


reject = rejections("norm-and-a-bias")
reject("norm-and-a-bias-below", "R5.bound: two dimensions and the constant", claim("rank_at_most", to=2))
reject("norm-without-its-centre", "R5.bound: RMSNorm has no such relation", nodes(1, "centre", to=False))
reject("norm-without-the-bias", "R5.bound: three columns, without the ones", less_bias)
reject = rejections("steps-and-a-bias")
reject("w1-of-the-bias", "witness.layer: the column of ones is no unit", claim("blocks", 0, "node", to=5))
reject = rejections("bias-and-mirrored-units")
reject("r5-below-bias-and-mirrors", "R5.bound: a constant and a unit", claim("rank_at_most", to=1))
reject = rejections("bias-and-fewer-units")
reject("r5-without-counting-the-bias", "R5.bound: M is 2", claim("rank_at_most", to=1))
reject = rejections("residual")
reject("residual-without-its-arc", "Z1.margin: the features are 2 tanh(x)", nodes(5, "reads", to=[4, 4]))
reject("residual-that-adds-weights", "network.features: two columns, not four", nodes(5, "reads", to=[0, 1, 2, 4]))
reject("residual-ball-too-large", "Z2.change: the weights may become negative", claim("radius", to=dyadic(2), number=3))
reject("residual-rank-ball-too-large", "B1.change: the rows may become equal", claim("radius", to=dyadic(2), number=4))
WRONG = claim("moved_weights", to=exact([[0, 1], [1, 0]]), number=7)
reject("residual-e1-that-rises", "E1.descent: V moves to the wrong side", WRONG)


def name_a_unit(certificate: Certificate, document: Json) -> None:
    """Claim W1 of the residual's units."""
    block = {"node": 4, "links": 0, "weight": dyadic(32), "units": certificate.tensor([0, 1])}
    block["biases"] = certificate.exact([0, -16])
    direction = certificate.tensor([1, 0], "I8")
    certificate.claim("W1", precision=64, direction=direction, chain=[], radius=None, blocks=[block])


reject("w1-of-no-layer", "W1.units: the residual's inner units are no features", name_a_unit)
reject(
    "e4-of-no-layer",
    "network.layered: the features are no units",
    lambda c, d: c.claim("E4", precision=64, separating=None),
)
reject("r6-of-a-residual", "R6.rational: tanh(1) is no rational number", lambda c, d: c.claim("R6", rank=2))

reject = rejections("attention")
MASK = "network.mask: a row of zeros and ones, with a 1"
reject("mask-row-of-zeros", MASK, nodes(3, "values", to=exact([[0, 0], [1, 1]])))
reject("mask-of-two", MASK, nodes(3, "values", to=exact([[2, 0], [1, 1]])))
reject("mask-of-a-half", MASK, nodes(3, "values", to=exact([["1/2", 0], [1, 1]])))
reject("mask-that-sees-ahead", "P1.start-loss: another mask", nodes(3, "values", to=exact([[1, 1], [1, 1]])))
reject(
    "mask-of-another-shape", "network.node: three keys for two", nodes(3, to=lambda c: c.constant("mask", [[1, 0, 0]]))
)
reject("mask-that-moves", "network.reads: a mask must not depend on U", nodes(4, "reads", 3, to=1))
reject("scores-times-another-factor", "R1.residual: sqrt(1/2), not 1/8", nodes(4, "square", to=["1", "64"]))
reject("scores-times-0", "schema.value: a factor above 0", nodes(4, "square", to=["0", "1"]))
reject("norm-without-centre", "P1.start-loss: another normalisation", nodes(6, "centre", to=False))
reject("norm-with-another-epsilon", "P1.start-loss: another normalisation", nodes(6, "epsilon", to=["1", "2"]))
reject("norm-with-negative-epsilon", "schema.value: epsilon >= 0", nodes(6, "epsilon", to=["-1", "4"]))
reject("reshape-to-five", "network.node: four entries", nodes(11, "shape", to=[5]))
reject("value-weight-of-another-shape", "shape: the document says 2 x 2", nodes(1, "values", to=exact([[1, 0]])))
reject("value-weight-stated-wider", "shape: the values are 2 x 2", nodes(1, "shape", to=[2, 3]))
reject(
    "attention-moves-a-mask", "network.parameter: only free parameters move", claim("moved", 0, "node", to=3, number=5)
)
reject("attention-e3-too-low", "E3.sublevel: the loss moves", claim("epsilon", to=dyadic("-1/2"), number=5))

reject = rejections("recurrent")
reject("weights-that-vary", "network.node: an affine node's weights depend on no sample", nodes(6, "reads", 1, to=0))
reject("gate-the-other-way", "E3.margin: z and 1 - z are exchanged", nodes(16, "reads", to=[13, 15, 10]))
reject("scaled-by-0", "schema.value: a factor is not 0", nodes(17, "factor", to=["0", "1"]))
reject("factor-over-minus-1", "schema.value: a denominator is positive", nodes(17, "factor", to=["1", "-1"]))
reject("take-of-nothing", "schema.value: at least one entry", nodes(11, "entries", to=[]))
reject("take-of-the-third", "network.node: there are two", nodes(11, "entries", to=[2]))
reject("take-along-no-axis", "network.node: there is one axis", nodes(11, "axis", to=1))
reject("concatenate-along-no-axis", "network.node: there is one axis", nodes(19, "axis", to=1))

reject = rejections("batch-norm")
reject("variance-below-0", "features.finite: no root of -1/16", nodes(2, "values", to=exact(["-1/8", 1])))
reject("variance-and-epsilon-0", "features.finite: one over 0", nodes(2, "values", to=exact(["-1/16", 1])))
reject("another-variance", "Z1.margin: half the features", nodes(2, "values", to=exact(["63/16", "63/16"])))

reject = rejections("low-rank")
reject("frozen-weights-move", "network.parameter: only free parameters move", claim("moved", 0, "node", to=1, number=2))
reject("product-that-does-not-fit", "network.node: 2 x 1 times 2 x 1", nodes(4, "transposed", to=True))
reject("another-update", "R1.residual: other weights", nodes(2, "values", to=exact([[0], [1]])))
reject("frozen-without-values", "schema.type: a constant has its numbers", nodes(1, "values", to=None))

reject = rejections("output-bias")
reject(
    "bias-forgotten",
    "Z1.margin: without the last row of V both samples are class 0",
    claim("output_weights", to=exact([[-2, 0], [0, 0]]), number=3),
)
reject("bias-column-not-counted", "network.features: M is 2", setting("network", "columns", to=1))
reject("bias-column-of-zeros", "R6.rank: then the rank is 1", nodes(5, "values", to=exact([0])))
reject(
    "c3-of-the-bias", "C3.curvature: the second derivative is 1/4", claim("curvature_lower", to=dyadic("3/8"), number=7)
)
reject(
    "bias-of-half-a-column",
    "network.features: there is one entry",
    setting("network", "features", 1, "entries", to=[1]),
)
reject("feature-of-no-node", "schema.value: there are six nodes", setting("network", "features", 1, "node", to=6))

reject = rejections("bias-carries")
reject(
    "a-zero-column-carries",
    "network.layered: a constant column that is not 1 is no output bias",
    both(
        nodes(5, "values", to=exact([0])),
        nodes(2, "values", to=exact([1])),
        claim("start_weights", to=exact([[1, 0], [0, 0]])),
    ),
)
reject("the-bias-column-moves", "network.parameter: only free parameters move", claim("moved", 0, "node", to=5))

reject = rejections("max-pool")
reject("w0-under-a-maximum", "W0.analytic: max is not analytic", lambda c, d: c.claim("W0"))
reject("r6-under-a-maximum", "R6.rank: it is 2", claim("rank", to=1))
reject("z1-under-a-maximum", "Z1.margin: margins are 1", claim("gamma", to=dyadic(2), number=2))
reject("pool-of-padding", "network.node: p < k", nodes(5, "padding", to=[3]))
reject("pool-of-something", "schema.value: mean or max", nodes(5, "how", to="sum"))
reject("pool-without-stride", "schema.value: steps of 1 or more", nodes(5, "stride", to=[0]))
reject("pool-by-means", "Z1.margin: means are other features", both(nodes(5, "how", to="mean"), unclaim(1)))
reject("groups-that-do-not-divide", "network.node: one channel", nodes(3, "over", "groups", to=2))

reject = rejections("tokens")
TOKEN = "network.token: rows are 0, 1, 2"
reject("token-3", TOKEN, setting("data", "inputs", to=exact([[0, 1], [2, 3]])))
reject("token-minus-1", TOKEN, setting("data", "inputs", to=exact([[0, -1], [2, 2]])))
reject("token-and-a-half", TOKEN, setting("data", "inputs", to=exact([["1/2", 1], [2, 2]])))
reject("tokens-that-move", "network.reads: tokens must not depend on U", nodes(4, "reads", 0, to=1))
reject("table-that-varies", "network.reads: a table depends on no sample", nodes(4, "reads", 1, to=0))
reject("expand-that-does-not-fit", "network.node: two positions", nodes(3, "shape", to=[2, 3]))
reject("permute-one-axis-twice", "network.node: each axis once", nodes(9, "axes", to=[0, 0]))
reject("permute-the-other-way", "Z1.margin: means over channels", nodes(9, "axes", to=[0, 1]))
reject("reduce-three-axes", "network.node: there are two", nodes(10, "axes", to=3))
reject("reduce-no-axes", "schema.value: at least one", nodes(10, "axes", to=0))
reject("softmax-of-itself", "network.reads: a node reads earlier nodes", nodes(7, "reads", to=[7]))
reject("second-input", "network.node: only node 0 is the input", nodes(1, to=node("input", [], shape=[2])))
