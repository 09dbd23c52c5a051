"""The page about two networks: whether they are joined, both ways in pictures, pieces, and what was not said.

As the other pages it runs no script and loads nothing; its pictures are part of it, in a light and a dark look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verifier import __version__
from verifier.certificate.files import atomic_write
from verifier.connect import Joined
from verifier.display import Table
from verifier.plot.connection import GRID, POINTS, draw_loss, draw_margins, draw_plane
from verifier.plot.connection_samples import loss_samples, margin_samples, plane_samples
from verifier.plot.description import content, told
from verifier.plot.style import style
from verifier.report.inline import inline_svg
from verifier.report.page_template import LONGEST_TITLE, environment, figure_rules, style_sheet
from verifier.report.sentences import MEANING, TRUST
from verifier.report.text import visible

NAME = "connection.html"
"""What the page is called."""
ROWS = 200
"""Pieces that are listed."""
SIZE = (7.2, 4.2)
"""Inches of a picture."""

LOSS = (
    "The loss on two ways from A to B. Certified: on the path it is below the blue line at every time; on the straight "
    "line of all weights it is inside the orange boxes. Lines inside of the bands are samples in floating point. The "
    "first and the last part of the path move V alone; in between U moves, and a new piece begins at each light line."
)
LINE = (
    "The loss on the straight line of all weights. Certified: it is inside the orange boxes at every time. The line in "
    "them is sampled in floating point."
)
MARGINS = (
    "The smallest margin of the output weights V_k while U moves. Certified: it is above the blue line at every time. "
    "The green line is sampled in floating point."
)
PLANE = (
    "A plane through A and B, upwards along the mean of the path's output weights: colours are the loss on the plane, "
    "in floating point. The path is projected onto it and has the colours of its own loss; the title says how far it "
    "leaves the plane. The dashed line is the straight line of all weights."
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture in both looks, and what it shows."""

    light: Markup
    dark: Markup
    caption: str


def write_connection_report(found: Joined, folder: str | Path, *, starts: Sequence[str] = ("A", "B")) -> Path:
    """Write the page about two networks.

    Parameters
    ----------
    found
        What `verifier.connect` returned, certified or not.
    folder
        Where ``connection.html`` goes.
    starts
        Where the weights of A and of B come from, in words.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CertificateError
        The folder cannot be written.
    """
    target = Path(folder) / NAME
    atomic_write(target, connection_page(found, starts=starts), remedy="choose another folder")
    return target


def connection_page(found: Joined, *, starts: Sequence[str] = ("A", "B")) -> bytes:
    """The page in UTF-8; see `write_connection_report`."""
    card = found._card()
    title = f"{found.a.name} and {found.b.name}" if found.a.name != found.b.name else f"{found.a.name}: two networks"
    rules, policy = style_sheet(figure_rules())
    shown = environment("verifier.report").get_template("connection.html.j2").render(
        title=visible(title, LONGEST_TITLE),
        kind="connection",
        style=rules,
        policy=policy,
        verdict=str(found.verdict),
        conclusion=found.conclusion,
        found=found,
        reason=found.reason[:1].upper() + found.reason[1:],
        starts=starts,
        values=card.values,
        tables=[_first_rows(table) for table in card.tables],
        line=found.line,
        line_values=() if found.line is None else found.line._card().values,
        pictures=_pictures(found),
        meanings=MEANING,
        trust=TRUST,
        version=__version__,
    )  # fmt: skip
    return shown.encode("utf-8", "backslashreplace")


def _first_rows(table: Table) -> Table:
    if len(table.rows) <= ROWS:
        return table
    return Table(
        f"{table.title}: the first {ROWS} of {len(table.rows)}", table.heads, table.rows[:ROWS], table.unfolded
    )


def _pictures(found: Joined) -> list[Drawn]:
    """Those that can be drawn: the straight line alone without a certified path, the loss alone where V moves alone."""
    bounded = found.line is not None and found.line.proved
    if not found.proved:
        if not bounded:
            return []
        line = loss_samples(found, POINTS)
        return [_drawn(lambda ax: draw_loss(ax, found, line), LINE, 0)]
    found_losses = loss_samples(found, POINTS)
    made = [_drawn(lambda ax: draw_loss(ax, found, found_losses), LOSS, 0)]
    if found.pieces:
        margins, plane = margin_samples(found), plane_samples(found, GRID)
        made.append(_drawn(lambda ax: draw_margins(ax, found, margins), MARGINS, 1))
        made.append(_drawn(lambda ax: draw_plane(ax, plane), PLANE, 2))
    return made


def _drawn(draw: Callable[[Axes], None], caption: str, index: int) -> Drawn:
    def made(look: Literal["light", "dark"]) -> Markup:
        with style(look):
            figure = Figure(figsize=SIZE, layout="constrained")
            draw(figure.subplots())
            title, words = told(figure)
            return inline_svg(
                content(figure, "svg", title, words), prefix=f"c{index}{look[0]}", name=title, description=words
            )

    return Drawn(made("light"), made("dark"), caption)
