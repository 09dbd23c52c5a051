"""Lower bounds of the loss over all output weights (Z0.loss): true ones, and one change in a true one each."""

from __future__ import annotations

from cases_rejected import both, claim, exact, setting, tensor
from make import Certificate, Json, accepted, dyadic, rejections


def claim_bound(certificate: Certificate, weights: object, support: list[int], **changes: object) -> None:
    """Claim Z0.loss at 64 bits, of labels."""
    keys: Json = {"precision": 64, "label_counts": None, "output_weights": certificate.exact(weights)}
    keys |= {"support": certificate.tensor(support), "equal": []}
    certificate.claim("Z0.loss", **{**keys, **changes})


@accepted(
    "Z0.loss: one unit tanh(t) at 1, 2, 3, the first twice, labels 0, 1, 0; at v = 1.0893 the loss is least: 0.59139"
)
def loss_of_mixed_samples() -> Certificate:
    """V = (279/256, 0) is near enough: the labels 1 1 0 against 0 do not agree with any sign of v."""
    certificate = Certificate()
    certificate.data([[1], [2], [3]], [0, 1, 0], times=[2, 1, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "tanh(t)")], 1)
    claim_bound(certificate, [["279/256", 0]], [1] * 6, loss_lower=dyadic("151/256"))
    return certificate


@accepted("Z0.loss: features 0, 0, 1/3, 1/3, 1/4; equal rows have two labels, rows 0 have the loss log 2 in any case")
def loss_of_equal_rows() -> Certificate:
    """Min(1/3, Max(0, t)): rational numbers, of which 1/3 is no exact ball. The bound is 4 log(2)/5 = 0.5545."""
    certificate = Certificate()
    certificate.data([[-1], [-2], [3], [4], ["1/4"]], [1, 1, 0, 1, 1])
    certificate.network([1], [certificate.dense([[1]], [0], "Min(1/3, Max(0, t))")], 1)
    alone = [0, 1, 0, 1, 1, 0, 0, 1, 0, 1]
    claim_bound(certificate, [[0, 0]], alone, equal=[[0, 1], [2, 3]], loss_lower=dyadic("141/256"))
    return certificate


@accepted(
    "Z0.loss: labels that conflict on one of two samples, whose features are independent: its entropy is the bound"
)
def loss_of_conflicting_labels() -> Certificate:
    """Counts (2, 2, 0) and (0, 0, 1); columns 2 and 3 of Psi are 0 on the mixed sample. 4 log(2)/5 again."""
    certificate = Certificate()
    certificate.data([[1, 0], [0, 1]], None, times=[4, 1])
    certificate.document["data"]["classes"] = 3
    units = certificate.dense([[1, 0], [0, 1], [0, 0]], [0, 0, 0], "Max(0, t)")
    certificate.network([2], [units], 3)
    counts = certificate.tensor([2, 2, 0, 0, 0, 1])
    support = [1, 1, 0, 0, 0, 1]
    zero = [[0, 0, 0]] * 3
    claim_bound(certificate, zero, support, label_counts=counts, loss_lower=dyadic("141/256"))
    return certificate


@accepted("Z0.loss: one unit t and an output bias; without its column the bound would be log 2")
def loss_beside_an_output_bias() -> Certificate:
    """At -1, 0, 1 labels 0, 1, 0: v = 0, the bias (log 2, 0), about 177/256; H(1/3) = 0.6365."""
    certificate = Certificate()
    certificate.data([[-1], [0], [1]], [0, 1, 0])
    layers = [certificate.dense([[1]], [0], "t")]
    certificate.network([1], layers, 2)
    one = {"kind": "constant", "name": "one", "shape": [1], "values": certificate.exact([1]), "reads": []}
    document = certificate.document["network"]
    document["nodes"].append(one)
    document["features"].append({"node": len(document["nodes"]) - 1, "entries": None})
    claim_bound(certificate, [[0, 0], ["177/256", 0]], [1] * 6, loss_lower=dyadic("161/256"))
    return certificate


@accepted("Z0.error: targets 0 and 2 of a sample 1, 1 of a sample 2, -1 of -1; the best line has the slope 5/7")
def error_of_a_line() -> Certificate:
    """Sums of t^2 = 6, of psi^2 = 7, of psi t = 5: 4 * 2 Phi = 6 - 25/7, Phi = 17/56 = 0.3036. A second unit is 0."""
    certificate = Certificate()
    certificate.data([[1], [2], [-1]], None, times=[2, 1, 1])
    certificate.document["data"] |= {"classes": 1, "targets": certificate.exact([[0], [2], [1], [-1]])}
    certificate.network([1], [certificate.dense([[1], [0]], [0, 0], "t")], 2)
    weights = certificate.exact([["3/4"], [0]])
    certificate.claim("Z0.error", precision=64, output_weights=weights, error_lower=dyadic("155/512"))
    return certificate


reject = rejections("error-of-a-line")
reject("z0error-above", "Z0.error.bound: 17/56 < 156/512", claim("error_lower", to=dyadic("156/512")))
reject("z0error-0", "Z0.error.bound: above 0", claim("error_lower", to=dyadic(0)))
reject(
    "z0error-of-equal-columns",
    "Z0.error.regular: two columns that are equal",
    setting("network", "nodes", 1, "values", to=exact([[1], [1]])),
)


def labels_for_targets(certificate: Certificate, document: Json) -> None:
    """Three labels in the place of the targets."""
    del document["data"]["targets"]
    document["data"] |= {"classes": 2, "labels": certificate.tensor([0, 1, 0])}
    document["claims"][0]["output_weights"] = certificate.exact([[1, 0], [0, 0]])


reject("z0error-of-labels", "Z0.error.targets: needs real targets", labels_for_targets)
reject = rejections("loss-of-mixed-samples")
reject("z0loss-bound-above", "Z0.loss.bound: the least loss is 0.59139", claim("loss_lower", to=dyadic("152/256")))
reject("z0loss-bound-0", "Z0.loss.bound: above 0", claim("loss_lower", to=dyadic(0)))
reject(
    "z0loss-multiplicity-forgotten",
    "Z0.loss.balance: with sample 0 once, V = 0.66 would be near",
    both(
        setting("data", "multiplicities", to=None),
        setting("data", "total", to=3),
        claim("output_weights", to=exact([[9, 0]])),
    ),
)
reject("z0loss-weights-far", "Z0.loss.balance: R is not small", claim("output_weights", to=exact([[40, 0]])))
reject(
    "z0loss-separable",
    "Z0.loss.balance: one class has all labels, and no probabilities but 0 and 1 are balanced",
    setting("data", "labels", to=tensor([0, 0, 0])),
)
reject("z0loss-support-2", "Z0.loss.support: 0 or 1", claim("support", to=tensor([2, 1, 1, 1, 1, 1])))
reject("z0loss-label-outside", "Z0.loss.support: sample 1 has label 1", claim("support", to=tensor([1, 1, 1, 0, 1, 1])))
reject("z0loss-mixed-too-few", "Z0.loss.balance: the others alone are balanced at another V", claim("equal", to=[[0]]))
reject("z0loss-equal-to-itself-twice", "Z0.loss.equal: sample 0 twice", claim("equal", to=[[0, 0]]))
reject(
    "z0loss-labels-and-counts",
    "Z0.loss.labels: one of them",
    claim("label_counts", to=tensor([2, 0, 0, 1, 1, 0])),
)
reject = rejections("loss-of-equal-rows")
reject("z0loss-rows-that-differ", "Z0.loss.equal: 1/4 is not 1/3", claim("equal", to=[[0, 1], [2, 3, 4]]))
reject("z0loss-rows-nearly-0", "Z0.loss.equal: 1/4 is not 0", claim("equal", to=[[0, 1, 4], [2, 3]]))
reject("z0loss-twice", "Z0.loss.equal: sample 2 is in two lists", claim("equal", to=[[0, 1], [2, 3], [2]]))
reject("z0loss-no-sample", "Z0.loss.equal: there is no sample 5", claim("equal", to=[[0, 1, 5], [2, 3]]))
reject("z0loss-entropy-rounded-up", "Z0.loss.bound: 4 log(2)/5 < 142/256", claim("loss_lower", to=dyadic("142/256")))
reject = rejections("loss-of-conflicting-labels")
reject(
    "z0loss-counts-that-do-not-add-up",
    "Z0.loss.labels: 2 + 1 are not 4",
    claim("label_counts", to=tensor([2, 1, 0, 0, 0, 1])),
)
reject = rejections("loss-beside-an-output-bias")


reject(
    "z0loss-without-the-column-of-ones",
    "Z0.loss.balance: at V = 0 the column t is balanced, the output bias is not; log 2 is above the least loss",
    both(claim("output_weights", to=exact([[0, 0], [0, 0]])), claim("loss_lower", to=dyadic("177/256"))),
)
reject(
    "z0loss-of-dependent-columns",
    "Z0.loss.balance: two columns that are multiples of each other",
    both(
        setting("data", "inputs", to=exact([[1], [1], [1]])),
    ),
)
reject(
    "z0loss-beside-frozen-logits",
    "data.offset: with K the last sum is not 0",
    setting("data", "offset", to=exact([[0, 0], [5, 0], [0, 0]])),
)
