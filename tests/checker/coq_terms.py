"""Reads what `verifier formal` writes, by a small grammar of its own: definitions, and bounds of lemmas."""

from __future__ import annotations

import re

from flint import arb

TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_]\w*)|(.))")
DEFINITION = re.compile(r"^Definition (\w+) : R := (.*?)\.$", re.MULTILINE | re.DOTALL)
LEMMA = re.compile(r"^Lemma (\w+)_in : (.*?) <= \1 <=\s+(.*?)\.$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^Definition (\w+) : table := \[(.*?)\]\.$", re.MULTILINE | re.DOTALL)
FUNCTIONS = {
    "exp": arb.exp,
    "ln": arb.log,
    "sqrt": arb.sqrt,
    "tanh": arb.tanh,
    "sin": arb.sin,
    "cos": arb.cos,
    "atan": arb.atan,
    "Rabs": abs,
}


class Reader:
    """Evaluates one expression of Coq's real numbers, in balls."""

    def __init__(self, text, known):
        self.tokens, self.known = [next(filter(None, groups)) for groups in TOKEN.findall(text.strip())], known

    def value(self):
        found = self.sum()
        assert not self.tokens, self.tokens
        return found

    def next_is(self, *tokens):
        return bool(self.tokens) and self.tokens[0] in tokens

    def sum(self):
        negative = self.next_is("-") and self.tokens.pop(0)
        found = self.product()
        found = -found if negative else found
        while self.next_is("+", "-"):
            found = found + self.product() if self.tokens.pop(0) == "+" else found - self.product()
        return found

    def product(self):
        found = self.power()
        while self.next_is("*", "/"):
            found = found * self.power() if self.tokens.pop(0) == "*" else found / self.power()
        return found

    def power(self):
        found = self.application()
        if self.next_is("^"):
            self.tokens.pop(0)
            found = found ** int(self.tokens.pop(0))
        return found

    def application(self):
        if self.tokens[0] in FUNCTIONS:
            return FUNCTIONS[self.tokens.pop(0)](self.atom())
        return self.atom()

    def atom(self):
        token = self.tokens.pop(0)
        if token == "(":
            found = self.sum()
            assert self.tokens.pop(0) == ")"
            return found
        return arb(int(token)) if token.isdigit() else arb.pi() if token == "PI" else self.known[token]


def numbers_of(text):
    """Return all numbers that a file defines, in balls, by their names."""
    known = {}
    for name, term in DEFINITION.findall(text):
        known[name] = Reader(term, known).value()
    return known


def table_of(text, name):
    """Return the rows of a table, in balls."""
    body = dict(TABLE.findall(text))[name]
    known = numbers_of(text)
    rows = re.findall(r"\[(.*?)\]", body, re.DOTALL)
    return [[Reader(entry, known).value() for entry in row.split(";")] for row in rows]


def bounds_of(text):
    """Return the bounds that the lemmas state, by the number's name."""
    return {name: (Reader(low, {}).value(), Reader(high, {}).value()) for name, low, high in LEMMA.findall(text)}
