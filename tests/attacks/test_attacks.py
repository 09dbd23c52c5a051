"""Every attack fails: one clear line, the right exit code, at most 5 s and 500 MiB, nothing touched, nothing believed.

A part of each family runs with ``pytest -m thorough`` only, the most of the mutants with ``-m slow``; all of them, and
a table: ``python -m tests.attacks``.
"""

from __future__ import annotations

from collections import Counter

import pytest

from . import everything
from .corpus import text, toy_certificate, witness_certificate
from .sandbox import Servers, run
from .truth import claims_hold

EVERYDAY, OFTEN = 3, 24
"""How many of a family run every day, and how many mutants and attacks on `show` are no slow tests."""


def marked():
    """Return the attacks, with those marked that take time in sum."""
    seen, found = Counter(), []
    for attack in everything():
        seen[attack.family] += 1
        many = "mutants" in attack.family or attack.family == "show"
        mark = pytest.mark.slow if many and seen[attack.family] > OFTEN else pytest.mark.thorough
        found.append(pytest.param(attack, id=attack.id, marks=() if seen[attack.family] <= EVERYDAY else mark))
    return found


@pytest.fixture(scope="session")
def servers():
    found = Servers()
    yield found
    found.close()


@pytest.mark.parametrize("attack", marked())
def test_the_attack_fails(attack, servers, tmp_path):
    assert run(attack, servers, tmp_path / "room").problems == []


def test_there_are_enough_attacks():
    names = [attack.id for attack in everything()]
    assert len(names) == len(set(names)) >= 1500


@pytest.mark.parametrize("make", [toy_certificate, witness_certificate])
def test_the_truth_knows_true_and_false_claims(make, tmp_path):
    """The oracle of the accepted mutants accepts the certificate itself and not its exaggerations."""
    document, arrays = make()
    (tmp_path / "c.safetensors").write_bytes(arrays)

    def wrong(change=None):
        altered, _ = make()
        if change is not None:
            change(altered["claims"])
        (tmp_path / "c.json").write_bytes(text(altered))
        return claims_hold(tmp_path)

    assert wrong() is None
    if len(document["claims"]) == 2:
        assert wrong(lambda claims: claims.pop(0)) == "FALSE CLAIM ACCEPTED: W0: no full rank beside W0"
        assert "not N columns" in wrong(lambda claims: claims[0]["blocks"].pop())
        return
    for number, key, says in ((0, "alpha", "alpha"), (1, "sigma_lower", "sigma_N"), (2, "gamma", "margin")):
        larger = -40 if key == "alpha" else 10
        assert says in wrong(lambda claims, n=number, k=key, e=larger: claims[n][k].update(exponent=e))
    path = {"kappa": "kappa", "zero_error_t": "ray"}
    for key, says in path.items():
        assert says in wrong(lambda claims, key=key: claims[3][key].update(exponent=-10))
    assert "bounds" in wrong(lambda claims: claims[3]["start_loss"]["upper"].update(exponent=-20))
