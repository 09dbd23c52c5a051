"""S, S(1), S(2), S+: paths that never go up, whatever the activations are; the last three by the architecture."""

from __future__ import annotations

from typing import ClassVar

from verifier.statements.claims.claim import Claim, Computed, Count, TensorName

PATH = (
    "a continuous path along which every convex finite loss of the logits, V free, is constant until Psi has full row "
    "rank and then, U at rest, never increases and comes within every epsilon of its infimum; for the cross-entropy "
    "with one label for each sample it then strictly decreases to 0"
)


class S(Computed, frozen=True, kw_only=True, tag="S"):
    """A path that never goes up from the stored U, whatever V is."""

    name: ClassVar[str] = "the path that never goes up"
    meaning: ClassVar[str] = (
        "a path without increase from this start (S), whatever V and the labels are: the samples differ in what a wide "
        "last layer of free units reads at this U; so there is " + PATH + "."
    )
    sentences: ClassVar[dict[str, str]] = {
        "S": "from the stored hidden weights and every V there is " + PATH,
    }

    node: Count
    direction: TensorName


class OfLayer(Claim, frozen=True, kw_only=True):
    """A statement about every data set, by the architecture: the node that is the output of the wide last layer."""

    needs_weights = False
    carries = True
    needs_samples = False

    node: Count


class S1(OfLayer, frozen=True, kw_only=True, tag="S(1)"):
    """A path that never goes up from every point, for every data set."""

    name: ClassVar[str] = "a path from every point"
    meaning: ClassVar[str] = (
        "no bad local valley (S(1)), for EVERY data set of as many distinct samples or fewer, all labels and all "
        "convex finite losses: a wide last layer of free units reads all of the input, so that from EVERY (U, V) there "
        "is " + PATH + ". No activation need be differentiable."
    )
    sentences: ClassVar[dict[str, str]] = {
        "S(1)": "for EVERY data set of N = {samples} distinct samples in R^{dimension}, or of fewer, and from EVERY "
        "(U, V) there is " + PATH + "; every local valley reaches the infimum",
    }


class S2(OfLayer, frozen=True, kw_only=True, tag="S(2)"):
    """A path that never goes up from almost every point, for every data set."""

    name: ClassVar[str] = "a path from almost every point"
    meaning: ClassVar[str] = (
        "no bad local valley (S(2)), for EVERY data set of as many distinct samples or fewer, all labels and all "
        "convex finite losses: the layers below a wide last layer of free units tell the samples apart at almost every "
        "U, so that from almost every (U, V) there is " + PATH + ". No activation need be differentiable."
    )
    sentences: ClassVar[dict[str, str]] = {
        "S(2)": "for EVERY data set of N = {samples} distinct samples in R^{dimension}, or of fewer, and from almost "
        "every (U, V), whatever V is, there is " + PATH + "; every local valley reaches the infimum",
    }


class SPlus(OfLayer, frozen=True, kw_only=True, tag="S+"):
    """Connected sublevel sets, for every data set."""

    name: ClassVar[str] = "connected sublevel sets"
    meaning: ClassVar[str] = (
        "connected sublevel sets (S+), for EVERY data set of as many distinct samples or fewer, all labels and all "
        "convex finite losses: a continuous path joins any two points (U, V) on which the loss never exceeds the "
        "larger of its values there."
    )
    sentences: ClassVar[dict[str, str]] = {
        "S+": "for EVERY data set of N = {samples} distinct samples in R^{dimension}, or of fewer, and every convex "
        "finite loss of the logits, V free: any two points (U, V) are joined by a continuous path on which the loss "
        "never exceeds the larger of its values at them, so that all sublevel sets are connected",
    }
