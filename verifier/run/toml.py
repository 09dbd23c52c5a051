"""Writes a case as a TOML document: every member of a family is a case file of its own."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from verifier.run.case import Case

Table = Mapping[str, Any]


def case_toml(case: Case) -> str:
    """The case as the text of a case file; keys that have their defaults are left out."""
    document = {}
    for field in msgspec.structs.fields(type(case.file)):
        value = getattr(case.file, field.name)
        kept = _without_defaults(value) if isinstance(value, msgspec.Struct) else value
        if kept:
            document[field.name] = kept
    return to_toml(document)


def to_toml(document: Table) -> str:
    """Write plain values (texts, numbers, booleans, lists, tables) as TOML that reads back as the same values."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in document.items() if not isinstance(value, Mapping)]
    for key, section in document.items():
        if isinstance(section, Mapping):
            lines += ["", f"[{_key(key)}]", *(f"{_key(k)} = {_value(v)}" for k, v in section.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _without_defaults(section: msgspec.Struct) -> dict[str, Any]:
    kept = {}
    for field in msgspec.structs.fields(type(section)):
        value = getattr(section, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value != default:
            kept[field.name] = value
    return kept


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "a").replace("-", "a").isalnum() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        inner = [_value(entry) for entry in value]
        if any(isinstance(entry, Mapping) for entry in value):
            return "[\n" + "".join(f"  {entry},\n" for entry in inner) + "]"
        return f"[{', '.join(inner)}]"
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else repr(value)
