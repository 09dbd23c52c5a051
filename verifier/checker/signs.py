"""The signs of nodes, from those of what they read: one rule for each kind that is analytic in what it reads.

Glossary: a sign holds for all entries of a node, all samples and all U: POSITIVE (above 0), NOWHERE_NEGATIVE (at least
0), or 0 (nothing is said). flags.py says what follows.
"""

from collections import Counter
from typing import Any

from .analytic import NOWHERE_NEGATIVE, POSITIVE
from .attention import has_mask
from .windowed import affine_parts


def common_sign(signs: list[int]) -> int:
    """Return a sign that each of these numbers has: that of products of them, of any selection, of convex means."""
    return min(signs)


def of_sum(signs: list[int]) -> int:
    """Return the sign of a sum: >= 0 if every term is, > 0 if moreover one is."""
    return max(signs) if all(signs) else 0


def of_none(node: Any, signs: list[int]) -> int:
    """Return 0: nothing is said of this node's sign."""
    return 0


def of_first(node: Any, signs: list[int]) -> int:
    """Return the sign of what is read first."""
    return signs[0]


def of_last(node: Any, signs: list[int]) -> int:
    """Return the sign of what is read last."""
    return signs[-1]


def of_all(node: Any, signs: list[int]) -> int:
    """Return a sign that all that is read has."""
    return common_sign(signs)


def of_terms(node: Any, signs: list[int]) -> int:
    """Return the sign of the sum of all that is read."""
    return of_sum(signs)


def of_multiple(node: Any, signs: list[int]) -> int:
    """Return the sign of a multiple by the node's factor."""
    return signs[0] if node.factor > 0 else 0


def of_shares(node: Any, signs: list[int]) -> int:
    """Return the sign of softmax: what a mask leaves out is 0."""
    return NOWHERE_NEGATIVE if has_mask(node) else POSITIVE


def of_means(node: Any, signs: list[int]) -> int:
    """Return the sign of means of v, with shares that add up to 1."""
    return signs[2]


def affine_sign(node: Any, signs: list[int]) -> int:
    """Return the sign of sums of products, the padding's zeros among them."""
    parts, weight, bias = affine_parts(node)
    product = common_sign([signs[weight], *(signs[part] for part in parts)])
    if node.window is not None and any(node.window.padding):
        product = min(product, NOWHERE_NEGATIVE)
    return product if bias is None else of_sum([product, signs[bias]])


def multiply_sign(node: Any, signs: list[int]) -> int:
    """Return the sign of a product; a node that is read twice is a square."""
    counts, known_signs = Counter(node.reads), dict(zip(node.reads, signs, strict=True))
    return common_sign(
        [max(known_signs[read], NOWHERE_NEGATIVE) if n % 2 == 0 else known_signs[read] for read, n in counts.items()]
    )


def inverse_root_sign(node: Any, signs: list[int]) -> int:
    """Return POSITIVE if x + epsilon is proved to be above 0."""
    return POSITIVE if signs[0] == POSITIVE or (signs[0] and node.epsilon > 0) else 0


def pool_sign(node: Any, signs: list[int]) -> int:
    """Return the sign of means, in which padding counts as zeros, or of maxima."""
    return min(signs[0], NOWHERE_NEGATIVE) if any(node.padding) and node.how == "mean" else signs[0]
