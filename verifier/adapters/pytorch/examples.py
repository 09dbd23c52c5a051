"""The example that a module is exported with: the user's samples, or random ones of a shape, in the type it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.adapters.pytorch.modules import FLOATS
from verifier.data.gate import binary64, exact
from verifier.errors import InputError
from verifier.network.layers import Dense
from verifier.network.network import Network

if TYPE_CHECKING:
    import torch

SAMPLES = 3
"""Samples of an example: two at least show where they are; few are cheap."""
SEED = 1
"""Of random samples."""


def candidates(module: torch.nn.Module, example: Any) -> Iterator[torch.Tensor]:
    """Samples for a module, in the types that it may take, the likeliest first; on the module's device.

    Parameters
    ----------
    module : torch.nn.Module
        Its first float parameter says the type of float data.
    example : array, tensor, int or tuple of int
        Samples with a batch axis in front, or the shape of one sample.

    Raises
    ------
    InputError
        It is neither.
    """
    import torch

    first = next((each for each in module.parameters() if each.is_floating_point()), None)
    own = torch.float32 if first is None else first.dtype
    device = torch.device("cpu") if first is None else first.device
    shape = shape_given(example)
    if shape is not None:
        generator = torch.Generator().manual_seed(SEED)
        drawn = torch.randn((SAMPLES, *shape), generator=generator, dtype=torch.float64)
        yield drawn.to(device, own)
        yield torch.randint(0, 2, (SAMPLES, *shape), generator=generator).to(device)
        return
    samples = some(tensor_of(example)).to(device)
    if samples.is_floating_point():
        yield samples.to(own)
        if bool((samples == samples.round()).all()):
            yield samples.long()
    else:
        if samples.dtype == torch.uint8:
            yield samples
        yield samples.to(own) if samples.dtype == torch.bool else samples.long()
        yield samples.to(own)
        yield samples


def shape_given(example: Any) -> tuple[int, ...] | None:
    """The shape of a sample, if the example is one: an int, or a tuple or list of ints."""
    ints = isinstance(example, list | tuple) and all(type(n) is int for n in example)
    if isinstance(example, str) or ints or type(example) is int:
        return Network(example, Dense(1, "tanh", skip=True)).input_shape  # the same errors as everywhere
    return None


def tensor_of(example: Any) -> torch.Tensor:
    """Samples as a tensor, with a batch axis in front."""
    import torch

    if isinstance(example, torch.Tensor):
        found = example.detach()
    else:
        array = example if isinstance(example, np.ndarray) else exact(example, "X")
        if array.dtype.kind not in "fiub":
            array = binary64(array, "X")
        whole = array.dtype.kind in "iu" and array.dtype != np.uint8
        found = torch.from_numpy(np.ascontiguousarray(array.astype(np.int64) if whole else array))
    kind = str(found.dtype).removeprefix("torch.")
    if found.ndim < 2 or not math.prod(found.shape):
        raise InputError(
            f"from_torch: example has shape {tuple(found.shape)}; expected (samples, ...), or one sample's shape"
        )
    if found.layout != torch.strided or found.is_meta or (found.is_floating_point() and kind not in FLOATS):
        raise InputError(f"from_torch: example is {kind}, {found.layout}; give a dense tensor of numbers")
    if found.is_complex():
        raise InputError("from_torch: example is complex; give real numbers")
    return found


def some(samples: torch.Tensor) -> torch.Tensor:
    """A few samples, different ones if there are: the first, and the first that differ from it."""
    import torch

    flat = samples.reshape(len(samples), -1)
    other = [int(k) for k in torch.nonzero((flat != flat[0]).any(dim=1)).ravel()[: SAMPLES - 1]]
    rows = ([0, *other] * SAMPLES)[:SAMPLES]
    return samples[rows].clone()


def layout_of(module: torch.nn.Module, example: Any, shape: tuple[int, ...]) -> str:
    """What to do where the samples of ``example``, each of a shape, lie otherwise than the first layer reads them.

    Returns
    -------
    str
        The remedy; empty where the first layer is neither linear nor a convolution, or the shape is not the reason.
    """
    from torch.nn import Linear
    from torch.nn.modules.conv import _ConvNd

    first = next((each for each in module.modules() if not any(True for _ in each.children())), None)
    if isinstance(first, Linear) and shape[-1:] != (first.in_features,):
        flat = "it reads flat samples; give X.reshape(len(X), -1)"
        return (
            flat
            if math.prod(shape) == first.in_features
            else f"it reads {first.in_features} numbers; give X as it was trained on"
        )
    if not isinstance(first, _ConvNd):
        return ""
    channels, axes = first.in_channels, len(first.kernel_size)
    if len(shape) == axes + 1 and shape[0] != channels == shape[-1]:
        move = "permute" if hasattr(example, "permute") else "transpose"
        return f"the channels come first; give X.{move}{(0, axes + 1, *range(1, axes + 1))}"
    if len(shape) == axes and channels == 1:
        return "the axis of the one channel is missing; give X[:, None]"
    if len(shape) == 1 and axes > 1:
        side = round((shape[0] / channels) ** (1 / axes))
        fits = channels * side**axes == shape[0]
        sides = (side,) * axes if fits else ("height", "width", "depth")[:axes]
        words = ", ".join(map(str, ("len(X)", channels, *sides)))
        return f"the samples are flat; give X.reshape({words})"
    return ""
