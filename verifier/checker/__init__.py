"""The independent certificate checker: standard library and python-flint only.

Nothing here imports the rest of the package, and nothing of the rest imports this. The specification is
``verifier/certificate/FORMAT.md``; the labels ``R1``, ``R3``, ``R5``, ``Z1``, ``P1`` are those of the project's theory.

To read it all, in this order::

    files           common, container (JSON and arrays), schema (the document's form)
    the network     geometry (shapes, places), arithmetic (what numbers can do), rules, windowed, attention, moving (the
                    node kinds), nodes (their table), network (reads the graph)
    activations     grammar, expression, analytic (what they are on all of R)
    values          features (in balls), exact (in rationals), modular (exact ranks); series, motion, segment, boxes
                    (while parameters move)
    derivatives     slopes, jacobian (J1, J2, J3), curvature, minimum (BM)
    for every U     flags (defined, analytic, of one sign; W0), layered (layers in the graph), structure, spans (R5)
    for all data    polynomial (which activations are none of a low degree), architecture (D, A)
    claims          claims (R1, R3, Z1, P1), classes, losses, targets (TC.3), pointwise (Z2, B1, C1, C3), witness (W1,
                    W2), escape, constant_loss, parting, sink_path (E1 to E4, S.path), sentences
    the rest        certificate (one check from beginning to end), limits (memory and time), cli

Glossary
--------
::

    N, d, m     number of samples, of input coordinates, of classes
    n           number of samples counted with multiplicity
    U, p        the parameters: the entries of the parameter nodes; their number
    M           number of columns of Psi
    Psi         the N x M matrix of the features' values; it is known as a matrix of balls
    X           the claimed right inverse of (columns of) Psi, K x N
    E           the exact integer residual 2^(k+s) I - a X_int
    V, V0, V1   output weights, M x m
    gamma       lower bound of all margins of V1;  kappa: where the straight segment meets the ray t V1
    ball        an ``arb``: midpoint and radius; every operation returns a ball that contains the exact result
"""
