"""The translation of each of PyTorch's operators: tables of handlers by name, filled by the modules of this package.

``table``        the tables, and what a handler is given
``arithmetic``   sums, products, powers, comparisons, types
``activations``  functions of one number
``layers``       products with weights, normalisation, attention, embedding
``pools``        pools over windows
``reductions``   sums, means, maxima, norms over axes
``sums``         sums of products by index letters (einsum)
``moves``        what moves entries and computes nothing
``refusals``     why an operator has no counterpart, and what to do
"""

from verifier.adapters.pytorch.operators import activations, arithmetic, layers, moves, pools, reductions, sums
from verifier.adapters.pytorch.operators.refusals import remedy
from verifier.adapters.pytorch.operators.table import DOUBLE, METADATA, OPERATORS, Context

__all__ = [
    "DOUBLE", "METADATA", "OPERATORS", "Context", "activations", "arithmetic", "layers", "moves", "pools",
    "reductions", "remedy", "sums",
]  # fmt: skip
