"""Certificates about given samples by the architecture and exact comparison (A.data): true ones, and what is not."""

from __future__ import annotations

from typing import Any

from cases_rejected import claim, nodes
from make import Certificate, Json, accepted, node, rejections


def entries(*pairs: tuple[int, list[int]]) -> list[Json]:
    """Return these entries of each of these nodes, as units."""
    return [{"node": at, "entries": chosen} for at, chosen in pairs]


def window(size: int, padding: int = 0) -> Json:
    """Return how a window slides along one axis."""
    return {"kernel": [size], "stride": [1], "padding": [padding], "dilation": [1]}


def filters(certificate: Certificate, source: int, shape: list[int], biases: list[int], **sliding: int) -> int:
    """Add filters tanh over one axis; return their node."""
    weight = certificate.add(certificate.parameter(f"w{source}", None, shape))
    bias = certificate.add(certificate.parameter(f"b{source}", None, biases))
    over = window(shape[-1], **sliding) | {"groups": 1}
    certificate.add(node("affine", [source, weight, bias], over=over, bias=True))
    return certificate.add(node("map", [bias + 1], activation="tanh(t)"))


def dense(certificate: Certificate, source: int, width: int, fan_in: int, over: str = "all") -> int:
    """Add units tanh, which are columns of Psi; return their node."""
    weight = certificate.add(certificate.parameter(f"w{source}", None, [width, fan_in]))
    bias = certificate.add(certificate.parameter(f"b{source}", None, [width]))
    certificate.add(node("affine", [source, weight, bias], over=over, bias=True))
    certificate.feature(certificate.add(node("map", [bias + 1], activation="tanh(t)")))
    return bias + 2


@accepted("A.data: units on the mean of a filter with one bias, whose patches make different multisets")
def given_data() -> Certificate:
    """Patches 01 10 00, 11 10 00 and 10 01 10 of (0, 1, 0, 0), (1, 1, 0, 0) and (1, 0, 1, 0)."""
    certificate = Certificate()
    certificate.data([[0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]])
    certificate.network([1, 4], [], 3)
    filters(certificate, 0, [2, 1, 2], [2])
    certificate.add(node("pool", [4], how="mean", **window(3)))
    dense(certificate, 5, 3, 2)
    certificate.claim("A.data", units=entries((9, [0, 1, 2])))
    return certificate


@accepted("A.data: two filters with one bias each, one position of each, and labels, frozen logits beside them")
def given_data_of_filters() -> Certificate:
    """One-pixel patches of (0, 1) and (1, 0): filter 0 at position 0, filter 1 at position 1."""
    certificate = Certificate()
    certificate.data([[0, 1], [1, 0]], [0, 1])
    certificate.document["data"]["offset"] = certificate.exact([[1, 2], [3, 4]])
    certificate.network([1, 2], [], 4)
    certificate.feature(filters(certificate, 0, [2, 1, 1], [2]))
    certificate.claim("A.data", units=entries((4, [0, 3])))
    return certificate


@accepted("A.data: units on a mean of units with biases of their own, and the output bias; (0, 1) and (1, 0)")
def given_data_of_own_biases() -> Certificate:
    certificate = Certificate()
    certificate.data([[0, 1], [1, 0]])
    certificate.network([1, 2], [], 2)
    filters(certificate, 0, [1, 1, 1], [1, 2])
    certificate.add(node("reduce", [4], how="sum", axes=1))
    dense(certificate, 5, 1, 1)
    certificate.feature(certificate.add(certificate.constant("output bias", [1])))
    certificate.claim("A.data", units=entries((9, [0])))
    return certificate


@accepted("A.data: two stages of padded filters and means, then units along the last axis, behind (x - 1) / 2")
def given_data_of_two_stages() -> Certificate:
    """The second stage compares its patches across positions: the first means are of filters with one bias."""
    certificate = Certificate()
    certificate.data([[0, 1, 0, 0], [3, 1, 0, 2]])
    certificate.network([1, 4], [], 4)
    certificate.add(node("scale", [0], factor=["1", "2"]))
    filters(certificate, 1, [1, 1, 2], [1], padding=1)
    certificate.add(node("pool", [5], how="mean", **window(2)))
    filters(certificate, 6, [2, 1, 2], [2], padding=1)
    certificate.add(node("pool", [10], how="mean", **window(4)), node("permute", [11], axes=[1, 0]))
    dense(certificate, 12, 2, 2, "last")
    certificate.claim("A.data", units=entries((16, [0, 3])))
    return certificate


@accepted("A.data: the first layer's weights are used again beside it, by no ancestor; coordinates times 0 are lost")
def given_data_of_shared_weights() -> Certificate:
    """The input as (x1, 0 x2) + (1, 2), read by two layers with the same weights, whose outputs one layer reads."""
    certificate = Certificate()
    certificate.data([[0, 5], [1, 5], [2, 5]])
    certificate.network([2], [], 3)
    certificate.add(certificate.constant("mask", [1, 0]), node("multiply", [0, 1]))
    certificate.add(certificate.constant("shift", [1, 2]), node("add", [2, 3]))
    certificate.add(certificate.parameter("w", None, [2, 2]), certificate.parameter("b", None, [2]))
    certificate.add(node("affine", [4, 5, 6], over="all", bias=True), node("map", [7], activation="tanh(t)"))
    certificate.add(node("affine", [2, 5, 6], over="all", bias=True), node("map", [9], activation="sin(t)"))
    certificate.add(node("concatenate", [8, 10], axis=0))
    dense(certificate, 11, 3, 4)
    certificate.claim("A.data", units=entries((15, [0, 1, 2])))
    return certificate


@accepted("A.data: a padded filter with one bias under a mean: the padding's 0 is a 0 of the samples")
def given_data_beside_padding() -> Certificate:
    """Patches 01 12 20 and 02 21 10 of (1, 2) and (2, 1)."""
    certificate = Certificate()
    certificate.data([[1, 2], [2, 1]])
    certificate.network([1, 2], [], 2)
    certificate.add(certificate.constant("shift", [1]))
    filters(certificate, 0, [1, 1, 2], [1], padding=1)
    certificate.add(node("pool", [5], how="mean", **window(3)))
    dense(certificate, 6, 2, 1)
    certificate.claim("A.data", units=entries((10, [0, 1])))
    return certificate


@accepted("A.data: a filter of one place with one bias, behind a shift that is the same at both places, under a mean")
def given_data_behind_a_shift() -> Certificate:
    """(1, 1) and (2, 0) plus (1, 1): the numbers 2 2 and 3 1."""
    certificate = Certificate()
    certificate.data([[1, 1], [2, 0]])
    certificate.network([1, 2], [], 2)
    certificate.add(certificate.constant("shift", [1, 1]), node("add", [0, 1]))
    filters(certificate, 2, [1, 1, 1], [1])
    certificate.add(node("pool", [6], how="mean", **window(2)))
    dense(certificate, 7, 2, 1)
    certificate.claim("A.data", units=entries((11, [0, 1])))
    return certificate


def samples(*rows: list[int]) -> Any:
    """Return the change to other samples."""
    return lambda certificate, document: document["data"].update(inputs=certificate.exact(list(rows)))


reject = rejections("given-data")
reject(
    "a-data-of-equal-multisets",
    "A.data.apart: (0, 1, 0, 0) and (1, 0, 0, 1) have the patches 00 01 10: their means are equal at every U",
    samples([0, 1, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0]),
)
reject("a-data-of-equal-samples", "A.data.apart: the first two", samples([0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0]))
reject("a-data-of-means-of-squares", "A.data.apart: degree 2 <= 2 n - 2 = 4", nodes(4, "activation", to="t**2"))
reject("a-data-of-kinks", "A.data.analytic: ReLU", nodes(9, "activation", to="Max(0, t)"))
reject("a-data-of-lines", "A.data.polynomial: degree 1 = N - 2", nodes(9, "activation", to="t"))
reject("a-data-of-two-units", "A.data.units: three samples need three", claim("units", to=entries((9, [0, 1]))))
reject("a-data-of-hidden-units", "A.data.units: no columns", claim("units", to=entries((4, [0]), (9, [0, 1]))))
reject("a-data-of-no-units", "A.data.layer: a mean", claim("units", to=entries((5, [0]), (9, [0, 1]))))
reject("a-data-twice", "A.data.units: the same units twice", claim("units", to=entries((9, [0, 1]), (9, [0, 1]))))
reject("a-data-of-a-unit-twice", "A.data.units: not increasing", claim("units", to=entries((9, [0, 0, 1]))))
reject(
    "a-data-of-frozen-filters",
    "A.data.apart: a filter 0 tells nothing apart",
    lambda c, d: c.nodes.__setitem__(1, c.constant("frozen", [[[0, 0]], [[0, 0]]])),
)
reject(
    "a-data-of-frozen-units",
    "A.data.layer: frozen weights",
    lambda c, d: c.nodes.__setitem__(6, c.constant("frozen", [[0, 0]] * 3)),
)
reject(
    "a-data-of-weights-used-twice",
    "A.data.layer: another node reads the weights",
    lambda c, d: c.add(node("scale", [6], factor=["2", "1"])),
)
reject("a-data-of-constant-filters", "A.data.apart: constant units", nodes(4, "activation", to="0*t + 1"))
reject(
    "a-data-beside-missing-arcs",
    "data.arcs: V is not free along all arcs",
    lambda c, d: d["data"].update(arcs=c.tensor([1, 0, 1, 1, 1, 1])),
)
reject("a-data-without-samples", "data.inputs: which samples?", lambda c, d: d["data"].update(inputs=None))
reject(
    "a-data-of-no-node",
    "A.data.layer: there are ten nodes",
    claim("units", to=entries((9, [0, 1]), (10, [2]))),
)
reject(
    "a-data-of-units-of-numbers",
    "A.data.layer: units that read no sample",
    lambda c, d: c.nodes.__setitem__(5, c.constant("numbers", [[1], [2]])),
)
reject(
    "a-data-of-a-unit-that-is-not-shown",
    "A.data.units: the last unit is no column",
    lambda c, d: (
        d["network"]["features"][0].update(entries=[0, 1]),
        d["network"]["features"].append({"node": 0, "entries": [0]}),
    ),
)
reject(
    "a-data-of-a-mean-of-two-filters",
    "A.data.apart: no rule",
    lambda c, d: (
        c.nodes.__setitem__(5, node("reduce", [4], how="mean", axes=2)),
        c.nodes[6].update(shape=[3, 1]),
    ),
)
reject(
    "a-data-of-weights-that-are-biases",
    "A.data.apart: cos(w x + w) is the same at 0 and -2, at every w",
    lambda c, d: (
        d["data"].update(samples=2, total=2, dimension=1, inputs=c.exact([[0], [-2]])),
        c.network([1], [], 2),
        c.add(c.parameter("w", None, [1]), node("affine", [0, 1, 1], over="all", bias=True)),
        c.add(node("map", [2], activation="cos(t)")),
        dense(c, 3, 2, 1),
        d["claims"][0].update(units=entries((7, [0, 1]))),
    ),
)
reject = rejections("given-data-beside-padding")
reject("a-data-of-the-padding", "A.data.apart: patches 00 01 10 and 01 10 00", samples([0, 1], [1, 0]))
reject(
    "a-data-of-a-shift-beside-padding",
    "A.data.apart: less 1, (1, 2) and (2, 1) are (0, 1) and (1, 0): the padding's 0 is not theirs",
    lambda c, d: (
        c.nodes.__setitem__(1, c.constant("shift", [-1])),
        c.nodes.__setitem__(4, node("affine", [6, 2, 3], over=c.nodes[4]["over"], bias=True)),
        c.nodes.insert(4, node("add", [0, 1])),
        [entry.update(reads=[read + (read >= 4) for read in entry["reads"]]) for entry in c.nodes[6:]],
        c.nodes[5].update(reads=[4, 2, 3]),
        d["network"]["features"][0].update(node=11),
        d["claims"][0].update(units=entries((11, [0, 1]))),
    ),
)
rejections("given-data-behind-a-shift")(
    "a-data-behind-shifts-of-places",
    "A.data.apart: plus (0, 1) these are 1 2 and 2 1, so that the means are equal at every U",
    lambda c, d: c.nodes.__setitem__(1, c.constant("shift", [0, 1])),
)
reject = rejections("given-data-of-filters")
reject("a-data-of-one-filter", "A.data.units: positions of one filter", claim("units", to=entries((4, [0, 1]))))
reject(
    "a-data-of-a-blind-position",
    "A.data.apart: at position 0 both samples are 1",
    samples([1, 1], [1, 0]),
)
reject = rejections("given-data-of-own-biases")
reject("a-data-of-sums", "A.data.apart: 0 + 1 = 1 + 0, a sum of lines", nodes(4, "activation", to="t"))
reject(
    "a-data-of-one-bias",
    "A.data.apart: with one bias the mean of (0, 1) is that of (1, 0)",
    nodes(2, "shape", to=[1]),
)
reject = rejections("given-data-of-two-stages")
reject(
    "a-data-of-means-of-means",
    "A.data.apart: a mean of means of units: no rule",
    lambda c, d: (
        c.nodes[11].update(reads=[6]),
        c.nodes[13].update(shape=[2, 1]),
        d["network"].update(columns=2),
        d["claims"][0].update(units=entries((16, [0, 1]))),
    ),
)
reject = rejections("given-data-of-shared-weights")
reject(
    "a-data-of-a-lost-coordinate",
    "A.data.apart: x2 times 0",
    samples([0, 5], [0, 6], [2, 5]),
)
reject(
    "a-data-of-weights-of-an-ancestor",
    "A.data.apart: the second layer has the weights of the first, which it reads",
    lambda c, d: (
        c.nodes[9].update(reads=[8, 5, 6]),
        c.nodes[11].update(reads=[10]),
        c.nodes[12].update(shape=[3, 2]),
    ),
)
