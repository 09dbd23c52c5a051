"""The head of a network: the last linear map, found behind what follows it; what it reads are the features."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verifier.adapters.translation.expressions import SIGMOID, symbolic
from verifier.adapters.translation.features import MOVES, Entries, Features, Part, Sum
from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.values import Known, Refused, Tensor, Value
from verifier.network import nodes as kinds
from verifier.network.network import Array
from verifier.network.nodes import Node, Parameter, Window

REMEDY = "end the model with a linear layer of its own, such as nn.Linear, and return what it returns"


class Head(Features):
    """The end of a translation: which nodes are the columns of Psi, and which the output weights."""

    def finish(self, output: Value, names: dict[int, str] | None = None) -> Imported:
        """Find the head, cut it off, and drop what its features do not depend on.

        Parameters
        ----------
        output : Value
            What the model returns: the logits, a vector for each sample.
        names : dict of int to str, optional
            For nodes what they are in the model, for messages.

        Returns
        -------
        Imported
            The network, U, V, and what was said.

        Raises
        ------
        Refused
            There is no linear head of its own, or something that the loss may not see follows it.
        """
        if isinstance(output, Known) or output.batch is None:
            raise Refused("the output does not depend on the input")
        if not output.batch.pure:
            raise Refused(
                f"the output of shape {output.shape} has several rows for each sample; return one row of logits for "
                "each: take one position, or a mean over them, or make each position a sample of its own"
            )
        node = self._end(output)
        entries = np.arange(math.prod(self.shape_of(node)))
        self._owned = []
        self._readers = self._count_readers(node)
        found = self._linear(node, entries)
        if not found.parts:
            raise Refused(f"there is no linear head: the output does not depend on trained weights; {REMEDY}")
        return self._assembled(found)

    def _end(self, output: Tensor) -> int:
        """The node of the logits: what follows them and keeps the loss's minimisers is left out."""
        shape = [n for axis, n in enumerate(output.shape) if output.batch is None or axis != output.batch.axis]
        classes = math.prod(shape)
        if output.hidden is not None:
            raise Refused("some logits are minus infinity; return all of them as they are")
        if output.classes is not None:
            if output.shape[output.classes] != classes:
                self._per_position(output)
            self._require_several(classes)
            self.remark("log_softmax after the head is left out: the loss, cross-entropy, computes it")
        node = self.apply(output.node, output.expression)
        inner = node
        while isinstance(self.build.nodes[inner], kinds.Reshape):
            inner = self.build.nodes[inner].reads[0]
        base, function = self.origin_of(inner)
        if classes == 1 and symbolic(function) == symbolic(SIGMOID):
            self.remark("sigmoid after the head is left out: the loss, cross-entropy, computes it")
            return base
        last = self.build.nodes[inner]
        if isinstance(last, kinds.Softmax) and self.shape_of(inner)[-1] == classes and len(last.reads) == 1:
            self._require_several(classes)
            self.remark("softmax after the head is left out: the loss, cross-entropy, computes it")
            return last.reads[0]
        return node

    def _require_several(self, classes: int) -> None:
        if classes == 1:
            raise Refused("softmax of one logit is 1 whatever it is; return the logit, or sigmoid of it")

    def _per_position(self, output: Tensor) -> None:
        raise Refused(
            f"the output of shape {output.shape} has logits for several positions of each sample; return those of one "
            "position (out[:, -1]) or their mean, or make each position a sample of its own"
        )

    def _count_readers(self, end: int) -> Counter[int]:
        needed, readers = {end}, Counter[int]()
        for index in range(end, -1, -1):
            if index in needed:
                reads = self.build.nodes[index].reads
                needed.update(reads)
                readers.update(reads)
        return readers

    # the last linear map
    def _linear(self, node: int, entries: Entries) -> Sum:
        """Entries of a node as a sum of linear maps with trained weights."""
        found = self.build.nodes[node]
        if isinstance(found, MOVES):
            source, places = self._source(node, entries)
            return self._linear(source, places)
        if isinstance(found, kinds.Affine):
            return Sum([self._head(found, node, entries)], self._bias_of(found, entries, node))
        if isinstance(found, Parameter):
            if len(np.unique(entries)) != entries.size:
                raise Refused("one number of the head's bias is added to several logits; give each a bias of its own")
            return Sum([], self._own(node).ravel()[entries])
        if isinstance(found, kinds.Scale):
            inner = self._linear(found.reads[0], entries)
            return replace(inner, factor=inner.factor * found.factor)
        if type(found) is kinds.Add:
            return self._added(found, node, entries)
        mean = self._mean_of(node, entries)
        if mean is not None:
            return mean
        raise Refused(f"the model ends with {_in_words(found)}, not with a linear head; {REMEDY}")

    def _source(self, node: int, entries: Entries) -> tuple[int, Entries]:
        """Entries of a node that moves others as entries of the one that it moves them from."""
        reads, places, starts = self._places(node)
        flat = places[entries]
        which = np.unique(np.searchsorted(starts, flat, side="right") - 1)
        if len(which) != 1:
            raise Refused(f"the output joins several tensors; {REMEDY}")
        return reads[int(which[0])], flat - starts[which[0]]

    def _added(self, found: Node, node: int, entries: Entries) -> Sum:
        whole = Sum([])
        shape = self.shape_of(node)
        for read in found.reads:
            size = self.shape_of(read)
            places = np.broadcast_to(np.arange(math.prod(size)).reshape(size), shape).ravel()[entries]
            if isinstance(constant := self.build.nodes[read], kinds.Constant):
                if constant.values.ravel()[places].any():
                    raise Refused(f"frozen numbers ({constant.name or 'constants'}) are added to the head; train them")
                continue
            term = self._linear(read, places)
            if term.factor != 1:
                raise Refused("a multiple of a linear map is added to the head; fold the factor into its weights")
            if term.bias is not None and whole.bias is not None:
                raise Refused("the head has two biases, whose sum alone matters; leave one out (bias=False)")
            whole = Sum([*whole.parts, *term.parts], term.bias if whole.bias is None else whole.bias)
        return whole

    def _own(self, node: int) -> Array:
        """The values of a trained parameter that nothing else reads, through moves."""
        found = self.build.nodes[node]
        if self._readers[node] != 1:
            name = found.name if isinstance(found, Parameter) else found.kind
            raise Refused(
                f"the head's weights {name!r} are used elsewhere, too (tied weights); give the head weights of its own"
            )
        if isinstance(found, Parameter):
            self._owned.append(node)
            return self.start[found.name]
        if isinstance(found, kinds.Constant):
            raise Refused(
                f"the head's weights {found.name or ''} are frozen; the theorems need a trained "
                "head: train it, or put a trained linear layer behind it"
            )
        if isinstance(found, kinds.Reshape | kinds.Permute | kinds.Take):
            _, places, _ = self._places(node)
            if len(np.unique(places)) == places.size:
                return self._own(found.reads[0]).ravel()[places].reshape(self.shape_of(node))
        raise Refused("the head's weights are computed from others (weight norm, LoRA, tying); make them plain weights")

    def _parameter(self, node: int) -> str:
        while self.build.nodes[node].reads:
            node = self.build.nodes[node].reads[0]
        found = self.build.nodes[node]
        return found.name if isinstance(found, Parameter) else ""

    def _head(self, affine: kinds.Affine, node: int, entries: Entries) -> Part:
        """Entries of an affine node: one position, all of its units different."""
        shape, sources = self.shape_of(node), affine.sources
        weights = self._own(affine.weight)
        weights = weights.reshape(len(weights), -1)
        positions, units = self._units(affine, shape, entries)
        if len(np.unique(positions)) != 1:
            raise Refused(
                f"the output has logits for {len(np.unique(positions))} positions of each sample; return those of one "
                "(out[:, -1]) or their mean, or make each position a sample of its own"
            )
        if len(np.unique(units)) != units.size:
            raise Refused("an output is returned twice; return each once")
        read = self._read(affine, sources, int(positions.flat[0]))
        seen = [(place, column) for column, place in enumerate(read) if place is not None]
        name = self._parameter(affine.weight)
        columns = [column for _, column in seen]
        return Part(tuple(place for place, _ in seen), weights[units][:, columns].T, name)

    def _units(self, affine: kinds.Affine, shape: tuple[int, ...], entries: Entries) -> tuple[Entries, Entries]:
        """For each entry its position and its unit."""
        if affine.over == "last":
            return entries // shape[-1], entries % shape[-1]
        positions = math.prod(shape[1:])
        return entries % positions, entries // positions

    def _read(self, affine: kinds.Affine, sources: Sequence[int], position: int) -> list[tuple[int, int] | None]:
        """What a unit reads at a position, entry by entry; None for a place in the padding."""
        whole = [(source, entry) for source in sources for entry in range(math.prod(self.shape_of(source)))]
        if affine.over == "all":
            return list(whole)
        if affine.over == "last":
            width = self.shape_of(sources[0])[-1]
            return list(whole[position * width : (position + 1) * width])
        window = affine.over
        if not isinstance(window, Window) or window.groups != 1:
            raise Refused(f"the head is a convolution with groups; {REMEDY}")
        shapes = [self.shape_of(source) for source in sources]
        places = window.places((sum(shape[0] for shape in shapes), *shapes[0][1:]))[position]
        return [whole[place] if place < len(whole) else None for place in places]

    def _bias_of(self, affine: kinds.Affine, entries: Entries, node: int) -> Array | None:
        if not affine.bias:
            return None
        last = affine.reads[-1]
        found, size = self.build.nodes[last], self.shape_of(last)
        units = self._units(affine, self.shape_of(node), entries)[1]
        places = units if size == self.shape_of(affine.weight)[:1] else entries
        if isinstance(found, kinds.Constant):
            if found.values.any():
                raise Refused(f"the head's bias {found.name} is frozen; train it, or leave it out")
            return None
        return self._own(last).ravel()[places]

    def _mean_of(self, node: int, entries: Entries) -> Sum | None:
        """A mean over positions of a head at each position: the head of the features' mean."""
        found = self.build.nodes[node]
        if not (isinstance(found, kinds.Reduce | kinds.Pool) and found.how == "mean"):
            return None
        source, size = found.reads[0], self.shape_of(found.reads[0])
        if isinstance(found, kinds.Pool):
            if any(found.window.padding) or found.window.kernel != size[1:]:
                return None
            places = np.arange(math.prod(size)).reshape(size[0], -1)[entries]
        else:
            places = np.arange(math.prod(size)).reshape(-1, math.prod(size[len(size) - found.axes :]))[entries]
        flat = places.ravel()
        while isinstance(self.build.nodes[source], kinds.Reshape | kinds.Permute | kinds.Take):
            source, flat = self._source(source, flat)
        affine = self.build.nodes[source]
        if not isinstance(affine, kinds.Affine) or self._readers[source] > 1 or affine.over == "all":
            return None
        positions, units = (array.reshape(places.shape) for array in self._units(affine, self.shape_of(source), flat))
        if (units != units[:, :1]).any() or (np.sort(positions, axis=1) != np.sort(positions[0])).any():
            return None
        self.remark("a mean over positions after the head is taken before it, which is the same")
        return self._of_mean(affine, np.unique(positions[0]), units[:, 0], positions[0].size)

    def _of_mean(self, affine: kinds.Affine, positions: Entries, units: Entries, count: int) -> Sum | None:
        if positions.size != count:
            return None
        source = affine.sources[0]
        size = self.shape_of(source)
        if affine.over == "last":
            rows = self.reshaped(source, (math.prod(size[:-1]), size[-1]))
            turned = self.permuted(rows, (1, 0))
        elif isinstance(affine.over, Window) and set(affine.over.kernel) == {1} and affine.over.groups == 1:
            if set(affine.over.stride) != {1} or any(affine.over.padding) or len(affine.sources) != 1:
                return None
            turned = self.reshaped(source, (size[0], math.prod(size[1:])))
        else:
            return None
        if positions.size != self.shape_of(turned)[1]:
            turned = self.emit(kinds.Take((turned,), 1, tuple(int(place) for place in positions)))
        mean = self._over("mean", turned, (1,))
        weights = self._own(affine.weight)
        weights = weights.reshape(len(weights), -1)[units].T
        features = tuple((mean, entry) for entry in range(self.shape_of(turned)[0]))
        bias = None
        if affine.bias:
            bias = self._mean_bias(affine, units)
        return Sum([Part(features, weights, self._parameter(affine.weight))], bias)

    def _mean_bias(self, affine: kinds.Affine, units: Entries) -> Array | None:
        last = affine.reads[-1]
        if self.shape_of(last) != self.shape_of(affine.weight)[:1]:
            raise Refused("a mean over positions of a head whose bias differs from position to position")
        if isinstance(found := self.build.nodes[last], kinds.Constant):
            if found.values.any():
                raise Refused(f"the head's bias {found.name} is frozen; train it, or leave it out")
            return None
        return self._own(last).ravel()[units]


def _in_words(node: Node) -> str:
    """Say in words what a node does, for a message."""
    if isinstance(node, kinds.Map):
        return f"the function {node.sigma.name}"
    if isinstance(node, kinds.Reduce | kinds.Pool):
        return f"a {'maximum' if node.how == 'max' else node.how} over axes or windows"
    words = {
        "input": "its input",
        "multiply": "a product of two tensors",
        "contract": "a matrix product of two tensors",
        "normalise": "a normalisation",
        "attend": "attention",
        "embed": "rows of a table",
        "gate": "a gate",
    }
    return words.get(node.kind, node.kind)
