"""Products of matrices of balls: Arb's own, and a quick way for large matrices of narrow balls.

FLINT multiplies integers of at most one machine word many times faster than longer ones. For A in `left` and B in
`right` let M and S be multiples of powers of two near A and B, so coarse that these integers are short; then

    A B = M S + (A - M) B + M (B - S),

and with |A - M|_ij <= e, |M|_ij <= m, |B - S|_ij <= f, the sums b_j of the sizes of the entries of B in column j, and K
the number of its rows, the last two terms are at most e b_j + K m f in every entry of column j.
"""

from typing import NamedTuple

from flint import arb, arb_mat, ctx

from .common import precision

CLASSICAL = 120  # below it, in any of its three sides, a product is fast as it is
SHORTEST = 40  # but so few rows are enough for the quick way
FEWEST, TALL = 8, 61  # from TALL rows on FLINT multiplies matrices of integers; FEWEST or more are filled up with zeros
LARGEST = (0, 4, 10)  # the entries that the quick way takes are at most 2 to one of these
# bits that S has beyond those of the working precision; up to this one both M and S are integers of one word
GUARD, SHORT = 6, 54
WIDER = (1, 4, 16)  # times the largest radius in the first row: what all radii may be
NARROW = 2.0**-20  # the largest radius, against the largest entry, for which one bound of all of them is sharp enough


class Short(NamedTuple):
    """What the quick way needs of a right factor B: S, the sums b_j of sizes, one row, and the bound f."""

    matrix: arb_mat
    sums: arb_mat
    lost: arb


class Factor(NamedTuple):
    """A right factor B: its balls, and what the quick way needs, where that is worth it."""

    matrix: arb_mat
    short: Short | None = None


def ones(rows: int, columns: int) -> arb_mat:
    """Return the (rows, columns) matrix of ones."""
    return arb_mat(rows, 1, [1] * rows) * arb_mat(1, columns, [1] * columns)


def within(rows: int, columns: int, bound: arb) -> arb_mat:
    """Return the matrix of balls around 0 with this radius, or, as Arb rounds radii up, one a little larger."""
    return ones(rows, columns) * (arb(0, 1) * bound)


def short_factor(matrix: arb_mat) -> Factor:
    """Return a matrix as a right factor, at the working precision.

    Guarantee: every B in it has |B - S|_ij <= f, and the sizes of the entries of its column j add up to at most b_j.
    """
    size, bits = size_of(matrix), ctx.prec + GUARD
    if min(matrix.nrows(), matrix.ncols()) <= CLASSICAL or ctx.prec > SHORT or size is None:
        return Factor(matrix)
    short, frame = to_multiples(matrix, size, bits).mid(), within(*shape(matrix), arb((1, size - bits)))
    if not frame.contains(matrix - short):
        return Factor(matrix)
    sums = arb_mat([[sum(map(abs, line), arb(0)) for line in matrix.transpose().tolist()]])
    return Factor(matrix, Short(short, sums, frame[0, 0].abs_upper()))


def shape(matrix: arb_mat) -> tuple[int, int]:
    """Return the numbers of rows and columns."""
    return matrix.nrows(), matrix.ncols()


def size_of(matrix: arb_mat) -> int | None:
    """Return one of LARGEST; None if 2 to all of these is too small.

    Guarantee: all entries are below 2 to the next power. (Below 2 to this one, up to the rounding of a radius.)
    """
    return next((size for size in LARGEST if within(*shape(matrix), arb((1, size))).contains(matrix)), None)


def to_multiples(matrix: arb_mat, size: int, bits: int) -> arb_mat:
    """Return balls that contain those of the matrix, around multiples of 2^(size - bits) where these are below 2^size.

    With 3 2^size added, numbers are between 2 and 4 times 2^size, where numbers of bits + 2 bits are such multiples.
    """
    shift = ones(*shape(matrix)) * arb((3, size))
    with precision(bits + 2):
        return (matrix + shift) - shift


def multiply(left: arb_mat, right: Factor) -> arb_mat:
    """Multiply balls, the quick way where that is possible; `multiply_plain` is the definition.

    Guarantee: the result contains A B for every A in `left` and B in `right`, by the bound of the module's text.
    """
    if right.short is None or left.nrows() < SHORTEST:
        return multiply_plain(left, right)
    size = size_of(left)
    if size is None:
        return multiply_plain(left, right)
    near = to_multiples(left, size, ctx.prec)
    middle = near.mid()
    error, frame = common_radius(near - middle), within(*shape(left), arb((1, size + 1)))
    largest = frame[0, 0].abs_upper()
    if error is None or not error <= NARROW * largest or not frame.contains(middle):
        return multiply_plain(left, right)
    short, sums, lost = right.short
    reach = sums * error + ones(1, sums.ncols()) * (left.ncols() * largest * lost)
    return multiply_tall(middle, short) + ones(left.nrows(), 1) * (reach * arb(0, 1))


def multiply_tall(left: arb_mat, right: arb_mat) -> arb_mat:
    """Multiply as Arb does, with rows of zeros below `left` where it has so few that FLINT would take the slow way."""
    (rows, inner), columns = shape(left), right.ncols()
    if rows >= TALL:
        return left * right
    filled = arb_mat(TALL, inner, left.entries() + [arb(0)] * ((TALL - rows) * inner))
    return arb_mat(rows, columns, (filled * right).entries()[: rows * columns])


def multiply_plain(left: arb_mat, right: Factor) -> arb_mat:
    """Multiply balls as Arb does."""
    large = left.nrows() >= FEWEST and min(shape(right.matrix)) > CLASSICAL
    return multiply_tall(left, right.matrix) if large else left * right.matrix


def common_radius(distance: arb_mat) -> arb | None:
    """Return a bound of the sizes of all entries that is near the largest of the first row; None if that is none."""
    first = max(distance[0, j].abs_upper() for j in range(distance.ncols()))
    for wider in WIDER:
        frame = within(*shape(distance), first * wider)
        if frame.contains(distance):
            bound: arb = frame[0, 0].abs_upper()
            return bound
    return None
