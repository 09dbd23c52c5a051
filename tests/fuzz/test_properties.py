"""Each built-in property holds on some examples, sees the cases that matter, and fails if the prover is made wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from everyday import one_in

from verifier import Verdict, fuzz
from verifier.balls.exact import Dyadic, ExactArray
from verifier.fuzz.acceptance import CheckerService
from verifier.fuzz.properties import (
    PROPERTIES,
    Falsified,
    architecture,
    bounds,
    certificate,
    decay,
    enclosure,
    extrema,
    invariance,
    jacobian,
    memorisation,
    path,
    rank,
    sink,
)
from verifier.landscape.gradient_descent import DescentResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.turning_layer import NoMaximum
from verifier.landscape.weight_decay import WeightDecay
from verifier.network.input_maps import InputMaps
from verifier.outcome import Report
from verifier.rank.almost_every_data import AlmostEveryDataSet
from verifier.rank.deficiency import Deficiency
from verifier.rank.every_data import EveryDataSet
from verifier.rank.given_data import GivenData
from verifier.rank.jacobian_rank import JacobianInverse
from verifier.rank.result import RankResult
from verifier.rank.sink import Sink, SinkResult

EXAMPLES = {"path-never-increases": 8, "other-losses-never-increase": 6}
EXAMPLES |= {"loss-is-bounded-for-every-v": 8}
EXAMPLES |= {"paths-that-never-go-up": 60, "connected-sublevel-sets": 20}
EXAMPLES |= {"every-data-set": 8, "almost-every-data-set": 6, "given-data": 10, "scaled-samples": 8}
EXAMPLES |= {"jacobian": 5, "jacobian-rank": 8, "interpolant-exists": 4, "every-target-is-attained": 4}
EXAMPLES |= {"weight-decay-breaks": 4, "runs-are-repeatable": 5, "more-skip-units-keep-the-rank": 5}
EXAMPLES |= {"joined-without-a-barrier": 8, "barrier-of-the-straight-line": 4, "strict-minima-have-a-rim": 3}
USUAL = 10
NON_VACUOUS = {
    "exact-rank": ("PROVED, full", "REFUTED, deficient"),
    "high-precision-rank": ("PROVED", "REFUTED"),
    "singular-is-never-proved": ("REFUTED",),
    "more-skip-units-keep-the-rank": ("PROVED then PROVED",),
    "almost-every-u": ("PROVED",),
    "every-data-set": ("PROVED", "UNDECIDED"),
    "almost-every-data-set": ("PROVED", "UNDECIDED"),
    "weight-decay-breaks": ("PROVED, does not apply",),
    "given-data": ("PROVED", "UNDECIDED"),
    "scaled-samples": ("groups and shift", "matrix and shift"),
    "gradient-descent-keeps-its-bound": ("PROVED", "PROVED, to the end"),
    "no-maximum-anywhere": ("PROVED", "UNDECIDED"),
    "no-suboptimal-strict-minimum": ("along the kernel", "M < N"),
    "enclosures-contain": ("all engines",),
    "engines-agree": ("NumPy, strict array API, Arb",),
    "jacobian": ("contained",),
    "every-target-is-attained": ("PROVED",),
    "jacobian-rank": ("PROVED", "UNDECIDED"),
    "interpolant-exists": ("PROVED",),
    "loss-is-bounded-for-every-v": ("tight", "not refuted"),
    "path-never-increases": ("P1",),
    "exact-rank-of-planted-starts": ("PROVED (R1)", "REFUTED (R6)"),
    "unread-units-move-at-constant-loss": ("S.path",),
    "case-files-reproduce": ("same",),
    "runs-are-repeatable": ("same bytes",),
    "joined-without-a-barrier": ("PROVED, straight", "UNDECIDED"),
    "strict-minima-have-a-rim": ("PROVED",),
    "paths-that-never-go-up": ("S", "S(1)", "S(2)", "UNDECIDED"),
    "connected-sublevel-sets": ("PROVED", "UNDECIDED"),
}

XOR = fuzz.Specimen(
    inputs=np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
    labels=np.array([0, 1, 1, 0]),
    layers=({"kind": "dense", "width": 5, "activation": "cubic", "skip": True},),
    u=np.array([1.0, 0.5, -1.0, 2.0, 0.5, 0.5, 1.0, -2.0, 3.0, 1.0, 0.5, -0.5, 1.0, 0.25, 1.0]),
    v=np.zeros((5, 2)),
)
"""Four samples with cubic units: everything about it is exact."""
TIED = replace(XOR, u=np.zeros(15))


@pytest.mark.parametrize("name", one_in(4, PROPERTIES))
def test_the_property_holds(name: str) -> None:
    entry = PROPERTIES[name]
    found = fuzz.search(
        name, entry.statement, entry.strategy(), entry.check, examples=EXAMPLES.get(name, USUAL), seed=20261124
    )
    assert found.counterexample is None, f"{found.counterexample.reason}\n{found.counterexample.specimen!r}"
    assert found.examples == EXAMPLES.get(name, USUAL)
    for outcome in NON_VACUOUS.get(name, ()):
        assert found.outcomes.get(outcome, 0) > 0, found.outcomes


@pytest.mark.slow
@pytest.mark.parametrize("name", PROPERTIES)
def test_the_property_holds_for_long(name: str) -> None:
    entry = PROPERTIES[name]
    found = fuzz.search(name, entry.statement, entry.strategy(), entry.check, examples=10 * USUAL, seed=7)
    assert found.counterexample is None, f"{found.counterexample.reason}\n{found.counterexample.specimen!r}"


def test_every_statement_says_something() -> None:
    assert all(len(entry.statement) > 40 and entry.statement.endswith(".") for entry in PROPERTIES.values())


def _lying_rank(verdict: Verdict, **changes: Any) -> Callable[..., RankResult]:
    def rank_of(self: fuzz.Specimen, **_: Any) -> RankResult:
        samples, columns = self.data.samples, self.network.skip_count
        return RankResult(verdict, samples, columns, 64, "because", (), **changes)

    return rank_of


def test_a_false_proof_of_rank_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz.Specimen, "rank", _lying_rank(Verdict.PROVED, sigma_lower=1e-3))
    for check in (rank.exact_rank, rank.high_precision_rank):
        with pytest.raises(Falsified, match=r"is PROVED|is claimed") as caught:
            check(TIED)
        assert set(caught.value.expect) == {"rank"}
    with pytest.raises(Falsified, match="singular by construction"):
        rank.singular_is_never_proved(TIED)


def test_a_bound_of_sigma_that_is_too_large_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = XOR.rank()
    assert honest.verdict is Verdict.PROVED
    assert rank.high_precision_rank(XOR) == "PROVED"
    monkeypatch.setattr(fuzz.Specimen, "rank", _lying_rank(Verdict.PROVED, sigma_lower=1e3))
    with pytest.raises(Falsified, match="sigma_N >= 1000"):
        rank.high_precision_rank(XOR)


def test_a_false_deficiency_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    false = Deficiency("equal", 3, "because")
    monkeypatch.setattr(fuzz.Specimen, "rank", _lying_rank(Verdict.REFUTED, deficiency=false))
    for check in (rank.exact_rank, rank.high_precision_rank):
        with pytest.raises(Falsified, match="rank <= 3"):
            check(XOR)


def test_a_rank_that_is_lost_with_more_units_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = fuzz.Specimen.rank

    def forgetful(self: fuzz.Specimen, **keywords: Any) -> RankResult:
        found = honest(self, **keywords)
        return found if found.columns == 5 else replace(found, verdict=Verdict.UNDECIDED)

    monkeypatch.setattr(fuzz.Specimen, "rank", forgetful)
    with pytest.raises(Falsified, match="PROVED with M = 5, UNDECIDED with M = 7"):
        rank.more_skip_units_keep_the_rank(XOR)


def test_false_statements_about_data_sets_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = replace(XOR, layers=({**XOR.layers[0], "activation": "identity"},))
    monkeypatch.setattr(architecture, "prove_every_data_set", lambda *_: EveryDataSet(Verdict.PROVED, "because"))
    with pytest.raises(Falsified, match=r"A is PROVED; on the drawn samples the ranks .* are \[3, 3, 3\]"):
        architecture.every_data_set(linear)
    false = AlmostEveryDataSet(Verdict.PROVED, "because", np.zeros(15), np.eye(4, 2))
    monkeypatch.setattr(architecture, "prove_almost_every_data_set", lambda *_: false)
    with pytest.raises(Falsified, match="the ranks at U\\* and at a random U are 0 and 3"):
        architecture.almost_every_data_set(linear)
    with pytest.raises(Falsified, match=r"U\* has rank 0"):
        architecture.almost_every_data_set(XOR)


def _false_sink(node: int) -> Callable[..., Sink]:
    proved = SinkResult(Verdict.PROVED, "because", node)
    return lambda *_: Sink(proved, proved, proved)


RELU = replace(XOR, layers=({**XOR.layers[0], "activation": "relu"},))
FALSE_PATHS = {
    "leaves a span of dimension 3": replace(XOR, layers=({**XOR.layers[0], "activation": "identity"},)),
    "no unit is free: the basis has 3 columns": replace(
        RELU, layers=({**RELU.layers[0], "width": 3},), u=np.arange(9.0) % 4 - 1, v=np.zeros((3, 2))
    ),
    "the logits change when its unit moves": replace(
        RELU,
        layers=(*RELU.layers, {"kind": "dense", "width": 1, "activation": "relu", "skip": True, "inputs": [0]}),
        u=np.concatenate([TIED.u, np.ones(6)]),
        v=np.ones((6, 2)),
    ),
}


@pytest.mark.parametrize("words", FALSE_PATHS)
def test_a_false_statement_about_paths_is_seen(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identities, one unit too few, and a layer that another one reads."""
    monkeypatch.setattr(sink, "prove_sink", _false_sink(4))
    with pytest.raises(Falsified, match=words):
        sink.paths_that_never_go_up(FALSE_PATHS[words])


def test_connected_sublevel_sets_that_are_not_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many units as samples: none is free when units are to be exchanged."""
    few = replace(RELU, layers=({**RELU.layers[0], "width": 4},), u=np.arange(12.0) % 4 - 1, v=np.zeros((4, 2)))
    monkeypatch.setattr(sink, "prove_sink", _false_sink(4))
    with pytest.raises(Falsified, match="no unit is free: the basis has 4 columns, the layer 4 units"):
        sink.connected_sublevel_sets(few)


def test_false_statements_about_weight_decay_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = {**XOR.layers[0], "activation": "tanh"}
    smooth = replace(XOR, inputs=XOR.inputs[1:3], labels=XOR.labels[1:3], layers=(layer,))
    origin = WeightDecay(Verdict.PROVED, "because", Dyadic(1, -10), np.zeros(15), np.zeros((5, 2)))
    with monkeypatch.context() as patch:
        patch.setattr(decay, "prove_weight_decay", lambda *_: origin)
        with pytest.raises(Falsified, match="its point is not below log 2"):
            decay.weight_decay_breaks(smooth)
    monkeypatch.setattr(decay, "classes_differ", lambda *_: None)
    with pytest.raises(Falsified, match="a point near the origin is not above log 2"):
        decay.weight_decay_breaks(smooth)


def test_false_statements_about_given_and_scaled_samples_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: Any = (
        {"kind": "conv1d", "filters": 1, "kernel": [2], "activation": "tanh", "bias": "tied", "padding": [1]},
        {"kind": "avgpool", "kernel": [3]},
        {"kind": "dense", "width": 2, "activation": "tanh", "skip": True},
    )
    inputs, labels, u, v = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]), np.ones(7), np.zeros((2, 2))
    mirrored = fuzz.Specimen(inputs, labels, tables, u, v, (1, 2))
    assert architecture.given_data(mirrored) == "UNDECIDED"
    assert architecture.scaled_samples(mirrored) == "groups"
    monkeypatch.setattr(architecture, "prove_given_data", lambda *_: GivenData(Verdict.PROVED, "because"))
    with pytest.raises(Falsified, match=r"A is PROVED for these samples; the ranks .* are \[1, 1, 1\]"):
        architecture.given_data(mirrored)
    monkeypatch.setattr(architecture, "input_maps", lambda _: InputMaps("", False, (0, 1), True))
    with pytest.raises(Falsified, match=r"are \[1, 2\] on x and D x \+ c"):
        architecture.scaled_samples(mirrored)


def test_a_step_that_is_too_long_is_seen() -> None:
    """One feature 1 of two samples with different labels: L >= 1/2, and Phi is least at V = 0."""
    psi, start = [[mpmath.mpf(1)], [mpmath.mpf(1)]], [[0.125, -0.125]]
    weights = ExactArray.of_floats(start)
    right = DescentResult(Verdict.PROVED, "because", weights, 64, smoothness=Dyadic(1, -1), steps=9)
    right = replace(right, loss_upper=Dyadic(45427, -16), distance_upper=Dyadic(1, -7))  # log 2 and L |V_0|^2 / 2
    with pytest.raises(Falsified, match="at step 9 is not below"):
        extrema.compare_descent(psi, start, [0, 1], [1, 1], right)
    half = replace(right, smoothness=Dyadic(1, -2), distance_upper=Dyadic(1, -8))
    with pytest.raises(Falsified, match="after 1 steps the loss is"):
        extrema.compare_descent(psi, start, [0, 1], [1, 1], half)
    fifth = replace(right, smoothness=Dyadic(1, -4), distance_upper=Dyadic(9, 0))
    with pytest.raises(Falsified, match="step 1 increases the loss"):
        extrema.compare_descent(psi, start, [0, 1], [1, 1], fifth)


def test_a_number_of_steps_that_is_too_small_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    steep = replace(XOR, layers=({**XOR.layers[0], "activation": "identity"},), labels=np.array([0, 0, 1, 1]))
    assert extrema.gradient_descent_keeps_its_bound(steep).startswith("PROVED")
    honest = extrema.prove_gradient_descent

    def hasty(*arguments: Any, **keywords: Any) -> DescentResult:
        return replace(honest(*arguments, **keywords), steps=1, distance_upper=Dyadic(0, 0), loss_upper=Dyadic(1, -4))

    monkeypatch.setattr(extrema, "prove_gradient_descent", hasty)
    with pytest.raises(Falsified, match="after 1 steps the loss"):
        extrema.gradient_descent_keeps_its_bound(steep)


def test_false_statements_about_every_point_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    square = replace(
        XOR,
        inputs=np.array([[0.0], [1.0], [-1.0], [2.0], [-2.0]]),  # all features together favour class 0
        labels=np.array([1, 0, 0, 0, 0]),
        layers=({**XOR.layers[0], "activation": "square"},),
        u=np.zeros(10),
        v=np.array([[1.0, -1.0]] * 5),
    )
    assert extrema.no_maximum_anywhere(square) == "UNDECIDED"
    monkeypatch.setattr(extrema, "prove_no_maximum", lambda _: NoMaximum(Verdict.PROVED, "because", 4))
    with pytest.raises(Falsified, match="C4 is PROVED; of 80 neighbours"):
        extrema.no_maximum_anywhere(square)
    monkeypatch.setattr(extrema, "enough_columns", lambda *_: True)
    narrow = replace(XOR, layers=({**XOR.layers[0], "width": 1},), u=np.ones(3), v=np.array([[0.0, 0.0]]))
    with pytest.raises(Falsified, match="neither invertible nor has it a kernel"):
        extrema.no_suboptimal_strict_minimum(narrow)


def test_a_false_statement_about_almost_every_u_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = replace(XOR, layers=({**XOR.layers[0], "activation": "identity"},))

    honest = fuzz.Specimen.prove

    def prove(self: fuzz.Specimen, *parts: Any, **keywords: Any) -> Report:
        return replace(honest(self, *parts, **keywords), proof=_Theorem())  # type: ignore[arg-type]

    class _Theorem:
        deficiency = None

        def verdict(self, _: str) -> Verdict:
            return Verdict.PROVED

    monkeypatch.setattr(fuzz.Specimen, "prove", prove)
    with pytest.raises(Falsified, match=r"W0 is PROVED; at the random U of seeds .* the ranks are \[3, 3, 3\]"):
        rank.almost_every_u(linear)
    _Theorem.deficiency = Deficiency("every-u", 2, "because")  # type: ignore[assignment]
    _Theorem.verdict = lambda self, _: Verdict.UNDECIDED  # type: ignore[method-assign]
    with pytest.raises(Falsified, match="rank <= 2 is claimed for every U"):
        rank.almost_every_u(linear)


def test_targets_that_are_not_attained_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = {"kind": "dense", "width": 3, "activation": "identity", "skip": True}
    affine = replace(XOR, layers=(layer,), u=np.ones(9), v=np.zeros((3, 2)))
    assert memorisation.every_target_is_attained(affine) == "UNDECIDED"
    zeros = JacobianInverse(np.arange(5), np.zeros((5, 5)), ExactArray.of_floats(np.zeros((5, 5))), 1.0)
    monkeypatch.setattr("verifier.rank.memorisation.approx_inverse", lambda _: zeros)
    monkeypatch.setattr("verifier.rank.memorisation.residual_bound", lambda *_: 0.0)
    with pytest.raises(Falsified, match="attains no multiple"):
        memorisation.every_target_is_attained(affine)


def test_a_wrong_jacobian_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = replace(XOR, v=np.linspace(-1.0, 1.0, 10).reshape(5, 2))
    assert jacobian.jacobian(narrow) == "contained"
    assert jacobian.jacobian_rank(narrow) == "PROVED"
    assert jacobian.interpolant_exists(narrow) == "PROVED"
    equal = replace(narrow, inputs=np.zeros((4, 2)), duplicates="keep")
    assert jacobian.jacobian_rank(equal) == "UNDECIDED"
    honest, found = (
        jacobian.prove_jacobian_rank,
        jacobian.prove_jacobian_rank(XOR.network, narrow.u, narrow.v, XOR.inputs),
    )
    monkeypatch.setattr(jacobian, "prove_jacobian_rank", lambda *_: found)
    with pytest.raises(Falsified, match="rank J = 8 is PROVED"):
        jacobian.jacobian_rank(equal)
    monkeypatch.setattr(jacobian, "prove_jacobian_rank", honest)
    made = jacobian.enclose_jacobian
    monkeypatch.setattr(jacobian, "enclose_jacobian", lambda *a: replace(made(*a), middles=made(*a).middles + 0.25))
    with pytest.raises(Falsified, match="is not within"):
        jacobian.jacobian(narrow)
    near = jacobian.prove_interpolant
    monkeypatch.setattr(jacobian, "prove_interpolant", lambda *a: replace(near(*a), rho=Dyadic(1, -70)))
    with pytest.raises(Falsified, match="leaves the ball"):
        jacobian.interpolant_exists(narrow)


@pytest.mark.parametrize("engine", ["_balls", "binary64", "double-double"])
def test_an_enclosure_that_misses_is_seen(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    specimen = replace(XOR, layers=({**XOR.layers[0], "activation": "tanh"},))
    kernel = "_balls" if engine == "_balls" else "_float_rows"
    honest = getattr(enclosure, kernel)

    def shifted(*arguments: Any, **keywords: Any) -> Any:
        found = honest(*arguments, **keywords)
        if engine == "_balls":
            return [[ball + 2**-40 for ball in row] for row in found]
        if keywords.get("engine", None) is not enclosure.FLOAT_ENGINES[engine]:
            return found
        return [found[0][0] + 2**-40, *found[0][1:]], found[1]

    assert enclosure.enclosures_contain(specimen) == "all engines"
    assert "Arb" in enclosure.engines_agree(specimen)
    monkeypatch.setattr(enclosure, kernel, shifted)
    with pytest.raises(Falsified, match="Psi"):
        enclosure.enclosures_contain(specimen)
    with pytest.raises(Falsified, match="no number in common"):
        enclosure.engines_agree(specimen)


def test_engines_that_contradict_each_other_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = fuzz.Specimen.rank

    def torn(self: fuzz.Specimen, *, engine: str = "arb", **_: Any) -> RankResult:
        return replace(honest(self), verdict=Verdict.PROVED if engine == "arb" else Verdict.REFUTED)

    monkeypatch.setattr(fuzz.Specimen, "rank", torn)
    with pytest.raises(Falsified, match="contradict each other"):
        enclosure.engines_agree(XOR)


WIDE = replace(XOR, v=np.array([[3.0, -1.0], [0.5, 2.0], [-2.0, 1.0], [1.0, 1.0], [4.0, -3.0]]))


def _with_path(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    honest = fuzz.Specimen.prove

    def prove(self: fuzz.Specimen, *parts: Any, **keywords: Any) -> Any:
        report = honest(self, *parts, **keywords)
        assert isinstance(report.descent, LossPath)
        return replace(report, descent=replace(report.descent, **changes))

    monkeypatch.setattr(fuzz.Specimen, "prove", prove)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kappa": Dyadic(1, -30)}, "the loss rises"),
        ({"start_loss": (Dyadic(1, 20), Dyadic(1, 21))}, "the start's loss is"),
    ],
)
def test_a_path_that_rises_is_seen(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str) -> None:
    right = replace(WIDE, v=_good_weights())
    assert path.path_never_increases(right) == "P1"
    _with_path(monkeypatch, **changes)
    with pytest.raises(Falsified, match=message):
        path.path_never_increases(right)


def _good_weights() -> np.ndarray:
    """Output weights that classify with large margins: a segment to a tiny multiple of V1 goes uphill."""
    report = WIDE.prove("rank", "path")
    return 16.0 * report.path.end_weights.approx()


def test_a_target_that_is_not_reached_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    report = WIDE.prove("rank", "path")
    early = tuple(replace(target, t=Dyadic(1, -20)) for target in report.path.targets)
    _with_path(monkeypatch, targets=early)
    with pytest.raises(Falsified, match="target 1e-6"):
        path.path_never_increases(WIDE)


ESCAPING = {
    "E1": replace(
        XOR, u=np.array([1.0, 0.5] * 5 + [0.25] * 5), v=np.arange(10.0).reshape(5, 2) ** 2 / 8, escapes=("E1",)
    ),
    "E2": replace(XOR, u=np.zeros(15), escapes=("E2",)),
    "E3": replace(XOR, u=np.zeros(15), escapes=("E3",)),
}


@pytest.mark.parametrize("label", ESCAPING)
def test_escapes_are_held_against_the_oracle(label: str) -> None:
    specimen = replace(ESCAPING[label], layers=({**XOR.layers[0], "activation": "tanh"},))
    assert path.path_never_increases(specimen) == label


@pytest.mark.parametrize(
    ("label", "changes", "message"),
    [("E2", {"label": "E1"}, "E1: the loss rises"), ("E3", {"epsilon": Dyadic(1, -400)}, "E3: .* > ")],
)
def test_a_false_escape_is_seen(
    monkeypatch: pytest.MonkeyPatch, label: str, changes: dict[str, Any], message: str
) -> None:
    specimen = replace(ESCAPING[label], layers=({**XOR.layers[0], "activation": "tanh"},), v=WIDE.v)
    honest = fuzz.Specimen.prove

    def prove(self: fuzz.Specimen, *parts: Any, **keywords: Any) -> Any:
        report = honest(self, *parts, **keywords)
        assert report.escape is not None
        assert report.escape.escape is not None
        changed = replace(report.escape, escape=replace(report.escape.escape, **changes))
        return replace(report, escape=changed)

    monkeypatch.setattr(fuzz.Specimen, "prove", prove)
    with pytest.raises(Falsified, match=message):
        path.path_never_increases(specimen)


def test_weights_that_cannot_carry_the_logits_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    specimen = replace(ESCAPING["E3"], layers=({**XOR.layers[0], "activation": "tanh"},), v=WIDE.v, u=XOR.u)
    moved = specimen.u.copy()
    moved[:8] = 0.0
    escape = _escape_of(replace(specimen, u=np.zeros(15)))
    assert escape is not None
    with pytest.raises(Falsified, match="no output weights keep the logits"):
        path._check_carried(specimen, replace(escape, label="E2", start_u=specimen.u, tail=_Tail(moved)))  # type: ignore[arg-type]


class _Tail:
    def __init__(self, u: np.ndarray) -> None:
        self.u = u


def _escape_of(specimen: fuzz.Specimen) -> Any:
    report = specimen.prove("rank", "path")
    return None if report.escape is None else report.escape.escape


def test_a_loss_path_that_does_not_hold_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    specimen = replace(WIDE, losses=("squared", "weston-watkins"))
    assert path.other_losses_never_increase(specimen) == "2 of 2 losses"
    honest = path.prove_loss_path

    def lying(*arguments: Any, **keywords: Any) -> Any:
        found = honest(*arguments, **keywords)
        return replace(found, end_loss=Dyadic(1, -400))

    monkeypatch.setattr(path, "prove_loss_path", lying)
    with pytest.raises(Falsified, match="is not within"):
        path.other_losses_never_increase(specimen)


def test_a_checker_that_rejects_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificate.checker_accepts(XOR).endswith("claims")
    honest = CheckerService.check
    monkeypatch.setattr(
        CheckerService, "check", lambda self, file: replace(honest(self, file), verdict="REJECTED", reason="no")
    )
    with pytest.raises(Falsified, match="REJECTED no"):
        certificate.checker_accepts(XOR)


def test_a_checker_that_accepts_everything_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert int(certificate.tampering_is_rejected(XOR).split()[0]) >= 10
    honest = CheckerService.check
    monkeypatch.setattr(CheckerService, "check", lambda self, file: replace(honest(self, file), verdict="ACCEPTED"))
    with pytest.raises(Falsified, match="accepted, but: sigma_N is stated above"):
        certificate.tampering_is_rejected(XOR)


def test_runs_that_differ_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, calls = fuzz.Specimen.prove, []

    def drifting(self: fuzz.Specimen, *parts: Any, **keywords: Any) -> Any:
        calls.append(1)
        report = honest(self, *parts, **keywords)
        report.builder.arithmetic = f"run {len(calls)}"
        return report

    monkeypatch.setattr(fuzz.Specimen, "prove", drifting)
    with pytest.raises(Falsified, match="bytes differ"):
        certificate.runs_are_repeatable(XOR)


def test_verdicts_that_depend_on_the_order_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert invariance.order_does_not_matter(XOR).startswith("rank PROVED")
    monkeypatch.setattr(invariance, "_verdicts", lambda specimen: {"rank": str(specimen.inputs.tolist()), "path": ""})
    with pytest.raises(Falsified, match="permuted samples"):
        invariance.order_does_not_matter(XOR)


def test_a_case_file_that_loses_something_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificate.case_files_reproduce(WIDE) == "same"
    honest = fuzz.Specimen.write

    def rounding(self: fuzz.Specimen, *arguments: Any, **keywords: Any) -> Any:
        return honest(replace(self, v=self.v + 2**-30), *arguments, **keywords)

    monkeypatch.setattr(fuzz.Specimen, "write", rounding)
    with pytest.raises(Falsified, match="other numbers"):
        certificate.case_files_reproduce(WIDE)


def test_a_false_bound_of_the_loss_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bounds.loss_is_bounded_for_every_v(TIED) == "tight"
    honest = fuzz.Specimen.prove

    def prove(self: fuzz.Specimen, *parts: Any, **options: Any) -> Report:
        report = honest(self, *parts, **options)
        assert report.loss_bound is not None
        return replace(report, loss_bound=replace(report.loss_bound, lower=Dyadic.of_float(0.7)))

    monkeypatch.setattr(fuzz.Specimen, "prove", prove)
    with pytest.raises(Falsified, match="stated is at least"):
        bounds.loss_is_bounded_for_every_v(TIED)
