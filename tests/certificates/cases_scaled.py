"""Certificates about scaled and shifted samples (I): true ones, and networks whose weights cannot undo a map."""

from __future__ import annotations

from cases_accepted import UNIT, claim_rank, plane
from cases_given_data import given_data, given_data_of_two_stages
from cases_rejected import unclaim
from make import Certificate, accepted, affine_of, bias_of, node, rejections, weight_of


@accepted("I on W0: a dense layer undoes every invertible matrix and every shift")
def scaled() -> Certificate:
    certificate = plane(None)
    claim_rank(certificate)
    certificate.claim("W0")
    certificate.claim("I")
    return certificate


@accepted("I on W0 without shifts: the biases are frozen")
def scaled_beside_frozen_biases() -> Certificate:
    certificate = plane(None)
    certificate.nodes[bias_of(0)] = certificate.constant("frozen", [0, 0])
    claim_rank(certificate)
    certificate.claim("W0")
    certificate.claim("I")
    return certificate


@accepted("I on A.data: a filter asks for one factor and one shift per channel")
def scaled_channels() -> Certificate:
    certificate = given_data()
    certificate.claim("I")
    return certificate


@accepted("I on A.data behind x / 2, beside padding: factors alone")
def scaled_beside_padding() -> Certificate:
    certificate = given_data_of_two_stages()
    certificate.claim("I")
    return certificate


@accepted("I on W0: pixels in pairs, less a mean, over a deviation, under a mask of weights and behind a mean of pairs")
def scaled_behind_maps() -> Certificate:
    """Two samples (0, 2, 4, 6), (4, 6, 0, 2): pair means 1 5 and 5 1, less 1 times 1/4: 0 1 and 1 0."""
    certificate = Certificate()
    certificate.data([[0, 2, 4, 6], [4, 6, 0, 2]])
    certificate.network([4], [], 2)
    certificate.add(node("permute", [0], axes=[0]), node("reshape", [1], shape=[1, 4]))
    window = {"kernel": [2], "stride": [2], "padding": [0], "dilation": [1]}
    certificate.add(node("pool", [2], how="mean", **window), certificate.constant("minus the mean", [-1]))
    certificate.add(node("add", [3, 4]), certificate.constant("variance", [16]))
    certificate.add(node("inverse-root", [6], epsilon=["0", "1"]), node("multiply", [5, 7]))
    certificate.add(certificate.parameter("w", UNIT), certificate.constant("mask", [[1, 0], [1, 1]]))
    certificate.add(node("multiply", [9, 10]), certificate.parameter("b", [0, 0]))
    certificate.add(node("affine", [8, 11, 12], over="all", bias=True))
    certificate.feature(certificate.add(node("map", [13], activation="t")))
    claim_rank(certificate, right_inverse=certificate.exact([[0, 1], [1, 0]]))
    certificate.claim("W0")
    certificate.claim("I")
    return certificate


reject = rejections("scaled")
reject("i-on-full-rank-here", "I.rests: R1 is about one U", unclaim(1))
reject(
    "i-past-an-arc",
    "I.input: the input is read beside its weights, in x + t(x)",
    lambda c, d: (
        c.feature(c.add(node("add", [0, affine_of(0)]))),
        d["network"].update(columns=4),
        d["claims"][0].update(columns=c.tensor([0, 1])),
    ),
)
reject(
    "i-with-the-input-shown",
    "I.input: the input is a column of Psi",
    lambda c, d: (
        d["network"]["features"].insert(0, {"node": 0, "entries": None}),
        d["network"].update(columns=4),
        d["claims"][0].update(columns=c.tensor([2, 3])),
    ),
)
reject(
    "i-of-frozen-weights",
    "I.input: the weights are constants",
    lambda c, d: c.nodes.__setitem__(weight_of(0), c.constant("frozen", UNIT)),
)
reject(
    "i-of-shared-weights",
    "I.input: another node reads the weights",
    lambda c, d: c.add(node("scale", [weight_of(0)], factor=["2", "1"])),
)
reject(
    "i-beside-a-kink-of-the-input",
    "I.input: |x| is read as well",
    lambda c, d: c.add(node("map", [0], activation="Abs(t)")),
)
reject(
    "i-beside-frozen-logits",
    "data.offset: K belongs to the samples",
    lambda c, d: d["data"].update(offset=c.exact(UNIT)),
)
reject = rejections("scaled-beside-padding")
reject(
    "i-behind-a-shift-beside-padding",
    "I.input: the padding's 0 stays, (x - 1) / 2 moves",
    lambda c, d: (
        c.nodes.__setitem__(1, node("reshape", [0], shape=[1, 4])),
        c.nodes.append(c.constant("shift", [1])),
        c.nodes.append(node("add", [1, 17])),
        c.nodes.extend([c.parameter("v", None, [1, 1, 2]), c.parameter("a", None, [1])]),
        c.nodes.append(node("affine", [18, 19, 20], over=c.nodes[4]["over"], bias=True)),
    ),
)
reject = rejections("scaled-behind-maps")
reject(
    "i-behind-another-mean",
    "I.input: a mean of coordinates that were shifted differently",
    lambda c, d: (
        c.nodes.append(c.constant("shifts", [0, 1, 2, 3])),
        c.nodes.append(node("add", [2, 15])),
        c.nodes.append(node("pool", [16], how="mean", kernel=[2], stride=[2], padding=[0], dilation=[1])),
    ),
)
reject(
    "i-behind-a-product-with-0",
    "I.input: one coordinate is lost",
    lambda c, d: (c.nodes.append(c.constant("zero", [1, 0])), c.nodes.append(node("multiply", [8, 15]))),
)
reject(
    "i-of-the-weights-of-a-moving-mask",
    "I.input: weights times a parameter",
    lambda c, d: c.nodes.__setitem__(10, c.parameter("mask", [[1, 0], [1, 1]])),
)
