"""The packaged starts from which P1 cannot begin, and what each escape finds from them; each is proved once."""

from functools import cache
from pathlib import Path

import verifier.run
from verifier.landscape.escape import prove_escape
from verifier.landscape.escape_kinds import ORDER
from verifier.run.case import parse_case
from verifier.run.case_problem import case_problem

QUICK = Path(verifier.run.__file__).parent / "cases" / "quick"


@cache
def problem_of(name):
    """The problem of a packaged case, with fewer digits where it takes 40."""
    text = (QUICK / f"{name}.toml").read_text(encoding="utf-8").replace("samples = 40", "samples = 16")
    return case_problem(parse_case(text, name=name, folder=QUICK))


@cache
def escape_from(name, *order, **options):
    """What is proved from a packaged start, with some of the escapes or with all."""
    at = problem_of(name)
    rows = at.rows
    return prove_escape(
        at.network, at.u, at.v, rows.inputs, rows.labels, rows.multiplicities, order=order or ORDER, **options
    )
