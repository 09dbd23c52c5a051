"""Mutants of the lines about zero padding, and the checks of `checks_padding` that must notice them."""

MUTANTS = [
    # model
    ("network.layers", "constant_values=math.prod(shape))", "constant_values=0)", "padded_windows"),
    ("network.layers", "((p, p) for p in padding)", "((0, 2 * p) for p in padding)", "padded_windows"),
    ("network.network", "np.zeros((len(z), 1))", "np.ones((len(z), 1))", "padded_features"),
    ("network.gradient", "z = with_zero(z) if", "z = 1.0 - with_zero(1.0 - z) if", "padded_gradient"),
    # balls
    ("balls.feature_enclosure", "arb_mat(z.nrows(), 1)]", "arb_mat(z.nrows(), 1, [1] * z.nrows())]", "padded_features"),
    ("balls.motion", "[[*row, arb(0)] for row in z]", "[[*row, arb(1)] for row in z]", "padded_motion"),
    ("balls.motion", "[[*row, arb(0)] for row in dz]", "[[*row, arb(1)] for row in dz]", "padded_motion"),
    ("balls.binary64.float_enclosure", "xp.zeros_like(z.mid[:, :1])", "xp.ones_like(z.mid[:, :1])", "padded_features"),
    # rank and theorem
    (
        "rank.deficiency",
        "ZERO = UnitForm(-1, 1, Fraction(0))",
        "ZERO = UnitForm(-1, 1, Fraction(1))",
        "planted_padding",
    ),
    ("statements.assumption", "if j < math.prod(shape)]", "if 0 < j < math.prod(shape)]", "padded_patches"),
    ("statements.assumption", "mixed = padded and", "mixed = False and", "patches_beside_other_layers"),
    ("statements.assumption", "known.discard(tuple(window))", "pass", "patches_beside_other_layers"),
    # checker
    ("checker.network", "if i >= 0 else padding for c", "if i >= 0 else 0 for c", "padded_checker_features"),
    ("checker.network", "([*row, arb(0)])", "([*row, arb(1)])", "padded_checker_features"),
    ("checker.network", "if 0 <= x < n else -padding", "if x < n else -padding", "padded_checker_features"),
    ("checker.network", "if 0 <= x < n else -padding", "if 0 <= x < n else -1", "padded_checker_features"),
    ("checker.network", "[position * s - p for", "[position * s for", "padded_checker_features"),
    ("checker.structure", "row.append((fmpq(0)", "row.append((fmpq(1)", "planted_padding"),
    ("checker.escape", "sources.append(True)", "sources.append(False)", "padding_rests"),
]
