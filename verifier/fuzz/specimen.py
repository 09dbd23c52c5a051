"""A specimen: a whole verification problem in memory, small enough to shrink, that can be proved and written as a case.

Data, network and weights are plain values, so that Hypothesis can shrink them and a conjecture can change them with
`dataclasses.replace`; `Specimen.write` makes a case file that ``verifier run`` reads back to the same bits.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.files import atomic_write
from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping, group_duplicates
from verifier.errors import CaseError
from verifier.minimum import FoundMinimum, find_minimum
from verifier.network.network import Array, Network
from verifier.options import Engine, Options, Part
from verifier.outcome import Report
from verifier.problem import Problem
from verifier.prove import prove
from verifier.rank.result import RankResult
from verifier.run.case import Case, NetworkSection, network_of, read_case
from verifier.run.case_problem import case_dataset, case_problem
from verifier.run.node_tables import graph_tables
from verifier.verdict import Verdict

MAX_BITS = 512
"""Default last precision of a specimen's rank proof: the problems are small and there are many of them."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """Data, network, start, losses: everything that verdicts depend on.

    Parameters
    ----------
    inputs : (n, d) float64
        Samples, equal ones included.
    labels : (n,) int64
        Classes 0..m-1, each of which occurs, m >= 2.
    layers : sequence of mappings
        The tables of ``network.layers`` in a case file; none if the network is given by nodes.
    u : (p,) float64
        Hidden parameters.
    v : (M, m) float64
        Output weights.
    shape : tuple of int, optional
        Input shape for convolutions; default ``(d,)``.
    duplicates : "group" or "keep", optional
        Whether equal samples become one row.
    losses : sequence of str, optional
        Losses of Theorem C.3 for which a path is wanted as well.
    class_weights : sequence of float, optional
        Positive weights of the classes in these losses.
    escapes : sequence of str, optional
        Escapes that may be tried.
    max_bits : int, optional
        Last precision of the rank proof.
    output_bias : bool, optional
        Whether the last row of V is an output bias.
    nodes, features : sequence of mappings, optional
        The tables of ``network.nodes`` and ``network.features`` in a case file.

    Raises
    ------
    VerifierError
        The parts do not fit together.
    """

    inputs: Array
    labels: NDArray[np.int64]
    layers: tuple[Mapping[str, Any], ...]
    u: Array
    v: Array
    shape: tuple[int, ...] | None = None
    duplicates: Literal["group", "keep"] = "group"
    losses: tuple[str, ...] = ()
    class_weights: tuple[float, ...] | None = None
    escapes: tuple[str, ...] = ("E1", "E2", "S.path", "E4", "E3")
    max_bits: int = MAX_BITS
    output_bias: bool = False
    nodes: tuple[Mapping[str, Any], ...] = ()
    features: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Take private copies of the arrays and see that everything fits."""
        for name, kind in (("inputs", np.float64), ("labels", np.int64), ("u", np.float64), ("v", np.float64)):
            array = np.array(getattr(self, name), dtype=kind)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        self.require_shapes({"u": self.u, "v": self.v})
        _ = self.problem, self.options()  # which see to the rest

    def require_shapes(self, point: Mapping[str, Array]) -> None:
        """See that the arrays ``u`` and ``v`` of a point, under whatever names, have their shapes and finite numbers.

        Raises
        ------
        CaseError
            One does not.
        """
        shapes = (self.network.parameter_count,), (self.network.skip_count, self.full.classes)
        for (name, array), shape in zip(point.items(), shapes, strict=True):
            if array.shape != shape or not np.isfinite(array).all():
                raise CaseError(f"specimen: {name} has shape {array.shape}; it needs {shape}, finite numbers")

    @classmethod
    def of_case(cls, case: Case | str | Path, *, seed: int | None = None) -> Self:
        """Take the problem of a case, or of a case file, into memory.

        Raises
        ------
        InputError
            As `verifier.read_case`, or anything unusable in the files it names; the last class does not occur.
        """
        case = case if isinstance(case, Case) else read_case(case)
        file, full = case.file, case_dataset(case)
        if full.labels is None:
            raise CaseError(f"{case.name}: the data have no labels")
        if full.labels.max() + 1 < full.classes:
            last = f"class {full.classes - 1} of 0..{full.classes - 1}"
            raise CaseError(f"{case.name}: no sample is of {last}; a specimen needs its last class: use more samples")
        problem = case_problem(case, seed=seed)
        shape = tuple(file.data.shape or (full.shape if len(full.shape) > 1 else ())) or None
        sizes = shape or (full.inputs.shape[1],)
        stated = file.network.model is None and network_of(file.network, sizes) == problem.network
        nodes, features = (file.network.nodes, file.network.features) if stated else graph_tables(problem.network)
        return cls(
            inputs=full.inputs,
            labels=full.labels,
            layers=tuple(file.network.layers) if stated else (),
            u=problem.u,
            v=problem.v,
            shape=shape,
            duplicates="keep" if file.data.duplicates == "keep" else "group",
            losses=tuple(file.losses.kinds),
            class_weights=None if file.losses.class_weights is None else tuple(file.losses.class_weights),
            escapes=tuple(file.path.escapes),
            max_bits=file.rank.max_bits,
            output_bias=stated and file.network.output_bias,
            nodes=tuple(nodes),
            features=tuple(features),
        )

    @cached_property
    def full(self) -> Dataset:
        """All samples, equal ones included."""
        classes = int(self.labels.max(initial=0)) + 1
        return Dataset("specimen", self.inputs, self.labels, classes, shape=self.shape or ())

    @cached_property
    def grouping(self) -> Grouping:
        """The samples with equal ones merged into one row each."""
        return group_duplicates(self.full)

    @property
    def data(self) -> Dataset:
        """The data set of the samples that Psi has rows for: equal ones once."""
        return self.grouping.dataset if self.duplicates == "group" else self.full

    @cached_property
    def network(self) -> Network:
        """The network that the layers or nodes make on a sample."""
        layers, nodes, features = ([dict(table) for table in part] for part in (self.layers, self.nodes, self.features))
        section = NetworkSection(layers, nodes, features, self.output_bias)
        return network_of(section, self.shape or (self.inputs.shape[1],))

    @cached_property
    def problem(self) -> Problem:
        """What the pipeline proves things about."""
        return Problem(
            self.full,
            self.network,
            self.u,
            self.v,
            losses=self.losses,
            class_weights=self.class_weights,
            duplicates=self.duplicates,
            name="specimen",
        )

    def at(self, u: Array, v: Array) -> Specimen:
        """Give the same problem with another point (U, V), of shapes ``(p,)`` and ``(M, m)``."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(Specimen)}
        return Specimen(**(own | {"u": u, "v": v}))

    def prove(self, *parts: Part, engine: Engine = "arb", certificate: bool = True) -> Report:
        """Prove what the parts ask for; see `verifier.prove`. Nothing asked for means everything."""
        return prove(self.problem, self.options(*parts, engine=engine, certificate=certificate))

    def options(self, *parts: Part, engine: Engine = "arb", certificate: bool = True) -> Options:
        """How `prove` proves the parts."""
        return Options(
            frozenset(parts or ("rank", "path", "theorem")),
            engine,
            max_bits=self.max_bits,
            escapes=self.escapes,
            certificate=certificate,
        )

    def rank(self, *, engine: Engine = "arb", certificate: bool = False) -> RankResult:
        """Decide whether Psi(U) has full row rank."""
        return self.prove("rank", engine=engine, certificate=certificate).rank

    def minimum(self, *, seed: int = 0, trials: int = 4) -> FoundMinimum:
        """Look for a certified strict local minimum, and whether its valley is bad; see `verifier.find_minimum`."""
        return find_minimum(self.problem, seed=seed, trials=trials)

    def enclosure(self, bits: int = FIRST_BITS) -> FeatureEnclosure:
        """Enclosure of Psi(U) by Arb, for the functions of `verifier` that take one."""
        return FeatureEnclosure(self.network, self.u, self.data.inputs, bits)

    def verdict(self, key: str, *, engine: Engine = "arb") -> Verdict:
        """Give one verdict: ``rank``, ``zero_loss``, ``path``, ``generic``, ..., as in ``[expect]`` of a case file."""
        parts: dict[str, tuple[Part, ...]] = {"rank": ("rank",), "generic": ("rank", "path", "theorem")}
        found = self.prove(*parts.get(key, ("rank", "path")), engine=engine)
        verdict = found.verdict(key)
        return Verdict.UNDECIDED if verdict is None else verdict

    def toml(
        self, *, title: str = "", expect: Mapping[str, str] | None = None, weights: str = "weights.safetensors"
    ) -> str:
        """Return the text of the case file; arrays are in ``data.npz`` and in a file of weights."""
        shape = "" if self.shape is None else f", shape = {list(self.shape)}"
        parts = {"layers": self.layers, "nodes": self.nodes, "features": self.features}
        network = [
            f"network.{key} = [\n{''.join(f'  {_toml(table)},{chr(10)}' for table in tables)}]"
            for key, tables in parts.items()
            if tables
        ]
        network += ["network.output_bias = true"] if self.output_bias else []
        lines = [
            f"title = {json.dumps(title, ensure_ascii=False)}",
            f'data = {{ path = "data.npz", scale = "none", duplicates = "{self.duplicates}"{shape} }}',
            *network,
            f'start.file = "{weights}"',
            f"path.escapes = {json.dumps(list(self.escapes))}",
            f"rank.max_bits = {self.max_bits}",
        ]
        if self.losses:
            lines.append(f"losses.kinds = {json.dumps(list(self.losses))}")
        if self.class_weights is not None:
            lines.append(f"losses.class_weights = {json.dumps(list(self.class_weights))}")
        lines += [f"expect.{key} = {json.dumps(value)}" for key, value in (expect or {}).items()]
        return "\n".join(lines) + "\n"

    def write(
        self,
        folder: Path,
        *,
        name: str = "case",
        title: str = "",
        expect: Mapping[str, str] | None = None,
        weights: str = "weights.safetensors",
    ) -> Path:
        """Write ``NAME.toml``, ``data.npz`` and the file of weights into ``folder``; return the case file's path.

        Raises
        ------
        CertificateError
            The folder cannot be written.
        """
        tensors = {view: np.array(array) for view, array in self.network.views(self.u).items()} | {"V": self.v}
        archive = io.BytesIO()
        np.savez(archive, X=self.inputs, y=self.labels)
        atomic_write(folder / "data.npz", archive.getvalue())
        atomic_write(folder / weights, save({key: np.array(value) for key, value in tensors.items()}))
        where = folder / f"{name}.toml"
        atomic_write(where, self.toml(title=title, expect=expect, weights=weights).encode())
        return where

    @property
    def digest(self) -> str:
        """Eight characters that tell specimens apart: names for files."""
        parts = [self.toml().encode(), *(array.tobytes() for array in (self.inputs, self.labels, self.u, self.v))]
        return hashlib.sha256(b"|".join(parts)).hexdigest()[:8]

    def __repr__(self) -> str:
        """Show it as one reads a counterexample: samples, layers, weights."""
        samples = "; ".join(
            f"{', '.join(map(repr, row))} -> {label}"
            for row, label in zip(self.inputs.tolist(), self.labels.tolist(), strict=True)
        )
        layers = " | ".join(_toml(table) for table in self.layers or (*self.nodes, *self.features))
        layers += " | output bias" if self.output_bias else ""
        weights = ", ".join(f"{name} = {array.tolist()}" for name, array in self.network.views(self.u).items())
        return (
            f"{len(self.inputs)} samples ({self.duplicates}): {samples}\n"
            f"layers: {layers}\n"
            f"weights: {weights}, V = {self.v.tolist()}"
        )


def _toml(value: Any) -> str:
    """Write a value of a layer's table as TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
