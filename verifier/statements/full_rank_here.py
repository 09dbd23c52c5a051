"""The rank at the start's own U, as a statement; R1, R3, R5 and B1 as claims."""

from __future__ import annotations

from verifier.balls.exact import at_least
from verifier.landscape.neighbourhood import certified_rank_ball, full_rank_radius
from verifier.statements.claims.full_rank import B1, R1, R3, R5
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement


def _prove(known: Known) -> Finding:
    evidence, rank, sigma, ball = known.evidence, known.evidence.rank, known.sigma_lower, ""
    if sigma is not None:
        distance = full_rank_radius(evidence.network, evidence.inputs, sigma)
        each = certified_rank_ball(evidence.network, evidence.u, evidence.inputs, sigma)
        known.found.rank_radius, known.found.rank_ball = distance, each
        ball = "" if each is None else f"; so has every U within {at_least(each)} in each parameter (B1)"
        ball += "" if distance is None else f", and within Frobenius distance {at_least(distance)}"
    return Finding(rank.verdict, f"{rank.label}: {rank.reason}{ball}")


FULL_RANK_HERE = Statement(
    label="rank",
    source="ours",
    name="full rank at the given U",
    sentence="The feature matrix at the start's own U has full row rank, with a lower bound of its smallest singular "
    "value.",
    formula="sigma_N(Psi(U)) >= s > 0",
    hypotheses="nothing",
    idea="R1, R3: a right inverse X, untrusted, with |I - Psi X| <= alpha < 1, so that sigma_N >= (1 - alpha) "
    "/ |X|. R2, without a certificate: a Cholesky factor C of Psi Psi^T - c I, and a bound of what is "
    "left below c. Refuted (R5) by structure only, never by small numbers: M < N, equal samples, equal, "
    "mirrored or constant units, too few monomials",
    proved_in=(
        "rank/certify.py",
        "rank/residual.py",
        "rank/float_inverse.py",
        "rank/double_double_inverse.py",
        "rank/right_inverse.py",
        "rank/gram.py",
        "rank/deficiency.py",
    ),
    checked_in=(
        "checker/claims.py",
        "checker/structure.py",
        "checker/pointwise.py",
    ),
    how="rigorous",
    prove=_prove,
    regression=True,
    claims=(R1, R3, R5, B1),
)
