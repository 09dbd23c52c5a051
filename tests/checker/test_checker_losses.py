"""TC.3 in the checker: exact small examples, accepted at the truth and rejected just beyond it."""

import math
from fractions import Fraction as F

import pytest
from checker_toy import FEATURES, LABELS, V0, V1, X, toy
from checker_writer import Builder, dyadic
from checking import check, rejected

COUNTS = [1, 2, 1]  # the toy's multiplicities
LOSSES = ("cross-entropy", "squared", "weston-watkins", "crammer-singer", "one-vs-rest")
PATH = "/claims/4"


def logits(weights):
    return [[sum(p * w[k] for p, w in zip(row, weights, strict=True)) for k in range(2)] for row in FEATURES]


def loss(name, weights, counts=None):
    """Phi at exact weights: exact for squared and hinge losses, floating point for the others."""
    total, counts = 0, counts or [[c * (k == y) for k in range(2)] for c, y in zip(COUNTS, LABELS, strict=True)]
    for g, row in zip(logits(weights), counts, strict=True):
        for y, count in enumerate(row):
            margin = g[y] - g[1 - y]
            total += (
                count
                * {
                    "squared": lambda g=g, y=y: sum((x - (k == y)) ** 2 for k, x in enumerate(g)) / F(2),
                    "weston-watkins": lambda m=margin: max(F(0), 1 - m),
                    "crammer-singer": lambda m=margin: max(F(0), 1 - m),
                    "cross-entropy": lambda m=margin: math.log1p(math.exp(-m)),
                    "one-vs-rest": lambda g=g, y=y: math.log1p(math.exp(-g[y])) + math.log1p(math.exp(g[1 - y])),
                }[name]()
            )
    return F(total) / 4


def scaled(weights, factor):
    return [[F(w) * factor for w in row] for row in weights]


def solved(targets):
    """Weights with these logits, up to the rounding of X."""
    return [[sum(x * t[k] for x, t in zip(row, targets, strict=True)) for k in range(2)] for row in [*X, [0, 0, 0]]]


def between(share):
    """(1 - share) V1 + share V0: an end that lies before the least squares solution."""
    return [[(1 - share) * b + share * a for a, b in zip(*rows, strict=True)] for rows in zip(V0, V1, strict=True)]


def document(name, end, *, rank=True, counts=None, start=V0, slack=F(1, 2**30), **change):
    """The toy with R1 and one TC.3 whose numbers are near the truth."""
    builder, found = toy()
    first, last = (loss(name, v, counts) for v in (start, end))
    near = (F(math.floor(first * (1 - slack) * 2**60), 2**60), F(math.ceil(first * (1 + slack) * 2**60), 2**60))
    claim = {
        "label": "TC.3",
        "precision": 64,
        "loss": name,
        "class_weights": None,
        "label_counts": None if counts is None else builder.tensor([c for row in counts for c in row], "I32"),
        "start_weights": builder.exact(start),
        "end_weights": builder.exact(end),
        "start_loss": {"lower": dyadic(near[0]), "upper": dyadic(near[1])},
        "end_loss": dyadic(F(math.ceil((last + slack) * 2**60), 2**60)),
        "infimum": {"lower": dyadic(0), "upper": dyadic(0)},
        "gamma": None,
    }
    claim |= {key: value(builder) if callable(value) else value for key, value in change.items()}
    if counts is not None:
        found["data"]["labels"] = None
        found["claims"] = found["claims"][:2]
    if not rank:
        found["claims"] = found["claims"][2:]
    found["claims"].append(claim)
    return only_used(builder, found)


def only_used(builder, found):
    """Drop the tensors that nothing refers to."""
    for name in [n for n in builder.tensors if f"'{n}'" not in str(found)]:
        del builder.tensors[name]
    return builder, found


ENDS = {
    "cross-entropy": scaled(V1, 16),
    "squared": between(F(1, 64)),
    "weston-watkins": scaled(V1, 2),
    "crammer-singer": scaled(V1, 2),
    "one-vs-rest": solved([[32, -32], [-32, 32], [32, -32]]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_truth_is_accepted(name, tmp_path):
    outcome = check(tmp_path, *document(name, ENDS[name]))
    assert outcome.verdict == "ACCEPTED", outcome.rejection.args
    statement = outcome.claims[-1]["statement"]
    assert name in statement and ("never increases" if "-w" in name or "-s" in name else "strictly") in statement
    assert set(outcome.claims[-1]) == {"label", "precision", "statement"}


@pytest.mark.parametrize("name", LOSSES)
def test_numbers_beyond_the_truth(name, tmp_path):
    first, last = loss(name, V0), loss(name, ENDS[name])
    tiny = F(1, 2**20)
    for low, high in ((first + tiny, first + 1), (0, first - tiny), (first + 1, 0)):
        bounds = {
            "lower": dyadic(F(math.floor(low * 2**60), 2**60)),
            "upper": dyadic(F(math.floor(high * 2**60), 2**60)),
        }
        found = check(tmp_path, *document(name, ENDS[name], start_loss=bounds))
        rejected(found, "TC.3.start-loss", PATH + "/start_loss")
    less = dyadic(F(math.floor((last - F(1, 2**40)) * 2**60), 2**60))
    rejected(check(tmp_path, *document(name, ENDS[name], end_loss=less)), "TC.3.end-loss", PATH + "/end_loss")
    bounds = {"lower": dyadic(F(1, 2**70)), "upper": dyadic(1000)}
    rejected(check(tmp_path, *document(name, ENDS[name], infimum=bounds)), "TC.3.infimum", PATH + "/infimum")
    bounds = {"lower": dyadic(-2), "upper": dyadic(-1)}
    rejected(check(tmp_path, *document(name, ENDS[name], infimum=bounds)), "TC.3.infimum", PATH + "/infimum")


@pytest.mark.parametrize("name", LOSSES)
def test_a_segment_that_increases_near_its_end(name, tmp_path):
    """Past the minimum on the line, or towards misclassification."""
    beyond = scaled(V1, -4) if name != "squared" else between(F(-1, 8))
    rejected(check(tmp_path, *document(name, beyond, start=ENDS[name])), "TC.3.end-weights", PATH + "/end_weights")
    if loss(name, V0) > loss(name, ENDS[name]):  # the hinge losses of the toy's V0 are 0 already
        rejected(check(tmp_path, *document(name, V0, start=ENDS[name])), "TC.3.end-weights", PATH + "/end_weights")


def test_the_least_squares_end_is_sharp(tmp_path):
    """Exact rationals: before the minimum on the line accepted, after it rejected, a path that stays put accepted."""
    assert check(tmp_path, *document("squared", between(F(1, 2**20)))).verdict == "ACCEPTED"
    rejected(check(tmp_path, *document("squared", between(F(-1, 2**20)))), "TC.3.end-weights")
    still = check(tmp_path, *document("squared", V0, infimum={"lower": dyadic(0), "upper": dyadic(1000)}))
    assert still.verdict == "ACCEPTED" and "never increases" in still.claims[-1]["statement"]


def test_a_hinge_that_ends_at_its_corner(tmp_path):
    """Margins exactly 1 at the end (exact rationals): the corner belongs to the minimum."""
    b = Builder()
    data = b.data([[1]], [0])
    start, end = b.exact([[0, 0]]), b.exact([[1, 0]])
    for name in ("weston-watkins", "crammer-singer"):
        claim = {
            "label": "TC.3",
            "precision": 64,
            "loss": name,
            "class_weights": None,
            "label_counts": None,
            "start_weights": start,
            "end_weights": end,
            "start_loss": {"lower": dyadic(1), "upper": dyadic(1)},
            "end_loss": dyadic(0),
            "infimum": {"lower": dyadic(0), "upper": dyadic(0)},
            "gamma": dyadic(1),
        }
        found = b.document(data, [1], [b.dense([[1]], [0])], 1, [claim])
        only_used(b, found)
        assert check(tmp_path, b, found).verdict == "ACCEPTED"
        claim["gamma"] = dyadic(1 + F(1, 2**40))
        rejected(check(tmp_path, b, found), "TC.3.margin", "/claims/0/gamma")


@pytest.mark.parametrize("name", LOSSES)
def test_gamma(name, tmp_path):
    """The smallest margin of the end, exactly; one-vs-rest: the smallest signed logit."""
    pairs = [(g[y], g[1 - y]) for g, y in zip(logits(ENDS[name]), LABELS, strict=True)]
    smallest = min(min(own, -other) if name == "one-vs-rest" else own - other for own, other in pairs)
    outcome = check(tmp_path, *document(name, ENDS[name], gamma=dyadic(F(math.floor(smallest * 2**50), 2**50))))
    if name == "squared":
        rejected(outcome, "TC.3.gamma", PATH + "/gamma")
    else:
        assert outcome.verdict == "ACCEPTED", outcome.rejection.args
        assert "beyond V1" in outcome.claims[-1]["statement"]
    beyond = dyadic(F(math.ceil(smallest * 2**50) + 1, 2**50))
    rejected(
        check(tmp_path, *document(name, ENDS[name], gamma=beyond)), "TC.3.gamma" if name == "squared" else "TC.3.margin"
    )
    for bad in (0, -1):
        rejected(check(tmp_path, *document(name, ENDS[name], gamma=dyadic(bad))), "TC.3.gamma", PATH + "/gamma")


@pytest.mark.parametrize("name", LOSSES)
def test_the_infimum_needs_the_rank_or_gamma(name, tmp_path):
    outcome = check(tmp_path, *document(name, ENDS[name], rank=False))
    rejected(outcome, "TC.3.rank")  # end_loss is above 0, if only by some slack
    if loss(name, ENDS[name]) == 0:
        assert check(tmp_path, *document(name, ENDS[name], rank=False, end_loss=dyadic(0))).verdict == "ACCEPTED"
    reached = {"lower": dyadic(0), "upper": dyadic(F(10))}
    assert check(tmp_path, *document(name, ENDS[name], rank=False, infimum=reached)).verdict == "ACCEPTED"
    if name in ("cross-entropy", "weston-watkins", "crammer-singer"):
        assert check(tmp_path, *document(name, ENDS[name], rank=False, gamma=dyadic(1))).verdict == "ACCEPTED"


CONFLICT = [[1, 0], [1, 1], [1, 0]]


def entropy_end():
    """Near the conditional frequencies."""
    return solved([[8, 0], [0, 0], [8, 0]])


def bounds_around(value, slack=F(1, 2**30)):
    return {
        "lower": dyadic(F(math.floor((value - slack) * 2**60), 2**60)),
        "upper": dyadic(F(math.ceil((value + slack) * 2**60), 2**60)),
    }


def test_conflicting_labels(tmp_path):
    """Two of four samples are equal with different labels: the infimum is log(4)/4."""
    truth = F(2 * math.log(2)) / 4
    good = bounds_around(truth)
    outcome = check(tmp_path, *document("cross-entropy", entropy_end(), counts=CONFLICT, infimum=good))
    assert outcome.verdict == "ACCEPTED", outcome.rejection.args
    for low, high in ((truth + F(1, 2**20), truth + 1), (F(0), truth - F(1, 2**20)), (F(0), F(0))):
        wrong = {"lower": bounds_around(low)["lower"], "upper": bounds_around(high)["upper"]}
        found = check(tmp_path, *document("cross-entropy", entropy_end(), counts=CONFLICT, infimum=wrong))
        rejected(found, "TC.3.infimum", PATH.replace("4", "2") + "/infimum")
    found = check(tmp_path, *document("cross-entropy", entropy_end(), counts=CONFLICT, infimum=good, gamma=dyadic(1)))
    rejected(found, "TC.3.gamma")


@pytest.mark.parametrize("counts", [[[1, 0], [2, 1], [1, 0]], [[1, 0], [3, -1], [1, 0]], [[0, 0], [1, 1], [1, 1]]])
def test_counts_that_do_not_fit(counts, tmp_path):
    outcome = check(tmp_path, *document("cross-entropy", entropy_end(), counts=counts, infimum=bounds_around(F(1))))
    rejected(outcome, "TC.3.labels", PATH.replace("4", "2") + "/label_counts")


def test_labels_or_counts(tmp_path):
    builder, found = document("squared", ENDS["squared"], label_counts=lambda b: b.tensor([1, 0, 0, 2, 1, 0], "I32"))
    rejected(check(tmp_path, builder, found), "TC.3.labels", PATH + "/label_counts")
    neither = document("squared", ENDS["squared"], counts=CONFLICT, label_counts=None)
    rejected(check(tmp_path, *neither), "TC.3.labels")
    for values, kind, rule in (([1, 0, 0, 2, 1], "I32", "shape"), ([1, 0, 0, 2, 1, 0], "F64", "container.tensor")):
        wrong = document(
            "squared", ENDS["squared"], counts=CONFLICT, label_counts=lambda b, v=values, k=kind: b.tensor(v, k)
        )
        rejected(check(tmp_path, *wrong), rule)


@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [1, 0], [1, -1]])
def test_class_weights_that_do_not_fit(weights, tmp_path):
    found = check(tmp_path, *document("squared", ENDS["squared"], class_weights=[dyadic(w) for w in weights]))
    assert found.verdict == "REJECTED"
    assert found.rejection.rule == ("schema.value" if len(weights) == 1 else "TC.3.class-weights")


def test_class_weights_count(tmp_path):
    """Weights (2, 2) double the loss; with (1, 1) nothing changes."""
    twice = {"lower": dyadic(F(0)), "upper": dyadic(F(math.floor(loss("squared", V0) * 2**30), 2**29) + F(1, 2**20))}
    for weights, verdict in (([2, 2], "ACCEPTED"), ([2, 3], "REJECTED")):
        change = {"class_weights": [dyadic(w) for w in weights], "start_loss": twice, "end_loss": dyadic(1000)}
        assert check(tmp_path, *document("squared", ENDS["squared"], **change)).verdict == verdict


@pytest.mark.parametrize("name", LOSSES)
def test_wrong_labels(name, tmp_path):
    builder, found = document(name, ENDS[name])
    found["claims"] = [*found["claims"][:2], found["claims"][-1]]
    builder.tensors[found["data"]["labels"]] = ("U8", [3], [1, 0, 1])
    assert check(tmp_path, *only_used(builder, found)).rejection.rule.startswith("TC.3.")


def test_unknown_losses_and_keys(tmp_path):
    rejected(check(tmp_path, *document("squared", ENDS["squared"], loss="hinge")), "schema.value", PATH + "/loss")
    rejected(check(tmp_path, *document("squared", ENDS["squared"], more=1)), "schema.unknown-key")
    builder, found = document("squared", ENDS["squared"])
    del found["claims"][-1]["gamma"]
    rejected(check(tmp_path, builder, found), "schema.missing-key")


def test_logits_that_overflow(tmp_path):
    """A loss whose enclosure is not finite proves nothing."""
    huge = [[v * 2**40 for v in row] for row in V0]
    builder, found = document("squared", huge)
    for claim in found["claims"][-1:]:
        claim["loss"], claim["end_weights"]["terms"][0]["exponent"] = "one-vs-rest", 19000
    assert check(tmp_path, builder, found).verdict == "REJECTED"
