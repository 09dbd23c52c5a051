"""The list of steps: complete, in order, nothing PROVED on what is not, and the right verdicts on the suite's cases."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import numpy as np
import pytest

import verifier.run
from verifier.api import verify
from verifier.checker.certificate import check_file
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case
from verifier.run.record import StatementRecord
from verifier.statements.catalogue import OF_A_PROBLEM, STATEMENTS
from verifier.statements.evidence import Known
from verifier.statements.generic_rank import decide_generic
from verifier.statements.groups import GROUPS, grouped
from verifier.statements.proof import ORDER
from verifier.statements.statement import Finding, does_not_apply
from verifier.verdict import Verdict

QUICK = Path(verifier.run.__file__).parent / "cases" / "quick"
PROVED, REFUTED, UNDECIDED = Verdict.PROVED, Verdict.REFUTED, Verdict.UNDECIDED
PAPER = ("L2.1", "A3.1(1)", "A3.1(2)", "A3.1(3)", "LA.1", "L3.2 construction", "L3.2 genericity", "D3.3")
PAPER += ("T3.4(1)", "T3.4(2)", "T3.4(3)", "T3.4(4)", "TC.3")


@functools.cache
def theorem(name):
    """The statements about a packaged case, of fewer digits where it takes 40."""
    text = (QUICK / f"{name}.toml").read_text(encoding="utf-8").replace("samples = 40", "samples = 16")
    return run_case(parse_case(text, name=name, folder=QUICK))[0].theorem


def test_the_list_is_complete_and_in_order():
    assert set(PAPER) <= set(STATEMENTS) and all(STATEMENTS[label].source == "paper" for label in PAPER)
    for found in map(theorem, ("xor", "tied-bias", "conflicting-labels")):
        assert [step.label for step in found.steps] == list(OF_A_PROBLEM)
    assert len({s.sentence for s in STATEMENTS.values()}) == len(STATEMENTS)


def test_every_name_is_written_alike():
    assert all(s.name[0].islower() for s in STATEMENTS.values())


def test_dead_units_do_not_hide_that_some_u_has_full_rank():
    """L3.2's construction and the infimum, for ReLU: a path of constant loss leads to full rank (S(1))."""
    inputs, network = np.arange(12.0).reshape(6, 2), Network(2, Dense(6, "relu", skip=True))
    dead = -np.ones(network.parameter_count)
    found = {step.label: step for step in verify(inputs, [0, 1] * 3, network, dead, np.zeros((6, 2))).theorem.steps}
    assert found["rank"].verdict is REFUTED and found["L3.2 construction"].rests_on == ("S(1)",)
    assert [found[label].verdict for label in ("L3.2 construction", "D3.3", "S(2)")] == [PROVED] * 3
    assert found["S(2)"].reason != found["S(1)"].reason and found["S(2)"].rests_on == ("S(1)",)


def test_every_statement_has_one_heading():
    labels = [label for group in GROUPS.values() for label in group]
    assert set(STATEMENTS) <= set(labels) and len(labels) == len(set(labels))
    found = grouped(["W0", "new", "path", "A"], str)
    assert [own for _, own in found] == [["W0"], ["A"], ["new", "path"]]


def test_nothing_is_proved_on_what_is_not():
    known = Known(None)

    def add(label, verdict, reason, *rests_on):
        return known.add(STATEMENTS[label], Finding(verdict, reason, rests_on)).verdict

    assert add("L2.1", PROVED, "x") is PROVED
    assert add("LA.1", UNDECIDED, "y") is UNDECIDED
    assert add("W0", PROVED, "z", "L2.1", "LA.1") is UNDECIDED
    assert known.found.steps[-1].reason == "rests on LA.1, which is not proved here"
    assert add("L3.2 genericity", PROVED, "z", "W0") is UNDECIDED
    known.add(STATEMENTS["W1"], does_not_apply("not here"))
    assert add("W3", PROVED, "chains", "W1") is UNDECIDED, "what does not apply carries nothing"
    assert add("T3.4(2)", REFUTED, "r", "W0") is REFUTED


@pytest.mark.parametrize(
    ("sigma", "full_rank", "verdict"),
    [
        ("tanh", PROVED, PROVED),
        ("tanh", UNDECIDED, UNDECIDED),
        ("tanh", REFUTED, REFUTED),
        ("1/(1 + sin(t))", PROVED, UNDECIDED),  # its analyticity is open: a U of full rank alone says nothing
        ("relu", PROVED, UNDECIDED),
    ],
)
def test_almost_every_u_needs_analyticity_and_a_witness(sigma, full_rank, verdict):
    network = Network((1,), (Dense(3, sigma, skip=True),))
    found = decide_generic(network, full_rank)
    assert found.verdict is verdict
    assert found.lacks_witness == (sigma == "tanh" and full_rank is UNDECIDED)


def test_what_a_statement_rests_on_is_decided_before_it():
    for found in map(theorem, ("xor", "tied-bias", "conflicting-labels")):
        for step in found.steps:
            assert set(step.rests_on) <= set(step.statement.may_rest_on), step
    places = {label: place for place, label in enumerate(ORDER)}
    assert sorted(ORDER) == sorted(OF_A_PROBLEM)
    before = [(other, label) for label in ORDER for other in STATEMENTS[label].may_rest_on if other in STATEMENTS]
    assert all(places[other] < places[label] for other, label in before)


VERDICTS = [
    ("iris-tanh", {"A3.1(1)": PROVED, "A3.1(2)": REFUTED, "A3.1(3)": PROVED, "W1": PROVED, "X1": PROVED,
                   "E4": PROVED, "T3.4(1)": PROVED, "T3.4(2)": PROVED, "C1": PROVED}),
    ("wine-sigmoid", {"A3.1(1)": PROVED, "A3.1(2)": PROVED, "A3.1(3)": PROVED, "W1": PROVED}),
    ("breast-cancer-softplus", {"A3.1(2)": PROVED, "W2": PROVED, "W1": None}),
    ("digits-gelu-concat", {"A3.1(1)": REFUTED, "W0": PROVED, "L3.2 genericity": PROVED, "W1": None}),
    ("tied-bias", {"A3.1(3)": PROVED, "L3.2 construction": REFUTED, "W0": None, "T3.4(2)": UNDECIDED}),
    ("digits-relu", {"A3.1(1)": REFUTED, "LA.1": None, "W0": None, "L3.2 construction": PROVED,
                     "L3.2 genericity": REFUTED, "S(1)": PROVED, "T3.4(2)": PROVED, "TC.3": PROVED}),
    ("digits-few-units", {"L3.2 construction": REFUTED, "rank": REFUTED, "T3.4(1)": PROVED, "path": PROVED}),
    ("digits-identity", {"L3.2 genericity": REFUTED}),
    ("iris-square", {"L3.2 genericity": REFUTED}),
    ("iris-duplicate-kept", {"L3.2 construction": REFUTED}),
    ("conflicting-labels", {"X1": PROVED, "T3.4(1)": None, "D3.3": PROVED, "T3.4(2)": PROVED, "C1": None}),
    ("start-gateway", {"rank": REFUTED, "W0": PROVED, "E4": PROVED, "path": PROVED, "W3": PROVED}),
    ("digits-zero-start", {"rank": REFUTED, "L3.2 genericity": PROVED, "C3": UNDECIDED, "T3.4(4)": PROVED}),
]  # fmt: skip
DECIDED = {case for case, _ in VERDICTS}
"""What is proved of these is asked below: it takes no time to ask more."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if case in DECIDED else pytest.mark.thorough)
        for case in sorted(path.stem for path in QUICK.glob("*.toml"))
        if "digits" not in case or case in DECIDED
    ],
)
def test_every_proved_step_rests_on_proved_steps(case):
    found = theorem(case)
    for step in found.steps:
        if step.verdict is PROVED and step.applies:
            assert all(found.verdict(label) is PROVED for label in step.rests_on), step


@pytest.mark.parametrize(("case", "wanted"), VERDICTS)
def test_verdicts(case, wanted):
    found = theorem(case)
    assert {label: found.verdict(label) for label in wanted} == wanted


@pytest.mark.parametrize("case", ["tied-bias", "digits-relu", "digits-identity", "digits-few-units"])
def test_a_hypothesis_that_fails_refutes_no_conclusion(case):
    """ReLU is not analytic, which S(1) does not need; the others never have full rank: nothing is said of valleys."""
    steps = {step.label: step for step in theorem(case).steps}
    valleys = PROVED if case == "digits-relu" else UNDECIDED
    assert steps["W0"].verdict is UNDECIDED and all(steps[label].verdict is valleys for label in ("T3.4(2)", "TC.3"))
    instead = "fails, but is not needed here: S(1) proves the conclusion"
    assert (instead in steps["A3.1(1)"].reason) == (case == "digits-relu")
    assert not steps["W0"].applies and steps["W0"].reason.startswith("does not apply: ")
    assert steps["LA.1"].applies == (case != "digits-relu") and steps["LA.1"].verdict is not REFUTED
    assert steps["L3.2 genericity"].verdict is REFUTED


def test_what_is_said_of_maxima_names_the_loss():
    """The hinge losses have local maxima: where all margins exceed 1, they are 0 on an open set."""
    for label in ("T3.4(4)", "C1", "C3", "E4"):
        assert "cross-entropy" in STATEMENTS[label].hypotheses
    (step,) = [step for step in theorem("iris-tanh").steps if step.label == "T3.4(4)"]
    assert step.reason.startswith("cross-entropy: ")
    assert any("hinge" in words for words in theorem("iris-tanh").remains)


def test_what_cannot_remain_is_not_said():
    assert not any("W0" in words for words in theorem("tied-bias").remains)
    assert any("W0" in words for words in theorem("iris-tanh").remains)


def test_a_witness_through_depth_is_part_of_the_walk():
    text = """
        data = { name = "iris", samples = 60 }
        network.layers = [
          { kind = "dense", width = 3, activation = "tanh" },
          { kind = "dense", width = 80, activation = "arctan", skip = true },
        ]
        start = { init = "zeros" }
        """
    found = run_case(parse_case(text))[0].theorem
    assert found.verdict("W1") is PROVED and found.verdict("W3") is PROVED and found.verdict("W0") is PROVED


def test_the_entropy_is_not_called_the_infimum_without_a_full_rank_u(tmp_path):
    """M = 1 tanh unit cannot fit five points in a row: inf Phi is above the entropy of the two conflicting samples."""
    (tmp_path / "c.csv").write_text("x,y\n1,0\n2,1\n3,0\n4,0\n4,1\n5,1\n")
    text = """
        data.path = "c.csv"
        network.layers = [{ kind = "dense", width = 1, activation = "tanh", skip = true }]
        """
    report, _ = run_case(parse_case(text, folder=tmp_path))
    assert report.theorem.verdict("X1") is PROVED and report.theorem.verdict("D3.3") is UNDECIDED
    (reason,) = [step.reason for step in report.steps if step.key == "zero_loss"]
    assert "inf Phi >= 0.231 > 0" in reason and "inf Phi is" not in reason


def test_a_start_that_is_the_optimum_of_conflicting_labels(tmp_path):
    """V = 0 is the minimum itself: the certified segment has length 0, and the checker accepts it."""
    (tmp_path / "c.csv").write_text("x,y\n1,0\n1,1\n2,0\n2,1\n")
    text = """
        data.path = "c.csv"
        network.layers = [{ kind = "dense", width = 3, activation = "tanh", skip = true }]
        start = { output = "zeros" }
        """
    report, builder = run_case(parse_case(text, folder=tmp_path))
    assert report.verdict("path") is PROVED
    assert check_file(str(builder.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


def test_records_have_the_statement_in_words():
    found = StatementRecord.of(theorem("xor").steps[0])
    assert found.label == "L2.1" and found.verdict is Verdict.PROVED and "log(2)" in found.formula
    assert "" not in msgspec.structs.astuple(found)
