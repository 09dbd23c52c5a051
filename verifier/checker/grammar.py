"""The grammar of activations, read by a tokenizer and a parser of our own: what is not in it cannot get in.

The language is closed; this is all of it. It has Python's precedence rules, and is what sympy's `str` prints.

    sum     = product { ("+" | "-") product }
    product = sign { ("*" | "/") sign }
    sign    = "-" sign | power
    power   = atom [ "**" sign ]
    atom    = integer | "t" | "pi" | "E" | function "(" sum { "," sum } ")" | "(" sum ")"
    integer = "0" | a digit from 1 to 9 { digit }

Between two tokens there may be spaces. Nothing else is a token: no other white space, no sign "+" before a number, no
decimal point, exponent, underscore, keyword, assignment, star before an argument, attribute, index, comparison, comment
or text, and no letter or digit outside of ASCII.

The tree is made of the node classes of Python's module `ast` (Name, Constant, UnaryOp, BinOp, Call), which have names
for these things and print themselves; Python's own parser, which knows far more, is not used.
"""

import ast
import re

FUNCTIONS_OF_ONE = ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan", "erf", "Abs")
FUNCTIONS_OF_MORE = ("Max", "Min")  # of two or more arguments
NAMES = ("t", "pi", "E")
MAX_NESTING = 100  # of signs, powers, calls and parentheses inside of each other: it bounds the parser's recursion
# one token: an integer, a word, or a mark; "**" comes before "*"
TOKEN = re.compile(r" *(?:(?P<integer>[0-9]+)|(?P<word>[A-Za-z][A-Za-z0-9]*)|(?P<mark>\*\*|[-+*/(),]))")
END = ""  # the token after the last
SUMS: dict[str, type[ast.operator]] = {"+": ast.Add, "-": ast.Sub}
PRODUCTS: dict[str, type[ast.operator]] = {"*": ast.Mult, "/": ast.Div}


def tokens_of(text: str) -> list[str]:
    """Return the names, numbers and operators of a text, in order.

    Raises
    ------
    ValueError
        Something in the text is no token.
    """
    found, position, end = list[str](), 0, len(text.rstrip(" "))
    while position < end:
        token = TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"something that is not in the grammar at character {position + 1}")
        position = token.end()
        if token["integer"] and token["integer"] != "0" and token["integer"].startswith("0"):
            raise ValueError("an integer with a leading zero")
        found.append(token[token.lastgroup or 0])
    return found


class Parser:
    """Reads tokens from left to right, one function for each line of the grammar."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.position, self.nesting = [*tokens, END], 0, 0

    def next_is(self, *tokens: str) -> bool:
        """Return whether the next token is one of these."""
        return self.tokens[self.position] in tokens

    def take(self) -> str:
        """Return the next token and go on to the one after it."""
        token = self.tokens[self.position]
        self.position += token != END
        return token

    def expect(self, token: str) -> None:
        """Take this token, or refuse what is there instead."""
        if not self.next_is(token):
            raise ValueError(f"expected {token!r}, found {self.tokens[self.position][:40] or 'the end'!r}")
        self.take()

    def deeper(self) -> None:
        """Count one more level of nesting; whoever calls this counts it back."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise ValueError(f"nested more than {MAX_NESTING} deep")

    def sum(self) -> ast.expr:
        """Read: product { ("+" | "-") product }."""
        left = self.product()
        while self.next_is("+", "-"):
            operator = SUMS[self.take()]()
            left = ast.BinOp(left, operator, self.product())
        return left

    def product(self) -> ast.expr:
        """Read: sign { ("*" | "/") sign }."""
        left = self.sign()
        while self.next_is("*", "/"):
            operator = PRODUCTS[self.take()]()
            left = ast.BinOp(left, operator, self.sign())
        return left

    def sign(self) -> ast.expr:
        """Read: "-" sign | power."""
        if not self.next_is("-"):
            return self.power()
        self.take()
        self.deeper()
        operand = self.sign()
        self.nesting -= 1
        return ast.UnaryOp(ast.USub(), operand)

    def power(self) -> ast.expr:
        """Read: atom [ "**" sign ]."""
        base = self.atom()
        if not self.next_is("**"):
            return base
        self.take()
        self.deeper()
        exponent = self.sign()
        self.nesting -= 1
        return ast.BinOp(base, ast.Pow(), exponent)

    def atom(self) -> ast.expr:
        """Read: integer | name | function "(" sum { "," sum } ")" | "(" sum ")"."""
        token = self.take()
        if token.isdigit():
            return ast.Constant(int(token))
        if token in NAMES:
            return ast.Name(token, ast.Load())
        if token in FUNCTIONS_OF_ONE or token in FUNCTIONS_OF_MORE:
            return self.call(token)
        if token != "(":
            raise ValueError(f"expected a number, t, pi, E, a function or '(', found {token[:40] or 'the end'!r}")
        self.deeper()
        inner = self.sum()
        self.expect(")")
        self.nesting -= 1
        return inner

    def call(self, name: str) -> ast.expr:
        """Read the arguments of the function `name`: "(" sum { "," sum } ")"."""
        self.expect("(")
        self.deeper()
        arguments = [self.sum()]
        while self.next_is(","):
            self.take()
            arguments.append(self.sum())
        self.expect(")")
        self.nesting -= 1
        if (len(arguments) > 1) != (name in FUNCTIONS_OF_MORE):
            raise ValueError(f"{name} has the wrong number of arguments")
        return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def read_expression(text: str) -> ast.expr:
    """Return the tree of an expression.

    Guarantee: the text is in the grammar above, and every node of the tree stands for something in the text.

    Raises
    ------
    ValueError
        The text is not in the grammar.
    """
    parser = Parser(tokens_of(text))
    tree = parser.sum()
    if not parser.next_is(END):
        raise ValueError(f"expected an operator or the end, found {parser.take()[:40]!r}")
    return tree
