"""How large a derivative would be, before sympy makes it: what must not be slow is refused by its size."""

from __future__ import annotations

from typing import Final

from verifier.sigma.tree import Add, Tree, Var, children

MAX_DERIVATIVE_TERMS: Final = 6000
"""Most nodes of a derivative, as `derivative_size` estimates them."""


def derivative_size(tree: Tree) -> int:
    """Estimate the number of nodes of a derivative by the rules of differentiation, nothing simplified.

    Parameters
    ----------
    tree : Tree
        Of the function.

    Returns
    -------
    int
        0 for constants.
    """
    return _sizes(tree)[1]


def _sizes(tree: Tree) -> tuple[int, int]:
    """Count the nodes of an expression and of its derivative."""
    if isinstance(tree, Var):
        return 1, 1
    sizes = [_sizes(part) for part in children(tree)]
    size = 1 + sum(nodes for nodes, _ in sizes)
    if isinstance(tree, Add):
        return size, 1 + sum(slope for _, slope in sizes)
    # a product, a quotient or max repeats the whole for each part that varies; a function of one argument once
    return size, sum(slope + size + 2 for _, slope in sizes if slope)
