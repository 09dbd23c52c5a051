"""Pictures of reports that lack something: conflicting labels, a regression, one sample, missing arcs, M < N."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

import verifier as vf

UNIT = vf.Dense(4, "tanh", skip=True)


def test_a_certified_path_that_does_not_lead_to_loss_0_is_not_said_to_be_missing() -> None:
    conflict = vf.verify([[0.0], [0.0], [1.0]], [0, 1, 1], UNIT)
    regression = vf.verify([[0.0], [1.0]], [0.5, 2.0], UNIT, regression=True)
    for report, label in ((conflict, "X1"), (regression, "TC.3")):
        assert report.verdict("path") == "PROVED"
        with pytest.raises(vf.InputError, match=re.escape(f"the one that was certified is not ({label})")):
            vf.plot.loss_along_path(report, Figure().subplots())
        with pytest.raises(vf.InputError, match="labels conflict, or it is a regression"):
            vf.plot.margins(report, Figure().subplots())
    line = vf.plot.loss_slice(conflict, ax=Figure().subplots(), points=3)
    assert line.lines[0].get_ydata().min() > np.log(2) * 2 / 3  # the infimum: two of three samples share an input
    with pytest.raises(vf.InputError, match="this is a regression"):
        vf.plot.loss_surface(regression, ax=Figure().subplots(), points=3)
    assert "outputs, 1." in vf.plot.description(vf.plot.network(regression, Figure().subplots()))


def test_one_sample_has_whole_numbers_and_a_readable_axis() -> None:
    report = vf.verify([[1.0]], [0], UNIT, classes=2)
    figure = Figure()
    values, matrix = figure.subplots(1, 2)
    vf.plot.singular_values(report, values)
    vf.plot.psi(report, matrix, bar=False)
    low, high = values.get_ylim()
    assert high > 2 * low
    for ticks in (values.get_xticks(), matrix.get_yticks()):
        assert all(float(tick).is_integer() for tick in ticks)
    assert "1 sample, 4 units" in matrix.get_title()
    assert vf.plot.margins(report, Figure().subplots()).get_title() == "Margins: 1 of 1 sample certified correct"


def test_where_arcs_are_missing_none_is_drawn_and_the_description_says_so() -> None:
    arcs = np.ones((4, 2), dtype=bool)
    arcs[1:, 0] = False
    report = vf.verify([[0.0]], [0], UNIT, classes=2, arcs=arcs)
    ax = vf.plot.network(report, Figure().subplots())
    (drawn,) = [part for part in ax.collections if part.get_gid() == "outputs from layer0"]
    assert len(drawn.get_paths()) == 5
    assert vf.plot.description(ax).endswith("Some arcs to outputs are missing: V is 0 there.")


def test_fewer_columns_than_samples_are_said_and_a_flat_plane_has_round_numbers() -> None:
    report = vf.verify([[0.0], [1.0], [2.0]], [0, 1, 0], vf.Dense(2, "tanh", skip=True))
    said = vf.plot.description(vf.plot.singular_values(report, Figure().subplots()))
    assert said.endswith("There are fewer columns than rows, so sigma_k is 0 for k above 2.")
    ax = vf.plot.loss_surface(report.network, 0 * report.u, 0 * report.v, report.problem.rows, ax=Figure().subplots())
    (surface,) = [part for part in ax.collections if part.get_gid() == "surface"]
    assert np.ptp(surface.levels) >= 0.01
