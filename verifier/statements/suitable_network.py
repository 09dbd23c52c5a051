"""A3.1 as three statements: activations, skip units, patches. They are decided in `assumption`."""

from __future__ import annotations

from typing import Literal

from verifier.network.layered import NOT_LAYERED
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.statements.valleys import EVIDENCE
from verifier.verdict import Verdict


def _part(known: Known, part: Literal["activations", "units", "patches"]) -> Finding:
    if known.evidence.network.layered is None:
        return does_not_apply(f"does not apply: {NOT_LAYERED}")
    found = getattr(known.assumption, part)
    instead = next((label for label in EVIDENCE if known.found.verdict(label) is Verdict.PROVED), None)
    if found.verdict is Verdict.PROVED or instead is None:
        return Finding(found.verdict, found.reason)
    how = "fails" if found.verdict is Verdict.REFUTED else "is open"
    words = f"{how}, but is not needed here: {instead} proves the conclusion, no bad local valley; {found.reason}"
    return Finding(found.verdict, words)


ACTIVATIONS = Statement(
    label="A3.1(1)",
    source="paper",
    place="Assumption 3.1(1)",
    name="suitable activations",
    sentence="Every hidden activation is real analytic and strictly increasing.",
    formula="sigma in C^omega(R), sigma' > 0 off a discrete set",
    hypotheses="nothing",
    idea="facts of each activation's one expression, in symbols",
    proved_in=(
        "sigma/facts.py",
        "statements/assumption.py",
    ),
    how="symbolic",
    prove=lambda known: _part(known, "activations"),
    regression=True,
    may_rest_on=tuple(EVIDENCE),
)
UNITS = Statement(
    label="A3.1(2)",
    source="paper",
    place="Assumption 3.1(2)",
    name="enough skip units",
    sentence="N skip units without shared weights have a bounded activation with limit 0 at -oo, or softplus and a "
    "clean backward path to the first layer.",
    formula="#{suitable, unshared skip units} >= N",
    hypotheses="nothing",
    idea="units and the paths from them to the input are counted",
    proved_in=("statements/assumption.py",),
    how="structural",
    prove=lambda known: _part(known, "units"),
    regression=True,
    may_rest_on=tuple(EVIDENCE),
)
PATCHES = Statement(
    label="A3.1(3)",
    source="paper",
    place="Assumption 3.1(3)",
    name="distinct patches",
    sentence="The input patches that each first-layer unit sees are pairwise distinct over the samples.",
    formula="x_i|patch != x_j|patch for i != j",
    hypotheses="nothing",
    idea="patches are compared exactly; where two are equal they are shown",
    proved_in=(
        "statements/patches.py",
        "statements/assumption.py",
    ),
    how="rigorous",
    prove=lambda known: _part(known, "patches"),
    regression=True,
    may_rest_on=tuple(EVIDENCE),
)
