"""Broken copies of the rooms that `checks_escape` looks at: (module, old text, new text, check that must fail)."""

MOVING, LIFT, SEGMENT = (
    "motion_contains_values_and_slopes",
    "lifts_keep_the_margins",
    "segments_contain_loss_and_slope",
)
ZERO = "a_zero_constant_carries_nothing"
PARTING, TAMPERED = "parting_keeps_the_logits", "tampered_escapes_are_rejected"

MUTANTS = [
    # balls/motion.py
    ("balls.motion", "return a + (b - a) * t, b - a", "return a + (b - a) * t.mid(), b - a", MOVING),
    ("balls.motion", "return a + (b - a) * t, b - a", "return a + (b - a) * t, b", MOVING),
    (
        "balls.motion",
        "_patches(dz, windows) * weight + patches * dweight",
        "_patches(dz, windows) * weight",
        MOVING,
    ),
    ("balls.motion", "_patches(dz, windows) * weight + patches * dweight", "patches * dweight", MOVING),
    (
        "balls.motion",
        "for f in range(filters) for p in range(positions)]",
        "for p in range(positions) for f in range(filters)]",
        MOVING,
    ),
    ("balls.motion", "shifts = [bias[0 if tied else p, f]", "shifts = [bias[0, f]", MOVING),
    ("balls.motion", "moved[i * positions + p][f] + d", "moved[i * positions + p][f]", MOVING),
    ("balls.motion", "derivative(s) * r", "derivative(s.mid()) * r", "slopes_at_the_ends_of_a_ball"),
    ("balls.motion", "arb(0)) / len(group)", "arb(0))", MOVING),
    ("balls.motion", "[c * plane + j for j in window]", "[j for j in window]", MOVING),
    # balls/series.py
    ("balls.series", "return -_tanh(-x) if x[0] < 0", "return _tanh(-x) if x[0] < 0", "taylor_coefficients"),
    ("balls.series", "1 - 2 / ((2 * x).exp() + 1)", "1 - 2 / (x.exp() + 1)", "taylor_coefficients"),
    (
        "balls.series",
        "arb_series(list(coefficients), length)",
        "arb_series([c.mid() for c in coefficients], length)",
        "taylor_coefficients",
    ),
    ("balls.series", "if found.prec >= length else", "if True else", "taylor_never_drops_an_order"),
    # landscape/segment.py
    ("landscape.segment", "first + (last - first) * t", "first + (last - first) * t.mid()", SEGMENT),
    ("landscape.segment", "p * (x + y)", "p * x", SEGMENT),
    ("landscape.segment", "p * (x + y)", "p * y", SEGMENT),
    ("landscape.segment", "total = own.exp() + 1", "total = own.exp()", SEGMENT),
    ("landscape.segment", "(own - other).exp()", "(other - own).exp()", SEGMENT),
    ("landscape.segment", "total -= count * sum", "total -= sum", SEGMENT),
    ("landscape.segment", "row[y] - row[k] for k in others", "row[k] - row[y] for k in others", SEGMENT),
    ("landscape.segment", "for k in range(pieces + 1)]", "for k in range(pieces)]", "the_cover_is_whole"),
    ("landscape.segment", "[a.union(b) for a, b", "[a for a, b", "the_cover_is_whole"),
    ("landscape.segment", "all(self.slope(piece) < 0", "any(self.slope(piece) < 0", "pieces_decide"),
    (
        "landscape.segment",
        "all(self.loss(piece) <= bound",
        "all(not self.loss(piece) > bound",
        "pieces_decide",
    ),
    # landscape/lift.py
    ("landscape.escape_constant", "    weight[:, at + unit] = 0.0\n", "", LIFT),
    ("landscape.escape_constant", "zero = form.form < 0 and form.offset == 0", "zero = form.form < 0", LIFT),
    ("landscape.escape_constant", "(zero or leader != unit)", "True", LIFT),
    ("landscape.escape_constant", "if stays[index][unit] or (row == row[0]).all():", "if True:", ZERO),
    # landscape/gateway.py
    ("landscape.escape_separate", "[hull * w + b, arb(w),", "[hull.mid() * w + b, arb(1),", PARTING),
    (
        "landscape.escape_separate",
        "return inverse if squares < 0.25 else None",
        "return inverse",
        "no_parting_of_equal_directions",
    ),
    (
        "landscape.escape_separate",
        "all(bool(a < b) for a, b in itertools.pairwise(ordered))",
        "True",
        "gateway_separates",
    ),
    ("landscape.escape_separate", "still[name][...] = 0.0", "still[name][...] = 1.0", PARTING),
    (
        "landscape.escape_separate",
        "key += [int(z) for z in row]",
        "key += [int(z) for z in row[:0]]",
        "no_parting_of_equal_directions",
    ),
    # checker/escape.py: no tampered certificate may pass any more than before
    ("checker.escape", "kept_values = base is network or", "kept_values = True or", TAMPERED),
    (
        "checker.escape",
        "fixed = row == new_weights[a] and biases[own][a] == new_biases[own][a]",
        "fixed = row == new_weights[a]",
        TAMPERED,
    ),
    (
        "checker.escape",
        "fixed and all(sources[window[k]] for k in read)",
        "fixed",
        "what_reads_a_moved_unit_does_not_rest",
    ),
    ("checker.escape", "return self.one or (sign == 0 and constant == 0)", "return True", TAMPERED),
    (
        "checker.escape",
        "if form not in self.kept:\n            return False",
        "if form not in self.kept:\n            return True",
        TAMPERED,
    ),
    ("checker.escape", "total > 0, raw.path", "not total < -9, raw.path", TAMPERED),
    ("checker.escape", "loss <= bound, raw.path", "not loss > bound + 9, raw.path", TAMPERED),
    (
        "checker.escape",
        "raw.start_loss.lower + raw.epsilon, total",
        "raw.start_loss.lower + 1, total",
        TAMPERED,
    ),
    (
        "checker.escape",
        "rates += (slope * now + here * change)",
        "rates += (slope * now)",
        "a_valley_is_no_descent",
    ),
    (
        "checker.escape",
        "(dh * w + h * dw + tile(db, size))",
        "(dh * w + tile(db, size))",
        "segments_of_the_checker",
    ),
    (
        "checker.escape",
        "(dh * w + h * dw + tile(db, size))",
        "(h * dw + tile(db, size))",
        "segments_of_the_checker",
    ),
    (
        "checker.escape",
        "w + dw * self.t, b + db * self.t",
        "w + dw * self.t.mid(), b + db * self.t.mid()",
        "segments_of_the_checker",
    ),
    ("checker.escape", "require(alpha < 1, raw.path", "require(True, raw.path", TAMPERED),
    (
        "checker.escape",
        "require(distinct(moving[len(group) :])",
        "require(True or distinct(moving[len(group) :])",
        TAMPERED,
    ),
    ("checker.escape", "all(entry.layer != number for entry in raw.moved)", "True", TAMPERED),
    ("checker.escape", "way != 0 and any(", "way != 0 or any(", TAMPERED),
]
