"""Reads what a certificate's document says, without checking any of it, and describes its data and network in words."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from verifier.certificate.node_schema import SLIDING, StatedNode, WindowPart
from verifier.certificate.schema import FORMAT, VERSION, Data, Document, NetworkPart
from verifier.data.files.regular import read_regular
from verifier.display import count
from verifier.errors import InputError, one_line
from verifier.statements.claims.claim import plain, stated

MAX_BYTES = 16 * 2**20
"""Of a document in the format."""
MAX_LISTED = 24
"""Nodes that are described one by one; of a network with more the kinds are counted."""
NAME = re.compile(r"[A-Za-z0-9_.\[\]/:-]+")
"""A parameter's name that says nothing but itself."""
LEAVES = ("input", "parameter", "constant")


def read_document(file: Path) -> Document:
    """Read a certificate's document, without checking any of it.

    Parameters
    ----------
    file : Path
        The certificate's document.

    Returns
    -------
    Document
        Typed as the format says; what it claims may be false.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    document = _read(file)
    try:
        return msgspec.convert(document, Document)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{file} is not a well-formed certificate ({one_line(str(error))}); `verifier check` says what is wrong"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_regular(file, MAX_BYTES))
    except FileNotFoundError:
        raise InputError(
            f"no certificate file {file}; `verifier rank | path | witness CASE.toml --out {file}` writes one"
        ) from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}; name a certificate's .json file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{file} is not a JSON document ({' '.join(str(error).split())}); name a certificate's .json file"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{file} is not a verifier certificate; name the .json that --out wrote")
    if document.get("version") != VERSION:
        stated = one_line(document.get("version"))
        raise InputError(
            f"{file} is a certificate of version {stated}, and this program reads version {VERSION}; make it anew: "
            f"`verifier rank | path | witness CASE.toml --out {file}`"
        )
    return document


def data_in_words(data: Data) -> str:
    """The data's name, their numbers, and how inputs came from raw values; "none is stored" where there are none."""
    if data.inputs is None:
        return f"none is stored; {data.samples} distinct samples x {data.dimension}, whichever they are"
    standing = "" if data.total == data.samples else f" (standing for {data.total})"
    scaling = "" if data.scaling == "none" else f"; {plain(data.scaling)}"
    outputs = f"{data.classes} classes" if data.targets is UNSET else count(data.classes, "real target")
    return f"{plain(data.name)}, {data.samples} samples{standing} x {data.dimension}, {outputs}{scaling}"


def network_in_words(network: NetworkPart) -> str:
    """The input, what is computed, node by node where these are few, the parameters, and the columns of Psi."""
    nodes = network.nodes
    computed = [(index, node) for index, node in enumerate(nodes) if node.kind() not in LEAVES]
    if len(computed) <= MAX_LISTED:
        parts = [f"node {index} {_node_in_words(node, nodes)}" for index, node in computed]
    else:
        kinds = [node.kind() for _, node in computed]
        parts = [", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) + " nodes"]
    trained, frozen = ([node for node in nodes if node.kind() == kind] for kind in ("parameter", "constant"))
    sizes = f"p = {sum(math.prod(shape_of(node)) for node in trained)} parameters"
    sizes += f", {sum(math.prod(shape_of(node)) for node in frozen)} frozen numbers" if frozen else ""
    features = ", ".join(
        f"node {feature.node}" + ("" if feature.entries is None else f" ({len(feature.entries)} of its entries)")
        for feature in network.features
    )
    shape = "x".join(map(str, shape_of(nodes[0])))
    return f"input {shape}; {'; '.join(parts)}; {sizes}; M = {network.columns}: {features}"


def moving(network: NetworkPart) -> tuple[int, bool]:
    """The number p of parameters, and whether the document stores all of their values."""
    trained = [node for node in network.nodes if node.kind() == "parameter"]
    stored = all(getattr(node, "values", None) is not None for node in trained)
    return sum(math.prod(shape_of(node)) for node in trained), stored


def operand(name: str) -> str:
    """A file's name as a command line takes it: one that begins with a hyphen is no option."""
    return f"./{name}" if name.startswith("-") else name


def shape_of(node: StatedNode) -> tuple[int, ...]:
    """The shape that a node states; empty where it states none."""
    return tuple(getattr(node, "shape", ()))


def _name_in_words(name: str) -> str:
    """A parameter's name, in quotes where it could be read as something else than a name."""
    return name if not name or (NAME.fullmatch(name) and name != "input") else one_line(plain(name))


def _node_in_words(node: StatedNode, nodes: tuple[StatedNode, ...]) -> str:
    """A node in a few words: its kind, what it depends on besides, and what it reads."""
    said = [plain(getattr(node, "activation", node.kind()))]
    for field in node.__struct_fields__:
        value = getattr(node, field)
        if (field in SLIDING and field != "kernel") or field in ("reads", "activation", "bias"):
            continue
        if isinstance(value, WindowPart):
            said.append(f"kernel {'x'.join(map(str, value.kernel))}")
        elif field in ("factor", "epsilon", "square"):
            said.append(f"{field} {stated(value)}")
        elif isinstance(value, bool):
            said += [] if value is False else [field]
        elif isinstance(value, tuple):
            said += [f"{field} {'x'.join(map(str, value))}"] if len(value) <= MAX_LISTED else []
        else:
            said.append(str(value))
    reads = [nodes[i].kind() if i < len(nodes) and nodes[i].kind() == "input" else f"node {i}" for i in node.reads]
    named = [_name_in_words(getattr(nodes[i], "name", "")) if i < len(nodes) else "" for i in node.reads]
    return f"{' '.join(said)} of {', '.join(name or read for name, read in zip(named, reads, strict=True))}"
