"""The canary passes honest binary64 arithmetic and refuses every other kind that was thought of."""

import math
import mmap
import platform
import shutil
import subprocess
import sys
import textwrap
from fractions import Fraction

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.balls.binary64 import exact_products, rounding
from verifier.balls.binary64.backend import EMULATION, Backend, numpy_backend
from verifier.balls.binary64.canary import PROBE, CanaryReport, canary

SHAPES = [(1, 1, 1), (1, 9, 1), (5, 1, 7), (1, 2, 3), (64, 127, 33), (17, 300, 2)]
ODD = (65, 129, 33)
STRICT = Backend(array_api_strict, "array-api-strict")


def faked(product, shapes=(ODD,)):
    return canary(Backend(np, "numpy", product=product), shapes)


def only_at(shape, product):
    """A product that goes wrong at one shape only, so that the checks at fixed shapes see nothing."""
    return lambda a, b: product(a, b) if (*a.shape, b.shape[1]) == shape else a @ b


# Honest arithmetic


@pytest.mark.parametrize("backend", [numpy_backend(), numpy_backend(1), STRICT], ids=["numpy", "one thread", "strict"])
def test_honest_backends_pass_and_keep_their_record(backend):
    report = canary(backend, SHAPES)
    assert report.failure == ""
    assert report.passed
    assert not backend.shapes
    assert backend.flops == 0
    assert [name for name in report.checks if name.startswith("product ")] == [
        "product 64x127x33",
        "product 17x300x2",
        "product 5x1x7",
        "product 1x1x1",
        "product 1x9x1",
        "product 1x2x3",
    ]
    assert ("threads" in report.checks) == (backend.threads > 1)


def test_the_record_is_one_line():
    report = canary(Backend(np, "numpy"), [(2, 3, 4), (2, 3, 4), (0, 3, 4)])
    assert report.shapes == ((2, 3, 4),)
    assert report.describe() == (
        "canary passed: environment, rounding, division, sqrt, subnormals, subnormal products, layouts, "
        f"products 2x3x4 (numpy {np.__version__})"
    )
    assert all("/" not in pool and "\\" not in pool for pool in report.pools)
    assert CanaryReport(False, ("sqrt",), "sqrt: wrong", "numpy 2").describe() == "canary failed: sqrt: wrong (numpy 2)"


def test_every_shape_is_tested_and_the_largest_are_listed():
    report = canary(Backend(np, "numpy"), [(m, 3, 2) for m in range(1, 16)])
    assert report.shapes == tuple((m, 3, 2) for m in range(15, 0, -1))
    assert report.products == 15
    assert "15x3x2 " in report.describe() and "4x3x2, 3 smaller shapes" in report.describe()
    assert not faked(only_at((1, 3, 2), last_bit), [(m, 3, 2) for m in range(1, 16)]).passed


def test_no_shapes_and_wrong_shapes():
    assert canary(Backend(np, "numpy"), []).passed
    with pytest.raises(ValueError, match="negative"):
        canary(Backend(np, "numpy"), [(1, -1, 2)])


def longdouble(a, b):
    return (a.astype(np.longdouble) @ b.astype(np.longdouble)).astype(float)


def backwards(a, b):
    return np.ascontiguousarray(a[:, ::-1]) @ np.ascontiguousarray(b[::-1])


def by_halves(a, b):
    k = a.shape[1] // 2
    return a[:, :k] @ b[:k] + a[:, k:] @ b[k:]


def one_by_one(a, b):
    total = np.zeros((a.shape[0], b.shape[1]))
    for k in range(a.shape[1]):
        total += a[:, k, None] * b[None, k]
    return total


@pytest.mark.parametrize("product", [longdouble, backwards, by_halves, one_by_one])
def test_any_order_and_better_arithmetic_pass(product):
    assert faked(product, [ODD, (1, 1, 1), (3, 2, 1)]).failure == ""


# The products


def strassen(a, b):
    (m, k), n = a.shape, b.shape[1]
    a = np.pad(a, ((0, m % 2), (0, k % 2)))
    b = np.pad(b, ((0, k % 2), (0, n % 2)))
    i, q, j = a.shape[0] // 2, a.shape[1] // 2, b.shape[1] // 2
    a11, a12, a21, a22 = a[:i, :q], a[:i, q:], a[i:, :q], a[i:, q:]
    b11, b12, b21, b22 = b[:q, :j], b[:q, j:], b[q:, :j], b[q:, j:]
    m1, m2, m3 = (a11 + a22) @ (b11 + b22), (a21 + a22) @ b11, a11 @ (b12 - b22)
    m4, m5 = a22 @ (b21 - b11), (a11 + a12) @ b22
    m6, m7 = (a21 - a11) @ (b11 + b12), (a12 - a22) @ (b21 + b22)
    return np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])[:m, :n]


def winograd_inner(a, b):
    """Inner products by half the multiplications (Winograd 1968), a recombination like 3M."""
    even = a.shape[1] // 2 * 2
    x, y, z, w = a[:, 0:even:2], a[:, 1:even:2], b[0:even:2], b[1:even:2]
    mixed = np.einsum("ikj,ikj->ij", x[:, :, None] + w[None], y[:, :, None] + z[None])
    return mixed - (x * y).sum(1)[:, None] - (z * w).sum(0)[None] + a[:, even:] @ b[even:]


def shifted(a, b):
    """A large term added and cancelled again."""
    return (a + 1.0) @ b - np.ones_like(a) @ b


def single(a, b):
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(float)


def scaled_single(a, b):
    """Single precision with rows, columns and the inner index scaled into its range."""
    inner = 2.0 ** np.round(np.log2(np.abs(a).max(0)))
    a, b = a / inner, b * inner[:, None]
    left, right = 2.0 ** np.round(np.log2(np.abs(a).max(1))), 2.0 ** np.round(np.log2(np.abs(b).max(0)))
    return single(a / left[:, None], b / right) * left[:, None] * right


def cut(values, bits):
    mask = np.uint64((1 << 64) - (1 << (52 - bits)))
    return (np.ascontiguousarray(values).view(np.uint64) & mask).view(float)


def tf32(a, b):
    return cut(a, 10) @ cut(b, 10)


def three_bfloats(a, b):
    return cut(a, 23) @ cut(b, 23)


def short_accumulator(a, b):
    return cut(a @ b, 46)


def forty_nine_bits(a, b):
    return cut(a @ b, 48)


def fixed_point(a, b):
    """One common exponent per matrix, 52-bit integers."""
    x, y = np.abs(a).max(), np.abs(b).max()
    x, y = (math.ldexp(1.0, min(1000, 52 - math.frexp(size)[1])) for size in (x, y))
    return (np.rint(a * x) / x) @ (np.rint(b * y) / y)


def ozaki(a, b):
    """One exponent per row of A and column of B, 55-bit integers, then an exact product."""
    x = np.ldexp(1.0, 55 - np.frexp(np.abs(a).max(1))[1])[:, None]
    y = np.ldexp(1.0, 55 - np.frexp(np.abs(b).max(0))[1])
    return longdouble(np.rint(a * x) / x, np.rint(b * y) / y)


def last_bit(a, b):
    c = a @ b
    i, j = c.shape[0] - 1, c.shape[1] // 2
    c[i, j] = np.nextafter(c[i, j], np.inf)
    return c


def last_term_lost(a, b):
    return a[:, :-1] @ b[:-1]


def not_a_number(a, b):
    c = a @ b
    c[0, -1] = np.nan
    return c


WRONG = [
    strassen,
    winograd_inner,
    shifted,
    single,
    scaled_single,
    tf32,
    three_bfloats,
    short_accumulator,
    forty_nine_bits,
    fixed_point,
    ozaki,
    last_bit,
    last_term_lost,
    not_a_number,
]


@pytest.mark.parametrize("product", WRONG)
def test_other_products_are_refused(product):
    report = faked(product)
    assert not report.passed
    assert report.failure.startswith(report.checks[-1])
    assert "product" in report.failure
    assert report.describe().startswith("canary failed: ")
    assert "\n" not in report.describe()


@pytest.mark.parametrize("product", WRONG)
@pytest.mark.parametrize("shape", [ODD, (64, 96, 80)])
def test_a_product_wrong_at_one_shape_only_is_refused_there(product, shape):
    report = faked(only_at(shape, product), [(3, 4, 5), shape])
    assert report.checks[-1] == "product " + "x".join(map(str, shape))
    assert "expected" in report.failure
    assert "got" in report.failure
    assert "use another BLAS" in report.failure
    assert faked(only_at(shape, product), [(3, 4, 5)]).passed


def test_short_results_are_refused_at_every_inner_length():
    for k in (1, 2, 6, 10, 16, 40, 64, 100):
        shape = 9, k, 6
        assert not faked(only_at(shape, forty_nine_bits), [shape]).passed, k


@pytest.mark.parametrize("spread", [0, 20])
def test_fixed_point_of_small_spans_is_refused_too(spread):
    """An emulation that falls back to true FP64 for wide spans of exponents must not hide behind the wide ones."""

    def product(a, b):
        exponents = np.frexp(a)[1]
        wide = np.ptp(exponents, axis=1).max() > 200 or exponents.min() < -500
        return a @ b if wide else (ozaki(a, b) if spread else short_accumulator(a, b))

    assert faked(product, [ODD]).checks[-1] == "layouts"


def test_a_wrong_transposed_or_symmetric_path_is_refused():
    def transposed(a, b):
        return last_bit(a, b) if not b.flags.c_contiguous else a @ b

    def symmetric(a, b):
        return last_bit(a, b) if np.shares_memory(a, b) else a @ b

    assert faked(transposed).checks[-1] == "layouts"
    assert faked(symmetric).checks[-1] == "layouts"


def test_flushed_results_and_operands_are_refused():
    def flush(x):
        return np.where(np.abs(x) < 2.0**-1022, 0.0, x)

    for product in (lambda a, b: flush(a @ b), lambda a, b: flush(a) @ flush(b)):
        report = faked(product)
        assert report.checks[-1] == "subnormal products"
        assert "flush-to-zero" in report.failure


def test_the_result_must_be_float64_of_the_right_shape():
    for product in (lambda a, b: (a @ b).astype(np.longdouble), lambda a, b: (a @ b)[:-1]):
        assert "expected float64 of shape" in faked(product).failure
        assert "expected float64 of shape" in faked(only_at(ODD, product)).failure


@pytest.mark.parametrize("name", EMULATION)
def test_emulation_switches_are_refused(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert canary(STRICT, []).failure == (
        f"environment: expected {name} unset or 0, got '1': emulated products are not certified; unset it"
    )
    monkeypatch.setenv(name, "0")
    assert canary(STRICT, []).passed


@pytest.mark.parametrize(
    ("shape", "spread", "symmetric"),
    [(s, spread, False) for s in [*SHAPES, PROBE] for spread in (0, 20, 400)] + [((9, 31, 9), 0, True)],
)
def test_the_problem_is_exact_in_any_order_and_needs_its_bits(shape, spread, symmetric):
    m, k, n = shape
    problem = exact_products.Problem.of(k, spread, symmetric)
    (u, d), (w, f) = problem._side(m, 1), problem._side(n, 2)
    left, right = u.astype(object) @ problem.g, problem.h.astype(object) @ w.T
    assert left.all() and right.all()
    assert ((left @ right) % 2).all()
    assert (np.abs(left) @ np.abs(right)).max() < 2**53
    assert abs(left @ right).min() > 2**49

    def exact(values):
        return [[Fraction(float(x)) for x in row] for row in values]

    a, b = exact(problem.left(m)[:4]), exact(problem.right(n)[:, :4].T)
    for i, row in enumerate(a):
        for j, column in enumerate(b):
            product = sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0))
            scale = Fraction(2) ** int(d[i] + f[j])
            assert product == int((left[i] * right[:, j]).sum()) * scale
    if symmetric:
        assert (problem.right(n) == problem.left(m).T).all()


# The arithmetic


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (Fraction(1, 3), "0x1.5555555555555p-2"),
        (Fraction(-1, 10), "-0x1.999999999999ap-4"),
        (1 + Fraction(1, 2**53), "0x1.0000000000000p+0"),
        (1 + Fraction(3, 2**53), "0x1.0000000000002p+0"),
        (1 + Fraction(1, 2**53) + Fraction(1, 2**78), "0x1.0000000000001p+0"),
        (2 - Fraction(1, 2**60), "0x1.0000000000000p+1"),
        (Fraction(1, 2**1023), "0x0.8000000000000p-1022"),
        (Fraction(3, 2**1075), "0x0.0000000000002p-1022"),
        (Fraction(1, 2**1022) - Fraction(1, 2**1080), "0x1.0000000000000p-1022"),
    ],
)
def test_rounding_in_integers(value, rounded):
    assert rounding.show(rounding.rounded(value)) == rounded
    assert float(value) == float.fromhex(rounded)


@pytest.mark.parametrize(("value", "root"), [(2, "0x1.6a09e667f3bcdp+0"), (3, "0x1.bb67ae8584caap+0"), (4, "0x1p+1")])
def test_roots_in_integers(value, root):
    assert rounding.value_of(rounding.rounded_root(Fraction(value))) == Fraction(float.fromhex(root))


@given(st.fractions(), st.integers(-1074, 900))
def test_rounding_agrees_with_python(value, exponent):
    value *= Fraction(2) ** exponent
    if abs(value) < 2**1000:
        assert rounding.show(rounding.rounded(value)) == rounding.show(int(np.float64(float(value)).view(np.uint64)))


@given(st.floats(allow_nan=False, allow_infinity=False).filter(bool))
def test_bits_and_numbers(number):
    bits = int(np.float64(number).view(np.uint64))
    assert rounding.value_of(bits) == Fraction(number)
    assert rounding.rounded(Fraction(number)) == bits
    assert float.fromhex(rounding.show(bits)) == number


def test_numbers_that_are_not_finite_are_shown():
    shown = [rounding.show(int(np.float64(x).view(np.uint64))) for x in (math.inf, -math.inf, math.nan, -0.0)]
    assert shown == ["inf", "-inf", "nan", "-0"]


class _Wrong:
    """A number library whose roots, or whatever ``wrong`` says, are off."""

    def __init__(self, wrong):
        self.wrong = wrong

    def __getattr__(self, name):
        return getattr(np, name)

    def sqrt(self, x):
        return self.wrong(np.sqrt(x))


def test_a_root_one_bit_off_is_refused():
    report = canary(Backend(_Wrong(lambda x: np.nextafter(x, np.inf)), "other"), [])
    assert report.failure.startswith("sqrt: sqrt(0x1.0000000000000p+1) in other: expected 0x1.6a09e667f3bcdp+0, got ")


def test_threads_that_flush_are_refused():
    class Flushing(Backend):
        def map(self, function, values):
            result = function(values)
            return np.where(np.abs(result) < 2.0**-1022, 0.0, result)

    report = canary(Flushing(np, "numpy", threads=2), [])
    assert report.checks[-1] == "threads"
    assert "flush-to-zero" in report.failure


# The processor's modes, set by a library


on_x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64") or sys.platform == "win32",
    reason="sets the MXCSR register of x86-64 processors",
)

PROBE_PROCESS = """
import ctypes, sys
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.canary import canary
print(canary(numpy_backend(2), [(20, 30, 40)]).describe())
ctypes.CDLL(sys.argv[1])
print(canary(numpy_backend(2), [(20, 30, 40)]).describe())
"""


@on_x86
@pytest.mark.parametrize(("bits", "check"), [("0x8040", "subnormals"), ("0x4000", "rounding")])
def test_a_library_that_changes_the_mode_is_refused(tmp_path, bits, check):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler; the modes are also set by machine code below")
    source, library = tmp_path / "mode.c", tmp_path / "mode.so"
    source.write_text(
        textwrap.dedent(f"""
        __attribute__((constructor)) static void set(void) {{
            unsigned mode;
            __asm__ volatile("stmxcsr %0" : "=m"(mode));
            mode |= {bits}u;
            __asm__ volatile("ldmxcsr %0" : : "m"(mode));
        }}
        """)
    )
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    before, after = run_python(PROBE_PROCESS, library)
    assert before.startswith("canary passed")
    assert after.startswith(f"canary failed: {check}: ")
    assert "do not load it" in after


MACHINE_CODE = """
import ctypes, mmap, sys
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.canary import canary
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# mov dword [rsp-8], edi; ldmxcsr [rsp-8]; ret
page.write(bytes.fromhex("897c24f8" "0fae5424f8" "c3"))
mode = ctypes.CFUNCTYPE(None, ctypes.c_uint)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
for bits in sys.argv[1:]:
    mode(0x1F80 | int(bits, 16))
    report = canary(numpy_backend(2), [(20, 30, 40)])
    mode(0x1F80)
    print(report.describe())
"""


@on_x86
def test_every_mode_of_the_processor_is_refused():
    try:
        mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except OSError:
        pytest.skip("no executable memory on this system")
    modes = {"0": "", "8000": "subnormals", "40": "subnormals", "8040": "subnormals"}
    modes |= {"2000": "rounding", "4000": "rounding", "6000": "rounding"}
    for check, line in zip(modes.values(), run_python(MACHINE_CODE, *modes), strict=True):
        assert line.startswith(f"canary failed: {check}: " if check else "canary passed")


def run_python(program, *arguments):
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()
