r"""Text for LaTeX: any string escaped, and the checker's sentences with their formulas set, no word changed.

Nothing that a certificate's author chose can become a command: every character that TeX reads as more than itself is
replaced, and one that pdflatex may lack is written by its number.
"""

from __future__ import annotations

import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedblright{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
}
LIGATURES = ("-", ",")
"""Two of them in a row would be printed as something else."""
ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
}
GREEK = "Psi|Phi|theta|sigma|kappa|lambda|gamma|epsilon|phi"
FORMULAS = (
    (r"\be\^\(([^()]*)\)", r"e^{{{0}}}"),
    (r"\bR\^\((\w) x (\w)\)", r"\mathbb{{R}}^{{{0} \times {1}}}"),
    (r"\bR\^(\d+)", r"\mathbb{{R}}^{{{0}}}"),
    (r"\b([UVXZ])_\((\w\+1)\)", r"{0}_{{{1}}}"),
    (r"\b([UVXZ])_(\w)\b", r"{0}_{1}"),
    (r"\b(V)([01])\b", r"{0}_{1}"),
    (r"\b([UX])\*", r"{0}^*"),
    (r"\b(U)'", r"{0}'"),
    (r"\bgrad_V\b", r"\nabla_V"),
    (r"\btheta0\b", r"\theta_0"),
    (r"\bsigma_N\b", r"\sigma_N"),
    (rf"\b({GREEK})\b", r"\{0}"),
    (r"\|\|_F", r"\|_F"),
    (r"\|\|", r"\|"),
    (r"\|([UV])\|\^2", r"|{0}|^2"),
    (r"\b1\^T", r"1^T"),
    (r"\b2\^(-?\d+)", r"2^{{{0}}}"),
    (r"\b(\d+(?:\.\d+)?)[Ee]\+?(-?\d+)\b", r"{0} \cdot 10^{{{1}}}"),
    (r"<=", r"\le"),
    (r">=", r"\ge"),
    (r"([<>=])", r"{0}"),
    (r"(?<= )-(?= )", "-"),
    (r"(?<![\w'.])([B-DF-HJ-RT-Zb-hj-z])(?![\w'.(])", r"{0}"),
)
"""Formulas of the checker's sentences, the first that fits; single letters last (not S, E: labels; nor A, I, a, i)."""
_ANY = re.compile("|".join(f"(?P<f{number}>{pattern})" for number, (pattern, _) in enumerate(FORMULAS)))
_POWER_OF_TEN = re.compile(r"(\d)[Ee]\+?(-?\d+)")


def escape(text: str) -> str:
    r"""Write any text so that TeX prints it and does nothing else.

    Parameters
    ----------
    text : str
        Whatever it holds.

    Returns
    -------
    str
        ASCII without line breaks. Guarantee: its only commands are the ones of this module, which print a character.

    Examples
    --------
    >>> print(escape(r"50% \input{a_b}"))
    50\% \textbackslash{}input\{a\_b\}
    >>> print(escape("Zürich 数"))
    Z{\"u}rich [U+6570]
    """
    return "".join(_character(each, before) for each, before in zip(text, " " + text, strict=False))


def typeset(sentence: str) -> str:
    r"""Write one of the checker's sentences with its formulas in mathematics.

    Parameters
    ----------
    sentence : str
        What the checker said of a claim.

    Returns
    -------
    str
        The same words and numbers.

    Examples
    --------
    >>> print(typeset("rank Psi(U*) = N = 4, sigma_N(Psi(U*)) >= 1.5E-7"))
    rank $\Psi$($U^*$) $=$ $N$ $=$ 4, $\sigma_N$($\Psi$($U^*$)) $\ge$ $1.5 \cdot 10^{-7}$
    """
    parts, end = [], 0
    for found in _ANY.finditer(sentence):
        name = str(found.lastgroup)  # of the outer group, which ends last
        first = _ANY.groupindex[name]
        pattern, form = FORMULAS[int(name[1:])]
        inner = found.groups()[first : first + re.compile(pattern).groups]
        parts += [escape(sentence[end : found.start()]), f"${form.format(*map(_inside, inner))}$"]
        end = found.end()
    return "".join([*parts, escape(sentence[end:])]).replace("$$", "").replace(SPECIAL["'"], "'")


def _inside(formula: str) -> str:
    """What stands inside of a formula: two factors with a dot between them, powers of ten."""
    return _POWER_OF_TEN.sub(r"\1 \\cdot 10^{\2}", re.sub(r"(?<=\w) (?=\w)", r" \\cdot ", formula))


def _character(each: str, before: str) -> str:
    """One character, and a pair of braces where it would join the one before it."""
    if each in LIGATURES and each == before:
        return "{}" + each
    if each in SPECIAL:
        return SPECIAL[each]
    if " " <= each <= "~":
        return each
    parts = unicodedata.normalize("NFD", each)
    letter, accent = parts[0], ACCENTS.get(parts[1:])
    if accent is not None and letter.isascii() and letter.isalpha() and letter not in "ij":
        return f"{{\\{accent}{letter}}}"
    return f"[U+{ord(each):04X}]"
