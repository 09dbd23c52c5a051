"""Taylor coefficients of what a node computes while the weights move, for a whole ball of times at once.

Glossary: a *series* has balls c_0, c_1, .. up to some order; it *encloses* a function x of the time if x^(k)(t) / k! is
in c_k for every time t in the ball of times, for each k. A *group* is a list of series: the entries of one axis.
Whatever identities the derivatives satisfy, evaluated with enclosures, give an enclosure. What is not defined, or not
as often differentiable, has coefficients that are not finite.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from math import comb

from flint import arb

from .expression import GUARDED, taylor

exp: Callable[[arb], arb] = GUARDED["exp"]
ZERO, ONE, UNDEFINED = arb(0), arb(1), arb("nan")


class Series:
    """Balls c_0, c_1, ..; sums and products are as for power series, cut to the shorter one's order."""

    __slots__ = ("c",)

    def __init__(self, c: Iterable[arb]) -> None:
        self.c = list(c)

    def __add__(self, other: "Series") -> "Series":
        """Return the sum of two functions."""
        return Series([a + b for a, b in zip(self.c, other.c, strict=False)])

    def __sub__(self, other: "Series") -> "Series":
        """Return the difference of two functions."""
        return Series([a - b for a, b in zip(self.c, other.c, strict=False)])

    def __mul__(self, other: "Series") -> "Series":
        """Return the product of two functions."""
        return Series([self.product_at(other, order) for order in range(min(len(self.c), len(other.c)))])

    def times(self, factor: arb) -> "Series":
        """Return the product with a constant."""
        return Series([a * factor for a in self.c])

    def product_at(self, other: "Series", order: int) -> arb:
        """Return one coefficient of the product, from those of both up to its order."""
        a, b = self.c, other.c
        found = a[0] * b[order]
        for i in range(1, order + 1):
            found = found + a[i] * b[order - i]
        return found

    def slope(self) -> "Series":
        """Return the derivative, which has one coefficient less."""
        return Series(order * c for order, c in enumerate(self.c) if order)

    def is_finite(self) -> bool:
        """Return whether all coefficients are finite."""
        return all(map(arb.is_finite, self.c))


Group = list[Series]


def still(value: arb, length: int) -> Series:
    """Return the series of a function that stands still."""
    return Series([value, *[ZERO] * (length - 1)])


def total(group: Group, length: int) -> Series:
    """Return the sum of a group, to so many coefficients."""
    return sum(group, still(ZERO, length))


def narrower(first: arb, second: arb) -> arb:
    """Return the ball of the smaller radius of two that contain the same number; the first if one is not finite."""
    return second if first.is_finite() and second.is_finite() and second.rad() < first.rad() else first


def clipped(x: arb, most: arb) -> arb:
    """Return the numbers of x that are in the ball `most`, which has some of them; what is not finite stays so."""
    return x.intersection(most) if x.is_finite() and most.is_finite() and x.overlaps(most) else x


def within(x: arb, most: arb, exists: bool) -> arb:
    """Return the numbers of x that are in the ball `most`; all of that if x says nothing of a number that exists."""
    return most if exists and not x.is_finite() else clipped(x, most)


def square(x: arb) -> arb:
    """Return the squares of the numbers in x, none of them below 0."""
    low, high = x.abs_lower(), x.abs_upper()
    return narrower(x * x, (low * low).union(high * high))


def mapped(function: Callable[..., arb], lifted: Callable[..., arb], x: Series) -> Series:
    """Return an activation of a function; the activation is given on balls and on power series.

    Guarantee: as `taylor`; the value is the narrower one of two enclosures, if there are two. To the first order it is
    the chain rule, sigma'(x) x': in t s(t) both factors move, and their rates may cancel only before x' is a ball. What
    contains a change, where kinks are allowed, is proportional to that of x as well.
    """
    if len(x.c) == 1:
        return Series([function(x.c[0])])
    if len(x.c) == 2:
        value, rate = taylor(lifted, [x.c[0], ONE])
        found = [value, rate * x.c[1]]
    else:
        found = taylor(lifted, x.c)
    return Series(found if function is lifted else [narrower(function(x.c[0]), found[0]), *found[1:]])


def reciprocal_root(x: arb) -> arb:
    """Return 1 / sqrt(x), not finite where x > 0 is not certain."""
    return 1 / x.sqrt() if x > 0 else UNDEFINED


def inverse_root(x: Series, epsilon: arb) -> Series:
    """Return y = 1 / sqrt(x + epsilon), not finite where x + epsilon > 0 is not certain.

    Guarantee: by y' = -(1/2) y^3 x'.
    """
    y, slope = Series([reciprocal_root(x.c[0] + epsilon)]), x.slope()
    for order in range(1, len(x.c)):
        y.c.append((y * y * y).product_at(slope, order - 1) / (-2 * order))
    return y


def normalised(x: Group, epsilon: arb, *, centre: bool) -> Group:
    """Return (x - c) / sqrt(mean (x - c)^2 + epsilon) over a group; c is the mean, or 0.

    Guarantee: with d = x - c, r = 1 / sqrt(mean d^2 + epsilon) > 0, z = r d and m = mean(z d') the derivatives are
    r' = -r^2 m and z' = r (d' - z m): (mean d^2)' = 2 mean(d d'), so r' = -(1/2) r^3 2 mean(d d') = -r^2 mean(z d').
    And |z_j| <= sqrt(n), as mean z^2 = mean d^2 / (mean d^2 + epsilon) <= 1; and |z'_j| <= ||z'|| <= r ||d'||, as the
    matrix I - z z^T / n in z' = r (I - z z^T / n) d' is symmetric with eigenvalues in [0, 1]. Not finite where mean d^2
    + epsilon > 0 is not certain.
    """
    size, length = len(x), len(x[0].c)
    middle = total(x, length).times(ONE / size)
    d = [entry - middle for entry in x] if centre else x
    r = Series([reciprocal_root(sum((square(entry.c[0]) for entry in d), ZERO) / size + epsilon)])
    z = [Series([clipped(entry.c[0] * r.c[0], ball(arb(size).sqrt()))]) for entry in d]
    slopes = [entry.slope() for entry in d]
    m = Series([])
    for order in range(1, length):
        k = order - 1
        m.c.append(sum((one.product_at(change, k) for one, change in zip(z, slopes, strict=True)), ZERO) / size)
        inward = [r.product_at(change - one * m, k) / order for one, change in zip(z, slopes, strict=True)]
        if order == 1:
            norm = sum((square(change.c[0]) for change in slopes), ZERO).sqrt()
            inward = [clipped(one, ball(r.c[0] * norm)) for one in inward]
        r.c.append((r * r).product_at(m, k) / -order)
        for one, coefficient in zip(z, inward, strict=True):
            one.c.append(coefficient)
    return z


def ball(radius: arb) -> arb:
    """Return a ball around 0 that contains all numbers of at most this size, or is not finite."""
    return arb(0, 1) * radius.abs_upper()


def softmax(x: Group) -> Group:
    """Return e^x_j / sum_k e^x_k over a group.

    Guarantee: with s = sum_k p_k x'_k the derivatives are p'_j = p_j (x'_j - s). The values p_j = 1 / (1 + sum_{k != j}
    e^(x_k - x_j)) lie in [0, 1]. A shift of all x, by an exact number, changes nothing.
    """
    shift = reduce(arb.max, (entry.c[0] for entry in x)).mid()
    powers = [exp(entry.c[0] - shift) for entry in x]
    unit = ZERO.union(ONE)
    p: Group = []
    for j, power in enumerate(powers):
        others = sum((other for k, other in enumerate(powers) if k != j), ZERO)
        share = 1 / (1 + others / power)
        share = share if share.is_finite() else power / (power + others)
        p.append(Series([within(share, unit, all(entry.c[0].is_finite() for entry in x))]))
    slopes = [entry.slope() for entry in x]
    s = Series([])
    for order in range(1, len(x[0].c)):
        k = order - 1
        s.c.append(sum((one.product_at(change, k) for one, change in zip(p, slopes, strict=True)), ZERO))
        for one, change in zip(p, slopes, strict=True):
            one.c.append(one.product_at(change - s, k) / order)
    return p


def largest(x: Group, kinks: bool = False, instant: bool = False) -> Series:
    """Return the maximum of a group: that of one entry, if it attains the maximum at every time.

    Guarantee: if the result is finite, then one entry is at every time at least as large as all others, so that the
    maximum is as often differentiable as that entry. With `kinks`, otherwise, c_1 contains the change: if entry j
    attains the maximum before it and entry i after it, then x'_j - x_j <= max x' - max x <= x'_i - x_i. At an `instant`
    entries may touch, and the one that is the maximum around it is not known: the coefficients contain those of all
    entries that may attain it there.
    """
    top = reduce(lambda best, entry: best if entry.c[0].mid() <= best.c[0].mid() else entry, x)
    leads = all(entry is top or entry.c[0] <= top.c[0] for entry in x)
    if leads and not instant:
        return top
    if not (kinks or instant) or not all(entry.is_finite() for entry in x):
        return Series([UNDEFINED] * len(top.c))
    highest = top.c[0] if leads else reduce(arb.max, (entry.c[0] for entry in x))
    able = [entry for entry in x if not entry.c[0] < highest]
    return Series([highest, *(reduce(arb.union, (entry.c[k] for entry in able)) for k in range(1, len(top.c)))])


def narrowed(whole: Series, point: Series, reach: arb) -> Series:
    """Return a narrower enclosure, from the coefficients at one time.

    `whole`, to order K, encloses x on the ball of times; `point` has the K coefficients, orders 0 to K - 1, at one of
    these times, from which all of them differ by numbers in `reach`.

    Guarantee: by Taylor's theorem x^(j)(t) / j! is sum_{k=j}^{K-1} binomial(k, j) point_k s^(k-j) + binomial(K, j)
    whole_K s^(K-j), where s in `reach` leads to t, with the last coefficient at some time between.
    """
    top = len(point.c)
    if not whole.is_finite():
        return whole
    found: list[arb] = []
    for j in range(top):
        value = comb(top, j) * whole.c[top]
        for k in range(top - 1, j - 1, -1):  # Horner's rule, from above
            value = value * reach + comb(k, j) * point.c[k]
        found.append(narrower(whole.c[j], value))
    return Series([*found, whole.c[top]])


def narrowed_change(whole: Series, point: arb) -> Series:
    """Return a narrower enclosure of x' and of the change x' - x, from one of x itself."""
    value, change = whole.c
    if not whole.is_finite():
        return whole
    return Series([narrower(value, point + change), narrower(change, value - point)])
