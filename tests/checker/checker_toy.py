"""A small certificate with every kind of claim; identity activations, so that all numbers are exact."""

from fractions import Fraction as F

from checker_writer import Builder, dyadic

INPUTS = [[1, 0], [0, 1], [3, -1]]  # three samples
WEIGHT = [[1, 0], [0, 1], [1, 1], [2, -1]]
# features through t**2: squares of the linear forms; rank 3
FEATURES = [[sum(w * x for w, x in zip(row, sample, strict=True)) ** 2 for row in WEIGHT] for sample in INPUTS]


def inverse(matrix):
    """Exact inverse of a square matrix of Fractions."""
    n = len(matrix)
    rows = [[F(v) for v in row] + [F(int(i == j)) for j in range(n)] for i, row in enumerate(matrix)]
    for c in range(n):
        pivot = next(r for r in range(c, n) if rows[r][c] != 0)
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for r in range(n):
            if r != c:
                rows[r] = [a - rows[r][c] * b for a, b in zip(rows[r], rows[c], strict=True)]
    return [row[n:] for row in rows]


def rounded(value, bits=40):
    return F(round(value * 2**bits), 2**bits)


COLUMNS = [0, 1, 2]
X = [[rounded(v) for v in row] for row in inverse([[row[c] for c in COLUMNS] for row in FEATURES])]
# output weights with margins near 1: Psi V1 = +-1/2
TARGET = [[1, 0], [0, 1], [1, 0]]
LABELS = [0, 1, 0]
V1 = [[sum(X[j][i] * TARGET[i][k] for i in range(3)) for k in range(2)] for j in range(3)] + [[0, 0]]
V0 = [[3, 0], [0, 1], [F(1, 4), 0], [F(-1, 2), 0]]


def toy():
    """Return the builder and the document with claims R1, R3, Z1, P1, R5-free."""
    b = Builder()
    data = b.data(INPUTS, LABELS, 2, multiplicities=[1, 2, 1])
    layers = [b.dense(WEIGHT, [0, 0, 0, 0], "t**2")]
    start, end = b.exact(V0), b.exact(V1)
    claims = [
        b.right_inverse(X, rank=3, columns=COLUMNS, feature_bits=8, alpha=F(1, 2**20), sigma=F(1, 8)),
        b.right_inverse(
            [*X, [0, 0, 0]], rank=3, precision=128, feature_bits=60, products=3, alpha=F(1, 2**20), sigma=F(1, 8)
        ),
        {"label": "Z1", "precision": 64, "output_weights": end, "gamma": dyadic(F(15, 16))},
        {
            "label": "P1",
            "precision": 64,
            "start_weights": start,
            "end_weights": end,
            "gamma": dyadic(F(15, 16)),
            "kappa": dyadic(16),
            "start_loss": {"lower": dyadic(F(1, 16)), "upper": dyadic(8)},
            "zero_error_t": dyadic(16),
            "targets": [{"loss": dyadic(F(1, 1024)), "t": dyadic(32)}],
        },
    ]
    return b, b.document(data, [2], layers, 4, claims)
