"""One run, from the data to its record: draw, train or solve, prove. What a worker process does."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.features import FloatEnclosure
from verifier.balls.features import use_threads
from verifier.certificate.writer import atomic_write
from verifier.errors import InputError, VerifierError, one_line
from verifier.experiments.architectures import build, connected, hidden_units
from verifier.experiments.baseline import interpolate, solve
from verifier.experiments.certify import Point, certify
from verifier.experiments.config import Job
from verifier.experiments.data import Split, load_split
from verifier.experiments.module import SkipNetwork
from verifier.experiments.record import Certified, Epoch, PathPoint, Run
from verifier.experiments.results import writable
from verifier.experiments.training import Samples, device_of, train
from verifier.model.data import Dataset
from verifier.model.network import Array, Network, approx_features
from verifier.suite.ledger import environment

ROWS = 1024
"""Test samples whose features are made at a time."""

Told = Callable[[str], None]


def perform(job: Job, folder: Path, *, certificate: bool, start: bool, told: Told) -> Run:
    """Do a run, going on from its checkpoint if a killed one left it, and keep its record and weights in the folder.

    Parameters
    ----------
    job : Job
        What to do.
    folder : Path
        Gets ``runs/NAME.json``, ``weights/NAME.safetensors``, ``certificates/NAME.json``; ``checkpoints/`` meanwhile.
    certificate, start : bool
        Whether to write and check a certificate; whether to prove about the random start, too.
    told : callable
        Told what is being done.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        Data that cannot be used, more skip units than a network has.
    """
    use_threads(1)
    torch.set_num_threads(1)
    begun = time.perf_counter()
    split = split_of(job)
    network, note = network_of(job, split)
    certificate_file = folder / "certificates" / f"{job.name}.json" if certificate else None
    if certificate_file is not None:
        certificate_file.parent.mkdir(parents=True, exist_ok=True)
    module = SkipNetwork(network, split.train.classes)
    module.initialise(job.seed, job.networks.gain.get(job.activation, 1.0))
    first = module.weights()
    if job.method == "sgd":
        epochs, point = _sgd(job, split, module, folder, told)
    elif job.method == "rand":
        epochs, point, words = _rand(job, split, network, first, told)
        note = "; ".join(filter(None, (note, words)))
    else:
        epochs, point = _interpolation(split, network, first, told)
    proved, at_start, path, words = _prove(job, split, point, first, certificate_file, start, told)
    run = Run(
        experiment=job.experiment, data=job.data.name, architecture=job.architecture, activation=job.activation,
        skip=job.skip, method=job.method, seed=job.seed, samples=split.train.samples, tests=split.test.samples,
        classes=split.train.classes, hidden=hidden_units(network), skip_units=network.skip_count,
        parameters=network.parameter_count, test_majority=split.test_majority, epochs=epochs, certified=proved, certified_start=at_start, path=path,
        seconds=time.perf_counter() - begun, note="; ".join(filter(None, (note, words))),
    )  # fmt: skip
    _keep(job, folder, point, run, certificate)
    return run


def finished(job: Job, folder: Path, certificate: bool, start: bool) -> Run | None:
    """The record of this very run, if it was finished by these sources and versions."""
    path = folder / "runs" / f"{job.name}.json"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept, strict=False)
    except (OSError, msgspec.DecodeError):
        return None
    if kept.digest != _digest(job) or not kept.run.epochs:
        return None
    proved = kept.run.certified
    if job.certify.enabled and proved is not None:
        there = proved.certificate
        if there and not (folder / "certificates" / there).is_file():
            return None
        if certificate and not kept.tried_certificate:
            return None
        if start and kept.run.certified_start is None:
            return None
    return msgspec.structs.replace(kept.run, experiment=job.experiment)


def network_of(job: Job, split: Split) -> tuple[Network, str]:
    """The network, with M = N skip units or as many as it has, and a note if those are fewer."""
    shape = split.train.shape
    layers = build(job.architecture, shape, split.train.samples, job.activation, job.networks.width)
    if not job.skip:
        return connected(layers, shape, None, job.seed), ""
    wanted = split.train.samples if job.networks.skip_units is None else job.networks.skip_units
    network = connected(layers, shape, wanted, job.seed)
    fewer = f"M = {network.skip_count}: all hidden units, fewer than {wanted}" if network.skip_count < wanted else ""
    return network, fewer


class _Kept(msgspec.Struct, frozen=True):
    digest: str
    tried_certificate: bool
    run: Run


def _digest(job: Job) -> str:
    """Of everything that a run's numbers depend on."""
    told = msgspec.to_builtins(msgspec.structs.replace(job, experiment=""))
    told["certify"].pop("certificates")
    told["certify"].pop("starts")
    told["training"].pop("checkpoint_seconds")
    return hashlib.sha256(json.dumps([environment(), torch.__version__, told]).encode()).hexdigest()


def _keep(job: Job, folder: Path, point: Point, run: Run, tried: bool) -> None:
    """Weights first: a record says that everything is there."""
    tensors = {view.name: torch.tensor(view.of(point.u)).contiguous() for view in point.network.parameters}
    singles = {name: tensor.float() for name, tensor in tensors.items()}
    if all(bool((singles[name].double() == tensor).all()) for name, tensor in tensors.items()):
        tensors = singles
    tensors["V"] = torch.tensor(np.ascontiguousarray(point.v))
    for part in ("weights", "runs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    atomic_write(folder / "weights" / f"{job.name}.safetensors", save(tensors))
    kept = msgspec.json.encode(writable(msgspec.to_builtins(_Kept(_digest(job), tried, run))))
    atomic_write(folder / "runs" / f"{job.name}.json", msgspec.json.format(kept, indent=1))
    (folder / "checkpoints" / f"{job.name}.safetensors").unlink(missing_ok=True)


@lru_cache(maxsize=2)
def _loaded(name: str, root: str | None, seed: int, train_count: int | None, test_count: int | None) -> Split:
    return load_split(name, root=None if root is None else Path(root), seed=seed, train=train_count, test=test_count)


def split_of(job: Job) -> Split:
    """The training and test samples of a run; read once per process."""
    section = job.data
    return _loaded(section.name, section.root, job.seed, section.train, section.test)


def _sgd(job: Job, split: Split, module: SkipNetwork, folder: Path, told: Told) -> tuple[tuple[Epoch, ...], Point]:
    section = job.training
    device = device_of(section.device)
    module.to(device)
    checkpoint = folder / "checkpoints" / f"{job.name}.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    epochs = train(
        module,
        Samples(split.train, device),
        Samples(split.test, device),
        section,
        rate=section.rate.get(job.activation, section.default_rate),
        epochs=section.epochs_of.get(job.architecture, section.epochs),
        seed=job.seed,
        checkpoint=checkpoint,
        digest=_digest(job),
        told=told,
    )
    module.to(torch.device("cpu"))
    u, v = module.weights()
    return epochs, Point(module.network, u, v, "the V that SGD found")


def _rand(
    job: Job, split: Split, network: Network, first: tuple[Array, Array], told: Told
) -> tuple[tuple[Epoch, ...], Point, str]:
    told("solving for V, U at rest")
    (u, v0), labels = first, _labels(split.train)
    solved = solve(_blocks(network, u, split.train), labels, split.train.classes, network.skip_count, job.rand.passes)
    start = _judged(split, network, u, v0, v0, 0)
    end = _judged(split, network, u, solved.v, v0, solved.passes)
    words = f"{solved.method}, {solved.passes} passes"
    return (start, end), Point(network, u, solved.v, solved.method), words


def _interpolation(
    split: Split, network: Network, first: tuple[Array, Array], told: Told
) -> tuple[tuple[Epoch, ...], Point]:
    told("solving Psi V = onehot, U at rest")
    u, v0 = first
    v = interpolate(_blocks(network, u, split.train), _labels(split.train), split.train.classes)
    epochs = (_judged(split, network, u, v0, v0, 0), _judged(split, network, u, v, v0, 1))
    return epochs, Point(network, u, v, "least-norm solution of Psi V = onehot")


def _labels(data: Dataset) -> NDArray[np.int64]:
    if data.labels is None:
        raise InputError(f"{data.name} has no labels; experiments classify")
    return data.labels


def _blocks(network: Network, u: Array, data: Dataset) -> Callable[[], Iterator[tuple[slice, Array]]]:
    """Psi(U) in blocks of rows; kept between passes where it is small (`FloatEnclosure`)."""
    features = FloatEnclosure(network, u, data.inputs, numpy_backend())
    return lambda: ((rows, mid) for rows, mid, _ in features.row_blocks())


def _judged(split: Split, network: Network, u: Array, v: Array, v0: Array, passes: int) -> Epoch:
    """Losses and errors in binary64; V may be far too large for float32."""
    train_loss, train_errors = _loss_and_errors(network, u, v, split.train)
    test_loss, test_errors = _loss_and_errors(network, u, v, split.test)
    away = float(np.linalg.norm(v - v0))
    return Epoch(
        epoch=passes, rate=0.0, train_loss=train_loss, train_errors=train_errors, test_loss=test_loss,
        test_errors=test_errors, distance=away, distance_u=0.0, distance_v=away,
    )  # fmt: skip


def _loss_and_errors(network: Network, u: Array, v: Array, data: Dataset) -> tuple[float, int]:
    labels, loss, wrong = _labels(data), 0.0, 0
    for start in range(0, data.samples, ROWS):
        part = labels[start : start + ROWS]
        logits = approx_features(network, u, data.inputs[start : start + ROWS]) @ v
        logits -= logits.max(axis=1, keepdims=True)
        loss += float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(part)), part]).sum())
        wrong += int((logits.argmax(axis=1) != part).sum())
    return loss / data.samples, wrong


def _prove(
    job: Job,
    split: Split,
    point: Point,
    first: tuple[Array, Array],
    certificate: Path | None,
    start: bool,
    told: Told,
) -> tuple[Certified | None, Certified | None, tuple[PathPoint, ...], str]:
    if not job.certify.enabled:
        return None, None, (), ""
    if not (np.isfinite(point.u).all() and np.isfinite(point.v).all() and math.isfinite(float(np.abs(point.v).max()))):
        return None, None, (), "diverged: weights that are no numbers"

    def stage(text: str) -> Callable[[float], None]:
        told(text)
        return lambda fraction: None

    try:
        at_start: Certified | None = None
        path: tuple[PathPoint, ...] = ()
        if start:
            begin = Point(point.network, *first, "the V as drawn")
            at_start, path = certify(begin, split.train, job.certify, stage=stage)
        found, _ = certify(point, split.train, job.certify, certificate=certificate, stage=stage)
        return found, at_start, path, ""
    except VerifierError as error:
        return None, None, (), f"nothing proved: {one_line(str(error), limit=300)}"
