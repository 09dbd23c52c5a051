"""`verifier show` and `vf.show`: what is claimed, with bounds that are never printed better than they are."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifier as vf
from verifier.balls.exact import Dyadic, at_least, at_most


@given(st.integers(-(10**40), 10**40), st.integers(-400, 400), st.booleans(), st.integers(1, 12))
def test_printed_bounds_are_bounds(mantissa: int, exponent: int, up: bool, digits: int) -> None:
    value = Dyadic(mantissa, exponent)
    printed = Fraction((at_most if up else at_least)(value, digits))
    exact = value.fraction()
    assert printed >= exact if up else printed <= exact
    assert abs(printed - exact) <= abs(exact) * Fraction(10) ** (1 - digits)


def test_printed_bounds_far_outside_binary64() -> None:
    assert at_least(Dyadic(1, 200_000)) == "9.98e+60205"
    assert at_most(Dyadic(1, 200_000)) == "9.981e+60205"
    assert at_least(Dyadic(1, -200_000)) == "1.001e-60206"
    assert at_least(Dyadic(0, 5)) == "0"
    assert at_least(Dyadic(1, 0)) == "1"
    assert at_least(Dyadic(-3, -1)) == "-1.5"


def test_reprs_of_numbers_are_short() -> None:
    assert repr(Dyadic(3, -4)) == "Dyadic(3 * 2^-4, about 0.188)"
    assert repr(Dyadic(7**20_000, -5)).startswith("Dyadic(<56148 bits> * 2^-5, about ")
    assert repr(vf.ExactArray.of_integers([2**200, 1], (2,), -7)) == (
        "<ExactArray (2,): int64 * 2^-7 + int64 * 2^55 + ...>"
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = vf.verify("iris", network=vf.Dense(180, "tanh", skip=True), scale=3.0)
    return found.write(tmp_path_factory.mktemp("show") / "c.json")


def test_the_text_names_data_network_claims_and_trust(certificate: Path) -> None:
    text = str(vf.show(certificate))
    first, _, rest = text.partition("\n")
    assert first.startswith(
        "Claimed, not checked: full row rank at this U (R1); zero training error (Z1); the path (P1);"
    )
    assert rest.startswith("Data: iris, 149 samples (standing for 150) x 4, 3 classes; binary64 values of scikit-learn")
    assert (
        "Network: input 4; node 3 affine all of input, layer0.weight, layer0.bias; node 4 tanh(t) of node 3; p = 900 "
        "parameters; M = 180: node 4.\n" in text
    )
    assert text.count("\nClaims ") == 18
    assert "Arb at up to 64 bits. This text repeats what the certificate claims; `verifier check` decides." in text


def test_stated_bounds_are_printed_on_the_safe_side(certificate: Path) -> None:
    claims = {claim["label"]: claim for claim in json.loads(certificate.read_text())["claims"]}
    meaning = dict(vf.show(certificate).claims)

    def exact(number: dict[str, str]) -> Fraction:
        return Fraction(int(number["mantissa"])) * Fraction(2) ** int(number["exponent"])

    gamma = meaning["Z1"].partition("gamma = ")[2].partition(",")[0]
    assert Fraction(gamma) <= exact(claims["Z1"]["gamma"])
    alpha = meaning["R1"].partition("<= ")[2].partition(" <")[0]
    assert exact(claims["R1"]["alpha"]) <= Fraction(alpha) < 1
    sigma = meaning["R1"].rpartition("sigma_N(Psi(U)) >= ")[2].partition(". ")[0]
    assert 0 < Fraction(sigma) <= exact(claims["R1"]["sigma_lower"])
    low, high = meaning["P1"].partition("loss in [")[2].partition("]")[0].split(", ")
    assert Fraction(low) <= exact(claims["P1"]["start_loss"]["lower"])
    assert Fraction(high) >= exact(claims["P1"]["start_loss"]["upper"])


def test_a_refuted_rank_alone_names_no_bits(tmp_path: Path) -> None:
    data = vf.dataset_from_arrays([[0.0], [1.0]], [0, 1])
    network = vf.Network(1, vf.Dense(1, "tanh", skip=True))
    features = vf.FeatureEnclosure(network, vf.initialise(network), data.inputs, 64)
    builder = vf.CertificateBuilder(data, network, features.u)
    builder.add_rank(vf.prove_rank(features)[0])
    builder.write(tmp_path / "r.json")
    text = str(vf.show(tmp_path / "r.json"))
    assert "rank Psi(U) <= 1 < N" in text
    assert "bits" not in text
    assert "standing for" not in text


def test_it_shows_itself(certificate: Path) -> None:
    shown = vf.show(certificate)
    assert repr(shown).endswith(
        "claims R1, Z1, P1, B1, W1, W0, D, A, S(1), S+, Z2, C1, C3, GDV, E4, C4, C2+, I; print it to read them>"
    )
    assert "not checked" in shown._repr_html_()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not a JSON document (Expecting property name"),
        ("[]", "is not a verifier certificate; name the .json"),
        ('{"format": "verifier-certificate", "version": 1}', "of version 1, and this program reads version 2; make it"),
        ('{"format": "verifier-certificate", "version": 2}', "not a well-formed certificate"),
    ],
)
def test_what_is_no_certificate(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(content)
    with pytest.raises(vf.InputError) as caught:
        vf.show(file)
    assert says in str(caught.value)
