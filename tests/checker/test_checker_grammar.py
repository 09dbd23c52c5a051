"""The grammar of activations is closed: Python's parser is the independent judge of what a text means."""

from __future__ import annotations

import ast
import warnings
from random import Random

import pytest

from verifier.checker.grammar import FUNCTIONS_OF_MORE, FUNCTIONS_OF_ONE, MAX_NESTING, read_expression

PIECES = ["t", "1", "0", "12", "pi", "E", "+", "-", "*", "/", "**", "(", ")", ",", " ", *FUNCTIONS_OF_ONE, "Max", "Min"]
FOREIGN = ["=", ".", "_", "[", "]", "{", "}", "<", ":", ";", "#", "'", '"', "\n", "\t", "\\", "@", "%", "//", "if", "x"]
FOREIGN += ["lambda", "not", "\u0663", "\uff54", "\u00a0", "1.5", "1e3", "0x1", "1_0", "01", "1j", "None", "~", "**t"]
NODES = (ast.Name, ast.Load, ast.Constant, ast.UnaryOp, ast.USub, ast.BinOp, ast.Call)
NODES += (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


def python(text: str) -> ast.expr | None:
    """Return what Python's parser reads, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(" "), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def ours(text: str) -> ast.expr | None:
    """Return what the checker reads, or None."""
    try:
        return read_expression(text)
    except ValueError:
        return None


def derived(random: Random, depth: int) -> str:
    """Return a random text of the grammar."""
    if depth == 0:
        return random.choice(["t", "t", "0", "7", "120", "pi", "E"])
    inner = [derived(random, random.randrange(depth)) for _ in range(3)]
    space = random.choice(["", " ", "  "])
    kind = random.randrange(7)
    if kind < 3:
        operator = random.choice(["+", "-", "*", "/"])
        return f"{inner[0]}{space}{operator}{space}{inner[1]}"
    if kind == 3:
        return f"-{space}{inner[0]}"
    if kind == 4:
        return f"({inner[0]}){space}**{space}{random.choice(['2', '-1', '(1/2)', '(-3/2)'])}"
    if kind == 5:
        return f"{random.choice(FUNCTIONS_OF_ONE)}({space}{inner[0]}{space})"
    return f"{random.choice(FUNCTIONS_OF_MORE)}({','.join(inner[: random.choice([2, 3])])})"


@pytest.mark.parametrize("seed", range(20))
def test_what_the_grammar_derives_means_what_it_means_to_python(seed):
    random = Random(seed)
    for _ in range(50):
        text = derived(random, 6)
        found, expected = ours(text), python(text)
        assert found is not None and expected is not None, text
        assert ast.dump(found) == ast.dump(expected), text
        assert ast.dump(read_expression(ast.unparse(found))) == ast.dump(found)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_read_is_what_python_reads_and_has_whitelisted_nodes_only(seed):
    """Random mutations; most of them are refused, and none is read as something else than it is."""
    random, read = Random(1000 + seed), 0
    for _ in range(400):
        text = derived(random, 4)
        for _ in range(random.choice([1, 1, 2, 3])):
            at = random.randrange(len(text) + 1)
            piece = random.choice(FOREIGN if random.random() < 0.4 else PIECES)
            text = text[:at] + piece + text[at + random.choice([0, 0, 1, 2]) :]
        found = ours(text)
        if found is not None:
            read += 1
            expected = python(text)
            assert expected is not None and ast.dump(found) == ast.dump(expected), text
            assert all(isinstance(node, NODES) for node in ast.walk(found)), text
            calls = [node for node in ast.walk(found) if isinstance(node, ast.Call)]
            assert all(not call.keywords for call in calls)
            assert all(type(node.value) is int for node in ast.walk(found) if isinstance(node, ast.Constant))
    assert read > 3


@pytest.mark.parametrize("piece", [piece for piece in FOREIGN if piece not in ("01", "**t")])
def test_nothing_foreign_is_read(piece):
    for text in (
        piece,
        f"t{piece}",
        f"{piece}t",
        f"exp(t{piece})",
        f"exp(t){piece}",
        f"t + 1{piece}",
        f"Max(t, 1,{piece})",
    ):
        assert ours(text) is None, text


@pytest.mark.parametrize(
    ("open_", "close"), [("(", ")"), ("-", ""), ("exp(", ")"), ("t**", ""), ("Max(1, ", ")"), ("-(", ")")]
)
def test_nesting_is_bounded(open_, close):
    levels = {"-(": MAX_NESTING // 2}.get(open_, MAX_NESTING)
    assert ours(open_ * levels + "t" + close * levels) is not None
    assert ours(open_ * (levels + 1) + "t" + close * (levels + 1)) is None
    assert ours(open_ * 500 + "t" + close * 500) is None
