"""Integers near the entries of a matrix of balls, and a proved bound of how far they are."""

from flint import arb, arb_mat, fmpz_mat

from .common import TooExpensive, above
from .products import ones

# |2^k Psi_ij| must stay below 2^MAX_FEATURE_BITS; below 2^FLOAT_BITS the rounding may start from a binary64
MAX_FEATURE_BITS, FLOAT_BITS, NEAR_HALF, HALF_BALL = 1 << 15, 44, 0.49, arb(0, 0.5 + 2.0**-12)
MAX_FLOAT_SHIFT = 900  # beyond this 2^k and what it multiplies are no binary64 any more


def plain(number: arb) -> tuple[int, ...]:
    """Return mantissa and exponent of an exact finite ball."""
    return tuple(map(int, number.man_exp()))


def largest_error(distance: arb_mat) -> arb:
    """Return an upper bound of the sizes of all entries.

    Errors of rounding are up to one half: then one comparison with a matrix of such balls is enough, many times faster
    than the maximum. Whether it is worth trying, the first row tells.
    """
    first_row = max(distance[0, j].abs_upper() for j in range(distance.ncols()))
    if first_row > NEAR_HALF:
        half = ones(distance.nrows(), distance.ncols()) * HALF_BALL
        if half.contains(distance):
            return half[0, 0].abs_upper()  # all its entries are the same
    return largest_error_plain(distance)


def largest_error_plain(distance: arb_mat) -> arb:
    """Return an upper bound of the sizes of all entries: the definition."""
    return max(map(arb.abs_upper, distance.entries()))


def rounded(flat: list[arb], k: int, path: str) -> list[int]:
    """Return integers near 2^k z; how near is not said, see `distance`.

    Where numbers and shift are small a binary64 finds them, many times faster than `nearest`.
    """
    floats = list(map(float, flat))
    if k <= MAX_FLOAT_SHIFT and max(max(floats), -min(floats)) < 2.0 ** (FLOAT_BITS - k):
        factor = 2.0**k
        return [round(number * factor) for number in floats]
    return [nearest(z, k, path) for z in flat]


def distance(z: arb_mat, k: int, integers: fmpz_mat) -> arb:
    """Return a proved bound of the largest |2^k z - a|, whatever the integers a are."""
    return largest_error(z * arb((1, k)) - arb_mat(integers))


def nearest(z: arb, k: int, path: str) -> int:
    """Return the integer nearest to 2^k times the midpoint."""
    if not z.abs_upper() < arb((1, MAX_FEATURE_BITS - k)):
        raise TooExpensive(path + "/feature_bits", "cost.size", "2^feature_bits times a feature is huge", k, above(z))
    mantissa, exponent = plain(z.mid())
    shift: int = max(-mantissa.bit_length() - 2, exponent + k)
    return mantissa << shift if shift >= 0 else ((mantissa >> (-shift - 1)) + 1) >> 1
