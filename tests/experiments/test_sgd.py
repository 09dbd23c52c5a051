"""Training: rates, Nesterov's momentum, checkpoints that continue bit by bit, divergence, distances."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verifier.data.dataset import Dataset
from verifier.errors import InputError
from verifier.experiments.config import TrainingSection
from verifier.network.layers import Dense
from verifier.network.network import Network

pytestmark = pytest.mark.torch

N, D, CLASSES = 48, 4, 3


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def data(n: int = N, seed: int = 0) -> Any:
    from verifier.experiments.training import Samples

    random = np.random.default_rng(seed)
    inputs = random.integers(-16, 17, (n, D)) / 16.0
    labels = (inputs @ np.random.default_rng(9).standard_normal((D, CLASSES))).argmax(1)
    import torch

    return Samples(Dataset("planted", inputs, labels, CLASSES), torch.device("cpu"))


def module(seed: int = 0) -> Any:
    from verifier.experiments.module import SkipNetwork

    found = SkipNetwork(Network(D, [Dense(9, "tanh", True), Dense(7, "sigmoid", True)]), CLASSES)
    found.initialise(seed)
    return found


def run(given: Any, checkpoint: Path, epochs: int = 8, **change: Any) -> Any:
    from verifier.experiments.training import train

    section = TrainingSection(batch=10, checkpoint_seconds=change.pop("seconds", 1e9), **change.pop("section", {}))
    about = {"rate": 0.3, "seed": 5, "digest": "run", "told": lambda words: None} | change
    return train(given, data(), data(20, 1), section, epochs=epochs, checkpoint=checkpoint, **about)


class Killed(BaseException):
    pass


def cut(given: Any, checkpoint: Path, after: int, **change: Any) -> None:
    """Train until so many epochs are done and a checkpoint is written, as a process that is killed then."""

    def told(words: str) -> None:
        if words.startswith(f"epoch {after + 1}/"):
            raise Killed

    with pytest.raises(Killed):
        run(given, checkpoint, seconds=0.0, told=told, **change)


def numbers(given: Any) -> Any:
    return np.concatenate([p.detach().numpy().ravel() for p in given.parameters()])


def test_the_loss_falls(tmp_path: Path) -> None:
    history = run(module(), tmp_path / "c", 30)
    assert [epoch.epoch for epoch in history] == list(range(31))
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    assert history[-1].train_errors < history[0].train_errors
    assert not list(tmp_path.iterdir())


def test_rates() -> None:
    from verifier.experiments.training import rate_at

    rates = [rate_at(epoch, 20, 0.5) for epoch in range(20)]
    assert rates == pytest.approx([0.5] * 10 + [0.05] * 5 + [0.005] * 5)
    assert [rate_at(epoch, 3, 1.0) for epoch in range(3)] == pytest.approx([1.0, 1.0, 0.1])
    assert rate_at(0, 1, 1.0) == 1.0


def test_rates_are_used(tmp_path: Path) -> None:
    history = run(module(), tmp_path / "c", 8, rate=0.4)
    assert [epoch.rate for epoch in history[1:]] == pytest.approx([0.4] * 4 + [0.04] * 2 + [0.004] * 2)


def test_nesterov(tmp_path: Path) -> None:
    """Two epochs of one batch, by hand: v <- mu v + g, w <- w - rate (g + mu v)."""
    import torch
    from torch.nn import functional

    given, rate, mu = module(), 0.125, 0.5
    parameters = [p.detach().clone().requires_grad_() for p in given.parameters()]
    momenta = [torch.zeros_like(p) for p in parameters]
    reference, samples = module(), data()
    for epoch in range(2):
        order = torch.randperm(N, generator=torch.Generator().manual_seed(5 * 1_000_003 + epoch))
        logits = torch.func.functional_call(
            reference,
            dict(zip([n for n, _ in reference.named_parameters()], parameters, strict=True)),
            samples.inputs[order],
        )
        gradients = torch.autograd.grad(functional.cross_entropy(logits, samples.labels[order]), parameters)
        momenta = [mu * m + g for m, g in zip(momenta, gradients, strict=True)]
        parameters = [
            (p - (rate, rate / 10)[epoch] * (g + mu * m)).detach().requires_grad_()
            for p, m, g in zip(parameters, momenta, gradients, strict=True)
        ]
    from verifier.experiments.training import train

    section = TrainingSection(batch=N, momentum=mu)
    train(
        given, samples, data(20, 1), section,
        rate=rate, epochs=2, seed=5, checkpoint=tmp_path / "c", digest="", told=lambda words: None,
    )  # fmt: skip
    expected = np.concatenate([p.detach().numpy().ravel() for p in parameters])
    assert np.allclose(numbers(given), expected, rtol=0, atol=1e-6)


def test_no_momentum(tmp_path: Path) -> None:
    assert len(run(module(), tmp_path / "c", 2, section={"momentum": 0.0})) == 3


def test_seeds_order_the_samples(tmp_path: Path) -> None:
    ends = []
    for seed in (5, 5, 6):
        given = module()
        run(given, tmp_path / "c", 2, seed=seed)
        ends.append(numbers(given))
    assert np.array_equal(ends[0], ends[1]) and not np.array_equal(ends[0], ends[2])


@pytest.mark.parametrize("after", [1, 4, 7])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_a_killed_run_goes_on_bit_by_bit(tmp_path: Path, after: int, momentum: float) -> None:
    whole = module()
    history = run(whole, tmp_path / "whole", section={"momentum": momentum})
    cut(module(), tmp_path / "cut", after, section={"momentum": momentum})
    assert (tmp_path / "cut").is_file()
    again, epochs = module(), list[str]()
    resumed = run(again, tmp_path / "cut", told=epochs.append, section={"momentum": momentum})
    assert len(epochs) == 8 - after
    assert np.array_equal(numbers(again), numbers(whole)) and resumed == history


def test_another_runs_checkpoint_is_left_alone(tmp_path: Path) -> None:
    cut(module(), tmp_path / "c", 4)
    whole, other = module(), module()
    history = run(whole, tmp_path / "none", digest="other")
    assert run(other, tmp_path / "c", digest="other") == history
    assert np.array_equal(numbers(other), numbers(whole))


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "bit", "folder", "history", "tensor"])
def test_a_damaged_checkpoint_is_left_alone(tmp_path: Path, damage: str) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    whole = module()
    history = run(whole, tmp_path / "none")
    file = tmp_path / "c"
    cut(module(), file, 4)
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[:-10])
    elif damage == "bit":
        file.write_bytes(content[:-10] + bytes([content[-10] ^ 1]) + content[-9:])
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    elif damage in ("history", "tensor"):
        tensors = load_file(file)
        with safe_open(file, "pt") as opened:
            told = opened.metadata()
        if damage == "tensor":
            del tensors["weight.head.weight"]
        else:
            told["history"] = "[null]"
        save_file(tensors, file, told)
    else:
        file.write_bytes(b"" if damage == "empty" else b"no checkpoint at all")
    again = module()
    assert run(again, file) == history
    assert np.array_equal(numbers(again), numbers(whole))


def test_divergence_ends(tmp_path: Path) -> None:
    given = module()
    history = run(given, tmp_path / "c", 30, rate=3e38, seconds=0.0)
    assert 1 < len(history) < 31 and not math.isfinite(history[-1].train_loss)
    again = module()
    assert len(run(again, tmp_path / "c", 30, rate=3e38, seconds=0.0)) == len(history)


def test_distances(tmp_path: Path) -> None:
    given, before = module(), module()
    history = run(given, tmp_path / "c", 3)
    u, v = (np.linalg.norm(a - b) for a, b in zip(given.weights(), before.weights(), strict=True))
    assert (history[0].distance, history[0].distance_u, history[0].distance_v) == (0.0, 0.0, 0.0)
    assert history[-1].distance_u == pytest.approx(u) and history[-1].distance_v == pytest.approx(v)
    assert history[-1].distance == pytest.approx(math.hypot(u, v))


def test_losses_and_errors_in_several_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.experiments import training

    given, samples = module(), data()
    whole = training.evaluate(given, samples)
    monkeypatch.setattr(training, "EVALUATED", 7)
    loss, wrong = training.evaluate(given, samples)
    assert wrong == whole[1] and loss == pytest.approx(whole[0], rel=1e-6)


def test_samples_are_exact_and_need_labels() -> None:
    import torch

    from verifier.experiments.training import Samples

    inputs = np.random.default_rng(0).integers(0, 256, (3, 12)) / 256.0
    images = Samples(Dataset("x", inputs, [0, 1, 1], 2, shape=(3, 2, 2)), torch.device("cpu"))
    assert tuple(images.inputs.shape) == (3, 3, 2, 2) and len(images) == 3
    assert np.array_equal(images.inputs.double().numpy().reshape(3, -1), inputs)
    with pytest.raises(InputError, match="has no labels"):
        Samples(Dataset("x", inputs, None, 2), torch.device("cpu"))


def test_devices() -> None:
    import torch

    from verifier.experiments.training import device_of

    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"training.device = 'cuda' is not there"):
            device_of("cuda")
