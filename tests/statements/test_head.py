"""An output bias is one more column of Psi: every statement for [Psi | 1], against exact or high-precision truth."""

import mpmath
import numpy as np
import pytest
from landscape.starts import problem_of
from oracle_graph import psi_oracle

import verifier as vf
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.checker.certificate import check_file
from verifier.landscape.escape_constant import constant_loss_motions
from verifier.network.initialise import initialise
from verifier.network.network import Network
from verifier.rank.dead import dead_open_set
from verifier.rank.deficiency import structural_bound_every_u, structural_deficiency
from verifier.statements.assumption import check_assumption

Dense = vf.Dense
X = np.array([[0.0, 1.0], [1.0, -0.5], [2.0, 0.25], [-1.0, 3.0]])


def head(units=4, sigma="tanh", **more):
    return Network(2, [Dense(units, sigma, skip=True)], output_bias=True, **more)


def proved(network, u, v=None, labels=(0, 1, 1, 0), x=X, **more):
    data = vf.dataset_from_arrays(x, list(labels), classes=2)
    v = vf.output_weights(network, 2) if v is None else v
    options = vf.Options(engine="arb")
    report = vf.prove(vf.Problem(data, network, u, v, **more), options)
    return report, {step.label: str(step.verdict) if step.applies else "-" for step in report.theorem.steps}


def rank(psi):
    with mpmath.workdps(60):
        values = mpmath.svd_r(mpmath.matrix(psi), compute_uv=False)
        return sum(bool(s > 1e-30) for s in values)


def test_one_unit_less_than_samples():
    network = head(3)
    u = initialise(network, seed=0)
    assert rank(psi_oracle(network, u, X)) == 4
    report, found = proved(network, u)
    assert report.rank.proved
    assert (found["W1"], found["W0"], found["T3.4(2)"], found["E4"]) == ("-", "PROVED", "PROVED", "-")
    assert (found["C1"], found["T3.4(1)"], found["path"]) == ("PROVED",) * 3


def test_two_units_less_are_too_few():
    report, found = proved(head(2), initialise(head(2), seed=0))
    assert (report.rank.label, found["L3.2 construction"]) == ("R5", "REFUTED")


def test_the_bias_alone_classifies_one_class():
    network = head()
    report, found = proved(network, np.zeros(network.parameter_count), labels=(1, 1, 1, 1))
    assert report.zero_loss.proved
    assert found["path"] == "PROVED"


def test_the_bias_alone_does_not_tell_classes_apart():
    network = head()
    report, _ = proved(network, np.zeros(network.parameter_count))
    assert report.zero_loss.verdict is vf.Verdict.REFUTED
    assert "features of sample 0 are 0" not in report.zero_loss.reason  # one of them is 1


def test_no_maximum_where_all_features_vanish():
    network = head()
    _, found = proved(network, np.zeros(network.parameter_count))
    assert (found["C3"], found["T3.4(4)"]) == ("PROVED", "PROVED")
    plain = Network(2, [Dense(4, "tanh", skip=True)])
    _, without = proved(plain, np.zeros(plain.parameter_count))
    assert (without["C3"], without["C4"], without["T3.4(4)"]) == ("UNDECIDED", "PROVED", "PROVED")
    kinked = Network(2, [Dense(4, "relu", skip=True)])
    _, without = proved(kinked, np.zeros(kinked.parameter_count))
    assert (without["C4"], without["T3.4(4)"]) == ("-", "UNDECIDED")


def test_the_bias_carries_what_constant_units_carried():
    network = head(5)
    u = np.zeros(network.parameter_count)
    u[10:] = [0.5, 0.25, -1.0, 0.0, 2.0]
    v = np.round(np.random.default_rng(0).standard_normal((6, 2)) * 8) / 8
    found = vf.prove_escape(network, u, v, X, [0, 1, 1, 0], [1, 1, 1, 1], order=["E2"])
    assert found.proved, found.reason
    row = next(block for _, block in FeatureEnclosure(network, u, X[:1], 192).blocks()).tolist()[0]
    motion = constant_loss_motions(network, u, v, X, row)[0]
    assert motion.moved_units == 5
    with mpmath.workdps(60):
        before = mpmath.matrix(psi_oracle(network, u, X)) * mpmath.matrix(v.tolist())
        weights = [[mpmath.mpf(int(a)) for a in r] for r in motion.weights.fmpz_mat()[0].tolist()]
        weights = mpmath.matrix(weights) * mpmath.mpf(2) ** motion.weights.fmpz_mat()[1]
        after = mpmath.matrix(psi_oracle(network, motion.end, X)) * weights
        for i in range(4):
            gap = (before[i, 0] - before[i, 1]) - (after[i, 0] - after[i, 1])
            assert abs(gap) < mpmath.mpf(10) ** -40


def test_e4_counts_units():
    assert proved(head(4), initialise(head(4), seed=1))[1]["E4"] == "PROVED"
    assert proved(head(3), initialise(head(3), seed=1))[1]["E4"] == "-"


def test_a31_counts_units():
    data = vf.dataset_from_arrays(X, [0, 1, 1, 0])
    assert check_assumption(head(4, "sigmoid"), data).units.proved
    found = check_assumption(head(3, "sigmoid"), data).units
    assert (found.verdict, found.evidence.available) == (vf.Verdict.REFUTED, 3)


@pytest.mark.parametrize("seed", range(12))
def test_structure_counts_the_constant_once(seed):
    """Clones, mirrored and constant units beside the bias: the exact bound, never below the rank."""
    rng = np.random.default_rng(seed)
    network = head(6, str(rng.choice(["tanh", "sigmoid", "square", "relu"])))
    u = np.round(rng.standard_normal(network.parameter_count) * 4) / 4
    weight, bias = network.view(u, "layer0.weight"), network.view(u, "layer0.bias")
    weight[1], bias[1] = weight[0], bias[0]
    weight[2], bias[2] = -weight[0], -bias[0]
    weight[3] = 0.0
    x = np.round(rng.standard_normal((7, 2)) * 8) / 8
    found = structural_deficiency(network, u, x)
    assert found is not None
    assert rank(psi_oracle(network, u, x)) <= found.rank_at_most <= 4 + (network.layers[0].activation.name == "relu")


def test_equal_functions_for_every_u():
    network = Network((1, 2), [vf.Conv(2, (1,), "tanh", bias="tied", skip=True)], output_bias=True)
    x = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    found = structural_bound_every_u(network, x)
    assert found is not None and found.rank_at_most == 3
    assert "and the output bias are only 2 different" in found.explanation
    assert rank(psi_oracle(network, initialise(network, seed=0), x)) == 3


def test_dead_units_leave_the_bias():
    found = dead_open_set(head(4, "relu"), X)
    assert found is not None and found.rank_at_most == 1
    assert rank(psi_oracle(head(4, "relu"), found.u, X)) == 1


def test_other_losses_and_conflicts():
    network = head(4)
    u = initialise(network, seed=2)
    report, found = proved(network, u, losses=("squared",))
    assert {step.key: step.verdict for step in report.steps}["squared"] is vf.Verdict.PROVED
    assert found["TC.3"] == "PROVED"
    x = np.vstack([X[:3], X[:1]])
    _, found = proved(network, u, labels=(0, 1, 1, 1), x=x)
    assert (found["X1"], found["D3.3"], found["path"]) == ("PROVED", "PROVED", "PROVED")


def test_the_gradient_is_as_large_as_c1_says():
    network = head(4)
    u, v = initialise(network, seed=3), np.round(np.random.default_rng(1).standard_normal((5, 2)) * 8) / 8
    report, _ = proved(network, u, v)
    psi = np.array(psi_oracle(network, u, X), dtype=float)
    p = np.exp(psi @ v)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(4), [0, 1, 1, 0]] -= 1.0
    size = np.sqrt(((psi.T @ p / 4) ** 2).sum())
    assert 0 < report.theorem.gradient.gradient_lower.fraction() <= size * (1 + 1e-9)
    fewer = np.sqrt(((psi[:, :4].T @ p / 4) ** 2).sum())
    assert fewer < size  # the bias has a part of it


@pytest.mark.parametrize("fewer", [0, 1])
def test_merged_samples_part_beside_a_bias(fewer, tmp_path):
    """E4's path with the bias as a column of M(t): the margins stay, at N - 1 units too, and the checker accepts."""
    at = problem_of("start-gateway")
    width = 7 - fewer
    network = Network(3, [Dense(1, "tanh"), Dense(width, "tanh", skip=True)], output_bias=True)
    u = np.zeros(network.parameter_count)
    for view in network.parameters:
        view.of(u)[...] = at.network.view(at.u, view.name)[: view.spec.shape[0]]
    v = np.vstack([at.v[:width], [[0.25, -0.5]]])
    report = vf.prove(vf.Problem(at.data, network, u, v), vf.Options(certificate=True, escapes=("E4",)))
    path = report.escape.escape.path
    x, labels = at.rows.inputs, at.rows.labels
    margins = []
    for s in np.linspace(0.0, len(path.before), 7).tolist():
        logits = mpmath.matrix(psi_oracle(network, path.U(s), x)) * mpmath.matrix(path.V(s).tolist())
        margins.append([float(logits[i, y] - logits[i, 1 - y]) for i, y in enumerate(labels.tolist())])
    assert np.abs(np.array(margins) - margins[0]).max() < 1e-10
    assert check_file(str(report.builder.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"
    assert {step.label: step.proved for step in report.theorem.steps}["E4"] == (fewer == 0)


def _reason(report: vf.Report, label: str) -> str:
    return next(step.reason for step in report.theorem.steps if step.label == label)


def test_a_head_with_one_logit_may_have_strict_minima() -> None:
    """Logistic regression on labels 0, 1, 0, 1 has one minimum and it is strict: the shift moves both columns of V."""
    layers = [vf.Dense(3, "tanh", skip=True)]
    report = vf.verify([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1], layers, v=[0.5, -0.25, 1.0])
    for label in ("C2", "T3.4(3)"):
        assert "with the first held at 0, a single logit, there may be strict ones" in _reason(report, label)
    wide = vf.verify([[0.0], [1.0]], [0, 1], layers, v=[0.5, -0.25, 1.0])
    assert "no suboptimal point is one, as M >= N" in _reason(wide, "C2")
    both = vf.verify([[0.0], [1.0]], [0, 1], layers)
    assert "held at 0" not in _reason(both, "C2")
