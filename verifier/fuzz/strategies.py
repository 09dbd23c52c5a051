"""Hypothesis strategies: data sets, networks, parameters, starts, losses, and whole specimens. Public: build on them.

Everything shrinks towards few samples with small integers, one dense layer of few units, and weights 0: a
counterexample comes out as one would write it by hand. A property of your own is a function of what they draw::

    from hypothesis import given
    from verifier import fuzz

    @given(fuzz.specimens(activations=fuzz.activations("bounded"), max_layers=1))
    def test_mine(specimen):
        assert specimen.rank().verdict is not vf.Verdict.REFUTED or ...
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from verifier.fuzz.specimen import Specimen
from verifier.landscape.losses import LOSSES
from verifier.network.initialise import Init, initialise, output_weights
from verifier.network.network import Array, Network
from verifier.run.case import build_layers

Samples = tuple[Array, NDArray[np.int64]]
DataKind = Literal["integers", "dyadic", "floats", "nearly-equal", "duplicates", "huge", "tiny", "subnormal"]
ParameterKind = Literal["integers", "gaussian", "structured", "degenerate", "extreme"]
ActivationKind = Literal["rational", "analytic", "bounded", "kinked", "any"]

DATA_KINDS: Final[tuple[DataKind, ...]] = (
    "integers", "dyadic", "duplicates", "nearly-equal", "floats", "tiny", "huge", "subnormal",
)  # fmt: skip
PARAMETER_KINDS: Final[tuple[ParameterKind, ...]] = ("integers", "gaussian", "structured", "degenerate", "extreme")

_POLYNOMIAL = ("identity", "square", "cubic", "t**3/3 - t", "t**2 - t", "t**4 + t")
_ACTIVATIONS: Final[dict[ActivationKind, tuple[str, ...]]] = {
    "rational": (*_POLYNOMIAL, "1/(1 + t**2)", "t/(1 + t**2)", "relu", "hard_tanh", "leaky_relu", "t/(1 + abs(t))"),
    "bounded": ("tanh", "sigmoid", "arctan", "erf", "algebraic", "sin", "exp(-t**2)", "1/(1 + t**2)", "t/(1 + t**2)"),
    "kinked": ("relu", "leaky_relu", "hard_tanh", "elu", "t/(1 + abs(t))", "abs(t)"),
    "analytic": (
        "tanh", "sigmoid", "softplus", "softplus(7)", "arctan", "erf", "algebraic", "sin", "gelu", "silu", "exp",
        "tanh(t) + t/10", "exp(-t**2)", "cos(t)", "sqrt(1 + t**2)", "log(1 + t**2)", *_POLYNOMIAL, "t/(1 + t**2)",
    ),
}  # fmt: skip


def activations(kind: ActivationKind = "any") -> st.SearchStrategy[str]:
    """Names or expressions of activations.

    Parameters
    ----------
    kind
        ``rational`` (exact algebra applies: polynomials, rational functions, piecewise ones), ``analytic``,
        ``bounded``, ``kinked`` (not analytic), or ``any``.

    Returns
    -------
    strategy of str
        For the ``activation`` key of a layer.
    """
    if kind == "any":
        names = dict.fromkeys((*_ACTIVATIONS["analytic"], *_ACTIVATIONS["kinked"], *_ACTIVATIONS["rational"]))
        return st.sampled_from(list(names))
    return st.sampled_from(_ACTIVATIONS[kind])


def any_activation() -> st.SearchStrategy[str]:
    """Any activation of the built-in ones, smooth or not."""
    return activations("any")


def numbers(kind: DataKind = "dyadic") -> st.SearchStrategy[float]:
    """Finite binary64 numbers of a kind: small ``integers``, ``dyadic`` eighths, ``floats``, or of extreme size."""
    if kind in ("integers", "duplicates"):
        return st.integers(-4, 4).map(float)
    if kind == "floats":
        return st.floats(-8.0, 8.0, allow_subnormal=False)
    eighths = st.integers(-32, 32).map(lambda k: k / 8.0)
    if kind == "huge":
        return st.tuples(eighths, st.integers(100, 900)).map(lambda x: math.ldexp(*x))
    if kind == "tiny":
        return st.tuples(eighths, st.integers(-900, -100)).map(lambda x: math.ldexp(*x))
    if kind == "subnormal":
        return st.integers(-(2**20), 2**20).map(lambda k: math.ldexp(k, -1074))
    return eighths


@st.composite
def datasets(
    draw: st.DrawFn,
    *,
    min_samples: int = 2,
    max_samples: int = 6,
    max_dimension: int = 3,
    max_classes: int = 3,
    kinds: Sequence[DataKind] = DATA_KINDS,
) -> Samples:
    """Samples ``(n, d)`` and labels ``(n,)``, classes 0..m-1 that all occur.

    Parameters
    ----------
    min_samples, max_samples, max_dimension, max_classes
        Bounds, at least 2, 2, 1, 2.
    kinds
        ``integers``, ``dyadic``, ``floats``; ``duplicates`` (some samples equal, labels may conflict),
        ``nearly-equal`` (some one ulp apart), ``huge`` (up to 2^900), ``tiny``, ``subnormal``. Not ``duplicates``:
        samples are distinct.

    Returns
    -------
    strategy of (ndarray, ndarray)
    """
    kind = draw(st.sampled_from(kinds))
    n = draw(st.integers(max(min_samples, 2), max_samples))
    d = draw(st.integers(1, max_dimension))
    number = numbers(kind)
    row = st.lists(number, min_size=d, max_size=d).map(tuple)
    base = n - draw(st.integers(1, n - 1)) if kind in ("duplicates", "nearly-equal") else n
    rows = [list(r) for r in draw(st.lists(row, min_size=base, max_size=base, unique=True))]
    for _ in range(n - base):
        copy = list(rows[draw(st.integers(0, base - 1))])
        if kind == "nearly-equal":
            at = draw(st.integers(0, d - 1))
            while copy in rows:
                copy[at] = math.nextafter(copy[at], math.inf)
        rows.append(copy)
    inputs = np.array(rows, dtype=np.float64) + 0.0
    classes = draw(st.integers(2, min(max_classes, n)))
    labels = [*range(classes), *draw(st.lists(st.integers(0, classes - 1), min_size=n - classes, max_size=n - classes))]
    return inputs, np.array(draw(st.permutations(labels)), dtype=np.int64)


@st.composite
def networks(
    draw: st.DrawFn,
    dimension: int,
    *,
    max_layers: int = 3,
    max_width: int = 6,
    min_skips: int = 1,
    max_skips: int | None = None,
    activations: st.SearchStrategy[str] | None = None,
    convolutions: bool = True,
) -> tuple[dict[str, Any], ...]:
    """Layer tables of a case file: a random DAG of dense, convolutional and pooling layers on inputs ``(d,)``.

    Parameters
    ----------
    dimension
        d. With ``convolutions`` and d >= 2 a first conv1d layer may occur, with or without padding; it needs the input
        shape ``(1, d)``.
    max_layers, max_width
        Bounds.
    min_skips, max_skips
        Bounds on M, met by the width of one more dense layer, or by leaving units out.
    activations
        Strategy for the activations; default ``activations()``.

    Returns
    -------
    strategy of tuple of dict
    """
    names = activations if activations is not None else any_activation()
    depth = draw(st.integers(1, max_layers))
    layers: list[dict[str, Any]] = []
    if convolutions and dimension >= 2 and draw(st.booleans()):
        kernel = draw(st.integers(1, dimension))
        bias = draw(st.sampled_from(["per-unit", "tied"]))
        layers.append({"kind": "conv1d", "filters": draw(st.integers(1, 3)), "kernel": kernel, "bias": bias})
        layers[0] |= {"activation": draw(names), "skip": draw(st.booleans())}
        padding = draw(st.integers(0, min(kernel - 1, 2)))
        layers[0] |= {"padding": padding} if padding else {}
        positions = dimension + 2 * padding - kernel + 1
        if positions >= 2 and draw(st.booleans()):
            layers.append({"kind": "avgpool", "kernel": [2], "stride": [1], "skip": draw(st.booleans())})
    while len(layers) < depth:
        width = draw(st.integers(1, max_width))
        table: dict[str, Any] = {"kind": "dense", "width": width, "activation": draw(names), "skip": False}
        table["skip"] = draw(st.one_of(st.just(True), st.just(False), _subset(width)))
        if layers:
            sources: list[Any] = ["input", *range(len(layers))]
            table["inputs"] = draw(st.lists(st.sampled_from(sources), min_size=1, unique=True))
        layers.append(table)
    return _with_skips(layers, dimension, min_skips, max_skips, draw(names))


def _subset(width: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, width - 1), min_size=1, unique=True).map(sorted)


def _with_skips(
    layers: list[dict[str, Any]], dimension: int, low: int, high: int | None, name: str
) -> tuple[dict[str, Any], ...]:
    """Bring M between the bounds: a lone dense layer is widened, else one more dense layer on the input fills up."""
    if len(layers) == 1 and layers[0]["kind"] == "dense":
        (layer,) = layers
        width = max(layer["width"], low, 1)
        return ({**layer, "width": width if high is None else min(width, max(high, 1)), "skip": True},)
    counts = [_skips(layers, index, dimension) for index in range(len(layers))]
    for index in range(len(layers)):
        if high is not None and sum(counts) > high:
            layers[index]["skip"], counts[index] = False, 0
    missing = max(low, 1) - sum(counts)
    if missing > 0:
        layers.append({"kind": "dense", "width": missing, "activation": name, "skip": True, "inputs": ["input"]})
    return tuple(layers)


def _skips(layers: Sequence[Mapping[str, Any]], index: int, dimension: int) -> int:
    skip = layers[index]["skip"]
    if not isinstance(skip, bool):
        return len(skip)
    if not skip:
        return 0
    if layers[index]["kind"] == "dense":
        return int(layers[index]["width"])
    first = layers[0]
    positions = dimension + 2 * int(first.get("padding", 0)) - int(first["kernel"]) + 1
    return int(first["filters"]) * (positions - index)


@st.composite
def parameters(draw: st.DrawFn, network: Network, *, kinds: Sequence[ParameterKind] = PARAMETER_KINDS) -> Array:
    """Draw hidden parameters U, ``(p,)``, of a kind that is drawn, too.

    Parameters
    ----------
    network
        The network.
    kinds
        ``integers`` (halves between -4 and 4, each shrinks to 0), ``gaussian`` (a seed and a power of two),
        ``structured`` (zeros, cloned or constant units), ``degenerate`` (units copied from others, or mirrored),
        ``extreme`` (scaled by up to 2^±300).

    Returns
    -------
    strategy of ndarray
    """
    kind = draw(st.sampled_from(kinds))
    if kind in ("integers", "degenerate"):
        u = np.array(
            draw(st.lists(_halves(), min_size=network.parameter_count, max_size=network.parameter_count)), dtype=float
        )
        return _degenerate(draw, network, u) if kind == "degenerate" else u
    seed, power = draw(st.integers(0, 999)), draw(st.integers(-3, 4))
    if kind == "structured":
        degenerate: list[Init] = ["zeros", "cloned", "constant-unit"]
        init = draw(st.sampled_from(degenerate))
        return initialise(network, init, seed=seed, scale=2.0**power)
    u = initialise(network, seed=seed, scale=2.0**power)
    return u * 2.0 ** draw(st.integers(-300, 300)) if kind == "extreme" else u


def _halves() -> st.SearchStrategy[float]:
    return st.integers(-8, 8).map(lambda k: k / 2.0)


def _degenerate(draw: st.DrawFn, network: Network, u: Array) -> Array:
    """Copy some units of a layer from another one of it, some with the opposite sign."""
    for view in network.parameters:
        part = view.of(u)
        if view.spec.fan_in == 0 or len(part) < 2:
            continue
        bias = next(v for v in network.parameters if v.block == view.block and v.spec.fan_in == 0).of(u)
        for target in range(1, len(part)):
            if draw(st.booleans()):
                source, sign = draw(st.integers(0, target - 1)), draw(st.sampled_from([1.0, -1.0]))
                part[target], bias[target] = sign * part[source], sign * bias[source]
    return u


@st.composite
def starts(draw: st.DrawFn, network: Network, classes: int) -> Array:
    """Output weights V, ``(M, m)``: zeros, small halves, Gaussian, or huge.

    Parameters
    ----------
    draw, network, classes
        Hypothesis' function, the network with M columns of Psi, and m.

    Returns
    -------
    strategy of ndarray
        V, exact binary64 numbers.
    """
    kind = draw(st.sampled_from(["zeros", "integers", "gaussian", "huge"]))
    shape = (network.skip_count, classes)
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "integers":
        size = math.prod(shape)
        return np.array(draw(st.lists(_halves(), min_size=size, max_size=size)), dtype=float).reshape(shape)
    scale = 2.0 ** draw(st.integers(10, 40)) if kind == "huge" else 1.0
    return output_weights(network, classes, seed=draw(st.integers(0, 999))) * scale


def losses() -> st.SearchStrategy[tuple[str, ...]]:
    """Names of the losses of Theorem C.3, some or all."""
    return st.lists(st.sampled_from(LOSSES), min_size=1, unique=True).map(tuple)


def class_weights(classes: int) -> st.SearchStrategy[tuple[float, ...] | None]:
    """Positive class weights, or none."""
    positive = st.integers(1, 64).map(lambda k: k / 8.0)
    return st.none() | st.lists(positive, min_size=classes, max_size=classes).map(tuple)


@st.composite
def specimens(
    draw: st.DrawFn,
    *,
    data: st.SearchStrategy[Samples] | None = None,
    activations: st.SearchStrategy[str] | None = None,
    parameter_kinds: Sequence[ParameterKind] = PARAMETER_KINDS,
    max_layers: int = 2,
    max_width: int = 6,
    wide: bool | None = None,
    convolutions: bool = True,
    with_losses: bool = False,
    duplicates: Sequence[Literal["group", "keep"]] = ("group", "keep"),
) -> Specimen:
    """Whole problems: data, network, U, V, losses.

    Parameters
    ----------
    data
        Strategy for samples and labels; default ``datasets()``.
    activations, max_layers, max_width, convolutions
        As in `networks`.
    parameter_kinds
        As in `parameters`.
    wide
        True: M >= n, so that full rank is possible; False: M <= n - 1; None: either.
    with_losses
        Also draw losses of Theorem C.3 and class weights.
    duplicates
        Whether equal samples are grouped or kept.

    Returns
    -------
    strategy of Specimen
    """
    inputs, labels = draw(data if data is not None else datasets())
    n, d = inputs.shape
    wide = draw(st.sampled_from([True, True, True, False])) if wide is None else wide
    bounds = (n, None) if wide else (1, n - 1)
    layers = draw(
        networks(
            d,
            max_layers=max_layers,
            max_width=max_width,
            min_skips=bounds[0],
            max_skips=bounds[1],
            activations=activations,
            convolutions=convolutions,
        )
    )
    shape = (1, d) if any(layer["kind"] != "dense" for layer in layers) else None
    network = Network(shape or (d,), build_layers(layers))
    m = int(labels.max()) + 1
    u = draw(parameters(network, kinds=parameter_kinds))
    v = draw(starts(network, m))
    chosen = draw(losses()) if with_losses else ()
    weights = draw(class_weights(m)) if with_losses else None
    kept = draw(st.sampled_from(duplicates))
    return Specimen(inputs, labels, layers, u, v, shape, kept, chosen, weights)
