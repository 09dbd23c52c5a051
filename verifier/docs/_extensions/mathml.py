"""Mathematics as MathML, made by docutils when the pages are built: no JavaScript, no fonts, no network, no Node.

Browsers have drawn MathML by themselves since 2023. The converter of docutils is strict: what it does not know is an
error with the place in the source, so that a mistyped macro fails the build instead of appearing in red on the page.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

REWRITTEN = (
    (re.compile(r"(\\[td]?frac)\s*(\d)\s*(\d)"), r"\1{\2}{\3}"),  # TeX takes one digit each, the converter the number
    (re.compile(r"(\\[bB]igg?)(?=[(\[|]|\\\{)"), r"\1l"),
    (re.compile(r"(\\[bB]igg?)(?=[)\]]|\\\})"), r"\1r"),
    (re.compile(r"\\dots(?![A-Za-z])"), r"\\ldots"),
    (re.compile(r"\\\\\[\d+pt\]"), r"\\\\"),  # room between rows
    (re.compile(r"\\(hat|tilde|bar)\s+(\w)"), r"{\\\1{\2}}"),  # else an index goes under the accent
    (re.compile(r"(?<=[\w})])\s*(?=\\operatorname\{|\\(?:log|exp|det|tanh)(?![A-Za-z]))"), r"\\,"),
    (re.compile(r"(\\operatorname\{\w+\})\s*(?=[\w\\](?!bigl))"), r"\1\\,"),
    (re.compile(r"(\\(?:log|exp|tanh|det))(?![A-Za-z])\s*(?=[\w\\])(?!\\bigl|\\Bigl|\\left)"), r"\1\\,"),
)
"""What the converter does not know, or would set too tightly, or wrongly."""

DRAWN = (
    (re.compile(r"<mo[^>]*>([|\N{DOUBLE VERTICAL LINE}])</mo>"), r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>'),
    (re.compile(r"<mo>\N{RATIO}</mo>\s*<mo>=</mo>"), "<mo>:=</mo>"),
)
"""Bars that open and close look alike to a browser: they must neither stretch nor space like operators."""


def _markup(node: Any, *, block: bool) -> str:
    text = node.astext().strip()
    try:
        source = text
        for pattern, instead in REWRITTEN:
            source = pattern.sub(instead, source)
        drawn = str(tex2mathml(source, as_block=block))
        for pattern, instead in DRAWN:
            drawn = pattern.sub(instead, drawn)
        return drawn
    except MathError as error:
        logger.warning("mathematics that cannot be drawn: %s, in %r", error, text, location=node)
        return f"<code>{escape(text)}</code>"


def inline(self: Any, node: nodes.math) -> None:
    """Write a formula inside a line of text as MathML."""
    self.body.append(f'<span class="math">{_markup(node, block=False)}</span>')
    raise nodes.SkipNode


def display(self: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, which scrolls where it is too wide for the page."""
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    self.body.append(_markup(node, block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer of formulas under the name ``mathml``."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
