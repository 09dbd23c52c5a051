"""From a TOML document to a struct, with messages that name the key and the nearest known one."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from verifier.errors import CaseError, nearest


def convert(document: Any, kind: type[Any], where: str) -> Any:
    """Convert a TOML document to a struct; msgspec's messages become one line that names the nearest known key.

    Raises
    ------
    CaseError
        Unknown keys, wrong types; ``where`` is the document's name in the message.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        if "unknown field" in text:
            key = text.split("`")[1]
            path = text.split("`$")[-1].rstrip("`").lstrip(".") if "- at" in text else ""
            struct = _struct_at(kind, path)
            dotted = f"{path}.{key}" if path else key
            raise CaseError(f"{where}: unknown key {dotted!r}; {nearest(key, struct.__struct_fields__)}") from None
        raise CaseError(f"{where}: {_reworded(text)}") from None


def _reworded(text: str) -> str:
    """Msgspec's message with the key first and its types in words."""
    at = re.search(r" - at `\$?\.?(.*)`$", text)
    place = f"{at[1]} " if at is not None and at[1] else ""
    wrong = re.match(r"Expected `(.+?)`, got `(.+?)`", text)
    if wrong is not None:
        wanted = " or ".join(KIND_WORDS.get(kind, kind) for kind in wrong[1].split(" | ") if kind != "null")
        return f"{place}must be {wanted}, not {KIND_WORDS.get(wrong[2], wrong[2])}"
    missing = re.match(r"Object missing required field `(.+?)`", text)
    if missing is not None:
        return f"{place}{missing[1]!r} is missing; `verifier init` writes a sample with every key"
    return text.replace("`$", "`")


def _struct_at(kind: type[Any], path: str) -> Any:
    here: Any = kind
    for part in filter(None, path.split(".")):
        found = msgspec.structs.fields(here)
        here = next((f.type for f in found if f.name == part), here)
    return here


KIND_WORDS = {
    "int": "an integer",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
"""TOML's types in words."""
