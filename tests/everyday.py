"""Which of a test's cases run every day; the others run with ``pytest -m thorough``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def one_in(share: int, values: Iterable[Any]) -> list[Any]:
    """Mark all values but the first, the ``share``-th after it, and so on as thorough.

    Tuples are the values of several arguments; `pytest.param` keeps its identity and its marks.
    """
    return [_marked(value) if k % share else value for k, value in enumerate(values)]


def _marked(value: Any) -> Any:
    if hasattr(value, "marks"):
        return value._replace(marks=[*value.marks, pytest.mark.thorough])
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.thorough)
