"""R5: rank deficiency proved from the network's structure, in exact rational arithmetic, never from small numbers.

Glossary: a *form* is a class of units that have the same value on all samples; a unit is written as
`constant + sign * z` with z the value of its form (sign 0: the unit is the exact rational `constant`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any

from flint import fmpq, fmpz, nmod_mat

from .expression import Expression, parse
from .network import INPUT, Layer, Network
from .rejection import Budget, words
from .schema import Value

RANK_WORK = 10**11  # multiply-adds that the rank of the monomials' matrix may cost
PRIME_BITS = 62
IDENTITY = parse("t", "")


@dataclass(frozen=True)
class Unit:
    """The value constant + sign * z_form on every sample."""

    constant: fmpq
    sign: int
    form: int


@dataclass(frozen=True)
class Form:
    """What is known of a form: is it the same number on all samples, and its degree if it is a polynomial."""

    constant: bool
    degree: int | None


class Structure:
    """The normal forms of all units of a network on its data."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.forms: list[Form] = []
        self.known: dict[Any, int] = {}
        self.facts: dict[str, tuple[tuple[int, int] | None, int | None, bool]] = {}
        self.varying: list[list[Any]] = []  # integer columns of the different non-constant input coordinates
        self.values: dict[int, list[Unit]] = {INPUT: [self._coordinate(c) for c in self._input_columns()]}
        self.skip: list[Unit] = []
        for position, layer in enumerate(network.layers):
            row = [unit for source in layer.inputs for unit in self.values[source]]
            self.values[position] = list(self._layer(layer, row))
            self.skip += [self.values[position][unit] for unit in layer.skip]

    def _input_columns(self) -> list[list[Any]]:
        return [list(column) for column in zip(*self.network.inputs.integers.tolist(), strict=True)]

    def _coordinate(self, column: list[Any]) -> Unit:
        if all(entry == column[0] for entry in column):
            return Unit(self.network.inputs.rational(column[0]), 0, -1)
        key = ("input", tuple(column))  # coordinates that agree on every sample are one form
        if key not in self.known:
            self.varying.append(column)
        return Unit(fmpq(0), 1, self._form(key, Form(False, 1)))

    def _form(self, key: Any, form: Form) -> int:
        number = self.known.setdefault(key, len(self.forms))
        if number == len(self.forms):
            self.forms.append(form)
        return number

    def _layer(self, layer: Layer, row: list[Unit]) -> Iterable[Unit]:
        if layer.weight is None or layer.bias is None:
            share = fmpq(1, len(layer.windows[0]))
            for window in layer.windows:
                yield self._unit(IDENTITY, fmpq(0), ((share, row[i]) for i in window))
            return
        weights = [[layer.weight.rational(entry) for entry in line] for line in layer.weight.integers.tolist()]
        biases = [layer.bias.rational(entry) for entry in layer.bias.integers.entries()]
        for number in range(layer.units):
            a, p = divmod(number, layer.positions)
            sources = (row[i] for i in layer.windows[p])
            bias = biases[layer.bias_index(number)]
            yield self._unit(layer.activation or IDENTITY, bias, zip(weights[a], sources, strict=True))

    def _unit(self, activation: Expression, bias: fmpq, arcs: Iterable[tuple[fmpq, Unit]]) -> Unit:
        """Collect the pre-activation over forms and find the unit's own form.

        Guarantee: the returned unit's value is exactly activation(bias + sum weight * source) on every sample.
        """
        mirror, degree, is_constant = self._facts(activation)
        bias = fmpq(0) if is_constant else bias
        coefficients: dict[int, fmpq] = {}
        for weight, unit in arcs:
            if weight == 0 or is_constant:
                continue
            bias += weight * unit.constant
            if unit.sign:
                coefficients[unit.form] = coefficients.get(unit.form, 0) + weight * unit.sign
        terms = sorted((form, weight) for form, weight in coefficients.items() if weight != 0)
        if not terms:
            value = self._constant_value(activation, bias)
            if value is not None:
                return Unit(value, 0, -1)
        sign = 1
        if mirror and (terms[0][1] if terms else bias) < 0:  # of t and -t, one is the form
            sign, bias, terms = -1, -bias, [(form, -weight) for form, weight in terms]
        sources = [self.forms[form] for form, _ in terms]
        degrees = [source.degree for source in sources if source.degree is not None]
        known = degree is not None and len(degrees) == len(sources)
        constant = all(source.constant for source in sources)
        form = Form(constant, 0 if constant else degree * max(degrees) if known and degree is not None else None)
        number = self._form((activation.text, bias, tuple(terms)), form)
        if mirror is None or sign == 1:
            return Unit(fmpq(0), 1, number)
        return Unit(fmpq(mirror[0]), mirror[1], number)

    def _facts(self, activation: Expression) -> tuple[tuple[int, int] | None, int | None, bool]:
        if activation.text not in self.facts:
            self.facts[activation.text] = activation.mirror, activation.degree, activation.is_constant
        return self.facts[activation.text]

    def _constant_value(self, activation: Expression, argument: fmpq) -> fmpq | None:
        """Return the exact value of a constant unit, if it is a rational number found by rational operations."""
        try:
            value = activation.at(Fraction(int(argument.p), int(argument.q)))
        except ZeroDivisionError:
            return None
        if value is not None:
            return fmpq(value.numerator, value.denominator)
        mirror = self._facts(activation)[0]
        if mirror and mirror[1] == -1 and argument == 0:
            return fmpq(mirror[0], 2)  # sigma(0) = c0 - sigma(0)
        return None

    def bound(self, enough: int, budget: Budget) -> tuple[int, str]:
        """Return an upper bound of rank Psi, and how it was found.

        Guarantee: the columns of Psi lie in the span of the constant column (if it counts) and of one column per
        non-constant form; polynomial forms and the constant lie in the span of the monomials of degree <= D.
        """
        constants: dict[int, set[fmpq]] = {}
        one = 0
        for unit in self.skip:
            if unit.sign == 0 or self.forms[unit.form].constant:
                one = 1 if unit.sign or unit.constant != 0 else one
            else:
                constants.setdefault(unit.form, set()).add(unit.constant)
        if any(len(seen) > 1 for seen in constants.values()):
            one = 1  # a form and its mirror image c0 - z, c0 != 0
        degrees = [self.forms[form].degree for form in constants]
        polynomial = [degree for degree in degrees if degree is not None]
        others = len(degrees) - len(polynomial)
        best = one + len(degrees), f"{len(degrees)} different non-constant units, {one} constant"
        if polynomial and best[0] > enough:
            degree = max(1, *polynomial)
            count = math.comb(len(self.varying) + degree, degree)
            best = min(best, (count + others, f"{count} monomials of degree <= {degree}, {others} other units"))
            if best[0] > enough:
                rank = self._monomial_rank(degree, count, budget)
                how = f"the monomials of degree <= {degree} have rank {rank}, {others} other units"
                best = min(best, (rank + others, how))
        return best

    def _monomial_rank(self, degree: int, count: int, budget: Budget) -> int:
        """Return the rank of the matrix of all monomials, or a trivial bound where that is too much work."""
        samples = self.network.samples
        if not budget.affords(Budget.MONOMIALS, samples * count):
            return min(samples, count)
        budget.spend(Budget.MONOMIALS, samples * count, "/network")
        columns = []
        for chosen in itertools.combinations_with_replacement([[1] * samples, *self.varying], degree):
            column = [int(entry) for entry in chosen[0]]
            for factor in chosen[1:]:
                column = list(map(mul, column, map(int, factor)))
            columns.append(column)
        return integer_rank(columns)


def integer_rank(vectors: list[list[int]]) -> int:
    """Return an upper bound of the rank of an integer matrix; it is the rank unless that is too much work.

    Guarantee: suppose rank >= r + 1. Some (r+1)-minor is not 0 and, by Hadamard, at most the product H of the r + 1
    largest norms (each norm taken as at least 1). Primes modulo which the rank is at most r all divide that minor, so
    their product is at most H. The function returns r only when the product is larger than H.
    """
    longest = len(vectors[0])
    limit = min(len(vectors), longest)
    flat = [entry for vector in vectors for entry in vector]
    norms = sorted((max(1, math.isqrt(sum(map(mul, v, v))) + 1) for v in vectors), reverse=True)
    rank, bits, prime = 0, 0, 1 << PRIME_BITS
    work = len(flat) * limit
    while work <= RANK_WORK:
        prime -= 1
        while not fmpz(prime).is_prime():
            prime -= 1
        work += len(flat) * limit
        rank = max(rank, nmod_mat(len(vectors), longest, flat, prime).rank())
        bits += PRIME_BITS - 1  # every prime is above 2^(PRIME_BITS - 1)
        if rank == limit or bits > sum(norm.bit_length() for norm in norms[: rank + 1]):
            return rank
    return limit


def check_structure(value: Value, network: Network) -> dict[str, object]:
    """Check a claim R5.

    Guarantee: rank Psi <= rank_at_most < N, wherever Psi is defined.
    """
    keys = value.keys("label", "reason", "rank_at_most")
    reason = keys["reason"].choice("fewer-units", "equal-samples", "dependent-units")
    claimed = keys["rank_at_most"].integer(0, network.samples - 1)
    if reason == "fewer-units":
        found, how = network.skip_units, f"there are only {network.skip_units} skip units"
    elif reason == "equal-samples":
        found = len(set(map(tuple, network.inputs.integers.tolist())))
        how = f"only {found} samples are different"
    else:
        size = max(layer.weight.bits if layer.weight else 1 for layer in network.layers)
        value.spend(Budget.ARCS, network.arcs() * words(size))
        found, how = Structure(network).bound(claimed, keys["rank_at_most"].budget())
    if not (found <= claimed):
        message = f"the structure proves only a weaker bound: {how}"
        raise keys["rank_at_most"].reject("R5.bound", message, claimed, found)
    statement = (
        f"rank Psi <= {claimed} < N = {network.samples} (wherever Psi is defined), proved by structure: "
        f"{how}; this refutes full rank, not the absence of bad valleys"
    )
    return {"statement": statement, "rank_at_most": claimed, "computed_bound": found, "reason": reason}
