"""Checks one certificate: reads it, checks every claim, and gives the verdict (here and nowhere else)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .container import load_document, load_tensors
from .margins import Labels, PathClaim, ZeroErrorClaim
from .network import Network, read_network
from .rank import RankClaim
from .rejection import MAX_ARRAYS_BYTES, MAX_DIMENSION, Budget, Rejection, Unreadable
from .schema import Source, Value
from .structure import check_structure
from .sweep import sweep

MAX_CLAIMS = 16
MAX_INFORMATIVE = 200
TOP_LEVEL = ("format", "version", "semantics", "generator", "trust", "arrays", "data", "network", "claims")


Check = RankClaim | ZeroErrorClaim | PathClaim | Value


@dataclass
class Outcome:
    """What the checker found about one file."""

    file: str
    verdict: str = "REJECTED"
    data_name: str = ""
    claims: list[dict[str, object]] = field(default_factory=list)
    rejection: Rejection | None = None
    seconds: float = 0.0


def check_file(path: str, jobs: int) -> Outcome:
    """Check a certificate file; an unexpected exception of any kind is a rejection.

    Guarantee: the verdict is ACCEPTED only if every obligation of every claim was proved.
    """
    outcome, start = Outcome(path), time.perf_counter()
    try:
        claims = _check(path, jobs, outcome)
        outcome.claims, outcome.verdict = claims, "ACCEPTED"
    except Rejection as rejection:
        outcome.rejection = rejection
    except Unreadable as error:
        outcome.verdict, outcome.rejection = "UNREADABLE", Rejection("", "container.unreadable", str(error))
    except Exception as error:
        outcome.rejection = Rejection("", "internal", f"{type(error).__name__}: {error}")
    outcome.seconds = time.perf_counter() - start
    return outcome


def _check(path: str, jobs: int, outcome: Outcome) -> list[dict[str, object]]:
    document = Value(load_document(path), "")
    keys = _read_head(document)
    arrays = keys["arrays"].keys("file", "bytes", "sha256")
    size = arrays["bytes"].integer(8, MAX_ARRAYS_BYTES)
    tensors = load_tensors(path, arrays["file"].text(MAX_INFORMATIVE), size, arrays["sha256"].text(64))
    source = Source(tensors, Budget())
    data, network = _with(keys["data"], source), _with(keys["network"], source)
    outcome.data_name = data.get("name").text(MAX_INFORMATIVE)
    net, labels = _read_data(data, network)
    claims = _with(keys["claims"], source).items(1, MAX_CLAIMS)
    checks = [_read_claim(claim, net, labels) for claim in claims]
    if tensors.unused:
        message = "tensors that nothing refers to"
        raise Rejection("/arrays/file", "container.unreferenced", message, ", ".join(sorted(tensors.unused))[:200])
    swept = [check for check in checks if not isinstance(check, Value)]
    for bits in {check.precision for check in swept}:
        net.spend(source.budget, bits)
    structural = {id(check): check_structure(check, net) for check in checks if isinstance(check, Value)}
    sweep(net, swept, jobs)
    results = []
    for claim, check in zip(claims, checks, strict=True):
        result = structural[id(check)] if isinstance(check, Value) else check.conclude()
        results.append({"label": claim.data["label"], **result})
    return results


def _with(value: Value, source: Source) -> Value:
    return Value(value.data, value.path, source)


def _read_head(document: Value) -> dict[str, Value]:
    """Read everything that is only compared or shown."""
    document.get("format").choice("verifier-certificate")
    version = document.get("version")
    if type(version.data) is not int or version.data != 1:
        raise version.reject("schema.version", "this checker knows version 1 only", str(version.data)[:40], 1)
    keys = document.keys(*TOP_LEVEL)
    keys["semantics"].choice("exact-real")
    for key, names in (("generator", ("name", "version")), ("trust", ("arithmetic", "python_flint", "flint"))):
        for value in keys[key].keys(*names).values():
            value.text(MAX_INFORMATIVE)
    return keys


def _read_data(value: Value, network: Value) -> tuple[Network, Labels | None]:
    """Read data and network; labels are None where the certificate has none."""
    keys = value.keys(
        "name", "scaling", "samples", "dimension", "classes", "inputs", "labels", "multiplicities", "total"
    )
    keys["name"].text(MAX_INFORMATIVE)
    keys["scaling"].text(MAX_INFORMATIVE)
    samples = keys["samples"].integer(1, MAX_DIMENSION)
    dimension = keys["dimension"].integer(1, MAX_DIMENSION)
    classes = keys["classes"].integer(2, MAX_DIMENSION)
    net = read_network(network, keys["inputs"].exact(samples, dimension))
    counts: list[int] = [1] * samples
    if keys["multiplicities"].data is not None:
        counts = list(keys["multiplicities"].integer_tensor(samples))
        if not min(counts) >= 1:
            raise keys["multiplicities"].reject("data.multiplicities", "must be at least 1", min(counts))
    total = keys["total"].integer(1, 10**20)
    if total != sum(counts):
        raise keys["total"].reject("data.multiplicities", "is not the sum of the multiplicities", total, sum(counts))
    if keys["labels"].data is None:
        return net, None
    labels = list(keys["labels"].integer_tensor(samples))
    if not (min(labels) >= 0 and max(labels) < classes):
        raise keys["labels"].reject("data.labels", "a label is not a class", [min(labels), max(labels)], classes)
    return net, Labels(classes, labels, counts, total)


def _read_claim(value: Value, network: Network, labels: Labels | None) -> Check:
    """Read a claim; R5 needs no pass over the samples and stays a value."""
    label = value.get("label").choice("R1", "R3", "R5", "Z1", "P1")
    if label == "R5":
        return value
    if label in ("R1", "R3"):
        return RankClaim(value, network)
    if labels is None:
        raise value.reject("data.labels", "the data has no labels: only R1, R3 and R5 can be claimed", label)
    return ZeroErrorClaim(value, network, labels) if label == "Z1" else PathClaim(value, network, labels)
