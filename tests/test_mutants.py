"""Deliberately broken copies of the rigorous kernels: each must fail the named containment or planted-truth check.

A copy is the module's source with one piece of text replaced, run in memory and put in the module's place everywhere in
the package while the check runs. The same checks pass on the real kernels (they are the ordinary tests).
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import checks
import checks_escape
import checks_losses
import checks_padding
import checks_theorem
import checks_witness
import mutants_escape
import mutants_kernels
import mutants_losses
import mutants_padding
import mutants_theorem
import mutants_witness
import pytest

SEEDS = 12
"""A mutant has this many seeds to be caught; most need one."""

ROOMS = {
    checks: mutants_kernels.MUTANTS,
    checks_escape: mutants_escape.MUTANTS,
    checks_losses: mutants_losses.MUTANTS,
    checks_padding: mutants_padding.MUTANTS,
    checks_theorem: mutants_theorem.MUTANTS,
    checks_witness: mutants_witness.MUTANTS,
}
"""The checks, and the mutants that they must catch."""
ALL = [(room, *mutant) for room, mutants in ROOMS.items() for mutant in mutants]


def broken_copy(module, old, new):
    """The module with ``old`` replaced by ``new``; the text must be there exactly once."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    if source.count(old) != 1:
        pytest.fail(f"{module.__name__} has {source.count(old)} times {old!r}; adapt the mutant", pytrace=False)
    copy = types.ModuleType(module.__name__)
    copy.__file__, copy.__package__ = module.__file__, module.__package__
    exec(compile(source.replace(old, new), f"<mutant of {module.__name__}>", "exec"), copy.__dict__)
    return copy


@contextmanager
def in_place_of(module, copy):
    """Replace what the module defines by the copy's version, in every module of the package and of the checks."""
    before = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("__") and name in vars(copy) and vars(copy)[name] is not value
    }
    users = [m for name, m in sys.modules.items() if name.startswith("verifier.") or m in ROOMS or name == "planted"]
    changed = [(vars(user), name, name) for user in users for name in before if vars(user).get(name) is before[name]]
    tables = [table for user in users for table in vars(user).values() if type(table) is dict]  # such as rules by label
    rules = {id(value): name for name, value in before.items() if inspect.isroutine(value) or inspect.isclass(value)}
    changed += [(table, key, rules[id(v)]) for table in tables for key, v in table.items() if id(v) in rules]
    for home, key, name in changed:
        home[key] = vars(copy)[name]
    try:
        yield
    finally:
        for home, key, name in changed:
            home[key] = before[name]


@pytest.mark.parametrize(
    ("room", "name", "old", "new", "check"), ALL, ids=[f"{m[1]}-{m[4]}-{k}" for k, m in enumerate(ALL)]
)
def test_broken_kernel_is_caught(room, name, old, new, check):
    module = importlib.import_module(f"verifier.{name}")
    with in_place_of(module, broken_copy(module, old, new)):
        for seed in range(SEEDS):
            try:
                room.run_check(f"check_{check}", seed)
            except AssertionError:
                return
    pytest.fail(f"{name}: {old!r} -> {new!r} survives check_{check}")


@pytest.mark.parametrize(("room", "check"), sorted({(m[0], f"check_{m[4]}") for m in ALL}, key=lambda pair: pair[1]))
def test_the_real_kernels_pass_on_the_same_seeds(room, check):
    for seed in range(3):
        room.run_check(check, seed)


def test_the_real_kernels_are_back_after_a_mutant():
    module = importlib.import_module("verifier.balls.exact")
    original = module.lower_float
    with in_place_of(module, broken_copy(module, "math.nextafter(bound, -math.inf)", "bound")):
        assert module.lower_float is not original
        assert sys.modules["verifier.balls.margins"].lower_float is module.lower_float
    assert module.lower_float is original and sys.modules["verifier.balls.margins"].lower_float is original
