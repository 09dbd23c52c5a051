"""Certificates about the Jacobian of the logits (J1, J2, J3): true ones, and what is false or not proved."""

from __future__ import annotations

from typing import Any

from cases_accepted import UNIT, plane
from cases_rejected import activation, bias, both, claim, exact, setting, tensor, weight
from make import Certificate, Json, accepted, bias_of, dyadic, output_of, rejections, weight_of

TWO, AFFINE = [[1], [2]], [[-1, 1], [2, -1]]  # the samples 1 and 2, and the inverse of the rows (x, 1)
PAIR = "t + t**2"


def jacobian(certificate: Certificate, **keys: Any) -> Json:
    """Return what J1, J2 and J3 have: by default at the stored parameters, with all columns."""
    found: Json = {"precision": 64, "point": None, "columns": None}
    return found | {"right_inverse": certificate.exact(AFFINE)} | keys


def line(activation: str = "t", targets: Any = None, labels: Any = None, times: Any = None) -> Certificate:
    """One unit w x + b, w = 1 and b = 0, on the samples 1 and 2; one output, if there are targets."""
    certificate = Certificate()
    certificate.data(TWO, labels, times=times)
    if targets is not None:
        certificate.document["data"] |= {"classes": 1, "targets": certificate.exact(targets)}
    certificate.network([1], [certificate.dense([[1]], [0], activation)], 1)
    return certificate


@accepted("J1: G = v (w x + b) at v = w = 1, b = 0, one unit for two samples: the derivatives by w and b are x and 1")
def full_jacobian() -> Certificate:
    certificate = line(targets=[[0], [0]])
    columns, weights = certificate.tensor([0, 1]), certificate.exact([[1]])
    keys = jacobian(certificate, columns=columns, weights=weights)
    certificate.claim("J1", **keys, reduced=False, everywhere=False)
    return certificate


@accepted("J1: the same of Max(0, t): the pre-activations 1 and 2 are at no kink, so this point is not stationary")
def full_jacobian_between_kinks() -> Certificate:
    certificate = line("Max(0, t)", targets=[[0], [0]])
    columns, weights = certificate.tensor([0, 1]), certificate.exact([[1]])
    keys = jacobian(certificate, columns=columns, weights=weights)
    certificate.claim("J1", **keys, reduced=False, everywhere=False)
    return certificate


@accepted("J1 everywhere, reduced: V = (1, 0), one unit for two samples with labels; at another point, b = 1")
def reduced_jacobian_everywhere() -> Certificate:
    """The difference of the logits is w x + b; all logits could not have rank 4 with 4 parameters here."""
    certificate = line(labels=[0, 1])
    point = [{"node": bias_of(0), "values": certificate.exact([1])}]
    keys = jacobian(certificate, columns=certificate.tensor([0, 1]), point=point, weights=certificate.exact([[1, 0]]))
    certificate.claim("J1", **keys, reduced=True, everywhere=True)
    return certificate


@accepted("J1 reduced beside frozen logits, which do not depend on the parameters, and J1 of all logits with arcs")
def full_jacobians_beside_the_data() -> Certificate:
    """Psi = (x1, x2) on the unit vectors: the derivatives by V alone are the identity, twice."""
    certificate = plane([0, 1])
    certificate.document["data"]["offset"] = certificate.exact([[0, 5], [7, 0]])
    inverse, weights = certificate.exact(UNIT), certificate.exact([[0, 0], [0, 0]])
    keys = jacobian(certificate, columns=certificate.tensor([6, 8]), weights=weights, right_inverse=inverse)
    certificate.claim("J1", **keys, reduced=True, everywhere=True)
    return certificate


@accepted(
    "J1 with missing arcs: output 0 reads unit 0 alone; by the unit's weights and by the other arcs the rank is 4"
)
def full_jacobian_along_arcs() -> Certificate:
    """V = [[1, 0], [0, 0]]: G_i0 = w_0 x_i; by w_00, w_01 it is x_i1, x_i2; by V_01, V_11 it is G_i1."""
    certificate = plane(None)
    certificate.document["data"]["arcs"] = certificate.tensor([1, 1, 0, 1])
    inverse = [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    columns, weights = certificate.tensor([0, 1, 7, 9]), certificate.exact([[1, 0], [0, 0]])
    keys = jacobian(certificate, columns=columns, weights=weights, right_inverse=certificate.exact(inverse))
    certificate.claim("J1", **keys, reduced=False, everywhere=True)
    return certificate


@accepted("J2: w x + b = x, targets x + 1/64: b moves by 1/64; of two equal samples both have the same target")
def interpolant() -> Certificate:
    """By w and b alone G is affine, so that q = 0: |F| = 1/64, B has row sums of at most 3, and 3/64 <= 1/16."""
    certificate = line(targets=[["65/64"], ["129/64"], ["129/64"]], times=[1, 2])
    weights = certificate.exact([[1]])
    keys = jacobian(certificate, columns=certificate.tensor([0, 1]), weights=weights, start_weights=weights)
    certificate.claim("J2", **keys, rho=dyadic("1/64"), distance=dyadic("1/16"))
    return certificate


@accepted("J2 in all parameters, from another start and at another point: q is not 0, v moving with w")
def interpolant_elsewhere() -> Certificate:
    """V = 1 there, 3/4 at the start; w = 5/4 at the start, 1 there: 1/4 away, and 1/64 q-th more."""
    certificate = line(targets=[["65/64"], ["129/64"]])
    certificate.nodes[weight_of(0)]["values"] = certificate.exact([["5/4"]])
    point = [{"node": weight_of(0), "values": certificate.exact([[1]])}]
    inverse = certificate.exact([["-1/2", "1/2"], [2, -1], ["-1/2", "1/2"]])
    start, weights = certificate.exact([["3/4"]]), certificate.exact([[1]])
    keys = jacobian(certificate, point=point, weights=weights, right_inverse=inverse, start_weights=start)
    certificate.claim("J2", **keys, rho=dyadic("1/32"), distance=dyadic("1/2"))
    return certificate


def pair(labels: Any = None) -> Certificate:
    """Two units t + t^2 of x, w = 1 and b = 0, on the samples 0, 1, -1."""
    certificate = Certificate()
    certificate.data([[0], [1], [-1]], labels)
    certificate.network([1], [certificate.dense([[1], [1]], [0, 0], PAIR)], 2)
    return certificate


def claim_memorisation(certificate: Certificate, almost: bool) -> None:
    """V = (1, -1): by w_0, b_0, v_0 the logit has the derivatives x + 2 x^2, 1 + 2 x, x + x^2."""
    inverse = [[1, 0, 1], [1, 0, 0], [-3, "1/2", "-3/2"]]
    columns, weights = certificate.tensor([0, 2, 4]), certificate.exact([[1], [-1]])
    keys = jacobian(certificate, columns=columns, weights=weights, right_inverse=certificate.exact(inverse))
    certificate.claim("J3", **keys, almost_every_data=almost)


@accepted("J3: three samples, two units t + t^2 that are equal, with output weights 1 and -1: every target in R^3")
def memorisation() -> Certificate:
    certificate = pair()
    claim_memorisation(certificate, almost=True)
    return certificate


@accepted(
    "J3 on these samples alone, for Max(0, t) + t and two outputs: three equal units, V = (1, 0), (0, 1), (-1, -1)"
)
def memorisation_between_kinks() -> Certificate:
    """On x = 1, -1 with w = 1, b = 0: by w it is 2 x, x, by b 2, 1; the units' values are 2, -1."""
    certificate = Certificate()
    certificate.data([[1], [-1]])
    certificate.network([1], [certificate.dense([[1], [1], [1]], [0, 0, 0], "Max(0, t) + t")], 3)
    weights = certificate.exact([[1, 0], [0, 1], [-1, -1]])
    inverse = [["1/4", 0, "-1/2", 0], [0, "1/4", 0, "-1/2"], ["1/4", 0, "1/2", 0], [0, "1/4", 0, "1/2"]]
    columns = certificate.tensor([0, 1, 3, 4])
    keys = jacobian(certificate, columns=columns, weights=weights, right_inverse=certificate.exact(inverse))
    certificate.claim("J3", **keys, almost_every_data=False)
    return certificate


@accepted("J3 with other columns beside: x, with a row of 0, and a unit that is no feature")
def memorisation_beside_other_columns() -> Certificate:
    """Psi = (x, unit 0, unit 1) of three units: the pair is known by its weights, the input's row of V is 0."""
    certificate = Certificate()
    certificate.data([[0], [1], [-1]])
    layer = certificate.dense([[1], [1], [3]], [0, 0, 5], PAIR, skip=False)
    certificate.network([1], [layer], 3)
    certificate.feature(0)
    certificate.feature(output_of(0), [0, 1])
    columns, weights = certificate.tensor([0, 3, 7]), certificate.exact([[0], [1], [-1]])
    inverse = certificate.exact([[1, 0, 1], [1, 0, 0], [-3, "1/2", "-3/2"]])
    keys = jacobian(certificate, columns=columns, weights=weights, right_inverse=inverse)
    certificate.claim("J3", **keys, almost_every_data=True)
    return certificate


def one_filter_at_two_places(certificate: Certificate, document: Json) -> None:
    """Two equal filters of one place each: entries 0 and 1 are the first filter on x1 and on x2, not the two on x1."""
    document.pop("claims")
    certificate.data([[0, 1]])
    layer = certificate.conv1d([[[1]], [[1]]], [0, 0], PAIR) | {"skip": [0, 1]}
    certificate.network([1, 2], [layer], 2)
    columns, weights = certificate.tensor([2]), certificate.exact([[1], [-1]])
    keys = jacobian(certificate, columns=columns, weights=weights, right_inverse=certificate.exact([["-1/2"]]))
    certificate.claim("J3", **keys, almost_every_data=True)


full = rejections("full-jacobian")
full("jacobian-of-few-columns", "J.columns: one column for two rows", claim("columns", to=tensor([0])))
full("jacobian-of-no-parameter", "schema.value: there are three parameters", claim("columns", to=tensor([0, 3])))
full("jacobian-of-a-negative-parameter", "schema.value: they are counted from 0", claim("columns", to=tensor([-1, 0])))
full("jacobian-by-a-wrong-inverse", "J.rank: the rows of B changed", claim("right_inverse", to=exact(UNIT)))
full("jacobian-of-equal-columns", "J.rank: by w and by v it is the same", claim("columns", to=tensor([0, 2])))
full("jacobian-at-v-0", "J.rank: at V = 0 nothing depends on w and b", claim("weights", to=exact([[0]])))
full(
    "jacobian-at-another-point",
    "J1.point: it speaks of the stored parameters",
    claim("point", to=lambda c: [{"node": bias_of(0), "values": c.exact([1])}]),
)
full("jacobian-reduced-without-labels", "J1.labels: which labels?", claim("reduced", to=True))
full("jacobian-of-weights-of-another-shape", "shape: V has one row", claim("weights", to=exact([[1], [1]])))

kinks = rejections("full-jacobian-between-kinks")
kinks("jacobian-at-a-kink", "J.differentiable: the pre-activation of the first sample is 0", bias([-1]))
kinks("jacobian-everywhere-with-kinks", "J1.analytic: Max is not analytic", claim("everywhere", to=True))

beside = rejections("full-jacobians-beside-the-data")
beside("jacobian-of-all-logits", "J.columns: two columns for four rows", claim("reduced", to=False))
beside("jacobian-reduced-of-unknown-labels", "J1.labels: there are none", setting("data", "labels", to=None))
arcs = rejections("full-jacobian-along-arcs")
arcs("jacobian-by-a-missing-arc", "data.arcs: V_10 has none", claim("columns", to=tensor([0, 1, 7, 8])))
arcs("jacobian-of-all-columns-with-arcs", "data.arcs: V_10 is among all", claim("columns", to=None))
arcs("jacobian-at-weights-without-arcs", "data.arcs: V_10 = 1", claim("weights", to=exact([[1, 0], [1, 0]])))

near = rejections("interpolant")


def without_targets(certificate: Certificate, document: Json) -> None:
    """Remove the targets; then there are two classes at least."""
    del document["data"]["targets"]
    document["data"]["classes"] = 2


def beside_a_root(certificate: Certificate, document: Json) -> None:
    """A second column t sqrt(t) of a parameter t = 0 that stands still: there are no solutions with t < 0."""
    certificate.add({"kind": "parameter", "reads": [], "name": "t", "shape": [1], "values": certificate.exact([0])})
    certificate.add({"kind": "map", "reads": [len(certificate.nodes) - 1], "activation": "t*sqrt(t)"})
    certificate.feature(len(certificate.nodes) - 1)
    document["network"]["columns"] = 2
    for key in ("weights", "start_weights"):
        claim(key, to=exact([[1], [1]]))(certificate, document)


near("interpolant-beside-a-root", "J.differentiable: t = 0 is the end of its domain", beside_a_root)
near("interpolant-without-targets", "J2.targets: no targets", without_targets)
near(
    "interpolant-of-two-targets-of-a-sample",
    "J2.targets: equal samples, different targets",
    setting("data", "targets", to=exact([["65/64"], [2], ["129/64"]])),
)
near("interpolant-in-no-box", "J2.rho: must be above 0", claim("rho", to=dyadic(0)))
near("interpolant-in-a-small-box", "J2.contraction: |F| is 1/64", claim("rho", to=dyadic("1/128")))
near("interpolant-too-near", "J2.distance: B has a row sum of 3", claim("distance", to=dyadic("1/32")))
near("interpolant-from-another-start", "J2.distance: v moves by 1", claim("start_weights", to=exact([[2]])))
far = rejections("interpolant-elsewhere")
far("interpolant-from-other-weights", "J2.distance: w = 3 is stored, and 1 at the point", weight([[3]]))
far("interpolant-in-a-large-box", "J.rank: with v and w in a box the Jacobian moves", claim("rho", to=dyadic(1)))
far(
    "interpolant-of-a-kink", "J.differentiable: 0 is in the box", both(activation("Abs(t)"), claim("rho", to=dyadic(1)))
)

all_targets = rejections("memorisation")
all_targets("memorisation-of-one-filter-at-two-places", "J3.zero: two entries, one filter", one_filter_at_two_places)
all_targets("memorisation-by-weights-of-one-axis", "shape: V is a matrix", claim("weights", to=exact([1, -1])))
all_targets(
    "memorisation-along-arcs-of-other-outputs",
    "data.arcs: arcs to two outputs, V for one",
    setting("data", "arcs", to=tensor([1] * 4)),
)
all_targets("memorisation-of-unpaired-weights", "J3.zero: w = 1 and w = 2", weight([[1], [2]]))
all_targets("memorisation-of-unpaired-biases", "J3.zero: b = 0 and b = 1", bias([0, 1]))
all_targets("memorisation-of-equal-rows", "J3.zero: V = (1, 1)", claim("weights", to=exact([[1], [1]])))
all_targets(
    "memorisation-of-nearly-opposite-rows", "J3.zero: -1 + 1/16384", claim("weights", to=exact([[1], ["-16383/16384"]]))
)
all_targets(
    "memorisation-of-frozen-logits",
    "data.offset: it speaks of Psi V alone",
    setting("data", "offset", to=exact([[0, 0]] * 3)),
)
all_targets("memorisation-of-a-square", "J.rank: t^2 is homogeneous: w d/dw + b d/db = 2 v d/dv", activation("t**2"))
rejections("memorisation-between-kinks")(
    "memorisation-of-almost-all-data-with-kinks",
    "J3.analytic: Max is not analytic",
    claim("almost_every_data", to=True),
)
