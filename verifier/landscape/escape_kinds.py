"""The five escapes: labels, names, the order in which they are tried, what each claims; and one that was found.

Each is certified for every time on its legs, not at samples; where it ends P1 takes over, with U at rest. What is
claimed differs, and is always said:

* E1: the loss strictly decreases all the way from this point.
* E2: the loss is constant on the legs, then strictly decreases: non-increasing from this point.
* S.path: as E2, where the exact rank of rational features shows what can carry the logits; no analyticity.
* E4: as E2, where samples that the lower layers merge have to part first.
* E3: on its leg the loss stays below the start's loss plus epsilon, then it strictly decreases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from verifier.balls.exact import Dyadic, ExactArray, at_most
from verifier.display import Card, Shown
from verifier.landscape.legs import Leg
from verifier.landscape.path import Path
from verifier.network.network import Array
from verifier.verdict import Verdict

Label = Literal["E1", "E2", "S.path", "E3", "E4"]


@dataclass(frozen=True, slots=True)
class EscapeKind:
    """One of the five escapes.

    Parameters
    ----------
    label, name
        E1 to E4 or S.path, and what it does in words.
    claim
        What is certified of the whole path that begins with it.
    how
        What certifies it, with places for ``pieces`` and ``epsilon``.
    loss
        What the loss does on the legs: it ``decreases``, is ``constant``, or is ``bounded`` by the start's plus
        epsilon.
    """

    label: Label
    name: str
    claim: str
    how: str
    loss: Literal["decreases", "constant", "bounded"]


NON_INCREASING = "constant, then strictly decreasing: non-increasing from this point"

KINDS = (
    EscapeKind(
        "E1",
        "descent",
        "strictly decreasing from this point",
        "U and V move together, dPhi/dt < 0 on {pieces} pieces",
        "decreases",
    ),
    EscapeKind(
        "E2",
        "units that nothing depends on move",
        NON_INCREASING,
        "V is carried by units at rest, the others move",
        "constant",
    ),
    EscapeKind(
        "S.path",
        "units that nothing reads move",
        NON_INCREASING,
        "V is carried by features that span all of Psi, exactly, and units that nothing reads move",
        "constant",
    ),
    EscapeKind(
        "E4",
        "merged samples part",
        NON_INCREASING,
        "the lower weights part merged samples, V follows continuously",
        "constant",
    ),
    EscapeKind(
        "E3",
        "motion below Phi + epsilon",
        "below Phi + epsilon, then strictly decreasing",
        "U moves, Phi stays below Phi(start) + {epsilon} on {pieces} pieces",
        "bounded",
    ),
)
"""In the order in which they are tried: the strongest claim first, and of two with the same claim the cheaper one."""
ORDER: tuple[Label, ...] = tuple(kind.label for kind in KINDS)
BY_LABEL = {kind.label: kind for kind in KINDS}


@dataclass(frozen=True, repr=False)
class Escape(Shown):
    """Certified legs from ``(start_u, start_weights)`` and the path of P1 (`tail`) from where they end.

    Guarantee: of every escape that a prover returns, `claim` holds at every time of `path`, not at samples of it.

    ``legs`` are functions of time: `path` is all of it.
    ``rerouted`` is a further point that E2 passes through; ``end_weights`` the output weights at the end of E1;
    ``pieces`` how many equal time intervals certify E1, E3 or E4; ``epsilon`` is E3's, ``right_inverse`` E4's;
    ``primes`` how many the exact rank of S.path needed.
    """

    label: Label
    start_u: Array
    start_weights: ExactArray
    tail: Path
    legs: tuple[Leg, ...]
    rerouted: Array | None = None
    end_weights: ExactArray | None = None
    pieces: int = 1
    epsilon: Dyadic | None = None
    right_inverse: ExactArray | None = None
    primes: int = 1

    @property
    def kind(self) -> EscapeKind:
        """Which of the five it is."""
        return BY_LABEL[self.label]

    @property
    def end_u(self) -> Array:
        """Hidden parameters at the end of the legs, where P1 begins, shape ``(p,)``."""
        return self.tail.u

    @property
    def path(self) -> Path:
        """The whole path, from the start's own (U, V) to the ray."""
        return replace(self.tail, before=self.legs)

    @property
    def claim(self) -> str:
        """What was certified of the whole path."""
        return self.kind.claim

    def sentence(self) -> str:
        """Label, claim and what certifies it."""
        epsilon = "" if self.epsilon is None else at_most(self.epsilon)
        return f"{self.label}, {self.claim}: {self.kind.how.format(pieces=self.pieces, epsilon=epsilon)}"

    def _card(self) -> Card:
        path = self.path._card()
        values = [("pieces", str(self.pieces))]
        if self.epsilon is not None:
            values.append(("epsilon <=", at_most(self.epsilon)))
        title = f"A way out of the start: {self.kind.name} ({self.label})"
        return Card(title, str(Verdict.PROVED), self.claim, (*values, *path.values), path.tables)
