"""Z0.loss: the least loss over all output weights, found with 40 digits, is accepted, and nothing above it."""

from __future__ import annotations

import itertools
from fractions import Fraction as F
from random import Random

import mpmath
import pytest
from checker_writer import Builder, dyadic, write

from verifier.checker.certificate import check_file

NEAR, PLACES = F(1, 10**8), 45


def outcome(tmp_path, inputs, claim, *, labels=None, times=None, classes=2, activation="t", width=None):
    """Check one claim of features that are the inputs, or an activation of them."""
    builder, width = Builder(), width or len(inputs[0])
    weights = [[F(j == k) for k in range(len(inputs[0]))] for j in range(width)]
    layers = [builder.dense(weights, [F(0)] * width, activation)]
    data = builder.data(inputs, labels, classes, times)
    document = builder.document(data, [len(inputs[0])], layers, width, [claim(builder)])
    found = check_file(str(write(tmp_path, document, builder.arrays())), 1)
    return found.verdict if found.rejection is None else found.rejection.rule


def bound(lower, weights, support, *, equal=(), counts=None):
    """Return what makes the claim."""

    def claim(builder):
        found = {"label": "Z0.loss", "precision": 128, "label_counts": None, "loss_lower": dyadic(rounded(lower))}
        if counts is not None:
            found["label_counts"] = builder.tensor(list(itertools.chain(*counts)), "I32")
        found["output_weights"] = builder.exact([[rounded(x) for x in row] for row in weights])
        found["support"] = builder.tensor(list(itertools.chain(*support)), "I8")
        return found | {"equal": [list(members) for members in equal]}

    return claim


def rounded(number):
    """Round to a multiple of 2^-45."""
    return F(round(number * 2**PLACES), 2**PLACES)


def least(psi, counts, support, free):
    """Minimise over the entries of V that are free, by Newton's method in 40 digits: the loss, and V."""
    with mpmath.workdps(40):
        v = mpmath.zeros(len(psi[0]), len(counts[0]))
        total = sum(map(sum, counts))
        for _ in range(60):
            loss, slopes, matrix = mpmath.mpf(0), mpmath.zeros(len(free), 1), mpmath.zeros(len(free), len(free))
            for row, own, inside in zip(psi, counts, support, strict=True):
                g = [
                    sum(mpmath.mpf(x.numerator) / x.denominator * v[j, k] for j, x in enumerate(row))
                    for k in range(len(own))
                ]
                top = max(x for x, counted in zip(g, inside, strict=True) if counted)
                shares = [mpmath.exp(x - top) * counted for x, counted in zip(g, inside, strict=True)]
                q = [x / sum(shares) for x in shares]
                loss += sum(a * (top + mpmath.log(sum(shares)) - x) for a, x in zip(own, g, strict=True) if a)
                for a, (j, k) in enumerate(free):
                    slopes[a] += row[j] * (sum(own) * q[k] - own[k])
                    for b, (g_, h) in enumerate(free):
                        matrix[a, b] += row[j] * row[g_] * sum(own) * q[k] * ((k == h) - q[h])
            step = mpmath.lu_solve(matrix, slopes) if free else slopes
            for a, (j, k) in enumerate(free):
                v[j, k] -= step[a] / max(1, abs(step[a]))
            if all(abs(x) < mpmath.mpf(10) ** -30 for x in step):
                break
        return to_fraction(loss / total), [[to_fraction(v[j, k]) for k in range(v.cols)] for j in range(v.rows)]


def to_fraction(number):
    return F(int(mpmath.nint(number * 2**100)), 2**100)


def mixed(seed):
    """Draw samples that no V classifies: features in the right half, with their mirror images of another class."""
    rng = Random(seed)
    classes, m = rng.choice([2, 3]), rng.choice([1, 2])
    rows = [[F(rng.randint(1, 9), 4) for _ in range(m)] for _ in range(3 * classes)]
    labels = [i % classes for i in range(len(rows))]
    rows += [[-x for x in row] for row in rows[:classes]]  # what separates these puts their images on the same side
    labels += labels[:classes]
    times = [rng.randint(1, 3) for _ in rows]
    counts = [[c * (k == y) for k in range(classes)] for c, y in zip(times, labels, strict=True)]
    return rows, labels, times, counts, classes


@pytest.mark.parametrize("seed", range(4))
def test_the_least_loss_is_accepted_and_nothing_above(seed, tmp_path):
    rows, labels, times, counts, classes = mixed(seed)
    everything = [[1] * classes for _ in rows]
    free = [(j, k) for j in range(len(rows[0])) for k in range(classes - 1)]
    loss, v = least(rows, counts, everything, free)
    data = {"labels": labels, "times": times, "classes": classes}
    assert outcome(tmp_path, rows, bound(loss - NEAR, v, everything), **data) == "ACCEPTED"
    assert outcome(tmp_path, rows, bound(loss + NEAR, v, everything), **data) == "Z0.loss.bound"
    for left in free:  # V that is best but for one entry balances all but one equation, with more entropy
        more, other = least(rows, counts, everything, [entry for entry in free if entry != left])
        if more > loss + 4 * NEAR:
            found = outcome(tmp_path, rows, bound((loss + more) / 2, other, everything), **data)
            assert found in ("Z0.loss.balance", "Z0.loss.bound")
    zero = [[F(0)] * classes for _ in rows[0]]
    assert outcome(tmp_path, rows, bound(loss + NEAR, zero, everything), **data).startswith("Z0.loss.b")


@pytest.mark.parametrize("columns", [1, 2])
def test_classes_that_do_not_meet_are_balanced_by_themselves(columns, tmp_path):
    """Classes 0, 1 and 2, 3, in one column or one each: two problems of two equations, one in each left out."""
    rows = [[F(x), F(0)] for x in (1, 2, 3)] + [[F(0), F(x)] for x in (1, 2, 3, -1)]
    rows, last = ([[a + b] for a, b in rows], 0) if columns == 1 else (rows, 1)
    labels, times = [0, 1, 0, 2, 3, 2, 2], [1, 1, 2, 1, 1, 1, 2]
    support = [[1, 1, 0, 0]] * 3 + [[0, 0, 1, 1]] * 4
    counts = [[c * (k == y) for k in range(4)] for c, y in zip(times, labels, strict=True)]
    free = [(0, 0), (last, 2)]
    loss, v = least(rows, counts, support, free)
    data = {"labels": labels, "times": times, "classes": 4}
    assert outcome(tmp_path, rows, bound(loss - NEAR, v, support), **data) == "ACCEPTED"
    assert outcome(tmp_path, rows, bound(loss + NEAR, v, support), **data) == "Z0.loss.bound"
    for entry in free:  # one of the two is not balanced
        more, other = least(rows, counts, support, [entry])
        found = outcome(tmp_path, rows, bound((loss + more) / 2, other, support), **data)
        assert found in ("Z0.loss.balance", "Z0.loss.bound")


def test_samples_outside_of_the_support_count_nothing(tmp_path):
    """A ReLU unit of class 2 alone puts its samples on their side; the others are those of the problem without it."""
    rows = [[F(1), F(0)], [F(2), F(0)], [F(3), F(0)], [F(-5), F(4)]]
    labels, support = [0, 1, 0, 2], [[1, 1, 0]] * 3 + [[0, 0, 1]]
    counts = [[int(k == y) for k in range(3)] for y in labels]
    loss, v = least(rows, counts, support, [(0, 0)])
    data = {"labels": labels, "classes": 3, "activation": "Max(0, t)"}
    assert outcome(tmp_path, rows, bound(loss - NEAR, v, support), **data) == "ACCEPTED"
    assert outcome(tmp_path, rows, bound(loss + NEAR, v, support), **data) == "Z0.loss.bound"
    widened = [*support[:3], [1, 1, 1]]  # its feature 4 cannot be balanced by anything but q = e_2
    assert outcome(tmp_path, rows, bound(loss - NEAR, v, widened), **data) == "Z0.loss.balance"


@pytest.mark.parametrize("activation", ["tanh(t)", "Max(0, t) + 1/7", "Max(0, t) + 1"])
def test_equal_rows_have_the_entropy_of_their_labels(activation, tmp_path):
    """Equal samples, rational rows, exact balls; labels 0 twice, 1 three times, and 1 once elsewhere."""
    rows = [[F(1, 4)]] * 3 + [[F(3)]] if activation == "tanh(t)" else [[F(-1)], [F(-2)], [F(-3)], [F(3)]]
    labels, times, alone = [0, 1, 0, 1], [1, 3, 1, 1], [[1, 0], [0, 1], [1, 0], [0, 1]]
    with mpmath.workdps(40):
        entropy = to_fraction((2 * mpmath.log(mpmath.mpf(5) / 2) + 3 * mpmath.log(mpmath.mpf(5) / 3)) / 6)
    data = {"labels": labels, "times": times, "activation": activation}
    for lower, wanted in ((entropy - NEAR, "ACCEPTED"), (entropy + NEAR, "Z0.loss.bound")):
        claim = bound(lower, [[F(0), F(0)]], alone, equal=[(0, 1, 2)])
        assert outcome(tmp_path, rows, claim, **data) == wanted
    claim = bound(entropy / 2, [[F(0), F(0)]], alone, equal=[(0, 1, 2, 3)])
    assert outcome(tmp_path, rows, claim, **data) in ("Z0.loss.equal", "R6.rational")


def test_rows_that_are_0_have_log_m(tmp_path):
    rows, alone = [[F(-1)], [F(-2)], [F(1)]], [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    with mpmath.workdps(40):
        entropy = to_fraction(2 * mpmath.log(3) / 3)
    data = {"labels": [0, 0, 1], "classes": 3, "activation": "Max(0, t)"}
    for lower, wanted in ((entropy - NEAR, "ACCEPTED"), (entropy + NEAR, "Z0.loss.bound")):
        assert outcome(tmp_path, rows, bound(lower, [[F(0)] * 3], alone, equal=[(0, 1)]), **data) == wanted


def test_conflicting_labels_are_counted(tmp_path):
    rows, counts = [[F(1)], [F(2)], [F(-1)]], [[2, 1], [1, 3], [1, 0]]
    everything = [[1, 1]] * 3
    loss, v = least(rows, counts, everything, [(0, 0)])
    for lower, wanted in ((loss - NEAR, "ACCEPTED"), (loss + NEAR, "Z0.loss.bound")):
        claim = bound(lower, v, everything, counts=counts)
        assert outcome(tmp_path, rows, claim, times=[3, 4, 1]) == wanted
    claim = bound(loss - NEAR, v, everything, counts=[[2, 1], [1, 3], [0, 0]])
    assert outcome(tmp_path, rows, claim, times=[3, 4, 1]) == "Z0.loss.labels"


@pytest.mark.parametrize("off", [F(1, 8), F(-1, 16), F(1)])
def test_weights_that_are_not_best_cost_what_the_format_says(off, tmp_path):
    """One column, two classes: Z is a quotient. The bound is ((1 - 2 beta) sum A H(q0) - 4 beta^2 n) / n."""
    rows, counts = [[F(1)], [F(2)], [F(-1)], [F(3, 2)]], [[2, 1], [1, 3], [1, 0], [2, 2]]
    everything, n = [[1, 1]] * 4, 12
    _, v = least(rows, counts, everything, [(0, 0)])
    start = rounded(v[0][0] + off)
    with mpmath.workdps(40):
        residual, slope, entropy = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
        for (x,), (a, b) in zip(rows, counts, strict=True):
            psi = mpmath.mpf(x.numerator) / x.denominator
            p = 1 / (1 + mpmath.exp(-psi * mpmath.mpf(start.numerator) / start.denominator))
            residual += psi * ((a + b) * p - a)
            slope += psi**2 * (a + b) * p * (1 - p)
            entropy -= (a + b) * (p * mpmath.log(p) + (1 - p) * mpmath.log(1 - p))
        beta = 2 * abs(residual / slope)
        value = to_fraction(((1 - 2 * beta) * entropy - 4 * beta**2 * n) / n)
    weights, times = [[start, F(0)]], [3, 4, 1, 4]
    if off == 1:
        assert 2 * beta >= 1
        claim = bound(F(1, 1000), weights, everything, counts=counts)
        assert outcome(tmp_path, rows, claim, times=times) == "Z0.loss.balance"
        return
    for lower, wanted in ((value - NEAR, "ACCEPTED"), (value + NEAR, "Z0.loss.bound")):
        claim = bound(lower, weights, everything, counts=counts)
        assert outcome(tmp_path, rows, claim, times=times) == wanted


def test_samples_count_once_and_with_all_their_labels(tmp_path):
    rows, alone, zero = [[F(-1)], [F(-2)], [F(1)]], [[1, 0], [1, 0], [0, 1]], [[F(0), F(0)]]
    data = {"labels": [0, 0, 1], "activation": "Max(0, t)"}
    for equal in ([(0, 1), (1,)], [(0, 0)], [(0, 3)]):
        assert outcome(tmp_path, rows, bound(F(1, 8), zero, alone, equal=equal), **data) == "Z0.loss.equal"
    for support in ([[0, 1], *alone[1:]], [[2, 0], *alone[1:]]):
        assert outcome(tmp_path, rows, bound(F(1, 8), zero, support), **data) == "Z0.loss.support"
    assert outcome(tmp_path, rows, bound(F(1, 8), zero, alone), **data) == "Z0.loss.bound"
