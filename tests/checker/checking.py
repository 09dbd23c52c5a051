"""What the tests of the checker do with a certificate: write it, check it, say which rule must fire."""

from __future__ import annotations

import mpmath
from checker_writer import write
from flint import arb

from verifier.checker.certificate import check_file


def exact_ball(number):
    """Return the ball that is an mpmath number."""
    if not mpmath.isfinite(number):
        return arb(mpmath.nstr(number))
    sign, mantissa, exponent, _ = mpmath.mpf(number)._mpf_
    return arb(((-1) ** sign * int(mantissa), exponent))


def check(tmp_path, builder, document, jobs=1):
    """Write a certificate and return what the checker says."""
    return check_file(str(write(tmp_path, document, builder.arrays())), jobs)


def rejected(outcome, rule, path=None):
    """Require that a rule rejects the certificate, at a path if one is given, and that no claim is accepted."""
    assert outcome.verdict == "REJECTED"
    assert outcome.rejection.rule == rule, outcome.rejection.message
    assert path is None or outcome.rejection.path == path, outcome.rejection.message
    assert outcome.claims == []
