"""The statements, as a list to hold next to the paper: L2.1 to TC.3 are the paper's, W0 to X1 are this project's.

`print` shows the list on one page, or everything about one of them.

Examples
--------
>>> import verifier as vf
>>> vf.STATEMENTS["T3.4(2)"].title
'Theorem 3.4(2): no bad local valley'
>>> print(vf.STATEMENTS)  # doctest: +ELLIPSIS
What is assumed
  L2.1               Lemma 2.1: a small loss has no errors
...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.display import Card, Shown, Table, frame
from verifier.errors import InputError, nearest, one_line
from verifier.statements.almost_every_data import ALMOST_EVERY_DATA_SET
from verifier.statements.almost_every_u import ALMOST_EVERY_U, GENERIC_RANK
from verifier.statements.analytic_zeros import ANALYTIC_ZEROS
from verifier.statements.connection import STRAIGHT_LINE, WITHOUT_BARRIER
from verifier.statements.convex_losses import CONVEX_LOSSES
from verifier.statements.downhill_path import DOWNHILL_PATH
from verifier.statements.duplicates import DUPLICATES
from verifier.statements.every_data import EVERY_DATA_SET
from verifier.statements.exact_rank import EXACT_RANK
from verifier.statements.explicit_witness import BOUNDED_WITNESS, CHAINS, SOFTPLUS_WITNESS
from verifier.statements.full_rank_here import FULL_RANK_HERE
from verifier.statements.full_rank_somewhere import FULL_RANK_SOMEWHERE
from verifier.statements.gradient_descent import GRADIENT_DESCENT
from verifier.statements.groups import grouped
from verifier.statements.interpolant import INTERPOLANT
from verifier.statements.jacobian_rank import JACOBIAN_RANK
from verifier.statements.listing import FIELDS, as_json, one_page
from verifier.statements.memorisation import MEMORISATION
from verifier.statements.minimum import STRICT_MINIMUM
from verifier.statements.no_maximum import NO_MAXIMUM, NO_MAXIMUM_ANYWHERE, POSITIVE_CURVATURE
from verifier.statements.no_strict_minimum import NO_STRICT_MINIMUM, SHIFT_INVARIANCE, WIDE_MINIMA
from verifier.statements.no_zero_error import NO_ZERO_ERROR
from verifier.statements.not_stationary import NOT_STATIONARY
from verifier.statements.path_from_everywhere import PATH_FROM_EVERYWHERE
from verifier.statements.scaled_samples import SCALED_SAMPLES
from verifier.statements.sink_everywhere import CONNECTED, FROM_ALMOST_EVERY_POINT, FROM_EVERY_POINT
from verifier.statements.sink_path import SINK_PATH
from verifier.statements.small_loss import SMALL_LOSS
from verifier.statements.solutions import BALL_OF_SOLUTIONS, RAY_OF_SOLUTIONS, UNCOUNTABLY_MANY
from verifier.statements.statement import Statement
from verifier.statements.suitable_network import ACTIVATIONS, PATCHES, UNITS
from verifier.statements.valleys import BAD_VALLEY, NO_BAD_VALLEY
from verifier.statements.weight_decay import WEIGHT_DECAY

if TYPE_CHECKING:
    import pandas

_ALL = (
    SMALL_LOSS,
    ACTIVATIONS,
    UNITS,
    PATCHES,
    ANALYTIC_ZEROS,
    BOUNDED_WITNESS,
    SOFTPLUS_WITNESS,
    CHAINS,
    FULL_RANK_SOMEWHERE,
    ALMOST_EVERY_U,
    GENERIC_RANK,
    FULL_RANK_HERE,
    EXACT_RANK,
    DUPLICATES,
    NO_ZERO_ERROR,
    BAD_VALLEY,
    UNCOUNTABLY_MANY,
    BALL_OF_SOLUTIONS,
    RAY_OF_SOLUTIONS,
    FROM_EVERY_POINT,
    FROM_ALMOST_EVERY_POINT,
    CONNECTED,
    SINK_PATH,
    NO_BAD_VALLEY,
    EVERY_DATA_SET,
    ALMOST_EVERY_DATA_SET,
    DOWNHILL_PATH,
    PATH_FROM_EVERYWHERE,
    GRADIENT_DESCENT,
    NO_STRICT_MINIMUM,
    NO_MAXIMUM,
    NOT_STATIONARY,
    SHIFT_INVARIANCE,
    WIDE_MINIMA,
    POSITIVE_CURVATURE,
    NO_MAXIMUM_ANYWHERE,
    JACOBIAN_RANK,
    INTERPOLANT,
    CONVEX_LOSSES,
    MEMORISATION,
    SCALED_SAMPLES,
    WEIGHT_DECAY,
    WITHOUT_BARRIER,
    STRAIGHT_LINE,
    STRICT_MINIMUM,
)


class Catalogue(dict[str, Statement], Shown):
    """Statements by label. It prints as the one-page list, and becomes a table by `to_frame`."""

    def __missing__(self, label: str) -> Statement:
        """Refuse a label that no statement has.

        Raises
        ------
        InputError
            Always, naming the nearest label.
        """
        raise InputError(f"STATEMENTS[{one_line(label)}]: no such label; {nearest(str(label), self)}")

    def __str__(self) -> str:
        """Labels and names under headings."""
        return "\n".join(one_page(self.values()))

    def to_frame(self) -> pandas.DataFrame:
        """Make a table of all of them.

        Returns
        -------
        pandas.DataFrame
            A row for each statement, with the columns ``label``, ``name``, ``sentence``, ``formula``, ``hypotheses``,
            ``source``, ``place``, ``idea``, ``how``, ``command``, ``claims``, ``proved_in``, ``checked_in``,
            ``theorems`` and ``may_rest_on``.

        Raises
        ------
        InputError
            The package pandas is not installed.
        """
        return frame(FIELDS, ([as_json(each)[name] for name in FIELDS] for each in self.values()))

    def _card(self) -> Card:
        groups = grouped(self.values(), lambda each: each.label)
        tables = (Table(heading, ("label", "statement"), _rows(own), True) for heading, own in groups)
        return Card("The statements", None, "", (), tuple(tables))


def _rows(statements: list[Statement]) -> tuple[tuple[str, ...], ...]:
    return tuple((each.label, each.title) for each in statements)


STATEMENTS = Catalogue({statement.label: statement for statement in _ALL})
"""By label, in the order in which a reader of the paper meets them; `print` shows the one-page list."""
OF_A_PROBLEM = {label: statement.prove for label, statement in STATEMENTS.items() if statement.prove is not None}
"""What decides those that are decided for every problem, by label; the others have a command of their own."""
