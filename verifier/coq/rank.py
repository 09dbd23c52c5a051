"""The claims R1 and R3: full row rank, with a bound of the smallest singular value.

Glossary: *a* are numbers near the features, *x* is the right inverse, zero in the rows of columns that the claim does
not use, *xi* is a bound of its 2-norm and *beta* one of that of I - a x.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from verifier.checker.arithmetic import Table
from verifier.checker.claims import RankClaim
from verifier.checker.container import Arrays
from verifier.coq.bounds import (
    COARSE,
    Matrix,
    as_terms,
    difference,
    exactly,
    fractions_of,
    gram,
    product,
    root_above,
    rounded,
    shortened,
    squares,
    upward,
)
from verifier.coq.script import NotShown, Script

UNITS: Final = 2**104
"""The largest feature is about so many units of the numbers that stand for the features."""
MOST_SQUARINGS: Final = 12


class RankScript:
    """One claim R1 or R3, written as lemmas and a theorem.

    Parameters
    ----------
    script
        Takes them; the table ``psi`` is defined in it.
    name
        What their names begin with.
    raw, network, arrays
        The claim, the network and the arrays, as the checker read them.
    rows
        The features, which have enclosures.
    """

    def __init__(self, script: Script, name: str, raw: Any, network: Any, arrays: Arrays, rows: Table) -> None:
        self.script, self.name, self.rows = script, name, rows
        self.samples, self.columns, self.sigma = network.samples, network.columns, exactly(raw.sigma_lower)
        columns = RankClaim.columns(raw, network.columns, arrays)
        stored = fractions_of(arrays.exact(raw.right_inverse, len(columns), network.samples))
        placed, zero = dict(zip(columns, stored, strict=True)), [Fraction(0)] * network.samples
        self.root = math.isqrt(self.samples * self.columns - 1) + 1  # N M <= root^2
        self.inverse: Matrix = [placed.get(column, zero) for column in range(network.columns)]

    def write(self) -> None:
        """Write the lemmas for every obligation.

        Raises
        ------
        NotShown
            The bound of the claim is closer to what can be shown than the enclosures here are.
        """
        n, m, name, script = self.samples, self.columns, self.name, self.script
        middles = [[exactly(entry.ball.mid()) for entry in row] for row in self.rows]
        unit = upward(max(abs(entry) for row in middles for entry in row) / UNITS, 1)
        near = rounded(middles, unit)
        radius = max(exactly(entry.ball.rad()) for row in self.rows for entry in row)
        e = upward(max(abs(entry) for row in difference(middles, near) for entry in row) + radius + unit / 2**20, 20)
        one = [[Fraction(i == j) for j in range(n)] for i in range(n)]
        beta = root_above(squares(difference(one, product(near, self.inverse))) + unit**2, COARSE)
        root = self.root
        script.matrix(f"{name}_a", as_terms(near))
        script.matrix(f"{name}_x", as_terms(self.inverse))
        xi = self.write_size(lambda bound: self.sigma * bound <= 1 - upward(beta + e * root * bound))
        numbers = {"sigma": self.sigma, "e": e, "beta": beta, "alpha": upward(beta + e * root * xi)}
        for part, value in numbers.items():
            script.number(f"{name}_{part}", value)
        near_row = f"near_of {m} psi {name}_a {name}_e"
        script.prove_rows(f"{name}_enclosed", f"near {n} {m} psi {name}_a {name}_e", near_row, n)
        script.prove(f"{name}_e_ge0", f"0 <= {name}_e")
        script.prove(f"{name}_inverse", f"squares {n} {n} (residual {m} {name}_a {name}_x) <= {name}_beta ^ 2")
        script.prove(f"{name}_beta_ge0", f"0 <= {name}_beta")
        script.prove(f"{name}_xi_gt0", f"0 < {name}_xi")
        script.prove(f"{name}_sum", f"{name}_beta + {name}_e * INR {root} * {name}_xi <= {name}_alpha")
        script.prove(f"{name}_sigma_gt0", f"0 < {name}_sigma")
        script.prove(f"{name}_bound", f"{name}_sigma * {name}_xi <= 1 - {name}_alpha")

    def theorem(self) -> list[str]:
        """Return the theorem and its proof."""
        n, name = self.samples, self.name
        first = " ".join(f"{name}_{part}" for part in ("enclosed", "e_ge0", "inverse", "beta_ge0", "size", "xi_gt0"))
        last = " ".join(f"{name}_{part}" for part in ("sum", "sigma_gt0", "bound"))
        return [
            f"Theorem {name} : \\rank Psi = {n}%N /\\ sigma_at_least Psi {name}_sigma.",
            f"Proof. exact: (instance_R1 (q := {self.root}) {first} isT {last}). Qed.",
        ]

    def write_size(self, suffices: Callable[[Fraction], bool]) -> Fraction:
        """Bound the 2-norm of the right inverse, by as many squarings of its Gram matrix as are needed."""
        chain: list[tuple[Matrix, Fraction]] = []  # a matrix near the Gram matrix of the one before, and how near
        last = self.inverse
        for _ in range(MOST_SQUARINGS + 1):
            bound = root_above(squares(last))
            for _, far in reversed(chain):
                bound = root_above(bound + far)
            if suffices(bound):
                self.write_chain(chain, root_above(squares(last)))
                return bound
            exact = gram(last)
            last = shortened(exact)
            chain.append((last, root_above(squares(difference(exact, last)), COARSE)))
        message = "sigma_lower is too close to what the right inverse gives; claim a smaller sigma_lower"
        raise NotShown(f"{self.name}: {message}")

    def write_chain(self, chain: list[tuple[Matrix, Fraction]], bound: Fraction) -> None:
        """Write the lemmas from the end of the chain to its beginning, and the bound of the right inverse."""
        name, script, n = self.name, self.script, self.samples
        tables, heights = [f"{name}_x"], [self.columns]
        for number, (matrix, _) in enumerate(chain):
            tables.append(f"{name}_s{number}")
            heights.append(n)
            script.matrix(tables[-1], as_terms(matrix))
        number = len(chain)
        xi = script.number(self.bound_name(number), bound)
        script.prove(f"{xi}_ge0", f"0 <= {xi}")
        script.prove(f"{xi}_squares", f"squares {heights[-1]} {n} (entry {tables[-1]}) <= {xi} ^ 2")
        proof = f"size_entries {xi}_ge0 {xi}_squares"
        for number in reversed(range(len(chain))):
            far, after = script.number(f"{name}_far{number}", chain[number][1]), xi
            bound = root_above(bound + chain[number][1])
            xi = script.number(self.bound_name(number), bound)
            script.prove(f"{far}_ge0", f"0 <= {far}")
            script.prove(f"{xi}_ge0", f"0 <= {xi}")
            entries = f"fun i j => gram {heights[number]} {tables[number]} i j - entry {tables[number + 1]} i j"
            script.prove(f"{far}_squares", f"squares {n} {n} ({entries}) <= {far} ^ 2")
            script.prove(f"{xi}_sum", f"{after} + {far} <= {xi} ^ 2")
            proof = f"size_gram {far}_ge0 {xi}_ge0 {far}_squares ({proof}) {xi}_sum"
        script.say(f"Definition {name}_size : norm_at_most {self.columns} {n} {name}_x {xi} := {proof}.")

    def bound_name(self, number: int) -> str:
        """Return the name of the bound of the right inverse (0), or of a matrix of the chain."""
        return f"{self.name}_xi" + (str(number) if number else "")
