"""A matplotlib SVG inside a page whose policy forbids inline styles: presentation attributes take their place."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from markupsafe import Markup

SVG: Final = "{http://www.w3.org/2000/svg}"
LINK: Final = "{http://www.w3.org/1999/xlink}href"
_REFERENCE: Final = re.compile(r"url\(#([^)]*)\)")
_TARGET: Final = re.compile(r"^#(.*)$|url\(#([^)]*)\)")
_DROPPED: Final = ("metadata", "style", "title", "desc")


def inline_svg(content: bytes, *, prefix: str, name: str, description: str) -> Markup:
    """An SVG of matplotlib as an element of a page.

    Parameters
    ----------
    content
        What `verifier.plot.description.content` returned: written by this program, whatever names are drawn in it.
    prefix
        Put before each identifier: several pictures of one page must not share any.
    name, description
        What the picture shows, for those who do not see it: in one line, and in whole sentences; escaped here.

    Returns
    -------
    Markup
        One ``svg`` element without scripts, styles or references outside itself, as wide as its place allows.
    """
    root = ElementTree.fromstring(content)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.removeprefix(SVG) in _DROPPED:
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        _present(element, prefix)
    used = {
        found
        for element in root.iter()
        for value in element.attrib.values()
        for pair in _TARGET.findall(value)
        for found in pair
    }
    for element in root.iter():
        if element.attrib.get("id") not in used:  # names of matplotlib's groups: nobody refers to them
            element.attrib.pop("id", None)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-labelledby": f"{prefix}-title"}
    root.attrib["aria-describedby"] = f"{prefix}-desc"
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}  # as matplotlib's style element says
    root.text = ""
    body = ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
    start, rest = body.split(">", 1)
    told = Markup('<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>').format(prefix, name, description)
    return Markup(f"{start}>") + told + Markup(rest)


def _present(element: ElementTree.Element, prefix: str) -> None:
    """Styles become presentation attributes, identifiers get the prefix, references stay inside the picture."""
    attributes: dict[str, str] = {}
    for key, value in element.attrib.items():
        if key == "style":
            parts = (part.split(":", 1) for part in value.split(";") if ":" in part)
            attributes |= {name.strip(): text.strip() for name, text in parts}
        elif key == LINK:
            attributes["href"] = value
        else:
            attributes[key] = value
    for key, value in attributes.items():
        if key == "id":
            attributes[key] = f"{prefix}-{value.replace(' ', '-')}"
        elif key == "href":
            attributes[key] = f"#{prefix}-{value.removeprefix('#')}"
        else:
            attributes[key] = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
    element.attrib = attributes
