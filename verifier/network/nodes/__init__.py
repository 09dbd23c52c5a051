"""Node kinds, one class each: what a network is a straight-line programme of.

Examples
--------
>>> from verifier import Builder, Network, activation, nodes
>>> build = Builder((3,))
>>> hidden = build.map(build.affine([0], 3, "hidden"), activation("tanh"))
>>> build.feature(build.add(nodes.Add((0, hidden))))
>>> network = Network.of(build.nodes, build.features)
>>> [node.kind for node in network.nodes]
['input', 'parameter', 'parameter', 'affine', 'map', 'add']
"""

from __future__ import annotations

from verifier.network.nodes.affine import Affine, Window
from verifier.network.nodes.base import KINDS, Node
from verifier.network.nodes.leaves import Constant, Input, Parameter
from verifier.network.nodes.mixing import Attend, Contract, Normalise, Pool, Reduce, Softmax
from verifier.network.nodes.moving import Concatenate, Embed, Expand, Permute, Rearrange, Reshape, Take
from verifier.network.nodes.pointwise import Add, Gate, InverseRoot, Map, Multiply, Scale

__all__ = [
    "KINDS",
    "Add",
    "Affine",
    "Attend",
    "Concatenate",
    "Constant",
    "Contract",
    "Embed",
    "Expand",
    "Gate",
    "Input",
    "InverseRoot",
    "Map",
    "Multiply",
    "Node",
    "Normalise",
    "Parameter",
    "Permute",
    "Pool",
    "Rearrange",
    "Reduce",
    "Reshape",
    "Scale",
    "Softmax",
    "Take",
    "Window",
]
