"""What is said of a case: true of exactly what was found, whatever was asked for; wrong conclusions are caught."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import verifier as vf
from verifier.conclusion import HERE, conclude, conclude_all, lines
from verifier.found import Found, statement_verdict, step
from verifier.outcome import Step
from verifier.problem import with_decay
from verifier.run.case import read_case
from verifier.run.case_problem import case_options, case_problem
from verifier.run.record import CaseRecord, Failure, StatementRecord, record_of
from verifier.statements.catalogue import STATEMENTS
from verifier.verdict import Verdict

P, R, U = Verdict.PROVED, Verdict.REFUTED, Verdict.UNDECIDED


def a_case(
    steps: dict[str, tuple[str, Verdict]], statements: dict[str, Verdict] | None = None, **more: object
) -> CaseRecord:
    """A record with these steps (label and verdict by key) and statements (all others do not apply)."""
    found = tuple(Step(key, label, verdict, "why", 0.1) for key, (label, verdict) in steps.items())
    known = statements or {}
    theorem = tuple(
        StatementRecord(
            label=each.label, title=each.title, applies=each.label in known, verdict=known.get(each.label, U)
        )
        for each in STATEMENTS.values()
        if statements is not None
    )
    return CaseRecord(name="case", title="Case", toml="", steps=found, theorem=theorem, **more)  # type: ignore[arg-type]


START = {"rank": ("R1", P), "zero_loss": ("Z1", P), "path": ("P1", P)}
NO_VALLEY = "this loss landscape has no bad local valley"
OPEN = "it is open whether this loss landscape has bad local valleys"
DECREASES = "from this start (U, V) a continuous path on which the cross-entropy strictly decreases leads to loss 0"

CASES: list[tuple[str, CaseRecord, str, str]] = [
    ("everything", a_case(START, {"T3.4(2)": P}), "PROVED", f"{NO_VALLEY}; {DECREASES}."),
    (
        "rank refuted here, generic proved, E3",
        a_case(
            {"rank": ("R5", R), "zero_loss": ("Z1", R), "path": ("E3", P)},
            {"T3.4(2)": P, "L3.2 genericity": P, "rank": R},
        ),
        "PROVED",
        f"{NO_VALLEY}; from this start (U, V) a continuous path leads to loss 0 on which the cross-entropy first stays "
        "below its value at the start plus epsilon and then strictly decreases (that it never increases is not "
        "claimed).",
    ),
    (
        "M < N",
        a_case(START | {"rank": ("R5", R)}, {"T3.4(2)": U, "L3.2 construction": R}),
        "UNDECIDED",
        f"{OPEN}: no U gives the feature matrix full row rank (refuted for every U), so the theorem's proof does not "
        f"apply; {DECREASES}.",
    ),
    (
        "undecided, no path",
        a_case({"rank": ("R3", U), "zero_loss": ("Z1", U), "path": ("P1", U)}, {"T3.4(2)": U}),
        "UNDECIDED",
        f"{OPEN}; no path from this start (U, V) to loss 0 was certified: whether one exists is open.",
    ),
    (
        "a path exists but is not constructed",
        a_case({"rank": ("R5", R), "zero_loss": ("Z1", R), "path": ("P1", U)}, {"T3.4(2)": P, "S": P}),
        "PROVED",
        f"{NO_VALLEY}; from this start (U, V) a path on which the loss never increases and comes arbitrarily close to "
        "its infimum is proved to exist (S), but none was constructed.",
    ),
    (
        "conflicting labels",
        a_case({"rank": ("R1", P), "zero_loss": ("X1", R), "path": ("X1", P)}, {"T3.4(2)": P, "X1": P}),
        "PROVED",
        f"{NO_VALLEY}; from this start (U, V) a continuous path on which the cross-entropy does not increase comes "
        "within the epsilon asked for of the infimum, which is positive because equal samples have different labels.",
    ),
    (
        "conflicting labels, kept, and a loss below the infimum asked for",
        a_case({"rank": ("R5", R), "zero_loss": ("X1", R), "path": ("P1", R)}, {"T3.4(2)": U}),
        "UNDECIDED",
        f"{OPEN}; no path leads to the least of the losses asked for, because equal samples have different labels and "
        "the infimum is positive.",
    ),
    (
        "regression",
        a_case({"rank": ("R1", P), "zero_loss": ("R1", P), "path": ("TC.3", P)}, {"T3.4(2)": P}),
        "PROVED",
        f"{NO_VALLEY}; from this start (U, V) a continuous path on which the squared error does not increase comes "
        "within the epsilon asked for of its infimum.",
    ),
    (
        "weight decay, WD proved",
        a_case(START, {"T3.4(2)": P, "WD": P}, weight_decay=with_decay("0.02")),
        "PROVED",
        f"this loss landscape, without weight decay, has no bad local valley; {DECREASES}; the loss WITH the weight "
        "decay has a bad local valley, at the origin (WD).",
    ),
    (
        "weight decay, WD open",
        a_case(START, {"T3.4(2)": P, "WD": U}, weight_decay=with_decay("0.02")),
        "PROVED",
        f"this loss landscape, without weight decay, has no bad local valley; {DECREASES}; all of this is about the "
        "loss WITHOUT weight decay.",
    ),
    ("only a path", a_case(START), "PROVED", f"{DECREASES}."),
    ("only the rank", a_case({"rank": ("R1", P)}), "PROVED", "Psi(U) has full row rank at this U: why."),
    (
        "only the rank, refuted",
        a_case({"rank": ("R5", R)}),
        "REFUTED",
        "Psi(U) does not have full row rank at this U: why.",
    ),
    (
        "error",
        CaseRecord(name="c", title="", toml="", error=Failure("input", "no file")),
        "ERROR",
        "no verdict: no file",
    ),
]


@pytest.mark.parametrize(("found", "verdict", "sentence"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_concluded(found: CaseRecord, verdict: str, sentence: str) -> None:
    conclusion = conclude(found)
    assert (conclusion.verdict, conclusion.sentence) == (verdict, sentence)
    assert not faults(found, conclusion.verdict, conclusion.sentence)


def faults(found: Found, verdict: str, sentence: str) -> list[str]:
    """What a conclusion claims beyond the verdicts behind it, judged by its words alone."""
    path, valleys = step(found, "path"), statement_verdict(found, "T3.4(2)")
    label = "" if path is None or path.verdict is not P else path.label
    claims = {
        "has no bad local valley": valleys is P,
        "a continuous path": label != "",
        "strictly decreases leads": label in ("P1", "E1"),
        "never increases (": label in ("E2", "E4", "S.path"),
        "leads to loss 0": label not in ("", "X1", "TC.3"),
        "is proved to exist": statement_verdict(found, "S") is P or statement_verdict(found, "E4") is P,
        "whether one exists is open": statement_verdict(found, "S") is not P,
        "has full row rank": step(found, "rank") is not None and step(found, "rank").verdict is P,  # type: ignore[union-attr]
        "WITH the weight decay has a bad": statement_verdict(found, "WD") is P,
        "refuted for every U": statement_verdict(found, "L3.2 construction") is R,
    }
    beyond = [words for words, true in claims.items() if words in sentence and not true]
    if label == "E3" and "not claimed" not in sentence:
        beyond.append("a path that may rise by epsilon")
    if found.weight_decay and "without weight decay" not in sentence.lower():
        beyond.append("the loss with weight decay")
    if valleys is not None and verdict != valleys:
        beyond.append(f"the verdict {verdict}")
    return beyond


WRONG = {
    "no bad local valley where that is open": ("M < N", "PROVED", f"{NO_VALLEY}; {DECREASES}."),
    "REFUTED where a hypothesis fails": ("M < N", "REFUTED", f"{OPEN}; {DECREASES}."),
    "decreasing where it may rise": ("rank refuted here, generic proved, E3", "PROVED", f"{NO_VALLEY}; {DECREASES}."),
    "loss 0 where labels conflict": ("conflicting labels", "PROVED", f"{NO_VALLEY}; {DECREASES}."),
    "nothing of weight decay": ("weight decay, WD open", "PROVED", f"{NO_VALLEY}; {DECREASES}."),
    "open where it is proved": (
        "a path exists but is not constructed", "PROVED", f"{NO_VALLEY}; whether one exists is open.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "verdict", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_conclusion_is_caught(name: str, verdict: str, sentence: str) -> None:
    found = next(case[1] for case in CASES if case[0] == name)
    assert faults(found, verdict, sentence)


QUICK = Path(vf.__file__).parent / "run" / "cases" / "quick"


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("xor", "PROVED", f"{NO_VALLEY}; {DECREASES}."),
        ("xor-weight-decay", "PROVED", "; the loss WITH the weight decay has a bad local valley, at the origin (WD)."),
        ("xor-two-units", "UNDECIDED", f"{OPEN}: no U gives the feature matrix full row rank (refuted for every U)"),
        ("conflicting-labels", "PROVED", "within the epsilon asked for of the infimum, which is positive"),
        (
            "start-gateway-sublevel",
            "PROVED",
            "then strictly decreases (that it never increases is not claimed)",
        ),
    ],
)
def test_what_is_concluded_of_packaged_cases(name: str, verdict: str, words: str) -> None:
    case = read_case(QUICK / f"{name}.toml")
    report = vf.prove(case_problem(case), case_options(case))
    record = record_of(report, case, name, "", 0.0)
    for found in (report, record):
        conclusion = conclude(found)
        assert conclusion.verdict == verdict and words in conclusion.sentence
        assert not faults(found, conclusion.verdict, conclusion.sentence)
    refuted = [line for _, own in lines(record, verbose=True) for line in own if line.verdict is R]
    assert not any(line.expected.startswith("NOT") for line in refuted)
    assert all(line.calm for line in refuted if line.label in ("rank", "R5"))


def said(found: Found, *, verbose: bool = False) -> dict[str, tuple[str, str, bool]]:
    every = [line for _, own in lines(found, verbose=verbose) for line in own]
    return {line.label: (line.verdict, line.text, line.calm) for line in every}


def test_a_failed_assumption_that_is_not_needed_is_no_bad_news() -> None:
    found = a_case(START, {"T3.4(2)": P, "A3.1(2)": R, "L2.1": P})
    assert "A3.1(2)" not in said(found)  # nothing of what is assumed is news
    assert said(found, verbose=True)["A3.1(2)"] == (R, "enough skip units (A3.1(2)), not needed here", True)
    needed = a_case(START, {"T3.4(2)": U, "A3.1(2)": R, "L2.1": P})
    assert said(needed)["A3.1(2)"] == (R, "enough skip units (A3.1(2))", False)


def test_what_a_case_expects_is_no_bad_news_and_what_it_does_not_is() -> None:
    statements = {"T3.4(2)": P, "rank": R, "L3.2 genericity": R, "R6": R}
    found = a_case(START | {"rank": ("R5", R)}, statements, expected={"rank": R, "zero_loss": R})
    texts = said(found)
    assert texts["rank"] == (R, "full rank at the given U (rank), as expected", True)
    assert texts["R6"][2]
    assert texts["L3.2 genericity"] == (R, "almost every U has full rank (L3.2 genericity)", False)
    assert texts["Z1"] == (P, "zero training error at this U, for some V (Z1), NOT as expected: REFUTED", False)


def test_a_path_is_called_what_it_is() -> None:
    for label, words in (
        ("P1", "a path on which the loss strictly decreases to 0"),
        ("E2", "a path on which the loss never increases and tends to 0"),
        ("E3", "a path to loss 0 that may first rise by epsilon"),
        ("X1", "a path on which the loss never increases, to near its infimum"),
    ):
        found = a_case(START | {"path": (label, P)}, {"T3.4(2)": P, "path": P})
        assert said(found)[label][1] == f"{words} ({label})"
    found = a_case(START | {"path": ("P1", U)}, {"T3.4(2)": P, "path": U})
    assert said(found)["P1"][:2] == (U, "a path to the infimum from the given start (P1)")
    found = a_case(START | {"path": ("P1", R)}, {"T3.4(2)": U, "path": R})
    assert said(found)["P1"][:2] == (R, "a path to the least of the losses asked for (P1)")


def test_several_cases_are_counted_by_what_is_proved() -> None:
    found = [case[1] for case in CASES]
    words = conclude_all(found)
    assert words.startswith(
        "No bad local valley (without weight decay, where it is stated): PROVED in 7 of 14 cases, UNDECIDED in 3, no "
        "verdict in 1; also PROVED: "
    )
    assert "a path that rises by at most epsilon in 1" in words


def test_a_name_is_narrower_where_less_is_proved() -> None:
    report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "relu", skip=True))
    assert report.theorem.verdict("C4") is None
    assert said(report)["T3.4(4)"][1] == "no local maximum at this start (T3.4(4))"
    wide = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    assert said(wide)["T3.4(4)"][1] == "no local maximum (T3.4(4))"
    logit = np.array([[0.0, 1.0], [0.0, -2.0], [0.0, 0.5]])
    one = vf.verify([[0.0], [1.0], [2.0], [3.5]], [0, 1, 0, 1], vf.Dense(3, "tanh", skip=True), v=logit)
    assert said(one)["C2"][1] == "no strict local minimum anywhere, if both columns of V move (C2)"
    assert said(one)["T3.4(3)"][1] == "no suboptimal strict local minimum, if both columns of V move (T3.4(3))"


def test_a_report_concludes_first_and_lists_names_before_labels() -> None:
    report = vf.verify([[0.0], [1.0], [2.0]], [0.5, 1.5, 0.25], vf.Dense(4, "tanh", skip=True), regression=True)
    text = str(report)
    assert text.splitlines()[1].startswith("PROVED     this loss landscape has no bad local valley; from this start")
    assert "PROVED     no bad local valley (T3.4(2))" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert not faults(report, *(lambda c: (c.verdict, c.sentence))(conclude(report)))
    verbose = report.summary(verbose=True)
    for known in (*report.steps, *(each for each in report.theorem.steps if each.applies)):
        assert re.sub(r"\s", "", known.reason) in re.sub(r"\s", "", verbose)


CORNERS, CLASH = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 1]
"""Three samples, the first two equal with different labels: the cross-entropy's infimum is (2/3) log 2."""


def test_class_weights_are_about_the_other_losses_alone() -> None:
    data, network = vf.dataset_from_arrays(CORNERS, CLASH), vf.Network(2, vf.Dense(4, "tanh", skip=True))
    start = vf.initialise(network, seed=0), vf.output_weights(network, 2)
    problem = vf.Problem(data, network, *start, losses=("squared",), class_weights=(1.0, 1000.0))
    report = vf.prove(problem, vf.Options(parts=frozenset({"path"})))
    assert report.near_infimum is not None and report.near_infimum.infimum is not None
    assert abs(float(report.near_infimum.infimum[0].fraction()) - 2 / 3 * math.log(2)) < 1e-6
    assert "a path without increase towards the infimum of the loss squared, classes weighted (TC.3)" in [
        line.text for _, own in lines(report) for line in own
    ]


def test_what_was_found_of_this_start_stands_below_this_start() -> None:
    report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(3, "relu", skip=True))
    below = {line.text: heading for heading, own in lines(report) for line in own}
    assert below["no local maximum at this start (T3.4(4))"] == HERE
    assert "This start" in str(report.theorem).partition("no local maximum at this start")[0]


def test_unequal_targets_of_equal_samples_are_no_matter_of_rank() -> None:
    report = vf.verify(CORNERS, [0.0, 1.0, 2.0], vf.Dense(4, "tanh", skip=True), regression=True)
    zero = next(step for step in report.steps if step.key == "zero_loss")
    assert (zero.label, zero.verdict) == ("X1", R)
