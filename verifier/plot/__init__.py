"""Pictures of what was proved: matplotlib axes in, axes out, colours that the colour-blind can tell apart.

Losses on slices and planes, samples beside a band, and the colours of Psi are drawn in floating point, and say so; all
else is drawn from enclosures. What a report has is drawn from the report itself. `description` says what a picture
shows, `save` writes it with that, and ``with vf.plot.style("dark"):`` changes the look.

Examples
--------
>>> import verifier as vf
>>> from matplotlib.figure import Figure
>>> report = vf.verify([[0.0], [1.0]], [0, 1], network=vf.Dense(4, "tanh", skip=True))
>>> ax = vf.plot.margins(report, Figure().subplots())
>>> ax.get_title()
'Margins: 2 of 2 samples certified correct'
"""

from verifier.plot.connection import connection, connection_margins, connection_plane
from verifier.plot.descent import loss_along_path
from verifier.plot.description import description, save
from verifier.plot.directions import filter_normalised, random_direction
from verifier.plot.graph import network
from verifier.plot.samples import margins
from verifier.plot.slices import loss_slice, loss_surface
from verifier.plot.spectrum import psi, sigma_along_line, singular_values
from verifier.plot.style import style

__all__ = [
    "connection",
    "connection_margins",
    "connection_plane",
    "description",
    "filter_normalised",
    "loss_along_path",
    "loss_slice",
    "loss_surface",
    "margins",
    "network",
    "psi",
    "random_direction",
    "save",
    "sigma_along_line",
    "singular_values",
    "style",
]
