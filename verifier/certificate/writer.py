"""Turn proofs into a certificate: one JSON document and one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

import flint
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from verifier import __version__
from verifier.balls.exact import Dyadic, ExactArray
from verifier.certificate.cost import WITHOUT_WEIGHTS, LeftOut, Limits, Size, expected, judge, sentence
from verifier.certificate.reach import out_of_reach
from verifier.data.dataset import Dataset
from verifier.data.samples import SampleSource
from verifier.errors import CertificateError
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_separate import GatewayResult
from verifier.landscape.losses import LossPathResult
from verifier.landscape.neighbourhood import BallResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.pointwise import CurvatureResult, GradientResult
from verifier.landscape.zero_loss import ZeroLoss
from verifier.network.arguments import given_parameters
from verifier.network.network import Array, Network
from verifier.rank.approx import used_columns
from verifier.rank.deficiency import Deficiency
from verifier.rank.rational import rational_activations
from verifier.rank.result import RankResult
from verifier.rank.witness import WitnessResult
from verifier.statements.proof import Theorem
from verifier.verdict import Verdict

FORMAT, VERSION = "verifier-certificate", 1
MAX_EXPONENT = 200_000
"""Of a dyadic in the document."""
MAX_MULTIPLIERS, MAX_FACTOR_DIGITS = 10_000, 4000
"""Of Z0: how many, and the digits of each (Python reads no longer numbers)."""


class CertificateBuilder:
    """Collects claims about one network at one U on one data set.

    Without U (None) the document has no weights, and only W0, W1 and W2 can be claimed. A claim whose check is
    predicted to take more than ``limits`` is not made; `left_out` has what was proved and is not claimed for that
    reason.
    """

    def __init__(
        self,
        dataset: Dataset | SampleSource,
        network: Network,
        u: Array | None,
        *,
        with_labels: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._tensors: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}  # what is stored, by content
        self._claims: list[dict[str, Any]] = []
        self.refusal: str | None = None
        """Why there can be no certificate at all, if so."""
        self.left_out: list[LeftOut] = []
        """What was proved and is not claimed, because checking it would be too expensive."""
        self._limits, self._size = limits or Limits(), Size.of(network, dataset.samples, dataset.classes)
        self._priced: list[dict[str, Any]] = []  # the claims, with the bits of their right inverses
        self._omitted: list[dict[str, Any]] = []
        self._to_come = expected(self._size, ("Z1", "P1", "Z2")) if with_labels else []
        self._reach = (network, dataset.inputs) if isinstance(dataset, Dataset) else None
        if u is not None:
            u = given_parameters(network, u)
            self.refusal = self._too_far(u)
        self.arithmetic = "arb"  # what the prover computed with, in words; the checker computes with Arb alone
        self._data = self._describe_data(dataset, with_labels)
        self._net, self._u, self._network = network, u, self._describe_network(network, u)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write: no claim, or one that the checker could not follow (`refusal`)."""
        return not self._claims or self.refusal is not None

    @property
    def nothing(self) -> str:
        """Why there is no certificate, if there is none."""
        return self.refusal or sentence(self.left_out) or "nothing was proved"

    def __repr__(self) -> str:
        """The labels of its claims."""
        labels = ", ".join(claim["label"] for claim in self._claims)
        return f"<CertificateBuilder: {self.refusal or labels or 'no claims'}>"

    def _too_far(self, u: Array) -> str | None:
        return None if self._reach is None else out_of_reach(self._reach[0], u, self._reach[1])

    def _claim(self, claim: dict[str, Any], inverse: ExactArray | None = None) -> None:
        """Add a claim, unless a check of it is too expensive or the format does not hold one of its numbers."""
        priced = (
            claim if inverse is None else claim | {"right_inverse": {"shape": inverse.shape, "bits": _bits(inverse)}}
        )
        others = [*self._priced, *(self._to_come if claim["label"] in ("R1", "R3") else ())]
        left = judge(priced, others, self._size, self._limits, self._omitted)
        if left is None and _holdable(claim):
            self._claims.append(claim)
            self._priced.append(priced)
            return
        if left is not None:
            self.left_out.append(left)
            self._omitted.append(priced)
        used = _strings([self._data, self._network, self._claims])  # what nothing refers to takes no memory
        self._tensors = {name: values for name, values in self._tensors.items() if name in used}

    def stands_on_rank(self, label: str) -> bool:
        """Whether the full rank that a proved claim needs beside it is claimed; if that is left out, so is this one."""
        rank = next((left for left in self.left_out if left.label in ("R1", "R3")), None)
        if rank is not None and not self.ranked:
            self.left_out.append(replace(rank, label=label, needs=rank.label))
        return self.ranked

    def too_expensive(self, label: str) -> LeftOut | None:
        """Predict, before it is proved, whether a claim of this label will be left out: None if it will not."""
        (claim,) = expected(self._size, (label,), used=used_columns(self._size.samples, self._size.columns))
        return judge(claim, [*self._priced, *self._to_come], self._size, self._limits)

    @property
    def ranked(self) -> bool:
        """Whether R1 or R3 is claimed; one that is proved is not if it is left out, or the format cannot hold it."""
        return any(claim["label"] in ("R1", "R3") for claim in self._claims)

    def add_rank(self, result: RankResult) -> None:
        """Add R1 or R3 (PROVED), R5 (REFUTED) or R6 (exact, either); an undecided rank claims nothing."""
        exact = result.exact
        if result.label == "R6" and exact is not None:
            if exact.exact and exact.rational and exact.followed and rational_activations(self._net):
                self._claim({"label": "R6", "rank": exact.rank})
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
        columns = None if witness.columns is None else self._integers("rank.columns", witness.columns)
        claim = {
            "label": result.label,
            "precision": result.precision,
            "rank": result.samples,
            "columns": columns,
            "feature_bits": witness.feature_bits,
            "right_inverse": self._exact("rank.right_inverse", witness.matrix),
            "norm_products": witness.norm_products,
            "alpha": _dyadic(result.bound.alpha),
            "sigma_lower": _dyadic(result.bound.sigma_lower),
        }
        self._claim(claim, witness.matrix)

    def add_deficiency(self, found: Deficiency) -> None:
        """Add R5: at this U, or with the reason ``every-u`` for every U (the weights do not matter then)."""
        self._claim({"label": "R5", "reason": found.reason, "rank_at_most": found.rank_at_most})

    def add_zero_loss(self, result: ZeroLoss) -> None:
        """Add Z1 if it was proved, or Z0 if it was refuted by a relation between rational features."""
        excluded = result.excluded
        if excluded is not None and excluded.checkable and len(excluded.multipliers) <= MAX_MULTIPLIERS:
            factors = [factor for _, _, factor in excluded.multipliers if isinstance(factor, int)]
            if max(factors) < 10**MAX_FACTOR_DIGITS:
                self._claim(
                    {
                        "label": "Z0",
                        "samples": [sample for sample, _, _ in excluded.multipliers],
                        "against": [other for _, other, _ in excluded.multipliers],
                        "factors": [str(factor) for factor in factors],
                    }
                )
        if result.verdict is Verdict.PROVED and result.weights is not None and result.gamma is not None:
            self._claim(
                {
                    "label": "Z1",
                    "precision": result.precision,
                    "output_weights": self._exact("output.end", result.weights),
                    "gamma": _dyadic(result.gamma),
                }
            )

    def add_theorem(self, theorem: Theorem) -> None:
        """Add the steps of the proof that have numbers of their own: W1, W2, W0, R5 for every U, B1, Z2, C1, C3, E4."""
        if _fits(theorem.rank_ball) and self.stands_on_rank("B1"):
            self._claim({"label": "B1", "radius": _dyadic(theorem.rank_ball)})
        if theorem.witness is not None and theorem.witness.verdict is Verdict.PROVED:
            self.add_witness(theorem.witness)
        if theorem.verdict("W0") is Verdict.PROVED:
            self.add_generic()
        if theorem.deficiency is not None:
            self.add_deficiency(theorem.deficiency)
        if theorem.ball is not None:
            self.add_ball(theorem.ball)
        if theorem.gradient is not None and theorem.gradient.verdict is Verdict.PROVED and self.stands_on_rank("C1"):
            self.add_not_stationary(theorem.gradient)
        if theorem.curvature is not None:
            self.add_curvature(theorem.curvature)
        if theorem.gateway is not None:
            self.add_gateway(theorem.gateway)

    def add_path(self, path: LossPath) -> None:
        """Add P1."""
        self._claim({"label": "P1", **self._segment_and_ray(path, path.start_weights)})

    def add_escape(self, escape: Escape) -> None:
        """Add E1 to E4: a piece that leaves the start, and the path of P1, if the checker can follow to the end."""
        if self._too_far(escape.end_u):
            return
        label = "E4.path" if escape.label == "E4" else escape.label
        claim = {"label": label, **self._segment_and_ray(escape.tail, escape.start_weights)}
        claim["moved"] = self._point("moved", escape.end_u, escape.start_u)
        if escape.label == "E2":
            rerouted = escape.rerouted
            claim["rerouted"] = None if rerouted is None else self._point("rerouted", rerouted, escape.start_u)
        else:
            claim["pieces"] = escape.pieces
        if escape.end_weights is not None:
            claim["moved_weights"] = self._exact("output.moved", escape.end_weights)
        if escape.epsilon is not None:
            claim["epsilon"] = _dyadic(escape.epsilon)
        if escape.right_inverse is not None:
            claim["right_inverse"] = self._exact("escape.right_inverse", escape.right_inverse)
        self._claim(claim, escape.right_inverse)

    def add_gateway(self, result: GatewayResult) -> None:
        """Add E4, from every point a non-increasing path exists, if the checker can follow the proof.

        The statement is about labels that agree, so nothing is added to a certificate without labels.
        """
        if self._data["labels"] is None:
            return
        separating = result.separating if result.certifiable and result.verdict is Verdict.PROVED else None
        if separating is not None and self._u is not None and not self._too_far(separating):
            entries = self._point("separating", separating, self._u)
            self._claim({"label": "E4", "precision": result.precision, "separating": entries or None})

    def add_loss_path(self, result: LossPathResult) -> None:
        """Add TC.3: a segment that is certified, also where it does not come close to the infimum.

        A result with ``needs_rank`` needs R1 or R3 in the same certificate: see `ranked`.
        """
        bounds, low = result.infimum, result.start_loss
        if result.end_weights is None or result.end_loss is None or bounds is None or low is None:
            return
        name, weights, counts = f"loss{len(self._claims)}", result.class_weights, result.label_counts
        self._claim(
            {
                "label": "TC.3",
                "precision": result.precision,
                "loss": result.loss,
                "class_weights": None if weights is None else [_dyadic(weight) for weight in weights],
                "label_counts": None if counts is None else self._integers(f"{name}.counts", counts.ravel()),
                "start_weights": self._exact(f"{name}.start", result.start_weights),
                "end_weights": self._exact(f"{name}.end", result.end_weights),
                "start_loss": {"lower": _dyadic(low[0]), "upper": _dyadic(low[1])},
                "end_loss": _dyadic(result.end_loss),
                "infimum": {"lower": _dyadic(bounds[0]), "upper": _dyadic(bounds[1])},
                "gamma": None if result.gamma is None else _dyadic(result.gamma),
            }
        )

    def add_ball(self, result: BallResult) -> None:
        """Add Z2 if it was proved."""
        if result.verdict is Verdict.PROVED and result.radius is not None:
            self._claim(
                {
                    "label": "Z2",
                    "precision": result.precision,
                    "output_weights": self._exact(f"ball{len(self._claims)}.weights", result.weights),
                    "gamma": _dyadic(result.gamma),
                    "radius": _dyadic(result.radius),
                }
            )

    def add_not_stationary(self, result: GradientResult) -> None:
        """Add C1 if it was proved; it needs `add_rank` in the same certificate."""
        if result.verdict is Verdict.PROVED and _fits(result.gradient_lower):
            self._claim(
                {
                    "label": "C1",
                    "precision": result.precision,
                    "start_weights": self._exact(f"point{len(self._claims)}.weights", result.start_weights),
                    "gradient_lower": _dyadic(result.gradient_lower),
                }
            )

    def add_curvature(self, result: CurvatureResult) -> None:
        """Add C3 if it was proved."""
        if result.verdict is Verdict.PROVED and _fits(result.curvature_lower):
            self._claim(
                {
                    "label": "C3",
                    "precision": result.precision,
                    "start_weights": self._exact(f"point{len(self._claims)}.weights", result.start_weights),
                    "unit": result.unit,
                    "output": result.output,
                    "curvature_lower": _dyadic(result.curvature_lower),
                }
            )

    def _point(self, name: str, u: Array, start: Array) -> list[dict[str, Any]]:
        """Weights and biases of the layers in which U is not as at the start."""
        views, known, entries = self._net.views(u), self._net.views(start), []
        for index in range(len(self._net.layers)):
            names = [f"layer{index}.weight", f"layer{index}.bias"]
            if names[0] in views and not all(np.array_equal(views[n], known[n]) for n in names):
                weight, bias = (self._exact(f"{name}.{n}", ExactArray.of_floats(views[n])) for n in names)
                entries.append({"layer": index, "weight": weight, "bias": bias})
        return entries

    def _segment_and_ray(self, path: LossPath, start_weights: ExactArray) -> dict[str, Any]:
        low, high = path.start_loss
        return {
            "precision": path.precision,
            "start_weights": self._exact("output.start", start_weights),
            "end_weights": self._exact("output.end", path.end_weights),
            "gamma": _dyadic(path.gamma),
            "kappa": _dyadic(path.kappa),
            "start_loss": {"lower": _dyadic(low), "upper": _dyadic(high)},
            "zero_error_t": _dyadic(path.zero_error_t),
            "targets": [{"loss": _dyadic(target.loss), "t": _dyadic(target.t)} for target in path.targets],
        }

    def add_witness(self, result: WitnessResult) -> None:
        """Add W1 or W2 if it was proved."""
        if result.verdict is not Verdict.PROVED or result.direction is None:
            return
        self._tensors["witness.direction"] = result.direction
        chain = [
            {"layer": link.layer, "unit": link.unit, "weight": _dyadic(link.weight), "bias": _dyadic(link.bias)}
            for link in result.chain
        ]
        blocks = [
            {
                "layer": block.layer,
                "links": block.links,
                "weight": _dyadic(block.weight),
                "units": self._integers(f"witness.units{index}", block.units),
                "biases": self._exact(f"witness.biases{index}", block.biases),
            }
            for index, block in enumerate(result.blocks)
        ]
        self._claim(
            {
                "label": result.label,
                "precision": result.precision,
                "direction": "witness.direction",
                "chain": chain,
                "radius": None if result.radius is None else _dyadic(result.radius),
                "blocks": blocks,
            }
        )

    def add_generic(self) -> None:
        """Add W0: full rank for almost every U, if a claim of full rank (R1, R3, W1, W2) stands beside it."""
        witnessed = any(claim["label"] in ("W1", "W2") for claim in self._claims)
        if witnessed or self.stands_on_rank("W0"):
            self._claim({"label": "W0"})

    def write(self, path: str | Path) -> Path:
        """Write ``path`` (``.json``) and its ``.safetensors``, the JSON document last, by renaming finished files.

        Returns
        -------
        Path
            The JSON document.

        Raises
        ------
        CertificateError
            If there is no claim, or the folder cannot be written.
        """
        if self.empty:
            raise CertificateError(f"there is no certificate to write: {self.nothing}")
        target = Path(path).with_suffix(".json")
        arrays = target.with_suffix(".safetensors")
        network = self._network
        if {claim["label"] for claim in self._claims} <= WITHOUT_WEIGHTS:
            network = self._describe_network(self._net, None)
        used = _strings([self._data, network, self._claims])
        blob = save({name: np.ascontiguousarray(values) for name, values in self._tensors.items() if name in used})
        document = {
            "format": FORMAT,
            "version": VERSION,
            "semantics": "exact-real",
            "generator": {"name": "verifier", "version": __version__},
            "trust": {
                "arithmetic": self.arithmetic[:200],
                "python_flint": flint.__version__,
                "flint": flint.__FLINT_VERSION__,
            },
            "arrays": {"file": arrays.name, "bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()},
            "data": self._data,
            "network": network,
            "claims": self._claims,
        }
        if self.left_out:
            document["left_out"] = [str(left)[:200] for left in self.left_out[:16]]
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        if not _holds(arrays, blob):
            # An older document must never be seen with newer arrays, so it goes first.
            _remove(target)
            atomic_write(arrays, blob)
        atomic_write(target, text.encode())
        return target

    def _exact(self, name: str, values: ExactArray) -> dict[str, Any]:
        """Refer to an exact array; equal tensors are stored once, under the first name."""
        terms = []
        for position, (tensor, exponent) in enumerate(values.terms):
            content = hashlib.sha256(np.ascontiguousarray(tensor).data).digest()
            label = self._known.setdefault((tensor.dtype.str, tensor.shape, content), f"{name}.{position}")
            self._tensors[label] = tensor
            terms.append({"tensor": label, "exponent": exponent})
        return {"shape": list(values.shape), "terms": terms}

    def _integers(self, name: str, values: NDArray[np.int64]) -> str:
        small = next(
            t for t in (np.uint8, np.int16, np.int32, np.int64) if values.size == 0 or values.max() <= np.iinfo(t).max
        )
        self._tensors[name] = values.astype(small)
        return name

    def _describe_data(self, data: Dataset | SampleSource, with_labels: bool) -> dict[str, Any]:
        if isinstance(data, SampleSource):
            stored = data.stored()
            labels, multiplicities, total = None, None, data.samples
            inputs = self._exact("data.inputs", ExactArray(stored.shape, ((stored, 0),)))
        else:
            labels, multiplicities, total = data.labels if with_labels else None, data.multiplicities, data.total
            inputs = self._exact("data.inputs", ExactArray.of_floats(data.inputs))
        if multiplicities is not None and not (multiplicities != 1).any():
            multiplicities = None
        return {
            "name": data.name[:200],
            "scaling": data.scaling[:200],
            "samples": data.samples,
            "dimension": data.dimension,
            "classes": data.classes,
            "inputs": inputs,
            "labels": self._integers("data.labels", labels) if labels is not None else None,
            "multiplicities": None if multiplicities is None else self._integers("data.multiplicities", multiplicities),
            "total": total,
        }

    def _describe_network(self, network: Network, u: Array | None) -> dict[str, Any]:
        views = None if u is None else network.views(u)
        layers: list[dict[str, Any]] = []
        for index, layer in enumerate(network.layers):
            skip = layer.skip if isinstance(layer.skip, bool) else list(layer.skip)
            entry: dict[str, Any] = {"kind": layer.kind, "inputs": list(network.sources[index]), "skip": skip}
            entry |= layer.geometry()
            if layer.activation is not None:
                entry["activation"] = layer.activation.canonical
                for name in ("weight", "bias"):
                    label = f"layer{index}.{name}"
                    entry[name] = None if views is None else self._exact(label, ExactArray.of_floats(views[label]))
            layers.append(entry)
        return {"input_shape": list(network.input_shape), "layers": layers, "skip_units": network.skip_count}


def _holdable(value: Any) -> bool:
    """Whether all exponents in a claim are within the format's limits."""
    if isinstance(value, dict):
        return abs(value.get("exponent", 0)) <= MAX_EXPONENT and all(map(_holdable, value.values()))
    return not isinstance(value, list) or all(map(_holdable, value))


def _strings(value: Any) -> set[str]:
    """All strings in a JSON value: the names of the tensors that it refers to are among them."""
    if isinstance(value, dict):
        value = list(value.values())
    return (
        set().union(*map(_strings, value)) if isinstance(value, list) else {value} if isinstance(value, str) else set()
    )


def _bits(values: ExactArray) -> int:
    """Bits of the integers that hold an exact array, at most."""
    lowest = min(exponent for _, exponent in values.terms)
    return max(
        exponent - lowest + (8 * v.dtype.itemsize - 1 if v.dtype.kind in "iu" else 62) for v, exponent in values.terms
    )


def _fits(value: Dyadic | None) -> TypeGuard[Dyadic]:
    """Whether a bound is there and its exponent is one that the format holds: a tiny bound may be left out."""
    return value is not None and abs(value.exponent) <= MAX_EXPONENT


def _dyadic(value: Dyadic) -> dict[str, Any]:
    return {"mantissa": str(value.mantissa), "exponent": value.exponent}


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from None


def atomic_write(path: Path, content: bytes, *, remedy: str = "choose another folder with --out") -> None:
    """Write a file under a temporary name in the same folder, flush it to disk, then rename: whole or not at all.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it is missing.
    content : bytes
        All of it.
    remedy : str, optional
        What the caller's user can do if the folder cannot be written.

    Raises
    ------
    CertificateError
        If the folder cannot be written (read-only, full, missing).
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror or error}; {remedy}") from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def leftover_parts(folder: Path) -> Sequence[Path]:
    """Temporary files that a killed run left behind in ``folder``."""
    return sorted(folder.glob(".*.part")) if folder.is_dir() else ()
