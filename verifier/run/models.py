"""A model of another library as the third argument of `verifier.verify`: which adapter reads it, or why none does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from verifier.adapters.onnx.convert import from_onnx
from verifier.adapters.scikit.convert import from_sklearn, is_estimator
from verifier.adapters.translation.imported import Imported
from verifier.data.classes import Classes
from verifier.data.dataset import Dataset
from verifier.display import count, joined
from verifier.errors import InputError, NetworkError, one_line
from verifier.network.network import Block, Network

GIVEN: Final = "give layers, a torch module, an ONNX file or a fitted scikit-learn estimator"
FILES: Final = {
    (".pt", ".pth", ".ckpt", ".bin"): "give the module: model.load_state_dict(torch.load(path, weights_only=True))",
    (".pkl", ".pickle", ".joblib"): "load it yourself and give the estimator: joblib.load(path)",
    (".h5", ".keras", ".hdf5", ".pb", ".tflite"): "export it: model.export('net.onnx', format='onnx')",
    (".safetensors", ".npz"): "a file of weights has no layers; give the module that they belong to",
}
"""Endings of files that are no networks, and what to do."""

LEFT_OUT: Final = "the loss, cross-entropy, computes it"
"""How adapters' remarks on a softmax or sigmoid after the head end: for real targets it is part of the model."""


def imported_model(model: Any, samples: Any) -> Imported | None:
    """Read a model of another library.

    Parameters
    ----------
    model : object
        A torch module, the path of an ONNX file, an estimator of scikit-learn, what an adapter returned; or a network
        of this package.
    samples : array_like of shape (N, ...)
        The user's samples, of which some serve as example.

    Returns
    -------
    Imported or None
        None for a network, layers or blocks of this package, or nothing.

    Raises
    ------
    InputError
        It is no model, or one that cannot be stated: one line with the remedy.
    """
    if isinstance(model, Imported):
        return model
    if not is_foreign(model):
        return None
    if isinstance(model, str | Path):
        return _from_file(Path(model), samples)
    if type(model).__name__ == "ModelProto":
        return _from_onnx(model, samples)
    if is_estimator(model):
        module = getattr(model, "module_", None)  # skorch
        if module is None or not is_module(module):
            return from_sklearn(model, samples)
        found = _from_module(module, samples)
        return replace(found, classes=tuple(np.asarray(getattr(model, "classes_", ())).tolist()))
    if is_module(model):
        return _from_module(model, samples)
    raise NetworkError(f"network: {_what(model)}")


def is_foreign(model: object) -> bool:
    """Whether something is neither a network of this package nor layers; what sequences hold, layers' messages say."""
    layers = isinstance(model, Sequence) and not isinstance(model, str)
    return not (model is None or layers or isinstance(model, Network | Block))


def is_model(thing: object) -> bool:
    """Whether something is an estimator of scikit-learn or a torch module."""
    return is_estimator(thing) or is_module(thing)


def is_module(model: object) -> bool:
    """Whether something is a torch module; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _from_module(module: Any, samples: Any) -> Imported:
    from verifier.adapters.pytorch.convert import from_torch

    return from_torch(module, samples)


def _from_onnx(source: Any, samples: Any) -> Imported:
    """Read an ONNX model; the samples' shape serves where it leaves its own open."""
    try:
        return from_onnx(source)
    except InputError as error:
        shape = np.shape(samples)[1:]
        if "give the shape of one sample" not in str(error) or not shape:
            raise
        return from_onnx(source, input_shape=shape)


def _from_file(path: Path, samples: Any) -> Imported:
    """Read a file that is an ONNX model, or say what to do with one that is not."""
    if path.suffix.lower() == ".onnx":
        return _from_onnx(path, samples)
    for endings, remedy in FILES.items():
        if path.suffix.lower() in endings:
            raise NetworkError(f"network = {one_line(str(path))}: {path.suffix} files are not read; {remedy}")
    raise NetworkError(f"network = {one_line(str(path))} is no ONNX file; {GIVEN}")


def _what(model: Any) -> str:
    """Say what a thing is that is no model, and what to give."""
    kind, home = type(model).__name__, type(model).__module__.partition(".")[0]
    kind = f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
    if isinstance(model, type):
        return f"{model.__name__} is a class, not a model; give one of it: {model.__name__}(...), with its weights"
    if home in ("keras", "tensorflow", "tf_keras"):
        return f"{kind} of {home} is not read; export it: model.export('net.onnx', format='onnx'), and give the path"
    if home in ("jax", "flax", "haiku", "equinox"):
        return f"{kind} of {home} is not read; {GIVEN}"
    if isinstance(model, Mapping):
        return f"{kind} holds weights and no layers; give the module: model.load_state_dict(weights)"
    if home == "torch" and hasattr(model, "module") and hasattr(model, "graph_signature"):
        return f"{kind} is not read; give the module that was exported"
    if callable(model) and not hasattr(model, "fit"):
        return f"{kind} that is called has no weights that can be read; {GIVEN}"
    return f"{kind} is no network; {GIVEN}"


def require_fit(found: Imported, data: Dataset, regression: bool) -> None:
    """See that a model reads such samples, and has outputs for such labels or targets.

    A flat sample is read in the model's order, row after row; an image must have the model's own shape, for channels
    in another place are other numbers.

    Raises
    ------
    NetworkError
        It does not: one line that has both shapes.
    """
    reads, shape, outputs = found.network.input_shape, data.shape, int(found.v.shape[1])
    same = [n for n in reads if n > 1] == [n for n in shape if n > 1]
    if found.network.dimension != data.dimension or not (same or len(reads) == 1 or len(shape) == 1):
        raise NetworkError(
            f"network: the model reads samples of shape {list(reads)}, those of X have shape {list(shape)}; give X of "
            f"shape {['N', *reads]}".replace("'", "")
            + ": are the axes in the model's order?"
        )
    if regression and (found.classes or any(remark.endswith(LEFT_OUT) for remark in found.remarks)):
        raise NetworkError("network: a classifier has no real targets: its outputs go through softmax or sigmoid")
    if not regression and found.losses:
        raise NetworkError("network: a regressor has no classes; leave regression=False out, y are its real targets")
    if regression and outputs != data.classes:
        said = f"{count(outputs, 'output')}, and y has {count(data.classes, 'real target')} for each sample"
        raise NetworkError(f"network: the model has {said}; give y of shape (N, {outputs})")


def classes_of_model(found: Imported) -> Classes:
    """The classes that a model has, in the order of its outputs, as ``classes=`` takes them: its own, or 0..m-1."""
    return list(found.classes) if found.classes else max(2, int(found.v.shape[1]))


def with_outputs(data: Dataset, found: Imported) -> tuple[Dataset, str]:
    """Give a data set, which has labels of its own, the classes of a model.

    Returns
    -------
    data : Dataset
        Its labels are the numbers of the model's outputs.
    said : str
        What was understood where names and numbers were matched by their order; else empty.

    Raises
    ------
    NetworkError
        The model has fewer outputs than there are classes, or it is not clear which class is which output.
    """
    outputs = max(2, found.v.shape[1])
    if data.labels is None or data.targets is not None:
        return data, ""
    if data.classes > outputs:
        raise NetworkError(
            f"network: {outputs} outputs, and the data have {data.classes} classes ({joined(data.label_names)}); give "
            "samples of the classes that it was trained on"
        )
    names = tuple(str(value) for value in found.classes) or tuple(map(str, range(outputs)))
    if set(data.label_names) <= set(names):
        labels = np.array([names.index(data.label_names[k]) for k in data.labels.tolist()], dtype=np.int64)
        if names == tuple(map(str, range(outputs))) and not np.array_equal(labels, data.labels):
            raise NetworkError(
                f"network: the classes {joined(data.label_names)} of the data have the numbers 0, 1, ..., and the "
                f"model's are {joined(names)}: by name or by number? Give arrays X and y, labels as it was trained on"
            )
        return replace(data, labels=labels, classes=outputs, label_names=names), ""
    if data.classes < outputs or names != tuple(map(str, range(outputs))):
        raise NetworkError(
            f"network: its classes are {joined(names)}, those of the data {joined(data.label_names)}; say which are "
            "which: classes=[their names in the order of the outputs]"
        )
    return data, f"the model's classes {joined(names)} are {joined(data.label_names)}, in this order"
