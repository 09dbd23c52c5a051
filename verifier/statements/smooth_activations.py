"""Whether Psi is analytic in U, node by node; A3.1(1): the activations are real analytic and strictly increasing."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.display import Decided
from verifier.network.flags import flags_of
from verifier.network.layered import NOT_LAYERED
from verifier.network.network import Network
from verifier.network.nodes import Map
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


SHOWN = 3
"""Reasons that one line names."""
NOUNS = {
    "normalise": "normalisation",
    "inverse-root": "inverse roots of positive numbers",
    "softmax": "softmax",
    "attend": "attention",
    "gate": "gates",
    "multiply": "products",
    "contract": "products",
}
"""What messages call the node kinds that are neither linear in what they read nor activations."""


def _used(network: Network) -> dict[Activation, list[int]]:
    """The activations and the layers that use them."""
    used: dict[Activation, list[int]] = {}
    for index, layer in enumerate(network.layers):
        if layer.activation is not None:
            used.setdefault(layer.activation, []).append(index)
    return used


def analytic(network: Network) -> tuple[Verdict, str]:
    """Whether every node is real analytic in U, by the rules of `flags_of`.

    Parameters
    ----------
    network
        Any network.

    Returns
    -------
    (Verdict, str)
        Guarantee: ``PROVED`` only if Psi is defined and real analytic in U on all of R^p, on every data set;
        ``REFUTED`` only if something that depends on U is a maximum, or an activation that is proved not to be
        analytic.
    """
    found = flags_of(network).obstacles
    for obstacle in found:
        if obstacle.refuted:
            return Verdict.REFUTED, obstacle.words
    if found:
        return Verdict.UNDECIDED, "; ".join(obstacle.words for obstacle in found[:SHOWN])
    names = dict.fromkeys(node.sigma.name for node in network.nodes if isinstance(node, Map))
    blocks = dict.fromkeys(NOUNS[node.kind] for node in network.nodes if node.kind in NOUNS)
    return Verdict.PROVED, f"{', '.join([*names, *blocks]) or 'linear units'}: real analytic"


def increasing_activations(network: Network) -> ActivationCheck:
    """Check A3.1(1): every hidden activation is real analytic and strictly increasing on R.

    Returns
    -------
    ActivationCheck
        Guarantee: ``PROVED`` only if both facts are proved of every activation, ``REFUTED`` only if one of them is
        proved to be false, with its counterexample. An average pool has no activation and counts as the identity. Of a
        network that is not made of layers alone A3.1 says nothing: ``UNDECIDED``.
    """
    if network.layered is None:
        return ActivationCheck(Verdict.UNDECIDED, f"does not apply: {NOT_LAYERED}", ())
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
