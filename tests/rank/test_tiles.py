"""R2 from tiles on disk: planted truth, any midpoints within the radii, kills, torn and altered tiles."""

from __future__ import annotations

import math
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st
from planted import fraction, seeds, smallest_singular_value

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.binary64.products import Products
from verifier.errors import InputError
from verifier.rank import cholesky, gram_matrix
from verifier.rank.tiles import folder as tile_folder
from verifier.rank.tiles import tasks, tiled_gram
from verifier.rank.tiles.bound import factor_of, frobenius, gram_of
from verifier.rank.tiles.folder import GramNumbers, TileFolder, TileRecord, write_tile
from verifier.rank.tiles.gram_tile import gram_tile
from verifier.rank.tiles.layout import Layout, layout, task_bytes
from verifier.rank.tiles.tasks import Maker, Task, standing, tasks_of
from verifier.verdict import Verdict

BACKEND = numpy_backend(1)
ULP = 2.0**-53


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    """Without what takes longer than a tile here: tests of the whole arithmetic (products are tested), the disk."""
    monkeypatch.setattr(tasks, "require", require_products)
    monkeypatch.setattr(tile_folder.os, "fsync", lambda handle: None)


def cut_of(shape, block, per, width=3):
    return Layout(gram_matrix.plan(*shape, block=block, width=width), per)


def maker(path, a, cut, radii=None, backend=BACKEND, owner=""):
    folder = TileFolder(path, owner)
    return Maker(folder, cut, lambda rows: MatrixEnclosure(backend, a[rows], radii), backend, Products())


def proved(path, a, cut, *, tight=False, **options):
    return tiled_gram.TiledGram(maker(path, a, cut, **options))(tight=tight)


def empty(path: Path) -> Path:
    """The folder without its files."""
    for file in path.iterdir():
        file.unlink()
    return path


def worst_product(a, b):
    return (a @ b) * (1.0 + 2 * ULP * (a.shape[1] // 2))


def hadamard(order):
    h = np.ones((1, 1))
    while len(h) < order:
        h = np.kron(h, np.array([[1.0, 1.0], [1.0, -1.0]]))
    return h


@pytest.mark.parametrize(("block", "per"), [(12, 1), (5, 1), (3, 2), (1, 4)])
@pytest.mark.parametrize("scale", [2.0**-60, 2.0**60])
def test_planted_singular_values(tmp_path, block, per, scale):
    """Rows of a Hadamard matrix times 1..N: the smallest singular value is sqrt(M), exactly."""
    a = scale * np.arange(1.0, 13)[:, None] * hadamard(16)[:12]
    first = proved(tmp_path, a, cut_of(a.shape, block, per))
    second = proved(tmp_path, a, cut_of(a.shape, block, per), tight=True)
    assert 0 < first.sigma_lower <= 4 * scale and abs(first.estimate - 4 * scale) < 0.1 * scale
    assert 3.6 * scale <= second.sigma_lower <= 4 * scale


@seeds(8)
def test_singular_matrices_are_never_certified(rng, tmp_path_factory):
    n = int(rng.integers(1, 8))
    m, rank, scale = n + int(rng.integers(0, 5)), int(rng.integers(0, n)), 2.0 ** int(rng.integers(-300, 300))
    a = (rng.integers(-9, 10, (n, rank)) @ rng.integers(-9, 10, (rank, m))).astype(float) * scale
    cut = cut_of(a.shape, int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    for tight in (False, True):
        assert proved(tmp_path_factory.mktemp("work"), a, cut, tight=tight).verdict is not Verdict.PROVED


@seeds(8)
def test_bounds_are_below_the_truth(rng, tmp_path_factory):
    """Random matrices over many scales, nearly dependent rows, square ones and single rows among them."""
    n = int(rng.integers(1, 7))
    a = rng.standard_normal((n, n + int(rng.integers(0, 4)))) * 10.0 ** rng.integers(-60, 60)
    if n > 1 and rng.integers(2):
        a[-1] = a[0] + a[-1] * 10.0 ** -float(rng.integers(1, 9))
    cut = cut_of(a.shape, int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    for tight in (False, True):
        found = proved(tmp_path_factory.mktemp("work"), a, cut, tight=tight)
        assert found.sigma_lower <= smallest_singular_value(a.tolist())


class Moving:
    """Rows of Psi whose midpoints are other ones, at the ends of the radii, in every task."""

    def __init__(self, psi, radii, rng):
        self.psi, self.radii, self.rng = psi, radii, rng
        self.used = []

    def __call__(self, rows):
        sign = self.rng.choice([-1.0, 1.0], self.psi[rows].shape)
        self.used.append(self.psi[rows] + sign * self.radii)
        return MatrixEnclosure(BACKEND, self.used[-1], self.radii)


def rational(matrix):
    return np.array([[Fraction(v) for v in row] for row in np.asarray(matrix).tolist()], dtype=object)


def norm_exceeds(matrix, bound):
    """Whether the Frobenius norm of exact numbers is above a bound."""
    return sum(v * v for v in matrix.ravel()) > bound * bound


@seeds(6)
def test_tiles_bound_what_separates_them_from_the_exact_features(rng):
    """Radii and midpoints are dyadic, so that Psi, the midpoints and their products are exact numbers."""
    n, m, scale = int(rng.integers(2, 6)), int(rng.integers(1, 7)), 2.0 ** int(rng.integers(-200, 200))
    psi, radii = scale * rng.integers(-64, 65, (n, m)), scale * 2.0 ** -rng.integers(0, 30, m).astype(float)
    cut, half = cut_of((n, max(m, n)), 1, 1), n // 2
    source = Moving(psi, radii, rng)
    for i, j in ((slice(half, n), slice(0, half)), (slice(0, n), None)):
        left, right = source(i), None if j is None else source(j)
        made = gram_tile(left, right, cut, Products())
        exact = rational(psi[i]) @ rational(psi[i if j is None else j]).T
        middle = rational(source.used[-1 if j is None else -2]) @ rational(source.used[-1]).T
        values = rational(np.tril(made.values) + np.tril(made.values, -1).T if j is None else made.values)
        assert not norm_exceeds(values - middle, Fraction(made.numbers.rounding))
        assert not norm_exceeds(exact - middle, Fraction(made.numbers.moved))
        assert not norm_exceeds(values, Fraction(made.numbers.size))
        assert made.numbers.moved <= 3 * math.sqrt(n * n * m) * 64 * scale * float(np.linalg.norm(radii)) + 1e-250


@seeds(4)
def test_gram_tiles_cover_any_rounding(rng):
    """With products rounded as badly as allowed, each tile is still within the stated error."""
    n, m = int(rng.integers(2, 5)), 64
    a = np.repeat(rng.integers(1, 8, (1, m)).astype(float), n, axis=0)
    worst = Backend(np, "numpy", worst_product)
    for width in (m, 32):
        cut, rows = cut_of((n, m), 1, 1, width), MatrixEnclosure(worst, a)
        for others in (None, MatrixEnclosure(worst, a)):
            made = gram_tile(rows, others, cut, Products())
            values = np.tril(made.values) + np.tril(made.values, -1).T if others is None else made.values
            assert not norm_exceeds(rational(values) - rational(a) @ rational(a).T, Fraction(made.numbers.rounding))


@pytest.mark.parametrize("share", [0.25, 0.875, 1.0])
def test_radii_are_counted_whichever_midpoints_the_tasks_had(tmp_path, share):
    """Hadamard matrix, only the constant column uncertain: sigma_N falls by exactly the norm of the radii."""
    a, radii = hadamard(4), np.array([share, 0.0, 0.0, 0.0])
    for block in (4, 1):
        found = proved(empty(tmp_path), a, cut_of(a.shape, block, 1), radii=radii, tight=True)
        assert found.sigma_lower <= 2 * (1 - min(share, 1.0))
        assert found.proved == (share < 0.9)
    moving = Moving(a * 2.0**20, 2.0**-20 * radii, np.random.default_rng(5))
    work = Maker(TileFolder(empty(tmp_path)), cut_of(a.shape, 1, 1), moving, BACKEND, Products())
    found = tiled_gram.TiledGram(work)(tight=True)
    assert found.enclosure < 1e-300 < found.gram_error  # there is no one A
    assert 0.9 * 2**21 < found.sigma_lower <= 2**21
    h = matrix_of(work, standing(work.folder, work.cut), None)
    h += np.tril(h, -1).T
    assert np.linalg.norm(h - 2.0**40 * a @ a.T) <= found.gram_error


def test_norms_of_tiles_join_to_the_norm_of_the_matrix():
    assert fraction(frobenius([(True, arb(3)), (False, arb(4)), (True, arb(0))]).upper()) ** 2 >= 9 + 32
    assert not frobenius([(True, arb("nan"))]).is_finite()


@seeds(8)
def test_residual_of_any_factor(rng, tmp_path_factory):
    """H - cI - C C^T is bounded whatever C is, for exact and for sloppy solves."""

    class Sloppy(Backend):
        def right_solve_transposed(self, b, lower):
            return 0.25 * super().right_solve_transposed(b, lower)

    n = int(rng.integers(2, 7))
    a = rng.standard_normal((n, n + 3))
    for kind in (Backend, Sloppy):
        cut = cut_of(a.shape, int(rng.integers(1, 4)), int(rng.integers(1, 3)))
        work = maker(tmp_path_factory.mktemp("work"), a, cut, backend=kind(BACKEND.xp, "numpy"))
        shift = 2.0**-10
        try:
            for task in [*tasks_of(cut), *tasks_of(cut, shift)]:
                work.folder.put(task.name, work.write(task))
        except tiled_gram.Breakdown:
            continue
        known = standing(work.folder, cut, shift)
        h, c = matrix_of(work, known, None), matrix_of(work, known, shift)
        gram = gram_of(cut, known, work.record)
        found = float(factor_of(cut, known, gram, shift).residual.upper())
        truth = np.linalg.norm(np.tril(h) + np.tril(h, -1).T - shift * np.eye(n) - c @ c.T, 2)
        assert truth <= found * (1 + 1e-9) + 1e-15 and (np.triu(c, 1) == 0.0).all()
        assert kind is Sloppy or found < 1e-11


def test_residual_covers_any_rounding(tmp_path, monkeypatch):
    """Products and factors are wrong as badly as allowed: the computed residual is about zero, the true one is not."""

    class Worst(Backend):
        def cholesky(self, matrix):
            return np.linalg.cholesky(matrix) * (1 - 0.5 * ULP * len(matrix))

    monkeypatch.setattr(tasks, "require", lambda record: None)  # it sees that these products are not rounded to nearest
    n, shift = 64, 2.0**-40
    h = np.full((n, n), 3.0) + 2.0**-30 * np.eye(n)
    cut, worst = cut_of((n, n), n, 1), Worst(np, "numpy", worst_product)
    work = maker(tmp_path, h, cut, backend=worst)
    numbers = GramNumbers(rounding=0.0, moved=0.0, size=float(np.trace(h)), errors=(0.0, 0.0), midpoints=("", ""))
    work.folder.put(
        "gram_0_0",
        lambda stream: write_tile(
            stream, [[h]], lambda panels: TileRecord("gram_0_0", "", (0, 0), panels, {}, numbers)
        ),
    )
    work.folder.put(Task(0, 0, shift).name, work.write(Task(0, 0, shift)))
    known = standing(work.folder, cut, shift)
    c = rational(matrix_of(work, known, shift))
    ones = rational(h).sum() - n * Fraction(shift) - sum(v * v for v in c.sum(axis=0))
    assert abs(ones) / n <= fraction(factor_of(cut, known, gram_of(cut, known, Products()), shift).residual.upper())


def matrix_of(work, known, shift):
    """The lower triangle of all blocks of the Gram matrix or of a factor."""
    cut = work.cut
    out = np.zeros((cut.sizes.samples,) * 2)
    for task in tasks_of(cut, shift):
        for k in cut.members(task.k):
            for i, block in work.column(known[task.name], task, k).items():
                out[cut.edges[i], cut.edges[k]] = block
    return out


def test_the_factor_is_that_of_the_matrix_in_memory(tmp_path):
    """The same kernels in the same order: the same bits, whatever the tiles."""
    a = np.random.default_rng(0).standard_normal((13, 20))
    source = MatrixEnclosure(BACKEND, a)
    for per in (1, 2, 7):
        cut = cut_of(a.shape, 2, per, 20)
        work = maker(empty(tmp_path), a, cut)
        for task in [*tasks_of(cut), *tasks_of(cut, 0.125)]:
            work.folder.put(task.name, work.write(task))
        found = matrix_of(work, standing(work.folder, cut, 0.125), 0.125)
        whole = gram_matrix.accumulate(source, cut.sizes)
        factor = cholesky.cholesky_residual(BACKEND, whole, 0.125)
        assert not isinstance(factor, str)
        for (i, k), block in factor.blocks.items():
            assert np.abs(found[cut.edges[i], cut.edges[k]] - block).max() < 1e-13


def test_overflow_is_a_reason(tmp_path):
    found = proved(tmp_path, 1e200 * np.eye(3), cut_of((3, 3), 1, 1))
    assert found.verdict is Verdict.UNDECIDED and "overflows" in found.reason


def test_odd_shapes(tmp_path):
    assert proved(tmp_path, np.array([[3.0]]), cut_of((1, 1), 1, 1), tight=True).sigma_lower > 2.7
    assert proved(empty(tmp_path), np.ones((3, 2)), cut_of((3, 2), 1, 1)).verdict is Verdict.REFUTED
    tiny = proved(empty(tmp_path), np.eye(3) * 2.0**-400, cut_of((3, 3), 1, 1))
    assert tiny.sigma_lower <= 2.0**-400


A = np.random.default_rng(1).standard_normal((11, 17))
CUT = cut_of(A.shape, 2, 2)


@cache
def made_once():
    """What is proved of A from tiles, and the files that are then there."""
    with tempfile.TemporaryDirectory() as folder:
        found = proved(Path(folder), A, CUT)
        return found, {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def proved_before(path):
    """Return what was proved of A in a folder where its tiles are."""
    found, files = made_once()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return found


class Killed(BaseException):
    """The process is gone."""


def test_a_kill_at_any_moment_loses_the_tile_in_work_alone(tmp_path, monkeypatch):
    """Killed while each file in turn is written: what is there is not made again, and the end is the same."""
    whole = proved(tmp_path, A, CUT, tight=True)
    empty(tmp_path)
    made, real = [], tile_folder.whole_file

    def dies(target, write):
        made.append(target.name)

        def half(stream):
            stream.write(b"half a file")
            raise Killed

        with monkeypatch.context() as context:  # what cleans up after an error is not there either
            context.setattr(tile_folder.Path, "unlink", lambda self, missing_ok=False: None)
            return real(target, half)

    runs = 0
    while True:
        runs += 1
        files = sorted(path.name for path in tmp_path.glob("*.tile"))
        count = [0]

        def once(target, write, count=count):
            count[0] += 1
            return dies(target, write) if count[0] == 2 else real(target, write)

        monkeypatch.setattr(tile_folder, "whole_file", once)
        monkeypatch.setattr(tiled_gram, "whole_file", once)
        try:
            found = proved(tmp_path, A, CUT, tight=True)
            break
        except Killed:
            gone = set(files) - {path.name for path in tmp_path.glob("*.tile")}
            assert all(name.startswith("factor") for name in gone)  # of a shift that is done with
            TileFolder(tmp_path).clean()
    assert found == whole and runs > 10
    assert len(made) == len(set(made)) + 1  # each file once; "outcomes" twice, for two shifts


@pytest.mark.parametrize("name", ["gram_1_0", "factor_{}_0_0", "factor_{}_2_1"])
@pytest.mark.parametrize("what", ["a number", "the record", "the end", "everything", "another tile"])
def test_what_is_torn_or_altered_is_made_again(tmp_path, name, what):
    whole, (_, files) = proved_before(tmp_path), made_once()
    (tmp_path / tiled_gram.OUTCOMES).unlink()  # else nothing need be read
    for factor in tmp_path.glob("factor*") if name.startswith("gram") else ():
        factor.unlink()
    file = tmp_path / f"{name.format(whole.shift.hex())}.tile"
    content = bytearray(file.read_bytes())
    size = CUT.tile_bytes(*map(int, file.stem.split("_")[-2:]))
    if what == "a number":
        content[size // 2] ^= 1
    elif what == "the record":
        word = b"rounding" if name.startswith("gram") else b"residual"
        content[content.index(word, size) + len(word) + len("d") + 4] ^= 1  # in the middle of a float64
    elif what == "another tile":
        content = bytearray(files["gram_0_0.tile"])
    file.write_bytes(content[:-1] if what == "the end" else b"" if what == "everything" else content)
    assert proved(tmp_path, A, CUT) == whole
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_a_factor_does_not_outlive_the_tiles_it_was_made_from(tmp_path):
    """A tile of the Gram matrix that is another one now: what was made from the old one counts no more."""
    found = proved_before(tmp_path)
    other = maker(tmp_path, 2.0 * A, CUT)
    other.folder.put("gram_1_0", other.write(Task(1, 0)))
    left = standing(other.folder, CUT, found.shift).keys()
    shift = found.shift.hex()
    assert f"factor_{shift}_0_0" in left and f"factor_{shift}_1_0" not in left and f"factor_{shift}_2_1" not in left
    assert tiled_gram.TiledGram(other)().sigma_lower <= 2 * found.sigma_lower


def test_tiles_of_another_owner_do_not_count(tmp_path):
    """Of another problem or another layout, in a folder that was left behind or moved."""
    found = proved_before(tmp_path)
    assert len(standing(TileFolder(tmp_path), CUT, found.shift)) == 12
    assert standing(TileFolder(tmp_path, "other"), CUT, found.shift) == {}
    other = maker(tmp_path, 4.0 * A, CUT, owner="other")
    assert tiled_gram.TiledGram(other)().sigma_lower == 4 * found.sigma_lower


def test_a_factor_of_tiles_that_are_gone_again_does_not_count(tmp_path, monkeypatch):
    """Equal rows; while they are factored, and no longer, their product's tile is that of orthogonal ones."""
    cut, equal = cut_of((2, 3), 1, 1), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    own, other = maker(tmp_path, equal, cut), maker(tmp_path, np.array([[1.0, 2.0, 3.0], [3.0, 0.0, -1.0]]), cut)
    real, task, swapped = Maker.write, Task(1, 0), []

    def write(self, work, progress=None):
        if work.shift is not None and not swapped:
            swapped.append(own.folder.file(task.name).read_bytes())
            own.folder.put(task.name, real(other, task))
        return real(self, work, progress)

    def back(*given):
        own.folder.file(task.name).write_bytes(swapped[0])
        return factor_of(*given)

    monkeypatch.setattr(Maker, "write", write)
    monkeypatch.setattr(tiled_gram, "factor_of", back)
    assert tiled_gram.TiledGram(own)().verdict is Verdict.UNDECIDED and swapped


def test_altered_outcomes_are_not_trusted(tmp_path):
    whole = proved_before(tmp_path)
    file = tmp_path / tiled_gram.OUTCOMES
    content = bytearray(file.read_bytes())
    content[-20] ^= 64
    file.write_bytes(content)
    assert proved(tmp_path, A, CUT) == whole


def test_a_disk_that_loses_everything_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(TileFolder, "record", lambda self, name, size: None)
    with pytest.raises(InputError, match="torn again and again"):
        proved(tmp_path, A, CUT)


def test_a_wrong_product_is_refused(tmp_path):
    def wrong(a, b):
        found = a @ b
        found[0, 0] *= 1.5
        return found

    found = proved(tmp_path, A, CUT, backend=Backend(BACKEND.xp, "numpy", wrong))
    assert found.verdict is Verdict.UNDECIDED and "refused" in found.reason
    assert not list(tmp_path.glob("*.tile"))
    with pytest.raises(NotEnclosed):
        maker(tmp_path, A, CUT, backend=Backend(BACKEND.xp, "numpy", wrong)).write(Task(0, 0))


@given(n=st.integers(1, 100_000), extra=st.integers(0, 1000), gib=st.floats(0.05, 8.0))
def test_layouts_cover_the_matrix_and_fit(n, extra, gib):
    cut = layout(n, n + extra, int(gib * 2**30))
    edges, tiles = cut.edges, [cut.rows(i) for i in range(cut.tiles)]
    assert [e.start for e in edges] == [0, *(e.stop for e in edges[:-1])] and edges[-1].stop == n
    assert [t.start for t in tiles] == [0, *(t.stop for t in tiles[:-1])] and tiles[-1].stop == n
    assert cut.sizes.block <= 2048 and cut.sizes.width <= 2048
    largest = max(t.stop - t.start for t in tiles)
    assert cut.memory_bytes <= 1.2 * gib * 2**30 + task_bytes(8 * cut.per, cut.sizes.width) and largest <= 12288 + 48
    assert cut.disk_bytes >= 8 * n * (n + 1)


def test_too_little_memory_is_one_line():
    with pytest.raises(InputError, match=r"memory of 0\.0051 GiB: the smallest task takes .* GiB; allow more"):
        layout(60_000, 90_000, int(0.0051 * 2**30))
