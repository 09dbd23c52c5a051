"""PyTorch modules as networks of this package: export the module, translate each operation, take its weights over.

``convert``      `verifier.from_torch`, and the example that a module is run on
``modules``      what a module must be, what it is unwrapped from, its evaluation mode
``exporting``    the module's graph of operators by `torch.export`
``parameters``   weights, bit for bit: which are trained, which are one and the same
``places``       where an operator stands in the user's module, for messages
``walk``         the graph, node by node: known numbers by PyTorch, the rest by the translation
``operators``    the translation of each operator
``comparison``   the network against the module itself

PyTorch is imported when `verifier.from_torch` is called, never before.
"""
