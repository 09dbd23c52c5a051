"""The network against the module itself: logits in float64 on the example, and the module against itself in batches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.adapters.pytorch.modules import FLOATS
from verifier.adapters.pytorch.places import ROOT
from verifier.adapters.translation.imported import Imported
from verifier.errors import InputError
from verifier.network.forward import approx_features
from verifier.network.network import Array

if TYPE_CHECKING:
    import torch

SAME = 1e-9
"""Largest difference of two float64 evaluations of one function, relative to the largest logit."""
ROUNDED = dict(zip(FLOATS, (np.inf, np.inf, 1e-3, SAME), strict=True))
"""Largest difference of an evaluation in a type from one in float64, relative to the largest logit; none of 16 bits."""


def require_same_function(found: Imported, example: Array, expected: Array) -> None:
    """Compare the network's logits with the module's, both in float64.

    Parameters
    ----------
    found : Imported
        The network, U and V.
    example : (B, d) array
        The samples of the example.
    expected : (B, ...) array
        What the module returns for them, in float64: logits, their softmax, log-softmax or sigmoid.

    Raises
    ------
    InputError
        They differ, or are not finite.
    """
    if not np.isfinite(expected).all():
        raise InputError(
            "from_torch: the module returns NaN or infinity on the example; give it samples as they are: "
            "from_torch(module, X)"
        )
    psi = approx_features(found.network, found.u, example)
    if found.network.output_bias and psi.shape[1] == len(found.v) - 1:
        psi = np.hstack([psi, np.ones((len(psi), 1))])
    logits = psi @ found.v
    if logits.size == expected.size:
        scale = max(1.0, float(np.abs(logits).max(initial=0.0)))
        wanted = expected.reshape(logits.shape)
        if any(float(np.abs(each - wanted).max(initial=0.0)) <= SAME * scale for each in _ends(logits)):
            return
    raise InputError(
        "from_torch: the network's logits differ from the module's on the example; this is a fault of the translation: "
        "please report the module, and give the network in blocks meanwhile"
    )


def _ends(logits: Array) -> tuple[Array, ...]:
    """What a module may return of its logits: themselves, log-softmax, softmax, sigmoid, log-sigmoid."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalised = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    one = -np.logaddexp(0, -logits)
    return logits, normalised, np.exp(normalised), np.exp(one), one


def require_no_batch(wrapper: torch.nn.Module, example: torch.Tensor, expected: Any) -> bool:
    """Compare the module with itself on a part of the example, and with its float64 evaluation.

    Returns whether it was compared with itself in float64, so that even a small dependence is seen.

    Raises
    ------
    InputError
        A sample's output depends on the other samples, on their number, or on the call.
    """
    import torch

    own = wrapper(example.clone())
    _require_near(own, expected, _tolerance(own), "two evaluations of the module differ; it is no fixed function")
    first = _part(wrapper, example)
    whole, sharp = own, own.dtype == torch.float64
    try:
        double = copy.deepcopy(wrapper).double()
        given = example.double() if example.is_floating_point() else example
        whole, first, sharp = double(given.clone()), _part(double, given), True
    except Exception:  # a module that converts to float32 itself, or cannot be copied: in its own type
        pass
    said = "a sample's output depends on the other samples or on their number"
    if not torch.is_tensor(first) or first.shape[:1] != (len(example) - 1,):
        raise InputError(f"from_torch: {said}; let the first axis of the output be the samples")
    _require_near(first, whole[:-1], _tolerance(whole), f"{said}; normalise and reduce within a sample")
    return bool(sharp and whole.dtype == torch.float64)


def require_equal(found: Imported, fewer: Imported) -> None:
    """Compare the networks for two numbers of samples.

    Raises
    ------
    InputError
        They differ.
    """
    same = found.network == fewer.network and np.array_equal(found.u, fewer.u) and np.array_equal(found.v, fewer.v)
    if not same:
        raise InputError("from_torch: the number of samples is used as a number; normalise and reduce within a sample")


def _part(module: Any, example: Any) -> Any:
    try:
        return module(example[:-1].clone())
    except Exception as error:  # whatever the module raises on another number of samples
        raise InputError(
            f"from_torch: the module takes {len(example)} samples, and not {len(example) - 1} "
            f"({type(error).__name__}); write x.size(0) for the number of samples"
        ) from None


def _tolerance(value: Any) -> float:
    return ROUNDED.get(str(value.dtype).removeprefix("torch."), SAME)


def _require_near(one: Any, other: Any, tolerance: float, said: str) -> None:
    import torch

    first, second = one.detach().double(), other.detach().double()
    if first.shape == second.shape and bool(torch.isfinite(second).all()):
        scale = max(1.0, float(second.abs().max()))
        if not float((first - second).abs().max()) <= tolerance * scale:
            raise InputError(f"from_torch: {said}")


def without_gradient(wrapper: torch.nn.Module, samples: torch.Tensor, names: Sequence[str]) -> list[str]:
    """The trained parameters that no gradient of the output reaches: ``.detach()`` or ``torch.no_grad()`` in forward.

    Parameters
    ----------
    wrapper : torch.nn.Module
        The module, as it is exported.
    samples : torch.Tensor
        Samples that it takes.
    names : sequence of str
        Parameters that the output depends on and that require gradients, as the module names them.

    Returns
    -------
    list of str
        Those without a gradient; none where the module cannot be differentiated at all (inference mode).
    """
    import torch

    parameters = [wrapper.get_parameter(f"{ROOT}.{name}") for name in names]
    try:
        with torch.enable_grad():
            output = wrapper(samples.clone())
            if not output.requires_grad:
                return list(names)
            slopes = torch.autograd.grad(output.sum(), parameters, allow_unused=True) if parameters else ()
    except RuntimeError:
        return []
    return [name for name, slope in zip(names, slopes, strict=True) if slope is None]
