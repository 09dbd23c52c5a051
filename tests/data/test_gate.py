"""The one gate for numbers and labels: exact or refused by name, whichever public function they are given to."""

from __future__ import annotations

import array
import collections
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
import scipy.sparse
import sympy
from everyday import one_in
from hypothesis import given
from hypothesis import strategies as st

import verifier as vf
from verifier.data.gate import binary64, exact, integers
from verifier.errors import DataError

BIG = 2**53
NETWORK = vf.Network(2, [vf.Dense(4, "tanh", skip=True)])
U = vf.initialise(NETWORK)
X = np.array([[0.5, 1.0], [1.5, -1.0], [2.0, 0.25]])
V = vf.ExactArray.of_floats([[1.0, 0.0]] * 4)
FEATURES = vf.FeatureEnclosure(NETWORK, U, X, 64)
FLOATS = vf.FloatEnclosure(NETWORK, U, X, vf.numpy_backend())
LABELS, COUNTS = [0, 1, 0], [1, 1, 1]


class Listed:
    """Another library's array."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.values, dtype=dtype)


def numbers_of(value: Any) -> Any:
    """Fractions of exactly the numbers in an array."""
    return [Fraction(x) for x in np.asarray(value, dtype=object).ravel().tolist()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([[1, 0.5], [True, -0.0]], [[1, 0.5], [1, 0]]),
        ((range(2), array.array("d", [0.5, 2])), [[0, 1], [0.5, 2]]),
        (collections.deque([1, np.float32(0.1)]), [1, float(np.float32(0.1))]),
        ([Fraction(1, 4), Decimal("0.5"), np.float16(3), np.longdouble(2), np.int8(-1)], [0.25, 0.5, 3, 2, -1]),
        ([np.array(1), np.array(2.5), sympy.Rational(1, 2), flint.fmpz(3), flint.fmpq(1, 8)], [1, 2.5, 0.5, 3, 0.125]),
        ([np.array([1, 2]), [0.5, 3], (True, 4)], [[1, 2], [0.5, 3], [1, 4]]),
        (np.array([[1, Fraction(1, 2)]], dtype=object), [[1, 0.5]]),
        (np.array([1.5, 2.0], dtype=">f8"), [1.5, 2]),
        (np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), [[1, 2], [3, 4]]),
        (np.arange(12.0).reshape(3, 4)[::2, ::-2], [[3, 1], [11, 9]]),
        (np.array([5e-324, 1.7e308]), [5e-324, 1.7e308]),
        (np.ma.masked_array([1.0, 2.0], mask=[False, False]), [1, 2]),
        (np.array([2**60, -(2**63)]), [2.0**60, -(2.0**63)]),
        (np.array([2**63], dtype=np.uint64), [2.0**63]),
        (memoryview(np.array([1.5, 2.5])), [1.5, 2.5]),
        (Listed([[1, 2]]), [[1, 2]]),
        ([[], []], [[], []]),
        (3, 3),
    ],
)
def test_every_form_of_the_same_numbers(given: Any, expected: Any) -> None:
    found = binary64(given, "X")
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    assert found.shape == np.shape(expected)
    assert np.array_equal(found, np.array(expected, dtype=np.float64))
    assert not np.signbit(found[found == 0]).any()
    assert numbers_of(exact(given, "X")) == numbers_of(np.array(expected, dtype=np.float64))


def test_a_result_is_a_copy() -> None:
    source = np.array([1.0, 2.0])
    found = binary64(source, "X")
    source[0] = 7
    assert found.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">f4", "f2", "i1", "u1", ">i4", "i8", ">u8", "?"])
def test_every_dtype_is_read_exactly(dtype):
    values = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    found = binary64(values, "X")
    assert found.dtype == np.float64 and found.dtype.isnative
    assert found.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    assert binary64(np.array([2**60, -(2**60)]), "i").tolist() == [2.0**60, -(2.0**60)]
    assert binary64(np.float32([0.1]), "f")[0] == float(np.float32(0.1))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_arrays_of_integers_are_exact_or_refused(values):
    exact = all(int(float(value)) == value for value in values)
    try:
        assert [int(x) for x in binary64(np.array(values, dtype=np.int64), "x")] == values
        assert exact
    except DataError:
        assert not exact


mixed = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(BIG - 4, BIG + 4),
    st.floats(allow_nan=False, allow_infinity=False),
    st.fractions(max_denominator=2**9),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(np.float32),
)


@given(rows=st.lists(st.lists(mixed, min_size=2, max_size=2), min_size=1, max_size=4))
def test_numbers_are_exact_or_refused(rows: list[list[Any]]) -> None:
    """The oracle is `fractions.Fraction`; an entry that binary64 does not hold is named."""
    values = [Fraction(float(x) if isinstance(x, np.float32) else x) for row in rows for x in row]
    assert [Fraction(x) for x in exact(rows, "X").ravel().tolist()] == values
    lost = []
    for k, value in enumerate(values):
        try:
            lost += [] if Fraction(float(value)) == value else [k]
        except OverflowError:
            lost.append(k)
    if not lost:
        assert [Fraction(x) for x in binary64(rows, "X").ravel().tolist()] == values
        return
    with pytest.raises(DataError) as caught:
        binary64(rows, "X")
    assert f"entry ({lost[0] // 2}, {lost[0] % 2}) is " in str(caught.value)


def beside(shape: tuple[int, ...]) -> Any:
    """A list of floats with one integer that binary64 does not hold."""
    values = np.full(shape, 0.5).astype(object)
    values[(0,) * len(shape)] = BIG + 1
    return values.tolist()


BAD: list[tuple[str, Callable[[tuple[int, ...]], Any], str]] = [
    ("complex", lambda s: np.ones(s) + 1j, "complex128"),
    ("masked", lambda s: np.ma.masked_array(np.ones(s), mask=np.ones(s, dtype=bool)), "masked"),
    ("text", lambda s: np.full(s, "1"), "not real numbers"),
    ("bytes", lambda s: np.full(s, b"1"), "not real numbers"),
    ("timedelta", lambda s: np.ones(s, dtype="m8[s]"), "timedelta64"),
    ("datetime", lambda s: np.ones(s, dtype="M8[s]"), "datetime64"),
    ("struct", lambda s: np.ones(s, dtype=[("a", "f8")]), "not real numbers"),
    ("None", lambda s: np.full(s, None), "missing"),
    ("nan", lambda s: np.full(s, np.nan), "nan"),
    ("inf", lambda s: np.full(s, -np.inf), "-inf"),
    ("third", lambda s: np.full(s, Fraction(1, 3)), "1/3"),
    ("longdouble", lambda s: np.full(s, 1 / np.longdouble(3)), "0.333333333"),
    ("Decimal", lambda s: np.full(s, Decimal("0.1")), "1/10"),
    ("huge", lambda s: np.full(s, 10**400), "not exactly a binary64"),
    ("int64", lambda s: np.full(s, BIG + 1), str(BIG + 1)),
    ("uint64", lambda s: np.full(s, 2**64 - 1, dtype=np.uint64), str(2**64 - 1)),
    ("mixed list", lambda s: beside(s), str(BIG + 1)),
    ("set", lambda s: {1.0, 2.0}, "no order"),
    ("dict", lambda s: {0: 1.0}, "mapping"),
    ("generator", lambda s: (x for x in (1.0, 2.0)), "only once"),
    ("object", lambda s: object(), "not a number"),
    ("text itself", lambda s: "12", "text"),
    ("ragged", lambda s: [[1.0, 2.0], [3.0]], "ragged"),
    ("sparse", lambda s: scipy.sparse.csr_array(np.eye(2)), "toarray()"),
    ("object arrays", lambda s: [[np.eye(2), 1.0]], "ragged"),
]

EXACT_HOLDERS = {
    "ExactArray.of_floats",
    "float_logits",
    "float_loss V",
    "prove_path V",
    "curvature V",
    "certified_ball V",
}
"""These hold integers and fractions beyond binary64."""

ENTRIES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "verify X": ((3, 2), lambda a: vf.verify(a, LABELS, NETWORK)),
    "verify u": ((12,), lambda a: vf.verify(X, LABELS, NETWORK, u=a)),
    "verify u by name": (
        (4, 2),
        lambda a: vf.verify(X, LABELS, NETWORK, u={"layer0.weight": a, "layer0.bias": [0, 0, 0, 0]}),
    ),
    "verify v": ((4, 2), lambda a: vf.verify(X, LABELS, NETWORK, v=a)),
    "dataset_from_arrays": ((3, 2), lambda a: vf.dataset_from_arrays(a, None)),
    "Dataset": ((3, 2), lambda a: vf.Dataset("d", a, None, 2)),
    "MatrixEnclosure": ((3, 2), lambda a: vf.MatrixEnclosure(vf.numpy_backend(), a)),
    "radii": ((2,), lambda a: vf.MatrixEnclosure(vf.numpy_backend(), np.eye(2), a)),
    "ExactArray.of_floats": ((3, 2), vf.ExactArray.of_floats),
    "FeatureEnclosure u": ((12,), lambda a: vf.FeatureEnclosure(NETWORK, a, X, 64)),
    "FeatureEnclosure": ((3, 2), lambda a: vf.FeatureEnclosure(NETWORK, U, a, 64)),
    "FloatEnclosure": ((3, 2), lambda a: vf.FloatEnclosure(NETWORK, U, a, vf.numpy_backend())),
    "float_logits": ((4, 2), lambda a: vf.float_logits(FLOATS, a)),
    "float_loss V": ((4, 2), lambda a: vf.float_loss(FLOATS, a, LABELS, COUNTS)),
    "prove_path V": ((4, 2), lambda a: vf.prove_path(vf.prove_zero_loss(FEATURES, LABELS, 2), a, LABELS, COUNTS)),
    "curvature V": ((4, 2), lambda a: vf.prove_curvature(FEATURES, a, LABELS, COUNTS)),
    "certified_ball": ((3, 2), lambda a: vf.certified_ball(NETWORK, U, a, V, vf.Dyadic(1, 0))),
    "certified_ball u": ((12,), lambda a: vf.certified_ball(NETWORK, a, X, V, vf.Dyadic(1, 0))),
    "certified_ball V": ((4, 2), lambda a: vf.certified_ball(NETWORK, U, X, a, vf.Dyadic(1, 0))),
    "full_rank_radius": ((3, 2), lambda a: vf.full_rank_radius(NETWORK, a, vf.Dyadic(1, 0))),
    "random_witness": ((3, 2), lambda a: vf.random_witness(NETWORK, a)),
    "structural_bound": ((3, 2), lambda a: vf.structural_bound_every_u(NETWORK, a)),
    "gateway": ((3, 2), lambda a: vf.prove_gateway(NETWORK, a)),
    "gateway start": ((12,), lambda a: vf.prove_gateway(NETWORK, X, a)),
    "full_rank_fraction": ((3, 2), lambda a: vf.full_rank_fraction(NETWORK, a, [0])),
    "line u0": ((12,), lambda a: vf.sigma_along_line(NETWORK, X, a, U, [0.0])),
    "line direction": ((12,), lambda a: vf.sigma_along_line(NETWORK, X, U, a, [0.0])),
    "line times": ((2,), lambda a: vf.sigma_along_line(NETWORK, X, U, U, a)),
    "escape u": ((12,), lambda a: vf.prove_escape(NETWORK, a, np.zeros((4, 2)), X, LABELS, COUNTS, order=())),
    "escape v": ((4, 2), lambda a: vf.prove_escape(NETWORK, U, a, X, LABELS, COUNTS, order=())),
    "escape inputs": ((3, 2), lambda a: vf.prove_escape(NETWORK, U, np.zeros((4, 2)), a, LABELS, COUNTS, order=())),
    "jacobian u": ((12,), lambda a: vf.prove_jacobian_rank(NETWORK, a, V.approx(), X)),
    "jacobian v": ((4, 2), lambda a: vf.prove_jacobian_rank(NETWORK, U, a, X)),
    "jacobian inputs": ((3, 2), lambda a: vf.prove_jacobian_rank(NETWORK, U, V.approx(), a)),
    "interpolant u": ((12,), lambda a: vf.prove_interpolant(NETWORK, a, V.approx(), X, np.zeros((3, 2)))),
    "interpolant v": ((4, 2), lambda a: vf.prove_interpolant(NETWORK, U, a, X, np.zeros((3, 2)))),
    "interpolant inputs": ((3, 2), lambda a: vf.prove_interpolant(NETWORK, U, V.approx(), a, np.zeros((3, 2)))),
    "interpolant targets": ((3, 2), lambda a: vf.prove_interpolant(NETWORK, U, V.approx(), X, a)),
    "builder": ((12,), lambda a: vf.CertificateBuilder(vf.dataset_from_arrays(X, LABELS), NETWORK, a)),
    "certify_inverse64": ((2, 2), lambda a: vf.certify_inverse64(vf.MatrixEnclosure(vf.numpy_backend(), np.eye(2)), a)),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_no_array_of_numbers_is_refused_everywhere(entry: str) -> None:
    shape, call = ENTRIES[entry]
    # a text is the name of a data set; U by names, or array by array; an untrusted witness need not be finite
    taken = {
        "verify X": {"text itself"},
        "verify u": {"dict", "ragged", "object arrays"},  # a list of lists is the list of its arrays
        "certify_inverse64": {"nan", "inf"},
    }.get(entry, set())
    if entry in EXACT_HOLDERS:
        taken = {"longdouble", "huge", "int64", "uint64", "mixed list"}
    refused = 0
    for name, make, says in BAD:
        if name in taken:
            continue
        with warnings.catch_warnings(), pytest.raises(vf.VerifierError) as caught:
            warnings.simplefilter("error")
            call(make(shape))
        said = str(caught.value)
        assert says in said or (name == "third" and "no dyadic" in said), (name, said)
        assert "\n" not in said
        refused += 1
    assert refused >= 20


@pytest.mark.parametrize("entry", one_in(3, ENTRIES))
def test_the_same_numbers_in_other_forms_are_taken_everywhere(entry: str) -> None:
    shape, call = ENTRIES[entry]
    value = np.ones(shape)
    for form in (value.tolist(), value.astype(np.float16), value.astype(int), value.astype(object), Listed(value)):
        call(form)


def test_samples_are_held_in_their_own_type() -> None:
    assert vf.SampleSource("s", np.array([[BIG + 1]])).row(0) == [BIG + 1]
    assert vf.SampleSource("s", [[BIG + 1]]).row(0) == [BIG + 1]
    assert vf.SampleSource("s", [[1, 0.5]]).row(0) == [1, 0.5]
    for bad in ([[Fraction(1, 3)]], np.ma.masked_array([[1]], mask=[[1]]), [[None]], scipy.sparse.eye_array(2)):
        with pytest.raises(DataError, match="samples"):
            vf.SampleSource("s", bad)


@pytest.mark.parametrize("bad", [[0, 1], [0, 1, 2], [0, -1, 0], [0.0, 1.0, 0.0], ["a", "b", "a"], [0, None, 1]])
def test_labels_of_the_pieces_are_0_to_m_1(bad: Any) -> None:
    """A label -1 meant the last class."""
    for call in (
        lambda y: vf.prove_zero_loss(FEATURES, y, 2),
        lambda y: vf.float_loss(FLOATS, V, y, COUNTS),
        lambda y: vf.prove_curvature(FEATURES, V, y, COUNTS),
        lambda y: vf.prove_not_stationary(FEATURES, 1.0, V, y, COUNTS),
        lambda y: vf.prove_loss_path(FEATURES, "squared", V, y, COUNTS),
        lambda y: vf.prove_escape(NETWORK, U, np.zeros((4, 2)), X, y, COUNTS),
    ):
        with pytest.raises(vf.VerifierError, match="label"):
            call(bad)


@pytest.mark.parametrize("bad", [[1, 1], [1, 0, 1], [1, 1, 1.5], [1, -1, 1], None, {1, 2, 3}])
def test_multiplicities_are_positive_integers(bad: Any) -> None:
    with pytest.raises(DataError, match="multiplicities"):
        vf.prove_curvature(FEATURES, V, LABELS, bad)


def test_integers() -> None:
    assert integers([True, 2, np.uint8(3)], "k").tolist() == [1, 2, 3]
    for bad in ([1.0], [2**63], np.array([2**64 - 1], dtype=np.uint64), [Fraction(1, 2)], ["1"]):
        with pytest.raises(DataError, match="k"):
            integers(bad, "k")


def test_a_table_of_another_library_is_taken_column_by_column() -> None:
    """polars and Arrow are known by their methods; their own conversion rounds integers beside floats."""

    class Column:
        def __init__(self, name: str, values: list[Any]) -> None:
            self.name, self.values = name, values

        def to_list(self) -> list[Any]:
            return self.values

    class Frame:
        columns = ("id", "x")

        def __init__(self, ids: list[Any]) -> None:
            self.ids = ids

        def get_columns(self) -> list[Column]:
            return [Column("id", self.ids), Column("x", [0.5, 1.5])]

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.array([self.ids, [0.5, 1.5]], dtype=float).T

    assert binary64(Frame([1, 2]), "X").tolist() == [[1, 0.5], [2, 1.5]]
    with pytest.raises(DataError, match=f"column 'id', row 1 is {BIG + 1}, not exactly"):
        binary64(Frame([BIG, BIG + 1]), "X")
    with pytest.raises(DataError, match="column 'id', row 0 is None, a missing value"):
        binary64(Frame([None, 1]), "X")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: vf.certify_gram(np.eye(2)), "source: a ndarray is no enclosure; give MatrixEnclosure"),
        (lambda: vf.certify_inverse64([[1.0]], [[1.0]]), "source: a list is no enclosure"),
        (lambda: vf.prove_rank(np.eye(2)), "use matrix(A)"),
        (lambda: vf.singular_values(np.eye(2)), "use matrix(A)"),
        (lambda: vf.group_duplicates(X), "dataset_from_arrays"),
        (lambda: vf.check_assumption(NETWORK, X), "dataset_from_arrays"),
        (lambda: vf.prove_witness(NETWORK, X), "SampleSource"),
        (lambda: vf.full_rank_fraction(NETWORK, X, [0.5]), "seeds"),
        (lambda: vf.full_rank_fraction(NETWORK, X, 3), "seeds: shape ()"),
        (lambda: vf.initialise(NETWORK, "cloned", units=1.5), "units = 1.5 must be an integer"),
        (lambda: vf.Dataset("d", X, None, 2, shape=(2.0,)), "shape: dtype float64 is not integers"),
        (lambda: vf.float_logits(FLOATS, np.ones((4, 1))), "a head with one logit"),
        (lambda: vf.matrix_singular_values(np.eye(2) * 1j), "matrix: dtype complex128"),
        (lambda: vf.full_rank_radius(NETWORK, X, float("nan")), "sigma_lower"),
        (lambda: vf.prove_loss_path(FEATURES, "squared", V, LABELS, COUNTS, class_weights=[1, 1j]), "class_weights"),
    ],
)
def test_an_array_where_something_else_is_needed_is_refused_in_one_line(call: Any, says: str) -> None:
    with pytest.raises(vf.InputError) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="longdouble is binary64 here")
def test_a_longdouble_above_1_is_shown_as_a_decimal_not_as_a_fraction() -> None:
    with pytest.raises(vf.VerifierError, match=r"entry \(0, 0\) is 1\.00000000000000000087, not exactly a binary64"):
        vf.verify(np.full((3, 2), 1 + np.longdouble(2) ** -60), LABELS, NETWORK)
