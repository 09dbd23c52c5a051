"""Statements without data, from Python and the command line: what is said, written, and accepted."""

from __future__ import annotations

import json

import numpy as np
import pytest

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.cli import main
from verifier.errors import CaseError, InputError, NetworkError
from verifier.run.case import parse_case
from verifier.run.case_architecture import case_architecture

Dense = vf.Dense
DEEP = vf.Network(2, [Dense(3, "tanh"), Dense(6, "gelu", skip=True)])
TIED = vf.Conv(3, (2,), "tanh", bias="tied", skip=True)
CASE = """
[network]
input_shape = [2]
output_bias = true
layers = [
  { kind = "dense", width = 3, activation = "tanh" },
  { kind = "dense", width = 5, activation = "silu", skip = true },
]
"""


def accepted(file):
    return check_file(str(file), 1).verdict == "ACCEPTED"


def verdicts(found):
    return str(found.verdict("A")), str(found.verdict("D"))


def test_one_certificate_states_both_and_is_accepted(tmp_path):
    found = vf.architecture(DEEP, 6)
    assert verdicts(found) == ("PROVED", "PROVED") and found.proved
    assert found.conclusion.startswith(
        "For EVERY data set of N = 6 samples of 2 real coordinates, or fewer, all distinct"
    )
    file = found.write(tmp_path / "a.json")
    assert accepted(file)
    assert [claim["label"] for claim in json.loads(file.read_text())["claims"]] == ["R1", "D", "A", "S(2)", "C4", "C2+"]
    words = str(vf.show(file))
    assert "X*, random samples drawn for this proof" in words and "Nothing is said of a given data set" in words


def test_a_alone_has_neither_weights_nor_samples(tmp_path):
    found = vf.architecture(Dense(3000, "tanh", skip=True), 3000, input_shape=2)
    assert verdicts(found) == ("PROVED", "UNDECIDED") and "says more" in found.almost_every.reason
    file = found.write(tmp_path / "a.json")
    document = json.loads(file.read_text())
    assert document["data"]["inputs"] is None and document["arrays"]["bytes"] < 100
    assert all(node.get("values") is None for node in document["network"]["nodes"])
    assert accepted(file) and "none is stored; 3000 distinct samples x 2" in str(vf.show(file))


def test_d_alone_says_what_it_does_not_say(tmp_path):
    found = vf.architecture(TIED, 6, input_shape=(1, 4))
    assert verdicts(found) == ("UNDECIDED", "PROVED")
    assert found.conclusion.endswith(
        "This says NOTHING about a given data set, nor about integer or 8-bit data (a null set)."
    )
    assert accepted(found.write(tmp_path / "d.json"))


def test_memorisation_beyond_the_width(tmp_path):
    network = vf.Network(6, Dense(6, "tanh", skip=True))
    found = vf.architecture(network, 16, outputs=2)
    assert (found.verdict("A").name, found.verdict("D").name, found.verdict("J3").name) == ("UNDECIDED",) * 2 + (
        "PROVED",
    )
    assert found.conclusion.startswith("Certified memorisation: for almost every data set of N = 16 samples of 6 real")
    assert (
        "every real target of 2 outputs" in found.conclusion and "This says NOTHING about a given" in found.conclusion
    )
    assert accepted(found.write(tmp_path / "c.json"))
    assert "almost every set of as many samples" in str(vf.show(tmp_path / "c.json"))
    beyond = vf.architecture(network, 17, outputs=2)
    assert not beyond.proved and "N = 17 is more than 16" in beyond.memorised.reason
    with pytest.raises(InputError, match="outputs = 0 must be an integer, at least 1"):
        vf.architecture(network, 16, outputs=0)


def test_nothing_proved_is_no_certificate(tmp_path):
    found = vf.architecture([Dense(3, "relu"), Dense(4, "relu", skip=True)], 3, input_shape=2)
    assert verdicts(found) == ("UNDECIDED", "UNDECIDED") and not found.proved
    assert "relu in node 4 (map) is not real analytic" in found.conclusion and "softplus(20)" in found.conclusion
    with pytest.raises(vf.VerifierError, match="nothing was proved"):
        found.write(tmp_path / "x.json")
    assert "the largest N for it is 6" in vf.architecture(DEEP, 7).every.reason


def test_what_is_frozen_is_part_of_the_architecture():
    frozen, _ = vf.freeze(DEEP, vf.initialise(DEEP), "layer0.*")
    found = vf.architecture(frozen, 4)
    assert verdicts(found) == ("UNDECIDED", "PROVED")
    assert found.about.endswith("9 frozen numbers, which keep their values")
    assert max(map(len, str(found).splitlines())) <= 80


def test_results_show_themselves_and_are_no_truth_values():
    found = vf.architecture(DEEP, 2)
    assert "For EVERY data set" in repr(found) and "<table" in found._repr_html_()
    with pytest.raises(TypeError, match=r"ask \.proved"):
        bool(found)
    for label in ("A", "D"):
        assert f"({label}): " in str(found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((DEEP,), "samples: missing; say for how many samples N, at most 6 if full rank is the aim"),
        ((DEEP, 0), "samples = 0 must be an integer from 1"),
        ((DEEP, True), "samples = True must be an integer"),
        ((DEEP, 2.5), "samples = 2.5 must be an integer"),
        ((DEEP, 2**31), "samples = 2147483648 must be an integer from 1 to 2147483647"),
        ((Dense(3, "tanh", skip=True), 2), "input_shape: missing"),
    ],
)
def test_mistakes_are_one_line(arguments, words):
    with pytest.raises(InputError) as caught:
        vf.architecture(*arguments)
    assert words in str(caught.value)


def test_more_mistakes():
    with pytest.raises(NetworkError, match=r"input_shape = \[3\], and the network's is \[2\]"):
        vf.architecture(DEEP, 2, input_shape=3)
    with pytest.raises(InputError, match="seed = -1"):
        vf.architecture(DEEP, 2, seed=-1)
    with pytest.raises(InputError, match="verdict"):
        vf.architecture(DEEP, 2).verdict("W0")
    with pytest.raises(InputError, match=r"ends in \.json"):
        vf.architecture(DEEP, 2).write("a.txt")


def test_ordinary_certificates_state_both_for_as_many_samples(tmp_path):
    report = vf.verify([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 0], DEEP)
    assert report.verdict("A") is report.verdict("D") is vf.Verdict.PROVED
    file = report.write(tmp_path / "c.json")
    assert accepted(file) and {"A", "D"} <= {claim["label"] for claim in json.loads(file.read_text())["claims"]}
    kinks = vf.verify([[0.0], [1.0]], [0, 1], Dense(3, "relu", skip=True))
    assert kinks.verdict("A") is kinks.verdict("D") is None


def test_statements_about_all_data_do_not_apply_beside_what_belongs_to_some():
    x, y = [[0.0], [1.0]], [0, 1]
    layer = Dense(4, "tanh", skip=True)
    frozen_logits = vf.verify(x, y, layer, offset=np.ones((2, 2)))
    arcs = vf.verify(x, y, layer, arcs=[[1, 0], [1, 0], [0, 1], [0, 1]])
    for report in (frozen_logits, arcs):
        assert report.verdict("D") is None and report.theorem.every_data_set is None
    assert frozen_logits.verdict("A") is vf.Verdict.PROVED and arcs.verdict("A") is None  # of these samples
    short = vf.verify([[0.0], [1.0], [2.0]], [0, 1, 0], Dense(2, "tanh", skip=True))
    assert short.verdict("A") is None and short.verdict("D") is not vf.Verdict.PROVED


def test_relu_units_over_the_input_have_a_path_from_every_point(tmp_path):
    found = vf.architecture(Dense(5, "relu", skip=True), 4, input_shape=2)
    assert verdicts(found) == ("UNDECIDED", "UNDECIDED") and found.proved
    assert [str(found.verdict(label)) for label in ("S(1)", "S(2)", "S+")] == ["PROVED"] * 3
    assert found.conclusion.endswith(
        "From every point a path leads down to the infimum. All sublevel sets are connected."
    )
    file = found.write(tmp_path / "s.json")
    assert [claim["label"] for claim in json.loads(file.read_text())["claims"]] == ["S(1)", "S+", "C2+"]
    assert accepted(file) and "No activation need be differentiable" in str(vf.show(file))


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["architecture", *map(str, arguments)])
    streams = capsys.readouterr()
    return caught.value.code, streams.out, streams.err


def test_the_command(tmp_path, capsys):
    case = tmp_path / "my.toml"
    case.write_text(CASE)
    code, out, _ = run(capsys, case, "--samples", 6, "--out", tmp_path / "my.json")
    assert code == 0 and "\nPROVED     For EVERY data set of N = 6 samples of 2 real coordinates" in out
    assert f"Certificate: {tmp_path}" in out and accepted(tmp_path / "my.json")
    code, out, _ = run(capsys, case, "--samples", 40)
    assert code == 3 and "the largest N" in " ".join(out.split()) and max(map(len, out.splitlines())) <= 80
    code, out, _ = run(capsys, case, "--samples", 3, "--json")
    assert code == 0 and [each["verdict"] for each in json.loads(out)["statements"]][:2] == ["PROVED", "PROVED"]
    code, _, err = run(capsys, case)
    assert code == 2 and "--samples N, at most 6 if full rank is the aim" in err and err.count("\n") == 1


def test_a_case_with_data_gives_their_number():
    data = '[data]\nname = "digits"\nsamples = 20\n'
    network, samples = case_architecture(parse_case(data + CASE.replace("input_shape = [2]\n", "")), None)
    assert samples == 20 and network.dimension == 64
    assert case_architecture(parse_case(data + CASE.replace("input_shape = [2]\n", "")), 5)[1] == 5


def test_a_case_without_data_says_what_is_missing():
    with pytest.raises(CaseError, match=r"network\.input_shape = "):
        case_architecture(parse_case(CASE.replace("input_shape = [2]\n", "")), 3)
    frozen = CASE.replace("output_bias = true", 'freeze = ["layer0.*"]')
    assert case_architecture(parse_case(frozen), 3, seed=4)[0].parameter_count == 20
    with pytest.raises(CaseError, match=r"start\.file"):
        case_architecture(parse_case(frozen + '[start]\nfile = "w.npz"\n'), 3)
    with pytest.raises(CaseError, match="exactly one of name"):
        vf.run_case(parse_case(CASE))


def test_an_estimator_with_its_scaler_is_an_architecture(tmp_path):
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.arange(12.0).reshape(6, 2) ** 2
    model = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=2000, tol=1.0)
    ).fit(x, x[:, 0])
    found = vf.architecture(model, 6)
    assert verdicts(found) == ("PROVED", "PROVED") and "4 frozen numbers" in found.about and found.remarks
    assert found.remarks[0].split()[0] in str(found) and accepted(found.write(tmp_path / "m.json"))


@pytest.mark.torch
def test_a_module_is_an_architecture():
    import torch

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 7), torch.nn.SiLU(), torch.nn.Linear(7, 3))
    assert verdicts(vf.architecture(model, 8, input_shape=(2, 3))) == ("PROVED", "PROVED")
    model[1].weight.requires_grad_(False)
    assert verdicts(vf.architecture(model, 8, input_shape=(2, 3))) == ("UNDECIDED", "PROVED")
    with pytest.raises(NetworkError, match="input_shape: missing"):
        vf.architecture(model, 8)
