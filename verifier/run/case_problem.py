"""From a case file to the problem that it states, and to the options by which it is proved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from verifier.adapters.translation.imported import Imported
from verifier.adapters.weights import read_weights
from verifier.balls.binary64.backend import Backend
from verifier.certificate.writer import CertificateBuilder
from verifier.data.classes import with_classes
from verifier.data.dataset import Dataset, Scale
from verifier.data.readers import BUILT_IN, load_builtin, load_dataset
from verifier.errors import CaseError, DataError, one_line
from verifier.network.arguments import given_arcs
from verifier.network.freezing import freeze
from verifier.network.initialise import INITS, initialise, output_weights
from verifier.network.network import Array, Network
from verifier.options import Engine, Options, Part
from verifier.outcome import Report
from verifier.problem import Problem
from verifier.prove import prove
from verifier.rank.certify import Stage, silent
from verifier.run.arguments import given_output, with_offset
from verifier.run.case import Case, StartSection, network_of
from verifier.run.case_model import case_model, fitting

MAX_PARAMETERS = 2**27
"""Hidden weights and biases of a case: they take 8 bytes each, and their enclosures as much again."""
MAX_UNITS = 2**19
"""Hidden units of a case with weights; `verifier witness`, which draws none, takes more."""


def case_problem(case: Case, *, seed: int | None = None) -> Problem:
    """Load a case's data and network and draw its start.

    Parameters
    ----------
    case
        The case.
    seed
        Replaces the case's seed if not None.

    Raises
    ------
    InputError
        Anything unusable, in one line.
    """
    file, data = case.file, case_dataset(case)
    model, shape = case_model(case), input_shape(case, data)
    network = network_of(file.network, shape) if model is None else fitting(model, math.prod(shape))
    own = model is not None and file.start == StartSection()
    found = _model_start(model, case, data) if model is not None and own else _start(case, network, data, seed)
    u = found.u
    if found.fixed:
        network = Network(network.input_shape, network.blocks, network.output_bias, found.fixed)
    if file.network.freeze:
        network, u = freeze(network, u, file.network.freeze)
    weights = file.losses.class_weights
    arcs, v = None, found.v
    if file.network.arcs is not None:
        arcs = given_arcs(_array_file(case.folder / file.network.arcs, "network.arcs", "(M, m)"), np.zeros_like(v))
        v = v if own or file.start.file is not None else v * arcs  # what is drawn is 0 where there is no arc
    return Problem(
        data,
        network,
        u,
        v,
        targets=tuple(map(str, file.path.targets)),
        losses=tuple(file.losses.kinds),
        class_weights=None if weights is None else tuple(weights),
        loss_epsilon=str(file.losses.epsilon),
        epsilon=str(file.path.epsilon),
        duplicates="group" if file.data.duplicates == "group" else "keep",
        name=case.name,
        title=file.title,
        start=found.words,
        arcs=arcs,
        weight_decay=None if file.losses.weight_decay is None else str(file.losses.weight_decay),
    )


def case_options(case: Case, **changes: Any) -> Options:
    """How a case is proved: its precision, its escapes, the limits of its certificate's check.

    Parameters
    ----------
    case
        The case.
    **changes
        Fields of `Options` that replace these.
    """
    file = case.file
    own: dict[str, Any] = {
        "max_bits": file.rank.max_bits,
        "escapes": tuple(file.path.escapes),
        "max_check_seconds": file.certificate.max_check_seconds,
        "max_check_gib": file.certificate.max_check_gib,
    }
    return Options(**(own | changes))


def run_case(
    case: Case,
    *,
    seed: int | None = None,
    stage: Stage = silent,
    parts: frozenset[Part] = frozenset({"rank", "path", "theorem"}),
    backend: Backend | None = None,
    engine: Engine = "binary64",
    tight: bool = False,
    certificate: bool = True,
) -> tuple[Report, CertificateBuilder]:
    """Prove what a case states: `verifier.prove.prove` on its problem.

    Parameters
    ----------
    case
        The case, from `verifier.read_case`.
    seed
        Replaces the case's seed if not None.
    stage
        Told what is being proved.
    parts, backend, engine, tight, certificate
        As in `verifier.Options`.

    Returns
    -------
    (Report, CertificateBuilder)
        The verdicts, and the claims ready to be written. Guarantee: that of `prove`.

    Raises
    ------
    InputError
        Anything unusable, in one line.

    Examples
    --------
    >>> from pathlib import Path
    >>> import verifier as vf
    >>> case = vf.read_case(Path(vf.__file__).parent / "run/cases/quick/xor.toml")
    >>> report, builder = vf.run_case(case, parts=frozenset({"rank"}))
    >>> report.verdict("rank"), builder.empty
    (<Verdict.PROVED: 'PROVED'>, False)
    """
    options = case_options(case, parts=parts, backend=backend, engine=engine, tight=tight, certificate=certificate)
    report = prove(case_problem(case, seed=seed), options, stage=stage)
    return report, report.builder


def case_dataset(case: Case) -> Dataset:
    """Load the case's samples as they are, equal ones included.

    Raises
    ------
    InputError
        Anything unusable, in one line.
    """
    section = case.file.data
    if (section.name is None) == (section.path is None):
        raise CaseError("[data] needs exactly one of name (a built-in data set) and path (a file of samples)")
    if section.path is not None and section.path.endswith(".npy"):
        raise CaseError(
            f"data.path = {section.path!r} has no labels, and only `verifier witness` needs none; write "
            "X = numpy.load(path), numpy.savez('data.npz', X=X, y=y), and give data.npz"
        )
    path = None if section.path is None else case.folder / section.path
    if isinstance(section.scale, str) and section.scale not in ("auto", "none"):
        raise CaseError(f'data.scale = {section.scale!r}; use "auto", "none" or an integer')
    scale: Scale = section.scale  # type: ignore[assignment]
    if scale == "auto" and case.file.network.model is not None:
        scale = "none"  # a model has learnt on the file's own numbers
    labels = None if section.labels is None else case.folder / section.labels
    if section.name is not None and section.name not in BUILT_IN:
        load_builtin(section.name)  # the error says which there are; a path is given as data.path
    found = load_dataset(
        section.name,
        path=path,
        label=section.label,
        labels=labels,
        columns=section.columns,
        drop=section.drop,
        missing=section.missing,
        delimiter=section.delimiter,
        decimal=section.decimal,
        header=section.header,
        inputs=section.inputs,
        layout=section.layout,
        scale=scale,
        samples=section.samples,
    )
    found = found if section.classes is None else with_classes(found, section.classes)
    return (
        found
        if section.offset is None
        else with_offset(found, _array_file(case.folder / section.offset, "data.offset", "(N, m)"))
    )


def _array_file(path: Path, key: str, shape: str) -> Array:
    """Read an array from the ``.npy`` file that a key of a case names."""
    if path.suffix != ".npy":
        raise CaseError(f"{key} = {path.name!r} must be a .npy file of shape {shape}; write it by numpy.save")
    try:
        found: Array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CaseError(f"{key}: cannot read {path}: {error.strerror or one_line(error)}") from None
    except ValueError as error:
        raise CaseError(f"{key}: {path}: {one_line(error)}; write it by numpy.save(path, array)") from None
    return found


def input_shape(case: Case, data: Dataset) -> tuple[int, ...]:
    """The shape in which the network reads a sample.

    Raises
    ------
    DataError
        ``data.shape`` does not hold a sample.
    """
    section = case.file.data
    shape = tuple(section.shape) if section.shape is not None else data.shape
    if math.prod(shape) != data.dimension or any(length < 1 for length in shape):
        raise DataError(f"data.shape = {list(shape)} does not hold the {data.dimension} input coordinates")
    return shape


@dataclass(frozen=True, slots=True)
class _Start:
    """U, (p,), V, (M, m), what file they come from in words, and numbers of the file that are no part of U."""

    u: Array
    v: Array
    words: str = ""
    fixed: Mapping[str, Array] = field(default_factory=dict)


def _model_start(model: Imported, case: Case, data: Dataset) -> _Start:
    """Start at the imported model's own weights U and V."""
    v, said = given_output(model.network, model.v, data)
    words = "; ".join((f"U and V from {case.file.network.model}{said}", *model.remarks))
    return _Start(model.u, v, words)


def _start(case: Case, network: Network, data: Dataset, seed: int | None) -> _Start:
    """Draw the start, or read it from its file."""
    start = case.file.start
    if network.parameter_count > MAX_PARAMETERS:
        raise CaseError(
            f"the network has {network.parameter_count} weights and biases, more than {MAX_PARAMETERS}; make it smaller"
        )
    units = sum(
        math.prod(shape)
        for node, shape, varies in zip(network.nodes, network.node_shapes, network.varies, strict=True)
        if varies and node.kind not in ("input", "affine")
    )
    if units > MAX_UNITS:
        raise CaseError(
            f"the network has {units} hidden units, more than {MAX_UNITS}: the run would take about"
            f" {(24 * network.parameter_count + 100 * units) / 2**30:.1f} GiB; make it smaller"
        )
    chosen = start.seed if seed is None else seed
    if start.file is not None:
        found = read_weights(case.folder / start.file, network, data)
        if found.v is not None:
            return _Start(found.u, found.v, found.words, found.fixed)
        drawn = output_weights(network, data.classes, start.output, seed=chosen, scale=start.output_scale)
        how = start.output if start.output == "zeros" else f"drawn: {start.output}, seed {chosen}"
        return _Start(found.u, drawn, f"{found.words}; the file has no V, which is {how}", found.fixed)
    if start.init not in INITS:
        raise CaseError(
            f'start.init = {start.init!r} is unknown; use one of {", ".join(INITS)}, or file = "weights.safetensors"'
        )
    u = initialise(network, start.init, seed=chosen, scale=start.scale, fan_in=start.fan_in, units=start.units)
    return _Start(u, output_weights(network, data.classes, start.output, seed=chosen, scale=start.output_scale))
