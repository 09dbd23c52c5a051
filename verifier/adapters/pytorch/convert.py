"""A PyTorch module as a network of this package, with exactly its weights: `from_torch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from verifier.adapters.pytorch.comparison import (
    require_equal,
    require_no_batch,
    require_same_function,
    without_gradient,
)
from verifier.adapters.pytorch.examples import candidates, layout_of
from verifier.adapters.pytorch.exporting import export, reason_of
from verifier.adapters.pytorch.modules import evaluation, unwrapped, wrapper_of
from verifier.adapters.pytorch.operators import OPERATORS
from verifier.adapters.pytorch.places import place_of_error
from verifier.adapters.pytorch.walk import Walk
from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.translation import Translation
from verifier.display import joined
from verifier.errors import InputError, VerifierError, installing

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike

DETACHED = (
    "no gradient reaches {} (.detach() or torch.no_grad() in forward): they are read as trained all the same; "
    "requires_grad_(False) says that they are not"
)
"""What is said of trained parameters that a forward pass keeps from training."""


def from_torch(module: torch.nn.Module, example: ArrayLike | torch.Tensor | int | Sequence[int]) -> Imported:
    """Take a trained PyTorch module over: its graph as a `Network`, its weights as U and V, exactly.

    Guarantee: the network's exact real function at (u, v) is the module's in evaluation mode with its floats as exact
    numbers: weights, biases, parameters of activations; numbers that depend neither on the input nor on trained
    parameters are those that PyTorch computes. It is not PyTorch's rounded evaluation, and softplus is the function
    without PyTorch's cut at ``threshold`` (they differ by less than ``exp(-threshold)/beta``). The logits are compared
    with the module's in float64 on the example.

    The module is exported by `torch.export`. Its last linear map is the head, wherever it is: its weight is V, and a
    bias of it the last row of V. Parameters without ``requires_grad`` and buffers are frozen: fixed numbers, no part
    of U. Parameters that the output does not depend on are left out.

    Parameters
    ----------
    module : torch.nn.Module
        The module, on a CPU or GPU, of any float type up to float64. It stays as it is, its training flags too.
    example : array or tensor of shape (samples, ...), or the shape of one sample
        Samples as the module takes them; for data of whole numbers (tokens, 8-bit images) the type that fits is
        chosen. An int or a tuple of ints is the shape of one sample: ``4``, ``(1, 8, 8)``.

    Returns
    -------
    Imported
        The network, U, V, what the head is called, and remarks on what was left out.

    Raises
    ------
    InputError
        PyTorch is not installed, or something in the module has no counterpart: one line that names the layer, the
        line of its source, the reason and the remedy.

    Examples
    --------
    >>> import torch
    >>> import verifier as vf
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 4, bias=False))
    >>> found = vf.from_torch(module, 2)
    >>> [view.name for view in found.network.parameters], found.head, found.v.shape
    (['0.weight', '0.bias'], '2', (3, 4))
    >>> bool((found.network.views(found.u)["0.weight"] == module[0].weight.detach().numpy()).all())
    True
    """
    if find_spec("torch") is None:
        raise InputError(f"from_torch needs PyTorch, which is not installed; {installing('torch')}")
    module = unwrapped(module)
    notes: list[str] = []
    wrapper = wrapper_of(module, notes)
    with evaluation(wrapper):
        samples = _taken(wrapper, module, example)
        found, expected = _translated(wrapper, module, samples, notes)
        if not require_no_batch(wrapper, samples, expected):
            fewer, _ = _translated(wrapper, module, samples[:-1], notes)
            require_equal(found, fewer)
    flat = samples.detach().cpu().double().reshape(len(samples), -1).numpy()
    require_same_function(found, flat, expected.detach().cpu().double().numpy())
    return replace(found, remarks=(*notes, *found.remarks)) if notes else found


def _translated(
    wrapper: torch.nn.Module, module: torch.nn.Module, samples: torch.Tensor, notes: list[str]
) -> tuple[Imported, Any]:
    """The network, and what the module returns for the samples in float64.

    Raises
    ------
    InputError
        Something has no counterpart.
    """
    translation = Translation(tuple(samples.shape[1:]), len(samples))
    program = export(wrapper, samples, OPERATORS)
    walk = Walk(program, module, translation)
    output, expected = walk.run(samples)
    read = [name for node, name in program.leaves.items() if isinstance(name, str) and node.users]
    cut = without_gradient(wrapper, samples, read)
    if cut:
        translation.remark(DETACHED.format(joined(cut)))
    if output is None:
        raise InputError(
            "from_torch: what the module returns depends on neither its input nor its weights; return the head's output"
        )
    try:
        return translation.finish(output, walk.names), expected
    except VerifierError as error:
        said = "".join(f" ({note})" for note in notes)
        raise InputError(f"from_torch: {str(error).removeprefix('from_torch: ')}{said}") from None


def _taken(wrapper: torch.nn.Module, module: torch.nn.Module, example: Any) -> torch.Tensor:
    """The samples in the first type that the module takes.

    Raises
    ------
    InputError
        It takes none: what it says to the first.
    """
    failed: tuple[Exception, tuple[int, ...], str] | None = None
    for samples in candidates(module, example):
        try:
            wrapper(samples.clone())
            return samples
        except InputError:
            raise
        except Exception as error:  # whatever the module's own code raises
            shape, kind = tuple(samples.shape[1:]), str(samples.dtype).removeprefix("torch.")
            failed = failed or (error, shape, kind)
    first, shape, kind = failed if failed is not None else (ValueError("no example"), (), "")
    remedy = layout_of(module, example, shape)
    given = f"fails on samples of shape {shape} ({kind}): "
    reason = f"reads no samples of shape {shape}: {remedy}" if remedy else reason_of(first, given)
    raise InputError(f"from_torch: {place_of_error(first, module)}: {reason}") from None
