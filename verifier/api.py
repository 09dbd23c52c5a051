"""The whole verification in one call: `verify`, `check` and `show`.

Everything here is the pipeline of `verifier run` (`verifier.suite.pipeline`) on arrays in memory; nothing is proved in
another way. The pieces are public as well, see `verifier.prove_rank` and the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from verifier.balls.binary64.backend import backend_for
from verifier.balls.engine import FIRST_BITS
from verifier.balls.features import FeatureEnclosure
from verifier.certificate.show import Description, read_description
from verifier.certificate.writer import CertificateBuilder
from verifier.display import Facts, Shown
from verifier.errors import CertificateError, DataError, InputError, NetworkError, nearest, one_line
from verifier.landscape.escape import EscapeResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.zero_loss import ZeroLoss
from verifier.model.arrays import Labels, dataset_from_arrays
from verifier.model.case import Case, CaseFile, DataSection, LossesSection, NetworkSection, PathSection
from verifier.model.data import Dataset, Scale, exact_float64
from verifier.model.grouping import group_duplicates
from verifier.model.initialise import Init, initialise, output_weights
from verifier.model.layers import Layer
from verifier.model.network import Array, Network, network_for
from verifier.model.readers import BUILT_IN, load_dataset
from verifier.model.verdict import Verdict
from verifier.rank.certify import RankResult, Stage, silent
from verifier.suite.pipeline import CaseReport, Engine, Instance, Step, in_words
from verifier.suite.recheck import Checked, CheckerProcess
from verifier.suite.tasks import prove_instance
from verifier.suite.work import BLAS_THREADS
from verifier.theorem.steps import Theorem

Weights = ArrayLike | Mapping[str, ArrayLike]
"""U as a flat array of shape (p,), or by name: ``{"layer0.weight": ..., "layer0.bias": ..., ...}``."""


@dataclass(frozen=True, slots=True, repr=False)
class Verification(Shown):
    """What `verify` found: verdicts, proofs, and the certificate that can be written.

    Parameters
    ----------
    report : CaseReport
        The verdicts with their reasons and all proofs.
    instance : Instance
        What they are about: the (grouped) data, the network, U and V.
    builder : CertificateBuilder
        The claims that the certificate makes.
    """

    report: CaseReport
    instance: Instance
    builder: CertificateBuilder

    @property
    def rank(self) -> RankResult:
        """Full row rank of Psi(U) (R1-R5): `RankResult.sigma_lower` is the proved bound of sigma_N."""
        if self.report.rank is None:
            raise InputError("the report has no rank: it is not one that verify made")
        return self.report.rank

    @property
    def zero_loss(self) -> ZeroLoss | None:
        """Zero training error (Z1), None if labels conflict."""
        return self.report.zero_loss

    @property
    def path(self) -> LossPath | None:
        """The path of P1, from the start or from where the escape ends; None if no path was certified."""
        escape = None if self.report.escape is None else self.report.escape.escape
        return self.report.path if escape is None else escape.tail

    @property
    def escape(self) -> EscapeResult | None:
        """The way out of the start (E1-E4), None if P1 begins there."""
        return self.report.escape

    @property
    def theorem(self) -> Theorem:
        """The paper's statements, one by one."""
        if self.report.theorem is None:
            raise InputError("the report has no theorem: it is not one that verify made")
        return self.report.theorem

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was asked for: each step's verdict, reason and seconds."""
        return tuple(self.report.steps)

    @property
    def data(self) -> Dataset:
        """The samples that Psi has rows for: the distinct ones."""
        return self.instance.data

    @property
    def network(self) -> Network:
        """The network."""
        return self.instance.network

    @property
    def u(self) -> Array:
        """The hidden parameters U, shape (p,)."""
        return self.instance.u

    @property
    def v(self) -> Array:
        """The output weights V, shape (M, m)."""
        return self.instance.v

    @property
    def features(self) -> FeatureEnclosure:
        """Psi(U), shape (N, M), enclosed by Arb at 64 bits: for `singular_values`, pictures, proofs of your own."""
        return FeatureEnclosure(self.network, self.u, self.data.inputs, FIRST_BITS)

    def verdict(self, name: str) -> Verdict | None:
        """The verdict of a step or statement.

        Parameters
        ----------
        name : str
            ``"rank"``, ``"zero_loss"``, ``"path"``, ``"generic"`` (full rank at almost every U), another loss's name,
            or a label of the theory such as ``"T3.4(2)"``.

        Returns
        -------
        Verdict or None
            None if the statement does not apply to this instance.

        Raises
        ------
        InputError
            There is no such step or statement.
        """
        labels = [step.label for step in self.theorem.steps]
        keys = [*(step.key for step in self.report.steps), "generic"]
        if name in keys:
            return self.report.verdict(name)
        if name in labels:
            return self.theorem.verdict(name)
        raise InputError(
            f"verdict({one_line(name)}): no such step or statement; {nearest(str(name), [*keys, *labels])}"
        )

    def write(self, file: str | Path) -> Path:
        """Write the certificate: ``file`` and, beside it, its arrays in a ``.safetensors``.

        Parameters
        ----------
        file : str or Path
            A name that ends in ``.json``.

        Returns
        -------
        Path
            The document's path, for `check`.

        Raises
        ------
        InputError
            Another ending.
        CertificateError
            Nothing was proved, or the files cannot be written.
        """
        target = Path(file)
        if target.suffix != ".json":
            raise InputError(
                f"write({one_line(str(file))}): a certificate's name ends in .json; its arrays go beside it"
            )
        if self.builder.empty:
            raise CertificateError(f"no certificate can be written: {self.builder.refusal or 'nothing was proved'}")
        return self.builder.write(target)

    def _facts(self) -> Facts:
        return self.report._facts()

    def __str__(self) -> str:
        """All steps, a line each."""
        head = f"{self.report.data}; M = {self.network.skip_count} skip units"
        lines = [f"{step.verdict:<9}  {step.label:<5} {step.reason}" for step in self.steps]
        generic = next((step for step in self.theorem.steps if step.label == "L3.2 genericity"), None)
        if generic is not None and generic.applies:
            lines.append(f"{generic.verdict:<9}  L3.2  {generic.statement.title}: {generic.reason}")
        return "\n".join([head, *lines])


def verify(
    X: ArrayLike | str | Path | Dataset,
    y: Labels | None = None,
    network: Network | Layer | Sequence[Layer] | None = None,
    u: Weights | None = None,
    v: ArrayLike | None = None,
    *,
    seed: int = 0,
    init: Init = "gaussian",
    scale: float = 1.0,
    data_scale: Scale | None = None,
    targets: Sequence[str | float] = ("1e-6", "1e-100"),
    losses: Sequence[str] = (),
    engine: Engine = "binary64",
    name: str = "data",
    stage: Stage = silent,
) -> Verification:
    """Prove what the theory says about a network on data, at a start (U, V).

    Parameters
    ----------
    X : array_like of shape (N, d), (N, channels, length) or (N, channels, height, width); or str, Path, Dataset
        The samples; or the name of a built-in data set (``"iris"``), a file (see `verifier.load_dataset`), a `Dataset`.
    y : sequence of N hashable values, optional
        The classes, of any kind. Not given with a name, a file or a `Dataset`, which have labels.
    network : Network, layer or sequence of layers
        The network; layers are put on the input of X's shape.
    u : array_like of shape (p,), or mapping of names to arrays, optional
        The hidden parameters; by default drawn: see ``seed``, ``init``, ``scale``.
    v : array_like of shape (M, m), optional
        The output weights; by default drawn.
    seed, init, scale
        How U is drawn (`verifier.initialise`), and the seed of V.
    data_scale : "none", "auto" or int, optional
        Exact scaling of the samples by powers of two; by default none for arrays, "auto" for names and files.
    targets : sequence of str or float, optional
        Losses for which the path says from which t on they are reached.
    losses : sequence of str, optional
        Other losses for which a path is wanted (TC.3), such as ``"squared"``.
    engine : "binary64" or "arb", optional
        Binary64 where it suffices and Arb elsewhere, or Arb alone.
    name : str, optional
        The data's name in the certificate, for arrays.
    stage : callable, optional
        Told what is being proved.

    Returns
    -------
    Verification
        Verdicts, proofs and the certificate. Guarantee: that of `verifier.run_case`; every statement is about the exact
        real network at exactly these numbers.

    Raises
    ------
    InputError
        One line that names the argument, its value and the remedy.

    Notes
    -----
    FLINT's precision belongs to the process: do not call this from several threads at a time.
    """
    if engine not in get_args(Engine):
        raise InputError(f"engine = {one_line(engine)} is unknown; {nearest(str(engine), get_args(Engine))}")
    full = _dataset(X, y, data_scale, name)
    instance = _instance(full, _network(network, full), u, v, seed=seed, init=init, scale=scale)
    if isinstance(targets, str) or isinstance(losses, str):
        raise InputError('targets and losses are sequences; write for example targets=["1e-6"], losses=["squared"]')
    file = CaseFile(
        data=DataSection(),
        network=NetworkSection(layers=[]),
        path=PathSection(targets=list(targets)),
        losses=LossesSection(kinds=list(losses)),
    )
    case = Case(full.name, Path("."), file)
    backend = backend_for("cpu")
    report, builder = prove_instance(case, instance, backend=backend, threads=BLAS_THREADS, engine=engine, stage=stage)
    return Verification(report, instance, builder)


def check(file: str | Path) -> Checked:
    """Have a certificate checked by the independent checker, in an isolated process of its own.

    Parameters
    ----------
    file : str or Path
        The certificate's ``.json``.

    Returns
    -------
    Checked
        ``accepted`` says whether the checker proved every claim anew; if not, ``reason`` says where and why.

    Raises
    ------
    InputError
        There is no such file.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"check({one_line(str(file))}): no such file; name the .json that write() made")
    process = CheckerProcess([path])
    try:
        (answer,) = process.wait()
    finally:
        process.stop()
    return answer


def show(file: str | Path) -> Description:
    """Say in words what a certificate claims, for which data and network. Reading is not checking: `check` decides.

    Parameters
    ----------
    file : str or Path
        The certificate's ``.json``.

    Returns
    -------
    Description
        Prints as text, shows itself in a notebook.

    Raises
    ------
    InputError
        The file is missing or is no certificate of this version.
    """
    return read_description(Path(file))


def _dataset(X: ArrayLike | str | Path | Dataset, y: Labels | None, scale: Scale | None, name: str) -> Dataset:
    if isinstance(y, Network | Layer) or (isinstance(y, list | tuple) and y and isinstance(y[0], Layer)):
        raise InputError("y is a network, not labels; write verify(X, y, network), or verify('iris', network=...)")
    if isinstance(X, str | Path | Dataset):
        if y is not None:
            raise InputError(f"X = {one_line(X)} has labels of its own; leave y out: verify(X, network=...)")
        if isinstance(X, Dataset):
            if scale is not None:
                raise InputError("data_scale: a Dataset is scaled already; leave it out")
            return X
        chosen: Scale = "auto" if scale is None else scale
        if isinstance(X, Path) or Path(X).suffix:
            return load_dataset(path=X, scale=chosen)
        return load_dataset(X, scale=chosen)
    if y is None:
        raise DataError(f"y: missing; give a class for each sample of X. Only {', '.join(BUILT_IN)} have labels")
    return dataset_from_arrays(X, y, name=name, scale="none" if scale is None else scale)


def _network(given: Network | Layer | Sequence[Layer] | None, data: Dataset) -> Network:
    if given is None:
        raise NetworkError(
            f'network: missing; give layers, such as [Dense({data.samples + data.samples // 5}, "tanh", skip=True)]'
        )
    if not isinstance(given, Network):
        return network_for(data.shape, given)
    if given.dimension != data.dimension:
        raise NetworkError(
            f"network: its input {list(given.input_shape)} has {given.dimension} numbers, a sample of X has "
            f"{data.dimension}; give layers alone, or Network({data.dimension}, layers)"
        )
    return given


def _instance(
    full: Dataset, network: Network, u: Weights | None, v: ArrayLike | None, *, seed: int, init: Init, scale: float
) -> Instance:
    grouping = group_duplicates(full)
    hidden = initialise(network, init, seed=seed, scale=scale) if u is None else _hidden(network, u)
    output = output_weights(network, full.classes, seed=seed) if v is None else _output(network, v, full.classes)
    return Instance(grouping.dataset, grouping, network, hidden, output, in_words(full, grouping, True))


def _hidden(network: Network, given: Weights) -> Array:
    expected = (network.parameter_count,)
    if not isinstance(given, Mapping):
        flat = exact_float64(given, "u")
        if flat.shape != expected:
            raise NetworkError(
                f"u: shape {flat.shape}, expected {expected}: all weights and biases, flat, layer by layer; or a "
                f"mapping of {_views(network)} to arrays"
            )
        return flat
    u = np.zeros(expected)
    known = [view.name for view in network.parameters]
    for key in given:
        if key not in known:
            raise NetworkError(f"u: the network has no parameter {one_line(key)}; {nearest(str(key), known)}")
    for view in network.parameters:
        if view.name not in given:
            raise NetworkError(f"u: {view.name!r} is missing; give an array of shape {view.spec.shape}")
        part = exact_float64(given[view.name], f"u[{view.name!r}]")
        if part.shape != view.spec.shape:
            remedy = "; its transpose fits" if part.T.shape == view.spec.shape else ""
            raise NetworkError(f"u[{view.name!r}]: shape {part.shape}, expected {view.spec.shape}{remedy}")
        view.of(u)[...] = part
    return u


def _output(network: Network, given: ArrayLike, classes: int) -> Array:
    v = exact_float64(given, "v")
    expected = (network.skip_count, classes)
    if v.shape != expected:
        remedy = "its transpose fits: v.T" if v.T.shape == expected else "a row per skip unit, a column per class"
        raise NetworkError(f"v: shape {v.shape}, expected {expected}; {remedy}")
    return v


def _views(network: Network) -> str:
    names = [view.name for view in network.parameters]
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
