"""vf.matrix: ranks, singular values and signs of eigenvalues against planted truth; files digit by digit."""

from __future__ import annotations

import gzip
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import sympy
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import verifier as vf
from verifier.cli import app
from verifier.data.matrix_files import parsed, read_matrix
from verifier.rank import definite
from verifier.rank import matrix as module

BIG = 2**53


def exactly(a: Any) -> sympy.Matrix:
    rows = np.array(a, dtype=object)
    return sympy.Matrix(rows.shape[0], rows.shape[1], [sympy.Rational(Fraction(x)) for x in rows.ravel()])


entry = st.one_of(
    st.integers(-3, 3), st.integers(BIG - 1, BIG + 1), st.fractions(max_denominator=9), st.sampled_from([0.5, 0.1])
)


@given(st.data())
def test_the_rank_is_exact(data: st.DataObject) -> None:
    """Planted: a product through an inner dimension; the oracle is sympy's rank."""
    n, m, inner = (data.draw(st.integers(1, 4)) for _ in range(3))
    left = data.draw(st.lists(st.lists(entry, min_size=inner, max_size=inner), min_size=n, max_size=n))
    right = data.draw(st.lists(st.lists(entry, min_size=m, max_size=m), min_size=inner, max_size=inner))
    product = [
        [sum((Fraction(a) * Fraction(b[j]) for a, b in zip(row, right, strict=True)), Fraction(0)) for j in range(m)]
        for row in left
    ]
    rank = exactly(product).rank()
    found = vf.matrix(product, digits=None)
    assert found.rank == rank <= inner
    assert found.verdict is (vf.Verdict.PROVED if rank == min(n, m) else vf.Verdict.REFUTED)
    assert found.proved == (rank == min(n, m))
    if found.verdict is vf.Verdict.REFUTED:
        assert f"the exact rank is {rank} <" in found.reason


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 3))
def test_signs_of_eigenvalues(seed: int, n: int, lost: int) -> None:
    """Planted: L D L^T with a unit lower triangular L has the signs of D (Sylvester)."""
    rng = np.random.default_rng(seed)
    d = rng.integers(-2, 3, n)
    d[: min(lost, n)] = 0
    lower = np.tril(rng.integers(-3, 4, (n, n)), -1) + np.eye(n, dtype=int)
    a = lower @ np.diag(d) @ lower.T
    counts = (int((d > 0).sum()), int((d == 0).sum()), int((d < 0).sum()))
    found = vf.matrix(a, digits=None)
    assert found.is_symmetric
    assert found.definite is not None
    assert (found.definite.positive, found.definite.zero, found.definite.negative) == counts
    with pytest.MonkeyPatch.context() as patch:  # the way of larger matrices
        patch.setattr(definite, "EXACT_WORK", 0)
        large = vf.matrix(a, digits=None).definite
    assert large is not None
    assert large.verdict is not vf.Verdict.REFUTED
    if large.positive is not None:
        assert (large.positive, large.zero, large.negative) == counts
    kinds = {(1, 0, 0): "positive definite", (0, 0, 1): "negative definite", (1, 1, 0): "positive semidefinite"}
    kinds |= {(0, 1, 1): "negative semidefinite", (0, 1, 0): "zero", (1, 0, 1): "indefinite", (1, 1, 1): "indefinite"}
    wanted = kinds[tuple(int(count > 0) for count in counts)]
    assert found.definite.kind == wanted
    assert large.kind in (wanted, "undecided")


def test_the_way_of_larger_matrices_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    tall = rng.integers(-9, 10, (12, 5))
    monkeypatch.setattr(definite, "EXACT_WORK", 0)
    for d, kind in (
        ([1] * 5, "positive semidefinite"),
        ([1, 1, -1, -1, 1], "indefinite"),
        ([-1] * 5, "negative semidefinite"),
    ):
        found = vf.matrix(tall @ np.diag(d) @ tall.T, digits=None).definite
        assert found is not None
        assert (found.kind, found.zero) == (kind, 7)
    nearly = np.diag([1.0, 1e-30, -1e-30])  # far below what one sees in floating point beside 1
    found = vf.matrix(nearly, digits=None).definite
    assert found is not None
    assert (found.positive, found.zero, found.negative) == (2, 0, 1)
    monkeypatch.setattr(definite, "MAX_SIZE", 0)
    found = vf.matrix(nearly, digits=None).definite
    assert found is not None
    assert (found.verdict, found.kind) == (vf.Verdict.UNDECIDED, "undecided")


def test_the_signs_are_not_guessed_where_the_balls_do_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong eigenvectors: nothing is proved, or what is true."""
    monkeypatch.setattr(definite, "EXACT_WORK", 0)
    wrong = lambda floats: (np.array([1.0, 1.0]), np.array([[1.0, 1.0], [1.0, 1.0]]))  # noqa: E731
    monkeypatch.setattr(definite, "_approx_eigenvectors", wrong)
    found = vf.matrix([[1, 0], [0, -2]], digits=None).definite
    assert found is not None
    assert found.kind in ("undecided", "indefinite")
    monkeypatch.setattr(
        definite, "_approx_eigenvectors", lambda floats: (np.ones(2), np.array([[1.0, 0.1], [0.0, 1.0]]))
    )
    found = vf.matrix([[1, 0], [0, -2]], digits=None).definite
    assert found is not None
    assert found.kind == "indefinite"


@pytest.mark.parametrize("digits", [1, 15, 40])
def test_all_singular_values_are_enclosed(digits: int) -> None:
    """Of matrices with rational entries whose denominator is no power of two, too: sigma(A) = sigma(D A) / D."""
    for a in (
        [[Fraction(1, i + j + 1) for j in range(4)] for i in range(4)],
        [[Fraction(1, 3), Fraction(2, 7)], [Fraction(2, 3), Fraction(4, 7)], [1, Fraction(6, 7)]],
        [[0.1, 0.2, 5e-324]],
        [[BIG + 1, BIG], [1, 1]],
    ):
        found = vf.matrix(a, digits)
        assert found.values is not None
        assert found.values.verdict is vf.Verdict.PROVED
        with mpmath.workdps(2 * digits + 60):
            table = [[mpmath.mpf(Fraction(x).numerator) / Fraction(x).denominator for x in row] for row in a]
            truth = sorted(mpmath.svd_r(mpmath.matrix(table), compute_uv=False), reverse=True)
            for (low, high), sigma in zip(found.singular_values, truth, strict=True):
                assert low - Fraction(1, 10**40) <= Fraction(str(sigma)) <= high + Fraction(1, 10**40)
                assert (high - low) * 10**digits <= low or low == high == 0
    zero = vf.matrix(np.zeros((2, 3)))
    assert zero.rank == 0
    assert zero.singular_values == ((0, 0), (0, 0))


def test_what_it_takes() -> None:
    sparse = scipy.sparse.random(5, 5, 0.5, random_state=0)
    dense = vf.matrix(sparse.toarray(), 5)
    for form in (
        sparse,
        scipy.sparse.csr_array(sparse),
        sparse.tolil(),
        sparse.toarray().tolist(),
        np.asfortranarray(sparse.toarray()),
    ):
        found = vf.matrix(form, 5)
        assert (found.rank, found.singular_values) == (dense.rank, dense.singular_values)
    assert "sparse matrix made dense" in vf.matrix(sparse, None).numbers
    held = vf.ExactArray.of_floats([[2**70 + 1, 0.5]])
    assert vf.matrix(held).singular_values == vf.matrix([[2**70 + 1, 0.5]]).singular_values
    singular = np.array([[BIG + 1, BIG, 1], [1, 1, 0], [1, 0, 1]])  # rounded to binary64 it is not
    assert vf.matrix(singular, None).rank == 2
    assert vf.matrix(singular.astype(float), None).rank == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([1, 2], "A.reshape(1, -1)"),
        (np.zeros((0, 3)), "at least one row"),
        (np.zeros((2, 2, 2)), "expected (N, M)"),
        (3, "expected (N, M)"),
        ([[1, np.nan]], "A: entry (0, 1) is nan"),
        (np.array([[1, 1j]]), "complex128"),
        (scipy.sparse.csr_array(np.eye(2) * 1j), "complex128"),
        (np.ma.masked_array([[1.0]], mask=[[True]]), "masked"),
        ([["1"]], "text"),
        ({(0, 0): 1}, "mapping"),
        (scipy.sparse.csr_array((10**6, 10**6)), "certify_gram"),
        (None, "missing"),
        ("none.npy", "cannot read"),
        ("none.pkl", "must end in"),
    ],
)
def test_what_it_refuses(given: Any, says: str) -> None:
    with pytest.raises(vf.InputError) as caught:
        vf.matrix(given)
    assert says in str(caught.value)
    for digits in (0, -1, 1001, 2.0, True, "5"):
        with pytest.raises(vf.InputError, match="digits"):
            vf.matrix([[1]], digits)


def test_an_exact_rank_that_would_take_too_long_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_SECONDS", 0.0)
    found = vf.matrix([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert found.verdict is vf.Verdict.UNDECIDED
    assert (found.rank, found.rank_at_least, found.rank_at_most) == (None, 2, 3)
    assert found.singular_values[2][0] == 0
    prime = 2**61 - 1
    monkeypatch.undo()
    assert vf.matrix([[prime, 0], [0, 1]], None).rank == 2  # modulo the prime it is 1


def test_it_says_everything() -> None:
    found = vf.matrix([[2, 1], [1, 2]])
    text = str(found)
    for part in ("2 x 2 matrix", "full rank", "sigma_1 = 3.0000", "condition number", "symmetric, positive definite"):
        assert part in text
    assert "A matrix of your own" in found._repr_html_()
    assert "yes, positive definite" in repr(found)
    with pytest.raises(TypeError, match=r"ask \.proved"):
        bool(found)
    assert "... (8 more)" in str(vf.matrix(np.eye(20), 3))


# --- files -----------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**30), 10**30), st.integers(-40, 40), st.sampled_from(["e", "E", "d"]))
def test_decimals_are_read_exactly(mantissa: int, exponent: int, letter: str) -> None:
    assert parsed(f"{mantissa}{letter}{exponent}") == Fraction(mantissa) * Fraction(10) ** exponent
    text = f"{mantissa // 10**7}.{mantissa % 10**7:07d}"
    assert mantissa < 0 or parsed(text) == Fraction(mantissa, 10**7)


def test_what_is_no_number() -> None:
    for text in ("", ".", "-", "nan", "inf", "1e", "1_0", "0x1", "1,5", "e5", "1/0", "1e9999999", "1e6000", "٣", "1 2"):
        assert parsed(text) is None, text
    assert [parsed(t) for t in ("+.5", "1.", "-0", "1/3", "007")] == [Fraction(1, 2), 1, 0, Fraction(1, 3), 7]
    assert parsed("1" + "0" * 4990) == 10**4990
    assert parsed("1" + "0" * 4400 + "/10") == 10**4399  # beyond the digits that int takes of a text


def written(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


HEAD = "%%MatrixMarket matrix "


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "1,0.1\n-2e-3,4\n", [[1, "0.1"], ["-0.002", 4]]),
        ("a.csv", "x,y\n1,2\n", [[1, 2]]),
        ("a.csv", "1;0,5\n2;1\n", [[1, "0.5"], [2, 1]]),
        ("a.tsv", "1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("a.txt", "# comment\n1  2\n\n3 1/3\n", [[1, 2], [3, "1/3"]]),
        ("a.csv", "\ufeff1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a.csv", "1,2\n".encode("utf-16"), [[1, 2]]),
        (
            "a.mtx",
            HEAD + "coordinate real general\n% c\n2 3 2\n1 1 0.1\n2 3 9007199254740993\n",
            [["0.1", 0, 0], [0, 0, BIG + 1]],
        ),
        (
            "a.mtx",
            HEAD + "coordinate integer symmetric\n2 2 2\n1 1 5\n2 1 36893488147419103233\n",
            [[5, 2**65 + 1], [2**65 + 1, 0]],
        ),
        ("a.mtx", HEAD + "coordinate pattern general\n2 2 1\n2 1\n", [[0, 0], [1, 0]]),
        ("a.mtx", HEAD + "coordinate real skew-symmetric\n2 2 1\n2 1 3\n", [[0, -3], [3, 0]]),
        ("a.mtx", HEAD + "array real general\n2 2\n1\n2\n3\n4\n", [[1, 3], [2, 4]]),
        ("a.mtx", HEAD + "array integer symmetric\n2 2\n1\n2\n3\n", [[1, 2], [2, 3]]),
        ("a.mtx.gz", gzip.compress((HEAD + "array real general\n1 1\n7\n").encode(), mtime=0), [[7]]),
    ],
)
def test_files_are_read_exactly(tmp_path: Path, name: str, text: str | bytes, expected: list[list[Any]]) -> None:
    read = read_matrix(written(tmp_path, name, text))
    flat = [Fraction(x) for row in expected for x in row]
    assert read.shape == (len(expected), len(expected[0]))
    assert [Fraction(x) for x in read.entries] == flat


def test_npy_and_what_scipy_writes(tmp_path: Path) -> None:
    for array in (
        np.array([[BIG + 1, 2]]),
        np.array([[0.1, 5e-324]], dtype=">f8"),
        np.asfortranarray([[1, 2], [3, 4]]),
    ):
        np.save(tmp_path / "a.npy", array)
        read = read_matrix(tmp_path / "a.npy")
        assert read.shape == array.shape
        assert [Fraction(x) for x in read.entries] == [Fraction(x) for x in array.ravel().tolist()]
    sparse = scipy.sparse.random(6, 4, 0.4, random_state=1)
    scipy.io.mmwrite(tmp_path / "s.mtx", sparse, precision=17)
    read = read_matrix(tmp_path / "s.mtx")
    assert np.array_equal(np.array([float(x) for x in read.entries]).reshape(6, 4), sparse.toarray())


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "1,2\n3\n", "line 2 has 1 numbers, line 1 has 2"),
        ("a.csv", "1,2\n3,x\n", "line 2, column 2: 'x' is not a finite real number"),
        ("a.csv", "1,nan\n", "'nan'"),
        ("a.csv", "1,2\n3,,4\n", "3 numbers"),
        ("a.csv", ",a,b\n0,1,2\n", "seems to number the rows"),
        ("a.csv", "1;0,5\n2;1.5\n", "commas and points"),
        ("a.csv", "", "no lines"),
        ("a.mtx", "1 2\n", "the first line must be like"),
        ("a.mtx", HEAD + "coordinate complex general\n1 1 1\n1 1 1 0\n", "complex numbers"),
        ("a.mtx", HEAD + "array complex hermitian\n1 1\n1 0\n", "complex numbers"),
        ("a.mtx", HEAD + "coordinate real general\n2 2 2\n1 1 1\n", "1 entries, 2 are declared"),
        ("a.mtx", HEAD + "coordinate real general\n2 2 1\n3 1 1\n", "(3, 1) is outside"),
        ("a.mtx", HEAD + "coordinate real general\n2 2 2\n1 1 1\n1 1 1\n", "there twice"),
        ("a.mtx", HEAD + "coordinate real symmetric\n2 2 1\n1 2 1\n", "not below the diagonal"),
        ("a.mtx", HEAD + "coordinate real symmetric\n2 3 1\n2 1 1\n", "must be square"),
        ("a.mtx", HEAD + "array real general\n2 2\n1\n2\n3\n", "3 entries, 4 are expected"),
        ("a.mtx", HEAD + "coordinate real general\n9999999 9999999 0\n", "more than"),
        ("a.mtx", HEAD + "coordinate real general\n1 1 1\n1 1 0x1\n", "'0x1' is not"),
        ("a.mtx", HEAD + "vector real general\n1\n", "no layout"),
        ("a.npy", b"\x93NUMPY", "not a sound .npy"),
        ("a.csv.gz", b"", "must end in"),
        ("a.mtx.gz", b"1234", "gzip"),
        ("a.mtx.gz", gzip.compress(b"x" * 100, mtime=0)[:20], "Compressed file ended before"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str, text: str | bytes, says: str) -> None:
    with pytest.raises(vf.InputError) as caught:
        vf.matrix(written(tmp_path, name, text))
    assert says in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([[1, None]], dtype=object), allow_pickle=True)
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    for file, says in ((tmp_path / "o.npy", "pickle"), (written(tmp_path, "v.npy", stream.getvalue()), "shape (3,)")):
        with pytest.raises(vf.InputError) as caught:
            vf.matrix(file)
        assert says in str(caught.value)
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(vf.InputError, match="is a folder"):
        vf.matrix(tmp_path / "folder.npy")


@pytest.mark.parametrize(
    ("text", "code", "rank"), [("2,1\n1,2\n", 0, 2), ("0.1,0.2\n0.3,0.6\n", 1, 1), ("1,x\n", 2, None)]
)
def test_the_command(tmp_path: Path, text: str, code: int, rank: int | None) -> None:
    file = str(written(tmp_path, "a.csv", text))
    answer = CliRunner().invoke(app, ["matrix", file, "--json", "--digits", "5"])
    if code == 2:
        assert isinstance(answer.exception, vf.InputError)  # main() makes it one line and exit code 2
        return
    assert answer.exit_code == code
    document = json.loads(answer.stdout)
    assert document["rank"] == rank
    assert document["file"] == "a.csv"
    assert len(document["singular_values"]["lower"]) == 2
    plain = CliRunner().invoke(app, ["matrix", file, "--digits", "0"])
    assert plain.exit_code == code
    assert "full rank" in plain.stdout
    assert "sigma_1" not in plain.stdout
    assert "decimals exactly as written" in plain.stdout


def test_the_command_without_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_SECONDS", 0.0)
    answer = CliRunner().invoke(app, ["matrix", str(written(tmp_path, "a.csv", "1,2,3\n4,5,6\n7,8,9\n"))])
    assert answer.exit_code == 3
    assert "UNDECIDED" in answer.stdout


@pytest.mark.parametrize(
    "first",
    ["nan,nan", "inf,-inf", "NA,NA", "?,?", "1e6000,2e6000", "1/0,1/0", "1+2j,3+1j", "1_0,1_1", "0x10,0x11", "$1,1%"],
)
def test_a_first_line_of_unusable_numbers_is_no_header(first: str, tmp_path: Path) -> None:
    """Taken for names, it would be left out, and what is said would be about another matrix."""
    file = tmp_path / "m.csv"
    file.write_text(f"{first}\n1,2\n3,4\n", encoding="utf-8")
    with pytest.raises(vf.errors.DataError, match="line 1"):
        vf.matrix(file)
    file.write_text("a,x1\n1,2\n3,4\n", encoding="utf-8")
    assert vf.matrix(file, digits=None).rank == 2


@pytest.mark.parametrize("make", [scipy.sparse.coo_array, scipy.sparse.coo_matrix])
@pytest.mark.parametrize("convert", ["tocoo", "tocsr_as_stored"])
def test_sparse_numbers_for_one_entry_are_not_added_with_rounding(make: Any, convert: str) -> None:
    """2^53 + 1 - 2^53 is 1, and 100 + 100 is 200: SciPy makes 0 and, in eight bits, -56 of them."""
    places = ([0, 0, 0, 1], [0, 0, 0, 1])
    for values in (np.array([2.0**53, 1.0, -(2.0**53), 1.0]), np.array([100, 50, 50, 1], dtype=np.int8)):
        a = make((values, places), shape=(2, 2))
        if convert == "tocsr_as_stored":
            a = scipy.sparse.csr_array((values, places[1], [0, 3, 4]), shape=(2, 2))
        with pytest.raises(vf.errors.DataError, match="several numbers for one entry"):
            vf.matrix(a)
        a.sum_duplicates()
        assert vf.matrix(a, digits=None).rows == 2
