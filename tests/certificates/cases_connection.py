"""Certificates about two networks: a path without a barrier (MC), the barrier of their line (MC.line)."""

from __future__ import annotations

from typing import Any

from cases_rejected import activation, both, claim, exact, setting, tensor
from make import Certificate, Json, accepted, bias_of, dyadic, rejections, weight_of

RELU = "Max(0, t)"


def bounds(lower: Any, upper: Any) -> Json:
    """Return bounds of a loss."""
    return {"lower": dyadic(lower), "upper": dyadic(upper)}


def piece(leg: int, until: str, weights: int) -> Json:
    """Return a piece that ends at a quotient such as 1/2."""
    over, _, below = until.partition("/")
    return {"leg": leg, "until": [over, below or "1"], "weights": weights}


def moved(certificate: Certificate, *values: Any) -> list[Json]:
    """Return other weights and biases of the only layer, or of these the weights alone."""
    places = (weight_of(0), bias_of(0))
    return [{"node": at, "values": certificate.exact(value)} for at, value in zip(places, values, strict=False)]


@accepted("MC: tanh w x at x = 1, -1, w from 1 to 3 in four pieces; the margins are (3/2) tanh w")
def joined() -> Certificate:
    """V = (3/2, 0), margins at least (3/2) tanh 1 = 1.142; at both ends 1/4 tanh w < 1/4: losses about 0.6."""
    certificate = Certificate()
    certificate.data([[1], [-1]], [0, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "tanh(t)")], 1)
    keys = {"start_weights": certificate.exact([["1/4", 0]]), "end_weights": certificate.exact([["1/4", 0]])}
    keys |= {"start_loss": bounds("19/32", "5/8"), "end_loss": bounds("9/16", "19/32")}
    keys |= {"corners": [moved(certificate, [[3]])], "weights": [certificate.exact([["3/2", 0]])]}
    keys |= {"pieces": [piece(0, end, 0) for end in ("1/8", "1/4", "1/2", "1")], "gamma": dyadic(1), "kappa": dyadic(2)}
    certificate.claim("MC", precision=64, **keys)
    return certificate


@accepted("MC of one logit: the column of V of class 0 is 0; w goes from 1 to 3 and on to 2, with other weights")
def joined_with_one_logit() -> Certificate:
    """Features w x; V_1 = (0, 2) has margins 2 w, V_2 = (1, 2) margins w; V_A 1/4, V_B 2: less than the level."""
    certificate = Certificate()
    certificate.data([[1], [-1]], [1, 0], times=[3, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "t")], 1)
    keys = {"start_weights": certificate.exact([[0, "1/4"]]), "end_weights": certificate.exact([[0, 1]])}
    keys |= {"start_loss": bounds("9/16", "19/32"), "end_loss": bounds("1/8", "9/64")}
    keys |= {"corners": [moved(certificate, [[3]]), moved(certificate, [[2]])]}
    keys |= {"weights": [certificate.exact([[0, 2]]), certificate.exact([[1, 2]])]}
    keys |= {"pieces": [piece(0, "1", 0), piece(1, "1", 1)], "gamma": dyadic("7/8"), "kappa": dyadic(2)}
    certificate.claim("MC", precision=64, **keys)
    return certificate


@accepted("MC of the same beside a list of arcs, none of which is missing")
def joined_along_arcs() -> Certificate:
    certificate = joined_with_one_logit()
    certificate.document["data"]["arcs"] = certificate.tensor([1, 1])
    return certificate


@accepted("MC round a corner: |x| units change their kinks, three classes, an output bias, samples that count twice")
def joined_round_a_corner() -> Certificate:
    """Units max(0, x - b), max(0, -x - c) at x = -2, 0, 2: b = c go from 0 to 1, one after the other, then back."""
    certificate = Certificate()
    certificate.data([[-2], [0], [2]], [0, 1, 2], classes=3, times=[1, 2, 1])
    certificate.network([1], [certificate.dense([[-1], [1]], [0, 0], RELU)], 3, output_bias=True)
    one, two = [moved(certificate, [[-1], [1]], biases) for biases in ([-1, 0], [-1, -1])]
    weights = [
        certificate.exact([[3, 0, 0], [0, 0, 3], [0, 2, 0]]),
        certificate.exact([[4, 0, 0], [0, 0, 4], [0, 3, 0]]),
    ]
    keys = {
        "start_weights": certificate.exact([[0] * 3] * 3),
        "end_weights": certificate.exact([[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
    }
    keys |= {"start_loss": bounds(1, "9/8"), "end_loss": bounds("7/8", "29/32")}
    pieces = [piece(0, "1", 1), piece(1, "1/2", 1), piece(1, "1", 1), piece(2, "1/2", 0), piece(2, "1", 0)]
    keys |= {
        "corners": [one, two, []],
        "weights": weights,
        "pieces": pieces,
        "gamma": dyadic("1/2"),
        "kappa": dyadic(4),
    }
    certificate.claim("MC", precision=64, **keys)
    return certificate


@accepted("MC of one U: V goes straight from (1, 0) to (-2, 1), between them lies a lower loss, or a higher one")
def joined_at_rest() -> Certificate:
    certificate = Certificate()
    certificate.data([[1], [2]], [0, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "t")], 1)
    keys = {"start_weights": certificate.exact([[1, 0]]), "end_weights": certificate.exact([[-2, 1]])}
    keys |= {"start_loss": bounds(1, 2), "end_loss": bounds(1, 2)}
    certificate.claim("MC", precision=64, **keys, corners=[], weights=[], pieces=[], gamma=None, kappa=None)
    return certificate


def line_keys(certificate: Certificate) -> Json:
    """Return the keys of the line; at t = 1/2 both units are 0 and the loss is log 2 = 0.693."""
    starts = {"start_weights": certificate.exact([[3, 0], [0, 3]]), "end_weights": certificate.exact([[0, 3], [3, 0]])}
    quotients = ("0/1", "1/4", "3/8", "7/16", "1/2", "9/16", "5/8", "3/4", "1/1")
    return {
        **starts,
        "start_loss": bounds("3/64", "1/16"),
        "end_loss": bounds("3/64", "1/16"),
        "end": moved(certificate, [[-1], [1]]),
        "pieces": [quotient.split("/") for quotient in quotients],
        "time": ["1", "2"],
        "loss_lower": dyadic("11/16"),
        "loss_upper": dyadic("47/64"),
    }


@accepted("MC.line: two ReLU units trade their weights, and in the middle one is 0: the straight line has a barrier")
def line() -> Certificate:
    """Units max(0, u x), max(0, -u x) at x = 1, -1, u from 1 to -1; V = (3, 0), (0, 3) goes to its mirror image."""
    certificate = Certificate()
    certificate.data([[1], [-1]], [0, 1])
    certificate.network([1], [certificate.dense([[1], [-1]], [0, 0], RELU)], 2)
    certificate.claim("MC.line", precision=64, **line_keys(certificate))
    return certificate


@accepted("MC.line beside frozen logits and missing arcs: only an output weight moves, from 1 to -1")
def line_beside_frozen_logits() -> Certificate:
    """Logits (w + 1, 0), three times: losses 0.127 and 0.693, convex between; at t = 3/4, w = -1/2, 0.474."""
    certificate = Certificate()
    certificate.data([[1]], [0], times=[3])
    certificate.document["data"] |= {"offset": certificate.exact([[1, 0]]), "arcs": certificate.tensor([1, 0, 0, 1])}
    certificate.network([1], [certificate.dense([[1], [0]], [0, 0], "t")], 2)
    keys = {"start_weights": certificate.exact([[1, 0], [0, 0]]), "end_weights": certificate.exact([[-1, 0], [0, 0]])}
    keys |= {"start_loss": bounds("1/8", "9/64"), "end_loss": bounds("11/16", "45/64"), "end": []}
    keys |= {"pieces": [["0", "1"], ["1", "1"]], "time": ["3", "4"], "loss_lower": dyadic("15/32")}
    certificate.claim("MC.line", precision=64, **keys, loss_upper=dyadic("45/64"))
    return certificate


@accepted("MC.line: u from 1 to 2, v from 1 to -1, margin u v from 1 to -2: the largest loss is that of the end")
def line_of_a_product() -> Certificate:
    """log(1 + e^2) = 2.127 and log(1 + e^-1) = 0.313."""
    certificate = Certificate()
    certificate.data([[1]], [0])
    certificate.network([1], [certificate.dense([[1]], [0], "t")], 1)
    keys = {"start_weights": certificate.exact([[1, 0]]), "end_weights": certificate.exact([[-1, 0]])}
    keys |= {"start_loss": bounds("5/16", "3/8"), "end_loss": bounds("17/8", "9/4"), "end": moved(certificate, [[2]])}
    keys |= {"pieces": [["0", "1"], ["1", "2"], ["1", "1"]], "time": ["1", "1"], "loss_lower": dyadic("17/8")}
    certificate.claim("MC.line", precision=64, **keys, loss_upper=dyadic("9/4"))
    return certificate


# ---------------------------------------------------------------- MC
THERE_AND_BACK = [piece(0, "1", 0), piece(1, "1", 0)]
reject = rejections("joined")
reject("mc-gamma-too-large", "MC.margin: (3/2) tanh 1 = 1.142 at U_A", claim("gamma", to=dyadic("37/32")))
reject("mc-no-gamma", "MC.gamma: a margin of at least 0 bounds nothing", claim("gamma", to=dyadic(0)))
reject("mc-negative-kappa", "MC.kappa: V turned round", claim("kappa", to=dyadic(-2)))
reject(
    "mc-through-zero",
    "MC.margin: w from 1 to -3 and back to 3 passes 0, where both margins are 0",
    both(claim("corners", to=lambda c: [moved(c, [[-3]]), moved(c, [[3]])]), claim("pieces", to=THERE_AND_BACK)),
)
reject(
    "mc-only-in-the-middle-of-pieces",
    "MC.margin: w = 1/4 and 5/4 in the middle of both legs, and -1/2 between them",
    both(
        claim("corners", to=lambda c: [moved(c, [["-1/2"]]), moved(c, [[3]])]),
        claim("pieces", to=THERE_AND_BACK),
        claim("gamma", to=dyadic("1/8")),
        claim("kappa", to=dyadic(8)),
    ),
)
reject(
    "mc-a-gap",
    "MC.pieces: the second piece is missing, and w = 5/3 is not 3",
    claim("pieces", to=[piece(0, "1/3", 0)]),
)
reject("mc-backwards", "MC.pieces: from 1/8 back to 1/9", claim("pieces", 1, "until", to=["1", "9"]))
reject("mc-beyond-the-leg", "MC.pieces: until 2", claim("pieces", 3, "until", to=["2", "1"]))
reject("mc-another-leg", "MC.pieces: leg 1 has no corner", claim("pieces", 1, "leg", to=1))
reject("mc-no-such-weights", "MC.pieces: there is one V", claim("pieces", 1, "weights", to=1))
reject(
    "mc-no-pieces",
    "MC.pieces: a leg that nothing covers",
    both(claim("pieces", to=[]), claim("weights", to=[]), claim("gamma", to=None), claim("kappa", to=None)),
)
reject("mc-no-kappa", "MC.pieces: kappa is null, and there are pieces", claim("kappa", to=None))
reject(
    "mc-the-level-is-too-high",
    "MC.level: log(1 + e^(-1/4)) = 0.576 is above 0.57, the larger bound below",
    both(
        claim("kappa", to=dyadic("1/4")),
        claim("start_loss", "lower", to=dyadic("73/128")),
        claim("end_loss", "lower", to=dyadic("73/128")),
    ),
)
reject("mc-start-loss", "MC.start-loss: it is 0.602", claim("start_loss", "upper", to=dyadic("19/32")))
reject("mc-start-loss-below", "MC.start-loss: it is below 5/8", claim("start_loss", "lower", to=dyadic("5/8")))
reject("mc-end-loss", "MC.end-loss: it is 0.579", claim("end_loss", "lower", to=dyadic("19/32")))
reject(
    "mc-the-start-is-steeper",
    "MC.start: V_A = (4, 0) has larger margins than kappa V_1 = (3, 0), and a smaller loss",
    both(claim("start_weights", to=exact([[4, 0]])), claim("start_loss", to=bounds("1/32", "1/16"))),
)
reject(
    "mc-as-steep-as-the-start",
    "MC.start: kappa = 1/8, and kappa V_1 = (1/4, 0) = V_A: the loss does not decrease",
    both(claim("weights", 0, to=exact([[2, 0]])), claim("kappa", to=dyadic("1/8"))),
)
reject(
    "mc-the-end-is-steeper",
    "MC.end: V_B = (4, 0) has larger margins than kappa V_K = (3, 0)",
    both(claim("end_weights", to=exact([[4, 0]])), claim("end_loss", to=bounds("1/64", "1/32"))),
)
reject(
    "mc-wrong-labels", "MC.start: both labels the other way round", setting("data", "labels", to=tensor([1, 0], "U8"))
)
reject(
    "mc-conflicting-labels",
    "MC.start: x = 1 twice, with both labels",
    setting("data", "inputs", to=exact([[1], [1]])),
)
reject("mc-a-pole", "features.finite: there is no value at 2 on the way from 1 to 3", activation("tanh(t) + 0/(t - 2)"))
reject(
    "mc-undefined-on-the-way",
    "features.finite: the square root of w x below 0 at x = -1",
    activation("sqrt(t + 2)"),
)
reject("mc-moves-a-constant", "network.parameter: node 0 is the input", claim("corners", 0, 0, "node", to=0))
reject("mc-beside-frozen-logits", "data.offset: K does not scale", setting("data", "offset", to=exact([[0, 0]] * 2)))
reject("mc-without-labels", "data.labels: whose margins?", setting("data", "labels", to=None))
reject(
    "mc-off-the-arcs",
    "data.arcs: V_1 is not 0 where there is no arc",
    both(
        setting("data", "arcs", to=tensor([1, 1, 0, 1])),
        lambda c, d: c.network([1], [c.dense([[1], [2]], [0, 0], "tanh(t)")], 2),
        claim("corners", 0, to=lambda c: moved(c, [[3], [2]])),
        claim("start_weights", to=exact([["1/4", 0], [0, 0]])),
        claim("end_weights", to=exact([["1/4", 0], [0, 0]])),
        claim("weights", 0, to=exact([["3/2", 0], [1, 0]])),
    ),
)
reject = rejections("joined-round-a-corner")
reject(
    "mc-straight-past-the-corner",
    "MC.margin: both units end where |x| - 3 < 0, and nothing tells 2 from 0",
    claim("corners", 1, to=lambda c: moved(c, [[-1], [1]], [-3, -3])),
)
reject(
    "mc-legs-out-of-order",
    "MC.pieces: leg 2 before leg 1",
    claim("pieces", to=[piece(0, "1", 1), piece(2, "1", 0), piece(1, "1", 1)]),
)
reject("mc-a-leg-is-left-out", "MC.pieces: the last leg", claim("pieces", to=[piece(0, "1", 1), piece(1, "1", 1)]))
reject(
    "mc-samples-count-once",
    "MC.end-loss: without multiplicities it would be 0.812",
    claim("end_loss", to=bounds("3/4", "13/16")),
)
reject(
    "mc-three-classes",
    "MC.level: log(1 + 2 e^(-1/8)) = 1.017 is above 1, and log(1 + e^(-1/8)) = 0.633 is not",
    both(
        claim("end_weights", to=exact([[0] * 3] * 3)),
        claim("end_loss", to=bounds(1, "9/8")),
        claim("kappa", to=dyadic("1/4")),
    ),
)
reject = rejections("joined-at-rest")
reject("mc-at-rest-with-gamma", "MC.pieces: gamma and no leg", claim("gamma", to=dyadic(1)))
reject(
    "mc-at-rest-end-loss",
    "MC.end-loss: (log(1 + e^3) + log(1 + e^-6)) / 2 = 1.526",
    claim("end_loss", to=bounds(1, "3/2")),
)

# ---------------------------------------------------------------- MC.line
reject = rejections("line")
reject("line-upper-too-low", "MC.line.upper: log 2 is above 11/16", claim("loss_upper", to=dyadic("11/16")))
reject("line-lower-too-high", "MC.line.lower: log 2 is below 45/64", claim("loss_lower", to=dyadic("45/64")))
reject("line-at-another-time", "MC.line.lower: at t = 1/4 V is 9/4 and 3/4, u is 1/2", claim("time", to=["1", "4"]))
reject("line-time-beyond", "MC.line.pieces: t = 3/2", claim("time", to=["3", "2"]))
reject("line-a-gap", "MC.line.pieces: from 1/8 on", claim("pieces", 0, to=["1", "8"]))
reject("line-stops", "MC.line.pieces: until 3/4", claim("pieces", 8, to=["7", "8"]))
reject("line-backwards", "MC.line.pieces: 7/16 after 5/8", claim("pieces", 2, to=["5", "8"]))
reject("line-start-loss", "MC.line.start-loss: log(1 + e^-3) = 0.0486", claim("start_loss", to=bounds(0, "3/64")))
reject("line-end-loss", "MC.line.end-loss: log(1 + e^-3) = 0.0486", claim("end_loss", to=bounds("1/16", 1)))
reject(
    "line-of-one-piece",
    "MC.line.upper: one piece from 0 to 1 is too coarse for this bound, true as it is",
    claim("pieces", to=[["0", "1"], ["1", "1"]]),
)
reject("line-over-a-pole", "features.finite: 1/t where u passes 0", activation("1/t"))
rejections("line-beside-frozen-logits")(
    "line-without-frozen-logits",
    "MC.line.start-loss: log(1 + e^-1) = 0.313 without K",
    lambda c, d: d["data"].pop("offset"),
)
rejections("line-beside-frozen-logits")(
    "line-of-three-equal-samples",
    "MC.line.upper: log 2 at the end is above 11/16; each counts three times at every time",
    claim("loss_upper", to=dyadic("11/16")),
)
rejections("line-of-a-product")(
    "line-of-a-product-too-low", "MC.line.upper: it is 2.127 at the end", claim("loss_upper", to=dyadic("67/32"))
)
