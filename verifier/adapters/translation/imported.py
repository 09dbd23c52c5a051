"""A model of another framework, taken over: a network of this package, its weights as U and V, and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verifier.display import Card, Shown, Table, count
from verifier.network.network import Array, Network

NODES = 40
"""The longest list of nodes that is shown."""


@dataclass(frozen=True, slots=True, repr=False)
class Imported(Shown):
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
        The classes in the order of the outputs, if the model knows them.

    Examples
    --------
    >>> import numpy as np
    >>> from verifier.adapters.translation.translation import Translation
    >>> model = Translation((2,), samples=3)
    >>> weights = {name: model.parameter(name, np.ones(shape)) for name, shape in [("a.weight", (4, 2)), ("a.bias", 4)]}
    >>> hidden = model.elementwise("tanh(t)", model.linear(model.input(), weights["a.weight"], weights["a.bias"]))
    >>> model.finish(model.linear(hidden, model.parameter("b.weight", np.ones((3, 4))), None))
    <Imported: 1 layer, p = 12 parameters, M = 4 skip units
      input 2; head b, 3 outputs>
    """

    network: Network
    u: Array
    v: Array
    head: str
    remarks: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    classes: tuple[Any, ...] = ()

    def _card(self) -> Card:
        network = self.network
        computed = sum(node.arity != (0, 0) for node in network.nodes)
        what = count(computed, "node") if network.layered is None else count(len(network.layers), "layer")
        sentence = f"{what}, p = {network.parameter_count} parameters, {network.size_words}"
        outputs = count(self.v.shape[1], "output")
        values = [
            ("input", "x".join(map(str, network.input_shape))),
            ("head", f"{self.head}, {outputs}" if self.head else outputs),
        ]
        if self.losses:
            values.append(("loss", ", ".join(self.losses)))
        rows = [line.split(None, 2) for line in network.summary().splitlines()[1:-1]]
        shown = tuple((number, words) for _, number, words in rows[:NODES])
        title = "Layers" if network.layered is not None else "Nodes"
        tables = [Table(title, ("number", "what it is"), shown, True)]
        if self.remarks:
            tables.append(Table("Remarks", ("what was read in another way",), tuple((r,) for r in self.remarks), True))
        return Card("Model, weights taken over exactly", None, sentence, tuple(values), tuple(tables))
