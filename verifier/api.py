"""The whole verification in one call: `verify`, `check` and `show`.

Everything here is the pipeline of `verifier run` (`verifier.run.pipeline`) on arrays in memory; nothing is proved in
another way. The pieces are public as well, see `verifier.prove_rank` and the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from verifier.balls.binary64.backend import backend_for
from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.check_process import Checked, CheckerProcess
from verifier.certificate.cost import LeftOut
from verifier.certificate.show import Description, read_description
from verifier.certificate.writer import CertificateBuilder
from verifier.data.classes import Classes
from verifier.data.dataset import Dataset, Scale
from verifier.data.gate import Labels
from verifier.display import Facts, Judged, Shown
from verifier.errors import CertificateError, InputError, nearest, one_line
from verifier.landscape.escape import EscapeResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.zero_loss import ZeroLoss
from verifier.network.initialise import Init
from verifier.network.layers import Layer
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, silent
from verifier.rank.result import RankResult
from verifier.run.arguments import Weights, given_dataset, given_instance, given_network
from verifier.run.case import (
    MAX_CHECK,
    Case,
    CaseFile,
    CertificateSection,
    DataSection,
    LossesSection,
    NetworkSection,
    PathSection,
)
from verifier.run.pipeline import CaseReport, Engine, Instance, Step
from verifier.run.scheduler import BLAS_THREADS
from verifier.run.worker import prove_instance
from verifier.statements.proof import Theorem
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class Verification(Judged, Shown):
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
        """Full row rank of Psi(U) (R1-R6): `RankResult.sigma_lower` is the proved bound of sigma_N, or 0."""
        if self.report.rank is None:
            raise InputError("the report has no rank: it is not one that verify made")
        return self.report.rank

    @property
    def zero_loss(self) -> ZeroLoss | None:
        """Zero training error (Z1), None if labels conflict."""
        return self.report.zero_loss

    @property
    def path(self) -> LossPath | None:
        """The path from the start's own (U, V) to loss 0, legs of an escape included; None if none was certified."""
        escape = None if self.report.escape is None else self.report.escape.escape
        return self.report.path if escape is None else escape.path

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
    def left_out(self) -> tuple[LeftOut, ...]:
        """What is proved but not in the certificate, because checking it would be too expensive."""
        return self.report.left_out

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

    @property
    def proved(self) -> bool:
        """Whether every step that was asked for is PROVED."""
        return self.report.proved

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
        target = _path(file, "write")
        if target.suffix != ".json":
            raise InputError(
                f"write({one_line(str(file))}): a certificate's name ends in .json; its arrays go beside it"
            )
        if self.builder.empty:
            raise CertificateError(f"no certificate can be written: {self.builder.nothing}")
        return self.builder.write(target)

    def _facts(self) -> Facts:
        return self.report._facts()

    def __str__(self) -> str:
        """Every statement with its verdict and reason: what was asked for, then the proof, statement by statement."""
        return str(self.report)


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
    classes: Classes | None = None,
    targets: Sequence[str | float] = ("1e-6", "1e-100"),
    losses: Sequence[str] = (),
    engine: Engine = "binary64",
    name: str = "data",
    max_check_seconds: float | None = None,
    max_check_gib: float | None = None,
    stage: Stage = silent,
) -> Verification:
    """Prove what the theory says about a network on data, at a start (U, V).

    Parameters
    ----------
    X : array_like of shape (N, d), (N, channels, length) or (N, channels, height, width); or str, Path, Dataset
        The samples; or the name of a built-in data set (``"iris"``), a file (see `verifier.load_dataset`), a `Dataset`.
    y : sequence of N labels, optional
        The classes, of any kind that compares by value; not with a name, a file or a `Dataset`, which have labels.
    network : Network, layer or sequence of layers
        The network; layers are put on the input of X's shape.
    u : array_like of shape (p,), mapping of names to arrays, or list [W, b, ...] of arrays, optional
        The hidden parameters; by default drawn: see ``seed``, ``init``, ``scale``.
    v : array_like of shape (M, m), optional
        The output weights; by default drawn. Of shape (M, 1) or (M,), with two classes: a head with one logit z, taken
        as the head (0, z).
    seed, init, scale
        How U is drawn (`verifier.initialise`), and the seed of V.
    data_scale : "none", "auto" or int, optional
        Exact scaling of the samples by powers of two; by default none for arrays, "auto" for names and files.
    classes : int or sequence, optional
        All classes of a trained classifier where some do not occur in y: their number m if the labels are 0..m-1, or
        their names in the order of its outputs.
    targets : sequence of str or float, optional
        Losses for which the path says from which t on they are reached.
    losses : sequence of str, optional
        Other losses for which a path is wanted (TC.3), such as ``"squared"``.
    engine : "binary64" or "arb", optional
        Binary64 where it suffices and Arb elsewhere, or Arb alone.
    name : str, optional
        The data's name in the certificate, for arrays.
    max_check_seconds, max_check_gib : float, optional
        What checking the certificate may take, as predicted: CPU seconds (default 300) and GiB (default 3). Claims that
        are more expensive are proved but not put into it: `Verification.left_out`.
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
    full = given_dataset(X, y, data_scale, name, classes)
    instance = given_instance(full, given_network(network, full), u, v, seed=seed, init=init, scale=scale)
    for argument, value, example in (("targets", targets, '["1e-6"]'), ("losses", losses, '["squared"]')):
        if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray):
            raise InputError(
                f"{argument} = {one_line(value)} is no sequence; write {argument}={example}, or [] for none"
            )
    if not callable(stage):
        raise InputError(f"stage = {one_line(stage)} cannot be called; give a function of one text, or leave it out")
    file = CaseFile(
        data=DataSection(),
        network=NetworkSection(layers=[]),
        path=PathSection(targets=list(targets)),
        losses=LossesSection(kinds=list(losses)),
        certificate=CertificateSection(
            max_check_seconds=limit_of_check("max_check_seconds", max_check_seconds),
            max_check_gib=limit_of_check("max_check_gib", max_check_gib),
        ),
    )
    case = Case(full.name, Path("."), file)
    backend = backend_for("cpu")
    report, builder = prove_instance(case, instance, backend=backend, threads=BLAS_THREADS, engine=engine, stage=stage)
    return Verification(report, instance, builder)


def limit_of_check(name: str, value: float | None) -> float | None:
    """A limit that was given, as a number.

    Raises
    ------
    InputError
        It is no number above 0.
    """
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_CHECK):
        return None if value is None else float(value)
    raise InputError(f"{name} = {one_line(value)} must be a number above 0 and at most {MAX_CHECK}")


def check(file: str | Path, *, memory: float | None = None, cpu_seconds: float | None = None) -> Checked:
    """Have a certificate checked by the independent checker, in an isolated process of its own.

    Parameters
    ----------
    file : str or Path
        The certificate's ``.json``.
    memory : float, optional
        GiB of address space that the check may take, all its processes together; 0 for no limit. By default 6.
    cpu_seconds : float, optional
        Seconds of CPU time that the check may take, all its processes together; 0 for no limit. By default 600.

    Returns
    -------
    Checked
        ``accepted`` says whether the checker proved every claim anew; if not, ``reason`` says where and why. The
        verdict ``TOO EXPENSIVE`` is neither ``ACCEPTED`` nor ``REJECTED``: the check ran into a limit, which the reason
        names.

    Raises
    ------
    InputError
        There is no such file, or a limit is negative or no number.
    """
    path = _path(file, "check")
    if not path.is_file():
        raise InputError(f"check({one_line(str(file))}): no such file; name the .json that write() made")
    process = CheckerProcess([path], memory=memory, cpu_seconds=cpu_seconds)
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
    return read_description(_path(file, "show"))


def _path(file: object, function: str) -> Path:
    if not isinstance(file, str | Path):
        raise InputError(f"{function}({one_line(file)}): not a file's name; name the .json that write() made")
    return Path(file)
