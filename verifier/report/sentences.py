"""What a page says of a case, in sentences: never more than the verdicts behind them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from verifier.balls.exact import at_most
from verifier.conclusion import conclude_all
from verifier.display import count
from verifier.run.curve import Curve
from verifier.run.record import CaseRecord
from verifier.statements.downhill_path import PATH_KINDS

MEANING = {
    "PROVED": "rigorous for this instance: this data, this U, this V, in exact real arithmetic",
    "REFUTED": "a rigorous counterexample, shown; of a hypothesis: that it is violated",
    "UNDECIDED": "precision or budget ran out, or the method does not apply; never a synonym of false",
    "TESTED": "sampled only",
}

TRUST = (
    (
        "The mathematics",
        "Nguyen, Mukkamala and Hein, On the loss landscape of a class of deep neural networks with no bad local "
        "valleys (ICLR 2019), and this project's additions, each with its proof in the program's sources.",
    ),
    (
        "The prover",
        "Python; FLINT's integers and Arb's ball arithmetic; and for what is proved in binary64, IEEE 754 addition, "
        "subtraction, multiplication, division and square root to nearest, and matrix products that are sums of "
        "products in some order. A canary tests just that at every shape and memory layout in use; where it fails, Arb "
        "proves everything anew. Factorizations, solvers and library functions are never trusted.",
    ),
    (
        "The certificate",
        "does not need the prover. The checker shares no code with it: to trust an accepted certificate is to trust "
        "the mathematics, Python, python-flint and the files of the checker.",
    ),
    (
        "What is not said",
        "Nothing about what a training algorithm does, or about the floating-point evaluation of the network: "
        "statements are about the exact real function at the stored numbers.",
    ),
)


def summary(cases: Sequence[CaseRecord]) -> str:
    """What a run of several cases found, what the checker says of it, and whether all is as expected."""
    written = [case for case in cases if case.certificate is not None]
    accepted = sum(case.check is not None and case.check.accepted for case in written)
    costly = sum(case.check is not None and case.check.verdict == "TOO EXPENSIVE" for case in written)
    checked = f"The independent checker accepted {accepted} of {count(len(written), 'certificate')}"
    checked += f" ({costly} too expensive to check)" if costly else ""
    wrong, asked = sum(not case.ok for case in cases), sum(bool(case.expected) for case in cases)
    expected = "everything is as the cases expect" if asked else "the cases expect nothing in particular"
    return f"{conclude_all(cases)}. {checked}; {f'{wrong} not as expected' if wrong else expected}."


def commands(case: CaseRecord) -> tuple[str, str, str] | None:
    """The command lines that check the certificate again, in the report's folder and in a clone, and one that reads it.

    None if there is no certificate.
    """
    if case.certificate is None:
        return None
    file = shlex.quote(certificate_file(case.certificate))
    return f"verifier check {file}", f"python -I verifier/checker/__main__.py {file}", f"verifier show {file}"


def certificate_file(recorded: str) -> str:
    """A certificate's place relative to the report: both lie in the folder of the results."""
    return "certificates/" + recorded.rpartition("/")[2]


def short_seconds(number: float) -> str:
    """A time in seconds with one decimal: ``2.5 s``, or ``< 0.1 s``."""
    return f"{number:.1f} s" if number >= 0.05 else "< 0.1 s"


def short_size(size: int) -> str:
    """A number of bytes for people: ``1.2 MB``, ``12.0 kB``."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def caption(curve: Curve, *, short: bool) -> str:
    """What the path's pictures show, and how it is certified.

    Parameters
    ----------
    curve
        The curve that is drawn.
    short
        Only which losses are reached, and when.

    Returns
    -------
    str
        Guarantee: times are rounded up, losses and gamma are those that were certified.
    """
    parts = []
    for mark in curve.targets:
        parts.append(f"loss <= {mark.text} from s = {at_most(mark.time)} on")
    if curve.zero_error is not None:
        parts.append(f"no training error from s = {at_most(curve.zero_error)} on (L2.1)")
    reached = ("Certified: " if parts else "") + "; ".join(parts)
    if short:
        return reached
    kind = PATH_KINDS[curve.label]
    if kind.conflict:
        return (
            "Shaded: where the loss is certified to be, between the infimum and the chord of a convex function; the "
            "loss itself is not drawn."
        )
    points = sum(len(piece.points) for piece in curve.pieces if piece.kind == "segment")
    scale = f"kappa (s - {curve.legs})" if curve.legs else "kappa s"
    begin = f"{kind.escape.format(epsilon=curve.epsilon)} " if kind.escape else ""
    return (
        f"{begin}Shaded: the certified band. On the segment the loss is enclosed at {points} times; in between it "
        "strictly decreases (P1), so it stays in the steps shown; the line joins the enclosures. On the ray V = t V1, "
        f"t = {scale}; kappa = {curve.kappa}, and all margins of V1 are at least gamma = {curve.gamma}. {reached}."
    )
