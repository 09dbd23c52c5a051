"""Families: a case file with ``[[vary]]`` tables stands for many cases, one for each combination of their values.

The keys of one table vary together, so that expectations go along; the tables' combinations are taken in order, the
last table fastest, and a later table overrides what an earlier one set::

    [[vary]]
    "network.layers.0.activation" = ["tanh", "relu"]
    "expect.analytic" = ["PROVED", "REFUTED"]

    [[vary]]
    "start.seed" = [0, 1, 2]

``name = [...]`` in a table names its values; by default a member is called after them: ``FAMILY-tanh-seed0``.
"""

from __future__ import annotations

import copy
import itertools
import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.errors import CaseError, InputError
from verifier.run.case import Case, build_layers, case_of, read_case

MAX_MEMBERS = 10_000
"""Of a family: more would be a mistake, and fill the disk with certificates."""

MAX_NAME = 100
"""Characters of a member's name, which is the name of its certificate."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One ``[[vary]]`` table: names of its values, and for each value what is set, by dotted key."""

    names: tuple[str, ...]
    settings: tuple[dict[str, Any], ...]


def read_cases(path: str | Path) -> list[Case]:
    """Read a case file or a family: the case itself, or all members.

    Parameters
    ----------
    path : str or Path
        A TOML file.

    Returns
    -------
    list of Case
        Members in the order of their values, the last ``[[vary]]`` table fastest.

    Raises
    ------
    CaseError
        As `read_case`; lists of different lengths, no values, a key that leads nowhere, more than `MAX_MEMBERS`
        members. An error of a member names the member.
    """
    where = Path(path)
    document = _document(where)
    if "vary" not in document:
        return [read_case(where)]
    return members(document, name=where.stem, folder=where.parent, label=str(where))


def members(document: dict[str, Any], *, name: str, folder: Path, label: str) -> list[Case]:
    """Make the cases that a family's document stands for.

    Parameters
    ----------
    document : dict
        What TOML's reader returns.
    name : str
        What members' names begin with.
    folder : Path
        Relative paths in the document are taken from here.
    label : str
        What error messages call the document.

    Returns
    -------
    list of Case

    Raises
    ------
    CaseError
        As `read_cases`.
    """
    tables = document.get("vary")
    if not isinstance(tables, list) or not tables:
        raise CaseError(f'{label}: vary must be tables: [[vary]], then lines such as "start.seed" = [0, 1]')
    axes = [_axis(table, f"{label}: vary[{index}]") for index, table in enumerate(tables)]
    count = math.prod(len(axis.names) for axis in axes)
    if count > MAX_MEMBERS:
        raise CaseError(f"{label}: the family has {count} members; at most {MAX_MEMBERS}, so split it")
    base = {key: value for key, value in document.items() if key != "vary"}
    found: dict[str, Case] = {}
    for choice in itertools.product(*(range(len(axis.names)) for axis in axes)):
        words = [axis.names[index] for axis, index in zip(axes, choice, strict=True)]
        own = "-".join(filter(None, [name, *words]))[:MAX_NAME]
        if own in found:
            raise CaseError(f"{label}: two members are called {own!r}; name the values: name = [...] in their [[vary]]")
        made = copy.deepcopy(base)
        for axis, index in zip(axes, choice, strict=True):
            for key, value in axis.settings[index].items():
                _set(made, key, copy.deepcopy(value), label)
        if words := [word for word in words if word]:
            made["title"] = f"{base.get('title', name)} ({', '.join(words)})"
        found[own] = _member(made, own, folder, f"{label} ({own})")
    return list(found.values())


def _member(document: dict[str, Any], name: str, folder: Path, label: str) -> Case:
    case = case_of(document, name=name, folder=folder, label=label)
    try:
        build_layers(case.file.network.layers)
    except InputError as error:
        raise CaseError(f"{label}: {error}") from None
    return case


def _document(path: Path) -> dict[str, Any]:
    """The document if it can be read and parsed; `read_case` says what is wrong with it otherwise."""
    try:
        return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _axis(table: Any, label: str) -> Axis:
    lists = _flat(table) if isinstance(table, dict) else {}
    if not lists or set(lists) == {"name"}:
        raise CaseError(f'{label} varies nothing; give lists of values, such as "start.seed" = [0, 1]')
    for key, values in lists.items():
        if not isinstance(values, list) or not values:
            raise CaseError(f"{label}: {key!r} must be a list of at least one value")
    lengths = {key: len(values) for key, values in lists.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key!r} has {length}" for key, length in lengths.items())
        raise CaseError(f"{label}: keys of one table vary together, so their lists are equally long; {shown}")
    names = lists.pop("name", None)
    settings = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    if names is None:
        names = [_name(setting, index) for index, setting in enumerate(settings)]
    return Axis(tuple(_plain(str(name)) for name in names), tuple(settings))


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys, whether they were written in quotes or bare."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def _name(setting: dict[str, Any], index: int) -> str:
    """The values in words: texts as they are, numbers after their key; expectations and titles do not count."""
    words = []
    for key, value in setting.items():
        if key.startswith("expect.") or key == "title":
            continue
        last = key.rpartition(".")[2]
        if isinstance(value, str):
            words.append(value)
        elif isinstance(value, bool):
            words.append(last if value else f"no-{last}")
        else:
            words.append(f"{last}{value if isinstance(value, int | float) else index}")
    return "-".join(words)


def _plain(text: str) -> str:
    """Text that can be part of a file's name everywhere."""
    return re.sub(r"[^A-Za-z0-9.+=_-]+", "_", text).strip("_")


def _set(document: dict[str, Any], key: str, value: Any, label: str) -> None:
    """Set a dotted key; sections that are missing are made, positions in lists must exist."""
    here: Any = document
    parts = key.split(".")
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(here, dict):
            if following is None:
                here[part] = value
            else:
                here = here.setdefault(part, {})
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            if following is None:
                here[int(part)] = value
            else:
                here = here[int(part)]
        else:
            raise CaseError(f"{label}: vary: {key!r} leads nowhere: there is no {part!r} to set in this case")
