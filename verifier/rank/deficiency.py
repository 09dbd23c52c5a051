"""R5: rank deficiency proved by structure, in exact rational arithmetic; never from small numbers.

In a network of layers alone every hidden unit gets a normal form (`unit_forms`). The number of forms among the skip
units bounds the rank of Psi; for polynomial activations the monomials of the input (`monomials`) bound it as well. With
the weights left free, units with the same form are the same function for every U: then the bound holds for every U. In
any other network the columns that come out of a normalisation depend on each other (`spans`). Linear layers above a
narrow one add no rank (`affine_basis`). An output bias is one more function, the constant 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.data.grouping import distinct_rows
from verifier.display import count
from verifier.network.arguments import given_inputs
from verifier.network.flags import flags_of
from verifier.network.network import Array, Network
from verifier.rank.affine_basis import affine_basis
from verifier.rank.monomials import monomial_rank
from verifier.rank.spans import span_of_columns
from verifier.rank.unit_forms import FormTable, UnitForm, unit_forms


@dataclass(frozen=True, slots=True)
class Deficiency:
    """Proof that ``rank Psi(U) <= rank_at_most < N``: the kind of reason and an explanation in words.

    ``stated``: whether a certificate can say it, because the checker knows this kind of reason.
    """

    reason: str
    rank_at_most: int
    explanation: str
    stated: bool = True


def cheap_deficiency(network: Network, inputs: Array) -> Deficiency | None:
    """Deficiency that needs no look at the weights: M < N, or equal samples.

    Parameters
    ----------
    network, inputs
        The network and the samples, shape ``(N, d)``.

    Returns
    -------
    Deficiency or None
        Guarantee: a result implies ``rank Psi(U) <= rank_at_most < N`` for EVERY U. None says nothing.
    """
    n, m = len(inputs), network.skip_count
    if m < n:
        return Deficiency("fewer-units", m, f"Psi has only M = {m} columns for N = {n} samples")
    distinct = int(distinct_rows(inputs + 0.0).max()) + 1
    if distinct < n:
        return Deficiency(
            "equal-samples",
            distinct,
            f"only {distinct} of the N = {n} samples are distinct; equal samples give equal rows",
        )
    return None


def structural_deficiency(network: Network, u: Array, inputs: Array) -> Deficiency | None:
    """Deficiency from equal, mirrored, constant or polynomial units, and from normalised features.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)`` and the samples, shape ``(N, d)``, finite and exact.

    Returns
    -------
    Deficiency or None
        Guarantee: a result implies ``rank Psi(U) <= rank_at_most < N`` for this U and data. None says nothing.
    """
    found = _structural_bound(network, u, inputs)
    if found.rank_at_most < len(inputs):
        return found
    found = _affine_bound(network)
    return found if found.rank_at_most < len(inputs) else None


def structural_bound_every_u(network: Network, inputs: Array) -> Deficiency | None:
    """Deficiency whatever the hidden weights and biases are: for EVERY U the rank of Psi(U) is below N.

    Parameters
    ----------
    network
        The network; its weights and biases are free.
    inputs
        Samples, shape ``(N, d)``, finite.

    Returns
    -------
    Deficiency or None
        With reason ``every-u``. Guarantee: a result implies ``rank Psi(U) <= rank_at_most < N`` for EVERY U in R^p on
        this data, where Psi(U) is defined. None says nothing.

    Raises
    ------
    InputError
        If the samples do not fit the network or are not finite.

    Notes
    -----
    The normal forms are functions of U and the sample. A dense unit, and a convolution unit with a bias of its own, is
    a form of its own. With a tied bias two positions of a filter whose windows show the same forms are one form, for
    they apply one function of U to the same numbers; a place in the padding shows the constant 0. Pools have no weights
    and are combined exactly. A unit whose sources are all constant over the samples is. The degree of a polynomial unit
    is bounded for every U at once, so that all such units lie in the span of the monomials. The features that come out
    of a normalisation satisfy one linear equation per row, with coefficients that depend on U, whatever U is.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> vf.structural_bound_every_u(network, np.array([[0.0], [0.0], [1.0]])).rank_at_most
    2
    """
    inputs = given_inputs(network, inputs)
    n = len(inputs)
    if flags_of(network).undefined:
        return None
    bounds = [cheap_deficiency(network, inputs), _structural_bound(network, None, inputs), _affine_bound(network)]
    below = [bound for bound in bounds if bound is not None and bound.rank_at_most < n]
    if not below:
        return None
    best = min(below, key=lambda bound: (not bound.stated, bound.rank_at_most))
    return Deficiency("every-u", best.rank_at_most, f"for EVERY U: {best.explanation}", best.stated)


def _structural_bound(network: Network, u: Array | None, inputs: Array) -> Deficiency:
    """The structural bound, below N or not; without U it holds for every U."""
    if network.layered is None:
        return _span_bound(network, inputs)
    forms = FormTable()
    units = unit_forms(network, u, inputs, forms)
    skip = [units[index][unit] for index, members in network.skip_units for unit in members]
    moving = {unit.form for unit in skip if unit.form >= 0 and not forms.constant[unit.form]}
    constant = any(forms.constant[unit.form] if unit.form >= 0 else unit.offset != 0 for unit in skip)
    offsets = {(unit.form, unit.offset) for unit in skip if unit.form in moving}
    constant = constant or len(offsets) > len(moving)  # a form z and its mirror image c0 - z, c0 != 0, span z and 1
    constant = constant or network.output_bias
    words = _few_functions(len(skip), len(moving), constant, network.output_bias)
    words += _tied_words(network, units) if u is None else ""
    best = Deficiency("dependent-units", len(moving) + int(constant), words)
    polynomial = [f for f in moving if forms.degree[f] is not None]
    if polynomial:
        degree = max(d for f in polynomial if (d := forms.degree[f]) is not None)
        span = monomial_rank(inputs, degree)  # of a space that contains the constants
        bound = len(moving) - len(polynomial) + span
        if bound < best.rank_at_most:
            best = Deficiency(
                "dependent-units",
                bound,
                f"{len(polynomial)} of the skip units are polynomials of degree <= {degree} in the inputs; "
                f"on the samples these span only {span} dimensions",
            )
    return best


def _tied_words(network: Network, units: Sequence[Sequence[UnitForm]]) -> str:
    """Name the layers whose tied bias makes positions with equal patches equal units."""
    tied = [
        index
        for index, layer in enumerate(network.layers)
        if layer.bias == "tied" and len(set(units[index])) < len(units[index])
    ]
    if not tied:
        return ""
    layers = ", ".join(map(str, tied))
    return f" (layer {layers}: with a tied bias, positions that see the same patch on every sample are one function)"


def _span_bound(network: Network, inputs: Array) -> Deficiency:
    """The bound by functions that span the columns for every U; M if nothing is known."""
    found = span_of_columns(network, inputs)
    words = f"the M = {network.columns} columns are multiples of {found.forms} functions"
    words += " and the constant" if found.constant else ""
    if found.rows:
        words += f", of which {count(found.rows, 'row')} add up to 0 as those of a normalisation"
    words += f": they span at most {found.rank_at_most} dimensions"
    return Deficiency("dependent-units", found.rank_at_most, words)


def _affine_bound(network: Network) -> Deficiency:
    """The bound by few values of which all columns are affine functions, for every U."""
    found = affine_basis(network)
    where = " and ".join(f"node {node}" for node in found.nodes) or "no node"
    words = (
        f"the M = {network.columns} columns are affine functions of the {count(found.entries, 'value')} of {where}, "
    )
    words += "with no activation in between (not stated in the certificate)"
    return Deficiency("affine-functions", found.rank_at_most, words, stated=False)


def _few_functions(units: int, moving: int, constant: bool, output_bias: bool) -> str:
    """Say of how few different functions the skip units are."""
    if output_bias and not moving:
        return f"all of the {units} skip units are constant on the samples, as the output bias is"
    if output_bias:
        functions = f"{moving} different non-constant function{'s' * (moving != 1)} and the constant 1"
        return f"the {units} skip units and the output bias are only {functions}"
    if not moving:
        return f"all of the {units} skip units are {'constant' if constant else '0'} on the samples"
    functions = f"{moving} different non-constant function{'s' * (moving != 1)}{' and a constant' if constant else ''}"
    return f"the {units} skip units are only {functions}"
