"""R5: rank deficiency proved by structure, in exact rational arithmetic; never from small numbers.

Every hidden unit gets a normal form. Two units with the same form are the same function on the samples; units whose
forms are
mirrored differ by sign and a constant; units without a non-constant source are constant. The number of forms among the
skip units bounds the rank of Psi. For polynomial activations the monomials of the input bound it as well. With the
weights left free, units with the same form are the same function for every U: then the bound holds for every U.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from flint import fmpz, nmod_mat

from verifier.network.arguments import given_inputs
from verifier.network.layers import AvgPool, Conv, Dense, window_indices
from verifier.network.network import Array, Network
from verifier.network.total import activation_not_proved_total
from verifier.sigma.activations import Activation

MONOMIAL_ENTRIES = 5_000_000
"""Largest monomial matrix whose exact rank is computed."""

MONOMIAL_WORK = 5_000_000_000
"""What its exact rank may cost, in `_rank_cost`'s unit, about a nanosecond."""

EXACT_RANK_WORK = 200_000_000_000
"""Multiply-adds of an exact rank over the integers, which is what an independent checker may have to do."""

PRIME_BITS = 62


@dataclass(frozen=True, slots=True)
class Deficiency:
    """Proof that ``rank Psi(U) <= rank_at_most < N``: the kind of reason and an explanation in words."""

    reason: str
    rank_at_most: int
    explanation: str


@dataclass(frozen=True, slots=True)
class UnitForm:
    """The function ``sign * form + offset``; a rational constant has no form (-1)."""

    form: int
    sign: int
    offset: Fraction


ZERO = UnitForm(-1, 1, Fraction(0))
"""The constant 0."""


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


def cheap_deficiency(network: Network, inputs: Array) -> Deficiency | None:
    """Deficiency that needs no look at the weights: M < N, or equal samples.

    Guarantee: a result implies ``rank Psi(U) <= rank_at_most < N`` for EVERY U.
    """
    n, m = len(inputs), network.skip_count
    if m < n:
        return Deficiency("fewer-units", m, f"Psi has only M = {m} columns for N = {n} samples")
    distinct = len(np.unique(inputs + 0.0, axis=0))
    if distinct < n:
        return Deficiency(
            "equal-samples",
            distinct,
            f"only {distinct} of the N = {n} samples are distinct; equal samples give equal rows",
        )
    return None


def structural_deficiency(network: Network, u: Array, inputs: Array) -> Deficiency | None:
    """Deficiency from equal, mirrored, constant or polynomial units.

    Returns
    -------
    Deficiency or None
        Guarantee: a result implies ``rank Psi(U) <= rank_at_most < N`` for this U and data. None says nothing.
    """
    found = _structural_bound(network, u, inputs)
    return found if found.rank_at_most < len(inputs) else None


def structural_bound_every_u(network: Network, inputs: Array) -> Deficiency | None:
    """Deficiency whatever the hidden weights and biases are: for EVERY U the rank of Psi(U) is below N.

    Parameters
    ----------
    network
        The network; its weights and biases are free.
    inputs
        Samples, shape ``(N, d)``, finite.

    Returns
    -------
    Deficiency or None
        With reason ``every-u``. Guarantee: a result implies ``rank Psi(U) <= rank_at_most < N`` for EVERY U in R^p on
        this data, where Psi(U) is defined. None says nothing.

    Notes
    -----
    The normal forms are functions of U and the sample. A dense unit, and a convolution unit with a bias of its own, is
    a form of its own. With a tied bias two positions of a filter whose windows show the same forms are one form, for
    they apply one function of U to the same numbers; a place in the padding shows the constant 0. Pools have no weights
    and are combined exactly. A unit whose sources are all constant over the samples is. The degree of a polynomial unit
    is bounded for every U at once, so that all such units lie in the span of the monomials.
    """
    inputs = given_inputs(network, inputs)
    n = len(inputs)
    if activation_not_proved_total(network) is not None:
        return None
    bounds = [cheap_deficiency(network, inputs), _structural_bound(network, None, inputs)]
    best = min((b for b in bounds if b is not None), key=lambda b: b.rank_at_most)
    if not best.rank_at_most < n:
        return None
    return Deficiency("every-u", best.rank_at_most, f"for EVERY U: {best.explanation}")


def _structural_bound(network: Network, u: Array | None, inputs: Array) -> Deficiency:
    """The structural bound, below N or not; without U it holds for every U."""
    forms = FormTable()
    units = unit_forms(network, u, inputs, forms)
    skip = [units[index][unit] for index, members in network.skip_units for unit in members]
    moving = {unit.form for unit in skip if unit.form >= 0 and not forms.constant[unit.form]}
    constant = any(forms.constant[unit.form] if unit.form >= 0 else unit.offset != 0 for unit in skip)
    offsets = {(unit.form, unit.offset) for unit in skip if unit.form in moving}
    constant = constant or len(offsets) > len(moving)  # a form z and its mirror image c0 - z, c0 != 0, span z and 1
    best = Deficiency(
        "dependent-units",
        len(moving) + int(constant),
        _few_functions(len(skip), len(moving), constant) + (_tied_words(network, units) if u is None else ""),
    )
    polynomial = [f for f in moving if forms.degree[f] is not None]
    if polynomial:
        degree = max(d for f in polynomial if (d := forms.degree[f]) is not None)
        span = monomial_rank(inputs, degree)
        bound = len(moving) - len(polynomial) + span
        if bound < best.rank_at_most:
            best = Deficiency(
                "dependent-units",
                bound,
                f"{len(polynomial)} of the skip units are polynomials of degree <= {degree} in the inputs; "
                f"on the samples these span only {span} dimensions",
            )
    return best


def _tied_words(network: Network, units: Sequence[Sequence[UnitForm]]) -> str:
    """Name the layers whose tied bias makes positions with equal patches equal units."""
    tied = [
        index
        for index, layer in enumerate(network.layers)
        if isinstance(layer, Conv) and layer.bias == "tied" and len(set(units[index])) < len(units[index])
    ]
    if not tied:
        return ""
    layers = ", ".join(map(str, tied))
    return f" (layer {layers}: with a tied bias, positions that see the same patch on every sample are one function)"


def monomial_rank(inputs: Array, degree: int) -> int:
    """Upper bound of the dimension that polynomials of a degree span on the samples (exact where affordable).

    Guarantee: every polynomial of degree <= ``degree``, evaluated on the rows of ``inputs``, lies in a space of at
    most this dimension.

    Notes
    -----
    Equal rows count once: let n be the number of distinct ones. Polynomials of degree n - 1 take any values on n
    distinct points (products of linear forms), and in one variable the rank is ``min(degree + 1, n)`` (Vandermonde).

    Otherwise the rank is found modulo primes. Modulo a prime it can only be smaller; so if it is the full ``min(n,
    count)`` once, already for the monomials of a lower degree, it is that. If not, suppose that the true rank were
    larger than the largest rank r seen: some (r+1)-minor is a nonzero integer that all the primes divide, while by
    Hadamard's inequality it is at most the product of the norms of its r + 1 columns. Primes whose product exceeds
    that bound refute it. What that would cost is known before: beyond `MONOMIAL_WORK` the full rank is the bound.
    """
    moving = list({column.tobytes(): column for column in inputs.T + 0.0 if (column != column[0]).any()}.values())
    if not moving:
        return 1
    points = np.unique(np.array(moving).T, axis=0)
    n, variables = len(points), len(moving)
    if degree >= n - 1:
        return n
    if variables == 1:
        return degree + 1
    count = math.comb(variables + degree, degree)
    full = min(count, n)
    if count < n:
        return full
    scaled = [_integers(column) for column in points.T]
    spent, prime = 0, _prime_below(1 << PRIME_BITS)
    for lower in range(1, degree):
        size = math.comb(variables + lower, lower)
        if size < n:
            continue
        spent += _rank_cost(size, n)
        if size * n > MONOMIAL_ENTRIES or spent > MONOMIAL_WORK:
            return full
        if _rank_modulo(prime, scaled, lower, n) == n:
            return n
    if count * n > MONOMIAL_ENTRIES or spent + _rank_cost(count, n) > MONOMIAL_WORK:
        return full
    rank = _rank_modulo(prime, scaled, degree, n)
    bits = max(abs(v) for column in scaled for v in column).bit_length()
    norm = degree * bits + n.bit_length()
    primes = (rank + 1) * norm // (PRIME_BITS - 1) + 1
    if rank == full or count * n**3 > EXACT_RANK_WORK or spent + primes * _rank_cost(count, n) > MONOMIAL_WORK:
        return full
    known = PRIME_BITS - 1
    while known <= (rank + 1) * norm:
        prime = _prime_below(prime)
        rank = max(rank, _rank_modulo(prime, scaled, degree, n))
        known += PRIME_BITS - 1
        if rank == full:
            break
    return rank


def _rank_cost(count: int, n: int) -> int:
    """What the rank of ``count`` monomials on n points costs modulo one prime: to make them, and to eliminate."""
    return count * n * (250 + min(count, n))


def _prime_below(number: int) -> int:
    number -= 1
    while not fmpz(number).is_prime():
        number -= 1
    return number


def _rank_modulo(prime: int, scaled: Sequence[Sequence[int]], degree: int, n: int) -> int:
    """Rank, modulo a prime, of all monomials of degree <= ``degree``: each is a shorter one times a coordinate."""
    residues = [[v % prime for v in column] for column in scaled]
    shorter = [([1] * n, 0)]
    flat = [1] * n
    for _ in range(degree):
        longer = []
        for column, first in shorter:
            for j in range(first, len(residues)):
                longer.append(([a * b % prime for a, b in zip(column, residues[j], strict=True)], j))
        for column, _first in longer:
            flat += column
        shorter = longer
    return int(nmod_mat(len(flat) // n, n, flat, prime).rank())


def _integers(column: Array) -> list[int]:
    """One column times a power of two, as integers: scaling a coordinate does not change the span of monomials."""
    ratios = [float(v).as_integer_ratio() for v in column]
    common = max(q for _, q in ratios)
    return [p * (common // q) for p, q in ratios]


def unit_forms(network: Network, u: Array | None, inputs: Array, forms: FormTable) -> list[list[UnitForm]]:
    """The units of every layer in normal form, which ``forms`` takes in; without U the weights are free.

    Guarantee: on every sample a unit is ``sign * z + offset``, z the value of its form; without U for every U.
    """
    views = None if u is None else network.views(u)
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
        if isinstance(layer, Dense):
            if views is None:
                known.append(_free_units(layer, index, [sources], forms))
                continue
            weight, bias = views[f"layer{index}.weight"].tolist(), views[f"layer{index}.bias"].tolist()
            known.append([_unit(layer.activation, sources, row, b, forms) for row, b in zip(weight, bias, strict=True)])
            continue
        shapes = network.source_shapes(index)
        shape = (sum(s[0] for s in shapes), *shapes[0][1:])
        if isinstance(layer, Conv):
            windows = window_indices(shape, layer.kernel, layer.steps, layer.padding)
            sources = [*sources, ZERO] if layer.padding else sources  # what windows in the padding read
            if views is None:
                known.append(_free_units(layer, index, [[sources[j] for j in window] for window in windows], forms))
                continue
            rows = views[f"layer{index}.weight"].reshape(layer.filters, -1).tolist()
            weight = [[Fraction(w) for w in row] for row in rows]  # once, not at every position
            biases = views[f"layer{index}.bias"].reshape(layer.filters, -1).tolist()
            known.append(
                [
                    _unit(
                        layer.activation, [sources[j] for j in window], weight[f], biases[f][p % len(biases[f])], forms
                    )
                    for f in range(layer.filters)
                    for p, window in enumerate(windows)
                ]
            )
        else:
            known.append(_pool(layer, sources, shape, forms))
    return known


def _free_units(
    layer: Dense | Conv, index: int, windows: Sequence[Sequence[UnitForm]], forms: FormTable
) -> list[UnitForm]:
    """The units of a layer with free weights: equal where one filter with a tied bias sees equal windows."""
    power = layer.activation.facts.polynomial_degree
    places: list[tuple[int, bool, int | None]] = []
    first: dict[tuple[UnitForm, ...], int] = {}
    for p, window in enumerate(windows):
        tied = isinstance(layer, Conv) and layer.bias == "tied"
        moving = [(unit.form, Fraction(1)) for unit in window if unit.form >= 0 and not forms.constant[unit.form]]
        constant, degree = not moving, None if moving else 0
        if moving and power.status == "proved" and isinstance(power.value, int):
            degree = _degree(moving, power.value, forms)
        places.append((first.setdefault(tuple(window), p) if tied else p, constant, degree))
    leaders = layer.width if isinstance(layer, Dense) else layer.filters
    return [
        UnitForm(forms.number(("free", index, leader, place), constant, degree), 1, Fraction(0))
        for leader in range(leaders)
        for place, constant, degree in places
    ]


def _pool(layer: AvgPool, sources: Sequence[UnitForm], shape: tuple[int, ...], forms: FormTable) -> list[UnitForm]:
    plane = math.prod(shape[1:])
    windows = window_indices((1, *shape[1:]), layer.kernel, layer.steps)
    share = Fraction(1, len(windows[0]))
    return [
        _linear_unit(_combine([sources[c * plane + j] for j in window], [share] * len(window), Fraction(0)), forms)
        for c in range(shape[0])
        for window in windows
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


def _few_functions(units: int, moving: int, constant: bool) -> str:
    """Say of how few different functions the skip units are."""
    if not moving:
        return f"all of the {units} skip units are {'constant' if constant else '0'} on the samples"
    functions = f"{moving} different non-constant function{'s' * (moving != 1)}{' and a constant' if constant else ''}"
    return f"the {units} skip units are only {functions}"
