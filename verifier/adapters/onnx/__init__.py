"""ONNX files as networks of this package: read, compute what is known, translate each operator, compare.

``reading``   a file, or a model in memory, as nodes and exact arrays; what is refused as a whole
``trained``   which initialisers are parameters of U, and which are fixed numbers
``call``      one node with its inputs and attributes, as operators read it
``operators`` the operators, room by room
``one_sample`` models that were exported for one sample
``walk``      all nodes in order
``reference`` onnx's own evaluation of known numbers and for the comparison
``compare``   the network against onnx's own reference evaluation
``convert``   `from_onnx`

The package ``onnx`` is imported when `verifier.from_onnx` is called, never before.
"""
