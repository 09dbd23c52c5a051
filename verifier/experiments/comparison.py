"""Compares the test errors of two conditions over the same seeds: for each network, and over all networks together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Final, Literal

from verifier.display import count
from verifier.experiments.groups import Condition, Group, Pool, common_seeds, grouped
from verifier.experiments.record import Run
from verifier.experiments.sentences import p_words, points
from verifier.experiments.statistics import Paired, holm, paired

Outcome = Literal["reproduced", "not reproduced", "inconclusive"]

ALPHA: Final = 0.05
"""Significance, of two-sided p values: after Holm's correction over the groups of a claim, pooled ones as they are."""

_Errors = tuple[Mapping[int, float], Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the runs of one group say about a claim, or those of several groups together.

    ``words`` has the numbers. ``seeds`` counts the runs, or pairs of runs, that it rests on; pooled, the seeds.
    ``comparison`` is the paired difference, where the claim is about one, and ``adjusted`` its two-sided p value after
    Holm's correction over the groups of the claim; a pooled judgement is one further test, outside that family, and has
    none.
    """

    group: Group | Pool
    outcome: Outcome
    words: str
    seeds: int
    comparison: Paired | None = None
    adjusted: float | None = None

    @property
    def pooled(self) -> bool:
        """Whether it is about several groups together."""
        return isinstance(self.group, Pool)


def sgd_below(runs: Sequence[Run], other: Condition, name: str) -> tuple[Judgement, ...]:
    """Judge whether the test error of SGD with skips is below that of another condition.

    Parameters
    ----------
    runs : sequence of Run
        All runs.
    other : Condition
        What SGD with skips is compared with, over the seeds that both have.
    name : str
        The other condition in words.

    Returns
    -------
    tuple of Judgement
        One for each group with a common seed, by the paired test over seeds with Holm's correction over groups. Then,
        for each data set with several such groups, a pooled one: the mean difference over its groups for each seed that
        all of them have in both conditions, and the paired test over these seeds.
    """
    errors = _errors(runs, other)
    what = f"test error with SGD minus with {name}"
    single = []
    for group, (ours, theirs) in errors.items():
        comparison = paired(*([part[seed] for seed in ours] for part in (ours, theirs)))
        single.append(Judgement(group, "inconclusive", "", len(ours), comparison))
    return (*_corrected(single, what), *_pooled(errors, what))


def _errors(runs: Sequence[Run], other: Condition) -> dict[Group, _Errors]:
    """Test errors of SGD with skips and of the other condition by their common seeds, of groups that have any."""
    found: dict[Group, _Errors] = {}
    for group, by in grouped(runs).items():
        ours, theirs = by.get("skip", {}), by.get(other, {})
        seeds = common_seeds(ours, theirs)
        if seeds:
            found[group] = ({s: ours[s].test_error for s in seeds}, {s: theirs[s].test_error for s in seeds})
    return found


def _corrected(judged: Sequence[Judgement], what: str) -> tuple[Judgement, ...]:
    """Decide by the two-sided p values after Holm's correction over all groups."""
    values = [j.comparison.p_two for j in judged if j.comparison is not None and j.comparison.p_two is not None]
    left = iter(holm(values))
    found = []
    for j in judged:
        if j.comparison is not None:
            p = None if j.comparison.p_two is None else next(left)
            words = f"{what}: {points(j.comparison.difference)}; {p_words(j.comparison, p)}"
            found.append(replace(j, outcome=_outcome(j.comparison, p), words=words, adjusted=p))
    return tuple(found)


def _pooled(errors: Mapping[Group, _Errors], what: str) -> tuple[Judgement, ...]:
    """A judgement for each data set with several groups that have a seed in common."""
    sets: dict[tuple[str, int, int, str], list[_Errors]] = {}
    for group, both in errors.items():
        sets.setdefault((group.data, group.samples, group.tests, group.experiment), []).append(both)
    found = []
    for key, members in sets.items():
        seeds = sorted(set.intersection(*(set(ours) for ours, _ in members)))
        if len(members) > 1 and seeds:
            means = [[fsum(both[side][s] for both in members) / len(members) for s in seeds] for side in (0, 1)]
            comparison = paired(*means)
            words = (
                f"{what}, mean over {count(len(members), 'network')}, {count(len(seeds), 'seed')}:"
                f" {points(comparison.difference)}; {p_words(comparison)}; outside Holm's family"
            )
            pool = Pool(*key, networks=len(members))
            found.append(Judgement(pool, _outcome(comparison, comparison.p_two), words, len(seeds), comparison))
    return tuple(found)


def _outcome(comparison: Paired, p: float | None) -> Outcome:
    if p is None or p >= ALPHA:
        return "inconclusive"
    return "reproduced" if comparison.difference.mean < 0.0 else "not reproduced"
