"""The one gate through which every number and label of a user comes in: exact, or refused in one line.

`binary64`, `exact` and `integers` take arrays of numbers, `label_entries` takes labels. Nothing is rounded, merged,
unmasked or guessed on the way; what is not a real number, or not the kind of number that is needed, is refused with the
argument's name, the place, the value and a remedy.
"""

from __future__ import annotations

from verifier.data.gate.labels import Labels, label_entries
from verifier.data.gate.numbers import binary64, exact, integers

__all__ = ["Labels", "binary64", "exact", "integers", "label_entries"]
