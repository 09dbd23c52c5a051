"""The last step: a multi-layer perceptron or a linear model, as affine nodes and activations; its last map is the head.

Every estimator that is taken has a loss that is convex in the outputs of its last linear map: the cross-entropy of a
softmax, that of one logit, or the squared error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Refused, Value

ACTIVATIONS: Final = {"identity": "t", "logistic": "1/(1 + exp(-t))", "tanh": "tanh(t)", "relu": "Max(0, t)"}
"""Those of the hidden layers, in t."""
LINEAR_CLASSIFIERS: Final = ("LogisticRegression", "LogisticRegressionCV")
LINEAR_REGRESSORS: Final = ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV")
PERCEPTRONS: Final = ("MLPClassifier", "MLPRegressor")
TAKEN: Final = (*PERCEPTRONS, *LINEAR_CLASSIFIERS, *LINEAR_REGRESSORS)
"""The estimators that are networks with a free linear head and a convex loss."""


def kind_of(estimator: object) -> str:
    """The name of the class of scikit-learn that an estimator is, or is a subclass of; empty if it is not taken."""
    own = [kind.__name__ for kind in type(estimator).__mro__ if kind.__module__.partition(".")[0] == "sklearn"]
    return next((name for name in own if name in TAKEN), "")


def outputs_of(build: Translation, estimator: Any, x: Value) -> Value:
    """Translate a fitted estimator: its outputs before softmax or sigmoid, (B, m).

    Parameters
    ----------
    build : Translation
        The graph in the making; it is told what is said about the estimator.
    estimator : MLPClassifier, MLPRegressor or linear model
        Fitted.
    x : Value
        Its input, (B, d).

    Returns
    -------
    Value
        The outputs of the head.

    Raises
    ------
    Refused
        It is no network, or its loss is not convex in these outputs.
    """
    if kind_of(estimator) in PERCEPTRONS:
        return _perceptron(build, estimator, x)
    return _linear(build, estimator, x)


def is_regressor(estimator: Any) -> bool:
    """Whether its targets are real numbers."""
    return kind_of(estimator) in ("MLPRegressor", *LINEAR_REGRESSORS)


def _perceptron(build: Translation, estimator: Any, x: Value) -> Value:
    wanted = ("identity",) if is_regressor(estimator) else ("logistic", "softmax")
    if estimator.out_activation_ not in wanted:
        raise Refused(
            f"loss {estimator.loss!r} with the output activation {estimator.out_activation_!r} is not covered; train "
            "it with the squared error"
        )
    if estimator.out_activation_ == "logistic" and estimator.n_outputs_ > 1:
        raise Refused(
            "several labels for each sample are not covered; take one label: fit an MLPClassifier for each column of y"
        )
    _penalty(build, "alpha", estimator.alpha)
    expression, last = ACTIVATIONS[estimator.activation], len(estimator.coefs_) - 1
    for k, (coefs, intercepts) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        x = _affine(build, x, coefs.T, intercepts, (f"coefs_[{k}].T", f"intercepts_[{k}]"))
        x = build.elementwise(expression, x) if k < last else x
    return x


def _linear(build: Translation, estimator: Any, x: Value) -> Value:
    """A network without hidden layer: the features are the input, and perhaps 1."""
    coefficients = estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else estimator.coef_
    weights = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    intercepts = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64).ravel(), (len(weights),))
    if kind_of(estimator) in LINEAR_CLASSIFIERS:
        _penalty(build, "C", 0.0 if getattr(estimator, "C", 1.0) == np.inf else 1.0)
    elif kind_of(estimator) != "LinearRegression":
        _penalty(build, "alpha", 1.0)
    if getattr(estimator, "class_weight", None) is not None:
        build.remark("its class weights are no part of the loss that statements are about")
    if getattr(estimator, "positive", False):
        build.remark("its weights were kept positive; statements are about all real weights")
    return _affine(build, x, weights, intercepts if estimator.fit_intercept else None, ("coef_", "intercept_"))


def _affine(build: Translation, x: Value, weight: Any, bias: Any, names: Sequence[str]) -> Value:
    """``x weight^T + bias``, both trained; weight (units, fan-in)."""
    weights = build.parameter(names[0], np.array(weight, dtype=np.float64))
    return build.linear(x, weights, None if bias is None else build.parameter(names[1], np.array(bias, np.float64)))


def _penalty(build: Translation, key: str, strength: float) -> None:
    if strength:
        build.remark(f"the penalty on the weights ({key}) is no part of the loss that statements are about")
