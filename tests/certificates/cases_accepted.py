"""True certificates, every label at least once."""

from __future__ import annotations

from fractions import Fraction as F

from make import Certificate, Json, accepted, dyadic, output_of, weight_of

UNIT = [[1, 0], [0, 1]]
ZERO = [[0, 0], [0, 0]]


def plane(labels: list[int] | None, times: list[int] | None = None) -> Certificate:
    """Two samples (1, 0) and (0, 1), two units that copy the coordinates: Psi is the identity."""
    certificate = Certificate()
    certificate.data(UNIT, labels, times=times)
    certificate.network([2], [certificate.dense(UNIT, [0, 0], "t")], 2)
    return certificate


def claim_rank(certificate: Certificate, label: str = "R1", precision: int = 64, **changes: object) -> None:
    """Claim full row rank of the identity, with the identity as its right inverse."""
    keys = {"precision": precision, "rank": 2, "columns": None, "feature_bits": 8, "norm_products": 0}
    keys |= {"right_inverse": certificate.exact(UNIT), "alpha": dyadic("1/1024"), "sigma_lower": dyadic("1/2")}
    certificate.claim(label, **{**keys, **changes})


@accepted("R1, R3: Psi is the identity, and so is its right inverse")
def full_rank() -> Certificate:
    """R1, and R3 with columns and two more products for the norm."""
    certificate = plane(None)
    claim_rank(certificate)
    columns = certificate.tensor([0, 1])
    claim_rank(certificate, "R3", 128, columns=columns, norm_products=2, feature_bits=60)
    return certificate


@accepted("R3: Psi is 2^-1070, which 2^feature_bits brings back to an integer; 2^1100 is no binary64")
def full_rank_of_tiny_features() -> Certificate:
    """The exponents of the format are larger than those of binary64."""
    certificate = Certificate()
    certificate.data([[1]])
    certificate.document["data"]["inputs"]["terms"][0]["exponent"] = -1070
    certificate.network([1], [certificate.dense([[1]], [0], "t")], 1)
    inverse = certificate.exact([[1]])
    inverse["terms"][0]["exponent"] = 1070
    keys = {"precision": 128, "rank": 1, "columns": None, "feature_bits": 1100, "norm_products": 0}
    keys |= {"right_inverse": inverse, "alpha": dyadic("1/2")}
    certificate.claim("R3", **keys, sigma_lower={"mantissa": "1", "exponent": -1072})
    return certificate


@accepted("R5: one unit for two samples")
def fewer_units() -> Certificate:
    certificate = Certificate()
    certificate.data(UNIT)
    certificate.network([2], [certificate.dense([[1, 1]], [0], "tanh(t)")], 1)
    certificate.claim("R5", reason="fewer-units", rank_at_most=1)
    return certificate


@accepted("R5: two of three samples are the same; the activation log(t) is not total, but has a value at each sample")
def equal_samples() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [1]])
    certificate.network([1], [certificate.dense([[1], [2], [3]], [1, 1, 1], "log(t)")], 3)
    certificate.claim("R5", reason="equal-samples", rank_at_most=2)
    return certificate


@accepted("R5: of three units two are equal, and one is constant")
def dependent_units() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [3]])
    certificate.network([1], [certificate.dense([[1], [1], [0]], [1, 1, 1], "tanh(t)")], 3)
    certificate.claim("R5", reason="dependent-units", rank_at_most=2)
    return certificate


@accepted("R5: sigmoid units with opposite weights and biases are 1 minus each other: two forms and the constant")
def mirrored_units() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [3], [4]])
    layer = certificate.dense([[1], [-1], [2], [-2]], [1, -1, 0, 0], "1/(exp(-t) + 1)")
    certificate.network([1], [layer], 4)
    certificate.claim("R5", reason="dependent-units", rank_at_most=3)
    return certificate


@accepted("R5: four squares of affine functions of one variable span polynomials of degree 2")
def polynomial_units() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2], [3], [4]])
    certificate.network([1], [certificate.dense([[1], [2], [1], [3]], [0, 1, 1, 1], "t**2")], 4)
    certificate.claim("R5", reason="dependent-units", rank_at_most=3)
    return certificate


@accepted("R5 for every U: a bias tied across two one-pixel patches that show the same in each sample (known failure)")
def tied_bias_for_every_u() -> Certificate:
    certificate = Certificate()
    certificate.data([[0, 0], [1, 1]])
    certificate.network([1, 2], [certificate.conv1d([[[1]]], [0], "tanh(t)")], 2)
    certificate.claim("R5", reason="every-u", rank_at_most=1)
    return certificate


@accepted("Z1: margins 2; P1: from V0 = 0 straight to V1 and on, with two targets; multiplicities 3 and 1")
def zero_error_and_path() -> Certificate:
    certificate = plane([0, 1], [3, 1])
    end, start = certificate.exact([[2, 0], [0, 2]]), certificate.exact([[0, 1], [F(1, 2), 0]])
    certificate.claim("Z1", precision=64, output_weights=end, gamma=dyadic(2))
    targets = [{"loss": dyadic("1/16"), "t": dyadic(2)}, {"loss": dyadic("1/1024"), "t": dyadic(4)}]
    keys = {"precision": 64, "start_weights": start, "end_weights": end, "gamma": dyadic(2), "kappa": dyadic(1)}
    keys |= {"start_loss": {"lower": dyadic(1), "upper": dyadic("5/4")}, "zero_error_t": dyadic(2)}
    certificate.claim("P1", **keys, targets=targets)
    return certificate


@accepted("Z1, P1, C3 beside frozen logits K that lower one margin by 1: the loss at V0 = 0 is 1.003")
def frozen_logits() -> Certificate:
    """Margins of Psi V1 are 2; log(1 + e^(1 - 2 t)) is below log(2)/2 from t = 0.94 on."""
    certificate = plane([0, 1])
    certificate.document["data"]["offset"] = certificate.exact([[0, 1], [0, 0]])
    end, start = certificate.exact([[2, 0], [0, 2]]), certificate.exact(ZERO)
    certificate.claim("Z1", precision=64, output_weights=end, gamma=dyadic(2))
    keys = {"precision": 64, "start_weights": start, "end_weights": end, "gamma": dyadic(2), "kappa": dyadic(1)}
    keys |= {"start_loss": {"lower": dyadic(1), "upper": dyadic("65/64")}, "zero_error_t": dyadic(1)}
    certificate.claim("P1", **keys, targets=[{"loss": dyadic("1/16"), "t": dyadic(2)}])
    certificate.claim("C3", precision=64, start_weights=start, unit=0, output=1, curvature_lower=dyadic("1/16"))
    return certificate


@accepted("Z1: a convolution with zero padding, and the mean of two of its units")
def padding_and_pool() -> Certificate:
    certificate = Certificate()
    certificate.data([[1, 2], [2, -1]], [0, 1])
    convolution = certificate.conv1d([[[1, 1]]], [[0, 0, 1]], "t", padding=1)
    pool = {"inputs": [0], "skip": True, "how": "mean", "kernel": [2], "stride": [1], "padding": [0], "dilation": [1]}
    certificate.network([1, 2], [convolution, pool], 5)  # (1, 3, 3), (2, 1, 0); means (2, 3), (3/2, 1/2)
    weights = certificate.exact([[-1, 0], [1, 0], [0, 0], [0, 0], [0, 0]])  # logits (2, 0), (-1, 0)
    certificate.claim("Z1", precision=64, output_weights=weights, gamma=dyadic(1))
    return certificate


@accepted("Z2, B1, C1, C3 at Psi = I, of which R1 bounds the smallest singular value")
def balls_and_derivatives() -> Certificate:
    certificate = plane([0, 1])
    claim_rank(certificate)
    weights, zero = certificate.exact([[2, 0], [0, 2]]), certificate.exact(ZERO)
    certificate.claim("Z2", precision=64, output_weights=weights, gamma=dyadic(2), radius=dyadic("1/16"))
    certificate.claim("B1", radius=dyadic("1/16"))
    certificate.claim("C1", precision=64, start_weights=zero, gradient_lower=dyadic("1/8"))
    certificate.claim("C3", precision=64, start_weights=zero, unit=0, output=1, curvature_lower=dyadic("1/16"))
    return certificate


def claim_loss(certificate: Certificate, loss: str, end: object, **changes: object) -> None:
    """Claim TC.3 from V0 = 0."""
    keys: Json = {"precision": 64, "loss": loss, "class_weights": None, "label_counts": None}
    keys |= {"start_weights": certificate.exact(ZERO), "end_weights": certificate.exact(end), "gamma": None}
    certificate.claim("TC.3", **{**keys, **changes})


@accepted("TC.3: squared loss, labels that conflict on the first sample; the infimum 1/5 needs the rank of R1")
def squared_loss_of_conflicting_labels() -> Certificate:
    """Phi(V0) = 1/2; at V1 (3/8, 3/8), (0, 3/4), 3/4 of the way to the minimum: Phi = 1/5 + 3/10/16."""
    certificate = plane(None, [4, 1])
    claim_rank(certificate)
    counts = certificate.tensor([2, 2, 0, 1])
    bounds = {"start_loss": {"lower": dyadic("1/2"), "upper": dyadic("1/2")}, "end_loss": dyadic("1/4")}
    bounds |= {"infimum": {"lower": dyadic("3/16"), "upper": dyadic("13/64")}}
    claim_loss(certificate, "squared", [[F(3, 8), F(3, 8)], [0, F(3, 4)]], label_counts=counts, **bounds)
    return certificate


@accepted("TC.3: cross-entropy of conflicting labels, classes weighted; without R1 the infimum is only bounded below")
def weighted_cross_entropy() -> Certificate:
    """Weights (1, 2), counts (2, 1) and (0, 1): a = (2, 2) and (0, 2), so Phi(0) = 6 log 2 / 4 and inf = log 2."""
    certificate = plane(None, [3, 1])
    counts = certificate.tensor([2, 1, 0, 1])
    bounds = {"start_loss": {"lower": dyadic("33/32"), "upper": dyadic("34/32")}, "end_loss": dyadic("13/16")}
    bounds |= {"infimum": {"lower": dyadic("11/16"), "upper": dyadic("13/16")}}
    changes = {"label_counts": counts, "class_weights": [dyadic(1), dyadic(2)], **bounds}
    claim_loss(certificate, "cross-entropy", [[0, 0], [0, 2]], **changes)
    return certificate


@accepted("TC.3: real targets, two of the first sample and one of the second; the infimum 1/12 needs the rank of R1")
def real_targets() -> Certificate:
    """Targets 0, 1 and 2: Phi(0) = (1/2 + 2)/3 = 5/6; at V1 = (3/8, 3/2): Phi = (17/64 + 1/8)/3 = 25/192."""
    certificate = plane(None, [2, 1])
    certificate.document["data"] |= {"classes": 1, "targets": certificate.exact([[0], [1], [2]])}
    claim_rank(certificate)
    keys: Json = {"start_weights": certificate.exact([[0], [0]]), "end_weights": certificate.exact([["3/8"], ["3/2"]])}
    keys |= {"start_loss": {"lower": dyadic("53/64"), "upper": dyadic("27/32")}, "end_loss": dyadic("9/64")}
    keys |= {"infimum": {"lower": dyadic("5/64"), "upper": dyadic("11/128")}, "gamma": None, "class_weights": None}
    certificate.claim("TC.3", precision=64, loss="squared-error", label_counts=None, **keys)
    certificate.claim("W0")
    return certificate


def margin_loss(loss: str, start: tuple[str, str], end: str) -> Certificate:
    """V1 = 2 I with margins 2; one-vs-rest needs G_y and -G_k, so its V1 has entries 2 and -2."""
    certificate = plane([0, 1])
    weights = [[2, -2], [-2, 2]] if loss == "one-vs-rest" else [[2, 0], [0, 2]]
    bounds = {"start_loss": {"lower": dyadic(start[0]), "upper": dyadic(start[1])}, "end_loss": dyadic(end)}
    bounds |= {"infimum": {"lower": dyadic(0), "upper": dyadic(end)}}
    claim_loss(certificate, loss, weights, gamma=dyadic(2), **bounds)
    return certificate


@accepted("TC.3: one-vs-rest loss; beyond V1 it tends to 0")
def one_vs_rest() -> Certificate:
    return margin_loss("one-vs-rest", ("11/8", "23/16"), "1/2")


@accepted("TC.3: the hinge loss of Weston and Watkins, 0 at V1")
def weston_watkins() -> Certificate:
    return margin_loss("weston-watkins", ("1", "1"), "0")


@accepted("TC.3: the hinge loss of Crammer and Singer, 0 at V1")
def crammer_singer() -> Certificate:
    return margin_loss("crammer-singer", ("1", "1"), "0")


def path_keys(certificate: Certificate, start: object, end: object, low: str, high: str, **changes: object) -> Json:
    """Return the keys that E1, E2, E3 and E4.path have in common."""
    keys: Json = {"precision": 64, "start_weights": certificate.exact(start), "end_weights": certificate.exact(end)}
    keys |= {"gamma": dyadic(1), "kappa": dyadic(1), "zero_error_t": dyadic(2), "targets": []}
    return keys | {"start_loss": {"lower": dyadic(low), "upper": dyadic(high)}} | changes


def line(labels: list[int], activation: str = "tanh(t)", weight: object = 1, other: str | None = None) -> Certificate:
    """Two samples -1 and 1, one unit; perhaps a second layer of one unit that nobody reads."""
    certificate = Certificate()
    certificate.data([[-1], [1]], labels)
    layers = [certificate.dense([[weight]], [0], activation)]
    if other is not None:
        layers.append(certificate.dense([[0]], [1], other, skip=False))
    certificate.network([1], layers, 1)
    return certificate


@accepted("E1: U and V move straight, and the loss falls on the whole way")
def descent() -> Certificate:
    """The loss at V0 = (1/4, -1/4), on the wrong side, is log(1 + e^(tanh(1)/2)) = 0.90."""
    certificate = line([0, 1], other="atan(t)")
    moved = certificate.moved(0, [[F(9, 8)]], [0])
    moved += certificate.moved(1, [[0]], [-1])
    keys = path_keys(certificate, [[F(1, 4), F(-1, 4)]], [[-1, 1]], "7/8", "15/16")
    certificate.claim("E1", **keys, moved=moved, moved_weights=certificate.exact([[0, 0]]), pieces=4)
    return certificate


@accepted("E3: U moves, and the loss stays below the start's plus 1/4")
def sublevel() -> Certificate:
    certificate = line([0, 1], other="atan(t)")
    moved = certificate.moved(0, [[F(9, 8)]], [0])
    moved += certificate.moved(1, [[0]], [-1])
    keys = path_keys(certificate, [[F(1, 4), F(-1, 4)]], [[-1, 1]], "7/8", "15/16")
    certificate.claim("E3", **keys, moved=moved, pieces=4, epsilon=dyadic("1/4"))
    return certificate


@accepted("E2: the unit is 0 and its row of V0 has equal entries; it moves at constant loss log 2")
def dead_unit_moves() -> Certificate:
    certificate = line([0, 1], weight=0)
    moved = certificate.moved(0, [[1]], [0])
    keys = path_keys(certificate, [[3, 3]], [[-1, 1]], "11/16", "45/64")
    certificate.claim("E2", **keys, rerouted=None, moved=moved)
    return certificate


def clones() -> Certificate:
    """Two equal units tanh(x)."""
    certificate = Certificate()
    certificate.data([[-1], [1]], [0, 1])
    certificate.network([1], [certificate.dense([[1], [1]], [0, 0], "tanh(t)")], 2)
    return certificate


@accepted("E2: of two equal units the second hands its part of the logits to the first, and moves")
def clone_moves() -> Certificate:
    """V0 = (1/4, -1/4) on both: margins -tanh(1) on both samples, loss log(1 + e^tanh(1)) = 1.14."""
    certificate = clones()
    moved = certificate.moved(0, [[1], [2]], [0, 0])
    keys = path_keys(certificate, [[F(1, 4), F(-1, 4)]] * 2, [[-1, 1], [0, 0]], "9/8", "5/4")
    certificate.claim("E2", **keys, rerouted=None, moved=moved)
    return certificate


def rerouted() -> Certificate:
    """Two equal hidden units feed one skip unit tanh(z_0 + z_1)."""
    certificate = Certificate()
    certificate.data([[-1], [1]], [0, 1])
    first = certificate.dense([[1], [1]], [0, 0], "tanh(t)", skip=False)
    certificate.network([1], [first, certificate.dense([[1, 1]], [0], "tanh(t)", [0])], 1)
    return certificate


@accepted("E2: the reader of two equal units reads only the first, with twice the weight; then the second moves")
def rerouted_clone_moves() -> Certificate:
    """The skip unit rests: it reads the moving unit by the weight 0. Its margins, 2 tanh(2 tanh(1)), stay."""
    certificate = rerouted()
    way = certificate.moved(1, [[2, 0]], [0])
    moved = [*way, *certificate.moved(0, [[1], [2]], [0, 0])]
    keys = path_keys(certificate, [[-1, 1]], [[-1, 1]], "1/8", "1/4", kappa=dyadic(2))
    certificate.claim("E2", **keys, rerouted=way, moved=moved)
    return certificate


def gate() -> Certificate:
    """One gate tanh(0 x), which merges both samples, and two units that read it."""
    certificate = Certificate()
    certificate.data([[-1], [1]], [0, 1])
    first = certificate.dense([[0]], [0], "tanh(t)", skip=False)
    certificate.network([1], [first, certificate.dense([[1], [1]], [0, 2], "tanh(t)", [0])], 2)
    return certificate


@accepted("E4.path: two samples that the gate merges part while V follows")
def merged_samples_part() -> Certificate:
    """At z = 0 the matrix of values and derivatives of tanh(z), tanh(z + 2) is ((0, 0.964), (1, 0.0707))."""
    certificate = gate()
    moved = certificate.moved(0, [[F(1, 16)]], [0])
    inverse = certificate.exact([[F(-75, 1024), 1], [F(1062, 1024), 0]])
    keys = path_keys(certificate, [[0, 0], [F(1, 4), 0]], [[-16, 16], [0, 0]], "11/16", "23/32")
    certificate.claim("E4.path", **keys, moved=moved, pieces=2, right_inverse=inverse)
    return certificate


def dead_relu() -> Certificate:
    """Two units Max(0, t); the second, Max(0, -x - 4), is 0 on the samples 1 and 2 and counts for nothing."""
    certificate = Certificate()
    certificate.data([[1], [2]], [0, 1])
    certificate.network([1], [certificate.dense([[1], [-1]], [0, -4], "Max(0, t)")], 2)
    return certificate


@accepted("S.path: a dead unit moves at constant loss, while the other one carries the logits; then P1")
def unread_unit_moves() -> Certificate:
    """The features become (1, 0), (2, 1), from which V1 = ((1, -1), (-3, 3)) has the margins 2 and 2."""
    certificate = dead_relu()
    moved = certificate.moved(0, [[1], [1]], [0, -1])
    keys = path_keys(certificate, [[0, 0], [3, 5]], [[1, -1], [-3, 3]], "11/16", "45/64")
    certificate.claim("S.path", **keys, moved=moved)
    return certificate


@accepted("S.path over a lower layer and beside an output bias: a copy of a unit moves")
def copy_over_a_layer_moves() -> Certificate:
    """Psi is (1, 1, 1), (2, 2, 1), and becomes (1, 0, 1), (2, 1, 1); V1 = ((1, -1), (-3, 3), 0) has the margins 2."""
    certificate = Certificate()
    certificate.data([[1], [2]], [0, 1])
    first = certificate.dense([[1]], [0], "Max(0, t)", skip=False)
    layers = [first, certificate.dense([[1], [1]], [0, 0], "Max(0, t)", [0])]
    certificate.network([1], layers, 3, output_bias=True)
    moved = certificate.moved(1, [[1], [1]], [0, -1])
    keys = path_keys(certificate, [[2, 0], [-2, 0], [1, 1]], [[1, -1], [-3, 3], [0, 0]], "11/16", "45/64")
    certificate.claim("S.path", **keys, moved=moved)
    return certificate


@accepted("E4: two tanh units over two samples; already at the stored weights the first one tells the samples apart")
def every_point() -> Certificate:
    certificate = Certificate()
    certificate.data([[-1], [1]], [0, 1], times=[5, 2])
    certificate.network([1], [certificate.dense([[1], [0]], [0, 0], "tanh(t)")], 2)
    certificate.claim("E4", precision=64, separating=None)
    return certificate


@accepted("E4: a lower layer of softplus, and other weights that tell the samples apart")
def every_point_through_a_lower_layer() -> Certificate:
    certificate = gate()
    certificate.nodes[output_of(0)]["activation"] = "log(exp(t) + 1)"
    separating = certificate.moved(0, [[1]], [0])
    certificate.claim("E4", precision=64, separating=separating)
    return certificate


SAMPLES = [[3, 0], [0, 1], [5, 5], [1, 1]]  # <(2, 1), x> = 6, 1, 15, 3


@accepted("W1: two columns behind a chain unit h = z / 16, two on the input, of which one layer is a sigmoid; W0")
def steps() -> Certificate:
    certificate = Certificate()
    certificate.data(SAMPLES)
    layers = [certificate.bare(2, 2, "t", skip=False), certificate.bare(3, 2, "tanh(t)", [0])]
    layers.append(certificate.bare(3, 2, "1/(1 + exp(-t))", skip=[0, 2]))
    certificate.network([2], layers, 5)
    chain = [{"node": output_of(0), "unit": 1, "weight": dyadic("1/16"), "bias": dyadic(0)}]
    blocks = []
    for layer, links, weight, units, biases in ((1, 1, 256, [2, 0], [0, -32]), (2, 0, 32, [0, 2], [-144, -336])):
        block = {"node": output_of(layer), "links": links, "weight": dyadic(weight), "units": certificate.tensor(units)}
        blocks.append(block | {"biases": certificate.exact(biases)})
    direction = certificate.tensor([2, 1], "I8")
    certificate.claim("W1", precision=64, direction=direction, chain=chain, radius=None, blocks=blocks)
    certificate.claim("W0")
    return certificate


@accepted("W1: in a ball of radius 2^-10 around U*; another layer is ReLU, which is total but not analytic")
def steps_in_a_ball() -> Certificate:
    certificate = Certificate()
    certificate.data(SAMPLES)
    certificate.network([2], [certificate.bare(4, 2, "tanh(t)"), certificate.bare(1, 2, "Max(0, t)")], 5)
    block = {"node": output_of(0), "links": 0, "weight": dyadic(32), "units": certificate.tensor([0, 1, 2, 3])}
    block["biases"] = certificate.exact([0, -64, -144, -336])
    direction, radius = certificate.tensor([2, 1], "I8"), dyadic("1/1024")
    certificate.claim("W1", precision=64, direction=direction, chain=[], radius=radius, blocks=[block])
    return certificate


@accepted("W2: four softplus columns, the smallest gap 1, g w = 8; W0")
def ramps() -> Certificate:
    certificate = Certificate()
    certificate.data(SAMPLES)
    certificate.network([2], [certificate.bare(5, 2, "log(exp(2*t) + 1)/2")], 5)
    block = {"node": output_of(0), "links": 0, "weight": dyadic(4), "units": certificate.tensor([4, 1, 0, 2], "I64")}
    block["biases"] = certificate.exact([0, -4, -12, -24])
    direction = certificate.tensor([2, 1], "I8")
    certificate.claim("W2", precision=64, direction=direction, chain=[], radius=None, blocks=[block])
    certificate.claim("W0")
    return certificate


@accepted("W0 beside R1")
def almost_every_u() -> Certificate:
    certificate = plane(None)
    claim_rank(certificate)
    certificate.claim("W0")
    return certificate


@accepted("arrays: a sum of an F32, an F64 and a U8 tensor with exponents of their own")
def sums_of_tensors() -> Certificate:
    certificate = plane(None)
    claim_rank(certificate)
    weight = certificate.nodes[weight_of(0)]
    terms = [{"tensor": certificate.tensor([[0.5, 0.0], [0.0, 0.5]], "F32"), "exponent": 0}]
    terms.append({"tensor": certificate.tensor([[16.0, 0.0], [0.0, 16.0]], "F64"), "exponent": -6})
    terms.append({"tensor": certificate.tensor([[1, 0], [0, 1]], "U8"), "exponent": -2})
    weight["values"] = {"shape": [2, 2], "terms": terms}
    return certificate


@accepted("three classes, of which the last does not occur: Z1, P1, Z2, C1, C3, TC.3, W0; multiplicities 1 and 3")
def class_that_does_not_occur() -> Certificate:
    certificate = plane([0, 1], [1, 3])
    certificate.document["data"]["classes"] = 3
    claim_rank(certificate)
    end, start = certificate.exact([[2, 0, -1], [0, 2, 0]]), certificate.exact([[0, 0, 0], [0, 0, 0]])
    certificate.claim("Z1", precision=64, output_weights=end, gamma=dyadic(2))
    keys: Json = {"precision": 64, "start_weights": start, "end_weights": end, "gamma": dyadic(2), "kappa": dyadic(1)}
    keys |= {"start_loss": {"lower": dyadic("35/32"), "upper": dyadic("9/8")}, "zero_error_t": dyadic(4)}
    certificate.claim("P1", **keys, targets=[{"loss": dyadic("1/1024"), "t": dyadic(4)}])
    certificate.claim("Z2", precision=64, output_weights=end, gamma=dyadic(2), radius=dyadic("1/32"))
    certificate.claim("C1", precision=64, start_weights=start, gradient_lower=dyadic("1/4"))
    certificate.claim("C3", precision=64, start_weights=start, unit=1, output=2, curvature_lower=dyadic("1/8"))
    bounds: Json = {"start_loss": {"lower": dyadic(1), "upper": dyadic(1)}, "end_loss": dyadic(0), "gamma": dyadic(2)}
    bounds |= {"infimum": {"lower": dyadic(0), "upper": dyadic(0)}, "loss": "crammer-singer", "class_weights": None}
    bounds |= {"label_counts": None, "start_weights": start, "end_weights": end, "precision": 64}
    certificate.claim("TC.3", **bounds)
    certificate.claim("W0")
    return certificate


@accepted("one sample: R1, E4, Z1, C1, W0, and W1 in a certificate of its own weights")
def one_sample() -> Certificate:
    certificate = Certificate()
    certificate.data([[2]], [1], times=[7])
    certificate.network([1], [certificate.dense([[1]], [0], "tanh(t)")], 1)
    keys = {"precision": 64, "rank": 1, "columns": None, "feature_bits": 20, "norm_products": 0}
    inverse = certificate.exact([["33/32"]])  # tanh(2) = 0.964
    certificate.claim("R1", **keys, right_inverse=inverse, alpha=dyadic("1/64"), sigma_lower=dyadic("7/8"))
    certificate.claim("E4", precision=64, separating=None)
    certificate.claim("Z1", precision=64, output_weights=certificate.exact([[-1, 1]]), gamma=dyadic("7/4"))
    certificate.claim("C1", precision=64, start_weights=certificate.exact([[0, 0]]), gradient_lower=dyadic("1/2"))
    block = {"node": output_of(0), "links": 0, "weight": dyadic(-4), "units": certificate.tensor([0])}
    block["biases"] = certificate.exact([4])  # sigma(-4 * 2 + 4) is near the limit -1
    direction = certificate.tensor([1], "I8")
    certificate.claim("W1", precision=64, direction=direction, chain=[], radius=dyadic("1/16"), blocks=[block])
    certificate.claim("W0")
    return certificate


@accepted("shared weights: a convolution of one filter with a tied bias; B1, Z2, E3 and C1 move them together")
def shared_weights() -> Certificate:
    """Patches (1, 0) and (0, 1) of one pixel, filter 1, bias 0, activation t: Psi is the identity."""
    certificate = Certificate()
    certificate.data(UNIT, [0, 1])
    certificate.network([1, 2], [certificate.conv1d([[[1]]], [0], "t")], 2)
    claim_rank(certificate)
    weights = certificate.exact([[2, 0], [0, 2]])
    certificate.claim("Z2", precision=64, output_weights=weights, gamma=dyadic(2), radius=dyadic("1/16"))
    certificate.claim("B1", radius=dyadic("1/16"))
    moved = certificate.moved(0, [[["3/2"]]], ["1/4"])
    keys = path_keys(certificate, [[0, F(1, 4)], [F(1, 4), 0]], [[2, 0], [0, 2]], "13/16", "27/32")
    certificate.claim("E3", **keys, moved=moved, pieces=4, epsilon=dyadic("1/4"))
    certificate.claim("C1", precision=64, start_weights=certificate.exact(ZERO), gradient_lower=dyadic("1/8"))
    certificate.claim("W0")
    return certificate


@accepted("E2 with shared weights: both units of a filter move, and their rows of V0 have equal entries")
def shared_weights_move() -> Certificate:
    """The units of the filter are 0 and count for nothing; a dense unit beside them rests and makes the margins."""
    certificate = Certificate()
    certificate.data([[-1, -1], [1, 1]], [0, 1])
    layers = [certificate.conv1d([[[0]]], [0], "tanh(t)"), certificate.dense([[1, 1]], [0], "tanh(t)")]
    certificate.network([1, 2], layers, 3)
    moved = certificate.moved(0, [[[1]]], [0])
    keys = path_keys(certificate, [[1, 1], [2, 2], [0, F(1, 4)]], [[-1, 1], [0, 0], [0, 0]], "9/16", "5/8")
    certificate.claim("E2", **keys, rerouted=None, moved=moved)
    return certificate


@accepted("R6: Max(0, t) at whole numbers; of three units two are not 0, and the third sample has features 0")
def exact_rank() -> Certificate:
    """Psi is [[1, 0, 0], [2, 1, 0], [0, 0, 0]], of rank 2."""
    certificate = Certificate()
    certificate.data([[1], [2], [-1]])
    certificate.network([1], [certificate.dense([[1], [1], [-1]], [0, -1, -3], "Max(0, t)")], 3)
    certificate.claim("R6", rank=2)
    return certificate


@accepted("R6 with full rank; Z0: x1 + x4 = x2 + x3, so that XOR with shifted inputs has no V without an error")
def no_separating_weights() -> Certificate:
    """Four samples (1, 1), (1, 2), (2, 1), (2, 2), two units that copy the coordinates, labels 0, 1, 1, 0."""
    certificate = Certificate()
    certificate.data([[1, 1], [1, 2], [2, 1], [2, 2]], [0, 1, 1, 0])
    certificate.network([2], [certificate.dense(UNIT, [0, 0], "t")], 2)
    certificate.claim("R6", rank=2)
    certificate.claim("Z0", samples=[0, 1, 2, 3], against=[1, 0, 0, 1], factors=["1", "1", "1", "1"])
    return certificate
