"""The whole verification in one call: `verify`, `check` and `show`.

Everything here is the one pipeline (`verifier.prove`) on arrays in memory; nothing is proved in another way. The
pieces are public as well, see `verifier.prove_rank` and the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from numpy.typing import ArrayLike

from verifier.adapters.translation.imported import Imported
from verifier.certificate.check_process import Checked, check_file
from verifier.certificate.show import Description, read_description
from verifier.data.classes import Classes
from verifier.data.dataset import Dataset, Scale
from verifier.data.gate import Labels
from verifier.errors import InputError, one_line
from verifier.landscape.targets import DEFAULT_TARGETS
from verifier.network.initialise import Init
from verifier.network.network import Block, Network
from verifier.options import Engine, Options
from verifier.outcome import Report
from verifier.prove import prove
from verifier.rank.certify import Stage, silent
from verifier.run.arguments import Weights, given_model, given_network, given_problem, with_offset

if TYPE_CHECKING:
    import torch
    from sklearn.base import BaseEstimator

Model: TypeAlias = "Network | Block | Sequence[Block] | Imported | torch.nn.Module | BaseEstimator | str | Path"
"""What may be verified: a network of this package, or a model of another library."""


def verify(
    X: ArrayLike | str | Path | Dataset,
    y: Labels | None = None,
    network: Model | None = None,
    u: Weights | None = None,
    v: ArrayLike | None = None,
    *,
    seed: int = 0,
    init: Init = "gaussian",
    scale: float = 1.0,
    data_scale: Scale | None = None,
    offset: ArrayLike | None = None,
    arcs: ArrayLike | None = None,
    classes: Classes | None = None,
    regression: bool | None = None,
    targets: Sequence[str | float] = DEFAULT_TARGETS,
    losses: Sequence[str] = (),
    weight_decay: str | float | None = None,
    engine: Engine = "binary64",
    name: str = "data",
    max_check_seconds: float | None = None,
    max_check_gib: float | None = None,
    stage: Stage = silent,
) -> Report:
    """Prove what the theory says about a network on data, at a start (U, V).

    Parameters
    ----------
    X : array_like of shape (N, d), (N, channels, length) or (N, channels, height, width); or str, Path, Dataset
        The samples; or the name of a built-in data set (``"iris"``), a file (see `verifier.load_dataset`), a `Dataset`.
    y : sequence of N labels, optional
        The classes, of any kind that compares by value; not with a name, a file or a `Dataset`, which have labels. For
        a regression real targets, of shape (N,) or (N, m).
    network : Network, layer, block, sequence of them; or torch module, ONNX file, scikit-learn estimator, `Imported`
        The network; layers are put on the input of X's shape. A trained model is verified at its own weights and on
        samples as it was trained on: a name or file is not scaled unless ``data_scale`` says so.
    u : array_like of shape (p,), mapping of names to arrays, or list [W, b, ...] of arrays, optional
        The hidden parameters; by default the model's, or drawn: see ``seed``, ``init``, ``scale``.
    v : array_like of shape (M, m), optional
        The output weights; by default the model's, or drawn. Of shape (M, 1) or (M,), with two classes: a head with one
        logit z, taken as the head (0, z).
    seed, init, scale
        How U is drawn (`verifier.initialise`), and the seed of V.
    data_scale : "none", "auto" or int, optional
        Exact scaling of the samples by powers of two; by default none for arrays, "auto" for names and files.
    offset : array_like of shape (N, m), optional
        Frozen logits K that are added to Psi V: those of a network that is not trained any more, or of arcs to the
        outputs that are held. Every statement is about the logits Psi V + K.
    arcs : array_like of shape (M, m), optional
        Which columns of Psi are connected to which outputs, true and false or 1 and 0, by default all: V is 0 elsewhere
        and stays so, as where each output has features of its own.
    classes : int or sequence, optional
        All classes of a trained classifier where some do not occur in y: their number m if the labels are 0..m-1, or
        their names in the order of its outputs. By default the model's own, or those that occur in y.
    regression : bool, optional
        Whether y are real targets: the loss is then the mean of ``1/2 |G - y|^2``. By default as the model was trained.
    targets : sequence of str or float, optional
        Losses for which the path says from which t on they are reached.
    losses : sequence of str, optional
        Other losses for which a path is wanted (TC.3), such as ``"squared"``.
    weight_decay : str or float, optional
        lambda > 0, if the model is trained with ``+ (lambda/2) (|U|^2 + |V|^2)``. Only WD is about that loss: every
        other statement is about the loss without it.
    engine : "binary64" or "arb", optional
        Binary64 where it suffices and Arb elsewhere, or Arb alone.
    name : str, optional
        The data's name in the certificate, for arrays.
    max_check_seconds, max_check_gib : float, optional
        What checking the certificate may take, as predicted: CPU seconds (default 300) and GiB (default 3). Claims that
        are more expensive are proved but not put into it: `Report.left_out`.
    stage : callable, optional
        Told what is being proved.

    Returns
    -------
    Report
        Verdicts, proofs and the certificate. Guarantee: that of `verifier.prove.prove`; every statement is about the
        exact real network at exactly these numbers.

    Raises
    ------
    InputError
        One line that names the argument, its value and the remedy.

    Notes
    -----
    FLINT's precision belongs to the process: do not call this from several threads at a time.

    Examples
    --------
    >>> import verifier as vf
    >>> report = vf.verify([[0.0], [1.0], [2.0]], ["a", "b", "a"], vf.Dense(4, "tanh", skip=True))
    >>> report.verdict("rank"), report.verdict("path")
    (<Verdict.PROVED: 'PROVED'>, <Verdict.PROVED: 'PROVED'>)
    """
    if not callable(stage):
        raise InputError(f"stage = {one_line(stage)} cannot be called; give a function of one text, or leave it out")
    options = Options(engine=engine, max_check_seconds=max_check_seconds, max_check_gib=max_check_gib)
    data, model, remarks = given_model(X, y, network, data_scale, name, classes, regression)
    data = with_offset(data, offset)
    problem = given_problem(
        data,
        given_network(network if model is None else model.network, data),
        u if u is not None or model is None else model.u,
        v if v is not None or model is None else model.v,
        seed=seed,
        init=init,
        scale=scale,
        targets=targets,
        losses=losses,
        arcs=arcs,
        remarks=remarks,
        weight_decay=weight_decay,
    )
    return prove(problem, options, stage=stage)


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

    Examples
    --------
    >>> import tempfile
    >>> import verifier as vf
    >>> report = vf.verify([[0.0], [1.0], [2.0]], [0, 1, 0], vf.Dense(4, "tanh", skip=True))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = report.write(f"{folder}/certificate.json")
    ...     vf.check(file).accepted
    True
    """
    path = _path(file, "check")
    if not path.is_file():
        raise InputError(f"check({one_line(str(file))}): no such file; name the .json that write() made")
    return check_file(path, memory=memory, cpu_seconds=cpu_seconds)


def show(file: str | Path) -> Description:
    r"""Say in words what a certificate claims, for which data and network. Reading is not checking: `check` decides.

    Parameters
    ----------
    file : str or Path
        The certificate's ``.json``.

    Returns
    -------
    Description
        Prints as text, shows itself in a notebook; ``latex()`` is a proposition for a paper.

    Raises
    ------
    InputError
        The file is missing or is no certificate of this version.

    Examples
    --------
    >>> import tempfile
    >>> import verifier as vf
    >>> report = vf.verify([[0.0], [1.0], [2.0]], [0, 1, 0], vf.Dense(4, "tanh", skip=True))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = report.write(f"{folder}/certificate.json")
    ...     words = str(vf.show(file))
    ...     paper = vf.show(file).latex()  # checked first; for LaTeX
    >>> print(words.splitlines()[2].split("; ")[2])
    node 4 tanh(t) of node 3
    >>> r"\begin{proposition}" in paper
    True
    """
    return read_description(_path(file, "show"))


def _path(file: object, function: str) -> Path:
    if not isinstance(file, str | Path):
        raise InputError(f"{function}({one_line(file)}): not a file's name; name the .json that write() made")
    return Path(file)
