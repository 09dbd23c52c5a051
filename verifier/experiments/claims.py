"""The paper's directional claims, judged over runs.

Exact numbers of the paper are not compared: other data, sizes and budgets. A claim says in which direction two
conditions differ, and is judged for each architecture and activation over seeds. A judgement is an observation about
training runs in floating point, with the statistics that it rests on; only `rand-fits` counts proofs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from verifier.display import count
from verifier.experiments.comparison import Judgement, Outcome, sgd_below
from verifier.experiments.groups import Condition, Group, common_seeds, grouped
from verifier.experiments.record import Run
from verifier.experiments.sentences import percent, points
from verifier.experiments.statistics import mean_interval, paired

FEW: Final = 3
"""Fewer runs than this decide nothing about a share of runs."""
TRAINS: Final = Fraction(99, 100)
"""A network trains if more than this share of the training samples is classified correctly at the end."""
NEAR_CHANCE: Final = Fraction(5, 100)
"""Test accuracy up to so much above that of always guessing the largest class is no better than chance."""
MARGIN: Final = 0.01
"""A mean test accuracy that is lower by less than this does not count as lower."""
VGG: Final = ("vgg11", "vgg13", "vgg16")
DEEP: Final = "fc150"

ByCondition = Mapping[Condition, Mapping[int, Run]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A directional claim: a key, the claim in words, the runs it needs, and how it is judged.

    ``judge`` takes all runs and returns a judgement for each group that has one of the runs needed; pooled ones may
    follow.
    """

    key: str
    statement: str
    needs: str
    judge: Callable[[Sequence[Run]], tuple[Judgement, ...]]


def judge_claims(runs: Sequence[Run]) -> tuple[tuple[Claim, tuple[Judgement, ...]], ...]:
    """Judge all claims; the judgements of a claim that no run concerns are empty.

    The few images of ``surface`` are for a picture and count for no claim.

    Raises
    ------
    InputError
        Two runs with the same group, condition and seed.
    """
    counted = [run for run in runs if run.experiment != "surface"]
    return tuple((claim, claim.judge(counted)) for claim in CLAIMS)


def _each(judge: Callable[[Group, ByCondition], Judgement | None]) -> Callable[[Sequence[Run]], tuple[Judgement, ...]]:
    """Judge each group by itself; None: it has none of the runs that the claim needs."""
    return lambda runs: tuple(found for group, by in grouped(runs).items() if (found := judge(group, by)) is not None)


def _skips_train(group: Group, by: ByCondition) -> Judgement | None:
    found = _runs(by, "skip")
    if not found:
        return None
    proved = sum(_proved_to_train(run) for run in found)
    words = f"{_of(found, _trains)} above 99% training accuracy (mean {_train(found)}); proved for {proved}"
    return Judgement(group, _all_or_none([_trains(run) for run in found]), words, len(found))


def _plain_sigmoid_vgg_fails(group: Group, by: ByCondition) -> Judgement | None:
    plain, skip = _runs(by, "plain"), _runs(by, "skip")
    if group.architecture not in VGG or group.activation != "sigmoid" or not plain + skip:
        return None
    outcome = _both([_at_chance(run) for run in plain], [not _at_chance(run) for run in skip])
    parts = [
        f"{name} skips {_of(found, _at_chance)} at chance{f', {_test(found)}' if found else ''}"
        for name, found in (("without", plain), ("with", skip))
    ]
    text = f"test accuracy: {'; '.join(parts)} (chance: {100.0 * float(_chance((plain + skip)[0])):.1f}%)"
    return Judgement(group, outcome, text, min(len(plain), len(skip)))


def _depth150(group: Group, by: ByCondition) -> Judgement | None:
    plain, skip = _runs(by, "plain"), _runs(by, "skip")
    if group.architecture != DEEP or not plain + skip:
        return None
    outcome = _both([_trains(run) for run in skip], [not _trains(run) for run in plain])
    parts = [
        f"{name} skips {_of(found, _trains)} above 99%{f', mean {_train(found)}' if found else ''}"
        for name, found in (("with", skip), ("without", plain))
    ]
    return Judgement(group, outcome, f"training accuracy: {'; '.join(parts)}", min(len(skip), len(plain)))


def _rand_fits(group: Group, by: ByCondition) -> Judgement | None:
    found = _runs(by, "rand")
    if not found:
        return None
    verdicts = ["" if run.certified is None else run.certified.verdict("zero_loss") for run in found]
    proved, refuted = verdicts.count("PROVED"), verdicts.count("REFUTED")
    outcome: Outcome = "reproduced" if proved == len(found) else "not reproduced" if refuted else "inconclusive"
    exact = sum(run.certified is not None and run.certified.errors_high == 0 for run in found)
    but = f", REFUTED in {refuted}" if refuted else ""
    words = f"Z1 PROVED in {proved} of {count(len(found), 'run')}{but}; in {exact} by the V found"
    return Judgement(group, outcome, words, len(found))


def _skips_do_not_hurt(group: Group, by: ByCondition) -> Judgement | None:
    plain, skip = dict(by.get("plain", {})), dict(by.get("skip", {}))
    seeds = [seed for seed in common_seeds(plain, skip) if _trains(plain[seed])]
    if not seeds:
        return None
    comparison = paired([-skip[s].test_error for s in seeds], [-plain[s].test_error for s in seeds])
    interval = comparison.difference
    outcome: Outcome = "reproduced" if interval.low > -MARGIN else "inconclusive"
    outcome = "not reproduced" if interval.high <= -MARGIN else outcome
    if len(seeds) < FEW and interval.half == 0.0:  # that two seeds agree says little about a third
        outcome = "inconclusive"
    left_out = len(common_seeds(plain, skip)) - len(seeds)
    words = f"test accuracy with minus without skips: {points(interval)}"
    words += f"; {count(left_out, 'seed')} without a trained plain network" if left_out else ""
    return Judgement(group, outcome, words, len(seeds), comparison)


CLAIMS: Final = (
    Claim(
        "skips-train",
        "Networks with skips to the output, trained by SGD, reach more than 99% training accuracy.",
        "SGD with skips",
        _each(_skips_train),
    ),
    Claim(
        "plain-sigmoid-vgg-fails",
        "A sigmoid VGG without skips stays within 5 points of the test accuracy of guessing; with skips it does not.",
        "SGD on a sigmoid VGG with and without skips",
        _each(_plain_sigmoid_vgg_fails),
    ),
    Claim(
        "depth150",
        "The fully connected network of 150 layers trains with skips and does not without.",
        "SGD on fc150 with and without skips",
        _each(_depth150),
    ),
    Claim(
        "rand-fits",
        "With U as drawn, optimising V alone reaches training error zero (Z1, proved for each run).",
        "rand with certificates",
        _each(_rand_fits),
    ),
    Claim(
        "sgd-generalises-better",
        "The test error of SGD on all weights, with skips, is below that of rand.",
        "SGD with skips and rand with the same seeds",
        lambda runs: sgd_below(runs, "rand", "rand"),
    ),
    Claim(
        "interpolation-overfits",
        "The test error of SGD with skips is below that of the least-norm solution of Psi V = onehot (the V of the"
        " proof), U as drawn.",
        "SGD with skips and interpolation with the same seeds",
        lambda runs: sgd_below(runs, "interpolation", "Psi V = onehot"),
    ),
    Claim(
        "skips-do-not-hurt",
        "Where the network without skips trains, skips do not lower the test accuracy (by 1 point or more).",
        "SGD with and without skips with the same seeds",
        _each(_skips_do_not_hurt),
    ),
)  # fmt: skip
"""The paper's claims that are judged."""


def _runs(by: ByCondition, condition: Condition) -> list[Run]:
    return list(by.get(condition, {}).values())


def _trains(run: Run) -> bool:
    return 1 - Fraction(run.last.train_errors, run.samples) > TRAINS


def _proved_to_train(run: Run) -> bool:
    return run.certified is not None and 1 - Fraction(run.certified.errors_high, run.samples) > TRAINS


def _chance(run: Run) -> Fraction:
    """Test accuracy of guessing the largest class; of a uniform guess where its size is not recorded."""
    return Fraction(run.test_majority, run.tests) if run.test_majority else Fraction(1, run.classes)


def _at_chance(run: Run) -> bool:
    return 1 - Fraction(run.last.test_errors, run.tests) <= _chance(run) + NEAR_CHANCE


def _all_or_none(agree: Sequence[bool]) -> Outcome:
    if len(agree) < FEW or any(agree) != all(agree):
        return "inconclusive"
    return "reproduced" if all(agree) else "not reproduced"


def _both(first: Sequence[bool], second: Sequence[bool]) -> Outcome:
    """Two statements that must hold together: one that always fails refutes both."""
    outcomes = {_all_or_none(first), _all_or_none(second)}
    if "not reproduced" in outcomes:
        return "not reproduced"
    return "reproduced" if outcomes == {"reproduced"} else "inconclusive"


def _of(runs: Sequence[Run], holds: Callable[[Run], bool]) -> str:
    return f"{sum(map(holds, runs))} of {count(len(runs), 'run')}"


def _train(runs: Sequence[Run]) -> str:
    return percent(mean_interval([1.0 - run.train_error for run in runs]))


def _test(runs: Sequence[Run]) -> str:
    return f"mean {percent(mean_interval([1.0 - run.test_error for run in runs]))}"
