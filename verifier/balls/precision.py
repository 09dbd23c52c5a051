"""The one place where Arb's working precision is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import flint

MIN_BITS, MAX_BITS = 32, 16384
"""The range that certificates allow, too."""


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Set python-flint's global precision to ``bits`` inside the ``with`` block and restore it afterwards.

    python-flint keeps one precision per process, for all its threads: enclosures are computed inside such a block and
    nowhere else, and two threads must not be inside blocks at the same time. The value of the precision affects how
    sharp an enclosure is, never whether it is one; but a table of rounded numbers is only as good as the precision.

    Guarantee: the precision is ``bits`` inside the block and what it was before on leaving it, also by an exception.

    Parameters
    ----------
    bits : int
        The precision.

    Raises
    ------
    ValueError
        If ``bits`` is outside 32..16384.
    """
    if not MIN_BITS <= bits <= MAX_BITS:
        raise ValueError(f"precision {bits} is outside {MIN_BITS}..{MAX_BITS} bits")
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before
