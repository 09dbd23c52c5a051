"""Turn proofs into a certificate: one JSON document and one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from verifier import __version__
from verifier.balls.exact import Dyadic, ExactArray
from verifier.errors import CertificateError
from verifier.landscape.path import Path as LossPath
from verifier.landscape.zero_loss import ZeroLoss
from verifier.model.data import Dataset
from verifier.model.layers import AvgPool, Conv, Dense
from verifier.model.network import Array, Network
from verifier.model.verdict import Verdict
from verifier.rank.certify import RankResult

FORMAT, VERSION = "verifier-certificate", 1


class CertificateBuilder:
    """Collects claims about one network at one U on one data set."""

    def __init__(self, dataset: Dataset, network: Network, u: Array, *, with_labels: bool) -> None:
        self._tensors: dict[str, NDArray[Any]] = {}
        self._claims: list[dict[str, Any]] = []
        self.arithmetic = "arb"  # what the prover computed with, in words; the checker computes with Arb alone
        self._data = self._describe_data(dataset, with_labels)
        self._network = self._describe_network(network, u)

    @property
    def empty(self) -> bool:
        """Whether no claim was added."""
        return not self._claims

    def add_rank(self, result: RankResult) -> None:
        """Add R1 or R3 (PROVED) or R5 (REFUTED); an undecided rank claims nothing."""
        if result.verdict is Verdict.REFUTED and result.deficiency is not None:
            reason, most = result.deficiency.reason, result.deficiency.rank_at_most
            self._claims.append({"label": "R5", "reason": reason, "rank_at_most": most})
        if result.verdict is Verdict.PROVED and result.witness is not None and result.bound is not None:
            witness = result.witness
            columns = None if witness.columns is None else self._integers("rank.columns", witness.columns)
            self._claims.append(
                {
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
            )

    def add_zero_loss(self, result: ZeroLoss) -> None:
        """Add Z1 if it was proved."""
        if result.verdict is Verdict.PROVED and result.weights is not None and result.gamma is not None:
            self._claims.append(
                {
                    "label": "Z1",
                    "precision": result.precision,
                    "output_weights": self._exact("output.end", result.weights),
                    "gamma": _dyadic(result.gamma),
                }
            )

    def add_path(self, path: LossPath) -> None:
        """Add P1."""
        low, high = path.start_loss
        self._claims.append(
            {
                "label": "P1",
                "precision": path.precision,
                "start_weights": self._exact("output.start", path.start_weights),
                "end_weights": self._exact("output.end", path.end_weights),
                "gamma": _dyadic(path.gamma),
                "kappa": _dyadic(path.kappa),
                "start_loss": {"lower": _dyadic(low), "upper": _dyadic(high)},
                "zero_error_t": _dyadic(path.zero_error_t),
                "targets": [{"loss": _dyadic(target.loss), "t": _dyadic(target.t)} for target in path.targets],
            }
        )

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
        if not self._claims:
            raise CertificateError("nothing was proved, so there is no certificate to write")
        target = Path(path).with_suffix(".json")
        arrays = target.with_suffix(".safetensors")
        blob = save({name: np.ascontiguousarray(values) for name, values in self._tensors.items()})
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
            "network": self._network,
            "claims": self._claims,
        }
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        if not _holds(arrays, blob):
            # An older document must never be seen with newer arrays, so it goes first.
            _remove(target)
            atomic_write(arrays, blob)
        atomic_write(target, text.encode())
        return target

    def _exact(self, name: str, values: ExactArray) -> dict[str, Any]:
        terms = []
        for position, (tensor, exponent) in enumerate(values.terms):
            label = f"{name}.{position}"
            self._tensors[label] = tensor
            terms.append({"tensor": label, "exponent": exponent})
        return {"shape": list(values.shape), "terms": terms}

    def _integers(self, name: str, values: NDArray[np.int64]) -> str:
        small = next(
            t for t in (np.uint8, np.int16, np.int32, np.int64) if values.size == 0 or values.max() <= np.iinfo(t).max
        )
        self._tensors[name] = values.astype(small)
        return name

    def _describe_data(self, data: Dataset, with_labels: bool) -> dict[str, Any]:
        grouped = bool((data.multiplicities != 1).any())
        return {
            "name": data.name[:200],
            "scaling": data.scaling[:200],
            "samples": data.samples,
            "dimension": data.dimension,
            "classes": data.classes,
            "inputs": self._exact("data.inputs", ExactArray.of_floats(data.inputs)),
            "labels": self._integers("data.labels", data.labels) if with_labels and data.labels is not None else None,
            "multiplicities": self._integers("data.multiplicities", data.multiplicities) if grouped else None,
            "total": data.total,
        }

    def _describe_network(self, network: Network, u: Array) -> dict[str, Any]:
        views = network.views(u)
        layers: list[dict[str, Any]] = []
        for index, layer in enumerate(network.layers):
            skip = layer.skip if isinstance(layer.skip, bool) else list(layer.skip)
            entry: dict[str, Any] = {"kind": layer.kind, "inputs": list(network.sources[index]), "skip": skip}
            if isinstance(layer, Conv | AvgPool):
                entry |= {"kernel": list(layer.kernel), "stride": list(layer.steps)}
            if isinstance(layer, Conv):
                entry |= {"filters": layer.filters, "bias_kind": layer.bias}
            if isinstance(layer, Dense):
                entry["units"] = layer.width
            if not isinstance(layer, AvgPool):
                entry["activation"] = layer.activation.canonical
                for name in ("weight", "bias"):
                    entry[name] = self._exact(
                        f"layer{index}.{name}", ExactArray.of_floats(views[f"layer{index}.{name}"])
                    )
            layers.append(entry)
        return {"input_shape": list(network.input_shape), "layers": layers, "skip_units": network.skip_count}


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


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, flush it to disk, then rename: whole or not at all.

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
        raise CertificateError(
            f"cannot write {path}: {error.strerror or error}; choose another folder with --out"
        ) from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def leftover_parts(folder: Path) -> Sequence[Path]:
    """Temporary files that a killed run left behind in ``folder``."""
    return sorted(folder.glob(".*.part")) if folder.is_dir() else ()
