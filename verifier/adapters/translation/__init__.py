"""What every framework's operations are translated with: tensors with a batch axis become nodes of a graph.

``values``     what an operation reads: known numbers, or a tensor that is a node
``translation``  the operations, by their common names; each adds the nodes that it needs
``imported``   the result: a network, U, V, names, and what was said about it
"""
