"""``connect(a, b)``: join two networks on the same data by a certified path without a barrier (MC)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import FIRST_BITS, Enclosure
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.writable import Writable
from verifier.certificate.writer import CertificateBuilder
from verifier.connect_file import FileMemory
from verifier.data.dataset import Dataset
from verifier.data.gate import Labels
from verifier.display import count, matrices
from verifier.errors import InputError, one_line
from verifier.landscape.connection import Connection
from verifier.landscape.joining import End, prove_connection
from verifier.landscape.leg_engines import margins_on_leg
from verifier.landscape.line_barrier import LineBarrier, bound_line_barrier, loss_of_leg, with_labels
from verifier.landscape.polygon_search import Sought
from verifier.landscape.targets import decimal_below
from verifier.landscape.weight_matching import match_weights
from verifier.network.network import Array, Block, Network
from verifier.options import SMALL_ENTRIES, Engine, Options, by_engine
from verifier.outcome import Report
from verifier.pair import require_pair
from verifier.problem import Problem
from verifier.rank.certify import Stage, silent
from verifier.run.arguments import given_model, given_network, given_problem
from verifier.verdict import Verdict

PERMUTED = "B stands with its units in the order of weight matching, which is another point than B as it was given"
"""What is said where the units of B were permuted."""
UNMOVED = "weight matching leaves all units of B where they are"
"""What is said where that was asked for, and B is the nearest already."""


@dataclass(frozen=True, slots=True, repr=False, eq=False, kw_only=True)
class Joined(Writable, Connection):
    """A `Connection` of two problems, with their naive line, and the certificate that can be written.

    Parameters
    ----------
    a, b : Problem
        The two networks; with a permutation of units ``b`` is the permuted one, which is another point.
    line : LineBarrier or None
        Bounds of the barrier of the straight line of all weights; None if it was not asked for.
    builder : CertificateBuilder
        The claims of the certificate.
    permuted : bool
        Whether the units of ``b`` stand in another order than they were given.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0], [2.0]], [0, 1, 0])
    >>> network = vf.Network(1, vf.Dense(4, "tanh", skip=True))
    >>> v = vf.output_weights(network, 2)
    >>> a, b = (vf.Problem(data, network, vf.initialise(network, seed=k), v) for k in (0, 1))
    >>> found = vf.connect(a, b, line=True)
    >>> found.a is a, found.line.proved
    (True, True)
    """

    a: Problem
    b: Problem
    line: LineBarrier | None = None
    builder: CertificateBuilder
    permuted: bool = False

    @property
    def conclusion(self) -> str:
        """Whether the two are joined, in one sentence without the verdict."""
        other = "B with its units permuted, which is another point than B," if self.permuted else "B"
        if not self.proved:
            return f"whether A and {other} are joined without a barrier is not decided"
        return (
            f"A and {other} are joined by a continuous path on which the cross-entropy never exceeds the larger of "
            "their two losses: the barrier is 0"
        )


def connect(
    a: Problem | Report | object,
    b: Problem | Report | object,
    *,
    X: ArrayLike | str | Path | Dataset | None = None,
    y: Labels | None = None,
    line: bool = False,
    epsilon: str | float | None = None,
    permute: bool = False,
    resume: str | Path | None = None,
    seed: int = 0,
    engine: Engine = "binary64",
    max_check_seconds: float | None = None,
    max_check_gib: float | None = None,
    stage: Stage = silent,
) -> Joined:
    """Join two networks on the same data by a path whose loss never exceeds the larger of their two losses (MC).

    Parameters
    ----------
    a, b : Problem, Report, or trained models of PyTorch, ONNX or scikit-learn
        Two networks of one architecture on the same samples, with the same fixed numbers, arcs and treatment of
        duplicates. They differ in U and V alone.
    X, y : optional
        For models: the samples and labels, as for `verify`.
    line : bool, optional
        Whether the barrier of the straight line of all weights is bounded as well, so that the two can be compared.
    epsilon : str or float, optional
        What the loss is not to exceed between the two ends' segments of V, such as ``"1e-6"``.
    permute : bool, optional
        Whether the units of B are put into the order in which its weights are nearest to A's (weight matching). The
        statement is then about the permuted B, which computes the same and is another point: `Joined.b`.
    resume : str or Path, optional
        A file ``.npz`` that keeps what was found, so that a search that was interrupted goes on; it need not exist.
        Nothing in it is trusted.
    seed : int, optional
        Of the random corners.
    engine : "binary64" or "arb", optional
        Binary64 where it suffices and Arb elsewhere, or Arb alone.
    max_check_seconds, max_check_gib : float, optional
        What checking the certificate may take, as predicted.
    stage : callable, optional
        Told what is being done.

    Returns
    -------
    Joined
        Guarantee: that of `Connection`, about the exact real networks at exactly these numbers; what is proved in
        binary64 is returned only if the platform's canary passed before and after.

    Raises
    ------
    InputError
        The two differ in something else than their weights, or an argument is unusable; one line with the remedy.

    Notes
    -----
    FLINT's precision belongs to the process: do not call this from several threads at a time.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0], [2.0]], [0, 1, 0])
    >>> network = vf.Network(1, vf.Dense(4, "tanh", skip=True))
    >>> v = vf.output_weights(network, 2)
    >>> a, b = (vf.Problem(data, network, vf.initialise(network, seed=k), v) for k in (0, 1))
    >>> found = vf.connect(a, b)
    >>> print(found.verdict, len(found.corners))
    PROVED 2
    """
    first, second = _problem("a", a, X, y), _problem("b", b, X, y)
    require_pair(first, second)
    given, second = second, _permuted(first, second, seed) if permute else second
    moved = not (np.array_equal(given.u, second.u) and np.array_equal(given.v, second.v))
    order = "" if not permute else PERMUTED if moved else UNMOVED
    options = Options(engine=engine, max_check_seconds=max_check_seconds, max_check_gib=max_check_gib)
    memory = None if resume is None else FileMemory(resume, first, second, seed)
    run = _Run(first, second, options, stage, line, _epsilon(epsilon), seed, memory, order)
    small = first.rows.samples * first.network.skip_count < SMALL_ENTRIES
    found, arithmetic = by_engine(options, small, lambda backend, _: run.joined(backend), stage)
    found.builder.arithmetic = arithmetic
    return found


@dataclass(frozen=True)
class _Run:
    """What is asked for, and the steps from two problems to a certificate."""

    a: Problem
    b: Problem
    options: Options
    stage: Stage
    line: bool
    epsilon: str | None
    seed: int
    memory: FileMemory | None
    order: str
    """What is said of B's units, if anything."""

    def joined(self, backend: Backend | None) -> Joined:
        """The connection by one engine, the line beside it, and the claims of both."""
        a, b = self.a, self.b
        found = self._connection(backend)
        builder = CertificateBuilder(
            a.rows, a.network, a.u, with_labels=a.rows.labels is not None, limits=self.options.limits, arcs=a.arcs
        )
        if found.proved:
            builder.add_connection(found)
        line = self._line(backend)
        if line is not None and line.proved and line.agreed:
            builder.add_line_barrier(line)
        if self.order:
            found = replace(found, reason=f"{found.reason}; {self.order}")
        known = {field.name: getattr(found, field.name) for field in fields(Connection)}
        return Joined(**known, a=a, b=b, line=line, builder=builder, permuted=self.order == PERMUTED)

    def _connection(self, backend: Backend | None) -> Connection:
        a, b = self.a, self.b
        rows, labels, network = a.rows, a.rows.labels, a.network
        refused = does_not_apply(a)
        if refused or labels is None:
            ends = ExactArray.of_floats(a.v), ExactArray.of_floats(b.v)
            return Connection(Verdict.UNDECIDED, f"does not apply: {refused}", (a.u, b.u), ("A", "B"), *ends)

        def features(u: Array) -> Enclosure:
            if backend is None:
                return FeatureEnclosure(network, u, rows.inputs, FIRST_BITS)
            return FloatEnclosure(network, u, rows.inputs, backend)

        one_logit = rows.classes == 2 and not (a.v[:, 0].any() or b.v[:, 0].any())
        free = a.arcs if a.arcs is None or not one_logit else a.arcs & [False, True]
        sought = Sought(
            network,
            rows.inputs,
            labels,
            rows.multiplicities,
            rows.classes,
            free,
            lambda start, end: margins_on_leg(backend, network, start, end, rows.inputs, labels),
            one_logit and a.arcs is None,
        )
        try:
            return prove_connection(
                sought,
                End(a.u, a.v),
                End(b.u, b.v),
                features,
                tell=self._tell,
                memory=self.memory,
                seed=self.seed,
                epsilon=self.epsilon,
                max_bits=self.options.max_bits,
                stage=self.stage,
            )
        finally:
            if self.memory is not None:
                self.memory.save()

    def _tell(self, leg: int, t: Fraction, pieces: int, weights: int) -> None:
        self.stage(f"leg {leg}, t = {float(t):.2f}, {count(pieces, 'piece')}, {matrices(weights)}")(float(t))
        if self.memory is not None:
            self.memory.save_if_due()

    def _line(self, backend: Backend | None) -> LineBarrier | None:
        a, b = self.a, self.b
        data = with_labels(a.rows, a.grouping.label_counts)
        if not self.line or data.labels is None:
            return None
        leg = margins_on_leg(backend, a.network, a.u, b.u, data.inputs, data.labels)
        loss, ends = loss_of_leg(leg, a.v, b.v, data), ((a.u, a.v), (b.u, b.v))

        def say(words: str) -> None:
            self.stage(words)

        return bound_line_barrier(a.network, *ends, data, loss, stage=say)


def does_not_apply(problem: Problem) -> str:
    """Why Theorem MC says nothing of a problem; empty if it applies.

    Parameters
    ----------
    problem
        One of the two.
    """
    if problem.data.targets is not None:
        return "a regression has no margins; MC is about classes"
    if problem.rows.offset is not None:
        return "there are frozen logits, which do not scale with V"
    if problem.rows.labels is None or not problem.grouping.labels_agree:
        return "equal samples have different labels, so that no V classifies all samples"
    return ""


def _permuted(a: Problem, b: Problem, seed: int) -> Problem:
    """B with its units in the order that weight matching finds."""
    found = match_weights(a.network, (a.u, a.v), (b.u, b.v), a.rows.inputs, arcs=a.arcs, seed=seed)
    if isinstance(found, str):
        raise InputError(f"permute: {found}; leave it out")
    return replace(b, u=found.u, v=found.v)


def _epsilon(given: str | float | None) -> str | None:
    if given is None:
        return None
    try:
        decimal_below(str(given))
    except (ValueError, ZeroDivisionError):
        raise InputError(f'epsilon = {one_line(given)} must be a positive decimal number such as "1e-6"') from None
    return str(given)


def _problem(name: str, given: object, X: ArrayLike | str | Path | Dataset | None, y: Labels | None) -> Problem:
    """A problem as it is, that of a report, or one made of a trained model with the samples."""
    if isinstance(given, Problem | Report):
        if X is not None or y is not None:
            raise InputError(f"{name} is a {type(given).__name__}, which has samples of its own; leave X and y out")
        return given if isinstance(given, Problem) else given.problem
    if isinstance(given, Network | Block) or (isinstance(given, list | tuple)):
        raise InputError(f"{name} has no weights; give a Problem(data, network, u, v), a Report, or a trained model")
    if X is None:
        raise InputError(f"X: missing; {name} is a model: write connect(model_a, model_b, X=X, y=y)")
    data, model, remarks = given_model(X, y, given, None, "data", None, None)
    if model is None:
        raise InputError(f"{name} = {one_line(given)} is no Problem, Report or trained model")
    network = given_network(model.network, data)
    return given_problem(
        data, network, model.u, model.v, seed=0, init="gaussian", scale=1.0, targets=[], losses=[], remarks=remarks
    )
