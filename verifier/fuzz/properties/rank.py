"""Properties of rank verdicts: held against exact algebra, 200 digits, and structure."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.fuzz import oracle
from verifier.fuzz.graph_steps import RATIONAL
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.node_values import Undefined
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import activations, datasets, specimens
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.options import Engine
from verifier.rank.result import RankResult
from verifier.verdict import Verdict

EXACT_DATA = datasets(kinds=("integers", "dyadic", "duplicates"))
NOISE = mpmath.mpf(10) ** (30 - oracle.DIGITS)
"""Errors of the 200-digit oracle are far below this multiple of the largest number involved."""
SIZE_LIMIT = 1e6
"""Features beyond this are left to the exact oracle: 200 digits would not hold their differences."""
RANDOM_SEEDS = (11, 12, 13)


def engine_of(specimen: Specimen) -> Engine:
    """One of both engines, chosen by the specimen itself, so that both are used and a replay uses the same."""
    return "binary64" if int(specimen.digest, 16) % 4 == 0 else "arb"


def _exact_specimens() -> st.SearchStrategy[Specimen]:
    layers = specimens(
        data=EXACT_DATA,
        activations=activations("rational"),
        parameter_kinds=("integers", "degenerate", "structured", "gaussian"),
    )
    return layers | graph_specimens(nodes=RATIONAL, activations=activations("rational"), sugar=False)


def any_specimens() -> st.SearchStrategy[Specimen]:
    """Draw networks of layers, and any graphs."""
    return specimens() | graph_specimens()


@holds_for(_exact_specimens)
def exact_rank(specimen: Specimen) -> str:
    """Where activations are rational, PROVED means rank N and REFUTED at most the stated bound, by exact fractions."""
    if not oracle.is_rational(specimen.network):
        return "no rational activations"  # a case of --case, never drawn
    found = specimen.rank(engine=engine_of(specimen))
    rank = oracle.exact_rank(specimen.network, specimen.u, specimen.data.inputs)
    _compare(found, rank, "exactly")
    return f"{found.verdict}, full" if rank == found.samples else f"{found.verdict}, deficient"


@holds_for(any_specimens)
def high_precision_rank(specimen: Specimen) -> str:
    """PROVED means sigma_N at 200 digits at least the stated bound; REFUTED, that all beyond the bound vanish."""
    inputs = specimen.data.inputs
    largest = np.abs(approx_features(specimen.network, specimen.u, inputs)).max()
    if not largest < SIZE_LIMIT or np.abs(inputs).max() > SIZE_LIMIT or np.abs(specimen.u).max(initial=0) > SIZE_LIMIT:
        return "beyond 200 digits"
    found = specimen.rank(engine=engine_of(specimen))
    values = oracle.approx_singular_values_to(oracle.approx_features_to(specimen.network, specimen.u, inputs))
    with mpmath.workdps(oracle.DIGITS):
        room = NOISE * (1 + values[0])
        if found.verdict is Verdict.PROVED:
            if len(values) < found.samples or not values[-1] + room >= mpmath.mpf(found.sigma_lower):
                shown = mpmath.nstr(values[-1], 20)
                raise Falsified(f"sigma_N >= {found.sigma_lower!r} is claimed; it is {shown}", {"rank": "UNDECIDED"})
            return "PROVED"
        if found.verdict is Verdict.REFUTED and found.deficiency is not None:
            bound = found.deficiency.rank_at_most
            if bound >= found.samples or any(value > room for value in values[bound:]):
                raise Falsified(
                    f"rank <= {bound} is claimed ({found.reason}); singular value {bound + 1} is "
                    f"{mpmath.nstr(values[bound], 20)}",
                    {"rank": "PROVED"},
                )
    return str(found.verdict)


def _undefined() -> st.SearchStrategy[Specimen]:
    """Roots of what may be 0 or negative, by which something is divided."""
    kinds = ("inverse-root", "normalise", "scale", "add", "multiply", "map", "affine")
    return graph_specimens(nodes=kinds, parameter_kinds=("integers",), sugar=False)


@holds_for(_undefined)
def nothing_is_proved_where_psi_is_undefined(specimen: Specimen) -> str:
    """Where a node has no value at U (1/sqrt of what is not above 0), nothing is claimed of Psi(U)."""
    try:
        oracle.approx_features_to(specimen.network, specimen.u, specimen.data.inputs)
    except Undefined:
        with np.errstate(all="ignore"):
            psi = approx_features(specimen.network, specimen.u, specimen.data.inputs)
        if np.isfinite(psi).all():
            return "undefined where no column of Psi reads"
        found = specimen.prove(engine=engine_of(specimen))
        if found.rank.verdict is not Verdict.UNDECIDED or not found.builder.empty:
            raise Falsified(f"rank {found.rank.verdict} ({found.rank.reason}), but Psi(U) is undefined") from None
        return "undefined"
    return "defined"


def _compare(found: RankResult, rank: int, how: str) -> None:
    if found.verdict is Verdict.PROVED and rank < found.samples:
        raise Falsified(f"rank N = {found.samples} is PROVED ({found.reason}); {how} it is {rank}", {"rank": "REFUTED"})
    if found.verdict is Verdict.REFUTED:
        bound = -1 if found.deficiency is None else found.deficiency.rank_at_most
        if not rank <= bound < found.samples:
            raise Falsified(
                f"rank <= {bound} < N = {found.samples} is claimed ({found.reason}); {how} it is {rank}",
                {"rank": "PROVED"},
            )


@st.composite
def singular_specimens(draw: st.DrawFn) -> Specimen:
    """Problems whose Psi is rank deficient by construction.

    Equal samples that are kept, fewer units than samples, linear units in low dimension, quadratic units, units that
    copy N - 1 others, a network that is constant behind zero weights.
    """
    kind = draw(st.sampled_from(["kept", "few", "linear", "quadratic", "copies", "constant"]))
    if kind == "kept":
        data = draw(datasets(kinds=("duplicates",)))
        return draw(specimens(data=st.just(data), wide=True, duplicates=("keep",)))
    if kind == "few":
        return draw(specimens(wide=False, duplicates=("keep",)))
    degree = {"linear": "identity", "quadratic": "square"}.get(kind)
    dimension = 1 if kind == "quadratic" else 2
    data = draw(datasets(min_samples=4, max_dimension=dimension, kinds=("integers", "dyadic", "floats")))
    name = st.just(degree) if degree else activations("analytic")
    found = draw(specimens(data=st.just(data), activations=name, max_layers=1, convolutions=False, wide=True))
    found = replace(found, duplicates="keep")
    if degree:
        return found
    u = np.array(found.u)
    for view in found.network.parameters:
        part = view.of(u)
        if kind == "copies":
            for unit in range(len(found.inputs) - 1, len(part)):
                part[unit] = part[unit % (len(found.inputs) - 1)]
        elif view.spec.fan_in:
            part[...] = 0.0
    return replace(found, u=u)


@holds_for(singular_specimens)
def singular_is_never_proved(specimen: Specimen) -> str:
    """A Psi that is rank deficient by construction is PROVED by neither engine."""
    engines: tuple[Engine, ...] = ("binary64", "arb")
    for engine in engines:
        found = specimen.rank(engine=engine)
        if found.verdict is Verdict.PROVED:
            raise Falsified(f"PROVED by {engine} ({found.reason}); singular by construction", {"rank": "REFUTED"})
    return str(found.verdict)


def _wide() -> st.SearchStrategy[Specimen]:
    return specimens(wide=True, duplicates=("group",), parameter_kinds=("gaussian", "integers", "structured"))


@holds_for(_wide)
def more_skip_units_keep_the_rank(specimen: Specimen) -> str:
    """A rank that is PROVED stays PROVED when skip units are added."""
    before, after = specimen.rank(), with_more_units(specimen, 2).rank()
    if before.verdict is Verdict.PROVED and after.verdict is not Verdict.PROVED:
        raise Falsified(f"PROVED with M = {before.columns}, {after.verdict} with M = {after.columns}: {after.reason}")
    return f"{before.verdict} then {after.verdict}"


def with_more_units(specimen: Specimen, count: int) -> Specimen:
    """Add a dense layer of ``count`` skip units that reads the input; everything else stays as it is.

    Parameters
    ----------
    specimen : Specimen
        A problem.
    count : int
        How many units.

    Returns
    -------
    Specimen
        The problem with M + count columns of Psi.
    """
    layer = {"kind": "dense", "width": count, "activation": "tanh", "skip": True, "inputs": ["input"]}
    layers = (*specimen.layers, layer)
    fresh = np.arange(1, count * (specimen.inputs.shape[1] + 1) + 1) / 8.0
    v = np.concatenate([specimen.v, np.ones((count, specimen.v.shape[1]))])
    return replace(specimen, layers=layers, u=np.concatenate([specimen.u, fresh]), v=v)


def _moderate() -> st.SearchStrategy[Specimen]:
    layers = specimens(
        data=datasets(max_samples=5, kinds=("integers", "dyadic", "floats", "duplicates")),
        parameter_kinds=("gaussian", "integers", "structured"),
        max_width=5,
    )
    return layers | graph_specimens()


@holds_for(_moderate)
def almost_every_u(specimen: Specimen) -> str:
    """Full rank at almost every U (W0) means rank N at random U at 200 digits; a bound for every U holds there."""
    theorem = specimen.prove().theorem
    generic = theorem.verdict("W0")
    generic = Verdict.UNDECIDED if generic is None else generic  # where W0 does not apply
    bound = None if theorem.deficiency is None else theorem.deficiency.rank_at_most
    if generic is not Verdict.PROVED and bound is None:
        return str(generic)
    ranks = []
    for seed in RANDOM_SEEDS:
        u = initialise(specimen.network, seed=seed, scale=2.0)
        ranks.append(oracle.approx_rank_to(oracle.approx_features_to(specimen.network, u, specimen.data.inputs)))
    if generic is Verdict.PROVED and max(ranks) < specimen.data.samples:  # deficient somewhere is deficient everywhere
        words = f"W0 is PROVED; at the random U of seeds {RANDOM_SEEDS} the ranks are {ranks}"
        raise Falsified(words, {"generic": "REFUTED"})
    if bound is not None and max(ranks) > bound:
        raise Falsified(
            f"rank <= {bound} is claimed for every U; at the random U of seeds {RANDOM_SEEDS} it is {ranks}"
        )
    return str(generic)
