"""What holds with a network for every data set (A), or almost every one (D, J3): all labels, losses, targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.adapters.translation.imported import Imported
from verifier.certificate.writable import Writable
from verifier.certificate.writer import CertificateBuilder
from verifier.data.samples import SampleSource
from verifier.data.unseen import Unseen
from verifier.display import Card, Judged, Shown, Table, listed, wrapped
from verifier.errors import InputError, NetworkError, nearest, one_line
from verifier.landscape.turning_layer import prove_no_maximum
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Network, network_for
from verifier.network.nodes import Constant
from verifier.options import SMALL_ENTRIES, at_most_threads
from verifier.rank.almost_every_data import AlmostEveryDataSet, prove_almost_every_data_set
from verifier.rank.certify import Stage, silent
from verifier.rank.every_data import EveryDataSet, prove_every_data_set
from verifier.rank.memorisation import Memorisation, prove_memorisation
from verifier.rank.sink import Sink, prove_sink
from verifier.run.models import imported_model, is_foreign, is_module
from verifier.statements.almost_every_data import ALMOST_EVERY_DATA_SET
from verifier.statements.every_data import EVERY_DATA_SET, finding
from verifier.statements.memorisation import MEMORISATION
from verifier.statements.no_maximum import NO_MAXIMUM_ANYWHERE
from verifier.statements.no_maximum import finding as of_maxima
from verifier.statements.no_strict_minimum import WIDE_MINIMA, enough_columns
from verifier.statements.no_strict_minimum import finding as of_strict_minima
from verifier.statements.sink_everywhere import sink_steps
from verifier.statements.statement import Finding, Statement
from verifier.statements.theorem import TheoremStep
from verifier.verdict import Verdict

MAX_SAMPLES = 1 << 31
"""The largest N that certificates hold."""
EXAMPLES, EXAMPLE_STREAM = 3, 1_000_037
"""Samples on which a model of another library is looked at, and their stream of random numbers."""
WITNESS_ENTRIES = 250_000
"""Entries of Psi up to which a pair (U*, X*) is sought for D also where A, which says more, is proved."""


@dataclass(frozen=True, slots=True, repr=False)
class Architecture(Judged, Shown, Writable):
    """What holds for a network whatever the data are: verdicts, sentences, and the certificate that can be written.

    Parameters
    ----------
    network : Network
        The network; its frozen numbers are part of it.
    samples : int
        The number N of samples.
    every : EveryDataSet
        A, for every set of N distinct samples.
    almost_every : AlmostEveryDataSet
        D, for almost every data set of N samples, with its U* and X*.
    sink : Sink
        S(1), S(2) and S+, for every set of N distinct samples; they need no analytic activation.
    memorised : Memorisation
        J3, where N is larger than the number of features: every target of m outputs on almost every data set.
    builder : CertificateBuilder
        The claims.
    remarks : tuple of str
        What was said when a model of another library was taken over.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.architecture(vf.Network(2, vf.Dense(5, "tanh", skip=True)), samples=5)
    >>> found.verdict("A"), found.verdict("D")
    (<Verdict.PROVED: 'PROVED'>, <Verdict.PROVED: 'PROVED'>)
    >>> vf.architecture(vf.Network(2, vf.Dense(5, "relu", skip=True)), samples=5).verdict("S(1)")
    <Verdict.PROVED: 'PROVED'>
    """

    network: Network
    samples: int
    every: EveryDataSet
    almost_every: AlmostEveryDataSet
    sink: Sink
    memorised: Memorisation
    builder: CertificateBuilder
    remarks: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[TheoremStep, ...]:
        """A, D, S(1), S(2), S+, J3, C4 and C2+, each with its verdict and reason."""
        found, almost, memorised = finding(self.every), self.almost_every, self.memorised
        return (
            TheoremStep(EVERY_DATA_SET, found.verdict, self.every.reason, (), found.applies),
            TheoremStep(ALMOST_EVERY_DATA_SET, almost.verdict, almost.reason, (), almost.applies),
            *sink_steps(self.sink),
            TheoremStep(MEMORISATION, memorised.verdict, memorised.reason, (), memorised.applies),
            *(_step(statement, part) for statement, part in self._extrema()),
        )

    def _extrema(self) -> tuple[tuple[Statement, Finding], ...]:
        """C4 and C2+, which need no more than M and the activations."""
        narrow, maximum = of_strict_minima(self.network, self.samples), of_maxima(prove_no_maximum(self.network))
        return (NO_MAXIMUM_ANYWHERE, maximum), (WIDE_MINIMA, narrow)

    @property
    def proved(self) -> bool:
        """Whether A, D, S(1), S(2) or J3 is PROVED."""
        found = (self.every, self.almost_every, self.sink.almost_everywhere, self.memorised)
        return any(part.proved for part in found)

    def verdict(self, label: str) -> Verdict:
        """The verdict of a statement about every data set (A, S(1), S(2), S+, C4, C2+), or almost every one (D, J3).

        Parameters
        ----------
        label : str
            ``"A"``, ``"D"``, ``"S(1)"``, ``"S(2)"``, ``"S+"``, ``"J3"``, ``"C4"`` or ``"C2+"``.

        Raises
        ------
        InputError
            Another label.
        """
        found = {step.label: step.verdict for step in self.steps}
        if label not in found:
            raise InputError(f"verdict({one_line(label)}): no such statement here; {nearest(str(label), found)}")
        return found[label]

    @property
    def outputs(self) -> int:
        """The number m of outputs that J3 is about."""
        return 1 if self.memorised.where is None else self.memorised.where.v.shape[1]

    @property
    def conclusion(self) -> str:
        """Say in one sentence what is proved of the architecture."""
        what = f"N = {self.samples} samples of {self.network.dimension} real coordinates, or fewer"
        then = "all labels and all convex losses, no local valley is bad"
        if self.every.proved or self.sink.almost_everywhere.proved:
            start = "every" if self.sink.everywhere.proved else "almost every"
            path = f" From {start} point a path leads down to the infimum."
            path = path if self.sink.almost_everywhere.proved else ""
            joined = " All sublevel sets are connected." if self.sink.connected.proved else ""
            return f"For EVERY data set of {what}, all distinct, {then}.{path}{joined}"
        if self.almost_every.proved:
            return (
                f"For almost every data set of {what}, {then}. This says NOTHING about a given data set, nor about "
                "integer or 8-bit data (a null set)."
            )
        if self.memorised.proved:
            outputs = "1 output" if self.outputs == 1 else f"{self.outputs} outputs"
            return (
                f"Certified memorisation: for almost every data set of {what}, every real target of {outputs} is "
                f"attained exactly with {self.network.size_words}. This says NOTHING about a given data set, nor about "
                "integer or 8-bit data (a null set)."
            )
        reasons = dict.fromkeys((self.almost_every.reason, self.every.reason, self.sink.almost_everywhere.reason))
        return f"Of valleys and targets nothing is proved for N = {self.samples} samples: {next(iter(reasons))}."

    @property
    def about(self) -> str:
        """The network in one line, with how many of its numbers are frozen."""
        frozen = sum(node.values.size for node in self.network.nodes if isinstance(node, Constant))
        frozen -= int(self.network.output_bias)
        words = f"{self.network.size_words}, p = {self.network.parameter_count} trained parameters"
        return f"{words}, {frozen} frozen numbers, which keep their values" if frozen else words

    def __str__(self) -> str:
        """The conclusion, the network, then each statement with its name, verdict and reason."""
        rows = ((step.shown, f"{step.statement.name} ({step.label}): {step.reason}") for step in self.steps)
        said = [line for remark in self.remarks for line in wrapped(remark)]
        return "\n".join([*wrapped(self.conclusion), *wrapped(self.about), *said, "", *listed(rows)])

    def _card(self) -> Card:
        rows = tuple((step.label, step.shown, f"{step.statement.name}: {step.reason}") for step in self.steps)
        table = Table("Statements", ("label", "verdict", "statement and reason"), rows, True)
        title = "What holds for all data, or almost all"
        return Card(title, None, self.conclusion, (("network", self.about),), (table,))


def _step(statement: Statement, found: Finding) -> TheoremStep:
    return TheoremStep(statement, found.verdict, found.reason, (), found.applies)


def architecture(
    network: Any,
    samples: int | None = None,
    *,
    input_shape: int | Sequence[int] | None = None,
    outputs: int = 1,
    seed: int = 0,
    stage: Stage = silent,
) -> Architecture:
    """Prove what holds with every data set (A, S(1), S(2), S+), or almost every one (D, J3), without data.

    Parameters
    ----------
    network : Network, layer or sequence of layers, torch module, ONNX file, estimator, or what from_torch returns
        The network, or a model whose trained parameters are U. Frozen parameters, buffers and scalers keep their
        numbers: they are part of the architecture.
    samples : int
        The number N of samples: for A and D at most M, the number of columns of Psi.
    input_shape : int or sequence of int, optional
        The shape of a sample, for layers that are no Network yet and for models that do not know it.
    outputs : int, optional
        The number m of outputs for J3, certified memorisation, where N is larger than M.
    seed : int, optional
        Of the samples X* and the parameters U* that prove D or J3.
    stage : callable, optional
        Told what is being proved.

    Returns
    -------
    Architecture
        Guarantee: what is PROVED holds for every number of classes, all labels and all convex finite losses of Psi V,
        V free (an output bias is its last row): A, S(1), S(2) and S+ for every N or fewer distinct samples of real
        numbers, D for almost every such set, by the rules of THEORY2. J3, where N > M: on almost every such set every
        target in R^(N x m) is attained exactly by some (U, V). D and J3 say nothing about a given data set, nor about
        integer or 8-bit data (a null set).

    Raises
    ------
    InputError
        One line that names the argument, its value and the remedy.

    Examples
    --------
    >>> import verifier as vf
    >>> tied = vf.Conv(3, (2,), "tanh", bias="tied", skip=True)
    >>> found = vf.architecture(tied, 6, input_shape=(1, 4))
    >>> found.verdict("A"), found.verdict("D")  # a tied bias: two samples with equal patches are an exception
    (<Verdict.UNDECIDED: 'UNDECIDED'>, <Verdict.PROVED: 'PROVED'>)
    """
    taken, remarks = _network(network, input_shape)
    count = _samples(samples, taken)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed = {one_line(seed)} must be an integer that is not negative")
    every = prove_every_data_set(taken, count)
    small = count * taken.columns < SMALL_ENTRIES
    if every.proved and count * max(taken.columns, taken.dimension) > WITNESS_ENTRIES:
        words = f"not sought: Psi would be {count} x {taken.columns}, and A, which is proved, says more"
        almost = AlmostEveryDataSet(Verdict.UNDECIDED, words, applies=False)
    else:
        with at_most_threads(1 if small else None):
            almost = prove_almost_every_data_set(taken, count, seed=int(seed), stage=stage)
    sink = prove_sink(taken, count)
    memorised = prove_memorisation(taken, None, _outputs(outputs), samples=count, seed=int(seed))
    builder = _certificate(taken, count, every, almost, sink, memorised)
    return Architecture(taken, count, every, almost, sink, memorised, builder, remarks)


def _network(given: Any, input_shape: int | Sequence[int] | None) -> tuple[Network, tuple[str, ...]]:
    """The network, and what was said when a model was taken over."""
    if not is_foreign(given):
        return _own_network(given, input_shape), ()
    example = None
    if input_shape is None and is_module(given):
        raise NetworkError("input_shape: missing; a module does not say what a sample is: input_shape=(1, 28, 28)")
    if input_shape is not None:  # a model is looked at on some samples; which ones does not matter
        shape = np.atleast_1d(np.asarray(input_shape)).tolist()
        example = portable_gaussian(0, (EXAMPLE_STREAM,), EXAMPLES * math.prod(shape)).reshape(EXAMPLES, *shape)
    found = given if isinstance(given, Imported) else imported_model(given, example)
    return _own_network(given if found is None else found.network, None), () if found is None else found.remarks


def _own_network(given: Any, input_shape: int | Sequence[int] | None) -> Network:
    if isinstance(given, Network):
        wanted = None if input_shape is None else np.atleast_1d(np.asarray(input_shape)).tolist()
        if wanted is not None and wanted != list(given.input_shape):
            raise NetworkError(f"input_shape = {wanted}, and the network's is {list(given.input_shape)}; leave it out")
        return given
    if input_shape is None:
        raise NetworkError("input_shape: missing; layers alone do not say what a sample is: input_shape=(1, 28, 28)")
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    return network_for(shape, given)


def _samples(given: object, network: Network) -> int:
    if given is None:
        raise InputError(
            f"samples: missing; say for how many samples N, at most {network.columns} if full rank is the aim: "
            f"samples={network.columns}"
        )
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not 1 <= given < MAX_SAMPLES:
        raise InputError(f"samples = {one_line(given)} must be an integer from 1 to {MAX_SAMPLES - 1}")
    return int(given)


def _outputs(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise InputError(f"outputs = {one_line(given)} must be an integer, at least 1: the number of logits")
    return int(given)


def _certificate(
    network: Network,
    samples: int,
    every: EveryDataSet,
    almost: AlmostEveryDataSet,
    sink: Sink,
    memorised: Memorisation,
) -> CertificateBuilder:
    """D on its X* and U*, and A beside it; A alone where there is no D, or checking it is too expensive; S(1); J3."""
    builder = CertificateBuilder(Unseen(samples, network.dimension), network, None)
    if memorised.x is not None and memorised.where is not None and memorised.found is not None:
        source = SampleSource("X*, random samples drawn for this proof", memorised.x, shape=network.input_shape)
        builder = CertificateBuilder(source, network, memorised.where.u)
        builder.add_memorisation(memorised)
    if almost.x is not None and almost.rank is not None:
        shape = network.input_shape
        source = SampleSource("X*, random samples drawn for this proof", almost.x, shape=shape)
        builder = CertificateBuilder(source, network, almost.u)
        builder.add_rank(almost.rank)
        builder.add_almost_every_data_set()
        if (every.proved or sink.almost_everywhere.proved) and not builder.ranked:
            builder = CertificateBuilder(Unseen(samples, network.dimension), network, None)
    builder.add_every_data_set(every)
    builder.add_sink(sink)
    if not builder.empty:
        builder.add_extrema(prove_no_maximum(network), enough_columns(network, samples))
    return builder
