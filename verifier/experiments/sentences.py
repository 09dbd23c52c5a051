"""Numbers in words: shares in percent with their half-widths, differences in points, p values, verdicts of a run."""

from __future__ import annotations

from verifier.experiments.statistics import ConfidenceInterval, Paired

MINUS = "\N{MINUS SIGN}"


def percent(share: ConfidenceInterval, digits: int = 1) -> str:
    """``3.4 ± 0.5%`` of a mean share, with so many digits after the point; without a half-width for one seed."""
    scaled = share.scaled(100.0)
    half = "" if scaled.half is None else f" ± {scaled.half:.{digits}f}"
    return f"{scaled.mean:.{digits}f}{half}%"


def points(difference: ConfidenceInterval) -> str:
    """A difference of shares in points of a percent, with its interval."""
    scaled = difference.scaled(100.0)
    if scaled.half is None:
        return f"{signed(scaled.mean)} points (one seed, no interval)"
    return f"{signed(scaled.mean)} points, 95% interval [{signed(scaled.low)}, {signed(scaled.high)}]"


def signed(value: float, digits: int = 2) -> str:
    """A number with a sign and so many digits after the point, with a true minus; 0 has no sign."""
    text = f"{value:+.{digits}f}"
    return f"{0.0:.{digits}f}" if float(text) == 0.0 else text.replace("-", MINUS)


def p_words(comparison: Paired, adjusted: float | None = None) -> str:
    """The p values of a paired comparison, and of which test; that after Holm's correction, if there is one."""
    if comparison.p_two is None:
        return "too few seeds for a test"
    name = {"t": "paired t test", "sign": "sign test: all differences are equal", "none": "no difference"}
    one = "" if comparison.p_less is None else f"; {p_value(comparison.p_less)} one-sided"
    corrected = "" if adjusted is None else f", {p_value(adjusted)} after Holm's correction"
    return f"{p_value(comparison.p_two)} ({name[comparison.test]}{one}){corrected}"


def p_value(p: float) -> str:
    """Two digits; very small ones by a bound."""
    return "p < 1e-6" if p < 1e-6 else f"p = {p:.2g}"
