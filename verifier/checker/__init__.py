"""The independent certificate checker: standard library and python-flint only.

Nothing here imports the rest of the package, and nothing of the rest imports this. The specification is
``verifier/certificate/FORMAT.md``; the labels ``R1``, ``R3``, ``R5``, ``Z1``, ``P1`` are those of the project's theory.

Glossary
--------
N, d, m     number of samples, of input coordinates, of classes
n           number of samples counted with multiplicity
M           number of skip units (columns of Psi)
Psi         the N x M matrix of the skip units' values; it is known as a matrix of balls
X           the claimed right inverse of (columns of) Psi, K x N
E           the exact integer residual 2^(k+s) I - a X_int
V, V0, V1   output weights, M x m
gamma       lower bound of all margins of V1;  kappa: where the straight segment meets the ray t V1
ball        an ``arb``: midpoint and radius; every operation returns a ball that contains the exact result
"""
