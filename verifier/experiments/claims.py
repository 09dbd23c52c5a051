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
from verifier.experiments.groups import Condition, common_seeds, grouped
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


def _skips_train(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    judged = []
    for group, by in grouped(runs).items():
        if "skip" in by:
            found = list(by["skip"].values())
            outcome = _all_or_none([_trains(run) for run in found])
            proved = sum(_proved_to_train(run) for run in found)
            words = f"{_of(found, _trains)} above 99% training accuracy (mean {_train(found)}); proved for {proved}"
            judged.append(Judgement(group, outcome, words, len(found)))
    return tuple(judged)


def _plain_sigmoid_vgg_fails(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    judged = []
    for group, by in grouped(runs).items():
        if group.architecture in VGG and group.activation == "sigmoid" and {"plain", "skip"} & by.keys():
            expected = [
                [_at_chance(run) for run in _runs(by, "plain")],
                [not _at_chance(run) for run in _runs(by, "skip")],
            ]
            words = []
            for name, condition in (("without", "plain"), ("with", "skip")):
                found = _runs(by, condition)  # type: ignore[arg-type]  # one of the two
                words.append(f"{name} skips {_of(found, _at_chance)} at chance{f', {_test(found)}' if found else ''}")
            chance = _chance(next(iter(_runs(by, "plain") or _runs(by, "skip"))))
            text = f"test accuracy: {'; '.join(words)} (chance: {100.0 * float(chance):.1f}%)"
            judged.append(Judgement(group, _both(*expected), text, min(map(len, expected))))
    return tuple(judged)


def _depth150(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    judged = []
    for group, by in grouped(runs).items():
        if group.architecture == DEEP and {"plain", "skip"} & by.keys():
            plain, skip = _runs(by, "plain"), _runs(by, "skip")
            parts = [
                f"{name} skips {_of(found, _trains)} above 99%{f', mean {_train(found)}' if found else ''}"
                for name, found in (("with", skip), ("without", plain))
            ]
            outcome = _both([_trains(run) for run in skip], [not _trains(run) for run in plain])
            words = f"training accuracy: {'; '.join(parts)}"
            judged.append(Judgement(group, outcome, words, min(len(skip), len(plain))))
    return tuple(judged)


def _rand_fits(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    judged = []
    for group, by in grouped(runs).items():
        if "rand" in by:
            found = list(by["rand"].values())
            verdicts = ["" if run.certified is None else run.certified.verdict("zero_loss") for run in found]
            proved = verdicts.count("PROVED")
            outcome: Outcome = "reproduced" if proved == len(found) else "inconclusive"
            outcome = "not reproduced" if "REFUTED" in verdicts else outcome
            exact = sum(run.certified is not None and run.certified.errors_high == 0 for run in found)
            refuted = f", REFUTED in {verdicts.count('REFUTED')}" if "REFUTED" in verdicts else ""
            words = f"Z1 PROVED in {proved} of {count(len(found), 'run')}{refuted}; in {exact} by the V found"
            judged.append(Judgement(group, outcome, words, len(found)))
    return tuple(judged)


def _sgd_generalises_better(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    return sgd_below(runs, "rand", "rand")


def _interpolation_overfits(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    return sgd_below(runs, "interpolation", "Psi V = onehot")


def _skips_do_not_hurt(runs: Sequence[Run]) -> tuple[Judgement, ...]:
    judged = []
    for group, by in grouped(runs).items():
        plain, skip = dict(by.get("plain", {})), dict(by.get("skip", {}))
        seeds = [seed for seed in common_seeds(plain, skip) if _trains(plain[seed])]
        if seeds:
            comparison = paired([-skip[s].test_error for s in seeds], [-plain[s].test_error for s in seeds])
            interval = comparison.difference
            outcome: Outcome = "reproduced" if interval.low > -MARGIN else "inconclusive"
            outcome = "not reproduced" if interval.high < 0.0 else outcome
            if len(seeds) < FEW and interval.half == 0.0:  # that two seeds agree says little about a third
                outcome = "inconclusive"
            words = f"test accuracy with minus without skips: {points(interval)}"
            left_out = len(common_seeds(plain, skip)) - len(seeds)
            words += f"; {count(left_out, 'seed')} without a trained plain network" if left_out else ""
            judged.append(Judgement(group, outcome, words, len(seeds), comparison))
    return tuple(judged)


CLAIMS: Final = (
    Claim(
        "skips-train",
        "Networks with skips to the output, trained by SGD, reach more than 99% training accuracy.",
        "SGD with skips",
        _skips_train,
    ),
    Claim(
        "plain-sigmoid-vgg-fails",
        "A sigmoid VGG without skips stays within 5 points of the test accuracy of guessing; with skips it does not.",
        "SGD on a sigmoid VGG with and without skips",
        _plain_sigmoid_vgg_fails,
    ),
    Claim(
        "depth150",
        "The fully connected network of 150 layers trains with skips and does not without.",
        "SGD on fc150 with and without skips",
        _depth150,
    ),
    Claim(
        "rand-fits",
        "With U as drawn, optimising V alone reaches training error zero (Z1, proved for each run).",
        "rand with certificates",
        _rand_fits,
    ),
    Claim(
        "sgd-generalises-better",
        "The test error of SGD on all weights, with skips, is below that of rand.",
        "SGD with skips and rand with the same seeds",
        _sgd_generalises_better,
    ),
    Claim(
        "interpolation-overfits",
        "The test error of SGD with skips is below that of the least-norm solution of Psi V = onehot (the V of the"
        " proof), U as drawn.",
        "SGD with skips and interpolation with the same seeds",
        _interpolation_overfits,
    ),
    Claim(
        "skips-do-not-hurt",
        "Where the network without skips trains, skips do not lower the test accuracy (by 1 point or more).",
        "SGD with and without skips with the same seeds",
        _skips_do_not_hurt,
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
