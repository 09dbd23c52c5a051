"""A case whose network is a model of another framework: ``[network] model = "net.onnx"``."""

from __future__ import annotations

import math
from pathlib import Path

from verifier.adapters.onnx.convert import from_onnx
from verifier.adapters.translation.imported import Imported
from verifier.errors import CaseError, DataError, one_line
from verifier.network.network import Network
from verifier.run.case import Case, network_of

ENDING = ".onnx"
ALONE = ("layers", "nodes", "features", "output_bias")
"""Keys of ``[network]`` that state another network."""


def case_model(case: Case) -> Imported | None:
    """Take the model over that a case names, if it names one.

    Parameters
    ----------
    case : Case
        The case; its path is relative to the case file. ``data.shape`` gives the shape of a sample if the model leaves
        it open.

    Returns
    -------
    Imported or None
        The network and the model's weights.

    Raises
    ------
    InputError
        Contradictory keys, or a model that cannot be taken over: one line.
    """
    section = case.file.network
    if section.model is None:
        return None
    also = next((key for key in ALONE if getattr(section, key)), None)
    if also is not None:
        raise CaseError(f"network.{also} does not go with network.model, which states the whole network; leave one out")
    if Path(section.model).suffix.lower() != ENDING:
        raise CaseError(
            f"network.model = {one_line(section.model)} must be an ONNX file ({ENDING}); torch.onnx.export writes one"
        )
    shape = case.file.data.shape
    return from_onnx(case.folder / section.model, input_shape=None if shape is None else tuple(shape))


def build_network(case: Case, shape: tuple[int, ...]) -> Network:
    """Build the case's network for samples of a shape, with nothing frozen yet.

    Raises
    ------
    InputError
        Naming the layer or the operator; or a model that reads samples of another size.
    """
    model = case_model(case)
    return network_of(case.file.network, shape) if model is None else fitting(model, math.prod(shape))


def fitting(model: Imported, dimension: int) -> Network:
    """The network of a model, which must read samples of ``dimension`` numbers.

    Raises
    ------
    DataError
        It reads others.
    """
    shape = model.network.input_shape
    if math.prod(shape) != dimension:
        raise DataError(
            f"a sample of the data has {dimension} numbers, the model reads {math.prod(shape)}, shape {list(shape)}; "
            "are these the data that it was trained on?"
        )
    return model.network
