"""One run, from the data to its record: draw, train or solve, prove. What a worker process does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from verifier.certificate.files import atomic_write
from verifier.data.dataset import Dataset
from verifier.errors import VerifierError, one_line
from verifier.experiments.architectures import build, connected, hidden_units
from verifier.experiments.baseline import interpolate, solve
from verifier.experiments.certify import Point, certify
from verifier.experiments.data import Split, files_of, labels_of, load_split
from verifier.experiments.features import Blocks, feature_blocks
from verifier.experiments.module import SkipNetwork
from verifier.experiments.plan import PlannedRun, Task
from verifier.experiments.record import Certified, Epoch, Kept, PathPoint, Run
from verifier.experiments.training import Samples, Told, device_of, train
from verifier.network.network import Array, Network
from verifier.options import at_most_threads
from verifier.run.ledger import job_key
from verifier.run.record import file_digest

NOTHING: tuple[None, tuple[PathPoint, ...], str] = (None, (), "")


@at_most_threads(1)
def perform(task: Task, *, told: Told) -> Kept:
    """Do a run, going on from its checkpoint if a killed one left it, and leave its weights in the folder.

    Parameters
    ----------
    task : Task
        What to do. Its folder gets ``weights/NAME.safetensors``, ``certificates/NAME.json`` where one is wanted;
        meanwhile ``checkpoints/NAME.safetensors``, which may go when the record is kept.
    told : callable
        Told what is being done.

    Returns
    -------
    Kept
        The record, with the digests of the files.

    Raises
    ------
    InputError
        Data that cannot be used, more skip units than a network has.
    CertificateError
        A folder that cannot be written.
    """
    job, folder = task.job, task.folder
    torch.set_num_threads(1)  # one worker for each core; and the same bits whatever the machine
    begun = time.perf_counter()
    split = split_of(job)
    network, note = network_of(job, split)
    certificate_file = folder / "certificates" / f"{job.name}.json" if task.certificate else None
    module = SkipNetwork(network, split.train.classes)
    module.initialise(job.seed, job.networks.gain.get(job.activation, 1.0))
    first = module.weights()
    if job.method == "sgd":
        epochs, point = _sgd(task, split, module, told)
    elif job.method == "rand":
        epochs, point, words = _rand(job, split, network, first, told)
        note = _joined(note, words)
    else:
        epochs, point = _interpolation(split, network, first, told)
    proved, at_start, path, words = _prove(job, split, point, first, certificate_file, task.start, told)
    run = Run(
        experiment=job.experiment, data=job.data.name, architecture=job.architecture, activation=job.activation,
        skip=job.skip, method=job.method, seed=job.seed, samples=split.train.samples, tests=split.test.samples,
        classes=split.train.classes, hidden=hidden_units(network), skip_units=network.skip_count,
        parameters=network.parameter_count, epochs=epochs, certified=proved, certified_start=at_start, path=path,
        seconds=time.perf_counter() - begun, note=_joined(note, words), test_majority=split.test_majority,
    )  # fmt: skip
    files = _written(folder, point, run, job.name)
    return Kept(run=run, tried_certificate=task.certificate, tried_start=task.start, sha256=files)


def network_of(job: PlannedRun, split: Split) -> tuple[Network, str]:
    """The network, with M = N skip units or as many as it has, and a note if those are fewer."""
    shape = split.train.shape
    wanted = split.train.samples if job.networks.skip_units is None else job.networks.skip_units
    layers = build(job.architecture, shape, min(wanted, split.train.samples), job.activation, job.networks.width)
    if not job.skip:
        return connected(layers, shape, None, job.seed), ""
    network = connected(layers, shape, wanted, job.seed)
    fewer = f"M = {network.skip_count}: all hidden units, fewer than {wanted}" if network.skip_count < wanted else ""
    return network, fewer


def run_key(job: PlannedRun) -> str:
    """Digest of everything that a run's numbers depend on, and of nothing that only other runs depend on."""
    networks, training, certify = job.networks, job.training, job.certify
    told: list[object] = [
        *(job.architecture, job.activation, job.skip, job.method, job.seed),
        *(job.data.name, job.data.train, job.data.test, _files(job)),
        *(networks.skip_units, networks.width, networks.gain.get(job.activation, 1.0)),
        *(certify.enabled, certify.target, certify.max_bits, certify.rank_seconds),
        *(certify.entries, certify.evaluations),
    ]
    if job.method == "sgd":
        told += [job.epochs, training.batch, training.measured, training.momentum, job.rate, training.device]
    if job.method == "rand":
        told.append(job.rand.passes)
    return job_key(str(torch.__version__), told)


def _files(job: PlannedRun) -> list[tuple[str, str | None]]:
    """Names and contents of the data's files, wherever they lie: other contents are other data."""
    root = None if job.data.root is None else Path(job.data.root)
    return [(file.name, _content(file, file.stat().st_mtime_ns)) for file in files_of(job.data.name, root)]


@lru_cache(maxsize=64)
def _content(file: Path, changed: int) -> str | None:
    """The digest of a file that was changed last at that time; many runs read the same ones."""
    return file_digest(file)


def _joined(*words: str) -> str:
    return "; ".join(filter(None, words))


def _written(folder: Path, point: Point, run: Run, name: str) -> dict[str, str]:
    """Write the weights; digests of these and of the certificate's files."""
    tensors = {view.name: torch.tensor(view.of(point.u)).contiguous() for view in point.network.parameters}
    singles = {name: tensor.float() for name, tensor in tensors.items()}
    if all(bool((singles[name].double() == tensor).all()) for name, tensor in tensors.items()):
        tensors = singles
    tensors["V"] = torch.tensor(np.ascontiguousarray(point.v))
    atomic_write(folder / "weights" / f"{name}.safetensors", save(tensors))
    files = [f"weights/{name}.safetensors"]
    if run.certified is not None and run.certified.certificate:
        files += [f"certificates/{name}{ending}" for ending in (".json", ".safetensors")]
    return {file: file_digest(folder / file) or "" for file in files}


@lru_cache(maxsize=2)
def _loaded(name: str, root: str | None, seed: int, train_count: int | None, test_count: int | None) -> Split:
    return load_split(name, root=None if root is None else Path(root), seed=seed, train=train_count, test=test_count)


def split_of(job: PlannedRun) -> Split:
    """The training and test samples of a run; read once per process."""
    section = job.data
    return _loaded(section.name, section.root, job.seed, section.train, section.test)


def _sgd(task: Task, split: Split, module: SkipNetwork, told: Told) -> tuple[tuple[Epoch, ...], Point]:
    job = task.job
    section = job.training
    device = device_of(section.device)
    module.to(device)
    epochs = train(
        module,
        Samples(split.train, device),
        Samples(split.test, device),
        section,
        rate=job.rate,
        epochs=job.epochs,
        seed=job.seed,
        checkpoint=task.folder / "checkpoints" / f"{job.name}.safetensors",
        digest=task.key,
        told=told,
    )
    module.to(torch.device("cpu"))
    u, v = module.weights()
    return epochs, Point(module.network, u, v, "the V that SGD found")


def _rand(
    job: PlannedRun, split: Split, network: Network, first: tuple[Array, Array], told: Told
) -> tuple[tuple[Epoch, ...], Point, str]:
    told("solving for V, U at rest")
    (u, v0), labels = first, labels_of(split.train)
    blocks = feature_blocks(network, u, split.train.inputs)
    solved = solve(blocks, labels, split.train.classes, network.skip_count, job.rand.passes)
    epochs = _judged(split, network, u, blocks, [(v0, 0), (solved.v, solved.passes)])
    words = f"{solved.method}, {solved.passes} passes"
    return epochs, Point(network, u, solved.v, solved.method), words


def _interpolation(
    split: Split, network: Network, first: tuple[Array, Array], told: Told
) -> tuple[tuple[Epoch, ...], Point]:
    told("solving Psi V = onehot, U at rest")
    u, v0 = first
    blocks = feature_blocks(network, u, split.train.inputs)
    v = interpolate(blocks, labels_of(split.train), split.train.classes)
    epochs = _judged(split, network, u, blocks, [(v0, 0), (v, 1)])
    return epochs, Point(network, u, v, "least-norm solution of Psi V = onehot")


def _judged(
    split: Split, network: Network, u: Array, blocks: Blocks, points: Sequence[tuple[Array, int]]
) -> tuple[Epoch, ...]:
    """Losses and errors of each V, with its passes, in binary64: V may be far too large for float32.

    ``blocks`` passes over the features of the training samples, which are the same for all V.
    """
    outputs = [v for v, _ in points]
    fitting = _losses_and_errors(blocks, outputs, split.train)
    testing = _losses_and_errors(feature_blocks(network, u, split.test.inputs, keep=False), outputs, split.test)
    found = []
    for (v, passes), (train_loss, train_errors), (test_loss, test_errors) in zip(points, fitting, testing, strict=True):
        away = float(np.linalg.norm(v - points[0][0]))
        epoch = Epoch(
            epoch=passes, rate=0.0, train_loss=train_loss, train_errors=train_errors, test_loss=test_loss,
            test_errors=test_errors, distance=away, distance_u=0.0, distance_v=away,
        )  # fmt: skip
        found.append(epoch)
    return tuple(found)


def _losses_and_errors(blocks: Blocks, outputs: Sequence[Array], data: Dataset) -> list[tuple[float, int]]:
    """For each V the mean loss and the number of misclassified samples, by one pass."""
    labels, losses, wrong = labels_of(data), [0.0] * len(outputs), [0] * len(outputs)
    for rows, psi in blocks():
        part = labels[rows]
        for index, v in enumerate(outputs):
            logits = psi @ v
            logits -= logits.max(axis=1, keepdims=True)
            losses[index] += float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(part)), part]).sum())
            wrong[index] += int((logits.argmax(axis=1) != part).sum())
    return [(loss / data.samples, errors) for loss, errors in zip(losses, wrong, strict=True)]


def _prove(
    job: PlannedRun,
    split: Split,
    point: Point,
    first: tuple[Array, Array],
    certificate: Path | None,
    start: bool,
    told: Told,
) -> tuple[Certified | None, Certified | None, tuple[PathPoint, ...], str]:
    """Prove about the end and, apart from it, about the start; what could not be done is said in words."""

    def stage(text: str) -> Callable[[float], None]:
        told(text)
        return lambda fraction: None

    def proofs(at: Point, file: Path | None) -> tuple[Certified | None, tuple[PathPoint, ...], str]:
        if not (np.isfinite(at.u).all() and np.isfinite(at.v).all()):
            return None, (), "diverged: weights that are no numbers"
        try:
            thorough, picture = file is not None, at is not point  # a file: of the first seeds
            found, path = certify(
                at, split.train, job.certify, certificate=file, thorough=thorough, picture=picture, stage=stage
            )
            return found, path, ""
        except VerifierError as error:
            return None, (), f"nothing proved: {one_line(str(error), limit=300)}"

    if not job.certify.enabled or job.method == "interpolation":  # its Psi is that of `rand`
        return None, None, (), ""
    at_start, path, of_start = proofs(Point(point.network, *first, "the V as drawn"), None) if start else NOTHING
    found, _, of_end = proofs(point, certificate)
    return found, at_start, path, _joined(of_end, of_start and f"at the start: {of_start}")
