"""Turn proofs into the claims of a certificate: one method for each kind of proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from verifier.certificate import claims, networks
from verifier.certificate.collector import ClaimCollector
from verifier.certificate.reach import fits
from verifier.landscape.connection import Connection
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_separate import GatewayResult
from verifier.landscape.gradient_descent import DescentResult
from verifier.landscape.least_error import LeastError
from verifier.landscape.line_barrier import LineBarrier
from verifier.landscape.loss_bound import LossBound
from verifier.landscape.loss_path import LossPathResult
from verifier.landscape.minimum import Minimum
from verifier.landscape.neighbourhood import BallResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.pointwise import CurvatureResult, GradientResult
from verifier.landscape.sink_start import SinkStart
from verifier.landscape.turning_layer import NoMaximum
from verifier.landscape.weight_decay import WeightDecay
from verifier.landscape.zero_loss import ZeroLoss
from verifier.rank.deficiency import Deficiency
from verifier.rank.every_data import EveryDataSet
from verifier.rank.exact_arithmetic import rational_activations
from verifier.rank.given_data import GivenData
from verifier.rank.memorisation import Memorisation
from verifier.rank.result import RankResult
from verifier.rank.right_inverse import RankBound, RightInverse
from verifier.rank.sink import Sink, SinkResult
from verifier.rank.witness import WitnessResult
from verifier.statements.claims.almost_every_u import W0
from verifier.statements.claims.architecture import A, AData, D, I, ShownUnitsOf, UnitsOf
from verifier.statements.claims.claim import Number
from verifier.statements.claims.extrema import C4, C2Plus
from verifier.statements.claims.full_rank import B1, R5, R6, DeficiencyReason
from verifier.statements.claims.paths import E4
from verifier.statements.claims.sink import S1, S2, OfLayer, S, SPlus
from verifier.statements.claims.zero_error import Z1, Z0Error
from verifier.statements.theorem import Theorem
from verifier.verdict import Verdict


class CertificateBuilder(ClaimCollector):
    """Collects claims about one network at one U on one data set.

    Without U (None) the document has no weights, and only A, D, W0, W1 and W2 can be claimed. A claim whose check is
    predicted to take more than ``limits`` is not made; `left_out` has what was proved and is not claimed for that
    reason.

    Parameters
    ----------
    dataset
        The N samples; those that are mapped from a file have no labels. Without samples (`Unseen`) only A can be
        claimed.
    network
        The network.
    u
        Its hidden parameters, shape ``(p,)``, or None.
    with_labels
        Whether claims may be about the labels.
    limits
        What a check of the certificate may take.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``; None: all.

    Raises
    ------
    InputError
        If U does not fit the network.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0]], [0, 1])
    >>> network = vf.Network(1, vf.Dense(1, "tanh", skip=True))
    >>> builder = vf.CertificateBuilder(data, network, vf.initialise(network))
    >>> builder.nothing
    'nothing was proved'
    """

    def add_rank(self, result: RankResult, columns: Sequence[int] | None = None) -> None:
        """Add R1 or R3 (PROVED), R5 (REFUTED) or R6 (exact, either); an undecided rank claims nothing.

        Of the rank of some columns of Psi, whose indices are given, only R1 or R3 is a claim about Psi.
        """
        exact = result.exact
        if columns is not None:
            if result.verdict is Verdict.PROVED and result.witness is not None and result.bound is not None:
                self._add_rank_of(result, result.witness, result.bound, np.array(columns, dtype=np.int64))
            return
        if result.label == "R6" and exact is not None:
            if exact.exact and exact.rational and exact.followed and rational_activations(self._net):
                self.add_claim(R6(rank=exact.rank), primes=exact.primes)
            return
        if result.verdict is Verdict.REFUTED and result.deficiency is not None:
            self.add_deficiency(result.deficiency)
        if result.verdict is not Verdict.PROVED:
            return
        if result.witness is None or result.bound is None:  # R2: nothing that the format holds
            left = self.too_expensive("R1")
            self.left_out += [] if left is None else [left]
            return
        witness = result.witness
        claim = claims.full_rank(
            self._arrays, result.label, result.precision, witness, result.bound, samples=result.samples
        )
        self.add_claim(claim, witness.matrix)

    def _add_rank_of(
        self, result: RankResult, witness: RightInverse, bound: RankBound, columns: NDArray[np.int64]
    ) -> None:
        """Add R1 or R3 by a right inverse of some columns of Psi."""
        used = columns if witness.columns is None else columns[witness.columns]
        of_psi, name = replace(witness, columns=used), f"rank{sum(kind.ranks for kind in self._kinds)}"
        what = (result.label, result.precision, of_psi, bound)
        self.add_claim(claims.full_rank(self._arrays, *what, samples=result.samples, name=name), of_psi.matrix)

    def add_deficiency(self, found: Deficiency) -> None:
        """Add R5, if the checker knows the reason: at this U, or for every U (the weights do not matter then)."""
        if found.stated:
            self.add_claim(R5(reason=cast(DeficiencyReason, found.reason), rank_at_most=found.rank_at_most))

    def add_zero_loss(self, result: ZeroLoss) -> None:
        """Add Z1 if it was proved, or Z0 if it was refuted by a relation between rational features."""
        excluded = None if result.excluded is None else claims.no_zero_error(result.excluded)
        if excluded is not None:
            self.add_claim(excluded)
        if result.bound is not None:
            self.add_loss_bound(result.bound)
        if result.verdict is Verdict.PROVED and result.weights is not None and result.gamma is not None:
            weights = self._arrays.exact("output.end", result.weights)
            self.add_claim(Z1(precision=result.precision, output_weights=weights, gamma=Number.of(result.gamma)))

    def add_loss_bound(self, found: LossBound) -> None:
        """Add Z0.loss: a lower bound of the loss over all output weights."""
        if found.checkable:
            self.add_claim(claims.loss_bound(self._arrays, found))

    def add_error_bound(self, found: LeastError) -> None:
        """Add Z0.error: a lower bound of the squared error over all output weights."""
        weights, lower = self._arrays.exact("error.weights", found.weights), Number.of(found.lower)
        self.add_claim(Z0Error(precision=found.precision, output_weights=weights, error_lower=lower))

    def add_theorem(self, theorem: Theorem) -> None:
        """Add the steps of the proof that a certificate states beside the rank and the path."""
        if fits(theorem.rank_ball) and self.stands_on_rank("B1"):
            self.add_claim(B1(radius=Number.of(theorem.rank_ball)))
        if theorem.witness is not None and theorem.witness.verdict is Verdict.PROVED:
            self.add_witness(theorem.witness)
        if theorem.verdict("W0") is Verdict.PROVED:
            self.add_generic()
        if theorem.verdict("D") is Verdict.PROVED:
            self.add_almost_every_data_set()
        if theorem.every_data_set is not None:
            self.add_every_data_set(theorem.every_data_set)
        if theorem.sink is not None and theorem.verdict("S(2)") is Verdict.PROVED:
            self.add_sink(theorem.sink)
        if theorem.sink_start is not None:
            self.add_sink_start(theorem.sink_start)
        if theorem.given_data is not None:
            self.add_given_data(theorem.given_data)
        if theorem.deficiency is not None:
            self.add_deficiency(theorem.deficiency)
        if theorem.ball is not None:
            self.add_ball(theorem.ball)
        if theorem.gradient is not None and theorem.gradient.verdict is Verdict.PROVED and self.stands_on_rank("C1"):
            self.add_not_stationary(theorem.gradient)
        if theorem.curvature is not None:
            self.add_curvature(theorem.curvature)
        if theorem.descent is not None:
            self.add_gradient_descent(theorem.descent)
        if theorem.gateway is not None:
            self.add_gateway(theorem.gateway)
        if theorem.no_maximum is not None:
            self.add_extrema(theorem.no_maximum, theorem.verdict("C2+") is Verdict.PROVED)
        if theorem.weight_decay is not None:
            self.add_weight_decay(theorem.weight_decay)
        for claim, inverse in claims.of_the_jacobian(self._arrays, self._net, theorem, self._u):
            self.add_claim(claim, inverse)
        if theorem.verdict("I") is Verdict.PROVED:
            self.add_invariance()

    def add_path(self, path: LossPath) -> None:
        """Add P1: a path along which U rests."""
        self.add_claim(claims.path_from_start(self._arrays, path))

    def add_escape(self, escape: Escape) -> None:
        """Add E1 to E4 or S.path: a piece that leaves the start, then P1, if the checker can follow to the end."""
        if not self._too_far(escape.end_u):
            claim = claims.path_after_escape(self._arrays, self._net, escape)
            self.add_claim(claim, escape.right_inverse, escape.primes)

    def add_gateway(self, result: GatewayResult) -> None:
        """Add E4, from every point a non-increasing path exists, if the checker can follow the proof.

        The statement is about labels that agree, so nothing is added to a certificate without labels.
        """
        if self._data["labels"] is None:
            return
        separating = result.separating if result.certifiable and result.verdict is Verdict.PROVED else None
        if separating is not None and self._u is not None and not self._too_far(separating):
            entries = self._point("separating", separating, self._u)
            self.add_claim(E4(precision=result.precision, separating=entries or None))

    def add_loss_path(self, result: LossPathResult) -> None:
        """Add TC.3: a segment that is certified, also where it does not come close to the infimum.

        A result with ``needs_rank`` needs R1 or R3 in the same certificate: see `ranked`.
        """
        self.add_claim(claims.loss_path(self._arrays, f"loss{len(self._claims)}", result))

    def add_ball(self, result: BallResult) -> None:
        """Add Z2 if it was proved."""
        if result.verdict is Verdict.PROVED and result.radius is not None:
            self.add_claim(claims.ball(self._arrays, f"ball{len(self._claims)}", result, result.radius))

    def add_not_stationary(self, result: GradientResult) -> None:
        """Add C1 if it was proved; it needs `add_rank` in the same certificate."""
        if result.verdict is Verdict.PROVED and fits(result.gradient_lower):
            name = f"point{len(self._claims)}"
            self.add_claim(claims.not_stationary(self._arrays, name, result, result.gradient_lower))

    def add_curvature(self, result: CurvatureResult) -> None:
        """Add C3 if it was proved."""
        if result.verdict is Verdict.PROVED and fits(result.curvature_lower):
            self.add_claim(claims.no_maximum(self._arrays, f"point{len(self._claims)}", result, result.curvature_lower))

    def add_gradient_descent(self, result: DescentResult) -> None:
        """Add GDV if it was proved."""
        self.add_claim(claims.gradient_descent(self._arrays, f"descent{len(self._claims)}", result))

    def add_extrema(self, no_maximum: NoMaximum, enough_columns: bool) -> None:
        """Add C4 if it was proved, and C2+ if Psi has enough columns; where arcs are missing neither is stated."""
        if no_maximum.proved and "arcs" not in self._data:
            self.add_claim(C4(node=no_maximum.node))
        if enough_columns and "arcs" not in self._data:
            self.add_claim(C2Plus())

    def add_witness(self, result: WitnessResult) -> None:
        """Add W1 or W2 if it was proved."""
        self.add_claim(claims.explicit_witness(self._arrays, result))

    def add_generic(self) -> None:
        """Add W0: full rank for almost every U, if a claim of full rank (R1, R3, W1, W2) stands beside it."""
        if self.ranked_somewhere("W0"):
            self.add_claim(W0())

    def add_almost_every_data_set(self) -> None:
        """Add D, on a claim of full rank on the samples of the certificate, which are its X*."""
        if self.ranked_somewhere("D"):
            self.add_claim(D())

    def add_every_data_set(self, result: EveryDataSet) -> None:
        """Add A if it was proved; it needs no samples, no weights and no other claim."""
        if result.proved:
            self.add_claim(A(units=tuple(UnitsOf(part.node, part.count) for part in result.units)))

    def add_weight_decay(self, result: WeightDecay) -> None:
        """Add WD if it was proved: its point, as what differs from the stored U, and its V."""
        if result.u is not None and result.v is not None and result.value is not None and self._u is not None:
            moved = self._point("decay", result.u, self._u)
            self.add_claim(claims.weight_decay(self._arrays, result, moved, result.v, result.value))

    def add_minimum(self, result: Minimum) -> None:
        """Add BM if it was proved, with the better point if there is one; the stored U must be the minimum's."""
        if result.verdict is Verdict.PROVED and self._u is not None:
            better = result.better
            there = () if better is None else self._point("better", better.u, self._u)
            self.add_claim(claims.strict_minimum(self._arrays, result, there))

    def add_memorisation(self, result: Memorisation) -> None:
        """Add J3 if it was proved: on the samples of the certificate, or on almost every set of as many."""
        for claim, inverse in claims.memorisation(self._arrays, self._net, result, self._u):
            self.add_claim(claim, inverse)

    def add_sink(self, result: Sink) -> None:
        """Add S(1), S(2) and S+ as far as they are proved; S(2) only without S(1), which says more."""
        found: dict[type[OfLayer], SinkResult] = {S1: result.everywhere, SPlus: result.connected}
        if not result.everywhere.proved:
            found[S2] = result.almost_everywhere
        for kind, proof in found.items():
            if proof.proved and proof.node is not None:
                self.add_claim(kind(node=proof.node))

    def add_sink_start(self, result: SinkStart) -> None:
        """Add S if it was proved: a path from the stored U."""
        if result.proved and result.node is not None and result.direction is not None:
            name = self._arrays.integers("sink.direction", result.direction)
            self.add_claim(S(precision=result.precision, node=result.node, direction=name))

    def add_given_data(self, result: GivenData) -> None:
        """Add A of these samples if it was proved; it needs the samples, no weights and no other claim."""
        if result.proved:
            self.add_claim(AData(units=tuple(ShownUnitsOf(part.node, part.entries) for part in result.units)))

    def add_connection(self, connection: Connection) -> None:
        """Add MC if it was proved: a path to another network; the stored U is that of the first corner."""
        if self._stated_beside_labels and not any(map(self._too_far, connection.corners)):
            self.add_claim(networks.connection(self._arrays, self._net, connection))

    def add_line_barrier(self, barrier: LineBarrier) -> None:
        """Add MC.line if it was proved: bounds of the loss on the straight line from the stored U and V."""
        if self._stated_beside_labels and not self._too_far(barrier.end[0]):
            self.add_claim(networks.line_barrier(self._arrays, self._net, barrier))

    @property
    def _stated_beside_labels(self) -> bool:
        return self._data["labels"] is not None

    def add_invariance(self) -> None:
        """Add I, on claims for all U, or almost all; it is the last to be added."""
        if any(kind.carries for kind in self._kinds):
            self.add_claim(I())
