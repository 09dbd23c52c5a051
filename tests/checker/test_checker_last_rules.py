"""The rejections that nothing else meets: B1's radius, E4.path, an infinite start loss, a changing file."""

import os
import sys
from fractions import Fraction as F
from types import SimpleNamespace

import pytest
from checker_toy import toy
from checker_writer import Builder, dyadic
from checking import check as outcome
from flint import ctx

from verifier.checker import container
from verifier.checker import parting as parting_rules
from verifier.checker.common import precision
from verifier.checker.schema import ARRAY, read


def rule(found):
    return found.rejection and (found.rejection.rule, found.rejection.path)


@pytest.mark.parametrize(
    ("radius", "expected"),
    [
        (F(1, 2**12), None),
        (0, ("B1.radius", "/claims/4/radius")),
        (-1, ("B1.radius", "/claims/4/radius")),
        (F(1, 4), ("B1.change", "/claims/4/radius")),
    ],
)
def test_rank_balls(radius, expected, tmp_path):
    """Around features x -> (w x)^2 with sigma_N >= 1/8."""
    builder, document = toy()
    document["claims"].append({"label": "B1", "radius": dyadic(radius)})
    assert rule(outcome(tmp_path, builder, document)) == expected


def test_an_astronomical_start_loss(tmp_path):
    """Margins of -2^20000 at the start: e^(2^20000) has no enclosure, but the loss has one."""
    builder, document = toy()
    (term,) = document["claims"][3]["start_weights"]["terms"]
    dtype, shape, _ = builder.tensors[term["tensor"]]
    builder.tensors[term["tensor"]] = dtype, shape, [-8, 0, 0, -8, -8, 0, 0, 0]
    assert rule(outcome(tmp_path, builder, document)) is None
    term["exponent"] = 20000
    assert rule(outcome(tmp_path, builder, document)) == ("P1.start-loss", "/claims/3/start_loss")
    document["claims"][3]["start_loss"] = {
        "lower": {"mantissa": "1", "exponent": 19990},
        "upper": {"mantissa": "1", "exponent": 20010},
    }
    assert rule(outcome(tmp_path, builder, document)) is None


def test_a_sigma_that_forgets_alpha(tmp_path):
    """Psi = 6, X = 1/4, alpha = 3/4: sigma_N >= (1 - alpha) / ||X|| = 1, although ||Psi X|| allows for more."""
    for sigma, expected in ((F(1), None), (F(9, 8), ("R1.sigma", "/claims/0/sigma_lower"))):
        b = Builder()
        rank = b.right_inverse([[F(1, 4)]], rank=1, feature_bits=8, alpha=F(3, 4), sigma=sigma)
        document = b.document(b.data([[3]], [0]), [1], [b.dense([[2]], [0], "t")], 1, [rank])
        assert rule(outcome(tmp_path, b, document)) == expected


def test_the_working_precision_is_the_callers_again(tmp_path):
    """After a certificate at 64 and 128 bits, accepted or rejected."""
    builder, document = toy()
    for expected in (None, ("P1.kappa", "/claims/3/kappa")):
        with precision(77):
            before = ctx.prec, ctx.cap
            assert rule(outcome(tmp_path, builder, document)) == expected
            assert (ctx.prec, ctx.cap) == before
        document["claims"][3]["kappa"] = dyadic(0)
    assert ctx.prec != 77


def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    path, real = tmp_path / "file", os.fstat
    path.write_bytes(b"0123")
    assert container.read_file(str(path), 10, "") == b"0123"
    monkeypatch.setattr(os, "fstat", lambda at: SimpleNamespace(st_size=real(at).st_size - 1, st_mode=real(at).st_mode))
    with pytest.raises(container.Rejection, match="changed while it was read"):
        container.read_file(str(path), 10, "")


def test_big_endian_machines_swap_the_bytes(monkeypatch):
    """There, what `array` reads in the machine's order has the other one: so swapped bytes are read as themselves."""
    builder = Builder()
    reference = read(ARRAY, builder.exact([[1, -2], [3, 4]]), "")
    content = builder.arrays()
    assert container.Arrays(content).exact(reference, 2, 2).integers.tolist() == [[1, -2], [3, 4]]
    start = 8 + int.from_bytes(content[:8], "little")
    body = [content[at : at + 8][::-1] for at in range(start, len(content), 8)]
    monkeypatch.setattr(sys, "byteorder", "big")
    swapped = container.Arrays(content[:start] + b"".join(body)).exact(reference, 2, 2)
    assert swapped.integers.tolist() == [[1, -2], [3, 4]]


GATE = ([[1, 0]], ["input"])


def parting(hidden=(GATE,), top=((1,), (2,))):
    """A claim E4.path: layer 0 does not see the second coordinate, so samples 0 and 1 are merged; X = 0."""
    b, samples = Builder(), [[0, 1], [0, 2], [1, 5]]
    layers = [b.dense(weight, [0] * len(weight), "tanh(t)", inputs, skip=False) for weight, inputs in hidden]
    layers.append(b.dense([list(row) for row in top], [0, F(1, 2)], "tanh(t)", [len(hidden) - 1]))
    weights, moved = b.exact([[0, 0]] * 2), [[1, F(k + 1, 8)] for k in range(len(hidden[0][0]))]
    claim = {
        "label": "E4.path",
        "precision": 64,
        "start_weights": weights,
        "end_weights": weights,
        "gamma": dyadic(1),
        "kappa": dyadic(1),
        "start_loss": {"lower": dyadic(0), "upper": dyadic(1)},
        "zero_error_t": dyadic(1),
        "targets": [],
        "moved": [{"node": 1, "values": b.exact(moved)}],
        "pieces": 1,
        "right_inverse": b.exact([[0, 0, 0]] * 2),
    }
    return b, b.document(b.data(samples, [0, 0, 1], 2), [2], layers, 2, [claim])


def test_paths_from_merged_samples_need_one_gate_and_small_groups(tmp_path, monkeypatch):
    """The gate, the layers that read the input, and the groups come before the rank, for which X = 0 is no witness."""
    assert rule(outcome(tmp_path, *parting())) == ("E4.rank", "/claims/0/right_inverse")
    two_gates = parting(hidden=(([[1, 0], [1, 0]], ["input"]),), top=((1, 1), (0, 2)))
    assert rule(outcome(tmp_path, *two_gates)) == ("E4.gate", "/claims/0")
    past_the_gate = parting(hidden=(GATE, ([[1, 0, 0]], [0, "input"])))
    assert rule(outcome(tmp_path, *past_the_gate)) == ("E4.layers", "/claims/0")
    monkeypatch.setattr(parting_rules, "MAX_GROUP", 1)
    assert rule(outcome(tmp_path, *parting())) == ("E4.groups", "/claims/0")
