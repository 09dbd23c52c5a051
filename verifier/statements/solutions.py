"""Theorem 3.4(1), the ball of solutions Z2 and the ray T1: zero training error holds at uncountably many points."""

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


def _ray(known: Known) -> Finding:
    evidence, zero, escape = known.evidence, known.evidence.zero_loss, known.evidence.escape
    if zero is not None and zero.verdict is Verdict.PROVED:
        where = "the start's U"
    elif escape is not None and escape.escape is not None:
        where = "the escape's end"
    elif not evidence.labels_agree:
        return does_not_apply(CONFLICT)
    else:
        return Finding(Verdict.UNDECIDED, _nothing_known(known))
    times = "t > 0" if evidence.data.offset is None else "t large (frozen logits do not grow)"
    return Finding(Verdict.PROVED, f"at {where}: Psi(U) V1 has positive margins (Z1), and so has t Psi(U) V1, {times}")


def _uncountable(known: Known) -> Finding:
    if not known.evidence.labels_agree:
        return does_not_apply(CONFLICT)
    if known.found.verdict("Z2") is Verdict.PROVED:
        return Finding(Verdict.PROVED, "every point of the ball of Z2 has zero training error", ("Z2",))
    if known.found.verdict("T1") is Verdict.PROVED:
        return Finding(Verdict.PROVED, "every point of the ray of T1 has zero training error", ("T1",))
    return Finding(Verdict.UNDECIDED, _nothing_known(known))


UNCOUNTABLY_MANY = Statement(
    label="T3.4(1)",
    source="paper",
    place="Theorem 3.4(1)",
    name="uncountably many solutions",
    sentence="Some (U, V) has zero training error, and so have uncountably many: a whole ball around it (Z2), or a ray "
    "(T1).",
    formula="margins > 0 on a ball of positive radius, or along t V1",
    hypotheses="nothing beyond Z2 or T1",
    idea="a ball of solutions around one (Z2), or a ray through it (T1)",
    proved_in=("statements/solutions.py",),
    how="rigorous",
    prove=_uncountable,
    may_rest_on=("Z2", "T1"),
)
BALL_OF_SOLUTIONS = Statement(
    label="Z2",
    source="ours",
    name="certified ball of solutions",
    sentence="Zero training error survives every change of the parameters by at most r.",
    formula="|U' - U|, |V' - V| <= r  =>  all margins > 0",
    hypotheses="Z1: a V with certified margins",
    idea="how far the features move with U, layer by layer, by bounds of |sigma| and |sigma'|; it stays below "
    "what the margins allow",
    proved_in=("landscape/neighbourhood.py",),
    checked_in=("checker/pointwise.py",),
    how="rigorous",
    prove=_ball,
    claims=(Z2,),
)
RAY_OF_SOLUTIONS = Statement(
    label="T1",
    source="ours",
    name="a ray of solutions",
    sentence="If V1 has positive margins at U, then so has t V1 for every t > 0 (beside frozen logits: for every large "
    "t): uncountably many (U, V) without training errors, whatever the activations are.",
    formula="margins of Psi(U) t V1 = t (margins of Psi(U) V1) > 0",
    hypotheses="Z1: a V with certified margins, at this U or at the end of an escape",
    idea="margins grow in proportion to t",
    proved_in=(
        "landscape/zero_loss.py",
        "statements/solutions.py",
    ),
    checked_in=("checker/claims.py",),
    how="rigorous",
    prove=_ray,
    claims=(Z1,),
)
