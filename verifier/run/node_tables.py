"""The tables of ``network.nodes`` in case files: a network stated node by node, as certificates state it.

Every architecture that the nodes express can be written like this, whether or not there is a block for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, get_type_hints

import msgspec
import numpy as np

from verifier.errors import CaseError, NetworkError, nearest, one_line
from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.nodes import KINDS, Constant, Map, Node, Parameter, Window
from verifier.run.layer_tables import in_toml
from verifier.sigma.activations import activation

WINDOW: Final = ("kernel", "stride", "padding", "dilation", "groups")
_WRITTEN: Final = {"size": "shape", "sigma": "activation"}
"""Fields of nodes that have another name where they are written."""
_INNER: Final = ("reads", "stream")


def build_graph(nodes: Sequence[Mapping[str, Any]], features: Sequence[Mapping[str, Any]]) -> Network:
    """Build a network from the tables of ``network.nodes`` and ``network.features``.

    Parameters
    ----------
    nodes : sequence of mapping
        For each node its ``kind``, the indices that it ``reads``, and its fields under the names that certificates use;
        a constant has its ``values``, nested lists.
    features : sequence of mapping
        The columns of Psi: ``node``, and ``entries`` if not all of them.

    Returns
    -------
    Network

    Raises
    ------
    CaseError, NetworkError, ExpressionError
        Naming the node.
    """
    made = [_node(dict(table), f"network.nodes[{index}]") for index, table in enumerate(nodes)]
    found = []
    for index, table in enumerate(features):
        where = f"network.features[{index}]"
        unknown = next((key for key in table if key not in ("node", "entries")), None)
        if unknown is not None or "node" not in table:
            raise CaseError(f"{where}: {'node is missing' if unknown is None else f'unknown key {unknown!r}'}")
        entries = table.get("entries")
        listed = None if entries is None else tuple(_converted(entries, list[int], where, "entries"))
        found.append(Feature(_converted(table["node"], int, where, "node"), listed))
    return Network.of(made, found)


def graph_tables(network: Network) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write a network as tables that `build_graph` reads as the same network.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    (list of dict, list of dict)
        Its nodes and its features.
    """
    nodes = []
    for node in network.nodes:
        table = {"kind": node.kind} | ({"reads": list(node.reads)} if node.reads else {}) | node.fields()
        if isinstance(node, Constant):
            del table["shape"]
            table["values"] = node.values.tolist()
        if isinstance(node, Parameter):
            table["fan_in"] = node.fan_in
        if isinstance(node, Map):
            table["activation"] = node.sigma.name
        nodes.append(table)
    features = [
        {"node": feature.node} | ({} if feature.entries is None else {"entries": list(feature.entries)})
        for feature in network.features
    ]
    return nodes, features


def _node(table: dict[str, Any], where: str) -> Node:
    kind = table.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        shown = "missing" if kind is None else one_line(kind)
        raise CaseError(f"{where}: kind is {shown}; {nearest(str(kind), KINDS)}")
    made, reads = KINDS[kind], tuple(_converted(table.pop("reads", []), list[int], where, "reads"))
    hints = get_type_hints(made)
    fields = {_WRITTEN.get(f.name, f.name): f.name for f in dataclasses.fields(made) if f.name not in _INNER}
    known = [*(name for name in fields if name != "window"), *(WINDOW[:-1] if "window" in fields else ())]
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        raise CaseError(f"{where}: unknown key {unknown!r} of a node {kind!r}; {nearest(unknown, known)}")
    required = [key for key, name in fields.items() if _required(made, name) and key not in table]
    if required and "window" not in fields:
        raise CaseError(f"{where}: {required[0]!r} of a node {kind!r} is missing")
    if "window" in fields:
        table["window"] = {key: table.pop(key) for key in WINDOW if key in table}
    given: dict[str, Any] = {}
    for key, value in table.items():
        given[fields[key]] = _value(value, hints[fields[key]], where, key)
    try:
        return made(reads=reads, **given)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


def _required(made: type[Node], name: str) -> bool:
    field = next(field for field in dataclasses.fields(made) if field.name == name)
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(value: Any, hint: Any, where: str, key: str) -> Any:
    """A field's value from TOML's: lists for tuples, texts for fractions, tables for windows."""
    if key == "activation":
        return activation(_converted(value, str, where, key))
    if key == "values":
        return _numbers(value, where)
    if key == "window" or (key == "over" and isinstance(value, dict)):
        unknown = next((name for name in value if name not in WINDOW), None)
        if unknown is not None:
            raise CaseError(f"{where}: {key} has an unknown key {unknown!r}; {nearest(unknown, WINDOW)}")
        kernel = tuple(_converted(value.get("kernel", []), list[int], where, "kernel"))
        numbers = {"stride": 1, "padding": 0, "dilation": 1}
        axes = [
            tuple(_converted(value.get(name, [default] * len(kernel)), list[int], where, name))
            for name, default in numbers.items()
        ]
        return Window(kernel, axes[0], axes[1], axes[2], _converted(value.get("groups", 1), int, where, "groups"))
    if key == "over":
        return _converted(value, str, where, key)
    if hint is Fraction:
        try:
            return Fraction(*map(int, value)) if isinstance(value, list) else Fraction(value)
        except (TypeError, ValueError, ZeroDivisionError, OverflowError):
            raise CaseError(f'{where}: {key} = {one_line(value)} must be a number, or a text such as "1/255"') from None
    found = _converted(value, in_toml(hint), where, key)
    return tuple(found) if isinstance(found, list) else found


def _numbers(value: Any, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise CaseError(f"{where}: values must be numbers in lists of one shape") from None


def _converted(value: Any, kind: Any, where: str, key: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        plain = {int: "an integer", bool: "true or false", str: "a text"}
        words = plain.get(kind, "a list of integers" if str(kind).startswith("list") else str(kind))
        raise CaseError(f"{where}: {key} = {one_line(value)} must be {words}") from None
