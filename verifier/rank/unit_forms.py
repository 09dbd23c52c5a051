"""Normal forms of hidden units in exact rational arithmetic: which units are the same function on the samples.

Two units with the same form are the same function; units whose forms are mirrored differ by sign and a constant; units
without a non-constant source are constant. With the weights left free, units with the same form are the same function
for every U.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network
from verifier.rank.exact_sums import ExactSum, Window, weighted
from verifier.sigma.activations import Activation


@dataclass(frozen=True, slots=True)
class UnitForm:
    """The function ``sign * form + offset``; a rational constant has no form (-1)."""

    form: int
    sign: int
    offset: Fraction


ZERO = UnitForm(-1, 1, Fraction(0))
"""The constant 0."""
ONE = UnitForm(-1, 1, Fraction(1))
"""The constant 1: the column of an output bias."""


@dataclass
class FormTable:
    """All normal forms met so far."""

    index: dict[object, int] = field(default_factory=dict)
    constant: list[bool] = field(default_factory=list)
    degree: list[int | None] = field(default_factory=list)
    _of_sums: dict[bytes, int | None] = field(default_factory=dict)

    def number(self, key: object, degree: int | None) -> int:
        """The number of the form with this key, a new one if there is none; a polynomial of degree 0 is a constant."""
        if key not in self.index:
            self.index[key] = len(self.constant)
            self.constant.append(degree == 0)
            self.degree.append(degree)
        return self.index[key]

    def degree_of(self, members: Iterable[int]) -> int | None:
        """The degree of sums of these forms as polynomials in the inputs, None if they are not known to be any."""
        highest = 0
        for form in members:
            degree = self.degree[form]
            if degree is None:
                return None
            highest = max(highest, degree)
        return highest

    def degree_of_sum(self, collected: ExactSum) -> int | None:
        """The same of a sum's forms, looked at once for all units that read the same ones."""
        if collected.forms not in self._of_sums:
            forms = np.frombuffer(collected.forms, dtype=np.int64).tolist()
            self._of_sums[collected.forms] = self.degree_of(forms)
        return self._of_sums[collected.forms]


def unit_forms(network: Network, u: Array | None, inputs: Array, forms: FormTable) -> list[list[UnitForm]]:
    """The units of every layer in normal form, which ``forms`` takes in; without U the weights are free.

    Guarantee: on every sample a unit is ``sign * z + offset``, z the value of its form; without U for every U.

    Parameters
    ----------
    network : Network
        A network of layers.
    u : ndarray of shape (p,) or None
        Hidden parameters; None: for every U.
    inputs : ndarray of shape (N, d)
        The samples.
    forms : FormTable
        The forms met so far.

    Returns
    -------
    list of list of UnitForm
        The units of each layer.
    """
    views = None if u is None else network.layer_views(u)
    coordinates = []
    for column in inputs.T:
        if (column == column[0]).all():
            coordinates.append(UnitForm(-1, 1, Fraction(float(column[0]))))
        else:
            # Coordinates that agree on every sample are one form.
            coordinates.append(UnitForm(forms.number(("input", (column + 0.0).tobytes()), 1), 1, Fraction(0)))
    known: list[list[UnitForm]] = []
    for index, layer in enumerate(network.layers):
        sources = [unit for s in network.sources[index] for unit in (coordinates if s == "input" else known[int(s)])]
        sources = [*sources, ZERO] if layer.padding else sources  # what windows in the padding read
        windows = layer.windows(network.source_shapes(index))
        if layer.activation is None:
            share = Fraction(1, len(windows[0]))
            known.append([_linear_unit(_mean([sources[j] for j in window], share), forms) for window in windows])
        elif views is None:
            known.append(_free_units(layer, index, [[sources[j] for j in window] for window in windows], forms))
        else:
            weights = views[f"layer{index}.weight"].reshape(layer.rows, -1)
            biases = views[f"layer{index}.bias"].reshape(layer.rows, -1).tolist()
            read = _windows(sources, windows)
            known.append(
                [
                    _unit(layer.activation, window.sum(row, own[p % len(own)]), forms)
                    for row, own in zip(weights, biases, strict=True)
                    for p, window in enumerate(read)
                ]
            )
    return known


def _windows(sources: Sequence[UnitForm], windows: Sequence[Sequence[int]]) -> list[Window]:
    """What the positions of a layer read, given as numbers of its sources."""
    forms = np.array([unit.form for unit in sources], dtype=np.int64)
    signs = np.array([unit.sign for unit in sources], dtype=np.float64)
    shifted = {j: unit.offset for j, unit in enumerate(sources) if unit.offset}
    read = []
    for window in windows:
        offsets: dict[Fraction, list[int]] = {}
        for column, j in enumerate(window):
            if j in shifted:
                offsets.setdefault(shifted[j], []).append(column)
        groups = {offset: np.array(columns) for offset, columns in offsets.items()}
        read.append(Window(forms[window], signs[window], groups))
    return read


def _free_units(
    layer: Dense | Conv, index: int, windows: Sequence[Sequence[UnitForm]], forms: FormTable
) -> list[UnitForm]:
    """The units of a layer with free weights: equal where one filter with a tied bias sees equal windows."""
    places: list[tuple[int, int | None]] = []
    first: dict[tuple[UnitForm, ...], int] = {}
    for p, window in enumerate(windows):
        degree = forms.degree_of(unit.form for unit in window if unit.form >= 0)
        place = first.setdefault(tuple(window), p) if layer.bias == "tied" else p
        places.append((place, _degree_above(layer.activation, degree)))
    return [
        UnitForm(forms.number(("free", index, leader, place), degree), 1, Fraction(0))
        for leader in range(layer.rows)
        for place, degree in places
    ]


def _mean(sources: Sequence[UnitForm], share: Fraction) -> ExactSum:
    """The sum of units times their share, exactly."""
    constant, coefficients = Fraction(0), dict[int, Fraction]()
    for unit in sources:
        constant += share * unit.offset
        if unit.form >= 0:
            coefficients[unit.form] = coefficients.get(unit.form, Fraction(0)) + share * unit.sign
    return weighted(coefficients, constant)


def _linear_unit(collected: ExactSum, forms: FormTable) -> UnitForm:
    """A unit whose activation is the identity."""
    if not collected.forms:
        return UnitForm(-1, 1, collected.constant)
    sign = 1
    if collected.begins_negative:
        sign, collected = -1, collected.negated()
    return UnitForm(forms.number(("t", collected), forms.degree_of_sum(collected)), sign, Fraction(0))


def _unit(activation: Activation, collected: ExactSum, forms: FormTable) -> UnitForm:
    """A unit whose activation takes this sum."""
    name = activation.canonical
    if name == "t":
        return _linear_unit(collected, forms)
    mirror = MIRRORED.get(name)
    if not collected.forms:
        exact = {"t**2": collected.constant**2, "t**3": collected.constant**3}.get(name)
        if collected.constant == 0 and mirror is not None and mirror[0] == -1:
            exact = mirror[1] / 2  # sigma(0) = c0 - sigma(0)
        if exact is not None:
            return UnitForm(-1, 1, exact)
    sign, offset = 1, Fraction(0)
    if mirror is not None and collected.begins_negative:
        collected = collected.negated()
        sign, offset = mirror
    number = forms.number((name, collected), _degree_above(activation, forms.degree_of_sum(collected)))
    return UnitForm(number, sign, offset)


def _degree_above(activation: Activation, degree: int | None) -> int | None:
    """The degree of an activation of a polynomial of this degree; a constant stays one whatever the activation is."""
    if degree is None or degree == 0:
        return degree
    power = activation.facts.polynomial_degree
    return power.value * degree if power.status == "proved" and isinstance(power.value, int) else None


MIRRORED: dict[str, tuple[int, Fraction]] = {
    **{
        name: (-1, Fraction(0))
        for name in ("tanh(t)", "sin(t)", "atan(t)", "erf(t)", "t**3", "sinh(t)", "t/sqrt(t**2 + 1)")
    },
    "1/(1 + exp(-t))": (-1, Fraction(1)),
    **{name: (1, Fraction(0)) for name in ("t**2", "cos(t)")},
}
"""``sigma(-t) = sign * sigma(t) + offset`` for these activations, identities known in closed form."""
