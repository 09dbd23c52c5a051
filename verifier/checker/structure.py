"""R5: rank deficiency proved from the network's structure, in exact rational arithmetic, never from small numbers.

Glossary: a *form* is a class of units that have the same value on all samples. A unit is (constant, sign, form): the
value constant + sign * z with z the value of its form (sign 0: the unit is the exact rational `constant`). Of a form
its *degree* as a polynomial in the input coordinates is known: 0 if it is the same number on all samples, infinity if
it is not known to be a polynomial. A *free* unit has unknown weights: then forms are functions of U and the sample.
"""

import itertools
import math
from collections.abc import Iterable
from typing import Any

from flint import fmpq, fmpz_mat

from .common import Exact, precision, require
from .container import Arrays
from .expression import rational, rational_bits
from .features import Features
from .flags import facts, require_total, require_values
from .layered import INPUT, layered
from .network import cut_blocks
from .sentences import sentence
from .spans import span_bound

MAX_DEGREE = 1000  # polynomials of a higher degree count as other functions
MAX_SUM_BITS = 1 << 18  # a pre-activation with a longer rational number counts as different from every other
DEFINED_BITS = 128  # working precision at which Psi is evaluated only to see that it is defined
RANK_WORK, MONOMIALS = 10**12, 10**7  # multiply-adds that the rank of the monomials' matrix may cost, its entries
Unit = tuple[fmpq, int, int]


class TooLong(Exception):
    """A rational number has more than MAX_SUM_BITS bits."""


def power_of_two(exponent: int) -> fmpq:
    """Return 2^exponent as an exact rational; the exponent may be negative."""
    return fmpq(1 << max(0, exponent), 1 << max(0, -exponent))


def fractions(matrix: Exact, divisor: int = 1) -> list[list[fmpq]]:
    """Return the rows of an exact matrix, divided by an integer, as rationals."""
    scale = power_of_two(matrix.exponent) / divisor
    return [[entry * scale for entry in row] for row in matrix.integers.tolist()]


def collect(bias: fmpq, arcs: Iterable[tuple[fmpq, Unit]]) -> tuple[fmpq, list[tuple[int, fmpq]]]:
    """Return bias + sum weight * unit over the forms, sorted, without those whose coefficient is 0.

    Raises TooLong when a number grows too long: sums of fractions with different denominators grow with every term.
    """
    coefficients: dict[int, fmpq] = {}
    for weight, (constant, sign, form) in arcs:
        if constant != 0:
            bias = bounded(bias + bounded(weight * constant))
        if sign:
            coefficients[form] = bounded(coefficients.get(form, fmpq(0)) + weight * sign)
    return bias, sorted((form, weight) for form, weight in coefficients.items() if weight != 0)


def bounded(number: fmpq) -> fmpq:
    """Return the number if it is not too long."""
    if rational_bits(number) > MAX_SUM_BITS:
        raise TooLong
    return number


class Structure:
    """The normal forms of all units of a layered network on its data, at the stored weights or for every U.

    `skip` has those of the columns of Psi: the skip units, and the output bias, if there is one.
    """

    def __init__(self, network: Any, every: bool = False) -> None:
        self.degrees: list[float] = []  # of the forms
        self.known: dict[Any, int] = {}
        self.varying: list[list[int]] = []  # integer columns of the different non-constant input coordinates
        self.skip: list[Unit] = []
        self.sums: list[tuple[Any, ...]] = []  # the collected pre-activations of all units
        values = {INPUT: self.coordinates(network.inputs)}
        for number, layer in enumerate(network.layers):
            row = [unit for index in layer.inputs for unit in values[index]]
            row.append((fmpq(0), 0, -1))  # the padding's zero
            values[number] = self.layer(number, layer, row, every and layer.kind != "avgpool")
            self.skip += [values[number][unit] for unit in layer.skip]
        if network.output_bias:
            self.skip.append((fmpq(1), 0, -1))  # the last column, a constant that is not 0, spans the constants

    def layer(self, number: int, layer: Any, row: list[Unit], free: bool) -> list[Unit]:
        """Return the units of a layer that reads this row; if `free`, then its weights and biases are unknown."""
        weights, biases, units = fractions(layer.weight, layer.divisor), fractions(layer.bias), []
        for a in range(len(weights)):
            for p, window in enumerate(layer.windows):
                sources = [row[index] for index in window]
                if free:
                    place = (number, a, *sources) if layer.tied else (number, a, p)
                    units.append(self.free(layer.activation, place, sources))
                else:
                    arcs = zip(weights[a], sources, strict=True)
                    units.append(self.unit(layer.activation, biases[layer.bias.at(p)][a], arcs))
        return units

    def coordinates(self, inputs: Exact) -> list[Unit]:
        """Return the units of the input coordinates; those that agree on every sample are one form, and one object."""
        width, entries = inputs.integers.ncols(), inputs.integers.entries()
        scale, seen = power_of_two(inputs.exponent), dict[tuple[int, ...], Unit]()
        units = []
        for k in range(width):
            column = tuple(map(int, entries[k::width]))
            if column not in seen:
                seen[column] = self.coordinate(column, scale)
            units.append(seen[column])
        return units

    def coordinate(self, column: tuple[int, ...], scale: fmpq) -> Unit:
        """Return the unit of an input coordinate that no other one before agrees with."""
        if len(set(column)) == 1:
            return column[0] * scale, 0, -1
        self.varying.append(list(column))
        return fmpq(0), 1, self.form(("input", *column), 1)

    def form(self, key: Any, degree: float) -> int:
        """Return the number of the form with this key, a new one if there is none."""
        if key not in self.known:
            self.known[key] = len(self.degrees)
            self.degrees.append(degree)
        return self.known[key]

    def unit(self, activation: Any, bias: fmpq, arcs: Iterable[tuple[fmpq, Unit]]) -> Unit:
        """Collect the pre-activation over forms and find the unit's own form.

        Guarantee: the returned unit's value is exactly activation(bias + sum weight * source) on every sample.
        """
        mirror = activation.mirror
        try:
            bias, terms = collect(bias, arcs)
        except TooLong:
            return self.opaque()
        self.sums.append((bias, terms))
        if activation.degree == 0:  # sigma does not use its argument
            bias, terms = fmpq(0), []
        if not terms:
            value = rational(activation.tree, bias)
            if value is not None or (mirror and mirror[1] == -1 and bias == 0):  # then sigma(0) = c0 - sigma(0)
                return fmpq(mirror[0], 2) if value is None else value, 0, -1
        flipped = mirror is not None and (terms[0][1] if terms else bias) < 0  # of t and -t, one is the form
        if flipped:
            bias, terms = -bias, [(form, -weight) for form, weight in terms]
        highest = max((self.degrees[form] for form, _ in terms), default=0)
        degree = activation.degree * highest if highest else 0
        number = self.form((activation.text, bias, *terms), degree if degree <= MAX_DEGREE else math.inf)
        return (fmpq(mirror[0]), mirror[1], number) if flipped else (fmpq(0), 1, number)

    def opaque(self) -> Unit:
        """Return a unit of which nothing is known: it is like no other, and its pre-activation like no other."""
        number = self.form(("opaque", len(self.degrees)), math.inf)
        self.sums.append((fmpq(0), [(number, fmpq(0))], object()))
        return fmpq(0), 1, number

    def free(self, activation: Any, place: tuple[Any, ...], sources: list[Unit]) -> Unit:
        """Return the unit of free weights at a place: layer, filter, and position or, if the bias is tied, the sources.

        Guarantee: units of one form are equal on every sample for every U, and their degree is at most the form's.
        """
        highest = max((self.degrees[form] for _, sign, form in sources if sign), default=0)
        degree = activation.degree * highest if highest and activation.degree else 0
        return fmpq(0), 1, self.form(("free", *place), degree if degree <= MAX_DEGREE else math.inf)

    def bound(self, enough: int, samples: int) -> tuple[int, str]:
        """Return an upper bound of rank Psi, and how it was found.

        Guarantee: the columns of Psi lie in the span of the constant column (if it counts) and of one column per
        non-constant form; polynomial forms and the constant lie in the span of the monomials of degree <= D.
        """
        constants: dict[int, set[fmpq]] = {}  # of the non-constant forms: the constants that are added to them
        one = False  # whether the constant column counts
        for constant, sign, form in self.skip:
            if sign == 0:
                one |= constant != 0
            elif self.degrees[form] == 0:
                one = True
            else:
                constants.setdefault(form, set()).add(constant)  # Coq: R5_forms columns, R5_shifted_forms columns
        one |= any(len(seen) > 1 for seen in constants.values())  # a form and its mirror image c0 - z, c0 != 0
        bounds = [(one + len(constants), f"{len(constants)} different non-constant units, {int(one)} constant")]
        # Coq: R5_monomials columns
        polynomial = [int(self.degrees[form]) for form in constants if self.degrees[form] < math.inf]
        others, degree = len(constants) - len(polynomial), max(polynomial, default=0)
        count = math.comb(len(self.varying) + degree, degree)  # of the monomials
        if polynomial and bounds[0][0] > enough:
            bounds.append((count + others, f"all monomials of degree <= {degree}, {others} other units"))
            work = samples * count * min(samples, count) ** 2
            if min(bounds)[0] > enough and work <= RANK_WORK and samples * count <= MONOMIALS:
                rank = self.monomial_rank(degree, samples)
                bounds.append((rank + others, f"monomials of degree <= {degree} of rank {rank}, {others} other units"))
        return min(bounds)

    def monomial_rank(self, degree: int, samples: int) -> int:
        """Return the exact rank of the matrix of all monomials; FLINT's rank of integer matrices is exact."""
        factors = [[1] * samples, *self.varying]  # with the factor 1 lower degrees are there, too
        monomials = []
        for chosen in itertools.combinations_with_replacement(factors, degree):
            monomials.append([math.prod(numbers) for numbers in zip(*chosen, strict=True)])
        return int(fmpz_mat(monomials).rank())


def require_defined(network: Any) -> None:
    """Guarantee: on return every node has a value on every sample at the stored weights, otherwise Rejection."""
    if all(fact.defined for fact in facts(network)):
        return require_values(network)
    with precision(DEFINED_BITS):
        features = Features(network)
        for samples in cut_blocks(network, [0] * network.samples, 1, DEFINED_BITS):
            features.rows(samples)


def check_structure(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim R5: rank Psi <= rank_at_most < N, here or at every U, by the graph alone.

    Guarantee: Psi is defined at the stored weights, and rank Psi <= rank_at_most < N there; by the reason "every-u"
    both hold for every U. Equal samples have equal rows of Psi, whatever the network is.
    """
    claimed, path, samples = raw.rank_at_most, raw.path + "/rank_at_most", network.samples
    require(claimed < samples, path, "schema.value", "must be below N", claimed, samples)
    every = raw.reason == "every-u"
    if every:
        require_total(network, "R5")
    else:
        require_defined(network)
    found, how = network.columns, f"there are only {network.columns} columns"
    if raw.reason == "equal-samples" or (every and found > claimed):
        found = len(set(map(tuple, network.inputs.integers.tolist())))  # Coq: R5_equal_samples rows
        how = f"only {found} samples are different"
    if raw.reason == "dependent-units" or (every and found > claimed):
        view = layered(network)
        found, how = span_bound(network) if view is None else Structure(view, every).bound(claimed, samples)
    require(found <= claimed, path, "R5.bound", f"the structure proves only a weaker bound: {how}", claimed, found)
    said = sentence("R5 every-u" if every else "R5", rank_at_most=claimed, samples=samples)
    return {"statement": said, "rank_at_most": claimed, "computed_bound": found, "how": how, "reason": raw.reason}
