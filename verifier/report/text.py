"""Text for a page: names that are not trusted, and mathematics without a typesetter.

Whatever comes from outside (titles, names, labels, file paths, messages) may contain anything. `visible` shows control,
format and direction characters as ``⟨U+202E⟩`` and cuts what is too long; escaping is the template engine's work, and
`typeset` escapes everything itself that it does not write.
"""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

LONGEST = 4000
"""Characters of a text that are shown."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

GREEK = {
    "Phi": "Φ", "Psi": "Ψ", "phi": "φ", "sigma": "σ", "kappa": "κ", "gamma": "γ", "lambda": "λ", "delta": "δ",
    "epsilon": "ε", "rho": "ρ", "mu": "μ", "omega": "ω",
}  # fmt: skip
SIGNS = {
    ">=": "≥", "<=": "≤", "!=": "≠", "=>": "⇒", "->": "→", "||": "‖", "-oo": "−∞", "grad": "∇", "sum": "∑",
}  # fmt: skip
_INDEXED = ("grad", "sum", "margin", "mult")
"""Words that may have an index, beside Greek letters and single ones: file_1 has none."""
_SIZE = r"\d+(?:\.\d+)?"
_TOKENS = re.compile(
    rf"(?P<sign>>=|<=|!=|=>|->|\|\||-oo\b)"
    rf"|(?<![\w.])(?P<digits>{_SIZE})e(?P<power>[+-]?\d+)(?![\w.]*\w)"
    rf"|\b(?P<operator>grad|sum)(?=_)"
    rf"|\b(?P<greek>{'|'.join(GREEK)})(?![A-Za-z0-9])"
    r"|\b(?P<letter>[Vm])(?P<index>[01])(?![\w.])"
    r"|\b(?P<reals>R)(?=\^p|\)$)"
    r"|(?<=[A-Za-z0-9|)])\^(?:\((?P<grouped>[^()]*)\)|(?P<raised>-?\w+))"
    rf"|(?:(?<=\b[A-Za-z])|(?<=[|)])|{'|'.join(f'(?<={word})' for word in (*GREEK, *_INDEXED))})"
    r"_(?P<lowered>inf|[A-Za-z0-9]{1,2})(?![A-Za-z0-9])"
)


def visible(text: str, longest: int = LONGEST) -> str:
    """Show what has no glyph of its own, and cut what is longer than so many characters."""
    rest = len(text) - longest
    if rest > 0:
        text = text[:longest]
    shown = "".join(c if c in "\n\t" or unicodedata.category(c) not in _HIDDEN else f"⟨U+{ord(c):04X}⟩" for c in text)
    return f"{shown} … ({rest} more characters)" if rest > 0 else shown


def typeset(text: str) -> Markup:
    """Write this package's plain formulas (``||Psi^-1||_inf <= 2``) with Greek letters, signs, indices and exponents.

    Guarantee: every character of ``text`` is escaped or replaced; tags are ``<sub>`` and ``<sup>`` only.
    """
    text, done = visible(text), 0
    parts = []
    for found in _TOKENS.finditer(text):
        parts += [escape(text[done : found.start()]), _typeset(found)]
        done = found.end()
    return Markup("").join([*parts, escape(text[done:])])


def _typeset(found: re.Match[str]) -> Markup:
    kind, group = found.lastgroup, found.groupdict()
    if group["power"] is not None:
        return Markup("{}10<sup>{}</sup>").format(
            "" if group["digits"] == "1" else f"{group['digits']}·", minus(int(group["power"]))
        )
    if group["index"] is not None:
        return Markup("{}<sub>{}</sub>").format(group["letter"], group["index"])
    if kind in ("grouped", "raised"):
        return Markup("<sup>{}</sup>").format(typeset((group["grouped"] or group["raised"] or "").replace("-", "−")))
    if kind == "lowered":
        return Markup("<sub>{}</sub>").format(group["lowered"].replace("inf", "∞"))
    if kind == "reals":
        return Markup("ℝ")
    return escape((GREEK | SIGNS)[found[0]])


def formula(text: str) -> Markup:
    """A statement's formula: as `typeset`, and the word *in* between two symbols is the sign of membership."""
    return typeset(text.replace(" in C^", " ∈ C^"))


def minus(number: int) -> str:
    """An integer with a true minus sign."""
    return str(number).replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """``10⁻⁵⁰``; 1 and 10 as such."""
    if exponent in (0, 1):
        return str(10**exponent)
    return "10" + "".join("⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".index(c)] for c in str(exponent))
