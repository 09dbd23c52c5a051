"""R5 for every U: accepted where it holds, rejected below, whatever weights the document has."""

import json

import jsonschema
import numpy as np
import pytest
from checker_writer import node_of, write
from planted import dense, random_parameters
from planted_problems import PATCHES, data_of, every_u_outcome, one_pixel

from verifier.certificate.schema import json_schema
from verifier.certificate.show import describe
from verifier.certificate.writer import CertificateBuilder
from verifier.checker.certificate import check_file
from verifier.rank.deficiency import Deficiency, structural_bound_every_u

SCHEMA = json_schema()


def certificate(folder, net, x, u=None):
    builder = CertificateBuilder(data_of(x), net, np.zeros(net.parameter_count) if u is None else u, with_labels=False)
    builder.add_deficiency(structural_bound_every_u(net, x))
    return builder.write(folder / "c.json")


@pytest.mark.parametrize("seed", range(3))
def test_the_stored_weights_do_not_matter(tmp_path, seed):
    net = one_pixel("tied")
    path = certificate(tmp_path, net, PATCHES, random_parameters(np.random.default_rng(seed), net, 3.0))
    outcome = check_file(str(path), 1)
    assert outcome.verdict == "ACCEPTED"
    (claim,) = outcome.claims
    assert (claim["label"], claim["reason"], claim["rank_at_most"]) == ("R5", "every-u", 1)
    assert claim["statement"].startswith("for EVERY U: rank Psi(U) <= 1 < N = 2")


def test_what_holds_at_one_u_only_is_not_accepted_for_every_u():
    """At U = 0 all units are equal, which every-u must not use; dependent-units may."""
    net, x = dense([4], ["tanh"], 1), np.array([[0.0], [1.0], [2.0]])
    outcome = every_u_outcome(net, x, 2)
    assert (outcome.verdict, outcome.rejection.rule, outcome.rejection.path) == (
        "REJECTED",
        "R5.bound",
        "/claims/0/rank_at_most",
    )
    assert outcome.rejection.computed == 4


CASES = {
    "fewer units": (dense([2], ["tanh"], 1), [[0], [1], [2]], 2),
    "equal samples": (dense([5], ["tanh"], 1), [[0], [1], [1]], 2),
    "tied bias": (one_pixel("tied"), [[0, 0], [1, 1]], 1),
    "squares": (dense([9], ["square"], 1), [[0], [1], [2], [3]], 3),
    "linear on a line": (dense([9], ["identity"], 2), [[0, 0], [1, 2], [2, 4]], 2),
}


@pytest.mark.parametrize("name", CASES)
def test_claims_at_below_and_above_the_bound(name):
    net, x, bound = CASES[name]
    x = np.array(x, dtype=float)
    assert every_u_outcome(net, x, bound).verdict == "ACCEPTED"
    below = every_u_outcome(net, x, bound - 1)
    assert (below.verdict, below.rejection.rule) == ("REJECTED", "R5.bound")
    outside = every_u_outcome(net, x, len(x))
    assert (outside.verdict, outside.rejection.rule) == ("REJECTED", "schema.value")


def tampered(tmp_path, change):
    path = certificate(tmp_path, one_pixel("tied"), PATCHES)
    document = json.loads(path.read_text())
    change(document)
    arrays = path.with_suffix(".safetensors").read_bytes()
    return check_file(str(write(tmp_path, document, arrays)), 1)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: d["claims"][0].update(reason="every-U"), "schema.value"),
        (lambda d: d["claims"][0].update(reason="fewer-units"), "R5.bound"),
        (lambda d: d["claims"][0].update(reason="equal-samples"), "R5.bound"),
        (lambda d: d["claims"][0].update(rank_at_most=0), "R5.bound"),
        (lambda d: d["claims"][0].update(rank_at_most=2), "schema.value"),
        (lambda d: d["claims"][0].update(rank_at_most=-1), "schema.value"),
        (lambda d: d["claims"][0].update(weights=None), "schema.unknown-key"),
        (lambda d: d["claims"][0].pop("reason"), "schema.missing-key"),
        (lambda d: node_of(d, 0, "bias").update(shape=[1, 2]), "shape"),
        (lambda d: node_of(d, 0, "weight").update(values=None), "network.values"),
    ],
)
def test_tampering_is_rejected(tmp_path, change, rule):
    outcome = tampered(tmp_path, change)
    assert (outcome.verdict, outcome.rejection.rule) == ("REJECTED", rule)


def test_a_sample_that_tells_the_patches_apart_is_rejected(tmp_path):
    net = one_pixel("tied")
    builder = CertificateBuilder(data_of([[0, 0], [1, 2]]), net, np.zeros(2), with_labels=False)
    builder.add_deficiency(Deficiency("every-u", 1, ""))
    outcome = check_file(str(builder.write(tmp_path / "c.json")), 1)
    assert (outcome.verdict, outcome.rejection.rule) == ("REJECTED", "R5.bound")


def test_the_document_fits_the_schema_and_is_told_in_words(tmp_path):
    path = certificate(tmp_path, one_pixel("tied"), PATCHES)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(path.read_text()))
    assert "rank Psi(U) <= 1 < N for EVERY U" in describe(path)
