"""A fitted estimator of scikit-learn as a network of this package, with exactly its weights: `from_sklearn`."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from verifier.adapters.scikit.estimators import TAKEN, is_regressor, kind_of, outputs_of
from verifier.adapters.scikit.preprocessing import require_exact, transformed
from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Refused
from verifier.data.gate import binary64
from verifier.errors import InputError, one_line
from verifier.network.forward import approx_features
from verifier.network.network import Array

SAMPLES: Final = 5
"""Samples that outputs are compared on."""
TOLERANCE: Final = 1e-9
"""Largest difference of outputs, relative to the largest output."""
ROUNDED: Final = 1e-14
"""Probabilities are rounded by as much, however small the outputs are."""
WRAPPERS: Final = {
    "CalibratedClassifierCV": "calibration bends its probabilities; give the estimator inside: "
    "model.calibrated_classifiers_[0].estimator",
    "TransformedTargetRegressor": "its targets are transformed; give model.regressor_ and the transformed targets",
    "VotingClassifier": "it is several models; give one of model.estimators_",
    "VotingRegressor": "it is several models; give one of model.estimators_",
    "StackingClassifier": "it is several models; give one of model.estimators_",
    "BaggingClassifier": "it is several models; give one of model.estimators_",
    "OneVsRestClassifier": "it is several models; give one of model.estimators_",
    "MultiOutputClassifier": "it is several models; give one of model.estimators_",
    "MultiOutputRegressor": "it is several models; give one of model.estimators_",
    "KerasClassifier": "give the network in PyTorch or as an ONNX file",
}
"""What stands for other estimators, and which of them to give."""


def is_estimator(model: object) -> bool:
    """Whether a model is an estimator of scikit-learn, or one that follows it."""
    return not isinstance(model, type) and hasattr(model, "get_params") and hasattr(model, "fit")


def from_sklearn(estimator: Any, example: ArrayLike | None = None) -> Imported:
    """Take a fitted estimator of scikit-learn over: its layers as a `Network`, its weights as U and V, exactly.

    Guarantee: the network's exact real function at (u, v) is the estimator's, with its numbers as exact numbers: the
    softmax's or sigmoid's input for a classifier, the prediction for a regressor. It is not scikit-learn's rounded
    evaluation.

    Supported are ``MLPClassifier`` (one logit for two classes), ``MLPRegressor``, ``LogisticRegression`` and linear
    regressions, whose features are the input; alone, in a search that was fitted, or at the end of a ``Pipeline`` of
    scalers, ``PCA``, ``TruncatedSVD``, ``PolynomialFeatures`` and selections of columns, which become fixed nodes.

    Parameters
    ----------
    estimator : estimator
        Fitted. It stays as it is.
    example : array_like of shape (B, d), optional
        Samples on which the network's outputs are compared with the estimator's; by default random ones.

    Returns
    -------
    Imported
        The network, U, V, the classes in the order of the outputs, and what was said.

    Raises
    ------
    InputError
        Not fitted, no network, or a step that has no exact form: one line that names it, and the remedy.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> from sklearn.linear_model import LogisticRegression
    >>> model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], ["a", "b", "c"])
    >>> found = vf.from_sklearn(model)
    >>> found.v.shape, found.classes
    ((3, 3), ('a', 'b', 'c'))
    """
    found = _unwrapped(estimator)
    try:
        steps, last = _parts(found)
        _require_fitted([*(step for _, step in steps), last])
        for name, step in steps:  # first: the samples may be what only such a step can read, such as text
            require_exact(step, name)
        samples = _samples(found, last, example)
        build = Translation((samples.shape[1],), len(samples))
        x: Any = build.input()
        for name, step in steps:
            x = transformed(build, step, x, name)
        imported = build.finish(outputs_of(build, last, x))
    except Refused as error:
        raise InputError(f"from_sklearn: {_called(found)}: {error}") from None
    imported = replace(
        imported,
        classes=() if is_regressor(last) else tuple(last.classes_.tolist()),
        losses=("squared",) if is_regressor(last) else (),
    )
    _compare(found, imported, samples)
    return imported


def _called(estimator: object) -> str:
    return type(estimator).__name__


def _unwrapped(estimator: Any) -> Any:
    """The best estimator of a search, and the module of one that holds a network of PyTorch."""
    if not is_estimator(estimator):
        raise InputError(f"from_sklearn: {one_line(estimator)} is no estimator of scikit-learn; give a fitted one")
    if hasattr(estimator, "best_estimator_"):
        return _unwrapped(estimator.best_estimator_)
    if hasattr(estimator, "module_"):
        raise InputError(f"from_sklearn: {_called(estimator)} holds a module of PyTorch; give model.module_")
    if any(hasattr(estimator, key) for key in ("param_grid", "param_distributions")):
        raise InputError(f"from_sklearn: {_called(estimator)} has no best estimator; call fit with refit=True")
    return estimator


def _parts(estimator: Any) -> tuple[list[tuple[str, Any]], Any]:
    """The steps before the last one, and the last one, which is a network."""
    steps: list[tuple[str, Any]] = []
    while _called(estimator) == "Pipeline":
        steps += estimator.steps[:-1]
        estimator = _unwrapped(estimator.steps[-1][1])
    if _called(estimator) in WRAPPERS:
        raise Refused(WRAPPERS[_called(estimator)])
    if not kind_of(estimator):
        raise Refused(f"no network with a linear head and a convex loss; give one of {', '.join(TAKEN[:3])}")
    return steps, estimator


def _require_fitted(parts: list[Any]) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    for part in parts:
        if part is None or isinstance(part, str):
            continue
        try:
            check_is_fitted(part)
        except NotFittedError:
            raise Refused(f"its {_called(part)} is not fitted; call fit(X, y) first") from None
        except TypeError:  # a step that has nothing to fit, and no way to say so
            continue


def _samples(whole: Any, last: Any, example: ArrayLike | None) -> Array:
    """Samples to compare outputs on, (B, d): those given, else random ones near what the estimator was fitted on."""
    width = int(getattr(whole, "n_features_in_", last.n_features_in_))
    if example is not None:
        _require_columns(whole, example)
        given = binary64(example, "X")
        given = given.reshape(len(given), -1) if given.ndim > 1 else given
        if given.ndim != 2 or given.shape[1] != width:
            raise Refused(f"a sample of X has shape {given.shape[1:]}, and it was fitted on {width} columns")
        return np.array(given[:SAMPLES] if len(given) > 1 else np.vstack([given, given]))
    drawn = np.random.default_rng(0).standard_normal((SAMPLES, int(last.n_features_in_)))
    if whole is not last:
        try:
            found = np.asarray(whole[:-1].inverse_transform(drawn), dtype=np.float64)
        except (AttributeError, ValueError, TypeError):
            found = np.random.default_rng(0).standard_normal((SAMPLES, width))
        return found
    return drawn


def _require_columns(estimator: Any, table: object) -> None:
    """See that a table has the columns that the estimator was fitted on, in their order: scikit-learn asks for it."""
    known, given = getattr(estimator, "feature_names_in_", None), getattr(table, "columns", None)
    if known is None or given is None or list(known) == list(given):
        return
    where = next((k for k, (a, b) in enumerate(zip(known, given, strict=False)) if a != b), min(len(known), len(given)))
    wanted, found = ([*map(str, names), "nothing"][min(where, len(names))] for names in (known, given))
    raise Refused(
        f"column {where} of X is {one_line(found)}, and it was fitted on {one_line(wanted)} there; give "
        "X[model.feature_names_in_]"
    )


def _compare(estimator: Any, found: Imported, samples: Array) -> None:
    """See that the network's outputs are the estimator's own, up to rounding.

    Raises
    ------
    InputError
        They are not: the estimator computes something else than its class.
    """
    features = approx_features(found.network, found.u, samples)
    logits = features @ found.v
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that columns have no names
        regression = bool(found.losses)
        own = np.asarray(estimator.predict(samples) if regression else estimator.predict_proba(samples))
    if regression:
        ours = logits
    else:
        ours = np.hstack([np.zeros_like(logits), logits]) if logits.shape[1] == 1 else logits
        ours = np.exp(ours - ours.max(axis=1, keepdims=True))
        ours = ours / ours.sum(axis=1, keepdims=True)
    room = TOLERANCE * max(1e-300, float((np.abs(features) @ np.abs(found.v)).max(initial=0.0)))
    room = room if regression else max(room, ROUNDED)
    difference = np.abs(ours - own.reshape(ours.shape)).max(initial=0.0) if own.size == ours.size else np.inf
    if not difference <= room:
        raise InputError(
            f"from_sklearn: {_called(estimator)}: its outputs differ by {difference:.1e} from those of the network "
            "that its weights make; a class that computes something else is not covered"
        )
