"""Which of a test's cases run every day; the others run with ``pytest -m thorough``."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def one_in(share, values: Iterable):
    """Mark all values but the first, the ``share``-th after it, and so on as thorough.

    Tuples are the values of several arguments.
    """
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=[pytest.mark.thorough] * (k % share > 0))
        for k, value in enumerate(values)
    ]
