"""The claims Z1 and P1: zero training error, and a path on which the loss strictly decreases.

Glossary: *frozen* are the frozen logits K, zeros where there are none; none of their margins is below -*frozen_drop*.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from flint import arb

from verifier.checker.arithmetic import Row, Table
from verifier.checker.common import precision
from verifier.checker.container import Arrays
from verifier.coq.bounds import Matrix, as_ball, as_terms, exactly, fractions_of
from verifier.coq.script import BITS, Script, enclosure

SMALL: Final = Fraction(1, 2**100)
"""Losses below this are compared with (m - 1) e^-g, which is hardly more than log(1 + (m - 1) e^-g) then."""


def frozen_logits(data: Any, samples: int) -> Matrix:
    """Return the frozen logits, zeros where there are none."""
    return [[Fraction(0)] * data.classes for _ in range(samples)] if data.offset is None else fractions_of(data.offset)


class PathScript:
    """One claim Z1 or P1, written as lemmas and a theorem.

    Parameters
    ----------
    script
        Takes them; ``psi``, ``frozen``, ``labels``, ``counts`` and ``frozen_drop`` are defined in it.
    name
        What their names begin with.
    raw, network, arrays, data
        The claim, the network, the arrays and the data, as the checker read them.
    rows
        The features, which have enclosures.
    """

    def __init__(
        self, script: Script, name: str, raw: Any, network: Any, arrays: Arrays, data: Any, rows: Table
    ) -> None:
        self.script, self.name, self.raw, self.rows, self.labels = script, name, raw, rows, data.labels
        self.frozen = frozen_logits(data, network.samples)
        self.samples, self.columns, self.classes = network.samples, network.columns, data.classes
        end = raw.output_weights if raw.label == "Z1" else raw.end_weights
        self.end = fractions_of(arrays.exact(end, network.columns, data.classes))
        self.start = None
        if raw.label == "P1":
            self.start = fractions_of(arrays.exact(raw.start_weights, network.columns, data.classes))

    def write(self) -> None:
        """Write the lemmas for every obligation."""
        name, script = self.name, self.script
        n, m, classes = self.samples, self.columns, self.classes
        script.matrix(f"{name}_v1", as_terms(self.end))
        script.number(f"{name}_gamma", exactly(self.raw.gamma))
        script.prove(f"{name}_gamma_gt0", f"0 < {name}_gamma")
        last = f"logit_margin {m} labels psi {name}_v1 i k"
        self.prove_wrong("margins", f"{name}_gamma <= {last}")
        if self.start is None:
            return
        script.matrix(f"{name}_v0", as_terms(self.start))
        script.number(f"{name}_kappa", exactly(self.raw.kappa))
        script.prove(f"{name}_kappa_gt0", f"0 < {name}_kappa")
        self.prove_wrong("segment", f"logit_margin {m} labels psi {name}_v0 i k < {name}_kappa * ({last})")
        loss = f"cross_entropy {n} {m} {classes} labels counts psi frozen {name}_v0"
        known = "".join(f"pose proof {each}; " for each in self.prove_losses())
        lower = script.number(f"{name}_lower", max(Fraction(0), exactly(self.raw.start_loss.lower)))
        upper = script.number(f"{name}_upper", exactly(self.raw.start_loss.upper))
        unfolded = f"cbv [counts {lower} {upper}]; "
        script.say(f"Lemma {name}_start : {lower} <= {loss} <= {upper}.", f"Proof. {known}{unfolded}mean. Qed.")
        time = script.number(f"{name}_zero_error_t", exactly(self.raw.zero_error_t))
        script.prove(f"{time}_ge0", f"0 <= {time}")
        script.prove(f"{time}_holds", f"{self.tail(time)} < ln 2 / total {n} (count counts)")
        for number, target in enumerate(self.raw.targets):
            time = script.number(f"{name}_t{number}", exactly(target.t))
            bound = script.number(f"{name}_loss{number}", exactly(target.loss))
            script.prove(f"{time}_ge0", f"0 <= {time}")
            small = exactly(target.loss) < SMALL
            script.prove(f"{time}_holds", f"{self.tail(time)} <= {bound}", by="apply bound_small; " * small)

    def tail(self, time: str) -> str:
        """Return the bound of the loss at a time of the ray."""
        return f"bound {self.classes} ({time} * {self.name}_gamma - frozen_drop)"

    def prove_wrong(self, part: str, inequality: str) -> None:
        """Write the lemma that an inequality holds for every sample i and every class k other than its label."""
        of_row = f"wrong_of {self.classes} labels (fun i k => {inequality})"
        statement = f"wrong {self.samples} {self.classes} labels (fun i k => {inequality})"
        self.script.prove_rows(f"{self.name}_{part}", statement, of_row, self.samples)

    def prove_losses(self) -> list[str]:
        """Write a lemma that encloses the loss at V0 for each sample; return their names."""
        found = []
        for number, ball in enumerate(self.losses()):
            found.append(f"{self.name}_loss_of_{number}")
            low, high = enclosure(ball)
            loss = f"sample_loss {self.columns} {self.classes} labels psi frozen {self.name}_v0 {number}"
            self.script.prove(found[-1], f"{low} <= {loss} <= {high}", by=f"row{number}; ", how="enclosed")
        return found

    def losses(self) -> list[arb]:
        """Return balls around the loss at V0 of every sample."""
        found = []
        with precision(BITS):
            for row, label, frozen in zip(self.rows, self.labels, self.frozen, strict=True):
                others = [k for k in range(self.classes) if k != label]
                margins = [self.margin(row, label, k) + as_ball(frozen[label] - frozen[k]) for k in others]
                found.append((1 + sum(((-margin).exp() for margin in margins), arb(0))).log())
        return found

    def margin(self, row: Row, label: int, other: int) -> arb:
        """Return a ball around a margin at V0."""
        pairs = zip(row, self.start or [], strict=True)
        return sum((entry.ball * as_ball(line[label] - line[other]) for entry, line in pairs), arb(0))

    def theorem(self) -> list[str]:
        """Return the theorem and its proof."""
        return self.zero_error() if self.start is None else self.path()

    def zero_error(self) -> list[str]:
        """Return the theorem of Z1."""
        name, v1 = self.name, f"{self.name}_V1"
        tail = f"tail {self.classes} (t * {name}_gamma - frozen_drop)"
        return [
            self.weights("v1"),
            f"Theorem {name} :",
            f"  [/\\ forall i k, k != y i -> {name}_gamma <= margin y (Psi *m {v1}) i k,",
            f"      forall s t, s < t -> Phi y Psi K (t *: {v1}) < Phi y Psi K (s *: {v1}),",
            f"      forall t, 0 <= t -> Phi y Psi K (t *: {v1}) <= {tail}",
            "    & forall eps : R, 0 < eps ->",
            f"      exists2 t0, 0 <= t0 & forall t, t0 <= t -> Phi y Psi K (t *: {v1}) < eps].",
            f"Proof. exact: (instance_Z1 consistent_data {name}_gamma_gt0 {name}_margins against). Qed.",
        ]

    def path(self) -> list[str]:
        """Return the theorem of P1: the path, the loss where it starts, when all is classified, and the targets."""
        name, v0, v1 = self.name, f"{self.name}_V0", f"{self.name}_V1"
        facts = f"{name}_gamma_gt0 {name}_margins against"
        common, zero = f"consistent_data {facts}", f"{name}_zero_error_t"
        parts = [f"{name}_lower <= Phi y Psi K {v0} <= {name}_upper"]
        proofs = [f"instance_start consistent_data (proj1 {name}_start) (proj2 {name}_start)"]
        parts.append(f"(forall t, {zero} <= t -> zero_error y (Psi *m (t *: {v1}) + K))")
        proofs.append(f"instance_classified (ok := consistent_data) {facts} {zero}_ge0 {zero}_holds")
        for number in range(len(self.raw.targets)):
            time = f"{name}_t{number}"
            parts.append(f"(forall t, {time} <= t -> Phi y Psi K (t *: {v1}) <= {name}_loss{number})")
            proofs.append(f"instance_target {common} {time}_ge0 {time}_holds")
        return [
            self.weights("v0"),
            self.weights("v1"),
            f"Definition {name}_path := path {v0} {v1} {name}_kappa.",
            f"Theorem {name} :",
            f"  [/\\ {name}_path 0 = {v0},",
            f"      continuous_mx {name}_path,",
            f"      forall s, 1 <= s -> {name}_path s = ({name}_kappa * s) *: {v1},",
            f"      forall s t, 0 <= s -> s < t -> Phi y Psi K ({name}_path t) < Phi y Psi K ({name}_path s)",
            f"    & forall eps : R, 0 < eps -> exists s0, forall s, s0 <= s -> Phi y Psi K ({name}_path s) < eps]",
            *(f"  /\\ {part}" for part in parts[:-1]),
            f"  /\\ {parts[-1]}.",
            "Proof.",
            f"split; first exact: (instance_P1 {common} {name}_kappa_gt0 {name}_segment).",
            *(f"split; first exact: ({proof})." for proof in proofs[:-1]),
            f"exact: ({proofs[-1]}).",
            "Qed.",
        ]

    def weights(self, which: str) -> str:
        """Return the definition of a matrix of output weights."""
        table = f"{self.name}_{which}"
        return f"Definition {self.name}_{which.upper()} := matrix {self.columns} {self.classes} {table}."
