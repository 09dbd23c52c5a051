"""`verifier.verify` with a trained model as its third argument: its weights, its classes, its shapes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import verifier as vf
from verifier.adapters.translation.translation import Translation
from verifier.run.arguments import given_model
from verifier.run.models import LEFT_OUT, imported_model
from verifier.verdict import Verdict

RNG = np.random.default_rng(1)
X = RNG.standard_normal((12, 3))
Y = np.arange(12) % 3
NAMES = np.array(["cat", "dog", "eel"])[Y]
T = RNG.standard_normal(12) * 100


def fitted(estimator, y, x=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, y)


def perceptron(y=Y, units=14, x=X):
    return fitted(MLPClassifier((units,), activation="tanh", max_iter=3, random_state=0), y, x)


def cross_entropy(p, labels):
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def imported(classes=3, remarks=(), shape=3, **more):
    """A small network as an adapter returns it."""
    network = vf.Network(shape, [vf.Dense(14, "tanh", skip=True)])
    v = vf.output_weights(network, max(2, classes), seed=1)[:, :classes]
    return vf.Imported(network, vf.initialise(network, seed=0), v, "head", remarks, **more)


@pytest.mark.parametrize("y", [NAMES, Y.tolist(), NAMES.tolist()], ids=["texts", "list", "list of texts"])
def test_labels_of_any_kind_are_the_estimators_classes(y):
    data, found, _ = given_model(X, y, perceptron(np.asarray(y)), None, "data", None, None)
    assert data.labels.tolist() == Y.tolist() and data.label_names == tuple(map(str, found.classes))


def test_a_classifier_is_verified_at_its_own_weights(tmp_path):
    model = perceptron()
    report = vf.verify(X, Y, model)
    assert report.proved and report.verdict("T3.4(2)") is Verdict.PROVED
    assert np.array_equal(report.v, np.vstack([model.coefs_[1], model.intercepts_[1]]))
    low, high = (float(end.fraction()) for end in report.descent.start_loss)
    assert low <= cross_entropy(model.predict_proba(X), Y) * (1 + 1e-12) and high >= low > 0
    assert abs(high - cross_entropy(model.predict_proba(X), Y)) < 1e-6
    assert "penalty" in str(report)
    assert vf.check(report.write(tmp_path / "a.json")).accepted


def test_a_pipeline_and_its_certificate(tmp_path):
    model = fitted(make_pipeline(StandardScaler(), MLPClassifier((14,), activation="tanh", max_iter=3)), Y)
    report = vf.verify(X, Y, model)
    assert report.proved and report.verdict("generic") is Verdict.PROVED and report.verdict("A") is Verdict.PROVED
    assert vf.check(report.write(tmp_path / "a.json")).accepted


def test_classes_that_do_not_occur_are_those_of_the_model():
    model = perceptron(NAMES)
    kept = NAMES != "dog"
    report = vf.verify(X[kept], NAMES[kept], model)
    assert report.data.label_names == ("cat", "dog", "eel") and set(report.data.labels.tolist()) == {0, 2}
    with pytest.raises(vf.InputError, match="not among the classes; they are cat, dog, eel"):
        vf.verify(X, np.where(NAMES == "dog", "fox", NAMES), model)


def test_two_classes_have_one_logit():
    model = perceptron(Y == 1)
    report = vf.verify(X, Y == 1, model)
    assert report.proved and "z that of 'True'" in str(report).replace("\n", " ")
    assert (
        abs(float(report.descent.start_loss[1].fraction()) - cross_entropy(model.predict_proba(X), 1 * (Y == 1))) < 1e-6
    )


def test_a_data_set_by_name_is_not_scaled():
    data = vf.load_dataset("iris", scale="none")
    model = perceptron(data.labels, 4, data.inputs)
    for given in ("iris", data):
        found, _, remarks = given_model(given, None, model, None, "data", None, None)
        assert np.array_equal(found.inputs, data.inputs) and np.array_equal(found.labels, data.labels)
        assert "0, 1, 2 are setosa, versicolor, virginica" in remarks[-1]
    named = perceptron(np.array(data.label_names)[data.labels], 4, data.inputs)
    assert "setosa" not in given_model("iris", None, named, None, "data", None, None)[2][-1]
    scaled = given_model("iris", None, model, "auto", "data", None, None)[0]
    assert not np.array_equal(scaled.inputs, data.inputs)


def test_classes_that_are_numbers_of_another_meaning_are_asked_for():
    """The classes 1 and 2 have the labels 0 and 1: as outputs of a network they may be either."""
    data = vf.dataset_from_arrays(X, Y % 2 + 1)
    with pytest.raises(vf.InputError, match="by name or by number"):
        given_model(data, None, imported(), None, "data", None, None)
    found, _, _ = given_model(X, Y % 2 + 1, imported(), None, "data", None, None)
    assert found.labels.tolist() == (Y % 2 + 1).tolist()
    found, _, _ = given_model(data, None, imported(classes=2), None, "data", None, None)  # both, in this order
    assert found.labels.tolist() == (Y % 2).tolist()


def test_a_regressor_has_real_targets(tmp_path):
    model = fitted(MLPRegressor(hidden_layer_sizes=(14,), activation="tanh", max_iter=3), T)
    report = vf.verify(X, T, model)
    assert report.proved and "1 real target" in report.problem.words
    truth = ((model.predict(X) - T) ** 2).mean() / 2
    assert abs(float(report.near_infimum.start_loss[1].fraction()) / truth - 1) < 1e-6
    assert vf.check(report.write(tmp_path / "a.json")).accepted


def test_weights_of_ones_own_take_the_place_of_the_models():
    found = imported()
    report = vf.verify(X, Y, found, v=np.zeros((14, 3)))
    assert not report.v.any() and np.array_equal(report.u, found.u)
    assert np.array_equal(vf.verify(X, Y, found).v, found.v)


def test_remarks_stand_beside_the_data():
    report = vf.verify(X, Y, imported(remarks=("something is left out",)))
    assert report.problem.words.endswith("; something is left out")


def test_layers_are_as_before():
    assert imported_model([vf.Dense(3, "tanh", skip=True)], X) is None and imported_model(None, X) is None


IMAGES = RNG.standard_normal((4, 2, 2, 3))
REFUSED = {
    "state_dict": (lambda: (X, Y, {"weight": X}), "load_state_dict"),
    "function": (lambda: (X, Y, lambda x: x), "no weights that can be read"),
    "class": (lambda: (X, Y, MLPClassifier), "is a class, not a model"),
    "number": (lambda: (X, Y, 3), "is no network"),
    ".pt": (lambda: (X, Y, "net.pt"), "load_state_dict"),
    ".pkl": (lambda: (X, Y, "net.pkl"), "joblib"),
    ".h5": (lambda: (X, Y, "net.h5"), "model.export"),
    "text": (lambda: (X, Y, "digits"), "no ONNX file"),
    "model as y": (lambda: (X, perceptron()), "y is a network, not labels"),
    "labels from 1": (lambda: (X, Y + 1, imported()), "labels of 3 classes are 0..2"),
    "texts": (lambda: (X, NAMES, imported()), r"in the order of the outputs: classes=\["),
    "more classes than outputs": (
        lambda: ("iris", None, imported(2, shape=4)),
        "2 outputs, and the data have 3 classes",
    ),
    "real targets in a column": (lambda: (X, T[:, None], imported(1)), "regression=True"),
    "numbers of columns": (lambda: (X[:, :2], Y, imported()), r"shape \[3\], those of X have shape \[2\]"),
    "axes in another order": (lambda: (IMAGES, Y[:4], imported(shape=(3, 2, 2))), r"shape \[N, 3, 2, 2\]"),
    "real targets of a classifier": (lambda: (X, T, imported(remarks=(f"softmax {LEFT_OUT}",))), "regression=True"),
    "targets of another number": (
        lambda: (X, np.column_stack([T, T]), imported(1, losses=("squared",))),
        r"1 output, and y has 2 real targets .* shape \(N, 1\)",
    ),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(given, words):
    with pytest.raises(vf.InputError, match=words) as refused:
        vf.verify(*given())
    assert "\n" not in str(refused.value)


def test_what_is_a_regression_is_never_guessed():
    softmax = imported(remarks=(f"softmax {LEFT_OUT}",))
    with pytest.raises(vf.InputError, match="classifier has no real targets"):
        vf.verify(X, np.eye(3)[Y] * 0.5, softmax, regression=True)
    with pytest.raises(vf.InputError, match="classifier has no real targets"):
        vf.verify(X, T, fitted(LogisticRegression(), Y == 1), regression=True)
    with pytest.raises(vf.InputError, match="regressor has no classes"):
        vf.verify(X, Y % 2, imported(1, losses=("squared",)), regression=False)
    assert vf.verify(X, T, imported(1), regression=True).verdict("path") is Verdict.PROVED


def test_what_adapters_leave_out_after_the_head_ends_with_these_words():
    for outputs, after in ((3, "softmax"), (3, "log_softmax"), (1, "sigmoid")):
        build = Translation((3,), 2)
        x = build.elementwise("tanh(t)", build.linear(build.input(), build.parameter("w", np.ones((4, 3))), None))
        logits = build.linear(x, build.parameter("head", np.ones((outputs, 4))), None)
        ended = build.elementwise("1/(1 + exp(-t))", logits) if outputs == 1 else getattr(build, after)(logits, 1)
        assert [remark.endswith(LEFT_OUT) for remark in build.finish(ended).remarks] == [True]


@pytest.mark.onnx
@pytest.mark.parametrize(
    "shape", [("N", 1, 2, 2), ("N", 1, "h", "w"), (1, 1, 2, 2)], ids=["fixed", "open", "batch of 1"]
)
def test_an_onnx_file(shape, tmp_path):
    import onnx
    from onnx_models import Draft

    draft = Draft(shape)
    hidden = draft.add("Tanh", draft.linear(draft.add("Flatten", "x"), 4, 9))
    file = tmp_path / "net.onnx"
    onnx.save(draft.model(draft.head(hidden, 9)), file)
    images = RNG.standard_normal((6, 1, 2, 2))
    report = vf.verify(images, Y[:6], str(file))
    assert report.proved and np.array_equal(report.v[:-1], draft.arrays["head.weight"].T.astype(float))
    assert any("ONNX does not say" in part for part in report.problem.words.split("; "))
    assert vf.check(report.write(tmp_path / "a.json")).accepted
    if "h" not in shape:
        assert np.array_equal(vf.verify(images.reshape(6, 4), Y[:6], file).v, report.v)
    with pytest.raises(vf.InputError, match=r"labels of 3 classes are 0..2"):
        vf.verify(images, Y[:6] + 1, file)


@pytest.mark.onnx
def test_an_onnx_file_that_reads_other_samples(tmp_path):
    import onnx
    from onnx_models import mlp

    draft, output = mlp()
    onnx.save(draft.model(output), tmp_path / "net.onnx")
    with pytest.raises(vf.InputError, match=r"shape \[4\], those of X have shape \[3\]"):
        vf.verify(X, Y, tmp_path / "net.onnx")
    with pytest.raises(vf.InputError, match="no file"):
        vf.verify(X, Y, tmp_path / "none.onnx")
