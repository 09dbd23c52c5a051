"""Two networks joined by a certified path: true along the whole of it, resumable, refused where it is not about one."""

import io
import itertools
import json
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from planted_problems import checked

import verifier as vf
from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import enclose_margins
from verifier.connect import does_not_apply
from verifier.landscape.leg_march import FIRST_STEP
from verifier.landscape.legs import between
from verifier.landscape.polygon_search import simplest_between
from verifier.network.forward import approx_features

RNG = np.random.default_rng(3)
X = RNG.standard_normal((6, 2))
Y = np.array([0, 1, 2, 1, 0, 2])
XOR, CLASSES = np.array([[1.0, 1], [-1, -1], [1, -1], [-1, 1]]), np.array([0, 0, 1, 1])
WIDE = vf.Network(2, vf.Dense(9, "tanh", skip=True))
FIRST = vf.initialise(WIDE, seed=1)
NEAR = (FIRST, FIRST + 0.25 * (vf.initialise(WIDE, seed=2) - FIRST))
"""Two U that a leg of few pieces joins."""


def problem(network, seed=0, inputs=X, labels=Y, **given):
    data = vf.dataset_from_arrays(inputs, labels)
    u = given.pop("u", None)
    v = given.pop("v", None)
    u = vf.initialise(network, seed=seed) if u is None else u
    v = vf.output_weights(network, data.classes, seed=seed) if v is None else v
    return vf.Problem(data, network, u, v, **given)


def pair(labels=Y, **given):
    return [problem(WIDE, labels=labels, u=u, **given) for u in NEAR]


def loss_at(problem, u, v):
    """The cross-entropy in floating point, by its definition."""
    rows = problem.rows
    logits = approx_features(problem.network, u, rows.inputs) @ v
    top = logits.max(axis=1)
    own = logits[np.arange(len(top)), rows.labels]
    return float(rows.multiplicities @ (np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top - own)) / rows.total


def require_path(found):
    """See a path for oneself: pieces in order, margins at exact times, the loss along the polygon in (U, V)."""
    a, b = found.a, found.b
    assert found.proved
    assert np.array_equal(found.corners[0], a.u)
    assert np.array_equal(found.corners[-1], b.u)
    times = [(p.leg, p.start, p.end) for p in found.pieces]
    for leg in range(found.legs):
        own = [time for time in times if time[0] == leg]
        assert own[0][1] == 0
        assert own[-1][2] == 1
        assert all(before[2] == after[1] for before, after in itertools.pairwise(own))
    assert times == sorted(times)
    gamma = None if found.gamma is None else found.gamma.arb()
    for piece in found.pieces:
        for t in (piece.end,):
            u = between(found.corners[piece.leg], found.corners[piece.leg + 1], t)
            features = FeatureEnclosure(a.network, u, a.rows.inputs, FIRST_BITS)
            v = ExactArray.of_floats(found.weights[piece.weights])
            (margins,) = enclose_margins(features, [v], a.rows.labels)
            assert not margins.smallest_lo() < gamma * (1 - 1e-9)  # U(t) is rounded here
    most = max(loss_at(a, a.u, a.v), loss_at(b, b.u, b.v)) * (1 + 1e-9)
    polygon = found.polygon()
    assert np.array_equal(polygon[0][1], a.v)
    assert np.array_equal(polygon[-1][1], b.v)
    ends = [loss_at(a, u, v) for u, v in (polygon[0], polygon[-1])]
    if found.pieces:  # P1 at both ends
        assert loss_at(a, polygon[0][0], (polygon[0][1] + polygon[1][1]) / 2) < ends[0]
        assert loss_at(a, polygon[-1][0], (polygon[-1][1] + polygon[-2][1]) / 2) < ends[1]
    for (u0, v0), (u1, v1) in itertools.pairwise(polygon):
        assert np.array_equal(u0, u1) or np.array_equal(v0, v1)
        for s in np.linspace(0, 1, 4):
            assert loss_at(a, (1 - s) * u0 + s * u1, (1 - s) * v0 + s * v1) <= most


@cache
def joined(name):
    """Paths that more than one test looks at."""
    a, b = pair()
    rng = np.random.default_rng(4)
    arcs, one_logit = rng.random((9, 3)) < 0.8, rng.standard_normal((9, 2)) * [0.0, 1.0]
    arcs[0] = True
    more, labels = np.vstack([X, X[:1], X[:1]]), np.r_[Y, Y[:1], Y[:1]]
    ends = {
        "two": (a, b),
        "one U": (a, problem(WIDE, u=a.u, v=-a.v)),
        "large losses": tuple(problem(WIDE, u=end.u, v=300 * end.v) for end in (a, b)),
        "arcs": pair(v=arcs * 1.0, arcs=arcs),
        "one logit": pair(labels=Y % 2, v=one_logit),
        "grouped": pair(labels, inputs=more),
        "kept": pair(labels, inputs=more, duplicates="keep"),
    }
    return vf.connect(*ends[name])


@pytest.mark.parametrize("engine", ["binary64", "arb"])
def test_two_networks(engine):
    found = vf.connect(*pair(), engine=engine, epsilon="1e-9", line=engine == "arb")
    require_path(found)
    assert found.kinds == ("A", "B")
    level = np.log1p(2 * np.exp(-float(found.kappa) * float(found.gamma)))
    assert level <= 1e-9
    with pytest.raises(vf.InputError, match="positive"):
        found.kappa_for("0")
    assert float(found.kappa_for("1e-40")) > float(found.kappa)
    assert (found.line is not None) == (engine == "arb")


def test_while_u_moves_the_loss_is_below_that_of_both_ends():
    """Also where that of A is far smaller than that of B: A fits, B has V = 0."""
    first, last = pair()
    fitted = vf.connect(first, last).weights[0]
    found = vf.connect(
        vf.Problem(first.data, WIDE, first.u, 2 * fitted / np.abs(fitted).max()),
        vf.Problem(last.data, WIDE, last.u, 0 * last.v),
    )
    level = np.log1p(2 * np.exp(-float(found.kappa) * float(found.gamma)))
    assert level < float(found.start_loss[0]) < 0.3 < 1 < float(found.end_loss[0])


def test_fewer_units_than_samples_with_an_output_bias_and_kinks():
    network = vf.Network(2, [vf.Dense(4, "relu"), vf.Dense(4, "relu", skip=True)], output_bias=True)
    labels = (X[:, 0] > 0).astype(int)
    found = vf.connect(*(problem(network, seed, labels=labels) for seed in (8, 9)))
    if found.proved:
        require_path(found)
    assert found.proved, found.reason


def test_opposite_networks_go_round_the_point_where_all_features_vanish():
    network, few = vf.Network(2, vf.Dense(30, "tanh", skip=True)), {"inputs": X[:4], "labels": Y[:4]}
    a = problem(network, 1, **few)
    found = vf.connect(a, problem(network, u=-a.u, **few))
    require_path(found)
    assert found.kinds == ("A", "random", "B")


def test_a_leg_that_cannot_work_says_so_with_the_proof():
    network = vf.Network(2, vf.Dense(2, "tanh", skip=True), output_bias=True)
    good = np.array([1.0, 1.0, 1.0, 1.0, -1.0, 1.0])  # tanh(x + y - 1) - tanh(x + y + 1) is even in x + y
    a = problem(network, inputs=XOR, labels=CLASSES, u=good)
    b = problem(network, inputs=XOR, labels=CLASSES, u=np.zeros(6))
    found = vf.connect(a, b)
    assert found.verdict is vf.Verdict.UNDECIDED
    assert found.reason.startswith("at B no V classifies all samples at this U")
    with pytest.raises(vf.VerifierError, match="nothing was proved"):
        found.write("never.json")
    with pytest.raises(vf.InputError, match="no path is certified"):
        found.polygon()


def test_where_the_straight_leg_stops_trained_corners_lead_round():
    network = vf.Network(2, vf.Dense(3, "tanh", skip=True), output_bias=True)
    ends = (vf.initialise(network, seed=seed, scale=2.0) for seed in (16, 17))
    found = vf.connect(*(problem(network, inputs=XOR, labels=CLASSES, u=u) for u in ends))
    require_path(found)
    assert set(found.kinds) == {"A", "trained", "B"}


def test_one_u_is_joined_by_convexity():
    found = joined("one U")
    require_path(found)
    assert (len(found.corners), found.pieces, found.kappa) == (1, (), None)
    with pytest.raises(vf.InputError, match="no pieces"):
        found.kappa_for("1e-3")


def test_arcs_and_one_logit_stay():
    found = joined("arcs")
    require_path(found)
    assert not any(weights[~found.a.arcs].any() for weights in found.weights)
    found = joined("one logit")
    require_path(found)
    assert not any(weights[:, 0].any() for weights in found.weights)


def test_equal_samples_count_as_often_as_they_occur():
    for duplicates in ("grouped", "kept"):
        require_path(joined(duplicates))


def test_what_it_says_nothing_about():
    conflicting = problem(WIDE, inputs=np.vstack([X, X[:1]]), labels=np.r_[Y, [2]])
    assert "equal samples" in does_not_apply(conflicting)
    assert "frozen logits" in vf.connect(*map(shifted, pair())).reason
    real = vf.dataset_from_arrays(X, X[:, 0], regression=True)
    regression = vf.Problem(real, WIDE, vf.initialise(WIDE), np.ones((9, 1)))
    found = vf.connect(regression, regression, line=True)
    assert found.reason.startswith("does not apply: a regression")
    assert found.line is None


def shifted(one):
    data = vf.Dataset("shifted", one.data.inputs, one.data.labels, 3, offset=np.ones((6, 3)))
    return vf.Problem(data, one.network, one.u, one.v)


def test_two_that_differ_in_more_than_weights_are_refused():
    a = problem(WIDE, 1)
    arcs = np.ones((9, 3), dtype=bool)
    arcs[4, 2] = False
    others = {
        "node 4 .* activation": problem(vf.Network(2, vf.Dense(9, "relu", skip=True))),
        "node 1 .* shape": problem(vf.Network(2, vf.Dense(8, "tanh", skip=True))),
        "5 nodes, B 6": problem(vf.Network(2, vf.Dense(9, "tanh", skip=True), output_bias=True)),
        "sample 2 differs in its numbers": problem(WIDE, inputs=X + np.eye(6, 2, -2)),
        "sample 5 differs in its label": problem(WIDE, labels=np.r_[Y[:5], [0]]),
        "5 distinct samples": problem(WIDE, inputs=X[:5], labels=Y[:5]),
        "how often": problem(WIDE, inputs=np.vstack([X, X[1:2]]), labels=np.r_[Y, [1]]),
        "duplicates": problem(WIDE, duplicates="keep"),
        "frozen logits": shifted(a),
        "arc from column 4": problem(WIDE, v=arcs * 1.0, arcs=arcs),
    }
    for words, other in others.items():
        with pytest.raises(vf.InputError, match=words):
            vf.connect(a, other)
    doubled = [problem(WIDE, inputs=np.vstack([X, X, X]), labels=np.r_[Y, Y, labels]) for labels in (2 - Y, 1 - Y % 2)]
    with pytest.raises(vf.InputError, match="sample 0 differs in how often it has each label"):
        vf.connect(*doubled, line=True)
    with pytest.raises(vf.InputError, match="no weights"):
        vf.connect(WIDE, a)
    with pytest.raises(vf.InputError, match="leave X and y out"):
        vf.connect(a, a, X=X)
    with pytest.raises(vf.InputError, match="epsilon"):
        vf.connect(a, a, epsilon="-1")


@pytest.mark.parametrize("name", ["two", "one U", "large losses", "arcs", "one logit", "kept"])
def test_the_checker_accepts_what_is_proved(name):
    """Among them a kappa that P1 decides, not the level: the losses of the ends are large."""
    found = joined(name)
    assert found.proved, found.reason
    said = checked(found.builder)
    assert said.verdict == "ACCEPTED", said.rejection


class Stop(Exception):
    """What interrupts a search."""


def test_an_interrupted_search_goes_on(tmp_path):
    a, b = pair()
    file = tmp_path / "found.npz"

    def interrupt(words, at="2 pieces"):
        if at in words:
            raise Stop
        return lambda fraction: None

    with pytest.raises(Stop):
        vf.connect(a, b, resume=file, stage=interrupt)
    with pytest.raises(Stop):  # sooner than before: nothing is lost
        vf.connect(a, b, resume=file, stage=lambda words: interrupt(words, "1 piece,"))
    with np.load(file) as content:
        assert len(json.loads(str(content["head"]))["legs"][0]["pieces"]) == 2
    again = vf.connect(a, b, resume=file)
    whole = joined("two")
    require_path(again)
    assert again.pieces[:2] == whole.pieces[:2]
    with pytest.raises(vf.InputError, match="other networks"):
        vf.connect(a, problem(WIDE, 3), resume=file)
    with np.load(file) as content:
        arrays, head = dict(content), json.loads(str(content["head"]))
    broken = [b"", b"nothing"]
    for time in ("1/3", f"1/{2**400}", "1e-9", "2", "-1", 0.5, float("inf")):
        head["legs"][0]["pieces"][0][1] = time
        buffer = io.BytesIO()
        np.savez(buffer, **arrays | {"head": np.array(json.dumps(head))})
        broken.append(buffer.getvalue())
    for content in broken:
        file.write_bytes(content)
        with pytest.raises(vf.InputError, match="not a file that connect wrote"):
            vf.connect(a, b, resume=file)


def test_a_file_is_never_trusted(tmp_path):
    file, arcs = tmp_path / "found.npz", np.ones((9, 3), dtype=bool)
    arcs[8, 1] = False
    a, b = pair(v=arcs * 1.0, arcs=arcs)
    vf.connect(a, b, resume=file)
    with np.load(file) as content:
        arrays = dict(content)
    for wrong in (lambda value: -value, lambda value: value + 2.0**-20 * ~arcs):
        np.savez(file, **{key: value if key == "head" else wrong(value) for key, value in arrays.items()})
        found = vf.connect(a, b, resume=file)
        require_path(found)
        assert not any(weights[~arcs].any() for weights in found.weights)


def test_permuted_units_are_another_point_and_it_says_so():
    a, b = pair()
    order = RNG.permutation(9)
    views = WIDE.views(b.u.copy())
    moved = b.u.copy()
    for name, part in WIDE.views(moved).items():
        part[...] = views[name][order]
    other = problem(WIDE, u=moved, v=b.v[order])
    found = vf.connect(a, other, permute=True)
    require_path(found)
    assert np.array_equal(found.b.u, b.u)
    assert np.array_equal(found.b.v, b.v)
    assert "another point than B" in found.reason
    same = vf.connect(a, a, permute=True)
    assert not same.permuted
    assert "leaves all units of B where they are" in same.reason


def test_trained_models():
    neural = pytest.importorskip("sklearn.neural_network")
    labels = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    models = [neural.MLPClassifier((8,), "tanh", random_state=seed) for seed in (1, 2)]
    for model in models:
        model.partial_fit(X, labels, classes=["no", "yes"])
    found = vf.connect(*models, X=X, y=labels)
    require_path(found)
    with pytest.raises(vf.InputError, match="X: missing"):
        vf.connect(*models)


def test_the_simplest_time_between_two():
    assert simplest_between(Fraction(3, 7), Fraction(4, 7)) == Fraction(1, 2)
    assert simplest_between(Fraction(0), FIRST_STEP) == 0
    assert simplest_between(Fraction(5, 16), Fraction(3, 8)) == Fraction(3, 8)
    with pytest.raises(ValueError, match="no number"):
        simplest_between(Fraction(1), Fraction(0))
