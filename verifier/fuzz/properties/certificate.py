"""Properties of certificates: what the prover emits is accepted, what is tampered with is rejected, runs repeat.

A tampering makes some claim *false*, by a margin that an oracle knows, and repairs sizes and hashes, so that only the
mathematics can reject it; or it touches bytes and leaves the hashes alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import load, save

from verifier.certificate.writer import CertificateBuilder
from verifier.fuzz import oracle
from verifier.fuzz.acceptance import checker_service
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.node_values import Undefined
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.properties.rank import any_specimens, engine_of
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens

Document = dict[str, Any]
Tensors = dict[str, np.ndarray[Any, Any]]
SMALLEST_EXPONENT = -190_000
"""The format has no room for much smaller numbers."""


def _any_specimen() -> st.SearchStrategy[Specimen]:
    return specimens(with_losses=True, max_layers=3) | graph_specimens(with_losses=True)


def _write(builder: CertificateBuilder, name: str = "certificate") -> Path:
    return builder.write(checker_service().folder / f"{name}.json")


@holds_for(_any_specimen)
def checker_accepts(specimen: Specimen) -> str:
    """Whatever the prover emits, with all steps of the proof, the independent checker accepts."""
    builder = specimen.prove(engine=engine_of(specimen)).builder
    if builder.empty:
        return "nothing proved"
    answer = checker_service().check(_write(builder))
    if answer.verdict != "ACCEPTED":
        raise Falsified(f"the checker's answer: {answer.verdict} {answer.reason}")
    return f"{len(answer.claims)} claims"


@holds_for(any_specimens)
def runs_are_repeatable(specimen: Specimen) -> str:
    """Two runs give the same verdicts and reasons, and byte-identical certificates."""
    engine = engine_of(specimen)
    found = []
    for name in ("first", "second"):
        report = specimen.prove(engine=engine)
        builder = report.builder
        steps = [(step.key, step.label, step.verdict, step.reason) for step in report.steps]
        content = b""
        if not builder.empty:
            where = _write(builder, name)
            document = where.read_bytes().replace(f"{name}.safetensors".encode(), b"arrays")
            content = document + where.with_suffix(".safetensors").read_bytes()
        found.append((steps, content))
    if found[0][0] != found[1][0]:
        raise Falsified(f"verdicts differ: {found[0][0]} and {found[1][0]}")
    if found[0][1] != found[1][1]:
        raise Falsified("the certificates' bytes differ")
    return "nothing proved" if not found[0][1] else "same bytes"


@holds_for(any_specimens)
def case_files_reproduce(specimen: Specimen) -> str:
    """A specimen that was written as a case file and read back is the same to the last bit, verdicts included."""
    folder = checker_service().folder
    where = specimen.write(folder)
    again = Specimen.of_case(where)
    same = all(
        a.tobytes() == b.tobytes() for a, b in ((specimen.u, again.u), (specimen.v, again.v))
    ) and np.array_equal(specimen.inputs, again.inputs)
    if not same or specimen.network.summary() != again.network.summary():
        raise Falsified("the case file holds other numbers or another network")
    here = [(step.key, step.verdict, step.reason) for step in specimen.prove("rank", "path").steps]
    read = [(step.key, step.verdict, step.reason) for step in again.prove("rank", "path").steps]
    if here != read:
        raise Falsified(f"verdicts differ: {here} in memory, {read} from the file")
    return "same"


def _provable() -> st.SearchStrategy[Specimen]:
    layers = specimens(
        data=datasets(max_samples=5, kinds=("integers", "dyadic", "floats", "duplicates")),
        parameter_kinds=("gaussian", "integers", "structured"),
        max_layers=2,
    )
    return layers | graph_specimens()


@holds_for(_provable)
def tampering_is_rejected(specimen: Specimen) -> str:
    """Every tampering that makes a claim false, or that leaves a hash behind, is rejected."""
    builder = specimen.prove(engine=engine_of(specimen)).builder
    if builder.empty:
        return "nothing proved"
    where = _write(builder)
    document, blob = json.loads(where.read_text()), where.with_suffix(".safetensors").read_bytes()
    tensors = {name: np.array(value) for name, value in load(blob).items()}
    tried = 0
    psi = oracle.approx_features_to(specimen.network, specimen.u, specimen.data.inputs)
    for change in (*FALSEHOODS, *VANDALISM):
        altered = _Altered(specimen, psi, json.loads(json.dumps(document)), dict(tensors), blob)
        if not change(altered):
            continue
        tried += 1
        answer = checker_service().check(altered.write(where.with_name("altered.json")))
        if answer.verdict == "ACCEPTED":
            raise Falsified(f"accepted, but: {(change.__doc__ or '').strip()}")
        if "internal" in answer.reason:
            raise Falsified(f"the checker failed: {answer.reason}")
    return f"{tried} tamperings"


class _Altered:
    """A certificate under alteration. ``repair`` makes sizes and hashes fit what `tensors` holds."""

    def __init__(
        self, specimen: Specimen, psi: oracle.Matrix, document: Document, tensors: Tensors, blob: bytes
    ) -> None:
        self.specimen, self.psi, self.document, self.tensors, self.blob = specimen, psi, document, tensors, blob
        self.repair = True

    def claim(self, *labels: str) -> Document | None:
        """The first claim with one of these labels."""
        return next((claim for claim in self.document["claims"] if claim["label"] in labels), None)

    def only(self, *labels: str) -> Document | None:
        """Keep the claim of this label and drop all others."""
        found = self.claim(*labels)
        if found is not None:
            self.document["claims"] = [found]
        return found

    def write(self, where: Path) -> Path:
        arrays = self.document["arrays"]
        if self.repair:
            self.blob = save({name: np.ascontiguousarray(value) for name, value in self.tensors.items()})
            arrays |= {"bytes": len(self.blob), "sha256": hashlib.sha256(self.blob).hexdigest()}
        arrays["file"] = where.with_suffix(".safetensors").name
        where.with_suffix(".safetensors").write_bytes(self.blob)
        where.write_text(json.dumps(self.document))
        return where


Change = Callable[[_Altered], bool]
"""Alters a certificate; says whether it applied."""


def _dyadic_above(value: Any) -> Document:
    """A dyadic number certainly above an mpmath number that the oracle knows to 100 digits."""
    with mpmath.workdps(oracle.DIGITS):
        mantissa, exponent = mpmath.frexp(abs(value) * (1 + mpmath.mpf(2) ** -20) + mpmath.mpf(10) ** -100)
        return {"mantissa": str(int(mpmath.ceil(mpmath.ldexp(mantissa, 60)))), "exponent": int(exponent) - 60}


def _sigma_too_large(altered: _Altered) -> bool:
    """sigma_N is stated above its 200-digit value."""
    claim = altered.only("R1", "R3")
    if claim is None:
        return False
    claim["sigma_lower"] = _dyadic_above(oracle.approx_singular_values_to(altered.psi)[-1])
    return True


def _deficiency_too_large(altered: _Altered) -> bool:
    """The rank is bounded below what it is."""
    claim = altered.only("R5")
    if claim is None:
        return False
    psi = altered.psi
    if claim["reason"] == "every-u" and altered.specimen.data.samples < 2:
        return False
    rank = oracle.approx_rank_to(psi)
    claim["rank_at_most"] = rank - 1
    return rank >= 1


def _margin_too_large(altered: _Altered) -> bool:
    """The smallest margin is stated above its 200-digit value."""
    claim = altered.only("Z1")
    labels = altered.specimen.data.labels
    if claim is None or labels is None:
        return False
    with mpmath.workdps(oracle.DIGITS):
        v = _matrix(claim["output_weights"], altered.tensors)
        logits = oracle.times(altered.psi, v)
        least = min(
            row[y] - g for row, y in zip(logits, labels.tolist(), strict=True) for k, g in enumerate(row) if k != y
        )
    claim["gamma"] = _dyadic_above(least)
    return True


def _matrix(reference: Document, tensors: Tensors) -> oracle.Matrix:
    rows, columns = reference["shape"]
    total = [[mpmath.mpf(0)] * columns for _ in range(rows)]
    for term in reference["terms"]:
        values = tensors[term["tensor"]].tolist()
        total = [
            [t + mpmath.ldexp(mpmath.mpf(x), term["exponent"]) for t, x in zip(a, b, strict=True)]
            for a, b in zip(total, values, strict=True)
        ]
    return total


def _wrong_label(altered: _Altered) -> bool:
    """The label of a sample is another one than the margins are for."""
    if altered.only("Z1", "P1") is None:
        return False
    labels = altered.tensors["data.labels"].copy()
    labels[0] = (labels[0] + 1) % altered.document["data"]["classes"]
    altered.tensors["data.labels"] = labels
    return True


def _start_loss_elsewhere(altered: _Altered) -> bool:
    """The start's loss is stated outside its enclosure."""
    claim = altered.only("P1", "E1", "E2", "E3", "E4.path")
    if claim is None:
        return False
    low, high = (claim["start_loss"][side] for side in ("lower", "upper"))
    claim["start_loss"] = {"lower": _shifted(high, 1), "upper": _shifted(high, 2)}
    return bool(int(low["mantissa"]) > 0)


def _shifted(value: Document, by: int) -> Document:
    return {"mantissa": value["mantissa"], "exponent": value["exponent"] + by}


def _target_too_early(altered: _Altered) -> bool:
    """A target is stated to be reached where the loss is above it, to 200 digits."""
    claim = altered.only("P1")
    data = altered.specimen.data
    if claim is None or not claim["targets"] or data.labels is None:
        return False
    target = claim["targets"][-1]
    with mpmath.workdps(oracle.DIGITS):
        t = mpmath.ldexp(mpmath.mpf(int(target["t"]["mantissa"])), target["t"]["exponent"])
        v = [[t * x for x in row] for row in _matrix(claim["end_weights"], altered.tensors)]
        logits = oracle.times(altered.psi, v)
        loss = oracle.approx_loss_to(logits, data.labels.tolist(), data.multiplicities.tolist())
        mantissa, exponent = mpmath.frexp(loss)
        less = int(mpmath.floor(mpmath.ldexp(mantissa, 60) * (1 - mpmath.mpf(2) ** -20)))
    target["loss"] = {"mantissa": str(less), "exponent": int(exponent) - 60}
    return bool(exponent > SMALLEST_EXPONENT)


def _equal_samples(altered: _Altered) -> bool:
    """Two samples are made equal, so that Psi cannot have full rank nor separate other labels."""
    name = altered.document["data"]["inputs"]["terms"][0]["tensor"]
    inputs = altered.tensors[name].copy()
    if altered.only("R1", "R3") is None or len(inputs) < 2 or len(altered.document["data"]["inputs"]["terms"]) > 1:
        return False
    inputs[1] = inputs[0]
    altered.tensors[name] = inputs
    return True


def _weights_zeroed(altered: _Altered) -> bool:
    """All hidden weights and biases are 0, where every sample has the same features."""
    claim = altered.only("R1", "R3", "Z1")
    if claim is None or altered.specimen.data.samples < 2:
        return False
    claim["precision"] = 64
    if not _same_at_zero(altered.specimen):
        return False
    names = {
        term["tensor"]
        for node in altered.document["network"]["nodes"]
        if node["kind"] == "parameter" and node["values"] is not None
        for term in node["values"]["terms"]
    }
    constants = [node for node in altered.document["network"]["nodes"] if node["kind"] == "constant"]
    kept = _evidence(claim) | _evidence(constants) | _evidence(altered.document["data"])
    if names & kept:
        return False
    for name in names:
        altered.tensors[name] = np.zeros_like(altered.tensors[name])
    return True


def _same_at_zero(specimen: Specimen) -> bool:
    """Whether all samples have the same features where U is 0; a feature may read the sample without a weight."""
    try:
        psi = oracle.approx_features_to(specimen.network, np.zeros_like(specimen.u), specimen.data.inputs)
    except Undefined:
        return False
    return all(row == psi[0] for row in psi)


def _evidence(value: Any) -> set[str]:
    """Names of the tensors that a claim uses."""
    if isinstance(value, dict):
        own = {value["tensor"]} if isinstance(value.get("tensor"), str) else set()
        return own.union(*(_evidence(entry) for entry in value.values()))
    return set().union(*map(_evidence, value)) if isinstance(value, list) else set()


def _ball_too_large(altered: _Altered) -> bool:
    """A ball of full rank or zero error holds U = 0, where every sample has the same features."""
    changed = False
    if not _same_at_zero(altered.specimen):
        return False
    for claim in altered.document["claims"]:
        if claim["label"] in ("B1", "Z2") and claim.get("radius") is not None:
            claim["radius"] = {"mantissa": "1", "exponent": 2000}
            changed = True
    return changed and altered.specimen.data.samples > 1


def _bit_flipped(altered: _Altered) -> bool:
    """A bit of the arrays was flipped and the hash was left."""
    at = int(altered.specimen.digest, 16)
    altered.repair = False
    content = bytearray(altered.blob)
    content[at % len(content)] ^= 1 << (at % 8)
    altered.blob = bytes(content)
    return True


def _truncated(altered: _Altered) -> bool:
    """The arrays were cut off."""
    altered.repair = False
    altered.blob = altered.blob[:-1]
    return True


def _claim_dropped(altered: _Altered) -> bool:
    """A certificate from which every claim was dropped."""
    altered.document["claims"] = []
    return True


def _unknown_key(altered: _Altered) -> bool:
    """A claim has a key that the format does not know."""
    altered.document["claims"][0]["verdict"] = "PROVED"
    return True


def _generic_alone(altered: _Altered) -> bool:
    """Full rank at almost every U is claimed without one U of full rank."""
    return altered.only("W0") is not None


FALSEHOODS: tuple[Change, ...] = (
    _sigma_too_large, _deficiency_too_large, _margin_too_large, _wrong_label, _start_loss_elsewhere, _target_too_early,
    _equal_samples, _weights_zeroed, _ball_too_large, _generic_alone,
)  # fmt: skip
VANDALISM: tuple[Change, ...] = (_bit_flipped, _truncated, _claim_dropped, _unknown_key)
