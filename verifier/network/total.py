"""Whether a network's activations are defined on all of R: a statement about every U is about a Psi that exists."""

from __future__ import annotations

from verifier.network.network import Network
from verifier.sigma.activations import Activation
from verifier.sigma.ranges import behaviour


def activation_not_proved_total(network: Network) -> Activation | None:
    """Return the first activation that is not proved to be defined, real and continuous on all of R.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    Activation or None
        Guarantee: if None, Psi(U) is defined for every U on every data set.
    """
    for layer in network.layers:
        if layer.activation is not None and behaviour(layer.activation.tree) is None:
            return layer.activation
    return None
