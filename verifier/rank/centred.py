r"""R5 for normalised features: a centred normalisation makes the columns of each of its rows dependent, for every U.

Let :math:`\hat x_1, \dots, \hat x_C` be a row of a normalisation that subtracts the mean, so that their sum is 0 on
every sample, whatever epsilon is; and let :math:`y_j = \gamma_j \hat x_j + \beta_j`, where the numbers
:math:`\gamma_j, \beta_j` may depend on U and not on the sample. If no :math:`\gamma_j` is 0 then
:math:`\sum_j y_j / \gamma_j = \sum_j \beta_j / \gamma_j`; if :math:`\gamma_j = 0` then :math:`y_j = \beta_j`. So for
every U some :math:`w \neq 0` and some s have :math:`\sum_j w_j y_j = s`, the same on all samples, and s = 0 if nothing
was added. Sums over several rows (a mean over tokens), all with the same gains and shifts, inherit this.

Let Psi have M columns, K of them constant on the samples, and let T rows have all of their entries among the others.
Each row gives a column that is a combination of other columns of this row and of the column 1. Hence

* ``rank Psi <= M - K - T + 1`` in general: with an output bias (K = 1) this is M - T;
* ``rank Psi <= M - T`` if K = 0 and nothing was added to any of the T rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.network import Array, Network
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cell:
    """``g x + b``, x the entry ``channel`` of a centred row: equal ``history``, equal g and b; b = 0 unless shifted."""

    row: int
    channel: int
    history: int = 0
    shifted: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """A tensor: of what varies with the sample its cells (None: nothing is known), of the rest a key per entry.

    Entries with equal keys are the same number; ``zero`` says which are exactly 0.
    """

    shape: Shape
    cells: tuple[Cell | None, ...] | None = None
    keys: Keys | None = None
    zero: NDArray[np.bool_] | None = None

    @property
    def varies(self) -> bool:
        """Whether it may depend on the sample."""
        return self.keys is None


@dataclass(frozen=True, slots=True)
class CentredColumns:
    """What centred rows say of Psi: ``rows`` with all their entries among its columns, and constant columns.

    Guarantee: ``rank Psi(U) <= rank_at_most``.
    """

    rows: int
    constant: int
    rank_at_most: int


def centred_columns(network: Network, u: Array | None) -> CentredColumns:
    """Bound the rank of Psi by the normalisations that its columns are entries of.

    Parameters
    ----------
    network
        Any network.
    u
        U of shape ``(p,)``, exact; None: the bound is to hold for every U.

    Returns
    -------
    CentredColumns
        Guarantee: ``rank Psi(U) <= rank_at_most`` on every data set on which Psi(U) is defined, for this U, or for
        every U if none is given. Proof: at the top of this module.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.network.blocks import LayerNorm
    >>> network = vf.Network(3, [LayerNorm(skip=True)])
    >>> centred_columns(network, None).rank_at_most
    3
    >>> centred_columns(vf.Network(3, [LayerNorm(skip=True)], output_bias=True), None).rank_at_most
    3
    """
    ops = _Centred(None if u is None else network.views(u))
    values = network.evaluate(ops)
    constant, found = 0, list[Cell | None]()
    for feature in network.features:
        value = values[feature.node]
        count = math.prod(value.shape) if feature.entries is None else len(feature.entries)
        if not value.varies:
            constant += count
        elif value.cells is not None:
            entries = range(count) if feature.entries is None else feature.entries
            found += [value.cells[entry] for entry in entries]
    shifted: dict[int, dict[int, bool]] = {}
    for cell in found:
        if cell is not None:
            channels = shifted.setdefault(cell.row, {})
            channels[cell.channel] = channels.get(cell.channel, True) and cell.shifted
    rows = [channels for row, channels in shifted.items() if len(channels) == ops.sizes[row]]
    one = bool(constant) or any(any(channels.values()) for channels in rows)
    return CentredColumns(len(rows), constant, network.columns - constant - len(rows) + int(one))


@dataclass
class _Centred(Arithmetic[Cells]):
    """The arithmetic of cells; ``sizes`` has the number of channels of every row, ``views`` the parameters if known."""

    views: dict[str, Array] | None
    sizes: list[int] = field(default_factory=list)
    histories: dict[object, int] = field(default_factory=dict)
    sums: dict[tuple[int, ...], int] = field(default_factory=dict)
    made: int = 0

    def shape(self, value: Cells) -> Shape:
        return value.shape

    def input(self, shape: Shape) -> Cells:
        return Cells(shape)

    def parameter(self, name: str, shape: Shape) -> Cells:
        return self._fixed(shape, None if self.views is None else self.views[name].ravel() == 0)

    def constant(self, values: Array) -> Cells:
        return self._fixed(values.shape, values.ravel() == 0)

    def _fixed(self, shape: Shape, zero: NDArray[np.bool_] | None = None) -> Cells:
        """Numbers that do not vary with the sample, equal to no others as far as is known."""
        count = math.prod(shape)
        keys = np.arange(self.made, self.made + count)
        self.made += count
        return Cells(shape, None, keys, np.zeros(count, dtype=bool) if zero is None else zero)

    def _unknown(self, shape: Shape, *parts: Cells) -> Cells:
        """A result of which nothing is known but whether it varies."""
        return Cells(shape) if any(part.varies for part in parts) else self._fixed(shape)

    def affine(self, geometry: Geometry, sources: Sequence[Cells], weight: Cells, bias: Cells | None) -> Cells:
        return self._unknown(geometry.shape, *sources, weight)

    def map(self, x: Cells, sigma: Activation) -> Cells:
        return self._unknown(x.shape, x)

    def add(self, a: Cells, b: Cells) -> Cells:
        return self._with_number(a, b, shifts=True)

    def multiply(self, a: Cells, b: Cells) -> Cells:
        return self._with_number(a, b, shifts=False)

    def _with_number(self, a: Cells, b: Cells, *, shifts: bool) -> Cells:
        """Cells plus, or times, numbers that do not vary with the sample."""
        shape = tuple(np.broadcast_shapes(a.shape, b.shape))
        moving, number = (a, b) if a.varies else (b, a)
        if moving.cells is None or number.keys is None or number.zero is None:
            return self._unknown(shape, a, b)
        cells, keys = _places(moving.shape, shape), _places(number.shape, shape)
        known, zero = number.keys[keys].tolist(), number.zero[keys].tolist()
        found = []
        for place, key, vanishes in zip(cells.tolist(), known, zero, strict=True):
            cell = moving.cells[place]
            found.append(None if cell is None else self._changed(cell, (shifts, key), shifts and not vanishes))
        return Cells(shape, tuple(found))

    def _changed(self, cell: Cell, step: object, shifted: bool) -> Cell:
        history = self.histories.setdefault((cell.history, step), len(self.histories) + 1)
        return Cell(cell.row, cell.channel, history, cell.shifted or shifted)

    def scale(self, x: Cells, factor: Fraction, *, root: bool = False) -> Cells:
        if x.cells is None:
            return self._unknown(x.shape, x) if x.zero is None else self._fixed(x.shape, x.zero)
        step = ("scale", factor, root)
        return Cells(x.shape, tuple(None if c is None else self._changed(c, step, False) for c in x.cells))

    def gather(self, sources: Sequence[Cells], places: Places) -> Cells:
        flat = places.ravel()
        if all(source.keys is not None and source.zero is not None for source in sources):
            keys = np.concatenate([source.keys for source in sources if source.keys is not None])
            zero = np.concatenate([source.zero for source in sources if source.zero is not None])
            return Cells(places.shape, None, keys[flat], zero[flat])
        if all(source.cells is None for source in sources):
            return Cells(places.shape)
        row: list[Cell | None] = []
        for source in sources:
            row += [None] * math.prod(source.shape) if source.cells is None else source.cells
        return Cells(places.shape, tuple(row[place] for place in flat.tolist()))

    def contract(self, a: Cells, b: Cells, *, transposed: bool = False) -> Cells:
        lead = tuple(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
        return self._unknown((*lead, a.shape[-2], b.shape[-2 if transposed else -1]), a, b)

    def total(self, x: Cells) -> Cells:
        shape, size = x.shape[:-1], x.shape[-1]
        if x.cells is None:
            return self._unknown(shape, x)
        parts = [x.cells[start : start + size] for start in range(0, len(x.cells), size)]
        return Cells(shape, tuple(self._sum(part) for part in parts))

    def _sum(self, part: Sequence[Cell | None]) -> Cell | None:
        """The sum of one channel over several rows, if all have the same gain and shift."""
        cells = [cell for cell in part if cell is not None]
        first = cells[0] if cells else None
        if first is None or len(cells) < len(part):
            return None
        same = all((cell.channel, cell.history) == (first.channel, first.history) for cell in cells)
        if not same or len({self.sizes[cell.row] for cell in cells}) > 1:
            return None
        rows = tuple(sorted(cell.row for cell in cells))
        if rows not in self.sums:
            self.sums[rows] = self._row(self.sizes[first.row])
        return self._changed(Cell(self.sums[rows], first.channel, first.history, first.shifted), len(rows), False)

    def _row(self, channels: int) -> int:
        self.sizes.append(channels)
        return len(self.sizes) - 1

    def largest(self, x: Cells) -> Cells:
        return self._unknown(x.shape[:-1], x)

    def inverse_root(self, x: Cells, epsilon: Fraction) -> Cells:
        return self._unknown(x.shape, x)

    def softmax(self, x: Cells, mask: Cells | None) -> Cells:
        return self._unknown(x.shape, x) if mask is None else self._unknown(x.shape, x, mask)

    def normalise(self, x: Cells, epsilon: Fraction, *, centre: bool) -> Cells:
        if not centre or not x.varies:
            return self._unknown(x.shape, x)
        channels = x.shape[-1]
        rows = [self._row(channels) for _ in range(math.prod(x.shape[:-1]))]
        return Cells(x.shape, tuple(Cell(row, channel) for row in rows for channel in range(channels)))

    def embed(self, tokens: Cells, table: Cells) -> Cells:
        return self._unknown((*tokens.shape, *table.shape[1:]), tokens, table)

    def attend(self, q: Cells, k: Cells, v: Cells, square: Fraction, mask: Cells | None) -> Cells:
        lead = tuple(np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2]))
        parts = (q, k, v) if mask is None else (q, k, v, mask)
        return self._unknown((*lead, q.shape[-2], v.shape[-1]), *parts)


def _places(shape: Shape, wide: Shape) -> Keys:
    """For each entry of a broadcast tensor the flat place of the one that it repeats."""
    return np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), wide).ravel()
