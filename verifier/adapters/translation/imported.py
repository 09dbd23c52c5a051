"""A model of another framework, taken over: a network of this package, its weights as U and V, and what was said."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.network.network import Array, Network


@dataclass(frozen=True, slots=True)
class Imported:
    """A trained model as a network: ``vf.verify(X, y, found)`` or ``vf.verify(X, y, found.network, found.u, found.v)``.

    Parameters
    ----------
    network : Network
        The graph of the features; a bias of the head is an output bias.
    u : (p,) array
        The trained parameters behind the head, exactly, in the order of ``network.parameters``, whose names are the
        model's (``"features.0.weight"``).
    v : (M, m) array
        The head's weights, a row for each feature; then its bias, if it has one. One column for a head with one logit.
    head : str
        What the head is in the model: ``"classifier.2"``.
    remarks : tuple of str
        Sentences on what was left out or read in another way ("log_softmax after the head is left out: ...").
    losses : tuple of str
        Losses other than cross-entropy that the model was trained with (``("squared",)`` for a regression).
    """

    network: Network
    u: Array
    v: Array
    head: str
    remarks: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
