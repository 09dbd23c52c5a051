"""A pair: two networks of one architecture on the same data, that is a specimen with a second point (U, V)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from verifier.balls.binary64.backend import numpy_backend
from verifier.connect import Joined, connect
from verifier.errors import CaseError
from verifier.fuzz.specimen import Specimen
from verifier.landscape.leg_engines import margins_on_leg
from verifier.landscape.line_barrier import LineBarrier, bound_line_barrier, loss_of_leg, with_labels
from verifier.network.network import Array
from verifier.options import Engine
from verifier.run.case import Case

END = "end.toml"
"""The case file of the second network, beside that of the first one."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Pair(Specimen):
    """Two networks: the specimen's own (U, V), and a second one.

    Parameters
    ----------
    end_u : (p,) float64
        Hidden parameters of the second network.
    end_v : (M, m) float64
        Its output weights.

    Raises
    ------
    VerifierError
        The parts do not fit together.
    """

    end_u: Array
    end_v: Array

    def __post_init__(self) -> None:
        """Take private copies of all arrays and see that everything fits."""
        super().__post_init__()
        for name in ("end_u", "end_v"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        self.require_shapes({"end_u": self.end_u, "end_v": self.end_v})

    @classmethod
    def of(cls, specimen: Specimen, end_u: Array, end_v: Array) -> Self:
        """Make a pair: add a second network to a specimen."""
        first = {entry.name: getattr(specimen, entry.name) for entry in fields(Specimen)}
        return cls(**first, end_u=end_u, end_v=end_v)

    @classmethod
    def of_case(cls, case: Case | str | Path, *, seed: int | None = None) -> Self:
        """Take a case into memory, and the second network of ``end.toml`` beside it.

        Raises
        ------
        InputError
            As `Specimen.of_case`; ``end.toml`` is missing, or is of another problem.
        """
        folder = case.folder if isinstance(case, Case) else Path(case).parent
        first, last = Specimen.of_case(case, seed=seed), Specimen.of_case(folder / END)
        samples = zip((first.inputs, first.labels), (last.inputs, last.labels), strict=True)
        if first.network != last.network or not all(np.array_equal(a, b) for a, b in samples):
            raise CaseError(f"{folder / END}: its data or network are others than the first case's; give the same ones")
        return cls.of(first, last.u, last.v)

    @cached_property
    def end(self) -> Specimen:
        """The second network, as a specimen of its own."""
        return self.at(self.end_u, self.end_v)

    def connect(self, *, engine: Engine = "arb") -> Joined:
        """Look for a certified path between the two networks; see `verifier.connect`."""
        return connect(self.problem, self.end.problem, engine=engine)

    def line_barrier(self, *, engine: Engine = "arb") -> LineBarrier:
        """Bound the barrier of the straight line of all weights, as `verifier.connect` does with ``line=True``."""
        backend = None if engine == "arb" else numpy_backend()
        data, ends = with_labels(self.data, self.grouping.label_counts), ((self.u, self.v), (self.end_u, self.end_v))
        labels = np.zeros(0, dtype=np.int64) if data.labels is None else data.labels  # with_labels gives some
        leg = margins_on_leg(backend, self.network, self.u, self.end_u, data.inputs, labels)
        return bound_line_barrier(self.network, *ends, data, loss_of_leg(leg, self.v, self.end_v, data))

    def write(
        self,
        folder: Path,
        *,
        name: str = "case",
        title: str = "",
        expect: Mapping[str, str] | None = None,
        weights: str = "weights.safetensors",
    ) -> Path:
        """Write the first network's case as `Specimen.write` does, and the second one's beside it, as ``end.toml``."""
        self.end.write(folder, name=Path(END).stem, title=title, weights=f"end-{weights}")
        return super().write(folder, name=name, title=title, expect=expect, weights=weights)

    @property
    def digest(self) -> str:
        """Eight characters that tell pairs apart."""
        return f"{super().digest[:4]}{self.end.digest[:4]}"

    def __repr__(self) -> str:
        """Show it as one reads a counterexample: samples, layers, the weights of both networks."""
        return f"{super().__repr__()}\nsecond network's {repr(self.end).splitlines()[-1]}"


def specimen_of_case(case: Path) -> Specimen:
    """Take a case into memory: a pair if the second network's case is beside it.

    Raises
    ------
    InputError
        As `Specimen.of_case` and `Pair.of_case`.
    """
    return Pair.of_case(case) if case.with_name(END).is_file() else Specimen.of_case(case)
