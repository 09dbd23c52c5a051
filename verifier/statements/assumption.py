"""Assumption 3.1 of the paper, checked exactly: activations, skip units, input patches.

Where the paper's condition can be read in more than one way, ``PROVED`` means the strictest reading, ``REFUTED`` the
most lenient one; in between the verdict is ``UNDECIDED`` and the reason names what the readings differ in.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping
from verifier.display import Decided
from verifier.errors import needs
from verifier.network.layered import NOT_LAYERED
from verifier.network.network import Network
from verifier.statements.patches import PatchCheck, distinct_patches
from verifier.statements.skip_units import UnitCheck, suitable_units
from verifier.statements.smooth_activations import ActivationCheck, analytic, increasing_activations
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Assumption(Decided):
    """A3.1 for a network and data: its three parts, whether all activations are analytic, and the setting.

    ``outside`` says why the network is not one of the paper's, whose hidden units have free weights and a bias each;
    empty if it is one.
    """

    activations: ActivationCheck
    units: UnitCheck
    patches: PatchCheck
    analytic: Verdict
    outside: str

    @property
    def verdict(self) -> Verdict:
        """``REFUTED`` if a part is, ``PROVED`` if all parts are, in the paper's setting, else ``UNDECIDED``."""
        parts = [self.activations.verdict, self.units.verdict, self.patches.verdict]
        if Verdict.REFUTED in parts:
            return Verdict.REFUTED
        return Verdict.PROVED if parts == [Verdict.PROVED] * 3 and not self.outside else Verdict.UNDECIDED


def check_assumption(network: Network, data: Dataset | Grouping) -> Assumption:
    """Check Assumption 3.1 of the paper for a network and data.

    Parameters
    ----------
    network
        The network.
    data
        The samples, N rows; of a `Grouping` the distinct ones, witnesses being numbered as before the grouping.

    Returns
    -------
    Assumption
        Guarantee: a verdict PROVED or REFUTED is a theorem about this network and these exact numbers.

    Raises
    ------
    NetworkError
        If the network reads another number of coordinates than the samples have.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0]], [0, 1])
    >>> found = vf.check_assumption(vf.Network(1, vf.Dense(2, "sigmoid", skip=True)), data)
    >>> found.verdict
    <Verdict.PROVED: 'PROVED'>
    >>> found.units.reason
    '2 skip units with weights of their own are of kind (a) bounded, limit 0 at -oo; N = 2 are needed'
    """
    rows = data.dataset if isinstance(data, Grouping) else data
    needs(rows, "Dataset", "multiplicities", "data", "make one: dataset_from_arrays(X, y)")
    return Assumption(
        increasing_activations(network),
        suitable_units(network, rows.samples),
        distinct_patches(network, data),
        analytic(network)[0],
        outside_setting(network),
    )


def outside_setting(network: Network) -> str:
    """Say what the paper's setting excludes and this network has: a bias tied across positions, or an average pool.

    With either, Lemma 3.2 can fail although A3.1 holds: a mean over positions does not tell (0, 1) from (1, 0), neither
    of the input nor of units with one bias. Nor is a network of the paper's that is not made of layers alone.
    """
    if network.layered is None:
        return NOT_LAYERED
    tied = [i for i, layer in enumerate(network.layers) if layer.bias == "tied"]
    pools = [i for i, layer in enumerate(network.layers) if layer.activation is None]
    parts = [f"layer {i} ties its bias across positions" for i in tied]
    return "; ".join(parts + [f"layer {i} is a pool, whose weights are not free" for i in pools])


def what_remains(found: Assumption, generic: Verdict | None = None, *, arcs_missing: bool = False) -> tuple[str, ...]:
    """Say which statements survive where A3.1 fails.

    Parameters
    ----------
    found
        What was found of A3.1.
    generic
        Whether almost every U has full rank; if that is REFUTED, nothing is said of what W0 would need for it.
    arcs_missing
        Whether some column of Psi is not connected to some output: full rank of Psi then says nothing of valleys.

    Returns
    -------
    tuple of str
        Statements in words, each with what it still needs.
    """
    if arcs_missing:
        own = "one U at which each output's own columns have full row rank suffices for almost every U (W0)"
        needed = (f"{own}, and with it for Theorem 3.4(2)",) if found.analytic is Verdict.PROVED else ()
        at_this = "full rank or its failure (R1-R6), zero training error (Z1), a decreasing path (P1)"
        return (*needed, f"arcs to the outputs are missing; at a given U: {at_this}; none of them needs A3.1")
    at_u = (
        "at a given U: full rank or its failure (R1-R6), zero training error (Z1), a decreasing path (P1), for "
        "cross-entropy and agreeing labels no stationary point where Psi(U) has rank N (C1); none of them needs A3.1",
        "for cross-entropy: no strict local minimum while all of V moves (C2), no local maximum where Psi(U) != 0 (C3)",
    )
    refuted = generic is Verdict.REFUTED
    if found.outside == NOT_LAYERED:
        words = "Assumption 3.1 says nothing of this network"
        one = "one U with rank Psi(U) = N suffices for almost every U (W0), and with it for Theorem 3.4(2)"
        return (f"{words}: {NOT_LAYERED}", *((one,) if found.analytic is Verdict.PROVED and not refuted else ()), *at_u)
    if found.verdict is Verdict.PROVED:
        return ("A3.1 holds: Lemma 3.2 and Theorem 3.4 of the paper apply as they stand", *at_u)
    if found.analytic is Verdict.PROVED:
        almost = (
            "all activations are analytic, so ONE U with rank Psi(U) = N suffices (W0): then rank Psi = N for almost "
            "every U, and Theorem 3.4(2), no bad local valley, holds; monotonicity, growth and patches do not matter",
        )
        setting = (f"the paper's setting is left ({found.outside}): Lemma 3.2 can fail here",) if found.outside else ()
        fourth = "Theorem 3.4(4), no local maximum, does not follow from one full-rank U, and is false for hinge losses"
        return (*(() if refuted else almost), fourth, *setting, *at_u)
    doubt = "is refuted" if found.analytic is Verdict.REFUTED else "is not proved"
    nothing = f"analyticity {doubt}: one U with rank Psi(U) = N says nothing about almost every U (W0)"
    return at_u if refuted else (nothing, *at_u)
