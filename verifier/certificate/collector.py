"""Collect the claims of a certificate and write it: one JSON document and its arrays, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import flint
import msgspec
import numpy as np

from verifier import __version__
from verifier.balls.exact import ExactArray
from verifier.certificate import claims
from verifier.certificate.arrays import ArrayStore, names_in, stored_bits
from verifier.certificate.cost import StatedClaim, expected, share_passes
from verifier.certificate.description import describe_data, describe_network
from verifier.certificate.files import atomic_write, holds, remove
from verifier.certificate.limits import LeftOut, Limits, judge, sentence
from verifier.certificate.reach import holdable, out_of_reach, unstatable
from verifier.certificate.schema import FORMAT, MAX_LEFT_OUT, MAX_NAME, VERSION
from verifier.certificate.size import Size
from verifier.data.dataset import Dataset
from verifier.data.samples import SampleSource
from verifier.data.unseen import Unseen
from verifier.errors import CertificateError
from verifier.network.arguments import BoolArray, given_parameters
from verifier.network.network import Array, Network
from verifier.rank.approx import used_columns
from verifier.statements.claims.catalogue import CLAIMS
from verifier.statements.claims.claim import Claim, MovedParameter


class ClaimCollector:
    """The data, the network and the claims of one certificate, which can be written.

    A claim whose check is predicted to take more than ``limits`` is not made; `left_out` has what was proved and is not
    claimed for that reason.

    Parameters
    ----------
    dataset, network, u, with_labels, limits, arcs
        As for `CertificateBuilder`.

    Raises
    ------
    InputError
        If U does not fit the network.
    """

    def __init__(
        self,
        dataset: Dataset | SampleSource | Unseen,
        network: Network,
        u: Array | None,
        *,
        with_labels: bool = False,
        limits: Limits | None = None,
        arcs: BoolArray | None = None,
    ) -> None:
        self._arrays = ArrayStore()
        self._claims: list[StatedClaim] = []  # as they stand in the document
        self.refusal: str | None = None
        """Why there can be no certificate at all, if so."""
        self.left_out: list[LeftOut] = []
        """What was proved and is not claimed, because checking it would be too expensive."""
        self._limits, self._size = limits or Limits(), Size.of(network, dataset.samples, dataset.classes)
        self._priced: list[StatedClaim] = []  # the claims, with the bits of their right inverses
        self._omitted: list[StatedClaim] = []
        self._to_come = expected(self._size, ("Z1", "P1", "Z2")) if with_labels else []
        self._reach = (network, dataset.inputs) if isinstance(dataset, Dataset) else None
        if u is not None:
            u = given_parameters(network, u)
            self.refusal = self._too_far(u)
        self.arithmetic = "arb"  # what the prover computed with, in words; the checker computes with Arb alone
        self._data = describe_data(self._arrays, dataset, with_labels=with_labels)
        if arcs is not None:
            self._data["arcs"] = self._arrays.integers("data.arcs", arcs.astype(np.int64).ravel())
        self._net, self._u, self._network = network, u, describe_network(self._arrays, network, u)
        self.refusal = self.refusal or unstatable(network, self._network)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write: no claim, or one that the checker could not follow (`refusal`)."""
        return not self._claims or self.refusal is not None

    @property
    def nothing(self) -> str:
        """Why there is no certificate, if there is none."""
        return self.refusal or sentence(self.left_out) or "nothing was proved"

    def __repr__(self) -> str:
        """The labels of the claims that were added, or why there can be no certificate."""
        labels = ", ".join(claim["label"] for claim in self._claims)
        return f"<CertificateBuilder: {self.refusal or labels or 'no claims'}>"

    def _too_far(self, u: Array) -> str | None:
        return None if self._reach is None else out_of_reach(self._reach[0], u, self._reach[1])

    def add_claim(self, claim: Claim | None, inverse: ExactArray | None = None, primes: int = 1) -> None:
        """Add a claim, unless a check of it is too expensive or the format does not hold one of its numbers."""
        if claim is None:
            return
        stated: StatedClaim = msgspec.to_builtins(claim)
        priced = stated if primes == 1 else stated | {"primes": primes}
        if inverse is not None:
            priced = stated | {"right_inverse": {"shape": inverse.shape, "bits": stored_bits(inverse)}}
        others = [*self._priced, *(self._to_come if claim.ranks else ())]
        left = judge(priced, others, self._size, self._limits, self._omitted)
        if left is None and holdable(stated):
            self._claims.append(stated)
            self._priced.append(priced)
            return
        if left is not None:
            self.left_out.append(left)
            self._omitted.append(priced)
        self._arrays.keep(names_in([self._data, self._network, self._claims]))

    @property
    def _kinds(self) -> list[type[Claim]]:
        """The claim structs of the labels that were added."""
        return [CLAIMS[claim["label"]] for claim in self._claims]

    def _point(self, name: str, u: Array, start: Array) -> tuple[MovedParameter, ...]:
        """The free parameters in which U is not as at the start."""
        return claims.point(self._arrays, name, self._net, u, start)

    def stands_on_rank(self, label: str) -> bool:
        """Whether the full rank that a proved claim needs beside it is claimed; if that is left out, so is this one.

        Parameters
        ----------
        label
            Of the claim that stands on it.
        """
        rank = next((left for left in self.left_out if CLAIMS[left.label].ranks), None)
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
        return any(kind.ranks for kind in self._kinds)

    def ranked_somewhere(self, label: str) -> bool:
        """Whether full rank at some U is claimed, on which a claim of this label may stand."""
        witnessed = any(kind.full_rank_somewhere and not kind.ranks for kind in self._kinds)
        return witnessed or self.stands_on_rank(label)

    def write(self, path: str | Path) -> Path:
        """Write ``path`` (``.json``) and its ``.safetensors``, the JSON document last, by renaming finished files.

        Parameters
        ----------
        path
            The document; a suffix other than ``.json`` is replaced.

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
        network, stated = self._network, share_passes(msgspec.to_builtins(self._claims))
        if not any(kind.needs_weights for kind in self._kinds):
            network = describe_network(self._arrays, self._net, None)
        blob = self._arrays.file(names_in([self._data, network, stated]))
        document = {
            "format": FORMAT,
            "version": VERSION,
            "semantics": "exact-real",
            "generator": {"name": "verifier", "version": __version__},
            "trust": {
                "arithmetic": self.arithmetic[:MAX_NAME],
                "python_flint": flint.__version__,
                "flint": flint.__FLINT_VERSION__,
            },
            "arrays": {"file": arrays.name, "bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()},
            "data": self._data,
            "network": network,
            "claims": stated,
        }
        if self.left_out:
            document["left_out"] = [str(left)[:MAX_NAME] for left in self.left_out[:MAX_LEFT_OUT]]
        text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        if not holds(arrays, blob):
            # An older document must never be seen with newer arrays, so it goes first.
            remove(target)
            atomic_write(arrays, blob)
        atomic_write(target, text.encode())
        return target
