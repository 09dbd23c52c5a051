"""What all pages share: frame, style sheet, the policy that allows it alone, and templates that escape everything."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from verifier.report.text import typeset, visible

LONGEST_TITLE, LONGEST_FILE = 200, 20_000
"""Characters of a title, and of a case file or configuration, that are shown."""
CODES = {"PROVED": "P", "REFUTED": "R", "UNDECIDED": "U", "TESTED": "T", "ERROR": "N"}
"""Classes of the style sheet by verdict."""


@cache
def style_sheet(more: str = "") -> tuple[Markup, str]:
    """The style sheet, and the Content-Security-Policy that allows it and nothing else.

    Parameters
    ----------
    more
        Rules of a page's own, which follow the shared ones; a file of this package, not of a user.

    Returns
    -------
    style : Markup
        The element's text.
    policy : str
        It names the text by its hash; no script, image, font or address is allowed.
    """
    text = (resources.files("verifier.report") / "templates" / "style.css").read_text(encoding="utf-8") + more
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(text), policy


@cache
def figure_rules() -> str:
    """Rules for pages with figures in a light and a dark look."""
    return (resources.files("verifier.report") / "templates" / "figures.css").read_text(encoding="utf-8")


def environment(package: str) -> jinja2.Environment:
    """The templates of a package, and the frame of all pages.

    Every expression is escaped, and what has no glyph of its own is shown. Filters are ``math`` for formulas, ``code``
    for a verdict's class, ``title`` and ``file`` for texts that may be long.
    """
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("verifier.report")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "math": typeset,
        "code": code_of,
        "title": lambda text: visible(text, LONGEST_TITLE),
        "file": lambda text: escape(visible(text, LONGEST_FILE)),
    }
    return made


def code_of(verdict: str | None) -> str:
    """The class of a verdict, or of none, in the style sheet."""
    return "N" if verdict is None else CODES.get(verdict, "N")


def _shown(value: object) -> object:
    """What every expression of a template passes through before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
