"""A pipeline's steps before the last one, as exact maps of the input: what scikit-learn computes, without rounding.

Every number that a step learned is taken as it is, in binary64; divisions by it are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Known, Refused, Value

Step: TypeAlias = Callable[[Translation, Any, Value, str], Value]

TRANSFORM_FIRST: Final = "transform first: vf.verify(pipe[:-1].transform(X), y, pipe[-1])"
"""The remedy for a step that is no exact map of numbers."""
MAX_DEGREE: Final = 8
"""Largest degree of polynomial features that becomes a product of columns."""


def transformed(build: Translation, step: Any, x: Value, name: str) -> Value:
    """Apply one step of a pipeline to its input.

    Parameters
    ----------
    build : Translation
        The graph in the making.
    step : transformer, "passthrough" or None
        A fitted transformer of scikit-learn.
    x : Value
        The samples, (B, d).
    name : str
        The step's name in the pipeline, for messages.

    Returns
    -------
    Value
        (B, d'). Guarantee: the exact real value of ``step.transform``.

    Raises
    ------
    Refused
        The step is no exact map of numbers that is known here.
    """
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return x
    if type(step).__name__ == "Pipeline":
        for inner, each in step.steps:
            x = transformed(build, each, x, f"{name}.{inner}")
        return x
    require_exact(step, name)
    return _STEPS.get(type(step).__name__, _selected)(build, step, x, name)


def require_exact(step: Any, name: str) -> None:
    """See that a step is an exact map of numbers that is known here; nothing is asked of samples.

    Raises
    ------
    Refused
        It is not.
    """
    if step is None or isinstance(step, str) or type(step).__name__ == "Pipeline":
        return
    known = type(step).__name__ in _STEPS or hasattr(step, "get_support")
    if not known or not _is_of_library(step):
        raise Refused(f"step {name!r} ({type(step).__name__}) has no exact form here; {TRANSFORM_FIRST}")


def _is_of_library(step: Any) -> bool:
    """Whether it is a class of scikit-learn itself: another's of the same name may compute something else."""
    return type(step).__module__.partition(".")[0] == "sklearn"


def _minus(build: Translation, x: Value, shift: Any) -> Value:
    """``x - shift``, where there is one."""
    return x if shift is None or not np.any(shift) else build.subtract(x, _known(shift))


def _over(build: Translation, x: Value, scale: Any) -> Value:
    """``x / scale``, exactly, where there is a scale."""
    return x if scale is None or np.all(np.asarray(scale) == 1) else build.divide(x, _known(scale))


def _known(values: Any) -> Known:
    return Known(np.asarray(values, dtype=np.float64))


def _standard(build: Translation, step: Any, x: Value, name: str) -> Value:
    mean = step.mean_ if step.with_mean else None
    return _over(build, _minus(build, x, mean), step.scale_ if step.with_std else None)


def _robust(build: Translation, step: Any, x: Value, name: str) -> Value:
    centre = step.center_ if step.with_centering else None
    return _over(build, _minus(build, x, centre), step.scale_ if step.with_scaling else None)


def _min_max(build: Translation, step: Any, x: Value, name: str) -> Value:
    """``x * scale_ + min_``, and perhaps cut to the range of the features."""
    scaled = build.add(build.multiply(x, _known(step.scale_)), _known(step.min_))
    return _clipped(build, scaled, *step.feature_range) if step.clip else scaled


def _max_abs(build: Translation, step: Any, x: Value, name: str) -> Value:
    scaled = _over(build, x, step.scale_)
    return _clipped(build, scaled, -1.0, 1.0) if getattr(step, "clip", False) else scaled


def _clipped(build: Translation, x: Value, low: float, high: float) -> Value:
    return build.minimum(build.maximum(x, _known(low)), _known(high))


def _principal(build: Translation, step: Any, x: Value, name: str) -> Value:
    """``(x - mean_) components_^T``, each component divided by its deviation if they are whitened."""
    projected = build.linear(_minus(build, x, step.mean_), _known(step.components_), None)
    if not step.whiten:
        return projected
    deviation = np.sqrt(step.explained_variance_)  # as scikit-learn does it, and never less than its smallest number
    return _over(build, projected, np.maximum(deviation, np.finfo(deviation.dtype).eps))


def _truncated(build: Translation, step: Any, x: Value, name: str) -> Value:
    return build.linear(x, _known(step.components_), None)


def _polynomial(build: Translation, step: Any, x: Value, name: str) -> Value:
    """Each column is a product of columns of the input: the k-th factor of all of them is one exact selection."""
    powers = np.asarray(step.powers_)
    degrees = powers.sum(axis=1)
    if degrees.max(initial=0) > MAX_DEGREE:
        raise Refused(f"step {name!r} (PolynomialFeatures) has degree {degrees.max()}; {TRANSFORM_FIRST}")
    factors = []
    for k in range(max(1, int(degrees.max(initial=0)))):
        chosen = np.zeros(powers.shape)
        for row, exponents in enumerate(powers):
            columns = np.repeat(np.arange(powers.shape[1]), exponents)
            if k < len(columns):
                chosen[row, columns[k]] = 1.0
        one = 1.0 - chosen.sum(axis=1)
        factors.append(build.linear(x, Known(chosen), Known(one) if one.any() else None))
    result = factors[0]
    for factor in factors[1:]:
        result = build.multiply(result, factor)
    return result


def _selected(build: Translation, step: Any, x: Value, name: str) -> Value:
    kept = step.get_support(indices=True)
    if len(kept) == 0:
        raise Refused(f"step {name!r} ({type(step).__name__}) keeps no column; there is nothing to verify")
    return build.take(x, 1, kept)


def _function(build: Translation, step: Any, x: Value, name: str) -> Value:
    if step.func is None:
        return x
    raise Refused(f"step {name!r} (FunctionTransformer) calls a function of Python; {TRANSFORM_FIRST}")


_STEPS: Final[dict[str, Step]] = {
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "PCA": _principal,
    "TruncatedSVD": _truncated,
    "PolynomialFeatures": _polynomial,
    "FunctionTransformer": _function,
}
