"""Estimators of scikit-learn as networks: exact numbers, the estimator's own outputs, and what is refused."""

from __future__ import annotations

import warnings
from fractions import Fraction as F

import numpy as np
import pandas as pd
import pytest
from flint import arb, ctx, fmpq
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC

import verifier as vf
from verifier.network.forward import approx_features

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 3)) * [1.0, 100.0, 1e-3] + [5.0, -1e4, 0.0]
Y = RNG.integers(0, 3, size=24)
T = RNG.standard_normal((24, 2))


def fitted(estimator, x=X, y=Y):
    """Fit, however badly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, y)


def perceptron(**more):
    return MLPClassifier((5,), **({"activation": "tanh"} | more), max_iter=3, random_state=0)


def outputs(found, x=X):
    return approx_features(found.network, found.u, x) @ found.v


def contains(ball, value):
    with ctx.workprec(4000):
        return ball.contains(arb(fmpq(value.numerator, value.denominator)))


@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu", "identity"])
def test_hidden_activations_and_several_layers(activation):
    x = X / 100
    model = fitted(MLPClassifier((5, 4), activation=activation, max_iter=3, random_state=0), x)
    found = vf.from_sklearn(model, x)
    g = outputs(found, x)
    p = np.exp(g - g.max(axis=1, keepdims=True))
    assert np.allclose(p / p.sum(axis=1, keepdims=True), model.predict_proba(x), rtol=1e-12, atol=1e-14)
    assert found.classes == (0, 1, 2) and found.losses == ()
    assert any("alpha" in remark for remark in found.remarks)
    views = found.network.views(found.u)
    assert np.array_equal(views["coefs_[0].T"], model.coefs_[0].T)
    assert np.array_equal(found.v, np.vstack([model.coefs_[-1], model.intercepts_[-1]]))
    layered = found.network.layered
    assert layered is None if activation == "identity" else len(layered.layers) == 2


def test_two_classes_have_one_logit():
    model = fitted(perceptron(), X, Y == 1)
    found = vf.from_sklearn(model)
    assert found.v.shape == (6, 1) and found.classes == (False, True)
    assert np.allclose(1 / (1 + np.exp(-outputs(found).ravel())), model.predict_proba(X)[:, 1], atol=1e-13)


@pytest.mark.parametrize("targets", [T, T[:, 0]])
def test_a_regressor_has_its_predictions(targets):
    model = fitted(make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(5,), max_iter=3)), X, targets)
    found = vf.from_sklearn(model, X)
    assert found.losses == ("squared",) and found.classes == ()
    assert np.allclose(outputs(found), model.predict(X).reshape(24, -1), rtol=1e-11, atol=1e-13)


STEPS = {
    "standard": StandardScaler(),
    "standard, no mean": StandardScaler(with_mean=False),
    "standard, no deviation": StandardScaler(with_std=False),
    "range": MinMaxScaler((-1, 2)),
    "range, clipped": MinMaxScaler(clip=True),
    "largest": MaxAbsScaler(),
    "robust": RobustScaler(),
    "components": PCA(2),
    "whitened": PCA(2, whiten=True),
    "truncated": TruncatedSVD(2),
    "products": PolynomialFeatures(3),
    "products, no 1": PolynomialFeatures(2, include_bias=False, interaction_only=True),
    "selected": VarianceThreshold(1e-3),
    "nothing": "passthrough",
    "no function": FunctionTransformer(),
    "several": make_pipeline(StandardScaler(), PCA(3)),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps_before_the_perceptron(step):
    model = fitted(make_pipeline(step, perceptron()))
    found = vf.from_sklearn(model, X)
    inner = X if step == "passthrough" else model[:-1].transform(X)
    last = model[-1]
    assert found.network.input_shape == (3,)
    psi = approx_features(found.network, found.u, X)
    assert np.allclose(psi[:, :-1], np.tanh(inner @ last.coefs_[0] + last.intercepts_[0]), rtol=1e-7, atol=1e-9)


def test_scaling_is_exact_and_not_rounded():
    """A linear model's features are the scaled samples: balls of 400 bits contain the exact quotients only."""
    model = fitted(make_pipeline(StandardScaler(), LogisticRegression()))
    found, scaler = vf.from_sklearn(model, X), model[0]
    rows = vf.FeatureEnclosure(found.network, found.u, X, 400)
    for samples, block in rows.blocks():
        for x, line in zip(X[samples], block.tolist(), strict=True):
            for j, ball in enumerate(line[:-1]):
                exact = (F(x[j]) - F(scaler.mean_[j])) / F(scaler.scale_[j])
                assert contains(ball, exact)
                rounded = (F(x[j]) - F(scaler.mean_[j])) * F(1 / scaler.scale_[j])  # a broken copy
                assert rounded == exact or not contains(ball, rounded)


def test_a_column_that_does_not_vary():
    x = np.column_stack([X, np.full(24, 7.0)])
    found = vf.from_sklearn(fitted(make_pipeline(StandardScaler(), perceptron()), x), x)
    assert found.network.dimension == 4


def test_float32_weights_are_exact():
    model = fitted(perceptron(), X.astype(np.float32))
    assert model.coefs_[0].dtype == np.float32
    found = vf.from_sklearn(model)
    assert np.array_equal(found.network.view(found.u, "coefs_[0].T"), model.coefs_[0].T.astype(np.float64))


def test_a_search_is_its_best_estimator():
    search = fitted(GridSearchCV(make_pipeline(StandardScaler(), perceptron()), {"mlpclassifier__alpha": [0.0]}, cv=2))
    found = vf.from_sklearn(search)
    assert found.v.shape == (6, 3) and found.remarks == ()


def test_linear_models_have_the_input_as_features():
    found = vf.from_sklearn(fitted(LogisticRegression(), X / 100))
    assert found.network.parameter_count == 0 and found.v.shape == (4, 3)
    found = vf.from_sklearn(fitted(LinearRegression(fit_intercept=False), X, T))
    assert found.v.shape == (3, 2) and not found.network.output_bias
    assert vf.from_sklearn(fitted(Ridge(), X, T[:, 0])).v.shape == (4, 1)


class Other(MLPClassifier):
    """Computes something else than its weights say."""

    def predict_proba(self, x):
        return np.full((len(x), 3), 1 / 3)


REFUSED = {
    "no estimator": (lambda: 3, "no estimator"),
    "not fitted": (lambda: perceptron(), "not fitted"),
    "step not fitted": (lambda: make_pipeline(StandardScaler(), fitted(perceptron())), "not fitted"),
    "forest": (lambda: fitted(RandomForestClassifier(2)), "no network"),
    "svm": (lambda: fitted(SVC()), "no network"),
    "calibrated": (
        lambda: fitted(CalibratedClassifierCV(LogisticRegression(), cv=2), X / 100),
        "calibrated_classifiers_",
    ),
    "imputer": (lambda: fitted(make_pipeline(SimpleImputer(), perceptron())), r"'simpleimputer' .*pipe\[:-1\]"),
    "normalizer": (lambda: fitted(make_pipeline(Normalizer(), perceptron())), "no exact form"),
    "columns": (
        lambda: fitted(make_pipeline(ColumnTransformer([("a", StandardScaler(), [0])]), perceptron())),
        "no exact form",
    ),
    "function": (lambda: fitted(make_pipeline(FunctionTransformer(np.abs), perceptron())), "function of Python"),
    "degree": (lambda: fitted(make_pipeline(StandardScaler(), PolynomialFeatures(9), perceptron())), "degree 9"),
    "search without refit": (
        lambda: fitted(GridSearchCV(perceptron(), {"alpha": [0.1]}, cv=2, refit=False)),
        "refit=True",
    ),
    "several labels": (lambda: fitted(perceptron(), X, np.eye(3, dtype=int)[Y]), "several labels"),
    "another function": (lambda: fitted(Other((5,), max_iter=3)), "outputs differ"),
}
if "loss" in MLPRegressor().get_params():  # from scikit-learn 1.7 on
    REFUSED["poisson"] = (lambda: fitted(MLPRegressor(loss="poisson", max_iter=2), X / 1e4, T[:, 0] ** 2), "poisson")


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(make, words):
    with pytest.raises(vf.InputError, match=words) as refused:
        vf.from_sklearn(make())
    assert str(refused.value).startswith("from_sklearn: ")


def test_coefficients_of_almost_nothing_are_no_other_function():
    samples = np.random.default_rng(0).standard_normal((30, 2))
    found = vf.from_sklearn(LogisticRegression(C=1e-10).fit(samples, np.arange(30) % 2))
    assert np.abs(found.v).max() < 1e-6


def test_columns_in_another_order():
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model = fitted(perceptron(), table)
    assert vf.from_sklearn(model, table).v.shape == (6, 3)
    with pytest.raises(vf.InputError, match=r"column 0 of X is 'b', and it was fitted on 'a' .*feature_names_in_"):
        vf.from_sklearn(model, table[["b", "a", "c"]])
    with pytest.raises(vf.InputError, match="column 2 of X is 'nothing'"):
        vf.from_sklearn(model, table[["a", "b"]])


def test_another_number_of_columns():
    with pytest.raises(vf.InputError, match=r"shape \(2,\), and it was fitted on 3"):
        vf.from_sklearn(fitted(perceptron()), X[:, :2])


def test_text_that_a_step_encodes_gets_the_remedy_of_the_step():
    table = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": list("uvuv")})
    encode = ColumnTransformer([("a", StandardScaler(), ["a"]), ("b", OneHotEncoder(sparse_output=False), ["b"])])
    pipe = make_pipeline(encode, LogisticRegression()).fit(table, [0, 1, 1, 0])
    with pytest.raises(
        vf.InputError, match=r"no exact form here; .*verify\(pipe\[:-1\].transform\(X\), y, pipe\[-1\]\)"
    ):
        vf.verify(table, [0, 1, 1, 0], pipe)
    assert vf.verify(pipe[:-1].transform(table), [0, 1, 1, 0], pipe[-1]).problem
