"""Each obligation of each rule: accepted at the truth, rejected just beyond it, by the named rule and path."""

import json
import math
import os
import signal
from copy import deepcopy
from fractions import Fraction as F
from functools import cache

import pytest
from checker_toy import FEATURES, LABELS, V0, V1, inverse, toy
from checker_writer import Builder, dyadic, node_of
from checking import check, rejected
from children import children
from everyday import one_in

from verifier.checker.common import Rejection


def change(claim, key, value):
    builder, document = toy()
    document["claims"][claim][key] = value
    return builder, document


@pytest.mark.parametrize(
    ("claim", "key", "value", "rule", "path"),
    [
        (0, "rank", 2, "R1.rank", "/claims/0/rank"),
        (0, "alpha", dyadic(0), "R1.residual", "/claims/0/alpha"),
        (0, "alpha", dyadic(-1), "R1.residual", "/claims/0/alpha"),
        (0, "alpha", dyadic(F(1, 2**45)), "R1.residual", "/claims/0/alpha"),
        (0, "alpha", dyadic(1), "R1.residual", "/claims/0/alpha"),
        (0, "sigma_lower", dyadic(0), "R1.sigma", "/claims/0/sigma_lower"),
        (0, "sigma_lower", dyadic(-1), "R1.sigma", "/claims/0/sigma_lower"),
        (0, "sigma_lower", dyadic(1), "R1.sigma", "/claims/0/sigma_lower"),
        (1, "sigma_lower", {"mantissa": "1", "exponent": 200000}, "R1.sigma", "/claims/1/sigma_lower"),
        (2, "gamma", dyadic(0), "Z1.gamma", "/claims/2/gamma"),
        (2, "gamma", dyadic(-1), "Z1.gamma", "/claims/2/gamma"),
        (2, "gamma", dyadic(F(17, 16)), "Z1.margin", "/claims/2/gamma"),
        (3, "gamma", dyadic(0), "P1.gamma", "/claims/3/gamma"),
        (3, "gamma", dyadic(F(17, 16)), "P1.margin", "/claims/3/gamma"),
        (3, "kappa", dyadic(0), "P1.kappa", "/claims/3/kappa"),
        (3, "kappa", dyadic(-2), "P1.kappa", "/claims/3/kappa"),
        (3, "kappa", dyadic(F(1, 16)), "P1.segment", "/claims/3/kappa"),
        (3, "kappa", dyadic(33), "P1.zero-error", "/claims/3/zero_error_t"),
        (3, "zero_error_t", dyadic(15), "P1.zero-error", "/claims/3/zero_error_t"),
        (3, "targets", [{"loss": dyadic(0), "t": dyadic(32)}], "P1.target", "/claims/3/targets/0/loss"),
        (3, "targets", [{"loss": dyadic(1), "t": dyadic(15)}], "P1.target", "/claims/3/targets/0/t"),
        (3, "targets", [{"loss": dyadic(F(1, 2**60)), "t": dyadic(32)}], "P1.target", "/claims/3/targets/0"),
    ],
)
def test_rejected(claim, key, value, rule, path, tmp_path):
    rejected(check(tmp_path, *change(claim, key, value)), rule, path)


def margins(weights):
    """Return the exact margins per sample for two classes."""
    result = []
    for row, label in zip(FEATURES, LABELS, strict=True):
        logits = [sum(psi * weights[j][k] for j, psi in enumerate(row)) for k in range(2)]
        result.append(logits[label] - logits[1 - label])
    return result


def test_exact_thresholds(tmp_path):
    """Gamma equal to the smallest margin is accepted, anything above is not; the same for kappa."""
    smallest = min(margins(V1))
    assert check(tmp_path, *change(2, "gamma", dyadic(smallest))).verdict == "ACCEPTED"
    rejected(check(tmp_path, *change(2, "gamma", dyadic(smallest + F(1, 2**50)))), "Z1.margin", "/claims/2/gamma")
    kappa = max(m0 / m1 for m0, m1 in zip(margins(V0), margins(V1), strict=True))
    above, below = math.ceil(kappa * 2**30), math.floor(kappa * 2**30)
    assert check(tmp_path, *change(3, "kappa", dyadic(F(above, 2**30)))).verdict == "ACCEPTED"
    rejected(check(tmp_path, *change(3, "kappa", dyadic(F(below - 1, 2**30)))), "P1.segment", "/claims/3/kappa")


def test_start_loss_counts_multiplicities(tmp_path):
    counts = [1, 2, 1]
    truth = sum(c * math.log1p(math.exp(-float(m))) for c, m in zip(counts, margins(V0), strict=True)) / 4
    near = {"lower": dyadic(F(truth * (1 - 1e-12))), "upper": dyadic(F(truth * (1 + 1e-12)))}
    assert check(tmp_path, *change(3, "start_loss", near)).verdict == "ACCEPTED"
    for low, high in ((1.001, 1.01), (0.9, 0.999), (1.1, 0.9)):
        far = {"lower": dyadic(F(truth * low)), "upper": dyadic(F(truth * high))}
        rejected(check(tmp_path, *change(3, "start_loss", far)), "P1.start-loss", "/claims/3/start_loss")


def test_zero_error_threshold_uses_the_total(tmp_path):
    """log(1 + e^-t g) < log(2)/4 iff t > -log(2^(1/4) - 1) / g = 1.6645... / g."""
    builder, document = change(3, "kappa", dyadic(F(3, 2)))
    needed = -math.log(2**0.25 - 1) / (15 / 16)
    document["claims"][3]["start_weights"]["terms"][0]["exponent"] -= 2
    document["claims"][3]["targets"] = []
    document["claims"][3]["zero_error_t"] = dyadic(F(needed + 1e-9))
    assert check(tmp_path, builder, document).verdict == "ACCEPTED"
    document["claims"][3]["zero_error_t"] = dyadic(F(needed - 1e-9))
    rejected(check(tmp_path, builder, document), "P1.zero-error", "/claims/3/zero_error_t")


def test_every_other_class_counts_in_the_tail(tmp_path):
    """Three classes, Psi V1 = I: the loss at t V1 is log(1 + 2 e^-t), the threshold of no error log(2)/3."""
    needed = math.log(2 / (2 ** (1 / 3) - 1))
    for near, rule, place in (
        (1e-9, None, ""),
        (-1e-9, "P1.zero-error", "/zero_error_t"),
        (0, "P1.target", "/targets/0"),
    ):
        b = Builder()
        unit = [[int(i == j) for j in range(3)] for i in range(3)]
        time = F(needed + (near or 1e-9))
        claim = {
            "label": "P1",
            "precision": 64,
            "start_weights": b.exact([[0, 0, 0]] * 3),
            "end_weights": b.exact(unit),
            "gamma": dyadic(1),
            "kappa": dyadic(F(1, 4)),
            "start_loss": {"lower": dyadic(1), "upper": dyadic(F(9, 8))},
            "zero_error_t": dyadic(time),
            "targets": [{"loss": dyadic(F(math.log(2) / 3 - (0 if near else 1e-6))), "t": dyadic(time)}],
        }
        layers = [b.dense(unit, [0, 0, 0])]
        outcome = check(tmp_path, b, b.document(b.data(unit, [0, 1, 2], 3), [3], layers, 3, [claim]))
        if rule is None:
            assert outcome.verdict == "ACCEPTED", outcome.rejection
        else:
            rejected(outcome, rule, "/claims/0" + place)


def test_each_claim_sees_each_sample_once_at_its_own_precision(tmp_path):
    """P1 at 128 bits beside claims at 64: its start loss is the truth, not a multiple of it."""
    truth = sum(c * math.log1p(math.exp(-float(m))) for c, m in zip([1, 2, 1], margins(V0), strict=True)) / 4
    for factor, accepted in ((1, True), (2, False), (3, False)):
        builder, document = change(3, "precision", 128)
        bounds = {key: dyadic(F(factor * truth * (1 + e))) for key, e in (("lower", -1e-12), ("upper", 1e-12))}
        document["claims"][3]["start_loss"] = bounds
        assert (check(tmp_path, builder, document).verdict == "ACCEPTED") is accepted


def single(x, *, alpha, sigma, weight=((2, 0), (0, 3)), products=0, precision=64, bits=4):
    """Identity network on the unit vectors: Psi is the transpose of the weights."""
    b = Builder()
    n = len(weight[0])
    data = b.data([[int(i == j) for j in range(n)] for i in range(n)])
    layers = [b.dense([list(row) for row in weight], [0] * len(weight))]
    claim = b.right_inverse(
        x, rank=n, feature_bits=bits, alpha=alpha, sigma=sigma, products=products, precision=precision
    )
    return b, b.document(data, [n], layers, len(weight), [claim])


@pytest.mark.parametrize("products", [0, 1, 2, 5, 12])
def test_right_inverse_is_exact_for_exact_features(products, tmp_path):
    """Psi = diag(2, 4): X = diag(1/2, 1/4), residual 0, sigma = 2 = 1 / ||X||_2 exactly (up to the norm's slack)."""
    x, weight = [[F(1, 2), 0], [0, F(1, 4)]], ((2, 0), (0, 4))
    good = F(2) if products == 12 else F(17, 10)
    close = good - F(1, 100)
    outcome = check(tmp_path, *single(x, alpha=0, sigma=dyadic_below(close), weight=weight, products=products))
    assert outcome.verdict == "ACCEPTED", outcome.rejection
    too_much = single(x, alpha=0, sigma=F(2) + F(1, 2**20), weight=weight, products=products)
    rejected(check(tmp_path, *too_much), "R1.sigma", "/claims/0/sigma_lower")


def dyadic_below(value):
    return F(math.floor(value * 2**30), 2**30)


def test_wrong_inverse(tmp_path):
    x = [[F(1, 2), 0], [0, F(-1, 4)]]
    rejected(check(tmp_path, *single(x, alpha=F(1, 2), sigma=F(1, 2))), "R1.residual", "/claims/0/alpha")


def test_singular_features_are_never_accepted(tmp_path):
    """Psi = [[1, 1], [1, 1]] has rank 1: no X passes, whatever is claimed."""
    for x in ([[1, 0], [0, 1]], [[F(1, 2), F(1, 2)]] * 2, [[2**20, -(2**20)], [-(2**20), 2**20]]):
        for alpha in (F(1, 2), 1 - F(1, 2**60), 1, 2):
            outcome = check(tmp_path, *single(x, alpha=alpha, sigma=F(1, 2**99), weight=((1, 1), (1, 1))))
            assert outcome.verdict == "REJECTED"


def test_rounding_of_features_is_counted(tmp_path):
    """Psi = diag(5/4, 1) with 1 bit is rounded to a = (2 or 3, 2): the error 1/4 must appear in alpha."""
    x, weight = [[F(3, 4), 0], [0, 1]], ((F(5, 4), 0), (0, 1))
    # true residual 1 - 15/16 = 1/16; a / 2 = 1 gives E = 1/4 and a rounding term sqrt(4)/4 ||X||
    rejected(
        check(tmp_path, *single(x, alpha=F(1, 8), sigma=F(1, 4), weight=weight, bits=1)),
        "R1.residual",
        "/claims/0/alpha",
    )
    assert check(tmp_path, *single(x, alpha=F(1, 8), sigma=F(1, 4), weight=weight, bits=2)).verdict == "ACCEPTED"


def test_rounding_matters_where_the_residual_is_zero(tmp_path):
    """Psi = diag(9/8, 9/8) with 1 bit is rounded to a / 2 = I: E = 0 for X = I, but ||I - Psi X|| = 1/8."""
    x, weight = [[1, 0], [0, 1]], ((F(9, 8), 0), (0, F(9, 8)))
    low = single(x, alpha=F(1, 16), sigma=F(1, 4), weight=weight, bits=1)
    rejected(check(tmp_path, *low), "R1.residual", "/claims/0/alpha")
    # the bound: e = 1/4, so 2^-1 * 1/4 * sqrt(4) * ||X||_2, and ||X||_2 <= 1 by sqrt(||X||_1 ||X||_inf)
    assert check(tmp_path, *single(x, alpha=F(1, 4), sigma=F(1, 4), weight=weight, bits=1)).verdict == "ACCEPTED"


@cache
def several_blocks(n, width, wrong):
    b = Builder()
    data = b.data([[int(i == j) for j in range(n)] for i in range(n)])
    weight = [[2 * int(i == j) for j in range(n)] for i in range(width)]
    x = [[F(1, 2) if i == j else 0 for j in range(n)] for i in range(width)]
    if wrong is not None:
        weight[wrong][wrong] = F(9, 4)  # the residual is 1/8 in one row, and so is the rounding error
    claim = b.right_inverse(x, rank=n, feature_bits=1, alpha=F(1, 16), sigma=F(1))
    return b, b.document(data, [n], [b.dense(weight, [0] * width)], width, [claim])


@pytest.mark.parametrize("jobs", one_in(2, [3, 1]))
def test_right_inverse_over_several_blocks(jobs, tmp_path):
    """300 samples, Psi = [2I 0 1]: every block of rows has its own part of the identity; errors come from all."""
    for wrong in (None, 299):
        builder, document = several_blocks(300, 400, wrong)
        outcome = check(tmp_path, builder, deepcopy(document), jobs)
        if wrong is None:
            assert outcome.verdict == "ACCEPTED", outcome.rejection
        else:
            rejected(outcome, "R1.residual", "/claims/0/alpha")


def test_large_scale_of_the_right_inverse(tmp_path):
    """X with a positive exponent, tiny features."""
    b = Builder()
    data = b.data([[1, 0], [0, 1]])
    weight = b.exact([[1, 0], [0, 1]])
    weight["terms"][0]["exponent"] = -300
    layers = [{**b.dense([[1, 0], [0, 1]], [0, 0]), "weight": weight}]
    claim = b.right_inverse([[1, 0], [0, 1]], rank=2, feature_bits=310, precision=128, alpha=0, sigma=F(1, 2**301))
    claim["right_inverse"]["terms"][0]["exponent"] = 300
    document = b.document(data, [2], layers, 2, [claim])
    for layer_weight in ("T.2",):
        b.tensors.pop(layer_weight, None)
    used = {
        t["tensor"] for e in (weight, layers[0]["bias"], claim["right_inverse"], data["inputs"]) for t in e["terms"]
    }
    b.tensors = {name: value for name, value in b.tensors.items() if name in used}
    outcome = check(tmp_path, b, document)
    assert outcome.verdict == "ACCEPTED", outcome.rejection
    claim["feature_bits"] = 299
    rejected(check(tmp_path, b, document), "R1.residual", "/claims/0/alpha")


@pytest.mark.parametrize("columns", [[0, 0, 1], [2, 1, 0], [0, 1, 4], [-1, 0, 1]])
def test_columns(columns, tmp_path):
    builder, document = toy()
    builder.tensors[document["claims"][0]["columns"]] = ("I32", [3], columns)
    rejected(check(tmp_path, builder, document), "schema.value", "/claims/0/columns")


def test_fewer_columns_than_samples(tmp_path):
    builder, document = toy()
    builder.tensors[document["claims"][0]["columns"]] = ("I32", [2], [0, 1])
    rejected(check(tmp_path, builder, document), "R1.rank", "/claims/0/columns")


def test_labels_and_multiplicities(tmp_path):
    builder, document = toy()
    builder.tensors[document["data"]["labels"]] = ("U8", [3], [0, 1, 2])
    rejected(check(tmp_path, builder, document), "data.labels", "/data/labels")
    builder, document = toy()
    builder.tensors[document["data"]["multiplicities"]] = ("I32", [3], [1, 0, 3])
    rejected(check(tmp_path, builder, document), "data.multiplicities", "/data/multiplicities")


@pytest.mark.parametrize(
    ("activation", "rule"),
    [
        ("1/t", "features.finite"),
        ("log(t)", "features.finite"),
        ("sqrt(t - 1000)", "features.finite"),
        ("exp(exp(exp(exp(exp(t**2 + 9)))))", "features.finite"),
        ("tanh(1/t)", "features.finite"),
        ("Max(1, log(t))", "features.finite"),
        ("tanh(log(t))", "features.finite"),
        ("(log(t))**0", "features.finite"),
        ("t +", "network.expression"),
        ("__import__('os')", "network.expression"),
        ("x", "network.expression"),
    ],
)
def test_undefined_activation(activation, rule, tmp_path):
    builder, document = toy()
    node_of(document, 0, "map")["activation"] = activation
    outcome = check(tmp_path, builder, document)
    assert outcome.verdict == "REJECTED"
    assert outcome.rejection.rule == rule


@cache
def large_once():
    """A net of 300 samples x 400 units, whose features are exact, wide enough to be cut among processes."""
    b = Builder()
    n, width = 300, 400
    inputs = [[i % 17, i % 23 - 5, i % 29, 1] for i in range(n)]
    weight = [[(j * 7) % 5 - 2, (j * 11) % 7 - 3, j % 3 - 1, j % 13] for j in range(width)]
    labels = [int(row[1] > 0) for row in inputs]
    data = b.data(inputs, labels, 2)
    layers = [b.dense(weight, [0] * width), {**b.dense([[0, 1, 0, 0]], [F(-1, 2)]), "inputs": ["input"]}]
    end = b.exact([[0, 0]] * width + [[-1, 1]])
    start = b.exact([[0, 0]] * (width + 1))
    claims = [
        {"label": "Z1", "precision": 64, "output_weights": end, "gamma": dyadic(1)},
        {
            "label": "P1",
            "precision": 53,
            "start_weights": start,
            "end_weights": end,
            "gamma": dyadic(1),
            "kappa": dyadic(1),
            "start_loss": {"lower": dyadic(F(math.log(2) - 1e-9)), "upper": dyadic(F(math.log(2) + 1e-9))},
            "zero_error_t": dyadic(9),
            "targets": [],
        },
    ]
    return b, b.document(data, [4], layers, width + 1, claims)


def large():
    builder, document = large_once()
    return builder, deepcopy(document)


def test_several_processes_agree_with_one(tmp_path):
    builder, document = large()
    one, three = (check(tmp_path, builder, document, jobs) for jobs in (1, 3))
    assert one.verdict == three.verdict == "ACCEPTED", one.rejection or three.rejection
    assert one.claims == three.claims
    document["claims"][0]["gamma"] = dyadic(F(3, 2))
    for jobs in (1, 3):
        rejected(check(tmp_path, builder, document, jobs), "Z1.margin", "/claims/0/gamma")


def test_half_bound_of_large_blocks(tmp_path, monkeypatch):
    """The quick comparison used for large blocks gives nearly the same error as the exact maximum, and not less."""
    import verifier.checker.claims as rank
    from verifier.checker import rounding

    kept = []
    monkeypatch.setattr(rank.RankClaim, "conclude", lambda claim: kept.append(claim) or {"statement": ""})
    for near in (0.0, 1.0):
        monkeypatch.setattr(rounding, "NEAR_HALF", near)
        builder, document = toy()
        node_of(document, 0, "map")["activation"] = "tanh(t/7)"
        document["claims"] = document["claims"][:2]
        document["claims"][0]["feature_bits"] = 30
        used = json.dumps(document)
        builder.tensors = {name: value for name, value in builder.tensors.items() if f'"{name}"' in used}
        assert check(tmp_path, builder, document).verdict == "ACCEPTED"
    quick, exact = float(kept[0].error), float(kept[2].error)
    assert 0.3 < exact <= 0.5 + 2**-13
    assert quick == exact or 0.5 + 2**-12 <= quick < 0.5 + 2**-11


def no_memory():
    raise MemoryError


def test_lost_rows_are_noticed(tmp_path, monkeypatch):
    import verifier.checker.certificate as certificate

    whole = certificate.cut_blocks
    monkeypatch.setattr(certificate, "cut_blocks", lambda *arguments: whole(*arguments)[1:])
    rejected(check(tmp_path, *toy()), "internal", "")
    builder, document = large()
    rejected(check(tmp_path, builder, document, 2), "internal", "")


def test_lost_results_are_noticed(tmp_path, monkeypatch):
    import verifier.checker.certificate as certificate

    monkeypatch.setattr(certificate, "look_at_all", lambda look, blocks, jobs: map(look, blocks[1:]))
    rejected(check(tmp_path, *toy()), "internal", "")


@pytest.mark.parametrize("end", [lambda: os._exit(9), lambda: os.kill(os.getpid(), signal.SIGKILL), no_memory])
def test_what_a_dead_worker_did_not_do_is_done_here(end, tmp_path, monkeypatch):
    """A worker may die as its share does not suffice: the rows that it leaves are looked at by the main process."""
    import verifier.checker.certificate as certificate

    here, rows, done, earlier = os.getpid(), certificate.Features.rows, [], children()

    def die(self, samples):
        if os.getpid() != here:
            end()
        done.extend(samples)
        return rows(self, samples)

    monkeypatch.setattr(certificate.Features, "rows", die)
    builder, document = large()
    assert check(tmp_path, builder, document, 2).verdict == "ACCEPTED"
    samples = document["data"]["samples"]
    assert sorted(done) == sorted([*range(samples)] * len({claim["precision"] for claim in document["claims"]}))
    assert children() <= earlier  # no zombies


def test_what_a_worker_rejects_is_rejected(tmp_path, monkeypatch):
    import verifier.checker.certificate as certificate

    here = os.getpid()

    def reject(self, samples):
        raise Rejection("/here", "only.in-workers" if os.getpid() != here else "here", "no", 1, 2)

    monkeypatch.setattr(certificate.Features, "rows", reject)
    found = check(tmp_path, *large(), 2)
    assert (found.verdict, found.rejection.rule, found.rejection.computed) == ("REJECTED", "only.in-workers", 2)


def test_inverse_helper():
    assert inverse([[2, 0], [0, 4]]) == [[F(1, 2), 0], [0, F(1, 4)]]


def test_unexpected_exception_is_a_rejection(tmp_path, monkeypatch):
    import verifier.checker.certificate as certificate

    for error in (RecursionError("deep"), OverflowError("big"), ZeroDivisionError("0")):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(certificate, "sweep", fail)
        outcome = check(tmp_path, *toy())
        rejected(outcome, "internal", "")
        assert type(error).__name__ in outcome.rejection.message


def test_no_memory_is_no_rejection(tmp_path, monkeypatch):
    import verifier.checker.certificate as certificate

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(certificate, "sweep", fail)
    outcome = check(tmp_path, *toy())
    assert (outcome.verdict, outcome.rejection.rule, outcome.claims) == ("TOO EXPENSIVE", "cost.memory", [])
