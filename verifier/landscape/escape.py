"""Escapes: from a start whose features do not separate the classes to a point where P1 begins, on certified legs.

`verifier.landscape.escape_kinds` says what each of them claims and in which order they are tried; each has a module of
its own: `escape_descend` (E1), `escape_constant` (E2), `sink_path` (S.path), `escape_separate` (E4), `escape_sublevel`
(E3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.balls.exact import at_most, exactly
from verifier.data.gate import binary64
from verifier.display import Card, Decided, Shown, Table, joined
from verifier.errors import NetworkError
from verifier.landscape.escape_constant import move_idle_units
from verifier.landscape.escape_descend import descend
from verifier.landscape.escape_kinds import ORDER, Escape, Label
from verifier.landscape.escape_separate import separate_merged_samples
from verifier.landscape.escape_start import Start, not_analytic
from verifier.landscape.escape_sublevel import stay_below
from verifier.landscape.sink_path import move_unread_units
from verifier.landscape.targets import DEFAULT_TARGETS, decimal_below
from verifier.network.arguments import given_counts, given_inputs, given_labels, given_parameters
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, silent
from verifier.verdict import Verdict

DEFAULT_EPSILON = "1e-3"
"""How much E3 may rise where nothing is said."""
MAX_BITS = 2048
"""Last precision tried for what follows an escape."""

ATTEMPTS: dict[Label, Callable[[Start], Escape | str]] = {
    "E1": descend,
    "E2": move_idle_units,
    "E3": stay_below,
    "E4": separate_merged_samples,
    "S.path": move_unread_units,
}
"""Each gives a certified escape, or says why there is none."""


@dataclass(frozen=True, slots=True, repr=False)
class EscapeResult(Decided, Shown):
    """What was found: the escape if PROVED, else why each attempt failed.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(1, "tanh", skip=True))
    >>> found = vf.prove_escape(network, [1.0, 0.5], [[1.0, 0.0]], [[0.0], [1.0]], [0, 1], [1, 1], order=["E2"])
    >>> print(found.verdict, found.attempts[0])
    UNDECIDED E2: no unit can move without changing the logits: nothing equal, constant or zero to carry them
    """

    verdict: Verdict
    reason: str
    attempts: tuple[str, ...]
    escape: Escape | None = None

    def _card(self) -> Card:
        inner = None if self.escape is None else self.escape._card()
        values, tables = ((), ()) if inner is None else (inner.values, inner.tables)
        if self.attempts:
            tables += (Table("What was tried", ("attempt",), tuple((text,) for text in self.attempts)),)
        return Card("A way out of the start", str(self.verdict), self.reason, values, tables)


def prove_escape(
    network: Network,
    u: Array,
    v: Array,
    inputs: Array,
    labels: NDArray[np.int64],
    multiplicities: NDArray[np.int64],
    *,
    epsilon: str = DEFAULT_EPSILON,
    targets: Sequence[str] = DEFAULT_TARGETS,
    order: Sequence[Label] = ORDER,
    max_bits: int = MAX_BITS,
    stage: Stage = silent,
    seed: int = 0,
    offset: Array | None = None,
) -> EscapeResult:
    """Certify a path to zero loss from a start where P1 cannot begin.

    Parameters
    ----------
    network, u, v
        The start: U of shape ``(p,)``, V of shape ``(M, m)``; finite, taken as exact.
    inputs, labels, multiplicities
        Distinct samples ``(N, d)``, true classes ``(N,)``, how often each sample counts ``(N,)``.
    epsilon
        Decimal text: how much E3 may rise above the start's loss.
    targets
        Losses to be reached, as decimal text.
    order
        Which escapes are tried, in this order.
    max_bits, stage, seed
        Last precision of the path after the escape, progress display, seed of the random moves.
    offset
        Frozen logits ``(N, m)``, finite, exact, that are added to Psi V; None: none.

    Returns
    -------
    EscapeResult
        Guarantee: ``PROVED`` implies `Escape.claim` for the whole continuous path, which ends in the ray of P1.

    Raises
    ------
    DataError, NetworkError
        If an array does not fit the network or the others.
    ValueError
        If epsilon or a target is no positive decimal.

    Examples
    --------
    At U = 0 all features are 0, and no gradient shows a way out:

    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(2, "tanh", skip=True))
    >>> found = vf.prove_escape(network, np.zeros(4), np.zeros((2, 2)), [[-1.0], [1.0]], [0, 1], [1, 1])
    >>> print(found.escape.label, found.escape.claim)
    E2 constant, then strictly decreasing: non-increasing from this point
    """
    u, inputs = given_parameters(network, u), given_inputs(network, inputs)
    v = binary64(v, "v")
    if v.ndim != 2 or v.shape[0] != network.skip_count or v.shape[1] < 2:
        raise NetworkError(f"v: shape {v.shape}, expected (M, m) with M = {network.skip_count} and m >= 2")
    labels = given_labels(labels, len(inputs), v.shape[1])
    counts = np.array(given_counts(multiplicities, len(inputs)), dtype=np.int64)
    start = Start(network, u, v, inputs, labels, counts, decimal_below(epsilon), targets, max_bits, stage, seed, offset)
    obstacle = not_analytic(network)
    attempts: list[str] = []
    failures: dict[str, list[str]] = {}
    """For each reason the escapes that failed for it."""
    for label in order:
        if obstacle is not None and label != "S.path":
            found: Escape | str = f"not tried, Psi is not proved to be analytic in U: {obstacle}"
        else:
            found = ATTEMPTS[label](start)
        if isinstance(found, Escape):
            return EscapeResult(Verdict.PROVED, _with_descent(found), tuple(attempts), found)
        attempts.append(f"{label}: {found}")
        failures.setdefault(found, []).append(label)
    reason = "; ".join(f"{joined(failed)}: {why}" for why, failed in failures.items())
    return EscapeResult(Verdict.UNDECIDED, reason, tuple(attempts))


def _with_descent(escape: Escape) -> str:
    """What the escape claims, and what P1 reaches after it."""
    tail = escape.tail
    ray = ", ".join(f"loss <= {target.text} from t = {at_most(target.t)}" for target in tail.targets)
    return f"{escape.sentence()}; then P1 with kappa = {exactly(tail.kappa)}; {ray}"


def no_way_out(found: EscapeResult, *, excluded: bool) -> str:
    """Say that no path is known where no escape was proved.

    Parameters
    ----------
    found
        What was tried.
    excluded
        Whether it is proved that no V has zero training error at this U.
    """
    here = "no V has" if excluded else "no V is known to have"
    tried = f"was certified ({found.reason})" if found.reason else "was tried"
    return (
        f"{here} zero training error at this U (Z1), so U must move, and no way out of it {tried}; "
        "another start or more features may help"
    )
