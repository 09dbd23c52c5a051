"""R5: rank deficiency proved from the network's structure, in exact rational arithmetic, never from small numbers.

Glossary: a *form* is a class of units that have the same value on all samples; a unit is written as
`constant + sign * z` with z the value of its form (sign 0: the unit is the exact rational `constant`). A form is
constant if it is the same number on all samples; a polynomial form has a degree in the input coordinates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from operator import mul
from typing import Any, NamedTuple

from flint import fmpq, fmpz_mat

from .container import Arrays
from .exact import Exact
from .expression import MAX_DEGREE, Expression, rational
from .network import INPUT, Layer, Network
from .rejection import Budget, require, words


class Unit(NamedTuple):
    """The value constant + sign * z_form on every sample."""

    constant: fmpq
    sign: int
    form: int


class Form(NamedTuple):
    """What is known of a form."""

    constant: bool
    degree: int | None


def fractions(matrix: Exact, divisor: int = 1) -> list[list[fmpq]]:
    """Return the rows of an exact matrix, divided by an integer, as rationals."""
    scale = fmpq(1 << max(0, matrix.exponent), divisor << max(0, -matrix.exponent))
    return [[entry * scale for entry in row] for row in matrix.integers.tolist()]


class Structure:
    """The normal forms of all units of a network on its data."""

    def __init__(self, network: Network) -> None:
        self.forms: list[Form] = []
        self.known: dict[Any, int] = {}
        self.varying: list[list[int]] = []  # integer columns of the different non-constant input coordinates
        self.skip: list[Unit] = []
        columns = network.inputs.integers.transpose().tolist()
        first = fractions(network.inputs)[0]
        values = {INPUT: [self.coordinate(*pair) for pair in zip(columns, first, strict=True)]}
        for number, layer in enumerate(network.layers):
            row = [unit for source in layer.inputs for unit in values[source]]
            values[number] = list(self.layer(layer, row))
            self.skip += [values[number][unit] for unit in layer.skip]

    def coordinate(self, column: list[Any], first: fmpq) -> Unit:
        """Return the unit of an input coordinate; those that agree on every sample are one form."""
        if all(entry == column[0] for entry in column):
            return Unit(first, 0, -1)
        key = ("input", *map(int, column))
        if key not in self.known:
            self.varying.append(list(key[1:]))
        return Unit(fmpq(0), 1, self.form(key, Form(False, 1)))

    def form(self, key: Any, form: Form) -> int:
        """Return the number of the form with this key, a new one if there is none."""
        number = self.known.setdefault(key, len(self.forms))
        self.forms += [form] if number == len(self.forms) else []
        return number

    def layer(self, layer: Layer, row: list[Unit]) -> Iterable[Unit]:
        """Return a layer's units in order."""
        weights, biases = fractions(layer.weight, layer.divisor), fractions(layer.bias)
        for filter_, window in itertools.product(range(len(weights)), range(len(layer.windows))):
            arcs = zip(weights[filter_], (row[index] for index in layer.windows[window]), strict=True)
            yield self.unit(layer.activation, biases[window][filter_], arcs)

    def unit(self, activation: Expression, bias: fmpq, arcs: Iterable[tuple[fmpq, Unit]]) -> Unit:
        """Collect the pre-activation over forms and find the unit's own form.

        Guarantee: the returned unit's value is exactly activation(bias + sum weight * source) on every sample.
        """
        mirror, coefficients = activation.mirror, dict[int, fmpq]()
        for weight, source in arcs:
            bias += weight * source.constant
            if source.sign:
                coefficients[source.form] = coefficients.get(source.form, 0) + weight * source.sign
        terms = sorted((form, weight) for form, weight in coefficients.items() if weight != 0)
        if activation.constant:
            bias, terms = fmpq(0), []
        if not terms:
            value = rational(activation.tree, bias)
            if value is None and mirror and mirror[1] == -1 and bias == 0:
                value = fmpq(mirror[0], 2)  # sigma(0) = c0 - sigma(0)
            if value is not None:
                return Unit(value, 0, -1)
        flipped = mirror is not None and (terms[0][1] if terms else bias) < 0  # of t and -t, one is the form
        if flipped:
            bias, terms = -bias, [(form, -weight) for form, weight in terms]
        sources = [self.forms[form] for form, _ in terms]
        degrees = [activation.degree, *(source.degree for source in sources)]
        degree = None if None in degrees else math.prod((degrees[0] or 0, max(map(int, degrees[1:]), default=0)))
        degree = None if degree is None or degree > MAX_DEGREE else degree
        number = self.form((activation.text, bias, *terms), Form(all(source.constant for source in sources), degree))
        return Unit(fmpq(mirror[0]), mirror[1], number) if flipped and mirror else Unit(fmpq(0), 1, number)

    def bound(self, enough: int, samples: int, budget: Budget) -> tuple[int, str]:
        """Return an upper bound of rank Psi, and how it was found.

        Guarantee: the columns of Psi lie in the span of the constant column (if it counts) and of one column per
        non-constant form; polynomial forms and the constant lie in the span of the monomials of degree <= D.
        """
        constants: dict[int, set[fmpq]] = {}
        one = 0
        for unit in self.skip:
            if unit.sign == 0 or self.forms[unit.form].constant:
                one |= unit.sign != 0 or unit.constant != 0
            else:
                constants.setdefault(unit.form, set()).add(unit.constant)
        one |= any(len(seen) > 1 for seen in constants.values())  # a form and its mirror image c0 - z, c0 != 0
        degrees = [self.forms[form].degree for form in constants]
        polynomial = [degree for degree in degrees if degree is not None]
        others, best = len(degrees) - len(polynomial), one + len(degrees)
        how = f"{len(degrees)} different non-constant units, {int(one)} constant"
        degree = max(polynomial, default=0)
        count = math.comb(len(self.varying) + degree, degree)
        if polynomial and best > enough and count + others < best:
            best, how = count + others, f"{count} monomials of degree <= {degree}, {others} other units"
        if polynomial and best > enough:
            rank = self.monomial_rank(degree, count, samples, budget)
            if rank + others < best:
                best, how = rank + others, f"the monomials of degree <= {degree} have rank {rank}, {others} other units"
        return best, how

    def monomial_rank(self, degree: int, count: int, samples: int, budget: Budget) -> int:
        """Return the exact rank of the matrix of all monomials; FLINT's rank of integer matrices is exact."""
        size = words(degree * max(abs(entry).bit_length() for column in self.varying for entry in column))
        work = samples * count * min(samples, count) ** 2 * size
        budget.spend("/network", work=work, memory=8 * samples * count * size)
        columns = []
        for chosen in itertools.combinations_with_replacement([[1] * samples, *self.varying], degree):
            column = [1] * samples
            for factor in chosen:
                column = list(map(mul, column, factor))
            columns.append(column)
        return int(fmpz_mat(columns).rank())


def check_structure(raw: Any, network: Network, arrays: Arrays) -> dict[str, object]:
    """Check a claim R5.

    Guarantee: rank Psi <= rank_at_most < N, wherever Psi is defined.
    """
    claimed, path = raw.rank_at_most, raw.path + "/rank_at_most"
    require(claimed < network.samples, path, "schema.value", "must be below N", claimed, network.samples)
    if raw.reason == "fewer-units":
        found, how = network.skip_units, f"there are only {network.skip_units} skip units"
    elif raw.reason == "equal-samples":
        found = len(set(map(tuple, network.inputs.integers.tolist())))
        how = f"only {found} samples are different"
    else:
        size = words(max(layer.weight.bits for layer in network.layers))
        arrays.budget.spend(raw.path, work=network.arcs * size * ARC_WORK)
        found, how = Structure(network).bound(claimed, network.samples, arrays.budget)
    require(found <= claimed, path, "R5.bound", f"the structure proves only a weaker bound: {how}", claimed, found)
    statement = (
        f"rank Psi <= {claimed} < N = {network.samples} (wherever Psi is defined), proved by structure: {how}; this "
        "refutes full rank, not the absence of bad valleys"
    )
    return {"statement": statement, "rank_at_most": claimed, "computed_bound": found, "reason": raw.reason}


ARC_WORK = 100_000  # one arc in exact rational arithmetic, in multiply-adds
