"""A case as the text of a case file: every member of a family is a case file of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import tomli_w

from verifier.run.case import Case

_LISTED: Final = re.compile(r"\[\n((?: +[^\n\[\]{}]*,\n)+) *\]")
"""An array of numbers or texts as tomli-w writes it, one of them a line; a text never holds a line's end."""
_LINE: Final = 100
"""Longer arrays keep a line for each of their parts."""


def case_toml(case: Case) -> str:
    """Write a case as the text of a case file; keys that have their defaults are left out.

    Parameters
    ----------
    case : Case
        The case, as it was read or made.

    Returns
    -------
    str
        TOML that `parse_case` reads as the same case.
    """
    document = {}
    for field in msgspec.structs.fields(type(case.file)):
        value = getattr(case.file, field.name)
        kept = _without_defaults(value) if isinstance(value, msgspec.Struct) else value
        if kept:
            document[field.name] = kept
    return to_toml(document)


def to_toml(document: Mapping[str, Any]) -> str:
    """Write a document as TOML to be read by people: short arrays, such as a kernel's sizes, take one line."""
    return _LISTED.sub(_on_one_line, tomli_w.dumps(document))


def _on_one_line(array: re.Match[str]) -> str:
    short = " ".join(line.strip() for line in array[1].splitlines()).removesuffix(",")
    return f"[{short}]" if len(short) <= _LINE else array[0]


def _without_defaults(section: msgspec.Struct) -> dict[str, Any]:
    kept = {}
    for field in msgspec.structs.fields(type(section)):
        value = getattr(section, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value != default:
            kept[field.name] = value
    return kept
