r"""MC: two networks joined by a certified path on which the loss never exceeds the larger of the two ends'.

The path goes from (U_A, V_A) straight to ``kappa V_1`` (U at rest), then along a polygon of hidden parameters with
``V = kappa V_k`` on its k-th piece, at the piece's end straight on to ``kappa V_{k+1}``, and at last from ``kappa V_K``
straight to V_B. If every margin of ``Psi(U(t)) V_k`` is at least ``gamma > 0`` on piece k, then all margins on the
polygon are at least ``kappa gamma``, also where V moves (convex combinations), so that the loss there is at most

.. math:: \log(1 + (m-1) e^{-\kappa\gamma}) .

kappa is so large that this is at most the larger one of both ends' losses, and that ``kappa V_1`` has larger margins at
U_A than V_A, and ``kappa V_K`` at U_B than V_B: on both ends' segments the loss is then strictly monotone (P1'). The
path is a polygon in (U, V), too.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, exactly
from verifier.balls.precision import working_precision
from verifier.display import Card, Decided, Shown, Table, matrices
from verifier.errors import InputError
from verifier.landscape.legs import between, combination
from verifier.landscape.targets import decimal_below, time_for
from verifier.network.network import Array
from verifier.verdict import Verdict

TITLE = "Two networks joined without a barrier (MC)"


@dataclass(frozen=True, slots=True)
class Piece:
    """Times from ``start`` to ``end`` of leg number ``leg``, on which the output weights number ``weights`` serve.

    Leg k goes from corner k to corner k + 1 of the polygon in its own time from 0 to 1; all numbers are exact.
    """

    leg: int
    start: Fraction
    end: Fraction
    weights: int


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Connection(Decided, Shown):
    """What is known of a path between two networks of one architecture on the same data.

    Parameters
    ----------
    verdict, reason
        Whether the path is certified, and why or why not.
    corners
        Hidden parameters at the corners of the polygon, each ``(p,)``: U_A first, U_B last. If both networks have the
        same U, it is the only corner.
    kinds
        Where each corner comes from, in words.
    start_weights, end_weights
        V_A and V_B, exact, ``(M, m)``.
    pieces
        All pieces of the polygon, in order: they cover every leg. None where both networks have the same U: then the
        segment from V_A to V_B is the path, by convexity.
    weights
        The V_k, each once, ``(M, m)``.
    gamma, kappa
        What every margin of a piece is at least, and the factor of its V_k; None without pieces.
    start_loss, end_loss
        Bounds of the loss at both ends; None where the path was not certified.
    precision
        Bits with which the ends are enclosed.
    classes
        m.
    seconds
        How long it took.

    Notes
    -----
    Guarantee: ``PROVED`` implies that the loss on the path is nowhere above the larger one of both ends' losses.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0], [2.0]], [0, 1, 0])
    >>> network = vf.Network(1, vf.Dense(4, "tanh", skip=True))
    >>> v = vf.output_weights(network, 2)
    >>> a, b = (vf.Problem(data, network, vf.initialise(network, seed=k), v) for k in (0, 1))
    >>> found = vf.connect(a, b)
    >>> isinstance(found, vf.Connection), found.legs, found.kinds
    (True, 1, ('A', 'B'))
    """

    verdict: Verdict
    reason: str
    corners: tuple[Array, ...]
    kinds: tuple[str, ...]
    start_weights: ExactArray
    end_weights: ExactArray
    pieces: tuple[Piece, ...] = ()
    weights: tuple[Array, ...] = ()
    gamma: Dyadic | None = None
    kappa: Dyadic | None = None
    start_loss: tuple[Dyadic, Dyadic] | None = None
    end_loss: tuple[Dyadic, Dyadic] | None = None
    precision: int = FIRST_BITS
    classes: int = 2
    seconds: float = 0.0

    @property
    def legs(self) -> int:
        """Straight legs of the polygon; 0 where both networks have the same U."""
        return len(self.corners) - 1

    def kappa_for(self, epsilon: str) -> Dyadic:
        """Give a factor with which the loss on the polygon is at most ``epsilon``.

        Parameters
        ----------
        epsilon
            A positive decimal number, as text.

        Returns
        -------
        Dyadic
            Guarantee: with it in the place of `kappa` the path is certified as well, and the loss on its polygon, the
            two ends' segments left out, is at most ``epsilon``.

        Raises
        ------
        InputError
            There are no pieces, or ``epsilon`` is no such number.
        """
        if self.gamma is None or self.kappa is None:
            raise InputError("kappa_for: this connection has no pieces, so that no factor makes the loss on them small")
        try:
            goal = decimal_below(epsilon)
        except ValueError as error:
            raise InputError(f"kappa_for: {error}; give a text such as '1e-6'") from None
        with working_precision(self.precision):
            found = time_for(self.classes, self.gamma, self.kappa, goal.arb(), strict=False)
        if found is None:
            raise InputError(f"kappa_for: no factor was found for epsilon = {epsilon}; give a larger one")
        return found

    def polygon(self) -> list[tuple[Array, Array]]:
        """The corners of the path in (U, V): straight from each to the next.

        Returns
        -------
        list of (U, V)
            Of shapes ``(p,)`` and ``(M, m)``, the exact points rounded once to float64.

        Raises
        ------
        InputError
            The path is not certified, or a number is beyond float64's range.
        """
        if not self.proved:
            raise InputError(f"polygon: no path is certified: {self.reason}")
        one, ends = Fraction(1), (self.start_weights, self.end_weights)
        first, last = (combination([(one, weights)]) for weights in ends)
        points = [(self.corners[0], first)]
        factor = one if self.kappa is None else self.kappa.fraction()
        scaled = [combination([(factor, ExactArray.of_floats(weights))]) for weights in self.weights]
        for piece in self.pieces:
            ends_of_leg = self.corners[piece.leg], self.corners[piece.leg + 1]
            points += [(between(*ends_of_leg, t), scaled[piece.weights]) for t in (piece.start, piece.end)]
        points.append((self.corners[-1], last))
        return [points[0], *(now for before, now in itertools.pairwise(points) if _differ(before, now))]

    def _card(self) -> Card:
        values = []
        for name, loss in (("loss of A", self.start_loss), ("loss of B", self.end_loss)):
            if loss is not None:
                values.append((name, f"in [{at_least(loss[0])}, {at_most(loss[1])}]"))
        if self.gamma is not None and self.kappa is not None:
            values += [("kappa", exactly(self.kappa)), ("gamma >=", at_least(self.gamma))]
        if self.pieces:
            values.append(("pieces", f"{len(self.pieces)}, with {matrices(len(self.weights))}"))
        values.append(("seconds", f"{self.seconds:.1f}"))
        rows = tuple(
            (str(piece.leg + 1), f"{float(piece.start):.4f} to {float(piece.end):.4f}", str(piece.weights + 1))
            for piece in self.pieces
        )
        corners = tuple((str(k), kind) for k, kind in enumerate(self.kinds))
        tables = [Table("Corners of the polygon in U", ("corner", "where it comes from"), corners)]
        tables += [Table("Piece by piece", ("leg", "times, rounded", "V"), rows)] if rows else []
        return Card(TITLE, str(self.verdict), self.reason, tuple(values), tuple(tables))


def _differ(a: tuple[Array, Array], b: tuple[Array, Array]) -> bool:
    return not all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
