"""Layers called as other layers are numbered: a parameter's own name is that of no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.network.forward import approx_features


def test_names_that_count_the_layers_in_another_order() -> None:
    layers = [vf.Dense(3, "tanh", name="layer1"), vf.Dense(3, "tanh", name="layer0", skip=True)]
    network = vf.Network(3, layers)
    u = vf.initialise(network, seed=0)
    first, second = (u[:9].reshape(3, 3), u[9:12]), (u[12:21].reshape(3, 3), u[21:])
    x = np.random.default_rng(0).standard_normal((2, 3))
    hidden = np.tanh(x @ first[0].T + first[1])
    expected = np.tanh(hidden @ second[0].T + second[1])
    np.testing.assert_allclose(approx_features(network, u, x), expected, rtol=1e-12)
    np.testing.assert_array_equal(network.views(u)["layer1.weight"], first[0])
    np.testing.assert_array_equal(network.view(u, "layer0.bias"), second[1])


def test_every_statement_is_about_the_layers_own_weights(tmp_path: Path) -> None:
    """The checker goes by nodes and not by names: it accepts what is proved of such a network, and of a plain one."""
    X, y = np.random.default_rng(1).standard_normal((5, 3)), [0, 1, 0, 1, 1]
    verdicts = []
    for names in (("layer1", "layer0"), ("layer2", "layer1"), ("", "")):
        layers = [vf.Dense(3, "tanh", name=names[0]), vf.Dense(6, "tanh", name=names[1], skip=True)]
        network = vf.Network(3, layers)
        u = np.random.default_rng(2).standard_normal(network.parameter_count)
        report = vf.verify(X, y, network, u, np.ones((6, 2)))
        assert check_file(str(report.write(tmp_path / "certificate.json")), 1).verdict == "ACCEPTED"
        verdicts.append([report.verdict(label) for label in ("rank", "path", "Z2", "E4", "W0")])
    assert verdicts[0] == verdicts[1] == verdicts[2]
