"""``verifier statements``: the one-page list, and everything about one statement."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from verifier import __version__
from verifier.cli.common import JsonOption
from verifier.errors import InputError

if TYPE_CHECKING:
    from verifier.statements.statement import Statement


def statements(
    label: Annotated[
        list[str] | None,
        typer.Argument(metavar="LABEL", help="Tell everything about these statements, such as W0 or 'T3.4(2)'."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what can be proved, a line each: label and name; with a LABEL, everything about that statement.

    What it says and assumes, where it stands in the paper, how and where it is proved, where a certificate is checked,
    which command decides it, and the theorems of Coq behind it, with the lines of the checker that establish what they
    ask for. R1 or P1, the labels of claims, lead to the statement that they prove.
    """
    from verifier.statements.catalogue import STATEMENTS
    from verifier.statements.listing import as_json as to_json
    from verifier.statements.listing import find

    def about(words: list[str]) -> list[Statement]:
        """One label, which may hold a space, or several."""
        try:
            return find(STATEMENTS, " ".join(words))
        except InputError:
            if len(words) == 1:
                raise
            return [each for word in words for each in find(STATEMENTS, word)]

    chosen = about(label) if label else list(STATEMENTS.values())
    if as_json:
        text = json.dumps({"version": __version__, "statements": [to_json(each) for each in chosen]}, indent=1)
    elif label:
        text = "\n\n".join(map(str, chosen))
    else:
        text = f"{STATEMENTS}\n\nEverything about one: verifier statements LABEL, such as W0 or 'T3.4(2)'"
    sys.stdout.write(f"{text}\n")
