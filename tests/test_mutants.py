"""Deliberately broken copies of the rigorous kernels: each must fail the named containment or planted-truth check.

A copy is the module's source with one piece of text replaced, run in memory and put in the module's place everywhere in
the package while the check runs. The same checks pass on the real kernels (they are the ordinary tests).
"""

from __future__ import annotations

import importlib
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import pytest
from checks import run_check

SEEDS = 12
"""A mutant has this many seeds to be caught; most need one."""

MUTANTS = [
    # balls/exact.py
    ("balls.exact", "Dyadic(m >> shift, e + shift)", "Dyadic((m >> shift) + 1, e + shift)", "rounding_is_outward"),
    ("balls.exact", "value.lower().man_exp()", "value.mid().man_exp()", "rounding_is_outward"),
    ("balls.exact", "math.nextafter(bound, -math.inf)", "bound", "rounding_is_outward"),
    ("balls.exact", "-lower_float(-value)", "lower_float(value)", "rounding_is_outward"),
    ("balls.exact", "exponent + position))", "exponent))", "integers_survive_their_limbs"),
    (
        "balls.exact",
        "[v >> LIMB_BITS for v in rest]",
        "[abs(v) >> LIMB_BITS for v in rest]",
        "integers_survive_their_limbs",
    ),
    ("balls.exact", "shift = exponent - common", "shift = 0", "integers_survive_their_limbs"),
    ("balls.exact", "arb((fmpz(v), fmpz(common)))", "arb(fmpz(v))", "integers_survive_their_limbs"),
    ("balls.exact", "exponent + low - 53", "exponent + low - 52", "floats_survive_their_compaction"),
    ("balls.exact", " and bool((scaled == np.trunc(scaled)).all())", "", "floats_survive_their_compaction"),
    (
        "balls.exact",
        "single if np.array_equal(single.astype(np.float64), values) else values",
        "single",
        "floats_survive_their_compaction",
    ),
    # balls/activation.py
    (
        "balls.activation",
        "function(z.lower()).union(function(z.upper()))",
        "function(z.mid())",
        "kernels_contain_their_values",
    ),
    ("balls.activation", "function(z.lower()).union(function(z.upper()))", "function(z)", "wide_images_stay_tight"),
    ("balls.activation", "exponential / (1 + exponential)", "exponential", "kernels_contain_their_values"),
    ("balls.activation", "return z + (-z).exp().log1p()", "return z + (-z).exp()", "kernels_contain_their_values"),
    ("balls.activation", "lambda z: (-z).erfc()", "lambda z: z.erfc()", "kernels_contain_their_values"),
    (
        "balls.activation",
        'arb.max if name == "max" else arb.min',
        'arb.min if name == "max" else arb.max',
        "kernels_contain_their_values",
    ),
    (
        "balls.activation",
        "value = value * factor(t)",
        "value = value * factor(t.mid())",
        "kernels_contain_their_values",
    ),
    (
        "balls.activation",
        "numerator(t) / denominator(t)",
        "numerator(t) / denominator(t).mid()",
        "kernels_contain_their_values",
    ),
    ("balls.activation", "low.union(high) if n % 2 else arb(0).union(high)", "low.union(high)", "powers_of_balls"),
    # balls/features.py
    ("balls.features", "kernel(z + b)", "kernel(z.mid() + b)", "features_contain_the_oracle"),
    ("balls.features", "kernel(z + b)", "kernel(z)", "features_contain_the_exact_values"),
    ("balls.features", "out.append(total / size)", "out.append(total)", "features_contain_the_exact_values"),
    (
        "balls.features",
        "product[(i * positions + p) * filters + f]",
        "product[(i * filters + f) * positions + p]",
        "features_contain_the_exact_values",
    ),
    (
        "balls.features",
        "for row in value.tolist() for u in units]",
        "for row in value.tolist() for u in range(len(units))]",
        "features_contain_the_exact_values",
    ),
    (
        "balls.features",
        "[b for b in bias for _ in range(positions)]",
        "[b for _ in range(positions) for b in bias]",
        "features_contain_the_exact_values",
    ),
    ("balls.features", "z[i, c * plane + j]", "z[i, j]", "features_contain_the_exact_values"),
    ("balls.features", "self.inputs[rows].ravel()", "self.inputs[:count].ravel()", "blocks_cover_all_samples"),
    ("model.layers", "base = sum(o * s * st", "base = sum(o * st + 0 * s", "windows"),
    # balls/margins.py
    ("balls.margins", "row[y] - row[k]", "row[k] - row[y]", "margins_contain_the_exact_ones"),
    ("balls.margins", "(m - (room - 1) * m.rad()).lower()", "m.lower()", "smallest_margin_counts_radii"),
    ("balls.margins", "_least([m.lower() for row", "_least([m.mid() for row", "smallest_margin_counts_radii"),
    ("balls.margins", "if value.is_nan():", "if False:", "smallest_margin_counts_radii"),
    ("balls.margins", "rows[w][block_rows.start + i]", "rows[w][i]", "blocks_cover_all_samples"),
    ("balls.margins", "factor * a - b", "factor * a + b", "scaled_margins"),
    # balls/loss.py
    (
        "balls.loss",
        "hull(_loss_at([m.upper() for m in margins]), _loss_at([m.lower() for m in margins]))",
        "_loss_at([m.mid() for m in margins])",
        "loss_contains_the_truth",
    ),
    ("balls.loss", "return total.log() - shift", "return total.log() + shift", "loss_contains_the_truth"),
    ("balls.loss", "total = shift.exp()", "total = arb(0)", "loss_contains_the_truth"),
    (
        "balls.loss",
        "_weight_at(high[k], [*low[:k], *low[k + 1 :]])",
        "_weight_at(high[k], [*high[:k], *high[k + 1 :]])",
        "softmax_weights",
    ),
    ("balls.loss", "total = 1 + own.exp()", "total = own.exp()", "softmax_weights"),
    (
        "balls.loss",
        "total += multiplicity * sample_loss(row)",
        "total += sample_loss(row)",
        "mean_loss_uses_multiplicities",
    ),
    (
        "balls.loss",
        "variance = (_one_minus(weights, margins)) * mean * mean",
        "variance = arb(0)",
        "derivatives_contain_difference_quotients",
    ),
    (
        "balls.loss",
        "first -= multiplicity * mean",
        "first += multiplicity * mean",
        "derivatives_contain_difference_quotients",
    ),
    (
        "balls.loss",
        "[x + t * b for x, b in zip(a, slope, strict=True)]",
        "[x + t.mid() * b for x, b in zip(a, slope, strict=True)]",
        "derivatives_contain_difference_quotients",
    ),
    # rank/right_inverse.py
    ("rank.right_inverse", " + residual.enclosure * ENCLOSURE_SLACK", "", "rank_bound_is_honest"),
    ("rank.right_inverse", " + residual.enclosure * ENCLOSURE_SLACK", "", "singular_features_are_never_certified"),
    ("rank.right_inverse", "round_down((1 - alpha.arb()) /", "round_down(1 /", "rank_bound_is_honest"),
    (
        "rank.right_inverse",
        "residual[i, rows.start + i] -= 1 << unit",
        "residual[i, i] -= 1 << unit",
        "residual_is_sharp",
    ),
    ("rank.right_inverse", "sums.add(residual)", "sums = integer_sums(residual)", "residual_bounds_the_norm"),
    (
        "rank.right_inverse",
        "scale = arb((fmpz(1), fmpz(-unit)))",
        "scale = arb((fmpz(1), fmpz(-unit - 4)))",
        "residual_bounds_the_norm",
    ),
    (
        "rank.right_inverse",
        "arb((fmpz(1), fmpz(-k))) * x_frobenius",
        "arb((fmpz(1), fmpz(-k)))",
        "enclosure_part_counts_every_block",
    ),
    (
        "rank.right_inverse",
        "deviation += block_deviation",
        "deviation = block_deviation",
        "enclosure_part_counts_every_block",
    ),
    ("rank.right_inverse", "total += gap * gap", "total += gap.mid() * gap.mid()", "integers_near_the_features"),
    (
        "rank.right_inverse",
        "for line in lines for z in line]) * arb((fmpz(1), fmpz(bits)))",
        "for line in lines for z in line]) * arb((fmpz(1), fmpz(bits - 1)))",
        "integers_near_the_features",
    ),
    ("rank.norms", "PIECE_BITS = 21", "PIECE_BITS = 32", "integer_sums_are_exact"),
    ("rank.norms", "(1 if i == j else 2)", "1", "integer_sums_are_exact"),
    (
        "rank.norms",
        "self.squares += _sum_of_squares(values)",
        "self.squares = _sum_of_squares(values)",
        "integer_sums_are_exact",
    ),
    (
        "rank.norms",
        "max(self.largest_row, int(values.sum(axis=1).max()))",
        "int(values.sum(axis=1).max())",
        "integer_sums_are_exact",
    ),
    (
        "rank.norms",
        "max(max(entries, default=0), -min(entries, default=0))",
        "max(entries, default=0)",
        "integer_sums_are_exact",
    ),
    ("rank.norms", "max(self.columns)", "min(self.columns)", "witness_norms"),
    ("rank.right_inverse", "for _ in range(products - 1):", "for _ in range(products):", "witness_norms"),
    ("rank.right_inverse", "(norm * scale).upper()", "norm.upper()", "witness_norms"),
    # rank/singular_values.py
    ("rank.singular_values", "((d[i] + eta * g[i]) / (1 - a))", "(d[i] / (1 - a))", "eigenvalue_bounds_at_the_edge"),
    ("rank.singular_values", "((d[i] - eta * g[i]) / (1 + a))", "(d[i] / (1 + a))", "eigenvalue_bounds_at_the_edge"),
    ("rank.singular_values", "eta * g[i]) / (1 - a))", "eta * g[i]) / (1 + a))", "eigenvalue_bounds"),
    ("rank.singular_values", "eta * g[i]) / (1 + a))", "eta * g[i]) / (1 - a))", "eigenvalue_bounds"),
    ("rank.singular_values", " + (s_rows[i][i] - 1) * (s_rows[i][i] - 1)", "", "eigenvalue_bounds"),
    ("rank.singular_values", "* weights[i] + own * own", "* weights[i]", "eigenvalue_bounds_at_the_edge"),
    ("rank.singular_values", "h = h - eta - a", "h = h + eta + a", "eigenvalue_bounds"),
    ("rank.singular_values", "(low - d[below]) / _largest(g[below], high)", "arb(1)", "eigenvalue_bounds"),
    ("rank.singular_values", "(d[above] - high) / _largest(g[above], high)", "arb(1)", "eigenvalue_bounds"),
    ("rank.singular_values", "(squares[i].sqrt() + ", "(", "eigenvalue_bounds"),
    ("rank.singular_values", " + (high * skew[i]).sqrt()) ** 2", ") ** 2", "eigenvalue_bounds_at_the_edge"),
    ("rank.singular_values", "((t_rows[i][i] - width) / s_rows[i][i])", "(t_rows[i][i] - width)", "eigenvalue_bounds"),
    ("rank.singular_values", "((t_rows[i][i] + width) / s_rows[i][i])", "(t_rows[i][i] + width)", "eigenvalue_bounds"),
    ("rank.singular_values", "rounded = b * arb(1)", "rounded = b.mid()", "eigenvalue_bounds"),
    (
        "rank.singular_values",
        "exact = [_sum_of_squares(row) for row in b.tolist()]",
        "exact = [_sum_of_squares(row) for row in b.mid().tolist()]",
        "eigenvalue_bounds",
    ),
    ("rank.singular_values", "key=lambda i: d[i], reverse=True", "key=lambda i: d[i]", "eigenvalue_bounds"),
    ("rank.singular_values", "pair if k < self.rank", "pair if k < self.rank - 1", "planted_singular_values"),
    ("rank.singular_values", "round_down(low.sqrt(), bits)", "round_up(low.sqrt(), bits)", "planted_singular_values"),
    (
        "rank.singular_values",
        "return int(numerators.rank())",
        "return int(nmod_mat(numerators, PRIME).rank())",
        "exact_ranks",
    ),
    ("rank.singular_values", "a if proving else a.mid()", "a.mid() if proving else a", "enclosed_features"),
    (
        "rank.singular_values",
        "(y - x) * 10**digits <= x",
        "(y - x) * 10**digits <= 8 * x",
        "decimals_of_singular_values",
    ),
    ("rank.singular_values", "max(high - x, x - low)", "(high - low) / 2", "decimals_of_singular_values"),
    ("rank.singular_values", "math.ceil(error / step)", "math.floor(error / step)", "decimals_of_singular_values"),
    (
        "rank.singular_values",
        "math.ceil if up else math.floor",
        "math.floor if up else math.ceil",
        "decimals_of_singular_values",
    ),
    # rank/gram.py
    ("rank.gram", "arb(gamma(widest + passes + 2))", "arb(gamma(passes + 2))", "gram_error_covers_any_rounding"),
    ("rank.gram", "error = relative * a_squares + n", "error = n", "gram_error_covers_any_rounding"),
    ("rank.gram", "lost = arb(gamma(b + nb + 6))", "lost = arb(gamma(nb + 6))", "residual_covers_any_rounding"),
    ("rank.gram", "norm + lost + 2", "norm + 2", "residual_covers_any_rounding"),
    ("rank.gram", "        if i != k:\n", "        if False:\n", "residual_of_any_factor"),
    (
        "rank.gram",
        "blocks[i, k] -= backend.matmul(blocks[i, j], transpose)",
        "blocks[i, k] += backend.matmul(blocks[i, j], transpose)",
        "residual_of_any_factor",
    ),
    ("rank.gram", "blocks[k, k]) - shift * xp.eye", "blocks[k, k]) + shift * xp.eye", "residual_of_any_factor"),
    ("rank.gram", "else infinity\n", "else 0 * infinity\n", "residual_of_any_factor"),
    ("rank.gram", "xp.tril(lower))", "lower + 1.0)", "residual_of_any_factor"),
    ("rank.gram", "arb(factor.shift) - factor.residual", "arb(factor.shift) + factor.residual", "gram_bound_formula"),
    ("rank.gram", " - factor.residual - gram.error", " - factor.residual", "gram_bound_formula"),
    ("rank.gram", "bound = eigenvalue.sqrt() - gram.enclosure", "bound = eigenvalue.sqrt()", "gram_bound_formula"),
    ("rank.gram", "lowest = lower_float(bound)", "lowest = upper_float(bound)", "gram_bound_formula"),
    ("rank.gram", "(n * radii).sqrt()", "radii.sqrt()", "gram_bound_counts_radii"),
    ("rank.gram", "radii += total(", "radii = 0 * total(", "gram_bound_counts_radii"),
    ("rank.gram", "blocks[i, j] += product", "blocks[i, j] = product", "gram_error_covers_any_rounding"),
    # rank/float_inverse.py
    ("rank.float_inverse", "g = arb(gamma(k + 3))", "g = arb(gamma(3))", "float_residual_covers_any_rounding"),
    ("rank.float_inverse", "g * product + z_squares.sqrt()", "g * product", "float_residual_bounds_the_norm"),
    ("rank.float_inverse", "z_squares += h * total", "z_squares += total", "float_residual_bounds_the_norm"),
    ("rank.float_inverse", "xp.abs(x[part, :])", "x[part, :]", "float_residual_bounds_the_norm"),
    ("rank.float_inverse", "r[:, rows] -= xp.eye", "r[:, rows] += xp.eye", "float_residual_bounds_the_norm"),
    ("rank.float_inverse", "= -gram.blocks[key]", "= gram.blocks[key]", "float_norms"),
    ("rank.float_inverse", "(1 - arb(alpha)) / arb(norm)", "1 / arb(norm)", "float_inverse_is_below_the_truth"),
    # balls/binary64
    ("balls.binary64.elementary", "TANH_ULPS = 3.01", "TANH_ULPS = 0.4", "elementary_functions"),
    ("balls.binary64.elementary", "r -= m * _L2", "r -= 0 * m * _L2", "elementary_functions"),
    ("balls.binary64.elementary", "x - ((position + 0.5)", "x - ((position + 0.25)", "elementary_functions"),
    ("balls.binary64.elementary", "self.cells - 1)", "self.cells - 3)", "elementary_functions"),
    ("balls.binary64.elementary", "f *= -2.0", "f *= -1.0", "elementary_functions"),
    ("balls.binary64.elementary", "xp.where(turn >= 2.0, -value, value)", "value", "elementary_functions"),
    (
        "balls.binary64.activation",
        "moved + top.exp() * elementary.EXP_ULPS * _U + elementary.EXP_FLUSHED",
        "moved",
        "binary64_kernels",
    ),
    ("balls.binary64.activation", "upper_float(abs(value)) if", "upper_float(abs(value)) / 2 if", "binary64_kernels"),
    ("balls.binary64.activation", "upper_float(abs(value)) if", "upper_float(value) if", "binary64_kernels"),
    ("balls.binary64.activation", "_U * (ball.abs_upper() + error)", "_U * 0", "binary64_kernels"),
    ("balls.binary64.activation", "arb(elementary.arctan_error())", "arb(0)", "binary64_kernels"),
    (
        "balls.binary64.features",
        "spread + gamma(k + 3) * (eta * norm + bias), 8",
        "spread, 8",
        "binary64_features",
    ),
    ("balls.binary64.features", "upper(spread + gamma(k + 3)", "upper(gamma(k + 3)", "binary64_features"),
    ("balls.binary64.features", "found.lipschitz * radius", "0.0 * radius", "binary64_features"),
    ("balls.binary64.features", "(spread + gamma(k + 3) * upper(largest, k))", "(spread)", "binary64_features"),
    ("balls.binary64.margins", "constant * sizes[:, None]", "0.0 * sizes[:, None]", "binary64_margins"),
    ("balls.binary64.margins", " + moved * (1.0 + 2.0**-50)", "", "binary64_margins"),
    ("balls.binary64.margins", "found[w][rows.start + i]", "found[w][rows.start]", "binary64_margins"),
    # rank/deficiency.py
    (
        "rank.deficiency",
        '"1/(1 + exp(-t))": (-1, Fraction(1))',
        '"1/(1 + exp(-t))": (-1, Fraction(0))',
        "planted_deficiencies",
    ),
    ("rank.deficiency", '("t**2", "cos(t)")', '("t**2", "cos(t)", "log(exp(t) + 1)")', "planted_deficiencies"),
    ("rank.deficiency", "total += weight * unit.offset", "total += 0", "planted_deficiencies"),
    ("rank.deficiency", "+ unit.sign * weight", "+ weight", "mirrors_and_constants_below_the_top"),
    (
        "rank.deficiency",
        "_Unit(number, -1 if flip else 1, Fraction(0))",
        "_Unit(number, 1, Fraction(0))",
        "mirrors_and_constants_below_the_top",
    ),
    (
        "rank.deficiency",
        "return _Unit(number, sign, offset)",
        "return _Unit(number, sign, Fraction(0))",
        "mirrors_and_constants_below_the_top",
    ),
    (
        "rank.deficiency",
        "coefficients, total = tuple((f, -c) for f, c in coefficients), -total",
        "coefficients = tuple((f, -c) for f, c in coefficients)",
        "planted_deficiencies",
    ),
    ("rank.deficiency", "len(moving) + int(constant),", "len(moving),", "planted_deficiencies"),
    ("rank.deficiency", "return power * max(known, default=0)", "return max(known, default=0)", "planted_deficiencies"),
    ("rank.deficiency", "rank == full or known > sum(norms[: rank + 1])", "True", "monomial_rank"),
    ("rank.deficiency", "if (column == column[0]).all():", "if (column == column[0]).any():", "planted_deficiencies"),
    ("rank.deficiency", "biases[f][p % len(biases[f])]", "biases[f][0]", "shared_weights_keep_their_own_biases"),
    (
        "rank.deficiency",
        "return all(forms.constant[f] for f, _ in coefficients)",
        "return any(forms.constant[f] for f, _ in coefficients)",
        "mirrors_and_constants_below_the_top",
    ),
    ("rank.deficiency", "if m < n:", "if m <= n:", "prove_rank_on_planted_ranks"),
    # landscape
    (
        "landscape.zero_loss",
        "room=ENCLOSURE_SLACK) * (1 - SLACK)",
        "room=ENCLOSURE_SLACK) * 2",
        "gamma_is_below_every_margin",
    ),
    ("landscape.zero_loss", "((classes - 1) * (-t * gamma).exp())", "((-t * gamma).exp())", "loss_bound"),
    (
        "landscape.path",
        "smallest_lo(room=ENCLOSURE_SLACK) > 0",
        "smallest_lo(room=ENCLOSURE_SLACK) > -(10**9)",
        "segment_condition",
    ),
    (
        "landscape.path",
        "not end.smallest_lo() >= gamma.arb()",
        "not end.smallest_lo() >= -(10**9)",
        "segment_condition",
    ),
    ("landscape.path", "fmpq(5, 4)", "fmpq(1, 4)", "kappa_covers_every_ratio"),
    ("landscape.path", "round_down(loss - room)", "round_down(loss + room)", "path_decreases"),
    ("landscape.path", "threshold = arb(2).log() / n", "threshold = arb(2).log()", "path_decreases"),
    ("landscape.path", "if not candidate.arb() >= kappa.arb():", "if False:", "path_decreases"),
    ("landscape.path", "t * kappa * b for b in row", "t * b for b in row", "path_decreases"),
    ("landscape.path", "(1 - t) * a + t * kappa * b", "a + t * kappa * b", "path_decreases"),
    ("landscape.path", "end = [[kappa * b for b in row]", "end = [[b for b in row]", "path_decreases"),
    (
        "landscape.path",
        "upper_float(target.t.arb() / self.kappa.arb())",
        "lower_float(target.t.arb() / self.kappa.arb()) / 2",
        "path_decreases",
    ),
    (
        "landscape.path",
        "Dyadic(math.floor(scaled), exponent)",
        "Dyadic(math.ceil(scaled), exponent)",
        "decimals_round_down",
    ),
]


def broken_copy(module, old, new):
    """The module with ``old`` replaced by ``new``; the text must be there exactly once."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    if source.count(old) != 1:
        pytest.fail(f"{module.__name__} has {source.count(old)} times {old!r}; adapt the mutant", pytrace=False)
    copy = types.ModuleType(module.__name__)
    copy.__file__ = module.__file__
    exec(compile(source.replace(old, new), f"<mutant of {module.__name__}>", "exec"), copy.__dict__)
    return copy


@contextmanager
def in_place_of(module, copy):
    """Replace what the module defines by the copy's version, in every module of the package and of the checks."""
    before = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("__") and name in vars(copy) and vars(copy)[name] is not value
    }
    users = [m for name, m in sys.modules.items() if name.startswith("verifier.") or name in ("checks", "planted")]
    changed = [(user, name) for user in users for name, value in before.items() if vars(user).get(name) is value]
    for user, name in changed:
        setattr(user, name, vars(copy)[name])
    try:
        yield
    finally:
        for user, name in changed:
            setattr(user, name, before[name])


@pytest.mark.parametrize(
    ("name", "old", "new", "check"), MUTANTS, ids=[f"{m[0]}-{m[3]}-{k}" for k, m in enumerate(MUTANTS)]
)
def test_broken_kernel_is_caught(name, old, new, check):
    module = importlib.import_module(f"verifier.{name}")
    with in_place_of(module, broken_copy(module, old, new)):
        for seed in range(SEEDS):
            try:
                run_check(f"check_{check}", seed)
            except AssertionError:
                return
    pytest.fail(f"{name}: {old!r} -> {new!r} survives check_{check}")


@pytest.mark.parametrize("check", sorted({f"check_{m[3]}" for m in MUTANTS}))
def test_the_real_kernels_pass_on_the_same_seeds(check):
    for seed in range(3):
        run_check(check, seed)


def test_the_real_kernels_are_back_after_a_mutant():
    module = importlib.import_module("verifier.balls.exact")
    original = module.lower_float
    with in_place_of(module, broken_copy(module, "math.nextafter(bound, -math.inf)", "bound")):
        assert module.lower_float is not original
        assert sys.modules["verifier.balls.margins"].lower_float is module.lower_float
    assert module.lower_float is original and sys.modules["verifier.balls.margins"].lower_float is original
