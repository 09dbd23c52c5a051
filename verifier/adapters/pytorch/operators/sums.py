"""Sums of products by index letters (einsum), as permutations, matrix products and sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from verifier.adapters.pytorch.operators.table import Context, operator, shape_of
from verifier.adapters.translation.values import Refused, Value

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@operator("einsum")
def einsum(c: Context, equation: str, operands: Sequence[Any], **_: Any) -> Value:
    """Products of tensors summed over the letters that the result does not have, two tensors at a time."""
    inputs, output = _letters(equation, [len(shape_of(x)) for x in operands])
    value, letters = operands[0], inputs[0]
    for place, (other, others) in enumerate(zip(operands[1:], inputs[1:], strict=True), start=2):
        kept = set(output).union(*map(set, inputs[place:]))
        value, letters = _pair(c, (value, letters), (other, others), kept)
    value, letters = _summed(c, value, letters, set(output))
    return c.to.permute(value, [letters.index(letter) for letter in output])


def _letters(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each tensor and of the result; an ellipsis becomes letters of its own.

    Raises
    ------
    Refused
        A letter stands twice in one tensor.
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    spare = [letter for letter in LETTERS if letter not in equation]
    most = max((rank - len(each) + 3 for each, rank in zip(inputs, ranks, strict=True) if "..." in each), default=0)
    for k, (each, rank) in enumerate(zip(inputs, ranks, strict=True)):
        inputs[k] = each.replace("...", "".join(spare[:most][most - (rank - len(each) + 3) :]))
    if not arrow:
        once = sorted({x for x in left.replace("...", "") if x not in ",." and left.count(x) == 1})
        output = ("..." if "..." in left else "") + "".join(once)
    output = output.replace("...", "".join(spare[:most]))
    if any(len(set(each)) < len(each) for each in (*inputs, output)):
        raise Refused(f"einsum {equation!r} takes a diagonal; write it with torch.diagonal or a mask")
    return inputs, output


def _summed(c: Context, value: Any, letters: str, kept: set[str]) -> tuple[Any, str]:
    """Without the letters that nothing else reads."""
    axes = [k for k, letter in enumerate(letters) if letter not in kept]
    if not axes:
        return value, letters
    return c.to.sum(value, axes, False), "".join(letter for letter in letters if letter in kept)


def _pair(c: Context, one: tuple[Any, str], other: tuple[Any, str], kept: set[str]) -> tuple[Any, str]:
    """The product of two tensors, summed over the letters that both have and nothing else reads."""
    (a, p), (b, q) = one, other
    a, p = _summed(c, a, p, kept | set(q))
    b, q = _summed(c, b, q, kept | set(p))
    sizes = dict(zip(p, shape_of(a), strict=True)) | dict(zip(q, shape_of(b), strict=True))
    both = "".join(x for x in p if x in q and x in kept)
    over = "".join(x for x in p if x in q and x not in kept)
    rows = "".join(x for x in p if x not in q)
    columns = "".join(x for x in q if x not in p)
    a = c.to.permute(a, [p.index(x) for x in both + rows + over])
    b = c.to.permute(b, [q.index(x) for x in both + over + columns])
    letters = both + rows + columns
    if not over:
        a, b = (c.to.reshape(x, [sizes[k] if k in own else 1 for k in letters]) for x, own in ((a, p), (b, q)))
        return c.to.multiply(a, b), letters

    def size(letters: str) -> int:
        return math.prod(sizes[x] for x in letters)

    if both or len(rows) == 0:
        a = c.to.reshape(a, [*(sizes[x] for x in both), size(rows), size(over)])
    elif len(over) > 1:
        a = c.to.reshape(a, [*(sizes[x] for x in rows), size(over)])
    b = c.to.reshape(b, [*(sizes[x] for x in both), size(over), size(columns)])
    product = c.to.matmul(a, b)
    return c.to.reshape(product, [sizes[x] for x in letters]), letters
