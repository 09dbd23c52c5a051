"""Maxima whose entries touch at one time: derivatives there must be those of the entry that is the maximum around."""

from __future__ import annotations

import math
from fractions import Fraction as F

import pytest
from checker_writer import Builder, dyadic
from checking import check, rejected


def touching(label, b):
    """Margins b s - 4 max(0, s^2), s from -1/2 to 1/2 in one piece: the two entries touch at its middle."""
    builder = Builder()
    parameter = {"kind": "parameter", "reads": [], "name": "s", "shape": [1], "values": builder.exact([F(-1, 2)])}
    nodes = [
        {"kind": "input", "reads": [], "shape": [1]},
        parameter,
        {"kind": "constant", "reads": [], "name": "1", "shape": [1], "values": builder.exact([1])},
        {"kind": "map", "reads": [1], "activation": "cos(16*t)"},
        {"kind": "concatenate", "reads": [3, 2], "axis": 0},
        {"kind": "reduce", "reads": [4], "how": "max", "axes": 1},
        {"kind": "map", "reads": [1], "activation": "128*t**2 + 1"},
        {"kind": "multiply", "reads": [5, 6]},
    ]
    features = [{"node": 1, "entries": None}, {"node": 7, "entries": None}]
    start = math.log1p(math.exp(b / 2 + 33 / 32))
    v = builder.exact([[b, 0], [F(-1, 32), 0]])
    claim = {"label": label, "precision": 100, "start_weights": v, "end_weights": builder.exact([[2, 0], [0, 0]])}
    claim |= {"gamma": dyadic(F(1)), "kappa": dyadic(F(1)), "zero_error_t": dyadic(F(2)), "targets": [], "pieces": 1}
    bounds = [F(math.floor(start * 2**30) + k, 2**30) for k in (0, 1)]
    claim |= {"start_loss": {"lower": dyadic(bounds[0]), "upper": dyadic(bounds[1])}}
    claim |= {"moved": [{"node": 1, "values": builder.exact([F(1, 2)])}]}
    claim |= {"epsilon": dyadic(F(1, 1024))} if label == "E3" else {"moved_weights": v}
    document = builder.document(builder.data([[1]], [0], 2), [1], [builder.dense([[1]], [0])], 1, [claim])
    document["network"] = {"nodes": nodes, "features": features, "columns": 2}
    used = str(document)
    builder.tensors = {name: kept for name, kept in builder.tensors.items() if f"'{name}'" in used}
    return document, builder


@pytest.mark.parametrize(("label", "b", "rule"), [("E3", -1, "E3.sublevel"), ("E1", 1, "E1.descent")])
def test_a_touching_entry_does_not_lend_its_derivatives(tmp_path, label, b, rule):
    document, builder = touching(label, b)
    rejected(check(tmp_path, builder, document), rule)
