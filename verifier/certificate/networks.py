"""Claims about two networks made from proofs: a path without a barrier (MC), the barrier of their line (MC.line)."""

from __future__ import annotations

from fractions import Fraction

from verifier.balls.exact import ExactArray
from verifier.certificate.arrays import ArrayStore
from verifier.certificate.claims import point
from verifier.landscape.connection import Connection
from verifier.landscape.line_barrier import LineBarrier
from verifier.network.network import Network
from verifier.statements.claims.claim import Interval, Number
from verifier.statements.claims.connection import MC, MCLine, PathPiece


def connection(arrays: ArrayStore, network: Network, found: Connection) -> MC | None:
    """MC: the corners as they differ from the first one, each V once, the pieces; None if it was not proved.

    Parameters
    ----------
    arrays : ArrayStore
        Takes in the claim's arrays.
    network : Network
        The network of both points.
    found : Connection
        The path.

    Returns
    -------
    MC or None
        The claim.
    """
    if not found.proved or found.start_loss is None or found.end_loss is None:
        return None
    corners, gamma, kappa = found.corners, found.gamma, found.kappa
    return MC(
        precision=found.precision,
        start_weights=arrays.exact("connection.start", found.start_weights),
        end_weights=arrays.exact("connection.end", found.end_weights),
        start_loss=Interval.of(found.start_loss),
        end_loss=Interval.of(found.end_loss),
        corners=tuple(point(arrays, f"corner{k}", network, u, corners[0]) for k, u in enumerate(corners) if k),
        weights=tuple(
            arrays.exact(f"connection.weights{k}", ExactArray.of_floats(v)) for k, v in enumerate(found.weights)
        ),
        pieces=tuple(PathPiece(piece.leg, quotient(piece.end), piece.weights) for piece in found.pieces),
        gamma=None if gamma is None else Number.of(gamma),
        kappa=None if kappa is None else Number.of(kappa),
    )


def line_barrier(arrays: ArrayStore, network: Network, found: LineBarrier) -> MCLine | None:
    """MC.line: the other end, the times of the pieces, the bounds; None if it was not proved."""
    if not found.proved:
        return None
    return MCLine(
        precision=found.precision,
        start_weights=arrays.exact("connection.start", found.start_weights),
        end_weights=arrays.exact("connection.end", found.end_weights),
        start_loss=Interval.of(found.start_loss),
        end_loss=Interval.of(found.end_loss),
        end=point(arrays, "line", network, found.end[0], found.start[0]),
        pieces=tuple(map(quotient, found.pieces)),
        time=quotient(found.time),
        loss_lower=Number.of(found.loss_lower),
        loss_upper=Number.of(found.loss_upper),
    )


def quotient(time: Fraction) -> tuple[str, str]:
    """Write an exact time as numerator and denominator in decimal digits."""
    return str(time.numerator), str(time.denominator)
