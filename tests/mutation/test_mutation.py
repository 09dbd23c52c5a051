"""Deliberately broken definitions are noticed by the tests; a sample by default, all with ``pytest -m slow``."""

from __future__ import annotations

import ast
import hashlib

import pytest
from mutation.breaking import outcome
from mutation.mutants import MUTANTS
from mutation.operators import OPERATORS, Mutant, applications, definition

EVERYDAY, SAMPLE = 3, 20
"""So many are tried whenever the tests run, in some seconds."""


def located(line: str) -> Mutant:
    """Return the mutant of a line of the table."""
    place, operator, which = line.split()
    return Mutant(definition(*place.split(":")), operator, int(which))


LOCATED = [(line, test) for test, lines in MUTANTS.items() for line in lines]
SHUFFLED = sorted(LOCATED, key=lambda entry: hashlib.sha256(" ".join(entry).encode()).digest())
"""In an order that depends on nothing but the mutants: a sample is its beginning."""


def marks(number: int) -> list[pytest.MarkDecorator]:
    """The first few mutants run every day, the sample with `thorough`, all others are slow."""
    return [] if number < EVERYDAY else [pytest.mark.thorough if number < SAMPLE else pytest.mark.slow]


@pytest.mark.parametrize(
    ("line", "test"),
    [pytest.param(*entry, marks=marks(k)) for k, entry in enumerate(SHUFFLED)],
)
def test_a_broken_definition_is_noticed(line, test):
    mutant = located(line)
    assert outcome(mutant, [test]) != "survived", mutant.words()


def test_every_mutant_is_there():
    assert len(LOCATED) >= 350 and len({line for line, _ in LOCATED}) == len(LOCATED)
    assert [line for line, _ in LOCATED if not located(line).applies()] == []


def test_what_changes_nothing_survives_and_what_never_ends_hangs():
    test = "balls/test_exact_guarantees.py::test_rounding_is_outward"
    assert outcome(None, [test]) == "survived"
    assert outcome(Mutant(definition("balls", "lower_float"), "branch", 0), [test]) == "survived"  # -inf is a bound
    assert outcome(None, ["balls/test_exact_guarantees.py"], seconds=0.01) == "hangs"


def test_tests_and_definitions_that_are_not_there_are_refused():
    mutant = Mutant(definition("balls", "lower_float"), "negation", 99)
    with pytest.raises(LookupError, match="applies 2 times only; choose another mutant"):
        outcome(mutant, ["balls/test_exact_guarantees.py"])
    with pytest.raises(LookupError, match="0 definitions of lower_flaot in balls"):
        definition("balls", "lower_flaot")
    with pytest.raises(LookupError, match="pytest finds no test"):
        outcome(None, ["balls/test_exact_guarantees.py::test_nothing"])


@pytest.mark.parametrize(
    ("operator", "code", "broken"),
    [
        ("comparison", "a < b <= c", ["a <= b <= c", "a < b < c"]),
        ("opposite", "a <= b", ["a >= b"]),
        ("chain", "a < b <= c", ["b <= c", "a < b"]),
        ("decided", "a == b", ["True", "False"]),
        ("decided", "require(a > b, path)", ["require(True, path)", "require(True, path)", "require(False, path)"]),
        ("branch", "a if b else c", ["a if True else c", "a if False else c"]),
        ("branch", "[a for a in b if c]", ["[a for a in b]"]),
        ("negation", "-a", ["a"]),
        ("boolean", "a and b", ["a or b", "b", "a"]),
        ("arithmetic", "a << b", ["a >> b"]),
        ("term", "a + b", ["a", "b"]),
        ("constant", "f(2)", ["f(3)", "f(1)", "f(0.5)", "f(-1000000000)"]),
        ("name", "x.lower()", ["x.upper()"]),
        ("call", "f(a, k=b)", ["a", "f(a)", "f(k=b)"]),
        ("middle", "a * f(b)", ["a.mid() * f(b)", "a * f(b).mid()", "a * f(b.mid())"]),
        ("middle", "a.lower()", ["a.mid()"]),
        ("restart", "a += b", ["a = b"]),
        ("subscript", "a[1:]", ["a", "a[:0]"]),
        ("statement", "x[0] = 1", ["pass"]),
        ("order", "a - b", ["b - a"]),
    ],
)
def test_operators(operator, code, broken):
    (statement,) = ast.parse(code).body
    found = []
    for old, new in applications(statement, operator):
        text = ast.unparse(ast.fix_missing_locations(new))
        found.append(text if old is statement else ast.unparse(statement).replace(ast.unparse(old), text))
    assert found == broken
    assert OPERATORS[operator].__doc__
