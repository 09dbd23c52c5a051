"""Intervals and p values against scipy and printed tables; claims on planted runs whose outcome is known."""

from __future__ import annotations

import itertools
import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_runs import certified, curve, everything, family, run
from scipy import stats

from verifier.errors import InputError
from verifier.experiments.claims import CLAIMS, judge_claims
from verifier.experiments.comparison import Judgement
from verifier.experiments.groups import condition_of, group_of, grouped, in_order
from verifier.experiments.record import Run
from verifier.experiments.sentences import p_value, percent, points, signed
from verifier.experiments.statistics import ConfidenceInterval, holm, mean_interval, paired

T_975 = {1: 12.706, 2: 4.303, 4: 2.776, 9: 2.262}
"""Student's 0.975 quantile by degrees of freedom, from printed tables."""


@pytest.mark.parametrize("freedom", T_975)
def test_the_half_width_is_the_one_of_printed_tables(freedom):
    n = freedom + 1
    values = [0.0] * (n - 1) + [float(n)]  # mean 1, variance n
    found = mean_interval(values)
    assert found.n == n and found.mean == 1.0
    assert found.half == pytest.approx(T_975[freedom] * math.sqrt(n) / math.sqrt(n), rel=2e-4)


def test_a_mean_is_what_scipy_says():
    values = [0.031, 0.035, 0.028, 0.04]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx(expected)
    assert {mean_interval(order) for order in itertools.permutations(values)} == {found}


def test_one_value_has_no_interval_and_equal_ones_one_of_width_zero():
    assert mean_interval([0.25]) == ConfidenceInterval(0.25, None, 1)
    assert (mean_interval([0.25]).low, mean_interval([0.25]).high) == (-math.inf, math.inf)
    assert mean_interval([0.1] * 3) == ConfidenceInterval(pytest.approx(0.1), 0.0, 3)
    for bad in ([], [math.nan, 1.0], [math.inf]):
        with pytest.raises(InputError, match="at least one value, all finite"):
            mean_interval(bad)


def test_a_paired_difference_is_what_scipy_says():
    first, second = [0.031, 0.035, 0.028, 0.04, 0.03], [0.04, 0.037, 0.036, 0.041, 0.042]
    found = paired(first, second)
    for alternative, p in (("less", found.p_less), ("greater", found.p_greater), ("two-sided", found.p_two)):
        assert p == pytest.approx(stats.ttest_rel(first, second, alternative=alternative).pvalue)
    interval = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(interval))
    assert found.test == "t"
    back = paired(second, first)
    assert back.p_two == pytest.approx(found.p_two) and back.p_less == pytest.approx(found.p_greater)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_equal_differences_are_counted_by_the_sign_test(n):
    values = [0.1 * k for k in range(n)]
    found = paired(values, [value + 0.3 for value in values])  # equal only up to rounding
    assert found.test == "sign" and found.difference.half == 0.0
    assert found.difference.mean == pytest.approx(-0.3)
    assert (found.p_less, found.p_greater, found.p_two) == (0.5**n, 1.0, 0.5 ** (n - 1))
    assert found.p_two == pytest.approx(stats.binomtest(0, n).pvalue)


def test_no_difference_and_one_pair():
    same = paired([0.1, 0.2], [0.1, 0.2])
    assert (same.p_two, same.test, same.difference) == (1.0, "none", ConfidenceInterval(0.0, 0.0, 2))
    one = paired([0.1], [0.2])
    assert (one.p_two, one.p_less, one.test, one.difference.half) == (None, None, "none", None)
    nearly = paired([0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2])
    assert nearly.p_two == 1.0  # 0.1 + 0.2 - 0.3 is rounding alone
    with pytest.raises(InputError, match="2 and 1 values"):
        paired([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="at least one value"):
        paired([], [])


def test_the_t_test_holds_its_level():
    """Of 500 samples without a difference 5 percent are called significant; 4 standard deviations are 4 percent."""
    rng = np.random.default_rng(0)
    found = [paired(rng.normal(size=4), rng.normal(size=4)) for _ in range(500)]
    assert abs(np.mean([p.p_two < 0.05 for p in found]) - 0.05) < 0.04
    assert abs(np.mean([p.difference.low <= 0.0 <= p.difference.high for p in found]) - 0.95) < 0.04


def test_holm_on_the_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == () and holm([0.7, 0.9]) == (1.0, 1.0)


@given(st.lists(st.floats(0.0, 1.0), max_size=8))
def test_holm_is_monotone_and_never_below_the_p_value(values):
    adjusted = holm(values)
    assert all(p <= q <= 1.0 for p, q in zip(values, adjusted, strict=True))
    pairs = sorted(zip(values, adjusted, strict=True))
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(pairs))


def judged(key: str, runs: list[Run]) -> list[Judgement]:
    return next(list(judgements) for claim, judgements in judge_claims(runs) if claim.key == key)


def outcome(key: str, runs: list[Run]) -> str:
    (found,) = judged(key, runs)
    return found.outcome


def test_skips_train():
    assert outcome("skips-train", family("skip", (9, 9, 9), (0, 0, 9))) == "reproduced"
    assert outcome("skips-train", family("skip", (9, 9, 9), (10, 20, 30))) == "not reproduced"  # 99% is not above
    assert outcome("skips-train", family("skip", (9, 9, 9), (0, 0, 10))) == "inconclusive"
    assert outcome("skips-train", family("skip", (9, 9))) == "inconclusive"
    assert judged("skips-train", family("plain", (9, 9, 9))) == []
    (found,) = judged("skips-train", family("skip", (9, 9, 9), (0, 0, 10), certified=certified(high=3)))
    assert found.words == "2 of 3 runs above 99% training accuracy (mean 99.7 ± 1.4%); proved for 3"
    assert found.seeds == 3


def test_a_sigmoid_vgg_fails_without_skips():
    key = "plain-sigmoid-vgg-fails"
    fails, works = family("plain", (88, 88, 83)), family("skip", (9, 10, 82))
    assert outcome(key, fails + works) == "reproduced"  # chance is 12 percent, so 17 is not better and 18 is
    assert outcome(key, family("plain", (82, 10, 10)) + works) == "not reproduced"
    assert outcome(key, fails + family("skip", (88, 88, 88))) == "not reproduced"
    assert outcome(key, family("plain", (88, 88, 10)) + works) == "inconclusive"
    assert outcome(key, fails[:2] + works) == outcome(key, fails) == outcome(key, works) == "inconclusive"
    for other in ({"activation": "softplus(20)"}, {"architecture": "cnn13"}):
        assert judged(key, family("plain", (88, 88, 88), **other)) == []
    (found,) = judged(key, fails + works)
    assert found.words.startswith("test accuracy: without skips 3 of 3 runs at chance, mean 13.7 ±")
    assert "with skips 0 of 3 runs at chance" in found.words and found.words.endswith("(chance: 12.0%)")
    unknown = [msgspec.structs.replace(r, test_majority=0) for r in family("plain", (85, 86, 87))]
    assert "3 of 3 runs at chance" in judged(key, unknown)[0].words  # at most 10 + 5 percent
    assert "(chance: 10.0%)" in judged(key, unknown)[0].words


def test_the_deep_network_trains_with_skips_only():
    deep = {"architecture": "fc150"}
    skip = [run(seed=s, epochs=curve(True, s, 9), **deep) for s in range(3)]
    plain = [run(seed=s, epochs=curve(False, s), skip=False, **deep) for s in range(3)]
    assert outcome("depth150", skip + plain) == "reproduced"
    assert outcome("depth150", skip + family("plain", (9, 9, 9), **deep)) == "not reproduced"
    assert outcome("depth150", skip) == outcome("depth150", plain) == "inconclusive"
    assert outcome("depth150", skip[:2] + plain) == "inconclusive"
    assert judged("depth150", family("skip", (1, 1, 1))) == []


def test_rand_fits_counts_proofs():
    rand = family("rand", (15, 16))
    assert outcome("rand-fits", rand) == "reproduced"
    some = [rand[0], msgspec.structs.replace(rand[1], certified=certified("UNDECIDED", high=2))]
    assert outcome("rand-fits", some) == "inconclusive"
    assert judged("rand-fits", some)[0].words == "Z1 PROVED in 1 of 2 runs; in 1 by the V found"
    none = [rand[0], msgspec.structs.replace(rand[1], certified=None)]
    assert outcome("rand-fits", none) == "inconclusive"
    refuted = [rand[0], msgspec.structs.replace(rand[1], certified=certified("REFUTED", 1, 2))]
    assert outcome("rand-fits", refuted) == "not reproduced"
    assert ", REFUTED in 1;" in judged("rand-fits", refuted)[0].words


def test_sgd_generalises_better_where_the_paired_difference_says_so():
    key = "sgd-generalises-better"
    better = family("skip", (9, 10, 11, 10)) + family("rand", (15, 17, 16, 17))
    (found,) = judged(key, better)
    assert found.outcome == "reproduced" and found.seeds == 4
    assert found.comparison.difference.mean == pytest.approx(-0.0625)
    expected = stats.ttest_rel([0.09, 0.10, 0.11, 0.10], [0.15, 0.17, 0.16, 0.17])
    assert found.comparison.p_two == pytest.approx(expected.pvalue) == found.adjusted
    low, high = (100 * end for end in expected.confidence_interval(0.95))
    assert f"−6.25 points, 95% interval [{signed(low)}, {signed(high)}]" in found.words
    assert "paired t test" in found.words and "after Holm's correction" in found.words
    worse = family("skip", (15, 17, 16, 17)) + family("rand", (9, 10, 11, 10))
    assert outcome(key, worse) == "not reproduced"
    assert outcome(key, family("skip", (9, 17, 16)) + family("rand", (15, 10, 11))) == "inconclusive"
    (one,) = judged(key, family("skip", (9,)) + family("rand", (15, 16)))
    assert (one.outcome, one.seeds) == ("inconclusive", 1) and "too few seeds" in one.words
    assert judged(key, [*family("skip", (9,)), run(seed=1, method="rand")]) == []
    (equal,) = judged(key, family("skip", (9, 10, 11)) + family("rand", (12, 13, 14)))
    assert equal.outcome == "inconclusive" and "sign test: all differences are equal" in equal.words


def test_holms_correction_is_over_the_groups_of_the_claim():
    key, skip, rand = "sgd-generalises-better", (9, 10, 11, 12), (11, 14, 13, 18)
    alone = family("skip", skip) + family("rand", rand)
    (single,) = judged(key, alone)
    assert 0.025 < single.adjusted == single.comparison.p_two < 0.05 and single.outcome == "reproduced"
    other = [f for c, t in (("skip", skip), ("rand", (9, 13, 11, 12))) for f in family(c, t, architecture="cnn13")]
    first, second, together = judged(key, alone + other)
    assert [first.group.architecture, second.group.architecture] == ["cnn13", "vgg11"]
    assert second.adjusted == pytest.approx(2 * single.comparison.p_two) and second.outcome == "inconclusive"
    assert together.pooled and not first.pooled and together.adjusted is None


def test_the_v_of_the_proof_is_judged_as_rand_is():
    key, skip, other = "interpolation-overfits", family("skip", (9, 10, 11, 10)), (15, 17, 16, 17)
    (found,) = judged(key, skip + family("interpolation", other))
    (twin,) = judged("sgd-generalises-better", skip + family("rand", other))
    assert (found.outcome, found.comparison, found.adjusted) == ("reproduced", twin.comparison, twin.adjusted)
    assert found.words == twin.words.replace("with rand", "with Psi V = onehot")
    assert outcome(key, family("skip", other) + family("interpolation", (9, 10, 11, 10))) == "not reproduced"
    assert judged(key, skip + family("rand", other)) == []
    assert judged("sgd-generalises-better", skip + family("interpolation", other)) == []
    assert judged(key, skip + family("interpolation", other, skip=False)) == []  # without skips: another condition


def pooled(runs, key="sgd-generalises-better"):
    return [j for j in judged(key, runs) if j.pooled]


@pytest.mark.parametrize(
    ("key", "other"), [("sgd-generalises-better", "rand"), ("interpolation-overfits", "interpolation")]
)
def test_all_networks_together_are_the_paired_test_of_the_means_per_seed(key, other):
    first = family("skip", (9, 10, 11, 50)) + family(other, (15, 9, 16, 1))
    second = [
        *family("skip", (5, 9, 6), architecture="cnn13"),
        *family(other, (8, 14, 12, 7), architecture="cnn13"),
    ]
    alone = [*family("skip", (7,), architecture="fc2"), *family(other, (), architecture="fc2")]  # nothing to compare
    (found,) = pooled(first + second + alone, key)
    differences = [((9 - 15) + (5 - 8)) / 200, ((10 - 9) + (9 - 14)) / 200, ((11 - 16) + (6 - 12)) / 200]
    expected = stats.ttest_1samp(differences, 0.0)  # seed 3 is not in both conditions of both networks
    assert found.seeds == 3 and found.group.networks == 2 and found.group.words == "all networks together"
    assert (found.group.data, found.group.samples, found.group.tests) == ("digits", 1000, 100)
    assert found.comparison.difference.mean == pytest.approx(np.mean(differences))
    assert found.comparison.p_two == pytest.approx(expected.pvalue)
    assert found.outcome == ("reproduced" if expected.pvalue < 0.05 else "inconclusive") and found.adjusted is None
    assert "mean over 2 networks, 3 seeds: −4.00 points" in found.words
    assert found.words.endswith("outside Holm's family") and "correction" not in found.words
    for j in judged(key, first + second):  # Holm's family has the two networks, whatever is pooled
        if not j.pooled:
            others = [k.comparison.p_two for k in judged(key, first + second) if not k.pooled]
            assert j.adjusted == pytest.approx(holm(others)[others.index(j.comparison.p_two)])


def test_pooling_can_decide_what_no_network_does_and_in_both_directions():
    def networks(ours, theirs):
        return [
            found
            for k, architecture in enumerate(("cnn13", "vgg11", "fc2"))
            for condition, values in (("skip", ours), ("rand", theirs))
            for found in family(condition, values[k], architecture=architecture)
        ]

    low, high = ((9, 12, 10), (10, 9, 12), (12, 10, 9)), ((11, 21, 12), (19, 12, 14), (14, 11, 20))
    judgements = judged("sgd-generalises-better", networks(low, high))
    assert [j.outcome for j in judgements] == ["inconclusive"] * 3 + ["reproduced"]
    assert pooled(networks(high, low))[0].outcome == "not reproduced"
    assert pooled(networks(low, low))[0].outcome == "inconclusive"


def test_nothing_is_pooled_over_one_network_several_data_sets_or_no_common_seed():
    one = family("skip", (9, 10)) + family("rand", (15, 17))
    assert pooled(one) == []
    assert pooled(one + [msgspec.structs.replace(r, data="mnist") for r in one]) == []
    assert pooled(one + [msgspec.structs.replace(r, samples=500) for r in one]) == []
    shifted = [msgspec.structs.replace(r, seed=r.seed + 5, architecture="cnn13") for r in one]
    assert pooled(one + shifted) == []
    (single,) = pooled(one + [msgspec.structs.replace(r, seed=r.seed + 1, architecture="cnn13") for r in one])
    assert (single.seeds, single.outcome, single.comparison.p_two) == (1, "inconclusive", None)
    assert "too few seeds for a test" in single.words
    both = one + [msgspec.structs.replace(r, architecture="cnn13") for r in one]
    two = both + [msgspec.structs.replace(r, data="mnist") for r in both]
    assert [j.group.data for j in pooled(two)] == ["digits", "mnist"]


def test_skips_do_not_hurt():
    key, plain = "skips-do-not-hurt", family("plain", (10, 11, 12))
    assert outcome(key, plain + family("skip", (9, 10, 10))) == "reproduced"
    assert outcome(key, plain + family("skip", (10, 11, 12))) == "reproduced"
    assert outcome(key, plain + family("skip", (20, 21, 23))) == "not reproduced"
    assert outcome(key, plain + family("skip", (8, 15, 10))) == "inconclusive"
    assert outcome(key, plain[:2] + family("skip", (9, 10))) == "inconclusive"
    assert judged(key, family("plain", (10, 10, 10), (20, 20, 20)) + family("skip", (9, 10, 10))) == []
    (found,) = judged(key, family("plain", (10, 11, 12), (0, 0, 500)) + family("skip", (9, 9, 9)))
    assert found.seeds == 2 and found.words.endswith("1 seed without a trained plain network")
    assert found.comparison.difference.mean == pytest.approx(0.015)


def test_skips_that_cost_less_than_a_point_for_certain_do_not_hurt():
    """The sentence is about a point or more, so a smaller loss is not against it, however certain it is."""
    key, plain = "skips-do-not-hurt", family("plain", (100, 110, 120), tests=1000)
    (small,) = judged(key, plain + family("skip", (104, 115, 124), tests=1000))
    assert small.comparison.difference.high < 0 and small.outcome == "reproduced"
    (larger,) = judged(key, plain + family("skip", (106, 118, 130), tests=1000))
    assert larger.comparison.difference.high < 0 and larger.outcome == "inconclusive"
    assert outcome(key, plain + family("skip", (125, 135, 146), tests=1000)) == "not reproduced"


def test_every_claim_has_something_to_say_and_the_order_of_runs_says_nothing():
    runs = everything()
    found = judge_claims(runs)
    assert [claim.key for claim, judgements in found if judgements] == [claim.key for claim in CLAIMS]
    for seed in range(3):
        shuffled = random.Random(seed).sample(runs, len(runs))
        assert judge_claims(shuffled) == found
        assert in_order(shuffled) == in_order(runs)
    for _, judgements in judge_claims([]):
        assert judgements == ()


def test_groups_are_in_the_papers_order_and_seeds_occur_once():
    names = ("zeta", "fc2", "densenet121", "cnn13", "alpha")
    runs = [run(architecture=name, activation=a) for name in names for a in ("softplus(20)", "sigmoid")]
    groups = list(grouped(runs))
    assert [group.architecture for group in groups][::2] == ["cnn13", "densenet121", "fc2", "alpha", "zeta"]
    assert [group.activation for group in groups][:2] == ["sigmoid", "softplus(20)"]
    assert groups[0].words == "cnn13, sigmoid"
    with pytest.raises(InputError, match="two of digits, vgg11, sigmoid, skip, seed 0"):
        grouped([run(), run(test_errors=20)])
    assert len(grouped([run(), run(samples=500)])) == 2  # another size is another group
    assert condition_of(run(method="rand", skip=False)) == "plain rand"
    assert condition_of(run(method="interpolation")) == "interpolation"
    assert condition_of(run(method="interpolation", skip=False)) == "plain interpolation"
    assert group_of(run()) == group_of(run(seed=3, skip=False))


def test_numbers_in_words():
    assert (
        percent(ConfidenceInterval(0.034, 0.005, 3)) == "3.4 ± 0.5%"
        and percent(ConfidenceInterval(0.5, None, 1)) == "50.0%"
    )
    assert points(ConfidenceInterval(-0.01, None, 1)) == "−1.00 points (one seed, no interval)"
    assert (signed(1e-9), signed(-1e-9), signed(-1.5), signed(2)) == ("0.00", "0.00", "−1.50", "+2.00")
    assert (p_value(0.0123), p_value(1e-9)) == ("p = 0.012", "p < 1e-6")
