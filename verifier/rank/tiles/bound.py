r"""What the tiles prove together: bounds of the Gram matrix's error and of the factor's residual.

Let ``d_IJ >= ||G_IJ - Psi_I Psi_J^T||_F`` for each tile. H, the symmetric matrix of all tiles, satisfies

.. math:: \|H - \Psi\Psi^T\|_2 \le \|H - \Psi\Psi^T\|_F \le \Bigl(\sum_I d_{II}^2 + 2\sum_{I>J} d_{IJ}^2\Bigr)^{1/2},

so by Weyl's inequality ``sigma_N(Psi)^2 = lambda_min(Psi Psi^T) >= lambda_min(H) - ||H - Psi Psi^T||_2``: with ``d_IJ``
the sum of both bounds of `gram_tile` this holds whichever midpoints the tasks had.

Where all tasks had the same midpoints, as their digests show, there is one A, ``||H - A A^T||_2`` is bounded by the
roundings alone, and ``sigma_N(Psi) >= sigma_N(A) - ||Psi - A||_F`` (Weyl again), ``||Psi - A||_F^2 <= sum_I e_I^2``:
the sharper form of `gram`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flint import arb

from verifier.balls.binary64.bounds import TINY, gamma
from verifier.balls.binary64.products import Products
from verifier.balls.precision import working_precision
from verifier.rank.cholesky import Factor
from verifier.rank.gram_matrix import BITS, Gram
from verifier.rank.tiles.folder import FactorNumbers, GramNumbers, TileRecord
from verifier.rank.tiles.layout import Layout
from verifier.rank.tiles.tasks import tasks_of


def frobenius(tiles: Iterable[tuple[bool, arb]]) -> arb:
    """The Frobenius norm of a symmetric matrix, from the norms of its tiles on and below the diagonal.

    Parameters
    ----------
    tiles : iterable of (bool, arb)
        Whether a tile is on the diagonal, and its norm or an upper bound.

    Returns
    -------
    arb
        Guarantee: an upper bound, if those are.
    """
    return sum((value * value * (1 if diagonal else 2) for diagonal, value in tiles), start=arb(0)).sqrt()


def gram_of(cut: Layout, known: Mapping[str, TileRecord], record: Products) -> Gram:
    """The errors of a Gram matrix whose tiles are all there.

    Parameters
    ----------
    cut : Layout
        Blocks and tiles.
    known : mapping
        Name -> record, of all its tiles.
    record : Products
        What is multiplied with it from now on.

    Returns
    -------
    Gram
        Without blocks. Guarantee: ``sigma_N(Psi) >= sqrt(lambda_min(H) - error) - enclosure``, and ``squares`` bounds
        the Frobenius norm of ``|H|``. Source: the module's text.
    """
    tiles: dict[tuple[int, int], GramNumbers] = {}
    for task in tasks_of(cut):
        numbers = known[task.name].numbers
        if not isinstance(numbers, GramNumbers):
            raise TypeError(f"tile {task.name} holds no part of a Gram matrix")
        tiles[task.i, task.k] = numbers
    midpoints = [{own.midpoints[side] for place, own in tiles.items() for side in (0, 1) if place[side] == i}
                 for i in range(cut.tiles)]  # fmt: skip
    same = all(len(own) == 1 for own in midpoints)
    with working_precision(BITS):
        rounding = frobenius((i == k, arb(own.rounding)) for (i, k), own in tiles.items())
        moved = frobenius((i == k, arb(own.rounding) + arb(own.moved)) for (i, k), own in tiles.items())
        size = frobenius((i == k, arb(own.size)) for (i, k), own in tiles.items())
        spread = sum((arb(tiles[i, i].errors[0]) ** 2 for i in range(cut.tiles)), start=arb(0)).sqrt()
        error, enclosure = (rounding, spread) if same else (moved, arb(0))  # Coq: R2 gram, R2 enclosed
        return Gram({}, cut.edges, size, arb(0), error, enclosure, record)


def factor_of(cut: Layout, known: Mapping[str, TileRecord], gram: Gram, shift: float) -> Factor:
    """The residual of a factor whose tiles are all there.

    Parameters
    ----------
    cut : Layout
        Blocks and tiles.
    known : mapping
        Name -> record, of all its tiles, made from the tiles that ``gram`` speaks of (`standing`).
    gram : Gram
        The errors of H.
    shift : float
        c.

    Returns
    -------
    Factor
        Without blocks. Guarantee: ``||H - cI - C C^T||_2 <= residual``. Source: `factor_tile`.
    """
    residual, squares = arb(0), arb(0)
    with working_precision(BITS):
        for task in tasks_of(cut, shift):
            numbers = known[task.name].numbers
            if not isinstance(numbers, FactorNumbers):
                raise TypeError(f"tile {task.name} holds no part of a factor")
            residual, squares = residual + arb(numbers.residual), squares + arb(numbers.squares)
        roundings = arb(gamma(cut.sizes.block + cut.sizes.blocks + 6))
        lost = roundings * (gram.squares + abs(arb(shift)) + squares) + 2 * cut.sizes.samples * arb(TINY)
        return Factor({}, shift, residual.sqrt() + lost)  # Coq: R2 factor
