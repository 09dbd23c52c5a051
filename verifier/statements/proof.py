"""The proof for one problem: every statement is decided, after those that it may rest on.

A step is PROVED only if everything that it rests on is PROVED: `Known.add` sees to it. What says nothing about the
problem (W2 without softplus, X1 without duplicates) is listed as such.
"""

from __future__ import annotations

from graphlib import TopologicalSorter

from verifier.balls.unheld import FeaturesNotHeld
from verifier.rank.certify import Stage, silent
from verifier.statements.assumption import what_remains
from verifier.statements.catalogue import OF_A_PROBLEM, STATEMENTS
from verifier.statements.evidence import Evidence, Known
from verifier.statements.statement import Finding, does_not_apply
from verifier.statements.theorem import Theorem
from verifier.verdict import Verdict

REGRESSION = "does not apply: it is about classes, and this is a regression with real targets"
"""Why a statement about margins, labels or the cross-entropy says nothing about real targets."""
_BEFORE = {label: [o for o in STATEMENTS[label].may_rest_on if o in OF_A_PROBLEM] for label in OF_A_PROBLEM}
ORDER = tuple(TopologicalSorter(_BEFORE).static_order())
"""The order of deciding, in which a statement comes after those that it may rest on."""


def prove_statements(evidence: Evidence, *, seed: int = 0, stage: Stage = silent) -> Theorem:
    """Decide every statement for one problem.

    Parameters
    ----------
    evidence
        Data, network, start, and what is known of rank, zero loss and path.
    seed
        Of the witness's direction and of random witnesses.
    stage
        Progress display.

    Returns
    -------
    Theorem
        The steps in the order of `OF_A_PROBLEM`. Guarantee: every PROVED step is a theorem about this instance, and
        so is everything that it rests on.
    """
    known = Known(evidence, seed=seed, stage=stage)
    found = known.found
    for label in ORDER:
        stage(f"theorem: {STATEMENTS[label].name}")
        statement = STATEMENTS[label]
        speaks = statement.regression or evidence.data.targets is None
        known.add(statement, _decided(label, known) if speaks else does_not_apply(REGRESSION))
    places = list(OF_A_PROBLEM)
    found.steps.sort(key=lambda step: places.index(step.label))
    arcs = evidence.arcs
    missing = arcs is not None and not arcs.all()
    found.remains = what_remains(known.assumption, found.verdict("L3.2 genericity"), arcs_missing=missing)
    return found


def _decided(label: str, known: Known) -> Finding:
    """Decide one statement; one that needs entries of a Psi too large to be held is undecided."""
    try:
        return OF_A_PROBLEM[label](known)
    except FeaturesNotHeld as refusal:
        return Finding(Verdict.UNDECIDED, str(refusal))
