"""Semantic mutations of accepted certificates: other numbers, activations, labels, samples, shapes, claims.

Files stay well-formed and sealed, so that a mutant is rejected only for what it says. `mutants` yields them; what a
checker accepts of them must be true, which `sampled.counterexample` tries to refute.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

from make import BASES, Certificate, Json, dyadic

ACTIVATIONS = (
    "t; tanh(t); 1/(exp(-t) + 1); log(exp(t) + 1); log(exp(2*t) + 1)/2; t**2; t**3; sin(t); Max(0, t); Abs(t); "
    "atan(t); erf(t); t/sqrt(t**2 + 1); exp(t); 1/(t**2 + 1); cos(t); 0*t; log(t); sqrt(t); 1/t; log(t + 2); "
    "1/(t - 1); 0*log(t); 0/(t - t); -tanh(t); 2; t + 1; 1 - tanh(t); tanh(t + 10); exp(-t**2); Max(t, -1); "
    "t**(1/3); tanh(t) + 2; tanh(t) + 1; -t"
).split("; ")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of dyadics, integers and nulls."""
    if isinstance(value, dict) and set(value) == {"mantissa", "exponent"}:
        yield path
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from leaves(part, (*path, number))
    elif (isinstance(value, int) and not isinstance(value, bool)) or value is None:
        yield path


def at(document: Json, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path."""
    for key in path:
        document = document[key]
    return document


def other_number(random: Random, value: Json) -> Json:
    """Return another dyadic."""
    kind = random.randrange(5)
    if kind == 0:
        return dyadic(random.choice(["0", "1", "-1", "1/2", "1/4", "2", "3", "1/1024", "-1/2", "4", "16"]))
    mantissa = int(value["mantissa"])
    if kind == 1:
        return {"mantissa": str(mantissa), "exponent": value["exponent"] + random.choice([-3, -1, 1, 3])}
    if kind == 2:
        return {"mantissa": str(-mantissa), "exponent": value["exponent"]}
    near = mantissa * 8 + random.choice([-3, -1, 1, 3])
    return {"mantissa": str(near), "exponent": value["exponent"] - 3}


def change_tensor(random: Random, certificate: Certificate) -> None:
    """Change, exchange, negate, zero or repeat entries of a tensor."""
    if not certificate.tensors:
        return
    name = random.choice(sorted(certificate.tensors))
    dtype, shape, content = certificate.tensors[name]
    size = {"U8": 1, "I8": 1, "I32": 4, "F32": 4, "I64": 8, "F64": 8}[dtype]
    entries = [content[start : start + size] for start in range(0, len(content), size)]
    where, kind = random.randrange(len(entries)), random.randrange(4)
    if kind == 0:
        entries[where] = random.choice(entries)
    elif kind == 1 and dtype[0] in "IU":
        value = int.from_bytes(entries[where], "little", signed=dtype[0] == "I")
        changed = random.choice([-value, 0, value + 1, value - 1, 2 * value, value // 2])
        low, high = (0, 256**size - 1) if dtype[0] == "U" else (-(256**size) // 2, 256**size // 2 - 1)
        value = min(max(changed, low), high)
        entries[where] = value.to_bytes(size, "little", signed=dtype[0] == "I")
    elif kind == 2:
        random.shuffle(entries)
    else:
        entries[where] = bytes(size)
    certificate.tensors[name] = dtype, shape, b"".join(entries)


def change(random: Random, certificate: Certificate) -> None:
    """Change one thing."""
    document, kind = certificate.document, random.randrange(12)
    if kind < 3:
        paths = list(leaves(document["claims"]))
        if not paths:
            return
        path = random.choice(paths)
        place, old = at(document["claims"], path[:-1]), at(document["claims"], path)
        if isinstance(old, dict):
            place[path[-1]] = other_number(random, old)
        elif isinstance(old, int):
            place[path[-1]] = max(0, old + random.choice([-1, 1, 2, 30]))
        elif path[-1] in ("radius", "gamma"):
            place[path[-1]] = dyadic(random.choice(["1/4", "1/64", "1/1024", "1", "4"]))
    elif kind < 7:
        change_tensor(random, certificate)
    elif kind == 7:
        maps = [node for node in document["network"]["nodes"] if node["kind"] == "map"]
        for node in random.sample(maps, min(1, len(maps))):
            node["activation"] = random.choice(ACTIVATIONS)
    elif kind in (8, 9):
        change_node(random, random.choice(document["network"]["nodes"]))
    elif kind == 10:
        change_data(random, certificate, document["data"])
    else:
        change_claims(random, document["claims"])


RATIONALS = [["1", "1"], ["-1", "1"], ["0", "1"], ["1", "3"], ["5", "1"], ["1", "1000"], ["-1", "16"]]


def change_node(random: Random, node: Json) -> None:
    """Change what a node reads, one of its numbers, or what it does."""
    if node["reads"] and random.randrange(2):
        place = random.randrange(len(node["reads"]))
        node["reads"][place] = max(0, node["reads"][place] + random.choice([-2, -1, 1]))
        return
    for key, value in list(node.items()):
        if key in ("bias", "transposed", "centre"):
            node[key] = not value
        elif key in ("factor", "epsilon", "square"):
            node[key] = random.choice(RATIONALS)
        elif key == "how":
            node[key] = random.choice(["sum", "mean", "max"])
        elif key in ("axes", "entries") and isinstance(value, list):
            random.shuffle(value)
        elif key == "kind" and value in ("add", "multiply"):
            node[key] = "multiply" if value == "add" else "add"


def change_data(random: Random, certificate: Certificate, data: Json) -> None:
    """Change labels or real targets, multiplicities or the number of classes."""
    n, kind = data["samples"], random.randrange(4)
    if kind == 0 and "targets" in data:
        targets = [[random.randrange(-2, 3) for _ in range(data["classes"])] for _ in range(data["total"])]
        data["targets"] = certificate.exact(targets)
    elif kind == 0:
        data["labels"] = certificate.tensor([random.randrange(data["classes"]) for _ in range(n)], "U8")
    elif kind == 1:
        data["labels"] = None
    elif kind == 2:
        times = [random.choice([1, 1, 2, 5]) for _ in range(n)]
        data |= {"multiplicities": certificate.tensor(times), "total": sum(times)}
    else:
        data |= {"multiplicities": None, "total": n}


def change_claims(random: Random, claims: list[Json]) -> None:
    """Take a claim away, give it another label, or exchange two keys."""
    number, kind = random.randrange(len(claims)), random.randrange(3)
    if kind == 0 and len(claims) > 1:
        claims.pop(number)
    elif kind == 1:
        claims.append({"label": random.choice(["W0", "D"])})
    elif "reason" in claims[number]:
        reasons = ["fewer-units", "equal-samples", "dependent-units", "every-u"]
        claims[number]["reason"] = random.choice(reasons)
    elif "loss" in claims[number]:
        losses = ["cross-entropy", "squared", "one-vs-rest", "weston-watkins", "crammer-singer", "squared-error"]
        claims[number]["loss"] = random.choice(losses)
    elif "start_weights" in claims[number] and "end_weights" in claims[number]:
        first, last = claims[number]["start_weights"], claims[number]["end_weights"]
        claims[number] |= {"start_weights": last, "end_weights": first}


def mutants(count: int, seed: int = 0) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield names and the contents of both files, which belong to a certificate called c."""
    random = Random(seed)
    for number in range(count):
        name = random.choice(sorted(BASES))
        certificate = BASES[name]()
        certificate.document = copy.deepcopy(certificate.document)
        for _ in range(random.choice([1, 1, 2, 3])):
            change(random, certificate)
            certificate.arrays()  # which forgets the tensors that are not referred to
        yield f"{name} {seed}.{number}", *certificate.files("c")
