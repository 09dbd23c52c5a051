"""A3.1(1) and analyticity: every hidden activation is real analytic and strictly increasing, from symbolic facts."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.display import Decided
from verifier.network.network import Network
from verifier.sigma.activations import Activation
from verifier.sigma.proofs import Fact
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ActivationEvidence:
    """An activation that the network uses, the layers that use it, and the two facts that A3.1(1) needs."""

    name: str
    layers: tuple[int, ...]
    analytic: Fact[bool]
    increasing: Fact[bool]


@dataclass(frozen=True, slots=True)
class ActivationCheck(Decided):
    """A3.1(1): every hidden activation is real analytic and strictly increasing."""

    verdict: Verdict
    reason: str
    evidence: tuple[ActivationEvidence, ...]


def _used(network: Network) -> dict[Activation, list[int]]:
    """The activations and the layers that use them."""
    used: dict[Activation, list[int]] = {}
    for index, layer in enumerate(network.layers):
        if layer.activation is not None:
            used.setdefault(layer.activation, []).append(index)
    return used


def analytic(network: Network) -> tuple[Verdict, str]:
    """Whether every activation is real analytic, from its symbolic facts.

    Returns
    -------
    (Verdict, str)
        Guarantee: ``PROVED`` only if every activation's analyticity has a symbolic proof, ``REFUTED`` only if one of
        them is proved not to be analytic.
    """
    doubtful = []
    for sigma in _used(network):
        fact = sigma.facts.real_analytic
        if fact.status == "proved" and fact.value is False:
            return Verdict.REFUTED, f"{sigma.name} is not real analytic: {fact.by}"
        if not fact.holds:
            doubtful.append(sigma.name)
    if doubtful:
        return Verdict.UNDECIDED, f"analyticity of {', '.join(doubtful)} has no symbolic proof"
    return Verdict.PROVED, f"{', '.join(s.name for s in _used(network)) or 'linear units'}: real analytic"


def increasing_activations(network: Network) -> ActivationCheck:
    """Check A3.1(1): every hidden activation is real analytic and strictly increasing on R.

    Returns
    -------
    ActivationCheck
        Guarantee: ``PROVED`` only if both facts are proved of every activation, ``REFUTED`` only if one of them is
        proved to be false, with its counterexample. An average pool has no activation and counts as the identity.
    """
    evidence = tuple(
        ActivationEvidence(sigma.name, tuple(layers), sigma.facts.real_analytic, sigma.facts.strictly_increasing)
        for sigma, layers in _used(network).items()
    )
    doubtful = []
    for entry in evidence:
        for fact, word in ((entry.analytic, "real analytic"), (entry.increasing, "strictly increasing")):
            if fact.status == "proved" and fact.value is False:
                where = ", ".join(map(str, entry.layers))
                reason = f"{entry.name} (layer {where}) is not {word}: {fact.by}"
                return ActivationCheck(Verdict.REFUTED, reason, evidence)
            if not fact.holds:
                doubtful.append(f"{entry.name} is {word}")
    if doubtful:
        return ActivationCheck(Verdict.UNDECIDED, f"no symbolic proof that {', that '.join(doubtful)}", evidence)
    names = ", ".join(entry.name for entry in evidence) or "linear units"
    return ActivationCheck(Verdict.PROVED, f"{names}: real analytic and strictly increasing", evidence)
