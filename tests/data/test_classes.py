"""All classes of a trained classifier where the data have fewer; a head with one logit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from safetensors.numpy import save_file

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.data.classes import with_classes
from verifier.errors import DataError
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case

RNG = np.random.default_rng(7)
X = RNG.normal(size=(9, 3))
NETWORK = vf.Network(3, [vf.Dense(12, "tanh", skip=True)])
U = vf.initialise(NETWORK, seed=2)
V = vf.output_weights(NETWORK, 4, seed=2)


def cross_entropy(v: np.ndarray, labels: list[int]) -> mpmath.mpf:
    """Mean softmax cross entropy in 40 digits."""
    views = NETWORK.views(U)
    with mpmath.workdps(40):
        total = mpmath.mpf(0)
        for x, y in zip(X, labels, strict=True):
            z = [
                mpmath.tanh(mpmath.fdot(w, x) + b)
                for w, b in zip(views["layer0.weight"].tolist(), views["layer0.bias"].tolist(), strict=True)
            ]
            logits = [mpmath.fdot(z, column) for column in v.T.tolist()]
            total += mpmath.log(sum(mpmath.exp(t - logits[y]) for t in logits))
        return total / len(labels)


def start_loss(found: vf.Report) -> tuple[float, float]:
    ((_, low, high),) = found.path.sample([0.0])
    return low, high


LABELS = [0, 1, 3, 0, 1, 3, 0, 1, 3]
NAMED = [["ant", "bee", "cat", "dog"][k] for k in LABELS]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LABELS, 4),
        (np.array(LABELS, dtype=float), np.int64(4)),
        (NAMED, ["ant", "bee", "cat", "dog"]),
        (NAMED, np.array(["ant", "bee", "cat", "dog"])),
        ([k + 1 for k in LABELS], [1, 2, 3, 4]),
    ],
)
def test_the_loss_is_the_trained_networks_own(labels: Any, classes: Any, tmp_path: Path) -> None:
    with pytest.raises(
        vf.VerifierError, match=r"shape \(12, 4\), expected \(12, 3\); the network has 4 classes.*classes="
    ):
        vf.verify(X, labels, NETWORK, U, V)
    found = vf.verify(X, labels, NETWORK, U, V, classes=classes)
    low, high = start_loss(found)
    assert low <= cross_entropy(V, LABELS) <= high
    assert high - low < 1e-10
    assert found.data.classes == 4
    assert found.data.labels.tolist() == LABELS
    assert check_file(str(found.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


def test_the_remedy_in_the_message_works() -> None:
    with pytest.raises(vf.VerifierError, match="say so with classes=4"):
        vf.verify(X, LABELS, NETWORK, U, V)
    with pytest.raises(vf.VerifierError, match=r"classes=\[the 4 names in the order of the network's outputs"):
        vf.verify(X, NAMED, NETWORK, U, V)
    with pytest.raises(vf.VerifierError, match="the labels have 3 classes"):
        vf.verify(X, LABELS, NETWORK, U, V[:, :2])


def test_another_order_of_the_names_is_another_numbering() -> None:
    data = vf.dataset_from_arrays(X, NAMED, classes=["dog", "cat", "bee", "ant"])
    assert data.labels.tolist() == [3 - k for k in LABELS]
    assert data.label_names == ("dog", "cat", "bee", "ant")


def test_one_class_may_occur_alone() -> None:
    found = vf.verify(X, [2] * 9, NETWORK, U, V, classes=4)
    assert found.verdict("zero_loss") is vf.Verdict.PROVED
    low, high = start_loss(found)
    assert low <= cross_entropy(V, [2] * 9) <= high


@pytest.mark.parametrize(
    ("labels", "classes", "says"),
    [
        (LABELS, 3, "entry 2 is 3, not among the classes"),
        (NAMED, 4, "entry 0 is 'ant', not among the classes"),
        (NAMED, ["ant", "bee"], "entry 2 is 'dog', not among the classes; they are ant, bee"),
        (LABELS, ["0", "1", "2", "3"], "entry 0 is 0, not among the classes"),
        (LABELS, [0, 1, 3, 3], "3 is there twice"),
        (LABELS, [0, True, 3], "booleans beside numbers"),
        (LABELS, 1, "there must be 2 to"),
        (LABELS, -4, "there must be 2 to"),
        (LABELS, True, "give their number"),
        (LABELS, {0, 1, 2, 3}, "no order"),
        (LABELS, "0123", "one text"),
        (LABELS, 4.5, "no sequence"),
        ([bool(k) for k in LABELS], [0, 1, 2], "not among the classes"),
        ([int(k > 0) for k in LABELS], [False, True], "not among the classes"),
    ],
)
def test_classes_that_do_not_fit_are_refused(labels: Any, classes: Any, says: str) -> None:
    with pytest.raises(vf.InputError) as caught:
        vf.dataset_from_arrays(X, labels, classes=classes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_data_set_and_a_file_can_be_given_all_classes(tmp_path: Path) -> None:
    data = vf.dataset_from_arrays(X, LABELS)
    assert with_classes(data, 4).labels.tolist() == LABELS
    assert with_classes(vf.dataset_from_arrays(X, NAMED), ["ant", "bee", "cat", "dog"]).labels.tolist() == LABELS
    found = vf.verify(data, network=NETWORK, u=U, v=V, classes=4)
    low, high = start_loss(found)
    assert low <= cross_entropy(V, LABELS) <= high
    with pytest.raises(vf.InputError, match="'3' occurs but is not among them"):
        vf.verify(data, network=NETWORK, classes=3)
    np.savez(tmp_path / "d.npz", X=X, y=np.array(NAMED))
    views = {name: np.array(value) for name, value in NETWORK.views(U).items()}
    save_file(views | {"V": V}, tmp_path / "w.safetensors")
    text = 'data = {{ path = "d.npz", scale = "none"{} }}\nstart = {{ file = "w.safetensors" }}\n'
    text += 'network.layers = [{{ kind = "dense", width = 12, activation = "tanh", skip = true }}]\n'
    named = ', classes = ["ant", "bee", "cat", "dog"]'
    report = run_case(parse_case(text.format(named), folder=tmp_path))[0]
    assert "4 classes, ant = 0, bee = 1, cat = 2, dog = 3 (cat in no row)" in report.problem.data.understood
    ((_, low, high),) = report.path.sample([0.0])
    assert low <= cross_entropy(V, LABELS) <= high
    with pytest.raises(vf.VerifierError, match="'V' is for 4 classes, and the data have 3"):
        run_case(parse_case(text.format(""), folder=tmp_path))
    save_file(views | {"V": V[:, :1].copy()}, tmp_path / "w.safetensors")
    np.savez(tmp_path / "d.npz", X=X, y=np.array(LABELS) > 0)
    report = run_case(parse_case(text.format(""), folder=tmp_path))[0]
    assert "a head with one logit z is the head (0, z)" in " ".join(str(report).split())
    ((_, low, high),) = report.path.sample([0.0])
    assert low <= logistic(V[:, 0], [k > 0 for k in LABELS]) <= high


def logistic(v: np.ndarray, positive: list[bool]) -> mpmath.mpf:
    """Mean binary cross entropy with logits: the same as that of the head with the columns 0 and v."""
    views = NETWORK.views(U)
    with mpmath.workdps(40):
        total = mpmath.mpf(0)
        for x, y in zip(X, positive, strict=True):
            z = mpmath.mpf(0)
            for w, b, c in zip(views["layer0.weight"].tolist(), views["layer0.bias"].tolist(), v.tolist(), strict=True):
                z += c * mpmath.tanh(mpmath.fdot(w, x) + b)
            total += mpmath.log(1 + mpmath.exp(-z if y else z))
        return total / len(positive)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("labels", [[k > 0 for k in LABELS], [1 if k else -1 for k in LABELS]])
def test_one_logit(labels: list[Any], flat: bool, tmp_path: Path) -> None:
    v = V[:, 0] if flat else V[:, :1]
    found = vf.verify(X, labels, NETWORK, U, v)
    low, high = start_loss(found)
    assert low <= logistic(V[:, 0], [k > 0 for k in LABELS]) <= high
    assert found.v.tolist() == [[0.0, c] for c in V[:, 0].tolist()]
    last = found.data.label_names[1]
    said = f"a head with one logit z is the head (0, z) with two classes, z that of '{last}'"
    assert said in " ".join(str(found).split())
    assert check_file(str(found.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


def test_one_logit_needs_two_classes() -> None:
    with pytest.raises(vf.VerifierError, match=r"v: shape \(12, 1\) is one logit, for two classes; the labels have 3"):
        vf.verify(X, LABELS, NETWORK, U, V[:, :1])


@pytest.mark.torch
def test_a_torch_head_with_one_output_has_torchs_loss() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    head = torch.nn.Linear(20, 1, bias=False)
    model = torch.nn.Sequential(torch.nn.Linear(3, 20), torch.nn.Tanh(), head)
    taken = vf.from_torch(model, 3)
    y = torch.tensor([k > 0 for k in LABELS])
    found = vf.verify(torch.tensor(X), y, taken.network, taken.u, taken.v)
    with torch.no_grad():
        logits = model.double()(torch.tensor(X)).ravel()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.double()).item()
    assert start_loss(found) == pytest.approx((expected, expected), rel=1e-12)
    wide = torch.nn.Sequential(torch.nn.Linear(3, 20), torch.nn.Tanh(), torch.nn.Linear(20, 4, bias=False))
    taken = vf.from_torch(wide, 3)
    found = vf.verify(X, LABELS, taken.network, taken.u, taken.v, classes=4)
    with torch.no_grad():
        logits = wide.double()(torch.tensor(X))
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS)).item()
    assert start_loss(found) == pytest.approx((expected, expected), rel=1e-12)


@pytest.mark.parametrize("names", [("x" * 90 + "a", "x" * 90 + "b"), ("q\x01", "q\x02"), ("a b", "a  b")])
def test_classes_whose_printed_names_are_equal_are_not_merged(names):
    """A data set keeps names as they are printed: looked up by them, two classes would become one."""
    data = vf.dataset_from_arrays(np.eye(4), [names[0], names[1]] * 2)
    with pytest.raises(DataError, match="two classes"):
        with_classes(data, [*names, "c"])
    with pytest.raises(DataError, match="two classes"):  # one of the two occurs
        with_classes(vf.dataset_from_arrays(np.eye(2), [names[0], "c"]), [*names, "c"])
