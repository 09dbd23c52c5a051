"""R5 on any graph: functions that span the columns of Psi, for every U at once.

Glossary: a *form* stands for a function of U and the sample, of which nothing else is known. Every entry of a node is a
*multiple* c(U) z + o(U) of a form z, with numbers c and o that do not depend on the sample: then it lies in the span of
z and the constant column, whatever U is. Entries of nodes that do not depend on the sample have no form.
"""

from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple

from .arithmetic import Arithmetic, Row, Table, paired
from .nodes import KINDS

NO_FORM = -1
# kinds that make multiples of forms from such; all others have forms of their own
THROUGH = {"add", "multiply", "scale", "normalise", "reshape", "permute", "take", "concatenate", "expand"}


class Multiple(NamedTuple):
    """The function c(U) z + o(U), z the function of a form; o is exactly 0 unless `shifted`."""

    form: int
    shifted: bool


CONSTANT, NOTHING = Multiple(NO_FORM, True), Multiple(NO_FORM, False)


class Forms(Arithmetic):
    """Operations on multiples of forms; one row stands for all samples."""

    zero = NOTHING

    def __init__(self) -> None:
        self.count = 0
        self.groups: list[set[int]] = []  # forms that add up to 0 on every sample, for every U

    def new(self) -> Multiple:
        """Return a form that is like no other."""
        self.count += 1
        return Multiple(self.count - 1, False)

    def number(self, value: Any) -> Multiple:
        """Return the form of an exact rational: a constant, which does not depend on the sample."""
        return CONSTANT

    def scale(self, x: Table, factor: Multiple) -> Table:
        """Return the table as it is: a multiple of a multiple has the same form."""
        return x

    def add(self, a: Table, b: Table) -> Table:
        """Add entry by entry: multiples of one form are a multiple of it."""
        return [list(map(self.sum, x, y)) for x, y in paired([a, b])]

    def sum(self, x: Multiple, y: Multiple) -> Multiple:
        """Return x + y: a multiple of their form if they have one form only, else of a new one."""
        if NO_FORM not in (x.form, y.form) and x.form != y.form:
            return self.new()
        return Multiple(max(x.form, y.form), x.shifted or y.shifted)

    def multiply(self, a: Table, b: Table) -> Table:
        """Multiply entry by entry: by a number that does not depend on the sample, a multiple stays one."""
        return [list(map(self.times, x, y)) for x, y in paired([a, b])]

    def times(self, x: Multiple, y: Multiple) -> Multiple:
        """Return x y: 0 if one is 0, a multiple of the form of one if the other has none, else of a new form."""
        if NOTHING in (x, y):
            return NOTHING
        if NO_FORM not in (x.form, y.form):
            return self.new()
        return y if x.form == NO_FORM else x

    def normalise(self, node: Any, numbers: Row) -> Row:
        """Return new forms; around their mean they add up to 0."""
        found = [self.new() for _ in numbers]
        if node.centre:
            self.groups.append({multiple.form for multiple in found})
        return found

    def inputs(self, network: Any) -> Row:
        """Return the coordinates; those that agree on every sample are one form, constant ones have none."""
        width, entries = network.inputs.integers.ncols(), network.inputs.integers.entries()
        seen: dict[tuple[int, ...], Multiple] = {}
        for column in (tuple(map(int, entries[k::width])) for k in range(width)):
            if column not in seen:
                seen[column] = self.new() if len(set(column)) > 1 else CONSTANT
        return [seen[tuple(map(int, entries[k::width]))] for k in range(width)]


def needed(network: Any) -> set[int]:
    """Return the nodes whose forms are looked at: those of features, and what kinds of THROUGH among them read."""
    found: set[int] = set()
    waiting = [feature.node for feature in network.features]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            node = network.nodes[number]
            waiting += node.reads if node.varies and node.kind in THROUGH - {"normalise"} else []
    return found


def span_bound(network: Any) -> tuple[int, str]:
    """Return an upper bound of rank Psi(U), for every U at which Psi is defined, and how it was found.

    Guarantee: let the columns be multiples of F forms. They lie in the span of these forms and, if one of them is
    shifted, of the constant column. The n numbers that a `normalise` node makes of one piece around their mean add up
    to 0, for every U and sample: where all n of their forms are among the F, they span n - 1 dimensions at most. With L
    such pieces the rank is at most F - L + [a column is shifted]. [So a final layer normalisation over C channels at T
    positions, M = T C columns y = gamma z + beta, has rank M - T + 1 at most, and M - T without beta. An output bias, a
    column of ones, is in that span: with it rank Psi <= M' - T for the M' = M + 1 columns.]
    """
    ops, tables, wanted = Forms(), dict[int, Table](), needed(network)
    for number in sorted(wanted):
        node = network.nodes[number]
        size = prod(node.shape)
        if not node.varies:
            tables[number] = [[CONSTANT] * size]
        elif node.kind == "input":
            tables[number] = [ops.inputs(network)]
        elif node.kind == "normalise":
            tables[number] = KINDS[node.kind].compute(ops, node, [[[NOTHING] * size]])
        elif node.kind in THROUGH:
            tables[number] = KINDS[node.kind].compute(ops, node, [tables[read] for read in node.reads])
        else:
            tables[number] = [[ops.new() for _ in range(size)]]
    columns = list(chosen(network, tables))  # Coq: R5_forms columns, R5_shifted_forms columns
    forms = {multiple.form for multiple in columns} - {NO_FORM}
    pieces = sum(group <= forms for group in ops.groups)  # Coq: R5_forms related, R5_shifted_forms related
    one = any(multiple.shifted for multiple in columns)
    how = f"{len(forms)} functions, {pieces} pieces of which add up to 0, {int(one)} constant"
    return len(forms) - pieces + one, how


def chosen(network: Any, tables: dict[int, Table]) -> Iterable[Multiple]:
    """Yield the entries of the nodes that are the columns of Psi, in order."""
    for feature in network.features:
        row = tables[feature.node][0]
        yield from row if feature.entries is None else (row[entry] for entry in feature.entries)
