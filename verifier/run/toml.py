"""A case as the text of a case file: every member of a family is a case file of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import tomli_w

from verifier.run.case import Case


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
    return tomli_w.dumps(document)


def _without_defaults(section: msgspec.Struct) -> dict[str, Any]:
    kept = {}
    for field in msgspec.structs.fields(type(section)):
        value = getattr(section, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value != default:
            kept[field.name] = value
    return kept
