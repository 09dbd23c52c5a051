"""Says in words what a certificate claims. Reading is not checking: `verifier check` decides."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from verifier.certificate.node_schema import SLIDING, StatedNode, WindowPart
from verifier.certificate.schema import FORMAT, VERSION, Document, NetworkPart
from verifier.data.files.regular import read_regular
from verifier.display import Card, Shown, Table, count
from verifier.errors import InputError, one_line
from verifier.statements.claims.claim import Computed, plain, stated

MAX_BYTES = 16 * 2**20
"""Of a document in the format."""
MAX_LISTED = 24
"""Nodes that are described one by one; of a network with more the kinds are counted."""
LEAVES = ("input", "parameter", "constant")


@dataclass(frozen=True, slots=True, repr=False)
class Description(Shown):
    """What a certificate claims, in words; as text it is what `verifier show` prints.

    Parameters
    ----------
    file : str
        The certificate.
    data, network : str
        What the claims are about.
    claims : tuple of (str, str)
        Each claim's label and meaning.
    trust : str
        The semantics, and what a reader trusts.
    left_out : tuple of str
        What the prover says that it proved and left out.

    Examples
    --------
    >>> import verifier as vf
    >>> print(vf.Description("c.json", "xor, 4 samples x 2, 2 classes", "input 2", (("W0", "full rank"),), "Arb"))
    Data: xor, 4 samples x 2, 2 classes.
    Network: input 2.
    <BLANKLINE>
    Claims full rank
    <BLANKLINE>
    Arb
    """

    file: str
    data: str
    network: str
    claims: tuple[tuple[str, str], ...]
    trust: str
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Data, network, a paragraph for each claim, what was left out, and what a reader trusts."""
        paragraphs = [f"Claims {meaning}\n" for _, meaning in self.claims]
        left = [f"Left out, says the program that wrote it: {'; '.join(self.left_out)}.\n"] if self.left_out else []
        return "\n".join([f"Data: {self.data}.", f"Network: {self.network}.", "", *paragraphs, *left, self.trust])

    def _card(self) -> Card:
        labels = ", ".join(label for label, _ in self.claims)
        values: tuple[tuple[str, str], ...] = (("data", self.data), ("network", self.network), ("claims", labels))
        values += (("trust", self.trust),)
        values += (("left out", "; ".join(self.left_out)),) if self.left_out else ()
        table = Table("What is claimed", ("label", "claim"), self.claims)
        return Card(f"Certificate {self.file}", None, "claimed, not checked: verifier check decides", values, (table,))

    def __repr__(self) -> str:
        """The labels of the claims, and how to read more."""
        labels = ", ".join(label for label, _ in self.claims)
        return f"<Description of {self.file}: claims {labels}; print it to read them>"


def describe(file: Path) -> str:
    """Describe a certificate in words, a paragraph per claim.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    return str(read_description(file))


def read_description(file: Path) -> Description:
    """Read what a certificate claims, without checking any of it.

    Parameters
    ----------
    file : Path
        The certificate's document.

    Returns
    -------
    Description
        In words. Nothing is checked.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    return _description(str(file), read_document(file))


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


def _description(file: str, document: Document) -> Description:
    data, network, trust = document.data, document.network, document.trust
    standing = "" if data.total == data.samples else f" (standing for {data.total})"
    scaling = "" if data.scaling == "none" else f"; {plain(data.scaling)}"
    bits = max((claim.precision for claim in document.claims if isinstance(claim, Computed)), default=0)
    outputs = f"{data.classes} classes" if data.targets is UNSET else count(data.classes, "real target")
    precision = f" at up to {bits} bits" if bits else ""
    said = f"{plain(data.name)}, {data.samples} samples{standing} x {data.dimension}, {outputs}{scaling}"
    if data.inputs is None:
        said = f"none is stored; {data.samples} distinct samples x {data.dimension}, whichever they are"
    return Description(
        file=file,
        data=said,
        network=_network(network),
        claims=tuple((claim.label(), claim.said()) for claim in document.claims),
        left_out=() if document.left_out is UNSET else tuple(map(plain, document.left_out)),
        trust="Semantics: exact real numbers; every stored number is an exact dyadic. Trust base of the checker: "
        f"Python, python-flint (written with {plain(trust.python_flint)}, FLINT {plain(trust.flint)}), "
        f"Arb{precision}. This text repeats what the certificate claims; `verifier check` decides.",
    )


def _network(network: NetworkPart) -> str:
    """The input, what is computed, node by node where these are few, the parameters, and the columns of Psi."""
    nodes = network.nodes
    computed = [(index, node) for index, node in enumerate(nodes) if node.kind() not in LEAVES]
    if len(computed) <= MAX_LISTED:
        parts = [f"node {index} {_node(node, nodes)}" for index, node in computed]
    else:
        kinds = [node.kind() for _, node in computed]
        parts = [", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) + " nodes"]
    trained, frozen = ([node for node in nodes if node.kind() == kind] for kind in ("parameter", "constant"))
    sizes = f"p = {sum(math.prod(_shape(node)) for node in trained)} parameters"
    sizes += f", {sum(math.prod(_shape(node)) for node in frozen)} frozen numbers" if frozen else ""
    features = ", ".join(
        f"node {feature.node}" + ("" if feature.entries is None else f" ({len(feature.entries)} of its entries)")
        for feature in network.features
    )
    return (
        f"input {'x'.join(map(str, _shape(nodes[0])))}; {'; '.join(parts)}; {sizes}; M = {network.columns}: {features}"
    )


def _shape(node: StatedNode) -> tuple[int, ...]:
    return tuple(getattr(node, "shape", ()))


def _node(node: StatedNode, nodes: tuple[StatedNode, ...]) -> str:
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
    named = [plain(getattr(nodes[i], "name", "")) if i < len(nodes) else "" for i in node.reads]
    return f"{' '.join(said)} of {', '.join(name or read for name, read in zip(named, reads, strict=True))}"
