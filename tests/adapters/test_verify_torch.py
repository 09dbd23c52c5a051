"""`verifier.verify` with a torch module, or an ONNX file, as it is."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from verifier.verdict import Verdict

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch

RNG = np.random.default_rng(2)
X = RNG.integers(0, 256, size=(8, 1, 4, 4))
Y = np.arange(8) % 3


def network(*after, outputs=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 10), nn.Tanh(), nn.Linear(10, outputs), *after)


class Pixels(nn.Module):
    """Takes bytes, as people have them."""

    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, x):
        return self.inner(x.float() / 255).log_softmax(-1)


@pytest.mark.parametrize("kind", ["array", "bytes", "tensor", "byte tensor"])
def test_a_module_is_verified_on_the_samples_as_they_are(kind, tmp_path):
    x = {
        "array": X.astype(float),
        "bytes": X.astype(np.uint8),
        "tensor": torch.tensor(X),
        "byte tensor": torch.tensor(X, dtype=torch.uint8),
    }[kind]
    model = Pixels()
    report = vf.verify(x, torch.tensor(Y) if "tensor" in kind else Y, model)
    assert report.proved and np.array_equal(report.data.inputs, X.reshape(8, 16))
    logits = model.inner.double()(torch.tensor(X, dtype=torch.float64) / 255).detach()
    truth = nn.functional.cross_entropy(logits, torch.tensor(Y)).item()
    assert abs(float(report.descent.start_loss[1].fraction()) - truth) < 1e-6
    assert "log_softmax after the head is left out" in report.problem.words
    if kind == "array":
        assert vf.check(report.write(tmp_path / "a.json")).accepted


def test_one_logit_and_real_targets():
    x, model = X / 256, network(outputs=1)
    assert vf.verify(x, Y == 1, model).verdict("path") is Verdict.PROVED
    assert vf.verify(x, Y * 0.7, model, regression=True).verdict("path") is Verdict.PROVED
    with pytest.raises(vf.InputError, match="a classifier has no real targets"):
        vf.verify(x, Y * 0.7, network(nn.Sigmoid(), outputs=1), regression=True)


IMAGES = torch.rand(8, 3, 4, 4)
CONVOLUTION = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3))
ONE_CHANNEL = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3))
FLAT = nn.Sequential(nn.Linear(48, 9), nn.Tanh(), nn.Linear(9, 3))


@pytest.mark.parametrize(
    ("x", "model", "remedy"),
    [
        (IMAGES.permute(0, 2, 3, 1), CONVOLUTION, "X.permute(0, 3, 1, 2)"),
        (IMAGES.permute(0, 2, 3, 1).numpy(), CONVOLUTION, "X.transpose(0, 3, 1, 2)"),
        (IMAGES.flatten(1), CONVOLUTION, "X.reshape(len(X), 3, 4, 4)"),
        (IMAGES[:, 0], ONE_CHANNEL, "X[:, None]"),
        (IMAGES, FLAT, "X.reshape(len(X), -1)"),
    ],
    ids=["channels last", "channels last, NumPy", "flat", "no channel", "images for a linear layer"],
)
def test_samples_of_another_layout_get_a_remedy_that_works(x, model, remedy):
    with pytest.raises(vf.InputError) as refused:
        vf.verify(x, Y, model)
    assert str(refused.value).endswith(f"; give {remedy}")
    assert vf.from_torch(model, eval(remedy, {"X": x, "len": len})).head


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, at):
        return IMAGES[at].flatten(), Y[at]


def test_data_sets_and_loaders_get_the_line_that_makes_tensors_of_them():
    tensors = torch.utils.data.TensorDataset(IMAGES.flatten(1), torch.tensor(Y))
    for given in (tensors, torch.utils.data.DataLoader(tensors, 3), Pairs()):
        with pytest.raises(vf.InputError, match="is no array; give X, y = ") as refused:
            vf.verify(given, Y, FLAT)
        names = {"torch": torch, "DataLoader": torch.utils.data.DataLoader, "dataset": given, "loader": given}
        exec(str(refused.value).partition("; give ")[2], names)
        assert torch.equal(names["X"], IMAGES.flatten(1)) and names["y"].tolist() == Y.tolist()


class Keyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, *, pixels):
        return self.inner(pixels)


class HiddenFirst(Keyword):
    def forward(self, x):
        hidden = self.inner[:3](x)
        return hidden, self.inner[3](hidden)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Keyword, "by keyword only; wrap the module"),
        (HiddenFirst, "not with a linear head.*of the module's outputs, number 0 is taken"),
        (lambda: network().state_dict(), "load_state_dict"),
        (lambda: Pixels, "is a class, not a model"),
        (lambda: nn.Sequential(nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Linear(18, 3)), r"\(1, 4, 4\)"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(9, 3)), r"\(1, 4, 4\)"),
    ],
    ids=["keyword", "hidden first", "state_dict", "class", "channels", "width"],
)
def test_refused_in_one_line(model, words):
    with pytest.raises(vf.InputError, match=words) as refused:
        vf.verify(X / 256, Y, model())
    assert "\n" not in str(refused.value)


def test_names_of_classes_are_asked_for():
    with pytest.raises(vf.InputError, match="name all classes in the order of the outputs"):
        vf.verify(X / 256, np.array(["a", "b", "c"])[Y], network())
    report = vf.verify(X / 256, np.array(["a", "b", "c"])[Y], network(), classes=["c", "a", "b"])
    assert report.data.labels.tolist() == [(k + 1) % 3 for k in Y]
