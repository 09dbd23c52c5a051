"""What a picture shows, in words: for those who do not see it, and for the file that it is saved to."""

from __future__ import annotations

import io
from pathlib import Path
from xml.sax.saxutils import escape

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verifier.certificate.files import atomic_write
from verifier.errors import InputError, nearest, one_line

TITLE, DESCRIPTION = "verifier_title", "verifier_description"
"""Attributes of axes and figures: one line, and whole sentences with the certified numbers."""
FORMATS = ("svg", "png", "pdf")
"""The kinds of files that keep a title and a description."""
NAMES = ("picture-title", "picture-description")
"""Identifiers of both in an SVG file."""


def describe(ax: Axes, title: str, words: str) -> None:
    """Keep what axes show, in words, with them and with their figure.

    Parameters
    ----------
    ax : Axes
        The axes that were drawn on.
    title : str
        What they show, in one line without formulas.
    words : str
        Whole sentences: what is certified, with bounds rounded to the safe side, and what is not.
    """
    setattr(ax, TITLE, title)
    setattr(ax, DESCRIPTION, words)
    figure = _figure(ax)
    told = [each for each in figure.axes if hasattr(each, TITLE)]
    describe_figure(
        figure,
        "; ".join(getattr(each, TITLE) for each in told),
        " ".join(f"{getattr(each, TITLE)}: {getattr(each, DESCRIPTION)}" for each in told) if len(told) > 1 else words,
    )


def describe_figure(figure: Figure, title: str, words: str) -> None:
    """Keep what a whole figure shows, in words; see `describe`."""
    setattr(figure, TITLE, title)
    setattr(figure, DESCRIPTION, words)


def description(of: Axes | Figure) -> str:
    """What a picture of this package shows, in words: an alternative text for those who do not see it.

    Parameters
    ----------
    of : Axes or Figure
        What was drawn on: of a figure all of its axes are told.

    Returns
    -------
    str
        A title, a colon, and sentences with the certified numbers, lower bounds rounded down and upper ones up.

    Raises
    ------
    InputError
        It is no axes or figure, or none that this package drew on.

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> print(vf.plot.description(vf.plot.psi([[1.0, 0.0], [0.5, 2.0]], Figure().subplots())))
    Feature matrix Psi(U): 2 samples, 2 units connected to the outputs; values from about 0 to about 2, drawn in \
floating point.
    """
    title, words = told(of)
    return f"{title}: {words}"


def save(of: Axes | Figure, file: str | Path) -> Path:
    """Write a picture to a file that keeps its title and its description.

    Parameters
    ----------
    of : Axes or Figure
        What was drawn on; of axes the whole figure is saved.
    file : str or Path
        Where; it ends in ``.svg`` (words as outlines, with ``title`` and ``desc`` that screen readers find), ``.pdf``,
        or ``.png`` (200 dots an inch in `style`, otherwise as matplotlib is set).

    Returns
    -------
    Path
        The file. The same picture gives the same bytes where `style` is in force.

    Raises
    ------
    InputError
        It was not drawn by this package, or the file's name ends otherwise.
    CertificateError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile, verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> with tempfile.TemporaryDirectory() as folder, vf.plot.style():
    ...     ax = vf.plot.loss_along_path(report, Figure(layout="constrained").subplots())
    ...     vf.plot.save(ax, f"{folder}/path.svg").name
    'path.svg'
    """
    target = Path(file)
    kind = target.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise InputError(f"save({one_line(str(file))}): {nearest(kind, FORMATS)}; give a name such as picture.svg")
    told(of)  # refuses what is no picture
    figure = _figure(of)
    atomic_write(target, content(figure, kind, *told(figure)), remedy="choose another folder")
    return target


def content(figure: Figure, kind: str, title: str, words: str) -> bytes:
    """A figure as a file of this kind, with a title and a description.

    Parameters
    ----------
    figure : Figure
        The figure.
    kind : str
        ``svg``, ``png`` or ``pdf``.
    title, words : str
        Plain text; what cannot be printed, and would make no well-formed file, is a question mark.
    """
    title, words = ("".join(c if c.isprintable() else "?" for c in text) for text in (title, words))
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Title": title},
        "png": {"Title": title, "Description": words},
        "pdf": {"Title": title, "Subject": words, "CreationDate": None},
    }
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, metadata=metadata[kind])
    return stream.getvalue() if kind != "svg" else _with_description(stream.getvalue(), words)


def _with_description(svg: bytes, words: str) -> bytes:
    """Matplotlib writes the title's element; the description follows it, and the picture refers to both."""
    first, second = NAMES
    text = svg.decode("utf-8")
    text = text.replace("<title>", f'<title id="{first}">', 1)
    text = text.replace("</title>", f'</title>\n <desc id="{second}">{escape(words)}</desc>', 1)
    named = f'<svg role="img" aria-labelledby="{first}" aria-describedby="{second}" '
    return text.replace("<svg ", named, 1).encode("utf-8")


def _figure(of: Axes | Figure) -> Figure:
    figure = of.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise InputError("the axes belong to no figure; draw on axes of one")
    return figure


def told(of: Axes | Figure) -> tuple[str, str]:
    """The title and the words that a picture keeps; see `description`."""
    if not isinstance(of, Axes | Figure):
        raise InputError(f"{one_line(of)} is no picture; give the axes that a function of vf.plot returned")
    if not hasattr(of, TITLE):
        raise InputError("nothing was drawn here by vf.plot, so there is no description; give the axes it returned")
    return getattr(of, TITLE), getattr(of, DESCRIPTION)
