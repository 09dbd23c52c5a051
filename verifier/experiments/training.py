"""SGD with Nesterov momentum, epoch by epoch, with checkpoints from which a killed run goes on as if nothing had been.

The order of the samples in an epoch depends on the seed and the epoch only, so a checkpoint is the weights, the
momentum and the number of the epoch. On a CPU, with one thread, a run that was killed ends with the same bits.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from verifier.certificate.files import atomic_write
from verifier.data.dataset import Dataset
from verifier.errors import InputError, one_line
from verifier.experiments.config import TrainingSection
from verifier.experiments.data import labels_of
from verifier.experiments.module import SkipNetwork
from verifier.experiments.record import Epoch

DECAYS = (0.5, 0.75)
"""Parts of the epochs after which the rate is divided by ten."""
EVALUATED = 128
"""Samples that are evaluated at a time: so few that the maps of a convolution stay in the cache."""

Told = Callable[[str], None]


class Samples:
    """Images and labels on a device, float32; pixels are dyadic with few bits, so nothing is rounded.

    Those of the first ``count`` samples, by default of all.
    """

    def __init__(self, data: Dataset, device: torch.device, count: int | None = None) -> None:
        shape = data.shape if len(data.shape) > 1 else (data.dimension,)
        self.inputs = torch.tensor(data.inputs[:count], dtype=torch.float32).reshape(-1, *shape).to(device)
        self.labels = torch.tensor(labels_of(data)[:count]).to(device)

    def __len__(self) -> int:
        """The number of samples that an epoch passes over."""
        return len(self.labels)


class Start:
    """The weights as drawn, to measure distances from."""

    def __init__(self, module: SkipNetwork) -> None:
        self.hidden = [parameter.detach().clone() for parameter in module.hidden.parameters()]
        self.output = module.head.weight.detach().clone()

    def distances(self, module: SkipNetwork) -> tuple[float, float]:
        """Euclidean distances of U and of V."""
        pairs = zip(self.hidden, module.hidden.parameters(), strict=True)
        u = sum(float((after.detach().double() - before.double()).square().sum()) for before, after in pairs)
        v = float((module.head.weight.detach().double() - self.output.double()).square().sum())
        return math.sqrt(u), math.sqrt(v)


def device_of(name: str) -> torch.device:
    """The device: ``auto`` is CUDA where there is one.

    Raises
    ------
    InputError
        A device that is not there.
    """
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    if chosen != "cpu" and not (chosen.startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"training.device = {one_line(name)} is not there; use auto, cpu or, with a GPU, cuda")
    return torch.device(chosen)


def evaluate(module: SkipNetwork, samples: Samples) -> tuple[float, int]:
    """Mean cross-entropy and the number of misclassified samples, in floating point."""
    loss, wrong = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(samples), EVALUATED):
            labels = samples.labels[start : start + EVALUATED]
            logits = module(samples.inputs[start : start + EVALUATED])
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            wrong += int((logits.argmax(1) != labels).sum())
    return loss / len(samples), wrong


def rate_at(epoch: int, epochs: int, rate: float) -> float:
    """The learning rate of an epoch, counted from 0."""
    return rate * 0.1 ** sum(epoch >= math.ceil(part * epochs) for part in DECAYS)


def train(
    module: SkipNetwork,
    train_set: Samples,
    test_set: Samples,
    section: TrainingSection,
    *,
    rate: float,
    epochs: int,
    seed: int,
    checkpoint: Path,
    digest: str,
    told: Told,
) -> tuple[Epoch, ...]:
    """Train in place from the module's weights, or from a checkpoint of the same run.

    Parameters
    ----------
    module : SkipNetwork
        As drawn; on the device.
    train_set, test_set : Samples
        On the same device.
    section : TrainingSection
        Batch, momentum, how often losses are measured and a checkpoint is written.
    rate, epochs, seed
        Learning rate, epochs, and the seed of the samples' order.
    checkpoint : Path
        Written every ``checkpoint_seconds``; gone on with if it was written by a run of this digest.
    digest : str
        Of everything that the run depends on.
    told : callable
        Told the epoch.

    Returns
    -------
    tuple of Epoch
        Every ``section.measured`` from epoch 0, the start, and the end; it stops early where the loss that is measured
        is no longer a number.
    """
    start = Start(module)
    optimiser = _optimiser(module, section, rate)
    history = _resume(module, optimiser, checkpoint, digest)
    if not history:
        history = [_measured(module, start, train_set, test_set, 0, rate)]
    saved = time.monotonic()
    for epoch in range(history[-1].epoch, epochs):
        if not math.isfinite(history[-1].train_loss):
            break
        told(f"epoch {epoch + 1}/{epochs}, loss {history[-1].train_loss:.3g}")
        for group in optimiser.param_groups:
            group["lr"] = rate_at(epoch, epochs, rate)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        for batch in torch.randperm(len(train_set), generator=generator).split(section.batch):
            _step(module, optimiser, train_set, batch)
        if (epoch + 1) % section.measured and epoch + 1 < epochs:
            continue
        history.append(_measured(module, start, train_set, test_set, epoch + 1, optimiser.param_groups[0]["lr"]))
        due = time.monotonic() - saved >= section.checkpoint_seconds and epoch + 1 < epochs
        if due and _is_number(history[-1]):
            _save(module, optimiser, checkpoint, digest, history)
            saved = time.monotonic()
    return tuple(history)


def time_step(module: SkipNetwork, samples: Samples, section: TrainingSection, rate: float) -> tuple[float, float]:
    """CPU seconds of a step of SGD, and of evaluating a sample; the module's weights change.

    Parameters
    ----------
    module, samples, section, rate
        As for `train`; all samples, a batch at most, are one step.

    Returns
    -------
    (float, float)
    """
    optimiser, everything = _optimiser(module, section, rate), torch.arange(len(samples))
    step = cpu_seconds(lambda: _step(module, optimiser, samples, everything))
    return step, cpu_seconds(lambda: evaluate(module, samples)) / len(samples)


def cpu_seconds(do: Callable[[], object]) -> float:
    """CPU seconds of the better of two calls: the first prepares memory that the second uses."""
    times = []
    for _ in range(2):
        begun = time.process_time()
        do()
        times.append(time.process_time() - begun)
    return min(times)


def _optimiser(module: SkipNetwork, section: TrainingSection, rate: float) -> torch.optim.Optimizer:
    momentum = section.momentum
    return torch.optim.SGD(module.parameters(), lr=rate, momentum=momentum, nesterov=momentum > 0)


def _step(module: SkipNetwork, optimiser: torch.optim.Optimizer, samples: Samples, batch: Tensor) -> None:
    """One step of SGD on a batch of samples, given by their numbers."""
    picked = batch.to(samples.labels.device)
    optimiser.zero_grad(set_to_none=True)
    functional.cross_entropy(module(samples.inputs[picked]), samples.labels[picked]).backward()
    optimiser.step()


def _is_number(epoch: Epoch) -> bool:
    """Whether all of it can be written as JSON."""
    return all(math.isfinite(value) for value in (epoch.train_loss, epoch.test_loss, epoch.distance))


def _measured(
    module: SkipNetwork, start: Start, train_set: Samples, test_set: Samples, epoch: int, rate: float
) -> Epoch:
    train_loss, train_errors = evaluate(module, train_set)
    test_loss, test_errors = evaluate(module, test_set)
    u, v = start.distances(module)
    return Epoch(
        epoch=epoch, rate=rate, train_loss=train_loss, train_errors=train_errors, test_loss=test_loss,
        test_errors=test_errors, distance=math.hypot(u, v), distance_u=u, distance_v=v,
    )  # fmt: skip


def _save(module: nn.Module, optimiser: torch.optim.Optimizer, path: Path, digest: str, history: list[Epoch]) -> None:
    tensors: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach().cpu().contiguous()
        momentum = optimiser.state.get(parameter, {}).get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum.{name}"] = momentum.detach().cpu().contiguous()
    told = {"digest": digest, "history": msgspec.json.encode(history).decode(), "content": _content(tensors)}
    atomic_write(path, save(tensors, metadata=told))


def _content(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the tensors: a damaged file is not gone on with."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _resume(module: nn.Module, optimiser: torch.optim.Optimizer, path: Path, digest: str) -> list[Epoch]:
    """Load a checkpoint of this very run, if there is one; anything else is left alone and overwritten later."""
    if not path.is_file():
        return []
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
        tensors = load_file(path)
        if told.get("digest") != digest or told.get("content") != _content(tensors):
            return []
        history = msgspec.json.decode(told["history"], type=list[Epoch])
    except (SafetensorError, OSError, KeyError, msgspec.DecodeError):
        return []
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(tensors[f"weight.{name}"])
            if f"momentum.{name}" in tensors:
                optimiser.state[parameter]["momentum_buffer"] = tensors[f"momentum.{name}"].to(parameter.device)
    return history
