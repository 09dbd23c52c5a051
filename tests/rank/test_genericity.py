"""Random U and lines through U-space: counts, enclosures, the platform's canary, the table for plots."""

import csv
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from planted import dense

from verifier.balls.binary64 import canary as platform
from verifier.balls.exact import Dyadic
from verifier.errors import InputError
from verifier.network.initialise import initialise
from verifier.rank import genericity
from verifier.rank.genericity import LinePoint, full_rank_fraction, sigma_along_line, write_line
from verifier.verdict import Verdict

LINE = np.array([[0.0], [1.0], [2.0], [4.0]])


@pytest.mark.parametrize("passes", [(False,), (True, False)], ids=["before", "after"])
def test_a_refused_platform_leaves_it_to_arb(monkeypatch, passes):
    real, verdicts = platform.canary, iter(passes)

    def refusing(backend, shapes):
        passed = next(verdicts)
        return replace(real(backend, []), passed=passed, failure="" if passed else "planted")

    monkeypatch.setattr(platform, "canary", refusing)
    seen = []
    proving = genericity.prove_rank
    monkeypatch.setattr(genericity, "prove_rank", lambda f, **more: seen.append(type(f).__name__) or proving(f, **more))
    found = full_rank_fraction(dense([5], ["tanh"], 1), LINE, [0, 1])
    assert found.engine == "Arb (binary64 refused: planted)" and seen[-2:] == ["FeatureEnclosure"] * 2
    assert len(found.trials) == 2 and found.count(Verdict.PROVED) == 2


def test_no_seed_is_refused():
    with pytest.raises(InputError, match="at least one seed"):
        full_rank_fraction(dense([5], ["tanh"], 1), LINE, [])


def test_fewer_units_than_samples_vanish_along_the_whole_line():
    net = dense([3], ["tanh"], 1)
    u = initialise(net)
    rows = sigma_along_line(net, LINE, u, u, [0.0, 1.0])
    assert [(row.lower, row.upper) for row in rows] == [(Dyadic(0, 0), Dyadic(0, 0))] * 2


def test_clones_vanish_at_one_point_of_a_line():
    """Along a direction that moves one of two equal units apart, sigma_N is 0 at t = 0 alone."""
    net = dense([4], ["sigmoid"], 1)
    u = initialise(net, "cloned", units=1, seed=1)
    direction = np.zeros_like(u)
    direction[3] = 1.0
    below, at, above = sigma_along_line(net, LINE, u, direction, [-0.25, 0.0, 0.25])
    assert at.upper.mantissa == 0 and below.lower.mantissa > 0 and above.lower.mantissa > 0


def test_precision_that_does_not_suffice_still_encloses():
    net = dense([20], ["tanh"], 1)
    x = np.arange(1.0, 17.0)[:, None] / 40
    u = initialise(net)
    (row,) = sigma_along_line(net, x, u, 0 * u, [0.0], max_bits=64)
    (sharp,) = sigma_along_line(net, x, u, 0 * u, [0.0])
    assert row.lower.fraction() <= sharp.lower.fraction() <= sharp.upper.fraction()
    assert row.upper is None or sharp.upper.fraction() <= row.upper.fraction()


def test_bad_lines():
    net = dense([4], ["tanh"], 1)
    u = initialise(net)
    with pytest.raises(InputError, match=r"direction: shape \(7,\)"):
        sigma_along_line(net, LINE, u, u[:-1], [0.0])
    with pytest.raises(InputError, match=r"direction: entry \(0,\) is nan"):
        sigma_along_line(net, LINE, u, u * np.nan, [0.0])
    with pytest.raises(InputError, match="use smaller steps"):
        sigma_along_line(net, LINE, u, 1e300 * np.sign(u), [1e10])


def test_the_table_rounds_outward(tmp_path):
    third = Dyadic(0x5555555555555555, -64)
    rows = [LinePoint(0.1, third, third, True), LinePoint(-1e-3, Dyadic(0, 0), None, False)]
    with write_line(rows, tmp_path / "line.csv").open() as stream:
        header, first, second = csv.reader(stream)
    assert header == ["t", "sigma_lower", "sigma_upper"] and float(first[0]) == 0.1
    assert Fraction(first[1]) <= third.fraction() <= Fraction(first[2])
    assert Fraction(first[2]) - Fraction(first[1]) <= Fraction(1, 10**16)
    assert second == ["-0.001", "0", "inf"]
    with pytest.raises(InputError, match="cannot write"):
        write_line(rows, tmp_path / "missing" / "line.csv")
