"""A model of another framework, taken over: a network of this package, its weights as U and V, and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from verifier.network.network import Array, Network

LEFT_OUT: Final = "after the head is left out: the loss, cross-entropy, computes it"
"""What is said of a softmax or sigmoid at the end: for real targets it is part of the model."""


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
    classes : tuple
        The classes in the order of the outputs, if the model knows them; else they are 0..m-1.
    """

    network: Network
    u: Array
    v: Array
    head: str
    remarks: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    classes: tuple[Any, ...] = ()
