"""Normal forms of hidden units in exact rational arithmetic: which units are the same function on the samples.

Two units with the same form are the same function; units whose forms are mirrored differ by sign and a constant; units
without a non-constant source are constant. With the weights left free, units with the same form are the same function
for every U.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network
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

    def number(self, key: object, constant: bool, degree: int | None) -> int:
        """The number of the form with this key, a new one if there is none."""
        if key not in self.index:
            self.index[key] = len(self.constant)
            self.constant.append(constant)
            self.degree.append(degree)
        return self.index[key]


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
            coordinates.append(UnitForm(forms.number(("input", (column + 0.0).tobytes()), False, 1), 1, Fraction(0)))
    known: list[list[UnitForm]] = []
    for index, layer in enumerate(network.layers):
        sources = [unit for s in network.sources[index] for unit in (coordinates if s == "input" else known[int(s)])]
        sources = [*sources, ZERO] if layer.padding else sources  # what windows in the padding read
        windows = [[sources[j] for j in window] for window in layer.windows(network.source_shapes(index))]
        if layer.activation is None:
            share = [Fraction(1, len(windows[0]))] * len(windows[0])
            known.append([_linear_unit(_combine(window, share, Fraction(0)), forms) for window in windows])
        elif views is None:
            known.append(_free_units(layer, index, windows, forms))
        else:
            rows = views[f"layer{index}.weight"].reshape(layer.rows, -1).tolist()
            weights = [[Fraction(w) for w in row] for row in rows]  # once, not at every position
            biases = views[f"layer{index}.bias"].reshape(layer.rows, -1).tolist()
            known.append(
                [
                    _unit(layer.activation, window, row, own[p % len(own)], forms)
                    for row, own in zip(weights, biases, strict=True)
                    for p, window in enumerate(windows)
                ]
            )
    return known


def _free_units(
    layer: Dense | Conv, index: int, windows: Sequence[Sequence[UnitForm]], forms: FormTable
) -> list[UnitForm]:
    """The units of a layer with free weights: equal where one filter with a tied bias sees equal windows."""
    power = layer.activation.facts.polynomial_degree
    places: list[tuple[int, bool, int | None]] = []
    first: dict[tuple[UnitForm, ...], int] = {}
    for p, window in enumerate(windows):
        moving = [(unit.form, Fraction(1)) for unit in window if unit.form >= 0 and not forms.constant[unit.form]]
        constant, degree = not moving, None if moving else 0
        if moving and power.status == "proved" and isinstance(power.value, int):
            degree = _degree(moving, power.value, forms)
        places.append((first.setdefault(tuple(window), p) if layer.bias == "tied" else p, constant, degree))
    return [
        UnitForm(forms.number(("free", index, leader, place), constant, degree), 1, Fraction(0))
        for leader in range(layer.rows)
        for place, constant, degree in places
    ]


def _combine(
    sources: Sequence[UnitForm], weights: Sequence[float | Fraction], bias: float | Fraction
) -> tuple[tuple[tuple[int, Fraction], ...], Fraction]:
    """Collect ``bias + sum w z`` over normal forms, exactly."""
    total, coefficients = Fraction(bias), dict[int, Fraction]()
    for unit, w in zip(sources, weights, strict=True):
        if w == 0:
            continue
        weight = w if type(w) is Fraction else Fraction(w)
        if unit.offset:
            total += weight * unit.offset
        if unit.form >= 0:
            signed, known = weight if unit.sign > 0 else -weight, coefficients.get(unit.form)
            coefficients[unit.form] = signed if known is None else known + signed
    return tuple(sorted((f, c) for f, c in coefficients.items() if c != 0)), total


def _linear_unit(combined: tuple[tuple[tuple[int, Fraction], ...], Fraction], forms: FormTable) -> UnitForm:
    """A unit whose activation is the identity."""
    coefficients, bias = combined
    if not coefficients:
        return UnitForm(-1, 1, bias)
    flip = coefficients[0][1] < 0
    if flip:
        coefficients, bias = tuple((f, -c) for f, c in coefficients), -bias
    number = forms.number(("t", coefficients, bias), _constant(coefficients, forms), _degree(coefficients, 1, forms))
    return UnitForm(number, -1 if flip else 1, Fraction(0))


def _unit(
    activation: Activation,
    sources: Sequence[UnitForm],
    weights: Sequence[float | Fraction],
    bias: float,
    forms: FormTable,
) -> UnitForm:
    name = activation.canonical
    coefficients, total = _combine(sources, weights, bias)
    if name == "t":
        return _linear_unit((coefficients, total), forms)
    facts = activation.facts
    power = facts.polynomial_degree.value if facts.polynomial_degree.status == "proved" else None
    if not coefficients:
        exact = {"t**2": total**2, "t**3": total**3}.get(name)
        if total == 0 and MIRRORED.get(name, (1, None))[0] == -1:
            exact = MIRRORED[name][1] / 2  # sigma(0) = c0 - sigma(0)
        if exact is not None:
            return UnitForm(-1, 1, exact)
        return UnitForm(forms.number((name, (), total), True, 0), 1, Fraction(0))
    sign, offset = 1, Fraction(0)
    mirror = MIRRORED.get(name)
    if mirror is not None and coefficients[0][1] < 0:
        coefficients, total = tuple((f, -c) for f, c in coefficients), -total
        sign, offset = mirror
    degree = _degree(coefficients, power, forms) if isinstance(power, int) else None
    number = forms.number((name, coefficients, total), _constant(coefficients, forms), degree)
    return UnitForm(number, sign, offset)


MIRRORED: dict[str, tuple[int, Fraction]] = {
    **{
        name: (-1, Fraction(0))
        for name in ("tanh(t)", "sin(t)", "atan(t)", "erf(t)", "t**3", "sinh(t)", "t/sqrt(t**2 + 1)")
    },
    "1/(1 + exp(-t))": (-1, Fraction(1)),
    **{name: (1, Fraction(0)) for name in ("t**2", "cos(t)")},
}
"""``sigma(-t) = sign * sigma(t) + offset`` for these activations, identities known in closed form."""


def _constant(coefficients: Sequence[tuple[int, Fraction]], forms: FormTable) -> bool:
    return all(forms.constant[f] for f, _ in coefficients)


def _degree(coefficients: Sequence[tuple[int, Fraction]], power: int, forms: FormTable) -> int | None:
    degrees = [forms.degree[f] for f, _ in coefficients]
    known = [d for d in degrees if d is not None]
    return power * max(known, default=0) if len(known) == len(degrees) else None
