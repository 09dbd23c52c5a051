"""Sums ``constant + sum c z`` over forms z in exact rational arithmetic, many at a time.

Almost all coefficients are weights as they are or with the other sign, hence binary64 numbers, so that a sum holds
eight bytes for each of them; the few that are not, sums of several weights, are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.balls.limbs import term_integers
from verifier.network.network import Array


@dataclass(frozen=True, slots=True)
class ExactSum:
    """``constant + sum c z`` with coefficients c, none 0, of forms in ascending order; equal sums are equal objects."""

    forms: bytes
    """The numbers of the forms, int64."""
    binary: bytes
    """The coefficients, binary64; 0 stands for one that is no binary64 number."""
    rational: tuple[Fraction, ...]
    """Those that are no binary64 numbers, in their order."""
    constant: Fraction

    @property
    def begins_negative(self) -> bool:
        """Whether the first coefficient is below 0; False without any."""
        if not self.forms:
            return False
        first = float(np.frombuffer(self.binary, count=1)[0])
        return first < 0 if first else self.rational[0] < 0

    def negated(self) -> ExactSum:
        """The sum times -1."""
        binary = 0.0 - np.frombuffer(self.binary)  # 0 stays +0
        return ExactSum(self.forms, binary.tobytes(), tuple(-c for c in self.rational), -self.constant)


def weighted(coefficients: Mapping[int, Fraction], constant: Fraction) -> ExactSum:
    """The sum with these coefficients of forms.

    Guarantee: it is exact.
    """
    forms = sorted(form for form, c in coefficients.items() if c != 0)
    binary = [nearest if (nearest := _nearest(coefficients[form])) == coefficients[form] else 0.0 for form in forms]
    rational = tuple(coefficients[form] for form, c in zip(forms, binary, strict=True) if not c)
    return ExactSum(np.array(forms, dtype=np.int64).tobytes(), np.array(binary).tobytes(), rational, constant)


def total(terms: Array) -> Fraction:
    """The sum of binary64 numbers.

    Guarantee: it is exact.
    """
    numerators, exponent = term_integers(terms, 0)
    return Fraction(sum(numerators)) * Fraction(2) ** exponent


class Window:
    """What a unit reads: for each of its weights the unit ``sign * z + offset`` that the weight multiplies."""

    def __init__(self, forms: NDArray[np.int64], signs: Array, offsets: Mapping[Fraction, NDArray[np.int64]]) -> None:
        """Group the weights by forms.

        Parameters
        ----------
        forms : ndarray of int, shape (F,)
            The number of the form that each weight multiplies, -1 for a constant.
        signs : ndarray of shape (F,)
            1 or -1.
        offsets : mapping
            For each offset but 0 which of the F units have it.
        """
        moving = np.flatnonzero(forms >= 0)
        self._columns = moving[np.argsort(forms[moving])]
        self._signs = signs[self._columns]
        ordered, self._starts = np.unique(forms[self._columns], return_index=True)
        self._forms, self._all = ordered, ordered.tobytes()
        stops = np.append(self._starts[1:], len(self._columns))
        several = np.flatnonzero(stops - self._starts > 1)
        self._shared = list(zip(several.tolist(), self._starts[several].tolist(), stops[several].tolist(), strict=True))
        self._offsets = offsets

    def sum(self, weights: Array, bias: float) -> ExactSum:
        """The sum ``bias + sum w (sign * z + offset)`` with weights of shape (F,).

        Guarantee: it is exact.
        """
        terms = weights[self._columns] * self._signs
        binary = terms[self._starts]
        rational: list[Fraction] = []
        kept = binary != 0
        for place, start, stop in self._shared:
            coefficient = total(terms[start:stop])
            binary[place] = nearest = _nearest(coefficient)
            kept[place] = coefficient != 0
            if nearest != coefficient:
                binary[place] = 0.0
                rational.append(coefficient)
        constant = Fraction(bias)
        for offset, columns in self._offsets.items():
            constant += offset * total(weights[columns])
        if kept.all():  # sums of one window share the list of their forms
            return ExactSum(self._all, binary.tobytes(), tuple(rational), constant)
        return ExactSum(self._forms[kept].tobytes(), binary[kept].tobytes(), tuple(rational), constant)


def _nearest(number: Fraction) -> float:
    """The nearest binary64 number, 0 if it is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return 0.0
