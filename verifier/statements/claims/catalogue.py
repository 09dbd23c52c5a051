"""All claims, by label; the statement that each belongs to names it."""

from __future__ import annotations

from verifier.statements.claims.almost_every_u import W0
from verifier.statements.claims.architecture import A, AData, D, I
from verifier.statements.claims.claim import Claim
from verifier.statements.claims.connection import MC, MCLine
from verifier.statements.claims.descent import GDV
from verifier.statements.claims.extrema import C4, C2Plus
from verifier.statements.claims.full_rank import B1, R1, R3, R5, R6
from verifier.statements.claims.jacobian import J1, J2, J3
from verifier.statements.claims.losses import TC3
from verifier.statements.claims.minimum import BM
from verifier.statements.claims.paths import E1, E2, E3, E4, P1, E4Path, SPath
from verifier.statements.claims.pointwise import C1, C3
from verifier.statements.claims.sink import S1, S2, S, SPlus
from verifier.statements.claims.weight_decay import WD
from verifier.statements.claims.witness import W1, W2
from verifier.statements.claims.zero_error import Z0, Z1, Z2, Z0Error, Z0Loss

_ALL: tuple[type[Claim], ...] = (
    *(R1, R3, R5, R6, B1),
    *(Z0, Z0Loss, Z0Error, Z1, Z2, P1, GDV),
    *(E1, E2, E3, E4Path, SPath, E4),
    *(C1, C2Plus, C3, C4, TC3),
    *(W1, W2, W0, D, A, AData, I),
    *(S, S1, S2, SPlus),
    *(J1, J2, J3, WD),
    *(BM,),
    *(MC, MCLine),
)

CLAIMS = {claim.label(): claim for claim in _ALL}
"""What a certificate can claim, by label."""
