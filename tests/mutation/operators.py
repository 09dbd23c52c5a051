"""The ways in which a definition is broken: operators on its syntax tree, and where in the package a definition is.

A mutant is a definition (a function, a method or a named value of a room), an operator, and which of the operator's
applications in the definition, in the order of the tree. Nothing depends on how the source is written.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "verifier"

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = (
    ("lower", "upper"),
    ("abs_lower", "abs_upper"),
    ("lower_float", "upper_float"),
    ("round_down", "round_up"),
    ("floor", "ceil"),
    ("ROUND_FLOOR", "ROUND_CEILING"),
    ("min", "max"),
    ("minimum", "maximum"),
    ("any", "all"),
    ("sin", "cos"),
    ("exp", "expm1"),
    ("log", "log1p"),
    ("argmin", "argmax"),
)
SWAPPED = {a: b for pair in NAMES for a, b in (pair, pair[::-1])}
CONDITIONS = frozenset({"require"})
"""Functions whose first argument must hold, and that raise if it does not."""


def _comparison(node: ast.AST) -> Iterator[ast.AST]:
    """``<`` becomes ``<=``, ``==`` becomes ``!=`` and so on, one of a chain at a time."""
    if isinstance(node, ast.Compare):
        for k, operation in enumerate(node.ops):
            new = copy.copy(node)
            new.ops = [*node.ops[:k], COMPARISONS[type(operation)](), *node.ops[k + 1 :]]
            yield new


def _opposite(node: ast.AST) -> Iterator[ast.AST]:
    """A comparison looks the other way: ``<`` becomes ``>``."""
    other = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in other:
        yield ast.Compare(node.left, [other[type(node.ops[0])]()], node.comparators)


def _chain(node: ast.AST) -> Iterator[ast.AST]:
    """``a <= b < c`` loses one end."""
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        yield ast.Compare(node.comparators[0], node.ops[1:], node.comparators[1:])
        yield ast.Compare(node.left, node.ops[:-1], node.comparators[:-1])


def _decided(node: ast.AST) -> Iterator[ast.AST]:
    """A comparison, a negation, or a condition that must hold is True, or False, whatever its arguments are."""
    if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        yield ast.Constant(True)
        yield ast.Constant(False)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        if node.func.id in CONDITIONS:
            yield ast.Call(node.func, [ast.Constant(True), *node.args[1:]], node.keywords)
        elif node.func.id in ("any", "all", "isinstance", "bool"):
            yield ast.Constant(True)
            yield ast.Constant(False)


def _branch(node: ast.AST) -> Iterator[ast.AST]:
    """Always, or never, the branch that a condition chooses; a filter that lets everything pass."""
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        for value in (True, False):
            if not (value and isinstance(node, ast.While)):
                new = copy.copy(node)
                new.test = ast.Constant(value)
                yield new
    if isinstance(node, ast.comprehension) and node.ifs:
        yield ast.comprehension(node.target, node.iter, [], node.is_async)


def _negation(node: ast.AST) -> Iterator[ast.AST]:
    """A sign or a ``not`` is lost."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand


def _boolean(node: ast.AST) -> Iterator[ast.AST]:
    """``and`` and ``or`` change places, or lose one of their parts."""
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for k in range(len(node.values)):
            left = [*node.values[:k], *node.values[k + 1 :]]
            yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _arithmetic(node: ast.AST) -> Iterator[ast.AST]:
    """``+`` becomes ``-``, ``*`` becomes ``/`` and so on."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in ARITHMETIC:
        new = copy.copy(node)
        new.op = ARITHMETIC[type(node.op)]()
        yield new


def _term(node: ast.AST) -> Iterator[ast.AST]:
    """A sum or a product loses a part."""
    if isinstance(node, ast.BinOp):
        yield node.left
        yield node.right


def _constant(node: ast.AST) -> Iterator[ast.AST]:
    """A number becomes one more, one less, a quarter, minus 10^9; True becomes False."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, (int, float)):
            for value in dict.fromkeys((node.value + 1, node.value - 1, node.value / 4, -(10**9))):
                yield ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _name(node: ast.AST) -> Iterator[ast.AST]:
    """``lower`` becomes ``upper``, ``min`` becomes ``max``, ``any`` becomes ``all`` and so on."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in SWAPPED:
        yield ast.Name(SWAPPED[node.id], node.ctx)
    if isinstance(node, ast.Attribute) and node.attr in SWAPPED:
        yield ast.Attribute(node.value, SWAPPED[node.attr], node.ctx)


def _call(node: ast.AST) -> Iterator[ast.AST]:
    """A call becomes one of its arguments, or the object whose method it calls; arguments change places or are lost."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
        for argument in node.args:
            if not isinstance(argument, ast.Starred):
                yield argument
        for k in range(len(node.args) - 1):
            swapped = [*node.args[:k], node.args[k + 1], node.args[k], *node.args[k + 2 :]]
            yield ast.Call(node.func, swapped, node.keywords)
        for k in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, [*node.keywords[:k], *node.keywords[k + 1 :]])
        if node.args:
            yield ast.Call(node.func, node.args[:-1], node.keywords)


def _middle(node: ast.AST) -> Iterator[ast.AST]:
    """A ball that is computed with, or one of its ends, is replaced by its midpoint."""
    if isinstance(node, ast.Attribute) and node.attr in ("lower", "upper"):
        yield ast.Attribute(node.value, "mid", node.ctx)
    for field in ("left", "right", "args", "value"):
        value = getattr(node, field, None)
        for k, part in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(part, (ast.Name, ast.Call)) and not isinstance(
                node, (ast.Attribute, ast.Subscript, ast.Expr)
            ):
                middle = ast.Call(ast.Attribute(part, "mid", ast.Load()), [], [])
                new = copy.copy(node)
                setattr(new, field, [*value[:k], middle, *value[k + 1 :]] if isinstance(value, list) else middle)
                yield new


def _restart(node: ast.AST) -> Iterator[ast.AST]:
    """A sum forgets what came before."""
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)


def _subscript(node: ast.AST) -> Iterator[ast.AST]:
    """A slice is the whole, or nothing of it; an index is the first."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if isinstance(node.slice, ast.Slice):
            yield node.value
            yield ast.Subscript(node.value, ast.Slice(None, ast.Constant(0)), node.ctx)
        else:
            yield ast.Subscript(node.value, ast.Constant(0), node.ctx)


def _statement(node: ast.AST) -> Iterator[ast.AST]:
    """A statement is left out."""
    if isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    ):
        yield ast.Pass()
    if isinstance(node, ast.Assign) and not any(isinstance(target, ast.Name) for target in node.targets):
        yield ast.Pass()


def _result(node: ast.AST) -> Iterator[ast.AST]:
    """A function returns True, or False, or nothing, or 0."""
    if isinstance(node, ast.Return) and node.value is not None:
        for value in (True, False, None, 0):
            yield ast.Return(ast.Constant(value))


def _order(node: ast.AST) -> Iterator[ast.AST]:
    """Two loops of a comprehension, two parts of a tuple, or two sides of a product or difference change places."""
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)) and len(node.generators) > 1:
        yield type(node)(node.elt, node.generators[::-1])
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield ast.Tuple([node.elts[1], node.elts[0], *node.elts[2:]], node.ctx)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, (ast.Add, ast.Mult)):
        yield ast.BinOp(node.right, node.op, node.left)


OPERATORS = {
    "comparison": _comparison,
    "opposite": _opposite,
    "chain": _chain,
    "decided": _decided,
    "branch": _branch,
    "negation": _negation,
    "boolean": _boolean,
    "arithmetic": _arithmetic,
    "term": _term,
    "constant": _constant,
    "name": _name,
    "call": _call,
    "middle": _middle,
    "restart": _restart,
    "subscript": _subscript,
    "statement": _statement,
    "result": _result,
    "order": _order,
}


@dataclass(frozen=True)
class Definition:
    """A function, a method or a named value: the room, its name in its module, and the file."""

    room: str
    name: str
    path: Path

    @property
    def module(self) -> str:
        """The module's name, as it is imported."""
        return ".".join(self.path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")

    def tree(self) -> tuple[ast.Module, ast.stmt]:
        """Return the module's syntax tree and the definition's statement in it."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        return tree, dict(_statements(tree))[self.name]


@dataclass(frozen=True)
class Mutant:
    """A definition, an operator, and which of the operator's applications in the definition's syntax tree."""

    definition: Definition
    operator: str
    which: int

    def __str__(self) -> str:
        return f"{self.definition.room}:{self.definition.name} {self.operator} {self.which}"

    def tree(self) -> ast.Module:
        """Return the broken module's syntax tree."""
        tree, statement = self.definition.tree()
        changes = list(applications(statement, self.operator))
        if self.which >= len(changes):
            raise LookupError(f"{self}: the operator applies {len(changes)} times only; choose another mutant")
        old, new = changes[self.which]
        _replace(tree, old, new)
        return ast.fix_missing_locations(tree)

    def applies(self) -> bool:
        """Whether the operator applies so often; the tree is parsed once for all mutants of a module."""
        found = applications(_parsed(self.definition.path)[self.definition.name], self.operator)
        return next(itertools.islice(found, self.which, None), None) is not None

    def words(self) -> str:
        """Return what changes, in one line."""
        _, statement = self.definition.tree()
        old, new = list(applications(statement, self.operator))[self.which]
        return f"{_line(old)} -> {_line(new)}"


def _line(node: ast.AST) -> str:
    node = ast.fix_missing_locations(node)
    text = "if " + ast.unparse(node.test) if isinstance(node, (ast.If, ast.While)) else ast.unparse(node)
    return " ".join(text.split())[:100]


def _statements(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Return all definitions of a module by name; what is in a function belongs to the function."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    yield f"{node.name}.{part.name}", part
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node


@cache
def _parsed(path: Path) -> dict[str, ast.stmt]:
    """Return the definitions of a module; nothing may change them."""
    return dict(_statements(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def definitions(room: str) -> tuple[Definition, ...]:
    """Return all definitions of a room, such as ``rank`` or ``balls/binary64``, or of one of its modules."""
    home = PACKAGE / room
    files = sorted(home.rglob("*.py")) if home.is_dir() else [home.with_suffix(".py")]
    return tuple(Definition(room, name, path) for path in files for name in _parsed(path))


def definition(room: str, name: str) -> Definition:
    """Return the one definition of that name in a room, in whatever module of it."""
    found = [entry for entry in definitions(room) if entry.name == name]
    if len(found) != 1:
        places = ", ".join(entry.module for entry in found)
        raise LookupError(f"{len(found)} definitions of {name} in {room} ({places}); adapt tests/mutation/mutants.py")
    return found[0]


def applications(statement: ast.stmt, operator: str) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Return the operator's applications in a definition: a node and what it becomes. Annotations are left alone."""
    for node in _walk(statement):
        for new in OPERATORS[operator](node):
            yield node, new


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list", "type_params"):
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST):
                    yield from _walk(part)


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if value is old:
                setattr(node, field, new)
                return
            if isinstance(value, list):
                for k, part in enumerate(value):
                    if part is old:
                        value[k] = new
                        return


def mutants(entry: Definition) -> Iterator[Mutant]:
    """Return all mutants of a definition."""
    _, statement = entry.tree()
    for operator in OPERATORS:
        for which, _ in enumerate(applications(statement, operator)):
            yield Mutant(entry, operator, which)
