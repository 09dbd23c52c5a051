"""E1, E3, Z2, B1, R5 of networks that are not layers: true claims are accepted, spoilt ones rejected by their rule."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from checker_graph import document_of, exact, point_of
from checker_writer import Builder, dyadic
from checking import check, rejected

from verifier.network.blocks import Add, LayerNorm, MaxPool, Reshape
from verifier.network.builder import Builder as Graph
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.network.nodes import Add as Sum
from verifier.network.nodes import Multiply, Normalise
from verifier.network.nodes import Reshape as Shaped

X = np.array([[0.5, -1.0], [1.0, 0.25], [-0.75, 0.5]])
Y = [0, 1, 0]
BLOCKS = [Dense(3, "tanh"), Dense(3, "tanh"), Add(inputs=(0, 1)), LayerNorm(), Dense(12, "tanh", skip=True)]


def residual(output_bias=False):
    return Network(2, BLOCKS, output_bias=output_bias)


def below(number):
    return dyadic(F(math.floor(number * 2**30), 2**30))


def above(number):
    return dyadic(F(math.ceil(number * 2**30), 2**30))


def margins(psi, v):
    logits = psi @ v
    return np.array([row[y] - row[1 - y] for row, y in zip(logits, Y, strict=True)])


class Case:
    """A network, a start, a small move of U, output weights that separate the samples at its end."""

    def __init__(self, network, step=2.0**-8, seed=3):
        self.network, self.u = network, initialise(network, seed=seed)
        rng = np.random.default_rng(seed)
        self.end = self.u + step * rng.standard_normal(len(self.u))
        self.psi, self.last = (approx_features(network, u, X) for u in (self.u, self.end))
        self.v = rng.standard_normal((network.columns, 2))
        self.v1 = np.linalg.pinv(self.last) @ np.array([[1.0, -1.0] if y == 0 else [-1.0, 1.0] for y in Y])
        self.builder = Builder()

    def document(self, claims):
        data = self.builder.data(X.tolist(), Y, 2)
        found = self.builder.document(data, [2], [self.builder.dense([[1, 1]], [0])], 1, claims)
        found["network"] = document_of(self.builder, self.network, self.u)
        used = str(found)
        self.builder.tensors = {name: kept for name, kept in self.builder.tensors.items() if f"'{name}'" in used}
        return found

    def path(self, label, moved_weights, end=None):
        """A claim E1 or E3; the tail is that of P1 from where the piece ends."""
        start = np.log1p(np.exp(-margins(self.psi, self.v))).mean()
        m0, m1 = margins(self.last, moved_weights), margins(self.last, self.v1)
        gamma = 0.99 * m1.min()
        kappa = max(1.0, 1.1 * (m0 / m1).max())
        reached = max(kappa, math.log(1 / (2 ** (1 / 4) - 1)) / gamma) + 1  # log(1 + e^(-t gamma)) < log(2) / 3
        b = self.builder
        claim = {"label": label, "precision": 100, "start_weights": exact(b, self.v), "end_weights": exact(b, self.v1)}
        claim |= {"gamma": below(gamma), "kappa": above(kappa), "zero_error_t": above(reached), "targets": []}
        claim |= {"start_loss": {"lower": below(start - 1e-6), "upper": above(start + 1e-6)}, "pieces": 2}
        return claim | {"moved": point_of(b, self.network, self.end if end is None else end)}

    def descent(self, share=0.02, end=None):
        towards = self.v + share * (self.v1 - self.v)
        return self.path("E1", towards, end) | {"moved_weights": exact(self.builder, towards)}

    def low(self, epsilon=0.5):
        return self.path("E3", self.v) | {"epsilon": dyadic(F(epsilon))}

    def rank(self):
        inverse = np.round(np.linalg.pinv(self.psi) * 2**40) / 2**40
        sigma = 0.9 / np.linalg.norm(inverse, 2)
        exactly = [[F(entry) for entry in row] for row in inverse.tolist()]
        return self.builder.right_inverse(
            exactly, rank=3, feature_bits=40, products=3, alpha=F(1, 2**20), sigma=F(math.floor(sigma * 2**20), 2**20)
        )

    def zero_error(self, radius):
        v = np.linalg.pinv(self.psi) @ np.array([[1.0, -1.0] if y == 0 else [-1.0, 1.0] for y in Y])
        gamma = below(0.99 * margins(self.psi, v).min())
        weights = exact(self.builder, v)
        return {"label": "Z2", "precision": 64, "output_weights": weights, "gamma": gamma, "radius": dyadic(radius)}


def accepted(outcome):
    assert outcome.verdict == "ACCEPTED", (outcome.rejection.rule, outcome.rejection.message)


@pytest.mark.parametrize("output_bias", [False, True])
def test_motions_are_accepted(output_bias, tmp_path):
    case = Case(residual(output_bias))
    accepted(check(tmp_path, case.builder, case.document([case.descent()])))
    case = Case(residual(output_bias))
    accepted(check(tmp_path, case.builder, case.document([case.low()])))


def spoilt(case, claim, change):
    """Change the claim in place; return the document."""
    change(case, claim)
    return case.document([claim])


def test_a_rising_loss_is_rejected(tmp_path):
    """V moves away from the weights that separate."""
    case = Case(residual())
    rejected(check(tmp_path, case.builder, case.document([case.descent(share=-0.02)])), "E1.descent")


def test_a_low_bound_is_rejected(tmp_path):
    """The loss rises by more than 2^-40 while U moves, or falls: then it is the start's bound that fails."""
    case = Case(residual(), step=0.05)
    claim = case.low(F(1, 2**40))
    claim["start_loss"]["lower"] = dyadic(F(1, 1024))
    rejected(check(tmp_path, case.builder, case.document([claim])), "E3.sublevel")


def test_other_nodes_do_not_move(tmp_path):
    """Only parameters are listed, once each, in their shape."""
    for change, rule in (
        (lambda claim: claim["moved"][0].update(node=0), "network.parameter"),
        (lambda claim: claim["moved"].append(claim["moved"][0]), "network.parameter"),
        (lambda claim: claim["moved"][0].update(node=10**4), "network.parameter"),
        (lambda claim: claim["moved"][0].update(values=claim["moved"][1]["values"]), "shape"),
    ):
        case = Case(residual())
        claim = case.descent()
        change(claim)
        rejected(check(tmp_path, case.builder, case.document([claim])), rule)


def test_no_layers_no_lift(tmp_path):
    """E2 is about layers: elsewhere it does not apply."""
    case = Case(residual())
    claim = case.path("E2", case.v)
    del claim["pieces"]
    claim["rerouted"] = None
    rejected(check(tmp_path, case.builder, case.document([claim])), "network.layered")


def pooled():
    """Maxima over pairs of units."""
    return Network(2, [Dense(6, "tanh"), Reshape((1, 6)), MaxPool((2,), (2,)), Dense(4, "tanh", skip=True)])


def test_maxima_are_attained_by_one_entry_or_rejected(tmp_path):
    case = Case(pooled(), step=2.0**-12)
    accepted(check(tmp_path, case.builder, case.document([case.descent()])))
    case = Case(pooled(), step=2.0**-12)
    for u in (case.u, case.end):
        weight, bias = case.network.views(u)["layer0.weight"], case.network.views(u)["layer0.bias"]
        weight[1], bias[1] = weight[0], bias[0]
    case.network.views(case.end)["layer0.bias"][1] += 2.0**-10  # equal at the start, and apart from then on
    case.psi, case.last = (approx_features(case.network, u, X) for u in (case.u, case.end))
    case.v1 = np.linalg.pinv(case.last) @ np.array([[1.0, -1.0] if y == 0 else [-1.0, 1.0] for y in Y])
    rejected(check(tmp_path, case.builder, case.document([case.descent()])), "features.finite")


# --- boxes ---


@pytest.mark.parametrize("make", [residual, pooled])
def test_boxes(make, tmp_path):
    case = Case(make())
    accepted(
        check(tmp_path, case.builder, case.document([case.rank(), {"label": "B1", "radius": dyadic(F(1, 2**16))}]))
    )
    case = Case(make())
    found = check(tmp_path, case.builder, case.document([case.rank(), {"label": "B1", "radius": dyadic(F(1, 4))}]))
    rejected(found, "B1.change", "/claims/1/radius")
    case = Case(make())
    accepted(check(tmp_path, case.builder, case.document([case.zero_error(F(1, 2**12))])))
    case = Case(make())
    rejected(check(tmp_path, case.builder, case.document([case.zero_error(F(1, 4))])), "Z2.change")


# --- the structural relation of a final layer normalisation ---


def normalised(*, shift, output_bias, taken=None, epsilon=F(1, 1000), centre=True):
    """Normalisation over 3 channels at 2 positions, gain and perhaps shift: 6 columns, and perhaps an output bias."""
    build = Graph((2,))
    x = build.map(build.affine([0], 6, "a"), Dense(1, "tanh").activation)
    y = build.add(Normalise((build.add(Shaped((x,), (2, 3))),), epsilon, centre))
    y = build.add(Multiply((y, build.parameter("gain", (3,)))))
    if shift:
        y = build.add(Sum((y, build.parameter("shift", (3,)))))
    build.feature(y, taken)
    if output_bias:
        build.feature(build.constant([1.0], "output bias"))
    return Network.of(build.nodes, build.features)


SAMPLES = np.array([[i / 4, (i * i % 7) / 8] for i in range(9)])


def claimed(tmp_path, network, rank, reason="every-u"):
    builder, u = Builder(), initialise(network, seed=1)
    found = builder.document(builder.data(SAMPLES.tolist()), [2], [builder.dense([[1, 1]], [0])], 1, [])
    found["claims"] = [{"label": "R5", "reason": reason, "rank_at_most": rank}]
    found["network"] = document_of(builder, network, u)
    used = str(found)
    builder.tensors = {name: kept for name, kept in builder.tensors.items() if f"'{name}'" in used}
    return check(tmp_path, builder, found)


@pytest.mark.parametrize("reason", ["every-u", "dependent-units"])
@pytest.mark.parametrize(
    ("form", "rank"),
    [
        ({"shift": True, "output_bias": True}, 5),  # M - T of 7 columns
        ({"shift": True, "output_bias": False}, 5),  # M - T + 1 of 6: the constant is in the span
        ({"shift": False, "output_bias": False}, 4),  # M - T
        ({"shift": False, "output_bias": True}, 5),
        (
            {"shift": True, "output_bias": True, "taken": (0, 1, 2, 4, 5)},
            5,
        ),  # one position whole, one not
    ],
)
def test_final_normalisation(form, rank, reason, tmp_path):
    """The bound is accepted, one less is not; and at random gains and shifts it is the rank."""
    network = normalised(**form)
    accepted(claimed(tmp_path, network, rank, reason))
    rejected(claimed(tmp_path, network, rank - 1, reason), "R5.bound")
    u = np.random.default_rng(0).standard_normal(network.parameter_count)
    values = np.linalg.svd(approx_features(network, u, SAMPLES), compute_uv=False)
    assert (values > 1e-9).sum() == rank


def test_no_relation_without_the_mean(tmp_path):
    rejected(claimed(tmp_path, normalised(shift=True, output_bias=True, centre=False), 5), "R5.bound")
    rejected(claimed(tmp_path, normalised(shift=True, output_bias=True, epsilon=F(0)), 5), "R5.total")
