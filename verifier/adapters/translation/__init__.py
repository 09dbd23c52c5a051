"""What every framework's operations are translated with: tensors with a batch axis become nodes of a graph.

``values``       what an operation reads: known numbers, or a tensor that is a node
``translation``  the class that front ends use: what comes in, and all of the following
``base``         nodes that are added once, and values brought to one form beside each other
``expressions``  functions of one entry as text; ``signs``: what is known of a node's signs
``pointwise``    sums, products, quotients, powers, functions of one entry
``moves``        reshapes, permutations, selections, concatenations: where the samples go
``products``     dense layers, matrix products, attention, embeddings
``windows``      convolutions and pools
``norms``        means, sums, maxima over axes, and normalisations
``head``         the last linear map, cut off; ``features``: the network that is left
``imported``     the result: a network, U, V, names, and what was said about it
"""
