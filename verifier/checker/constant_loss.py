"""E2: hidden units move at constant loss, while units at rest carry their part of the logits.

Glossary: a *moved* unit has other weights at the end, or reads a moved unit by a nonzero weight; the other units *rest*
on the whole piece. An output bias is one more column, of ones, that always rests.
"""

from typing import Any

from flint import fmpq

from .arithmetic import Row
from .common import Exact, require
from .container import Arrays
from .layered import INPUT, layered, require_layered
from .network import move
from .sentences import sentence
from .structure import Structure, fractions


def check_constant_loss(raw: Any, network: Any, moved: Any, arrays: Arrays, start: Exact, row: Row) -> str:
    """Check E2: the piece (U0, V0) -> (U0', V0) -> (U0', V') -> (U1, V') keeps every margin.

    Guarantee: on the first part every unit keeps its value; on the second Psi V stays the same, where V' is 0 but for
    the columns that stand still; on the third those stand still. V' exists by structure: every column whose row of V0
    matters (its entries are not all equal) is a combination of columns that stand still.
    """
    view = require_layered(network, raw)
    base = view if raw.rerouted is None else layered(move(network, raw.rerouted, arrays))
    structure = Structure(view)
    kept_values = base is view or structure.sums == Structure(base).sums
    require(kept_values, raw.path + "/rerouted", "E2.reroute", "a unit's pre-activation is not proved to stay the same")
    resting = columns_at_rest(base, layered(moved))
    carriers = Carriers(structure, resting, row)
    for column, weights in enumerate(start.integers.tolist()):
        # Coq: E2 even_row
        counts_for_nothing = all(weight == weights[0] for weight in weights)  # it adds the same to all logits
        carried = resting[column] or counts_for_nothing or carriers.carry(structure.skip[column])
        message = f"column {column} moves, and no columns at rest are proved to carry its part of the logits"
        require(carried, raw.path + "/moved", "E2.carry", message)  # Coq: E2 combination
    units = resting[: view.skip_units]
    return sentence("E2", moving=units.count(False), resting=units.count(True))


class Carriers:
    """What the columns at rest span, as far as their normal forms show it."""

    def __init__(self, structure: Structure, resting: list[bool], row: Row) -> None:
        """Collect the columns at rest; `row` has their values on one sample, to see constants by."""
        self.degrees = structure.degrees
        self.kept: dict[int, set[tuple[int, fmpq]]] = {}  # by forms: the signs and constants with which they rest
        self.one = False  # whether the constant column is in the span
        for unit, rests, value in zip(structure.skip, resting, row, strict=True):
            constant, sign, form = unit
            if rests and sign != 0:
                self.kept.setdefault(form, set()).add((sign, constant))
            if rests and self.is_constant(unit) and value != 0:
                self.one = True
        if any(len({constant for _, constant in seen}) > 1 for seen in self.kept.values()):
            self.one = True  # c0 + s z and c1 + s' z rest: their sum or difference is a constant, not 0

    def is_constant(self, unit: tuple[fmpq, int, int]) -> bool:
        """Return whether the unit is the same number on all samples."""
        _, sign, form = unit
        return sign == 0 or self.degrees[form] == 0

    def carry(self, unit: tuple[fmpq, int, int]) -> bool:
        """Guarantee: if true, then the unit's column is a combination of columns at rest."""
        constant, sign, form = unit
        if self.is_constant(unit) and (sign == 0 or form not in self.kept):
            return self.one or (sign == 0 and constant == 0)
        if form not in self.kept:
            return False
        # z = s (v - c) from a column v = c + s z at rest, so that constant + sign z = sign s v + (constant - sign s c)
        return self.one or any(constant == sign * s * c for s, c in self.kept[form])


def columns_at_rest(base: Any, moved: Any) -> list[bool]:
    """Return for the columns of Psi whether they stand still: the skip units, and the output bias, which does.

    Guarantee: a unit at rest has the same weights and bias at both ends and reads no moved unit by a nonzero weight.
    """
    rest: dict[int, list[bool]] = {INPUT: [True] * base.inputs.integers.ncols()}
    for number, (old, new) in enumerate(zip(base.layers, moved.layers, strict=True)):
        sources = [unit for index in old.inputs for unit in rest[index]]
        sources.append(True)  # the padding rests
        weights, new_weights = fractions(old.weight), fractions(new.weight)
        biases, new_biases = fractions(old.bias), fractions(new.bias)
        rest[number] = []
        for a, row in enumerate(weights):
            read = [k for k, weight in enumerate(row) if weight != 0]
            for p, window in enumerate(old.windows):
                own = old.bias.at(p)
                fixed = row == new_weights[a] and biases[own][a] == new_biases[own][a]
                rest[number].append(fixed and all(sources[window[k]] for k in read))  # Coq: E2 stay
    skip = [rest[number][unit] for number, layer in enumerate(base.layers) for unit in layer.skip]
    return [*skip, True] if base.output_bias else skip
