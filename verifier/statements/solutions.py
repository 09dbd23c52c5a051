"""Theorem 3.4(1) and the ball of solutions Z2: zero training error holds on an open set."""

from __future__ import annotations

from verifier.landscape.neighbourhood import certified_ball
from verifier.statements.claims.zero_error import Z1, Z2
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

CONFLICT = "equal samples with different labels exclude zero training error"


def _nothing_known(known: Known) -> str:
    """Why no (U, V) without training errors is known."""
    zero = known.evidence.zero_loss
    if zero is not None and zero.verdict is Verdict.REFUTED:
        return (
            "no V has zero training error at this U (Z1), and no way to another U is known; another start may have one"
        )
    return "no output weights with certified margins are known (Z1); full rank at this U would give them"


def _ball(known: Known) -> Finding:
    if known.evidence.data.offset is not None:
        return does_not_apply("with frozen logits K it is t V1, t large, that has zero training error, not V1")
    evidence, zero, escape = known.evidence, known.evidence.zero_loss, known.evidence.escape
    if zero is not None and zero.weights is not None and zero.gamma is not None:
        u, weights, gamma, bits, where = evidence.u, zero.weights, zero.gamma, zero.precision, "the start's U"
    elif escape is not None and escape.escape is not None:
        tail = escape.escape.tail
        u, weights, gamma, bits, where = tail.u, tail.end_weights, tail.gamma, tail.precision, "the escape's end"
    elif not evidence.labels_agree:
        return does_not_apply(CONFLICT)
    else:
        return Finding(Verdict.UNDECIDED, _nothing_known(known))
    found = certified_ball(evidence.network, u, evidence.inputs, weights, gamma, precision=bits)
    if evidence.u is u:  # a certificate stores the start's U
        known.found.ball = found
    return Finding(found.verdict, f"at {where}: {found.reason}")


def _uncountable(known: Known) -> Finding:
    if not known.evidence.labels_agree:
        return does_not_apply(CONFLICT)
    zero = known.evidence.zero_loss
    if known.found.verdict("Z2") is Verdict.PROVED:
        pass
    elif zero is not None and zero.verdict is Verdict.PROVED:
        words = "by Z1 (U, t V1) has zero training error for all large t; that a ball around one has is not proved (Z2)"
        return Finding(Verdict.UNDECIDED, words)
    else:
        return Finding(Verdict.UNDECIDED, _nothing_known(known))
    return Finding(Verdict.PROVED, "every point of the ball of Z2 has zero training error", ("Z2",))


UNCOUNTABLY_MANY = Statement(
    label="T3.4(1)",
    source="paper",
    place="Theorem 3.4(1)",
    name="uncountably many solutions",
    sentence="Some (U, V) has zero training error, and so has a whole ball around it.",
    formula="margins > 0 on a ball of positive radius",
    hypotheses="nothing beyond Z2",
    how="rigorous",
    prove=_uncountable,
    may_rest_on=("Z2",),
)
BALL_OF_SOLUTIONS = Statement(
    label="Z2",
    source="ours",
    name="Certified ball of solutions",
    sentence="Zero training error survives every change of the parameters by at most r.",
    formula="|U' - U|, |V' - V| <= r  =>  all margins > 0",
    hypotheses="Z1: a V with certified margins",
    how="rigorous",
    prove=_ball,
    claims=(Z1, Z2),
)
