"""The definitions of a Coq file: numbers with names, and lemmas that enclose them.

Glossary: an *entry* is one number of a node's tensor, for one sample where the node depends on the sample. It is called
``n3_s0_1``: node 3, sample 0, flat index 1. Each entry that is computed has a lemma ``n3_s0_1_in`` with two bounds.
"""

from __future__ import annotations

import re
import textwrap
from fractions import Fraction
from typing import Any, Final

from flint import arb

from verifier.checker.arithmetic import Row, Table
from verifier.checker.common import Exact, precision
from verifier.checker.nodes import KINDS, columns_of
from verifier.coq.bounds import written
from verifier.coq.terms import Term, Terms, dyadic

WIDTH: Final = 118
BITS: Final = 192
"""Working precision here."""
COQ_BITS: Final = 256
"""Working precision of Coq's interval arithmetic."""
SPARE: Final = 2.0**-140
"""What a stated enclosure is wider than one found here, relative to the number, beside twice its radius."""
TINY: Final = 2.0**-220
"""What it is wider in any case, where a function is called, which Coq may not know exactly even at 0."""
CALL: Final = re.compile(r"\b(exp|ln|sqrt|tanh|sin|cos|atan|PI)\b")
NAME: Final = re.compile(r"[a-z]\w*")
WORD: Final = re.compile(r"\w+")


class NotShown(Exception):
    """The enclosures at hand are too wide for something; the message says what, and what would help."""


class TooLarge(Exception):
    """A certificate has more numbers than a Coq file can be about; the message says how many."""


class Script:
    """The lines of a Coq file, and the numbers that have names in it.

    Parameters
    ----------
    most
        How many numbers may have names.
    """

    def __init__(self, most: int) -> None:
        self.lines: list[str] = []
        self.named: dict[str, Term] = {}  # numbers with a name
        self.computed: set[str] = set()  # those that have a lemma
        self.constants: set[str] = set()  # tables, and numbers of claims
        self.most, self.place, self.count = most, "", 0
        self.stored: list[str] = []  # features that are stored numbers

    def say(self, *lines: str) -> None:
        """Add lines; long ones are broken between words."""
        for line in lines:
            self.lines += textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_long_words=False) or [""]

    def define(self, name: str, term: Term, *, exact: bool) -> Term:
        """Define a number by its term; one that is no stored number gets a lemma that encloses it."""
        if len(self.named) >= self.most:
            raise TooLarge(f"more than {self.most} numbers")
        self.say(f"Definition {name} : R := {term.text}.")
        self.named[name] = found = Term(name, term.ball if exact else self.enclose(name, term))
        return found

    def enclose(self, name: str, term: Term) -> arb:
        """Write the lemma that a number lies between two bounds, and return the ball between these."""
        known = sorted(set(NAME.findall(term.text)) & set(self.named))
        unfolded = ", ".join([name, *(each for each in known if each not in self.computed)])
        ball = term.ball
        if not ball.is_finite():
            raise NotShown(f"{name} has no finite enclosure without the checker's sharper rules")
        if CALL.search(term.text) or not ball.is_exact():  # else sums and products, exact here and there
            ball = widened(ball)
        low, high = enclosure(ball, wider=False)
        facts = [each for each in known if each in self.computed]
        tanh = "rewrite ?tanh_exp; " if "tanh " in term.text else ""
        recall = "".join(f"pose proof {each}_in; " for each in facts)
        self.say(
            f"Lemma {name}_in : {low} <= {name} <= {high}.",
            f"Proof. {recall}unfold {unfolded}; {tanh}interval with (i_prec {COQ_BITS}). Qed.",
        )
        self.computed.add(name)
        return ball.lower().union(ball.upper())

    def name(self, term: Term) -> Term:
        """Return a term that is a name: the term itself, or a new abbreviation of it."""
        if NAME.fullmatch(term.text) or term.text.isdigit():
            return term
        self.count += 1
        return self.define(f"{self.place}_a{self.count}", term, exact=False)

    def matrix(self, name: str, rows: Table) -> None:
        """Define a list of rows, of terms."""
        inner = "; ".join(f"[{'; '.join(entry.text for entry in row)}]" for row in rows)
        self.say(f"Definition {name} : table := [{inner}].")
        self.constants.add(name)

    def number(self, name: str, value: Fraction) -> str:
        """Define an exact number of a claim; return its name."""
        self.say(f"Definition {name} : R := {written(value)}.")
        self.constants.add(name)
        return name

    def features(self, rows: Table) -> None:
        """Define Psi, and a tactic for each of its rows that puts the enclosures of the row's entries at hand."""
        self.matrix("psi", rows)
        names = {entry.text for row in rows for entry in row}
        self.stored = sorted(name for name in names if name in self.named and name not in self.computed)
        for number, row in enumerate(rows):
            known = "".join(
                f"pose proof {name}_in; "
                for name in dict.fromkeys(entry.text for entry in row)
                if name in self.computed
            )
            self.say(f"Ltac row{number} := {known}idtac.")

    def prove(self, name: str, statement: str, *, by: str = "", how: str = "decide_all") -> None:
        """Write a lemma that interval arithmetic proves, inequality by inequality.

        Parameters
        ----------
        name
            The lemma's name.
        statement
            About tables and numbers that are defined.
        by
            Steps of the proof before all others.
        how
            The tactic at the end.
        """
        used = [each for each in dict.fromkeys(WORD.findall(statement)) if each in self.constants]
        used += self.stored if "psi" in used else []
        unfolded = f"cbv [{' '.join(used)}]; " if used else ""
        self.say(f"Lemma {name} : {statement}.", f"Proof. {by}{unfolded}{how}. Qed.")

    def prove_rows(self, name: str, statement: str, of_row: str, rows: int) -> None:
        """Write a lemma for each row of Psi, and the lemma that they make together.

        Parameters
        ----------
        name
            Of the lemma about all rows.
        statement, of_row
            What is proved, of all rows and, with the row's number behind it, of one.
        rows
            Their number.
        """
        for number in range(rows):
            self.prove(f"{name}_{number}", f"{of_row} {number}", by=f"row{number}; ")
        proof = "I"
        for number in range(rows):
            proof = f"(conj {proof} {name}_{number})"
        self.say(f"Definition {name} : {statement} := {proof}.")


def widened(ball: arb) -> arb:
    """Return a ball so much larger that Coq, with its own roundings, finds one in it."""
    return ball + arb(0, ball.rad() + SPARE * ball.abs_upper() + TINY)


def enclosure(ball: arb, wider: bool = True) -> tuple[str, str]:
    """Return the ends of a ball, or of a wider one, as Coq reads them."""
    ball = widened(ball) if wider else ball
    return bound(ball.lower()), bound(ball.upper())


def bound(end: arb) -> str:
    """Return an exact number as Coq reads it on one side of an inequality."""
    mantissa, exponent = map(int, end.man_exp())
    return dyadic(mantissa, exponent)


def terms_of(exact: Exact) -> Row:
    """Return the entries of an exact matrix as terms, row by row."""
    return [Term.dyadic(int(entry), exact.exponent) for entry in exact.integers.entries()]


def rows_of(exact: Exact) -> Table:
    """Return the rows of an exact matrix as terms."""
    width, entries = exact.integers.ncols(), terms_of(exact)
    return [entries[start : start + width] for start in range(0, len(entries), width)]


def write_network(script: Script, network: Any, samples: int) -> Table:
    """Define the samples, the parameters and all entries of all nodes, with enclosures; return the rows of Psi.

    Parameters
    ----------
    script
        Takes the definitions.
    network
        As the checker read it; every leaf has values.
    samples
        Their number.

    Returns
    -------
    list of list of Term
        The features' entries, a row for each sample.

    Raises
    ------
    Unknown
        A function that Coq's interval arithmetic does not know.
    TooLarge
        More numbers than the script takes.
    """
    ops, tables = Terms(script.name), dict[int, Table]()
    with precision(BITS):
        for node in network.nodes:
            script.say("", f"(* {describe(node)} *)")
            if node.kind == "input":
                found = rows_of(network.inputs)
            elif not node.reads:
                found = [terms_of(node.exact)]
            else:
                tables_read = [tables[read] for read in node.reads]
                script.place = f"n{node.number}"
                found = KINDS[node.kind].compute(ops, node, tables_read)
            tables[node.number] = name_entries(script, node, found)
        rows = columns_of(ops, network, tables)
    return rows if len(rows) == samples else rows * samples


def name_entries(script: Script, node: Any, table: Table) -> Table:
    """Give every entry of a node's table a name, but for those that are some other entry."""
    found = []
    for sample, row in enumerate(table):
        prefix = f"n{node.number}_s{sample}" if node.varies else f"n{node.number}"
        found.append([name_entry(script, f"{prefix}_{at}", entry, not node.reads) for at, entry in enumerate(row)])
    return found


def name_entry(script: Script, name: str, entry: Term, stored: bool) -> Term:
    """Return an entry by its name."""
    if entry.text in script.named:
        return entry
    return script.define(name, entry, exact=stored)


def describe(node: Any) -> str:
    """Say what a node is: its kind, what it reads, its name."""
    said = node.activation.text if node.kind == "map" else node.kind
    reads = f" of {', '.join(f'node {read}' for read in node.reads)}" if node.reads else ""
    name = re.sub(r"[^\w.\[\]/ -]", "_", getattr(node, "name", ""))
    return f"node {node.number}: {said}{reads}{f' {name}' if name else ''}"
